"""Who sits or lies on furniture, where nobody said so: by the postures that are measured on the estimates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import label

from synth.body.model import BodyModel
from synth.camera import Camera
from synth.interaction import Interaction
from synth.motion import posture
from synth.motion.actions import measure_actions
from synth.motion.proxies import Proxies, proxies_of
from synth.motion.quality import state_of
from synth.reconstruct.grounding import Carrier, carried_by, stood
from synth.reconstruct.inputs import CARRIED
from synth.reconstruct.people import calmed, filled
from synth.room import Furniture
from synth.taxonomy import POSTURES

ROUNDS = 3  # of grounding and measuring; mostly the second says what the first did
BELOW = 0.2  # metres below the floor that joints of who rests on a piece seem to be, at most: who stands is deeper


def seeming_rest(
    estimates: Interaction, camera: Camera, body: BodyModel, furniture: Sequence[Furniture] = ()
) -> np.ndarray:
    """Bool [P, T]: who sits or lies on furniture.

    Nothing tells yet what carries anybody, and so how far away they are: who is in bed, moved along the line of sight
    until the floor is under them, is before the bed. So every piece is tried first.
    """
    motion = calmed(filled(estimates, estimates.present))
    proxies = [proxies_of(body, betas) for betas in motion.betas]
    tried = np.zeros(motion.present.shape, bool)
    for piece in furniture:
        if piece.seat_height is not None:
            tried |= _on(piece, motion, proxies, camera)
    found = tried
    words = [POSTURES.index(name) for name in POSTURES if name in CARRIED]
    for _ in range(ROUNDS):
        # twice, as `refined` does: what carries whom is seen better from where it puts them
        placed = stood(motion, proxies, camera, found, carried_by(motion, proxies, found, furniture))
        placed = stood(motion, proxies, camera, found, carried_by(placed, proxies, found, furniture))
        before, found = found, np.isin(measure_actions(placed, body, furniture).frame_postures, words)
        if (found == before).all():
            break
    return np.stack([_whole(rests, row) for rests, row in zip(found, tried, strict=True)])


def _whole(rests: np.ndarray, seeming: np.ndarray) -> np.ndarray:
    """Bool [T]: who rests somewhere does so from when they seem to on: on the way to lying, the seat carries them."""
    runs, _ = label(seeming)
    return rests | np.isin(runs, np.setdiff1d(runs[rests], [0]))


def _on(piece: Furniture, motion: Interaction, proxies: list[Proxies], camera: Camera) -> np.ndarray:
    """Bool [P, T]: who, moved along the line of sight to the height of a seat, sits or lies on it."""
    everybody, always = np.ones(motion.present.shape, bool), np.ones(motion.frames, bool)
    carriers = [Carrier(person, always, piece) for person in range(motion.people)]
    joints = state_of(stood(motion, proxies, camera, everybody, carriers), proxies).joints.numpy().astype(float)
    found = np.zeros(motion.present.shape, bool)
    for person, row in enumerate(joints):
        seen = posture.measure_postures(row, (piece,))
        rests = np.isin(seen.kind, (posture.SEATED, posture.LYING)) & (seen.support >= 0)
        found[person] = rests & (row[..., 2].min(1) > -BELOW)
    return found & motion.present


def rested(told: Sequence[np.ndarray | None], seeming: np.ndarray) -> np.ndarray:
    """Bool [P, T]: as told of everybody of whom it was, else as it seems."""
    return np.stack([row if own is None else own for own, row in zip(told, seeming, strict=True)])
