"""Standing people as poles: the middles of pairs of COCO's points, seen along rays of a fixed camera.

Rays are in the camera's frame (x right, y down, z forward).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synth.camera import Camera
from synth.reconstruct.floor import NoFloor
from synth.rotation import Array
from synth.skeleton import COCO_KEYPOINTS

# Heights of pairs of COCO's points over the floor in shares of the stature, of people who stand and walk; measured on
# motion capture of our library. Walkers' ankles are lifted in turn.
LEVELS = {"ankle": 0.05, "knee": 0.275, "hip": 0.49, "shoulder": 0.765, "ear": 0.875}
SHARES = np.array(list(LEVELS.values()))
ANKLE, KNEE, HIP, SHOULDER, EAR = range(5)
LEAST = 8  # poses with ankles and shoulders in view
PLACES = 3  # poses of a person at one place that are used
MOST = 160  # poses used


@dataclass(frozen=True)
class Poles:
    """N poses with ankles and shoulders or ears in view.

    Attributes:
        pixels: [N, 5, 2] of the middles of `LEVELS`. rays: [N, 5, 3] to them, of length 1.
        seen: [N, 5] bool. person: [N] whose. weight: [N], by which a pose counts.
    """

    pixels: Array
    rays: Array
    seen: np.ndarray
    person: np.ndarray
    weight: Array

    def __getitem__(self, which: np.ndarray) -> Poles:
        return Poles(self.pixels[which], self.rays[which], self.seen[which], self.person[which], self.weight[which])

    def top(self, levels: Array) -> Array:
        """Of levels [N, 5, D] the ears', or the shoulders' where no ears are seen [N, D]."""
        return np.where(self.seen[:, EAR, None], levels[:, EAR], levels[:, SHOULDER])


def poles_of(points: Array, confidence: Array, camera: Camera) -> tuple[Poles, np.ndarray]:
    """All poses with ankles and shoulders or ears in view, each of weight 1, and their person and frame [N, 2].

    Args:
        points: [P, T, 17, 2] pixels in COCO's order. confidence: [P, T, 17], 0 where unseen.

    Raises:
        NoFloor: they are fewer than `LEAST`.
    """
    pairs = [[COCO_KEYPOINTS.index(f"{side}_{name}") for side in ("left", "right")] for name in LEVELS]
    middles = np.nan_to_num(points)[:, :, pairs].mean(3)
    rays = camera.moved(np.eye(4)).unproject(middles)[1]
    both = (confidence[:, :, pairs] > 0).all(3) & np.isfinite(rays).all(-1)
    whole = both[..., ANKLE] & both[..., [SHOULDER, EAR]].any(-1)
    if whole.sum() < LEAST:
        raise NoFloor(f"floor: {whole.sum()} poses with ankles and shoulders in view; {LEAST} are needed")
    at = np.argwhere(whole)
    return Poles(middles[whole], rays[whole], both[whole], at[:, 0], np.ones(len(at))), at


def thinned(poles: Poles, rng: np.random.Generator) -> Poles:
    """A few poses of each place, which counts once: who lies in bed for an hour is one observation, as who walks by."""
    ankle, top = poles.pixels[:, ANKLE], poles.top(poles.pixels)
    cell = max(4.0, float(np.median(np.linalg.norm(top - ankle, axis=-1))) / 6)
    keys = np.concatenate([ankle, top], -1) // (cell * np.array([1, 1, 2, 2]))
    _, place = np.unique(np.concatenate([poles.person[:, None], keys], -1), axis=0, return_inverse=True)
    place = place.reshape(-1)
    order = rng.permutation(len(place))
    turn = np.zeros(len(place), int)
    for one in np.unique(place):
        mine = order[place[order] == one]
        turn[mine] = np.arange(len(mine))
    chosen = np.flatnonzero(turn < PLACES)
    if len(chosen) > MOST:
        chosen = np.sort(rng.permutation(chosen)[:MOST])
    return replace(poles[chosen], weight=1.0 / np.bincount(place[chosen])[place[chosen]])
