"""Real motion on our body: the capture's posture transferred bone by bone, then refined on the floor.

`anatomy.transfer` gives directions and bends exactly; what it cannot know is where our soles, back and hands meet the
floor. `ground` puts the standing feet on z = 0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from synth.body import BodyModel
from synth.corpus import anatomy
from synth.corpus.capture import Capture
from synth.errors import BadOption
from synth.interaction import Interaction, Meta, single
from synth.skeleton import JOINT, facing_yaw, forward_kinematics, transform_root

LIBRARY_FPS = 20.0


def sole_height(body: BodyModel, betas: np.ndarray) -> float:
    """Height (metres, y of the rest pose) of the bare soles."""
    used = np.unique(body.faces)
    return float(body.shaped(betas)[used, 1].min())


def sole_points(body: BodyModel, betas: np.ndarray) -> dict[str, np.ndarray]:
    """Per side, heel and ball of the foot relative to the rest ankle [2, 3] metres, both on the sole."""
    rest = body.rest_joints(betas).astype(float)
    sole = sole_height(body, betas)
    points = {}
    for side in anatomy.SIDES:
        ankle, toes = rest[JOINT[f"{side}_ankle"]], rest[JOINT[f"{side}_foot"]]
        heel = np.array([ankle[0], sole, ankle[2] - 0.25 * (toes[2] - ankle[2])])
        points[side] = np.stack([heel, np.array([toes[0], sole, toes[2]])]) - ankle
    return points


def sole_heights(body: BodyModel, betas: np.ndarray, rotmats: np.ndarray, transl: np.ndarray) -> np.ndarray:
    """Heights [T, 2 sides, 2 (heel, ball)] of the soles in a motion, metres."""
    rest = body.rest_joints(betas).astype(float)
    joints, world = forward_kinematics(rotmats, rest, transl)
    heights = []
    for side, offsets in sole_points(body, betas).items():
        ankle = JOINT[f"{side}_ankle"]
        turned = np.einsum("tij,kj->tki", world[:, ankle], offsets)
        heights.append((joints[:, ankle, None] + turned)[..., 2])
    return np.stack(heights, 1)


def ground(capture: Capture, body: BodyModel, betas: np.ndarray, rotmats: np.ndarray, transl: np.ndarray) -> np.ndarray:
    """`transl` moved up or down so that the feet which stand in the capture stand on the floor z = 0."""
    heights = sole_heights(body, betas, rotmats, transl)
    lowest = [
        heights[anatomy.standing_frames(capture, side), index].min(-1) for index, side in enumerate(anatomy.SIDES)
    ]
    standing = np.concatenate(lowest)
    floor = np.median(standing) if len(standing) >= 5 else np.percentile(heights.min((1, 2)), 5)
    return transl - np.array([0.0, 0.0, floor])


def retarget(capture: Capture, body: BodyModel, betas: np.ndarray | None = None, fps: float = LIBRARY_FPS) -> Interaction:
    """A capture as motion of our body: feet on the floor z = 0, starting at the origin and facing +x.

    Args:
        capture: any skeleton that `anatomy.family_of` knows.
        body: the body model.
        betas: its shape [10]; the mean shape by default.
        fps: of the result, any positive number.

    Raises:
        anatomy.UnknownSkeleton: the capture's joints are foreign.
        BadOption: fps or betas out of range.
    """
    if not fps > 0:
        raise BadOption("fps", fps, "a positive number")
    shape = np.zeros(10) if betas is None else np.asarray(betas, float)
    if shape.shape != (10,):
        raise BadOption("betas", shape.shape, "shape (10,)")
    rest = body.rest_joints(shape).astype(float)
    sampled = capture.resample(fps)
    rotmats, transl = anatomy.transfer(sampled, rest)
    transl = ground(sampled, body, shape, rotmats, transl)
    rotmats, transl = normalise(rotmats, transl, rest)
    motion = single(fps, transl, rotmats, shape, Meta(roles=("person",), genders=("neutral",), body_model=body.name))
    return replace(motion)


def normalise(rotmats: np.ndarray, transl: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn and shift a motion so that its first frame stands over the origin and faces +x."""
    yaw = float(facing_yaw(rotmats[0, 0]))
    turn = np.array([[np.cos(yaw), np.sin(yaw), 0.0], [-np.sin(yaw), np.cos(yaw), 0.0], [0.0, 0.0, 1.0]])
    start = turn @ (rest[0] + transl[0])
    orient, moved = transform_root(turn, np.array([-start[0], -start[1], 0.0]), rest[0], rotmats[:, 0], transl)
    rotated = rotmats.copy()
    rotated[:, 0] = orient
    return rotated, moved
