"""People from keypoints alone: poses that are known to happen, looked up by how they would look.

Without a regressor's weights a fit to keypoints needs a start, and descends to the wrong minimum from a wrong one
(left and right, near and far look much alike). So the start is not one pose in a few directions: every frame is
compared with thousands of poses of the motion library, seen from all sides under weak perspective, and the cheapest
way through all frames is taken (Viterbi). This is 3D pose estimation by matching (Chen and Ramanan, CVPR 2017), over
time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import median_filter

from synth.body.model import BodyModel
from synth.camera import Camera
from synth.corpus.library import LibraryEntry, library
from synth.errors import BadOption
from synth.interaction import Interaction, Meta
from synth.motion.fit import State
from synth.motion.kinematics import forward_kinematics
from synth.reconstruct.keypoints import Observed, coco_points, deviation
from synth.rotation import Array, matrix_to_axis_angle, yaw_matrix
from synth.skeleton import facing_yaw

EXEMPLARS = 500  # poses
YAWS = 16  # sides from which each is seen
KEPT = 60  # candidates a frame that may be on the way
LIKELY = 1.5  # m/s that joints change their place about the pelvis from frame to frame, one standard deviation
MEDIAN = 1.0  # seconds over which distances are evened


@dataclass(frozen=True)
class Exemplars:
    """Poses that face +x: rotmats [E, 24, 3, 3] local; points [E, 17, 3], COCO's about the pelvis, metres."""

    rotmats: Array
    points: Array

    @staticmethod
    def of(motions: list[Interaction], body: BodyModel, count: int = EXEMPLARS) -> Exemplars:
        """As different ones as there are: each next is the farthest from all that were taken."""
        turns, places = [], []
        for motion in motions:
            rest = torch.from_numpy(np.asarray(body.rest_joints(motion.betas), np.float32))
            rotmats_of = torch.from_numpy(motion.rotations().astype(np.float32))
            joints, spun = forward_kinematics(rotmats_of, rest[:, None], torch.from_numpy(motion.transl))
            state = State(motion.fps, rotmats_of, torch.from_numpy(motion.transl), joints, spun)
            points = coco_points(body, motion.betas).where(state).unflatten(0, (motion.people, 17)).transpose(1, 2)
            here = motion.present
            turns.append(rotmats_of.numpy()[here].astype(float))
            places.append((points - joints[:, :, :1]).numpy()[here].astype(float))
        rotmats, found = np.concatenate(turns), np.concatenate(places)
        back = np.stack([yaw_matrix(-yaw) for yaw in facing_yaw(rotmats[:, 0])])
        rotmats[:, 0] = back @ rotmats[:, 0]
        found = np.einsum("eij,ekj->eki", back, found)
        chosen = _spread_out(found.reshape(len(found), -1), count)
        return Exemplars(rotmats[chosen], found[chosen])


def _spread_out(points: Array, count: int) -> np.ndarray:
    """Indices of farthest point sampling (Gonzalez 1985), from the one nearest to the mean."""
    first = int(((points - points.mean(0)) ** 2).sum(1).argmin())
    chosen, far = [first], ((points - points[first]) ** 2).sum(1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(far.argmax()))
        far = np.minimum(far, ((points - points[chosen[-1]]) ** 2).sum(1))
    return np.array(chosen)


def library_poses(body: BodyModel, without: Callable[[LibraryEntry], bool] | None = None) -> Exemplars:
    """Of the motions in the package, three frames a second, but for those that `without` is true of."""
    entries = [entry for entry in library() if without is None or not without(entry)]
    return Exemplars.of([entry.load().resample(3.0) for entry in entries], body)


def lifted(observed: Observed, camera: Camera, body: BodyModel, betas: Array, exemplars: Exemplars) -> Interaction:
    """A rough motion of everybody, in the camera's world, from keypoints alone.

    Args:
        observed: of P people; frames in which somebody has fewer than four points are filled from their neighbours.
        camera: calibrated, with its pose in a world whose z is up.
        betas: [P, 10] the people's bodies, which decide how far away they are.
        exemplars: poses to choose from, such as `library_poses`.

    Returns:
        Poses of the library, one a frame: to be refined (`synth.reconstruct.people`).

    Raises:
        BadOption: somebody has no frame with four points.
    """
    sigma = deviation(observed)
    transl, orient, pose, present = [], [], [], []
    for person in range(observed.people):
        usable = np.flatnonzero((observed.seen[person] > 0).sum(-1) >= 4)
        if not len(usable):
            raise BadOption("observed.keypoints", f"person {person}: never four points", "four or more in some frame")
        rest = np.asarray(body.rest_joints(betas[person]), float)[0]
        rotmats, pelvis = _way(
            observed.keypoints[person, usable], sigma[person, usable], camera, exemplars, usable / observed.fps
        )
        at = np.searchsorted(usable, np.arange(observed.frames)).clip(0, len(usable) - 1)
        everywhere = np.stack([np.interp(np.arange(observed.frames), usable, column) for column in pelvis.T], -1)
        axis = matrix_to_axis_angle(rotmats)[at].astype(np.float32)
        transl.append(everywhere - rest)
        orient.append(axis[:, 0])
        pose.append(axis[:, 1:].reshape(observed.frames, 69))
        present.append(np.ones(observed.frames, bool))
    roles, genders = ("person",) * observed.people, ("neutral",) * observed.people
    return Interaction(
        observed.fps, np.stack(transl).astype(np.float32), np.stack(orient), np.stack(pose),
        np.asarray(betas, np.float32), np.stack(present), Meta(roles=roles, genders=genders),
    )  # fmt: skip


def _way(pixels: Array, sigma: Array, camera: Camera, exemplars: Exemplars, times: Array) -> tuple[Array, Array]:
    """Rotations [T, 24, 3, 3] and pelvis [T, 3] of one person in the world; points [T, 17, 2], sigmas [T, 17]."""
    turns = np.stack([yaw_matrix(yaw) for yaw in np.arange(YAWS) * 2 * np.pi / YAWS])
    points = np.einsum("yij,ekj->eyki", turns, exemplars.points).reshape(-1, 17, 3)
    costs, places, kept = [], [], []
    for frame in range(len(pixels)):
        cost, place = _match(pixels[frame], sigma[frame], camera, points)
        best = np.argpartition(cost, KEPT)[:KEPT]
        kept.append(best)
        costs.append(cost[best])
        places.append(place[best])
    path = _cheapest(costs, [points[best] for best in kept], times)
    chosen = np.array([kept[frame][at] for frame, at in enumerate(path)])
    rotmats = exemplars.rotmats[chosen // YAWS].copy()
    rotmats[:, 0] = turns[chosen % YAWS] @ rotmats[:, 0]
    pelvis = np.stack([places[frame][at] for frame, at in enumerate(path)])
    away = np.linalg.norm(pelvis - camera.position, axis=-1)
    even = median_filter(away, size=_odd(MEDIAN, times), mode="nearest")
    return rotmats, camera.position + (pelvis - camera.position) * (even / away)[:, None]


def _odd(seconds: float, times: Array) -> int:
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    return 2 * round(0.5 * seconds / step) + 1


def _match(pixels: Array, sigma: Array, camera: Camera, points: Array) -> tuple[Array, Array]:
    """How badly candidates [C, 17, 3] fit one frame's points [17, 2], and where their pelvis would be [C, 3].

    Weak perspective about the points' middle: the ray to it is the axis of a virtual camera, in which candidates are
    scaled and shifted to fit best (closed form).
    """
    seen = np.isfinite(sigma)
    _, rays = camera.unproject(pixels[seen])
    weight = 1.0 / sigma[seen] ** 2
    axis = np.average(rays, axis=0, weights=weight)
    axis /= np.linalg.norm(axis)
    across = np.cross(axis, [0.0, 0.0, 1.0])
    across = across / np.linalg.norm(across) if np.linalg.norm(across) > 1e-6 else np.array([1.0, 0.0, 0.0])
    view = np.stack([across, np.cross(axis, across)])  # right and down of the virtual camera
    flat = (rays @ view.T) / (rays @ axis)[:, None]  # [K, 2]
    shapes = points[:, seen] @ view.T  # [C, K, 2] metres
    share = weight / weight.sum()
    middle, centre = np.einsum("k,ckd->cd", share, shapes), share @ flat
    a, b = shapes - middle[:, None], flat - centre
    scale = np.einsum("k,ckd,kd->c", share, a, b) / np.maximum(np.einsum("k,ckd->c", share, a * a), 1e-9)
    scale = np.maximum(scale, 1e-3)  # one over metres
    off = np.square(scale[:, None, None] * a - b).sum(-1)
    spread = (sigma[seen] / camera.K[0, 0]) ** 2
    cost = (off / (spread + off / 25)).sum(-1)  # a single wrong point counts 25 at most
    distance = 1.0 / scale
    pelvis = axis * distance[:, None] + (centre - scale[:, None] * middle) @ view * distance[:, None]
    return cost, camera.position + pelvis


def _cheapest(costs: list[Array], shapes: list[Array], times: Array) -> list[int]:
    """Which candidate of each frame: the way of the lowest total of costs and of changes of shape (Viterbi)."""
    total, back = costs[0], []
    for frame in range(1, len(costs)):
        step = LIKELY * max(times[frame] - times[frame - 1], 1e-3)
        a, b = shapes[frame - 1].reshape(len(total), -1), shapes[frame].reshape(len(costs[frame]), -1)
        change = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
        through = total[:, None] + np.maximum(change, 0) / step**2
        back.append(through.argmin(0))
        total = through.min(0) + costs[frame]
    path = [int(total.argmin())]
    for came in reversed(back):
        path.append(int(came[path[-1]]))
    return path[::-1]
