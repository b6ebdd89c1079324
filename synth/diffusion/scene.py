"""A room as the generator sees it: a token a piece of furniture, a height map, and groups of surface points.

Everything is in the motion's frame (the first person starts over the origin and faces +x); `moved` and `placed` take
furniture there. NumPy alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from synth.room import Box, Furniture
from synth.rotation import Array, yaw_matrix
from synth.taxonomy import FURNITURE_CLASSES

_CLASSES = len(FURNITURE_CLASSES)
# name -> columns of a token
FIELDS: dict[str, slice] = {
    "class": slice(0, _CLASSES),  # one of them is 1
    "moves": slice(_CLASSES, _CLASSES + 1),  # 1: people move it (a walker, a wheelchair); where it is in frame 0
    "center": slice(_CLASSES + 1, _CLASSES + 4),  # of its box, metres
    "size": slice(_CLASSES + 4, _CLASSES + 7),  # along its own axes, metres
    "heading": slice(_CLASSES + 7, _CLASSES + 9),  # cosine and sine of its yaw; its front is at yaw + 90 degrees
    "seat_height": slice(_CLASSES + 9, _CLASSES + 10),  # metres, 0 where nobody can sit
    "has_seat": slice(_CLASSES + 10, _CLASSES + 11),
    "head_raised": slice(_CLASSES + 11, _CLASSES + 12),  # a bed's
}
FURNITURE = _CLASSES + 12
PIECES = 8  # tokens of a scene: the nearest pieces
SOLID = 7  # numbers of a solid: centre, size, yaw
CELLS, EXTENT = 32, 4.0  # of the height map: cells a side, metres a side
GROUP = 64  # points of a group


@dataclass(frozen=True)
class Scene:
    """Furniture as arrays: tokens [S, F], a row a piece; solids [K, 7] of all pieces, and whose each is [K]."""

    tokens: Array
    solids: Array
    owner: np.ndarray

    def nearest(self, count: int, place: Array) -> Scene:
        """The `count` pieces whose middles are nearest to `place` [2], in their order; all solids stay."""
        if len(self.tokens) <= count:
            return self
        away = np.linalg.norm(self.tokens[:, FIELDS["center"]][:, :2] - place, axis=1)
        return replace(self, tokens=self.tokens[np.sort(np.argsort(away, kind="stable")[:count])])


def scene_of(furniture: Sequence[Furniture], moving: Collection[str] = ()) -> Scene:
    """Furniture as arrays, float32.

    Args:
        moving: ids of the pieces that people move.
    """
    tokens = np.zeros((len(furniture), FURNITURE), np.float32)
    solids, owner = [], []
    for row, (token, piece) in enumerate(zip(tokens, furniture, strict=True)):
        token[FURNITURE_CLASSES.index(piece.cls)] = 1
        token[FIELDS["moves"]] = piece.id in moving
        token[FIELDS["center"]], token[FIELDS["size"]] = piece.box.center, piece.box.size
        token[FIELDS["heading"]] = np.cos(piece.box.yaw), np.sin(piece.box.yaw)
        if piece.seat_height is not None:
            token[FIELDS["seat_height"]], token[FIELDS["has_seat"]] = piece.seat_height, 1
        token[FIELDS["head_raised"]] = piece.head_raised
        for solid in piece.world_solids():
            solids.append([*np.asarray(solid.center, float), *np.asarray(solid.size, float), solid.yaw])
            owner.append(row)
    return Scene(tokens, np.array(solids, np.float32).reshape(-1, SOLID), np.array(owner, int))


def joined(scenes: Sequence[Scene]) -> Scene:
    """Several scenes as one."""
    if len(scenes) == 1:
        return scenes[0]
    if not scenes:
        return scene_of(())
    before = np.cumsum([0, *(len(scene.tokens) for scene in scenes[:-1])])
    return Scene(
        np.concatenate([scene.tokens for scene in scenes]),
        np.concatenate([scene.solids for scene in scenes]),
        np.concatenate([scene.owner + first for scene, first in zip(scenes, before, strict=True)]),
    )


def moved(values: Array, yaw: Array, shift: Array, solids: bool = False) -> Array:
    """Tokens [..., S, F] (or solids [..., K, 7]) moved rigidly with the world, x' = R(yaw) x + shift: a copy.

    Args:
        yaw: radians [...]. shift: metres [..., 2] or [..., 3].
    """
    yaw, shift = np.asarray(yaw, values.dtype)[..., None], np.asarray(shift, values.dtype)[..., None, :]
    c, s = np.cos(yaw), np.sin(yaw)
    result = values.copy()
    first = 0 if solids else FIELDS["center"].start
    x, y = values[..., first], values[..., first + 1]
    result[..., first], result[..., first + 1] = c * x - s * y, s * x + c * y
    result[..., first : first + shift.shape[-1]] += shift
    if solids:
        result[..., -1] += yaw
        return result
    at = FIELDS["heading"].start
    cosine, sine = values[..., at], values[..., at + 1]
    result[..., at], result[..., at + 1] = c * cosine - s * sine, s * cosine + c * sine
    return result


def moved_scene(scene: Scene, yaw: float, shift: Array) -> Scene:
    """A scene moved rigidly with the world, x' = R(yaw) x + shift."""
    place, turn = np.asarray(shift, float), np.asarray(yaw, float)
    return replace(
        scene, tokens=moved(scene.tokens, turn, place), solids=moved(scene.solids, turn, place, solids=True)
    )  # fmt: skip


def placed(furniture: Sequence[Furniture], yaw: float, shift: Array) -> tuple[Furniture, ...]:
    """Pieces of furniture moved rigidly with the world, x' = R(yaw) x + shift [3] (as `Interaction.transform`)."""
    turn, place = yaw_matrix(yaw), np.asarray(shift, float)
    return tuple(
        replace(piece, box=Box(turn @ np.asarray(piece.box.center, float) + place, piece.box.size, piece.box.yaw + yaw))
        for piece in furniture
    )


def padded(scene: Scene, pieces: int = PIECES) -> tuple[Array, np.ndarray]:
    """The tokens of the pieces nearest to the origin, [pieces, F], and which of them there are, bool [pieces]."""
    near = scene.nearest(pieces, np.zeros(2)).tokens
    tokens, mask = np.zeros((pieces, FURNITURE), np.float32), np.zeros(pieces, bool)
    tokens[: len(near)], mask[: len(near)] = near, True
    return tokens, mask


def height_map(furniture: Sequence[Furniture], extent: float = EXTENT, cells: int = CELLS) -> Array:
    """How high things stand around the origin, [cells, cells] metres; rows along x, columns along y; see `heights`."""
    return heights(scene_of(furniture).solids, extent=extent, cells=cells)


def heights(solids: Array, there: np.ndarray | None = None, extent: float = EXTENT, cells: int = CELLS) -> Array:
    """The top of the highest solid that reaches into each cell, 0 where there is none; float32 [..., cells, cells].

    A cell is [i, j]: its middle is at x = (i + 0.5) extent / cells - extent / 2, y likewise with j. Whether a solid
    reaches into it is told exactly, by the separating axes of two rectangles: backs of chairs are thinner than cells.

    Args:
        solids: [..., K, 7]. there: bool [..., K], which of them count; all by default.
    """
    half = np.float32(extent / cells / 2)
    middle = ((np.arange(cells) + 0.5) / cells - 0.5).astype(np.float32) * np.float32(extent)
    found = np.zeros((*solids.shape[:-2], cells, cells), np.float32)
    for k in range(solids.shape[-2]):
        x, y, z, wide, deep, high, yaw = np.moveaxis(solids[..., k, :, None, None], -3, 0)
        c, s = np.cos(yaw), np.sin(yaw)
        right, back = np.abs(c), np.abs(s)
        a, b = wide / 2, deep / 2
        dx, dy = middle[:, None] - x, middle[None, :] - y
        reach = half * (right + back)
        inside = np.abs(dx) < half + right * a + back * b
        inside = inside & (np.abs(dy) < half + back * a + right * b)
        inside &= np.abs(c * dx + s * dy) < a + reach
        inside &= np.abs(c * dy - s * dx) < b + reach
        if there is not None:
            inside &= there[..., k, None, None]
        np.maximum(found, np.where(inside, z + high / 2, np.float32(0)), out=found)
    return found


def point_groups(furniture: Sequence[Furniture], groups: int, size: int = GROUP, seed: int = 0) -> Array:
    """Surface points of the furniture in groups, thesis 4.4: [groups, size, 3] metres; see `grouped`."""
    return grouped(scene_of(furniture).solids, groups, size, seed)


def grouped(solids: Array, groups: int, size: int = GROUP, seed: int = 0) -> Array:
    """Points on the solids' [K, 7] surfaces around centres that are far from each other, nearest first.

    Centres by farthest point sampling, each with its `size` nearest points (as in PointNet++, Qi et al. 2017). The
    points are drawn in the solids' own frames from `seed` alone: furniture that moves takes them along. Zeros where
    there is no furniture. Returns float32 [groups, size, 3].
    """
    if not len(solids) or not groups:
        return np.zeros((groups, size, 3), np.float32)
    points = _surface(solids.astype(float), 2 * groups * size, np.random.default_rng(seed))
    picked = np.zeros(groups, int)
    distance = np.full(len(points), np.inf)
    for at in range(1, groups):
        distance = np.minimum(distance, np.square(points - points[picked[at - 1]]).sum(1))
        picked[at] = distance.argmax()
    away = np.square(points[picked][:, None] - points).sum(-1)  # [groups, N]
    return points[np.argsort(away, axis=1, kind="stable")[:, :size]].astype(np.float32)


def _surface(solids: Array, count: int, rng: np.random.Generator) -> Array:
    """Points on the surfaces of solids, spread evenly, [count, 3]."""
    sizes = solids[:, 3:6]
    across = sizes[:, [1, 2, 0]] * sizes[:, [2, 0, 1]]  # of the faces whose normals are x, y and z
    edges = np.cumsum(across + 1e-12)
    owner, axis = np.divmod(np.searchsorted(edges, rng.random(count) * edges[-1], side="right"), 3)
    local = rng.random((count, 3)) - 0.5
    local[np.arange(count), axis] = np.sign(local[np.arange(count), axis]) / 2
    local *= sizes[owner]
    c, s = np.cos(solids[owner, 6]), np.sin(solids[owner, 6])
    turned = np.stack([c * local[:, 0] - s * local[:, 1], s * local[:, 0] + c * local[:, 1], local[:, 2]], -1)
    return turned + solids[owner, :3]
