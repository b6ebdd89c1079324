"""A room from above as SVG: floor, furniture, camera, and where people went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from synth.body.model import BodyModel
from synth.camera import Camera
from synth.interaction import Interaction
from synth.reconstruct.overlay import COLOURS, names_of
from synth.room import Room
from synth.rotation import Array

WIDE, HIGH = 960.0, 640.0  # what the drawing is made to fit, in its own units
BORDER = 0.4  # metres of nothing around what is drawn
VIEW = 1.2  # metres that the camera's angle of view is drawn long


def paths_of(motion: Interaction, body: BodyModel) -> Array:
    """Where everybody's pelvis is over the floor [P, T, 2], metres; NaN where the person is not there."""
    pelvis = np.asarray(body.rest_joints(motion.betas))[:, None, 0] + motion.transl
    return np.where(motion.present[..., None], pelvis[..., :2], np.nan).astype(float)


def top_view(
    room: Room, motion: Interaction, body: BodyModel, names: Sequence[str] | None = None, camera: Camera | None = None
) -> str:
    """An `<svg>` element; its classes are styled by the page, and every text is escaped.

    Args:
        room: floor and furniture.
        motion: in the room's world.
        names: of the people; roles with numbers by default.
        camera: the one the recording is from; the room's first by default.
    """
    paths = paths_of(motion, body)
    camera = camera or (room.cameras[0].camera if room.cameras else None)
    prints = [piece.box.footprint() for piece in room.furniture]
    shown = [room.floor, *prints, paths.reshape(-1, 2)]
    points = np.concatenate([*shown, camera.position[None, :2]] if camera else shown)
    points = points[np.isfinite(points).all(-1)]
    low, high = points.min(0) - BORDER, points.max(0) + BORDER
    scale = min(WIDE / (high[0] - low[0]), HIGH / (high[1] - low[1]))
    size = (high - low) * scale

    def at(place: Array) -> Array:
        return np.stack([place[..., 0] - low[0], high[1] - place[..., 1]], -1) * scale

    parts = [f'<polygon class="floor" points="{_points(at(room.floor))}"/>']
    for piece, corners in zip(room.furniture, prints, strict=True):
        middle = at(corners.mean(0))
        parts.append(f'<polygon class="piece" points="{_points(at(corners))}"/>')
        parts.append(_text(middle, piece.cls.replace("_", " "), "thing"))
    parts += _camera(camera, at) if camera else []
    for p, name in enumerate(names_of(motion) if names is None else names):
        parts += _path(at(paths[p]), COLOURS.get(motion.meta.roles[p], COLOURS["person"]), name)
    metre = at(np.array([[0.0, 0.0], [1.0, 0.0]]))
    length = metre[1, 0] - metre[0, 0]
    y = size[1] - 12
    parts.append(f'<path class="scale" d="M12 {y - 5:.1f}V{y:.1f}H{12 + length:.1f}V{y - 5:.1f}"/>')
    parts.append(_text(np.array([12 + length / 2, y - 6]), "1 m", "thing"))
    return (
        f'<svg class="top-view" viewBox="0 0 {size[0]:.1f} {size[1]:.1f}" role="img" '
        f'aria-label="The room from above, with people\'s paths">{"".join(parts)}</svg>'
    )


def _camera(camera: Camera, at: Callable[[Array], Array]) -> list[str]:
    """Where the camera is, and the angle between the left and the right middle of its picture."""
    edges = np.array([[0.0, camera.K[1, 2]], [camera.width - 1.0, camera.K[1, 2]]])
    rays = camera.unproject(edges)[1][:, :2]
    long = np.linalg.norm(rays, axis=-1, keepdims=True)
    place = at(camera.position[:2])
    mark = f'<circle class="camera" cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="7"/>'
    mark += _text(place + np.array([0, 24]), "camera", "thing")
    if not np.isfinite(long).all() or long.min() < 0.1:
        return [mark]
    ends = at(camera.position[:2] + VIEW * rays / long)
    return [f'<polyline class="view" points="{_points(np.stack([ends[0], place, ends[1]]))}"/>', mark]


def _path(pixels: Array, colour: tuple[int, int, int], name: str) -> list[str]:
    """A person's path, broken where the person was not there: a ring where it starts, a disc where it ends."""
    there = np.flatnonzero(np.isfinite(pixels).all(-1))
    if not len(there):
        return []
    paint = "#{:02x}{:02x}{:02x}".format(*colour)
    runs = np.split(there, np.flatnonzero(np.diff(there) > 1) + 1)
    lines = "".join(f'<polyline class="path" points="{_points(pixels[run])}"/>' for run in runs)
    (x, y), (u, v) = pixels[there[0]], pixels[there[-1]]
    ends = (
        f'<circle class="start" cx="{x:.1f}" cy="{y:.1f}" r="6"/><circle class="end" cx="{u:.1f}" cy="{v:.1f}" r="8"/>'
    )
    return [f'<g style="--c:{paint}">{lines}{ends}</g>', _text(np.array([u, v - 14]), name, "who")]


def _points(pixels: Array) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in pixels)


def _text(place: Array, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{place[0]:.1f}" y="{place[1]:.1f}">{escape(text)}</text>'
