"""A motion that is given instead of made: a file, or a stage folder (docs/stage.md) whose people may have been edited.

Nothing that a file says of what happens in it is believed: actions and contacts are measured on the motion as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from render.look import Wish, wishes_from
from render.plan import MOODS, JobSettings
from synth.camera import camera_from_json
from synth.errors import BadFile, BadOption
from synth.files import read_json
from synth.interaction import Contact, Interaction, Prop, load_interaction
from synth.room import Room, RoomCamera
from synth.rooms import load_room

if TYPE_CHECKING:
    from render.blender.light import LightParams
    from synth.body import BodyModel
    from synth.motion.actions import Actions

FORMAT, VERSION = "caresynth-stage", 1
HANDS = ("left_hand", "right_hand")
# classes in which the staff's hand is on the patient, and all in which both are there
TOUCHED = frozenset((
    "help_up_from_bed", "help_up_from_chair", "help_up_from_floor", "assist_walking", "assist_sit_down",
    "assist_lie_down", "transfer_bed_to_wheelchair", "comfort_touch", "fall_caught_by_staff",
    "staff_rushes_to_fallen_patient",
))  # fmt: skip
TOGETHER = TOUCHED | {"hand_over_object", "push_wheelchair", "talk_standing", "talk_at_bedside"}
STAGE, MOTION_FILE, EDITED = "stage.json", "interaction.npz", "edited_interaction.npz"


@dataclass(frozen=True)
class StageFile:
    """What ``stage.json`` says of how its motion is shown.

    Attributes:
        room: built-in name or folder. seed: of the job it comes from.
        looks: of each person. mood, light: of the room. cameras: where they hang now.
    """

    room: str
    seed: int
    looks: tuple[Wish, ...]
    mood: str
    light: LightParams
    cameras: tuple[RoomCamera, ...]


def given_files(path: Path) -> tuple[Path, Path | None]:
    """The motion and the ``stage.json`` of a file or a stage folder; in a folder the edited motion goes first.

    Raises:
        BadFile: there is no such file, or none in the folder.
    """
    if not path.is_dir():
        if not path.exists():
            raise BadFile(path, "file", "nothing", "an interaction's npz or a stage folder")
        return path, None
    motion = next((path / name for name in (EDITED, MOTION_FILE) if (path / name).exists()), None)
    if motion is None:
        raise BadFile(path, MOTION_FILE, "nothing", "a stage folder, which holds a motion of this name")
    return motion, path / STAGE if (path / STAGE).exists() else None


def read_stage(path: str | PathLike[str]) -> StageFile:
    """Read what is needed of a ``stage.json``.

    Raises:
        BadFile: of another version, or a field is missing or wrong.
    """
    from render.blender.light import LightParams

    value = read_json(path)
    if not isinstance(value, Mapping) or value.get("format") != FORMAT:
        raise BadFile(path, "format", value.get("format") if isinstance(value, Mapping) else value, FORMAT)
    if value.get("version") != VERSION:
        raise BadFile(path, "version", value.get("version"), f"{VERSION}, or a newer caresynth")
    room, seed, light = value.get("room"), _object(value, "seed", path), _object(value, "light", path)
    scene = room.get("scene") if isinstance(room, Mapping) else None
    if not isinstance(scene, str):
        raise BadFile(path, "room.scene", scene, "a room's name or folder")
    if not isinstance(seed.get("job"), int):
        raise BadFile(path, "seed.job", seed.get("job"), "a whole number")
    if light.get("mood") not in MOODS:
        raise BadFile(path, "light.mood", light.get("mood"), f"one of {', '.join(MOODS)}")
    variation = _object(light, "variation", path, "light.")
    known = {item.name for item in fields(LightParams)}
    for name, number in variation.items():
        if name not in known or isinstance(number, bool) or not isinstance(number, (int, float)):
            raise BadFile(path, f"light.variation.{name}", number, f"a number for one of {', '.join(sorted(known))}")
    people, cameras = value.get("people"), value.get("cameras")
    if not isinstance(people, list) or not all(isinstance(item, Mapping) for item in people):
        raise BadFile(path, "people", people, "a list of objects")
    if not isinstance(cameras, list) or not all(isinstance(item, Mapping) and item.get("name") for item in cameras):
        raise BadFile(path, "cameras", cameras, "a list of objects with names")
    names = [str(item["name"]) for item in cameras]
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        raise BadFile(path, f"cameras[{names.index(twice, names.index(twice) + 1)}].name", twice,
                      "a name that no other camera has")  # fmt: skip
    return StageFile(
        room=scene,
        seed=seed["job"],
        looks=wishes_from([item.get("look") for item in people], path, "people.look"),
        mood=light["mood"],
        light=LightParams(**variation),
        cameras=tuple(
            RoomCamera(str(item["name"]), camera_from_json(item, path, f"cameras[{index}]"))
            for index, item in enumerate(cameras)
        ),
    )


def _object(value: Mapping[str, Any], name: str, path: str | PathLike[str], above: str = "") -> Mapping[str, Any]:
    found = value.get(name)
    if not isinstance(found, Mapping):
        raise BadFile(path, above + name, found, "an object")
    return found


def room_of(settings: JobSettings) -> Room:
    """The room of a job, with the cameras of its stage where it has one."""
    room = load_room(settings.scene)
    return room if settings.stage is None else replace(room, cameras=read_stage(settings.stage).cameras)


def given_motion(path: str | PathLike[str], fps: float, seconds: float | None) -> Interaction:
    """The motion of a file at a frame rate; only its first ``seconds`` if they are fewer than it has.

    Raises:
        BadFile: no interaction. BadOption: the motion is shorter than ``seconds``.
    """
    motion = load_interaction(path)
    length = (motion.frames - 1) / motion.fps  # of what is known: there is nothing after the last frame
    count = int(np.floor(length * fps + 1e-6)) + 1
    if seconds is not None:
        wanted = max(1, round(seconds * fps))
        if wanted > count:
            raise BadOption(
                "--seconds", seconds, f"at most {count / fps:.3f}, which the motion has at {fps:g} a second"
            )
        count = wanted
    return motion.resample(fps).window(0.0, count / fps)


def given_take(
    path: str | PathLike[str], fps: float, seconds: float | None, body: BodyModel, room: Room
) -> tuple[Interaction, Actions, Interaction]:
    """What of a file is filmed (`given_motion`): with its measured labels, those by frame, and as the file has it.

    It is measured at its own rate: a fall lasts less than a few frames of a slow video.
    """
    from synth.motion.actions import at_frames

    thin, whole = given_motion(path, fps, seconds), load_interaction(path)
    whole = whole.window(0.0, (thin.frames - 1) / fps + 1 / whole.fps)
    shown, actions = measured(whole, body, room)

    def until(end: float) -> float:  # what lasts to the end lasts as long as the video
        return thin.seconds if end > whole.seconds - 1e-6 else min(end, thin.seconds)

    meta = replace(
        shown.meta,
        actions=tuple(replace(item, end=until(item.end)) for item in shown.meta.actions),
        contacts=tuple(replace(item, end=until(item.end)) for item in shown.meta.contacts),
    )
    actions = replace(at_frames(actions, whole.fps, fps, thin.frames), segments=meta.actions)
    return replace(shown.resample(fps, thin.frames), meta=meta), actions, whole


def said(motion: Interaction) -> str:
    """What a motion's file says that happens in it."""
    return " ".join(motion.meta.text.split()) or (motion.meta.interaction_class or "a given motion").replace("_", " ")


def caption_of(motion: Interaction) -> str | None:
    """What a motion's file says in words of what it shows, or None."""
    return next((text for text in (*motion.meta.captions, motion.meta.text) if text.strip()), None)


def measured(motion: Interaction, body: BodyModel, room: Room) -> tuple[Interaction, Actions]:
    """The motion with contacts and actions as they are, and the actions by frame; what it said of them is dropped.

    Its interaction class stays only where the measured actions and contacts show it: a wrong one is worse than none.
    With it goes what the file says in words, which is of the class.
    """
    from synth.corpus.gate import content_faults
    from synth.corpus.retrieve import standing
    from synth.corpus.touch import held_props, measured_contacts
    from synth.motion.actions import measure_actions

    around = standing(room, motion)
    said = replace(motion.meta, actions=(), contacts=(), core=None, quality={}, room=room.name)
    bare = replace(motion, meta=said)
    holds = held_props(replace(bare, meta=replace(said, contacts=possible_holds(bare))), body)
    contacts = measured_contacts(bare, body, around) + one_at_a_time(holds)
    bare = replace(bare, meta=replace(said, contacts=contacts))
    actions = measure_actions(bare, body, around)
    meta = replace(bare.meta, actions=actions.segments)
    if meta.interaction_class is not None and (content_faults(bare, actions) or not is_done_together(bare)):
        meta = replace(meta, interaction_class=None, text="", captions=())
    return replace(bare, meta=meta), actions


def is_done_together(motion: Interaction) -> bool:
    """Whether the contacts show what the motion's class says that staff and patient do with each other.

    True of a class that is not of two people. All motions of the library pass.
    """
    name, roles = motion.meta.interaction_class or "", np.array(motion.meta.roles)
    if name not in TOGETHER:
        return True
    staff, patient = (motion.present[roles == role].any(0) for role in ("staff", "patient"))
    if not (staff & patient).any():
        return False
    hands = [contact for contact in motion.meta.contacts if contact.part in HANDS]
    if name in TOUCHED:
        touched = {(roles[contact.person], roles[contact.target["person"]]) for contact in hands
                   if "person" in contact.target}  # fmt: skip
        return ("staff", "patient") in touched
    if name in ("push_wheelchair", "hand_over_object"):
        return any(_is_used(name, prop, [c for c in hands if c.target.get("object") == prop.id], roles)
                   for prop in motion.props)  # fmt: skip
    return True


def _is_used(name: str, prop: Prop, holds: Sequence[Contact], roles: np.ndarray) -> bool:
    """Whether a wheelchair is pushed by staff, or a thing goes from one's hands to the other's."""
    spans = {
        role: (min(hold.start for hold in own), max(hold.end for hold in own))
        for role in ("staff", "patient")
        if (own := [hold for hold in holds if roles[hold.person] == role])
    }
    if name == "push_wheelchair":
        return prop.cls == "wheelchair" and "staff" in spans
    if len(spans) < 2:
        return False
    (start, end), (other_start, other_end) = spans.values()
    return start != other_start and end != other_end and (start < other_start) == (end < other_end)


def possible_holds(motion: Interaction) -> tuple[Contact, ...]:
    """Every hand (foot) on every hold of every thing all the time: what is left when it is measured is what is held."""
    from synth.rooms.props import HANDLES

    found = []
    for prop in motion.props:
        for hold in HANDLES.get(prop.cls, {}):
            limb, spot = ("foot", "ball") if hold.endswith("_foot") else ("hand", "hand")
            for person in range(motion.people):
                for side in ("left", "right"):
                    target = {"object": prop.id, "spot": hold, "own_spot": f"{side}_{spot}"}
                    found.append(Contact(person, f"{side}_{limb}", target, 0.0, motion.seconds))
    return tuple(found)


def one_at_a_time(contacts: Sequence[Contact]) -> tuple[Contact, ...]:
    """A hand is on one hold at a time: of those that overlap the longest."""
    kept: list[Contact] = []
    for contact in sorted(contacts, key=lambda c: c.start - c.end):
        rivals = (c for c in kept if (c.person, c.part) == (contact.person, contact.part))
        if not any(c.start < contact.end and contact.start < c.end for c in rivals):
            kept.append(contact)
    return tuple(sorted(kept, key=lambda c: (c.person, c.start)))
