"""One person sits down, or stands up: captured rising (run backwards, sitting down) on seats of all kinds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synth.corpus.care.floorways import follow
from synth.corpus.care.limbs import lowered, reaching, shares
from synth.corpus.care.script import FPS, PATIENT, Actor, Hold, Phase, Script, Seat, Touch
from synth.corpus.care.seatways import coming_up, faltering, looking_back, onwards
from synth.corpus.care.stage import stage_piece
from synth.corpus.care.strategies import Cast, Variant
from synth.corpus.care.strategies import _ends_standing as ends_standing
from synth.corpus.care.tracks import Track, reverse, standing_feet, warp
from synth.interaction import ActionSegment
from synth.room import Furniture
from synth.rotation import Array
from synth.skeleton import JOINT, forward_kinematics

OFF = 0.3  # share of the rise at which the seat is left


@dataclass(frozen=True)
class SeatVariant(Variant):
    """How somebody sits down or stands up.

    seat: "chair", "armchair", "bed" (its edge) or "stool" (low, as a toilet is); hands: what they press on ("", "arms",
    "one arm", "thighs", "mattress"); rocks: times the trunk rocks to gather way; fails: tries that come to nothing (on
    the way down: bends, and is up again); comes: walks up from "front" or "side" and turns around; goes: steps after
    rising; waits: seconds of sitting; looks: looks back at the seat first; feels: a hand finds the seat before the
    weight goes on it.
    """

    grip: str = "none"
    hands: str = ""
    rocks: int = 0
    fails: int = 0
    comes: str = ""
    goes: int = 0
    waits: float = 1.6
    looks: bool = False
    feels: bool = False
    role: str = "patient"
    strategy: str = ""


def piece_of(kind: str, rng: np.random.Generator) -> Furniture:
    """What is under a pelvis at the origin of who faces +x; its height is drawn."""
    low, high = {"stool": (0.41, 0.43), "bed": (0.46, 0.52), "chair": (0.43, 0.48), "armchair": (0.43, 0.47)}[kind]
    height = float(np.round(rng.uniform(low, high), 3))
    if kind == "bed":
        return stage_piece("bed", (-0.27, 0.25 + float(rng.uniform(-0.2, 0.3))), 0.0, height)
    if kind == "armchair":
        return stage_piece("armchair", (-0.19, 0.0), -np.pi / 2, height)
    return stage_piece("chair", (0.02, 0.0), -np.pi / 2, height)


@dataclass(frozen=True)
class _Rise:
    """From sitting to standing: the actor, when the rise begins, when one stands, when all is over (seconds)."""

    actor: Actor
    lift: float
    up: float
    end: float


def _rise(cast: Cast, variant: SeatVariant, rng: np.random.Generator, stay: float, down: bool = False) -> _Rise:
    """Sit, rock, perhaps sink back, rise, and stand for `stay` seconds."""
    tempo = variant.tempo * float(rng.uniform(0.95, 1.08))
    captured = cast.piece(PATIENT, "sit_to_stand", 0.75, 2.0).placed(0, 0.0, np.zeros(2))
    fails = 0 if down else variant.fails
    at = variant.waits * float(rng.uniform(0.85, 1.15))
    keys: list[tuple[float, float]] = [(0.0, 0.0), (at, 0.0)]
    for _ in range(variant.rocks):
        keys += [(at + 0.55 * tempo, 4.5), (at + 1.15 * tempo, 0.0)]
        at += 1.15 * tempo
    for _ in range(fails):  # up to where the seat is nearly left, and back
        keys += [(at + 0.9 * tempo, 8.5), (at + 1.2 * tempo, 9.0), (at + 2.1 * tempo, 0.5), (at + 2.7 * tempo, 0.0)]
        at += 2.7 * tempo
    lift, up = at, at + 2.3 * tempo
    end = up + stay
    times = np.arange(round(end * FPS)) / FPS
    last = len(times) - 1
    keys += [(lift + 0.01, 0.0), (lift + 0.78 * (up - lift), 20.0), (last / FPS, 20.0)]
    frames = [round(time * FPS) for time, _ in keys]
    order = [0, *(i for i in range(1, len(keys)) if frames[i] > frames[i - 1])]
    moving = warp(captured, [keys[i][1] for i in order], [frames[i] for i in order])
    begin, ready = round(lift * FPS), min(round(up * FPS), last - 1)
    feet_at = standing_feet(captured, 0, cast.rest[PATIENT])
    actor = ends_standing(cast, times, moving, feet_at, [], begin + round(0.5 * (ready - begin)), ready)
    return _Rise(actor, lift, up, len(times) / FPS)


@dataclass(frozen=True)
class _Hands:
    """What the hands do: spots at points of the furniture, or on the own thighs, each from and to a second."""

    points: tuple[tuple[str, tuple[float, float, float], float, float], ...] = ()
    thighs: tuple[tuple[str, float, float], ...] = ()


def _hands(variant: SeatVariant, piece: Furniture, begin: float, end: float, rng: np.random.Generator) -> _Hands:
    height = piece.seat_height or 0.45
    if variant.hands == "thighs":
        return _Hands(thighs=tuple((side, begin, end) for side in ("left", "right")))
    if variant.hands in ("arms", "one arm"):
        x = 0.12 + float(rng.uniform(-0.02, 0.03))
        sides = ("left", "right") if variant.hands == "arms" else ("right",)
        places = [(side, (x, (0.322 if side == "left" else -0.322), 0.678)) for side in sides]
    elif variant.hands == "mattress":
        x = -0.04 + float(rng.uniform(-0.03, 0.02))
        places = [(side, (x, 0.38 if side == "left" else -0.38, height + 0.03)) for side in ("left", "right")]
    else:
        return _Hands()
    return _Hands(points=tuple((side, at, begin, end) for side, at in places))


def _laid(cast: Cast, track: Track, hands: _Hands, piece: str) -> tuple[Track, list[Touch], list[Hold]]:
    rest = cast.rest[PATIENT]
    touches, holds = [], []
    for side, at, begin, end in hands.points:
        track = reaching(track, rest, side, np.array(at), shares(track.frames, begin, end, 0.5), 0.45, 0.6)
        touches.append(Touch(PATIENT, f"{side}_hand", piece, at, begin, end))
    for _, begin, end in hands.thighs[:1]:  # arms that prop the trunk keep it from bending as deep
        track = lowered(track, rest, np.zeros(track.frames), -0.4 * shares(track.frames, begin + 0.5, end, 0.6))
    for side, begin, end in hands.thighs:
        track = reaching(
            track, rest, side, thigh_top(track, rest, side), shares(track.frames, begin, end, 0.5), 0.0, 0.8
        )
        holds.append(Hold(PATIENT, f"{side}_hand", PATIENT, f"{side}_thigh", begin, end))
    return track, touches, holds


def thigh_top(track: Track, rest: Array, side: str) -> Array:
    """The top of a thigh near the knee [T, 3]."""
    joints, _ = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    hip, knee = joints[:, JOINT[f"{side}_hip"]], joints[:, JOINT[f"{side}_knee"]]
    return hip + 0.75 * (knee - hip) + np.array([0.0, 0.0, 0.07])


# --- up ---------------------------------------------------------------------------------------------------------------


def stand_up(cast: Cast, variant: SeatVariant, rng: np.random.Generator) -> Script:
    """Sit a while, lean forward, rise, stand; some rock, sink back once, press on something, or walk off."""
    piece = piece_of(variant.seat, rng)
    rise = _rise(cast, variant, rng, 1.0 if variant.goes else 1.6)
    way = rise.up - rise.lift
    hands = _hands(
        variant, piece, max(0.6, rise.lift - 2.4), rise.lift + (0.62 if variant.hands == "thighs" else 0.28) * way, rng
    )
    track, touches, holds = _laid(cast, rise.actor.track, hands, piece.id)
    seconds = rise.end
    actions = [
        ActionSegment(PATIENT, 0.0, rise.lift, "sitting"),
        ActionSegment(PATIENT, rise.lift, rise.up, "stand_up"),
    ]
    if variant.goes:
        steps = onwards(cast, track, variant.goes, variant.tempo)
        track = follow(track, steps, 0.4)
        seconds = track.frames / FPS
    actions.append(ActionSegment(PATIENT, rise.up, seconds, "standing"))
    return _script(
        cast, variant, track, piece, "stand_up_alone", (Seat(PATIENT, piece.id, 0.0, rise.lift + OFF * way),),
        touches, holds, actions, (Phase("lift", rise.lift, rise.up),),
        (max(0.0, rise.lift - 1.0), min(seconds, rise.up + 0.5)),
    )  # fmt: skip


# --- down -------------------------------------------------------------------------------------------------------------


def sit_down(cast: Cast, variant: SeatVariant, rng: np.random.Generator) -> Script:
    """Stand before the seat (or walk up to it and turn around), bend, sink down, sit."""
    piece = piece_of(variant.seat, rng)
    rise = _rise(cast, variant, rng, 0.5 if variant.comes else 1.3, down=True)
    way, total = rise.up - rise.lift, rise.end
    # everything backwards: time t of the rise is total - t
    early = 0.24 if variant.feels else 0.28
    hands = _hands(variant, piece, rise.lift - 1.0, rise.lift + (early + (0.22 if variant.feels else 0.0)) * way, rng)
    track, touches, holds = _laid(cast, rise.actor.track, hands, piece.id)
    track = reverse(track)
    if variant.looks:
        track = looking_back(track, 0.1, total - rise.lift - 0.55 * way)
    down, sat = total - rise.up, total - rise.lift
    lead, actions = 0.0, []
    if variant.fails:
        dips = faltering(cast, track, variant.fails, variant.tempo)
        track, lead = follow(dips, track, 0.3), dips.frames / FPS
    if variant.comes:
        coming, stop = coming_up(cast, track, variant.comes, variant.tempo, rng)
        track = follow(coming, track, 0.35)
        lead += coming.frames / FPS
        actions = [ActionSegment(PATIENT, 0.0, stop, "walk")]
    seconds = track.frames / FPS
    touches = [
        Touch(t.person, t.spot, t.furniture, t.at, lead + total - t.end, lead + total - t.start) for t in touches
    ]
    holds = [Hold(h.person, h.spot, h.other, h.other_spot, lead + total - h.end, lead + total - h.start) for h in holds]
    down, sat = lead + down, lead + sat
    begun = actions[0].end if actions else 0.0
    actions += [ActionSegment(PATIENT, begun, down, "standing"), ActionSegment(PATIENT, down, sat, "sit_down"),
                ActionSegment(PATIENT, sat, seconds, "sitting")]  # fmt: skip
    return _script(
        cast, variant, track, piece, "sit_down_alone", (Seat(PATIENT, piece.id, sat - OFF * way, seconds),),
        touches, holds, actions, (Phase("lower", down, sat),), (max(0.0, down - 0.6), min(seconds, sat + 0.8)),
    )  # fmt: skip


# --- both -------------------------------------------------------------------------------------------------------------

_PLACES = {"chair": "a chair", "armchair": "an armchair", "bed": "the edge of the bed", "stool": "a low seat"}
_HELD = {"arms": "pushing on the armrests", "one arm": "with a hand on the armrest",
         "thighs": "with the hands on the thighs", "mattress": "with both hands on the mattress"}  # fmt: skip


def _script(
    cast: Cast,
    variant: SeatVariant,
    track: Track,
    piece: Furniture,
    name: str,
    seats: tuple[Seat, ...],
    touches: Sequence[Touch],
    holds: Sequence[Hold],
    actions: Sequence[ActionSegment],
    phases: tuple[Phase, ...],
    core: tuple[float, float],
) -> Script:
    seconds = track.frames / FPS
    return Script(
        name=name,
        seconds=seconds,
        phases=phases,
        actors=(Actor(cast.betas[PATIENT], track),),
        holds=tuple(holds),
        furniture=(piece,),
        seats=seats,
        touches=tuple(touches),
        facts={"grip": variant.hands or "none", "role": variant.role, "strategy": variant.strategy,
               "place": _PLACES[variant.seat], "held": _HELD.get(variant.hands, ""),
               "how": "slowly" if variant.tempo > 1.2 else "", "again": "again" if variant.fails else ""},
        roles=(variant.role,),
        actions=tuple(actions),
        core=(round(core[0], 3), round(core[1], 3)),
        datasets=("cmu", "reactidle"),
    )  # fmt: skip


BUILDERS = {"sit_down_alone": sit_down, "stand_up_alone": stand_up}
VARIANTS: dict[str, tuple[SeatVariant, ...]] = {
    "sit_down_alone": (
        SeatVariant(seat="chair", waits=2.2, strategy="plain"),
        SeatVariant(hands="arms", tempo=1.3, waits=1.8, strategy="armrests"),
        SeatVariant(seat="stool", tempo=1.35, hands="thighs", waits=2.0, strategy="low seat"),
        SeatVariant(seat="bed", hands="mattress", waits=2.2, tempo=1.1, strategy="edge of the bed"),
        SeatVariant(comes="front", waits=1.8, hands="arms", strategy="walks up, turns around"),
        SeatVariant(seat="chair", comes="side", waits=1.8, strategy="walks up, turns"),
        SeatVariant(hands="one arm", feels=True, looks=True, tempo=1.5, waits=1.6, strategy="looks back, feels for it"),
        SeatVariant(fails=1, hands="arms", waits=1.6, tempo=1.15, strategy="falters, second try"),
        SeatVariant(seat="chair", role="staff", tempo=0.8, comes="side", mirror=True, waits=2.6, strategy="brisk"),
        SeatVariant(seat="bed", comes="side", tempo=1.05, waits=1.6, role="person", strategy="comes to the bed"),
    ),
    "stand_up_alone": (
        SeatVariant(seat="chair", strategy="plain"),
        SeatVariant(hands="arms", tempo=1.3, strategy="armrests"),
        SeatVariant(seat="bed", hands="mattress", tempo=1.1, goes=3, strategy="from the bed, a step"),
        SeatVariant(seat="chair", hands="thighs", tempo=1.2, strategy="hands on the thighs"),
        SeatVariant(rocks=2, hands="arms", waits=0.9, strategy="rocks to gather way"),
        SeatVariant(seat="chair", fails=1, waits=1.0, tempo=1.1, strategy="sinks back, second try"),
        SeatVariant(seat="stool", hands="thighs", tempo=1.5, waits=1.4, strategy="low seat, slow"),
        SeatVariant(seat="chair", goes=4, tempo=0.85, role="staff", strategy="gets up and goes"),
        SeatVariant(hands="one arm", tempo=1.2, mirror=True, goes=3, waits=1.2, strategy="one hand, a step"),
        SeatVariant(seat="bed", hands="thighs", fails=1, waits=1.0, mirror=True, strategy="from the bed, second try"),
    ),
}  # fmt: skip
CAPTIONS: dict[str, tuple[str, ...]] = {
    "sit_down_alone": (
        "a person sits down",
        "{who} sits down on {place}",
        "{who} {how} lowers to {place}",
        "somebody takes a seat",
        "{who} sits down on {place} {held}",
        "{who} bends, sinks down and sits",
        "sitting down on {place} alone",
    ),
    "stand_up_alone": (
        "a person stands up",
        "{who} stands up from {place}",
        "{who} {how} gets up from {place}",
        "somebody rises from a seat",
        "{who} gets up {held}",
        "{who} tries to stand up, sinks back and tries {again}",
        "standing up from {place} without help",
    ),
}
