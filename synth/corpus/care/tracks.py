"""Initial motion of one person: captured pieces joined end to end, or a standing body that follows its footsteps.

A track is pelvis positions [T, 3] (world, metres) and local rotations [T, 24, 3, 3] at one frame rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from synth.interaction import Interaction
from synth.rotation import Array, axis_angle_to_matrix, axis_matrix, matrix_to_axis_angle, yaw_matrix
from synth.skeleton import JOINT, facing_yaw, forward_kinematics, upright


@dataclass(frozen=True)
class Track:
    """Pelvis [T, 3] and local rotations [T, 24, 3, 3]."""

    pelvis: np.ndarray
    rotmats: np.ndarray

    @property
    def frames(self) -> int:
        return len(self.pelvis)

    def moved(self, yaw: float, shift: Array) -> Track:
        """Turned by `yaw` about the world's z axis, then shifted."""
        turn = yaw_matrix(yaw)
        rotmats = self.rotmats.copy()
        rotmats[:, 0] = turn @ rotmats[:, 0]
        return Track(self.pelvis @ turn.T + shift, rotmats)

    def placed(self, frame: int, yaw: float, xy: Array) -> Track:
        """Moved so that at `frame` the pelvis is over `xy` and faces `yaw`."""
        turned = self.moved(yaw - float(facing_yaw(self.rotmats[frame, 0])), np.zeros(3))
        return turned.moved(0.0, np.append(np.asarray(xy) - turned.pelvis[frame, :2], 0.0))

    def scaled_path(self, factor: float) -> Track:
        """A straight walk with steps `factor` times as long."""
        pelvis = self.pelvis.copy()
        pelvis[:, :2] = along(pelvis[:, :2], pelvis[0, :2], pelvis[-1, :2], factor)
        return Track(pelvis, self.rotmats)


@dataclass(frozen=True)
class Course:
    """A way over the floor: straight for `straight` metres, then turning by `bend` radians a metre (left positive)."""

    bend: float = 0.0
    straight: float = 0.0
    ease: float = 0.6  # metres over which the turn comes up, so that nothing on wheels jerks

    def at(self, distance: Array) -> tuple[Array, Array]:
        """Places [..., 2] and directions [...] (radians) at metres along the way; it starts at the origin, along x."""
        distance = np.asarray(distance, float)
        low, high = min(0.0, float(distance.min())), max(0.0, float(distance.max())) + 1e-3
        fine = np.linspace(low, high, 2000)
        curved = np.clip(fine - self.straight, 0, None)
        eased = np.clip(curved / self.ease, 0, 1)
        yaw = self.bend * np.where(curved < self.ease, 0.5 * self.ease * eased**2, curved - 0.5 * self.ease)
        step = fine[1] - fine[0]
        places = np.stack([np.cumsum(np.cos(yaw)), np.cumsum(np.sin(yaw))], -1) * step
        origin = np.array([np.interp(0.0, fine, column) for column in places.T])
        found = np.stack([np.interp(distance, fine, column) for column in places.T], -1) - origin
        return found, np.interp(distance, fine, yaw)


def on_course(track: Track, course: Course, stride: float = 1.0, aside: float = 0.0) -> tuple[Track, Array]:
    """A straight captured walk along a course, its steps `stride` times as long; also its metres along the way [T].

    aside: metres to the left of the course that it goes.
    """
    begin, end = track.pelvis[0, :2], track.pelvis[-1, :2]
    heading = float(np.arctan2(*(end - begin)[::-1]))
    straight = track.moved(-heading, np.zeros(3))
    line = straight.pelvis[:, :2] - straight.pelvis[0, :2]
    distance = line[:, 0] * stride
    places, yaw = course.at(distance)
    pelvis = straight.pelvis.copy()
    pelvis[:, :2] = places + (line[:, 1:] + aside) * np.stack([-np.sin(yaw), np.cos(yaw)], -1)
    rotmats = straight.rotmats.copy()
    rotmats[:, 0] = yaw_matrix(yaw) @ rotmats[:, 0]
    return Track(pelvis, rotmats), distance


def smoothed(values: Array, seconds: float, fps: float) -> Array:
    """A Gaussian of `seconds` over [T], the ends mirrored through their point, so that slopes stay."""
    reach = max(1, round(3 * seconds * fps))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (seconds * fps)) ** 2)
    padded = np.pad(np.asarray(values, float), reach, mode="reflect", reflect_type="odd")
    return np.convolve(padded, kernel / kernel.sum(), "valid")


def along(points: Array, start: Array, end: Array, factor: float) -> Array:
    """Points [..., 2] with their way along the line from `start` to `end` made `factor` times as long."""
    way = (end - start) / max(float(np.linalg.norm(end - start)), 1e-6)
    return points + (factor - 1) * ((points - start) @ way)[..., None] * way


def from_interaction(motion: Interaction, rest_pelvis: Array, start: float = 0.0, end: float | None = None) -> Track:
    """One person's motion as a track, cut to seconds `start` to `end`."""
    stop = motion.frames if end is None else min(motion.frames, round(end * motion.fps) + 1)
    cut = slice(round(start * motion.fps), stop)
    return Track(motion.transl[0, cut].astype(float) + rest_pelvis, motion.rotations()[0, cut])


def stretch(track: Track, frames: int) -> Track:
    """The same movement over another number of frames."""
    position = np.linspace(0, track.frames - 1, frames)
    left = np.minimum(position.astype(int), track.frames - 2)
    share = position - left
    pelvis = track.pelvis[left] * (1 - share)[:, None] + track.pelvis[left + 1] * share[:, None]
    return Track(pelvis, between(track.rotmats[left], track.rotmats[left + 1], share))


def warp(track: Track, keys: Sequence[float], frames: Sequence[int]) -> Track:
    """Play so that source frame `keys[i]` (fractional) falls on frame `frames[i]`; smooth in between."""
    position = PchipInterpolator(frames, keys)(np.arange(frames[0], frames[-1] + 1))
    position = np.clip(position, 0, track.frames - 1 - 1e-6)
    left = position.astype(int)
    share = position - left
    pelvis = track.pelvis[left] * (1 - share)[:, None] + track.pelvis[left + 1] * share[:, None]
    return Track(pelvis, between(track.rotmats[left], track.rotmats[left + 1], share))


def crossfade(first: Track, second: Track, begin: int, end: int) -> Track:
    """`first` before frame `begin`, `second` after `end`, eased in between; equally long tracks."""
    share = _ease((np.arange(first.frames) - begin) / max(end - begin, 1))
    pelvis = first.pelvis * (1 - share)[:, None] + second.pelvis * share[:, None]
    return Track(pelvis, between(first.rotmats, second.rotmats, share))


def reverse(track: Track) -> Track:
    return Track(track.pelvis[::-1].copy(), track.rotmats[::-1].copy())


def hold(track: Track, frame: int, frames: int) -> Track:
    """One frame, held."""
    return Track(np.repeat(track.pelvis[frame][None], frames, 0), np.repeat(track.rotmats[frame][None], frames, 0))


def join(tracks: Sequence[Track], blend: int) -> Track:
    """One after the other; each is brought over where the last one ends, then cross-faded over `blend` frames."""
    result = tracks[0]
    for following in tracks[1:]:
        yaw = float(facing_yaw(result.rotmats[-1, 0]))
        place = following.placed(0, yaw, result.pelvis[-1, :2])
        count = min(blend, place.frames, result.frames)
        share = _ease(np.arange(1, count + 1) / (count + 1))
        head = Track(
            result.pelvis[-count:] * (1 - share)[:, None] + place.pelvis[:count] * share[:, None],
            between(result.rotmats[-count:], place.rotmats[:count], share),
        )
        result = Track(
            np.concatenate([result.pelvis[:-count], head.pelvis, place.pelvis[count:]]),
            np.concatenate([result.rotmats[:-count], head.rotmats, place.rotmats[count:]]),
        )
    return result


def breathe(track: Track, idle: Track, joints: Sequence[str], amount: float = 1.0) -> Track:
    """Lay the small movements of captured idling over a track: nobody alive is ever frozen."""
    index = [JOINT[name] for name in joints]
    cycle = np.arange(track.frames) % (2 * idle.frames - 2)
    cycle = np.where(cycle < idle.frames, cycle, 2 * idle.frames - 2 - cycle)
    vectors = matrix_to_axis_angle(np.swapaxes(idle.rotmats[:1, index], -1, -2) @ idle.rotmats[:, index])
    vectors = np.clip((vectors - vectors.mean(0)) * amount, -0.12, 0.12)
    rotmats = track.rotmats.copy()
    rotmats[:, index] = rotmats[:, index] @ axis_angle_to_matrix(vectors[cycle])
    return Track(track.pelvis, rotmats)


def _ease(share: np.ndarray) -> np.ndarray:
    """Minimum jerk from 0 to 1."""
    s = np.clip(share, 0, 1)
    return s**3 * (10 - 15 * s + 6 * s * s)


def between(a: Array, b: Array, share: Array) -> Array:
    """Rotations [T, ..., 3, 3] `share` [T] of the way from `a` to `b`."""
    step = matrix_to_axis_angle(np.swapaxes(a, -1, -2) @ b)
    return a @ axis_angle_to_matrix(step * share.reshape(-1, *[1] * (step.ndim - 1)))


@dataclass(frozen=True)
class Footstep:
    """`foot` ("left"/"right") leaves the floor at `start` and lands at `end` s, ankle over `xy`, pointing to `yaw`."""

    foot: str
    start: float
    end: float
    xy: tuple[float, float]
    yaw: float


@dataclass(frozen=True)
class FeetPath:
    """Where both feet are: ankle's floor point [T, 2 sides, 2], lift [T, 2] (metres), yaw [T, 2], planted [T, 2]."""

    xy: Array
    lift: Array
    yaw: Array
    planted: np.ndarray


def feet_path(
    times: Array, start: dict[str, tuple[float, float, float]], steps: Sequence[Footstep], lift: float = 0.07
) -> FeetPath:
    """Follow footsteps from the `start` places (x, y, yaw) of the left and right foot."""
    count = len(times)
    xy, yaw = np.zeros((count, 2, 2)), np.zeros((count, 2))
    height, planted = np.zeros((count, 2)), np.ones((count, 2), bool)
    for side, name in enumerate(("left", "right")):
        here, turned = np.array(start[name][:2]), start[name][2]
        xy[:, side], yaw[:, side] = here, turned
        for step in sorted((s for s in steps if s.foot == name), key=lambda s: s.start):
            share = np.clip((times - step.start) / (step.end - step.start), 0, 1)
            eased = _ease(share)
            swing = (share > 0) & (share < 1)
            after = share > 0
            xy[after, side] = (here + eased[:, None] * (np.array(step.xy) - here))[after]
            yaw[after, side] = (turned + eased * (step.yaw - turned))[after]
            height[swing, side] = (lift * np.sin(np.pi * share) ** 2)[swing]
            planted[swing, side] = False
            here, turned = np.array(step.xy), step.yaw
    return FeetPath(xy, height, yaw, planted)


@dataclass(frozen=True)
class StanceKey:
    """How somebody stands at `time` s: hips lowered by `drop` m, trunk leaning forward by `lean` rad from the hips,
    weight moved by `shift` (forward, left) metres from between the feet, whole body facing `turn` rad off the feet."""

    time: float
    drop: float = 0.02
    lean: float = 0.05
    shift: tuple[float, float] = (0.0, 0.0)
    turn: float = 0.0


def standing_feet(track: Track, frame: int, rest: Array) -> dict[str, tuple[float, float, float]]:
    """Floor places (x, y, yaw) of both ankles at one frame of a track."""
    joints, world = forward_kinematics(track.rotmats[frame], rest, track.pelvis[frame] - rest[0])
    places = {}
    for side in ("left", "right"):
        ahead = world[JOINT[f"{side}_ankle"]][:2, 2]
        x, y = joints[JOINT[f"{side}_ankle"], :2]
        places[side] = (float(x), float(y), float(np.arctan2(ahead[1], ahead[0])))
    return places


def stance_track(times: Array, feet: FeetPath, keys: Sequence[StanceKey], rest: Array) -> Track:
    """A standing body over its feet: bent knees, straight back, hips behind the heels as far as the trunk leans."""
    moments = [key.time for key in keys]

    def curve(values: Sequence[float]) -> Array:
        if len(moments) == 1:
            return np.full(len(times), float(values[0]))
        inside = np.clip(times, moments[0], moments[-1])
        return PchipInterpolator(moments, np.array(values, float))(inside)

    drop, lean, turn = (curve([getattr(key, name) for key in keys]) for name in ("drop", "lean", "turn"))
    forward, left = curve([key.shift[0] for key in keys]), curve([key.shift[1] for key in keys])
    yaw = feet.yaw.mean(1) + turn
    middle = _smooth(feet.xy.mean(1))
    thigh, shin = rest[JOINT["left_hip"], 1] - rest[JOINT["left_knee"], 1], rest[4, 1] - rest[7, 1]
    hip_drop, ankle = -rest[JOINT["left_hip"], 1] + rest[0, 1], 0.069
    behind = 0.30 * np.sin(lean) - forward
    height = thigh + shin - drop
    reach = np.minimum(np.hypot(height, behind), 0.9995 * (thigh + shin))
    forwards = np.arctan2(behind, height)
    at_hip = np.arccos(np.clip((thigh**2 + reach**2 - shin**2) / (2 * thigh * reach), -1, 1))
    at_ankle = np.arccos(np.clip((shin**2 + reach**2 - thigh**2) / (2 * shin * reach), -1, 1))
    a, b = forwards + at_hip, at_ankle - forwards
    pitch = 0.72 * lean
    rotmats = np.tile(np.eye(3), (len(times), 24, 1, 1))
    rotmats[:, 0] = upright(yaw) @ axis_matrix("x", pitch)
    for name in ("spine1", "spine2", "spine3"):
        rotmats[:, JOINT[name]] = axis_matrix("x", (lean - pitch) / 3)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        foot_yaw = feet.yaw[:, 0 if side == "left" else 1] - yaw
        rotmats[:, JOINT[f"{side}_hip"]] = (
            axis_matrix("x", -pitch) @ axis_matrix("y", foot_yaw * 0.7) @ axis_matrix("x", -a)
        )
        rotmats[:, JOINT[f"{side}_knee"]] = axis_matrix("x", a + b)
        rotmats[:, JOINT[f"{side}_ankle"]] = axis_matrix("x", -b)
        hang = axis_matrix("x", -0.6 * lean) @ axis_matrix("z", np.full(len(times), -1.25 * sign))
        rotmats[:, JOINT[f"{side}_shoulder"]] = hang
        rotmats[:, JOINT[f"{side}_elbow"]] = axis_matrix("y", np.full(len(times), -0.35 * sign))
    for name in ("neck", "head"):
        rotmats[:, JOINT[name]] = axis_matrix("x", -0.2 * lean)
    ahead = np.stack([np.cos(yaw), np.sin(yaw)], -1)
    aside = np.stack([-np.sin(yaw), np.cos(yaw)], -1)
    pelvis = np.zeros((len(times), 3))
    pelvis[:, :2] = middle - behind[:, None] * ahead + left[:, None] * aside
    pelvis[:, 2] = ankle + height + hip_drop
    return Track(pelvis, rotmats)


def _smooth(values: Array, width: int = 9) -> Array:
    kernel = np.hanning(width + 2)[1:-1]
    kernel /= kernel.sum()
    padded = np.pad(values, ((width // 2, width // 2), (0, 0)), mode="edge")
    return np.stack([np.convolve(padded[:, i], kernel, mode="valid") for i in range(values.shape[1])], -1)
