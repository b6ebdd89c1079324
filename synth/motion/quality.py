"""How well a motion keeps what it promises: contacts, feet, bodies, furniture. Metres; worst and mean over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from synth.interaction import Interaction
from synth.motion import evidence
from synth.motion.fit import State
from synth.motion.kinematics import forward_kinematics
from synth.motion.proxies import Proxies, points_of, skin_of
from synth.motion.soles import sole_points
from synth.room import Furniture

_LOW = ("buttock", "knee", "extremes")


def state_of(motion: Interaction, proxies: Sequence[Proxies]) -> State:
    """The motion as the optimiser sees it."""
    rest = torch.tensor(np.stack([item.rest_joints for item in proxies]), dtype=torch.float32)
    rotmats = torch.tensor(motion.rotations(), dtype=torch.float32)
    transl = torch.tensor(motion.transl, dtype=torch.float32)
    joints, spun = forward_kinematics(rotmats, rest[:, None], transl)
    return State(motion.fps, rotmats, transl, joints, spun)


def measure(motion: Interaction, proxies: Sequence[Proxies], furniture: Sequence[Furniture] = ()) -> dict[str, float]:
    """Figures of a solved motion, rounded to 0.1 mm.

    contact_mean, contact_max: distance between the spots that hold each other, or a prop's hold; foot_slide: 95th
    percentile of what planted soles move a frame; partner_depth: deepest overlap of two people's capsules (measured on
    capsules, beyond what a grip may press); furniture_depth, prop_depth: deepest sphere in a solid, and in one that
    people move; floor_depth_P: deepest sole, toe, finger or buttock of a person under the floor; seat_depth, seat_air:
    how far a sitter's lowest flesh is below and above where the seat's cushion carries it (`evidence.seat_level`).
    """
    state, times = state_of(motion, proxies), motion.times
    found: dict[str, float] = {}
    gaps = []
    for contact in motion.meta.contacts:
        if "person" not in contact.target:
            continue
        own, other = evidence.spots_of(contact)
        a = points_of(proxies, [(contact.person, own)]).where(state)[0]
        b = points_of(proxies, [(int(contact.target["person"]), other)]).where(state)[0]
        on = evidence.window(times, contact.start, contact.end) > 0
        gaps.append((a - b).norm(dim=-1)[on])
    for contact, prop in evidence.prop_contacts(motion):
        spot = contact.target.get("own_spot", contact.part)
        a = points_of(proxies, [(contact.person, spot)]).where(state)[0]
        way = evidence.hold_way(prop, str(contact.target["spot"]), motion.fps, times)
        on = evidence.window(times, contact.start, contact.end) > 0
        gaps.append((a - torch.from_numpy(way.astype(np.float32))).norm(dim=-1)[on])
    if gaps:
        gap = torch.cat(gaps)
        found |= {"contact_mean": float(gap.mean()), "contact_max": float(gap.max())}
    moves = []
    flesh = evidence.lying_flesh(proxies)
    for person in range(motion.people):
        where = sole_points(proxies, person).where(state)
        down = (where[..., 2] < 0.012)[:, 1:] & (where[..., 2] < 0.012)[:, :-1]
        step = (where[:, 1:, :2] - where[:, :-1, :2]).norm(dim=-1)
        moves.append(step[down & (step * motion.fps < 0.2)])
        skin, _ = skin_of(proxies, [(person, f"{side}_{name}") for side in ("left", "right") for name in _LOW])
        lowest = min(float(where[..., 2].min()), float(skin.where(state)[..., 2].min()))
        lying = flesh.depth(state)[flesh.points.person == person]
        found[f"floor_depth_{person}"] = max(0.0, -lowest, float(lying.max()))
    slide = torch.cat(moves)
    found["foot_slide"] = float(torch.quantile(slide, 0.95)) if len(slide) else 0.0
    if motion.people > 1:
        (term,) = evidence.apart(proxies, evidence.held_spots(motion.meta.contacts))
        two = term.start.person[term.first] != term.start.person[term.second]
        gripped = torch.where(term.allow > 0.01, 0.02, 0.0)
        depth = (term.depth(state) - gripped[:, None])[two]
        found["partner_depth"] = float(torch.relu(depth).max())
    pieces = {piece.id: piece for piece in furniture} | evidence.seats_of(motion.props)
    for seat in evidence.seats(proxies, evidence.sitting(motion.meta.contacts, pieces, times, state.rotmats)):
        gap = seat.gap(state)[seat.window > 0]
        found |= {"seat_depth": float(torch.relu(-gap).max()), "seat_air": float(torch.relu(gap).max())}
    sitters = {(c.person, str(c.target["object"])) for c in motion.meta.contacts if "object" in c.target}
    for solid in evidence.rolling(proxies, motion.props, motion.fps, times, sitters):
        found["prop_depth"] = float(torch.relu(solid.depth(state)).max())
    for solid in evidence.furniture(proxies, furniture, sitters):
        found["furniture_depth"] = float(torch.relu(solid.depth(state)).max())
    return {name: round(value, 4) for name, value in sorted(found.items())}
