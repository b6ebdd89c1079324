"""Differentiable SMPL kinematics in PyTorch, batched over people and frames.

The same chain as `synth.skeleton.forward_kinematics` (NumPy), with gradients. Joints in the SMPL order, metres,
the body's local frame as SMPL's (y up, facing +z), the world as everywhere in the project (z up).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from synth.skeleton import SMPL_PARENTS

PARENTS: tuple[int, ...] = tuple(int(p) for p in SMPL_PARENTS)
JOINTS = len(PARENTS)


def _levels() -> list[list[int]]:
    """Joint indices by depth in the tree, so that a whole level is one matrix product."""
    depth = [0] * JOINTS
    for joint in range(1, JOINTS):
        depth[joint] = depth[PARENTS[joint]] + 1
    return [[j for j in range(JOINTS) if depth[j] == d] for d in range(max(depth) + 1)]


def _descendants() -> np.ndarray:
    """`D[k, j] = 1` where joint j moves with joint k (k itself included)."""
    table = np.zeros((JOINTS, JOINTS), dtype=np.float32)
    for joint in range(JOINTS):
        ancestor = joint
        while ancestor >= 0:
            table[ancestor, joint] = 1.0
            ancestor = PARENTS[ancestor] if ancestor > 0 else -1
    return table


LEVELS = _levels()
DESCENDANTS = torch.from_numpy(_descendants())


def exp_map(increments: Tensor) -> Tensor:
    """Axis-angle [..., 3] (radians) to matrices [..., 3, 3]; smooth and differentiable through zero."""
    square = (increments * increments).sum(-1, keepdim=True) + 1e-12
    angle = square.sqrt()
    sine = torch.sin(angle) / angle
    half = torch.sin(0.5 * angle) / angle
    versine = 2.0 * half * half
    x, y, z = increments.unbind(-1)
    a, b = sine[..., 0], versine[..., 0]
    xx, yy, zz = b * x * x, b * y * y, b * z * z
    xy, xz, yz = b * x * y, b * x * z, b * y * z
    ax, ay, az = a * x, a * y, a * z
    rows = (1 - yy - zz, xy - az, xz + ay, xy + az, 1 - xx - zz, yz - ax, xz - ay, yz + ax, 1 - xx - yy)
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def log_map(rotmats: Tensor) -> Tensor:
    """Matrices [..., 3, 3] to axis-angle [..., 3] (radians), |angle| < pi; differentiable away from pi."""
    skew = torch.stack(
        (
            rotmats[..., 2, 1] - rotmats[..., 1, 2],
            rotmats[..., 0, 2] - rotmats[..., 2, 0],
            rotmats[..., 1, 0] - rotmats[..., 0, 1],
        ),
        -1,
    )
    sine2 = torch.sqrt((skew * skew).sum(-1) + 1e-12)  # 2 sin(angle)
    cosine2 = rotmats[..., 0, 0] + rotmats[..., 1, 1] + rotmats[..., 2, 2] - 1.0  # 2 cos(angle)
    angle = torch.atan2(sine2, cosine2)
    return skew * (angle / sine2).unsqueeze(-1)


def _skew(vector: Tensor) -> Tensor:
    x, y, z = vector.unbind(-1)
    o = torch.zeros_like(x)
    return torch.stack((o, -z, y, z, o, -x, -y, x, o), -1).unflatten(-1, (3, 3))


class _Chain(torch.autograd.Function):
    """Forward kinematics with the analytic gradient (a sum of torques over each joint's subtree).

    The gradient returned for a rotation is the tangent one (R [torque]x / 2): exact for any R that stays a rotation,
    which is how the optimiser and every caller make them. About three times faster than tracing the chain.
    """

    @staticmethod
    def forward(ctx: Any, rotmats: Tensor, offsets: Tensor, transl: Tensor) -> tuple[Tensor, Tensor]:
        turned: list[Tensor] = [rotmats[..., 0, :, :]] + [rotmats[..., 0, :, :]] * (JOINTS - 1)
        for joint in range(1, JOINTS):
            turned[joint] = turned[PARENTS[joint]] @ rotmats[..., joint, :, :]
        spun = torch.stack(turned, -3)
        bones = (spun[..., list(PARENTS[1:]), :, :] @ offsets[..., 1:, :, None])[..., 0]
        root = (offsets[..., 0, :] + transl).unsqueeze(-2)
        joints = DESCENDANTS.T.to(bones) @ torch.cat((root, bones), -2)
        ctx.save_for_backward(rotmats, spun, joints)
        return joints, spun

    @staticmethod
    def backward(ctx: Any, grad_joints: Tensor, grad_spun: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        rotmats, spun, joints = ctx.saved_tensors
        tree = DESCENDANTS.to(joints)
        twist = spun @ grad_spun.transpose(-1, -2)
        torque = torch.stack(
            (
                twist[..., 1, 2] - twist[..., 2, 1],
                twist[..., 2, 0] - twist[..., 0, 2],
                twist[..., 0, 1] - twist[..., 1, 0],
            ),
            -1,
        )
        moment = torque + torch.linalg.cross(joints, grad_joints)
        force = tree @ grad_joints
        about = tree @ moment - torch.linalg.cross(joints, force)
        local = (spun.transpose(-1, -2) @ about[..., None])[..., 0]
        grad_offsets = None
        if ctx.needs_input_grad[1]:
            parent = spun[..., list(PARENTS[1:]), :, :].transpose(-1, -2)
            bones = (parent @ force[..., 1:, :, None])[..., 0]
            grad_offsets = torch.cat((force[..., :1, :], bones), -2)
        return rotmats @ _skew(0.5 * local), grad_offsets, force[..., 0, :]


def bone_offsets(rest_joints: Tensor) -> Tensor:
    """Rest joints [..., 24, 3] to offsets from the parent; the root keeps its own position."""
    offsets = rest_joints.clone()
    offsets[..., 1:, :] = rest_joints[..., 1:, :] - rest_joints[..., list(PARENTS[1:]), :]
    return offsets


def forward_kinematics(rotmats: Tensor, rest_joints: Tensor, transl: Tensor) -> tuple[Tensor, Tensor]:
    """World joints [..., 24, 3] and global rotations [..., 24, 3, 3].

    `rotmats` [..., 24, 3, 3] local rotations (index 0 = global_orient), `rest_joints` broadcastable [..., 24, 3],
    `transl` [..., 3] as in SMPL (pelvis = rest_joints[0] + transl).
    """
    offsets = bone_offsets(rest_joints).expand(*rotmats.shape[:-2], 3)
    return _Chain.apply(rotmats, offsets, transl)
