"""Labels against geometry with a closed answer: spheres as bodies, rays solved by hand, no Blender."""

from __future__ import annotations

import numpy as np
import pytest

from render.labels import (
    ABSENT,
    OCCLUDED,
    VISIBLE,
    LabelTable,
    PersonFrame,
    amodal_box,
    contact_frames,
    depth_in_body,
    mask_box,
    project_joints,
)
from synth.camera import Camera, fisheye_matrix, look_at, pinhole_matrix

EYE = np.array([0.0, -4.0, 1.0])
CAMERA = Camera("pinhole", 320, 240, pinhole_matrix(320, 240, 60), world_from_camera=look_at(EYE, [0, 0, 1]))


def sphere_caster(spheres):
    """Rays against spheres (centre, radius, id): the nearest hit, solved exactly."""

    def cast(origin, directions, reach):
        distance = np.full(len(directions), np.inf)
        number = np.zeros(len(directions), int)
        for centre, radius, identifier in spheres:
            offset = origin - np.asarray(centre)
            b = directions @ offset
            root = b**2 - (offset @ offset - radius**2)
            hit = np.where(root > 0, -b - np.sqrt(np.maximum(root, 0)), np.inf)
            nearer = (hit > 0) & (hit < distance) & (hit <= reach)
            distance = np.where(nearer, hit, distance)
            number = np.where(nearer, identifier, number)
        return distance, number

    return cast


def visibility(point, depth, spheres, camera=CAMERA):
    points = np.atleast_2d(np.asarray(point, dtype=float))
    return project_joints(points, np.full(len(points), depth), 1, camera, sphere_caster(spheres))[2]


def test_a_joint_in_a_free_body_is_visible():
    assert visibility([0, 0, 1], 0.1, [([0, 0, 1], 0.1, 1)]).tolist() == [VISIBLE]


@pytest.mark.parametrize(
    ("blocker", "expected"),
    [
        (([0, -1, 1], 0.2, 0), OCCLUDED),  # furniture
        (([0, -1, 1], 0.2, 2), OCCLUDED),  # somebody else
        (([0, -1, 1], 0.2, 1), OCCLUDED),  # the same person's other arm
        (([0, 1, 1], 0.2, 2), VISIBLE),  # behind
        (([1, -1, 1], 0.2, 2), VISIBLE),  # beside
    ],
)
def test_what_stands_in_front_hides_a_joint(blocker, expected):
    assert visibility([0, 0, 1], 0.1, [([0, 0, 1], 0.1, 1), blocker]).tolist() == [expected]


def test_the_far_hip_of_one_body_is_hidden_by_the_near_side():
    body = [([0, 0, 1], 0.3, 1)]
    assert visibility([[0, -0.2, 1], [0, 0.25, 1]], 0.08, body).tolist() == [VISIBLE, OCCLUDED]


def test_outside_the_image_or_behind_the_camera_is_absent():
    assert visibility([[9, 0, 1], [0, -9, 1]], 0.1, []).tolist() == [ABSENT, ABSENT]


def test_a_point_on_the_outline_missed_by_a_hair_is_visible():
    radius = 0.1
    on_outline = [0, 0, 1 + radius * 1.02]
    assert visibility(on_outline, 0.0, [([0, 0, 1], radius, 1)]).tolist() == [VISIBLE]
    assert visibility([0, 0, 1 + radius + 0.05], 0.0, [([0, 0, 1], radius, 1)]).tolist() == [OCCLUDED]


def test_mask_box_is_the_outer_edge_of_the_pixels():
    mask = np.zeros((10, 12), bool)
    mask[3:6, 4] = True
    count, box = mask_box(mask)
    assert count == 3
    assert box.tolist() == [3.5, 2.5, 4.5, 5.5]
    assert mask_box(np.zeros((4, 4), bool))[0] == 0


def test_amodal_box_holds_what_is_hidden_and_says_what_is_cut():
    rng = np.random.default_rng(3)
    ball = rng.normal(size=(4000, 3))
    ball = ball / np.linalg.norm(ball, axis=-1, keepdims=True) * 0.3
    box, cut = amodal_box(ball + np.array([0, 0, 1]), CAMERA)
    reach = CAMERA.K[0, 0] * np.tan(np.arcsin(0.3 / 4))  # the tangent cone of a sphere on the axis
    assert np.allclose(box, [159.5 - reach, 119.5 - reach, 159.5 + reach, 119.5 + reach], atol=0.3)
    assert not cut
    assert amodal_box(ball + np.array([2.2, 0, 1]), CAMERA)[1]
    behind, cut = amodal_box(ball + np.array([0, -9, 1]), CAMERA)
    assert cut
    assert not behind.any()


def test_a_fisheye_labels_a_joint_behind_the_image_plane():
    camera = Camera("fisheye", 240, 240, fisheye_matrix(240, 240, 220, 240), np.zeros(4), look_at(EYE, [0, 0, 1]))
    beside = EYE + np.array([1.5, -0.3, 0])  # more than 90 degrees off the axis
    assert visibility(beside, 0.1, [(beside, 0.1, 1)], camera).tolist() == [VISIBLE]


def test_a_frame_fills_the_table_and_absence_leaves_zeros():
    rng = np.random.default_rng(0)
    keypoints, joints = rng.normal([0, 0, 1], 0.05, (17, 3)), rng.normal([0, 0, 1], 0.05, (24, 3))
    body = PersonFrame(joints, keypoints, joints, np.full(17, 0.2), np.full(24, 0.2))
    table = LabelTable(2, 2, 10.0)
    ids = np.zeros((240, 320), np.uint8)
    ids[100:120, 150:170] = 1
    table.add(1, [body, None], ids, CAMERA, sphere_caster([([0, 0, 1], 0.3, 1)]))
    a = table.arrays
    assert a["present"].tolist() == [[False, False], [True, False]]
    assert a["visible_pixels"][1].tolist() == [400, 0]
    assert (a["keypoints"][1, 0, :, 2] == VISIBLE).all()
    assert not a["keypoints"][:, 1].any()
    assert np.allclose(a["joints_2d"][1, 0], CAMERA.project(joints)[0], atol=1e-3)
    assert np.allclose(a["joints_world"][1, 0], joints)
    assert a["time"].tolist() == [0.0, 0.1]


def test_more_people_than_a_mask_can_number_are_refused():
    with pytest.raises(ValueError, match="254"):
        LabelTable(1, 255, 10.0)


def test_contacts_hold_from_their_start_up_to_their_end():
    times = np.arange(5) / 10
    assert contact_frames([(0.1, 0.3)], times)[:, 0].tolist() == [False, True, True, False, False]
    assert contact_frames([], times).shape == (5, 0)


def test_depth_in_body_is_the_way_to_the_nearest_skin():
    skin = np.array([[0, 0, 0.1], [0, 1, 0]])
    assert np.allclose(depth_in_body(np.zeros((1, 3)), skin), 0.1)
