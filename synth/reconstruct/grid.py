"""A depth map as a grid of points: where neighbours are of one surface, its smoothing, its normals.

1/depth of a plane is linear over a pinhole's picture (and nearly so from pixel to pixel of any lens). So two
neighbours are of one surface where their depths differ by less than a tolerance, or where the line through either and
the pixel before it meets the other: a floor far away and a wall along the view step by more than any tolerance from
pixel to pixel, but evenly. How large a step is allowed therefore grows as the surface turns away.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from synth.camera import Camera
from synth.reconstruct.depth import unprojected
from synth.rotation import Array

JUMP = 0.08  # relative difference of depth between neighbours that parts them: 2 % noise and its spread
STEEPEST = 0.4  # relative difference that no even step excuses
WINDOW = 2  # neighbours on each side that smoothing looks at
ROUNDS = 2


def thinned(camera: Camera, step: int) -> Camera:
    """The camera of a picture's every ``step``-th row and column (``image[::step, ::step]``), exactly."""
    k = camera.K.copy()
    k[:2] /= step
    return replace(camera, width=-(-camera.width // step), height=-(-camera.height // step), K=k)


def world_points(depth: Array, known: np.ndarray, camera: Camera) -> Array:
    """Points [H, W, 3] of a depth map [H, W] in the world, metres; NaN where nothing is known.

    Raises:
        BadOption: depth and camera differ in size.
    """
    local = unprojected(np.where(known, depth, np.nan), camera)
    return local @ camera.world_from_camera[:3, :3].T + camera.position


def settled(points: Array, labels: np.ndarray | None, eye: Array) -> Array:
    """Points [H, W, 3] moved along their rays to where their neighbours of the same label say: less noise, sharp edges.

    Neighbours are looked at within about a hundredth of the picture's width.
    """
    distance = np.linalg.norm(points - eye, axis=-1)
    groups = np.zeros(distance.shape, int) if labels is None else labels.astype(int)
    with np.errstate(divide="ignore"):
        inverse = smoothed(1 / distance, groups, stride(distance.shape))
    return eye + (points - eye) * (1 / inverse / distance)[..., None]


def stride(shape: tuple[int, ...]) -> int:
    """Pixels between the neighbours that smoothing looks at, in a picture [H, W]."""
    return max(1, round(shape[1] / 240))


def joined(inverse: Array, tolerance: float = JUMP) -> tuple[np.ndarray, np.ndarray]:
    """Which neighbours are of one surface.

    Args:
        inverse: 1/depth [H, W], NaN where nothing is known.
        tolerance: relative difference that parts neighbours whatever is beside them.

    Returns:
        to the right [H, W-1] and downwards [H-1, W], bool.
    """
    return _joined(inverse.T, tolerance).T, _joined(inverse, tolerance)


def _joined(inverse: Array, tolerance: float) -> np.ndarray:
    """Downwards [H-1, W]."""
    first, second = inverse[:-1], inverse[1:]
    outside = np.full((1, inverse.shape[1]), np.nan)
    before = np.concatenate([outside, inverse])[: len(first)]
    after = np.concatenate([inverse, outside])[2:]
    with np.errstate(invalid="ignore"):
        allowed = np.fmin(first, second)
        jump = np.abs(second - first)
        uneven = np.fmin(np.abs(second - 2 * first + before), np.abs(first - 2 * second + after))
        even = (uneven < tolerance * allowed) & (jump < STEEPEST * allowed)
        return (jump < tolerance * allowed) | even


def smoothed(inverse: Array, groups: np.ndarray, step: int = 1) -> Array:
    """1/depth [H, W] averaged over neighbours of the same group [H, W] and about the same depth (a bilateral filter).

    ``step``: pixels between the neighbours looked at.
    """
    found = np.asarray(inverse, dtype=float)
    for _ in range(ROUNDS):
        total, count = np.zeros(found.shape), np.zeros(found.shape)
        for down in range(-WINDOW, WINDOW + 1):
            for right in range(-WINDOW, WINDOW + 1):
                value, group = (shifted(array, down * step, right * step) for array in (found, groups))
                with np.errstate(invalid="ignore"):
                    near = (np.abs(value - found) < JUMP * found) & (group == groups)
                total += np.where(near, value, 0.0)
                count += near
        found = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found


def normals(points: Array, groups: np.ndarray, eye: Array, step: int = 1) -> Array:
    """Unit normals [H, W, 3] of points [H, W, 3] towards the eye, from neighbours ``step`` pixels away of their group.

    NaN where there is no such neighbour.
    """
    along = [_slope(points, groups, axis, step) for axis in (0, 1)]
    normal = np.cross(along[0], along[1])
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        normal = normal / np.where(length > 1e-12, length, np.nan)
        away = ((eye - points) * normal).sum(-1, keepdims=True) < 0
    return np.where(away, -normal, normal)


def shifted(array: np.ndarray, down: int, right: int) -> np.ndarray:
    """``result[i, j] = array[i + down, j + right]``; what lies outside is NaN, or -1 among whole numbers."""
    found = np.full_like(array, np.nan if array.dtype.kind == "f" else -1)
    height, width = array.shape[:2]
    rows = slice(max(down, 0), min(height + down, height)), slice(max(-down, 0), min(height - down, height))
    columns = slice(max(right, 0), min(width + right, width)), slice(max(-right, 0), min(width - right, width))
    if rows[0].start < rows[0].stop and columns[0].start < columns[0].stop:
        found[rows[1], columns[1]] = array[rows[0], columns[0]]
    return found


def _slope(points: Array, groups: np.ndarray, axis: int, step: int) -> Array:
    """Difference of the points ahead and behind along an axis; to the point itself where one of them is missing."""
    ends = []
    for sign in (-1, 1):
        by = (sign * step, 0) if axis == 0 else (0, sign * step)
        there = (shifted(groups, *by) == groups)[..., None]
        end = np.where(there, shifted(points, *by), np.nan)
        ends.append(np.where(np.isfinite(end).all(-1, keepdims=True), end, points))
    return ends[1] - ends[0]
