"""A stage folder (docs/stage.md), or a room's folder, read and checked as a whole before anything is made of it."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import glb, motion, people
from .errors import DAMAGE, CareSynthError, damaged
from .motion import Motion
from .rooms import read_folder, read_json

FORMAT, VERSION = "caresynth-stage", 1


@dataclass(frozen=True)
class Stage:
    """A stage folder, read. ``motion`` and ``bodies`` are empty for a room alone."""

    folder: Path
    info: Mapping[str, Any]
    room: glb.Scene
    motion: Motion | None = None
    bodies: list[people.Body] = field(default_factory=list)
    things: dict[str, glb.Mesh] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return str(self.info.get("title") or self.info.get("prompt") or self.folder.name)


def read(folder: Path) -> Stage:
    """Read a stage folder, or a room's folder.

    Raises:
        CareSynthError: it is neither, or a file in it is damaged; one sentence.
    """
    folder = folder.parent if folder.is_file() else folder
    try:
        return _read(folder)
    except DAMAGE as error:
        traceback.print_exc()  # in the console, should it be a fault of ours
        raise damaged(folder, error) from error


def _read(folder: Path) -> Stage:
    if not folder.is_dir():
        raise CareSynthError(f"There is no folder {folder}")
    if not (folder / "stage.json").is_file():
        if (folder / "room.json").is_file():
            return _plain_room(folder)
        raise CareSynthError(f"{folder} is neither an interaction nor a room of CareSynth: it has no stage.json")
    info = read_json(folder / "stage.json")
    if info.get("format") != FORMAT:
        raise CareSynthError(f"{folder / 'stage.json'} is not a stage of CareSynth")
    if info.get("version") != VERSION:
        raise CareSynthError(
            f"{folder / 'stage.json'} has version {info.get('version')} of the format, {VERSION} is known here: "
            "update this extension, or make the interaction again"
        )
    for name in ("objects", "cameras", "lights", "people", "props"):
        if not isinstance(info.get(name, []), list):
            raise CareSynthError(f"{folder / 'stage.json'} is damaged: {name} is not a list")
    scenery = glb.read(folder / "room.glb")
    if not info.get("people") and not (folder / motion.FILE).is_file():
        return Stage(folder, info, scenery)
    moves = motion.load(folder / motion.FILE)
    actors = glb.read(folder / "people.glb")
    bodies = [people.body_of(mesh, actors.skins[mesh.skin]) for mesh in actors.meshes if mesh.skin is not None]
    if len(bodies) != moves.people or len(info.get("people") or bodies) != moves.people:
        raise CareSynthError(
            f"{folder} does not fit together: {len(bodies)} bodies in people.glb, {moves.people} in {motion.FILE}"
        )
    things = {mesh.name: mesh for mesh in actors.meshes if mesh.skin is None}
    return Stage(folder, info, scenery, moves, bodies, things)


def _plain_room(folder: Path) -> Stage:
    """A room as `synth rooms export` writes it: plain materials, no lights."""
    value = read_folder(folder)
    owners = {str(item.get("mesh")): item for item in value.get("furniture", []) if item.get("mesh")}
    scenery = glb.read(folder / "room.glb")
    objects = []
    for mesh in scenery.meshes:
        owner = owners.get(mesh.name) or owners.get(mesh.name.split("/")[0])
        objects.append(
            {"mesh": mesh.name, "furniture": owner["id"] if owner else ""} | (_pose_of(owner) if owner else {})
        )
    info = {"title": value.get("name") or folder.name, "objects": objects, "cameras": value["cameras"],
            "room": {"scene": str(folder), "name": value.get("name")}}  # fmt: skip
    return Stage(folder, info, scenery)


def _pose_of(owner: Mapping[str, Any]) -> dict[str, Any]:
    box = owner["box"]
    cos, sin = np.cos(float(box["yaw"])), np.sin(float(box["yaw"]))
    pose = np.eye(4)
    pose[:2, :2] = [[cos, -sin], [sin, cos]]
    pose[:3, 3] = box["center"]
    return {"matrix_world": pose.tolist()}
