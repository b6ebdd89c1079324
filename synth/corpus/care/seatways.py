"""Around sitting down and rising: steps up to a seat and on from it, a try that is given up, a look back."""

from __future__ import annotations

import numpy as np

from synth.corpus.care.floorways import follow
from synth.corpus.care.kneeling import stops, walked_up
from synth.corpus.care.limbs import shares, stepping
from synth.corpus.care.script import FPS, PATIENT
from synth.corpus.care.strategies import Cast
from synth.corpus.care.tracks import Footstep, StanceKey, Track, feet_path, stance_track, standing_feet
from synth.rotation import axis_matrix
from synth.skeleton import JOINT


def onwards(cast: Cast, track: Track, count: int, tempo: float) -> Track:
    """Steps straight on from where a track ends."""
    rest = cast.rest[PATIENT]
    start = standing_feet(track, -1, rest)
    stride, pace = 0.33, 0.62 * tempo
    steps, time, ahead = [], 0.5, 0.0
    for index in range(count):
        side = ("right", "left")[index % 2]
        ahead += 0.0 if index == count - 1 else stride
        x, y, yaw = start[side]
        steps.append(Footstep(side, time, time + 0.85 * pace, (x + ahead, y), yaw))
        time += pace
    times = np.arange(round((time + 0.4) * FPS)) / FPS
    keys = [StanceKey(0.0, 0.05, 0.14)]
    return cast.alive(PATIENT, stepping(times, feet_path(times, start, steps), keys, rest))


def faltering(cast: Cast, track: Track, tries: int, tempo: float) -> Track:
    """Bends and sinks a little over where the feet are, thinks better of it, and comes up again."""
    rest = cast.rest[PATIENT]
    keys, at = [StanceKey(0.0, 0.03, 0.14)], 0.5
    for _ in range(tries):
        keys += [StanceKey(at, 0.03, 0.14), StanceKey(at + 1.0 * tempo, 0.09, 0.7),
                 StanceKey(at + 2.1 * tempo, 0.03, 0.12)]  # fmt: skip
        at += 2.3 * tempo
    times = np.arange(round(at * FPS)) / FPS
    feet = feet_path(times, standing_feet(track, 0, rest), [])
    return cast.alive(PATIENT, stance_track(times, feet, keys, rest))


def coming_up(cast: Cast, track: Track, comes: str, tempo: float, rng: np.random.Generator) -> tuple[Track, float]:
    """A captured walk up to where `track` begins, and small steps around; also the second at which the walk stops."""
    rest = cast.rest[PATIENT]
    last = standing_feet(track, 0, rest)
    middle = 0.5 * (np.array(last["left"][:2]) + np.array(last["right"][:2]))
    yaw = np.pi if comes == "front" else np.pi / 2
    ahead = np.array([np.cos(yaw), np.sin(yaw)])
    walk = walked_up(cast, float(rng.uniform(0.9, 1.3)), 1.25 * tempo)
    stand = middle + np.array([0.12, 0.0]) - 0.06 * ahead
    walk = walk.placed(walk.frames - 1, yaw, stand)
    start = standing_feet(walk, -1, rest)
    count = 4 if comes == "front" else 3
    pace = 0.5 * tempo
    # who faces +y turns right, who faces -x turns left through -y
    turn = -np.pi / 2 if comes == "side" else np.pi
    first = {side: np.array(start[side][:2]) for side in start}
    origin = 0.5 * (first["left"] + first["right"])
    steps, time = [], 0.45
    sides = ("right", "left") if turn < 0 else ("left", "right")
    for index in range(count + 1):
        side = sides[index % 2]
        if index >= count - 1:
            x, y, way = last[side]
            way = float(yaw + turn + np.arctan2(np.sin(way - yaw - turn), np.cos(way - yaw - turn)))
        else:
            share = (index + 1) / (count + 0.5)
            way = yaw + turn * share
            centre = origin + share * (middle - origin)
            sign = 1.0 if side == "left" else -1.0
            x, y = centre + 0.12 * sign * np.array([-np.sin(way), np.cos(way)])
        steps.append(Footstep(side, time, time + 0.85 * pace, (float(x), float(y)), way))
        time += pace
    times = np.arange(round((time + 0.1) * FPS)) / FPS
    begin = {side: (*start[side][:2], yaw + _wrapped(start[side][2] - yaw)) for side in start}
    turning = stepping(times, feet_path(times, begin, steps), [StanceKey(0.0, 0.05, 0.14)], rest)
    return follow(walk, cast.alive(PATIENT, turning), 0.4), stops(walk)


def _wrapped(angle: float) -> float:
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def looking_back(track: Track, begin: float, end: float) -> Track:
    """The head turns over the right shoulder and down, to see where the seat is."""
    share = shares(track.frames, begin + 0.5, end, 0.5)
    rotmats = track.rotmats.copy()
    for name, most in (("spine2", 0.12), ("spine3", 0.15), ("neck", 0.45), ("head", 0.4)):
        rotmats[:, JOINT[name]] = rotmats[:, JOINT[name]] @ axis_matrix("y", -most * share)
    return Track(track.pelvis, rotmats)
