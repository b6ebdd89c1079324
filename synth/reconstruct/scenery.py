"""The still scene of a fixed camera: its picture, its depth, its optics and its floor, before anybody is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from synth.camera import Camera, camera_from_json, pinhole_matrix
from synth.errors import BadFile, Missing
from synth.files import read_json, read_npz
from synth.reconstruct.align import Alignment, aligned
from synth.reconstruct.annotated import Annotated, of_frames
from synth.reconstruct.depth import estimate_depth, median_depth, restored_depth, unprojected
from synth.reconstruct.floor import Floor, FloorOptions, NoFloor, find_floor
from synth.reconstruct.inputs import USUAL_VIEW
from synth.reconstruct.regions import LABEL
from synth.reconstruct.squared import Doubt, squared
from synth.reconstruct.standing import floor_from_people
from synth.reconstruct.view import TRUSTED, View, estimated_view, up_of
from synth.rotation import Array

UNSURE = 6.0  # degrees: a floor from people alone that is known less well is none
UP = 2.0  # degrees, the least that lines are believed to be off the direction up, where people tell it too
PLUMB_LINES = 0.5  # and where depth does
MARGIN = 0.1  # of a person's box, by which more is left out of the still scene
NETWORK_SPREAD, SENSOR_SPREAD = 0.08, 0.01  # by what share metres are off, of a depth network and of a depth camera
NETWORK_SHIFT, NETWORK_BENT = 0.05, 0.7  # how depth networks are off, as of `squared.Doubt`
USUAL_FOCAL, SEEN_FOCAL = (
    0.25,
    0.05,
)  # by what the logarithm of a focal length is off: of a usual one, of one from lines
KNOWN_FOCAL = 0.1  # from when on a usual one counts as estimated
SURE_CONE, CONE = 12.0, 45.0  # degrees that the floor's normal may be off the direction up: seen in lines, or guessed


@dataclass(frozen=True)
class Optics:
    """A camera at the origin of its own axes, and where its optics come from: "recording", "estimated", "default"."""

    camera: Camera
    source: str
    view: View | None  # what straight lines say of it


@dataclass(frozen=True)
class StillDepth:
    """One depth map of the scene without people.

    Attributes:
        depth: [H, W] metres as `Camera.project` has it; known: bool [H, W].
        source: in words. spread: by what share its metres are believed to be off.
        notes: what is weak about it.
        up: unit direction up in the camera's frame [3] and its deviation in degrees, that floor and walls tell
            together; None where they do not.
    """

    depth: Array
    known: np.ndarray
    source: str
    spread: float
    notes: tuple[str, ...] = ()
    up: tuple[Array, float] | None = None


@dataclass(frozen=True)
class Ground:
    """The floor, and the world on it.

    Attributes:
        spread: by what share its metres may be off, that people's heights can tell.
        notes: floors that were refused, and why.
    """

    floor: Floor
    alignment: Alignment
    spread: float
    notes: tuple[str, ...] = ()

    def enlarged(self, factor: float) -> Ground:
        """The same scene, larger."""
        floor = replace(self.floor, offset=self.floor.offset * factor)
        return replace(self, floor=floor, alignment=aligned(floor))


def people_masks(annotated: Annotated, numbers: Sequence[int], height: int, width: int) -> np.ndarray:
    """Bool [K, H, W]: where people are in these frames, by their masks, else by their boxes and a margin."""
    found = np.zeros((len(numbers), height, width), bool)
    regions = annotated.regions
    segmented = {} if regions is None else {int(n): regions.labels[at] for at, n in enumerate(regions.frames)}
    for at, boxes in enumerate(of_frames(annotated, numbers)):
        labels = segmented.get(numbers[at])
        if labels is not None and (labels == LABEL["person"]).any():
            found[at] = labels == LABEL["person"]
            continue
        for x, y, w, h in boxes:
            low = np.floor([y - MARGIN * h, x - MARGIN * w]).astype(int).clip(0)
            high = np.ceil([y + (1 + MARGIN) * h, x + (1 + MARGIN) * w]).astype(int).clip(0)
            found[at, low[0] : high[0], low[1] : high[1]] = True
    return found


def optics_of(known: Camera | None, path: Path | None, image: np.ndarray, people: np.ndarray | None) -> Optics:
    """The user's camera, else the recording's, else what lines say, else a usual one.

    Args:
        known: of the recording. path: the user's, JSON as in room.json, its pose not needed.
        image: uint8 [H, W, 3], the still scene. people: bool [H, W], where somebody hides it.

    Raises:
        BadFile: the user's camera is of another size, or broken.
    """
    height, width = image.shape[:2]
    if path is not None:
        value: Any = read_json(path)
        if isinstance(value, dict):
            value.setdefault("world_from_camera", np.eye(4).tolist())
        known = camera_from_json(value, path)
        if (known.width, known.height) != (width, height):
            size = f"{known.width} x {known.height}"
            raise BadFile(path, "width, height", size, f"{width} x {height}, as the video")
    if known is not None:
        camera = replace(known, world_from_camera=np.eye(4))
        return Optics(camera, "recording", up_of(image, camera, people))
    view = estimated_view(image, people)
    if view is not None and view.confidence >= TRUSTED:
        k = np.array([[view.focal, 0, (width - 1) / 2], [0, view.focal, (height - 1) / 2], [0, 0, 1.0]])
        return Optics(Camera("pinhole", width, height, k), "estimated", view)
    camera = Camera("pinhole", width, height, pinhole_matrix(width, height, USUAL_VIEW))
    return Optics(camera, "default", up_of(image, camera, people))


def depth_from_file(
    path: Path, height: int, width: int, people: np.ndarray, annotated: Annotated | None = None
) -> StillDepth:  # fmt: skip
    """Depth that a camera measured: an npz with `depth` [H, W] or [K, H, W] in metres, or a folder of 16-bit PNG (mm).

    Args:
        people: bool [K, H, W] of the key frames; used where the file holds one map for each of them.
        annotated: who is where; used where it holds one map for each frame of the video.

    Raises:
        BadFile: another size, or none of both. Missing: no such file.
    """
    if path.is_dir():
        maps = [_png_depth(one) for one in sorted(path.glob("*.png"))]
        if not maps or len({one.shape for one in maps}) > 1:
            raise BadFile(path, "pictures", sorted({one.shape for one in maps}), "16-bit PNG of one size")
        stack = np.stack(maps)
    elif path.is_file():
        found = read_npz(path, ["depth"]).get("depth")
        if found is None or found.ndim not in (2, 3) or found.dtype.kind != "f":
            shape = "nothing" if found is None else f"{found.dtype} {found.shape}"
            raise BadFile(path, "depth", shape, "floating point metres [H, W] or [K, H, W]")
        stack = found.reshape(-1, *found.shape[-2:]).astype(float)
    else:
        raise Missing(f"depth {path}", "give an npz with `depth` in metres, or a folder of 16-bit PNG in millimetres")
    if stack.shape[1:] != (height, width):
        raise BadFile(path, "depth", stack.shape[1:], f"{(height, width)}, as the video")
    hidden = people if len(people) == len(stack) else None
    if hidden is None and annotated is not None and len(stack) == annotated.observed.frames:
        hidden = people_masks(annotated, range(len(stack)), height, width)
    depth, seen = median_depth(stack, hidden)
    return StillDepth(depth, seen > 0, "measured by a depth camera", SENSOR_SPREAD)


def _png_depth(path: Path) -> Array:
    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.mode not in ("I;16", "I", "I;16B"):
                raise BadFile(path, "mode", image.mode, "a 16-bit grey PNG, millimetres")
            return np.asarray(image).astype(float) / 1000
    except BadFile:
        raise
    except Exception as error:  # Pillow raises OSError, SyntaxError, its own and others on damaged files
        raise BadFile(path, "file", f"{type(error).__name__}: {error}", "an undamaged PNG") from None


def depth_from_networks(
    images: Sequence[np.ndarray], people: np.ndarray, metric: Path, relative: Path | None, device: str,
    seed: np.random.SeedSequence,
) -> StillDepth:  # fmt: skip
    """Depth Anything over the key frames: the metric network, and the sharper relative one on its metres (thesis 4.1).

    Args:
        images: K of uint8 [H, W, 3]. people: bool [K, H, W].
        metric, relative: weights (`depth.estimate_depth`); without the second the first alone.
    """
    maps = estimate_depth(images, metric, device).values
    if relative is None:
        depth, seen = median_depth(maps, people)
        return StillDepth(depth, seen > 0, "estimated by the metric depth network", NETWORK_SPREAD)
    restored = restored_depth(estimate_depth(images, relative, device).values, maps, seed, people)
    depth, seen = median_depth(np.where(restored.known, restored.depth, np.nan), people)
    words = "relative depth on the metres of the metric network"
    return StillDepth(depth, seen > 0, words, NETWORK_SPREAD, tuple(restored.report.warnings))


def made_square(
    optics: Optics, depth: StillDepth, labels: np.ndarray | None, threshold: float, seed: np.random.SeedSequence
) -> tuple[Optics, StillDepth]:
    """Both as floor and walls at right angles tell them (`synth.reconstruct.squared`): the shift of a network's depth,
    and a focal length that is not known. Arguments as of `ground_of`."""
    if labels is None:
        return optics, depth
    shift, bent = (0.0, 0.0) if depth.spread <= SENSOR_SPREAD else (NETWORK_SHIFT, NETWORK_BENT)
    focal = {"recording": 0.0, "estimated": SEEN_FOCAL, "default": USUAL_FOCAL}[optics.source]
    if optics.source == "estimated" and optics.view is not None:
        focal = max(focal, optics.view.focal_deviation)
    metres = np.where(depth.known, depth.depth, np.nan)
    floor, walls = (labels == LABEL[name] for name in ("floor", "wall"))
    view = _trusted(optics)
    lines = None if view is None else (view.up, max(PLUMB_LINES, view.up_deviation))
    doubt, options = Doubt(shift, focal, bent), _floor_options(optics, threshold)
    found = squared(metres, floor, walls, optics.camera, doubt, lines, options, seed)
    if found is None:
        return optics, depth
    metres = found.depth(metres)
    source = optics.source if found.focal_deviation > KNOWN_FOCAL or not focal else "estimated"
    return (
        replace(optics, camera=found.camera(optics.camera), source=source),
        replace(depth, depth=metres, known=np.isfinite(metres), up=(found.up, found.tilt)),
    )


def ground_of(
    optics: Optics, depth: StillDepth | None, labels: np.ndarray | None, annotated: Annotated, threshold: float,
    seed: np.random.SeedSequence,
) -> Ground:  # fmt: skip
    """The floor: in the depth where there is one, else from people who stand on it.

    Args:
        labels: uint8 [H, W] of `Regions.still`. threshold: metres a point of the floor may be off its plane.

    Raises:
        NoFloor: neither shows one; the message says what each lacked.
    """
    missing, refused = "no depth", tuple[str, ...]()
    if depth is not None:
        options = _floor_options(optics, threshold, depth.up)
        points = unprojected(np.where(depth.known, depth.depth, np.nan), optics.camera)
        floors, walls = (_mask(labels, name) for name in ("floor", "wall"))
        try:
            floor = find_floor(points, seed, floors, walls, options=options)
            return Ground(floor, aligned(floor), depth.spread)
        except NoFloor as error:
            missing = str(error)
            refused = (f"No floor was taken from the depth ({missing}): it is from people who stand on it.",)
    observed, view = annotated.observed, _trusted(optics)
    try:
        up, deviation = (None, UP) if view is None else (view.up, max(UP, view.up_deviation))
        standing = floor_from_people(observed.keypoints, observed.seen, optics.camera, up, deviation)
    except NoFloor as error:
        raise NoFloor(f"{error}; and in the scene: {missing}") from None
    if standing.tilt > UNSURE:
        raise NoFloor(
            f"floor: people alone tell its direction to {standing.tilt:.0f} degrees only, {UNSURE:.0f} are needed; "
            f"give --depth, or a recording in which people walk about; in the scene: {missing}"
        )
    return Ground(standing, aligned(standing), 0.0, refused)  # people's heights are in it already


def _mask(labels: np.ndarray | None, name: str) -> np.ndarray | None:
    """Bool [H, W] of a class; None where nothing is labelled so: a mask that names others says nothing of it."""
    found = None if labels is None else labels == LABEL[name]
    return found if found is not None and found.any() else None


def _trusted(optics: Optics) -> View | None:
    return optics.view if optics.view is not None and optics.view.confidence >= TRUSTED else None


def _floor_options(optics: Optics, threshold: float, up: tuple[Array, float] | None = None) -> FloorOptions:
    """With the direction up that is known, else the one that lines show, else the picture's top."""
    if up is not None:
        return FloorOptions(threshold, _triple(up[0]), SURE_CONE, up[1])
    view = _trusted(optics)
    if view is None:
        return FloorOptions(threshold, cone=CONE)
    return FloorOptions(threshold, _triple(view.up), SURE_CONE)


def _triple(direction: Array) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in direction)
    return x, y, z
