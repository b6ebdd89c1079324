"""A fall that staff catches: the patient walks, the knees give way, staff grabs hold, and lowers or sets upright again.

Both walk as captured up to a landing of a foot; from there the loss of balance and the help are keyed over feet that
stand, and the optimiser makes the grip true. Written for a patient who walks along +x and is at the origin when it
happens; staff walks behind, on the left side, or waits in front.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from synth.corpus.care.company import standing
from synth.corpus.care.keyed import (
    TUCKED,
    BodyKey,
    FootKey,
    _curves,
    ahead,
    keyed_track,
    knee_of,
    midway,
    over_knee,
    standing_on,
)
from synth.corpus.care.reach import reaching, window
from synth.corpus.care.script import FPS, PATIENT, STAFF, Actor, Hold, Kneel, Phase, Script, Seat
from synth.corpus.care.strategies import Cast, Variant
from synth.corpus.care.tracks import Track, crossfade, standing_feet, warp
from synth.interaction import ActionSegment
from synth.rotation import Array
from synth.skeleton import JOINT, facing_yaw, forward_kinematics

DEEP = 0.24  # metres the hips sink from which on the hind knee comes to the floor
SITS = 0.52  # metres that the hips of who sits on the floor are behind the foot ahead
BENT = 0.82  # of an arm: how far from the shoulder a hand holds best
CLOSER = 0.28  # metres that staff goes nearer over the feet, at most
_HAND = 0.075  # metres from the wrist to the middle of the palm
FLOOR_SIT = 0.105  # metres of the pelvis of who sits on the floor
# how staff holds: pairs of a hand and a spot of the patient
GRIPS: dict[str, tuple[tuple[str, str], ...]] = {
    "under_arms": (("right", "right_upper_arm_under"), ("left", "left_upper_arm_under")),
    "waist": (("right", "waist_right"), ("left", "waist_left")),
    "back_and_arm": (("right", "upper_back"), ("left", "left_forearm_under")),
    "back_and_chest": (("right", "upper_back"), ("left", "chest")),
    "belt_and_arm": (("right", "lower_back"), ("left", "left_forearm_under")),
    "front_arms": (("right", "left_upper_arm_outer"), ("left", "right_upper_arm_outer")),
    "front_waist": (("right", "waist_left"), ("left", "waist_right")),
}
HOW = {
    "under_arms": "under the arms", "waist": "by the waist", "back_and_arm": "round the back and by the forearm",
    "back_and_chest": "round the chest", "belt_and_arm": "at the belt", "front_arms": "by both upper arms",
    "front_waist": "by the waist from the front",
}  # fmt: skip

# about where these spots are, metres in the frame of a joint (of a left one, for limbs)
_NEAR: dict[str, tuple[str, tuple[float, float, float]]] = {
    "upper_back": ("spine3", (0.0, 0.02, -0.06)),
    "lower_back": ("spine1", (0.0, 0.03, -0.07)),
    "chest": ("spine3", (0.0, 0.05, 0.16)),
    "waist_left": ("spine1", (0.15, 0.03, 0.03)),
    "waist_right": ("spine1", (-0.15, 0.03, 0.03)),
    "forearm_under": ("elbow", (0.11, -0.01, -0.04)),
    "upper_arm_under": ("shoulder", (0.12, -0.06, 0.0)),
    "upper_arm_outer": ("shoulder", (0.16, 0.04, 0.0)),
}


@dataclass(frozen=True)
class CatchVariant(Variant):
    """How the balance is lost and who catches it.

    where: of the staff: "behind", "beside", "front"; way: the patient goes "back" or "forward"; ends: "floor",
    "upright" or "knees"; deep: metres the hips sink before they are caught; tilts: radians the trunk falls; far: metres
    the hips go with it; spread: radians the arms go out to the sides; walks: seconds of walking that are seen;
    pause: seconds held before anything else happens.
    """

    grip: str = "under_arms"
    where: str = "behind"
    way: str = "back"
    ends: str = "floor"
    deep: float = 0.26
    tilts: float = 0.35
    far: float = 0.22
    spread: float = 0.4
    walks: float = 1.7
    pause: float = 0.35
    strategy: str = ""

    @property
    def to_knees(self) -> bool:
        """Whether the hind knee comes to the floor, and the patient does not go on to sit there."""
        return self.ends == "knees" or (self.ends == "upright" and self.deep >= DEEP)


def _walked(cast: Cast, who: int, name: str, seconds: float, slower: float) -> Track:
    """A captured walk of about `seconds` up to a landing of a foot, slowing down; ends at the origin, facing +x."""
    piece = cast.piece(who, name)
    joints, _ = forward_kinematics(piece.rotmats, cast.rest[who], piece.pelvis - cast.rest[who][0])
    way = piece.pelvis[-1, :2] - piece.pelvis[0, :2]
    way = way / np.linalg.norm(way)
    apart = np.abs((joints[:, JOINT["left_ankle"], :2] - joints[:, JOINT["right_ankle"], :2]) @ way)
    inner = apart[1:-1]
    peaks = np.flatnonzero((inner >= apart[:-2]) & (inner > apart[2:]) & (inner > 0.7 * apart.max())) + 2
    wanted = round(seconds / slower * FPS)
    last = int(peaks[np.abs(peaks - wanted).argmin()])
    last = min(last, piece.frames - 1)
    slow = min(7, last - 1)
    count = round(last * slower) + 4
    track = warp(piece, [0, last - slow, last], [0, count - round(slow * slower) - 4, count])
    yaw = float(np.arctan2(way[1], way[0]))
    track = track.moved(-yaw, np.zeros(3))
    return track.moved(0.0, np.array([-track.pelvis[-1, 0], -track.pelvis[-1, 1], 0.0]))


def _rear(feet: dict[str, tuple[float, float, float]]) -> tuple[str, str]:
    """The foot behind and the one ahead along +x."""
    return ("left", "right") if feet["left"][0] < feet["right"][0] else ("right", "left")


def _merged(captured: Track, body: list[BodyKey], feet: dict[str, list[FootKey]], frames: int, rest: Array) -> Track:
    """The captured track up to its end, then the keys, with both feet where the keys say."""
    stop = captured.frames - 1
    times = np.arange(frames) / FPS
    keyed = keyed_track(times, body, feet, rest)
    order = np.minimum(np.arange(frames), stop)
    still = Track(captured.pelvis[order], captured.rotmats[order])
    trunk = crossfade(still, keyed, stop, stop + round(0.45 * FPS))
    trunk = standing_on(trunk, {side: _curves(times, keys) for side, keys in feet.items()}, rest)
    return crossfade(still, trunk, stop - 1, stop + 4)


@dataclass(frozen=True)
class _Times:
    """Seconds: the balance is lost, hands have hold, sinking ends, help begins, it is done, all ends."""

    event: float
    grab: float
    low: float
    help: float
    done: float
    end: float


def _patient(cast: Cast, variant: CatchVariant, walk: Track, at: _Times, frames: int) -> Track:
    rest = cast.rest[PATIENT]
    feet = standing_feet(walk, walk.frames - 1, rest)
    rear, front = _rear(feet)
    x, y, z = walk.pelvis[-1]
    yaw = float(facing_yaw(walk.rotmats[-1, 0]))
    sign = -1.0 if variant.way == "back" else 1.0
    far = variant.far
    tilt = sign * variant.tilts
    deep, arms = variant.deep, variant.spread
    if variant.to_knees:  # as deep as the knee comes to the floor, whatever the legs' length
        deep = max(deep, float(z) - over_knee(rest, 0.04) - 0.04)
    on = variant.ends == "floor"  # sinks on without a rest
    body = [
        BodyKey(at.event, x, y, z, yaw, 0.08),
        BodyKey(at.low, x + sign * far, y, z - deep, 0.0, tilt, spread=arms),
        BodyKey(at.help, x + sign * (far + 0.03), y, z - deep - (0.05 if on else 0.02), 0.0, 1.05 * tilt, spread=arms),
    ]
    steps = {rear: [FootKey(at.event, *feet[rear]), FootKey(at.low, *feet[rear], heel=0.45)],
             front: [FootKey(at.event, *feet[front])]}  # fmt: skip
    half = 0.5 * (at.help + at.done)
    if variant.ends == "floor":
        low = feet[front][0] - SITS
        body += [
            BodyKey(half, 0.5 * (x - far + low), y, 0.5 * (z - deep + FLOOR_SIT), 0.0, -0.3, spread=arms),
            BodyKey(at.done, low, y, FLOOR_SIT, 0.0, -0.15, spread=0.9 * arms),
            BodyKey(at.end, low, y, FLOOR_SIT, 0.0, -0.1, spread=0.8 * arms),
        ]
        goal = (feet[front][0] - 0.02, feet[rear][1], feet[rear][2])
        middle = midway(goal, feet[rear])
        steps[rear] += [FootKey(at.help + 0.1, *feet[rear], heel=0.45), FootKey(half - 0.1, *middle, lift=0.04),
                        FootKey(half + 0.4, *goal)]  # fmt: skip
    elif variant.ends == "knees":
        toes = FootKey(at.done, *feet[rear], heel=TUCKED)
        knee = knee_of(toes, rest)
        down = over_knee(rest, 0.04)
        body += [
            BodyKey(at.done, knee[0] + 0.0, y, down, 0.0, 0.25, spread=arms),
            BodyKey(at.end, knee[0] - 0.02, y, down, 0.0, 0.15, spread=arms),
        ]
        steps[rear] += [toes]
    else:
        body += [
            BodyKey(at.done, x - 0.02, y, z - 0.01, 0.0, 0.1, spread=0.6 * arms),
            BodyKey(at.end, x - 0.02, y, z, 0.0, 0.1, spread=0.5 * arms),
        ]
        steps[rear] += [FootKey(at.help, *feet[rear], heel=0.45), FootKey(at.done, *feet[rear])]
    return cast.alive(PATIENT, _merged(walk, body, steps, frames, rest))


def _staff(
    cast: Cast, variant: CatchVariant, walk: Track, at: _Times, frames: int, closer: Mapping[float, Array]
) -> Track:
    """closer: metres [2] by which the body goes nearer to what it holds, at moments in the order of time."""
    rest = cast.rest[STAFF]
    feet = standing_feet(walk, walk.frames - 1, rest)
    heading = float(facing_yaw(walk.rotmats[-1, 0]))
    x, y, z = walk.pelvis[-1]
    start = walk.frames / FPS
    half = 0.5 * (at.help + at.done)
    if variant.where == "front":
        near, other, yaw = "right", "left", np.pi
        step = (0.56 if variant.way == "forward" else 0.42, feet[other][1], feet[other][2])
        sinks = {"upright": 0.08, "knees": 0.22, "floor": 0.3}[variant.ends]
        bows = (0.18, 0.55) if variant.to_knees else (0.12, 0.35)
        caught = BodyKey(at.low, 0.5 * (step[0] + feet[near][0]) + 0.1, y, z - bows[0], heading, bows[1], reach=0.8)
    elif variant.where == "beside":
        near, other = _rear(feet)
        yaw = -1.0
        step = (feet[other][0], feet[other][1] - 0.06, -0.7)
        sinks = 0.08
        bows = (0.2, 0.55) if variant.to_knees else (0.1, 0.35)
        caught = BodyKey(at.low, x - 0.02, y - 0.05, z - bows[0], -0.75, bows[1], reach=0.7)
    else:
        near, other = _rear(feet)
        yaw = 0.0
        step = feet[other]
        sinks = 0.08
        caught = BodyKey(at.low, x - 0.04, y, z - 0.1, 0.0, 0.22, reach=0.9)
    body = [BodyKey(start, x, y, z, heading, 0.08), caught]
    grab = at.grab + 0.05
    middle = midway(feet[other], step)
    moves = {near: [FootKey(start, *feet[near])],
             other: [FootKey(start, *feet[other])]}  # fmt: skip
    if step != feet[other]:
        begin = max(start, at.event - 0.1)
        moves[other] += [FootKey(begin + 0.01, *feet[other]), FootKey(0.5 * (begin + grab), *middle, lift=0.05),
                         FootKey(max(grab, begin + 0.35), *step)]  # fmt: skip
    if variant.ends == "floor" and variant.where != "front":
        if variant.where == "behind":
            kneel, foot = (
                (feet[near][0] - 0.17, feet[near][1], 0.0),
                (x - 0.02, 0.35 * np.sign(feet[other][1] - y), 0.0),
            )
        else:
            kneel, foot = (x - 0.38, y + 0.25, -1.0), (x + 0.06, y + 0.06, -0.9)
        if closer:
            more = closer[at.done]
            kneel = (kneel[0] + more[0], kneel[1] + more[1], kneel[2])
            foot = (foot[0] + more[0], foot[1] + more[1], foot[2])
        back = midway(feet[near], kneel)
        moves[near] += [
            FootKey(at.help, *feet[near]),
            FootKey(at.help + 0.25, *back, lift=0.05),
            FootKey(at.help + 0.5, *kneel, heel=0.3),
            FootKey(at.done - 0.2, *kneel, heel=TUCKED),
        ]
        last = moves[other][-1]
        between = midway((last.x, last.y, last.yaw), foot)
        moves[other] += [FootKey(at.help + 0.55, last.x, last.y, last.yaw), FootKey(at.help + 0.8, *between, lift=0.05),
                         FootKey(at.help + 1.05, *foot)]  # fmt: skip
        knee = knee_of(FootKey(0.0, *kneel, heel=TUCKED), rest)
        down = over_knee(rest, 0.03)
        place = ahead((*knee, yaw), 0.0, 0.07 if near == "right" else -0.07)
        lean = 0.55 if variant.where == "behind" else 0.6
        body += [
            BodyKey(at.help, caught.x - 0.05, caught.y, caught.z - 0.03, caught.yaw, 0.35, reach=0.9),
            BodyKey(half, 0.6 * place[0] + 0.4 * x, 0.6 * place[1] + 0.4 * y, 0.55 * z + 0.45 * down, yaw, 0.5,
                    reach=0.8),
            BodyKey(at.done, *place[:2], down, yaw, lean, reach=0.7),
            BodyKey(at.end, *place[:2], down, yaw, 0.85 * lean, reach=0.6),
        ]  # fmt: skip
    else:
        lean = {"upright": 0.15, "knees": 0.75, "floor": 0.9}[variant.ends]
        body += [
            BodyKey(at.help, caught.x, caught.y, caught.z - 0.03, caught.yaw, caught.lean + 0.08, reach=0.8),
            BodyKey(at.done, caught.x, caught.y, z - sinks, caught.yaw, lean, reach=0.6),
            BodyKey(at.end, caught.x, caught.y, z - 0.9 * sinks, caught.yaw, 0.9 * lean, reach=0.5),
        ]
    done = 2 if variant.ends == "floor" and variant.where != "front" else len(body)  # the rest goes with the feet
    body = [
        replace(key, x=key.x + closer[key.time][0], y=key.y + closer[key.time][1])
        if key.time in closer and index <= done
        else key
        for index, key in enumerate(body)
    ]
    return cast.alive(STAFF, _merged(walk, body, moves, frames, rest))


def _closer(
    cast: Cast, staff: Track, patient: Track, holds: tuple[Hold, ...], before: Mapping[float, Array], at: _Times
) -> dict[float, Array]:
    """How much nearer staff has to be at each moment, so that both arms reach what they hold, and bent ones."""
    rest = cast.rest[STAFF]
    joints, _ = forward_kinematics(staff.rotmats, rest, staff.pelvis - rest[0])
    result = {}
    for moment in (at.low, at.help, at.done, at.end):
        frame = min(round(moment * FPS), staff.frames - 1)
        ways = []
        for hold in holds:
            side = hold.spot.removesuffix("_hand")
            bones = [rest[JOINT[f"{side}_{name}"]] for name in ("shoulder", "elbow", "wrist")]
            arm = sum(float(np.linalg.norm(b - a)) for a, b in itertools.pairwise(bones)) + _HAND
            way = _place(cast, patient, hold.other_spot)[frame] - joints[frame, JOINT[f"{side}_shoulder"]]
            far = float(np.linalg.norm(way[:2]))
            # the horizontal part that is left when the arm is as straight as it should be
            fine = float(np.sqrt(max((BENT * arm) ** 2 - way[2] ** 2, 0.0)))
            ways.append(max(far - fine, 0.0) * way[:2] / max(far, 1e-6))
        step = np.mean(ways, 0) + before.get(moment, np.zeros(2))
        result[moment] = step * min(1.0, CLOSER / max(float(np.linalg.norm(step)), 1e-6))
    return result


def catch(cast: Cast, variant: CatchVariant, rng: np.random.Generator) -> Script:
    """Walk; lose the balance; be caught; be lowered or set up again."""
    tempo = variant.tempo * float(rng.uniform(0.93, 1.07))
    walk = _walked(cast, PATIENT, "walk_slow", variant.walks, 1.25)
    event = (walk.frames - 1) / FPS
    sinks = (0.8 if variant.to_knees else 0.6) * tempo
    grab = event + 0.75 * sinks
    low = event + sinks
    begin = low + (0.5 if variant.ends == "floor" else 1.0) * variant.pause
    done = begin + {"floor": 2.3, "upright": 1.7, "knees": 1.6}[variant.ends] * tempo
    seconds = done + {"floor": 1.6, "upright": 1.5, "knees": 1.5}[variant.ends]
    frames = round(seconds * FPS)
    seconds = frames / FPS
    at = _Times(event, grab, low, begin, done, seconds)
    if variant.where == "front":
        apart = 0.98 + float(rng.uniform(-0.03, 0.04))
        waiting = round(0.9 * event * FPS)
        along = standing(cast, STAFF, waiting, (apart, float(rng.uniform(-0.03, 0.03)), np.pi), "idle_still")
    else:
        along = _walked(cast, STAFF, "walk_calm", variant.walks, 1.1)
        along = _with_frames(along, walk.frames)
        off = (-0.66, 0.0) if variant.where == "behind" else (-0.12, 0.62)
        along = along.moved(0.0, np.array([off[0] + float(rng.uniform(-0.04, 0.03)), off[1], 0.0]))
    patient = _patient(cast, variant, walk, at, frames)
    holds = tuple(
        Hold(STAFF, f"{hand}_hand", PATIENT, spot, grab + 0.1 * index, seconds, flat=True)
        for index, (hand, spot) in enumerate(GRIPS[variant.grip])
    )
    closer: dict[float, Array] = {}
    near = variant.grip == "back_and_arm"  # by the side as they walk: the arm behind the back has no other way
    for _ in range(0 if near else 2):
        closer = _closer(cast, _staff(cast, variant, along, at, frames, closer), patient, holds, closer, at)
    staff = _staff(cast, variant, along, at, frames, closer)
    staff = staff if near else _aimed(cast, staff, patient, holds)
    actions, seats, kneels = _told(cast, variant, at, patient, staff)
    return Script(
        name="fall_caught_by_staff",
        seconds=seconds,
        phases=(Phase("step", 0.0, event), Phase("grasp", event, grab), Phase("support", grab, begin),
                Phase("lower" if variant.ends != "upright" else "lift", begin, done), Phase("support", done, seconds)),
        actors=(Actor(cast.betas[PATIENT], patient), Actor(cast.betas[STAFF], staff)),
        holds=holds,
        seats=seats,
        kneels=kneels,
        looks=((STAFF, 0.9),),
        facts={"grip": variant.grip, "strategy": variant.strategy, "how": HOW[variant.grip],
               "ends": ENDS[variant.ends]},
        actions=actions,
        core=(round(max(0.0, event - 0.6), 3), round(min(seconds, done + 0.4), 3)),
        datasets=("cmu", "reactidle"),
    )  # fmt: skip


def _place(cast: Cast, patient: Track, spot: str) -> Array:
    """About where a spot of the patient is [T, 3]."""
    rest = cast.rest[PATIENT]
    joints, world = forward_kinematics(patient.rotmats, rest, patient.pelvis - rest[0])
    side, _, limb = spot.partition("_")
    name, offset = _NEAR[spot if spot in _NEAR else limb]
    if spot not in _NEAR:
        name, offset = f"{side}_{name}", (offset[0] if side == "left" else -offset[0], *offset[1:])
    place: Array = joints[:, JOINT[name]] + world[:, JOINT[name]] @ np.array(offset)
    return place


def _aimed(cast: Cast, track: Track, patient: Track, holds: tuple[Hold, ...]) -> Track:
    """Arms that are on their way to what they will hold: left to itself the optimiser brings them through bodies."""
    for hold in holds:
        share = window(track.frames, hold.start, hold.end, 0.5)
        there = _place(cast, patient, hold.other_spot)
        twist = -1.0 if hold.other_spot.endswith("forearm_under") else 0.0
        track = reaching(track, cast.rest[STAFF], hold.spot.removesuffix("_hand"), there, share, twist)
    return track


ENDS = {
    "floor": "lowers them gently to the floor", "upright": "sets them upright again",
    "knees": "lets them down on the knees",
}  # fmt: skip


def _with_frames(track: Track, frames: int) -> Track:
    """The end of a track, or all of it a little slower."""
    if track.frames >= frames:
        return Track(track.pelvis[-frames:], track.rotmats[-frames:])
    return warp(track, [0, track.frames - 1], [0, frames - 1])


def _told(
    cast: Cast, variant: CatchVariant, at: _Times, patient: Track, staff: Track
) -> tuple[tuple[ActionSegment, ...], tuple[Seat, ...], tuple[Kneel, ...]]:
    p, s, end = PATIENT, STAFF, at.end
    first = [ActionSegment(p, 0.0, at.event, "walk")]
    waits = variant.where == "front"
    second = [] if waits else [ActionSegment(s, 0.0, at.event, "walk")]
    begun = 0.0 if waits else at.event
    seats: tuple[Seat, ...] = ()
    kneels: tuple[Kneel, ...] = ()
    if variant.ends == "floor":
        first += [ActionSegment(p, at.event, at.done, "sit_down"), ActionSegment(p, at.done, end, "sitting")]
        seats = (Seat(p, "floor", at.done, end),)
    elif variant.ends == "knees":
        side = _rear(standing_feet(patient, round(at.event * FPS), cast.rest[p]))[0]
        first += [ActionSegment(p, at.event, at.done, "kneel_down"), ActionSegment(p, at.done, end, "kneeling")]
        kneels = (Kneel(p, f"{side}_knee", at.done, end),)
    elif variant.to_knees:  # the hind knee gives way as far as to the floor, and the way up is a rise
        first += [ActionSegment(p, at.event, at.low, "kneel_down"), ActionSegment(p, at.low, at.help, "kneeling")]
        first = first if variant.pause >= 0.6 else first[:-1]
        first += [ActionSegment(p, at.help, at.done, "stand_up"), ActionSegment(p, at.done, end, "standing")]
    else:
        begun_to_stand = at.low if variant.way == "forward" else at.event  # who trips gets along until held
        first = [ActionSegment(p, 0.0, begun_to_stand, "walk"), ActionSegment(p, begun_to_stand, end, "standing")]
    if variant.ends == "floor" and not waits:
        side = _rear(standing_feet(staff, round(at.event * FPS), cast.rest[s]))[0]
        second += [ActionSegment(s, begun, at.help, "standing"), ActionSegment(s, at.help, at.done, "kneel_down"),
                   ActionSegment(s, at.done, end, "kneeling")]  # fmt: skip
        kneels += (Kneel(s, f"{side}_knee", at.done, end),)
    else:
        second.append(ActionSegment(s, begun, end, "standing"))
    return (*first, *second), seats, kneels


BUILDERS = {"fall_caught_by_staff": catch}
VARIANTS: dict[str, tuple[CatchVariant, ...]] = {
    "fall_caught_by_staff": (
        CatchVariant(spread=0.55, strategy="from behind, lowered to the floor"),
        CatchVariant(where="beside", grip="back_and_arm", ends="upright", tilts=0.45, deep=0.16, far=0.18,
                     spread=0.55, strategy="from the side, set upright"),
        CatchVariant(ends="upright", grip="waist", tilts=0.55, deep=0.15, mirror=True, strategy="from behind, held"),
        CatchVariant(where="front", way="forward", grip="front_arms", ends="knees", tilts=0.4, far=0.12,
                     strategy="from the front, down on the knees"),
        CatchVariant(where="beside", grip="back_and_arm", spread=0.55, strategy="from the side, lowered to the floor"),
        CatchVariant(where="front", way="forward", grip="front_waist", ends="upright", tilts=0.55, deep=0.14, far=0.12,
                     strategy="trips into the arms"),
        CatchVariant(where="front", way="forward", grip="front_waist", ends="knees", tilts=0.2, far=0.1, mirror=True,
                     tempo=1.1, strategy="from the front, sinks to the knees, held by the waist"),
        CatchVariant(where="beside", way="forward", grip="back_and_chest", ends="upright", tilts=0.6, deep=0.12,
                     far=0.12, mirror=True, strategy="trips, caught round the chest"),
        CatchVariant(where="beside", grip="belt_and_arm", ends="upright", deep=0.36, tilts=-0.1, far=0.02, pause=1.4,
                     tempo=1.1, strategy="knees buckle, long held"),
    ),
}  # fmt: skip
CAPTIONS: dict[str, tuple[str, ...]] = {
    "fall_caught_by_staff": (
        "a patient starts to fall and staff catches the fall",
        "{patient} loses balance while walking and {staff} catches them {how}",
        "the knees of {patient} give way and {staff} grabs hold",
        "{staff} catches {patient}, who is about to fall, and {ends}",
        "{patient} stumbles and is caught by {staff}",
        "{staff} prevents a fall: {patient} sinks and is held {how}",
        "{patient} nearly falls, {staff} holds on and {ends}",
    ),
}
