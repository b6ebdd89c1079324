"""Staff comes running to a patient on the floor: stops, goes down beside, bends over, touches, speaks, calls for help.

The patient lies or sits there as captured people do (on the back, on the belly, propped up), and is kept as captured;
the haste is captured; only the way down to the knees is keyed. Written for a patient whose head points to -x and staff
who comes to the left side, or behind the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synth.corpus.care.company import speaking
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
from synth.corpus.care.script import FPS, PATIENT, STAFF, Actor, Hold, Kneel, Phase, Script, Seat
from synth.corpus.care.strategies import Cast, Variant
from synth.corpus.care.tracks import Track, breathe, crossfade, hold, standing_feet, stretch, warp
from synth.interaction import ActionSegment
from synth.rotation import axis_matrix
from synth.skeleton import JOINT, facing_yaw, forward_kinematics

# pose -> captured piece, and the seconds of it that are seen from the beginning to the end
POSES: dict[str, tuple[str, tuple[float, ...]]] = {
    "back": ("lie_down", (5.6, 5.7, 5.75)),
    "knees_up": ("lie_down_bk", (6.3, 6.45, 6.6)),
    "belly": ("get_up_face_down", (0.3, 0.12, 0.2)),
    "elbow": ("lie_down_dg", (2.28, 2.25, 2.24)),
    "sitting": ("lie_down", (3.25, 3.2, 3.15)),
}
# how the staff comes: from which second of the captured haste on, how much slower
COMES: dict[str, tuple[float, float]] = {"runs": (0.45, 1.05), "hurries": (0.95, 1.05)}
HASTE = 0.2  # radians that who is in a hurry leans forward
ELBOWS = 0.8  # radians that the elbows are bent more
FACE_UP = ("back", "knees_up")


@dataclass(frozen=True)
class RescueVariant(Variant):
    """How the staff finds the patient and what it does.

    pose: one of POSES; comes: one of COMES; knee: "left", "right", "both" or "" (squats); at: metres from the patient's
    pelvis towards the head where the staff kneels; away: metres beside the body's middle line; head: it kneels behind
    the patient's head instead; askew: radians it comes from the feet's side; touch: (hand, spot) pairs; bends: radians
    over the patient; act: "", "calls" or "speaks"; stays: seconds bent over.
    """

    grip: str = "shoulder"
    pose: str = "back"
    comes: str = "runs"
    knee: str = "right"
    at: float = 0.3
    away: float = 0.6
    askew: float = 0.2
    touch: tuple[tuple[str, str], ...] = (("right", "left_upper_arm_outer"),)
    bends: float = 0.8
    act: str = ""
    head: bool = False
    stays: float = 4.0
    strategy: str = ""


def _fallen(cast: Cast, variant: RescueVariant, frames: int, moves: tuple[float, float]) -> Track:
    """The patient on the floor, moving as little or much as the pose says between two moments."""
    name, moments = POSES[variant.pose]
    piece = cast.piece(PATIENT, name)
    keys, at = list(moments), [0, round(moves[0] * FPS), frames - 1]
    if variant.pose in ("belly", "elbow", "sitting"):
        track = warp(piece, [key * FPS for key in keys], at)
    else:
        track = hold(piece, round(moments[1] * FPS), frames)
    # who lies there breathes
    track = breathe(track, cast.piece(PATIENT, "idle", 0.0, 6.0), ("spine3", "neck"), 0.06)
    joints, _ = forward_kinematics(track.rotmats[0], cast.rest[PATIENT], track.pelvis[0] - cast.rest[PATIENT][0])
    line = joints[JOINT["head"], :2] - joints[[JOINT["left_ankle"], JOINT["right_ankle"]], :2].mean(0)
    track = track.moved(np.pi - float(np.arctan2(line[1], line[0])), np.zeros(3))
    track = track.moved(0.0, np.append(-track.pelvis[0, :2], 0.0))
    return track


def _run(cast: Cast, variant: RescueVariant) -> Track:
    """Captured haste up to where a foot lands, then a captured sudden stop from that landing on."""
    begin, slower = COMES[variant.comes]
    fast, stop = cast.piece(STAFF, "walk_fast", begin, 2.5), cast.piece(STAFF, "run_stop", 0.75)
    blend = 4  # frames in which the same foot carries in both
    at = fast.frames - blend
    stop = stop.moved(float(facing_yaw(fast.rotmats[at, 0]) - facing_yaw(stop.rotmats[0, 0])), np.zeros(3))
    here = standing_feet(fast, at + 1, cast.rest[STAFF])["left"]
    there = standing_feet(stop, 1, cast.rest[STAFF])["left"]
    stop = stop.moved(0.0, np.array([here[0] - there[0], here[1] - there[1], 0.0]))
    halted = int(np.flatnonzero(np.linalg.norm(stop.pelvis[:, :2] - stop.pelvis[-1, :2], axis=-1) > 0.05)[-1])
    count = at + halted + 1
    order, after = np.minimum(np.arange(count), fast.frames - 1), np.clip(np.arange(count) - at, 0, None)
    whole = crossfade(
        Track(fast.pelvis[order], fast.rotmats[order]), Track(stop.pelvis[after], stop.rotmats[after]), at, at + blend
    )
    rotmats = whole.rotmats.copy()
    lean = np.interp(np.arange(count), [0, fast.frames, count], [HASTE, HASTE, 0.0])
    for name in ("spine1", "spine2"):
        rotmats[:, JOINT[name]] = axis_matrix("x", 0.5 * lean) @ rotmats[:, JOINT[name]]
    for side, sign in (("left", 1.0), ("right", -1.0)):  # and carries the arms bent
        elbow = JOINT[f"{side}_elbow"]
        rotmats[:, elbow] = rotmats[:, elbow] @ axis_matrix("y", -sign * ELBOWS / HASTE * lean)
    return stretch(Track(whole.pelvis, rotmats), round(count * slower * variant.tempo))


def _coming_down(
    cast: Cast, variant: RescueVariant, run: Track, place: Sequence[float], frames: int, tempo: float
) -> tuple[Track, float, float, float]:
    """The run, then down beside the patient, with the knees about `place` (x, y, yaw), and bent over.

    Returns the track and the seconds of the halt, of the knees' arrival and of being bent over.
    """
    rest = cast.rest[STAFF]
    near = "right" if variant.knee != "left" else "left"  # the foot that stays
    other = "left" if near == "right" else "right"
    sign = 1.0 if near == "left" else -1.0
    stay = ahead(place, -0.36 if variant.knee else -0.1, 0.13 * sign)
    # the run comes to a halt with the foot that stays where it will be knelt on
    run = run.moved(place[2] + variant.askew - float(facing_yaw(run.rotmats[-1, 0])), np.zeros(3))
    feet = standing_feet(run, run.frames - 1, rest)
    run = run.moved(0.0, np.array([stay[0] - feet[near][0], stay[1] - feet[near][1], 0.0]))
    feet = standing_feet(run, run.frames - 1, rest)
    stop = run.frames - 1
    halt = stop / FPS
    down = halt + 1.05 * tempo
    bent = down + 0.4 * tempo
    own = feet[near]
    toes = FootKey(down, *own, heel=TUCKED)
    if variant.knee == "both":
        goal = ahead(place, -0.34, -0.13 * sign)
        second = [FootKey(halt + 0.5 * tempo, *goal, heel=0.3), FootKey(down + 0.15, *goal, heel=TUCKED)]
    elif variant.knee:
        goal = ahead(place, 0.1, -0.22 * sign, -0.3 * sign)
        second = [FootKey(halt + 0.5 * tempo, *goal)]
    else:
        goal = ahead(place, 0.0, -0.16 * sign, -0.15 * sign)
        second = [FootKey(halt + 0.45 * tempo, *goal)]
    begin = halt + 0.02
    start = feet[other]
    middle = midway(start, goal)
    steps = [FootKey(begin, *start), FootKey(0.5 * (begin + second[0].time), *middle, heel=0.2, lift=0.06), *second]
    stays = [FootKey(begin, *own), FootKey(halt + 0.35 * tempo, *own, heel=0.25), toes]
    if not variant.knee:
        stays = [FootKey(begin, *own), FootKey(down, *own, heel=0.45)]
    yaw = place[2]
    if variant.knee:
        knee = knee_of(toes, rest)
        sits = 0.12 if variant.knee == "both" else 0.02
        x, y, _ = ahead((*knee, yaw), -sits, -0.13 * sign if variant.knee == "both" else -0.06 * sign)
        z = over_knee(rest, sits)
    else:
        x, y, _ = ahead(place, -0.22)
        z = 0.40
    hips = run.pelvis[-1]
    here = (float(hips[0]), float(hips[1]), float(hips[2]))
    facing = float(facing_yaw(run.rotmats[-1, 0]))
    mid = (0.45 * here[0] + 0.55 * x, 0.45 * here[1] + 0.55 * y, 0.5 * here[2] + 0.5 * z)
    lean = variant.bends
    body = [
        BodyKey(halt, *here, facing, 0.12),
        BodyKey(halt + 0.5 * tempo, *mid, 0.4 * facing + 0.6 * yaw, 0.5, reach=0.3),
        BodyKey(down, x, y, z, yaw, max(0.42, 0.8 * lean), reach=0.6),
        BodyKey(bent, *ahead((x, y, yaw), -0.03)[:2], z - 0.02, yaw, lean, reach=0.7),
        BodyKey(frames / FPS, *ahead((x, y, yaw), -0.02)[:2], z - 0.01, yaw, 0.92 * lean, reach=0.7),
    ]
    times = np.arange(frames) / FPS
    keyed = keyed_track(times, body, {near: stays, other: steps}, rest)
    order = np.minimum(np.arange(frames), stop)
    captured = Track(run.pelvis[order], run.rotmats[order])
    trunk = crossfade(captured, keyed, stop, stop + round(0.5 * FPS))
    trunk = standing_on(trunk, {near: _curves(times, stays), other: _curves(times, steps)}, rest)
    return cast.alive(STAFF, crossfade(captured, trunk, stop - 1, stop + 5)), halt, down, bent


def _calling(track: Track, side: str, start: float, end: float) -> Track:
    """One arm raised high and waved: help is called."""
    times = np.arange(track.frames) / FPS
    share = np.clip(np.minimum((times - start) / 0.5, (end - times) / 0.5), 0, 1)
    share = share * share * (3 - 2 * share)
    sign = 1.0 if side == "left" else -1.0
    wave = 0.3 * np.sin(2 * np.pi * 1.1 * (times - start))
    rotmats = track.rotmats.copy()
    rotmats[:, JOINT[f"{side}_shoulder"]] = axis_matrix("z", sign * (1.15 + 0.4 * wave)) @ axis_matrix(
        "y", np.full(track.frames, -0.5 * sign)
    )
    rotmats[:, JOINT[f"{side}_elbow"]] = axis_matrix("y", -sign * (0.35 + wave))
    rotmats[:, JOINT[f"{side}_collar"]] = axis_matrix("z", np.full(track.frames, 0.25 * sign))
    raised = Track(track.pelvis, rotmats)
    first, last = round(start * FPS), round(end * FPS)
    up = crossfade(track, raised, first, first + round(0.6 * FPS))
    return crossfade(up, track, last - round(0.6 * FPS), last)


def rush(cast: Cast, variant: RescueVariant, rng: np.random.Generator) -> Script:
    """See the patient on the floor, run, stop, go down on the knees (or squat) beside, bend over and touch."""
    tempo = float(rng.uniform(0.92, 1.08))
    at = variant.at + float(rng.uniform(-0.05, 0.05))
    away = variant.away + float(rng.uniform(-0.02, 0.03))
    place = (-at, away, -np.pi / 2)
    if variant.head:
        place = (-away - 0.42, at - variant.at, 0.0)
    run = _run(cast, variant)
    seconds = run.frames / FPS + 1.75 * tempo + variant.stays * float(rng.uniform(0.95, 1.1))
    frames = round(seconds * FPS)
    seconds = frames / FPS
    staff, halt, down, bent = _coming_down(cast, variant, run, place, frames, tempo)
    moves = (0.6 * halt, bent)
    patient = _fallen(cast, variant, frames, moves)
    if variant.act == "calls":
        free = "left" if variant.touch[0][0] == "right" else "right"
        staff = _calling(staff, free, bent + 0.5, min(seconds - 0.1, bent + 3.2))
    elif variant.act == "speaks":
        staff = speaking(staff, cast.piece(STAFF, "gesture_open"), bent + 0.4, seconds - 0.2, 0.6)
    holds = tuple(
        Hold(STAFF, f"{hand}_hand", PATIENT, spot, bent - 0.15 + 0.35 * index, seconds, flat=True)
        for index, (hand, spot) in enumerate(variant.touch)
    )
    knees = {"both": ("right", "left"), "": ()}.get(variant.knee, (variant.knee,))
    kneels = tuple(Kneel(STAFF, f"{side}_knee", down + 0.2 * index, seconds) for index, side in enumerate(knees))
    low = variant.knee != ""
    actions = [
        ActionSegment(STAFF, 0.0, halt, "walk"),
        ActionSegment(STAFF, halt, down, "kneel_down" if low else "squat_down"),
        ActionSegment(STAFF, down, seconds, "kneeling" if low else "squatting"),
    ]
    seats: tuple[Seat, ...] = ()
    if variant.pose == "sitting":
        actions.append(ActionSegment(PATIENT, 0.0, seconds, "sitting"))
        seats = (Seat(PATIENT, "floor", 0.0, seconds),)
    else:
        actions.append(ActionSegment(PATIENT, 0.0, seconds, "fallen"))
        if variant.pose in FACE_UP:
            seats = (Seat(PATIENT, "floor", 0.0, seconds),)
    phases = (
        Phase("approach", 0.0, halt), Phase("lower", halt, down), Phase("reach", down, bent),
        Phase("support", bent, seconds),
    )  # fmt: skip
    return Script(
        name="staff_rushes_to_fallen_patient",
        seconds=seconds,
        phases=phases,
        actors=(
            Actor(cast.betas[PATIENT], patient, stands=False, still=True),
            Actor(cast.betas[STAFF], staff, even=0.15),
        ),
        holds=holds,
        seats=seats,
        kneels=kneels,
        looks=((STAFF, 0.3),),
        facts={"grip": variant.grip, "strategy": variant.strategy},
        actions=tuple(sorted(actions, key=lambda item: (item.person, item.start))),
        core=(round(max(0.0, halt - 1.2), 3), round(min(seconds, bent + 1.5), 3)),
        datasets=("cmu", "deepmimic" if variant.pose == "belly" else "hdm05", "reactidle"),
    )  # fmt: skip


BUILDERS = {"staff_rushes_to_fallen_patient": rush}
VARIANTS: dict[str, tuple[RescueVariant, ...]] = {
    "staff_rushes_to_fallen_patient": (
        RescueVariant(touch=(("right", "chest"),), at=0.4, away=0.56, bends=1.05,
                      strategy="kneels, hand on the chest"),
        RescueVariant(pose="belly", knee="both", touch=(("right", "upper_back"),), away=0.52, at=0.22, bends=1.0,
                      strategy="face down, both knees"),
        RescueVariant(pose="knees_up", act="calls", mirror=True, away=0.68, at=0.4, strategy="calls for help"),
        RescueVariant(pose="elbow", knee="left", touch=(("right", "chest"),), at=0.28, away=0.6, bends=1.0,
                      act="speaks", strategy="propped on an elbow"),
        RescueVariant(pose="sitting", comes="hurries", touch=(("right", "upper_back"),), at=0.0, away=0.62,
                      bends=0.45, act="speaks", strategy="sits on the floor"),
        RescueVariant(knee="both", touch=(("left", "chest"),), bends=1.1, mirror=True, at=0.4, away=0.5,
                      strategy="checks the breathing"),
        RescueVariant(head=True, knee="both", away=0.5, bends=0.8, askew=-0.3,
                      touch=(("right", "right_upper_arm_outer"), ("left", "left_upper_arm_outer")),
                      strategy="kneels at the head"),
        RescueVariant(pose="sitting", knee="", comes="hurries", mirror=True, touch=(("right", "upper_back"),), at=0.05,
                      away=0.5, bends=0.5, act="speaks", strategy="squats and speaks"),
        RescueVariant(comes="hurries", knee="both", touch=(("left", "chest"),), bends=1.0, at=0.4, away=0.5,
                      act="calls", strategy="hand on the chest, calls"),
        RescueVariant(pose="belly", comes="hurries", knee="left", act="calls", at=0.22,
                      touch=(("right", "upper_back"),), mirror=True, strategy="face down, calls"),
    ),
}  # fmt: skip
CAPTIONS: dict[str, tuple[str, ...]] = {
    "staff_rushes_to_fallen_patient": (
        "staff rushes to a fallen patient",
        "{staff} runs to {patient} who has fallen and lies on the floor",
        "{patient} is on the floor after a fall, {staff} hurries over and kneels down",
        "{staff} finds {patient} on the floor and rushes to help",
        "{staff} runs up, kneels beside {patient} on the ground and bends over",
        "{patient} has fallen and {staff} comes running to check",
        "{staff} hurries to the aid of {patient} lying on the floor",
    ),
}
