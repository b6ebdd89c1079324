"""When a way down or up begins and ends in a track: while head or pelvis rises or sinks faster than 0.1 m/s.

The same convention by which `synth.motion.actions` tells them in a finished motion, here on what a script is made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from synth.corpus.care.script import FPS
from synth.corpus.care.tracks import Track, smoothed
from synth.interaction import ActionSegment
from synth.motion.actions import CHANGING, walks
from synth.motion.posture import BENT, LYING, UPRIGHT, measure_postures
from synth.rotation import Array
from synth.skeleton import JOINT, forward_kinematics

WAYS = ("sit_down", "stand_up", "lie_down", "kneel_down", "squat_down", "other")
FLICKER = 0.5  # seconds of another posture that do not end one
LEAST = 0.2  # seconds that are left to the posture before and after a way


def heights(track: Track, rest: Array) -> tuple[Array, Array]:
    """Heights of head and pelvis [T], metres. rest [24, 3]."""
    joints, _ = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    return smoothed(joints[:, JOINT["head"], 2], 0.06, FPS), smoothed(joints[:, 0, 2], 0.06, FPS)


def _rate(values: Array) -> Array:
    return np.gradient(smoothed(values, 0.2, FPS)) * FPS


def changing(track: Track, rest: Array) -> np.ndarray:
    """Frames [T] in which head or pelvis goes up or down."""
    return np.maximum(*(np.abs(_rate(values)) for values in heights(track, rest))) > CHANGING


def spell(track: Track, rest: Array, first: int, last: int, part: str = "pelvis") -> tuple[int, int]:
    """The stretch [start, end) of change around the fastest moment of `part` ("head" or "pelvis") in [first, last)."""
    moving = changing(track, rest)
    rate = np.abs(_rate(heights(track, rest)[0 if part == "head" else 1]))
    middle = first + int(rate[first:last].argmax())
    start = end = middle
    while start > 0 and moving[start - 1]:
        start -= 1
    while end < len(moving) and moving[end]:
        end += 1
    return start, max(end, start + 1)


def whole_way(track: Track, rest: Array, first: int, last: int, held: bool = False) -> tuple[int, int]:
    """The stretch [start, end) from the first change in [first, last) to the last one, over the halts in between.

    held: it begins with the change in which the posture of `first` is left: shifting about in it is no way yet.
    """
    moving = changing(track, rest)
    if held:
        joints, _ = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
        kinds = measure_postures(joints).kind
        same = first + np.flatnonzero(kinds[first:last] == kinds[first])
        gaps = np.flatnonzero(np.diff(same) > FLICKER * FPS)
        first = int(same[gaps[0] if len(gaps) else -1])
    found = first + np.flatnonzero(moving[first:last])
    if not len(found):
        return first, last
    start, end = int(found[0]), int(found[-1]) + 1
    while start > 0 and moving[start - 1]:
        start -= 1
    while end < len(moving) and moving[end]:
        end += 1
    return start, end


def _rests(actions: Sequence[ActionSegment], index: int) -> bool:
    """Whether a way begins in a posture on the floor that was held."""
    return index > 0 and actions[index - 1].label in ("fallen", "lying", "sitting", "kneeling")


def _away(actions: Sequence[ActionSegment], index: int) -> tuple[int, bool] | None:
    """What tells an "other" between two times of the same: a bend of who stands, rising from lying and sinking back.

    The kind of posture, and whether it is the one that is shown (not the one that is left).
    """
    around = {action.label for action in actions[max(0, index - 1) : index + 2 : 2]}
    if actions[index].label != "other" or not 0 < index < len(actions) - 1:
        return None
    if around <= {"standing", "walk"}:
        return BENT, True
    return (LYING, False) if len(around) == 1 and around <= {"lying", "fallen"} else None


def shown(track: Track, rest: Array, start: float, end: float, kind: int, itself: bool) -> tuple[float, float]:
    """The seconds between which a posture is shown (or is left), about the middle of `start` to `end`."""
    joints, _ = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    there = (measure_postures(joints).kind == kind) == itself
    near = np.flatnonzero(there[round(start * FPS) : round(end * FPS)])
    if not len(near):
        return start, end
    first = last = round(start * FPS) + int(near[len(near) // 2])
    while first > 0 and there[first - 1]:
        first -= 1
    while last < len(there) and there[last]:
        last += 1
    return first / FPS, last / FPS


def retimed(
    actions: Sequence[ActionSegment], tracks: Sequence[Track], rest: Sequence[Array], through: bool = False
) -> tuple[ActionSegment, ...]:
    """The script's actions with their ways down and up timed on the solved tracks, in the same order.

    Each way keeps its moment, which the script knows; where it begins and ends follows from the bodies' movement. With
    `through` it goes on over brief halts (on a knee, on all fours) within its time.
    """
    result: list[ActionSegment] = []
    for person, track in enumerate(tracks):
        mine = [action for action in actions if action.person == person]
        for index, action in enumerate(mine):
            if action.label not in WAYS:
                continue
            if (away := _away(mine, index)) is not None:
                start, end = shown(track, rest[person], action.start, action.end, *away)
                mine[index - 1], mine[index + 1] = (
                    replace(mine[index - 1], end=start),
                    replace(mine[index + 1], start=end),
                )
                mine[index] = replace(action, start=start, end=end)
                continue
            part = "head" if action.label in ("lie_down", "other") else "pelvis"
            first, last = round(action.start * FPS), min(round(action.end * FPS), track.frames)
            if through:
                start, end = (frame / FPS for frame in whole_way(track, rest[person], first, last, _rests(mine, index)))
            else:
                start, end = (frame / FPS for frame in spell(track, rest[person], first, last, part))
            if index > 0:
                start = max(start, mine[index - 1].start + LEAST)
                mine[index - 1] = replace(mine[index - 1], end=start)
            if index + 1 < len(mine):
                end = min(end, mine[index + 1].end - LEAST)
                mine[index + 1] = replace(mine[index + 1], start=end)
            mine[index] = replace(action, start=start, end=end)
        result += _joined([part for action in mine for part in _stepping(action, track, rest[person])])
    return tuple(result)


def _joined(actions: Sequence[ActionSegment]) -> list[ActionSegment]:
    """One person's actions in order, neighbours with the same label as one: the last steps belong to their walk."""
    found: list[ActionSegment] = []
    for action in actions:
        if found and found[-1].label == action.label and action.start - found[-1].end < LEAST:
            found[-1] = replace(found[-1], end=action.end)
        else:
            found.append(action)
    return found


def _stepping(action: ActionSegment, track: Track, rest: Array) -> list[ActionSegment]:
    """Standing, with the stretches told apart in which the small steps of a turn get along far enough to be a walk."""
    if action.label != "standing":
        return [action]
    joints, _ = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    upright = np.isin(measure_postures(joints).kind, (UPRIGHT, BENT))
    parts, at = [], action.start
    for first, last in walks(joints, upright):
        begin, end = max(first / FPS, action.start), min(last / FPS, action.end)
        if end - begin < LEAST:
            continue
        parts += [replace(action, start=at, end=begin), replace(action, start=begin, end=end, label="walk")]
        at = end
    return [part for part in (*parts, replace(action, start=at)) if part.end - part.start > 0.01]
