"""Arms that reach: the palm goes where it is wanted, by the law of cosines, the elbow hanging; laid over any track."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synth.corpus.care.script import FPS
from synth.corpus.care.tracks import Track
from synth.rotation import Array, axis_angle_to_matrix, axis_matrix, matrix_to_axis_angle
from synth.skeleton import JOINT, facing_yaw, forward_kinematics

_PALM = 0.85  # of the way from wrist to knuckles: where the middle of the palm is (`synth.motion.proxies`)
_THICK = 0.022  # metres from the hand's bones to the palm's skin


def palm(track: Track, rest: Array, side: str) -> tuple[Array, Array]:
    """Middle of a palm [T, 3] and the hand's rotation [T, 3, 3], in the world. rest [24, 3]."""
    joints, world = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    wrist, hand = JOINT[f"{side}_wrist"], JOINT[f"{side}_hand"]
    turned = world[:, wrist]
    return joints[:, wrist] + _PALM * (joints[:, hand] - joints[:, wrist]) - _THICK * turned[..., 1], turned


def beside(track: Track, rest: Array, side: str, ahead: float, out: float, up: float) -> Array:
    """A place [T, 3] that goes with the body: metres ahead of, to the outer side of and above a shoulder."""
    joints, _ = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    yaw = facing_yaw(track.rotmats[:, 0])
    sign = 1.0 if side == "left" else -1.0
    ahead_of = np.stack([np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)], -1)
    left = np.stack([-np.sin(yaw), np.cos(yaw), np.zeros_like(yaw)], -1)
    place = joints[:, JOINT[f"{side}_shoulder"]] + ahead * ahead_of + sign * out * left
    return place + np.array([0.0, 0.0, up])


def through(frames: int, first: Array, stations: Sequence[tuple[Array, float, float]]) -> Array:
    """A way [T, 3] from place to place. stations: (place [3] or [T, 3], second of setting out, of arriving)."""
    times = np.arange(frames) / FPS
    way = np.broadcast_to(first, (frames, 3)).astype(float)
    for place, begin, end in stations:
        share = ease((times - begin) / (end - begin))[:, None]
        way = way * (1 - share) + np.asarray(place, float) * share
    return way


def ease(share: Array) -> Array:
    """Minimum jerk from 0 to 1."""
    s = np.clip(np.asarray(share, float), 0.0, 1.0)
    return s**3 * (10 - 15 * s + 6 * s * s)


def window(frames: int, begin: float, end: float, fade: float = 0.8) -> Array:
    """1 between two seconds, eased in before and out after over `fade` seconds [T]."""
    times = np.arange(frames) / FPS
    return ease((times - begin + fade) / fade) * ease((end + fade - times) / fade)


def reaching(track: Track, rest: Array, side: str, target: Array, share: Array, twist: float = 0.0) -> Track:
    """An arm whose palm is at `target` [T, 3] as far as `share` [T] says; forearm turned by `twist` (palm down: more).

    Where the target is out of reach the arm is nearly straight towards it.
    """
    sign = 1.0 if side == "left" else -1.0
    shoulder, elbow, wrist, hand = (JOINT[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist", "hand"))
    joints, world = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    upper = float(np.linalg.norm(rest[elbow] - rest[shoulder]))
    fore = float(np.linalg.norm(rest[wrist] - rest[elbow]) + _PALM * np.linalg.norm(rest[hand] - rest[wrist]))
    outward = sign * world[:, JOINT["spine3"], :, 0]
    pole = np.array([0.0, 0.0, -1.0]) + 0.4 * outward
    end = target
    for _ in range(3):  # the palm's skin is beside the bones that are bent
        way = end - joints[:, shoulder]
        far = np.clip(np.linalg.norm(way, axis=-1, keepdims=True), abs(upper - fore) + 0.03, 0.985 * (upper + fore))
        line = _unit(way)
        across = _unit(pole - (pole * line).sum(-1, keepdims=True) * line)
        cosine = (upper**2 + far**2 - fore**2) / (2 * upper * far)
        first = cosine * line + np.sqrt(np.clip(1 - cosine**2, 0, 1)) * across
        second = _unit(far * line - upper * first)
        ahead = _unit(second - (second * first).sum(-1, keepdims=True) * first)
        along = sign * first
        turned = np.stack([along, np.cross(ahead, along), ahead], -1)
        end = target + _THICK * turned[..., 1]
    bend = np.arccos(np.clip((first * second).sum(-1), -1, 1))
    wanted = {
        shoulder: np.swapaxes(world[:, JOINT[f"{side}_collar"]], -1, -2) @ turned,
        elbow: axis_matrix("y", -sign * bend) @ axis_matrix("x", np.full(len(bend), 0.6 * twist)),
        wrist: np.tile(axis_matrix("x", np.array(0.4 * twist)), (len(bend), 1, 1)),
    }
    rotmats = track.rotmats.copy()
    for joint, goal in wanted.items():
        there = rotmats[:, joint]
        step = matrix_to_axis_angle(np.swapaxes(there, -1, -2) @ goal)
        rotmats[:, joint] = there @ axis_angle_to_matrix(step * share[:, None])
    return Track(track.pelvis, rotmats)


def _unit(vector: Array) -> Array:
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9)
