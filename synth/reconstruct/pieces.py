"""Which pixels are which piece of furniture: a class of one mask may hold two beds, and one bed may be in two parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from sklearn.cluster import KMeans

from synth.reconstruct.grid import joined
from synth.reconstruct.regions import LABEL
from synth.reconstruct.usual import USUAL
from synth.rotation import Array
from synth.taxonomy import FURNITURE_CLASSES

LEAST = 20  # pixels of a piece
SHARE = 2e-4  # of the picture, too
NEAR, HALF = 0.35, 0.5  # between parts of one piece: metres, or this share of its usual length if that is more
ROOM = 1.15  # how much larger than the largest of its class a piece may be
WIDE = 1.4  # how much wider than the widest two side by side are
CELL = 0.04  # metres
TRIM = 0.015  # share of the cells on each side that are outliers


@dataclass(frozen=True)
class Piece:
    """Pixels of one piece: its class and where they are in the flattened picture [N]."""

    cls: str
    pixels: np.ndarray


def pieces(points: Array, labels: np.ndarray, eye: Array) -> list[Piece]:
    """The pieces of furniture in a picture, class by class, the largest of a class first.

    Pixels that are neighbours without a jump of depth belong together; so do parts that something in front cut in two,
    as long as they are no larger together than their class is; what is much larger is cut up.

    Args:
        points: [H, W, 3] metres in the world, NaN where unknown, best smoothed. labels: int [H, W].
        eye: where the camera is [3].
    """
    inverse = 1 / np.linalg.norm(points - eye, axis=-1)
    groups = _connected(inverse, labels)
    flat, cell = points.reshape(-1, 3)[:, :2], cell_size(points, eye)
    least = max(LEAST, SHARE * labels.size)
    found: list[Piece] = []
    for cls in FURNITURE_CLASSES:
        here = np.flatnonzero((labels == LABEL[cls]).reshape(-1) & np.isfinite(inverse.reshape(-1)))
        numbers = groups.reshape(-1)[here]
        parts = [here[numbers == number] for number in np.unique(numbers)]
        parts = sorted((part for part in parts if len(part) >= LEAST / 4), key=len, reverse=True)
        whole = [cut for part in parts for cut in _cut(part, flat, cls, cell)]
        whole = _merged(sorted(whole, key=len, reverse=True), flat, cls, cell)
        found += [Piece(cls, part) for part in sorted(whole, key=len, reverse=True) if len(part) >= least]
    return found


def cell_size(points: Array, eye: Array) -> float:
    """Metres on which points of the picture [H, W, 3] lie at least once on most surfaces."""
    across = np.linalg.norm(points[:, 1:] - points[:, :-1], axis=-1)
    usual = np.nanmedian(across) if np.isfinite(across).any() else CELL
    return max(CELL, 1.5 * float(usual))


def cells(points: Array, cell: float) -> Array:
    """Means [M, 2] of the points [N, 2] in each cell: so that what is near, with more pixels, counts no more."""
    _, inverse, count = np.unique(np.floor(points / cell), axis=0, return_inverse=True, return_counts=True)
    inverse = inverse.reshape(-1)
    return np.stack([np.bincount(inverse, column) for column in points.T], -1) / count[:, None]


def extent(points: Array, yaw: float) -> tuple[Array, Array]:
    """The lowest and highest [2] along the axes of ``yaw`` of cells [M, 2], without outliers."""
    turned = points @ np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    low, high = np.quantile(turned, [TRIM, 1 - TRIM], axis=0)
    return low, high


def smallest_yaw(points: Array) -> float:
    """The yaw in [0, pi/2) of the rectangle of least area around cells [M, 2], without outliers."""
    best = min(np.deg2rad(np.arange(0, 90, 3.0)), key=lambda yaw: area(points, yaw))
    return float(min(best + np.deg2rad(np.arange(-2.5, 3, 0.5)), key=lambda yaw: area(points, yaw)) % (np.pi / 2))


def area(points: Array, yaw: float) -> float:
    """Of the rectangle at ``yaw`` around cells [M, 2], square metres."""
    low, high = extent(points, yaw)
    return float(np.prod(np.maximum(high - low, 0.02)))


def _connected(inverse: Array, labels: np.ndarray) -> np.ndarray:
    """A number for each pixel [H, W], the same for all that are connected."""
    right, down = joined(inverse)
    right, down = right & (labels[:, 1:] == labels[:, :-1]), down & (labels[1:] == labels[:-1])
    number = np.arange(labels.size).reshape(labels.shape)
    first = np.concatenate([number[:, :-1][right], number[:-1][down]])
    second = np.concatenate([number[:, 1:][right], number[1:][down]])
    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(labels.size, labels.size))
    return connected_components(graph, directed=False)[1].reshape(labels.shape)


def _sides(points: Array) -> tuple[Array, Array]:
    """The shorter and longer side [2] of the smallest rectangle, and their directions as rows [2, 2]."""
    yaw = smallest_yaw(points)
    low, high = extent(points, yaw)
    order = np.argsort(high - low)
    return (high - low)[order], np.array([[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]])[order]


def _cut(part: np.ndarray, flat: Array, cls: str, cell: float) -> list[np.ndarray]:
    """A part that is too long for its class in as many as fit (k-means along it): chairs in a row that touch.

    Beds side by side are as long as one, but as wide as two.
    """
    usual, own = USUAL[cls], cells(flat[part], cell)
    (short, long), axes = _sides(own)
    count, axis = round(float(long) / max(usual.size[:2])), axes[1]
    if long <= ROOM * max(usual.high):
        count, axis = round(float(short) / min(usual.size[:2])), axes[0]
        if short <= WIDE * min(usual.high) or usual.size[0] > 0.6 * usual.size[1]:
            return [part]
    if count < 2:
        return [part]
    number = KMeans(count, n_init=4, random_state=0).fit(own @ axis[:, None]).predict(flat[part] @ axis[:, None])
    return [part[number == index] for index in range(count) if (number == index).any()]


def _merged(parts: list[np.ndarray], flat: Array, cls: str, cell: float) -> list[np.ndarray]:
    """Each smaller part with the first larger one that is near and together with which it is one piece in size."""
    limit, near = ROOM * np.sort(USUAL[cls].high), max(NEAR, HALF * max(USUAL[cls].size[:2]))
    whole: list[np.ndarray] = []
    for part in parts:
        for index, other in enumerate(whole):
            gap = cKDTree(flat[other]).query(flat[part])[0].min()
            both = np.concatenate([other, part])
            if gap < near and (_sides(cells(flat[both], cell))[0] <= limit).all():
                whole[index] = both
                break
        else:
            whole.append(part)
    return whole
