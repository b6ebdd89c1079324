"""The outline of a room: its main directions, its walls, the floor between them and the height of its ceiling.

Rooms are taken to have their walls at right angles (a Manhattan world: Coughlan and Yuille 1999). The walls are found
one after the other as the line with most points (sequential RANSAC with every offset tried, as two directions leave
one unknown). A wall must not have floor or furniture behind it: so a mirror or an open door moves nothing, nor does a
cupboard's front become a wall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import ConvexHull, QhullError

from synth.camera import Camera
from synth.errors import BadOption, CareSynthError
from synth.reconstruct.regions import LABEL
from synth.rotation import Array

LEAST = 60  # points without which nothing is said
SAMPLE = 20_000
BIN = 0.05  # metres
THICK = 0.10  # metres on each side that a wall's points may be off
WALL_SHARE = 0.03  # of all wall points that a wall needs
BEHIND = 0.03  # share of what is inside that may be behind a wall
BEHIND_BY = 0.20  # metres from which on it is
REACH = 12.0  # metres from the camera: farther floor is a reflection or the horizon
MARGIN = 0.15  # metres between a wall and the camera on it, or a foot
CONTRAST = 1.3  # how much better than others the main direction must be
USUAL_HEIGHT = 2.5
HIGH = 1.6  # metres: unlabelled points above this are mostly a wall's
ROOM_CLASSES = ("nothing", "person", "floor", "wall", "ceiling")


class NoRoom(CareSynthError):
    """No outline of a room can be made out."""


@dataclass(frozen=True)
class Layout:
    """The outline of a room in the world.

    Attributes:
        polygon: [N, 2] metres, counter-clockwise.
        height: of the ceiling, metres.
        yaw: radians in [0, pi/2) by which the walls are turned from the axes; None where there is no main direction.
        walls: (axis, offset) of the walls that were seen: axis 0 is (cos yaw, sin yaw), 1 is (-sin yaw, cos yaw);
            points p of the wall have axis . p = offset.
        sources: where it is from: "polygon": "walls" or "hull", "height": "ceiling", "walls" or "usual".
    """

    polygon: Array
    height: float
    yaw: float | None
    walls: tuple[tuple[int, float], ...]
    sources: dict[str, str]

    def axes(self) -> Array:
        """The two main directions as rows [2, 2]; the world's where there are none."""
        return _axes(self.yaw or 0.0)

    def wall_distance(self, start: Array, towards: Array) -> float:
        """Metres from a floor point [2] along a unit direction [2] to the outline; infinite if it does not meet it."""
        return ray_to_polygon(self.polygon, start, towards)


def layout(
    points: ArrayLike, labels: ArrayLike | None, camera: Camera, feet: ArrayLike | None = None
) -> Layout:  # fmt: skip
    """The outline of the room from its depth.

    Args:
        points: [H, W, 3] metres in the world, NaN where unknown; without much noise (``grid.settled``).
        labels: [H, W] of `regions.CLASSES`; None where there are none: then what is above 1.6 m counts as walls.
        camera: that saw them; it hangs inside the room.
        feet: [N, 2] metres, where people stood: they are inside the room, too.

    Raises:
        BadOption: shapes that do not fit. NoRoom: too little floor is seen.
    """
    grid, kinds = checked_grid(points, labels)
    finite = np.isfinite(grid).all(-1)
    height = grid[..., 2]
    with np.errstate(invalid="ignore"):
        level = finite & (np.abs(height) < 0.08 + 0.02 * np.linalg.norm(grid - camera.position, axis=-1))
        if kinds is None:
            floor, inside, upright = level, level, finite & (height > HIGH)
            top = np.zeros(0)
        else:
            floor = finite & (kinds == LABEL["floor"])
            things = ~np.isin(kinds, [LABEL[name] for name in ROOM_CLASSES] + [LABEL["other"], LABEL["door"]])
            inside = floor | (finite & things & (height < 2.2))
            upright = finite & np.isin(kinds, [LABEL["wall"], LABEL["door"]])
            top = height[finite & (kinds == LABEL["ceiling"])]
    tall, source = room_height(top, height[upright], camera)
    walls = _voxels(grid[upright])[:, :2]
    return outline(grid[floor][:, :2], grid[inside][:, :2], walls, camera, feet, tall, source)


def floor_polygon(
    points: ArrayLike, labels: ArrayLike | None, camera: Camera, feet: ArrayLike | None = None
) -> Array:  # fmt: skip
    """The walkable floor and what is under the furniture [N, 2] metres; arguments and errors as of ``layout``."""
    return layout(points, labels, camera, feet).polygon


def outline(
    floor: Array,
    inside: Array,
    walls: Array,
    camera: Camera,
    feet: ArrayLike | None,
    height: float,
    height_source: str,
) -> Layout:
    """The outline from points in the floor's plane [N, 2]: of the floor, of all that is inside, of the walls."""
    standing = _feet(feet)
    eye = camera.position[:2]
    floor, inside, walls = (_near(points, eye) for points in (floor, inside, walls))
    if len(floor) < LEAST and len(standing) < 3:
        raise NoRoom(f"room: {len(floor)} points of the floor are seen; {LEAST} are needed, or where people stood")
    yaw = main_direction(walls)
    must = np.concatenate([_padded(eye[None], MARGIN), _padded(standing, MARGIN)])
    if yaw is None:
        return Layout(
            hull(np.concatenate([_trimmed(inside), must])),
            height,
            None,
            (),
            {"polygon": "hull", "height": height_source},
        )
    axes = _axes(yaw)
    lines = wall_lines(walls @ axes.T)
    low, high, found = np.zeros(2), np.zeros(2), list[tuple[int, float]]()
    for axis in range(2):
        for sign, ends in ((-1, low), (1, high)):
            seen = sign * (inside @ axes[axis]) if len(inside) else np.zeros(1)
            offsets = sorted(sign * offset for other, offset in lines if other == axis)
            wall = _first_wall(offsets, seen, sign * float(eye @ axes[axis]))
            reach = float(np.max(sign * (must @ axes[axis])))
            if wall is None:
                reach = max(reach, float(np.quantile(seen, 0.995)))
            else:
                found.append((axis, sign * wall))
                reach = max(wall, float(np.max(sign * (standing @ axes[axis]), initial=-np.inf)) + MARGIN)
            ends[axis] = sign * reach
    corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
    return Layout(corners @ axes, height, yaw, tuple(found), {"polygon": "walls", "height": height_source})


def room_height(ceiling: Array, walls: Array, camera: Camera) -> tuple[float, str]:
    """The ceiling's height in metres and where it is from: heights [N] of its points, else of the walls' highest."""
    least = float(camera.position[2]) + 0.05
    if len(ceiling) >= LEAST and 1.8 < np.median(ceiling) < 6:
        return max(float(np.median(ceiling)), least), "ceiling"
    if len(walls) >= LEAST and np.quantile(walls, 0.99) > 2.3:
        return float(np.clip(np.quantile(walls, 0.99), least, 6.0)), "walls"
    return max(USUAL_HEIGHT, least), "usual"


def main_direction(points: Array) -> float | None:
    """The yaw in [0, pi/2) radians at which points [N, 2] of walls fall into the fewest, fullest lines.

    None for too few points or where no direction stands out.
    """
    if len(points) < LEAST:
        return None
    sample = points[:: -(-len(points) // SAMPLE)]
    coarse = np.deg2rad(np.arange(0, 90, 1.5))
    scores = np.array([_lined(sample, yaw) for yaw in coarse])
    best = int(scores.argmax())
    if scores[best] < CONTRAST * np.median(scores):
        return None
    fine = coarse[best] + np.deg2rad(np.arange(-1.5, 1.51, 0.25))
    return float(fine[int(np.argmax([_lined(sample, yaw) for yaw in fine]))] % (np.pi / 2))


def wall_lines(points: Array) -> list[tuple[int, float]]:
    """(axis, offset) of the lines that points [N, 2] along the main directions are on, the fullest first."""
    left, found = points, list[tuple[int, float]]()
    while len(left) >= max(LEAST, WALL_SHARE * len(points)) and len(found) < 12:
        tries = [(axis, *_fullest(left[:, axis])) for axis in range(2)]
        axis, offset, count = max(tries, key=lambda item: item[2])
        if count < max(LEAST, WALL_SHARE * len(points)):
            break
        found.append((axis, offset))
        left = left[np.abs(left[:, axis] - offset) > 2 * THICK]
    return found


def hull(points: Array) -> Array:
    """The convex hull [N, 2] of points [M, 2], counter-clockwise.

    Raises:
        NoRoom: they are on a line.
    """
    try:
        return points[ConvexHull(points).vertices]
    except (QhullError, ValueError):
        raise NoRoom(f"room: its floor is a line, from {len(points)} points") from None


def ray_to_polygon(polygon: Array, start: Array, towards: Array) -> float:
    """Metres from a point [2] along a unit direction [2] to the first side of a polygon [N, 2]; else infinite."""
    side = np.roll(polygon, -1, 0) - polygon
    gap = polygon - start
    across = towards[0] * side[:, 1] - towards[1] * side[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        along = (gap[:, 0] * side[:, 1] - gap[:, 1] * side[:, 0]) / across
        share = (gap[:, 0] * towards[1] - gap[:, 1] * towards[0]) / across
    hit = (along > 0) & (share >= -1e-9) & (share <= 1 + 1e-9)
    return float(along[hit].min()) if hit.any() else np.inf


def checked_grid(points: ArrayLike, labels: ArrayLike | None) -> tuple[Array, np.ndarray | None]:
    """Points [H, W, 3] and labels int [H, W] of one size, or ``BadOption``."""
    grid = np.asarray(points, dtype=float)
    if grid.ndim != 3 or grid.shape[2] != 3:
        raise BadOption("points", grid.shape, "shape [H, W, 3]")
    if labels is None:
        return grid, None
    kinds = np.asarray(labels)
    if kinds.shape != grid.shape[:2] or kinds.dtype.kind not in "iu" or kinds.max(initial=0) >= len(LABEL):
        raise BadOption("labels", f"{kinds.dtype} {kinds.shape}", f"numbers below {len(LABEL)} {grid.shape[:2]}")
    return grid, kinds.astype(int)


def _axes(yaw: float) -> Array:
    return np.array([[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]])


def _feet(feet: ArrayLike | None) -> Array:
    array = np.zeros((0, 2)) if feet is None else np.asarray(feet, dtype=float)
    if array.ndim != 2 or array.shape[1] != 2:
        raise BadOption("feet", array.shape, "shape [N, 2]")
    return array[np.isfinite(array).all(1)]


def _near(points: Array, eye: Array) -> Array:
    return points[np.linalg.norm(points - eye, axis=1) < REACH]


def _voxels(points: Array) -> Array:
    """One of the points [N, 3] in each cube of 10 cm: a wall counts by its area, not by its pixels."""
    return points[np.unique(np.floor(points / 0.1), axis=0, return_index=True)[1]]


def _padded(points: Array, by: float) -> Array:
    corners = by * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return (points[:, None] + corners).reshape(-1, 2)


def _trimmed(points: Array) -> Array:
    """Without single points far from all others: cells of 10 cm that hold one point only do not count."""
    if not len(points):
        return points
    cells, inverse, count = np.unique(np.round(points / 0.1), axis=0, return_inverse=True, return_counts=True)
    kept = points[count[inverse.reshape(-1)] > 1] if len(points) > 10 * len(cells) ** 0.5 else points
    return kept if len(kept) >= 3 else points


def _lined(points: Array, yaw: float) -> float:
    turned = points @ _axes(yaw).T
    total = 0.0
    for column in turned.T:
        count = np.bincount(((column - column.min()) / BIN).astype(int))
        total += float((np.convolve(count, [0.5, 1, 0.5]) ** 2).sum())
    return total


def _fullest(values: Array) -> tuple[float, int]:
    """The offset within ``THICK`` of which most values are (its median), and how many."""
    ranked = np.sort(values)
    ends = np.searchsorted(ranked, ranked + 2 * THICK, side="right")
    start = int(np.argmax(ends - np.arange(len(ranked))))
    return float(np.median(ranked[start : ends[start]])), int(ends[start] - start)


def _first_wall(offsets: Sequence[float], inside: Array, eye: float) -> float | None:
    """The nearest wall on a side that has nothing of the room behind it and the camera before it."""
    for offset in offsets:
        behind = float((inside > offset + BEHIND_BY).mean())
        if behind <= BEHIND and offset > max(eye - BEHIND_BY, float(np.median(inside))):
            return offset
    return None
