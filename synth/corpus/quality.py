"""Is a motion fit to be shown? Measured on the posed skin, one person at a time."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from synth.body import BodyModel
from synth.corpus import ground
from synth.skeleton import SMPL_PARENTS


@dataclass(frozen=True)
class Quality:
    """Speeds in m/s, lengths in metres, jerk in m/s^3.

    fastest  the fastest joint
    skate    95th percentile of the speed of standing sole points
    below    how far the skin goes below the floor at the worst frame
    above    how far the lowest skin point is above the floor at the worst frame in which no furniture carries the body
    jitter   95th percentile of the joints' jerk
    stretch  largest change of a bone's length
    """

    fastest: float
    skate: float
    below: float
    above: float
    jitter: float
    stretch: float

    def faults(self) -> list[str]:
        """What makes the motion unusable, in words; empty when it is fine."""
        return [
            f"{name} {getattr(self, name):.3g} > {limit:g}"
            for name, limit in LIMITS.items()
            if getattr(self, name) > limit
        ]

    def to_json(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


# Standing feet of a person who turns or shifts weight do move a little; 0.1 m/s is 5 mm a frame at 20 fps.
LIMITS = {"fastest": 15.0, "skate": 0.1, "below": 0.03, "above": 0.04, "jitter": 700.0, "stretch": 1e-4}


def measure(
    body: BodyModel,
    betas: np.ndarray,
    rotmats: np.ndarray,
    transl: np.ndarray,
    fps: float,
    vertices: np.ndarray,
    joints: np.ndarray,
    carried: np.ndarray,
) -> Quality:
    """Quality of one person's motion.

    Args:
        rotmats, transl: [T, 24, 3, 3], [T, 3].
        vertices, joints: the posed body [T, V, 3], [T, 24, 3].
        carried: [T] frames in which furniture carries the body.
    """
    speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1) * fps
    planting = ground.plant(body, betas, rotmats, transl, fps)
    soles = ground.sole_positions(body, betas, rotmats, transl)
    slide = np.linalg.norm(np.diff(soles[..., :2], axis=1), axis=-1) * fps
    # A point lands and leaves some time between two frames: the first and last step of a stand are not skating.
    p = planting.planted
    both = p[:, 1:] & p[:, :-1] & np.pad(p, ((0, 0), (1, 0)))[:, :-2] & np.pad(p, ((0, 0), (0, 1)))[:, 2:]
    lowest = vertices[:, np.unique(body.faces), 2].min(1)
    free = lowest[~carried]
    parents = np.array(SMPL_PARENTS[1:])
    bones = np.linalg.norm(joints[:, 1:] - joints[:, parents], axis=-1)
    jerk = np.linalg.norm(np.diff(joints, n=3, axis=0), axis=-1) * fps**3
    return Quality(
        fastest=float(speed.max(initial=0.0)),
        skate=float(np.percentile(slide[both], 95)) if both.any() else 0.0,
        below=float(max(0.0, -lowest.min())),
        above=float(max(0.0, free.max(initial=0.0))),
        jitter=float(np.percentile(jerk, 95)) if jerk.size else 0.0,
        stretch=float(np.ptp(bones, axis=0).max()),
    )
