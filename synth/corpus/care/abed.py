"""Helped into bed: the patient's own way from the edge to lying (`bed`), with staff who holds back and legs meanwhile.

The patient sits on the edge facing +x, or stands before it; the legs go up towards +y and the head comes down towards
-y. Staff stands at the patient's right, where no leg swings past, and steps up to the bed once the legs are on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from synth.corpus.care.bed import BedVariant
from synth.corpus.care.bed import lie_down as lie_down_alone
from synth.corpus.care.reach import reaching, through, window
from synth.corpus.care.script import FPS, PATIENT, STAFF, Actor, Hold, Phase, Script
from synth.corpus.care.strategies import Cast, Spot2D
from synth.corpus.care.tracks import Footstep, StanceKey, Track, crossfade, feet_path, hold, stance_track
from synth.interaction import ActionSegment
from synth.rotation import axis_matrix
from synth.skeleton import JOINT, forward_kinematics

# what staff's hands hold: (hand, the patient's spot, from, to), moments by name (`_moments`)
_BACK = ("left_hand", "upper_back_right", "grasp", "lain")
_KNEE = ("right_hand", "right_thigh_lift", "lift", "raised")
_LEGS = (("left_hand", "right_thigh_lift", "lift", "raised"), ("right_hand", "right_shin_lift", "midway", "raised"))
GRIPS: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "back_and_knee": (_BACK, _KNEE),
    "both_on_legs": _LEGS,
    "back_and_hand": (_BACK, ("right_hand", "right_hand_top", "grasp", "lain")),
    "legs_then_back": (*_LEGS, ("left_hand", "upper_back_right", "turned", "lain")),
}  # fmt: skip
# how far fingers bend around it, radians: hardly over what is broad and flat
BEND = {
    "upper_back_right": 0.0, "right_thigh_lift": 0.05, "right_shin_lift": 0.1,
    "right_hand_top": 0.3,
}  # fmt: skip
HOW = {
    "back_and_knee": "with an arm around the shoulders and a hand under the knees",
    "both_on_legs": "lifting the legs onto the bed",
    "back_and_hand": "with a hand on the back",
    "legs_then_back": "lifting the legs first and then letting the back down",
}


@dataclass(frozen=True)
class AssistVariant(BedVariant):
    """As `bed.BedVariant`; walks: metres that staff comes up from first; grip: one of GRIPS."""

    grip: str = "back_and_knee"
    recline: str = "knees_up"
    standing: bool = False
    rest: float = 1.3
    lag: float = 0.15
    tempo: float = 1.15
    walks: float = 0.0


def assist_lie_down(cast: Cast, variant: AssistVariant, rng: np.random.Generator) -> Script:
    """Take hold of back and legs on the edge, lift the legs onto the bed, let the back down, let go."""
    alone = lie_down_alone(cast, variant, rng)
    swing, recline = alone.phase("swing"), alone.phase("recline")
    seconds = alone.seconds
    beside = Spot2D(0.50 + float(rng.uniform(-0.02, 0.03)), -0.40 + float(rng.uniform(-0.03, 0.03)), 2.55, 0.14, 0.30)
    at_bed = Spot2D(0.53 + float(rng.uniform(-0.01, 0.03)), -0.14 + float(rng.uniform(-0.03, 0.03)), 3.05, 0.10, 0.34)
    away = variant.walks
    start = {side: beside.foot(side, away) for side in ("left", "right")}
    steps, arrived = _walk_up(beside, away) if away else ([], 0.0)
    lifted = swing.end - swing.start
    step_at = (swing.start + 0.50 * lifted, swing.start + 0.72 * lifted)
    for side, begin in zip(("right", "left"), step_at, strict=True):
        x, y, yaw = at_bed.foot(side)
        steps.append(Footstep(side, begin, begin + max(0.5, 0.22 * lifted), (x, y), yaw))
    # someone who stands first is only guided once they sit
    seated = alone.phase("lower").end - 0.3 if variant.standing else 0.0
    moments = {
        "grasp": max(arrived + 0.5, seated, 0.0), "lift": swing.start + 0.42 * lifted,
        "midway": swing.start + 0.55 * lifted, "raised": swing.start + 0.80 * lifted, "turned": swing.end + 0.1,
        "lain": recline.start + 0.5 * (recline.end - recline.start), "settled": recline.end + 0.25,
    }  # fmt: skip
    held = GRIPS[variant.grip]
    holds = tuple(Hold(STAFF, own, PATIENT, spot, moments[a], moments[b], BEND[spot]) for own, spot, a, b in held)
    low = any(spot.endswith(("shin_lift", "thigh_lift")) for _, spot, _, _ in held)
    (patient,) = alone.actors
    patient = replace(patient, track=_held_up(_arms_kept(patient.track, swing, recline), swing, recline))
    times = np.arange(round(seconds * FPS)) / FPS
    feet = feet_path(times, start, steps, 0.05)
    track = stance_track(times, feet, _bending(moments, swing, recline, arrived, low, seconds), cast.rest[STAFF])
    track = _under(cast, cast.alive(STAFF, track), patient.track, holds)
    standing = [ActionSegment(STAFF, arrived, seconds, "standing")]
    if arrived:
        standing.insert(0, ActionSegment(STAFF, 0.0, arrived, "walk"))
    grasp = Phase("grasp", moments["grasp"], swing.start)
    first = (Phase("approach", 0.0, arrived), grasp) if arrived else (grasp,)
    return replace(
        alone,
        name="assist_lie_down",
        phases=(*first, *alone.phases, Phase("let go", recline.end, seconds)),
        actors=(patient, Actor(cast.betas[STAFF], track, feet)),
        holds=holds,
        touches=(),
        looks=((PATIENT, 0.8), (STAFF, 0.35)),
        facts={"grip": variant.grip, "how": HOW[variant.grip], "strategy": variant.strategy,
               "speed": "slowly" if variant.tempo > 1.25 else ""},
        roles=("patient", "staff"),
        actions=(*alone.actions, *standing),
        core=(round(max(0.0, swing.start - 0.8), 3), round(min(seconds, recline.end + 0.6), 3)),
    )  # fmt: skip


def _arms_kept(track: Track, swing: Phase, recline: Phase) -> Track:
    """Who is held need not lean on the hands: these stay in the lap, and leave it once the back is down.

    Earlier they would swing through the mattress, too deep for the optimiser to find the way out.
    """
    begin, end = (round(moment * FPS) for moment in (swing.start, recline.end))
    index = [JOINT[f"{side}_{name}"] for side in ("left", "right") for name in ("shoulder", "elbow", "wrist")]
    kept, lain = hold(track, begin, track.frames), hold(track, min(end + 5, track.frames - 1), track.frames)
    nearly = round((recline.start + 0.85 * (recline.end - recline.start)) * FPS)
    arms = crossfade(kept, lain, nearly, min(end + round(0.6 * FPS), track.frames - 1))
    arms = crossfade(track, arms, max(0, begin - 5), begin + 5)
    rotmats = track.rotmats.copy()
    rotmats[:, index] = arms.rotmats[:, index]
    return Track(track.pelvis, rotmats)


def _held_up(track: Track, swing: Phase, recline: Phase, forward: float = 0.3) -> Track:
    """Held at the back one sits up straight, by `forward` radians more than alone, until the back is let down."""
    set_out = swing.start + 0.3 * (swing.end - swing.start)
    fade = 0.35 * (recline.end - recline.start)
    bent = forward * window(track.frames, set_out, recline.start - 0.1, fade)
    rotmats = track.rotmats.copy()
    rotmats[:, 0] = rotmats[:, 0] @ axis_matrix("x", bent)
    for side in ("left", "right"):
        rotmats[:, JOINT[f"{side}_hip"]] = axis_matrix("x", -bent) @ rotmats[:, JOINT[f"{side}_hip"]]
    return Track(track.pelvis, rotmats)


def _under(cast: Cast, track: Track, patient: Track, holds: Sequence[Hold]) -> Track:
    """Hands that lift come from below, palms up: left to itself the optimiser brings them through the leg."""
    joints, world = forward_kinematics(patient.rotmats, cast.rest[PATIENT], patient.pelvis - cast.rest[PATIENT][0])
    for item in holds:
        if not item.other_spot.endswith("_lift"):
            continue
        side = item.other_spot.split("_")[0]
        bone = ("hip", "knee") if "thigh" in item.other_spot else ("knee", "ankle")
        upper, lower = (JOINT[f"{side}_{name}"] for name in bone)
        share = 0.62 if "thigh" in item.other_spot else 0.4
        below = joints[:, upper] + share * (joints[:, lower] - joints[:, upper]) - 0.11 * world[:, upper, :, 2]
        wait = below + np.array([0.05, -0.17, -0.22])  # beside the leg, and lower
        below = through(track.frames, wait, [(below, item.start - 0.4, item.start)])
        when = window(track.frames, item.start - 0.45, item.end, 0.7)
        track = reaching(track, cast.rest[STAFF], item.spot.removesuffix("_hand"), below, when, twist=-1.3)
    return track


def _walk_up(spot: Spot2D, distance: float) -> tuple[list[Footstep], float]:
    """Steps of about 0.4 m to a place, and when it is reached."""
    count, pace = max(2, int(np.ceil(distance / 0.36)) + 1), 0.5
    steps, time = [], 0.0
    for index in range(count):
        side = ("right", "left")[index % 2]
        x, y, yaw = spot.foot(side, 0.0 if index >= count - 2 else distance * (1 - (index + 1) / count))
        steps.append(Footstep(side, time, time + 0.85 * pace, (x, y), yaw))
        time += pace
    return steps, time


def _bending(
    moments: dict[str, float], swing: Phase, recline: Phase, arrived: float, low: bool, seconds: float
) -> list[StanceKey]:
    """Down to where the hands are, up with the legs, down again with the back, upright in the end."""
    deep, lean = (0.2, 0.66) if low else (0.12, 0.5)
    length = swing.end - swing.start
    keys = [
        StanceKey(0.0, 0.02, 0.1), StanceKey(max(arrived, moments["grasp"] - 0.6), 0.04, 0.2),
        StanceKey(moments["grasp"], 0.10, 0.45), StanceKey(moments["lift"], deep, lean),
        StanceKey(swing.start + 0.7 * length, 0.7 * deep, 0.85 * lean), StanceKey(swing.end, 0.12, 0.55),
        StanceKey(moments["lain"], 0.15, 0.66), StanceKey(moments["settled"], 0.13, 0.6),
        StanceKey(min(seconds, recline.end + 1.3), 0.04, 0.2),
    ]  # fmt: skip
    kept = [keys[0]]
    for key in keys[1:]:
        if key.time > kept[-1].time + 0.15:
            kept.append(key)
    return kept


BUILDERS = {"assist_lie_down": assist_lie_down}
VARIANTS: dict[str, tuple[AssistVariant, ...]] = {
    "assist_lie_down": (
        AssistVariant(mirror=True, strategy="back and legs"),
        AssistVariant(grip="both_on_legs", mirror=True, recline="elbow", strategy="lifts the legs"),
        AssistVariant(grip="back_and_hand", recline="elbow", lag=0.7, tempo=1.3, mirror=True,
                      strategy="leg by leg, guided"),
        AssistVariant(grip="back_and_hand", standing=True, rest=0.8, tempo=1.0, mirror=True,
                      strategy="sits down first"),
        AssistVariant(grip="legs_then_back", recline="elbow", strategy="legs, then back"),
        AssistVariant(walks=0.7, rest=2.6, tempo=1.1, recline="elbow", strategy="walks up"),
        AssistVariant(grip="both_on_legs", recline="elbow", tries=2, strategy="legs fail at first"),
        AssistVariant(recline="curled", strategy="hand under the knees"),
        AssistVariant(sit=1.4, recline="curled", strategy="rests sitting in bed"),
        AssistVariant(grip="both_on_legs", standing=True, rest=0.9, tempo=1.0,
                      strategy="sits down, legs are lifted"),
    ),
}  # fmt: skip
CAPTIONS: dict[str, tuple[str, ...]] = {
    "assist_lie_down": (
        "staff helps a patient lie down in bed",
        "{staff} helps {patient} to lie down, {how}",
        "{staff} puts {patient} to bed",
        "{staff} lifts the legs of {patient} onto the bed and lays the upper body down",
        "{patient} is helped from the edge of the bed into lying by {staff}",
        "{patient} lies down in bed with the help of {staff}, {how}",
        "{staff} {speed} lays {patient} down in bed",
    )
}
