"""What people do in company: stand about, come up and stop, talk with their hands, nod; all from captured movement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synth.corpus.care.script import FPS
from synth.corpus.care.strategies import Cast
from synth.corpus.care.tracks import StanceKey, Track, crossfade, feet_path, stance_track, standing_feet, stretch
from synth.rotation import Array, axis_angle_to_matrix, axis_matrix, matrix_to_axis_angle
from synth.skeleton import JOINT, forward_kinematics

ARMS = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("collar", "shoulder", "elbow", "wrist"))
_EASE = 0.45  # seconds in which a gesture comes and goes


def to_and_fro(track: Track, frames: int, first: int = 0) -> Track:
    """`frames` of a piece of standing or sitting, which goes back where it ends."""
    cycle = (first + np.arange(frames)) % max(1, 2 * track.frames - 2)
    cycle = np.where(cycle < track.frames, cycle, 2 * track.frames - 2 - cycle)
    return Track(track.pelvis[cycle], track.rotmats[cycle])


def standing(cast: Cast, who: int, frames: int, at: Sequence[float], name: str = "idle", first: int = 0) -> Track:
    """Captured standing of `who`, the pelvis over (x, y) and facing `yaw` to begin with: at = (x, y, yaw)."""
    track = to_and_fro(cast.piece(who, name), frames, first)
    return track.placed(0, at[2], np.array(at[:2]))


def arriving(
    cast: Cast,
    who: int,
    frames: int,
    at: Sequence[float],
    keys: Sequence[StanceKey],
    walked: float = 1.3,
    tempo: float = 1.1,
    name: str = "walk_stop",
) -> tuple[Track, float]:
    """Walk up over the last `walked` metres of a captured walk, stop at (x, y, yaw), and stand there as `keys` say.

    Returns the track [frames] and the second at which the feet have stopped. The keys' times count from there.
    """
    walk = cast.piece(who, name)
    left = np.linalg.norm(walk.pelvis[:, :2] - walk.pelvis[-1, :2], axis=-1)
    begin = int(np.flatnonzero(left > walked)[-1]) if (left > walked).any() else 0
    walk = Track(walk.pelvis[begin:], walk.rotmats[begin:])
    walk = _on_toes(stretch(walk, max(4, round(walk.frames * tempo))), cast.rest[who])
    stop = int(np.flatnonzero(np.linalg.norm(walk.pelvis[:, :2] - walk.pelvis[-1, :2], axis=-1) > 0.12)[-1])
    walk = walk.placed(walk.frames - 1, at[2], np.array(at[:2]))
    order = np.minimum(np.arange(frames), walk.frames - 1)
    moving = Track(walk.pelvis[order], walk.rotmats[order])
    times = np.arange(frames) / FPS
    feet = feet_path(times, standing_feet(walk, -1, cast.rest[who]), [])
    moment = stop / FPS
    later = [StanceKey(key.time + moment, key.drop, key.lean, key.shift, key.turn) for key in keys]
    stance = stance_track(times, feet, [StanceKey(0.0, later[0].drop, later[0].lean), *later], cast.rest[who])
    return crossfade(moving, stance, stop, min(stop + round(0.7 * FPS), frames - 1)), moment


def _on_toes(track: Track, rest: Array) -> Track:
    """Toes stay level while the heel rises and the foot rolls over its ball; captures have no joint there."""
    joints, world = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    rotmats = track.rotmats.copy()
    for side in ("left", "right"):
        ankle = JOINT[f"{side}_ankle"]
        down = np.arcsin(np.clip(-world[:, ankle, 2, 2], -1, 1))
        low = np.clip((0.3 - joints[:, ankle, 2]) / 0.1, 0, 1)
        foot = JOINT[f"{side}_foot"]
        rotmats[:, foot] = rotmats[:, foot] @ axis_matrix("x", -low * np.clip(down, 0, 0.7))
    return Track(track.pelvis, rotmats)


def speaking(track: Track, piece: Track, begin: float, end: float, amount: float = 1.0) -> Track:
    """Arms and head of a captured gesture laid over a track from `begin` to `end` seconds; `amount` of the way."""
    first, last = round(begin * FPS), min(round(end * FPS), track.frames)
    if last - first < 4:
        return track
    told = to_and_fro(piece, last - first)
    index = [JOINT[name] for name in ARMS]
    times = np.arange(last - first) / FPS
    share = np.clip(np.minimum(times / _EASE, (times[-1] - times) / _EASE), 0, 1)
    share = amount * share * share * (3 - 2 * share)
    rotmats = track.rotmats.copy()
    there = rotmats[first:last, index]
    step = matrix_to_axis_angle(np.swapaxes(there, -1, -2) @ told.rotmats[:, index])
    rotmats[first:last, index] = there @ axis_angle_to_matrix(step * share[:, None, None])
    # trunk and head join in a little
    own = [JOINT[name] for name in ("spine2", "spine3", "neck", "head")]
    way = matrix_to_axis_angle(np.swapaxes(told.rotmats[:1, own], -1, -2) @ told.rotmats[:, own])
    way = np.clip(way, -0.25, 0.25) * (0.6 * share)[:, None, None]
    rotmats[first:last, own] = rotmats[first:last, own] @ axis_angle_to_matrix(way)
    return Track(track.pelvis, rotmats)


def nodding(track: Track, moments: Sequence[float], deep: float = 0.22) -> Track:
    """A double nod from every moment on (seconds); `deep` radians."""
    times = np.arange(track.frames) / FPS
    bend = np.zeros(track.frames)
    for moment in moments:
        since = times - moment
        for start, share in ((0.0, 1.0), (0.42, 0.7)):
            inside = np.clip((since - start) / 0.42, 0, 1)
            bend += deep * share * np.sin(np.pi * inside) ** 2
    rotmats = track.rotmats.copy()
    for name in ("neck", "head"):
        rotmats[:, JOINT[name]] = rotmats[:, JOINT[name]] @ axis_matrix("x", 0.5 * bend)
    return Track(track.pelvis, rotmats)


def turned_to(at: Sequence[float], other: Sequence[float], off: float = 0.0) -> tuple[float, float, float]:
    """The place (x, y), facing the point `other`, `off` radians to the left of it."""
    yaw = float(np.arctan2(other[1] - at[1], other[0] - at[0])) + off
    return float(at[0]), float(at[1]), yaw


def moments(rng: np.random.Generator, begin: float, end: float, apart: float = 1.7) -> list[float]:
    """Moments between two, about `apart` seconds from each other."""
    found, at = [], begin + float(rng.uniform(0.2, 0.8))
    while at < end - 0.6:
        found.append(at)
        at += apart * float(rng.uniform(0.7, 1.4))
    return found
