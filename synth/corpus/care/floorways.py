"""Down on the knees and along the floor: kneeling, going on all fours; solved limbs between captured pieces."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from synth.corpus.care.limbs import SIDES, Foot, Key, keyed, reaching, trailing, two_bones
from synth.corpus.care.script import FPS, PATIENT, Kneel, Touch
from synth.corpus.care.strategies import Cast
from synth.corpus.care.tracks import Course, Track, crossfade, hold, stretch
from synth.rotation import Array, axis_matrix
from synth.skeleton import JOINT, forward_kinematics, upright

KNEE = 0.055  # metres of a knee joint above the floor it is on
WIDE = 0.1  # metres from the middle to a foot or knee


@dataclass(frozen=True)
class Measures:
    """Lengths of a body in metres: thigh, shin, and from the hips up to the pelvis joint."""

    thigh: float
    shin: float
    hips: float

    @property
    def standing(self) -> float:
        return self.thigh + self.shin + self.hips + 0.05

    @property
    def kneeling(self) -> float:
        return self.thigh + self.hips + KNEE

    @property
    def toes(self) -> float:
        """From a knee on the floor back to the ball of its foot, the heel up."""
        return float(np.sqrt(self.shin**2 - 0.1**2)) + 0.01


def measures(rest: Array) -> Measures:
    hip, knee, ankle = (rest[JOINT[f"left_{name}"]] for name in ("hip", "knee", "ankle"))
    return Measures(float(np.linalg.norm(hip - knee)), float(np.linalg.norm(knee - ankle)), float(rest[0, 1] - hip[1]))


def follow(first: Track, second: Track, ease: float = 0.5) -> Track:
    """One after the other where they are, cross-faded over the `ease` seconds after the first one's end."""
    count = max(2, min(round(ease * FPS), second.frames))
    long = Track(
        np.concatenate([first.pelvis, np.repeat(first.pelvis[-1:], second.frames, 0)]),
        np.concatenate([first.rotmats, np.repeat(first.rotmats[-1:], second.frames, 0)]),
    )
    late = Track(
        np.concatenate([np.repeat(second.pelvis[:1], first.frames, 0), second.pelvis]),
        np.concatenate([np.repeat(second.rotmats[:1], first.frames, 0), second.rotmats]),
    )
    return crossfade(long, late, first.frames, first.frames + count)


def foot_at(track: Track, rest: Array, side: str, frame: int) -> Foot:
    """Where the ball of a foot is at a frame, flat on the floor."""
    joints, world = forward_kinematics(track.rotmats[frame], rest, track.pelvis[frame] - rest[0])
    ankle = JOINT[f"{side}_ankle"]
    ahead = world[ankle][:2, 2]
    yaw = float(np.arctan2(ahead[1], ahead[0]))
    x, y = joints[ankle, :2] + 0.13 * np.array([np.cos(yaw), np.sin(yaw)])
    return Foot(float(x), float(y), yaw)


# --- kneeling ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KneelPlan:
    """Keys of a kneel and its moments: the first knee lands and lifts, the second one lands and lifts, all is done."""

    keys: tuple[Key, ...]
    down: float
    up: float
    second: tuple[float, float] | None
    end: float


def kneel_keys(
    size: Measures,
    begin: float,
    side: str = "left",
    both: bool = False,
    step: str = "forward",
    tempo: float = 1.0,
    rest: float = 2.5,
    rises: bool = False,
    sits: float = 0.0,
    lean: float = 0.1,
    falters: bool = False,
    feet: tuple[Foot, Foot] | None = None,
) -> KneelPlan:
    """Stand at the origin facing +x; a long step, the knee of `side` comes down, perhaps the other one; perhaps rise.

    step: "forward" (the other foot goes ahead) or "back" (the kneeling one goes back); sits: how far down on the heels,
    0 to 1; lean: radians the trunk leans ahead while kneeling; falters: stops half-way, comes up and goes down again;
    feet: where left and right stand.
    """
    own = 0 if side == "left" else 1
    stand = list(feet or (Foot(0.08, WIDE), Foot(0.08, -WIDE)))
    long = size.toes + 0.33
    knelt, front = stand[own], stand[1 - own]
    if step == "forward":
        front = replace(front, x=knelt.x + long, yaw=0.0)
    else:
        knelt = replace(knelt, x=front.x - long, yaw=0.0)
    knee = knelt.x + size.toes
    low = size.kneeling - 0.015

    def key(
        time: float, x: float, z: float, mine: Foot, other: Foot, pitch: float, bend: float = 0.1, gaze: float = 0.0
    ) -> Key:
        pair = (mine, other) if own == 0 else (other, mine)
        return Key(time, (x, 0.0, z), *pair, pitch=pitch, bend=bend, gaze=gaze)

    tall = size.standing
    mine, other = stand[own], stand[1 - own]
    keys = [key(0.0, mine.x - 0.08, tall, mine, other, 0.02), key(begin, mine.x - 0.08, tall, mine, other, 0.05)]
    moved = front if step == "forward" else knelt
    still = mine if step == "forward" else other
    half = replace(moved, x=0.5 * (still.x + moved.x), lift=0.07)
    time = begin + 0.45 * tempo
    mid = (mine, half) if step == "forward" else (half, other)
    keys.append(key(time, knelt.x + 0.30 * long - 0.05, tall - 0.05, *mid, 0.12))
    time += 0.4 * tempo
    keys.append(key(time, knelt.x + 0.45 * long, tall - 0.14, replace(knelt, pitch=0.5), front, 0.2, 0.15))
    raised = replace(knelt, pitch=1.2)
    if falters:
        time += 0.7 * tempo
        keys.append(key(time, knee - 0.02, low + 0.17, raised, front, 0.45, 0.3))
        time += 0.9 * tempo
        keys.append(key(time, knelt.x + 0.5 * long, tall - 0.16, replace(knelt, pitch=0.6), front, 0.25, 0.2))
    time += 1.25 * tempo
    keys.append(key(time, knee - 0.03, low, raised, front, 0.30, 0.2, gaze=-0.2))
    down = time
    second = None
    time += 0.5
    if both:
        there = replace(front, x=knelt.x, y=front.y, pitch=1.2, yaw=0.0)
        air = replace(there, x=0.5 * (front.x + there.x) + 0.05, lift=0.06, pitch=0.7)
        keys.append(key(time, knee + 0.02, low, raised, front, 0.25, 0.15))
        keys.append(key(time + 0.5 * tempo, knee + 0.03, low + 0.01, raised, air, 0.15, 0.1))
        time += 1.0 * tempo
        keys.append(key(time, knee, low, raised, there, lean, 0.1))
        seated = size.kneeling - 0.24 * sits
        second = (time, time)
        back = 0.27 * sits
        if sits:
            time += 0.9 * tempo
            keys.append(key(time, knee - back, seated, raised, there, lean + 0.1 * sits, 0.15))
        time += rest
        keys.append(key(time, knee - back, seated, raised, there, lean + 0.1 * sits, 0.15))
        if rises:
            if sits:
                time += 0.9 * tempo
                keys.append(key(time, knee, low, raised, there, lean, 0.1))
            second = (second[0], time)
            keys.append(key(time + 0.5 * tempo, knee + 0.03, low + 0.01, raised, air, 0.15, 0.1))
            time += 1.0 * tempo
            keys.append(key(time, knee + 0.02, low, raised, front, 0.3, 0.2))
        else:
            second = (second[0], time)
    else:
        keys.append(key(time, knee - 0.03, low, raised, front, lean, 0.1))
        time += rest
        keys.append(key(time, knee - 0.03, low, raised, front, lean, 0.1))
    up = time
    if rises:
        up = time + 0.25
        keys.append(key(up, knee + 0.05, low, raised, front, 0.5, 0.3))
        time = up + 1.3 * tempo
        keys.append(key(time, knelt.x + 0.5 * long, tall - 0.12, replace(knelt, pitch=0.5), front, 0.2, 0.15))
        ends = replace(knelt, x=front.x, pitch=0.0)
        keys.append(key(time + 0.4, front.x - 0.2, tall - 0.03, replace(ends, x=front.x - 0.3, lift=0.06), front, 0.1))
        time += 0.85
        keys.append(key(time, front.x - 0.08, tall, ends, front, 0.03))
        time += 0.6
        keys.append(key(time, front.x - 0.08, tall, ends, front, 0.02))
    return KneelPlan(tuple(keys), down, up, second, time)


def knees_down(plan: KneelPlan, side: str) -> list[Kneel]:
    other = "right" if side == "left" else "left"
    found = [Kneel(PATIENT, f"{side}_knee", plan.down, plan.up)]
    return [*found, Kneel(PATIENT, f"{other}_knee", *plan.second)] if plan.second else found


# --- on all fours -----------------------------------------------------------------------------------------------------

_PHASES = {"left_hand": 0.0, "right_knee": 0.12, "right_hand": 0.5, "left_knee": 0.62}
_DUTY = 0.62  # share of the way that a hand or knee stays where it is


def on_fours(
    cast: Cast, distance: Array, course: Course, step: float = 0.34, hands: tuple[float, float] = (0.50, 0.17)
) -> tuple[Track, tuple[Touch, ...]]:
    """Crawl on hands and knees along a course, `distance` [T] metres far; also what rests where on the floor, and when.

    A hand and the opposite knee go together; each stays where it is for `_DUTY` of the way. step: metres; hands: how
    far ahead of the pelvis and how far aside, metres.
    """
    rest = cast.rest[PATIENT]
    size = measures(rest)
    count = len(distance)
    places, yaw = course.at(distance)
    spots, touches = {}, []
    for name, phase in _PHASES.items():
        hand = name.endswith("hand")
        sign = 1.0 if name.startswith("left") else -1.0
        off = (hands[0], sign * hands[1]) if hand else (-0.08, sign * WIDE)
        spots[name], planted, anchors = _stepping(distance, course, step, phase, off, 0.09 if hand else 0.07)
        spot = name if hand else f"{name.split('_')[0]}_shin"
        for begin, end in planted:
            x, y, way = anchors[begin]
            back = 0.0 if hand else 0.4 * size.shin
            at = (float(x - back * np.cos(way)), float(y - back * np.sin(way)), 0.004 if hand else 0.022)
            if end - begin >= 4:
                touches.append(Touch(PATIENT, spot, "floor", at, begin / FPS, (end - 1) / FPS))
    rotmats = np.tile(np.eye(3), (count, 24, 1, 1))
    pitch = np.full(count, 1.42)
    rotmats[:, 0] = upright(yaw) @ axis_matrix("x", pitch)
    for name in ("spine1", "spine2", "spine3"):
        rotmats[:, JOINT[name]] = axis_matrix("x", np.full(count, 0.03))
    for name in ("neck", "head"):
        rotmats[:, JOINT[name]] = axis_matrix("x", np.full(count, -0.32))
    pelvis = np.concatenate([places, np.full((count, 1), size.thigh + KNEE - 0.02)], -1)
    raised = spots["left_knee"][:, 2] - spots["right_knee"][:, 2]  # the weight goes over the knee that stays
    aside = np.stack([-np.sin(yaw), np.cos(yaw)], -1)
    pelvis[:, :2] += -0.6 * raised[:, None] * aside
    track = Track(pelvis, rotmats)
    joints, world = forward_kinematics(rotmats, rest, pelvis - rest[0])
    back = -np.stack([np.cos(yaw), np.sin(yaw), np.full(count, -0.14)], -1)
    for side in SIDES:
        hip, knee, ankle = (JOINT[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
        goal = spots[f"{side}_knee"] + np.array([0.0, 0.0, KNEE])
        thigh = _unit_to(goal - joints[:, hip]) * size.thigh
        end = joints[:, hip] + thigh + size.shin * _unit_to(back)
        first, second = two_bones(
            joints[:, hip], end, rest[knee] - rest[hip], rest[ankle] - rest[knee], np.array([1.0, 0.0, 0.0]),
            thigh - 0.5 * (end - joints[:, hip]),
        )  # fmt: skip
        rotmats[:, hip] = np.swapaxes(world[:, 0], -1, -2) @ first
        rotmats[:, knee] = np.swapaxes(first, -1, -2) @ second
        rotmats[:, ankle] = axis_matrix("x", np.full(count, 1.0))
    joints, world = forward_kinematics(rotmats, rest, pelvis - rest[0])
    for touch in tuple(touches):
        if touch.spot.endswith("shin"):  # the toes rest as long as the knee does
            side, middle = touch.spot.split("_")[0], round(0.5 * (touch.start + touch.end) * FPS)
            foot = JOINT[f"{side}_foot"]
            at = joints[middle, foot] + world[middle, foot] @ np.array([0.0, -0.02, 0.05])
            touches.append(
                replace(touch, spot=f"{side}_toes", at=(float(at[0]), float(at[1]), max(0.004, float(at[2]))))
            )
    for side in SIDES:
        track = reaching(track, rest, side, spots[f"{side}_hand"], np.ones(count), 0.8, 0.5)
    return track, tuple(touches)


def _unit_to(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _stepping(
    distance: Array, course: Course, step: float, phase: float, off: Sequence[float], lift: float
) -> tuple[Array, list[tuple[int, int]], Array]:
    """A limb that steps along: its place [T, 3], the stretches [start, end) in which it stays, and there x, y, yaw."""
    number = distance / step - phase  # it is right under its place at whole numbers
    whole = np.floor(number + 0.5)
    part = number - whole  # -0.5 to 0.5

    def place(index: Array) -> Array:
        centre, yaw = course.at((index + phase) * step)
        turned = np.stack(
            [off[0] * np.cos(yaw) - off[1] * np.sin(yaw), off[0] * np.sin(yaw) + off[1] * np.cos(yaw)], -1
        )
        return np.concatenate([centre + turned, yaw[:, None]], -1)

    swing = np.clip((np.abs(part) - _DUTY / 2) / (1 - _DUTY), 0, 0.5)
    share = np.where(part > 0, swing, 1 - swing) * (swing > 0)
    share = share**2 * (3 - 2 * share)
    before = place(np.where(part > 0, whole, whole - 1))
    after = place(np.where(part > 0, whole + 1, whole))
    here = place(whole)
    going = swing > 0
    way = np.where(going[:, None], before + share[:, None] * (after - before), here)
    up = np.where(going, lift * np.sin(np.pi * share) ** 2, 0.0)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], (~going).astype(int), [0]))))
    stays = []
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        cuts = [begin, *(begin + 1 + np.flatnonzero(np.diff(whole[begin:end]))), end]
        stays += [(int(a), int(b)) for a, b in itertools.pairwise(cuts)]
    return np.concatenate([way[:, :2], up[:, None]], -1), stays, here


def lying_face_down(cast: Cast, seconds: float, until: float = 1.32) -> Track:
    """Captured: from the belly up on hands and knees, in so many seconds; ends over the origin, facing +x."""
    piece = cast.piece(PATIENT, "get_up_face_down", 0.0, until)
    piece = stretch(piece, max(4, round(seconds * FPS)))
    return piece.placed(piece.frames - 1, 0.0, np.zeros(2))


def drawn_in(cast: Cast, track: Track, until: float) -> Track:
    """Up to `until` seconds nobody's weight is on the feet: those that move come off the floor."""
    last = min(round(until * FPS), track.frames - 1)
    return crossfade(trailing(track, cast.rest[PATIENT]), track, max(0, last - 6), last)


def resting(track: Track, seconds: float, last: bool = False) -> Track:
    """The first (last) frame held before (after) a track."""
    if seconds <= 0:
        return track
    still = hold(track, -1 if last else 0, max(1, round(seconds * FPS)))
    parts = (track, still) if last else (still, track)
    return Track(np.concatenate([p.pelvis for p in parts]), np.concatenate([p.rotmats for p in parts]))


def through(keys: Sequence[Key], seconds: float, rest: Array) -> Track:
    return keyed(np.arange(round(seconds * FPS)) / FPS, keys, rest)
