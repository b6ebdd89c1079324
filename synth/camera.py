"""Cameras with OpenCV axes (x right, y down, z forward): pinhole, Brown-Conrady and equidistant fisheye.

Pixel centres have whole coordinates: the top left pixel's centre is (0, 0), as in OpenCV,
and the image spans [-0.5, width - 0.5] x [-0.5, height - 0.5].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from synth.errors import BadFile
from synth.rotation import Array

MODELS = ("pinhole", "brown_conrady", "fisheye")
COEFFICIENTS = {"pinhole": 0, "brown_conrady": 5, "fisheye": 4}  # k1 k2 p1 p2 k3 | k1 k2 k3 k4
FISHEYE_LIMIT = np.deg2rad(179.0)  # a ray straight behind the camera has no direction in the image
_NEWTON_STEPS = 30


@dataclass(frozen=True)
class Camera:
    """One calibrated camera.

    Attributes:
        model: "pinhole", "brown_conrady" (OpenCV's k1, k2, p1, p2, k3) or "fisheye" (Kannala-Brandt, OpenCV's k1..k4;
            all zero is the equidistant projection r = f theta; angles beyond 90 degrees are allowed).
        width, height: pixels.
        K: [3, 3] fx, fy, cx, cy in pixels; no skew.
        dist: distortion coefficients, [5] for brown_conrady, [4] for fisheye, [] for pinhole.
        world_from_camera: [4, 4], rigid, metres.
    """

    model: str
    width: int
    height: int
    K: Array
    dist: Array = field(default_factory=lambda: np.zeros(0))
    world_from_camera: Array = field(default_factory=lambda: np.eye(4))

    @property
    def position(self) -> Array:
        """World position [3] in metres."""
        return self.world_from_camera[:3, 3]

    @cached_property
    def limit(self) -> float:
        """How far from the axis the model is one-to-one: an angle for the fisheye, else a normalised radius."""
        if self.model == "fisheye":
            angles = np.linspace(0, FISHEYE_LIMIT, 3600)
            return _monotone_until(angles, _fisheye_radius(angles, self.dist))
        if self.model == "brown_conrady":
            radii = np.linspace(0, 20, 20001)
            k1, k2, _, _, k3 = self.dist
            return _monotone_until(radii, radii * (1 + k1 * radii**2 + k2 * radii**4 + k3 * radii**6))
        return np.inf

    def project(self, points: ArrayLike) -> tuple[Array, Array, np.ndarray]:
        """World points to pixels.

        Args:
            points: [..., 3] metres.

        Returns:
            pixels [..., 2]; depth [...] in metres (z for pinhole and brown_conrady, distance from the camera for the
            fisheye); valid [...], whether the model can see in that direction (not whether it falls inside the image).
            Pixels of invalid points are NaN.
        """
        world = np.asarray(points, dtype=float)
        local = (world - self.position) @ self.world_from_camera[:3, :3]
        x, y, z = local[..., 0], local[..., 1], local[..., 2]
        if self.model == "fisheye":
            radius = np.hypot(x, y)
            angle = np.arctan2(radius, z)
            valid = (angle <= self.limit) & (np.hypot(radius, z) > 1e-9)
            scale = _fisheye_radius(angle, self.dist) / np.where(radius > 1e-12, radius, 1.0)
            normal = np.stack([x * scale, y * scale], -1)
            depth = np.linalg.norm(local, axis=-1)
        else:
            depth = z
            valid = z > 1e-6
            safe = np.where(valid, z, 1.0)
            normal = np.stack([x / safe, y / safe], -1)
            if self.model == "brown_conrady":
                valid &= np.linalg.norm(normal, axis=-1) <= self.limit
                normal = _distort(normal, self.dist)
        uv = normal * self.K[[0, 1], [0, 1]] + self.K[:2, 2]
        return np.where(valid[..., None], uv, np.nan), depth, valid

    def unproject(self, pixels: ArrayLike) -> tuple[Array, Array]:
        """The world ray of each pixel.

        Args:
            pixels: [..., 2].

        Returns:
            origin [3] in metres and unit directions [..., 3]; NaN where no direction maps to the pixel.
        """
        normal = (np.asarray(pixels, dtype=float) - self.K[:2, 2]) / self.K[[0, 1], [0, 1]]
        if self.model == "fisheye":
            rays = _fisheye_rays(normal, self.dist, self.limit)
        else:
            if self.model == "brown_conrady":
                normal = _undistort(normal, self.dist, self.limit)
            rays = np.concatenate([normal, np.ones_like(normal[..., :1])], -1)
        rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
        return self.position.copy(), rays @ self.world_from_camera[:3, :3].T

    def inside(self, pixels: ArrayLike) -> np.ndarray:
        """Whether pixels [..., 2] fall inside the image; NaN does not."""
        uv = np.asarray(pixels, dtype=float)
        with np.errstate(invalid="ignore"):
            return ((uv >= -0.5) & (uv < np.array([self.width, self.height]) - 0.5)).all(-1)

    def scaled(self, width: int, height: int) -> Camera:
        """The same view at another size: fits the old image inside the new one, centred, without stretching pixels.

        A new size of another aspect ratio shows more (never less) of the scene along one axis.
        """
        share = min(width / self.width, height / self.height)
        k = self.K.copy()
        k[0, 0] *= share
        k[1, 1] *= share
        # pixel edges, not centres, are what scales
        k[0, 2] = (k[0, 2] + 0.5 - self.width / 2) * share + width / 2 - 0.5
        k[1, 2] = (k[1, 2] + 0.5 - self.height / 2) * share + height / 2 - 0.5
        return replace(self, width=width, height=height, K=k)

    def moved(self, world_from_camera: ArrayLike) -> Camera:
        """The same optics at another pose [4, 4]."""
        return replace(self, world_from_camera=np.asarray(world_from_camera, dtype=float))

    def field_of_view(self) -> tuple[float, float]:
        """Horizontal and vertical angle between the middles of opposite image edges, degrees (NaN past ``limit``)."""
        cx, cy = self.K[0, 2], self.K[1, 2]
        edges = [(-0.5, cy), (self.width - 0.5, cy), (cx, -0.5), (cx, self.height - 0.5)]
        _, rays = self.unproject(edges)
        angles = np.rad2deg(np.arccos(np.clip(rays @ self.world_from_camera[:3, 2], -1, 1)))
        return float(angles[0] + angles[1]), float(angles[2] + angles[3])

    def to_json(self) -> dict[str, Any]:
        """The fields of DESIGN.md's room cameras."""
        return {
            "model": self.model,
            "width": self.width,
            "height": self.height,
            "K": self.K.tolist(),
            "dist": self.dist.tolist(),
            "world_from_camera": self.world_from_camera.tolist(),
        }


def camera_from_json(value: Any, where: str | PathLike[str], at: str = "camera") -> Camera:
    """Read ``Camera.to_json``'s object.

    Raises:
        BadFile: names the field that is missing or wrong.
    """
    if not isinstance(value, Mapping):
        raise BadFile(where, at, value, "an object")
    model = value.get("model")
    if model not in MODELS:
        raise BadFile(where, f"{at}.model", model, f"one of {', '.join(MODELS)}")
    for name in ("width", "height"):
        size = value.get(name)
        if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= 16384:
            raise BadFile(where, f"{at}.{name}", size, "whole pixels from 1 to 16384")
    k = number_array(value.get("K"), (3, 3), where, f"{at}.K")
    if k[0, 0] <= 0 or k[1, 1] <= 0 or k[0, 1] != 0 or not np.array_equal(k[2], [0, 0, 1]) or k[1, 0] != 0:
        raise BadFile(where, f"{at}.K", k.tolist(), "[[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with fx, fy > 0")
    dist = number_array(value.get("dist", [0.0] * COEFFICIENTS[model]), (COEFFICIENTS[model],), where, f"{at}.dist")
    pose = number_array(value.get("world_from_camera"), (4, 4), where, f"{at}.world_from_camera")
    turn = pose[:3, :3]
    rigid = np.allclose(turn @ turn.T, np.eye(3), atol=1e-4) and np.linalg.det(turn) > 0
    if not rigid or not np.allclose(pose[3], [0, 0, 0, 1]):
        raise BadFile(where, f"{at}.world_from_camera", pose.tolist(), "a rigid 4x4 transform, no scale or mirror")
    return Camera(model, value["width"], value["height"], k, dist, pose)


def number_array(value: Any, shape: tuple[int, ...], where: str | PathLike[str], at: str) -> Array:
    """A finite float array of a given shape from JSON (-1 stands for any length), or ``BadFile``."""
    expected = f"finite numbers of shape {['any' if n < 0 else n for n in shape]}"
    try:
        array = np.array(value, dtype=float)
    except (TypeError, ValueError):
        raise BadFile(where, at, value, expected) from None
    fits = array.ndim == len(shape) and all(want in (-1, have) for want, have in zip(shape, array.shape, strict=True))
    if value is None or not fits or not np.isfinite(array).all():
        raise BadFile(where, at, value, expected)
    return array


def look_at(eye: ArrayLike, target: ArrayLike) -> Array:
    """``world_from_camera`` [4, 4] of a camera at ``eye`` that looks at ``target``, its image upright (z up).

    Straight up or down, the image's top points to world +y.
    """
    position = np.asarray(eye, dtype=float)
    forward = np.asarray(target, dtype=float) - position
    forward = forward / np.linalg.norm(forward)
    up = np.array([0.0, 0.0, 1.0]) if abs(forward[2]) < 1 - 1e-9 else np.array([0.0, 1.0, 0.0])
    right = np.cross(forward, up)
    right = right / np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], -1)
    pose[:3, 3] = position
    return pose


def pinhole_matrix(width: int, height: int, horizontal_fov: float) -> Array:
    """K of a centred pinhole with square pixels; ``horizontal_fov`` in degrees, below 180."""
    focal = width / 2 / np.tan(np.deg2rad(horizontal_fov) / 2)
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])


def fisheye_matrix(width: int, height: int, diagonal_fov: float, circle: float | None = None) -> Array:
    """K of a centred equidistant fisheye: ``diagonal_fov`` degrees across ``circle`` pixels (default: the diagonal)."""
    diameter = float(np.hypot(width, height)) if circle is None else circle
    focal = diameter / np.deg2rad(diagonal_fov)
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])


def _monotone_until(x: Array, y: Array) -> float:
    falling = np.flatnonzero(np.diff(y) <= 0)
    return float(x[falling[0]] if len(falling) else x[-1])


def _fisheye_radius(angle: Array, dist: Array) -> Array:
    """Kannala and Brandt (2006): theta (1 + k1 theta^2 + ... + k4 theta^8)."""
    square = angle**2
    k1, k2, k3, k4 = dist
    return angle * (1 + square * (k1 + square * (k2 + square * (k3 + square * k4))))


def _fisheye_rays(normal: Array, dist: Array, limit: float) -> Array:
    radius = np.linalg.norm(normal, axis=-1)
    k1, k2, k3, k4 = dist
    angle = np.minimum(radius, limit)
    for _ in range(_NEWTON_STEPS):
        square = angle**2
        slope = 1 + square * (3 * k1 + square * (5 * k2 + square * (7 * k3 + square * 9 * k4)))
        step = (_fisheye_radius(angle, dist) - radius) / np.where(np.abs(slope) < 1e-9, 1e-9, slope)
        angle = np.clip(angle - step, 0.0, limit)
    valid = np.abs(_fisheye_radius(angle, dist) - radius) < 1e-9 * (1 + radius)
    scale = np.sin(angle) / np.where(radius > 1e-12, radius, 1.0)
    rays = np.concatenate([normal * scale[..., None], np.cos(angle)[..., None]], -1)
    return np.where(valid[..., None], rays, np.nan)


def _distort(normal: Array, dist: Array) -> Array:
    """Brown (1966) and Conrady (1919) in OpenCV's order of coefficients."""
    k1, k2, p1, p2, k3 = dist
    x, y = normal[..., 0], normal[..., 1]
    square = x * x + y * y
    radial = 1 + square * (k1 + square * (k2 + square * k3))
    dx = 2 * p1 * x * y + p2 * (square + 2 * x * x)
    dy = p1 * (square + 2 * y * y) + 2 * p2 * x * y
    return np.stack([x * radial + dx, y * radial + dy], -1)


def _undistort(distorted: Array, dist: Array, limit: float) -> Array:
    """The inverse of ``_distort`` by Newton's method with the exact 2x2 Jacobian; NaN where it does not converge."""
    k1, k2, p1, p2, k3 = dist
    point = distorted.copy()
    radius = np.linalg.norm(point, axis=-1, keepdims=True)
    point = point * np.minimum(1.0, 0.9 * limit / np.where(radius > 0, radius, 1.0))
    for _ in range(_NEWTON_STEPS):
        x, y = point[..., 0], point[..., 1]
        square = x * x + y * y
        radial = 1 + square * (k1 + square * (k2 + square * k3))
        slope = 2 * (k1 + square * (2 * k2 + 3 * square * k3))
        jxx = radial + x * x * slope + 2 * p1 * y + 6 * p2 * x
        jxy = x * y * slope + 2 * p1 * x + 2 * p2 * y
        jyy = radial + y * y * slope + 6 * p1 * y + 2 * p2 * x
        error = _distort(point, dist) - distorted
        det = jxx * jyy - jxy * jxy
        det = np.where(np.abs(det) < 1e-9, 1e-9, det)
        step = np.stack([jyy * error[..., 0] - jxy * error[..., 1], jxx * error[..., 1] - jxy * error[..., 0]], -1)
        point = point - step / det[..., None]
        radius = np.linalg.norm(point, axis=-1, keepdims=True)
        point = point * np.minimum(1.0, limit / np.where(radius > 0, radius, 1.0))
    valid = np.linalg.norm(_distort(point, dist) - distorted, axis=-1) < 1e-8
    return np.where(valid[..., None], point, np.nan)
