"""Muscles during a fall: from the captured movement through the reflexes to lying limp.

Every hinge has a servo (stiffness, damping, greatest torque). Its tone runs through three states:

1. until the reaction delay has passed, the muscles go on with the captured movement;
2. then the reflex: targets move to a protective pose (arms towards the fall, head tucked, hips and knees giving way,
   a recovery step), with a tone from limp to full; or the tone drops at once (fainting);
3. after the trunk has landed the tone fades and the body settles under its own weight.

Reaction to a sudden loss of balance takes some 0.1 to 0.2 s for the first muscle activity and up to about 0.4 s for a
stepping foot to leave the floor, longer in old age (Maki and McIlroy 2006, Age Ageing 35 S2: ii12; Luchies et al. 1994,
J. Am. Geriatr. Soc. 42: 506).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from synth.corpus.falls.humanoid import HINGES, PLACE, TREE, kind_of, order_of
from synth.rotation import Array
from synth.skeleton import SMPL_JOINTS

# Stiffness of an active joint at full tone, N m / rad for 70 kg: a third to two thirds of what physics-based characters
# need for athletics (Peng et al. 2018, DeepMimic); damping is a tenth of it in seconds.
STIFFNESS = {
    "hip": 380.0, "knee": 320.0, "ankle": 260.0, "foot": 30.0, "spine1": 500.0, "spine2": 500.0, "spine3": 500.0,
    "neck": 60.0, "head": 50.0, "collar": 150.0, "shoulder": 90.0, "elbow": 60.0, "wrist": 12.0, "hand": 4.0,
}  # fmt: skip
DAMPING = 0.1
# Greatest voluntary torque as a share of weight times height. Legs: Anderson, Madigan, Nussbaum 2007 (J. Biomech. 40:
# 3105), young adults, rounded; arms and neck in the proportion to the legs that dynamometers find (Harbo, Brincks,
# Andersen 2012, Eur. J. Appl. Physiol. 112: 267).
STRENGTH = {
    "hip": 0.15, "knee": 0.15, "ankle": 0.09, "foot": 0.015, "spine1": 0.18, "spine2": 0.18, "spine3": 0.18,
    "neck": 0.025, "head": 0.02, "collar": 0.06, "shoulder": 0.05, "elbow": 0.04, "wrist": 0.01, "hand": 0.004,
}  # fmt: skip
GROUPS = {
    "legs": ("hip", "knee", "ankle", "foot"), "trunk": ("spine1", "spine2", "spine3"), "neck": ("neck", "head"),
    "arms": ("collar", "shoulder", "elbow", "wrist", "hand"),
}  # fmt: skip
Pose = dict[str, dict[str, float]]

# Protective poses: hinge angles in radians by axis, for the left side; "left_..." and "right_..." name one side alone.
FORWARD: Pose = {
    "shoulder": {"z": -0.95, "x": 0.0, "y": -1.15}, "elbow": {"y": -0.55}, "wrist": {"z": 0.6}, "hand": {"z": 0.1},
    "hip": {"x": -0.45}, "knee": {"x": 0.75}, "ankle": {"x": 0.1}, "neck": {"x": -0.3}, "head": {"x": -0.25},
    "spine1": {"x": 0.05}, "spine2": {"x": 0.05}, "spine3": {"x": 0.0},
}  # fmt: skip
BACKWARD: Pose = {
    "shoulder": {"z": -0.75, "x": 0.0, "y": 0.45}, "elbow": {"y": -0.45}, "wrist": {"z": 0.5}, "hand": {"z": 0.0},
    "hip": {"x": -1.0}, "knee": {"x": 1.0}, "ankle": {"x": -0.1}, "neck": {"x": 0.35}, "head": {"x": 0.35},
    "spine1": {"x": 0.25}, "spine2": {"x": 0.2}, "spine3": {"x": 0.15},
}  # fmt: skip
LEFT: Pose = {
    "left_shoulder": {"z": -0.35, "x": 0.0, "y": -0.3}, "right_shoulder": {"z": 0.8, "y": 0.4},
    "elbow": {"y": -0.5}, "left_wrist": {"z": 0.5}, "hand": {"z": 0.0}, "hip": {"x": -0.6}, "knee": {"x": 0.75},
    "neck": {"z": 0.25}, "head": {"z": 0.2}, "spine1": {"x": 0.1, "z": 0.12}, "spine2": {"x": 0.1, "z": 0.1},
}  # fmt: skip
SAG: Pose = {"hip": {"x": -0.7}, "knee": {"x": 1.1}, "ankle": {"x": -0.35}, "spine1": {"x": 0.2}, "neck": {"x": 0.3}}


def mirror(pose: Pose) -> Pose:
    """The pose with left and right changed over."""
    swapped = {}
    for name, angles in pose.items():
        side, _, rest = name.partition("_")
        other = {"left": "right_" + rest, "right": "left_" + rest}.get(side, name)
        turn = name == other  # the trunk: sideways changes sign; a pair given for the left stays as it is
        trunk = turn and any(name == SMPL_JOINTS[joint] for joint in TREE)
        flip = other != name or trunk
        swapped[other] = {axis: -angle if flip and axis != "x" else angle for axis, angle in angles.items()}
    return swapped


@dataclass(frozen=True)
class Reflex:
    """What the muscles do after the event.

    Attributes:
        delay: seconds until they do anything new.
        tone: what is left of full tone (0 limp .. 1), and by group of joints where that differs.
        decay: seconds in which the tone gets there.
        pose: where they move, within `blend` seconds; empty: they hold what they had.
        step: the leg that tries to catch the fall, by when and how: pose while lifted, then pose to land on.
        settle: seconds after the trunk's landing until limp.
    """

    delay: float
    tone: float
    decay: float = 0.15
    groups: Mapping[str, float] = field(default_factory=dict)
    pose: Pose = field(default_factory=dict)
    blend: float = 0.22
    step: tuple[str, Pose, Pose] | None = None
    lift: float = 0.22
    settle: float = 0.35
    rest_tone: float = 0.03


@dataclass(frozen=True)
class Muscles:
    """Full tone of one person: stiffness, greatest torque [69], and the group index of each hinge."""

    stiffness: Array
    strength: Array

    @staticmethod
    def of(weight: float, height: float, age: float) -> Muscles:
        """Strength falls by about one percent a year from forty on (Danneskiold-Samsoe et al. 2009, Acta Physiol.
        197 S673: 1)."""
        aged = float(np.clip(1.0 - 0.01 * (age - 40.0), 0.45, 1.0))
        kinds = [kind_of(joint) for joint in TREE for _ in range(3)]
        stiffness = np.array([STIFFNESS[kind] for kind in kinds]) * weight / 70.0
        strength = np.array([STRENGTH[kind] for kind in kinds]) * weight * 9.81 * height * aged
        return Muscles(stiffness, strength)


class Controller:
    """Targets and tone at each moment; remembers when the reflex began and when the trunk landed."""

    def __init__(self, captured: Array, rate: float, begin: float, reflex: Reflex) -> None:
        """captured: hinge angles [T, 69] at `rate` Hz, unwrapped; the event is at `begin` seconds of it."""
        self.captured, self.rate, self.begin, self.reflex = captured, rate, begin, reflex
        self.groups = np.array([_group(joint) for joint in TREE for _ in range(3)])
        wanted = np.array([reflex.groups.get(name, reflex.tone) for name in GROUPS])
        self.tone_after = wanted[self.groups]
        self.frozen = self._captured(reflex.delay)
        self.goal = overlaid(self.frozen, reflex.pose)
        self.landed: float | None = None
        self.at_landing = self.goal

    def _captured(self, time: float) -> Array:
        place = float(np.clip((self.begin + time) * self.rate, 0, len(self.captured) - 1))
        left = min(int(place), len(self.captured) - 2)
        share = place - left
        return (1 - share) * self.captured[left] + share * self.captured[left + 1]

    def land(self, time: float, angles: Array) -> None:
        """The trunk touches the floor at `time`, with these hinge angles."""
        if self.landed is None:
            self.landed, self.at_landing = time, angles.copy()

    def at(self, time: float) -> tuple[Array, Array]:
        """Target angles [69] and tone [69] at `time` seconds after the event."""
        reflex = self.reflex
        since = time - reflex.delay
        if since < 0:
            target, tone = self._captured(time), np.ones(HINGES)
        else:
            target = self.frozen + _ease(since / reflex.blend) * (self.goal - self.frozen)
            if reflex.step is not None:
                _, lifted, planted = reflex.step
                up = overlaid(target, lifted)
                down = overlaid(target, planted)
                share = _ease((since - reflex.lift) / 0.15)
                target = target + _ease(since / 0.08) * ((1 - share) * up + share * down - target)
            tone = self.tone_after + (1 - self.tone_after) * np.exp(-since / reflex.decay)
        if self.landed is not None:
            share = _ease((time - self.landed) / reflex.settle)
            target = target + share * (self.at_landing - target)
            tone = tone + share * (np.minimum(reflex.rest_tone, tone) - tone)
        return target, tone


def overlaid(angles: Array, pose: Pose) -> Array:
    """Hinge angles [69] with those that a pose names replaced."""
    result = angles.copy()
    for name, values in pose.items():
        for joint in TREE:
            label = SMPL_JOINTS[joint]
            if name not in (label, kind_of(joint)):
                continue
            paired = "_" in label and name == kind_of(joint)  # given for the left
            for axis, value in values.items():
                sign = -1.0 if paired and label.startswith("right") and axis != "x" else 1.0
                result[3 * PLACE[joint] + order_of(joint).index(axis)] = sign * value
    return result


def _group(joint: int) -> int:
    return next(i for i, kinds in enumerate(GROUPS.values()) if kind_of(joint) in kinds)


def _ease(share: float) -> float:
    s = min(max(share, 0.0), 1.0)
    return s * s * (3 - 2 * s)


def stepping(side: str, way: str) -> tuple[str, Pose, Pose]:
    """A recovery step with the `side` leg, "forward", "backward" or "aside"."""
    out = 0.45 if side == "left" else -0.45
    if way == "forward":
        lifted = {f"{side}_hip": {"x": -1.0}, f"{side}_knee": {"x": 1.1}, f"{side}_ankle": {"x": -0.2}}
        planted = {f"{side}_hip": {"x": -0.75}, f"{side}_knee": {"x": 0.45}, f"{side}_ankle": {"x": 0.0}}
    elif way == "backward":
        lifted = {f"{side}_hip": {"x": 0.1}, f"{side}_knee": {"x": 0.9}, f"{side}_ankle": {"x": 0.1}}
        planted = {f"{side}_hip": {"x": 0.35}, f"{side}_knee": {"x": 0.3}, f"{side}_ankle": {"x": 0.0}}
    else:
        lifted = {f"{side}_hip": {"x": -0.5, "z": out}, f"{side}_knee": {"x": 0.8}}
        planted = {f"{side}_hip": {"x": -0.2, "z": out}, f"{side}_knee": {"x": 0.25}}
    return side, lifted, planted
