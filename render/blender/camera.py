"""Blender cameras that see exactly what ``synth.camera.Camera`` projects.

A pinhole is Blender's own perspective camera, its principal point set by the shift. Brown-Conrady and fisheye (also
beyond 180 degrees) are Cycles custom cameras: a small OSL shader, written for the camera at hand, inverts the
distortion by Newton's method and returns the ray of each image point. Colour and labels go through the same camera.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from render.blender.session import load_bpy
from synth.camera import Camera
from synth.errors import BadOption

NEAR, FAR = 0.01, 100.0  # metres
_SENSOR = 36.0  # mm; only its ratio to the focal length matters
_SQUARE = 1e-6  # fx and fy closer than this (relative) are one focal length
_FLIP = np.diag([1.0, -1.0, -1.0, 1.0])  # OpenCV's axes to Blender's: the camera looks along -z, y up


def needs_cycles(camera: Camera) -> bool:
    """Whether only Cycles can draw this camera (a distorted lens, a fisheye or pixels that are not square)."""
    return camera.model != "pinhole" or abs(camera.K[0, 0] / camera.K[1, 1] - 1) > _SQUARE


def set_camera(scene: Any, camera: Camera, name: str = "camera") -> Any:
    """Make ``camera`` the scene's camera and return the Blender object.

    Raises:
        BadOption: the scene's engine cannot draw this camera model.
    """
    bpy = load_bpy()
    custom = needs_cycles(camera)
    if custom and scene.render.engine != "CYCLES":
        raise BadOption(
            "--engine", scene.render.engine.lower().removeprefix("blender_"),
            f"cycles: other engines draw undistorted pinhole cameras only, and this camera is {camera.model}",
        )  # fmt: skip
    if custom and scene.cycles.device == "GPU" and _gpu_backend() != "OPTIX":
        scene.cycles.device = "CPU"  # of Cycles' GPU back ends only OptiX runs lens shaders
    data = bpy.data.cameras.new(name)
    data.clip_start, data.clip_end = NEAR, FAR
    if custom:
        _set_custom(data, camera)
    else:
        _set_pinhole(data, camera)
    camera_object = bpy.data.objects.new(name, data)
    scene.collection.objects.link(camera_object)
    camera_object.matrix_world = (camera.world_from_camera @ _FLIP).T.tolist()
    scene.camera = camera_object
    return camera_object


def _gpu_backend() -> str:
    return str(load_bpy().context.preferences.addons["cycles"].preferences.compute_device_type)


def _set_pinhole(data: Any, camera: Camera) -> None:
    data.type = "PERSP"
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = _SENSOR
    data.lens = camera.K[0, 0] * _SENSOR / camera.width
    data.shift_x = -(camera.K[0, 2] - (camera.width - 1) / 2) / camera.width
    data.shift_y = (camera.K[1, 2] - (camera.height - 1) / 2) / camera.width


def _set_custom(data: Any, camera: Camera) -> None:
    """Only the bytecode counts; naming the source too would make Blender compile it anew, which the wheel cannot."""
    code = _compile(lens_shader(camera))
    data.type = "CUSTOM"
    data.custom_mode = "INTERNAL"
    data.custom_bytecode = code
    data.custom_bytecode_hash = hashlib.md5(code.encode(), usedforsecurity=False).hexdigest()


def _compile(source: str) -> str:
    """OSL source to bytecode, as Blender's own operator does (its wheel lacks the module that operator imports)."""
    import _cycles

    with tempfile.TemporaryDirectory(prefix="caresynth-") as folder:
        written, compiled = Path(folder, "lens.osl"), Path(folder, "lens.oso")
        written.write_text(source, encoding="utf-8")
        if not _cycles.osl_compile(str(written), str(compiled)):
            raise RuntimeError(f"Cycles refused the lens shader:\n{source}")
        return compiled.read_text(encoding="utf-8")


def lens_shader(camera: Camera) -> str:
    """The OSL shader of a camera: image point to ray in the camera's frame (x right, y up, z forward)."""
    fx, fy, cx, cy = (f"{camera.K[i, j]:.9g}" for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    body = _FISHEYE if camera.model == "fisheye" else _PERSPECTIVE
    dist = camera.dist if camera.model != "pinhole" else np.zeros(5)
    limit = min(camera.limit, 1e6)
    numbers = "".join(f"  float d{i} = {value:.9g};\n" for i, value in enumerate(dist))
    return (
        "shader lens(output point position = 0.0, output vector direction = 0.0, output color throughput = 1.0)\n{\n"
        "  point raster = camera_shader_raster_position();\n"
        f"  float iu = (raster.x * {camera.width}.0 - 0.5 - {cx}) / {fx};\n"
        f"  float iv = ((1.0 - raster.y) * {camera.height}.0 - 0.5 - {cy}) / {fy};\n"
        f"  float limit = {limit:.9g};\n{numbers}{body}}}\n"
    )


# synth.camera._undistort in OSL
_PERSPECTIVE = """  float x = iu; float y = iv;
  float size = sqrt(x * x + y * y);
  if (size > 0.9 * limit) { x *= 0.9 * limit / size; y *= 0.9 * limit / size; }
  for (int i = 0; i < 20; i++) {
    float s = x * x + y * y;
    float radial = 1.0 + s * (d0 + s * (d1 + s * d4));
    float slope = 2.0 * (d0 + s * (2.0 * d1 + 3.0 * s * d4));
    float ex = x * radial + 2.0 * d2 * x * y + d3 * (s + 2.0 * x * x) - iu;
    float ey = y * radial + d2 * (s + 2.0 * y * y) + 2.0 * d3 * x * y - iv;
    float jxx = radial + x * x * slope + 2.0 * d2 * y + 6.0 * d3 * x;
    float jxy = x * y * slope + 2.0 * d2 * x + 2.0 * d3 * y;
    float jyy = radial + y * y * slope + 6.0 * d2 * y + 2.0 * d3 * x;
    float det = jxx * jyy - jxy * jxy;
    if (fabs(det) < 1e-9) det = 1e-9;
    x -= (jyy * ex - jxy * ey) / det;
    y -= (jxx * ey - jxy * ex) / det;
    size = sqrt(x * x + y * y);
    if (size > limit) { x *= limit / size; y *= limit / size; }
  }
  float s = x * x + y * y;
  float radial = 1.0 + s * (d0 + s * (d1 + s * d4));
  float ex = x * radial + 2.0 * d2 * x * y + d3 * (s + 2.0 * x * x) - iu;
  float ey = y * radial + d2 * (s + 2.0 * y * y) + 2.0 * d3 * x * y - iv;
  if (ex * ex + ey * ey > 1e-8 * (1.0 + iu * iu + iv * iv)) throughput = color(0.0);
  else direction = normalize(vector(x, -y, 1.0));
"""

# synth.camera._fisheye_rays in OSL
_FISHEYE = """  float radius = sqrt(iu * iu + iv * iv);
  float angle = min(radius, limit);
  for (int i = 0; i < 20; i++) {
    float s = angle * angle;
    float value = angle * (1.0 + s * (d0 + s * (d1 + s * (d2 + s * d3))));
    float slope = 1.0 + s * (3.0 * d0 + s * (5.0 * d1 + s * (7.0 * d2 + s * 9.0 * d3)));
    if (fabs(slope) < 1e-9) slope = 1e-9;
    angle = clamp(angle - (value - radius) / slope, 0.0, limit);
  }
  float s = angle * angle;
  float value = angle * (1.0 + s * (d0 + s * (d1 + s * (d2 + s * d3))));
  if (fabs(value - radius) > 1e-4 * (1.0 + radius)) throughput = color(0.0);
  else {
    float scale = radius > 1e-9 ? sin(angle) / radius : 1.0;
    direction = vector(iu * scale, -iv * scale, cos(angle));
  }
"""
