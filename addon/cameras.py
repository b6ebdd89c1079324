"""The cameras of a care home in Blender: pose, lens and distortion.

A pinhole is Blender's own camera. A distorted one is a Cycles custom camera (Blender 5): a small OSL shader that comes
with the stage. Where Blender has none (4.x, or a build without Cycles) the nearest built-in lens takes its place.
"""

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from .errors import CareSynthError
from .rotation import nearest

NAME = "caresynth_camera"  # custom property: what the room calls it, whatever the object is called
NEAR, FAR = 0.01, 100.0  # metres
_SENSOR = 36.0  # mm
_SQUARE = 1e-6  # fx and fy closer than this (relative) are one focal length
_FLIP = np.diag([1.0, -1.0, -1.0, 1.0])  # OpenCV's axes to Blender's: the camera looks along -z, y up
_STILL, _SAME = 1e-5, 1e-2  # metres and pixels within which a camera was not touched
_DEGREE = 4  # of Blender's lens polynomial

Warn = Callable[[str], None]


def add_camera(entry: Mapping[str, Any], collection: bpy.types.Collection, warn: Warn) -> bpy.types.Object:
    """One camera of a stage or a room; ``entry`` as in room.json, with ``shader`` for a distorted lens."""
    name = str(entry["name"])
    data = bpy.data.cameras.new(name)
    data.clip_start, data.clip_end = NEAR, FAR
    data.show_passepartout = True
    matrix = np.array(entry["K"], float)
    width, height, model = int(entry["width"]), int(entry["height"]), str(entry["model"])
    straight = model == "pinhole" and abs(matrix[0, 0] / matrix[1, 1] - 1) <= _SQUARE
    _set_pinhole(data, matrix, width, height)  # what the viewport shows, whatever the lens
    if not straight and not _set_shader(data, str(entry.get("shader") or "")):
        if model == "fisheye":
            _set_polynomial(data, matrix, np.array(entry["dist"], float), width)
            warn(f"{name}: this Blender has no lens shaders; its fisheye polynomial stands in (within a pixel or two)")
        else:
            warn(f"{name}: this Blender has no lens shaders; the camera shows no distortion")
    item = bpy.data.objects.new(name, data)
    item.matrix_world = (np.array(entry["world_from_camera"], float) @ _FLIP).T.tolist()
    item["caresynth_size"] = [width, height]
    item[NAME] = name
    collection.objects.link(item)
    return item


def _set_pinhole(data: bpy.types.Camera, matrix: np.ndarray, width: int, height: int) -> None:
    data.type = "PERSP"
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = _SENSOR
    data.lens = max(matrix[0, 0] * _SENSOR / width, 1.0)  # Blender's shortest; only a wide fisheye is below
    data.shift_x = -(matrix[0, 2] - (width - 1) / 2) / width
    data.shift_y = (matrix[1, 2] - (height - 1) / 2) / width


def _set_shader(data: bpy.types.Camera, source: str) -> bool:
    """Make it a Cycles custom camera; whether that worked."""
    if not source or not hasattr(data, "custom_bytecode"):
        return False
    code = _compile(source)
    if not code:
        return False
    data.type = "CUSTOM"
    data.custom_mode = "INTERNAL"
    data.custom_bytecode = code
    data.custom_bytecode_hash = hashlib.md5(code.encode(), usedforsecurity=False).hexdigest()
    return True


def _compile(source: str) -> str:
    """OSL to bytecode, as Cycles' own button does; "" where this Blender cannot."""
    try:
        import _cycles
    except ImportError:
        return ""
    with tempfile.TemporaryDirectory(prefix="caresynth-") as folder:
        written, compiled = Path(folder, "lens.osl"), Path(folder, "lens.oso")
        written.write_text(source, encoding="utf-8")
        with contextlib.suppress(AttributeError):  # built without OSL
            if _cycles.osl_compile(str(written), str(compiled)):
                return compiled.read_text(encoding="utf-8")
    return ""


def _set_polynomial(data: bpy.types.Camera, matrix: np.ndarray, dist: np.ndarray, width: int) -> None:
    """Blender's fisheye: angle (radians) as a polynomial of the distance on the sensor (mm), fitted to OpenCV's."""
    k = np.zeros(4)
    k[: min(4, len(dist))] = dist[:4]
    angle = np.linspace(0.0, np.pi / 2, 200)
    radius = angle * (1 + angle**2 * (k[0] + angle**2 * (k[1] + angle**2 * (k[2] + angle**2 * k[3]))))
    rising = np.concatenate([[True], np.diff(radius) > 0])
    end = len(angle) if rising.all() else int(np.argmin(rising))
    angle, radius = angle[:end], radius[:end] * matrix[0, 0] * _SENSOR / width
    powers = np.stack([radius**n for n in range(1, _DEGREE + 1)], -1)
    found = np.linalg.lstsq(powers, -angle, rcond=None)[0]
    data.type = "PANO"
    lens = data if hasattr(data, "panorama_type") else getattr(data, "cycles", None)
    if lens is None:
        data.type = "PERSP"
        return
    lens.panorama_type = "FISHEYE_LENS_POLYNOMIAL"
    for number, value in enumerate([0.0, *found.tolist()]):
        setattr(lens, f"fisheye_polynomial_k{number}", value)
    lens.fisheye_fov = 2 * float(angle[-1])


def look_through(context: bpy.types.Context, camera: bpy.types.Object, match_size: bool) -> None:
    """Make it the scene's camera, in the 3D views of this window too; the render takes its picture's size."""
    context.scene.camera = camera
    if match_size and "caresynth_size" in camera:
        render = context.scene.render
        render.resolution_x, render.resolution_y = (int(n) for n in camera["caresynth_size"])
        render.resolution_percentage = 100
        render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    if context.window is not None:
        for area in context.window.screen.areas:
            if area.type == "VIEW_3D":
                area.spaces.active.region_3d.view_perspective = "CAMERA"
                area.spaces.active.shading.show_backface_culling = False  # it is inside: leaves and curtains show again


def described(
    item: bpy.types.Object, entry: Mapping[str, Any] | None, home: np.ndarray, size: tuple[int, int]
) -> dict[str, Any]:
    """A camera as it stands in the scene, as stage.json has cameras; the inverse of `add_camera`.

    Args:
        entry: what it was made from; None for a camera of the user's own.
        home: the stage's pose in the world [4, 4]. size: pixels of the picture of a camera of the user's own.

    Raises:
        CareSynthError: a camera of the user's own that is no perspective.
    """
    pose = np.linalg.inv(home) @ np.array(item.matrix_world)
    pose[:3, :3] = nearest(pose[:3, :3])
    pose = pose @ _FLIP
    if entry is None:
        if item.data.type != "PERSP":
            raise CareSynthError(f"{item.name} is no perspective camera: film with one that is")
        return {
            "name": item.name, "model": "pinhole", "width": size[0], "height": size[1],
            "K": _matrix_of(item.data, *size).tolist(), "world_from_camera": pose.tolist(),
        }  # fmt: skip
    found = dict(entry)
    if np.abs(pose - np.array(entry["world_from_camera"], float)).max() > _STILL:
        found["world_from_camera"] = pose.tolist()
    if entry["model"] == "pinhole":
        width, height, before = int(entry["width"]), int(entry["height"]), np.array(entry["K"], float)
        matrix = _matrix_of(item.data, width, height)
        matrix[1, 1] *= before[1, 1] / before[0, 0]  # Blender holds one focal length: pixels keep their shape
        if np.abs(matrix - _as_set(before, width)).max() > _SAME:
            found["K"] = matrix.tolist()
    return found


def _as_set(matrix: np.ndarray, width: int) -> np.ndarray:
    """K as `_set_pinhole` could set it, whose shortest lens is 1 mm."""
    shortest = max(1.0, width / _SENSOR / matrix[0, 0])
    return matrix * np.array([[shortest, 1, 1], [1, shortest, 1], [1, 1, 1]])


def _matrix_of(data: bpy.types.Camera, width: int, height: int) -> np.ndarray:
    """K of a Blender perspective camera whose pixels are square."""
    upright = data.sensor_fit == "VERTICAL" or (data.sensor_fit == "AUTO" and height > width)
    sensor = data.sensor_height if data.sensor_fit == "VERTICAL" else data.sensor_width
    fit = height if upright else width
    focal = data.lens / sensor * fit
    across = (width - 1) / 2 - data.shift_x * fit
    down = (height - 1) / 2 + data.shift_y * fit
    return np.array([[focal, 0, across], [0, focal, down], [0, 0, 1]])
