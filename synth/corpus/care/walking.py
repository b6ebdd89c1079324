"""One person walks: captured walks along courses, slowed, shortened, limping, halting, with a hand on the furniture."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from synth.corpus.care.aids import rested, walking
from synth.corpus.care.limbs import lowered, reaching, shares
from synth.corpus.care.script import FPS, PATIENT, Actor, Phase, Script, Touch
from synth.corpus.care.strategies import Cast, Variant
from synth.corpus.care.tracks import Course, Track, between, on_course, smoothed, stretch, warp
from synth.room import Box, Furniture
from synth.rotation import Array, axis_matrix
from synth.skeleton import JOINT, forward_kinematics

TABLE = (0.72, 0.75)  # metres: how deep and high the table is that a hand goes along


@dataclass(frozen=True)
class WalkVariant(Variant):
    """How somebody walks.

    walk: the captured piece; stride: share of its step length; bend: radians a metre (left positive) after `straight`
    metres; free: as captured, with its own turns; lean: radians the trunk leans; wait, pause, rest: seconds of standing
    before, within and after; limps: 0 to 1; looks: radians the head turns while standing; table: a hand goes along one;
    most: seconds at most.
    """

    grip: str = "none"
    walk: str = "walk_calm"
    stride: float = 0.8
    bend: float = 0.0
    straight: float = 0.5
    free: bool = False
    lean: float = 0.0
    wait: float = 0.0
    pause: float = 0.0
    rest: float = 0.0
    limps: float = 0.0
    looks: float = 0.0
    table: bool = False
    most: float = 9.0
    role: str = "patient"
    strategy: str = ""


def walk_alone(cast: Cast, variant: WalkVariant, rng: np.random.Generator) -> Script:
    """Walk along a course, or as captured; halt, look around, limp, lean, hold on."""
    walk = cast.piece(PATIENT, variant.walk)
    tempo = variant.tempo * float(rng.uniform(0.95, 1.08))
    walk = stretch(walk, max(2, round(walk.frames * tempo)))
    if walk.frames > variant.most * FPS:
        count = round(variant.most * FPS)
        since = int(rng.integers(0, walk.frames - count + 1))
        walk = Track(walk.pelvis[since : since + count], walk.rotmats[since : since + count])
        walk = walk.placed(0, 0.0, np.zeros(2))
    if variant.limps:
        walk = limping(cast, walk, variant.limps * float(rng.uniform(0.85, 1.1)))
    walk = rested(cast, PATIENT, walk, variant.wait, variant.pause, variant.rest)
    walk = stooping(walk, variant.lean + (float(rng.uniform(-0.03, 0.03)) if variant.lean else 0.0))
    if variant.free:
        track, captured = walk, None
        place = np.stack([smoothed(walk.pelvis[:, axis], 0.25, FPS) for axis in (0, 1)], -1)
        distance = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(place, axis=0), axis=-1))])
    else:
        course = Course(variant.bend * float(rng.uniform(0.85, 1.15)), variant.straight)
        track, distance = on_course(walk, course, variant.stride * float(rng.uniform(0.93, 1.05)))
        captured = walk
    if variant.looks:
        track = looking(track, variant, distance)
    furniture: tuple[Furniture, ...] = ()
    touches: tuple[Touch, ...] = ()
    if variant.table:
        furniture, track, touches = along_table(cast, track, rng)
    seconds = track.frames / FPS
    actions = walking(PATIENT, distance)
    walks = [action for action in actions if action.label == "walk"]
    begin, end = walks[0].start, walks[-1].end
    used = ("deepmimic",) if variant.walk == "walk_long" else ("cmu",)
    return Script(
        name="walk_alone",
        seconds=seconds,
        phases=(Phase("step", begin, end),),
        actors=(Actor(cast.betas[PATIENT], track, captured=captured),),
        holds=(),
        furniture=furniture,
        touches=touches,
        facts={"grip": "table" if variant.table else "none", "role": variant.role, "strategy": variant.strategy,
               "how": "slowly" if variant.tempo > 1.2 else "", "limp": "limps" if variant.limps else "",
               "halt": "stops" if variant.pause or variant.rest else "", "table": "table" if variant.table else "",
               "way": "around in a curve" if variant.bend else "straight ahead"},
        roles=(variant.role,),
        actions=actions,
        core=(round(begin, 3), round(end, 3)),
        datasets=(*used, "reactidle"),
    )  # fmt: skip


def stooping(track: Track, lean: float) -> Track:
    """The trunk leans, the face looks up; arms swing less."""
    if not lean:
        return track
    rotmats = track.rotmats.copy()
    for name in ("spine1", "spine2", "spine3"):
        rotmats[:, JOINT[name]] = rotmats[:, JOINT[name]] @ axis_matrix("x", lean / 3)
    for name in ("neck", "head"):
        rotmats[:, JOINT[name]] = rotmats[:, JOINT[name]] @ axis_matrix("x", -0.25 * lean)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        shoulder = JOINT[f"{side}_shoulder"]
        hang = np.tile(axis_matrix("x", -0.7 * lean) @ axis_matrix("z", -1.25 * sign), (track.frames, 1, 1))
        rotmats[:, shoulder] = between(rotmats[:, shoulder], hang, np.full(track.frames, min(1.0, 1.6 * lean)))
    return Track(track.pelvis, rotmats)


def limping(cast: Cast, track: Track, amount: float) -> Track:
    """The right leg is spared: it stands shortly, hip and trunk go down over it, the left one hurries past."""
    rest = cast.rest[PATIENT]
    joints, _ = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    speed = [
        np.linalg.norm(np.gradient(joints[:, JOINT[f"{side}_ankle"], :2], axis=0), axis=-1)
        for side in ("left", "right")
    ]
    bad = smoothed((speed[1] < speed[0]).astype(float), 0.08, FPS)  # the right foot stands, the left one swings
    bad = np.clip(bad, 0, 1)
    rotmats = track.rotmats.copy()
    tip = 0.15 * amount * smoothed(bad, 0.1, FPS)
    for name in ("spine1", "spine2", "spine3"):  # over the right foot
        rotmats[:, JOINT[name]] = rotmats[:, JOINT[name]] @ axis_matrix("z", tip)
    dipped = lowered(Track(track.pelvis, rotmats), rest, 0.035 * amount * smoothed(bad, 0.1, FPS), 0.0 * bad)
    pace = 1.0 + amount * (0.55 * bad - 0.3 * (1 - bad))
    position = np.concatenate([[0.0], np.cumsum(smoothed(pace, 0.1, FPS))])
    position = np.append(position[position < track.frames - 1], track.frames - 1.0)
    return warp(dipped, list(position), list(range(len(position))))


def looking(track: Track, variant: WalkVariant, distance: Array) -> Track:
    """The head turns to one side and to the other while somebody stands."""
    speed = smoothed(np.gradient(distance) * FPS, 0.2, FPS)
    share = smoothed((speed < 0.15).astype(float), 0.25, FPS)
    times = np.arange(track.frames) / FPS
    yaw = variant.looks * share * np.sin(2 * np.pi * (times - times[int(share.argmax())]) / 2.6)
    rotmats = track.rotmats.copy()
    for name, part in (("spine3", 0.15), ("neck", 0.4), ("head", 0.45)):
        rotmats[:, JOINT[name]] = rotmats[:, JOINT[name]] @ axis_matrix("y", part * yaw)
    return Track(track.pelvis, rotmats)


def along_table(
    cast: Cast, track: Track, rng: np.random.Generator
) -> tuple[tuple[Furniture, ...], Track, tuple[Touch, ...]]:
    """A table on the left of a straight way; the left hand is put down on it, left behind, and put down further on."""
    depth, height = TABLE
    beside = 0.46 + float(rng.uniform(0.0, 0.04))
    last = float(track.pelvis[-1, 0])
    middle = np.array([0.5 * last + 0.2, beside + 0.5 * depth - 0.1, 0.5 * height])
    size = np.array([last + 0.9, depth, height])
    top = Box(np.array([0.0, 0.0, 0.5 * height - 0.02]), np.array([size[0], depth, 0.04]))
    piece = Furniture("table", "table", Box(middle, size), None, "", (top,))
    times = np.arange(track.frames) / FPS
    ahead = track.pelvis[:, 0]
    spots, touches = [], []
    x = 0.3
    while x < last + 0.1:
        begin, end = (float(np.interp(value, np.maximum.accumulate(ahead), times)) for value in (x - 0.34, x + 0.06))
        if end - begin > 0.3:
            at = (x, beside, height + 0.02)
            touches.append(Touch(PATIENT, "left_hand", "table", at, begin, end))
            spots += [(begin, x, 0.0), (end, x, 0.0)]
        x += 0.52
    keys = np.array(spots)
    goal = np.stack(
        [np.interp(times, keys[:, 0], keys[:, 1]), np.full(len(times), beside), np.full(len(times), height + 0.02)], -1
    )
    for first, second in itertools.pairwise(touches):
        part = np.clip((times - first.end) / max(second.start - first.end, 1e-3), 0, 1)
        goal[:, 2] += 0.07 * np.sin(np.pi * part) ** 2
    share = shares(track.frames, touches[0].start, times[-1] + 2.0, 0.6)
    return (piece,), reaching(track, cast.rest[PATIENT], "left", goal, share, 0.45, 0.5), tuple(touches)


BUILDERS = {"walk_alone": walk_alone}
VARIANTS: dict[str, tuple[WalkVariant, ...]] = {
    "walk_alone": (
        WalkVariant(tempo=1.2, strategy="steady"),
        WalkVariant(tempo=1.3, bend=0.45, stride=0.75, strategy="curve"),
        WalkVariant(walk="walk_old", tempo=1.5, stride=0.7, lean=0.35, strategy="stooped"),
        WalkVariant(walk="walk_soft", tempo=1.35, stride=0.42, lean=0.15, strategy="shuffles"),
        WalkVariant(pause=1.5, tempo=1.15, stride=0.6, looks=0.7, strategy="halts and looks around"),
        WalkVariant(limps=1.0, tempo=1.35, stride=0.75, strategy="limps"),
        WalkVariant(walk="walk_start", wait=0.8, tempo=1.25, stride=0.75, mirror=True, strategy="sets off"),
        WalkVariant(walk="walk_long", free=True, most=8.0, tempo=1.25, role="person", strategy="wanders"),
        WalkVariant(walk="walk_back", free=True, tempo=1.15, strategy="turns and comes back"),
        WalkVariant(walk="walk_calm", tempo=0.9, stride=0.95, bend=-0.25, role="staff", strategy="brisk"),
        WalkVariant(tempo=1.4, stride=0.62, lean=0.18, table=True, strategy="hand on the table"),
        WalkVariant(walk="walk_slow", tempo=1.5, stride=0.6, limps=0.6, bend=0.45, straight=0.2, lean=0.2, mirror=True,
                    strategy="limps in a curve"),
    ),
}  # fmt: skip
CAPTIONS: dict[str, tuple[str, ...]] = {
    "walk_alone": (
        "a person walks alone",
        "{who} walks {way}",
        "{who} {how} walks across the room without help",
        "somebody walks along on their own",
        "{who} {limp} along",
        "{who} walks, {halt} and stands there for a moment",
        "{who} walks along a {table}, a hand on it",
        "{who} goes somewhere on foot",
    ),
}
