"""Measured contacts against those that scripts hold by construction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from synth.body import load_body
from synth.corpus.library import library
from synth.corpus.touch import held_props, measured_contacts
from synth.interaction import Contact
from synth.room import furniture_from_json

BODY = load_body()
ENTRIES = {item.id: item for item in library()}


def inside(contact: Contact, found: tuple[Contact, ...]) -> float:
    """Share of a contact's time in which the same hand (or seat) is measured on the same person (or thing)."""
    key = "person" if "person" in contact.target else "object"
    times = np.linspace(contact.start, contact.end, 200)[5:-5]
    on = np.zeros(len(times), bool)
    for item in found:
        same = (item.person, item.part, item.target.get(key)) == (contact.person, contact.part, contact.target[key])
        on |= same & (times >= item.start) & (times <= item.end)
    return float(on.mean())


@pytest.mark.parametrize("name", ["help_up_from_chair_01", "comfort_touch_01", "help_up_from_bed_02"])
def test_what_scripts_hold_is_found_and_hardly_anything_else(name: str) -> None:
    motion = ENTRIES[name].load()
    stage = [furniture_from_json(item, "stage") for item in motion.meta.stage]
    found = measured_contacts(motion, BODY, stage)
    told = [c for c in motion.meta.contacts if "person" in c.target or c.part == "pelvis"]
    assert told
    for contact in told:
        assert inside(contact, found) > 0.9, contact
    hands = [c for c in motion.meta.contacts if "person" in c.target]
    for item in found:
        if "person" in item.target:  # a hand is on somebody only about when somebody is held
            near = [c for c in hands if c.start - 1.0 < item.end and item.start < c.end + 1.0]
            assert near, item


def test_whoever_is_far_or_absent_touches_nobody() -> None:
    motion = ENTRIES["help_up_from_chair_01"].load()
    apart = motion.transl.copy()
    apart[1, :, 0] += 5.0
    assert not [c for c in measured_contacts(replace(motion, transl=apart), BODY) if "person" in c.target]
    absent = motion.present.copy()
    absent[1] = False
    assert not [c for c in measured_contacts(replace(motion, present=absent), BODY) if "person" in c.target]


@pytest.mark.parametrize("name", ["push_wheelchair_01", "walk_with_walker_01", "hand_over_object_01"])
def test_things_are_held_where_hands_are_on_them(name: str) -> None:
    motion = ENTRIES[name].load()
    told = [contact for contact in motion.meta.contacts if "object" in contact.target and "spot" in contact.target]
    found = held_props(motion, BODY)
    assert told
    for contact in told:
        assert inside(contact, found) > 0.9, contact
    away = tuple(replace(prop, transl=prop.transl + np.array([0.0, 0.3, 0.0], np.float32)) for prop in motion.props)
    assert held_props(replace(motion, props=away), BODY) == ()
