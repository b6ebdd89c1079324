"""Stage folder: a performance, its room and all that is seen of them, for another Blender to build (docs/stage.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from render.clip import plain
from render.film import Performance, Studio
from render.given import FORMAT, MOTION_FILE, STAGE, VERSION
from render.look import Colour, Look, PersonLook
from render.plan import ClipPlan
from render.video import write_poster
from render.view import best_view
from synth.body.model import BodyModel
from synth.body.outfits import dressed_faces
from synth.errors import BadOption
from synth.files import atomic_folder, write_text
from synth.gltf import Material, write_glb
from synth.gltf_people import MovingThing, SkinnedPerson, write_people
from synth.interaction import Interaction, Meta, Prop, meta_to_json
from synth.room import Room
from synth.rooms.props import prop_meshes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from render.blender.stage import Stage

ROOM, PEOPLE, THUMBNAIL = "room.glb", "people.glb", "thumbnail.jpg"
THUMBNAIL_SIZE, THUMBNAIL_SAMPLES = (160, 120), 2
STANDARD_SIZE = (320, 240)  # of the described picture


def must_be_new(target: Path) -> None:
    """Raises BadOption where there is something at ``target`` already."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadOption("--out", str(target), "a new or empty folder")


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside ``target``; on success it gets that name, on failure nothing stays.

    Raises:
        BadOption: there is something at ``target`` already.
    """
    must_be_new(target)
    above = [path for path in (target.parent, *target.parent.parents) if not path.exists()]
    try:
        with atomic_folder(target) as work:
            yield work
    finally:
        if not target.exists():
            for path in above:  # those that were made for it, from the inside out
                if path.exists() and not any(path.iterdir()):
                    path.rmdir()


@dataclass(frozen=True)
class Take:
    """What is performed: the number of it in its job, the job's seed, and one plan for each camera of the room."""

    number: int
    seed: int
    plans: Sequence[ClipPlan]


def write_stage(
    studio: Studio, show: Performance, take: Take, folder: Path, title: str, tell: Callable[[str], None]
) -> None:
    """Write a stage folder into the empty ``folder``. ``tell`` hears what is being done."""
    from render.blender.describe import describe_camera, describe_object, describe_scene
    from render.blender.session import RenderSettings
    from render.blender.stage import Stage

    motion, room, plan = show.interaction, studio.room, take.plans[0]
    light = studio.light(plan.seed)
    view = best_view(take.plans, show.joints, motion.present, motion.fps, room)
    tell("staging")
    stage = Stage(
        room, studio.meshes, studio.model, show.look, motion.betas, plan.mood, light,
        view.camera.scaled(*THUMBNAIL_SIZE),
        RenderSettings(
            *STANDARD_SIZE, "cycles", studio.device, studio.settings.samples, plan.noise_seed(0), studio.threads
        ),
        studio.scratch, motion.props,
    )  # fmt: skip
    own = {item.id for item in room.furniture}
    scene = describe_scene(stage.scene)
    value = {
        "format": FORMAT,
        "version": VERSION,
        **_words(show, take, title, studio.model),
        "room": {
            "scene": studio.settings.scene, "name": room.name, "floor": room.floor, "height": room.height,
            "furniture": [
                {"id": item.id, "class": item.cls, "mesh": item.mesh, "center": item.box.center, "size": item.box.size,
                 "yaw": item.box.yaw, "seat_height": item.seat_height}
                for item in room.furniture
            ],
        },
        "cameras": [describe_camera(stage.scene, item.name, item.camera) for item in room.cameras],
        "view": view.camera_name,
        "light": {"mood": plan.mood, "variation": asdict(light)},
        "noise_seeds": [plan.noise_seed(frame) for frame in range(motion.frames)],
        "objects": [
            {"mesh": mesh.name, "furniture": item["furniture"], **describe_object(item)}
            for item, mesh in zip(stage.room, studio.meshes, strict=True)
        ],
        "people": _people(studio, show, stage, describe_object),
        "props": [
            _prop(prop, handle.objects, prop.id in own, describe_object)
            for prop, handle in zip(motion.props, stage.props, strict=True)
        ],
        **scene,
    }  # fmt: skip
    tell("writing")
    write_glb(folder / ROOM, studio.meshes)
    if motion.people:
        motion.save(folder / MOTION_FILE)
        write_people(
            folder / PEOPLE,
            [skinned(studio, show, person, value["people"][person]["parts"]) for person in range(motion.people)],
            [_thing(prop, prop.id in own) for prop in motion.props],
            motion.times,
        )
    write_text(
        folder / STAGE,
        json.dumps(plain(value), separators=(",", ":"), sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n",
    )
    tell("taking a picture")
    write_poster(folder / THUMBNAIL, thumbnail(studio, show, stage, plan))


def nobody(room: Room) -> Performance:
    """A performance of one frame by nobody: a room alone."""
    from synth.motion.actions import Actions

    none = np.zeros((0, 1))
    motion = Interaction(
        20.0, np.zeros((0, 1, 3)), np.zeros((0, 1, 3)), np.zeros((0, 1, 69)), np.zeros((0, 10)), none.astype(bool),
        Meta(room=room.name),
    )  # fmt: skip
    return Performance(motion, np.zeros((0, 1, 24, 3)), Actions(none, none, ()), Look(()), {}, None, 0, "none")


def _words(show: Performance, take: Take, title: str, model: BodyModel) -> dict[str, Any]:
    """What happens, who made it and when."""
    correctives = None if model.posedirs is None else f"{PEOPLE} lacks the pose correctives of the body {model.name}"
    motion = show.interaction
    meta = meta_to_json(motion.meta)
    return {
        "prompt": take.plans[0].prompt if motion.people else "",
        "title": title,
        "class": motion.meta.interaction_class,
        "seed": {"job": take.seed, "take": take.number},
        "generator": show.generator,
        "match": show.match,
        "warnings": [text for text in (show.warning, correctives) if text],
        "fps": motion.fps,
        "frames": motion.frames,
        "seconds": motion.seconds,
        "segments": [
            {"person": item.person, "start_s": item.start, "end_s": item.end, "action": item.label}
            for item in show.actions.segments
        ],
        "contacts": [
            {"person": item["person"], "part": item["part"], "with": item["with"], "start_s": item["start"],
             "end_s": item["end"]}
            for item in meta["contacts"]
        ],
        "licences": {"motion": meta["source"]},
    }  # fmt: skip


def _people(
    studio: Studio, show: Performance, stage: Stage, describe: Callable[[Any], dict[str, Any]]
) -> list[dict[str, Any]]:
    motion = show.interaction
    found = []
    for person, (look, handle) in enumerate(zip(show.look.people, stage.people, strict=True)):
        names = dressed_faces(studio.model, look.parts, look.hair)[2]
        seen = describe(handle.objects[0])
        materials = seen.pop("materials")
        found.append({
            "name": f"person{person + 1}",
            "role": motion.meta.roles[person],
            "gender": motion.meta.genders[person],
            "age": motion.meta.ages[person] if motion.meta.ages else None,
            "betas": motion.betas[person],
            "present": spans(motion.present[person], motion.fps),
            "look": look.as_json(),
            "body": {"name": studio.model.name, "licence": studio.model.licence},
            "parts": [
                {"name": name, "kind": studio.model.parts[name].kind, "material": material,
                 "colour": _plain_colour(name, studio.model.parts[name].kind, look)}
                for name, material in zip(names, materials, strict=True)
            ],
            "attributes": {"rest": "_REST", **{mask: f"_{mask.upper()}" for mask in studio.model.masks}},
            "hidden_from": seen["hidden_from"],
            "smooth": True,
            "sharp_angle": None,
        })  # fmt: skip
    return found


def spans(present: np.ndarray, fps: float) -> list[list[float]]:
    """When somebody is there: [start, end] seconds, the end of the last frame it is seen in."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], present.astype(int), [0]])))
    return [[float(first / fps), float(last / fps)] for first, last in edges.reshape(-1, 2)]


def skinned(studio: Studio, show: Performance, person: int, parts: Sequence[Mapping[str, Any]]) -> SkinnedPerson:
    """A person for ``people.glb``, its vertices those of the Blender mesh, in the same order."""
    model, motion, look = studio.model, show.interaction, show.look.people[person]
    faces, part_of_face, names = dressed_faces(model, look.parts, look.hair)
    used = np.unique(faces)
    index = np.full(len(model.v_template), -1, np.int32)
    index[used] = np.arange(len(used))
    betas = motion.betas[person]
    return SkinnedPerson(
        name=f"person{person + 1}",
        vertices=model.shaped(betas)[used],
        parts={name: index[faces[part_of_face == number]] for number, name in enumerate(names)},
        materials=[Material(item["material"], item["colour"], 0.3 if item["kind"] == "eye" else 0.7) for item in parts],
        weights=model.weights[used],
        joints=model.rest_joints(betas),
        rotations=motion.rotations()[person],
        transl=motion.transl[person],
        paint={"rest": model.v_template[used], **{name: mask[used] for name, mask in model.masks.items()}},
    )


def _plain_colour(part: str, kind: str, look: PersonLook) -> Colour:
    """A part's colour without its pattern, linear RGB: for readers that do not build the node tree, and Workbench."""
    colours = {"skin": look.skin, "lash": look.brow_colour, "hair": look.hair_colour, "eye": (0.7, 0.68, 0.65)}
    if part == "brows":
        return look.brow_colour
    return colours.get(kind) or look.colours.get(part, (0.5, 0.5, 0.5))


def _prop(prop: Prop, objects: Sequence[Any], own: bool, describe: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    meshes = [] if own else [mesh.name for mesh in prop_meshes(prop.id, prop.cls)]
    return {
        "id": prop.id,
        "class": prop.cls,
        "node": _node_name(prop),
        "furniture": prop.id if own else None,
        "objects": [] if own else [
            {"mesh": name, **describe(item)} for name, item in zip(meshes, objects, strict=True)
        ],
    }  # fmt: skip


def _node_name(prop: Prop) -> str:
    return f"prop/{prop.id}"


def _thing(prop: Prop, own: bool) -> MovingThing:
    """A prop for ``people.glb``; the room's own piece has its meshes in ``room.glb``."""
    extras = {"class": prop.cls, **({"furniture": prop.id} if own else {})}
    return MovingThing(_node_name(prop), [] if own else prop_meshes(prop.id, prop.cls), prop.poses(), extras)


def thumbnail(studio: Studio, show: Performance, stage: Stage, plan: ClipPlan) -> np.ndarray:
    """A small, quick picture of the middle of the motion, uint8 [H, W, 3]. Changes the stage's settings."""
    motion = show.interaction
    frame = motion.frames // 2
    one = slice(frame, frame + 1)
    scene = stage.scene
    scene.render.resolution_x, scene.render.resolution_y = THUMBNAIL_SIZE
    scene.cycles.samples = THUMBNAIL_SAMPLES
    vertices: list[np.ndarray | None] = []
    for person in range(motion.people):
        pose, _ = studio.model.pose(motion.betas[person], motion.rotations()[person, one], motion.transl[person, one])
        vertices.append(pose[0].numpy() if motion.present[person, frame] else None)
    stage.pose(vertices)
    stage.move(frame)
    return stage.colour(plan.noise_seed(frame))
