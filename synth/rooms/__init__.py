"""The built-in rooms, and loading and saving of rooms with their meshes."""

from __future__ import annotations

from functools import cache
from os import PathLike
from pathlib import Path

from synth.errors import BadFile, BadOption
from synth.gltf import SceneMesh, read_glb, write_glb
from synth.room import Room, nearest, read_room_json, write_room_json
from synth.rooms.plan import Plan, furnishing, room_of
from synth.rooms.shell import shell
from synth.rooms.wards import PLANS

BUILTIN: tuple[str, ...] = tuple(PLANS)


@cache
def _plan(name: str) -> Plan:
    """A plan's shapes take a second to make and never change."""
    return PLANS[name]()


def build_room(name: str) -> tuple[Room, list[SceneMesh]]:
    """A built-in room and its meshes (metres, z up, world frame), always the same.

    Raises:
        BadOption: no room has this name; the message names the nearest.
    """
    if name not in PLANS:
        raise BadOption("scene", name, nearest(name, BUILTIN))
    plan = _plan(name)
    return room_of(plan), shell(plan) + furnishing(plan)


def load_room(name_or_folder: str | PathLike[str]) -> Room:
    """A built-in room by name, or a user's folder with ``room.json`` and ``room.glb``.

    Raises:
        BadOption: neither a built-in name nor a folder.
        BadFile: the folder's files are missing or wrong.
    """
    if str(name_or_folder) in PLANS:
        return room_of(_plan(str(name_or_folder)))
    folder = Path(name_or_folder)
    if not folder.is_dir():
        raise BadOption("scene", str(name_or_folder), nearest(str(name_or_folder), BUILTIN) + ", or a room's folder")
    return read_room_json(folder)


def room_meshes(room: Room) -> list[SceneMesh]:
    """The meshes of a room: built for the built-in ones, else read from its folder's ``room.glb``."""
    if room.folder is None:
        return build_room(room.name)[1]
    path = Path(room.folder) / "room.glb"
    meshes = read_glb(path)
    names = {m.name.split("/")[0] for m in meshes}
    for item in room.furniture:
        if item.mesh and item.mesh not in names:
            raise BadFile(path, f"mesh {item.mesh}", "nothing", f"the mesh that room.json names for {item.id}")
    return meshes


def save_room(room: Room, meshes: list[SceneMesh], folder: str | PathLike[str]) -> None:
    """Write ``FOLDER/room.glb`` and then ``FOLDER/room.json``; each appears whole or not at all."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    write_glb(target / "room.glb", meshes)
    write_room_json(room, target)
