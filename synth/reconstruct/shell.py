"""What closes a room that one camera saw: planes for floor and walls, and the sides that were never seen."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from synth.camera import Camera
from synth.gltf import SceneMesh
from synth.reconstruct.layout import Layout
from synth.reconstruct.regions import LABEL
from synth.reconstruct.surface import seen_material
from synth.room import Box
from synth.rotation import Array

SNAP = 0.25  # metres that a point of the floor or a wall may be off its plane
LEVEL = 0.06  # metres: without labels, floor
ASKEW = 0.15  # relative change of depth that moving a point to its wall may take
SUNK = 0.004  # metres: the floor that was not seen lies this far under the one that was
OUT = 0.02  # metres that unseen walls stand behind the ones that were seen
SEEN = 0.3  # share of a wall in the picture from which on nothing is put there
FARTHEST = 15.0  # metres: floor beyond is not filled in
SHORTEST = 0.05  # metres: what is shorter is no wall
NEAREST = 0.05  # metres before the camera that a wall must be, else it would hide everything
_SIDES = np.array(
    [[0, 4, 6, 2], [1, 3, 7, 5], [0, 1, 5, 4], [2, 6, 7, 3], [0, 2, 3, 1], [4, 5, 7, 6]]
)  # of the corners (x, y, z) = bits 0, 1, 2; counter-clockwise from outside: -x, +x, -y, +y, -z, +z
_OUTWARD = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]], float)
_BITS = np.array([[n & 1, n >> 1 & 1, n >> 2 & 1] for n in range(8)]) - 0.5


def flattened(
    depth: Array, known: np.ndarray, labels: np.ndarray | None, camera: Camera, plan: Layout
) -> tuple[Array, np.ndarray]:
    """Depth with the floor on z = 0, walls and ceiling on their planes, and what is known of it now, both [H, W].

    Points move along their pixels' rays, so that the picture stays as it is. Floor that the labels see but the depth
    does not (somebody always stood there) is filled in, and so is wall. Without labels, what is within `LEVEL` of the
    floor is floor.

    Args:
        depth: [H, W] metres as `Camera.project` has it. known: bool [H, W], where that is to be believed.
        labels: [H, W], numbers of `regions.CLASSES`, or None. camera: with its pose. plan: of the room.
    """
    pixels = np.stack(np.meshgrid(np.arange(camera.width), np.arange(camera.height)), -1)
    eye, rays = camera.unproject(pixels)
    # metres along the ray for one metre of depth
    scale = np.ones(depth.shape) if camera.model == "fisheye" else 1 / (rays @ camera.world_from_camera[:3, 2])
    with np.errstate(invalid="ignore", divide="ignore"):
        along = np.where(known, depth, np.nan) * scale
        height = eye[2] + along * rays[..., 2]
        if labels is None:
            found = np.where(np.abs(height) < LEVEL, _to_plane(-eye[2], rays[..., 2]), along)
            return found / scale, np.isfinite(found)
        found = along
        levels = [("floor", 0.0), ("ceiling", plan.height)] if plan.sources["height"] == "ceiling" else [("floor", 0.0)]
        for name, level in levels:
            reach = _to_plane(level - eye[2], rays[..., 2])
            moved = (labels == LABEL[name]) & ((np.abs(height - level) < SNAP) | ~known) & (reach < FARTHEST)
            found = np.where(moved, reach, found)
        found = _on_walls(found, along, known, labels == LABEL["wall"], eye, rays, plan)
    return found / scale, np.isfinite(found)


def _on_walls(
    found: Array, along: Array, known: np.ndarray, wall: np.ndarray, eye: Array, rays: Array, plan: Layout
) -> Array:  # fmt: skip
    """Metres along the rays ``found`` [H, W], with the walls' points on the nearest wall's plane.

    ``along`` [H, W] is what was measured. Points of a wall that nobody saw are put on the first plane.
    """
    axes = plan.axes()
    nearest, first = np.full(along.shape, SNAP), np.full(along.shape, FARTHEST)
    for axis, offset in plan.walls:
        lead, start = rays[..., :2] @ axes[axis], float(eye[:2] @ axes[axis])
        reach = _to_plane(offset - start, lead)
        off = np.abs(start + along * lead - offset)
        # a wall along the view is far off for a small step beside it: there the depth knows better
        moved = wall & known & (off < nearest) & (np.abs(reach - along) < ASKEW * along)
        found, nearest = np.where(moved, reach, found), np.where(moved, off, nearest)
        # the camera is inside: what it looks at is the first wall in its way
        missing = wall & ~known & (reach < first)
        found, first = np.where(missing, reach, found), np.where(missing, reach, first)
    return found


def _to_plane(gap: float, lead: Array) -> Array:
    """Metres along rays, which near a plane by ``lead`` a metre, to where they meet it; NaN where they do not."""
    reach = np.where(np.abs(lead) > 1e-3, gap / lead, np.nan)
    return np.where(reach > 0, reach, np.nan)


def shell(
    plan: Layout, camera: Camera, known: np.ndarray | None, floor_colour: Array, wall_colour: Array
) -> list[SceneMesh]:
    """Floor under everything, and walls and ceiling where the picture shows none; colours are a picture's, 0..255.

    Args:
        plan: of the room; its outline is convex.
        known: bool [H, W], where something was seen; None without depth: then all walls are put up and there is no
            ceiling.
    """
    ground = np.concatenate([plan.polygon, np.zeros((len(plan.polygon), 1))], 1)
    fan = np.array([[0, i, i + 1] for i in range(1, len(ground) - 1)])
    sunk = np.array([0, 0, SUNK if known is not None else 0.0])
    found = [_mesh("room/ground", ground - sunk, fan, floor_colour)]
    top = np.array([0, 0, plan.height])
    for index, start in enumerate(ground):
        end = ground[(index + 1) % len(ground)]
        length = float(np.linalg.norm(end - start))
        outward = np.array([end[1] - start[1], start[0] - end[0], 0.0]) / max(length, 1e-9)
        if length < SHORTEST or (start - camera.position) @ outward < NEAREST:
            continue
        corners = np.array([start, end, end + top, start + top])
        if known is None or _seen(corners, camera, known) < SEEN:
            moved = corners + (OUT * outward if known is not None else 0.0)
            found.append(_mesh(f"room/wall_{index}", moved, np.array([[0, 2, 1], [0, 3, 2]]), wall_colour))
    bounds = np.array([plan.polygon.min(0), plan.polygon.max(0)])
    over = np.array([[bounds[i, 0], bounds[j, 1], plan.height] for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))])
    if known is not None and _seen(over, camera, known) < SEEN:
        found.append(_mesh("room/over", ground + top, fan[:, ::-1], wall_colour))
    return found


def box_sides(name: str, boxes: Iterable[Box], colour: Array, eye: Array | None) -> list[SceneMesh]:
    """Sides of boxes as one mesh: all for an eye of None, else those that the eye [3] does not see.

    What it sees it has seen better; the sides behind close the piece for cameras elsewhere.
    """
    vertices, faces, count = [], [], 0
    for box in boxes:
        corners = box.to_world(_BITS * box.size)
        for side, outward in zip(_SIDES, _OUTWARD, strict=True):
            middle = box.to_world(outward * box.size / 2)
            if eye is not None and (eye - middle) @ (middle - box.center) > 0:
                continue
            vertices.append(corners[side])
            faces.append(np.array([[0, 1, 2], [0, 2, 3]]) + count)
            count += 4
    if not vertices:
        return []
    return [_mesh(name, np.concatenate(vertices), np.concatenate(faces), colour)]


def _seen(corners: Array, camera: Camera, known: np.ndarray) -> float:
    """Share of a quadrilateral [4, 3] at whose place in the picture something is known."""
    u, v = (n.reshape(-1, 1) for n in np.meshgrid(np.linspace(0.05, 0.95, 12), np.linspace(0.05, 0.95, 8)))
    points = (1 - u) * (1 - v) * corners[0] + u * (1 - v) * corners[1] + u * v * corners[2] + (1 - u) * v * corners[3]
    pixels, _, valid = camera.project(points)
    inside = valid & camera.inside(pixels)
    at = np.round(pixels[inside]).astype(int)
    return float(known[at[:, 1], at[:, 0]].sum() / len(points))


def _mesh(name: str, vertices: Array, faces: np.ndarray, colour: Array) -> SceneMesh:
    return SceneMesh(name, vertices.astype(np.float32), faces.astype(np.int32), seen_material(colour))
