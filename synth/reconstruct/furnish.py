"""Furniture from depth: upright boxes with a front, and the height one sits or lies at.

One camera sees a piece from one side. What it does not see is completed: down to the floor, and behind what is seen to
the usual size of the class (`usual.USUAL`), as far as there is no wall. Which way a piece faces follows rules:

- a bed: its head is the end at a wall when only one end is; else the higher end;
- chairs, sofas, wheelchairs, walkers, lifts, toilets: away from their high part (backrest, handles, mast, cistern);
- the rest: away from the wall behind it; towards the camera where it stands free.

The length of a bed or the width of a sofa decides the axis where the shape is plain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter1d

from synth.camera import Camera
from synth.reconstruct import grid as grids
from synth.reconstruct.layout import Layout, checked_grid
from synth.reconstruct.pieces import Piece, area, cell_size, cells, extent, pieces, smallest_yaw
from synth.reconstruct.seats import seat_parts
from synth.reconstruct.usual import USUAL, WALL_HUNG, Back, Usual
from synth.room import Box, Furniture
from synth.rotation import Array

# A rectangle along the walls may be this much larger than the smallest one: a piece seen in part is a triangle. What
# has its back to a wall stands askew for this reason more often than for its own.
SAME_AREA, SAME_AREA_AT_WALL = 1.2, 1.8
LEVEL = 0.8  # of z in the normal of what one sits on
SEAT_POINTS = 20
SEAT_SHARE = 0.1  # of the level points of a piece
BAND = 0.05  # metres about the fullest height
BACK = 0.25  # metres over a seat where backs are and armrests end
COST = 2.0  # of a misfit of size against what speaks for a front
SHAPE = 0.3  # of a ratio of the sides e times the usual one
CLEAR = 0.8  # share of the least size from which on a side was seen whole
THIN = 0.5  # share of it below which one side only was seen
GAP = 0.12  # metres by which something in front stands before what it hides
LEAVES = 0.5  # share of an axis in the direction in which a piece goes on
TO_WALL = 0.25  # metres behind what stands at a wall that belong to it
AT_WALL = 0.5  # metres from a wall within which furniture stands at it


@dataclass(frozen=True)
class Furnishing:
    """What was found.

    Attributes:
        furniture: the pieces; their ``mesh`` is their id.
        owner: int [H, W], index of the piece a pixel shows, -1 where none.
        notes: by id, what is measured and what is usual: ``points``, ``yaw`` ("walls" or "points"), ``front`` (of the
            rules above: "high", "wall", "ends", "camera"), ``seat_height`` ("measured", "usual"), and ``completed``:
            the axes along which the size is the usual one.
    """

    furniture: tuple[Furniture, ...]
    owner: np.ndarray
    notes: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class _Seen:
    """One piece as it was seen: points [N, 3], which face up [N], where it goes on unseen [N, 2] (see ``_hidden``)."""

    cls: str
    points: Array
    level: np.ndarray
    hidden: Array
    cells: Array


@dataclass(frozen=True)
class _Pose:
    """A way a piece may face: its yaw, the lowest and highest [2] seen along its axes, how well it fits, why."""

    yaw: float
    low: Array
    high: Array
    score: float
    reason: str


def furnish(points: ArrayLike, labels: ArrayLike, camera: Camera, layout: Layout) -> Furnishing:
    """The furniture in a still scene.

    Args:
        points: [H, W, 3] metres in the world, NaN where unknown; without much noise (``grid.settled``).
        labels: [H, W], numbers of `regions.CLASSES`.
        camera: that saw them, of any size: only its place counts.
        layout: of the room.

    Raises:
        BadOption: shapes that do not fit.
    """
    smooth, kinds = checked_grid(points, labels)
    assert kinds is not None
    eye = camera.position
    step, inverse = grids.stride(kinds.shape), 1 / np.linalg.norm(smooth - eye, axis=-1)
    found, cell = pieces(smooth, kinds, eye), cell_size(smooth, eye)
    owner = np.full(kinds.size, -1)
    for index, piece in enumerate(found):
        owner[piece.pixels] = index
    grid = owner.reshape(kinds.shape)
    level = grids.normals(smooth, grid, eye, 2 * step)[..., 2] > LEVEL
    hidden = _hidden(smooth, inverse, grid, 2 * step)
    furniture: list[Furniture] = []
    notes: dict[str, dict[str, Any]] = {}
    for piece in found:
        number = 1 + sum(item.cls == piece.cls for item in furniture)
        seen = _seen(piece, smooth, level, hidden, cell)
        item, note = _furniture(f"{piece.cls}_{number}", seen, eye, layout)
        furniture.append(item)
        notes[item.id] = note
    return Furnishing(tuple(furniture), grid, notes)


def seat_height(cls: str, heights: Array) -> float | None:
    """The height in metres of a seat from the heights [N] of points that face up: where most of them are.

    The fullest 2 cm (smoothed) within what is plausible for the class, then the median about it. None if too few.
    """
    low, high = USUAL[cls].seats
    inside = heights[(heights > low - BAND) & (heights < high + BAND)]
    if len(inside) < max(SEAT_POINTS, SEAT_SHARE * len(heights)):
        return None
    edges = np.arange(low - BAND, high + BAND + 0.02, 0.02)
    count = gaussian_filter1d(np.histogram(inside, edges)[0].astype(float), 1.0, mode="constant")
    middle = (edges[1:] + edges[:-1]) / 2
    peak = middle[int(np.argmax(np.where((middle > low) & (middle < high), count, -1.0)))]
    return float(np.median(inside[np.abs(inside - peak) < BAND]))


def _seen(piece: Piece, points: Array, level: np.ndarray, hidden: Array, cell: float) -> _Seen:
    own = points.reshape(-1, 3)[piece.pixels]
    at = (level.reshape(-1)[piece.pixels], hidden.reshape(-1, 2)[piece.pixels])
    return _Seen(piece.cls, own, *at, cells(own[:, :2], cell))


def _hidden(points: Array, inverse: Array, owner: np.ndarray, step: int) -> Array:
    """Where a piece goes on unseen: the direction [H, W, 2] in the floor's plane in which its surface leaves the view.

    It does so beside something nearer, beside what is not known and at the picture's edge; 0 elsewhere.
    """
    found = np.zeros((*owner.shape, 2))
    for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        beside, other = grids.shifted(inverse, down, right), grids.shifted(owner, down, right)
        back = (-down * step, -right * step)
        ahead = points - grids.shifted(points, *back)
        with np.errstate(invalid="ignore", divide="ignore"):
            nearer = 1 / beside < 1 / inverse - GAP
            ahead = ahead[..., :2] / np.linalg.norm(ahead, axis=-1, keepdims=True)
        leaves = (owner >= 0) & (other != owner) & (nearer | ~np.isfinite(beside))
        leaves &= (grids.shifted(owner, *back) == owner) & np.isfinite(ahead).all(-1)
        found += np.where(leaves[..., None], ahead, 0.0)
    return found


def _furniture(identifier: str, seen: _Seen, eye: Array, layout: Layout) -> tuple[Furniture, dict[str, Any]]:
    usual = USUAL[seen.cls]
    yaw, source = _yaw(seen.cells, layout, usual.back)
    seat = seat_height(seen.cls, seen.points[seen.level, 2]) if usual.seat is not None else None
    sat = seat if seat is not None else usual.seat
    poses = [_pose(seen, yaw + turn * np.pi / 2, sat, usual, eye, layout) for turn in range(4)]
    pose = max(poses, key=lambda item: item.score)
    low, high, completed = _completed(seen, pose, usual, eye, layout)
    bottom, top = _vertical(seen, usual, sat)
    if top is None:
        top, completed = bottom + usual.size[2], [*completed, "z"]
    turn = _turn(pose.yaw)
    middle = turn @ ((low + high) / 2)
    size = np.array([*(high - low), top - bottom])
    box = Box(np.array([*middle, (top + bottom) / 2]), size, float((pose.yaw + np.pi) % (2 * np.pi) - np.pi))
    note: dict[str, Any] = {"points": len(seen.points), "yaw": source, "front": pose.reason, "completed": completed}
    if sat is None:
        return Furniture(identifier, seen.cls, box, mesh=identifier), note
    note["seat_height"] = "usual" if seat is None else "measured"
    solids, surface = seat_parts(seen.cls, box, sat, seen.points)
    return Furniture(identifier, seen.cls, box, sat, identifier, solids, surface), note


def _yaw(points: Array, layout: Layout, back: Back) -> tuple[float, str]:
    """Most furniture stands along the walls: that is left only where another rectangle is clearly smaller."""
    free = smallest_yaw(points)
    allowed = SAME_AREA_AT_WALL if back == "wall" else SAME_AREA
    if layout.yaw is not None and area(points, layout.yaw) <= allowed * area(points, free):
        return layout.yaw, "walls"
    return free, "points"


def _pose(seen: _Seen, yaw: float, seat: float | None, usual: Usual, eye: Array, layout: Layout) -> _Pose:
    low, high = extent(seen.cells, yaw)
    size, full = high - low, np.array(usual.size[:2])
    short = np.maximum(np.array(usual.low) - size, 0) / full
    large = np.maximum(size - np.array(usual.high), 0) / full
    front = _turn(yaw) @ np.array([0.0, 1.0])
    middle = _turn(yaw) @ ((low + high) / 2)
    back_gap, front_gap = (layout.wall_distance(middle, sign * front) - size[1] / 2 for sign in (-1, 1))
    wall = 0.0
    if min(back_gap, front_gap) < AT_WALL:
        wall = float(np.clip((front_gap - back_gap) / AT_WALL, -1, 1))
    along = (seen.points[:, :2] @ _turn(yaw) - (low + high) / 2) / np.maximum(size / 2, 0.05)
    if usual.back == "bed":
        ends = _ends(along[:, 1], seen.points[:, 2])
        evidence, reason = wall + 0.8 * ends, "wall" if abs(wall) > 0.8 * abs(ends) else "ends"
    elif usual.back == "high":
        high_part = _high(along, seen.points[:, 2], seat)
        evidence, reason = 0.3 * wall + high_part, "high" if abs(high_part) > 0.3 * abs(wall) else "wall"
    else:
        to_eye = eye[:2] - middle
        view = float(front @ to_eye / max(np.linalg.norm(to_eye), 1e-9))
        evidence, reason = wall + 0.3 * view, "wall" if wall else "camera"
    shape = abs(float(np.log(max(size[0], 0.05) / max(size[1], 0.05) * full[1] / full[0])))
    cost = COST * float((0.5 * short + large).sum()) + SHAPE * min(shape, 1.0)
    return _Pose(yaw, low, high, evidence - cost, reason)


def _ends(along: Array, heights: Array) -> float:
    """How much higher the end behind is than the one in front, -1..1 (30 cm or more)."""
    ends = [heights[sign * along > 0.6] for sign in (-1, 1)]
    if min(map(len, ends)) < 8:
        return 0.0
    return float(np.clip((np.quantile(ends[0], 0.9) - np.quantile(ends[1], 0.9)) / 0.3, -1, 1))


def _high(along: Array, heights: Array, seat: float | None) -> float:
    """How much the high part is behind (-y) and flat like a back: about -1.5..1.5."""
    line = seat + BACK if seat is not None else 0.7 * float(np.quantile(heights, 0.98))
    part = along[heights > line]
    if len(part) < max(6, 0.02 * len(along)):
        return 0.0
    spread = part.std(0)
    flat = float((spread[0] - spread[1]) / max(spread.max(), 1e-6))
    return float(np.clip(-np.median(part[:, 1]), -1, 1)) + 0.5 * flat


def _completed(
    seen: _Seen, pose: _Pose, usual: Usual, eye: Array, layout: Layout
) -> tuple[Array, Array, list[str]]:  # fmt: skip
    """The box's lowest and highest [2] along its axes, completed where the class is larger than what was seen."""
    low, high, completed = pose.low.copy(), pose.high.copy(), list[str]()
    turn = _turn(pose.yaw)
    leaves, viewer = seen.hidden @ turn, eye[:2] @ turn
    deep = high[1] - low[1]
    behind = layout.wall_distance(turn @ ((low + high) / 2), -turn[:, 1]) - deep / 2
    near = behind < TO_WALL or deep < usual.low[1]
    if usual.back == "wall" and near and 0 < behind <= 1.1 * usual.high[1] - deep:
        low[1] -= behind
        completed += ["y"] if deep < usual.low[1] else []
    for axis in range(2):
        size, least = high[axis] - low[axis], usual.low[axis]
        if size >= least:
            continue
        votes = np.array([(leaves[:, axis] < -LEAVES).sum(), (leaves[:, axis] > LEAVES).sum()], float)
        hides = size >= THIN * least and votes.max() >= 3 and votes.max() >= 2 * votes.min()
        if size >= CLEAR * least and not hides:
            low[axis], high[axis] = low[axis] - (least - size) / 2, high[axis] + (least - size) / 2
            continue
        completed.append("xy"[axis])
        if not hides:  # nothing in front does: the piece itself hides what is behind
            votes = np.array([viewer[axis] > high[axis], viewer[axis] < low[axis]], float)
        share = np.array([0.5, 0.5]) if votes[0] == votes[1] else (votes == votes.max()).astype(float)
        middle, direction = turn @ ((low + high) / 2), turn[:, axis]
        free = np.array([layout.wall_distance(middle, sign * direction) - size / 2 for sign in (-1, 1)])
        grow = np.minimum((usual.size[axis] - size) * share, np.maximum(free, 0.0))
        spare = max(least / 2 - size - grow.sum(), 0.0) / 2  # even between walls a piece has some depth
        low[axis], high[axis] = low[axis] - grow[0] - spare, high[axis] + grow[1] + spare
    return low, high, completed


def _vertical(seen: _Seen, usual: Usual, seat: float | None) -> tuple[float, float | None]:
    """Where the box begins and ends; no end where less was seen than the lowest of the class has."""
    bottom = float(np.quantile(seen.points[:, 2], 0.03)) if seen.cls in WALL_HUNG else 0.0
    top = float(np.quantile(seen.points[:, 2], 0.98))
    if seat is not None:
        top = max(top, seat)
    return max(bottom, 0.0), top if top - bottom >= usual.short else None


def _turn(yaw: float) -> Array:
    """The box's axes in the world's plane, as columns [2, 2]."""
    return np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
