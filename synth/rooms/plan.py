"""The plan of a built-in room as data, and how it becomes a Room and its meshes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from synth.camera import Camera, fisheye_matrix, look_at, pinhole_matrix
from synth.gltf import Material, SceneMesh
from synth.room import Box, Furniture, Room, RoomCamera
from synth.rooms.piece import Block, Part, Piece, placed, scene_meshes
from synth.rooms.shapes import Floats

CAMERA_SIZE = (640, 480)


@dataclass(frozen=True)
class Opening:
    """A hole in wall ``wall`` (the edge from corner ``wall`` to the next): centre ``along`` it, metres."""

    wall: int
    along: float
    width: float
    sill: float
    head: float


@dataclass(frozen=True)
class Item:
    """A piece of furniture that stands at ``at`` (x, y), turned by ``yaw`` degrees."""

    id: str
    piece: Piece
    at: tuple[float, float]
    yaw: float


@dataclass(frozen=True)
class View:
    """A camera to be: ``eye`` and ``target`` in metres; ``fov`` degrees, horizontal (fisheye: across the width)."""

    name: str
    model: str
    eye: tuple[float, float, float]
    target: tuple[float, float, float]
    fov: float
    dist: tuple[float, ...] = ()


@dataclass(frozen=True)
class Decor:
    """Parts that are no furniture (lamps, curtains, pictures), already in the world's frame."""

    id: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Plan:
    """A whole room: ``floor`` polygon counter-clockwise, materials, openings, furniture, decoration and cameras."""

    name: str
    title: str
    description: str
    floor: tuple[tuple[float, float], ...]
    height: float
    floor_material: Material
    wall_materials: tuple[Material, ...]
    windows: tuple[Opening, ...] = ()
    items: tuple[Item, ...] = ()
    decor: tuple[Decor, ...] = ()
    views: tuple[View, ...] = ()
    sources: tuple[str, ...] = field(default_factory=tuple)

    @cached_property
    def corners(self) -> Floats:
        return np.array(self.floor, dtype=np.float64)


def rectangle(width: float, depth: float) -> tuple[tuple[float, float], ...]:
    """Corners of a rectangular floor; walls 0..3 are south (y = 0), east, north and west."""
    return ((0.0, 0.0), (width, 0.0), (width, depth), (0.0, depth))


def wall_frame(floor: Sequence[Sequence[float]], wall: int) -> tuple[Floats, Floats, Floats, float]:
    """Start, unit direction, inward unit normal [2] each and the length of a wall."""
    start = np.array(floor[wall], dtype=np.float64)
    end = np.array(floor[(wall + 1) % len(floor)], dtype=np.float64)
    length = float(np.linalg.norm(end - start))
    direction = (end - start) / length
    return start, direction, np.array([-direction[1], direction[0]]), length


def wall_yaw(floor: Sequence[Sequence[float]], wall: int) -> float:
    """Degrees by which something that faces +y is turned to face away from the wall."""
    _, direction, _, _ = wall_frame(floor, wall)
    return float(np.degrees(np.arctan2(direction[1], direction[0])))


def against(
    floor: Sequence[Sequence[float]], wall: int, along: float, piece: Piece, name: str, gap: float = 0.015
) -> Item:
    """``piece`` with its back to a wall, ``along`` metres from the wall's first corner."""
    start, direction, normal, _ = wall_frame(floor, wall)
    at = start + direction * along + normal * (piece.size[1] / 2 + gap)
    return Item(name, piece, (round(float(at[0]), 4), round(float(at[1]), 4)), wall_yaw(floor, wall))


def mounted(floor: Sequence[Sequence[float]], wall: int, along: float, parts: Sequence[Part]) -> tuple[Part, ...]:
    """Parts made for a wall at y = 0 (x along it, +y into the room, z from the floor) put onto a wall."""
    start, direction, _, _ = wall_frame(floor, wall)
    at = start + direction * along
    return tuple(placed(parts, (float(at[0]), float(at[1])), wall_yaw(floor, wall)))


def furniture(item: Item) -> Furniture:
    """The room's entry for an item; solids and seat move to the box's centre."""
    piece = item.piece
    middle = piece.bottom + piece.size[2] / 2

    def local(b: Block) -> Box:
        return Box(np.array([b.center[0], b.center[1], b.center[2] - middle]), np.array(b.size))

    seat = None
    if piece.seat is not None and piece.seat_height is not None:
        x, y, sx, sy = piece.seat
        seat = Box(np.array([x, y, piece.seat_height - middle]), np.array([sx, sy, 0.0]))
    box = Box(np.array([*item.at, middle]), np.array(piece.size), float(np.radians(item.yaw)))
    return Furniture(item.id, piece.cls, box, piece.seat_height, item.id, tuple(local(b) for b in piece.solids), seat)


def camera(view: View) -> Camera:
    """The camera of a view at ``CAMERA_SIZE``."""
    width, height = CAMERA_SIZE
    if view.model == "fisheye":
        matrix = fisheye_matrix(width, height, view.fov, circle=float(width))
    else:
        matrix = pinhole_matrix(width, height, view.fov)
    return Camera(
        view.model, width, height, matrix, np.array(view.dist, dtype=np.float64), look_at(view.eye, view.target)
    )


def room_of(plan: Plan) -> Room:
    """The Room noun of a plan."""
    provenance: dict[str, Any] = {
        "source": "built-in",
        "licence": "GPL-3.0-or-later",
        "title": plan.title,
        "description": plan.description,
        "dimensions": list(plan.sources),
    }
    return Room(
        plan.name,
        plan.corners.copy(),
        plan.height,
        tuple(furniture(i) for i in plan.items),
        tuple(RoomCamera(v.name, camera(v)) for v in plan.views),
        provenance,
        {"metric": True},
    )


def furnishing(plan: Plan) -> list[SceneMesh]:
    """Meshes of furniture and decoration, in the plan's order."""
    meshes: list[SceneMesh] = []
    for item in plan.items:
        meshes += scene_meshes(item.id, placed(item.piece.parts, item.at, item.yaw))
    for decor in plan.decor:
        meshes += scene_meshes(decor.id, decor.parts)
    return meshes
