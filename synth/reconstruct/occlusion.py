"""Whose pose is it? A regressor that sees two people in a box may answer with the one in front (thesis 4.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.reconstruct.keypoints import Observed
from synth.rotation import Array

FEWEST = 3  # points that are annotated of somebody, before a distance to them means anything
FAR = 0.25  # of the person's height on the picture: an estimate that is off by more is nobody's
CLEARLY = 0.8  # another person's annotations must be this much nearer, as a share of one's own distance


@dataclass(frozen=True)
class Occluded:
    """Estimates that are not to be believed.

    Attributes:
        other: bool [P, T], nearer to another person's keypoints than to one's own; or, where those are hidden, on them.
        far: bool [P, T], near to nobody's.
        distance: [P, T, P] mean distance of estimate p to the annotations of q, in heights of q; NaN without.
    """

    other: np.ndarray
    far: np.ndarray
    distance: Array

    @property
    def masked(self) -> np.ndarray:
        """Estimates to be filled in from their neighbours in time [P, T]."""
        return self.other | self.far

    def rate(self, present: np.ndarray) -> float:
        """Share of the frames in which people are there, present [P, T], that is masked."""
        return float(self.masked[present].mean()) if present.any() else 0.0


def occluded(projections: Array, observed: Observed) -> Occluded:
    """Compare all projected estimates of a frame with all annotations: the edges of the thesis's bipartite graph.

    Distances are medians over the annotated points, as a few of them are wrong, in units of the annotated person's
    height on the picture, so that who is far away is not near to everybody.

    Args:
        projections: [P, T, 17, 2] pixels of the estimates' keypoints, NaN where there is none.
        observed: what was annotated of the same people, in the same order.
    """
    people, frames = observed.people, observed.frames
    distance = np.full((people, frames, people), np.nan)
    for q in range(people):
        seen = observed.seen[q] > 0
        enough = seen.sum(-1) >= FEWEST
        for p in range(people):
            off = np.linalg.norm(projections[p] - observed.keypoints[q], axis=-1) / observed.sizes[q][:, None]
            off = np.where(seen & np.isfinite(off), off, np.nan)
            usable = enough & np.isfinite(off).any(-1)
            distance[p, usable, q] = np.nanmedian(off[usable], axis=-1)
    own = np.stack([distance[p, :, p] for p in range(people)])
    others = distance.copy()
    for p in range(people):
        others[p, :, p] = np.nan
    nearest = np.where(np.isfinite(others), others, np.inf).min(-1)
    with np.errstate(invalid="ignore"):
        other = np.where(np.isfinite(own), nearest < CLEARLY * own, nearest < FAR / 2)
        far = np.isfinite(own) & (own > FAR) & ~other
    return Occluded(other, far, distance)
