"""What may follow a fall: getting up again, joined to where the body lies from captured get-ups of the library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.corpus.care.tracks import Track, crossfade, hold
from synth.corpus.falls.plan import Scene, before_fall
from synth.corpus.falls.start import FPS, vertices
from synth.corpus.library import LibraryEntry
from synth.rotation import Array, matrix_to_axis_angle
from synth.skeleton import JOINT, forward_kinematics

# From the back only: from the front, the arms would have to pass under the body to where the captured ones push.
SUPINE = ("get_up_02", "get_up_03")
FACE = 0.75  # cosine between the trunk's front and the vertical from which somebody lies on the back
TURN = np.radians(75.0)  # the most that the pelvis may have to turn into the get-up's first pose
PACE = np.radians(70.0)  # radians a second of the fastest joint on the way into it: an old person's
DEEP = 0.035  # metres that the way into it may lead into the floor


@dataclass(frozen=True)
class Rise:
    """Getting up from a pose on: the movement, the library motion it is from, and what is done until when,
    seconds after its beginning, measured on the capture; at first it lies."""

    track: Track
    item: LibraryEntry
    labels: tuple[tuple[str, float], ...]


def rising(scene: Scene, lying: Track, rest: Array) -> Rise | None:
    """Getting up from the last pose of `lying`; None where no captured get-up fits it.

    Args:
        lying: pelvis [T, 3] and rotations of a body at rest on the floor.
        rest: rest joints [24, 3].
    """
    last = hold(lying, lying.frames - 1, 1)
    joints, world = forward_kinematics(last.rotmats[0], rest, last.pelvis[0] - rest[0])
    front = float(world[JOINT["spine2"], 2, 2])
    if front < FACE:
        return None
    item, start = scene.captured(SUPINE, (1.1, 1.4))
    got_up = Track(start.transl + rest[0], start.rotmats)
    turn = _along(joints) - _along(start.joints[0])
    got_up = got_up.moved(turn, np.zeros(3))
    shift = np.append(last.pelvis[0, :2] - got_up.pelvis[0, :2], 0.0)
    got_up = got_up.moved(0.0, shift)
    angles = np.linalg.norm(
        matrix_to_axis_angle(np.swapaxes(last.rotmats[0], -1, -2) @ got_up.rotmats[0]), axis=-1
    )  # [24]
    if angles[0] > TURN:
        return None
    count = max(round(1.0 * FPS), round(float(angles.max()) / PACE * FPS))
    into = crossfade(hold(last, 0, count), hold(got_up, 0, count), 0, count)
    skin = vertices(scene.body, scene.person.betas, into.rotmats, into.pelvis - rest[0], 3)
    if skin[..., 2].min() < -DEEP:
        return None
    rotmats = np.concatenate([into.rotmats, got_up.rotmats])
    labels = before_fall(start, start.frames, scene.body)
    shifted = tuple((label, until + count / FPS) for label, until in labels)
    return Rise(Track(np.concatenate([into.pelvis, got_up.pelvis]), rotmats), item, shifted)


def _along(joints: Array) -> float:
    """Direction of the trunk over the floor, pelvis to neck, radians."""
    spine = joints[JOINT["neck"]] - joints[JOINT["pelvis"]]
    return float(np.arctan2(spine[1], spine[0]))
