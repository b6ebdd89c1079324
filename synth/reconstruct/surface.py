"""The still scene of a fixed camera as a picture, a point cloud and triangles.

A truncated signed distance field over key frames averages, along each camera's rays, where they meet the surface. From
one fixed camera all rays of a pixel are the same, so that it comes down to one depth a pixel, the median of the key
frames (`depth.median_depth`), triangulated over the pixels' grid and cut where depth jumps. This is what is done here.
What stands behind something has never been seen and stays open.

Room files have materials of one colour and no textures: a mesh is cut into parts of about one colour each, the median
of what the picture shows there (with the video's own light in it).
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import distance_transform_edt, uniform_filter
from sklearn.cluster import KMeans

from synth.camera import Camera
from synth.errors import BadOption
from synth.files import atomic_path
from synth.gltf import Material, SceneMesh
from synth.reconstruct.grid import joined, world_points
from synth.rotation import Array

TRIANGLES = 60_000
SHADES = 6  # colours of one mesh
LEARNED = 3_000  # faces that the colours are found from
ROWS = 64  # of a picture that are looked at together: bounds memory


def still_image(images: Sequence[ArrayLike], people_masks: ArrayLike | None = None) -> np.ndarray:
    """The picture without its people: of each pixel the median of the frames in which nobody is there.

    Args:
        images: K of uint8 [H, W, 3].
        people_masks: bool [K, H, W], True where somebody is.

    Returns:
        uint8 [H, W, 3]. What somebody always hides has the colour of the nearest pixel that was seen.

    Raises:
        BadOption: no images, shapes that do not fit, or no pixel that is ever free.
    """
    frames = [np.asarray(image) for image in images]
    if not frames or any(f.dtype != np.uint8 or f.ndim != 3 or f.shape[2] != 3 for f in frames):
        raise BadOption("images", [f"{f.dtype} {f.shape}" for f in frames[:3]], "at least one of uint8 [H, W, 3]")
    if len({f.shape for f in frames}) > 1:
        raise BadOption("images", sorted({f.shape for f in frames}), "images of one size")
    shape = (len(frames), *frames[0].shape[:2])
    people = np.zeros(shape, bool) if people_masks is None else np.asarray(people_masks)
    if people.shape != shape or people.dtype != bool:
        raise BadOption("people_masks", f"{people.dtype} {people.shape}", f"booleans {shape}")
    seen = (~people).sum(0)
    if not seen.any():
        raise BadOption("people_masks", "people on every pixel of every image", "a scene that is seen somewhere")
    found = np.concatenate([_median(frames, people, seen, row) for row in range(0, shape[1], ROWS)])
    nearest = distance_transform_edt(seen == 0, return_distances=False, return_indices=True)
    return found[nearest[0], nearest[1]]


def _median(frames: Sequence[np.ndarray], people: np.ndarray, seen: np.ndarray, row: int) -> np.ndarray:
    """Of rows from ``row`` on; the hidden ones sort to the end, where nothing looks."""
    rows = slice(row, row + ROWS)
    stack = np.stack([frame[rows] for frame in frames]).astype(np.int16)
    stack[people[:, rows]] = 256
    ranked, count = np.sort(stack, 0), seen[rows]
    ends = [np.maximum((count - 1) // 2, 0), np.minimum(count // 2, len(frames) - 1)]
    pair = [np.take_along_axis(ranked, end[None, ..., None], 0)[0] for end in ends]
    return ((pair[0] + pair[1]) // 2).clip(0, 255).astype(np.uint8)


def surface(
    depth: ArrayLike,
    known: ArrayLike,
    camera: Camera,
    image: ArrayLike,
    groups: ArrayLike | None = None,
    names: Sequence[str] = ("room/scene",),
    triangles: int = TRIANGLES,
) -> list[SceneMesh]:
    """The depth map as triangles over a grid of its pixels, each part in the colour the picture has there.

    Args:
        depth: [H, W] metres as ``Camera.project`` gives it. known: [H, W], true where that is to be believed.
        camera: of this size, with its pose in the world.
        image: uint8 [H, W, 3], ``still_image``.
        groups: int [H, W], which of the ``names`` a pixel's part is called by; all the first by default. A triangle
            between two groups goes to the one with the higher number.
        triangles: about how many there may be; pixels are left out to keep to it.

    Returns:
        meshes ``NAME_0``, ``NAME_1``, ... in the world, facing the camera; the vertices are the points of pixels.

    Raises:
        BadOption: shapes that do not fit, or nothing known.
    """
    depths, there, picture = _checked(depth, known, camera, image)
    owners = np.zeros(depths.shape, int) if groups is None else np.asarray(groups)
    if owners.shape != depths.shape or owners.dtype.kind not in "iu" or owners.min() < 0 or owners.max() >= len(names):
        raise BadOption("groups", f"{owners.dtype} {owners.shape}", f"numbers below {len(names)} {depths.shape}")
    if triangles < 2:
        raise BadOption("triangles", triangles, "at least 2")
    step = int(np.ceil(np.sqrt(2 * depths.size / triangles)))
    rows, columns = (np.unique([*range(0, size, step), size - 1]) for size in depths.shape)
    pick = np.ix_(rows, columns)
    points = world_points(depths, there, camera)[pick]
    # the mean around a vertex, not the one pixel: faces are larger than pixels
    colour = uniform_filter(picture.astype(float), (step, step, 0))[pick].reshape(-1, 3)
    faces = _faces(np.where(there, depths, np.nan)[pick])
    owner = owners[pick].reshape(-1)[faces].max(1)
    found: list[SceneMesh] = []
    for index, name in enumerate(names):
        found += _parts(name, points.reshape(-1, 3), faces[owner == index], colour)
    return found


def cloud(
    depth: ArrayLike, known: ArrayLike, camera: Camera, image: ArrayLike, step: int = 1
) -> tuple[Array, np.ndarray]:
    """Points [N, 3] in the world, metres, and their colours uint8 [N, 3], of every ``step``-th row and column.

    Arguments and errors as of ``surface``.
    """
    depths, there, picture = _checked(depth, known, camera, image)
    points = world_points(depths, there, camera)[::step, ::step].reshape(-1, 3)
    finite = np.isfinite(points).all(1)
    return points[finite], picture[::step, ::step].reshape(-1, 3)[finite]


def write_cloud(path: str | PathLike[str], points: Array, colours: np.ndarray) -> None:
    """Write a point cloud as binary PLY, atomically: points [N, 3] metres, colours uint8 [N, 3]."""
    import trimesh

    data = trimesh.PointCloud(np.asarray(points), colors=np.asarray(colours)).export(file_type="ply")
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def linear(colour: ArrayLike) -> Array:
    """Colours of a picture, 0..255 [..., 3], as linear RGB in 0..1 (IEC 61966-2-1), which materials have."""
    share = np.asarray(colour, dtype=float) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def seen_material(colour: ArrayLike) -> Material:
    """A matt material of a picture's colour, 0..255 [3]."""
    red, green, blue = (round(float(c)) for c in np.clip(np.asarray(colour, dtype=float), 0, 255))
    base = linear([red, green, blue])
    return Material(
        f"seen.{red:02x}{green:02x}{blue:02x}", (float(base[0]), float(base[1]), float(base[2])), roughness=0.8
    )


def _checked(depth: ArrayLike, known: ArrayLike, camera: Camera, image: ArrayLike) -> tuple[Array, np.ndarray, Array]:
    size = (camera.height, camera.width)
    depths, there, picture = np.asarray(depth, dtype=float), np.asarray(known), np.asarray(image)
    if depths.shape != size:
        raise BadOption("depth", depths.shape, f"the camera's size {size}")
    if there.shape != size or there.dtype.kind not in "biu":
        raise BadOption("known", f"{there.dtype} {there.shape}", f"booleans or counts {size}")
    if picture.shape != (*size, 3) or picture.dtype != np.uint8:
        raise BadOption("image", f"{picture.dtype} {picture.shape}", f"uint8 {(*size, 3)}")
    with np.errstate(invalid="ignore"):
        there = (there > 0) & np.isfinite(depths) & (depths > 0)
    if not there.any():
        raise BadOption("known", "no pixel with a positive, finite depth", "at least one")
    return depths, there, picture


def _faces(depth: Array) -> np.ndarray:
    """Triangles [F, 3] of a grid of depths [H, W], counter-clockwise seen from the camera, none across a jump.

    A cell of four pixels is cut along the diagonal whose ends are nearer in depth, so that an edge that takes away one
    corner leaves the other three a triangle.
    """
    inverse = 1 / depth
    right, down = joined(inverse)
    height, width = depth.shape
    number = np.arange(height * width).reshape(height, width)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    left, bottom, east, top = down[:, :-1], right[1:], down[:, 1:], right[:-1]
    with np.errstate(invalid="ignore"):
        falling, rising = np.abs(inverse[1:, 1:] - inverse[:-1, :-1]), np.abs(inverse[1:, :-1] - inverse[:-1, 1:])
    first = np.where(np.isfinite(falling), falling, np.inf) <= np.where(np.isfinite(rising), rising, np.inf)
    corners = (
        ((a, b, c), first & left & bottom), ((a, c, d), first & east & top),
        ((a, b, d), ~first & left & top), ((b, c, d), ~first & bottom & east),
    )  # fmt: skip
    return np.concatenate([np.stack(three, -1)[keep] for three, keep in corners])


def _parts(name: str, points: Array, faces: np.ndarray, colour: Array) -> list[SceneMesh]:
    """The faces of one group, a mesh for each of a few colours (k-means)."""
    if not len(faces):
        return []
    shade = colour[faces].mean(1)
    every = shade[:: -(-len(shade) // LEARNED)]
    kinds = min(SHADES, len(np.unique(every.round(), axis=0)))
    part = np.zeros(len(faces), int)
    if kinds > 1:
        part = KMeans(kinds, n_init=1, random_state=0).fit(every).predict(shade)
    found: list[SceneMesh] = []
    for index in np.unique(part):
        chosen = part == index
        used, corners = np.unique(faces[chosen], return_inverse=True)
        vertices, triangles = points[used].astype(np.float32), corners.reshape(-1, 3).astype(np.int32)
        material = seen_material(np.median(shade[chosen], 0))
        found.append(SceneMesh(f"{name}_{len(found)}", vertices, triangles, material))
    return found
