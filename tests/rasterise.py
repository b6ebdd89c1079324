"""A z-buffer in NumPy, independent of Blender: what each pixel's centre sees, through any ``Camera``.

Triangles are split until they are a few pixels small, so that the lens's curvature inside one does not matter, and then
tested against the pixel centres they cover.
"""

from __future__ import annotations

import numpy as np

from synth.camera import Camera

LARGEST = 6.0  # pixels an edge may be long
SMALLEST = 0.004  # metres below which a triangle is not split further
ROUNDS = 14


def rasterise(camera: Camera, triangles: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles [N, 3, 3] in world metres with ids [N] to ids [H, W] (0: nothing) and depth [H, W] (inf)."""
    uv, depth, number = _split(camera, np.asarray(triangles, dtype=float), np.asarray(ids))
    pixel, near, who = _cover(camera, uv, depth, number)
    order = np.lexsort((near, pixel))
    first = order[np.unique(pixel[order], return_index=True)[1]]
    seen = np.zeros(camera.height * camera.width, int)
    distance = np.full(camera.height * camera.width, np.inf)
    seen[pixel[first]], distance[pixel[first]] = who[first], near[first]
    shape = (camera.height, camera.width)
    return seen.reshape(shape), distance.reshape(shape)


def _split(camera: Camera, triangles: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    done_uv, done_depth, done_ids = [], [], []
    size = np.array([camera.width, camera.height])
    for turn in range(ROUNDS):
        uv, depth, valid = camera.project(triangles)
        some, all_valid = valid.any(1), valid.all(1)
        edge = np.linalg.norm(uv - np.roll(uv, 1, axis=1), axis=-1).max(1)
        world = np.linalg.norm(triangles - np.roll(triangles, 1, axis=1), axis=-1).max(1)
        margin = np.where(np.isfinite(edge), edge, 0)[:, None]  # a curved edge may bulge into the image
        with np.errstate(invalid="ignore"):
            off = ((uv.max(1) < -1 - margin) | (uv.min(1) > size + margin)).any(1) & all_valid
        # a triangle whose corners are all unseen may still reach into view if it is large
        large = (world > SMALLEST) & (~all_valid | (edge > LARGEST)) & ~off & (some | (world > 0.05))
        keep = all_valid & ~off & ~large if turn < ROUNDS - 1 else all_valid & ~off
        done_uv.append(uv[keep])
        done_depth.append(depth[keep])
        done_ids.append(ids[keep])
        if not large.any() or turn == ROUNDS - 1:
            break
        a, b, c = triangles[large].transpose(1, 0, 2)
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        corners = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        triangles = np.concatenate([np.stack(corner, 1) for corner in corners])
        ids = np.tile(ids[large], 4)
    return np.concatenate(done_uv), np.concatenate(done_depth), np.concatenate(done_ids)


def _cover(
    camera: Camera, uv: np.ndarray, depth: np.ndarray, ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    low = np.ceil(uv.min(1)).astype(int)
    span = (np.floor(uv.max(1)).astype(int) - low + 1).max(1)
    found = []
    for side in range(1, int(span.max(initial=0)) + 1):
        group = np.flatnonzero(span == side)
        if not len(group):
            continue
        steps = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2)
        points = low[group, None] + steps
        a, b, c = (uv[group, None, k] for k in range(3))
        area = _cross(b - a, c - a)
        safe = np.where(np.abs(area) < 1e-12, 1.0, area)
        wb, wc = _cross(points - a, c - a) / safe, _cross(b - a, points - a) / safe
        wa = 1 - wb - wc
        inside = (np.abs(area) >= 1e-12) & (np.minimum(np.minimum(wa, wb), wc) >= -1e-9)
        inside &= ((points >= 0) & (points < [camera.width, camera.height])).all(-1)
        z = wa * depth[group, None, 0] + wb * depth[group, None, 1] + wc * depth[group, None, 2]
        which, _ = np.nonzero(inside)
        x, y = points[inside].T
        found.append((y * camera.width + x, z[inside], ids[group][which]))
    if not found:
        return np.zeros(0, int), np.zeros(0), np.zeros(0, int)
    pixel, near, who = zip(*found, strict=True)
    return np.concatenate(pixel), np.concatenate(near), np.concatenate(who)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two masks."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0
