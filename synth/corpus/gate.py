"""Does a made motion show what it is said to show, and could bodies do it? What fails is made again.

The labels are the measured ones (`synth.motion.actions`), the distances those that `synth.motion.adapt` measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from synth.body import BodyModel
from synth.interaction import Interaction
from synth.motion import metrics
from synth.motion.actions import Actions
from synth.room import Box, Room
from synth.rooms.props import prop_piece
from synth.rotation import Array
from synth.skeleton import JOINT, forward_kinematics
from synth.taxonomy import FALLS

# Limits in metres: beyond the first a clip is made again, beyond the second it is never shown.
CONTACT = (0.05, 0.12)
PARTNER = (0.05, 0.12)
FURNITURE = (0.10, 0.18)  # spheres in solids: cushions give, and the spheres are wider than thighs
FLOOR = (0.04, 0.10)
FLOATING = (0.0, 0.05)  # share of frames with nobody's foot, hand, back or seat on anything
SEATED_NEAR = 0.35  # a pelvis this close to the middle of a thing with a seat sits on it
GLIDING, GLIDES_FROM = 0.3, 0.8  # share of the way without a foot at rest; seconds of way from which that counts
GLIDES_FPS = 10.0
HEAD_BACK = 0.5  # seconds on one's feet or a seat with the face to the ceiling
JERK = (700.0, 2500.0)  # m/s^3, real captures are at 20-150


LIFTED = (0.65, 0.8)  # metres: who is helped up has the pelvis so low before, so high after
ON_SEAT = 0.19  # metres: of a pelvis above what it sits on; who sits higher than `LIFTED` is helped up from there
RISE = (0.1, 0.9)  # shares of the way up between which a hand has to be on them
TOUCHING = 0.15  # seconds that a touch is longer than its label, whose ends are measured by the frame


@dataclass(frozen=True)
class Fault:
    """Something wrong with a motion; ``grave`` ones are never shown."""

    text: str
    grave: bool


CAUGHT = "fall_caught_by_staff"  # begins like a fall, and need not end on the floor
LANDED = tuple(name for name in FALLS if name != CAUGHT)
STATES = frozenset(("standing", "sitting", "lying", "fallen", "other"))
# For each class: who, and what their labels must contain, in this order; "a|b" means either.
# Falls and the way they end are for classes that are falls.
_LOW = "sitting|lying|fallen|kneeling|squatting|other"
SHOWS: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "help_up_from_bed": (("patient", ("sitting|lying", "stand_up")),),
    "help_up_from_chair": (("patient", ("sitting", "stand_up")),),
    "help_up_from_floor": (("patient", (_LOW, "stand_up")),),
    "assist_walking": (("patient", ("walk",)), ("staff", ("walk",))),
    "assist_sit_down": (("patient", ("sit_down", "sitting")),),
    "assist_lie_down": (("patient", ("lie_down|other", "lying")),),
    "walk_alone": (("any", ("walk",)),),
    "walk_with_walker": (("any", ("walk",)),),
    "sit_down_alone": (("any", ("sit_down", "sitting")),),
    "stand_up_alone": (("any", ("stand_up",)),),
    "lie_down_alone": (("any", ("lie_down", "lying|fallen")),),
    "get_out_of_bed_alone": (("any", ("lying", "sitting|stand_up")),),
    "hand_over_object": (("staff", ("standing",)),),
    "push_wheelchair": (("patient", ("sitting",)), ("staff", ("walk",))),
    "transfer_bed_to_wheelchair": (("patient", ("sitting", "stand_up", "sit_down", "sitting")),),
    "get_up_from_floor_alone": (("any", ("stand_up",)),),
    "pick_up_from_floor": (("any", ("other|squat_down|kneel_down|standing",)),),
    "kneel_down_alone": (("any", ("kneel_down|kneeling",)),),
    "crawl_alone": (("any", ("crawl",)),),
    "staff_rushes_to_fallen_patient": (
        ("patient", ("fallen|lying|sitting",)),
        ("staff", ("walk", "kneel_down|squat_down|other|standing")),
    ),
    # who is caught goes down under control, or is set upright before any way down has ended
    CAUGHT: (("patient", ("walk|standing", "sit_down|kneel_down|squat_down|lie_down|fall|other|standing")),),
    "talk_standing": (("patient", ("standing",)), ("staff", ("standing",))),
    "talk_at_bedside": (("patient", ("sitting|lying",)), ("staff", ("standing|sitting|kneeling",))),
    "comfort_touch": (("patient", ("sitting|lying|standing",)), ("staff", ("standing|sitting|kneeling",))),
    **dict.fromkeys(LANDED, (("any", ("fall", "fallen")),)),
}


def faults_of(motion: Interaction, actions: Actions, room: Room, body: BodyModel, whole: bool = True) -> list[Fault]:
    """Everything wrong with a motion, worst first.

    Args:
        motion: in the room, at any frame rate.
        actions: measured on it.
        whole: whether the clip is long enough to hold the whole action; a part of it need not show how people were
            before and after.
    """
    found = [*content_faults(motion, actions, whole), *distance_faults(motion), *_bodies(motion, actions, room, body)]
    if whole and (motion.meta.interaction_class or "").startswith("help_up"):
        found += _lift(motion, room, body)
    return sorted(found, key=lambda fault: not fault.grave)


def content_faults(motion: Interaction, actions: Actions, whole: bool = True) -> list[Fault]:
    """Where the measured actions are not those of the motion's interaction class; see `faults_of`."""
    name = motion.meta.interaction_class
    found = []
    for role, wanted in SHOWS.get(name or "", ()):
        steps = wanted if whole else tuple(step for step in wanted if telling(step)) or wanted
        people = [p for p in range(motion.people) if role in ("any", motion.meta.roles[p])]
        if not any(_in_order(actions.order(p), steps) for p in people):
            shown = "; ".join(" ".join(actions.order(p)) for p in people) or "nobody of this role"
            found.append(Fault(f"{name}: the {role if role != 'any' else 'person'} should {' then '.join(steps)}, "
                               f"but shows: {shown}", True))  # fmt: skip
    if name not in FALLS and any(s.label == "fall" for s in actions.segments):
        found.append(Fault(f"{name or 'the motion'}: somebody falls", True))
    return found


def telling(step: str) -> bool:
    """Whether a step of `SHOWS` is something that somebody does, not how somebody is."""
    return not set(step.split("|")) & STATES


def _in_order(labels: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    at = 0
    for label in labels:
        if at < len(wanted) and label in wanted[at].split("|"):
            at += 1
    return at == len(wanted)


def distance_faults(motion: Interaction) -> list[Fault]:
    """Where bodies, hands and furniture are not as they should be to each other (`synth.motion.adapt` measured it)."""
    measured = motion.meta.quality.get("adapt", {})
    floor = max((value for key, value in measured.items() if key.startswith("floor_depth")), default=0.0)
    rows = (
        ("hands are {} from what they hold", measured.get("contact_mean", 0.0), CONTACT),
        ("two bodies overlap by {}", max(measured.get("partner_depth", 0), measured.get("skin_depth", 0)), PARTNER),
        ("a body is {} inside furniture", measured.get("furniture_depth", 0.0), FURNITURE),
        ("a body is {} under the floor", floor, FLOOR),
    )
    return [
        Fault(text.format(f"{100 * value:.0f} cm"), value > grave)
        for text, value, (limit, grave) in rows
        if value > limit
    ]


def _lift(motion: Interaction, room: Room, body: BodyModel) -> list[Fault]:
    """Whether who is helped up gets from low to high with somebody's hand on them, by the motion's contacts."""
    roles = motion.meta.roles
    if not {"patient", "staff"} <= set(roles):
        return [Fault("a patient and staff should be there", True)]
    patient = roles.index("patient")
    pelvis = motion.transl[patient, :, 2] + np.asarray(body.rest_joints(motion.betas), float)[patient, 0, 2]
    first, last = rise(pelvis)
    low, high = float(pelvis[: last + 1].min()), float(pelvis.max())
    spot = motion.transl[patient, [pelvis[: last + 1].argmin()]]
    seats = [item.seat_height for item in room.furniture if item.seat_height and _over(item.box, spot).all()]
    sits = max([LIFTED[0], *(height + ON_SEAT for height in seats)])
    found = []
    if low > sits or high < LIFTED[1]:
        found.append(Fault(f"the patient gets from {low:.2f} to {high:.2f} m, not from below {sits:.2f} to above "
                           f"{LIFTED[1]}", True))  # fmt: skip
    held = np.zeros(motion.frames, bool)
    for contact in motion.meta.contacts:
        if roles[contact.person] == "staff" and contact.target.get("person") == patient and "hand" in contact.part:
            held |= (motion.times >= contact.start - TOUCHING) & (motion.times <= contact.end + TOUCHING)
    alone = float((~held[first : last + 1]).mean())
    if alone > 0:
        found.append(Fault(f"nobody's hand is on the patient in {100 * alone:.0f} % of the way up", True))
    return found


def _over(box: Box, points: Array) -> np.ndarray:
    """Which of the points [N, 3] are above or below a box, or nearly so."""
    local = np.abs(box.to_local(points))[:, :2] <= np.asarray(box.size)[:2] / 2 + 0.15
    return np.asarray(local.all(-1))


def rise(height: Array) -> tuple[int, int]:
    """First and last frame of the way up: from the lowest point before the highest one, between `RISE` of it.

    Args:
        height: [T] metres.
    """
    top = int(height.argmax())
    low = int(height[: top + 1].argmin())
    share = (height[low : top + 1] - height[low]) / max(float(height[top] - height[low]), 1e-6)
    first = int(np.flatnonzero(share <= RISE[0])[-1])
    last = first + int(np.flatnonzero(share[first:] >= RISE[1])[0]) if share[-1] >= RISE[1] else len(share) - 1
    return low + first, low + last


def _bodies(motion: Interaction, actions: Actions, room: Room, body: BodyModel) -> list[Fault]:
    rest = np.asarray(body.rest_joints(motion.betas), float)
    joints, spun = forward_kinematics(motion.rotations(), rest[:, None], motion.transl)
    found = []
    if not np.isfinite(joints).all():
        return [Fault("the motion is not finite", True)]
    carriers = [item for item in room.furniture if item.seat_height is not None]
    for person in range(motion.people):
        here = motion.present[person]
        points = joints[person][here]
        if not len(points):
            continue
        if not room.contains(points[:, 0, :2]).all():
            found.append(Fault("somebody leaves the room", True))
        on = np.zeros(len(points), bool)
        for item in carriers:
            on |= _over(item.box, points[:, 0])
        for prop in motion.props:
            near = np.linalg.norm(points[:, 0, :2] - np.asarray(prop.transl)[here, :2], axis=-1) < SEATED_NEAR
            on |= near & (prop_piece(prop.cls).seat_height is not None)
        for done in actions.segments:  # who falls is carried by nothing: that is what falling is
            if done.person == person and done.label == "fall":
                on |= (motion.times[here] >= done.start) & (motion.times[here] <= done.end)
        air = metrics.floating(points[~on]) if (~on).any() else 0.0
        if air > FLOATING[0]:
            found.append(Fault(f"somebody floats in {100 * air:.0f} % of the frames", air > FLOATING[1]))
        way, gliding = metrics.gliding(points, motion.fps)
        # seen more seldom than that, a foot that rests half a second cannot be told from one that does not
        if motion.fps >= GLIDES_FPS and way >= GLIDES_FROM and gliding > GLIDING and on.mean() < 0.5:
            found.append(Fault(f"somebody glides over the floor ({100 * gliding:.0f} % of the way)", True))
        back = metrics.head_back(points, spun[person][here][:, JOINT["head"], :, 2], motion.fps)
        if back > HEAD_BACK:
            found.append(Fault(f"somebody's head is thrown back for {back:.1f} s", True))
        jerk = metrics.jitter(points, motion.fps)
        if jerk > JERK[0]:
            found.append(Fault(f"somebody jerks ({jerk:.0f} m/s^3)", jerk > JERK[1]))
    return found
