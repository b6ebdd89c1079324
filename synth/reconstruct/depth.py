"""Metric depth of a fixed camera's room from two networks (thesis 4.1, "Restoring scene depth").

Depth Anything (Yang et al. 2024) comes in two variants: metric depth m, coarse but in metres, and relative disparity d,
sharp but without unit. One scale and one offset for all K key frames join them: 1/m = alpha d + beta.

The thesis minimises the residual of 1/m. Here it is divided by 1/m, so that it is the relative error of the depth:
otherwise what stands near the camera outweighs the room. The metric map is upsampled as 1/m, in which a plane stays a
plane under a pinhole.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import HuberRegressor, LinearRegression, RANSACRegressor

from synth.camera import Camera
from synth.errors import BadOption, CareSynthError
from synth.reconstruct.models import Kind, loaded, rgb_frames
from synth.rotation import Array

METRIC_MODEL = "depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf"
RELATIVE_MODEL = "depth-anything/Depth-Anything-V2-Small-hf"
DEPTH = Kind("Depth Anything", ("DEPTH_ESTIMATION",), (METRIC_MODEL, RELATIVE_MODEL), ("depth_anything",))
FAR = 20.0  # metres: where the indoor metric network ends
TOLERANCE = 0.1  # relative depth error of an inlier
ROUNDS = 5  # of inliers and their regression
SAMPLE = 20_000  # pixels that take part in the fit
LEAST = 100  # usable pixels without which there is no fit
TRIALS = 200


class BadDepth(CareSynthError):
    """Depth maps from which no metric depth can be made."""


@dataclass(frozen=True)
class DepthMaps:
    """What a network saw: ``values`` [K, H, W]; metres where ``kind`` is "metric", disparity where "relative"."""

    values: Array
    kind: Literal["metric", "relative"]


@dataclass(frozen=True)
class DisparityScale:
    """1/m = alpha d + beta (thesis 4.1); alpha and beta in 1/metres per unit of disparity, and 1/metres."""

    alpha: float
    beta: float

    def depth(self, disparity: ArrayLike, far: float = FAR) -> tuple[Array, np.ndarray]:
        """m* = 1 / (alpha d + beta).

        Args:
            disparity: [...]. far: metres; where alpha d + beta <= 1/far (also where it is negative, which would put
                the point behind the camera) the depth is ``far``.

        Returns:
            depth [...] in metres, NaN where the disparity is not finite; known [...], False where it was not finite or
            the depth is only known to be at least ``far``.
        """
        inverse = self.alpha * np.asarray(disparity, dtype=float) + self.beta
        finite = np.isfinite(inverse)
        known = finite & (np.where(finite, inverse, 0.0) > 1 / far)
        depth = np.where(known, 1 / np.where(known, inverse, 1.0), far)
        return np.where(finite, depth, np.nan), known


@dataclass(frozen=True)
class ScaleReport:
    """A fit and how good it is.

    Attributes:
        scale: alpha and beta.
        pixels: how many took part.
        inliers: share of them whose restored depth is within the tolerance of the metric one.
        residual: median relative difference of the two depths over these pixels.
        ignored: share of the pixels without people whose metric depth or disparity is no positive, finite number.
        warnings: what a user should know, in words.
    """

    scale: DisparityScale
    pixels: int
    inliers: float
    residual: float
    ignored: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class RestoredDepth:
    """Metric depth of K key frames.

    Attributes:
        depth: [K, H, W] metres (m* of the thesis).
        known: [K, H, W]; False where the depth is NaN or was cut off at the far end.
        report: of the fit.
    """

    depth: Array
    known: np.ndarray
    report: ScaleReport


def resized(maps: ArrayLike, height: int, width: int) -> Array:
    """Maps [K, h, w] at another size [K, height, width], linearly; the images' edges (not pixel centres) coincide.

    NaN spreads to the pixels it would be mixed into. Shrinking averages.
    """
    import torch

    array = np.asarray(maps, dtype=float)
    if array.shape[-2:] == (height, width):
        return array
    shrinks = height < array.shape[-2] or width < array.shape[-1]
    stack = torch.from_numpy(np.ascontiguousarray(array))[:, None]
    new = torch.nn.functional.interpolate(stack, (height, width), mode="bilinear", antialias=shrinks)
    return np.asarray(new[:, 0].numpy())


def fit_scale(
    disparity: ArrayLike,
    metric: ArrayLike,
    seed: np.random.SeedSequence,
    people: ArrayLike | None = None,
    tolerance: float = TOLERANCE,
) -> ScaleReport:
    """alpha and beta over all key frames at once (thesis 4.1): RANSAC, then Huber's regression of its inliers.

    Args:
        disparity: d [K, H, W], larger is nearer.
        metric: m [K, h, w] metres, of any (usually a lower) resolution.
        seed: of the pixels and samples drawn.
        people: [K, H, W] bool, True where somebody is: people move, and both networks are worst at them.
        tolerance: largest relative depth error of an inlier.

    Raises:
        BadOption: shapes that do not fit. BadDepth: too few usable pixels, no contrast, no common fit, or alpha <= 0
            (nearer things have the smaller "disparity": the map is a depth, or not of this scene).
    """
    d, inverse, free = _checked(disparity, metric, people)
    with np.errstate(invalid="ignore"):
        usable = free & np.isfinite(d) & np.isfinite(inverse)
    count, there = int(usable.sum()), int(free.sum())
    if count < LEAST:
        hidden = "people cover every pixel" if there == 0 else f"{count} of {there} pixels without people are usable"
        raise BadDepth(f"depth: {hidden}; the fit of the two depths needs {LEAST}")
    generator = np.random.default_rng(seed)
    chosen = generator.choice(np.flatnonzero(usable), min(count, SAMPLE), replace=False)
    x, y = d.reshape(-1)[chosen], inverse.reshape(-1)[chosen]
    scale = _robust_line(x, y, tolerance, int(generator.integers(2**31)))
    if not scale.alpha > 0:
        raise BadDepth(f"depth: disparity falls as things come nearer (alpha {scale.alpha:.3g}); is it a depth map?")
    restored, known = scale.depth(x, np.inf)
    error = np.where(known, np.abs(restored * y - 1), np.inf)
    inliers, ignored = float((error < tolerance).mean()), 1 - count / there
    if inliers < 0.2:
        raise BadDepth(f"depth: the two depths agree at {inliers:.0%} of the pixels only; are they of one scene?")
    residual, flat = float(np.median(error)), float(np.median(np.abs(y / np.median(y) - 1)))
    return ScaleReport(
        scale, len(x), inliers, residual, ignored, _warnings(inliers, residual / max(flat, 1e-12), ignored)
    )


def restored_depth(
    disparity: ArrayLike,
    metric: ArrayLike,
    seed: np.random.SeedSequence,
    people: ArrayLike | None = None,
    far: float = FAR,
) -> RestoredDepth:
    """The sharp disparity [K, H, W] in metres (thesis 4.1). Arguments and errors are those of ``fit_scale``.

    Args:
        far: metres at which depths are cut off, see ``DisparityScale.depth``.
    """
    if not far > 0:
        raise BadOption("far", far, "metres above 0")
    report = fit_scale(disparity, metric, seed, people)
    depth, known = report.scale.depth(disparity, far)
    return RestoredDepth(depth, known, report)


def median_depth(depth: ArrayLike, people: ArrayLike | None = None) -> tuple[Array, np.ndarray]:
    """One depth map of the empty room from a fixed camera's key frames.

    Args:
        depth: [K, H, W] metres; what is not finite and positive does not count.
        people: [K, H, W] bool, True where somebody is.

    Returns:
        median [H, W] metres, NaN where the room was never seen; seen [H, W], in how many key frames it was.

    Raises:
        BadOption: shapes that do not fit. BadDepth: the room was not seen anywhere.
    """
    stack = _maps("depth", depth)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(stack) & (stack > 0) & ~_people(people, stack.shape)
    seen = good.sum(0)
    if not seen.any():
        raise BadDepth("depth: no pixel of the room is ever seen without people and with a positive, finite depth")
    # NumPy's nanmedian warns at each pixel that was never seen; sorting the missing ones to the end does not.
    ranked = np.sort(np.where(good, stack, np.inf), 0)
    low, high = np.maximum((seen - 1) // 2, 0)[None], np.minimum(seen // 2, len(stack) - 1)[None]
    pair = np.concatenate([np.take_along_axis(ranked, at, 0) for at in (low, high)])
    return np.where(seen > 0, pair.mean(0), np.nan), seen


def abs_rel(predicted: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> float:
    """AbsRel, the mean of |predicted - truth| / truth, over pixels [...] that are in the mask and have a true depth.

    Raises:
        BadDepth: a depth is missing where there is a true one (leaving it out would flatter), or none is true.
    """
    p, t = np.asarray(predicted, dtype=float), np.asarray(truth, dtype=float)
    with np.errstate(invalid="ignore"):
        counted = np.isfinite(t) & (t > 0) & (True if mask is None else np.asarray(mask, bool))
    if not counted.any() or not np.isfinite(p[counted]).all():
        raise BadDepth("AbsRel: every true depth that counts, and at least one, needs a predicted one")
    return float(np.mean(np.abs(p[counted] - t[counted]) / t[counted]))


def unprojected(depth: ArrayLike, camera: Camera) -> Array:
    """Points [H, W, 3] of a depth map in the CAMERA's frame (x right, y down, z forward), metres.

    Args:
        depth: [H, W] metres as ``Camera.project`` gives it: z for pinhole and brown_conrady, distance from the camera
            for the fisheye.
        camera: of the same size; where it stands does not matter.

    Returns:
        NaN where the depth is not finite and positive or no direction maps to the pixel.

    Raises:
        BadOption: depth and camera differ in size.
    """
    z = np.asarray(depth, dtype=float)
    if z.shape != (camera.height, camera.width):
        raise BadOption("depth", z.shape, f"the camera's size {(camera.height, camera.width)}; see Camera.scaled")
    pixels = np.stack(np.meshgrid(np.arange(camera.width), np.arange(camera.height)), -1)
    _, rays = camera.moved(np.eye(4)).unproject(pixels)
    if camera.model != "fisheye":
        rays = rays / rays[..., 2:]
    with np.errstate(invalid="ignore"):
        z = np.where(np.isfinite(z) & (z > 0), z, np.nan)
    return rays * z[..., None]


def estimate_depth(
    images: Sequence[ArrayLike],
    model: str | os.PathLike[str] = METRIC_MODEL,
    device: str = "cpu",
    size: tuple[int, int] | None = None,
) -> DepthMaps:
    """Depth Anything's maps of K images, metric or relative as the weights are. Nothing is downloaded.

    Args:
        images: K arrays [H, W, 3], RGB, uint8, of one size.
        model: a folder with config.json, preprocessor_config.json and model.safetensors, or the name of weights that
            are in the local Hugging Face cache.
        device: torch's name of it.
        size: height and width in pixels that the network sees; its own by default. Larger is sharper for disparity.

    Returns:
        maps at the images' size [K, H, W].

    Raises:
        BadOption: no images, or not as above. Missing: the weights or transformers. BadFile: the folder holds
            something else or lacks tensors. BadDepth: the network's output is not finite.
    """
    frames = rgb_frames(images)
    processor, network = loaded(model, DEPTH, device)
    import torch

    given = {} if size is None else {"size": {"height": size[0], "width": size[1]}}
    maps = []
    with torch.inference_mode():
        for frame in frames:  # one at a time: memory does not grow with K
            pixels = processor(images=[frame], return_tensors="pt", **given)["pixel_values"].to(device)
            predicted = network(pixel_values=pixels).predicted_depth
            maps.append(resized(predicted.float().cpu().numpy(), *frame.shape[:2])[0].astype(np.float32))
    values = np.stack(maps)
    if not np.isfinite(values).all():
        raise BadDepth(f"{model}: the network's depth is not finite; its weights or the device's precision are broken")
    return DepthMaps(values, "metric" if network.config.depth_estimation_type == "metric" else "relative")


def _maps(name: str, maps: ArrayLike) -> Array:
    array = np.asarray(maps, dtype=float)
    if array.ndim != 3 or 0 in array.shape:
        raise BadOption(name, array.shape, "maps [K, H, W], a row for each key frame")
    return array


def _people(people: ArrayLike | None, shape: tuple[int, ...]) -> np.ndarray:
    if people is None:
        return np.zeros(shape, bool)
    mask = np.asarray(people)
    if mask.dtype != bool or mask.shape != shape:
        raise BadOption("people", f"{mask.dtype} {mask.shape}", f"booleans {shape}, as the maps")
    return mask


def _checked(disparity: ArrayLike, metric: ArrayLike, people: ArrayLike | None) -> tuple[Array, Array, np.ndarray]:
    """The disparity, 1/m at its size (NaN where m is no depth) and where there are no people, all [K, H, W]."""
    d, m = _maps("disparity", disparity), _maps("metric", metric)
    if len(d) != len(m):
        raise BadOption("metric", f"{len(m)} maps", f"as many as disparity maps, {len(d)}")
    with np.errstate(invalid="ignore"):
        good = np.isfinite(m) & (m > 0)
    inverse = resized(np.where(good, 1 / np.where(good, m, 1.0), np.nan), *d.shape[1:])
    return d, inverse, ~_people(people, d.shape)


def _robust_line(x: Array, y: Array, tolerance: float, state: int) -> DisparityScale:
    """y = alpha x + beta by RANSAC on relative errors and Huber's regression of its inliers."""
    centre, spread = float(np.median(x)), float(np.subtract(*np.percentile(x, [95, 5])))
    if not spread > 1e-9 * max(1.0, abs(centre)):
        raise BadDepth(f"depth: the disparity is {centre:.3g} nearly everywhere; it shows no near and far")
    unit = ((x - centre) / spread)[:, None]
    search = RANSACRegressor(
        LinearRegression(), min_samples=2, residual_threshold=tolerance, max_trials=TRIALS, random_state=state,
        loss=lambda truth, guess: np.abs(guess - truth) / truth,
    )  # fmt: skip
    try:
        search.fit(unit, y)
    except ValueError:  # no two pixels gave a line that any other agrees with
        raise BadDepth("depth: no scale and offset join the two depths") from None
    guess = search.predict(unit)
    # The inliers of two pixels' line lean to its side; those of their own regression do not.
    for _ in range(ROUNDS):
        near = (guess > 0) & (np.abs(guess - y) < tolerance * y)
        # Divided by the guess, residuals are relative and of one size, which Huber's regression takes for granted.
        terms = np.stack([unit[near, 0], np.ones(near.sum())], -1) / guess[near, None]
        huber = HuberRegressor(alpha=0.0, fit_intercept=False, max_iter=1000).fit(terms, y[near] / guess[near])
        guess = unit[:, 0] * huber.coef_[0] + huber.coef_[1]
    slope, intercept = huber.coef_
    return DisparityScale(float(slope / spread), float(intercept - slope * centre / spread))


def _warnings(inliers: float, unexplained: float, ignored: float) -> tuple[str, ...]:
    """``unexplained``: the residual as a share of the one that a flat wall instead of the disparity would leave."""
    found = []
    if inliers < 0.5:
        found.append(f"metric and relative depth agree at {inliers:.0%} of the pixels only")
    if unexplained > 0.7:
        found.append("the disparity says little about the metric depth; are they of one scene?")
    if ignored > 0.1:
        found.append(f"{ignored:.0%} of the pixels have no positive, finite depth")
    return tuple(found)
