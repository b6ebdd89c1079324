"""How tall people are, and how large the room is: the floor tells how far away feet are, the picture the rest.

A depth network's metres are off by several per cent, and so are guesses of people's height. Both are believed as far as
they deserve: what all people have in common is mostly the room's scale, what tells them apart is theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synth.body.model import BodyModel
from synth.camera import Camera
from synth.interaction import Interaction
from synth.motion.proxies import Proxies, proxies_of
from synth.motion.quality import state_of
from synth.reconstruct.keypoints import Observed, coco_points
from synth.rotation import Array
from synth.skeleton import COCO_KEYPOINTS, JOINT

UPRIGHT = 0.85  # of the body's height, from soles to the head's joint, of who stands
HEAD = [COCO_KEYPOINTS.index(name) for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")]
ANKLES = [COCO_KEYPOINTS.index(name) for name in ("left_ankle", "right_ankle")]
SECONDS = 0.5  # of standing in view, without which nothing is said of somebody's height
PEOPLE = 0.06  # spread of adults' heights, as a share (one standard deviation)
FARTHEST = 0.2  # no height or scale is changed by more


def tallness(
    motion: Interaction, observed: Observed, camera: Camera, body: BodyModel, resting: np.ndarray
) -> Array:  # fmt: skip
    """By what factor people are taller than their bodies in the motion, as seen [P]; NaN of who never stands in view.

    Args:
        motion: on the floor (`grounding.stood`), in the camera's world. observed: the same people and frames.
        resting: bool [P, T], who is carried by furniture.
    """
    proxies = [proxies_of(body, betas) for betas in motion.betas]
    state = state_of(motion, proxies)
    points = coco_points(body, motion.betas).where(state).unflatten(0, (motion.people, -1)).transpose(1, 2).numpy()
    found, stands = np.full(motion.people, np.nan), upright(state.joints.numpy(), proxies)
    for person in range(motion.people):
        seen = observed.seen[person] >= 0.5
        both = seen[:, HEAD].any(1) & seen[:, ANKLES].all(1)
        frames = np.flatnonzero(motion.present[person] & ~resting[person] & stands[person] & both)
        if len(frames) < max(3, SECONDS * motion.fps):
            continue
        told, made = observed.keypoints[person, frames], points[person, frames].astype(float)
        # where the feet are seen is where they stand: bodies of the wrong height are not where they seem to be
        ankles = made[:, ANKLES].mean(1)
        eye, rays = camera.unproject(told[:, ANKLES].mean(1))
        reach = (ankles[:, 2] - eye[2]) / np.where(np.abs(rays[:, 2]) > 1e-6, rays[:, 2], np.nan)
        pixels = camera.project(made + (eye + reach[:, None] * rays - ankles)[:, None])[0]
        ratio = (_span(told, seen[frames]) / _span(pixels, seen[frames]))[reach > 0]
        if np.isfinite(ratio).sum() >= 3:
            found[person] = float(np.nanmedian(ratio))
    return found


def upright(joints: Array, proxies: Sequence[Proxies]) -> np.ndarray:
    """Bool [P, T]: whose head is as high above the lower foot as of who stands; joints [P, T, 24, 3], z is up."""
    ankles = [JOINT["left_ankle"], JOINT["right_ankle"]]
    rise = joints[:, :, JOINT["head"], 2] - joints[:, :, ankles, 2].min(-1)
    whole = [one.rest_joints[JOINT["head"], 1] - one.rest_joints[ankles[0], 1] for one in proxies]
    return rise > UPRIGHT * np.array(whole)[:, None]


def _span(points: Array, seen: np.ndarray) -> Array:
    """Pixels from the ankles' middle to what is seen of the head [T]; points [T, 17, 2], seen [T, 17]."""
    weight = seen[:, HEAD].astype(float)[..., None]
    head = (points[:, HEAD] * weight).sum(1) / weight.sum(1)
    return np.linalg.norm(head - points[:, ANKLES].mean(1), axis=-1)


def shared_scale(taller: Array, spread: float) -> tuple[float, Array]:
    """How much of people's tallness [P] is the scene's scale: the factor to enlarge it by, and what is left [P].

    The most likely shares under Gaussian beliefs about logarithms: of the scene `spread`, of everybody `PEOPLE`.

    Args:
        taller: of `tallness`; NaN says nothing. spread: of the scene's scale; 0 where it is known.
    """
    logs = np.log(taller[np.isfinite(taller)])
    if not len(logs):
        return 1.0, np.ones_like(taller)
    # in a scene that is k times too small everybody seems k times smaller
    belief = len(logs) * spread**2 / (len(logs) * spread**2 + PEOPLE**2)
    shared = float(np.clip(belief * logs.mean(), -FARTHEST, FARTHEST))
    own = np.where(
        np.isfinite(taller), np.clip(np.log(np.nan_to_num(taller, nan=1.0)) - shared, -FARTHEST, FARTHEST), 0
    )
    return float(np.exp(-shared)), np.exp(own)


def body_height(body: BodyModel, betas: Array) -> Array:
    """Metres [P] from sole to crown at rest; betas [P, 10]."""
    skin = np.asarray(body.shaped(np.asarray(betas, np.float32)), float)[:, : int(body.faces.max()) + 1, 1]
    return skin.max(1) - skin.min(1)


def betas_of_height(body: BodyModel, height: float) -> Array:
    """The likeliest shape [10] of that height, metres: the smallest betas that have it."""
    count = 10
    probes = np.concatenate((np.zeros((1, count)), np.eye(count), -np.eye(count)))
    heights = body_height(body, probes)
    slope = 0.5 * (heights[1 : count + 1] - heights[count + 1 :])
    return ((height - heights[0]) / (slope @ slope) * slope).astype(np.float32)
