"""One person gets up from the floor: captured ways up, and the way by hands and knees, a foot, and a chair."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synth.corpus.care.floorways import (
    WIDE,
    Measures,
    drawn_in,
    follow,
    lying_face_down,
    measures,
    on_fours,
    resting,
    through,
)
from synth.corpus.care.limbs import Foot, Key, reaching, shares, trailing
from synth.corpus.care.script import FPS, PATIENT, Actor, Hold, Kneel, Phase, Script, Seat, Touch
from synth.corpus.care.seats import thigh_top
from synth.corpus.care.stage import stage_piece
from synth.corpus.care.strategies import Cast, Variant
from synth.corpus.care.timing import changing
from synth.corpus.care.tracks import Course, StanceKey, Track, feet_path, stance_track, standing_feet, warp
from synth.interaction import ActionSegment
from synth.room import Furniture

# captured ways: segment, seconds of lying that are left out at its start, seconds of it at which a first try sinks
# back, at which one rests (sitting, or on all fours) before the rise, and until which the seat is on the floor
WAYS = {
    "sits up, crouches": ("get_up", 0.35, 1.9, 1.95, 2.25), "over the side": ("get_up_bk", 0.9, 2.3, 2.7, 3.4),
    "knees drawn in": ("get_up_bk2", 2.2, 2.0, 2.25, 2.8), "turns and pushes": ("get_up_mm", 0.8, 2.1, 2.4, 3.1),
    "rolls forward": ("get_up_tr", 0.5, 1.9, None, 2.1), "from the belly": ("get_up_face_down", 0.0, 0.95, 1.25, 0.0),
}  # fmt: skip


@dataclass(frozen=True)
class GetUpVariant(Variant):
    """How somebody gets up: one of WAYS as captured, or from the belly by hands and knees and one foot ("knee", with a
    hand on the thigh) or with both hands on a chair's seat ("chair"); fails: first tries that sink back; lies: seconds
    on the floor before; rest: seconds on all fours or on the knees in between; stays: seconds of standing."""

    grip: str = "none"
    way: str = "sits up, crouches"
    fails: int = 0
    lies: float = 1.0
    rest: float = 0.2
    stays: float = 1.2
    role: str = "patient"
    strategy: str = ""


@dataclass(frozen=True)
class _Solved:
    """A way up: its track, what rests where; when a first try begins and has sunk back, and the middle of a rest."""

    track: Track
    touches: tuple[Touch, ...] = ()
    holds: tuple[Hold, ...] = ()
    kneels: tuple[Kneel, ...] = ()
    furniture: tuple[Furniture, ...] = ()
    seats: tuple[Seat, ...] = ()
    tried: tuple[float, float] | None = None
    rests: float | None = None
    crawls: float | None = None  # the middle of a way on all fours before that


def _captured(cast: Cast, variant: GetUpVariant, tempo: float) -> _Solved:
    name, first, back, rests, leaves = WAYS[variant.way]
    piece = cast.piece(PATIENT, name, first)
    pace = tempo * (1.9 if variant.way == "from the belly" else 1.25)
    keys, frames = [0.0], [0]
    tried = None
    if variant.fails:
        to = back * FPS
        keys += [to, 0.0, 0.0]
        frames += [round(to * pace), round(2 * to * pace) + 4, round(2 * to * pace) + 4 + round(0.7 * FPS)]
        tried = (variant.lies, variant.lies + frames[2] / FPS)
    if rests is not None:
        middle = rests * FPS
        keys += [middle, middle]
        halt = round(variant.rest * FPS)
        begun = frames[-1] + round(middle * pace)
        frames += [begun, begun + halt]
        rests = variant.lies + (begun + 0.5 * halt) / FPS
    keys.append(piece.frames - 1.0)
    frames.append(frames[-1] + round((piece.frames - 1 - keys[-2]) * pace))
    track = warp(piece, keys, frames)
    if not leaves:
        track = trailing(track, cast.rest[PATIENT])
    played = np.interp(np.arange(track.frames), frames, keys) if leaves else np.zeros(1)
    off = variant.lies + float(np.flatnonzero(played <= leaves * FPS)[-1]) / FPS
    seats = (Seat(PATIENT, "floor", 0.0, off),) if leaves else ()
    # into a steady way of standing over the feet as they end
    rest = cast.rest[PATIENT]
    times = np.arange(round(variant.stays * FPS)) / FPS
    feet = feet_path(times, standing_feet(track, -1, rest), [])
    standing = stance_track(times, feet, [StanceKey(0.0, 0.03, 0.12)], rest)
    track = resting(follow(track, cast.alive(PATIENT, standing), 0.7), variant.lies)
    return _Solved(track, seats=seats, tried=tried, rests=rests)


def _kneeling_up(
    size: Measures, tempo: float, rest: float, chair: bool
) -> tuple[tuple[Key, ...], dict[str, float], float]:
    """From all fours at the origin (knees a little behind the pelvis) over one foot to standing; its moments."""
    knee = -0.08
    ball = knee - size.toes
    mine, other = Foot(ball, WIDE, pitch=1.2), Foot(ball, -WIDE, pitch=1.2)
    low = size.kneeling - 0.02
    keys = [
        Key(0.0, (0.0, 0.0, size.thigh + 0.05), mine, other, pitch=1.35, bend=0.1),
        Key(rest, (0.0, 0.0, size.thigh + 0.05), mine, other, pitch=1.35, bend=0.1),
    ]
    time = rest + 1.3 * tempo
    upright = 0.85 if chair else 0.15
    keys.append(Key(time, (knee + 0.02, 0.0, low), mine, other, pitch=upright, bend=0.15))
    knelt = time
    time += 0.5
    keys.append(Key(time, (knee, 0.0, low), mine, other, pitch=upright, bend=0.15))
    front = Foot(knee + 0.36, -WIDE)
    air = Foot(knee - 0.05, -WIDE - 0.04, pitch=0.5, lift=0.07)
    keys.append(Key(time + 0.55 * tempo, (knee + 0.02, 0.03, low + 0.01), mine, air, pitch=upright + 0.1, bend=0.2))
    time += 1.05 * tempo
    keys.append(Key(time, (knee + 0.02, 0.02, low), mine, front, pitch=0.8 if chair else 0.35, bend=0.25))
    foot = time
    time += 0.4
    keys.append(Key(time, (knee + 0.08, 0.0, low + 0.01), mine, front, pitch=0.9 if chair else 0.65, bend=0.35))
    rise = time
    tall = size.standing
    time += 0.9 * tempo
    keys.append(Key(time, (front.x - 0.30, 0.0, low + 0.24), replace(mine, pitch=1.0), front, pitch=0.75, bend=0.3))
    time += 0.5 * tempo
    step = Foot(front.x - 0.25, WIDE, pitch=0.3, lift=0.06)
    keys.append(Key(time, (front.x - 0.17, 0.0, tall - 0.14), step, front, pitch=0.45, bend=0.2))
    time += 0.7 * tempo
    ends = Foot(front.x, WIDE)
    keys.append(Key(time, (front.x - 0.08, 0.0, tall - 0.01), ends, front, pitch=0.06))
    keys.append(Key(time + 1.2, (front.x - 0.08, 0.0, tall), ends, front, pitch=0.02))
    return tuple(keys), {"knelt": knelt, "foot": foot, "rise": rise, "up": time}, time + 1.2


def _solved(cast: Cast, variant: GetUpVariant, tempo: float, rng: np.random.Generator) -> _Solved:
    rest = cast.rest[PATIENT]
    size = measures(rest)
    chair = variant.way == "chair"
    still = np.zeros(12)
    _, at_first = on_fours(cast, still, Course())
    keys, when, end = _kneeling_up(size, tempo, 0.05, chair)
    up = cast.alive(PATIENT, through(keys, end, rest))
    palms = {t.spot: t.at for t in at_first if t.spot.endswith("hand")}
    touches, holds = [], []
    furniture: tuple[Furniture, ...] = ()
    for side in ("left", "right"):
        away = 0.05 + 0.35 * tempo
        place = palms.get(f"{side}_hand", (0.5, 0.17 if side == "left" else -0.17, 0.004))
        up = reaching(up, rest, side, np.array(place), shares(up.frames, -1.0, away, 0.5), 0.8, 0.5)
        touches.append(Touch(PATIENT, f"{side}_hand", "floor", place, 0.0, away))
    if chair:
        height = float(np.round(rng.uniform(0.43, 0.47), 3))
        piece = stage_piece("chair", (0.88, 0.0), np.pi / 2, height)
        furniture = (piece,)
        for side, sign in (("left", 1.0), ("right", -1.0)):
            at = (0.71, 0.15 * sign, height + 0.012)
            begin, leave = when["knelt"] - 0.2, when["rise"] + 0.95 * tempo
            up = reaching(up, rest, side, np.array(at), shares(up.frames, begin, leave, 0.6), 0.7, 1.3)
            touches.append(Touch(PATIENT, f"{side}_hand", "chair", at, begin, leave))
    else:
        begin, leave = when["foot"] + 0.1, when["rise"] + 1.0 * tempo
        up = reaching(up, rest, "right", thigh_top(up, rest, "right"), shares(up.frames, begin, leave, 0.5), 0.0, 0.8)
        holds.append(Hold(PATIENT, "right_hand", PATIENT, "right_thigh", begin, leave))
    far = 0.36 if chair else 0.0  # metres crawled up to it
    first = lying_face_down(cast, 2.3 * tempo).placed(-1, 0.0, np.array([-far, 0.0]))
    first = resting(first, variant.lies)
    lead = first.frames / FPS
    crawled: list[Touch] = []
    crawls = lead + 0.85 if chair else None
    if chair:
        share = np.linspace(0.0, 1.0, round(1.5 * FPS))
        crawl, steps = on_fours(cast, far * share**2 * (3 - 2 * share), Course())
        first = follow(first, crawl.moved(0.0, np.array([-far, 0.0, 0.0])), 0.6)
        crawled = [
            replace(t, at=(t.at[0] - far, *t.at[1:]), start=max(t.start, 0.5) + lead, end=t.end + lead) for t in steps
        ]
        lead = first.frames / FPS
    track = drawn_in(cast, follow(first, up, 0.7), lead + 0.7)
    moved = [replace(t, start=t.start + (lead if t.start > 0 else lead + 0.5), end=t.end + lead) for t in touches]
    kneels = (
        Kneel(PATIENT, "left_knee", lead + 0.5, lead + when["rise"]),
        Kneel(PATIENT, "right_knee", lead + 0.5, lead + when["foot"] - 1.05 * tempo),
    )
    return _Solved(
        track, tuple(t for t in (*crawled, *moved) if t.end > t.start + 0.1),
        tuple(replace(h, start=h.start + lead, end=h.end + lead) for h in holds), kneels, furniture, (), None,
        lead + when["knelt"] + 0.25, crawls,
    )  # fmt: skip


def get_up(cast: Cast, variant: GetUpVariant, rng: np.random.Generator) -> Script:
    """Lie on the floor, get up without help, stand."""
    rest = cast.rest[PATIENT]
    tempo = variant.tempo * float(rng.uniform(0.95, 1.08))
    made = _captured(cast, variant, tempo) if variant.way in WAYS else _solved(cast, variant, tempo, rng)
    track = made.track
    seconds = track.frames / FPS
    moving = np.flatnonzero(changing(track, rest)) / FPS
    # on the way up from when head or pelvis moves
    begin, end = max(float(moving[0]), 0.3), min(float(moving[-1]) + 1 / FPS, seconds - 0.3)
    actions = []
    if made.tried:
        sunk = made.tried[1]
        actions = [ActionSegment(PATIENT, 0.0, made.tried[0], "fallen"), ActionSegment(PATIENT, *made.tried, "other")]
        begin = sunk + 0.4
        actions.append(ActionSegment(PATIENT, sunk, begin, "fallen"))
    else:
        actions.append(ActionSegment(PATIENT, 0.0, begin, "fallen"))
    if made.rests is not None:
        if made.crawls is not None:
            actions += [ActionSegment(PATIENT, begin, made.crawls - 0.1, "other"),
                        ActionSegment(PATIENT, made.crawls - 0.1, made.crawls + 0.1, "kneeling")]  # fmt: skip
            begin = made.crawls + 0.1
        held = "kneeling" if variant.way in ("from the belly", "knee", "chair") else "sitting"
        actions += [ActionSegment(PATIENT, begin, made.rests - 0.1, "other"),
                    ActionSegment(PATIENT, made.rests - 0.1, made.rests + 0.1, held)]  # fmt: skip
        begin = made.rests + 0.1
    actions += [ActionSegment(PATIENT, begin, end, "stand_up"), ActionSegment(PATIENT, end, seconds, "standing")]
    datasets = ("hdm05", "cmu", "reactidle")
    if variant.way in ("from the belly", "knee", "chair"):
        datasets = ("deepmimic", "cmu", "reactidle")
    belly = datasets[0] == "deepmimic"
    return Script(
        name="get_up_from_floor_alone",
        seconds=seconds,
        phases=(Phase("lift", begin, end),),
        actors=(Actor(cast.betas[PATIENT], track),),
        holds=made.holds,
        furniture=made.furniture,
        seats=made.seats,
        touches=made.touches,
        kneels=made.kneels,
        facts={"grip": "chair" if made.furniture else "none", "role": variant.role,
               "strategy": variant.strategy or variant.way, "how": "slowly" if variant.tempo > 1.2 else "",
               "lying": "face down" if belly else "on the back", "again": "again" if variant.fails else "",
               "chair": "a chair" if made.furniture else ""},
        roles=(variant.role,),
        actions=tuple(actions),
        core=(round(max(0.0, begin - 0.5), 3), round(min(seconds, end + 0.5), 3)),
        datasets=datasets,
        through=True,
    )  # fmt: skip


BUILDERS = {"get_up_from_floor_alone": get_up}
VARIANTS: dict[str, tuple[GetUpVariant, ...]] = {
    "get_up_from_floor_alone": (
        GetUpVariant(),
        GetUpVariant(way="knee", lies=0.8, strategy="hands and knees, one foot"),
        GetUpVariant(way="over the side", tempo=1.1, mirror=True),
        GetUpVariant(way="from the belly", tempo=1.2),
        GetUpVariant(way="chair", lies=0.5, tempo=0.95, strategy="up by a chair"),
        GetUpVariant(way="knees drawn in", tempo=1.15),
        GetUpVariant(way="turns and pushes", tempo=1.1, mirror=True),
        GetUpVariant(fails=1, lies=0.4, tempo=0.72, strategy="sinks back, second try"),
        GetUpVariant(way="rolls forward", tempo=1.2, role="person"),
    ),
}
CAPTIONS: dict[str, tuple[str, ...]] = {
    "get_up_from_floor_alone": (
        "a person gets up from the floor alone",
        "{who} lies {lying} and gets up from the floor",
        "{who} {how} gets up off the ground without help",
        "{who} gets back on the feet after lying on the floor",
        "somebody lying on the floor stands up",
        "{who} tries to get up, sinks back and tries {again}",
        "{who} crawls up to {chair} and pulls up from the floor by it",
    ),
}
