"""The scripts: how a care worker helps, told in phases, holds, footsteps and postures.

Every script is written for a patient who faces +x at the origin, with the staff on the patient's left or in front; the
other side is its mirror image (`library.mirrored`). Timing, grip, distance and posture are drawn from a generator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from synth.corpus.care.script import FPS, PATIENT, STAFF, Actor, Hold, Lie, Phase, Script, Seat
from synth.corpus.care.stage import stage_piece
from synth.corpus.care.tracks import (
    Course,
    Footstep,
    StanceKey,
    Track,
    breathe,
    crossfade,
    feet_path,
    from_interaction,
    on_course,
    reverse,
    stance_track,
    standing_feet,
    stretch,
    warp,
)  # fmt: skip
from synth.interaction import ActionSegment, Interaction
from synth.room import Furniture
from synth.rotation import Array, axis_matrix
from synth.skeleton import JOINT

# name and betas [10] -> captured motion on that body (synth.corpus.segments.segment with the collection bound)
Segments = Callable[[str, Array], Interaction]
_IDLE_JOINTS = ("spine1", "spine2", "spine3", "neck", "head")


@dataclass(frozen=True)
class Cast:
    """Two bodies and where their captured motion comes from."""

    segments: Segments
    betas: tuple[Array, Array]  # patient, staff
    rest: tuple[Array, Array]  # rest joints [24, 3] each

    def piece(self, who: int, name: str, start: float = 0.0, end: float | None = None) -> Track:
        return from_interaction(self.segments(name, self.betas[who]), self.rest[who][0], start, end)

    def alive(self, who: int, track: Track) -> Track:
        return breathe(track, self.piece(who, "idle", 0.0, 6.0), _IDLE_JOINTS)


def _frames(seconds: float) -> int:
    return max(2, round(seconds * FPS))


def _rising(cast: Cast, times: Array, lift: float, up: float, tried: float | None = None) -> Actor:
    """Captured rising from a seat between `lift` and `up` s: trunk forward first, then up; ends standing.

    tried: seconds at which a first try began, which gets no further than leaning forward.
    """
    captured = cast.piece(PATIENT, "sit_to_stand", 0.75, 2.0)
    captured = captured.placed(0, 0.0, np.zeros(2))
    last = len(times) - 1
    begin, end = round(lift * FPS), min(round(up * FPS), last - 1)
    keys, frames = [0.0, 0.0], [0, begin]
    if tried is not None:
        first, half = round(tried * FPS), (begin - round(tried * FPS)) // 2
        keys, frames = [0.0, 0.0, 8.0, 1.0, 1.0], [0, first, first + half, begin - 3, begin]
    moving = warp(captured, [*keys, 20, 20], [*frames, begin + round(0.78 * (end - begin)), last])
    feet_at = standing_feet(captured, 0, cast.rest[PATIENT])
    return _ends_standing(cast, times, moving, feet_at, [], begin + round(0.5 * (end - begin)), end)


def _ends_standing(
    cast: Cast, times: Array, moving: Track, feet_at: dict, steps: list[Footstep], begin: int, end: int
) -> Actor:
    """Fade a captured rise into the person's own way of standing over the same feet."""
    feet = feet_path(times, feet_at, steps, lift=0.05)
    stance = stance_track(times, feet, [StanceKey(0.0, 0.03, 0.14)], cast.rest[PATIENT])
    return Actor(cast.betas[PATIENT], cast.alive(PATIENT, crossfade(moving, stance, begin, end)), feet)


@dataclass(frozen=True)
class Spot2D:
    """Where the staff's feet end up and which way they point: middle (x, y), yaw, and how staggered (left ahead)."""

    x: float
    y: float
    yaw: float
    stagger: float = 0.12
    width: float = 0.26

    def foot(self, side: str, back: float = 0.0) -> tuple[float, float, float]:
        """Ankle place of a foot, `back` metres behind where it ends up."""
        sign = 1.0 if side == "left" else -1.0
        ahead, aside = sign * 0.5 * self.stagger - back, sign * 0.5 * self.width
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        return (self.x + c * ahead - s * aside, self.y + s * ahead + c * aside, self.yaw + 0.12 * sign)


def _approach(spot: Spot2D, distance: float, begin: float, pace: float) -> tuple[dict, list[Footstep], float]:
    """Walk up to a stance: start `distance` metres behind it, steps about 0.4 m, `pace` s each. Start, steps, end."""
    start = {side: spot.foot(side, distance) for side in ("left", "right")}
    count = max(2, int(np.ceil(distance / 0.33)) + 1)
    steps, time = [], begin
    for index in range(count):
        side = ("right", "left")[index % 2]
        last = index >= count - 2
        left_over = 0.0 if last else distance * (1 - (index + 1) / count)
        x, y, yaw = spot.foot(side, left_over)
        steps.append(Footstep(side, time, time + pace * 0.85, (x, y), yaw))
        time += pace
    return start, steps, time


def _staff(cast: Cast, times: Array, start: dict, steps: list[Footstep], keys: list[StanceKey]) -> Actor:
    feet = feet_path(times, start, steps)
    track = cast.alive(STAFF, stance_track(times, feet, keys, cast.rest[STAFF]))
    return Actor(cast.betas[STAFF], track, feet)


# --- holds ------------------------------------------------------------------------------------------------------------


def _grip(name: str, start: float, end: float) -> tuple[Hold, ...]:
    """What touches what. Front grips use both sides; side grips are for a staff on the patient's left."""
    s, p = STAFF, PATIENT
    grips = {
        "both_hands": [(s, "right_hand", p, "left_hand"), (s, "left_hand", p, "right_hand")],
        "forearms": [(s, "right_hand", p, "left_forearm_under"), (s, "left_hand", p, "right_forearm_under")],
        "upper_arms": [(s, "right_hand", p, "left_upper_arm"), (s, "left_hand", p, "right_upper_arm")],
        "hand_and_upper_arm": [(s, "right_hand", p, "left_upper_arm"), (s, "left_hand", p, "left_hand")],
        "hand_and_back": [(s, "right_hand", p, "upper_back"), (s, "left_hand", p, "left_hand")],
        "forearm_and_back": [(s, "right_hand", p, "lower_back"), (s, "left_hand", p, "left_forearm_under")],
        "hand_and_elbow": [(s, "right_hand", p, "left_elbow"), (s, "left_hand", p, "left_hand")],
        "arm_in_arm": [(s, "right_hand", p, "left_forearm_under"), (s, "left_hand", p, "left_hand_top")],
        "hand_and_waist": [(s, "right_hand", p, "lower_back_right"), (s, "left_hand", p, "left_hand_top")],
        "arm_and_back": [(s, "right_hand", p, "upper_back"), (s, "left_hand", p, "left_forearm_under")],
    }  # fmt: skip
    return tuple(Hold(a, b, c, d, start, end) for a, b, c, d in grips[name])


SIDE_GRIPS = ("hand_and_upper_arm", "hand_and_back", "forearm_and_back", "hand_and_elbow", "hand_and_waist")
FRONT_GRIPS = ("both_hands", "forearms", "upper_arms")


@dataclass(frozen=True)
class Variant:
    """One way to play a script: grip, seat, tempo (larger = slower), hesitation seconds, mirrored side.

    there: staff is there from the start; tries: how often the patient sets about it; way: which captured movement
    (`_FLOOR_RISES`, `_WALKS`); bend: radians a metre that a way over the floor turns.
    """

    grip: str
    seat: str = "armchair"
    tempo: float = 1.0
    hesitation: float = 0.0
    mirror: bool = False
    there: bool = False
    tries: int = 1
    way: str = ""
    bend: float = 0.0


# --- up from a seat ---------------------------------------------------------------------------------------------------


def help_up(cast: Cast, variant: Variant, rng: np.random.Generator) -> Script:
    """From the bed's edge, a chair or an armchair: the staff comes, takes hold, both lean, the patient rises."""
    tempo, front = variant.tempo, variant.grip in FRONT_GRIPS
    distance = float(rng.uniform(0.55, 0.8))
    spot = Spot2D(0.98, 0.02, np.pi, stagger=0.22) if front else Spot2D(0.5, 0.5, np.radians(-128.0), stagger=0.2)
    start, steps, arrived = _approach(spot, distance, 0.2, 0.55)
    if variant.there:
        start, steps, arrived = {side: spot.foot(side) for side in ("left", "right")}, [], 0.3
    grasp = arrived + 0.75
    lift = grasp + 0.7 + variant.hesitation
    tried = lift if variant.tries > 1 else None
    lift += 1.7 if variant.tries > 1 else 0.0
    rise = 2.3 * tempo
    up = lift + rise
    let_go = up + 1.2
    seconds = let_go + 0.8
    times = np.arange(_frames(seconds)) / FPS
    patient = _rising(cast, times, lift, up, tried)
    if front:  # make room for the rising patient: a small step back
        for index, side in enumerate(("right", "left")):
            x, y, yaw = spot.foot(side, 0.09)
            steps.append(
                Footstep(side, lift + (0.35 + 0.3 * index) * rise, lift + (0.62 + 0.3 * index) * rise, (x, y), yaw)
            )
    deep = 0.16 if variant.seat == "bed" else 0.2
    lean = 0.55 if front else 0.65
    keys = [
        StanceKey(0.0, 0.02, 0.08), StanceKey(arrived, 0.04, 0.15), StanceKey(grasp, deep, lean),
        StanceKey(lift, deep + 0.02, lean), StanceKey(lift + 0.45 * rise, 0.5 * deep, 0.7 * lean),
        StanceKey(up, 0.03, 0.14), StanceKey(seconds, 0.02, 0.08),
    ]  # fmt: skip
    if tried is not None:
        keys[4:4] = [StanceKey(lift - 0.85, 0.7 * deep, 0.85 * lean), StanceKey(lift - 0.15, deep, lean)]
        keys[3] = StanceKey(tried, deep + 0.02, lean)
    if variant.hesitation > 0.5 and tried is None:  # a first try that does not come off: lean in, sink back
        keys.append(StanceKey(lift - 0.5 * variant.hesitation, deep - 0.05, lean - 0.12))
    keys.sort(key=lambda key: key.time)
    piece = _seat(variant.seat)
    phases = (
        Phase("approach", 0.2, arrived), Phase("reach", arrived, grasp), Phase("grasp", grasp, lift),
        Phase("lift", lift, up), Phase("support", up, let_go), Phase("let go", let_go, seconds),
    )  # fmt: skip
    return Script(
        name="help_up_from_bed" if variant.seat == "bed" else "help_up_from_chair",
        seconds=len(times) / FPS,
        phases=phases,
        actors=(patient, _staff(cast, times, start, steps, keys)),
        holds=_grip(variant.grip, grasp, let_go),
        furniture=(piece,),
        seats=(Seat(PATIENT, piece.id, 0.0, lift + 0.30 * rise),),
        balanced=((STAFF, 0.0, grasp), (PATIENT, up, seconds)),
        facts={"grip": variant.grip, "seat": variant.seat, "speed": "slowly" if tempo > 1.15 else "",
               "strategy": _strategy(variant)},
    )  # fmt: skip


def _strategy(variant: Variant) -> str:
    """What sets a variant apart, in words."""
    said = [variant.grip.replace("_", " "), variant.seat] + ["from the front"] * (variant.grip in FRONT_GRIPS)
    said += [variant.way] * bool(variant.way) + ["already there"] * variant.there + ["second try"] * (variant.tries > 1)
    return ", ".join([*said, *(["hesitates"] if variant.hesitation > 0.3 else [])])


def _seat(kind: str) -> Furniture:
    """The furniture under a patient whose pelvis sits at the origin and who faces +x."""
    if kind == "bed":
        return stage_piece("bed", (-0.27, 0.25), 0.0)
    if kind == "armchair":
        return stage_piece("armchair", (-0.16, 0.0), -np.pi / 2)
    return stage_piece("chair", (0.02, 0.0), -np.pi / 2)


# --- down into a seat -------------------------------------------------------------------------------------------------


def sit_down(cast: Cast, variant: Variant, rng: np.random.Generator) -> Script:
    """Lower the patient into a chair: stand close, hold, the patient bends and sinks, the staff bends along."""
    tempo, front = variant.tempo, variant.grip in FRONT_GRIPS
    begin = 1.6 + variant.hesitation
    lower = 2.5 * tempo
    seated = begin + lower
    let_go = seated + 0.5
    seconds = let_go + 1.3
    times = np.arange(_frames(seconds)) / FPS
    rising = _rising(cast, times, times[-1] - seated, times[-1] - begin)
    patient = Actor(rising.betas, reverse(rising.track), rising.feet)  # the feet never leave their place
    if front:
        spot = Spot2D(1.12, 0.02, np.pi, stagger=0.2)
        start = {side: spot.foot(side) for side in ("left", "right")}
        steps = []
        for index, side in enumerate(("left", "right")):  # follow the patient down with a small step
            x, y, yaw = spot.foot(side, -0.15)
            moment = begin + (0.05 + 0.3 * index) * lower
            steps.append(Footstep(side, moment, moment + 0.28 * lower, (x, y), yaw))
    else:
        spot = Spot2D(0.52, 0.53, np.radians(-128.0), stagger=0.2)
        start, steps = {side: spot.foot(side) for side in ("left", "right")}, []
    lean, deep = (0.5, 0.2) if front else (0.65, 0.22)
    keys = [
        StanceKey(0.0, 0.02, 0.1), StanceKey(begin, 0.03, 0.14),
        StanceKey(begin + 0.55 * lower, 0.6 * deep, 0.75 * lean),
        StanceKey(seated, deep, lean), StanceKey(let_go, deep, lean), StanceKey(seconds, 0.04, 0.15),
    ]  # fmt: skip
    piece = _seat(variant.seat)
    phases = (
        Phase("support", 0.0, begin), Phase("lower", begin, seated), Phase("let go", let_go, seconds),
    )  # fmt: skip
    return Script(
        name="assist_sit_down",
        seconds=len(times) / FPS,
        phases=phases,
        actors=(patient, _staff(cast, times, start, steps, keys)),
        holds=_grip(variant.grip, 0.0, let_go),
        furniture=(piece,),
        seats=(Seat(PATIENT, piece.id, seated - 0.30 * lower, seconds),),
        balanced=((PATIENT, 0.0, begin),),
        facts={"grip": variant.grip, "seat": variant.seat, "speed": "slowly" if tempo > 1.15 else "",
               "strategy": _strategy(variant)},
    )  # fmt: skip


# --- up from the floor ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _FloorRise:
    """Captured rising from the floor: piece, its seconds; frames of sitting, crouching and standing in it; and when,
    as shares of the whole rise, a foot is drawn in under the body."""

    piece: str
    start: float
    end: float
    sits: int
    crouches: int
    stands: int
    draws: tuple[str, float, float]


_FLOOR_RISES = {
    "": _FloorRise("get_up", 2.95, 5.0, 0, 20, 36, ("right", 0.2, 0.38)),
    "from lying": _FloorRise("get_up", 1.0, 5.0, 39, 59, 75, ("right", 0.2, 0.38)),
    "legs bent": _FloorRise("get_up_bk", 4.1, 6.4, 0, 22, 45, ("right", 0.2, 0.32)),
}


def help_up_floor(cast: Cast, variant: Variant, rng: np.random.Generator) -> Script:
    """The patient sits on the floor; the staff squats down at the side, takes hold; crouch, then up together."""
    tempo, way = variant.tempo, _FLOOR_RISES[variant.way]
    spot = Spot2D(0.26, 0.67, np.radians(-103.0), stagger=0.24, width=0.34)
    start, steps, arrived = _approach(spot, float(rng.uniform(0.5, 0.7)), 0.2, 0.55)
    if variant.there:
        start, steps, arrived = {side: spot.foot(side) for side in ("left", "right")}, [], 0.6
    grasp = arrived + 1.3
    lift = grasp + 0.7 + variant.hesitation
    rise = 3.2 * tempo
    up = lift + rise
    let_go = up + 0.9
    seconds = let_go + 0.7
    times = np.arange(_frames(seconds)) / FPS
    captured = cast.piece(PATIENT, way.piece, way.start, way.end).placed(way.sits, 0.0, np.zeros(2))
    first, crouch, last = round(lift * FPS), round((lift + 0.40 * rise) * FPS), len(times) - 1
    sat = round((grasp - 0.4) * FPS)
    before = ([0, 0, way.sits], [0, round(0.4 * FPS), sat]) if way.sits else ([0], [0])
    stands = min(way.stands, captured.frames - 1)
    moving = warp(
        captured, [*before[0], way.sits, way.crouches, stands, stands],
        [*before[1], first, crouch, round(up * FPS), last],
    )  # fmt: skip
    sitting = standing_feet(captured, way.sits, cast.rest[PATIENT])
    crouching = standing_feet(captured, way.crouches, cast.rest[PATIENT])
    side, off, on = way.draws
    draw_in = Footstep(side, lift + off * rise, lift + on * rise, crouching[side][:2], crouching[side][2])
    patient = _ends_standing(
        cast, times, moving, sitting, [draw_in], round((lift + 0.72 * rise) * FPS), round(up * FPS)
    )
    keys = [
        StanceKey(0.0, 0.02, 0.08), StanceKey(arrived, 0.06, 0.2), StanceKey(grasp, 0.5, 0.5),
        StanceKey(lift, 0.5, 0.5), StanceKey(lift + 0.5 * rise, 0.3, 0.6), StanceKey(lift + 0.8 * rise, 0.1, 0.35),
        StanceKey(up, 0.03, 0.12), StanceKey(seconds, 0.02, 0.08),
    ]  # fmt: skip
    phases = (
        Phase("approach", 0.2, arrived), Phase("reach", arrived, grasp), Phase("grasp", grasp, lift),
        Phase("lift", lift, up), Phase("support", up, let_go), Phase("let go", let_go, seconds),
    )  # fmt: skip
    lying = sat / FPS if way.sits else 0.0
    down = [
        ActionSegment(PATIENT, 0.0, 0.5, "fallen"), ActionSegment(PATIENT, 0.5, lying, "other"),
    ] if way.sits else []  # fmt: skip
    came = [] if variant.there else [ActionSegment(STAFF, 0.0, arrived, "walk")]
    return Script(
        name="help_up_from_floor",
        seconds=len(times) / FPS,
        phases=phases,
        actors=(patient, _staff(cast, times, start, steps, keys)),
        holds=_grip(variant.grip, grasp, let_go),
        seats=(Seat(PATIENT, "floor", lying, lift + 0.1 * rise),),
        lies=(Lie(PATIENT, "upper_back", "floor", 0.0, 0.4),) if way.sits else (),
        balanced=((STAFF, 0.0, grasp), (PATIENT, up, seconds)),
        facts={"grip": variant.grip, "speed": "slowly" if tempo > 1.15 else "",
               "strategy": _strategy(replace(variant, seat="floor"))},
        actions=(
            *down, ActionSegment(PATIENT, lying, lift, "sitting"), ActionSegment(PATIENT, lift, up, "stand_up"),
            ActionSegment(PATIENT, up, seconds, "standing"),
            *came, *([ActionSegment(STAFF, 0.0, arrived, "standing")] if variant.there else []),
            ActionSegment(STAFF, arrived, grasp, "squat_down"), ActionSegment(STAFF, grasp, lift, "squatting"),
            ActionSegment(STAFF, lift, up, "stand_up"), ActionSegment(STAFF, up, seconds, "standing"),
        ),
    )  # fmt: skip


def _carry_arms(track: Track, bent: dict[str, float]) -> Track:
    """Arms that hold do not swing: upper arms hang, elbows bent by these angles."""
    rotmats = track.rotmats.copy()
    for side, sign in (("left", 1.0), ("right", -1.0)):
        rotmats[:, JOINT[f"{side}_shoulder"]] = axis_matrix("z", -1.2 * sign)
        rotmats[:, JOINT[f"{side}_elbow"]] = axis_matrix("y", -bent[side] * sign)
        rotmats[:, JOINT[f"{side}_wrist"]] = np.eye(3)
        rotmats[:, JOINT[f"{side}_collar"]] = np.eye(3)
    return Track(track.pelvis, rotmats)


# --- walking together -------------------------------------------------------------------------------------------------


# captured walks to walk together with: seconds of it, and how long it takes at tempo 1
_WALKS = {
    "": ("walk_slow", 6.4), "calm": ("walk_calm", 6.8), "soft": ("walk_soft", 6.8), "old": ("walk_old", 6.6),
    "backwards": ("walk_slow", 6.8),
}  # fmt: skip


def walk_together(cast: Cast, variant: Variant, rng: np.random.Generator) -> Script:
    """Side by side and in step, short slow steps, an arm behind the back or under the arm, a hand held; or the staff
    goes backwards before the patient and holds both hands."""
    piece, lasts = _WALKS[variant.way]
    before = variant.way == "backwards"
    stride = float(rng.uniform(0.55, 0.65)) / max(variant.tempo, 0.9) * (0.85 if before else 1.0)
    course = Course(bend=variant.bend * float(rng.uniform(0.8, 1.1)), straight=0.3)
    aside = float(rng.uniform(0.53, 0.57))
    lengths, walks = [], []
    for who in (PATIENT, STAFF):
        walk = cast.piece(who, piece)
        walk = stretch(walk, _frames(lasts * variant.tempo))
        yaw = np.arctan2(*(walk.pelvis[-1, :2] - walk.pelvis[0, :2])[::-1])
        walk = walk.moved(-float(yaw), np.zeros(3))
        bent = {"left": 1.45, "right": 0.35} if who == PATIENT else {"left": 1.2, "right": 1.2}
        if before:
            bent = {"left": 1.3, "right": 1.3}
            walk = reverse(walk).moved(np.pi, np.zeros(3)) if who == STAFF else walk
        walks.append(_carry_arms(walk, bent))
        lengths.append(float(walk.pelvis[-1, 0] - walk.pelvis[0, 0]))
    actors = []
    for who, walk in enumerate(walks):
        factor = stride * lengths[PATIENT] / lengths[who]
        shift = np.append(-walk.pelvis[0, :2], 0.0)
        if before:
            shift[0] += 0.0 if who == PATIENT else 0.74
            straight = Track(walk.pelvis + shift, walk.rotmats)
            actors.append(Actor(cast.betas[who], straight.scaled_path(factor), stride=factor))
            continue
        track, _ = on_course(walk, course, factor, 0.0 if who == PATIENT else aside)
        actors.append(Actor(cast.betas[who], track, captured=walk))
    seconds = walks[0].frames / FPS
    return Script(
        name="assist_walking",
        seconds=seconds,
        phases=(Phase("support", 0.0, seconds), Phase("step", 0.0, seconds)),
        actors=tuple(actors),
        holds=_grip(variant.grip, 0.0, seconds),
        looks=((STAFF, 0.8),),
        facts={"grip": variant.grip, "speed": "slowly",
               "strategy": ", ".join([variant.grip.replace("_", " "), *([variant.way] if variant.way else []),
                                      *(["round a bend"] if variant.bend else [])])},
    )  # fmt: skip


_BUILDERS = {
    "help_up_from_bed": help_up,
    "help_up_from_chair": help_up,
    "help_up_from_floor": help_up_floor,
    "assist_walking": walk_together,
    "assist_sit_down": sit_down,
}
SCRIPTS: tuple[str, ...] = tuple(_BUILDERS)

VARIANTS: dict[str, tuple[Variant, ...]] = {
    "help_up_from_bed": (
        Variant("hand_and_back", "bed"), Variant("both_hands", "bed", tempo=1.2),
        Variant("hand_and_upper_arm", "bed", tempo=1.1, mirror=True), Variant("forearms", "bed", 1.0, 0.9),
        Variant("hand_and_elbow", "bed", tempo=1.05, mirror=True, tries=2),
        Variant("upper_arms", "bed", tempo=0.95, there=True),
        Variant("forearm_and_back", "bed", tempo=1.25, there=True),
        Variant("hand_and_waist", "bed", tempo=1.1, hesitation=0.6, mirror=True),
    ),
    "help_up_from_chair": (
        Variant("forearms", "armchair"), Variant("hand_and_upper_arm", "chair"),
        Variant("both_hands", "chair", tempo=1.25, mirror=True), Variant("upper_arms", "armchair", 1.1, 0.8),
        Variant("hand_and_back", "armchair", tempo=1.15, tries=2),
        Variant("both_hands", "armchair", tempo=0.95, there=True, mirror=True),
        Variant("forearm_and_back", "chair", tempo=1.2, there=True, mirror=True),
        Variant("hand_and_elbow", "chair", tempo=1.05, hesitation=0.6),
    ),
    "help_up_from_floor": (
        Variant("hand_and_upper_arm"), Variant("hand_and_back", tempo=1.15, mirror=True),
        Variant("hand_and_back", tempo=1.0, hesitation=0.6, way="from lying"),
        Variant("hand_and_upper_arm", tempo=1.05, mirror=True, way="legs bent"),
        Variant("hand_and_elbow", tempo=1.2, way="legs bent"),
        Variant("hand_and_upper_arm", tempo=1.05, mirror=True, way="from lying"),
        Variant("hand_and_back", tempo=0.95, there=True, way="legs bent"),
        Variant("hand_and_upper_arm", tempo=1.15, there=True, hesitation=0.5),
    ),
    "assist_walking": (
        Variant("arm_in_arm"), Variant("hand_and_waist", tempo=1.15, mirror=True), Variant("arm_and_back", tempo=1.05),
        Variant("both_hands", way="backwards"),
        Variant("hand_and_elbow", way="old", tempo=1.1), Variant("hand_and_upper_arm", way="calm", bend=0.3),
        Variant("hand_and_back", way="soft", mirror=True, bend=-0.25),
        Variant("forearm_and_back", tempo=1.25, mirror=True),
        Variant("forearms", way="backwards", tempo=1.15),
    ),
    "assist_sit_down": (
        Variant("forearms", "armchair"), Variant("hand_and_back", "chair", tempo=1.1),
        Variant("both_hands", "chair", tempo=1.2, mirror=True), Variant("hand_and_upper_arm", "armchair"),
        Variant("forearm_and_back", "bed", tempo=1.15, mirror=True), Variant("upper_arms", "chair", tempo=1.05),
        Variant("hand_and_elbow", "armchair", tempo=1.1, hesitation=0.8),
        Variant("both_hands", "bed", tempo=1.25, hesitation=0.5, mirror=True),
    ),
}  # fmt: skip


def script_of(name: str, variant: Variant, cast: Cast, rng: np.random.Generator) -> Script:
    """The script `name` (one of SCRIPTS) in one variant; `variant.mirror` is left to the caller."""
    return replace(_BUILDERS[name](cast, variant, rng), name=name)
