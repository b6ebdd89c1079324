"""The labels of one clip, computed from the geometry that was rendered. No Blender here: rays come in as a function.

Pixels are ``synth.camera``'s: pixel centres at whole numbers, the image spans [-0.5, W - 0.5] x [-0.5, H - 0.5].
Boxes are x0, y0, x1, y1 of the outer pixel edges. docs/labels.md describes every array.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from synth.camera import Camera
from synth.skeleton import COCO_KEYPOINTS, SMPL_JOINTS

SCHEMA_VERSION = 1
ABSENT, OCCLUDED, VISIBLE = 0, 1, 2
MAX_PEOPLE = 254  # ids are uint8, 0 is the background

# A joint sits inside the body. Its ray counts as seen when it first meets the same person this near to it: a multiple
# of the joint's distance to the nearest skin (rays meet the skin at a slant), and what clothes stand off: nothing much
# at the face and hands, more over joints that lie deep (loose trousers over a knee).
DEPTH_FACTOR = 2.0
MARGIN_DEPTHS, MARGINS = (0.01, 0.03), (0.04, 0.09)  # metres: depth of the joint, margin; linear in between
# A point on the outline (the nose from the side) may be missed by a hair; rays this far beside it count as well.
NEAR_MISS = 0.012  # metres
GRAZING = 0.03  # metres more that such a ray may go before it meets a round limb

# origin [3], unit directions [N, 3], reach [N] -> distance [N] (inf: nothing), person's mask id [N] (0: no person)
RayCaster = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class PersonFrame:
    """One person at one instant, metres in the world.

    Attributes:
        surface: the vertices of what is drawn of the person [V, 3].
        keypoints: COCO-17 [17, 3].
        joints: SMPL-24 [24, 3].
        keypoint_depth, joint_depth: how deep each lies in the resting body [17], [24].
    """

    surface: np.ndarray
    keypoints: np.ndarray
    joints: np.ndarray
    keypoint_depth: np.ndarray
    joint_depth: np.ndarray


@dataclass
class LabelTable:
    """Fills the arrays of ``labels.npz`` frame by frame: T frames, P people."""

    frames: int
    people: int
    fps: float
    arrays: dict[str, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        if self.people > MAX_PEOPLE:
            raise ValueError(f"{self.people} people; masks hold at most {MAX_PEOPLE}")
        t, p, k, j = self.frames, self.people, len(COCO_KEYPOINTS), len(SMPL_JOINTS)
        self.arrays = {
            "time": (np.arange(t) / self.fps).astype(np.float64),
            "mask_id": np.arange(1, p + 1, dtype=np.uint8),
            "present": np.zeros((t, p), bool),
            "box": np.zeros((t, p, 4), np.float32),
            "box_amodal": np.zeros((t, p, 4), np.float32),
            "truncated": np.zeros((t, p), bool),
            "visible_pixels": np.zeros((t, p), np.int32),
            "keypoints": np.zeros((t, p, k, 3), np.float32),
            "keypoints_world": np.zeros((t, p, k, 3), np.float32),
            "joints_2d": np.zeros((t, p, j, 2), np.float32),
            "joints_depth": np.zeros((t, p, j), np.float32),
            "joints_visibility": np.zeros((t, p, j), np.uint8),
            "joints_world": np.zeros((t, p, j, 3), np.float32),
            "action": np.full((t, p), -1, np.int16),
            "posture": np.full((t, p), -1, np.int16),
            "contact": np.zeros((t, 0), bool),
        }

    def add(
        self, frame: int, people: Sequence[PersonFrame | None], ids: np.ndarray, camera: Camera, cast: RayCaster
    ) -> None:
        """Label one frame; ``None`` stands for a person who is not there, ``ids`` is the mask [H, W]."""
        a = self.arrays
        for person, body in enumerate(people):
            if body is None:
                continue
            number = person + 1
            a["present"][frame, person] = True
            a["visible_pixels"][frame, person], a["box"][frame, person] = mask_box(ids == number)
            a["box_amodal"][frame, person], a["truncated"][frame, person] = amodal_box(body.surface, camera)
            pixels, depth, seen = project_joints(body.keypoints, body.keypoint_depth, number, camera, cast)
            a["keypoints"][frame, person, :, :2] = np.where(seen[:, None] > 0, pixels, 0)
            a["keypoints"][frame, person, :, 2] = seen
            a["keypoints_world"][frame, person] = body.keypoints
            pixels, depth, seen = project_joints(body.joints, body.joint_depth, number, camera, cast)
            a["joints_2d"][frame, person] = np.nan_to_num(pixels)
            a["joints_depth"][frame, person] = depth
            a["joints_visibility"][frame, person] = seen
            a["joints_world"][frame, person] = body.joints


def mask_box(mask: np.ndarray) -> tuple[int, np.ndarray]:
    """Number of pixels of a mask [H, W] and the box of their outer edges [4]; zeros where there is none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0, np.zeros(4, np.float32)
    box = np.array([columns[0] - 0.5, rows[0] - 0.5, columns[-1] + 0.5, rows[-1] + 0.5], np.float32)
    return int(np.count_nonzero(mask)), box


def amodal_box(surface: np.ndarray, camera: Camera) -> tuple[np.ndarray, bool]:
    """The box around the whole projected surface [V, 3], hidden parts included, not cut at the image's edge.

    Returns:
        [4] and whether some of the body is outside the image or where the camera cannot see (its box then holds the
        rest); zeros if the camera sees no direction of it.
    """
    pixels, _, valid = camera.project(surface)
    if not valid.any():
        return np.zeros(4, np.float32), True
    low, high = np.nanmin(pixels[valid], 0), np.nanmax(pixels[valid], 0)
    inside = valid.all() and bool(camera.inside(np.stack([low, high])).all())
    return np.concatenate([low, high]).astype(np.float32), not inside


def project_joints(
    points: np.ndarray, depth_in_body: np.ndarray, number: int, camera: Camera, cast: RayCaster
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels [N, 2] (NaN where the camera cannot look), depth [N] in metres and COCO visibility [N] of joints [N, 3].

    0: outside the image or behind the camera; 1: something else, or another part of the same body, is in front;
    2: the ray to the joint first meets this person (mask id ``number``) right at the joint.
    """
    pixels, depth, valid = camera.project(points)
    state = np.where(valid & camera.inside(pixels), OCCLUDED, ABSENT).astype(np.uint8)
    judged = np.flatnonzero(state)
    if len(judged):
        slack = slack_of(depth_in_body[judged])
        seen = _first_hit_is_here(points[judged], slack, number, camera.position, cast)
        state[judged[seen]] = VISIBLE
    return pixels, depth, state


def slack_of(depth: np.ndarray) -> np.ndarray:
    """How far before a joint its ray may meet the person and still show the joint: depth in the body [N] to metres."""
    return DEPTH_FACTOR * depth + np.interp(depth, MARGIN_DEPTHS, MARGINS)


def _first_hit_is_here(
    points: np.ndarray, slack: np.ndarray, number: int, eye: np.ndarray, cast: RayCaster
) -> np.ndarray:
    offset = points - eye
    far = np.linalg.norm(offset, axis=-1)
    direction = offset / far[:, None]
    distance, met = cast(eye, direction, far + slack)
    seen = (met == number) & (np.abs(distance - far) <= slack)
    missed = np.flatnonzero(~seen & (distance > far - NEAR_MISS))
    if len(missed):
        side = np.cross(direction[missed], [0.0, 0.0, 1.0])
        side /= np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-9)
        up = np.cross(side, direction[missed])
        allowed = slack[missed] + GRAZING
        for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            beside = offset[missed] + NEAR_MISS * (x * side + y * up)
            length = np.linalg.norm(beside, axis=-1)
            distance, met = cast(eye, beside / length[:, None], length + allowed)
            seen[missed] |= (met == number) & (np.abs(distance - length) <= allowed)
    return seen


def depth_in_body(points: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Distance of each point [N, 3] to the nearest skin vertex [V, 3], metres [N]."""
    return np.array([np.sqrt(((skin - point) ** 2).sum(-1).min()) for point in points])


def contact_frames(spans: Sequence[tuple[float, float]], times: np.ndarray) -> np.ndarray:
    """Whether each contact (start, end seconds) holds at each time [T]: bool [T, C]; its end is the first without."""
    if not spans:
        return np.zeros((len(times), 0), bool)
    start, end = np.array(spans, dtype=float).T
    return (times[:, None] >= start - 1e-6) & (times[:, None] < end - 1e-6)
