"""Into bed and out of it, alone: sitting on the edge, the legs swing over the edge, the back goes down; and back.

Sitting down, rising and reclining on the hands are captured; only the swing of the legs between them is keyed.
Written for a bed whose head end is on the right of who sits on its edge and faces +x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from synth.corpus.care.script import FPS, PATIENT, Actor, Lie, Phase, Script, Seat, Touch
from synth.corpus.care.stage import stage_piece
from synth.corpus.care.strategies import Cast, Variant
from synth.corpus.care.strategies import _rising as rising
from synth.corpus.care.timing import spell
from synth.corpus.care.tracks import FeetPath, Track, crossfade, hold, reverse, stretch
from synth.interaction import ActionSegment
from synth.motion.evidence import seat_level
from synth.rotation import Array, axis_matrix
from synth.skeleton import JOINT, forward_kinematics, upright

BED = (-0.27, 0.08)  # where the bed's middle is, for a pelvis at the origin on its edge
_PILLOW = 0.22  # radians that neck and head bend up on it
# captured reclining: segment, seconds from sitting with the legs out to lying, and how much slower it is played
RECLINES = {
    "flat": ("lie_down", 3.6, 5.3, 1.15), "elbow": ("lie_down_mm", 0.85, 1.9, 1.9),
    "knees_up": ("lie_down_bk", 3.2, 5.6, 1.1), "curled": ("lie_down_dg", 1.75, 3.3, 1.2),
}  # fmt: skip


@dataclass(frozen=True)
class BedVariant(Variant):
    """recline: one of RECLINES; lag: seconds the second leg follows the first by; start: whether it begins (ends, on
    the way out) standing; rest: seconds on the edge; sit: seconds with the legs up before the back goes down; tries:
    times the legs are lifted."""

    grip: str = "mattress"
    seat: str = "bed"
    recline: str = "flat"
    lag: float = 0.5
    standing: bool = True
    rest: float = 0.6
    sit: float = 0.3
    tries: int = 1
    strategy: str = ""


@dataclass(frozen=True)
class _Bedding:
    """From the edge to lying: frames at which the legs start to swing, are up, the back starts down, is down."""

    track: Track
    swing: int
    up: int
    recline: int
    down: int
    hands: tuple[tuple[str, tuple[float, float, float]], ...]  # where the hands press while the legs are up


def _into_bed(cast: Cast, variant: BedVariant, rng: np.random.Generator, seated: Track, height: float) -> _Bedding:
    name, first, last, slower = RECLINES[variant.recline]
    recline = cast.piece(PATIENT, name, first, last)
    recline = stretch(recline, round(recline.frames * slower * variant.tempo))
    place = np.array([-0.2 + float(rng.uniform(-0.04, 0.02)), 0.03 + float(rng.uniform(-0.05, 0.05))])
    recline = recline.placed(0, np.pi / 2, place)
    pelvis = recline.pelvis + np.array([0.0, 0.0, seat_level(height)])
    pelvis[:, :2] = place + (pelvis[:, :2] - place) * np.array([0.3, 1.0])  # straight along the bed
    recline = _pillowed(_in_line(Track(pelvis, recline.rotmats)))
    rest, up = round(variant.rest * FPS), round(2.0 * variant.tempo * FPS) + round(variant.lag * FPS)
    up += round(1.6 * FPS) * (variant.tries - 1)
    sit = max(2, round(variant.sit * FPS))
    count = rest + up + sit
    swinging = _swing(seated, recline, variant, rest, up, count)
    down = hold(recline, -1, round(1.3 * FPS))
    parts = (swinging, recline, down)
    whole = Track(np.concatenate([p.pelvis for p in parts]), np.concatenate([p.rotmats for p in parts]))
    joints, _ = forward_kinematics(recline.rotmats[0], cast.rest[PATIENT], recline.pelvis[0] - cast.rest[PATIENT][0])
    hands = []
    for side in ("left", "right"):
        x, y, z = joints[JOINT[f"{side}_hand"]]
        if z < height + 0.14 and y < place[1] + 0.1:
            hands.append((f"{side}_hand", (float(np.clip(x, BED[0] - 0.4, BED[0] + 0.4)), float(y), height + 0.006)))
    return _Bedding(whole, rest, rest + up, count, count + recline.frames, tuple(hands))


def _in_line(track: Track) -> Track:
    """Turned so that the body comes to lie along the bed (the head towards -y) as it goes down."""
    end = track.rotmats[-1, 0][:, 1]  # the trunk's up
    off = float(np.arctan2(end[1], end[0]) + np.pi / 2)
    share = np.linspace(0, 1, track.frames)
    share = share**2 * (3 - 2 * share)
    rotmats = track.rotmats.copy()
    rotmats[:, 0] = axis_matrix("z", -off * share) @ rotmats[:, 0]
    return Track(track.pelvis, rotmats)


def _pillowed(track: Track) -> Track:
    """The head bends up as it comes down on the pillow."""
    share = np.clip(np.linspace(-0.4, 1.2, track.frames), 0, 1)
    rotmats = track.rotmats.copy()
    for name in ("neck", "head"):
        rotmats[:, JOINT[name]] = rotmats[:, JOINT[name]] @ axis_matrix("x", _PILLOW * share)
    return Track(track.pelvis, rotmats)


def _swing(seated: Track, recline: Track, variant: BedVariant, rest: int, up: int, count: int) -> Track:
    """From the edge to sitting with the legs up, [count] frames: lean back on the hands, one leg, then the other.

    Legs are given in the world: thigh `a` from hanging (pi / 2 is level), knee `k`, and which way they point.
    """
    frames = np.arange(count)

    def curve(keys: list[tuple[float, float]], after: float = 0.0) -> Array:
        at = [rest + share * (up - variant.lag * FPS) + after * FPS for share, _ in keys]
        return PchipInterpolator(at, [value for _, value in keys])(np.clip(frames, at[0], at[-1]))

    effort = []
    for attempt in range(1, variant.tries):  # lifted a little, let down again
        middle = (attempt - 0.5) / variant.tries * 0.6
        effort.append((middle, 0.45))
        effort.append((middle + 0.3 / variant.tries, 0.05))
    begin = effort[-1][0] if effort else 0.0

    def rise(low: float, high: float, final: float) -> list[tuple[float, float]]:
        tried = [(share, low + part * (high - low)) for share, part in effort]
        return [(0.0, low), *tried, *[(begin + part * (1 - begin), value)
                for part, value in ((0.35, low + 0.5 * (high - low)), (0.6, high), (1.0, final))]]  # fmt: skip

    yaw = curve(
        [(0.0, 0.0), (begin + 0.15 * (1 - begin), 0.1), (begin + 0.9 * (1 - begin), np.pi / 2), (1.0, np.pi / 2)]
    )
    back = curve(rise(0.05, 0.45, 0.2))
    rotmats = np.tile(np.eye(3), (count, 24, 1, 1))
    rotmats[:, 0] = upright(yaw) @ axis_matrix("x", -back)
    for name in ("spine1", "spine2", "spine3"):
        rotmats[:, JOINT[name]] = axis_matrix("x", 0.35 * back)
    for name in ("neck", "head"):
        rotmats[:, JOINT[name]] = axis_matrix("x", 0.15 * back)
    for side, sign, late in (("left", 1.0, 0.0), ("right", -1.0, variant.lag)):
        thigh = curve(rise(1.45, 2.1, 1.75), late)
        knee = curve(rise(1.45, 0.6, 0.5), late)
        way = curve([(0.0, 0.0), (begin + 0.35 * (1 - begin), 0.25),
                     (begin + 0.9 * (1 - begin), np.pi / 2 - 0.05 * sign), (1.0, np.pi / 2)], late)  # fmt: skip
        rotmats[:, JOINT[f"{side}_hip"]] = (
            axis_matrix("x", back) @ axis_matrix("y", np.clip(way - yaw, -0.7, 0.7)) @ axis_matrix("x", -thigh)
        )
        rotmats[:, JOINT[f"{side}_knee"]] = axis_matrix("x", knee)
        rotmats[:, JOINT[f"{side}_shoulder"]] = axis_matrix("x", 0.75 * np.clip(back / 0.5, 0, 1)) @ axis_matrix(
            "z", np.full(count, -1.1 * sign)
        )
        rotmats[:, JOINT[f"{side}_elbow"]] = axis_matrix("y", np.full(count, -0.25 * sign))
    share = np.clip((frames - rest) / (count - 1 - rest), 0, 1)
    share = share**3 * (10 - 15 * share + 6 * share**2)
    start, end = seated.pelvis[-1], recline.pelvis[0]
    pelvis = start + share[:, None] * (end - start)
    pelvis[:, 2] += 0.01 * np.sin(np.pi * share)
    keyed = Track(pelvis, rotmats)
    keyed = crossfade(Track(pelvis, hold(seated, -1, count).rotmats), keyed, rest, rest + round(0.5 * FPS))
    ready = Track(pelvis, hold(recline, 0, count).rotmats)
    return crossfade(keyed, ready, rest + round(0.6 * up), count - 1)


def _bed_script(cast: Cast, variant: BedVariant, rng: np.random.Generator, out: bool) -> Script:
    height = float(np.round(rng.uniform(0.47, 0.53), 3))
    bed = stage_piece("bed", BED, 0.0, height)
    tempo = variant.tempo * float(rng.uniform(0.95, 1.05))
    stand, change = 0.5, 2.4 * tempo
    moment = stand + change
    times = np.arange(round((moment + 0.2) * FPS)) / FPS
    # captured rising; run backwards it is sitting down
    risen = rising(cast, times, times[-1] - moment + (0.0 if out else 0.1), times[-1] - stand)
    up = risen.track
    seated = Track(up.pelvis[:1], up.rotmats[:1])
    lying = _into_bed(cast, variant, rng, seated, height)
    edge = Track(up.pelvis, up.rotmats) if out else reverse(up)
    parts = [reverse(lying.track), edge] if out else [edge, lying.track]
    if not variant.standing:
        parts = parts[:1] if out else parts[1:]
    track = Track(np.concatenate([p.pelvis for p in parts]), np.concatenate([p.rotmats for p in parts]))
    track = cast.alive(PATIENT, track)
    seconds = track.frames / FPS
    shift = 0 if out or not variant.standing else edge.frames

    def when(frame: int) -> float:
        return (lying.track.frames - frame) / FPS if out else (shift + frame) / FPS

    rest = cast.rest[PATIENT]
    swing, legs, recline, down = (when(frame) for frame in (lying.swing, lying.up, lying.recline, lying.down))
    first, last = sorted(round(moment * FPS) for moment in (legs, down))
    begins, ends = (frame / FPS for frame in spell(track, rest, first, last, "head"))
    actions = []
    if out:
        press = (recline - 0.2, swing)
        actions = [ActionSegment(PATIENT, 0.0, begins, "lying"), ActionSegment(PATIENT, begins, ends, "other")]
        lean = lying.track.frames / FPS + (times[-1] - moment)
        rise, top = seconds, seconds
        if variant.standing:
            rise, top = (f / FPS for f in spell(track, rest, round(lean * FPS), track.frames))
            actions += [ActionSegment(PATIENT, rise, top, "stand_up"), ActionSegment(PATIENT, top, seconds, "standing")]
        actions.insert(2, ActionSegment(PATIENT, ends, rise, "sitting"))
        seats = (Seat(PATIENT, "bed", 0.0, lean + 0.3 * change if variant.standing else seconds),)
        lies = (Lie(PATIENT, "upper_back", "bed", 0.0, down),)
        phases = (Phase("sit up", down, recline), Phase("swing", legs, swing), Phase("lift", lean, seconds))
        core = (max(0.0, begins - 0.4), min(seconds, top + 0.2))
    else:
        press = (legs - 0.4 * (legs - swing), recline + 0.2)
        sat = 0.0
        if variant.standing:
            begun, sat = (f / FPS for f in spell(track, rest, 0, edge.frames))
            actions = [ActionSegment(PATIENT, 0.0, begun, "standing"), ActionSegment(PATIENT, begun, sat, "sit_down")]
        actions += [ActionSegment(PATIENT, sat, begins, "sitting"), ActionSegment(PATIENT, begins, ends, "lie_down"),
                    ActionSegment(PATIENT, ends, seconds, "lying")]  # fmt: skip
        seats = (Seat(PATIENT, "bed", stand + 0.7 * change if variant.standing else 0.0, seconds),)
        lies = (Lie(PATIENT, "upper_back", "bed", down, seconds),)
        lower = (Phase("lower", stand, stand + change),) if variant.standing else ()
        phases = (*lower, Phase("swing", swing, legs), Phase("recline", recline, down))
        core = (max(0.0, swing - 0.5), min(seconds, ends + 0.6))
    feet = _feet_of(risen, lying, out, variant.standing)
    touches = tuple(Touch(PATIENT, spot, "bed", at, *press) for spot, at in lying.hands)
    return Script(
        name="get_out_of_bed_alone" if out else "lie_down_alone",
        seconds=seconds,
        phases=phases,
        actors=(Actor(cast.betas[PATIENT], track, feet, swings=False),),
        holds=(),
        furniture=(bed,),
        seats=seats,
        lies=lies,
        touches=touches,
        facts={"grip": "mattress", "strategy": variant.strategy or variant.recline,
               "how": "slowly" if variant.tempo > 1.15 else ""},
        roles=("patient",),
        actions=tuple(actions),
        core=(round(core[0], 3), round(core[1], 3)),
        datasets=("hdm05", "cmu", "reactidle"),
    )  # fmt: skip


def _feet_of(risen: Actor, lying: _Bedding, out: bool, standing: bool) -> FeetPath:
    """Both feet stand where they stand for rising, until they swing up (or from when they are down)."""
    assert risen.feet is not None
    sitting = np.arange(lying.track.frames) < lying.swing
    edge = np.ones(len(risen.feet.yaw) if standing else 0, bool)
    down = np.concatenate([sitting[::-1], edge] if out else [edge, sitting])
    count = len(down)
    place, yaw = risen.feet.xy[:1], risen.feet.yaw[:1]
    planted = np.repeat(down[:, None], 2, 1)
    return FeetPath(np.repeat(place, count, 0), np.zeros((count, 2)), np.repeat(yaw, count, 0), planted)


def lie_down(cast: Cast, variant: BedVariant, rng: np.random.Generator) -> Script:
    """Sit down on the bed's edge, swing the legs up, lean back on the hands and lie down."""
    return _bed_script(cast, variant, rng, out=False)


def get_out(cast: Cast, variant: BedVariant, rng: np.random.Generator) -> Script:
    """Sit up in bed, swing the legs over the edge, wait there, and stand up."""
    return _bed_script(cast, variant, rng, out=True)


BUILDERS = {"lie_down_alone": lie_down, "get_out_of_bed_alone": get_out}
VARIANTS: dict[str, tuple[BedVariant, ...]] = {
    "lie_down_alone": (
        BedVariant(mirror=True),
        BedVariant(recline="elbow", mirror=True, strategy="elbow"),
        BedVariant(recline="knees_up", tempo=1.1),
        BedVariant(standing=False, tempo=1.25, rest=1.5, strategy="from the edge"),
        BedVariant(recline="elbow", sit=1.4, strategy="rests sitting in bed"),
        BedVariant(recline="curled", mirror=True, lag=0.2),
        BedVariant(lag=0.1, tempo=0.9, mirror=True, strategy="both legs at once"),
        BedVariant(recline="knees_up", standing=False, tries=2, tempo=1.1, rest=0.8, strategy="legs fail at first"),
    ),
    "get_out_of_bed_alone": (
        BedVariant(mirror=True),
        BedVariant(recline="elbow", mirror=True, rest=0.9, strategy="elbow"),
        BedVariant(recline="knees_up", tempo=1.1, rest=0.5),
        BedVariant(tempo=1.2, rest=1.2, strategy="slow, rests on the edge"),
        BedVariant(recline="elbow", sit=1.3, strategy="rests sitting in bed"),
        BedVariant(recline="knees_up", mirror=True, lag=0.7, rest=1.0, strategy="leg by leg"),
        BedVariant(lag=0.1, tempo=0.95, recline="elbow", mirror=True, strategy="both legs at once"),
        BedVariant(recline="elbow", standing=False, rest=1.8, tempo=1.2, strategy="only to the edge"),
    ),
}
CAPTIONS: dict[str, tuple[str, ...]] = {
    "lie_down_alone": (
        "a patient lies down on the bed",
        "{patient} sits down on the edge of the bed and lies down",
        "{patient} gets into bed",
        "{patient} goes to bed alone",
        "{patient} swings the legs onto the bed and lies back",
        "{patient} {how} lies down in bed",
    ),
    "get_out_of_bed_alone": (
        "a patient gets out of bed",
        "{patient} gets out of bed alone",
        "{patient} sits up in bed, swings the legs over the edge and stands up",
        "{patient} wakes up and leaves the bed",
        "{patient} gets up from the bed without help",
        "{patient} {how} gets out of bed",
    ),
}
