"""What a camera would see of a performance, judged from joints and boxes before anything is staged or rendered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from render.plan import ClipPlan
from synth.camera import Camera
from synth.room import Box, Room
from synth.rotation import Array

ENOUGH = 0.7  # share of the joints that a camera must have in view to film a take
STRIDE = 0.5  # seconds between the frames that are looked at
FLESH = 0.15  # metres of a sight line, at its end, that lie inside the person and what carries them


def best_view(plans: Sequence[ClipPlan], joints: Array, present: Array, fps: float, room: Room) -> ClipPlan:
    """The first of the plans whose camera has `ENOUGH` in view, or the one that has most.

    Args:
        plans: candidates for one clip, in the order that was drawn.
        joints: metres in the world [P, T, 24, 3]. present: [P, T]. fps: of both.
        room: whose furniture may stand in the way.
    """
    step = max(1, round(STRIDE * fps))
    points = joints[:, ::step][present[:, ::step]]
    shares = []
    for plan in plans:
        shares.append(share_in_view(plan.camera, points, room))
        if shares[-1] >= ENOUGH:
            return plan
    return plans[int(np.argmax(shares))]


def share_in_view(camera: Camera, points: Array, room: Room) -> float:
    """The share of world points [..., 3] that fall into the image and are not behind furniture; 0 of no points."""
    flat = np.asarray(points, float).reshape(-1, 3)
    if not len(flat):
        return 0.0
    pixels, _, valid = camera.project(flat)
    with np.errstate(invalid="ignore"):  # NaN where the lens cannot look
        inside = valid & (pixels > -0.5).all(-1) & (pixels < np.array([camera.width, camera.height]) - 0.5).all(-1)
    way = flat - camera.position
    length = np.linalg.norm(way, axis=-1, keepdims=True)
    ends = camera.position + way * np.maximum(1 - FLESH / np.maximum(length, 1e-9), 0)
    for piece in room.furniture:
        for solid in piece.world_solids():
            inside &= ~_crosses(solid, camera.position, ends)
    return float(inside.mean())


def _crosses(box: Box, start: Array, ends: Array) -> np.ndarray:
    """Whether the segments from one point [3] to each of `ends` [N, 3] meet a box (slab method)."""
    origin, tips = box.to_local(start), box.to_local(ends)
    way = tips - origin
    way = np.where(np.abs(way) < 1e-12, 1e-12, way)
    half = np.asarray(box.size) / 2
    first, second = (-half - origin) / way, (half - origin) / way
    enter = np.minimum(first, second).max(-1)
    leave = np.maximum(first, second).min(-1)
    return np.asarray((enter <= leave) & (leave >= 0) & (enter <= 1))
