"""Planes in a cloud whose z is about up: level ones and upright ones, by RANSAC (thesis eq. 4.2) and least squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LinearRegression, RANSACRegressor

from synth.rotation import Array

SAMPLE = 20_000  # points of a cloud that take part
LEAST = 60  # points without which there is no plane
SEARCHED = 4_000  # of these, points that the samples of RANSAC are tested on
TRIALS = 1000  # of which few are of use when most points are a wall's
ROUNDS = 50
APART = 0.10  # metres between two planes that are not one
LEVELS = 4  # level surfaces that a floor's mask can mix up
SHARE = 0.1  # of the points that a level plane needs to be considered
WALLS = 3
WALL_SHARE = 0.2
WALL_BAND = 0.05  # metres, the least that a wall's points may be off it


@dataclass(frozen=True)
class PlaneFit:
    """Points p with ``normal`` . p + ``offset`` = 0, a unit normal, and which of the cloud's points [N] are near."""

    normal: Array
    offset: float
    near: np.ndarray

    @property
    def share(self) -> float:
        return float(self.near.mean())

    def heights(self, points: Array) -> Array:
        return points @ self.normal + self.offset


def sampled(points: Array, generator: np.random.Generator) -> Array:
    """At most ``SAMPLE`` of the points [N, 3]."""
    if len(points) <= SAMPLE:
        return points
    return points[generator.choice(len(points), SAMPLE, replace=False)]


def level_planes(points: Array, generator: np.random.Generator, threshold: float, cone: float) -> list[PlaneFit]:
    """The level planes under the camera (the origin), largest first: each is looked for in what those before it left.

    Args:
        points: [N, 3]. threshold: metres a point may be off. cone: degrees a normal may be off z.
    """
    left, found = np.ones(len(points), bool), list[PlaneFit]()
    steepest = np.cos(np.deg2rad(cone))
    for _ in range(2 * LEVELS):
        if len(found) == LEVELS or left.sum() < max(LEAST, SHARE * len(points)):
            break
        normal = _ransac(points[left], 2, generator, threshold, steepest)
        if normal is None:
            break
        level = refined(points, left, *normal, threshold)
        if level.share < SHARE:  # and so is whatever comes after it
            break
        left &= np.abs(level.heights(points)) > max(APART, 3 * threshold)
        # refining may tip a plane out of the cone; what is over the camera is a ceiling or a shelf
        if level.normal[2] >= steepest and level.offset > APART:
            found.append(level)
    return sorted(found, key=lambda level: -level.share)


def upright_planes(points: Array, generator: np.random.Generator, threshold: float, cone: float) -> list[PlaneFit]:
    """The largest upright planes, largest first; arguments as of ``level_planes``, ``cone`` off the horizontal."""
    left, found = np.ones(len(points), bool), list[PlaneFit]()
    band = max(threshold, WALL_BAND)
    while len(found) < WALLS and left.sum() >= max(LEAST, WALL_SHARE * len(points)):
        # a wall has an answer on one horizontal axis at least; the better one is taken
        guesses = [_ransac(points[left], axis, generator, band, 0.5) for axis in (0, 1)]
        tried = [refined(points, left, *guess, band) for guess in guesses if guess is not None]
        if not tried:
            break
        best = max(tried, key=lambda plane: (plane.near & left).sum())
        if (best.near & left).sum() < max(LEAST, WALL_SHARE * len(points)):
            break
        left &= np.abs(best.heights(points)) > 2 * band
        if abs(best.normal[2]) < np.sin(np.deg2rad(cone)):
            found.append(best)
    return found


def lean(floor: Array, walls: Sequence[Array]) -> float:
    """The largest angle in degrees by which a wall's normal is off the right one to a floor's; 0 without walls."""
    return max((float(np.rad2deg(np.arcsin(min(abs(float(wall @ floor)), 1.0)))) for wall in walls), default=0.0)


def refined(points: Array, allowed: np.ndarray, normal: Array, offset: float, threshold: float) -> PlaneFit:
    """Total least squares on the inliers until they stay the same; of the points [N] only the ``allowed`` ones pull.

    Noise beyond the threshold is cut off evenly only about the plane itself: hence a wider band first, and many rounds.
    """
    for band in (max(threshold, min(2 * threshold, APART)), threshold):
        last = np.zeros(len(points), bool)
        for _ in range(ROUNDS):
            near = allowed & (np.abs(points @ normal + offset) < band)
            if near.sum() < 3 or (near == last).all():
                break
            last, (normal, offset) = near, least_squares(points[near], normal)
    return PlaneFit(normal, offset, np.abs(points @ normal + offset) < threshold)


def normal_spread(points: Array, plane: PlaneFit, threshold: float) -> Array:
    """Covariance [3, 3] of a plane's normal, radians squared, by the jackknife over three times three patches.

    Neighbouring depths err together, so that the number of points would promise too much.
    """
    middle = points[plane.near].mean(0)
    axes = np.linalg.eigh(np.cov(points[plane.near].T))[1][:, 1:]
    patch = np.zeros(len(points), int)
    for column in ((points - middle) @ axes).T:
        patch = 3 * patch + np.digitize(column, np.quantile(column[plane.near], [1 / 3, 2 / 3]))
    fits = [refined(points, patch != one, plane.normal, plane.offset, threshold).normal for one in np.unique(patch)]
    apart = np.array(fits) - np.mean(fits, 0)
    return (len(fits) - 1) / len(fits) * (apart.T @ apart)


def least_squares(points: Array, towards: Array) -> tuple[Array, float]:
    """Normal and offset of least squared distances from points [N, 3], the normal on the side of ``towards``."""
    middle = points.mean(0)
    normal = np.linalg.eigh(np.cov((points - middle).T))[1][:, 0]
    normal = normal if normal @ towards >= 0 else -normal
    return normal, -float(normal @ middle)


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
