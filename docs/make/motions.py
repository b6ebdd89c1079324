"""Draw contact sheets of the motion library: eight moments of a motion a row, people and their seats as plain solids.

    ./run python docs/make/motions.py                        # the documentation's sheet, docs/images/motions.jpg
    ./run python docs/make/motions.py walk_01 sit_down_01 --out sheet.jpg

The drawing is the repository's own projection and painter's algorithm on Pillow, so that it needs no renderer and shows
the library as it is, on the bodies and stages it was made with.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from synth.body import BodyModel, dressed_faces, load_body
from synth.corpus.library import entry, library
from synth.files import atomic_path
from synth.interaction import Interaction
from synth.room import Box, furniture_from_json
from synth.rotation import axis_angle_to_matrix
from synth.skeleton import JOINT, facing_yaw

SINGLES = (
    "walk_01", "sit_down_01", "stand_up_03", "lie_down_01", "get_up_05", "pick_up_01", "kneel_down_01", "drink_01",
)  # fmt: skip
PAIRS = (
    "help_up_from_bed_01",
    "help_up_from_chair_01",
    "help_up_from_floor_01",
    "assist_walking_01",
    "assist_sit_down_01",
)
MOMENTS = 8
STAFF, OTHER = (74, 128, 172), (206, 124, 84)  # clothes: who works there is blue, everybody else orange
AZIMUTHS = 12  # directions tried for a row
CELL = 0.03  # metres: grain of the visibility test; skin has no holes wider than this
COLOURS = {"skin": (222, 184, 158), "hair": (92, 78, 68), "shoe": (70, 70, 74)}
WOOD = (196, 186, 170)
PAPER = (246, 245, 242)
_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_SIDES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))


class View:
    """An orthographic camera that looks down a little from the direction `azimuth` (radians from +x)."""

    def __init__(self, azimuth: float, center: np.ndarray, span: float, pixels: int) -> None:
        tilt = 0.24
        away = np.array([np.cos(azimuth) * np.cos(tilt), np.sin(azimuth) * np.cos(tilt), np.sin(tilt)])
        self.right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
        self.up = np.cross(away, self.right)
        self.away, self.center, self.scale, self.pixels = away, center, pixels / span, pixels

    def image(self, points: np.ndarray) -> np.ndarray:
        """World points [..., 3] to pixels [..., 2]."""
        off = points - self.center
        x, y = off @ self.right * self.scale, off @ self.up * self.scale
        return np.stack([self.pixels / 2 + x, self.pixels / 2 - y], -1)


def solids(motion: Interaction) -> list[np.ndarray]:
    """Quads [6, 4, 3] of the stage's furniture."""
    boxes: list[Box] = []
    for item in motion.meta.stage:
        boxes += furniture_from_json(item, "stage").world_solids()
    return [box.to_world(_CORNERS * box.size)[np.array(_SIDES)] for box in boxes]


def best_azimuth(body: BodyModel, motion: Interaction, posed: list[np.ndarray], boxes: list[np.ndarray]) -> float:
    """The direction from which the people hide each other, and furniture hides them, the least.

    posed: vertices [moments, V, 3] a person. Counted: the share of the worse seen person's outline that is in sight,
    and how many faces and hands are. Equal scores go to the first direction, ahead and to the side of the first person.
    """
    skin = np.unique(body.faces)
    owner = np.asarray(body.weights)[skin].argmax(1)
    hands = np.isin(owner, [JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("wrist", "hand")])
    face = np.isin(skin, body.landmarks["nose"])
    ahead = float(facing_yaw(axis_angle_to_matrix(motion.global_orient[0, motion.frames // 2]))) + 0.95
    if len(posed) == 1:  # nobody is in the way, and from here a body's outline tells most
        return ahead
    grid = np.linspace(0, 1, 40)
    panels = [quad for box in boxes for quad in box]
    walls = [
        (q[0] + grid[:, None, None] * (q[1] - q[0]) + grid[None, :, None] * (q[3] - q[0])).reshape(-1, 3)
        for q in panels
    ]
    scores = []
    for turn in range(AZIMUTHS):
        azimuth = ahead + 2 * np.pi * turn / AZIMUTHS
        view = View(azimuth, np.zeros(3), 1.0, 1)
        score = 0.0
        for moment in range(len(posed[0])):
            things = [person[moment][skin] for person in posed] + walls
            cells = [np.round(np.stack([t @ view.right, t @ view.up], -1) / CELL).astype(int) for t in things]
            low = np.min([c.min(0) for c in cells], axis=0)
            keys = [(c - low) @ (1, 10_000) for c in cells]
            depths = [t @ view.away for t in things]
            nearest = np.full(max(k.max() for k in keys) + 1, -np.inf)
            for key, depth in zip(keys, depths, strict=True):
                np.maximum.at(nearest, key, depth)
            shares, told = [], []
            for key, depth in zip(keys[: len(posed)], depths, strict=False):
                alone = np.full(len(nearest), -np.inf)
                np.maximum.at(alone, key, depth)
                outline = np.unique(key)
                shares.append(float((alone[outline] >= nearest[outline]).mean()))
                seen = depth > nearest[key] - CELL
                told.append(0.5 * float(seen[hands].mean()) + 0.5 * float(seen[face].mean()))
            score += min(shares) + 0.5 * float(np.mean(told))
        scores.append(round(score, 3))
    return ahead + 2 * np.pi * int(np.argmax(scores)) / AZIMUTHS


def painted(body: BodyModel) -> tuple[np.ndarray, list[str]]:
    """The faces [F, 3] of a dressed body and what each is: skin, hair, shoe or garment."""
    faces, part, names = dressed_faces(body, "everyday", "hair_short" if "hair_short" in body.parts else None)
    kinds = [body.parts[name].kind for name in names]
    return faces, [kinds[index] for index in part]


def draw(
    view: View,
    bodies: list[np.ndarray],
    faces: np.ndarray,
    kinds: list[str],
    clothes: list[tuple[int, int, int]],
    boxes: list[np.ndarray],
) -> Image.Image:
    """One moment: the bodies' vertices [V, 3] and boxes, far faces first."""
    picture = Image.new("RGB", (view.pixels, view.pixels), PAPER)
    pen = ImageDraw.Draw(picture)
    base = np.round(view.center[:2] * 2) / 2
    for k in np.arange(-2.0, 2.01, 0.5):
        for a, b in (((k, -2.0), (k, 2.0)), ((-2.0, k), (2.0, k))):
            ends = [tuple(view.image(np.array([*(base + p), 0.0]))) for p in (np.array(a), np.array(b))]
            pen.line(ends, fill=(226, 225, 221), width=2)
    polygons: list[tuple[float, np.ndarray, tuple[int, ...]]] = []
    light = view.away + np.array([0.0, 0.0, 0.7])
    light /= np.linalg.norm(light)
    things = []
    for person, body in enumerate(bodies):
        things.append((body[faces], [COLOURS.get(kind, clothes[person]) for kind in kinds], False))
    things += [(box, [WOOD] * len(box), True) for box in boxes]
    for corners, colours, closed in things:
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
        if closed:  # sides of a box may be listed either way round
            outwards = ((corners.mean(1) - corners.mean((0, 1))) * normal).sum(1) < 0
            normal[outwards] *= -1
        shown = np.flatnonzero(normal @ view.away > 0)
        shade = 0.45 + 0.55 * np.clip(normal[shown] @ light, 0, 1)
        depth = corners[shown].mean(1) @ view.away
        outline = view.image(corners[shown])
        for index in range(len(shown)):
            polygons.append((depth[index], outline[index], tuple(int(c * shade[index]) for c in colours[shown[index]])))
    for _, outline, colour in sorted(polygons, key=lambda item: item[0]):
        pen.polygon([tuple(p) for p in outline], fill=colour)
    return picture


def row(body: BodyModel, motion: Interaction, label: str, size: int) -> Image.Image:
    """Eight moments of a motion side by side, seen from where most of it can be seen."""
    moments = np.linspace(0, motion.frames - 1, MOMENTS).round().astype(int)
    faces, kinds = painted(body)
    posed = []
    for person in range(motion.people):
        pose = np.concatenate([motion.global_orient[person], motion.body_pose[person]], -1)[moments]
        vertices, _ = body.pose(
            motion.betas[person], axis_angle_to_matrix(pose.reshape(-1, 24, 3)).astype(np.float32),
            motion.transl[person, moments],
        )  # fmt: skip
        posed.append(vertices.numpy())
    picture = Image.new("RGB", (MOMENTS * size, size), PAPER)
    boxes = solids(motion)
    clothes = [STAFF if role == "staff" else OTHER for role in motion.meta.roles]
    azimuth = best_azimuth(body, motion, posed, boxes)
    for column, frame in enumerate(moments):
        bodies = [person[column] for person in posed]
        center = np.mean([b.mean(0) for b in bodies], axis=0)
        view = View(azimuth, np.array([center[0], center[1], 0.86]), 2.36, 2 * size)
        cell = draw(view, bodies, faces, kinds, clothes, boxes).resize((size, size), Image.Resampling.LANCZOS)
        ImageDraw.Draw(cell).text((6, size - 18), f"{frame / motion.fps:.1f} s", fill=(120, 118, 112))
        picture.paste(cell, (column * size, 0))
    ImageDraw.Draw(picture).text((6, 4), label, fill=(40, 40, 40), font=ImageFont.load_default(size=14))
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="*", help="motions; by default eight singles and one of each kind of pair")
    parser.add_argument("--out", type=Path, default=Path("docs/images/motions.jpg"))
    parser.add_argument("--size", type=int, default=200, help="pixels a picture")
    options = parser.parse_args()
    known = {item.id for item in library()}
    ids = options.ids or [name for name in (*SINGLES, *PAIRS) if name in known]
    body = load_body()
    rows = []
    for name in ids:
        item = entry(name)
        rows.append(row(body, item.load(), f"{name}: {item.captions[0]}", options.size))
    sheet = Image.new("RGB", (rows[0].width, sum(r.height for r in rows)), PAPER)
    for index, picture in enumerate(rows):
        sheet.paste(picture, (0, index * options.size))
    with atomic_path(options.out) as temporary:
        sheet.save(temporary, quality=88)


if __name__ == "__main__":
    main()
