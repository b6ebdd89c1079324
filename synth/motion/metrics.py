"""How good a motion is, in metres and seconds: pure functions of joints, for the gate, the benchmarks and the tests.

Thresholds are speeds and distances, never per-frame values, so that the frame rate does not matter.
`synth.motion.evaluate` measures all of it, and the skins, on a whole interaction.
"""

from __future__ import annotations

import numpy as np

from synth.rotation import Array
from synth.skeleton import JOINT, SMPL_PARENTS

SKATE_SPEED = 0.15  # m/s; below it a foot on the floor stands
GLIDE_SPEED, UPRIGHT = 0.25, 0.65  # m/s of the pelvis from which someone moves; metres that it is up at least
ERECT = 0.85  # cosine between the trunk and the vertical: 30 degrees
SOLE_HEIGHT = 0.025  # metres above the floor up to which a sole point is on it

CONTACT_HEIGHT = 0.06  # a toe joint (0.02 above the sole) or ankle joint (0.07) this far above its standing height
_FEET = (("left_foot", 0.02), ("right_foot", 0.02), ("left_ankle", 0.08), ("right_ankle", 0.08))
_LIMBS = tuple((parent, joint) for joint, parent in enumerate(SMPL_PARENTS) if parent >= 0)


def velocity(joints: Array, fps: float) -> Array:
    """Central differences, m/s: [..., T, J, 3] -> the same shape (T >= 2; one frame stands still)."""
    points = np.asarray(joints, dtype=float)
    if points.shape[-3] < 2:
        return np.zeros_like(points)
    return np.gradient(points, 1.0 / fps, axis=-3)


def speed(joints: Array, fps: float) -> float:
    """Mean speed of the pelvis over the floor, m/s. [..., T, 24, 3]."""
    return float(np.linalg.norm(velocity(joints, fps)[..., 0, :2], axis=-1).mean())


def foot_slide(joints: Array, fps: float, height: float = CONTACT_HEIGHT, of: Array | None = None) -> float:
    """Mean horizontal speed (m/s) of the slowest foot point on the floor; frames in the air do not count.

    Whoever is not jumping has some point of a foot at rest on the floor; a foot that swings through close to the
    floor or rolls off must not count, so of heels and toes near the floor the slowest does. [..., T, 24, 3];
    ``of`` another motion of the same size: those that are near the floor in it.
    """
    points, moves = np.asarray(joints if of is None else of, float), velocity(joints, fps)
    above = np.stack([points[..., JOINT[name], 2] - rest for name, rest in _FEET], -1)
    fast = np.stack([np.linalg.norm(moves[..., JOINT[name], :2], axis=-1) for name, _ in _FEET], -1)
    slowest = np.where(above < height, fast, np.inf).min(-1)
    down = np.isfinite(slowest)
    return float(slowest[down].mean()) if down.any() else 0.0


def skate_ratio(soles: Array, fps: float, height: float = SOLE_HEIGHT, limit: float = SKATE_SPEED) -> float:
    """Share of feet on the floor that slide faster than `limit` m/s.

    A foot is on the floor from one frame to the next if one of its sole points is below `height` in both; it slides as
    fast over the floor as the slowest such point. Feet that swing low count, so real walking is not at zero
    (Karunratanakul et al. 2023 count the same with a limit a frame).

    Args:
        soles: points under each foot [F, S, T, 3], F feet of S points, metres.
    """
    points = np.asarray(soles, float)
    if points.shape[2] < 2:
        return 0.0
    low = points[..., 2] < height
    fast = np.linalg.norm(np.diff(points[..., :2], axis=2), axis=-1) * fps
    slowest = np.where(low[..., 1:] & low[..., :-1], fast, np.inf).min(1)
    down = slowest[np.isfinite(slowest)]
    return float((down > limit).mean()) if len(down) else 0.0


def gliding(joints: Array, fps: float) -> tuple[float, float]:
    """Seconds that someone upright moves over the floor, and in which share of them no foot stays behind.

    Whoever walks has a foot at rest at nearly any time; whoever glides moves both about as fast as the pelvis. Real
    captures are below 0.1. One person [T, 24, 3].
    """
    points = np.asarray(joints, float)
    if len(points) < 2:
        return 0.0, 0.0
    fast = np.linalg.norm(np.diff(points[..., :2], axis=0), axis=-1) * fps
    moving = (fast[:, 0] > GLIDE_SPEED) & (points[1:, 0, 2] > UPRIGHT)
    slowest = fast[:, [JOINT[name] for name, _ in _FEET]].min(-1)
    glides = moving & (slowest > 0.6 * fast[:, 0])
    return float(moving.sum() / fps), float(glides.sum() / max(moving.sum(), 1))


def floor_penetration(joints: Array, margin: float = 0.0) -> float:
    """How deep the deepest joint is below z = ``-margin``, metres (0: none). [..., 24, 3]."""
    return float(max(0.0, -margin - np.asarray(joints)[..., 2].min()))


def floating(joints: Array, reach: float = 0.15) -> float:
    """Share of frames in which no joint is within ``reach`` metres of the floor. One person [T, 24, 3]."""
    return float((np.asarray(joints)[..., 2].min(-1) > reach).mean())


def head_back(joints: Array, facing: Array, fps: float, beyond: float = np.pi / 4) -> float:
    """Seconds in which somebody with an upright trunk faces the ceiling: one person's joints [T, 24, 3], direction of
    the face [T, 3], and radians above the horizon from which that counts. Who drinks up reaches 36 degrees.
    """
    trunk = joints[:, JOINT["neck"]] - joints[:, JOINT["pelvis"]]
    erect = trunk[:, 2] > ERECT * np.linalg.norm(trunk, axis=-1)
    return float((erect & (facing[:, 2] > np.sin(beyond))).sum() / fps)


def jitter(joints: Array, fps: float) -> float:
    """Mean size of the third derivative (jerk) of the joints, m/s^3. [T, J, 3]; 0 below four frames.

    Real captures at 20-30 fps are at 20-150; a pose that flickers is in the thousands.
    """
    points = np.asarray(joints, float)
    if len(points) < 4:
        return 0.0
    return float(np.linalg.norm(np.diff(points, n=3, axis=0), axis=-1).mean() * fps**3)


def bone_drift(joints: Array) -> float:
    """Largest change of a bone's length over time, metres. [..., T, 24, 3]; 0 for a true skeleton."""
    points = np.asarray(joints, float)
    lengths = np.stack([np.linalg.norm(points[..., a, :] - points[..., b, :], axis=-1) for a, b in _LIMBS], -1)
    return float(np.ptp(lengths, axis=-2).max())


def partner_distance(first: Array, second: Array) -> Array:
    """Smallest distance between the bones of two people, per frame: [T, 24, 3] twice -> [T] metres.

    Bones are segments; subtract the thickness of both limbs to get the gap between skins.
    """
    a, b = np.asarray(first, float), np.asarray(second, float)
    starts, ends = (list(side) for side in zip(*_LIMBS, strict=True))
    shape = (len(_LIMBS), len(_LIMBS))
    best = np.full(len(a), np.inf)
    for t in range(len(a)):
        distance = _segments(a[t, starts][:, None], a[t, ends][:, None], b[t, starts][None], b[t, ends][None])
        best[t] = np.broadcast_to(distance, shape).min()
    return best


def partner_penetration(first: Array, second: Array, thickness: float = 0.10) -> float:
    """Deepest overlap of two people, metres, both as bones of ``thickness`` / 2 radius. [T, 24, 3] twice."""
    return float(np.maximum(0.0, thickness - partner_distance(first, second)).max(initial=0.0))


def point_distance(first: Array, second: Array) -> float:
    """Mean distance between two moving points, e.g. a hand and what it holds. [T, 3] twice -> metres."""
    return float(np.linalg.norm(np.asarray(first, float) - np.asarray(second, float), axis=-1).mean())


def _segments(p: Array, q: Array, r: Array, s: Array) -> Array:
    """Distance between segments p-q and r-s (Ericson, Real-Time Collision Detection, 5.1.9), broadcast."""
    d1, d2, between = q - p, s - r, p - r
    a, e = np.maximum((d1 * d1).sum(-1), 1e-12), np.maximum((d2 * d2).sum(-1), 1e-12)
    b, c, f = (d1 * d2).sum(-1), (d1 * between).sum(-1), (d2 * between).sum(-1)
    denominator = a * e - b * b
    parallel = denominator < 1e-9
    u = np.clip(np.where(parallel, 0.0, (b * f - c * e) / np.where(parallel, 1.0, denominator)), 0, 1)
    v = (b * u + f) / e
    u = np.where(v < 0, np.clip(-c / a, 0, 1), np.where(v > 1, np.clip((b - c) / a, 0, 1), u))
    v = np.clip(v, 0, 1)
    return np.linalg.norm(between + u[..., None] * d1 - v[..., None] * d2, axis=-1)
