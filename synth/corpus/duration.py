"""A motion made to last: the asked seconds, without anything a person would not do.

Time is scaled by a quarter at most (beyond that people look sped up or under water), and who falls is not slowed down:
gravity does not wait. What is too long is cut around
the action; what is too short goes on as people do who have finished: they come to rest and then breathe and sway.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synth.interaction import Contact, Interaction, Meta, Prop
from synth.rotation import Array, axis_angle_to_matrix, matrix_to_axis_angle
from synth.skeleton import JOINT, facing_yaw, forward_kinematics, upright
from synth.taxonomy import FALLS

FASTEST, SLOWEST = 1 / 1.25, 1.25  # factors of time
LEAD = 0.6  # seconds before and after the action that show what it changes
STEP = 0.9  # seconds of the last step from walking to standing
SETTLE = 0.6  # seconds in which what still moves at the end comes to rest
_CLOSE = 0.1  # seconds from an end at which a contact counts as held there
_ON_FOOT = 0.65  # metres: a pelvis below it does not walk
_HAND_DOWN = 0.12  # metres above the floor
_SOLE = 0.12  # metres: the toe joint of a foot that stands, on tiptoe too
_CARRIED = [JOINT[n] for n in ("pelvis", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
                               "right_ankle", "left_foot", "right_foot")]  # fmt: skip
# Sway of standing and sitting people: breathing at 0.25 Hz, slower shifting; radians at the spine's joints.
_SWAY = ((3, 0.010), (6, 0.012), (9, 0.014), (12, 0.020), (15, 0.030), (13, 0.006), (14, 0.006))
_RATES = (0.11, 0.25, 0.41)  # Hz


@dataclass(frozen=True)
class Idle:
    """Real standing: parent-relative rotations [T, 24, 3, 3] of one upright person at ``fps``."""

    rotations: Array
    fps: float


def fit_duration(
    motion: Interaction, seconds: float, rng: np.random.Generator, rest: Array | None = None, idle: Idle | None = None
) -> Interaction:
    """The motion with ``seconds`` of length at its own frame rate, ``meta.core`` kept inside wherever it fits.

    Args:
        motion: any length; ``meta.core`` says where the action is (None: everywhere).
        seconds: wanted.
        rng: draws how much of the time goes before and after the action.
        rest: rest joints of everybody [P, 24, 3], needed with ``idle``.
        idle: what those who walk at the end do afterwards; without it they stop in their stride.
    """
    wanted = round(seconds * motion.fps)
    factor = float(np.clip(wanted / motion.frames, FASTEST, SLOWEST))
    if wanted < motion.frames:  # rather cut idle ends than hurry: only as fast as the action needs to fit
        first, last = _kept(motion)
        factor = float(np.clip(seconds / max(last - first, 1e-6), FASTEST, 1.0))
    elif factor > 1.0:  # the rest of the time is spent at rest
        factor = 1.0 if motion.meta.interaction_class in FALLS else float(rng.uniform(1.0, factor))
    if abs(factor - 1.0) > 1e-3:
        motion = motion.scale_time(factor)
    if motion.frames > wanted:
        motion = _cut(motion, wanted, rng)
    if motion.frames < wanted:
        motion = _extended(motion, wanted, rng, rest, idle)
    return motion


def at_rate(motion: Interaction, seconds: float, fps: float) -> Interaction:
    """A motion of so many seconds at another frame rate, exactly as long: at a higher one its last frame is held for
    what is less than one of its own frames."""
    return motion.resample(fps, round(seconds * fps))


def _kept(motion: Interaction) -> tuple[float, float]:
    """The core and what it begins and ends with, seconds: how somebody was before is part of what they do."""
    first, last = motion.meta.core or (0.0, motion.seconds)
    return max(0.0, first - LEAD), min(motion.seconds, last + LEAD)


def _cut(motion: Interaction, frames: int, rng: np.random.Generator) -> Interaction:
    """A window of ``frames`` that holds the core, with its lead where there is time, or the middle of a longer one."""
    first, last = _kept(motion)
    if (last - first) * motion.fps > frames:
        first, last = motion.meta.core or (0.0, motion.seconds)
    low, high = round(first * motion.fps), min(round(last * motion.fps), motion.frames)
    if high - low >= frames:
        start = low + (high - low - frames) // 2
    else:
        earliest, latest = max(0, high - frames), min(low, motion.frames - frames)
        start = int(rng.integers(earliest, latest + 1)) if latest > earliest else max(0, latest)
    start = int(np.clip(start, 0, motion.frames - frames))
    return motion.window(start / motion.fps, (start + frames) / motion.fps)


def _extended(
    motion: Interaction, frames: int, rng: np.random.Generator, rest: Array | None, idle: Idle | None
) -> Interaction:
    """Rest before the first and after the last frame; the moving ends come to rest without a jolt."""
    missing = frames - motion.frames
    before = round(missing * float(rng.uniform(0.1, 0.4))) if _speed(motion, first=True) < 0.25 else 0
    after = missing - before
    people, fps = motion.people, motion.fps
    rotations = motion.rotations()
    pieces_r, pieces_t = [rotations], [motion.transl.astype(float)]
    if before:
        free = _free_joints(motion, rest, 0)
        r, t = _rest(rotations[:, ::-1], motion.transl[:, ::-1].astype(float), before, fps, rng, free)
        _pin(r, t, motion, rest, 0, free)
        pieces_r.insert(0, r[:, ::-1])
        pieces_t.insert(0, t[:, ::-1])
    if after:
        free = _free_joints(motion, rest, -1)
        r, t = _rest(rotations, motion.transl.astype(float), after, fps, rng, free)
        _pin(r, t, motion, rest, -1, free)
        if rest is not None and idle is not None:
            _stand(r, t, motion, np.asarray(rest, float), idle, rng, free[:, 0])
        pieces_r.append(r)
        pieces_t.append(t)
    pose = matrix_to_axis_angle(np.concatenate(pieces_r, 1)).reshape(people, frames, 72).astype(np.float32)
    present = np.concatenate([np.repeat(motion.present[:, :1], before, 1), motion.present,
                              np.repeat(motion.present[:, -1:], after, 1)], 1)  # fmt: skip
    return replace(
        motion,
        transl=np.concatenate(pieces_t, 1).astype(np.float32),
        global_orient=pose[..., :3],
        body_pose=pose[..., 3:],
        present=present,
        props=tuple(_waiting(prop, before, after) for prop in motion.props),
        meta=_later(motion.meta, before / fps, motion.seconds, frames / fps),
    )


def _waiting(prop: Prop, before: int, after: int) -> Prop:
    """The prop, left where it is while people rest before and after."""

    def padded(values: Array) -> Array:
        return np.pad(values, ((before, after), (0, 0)), mode="edge")

    return replace(prop, transl=padded(prop.transl), orient=padded(prop.orient))


def _free_joints(motion: Interaction, rest: Array | None, end: int) -> np.ndarray:
    """Which joints may go on moving after the frame `end` (0 or -1) [P, 24].

    Who sits or lies keeps root and legs where they are carried, and an arm whose hand is down on the floor.
    """
    free = np.ones((motion.people, 24), bool)
    at = 0.0 if end == 0 else motion.seconds
    for contact in motion.meta.contacts:
        if contact.part in ("pelvis", "lower_back") and contact.start - _CLOSE <= at <= contact.end + _CLOSE:
            free[contact.person, _CARRIED] = False
    if rest is not None:
        joints, _ = forward_kinematics(motion.rotations()[:, end], rest, motion.transl[:, end])
        for side in ("left", "right"):
            down = joints[:, JOINT[f"{side}_hand"], 2] < _HAND_DOWN
            arm = [JOINT[f"{side}_{name}"] for name in ("collar", "shoulder", "elbow", "wrist", "hand")]
            free[np.ix_(down, np.array(arm))] = False
    return free


def _pin(rotations: Array, transl: Array, motion: Interaction, rest: Array | None, end: int, free: np.ndarray) -> None:
    """Let those who stand do so on the foot that carried them at the frame `end`: it stays where it was. In place."""
    if rest is None:
        return
    soles, ankles = ([JOINT[f"{side}_{name}"] for side in ("left", "right")] for name in ("foot", "ankle"))
    for person in np.flatnonzero(free[:, 0]):
        last, _ = forward_kinematics(motion.rotations()[person, end], rest[person], motion.transl[person, end])
        carrier = soles[int(last[soles, 2].argmin())]
        if last[carrier, 2] > _SOLE:  # in the air, or on a bed
            continue
        joints, _ = forward_kinematics(rotations[person], rest[person], transl[person])
        shift = last[carrier] - joints[:, carrier]
        for level in (soles, ankles):  # neither may the other foot go lower than the floor was
            sunk = last[level, 2].min() - (joints[:, level, 2].min(1) + shift[:, 2])
            shift[:, 2] += np.maximum(sunk, 0.0)
        transl[person] += shift


def _rest(
    rotations: Array, transl: Array, frames: int, fps: float, rng: np.random.Generator, free: np.ndarray
) -> tuple[Array, Array]:
    """``frames`` that follow the last one: the movement dies away over SETTLE seconds, then the body sways.

    The root moves on by its last velocity times an integral that levels off, so position and velocity have no jump;
    the limbs likewise turn on a little. People who hold each other sway together, so that no hold is torn.
    """
    people = len(transl)
    time = np.arange(1, frames + 1) / fps
    gone = SETTLE / 3 * (1 - np.exp(-3 * time / SETTLE))  # seconds' worth of the last velocity, 0.2 at most
    back = max(0, transl.shape[1] - 1 - max(1, round(0.1 * fps)))
    span = max(transl.shape[1] - 1 - back, 1) / fps
    velocity = (transl[:, -1] - transl[:, back]) / span
    velocity = velocity * np.array([1.0, 1.0, 0.0]) * free[:, :1]
    moved = transl[:, -1, None] + velocity[:, None] * gone[None, :, None]
    phases = rng.uniform(0, 2 * np.pi, (len(_RATES), 3))
    onset = 1 - np.exp(-time / SETTLE)
    wave = sum(np.sin(2 * np.pi * rate * time[:, None] + phase) - np.sin(phase)
               for rate, phase in zip(_RATES, phases, strict=True))  # fmt: skip
    wave = np.asarray(wave) * onset[:, None] / len(_RATES)
    turned = np.repeat(rotations[:, -1:], frames, 1).copy()
    for person in range(people):
        step = matrix_to_axis_angle(np.swapaxes(rotations[person, back], -1, -2) @ rotations[person, -1]) / span
        step[0] *= np.array([0.0, 1.0, 0.0])  # about the body's own long axis: turning on, not tipping over
        step[~free[person]] = 0.0
        turned[person] = turned[person] @ axis_angle_to_matrix(step[None] * gone[:, None, None])
    for joint, size in _SWAY:
        turned[:, :, joint] = turned[:, :, joint] @ axis_angle_to_matrix(wave * size)[None]
    return turned, moved


def _stand(
    rotations: Array, transl: Array, motion: Interaction, rest: Array, idle: Idle, rng: np.random.Generator,
    free: np.ndarray,
) -> None:  # fmt: skip
    """Let who walks at the end take the last step together: into real standing idle, feet on the floor. In place.

    free: bool [P], whom nothing carries: who is pushed in a wheelchair moves, and does not walk.
    """
    frames, fps = rotations.shape[1], motion.fps
    time = np.arange(1, frames + 1) / fps
    span = min(motion.frames - 1, max(1, round(0.2 * fps)))
    way = motion.transl[:, -1, :2] - motion.transl[:, -1 - span, :2]
    walks = np.linalg.norm(way, axis=-1) / span * fps > 0.3
    walks &= free & (motion.transl[:, -1, 2] + rest[:, 0, 2] > _ON_FOOT)
    share = np.clip(time / STEP, 0, 1)
    share = share * share * (3 - 2 * share)
    begin = float(rng.uniform(0, max(0.1, len(idle.rotations) / idle.fps - 2)))
    # to and fro through the recording, so that it never jumps
    length = (len(idle.rotations) - 1) / idle.fps
    at = np.abs((begin + time + length) % (2 * length) - length)
    standing = idle.rotations[np.round(at * idle.fps).astype(int)]
    ankles = [JOINT["left_ankle"], JOINT["right_ankle"]]
    for person in np.flatnonzero(walks):
        facing = upright(facing_yaw(rotations[person, -1, 0]))
        goal = standing.copy()
        lean = upright(facing_yaw(idle.rotations[0, 0])).T @ standing[:, 0]
        goal[:, 0] = facing @ lean
        turn = matrix_to_axis_angle(np.swapaxes(rotations[person], -1, -2) @ goal)
        rotations[person] = rotations[person] @ axis_angle_to_matrix(turn * share[:, None, None])
        before, _ = forward_kinematics(motion.rotations()[person], rest[person], motion.transl[person])
        ground = float(np.median(before[:, ankles, 2].min(1)))
        flat = transl[person] * np.array([1.0, 1.0, 0.0])
        joints, _ = forward_kinematics(rotations[person], rest[person], flat)
        height = ground - joints[:, ankles, 2].min(1)
        transl[person, :, 2] = height + (motion.transl[person, -1, 2] - height[0]) * (1 - share)


def _speed(motion: Interaction, first: bool) -> float:
    """The fastest person's root speed at an end, m/s."""
    span = min(motion.frames - 1, max(1, round(0.2 * motion.fps)))
    if span < 1:
        return 0.0
    a, b = (0, span) if first else (motion.frames - 1 - span, motion.frames - 1)
    return float(np.linalg.norm(motion.transl[:, b] - motion.transl[:, a], axis=-1).max() / span * motion.fps)


def _later(meta: Meta, shift: float, old: float, new: float) -> Meta:
    """Times of the labels after ``shift`` seconds were put before; contacts held at an end stay held."""
    eps = 0.051

    def contact(c: Contact) -> Contact:
        start = 0.0 if c.start < eps else c.start + shift
        return replace(c, start=start, end=new if c.end > old - eps else c.end + shift)

    core = None if meta.core is None else (meta.core[0] + shift, meta.core[1] + shift)
    return replace(
        meta,
        contacts=tuple(contact(c) for c in meta.contacts),
        actions=tuple(replace(a, start=a.start + shift, end=a.end + shift) for a in meta.actions),
        core=core,
    )
