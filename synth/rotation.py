"""Rotations as NumPy arrays: matrices in code, axis-angle in files, 6D only inside learned features.

Every function is batched over leading axes and works in float64 unless given float32 throughout.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]

_SMALL = 1e-8


def skew(vector: ArrayLike) -> Array:
    """The matrix K with K u = v x u, thesis eq. 4.3. [..., 3] -> [..., 3, 3]."""
    v = np.asarray(vector, dtype=float)
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*v.shape[:-1], 3, 3)


def axis_angle_to_matrix(axis_angle: ArrayLike) -> Array:
    """Rodrigues' formula. Axis times angle in radians [..., 3] -> [..., 3, 3]."""
    v = np.asarray(axis_angle, dtype=float)
    angle = np.linalg.norm(v, axis=-1)[..., None, None]
    small = angle < _SMALL
    safe = np.where(small, 1.0, angle)
    k = skew(v)
    # sin(a)/a and (1-cos a)/a^2, with their series at zero
    first = np.where(small, 1.0 - angle**2 / 6, np.sin(safe) / safe)
    second = np.where(small, 0.5 - angle**2 / 24, (1 - np.cos(safe)) / safe**2)
    return np.eye(3) + first * k + second * (k @ k)


def matrix_to_quaternion(matrix: ArrayLike) -> Array:
    """Unit quaternion w x y z with w >= 0. [..., 3, 3] -> [..., 4]. Stable at every angle (Shepperd 1978)."""
    m = np.asarray(matrix, dtype=float)
    m00, m11, m22 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    # Four times each component squared; dividing by the largest never divides by something small.
    squares = np.stack([1 + m00 + m11 + m22, 1 + m00 - m11 - m22, 1 - m00 + m11 - m22, 1 - m00 - m11 + m22], -1)
    best = squares.argmax(-1)
    yz, zx, xy = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    sxy, szx, syz = m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0], m[..., 2, 1] + m[..., 1, 2]
    candidates = np.stack(
        [
            np.stack([squares[..., 0], yz, zx, xy], -1),
            np.stack([yz, squares[..., 1], sxy, szx], -1),
            np.stack([zx, sxy, squares[..., 2], syz], -1),
            np.stack([xy, szx, syz, squares[..., 3]], -1),
        ],
        -2,
    )
    q = np.take_along_axis(candidates, best[..., None, None], -2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[..., :1] < 0, -q, q)


def quaternion_to_matrix(quaternion: ArrayLike) -> Array:
    """Quaternion w x y z of any length > 0 -> rotation matrix. [..., 4] -> [..., 3, 3]."""
    q = np.asarray(quaternion, dtype=float)
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    w, x, y, z = np.moveaxis(q, -1, 0)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return np.stack(rows, -1).reshape(*q.shape[:-1], 3, 3)


def matrix_to_axis_angle(matrix: ArrayLike) -> Array:
    """Axis times angle, angle in [0, pi]. [..., 3, 3] -> [..., 3]."""
    q = matrix_to_quaternion(matrix)
    w, xyz = q[..., :1], q[..., 1:]
    sine = np.linalg.norm(xyz, axis=-1, keepdims=True)
    small = sine < _SMALL
    scale = np.where(small, 2.0, 2 * np.arctan2(sine, w) / np.where(small, 1.0, sine))
    return xyz * scale


def matrix_to_6d(matrix: ArrayLike) -> Array:
    """The first two COLUMNS, one after the other (Zhou et al. 2019). [..., 3, 3] -> [..., 6]."""
    m = np.asarray(matrix)
    return np.concatenate([m[..., :, 0], m[..., :, 1]], -1)


def matrix_from_6d(six: ArrayLike) -> Array:
    """Gram-Schmidt of two columns. [..., 6] -> [..., 3, 3]."""
    s = np.asarray(six, dtype=float)
    first = s[..., :3] / np.linalg.norm(s[..., :3], axis=-1, keepdims=True)
    second = s[..., 3:] - (first * s[..., 3:]).sum(-1, keepdims=True) * first
    second = second / np.linalg.norm(second, axis=-1, keepdims=True)
    return np.stack([first, second, np.cross(first, second)], -1)


def axis_matrix(axis: str, angle: ArrayLike) -> Array:
    """Rotation about one world axis ("x", "y" or "z") by ``angle`` radians. [...] -> [..., 3, 3]."""
    a = np.asarray(angle, dtype=float)
    vector = np.zeros((*a.shape, 3))
    vector[..., "xyz".index(axis)] = a
    return axis_angle_to_matrix(vector)


def euler_to_matrix(order: str, angles: ArrayLike) -> Array:
    """Product in the written order: "zyx" gives Rz(a0) Ry(a1) Rx(a2). Radians [..., n] -> [..., 3, 3]."""
    a = np.asarray(angles, dtype=float)
    result = np.broadcast_to(np.eye(3), (*a.shape[:-1], 3, 3))
    for index, axis in enumerate(order.lower()):
        result = result @ axis_matrix(axis, a[..., index])
    return result


def yaw_matrix(yaw: ArrayLike) -> Array:
    """Rotation about the world's z axis. Radians [...] -> [..., 3, 3]."""
    return axis_matrix("z", yaw)


def rotation_between(source: ArrayLike, target: ArrayLike) -> Array:
    """The smallest rotation that turns ``source`` to ``target`` (thesis eq. 4.3-4.4). [..., 3] twice -> [..., 3, 3].

    Opposite directions have no unique answer: half a turn about some perpendicular axis is returned.
    """
    a = np.asarray(source, dtype=float)
    b = np.asarray(target, dtype=float)
    a, b = (v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (a, b))
    a, b = np.broadcast_arrays(a, b)
    cosine, cross = (a * b).sum(-1)[..., None, None], np.cross(a, b)
    sine = np.linalg.norm(cross, axis=-1, keepdims=True)
    perpendicular = np.cross(a, np.eye(3)[np.abs(a).argmin(-1)])
    axis = np.where(sine > 1e-12, cross, perpendicular)
    # Eq. 4.4 over the unit axis: dividing by s^2 there loses every digit as the directions become opposite.
    k = skew(axis / np.linalg.norm(axis, axis=-1, keepdims=True))
    return np.eye(3) + sine[..., None] * k + (1 - cosine) * (k @ k)


def slerp(times: ArrayLike, matrices: ArrayLike, new_times: ArrayLike) -> Array:
    """Rotations at ``new_times`` by spherical interpolation between keys; held constant outside them.

    Args:
        times: increasing seconds [T].
        matrices: rotations at those times [T, ..., 3, 3].
        new_times: seconds [N].

    Returns:
        [N, ..., 3, 3].
    """
    t, m, n = np.asarray(times, dtype=float), np.asarray(matrices, dtype=float), np.asarray(new_times, dtype=float)
    if len(t) == 1:
        return np.repeat(m, len(n), 0)
    left = np.clip(np.searchsorted(t, n, side="right") - 1, 0, len(t) - 2)
    share = np.clip((n - t[left]) / (t[left + 1] - t[left]), 0, 1)
    start = m[left]
    step = matrix_to_axis_angle(np.swapaxes(start, -1, -2) @ m[left + 1])
    return start @ axis_angle_to_matrix(step * share.reshape(-1, *[1] * (step.ndim - 1)))
