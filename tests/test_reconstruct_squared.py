"""Right angles tell what depth networks and unknown lenses leave open; the thesis's regression alone cannot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_reconstruct_depth import FLOOR, FURNITURE, VIEW, WALL, seen

from synth.camera import Camera, look_at
from synth.reconstruct.floor import FloorOptions
from synth.reconstruct.regions import LABEL
from synth.reconstruct.scenery import NETWORK_SPREAD, SENSOR_SPREAD, Optics, StillDepth, ground_of, made_square
from synth.reconstruct.squared import Doubt, squared

SEED = np.random.SeedSequence(0)
UNKNOWN = Doubt(shift=0.05, focal=0.25)


def scene(yaw: float, shift: float, focal: float) -> tuple[Camera, np.ndarray, np.ndarray, Camera, np.ndarray]:
    """The camera, true depth and classes [H, W]; and the same as somebody wrong about shift and focal has them."""
    camera = replace(VIEW, world_from_camera=look_at([0.4, -2.8, 2.1], [0.4 + np.tan(yaw), -1.0, 1.4]))
    depth, kind = seen(camera, FURNITURE[:1])
    moved = 1 / (1 / depth - shift / np.median(depth[kind == FLOOR]))
    k = camera.K * np.array([[focal, 1, 1], [1, focal, 1], [1, 1, 1]])
    noise = np.random.default_rng(0).normal(0, 0.002, depth.shape)
    return camera, depth, kind, replace(camera, K=k), moved * (1 + noise)


def degrees(up: np.ndarray, camera: Camera) -> float:
    return float(np.rad2deg(np.arccos(np.clip(up @ camera.world_from_camera[2, :3], -1, 1))))


@given(st.floats(-0.5, 0.5), st.floats(-0.08, 0.08), st.floats(0.8, 1.25))
@settings(max_examples=8)
def test_walls_tell_shift_focal_length_and_the_direction_up(yaw, shift, focal):
    camera, depth, kind, wrong, given_depth = scene(yaw, shift, focal)
    found = squared(given_depth, kind == FLOOR, kind == WALL, wrong, UNKNOWN, None, FloorOptions(), SEED)
    assert degrees(found.up, camera) < 0.4
    assert found.camera(wrong).K[0, 0] == pytest.approx(camera.K[0, 0], rel=0.06)
    ratio = found.depth(given_depth) / depth  # of a scene whose size is still open
    assert np.percentile(np.abs(ratio / np.median(ratio) - 1), 95) < 0.05
    assert found.tilt < 1.0


@given(st.floats(-0.5, 0.5), st.floats(-0.08, 0.08))
@settings(max_examples=5)
def test_with_a_known_lens_the_shift_alone_is_found(yaw, shift):
    camera, depth, kind, _, given_depth = scene(yaw, shift, 1.0)
    found = squared(given_depth, kind == FLOOR, kind == WALL, camera, Doubt(0.05), None, FloorOptions(), SEED)
    assert found.focal == 1.0
    assert degrees(found.up, camera) < 0.15
    assert found.shift * np.median(depth[kind == FLOOR]) == pytest.approx(shift, abs=0.01)
    assert np.median(found.depth(given_depth)) == pytest.approx(np.median(given_depth))


def test_without_walls_nothing_moves_and_the_tilt_is_said_to_be_unknown_until_lines_show_it():
    camera, _, kind, _, depth = scene(0.2, 0.08, 1.0)
    none = np.zeros(kind.shape, bool)
    found = squared(depth, kind == FLOOR, none, camera, Doubt(0.1), None, FloorOptions(), SEED)
    assert abs(found.shift) < 1e-6
    assert degrees(found.up, camera) > 2.0
    assert found.tilt > 2.0
    lines = (camera.world_from_camera[2, :3], 0.3)
    found = squared(depth, kind == FLOOR, none, camera, Doubt(0.1), lines, FloorOptions(), SEED)
    assert degrees(found.up, camera) < 0.3
    assert found.tilt < 0.5
    assert squared(depth, none, none, camera, UNKNOWN, lines, FloorOptions(), SEED) is None


def test_one_wall_that_leans_does_not_turn_the_room():
    camera, depth, kind, _, _ = scene(0.2, 0.0, 1.0)
    eye, rays = camera.unproject(np.stack(np.meshgrid(np.arange(camera.width), np.arange(camera.height)), -1))
    with np.errstate(divide="ignore"):
        side = (2.5 - eye[0]) / rays[..., 0] * (rays @ camera.world_from_camera[:3, 2])
    right = (kind == WALL) & np.isclose(side, depth)
    lean = np.array([np.cos(np.deg2rad(12)), 0, np.sin(np.deg2rad(12))])  # of its normal; its foot stays at x = 2.5
    far = (2.5 * lean[0] - eye @ lean) / (rays @ lean)
    leaning = np.where(right, far * (rays @ camera.world_from_camera[:3, 2]), depth)
    assert 0.2 < right.sum() / (kind == WALL).sum() < 0.5
    found = squared(leaning, kind == FLOOR, kind == WALL, camera, Doubt(0.05), None, FloorOptions(), SEED)
    assert degrees(found.up, camera) < 0.5


def test_a_floor_in_shifted_depth_is_level_and_a_depth_camera_is_believed():
    camera, depth, kind, _, shifted = scene(0.3, 0.06, 1.0)
    labels = np.full(kind.shape, LABEL["other"], np.uint8)
    labels[kind == FLOOR], labels[kind == WALL] = LABEL["floor"], LABEL["wall"]
    optics = Optics(replace(camera, world_from_camera=np.eye(4)), "recording", None)

    def ground(metres: np.ndarray, spread: float, given_labels: np.ndarray):
        still = StillDepth(metres, np.ones(kind.shape, bool), "made", spread)
        square = made_square(optics, still, given_labels, 0.03, SEED)
        return square, ground_of(*square, given_labels, None, 0.03, SEED).floor

    (_, _), floor = ground(shifted, NETWORK_SPREAD, labels)
    assert degrees(floor.normal, camera) < 0.3
    (_, kept), floor = ground(depth, SENSOR_SPREAD, labels)
    np.testing.assert_allclose(kept.depth, depth)
    assert degrees(floor.normal, camera) < 0.1
    assert floor.offset == pytest.approx(2.1, abs=0.01)
    blank = np.where(kind == FLOOR, LABEL["nothing"], labels)  # masks that do not name the floor say nothing of it
    (_, _), floor = ground(depth, SENSOR_SPREAD, blank)
    assert degrees(floor.normal, camera) < 0.5
    assert floor.sources != ("people",)
    (_, _), floor = ground(shifted, NETWORK_SPREAD, np.where(labels == LABEL["wall"], LABEL["other"], labels))
    assert any("tilt is only known" in text for text in floor.warnings)
