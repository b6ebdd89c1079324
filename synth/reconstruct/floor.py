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
from sklearn.linear_model import LinearRegression, RANSACRegressor

from synth.corpus.floor import Plane
from synth.errors import BadOption, CareSynthError
from synth.rotation import Array, rotation_between

THRESHOLD = 0.03  # metres; the thesis's is synth.corpus.floor.INLIER, 0.10
SAMPLE = 20_000  # points of a cloud that take part
LEAST = 60  # points without which there is no plane
SEARCHED = 4_000  # of these, points that the samples of RANSAC are tested on
TRIALS = 1000  # of which few are of use when most points are a wall's
ROUNDS = 50
PLANES = 4  # level surfaces that a floor's mask can mix up
SHARE = 0.1  # of the floor's points that a plane needs to be considered
LOWEST = 0.3  # share of the largest plane's points that makes a lower one the floor
APART = 0.10  # metres between two planes that are not one
WALLS = 3
WALL_SHARE = 0.2
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
        foot_height: metres over the floor of the points given as feet: 0 for soles, about 0.08 for ankles.
        shift_to_feet: move the plane, by at most ``FOOT_BAND``, to where most feet stand.
    """

    threshold: float = THRESHOLD
    up: tuple[float, float, float] = (0.0, -1.0, 0.0)
    cone: float = 45.0
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


@dataclass(frozen=True)
class _Level:
    """A candidate in the turned frame: its plane and which of the floor's points [N] are on it."""

    normal: Array
    offset: float
    near: np.ndarray

    @property
    def share(self) -> float:
        return float(self.near.mean())

    def heights(self, points: Array) -> Array:
        return points @ self.normal + self.offset


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
    ground = _sampled(scene[masks[0]], generator)
    if len(ground) < LEAST:
        raise NoFloor(f"floor: {len(ground)} points on it; {LEAST} are needed. Is the floor in view?")
    standing = _feet(feet) @ turn.T

    levels = _levels(ground, generator, chosen)
    walls = _walls(_sampled(scene[masks[1]], generator), generator, chosen)
    level, elected, remarks = _elected(_on_walls(levels, walls), ground, standing, chosen)

    sources = ["cloud" if floor_mask is None else "mask", "gravity"]
    sources += ["walls"] if walls else []
    sources += ["feet"] if elected else []
    remarks += _remarks(level, scene, floor_mask is not None, wall_mask is not None and not walls, _lean(level, walls))
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


def _sampled(points: Array, generator: np.random.Generator) -> Array:
    if len(points) <= SAMPLE:
        return points
    return points[generator.choice(len(points), SAMPLE, replace=False)]


def _levels(points: Array, generator: np.random.Generator, options: FloorOptions) -> list[_Level]:
    """The level planes under the camera, largest first: each is looked for in what the ones before it left."""
    left, found = np.ones(len(points), bool), list[_Level]()
    steepest = np.cos(np.deg2rad(options.cone))
    for _ in range(2 * PLANES):
        if len(found) == PLANES or left.sum() < max(LEAST, SHARE * len(points)):
            break
        normal = _ransac(points[left], 2, generator, options.threshold, steepest)
        if normal is None:
            break
        level = _refined(points, left, *normal, options.threshold)
        if level.share < SHARE:  # and so is whatever comes after it
            break
        left &= np.abs(level.heights(points)) > max(APART, 3 * options.threshold)
        # refining may tip a plane out of the cone; what is over the camera is a ceiling or a shelf
        if level.normal[2] >= steepest and level.offset > APART:
            found.append(level)
    if not found:
        raise NoFloor(
            f"floor: no plane with {SHARE:.0%} of its points is under the camera and within {options.cone:g} degrees "
            f"of level for up = {tuple(options.up)}; is the camera rolled or looking down, or the mask wrong?"
        )
    return sorted(found, key=lambda level: -level.share)


def _ransac(
    points: Array, axis: int, generator: np.random.Generator, threshold: float, least: float
) -> tuple[Array, float] | None:
    """The plane [normal, offset] with most points by regressing one axis on the others (eq. 4.2).

    ``least``: the smallest share that the axis has in the unit normal.
    """
    others = [a for a in range(3) if a != axis]
    slope = np.sqrt(1 / least**2 - 1)

    def steep_enough(model: LinearRegression, *_: Array) -> bool:
        return bool(np.linalg.norm(model.coef_) <= slope)

    if len(points) > SEARCHED:
        points = points[generator.choice(len(points), SEARCHED, replace=False)]
    search = RANSACRegressor(
        LinearRegression(), min_samples=3, residual_threshold=threshold, max_trials=TRIALS,
        is_model_valid=steep_enough, random_state=int(generator.integers(2**31)),
    )  # fmt: skip
    try:
        search.fit(points[:, others], points[:, axis])
    except ValueError:  # no sample gave a plane of this kind
        return None
    normal = np.zeros(3)
    normal[axis], normal[others] = 1.0, -search.estimator_.coef_
    length = float(np.linalg.norm(normal))
    return normal / length, -float(search.estimator_.intercept_) / length


def _refined(points: Array, allowed: np.ndarray, normal: Array, offset: float, threshold: float) -> _Level:
    """Total least squares on the inliers until they stay the same; of the points [N] only the ``allowed`` ones pull.

    Noise beyond the threshold is cut off evenly only about the plane itself: hence a wider band first, and many rounds.
    """
    for band in (max(threshold, min(2 * threshold, APART)), threshold):
        last = np.zeros(len(points), bool)
        for _ in range(ROUNDS):
            near = allowed & (np.abs(points @ normal + offset) < band)
            if near.sum() < 3 or (near == last).all():
                break
            last, (normal, offset) = near, _least_squares(points[near], normal)
    return _Level(normal, offset, np.abs(points @ normal + offset) < threshold)


def _least_squares(points: Array, towards: Array) -> tuple[Array, float]:
    """The plane of least squared distances, its normal on the side of ``towards``."""
    middle = points.mean(0)
    normal = np.linalg.eigh(np.cov((points - middle).T))[1][:, 0]
    normal = normal if normal @ towards >= 0 else -normal
    return normal, -float(normal @ middle)


def _walls(points: Array, generator: np.random.Generator, options: FloorOptions) -> list[Array]:
    """Normals of the largest upright planes."""
    left, normals = np.ones(len(points), bool), list[Array]()
    threshold = max(options.threshold, 0.05)
    while len(normals) < WALLS and left.sum() >= max(LEAST, WALL_SHARE * len(points)):
        # a wall has an answer on one horizontal axis at least; the better one is taken
        guesses = [_ransac(points[left], axis, generator, threshold, 0.5) for axis in (0, 1)]
        tried = [_refined(points, left, *guess, threshold) for guess in guesses if guess is not None]
        if not tried:
            break
        best = max(tried, key=lambda plane: (plane.near & left).sum())
        if (best.near & left).sum() < max(LEAST, WALL_SHARE * len(points)):
            break
        left &= np.abs(best.heights(points)) > 2 * threshold
        if abs(best.normal[2]) < np.sin(np.deg2rad(options.cone)):
            normals.append(best.normal)
    return normals


def _lean(level: _Level, walls: Sequence[Array]) -> float:
    """The largest angle in degrees by which a wall is off the right one."""
    return max((float(np.rad2deg(np.arcsin(min(abs(float(wall @ level.normal)), 1.0)))) for wall in walls), default=0.0)


def _on_walls(levels: list[_Level], walls: Sequence[Array]) -> list[_Level]:
    """The planes that the walls stand on."""
    lean = [_lean(level, walls) for level in levels]
    if min(lean) > WALL_LIMIT:
        raise NoFloor(f"floor: the walls lean {min(lean):.0f} degrees on it; a mask or the depth is wrong")
    return [level for level, angle in zip(levels, lean, strict=True) if angle <= WALL_LIMIT]


def _depth_under(level: _Level, largest: _Level, points: Array) -> float:
    """How far a plane is under the largest one, metres, if it is large and parallel enough to be the floor; else 0.

    Nothing is below a floor, so that of two large planes the lower one is it.
    """
    if level.share < LOWEST * largest.share or level.normal @ largest.normal < PARALLEL:
        return 0.0
    return max(0.0, float(np.median(level.heights(points[largest.near]))))


def _elected(levels: list[_Level], points: Array, feet: Array, options: FloorOptions) -> tuple[_Level, bool, list[str]]:
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


def _remarks(level: _Level, scene: Array, masked: bool, wall_less: bool, lean: float) -> list[str]:
    found = [] if masked else ["no floor mask: the lowest large level plane is taken for the floor"]
    below = float((level.heights(scene) < -APART).mean())
    if below > 0.02:
        found.append(f"{below:.0%} of the room is more than {APART:g} m below the floor")
    if wall_less:
        found.append("no wall is large enough to check the floor against")
    if lean > WALL_WARNING:
        found.append(f"the walls lean {lean:.0f} degrees on the floor")
    return found


def _floor(
    level: _Level, ground: Array, feet: Array, turn: Array, options: FloorOptions,
    sources: list[str], remarks: list[str],
) -> Floor:  # fmt: skip
    """Back to the camera's frame, with the numbers a user can judge it by."""
    near = ground[level.near]
    narrow = float(np.sqrt(np.linalg.eigvalsh(np.cov(near.T))[1]))
    if narrow < 2 * options.threshold:
        raise NoFloor(f"floor: its points are a strip {narrow:.2f} m wide; its tilt about the strip is unknown")
    offset, height = level.offset, None
    if len(feet):
        heights = level.heights(feet) - options.foot_height
        height = float(np.median(heights))
        standing = heights[np.abs(heights) < FOOT_BAND]
        if options.shift_to_feet and "feet" in sources:
            offset -= float(np.median(standing))
            height -= float(np.median(standing))
    tilt = _tilt(ground, level, options.threshold)
    if tilt > 2:
        remarks = [*remarks, f"the floor's tilt is only known to {tilt:.0f} degrees"]
    if level.share < 0.5 and "mask" in sources:
        remarks = [*remarks, f"only {level.share:.0%} of the floor's points are on it"]
    residual = float(np.sqrt(np.mean(level.heights(near) ** 2)))
    return Floor(
        turn.T @ level.normal, offset, level.share, residual, tilt, height, tuple(sources), tuple(remarks)
    )  # fmt: skip


def _tilt(points: Array, level: _Level, threshold: float) -> float:
    """One standard deviation of the normal in degrees, by the jackknife over three times three patches."""
    middle = points[level.near].mean(0)
    axes = np.linalg.eigh(np.cov(points[level.near].T))[1][:, 1:]
    patch = np.zeros(len(points), int)
    for column in ((points - middle) @ axes).T:
        patch = 3 * patch + np.digitize(column, np.quantile(column[level.near], [1 / 3, 2 / 3]))
    fits = [_refined(points, patch != one, level.normal, level.offset, threshold).normal for one in np.unique(patch)]
    apart = np.array(fits) - np.mean(fits, 0)
    return float(np.rad2deg(np.sqrt((len(fits) - 1) / len(fits) * (apart**2).sum())))
