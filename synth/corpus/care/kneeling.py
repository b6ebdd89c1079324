"""One person goes down on the knees, or crawls."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synth.corpus.care.floorways import (
    WIDE,
    drawn_in,
    follow,
    foot_at,
    kneel_keys,
    knees_down,
    lying_face_down,
    measures,
    on_fours,
    resting,
    through,
)  # fmt: skip
from synth.corpus.care.limbs import Foot, Key, reaching, shares
from synth.corpus.care.script import FPS, PATIENT, Actor, Hold, Kneel, Phase, Script, Touch
from synth.corpus.care.stage import stage_piece
from synth.corpus.care.strategies import Cast, Variant
from synth.corpus.care.tracks import Course, Track, smoothed, stretch
from synth.interaction import ActionSegment
from synth.room import Furniture

_OTHER = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class KneelVariant(Variant):
    """How somebody kneels: see `floorways.kneel_keys`; hand: what a hand rests on ("", "thigh", "chair", "floor");
    walks: metres walked up before; role: who it is."""

    grip: str = "none"
    side: str = "left"
    both: bool = False
    step: str = "forward"
    rest: float = 2.6
    rises: bool = False
    sits: float = 0.0
    lean: float = 0.1
    falters: bool = False
    hand: str = ""
    walks: float = 0.0
    role: str = "patient"
    strategy: str = ""


def walked_up(cast: Cast, metres: float, tempo: float, name: str = "walk_stop") -> Track:
    """The last `metres` of a captured walk that stops; ends over the origin, facing +x."""
    walk = cast.piece(PATIENT, name)
    left = np.linalg.norm(walk.pelvis[:, :2] - walk.pelvis[-1, :2], axis=-1)
    begin = int(np.flatnonzero(left > metres)[-1]) if (left > metres).any() else 0
    walk = Track(walk.pelvis[begin:], walk.rotmats[begin:])
    walk = stretch(walk, max(4, round(walk.frames * tempo)))
    return walk.placed(walk.frames - 1, 0.0, np.zeros(2))


def kneel_down(cast: Cast, variant: KneelVariant, rng: np.random.Generator) -> Script:
    """Walk up or stand, a long step, down on one knee, perhaps on both; stay there; some come up again."""
    rest = cast.rest[PATIENT]
    size = measures(rest)
    tempo = variant.tempo * float(rng.uniform(0.95, 1.1))
    walk = walked_up(cast, variant.walks * float(rng.uniform(0.9, 1.1)), 1.25 * tempo) if variant.walks else None
    feet = (foot_at(walk, rest, "left", -1), foot_at(walk, rest, "right", -1)) if walk else None
    begin = 0.5 if walk else float(rng.uniform(0.6, 1.0))
    lean = variant.lean + float(rng.uniform(-0.03, 0.05))
    plan = kneel_keys(
        size, begin, variant.side, variant.both, variant.step, tempo, variant.rest * float(rng.uniform(0.95, 1.15)),
        variant.rises, variant.sits, lean, variant.falters, feet,
    )  # fmt: skip
    kneel = cast.alive(PATIENT, through(plan.keys, plan.end, rest))
    if not walk:  # captured standing until the step
        idle = cast.piece(PATIENT, "idle_still", 0.0, begin + 0.4)
        idle = idle.placed(0, 0.0, kneel.pelvis[0, :2])
        arms = Track(kneel.pelvis[: idle.frames].copy(), kneel.rotmats[: idle.frames].copy())
        share = 1 - np.clip((np.arange(idle.frames) / FPS - begin + 0.3) / 0.6, 0, 1)
        kneel = _with_arms(kneel, idle, share, arms)
    shift = walk.frames / FPS if walk else 0.0
    holds: tuple[Hold, ...] = ()
    touches: tuple[Touch, ...] = ()
    furniture: tuple[Furniture, ...] = ()
    far = _OTHER[variant.side]
    lands, lifts = plan.down - 0.8 * tempo, plan.end if not variant.rises else plan.up + 0.7
    if variant.hand == "thigh":
        holds = (Hold(PATIENT, f"{far}_hand", PATIENT, f"{far}_thigh", plan.down - 0.7 * tempo + shift,
                      (plan.second[0] - 1.0 if plan.second else lifts) + shift),)  # fmt: skip
    elif variant.hand == "floor":
        x = float(kneel.pelvis[round(plan.down * FPS), 0]) + 0.38
        at = (x, 0.22 if variant.side == "left" else -0.22, 0.006)
        kneel = reaching(kneel, rest, variant.side, np.array(at), shares(kneel.frames, lands, plan.down + 0.1, 0.7))
        touches = (Touch(PATIENT, f"{variant.side}_hand", "floor", at, lands + shift, plan.down + 0.1 + shift),)
    elif variant.hand == "chair":
        x = float(kneel.pelvis[round(plan.down * FPS), 0]) + 0.15
        sign = 1.0 if variant.side == "left" else -1.0
        height = float(np.round(rng.uniform(0.42, 0.48), 3))
        piece = stage_piece("chair", (x + 0.02, sign * 0.60), -np.pi / 2 - sign * 0.6, height)
        furniture = (piece,)
        at = (x + 0.04, sign * 0.46, height + 0.006)
        until = plan.end if not variant.rises else plan.up + 1.2
        kneel = reaching(kneel, rest, variant.side, np.array(at), shares(kneel.frames, lands - 0.4, until, 0.8))
        touches = (Touch(PATIENT, f"{variant.side}_hand", "chair", at, lands - 0.4 + shift, until + shift),)
    track = follow(walk, kneel, 0.5) if walk else kneel
    seconds = track.frames / FPS
    kneels = tuple(type(k)(k.person, k.part, k.start + shift, k.end + shift) for k in knees_down(plan, variant.side))
    # a first try that is given up half-way leaves one standing
    step = (plan.down - 1.2 * tempo if variant.falters else begin) + shift
    down, up = plan.down + shift, plan.up + shift
    actions = []
    if walk:
        stop = stops(walk)
        actions.append(ActionSegment(PATIENT, 0.0, stop, "walk"))
        actions.append(ActionSegment(PATIENT, stop, step, "standing"))
    else:
        actions.append(ActionSegment(PATIENT, 0.0, step, "standing"))
    actions.append(ActionSegment(PATIENT, step, down + 0.1, "kneel_down"))
    if variant.rises:
        actions += [ActionSegment(PATIENT, down + 0.1, up, "kneeling"),
                    ActionSegment(PATIENT, up, up + 1.6 * tempo, "stand_up"),
                    ActionSegment(PATIENT, up + 1.6 * tempo, seconds, "standing")]  # fmt: skip
    else:
        actions.append(ActionSegment(PATIENT, down + 0.1, seconds, "kneeling"))
    return Script(
        name="kneel_down_alone",
        seconds=seconds,
        phases=(Phase("step", step, down), Phase("kneel", down, up)),
        actors=(Actor(cast.betas[PATIENT], track),),
        holds=holds,
        furniture=furniture,
        touches=touches,
        kneels=kneels,
        facts={"grip": variant.hand or "none", "role": variant.role, "strategy": variant.strategy,
               "knee": "both knees" if variant.both else "one knee",
               "how": "slowly" if variant.tempo > 1.2 else "", "chair": "chair" if variant.hand == "chair" else ""},
        roles=(variant.role,),
        actions=tuple(actions),
        core=(round(step, 3), round(min(seconds, up + 0.5), 3)),
        datasets=("cmu", "reactidle"),
        through=True,
    )  # fmt: skip


def stops(walk: Track) -> float:
    """The second at which a walk that stops has stopped."""
    left = np.linalg.norm(walk.pelvis[:, :2] - walk.pelvis[-1, :2], axis=-1)
    return float(np.flatnonzero(left > 0.06)[-1]) / FPS


def _with_arms(track: Track, other: Track, share: np.ndarray, base: Track) -> Track:
    """The upper body of `other`, `share` [N] of the way, over the first N frames."""
    from synth.corpus.care.company import ARMS
    from synth.corpus.care.tracks import between
    from synth.skeleton import JOINT

    index = [JOINT[name] for name in (*ARMS, "neck", "head")]
    rotmats = track.rotmats.copy()
    count = other.frames
    rotmats[:count, index] = between(base.rotmats[:, index], other.rotmats[:, index], share)
    return Track(track.pelvis, rotmats)


# --- crawling ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CrawlVariant(Variant):
    """How somebody crawls.

    seconds: of crawling; speed: metres a second; bend: radians a metre; begins: "fours", "kneeling", "belly"; low: on
    elbows and belly, as captured; pause: seconds of a halt; chair: crawls up to a chair and puts the hands on it.
    """

    grip: str = "none"
    seconds: float = 6.0
    speed: float = 0.26
    step: float = 0.34
    bend: float = 0.0
    begins: str = "fours"
    low: bool = False
    pause: float = 0.0
    chair: bool = False
    role: str = "patient"
    strategy: str = ""


def crawl(cast: Cast, variant: CrawlVariant, rng: np.random.Generator) -> Script:
    """On hands and knees, or low on the elbows; straight, in a curve, with a halt, from the belly, up to a chair."""
    if variant.low:
        return _low(cast, variant, rng)
    rest = cast.rest[PATIENT]
    size = measures(rest)
    speed = variant.speed * float(rng.uniform(0.92, 1.08)) / variant.tempo
    frames = round((variant.seconds + variant.pause) * FPS)
    pace = np.full(frames, speed)
    times = np.arange(frames) / FPS
    if variant.pause:
        middle = 0.45 * variant.seconds
        pace *= np.clip(np.maximum(middle - times, times - middle - variant.pause) / 0.4, 0, 1)
    if variant.begins != "fours":
        pace *= np.clip((times - 0.2) / 0.6, 0, 1)
    if variant.chair:
        pace *= np.clip((variant.seconds - 0.3 - times) / 0.5, 0, 1)
    distance = np.cumsum(smoothed(pace, 0.15, FPS)) / FPS
    distance = np.maximum.accumulate(distance)
    course = Course(variant.bend * float(rng.uniform(0.9, 1.1)), 0.3)
    track, touches = on_fours(cast, distance, course, variant.step * float(rng.uniform(0.93, 1.05)))
    track = cast.alive(PATIENT, track)
    kneels: list[Kneel] = []
    furniture: tuple[Furniture, ...] = ()
    lead = 0.0
    actions: list[ActionSegment] = []
    datasets = ["cmu", "reactidle"]
    if variant.begins == "belly":
        first = resting(lying_face_down(cast, 2.6 * variant.tempo), 0.8)
        first = first.placed(first.frames - 1, 0.0, track.pelvis[0, :2])
        lead = first.frames / FPS
        track = drawn_in(cast, follow(first, track, 0.9), lead + 0.9)
        actions = [ActionSegment(PATIENT, 0.0, 0.8, "fallen"), ActionSegment(PATIENT, 0.8, lead, "other")]
        datasets.append("deepmimic")
    elif variant.begins == "kneeling":
        plan = kneel_keys(size, 0.2, "left", True, "forward", 1.0, 1.4)
        knelt = through(plan.keys, plan.end, rest)
        first = Track(knelt.pelvis[-28:], knelt.rotmats[-28:])
        first = first.placed(first.frames - 1, 0.0, track.pelvis[0, :2] + np.array([-0.06, 0.0]))
        lead = first.frames / FPS
        track = follow(first, track, 1.5)
        actions = [ActionSegment(PATIENT, 0.0, lead, "kneeling"), ActionSegment(PATIENT, lead, lead + 1.4, "other")]
    wait = {"belly": 0.5, "kneeling": 1.4}.get(variant.begins, 0.0)
    touches = tuple(
        Touch(t.person, t.spot, t.furniture, t.at, t.start + lead, t.end + lead) for t in touches if t.end > wait + 0.2
    )
    touches = tuple(
        Touch(t.person, t.spot, t.furniture, t.at, max(t.start, lead + wait if lead else 0.0), t.end) for t in touches
    )
    seconds = track.frames / FPS
    at = lead + (wait if variant.begins == "kneeling" else 0.0)
    actions.append(ActionSegment(PATIENT, at, seconds, "crawl"))
    if variant.chair:
        raised, hands, piece, takes = _up_to_chair(cast, float(distance[-1]), variant.tempo, rng)
        track = follow(track, raised, 0.4)
        furniture, end = (piece,), track.frames / FPS
        kneels = [Kneel(PATIENT, f"{side}_knee", seconds + 0.3, end) for side in _OTHER]
        touches += tuple(replace(t, start=t.start + seconds, end=t.end + seconds) for t in hands)
        actions += [ActionSegment(PATIENT, seconds, seconds + takes, "other"),
                    ActionSegment(PATIENT, seconds + takes, end, "kneeling")]  # fmt: skip
        seconds = end
    return Script(
        name="crawl_alone",
        seconds=seconds,
        phases=(Phase("crawl", at, seconds),),
        actors=(Actor(cast.betas[PATIENT], track, stands=False),),
        holds=(),
        furniture=furniture,
        touches=touches,
        kneels=tuple(kneels),
        facts={"grip": "none", "role": variant.role, "strategy": variant.strategy,
               "how": "slowly" if variant.tempo > 1.2 else "", "belly": "belly" if variant.begins == "belly" else ""},
        roles=(variant.role,),
        actions=tuple(actions),
        core=(round(at, 3), round(seconds, 3)),
        datasets=tuple(datasets),
        through=True,
    )  # fmt: skip


def _up_to_chair(
    cast: Cast, at: float, tempo: float, rng: np.random.Generator
) -> tuple[Track, tuple[Touch, ...], Furniture, float]:
    """From all fours, the pelvis at x = `at`, up on the knees with both hands on a seat; seconds it takes."""
    rest = cast.rest[PATIENT]
    size = measures(rest)
    feet = Foot(-0.08 - size.toes, WIDE, pitch=1.2), Foot(-0.08 - size.toes, -WIDE, pitch=1.2)
    low, knelt = size.kneeling - 0.02, 0.3 + 1.3 * tempo
    keys = (
        Key(0.0, (0.0, 0.0, size.thigh + 0.05), *feet, pitch=1.38, bend=0.1),
        Key(0.3, (0.0, 0.0, size.thigh + 0.05), *feet, pitch=1.35, bend=0.1),
        Key(knelt, (-0.04, 0.0, low), *feet, pitch=0.75, bend=0.25, gaze=0.2),
        Key(knelt + 1.8, (-0.04, 0.0, low), *feet, pitch=0.7, bend=0.25, gaze=0.2),
    )
    track = cast.alive(PATIENT, through(keys, knelt + 1.8, rest)).moved(0.0, np.array([at, 0.0, 0.0]))
    height = float(np.round(rng.uniform(0.43, 0.47), 3))
    piece = stage_piece("chair", (at + 0.88, 0.0), np.pi / 2, height)
    touches = []
    for side, sign in (("left", 1.0), ("right", -1.0)):
        place = (at + 0.71, 0.15 * sign, height + 0.012)
        share = shares(track.frames, knelt - 0.2, knelt + 9.0, 0.8)
        track = reaching(track, rest, side, np.array(place), share, 0.7, 1.3)
        touches.append(Touch(PATIENT, f"{side}_hand", "chair", place, knelt - 0.2, knelt + 1.8))
    return track, tuple(touches), piece, knelt


def _low(cast: Cast, variant: CrawlVariant, rng: np.random.Generator) -> Script:
    """The captured crawl on knees and elbows, once more from where it ends."""
    from synth.corpus.care.tracks import join

    piece = cast.piece(PATIENT, "crawl")
    piece = stretch(piece, round(piece.frames * 1.45 * variant.tempo * float(rng.uniform(0.95, 1.08))))
    track = join([piece] * max(1, round(variant.seconds * FPS / piece.frames)), 10)
    track = track.placed(0, 0.0, np.zeros(2))
    seconds = track.frames / FPS
    return Script(
        name="crawl_alone",
        seconds=seconds,
        phases=(Phase("crawl", 0.0, seconds),),
        actors=(Actor(cast.betas[PATIENT], track, stands=False),),
        holds=(),
        facts={
            "grip": "none",
            "role": variant.role,
            "strategy": variant.strategy,
            "how": "slowly" if variant.tempo > 1.2 else "",
        },
        roles=(variant.role,),
        actions=(ActionSegment(PATIENT, 0.0, seconds, "crawl"),),
        core=(0.0, round(seconds, 3)),
        datasets=("deepmimic",),
    )


BUILDERS = {"kneel_down_alone": kneel_down, "crawl_alone": crawl}
VARIANTS: dict[str, tuple[Variant, ...]] = {
    "kneel_down_alone": (
        KneelVariant(strategy="one knee"),
        KneelVariant(side="right", both=True, tempo=1.1, rest=2.4, strategy="both knees"),
        KneelVariant(hand="thigh", tempo=1.35, rest=2.8, strategy="hand on the thigh"),
        KneelVariant(walks=1.3, role="staff", rest=2.6, tempo=0.9, strategy="walks up and kneels"),
        KneelVariant(side="right", rises=True, rest=1.8, role="person", strategy="down and up again"),
        KneelVariant(both=True, sits=0.8, rest=2.0, strategy="sits on the heels"),
        KneelVariant(hand="chair", side="right", tempo=1.35, rest=2.6, strategy="hand on a chair"),
        KneelVariant(hand="floor", step="back", both=True, tempo=1.2, rest=2.2, strategy="hand on the floor"),
        KneelVariant(falters=True, side="right", hand="thigh", tempo=1.1, rest=2.2, strategy="falters, second try"),
        KneelVariant(walks=0.9, both=True, side="right", lean=0.45, role="staff", tempo=0.9, strategy="leans over"),
    ),
    "crawl_alone": (
        CrawlVariant(strategy="straight"),
        CrawlVariant(bend=0.6, seconds=6.5, strategy="curve"),
        CrawlVariant(begins="belly", seconds=4.8, strategy="from the belly"),
        CrawlVariant(begins="kneeling", seconds=5.4, strategy="from kneeling"),
        CrawlVariant(pause=1.6, seconds=5.4, tempo=1.1, mirror=True, strategy="halt"),
        CrawlVariant(tempo=1.5, step=0.24, seconds=7.0, strategy="slow"),
        CrawlVariant(low=True, seconds=7.5, strategy="low"),
        CrawlVariant(speed=0.29, step=0.4, seconds=5.6, role="person", bend=-0.3, strategy="brisk"),
        CrawlVariant(chair=True, seconds=5.0, strategy="up to a chair"),
        CrawlVariant(low=True, tempo=1.3, mirror=True, seconds=9.0, strategy="low and slow"),
    ),
}  # fmt: skip
CAPTIONS: dict[str, tuple[str, ...]] = {
    "kneel_down_alone": (
        "a person kneels down",
        "somebody goes down on {knee}",
        "{who} kneels down on the floor",
        "{who} gets down on {knee} and stays there",
        "{who} {how} lowers to the floor and kneels",
        "kneeling down on {knee}",
        "{who} holds on to a {chair} and kneels down",
    ),
    "crawl_alone": (
        "a person crawls on the floor",
        "{who} crawls along the floor",
        "{who} crawls on hands and knees",
        "somebody gets along on all fours",
        "{who} {how} creeps across the floor",
        "{who} lies on the {belly}, gets up on hands and knees and crawls",
        "{who} cannot get up and crawls over the floor",
    ),
}
