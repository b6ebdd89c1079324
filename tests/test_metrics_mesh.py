"""Metrics on skins against analytic bodies and brute force, and what they say about real motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from synth.body import BodyModel, load_body
from synth.corpus.library import entry
from synth.interaction import single
from synth.motion import mesh, metrics
from synth.motion.evaluate import METRICS, measure_all
from synth.room import Box
from synth.rotation import axis_angle_to_matrix
from synth.taxonomy import BODY_PARTS

RADIUS = 0.3


def ball_body(radius: float = RADIUS) -> BodyModel:
    """A body that is a ball about its pelvis, with a closed, fine skin."""
    ball = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    count = len(ball.vertices)
    weights = np.zeros((count, 24), np.float32)
    weights[:, 0] = 1
    regressor = np.full((24, count), 1 / count, np.float32)
    real = load_body()
    return replace(
        real, v_template=ball.vertices.astype(np.float32), shapedirs=np.zeros((count, 3, 10), np.float32),
        posedirs=None, J_regressor=regressor, weights=weights, faces=ball.faces.astype(np.int32), parts={},
        landmarks={}, shape_table={}, masks={},
    )  # fmt: skip


BALL = ball_body()
SKIN = mesh.Skin.of(BALL)


def posed_ball(center: np.ndarray) -> np.ndarray:
    return BALL.v_template[SKIN.ids] + center.astype(np.float32)


@settings(max_examples=15, deadline=None)
@given(
    st.floats(0.05, 0.75),
    st.lists(st.floats(-1, 1), min_size=3, max_size=3).filter(lambda v: np.linalg.norm(v) > 0.3),
)
def test_two_balls_overlap_by_what_geometry_says(distance: float, direction: list[float]) -> None:
    """Of a ball's surface the point nearest to the other's middle is |r - d| from it, so r - |r - d| deep."""
    away = np.array(direction) / np.linalg.norm(direction)
    first, second = posed_ball(np.zeros(3))[None], posed_ball(away * distance)[None]
    wanted = max(0.0, RADIUS - abs(RADIUS - distance))
    found = mesh.overlaps(first, second, SKIN)[0]
    if wanted < mesh.REACH:  # deeper overlaps are only said to be deep
        assert found == pytest.approx(wanted, abs=0.004)
    else:
        assert found > 0.2


def test_signed_distance_is_right_on_both_sides() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(400, 3))
    points *= (rng.uniform(0.02, 0.8, 400) / np.linalg.norm(points, axis=1))[:, None]
    found = mesh.signed_distance(points, posed_ball(np.zeros(3)), SKIN)
    np.testing.assert_allclose(found, np.linalg.norm(points, axis=1) - RADIUS, atol=0.003)
    inside = np.array([mesh.winding(point, posed_ball(np.zeros(3)), SKIN) for point in points[:20]])
    np.testing.assert_allclose(inside, np.linalg.norm(points[:20], axis=1) < RADIUS, atol=1e-3)


def test_skins_of_people_agree_with_brute_force() -> None:
    """A pair that holds each other: the pruned search against all triangles and the winding number."""
    body = load_body()
    skin = mesh.Skin.of(body)
    assert sorted(skin.ids) == np.unique(body.faces).tolist()
    np.testing.assert_allclose(body.v_template[skin.ids][skin.faces], body.v_template[body.faces])
    motion = entry("help_up_from_chair_03").load().window(2.65, 2.7)  # fingers fold and show their wrong side here
    posed = mesh.posed_skins(motion, body, skin)[:, 0]
    found = mesh.overlaps(posed[:1], posed[1:], skin)[0]
    deepest = 0.0
    for points, surface in ((posed[0], posed[1]), (posed[1], posed[0])):
        signed = mesh.signed_distance(points, surface, skin)
        order = np.argsort(signed)
        assert signed[order[0]] < 0
        # the deepest, and others near the surface on both sides, each against the winding number of the whole skin
        chosen = [*order[:12], *np.random.default_rng(0).choice(order[12:600], 24, replace=False)]
        for index in chosen:
            inside = mesh.winding(points[index], surface, skin) > 0.5
            assert signed[index] < 0 or not inside
            if inside:
                nearest = trimesh.triangles.closest_point(
                    surface[skin.faces].astype(float), np.tile(points[index].astype(float), (len(skin.faces), 1))
                )
                exact = np.linalg.norm(nearest - points[index], axis=1).min()
                assert -signed[index] == pytest.approx(exact, abs=1e-5)
                deepest = max(deepest, float(exact))
    assert found == pytest.approx(deepest, abs=1e-5)
    assert 0.004 < found < 0.03


def test_floor_and_furniture_depths_are_exact() -> None:
    skins = np.stack([posed_ball(np.array([0.0, 0.0, 0.5 + RADIUS - 0.03])), posed_ball(np.array([0.0, 0.0, 2.0]))])
    depths = mesh.box_depths(skins, [Box(np.array([0, 0, 0.25]), np.array([0.5, 0.5, 0.5]))])
    np.testing.assert_allclose(depths, [0.03, 0.0], atol=1e-4)
    turned = Box(np.array([0.0, 0.0, 0.25]), np.array([0.2, 0.6, 0.5]), 0.7)
    points = turned.to_world(np.array([[0.0, 0.0, 0.35], [0.0, 0.25, 0.0], [0.2, 0.4, 0.0]]))
    np.testing.assert_allclose(mesh.box_distances(points, [turned]), [0.1, -0.05, np.hypot(0.1, 0.1)], atol=1e-9)


def test_real_motion_is_clean_and_its_damage_is_seen() -> None:
    """Every figure moves when that, and only that, is broken."""
    body = load_body()
    skin = mesh.Skin.of(body)
    motion = entry("sit_down_01").load()
    good = measure_all(motion, body, skin)
    assert set(good) <= set(METRICS)
    assert good["floating"] == 0
    assert good["bone_drift"] < 1e-5
    assert good["floor_penetration"] < 0.02
    assert 0.005 < good["object_penetration"] < 0.05  # a sitter presses into the seat
    lifted = replace(motion, transl=motion.transl + np.float32([0, 0, 0.5]))
    assert measure_all(lifted, body, skin)["floating"] > 0.5
    sunk = measure_all(replace(motion, transl=motion.transl - np.float32([0, 0, 0.05])), body, skin)
    assert sunk["floor_penetration"] == pytest.approx(good["floor_penetration"] + 0.05, abs=0.003)
    assert sunk["object_penetration_mean"] > good["object_penetration_mean"] + 0.004  # its seat is a thin slab
    assert sunk["jerk"] == pytest.approx(good["jerk"], abs=0.1)
    glide = np.zeros_like(motion.transl)
    glide[..., 0] = 0.4 * motion.times
    skating = measure_all(replace(motion, transl=motion.transl + glide), body, skin)
    assert skating["skate_ratio"] > 0.7 > 0.3 > good["skate_ratio"]
    bent = motion.body_pose.copy()
    bent[0, :, 3 * 3 : 3 * 3 + 3] = [-0.8, 0, 0]  # left knee, 45 degrees the wrong way
    broken = measure_all(replace(motion, body_pose=bent), body, skin)
    assert broken["limit_worst"] == pytest.approx(np.degrees(0.8 - 0.05), abs=0.5)
    assert broken["limit_ratio"] > good["limit_ratio"] + 0.02


def test_a_pairs_overlap_counts_where_they_touch() -> None:
    body = load_body()
    motion = entry("help_up_from_bed_01").load().window(3.0, 5.5)
    apart = motion.transl.copy()
    apart[1] += np.float32([0, 0, 3.0])
    held, away = measure_all(motion, body), measure_all(replace(motion, transl=apart), body)
    assert held["contact_gap"] < 0.02
    assert away["contact_gap"] > 2
    assert away["body_penetration"] == 0
    assert 0 < held["body_penetration_contact"] <= held["body_penetration"]


def test_ratio_of_skating_feet() -> None:
    """One foot stands, one slides at 0.3 m/s on the floor, then both stand; a foot in the air does not count."""
    soles = np.zeros((2, 3, 21, 3))
    soles[1, :, :11, 0] = 0.3 * np.arange(11) / 20
    soles[1, :, 11:, 0] = soles[1, :, 10:11, 0]
    assert metrics.skate_ratio(soles, 20.0) == pytest.approx(10 / 40)
    soles[1, ..., 2] = 0.1
    assert metrics.skate_ratio(soles, 20.0) == 0
    assert metrics.skate_ratio(soles[:, :, :1], 20.0) == 0


def test_every_part_of_the_taxonomy_has_skin_of_its_own_side() -> None:
    body = load_body()
    skin = mesh.Skin.of(body)
    for name in BODY_PARTS:
        across = body.v_template[skin.ids][skin.part(name)][:, 0]
        assert len(across) > 50, name
        side = {"left": 1.0, "right": -1.0}.get(name.split("_")[0], 0.0)
        assert (across * side >= -0.01).all(), name


def test_frame_rate_does_not_matter() -> None:
    body = load_body()
    motion = entry("walk_03").load()
    slow, fast = (measure_all(motion.resample(fps), body) for fps in (20.0, 60.0))
    for name, tolerance in (("speed", 0.01), ("floor_penetration", 0.003), ("limit_worst", 1.0), ("floating", 0.02)):
        assert fast[name] == pytest.approx(slow[name], abs=tolerance), name


def test_one_frame_and_nobody() -> None:
    body = load_body()
    still = single(20.0, np.array([[0, 0, 1.0]]), axis_angle_to_matrix(np.zeros((1, 24, 3))))
    assert measure_all(still, body)["limit_worst"] == 0
    gone = replace(still, present=np.zeros((1, 1), bool))
    assert all(np.isfinite(value) for value in measure_all(gone, body).values())
