"""Rotations as NumPy arrays, batched over leading axes: matrices, axis-angle (files), quaternions w x y z (Blender)."""

import numpy as np

_SMALL = 1e-8
# SMPL's rest pose has y up; Blender's armature stands: (x, y, z) -> (x, -z, y)
UPRIGHT = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def from_axis_angle(vector: np.ndarray) -> np.ndarray:
    """Rodrigues' formula: axis times radians [..., 3] -> matrices [..., 3, 3]."""
    v = np.asarray(vector, float)
    angle = np.linalg.norm(v, axis=-1)[..., None, None]
    small = angle < _SMALL
    safe = np.where(small, 1.0, angle)
    x, y, z = np.moveaxis(v, -1, 0)
    zero = np.zeros_like(x)
    k = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*v.shape[:-1], 3, 3)
    first = np.where(small, 1.0, np.sin(safe) / safe)
    second = np.where(small, 0.5, (1 - np.cos(safe)) / safe**2)
    return np.eye(3) + first * k + second * (k @ k)


def to_quaternion(matrix: np.ndarray) -> np.ndarray:
    """Unit quaternions w x y z, w >= 0 [..., 3, 3] -> [..., 4]; stable at every angle (Shepperd 1978)."""
    m = np.asarray(matrix, float)
    a, b, c = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    squares = np.stack([1 + a + b + c, 1 + a - b - c, 1 - a + b - c, 1 - a - b + c], -1)
    yz, zx, xy = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    sxy, szx, syz = m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0], m[..., 2, 1] + m[..., 1, 2]
    rows = [
        (squares[..., 0], yz, zx, xy), (yz, squares[..., 1], sxy, szx),
        (zx, sxy, squares[..., 2], syz), (xy, szx, syz, squares[..., 3]),
    ]  # fmt: skip
    candidates = np.stack([np.stack(row, -1) for row in rows], -2)
    q = np.take_along_axis(candidates, squares.argmax(-1)[..., None, None], -2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[..., :1] < 0, -q, q)


def to_axis_angle(matrix: np.ndarray) -> np.ndarray:
    """Axis times angle, angle in [0, pi] [..., 3, 3] -> [..., 3]."""
    q = to_quaternion(matrix)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    small = sine < _SMALL
    return q[..., 1:] * np.where(small, 2.0, 2 * np.arctan2(sine, q[..., :1]) / np.where(small, 1.0, sine))


def continuous(quaternions: np.ndarray) -> np.ndarray:
    """The same rotations with signs such that neighbours along the first axis are near: what curves need."""
    q = np.array(quaternions, float)
    turned = (q[1:] * q[:-1]).sum(-1) < 0
    q[1:][np.cumsum(turned, 0) % 2 == 1] *= -1
    return q


def nearest(matrix: np.ndarray) -> np.ndarray:
    """The rotation nearest to matrices that carry rounding [..., 3, 3]."""
    u, _, v = np.linalg.svd(matrix)
    sign = np.ones((*u.shape[:-2], 3))
    sign[..., 2] = np.linalg.det(u @ v)
    return (u * sign[..., None, :]) @ v


def forward_kinematics(local: np.ndarray, rest: np.ndarray, root: np.ndarray, parents: tuple) -> tuple:
    """World joints [..., J, 3] and rotations [..., J, 3, 3].

    Args:
        local: relative to the parent [..., J, 3, 3]. rest: rest joints [J, 3]. root: where the root is [..., 3].
    """
    turns, joints = [], []
    for index, parent in enumerate(parents):
        if parent < 0:
            turns.append(local[..., 0, :, :])
            joints.append(root)
            continue
        joints.append(joints[parent] + (turns[parent] @ (rest[index] - rest[parent])[:, None])[..., 0])
        turns.append(turns[parent] @ local[..., index, :, :])
    return np.stack(joints, -2), np.stack(turns, -3)
