"""From the bed's edge into a wheelchair beside it: staff in front helps to stand, both turn in small steps, and sit.

The patient faces +x on the edge of the bed; the chair stands at the left, its front towards the patient, so that a turn
to the right brings the back before the seat. The other side is the mirror image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.corpus.care.bed import BED
from synth.corpus.care.script import FPS, PATIENT, STAFF, Actor, Hold, Phase, PropHold, Script, Seat
from synth.corpus.care.stage import stage_piece
from synth.corpus.care.strategies import Cast, Spot2D, Variant
from synth.corpus.care.tracks import (
    FeetPath,
    Footstep,
    StanceKey,
    Track,
    crossfade,
    feet_path,
    stance_track,
    standing_feet,
    warp,
)
from synth.corpus.care.wheelchair import ID, PELVIS, chair_at
from synth.interaction import ActionSegment
from synth.rotation import Array

_S, _P = STAFF, PATIENT
GRIPS: dict[str, tuple[tuple[int, str, int, str], ...]] = {
    "upper_arms": ((_S, "right_hand", _P, "left_upper_arm"), (_S, "left_hand", _P, "right_upper_arm")),
    "forearms": ((_S, "right_hand", _P, "left_forearm_under"), (_S, "left_hand", _P, "right_forearm_under")),
    "both_hands": ((_S, "right_hand", _P, "left_hand"), (_S, "left_hand", _P, "right_hand")),
}
HOW = {
    "upper_arms": "holding both upper arms", "forearms": "holding both forearms", "both_hands": "holding both hands",
}  # fmt: skip


@dataclass(frozen=True)
class TransferVariant(Variant):
    """steps: of each foot while turning; angle: degrees that the chair's front is turned to the bed; failed: a first
    try to stand sinks back; arms: the hands end on the arm rests; near: whether staff stands there from the start."""

    grip: str = "upper_arms"
    seat: str = "bed"
    steps: int = 2
    angle: float = 8.0
    failed: bool = False
    arms: bool = False
    near: bool = False
    strategy: str = "pivot"


def transfer(cast: Cast, variant: TransferVariant, rng: np.random.Generator) -> Script:
    """Grasp, lift, turn on small steps, lower, let go."""
    tempo = variant.tempo * float(rng.uniform(0.95, 1.05))
    facing = -np.pi / 2 - np.radians(variant.angle + float(rng.uniform(-4, 4)))
    ahead = np.array([np.cos(facing), np.sin(facing)])
    chair = np.array([0.66 + float(rng.uniform(0.0, 0.05)), 0.47 + float(rng.uniform(-0.03, 0.03))])
    captured = cast.piece(PATIENT, "sit_to_stand", 0.75, 2.0).placed(0, 0.0, np.zeros(2))
    seated = captured.placed(0, facing, chair + PELVIS * ahead)
    feet_from = standing_feet(captured, 0, cast.rest[PATIENT])
    feet_to = standing_feet(seated, 0, cast.rest[PATIENT])

    arrived = 0.3 if variant.near else 1.1
    grasp = arrived + 0.7
    lift = grasp + 0.4 + (1.5 if variant.failed else 0.0)
    up = lift + 2.0 * tempo
    turned = up + (0.55 * 2 * variant.steps) * tempo + 0.2
    lower = turned + 0.1
    down = lower + 2.3 * tempo
    let_go = down + 0.3
    seconds = let_go + 0.9
    times = np.arange(round(seconds * FPS)) / FPS
    seconds = len(times) / FPS

    steps = _turning(feet_from, feet_to, facing, variant.steps, up - 0.15, turned)
    patient = _patient(cast, times, captured, seated, feet_path(times, feet_from, steps, 0.045), lift, up, lower, down,
                       grasp if variant.failed else None)  # fmt: skip
    staff = _staff(cast, times, feet_from, feet_to, facing, variant, arrived, grasp, lift, up, turned, lower, down,
                   let_go)  # fmt: skip
    holds = tuple(Hold(*entry, grasp, let_go) for entry in GRIPS[variant.grip])
    prop_holds = tuple(
        PropHold(PATIENT, f"{side}_hand", ID, f"{side}_arm", down + 0.4, seconds)
        for side in ("left", "right") if variant.arms
    )  # fmt: skip
    change = down - lower
    return Script(
        name="transfer_bed_to_wheelchair",
        seconds=seconds,
        phases=(
            Phase("approach", 0.0, arrived), Phase("reach", arrived, grasp), Phase("grasp", grasp, lift),
            Phase("lift", lift, up), Phase("step", up, turned), Phase("lower", lower, down),
            Phase("let go", let_go, seconds),
        ),
        actors=(patient, staff),
        holds=holds,
        furniture=(stage_piece("bed", BED, 0.0, float(np.round(rng.uniform(0.48, 0.52), 3))),),
        seats=(Seat(PATIENT, "bed", 0.0, lift + 0.3 * (up - lift)), Seat(PATIENT, ID, down - 0.3 * change, seconds)),
        balanced=((STAFF, 0.0, grasp),),
        looks=((PATIENT, 0.6), (STAFF, 0.4)),
        facts={"grip": variant.grip, "how": HOW[variant.grip], "strategy": variant.strategy,
               "speed": "slowly" if variant.tempo > 1.1 else ""},
        props=(chair_at((float(chair[0]), float(chair[1])), float(facing), len(times)),),
        prop_holds=prop_holds,
        actions=(
            ActionSegment(PATIENT, 0.0, lift, "sitting"), ActionSegment(PATIENT, lift, up, "stand_up"),
            ActionSegment(PATIENT, up, lower, "standing"), ActionSegment(PATIENT, lower, down, "sit_down"),
            ActionSegment(PATIENT, down, seconds, "sitting"), ActionSegment(STAFF, 0.0, seconds, "standing"),
        ),
        core=(round(max(0.0, lift - 0.4), 3), round(min(seconds, down + 0.5), 3)),
        datasets=("cmu", "reactidle"),
    )  # fmt: skip


def _between(a: dict, b: dict, side: str, share: float, facing: float) -> tuple[float, float, float]:
    """A foot's place on the way from `a` to `b`; it turns with the body."""
    (x0, y0, yaw0), (x1, y1, yaw1) = a[side], b[side]
    turn = (yaw1 - yaw0 - facing + np.pi) % (2 * np.pi) - np.pi + facing
    centers = [np.mean([p["left"][:2], p["right"][:2]], axis=0) for p in (a, b)]
    center = centers[0] + share * (centers[1] - centers[0])
    off = (np.array([x0, y0]) - centers[0]) * (1 - share) + share * _turned(np.array([x1, y1]) - centers[1], -facing)
    x, y = center + _turned(off, share * facing)
    return float(x), float(y), float(yaw0 + share * turn)


def _turned(point: Array, angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([c * point[0] - s * point[1], s * point[0] + c * point[1]])


def _turning(a: dict, b: dict, facing: float, count: int, begin: float, end: float) -> list[Footstep]:
    """Small steps to the right on the spot, the left foot first, which goes outside."""
    steps, pace = [], (end - begin) / (2 * count)
    for index in range(2 * count):
        side = ("left", "right")[index % 2]
        share = 1.0 if index >= 2 * count - 2 else (index + 1) / (2 * count)
        x, y, yaw = _between(a, b, side, share, facing)
        steps.append(Footstep(side, begin + index * pace, begin + (index + 0.9) * pace, (x, y), yaw))
    return steps


def _patient(
    cast: Cast, times: Array, captured: Track, seated: Track, feet: FeetPath, lift: float, up: float, lower: float,
    down: float, tried: float | None,
) -> Actor:  # fmt: skip
    last = len(times) - 1
    begin, end = round(lift * FPS), round(up * FPS)
    keys, at = [0.0, 0.0, 20.0, 20.0], [0, begin, begin + round(0.78 * (end - begin)), last]
    if tried is not None:  # up a little from the seat, and back
        middle = round(0.5 * (tried + 0.2 + lift) * FPS)
        keys, at = [0.0, 0.0, 7.0, *keys[1:]], [0, round((tried + 0.2) * FPS), middle, *at[1:]]
    rise = warp(captured, keys, at)
    stance = stance_track(times, feet, [StanceKey(0.0, 0.04, 0.16)], cast.rest[PATIENT])
    begin_sit, end_sit = round(lower * FPS), round(down * FPS)
    sit = warp(seated, [20, 20, 0, 0], [0, begin_sit + round(0.22 * (end_sit - begin_sit)), end_sit, last])
    track = crossfade(rise, stance, begin + round(0.5 * (end - begin)), end)
    track = crossfade(track, sit, begin_sit, begin_sit + round(0.5 * (end_sit - begin_sit)))
    return Actor(cast.betas[PATIENT], cast.alive(PATIENT, track), feet)


def _staff(
    cast: Cast, times: Array, feet_from: dict, feet_to: dict, facing: float, variant: TransferVariant, arrived: float,
    grasp: float, lift: float, up: float, turned: float, lower: float, down: float, let_go: float,
) -> Actor:  # fmt: skip
    """In front of the patient all the time: around as they turn."""
    away = 0.56
    centers = [np.mean([p["left"][:2], p["right"][:2]], axis=0) for p in (feet_from, feet_to)]

    def spot(share: float, back: float = 0.0) -> Spot2D:
        center = centers[0] + share * (centers[1] - centers[0])
        angle = share * facing
        x, y = center + (away + back) * np.array([np.cos(angle), np.sin(angle)])
        return Spot2D(float(x), float(y), float(angle + np.pi), stagger=0.16, width=0.34)

    def step(side: str, share: float, start: float, end: float, back: float = 0.0) -> Footstep:
        x, y, yaw = spot(share, back).foot(side)
        return Footstep(side, start, end, (x, y), yaw)

    first = spot(0.0)
    distance = 0.0 if variant.near else 0.35
    start = {side: first.foot(side, distance) for side in ("left", "right")}
    steps = []
    if distance:
        steps = [step("right", 0.0, 0.1, 0.55), step("left", 0.0, 0.6, 1.05)]
    count = variant.steps + 1
    pace = (turned - up + 0.2) / (2 * count)
    rise = up - lift
    for index, side in enumerate(("right", "left")):  # make room for who rises
        steps.append(step(side, 0.0, lift + (0.3 + 0.3 * index) * rise, lift + (0.55 + 0.3 * index) * rise, 0.05))
    for index in range(2 * count):
        side = ("right", "left")[index % 2]
        share = 1.0 if index >= 2 * count - 2 else (index + 1) / (2 * count)
        begin = up - 0.1 + index * pace
        steps.append(step(side, share, begin, begin + 0.9 * pace, 0.05))
    deep = 0.14
    keys = [
        StanceKey(0.0, 0.02, 0.1), StanceKey(arrived, 0.05, 0.2), StanceKey(grasp, deep, 0.55),
        StanceKey(lift, deep + 0.02, 0.55), StanceKey(lift + 0.5 * rise, 0.5 * deep, 0.35), StanceKey(up, 0.04, 0.16),
        StanceKey(lower, 0.04, 0.16), StanceKey(lower + 0.55 * (down - lower), 0.7 * deep, 0.42),
        StanceKey(down, deep + 0.02, 0.55), StanceKey(let_go, deep, 0.5), StanceKey(float(times[-1]), 0.03, 0.15),
    ]  # fmt: skip
    feet = feet_path(times, start, steps, 0.06)
    return Actor(cast.betas[STAFF], cast.alive(STAFF, stance_track(times, feet, keys, cast.rest[STAFF])), feet)


BUILDERS = {"transfer_bed_to_wheelchair": transfer}
VARIANTS: dict[str, tuple[TransferVariant, ...]] = {
    "transfer_bed_to_wheelchair": (
        TransferVariant(grip="forearms", steps=3, near=True, strategy="small steps"),
        TransferVariant(grip="upper_arms", failed=True, near=True, mirror=True, strategy="second try"),
        TransferVariant(),
        TransferVariant(grip="both_hands", near=True, tempo=1.1, strategy="by the hands"),
        TransferVariant(grip="forearms", mirror=True, arms=True, tempo=1.1, near=True, strategy="slow"),
        TransferVariant(arms=True, angle=15.0, strategy="hands to the arm rests"),
        TransferVariant(grip="both_hands", mirror=True, strategy="by the hands, walks up"),
        TransferVariant(grip="forearms", steps=3, tempo=0.95, angle=0.0, mirror=True, strategy="chair along the bed"),
    ),
}
CAPTIONS: dict[str, tuple[str, ...]] = {
    "transfer_bed_to_wheelchair": (
        "staff transfers a patient from the bed to a wheelchair",
        "{staff} helps {patient} from the bed into a wheelchair",
        "{staff} helps {patient} to stand up, turn around and sit down in a wheelchair",
        "{patient} is moved from the edge of the bed to the wheelchair, {staff} {how}",
        "{patient} gets from the bed into a wheelchair with the help of {staff}",
        "{staff} {speed} turns {patient} from the bed into the wheelchair",
    ),
}
