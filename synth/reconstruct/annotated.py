"""Who is where in a recording: from annotations of a care home, from COCO keypoints, or from detectors."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from synth.camera import Camera
from synth.corpus.readers.teton import DATASET, RECORDING, Tracks2D, read_dataset, read_recording
from synth.corpus.source import Licence
from synth.errors import BadFile, BadOption
from synth.files import read_json
from synth.reconstruct.inputs import camera_of, carried, observed_of
from synth.reconstruct.keypoints import Observed
from synth.reconstruct.regions import Regions, regions_of
from synth.reconstruct.video import in_order
from synth.rotation import Array

FEWEST = 4  # keypoints of somebody in some frame, without which there is nothing to fit
AWAY = 2.0  # seconds without annotation after which somebody has left
LARGEST = 10.0  # times the picture, that a box is: who is before the lens is larger than what is seen of them
LONGEST = 100  # characters of what people are called
NOT_STATED = Licence("not stated", False, "")


@dataclass(frozen=True)
class Annotated:
    """P people over T frames, as annotated or detected.

    Attributes:
        observed: keypoints and boxes.
        present: bool [P, T], who is there; gaps of up to `AWAY` are bridged.
        roles: "staff", "patient" or "person" each. names: what they are called.
        resting: bool [T] each, when somebody sits or lies on furniture; None of whom nobody said anything.
        regions: masks of key frames.
        camera: the optics, where they are known.
        captions: sentences about it. terms: of the recording.
    """

    observed: Observed
    present: np.ndarray
    roles: tuple[str, ...]
    names: tuple[str, ...]
    resting: tuple[np.ndarray | None, ...] = ()
    regions: Regions | None = None
    camera: Camera | None = None
    captions: tuple[str, ...] = ()
    terms: Licence = NOT_STATED

    @property
    def told_rest(self) -> tuple[np.ndarray | None, ...]:
        """`resting` of everybody."""
        return self.resting or (None,) * self.observed.people

    @property
    def known_rest(self) -> np.ndarray:
        """Bool [P, T]: who is said to rest."""
        nobody = np.zeros(self.observed.frames, bool)
        return np.stack([nobody if row is None else row for row in self.told_rest])


def read_annotations(path: str | PathLike[str], width: int, height: int, frames: int, fps: float) -> Annotated:
    """Annotations of a recording: `sequence.json` (docs/teton-format.md), or COCO keypoints.

    Args:
        path: the file, or the recording's folder. width, height, frames, fps: of the video.

    Raises:
        BadFile: the file is broken, or is not of this video.
    """
    where = Path(path) / RECORDING if Path(path).is_dir() else Path(path)
    if where.name == RECORDING:
        return _of_recording(where, width, height, frames)
    value = read_json(where)
    if not isinstance(value, Mapping) or "annotations" not in value or "images" not in value:
        raise BadFile(where, "file", list(value) if isinstance(value, Mapping) else value, f"COCO's images and "
                      f"annotations, or a recording's {RECORDING}")  # fmt: skip
    return _of_coco(value, where, width, height, frames, fps)


def told_enough(annotated: Annotated) -> tuple[Annotated, tuple[str, ...]]:
    """Without people of whom nobody could tell where they are, and a sentence about each of them.

    Raises:
        BadOption: nobody is left.
    """
    points = (annotated.observed.seen > 0).sum(-1).max(1)
    kept = np.flatnonzero(points >= FEWEST)
    if not len(kept):
        raise BadOption("keypoints", f"at most {points.max(initial=0)} of a person in a frame", "four points or more")
    notes = tuple(
        f"{annotated.names[p]} was left out: never more than {points[p]} keypoints in a frame."
        for p in np.flatnonzero(points < FEWEST)
    )
    if not notes:
        return annotated, ()
    observed = annotated.observed
    some = Observed(observed.fps, observed.keypoints[kept], observed.seen[kept], observed.boxes[kept])
    return replace(
        annotated, observed=some, present=annotated.present[kept], roles=tuple(annotated.roles[p] for p in kept),
        names=tuple(annotated.names[p] for p in kept),
        resting=tuple(annotated.told_rest[p] for p in kept),
    ), notes  # fmt: skip


def seen_people(observed: Observed) -> Annotated:
    """What detectors found: people whose roles nobody knows."""
    names = tuple(f"person {index}" for index in range(observed.people))
    return Annotated(observed, bridged(observed), ("person",) * observed.people, names)


def bridged(observed: Observed) -> np.ndarray:
    """Bool [P, T]: frames with a box, and those between two that are at most `AWAY` apart."""
    there = np.isfinite(observed.boxes).all(-1)
    for row in there:
        frames = np.flatnonzero(row)
        for begin, end in itertools.pairwise(frames):
            if (end - begin) / observed.fps <= AWAY:
                row[begin:end] = True
    return there


def with_recording(annotated: Annotated, where: Path, width: int, height: int, frames: int) -> Annotated:
    """With what the recording says beside its people, where other annotations of them do not: `sequence.json` has it.

    Raises:
        BadFile: the recording's file is broken, or is not of this video.
    """
    tracks = _tracks(where, width, height, frames)
    camera = annotated.camera
    if camera is None and tracks.camera is not None:
        camera = camera_of(tracks, where)[0]
    return replace(
        annotated, camera=camera, regions=annotated.regions or regions_of(tracks), terms=terms_of(where),
        captions=annotated.captions or tracks.captions,
    )  # fmt: skip


def terms_of(where: Path) -> Licence:
    """Of the folder of recordings that SITE/ROOM/TIMESTAMP/sequence.json is in."""
    above = where.resolve().parents
    return read_dataset((above[3] if len(above) > 3 else where.parent) / DATASET)


def _tracks(where: Path, width: int, height: int, frames: int) -> Tracks2D:
    tracks = read_recording(where.parent, where.parent.name)
    for field, found, wanted in (
        ("width, height", (tracks.width, tracks.height), (width, height)), ("frames", tracks.frames, frames),
    ):  # fmt: skip
        if found != wanted:
            raise BadFile(where, field, found, f"{wanted}, as the video has")
    return tracks


def _of_recording(where: Path, width: int, height: int, frames: int) -> Annotated:
    tracks = _tracks(where, width, height, frames)
    if not tracks.people:
        raise BadFile(where, "people", "nobody", "people with boxes and keypoints")
    observed = observed_of(tracks)
    camera = camera_of(tracks, where)[0] if tracks.camera is not None else None
    return Annotated(
        observed, bridged(observed), tuple(track.role for track in tracks.people), _names(tracks), carried(tracks),
        regions_of(tracks), camera, tracks.captions, terms_of(where),
    )  # fmt: skip


def _names(tracks: Tracks2D) -> tuple[str, ...]:
    return tuple(f"{track.role} {track.id}" for track in tracks.people)


def _of_coco(
    value: Mapping[str, Any], where: Path, width: int, height: int, frames: int, fps: float
) -> Annotated:  # fmt: skip
    """COCO's keypoints: images in the order of their file names are the frames; `track_id` says who is who."""
    images, listed = value["images"], value["annotations"]
    if not isinstance(images, list) or len(images) != frames:
        count = len(images) if isinstance(images, list) else images
        raise BadFile(where, "images", count, f"{frames}, one for each frame of the video")
    for at, image in enumerate(images):
        if not isinstance(image, Mapping) or (image.get("width"), image.get("height")) != (width, height):
            size = (image.get("width"), image.get("height")) if isinstance(image, Mapping) else image
            raise BadFile(where, f"images[{at}]", size, f"width {width} and height {height}, as the video")
    ids = [_name(image.get("id"), where, f"images[{at}].id") for at, image in enumerate(images)]
    if len(set(ids)) < len(ids):
        twice = next(at for at, one in enumerate(ids) if ids.index(one) < at)
        raise BadFile(where, f"images[{twice}].id", ids[twice], "another one for every image")
    ranks = sorted(range(len(images)), key=lambda at: in_order(str(images[at].get("file_name"))))
    order = {ids[at]: rank for rank, at in enumerate(ranks)}
    found: list[tuple[int, Any, Array, Array]] = []
    taken: set[tuple[int, Any]] = set()
    for at, item in enumerate(listed if isinstance(listed, list) else []):
        found.append(_coco_person(item, order, where, f"annotations[{at}]"))
        if (found[-1][0], found[-1][1]) in taken:
            raise BadFile(where, f"annotations[{at}].track_id", found[-1][1], "one annotation of a person in an image")
        taken.add((found[-1][0], found[-1][1]))
    if not found:
        raise BadFile(where, "annotations", "none", "people with bbox and keypoints")
    tracks = [track for _, track, _, _ in found]
    people = {track: row for row, track in enumerate(sorted(set(tracks), key=str))}
    points, boxes = np.zeros((len(people), frames, 17, 3)), np.full((len(people), frames, 4), np.nan)
    for frame, track, box, keypoints in found:
        boxes[people[track], frame], points[people[track], frame] = box, keypoints
    _check_boxes(boxes, where, width, height)
    seen = np.select([points[..., 2] >= 2, points[..., 2] >= 1], [1.0, 0.4], 0.0)
    observed = Observed(fps, points[..., :2], seen, boxes)
    names = tuple(f"person {track}" for track in people)
    return Annotated(observed, bridged(observed), ("person",) * len(people), names)


def _coco_person(item: Any, order: Mapping[Any, int], where: Path, at: str) -> tuple[int, Any, Array, Array]:
    """Frame, track, box [4] and keypoints [17, 3] of an annotation."""
    if not isinstance(item, Mapping):
        raise BadFile(where, at, item, "an object")
    if _name(item.get("image_id"), where, f"{at}.image_id") not in order:
        raise BadFile(where, f"{at}.image_id", item.get("image_id"), "the id of one of the images")
    box = _numbers(item.get("bbox"), 4, where, f"{at}.bbox")
    keypoints = _numbers(item.get("keypoints"), 51, where, f"{at}.keypoints").reshape(17, 3)
    if not np.isin(keypoints[:, 2], (0, 1, 2)).all():
        raise BadFile(where, f"{at}.keypoints", sorted(set(keypoints[:, 2])), "visibilities of 0, 1 or 2")
    if item.get("track_id") is None:
        raise BadFile(where, f"{at}.track_id", "nothing", "a number that is the same for the same person in all frames")
    return order[item["image_id"]], _name(item["track_id"], where, f"{at}.track_id"), box, keypoints


def _name(value: Any, where: Path, at: str) -> int | float | str:
    """What may tell images or people apart."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > LONGEST:
        expected = f"a number or a text of up to {LONGEST} characters"
        raise BadFile(where, at, "nothing" if value is None else value, expected)
    return value


def _numbers(value: Any, count: int, where: Path, at: str) -> Array:
    try:
        found = np.asarray(value, float)
    except (TypeError, ValueError, OverflowError):
        found = np.zeros(0)
    if found.shape != (count,) or not np.isfinite(found).all():
        raise BadFile(where, at, value, f"{count} finite numbers")
    return found


def _check_boxes(boxes: Array, where: Path, width: int, height: int) -> None:
    """Boxes are of this picture. NaN: nobody is there."""
    low, size = boxes[..., :2], boxes[..., 2:]
    with np.errstate(invalid="ignore"):
        inside = np.minimum(low + size, [width, height]) - np.maximum(low, 0)
        large = size > LARGEST * np.array([width, height])
        bad = np.isfinite(boxes).all(-1) & ((size <= 0) | (inside <= 0) | large).any(-1)
    if bad.any():
        person, frame = np.argwhere(bad)[0]
        raise BadFile(where, f"box of person {person}, frame {frame}", boxes[person, frame].tolist(),
                      f"x, y, width, height that overlap a picture of {width} x {height}")  # fmt: skip


def of_frames(annotated: Annotated, numbers: Sequence[int]) -> list[np.ndarray]:
    """Boxes [N, 4] of everybody in each of these frames: for what has to be left out of the scene."""
    if max(numbers, default=0) >= annotated.observed.frames:
        raise BadOption("frames", max(numbers), f"numbers below {annotated.observed.frames}")
    boxes = annotated.observed.boxes[:, list(numbers)]
    return [boxes[np.isfinite(boxes[:, at]).all(-1), at] for at in range(len(numbers))]
