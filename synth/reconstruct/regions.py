"""What is where on the key frames of a fixed camera: people, floor, walls, furniture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.corpus.readers.teton import Tracks2D
from synth.errors import BadFile, BadOption
from synth.taxonomy import FURNITURE_CLASSES

CLASSES: tuple[str, ...] = ("nothing", "person", "floor", "wall", "ceiling", *FURNITURE_CLASSES, "other")
LABEL = {name: number for number, name in enumerate(CLASSES)}


@dataclass(frozen=True)
class Regions:
    """Labels of the pixels of K key frames.

    Attributes:
        frames: int [K], which frames of the video, increasing.
        labels: uint8 [K, H, W], numbers of `CLASSES` (`LABEL["floor"]`); 0 where nothing is known.
    """

    frames: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        if self.labels.ndim != 3 or self.labels.dtype != np.uint8 or self.frames.shape != self.labels.shape[:1]:
            found = (self.frames.shape, self.labels.dtype.name, self.labels.shape)
            raise BadOption("Regions", found, "K frames and uint8 [K, H, W] labels")
        if self.labels.size and int(self.labels.max()) >= len(CLASSES):
            raise BadOption("Regions.labels", int(self.labels.max()), f"numbers below {len(CLASSES)}")

    def mask(self, *names: str) -> np.ndarray:
        """Bool [K, H, W]: which pixels are of one of these classes."""
        return np.isin(self.labels, [LABEL[name] for name in names])

    def still(self) -> np.ndarray:
        """The scene without its people [H, W]: of each pixel the commonest label that is no person and not nothing."""
        best, most = np.zeros(self.labels.shape[1:], np.uint8), np.zeros(self.labels.shape[1:], int)
        for label in range(LABEL["floor"], len(CLASSES)):
            count = (self.labels == label).sum(0)
            best, most = np.where(count > most, label, best).astype(np.uint8), np.maximum(most, count)
        return best


def regions_of(tracks: Tracks2D) -> Regions | None:
    """The masks of a recording's key frames, None where it has none.

    Raises:
        BadFile: a mask cannot be read, or is of another size than the recording.
    """
    if not tracks.key_frames:
        return None
    found = []
    for item in tracks.key_frames:
        values = item.pixels()
        if values.shape != (tracks.height, tracks.width):
            size = f"{values.shape[1]} x {values.shape[0]}"
            raise BadFile(item.mask, "size", size, f"{tracks.width} x {tracks.height}, as the recording")
        labels = np.zeros(values.shape, np.uint8)
        for region in item.regions:
            labels[values == region.value] = LABEL[region.kind]
        found.append(labels)
    return Regions(np.array([item.frame for item in tracks.key_frames]), np.stack(found))
