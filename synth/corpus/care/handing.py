"""Things that change hands: one holds it out, the other takes hold, the first lets go; the thing goes with the palms.

The patient faces +x at the origin, on the feet, on a seat, on the bed's edge or lying in bed; staff stands before them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synth.corpus.care.bed import BED, BedVariant, _into_bed
from synth.corpus.care.company import arriving, standing, to_and_fro
from synth.corpus.care.reach import beside, ease, palm, reaching, through, window
from synth.corpus.care.script import FPS, PATIENT, STAFF, Actor, Lie, Phase, PropHold, Script, Seat
from synth.corpus.care.stage import stage_piece
from synth.corpus.care.strategies import Cast, Spot2D, Variant
from synth.corpus.care.strategies import _seat as seat_piece
from synth.corpus.care.strategies import _staff as staff_at
from synth.corpus.care.tracks import FeetPath, StanceKey, Track, hold, standing_feet
from synth.interaction import ActionSegment, Prop
from synth.motion.carry import Grip, followed, weights
from synth.room import Furniture
from synth.rooms.props import handle
from synth.rotation import Array, axis_angle_to_matrix, matrix_to_axis_angle, yaw_matrix


@dataclass(frozen=True)
class Item:
    """A prop to hand over: its class; names for captions; whether hands meet it from both sides and it stays upright
    (else from its two ends, turned as the hand turns); fingers' bend around it, radians."""

    cls: str
    words: tuple[str, ...]
    upright: bool
    bend: float


ITEMS = {
    "cup": Item("cup", ("a cup", "a cup of water", "a mug"), True, 0.8),
    "pills": Item("pill_cup", ("a small cup with pills", "the medicine", "pills in a small cup"), True, 0.7),
    "bottle": Item("bottle", ("a bottle", "a water bottle"), True, 0.9),
    "cane": Item("cane", ("a walking stick", "the cane", "a cane"), True, 1.1),
    "folder": Item("folder", ("a folder", "some papers"), False, 0.35),
    "book": Item("book", ("a book",), False, 0.35),
    "phone": Item("phone", ("a phone", "the telephone", "a mobile phone"), False, 0.5),
    "towel": Item("towel", ("a towel", "a folded towel", "fresh towels"), False, 0.35),
}


@dataclass(frozen=True)
class HandVariant(Variant):
    """How a thing changes hands.

    item: one of ITEMS; at: where the patient is ("standing", "chair", "armchair", "edge" of the bed, "bed": lying);
    gives: "staff" or "patient"; hand: with which both do it; walks: metres that staff comes first; both: who takes it
    puts the other hand to it; slips: the first grasp fails; apart: metres between two who stand; idles: of both.
    """

    grip: str = "hand"
    item: str = "cup"
    at: str = "standing"
    gives: str = "staff"
    hand: str = "right"
    walks: float = 0.0
    both: bool = False
    slips: bool = False
    apart: float = 1.12
    idles: tuple[str, str] = ("idle_still", "idle_hands")
    strategy: str = ""


@dataclass(frozen=True)
class _When:
    """Seconds: the giver sets out to hold it out, holds it out; the other sets out, grasps it (a grasp that fails comes
    first); the giver lets go; it is drawn in; the end."""

    offer: float
    out: float
    reach: float
    grasp: float
    missed: tuple[float, float] | None
    let_go: float
    drawn: float
    end: float


def _timing(variant: HandVariant, arrived: float, rng: np.random.Generator) -> _When:
    slow = [variant.tempo * float(rng.uniform(0.92, 1.1)) for _ in range(2)]
    old = slow[0] * (1.0 if variant.gives == "staff" else 0.85)
    offer = arrived + (0.1 if arrived else 0.6)
    out = offer + 0.95 * slow[1]
    reach = out - 0.25 + variant.hesitation
    grasp, missed = reach + 0.95 * old, None
    if variant.slips:
        missed = (grasp, grasp + 0.4)
        grasp = missed[1] + 1.25 * old
    let_go = grasp + 0.7 * slow[0]
    drawn = let_go + 0.15 + 1.1 * old
    return _When(offer, out, reach, grasp, missed, let_go, drawn, drawn + 1.1)


def hand_over(cast: Cast, variant: HandVariant, rng: np.random.Generator) -> Script:
    """Hold it out, reach, take hold of it, let go, draw it in."""
    item = ITEMS[variant.item]
    height = float(np.round(rng.uniform(0.47, 0.53), 3))
    meet, at, lean = _places(variant, height, rng)
    if variant.walks:
        _, arrived = arriving(cast, STAFF, 400, at, [StanceKey(0.0)], variant.walks, 1.05 * variant.tempo)
    else:
        arrived = 0.0
    when = _timing(variant, arrived, rng)
    frames = round(when.end * FPS)
    seconds, times = frames / FPS, np.arange(frames) / FPS
    patient, furniture = _patient(cast, variant, frames, height, rng)
    staff = _standing_staff(cast, variant, times, at, lean, when, arrived)
    giver, taker = (STAFF, PATIENT) if variant.gives == "staff" else (PATIENT, STAFF)
    tracks = [patient.track, staff.track]
    pose, holds = _met(item, variant.hand, meet, tracks, giver)
    tracks[giver] = _giving(cast, tracks[giver], giver, variant, when, meet + pose @ handle(item.cls, holds[0]))
    tracks[taker] = _taking(cast, tracks[taker], taker, variant, when, meet + pose @ handle(item.cls, holds[1]))

    hand = f"{variant.hand}_hand"
    name = item.cls
    gripped = [PropHold(giver, hand, name, holds[0], 0.0, when.let_go, item.bend),
               PropHold(taker, hand, name, holds[1], when.grasp, seconds, item.bend)]  # fmt: skip
    if when.missed:
        gripped.append(PropHold(taker, hand, name, holds[1], *when.missed, item.bend))
    prop = _planned(cast, item, tracks, gripped, pose, when, times)
    if variant.both:
        other = "left" if variant.hand == "right" else "right"
        begin = when.let_go + 0.55
        way = prop.transl + axis_angle_to_matrix(prop.orient) @ handle(name, holds[0])
        share = window(frames, begin + 0.7, seconds + 1.0)
        tracks[taker] = reaching(tracks[taker], cast.rest[taker], other, way, share)
        gripped.append(PropHold(taker, f"{other}_hand", name, holds[0], begin + 0.7, seconds, item.bend))
    still = "lying" if variant.at == "bed" else "standing" if variant.at == "standing" else "sitting"
    actions = [ActionSegment(PATIENT, 0.0, seconds, still)]
    if arrived:
        actions.append(ActionSegment(STAFF, 0.0, arrived, "walk"))
    actions.append(ActionSegment(STAFF, arrived, seconds, "standing"))
    seated = variant.at != "standing"
    approach = (Phase("approach", 0.0, arrived),) if arrived else ()
    words = item.words[int(rng.integers(len(item.words)))]
    return Script(
        name="hand_over_object",
        seconds=seconds,
        phases=(*approach, Phase("reach", when.offer, when.grasp), Phase("grasp", when.grasp, when.let_go),
                Phase("let go", when.let_go, seconds)),
        actors=(
            Actor(cast.betas[PATIENT], tracks[PATIENT], patient.feet, stands=patient.stands),
            Actor(cast.betas[STAFF], tracks[STAFF], staff.feet),
        ),
        holds=(),
        furniture=furniture,
        seats=(Seat(PATIENT, furniture[0].id, 0.0, seconds),) if seated else (),
        lies=(Lie(PATIENT, "upper_back", "bed", 0.0, seconds),) if variant.at == "bed" else (),
        looks=((PATIENT, 0.5), (STAFF, 0.45)) if variant.at != "bed" else ((STAFF, 0.45),),
        facts={"grip": variant.grip, "strategy": variant.strategy,
               "given": words if variant.gives == "staff" else "",
               "returned": words if variant.gives == "patient" else "", "where": _WHERE[variant.at]},
        props=(prop,),
        prop_holds=tuple(gripped),
        actions=tuple(actions),
        core=(round(max(0.0, when.offer - 0.2), 3), round(min(seconds, when.drawn + 0.2), 3)),
        datasets=("cmu", "reactidle") + (("hdm05",) if variant.at == "bed" else ()),
    )  # fmt: skip


_WHERE = {"standing": "", "chair": "sitting on a chair", "armchair": "sitting in an armchair",
          "edge": "sitting on the edge of the bed", "bed": "lying in bed"}  # fmt: skip


def _places(variant: HandVariant, height: float, rng: np.random.Generator) -> tuple[Array, tuple, float]:
    """Where the thing changes hands [3], where staff stands (x, y, yaw) and how far they lean (radians)."""
    off = rng.uniform(-0.03, 0.03, 3)
    side = 1.0 if variant.hand == "left" else -1.0
    if variant.at == "standing":
        apart = variant.apart * float(rng.uniform(0.96, 1.05))
        at = (apart, float(rng.uniform(-0.12, 0.12)), np.pi + float(rng.uniform(-0.1, 0.1)))
        up = 1.06 if variant.item != "cane" else 0.62
        return np.array([0.5 * apart, 0.0, up]) + off, at, 0.08
    if variant.at == "bed":
        at = (0.56, -0.28 + float(rng.uniform(-0.06, 0.06)), np.pi)
        return np.array([0.07, -0.24, height + 0.46]) + off, at, 0.30
    up = 0.95 if variant.item != "cane" else 0.60
    at = (1.06 + float(rng.uniform(-0.03, 0.04)), 0.22 * side * -1.0, np.pi + 0.2 * side)
    return np.array([0.50, 0.03, up]) + off, at, 0.24


def _patient(
    cast: Cast, variant: HandVariant, frames: int, height: float, rng: np.random.Generator
) -> tuple[Actor, tuple[Furniture, ...]]:
    betas, rest, first = cast.betas[PATIENT], cast.rest[PATIENT], int(rng.integers(0, 50))
    if variant.at == "standing":
        return Actor(betas, standing(cast, PATIENT, frames, (0.0, 0.0, 0.0), variant.idles[PATIENT], first)), ()
    sitting = to_and_fro(cast.piece(PATIENT, "sit"), frames, first % 20).placed(0, 0.0, np.zeros(2))
    if variant.at == "bed":
        piece = stage_piece("bed", BED, 0.0, height)
        lain = _into_bed(cast, BedVariant(recline="flat"), rng, hold(sitting, 0, 1), height).track
        return Actor(betas, cast.alive(PATIENT, hold(lain, -1, frames)), stands=False), (piece,)
    place = standing_feet(sitting, 0, rest)
    xy = np.array([[place[side][:2] for side in ("left", "right")]])
    yaw = np.array([[place[side][2] for side in ("left", "right")]])
    feet = FeetPath(
        np.repeat(xy, frames, 0), np.zeros((frames, 2)), np.repeat(yaw, frames, 0), np.ones((frames, 2), bool)
    )
    piece = stage_piece("bed", BED, 0.0, height) if variant.at == "edge" else seat_piece(variant.at)
    return Actor(betas, cast.alive(PATIENT, sitting), feet), (piece,)


def _standing_staff(
    cast: Cast, variant: HandVariant, times: Array, at: tuple, lean: float, when: _When, arrived: float
) -> Actor:
    """On the feet before the patient; leans towards them while the thing changes hands."""
    back = arrived if variant.walks else 0.0
    keys = [
        StanceKey(max(0.0, when.offer - 0.3 - back), 0.01, 0.05), StanceKey(when.out - back, 0.01 + 0.1 * lean, lean),
        StanceKey(when.let_go + 0.2 - back, 0.01 + 0.1 * lean, lean), StanceKey(when.drawn + 0.5 - back, 0.01, 0.06),
    ]  # fmt: skip
    if variant.walks:
        track, _ = arriving(cast, STAFF, len(times), at, keys, variant.walks, 1.05 * variant.tempo)
        return Actor(cast.betas[STAFF], cast.alive(STAFF, track))
    if variant.at == "standing":
        return Actor(cast.betas[STAFF], standing(cast, STAFF, len(times), at, variant.idles[STAFF], 30))
    spot = Spot2D(at[0], at[1], at[2], stagger=0.1)
    return staff_at(cast, times, {side: spot.foot(side) for side in ("left", "right")}, [], keys)


def _met(item: Item, hand: str, meet: Array, tracks: Sequence[Track], giver: int) -> tuple[Array, tuple[str, str]]:
    """How the thing is turned [3, 3] where it changes hands, and by which holds giver and taker hold it."""
    between = tracks[1 - giver].pelvis[-1, :2] - tracks[giver].pelvis[-1, :2]
    yaw = float(np.arctan2(between[1], between[0]))
    if item.cls == "cane":
        return yaw_matrix(yaw - np.pi / 2), ("middle", "top")
    if item.upright:  # each palm at the thing's side that is to its own side: x is to the giver's right
        other = "left" if hand == "right" else "right"
        return yaw_matrix(yaw - np.pi / 2), (hand, other)
    return yaw_matrix(yaw), ("left", "right")


def _carry(cast: Cast, track: Track, who: int, variant: HandVariant) -> Array:
    """Where a thing is carried in one hand: before the belly, over the chest of who lies; a stick over the floor."""
    rest = cast.rest[who]
    if variant.at == "bed" and who == PATIENT:
        return beside(track, rest, variant.hand, 0.0, 0.0, 0.0) + np.array([-0.08, 0.16, 0.22])
    sits = variant.at != "standing" and who == PATIENT
    way = beside(track, rest, variant.hand, 0.30 if sits else 0.27, -0.06, -0.26 if sits else -0.28)
    if variant.item == "cane":
        way = beside(track, rest, variant.hand, 0.30, 0.08, 0.0)
        way[:, 2] = 0.62 if who == STAFF else 0.90
    return way


def _giving(cast: Cast, track: Track, who: int, variant: HandVariant, when: _When, out: Array) -> Track:
    carried = _carry(cast, track, who, variant)
    stations = [(out, when.offer, when.out)]
    if when.missed:  # it nearly falls: the hand goes down with it, and up again
        low = out - np.array([0.0, 0.0, 0.06])
        stations += [
            (low, when.missed[1] - 0.1, when.missed[1] + 0.25),
            (out, when.missed[1] + 0.3, when.missed[1] + 0.8),
        ]
    way = through(track.frames, carried, stations)
    share = window(track.frames, -1.0, when.let_go + 0.1, 0.9)
    return reaching(track, cast.rest[who], variant.hand, way, share)


def _taking(cast: Cast, track: Track, who: int, variant: HandVariant, when: _When, at: Array) -> Track:
    drawn = _carry(cast, track, who, variant)
    free, _ = palm(track, cast.rest[who], variant.hand)
    stations: list[tuple[Array, float, float]] = []
    if when.missed:
        away = at - 0.16 * _towards(free[0], at)
        stations += [(at, when.reach, when.missed[0]), (away, when.missed[1], when.missed[1] + 0.5),
                     (at, when.grasp - 0.6, when.grasp)]  # fmt: skip
    else:
        stations += [(at, when.reach, when.grasp)]
    stations.append((drawn, when.let_go + 0.1, when.drawn))
    way = through(track.frames, free, stations)
    times = np.arange(track.frames) / FPS
    first = when.missed[0] if when.missed else when.grasp
    share = ease((times - when.reach) / (0.7 * (first - when.reach)))
    return reaching(track, cast.rest[who], variant.hand, way, share)


def _towards(start: Array, end: Array) -> Array:
    way = end - start
    return way / max(float(np.linalg.norm(way)), 1e-6)


def _planned(
    cast: Cast, item: Item, tracks: Sequence[Track], gripped: Sequence[PropHold], pose: Array, when: _When, times: Array
) -> Prop:
    """The thing as the initial hands carry it: turned by the one, then the other, and as planned in between."""
    palms = [palm(tracks[g.person], cast.rest[g.person], g.spot.removesuffix("_hand")) for g in gripped]
    grips = [
        Grip(where, handle(item.cls, g.hold), g.start, g.end) for g, (where, _) in zip(gripped, palms, strict=True)
    ]
    middle = min(round(0.5 * (when.grasp + when.let_go) * FPS), len(times) - 1)
    turns = [hand @ (hand[middle].T @ pose) for _, hand in palms[:2]]
    if item.upright:
        turns = [yaw_matrix(np.unwrap(np.arctan2(turn[:, 1, 0], turn[:, 0, 0]))) for turn in turns]
    over = weights(times, grips[:2])
    share = over[1] / np.maximum(over[0] + over[1], 1e-9)
    step = matrix_to_axis_angle(np.swapaxes(turns[0], -1, -2) @ turns[1])
    turned = turns[0] @ axis_angle_to_matrix(step * share[:, None])
    origin = followed(times, turned, grips, np.zeros((len(times), 3)))
    return Prop(item.cls, item.cls, origin, matrix_to_axis_angle(turned))


BUILDERS = {"hand_over_object": hand_over}
VARIANTS: dict[str, tuple[HandVariant, ...]] = {
    "hand_over_object": (
        HandVariant(item="folder", walks=1.2, strategy="staff brings a folder"),
        HandVariant(item="towel", at="armchair", strategy="towel, armchair"),
        HandVariant(item="bottle", at="chair", both=True, tempo=1.1, hesitation=0.6, strategy="bottle, both hands"),
        HandVariant(item="cane", hand="left", tempo=1.1, strategy="walking stick"),
        HandVariant(item="cup", at="edge", both=True, tempo=1.15, strategy="cup on the bed's edge"),
        HandVariant(item="book", at="armchair", gives="patient", hand="left", tempo=1.1,
                    strategy="patient gives a book back"),
        HandVariant(item="folder", at="chair", slips=True, mirror=True, strategy="second try"),
        HandVariant(item="towel", gives="patient", apart=1.2, idles=("idle", "idle_still"),
                    strategy="patient gives a towel back"),
        HandVariant(item="pills", at="edge", walks=0.9, hesitation=0.5, mirror=True, strategy="pills"),
        HandVariant(item="book", at="bed", tempo=1.1, strategy="book, lying"),
        HandVariant(item="bottle", slips=True, hesitation=0.4, idles=("idle", "idle_fidget"),
                    strategy="bottle, second try"),
        HandVariant(item="phone", at="bed", gives="patient", strategy="phone back, lying"),
    ),
}  # fmt: skip
CAPTIONS: dict[str, tuple[str, ...]] = {
    "hand_over_object": (
        "staff and a patient hand over an object",
        "{staff} hands {given} to {patient}",
        "{staff} gives {patient} {given}",
        "{patient} takes {given} that {staff} holds out",
        "{staff} passes {given} to {patient}, who is {where}",
        "{staff} brings {patient} {given}",
        "{patient} hands {returned} to {staff}",
        "{patient} gives {returned} back to {staff}",
        "{staff} takes {returned} from {patient}",
        "{staff} takes {returned} that {patient}, {where}, holds out",
    )
}
