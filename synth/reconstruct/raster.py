"""What each pixel sees of posed bodies: a z-buffer in NumPy, through any camera of `synth.camera`.

Vertices go through the lens, the sides of a triangle are straight on the picture. That is exact for a pinhole; of a
distorting lens it is off by an eighth of the triangle's width squared over the lens's radius of curvature, which is
far below a pixel for a body's triangles of one or two centimetres. Inverse depth is even over a triangle on a
pinhole's picture, so that it, not depth, is interpolated (Blinn 1992, Hyperbolic interpolation).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from synth.body import sheet
from synth.camera import Camera
from synth.errors import BadOption
from synth.rotation import Array

NOBODY = -1
_CANDIDATES = 1 << 20  # pixels of triangles' bounds that are looked at together: bounds memory
_FLAT = 1e-12  # square pixels: a triangle seen edge-on covers nothing
_EDGE = 1e-9  # a pixel on the side of two triangles must not fall between them


class Raster(NamedTuple):
    """What is nearest at each pixel's centre.

    Attributes:
        depth: [H, W] metres as of `Camera.project` (z, or the distance for a fisheye); infinite where nobody is.
        person: int8 [H, W], index of the mesh, `NOBODY` (-1) where there is none.
        normal: [H, W, 3] unit normal of the surface in the world, interpolated between vertices; 0 where nobody is.
    """

    depth: Array
    person: np.ndarray
    normal: Array


def rasterised(meshes: Sequence[Array | None], faces: np.ndarray, camera: Camera, scale: float = 1.0) -> Raster:
    """Draw posed bodies.

    Triangles of which the lens cannot see a vertex (behind a pinhole, beyond a fisheye's limit, NaN) are left out.

    Args:
        meshes: vertices [V, 3] of each person, metres in the world; None for who is not there. At most 127.
        faces: triangles [F, 3], the same for all, counter-clockwise from outside.
        camera: with its pose in the world.
        scale: size of the result, as a share of the camera's picture.

    Raises:
        BadOption: a shape, an index or the scale is impossible.
    """
    view = _view(camera, scale)
    _check(meshes, faces)
    pixels = view.width * view.height
    depth, winner = np.full(pixels, np.inf), np.full(pixels, -1)
    person, weight = np.full(pixels, NOBODY, np.int8), np.zeros((pixels, 3))
    for index, mesh in enumerate(meshes):
        if mesh is None:
            continue
        uv, far, valid = view.project(mesh)
        seen = np.flatnonzero(valid[faces].all(1))
        for at, near, triangle, share in _covered(uv, far, faces[seen], view):
            np.minimum.at(depth, at, near)
            first = near == depth[at]  # of what is equally near, the last one
            at = at[first]
            person[at], winner[at], weight[at] = index, seen[triangle[first]], share[first]
    normal = np.zeros((pixels, 3))
    for index, mesh in enumerate(meshes):
        if mesh is not None and (mine := np.flatnonzero(person == index)).size:
            corners = sheet.normals(np.asarray(mesh, float), faces)[faces[winner[mine]]]
            mixed = (weight[mine, :, None] * corners).sum(1)
            normal[mine] = mixed / np.maximum(np.linalg.norm(mixed, axis=-1, keepdims=True), 1e-12)
    shape = (view.height, view.width)
    return Raster(depth.reshape(shape), person.reshape(shape), normal.reshape(*shape, 3))


def silhouettes(
    meshes: Sequence[Array | None], faces: np.ndarray, camera: Camera, scale: float = 1.0, whole: bool = False
) -> np.ndarray:
    """Masks of everybody, bool [P, H, W].

    Args:
        meshes, faces, camera, scale: as for `rasterised`.
        whole: what others hide counts as well; a segmentation of the picture shows what is not hidden.
    """
    if whole:
        alone = [rasterised([mesh], faces, camera, scale).person == 0 for mesh in meshes]
    else:
        person = rasterised(meshes, faces, camera, scale).person
        alone = [person == index for index in range(len(meshes))]
    view = _view(camera, scale)
    return np.stack(alone) if alone else np.zeros((0, view.height, view.width), bool)


def mask_iou(first: np.ndarray, second: np.ndarray) -> Array:
    """Intersection over union [...] of masks [..., H, W]; NaN where both are empty."""
    if first.shape != second.shape:
        raise BadOption("masks", (first.shape, second.shape), "two of one shape")
    both = (first & second).sum((-2, -1))
    with np.errstate(invalid="ignore"):
        return both / (first | second).sum((-2, -1))


def _view(camera: Camera, scale: float) -> Camera:
    width, height = round(camera.width * scale), round(camera.height * scale)
    if not (np.isfinite(scale) and min(width, height) >= 1):
        raise BadOption("scale", scale, f"a share of {camera.width} x {camera.height} that leaves a pixel")
    return camera if (width, height) == (camera.width, camera.height) else camera.scaled(width, height)


def _check(meshes: Sequence[Array | None], faces: np.ndarray) -> None:
    if len(meshes) > np.iinfo(np.int8).max:
        raise BadOption("meshes", len(meshes), f"at most {np.iinfo(np.int8).max}")
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
        raise BadOption("faces", f"{faces.dtype} {faces.shape}", "whole numbers [F, 3]")
    least = int(faces.max(initial=-1)) + 1
    for index, mesh in enumerate(meshes):
        if mesh is not None and (mesh.ndim != 2 or mesh.shape[1] != 3 or len(mesh) < least):
            raise BadOption(f"meshes[{index}]", mesh.shape, f"[V, 3] with V of {least} or more, as the faces use")
    if faces.min(initial=0) < 0:
        raise BadOption("faces", int(faces.min()), "indices of 0 or more")


def _covered(
    uv: Array, depth: Array, faces: np.ndarray, view: Camera
) -> Iterator[tuple[np.ndarray, Array, np.ndarray, Array]]:
    """Pixels [N] whose centres triangles cover, depth there [N], which triangle [N], and its corners' shares [N, 3].

    In pieces; uv, depth: of the vertices; faces: those to draw.
    """
    corners, size = uv[faces], np.array([view.width, view.height])
    low = np.maximum(np.ceil(corners.min(1) - _EDGE), 0).clip(max=size).astype(int)
    high = np.minimum(np.floor(corners.max(1) + _EDGE), size - 1).clip(min=-1).astype(int)
    span = high - low + 1
    kept = np.flatnonzero((span > 0).all(1))  # most small triangles have no pixel's centre in their bounds
    end = np.cumsum(span[kept].prod(1))
    cuts = np.searchsorted(end, np.arange(_CANDIDATES, end[-1] if len(end) else 0, _CANDIDATES))
    for part in np.split(kept, np.unique(cuts)):
        count = span[part].prod(1)
        row = np.repeat(np.arange(len(part)), count)
        place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        down, right = np.divmod(place, span[part, 0][row])
        x, y = low[part, 0][row] + right, low[part, 1][row] + down
        share, inside = _shares(corners[part], row, x, y)
        near = 1 / depth[faces[part]]
        share, row = share[inside] * near[row[inside]], row[inside]
        far = 1 / share.sum(1)
        yield (y * view.width + x)[inside], far, part[row], share * far[:, None]


def _shares(corners: Array, row: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[Array, np.ndarray]:
    """Barycentric coordinates [N, 3] of pixels in triangles corners[row] [N, 3, 2], and whether they are inside [N]."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, ac = b - a, c - a
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        to_b = np.stack([ac[:, 1], -ac[:, 0]], -1) / area[:, None]
        to_c = np.stack([-ab[:, 1], ab[:, 0]], -1) / area[:, None]
        off_x, off_y = x - a[row, 0], y - a[row, 1]
        second = off_x * to_b[row, 0] + off_y * to_b[row, 1]
        third = off_x * to_c[row, 0] + off_y * to_c[row, 1]
        share = np.stack([1 - second - third, second, third], -1)
        inside = (np.abs(area)[row] > _FLAT) & (share.min(1) >= -_EDGE)
    return share, inside
