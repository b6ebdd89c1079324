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


def rasterise(
    camera: Camera, triangles: np.ndarray, ids: np.ndarray, window: np.ndarray | None = None, reach: float = np.inf
) -> tuple[np.ndarray, np.ndarray]:
    """What each pixel's centre sees.

    Args:
        camera: any model.
        triangles: [N, 3, 3] world metres.
        ids: [N].
        window: x0, y0, x1, y1: only these pixels are asked for; the whole image by default.
        reach: metres beyond which nothing matters.

    Returns:
        ids [H, W] (0: nothing) and depth [H, W] (inf: nothing).
    """
    full = np.array([0, 0, camera.width - 1, camera.height - 1])
    cone = _cone(camera, full if window is None else window)
    uv, depth, number = _split(camera, np.asarray(triangles, dtype=float), np.asarray(ids), cone, reach)
    pixel, near, who = _cover(camera, uv, depth, number)
    order = np.lexsort((near, pixel))
    first = order[np.unique(pixel[order], return_index=True)[1]]
    seen = np.zeros(camera.height * camera.width, int)
    distance = np.full(camera.height * camera.width, np.inf)
    seen[pixel[first]], distance[pixel[first]] = who[first], near[first]
    shape = (camera.height, camera.width)
    return seen.reshape(shape), distance.reshape(shape)


def _cone(camera: Camera, window: np.ndarray) -> tuple[np.ndarray, float]:
    """A cone of directions that holds the window: axis and half-angle."""
    x, y = np.meshgrid(np.linspace(window[0], window[2], 40), np.linspace(window[1], window[3], 40))
    rays = camera.unproject(np.stack([x, y], -1).reshape(-1, 2))[1]
    rays = rays[np.isfinite(rays).all(-1)]
    axis = rays.mean(0) / np.linalg.norm(rays.mean(0))
    return axis, float(np.arccos(np.clip(rays @ axis, -1, 1)).max()) + 0.02


def _split(
    camera: Camera, triangles: np.ndarray, ids: np.ndarray, cone: tuple[np.ndarray, float], reach: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    axis, half = cone
    done_uv, done_depth, done_ids = [], [], []
    for turn in range(ROUNDS):
        centre = triangles.mean(1) - camera.position
        radius = np.linalg.norm(triangles - triangles.mean(1, keepdims=True), axis=-1).max(1)
        far = np.linalg.norm(centre, axis=-1)
        angle = np.arccos(np.clip(centre @ axis / np.maximum(far, 1e-9), -1, 1))
        near = (angle <= half + np.arcsin(np.clip(radius / np.maximum(far, 1e-9), 0, 1))) | (radius >= far)
        near &= far - radius <= reach
        triangles, ids, radius = triangles[near], ids[near], radius[near]
        uv, depth, valid = camera.project(triangles)
        whole = valid.all(1)
        edge = np.linalg.norm(uv - np.roll(uv, 1, axis=1), axis=-1).max(1)
        large = (radius > SMALLEST) & (~whole | (edge > LARGEST)) & (turn < ROUNDS - 1)
        keep = whole & ~large
        done_uv.append(uv[keep])
        done_depth.append(depth[keep])
        done_ids.append(ids[keep])
        if not large.any():
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
