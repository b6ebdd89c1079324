"""The floor in a fixed camera's frame from people alone: who stands is upright, and about as tall as people are.

The middles of a standing person's ankles, knees, hips, shoulders and ears are on one vertical line above the floor, at
heights that are known shares of the stature. Their pictures at several places give the direction up and the camera's
height over the floor (Lv, Zhao and Nevatia 2006; Krahnstoever and Mendonca 2005). Here it is done on rays, so that any
lens will do, and robustly: who sits, lies, bends or is hidden does not fit (`synth.reconstruct.upright`). The lens has
to be known: people who walk by do not tell a focal length better than a guess.

People alone tell the tilt to some degrees at best, and nothing where they stay at one place or lie: ``tilt`` says so.
Give `up` from the room's lines (`view.up_of`) wherever there is one. The scale is the one of the stature that is
assumed: people who are 5 % taller than that make the camera hang 5 % too low.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from synth.camera import Camera
from synth.errors import BadOption
from synth.reconstruct.floor import Floor, NoFloor
from synth.reconstruct.poles import ANKLE, poles_of, thinned
from synth.reconstruct.upright import BEND, DIFFERENT, FEWEST, LEAN, Problem, Solution
from synth.rotation import Array
from synth.skeleton import COCO_KEYPOINTS

STATURE, STATURES = 1.65, 0.1  # metres, mean and standard deviation
BIAS = 0.02  # shares of the stature by which standing differs from place to place
LOOSE = 0.10  # deviation of log(height) from which it is called uncertain
TILTED = 3.0  # degrees, the same of up


@dataclass(frozen=True)
class StandingFloor(Floor):
    """A floor found from people: `Floor`, whose ``inliers`` is the share of poses (each place counts once) that stand
    on it, ``residual`` their root mean square deviation in metres, ``feet`` 0, ``sources`` "people" and maybe "up".

    Attributes:
        upright: bool [P, T], who stands on this floor in which frame. All False where ankles are hidden.
        statures: [P] metres, NaN of people who are never seen upright.
        height_deviation: one standard deviation of log(camera's height), of which statures' share is the larger.
    """

    upright: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), bool))
    statures: Array = field(default_factory=lambda: np.zeros(0))
    height_deviation: float = 0.0


def floor_from_people(
    keypoints: ArrayLike, seen: ArrayLike, camera: Camera, up: ArrayLike | None = None, up_deviation: float = 2.0,
    stature: float = STATURE, statures: float = STATURES, noise: float = 3.0, seed: int = 0,
) -> StandingFloor:  # fmt: skip
    """The floor under P people seen in T frames by a camera whose lens is known.

    Args:
        keypoints: [P, T, 17, 2] pixels in COCO's order. seen: [P, T, 17] confidence, 0 where nothing is known.
        camera: of any model; its pose does not count.
        up: direction up in the camera's frame [3], if known to ``up_deviation`` degrees (`view.up_of`).
        stature, statures: metres, mean and standard deviation of people's heights.
        noise: pixels that keypoints are off. seed: of the samples drawn.

    Returns:
        In the camera's frame (x right, y down, z forward), metres.

    Raises:
        BadOption: shapes or numbers that cannot be. NoFloor: too few poses with ankles and shoulders in view, or
            nothing that most of the places where people are agree on.
    """
    points, confidence = _checked(keypoints, seen)
    for name, value in (("up_deviation", up_deviation), ("stature", stature), ("statures", statures), ("noise", noise)):
        if not (np.isfinite(value) and value > 0):
            raise BadOption(name, value, "a number above 0")
    angle, known = float(np.deg2rad(up_deviation)), _direction(up)
    everything, at = poles_of(points, confidence, camera)
    rng = np.random.default_rng(seed)
    poles = thinned(everything, rng)
    problem = Problem(camera, noise, stature, statures, len(points), known, angle)
    solutions = [problem.solved(poles, start) for start in problem.starts(poles, rng)]
    if not solutions:
        raise NoFloor("floor: no direction up fits the people in view")
    best, *others = sorted(solutions, key=lambda solution: solution.cost)
    if not np.isfinite(best.cost) or best.near.sum() < FEWEST:
        raise NoFloor("floor: the people in view fit no floor; does anybody stand?")
    upright = np.zeros(points.shape[:2], bool)
    upright[tuple(at.T)] = standing = problem.misfit(everything, best.stand) < 1
    # A direction up that is wrong by an angle moves the height by about that share.
    doubt = _doubt(best, others)
    if known is None:
        doubt = float(np.hypot(doubt, _bias(best, everything.rays[standing, ANKLE])))
    one, two, three = np.sqrt(np.diag(best.spread))[:3]
    tilt, high = float(np.rad2deg(np.hypot(np.hypot(one, two), doubt))), float(np.hypot(three, doubt))
    off = problem.off(poles[best.near], best.stand)
    residual = stature * np.hypot(LEAN, BEND) * float(np.sqrt((off**2).sum() / max(1, (off != 0).sum())))
    return StandingFloor(
        best.stand.normal, float(best.stand.height), best.inliers, residual, tilt, 0.0,
        ("people",) if known is None else ("people", "up"), _remarks(stature, best.inliers, tilt, high),
        upright, np.where(upright.any(1), best.stand.statures, np.nan), high,
    )  # fmt: skip


def _checked(keypoints: ArrayLike, seen: ArrayLike) -> tuple[Array, Array]:
    points, confidence = np.asarray(keypoints, dtype=float), np.asarray(seen, dtype=float)
    if points.ndim != 4 or points.shape[2:] != (len(COCO_KEYPOINTS), 2):
        raise BadOption("keypoints", points.shape, "shape [P, T, 17, 2]")
    if confidence.shape != points.shape[:3]:
        raise BadOption("seen", confidence.shape, f"shape {points.shape[:3]}, as the keypoints")
    return points, np.where(np.isfinite(points).all(-1), confidence, 0.0)


def _direction(up: ArrayLike | None) -> Array | None:
    """The same, of length 1."""
    if up is None:
        return None
    known = np.asarray(up, dtype=float)
    if known.shape != (3,) or not np.linalg.norm(known) > 0 or not np.isfinite(known).all():
        raise BadOption("up", up, "a direction [3]")
    return known / np.linalg.norm(known)


def _doubt(best: Solution, others: Sequence[Solution]) -> float:
    """Radians by which up is uncertain since other answers explain people nearly as well."""
    square, total = 0.0, 1.0
    for other in others:
        angle = np.arccos(np.clip(best.stand.normal @ other.stand.normal, -1, 1))
        if np.isfinite(other.cost) and angle > DIFFERENT / 2:
            weight = min(1.0, other.inliers / max(best.inliers, 1e-6)) ** 4
            square, total = square + weight * angle**2, total + weight
    return float(np.sqrt(square / total))


def _bias(best: Solution, ankles: Array) -> float:
    """Radians of tilt from poses that differ between places by `BIAS`, for rays [N, 3] to the ankles of upright ones.

    A share of the stature that is lost in one place and not in another tilts the floor the less, the farther apart they
    are in depth.
    """
    if len(ankles) < 2:
        return float(np.pi / 2)
    feet = ankles * (best.stand.height / np.maximum(-(ankles @ best.stand.normal), 1e-3))[:, None]
    spread = float(np.sqrt(np.linalg.eigvalsh(np.cov(feet.T))[1:].mean()))
    return float(np.arctan2(BIAS * best.stand.height, spread))


def _remarks(stature: float, inliers: float, tilt: float, high: float) -> tuple[str, ...]:
    found = [f"the height has the scale of a stature of {stature:g} m"]
    if inliers < 0.5:
        found.append(f"at only {inliers:.0%} of the places somebody stands upright")
    if tilt > TILTED:
        found.append(f"people are at too few places: the tilt is known to {tilt:.0f} degrees only")
    if high > LOOSE:
        found.append(f"the height is known to {high:.0%} only")
    return tuple(found)
