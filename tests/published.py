"""The feature vectors of HumanML3D and InterGen computed plainly, quaternion by quaternion and frame by frame, as the
published code describes them. Shares nothing with the package; for tests only."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

CHAINS = ((0, 2, 5, 8, 11), (0, 1, 4, 7, 10), (0, 3, 6, 9, 12, 15), (9, 14, 17, 19, 21), (9, 13, 16, 18, 20))
OFFSETS = np.array(
    [[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, -1, 0], [0, 1, 0], [0, -1, 0], [0, -1, 0], [0, 1, 0],
     [0, 0, 1], [0, 0, 1], [0, 1, 0], [1, 0, 0], [-1, 0, 0], [0, 0, 1], [0, -1, 0], [0, -1, 0], [0, -1, 0],
     [0, -1, 0], [0, -1, 0], [0, -1, 0]], float,
)  # fmt: skip


def q_mul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    w, v, x, u = a[0], a[1:], b[0], b[1:]
    return np.concatenate([[w * x - v @ u], w * u + x * v + np.cross(v, u)])


def q_inv(q: np.ndarray) -> np.ndarray:
    return q * np.array([1, -1, -1, -1])


def q_rot(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    return q_mul(q_mul(q, np.concatenate([[0.0], v])), q_inv(q))[1:]


def q_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    q = np.concatenate([[np.sqrt((a @ a) * (b @ b)) + a @ b], np.cross(a, b)])
    return q / np.linalg.norm(q)


def q_columns(q: np.ndarray) -> np.ndarray:
    return np.concatenate([q_rot(q, np.eye(3)[0]), q_rot(q, np.eye(3)[1])])


def published_263(joints: np.ndarray) -> np.ndarray:
    """HumanML3D's process_file on y-up joints [T, 22, 3], without its change of skeleton."""
    p = joints.copy()
    p[..., 1] -= p[..., 1].min()
    start = p[0].copy()
    p -= start[0] * np.array([1, 0, 1])
    across = (start[2] - start[1]) + (start[17] - start[16])
    forward = np.cross([0, 1, 0], across / np.linalg.norm(across))
    first = q_between(forward / np.linalg.norm(forward), np.array([0.0, 0, 1]))
    p = np.array([[q_rot(first, joint) for joint in frame] for frame in p])

    headings = []
    for frame in p:  # joints 2, 1 are unpacked as "left, right hip" there, which turns their vector round
        across = (frame[1] - frame[2]) + (frame[17] - frame[16])
        headings.append(np.cross([0, 1, 0], across / np.linalg.norm(across)))
    kernel = np.exp(-0.5 * (np.arange(-80, 81) / 20.0) ** 2)  # gaussian_filter1d(sigma=20): radius 4 sigma
    padded = np.concatenate([[headings[0]] * 80, headings, [headings[-1]] * 80])
    root = []
    for t in range(len(p)):
        smooth = (padded[t : t + 161] * (kernel / kernel.sum())[:, None]).sum(0)
        root.append(q_between(smooth / np.linalg.norm(smooth), np.array([0.0, 0, 1])))

    rows = []
    for t in range(len(p) - 1):
        turned = [np.zeros(4)] * 22
        for chain in CHAINS:
            before = root[t]
            for parent, joint in pairwise(chain):
                bone = p[t, joint] - p[t, parent]
                local = q_mul(q_inv(before), q_between(OFFSETS[joint], bone / np.linalg.norm(bone)))
                turned[joint] = local
                before = q_mul(before, local)
        spin = q_mul(root[t + 1], q_inv(root[t]))
        step = q_rot(root[t + 1], p[t + 1, 0] - p[t, 0])
        ric = [q_rot(root[t], p[t, j] - p[t, 0] * np.array([1, 0, 1])) for j in range(1, 22)]
        speed = [q_rot(root[t], p[t + 1, j] - p[t, j]) for j in range(22)]
        down = [float(((p[t + 1, j] - p[t, j]) ** 2).sum() < 0.002) for j in (7, 10, 8, 11)]
        six = [q_columns(turned[j]) for j in range(1, 22)]
        rows.append(np.concatenate([[np.arcsin(spin[2])], step[[0, 2]], [p[t, 0, 1]], *ric, *six, *speed, down]))
    return np.array(rows)


def published_recovery(data: np.ndarray) -> np.ndarray:
    """HumanML3D's recover_from_ric: y-up joints [T, 22, 3]."""
    angle = np.cumsum(np.concatenate([[0.0], data[:-1, 0]]))
    place, frames = np.zeros(3), []
    for t, row in enumerate(data):
        back = q_inv(np.array([np.cos(angle[t]), 0, np.sin(angle[t]), 0]))
        if t:
            place = place + q_rot(back, np.array([data[t - 1, 1], 0, data[t - 1, 2]]))
        joints = [np.array([place[0], row[3], place[2]])]
        for j in range(21):
            joints.append(q_rot(back, row[4 + 3 * j : 7 + 3 * j]) + place * np.array([1, 0, 1]))
        frames.append(joints)
    return np.array(frames)


def published_262(first: np.ndarray, second: np.ndarray) -> list[np.ndarray]:
    """InterGen's process_motion_np of both (z-up [T, 192]: joints, then 6D), then rigid_transform of the second."""
    made = []
    for motion in (first, second):
        p = motion[:, :66].reshape(-1, 22, 3) @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]).T
        p[..., 1] -= p[..., 1].min()
        start = p[0].copy()
        place = start[0] * np.array([1, 0, 1])
        p = p - place
        across = start[2] - start[1]
        forward = np.cross([0, 1, 0], across / np.linalg.norm(across))
        turn = q_between(forward / np.linalg.norm(forward), np.array([0.0, 0, 1]))
        p = np.array([[q_rot(turn, joint) for joint in frame] for frame in p])
        feet = [((p[1:, ids] - p[:-1, ids]) ** 2).sum(-1) < 0.001 for ids in ([7, 10], [8, 11])]
        low = [p[:-1, ids, 1] < np.array([0.12, 0.05]) for ids in ([7, 10], [8, 11])]
        contact = [(f & h).astype(float) for f, h in zip(feet, low, strict=True)]
        speed = (p[1:] - p[:-1]).reshape(len(p) - 1, -1)
        made.append((np.concatenate([p.reshape(len(p), -1)[:-1], speed, motion[:-1, 66:], *contact], -1), turn, place))
    (data1, turn1, place1), (data2, turn2, place2) = made
    between = q_mul(turn2, q_inv(turn1))
    angle, shift = np.arctan2(between[2], between[0]), q_rot(turn1, place2 - place1)[[0, 2]]
    back = q_inv(np.array([np.cos(angle), 0, np.sin(angle), 0]))
    for row in data2:
        for j in range(22):
            row[3 * j : 3 * j + 3] = q_rot(back, row[3 * j : 3 * j + 3]) + np.array([shift[0], 0, shift[1]])
            row[66 + 3 * j : 69 + 3 * j] = q_rot(back, row[66 + 3 * j : 69 + 3 * j])
    return [data1, data2]
