"""Contacts as they are, measured on the skins: hands on other people, bodies on the floor and on furniture.

For motion that comes without contacts by construction, such as a generated one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from synth.body import BodyModel
from synth.corpus.ground import runs
from synth.corpus.stage import buttocks, floor_contacts
from synth.interaction import Contact, Interaction
from synth.motion import mesh
from synth.room import Furniture
from synth.rotation import Array
from synth.taxonomy import BODY_PARTS

TOUCH = 0.02  # metres between skins; vertices are about a centimetre apart
ON = 0.03  # metres between a seat and who sits on it
SHORTEST, BREAK = 0.3, 0.2  # seconds a contact lasts at least; gaps that do not end it


def measured_contacts(
    motion: Interaction, body: BodyModel, furniture: Sequence[Furniture] = (), *, touch: float = TOUCH, on: float = ON
) -> tuple[Contact, ...]:
    """Everything that touches: hands of one person on another, parts on the floor, the pelvis on furniture.

    Args:
        furniture: in the motion's frame.
        touch: metres between skins below which they touch. on: the same of a seat and who sits on it.
    """
    skin = mesh.Skin.of(body)
    skins, parts = mesh.posed_skins(motion, body, skin), _parts(skin)
    found: list[Contact] = []
    for person in range(motion.people):
        for other in range(motion.people):
            if other != person:
                both = motion.present[person] & motion.present[other]
                for hand in ("left_hand", "right_hand"):
                    fingers = skins[person][:, skin.part(hand)]
                    for start, end, part in _held(fingers, skins[other], both, parts, motion.fps, touch):
                        found.append(Contact(person, hand, {"person": other, "part": part}, start, end))
        whole = np.zeros((motion.frames, len(body.v_template), 3))
        whole[:, skin.ids] = skins[person]
        whole[~motion.present[person]] = 10.0  # nobody there touches nothing
        found += floor_contacts(body, whole, motion.fps, person)
        seat = whole[:, buttocks(body)]
        for piece in furniture:
            if piece.seat_height is not None:
                near = mesh.box_distances(seat, piece.world_solids()).min(1) < on
                found += [Contact(person, "pelvis", {"object": piece.id}, a, b) for a, b in _spans(near, motion.fps)]
    return tuple(found)


def _held(
    fingers: Array, other: Array, both: np.ndarray, parts: np.ndarray, fps: float, touch: float
) -> list[tuple[float, float, str]]:
    """Spans (start, end) in which a hand's skin is on another person's, with the part that it is mostly on."""
    apart = np.full(len(other), np.inf)
    where = np.zeros(len(other), int)
    for frame in np.flatnonzero(both):
        low, high = fingers[frame].min(0) - touch, fingers[frame].max(0) + touch
        near = np.flatnonzero(((other[frame] > low) & (other[frame] < high)).all(1))
        if len(near):
            distance, vertex = cKDTree(other[frame][near]).query(fingers[frame])
            nearest = int(distance.argmin())
            apart[frame], where[frame] = distance[nearest], parts[near[vertex[nearest]]]
    found = []
    for start, end in _spans(apart < touch, fps):
        frames = slice(round(start * fps), round(end * fps))
        inside = where[frames][apart[frames] < touch]
        found.append((start, end, BODY_PARTS[int(np.bincount(inside).argmax())]))
    return found


def _parts(skin: mesh.Skin) -> np.ndarray:
    """The body part of each vertex of the skin, index in `BODY_PARTS`; the first that claims it."""
    names = np.full(len(skin.ids), BODY_PARTS.index("pelvis"))
    for index in reversed(range(len(BODY_PARTS))):
        names[skin.part(BODY_PARTS[index])] = index
    return names


def _spans(touching: np.ndarray, fps: float) -> list[tuple[float, float]]:
    """Seconds (start, end) of what lasts, short gaps closed."""
    joined: list[list[int]] = []
    for start, end in runs(touching):
        if joined and start - joined[-1][1] <= BREAK * fps:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return [(start / fps, end / fps) for start, end in joined if end - start >= SHORTEST * fps]
