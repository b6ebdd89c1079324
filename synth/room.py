"""Room: metric, floor-aligned geometry, furniture with classes, and cameras. The floor is z = 0.

A room is a folder with ``room.json`` (read and written here) and ``room.glb`` (``synth.gltf``).

Furniture's own frame has its origin in the middle of its box, z up, and +y as its front: where a sitter looks; from a
bed's head to its foot; the way one walks behind a walker; towards the person who uses a wardrobe, sink or table.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from synth.camera import Camera, camera_from_json, number_array
from synth.errors import BadFile, BadOption
from synth.files import read_json, write_json
from synth.rotation import Array, yaw_matrix
from synth.taxonomy import FURNITURE_CLASSES

VERSION = 1


@dataclass(frozen=True)
class Box:
    """A box that stands upright: centre [3], full extents [3] along its own axes, ``yaw`` radians about z."""

    center: Array
    size: Array
    yaw: float = 0.0

    def to_world(self, points: ArrayLike) -> Array:
        """Points in the box's frame [..., 3] to the world."""
        return np.asarray(points, dtype=float) @ yaw_matrix(self.yaw).T + self.center

    def to_local(self, points: ArrayLike) -> Array:
        """World points [..., 3] to the box's frame."""
        return (np.asarray(points, dtype=float) - self.center) @ yaw_matrix(self.yaw)

    def footprint(self) -> Array:
        """The four floor corners [4, 2], counter-clockwise."""
        half = np.asarray(self.size)[:2] / 2
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        return self.to_world(np.concatenate([corners, np.zeros((4, 1))], -1))[:, :2]


@dataclass(frozen=True)
class Furniture:
    """One piece of furniture.

    Attributes:
        id: unique in the room.
        cls: one of ``taxonomy.FURNITURE_CLASSES`` ("class" in files).
        box: its bounds.
        seat_height: metres from the floor to what one sits or lies on, if one can.
        mesh: name of its meshes in ``room.glb`` (they are called ``mesh`` or ``mesh/part``).
        solids: boxes in the furniture's own frame that approximate what a body cannot enter; empty means the whole box.
        seat: the part of the seat's surface one can sit on, as a Box in the furniture's own frame, or None.
    """

    id: str
    cls: str
    box: Box
    seat_height: float | None = None
    mesh: str = ""
    solids: tuple[Box, ...] = ()
    seat: Box | None = None

    def world_solids(self) -> tuple[Box, ...]:
        """The solids in the world's frame."""
        if not self.solids:
            return (self.box,)
        return tuple(Box(self.box.to_world(s.center), s.size, s.yaw + self.box.yaw) for s in self.solids)

    @property
    def head_raised(self) -> bool:
        """Whether part of a bed's surface rises above the rest: its head section is up."""
        if self.cls != "bed" or self.seat_height is None:
            return False
        top = self.seat_height + 0.05 - self.box.center[2]
        return any(
            item.center[2] + item.size[2] / 2 > top and min(item.size[:2]) > 0.08 and item.size[0] > 0.5
            for item in self.solids
        )

    def to_json(self) -> dict[str, Any]:
        value: dict[str, Any] = {"id": self.id, "class": self.cls, "box": _box_json(self.box), "mesh": self.mesh}
        if self.seat_height is not None:
            value["seat_height"] = self.seat_height
        if self.solids:
            value["solids"] = [_box_json(solid) for solid in self.solids]
        if self.seat is not None:
            value["seat"] = _box_json(self.seat)
        return value


@dataclass(frozen=True)
class RoomCamera:
    """A named camera of the room."""

    name: str
    camera: Camera


@dataclass(frozen=True)
class Room:
    """A room.

    Attributes:
        name: what it is called.
        floor: polygon [N, 2], metres, counter-clockwise.
        height: of the ceiling, metres.
        furniture, cameras: what stands and hangs in it.
        provenance, quality: where it comes from and how good it is, JSON objects.
        folder: where it was read from, None for the built-in ones.
    """

    name: str
    floor: Array
    height: float
    furniture: tuple[Furniture, ...] = ()
    cameras: tuple[RoomCamera, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def camera(self, name: str) -> Camera:
        """The camera of this name; ``BadOption`` names the nearest ones otherwise."""
        for item in self.cameras:
            if item.name == name:
                return item.camera
        raise BadOption("camera", name, nearest(name, [item.name for item in self.cameras]))

    def piece(self, identifier: str) -> Furniture:
        """The furniture of this id; ``BadOption`` names the nearest ones otherwise."""
        for item in self.furniture:
            if item.id == identifier:
                return item
        raise BadOption("furniture", identifier, nearest(identifier, [item.id for item in self.furniture]))

    def of_class(self, *classes: str) -> tuple[Furniture, ...]:
        """The furniture of these classes, in the room's order."""
        return tuple(item for item in self.furniture if item.cls in classes)

    def contains(self, points: ArrayLike) -> np.ndarray:
        """Whether floor points [..., 2] lie inside the floor polygon (even-odd rule)."""
        p = np.asarray(points, dtype=float)
        start, end = self.floor, np.roll(self.floor, -1, 0)
        x, y = p[..., None, 0], p[..., None, 1]
        crosses = (start[:, 1] > y) != (end[:, 1] > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = start[:, 0] + (y - start[:, 1]) / (end[:, 1] - start[:, 1]) * (end[:, 0] - start[:, 0])
        return (crosses & (x < at)).sum(-1) % 2 == 1

    def to_json(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "name": self.name,
            "floor": self.floor.tolist(),
            "height": self.height,
            "furniture": [item.to_json() for item in self.furniture],
            "cameras": [{"name": item.name, **item.camera.to_json()} for item in self.cameras],
            "provenance": self.provenance,
            "quality": self.quality,
        }


def nearest(name: str, known: Iterable[str]) -> str:
    """What to expect instead of an unknown name: the close ones first, else all of them."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"a known name; the nearest: {', '.join(close)}"
    return f"one of {', '.join(names)}" if names else "nothing: there is none"


def read_room_json(folder: str | PathLike[str]) -> Room:
    """Read and check ``FOLDER/room.json``.

    Raises:
        BadFile: names the field that is missing or wrong.
    """
    path = Path(folder) / "room.json"
    return room_from_json(read_json(path), path)


def write_room_json(room: Room, folder: str | PathLike[str]) -> None:
    """Write ``FOLDER/room.json`` atomically, after validation."""
    path = Path(folder) / "room.json"
    value = room.to_json()
    room_from_json(value, path)
    write_json(path, value)


def room_from_json(value: Any, where: str | PathLike[str]) -> Room:
    """A Room from the JSON object of DESIGN.md, checked field by field (``BadFile`` otherwise)."""
    if not isinstance(value, Mapping):
        raise BadFile(where, "file", value, "a JSON object")
    if value.get("version") != VERSION:
        raise BadFile(where, "version", value.get("version"), f"{VERSION}")
    name = value.get("name")
    if not isinstance(name, str) or not name:
        raise BadFile(where, "name", name, "a name")
    floor = number_array(value.get("floor"), (-1, 2), where, "floor")
    area = _signed_area(floor) if len(floor) >= 3 else 0.0
    if abs(area) < 0.5:
        raise BadFile(where, "floor", f"{len(floor)} corners, {abs(area):.2f} m2", "a polygon of at least 0.5 m2")
    height = _number(value.get("height"), where, "height", 1.5, 20.0)
    furniture = tuple(
        furniture_from_json(item, where, f"furniture[{i}]") for i, item in enumerate(_list(value, "furniture", where))
    )
    cameras = []
    for i, item in enumerate(_list(value, "cameras", where)):
        label = item.get("name") if isinstance(item, Mapping) else None
        if not isinstance(label, str) or not label:
            raise BadFile(where, f"cameras[{i}].name", label, "a name")
        cameras.append(RoomCamera(label, camera_from_json(item, where, f"cameras[{i}]")))
    _unique(where, "furniture", [item.id for item in furniture])
    _unique(where, "cameras", [item.name for item in cameras])
    return Room(
        name=name,
        floor=floor if area > 0 else floor[::-1].copy(),
        height=height,
        furniture=furniture,
        cameras=tuple(cameras),
        provenance=dict(_object(value, "provenance", where)),
        quality=dict(_object(value, "quality", where)),
        folder=Path(where).parent,
    )


def furniture_from_json(value: Any, where: str | PathLike[str], at: str = "furniture") -> Furniture:
    """One piece of furniture from its JSON object (``BadFile`` otherwise)."""
    if not isinstance(value, Mapping):
        raise BadFile(where, at, value, "an object")
    identifier, cls, mesh = value.get("id"), value.get("class"), value.get("mesh", "")
    if not isinstance(identifier, str) or not identifier:
        raise BadFile(where, f"{at}.id", identifier, "a name")
    if cls not in FURNITURE_CLASSES:
        raise BadFile(where, f"{at}.class", cls, f"one of {', '.join(FURNITURE_CLASSES)}")
    if not isinstance(mesh, str):
        raise BadFile(where, f"{at}.mesh", mesh, "the name of a mesh in room.glb")
    seat_height = value.get("seat_height")
    seat = value.get("seat")
    return Furniture(
        id=identifier,
        cls=cls,
        box=_box(value.get("box"), where, f"{at}.box"),
        seat_height=None if seat_height is None else _number(seat_height, where, f"{at}.seat_height", 0.05, 2.0),
        mesh=mesh,
        solids=tuple(_box(s, where, f"{at}.solids[{i}]") for i, s in enumerate(_list(value, "solids", where, at))),
        seat=None if seat is None else _box(seat, where, f"{at}.seat"),
    )


def _box_json(box: Box) -> dict[str, Any]:
    return {
        "center": np.asarray(box.center, float).tolist(),
        "size": np.asarray(box.size, float).tolist(),
        "yaw": float(box.yaw),
    }


def _box(value: Any, where: str | PathLike[str], at: str) -> Box:
    if not isinstance(value, Mapping):
        raise BadFile(where, at, value, "an object with center, size and yaw")
    size = number_array(value.get("size"), (3,), where, f"{at}.size")
    if (size < 0).any():
        raise BadFile(where, f"{at}.size", size.tolist(), "extents of 0 or more")
    center = number_array(value.get("center"), (3,), where, f"{at}.center")
    return Box(center, size, _number(value.get("yaw", 0.0), where, f"{at}.yaw", -1e3, 1e3))


def _number(value: Any, where: str | PathLike[str], at: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise BadFile(where, at, value, f"a number from {low:g} to {high:g}")
    return float(value)


def _list(value: Mapping[str, Any], key: str, where: str | PathLike[str], at: str = "") -> list[Any]:
    found = value.get(key, [])
    if not isinstance(found, list):
        raise BadFile(where, f"{at}.{key}".lstrip("."), found, "a list")
    return found


def _object(value: Mapping[str, Any], key: str, where: str | PathLike[str]) -> Mapping[str, Any]:
    found = value.get(key, {})
    if not isinstance(found, Mapping):
        raise BadFile(where, key, found, "an object")
    return found


def _unique(where: str | PathLike[str], at: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise BadFile(where, at, f"{name} twice", "different names")


def _signed_area(polygon: Array) -> float:
    following = np.roll(polygon, -1, 0)
    return float((polygon[:, 0] * following[:, 1] - following[:, 0] * polygon[:, 1]).sum() / 2)
