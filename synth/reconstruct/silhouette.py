"""Furniture without depth: boxes of the usual size of their class, set on the floor where they cover their masks.

A mask's base line cast on the floor tells where the near side of a piece stands, but not how far it goes. Here the
whole outline decides: an upright box of the usual size is moved over the floor until its projection covers the mask
best (intersection over union), which the base line, being part of the outline, takes part in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import label as connected

from synth.camera import Camera
from synth.errors import BadOption
from synth.reconstruct.furnish import Furnishing
from synth.reconstruct.grid import thinned
from synth.reconstruct.layout import Layout
from synth.reconstruct.regions import LABEL
from synth.reconstruct.seats import seat_parts
from synth.reconstruct.usual import USUAL, WALL_HUNG
from synth.room import Box, Furniture
from synth.rotation import Array
from synth.taxonomy import FURNITURE_CLASSES

WIDTH = 200  # pixels of the picture that the boxes are drawn in
SHARE = 1e-3  # of the picture that a piece covers at least
WORST = 0.25  # intersection over union below which a mask is no piece of its class
FRONT = 0.1  # of overlap that a sensible front is worth
FREE = 0.3  # as sensible as a back to the wall is a front that looks at the camera
AT_WALL = 0.5  # metres
STEPS = (0.4, 0.2, 0.1, 0.05)  # metres
SINK = 0.52  # metres: where a basin begins
# Middles of edges and sides too: a fisheye's outline of a box bulges between the corners.
_CORNERS = np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, 3)] * 3, indexing="ij"), -1).reshape(-1, 3)
_DO_NOT_COUNT = ("nothing", "person", *FURNITURE_CLASSES)  # may stand before the piece and hide a part of it


def furnish_flat(labels: ArrayLike, camera: Camera, layout: Layout) -> Furnishing:
    """Furniture of usual sizes from labels alone.

    Args:
        labels: [H, W], numbers of `regions.CLASSES`. camera: of this size, with its pose. layout: of the room.

    Returns:
        As `furnish` does. Notes say that sizes are "usual", whether ``yaw`` is from "walls" or "mask", ``front`` from
        "wall" or "camera", and the ``overlap`` of mask and box (intersection over union).

    Raises:
        BadOption: labels and camera differ in size.
    """
    kinds = np.asarray(labels).astype(int)
    if kinds.shape != (camera.height, camera.width):
        raise BadOption("labels", kinds.shape, f"the camera's size {(camera.height, camera.width)}")
    step = max(1, round(kinds.shape[1] / WIDTH))
    small, view = kinds[::step, ::step], thinned(camera, step)
    owner, notes, furniture = np.full(kinds.shape, -1), dict[str, dict[str, Any]](), list[Furniture]()
    for cls in FURNITURE_CLASSES:
        parts, count = connected(small == LABEL[cls])
        sizes = np.bincount(parts.reshape(-1), minlength=count + 1)[1:]
        for number in np.argsort(-sizes) + 1:
            if sizes[number - 1] < SHARE * small.size:
                continue
            mask = parts == number
            found = _fitted(cls, mask, small, view, layout)
            if found is None or found.overlap < WORST:
                continue
            identifier = f"{cls}_{1 + sum(item.cls == cls for item in furniture)}"
            whole = np.repeat(np.repeat(mask, step, 0), step, 1)[: kinds.shape[0], : kinds.shape[1]]
            owner[whole & (kinds == LABEL[cls])] = len(furniture)
            yaw = float((found.box.yaw + np.pi) % (2 * np.pi) - np.pi)
            furniture.append(_piece(identifier, cls, Box(found.box.center, found.box.size, yaw)))
            notes[identifier] = {
                "points": 0, "size": "usual", "yaw": "walls" if layout.yaw is not None else "mask",
                "front": found.front, "overlap": round(found.overlap, 3),
            } | ({"seat_height": "usual"} if USUAL[cls].seat is not None else {})  # fmt: skip
    return Furnishing(tuple(furniture), owner, notes)


def cast(camera: Camera, pixels: Array, height: float = 0.0) -> Array:
    """Where the rays of pixels [N, 2] meet the level plane at a height (metres), world x and y [M, 2], metres.

    Those that never do are left out.
    """
    eye, rays = camera.unproject(pixels)
    with np.errstate(divide="ignore", invalid="ignore"):
        along = (height - eye[2]) / rays[:, 2]
    there = np.isfinite(along) & (along > 0)
    return eye[:2] + along[there, None] * rays[there, :2]


def _piece(identifier: str, cls: str, box: Box) -> Furniture:
    """A piece of usual shape in a box."""
    seat = USUAL[cls].seat
    if seat is None:
        return Furniture(identifier, cls, box, mesh=identifier)
    solids, surface = seat_parts(cls, box, seat, None)
    return Furniture(identifier, cls, box, seat, identifier, solids, surface)


@dataclass(frozen=True)
class _Fit:
    """A box, its overlap with the mask, and what tells its front: "wall" or "camera"."""

    box: Box
    overlap: float
    front: str


def _fitted(cls: str, mask: np.ndarray, labels: np.ndarray, camera: Camera, layout: Layout) -> _Fit | None:
    """The box of usual size that covers a mask [H, W] best; None where the mask is above the horizon."""
    size = np.array(USUAL[cls].size)
    bottom = SINK if cls in WALL_HUNG else 0.0
    rows, columns = np.nonzero(mask)
    start = cast(camera, np.stack([columns, rows], -1), bottom + size[2] / 2)
    if not len(start):
        return None
    counted = mask | ~np.isin(labels, [LABEL[name] for name in _DO_NOT_COUNT])
    turns = [layout.yaw, layout.yaw + np.pi / 2] if layout.yaw is not None else np.deg2rad(np.arange(0, 180, 15))
    best, most = None, -np.inf
    for yaw in turns:
        box = Box(np.array([*np.median(start, 0), bottom + size[2] / 2]), size, float(yaw))
        box, overlap = _moved(box, mask, counted, camera)
        for facing in (box, Box(box.center, size, box.yaw + np.pi)):
            sense, front = _sense(facing, camera, layout)
            if overlap + FRONT * sense > most:
                best, most = _Fit(facing, overlap, front), overlap + FRONT * sense
    return best


def _moved(box: Box, mask: np.ndarray, counted: np.ndarray, camera: Camera) -> tuple[Box, float]:
    """A box moved over the floor to where its overlap is largest (pattern search, Hooke and Jeeves 1961)."""
    best = _overlap(box, mask, counted, camera)
    for step in STEPS:
        better = True
        while better:
            better = False
            for move in step * np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]]):
                other = Box(box.center + move, box.size, box.yaw)
                score = _overlap(other, mask, counted, camera)
                if score > best + 1e-9:
                    box, best, better = other, score, True
    return box, best


def _overlap(box: Box, mask: np.ndarray, counted: np.ndarray, camera: Camera) -> float:
    """Intersection over union of a box on the picture and a mask [H, W], of the pixels that are ``counted``.

    0 for a box that is not wholly in front of the camera.
    """
    pixels, _, valid = camera.project(box.to_world(_CORNERS * box.size))
    if not valid.all():
        return 0.0
    drawn = np.zeros(mask.shape, np.uint8)
    corners = np.clip(np.round(pixels), -10 * WIDTH, 10 * WIDTH).astype(np.int32)
    cv2.fillConvexPoly(drawn, cv2.convexHull(corners), (1.0,))
    inside = (drawn > 0) & counted
    return float((inside & mask).sum() / max((inside | mask).sum(), 1))


def _sense(box: Box, camera: Camera, layout: Layout) -> tuple[float, str]:
    """How sensible a front is, -1..1: with its back to a "wall"; where it stands free, towards the "camera"."""
    front = box.to_world([0.0, 1.0, 0.0])[:2] - box.center[:2]
    behind, ahead = (layout.wall_distance(box.center[:2], sign * front) - box.size[1] / 2 for sign in (-1.0, 1.0))
    if min(behind, ahead) < AT_WALL:
        return float(np.clip((ahead - behind) / AT_WALL, -1, 1)), "wall"
    to_eye = camera.position[:2] - box.center[:2]
    return FREE * float(front @ to_eye) / max(float(np.linalg.norm(to_eye)), 1e-9), "camera"
