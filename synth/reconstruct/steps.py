"""Which feet of who walks stand, as the picture says: an ankle that stays on one spot of the floor carries its owner.

A motion that is smoothed until it no longer shakes has soft steps: its feet never quite stop. Annotated ankles are not
smoothed; where their lines of sight meet the height of a standing ankle, a foot that stands stays in its place.
"""

from __future__ import annotations

import numpy as np

from synth.camera import Camera
from synth.motion.metrics import velocity
from synth.reconstruct.grounding import STEEP
from synth.reconstruct.keypoints import Observed
from synth.rotation import Array
from synth.skeleton import COCO_KEYPOINTS

ANKLE = 0.085  # metres above the floor of the ankle of a foot that stands flat
ANKLES = tuple(COCO_KEYPOINTS.index(f"{side}_ankle") for side in ("left", "right"))
WALKING = 0.5  # m/s of somebody's way; below it, feet are slow enough for the motion itself to tell
STANDS = 0.7  # share of its owner's speed that an ankle seems to move at most while its foot stands: pixels are noisy
LEAST = 0.3  # m/s that noise alone seems to move it


def standing(observed: Observed, camera: Camera, way: Array) -> np.ndarray:
    """Whose feet are seen to stand while they walk, bool [P, T, 2], left and right.

    Args:
        observed: keypoints of P people over T frames.
        camera: in the world, floor z = 0.
        way: where people are [P, T, 2], metres.
    """
    shape = (observed.people, observed.frames, 2)
    if observed.frames < 3:
        return np.zeros(shape, bool)
    walks = speed(way, observed.fps)
    places, found = _places(observed, camera), np.zeros(shape, bool)
    frames = np.arange(observed.frames)
    for person, side in np.ndindex(observed.people, 2):
        known = np.flatnonzero(np.isfinite(places[person, :, side, 0]))
        if len(known) < 3:
            continue
        path = np.stack([np.interp(frames, known, row[known]) for row in places[person, :, side].T], -1)
        near = np.abs(frames[:, None] - known).min(1) <= 1
        slow = speed(path, observed.fps) < np.maximum(LEAST, STANDS * walks[person])
        found[person, :, side] = slow & near & (walks[person] > WALKING)
    return found


def _places(observed: Observed, camera: Camera) -> Array:
    """Where ankles are on the plan if their feet stand [P, T, 2, 2]; NaN where they are not seen or not seen from
    above."""
    eye, rays = camera.unproject(np.nan_to_num(observed.keypoints[:, :, ANKLES]))
    with np.errstate(divide="ignore", invalid="ignore"):
        hits = eye + ((ANKLE - eye[2]) / rays[..., 2])[..., None] * rays
    told = (observed.seen[:, :, ANKLES] > 0) & (rays[..., 2] < -STEEP)
    return np.where(told[..., None], hits[..., :2], np.nan)


def speed(path: Array, fps: float) -> Array:
    """m/s of paths [..., T, 2]; one frame stands still."""
    return np.asarray(np.linalg.norm(velocity(path[..., None, :], fps)[..., 0, :], axis=-1))
