"""Contacts as they are, measured on the skins: hands on other people, bodies on the floor and on furniture.

For motion that comes without contacts by construction, such as a generated one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from synth.body import BodyModel
from synth.corpus.ground import runs
from synth.corpus.stage import buttocks, floor_contacts
from synth.interaction import Contact, Interaction
from synth.motion import evidence, mesh
from synth.motion.proxies import points_of, proxies_of
from synth.motion.quality import state_of
from synth.room import Furniture
from synth.rotation import Array
from synth.taxonomy import BODY_PARTS

TOUCH = 0.02  # metres between skins; vertices are about a centimetre apart
GRIP = 0.05  # metres from the middle of a palm or sole to the hold of a thing that it is on
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


def held_props(motion: Interaction, body: BodyModel) -> tuple[Contact, ...]:
    """Those of the motion's contacts with props in which the spot is on the prop's hold, for as long as it is."""
    proxies = [proxies_of(body, shape) for shape in motion.betas]
    state, found = state_of(motion, proxies), []
    for contact, prop in evidence.prop_contacts(motion):
        own = contact.target.get("own_spot", contact.part)
        spot = points_of(proxies, [(contact.person, own)]).where(state)[0].numpy()
        way = evidence.hold_way(prop, str(contact.target["spot"]), motion.fps, motion.times)
        said = (motion.times >= contact.start - 1e-6) & (motion.times <= contact.end + 1e-6)
        near = np.linalg.norm(spot - way, axis=-1) < GRIP
        found += [replace(contact, start=a, end=b) for a, b in _spans(said & near, motion.fps)]
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
