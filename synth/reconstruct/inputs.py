"""What was annotated in a recording, as the fit wants it (`docs/teton-format.md`)."""

from __future__ import annotations

import numpy as np

from synth.camera import Camera, pinhole_matrix
from synth.corpus.readers.teton import Tracks2D
from synth.errors import BadOption
from synth.reconstruct.keypoints import Observed

VISIBLE, HIDDEN = 1.0, 0.4  # confidence of COCO's v = 2 and v = 1
USUAL_VIEW = 70.0  # degrees from left to right, of a care camera of which nothing is known
# Who does this is carried by something else than the floor under the feet.
CARRIED = frozenset(
    {"lying", "laying_in_bed", "sitting_in_bed", "sitting_on_bed_edge", "sitting_in_chair", "sitting_in_walker",
     "sitting_in_lift"}
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


def carried(tracks: Tracks2D) -> np.ndarray:
    """Bool [P, T]: who sits or lies on furniture, as annotated; unlabelled frames are as the last labelled one."""
    found = np.zeros((len(tracks.people), tracks.frames), bool)
    for row, track in zip(found, tracks.people, strict=True):
        last = next((action for action in track.actions if action is not None), None)
        for frame, action in enumerate(track.actions):
            last = action if action is not None else last
            row[frame] = last in CARRIED
    return found


def camera_of(tracks: Tracks2D) -> tuple[Camera, str]:
    """The camera, at the origin of its own axes, and where its optics come from: "recording" or "default"."""
    known = tracks.camera
    if known is None:
        k = pinhole_matrix(tracks.width, tracks.height, USUAL_VIEW)
        return Camera("pinhole", tracks.width, tracks.height, k), "default"
    k, dist = (np.asarray(known.get(name, []), float) for name in ("K", "dist"))
    return Camera(str(known["model"]), tracks.width, tracks.height, k, dist), "recording"


def _rate(tracks: Tracks2D) -> float:
    """Frames a second, as the recording's own times have it."""
    span = float(tracks.times[-1] - tracks.times[0]) if tracks.frames > 1 else 0.0
    return (tracks.frames - 1) / span if span > 0 else tracks.fps
