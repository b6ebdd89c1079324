"""How far away people are: what is under them is at a known height, and the camera sees in which direction they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import median_filter

from synth.camera import Camera
from synth.interaction import Interaction
from synth.motion import evidence
from synth.motion.proxies import Proxies
from synth.motion.quality import state_of
from synth.motion.soles import sole_points
from synth.room import Furniture
from synth.rotation import Array

GROUNDED = 1.0  # seconds over which the height of feet above the floor is a fault of depth
FARTHEST = 1.5  # metres that somebody is moved along the line of sight to stand on the floor
NEARBY = 0.6  # metres on the plan that who rests on a piece of furniture seems to be away from it, at most
STEEP = 0.1  # sine of the angle of a line of sight to the floor, below which the floor tells nothing about depth


@dataclass(frozen=True)
class Carrier:
    """Furniture that carries somebody while `on` [T]."""

    person: int
    on: np.ndarray
    piece: Furniture


def stood(
    motion: Interaction, proxies: list[Proxies], camera: Camera, resting: np.ndarray,
    carriers: Sequence[Carrier] = (),
) -> Interaction:  # fmt: skip
    """Everybody moved along the line of sight until feet or trunk are on the floor: a regressor's depth is its weakest.

    Args:
        resting: bool [P, T], frames whose feet say nothing; what carries the trunk then, does (see `carried_by`).
    """
    state, transl = state_of(motion, proxies), motion.transl.astype(float)
    width = 2 * round(0.5 * GROUNDED * motion.fps) + 1
    flesh = evidence.lying_flesh(proxies)
    assert flesh.radius is not None
    bottoms = (flesh.points.heights(state) - flesh.radius[:, None]).numpy().astype(float)
    for person in range(motion.people):
        trunk = bottoms[flesh.points.person.numpy() == person].min(0)
        soles = sole_points(proxies, person).heights(state).amin(0).numpy()
        low, known = np.minimum(soles, trunk), motion.present[person] & ~resting[person]
        for carrier in carriers:
            if carrier.person == person:
                low = np.where(carrier.on, trunk - evidence.seat_level(carrier.piece.seat_height), low)
                known |= carrier.on
        line = state.joints[person, :, 0].numpy().astype(float) - camera.position
        line /= np.linalg.norm(line, axis=-1, keepdims=True)
        usable = known & (line[:, 2] < -STEEP)
        if usable.sum() < 3:
            continue
        keys = np.flatnonzero(usable)
        along = np.clip(-low[keys] / line[keys, 2], -FARTHEST, FARTHEST)
        even = median_filter(along, size=min(width, len(along)), mode="nearest")
        transl[person] += np.interp(np.arange(motion.frames), keys, even)[:, None] * line
    return replace(motion, transl=transl.astype(np.float32))


def carried_by(
    motion: Interaction, proxies: list[Proxies], resting: np.ndarray, furniture: Sequence[Furniture]
) -> list[Carrier]:
    """What carries whom: of each stretch of rest, the piece with a seat to which the pelvis is nearest on the plan."""
    pieces = [piece for piece in furniture if piece.seat_height is not None]
    if not pieces:
        return []
    where, found = state_of(motion, proxies).joints[:, :, 0, :2].numpy().astype(float), []
    for person in range(motion.people):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], (resting[person] & motion.present[person]), [0]))))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            place = np.median(where[person, begin:end], 0)
            off = [_off(place, piece) for piece in pieces]
            if min(off) < NEARBY:
                on = np.zeros(motion.frames, bool)
                on[begin:end] = True
                found.append(Carrier(person, on, pieces[int(np.argmin(off))]))
    return found


def _off(place: Array, piece: Furniture) -> float:
    """Metres on the plan from a place [2] to a piece's box; 0 inside."""
    local = piece.box.to_local(np.append(place, piece.box.center[2]))[:2]
    return float(np.linalg.norm(np.maximum(np.abs(local) - np.asarray(piece.box.size)[:2] / 2, 0)))
