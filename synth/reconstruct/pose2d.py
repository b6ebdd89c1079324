"""COCO's 17 keypoints of people on a fixed camera's video (ViTPose, Xu et al. 2022, and ViTPose++, 2023)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from synth.errors import BadFile, BadOption
from synth.reconstruct.detect import DETECTOR, Progress, batches, boxes_of, linked, load_detector
from synth.reconstruct.inputs import HIDDEN
from synth.reconstruct.keypoints import Observed
from synth.reconstruct.models import CONFIG, BadOutput, Kind, loaded, located
from synth.rotation import Array
from synth.skeleton import COCO_KEYPOINTS

POSE = "usyd-community/vitpose-base-simple"
KIND = Kind("a ViTPose network", ("POSE_ESTIMATION",), (POSE,), ("vitpose",))
LEAST = 0.3  # height of the heat map's peak below which a point is not believed
COCO_EXPERT = 0  # of ViTPose++'s mixture of experts, the one that learned COCO
CONTEXT = 1.25  # the network sees so many times the box
SLACK = 0.02  # of what the network sees, that a refined peak may be outside of it


@dataclass(frozen=True)
class PoseNetwork:
    """ViTPose, ready: its image processor, itself, and whether it is a mixture of experts (ViTPose++)."""

    processor: Any
    network: Any
    experts: bool

    def points(self, frames: Sequence[np.ndarray], boxes: Sequence[Array]) -> list[tuple[Array, Array]]:
        """COCO's keypoints of the people on each frame.

        Args:
            frames: T of uint8 [H, W, 3], RGB.
            boxes: T of [N, 4], x, y, width, height in pixels, partly inside the picture.

        Returns:
            For each frame keypoints [N, 17, 2] in pixels (pixel centres have whole coordinates) and confidences
            [N, 17] as `Observed.seen`: the peak of the heat map, which is near 1 where a point is plain to see and
            below 0.5 where the network guesses; 0 below `LEAST`; at most `HIDDEN` for a point outside the picture.

        Raises:
            BadOutput: the network's heat maps are not finite.
        """
        import torch

        none = (np.zeros((0, 17, 2)), np.zeros((0, 17)))
        found, busy = [none] * len(frames), [at for at, some in enumerate(boxes) if len(some)]
        if not busy:
            return found
        asked = [boxes[at].tolist() for at in busy]
        with torch.inference_mode():
            pixels = self.processor(images=[frames[at] for at in busy], boxes=asked, return_tensors="pt")
            crops = pixels["pixel_values"].to(self.network.device)
            experts = torch.full((len(crops),), COCO_EXPERT, device=crops.device) if self.experts else None
            seen = self.network(pixel_values=crops, dataset_index=experts)
            if not torch.isfinite(seen.heatmaps).all():
                raise BadOutput("keypoints: the network's heat maps are not finite; its weights or the device's "
                                "precision are broken")  # fmt: skip
            people = self.processor.post_process_pose_estimation(seen, boxes=asked)
        for at, some in zip(busy, people, strict=True):
            points = np.stack([one["keypoints"].numpy() for one in some]).astype(float)
            peaks = np.stack([one["scores"].numpy().reshape(-1) for one in some]).astype(float)
            found[at] = points, self._confidence(points, peaks, boxes[at], frames[at].shape)
        return found

    def _confidence(self, points: Array, peaks: Array, boxes: Array, shape: tuple[int, ...]) -> Array:
        """[N, 17], see `points`; peaks [N, 17] of heat maps at points [N, 17, 2], a picture of this shape."""
        size, centre = boxes[:, 2:], boxes[:, :2] + boxes[:, 2:] / 2
        aspect = self.processor.size["width"] / self.processor.size["height"]
        crop = np.stack([np.maximum(size[:, 0], size[:, 1] * aspect), np.maximum(size[:, 1], size[:, 0] / aspect)], 1)
        # The peak is refined by a Newton step, which runs far off where the heat map is flat.
        inside = (np.abs(points - centre[:, None]) <= (0.5 + SLACK) * CONTEXT * crop[:, None]).all(-1)
        height, width = shape[:2]
        pictured = ((points >= -0.5) & (points <= [width - 0.5, height - 0.5])).all(-1)
        sure = np.where(pictured, np.clip(peaks, 0, 1), np.clip(peaks, 0, HIDDEN))
        return np.where(inside & (peaks >= LEAST), sure, 0.0)


def load_pose(model: str | os.PathLike[str] = POSE, device: str = "cpu") -> PoseNetwork:
    """ViTPose from local files. Raises as `models.loaded`, and BadFile if its keypoints are not COCO's 17."""
    processor, network = loaded(model, KIND, device)
    count = int(network.config.num_labels)
    if count != len(COCO_KEYPOINTS):
        where = located(model) or model
        raise BadFile(where, f"{CONFIG}: id2label", f"{count} keypoints", "COCO's 17")
    return PoseNetwork(processor, network, int(network.config.backbone_config.num_experts) > 1)


def observed_of_images(
    images: Iterable[ArrayLike],
    fps: float,
    detector: str | os.PathLike[str] = DETECTOR,
    pose: str | os.PathLike[str] = POSE,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Observed:
    """People, their boxes and their keypoints on a video; its frames are seen once and not kept.

    Args:
        images: T arrays uint8 [H, W, 3], RGB, of one size; they may come one by one. fps: frames a second.
        detector, pose: folders with networks of transformers, or names of weights in the Hugging Face cache.
        device: torch's name of it. progress: told after every few frames how many are done.

    Returns:
        P people, 0 if nobody is found, see `linked`. Boxes that were filled in have no keypoints.

    Raises:
        BadOption: images or fps are not as above. Missing, BadFile: see `models.loaded`. BadOutput: a network's numbers
            are not finite.
    """
    finder, network = load_detector(detector, device), load_pose(pose, device)
    found: list[Array] = []
    looks: list[tuple[Array, Array]] = []
    for batch in batches(images):
        some = finder.people(batch)
        looks += network.points(batch, [boxes[:, :4] for boxes in some])
        found += some
        if progress is not None:
            progress(len(found))
    if not found:
        raise BadOption("images", "none", "at least one")
    chains = linked(found, fps)
    points, seen = np.zeros((len(chains), len(found), 17, 2)), np.zeros((len(chains), len(found), 17))
    for person, chain in enumerate(chains):
        for frame, row in chain.items():
            points[person, frame], seen[person, frame] = looks[frame][0][row], looks[frame][1][row]
    return Observed(fps, points, seen, boxes_of(chains, found))
