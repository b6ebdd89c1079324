"""Linear blend skinning in plain torch (SMPL, Loper et al. 2015, eq. 2-11), batched and differentiable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from synth.body.model import BodyModel

_CHUNK = 1 << 15  # vertices skinned at a time without gradients: their matrices then stay in the cache


@dataclass(frozen=True)
class Tensors:
    """A body's arrays for posing. V vertices, 24 joints, 10 betas; float32.

    ``joint_template`` and ``joint_dirs`` are the regressor applied once, so that joints never need the vertices.
    """

    v_template: torch.Tensor
    shapedirs: torch.Tensor
    posedirs: torch.Tensor | None
    weights: torch.Tensor
    joint_template: torch.Tensor
    joint_dirs: torch.Tensor
    parents: tuple[int, ...]

    @staticmethod
    def of(model: BodyModel) -> Tensors:
        """Share the model's memory; the regressor is applied in double precision."""
        regressor = model.J_regressor.astype(np.float64)
        count = model.shapedirs.shape[-1]
        dirs = (regressor @ model.shapedirs.reshape(len(model.v_template), -1)).reshape(24, 3, count)
        return Tensors(
            torch.from_numpy(model.v_template),
            torch.from_numpy(model.shapedirs),
            None if model.posedirs is None else torch.from_numpy(model.posedirs),
            torch.from_numpy(model.weights),
            torch.from_numpy((regressor @ model.v_template).astype(np.float32)),
            torch.from_numpy(dirs.astype(np.float32)),
            tuple(int(p) for p in model.parents),
        )


def rest_joints(tensors: Tensors, betas: torch.Tensor) -> torch.Tensor:
    """J(betas), metres: [..., 10] -> [..., 24, 3]."""
    return tensors.joint_template + torch.einsum("jkb,...b->...jk", tensors.joint_dirs, betas)


def skinning_transforms(
    tensors: Tensors, rest: torch.Tensor, rotmats: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps of rest points to posed points per joint [..., 24, 3, 4], and joints [..., 24, 3]; before ``transl``."""
    world: list[torch.Tensor] = []
    joints: list[torch.Tensor] = []
    for index, parent in enumerate(tensors.parents):
        if parent < 0:
            world.append(rotmats[..., index, :, :])
            joints.append(rest[..., index, :].expand(*rotmats.shape[:-3], 3))
            continue
        offset = rest[..., index, :] - rest[..., parent, :]
        joints.append(joints[parent] + (world[parent] @ offset[..., None])[..., 0])
        world.append(world[parent] @ rotmats[..., index, :, :])
    rotation, position = torch.stack(world, -3), torch.stack(joints, -2)
    shift = position - (rotation @ rest[..., None])[..., 0]
    return torch.cat([rotation, shift[..., None]], -1), position


def pose(
    tensors: Tensors, betas: Any, rotmats: Any, transl: Any, vertex_ids: Any = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pose bodies.

    Args:
        tensors: the body's arrays.
        betas: [..., 10]; leading axes broadcast, so one person over T frames is [10].
        rotmats: relative rotations, root first [..., 24, 3, 3].
        transl: metres [..., 3]; the pelvis lands at J0(betas) + transl.
        vertex_ids: pose only these vertices [N]; all of them by default.

    Returns:
        vertices [..., V, 3] (or [..., N, 3]) and joints [..., 24, 3], metres.
    """
    betas, rotmats, transl = (_tensor(value) for value in (betas, rotmats, transl))
    batch = torch.broadcast_shapes(betas.shape[:-1], rotmats.shape[:-3], transl.shape[:-1])
    template, dirs, weights, correctives = tensors.v_template, tensors.shapedirs, tensors.weights, tensors.posedirs
    if vertex_ids is not None:
        chosen = torch.as_tensor(np.asarray(vertex_ids), dtype=torch.long)
        template, dirs, weights = template[chosen], dirs[chosen], weights[chosen]
        correctives = None if correctives is None else correctives[chosen]
    count = len(template)
    shaped = template + (betas @ dirs.reshape(count * 3, -1).T).reshape(*betas.shape[:-1], count, 3)
    rest = rest_joints(tensors, betas)
    rotmats = rotmats.expand(*batch, 24, 3, 3)
    transforms, joints = skinning_transforms(tensors, rest, rotmats)
    joints = joints + transl[..., None, :]

    flat = transforms.reshape(-1, 24, 12)
    shift = transl.expand(*batch, 3).reshape(-1, 3)
    one_shape = shaped.numel() == count * 3
    shapes = shaped.reshape(1, count, 3) if one_shape else shaped.expand(*batch, count, 3).reshape(-1, count, 3)
    feature = None
    if correctives is not None:
        feature = (rotmats[..., 1:, :, :] - torch.eye(3)).reshape(-1, 207)
        correctives = correctives.reshape(count * 3, 207)
    needs_grad = torch.is_grad_enabled() and (flat.requires_grad or shapes.requires_grad or shift.requires_grad)
    step = max(len(flat), 1) if needs_grad else max(_CHUNK // count, 1)
    pieces = []
    for start in range(0, len(flat), step):
        rows = slice(start, start + step)
        points = shapes if one_shape else shapes[rows]
        if feature is not None and correctives is not None:
            points = points + (feature[rows] @ correctives.T).reshape(-1, count, 3)
        pieces.append(_skin(weights, flat[rows], points, shift[rows]))
    vertices = torch.cat(pieces) if pieces else shapes.new_zeros((0, count, 3))
    return vertices.reshape(*batch, count, 3), joints.expand(*batch, 24, 3)


def _skin(weights: torch.Tensor, transforms: torch.Tensor, points: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Blend and apply: [V, 24], [B, 24, 12], [B or 1, V, 3], [B, 3] -> [B, V, 3]."""
    # Vertices last: every product below then runs over long contiguous rows.
    blended = (transforms.transpose(1, 2).reshape(-1, 24) @ weights.T).reshape(len(transforms), 3, 4, len(weights))
    x, y, z = points.transpose(1, 2).contiguous().unsqueeze(2).unbind(1)
    moved = blended[:, :, 3] + shift[:, :, None]
    moved = moved.addcmul(blended[:, :, 0], x).addcmul(blended[:, :, 1], y).addcmul(blended[:, :, 2], z)
    return moved.transpose(1, 2)


def _tensor(value: Any) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value.to(torch.float32)
    return torch.as_tensor(np.asarray(value, dtype=np.float32))
