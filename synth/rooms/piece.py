"""What a furniture builder returns, and how a piece becomes a room's furniture entry and meshes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from synth.gltf import Material, SceneMesh
from synth.rooms.shapes import Floats, Shape, box, join, turn

Part = tuple[Material, Shape]


@dataclass(frozen=True)
class Block:
    """An axis-aligned box in a piece's own frame: ``center`` and full ``size`` in metres, floor at z = 0."""

    center: tuple[float, float, float]
    size: tuple[float, float, float]


@dataclass(frozen=True)
class Piece:
    """A piece of furniture in its own frame: origin on the floor under the box centre, +y its front, +z up.

    ``size`` and ``bottom`` give the box that stands for it; ``solids`` the blocks a body cannot enter; ``seat`` the
    rectangle (x, y, size x, size y) one can sit on; ``cls`` is a furniture class or "" for decoration.
    """

    cls: str
    size: tuple[float, float, float]
    parts: tuple[Part, ...]
    bottom: float = 0.0
    seat_height: float | None = None
    solids: tuple[Block, ...] = ()
    seat: tuple[float, float, float, float] | None = None


def block(x: float, y: float, z: float, sx: float, sy: float, sz: float) -> Block:
    return Block((x, y, z), (sx, sy, sz))


def span(x0: float, x1: float, y0: float, y1: float, z0: float, z1: float) -> Block:
    """The block between two corners."""
    return Block(((x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2), (x1 - x0, y1 - y0, z1 - z0))


def blocks(material: Material, solids: Iterable[Block]) -> list[Part]:
    """Plain boxes for ``solids``."""
    return [(material, join(box(b.size, b.center) for b in solids))]


def placed(parts: Iterable[Part], at: Sequence[float], yaw_degrees: float) -> list[Part]:
    """The parts turned about z and moved to ``at`` (x, y) or (x, y, z)."""
    x, y, z = (*at, 0.0)[:3]
    return [(material, shape.turned("z", yaw_degrees).moved(x, y, z)) for material, shape in parts]


def scene_meshes(name: str, parts: Iterable[Part]) -> list[SceneMesh]:
    """One mesh for each material of a piece, named ``NAME/MATERIAL``, in order of first use."""
    groups: dict[str, tuple[Material, list[Shape]]] = {}
    for material, shape in parts:
        groups.setdefault(material.name, (material, []))[1].append(shape)
    meshes = []
    for material, shapes in groups.values():
        whole = join(shapes)
        meshes.append(
            SceneMesh(
                f"{name}/{material.name}", whole.vertices.astype(np.float32), whole.faces.astype(np.int32), material
            )
        )
    return meshes


def yaw_matrix(degrees: float) -> Floats:
    return turn("z", degrees)
