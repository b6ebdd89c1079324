"""Where the floor is: a plane in a point cloud (thesis 4.3), and the height people's feet stand at.

The thesis regresses z on x and y, which has no answer for a camera that looks along the floor; here the axis with the
most inliers is regressed and the plane refined by total least squares. Its eq. 4.6 turns orientations the wrong way
round ((R O^-1)^-1 = O R^-1); a body that moves with the world turns by R O (`synth.skeleton.transform_root`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LinearRegression, RANSACRegressor

from synth.body import BodyModel
from synth.corpus import ground
from synth.corpus.retarget import surface_points
from synth.corpus.source import Rejected
from synth.interaction import Interaction
from synth.rotation import Array, rotation_between
from synth.skeleton import forward_kinematics

INLIER = 0.1  # metres, the thesis's
TRIALS = 200
SLOW = 0.2  # m/s: a sole point slower than this may stand
FLAT = 0.7  # cosine between the sole's normal and up


@dataclass(frozen=True)
class Plane:
    """Points p with ``normal`` . p + ``offset`` = 0; the unit normal points up. ``inliers``: share of the cloud."""

    normal: Array
    offset: float
    inliers: float

    def distance(self, points: Array) -> Array:
        """Signed heights [...] of points [..., 3] over the plane, metres."""
        return np.asarray(points) @ self.normal + self.offset

    def to_floor(self) -> tuple[Array, Array]:
        """R [3, 3] and t [3] of the move x' = R x + t that makes the plane z = 0 (thesis eq. 4.3 to 4.5)."""
        turn = rotation_between(self.normal, np.array([0.0, 0.0, 1.0]))
        return turn, np.array([0.0, 0.0, self.offset])


def fit_plane(
    points: Array, seed: np.random.SeedSequence, above: Array | None = None, threshold: float = INLIER
) -> Plane:
    """The plane most of a cloud [N, 3] (metres) lies on, by RANSAC.

    Args:
        seed: of the samples drawn.
        above: a point on the upper side [3]; the camera, at the origin, by default.
        threshold: metres a point of the floor may be off.

    Raises:
        Rejected: fewer than three finite points, all on a line, or less than a third of them on any one plane.
    """
    cloud = np.asarray(points, float).reshape(-1, 3)
    cloud = cloud[np.isfinite(cloud).all(1)]
    if len(cloud) < 3:
        raise Rejected(f"floor: {len(cloud)} finite points; a plane needs three")
    centre = cloud.mean(0)
    if np.linalg.svd(cloud - centre, compute_uv=False)[1] < 1e-6 * max(1.0, np.abs(cloud).max()):
        raise Rejected("floor: all points are on one line")
    state = int(seed.generate_state(1)[0])
    best: np.ndarray = np.zeros(len(cloud), bool)
    normal, offset = np.zeros(3), 0.0
    for axis in range(3):
        others = [a for a in range(3) if a != axis]
        model = RANSACRegressor(
            LinearRegression(), min_samples=3, residual_threshold=threshold, max_trials=TRIALS, random_state=state
        )
        try:
            model.fit(cloud[:, others], cloud[:, axis])
        except ValueError:  # no sample gave a plane of this form
            continue
        n = np.zeros(3)
        n[axis], n[others] = 1.0, -model.estimator_.coef_
        scale = float(np.linalg.norm(n))
        near = np.abs(cloud @ n - model.estimator_.intercept_) / scale < threshold
        if near.sum() > best.sum():
            best, normal, offset = near, n / scale, -float(model.estimator_.intercept_) / scale
    for _ in range(2):
        if best.sum() < max(3, len(cloud) / 3):
            raise Rejected(f"floor: {best.sum()} of {len(cloud)} points on the best plane; at least a third expected")
        middle = cloud[best].mean(0)
        normal = np.linalg.svd(cloud[best] - middle, full_matrices=False)[2][2]
        offset = -float(normal @ middle)
        best = np.abs(cloud @ normal + offset) < threshold
    top = np.zeros(3) if above is None else np.asarray(above, float)
    sign = -1.0 if normal @ top + offset < 0 else 1.0
    return Plane(sign * normal, sign * offset, float(best.mean()))


def level(motion: Interaction, plane: Plane, body: BodyModel) -> Interaction:
    """The motion in the world where the plane is the floor z = 0."""
    turn, shift = plane.to_floor()
    return motion.transform(turn, shift, np.asarray(body.rest_joints(motion.betas), float)[:, 0])


@dataclass(frozen=True)
class Skin:
    """Points on people's skin over time: ``soles`` [4, T, 3], ``flat`` [4, T] (cosine of the sole to the floor), and
    ``lowest`` [T], the height of the lowest of 200 points all over the body."""

    soles: Array
    flat: Array
    lowest: Array


def skin_of(body: BodyModel, betas: Array, rotations: Array, transl: Array) -> Skin:
    """Of one person: rotations [T, 24, 3, 3], transl [T, 3]."""
    joints, world = forward_kinematics(rotations, np.asarray(body.rest_joints(betas), float), transl)
    ids, offsets = ground.sole_points(body, betas)
    soles = joints[:, ids] + np.einsum("tnij,nj->tni", world[:, ids], offsets)
    skin_ids, skin_offsets = surface_points(body, betas)
    heights = joints[:, skin_ids, 2] + np.einsum("tnj,nj->tn", world[:, skin_ids, 2], skin_offsets)
    lowest = np.minimum(heights.min(1), soles[..., 2].min(1))
    return Skin(np.swapaxes(soles, 0, 1), world[:, ids, 2, 1].T, lowest)


def floor_height(people: list[Skin], fps: float) -> float:
    """The height of the floor under people who share it: the lowest level at which soles rest.

    A foot that rests on a step or a rung is above the floor, so among the heights of resting, level soles the lowest
    cluster counts; whoever never stands (lies, crawls) lies on it. Nothing may stay below it.
    """
    resting: list[Array] = []
    for skin in people:
        moving = np.gradient(skin.soles, axis=1) * fps if skin.soles.shape[1] > 1 else np.zeros_like(skin.soles)
        still = (np.linalg.norm(moving, axis=-1) < SLOW) & (skin.flat > FLAT)
        resting.append(skin.soles[..., 2][still])
    lowest = min(float(np.percentile(skin.lowest, 5)) for skin in people)
    heights = np.concatenate(resting)
    if len(heights) < max(5, 0.2 * fps):
        return lowest
    low = float(np.percentile(heights, 10))
    stand = float(np.median(heights[heights < low + 0.03]))
    return min(stand, lowest + 0.03)
