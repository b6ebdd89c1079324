"""A fixed camera's still scene as a Room and its meshes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from synth.camera import Camera
from synth.errors import BadOption
from synth.gltf import SceneMesh
from synth.reconstruct.furnish import Furnishing, furnish
from synth.reconstruct.grid import settled, shifted, smoothed, stride, thinned, world_points
from synth.reconstruct.layout import Layout, layout, outline, room_height
from synth.reconstruct.regions import LABEL
from synth.reconstruct.shell import box_sides, flattened, shell
from synth.reconstruct.silhouette import cast, furnish_flat
from synth.reconstruct.surface import TRIANGLES, surface
from synth.room import Room, RoomCamera, room_from_json
from synth.rotation import Array

CAMERA = "video"
LOOKED_AT = 480  # pixels of the longer side of the picture that furniture is looked for in
PARTS = ("room/floor", "room/walls", "room/ceiling", "room/other")
NO_LABELS = "without labels nothing is known to be furniture"


def reconstructed_room(
    name: str,
    camera: Camera,
    depth: ArrayLike | None,
    known: ArrayLike | None,
    image: ArrayLike,
    labels: ArrayLike | None = None,
    feet: ArrayLike | None = None,
    triangles: int = TRIANGLES,
) -> tuple[Room, list[SceneMesh]]:
    """The room that a fixed camera sees, for ``synth.rooms.save_room``.

    With depth, the meshes are what was seen (``surface``; smoothed, floor and walls set on their planes), closed by
    what was not: the floor under the furniture, walls outside the view, the far sides of the furniture. Without, they
    are a shell and boxes. A piece's meshes are called ``ID/...``; the rest ``room/...``.

    Args:
        name: of the room.
        camera: of the video's frames, with its pose in the world; it becomes the room's camera "video".
        depth: [H, W] metres as ``Camera.project`` gives it (``depth.median_depth``); None without a depth network.
        known: [H, W], true (or how often it was seen) where the depth is to be believed; None: where it is finite.
        image: uint8 [H, W, 3], ``surface.still_image``.
        labels: [H, W], ``Regions.still``; None where there are none: then no furniture is found.
        feet: [N, 2] metres, where people stood or walked.
        triangles: about how many the seen surface may have.

    Returns:
        the room and its meshes. ``quality`` says what was measured: ``floor`` and ``height`` (see ``Layout.sources``),
        ``furniture`` (see ``Furnishing.notes``), ``seen`` (share of the picture with depth) and ``warnings``.

    Raises:
        BadOption: shapes that do not fit, or neither depth nor labels. NoRoom: too little floor is seen.
        BadFile: what was found is no valid room (its outline is too small); names the field.
    """
    size = (camera.height, camera.width)
    picture = np.asarray(image)
    if picture.shape != (*size, 3) or picture.dtype != np.uint8:
        raise BadOption("image", f"{picture.dtype} {picture.shape}", f"uint8 {(*size, 3)}")
    kinds = None if labels is None else np.asarray(labels)
    if kinds is not None and (kinds.shape != size or kinds.dtype.kind not in "iu" or kinds.max() >= len(LABEL)):
        raise BadOption("labels", f"{kinds.dtype} {kinds.shape}", f"numbers below {len(LABEL)} {size}")
    if camera.position[2] <= 0:
        raise BadOption("camera", f"{camera.position[2]:.2f} m over the floor", "a camera over the floor z = 0")
    if depth is None:
        if kinds is None:
            raise BadOption("depth", None, "depth or labels: of neither there is no room")
        plan, found, meshes = _from_labels(kinds, camera, picture, feet)
        seen = 0.0
    else:
        distances = np.asarray(depth, dtype=float)
        if distances.shape != size:
            raise BadOption("depth", distances.shape, f"the camera's size {size}")
        there = _there(distances, known)
        plan, found, meshes = _from_depth(distances, there, kinds, camera, picture, feet, triangles)
        seen = float(there.mean())
    quality: dict[str, Any] = {
        "metric": True, "floor": plan.sources["polygon"], "height": plan.sources["height"], "seen": round(seen, 4),
        "furniture": found.notes, "warnings": _warnings(plan, kinds is not None, depth is not None),
    }  # fmt: skip
    provenance = {
        "source": "reconstruction of a fixed camera's video",
        "from": [what for what, there in (("depth", depth is not None), ("labels", kinds is not None)) if there],
    }
    room = Room(
        name, plan.polygon, plan.height, found.furniture, (RoomCamera(CAMERA, camera),), provenance, quality
    )  # fmt: skip
    room_from_json(room.to_json(), f"room {name}")
    return room, meshes


def _there(depth: Array, known: ArrayLike | None) -> np.ndarray:
    finite = np.isfinite(depth)
    if known is None:
        return finite
    given = np.asarray(known)
    if given.shape != depth.shape or given.dtype.kind not in "biu":
        raise BadOption("known", f"{given.dtype} {given.shape}", f"booleans or counts {depth.shape}")
    return finite & (given > 0)


def _from_depth(
    depth: Array,
    known: np.ndarray,
    labels: np.ndarray | None,
    camera: Camera,
    image: np.ndarray,
    feet: ArrayLike | None,
    triangles: int,
) -> tuple[Layout, Furnishing, list[SceneMesh]]:
    step = -(-max(depth.shape) // LOOKED_AT)
    view = thinned(camera, step)
    few = None if labels is None else labels[::step, ::step]
    points = settled(world_points(depth[::step, ::step], known[::step, ::step], view), few, camera.position)
    plan = layout(points, few, view, feet)
    found = Furnishing((), np.full(points.shape[:2], -1), {})
    if few is not None:
        found = furnish(points, few, view, plan)
    groups = _groups(found, labels, depth.shape, step)
    with np.errstate(divide="ignore"):
        even = 1 / smoothed(1 / np.where(known, depth, np.nan), groups, stride(depth.shape))
    flat, there = flattened(even, known, labels, camera, plan)
    names = [*PARTS, *(f"{item.id}/seen" for item in found.furniture)]
    meshes = surface(flat, there, camera, image, groups, names, triangles)
    for index, item in enumerate(found.furniture):
        colour = _colour(image, groups == len(PARTS) + index)
        meshes += box_sides(f"{item.id}/unseen", item.world_solids(), colour, camera.position)
    meshes += shell(plan, camera, there, _colour(image, groups == 0), _colour(image, groups == 1))
    return plan, found, meshes


def _groups(found: Furnishing, labels: np.ndarray | None, shape: tuple[int, ...], step: int) -> np.ndarray:
    """Which of the meshes' names a pixel [H, W] belongs to: the numbers of ``PARTS``, then of the furniture."""
    if labels is None:
        return np.full(shape, len(PARTS) - 1)
    groups = np.full(shape, PARTS.index("room/other"))
    for index, name in enumerate(("floor", "wall", "ceiling")):
        groups[labels == LABEL[name]] = index
    owner = np.repeat(np.repeat(found.owner, step, 0), step, 1)[: shape[0], : shape[1]]
    return np.where(owner >= 0, owner + len(PARTS), groups)


def _from_labels(
    labels: np.ndarray, camera: Camera, image: np.ndarray, feet: ArrayLike | None
) -> tuple[Layout, Furnishing, list[SceneMesh]]:
    """Without depth: the floor's pixels cast on z = 0; where floor and wall touch is a wall's foot."""
    floor, wall = labels == LABEL["floor"], labels == LABEL["wall"]
    feet_of_walls = []
    for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        rows, columns = np.nonzero(floor & (shifted(wall.astype(int), down, right) == 1))
        feet_of_walls.append(np.stack([columns + right / 2, rows + down / 2], -1))  # between the two pixels
    ground = cast(camera, np.stack(np.nonzero(floor)[::-1], -1).astype(float))
    walls = cast(camera, np.concatenate(feet_of_walls))
    height, source = room_height(np.zeros(0), np.zeros(0), camera)
    plan = outline(ground, ground, walls, camera, feet, height, source)
    found = furnish_flat(labels, camera, plan)
    meshes: list[SceneMesh] = []
    for index, item in enumerate(found.furniture):
        meshes += box_sides(f"{item.id}/box", item.world_solids(), _colour(image, found.owner == index), None)
    meshes += shell(plan, camera, None, _colour(image, floor), _colour(image, wall))
    return plan, found, meshes


def _colour(image: np.ndarray, mask: np.ndarray) -> Array:
    """The median colour [3] under a mask; light grey where there is none."""
    return np.median(image[mask], 0) if mask.any() else np.full(3, 200.0)


def _warnings(plan: Layout, labelled: bool, deep: bool) -> list[str]:
    found = [] if labelled else [NO_LABELS]
    if not deep:
        found.append("without depth, furniture has the usual size of its class and stands where its mask is covered")
    if plan.sources["polygon"] == "hull":
        found.append("no walls at right angles were found: the floor is the convex hull of what was seen of it")
    if plan.sources["height"] == "usual":
        found.append(f"no ceiling was seen: its height is taken to be {plan.height:.2f} m")
    return found
