"""One person picks something up from the floor: captured bends and squats, or a knee on it; the thing comes along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.corpus.care.floorways import follow, foot_at, kneel_keys, knees_down, measures, resting, through
from synth.corpus.care.kneeling import stops, walked_up
from synth.corpus.care.limbs import hanging, lowered, reaching, shares
from synth.corpus.care.script import FPS, PATIENT, Actor, Kneel, Phase, PropHold, Script, Touch
from synth.corpus.care.seats import thigh_top
from synth.corpus.care.stage import stage_piece
from synth.corpus.care.strategies import Cast, Variant
from synth.corpus.care.tracks import Track, warp
from synth.interaction import ActionSegment, Prop
from synth.motion.posture import BENT, UPRIGHT, measure_postures
from synth.room import Furniture
from synth.rooms.props import handle
from synth.rotation import Array, matrix_to_axis_angle, yaw_matrix
from synth.skeleton import JOINT, facing_yaw, forward_kinematics

ID = "thing"
# how somebody bends: segment, seconds of it, the second at which the hand is lowest, metres and radians it goes deeper
BENDS = {
    "bend": ("bend_bk", 0.45, 3.4, 1.95, 0.12, 0.25), "squat": ("squat_tr", 0.1, 2.4, 1.45, 0.0, 0.15),
    "stoop": ("bend_tr", 0.3, 3.55, 2.75, 0.14, 0.3), "reach": ("bend_pick_up", 0.0, 3.2, 1.15, 0.0, 0.0),
    "scoop": ("bend_507", 0.6, 3.6, 2.1, 0.08, 0.15), "stride": ("bend_bd", 0.6, 3.7, 2.5, 0.12, 0.25),
}  # fmt: skip
# what is picked up: height of its middle when it lies on the floor, metres
THINGS = {"cup": 0.05, "towel": 0.05, "box": 0.09, "folder": 0.155}


@dataclass(frozen=True)
class PickVariant(Variant):
    """How somebody picks something up.

    how: one of BENDS, or "kneel"; thing: the class of the prop; both: with both hands; walks: metres walked up before;
    misses: reaches that fall short; support: what the other hand rests on ("", "thigh", "chair"); waits: seconds of
    looking at it before and of standing with it afterwards.
    """

    grip: str = "one hand"
    how: str = "bend"
    thing: str = "cup"
    both: bool = False
    walks: float = 0.0
    misses: int = 0
    support: str = ""
    waits: tuple[float, float] = (0.9, 1.4)
    role: str = "patient"
    strategy: str = ""


@dataclass(frozen=True)
class _Bend:
    """A bend on the spot: its track, the second of the grasp, and of what it is made."""

    track: Track
    grasp: float
    dataset: str
    kneels: tuple[Kneel, ...] = ()
    low: tuple[float, float] | None = None  # seconds on the knee


def _captured(cast: Cast, variant: PickVariant, tempo: float) -> _Bend:
    name, first, last, lowest, drop, bend = BENDS[variant.how]
    piece = cast.piece(PATIENT, name, first, last)
    low = (lowest - first) * FPS
    if variant.how == "squat":  # captured as exercise: fast, the arms stretched out
        tempo = 1.5 * tempo
        piece = hanging(piece)
    keys, frames = [0.0], [0]
    at = low * 1.15 * tempo
    for _ in range(variant.misses):
        keys += [low - 1.0, 0.45 * low]
        frames += [round(at), round(at + 0.9 * FPS * tempo)]
        at += 0.9 * FPS * tempo + 0.6 * low * tempo
    halt = max(2, round(0.25 * FPS * tempo))
    keys += [low, low, piece.frames - 1.0]
    frames += [round(at), round(at) + halt, round(at + halt + (piece.frames - 1 - low) * 1.2 * tempo)]
    track = warp(piece, keys, frames)
    grasp = (round(at) + 1) / FPS
    track = track.placed(round(at), 0.0, np.zeros(2))
    share = shares(track.frames, grasp - 0.1, grasp + 0.2, 0.9 * tempo)
    track = lowered(track, cast.rest[PATIENT], drop * share, bend * share)
    return _Bend(track, grasp, "soma" if variant.how in ("reach", "scoop") else "hdm05")


def _kneeling(cast: Cast, variant: PickVariant, tempo: float, walk: Track | None) -> _Bend:
    rest = cast.rest[PATIENT]
    feet = (foot_at(walk, rest, "left", -1), foot_at(walk, rest, "right", -1)) if walk else None
    plan = kneel_keys(measures(rest), 0.3, "right", False, "forward", tempo, 1.6, True, 0.0, 0.55, False, feet)
    track = cast.alive(PATIENT, through(plan.keys, plan.end, rest))
    return _Bend(track, plan.down + 1.0, "cmu", tuple(knees_down(plan, "right")), (plan.down, plan.up))


def pick_up(cast: Cast, variant: PickVariant, rng: np.random.Generator) -> Script:
    """Look at it, bend or crouch or kneel, take it, come up with it and hold it before the body."""
    rest = cast.rest[PATIENT]
    tempo = variant.tempo * float(rng.uniform(0.95, 1.1))
    walk = walked_up(cast, variant.walks * float(rng.uniform(0.9, 1.1)), 1.2 * tempo) if variant.walks else None
    kneels_down = variant.how == "kneel"
    made = _kneeling(cast, variant, tempo, walk) if kneels_down else _captured(cast, variant, tempo)
    before, after = variant.waits
    track = resting(resting(made.track, before), after, last=True)
    lead = before
    if walk:
        walk = walk.placed(walk.frames - 1, float(facing_yaw(track.rotmats[0, 0])), track.pelvis[0, :2])
        track = follow(walk, track, 0.5)
        lead += walk.frames / FPS
    track = cast.alive(PATIENT, track)
    grasp = lead + made.grasp
    track, prop, holds = _taken(cast, variant, track, grasp, tempo, rng)
    furniture: tuple[Furniture, ...] = ()
    touches: tuple[Touch, ...] = ()
    if variant.support == "chair":
        furniture, track, touches = _supported(cast, track, grasp, tempo, rng)
    elif variant.support == "thigh":
        share = shares(track.frames, grasp - 0.9 * tempo, grasp + 0.8 * tempo, 0.5)
        track = reaching(track, rest, "left", thigh_top(track, rest, "left"), share, 0.0, 0.8)
    seconds = track.frames / FPS
    kneels = tuple(Kneel(k.person, k.part, k.start + lead, k.end + lead) for k in made.kneels)
    return Script(
        name="pick_up_from_floor",
        seconds=seconds,
        phases=(Phase("reach", lead, grasp), Phase("lift", grasp, min(seconds, grasp + 1.5 * tempo))),
        actors=(Actor(cast.betas[PATIENT], track),),
        holds=(),
        furniture=furniture,
        touches=touches,
        kneels=kneels,
        facts={"grip": "both hands" if variant.both else "one hand", "role": variant.role, "strategy": variant.strategy,
               "thing": {"cup": "a cup", "towel": "a towel", "box": "a box", "folder": "a folder"}[variant.thing],
               "how": "slowly" if variant.tempo > 1.2 else "", "again": "again" if variant.misses else "",
               "knee": "knee" if made.low else "", "chair": "chair" if furniture else ""},
        roles=(variant.role,),
        props=(prop,),
        prop_holds=holds,
        actions=_actions(cast, track, walk, made, lead, grasp),
        core=(round(max(0.0, grasp - 1.6 * tempo), 3), round(min(seconds, grasp + 1.8 * tempo), 3)),
        datasets=tuple(dict.fromkeys((made.dataset, "cmu", "reactidle"))),
        through=made.low is not None,
    )  # fmt: skip


def _taken(
    cast: Cast, variant: PickVariant, track: Track, grasp: float, tempo: float, rng: np.random.Generator
) -> tuple[Track, Prop, tuple[PropHold, ...]]:
    """The thing on the floor until the grasp, then in the hand and up before the body; and the arms that do it."""
    rest = cast.rest[PATIENT]
    at = round(grasp * FPS)
    times = np.arange(track.frames) / FPS
    yaw = facing_yaw(track.rotmats[:, 0])
    ahead = np.stack([np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)], -1)
    aside = np.stack([np.sin(yaw), -np.cos(yaw), np.zeros_like(yaw)], -1)  # to the right
    far = {"squat": 0.40, "kneel": 0.42}.get(variant.how, 0.40) + float(rng.uniform(-0.02, 0.05))
    side = 0.0 if variant.both else 0.10
    low = THINGS[variant.thing]
    feet = 0.5 * sum(np.array([f.x - 0.13 * np.cos(f.yaw), f.y - 0.13 * np.sin(f.yaw)]) for f in
                     (foot_at(track, rest, name, at) for name in ("left", "right")))  # fmt: skip
    origin = feet if variant.how != "kneel" else track.pelvis[at, :2]
    lying = np.array([*(origin + far * ahead[at, :2] + side * aside[at, :2]), low])
    # carried before the chest, below the shoulders wherever these are, so that the arms can
    joints, _ = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    shoulders = joints[:, [JOINT["left_shoulder"], JOINT["right_shoulder"]]].mean(1)
    below = 0.36 + float(rng.uniform(-0.04, 0.03))
    carried = shoulders + 0.28 * ahead + (0.0 if variant.both else 0.14) * aside - np.array([0.0, 0.0, below])
    carried[:, 2] = np.maximum(carried[:, 2], low + 0.12)
    share = np.clip((times - grasp - 0.12) / (1.7 * tempo), 0, 1)
    share = share**3 * (10 - 15 * share + 6 * share**2)
    middle = lying + share[:, None] * (carried - lying)
    turned = np.unwrap(np.where(times < grasp, yaw[at], yaw))
    turn = yaw_matrix(turned - np.pi / 2)
    prop = Prop(ID, variant.thing, middle, matrix_to_axis_angle(turn))
    holds = []
    for name in ("right", "left") if variant.both else ("right",):
        where = middle + turn @ handle(variant.thing, name)
        on: Array = np.clip((times - grasp + 0.1 + 0.7 * tempo) / (0.7 * tempo), 0, 1)
        on = on**3 * (10.0 - 15.0 * on + 6.0 * on**2)
        track = reaching(track, rest, name, where, on, 0.0, 0.4)
        holds.append(PropHold(PATIENT, f"{name}_hand", ID, name, grasp + 0.05, times[-1] + 1 / FPS))
    return track, prop, tuple(holds)


def _supported(
    cast: Cast, track: Track, grasp: float, tempo: float, rng: np.random.Generator
) -> tuple[tuple[Furniture, ...], Track, tuple[Touch, ...]]:
    """A chair on the left, its seat under the left hand while the right one goes down."""
    at = round(grasp * FPS)
    yaw = float(facing_yaw(track.rotmats[at, 0]))
    ahead, left = np.array([np.cos(yaw), np.sin(yaw)]), np.array([-np.sin(yaw), np.cos(yaw)])
    height = float(np.round(rng.uniform(0.44, 0.48), 3))
    place = track.pelvis[at, :2] + 0.38 * ahead + 0.62 * left
    piece = stage_piece("chair", (float(place[0]), float(place[1])), yaw - np.pi, height)
    palm = place - 0.14 * left
    point = (float(palm[0]), float(palm[1]), height + 0.006)
    begin, end = grasp - 0.8 * tempo, grasp + 0.7 * tempo
    track = reaching(track, cast.rest[PATIENT], "left", np.array(point), shares(track.frames, begin, end, 0.8 * tempo))
    return (piece,), track, (Touch(PATIENT, "left_hand", "chair", point, begin, end),)


def _actions(
    cast: Cast, track: Track, walk: Track | None, made: _Bend, lead: float, grasp: float
) -> tuple[ActionSegment, ...]:
    """Standing, down and up again; named by the posture in which the thing is taken."""
    seconds = track.frames / FPS
    found: list[ActionSegment] = []
    begin = 0.0

    if walk:
        begin = stops(walk)
        found.append(ActionSegment(PATIENT, 0.0, begin, "walk"))

    def tiled(*parts: tuple[float, str]) -> tuple[ActionSegment, ...]:
        ends = [*(start for start, _ in parts[1:]), seconds]
        return (
            *found,
            *(ActionSegment(PATIENT, start, end, label) for (start, label), end in zip(parts, ends, strict=True)),
        )

    if made.low:
        up = made.low[1] + lead
        return tiled((begin, "standing"), (lead + 0.3, "kneel_down"), (grasp, "kneeling"), (up, "stand_up"),
                     (min(up + 1.6, seconds - 0.3), "standing"))  # fmt: skip
    rest = cast.rest[PATIENT]
    joints, _ = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    kinds = measure_postures(joints).kind
    low = np.flatnonzero(~np.isin(kinds, (UPRIGHT,)) & (np.arange(len(kinds)) > begin * FPS))
    if not len(low):
        return tiled((begin, "standing"))
    first, last = float(low[0] / FPS), float((low[-1] + 1) / FPS)
    if np.isin(kinds[low], (BENT, UPRIGHT)).all():
        return tiled((begin, "standing"), (first, "other"), (last, "standing"))
    return tiled((begin, "standing"), (first - 0.2, "squat_down"), (grasp - 0.2, "squatting"),
                 (grasp + 0.2, "stand_up"), (last + 0.2, "standing"))  # fmt: skip


BUILDERS = {"pick_up_from_floor": pick_up}
VARIANTS: dict[str, tuple[PickVariant, ...]] = {
    "pick_up_from_floor": (
        PickVariant(strategy="bends"),
        PickVariant(how="squat", thing="towel", tempo=1.15, strategy="squats"),
        PickVariant(how="stoop", tempo=1.15, thing="folder", support="thigh", strategy="stoops, hand on the thigh"),
        PickVariant(how="bend", walks=1.2, role="staff", tempo=0.9, thing="towel", waits=(0.3, 1.3),
                    strategy="walks up and bends"),
        PickVariant(how="kneel", tempo=1.0, waits=(0.2, 0.8), strategy="goes down on a knee"),
        PickVariant(how="squat", both=True, thing="box", tempo=1.2, role="staff", strategy="squats, both hands"),
        PickVariant(how="bend", misses=1, tempo=1.1, mirror=True, strategy="misses, second try"),
        PickVariant(how="stoop", support="chair", tempo=1.25, mirror=True, strategy="holds on to a chair"),
        PickVariant(how="scoop", role="person", thing="folder", mirror=True, strategy="quick"),
        PickVariant(how="reach", tempo=1.5, waits=(1.4, 1.8), strategy="slow"),
    ),
}  # fmt: skip
CAPTIONS: dict[str, tuple[str, ...]] = {
    "pick_up_from_floor": (
        "a person picks something up from the floor",
        "{who} bends down and picks up {thing}",
        "{who} picks up {thing} from the floor",
        "{who} {how} picks {thing} up off the ground",
        "somebody takes {thing} from the floor",
        "{who} reaches down for {thing}, misses it and tries {again}",
        "{who} goes down on a {knee} to pick up {thing}",
        "{who} holds on to a {chair} and picks up {thing}",
    ),
}
