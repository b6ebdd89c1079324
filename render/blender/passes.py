"""What is read back from a rendered frame: colour, exact instance ids and depth.

The ids and the depth come from a second scene that shares the objects of the first and is rendered by Cycles with one
sample through each pixel's centre, so that no id is blended with its neighbour's. One sample meets a surface that is
partly clear or not by chance; so what is see-through is left out there, and all else is opaque.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from render.blender.session import RenderSettings, apply_size, load_bpy
from synth.camera import Camera

NO_DEPTH = np.float32(np.inf)
_CENTRE = 0.01  # width of the pixel filter in pixels, the smallest that Cycles takes
_FAR = 1e9  # Cycles writes 1e10 where a ray meets nothing
_EXR_TYPES = {0: "<u4", 1: "<f2", 2: "<f4"}


def render_colour(scene: Any, folder: Path, seed: int, window: tuple[int, int, int, int] | None = None) -> np.ndarray:
    """Render one frame of ``scene``: uint8 [H, W, 3], RGB as displayed.

    ``folder`` is for the temporary image; ``seed`` is this frame's noise, 0 to 2^31 - 1. Of a ``window`` (left, top,
    right, bottom pixels) only that part is rendered, the rest is black.
    """
    scene.render.use_border = window is not None
    if window is not None:
        width, height = scene.render.resolution_x, scene.render.resolution_y
        left, top, right, bottom = window
        scene.render.border_min_x, scene.render.border_max_x = left / width, right / width
        scene.render.border_min_y, scene.render.border_max_y = 1 - bottom / height, 1 - top / height
    if scene.render.engine == "CYCLES":
        scene.cycles.seed = seed
    path = folder / "colour.bmp"
    scene.render.filepath = str(path)
    load_bpy().ops.render.render(write_still=True, scene=scene.name)
    return read_bmp(path)


def label_scene(scene: Any, settings: RenderSettings) -> Any:
    """A second scene with the same camera and all that is not see-through; call it when all is staged."""
    bpy = load_bpy()
    labels = bpy.data.scenes.new("labels")
    for child in scene.collection.children:
        labels.collection.children.link(child)
    for item in scene.collection.objects:
        if not is_see_through(item):
            labels.collection.objects.link(item)
    labels.camera = scene.camera
    labels.render.engine = "CYCLES"
    apply_size(labels, settings)
    cycles = labels.cycles
    cycles.device = "CPU"
    cycles.samples = 1
    cycles.use_adaptive_sampling = False
    cycles.use_denoising = False
    cycles.max_bounces = 0
    cycles.pixel_filter_type = "BOX"
    cycles.filter_width = _CENTRE
    layer = labels.view_layers[0]
    layer.material_override = bpy.data.materials.new("opaque")
    layer.use_pass_combined = False
    layer.use_pass_object_index = True
    layer.use_pass_z = True
    image = labels.render.image_settings
    image.media_type = "MULTI_LAYER_IMAGE"
    image.file_format = "OPEN_EXR_MULTILAYER"
    image.color_depth = "32"
    image.exr_codec = "NONE"
    image.use_exr_interleave = True
    return labels


def is_see_through(item: Any) -> bool:
    """Whether labels are of what is behind an object (``render.blender.materials.see_through``)."""
    return bool(item.get("see_through", False))


def render_labels(labels: Any, folder: Path, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Render the label scene.

    Returns:
        ids uint8 [H, W] (``pass_index`` of the object seen, 0 elsewhere) and depth f32 [H, W] in metres as
        ``Camera.project`` defines it, infinite where nothing is seen.
    """
    path = folder / "labels.exr"
    labels.render.filepath = str(path)
    load_bpy().ops.render.render(write_still=True, scene=labels.name)
    channels = read_exr(path)
    index = _channel(channels, "Object Index.X")
    depth = _channel(channels, "Depth.Z").astype(np.float32)
    nothing = ~(depth < _FAR) | (depth <= 0)
    if camera.model == "brown_conrady" and labels.camera.data.type == "CUSTOM":
        depth = depth * _cosine(camera)  # Cycles measures along the ray for custom lenses
    elif camera.model == "pinhole" and labels.camera.data.type == "CUSTOM":
        depth = depth * _cosine(camera)
    return np.rint(index).astype(np.uint8), np.where(nothing, NO_DEPTH, depth).astype(np.float32)


def _cosine(camera: Camera) -> np.ndarray:
    """Cosine between each pixel's ray and the optical axis [H, W]."""
    rows, columns = np.mgrid[: camera.height, : camera.width]
    _, rays = camera.unproject(np.stack([columns, rows], -1))
    return np.nan_to_num(rays @ camera.world_from_camera[:3, 2])


def _channel(channels: dict[str, np.ndarray], ending: str) -> np.ndarray:
    return next(values for name, values in channels.items() if name.endswith(ending))


def read_bmp(path: Path) -> np.ndarray:
    """An uncompressed 24-bit BMP as uint8 [H, W, 3] RGB (what Blender writes; no image library needed)."""
    raw = path.read_bytes()
    offset, width, height, bits = (*struct.unpack_from("<I", raw, 10), *struct.unpack_from("<ii2xH", raw, 18))
    if bits != 24:
        raise ValueError(f"{path}: {bits} bits a pixel, expected 24")
    stride = (width * 3 + 3) // 4 * 4
    rows = np.frombuffer(raw, np.uint8, stride * abs(height), offset).reshape(abs(height), stride)
    image = rows[:, : width * 3].reshape(abs(height), width, 3)[..., ::-1]
    return np.ascontiguousarray(image[::-1] if height > 0 else image)


def read_exr(path: Path) -> dict[str, np.ndarray]:
    """Every channel [H, W] of an uncompressed single-part scan-line OpenEXR file."""
    raw = path.read_bytes()
    attributes, position = _exr_header(raw)
    if attributes["compression"] != b"\x00":
        raise ValueError(f"{path}: compressed, expected an uncompressed OpenEXR file")
    left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    channels = _exr_channels(attributes["channels"])
    layout = np.dtype([("head", "<i4", 2), *((name, kind, width) for name, kind in channels)])
    lines = np.frombuffer(raw, layout, height, position + 8 * height)  # a table of offsets comes first
    return {name: lines[name] for name, _ in channels}


def _exr_header(raw: bytes) -> tuple[dict[str, bytes], int]:
    position, attributes = 8, {}
    while raw[position]:
        name, position = _exr_text(raw, position)
        _, position = _exr_text(raw, position)
        (size,) = struct.unpack_from("<i", raw, position)
        attributes[name] = raw[position + 4 : position + 4 + size]
        position += 4 + size
    return attributes, position + 1


def _exr_channels(raw: bytes) -> list[tuple[str, str]]:
    position, channels = 0, []
    while raw[position]:
        name, position = _exr_text(raw, position)
        (kind,) = struct.unpack_from("<i", raw, position)
        channels.append((name, _EXR_TYPES[kind]))
        position += 16
    return channels


def _exr_text(raw: bytes, position: int) -> tuple[str, int]:
    end = raw.index(0, position)
    return raw[position:end].decode("utf-8"), end + 1
