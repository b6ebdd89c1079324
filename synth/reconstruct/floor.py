"""The floor's plane in the camera's frame (thesis 4.3, eq. 4.2), from a cloud, masks, walls and feet.

The thesis regresses z = b_z + b_x x + b_y y in the camera's axes (y down, z forward). A camera that looks along the
floor sees it at every z for one y: that regression has no answer. Here the cloud is first turned so that z is the
expected direction up (the gravity prior), where eq. 4.2 is well posed for every floor within the prior's cone.

RANSAC alone finds what is largest, often a bed or a table. What decides here, in this order: the floor's mask; the
gravity prior; the walls, which stand on the floor; the feet of those who stand; and that nothing lies below a floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from synth.corpus.floor import Plane
from synth.errors import BadOption, CareSynthError
from synth.reconstruct.planes import (
    APART,
    LEAST,
    SHARE,
    PlaneFit,
    lean,
    level_planes,
    normal_spread,
    sampled,
    upright_planes,
)
from synth.rotation import Array, rotation_between

THRESHOLD = 0.03  # metres; the thesis's is synth.corpus.floor.INLIER, 0.10
LOWEST = 0.3  # share of the largest plane's points that makes a lower one the floor
WALL_LIMIT, WALL_WARNING = 15.0, 5.0  # degrees off the right angle
PARALLEL = np.cos(np.deg2rad(10.0))
FOOT_BAND = 0.15  # metres: errors of depth and body, not of the floor
FOOT_VOTE = 0.3  # share of the feet that decides
LEVEL = np.array([0.0, 0.0, 1.0])


class NoFloor(CareSynthError):
    """No plane can be called the floor."""


@dataclass(frozen=True)
class FloorOptions:
    """How a floor is looked for.

    Attributes:
        threshold: metres a point of the floor may be off its plane (the thesis's: 0.10).
        up: the expected direction up in the camera's frame [3], of any length. The image's top by default.
        cone: degrees that the floor's normal may be off ``up``, below 90.
        up_deviation: degrees, one standard deviation of ``up`` where it is known better than the floor's points can
            tell (``squared``): they then tell the height alone.
        foot_height: metres over the floor of the points given as feet: 0 for soles, about 0.08 for ankles.
        shift_to_feet: move the plane, by at most ``FOOT_BAND``, to where most feet stand.
    """

    threshold: float = THRESHOLD
    up: tuple[float, float, float] = (0.0, -1.0, 0.0)
    cone: float = 45.0
    up_deviation: float | None = None
    foot_height: float = 0.0
    shift_to_feet: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise BadOption("threshold", self.threshold, "metres above 0, at most 1")
        if not 0 < self.cone <= 85:
            raise BadOption("cone", self.cone, "degrees above 0, at most 85")
        if np.shape(self.up) != (3,) or not np.isfinite(self.up).all() or not np.linalg.norm(self.up) > 0:
            raise BadOption("up", self.up, "a direction [3]")


@dataclass(frozen=True)
class Floor(Plane):
    """Points p of the camera's frame with ``normal`` . p + ``offset`` = 0; the unit normal points up.

    Attributes:
        offset: the camera's height over the floor, metres.
        inliers: share of the floor's points within the threshold.
        residual: root mean square of their distances, metres.
        tilt: one standard deviation of the normal's direction, degrees, from leaving out one patch of nine at a time:
            neighbouring depths err together, so that the number of points would promise too much.
        feet: median height of the feet over the plane, less ``foot_height``, metres; None without feet.
        sources: what spoke for it: "mask" or "cloud", then "gravity", "walls", "feet".
        warnings: what a user should know, in words.
    """

    residual: float
    tilt: float
    feet: float | None
    sources: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def find_floor(
    points: ArrayLike,
    seed: np.random.SeedSequence,
    floor_mask: ArrayLike | None = None,
    wall_mask: ArrayLike | None = None,
    feet: ArrayLike | None = None,
    options: FloorOptions | None = None,
) -> Floor:
    """The floor's plane.

    Args:
        points: [..., 3] metres in the camera's frame (``depth.unprojected``); what is not finite does not count.
        seed: of the samples drawn.
        floor_mask: [...] bool, where a segmentation sees floor (and rugs). Without it the lowest large level plane of
            the whole cloud is taken, with a warning.
        wall_mask: [...] bool, where it sees walls.
        feet: [M, 3] metres, ankles or soles of people who STAND: those of somebody in bed vote for the bed.
        options: ``FloorOptions``.

    Raises:
        BadOption: shapes that do not fit. NoFloor: too few points, no plane within the prior's cone and under the
            camera, only a strip, or one that the walls contradict.
    """
    chosen = options or FloorOptions()
    cloud, masks = _cloud(points, floor_mask, wall_mask)
    turn = rotation_between(chosen.up, LEVEL)
    generator = np.random.default_rng(seed)
    scene = cloud @ turn.T
    ground = sampled(scene[masks[0]], generator)
    if len(ground) < LEAST:
        raise NoFloor(f"floor: {len(ground)} points on it; {LEAST} are needed. Is the floor in view?")
    standing = _feet(feet) @ turn.T

    levels = level_planes(ground, generator, chosen.threshold, chosen.cone)
    if not levels:
        raise NoFloor(
            f"floor: no plane with {SHARE:.0%} of its points is under the camera and within {chosen.cone:g} degrees "
            f"of level for up = {tuple(chosen.up)}; is the camera rolled or looking down, or the mask wrong?"
        )
    upright = upright_planes(sampled(scene[masks[1]], generator), generator, chosen.threshold, chosen.cone)
    walls = [wall.normal for wall in upright]
    level, elected, remarks = _elected(_on_walls(levels, walls), ground, standing, chosen)

    sources = ["cloud" if floor_mask is None else "mask", "gravity"]
    sources += ["walls"] if walls else []
    sources += ["feet"] if elected else []
    leaning = lean(level.normal, walls)
    remarks += _remarks(level, scene, floor_mask is not None, wall_mask is not None and not walls, leaning)
    return _floor(level, ground, standing, turn, chosen, sources, remarks)


def _cloud(points: ArrayLike, floor_mask: ArrayLike | None, wall_mask: ArrayLike | None) -> tuple[Array, np.ndarray]:
    """The finite points [N, 3], and for each whether it is floor (without a mask: yes) and wall [2, N]."""
    array = np.asarray(points, dtype=float)
    if array.ndim < 2 or array.shape[-1] != 3:
        raise BadOption("points", array.shape, "shape [..., 3]")
    masks = []
    for name, value, default in (("floor_mask", floor_mask, True), ("wall_mask", wall_mask, False)):
        mask = np.full(array.shape[:-1], default) if value is None else np.asarray(value)
        if mask.dtype != bool or mask.shape != array.shape[:-1]:
            raise BadOption(name, f"{mask.dtype} {mask.shape}", f"booleans {array.shape[:-1]}")
        masks.append(mask.reshape(-1))
    flat = array.reshape(-1, 3)
    finite = np.isfinite(flat).all(1)
    return flat[finite], np.stack(masks)[:, finite]


def _feet(feet: ArrayLike | None) -> Array:
    array = np.zeros((0, 3)) if feet is None else np.asarray(feet, dtype=float)
    if array.ndim != 2 or array.shape[1] != 3:
        raise BadOption("feet", array.shape, "shape [M, 3]")
    return array[np.isfinite(array).all(1)]


def _on_walls(levels: list[PlaneFit], walls: Sequence[Array]) -> list[PlaneFit]:
    """The planes that the walls stand on."""
    angles = [lean(level.normal, walls) for level in levels]
    if min(angles) > WALL_LIMIT:
        raise NoFloor(f"floor: the walls lean {min(angles):.0f} degrees on it; a mask or the depth is wrong")
    return [level for level, angle in zip(levels, angles, strict=True) if angle <= WALL_LIMIT]


def _depth_under(level: PlaneFit, largest: PlaneFit, points: Array) -> float:
    """How far a plane is under the largest one, metres, if it is large and parallel enough to be the floor; else 0.

    Nothing is below a floor, so that of two large planes the lower one is it.
    """
    if level.share < LOWEST * largest.share or level.normal @ largest.normal < PARALLEL:
        return 0.0
    return max(0.0, float(np.median(level.heights(points[largest.near]))))


def _elected(
    levels: list[PlaneFit], points: Array, feet: Array, options: FloorOptions
) -> tuple[PlaneFit, bool, list[str]]:
    """The floor among the candidates, whether feet stand on it, and what is odd about that."""
    remarks: list[str] = []
    largest = max(levels, key=lambda level: level.share)
    depths = [_depth_under(item, largest, points) for item in levels]
    lowest = int(np.argmax(depths))
    level = levels[lowest]
    if level is not largest:
        remarks.append(f"a larger plane is {max(depths):.2f} m over the floor; the lower one is taken")
    if not len(feet):
        return level, False, remarks
    votes = [float((np.abs(item.heights(feet) - options.foot_height) < FOOT_BAND).mean()) for item in levels]
    favourite = levels[int(np.argmax(votes))]
    if max(votes) < FOOT_VOTE:
        height = float(np.median(level.heights(feet))) - options.foot_height
        remarks.append(f"the feet are {height:+.2f} m off the floor and stand on no other plane")
        return level, False, remarks
    if favourite is not level and max(votes) > votes[lowest] + 0.1:
        remarks.append(f"the feet stand on a plane {level.offset - favourite.offset:+.2f} m over the one of the points")
        return favourite, True, remarks
    return level, votes[lowest] >= FOOT_VOTE, remarks


def _remarks(level: PlaneFit, scene: Array, masked: bool, wall_less: bool, leaning: float) -> list[str]:
    found = [] if masked else ["no floor mask: the lowest large level plane is taken for the floor"]
    below = float((level.heights(scene) < -APART).mean())
    if below > 0.02:
        found.append(f"{below:.0%} of the room is more than {APART:g} m below the floor")
    if wall_less:
        found.append("no wall is large enough to check the floor against")
    if leaning > WALL_WARNING:
        found.append(f"the walls lean {leaning:.0f} degrees on the floor")
    return found


def _floor(
    level: PlaneFit, ground: Array, feet: Array, turn: Array, options: FloorOptions,
    sources: list[str], remarks: list[str],
) -> Floor:  # fmt: skip
    """Back to the camera's frame, with the numbers a user can judge it by."""
    near = ground[level.near]
    narrow = float(np.sqrt(np.linalg.eigvalsh(np.cov(near.T))[1]))
    if narrow < 2 * options.threshold:
        raise NoFloor(f"floor: its points are a strip {narrow:.2f} m wide; its tilt about the strip is unknown")
    if options.up_deviation is None:
        tilt = float(np.rad2deg(np.sqrt(np.trace(normal_spread(ground, level, options.threshold)))))
    else:
        level, tilt = PlaneFit(LEVEL, -float(near[:, 2].mean()), level.near), options.up_deviation
    offset, height = level.offset, None
    if len(feet):
        heights = level.heights(feet) - options.foot_height
        height = float(np.median(heights))
        standing = heights[np.abs(heights) < FOOT_BAND]
        if options.shift_to_feet and "feet" in sources:
            offset -= float(np.median(standing))
            height -= float(np.median(standing))
    if tilt > 2:
        remarks = [*remarks, f"the floor's tilt is only known to {tilt:.0f} degrees"]
    if level.share < 0.5 and "mask" in sources:
        remarks = [*remarks, f"only {level.share:.0%} of the floor's points are on it"]
    residual = float(np.sqrt(np.mean(level.heights(near) ** 2)))
    return Floor(
        turn.T @ level.normal, offset, level.share, residual, tilt, height, tuple(sources), tuple(remarks)
    )  # fmt: skip
