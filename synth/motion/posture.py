"""The posture of a body in each frame, from the heights and directions of its joints and what it rests on.

Nothing here looks at time beyond a short smoothing; `synth.motion.actions` makes labels of it. All lengths in metres.
Every rule uses heights, angles and distances alone, so that turning, moving or mirroring the scene changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from synth.room import Box, Furniture
from synth.rotation import Array
from synth.skeleton import JOINT

# Kinds of posture. The first six count as being up on one's feet or not for the transitions between them.
UPRIGHT, BENT, SQUAT, KNEEL, FOURS, SEATED, FLOOR_SEATED, LYING, UNCLEAR = range(9)

# What sitting on each class of furniture is called in the taxonomy's postures.
SEAT_POSTURE = {"walker": "sitting_in_walker", "lift": "sitting_in_lift"}

ANKLE_HEIGHT = 0.09  # ankle joint above the sole
SEAT_MARGIN = 0.10  # a pelvis this far outside a seat's edge may still rest on it (bed's edge, front of a chair)
SEAT_RANGE = (-0.20, 0.24)  # pelvis joint above a surface one sits on: 0.08-0.15, less where the seat is soft
LYING_TILT = np.radians(57)  # torso from the vertical; sitting back on the hands stays below, lying propped above
RECLINED_TILT = np.radians(35)  # with the legs on a bed and the back against its raised head
BENT_TILT = np.radians(55)
KNEE_DOWN = 0.20  # knee joint above the floor when kneeling: 0.05-0.12; 0.4-0.5 otherwise
HAND_DOWN = 0.22  # wrist above the floor with the palm or fist on it: 0.05-0.15
FLOOR_SEAT = 0.21  # pelvis joint above the floor when sitting on it: 0.08-0.17; on one's heels 0.22-0.30
ON_FLOOR = 0.38  # pelvis joint above the floor when lying on it, on a side or over one's own arm, stays below
SQUAT_KNEE = np.radians(78)
UPRIGHT_SHARE = 0.66  # pelvis height over its standing height; half-squats and stooped walking stay above


@dataclass(frozen=True)
class Postures:
    """Posture of one person in T frames.

    Attributes:
        kind: [T] one of the constants of this module.
        support: [T] index of the furniture that the pelvis rests on, -1 for none or the floor.
        legs_up: [T] whether the legs lie on that furniture too.
        pelvis, chest, head: heights [T].
        tilt: torso from the vertical [T] radians.
        feet: height of the lower foot [T].
    """

    kind: np.ndarray
    support: np.ndarray
    legs_up: np.ndarray
    pelvis: Array
    chest: Array
    head: Array
    tilt: Array
    feet: Array


@dataclass(frozen=True)
class Rolling:
    """Something with a seat that moves: the piece over the origin, its yaw [T] radians and place [T, 2] metres."""

    piece: Furniture
    yaw: Array
    place: Array

    def seen(self, points: Array) -> Array:
        """World points [T, ..., 3] in the frame of the piece; heights stay."""
        spread = (slice(None), *(None,) * (points.ndim - 2))
        c, s = np.cos(self.yaw)[spread], np.sin(self.yaw)[spread]
        x, y = np.moveaxis(points[..., :2] - self.place[(*spread, slice(None))], -1, 0)
        return np.stack([c * x + s * y, c * y - s * x, points[..., 2]], -1)

    def at(self, times: Array, grid: Array) -> Rolling:
        """What is known at `times` [T], at the times `grid` [N]."""
        place = np.stack([np.interp(grid, times, column) for column in self.place.T], -1)
        return replace(self, yaw=np.interp(grid, times, self.yaw), place=place)

    def cut(self, frames: slice) -> Rolling:
        """Some of the frames."""
        return replace(self, yaw=self.yaw[frames], place=self.place[frames])


def measure_postures(
    joints: Array, furniture: Sequence[Furniture] = (), rolling: Sequence[Rolling] = ()
) -> Postures:  # fmt: skip
    """Posture in each frame.

    Args:
        joints: SMPL's 24 joints of one person [T, 24, 3], world metres, z up, floor z = 0.
        furniture: what stands in the room, in the same frame. rolling: what moves in it; `support` counts it after the
            furniture.
    """

    def at(name: str) -> Array:
        return joints[:, JOINT[name]]

    def both(name: str) -> Array:
        return np.stack([at(f"left_{name}"), at(f"right_{name}")], 1)

    hips, knees, ankles, toes, wrists = (both(n) for n in ("hip", "knee", "ankle", "foot", "wrist"))
    pelvis, chest, neck = at("pelvis"), at("spine3"), at("neck")
    thigh, shin = hips - knees, knees - ankles
    standing = np.median(_length(thigh) + _length(shin)) + ANKLE_HEIGHT
    share = pelvis[:, 2] / standing
    tilt = _from_vertical(neck - pelvis)
    thigh_tilt = _from_vertical(thigh)
    knee_bend = _angle(thigh, shin)

    carriers = [*furniture, *(item.piece for item in rolling)]
    support, legs_up = _support(pelvis, ankles, furniture, rolling)
    surface = np.array([0.0, *(item.seat_height or 0.0 for item in carriers)])[support + 1]
    above, chest_above = pelvis[:, 2] - surface, chest[:, 2] - surface
    rests = support >= 0

    # Lying: trunk near the horizontal and close to what carries it. On a surface that nobody told us about (a raw
    # capture has no bed) the legs tell: they are level with the pelvis although that is high.
    level_legs = (np.abs(ankles[..., 2] - pelvis[:, None, 2]) < 0.25).all(1) & (thigh_tilt > np.radians(60)).all(1)
    low = (above < 0.30) & (chest_above < 0.38)
    lying = (tilt > LYING_TILT) & (low | (level_legs & (np.abs(chest[:, 2] - pelvis[:, 2]) < 0.2)))
    # a bed's raised head carries a back; on a flat bed who leans back is propped on the hands, and sits
    raised = np.array([False, *(item.head_raised for item in carriers)])[support + 1]
    lying |= raised & legs_up & (tilt > RECLINED_TILT) & (thigh_tilt > np.radians(50)).any(1)

    knee_down = (knees[..., 2] < KNEE_DOWN) & (np.abs(shin[..., 2]) < 0.55 * _length(shin))
    heels_under = (_length((ankles - pelvis[:, None])[..., :2]) < _length((knees - pelvis[:, None])[..., :2])).any(1)
    off_floor = (pelvis[:, 2] > 0.27) | ((pelvis[:, 2] > FLOOR_SEAT) & heels_under)
    hands_down = (wrists[..., 2] < HAND_DOWN).all(1)
    one_hand = (wrists[..., 2] < HAND_DOWN).any(1)
    reach = _length((wrists.mean(1) - ankles.mean(1))[:, :2])
    kneel = knee_down.any(1) & off_floor & ~rests
    fours = (
        (tilt > np.radians(45))
        & ~rests
        & off_floor
        & ((kneel & one_hand) | (hands_down & (reach > 0.45) & (pelvis[:, 2] > 0.27)))
    )

    # Without a seat under it a body stays up only with its weight above the feet: how far behind the heels it is.
    behind = _weight_behind_heels(joints, ankles, toes)
    deep = (thigh_tilt > np.radians(48)).any(1) & (share < 0.74)
    unseen_seat = deep & (behind > 0.02) & (pelvis[:, 2] > 0.3) & (tilt < LYING_TILT)
    # a high stool: level thighs below an upright trunk are more than anyone holds
    unseen_seat |= (thigh_tilt > np.radians(55)).all(1) & (tilt < np.radians(25)) & (share > 0.6) & (share < 0.86)
    seated = (rests & (tilt < np.radians(75))) | unseen_seat
    floor_seated = (pelvis[:, 2] < FLOOR_SEAT) & ~rests
    squat = (share < UPRIGHT_SHARE) & (knee_bend > SQUAT_KNEE).all(1) & (toes[..., 2] < 0.2).any(1)
    upright = share > UPRIGHT_SHARE
    bent = (upright | squat) & (tilt > BENT_TILT) & (share > 0.42)  # knees bent or not, the trunk reaches down

    kind = np.select(
        [lying, fours, kneel, floor_seated, seated, bent, squat, upright],
        [LYING, FOURS, KNEEL, FLOOR_SEATED, SEATED, BENT, SQUAT, UPRIGHT],
        default=UNCLEAR,
    )
    feet = np.minimum(ankles[..., 2] - ANKLE_HEIGHT, toes[..., 2]).min(1)
    return Postures(kind, support, legs_up, pelvis[:, 2], chest[:, 2], at("head")[:, 2], tilt, feet)


def posture_name(kind: int, support: Furniture | None, legs_up: bool, high: bool = False) -> str | None:
    """The taxonomy's posture for a kind at rest on ``support``; None where it has no word (squatting).

    high: whether the pelvis is higher than on a floor: then it lies on a bed that the room does not know.
    """
    if kind in (UPRIGHT, BENT):
        return "standing_on_floor"
    if kind == SEATED:
        if support is not None and support.cls == "bed":
            return "sitting_in_bed" if legs_up else "sitting_on_bed_edge"
        return SEAT_POSTURE.get(support.cls if support else "", "sitting_in_chair")
    if kind == LYING:
        return "laying_on_floor" if support is None and not high else "laying_in_bed"
    return {FLOOR_SEATED: "sitting_on_floor", KNEEL: "kneeling", FOURS: "crawling"}.get(kind)


def _support(
    pelvis: Array, ankles: Array, furniture: Sequence[Furniture], rolling: Sequence[Rolling]
) -> tuple[np.ndarray, np.ndarray]:
    """Index of what carries the pelvis (the nearest surface wins) and whether it carries the legs."""
    frames = len(pelvis)
    support, gap, legs = np.full(frames, -1), np.full(frames, np.inf), np.zeros(frames, bool)
    there = [(item, pelvis, ankles) for item in furniture]
    there += [(item.piece, item.seen(pelvis), item.seen(ankles)) for item in rolling]
    for index, (item, hips, feet) in enumerate(there):
        if item.seat_height is None:
            continue
        above = hips[:, 2] - item.seat_height
        # one can sit and lie anywhere on a bed
        seat = item.seat if item.seat is not None and item.cls != "bed" else Box(np.zeros(3), item.box.size)
        inside = _over(seat, item.box.to_local(hips), SEAT_MARGIN)
        carried = inside & (above > SEAT_RANGE[0]) & (above < SEAT_RANGE[1]) & (np.abs(above) < gap)
        local = item.box.to_local(feet)
        up = (_over(Box(np.zeros(3), item.box.size), local, 0.1) & (feet[..., 2] > item.seat_height - 0.06)).any(1)
        support[carried], gap[carried], legs[carried] = index, np.abs(above)[carried], up[carried]
    return support, legs


def _over(area: Box, points: Array, margin: float) -> np.ndarray:
    """Whether points in the furniture's frame [..., 3] are above an area of it, within a margin."""
    half = np.asarray(area.size)[:2] / 2 + margin
    return (np.abs(points[..., :2] - np.asarray(area.center)[:2]) <= half).all(-1)


# Shares of the body's mass carried by points between joints (after de Leva 1996, both sexes' mean, arms at the elbow).
_MASS = (
    ("head", "head", 0.07), ("neck", "spine3", 0.17), ("spine2", "spine1", 0.15), ("pelvis", "pelvis", 0.13),
    ("left_shoulder", "left_wrist", 0.05), ("right_shoulder", "right_wrist", 0.05),
    ("left_hip", "left_knee", 0.14), ("right_hip", "right_knee", 0.14),
    ("left_knee", "left_ankle", 0.05), ("right_knee", "right_ankle", 0.05),
)  # fmt: skip


def _weight_behind_heels(joints: Array, ankles: Array, toes: Array) -> Array:
    """How far the centre of mass is behind the heels [T], negative above the feet."""
    center = sum(share * (joints[:, JOINT[a]] + joints[:, JOINT[b]]) / 2 for a, b, share in _MASS)
    forward = (toes - ankles).mean(1)[:, :2]
    forward = forward / np.maximum(_length(forward), 1e-6)[:, None]
    along = ((np.asarray(center)[:, :2] - ankles.mean(1)[:, :2]) * forward).sum(-1)
    return -along - 0.05  # the heel is some 5 cm behind the ankle


def _length(vector: Array) -> Array:
    return np.linalg.norm(vector, axis=-1)


def _angle(a: Array, b: Array) -> Array:
    cosine = (a * b).sum(-1) / np.maximum(_length(a) * _length(b), 1e-9)
    return np.arccos(np.clip(cosine, -1, 1))


def _from_vertical(vector: Array) -> Array:
    return np.arccos(np.clip(vector[..., 2] / np.maximum(_length(vector), 1e-9), -1, 1))
