"""Where a motion meets the floor: sole points, which of them stand when, and how well they do.

All functions take one person: rotmats [T, 24, 3, 3] local, transl [T, 3] metres, as in SMPL, z up, floor z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.body import BodyModel
from synth.skeleton import JOINT, forward_kinematics

SIDES = ("left", "right")
# A sole point comes to stand below the first speed and leaves above the second (m/s, so that fps does not matter).
LAND_SPEED, LEAVE_SPEED = 0.15, 0.3
NEAR_FLOOR = 0.035  # metres; a transferred foot may hover or sink by this much where it stands
FLAT = 0.3  # cosine: a foot whose sole faces sideways or up (kneeling, lying) stands on nothing
SHORTEST = 0.12  # seconds a point stands at least
DRIFT = 0.04  # metres; a point that wanders farther from its place is not standing there


@dataclass(frozen=True)
class Planting:
    """Standing sole points: `points` joint indices [4] and offsets [4, 3] (left heel, left ball, right heel, right
    ball, in the ankle's frame), `planted` [4, T], `anchor` [4, T, 3] the place on the floor each one keeps."""

    joints: np.ndarray
    offsets: np.ndarray
    planted: np.ndarray
    anchor: np.ndarray


def sole_height(body: BodyModel, betas: np.ndarray) -> float:
    """Height (metres, y of the rest pose) of the bare soles."""
    used = np.unique(body.faces)
    return float(body.shaped(betas)[used, 1].min())


def sole_points(body: BodyModel, betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joints [4] and offsets [4, 3] of left heel, left ball, right heel, right ball; all lie on the sole."""
    rest = body.rest_joints(betas).astype(float)
    sole = sole_height(body, betas)
    joints, offsets = [], []
    for side in SIDES:
        ankle, toes = rest[JOINT[f"{side}_ankle"]], rest[JOINT[f"{side}_foot"]]
        heel = np.array([ankle[0], sole, ankle[2] - 0.25 * (toes[2] - ankle[2])])
        for point in (heel, np.array([toes[0], sole, toes[2]])):
            joints.append(JOINT[f"{side}_ankle"])
            offsets.append(point - ankle)
    return np.array(joints), np.stack(offsets)


def sole_positions(body: BodyModel, betas: np.ndarray, rotmats: np.ndarray, transl: np.ndarray) -> np.ndarray:
    """World positions [4, T, 3] of the sole points."""
    return _soles(body, betas, rotmats, transl)[0]


def _soles(
    body: BodyModel, betas: np.ndarray, rotmats: np.ndarray, transl: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions [4, T, 3] of the sole points and the z component [4, T] of their foot's upward normal."""
    joints, world = forward_kinematics(rotmats, body.rest_joints(betas).astype(float), transl)
    ids, offsets = sole_points(body, betas)
    where = joints[:, ids] + np.einsum("tnij,nj->tni", world[:, ids], offsets)
    return np.swapaxes(where, 0, 1), world[:, ids, 2, 1].T


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """[start, end) of every stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def plant(body: BodyModel, betas: np.ndarray, rotmats: np.ndarray, transl: np.ndarray, fps: float) -> Planting:
    """Find which sole points stand on the floor when, and where they should stay meanwhile."""
    ids, offsets = sole_points(body, betas)
    where, upright = _soles(body, betas, rotmats, transl)
    planted = np.zeros(where.shape[:2], bool)
    anchor = where.copy()
    anchor[..., 2] = 0.0
    for n, path in enumerate(where):
        low = (path[:, 2] < NEAR_FLOOR) & (upright[n] > FLAT)
        speed = np.linalg.norm(np.gradient(path, axis=0), axis=1) * fps if len(path) > 1 else np.zeros(len(path))
        stands = low & (speed < LEAVE_SPEED)
        for start, end in runs(stands):
            whole = path[start:end, :2]
            if np.linalg.norm(whole - np.median(whole, axis=0), axis=1).max() > DRIFT:
                stands[start:end] &= speed[start:end] < LAND_SPEED  # it slides: it stands where it rests
        for start, end in runs(stands):
            if end - start < SHORTEST * fps or speed[start:end].min() > LAND_SPEED:
                continue
            rests = path[start:end][speed[start:end] <= LAND_SPEED]
            place = np.median(rests, axis=0)
            planted[n, start:end] = np.linalg.norm((path[start:end] - place)[:, :2], axis=1) < DRIFT
            anchor[n, start:end, :2] = place[:2]
    return Planting(ids, offsets, planted, anchor)
