"""People on the frames of a fixed camera's video: their boxes (RT-DETR, Zhao et al. 2024), and who is who over time.

Boxes are x, y, width, height in pixels as COCO has them. Tracking is by detection, as SORT does it (Bewley et al.
2016): boxes are assigned to the places where people are expected (Kuhn 1955), by the overlap of both. As in ByteTrack
(Zhang et al. 2022) weak detections go on with a person, but only a sure one begins one. The camera stands still, so
somebody who was hidden is also looked for where they were last seen.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

from synth.errors import BadFile, BadOption
from synth.reconstruct.models import CONFIG, BadOutput, Kind, loaded, located, rgb_frame
from synth.rotation import Array

DETECTOR = "PekingU/rtdetr_r50vd_coco_o365"
KIND = Kind("a network that detects people", ("OBJECT_DETECTION",), (DETECTOR,))
THRESHOLD = 0.3  # score of a box that somebody who is known already may have
SURE = 0.5  # score without which nobody begins
SAME = 0.8  # overlap of two boxes of one frame that are one person
BATCH = 4  # frames that the network sees together
NEAR = 0.1  # overlap with where somebody is expected, below which a box is not theirs
TREND = 0.5  # seconds over which a person's speed is measured
LOST = 1.5  # seconds without a box after which somebody is given up, at least one frame
SHORT = 0.5  # seconds of boxes that make a person
FILLED = 3  # frames without a box that are filled in
Progress = Callable[[int], None]  # told how many frames are done


@dataclass(frozen=True)
class Detector:
    """A network that is ready: its image processor, itself, and the numbers of its class "person"."""

    processor: Any
    network: Any
    persons: tuple[int, ...]

    def people(self, frames: Sequence[np.ndarray]) -> list[Array]:
        """Where people are on each of T frames uint8 [H, W, 3], RGB.

        Returns:
            T arrays [N, 5], the surest first: x, y, width, height (pixels, COCO's convention: the picture's corner is
            0, 0), inside the picture, and a score above `THRESHOLD`.

        Raises:
            BadOutput: the network's boxes are not finite.
        """
        import torch

        with torch.inference_mode():
            pixels = self.processor(images=list(frames), return_tensors="pt")["pixel_values"]
            seen = self.network(pixel_values=pixels.to(self.network.device))
            if not (torch.isfinite(seen.pred_boxes).all() and torch.isfinite(seen.logits).all()):
                raise BadOutput("people: the detector's boxes are not finite; its weights or the device are broken")
            sizes = [frame.shape[:2] for frame in frames]
            found = self.processor.post_process_object_detection(seen, threshold=THRESHOLD, target_sizes=sizes)
        return [self._chosen(some, *size) for some, size in zip(found, sizes, strict=True)]

    def _chosen(self, found: Mapping[str, Any], height: int, width: int) -> Array:
        """From left, top, right, bottom of all classes to `people` of one frame, each once."""
        corners, score = (found[name].numpy(force=True).astype(float) for name in ("boxes", "scores"))
        low, high = np.clip(corners[:, :2], 0, [width, height]), np.clip(corners[:, 2:], 0, [width, height])
        there = np.isin(found["labels"].numpy(force=True), self.persons) & (high - low >= 1).all(1)
        boxes = np.concatenate([low, high - low, score[:, None]], 1)[there]
        boxes = boxes[np.argsort(-boxes[:, 4], kind="stable")]
        kept: list[int] = []
        for row in range(len(boxes)):
            if not kept or overlaps(boxes[[row], :4], boxes[kept, :4]).max() < SAME:
                kept.append(row)
        return boxes[kept]


def load_detector(model: str | os.PathLike[str] = DETECTOR, device: str = "cpu") -> Detector:
    """A detector of people from local files. Raises as `models.loaded`, and BadFile if no class of it is "person"."""
    processor, network = loaded(model, KIND, device)
    names = {int(number): str(name).strip().lower() for number, name in network.config.id2label.items()}
    persons = tuple(number for number, name in sorted(names.items()) if name == "person")
    if not persons:
        found = ", ".join(names.values())
        raise BadFile(located(model) or model, f"{CONFIG}: id2label", found, 'a class named "person"')
    return Detector(processor, network, persons)


def batches(images: Iterable[ArrayLike]) -> Iterator[list[np.ndarray]]:
    """Frames of one size in lists of up to `BATCH`. Raises BadOption at the first that is no such frame."""
    shape: tuple[int, ...] | None = None
    rest = iter(images)
    while some := list(itertools.islice(rest, BATCH)):
        shape = shape or rgb_frame(some[0]).shape
        yield [rgb_frame(image, shape) for image in some]


def overlaps(first: ArrayLike, second: ArrayLike) -> Array:
    """Intersection over union [A, B] of boxes [A, 4] and [B, 4], x, y, width, height."""
    a, b = np.asarray(first, float)[:, None], np.asarray(second, float)[None]
    inside = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common = inside.clip(0).prod(-1)
    return np.asarray(common / (a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - common))


Chain = dict[int, int]  # of one person: frame -> row of their box in it, in the order of time


def linked(detections: Sequence[Array], fps: float) -> list[Chain]:
    """Who is who: the boxes of each of P people over T frames of a fixed camera.

    Args:
        detections: T arrays [N, 5], see `Detector.people`. fps: frames a second.

    Returns:
        People in the order in which they appear, from left to right; who has boxes for less than `SHORT` seconds is
        left out.

    Raises:
        BadOption: no frame rate.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise BadOption("fps", fps, "frames a second above 0")
    alive: list[Chain] = []
    ended: list[Chain] = []
    patience = max(LOST * fps, 1.0)  # frames
    for frame, found in enumerate(detections):
        ended += [chain for chain in alive if frame - _end(chain) > patience]
        alive = [chain for chain in alive if frame - _end(chain) <= patience]
        free = list(range(len(found)))
        recent = [chain for chain in alive if _end(chain) == frame - 1]
        hidden = [chain for chain in alive if _end(chain) < frame - 1]
        # Who was seen just now has the first choice: a person in front must not be given to the one behind.
        for group, place in ((recent, _expected), (hidden, _expected), (alive, _last)):
            waiting = [chain for chain in group if frame not in chain]
            if not waiting or not free:
                continue
            guess = np.stack([place(chain, detections, frame, fps) for chain in waiting])
            share = overlaps(guess, found[free, :4])
            pairs = zip(*linear_sum_assignment(np.where(share < NEAR, 0.0, share), maximize=True), strict=True)
            taken = {free[row]: waiting[at] for at, row in pairs if share[at, row] >= NEAR}
            for row, chain in taken.items():
                chain[frame] = row
            free = [row for row in free if row not in taken]
        new = [row for row in free if found[row, 4] >= SURE]
        alive += [{frame: row} for row in sorted(new, key=lambda row: tuple(found[row]))]
    people = [chain for chain in ended + alive if len(chain) >= SHORT * fps]
    return sorted(people, key=lambda chain: _begin(chain, detections))


def boxes_of(chains: Sequence[Chain], detections: Sequence[Array]) -> Array:
    """Boxes [P, T, 4] (x, y, width, height) of `linked` people; NaN where somebody has none.

    Gaps of up to `FILLED` frames are filled in linearly.
    """
    boxes = np.full((len(chains), len(detections), 4), np.nan)
    for own, chain in zip(boxes, chains, strict=True):
        for frame, row in chain.items():
            own[frame] = detections[frame][row, :4]
        for before, after in itertools.pairwise(chain):
            if 1 < after - before <= FILLED + 1:
                share = np.arange(1, after - before)[:, None] / (after - before)
                own[before + 1 : after] = (1 - share) * own[before] + share * own[after]
    return boxes


def _begin(chain: Chain, detections: Sequence[Array]) -> tuple[float, ...]:
    """When and where somebody appears: the order of people."""
    frame = next(iter(chain))
    return (frame, *detections[frame][chain[frame]])


def _end(chain: Chain) -> int:
    """The frame in which somebody was last seen."""
    return next(reversed(chain))


def _last(chain: Chain, detections: Sequence[Array], frame: int, fps: float) -> Array:
    """The box where somebody was last seen [4]."""
    return np.asarray(detections[_end(chain)][chain[_end(chain)], :4])


def _expected(chain: Chain, detections: Sequence[Array], frame: int, fps: float) -> Array:
    """The last box [4], moved on: its middle keeps the speed of the straight line through the last `TREND` seconds."""
    box, first = _last(chain, detections, frame, fps), _end(chain) - max(1, round(TREND * fps))
    times = list(itertools.takewhile(lambda time: time >= first, reversed(chain)))
    if len(times) < 2:
        return box
    own = np.stack([detections[time][chain[time], :4] for time in times])
    line = np.polyfit(np.array(times, float) - frame, own[:, :2] + own[:, 2:] / 2, 1)
    return np.concatenate([line[1] - box[2:] / 2, box[2:]])
