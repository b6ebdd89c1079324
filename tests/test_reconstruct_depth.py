"""Metric depth from disparity and coarse metric depth: exact on made rooms, robust to people, never silently wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from synth.camera import Camera, fisheye_matrix, look_at, pinhole_matrix
from synth.errors import BadFile, BadOption, Missing
from synth.reconstruct.depth import (
    METRIC_MODEL,
    BadDepth,
    DisparityScale,
    abs_rel,
    estimate_depth,
    fit_scale,
    median_depth,
    resized,
    restored_depth,
    unprojected,
)

SEED = np.random.SeedSequence(0)
ROOM = np.array([[-2.5, -3.0, 0.0], [2.5, 3.0, 2.6]])
BED, TABLE, SOFA = (
    [[-0.6, -0.6, 0], [0.6, 1.6, 0.55]],
    [[1.2, 0.2, 0], [2.4, 1.4, 0.75]],
    [[-2.5, 0, 0], [-1.5, 2.5, 0.46]],
)
FURNITURE = np.array([BED, TABLE, SOFA])
VIEW = Camera(
    "pinhole", 160, 120, pinhole_matrix(160, 120, 80), world_from_camera=look_at([0.4, -2.8, 2.1], [0, 1.0, 0.4])
)
FLOOR, WALL, CEILING, THINGS = 0, 1, 2, 3


def seen(camera: Camera, boxes: np.ndarray = FURNITURE) -> tuple[np.ndarray, np.ndarray]:
    """What a camera in the empty room with boxes [N, 2, 3] sees: z depth [H, W], and FLOOR, WALL, ... or a box's."""
    pixels = np.stack(np.meshgrid(np.arange(camera.width), np.arange(camera.height)), -1)
    eye, rays = camera.unproject(pixels)
    with np.errstate(divide="ignore"):
        ends = ((ROOM[:, None, None] - eye) / rays).max(0)
        far, axis = ends.min(-1), ends.argmin(-1)
        kind = np.where(axis < 2, WALL, np.where(rays[..., 2] < 0, FLOOR, CEILING))
        for index, box in enumerate(boxes):
            sides = (box[:, None, None] - eye) / rays
            enter, leave = sides.min(0).max(-1), sides.max(0).min(-1)
            hit = (enter < leave) & (enter > 0) & (enter < far)
            far, kind = np.where(hit, enter, far), np.where(hit, THINGS + index, kind)
    return far * (rays @ camera.world_from_camera[:3, 2]), kind


def networks(truth: np.ndarray, alpha: float, beta: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """What two networks would make of true depths [K, H, W]: a sharp disparity, and a coarse, noisy, blurred depth."""
    generator = np.random.default_rng(seed)
    disparity = (1 / truth - beta) / alpha * (1 + generator.normal(0, 0.005, truth.shape))
    coarse = gaussian_filter(truth, (0, 3, 3))[:, ::4, ::4]
    bumps = gaussian_filter(generator.normal(0, 1, coarse.shape), (0, 2, 2))
    return disparity, coarse * (1 + 0.05 * bumps / bumps.std() + generator.normal(0, 0.03, coarse.shape))


@given(st.floats(1e-3, 50), st.floats(-0.05, 0.3), st.integers(0, 10_000), st.booleans())
def test_the_scale_is_recovered_whether_people_are_masked_or_not(alpha, beta, seed, masked):
    generator = np.random.default_rng(seed)
    metric = generator.uniform(1.0, 6.0, (3, 24, 32))
    disparity = (1 / metric - beta) / alpha
    people = np.zeros(metric.shape, bool)
    people[:, 8:, 4:18] = True  # 29 % of the image, where the metric network sees something nearer
    metric = np.where(people, 0.5 * metric, metric)
    report = fit_scale(disparity, metric, SEED, people if masked else None)
    assert report.scale.alpha == pytest.approx(alpha, rel=1e-3 if masked else 0.02)
    assert report.scale.beta == pytest.approx(beta, abs=1e-3 if masked else 0.01)
    assert report.inliers == pytest.approx(1.0 if masked else 1 - people.mean(), abs=0.03)


def test_wide_errors_of_the_metric_depth_pull_the_scale_little():
    """The inliers of the two pixels that RANSAC liked best lean to their side: with those alone it is 0.090."""
    truth, errors = seen(VIEW)[0][None], []
    for seed in range(12):
        generator = np.random.default_rng(seed)
        bumps = gaussian_filter(generator.normal(size=truth.shape), (0, 24, 24))
        metric = truth * (1 + 0.12 * bumps / bumps.std() + 0.03 * generator.normal(size=truth.shape))
        errors.append(abs_rel(restored_depth((1 / truth - 0.02) / 0.04, metric, SEED).depth, truth))
    assert np.mean(errors) < 0.088


@pytest.mark.parametrize("seed", range(3))
def test_restored_depth_is_nearer_to_the_truth_than_the_metric_network(seed):
    truth = np.stack([seen(VIEW)[0]] * 3)
    disparity, metric = networks(truth, 0.04, 0.02, seed)
    people = np.zeros(truth.shape, bool)
    people[:, 40:100, 50:70] = True
    metric[:, 10:25, 13:17] *= 0.6
    fused = restored_depth(disparity, metric, SEED, people)
    before = abs_rel(resized(metric, *truth.shape[1:]), truth, ~people)
    assert fused.known.all()
    assert abs_rel(fused.depth, truth, ~people) < 0.5 * before
    assert 0.02 < fused.report.residual < 0.06
    # the median over key frames is better still, and people leave a hole rather than a guess
    room, times = median_depth(fused.depth, people)
    assert (times[people[0]] == 0).all()
    assert np.isnan(room[people[0]]).all()
    assert abs_rel(room, truth[0], ~people[0]) <= abs_rel(fused.depth, truth, ~people)


def test_where_the_line_leaves_positive_depths_it_ends_at_the_far_limit_and_says_so():
    depth, known = DisparityScale(0.5, -0.1).depth([2.0, 0.5, 0.2, 0.0, -3.0, np.nan, np.inf], far=10.0)
    np.testing.assert_allclose(depth, [1 / 0.9, 1 / 0.15, 10, 10, 10, np.nan, np.nan])
    assert known.tolist() == [True, True, False, False, False, False, False]


def test_a_fit_that_would_be_wrong_is_refused():
    truth = np.stack([seen(VIEW)[0]])
    disparity, metric = networks(truth, 0.04, 0.02)
    everywhere = np.ones(truth.shape, bool)
    noise = np.random.default_rng(0).uniform(0.2, 20, truth.shape)
    for d, m, people, words in (
        (disparity, metric, everywhere, "people cover every pixel"),
        (disparity, -metric, None, "0 of 19200 pixels"),
        (disparity * np.nan, metric, None, "0 of 19200 pixels"),
        (np.full_like(disparity, 3), metric, None, "no near and far"),
        (truth, metric, None, "is it a depth map"),
        (noise, 1 / noise[:, ::-1], None, "agree at|is it a depth map"),
    ):
        with pytest.raises(BadDepth, match=words):
            fit_scale(d, m, SEED, people)
    for call in (
        lambda: fit_scale(disparity, np.concatenate([metric, metric]), SEED),
        lambda: fit_scale(disparity[0], metric, SEED),
        lambda: fit_scale(disparity, metric, SEED, everywhere.astype(int)),
        lambda: unprojected(truth[0, 1:], VIEW),
    ):
        with pytest.raises(BadOption):
            call()
    assert "are they of one scene" in fit_scale(disparity + noise / 2, metric, SEED).warnings[-1]
    with pytest.raises(BadDepth):
        median_depth(truth, everywhere)
    with pytest.raises(BadDepth):
        abs_rel(np.where(truth > 2, np.nan, truth), truth)


def test_damaged_pixels_are_left_out_and_counted():
    truth = np.stack([seen(VIEW)[0]] * 2)
    disparity, metric = (1 / truth - 0.02) / 0.04, truth.copy()
    metric[0, :60], metric[1, :20, :40], disparity[1, 100:] = 0.0, np.inf, np.nan
    report = fit_scale(disparity, metric, SEED)
    assert report.scale.alpha == pytest.approx(0.04, rel=1e-6)
    assert report.ignored == pytest.approx((60 * 160 + 20 * 40 + 20 * 160) / truth.size)
    assert "no positive, finite depth" in report.warnings[0]
    room, times = median_depth(np.stack([truth[0], truth[0] * 3, truth[0] * np.nan, -truth[0]]))
    np.testing.assert_allclose(room, truth[0] * 2)
    assert (times == 2).all()


def test_a_plane_stays_a_plane_when_the_coarse_depth_is_upsampled():
    truth, kind = seen(VIEW, np.zeros((0, 2, 3)))
    small = seen(VIEW.scaled(40, 30), np.zeros((0, 2, 3)))[0]
    inner = kind == FLOOR
    inner[:, :4] = inner[:, -4:] = inner[-4:] = False
    inner[:-4] &= kind[4:] == FLOOR
    inner[4:] &= kind[:-4] == FLOOR
    inner &= np.roll(inner, 4, 1) & np.roll(inner, -4, 1)
    np.testing.assert_allclose(1 / resized(1 / small[None], 120, 160)[0][inner], truth[inner], rtol=1e-9)


@pytest.mark.parametrize(
    ("model", "k", "dist"),
    [
        ("pinhole", pinhole_matrix(64, 48, 90), []),
        ("brown_conrady", pinhole_matrix(64, 48, 80), [-0.2, 0.05, 8e-4, -5e-4, -0.01]),
        ("fisheye", fisheye_matrix(64, 48, 200), [0.02, -0.004, 3e-4, 0]),
    ],
)
def test_unprojected_depth_projects_back_to_its_pixels(model, k, dist):
    camera = Camera(model, 64, 48, k, np.array(dist), look_at([1, 2, 3], [4, 5, 1]))
    depth = np.random.default_rng(0).uniform(0.5, 8, (48, 64))
    depth[0, :3] = np.nan, -1, np.inf
    points = unprojected(depth, camera)
    assert np.isnan(points[0, :3]).all()
    pixels, again, valid = camera.moved(np.eye(4)).project(points)
    there = np.isfinite(points).all(-1)
    assert there.sum() > 0.9 * depth.size
    assert valid[there].all()
    expected = np.stack(np.meshgrid(np.arange(64), np.arange(48)), -1)
    np.testing.assert_allclose(pixels[there], expected[there], atol=1e-6)
    np.testing.assert_allclose(again[there], depth[there], rtol=1e-9)


def saved_network(folder: Path, kind: str) -> Path:
    """A Depth Anything of random weights, small enough for a test."""
    import torch
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation
    from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

    backbone = {
        "model_type": "dinov2", "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "image_size": 28,
        "patch_size": 14, "out_features": ["stage1", "stage2", "stage3", "stage4"], "reshape_hidden_states": False,
    }  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=16, neck_hidden_sizes=[4, 8, 8, 8], fusion_hidden_size=8,
        head_hidden_size=4, depth_estimation_type=kind, max_depth=20, initializer_range=0.5,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    DPTImageProcessorPil(
        size={"height": 56, "width": 56}, keep_aspect_ratio=True, ensure_multiple_of=14, do_pad=False
    ).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", ["metric", "relative"])
def test_the_depth_network_runs_end_to_end(tmp_path, kind):
    images = np.random.default_rng(0).integers(0, 255, (2, 48, 64, 3)).astype(np.uint8)
    folder = saved_network(tmp_path / kind, kind)
    maps = estimate_depth(list(images), folder)
    assert maps.kind == kind
    assert maps.values.shape == (2, 48, 64)
    assert maps.values.min() >= 0
    assert maps.values.max() <= (20 if kind == "metric" else np.inf)
    assert maps.values.std() > 0
    np.testing.assert_array_equal(estimate_depth([images[1]], folder).values[0], maps.values[1])
    assert estimate_depth([images[0]], folder, size=(84, 84)).values.shape == (1, 48, 64)
    for wrong in ([], [images[0] / 255], [images[0], images[1, :40]]):
        with pytest.raises(BadOption):
            estimate_depth(wrong, folder)


def test_missing_and_damaged_weights_are_named(tmp_path, monkeypatch):
    from safetensors.numpy import load_file, save_file

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    image = np.zeros((28, 28, 3), np.uint8)
    for name in ("nobody/no-such-depth", tmp_path / "nowhere"):
        with pytest.raises(Missing, match=METRIC_MODEL):
            estimate_depth([image], name)
    with pytest.raises(BadFile, match="Depth Anything"):
        estimate_depth([image], tmp_path)
    folder = saved_network(tmp_path / "torn", "metric")
    weights = load_file(folder / "model.safetensors")
    weights.pop("head.conv3.weight")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadFile, match=r"head\.conv3\.weight"):
        estimate_depth([image], folder)
