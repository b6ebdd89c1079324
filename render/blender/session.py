"""Blender itself: import it with an error one can act on, and a fresh scene with the renderer's settings."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth.errors import BadOption, Missing

ENGINES = {"cycles": "CYCLES", "eevee": "BLENDER_EEVEE", "workbench": "BLENDER_WORKBENCH"}
DEVICES = ("auto", "cpu", "gpu")
SYSTEM_PACKAGES = "libx11-6 libxrender1 libxfixes3 libxi6 libxkbcommon0 libsm6 libgl1"
_GPU_BACKENDS = ("OPTIX", "CUDA", "HIP", "ONEAPI", "METAL")
BOUNCES = 3  # the fourth adds a tenth of the time and is hardly seen


@dataclass(frozen=True)
class RenderSettings:
    """How a scene is rendered.

    Attributes:
        width, height: pixels.
        engine: "cycles", "eevee" or "workbench".
        device: "auto" (a GPU if Cycles finds one), "cpu" or "gpu".
        samples: paths a pixel; few are enough, since OpenImageDenoise follows.
        seed: of the sampling noise, 0 to 2^31 - 1.
        threads: render threads; 0 means every core.
    """

    width: int
    height: int
    engine: str = "cycles"
    device: str = "auto"
    samples: int = 4
    seed: int = 0
    threads: int = 0


def load_bpy() -> Any:
    """The ``bpy`` module.

    Raises:
        Missing: it is not installed, or a system library it links to is not.
    """
    try:
        import bpy
    except ModuleNotFoundError:
        raise Missing(
            "Blender's Python module bpy",
            "install it with `pip install bpy==5.0.1` (Python 3.11) or `pip install bpy==5.2` (Python 3.13)",
        ) from None
    except ImportError as error:  # the dynamic linker's words: which shared library is not there
        raise Missing(
            f"a system library that Blender needs ({error})", f"on Debian: apt install {SYSTEM_PACKAGES}"
        ) from None
    return bpy


def blender_version() -> str:
    """Blender's version, as in "5.0.1"."""
    return str(load_bpy().app.version_string)


def new_scene(settings: RenderSettings) -> Any:
    """Drop everything Blender holds and return an empty scene set up to render.

    Raises:
        BadOption: an unknown engine or device, or a GPU is asked for and Cycles finds none.
    """
    bpy = load_bpy()
    if settings.engine not in ENGINES:
        raise BadOption("--engine", settings.engine, f"one of {', '.join(ENGINES)}")
    if settings.device not in DEVICES:
        raise BadOption("--device", settings.device, f"one of {', '.join(DEVICES)}")
    for old in bpy.data.scenes:  # lets Cycles free its copy of the scene; a reset alone leaves it to Python's collector
        old.render.use_persistent_data = False
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = ENGINES[settings.engine]
    apply_size(scene, settings)
    scene.render.image_settings.file_format = "BMP"
    scene.render.image_settings.color_mode = "RGB"
    if settings.engine == "cycles":
        _set_up_cycles(scene, settings)
    elif settings.engine == "eevee":
        scene.eevee.taa_render_samples = settings.samples
    return scene


def apply_size(scene: Any, settings: RenderSettings) -> None:
    """The settings that the colour and the label scene share."""
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = settings.width, settings.height, 100
    render.use_persistent_data = True
    render.use_compositing = False
    render.use_sequencer = False
    if settings.threads:
        render.threads_mode = "FIXED"
        render.threads = settings.threads


def _set_up_cycles(scene: Any, settings: RenderSettings) -> None:
    cycles = scene.cycles
    cycles.device = "GPU" if _use_gpu(settings.device) else "CPU"
    cycles.samples = settings.samples
    cycles.use_adaptive_sampling = False
    cycles.seed = settings.seed
    cycles.use_animated_seed = False  # the caller seeds each frame, so that a frame does not depend on the ones before
    cycles.max_bounces = BOUNCES
    cycles.caustics_reflective = False
    cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0  # a few bright indirect paths would flicker after denoising
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
    # the accurate prefilter of albedo and normals doubles the time of a small frame and is not seen
    cycles.denoising_prefilter = "FAST"
    cycles.denoising_quality = "BALANCED"
    cycles.denoising_use_gpu = False


def _use_gpu(device: str) -> bool:
    """Turn on the first kind of GPU that Cycles finds; whether there is one."""
    if device == "cpu":
        return False
    preferences = load_bpy().context.preferences.addons["cycles"].preferences
    for backend in _GPU_BACKENDS:
        try:
            preferences.compute_device_type = backend
        except TypeError:  # a backend that this build of Blender does not know
            continue
        preferences.refresh_devices()
        found = [item for item in preferences.devices if item.type == backend]
        if found:
            for item in preferences.devices:
                item.use = item.type == backend
            return True
    if device == "gpu":
        raise BadOption("--device", "gpu", "a GPU that Cycles can use; it found none, try --device cpu")
    return False


def drop_tempdir() -> None:
    """Remove the folder that Blender made for temporary files, if it is in this process; ``os._exit`` leaves it."""
    app = getattr(sys.modules.get("bpy"), "app", None)
    folder = Path(getattr(app, "tempdir", ""))
    if folder.name.startswith("blender_"):  # never the folder that everybody shares
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def quiet(log: int | None = None) -> Iterator[None]:
    """Send what Blender and its libraries print (they write to the descriptors) to ``log``, or to nowhere."""
    target = os.open(os.devnull, os.O_WRONLY) if log is None else os.dup(log)
    saved = os.dup(1), os.dup(2)
    try:
        os.dup2(target, 1)
        os.dup2(target, 2)
        yield
    finally:
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        for descriptor in (target, *saved):
            os.close(descriptor)
