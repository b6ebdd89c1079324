"""Contact sheets: eight moments of a motion a row, dressed people and their furniture as plain shaded solids.

The repository's own projection and a painter's algorithm on Pillow: no renderer is needed, and what is shown is the
motion as it is, on the bodies and furniture it was made with.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from synth.body import BodyModel, dressed_faces
from synth.interaction import Interaction
from synth.room import furniture_from_json
from synth.rooms.props import is_furniture, prop_piece
from synth.rotation import Array, axis_angle_to_matrix
from synth.skeleton import facing_yaw

MOMENTS = 8
# who -> colour of the clothes; others in the order of people
ROLES = {"patient": (206, 124, 84), "staff": (74, 128, 172)}
OTHERS = ((206, 124, 84), (74, 128, 172), (120, 150, 92), (150, 112, 156))
COLOURS = {"skin": (222, 184, 158), "hair": (92, 78, 68), "shoe": (70, 70, 74)}
METAL = (150, 152, 158)
WOOD, PAPER, LINES, INK, FAINT = (196, 186, 170), (246, 245, 242), (226, 225, 221), (40, 40, 40), (120, 118, 112)
TILT = 0.24  # radians the camera looks down
SIDEWAYS = 0.95  # radians it stands aside of where the first person looks
SMALLEST = 2.3  # metres a picture shows at least
_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_SIDES = np.array(((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)))


class View:
    """An orthographic camera that looks down a little from the direction `azimuth` (radians from +x)."""

    def __init__(self, azimuth: float, center: Array, span: float, pixels: int) -> None:
        self.away = np.array([np.cos(azimuth) * np.cos(TILT), np.sin(azimuth) * np.cos(TILT), np.sin(TILT)])
        self.right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
        self.up = np.cross(self.away, self.right)
        self.center, self.scale, self.pixels = center, pixels / span, pixels

    def image(self, points: Array) -> Array:
        """World points [..., 3] to pixels [..., 2]."""
        off = points - self.center
        x, y = off @ self.right * self.scale, off @ self.up * self.scale
        return np.stack([self.pixels / 2 + x, self.pixels / 2 - y], -1)


def sheet(body: BodyModel, motions: Sequence[tuple[str, Interaction]], size: int = 200) -> Image.Image:
    """Rows of moments under one another. motions: (label, motion); size: pixels a picture."""
    rows = [row(body, motion, label, size) for label, motion in motions]
    picture = Image.new("RGB", (MOMENTS * size, len(rows) * size), PAPER)
    for index, item in enumerate(rows):
        picture.paste(item, (0, index * size))
    return picture


def row(body: BodyModel, motion: Interaction, label: str, size: int) -> Image.Image:
    """Eight moments of a motion side by side, seen from ahead and to the side of where it is going half-way."""
    moments = np.linspace(0, motion.frames - 1, MOMENTS).round().astype(int)
    faces, kinds = _painted(body)
    posed = _posed(body, motion, moments)
    azimuth = _azimuth(motion, posed, moments)
    boxes = _boxes(motion)
    centers, span = _framing(posed, motion.present[:, moments], azimuth, size)
    colours = [ROLES.get(role, OTHERS[p % len(OTHERS)]) for p, role in enumerate(motion.meta.roles)]
    if len(set(colours)) < len(colours):
        colours = [OTHERS[p % len(OTHERS)] for p in range(motion.people)]
    picture = Image.new("RGB", (MOMENTS * size, size), PAPER)
    for column, frame in enumerate(moments):
        view = View(azimuth, centers[column], span, 2 * size)
        things = [(box, [WOOD] * len(box), True) for box in boxes]
        things += [(faces_, [colour] * len(faces_), False) for faces_, colour in _props(motion, frame)]
        for person in range(motion.people):
            if motion.present[person, frame]:
                paint = [COLOURS.get(kind, colours[person]) for kind in kinds]
                things.append((posed[person][column][faces], paint, False))
        cell = _draw(view, things).resize((size, size), Image.Resampling.LANCZOS)
        ImageDraw.Draw(cell).text((6, size - 18), f"{frame / motion.fps:.1f} s", fill=FAINT)
        picture.paste(cell, (column * size, 0))
    ImageDraw.Draw(picture).text((6, 4), label, fill=INK, font=ImageFont.load_default(size=14))
    return picture


def _posed(body: BodyModel, motion: Interaction, moments: np.ndarray) -> list[Array]:
    rotmats = motion.rotations()[:, moments].astype(np.float32)
    with torch.no_grad():
        return [
            body.pose(motion.betas[p], rotmats[p], motion.transl[p, moments])[0].numpy() for p in range(motion.people)
        ]


def _azimuth(motion: Interaction, posed: Sequence[Array], moments: np.ndarray) -> float:
    """From ahead and the side of the first person half-way; of both sides the one where nobody hides anybody."""
    ahead = float(facing_yaw(axis_angle_to_matrix(motion.global_orient[0, motion.frames // 2])))
    sides = (ahead + SIDEWAYS, ahead - SIDEWAYS)
    middles = np.stack([points.mean(1) for points in posed])  # [P, moments, 3]
    both = motion.present[:, moments].all(0)
    if len(posed) < 2 or not both.any():
        return sides[0]
    apart = (middles[1:] - middles[:1])[:, both]
    spread = [np.abs(-np.sin(side) * apart[..., 0] + np.cos(side) * apart[..., 1]).mean() for side in sides]
    return sides[int(np.argmax(np.array(spread) > max(spread) - 0.05))]


def _framing(posed: Sequence[Array], present: np.ndarray, azimuth: float, size: int) -> tuple[list[Array], float]:
    """Where each moment's camera looks, and metres it shows: everybody fits, and one scale serves the whole row."""
    centers: list[Array] = []
    span = SMALLEST
    for column in range(present.shape[1]):
        shown = [posed[p][column] for p in range(len(posed)) if present[p, column]]
        points = np.concatenate(shown) if shown else np.zeros((1, 3))
        middle = (points.min(0) + points.max(0)) / 2
        center = np.array([middle[0], middle[1], max(0.8, middle[2])])
        centers.append(center)
        view = View(azimuth, center, 1.0, 1)
        reach = np.abs(view.image(points) - 0.5).max()
        span = max(span, 2.12 * float(reach))
    return centers, span


def _props(motion: Interaction, frame: int) -> list[tuple[Array, tuple[int, int, int]]]:
    """The meshes of what moves with the people: triangles [F, 4, 3], the last corner twice; and their colour."""
    found = []
    for prop in motion.props:
        pose = prop.poses()[frame]
        for material, shape in prop_piece(prop.cls).parts:
            corners = (shape.vertices @ pose[:3, :3].T + pose[:3, 3])[shape.faces]
            found.append((corners[:, [0, 1, 2, 2]], METAL if is_furniture(prop.cls) else _srgb(material.base_color)))
    return found


def _srgb(linear: Sequence[float]) -> tuple[int, int, int]:
    """A linear colour 0..1 as bytes of sRGB."""
    value = np.asarray(linear[:3], float)
    coded = np.where(value <= 0.0031308, 12.92 * value, 1.055 * np.maximum(value, 1e-9) ** (1 / 2.4) - 0.055)
    red, green, blue = (round(255 * float(part)) for part in coded)
    return red, green, blue


def _boxes(motion: Interaction) -> list[Array]:
    """Quads [6, 4, 3] of the stage's furniture."""
    solids = [box for item in motion.meta.stage for box in furniture_from_json(item, "meta.stage").world_solids()]
    return [box.to_world(_CORNERS * box.size)[_SIDES] for box in solids]


def _painted(body: BodyModel) -> tuple[np.ndarray, list[str]]:
    """The faces [F, 3] of a dressed body and what each is: skin, hair, shoe or garment."""
    if "shoes" not in body.parts:  # a user's own SMPL file has no wardrobe
        return body.faces, ["garment"] * len(body.faces)
    faces, part, names = dressed_faces(body, "everyday", "hair_short" if "hair_short" in body.parts else None)
    kinds = [body.parts[name].kind for name in names]
    return faces, [kinds[index] for index in part]


def _draw(view: View, things: Sequence[tuple[Array, list[tuple[int, int, int]], bool]]) -> Image.Image:
    """Things as (corners [F, K, 3], a colour a face, whether it is a box), far faces first."""
    picture = Image.new("RGB", (view.pixels, view.pixels), PAPER)
    pen = ImageDraw.Draw(picture)
    base = np.round(view.center[:2] * 2) / 2
    for k in np.arange(-3.0, 3.01, 0.5):
        for a, b in (((k, -3.0), (k, 3.0)), ((-3.0, k), (3.0, k))):
            ends = [tuple(view.image(np.array([*(base + p), 0.0]))) for p in (np.array(a), np.array(b))]
            pen.line(ends, fill=LINES, width=2)
    light = view.away + np.array([0.0, 0.0, 0.7])
    light /= np.linalg.norm(light)
    depths: list[Array] = []
    outlines: list[list[float]] = []
    paints: list[tuple[int, ...]] = []
    for corners, colours, closed in things:
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
        if closed:  # sides of a box may be listed either way round
            outwards = ((corners.mean(1) - corners.mean((0, 1))) * normal).sum(1) < 0
            normal[outwards] *= -1
        shown = np.flatnonzero(normal @ view.away > 0)
        shade = 0.45 + 0.55 * np.clip(normal[shown] @ light, 0, 1)
        depths.append(corners[shown].mean(1) @ view.away)
        outlines += view.image(corners[shown]).reshape(len(shown), -1).tolist()
        paints += map(tuple, (np.asarray(colours)[shown] * shade[:, None]).astype(int).tolist())
    for index in np.argsort(np.concatenate(depths), kind="stable").tolist() if depths else ():
        pen.polygon(outlines[index], fill=paints[index])
    return picture
