"""Floor, ceiling, walls with window holes, and skirting boards."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from synth.gltf import SceneMesh
from synth.rooms import palette as P
from synth.rooms.openings import REVEAL
from synth.rooms.piece import Part, placed, scene_meshes
from synth.rooms.plan import Opening, Plan, wall_frame, wall_yaw
from synth.rooms.shapes import Shape, box, join, quad

SKIRTING_HEIGHT = 0.08
SKIRTING_DEPTH = 0.012


def shell(plan: Plan) -> list[SceneMesh]:
    """The meshes ``room/...`` of a plan: what encloses the space."""
    corners = plan.corners
    fan = np.array([[0, i, i + 1] for i in range(1, len(corners) - 1)])
    ground = np.concatenate([corners, np.zeros((len(corners), 1))], 1)
    parts: list[Part] = [
        (plan.floor_material, Shape(ground, fan)),
        (P.CEILING, Shape(ground + np.array([0, 0, plan.height]), fan[:, ::-1])),
    ]
    for wall in range(len(corners)):
        material = plan.wall_materials[wall % len(plan.wall_materials)]
        _, _, _, length = wall_frame(plan.floor, wall)
        holes = [w for w in plan.windows if w.wall == wall]
        doors = _door_gaps(plan, wall)
        local: list[Part] = [(material, _panel(length, plan.height, holes))]
        if not material.name.startswith("tile"):
            local.append((P.SKIRTING, _skirting(length, doors)))
        parts += placed(local, plan.floor[wall], wall_yaw(plan.floor, wall))
    return scene_meshes("room", parts)


def _panel(length: float, height: float, holes: Sequence[Opening]) -> Shape:
    """The inner face of a wall at y = 0 (x along it), without the holes, plus the holes' reveals."""
    xs = sorted({0.0, length, *(h.along - h.width / 2 for h in holes), *(h.along + h.width / 2 for h in holes)})
    zs = sorted({0.0, height, *(h.sill for h in holes), *(h.head for h in holes)})
    faces = []
    for x0, x1 in itertools.pairwise(xs):
        for z0, z1 in itertools.pairwise(zs):
            x, z = (x0 + x1) / 2, (z0 + z1) / 2
            if not any(abs(x - h.along) < h.width / 2 and h.sill < z < h.head for h in holes):
                faces.append(quad([x1, 0, z0], [x0, 0, z0], [x0, 0, z1], [x1, 0, z1]))
    for h in holes:
        x0, x1 = h.along - h.width / 2, h.along + h.width / 2
        for a, b in (
            ((x0, h.sill), (x1, h.sill)),
            ((x1, h.sill), (x1, h.head)),
            ((x1, h.head), (x0, h.head)),
            ((x0, h.head), (x0, h.sill)),
        ):
            faces.append(quad([a[0], 0, a[1]], [b[0], 0, b[1]], [b[0], -REVEAL, b[1]], [a[0], -REVEAL, a[1]]))
    return join(faces)


def _door_gaps(plan: Plan, wall: int) -> list[tuple[float, float]]:
    """Where doors stand along a wall, as (from, to)."""
    start, direction, normal, _ = wall_frame(plan.floor, wall)
    gaps = []
    for item in plan.items:
        offset = np.array(item.at) - start
        if item.piece.cls == "door" and abs(float(offset @ normal)) < 0.3:
            middle, half = float(offset @ direction), item.piece.size[0] / 2
            gaps.append((middle - half, middle + half))
    return sorted(gaps)


def _skirting(length: float, gaps: Sequence[tuple[float, float]]) -> Shape:
    runs, at = [], 0.0
    for a, b in gaps:
        runs.append((at, a))
        at = b
    runs.append((at, length))
    return join(
        box((b - a, SKIRTING_DEPTH, SKIRTING_HEIGHT), ((a + b) / 2, SKIRTING_DEPTH / 2, SKIRTING_HEIGHT / 2), 0.004)
        for a, b in runs
        if b - a > 0.02
    )
