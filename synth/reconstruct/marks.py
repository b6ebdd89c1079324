"""Lines, dots and labels over a picture: straight lines of the world as the lens bends them, without jagged edges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from synth.camera import Camera
from synth.room import Box
from synth.rotation import Array

Colour = tuple[int, int, int]

STEP = 0.04  # metres between points of a line: the lens bends what is between them by a fraction of a pixel
FINER = 3  # lines are drawn this much larger and averaged
_TAKEN = 20.0  # times as bad as hiding a person is hiding another plate
WHITE, INK = (255, 255, 255), (16, 20, 26)
_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_NORMALS = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]])
_EDGES = tuple((a, b) for a in range(8) for b in range(a + 1, 8) if np.count_nonzero(_CORNERS[a] != _CORNERS[b]) == 1)


def bent(camera: Camera, start: Array, end: Array) -> list[Array]:
    """A straight line of the world on the picture: the pieces [N, 2] pixels of it that the camera sees.

    Pieces go a little over the picture's border; what is behind the camera or beyond the lens's limit is cut off.

    Args:
        start, end: [3] metres in the world.
    """
    count = int(np.ceil(np.linalg.norm(np.subtract(end, start)) / STEP)) + 2
    pixels = camera.project(np.linspace(start, end, count))[0]
    size = np.array([camera.width, camera.height])
    with np.errstate(invalid="ignore"):  # NaN where the camera cannot see
        near = ((pixels > -size / 2) & (pixels < 1.5 * size)).all(-1)
    runs = np.split(pixels, np.flatnonzero(np.diff(near)) + 1)
    flags = np.split(near, np.flatnonzero(np.diff(near)) + 1)
    return [run for run, flag in zip(runs, flags, strict=True) if flag[0] and len(run) > 1]


def coverage(width: int, height: int, lines: Iterable[Array], thick: float) -> Array:
    """How much of each pixel polylines [N, 2] of this thickness in pixels cover: [H, W], 0 to 1."""
    canvas = Image.new("L", (width * FINER, height * FINER))
    pen = ImageDraw.Draw(canvas)
    for line in lines:
        pen.line(((line + 0.5) * FINER).ravel().tolist(), fill=255, width=max(1, round(thick * FINER)), joint="curve")
    return np.asarray(canvas.resize((width, height), Image.Resampling.BOX), float) / 255


def floor_grid(camera: Camera, area: Array, every: float = 0.5) -> list[Array]:
    """Lines of z = 0 at multiples of `every` metres inside a polygon [N, 2], as the camera sees them."""
    area = np.asarray(area, float)
    found: list[Array] = []
    for axis in (0, 1):
        low, high = area[:, axis].min(), area[:, axis].max()
        for at in np.arange(np.ceil(low / every - 1e-9), np.floor(high / every + 1e-9) + 1) * every:
            # a line along the border is one of the inside
            for first, last in _chords(area, axis, float(np.clip(at, low + 1e-9, high - 1e-9))):
                ends = np.zeros((2, 3))
                ends[:, axis], ends[:, 1 - axis] = at, (first, last)
                found += bent(camera, ends[0], ends[1])
    return found


def box_edges(camera: Camera, box: Box) -> tuple[list[Array], list[Array]]:
    """A box's edges on the picture: those of the sides that face the camera, and those behind."""
    corners = box.to_world(_CORNERS * box.size)
    front: list[Array] = []
    back: list[Array] = []
    eye = box.to_local(camera.position)
    facing = (_NORMALS * (eye - _NORMALS * np.asarray(box.size) / 2)).sum(-1) > 0
    for a, b in _EDGES:
        middle = _CORNERS[a] + _CORNERS[b]  # of length 1 along the two axes whose sides meet here
        sides = facing[(_NORMALS * middle).sum(-1) > 0.5]
        (front if sides.any() else back).extend(bent(camera, corners[a], corners[b]))
    return front, back


def blended(image: Array, colour: Sequence[float] | Array, alpha: Array) -> Array:
    """A colour, or colours [H, W, 3], over an image [H, W, 3] with opacity [H, W]."""
    return image + alpha[..., None] * (np.asarray(colour, float) - image)


def drawn(image: Array, alpha: Array, colour: Sequence[float], strength: float) -> Array:
    """Lines over an image, with a soft shade beside them that keeps them readable on what is as bright."""
    shade = np.clip(gaussian_filter(alpha, 1.2) * 1.2, 0, 1)
    return blended(blended(image, INK, 0.35 * strength * shade), colour, strength * alpha)


def dot(image: Array, at: Array, radius: float, colour: Sequence[float] | Array, filled: bool) -> None:
    """A dot, or a ring, with a dark rim at pixel [2], drawn into an image [H, W, 3]."""
    reach = int(np.ceil(radius + 2))
    x, y = (int(v) for v in np.round(at))
    top, left = max(y - reach, 0), max(x - reach, 0)
    patch = image[top : max(y + reach + 1, 0), left : max(x + reach + 1, 0)]
    if not patch.size:
        return
    rows, columns = np.mgrid[: patch.shape[0], : patch.shape[1]]
    off = np.hypot(columns + left - at[0], rows + top - at[1])

    def disc(size: float) -> Array:
        return np.clip(size - off + 0.5, 0, 1)

    hole = 0.0 if filled else disc(radius - 1.2)
    patch[:] = blended(blended(patch, INK, (disc(radius + 0.9) - hole) * 0.8), colour, disc(radius) - hole)


class Labels:
    """Small name plates on a picture, beside people rather than on them, and not on top of another.

    Args:
        busy: bool [H, W], where people are.
    """

    def __init__(self, busy: np.ndarray) -> None:
        self.busy = busy.astype(float)
        self.size = max(10.0, len(busy) / 34)
        self.font = ImageFont.load_default(size=self.size)

    def put(self, image: Image.Image, text: str, colour: Colour, mask: np.ndarray) -> None:
        """Write a text above, else beside or below what a mask [H, W] shows (something), inside the picture."""
        left, top, right, bottom = self.font.getbbox(text)
        high = round(self.size * 1.5)
        wide = round(right - left + 1.5 * high)
        x, y = self._place(mask, wide, high)
        self.busy[max(y - 2, 0) : y + high + 2, max(x - 2, 0) : x + wide + 2] = _TAKEN
        plate = Image.new("RGBA", (wide * FINER, high * FINER))
        pen, middle, r = ImageDraw.Draw(plate), plate.height / 2, plate.height * 0.2
        pen.rounded_rectangle((0, 0, plate.width - 1, plate.height - 1), middle, fill=(*INK, 215))
        pen.ellipse((middle - r, middle - r, middle + r, middle + r), fill=colour)
        plate = plate.resize((wide, high), Image.Resampling.LANCZOS)
        image.paste(plate, (x, y), plate)
        baseline = y + (high - (bottom - top)) / 2 - top
        ImageDraw.Draw(image).text((x + high * 0.95 - left, baseline), text, fill=WHITE, font=self.font)

    def _place(self, mask: np.ndarray, wide: int, high: int) -> tuple[int, int]:
        """The top left corner, near the head, of the plate that hides least."""
        rows, columns = np.nonzero(mask)
        head = rows < rows.min() + max(2, 0.06 * len(mask))
        x, y, gap = columns[head].mean(), rows.min(), max(3, high // 4)
        right, left = columns[head].max() + gap, columns[head].min() - gap - wide
        wishes = [(x - wide / 2, y - gap - high), (right, y), (left, y), (right, y - high), (left, y - high),
                  (x - wide / 2, y - gap - 2.2 * high), (x - wide / 2, rows.max() + gap)]  # fmt: skip
        limit = np.maximum(np.array(self.busy.shape[::-1]) - [wide + 2, high + 2], 2)
        places = np.clip(np.round(wishes), 2, limit).astype(int)
        hidden = [self.busy[v : v + high, u : u + wide].sum() for u, v in places]
        # the first of those that are about as good: it is nearest to where one looks for it
        best = int(np.argmax(np.array(hidden) <= min(hidden) + 0.02 * wide * high))
        return int(places[best, 0]), int(places[best, 1])


def _chords(area: Array, axis: int, at: float) -> list[tuple[float, float]]:
    """Where the line `axis` = `at` is inside a polygon: pairs of ends along the other axis."""
    start, end = area, np.roll(area, -1, 0)
    crosses = (start[:, axis] > at) != (end[:, axis] > at)
    a, b = start[crosses], end[crosses]
    ends = a[:, 1 - axis] + (at - a[:, axis]) / (b[:, axis] - a[:, axis]) * (b[:, 1 - axis] - a[:, 1 - axis])
    ordered = np.sort(ends)
    return [(float(x), float(y)) for x, y in zip(ordered[::2], ordered[1::2], strict=True)]
