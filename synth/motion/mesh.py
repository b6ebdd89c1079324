"""Distances of skins: how deep two bodies overlap, how far a hand is from what it holds, what is below the floor.

Everything is measured on the skin's triangles, not on capsules. A point's signed distance to a body comes from the
triangles around the nearest vertex (exact closest point, Ericson, Real-Time Collision Detection, 5.1.5); the sign is
the side of the triangle that faces the point best, which is right on faces, edges and vertices of a closed mesh.
Metres, seconds, world with the floor at z = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree

from synth.body.model import BodyModel
from synth.interaction import Interaction
from synth.room import Box
from synth.rotation import Array
from synth.skeleton import JOINT

PATCH = 64  # vertices of the largest patch, the skin's unit of looking for overlap
AROUND = 12  # nearest vertices whose triangles are compared: the nearest triangle need not be at the nearest vertex
NEAR, REACH = 0.05, 0.25  # metres in which the other's surface is looked for, at first and where an overlap is deep
# The joints whose skin a body part is; sides are added to limbs.
_PARTS = {
    "hand": ("wrist", "hand"), "forearm": ("elbow",), "upper_arm": ("shoulder",), "shoulder": ("collar", "shoulder"),
    "foot": ("ankle", "foot"), "shin": ("knee",), "knee": ("knee", "hip"), "thigh": ("hip",),
}  # fmt: skip
_TRUNK = {
    "pelvis": ("pelvis", "left_hip", "right_hip"), "lower_back": ("pelvis", "spine1", "spine2"),
    "upper_back": ("spine2", "spine3"), "chest": ("spine2", "spine3"), "head": ("neck", "head"),
}  # fmt: skip
MESH_FPS = 10.0  # skins are compared at about this rate: overlaps last longer than a tenth of a second


@dataclass(frozen=True)
class Skin:
    """A body's skin without the rest of its vertices, in patches: compact pieces that follow one another in `ids`.

    Attributes:
        ids: its vertices among the body's, patch by patch [N].
        faces: triangles into `ids` [F, 3].
        rings: the triangles around each vertex [N, R], the last one repeated.
        owner: the joint that moves each vertex most [N].
        starts: first vertex of each patch [C].
        patch: each vertex's patch [N].
        beside: patches that share a triangle, [C, C].
    """

    ids: np.ndarray
    faces: np.ndarray
    rings: np.ndarray
    owner: np.ndarray
    starts: np.ndarray
    patch: np.ndarray
    beside: np.ndarray

    @staticmethod
    def of(body: BodyModel) -> Skin:
        """Take the skin out of a body model."""
        used = np.unique(body.faces)
        owner = np.asarray(body.weights)[used].argmax(1)
        pieces = [
            piece
            for joint in np.unique(owner)
            for piece in _halved(np.flatnonzero(owner == joint), body.v_template[used])
        ]
        order, sizes = np.concatenate(pieces), [len(piece) for piece in pieces]
        place = np.full(used[-1] + 1, -1)
        place[used[order]] = np.arange(len(order))
        faces = place[body.faces]
        patch = np.repeat(np.arange(len(pieces)), sizes)
        beside = np.zeros((len(pieces), len(pieces)), bool)
        for a, b in ((0, 1), (1, 2), (2, 0)):
            beside[patch[faces[:, a]], patch[faces[:, b]]] = True
        return Skin(
            ids=used[order],
            faces=faces,
            rings=_rings(faces, len(order)),
            owner=owner[order],
            starts=np.cumsum([0, *sizes[:-1]]),
            patch=patch,
            beside=beside | beside.T,
        )

    def part(self, name: str) -> np.ndarray:
        """Indices of the vertices of a body part of the taxonomy."""
        side, _, rest = name.partition("_")
        joints = [f"{side}_{joint}" for joint in _PARTS[rest]] if side in ("left", "right") else list(_TRUNK[name])
        return np.flatnonzero(np.isin(self.owner, [JOINT[joint] for joint in joints]))


def posed_skins(motion: Interaction, body: BodyModel, skin: Skin) -> Array:
    """The skins' vertices [P, T, N, 3], float32."""
    rotmats = motion.rotations().astype(np.float32)
    with torch.no_grad():
        posed = [
            body.pose(motion.betas[p], rotmats[p], motion.transl[p], skin.ids)[0].numpy() for p in range(motion.people)
        ]
    return np.stack(posed)


def signed_distance(points: Array, surface: Array, skin: Skin, among: np.ndarray | None = None) -> Array:
    """Distance of points [K, 3] to a posed skin [N, 3], negative inside. [K].

    Args:
        among: vertices of the skin to look at; all by default. The nearest must be among them.
    """
    return _signed(points, surface, skin, np.arange(len(surface)) if among is None else among)[0]


def winding(point: Array, surface: Array, skin: Skin) -> float:
    """How often the skin [N, 3] winds round a point [3]: 1 inside, 0 outside (van Oosterom and Strackee 1983)."""
    a, b, c = np.moveaxis(surface[skin.faces].astype(float) - point, 1, 0)
    la, lb, lc = (np.linalg.norm(side, axis=-1) for side in (a, b, c))
    volume = (a * np.cross(b, c)).sum(-1)
    angle = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    return float(np.arctan2(volume, angle).sum() / (2 * np.pi))


def overlaps(first: Array, second: Array, skin: Skin) -> Array:
    """How deep two posed skins [T, N, 3] of one body model reach into each other, per frame [T], metres (0: apart).

    The depth is that of the deepest vertex below the other's surface.
    """
    found = np.zeros(len(first))
    boxes = [_boxes(first, skin), _boxes(second, skin)]
    whole = [(low.min(2), high.max(2)) for low, high in boxes]  # [T, 3] twice
    meet = (whole[0][0] < whole[1][1]) & (whole[1][0] < whole[0][1])
    for frame in np.flatnonzero(meet.all(1)):
        (low, high), (other_low, other_high) = ((a[frame], b[frame]) for a, b in boxes)
        gap = np.maximum(low[:, :, None] - other_high[:, None], other_low[:, None] - high[:, :, None]).max(0)
        if (gap <= 0).any():
            found[frame] = max(
                _deepest(first[frame], second[frame], skin, gap), _deepest(second[frame], first[frame], skin, gap.T)
            )
    return found


def crossings(points: Array, surface: Array, skin: Skin, margin: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Of each patch of a skin [N, 3] the vertex deepest inside another [N, 3], and the other's vertex nearest to it.

    Two of [K], as indices into the skin. Depths over `REACH` are not looked for.

    Args:
        margin: metres outside of the other up to which a patch that has nothing inside gives its nearest vertex.
    """
    nothing = np.zeros(0, np.int64)
    (low, high), (other_low, other_high) = (_boxes(cloud[None], skin) for cloud in (points, surface))
    gap = np.maximum(low[0][:, :, None] - other_high[0][:, None], other_low[0][:, None] - high[0][:, :, None]).max(0)
    if not (gap <= margin).any():
        return nothing, nothing
    asked = np.flatnonzero((gap <= margin).any(1)[skin.patch])
    near = np.flatnonzero((gap.min(0) <= NEAR)[skin.patch])
    depth, inside = _depths(points[asked], surface, skin, near, REACH)
    distance, vertex = cKDTree(surface[near]).query(points[asked])
    depth = np.where(inside, depth, -distance)
    order = np.lexsort((-depth, skin.patch[asked]))
    first = order[np.unique(skin.patch[asked[order]], return_index=True)[1]]
    first = first[depth[first] >= -margin]
    false = np.zeros(len(first), bool)
    folded = np.flatnonzero(inside[first])
    if len(folded):  # skin that folds shows its wrong side: what is seen edge-on is asked of the whole mesh
        signed, facing = _signed(points[asked[first[folded]]], surface, skin, near)
        for row, sign, face in zip(folded, signed, facing, strict=True):
            edge = sign >= 0 or face < -0.5 * sign
            false[row] = edge and winding(points[asked[first[row]]], surface, skin) < 0.5
    return asked[first[~false]], near[vertex[first[~false]]]


def normals(vertices: np.ndarray, surface: Array, skin: Skin) -> Array:
    """Outward unit normals [K, 3] of a posed skin [N, 3] at some of its vertices [K]."""
    corners = surface[skin.faces[skin.rings[vertices]]].astype(float)
    sides = np.cross(corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :])
    first = np.concatenate((np.ones((len(vertices), 1)), np.diff(skin.rings[vertices], axis=1) != 0), 1)
    total = (sides * first[..., None]).sum(1)  # a ring is padded with its last triangle, which counts once
    return total / np.maximum(np.linalg.norm(total, axis=-1, keepdims=True), 1e-18)


def gaps(first: Array, second: Array) -> Array:
    """Smallest distance between two clouds of skin vertices per frame: [T, A, 3], [T, B, 3] -> [T] metres.

    Vertices are about a centimetre apart, so skins that touch may read up to half of that.
    """
    return np.array([cKDTree(a).query(b)[0].min() for a, b in zip(first, second, strict=True)])


def box_distances(points: Array, boxes: Sequence[Box]) -> Array:
    """Signed distance [...] of points [..., 3] to the union of boxes, negative inside; infinite without boxes."""
    best = np.full(np.shape(points)[:-1], np.inf)
    for box in boxes:
        beyond = np.abs(box.to_local(points)) - np.asarray(box.size) / 2
        outside = np.linalg.norm(np.maximum(beyond, 0), axis=-1)
        best = np.minimum(best, outside + np.minimum(beyond.max(-1), 0))
    return best


def box_depths(skins: Array, boxes: Sequence[Box]) -> Array:
    """How deep the deepest vertex of [T, N, 3] is inside any of the boxes, per frame [T] metres (0: outside)."""
    depth = np.zeros(len(skins))
    for box in boxes:
        radius = float(np.linalg.norm(np.asarray(box.size)[:2]) / 2)
        low = np.append(box.center[:2] - radius, box.center[2] - box.size[2] / 2)
        high = np.append(box.center[:2] + radius, box.center[2] + box.size[2] / 2)
        frame, vertex = ((skins > low) & (skins < high)).all(-1).nonzero()
        if len(frame):
            inside = -box_distances(skins[frame, vertex].astype(float), [box])
            np.maximum.at(depth, frame, inside)
    return depth


def _halved(members: np.ndarray, points: Array) -> list[np.ndarray]:
    """Cut a set of vertices in halves along its longest side until the pieces are small."""
    if len(members) <= PATCH:
        return [members]
    axis = np.ptp(points[members], axis=0).argmax()
    order = members[np.argsort(points[members, axis], kind="stable")]
    half = len(order) // 2
    return [*_halved(order[:half], points), *_halved(order[half:], points)]


def _rings(faces: np.ndarray, count: int) -> np.ndarray:
    order = np.argsort(faces.ravel(), kind="stable")
    uses = np.bincount(faces.ravel(), minlength=count)
    column = np.minimum(np.arange(uses.max()), uses[:, None] - 1)
    return order[(np.cumsum(uses) - uses)[:, None] + column] // 3


def _boxes(skins: Array, skin: Skin) -> tuple[Array, Array]:
    """Bounds of every patch: [T, N, 3] -> two of [T, 3, C]."""
    columns = np.ascontiguousarray(np.swapaxes(skins, 1, 2))
    return np.minimum.reduceat(columns, skin.starts, 2), np.maximum.reduceat(columns, skin.starts, 2)


def _deepest(points: Array, surface: Array, skin: Skin, gap: Array) -> float:
    """How deep the deepest of `points` [N, 3] is below `surface` [N, 3]; `gap` [C, C] between their patches' boxes.

    Surfaces that cross do so where boxes meet. From there the inside is followed from patch to patch, since what is
    deep inside is near no surface.
    """
    first, seen, now = True, np.zeros(len(gap), bool), (gap <= 0).any(1)
    guesses = np.zeros(len(points))
    while now.any():
        seen |= now
        near = np.flatnonzero((gap[now].min(0) <= NEAR)[skin.patch])
        asked = np.flatnonzero(now[skin.patch])
        depth, inside = _depths(points[asked], surface, skin, near, NEAR)
        lost = np.isinf(depth)
        if first:
            deep = _patches_of(inside & (depth > NEAR / 2), asked, skin)
            lost &= skin.beside[deep].any(0)[skin.patch[asked]]
        if lost.any():  # far from every surface next to what is deep: deeper still, or outside
            near = np.flatnonzero((gap[now].min(0) <= REACH)[skin.patch])
            depth[lost], inside[lost] = _depths(points[asked[lost]], surface, skin, near, REACH)
        if not inside.any():
            break
        guesses[asked[inside]] = depth[inside]
        now, first = skin.beside[_patches_of(inside, asked, skin)].any(0) & ~seen, False
    return _confirmed(points, surface, skin, guesses, np.flatnonzero((gap[seen].min(0) <= REACH)[skin.patch]))


def _confirmed(points: Array, surface: Array, skin: Skin, guesses: Array, near: np.ndarray) -> float:
    """The deepest depth, exactly: guesses (never too small) are looked at again from the deepest on."""
    deepest, order = 0.0, np.argsort(-guesses, kind="stable")
    order = order[: np.count_nonzero(guesses)]
    for start in range(0, len(order), 16):
        batch = order[start : start + 16]
        if guesses[batch[0]] <= deepest:
            break
        signed, facing = _signed(points[batch], surface, skin, near)
        for index in np.argsort(signed, kind="stable"):
            if -signed[index] <= deepest:
                break
            # Skin that folds shows its wrong side: what is seen edge-on is asked of the whole mesh.
            if facing[index] < 0.5 * -signed[index] and winding(points[batch[index]], surface, skin) < 0.5:
                continue
            deepest = float(-signed[index])
            break
    return deepest


def _patches_of(chosen: np.ndarray, asked: np.ndarray, skin: Skin) -> np.ndarray:
    """Patches [C] that hold a chosen one of the vertices asked for."""
    found = np.zeros(len(skin.starts), bool)
    found[skin.patch[asked[chosen]]] = True
    return found


def _signed(points: Array, surface: Array, skin: Skin, among: np.ndarray) -> tuple[Array, Array]:
    """Signed distance [K] to the triangles around the nearest vertices, and the distance to the nearest one's plane."""
    _, at = cKDTree(surface[among]).query(points, k=min(AROUND, len(among)))
    triangles = skin.rings[among[at]].reshape(len(points), -1)
    return _to_triangles(np.asarray(points, float), surface, skin, triangles)


def _depths(points: Array, surface: Array, skin: Skin, near: np.ndarray, reach: float) -> tuple[Array, np.ndarray]:
    """Depth [K] of points below the surface (infinite: nothing of it within `reach`) and whether they are inside."""
    depth, inside = np.full(len(points), np.inf), np.zeros(len(points), bool)
    if not len(near) or not len(points):
        return depth, inside
    tree = cKDTree(surface[near], balanced_tree=False, compact_nodes=False)
    distance, at = tree.query(points, distance_upper_bound=reach)
    found = np.flatnonzero(np.isfinite(distance))
    depth[found] = 0.0
    vertex = near[at[found]]
    behind = _behind(points[found], surface, skin, vertex)
    found, vertex = found[behind], vertex[behind]
    if len(found):
        depth[found] = -_to_triangles(points[found].astype(float), surface, skin, skin.rings[vertex])[0]
        inside[found] = depth[found] > 0
    return depth, inside


def _behind(points: Array, surface: Array, skin: Skin, vertex: np.ndarray) -> np.ndarray:
    """Points that may be inside: behind the plane of some triangle around their nearest vertex [K]."""
    used, index = np.unique(vertex, return_inverse=True)
    corners = surface[skin.faces[skin.rings[used]]]  # [U, R, 3, 3]
    normal = np.cross(corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :])
    off = points - surface[vertex]
    return (np.einsum("krc,kc->kr", normal[index], off) < 0).any(1)


def _to_triangles(points: Array, surface: Array, skin: Skin, triangles: np.ndarray) -> tuple[Array, Array]:
    """Signed distance of points [K, 3] to triangles [K, R] each, and the distance to the nearest one's plane."""
    a, b, c = np.moveaxis(surface[skin.faces[triangles]].astype(float), -2, 0)  # [K, R, 3] each
    p = points[:, None]
    off = p - _closest_on_triangle(p, a, b, c)
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-18)
    square = (off * off).sum(-1)
    facing = (off * normal).sum(-1)
    best = square.min(1, keepdims=True)
    tied = square <= best + 1e-12 + 1e-6 * best
    chosen = np.where(tied, np.abs(facing), -1.0).argmax(1)
    side = np.take_along_axis(facing, chosen[:, None], 1)[:, 0]
    return np.where(side < 0, -1.0, 1.0) * np.sqrt(best[:, 0]), np.abs(side)


def _closest_on_triangle(p: Array, a: Array, b: Array, c: Array) -> Array:
    """The point of triangle abc closest to p, broadcast over leading axes (Ericson 5.1.5)."""

    def dot(x: Array, y: Array) -> Array:
        return (x * y).sum(-1)

    ab, ac, ap, bp, cp = b - a, c - a, p - a, p - b, p - c
    d1, d2, d3, d4, d5, d6 = dot(ab, ap), dot(ac, ap), dot(ab, bp), dot(ac, bp), dot(ab, cp), dot(ac, cp)
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    total = np.maximum(va + vb + vc, 1e-30)
    v, w = vb / total, vc / total  # inside the face
    bc = (d4 - d3) / np.maximum((d4 - d3) + (d5 - d6), 1e-30)
    cases = (  # region, then barycentric weights of b and c; the first that holds counts
        ((d1 <= 0) & (d2 <= 0), 0.0, 0.0),
        ((d3 >= 0) & (d4 <= d3), 1.0, 0.0),
        ((d6 >= 0) & (d5 <= d6), 0.0, 1.0),
        ((vc <= 0) & (d1 >= 0) & (d3 <= 0), d1 / np.maximum(d1 - d3, 1e-30), 0.0),
        ((vb <= 0) & (d2 >= 0) & (d6 <= 0), 0.0, d2 / np.maximum(d2 - d6, 1e-30)),
        ((va <= 0) & (d4 >= d3) & (d5 >= d6), 1 - bc, bc),
    )
    regions = [np.broadcast_to(case[0], v.shape) for case in cases]
    v = np.select(regions, [np.broadcast_to(case[1], v.shape) for case in cases], v)
    w = np.select(regions, [np.broadcast_to(case[2], w.shape) for case in cases], w)
    return a + v[..., None] * ab + w[..., None] * ac
