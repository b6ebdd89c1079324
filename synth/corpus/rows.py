"""One person and frame as a row of numbers: what the training set stores and the model learns from.

The first 205 numbers are the features, in one world for everybody in the scene (z up, metres), and decode to SMPL in
closed form; the rest keeps what the features leave out, so that a row loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synth.body import BodyModel
from synth.corpus import ground
from synth.interaction import Interaction, Prop
from synth.rotation import Array, matrix_from_6d, matrix_to_6d
from synth.skeleton import facing_yaw, forward_kinematics

# name -> columns of a row
COLUMNS: dict[str, slice] = {
    "transl": slice(0, 3),  # as in SMPL: the pelvis is at J0(betas) + transl
    "global_orient": slice(3, 9),  # 6D, the first two columns of the matrix
    "body_pose": slice(9, 135),  # 6D of joints 1..21, relative to the parent
    "joints": slice(135, 201),  # world positions of joints 0..21
    "contacts": slice(201, 205),  # 1 where it stands: left heel, left ball, right heel, right ball
    "hand_pose": slice(205, 217),  # 6D of joints 22, 23
    "hand_joints": slice(217, 223),
    "present": slice(223, 224),
}
FEATURES, WIDTH = 205, 224
BODY_WIDTH = 82  # betas 10, rest joints 72
PROP_WIDTH = 6  # transl, orient


def to_rows(motion: Interaction, body: BodyModel) -> tuple[Array, Array]:
    """Rows [P, T, 224] and bodies [P, 82], float32; zeros where a person is absent."""
    rest = np.asarray(body.rest_joints(motion.betas), float)
    rotmats = motion.rotations()
    joints, _ = forward_kinematics(rotmats, rest[:, None], motion.transl.astype(float))
    six = matrix_to_6d(rotmats)
    people, frames = motion.people, motion.frames
    planted = np.stack([
        ground.plant(body, motion.betas[p], rotmats[p], motion.transl[p].astype(float), motion.fps).planted.T
        for p in range(people)
    ])  # fmt: skip
    parts = [
        motion.transl, six[:, :, 0], six[:, :, 1:22], joints[:, :, :22], planted, six[:, :, 22:], joints[:, :, 22:],
        motion.present,
    ]  # fmt: skip
    rows = np.concatenate([np.asarray(part, np.float32).reshape(people, frames, -1) for part in parts], -1)
    bodies = np.concatenate([motion.betas, rest.reshape(people, 72)], -1).astype(np.float32)
    return np.where(motion.present[..., None], rows, np.float32(0)), bodies


def prop_rows(props: Sequence[Prop]) -> Array:
    """Where things that move are, [K, T, 6] float32: ``transl``, then ``orient`` as an axis-angle vector."""
    moved = [np.concatenate([prop.transl, prop.orient], -1).astype(np.float32) for prop in props]
    return np.stack(moved) if moved else np.zeros((0, 0, PROP_WIDTH), np.float32)


def from_rows(rows: Array) -> tuple[Array, Array]:
    """``transl`` [..., 3] and local rotations [..., 24, 3, 3] of rows [..., 224]; rest poses where nobody is."""
    names = ("global_orient", "body_pose", "hand_pose")
    six = np.concatenate([rows[..., COLUMNS[name]] for name in names], -1).reshape(*rows.shape[:-1], 24, 6)
    absent = rows[..., -1] < 0.5
    six = np.where(absent[..., None, None], np.array([1.0, 0, 0, 0, 1, 0]), six)
    return np.asarray(rows[..., COLUMNS["transl"]]), matrix_from_6d(six)


def starts(rows: Array) -> tuple[Array, Array]:
    """Where the first person's pelvis starts [..., 2] metres, and the yaw it faces [...]; zeros where nobody is.

    Args:
        rows: [..., P, T, 224].
    """
    first = rows[..., 0, 0, :]
    there = first[..., -1] > 0.5
    six = np.where(there[..., None], first[..., COLUMNS["global_orient"]], np.array([1.0, 0, 0, 0, 1, 0]))
    yaw = np.where(there, facing_yaw(matrix_from_6d(six)), 0.0)
    return np.where(there[..., None], first[..., 135:137], 0), yaw


def seen_from(rows: Array, place: Array, yaw: Array) -> Array:
    """Rows [..., P, T, 224] in the frame over `place` [..., 2] that faces `yaw` [...]: a copy; nobody's are zero."""
    c, s = (np.asarray(value, rows.dtype)[..., None, None, None] for value in (np.cos(-yaw), np.sin(-yaw)))
    over = np.asarray(place, rows.dtype)[..., None, None, :]
    here = rows[..., -1:]  # 1 or 0: whoever is absent stays at zero
    moved = rows.copy()
    for columns, shift in ((slice(135, 201), over), (slice(217, 223), over), (slice(3, 9), None)):
        x, y = (moved[..., columns.start + axis : columns.stop : 3] for axis in (0, 1))
        a, b = (x, y) if shift is None else (x - shift[..., :1], y - shift[..., 1:])
        x[...], y[...] = (c * a - s * b) * here, (s * a + c * b) * here
    moved[..., :3] += moved[..., 135:138] - rows[..., 135:138]  # the rest pelvis is the same: both move alike
    return moved


def centred(rows: Array) -> Array:
    """Windows moved so that the first person starts over the origin and faces +x: [..., P, T, 224] -> a copy.

    Whoever is first must be there in the first frame; windows in which that is not so stay where they are.
    """
    return seen_from(rows, *starts(rows))


def centred_features(features: Array) -> Array:
    """`centred` of features [..., P, T, 205] of people who are there throughout."""
    rows = np.ones((*features.shape[:-1], WIDTH), np.float32)
    rows[..., :FEATURES] = features
    return centred(rows)[..., :FEATURES]
