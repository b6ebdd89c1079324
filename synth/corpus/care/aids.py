"""Walking with a walker: captured walks, slowed and shortened, behind a rollator that both hands hold all the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.corpus.care.script import FPS, PATIENT, Actor, Phase, PropHold, Script
from synth.corpus.care.strategies import Cast, Variant
from synth.corpus.care.tracks import Course, Track, hold, join, on_course, smoothed, stretch, warp
from synth.interaction import ActionSegment, Prop
from synth.rotation import Array, axis_matrix, matrix_to_axis_angle, yaw_matrix
from synth.skeleton import JOINT, forward_kinematics

ID = "walker"
REAR = 0.265  # metres from the walker's middle back to where its handles are held


@dataclass(frozen=True)
class WalkerVariant(Variant):
    """How somebody goes with a walker.

    walk: the captured piece; stride: share of its step length; bend: radians a metre (left positive) after `straight`
    metres; reach: metres from the pelvis to the handles; lean: radians the trunk leans over them; rest: seconds of
    standing before the first step, in the middle (`pause`) or after the last one.
    """

    grip: str = "handles"
    walk: str = "walk_slow"
    stride: float = 0.55
    bend: float = 0.0
    straight: float = 0.5
    reach: float = 0.30
    lean: float = 0.10
    wait: float = 0.0
    pause: float = 0.0
    rest: float = 0.0
    strategy: str = "steady"


def walk_with_walker(cast: Cast, variant: WalkerVariant, rng: np.random.Generator) -> Script:
    """Slow short steps behind the walker, which rolls on the same way, evenly, and stops before the person does."""
    walk = cast.piece(PATIENT, variant.walk)
    tempo = variant.tempo * float(rng.uniform(0.95, 1.08))
    walk = stretch(walk, max(2, round(walk.frames * tempo)))
    walk = rested(cast, PATIENT, walk, variant.wait, variant.pause, variant.rest)
    stride = variant.stride * float(rng.uniform(0.92, 1.08))
    course = Course(variant.bend * float(rng.uniform(0.85, 1.15)), variant.straight)
    walk = stooped(walk, variant.lean + float(rng.uniform(-0.03, 0.03)), 0.5 + 0.6 * float(rng.uniform()))
    track, distance = on_course(walk, course, stride)
    times = np.arange(track.frames) / FPS
    seconds = len(times) / FPS
    prop = rolling_ahead(ID, distance, course, REAR + variant.reach)
    holds = tuple(PropHold(PATIENT, f"{side}_hand", ID, side, 0.0, seconds) for side in ("left", "right"))
    actions = walking(PATIENT, distance)
    walks = [action for action in actions if action.label == "walk"]
    begin, end = walks[0].start, walks[-1].end
    return Script(
        name="walk_with_walker",
        seconds=seconds,
        phases=(Phase("support", 0.0, seconds), Phase("step", begin, end)),
        actors=(Actor(cast.betas[PATIENT], track, captured=walk),),
        holds=(),
        facts={"grip": "handles", "strategy": variant.strategy, "way": _way(variant)},
        roles=("patient",),
        props=(prop,),
        prop_holds=holds,
        actions=actions,
        core=(round(max(begin, 0.12 * seconds), 3), round(min(end, 0.92 * seconds), 3)),
        datasets=("cmu", "reactidle"),
    )


def rolling_ahead(
    name: str, distance: Array, course: Course, ahead: float, cls: str = "walker", backwards: bool = False
) -> Prop:
    """A prop on wheels `ahead` metres in front of who has gone `distance` [T] metres along the course; never backwards.

    Its middle keeps to the course and it points along it (against it if `backwards`), so its wheels roll and do not
    slip sideways.
    """
    even = smoothed(distance, 0.35, FPS)
    even = np.maximum.accumulate(even)
    places, yaw = course.at(even + ahead)
    transl = np.concatenate([places, np.zeros((len(places), 1))], -1)
    return Prop(name, cls, transl, matrix_to_axis_angle(yaw_matrix(yaw + (0.5 if backwards else -0.5) * np.pi)))


def stooped(track: Track, lean: float, bent: float) -> Track:
    """Arms that push do not swing: elbows bent by `bent` radians, hands ahead; the trunk leans, the face looks up."""
    rotmats = track.rotmats.copy()
    for name in ("spine1", "spine2", "spine3"):
        rotmats[:, JOINT[name]] = rotmats[:, JOINT[name]] @ axis_matrix("x", lean / 3)
    for name in ("neck", "head"):
        rotmats[:, JOINT[name]] = rotmats[:, JOINT[name]] @ axis_matrix("x", -0.3 * lean)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        rotmats[:, JOINT[f"{side}_shoulder"]] = axis_matrix("x", -lean) @ axis_matrix("z", -1.2 * sign)
        rotmats[:, JOINT[f"{side}_elbow"]] = axis_matrix("y", -bent * sign)
        rotmats[:, JOINT[f"{side}_wrist"]] = np.eye(3)
        rotmats[:, JOINT[f"{side}_collar"]] = np.eye(3)
    return Track(track.pelvis, rotmats)


def double_support(track: Track, rest: Array, low: float, high: float) -> int:
    """The frame between two shares of a walk in which both feet move the least: there one can stop."""
    joints, _ = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    ankles = joints[:, [JOINT["left_ankle"], JOINT["right_ankle"]]]
    speed = np.linalg.norm(np.gradient(ankles, axis=0), axis=-1).max(-1)
    first, last = round(low * track.frames), max(round(low * track.frames) + 1, round(high * track.frames))
    return first + int(speed[first:last].argmin())


def rested(cast: Cast, who: int, walk: Track, wait: float, pause: float, rest: float) -> Track:
    """Stand before, within or after the walk for so many seconds; breathing all the while."""
    frames = [max(2, round(value * FPS)) for value in (wait, pause, rest)]
    if wait:
        walk = join([hold(walk, 0, frames[0]), walk], 2)
    if rest:
        walk = join([walk, hold(walk, -1, frames[2])], 2)
    if pause:
        halt = double_support(walk, cast.rest[who], 0.35, 0.65)
        slow = round(0.35 * FPS)  # the way into the halt and out of it takes this much longer
        walk = warp(walk, [0, halt, halt, walk.frames - 1],
                    [0, halt + slow, halt + slow + frames[1], walk.frames - 1 + frames[1] + 2 * slow])  # fmt: skip
    return cast.alive(who, walk) if wait or pause or rest else walk


def walking(person: int, distance: Array) -> tuple[ActionSegment, ...]:
    """Walking and standing of who has gone `distance` [T] metres: below 0.13 m/s nobody walks, a moment is no halt."""
    speed = np.gradient(smoothed(distance, 0.25, FPS)) * FPS
    going, least = speed > 0.13, round(0.5 * FPS)
    edges = np.flatnonzero(np.diff(going.astype(int))) + 1
    for begin, end in zip([0, *edges], [*edges, len(going)], strict=True):
        if end - begin < least:
            going[begin:end] = ~going[begin] if begin == 0 or end == len(going) else True
    edges = np.flatnonzero(np.diff(going.astype(int))) + 1
    return tuple(
        ActionSegment(person, float(begin / FPS), float(end / FPS), "walk" if going[begin] else "standing")
        for begin, end in zip([0, *edges], [*edges, len(going)], strict=True)
    )


def _way(variant: WalkerVariant) -> str:
    if not variant.bend:
        return "straight ahead"
    return "around to the left" if (variant.bend > 0) != variant.mirror else "around to the right"


VARIANTS: dict[str, tuple[WalkerVariant, ...]] = {
    "walk_with_walker": (
        WalkerVariant(walk="walk_slow", tempo=1.8),
        WalkerVariant(walk="walk_calm", tempo=1.5, stride=0.5, bend=0.4, straight=0.4, strategy="curve"),
        WalkerVariant(walk="walk_old", tempo=1.75, reach=0.36, lean=0.32, strategy="leaning"),
        WalkerVariant(walk="walk_start", tempo=1.5, stride=0.42, wait=0.6, strategy="set off"),
        WalkerVariant(walk="walk_soft", tempo=1.35, stride=0.5, pause=1.5, mirror=True, strategy="halt"),
        WalkerVariant(walk="walk_soft", tempo=1.5, stride=0.42, lean=0.2, strategy="shuffle"),
        WalkerVariant(walk="walk_stop", tempo=1.8, stride=0.6, rest=1.0, mirror=True, strategy="stop"),
        WalkerVariant(walk="walk_calm", tempo=1.25, stride=0.72, reach=0.27, lean=0.05, strategy="brisk"),
        WalkerVariant(walk="walk_slow", tempo=2.0, stride=0.5, bend=0.55, straight=0.0, mirror=True, lean=0.18,
                      strategy="turn"),
        WalkerVariant(walk="walk_old", tempo=1.5, stride=0.6, bend=-0.35, lean=0.22, reach=0.33,
                      strategy="leaning curve"),
    )
}  # fmt: skip
BUILDERS = {"walk_with_walker": walk_with_walker}
CAPTIONS: dict[str, tuple[str, ...]] = {
    "walk_with_walker": (
        "a patient walks with a walker",
        "{patient} walks slowly with a rollator",
        "{patient} pushes a walker {way}",
        "{patient} walks {way}, holding on to a walking frame",
        "{patient} takes short slow steps behind a walker",
        "{patient} uses a walking aid to get along",
        "{patient} leans on a rollator and walks",
    )
}
