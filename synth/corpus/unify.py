"""Unification (thesis 4.3): what a data set recorded, as motion of our body on the floor z = 0, or the reason why not.

    motion = unify(Performance(...), body)          # raises Rejected
    report = survey(source)                         # what a whole source gives: kept, rejected and why, figures

SMPL's pose is relative to the T-pose, and so is that of every body in its format: rotations carry over as they are.
What does not carry over are lengths: the path is scaled by the ratio of the legs, so that steps fit the legs that make
them, the feet are put on the floor again and held where they stand by the trajectory optimiser.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from synth.body import BodyModel
from synth.corpus import retarget
from synth.corpus.capture import interpolate
from synth.corpus.features.convert import assemble, joints_of
from synth.corpus.floor import floor_height, skin_of
from synth.corpus.source import Rejected, Source
from synth.corpus.together import Together, refine_together
from synth.errors import BadFile, CareSynthError
from synth.interaction import Interaction, Meta
from synth.motion import metrics
from synth.rotation import Array
from synth.skeleton import JOINT, SMPL_PARENTS, facing_yaw, forward_kinematics

FPS = 20.0
MAX_SECONDS = 30.0  # the optimiser's time and memory grow with the square
MIN_SECONDS = 0.5
LONGEST = 12.0  # seconds of a piece that a reader takes out of a longer recording
# What no human does or no good capture shows. Metres, seconds.
LIMITS = {
    "fastest": 15.0,  # a joint's speed, m/s: a boxer's fist is at 10
    "jump": 150.0,  # the pelvis's acceleration, m/s2: a hard landing is at 60
    "bone_drift": 0.03,  # change of a bone's length in the source
    "skate": 0.35,  # mean speed of the slowest foot point on the floor, m/s, and `RUNNING` times the pelvis's
    "below": 0.08,  # skin below the floor
    "floating": 0.5,  # share of the time with nobody within 15 cm of the floor (one of two may lie in bed)
}
RUNNING = 0.5  # a runner's foot hardly rests between two frames; on a treadmill or on ice it moves as fast as they
UNREFINED = 2.0  # times as deep below the floor may be what the optimiser lifts later
SPEEDY = ("fastest", "jump", "skate")
_LEGS = (("hip", "knee"), ("knee", "ankle"))


@dataclass(frozen=True)
class Performance:
    """What a data set holds of P people over T frames: z up, metres, a floor that is level but of unknown height.

    Attributes:
        fps: frames a second.
        rotations: SMPL's local rotations, root first [P, T, 24, 3, 3].
        path: pelvis, or the middle between the hips, of each person [P, T, 3].
        path_of: "pelvis" or "hips": which of them.
        leg: length from hip to ankle of each person [P], or None where the skeleton is not known.
        own_floor: each person was put on the floor alone, so that heights between people mean nothing.
        joints: the recorded joints [P, T, 22 or more, 3], where there are any: how people stand to each other.
        bone_drift: the largest change of a bone's length over time, where joints were recorded.
        meta: text, roles, labels, provenance; times in seconds.
    """

    fps: float
    rotations: Array
    path: Array
    path_of: str = "pelvis"
    leg: Array | None = None
    own_floor: bool = False
    joints: Array | None = None
    bone_drift: float = 0.0
    meta: Meta = field(default_factory=Meta)


def leg_length(joints: Array) -> Array:
    """Hip to knee to ankle, mean of both legs and of time: joints [..., T, 22 or more, 3] -> [...] metres."""
    bones = [joints[..., JOINT[f"{s}_{a}"], :] - joints[..., JOINT[f"{s}_{b}"], :]
             for s in ("left", "right") for a, b in _LEGS]  # fmt: skip
    return np.sum([np.linalg.norm(bone, axis=-1).mean(-1) for bone in bones], 0) / 2


def middle_of_hips(joints: Array) -> Array:
    """[..., 22 or more, 3] -> [..., 3]."""
    return (joints[..., JOINT["left_hip"], :] + joints[..., JOINT["right_hip"], :]) / 2


def bone_drift(joints: Array) -> float:
    """Largest change of a bone's length between the 1st and 99th percentile of time: [P, T, 22 or 24, 3] -> metres."""
    count = joints.shape[-2]
    lengths = np.linalg.norm(joints[..., 1:, :] - joints[..., list(SMPL_PARENTS[1:count]), :], axis=-1)
    return float(np.ptp(np.percentile(lengths, [1, 99], axis=-2), axis=0).max())


def piece(given: Performance, longest: float, seed: np.random.SeedSequence) -> Performance:
    """The performance, or where it lasts longer than ``longest`` seconds a stretch of that length drawn by the seed.

    Where the stretch begins is noted as ``meta.source["start"]``. Captions stay: they are about the whole.
    """
    frames = given.path.shape[1]
    kept = max(1, round(longest * given.fps))
    if frames <= kept:
        return given
    start = int(np.random.default_rng(seed).integers(frames - kept + 1))
    cut = slice(start, start + kept)
    meta = replace(given.meta, source={**given.meta.source, "start": round(start / given.fps, 3)})
    joints = None if given.joints is None else given.joints[:, cut]
    return replace(given, rotations=given.rotations[:, cut], path=given.path[:, cut], joints=joints, meta=meta)


def unify(given: Performance, body: BodyModel, fps: float = FPS, refined: bool = True) -> Interaction:
    """The performance as motion of our mean body at ``fps``, its first person starting over the origin, facing +x.

    Args:
        refined: hold standing feet and free the floor with the optimiser (about a second a person and 3 s of motion).

    Raises:
        Rejected: says what is wrong with it.
    """
    _plausible(given)
    people = len(given.path)
    rest = np.repeat(np.asarray(body.rest_joints(np.zeros((1, 10))), float), people, 0)
    meta = replace(
        given.meta,
        body_model=body.name,
        roles=given.meta.roles or ("person",) * people,
        genders=given.meta.genders or ("neutral",) * people,
    )
    raw = assemble(given.fps, given.rotations, given.path, rest, np.zeros((people, 10)), body.name, meta).resample(fps)
    turns, path = raw.rotations(), raw.transl.astype(float) + rest[:, None, 0]
    ours = float(leg_length(rest[0][None]))
    scale = ours / float(np.mean(given.leg)) if given.leg is not None else _stride_scale(turns, path, rest[0], fps)
    if not 0.5 < scale < 2.0:
        raise Rejected(f"legs of {ours / scale:.2f} m; expected metres of a grown person (0.5 to 1.5)")
    transl = scale * path - rest[:, None, 0]
    if given.path_of == "hips":
        posed, _ = forward_kinematics(turns, rest[:, None], transl)
        transl = transl + scale * path - middle_of_hips(posed)
    skins = [skin_of(body, np.zeros(10), turns[p], transl[p]) for p in range(people)]
    groups = [[p] for p in range(people)] if given.own_floor else [list(range(people))]
    for group in groups:
        transl[group, :, 2] -= floor_height([skins[p] for p in group], fps)
    turns, transl = _at_origin(turns, transl, rest)
    extra = {"bone_drift": given.bone_drift, "scale": scale}

    def made(deeper: float = 1.0) -> Interaction:
        pelvis = transl + rest[:, None, 0]
        moved = assemble(fps, turns, pelvis, rest, np.zeros((people, 10)), body.name, raw.meta)
        return examine(moved, body, given.fps, extra, deeper)

    motion = made(UNREFINED if refined else 1.0)
    if not refined:
        return motion
    wanted = Together.of(_to_each_other(given, motion, turns, body, scale)) if people > 1 else None
    if wanted is None:
        for p in range(people):
            turns[p], transl[p] = retarget.refine(body, np.zeros(10), turns[p], transl[p], fps)
        return made()
    turns[:], transl[:] = refine_together(body, np.zeros((people, 10)), turns, transl, fps, wanted)
    posed, _ = forward_kinematics(turns, rest[:, None], transl)
    extra["apart"] = wanted.error(posed)
    return made()


def _to_each_other(given: Performance, motion: Interaction, turns: Array, body: BodyModel, scale: float) -> Array:
    """Joints [P, T, 22 or 24, 3] as they were recorded, at the motion's rate, scale and heading."""
    if given.joints is None:
        return joints_of(motion, body)
    times = np.arange(given.joints.shape[1]) / given.fps
    sampled = np.stack([interpolate(times, person, motion.times) for person in given.joints])
    before = given.rotations[0, 0, 0]
    return scale * sampled @ (turns[0, 0, 0] @ before.T).T


def examine(
    motion: Interaction,
    body: BodyModel,
    source_fps: float,
    extra: dict[str, float] | None = None,
    deeper: float = 1.0,
) -> Interaction:
    """The motion with its figures (and ``extra`` ones) as ``meta.quality``. Raises Rejected for one beyond `LIMITS`.

    Args:
        source_fps: of the recording, for the message.
        deeper: factor on how far the skin may be below the floor.
    """
    figures = _figures(motion, body) | (extra or {})
    limits = LIMITS | {"skate": LIMITS["skate"] + RUNNING * figures["speed"], "below": LIMITS["below"] * deeper}
    for name, limit in limits.items():
        if figures.get(name, 0.0) > limit:
            hint = f": is the frame rate {source_fps:g} right?" if name in SPEEDY else ""
            raise Rejected(f"{name} {figures[name]:.3g} > {limit:.3g}{hint}")
    quality = {name: round(value, 4) for name, value in sorted(figures.items())}
    return replace(motion, meta=replace(motion.meta, quality=quality)).validate()


def _plausible(given: Performance) -> None:
    people, frames = given.path.shape[:2]
    if given.rotations.shape != (people, frames, 24, 3, 3):
        raise Rejected(f"rotations of shape {given.rotations.shape} for a path of shape {given.path.shape}")
    if not 4.0 <= given.fps <= 1000:
        raise Rejected(f"{given.fps:g} frames a second; expected 4 to 1000")
    seconds = (frames - 1) / given.fps
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise Rejected(f"{seconds:.2f} s long ({frames} frames at {given.fps:g} fps); expected {MIN_SECONDS:g} to "
                       f"{MAX_SECONDS:g} s")  # fmt: skip
    for name, array in (("rotations", given.rotations), ("positions", given.path)):
        if not np.isfinite(array).all():
            raise Rejected(f"NaN or infinity in the {name}")
    if given.leg is not None and not (np.isfinite(given.leg).all() and (np.asarray(given.leg) > 0.05).all()):
        raise Rejected(f"legs of {np.min(given.leg):.3g} m: the joints are not those of a person")
    if given.bone_drift > LIMITS["bone_drift"]:
        raise Rejected(f"bone_drift {given.bone_drift:.3g} > {LIMITS['bone_drift']:g}: bones change their length")


def _stride_scale(turns: Array, path: Array, rest: Array, fps: float) -> float:
    """The scale of the path [P, T, 3] at which the lower foot stays where it is, 1 where nobody walks.

    With the pelvis held still the standing foot moves back as fast as the body moves on: s v_pelvis + v_foot = 0.
    """
    mine, theirs = [], []
    feet = [JOINT[name] for name in ("left_foot", "right_foot")]
    for person in range(len(path)):
        joints, _ = forward_kinematics(turns[person], rest, np.zeros(3))
        low = joints[:, feet, 2].argmin(1)
        foot = joints[np.arange(len(joints)), np.array(feet)[low]]
        same = low[1:] == low[:-1]
        walk = np.diff(path[person, :, :2], axis=0) * fps
        moved = np.stack([np.diff(joints[:, f, :2], axis=0) for f in feet], 1)[np.arange(len(same)), low[:-1]] * fps
        going = same & (np.linalg.norm(walk, axis=1) > 0.3) & (np.abs(foot[1:, 2] - joints[1:, feet, 2].min()) < 0.1)
        mine.append(-moved[going])
        theirs.append(walk[going])
    v_foot, v_path = np.concatenate(mine), np.concatenate(theirs)
    if len(v_path) < fps:
        return 1.0
    keep = np.ones(len(v_path), bool)
    scale = 1.0
    for _ in range(5):  # least squares, then again without the worst third: feet that roll off or drag
        scale = float((v_foot[keep] * v_path[keep]).sum() / (v_path[keep] ** 2).sum())
        error = np.linalg.norm(v_foot - scale * v_path, axis=1)
        keep = error <= np.percentile(error, 67)
    return float(np.clip(scale, 0.75, 1.35))


def _at_origin(turns: Array, transl: Array, rest: Array) -> tuple[Array, Array]:
    """Everybody moved so that the first person starts over the origin and faces +x."""
    yaw = -float(facing_yaw(turns[0, 0, 0]))
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0.0], [np.sin(yaw), np.cos(yaw), 0.0], [0.0, 0.0, 1.0]])
    pelvis = transl + rest[:, None, 0]
    start = pelvis[0, 0] * np.array([1.0, 1.0, 0.0])
    moved = turns.copy()
    moved[:, :, 0] = turn @ turns[:, :, 0]
    return moved, (pelvis - start) @ turn.T - rest[:, None, 0]


def _figures(motion: Interaction, body: BodyModel) -> dict[str, float]:
    turns, fps = motion.rotations(), motion.fps
    rest = np.asarray(body.rest_joints(motion.betas), float)
    joints, _ = forward_kinematics(turns, rest[:, None], motion.transl)
    step = np.linalg.norm(np.diff(joints, axis=1), axis=-1) * fps
    kick = np.linalg.norm(np.diff(joints[:, :, 0], n=2, axis=1), axis=-1) * fps**2
    skins = [skin_of(body, motion.betas[p], turns[p], motion.transl[p]) for p in range(len(turns))]
    lowest = np.stack([skin.lowest for skin in skins])
    return {
        "fastest": float(step.max(initial=0.0)),
        "jump": float(kick.max(initial=0.0)),
        "speed": max(metrics.speed(person, fps) for person in joints),
        "skate": max(metrics.foot_slide(person, fps) for person in joints),
        "below": float(max(0.0, -np.percentile(lowest, 2, axis=1).min())),
        "floating": float((lowest > 0.15).mean(1).min()),
        "jerk": max(metrics.jitter(person, fps) for person in joints),
    }


@dataclass(frozen=True)
class SourceReport:
    """What a source gives.

    Attributes:
        name: of the source.
        items: how many were tried; kept: how many came through; seconds: of those, times people.
        rejected: key and reason of each other item, in order.
        reasons: how often each kind of reason was given, the most frequent first.
        figures: for each figure of quality its median, 95th percentile and maximum over the kept items.
    """

    name: str
    items: int
    kept: int
    seconds: float
    rejected: tuple[tuple[str, str], ...]
    reasons: dict[str, int]
    figures: dict[str, tuple[float, float, float]]

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "items": self.items,
            "kept": self.kept,
            "person_seconds": round(self.seconds, 1),
            "reasons": self.reasons,
            "rejected": [list(pair) for pair in self.rejected],
            "figures": {name: [round(v, 4) for v in three] for name, three in self.figures.items()},
        }


def survey(source: Source, seed: int = 0, keys: Sequence[str] | None = None) -> SourceReport:
    """Make every item (or those of ``keys``) once, keep none in memory, and report. Nothing is left out silently."""
    chosen = list(source.keys() if keys is None else keys)
    seconds, rejected = 0.0, []
    kinds: Counter[str] = Counter()
    figures: dict[str, list[float]] = {}
    for key, child in zip(chosen, np.random.SeedSequence(seed).spawn(len(chosen)), strict=True):
        try:
            motion = source.make(key, child)
        except CareSynthError as error:
            rejected.append((key, str(error)))
            kinds[_kind(error)] += 1
            continue
        seconds += motion.seconds * motion.people
        for name, value in motion.meta.quality.items():
            if isinstance(value, (int, float)):
                figures.setdefault(name, []).append(float(value))
    return SourceReport(
        name=source.name,
        items=len(chosen),
        kept=len(chosen) - len(rejected),
        seconds=seconds,
        rejected=tuple(rejected),
        reasons=dict(kinds.most_common()),
        figures={
            name: (float(np.median(values)), float(np.percentile(values, 95)), float(np.max(values)))
            for name, values in sorted(figures.items())
        },
    )


def _kind(error: CareSynthError) -> str:
    """A reason without its numbers."""
    if isinstance(error, BadFile):
        return f"damaged file: {re.sub(r'[0-9]+', 'n', error.field)}"
    if isinstance(error, Rejected):
        return re.split(r"[0-9:>(]", str(error), maxsplit=1)[0].strip()[:60]
    return type(error).__name__


__all__ = [
    "FPS", "LIMITS", "Performance", "SourceReport", "bone_drift", "examine", "leg_length", "middle_of_hips",
    "piece", "survey", "unify",
]  # fmt: skip
