"""Do the measured actions of a motion agree with those it was made to show?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synth.body import BodyModel
from synth.interaction import ActionSegment, Interaction
from synth.motion.actions import Actions, measure_actions
from synth.room import furniture_from_json
from synth.taxonomy import ACTION_INDEX

BOUNDARY = 0.3  # seconds beside a change of action in which nobody can say which of the two it is
UNSAID = -1


def said(segments: Sequence[ActionSegment], person: int, frames: int, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """What is said of a person: action indices [T] (`UNSAID` where nothing is), and which frames [T] count.

    Frames within `BOUNDARY` seconds of where one action goes over into another do not count, nor do unsaid ones.
    """
    times = np.arange(frames) / fps
    labels = np.full(frames, UNSAID)
    mine = sorted((s for s in segments if s.person == person), key=lambda s: s.start)
    for segment in mine:
        labels[(times >= segment.start - 1e-6) & (times < segment.end - 1e-6)] = ACTION_INDEX[segment.label]
    counts = labels != UNSAID
    for edge in np.flatnonzero(np.diff(labels)):
        counts &= np.abs(times - times[edge] - 0.5 / fps) > BOUNDARY
    return labels, counts


def compare(
    motion: Interaction, body: BodyModel, measured: Actions | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each person the said and the measured actions [K] over the frames that count, on the motion's own stage.

    measured: what `measure_actions` found, where that is known already.
    """
    stage = [furniture_from_json(item, "meta.stage") for item in motion.meta.stage]
    measured = measured or measure_actions(motion, body, stage)
    pairs = []
    for person in range(motion.people):
        labels, counts = said(motion.meta.actions, person, motion.frames, motion.fps)
        counts &= motion.present[person]
        pairs.append((labels[counts], measured.frame_labels[person][counts]))
    return pairs


def agreement(motion: Interaction, body: BodyModel) -> float:
    """Share of frames that count, of the person who agrees least; 1 where nothing is said."""
    return min((float((a == b).mean()) for a, b in compare(motion, body) if len(a)), default=1.0)
