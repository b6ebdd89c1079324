"""The words of the labels: roles, actions, postures, interaction classes, furniture and body parts.

``taxonomy.json`` beside this module is the source; it maps each action to OmniFall's 16 classes and to a posture.
"""

from __future__ import annotations

import json
from importlib.resources import files

_DATA = json.loads(files("synth").joinpath("taxonomy.json").read_text(encoding="utf-8"))

ROLES: tuple[str, ...] = tuple(_DATA["roles"])
# in OmniFall's order, so that an action's index is its OmniFall class
ACTIONS: tuple[str, ...] = tuple(sorted(_DATA["actions"], key=lambda name: _DATA["actions"][name]["omnifall"]))
ACTION_INDEX: dict[str, int] = {name: index for index, name in enumerate(ACTIONS)}
POSTURE_OF_ACTION: dict[str, str | None] = {name: _DATA["actions"][name]["posture"] for name in ACTIONS}
POSTURES: tuple[str, ...] = tuple(_DATA["postures"])
INTERACTIONS: tuple[str, ...] = tuple(_DATA["interactions"])
FALLS: tuple[str, ...] = tuple(name for name in INTERACTIONS if name.startswith(("fall_", "slip_")))  # balance is lost

FURNITURE_CLASSES: tuple[str, ...] = (
    "bed", "chair", "armchair", "sofa", "wheelchair", "walker", "lift", "table", "nightstand", "wardrobe", "toilet",
    "sink", "door",
)  # fmt: skip
# things that people move: furniture on wheels, and what hands carry
PROP_CLASSES: tuple[str, ...] = (
    "walker", "wheelchair", "lift", "cup", "box", "folder", "towel", "book", "bottle", "phone", "pill_cup", "cane",
)  # fmt: skip
SEATS: tuple[str, ...] = ("chair", "armchair", "sofa", "wheelchair", "toilet", "bed")

BODY_PARTS: tuple[str, ...] = (
    "left_hand", "right_hand", "left_forearm", "right_forearm", "left_upper_arm", "right_upper_arm", "left_shoulder",
    "right_shoulder", "left_foot", "right_foot", "left_shin", "right_shin", "left_knee", "right_knee", "left_thigh",
    "right_thigh", "pelvis", "lower_back", "upper_back", "chest", "head",
)  # fmt: skip
