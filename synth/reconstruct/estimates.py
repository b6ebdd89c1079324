"""Poses of everybody from a regressor, box by box, placed in the camera's world."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from synth.body.model import BodyModel
from synth.camera import Camera
from synth.errors import BadOption
from synth.interaction import Interaction, Meta
from synth.reconstruct.crop import Crop, crop_of_box, crop_person, place
from synth.reconstruct.hmr2 import Estimate
from synth.reconstruct.keypoints import Observed
from synth.rotation import Array, matrix_to_axis_angle

BATCH = 8  # crops that the network sees together


class Regressor(Protocol):
    """A network that sees a crop: HMR2.0 (`hmr2.HMR2`), or another behind the same call."""

    def predict(self, images: Tensor) -> Estimate: ...


def estimated_crops(
    frames: Iterable[np.ndarray], observed: Observed, network: Regressor, report: Callable[[int], None] | None = None
) -> tuple[Array, Array, Array]:
    """What the network says of every annotated box.

    Args:
        frames: uint8 [H, W, 3], one for each frame of `observed`.
        report: called with the number of frames that are done.

    Returns:
        rotmats [P, T, 24, 3, 3] in each crop's camera, shape [P, 10] (mean over the frames) and crop cameras
        [P, T, 3]; NaN where there is no box.
    """
    people, count = observed.people, observed.frames
    rotmats, cameras = np.full((people, count, 24, 3, 3), np.nan), np.full((people, count, 3), np.nan)
    betas = np.full((people, count, 10), np.nan)
    at: list[tuple[int, int]] = []
    crops: list[Tensor] = []

    def solve() -> None:
        if not crops:
            return
        found = network.predict(torch.stack(crops))
        for row, (person, frame) in enumerate(at):
            rotmats[person, frame] = found.rotmats[row].numpy(force=True)
            betas[person, frame] = found.betas[row].numpy(force=True)
            cameras[person, frame] = found.camera[row].numpy(force=True)
        at.clear()
        crops.clear()

    there = np.isfinite(observed.boxes).all(-1)
    number = -1
    for number, image in enumerate(frames):
        if number == count:
            break
        for person in np.flatnonzero(there[:, number]):
            at.append((int(person), number))
            crops.append(crop_person(image, _crops(observed.boxes[person, number])))
            if len(crops) == BATCH:
                solve()
        if report is not None:
            report(number + 1)
    solve()
    if number + 1 < count:
        raise BadOption("frames", number + 1, f"{count}, as annotated")
    shape = np.stack(
        [row[mine].mean(0) if mine.any() else np.zeros(10) for row, mine in zip(betas, there, strict=True)]
    )
    return rotmats, shape, cameras


def placed(
    rotmats: Array, cameras: Array, observed: Observed, camera: Camera, body: BodyModel, betas: Array
) -> Interaction:
    """Estimates of crops (`estimated_crops`) as a motion in the world of the camera; present where there are any.

    Args:
        betas: [P, 10] of `body`.
    """
    people, count = observed.people, observed.frames
    rest = np.asarray(body.rest_joints(betas), float)[:, 0]
    transl, turned = np.zeros((people, count, 3)), np.tile(np.eye(3), (people, count, 24, 1, 1))
    present = np.zeros((people, count), bool)
    for person in range(people):
        there = np.isfinite(observed.boxes[person]).all(-1) & np.isfinite(rotmats[person]).all((1, 2, 3))
        if not there.any():
            continue
        crop = _crops(observed.boxes[person, there])
        orient, where = place(camera, crop, rotmats[person, there, 0], cameras[person, there], rest[person])
        good = np.isfinite(where).all(-1) & np.isfinite(orient).all((-1, -2))
        frames = np.flatnonzero(there)[good]
        turned[person, frames] = rotmats[person, frames]
        turned[person, frames, 0] = orient[good]
        transl[person, frames] = where[good]
        present[person, frames] = True
    pose = matrix_to_axis_angle(turned).astype(np.float32)
    return Interaction(
        observed.fps, transl.astype(np.float32), pose[:, :, 0], pose[:, :, 1:].reshape(people, count, 69),
        np.asarray(betas, np.float32), present, Meta(roles=("person",) * people, genders=("neutral",) * people),
    )  # fmt: skip


def _crops(boxes: Array) -> Crop:
    """Of boxes [..., 4] as x, y, width, height."""
    return crop_of_box(np.concatenate((boxes[..., :2], boxes[..., :2] + boxes[..., 2:]), -1))
