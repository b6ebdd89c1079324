"""What was annotated in a recording, as the fit wants it (`docs/teton-format.md`)."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from synth.camera import COEFFICIENTS, Camera, camera_from_json, pinhole_matrix
from synth.corpus.readers.teton import RECORDING, Tracks2D
from synth.errors import BadFile, BadOption
from synth.reconstruct.keypoints import Observed

VISIBLE, HIDDEN = 1.0, 0.4  # confidence of COCO's v = 2 and v = 1
USUAL_VIEW = 70.0  # degrees from left to right, of a care camera of which nothing is known
# Who does this is carried by something else than the floor under the feet.
CARRIED = frozenset(
    {"lying", "sitting", "laying_in_bed", "sitting_in_bed", "sitting_on_bed_edge", "sitting_in_chair",
     "sitting_in_walker", "sitting_in_lift"}
)  # fmt: skip


def observed_of(tracks: Tracks2D) -> Observed:
    """Keypoints and boxes of everybody in a recording, in the recording's order of people.

    Raises:
        BadOption: nobody is annotated.
    """
    if not tracks.people:
        raise BadOption("recording", f"{tracks.key}: nobody is annotated", "people with boxes and keypoints")
    points = np.stack([track.keypoints for track in tracks.people])
    boxes = np.stack([np.where(track.present[:, None], track.box, np.nan) for track in tracks.people])
    there = np.stack([track.present for track in tracks.people])[..., None]
    seen = np.select([points[..., 2] >= 2, points[..., 2] >= 1], [VISIBLE, HIDDEN], 0.0) * there
    return Observed(_rate(tracks), points[..., :2], seen, boxes)


def carried(tracks: Tracks2D) -> tuple[np.ndarray | None, ...]:
    """Bool [T] each: who sits or lies on furniture, as annotated; unlabelled frames are as the last labelled one.

    None of whom no action is annotated: that says nothing of where they are.
    """
    return tuple(_carried(track.actions) for track in tracks.people)


def _carried(actions: Sequence[str | None]) -> np.ndarray | None:
    last = next((action for action in actions if action is not None), None)
    if last is None:
        return None
    found = np.zeros(len(actions), bool)
    for frame, action in enumerate(actions):
        last = action if action is not None else last
        found[frame] = last in CARRIED
    return found


def camera_of(tracks: Tracks2D, where: str | PathLike[str] = RECORDING) -> tuple[Camera, str]:
    """The camera, at the origin of its own axes, and where its optics come from: "recording" or "default".

    Raises:
        BadFile: its optics cannot be; `where` is the file that has them.
    """
    known = tracks.camera
    if known is None:
        k = pinhole_matrix(tracks.width, tracks.height, USUAL_VIEW)
        return Camera("pinhole", tracks.width, tracks.height, k), "default"
    size = {"width": tracks.width, "height": tracks.height, "world_from_camera": np.eye(4).tolist()}
    dist = _coefficients(str(known["model"]), list(known.get("dist", [])), where)
    return camera_from_json({**known, **size, "dist": dist}, where), "recording"


def _coefficients(model: str, given: list[Any], where: str | PathLike[str]) -> list[Any]:
    """As many as the model has: OpenCV leaves out those at the end that are 0."""
    count = COEFFICIENTS[model]
    if any(given[count:]):
        few = "none" if not count else f"at most {count}"
        raise BadFile(where, "camera.dist", given, f"{few}, as the model is {model}")
    return [*given[:count], *[0.0] * (count - len(given))]


def _rate(tracks: Tracks2D) -> float:
    """Frames a second, as the recording's own times have it."""
    span = float(tracks.times[-1] - tracks.times[0]) if tracks.frames > 1 else 0.0
    return (tracks.frames - 1) / span if span > 0 else tracks.fps
