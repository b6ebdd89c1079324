"""Somebody at rest and somebody who is with them: who sits, lies or stands where, and how the staff comes and stays.

Written for a patient who sits facing +x at the origin, or lies with the head towards -y; the staff is on the patient's
left or in front, or on the right side of who lies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.corpus.care import bed
from synth.corpus.care.company import arriving, standing, to_and_fro
from synth.corpus.care.script import FPS, PATIENT, STAFF, Actor, Kneel, Lie, Seat
from synth.corpus.care.stage import stage_piece
from synth.corpus.care.strategies import Cast, Spot2D, Variant
from synth.corpus.care.strategies import _seat as seat_under
from synth.corpus.care.tracks import (
    FeetPath,
    StanceKey,
    Track,
    crossfade,
    feet_path,
    hold,
    stance_track,
    standing_feet,
    stretch,
)
from synth.interaction import ActionSegment
from synth.motion.evidence import seat_level
from synth.room import Furniture
from synth.rotation import axis_matrix
from synth.skeleton import JOINT, forward_kinematics, upright

IN_BED = ("up", "lying")
_CROUCH = 1.9  # seconds of the captured crouch that ends on a knee, for who is quick
_CLEAR = 0.025  # metres by which the retargeted crouch ends too low
_SEATED = 0.085  # metres from what carries a sitter's flesh up to the pelvis joint


@dataclass(frozen=True)
class BesideVariant(Variant):
    """How staff is with a patient.

    patient: "edge" of the bed, "chair", "armchair", "up" (sitting in bed), "lying" or "standing"; recline: how who
    lies came to lie (`bed.RECLINES`); staff: "stands", "bends", "comes" (walks up), "sits" (beside on the bed's edge),
    "chair" (sits on one next to the bed), "kneels" or "behind"; lean: radians the staff bends; at: (x, y, yaw) of the
    staff where it is not the usual place; turns: who speaks (`talk.TalkVariant`); lasts: seconds.
    """

    grip: str = "talk"
    seat: str = "bed"
    patient: str = "edge"
    recline: str = "flat"
    staff: str = "stands"
    lean: float = 0.2
    at: tuple[float, float, float] | None = None
    turns: str = "sp"
    gestures: tuple[str, str] = ("gesture_open", "gesture_both")
    lasts: float = 6.0
    strategy: str = ""


@dataclass(frozen=True)
class Presence:
    """Somebody who is there: track, furniture, what carries them, labels; `there`: seconds until they are in place."""

    track: Track
    furniture: tuple[Furniture, ...] = ()
    seats: tuple[Seat, ...] = ()
    lies: tuple[Lie, ...] = ()
    kneels: tuple[Kneel, ...] = ()
    actions: tuple[ActionSegment, ...] = ()
    there: float = 0.0
    stands: bool = True
    feet: FeetPath | None = None

    def actor(self, cast: Cast, who: int, track: Track) -> Actor:
        return Actor(cast.betas[who], track, self.feet, stands=self.stands)


def _sitting(
    cast: Cast, who: int, frames: int, at: tuple[float, float, float], height: float, first: int
) -> tuple[Track, FeetPath]:
    """Captured sitting on a seat of this height, alive, and its feet, which stand on the floor however high it is."""
    sit = cast.piece(who, "sit").placed(0, at[2], np.array(at[:2]))
    feet = feet_path(np.arange(frames) / FPS, standing_feet(sit, 0, cast.rest[who]), [])
    lift = np.array([0.0, 0.0, seat_level(height) + _SEATED - float(sit.pelvis[0, 2])])
    return cast.alive(who, to_and_fro(Track(sit.pelvis + lift, sit.rotmats), frames, first)), feet


def at_rest(cast: Cast, where: str, frames: int, rng: np.random.Generator, recline: str = "flat") -> Presence:
    """The patient for `frames`: captured sitting or standing, or as captured reclining ends."""
    seconds = frames / FPS
    first = int(rng.integers(0, 40))
    words = {"standing": "standing", "lying": "lying"}
    actions = (ActionSegment(PATIENT, 0.0, seconds, words.get(where, "sitting")),)
    if where == "standing":
        return Presence(standing(cast, PATIENT, frames, (0.0, 0.0, 0.0), "idle_still", first), actions=actions)
    if where not in IN_BED:
        if where == "edge":
            height = float(np.round(rng.uniform(0.44, 0.5), 3))
            piece = stage_piece("bed", (-0.31, 0.2 + float(rng.uniform(-0.1, 0.1))), 0.0, height)
        else:
            piece = seat_under(where)
        track, feet = _sitting(cast, PATIENT, frames, (0.0, 0.0, 0.0), piece.seat_height or 0.0, first)
        return Presence(track, (piece,), (Seat(PATIENT, piece.id, 0.0, seconds),), actions=actions, feet=feet)
    height = float(np.round(rng.uniform(0.47, 0.53), 3))
    piece = stage_piece("bed", bed.BED, 0.0, height)
    seats = (Seat(PATIENT, "bed", 0.0, seconds),)
    if where == "up":
        track = _sitting_up(cast, rng, frames, height)
        return Presence(track, (piece,), seats, actions=actions, stands=False)
    edge, _ = _sitting(cast, PATIENT, 2, (0.0, 0.0, 0.0), height, 0)
    lying = bed._into_bed(cast, bed.BedVariant("mattress", recline=recline), rng, edge, height)
    track = cast.alive(PATIENT, hold(lying.track, lying.down, frames))
    lies = (Lie(PATIENT, "upper_back", "bed", 0.0, seconds),)
    return Presence(track, (piece,), seats, lies, actions=actions, stands=False)


_BACK = 0.18  # radians that who sits in bed leans back
_UP = ("lie_down", 3.3)  # captured reclining at a moment when one still sits: segment, second


def _sitting_up(cast: Cast, rng: np.random.Generator, frames: int, height: float) -> Track:
    """Sitting in bed with the legs on it, the hands in the lap; the feet towards +y."""
    name, moment = _UP
    piece = cast.piece(PATIENT, name, moment, moment + 0.2)
    place = np.array([-0.22 + float(rng.uniform(-0.04, 0.04)), -0.1 + float(rng.uniform(-0.08, 0.05))])
    piece = piece.placed(0, np.pi / 2, place)
    pelvis, rotmats = piece.pelvis[:1] + np.array([0.0, 0.0, seat_level(height)]), piece.rotmats[:1].copy()
    rest = cast.rest[PATIENT]
    joints, _ = forward_kinematics(rotmats[0], rest, pelvis[0] - rest[0])
    trunk = joints[JOINT["neck"]] - joints[0]
    forward = float(np.arccos(trunk[2] / np.linalg.norm(trunk))) - _BACK  # the one who was filmed is on the way down
    rotmats[:, 0] = rotmats[:, 0] @ axis_matrix("x", forward)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        rotmats[:, JOINT[f"{side}_hip"]] = axis_matrix("x", -forward) @ rotmats[:, JOINT[f"{side}_hip"]]
        rotmats[:, JOINT[f"{side}_collar"]] = np.eye(3)
        rotmats[:, JOINT[f"{side}_shoulder"]] = axis_matrix("x", -0.4) @ axis_matrix("z", -1.2 * sign)
        rotmats[:, JOINT[f"{side}_elbow"]] = axis_matrix("y", -0.8 * sign)
    track = hold(Track(pelvis, rotmats), 0, frames)
    return cast.alive(PATIENT, track)


# where the staff's pelvis ends up and the point it faces, by the patient's posture and the staff's way
_PLACES: dict[tuple[str, str], tuple[tuple[float, float], tuple[float, float]]] = {
    ("edge", "stands"): ((0.8, 0.46), (0.05, 0.0)), ("edge", "sits"): ((0.02, 0.84), (0.8, 0.4)),
    ("edge", "kneels"): ((1.02, 0.26), (0.0, 0.0)), ("edge", "chair"): ((0.95, 0.32), (0.0, 0.0)),
    ("chair", "stands"): ((0.55, 0.58), (0.05, 0.0)), ("chair", "kneels"): ((0.88, 0.12), (0.0, 0.0)),
    ("chair", "behind"): ((-0.6, 0.0), (0.0, 0.0)), ("armchair", "stands"): ((0.58, 0.58), (0.05, 0.0)),
    ("armchair", "kneels"): ((0.93, 0.1), (0.0, 0.0)), ("up", "stands"): ((0.58, 0.3), (-0.2, -0.15)),
    ("up", "chair"): ((0.72, 0.1), (-0.2, -0.05)), ("lying", "stands"): ((0.55, 0.12), (-0.2, -0.5)),
    ("lying", "chair"): ((0.72, -0.3), (-0.2, -0.55)), ("standing", "stands"): ((0.48, 0.42), (0.0, 0.0)),
}  # fmt: skip


def place_of(variant: BesideVariant, rng: np.random.Generator) -> tuple[float, float, float]:
    """Where the staff ends up, (x, y, yaw), drawn a few centimetres about the usual place."""
    dx, dy = float(rng.uniform(-0.03, 0.04)), float(rng.uniform(-0.04, 0.04))
    if variant.at is not None:
        return variant.at[0] + dx, variant.at[1] + dy, variant.at[2]
    way = variant.staff if variant.staff in ("sits", "chair", "kneels", "behind") else "stands"
    (x, y), (fx, fy) = _PLACES[variant.patient, way]
    x, y = x + dx, y + dy
    return x, y, float(np.arctan2(fy - y, fx - x))


def beside(cast: Cast, variant: BesideVariant, frames: int, rng: np.random.Generator, height: float) -> Presence:
    """The staff comes, stands, sits, kneels or bends at the patient's side.

    height: of the seat that carries the patient, metres.
    """
    seconds, lean = frames / FPS, variant.lean + float(rng.uniform(-0.03, 0.03))
    x, y, yaw = place_of(variant, rng)
    first = int(rng.integers(0, 40))
    if variant.staff in ("sits", "chair"):
        action = (ActionSegment(STAFF, 0.0, seconds, "sitting"),)
        if variant.staff == "sits":
            track, feet = _sitting(cast, STAFF, frames, (x, y, yaw), height, first)
            return Presence(track, (), (Seat(STAFF, "bed", 0.0, seconds),), actions=action, there=0.3, feet=feet)
        back = 0.02
        chair = stage_piece("chair", (x + back * np.cos(yaw), y + back * np.sin(yaw)), yaw - np.pi / 2)
        track, feet = _sitting(cast, STAFF, frames, (x, y, yaw), chair.seat_height or 0.0, first)
        return Presence(track, (chair,), (Seat(STAFF, "chair", 0.0, seconds),), actions=action, there=0.3, feet=feet)
    if variant.staff == "kneels":
        down = _CROUCH * variant.tempo
        begin = 0.5
        track = cast.alive(STAFF, kneeling(cast, STAFF, frames, (x, y, yaw), begin, down, lean))
        there = begin + down
        actions: tuple[ActionSegment, ...] = (
            ActionSegment(STAFF, 0.0, begin, "standing"), ActionSegment(STAFF, begin, there, "kneel_down"),
            ActionSegment(STAFF, there, seconds, "kneeling"),
        )  # fmt: skip
        knee = (Kneel(STAFF, "left_knee", there, seconds),)
        return Presence(track, kneels=knee, actions=actions, there=there)
    drop = 0.01 + 0.14 * max(0.0, lean - 0.3)
    if variant.staff == "comes":
        keys = [StanceKey(0.0, 0.01, 0.08), StanceKey(0.9, drop, lean), StanceKey(seconds, drop, lean)]
        track, arrived = arriving(cast, STAFF, frames, (x, y, yaw), keys, float(rng.uniform(0.9, 1.3)), 1.1)
        actions = (ActionSegment(STAFF, 0.0, arrived, "walk"), ActionSegment(STAFF, arrived, seconds, "standing"))
        return Presence(cast.alive(STAFF, track), actions=actions, there=arrived + 0.5)
    actions = (ActionSegment(STAFF, 0.0, seconds, "standing"),)
    if lean < 0.15:
        name = ("idle_hands", "idle_folded", "idle")[int(rng.integers(3))]
        return Presence(standing(cast, STAFF, frames, (x, y, yaw), name, first), actions=actions, there=0.2)
    times = np.arange(frames) / FPS
    spot = Spot2D(x, y, yaw, stagger=0.14)
    start = {side: spot.foot(side) for side in ("left", "right")}
    keys = [StanceKey(0.0, 0.01, 0.06), StanceKey(0.25, 0.01, 0.08), StanceKey(1.1, drop, lean),
            StanceKey(seconds, drop, lean + 0.03)]  # fmt: skip
    track = stance_track(times, feet_path(times, start, []), keys, cast.rest[STAFF])
    return Presence(cast.alive(STAFF, track), actions=actions, there=0.7)


def kneeling(
    cast: Cast,
    who: int,
    frames: int,
    at: tuple[float, float, float],
    begin: float,
    lasts: float,
    lean: float,
) -> Track:
    """From standing down on the left knee between `begin` and `begin + lasts` seconds, then there, leaning by `lean`.

    The way down is a captured crouch, whose knee ends a hand's breadth above the floor (`synth.corpus.kneel`); the
    script's `Kneel` brings it down. at: (x, y, yaw) of the pelvis on the knee.
    """
    crouch = stretch(cast.piece(who, "crouch"), round(lasts * FPS))
    crouch = crouch.placed(crouch.frames - 1, at[2], np.array(at[:2]))
    order = np.clip(np.arange(frames) - round(begin * FPS), 0, crouch.frames - 1)
    rise = np.linspace(0.0, _CLEAR, crouch.frames)[order, None] * np.array([0.0, 0.0, 1.0])
    track = Track(crouch.pelvis[order] + rise, crouch.rotmats[order])
    up = track.rotmats.copy()
    up[:, 0] = upright(at[2]) @ axis_matrix("x", 0.6 * lean)
    for name in ("spine1", "spine2", "spine3"):
        up[:, JOINT[name]] = axis_matrix("x", 0.4 * lean / 3)
    for name in ("neck", "head"):
        up[:, JOINT[name]] = np.eye(3)
    # what the pelvis turns up by, the hips turn back: the legs stay where the crouch has them
    back = np.swapaxes(up[:, 0], -1, -2) @ track.rotmats[:, 0]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        up[:, JOINT[f"{side}_hip"]] = back @ track.rotmats[:, JOINT[f"{side}_hip"]]
        up[:, JOINT[f"{side}_collar"]] = np.eye(3)
        up[:, JOINT[f"{side}_shoulder"]] = axis_matrix("x", -0.35) @ axis_matrix("z", -1.2 * sign)
        up[:, JOINT[f"{side}_elbow"]] = axis_matrix("y", -0.9 * sign)
        up[:, JOINT[f"{side}_wrist"]] = np.eye(3)
    down = round((begin + lasts) * FPS)
    return crossfade(track, Track(track.pelvis, up), down - round(0.9 * FPS), min(down + round(0.4 * FPS), frames - 1))
