"""What depth and focal length leave open, from right angles: walls stand upright on floors, and square to each other.

A relative depth network knows the inverse of depths up to a factor and a shift; the regression on metric depth (thesis
4.1) leaves some of the shift. A plane n . p + o = 0 is seen along the ray r at 1 / depth = -(n . r) / o, which is
linear in r: a wrong shift, and a wrong focal length, turn every plane that a pinhole sees into another plane. No fit's
residual can show that, yet floors tilt and walls lean. Right angles do: they tell the shift, where nothing better is
known of the focal length that too, and with straight lines the direction up better than the floor alone. (Yin et al.
2021, "Learning to recover 3D scene shape from a single image", train a network for shift and focal length.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares as minimised

from synth.camera import Camera
from synth.reconstruct.depth import unprojected
from synth.reconstruct.floor import FloorOptions
from synth.reconstruct.planes import (
    LEAST,
    WALL_BAND,
    PlaneFit,
    least_squares,
    level_planes,
    normal_spread,
    sampled,
    upright_planes,
)
from synth.rotation import Array, rotation_between

PLUMB, SQUARE = np.deg2rad([0.3, 1.5])  # that walls are built off the vertical, and off the right angle to each other
LEVEL = np.deg2rad(0.1)  # that floors are built off the level
OBLIQUE = np.deg2rad(20.0)  # off the right angle (or parallel) from where two walls were not meant so
REACH = 3.0  # standard deviations that an answer may be from what was believed
NEARER = 0.2  # the least factor by which a shift may bring the far end nearer or, inverse, farther


@dataclass(frozen=True)
class Doubt:
    """How far a depth map and its camera are believed to be off, one standard deviation.

    Attributes:
        shift: of the inverse depth, as a share of the inverse of the floor's median depth.
        focal: of the focal length's logarithm.
        bent: degrees by which a plane is off because depth is bent, beyond what its own parts tell.
    """

    shift: float = 0.0
    focal: float = 0.0
    bent: float = 0.0


@dataclass(frozen=True)
class Squared:
    """How a depth map and its camera become square.

    Attributes:
        shift: of the inverse depth, 1/m. focal: factor of the focal length.
        scale: of the depth, so that its median stays.
        focal_deviation: one standard deviation of the factor's logarithm, as far as planes tell.
        up: unit direction up in the camera's frame [3]. tilt: one standard deviation of it, degrees.
    """

    shift: float
    focal: float
    scale: float
    focal_deviation: float
    up: Array
    tilt: float

    def depth(self, depth: Array) -> Array:
        """The map [H, W], metres, with its shift taken out; NaN where that makes it endless."""
        share = 1 + self.shift * depth
        return np.where(share > NEARER, self.scale * depth / np.where(share > NEARER, share, 1.0), np.nan)

    def camera(self, camera: Camera) -> Camera:
        """The camera with the other focal length."""
        k = camera.K.copy()
        k[[0, 1], [0, 1]] *= self.focal
        return replace(camera, K=k)


@dataclass(frozen=True)
class _Patch:
    """Points of a plane and their depths [N, 4], the side its normal is on [3], and that normal's covariance [3, 3]."""

    points: Array
    side: Array
    spread: Array

    def normal(self, shift: float, focal: float) -> Array:
        """With another shift, and a focal length that is larger by a factor."""
        share = np.maximum(1 + shift * self.points[:, 3:], NEARER)
        return least_squares(self.points[:, :3] / share / np.array([focal, focal, 1.0]), self.side)[0]

    def variance(self, direction: Array) -> float:
        """Of the normal's part in a direction."""
        return float(direction @ self.spread @ direction)


def squared(
    depth: Array,
    floor: np.ndarray,
    walls: np.ndarray,
    camera: Camera,
    doubt: Doubt,
    lines: tuple[Array, float] | None,
    options: FloorOptions,
    seed: np.random.SeedSequence,
) -> Squared | None:
    """The most likely shift, focal length and direction up under Gaussian beliefs about them and about angles.

    Args:
        depth: [H, W] metres as ``Camera.project`` has it; NaN where it is not known.
        floor, walls: bool [H, W], where a segmentation sees them.
        camera: its optics; in its own frame. Only a pinhole's focal length can be changed.
        doubt: of both; what is 0 stays as it is.
        lines: the unit direction up that straight lines show [3], and one standard deviation of it, degrees.
        options: how a floor is looked for.
        seed: of the samples drawn.

    Returns:
        None where no floor is seen. Without walls and lines nothing moves, and ``tilt`` tells what that means.
    """
    generator = np.random.default_rng(seed)
    turn = rotation_between(options.up, np.array([0.0, 0.0, 1.0]))
    points = unprojected(depth, replace(camera, world_from_camera=np.eye(4)))
    cloud = np.concatenate([points, depth[..., None]], -1)
    finite = np.isfinite(cloud).all(-1)
    ground, stone = (sampled(cloud[mask & finite], generator) for mask in (floor, walls))
    if len(ground) < LEAST:
        return None
    levels = level_planes(ground[:, :3] @ turn.T, generator, options.threshold, options.cone)
    if not levels:
        return None
    upright = upright_planes(stone[:, :3] @ turn.T, generator, options.threshold, options.cone)

    def patch(cloud: Array, plane: PlaneFit, band: float) -> _Patch:
        spread = normal_spread(cloud[:, :3] @ turn.T, plane, band) + np.deg2rad(doubt.bent) ** 2 * np.eye(3)
        return _Patch(cloud[plane.near], plane.normal @ turn, turn.T @ spread @ turn)

    band = max(options.threshold, WALL_BAND)
    beliefs = np.array([doubt.shift, doubt.focal if camera.model == "pinhole" else 0.0])
    stones = [patch(stone, wall, band) for wall in upright]
    found = _solved(patch(ground, levels[0], options.threshold), stones, lines, beliefs)
    there = depth[np.isfinite(depth)]
    return replace(found, scale=float(np.median(there) / np.nanmedian(found.depth(there))))


def _solved(floor: _Patch, walls: list[_Patch], lines: tuple[Array, float] | None, beliefs: Array) -> Squared:
    """Unknown are, in units of what is believed of them, shift and focal length [2], and up's two turns, radians."""
    middle = float(np.median(floor.points[:, 3]))
    across = np.linalg.svd(floor.side[None])[2][1:]  # [2, 3]
    free = np.append(beliefs > 0, [True, True])
    inexact = np.linalg.cholesky(across @ floor.spread @ across.T + LEVEL**2 * np.eye(2))

    def parts(unknown: Array) -> tuple[float, float, Array]:
        full = np.zeros(4)
        full[free] = unknown
        up = floor.side + full[2:] @ across
        return full[0] * beliefs[0] / middle, float(np.exp(full[1] * beliefs[1])), up / np.linalg.norm(up)

    def misfit(unknown: Array) -> Array:
        shift, focal, up = parts(unknown)
        tilted = np.linalg.solve(inexact, across @ (floor.normal(shift, focal) - up))
        normals = [wall.normal(shift, focal) for wall in walls]
        leans = [
            normal @ up / np.sqrt(wall.variance(up) + PLUMB**2) for wall, normal in zip(walls, normals, strict=True)
        ]
        seen = [] if lines is None else (up - lines[0]) / np.deg2rad(lines[1])
        return np.concatenate([tilted, leans, _corners(normals, up)[meant] / corners, seen, unknown[:-2]])

    start = np.zeros(free.sum())
    shift, focal, up = parts(start)
    askew = _corners([wall.normal(shift, focal) for wall in walls], up)
    meant = np.abs(askew) < OBLIQUE
    turning = np.array([wall.variance(np.cross(up, wall.side)) for wall in walls])
    first, second = np.triu_indices(len(walls), 1)
    corners = np.sqrt(SQUARE**2 + turning[first] + turning[second])[meant]
    reach = np.append(np.full(free.sum() - 2, REACH), [1.0, 1.0])
    # a wall that leans, or is none, must not turn the room: its pull levels off
    units = np.append(np.ones(free.sum() - 2), [0.01, 0.01])
    fit = minimised(misfit, start, bounds=(-reach, reach), x_scale=units, loss="soft_l1")
    shift, focal, up = parts(fit.x)
    spread = np.zeros((4, 4))
    spread[np.ix_(free, free)] = np.linalg.inv(fit.jac.T @ fit.jac)
    tilt = float(np.rad2deg(np.sqrt(np.trace(spread[2:, 2:]))))
    return Squared(shift, focal, 1.0, float(beliefs[1] * np.sqrt(spread[1, 1])), up, tilt)


def _corners(normals: list[Array], up: Array) -> Array:
    """Radians by which pairs of walls are off being parallel or at right angles on the plan, -pi / 4 to pi / 4."""
    east = np.linalg.svd(up[None])[2][1]  # any direction across it
    north = np.cross(up, east)
    turned = np.array([np.arctan2(normal @ north, normal @ east) for normal in normals])
    first, second = np.triu_indices(len(turned), 1)
    return (turned[second] - turned[first] + np.pi / 4) % (np.pi / 2) - np.pi / 4
