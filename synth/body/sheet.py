"""Sheets of cloth: triangle meshes whose every vertex is a known mix of the body's source vertices.

Cutting, subdividing and extending a sheet keeps that mix up to date, so a garment takes its skinning weights and its
shape directions from the body it was cut from, whatever is done to its positions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float64]
Faces = NDArray[np.int64]


@dataclass(frozen=True)
class Sheet:
    """``points`` [N, 3] metres, ``faces`` [F, 3], and ``origin`` [N, M], rows summing to 1 over the source vertices."""

    points: Array
    faces: Faces
    origin: sparse.csr_matrix

    def moved(self, points: Array) -> Sheet:
        """The same cloth at other positions."""
        return replace(self, points=points)


def from_quads(source: Array, quads: Faces, levels: int = 1) -> Sheet:
    """A sheet over quads of the source mesh, smoothed by ``levels`` Catmull-Clark subdivisions (1978)."""
    used, compact = np.unique(quads, return_inverse=True)
    faces = compact.reshape(quads.shape)
    rows = np.arange(len(used))
    origin = sparse.csr_matrix((np.ones(len(used)), (rows, used)), shape=(len(used), len(source)))
    for _ in range(levels):
        matrix, faces = _catmull_clark(len(origin.indptr) - 1, faces)
        origin = (matrix @ origin).tocsr()
    triangles = np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]])
    return Sheet(origin @ source, triangles, origin)


def _catmull_clark(count: int, quads: Faces) -> tuple[sparse.csr_matrix, Faces]:
    sides = np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2)
    ends, edge, uses = np.unique(np.sort(sides, 1), axis=0, return_inverse=True, return_counts=True)
    edge = edge.reshape(len(quads), 4)
    face_number = np.arange(len(quads))
    in_face = sparse.csr_matrix(
        (np.full(quads.size, 0.25), (np.repeat(face_number, 4), quads.ravel())), shape=(len(quads), count)
    )
    middle = sparse.csr_matrix(
        (np.full(ends.size, 0.5), (np.repeat(np.arange(len(ends)), 2), ends.ravel())), shape=(len(ends), count)
    )
    edge_of_face = sparse.csr_matrix(
        (np.ones(edge.size), (edge.ravel(), np.repeat(face_number, 4))), shape=(len(ends), len(quads))
    )
    inner = uses == 2
    edges = _scale(np.where(inner, 0.5, 1.0), middle) + _scale(np.where(inner, 0.25, 0.0), edge_of_face @ in_face)
    # vertices: (mean of faces + 2 mean of edge middles + (n - 3) vertex) / n; on the border (v + mean of middles) / 2
    touches = sparse.csr_matrix(
        (np.ones(ends.size), (ends.ravel(), np.repeat(np.arange(len(ends)), 2))), shape=(count, len(ends))
    )
    holds = (in_face > 0).T.astype(float)
    n = np.asarray(holds.sum(1)).ravel()
    border_edges = touches @ sparse.diags((~inner).astype(float))
    border = np.asarray(border_edges.sum(1)).ravel()
    valence = np.asarray(touches.sum(1)).ravel()
    eye = sparse.identity(count, format="csr")
    smooth = _scale(1 / n**2, holds @ in_face) + _scale(2 / (n * valence), touches @ middle) + _scale((n - 3) / n, eye)
    rim = 0.5 * eye + _scale(0.5 / np.maximum(border, 1), border_edges @ middle)
    vertices = _scale((border == 0).astype(float), smooth) + _scale((border > 0).astype(float), rim)
    matrix = sparse.vstack([vertices, edges, in_face]).tocsr()
    e, f = count + edge, (count + len(ends) + face_number)[:, None]
    corners = [np.concatenate([quads[:, [k]], e[:, [k]], f, e[:, [k - 1]]], 1) for k in range(4)]
    return matrix, np.concatenate(corners)


def _scale(amounts: Array, matrix: sparse.spmatrix) -> sparse.csr_matrix:
    return (sparse.diags(amounts) @ matrix).tocsr()


def clip(sheet: Sheet, keep: Array) -> Sheet:
    """Cut the sheet along ``keep`` = 0 (a value per vertex) and drop the negative side; the cut is exact and smooth."""
    # A cut that passes very near a vertex leaves slivers: such vertices are moved onto the kept side.
    scale = np.median(np.abs(keep)) * 1e-3 + 1e-9
    keep = np.where(np.abs(keep) < scale, scale, keep)
    inside = keep > 0
    count = inside[sheet.faces].sum(1)
    whole = sheet.faces[count == 3]
    cut: dict[tuple[int, int], int] = {}
    rows: list[tuple[int, int, float]] = []

    def crossing(a: int, b: int) -> int:
        key = (min(a, b), max(a, b))
        if key not in cut:
            cut[key] = len(keep) + len(rows)
            t = keep[key[0]] / (keep[key[0]] - keep[key[1]])
            rows.append((*key, float(np.clip(t, 0.02, 0.98))))
        return cut[key]

    made: list[tuple[int, int, int]] = []
    for face, kept in zip(
        sheet.faces[(count == 1) | (count == 2)].tolist(), count[(count == 1) | (count == 2)], strict=True
    ):
        lone = next(k for k in range(3) if inside[face[k]] == (kept == 1))
        a, b, c = face[lone], face[lone - 2], face[lone - 1]
        ab, ac = crossing(a, b), crossing(a, c)
        made += [(a, ab, ac)] if kept == 1 else [(ab, b, c), (ab, c, ac)]
    faces = np.concatenate([whole, np.array(made, dtype=np.int64).reshape(-1, 3)])
    n = len(keep)
    mix = sparse.identity(n, format="csr")
    if rows:
        a, b, t = (np.array(column) for column in zip(*rows, strict=True))
        index = np.arange(len(rows))
        new = sparse.csr_matrix(
            (np.concatenate([1 - t, t]), (np.concatenate([index, index]), np.concatenate([a, b]))), shape=(len(rows), n)
        )
        mix = sparse.vstack([mix, new]).tocsr()
    return compact(Sheet(mix @ sheet.points, faces, (mix @ sheet.origin).tocsr()))


def compact(sheet: Sheet) -> Sheet:
    """Drop vertices without faces."""
    used, index = np.unique(sheet.faces, return_inverse=True)
    return Sheet(sheet.points[used], index.reshape(-1, 3), sheet.origin[used])


def join(*sheets: Sheet) -> Sheet:
    """Lay sheets side by side in one."""
    starts = np.cumsum([0, *[len(s.points) for s in sheets]])
    return Sheet(
        np.concatenate([s.points for s in sheets]),
        np.concatenate([s.faces + start for s, start in zip(sheets, starts, strict=False)]),
        sparse.vstack([s.origin for s in sheets]).tocsr(),
    )


def normals(points: Array, faces: Faces) -> Array:
    """Unit vertex normals, weighted by area [N, 3]."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    flat = np.cross(b - a, c - a)
    result = np.zeros_like(points)
    for k in range(3):
        for axis in range(3):
            result[:, axis] += np.bincount(faces[:, k], weights=flat[:, axis], minlength=len(points))
    return result / np.maximum(np.linalg.norm(result, axis=1, keepdims=True), 1e-12)


def border_edges(faces: Faces) -> Faces:
    """Directed edges that belong to one face only [E, 2]."""
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    key = np.sort(sides, 1)
    _, index, uses = np.unique(key, axis=0, return_index=True, return_counts=True)
    return sides[np.sort(index[uses == 1])]


def smoother(sheet: Sheet, border: str = "along") -> sparse.csr_matrix:
    """One Laplacian step as a matrix. The border moves along itself only ("along") or not at all ("fixed")."""
    n = len(sheet.points)
    sides = np.concatenate([sheet.faces[:, [0, 1]], sheet.faces[:, [1, 2]], sheet.faces[:, [2, 0]]])
    sides = np.concatenate([sides, sides[:, ::-1]])
    adjacent = sparse.csr_matrix((np.ones(len(sides)), (sides[:, 0], sides[:, 1])), shape=(n, n))
    adjacent.data[:] = 1
    edges = border_edges(sheet.faces)
    rim = np.zeros(n, dtype=bool)
    rim[edges] = True
    pairs = np.concatenate([edges, edges[:, ::-1]])
    along = sparse.csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    mean = _scale(1 / np.maximum(np.asarray(adjacent.sum(1)).ravel(), 1), adjacent)
    rim_mean = _scale(1 / np.maximum(np.asarray(along.sum(1)).ravel(), 1), along)
    eye = sparse.identity(n, format="csr")
    inner = _scale((~rim).astype(float), 0.5 * eye + 0.5 * mean)
    edge = 0.5 * eye + 0.5 * rim_mean if border == "along" else eye
    return (inner + _scale(rim.astype(float), edge)).tocsr()


def smooth(sheet: Sheet, values: Array, steps: int, border: str = "along") -> Array:
    """Laplacian smoothing of anything that has a row per vertex."""
    matrix = smoother(sheet, border)
    for _ in range(steps):
        values = matrix @ values
    return values


def extend(sheet: Sheet, profile: list[tuple[float, float]], where: NDArray[np.bool_] | None = None) -> Sheet:
    """Sew strips to the border: hems folded inwards, collars, cuffs.

    Args:
        sheet: the cloth.
        profile: for each new row, metres (outwards along the normal, onwards past the border).
        where: which vertices' borders to extend [N]; all by default.
    """
    edges = border_edges(sheet.faces)
    if where is not None:
        edges = edges[where[edges].all(1)]
    if len(edges) == 0:
        return sheet
    rim = np.unique(edges)
    up = normals(sheet.points, sheet.faces)
    along = np.zeros_like(sheet.points)
    step = sheet.points[edges[:, 1]] - sheet.points[edges[:, 0]]
    for k in range(2):
        np.add.at(along, edges[:, k], step)
    # walking a border with the cloth on the left, along x normal points away from the cloth
    onwards = np.cross(along[rim], up[rim])
    onwards /= np.maximum(np.linalg.norm(onwards, axis=1, keepdims=True), 1e-9)
    index = np.full(len(sheet.points), -1)
    index[rim] = np.arange(len(rim))
    a, b = index[edges[:, 0]], index[edges[:, 1]]
    points, faces, origins = [sheet.points], [sheet.faces], [sheet.origin]
    previous = rim
    for row, (out, on) in enumerate(profile):
        start = len(sheet.points) + row * len(rim)
        current = start + np.arange(len(rim))
        points.append(sheet.points[rim] + out * up[rim] + on * onwards)
        origins.append(sheet.origin[rim])
        faces.append(np.stack([previous[b], previous[a], current[a]], 1))
        faces.append(np.stack([previous[b], current[a], current[b]], 1))
        previous = current
    return Sheet(np.concatenate(points), np.concatenate(faces), sparse.vstack(origins).tocsr())
