"""Recovered bodies drawn over the frames that they were recovered from: the quickest way to see what is wrong.

Staff is blue, patients are orange, others purple: three colours of Okabe and Ito (2008) that people with any kind of
colour blindness tell apart. A grid of half a metre lies on the floor z = 0; feet darken what they are near to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike

import imageio_ffmpeg
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter, zoom

from synth.body.model import BodyModel
from synth.camera import Camera
from synth.errors import BadOption
from synth.files import atomic_path
from synth.interaction import Interaction
from synth.reconstruct import marks
from synth.reconstruct.keypoints import Observed
from synth.reconstruct.raster import NOBODY, rasterised, silhouettes
from synth.room import Furniture
from synth.rotation import Array

COLOURS: dict[str, marks.Colour] = {"staff": (64, 140, 214), "patient": (240, 158, 28), "person": (204, 121, 167)}
LINE = (214, 240, 255)  # of furniture
ALPHA = 0.72  # opacity of a body
FINE = 2  # bodies are drawn this much larger and averaged
LIGHT = np.array([0.25, -0.35, 0.9]) / np.linalg.norm([0.25, -0.35, 0.9])
CREASE = 0.02  # metres by which depth bends between pixels where a limb is in front of something
AROUND = 1.5  # metres of floor around people that the grid covers, if no floor is given
CONTACT = 0.12  # metres above the floor up to which a body darkens it
CRF = 18  # of H.264: visually lossless at these sizes


def names_of(motion: Interaction) -> tuple[str, ...]:
    """What people are called where nobody gave names: "staff 0", their role and index."""
    return tuple(f"{role} {index}" for index, role in enumerate(motion.meta.roles))


def overlays(
    images: Iterable[np.ndarray], motion: Interaction, body: BodyModel, camera: Camera,
    furniture: Sequence[Furniture] = (), keypoints: Observed | None = None, floor: Array | None = None,
    names: Sequence[str] | None = None,
) -> Iterator[np.ndarray]:  # fmt: skip
    """Frames with everybody who is present drawn over them.

    Args:
        images: uint8 [H, W, 3] of the camera's size, one a frame of the motion.
        motion: in the camera's world, floor z = 0.
        camera: with its pose.
        furniture: whose boxes' edges are drawn.
        keypoints: annotations of the same people and frames: dots, hollow where labelled but not visible.
        floor: polygon [N, 2] metres that the grid covers; around the people by default.
        names: of the people; roles with numbers by default.

    Raises:
        BadOption: an image, or the number of images, names or keypoints does not fit.
    """
    names = names_of(motion) if names is None else names
    if len(names) != motion.people:
        raise BadOption("names", len(names), f"one for each of {motion.people} people")
    if keypoints is not None and (keypoints.people, keypoints.frames) != (motion.people, motion.frames):
        raise BadOption("keypoints", (keypoints.people, keypoints.frames), f"{(motion.people, motion.frames)}")
    return _overlays(images, motion, body, camera, _Ground.of(motion, body, camera, furniture, floor), keypoints, names)


def write_overlay(
    path: str | PathLike[str], frames: Iterable[np.ndarray], fps: float, keep: Sequence[int] = ()
) -> list[np.ndarray]:
    """Encode frames (of `overlays`) to an MP4, H.264 with yuv420p, atomically; odd sizes get a row or column more.

    Args:
        path: ends in .mp4.
        frames: uint8 [H, W, 3] of one size.
        keep: numbers of frames to hand back, for `contact_sheet`.

    Raises:
        BadOption: there is no frame, or one of another size.
        OSError: ffmpeg could not write.
    """
    kept, size, writer = [], None, None
    # BT.601 and said so, as many readers take it for granted; no time stamps: the same frames give the same bytes
    extra = ["-crf", str(CRF), "-vf", "scale=out_color_matrix=bt601:out_range=tv", "-colorspace", "smpte170m",
             "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv", "-threads", "1",
             "-fflags", "+bitexact", "-flags:v", "+bitexact", "-map_metadata", "-1",
             "-movflags", "+faststart"]  # fmt: skip
    with atomic_path(path) as temporary:
        try:
            for index, frame in enumerate(frames):
                if size is None:
                    size = frame.shape
                    writer = imageio_ffmpeg.write_frames(
                        str(temporary), (size[1] + size[1] % 2, size[0] + size[0] % 2), fps=fps, quality=None,
                        macro_block_size=1, output_params=extra, ffmpeg_log_level="error",
                    )  # fmt: skip
                    writer.send(None)
                if frame.shape != size or frame.dtype != np.uint8 or frame.ndim != 3:
                    raise BadOption(f"frames[{index}]", f"{frame.dtype} {frame.shape}", f"uint8 {size}")
                even = np.pad(frame, ((0, size[0] % 2), (0, size[1] % 2), (0, 0)), mode="edge")
                writer.send(np.ascontiguousarray(even))  # type: ignore[union-attr]
                if index in keep:
                    kept.append(frame)
        finally:
            if writer is not None:
                writer.close()
        if size is None:
            raise BadOption("frames", "none", "at least one")
    return kept


def contact_sheet(images: Sequence[np.ndarray], columns: int, gap: int = 6) -> np.ndarray:
    """Images uint8 [H, W, 3] of one size side by side and under one another, `gap` pixels apart, on dark grey."""
    if not images or columns < 1 or len({image.shape for image in images}) > 1:
        raise BadOption("images", [image.shape for image in images], "some, of one size, in one column or more")
    high, wide, _ = images[0].shape
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (high + gap) - gap, columns * (wide + gap) - gap, 3), marks.INK, np.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        sheet[row * (high + gap) :, column * (wide + gap) :][:high, :wide] = image
    return sheet


@dataclass(frozen=True)
class _Ground:
    """What is the same on every frame: opacity [H, W] of the grid and of furniture's edges."""

    grid: Array
    edges: Array

    @staticmethod
    def of(
        motion: Interaction, body: BodyModel, camera: Camera, furniture: Sequence[Furniture], floor: Array | None
    ) -> _Ground:
        if floor is None:
            places = (np.asarray(body.rest_joints(motion.betas))[:, None, 0] + motion.transl)[motion.present][:, :2]
            places = places if len(places) else np.zeros((1, 2))
            low, high = np.floor(2 * (places.min(0) - AROUND)) / 2, np.ceil(2 * (places.max(0) + AROUND)) / 2
            floor = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
        thick = max(1.0, camera.height / 480)
        size = (camera.width, camera.height)
        grid = marks.coverage(*size, marks.floor_grid(camera, floor), thick)
        edges = [marks.box_edges(camera, piece.box) for piece in furniture]
        front = marks.coverage(*size, (line for one, _ in edges for line in one), 1.4 * thick)
        back = marks.coverage(*size, (line for _, one in edges for line in one), thick)
        return _Ground(grid, np.maximum(front, 0.35 * back))


def _overlays(
    images: Iterable[np.ndarray], motion: Interaction, body: BodyModel, camera: Camera, ground: _Ground,
    keypoints: Observed | None, names: Sequence[str],
) -> Iterator[np.ndarray]:  # fmt: skip
    skin = np.arange(body.faces.max() + 1)  # the skin's vertices come first
    bodies = zip(*(body.pose_interaction(motion, person, skin) for person in range(motion.people)), strict=True)
    colours = [COLOURS.get(role, COLOURS["person"]) for role in motion.meta.roles]
    white = np.array(marks.WHITE)
    frame = -1
    for frame, image in enumerate(images):
        if frame == motion.frames:
            raise BadOption("images", f"more than {frame}", f"one for each of the motion's {frame} frames")
        if image.shape != (camera.height, camera.width, 3) or image.dtype != np.uint8:
            size = f"uint8 {(camera.height, camera.width, 3)}, the camera's size"
            raise BadOption(f"images[{frame}]", f"{image.dtype} {image.shape}", size)
        meshes = [mesh if motion.present[p, frame] else None for p, mesh in enumerate(next(bodies))]
        picture = marks.drawn(image.astype(float), ground.grid, marks.WHITE, 0.5)
        picture = marks.drawn(picture, ground.edges, LINE, 0.85)
        picture = _on_floor(picture, meshes, body.faces, camera)
        picture, person = _with_bodies(picture, meshes, body.faces, camera, colours)
        if keypoints is not None:
            radius = max(2.2, camera.height / 180)
            for p, points in enumerate(keypoints.keypoints[:, frame]):
                for point, seen in zip(points, keypoints.seen[p, frame], strict=True):
                    if seen > 0:
                        marks.dot(picture, point, radius, 0.7 * white + 0.3 * np.array(colours[p]), seen >= 0.5)
        final = Image.fromarray(np.clip(picture + 0.5, 0, 255).astype(np.uint8))
        labels = marks.Labels(person != NOBODY)
        for p in np.unique(person[person != NOBODY]):
            labels.put(final, names[p], colours[p], person == p)
        yield np.asarray(final)
    if frame + 1 < motion.frames:
        raise BadOption("images", frame + 1, f"one for each of the motion's {motion.frames} frames")


def _on_floor(image: Array, meshes: Sequence[Array | None], faces: np.ndarray, camera: Camera) -> Array:
    """The floor darkened straight below what is near to it: of who floats, feet and shade come apart."""
    flat: list[Array | None] = []
    for mesh in meshes:
        if mesh is not None:
            low = np.where(mesh[:, 2:] < CONTACT, mesh, np.nan)
            flat.append(low * np.array([1.0, 1.0, 0.0]))
    if not flat:
        return image
    shade = silhouettes(flat, faces, camera, 0.5, whole=True).any(0).astype(float)
    shade = zoom(gaussian_filter(shade, camera.height / 200), np.array(image.shape[:2]) / shade.shape, order=1)
    return marks.blended(image, marks.INK, 0.6 * np.clip(shade, 0, 1))


def _with_bodies(
    image: Array, meshes: Sequence[Array | None], faces: np.ndarray, camera: Camera, colours: Sequence[marks.Colour]
) -> tuple[Array, np.ndarray]:
    """Shaded bodies with outlines over an image, and who is where [H, W]."""
    drawn = rasterised(meshes, faces, camera, FINE)
    rows, columns = ((drawn.person != NOBODY).any(axis) for axis in (1, 0))
    if not rows.any():
        return image, drawn.person[::FINE, ::FINE]
    wide = max(2, round(FINE * camera.height / 240))  # pixels of an outline, on the enlarged picture
    (top, bottom), (left, right) = (_around(there, wide) for there in (rows, columns))
    crop = np.s_[top:bottom, left:right]
    person, normal, depth = drawn.person[crop], drawn.normal[crop], drawn.depth[crop]
    paint, alpha = _shaded(person, normal, colours), np.where(person != NOBODY, ALPHA, 0.0)
    upper, lower = maximum_filter(person, wide + 1), minimum_filter(person, wide + 1)
    outline = upper != lower
    crease = _creases(np.where(person != NOBODY, depth, np.nan)) & ~outline
    dark = 0.45 * np.array([*colours, marks.INK], float)
    paint = np.where(outline[..., None], dark[upper], np.where(crease[..., None], 0.55 * paint, paint))
    alpha = np.where(outline, 0.95, np.where(crease, 0.85, alpha))
    small = alpha.reshape(alpha.shape[0] // FINE, FINE, -1, FINE).mean((1, 3))
    mixed = (paint * alpha[..., None]).reshape(small.shape[0], FINE, small.shape[1], FINE, 3).mean((1, 3))
    result = image.copy()
    part = result[top // FINE : bottom // FINE, left // FINE : right // FINE]
    part[:] = part * (1 - small[..., None]) + mixed
    return result, drawn.person[::FINE, ::FINE]


def _around(there: np.ndarray, margin: int) -> tuple[int, int]:
    """The first and past-the-last index of what is true, with a margin, in whole pixels of the small picture."""
    found = np.flatnonzero(there)
    low, high = max(0, int(found[0]) - margin), min(len(there), int(found[-1]) + 1 + margin)
    return low // FINE * FINE, -(-high // FINE) * FINE


def _shaded(person: np.ndarray, normal: Array, colours: Sequence[marks.Colour]) -> Array:
    """Colours [H, W, 3]: much light from everywhere above, some from a lamp."""
    sky = 0.5 + 0.5 * normal[..., 2]
    lamp = np.clip(normal @ LIGHT, 0, 1)
    light = 0.36 + 0.38 * sky + 0.46 * lamp
    base = np.array([*colours, (0, 0, 0)], float)[person]
    shine = np.clip(light - 1, 0, 1)[..., None]
    return np.minimum(base * light[..., None], 255) * (1 - shine) + 255 * shine


def _creases(depth: Array) -> np.ndarray:
    """Where depth [H, W] jumps: second differences, which are small on any even slope."""
    found = np.zeros(depth.shape, bool)
    with np.errstate(invalid="ignore"):
        found[1:-1] |= depth[2:] - 2 * depth[1:-1] + depth[:-2] > CREASE
        found[:, 1:-1] |= depth[:, 2:] - 2 * depth[:, 1:-1] + depth[:, :-2] > CREASE
    return found
