"""Arms that reach and legs that stand: two-bone solutions laid over a track, and bodies keyed by where they rest.

Captured pieces say how people move; where a hand or a knee has to be on this chair and on this floor is solved here,
so that the optimiser starts close to its contacts. The two-bone solution is the law of cosines with a pole vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from synth.corpus.care.script import FPS
from synth.corpus.care.tracks import FeetPath, StanceKey, Track, between, smoothed, stance_track
from synth.rotation import Array, axis_angle_to_matrix, axis_matrix, matrix_to_axis_angle
from synth.skeleton import JOINT, facing_yaw, forward_kinematics, upright

SIDES = ("left", "right")
_UP = np.array([0.0, 0.0, 1.0])
BALL = np.array([0.0, -0.055, 0.13])  # from the ankle to the ball of the foot, in the foot's frame, metres
_WRIST = 0.075  # metres from the wrist to the middle of the palm
_PALM = 0.03  # metres from the wrist's middle down to the palm's skin


def _unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _frame(along: Array, hinge: Array) -> Array:
    """Right-handed frames [..., 3, 3] with the bone as first column and the hinge, made square to it, as second."""
    along = _unit(along)
    hinge = _unit(hinge - (hinge * along).sum(-1, keepdims=True) * along)
    return np.stack([along, hinge, np.cross(along, hinge)], -1)


def two_bones(start: Array, end: Array, upper: Array, lower: Array, hinge: Array, pole: Array) -> tuple[Array, Array]:
    """World rotations [T, 3, 3] of both bones of a limb from `start` to `end` [T, 3], bent towards `pole` [T, 3].

    upper, lower: the bones at rest [3]; hinge: the axis at rest about which the lower one bends [3].
    """
    a, b = float(np.linalg.norm(upper)), float(np.linalg.norm(lower))
    way = end - start
    length = np.linalg.norm(way, axis=-1)
    reach = np.clip(length, 1.02 * abs(a - b) + 0.02, 0.995 * (a + b))
    along = _unit(way)
    bent = _unit(pole - (pole * along).sum(-1, keepdims=True) * along)
    cosine = np.clip((a * a + reach**2 - b * b) / (2 * a * reach), -1, 1)
    middle = (a * cosine)[:, None] * along + (a * np.sqrt(1 - cosine**2))[:, None] * bent
    axis = np.cross(bent, along)
    first = _frame(middle, axis) @ _frame(upper, hinge).T
    second = _frame(reach[:, None] * along - middle, axis) @ _frame(lower, hinge).T
    return first, second


def reaching(
    track: Track, rest: Array, side: str, at: Array, share: Array, flat: float = 1.0, wide: float = 0.35
) -> Track:
    """The palm of one hand at the world point(s) `at` [3] or [T, 3], `share` [T] of the way there (eased in and out).

    flat: how far the palm turns down to lie on something level, 0 to 1; wide: how far the elbow points outwards.
    """
    joints, world = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    sign = 1.0 if side == "left" else -1.0
    collar, shoulder, elbow, wrist = (JOINT[f"{side}_{name}"] for name in ("collar", "shoulder", "elbow", "wrist"))
    yaw = facing_yaw(track.rotmats[:, 0])
    ahead = np.stack([np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)], -1)
    aside = sign * np.stack([-np.sin(yaw), np.cos(yaw), np.zeros_like(yaw)], -1)
    at = np.broadcast_to(np.asarray(at, float), (track.frames, 3))
    goal = at - _WRIST * flat * ahead + _PALM * flat * _UP
    if flat < 0.5:
        goal = at - _WRIST * _unit(at - joints[:, shoulder])
    pole = wide * aside - 0.55 * ahead - 0.25 * _UP
    upper, lower = rest[elbow] - rest[shoulder], rest[wrist] - rest[elbow]
    palm = np.stack([sign * ahead, np.broadcast_to(_UP, ahead.shape), np.cross(sign * ahead, _UP)], -1)
    still, level = np.tile(np.eye(3), (track.frames, 1, 1)), np.full(len(at), flat)
    within = 0.85 * (rest[JOINT[f"{side}_hand"]] - rest[wrist]) - np.array([0.0, 0.025, 0.0])
    for _ in range(3):  # the hand is no straight continuation of the forearm: aim at what is left
        first, second = two_bones(joints[:, shoulder], goal, upper, lower, np.array([0.0, -sign, 0.0]), pole)
        turned = between(still, np.swapaxes(second, -1, -2) @ palm, level)
        end = joints[:, shoulder] + first @ upper + second @ lower
        goal = goal + np.clip(at - end - second @ turned @ within, -0.1, 0.1)
    rotmats = track.rotmats.copy()
    new = {
        shoulder: np.swapaxes(world[:, collar], -1, -2) @ first,
        elbow: np.swapaxes(first, -1, -2) @ second,
        wrist: turned,
    }
    for joint, wanted in new.items():
        rotmats[:, joint] = _towards(track.rotmats[:, joint], wanted, share)
    return Track(track.pelvis, rotmats)


def _towards(a: Array, b: Array, share: Array) -> Array:
    """Rotations [T, 3, 3] `share` [T] of the way from `a` to `b`, the way round being the same all the time."""
    step = matrix_to_axis_angle(np.swapaxes(a, -1, -2) @ b)
    for frame in range(1, len(step)):
        angle = np.linalg.norm(step[frame])
        other = step[frame] * (1 - 2 * np.pi / max(float(angle), 1e-9))
        if np.linalg.norm(other - step[frame - 1]) < np.linalg.norm(step[frame] - step[frame - 1]):
            step[frame] = other
    return a @ axis_angle_to_matrix(step * share[:, None])


def shares(frames: int, begin: float, end: float, ease: float = 0.6) -> Array:
    """0 to 1 over `ease` seconds before `begin`, back to 0 over as long after `end` [T]."""
    times = np.arange(frames) / FPS
    share: Array = np.clip(np.minimum((times - begin + ease) / ease, (end + ease - times) / ease), 0.0, 1.0)
    return share**3 * (10 - 15 * share + 6 * share**2)


def palm_at(track: Track, rest: Array, side: str, frame: int) -> Array:
    """Where the middle of a palm is at a frame [3]."""
    joints, world = forward_kinematics(track.rotmats[frame], rest, track.pelvis[frame] - rest[0])
    wrist = JOINT[f"{side}_wrist"]
    return joints[wrist] + 0.85 * (joints[JOINT[f"{side}_hand"]] - joints[wrist]) - 0.025 * world[wrist][:, 1]


@dataclass(frozen=True)
class Foot:
    """The ball of a foot on the floor at (x, y), `lift` above it; it points to `yaw`, its heel up by `pitch` rad."""

    x: float
    y: float
    yaw: float = 0.0
    pitch: float = 0.0
    lift: float = 0.0


@dataclass(frozen=True)
class Key:
    """A body at `time` s: pelvis [metres] and where it faces, pitched forward from the hips by `pitch`, the spine bent
    by `bend`, rolled to the left by `roll`, the face raised by `gaze`; arms `ahead` of hanging, elbows bent (radians).
    """

    time: float
    pelvis: tuple[float, float, float]
    left: Foot
    right: Foot
    yaw: float = 0.0
    pitch: float = 0.03
    bend: float = 0.04
    roll: float = 0.0
    gaze: float = 0.0
    ahead: float = 0.05
    elbow: float = 0.35


def keyed(times: Array, keys: Sequence[Key], rest: Array) -> Track:
    """A track through the keys: legs stand where the feet are, arms hang."""
    moments = [key.time for key in keys]
    inside = np.clip(times, moments[0], moments[-1])

    def curve(values: Sequence[float]) -> Array:
        return np.full(len(times), values[0]) if len(keys) == 1 else PchipInterpolator(moments, values)(inside)

    pelvis = np.stack([curve([key.pelvis[i] for key in keys]) for i in range(3)], -1)
    yaw, pitch, bend, roll, gaze, ahead, elbow = (
        curve([getattr(key, name) for key in keys])
        for name in ("yaw", "pitch", "bend", "roll", "gaze", "ahead", "elbow")
    )
    rotmats = np.tile(np.eye(3), (len(times), 24, 1, 1))
    rotmats[:, 0] = upright(yaw) @ axis_matrix("x", pitch) @ axis_matrix("z", -roll)
    for name in ("spine1", "spine2", "spine3"):
        rotmats[:, JOINT[name]] = axis_matrix("x", bend / 3)
    for name in ("neck", "head"):
        rotmats[:, JOINT[name]] = axis_matrix("x", -0.15 * (pitch + bend) - 0.5 * gaze)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        hang = axis_matrix("x", -0.8 * (pitch + bend) - ahead) @ axis_matrix("z", np.full(len(times), -1.25 * sign))
        rotmats[:, JOINT[f"{side}_shoulder"]] = hang
        rotmats[:, JOINT[f"{side}_elbow"]] = axis_matrix("y", -sign * elbow)
    track = Track(pelvis, rotmats)
    feet: dict[str, dict[str, Array]] = {
        side: {
            name: curve([getattr(getattr(key, side), name) for key in keys])
            for name in ("x", "y", "yaw", "pitch", "lift")
        }
        for side in SIDES
    }  # fmt: skip
    return standing_on(track, feet, rest)


def standing_on(track: Track, feet: Mapping[str, Mapping[str, Array]], rest: Array) -> Track:
    """The track with its legs set so that the balls of the feet are where `feet` say: columns as `Foot`, each [T]."""
    joints, world = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    rotmats = track.rotmats.copy()
    for side, foot in feet.items():
        hip, knee, ankle = (JOINT[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
        turned = upright(foot["yaw"]) @ axis_matrix("x", foot["pitch"])
        low = np.clip(0.069 + BALL[1], 0.0, None)  # the sole below the ball
        ball = np.stack([foot["x"], foot["y"], low + foot["lift"]], -1)
        goal = ball - turned @ BALL
        ahead = np.stack([np.cos(foot["yaw"]), np.sin(foot["yaw"]), np.zeros_like(foot["x"])], -1)
        upper, lower = rest[knee] - rest[hip], rest[ankle] - rest[knee]
        first, second = two_bones(joints[:, hip], goal, upper, lower, np.array([1.0, 0.0, 0.0]), ahead + 0.3 * _UP)
        rotmats[:, hip] = np.swapaxes(world[:, 0], -1, -2) @ first
        rotmats[:, knee] = np.swapaxes(first, -1, -2) @ second
        rotmats[:, ankle] = np.swapaxes(second, -1, -2) @ turned
        # toes stay on the floor while the heel comes up
        rotmats[:, JOINT[f"{side}_foot"]] = axis_matrix("x", -np.clip(0.75 * foot["pitch"], 0.0, 0.9))
    return Track(track.pelvis, rotmats)


def stepping(times: Array, path: FeetPath, keys: Sequence[StanceKey], rest: Array) -> Track:
    """A standing body over footsteps (`tracks.stance_track`), each leg to its own foot."""
    feet = {}
    for index, side in enumerate(SIDES):
        yaw = path.yaw[:, index]
        x, y = path.xy[:, index, 0] + BALL[2] * np.cos(yaw), path.xy[:, index, 1] + BALL[2] * np.sin(yaw)
        feet[side] = {"x": x, "y": y, "yaw": yaw, "pitch": 0.0 * yaw, "lift": path.lift[:, index]}
    return standing_on(stance_track(times, path, keys, rest), feet, rest)


def hanging(track: Track) -> Track:
    """The arms hang, whatever they did."""
    rotmats = track.rotmats.copy()
    for side, sign in (("left", 1.0), ("right", -1.0)):
        rotmats[:, JOINT[f"{side}_shoulder"]] = axis_matrix("x", -0.15) @ axis_matrix("z", -1.25 * sign)
        rotmats[:, JOINT[f"{side}_elbow"]] = axis_matrix("y", -0.35 * sign)
        for name in ("collar", "wrist"):
            rotmats[:, JOINT[f"{side}_{name}"]] = np.eye(3)
    return Track(track.pelvis, rotmats)


def trailing(track: Track, rest: Array, lift: float = 0.12) -> Track:
    """Feet that are drawn over the floor without carrying anybody come off it by up to `lift` metres while they move.

    For the way from the belly on hands and knees: shins lift when knees are drawn in.
    """
    joints, world = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    rotmats = track.rotmats.copy()
    for side in SIDES:
        hip, knee, ankle = (JOINT[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
        speed = np.linalg.norm(np.gradient(joints[:, ankle, :2], axis=0), axis=-1) * FPS
        up = lift * smoothed(np.clip((speed - 0.015) / 0.06, 0, 1), 0.12, FPS)
        upper, lower = rest[knee] - rest[hip], rest[ankle] - rest[knee]
        goal = joints[:, ankle] + up[:, None] * _UP
        pole = world[:, hip][:, :, 2]
        first, second = two_bones(joints[:, hip], goal, upper, lower, np.array([1.0, 0.0, 0.0]), pole)
        rotmats[:, hip] = np.swapaxes(world[:, 0], -1, -2) @ first
        rotmats[:, knee] = np.swapaxes(first, -1, -2) @ second
        rotmats[:, ankle] = np.swapaxes(second, -1, -2) @ world[:, ankle]
    return Track(track.pelvis, rotmats)


def lowered(track: Track, rest: Array, drop: Array, bend: Array) -> Track:
    """The pelvis `drop` [T] metres lower and the spine bent by `bend` [T] radians more; the feet stay as they are."""
    if not drop.any() and not bend.any():
        return track
    joints, world = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    pelvis = track.pelvis - drop[:, None] * _UP
    rotmats = track.rotmats.copy()
    for name in ("spine1", "spine2", "spine3"):
        rotmats[:, JOINT[name]] = rotmats[:, JOINT[name]] @ axis_matrix("x", bend / 3)
    for side in SIDES if drop.any() else ():
        hip, knee, ankle = (JOINT[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
        upper, lower = rest[knee] - rest[hip], rest[ankle] - rest[knee]
        first, second = two_bones(
            joints[:, hip] - drop[:, None] * _UP, joints[:, ankle], upper, lower, np.array([1.0, 0.0, 0.0]),
            world[:, hip][:, :, 2] + 0.3 * world[:, ankle][:, :, 2],
        )  # fmt: skip
        rotmats[:, hip] = np.swapaxes(world[:, 0], -1, -2) @ first
        rotmats[:, knee] = np.swapaxes(first, -1, -2) @ second
        rotmats[:, ankle] = np.swapaxes(second, -1, -2) @ world[:, ankle]
    return Track(pelvis, rotmats)
