"""Feet by name: which soles stand when, where, and which are in the air, as the optimiser's terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from synth.motion.contact import Floor, FootLock, Points
from synth.motion.fit import State
from synth.motion.kinematics import forward_kinematics
from synth.motion.proxies import Proxies, points_of
from synth.rotation import Array, yaw_matrix
from synth.skeleton import facing_yaw

SIDES = ("left", "right")
# No sole that is said to stand is so high above the floor (metres), or moves so fast (m/s).
RAISED, STEPPING = 0.2, 0.35
SWING = 0.03  # metres that a foot that swings is above the floor


class Way(Protocol):
    """Where a body goes: pelvis [T, 3] and local rotations [T, 24, 3, 3] (`synth.corpus.care.tracks.Track`)."""

    @property
    def pelvis(self) -> np.ndarray: ...

    @property
    def rotmats(self) -> np.ndarray: ...


def sole_points(proxies: Sequence[Proxies], person: int) -> Points:
    """Heel and ball of the left foot, then of the right."""
    return points_of(proxies, [(person, f"{side}_{spot}") for side in SIDES for spot in ("heel", "ball")])


def planned_feet(
    proxies: Sequence[Proxies], person: int, xy: Array, yaw: Array, lift: Array, planted: np.ndarray
) -> list[FootLock]:
    """Follow given ankle places [T, 2, 2], yaws [T, 2] and lifts [T, 2]: exact where planted, loose in the air."""
    anchors = np.zeros((4, len(xy), 3), np.float32)
    for side, name in enumerate(SIDES):
        ahead = np.stack([np.cos(yaw[:, side]), np.sin(yaw[:, side])], -1)
        for index, spot in enumerate(("heel", "ball")):
            along = proxies[person].spot(f"{name}_{spot}").offset[2]
            anchors[2 * side + index, :, :2] = xy[:, side] + along * ahead
            anchors[2 * side + index, :, 2] = lift[:, side] * (1.3 if spot == "heel" else 0.8)
    down = np.repeat(planted.T.astype(np.float32), 2, 0)
    soles, anchor = sole_points(proxies, person), torch.from_numpy(anchors)
    tight = FootLock(soles, anchor, torch.from_numpy(down))
    return [tight, FootLock(soles, anchor, torch.from_numpy(1 - down), sigma=0.03, name="foot_swing")]


def detected_feet(
    proxies: Sequence[Proxies],
    person: int,
    rest: Tensor,
    transl: Tensor,
    rotmats: Tensor,
    fps: float,
    speed: float | np.ndarray = 0.22,
    height: float = 0.06,
    stands: np.ndarray | None = None,
    seen: np.ndarray | None = None,
) -> list[FootLock]:
    """Plants read off a motion: heel and ball, each where slow and low for 0.15 s or more; on the floor.

    Args:
        speed: m/s below which a point stands; one number, or [T].
        stands: bool [T, 4], where they are said to stand; then that counts, unless they are `RAISED` or `STEPPING`.
        seen: bool [T, 4], where they are seen to stand whatever the motion says of speeds, unless they are `RAISED`.
    """
    soles = sole_points(proxies, person)
    alone = Points(torch.zeros_like(soles.person), soles.joint, soles.offset, soles.normal)
    joints, spun = forward_kinematics(
        rotmats[person : person + 1], rest[person : person + 1, None], transl[person : person + 1]
    )
    turned = torch.einsum("ntij,nj->nti", spun[0, :, alone.joint].permute(1, 0, 2, 3), alone.offset)
    where = joints[0, :, alone.joint].permute(1, 0, 2) + turned  # [4, T, 3]
    path = where.numpy().astype(float)
    move = np.linalg.norm(np.gradient(path, 1 / fps, axis=1), axis=-1)
    low = path[..., 2] < np.minimum(path[..., 2].min() + height, height + 0.05)
    down = (move < speed) & low if stands is None else stands.T & (path[..., 2] < RAISED) & (move < STEPPING)
    if seen is not None:
        down |= seen.T & (path[..., 2] < RAISED)
    anchors = path.copy()
    for row in range(4):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], down[row].astype(int), [0]))))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            if end - begin < 0.15 * fps:
                down[row, begin:end] = False
                continue
            anchors[row, begin:end] = np.median(path[row, begin:end], 0)
            anchors[row, begin:end, 2] = 0.0
    _rigid(anchors, down, proxies, person)
    window_ = torch.from_numpy(down.astype(np.float32))
    return [FootLock(soles, torch.from_numpy(anchors.astype(np.float32)), window_)]


def swinging_feet(
    proxies: Sequence[Proxies], person: int, lock: FootLock, state: State, fps: float, speed: float = 0.15
) -> Floor:
    """Feet that move without a plant are off the floor: heel, ball and toes.

    Args:
        lock: of the person's heels and balls, as `detected_feet` gives it.
        speed: m/s over the floor; a foot of which some point is slower need not be lifted.
    """
    points = points_of(proxies, [(person, f"{side}_{spot}") for side in SIDES for spot in ("heel", "ball", "toes")])
    where = points.where(state)[..., :2].unflatten(0, (2, 3))
    fast = torch.diff(where, dim=2, prepend=where[:, :, :1]).norm(dim=-1) * fps > speed
    planted = (lock.window > 0).unflatten(0, (2, 2)).any(1)
    free = fast.all(1) & ~planted
    lifted = torch.full((6,), SWING)
    return Floor(points, 0.006, "swing", lifted, free.float().repeat_interleave(3, 0))


def carried_feet(
    proxies: Sequence[Proxies], person: int, rest: Tensor, pelvis: Array, rotmats: Array, way: Way, fps: float
) -> list[FootLock]:
    """Plants of a captured walk for the same steps along another way: each is moved as the pelvis is in its middle.

    Args:
        rest: [P, 24, 3] rest joints.
        pelvis, rotmats: the walk as it was captured [T, 3], [T, 24, 3, 3].
        way: the pelvis and rotations that it is played with, over the same frames.
    """
    people = len(proxies)
    transl = torch.zeros(people, len(pelvis), 3)
    transl[person] = torch.from_numpy(pelvis).float() - rest[person, 0]
    turned = torch.eye(3).expand(people, len(pelvis), 24, 3, 3).clone()
    turned[person] = torch.from_numpy(rotmats).float()
    (lock,) = detected_feet(proxies, person, rest, transl, turned, fps)
    anchor, down = lock.anchor.numpy().astype(float), lock.window.numpy() > 0
    turns = facing_yaw(way.rotmats[:, 0]) - facing_yaw(rotmats[:, 0])
    for side in (0, 2):
        either, both = down[side] | down[side + 1], down[side] & down[side + 1]
        edges = np.flatnonzero(np.diff(np.concatenate(([0], either.astype(int), [0]))))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            inside = np.flatnonzero(both[begin:end])
            middle = begin + (int(inside.mean()) if len(inside) else (end - begin) // 2)
            turn = yaw_matrix(float(turns[middle]))[:2, :2]
            for row in (side, side + 1):
                off = anchor[row, begin:end, :2] - pelvis[middle, :2]
                anchor[row, begin:end, :2] = way.pelvis[middle, :2] + off @ turn.T
    return [FootLock(lock.soles, torch.from_numpy(anchor.astype(np.float32)), lock.window)]


def _rigid(anchors: np.ndarray, down: np.ndarray, proxies: Sequence[Proxies], person: int) -> None:
    """While heel and ball both stand, their anchors keep the foot's own length."""
    for side, name in enumerate(SIDES):
        heel, ball = anchors[2 * side], anchors[2 * side + 1]
        both = down[2 * side] & down[2 * side + 1]
        length = abs(proxies[person].spot(f"{name}_ball").offset[2] - proxies[person].spot(f"{name}_heel").offset[2])
        line = ball[both] - heel[both]
        line = line / np.maximum(np.linalg.norm(line, axis=-1, keepdims=True), 1e-6)
        middle = 0.5 * (ball[both] + heel[both])
        heel[both], ball[both] = middle - 0.5 * length * line, middle + 0.5 * length * line
