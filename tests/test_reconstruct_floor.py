"""The floor among clutter, and the world it makes: thesis eq. 4.2 to 4.6 against independent implementations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from test_reconstruct_depth import FLOOR, FURNITURE, THINGS, VIEW, WALL, seen

from synth.camera import Camera, fisheye_matrix, look_at
from synth.corpus.floor import INLIER, Plane
from synth.errors import BadOption
from synth.interaction import single
from synth.reconstruct.align import aligned
from synth.reconstruct.depth import unprojected
from synth.reconstruct.floor import Floor, FloorOptions, NoFloor, find_floor
from synth.skeleton import forward_kinematics

SEED = np.random.SeedSequence(0)
UP = np.array([0.0, 0, 1])
SOFA_AND_BED = np.array([[[-2.5, -1.1, 0], [1.2, 2.2, 0.46]], FURNITURE[1]])  # hides most of the floor


def cloud(camera: Camera, boxes: np.ndarray, noise: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points [H, W, 3] in the camera's frame and classes [H, W]; depth noise [m at 1 m] grows with depth squared."""
    depth, kind = seen(camera, boxes)
    generator = np.random.default_rng(seed)
    return unprojected(depth + generator.normal(0, 1, depth.shape) * noise * depth**2, camera), kind


def off(floor: Plane, camera: Camera, height: float = 0.0) -> tuple[float, float]:
    """Error of a plane at a height in the world: degrees, and metres where the plane is in view."""
    normal = floor.normal @ camera.world_from_camera[:3, :3].T
    spot = np.array([0.0, 0.3, height])
    there = (spot - camera.position) @ camera.world_from_camera[:3, :3]
    return float(np.rad2deg(np.arccos(np.clip(normal @ UP, -1, 1)))), abs(float(floor.distance(there)))


# the floor ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "threshold"), [(0, 0.03), (1, 0.03), (2, INLIER)])
def test_the_floor_is_found_in_clutter_that_is_larger_than_it(seed, threshold):
    points, kind = cloud(VIEW, SOFA_AND_BED, 0.004, seed)
    assert (kind == THINGS).sum() > 1.5 * (kind == FLOOR).sum()
    generator = np.random.default_rng(seed)
    mask = (kind == FLOOR) ^ (generator.random(kind.shape) < 0.08)  # a segmentation that errs everywhere
    points[generator.random(kind.shape) < 0.02] = np.nan
    options = FloorOptions(threshold=threshold)
    floor = find_floor(points, SEED, mask, kind == WALL, options=options)
    angle, distance = off(floor, VIEW)
    assert angle < 1.0
    assert distance < 0.03
    assert angle < 5 * max(floor.tilt, 0.1)
    assert floor.sources == ("mask", "gravity", "walls")
    again = find_floor(points, np.random.SeedSequence(0), mask, kind == WALL, options=options)
    np.testing.assert_array_equal([*floor.normal, floor.offset], [*again.normal, again.offset])


def test_the_mask_decides_and_its_absence_is_told():
    points, kind = cloud(VIEW, SOFA_AND_BED, 0.003)
    sofa = find_floor(points, SEED, kind == THINGS)
    assert off(sofa, VIEW, 0.46)[1] < 0.03  # told that the sofa is the floor, it believes it, but says:
    assert any("below the floor" in text for text in sofa.warnings)
    guess = find_floor(points, SEED)
    assert off(guess, VIEW)[1] < 0.03
    assert any("no floor mask" in text for text in guess.warnings)
    assert guess.sources[0] == "cloud"


def test_gravity_keeps_a_wall_from_being_the_floor():
    points, kind = cloud(VIEW, FURNITURE, 0.003)
    wall = (kind == WALL) & (points[..., 2] > 3)
    mask = wall | ((kind == FLOOR) & (np.random.default_rng(0).random(kind.shape) < 0.3))
    assert wall.sum() > 2 * (mask & ~wall).sum()
    assert max(off(find_floor(points, SEED, mask), VIEW)) < 1.0
    with pytest.raises(NoFloor, match="within 45 degrees"):
        find_floor(points, SEED, wall)
    # a camera on the ceiling sees no "up" in its image: the prior has to say so
    above = replace(VIEW, world_from_camera=look_at([0, 0.1, 2.5], [0, 0.1, 0]))
    points, kind = cloud(above, FURNITURE, 0.003)
    with pytest.raises(NoFloor, match="looking down"):
        find_floor(points, SEED, kind == FLOOR)
    assert max(off(find_floor(points, SEED, kind == FLOOR, options=FloorOptions(up=(0, 0, -1))), above)) < 1.0


def test_walls_that_lean_on_the_floor_are_no_walls_or_it_is_no_floor():
    points, kind = cloud(VIEW, FURNITURE, 0.002)
    bent = points.copy()
    turn = Rotation.from_euler("x", 20, degrees=True).as_matrix()
    bent[kind == FLOOR] = points[kind == FLOOR] @ turn.T
    with pytest.raises(NoFloor, match="walls lean"):
        find_floor(bent, SEED, kind == FLOOR, kind == WALL)
    few = (kind == WALL) & (np.random.default_rng(0).random(kind.shape) < 0.005)
    assert any("no wall" in text for text in find_floor(points, SEED, kind == FLOOR, few).warnings)


def in_camera(points: np.ndarray) -> np.ndarray:
    return (points - VIEW.position) @ VIEW.world_from_camera[:3, :3]


def test_feet_choose_among_the_planes_that_a_mask_mixes_up():
    points, kind = cloud(VIEW, SOFA_AND_BED, 0.003)
    floor_part = (kind == FLOOR) & (np.random.default_rng(0).random(kind.shape) < 0.25)
    mask = floor_part | (kind == THINGS)
    assert floor_part.sum() < 0.2 * mask.sum()
    alone = find_floor(points, SEED, mask)
    assert off(alone, VIEW, 0.46)[1] < 0.03  # so little floor is no evidence against it ...
    generator = np.random.default_rng(1)
    steps = np.c_[generator.uniform(-1, 1, (40, 2)), generator.normal(0.08, 0.03, 40)]
    steps[:10, 2] += 0.4  # one in four is lifted
    options = FloorOptions(foot_height=0.08)
    voted = find_floor(points, SEED, mask, feet=in_camera(steps), options=options)
    assert max(off(voted, VIEW)) < 1.0  # ... until people stand on it
    assert off(voted, VIEW)[1] < 0.03
    assert "feet" in voted.sources
    assert any("feet stand on" in text for text in voted.warnings)
    # depths 9 cm off: by choice, the plane goes where the feet are
    deep = FloorOptions(foot_height=-0.01, shift_to_feet=True)
    shifted = find_floor(points, SEED, mask, feet=in_camera(steps), options=deep)
    assert off(shifted, VIEW, 0.09)[1] < 0.02
    assert abs(shifted.feet) < 0.05
    # feet that are nowhere near any plane are told, not obeyed
    far = find_floor(points, SEED, kind == FLOOR, feet=in_camera(steps + 1.2))
    assert off(far, VIEW)[1] < 0.03
    assert "feet" not in far.sources
    assert any("off the floor" in text for text in far.warnings)


def test_no_floor_is_an_error():
    points, kind = cloud(VIEW, FURNITURE)
    strip = np.zeros(kind.shape, bool)
    strip[-1] = True
    for cloud_, mask, words in (
        (points, np.zeros(kind.shape, bool), "0 points"),
        (points * np.nan, kind == FLOOR, "0 points"),
        (points, strip & (kind == FLOOR), "strip"),
        (np.random.default_rng(0).uniform(-2, 2, (*kind.shape, 3)), kind >= 0, "no plane"),
        (-points, kind == FLOOR, "under the camera"),  # a ceiling
    ):
        with pytest.raises(NoFloor, match=words):
            find_floor(cloud_, SEED, mask)
    for wrong in ({"threshold": 0.0}, {"cone": 90.0}, {"up": (0.0, 0.0, 0.0)}):
        with pytest.raises(BadOption):
            FloorOptions(**wrong)
    with pytest.raises(BadOption):
        find_floor(points, SEED, (kind == FLOOR).astype(int))


# the world ------------------------------------------------------------------------------------------------------------

unit = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array).filter(lambda v: np.linalg.norm(v) > 0.1)


def plane(normal: np.ndarray, height: float = 1.5) -> Plane:
    return Plane(normal / np.linalg.norm(normal), height, 1.0)


@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(-3, -0.2))
def test_heights_are_those_of_the_thesis(b_x, b_y, b_z):
    """Eq. 4.2 to 4.5 as written, but for the normal's sign: a camera at the origin, over z = b_z + b_x x + b_y y."""
    normal = -np.cross([0, 1, b_y], [1, 0, b_x])
    normal /= np.linalg.norm(normal)
    v, c = np.cross(normal, UP), normal @ UP
    k = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    r = np.eye(3) + k + k @ k * ((1 - c) / max(v @ v, 1e-300))
    points = np.random.default_rng(0).normal(0, 2, (20, 3))
    thesis = (points - [0, 0, b_z]) @ r.T
    ours = aligned(Plane(normal, float(-normal @ [0, 0, b_z]), 1.0)).points(points)
    np.testing.assert_allclose(ours[:, 2], thesis[:, 2], atol=1e-9)
    np.testing.assert_allclose(
        np.linalg.norm(np.diff(ours, axis=0), axis=1), np.linalg.norm(np.diff(thesis, axis=0), axis=1)
    )


@given(unit, st.floats(0.1, 4))
def test_the_move_is_rigid_lays_the_floor_flat_and_looks_along_y(normal, height):
    move = aligned(plane(normal, height))
    r = move.rotation
    np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(r) == pytest.approx(1)
    np.testing.assert_allclose(move.translation, [0, 0, height], atol=1e-12)
    unit_normal = normal / np.linalg.norm(normal)
    on_floor = np.cross(unit_normal, np.random.default_rng(0).normal(0, 1, (9, 3))) - height * unit_normal
    np.testing.assert_allclose(move.points(on_floor)[:, 2], 0, atol=1e-9)
    forward = r[:, 2]
    if np.hypot(*forward[:2]) > 0.01:
        assert abs(forward[0]) < 1e-9
        assert forward[1] > 0
        # SciPy's answer to the same two directions: the normal to z, and the view into the plane of y and z
        level = [0, *forward[1:]]
        expected, error = Rotation.align_vectors([UP, level], [unit_normal, [0, 0, 1]])
        np.testing.assert_allclose(r, expected.as_matrix(), atol=1e-6)
        assert error < 1e-6


@pytest.mark.parametrize("tip", [0, 1e-13, 1e-9, 1e-5])
@pytest.mark.parametrize("sign", [1, -1])
def test_identical_and_opposite_normals_have_an_answer(sign, tip):
    """Where eq. 4.4 divides zero by zero: cameras that look straight up and straight down."""
    normal = np.array([tip, 0, sign])
    move = aligned(plane(normal))
    np.testing.assert_allclose(move.rotation @ move.rotation.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(move.rotation @ (normal / np.linalg.norm(normal)), UP, atol=1e-12)
    target = [0, 0, 1.5 + sign]
    np.testing.assert_allclose(move.world_from_camera, look_at([0, 0, 1.5], target), atol=2 * tip + 1e-9)


@given(st.floats(-85, 85), st.floats(-180, 180), st.floats(0.3, 3))
def test_an_upright_camera_gets_its_pose_back_but_for_where_it_stood_and_looked(pitch, yaw, height):
    ahead, rise = np.cos(np.deg2rad(pitch)), np.sin(np.deg2rad(pitch))
    eye = np.array([3.0, -1, height])
    pose = look_at(eye, eye + np.array([ahead * np.cos(yaw), ahead * np.sin(yaw), rise]))
    camera = Camera("fisheye", 64, 64, fisheye_matrix(64, 64, 180), np.zeros(4))
    moved = aligned(Plane(pose[2, :3], height, 1.0)).camera(camera)
    expected = look_at([0, 0, height], [0, ahead, height + rise])
    np.testing.assert_allclose(moved.world_from_camera, expected, atol=1e-9)
    assert moved.model == "fisheye"


def test_bodies_move_with_the_room():
    """Eq. 4.6 is meant to keep every joint at its place in the room; the pixels do not change either."""
    generator = np.random.default_rng(0)
    rest = np.cumsum(generator.normal(0, 0.1, (24, 3)), 0)
    rotations = Rotation.random(3 * 24, random_state=1).as_matrix().reshape(3, 24, 3, 3)
    transl = generator.normal([0, 0, 4], 0.3, (3, 3))
    before, _ = forward_kinematics(rotations, rest, transl)
    move = aligned(plane(np.array([0.1, -0.9, -0.4])))
    orient, moved = move.root(rotations[:, 0], transl, rest[0])
    turned = rotations.copy()
    turned[:, 0] = orient
    after, _ = forward_kinematics(turned, rest, moved)
    np.testing.assert_allclose(after, move.points(before), atol=1e-9)
    camera = VIEW.moved(np.eye(4))
    np.testing.assert_allclose(move.camera(camera).project(after)[0], camera.project(before)[0], atol=1e-6)
    motion = move.motion(single(10.0, transl, rotations), rest[None, 0])
    np.testing.assert_allclose(motion.transl[0], moved, atol=1e-5)
    np.testing.assert_allclose(Rotation.from_rotvec(motion.global_orient[0]).as_matrix(), orient, atol=1e-5)
    stage = replace(motion, meta=replace(motion.meta, stage=({"id": "bed"},)))
    with pytest.raises(BadOption, match="stage"):
        move.motion(stage, rest[None, 0])


def test_a_plane_that_is_no_floor_is_refused():
    for normal, height in (
        ([0, 0, 0], 1.0),
        ([0, 0, 2], 1.0),
        ([0, np.nan, 1], 1.0),
        ([0, 0, 1], -1.0),
        ([0, 0, 1], np.nan),
    ):
        with pytest.raises(BadOption, match="floor"):
            aligned(Plane(np.array(normal, float), height, 1.0))


def test_a_found_floor_puts_the_room_back_on_its_feet():
    points, kind = cloud(VIEW, FURNITURE, 0.002)
    floor = find_floor(points, SEED, kind == FLOOR, kind == WALL)
    assert isinstance(floor, Floor)
    assert floor.offset == pytest.approx(VIEW.position[2], abs=0.02)
    heights = aligned(floor).points(points)[..., 2]
    assert abs(np.median(heights[kind == FLOOR])) < 0.01
    tops = [np.percentile(heights[kind == THINGS + i], 95) for i in range(3)]
    np.testing.assert_allclose(tops, FURNITURE[:, 1, 2], atol=0.06)
