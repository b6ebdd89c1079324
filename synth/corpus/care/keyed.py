"""A body between keys: where the pelvis is, how the trunk leans; legs reach their feet by two-bone geometry.

For what no recording of the collection does: going down on the knees beside somebody, knees that buckle, a stagger.
A track begins and ends in captured movement where there is some (`tracks.crossfade`); the optimiser does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from synth.corpus.care.limbs import two_bones
from synth.corpus.care.tracks import Track
from synth.rotation import Array, axis_matrix, yaw_matrix
from synth.skeleton import JOINT, forward_kinematics, upright

BALL = 0.02  # metres of the joint of the toes above the floor
TUCKED = 0.9  # radians the heel is up over the toes of who kneels
KNEE = 0.055  # metres of the knee's joint above the floor it rests on


@dataclass(frozen=True)
class BodyKey:
    """Pelvis at (x, y, z), facing `yaw`; the whole trunk leans forward by `lean` rad, `sway` of it to the left; the
    pelvis takes `tip` of the lean, arms reach `reach` rad forward of hanging and are lifted `spread` rad
    to the sides."""

    time: float
    x: float
    y: float
    z: float
    yaw: float
    lean: float = 0.05
    sway: float = 0.0
    tip: float = 0.55
    reach: float = 0.0
    spread: float = 0.0


@dataclass(frozen=True)
class FootKey:
    """The ankle over (x, y) if the foot were flat, toes to `yaw`, the heel up by `heel` rad over the ball, `lift` m."""

    time: float
    x: float
    y: float
    yaw: float
    heel: float = 0.0
    lift: float = 0.0


def _curves(times: Array, keys: Sequence[BodyKey] | Sequence[FootKey]) -> dict[str, Array]:
    names = [name for name in keys[0].__dataclass_fields__ if name != "time"]
    moments = [key.time for key in keys]
    if len(keys) == 1:
        return {name: np.full(len(times), float(getattr(keys[0], name))) for name in names}
    inside = np.clip(times, moments[0], moments[-1])
    return {name: PchipInterpolator(moments, [getattr(key, name) for key in keys])(inside) for name in names}


def keyed_track(times: Array, body: Sequence[BodyKey], feet: Mapping[str, Sequence[FootKey]], rest: Array) -> Track:
    """The body of `rest` joints [24, 3] at `times` [T]; keys in the order of time, feet of "left" and "right"."""
    at = _curves(times, body)
    count = len(times)
    rotmats = np.tile(np.eye(3), (count, 24, 1, 1))
    tip = at["tip"] * at["lean"]
    rotmats[:, 0] = upright(at["yaw"]) @ axis_matrix("z", at["sway"]) @ axis_matrix("x", tip)
    for name in ("spine1", "spine2", "spine3"):
        rotmats[:, JOINT[name]] = axis_matrix("x", (at["lean"] - tip) / 3)
    for name in ("neck", "head"):
        rotmats[:, JOINT[name]] = axis_matrix("x", -0.12 * at["lean"])
    for side, sign in (("left", 1.0), ("right", -1.0)):
        forward = axis_matrix("x", -0.6 * at["lean"] - at["reach"])
        rotmats[:, JOINT[f"{side}_shoulder"]] = forward @ axis_matrix("z", sign * (at["spread"] - 1.25))
        bent = 0.35 + 0.5 * np.clip(at["reach"], 0, 1)
        rotmats[:, JOINT[f"{side}_elbow"]] = axis_matrix("y", -sign * bent)
    track = Track(np.stack([at["x"], at["y"], at["z"]], -1), rotmats)
    return standing_on(track, {side: _curves(times, keys) for side, keys in feet.items()}, rest)


def standing_on(track: Track, feet: Mapping[str, Mapping[str, Array]], rest: Array) -> Track:
    """The same trunk with both legs reaching their feet; each foot's x, y, yaw, heel and lift are arrays [T]."""
    rotmats = track.rotmats.copy()
    joints, world = forward_kinematics(rotmats, rest, track.pelvis - rest[0])
    for side in ("left", "right"):
        hip, knee, ankle, toes = (JOINT[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "foot"))
        at = feet[side]
        ahead = rest[toes] - rest[ankle]
        flat = np.stack([at["x"], at["y"], np.zeros(len(at["x"]))], -1)
        ball = flat + np.einsum("tij,j->ti", upright(at["yaw"]), ahead) * np.array([1.0, 1.0, 0.0])
        ball[:, 2] = BALL + at["lift"]
        foot = upright(at["yaw"]) @ axis_matrix("x", at["heel"])
        goal = ball - np.einsum("tij,j->ti", foot, ahead)
        pole = yaw_matrix(at["yaw"])[:, :, 0] + np.array([0.0, 0.0, 0.15])
        bones = rest[knee] - rest[hip], rest[ankle] - rest[knee]
        upper, lower = two_bones(joints[:, hip], goal, *bones, np.array([1.0, 0.0, 0.0]), pole)
        rotmats[:, hip] = np.swapaxes(world[:, 0], -1, -2) @ upper
        rotmats[:, knee] = np.swapaxes(upper, -1, -2) @ lower
        rotmats[:, ankle] = np.swapaxes(lower, -1, -2) @ foot
        rotmats[:, toes] = axis_matrix("x", -np.clip(at["heel"], 0.0, 1.0))
    return Track(track.pelvis, rotmats)


def ahead(place: Sequence[float], forward: float, left: float = 0.0, turn: float = 0.0) -> tuple[float, float, float]:
    """The place (x, y, yaw) `forward` and `left` metres on from a place, `turn` radians on."""
    x, y, yaw = place
    c, s = np.cos(yaw), np.sin(yaw)
    return float(x + c * forward - s * left), float(y + s * forward + c * left), float(yaw + turn)


def midway(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float]:
    """The place (x, y, yaw) in the middle of two."""
    return 0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1]), 0.5 * (a[2] + b[2])


def knee_of(foot: FootKey, rest: Array) -> Array:
    """Floor place [2] of the knee of who kneels with this foot on its toes."""
    toes = float(np.linalg.norm(rest[JOINT["left_foot"]] - rest[JOINT["left_ankle"]]))
    shin = float(np.linalg.norm(rest[JOINT["left_ankle"]] - rest[JOINT["left_knee"]]))
    rise = BALL + toes * np.sin(foot.heel + 0.45) - KNEE  # the ankle over the knee
    on = np.sqrt(max(shin**2 - rise**2, 0.0)) + toes * (np.cos(0.45) - np.cos(foot.heel + 0.45))
    return np.array(ahead((foot.x, foot.y, foot.yaw), on)[:2])


def over_knee(rest: Array, back: float = 0.0) -> float:
    """Height of the pelvis of who kneels upright, the thigh leaning `back` metres backwards."""
    thigh = float(np.linalg.norm(rest[JOINT["left_knee"]] - rest[JOINT["left_hip"]]))
    return KNEE + float(np.sqrt(thigh**2 - back**2)) + float(rest[0, 1] - rest[JOINT["left_hip"], 1])
