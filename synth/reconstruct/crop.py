"""A person's crop for HMR2.0, and from the crop's camera back to the real one.

A crop is a square of the picture (side b pixels around the box's centre) brought to 256 x 256; of it the network sees
columns 32 to 224. Pixel centres have whole coordinates, as in `synth.camera`, in the picture and the crop: the centre
of the box falls on (128, 128). The network's camera (s, tx, ty) puts a body at [tx, ty, 2 F / (256 s)] metres before a
camera of focal length F = 5000 crop pixels: nearly without perspective, b s / 2 pixels of the picture a metre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.ndimage import affine_transform, gaussian_filter
from torch import Tensor

from synth.camera import Camera
from synth.errors import BadOption
from synth.rotation import Array, rotation_between

SIDE = 256  # of a crop, pixels
COLUMNS = slice(32, 224)  # of a crop, that the network sees
FOCAL = 5000.0  # of the crop's camera, crop pixels
BOX_LIMIT = 1 << 16  # pixels; far beyond any picture, and the blur still takes seconds
_ASPECT = 256 / 192  # height to width of what the network sees
_MEAN = np.array([0.485, 0.456, 0.406])  # ImageNet
_STD = np.array([0.229, 0.224, 0.225])
_TRUNCATE = 4.0  # sigmas after which the Gaussian is cut


@dataclass(frozen=True)
class Crop:
    """Where crops lie in the picture.

    Attributes:
        centre: [..., 2] pixels.
        size: [...] side of the square, pixels.
    """

    centre: Array
    size: Array

    def to_image(self, pixels: ArrayLike) -> Array:
        """Crop pixels [..., 2] (in 256 x 256) to the picture's [..., 2]."""
        return self.centre + (np.asarray(pixels, dtype=float) - SIDE / 2) * self.size[..., None] / SIDE

    def to_crop(self, pixels: ArrayLike) -> Array:
        """The picture's pixels [..., 2] to crop pixels [..., 2] (in 256 x 256)."""
        return SIDE / 2 + (np.asarray(pixels, dtype=float) - self.centre) * SIDE / self.size[..., None]


def crop_of_box(boxes: ArrayLike) -> Crop:
    """The crops of people's boxes: about the same centre, high enough to hold the box in the network's 192:256.

    Args:
        boxes: [..., 4] left, top, right, bottom in pixels.

    Raises:
        BadOption: a box is not finite, has no area or is over 65536 pixels.
    """
    found = np.asarray(boxes, dtype=float)
    if found.ndim < 1 or found.shape[-1] != 4:
        raise BadOption("box", f"shape {found.shape}", "left, top, right, bottom in pixels")
    sides = found[..., 2:] - found[..., :2]
    size = np.maximum(sides[..., 1], sides[..., 0] * _ASPECT)
    good = np.isfinite(found).all(-1) & (sides > 0).all(-1) & (size <= BOX_LIMIT)
    if not good.all():
        raise BadOption("box", found[~good][0].tolist(), f"left < right, top < bottom, at most {BOX_LIMIT} pixels")
    return Crop((found[..., :2] + found[..., 2:]) / 2, size)


def crop_person(image: np.ndarray, crop: Crop) -> Tensor:
    """The network's picture of one person.

    Args:
        image: [H, W, 3] RGB, 0 to 255.
        crop: of one box.

    Returns:
        [3, 256, 192] float32, normalised with ImageNet's mean and deviation; black outside the picture.
    """
    pixels = crop_pixels(image, crop)[:, COLUMNS]
    return torch.from_numpy(np.ascontiguousarray(((pixels / 255 - _MEAN) / _STD).transpose(2, 0, 1), dtype=np.float32))


def crop_pixels(image: np.ndarray, crop: Crop) -> Array:
    """The crop itself, [256, 256, 3] of 0 to 255: `image` [H, W, 3] blurred if it is made much smaller, then warped.

    Raises:
        BadOption: the picture has another shape, or it is more than one crop.
    """
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise BadOption("image", f"shape {image.shape}", "height, width and 3 colours")
    if crop.size.ndim:
        raise BadOption("crop", f"{crop.size.shape} crops", "one crop a picture")
    # as in training (4D-Humans): half the reduction counts, below 1.1 nothing is blurred
    reduction = float(crop.size) / SIDE / 2
    sigma = (reduction - 1) / 2 if reduction > 1.1 else 0.0
    first = crop.to_image([0, 0])[::-1]  # row, column
    part, corner = _around(image, first, first + float(crop.size), margin=int(_TRUNCATE * sigma) + 2)
    if 0 in part.shape:
        return np.zeros((SIDE, SIDE, 3))
    if sigma:
        part = gaussian_filter(part, (sigma, sigma, 0), mode="nearest", truncate=_TRUNCATE)
    step = np.full(2, float(crop.size) / SIDE)
    channels = [
        affine_transform(part[..., i], step, first - corner, (SIDE, SIDE), order=1, mode="grid-constant")
        for i in range(3)
    ]
    return np.stack(channels, -1)


def _around(image: np.ndarray, start: Array, stop: Array, margin: int) -> tuple[Array, Array]:
    """The part [h, w, 3] of a picture between two corners (row, column), with a margin; and where its corner lies."""
    shape = image.shape[:2]
    low = np.clip(np.floor(start).astype(int) - margin, 0, shape)
    high = np.clip(np.ceil(stop).astype(int) + margin + 1, 0, shape)
    return image[low[0] : high[0], low[1] : high[1]].astype(float), low.astype(float)


def crop_translation(camera: ArrayLike) -> Array:
    """Where the crop's camera (focal length 5000 crop pixels, axis through (128, 128)) has the body: metres.

    Args:
        camera: [..., 3] s, tx, ty.

    Returns:
        [..., 3]; NaN where s is not positive: the network saw no person there.
    """
    scale, shift = _scale_and_shift(camera)
    return np.concatenate([shift, 2 * FOCAL / (SIDE * scale)[..., None]], -1)


def full_translation(camera: ArrayLike, crop: Crop, intrinsics: ArrayLike) -> Array:
    """The body's translation before the real pinhole camera, its orientation left as the network gave it.

    CLIFF's conversion (Li et al. 2022) as 4D-Humans has it, with the true focal length and principal point; what lies
    in the body's plane z = 0 falls on the same pixels as in the crop. For other cameras, and for a true orientation of
    people off the axis, use `place`.

    Args:
        camera: [..., 3] s, tx, ty.
        crop: [...] the crops.
        intrinsics: K [3, 3] in pixels.

    Returns:
        [..., 3] metres, camera axes (x right, y down, z forward); NaN where s is not positive.
    """
    scale, shift = _scale_and_shift(camera)
    k = np.asarray(intrinsics, dtype=float)
    focal, centre = k[[0, 1], [0, 1]], k[:2, 2]
    per_metre = crop.size * scale / 2
    pixels = crop.centre + per_metre[..., None] * shift
    depth = (np.sqrt(focal.prod()) / per_metre)[..., None]
    return np.concatenate([(pixels - centre) / focal * depth, depth], -1)


def viewing_rotation(camera: Camera, pixels: ArrayLike) -> Array:
    """The smallest rotation that turns the camera's axis to the rays of pixels [..., 2]: [..., 3, 3], camera axes.

    NaN where the camera's model has no ray.
    """
    _, rays = camera.unproject(pixels)
    return rotation_between([0.0, 0.0, 1.0], rays @ camera.world_from_camera[:3, :3])


def place(
    camera: Camera, crop: Crop, orient: ArrayLike, crop_camera: ArrayLike, pelvis: ArrayLike
) -> tuple[Array, Array]:
    """Put people into the world as the real camera, of any model, sees them.

    The network takes each crop for a view along the camera's axis. Off the axis the whole person is therefore turned
    with the ray of the crop's centre; the pelvis comes onto the ray of its own pixel, so far away that the person has
    the size seen there (the local focal length, pixels a radian, follows from the solid angle of a pixel).

    Args:
        camera: the real one.
        crop: [...] the crops.
        orient: [..., 3, 3] root rotations in the crop's camera (`Estimate.rotmats[:, 0]`).
        crop_camera: [..., 3] s, tx, ty.
        pelvis: [..., 3] or [3], rest position J0(betas) of SMPL's first joint, metres: SMPL turns the body about it.

    Returns:
        SMPL's global orientation [..., 3, 3] and translation [..., 3] in the world, metres. NaN where s is not positive
        or the camera's model cannot see the crop's centre.
    """
    scale, shift = _scale_and_shift(crop_camera)
    rest = np.asarray(pelvis, dtype=float)
    per_metre = crop.size * scale / 2
    turn = viewing_rotation(camera, crop.centre)
    distance = (_local_focal(camera, crop.centre) / per_metre + rest[..., 2])[..., None]
    sideways = shift + rest[..., :2]
    turned = np.concatenate([sideways, distance], -1)[..., None, :] @ np.swapaxes(turn, -1, -2)
    to_world = camera.world_from_camera[:3, :3]
    # exact where the model has a ray at the pelvis's pixel, which may lie outside the picture
    _, ray = camera.unproject(crop.centre + per_metre[..., None] * sideways)
    length = np.linalg.norm(turned[..., 0, :], axis=-1, keepdims=True)
    local = np.where(np.isfinite(ray), ray * length, turned[..., 0, :] @ to_world.T)
    return to_world @ turn @ np.asarray(orient, dtype=float), camera.position + local - rest


def _local_focal(camera: Camera, pixels: Array) -> Array:
    """Pixels a radian about pixels [..., 2]: [...], the geometric mean over directions."""
    across, down = (
        camera.unproject(pixels + step)[1] - camera.unproject(pixels - step)[1] for step in 0.5 * np.eye(2)
    )  # fmt: skip
    return 1 / np.sqrt(np.linalg.norm(np.cross(across, down), axis=-1))


def _scale_and_shift(camera: ArrayLike) -> tuple[Array, Array]:
    given = np.asarray(camera, dtype=float)
    return np.where(given[..., 0] > 0, given[..., 0], np.nan), given[..., 1:]
