"""HumanML3D's 263 numbers a frame (Guo et al. 2022) from joint positions and back.

Exact both ways: joint positions (root integration and the 63 root-relative numbers), velocities, contacts. Lost: where
the motion was and which way it first faced (it is put at the origin, facing z), its height (the lowest joint of the
clip is put at 0), and every bone's twist: the 126 rotation numbers are computed from the positions alone and hold no
more than they do. SMPL's pose must be worked out anew (`features.posture`), wrists, toes and head have none.

Two quirks of the published algorithm are kept, since the published data has them: the heading takes the hips' vector
with the wrong sign beside the shoulders', and arms are turned relative to the root, not to the spine. One is not:
where the smoothed heading passes half a turn from the start, the published code encodes the turn with the wrong sign.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from synth.corpus.capture import Z_UP_FROM_Y_UP
from synth.corpus.features.layout import BODY_JOINTS, FEET, HUMANML3D, resting
from synth.rotation import Array, axis_matrix, matrix_to_6d, rotation_between
from synth.skeleton import JOINT, SMPL_MIRROR, SMPL_PARENTS

CONTACT = 0.002  # squared metres a frame
SMOOTHING = 20  # frames, standard deviation of the heading's filter
HIPS = (JOINT["right_hip"], JOINT["left_hip"])
SHOULDERS = (JOINT["right_shoulder"], JOINT["left_shoulder"])
_Y = np.array([0.0, 1.0, 0.0])
_X_LEFT, _UP, _DOWN, _AHEAD = (1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1)
# the stick figure: the direction of each joint from its parent, arms hanging
STICKS = np.array(
    [(0, 0, 0), _X_LEFT, (-1, 0, 0), _UP, _DOWN, _DOWN, _UP, _DOWN, _DOWN, _UP, _AHEAD, _AHEAD, _UP, _X_LEFT,
     (-1, 0, 0), _AHEAD, _DOWN, _DOWN, _DOWN, _DOWN, _DOWN, _DOWN], float,
)  # fmt: skip
# joints whose bone is turned relative to the root's heading rather than to the bone before it
_FROM_ROOT = (1, 2, 3, 13, 14)


def encode(positions: Array) -> Array:
    """Features [T - 1, 263] of joints [T, 22 or more, 3] (metres, z up, T >= 2) at 20 fps.

    The last frame only serves the velocities, as published.
    """
    joints = canonical(positions)
    step = joints[1:] - joints[:-1]
    heading = smooth_heading(joints)
    facing = axis_matrix("y", -heading)  # from the world to the body's heading
    local = joints - joints[:, :1] * np.array([1.0, 0.0, 1.0])
    turn = -0.5 * ((np.diff(heading) + np.pi) % (2 * np.pi) - np.pi)
    return HUMANML3D.pack(
        root_turn=turn[:, None],
        root_velocity=np.einsum("tij,tj->ti", facing[1:], step[:, 0])[:, [0, 2]],
        root_height=joints[:-1, 0, 1:2],
        positions=np.einsum("tij,tnj->tni", facing, local)[:-1, 1:],
        rotations=stick_rotations(joints, facing)[:-1],
        velocities=np.einsum("tij,tnj->tni", facing[:-1], step),
        contacts=resting(step[:, FEET], None, CONTACT),
    )


def decode(features: Array, whole: bool = False) -> Array:
    """Joints [T, 22, 3] (metres, z up) of features [T, 263]; starts over the origin.

    Args:
        whole: append the frame that the last velocities lead to, so that `encode` gives all T rows back.
    """
    part = HUMANML3D.unpack(np.asarray(features, float))
    turn = np.concatenate([[0.0], np.cumsum(part["root_turn"][:-1, 0])])
    world = axis_matrix("y", -2 * turn)  # from the body's heading to the world
    step = np.zeros((len(turn), 3))
    step[1:, [0, 2]] = part["root_velocity"][:-1]
    root = np.cumsum(np.einsum("tij,tj->ti", world, step), 0)
    joints = np.einsum("tij,tnj->tni", world, np.concatenate([np.zeros((len(turn), 1, 3)), part["positions"]], 1))
    joints += root[:, None]
    joints[:, 0, 1] = part["root_height"][:, 0]
    if whole:
        joints = np.concatenate([joints, joints[-1:] + part["velocities"][-1] @ world[-1].T[None]])
    return joints @ Z_UP_FROM_Y_UP.T


def canonical(positions: Array) -> Array:
    """Joints [T, 22, 3], now y up: the lowest at 0, the pelvis of frame 0 over the origin, frame 0 facing +z."""
    joints = np.asarray(positions, float)[:, :BODY_JOINTS] @ Z_UP_FROM_Y_UP
    joints = joints - np.array([joints[0, 0, 0], joints[..., 1].min(), joints[0, 0, 2]])
    across = sum(joints[0, right] - joints[0, left] for right, left in (HIPS, SHOULDERS))
    return joints @ axis_matrix("y", -_yaw(np.cross(_Y, across))).T


def smooth_heading(joints: Array) -> Array:
    """Angle [T] about y from +z of the direction faced, smoothed over time; joints [T, 22, 3] y up."""
    # The hips' vector stands the wrong way round in the published code; shoulders are wider, so it still works.
    across = joints[:, HIPS[1]] - joints[:, HIPS[0]] + joints[:, SHOULDERS[0]] - joints[:, SHOULDERS[1]]
    length = np.linalg.norm(across, axis=-1, keepdims=True)
    forward = np.cross(_Y, across / np.where(length > 1e-9, length, 1.0))
    return _yaw(gaussian_filter1d(forward, SMOOTHING, axis=0, mode="nearest"))


def stick_rotations(joints: Array, facing: Array) -> Array:
    """The 6D of each bone's smallest turn from the stick figure, relative to the bone before it [T, 21, 6]."""
    turned = np.empty((len(joints), BODY_JOINTS, 3, 3))
    turned[:, 0] = facing
    local = np.empty_like(turned)
    for joint in range(1, BODY_JOINTS):
        parent = SMPL_PARENTS[joint]
        bone = joints[:, joint] - joints[:, parent]
        turned[:, joint] = rotation_between(STICKS[joint], bone)
        before = facing if joint in _FROM_ROOT else turned[:, parent]
        local[:, joint] = np.swapaxes(before, -1, -2) @ turned[:, joint]
    return matrix_to_6d(local[:, 1:])


def mirrored(features: Array) -> Array:
    """The mirror image, left and right exchanged; applied twice, itself. [..., 263] -> [..., 263]."""
    part = HUMANML3D.unpack(np.asarray(features))
    across = np.array([-1.0, 1.0, 1.0])
    twin = np.array(SMPL_MIRROR[:BODY_JOINTS])
    return HUMANML3D.pack(
        root_turn=-part["root_turn"],
        root_velocity=part["root_velocity"] * across[:2],
        root_height=part["root_height"],
        positions=part["positions"][..., twin[1:] - 1, :] * across,
        rotations=part["rotations"][..., twin[1:] - 1, :] * np.array([1.0, -1.0, -1.0, -1.0, 1.0, 1.0]),
        velocities=part["velocities"][..., twin, :] * across,
        contacts=part["contacts"][..., [2, 3, 0, 1]],
    )


def uniform(positions: Array, lengths: Array) -> Array:
    """The motion on HumanML3D's one skeleton: bones of the given lengths in the directions they have.

    Args:
        positions: [T, 22, 3] metres.
        lengths: of the bone from each joint's parent to it [22] (the first counts nothing).

    Returns:
        [T, 22, 3]; the path scaled by the length of one shin and thigh, as published.
    """
    joints = np.asarray(positions, float)
    parents = list(SMPL_PARENTS[1:BODY_JOINTS])
    bones = joints[:, 1:BODY_JOINTS] - joints[:, parents]
    own = np.linalg.norm(bones[0], axis=-1)
    leg = [JOINT["right_knee"] - 1, JOINT["right_ankle"] - 1]
    lengths = np.asarray(lengths, float)
    result = np.empty_like(joints[:, :BODY_JOINTS])
    result[:, 0] = joints[:, 0] * (lengths[1:][leg].sum() / own[leg].sum())
    directions = bones / np.linalg.norm(bones, axis=-1, keepdims=True)
    for joint in range(1, BODY_JOINTS):
        result[:, joint] = result[:, SMPL_PARENTS[joint]] + directions[:, joint - 1] * lengths[joint]
    return result


def _yaw(forward: Array) -> Array:
    """Angle about y from +z of directions [..., 3]."""
    return np.arctan2(forward[..., 0], forward[..., 2])
