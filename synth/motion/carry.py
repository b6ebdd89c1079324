"""Things in hands: a prop that somebody holds is where the palm is, after every solve.

A solver brings hands near a prop's planned way. What is left between them goes into the prop: its origin is put where
the holding palm wants it, and while a thing changes hands it goes over from the one palm to the other. How it is turned
stays as planned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from synth.interaction import Interaction, Prop
from synth.motion import evidence
from synth.motion.proxies import Proxies, points_of
from synth.motion.quality import state_of
from synth.rooms.props import handle, is_furniture
from synth.rotation import Array, axis_angle_to_matrix


@dataclass(frozen=True)
class Grip:
    """A palm [T, 3] (world, metres) at a prop's hold [3] (its frame) from `start` to `end` seconds."""

    palm: Array
    hold: Array
    start: float
    end: float


def in_hands(motion: Interaction, proxies: Sequence[Proxies]) -> tuple[Prop, ...]:
    """The motion's props, those that hands hold (by its contacts) put where the palms are; furniture stays."""
    state = state_of(motion, proxies)
    grips: dict[str, list[Grip]] = {}
    for contact, prop in evidence.prop_contacts(motion):
        if is_furniture(prop.cls):
            continue
        spot = contact.target.get("own_spot", contact.part)
        palm = points_of(proxies, [(contact.person, spot)]).where(state)[0].numpy().astype(float)
        grips.setdefault(prop.id, []).append(
            Grip(palm, handle(prop.cls, str(contact.target["spot"])), contact.start, contact.end)
        )
    return tuple(
        replace(prop, transl=followed(motion.times, axis_angle_to_matrix(prop.orient), grips[prop.id], prop.transl))
        if prop.id in grips else prop
        for prop in motion.props
    )  # fmt: skip


def followed(times: Array, turned: Array, grips: Sequence[Grip], otherwise: Array) -> Array:
    """Origins [T, 3] of a prop turned by [T, 3, 3], from the palms at its holds; `otherwise` [T, 3] where none is."""
    total, share = np.zeros((len(times), 3)), np.zeros(len(times))
    for grip, weight in zip(grips, weights(times, grips), strict=True):
        total += weight[:, None] * (grip.palm - turned @ grip.hold)
        share += weight
    held = share > 1e-9
    result = np.asarray(otherwise, float).copy()
    result[held] = total[held] / share[held, None]
    return result


def weights(times: Array, grips: Sequence[Grip]) -> list[Array]:
    """How much of a prop each grip carries [T]: all of it where it is alone, more and more of it over an exchange.

    Who touches a thing that another holds before and after carries nothing of it.
    """
    result = []
    for index, grip in enumerate(grips):
        share = ((times >= grip.start - 1e-6) & (times <= grip.end + 1e-6)).astype(float)
        for other_index, other in enumerate(grips):
            if other_index == index or other.start >= grip.end or grip.start >= other.end:
                continue
            begins, ends = other.start < grip.start, other.end < grip.end
            same = other.start == grip.start and other.end == grip.end
            if other.start <= grip.start and other.end >= grip.end:
                share *= 1.0 if same else 0.0
            elif begins and ends:  # takes it over
                share *= _ease((times - grip.start) / (other.end - grip.start))
            elif not begins and not ends:  # gives it away
                share *= _ease((grip.end - times) / (grip.end - other.start))
        result.append(share)
    return result


def _ease(share: Array) -> Array:
    s = np.clip(share, 0.0, 1.0)
    return s * s * (3 - 2 * s)
