"""How well the still scene is recovered from what depth networks make of it: rows of `benchmarks.reconstruct`.

Made recordings in built-in rooms. The metric network's depth is coarse, blurred, off by a factor and by bumps that are
as wide as furniture, and noisy; the relative network's is sharp, a little bent, and knows no metres. Told are the mean
relative error of the metric depth, of both joined (thesis 4.1), and made square by the walls; how far the floor is off
in tilt, without and with that, and, in a scene of the right size, in height; and how far off the size is once people's
heights are in it, which nobody told. Of pinholes also how far off the focal length is when nobody told it either, as
guessed from the picture and made square, and the floor's tilt then.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from benchmarks.recordings import record, seen
from synth.body import BodyModel
from synth.camera import Camera
from synth.reconstruct.annotated import read_annotations
from synth.reconstruct.depth import abs_rel, median_depth, resized, restored_depth, unprojected
from synth.reconstruct.floor import THRESHOLD
from synth.reconstruct.pipeline import Scene, Settings, estimator, of_true_size
from synth.reconstruct.regions import LABEL
from synth.reconstruct.scenery import (
    NETWORK_SPREAD,
    Ground,
    Optics,
    StillDepth,
    ground_of,
    made_square,
    optics_of,
    people_masks,
)
from synth.reconstruct.stages import Stages
from synth.reconstruct.steady import Steadiness
from synth.reconstruct.surface import still_image
from synth.reconstruct.video import open_video
from synth.rotation import Array

ROOMS = (
    ("ward_01", "corner", "pinhole", "a patient walks"),
    ("ward_03", "corner", "fisheye", "staff helps patient up"),
    ("ward_05", "corner", "pinhole", "staff walks with patient"),
)
KEYS, SIZE = 4, (320, 240)
FACTOR, BUMPS, NOISE = 0.05, 0.05, 0.03  # deviations of metres: of all, here and there, of a pixel
BENT, GRAIN = 0.01, 0.005  # of the relative network's disparity: here and there, of a pixel
COARSE = 4  # pixels of the picture to one of the metric network
ALPHA, BETA = 0.04, 0.02  # of the relative network: disparity = (1 / depth - beta) / alpha


def networks(truth: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """A disparity [K, H, W] and a metric depth [K, H / 4, W / 4] of true depths [K, H, W]."""
    bent = BENT * _bumps(truth.shape[1:], 6 * COARSE, rng) + GRAIN * rng.normal(size=truth.shape)
    disparity = (1 / truth - BETA) / ALPHA * (1 + bent)
    coarse = gaussian_filter(truth, (0, 3, 3))[:, ::COARSE, ::COARSE]
    wrong = FACTOR * rng.normal() + BUMPS * _bumps(coarse.shape[1:], 6, rng) + NOISE * rng.normal(size=coarse.shape)
    return disparity, coarse * (1 + wrong)


def _bumps(shape: tuple[int, ...], width: float, rng: np.random.Generator) -> Array:
    """Smooth noise [H, W] of unit deviation."""
    bumps = gaussian_filter(rng.normal(size=shape), width)
    return bumps / bumps.std()


def row(number: int, seed: int, body: BodyModel) -> dict[str, object]:
    """Figures of one room."""
    ward, place, model, prompt = ROOMS[number]
    sequence = np.random.SeedSequence([seed, number])
    rng = np.random.default_rng(sequence)
    with tempfile.TemporaryDirectory() as scratch:
        made = record(Path(scratch, "site", "room", "time"), ward, place, model, prompt, seed, 5.0, SIZE)
        truth = np.repeat(seen(made.room, made.camera)[0][None], KEYS, 0)
        disparity, metric = networks(truth, rng)
        joined = restored_depth(disparity, metric, sequence)
        depth, known = median_depth(np.where(joined.known, joined.depth, np.nan))
        video = open_video(made.folder / "frames", None)
        annotated = read_annotations(made.folder / "sequence.json", *SIZE, video.count, video.fps)
        assert annotated.camera is not None
        images, people = [video.some([0])[0]], people_masks(annotated, [0], *truth.shape[1:])
        picture = still_image(images, people)
        optics = optics_of(annotated.camera, None, picture, people.all(0))
        raw = StillDepth(depth, known > 0, "made", NETWORK_SPREAD)

        def stand(given: Optics, square: bool) -> tuple[Optics, StillDepth, Ground]:
            optics, still = made_square(given, raw, made.labels, THRESHOLD, sequence) if square else (given, raw)
            return optics, still, ground_of(optics, still, made.labels, annotated, THRESHOLD, sequence)

        as_joined = stand(optics, False)[2]
        _, still, ground = stand(optics, True)
        unknown = {}
        if model == "pinhole":
            given = optics_of(None, None, picture, people.all(0))
            found, _, floor = stand(given, True)
            unknown = {
                "focal_source": given.source, "focal_guess_off": _off(given.camera, made.camera),
                "focal_off": _off(found.camera, made.camera), "focal_unknown_tilt_deg": _tilt(floor, made.camera),
            }  # fmt: skip
        steady = Steadiness(np.zeros(1), 0, "still", 0.0, (), 1)
        scene = Scene(video, annotated, optics, steady, np.zeros((*truth.shape[1:], 3), np.uint8), made.labels, still,
                      ground)  # fmt: skip
        estimate = estimator(scene, Settings(), Stages(Path(scratch, "cache")), body, lambda stage, share: None)
        sized = of_true_size(scene, estimate, body)[0]
    assert sized.depth is not None
    camera, size = sized.camera, float(np.nanmedian(np.where(known > 0, sized.depth.depth / truth[0], np.nan)))
    # the points of the true floor that are in the picture, and how high they are above the found one
    axes = replace(made.camera, world_from_camera=np.eye(4))
    points = unprojected(truth[0], axes)[made.labels == LABEL["floor"]]
    heights = points @ camera.world_from_camera[2, :3] + camera.position[2] / size
    coarse = resized(metric, *truth.shape[1:])
    return {
        "room": ward, "camera": model, "floor_seen": round(float((made.labels == LABEL["floor"]).mean()), 2),
        "depth_metric": round(abs_rel(coarse, truth), 3), "depth_joined": round(abs_rel(joined.depth, truth), 3),
        "depth_square": round(abs_rel(np.where(still.known, still.depth, np.nan)[None], truth[:1]), 3),
        "joined_tilt_deg": _tilt(as_joined, made.camera), "floor_tilt_deg": _tilt(ground, made.camera),
        "floor_cm": round(100 * float(heights.mean()), 1),
        "size_off": round(size - 1, 3), **unknown,
    }  # fmt: skip


def _tilt(ground: Ground, truth: Camera) -> float:
    """Degrees by which a floor is off that of a camera whose pose is known."""
    return round(float(np.rad2deg(np.arccos(np.clip(ground.floor.normal @ truth.world_from_camera[2, :3], -1, 1)))), 2)


def _off(camera: Camera, truth: Camera) -> float:
    """By what share a focal length is off."""
    return round(float(camera.K[0, 0] / truth.K[0, 0]) - 1, 3)
