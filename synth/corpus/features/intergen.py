"""InterGen's 262 numbers a frame (Liang et al. 2023) of two people, the files of InterHuman, and the thesis's 286.

Exact both ways: joint positions, velocities, contacts, and SMPL's pose without the root. Lost: the root's orientation,
which `features.posture.root_orientation` works out from the joints; in the 262 also where the pair was, which way the
first person faced (frame 0 of the first faces +z over the origin), wrists' and toes' children, and each person's own
height over the floor (the lowest joint of each is put at 0, so somebody on a chair's step comes down to the floor).
"""

from __future__ import annotations

import numpy as np

from synth.corpus.capture import Z_UP_FROM_Y_UP
from synth.corpus.features.layout import (
    BODY_JOINTS,
    FEET,
    INTERGEN,
    INTERHUMAN,
    THESIS,
    from_interleaved_6d,
    interleaved_6d,
    resting,
)
from synth.rotation import Array, axis_matrix
from synth.skeleton import JOINT, SMPL_MIRROR

CONTACT = 0.001  # squared metres a frame
BELOW = (0.12, 0.05, 0.12, 0.05)  # metres: ankles, toes
_TWIN = np.array(SMPL_MIRROR)
_FLIP_6D = np.array([1.0, -1.0, -1.0, 1.0, -1.0, 1.0])  # interleaved: entries with one index x and one not


def encode(positions: Array, rotations: Array) -> Array:
    """Features [P, T - 1, 262] of people in one world at 30 fps, in the frame of the first.

    Args:
        positions: joints [P, T, 22 or more, 3], metres, z up.
        rotations: SMPL's local rotations, root first [P, T, 22 or more, 3, 3].
    """
    joints = np.asarray(positions, float)[..., :BODY_JOINTS, :] @ Z_UP_FROM_Y_UP
    lowest = joints[..., 1].min((1, 2))
    joints = joints - np.stack([0 * lowest, lowest, 0 * lowest], -1)[:, None, None]
    first = joints[0, 0]
    across = first[JOINT["right_hip"]] - first[JOINT["left_hip"]]
    forward = np.cross([0.0, 1.0, 0.0], across)
    facing = axis_matrix("y", -np.arctan2(forward[0], forward[2]))
    joints = (joints - first[0] * np.array([1.0, 0.0, 1.0])) @ facing.T
    step = joints[:, 1:] - joints[:, :-1]
    return INTERGEN.pack(
        positions=joints[:, :-1],
        velocities=step,
        rotations=interleaved_6d(np.asarray(rotations)[:, :-1, 1:BODY_JOINTS]),
        contacts=resting(step[:, :, FEET], joints[:, :-1, FEET, 1], CONTACT, BELOW),
    )


def decode(features: Array) -> tuple[Array, Array]:
    """Joints [..., 22, 3] (metres, z up) and local rotations of joints 1..21 [..., 21, 3, 3] of features [..., 262]."""
    part = INTERGEN.unpack(np.asarray(features, float))
    return part["positions"] @ Z_UP_FROM_Y_UP.T, from_interleaved_6d(part["rotations"])


def mirrored(features: Array) -> Array:
    """The mirror image across x, left and right exchanged; applied twice, itself. [..., 262] -> [..., 262]."""
    part, across = INTERGEN.unpack(np.asarray(features)), np.array([-1.0, 1.0, 1.0])
    twin = _TWIN[:BODY_JOINTS]
    return INTERGEN.pack(
        positions=part["positions"][..., twin, :] * across,
        velocities=part["velocities"][..., twin, :] * across,
        rotations=part["rotations"][..., twin[1:] - 1, :] * _FLIP_6D,
        contacts=part["contacts"][..., [2, 3, 0, 1]],
    )


def decode_interhuman(motion: Array) -> tuple[Array, Array]:
    """The same of a file of InterHuman's `motions_processed`, [T, 492] at 30 fps, z up; hands are left out."""
    part = INTERHUMAN.unpack(np.asarray(motion, float))
    return part["positions"][..., :BODY_JOINTS, :], from_interleaved_6d(part["rotations"][..., : BODY_JOINTS - 1, :])


def encode_thesis(positions: Array, rotations: Array) -> Array:
    """The thesis's features [..., T, 286] at 10 fps of joints [..., T, 24, 3] (metres, z up, floor z = 0) and local
    rotations [..., T, 24, 3, 3]. Nothing is moved; velocities are 0 in frame 0."""
    joints = np.asarray(positions, float)
    step = np.diff(joints, axis=-3, prepend=joints[..., :1, :, :])
    contacts = resting(step[..., FEET, :], joints[..., FEET, 2], CONTACT, BELOW)
    contacts[..., 0, :] = 0.0
    return THESIS.pack(
        positions=joints,
        velocities=step,
        rotations=interleaved_6d(np.asarray(rotations)[..., 1:, :, :]),
        contacts=contacts,
    )


def decode_thesis(features: Array) -> tuple[Array, Array]:
    """Joints [..., 24, 3] (metres, z up) and local rotations of joints 1..23 [..., 23, 3, 3] of features [..., 286]."""
    part = THESIS.unpack(np.asarray(features, float))
    return part["positions"], from_interleaved_6d(part["rotations"])


def mirrored_thesis(features: Array) -> Array:
    """The mirror image across y, left and right exchanged; applied twice, itself. [..., 286] -> [..., 286]."""
    part, across = THESIS.unpack(np.asarray(features)), np.array([1.0, -1.0, 1.0])
    return THESIS.pack(
        positions=part["positions"][..., _TWIN, :] * across,
        velocities=part["velocities"][..., _TWIN, :] * across,
        rotations=part["rotations"][..., _TWIN[1:] - 1, :] * _FLIP_6D,
        contacts=part["contacts"][..., [2, 3, 0, 1]],
    )
