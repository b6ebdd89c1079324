"""2D keypoints as evidence: where COCO's points are on a body, and how far from its annotations a motion projects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from synth.body.model import BodyModel
from synth.camera import Camera
from synth.errors import BadOption
from synth.motion.contact import Points
from synth.motion.fit import State
from synth.reconstruct.projection import Optics
from synth.rotation import Array
from synth.skeleton import COCO_KEYPOINTS, JOINT

# Share of a person's height on the picture by which a carefully annotated point is off from ours (COCO's keypoint
# similarity has 0.026 to 0.107 of the root of the area): annotators' hips are not SMPL's joints.
SPREAD = {"nose": 0.02, "eye": 0.02, "ear": 0.025, "shoulder": 0.02, "elbow": 0.018, "wrist": 0.016, "hip": 0.028,
          "knee": 0.022, "ankle": 0.022}  # fmt: skip
HIDDEN = 2.5  # times as far off is a point that was annotated where it cannot be seen


@dataclass(frozen=True)
class Observed:
    """What was annotated, or detected, of P people over T frames of a fixed camera's video.

    Attributes:
        fps: frames a second.
        keypoints: [P, T, 17, 2] pixels in COCO's order; anything where `seen` is 0.
        seen: [P, T, 17] confidence: 0 not labelled, below 0.5 labelled where it cannot be seen, up to 1.
        boxes: [P, T, 4] x, y, width, height in pixels; NaN where the person is not annotated.
    """

    fps: float
    keypoints: Array
    seen: Array
    boxes: Array

    def __post_init__(self) -> None:
        people, frames = self.keypoints.shape[:2]
        shapes = {"keypoints": (people, frames, 17, 2), "seen": (people, frames, 17), "boxes": (people, frames, 4)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise BadOption(f"Observed.{name}", getattr(self, name).shape, f"shape {shape}")
        if not np.isfinite(self.keypoints[self.seen > 0]).all():
            raise BadOption("Observed.keypoints", "NaN or infinity", "finite pixels where they are seen")
        unsized = (self.seen > 0).any((1, 2)) & ~np.isfinite(self.boxes).all(-1).any(1)
        if unsized.any():  # nothing would say how exact the points are
            raise BadOption("Observed.boxes", f"person {int(unsized.argmax())}: none", "a box in some frame")

    @property
    def people(self) -> int:
        return int(self.keypoints.shape[0])

    @property
    def frames(self) -> int:
        return int(self.keypoints.shape[1])

    @property
    def sizes(self) -> Array:
        """People's heights on the picture [P, T], pixels: the longer side of the box, a person's median without."""
        size = np.nanmax(np.where(np.isfinite(self.boxes[..., 2:]), self.boxes[..., 2:], np.nan), -1, initial=-np.inf)
        size = np.where(np.isfinite(size), size, np.nan)
        usual = np.nanmedian(size, axis=1, keepdims=True)
        return np.where(np.isfinite(size), size, usual)


def through_lens(observed: Observed, camera: Camera) -> Observed:
    """Without points of which the camera has no ray: no body could be seen there."""
    rays = np.isfinite(camera.unproject(np.nan_to_num(observed.keypoints))[1]).all(-1)
    return replace(observed, seen=np.where(rays, observed.seen, 0.0))


def coco_points(body: BodyModel, betas: Array) -> Points:
    """COCO's 17 keypoints of P people with bodies betas [P, 10], person by person, fixed to joints [P * 17].

    Limbs' points are SMPL's joints; those of the face are the landmarks' places in the head's frame.
    """
    rest, shaped = np.asarray(body.rest_joints(betas), float), np.asarray(body.shaped(betas), float)
    entries = []
    for person in range(len(rest)):
        for name in COCO_KEYPOINTS:
            if name in body.landmarks:
                place = shaped[person, list(body.landmarks[name])].mean(0)
                entries.append((person, JOINT["head"], place - rest[person, JOINT["head"]], np.zeros(3)))
            else:
                entries.append((person, JOINT[name], np.zeros(3), np.zeros(3)))
    return Points.of(entries)


def deviation(observed: Observed) -> Array:
    """By how many pixels annotations are believed to be off, one standard deviation [P, T, 17]; infinite if unseen."""
    spread = np.array([SPREAD[name.split("_")[-1]] for name in COCO_KEYPOINTS])
    sigma = spread * observed.sizes[..., None]
    sigma = np.where(observed.seen < 0.5, HIDDEN * sigma, sigma / np.sqrt(np.clip(observed.seen, 0.5, 1.0)))
    return np.where(observed.seen > 0, sigma, np.inf)


@dataclass(frozen=True)
class Reprojection:
    """Points project to annotated pixels, but for annotations that are wrong (Geman and McClure 1987).

    points N; pixels [N, T, 2]; sigma [N, T] pixels, infinite where nothing is annotated. A point `outlier` standard
    deviations off pulls less the farther it is: what was annotated under a blanket, or on somebody else.
    """

    points: Points
    pixels: Tensor
    sigma: Tensor
    optics: Optics
    outlier: float = 4.0
    name: str = "reprojection"

    @staticmethod
    def of(observed: Observed, points: Points, optics: Optics, outlier: float = 4.0) -> Reprojection:
        """From annotations of the same people as the points, in the same order."""
        pixels = torch.from_numpy(np.nan_to_num(observed.keypoints)).float().transpose(1, 2).flatten(0, 1)
        sigma = torch.from_numpy(deviation(observed)).float().transpose(1, 2).flatten(0, 1)
        return Reprojection(points, pixels, sigma, optics, outlier)

    def errors(self, state: State) -> Tensor:
        """Pixels [N, T] between a point's projection and its annotation, whether or not it is annotated."""
        return (self.optics.project(self.points.where(state))[0] - self.pixels).norm(dim=-1)

    def residual(self, state: State) -> Tensor:
        pixels, _ = self.optics.project(self.points.where(state))
        off = (pixels - self.pixels) / self.sigma[..., None]
        square = (off * off).sum(-1, keepdim=True)
        return off / (1 + square / self.outlier**2).sqrt()


def projected(state: State, points: Points, optics: Optics, people: int) -> Array:
    """Pixels [P, T, 17, 2] of everybody's COCO keypoints; NaN behind the camera."""
    with torch.no_grad():
        pixels, depth = optics.project(points.where(state))
    found = torch.where((depth > 0)[..., None], pixels, torch.nan)
    return found.unflatten(0, (people, len(COCO_KEYPOINTS))).transpose(1, 2).numpy().astype(float)


def reprojection_error(seen: Array, pixels: Array, observed: Observed) -> Sequence[float]:
    """Mean pixels between projections [P, T, 17, 2] and annotations where seen [P, T, 17] is positive, a person."""
    off = np.linalg.norm(pixels - observed.keypoints, axis=-1)
    return [float(np.nanmean(off[p][seen[p] > 0])) if (seen[p] > 0).any() else float("nan") for p in range(len(off))]
