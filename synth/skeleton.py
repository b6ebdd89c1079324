"""The SMPL skeleton, forward kinematics, and the exact rule for moving a SMPL root (NumPy alone).

SMPL's own frame has y up and a body that faces +z in the rest pose; our world has z up. ``upright`` joins the two.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from synth.rotation import Array, axis_matrix, yaw_matrix

SMPL_JOINTS: tuple[str, ...] = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)  # fmt: skip
SMPL_PARENTS: tuple[int, ...] = (
    -1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21,
)  # fmt: skip
JOINT: dict[str, int] = {name: index for index, name in enumerate(SMPL_JOINTS)}

COCO_KEYPOINTS: tuple[str, ...] = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
# pairs of 1-based keypoint numbers, as COCO's own files list them
COCO_SKELETON: tuple[tuple[int, int], ...] = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9), (8, 10), (9, 11),
    (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip


def _swap_sides(names: tuple[str, ...]) -> tuple[int, ...]:
    other = {"left": "right", "right": "left"}
    mirrored = ["_".join(other.get(word, word) for word in name.split("_")) for name in names]
    return tuple(names.index(name) for name in mirrored)


SMPL_MIRROR: tuple[int, ...] = _swap_sides(SMPL_JOINTS)  # index of each joint's twin on the other side
COCO_MIRROR: tuple[int, ...] = _swap_sides(COCO_KEYPOINTS)


def upright(yaw: ArrayLike) -> Array:
    """``global_orient`` of a body that stands up and faces (cos yaw, sin yaw, 0). Radians [...] -> [..., 3, 3]."""
    # The quarter turn about x takes y up to z up and the facing +z to -y, whose yaw is -90 degrees.
    return yaw_matrix(np.asarray(yaw) + np.pi / 2) @ axis_matrix("x", np.pi / 2)


def facing_yaw(global_orient: ArrayLike) -> Array:
    """The yaw of the direction a root rotation faces, measured from world +x. [..., 3, 3] -> [...] radians.

    For a body that lies on its back or front the facing direction is vertical; its head's direction counts instead.
    """
    r = np.asarray(global_orient, dtype=float)
    forward, up = r[..., :, 2], r[..., :, 1]
    lying = np.abs(forward[..., 2]) > 0.85
    # Leaning back from upright, the head goes backwards while the face turns up: the heading is then minus up.
    heading = np.where(lying[..., None], -np.sign(forward[..., 2:3]) * up, forward)
    return np.arctan2(heading[..., 1], heading[..., 0])


def forward_kinematics(rotations: ArrayLike, rest_joints: ArrayLike, transl: ArrayLike) -> tuple[Array, Array]:
    """World joints and world rotations of a posed skeleton (thesis 2.2; SMPL eq. 4).

    Args:
        rotations: relative to the parent, root first [..., 24, 3, 3].
        rest_joints: rest positions J(betas), metres [..., 24, 3].
        transl: metres [..., 3], added after posing, so the pelvis lands at J0 + transl.

    Returns:
        joints [..., 24, 3] in metres and world rotations [..., 24, 3, 3].
    """
    local, rest, shift = (np.asarray(a) for a in (rotations, rest_joints, transl))
    shape = np.broadcast_shapes(local.shape[:-3], rest.shape[:-2], shift.shape[:-1])
    world: list[Array] = []
    joints: list[Array] = []
    for index, parent in enumerate(SMPL_PARENTS):
        if parent < 0:
            world.append(np.broadcast_to(local[..., 0, :, :], (*shape, 3, 3)))
            joints.append(np.broadcast_to(rest[..., 0, :] + shift, (*shape, 3)))
            continue
        offset = rest[..., index, :] - rest[..., parent, :]
        joints.append(joints[parent] + (world[parent] @ offset[..., None])[..., 0])
        world.append(world[parent] @ local[..., index, :, :])
    return np.stack(joints, -2), np.stack(world, -3)


def transform_root(
    rotation: ArrayLike, translation: ArrayLike, rest_pelvis: ArrayLike, global_orient: ArrayLike, transl: ArrayLike
) -> tuple[Array, Array]:
    """Move a SMPL root rigidly with the world: x' = R x + t for every vertex.

    SMPL turns about the rest pelvis, not about the origin, hence transl' = R (J0 + transl) + t - J0.

    Args:
        rotation: R [3, 3].
        translation: t, metres [3].
        rest_pelvis: J0(betas), metres [..., 3].
        global_orient: [..., 3, 3].
        transl: metres [..., 3].

    Returns:
        the new ``global_orient`` and ``transl``.
    """
    r, t, pelvis = (np.asarray(a) for a in (rotation, translation, rest_pelvis))
    return r @ np.asarray(global_orient), (pelvis + np.asarray(transl)) @ r.T + t - pelvis


def mirror_pose(rotations: ArrayLike) -> Array:
    """Mirror a pose about the body's sagittal plane (x -> -x in SMPL's frame), sides swapped. [..., 24, 3, 3]."""
    flip = np.diag([-1.0, 1.0, 1.0])
    return (flip @ np.asarray(rotations) @ flip)[..., list(SMPL_MIRROR), :, :]
