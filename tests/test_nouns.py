"""What the nouns promise: rotations, skeleton, cameras, rooms and interactions are exact and refuse what is broken."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from synth import rotation, skeleton, taxonomy
from synth.camera import Camera, camera_from_json, fisheye_matrix, look_at, pinhole_matrix
from synth.errors import BadFile, BadOption
from synth.files import atomic_path, read_npz, write_npz
from synth.interaction import ActionSegment, Contact, Interaction, Meta, from_amass, load_interaction
from synth.room import Box, Furniture, Room, RoomCamera, read_room_json, room_from_json, write_room_json

finite = st.floats(-np.pi, np.pi)
vectors = arrays(float, (5, 3), elements=finite)


# rotations ------------------------------------------------------------------------------------------------------------


@given(vectors)
def test_every_conversion_returns_to_the_same_rotation(v):
    m = rotation.axis_angle_to_matrix(v)
    np.testing.assert_allclose(m, Rotation.from_rotvec(v).as_matrix(), atol=1e-12)
    np.testing.assert_allclose(rotation.axis_angle_to_matrix(rotation.matrix_to_axis_angle(m)), m, atol=1e-7)
    np.testing.assert_allclose(rotation.matrix_from_6d(rotation.matrix_to_6d(m)), m, atol=1e-12)
    np.testing.assert_allclose(rotation.quaternion_to_matrix(rotation.matrix_to_quaternion(m)), m, atol=1e-12)


def test_half_turns_keep_their_angle():
    for axis in np.eye(3):
        back = rotation.matrix_to_axis_angle(rotation.axis_angle_to_matrix(np.pi * axis))
        np.testing.assert_allclose(np.abs(back), np.pi * axis, atol=1e-7)


@given(arrays(float, 3, elements=finite), st.sampled_from(["XYZ", "ZYX", "YXZ"]))
def test_euler_angles_multiply_in_the_written_order(angles, order):
    np.testing.assert_allclose(
        rotation.euler_to_matrix(order, angles), Rotation.from_euler(order, angles).as_matrix(), atol=1e-12
    )


@given(vectors, vectors)
def test_rotation_between_turns_one_direction_to_the_other(a, b):
    a, b = a + np.array([0, 0, 4.0]), b - np.array([0, 0, 4.0])
    r = rotation.rotation_between(a, b)
    expected = b / np.linalg.norm(b, axis=-1, keepdims=True) * np.linalg.norm(a, axis=-1, keepdims=True)
    np.testing.assert_allclose((r @ a[..., None])[..., 0], expected, atol=1e-9)
    np.testing.assert_allclose(rotation.rotation_between([0, 0, 1], [0, 0, -1]) @ [0, 0, 1], [0, 0, -1], atol=1e-12)


def test_slerp_halves_an_angle_and_holds_the_ends():
    keys = rotation.axis_matrix("z", np.array([0.0, 1.0]))
    got = rotation.slerp([0, 2], keys, [-1, 1, 5])
    np.testing.assert_allclose(got, rotation.axis_matrix("z", np.array([0.0, 0.5, 1.0])), atol=1e-12)


# skeleton -------------------------------------------------------------------------------------------------------------


def test_upright_faces_where_it_says_and_stands():
    for yaw in (-2.0, 0.0, 1.0):
        r = skeleton.upright(yaw)
        np.testing.assert_allclose(r @ [0, 1, 0], [0, 0, 1], atol=1e-12)  # the head is up
        np.testing.assert_allclose(r @ [0, 0, 1], [np.cos(yaw), np.sin(yaw), 0], atol=1e-12)
        np.testing.assert_allclose(skeleton.facing_yaw(r), yaw, atol=1e-12)
        lying = rotation.axis_matrix("z", yaw) @ rotation.axis_matrix("y", -np.pi / 2) @ skeleton.upright(0.0)
        np.testing.assert_allclose(np.cos(skeleton.facing_yaw(lying) - yaw), 1, atol=1e-9)  # tipped onto the back


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_moving_the_root_moves_every_joint_rigidly(seed):
    rng = np.random.default_rng(seed)
    rest, pose = rng.normal(size=(24, 3)), rotation.axis_angle_to_matrix(rng.normal(size=(24, 3)))
    shift = rng.normal(size=3)
    r, t = rotation.axis_angle_to_matrix(rng.normal(size=3)), rng.normal(size=3)
    before, _ = skeleton.forward_kinematics(pose, rest, shift)
    moved = pose.copy()
    moved[0], new_shift = skeleton.transform_root(r, t, rest[0], pose[0], shift)
    after, _ = skeleton.forward_kinematics(moved, rest, new_shift)
    np.testing.assert_allclose(after, before @ r.T + t, atol=1e-9)


def test_mirroring_swaps_sides_and_undoes_itself():
    rng = np.random.default_rng(3)
    pose = rotation.axis_angle_to_matrix(rng.normal(size=(2, 24, 3)))
    np.testing.assert_allclose(skeleton.mirror_pose(skeleton.mirror_pose(pose)), pose)
    assert skeleton.SMPL_MIRROR[skeleton.JOINT["left_knee"]] == skeleton.JOINT["right_knee"]
    assert skeleton.COCO_KEYPOINTS[skeleton.COCO_MIRROR[1]] == "right_eye"


# cameras --------------------------------------------------------------------------------------------------------------

POSE = look_at([0.3, -0.2, 2.5], [3.0, 2.0, 0.4])
PINHOLE = Camera("pinhole", 640, 480, pinhole_matrix(640, 480, 95.0), world_from_camera=POSE)
BROWN = Camera(
    "brown_conrady", 640, 480, pinhole_matrix(640, 480, 90.0), np.array([-0.28, 0.09, 8e-4, -5e-4, -0.011]), POSE
)
FISHEYE = Camera("fisheye", 640, 640, fisheye_matrix(640, 640, 210, 640), np.array([0.02, -0.004, 3e-4, 0]), POSE)


def test_projection_equals_opencv():
    rng = np.random.default_rng(0)
    local = rng.normal(size=(500, 3)) * [1.2, 0.9, 0.2] + [0, 0, 2.5]
    world = local @ POSE[:3, :3].T + POSE[:3, 3]
    for camera in (PINHOLE, BROWN):
        expected, _ = cv2.projectPoints(local, np.zeros(3), np.zeros(3), camera.K, camera.dist)
        uv, depth, valid = camera.project(world)
        np.testing.assert_allclose(uv[valid], expected[:, 0][valid], atol=1e-8)
        np.testing.assert_allclose(depth, local[:, 2], atol=1e-9)
        assert valid.mean() > 0.95
    expected, _ = cv2.fisheye.projectPoints(local[None], np.zeros(3), np.zeros(3), FISHEYE.K, FISHEYE.dist)
    np.testing.assert_allclose(FISHEYE.project(world)[0], expected[0], atol=1e-8)


@pytest.mark.parametrize("camera", [PINHOLE, BROWN, FISHEYE], ids=lambda c: c.model)
def test_unprojected_pixels_project_back(camera):
    rng = np.random.default_rng(1)
    pixels = rng.uniform([0, 0], [camera.width - 1, camera.height - 1], (2000, 2))
    origin, rays = camera.unproject(pixels)
    seen = np.isfinite(rays).all(-1)
    assert seen.mean() > 0.99
    uv, _, valid = camera.project(origin + rays[seen] * rng.uniform(0.5, 8, (seen.sum(), 1)))
    assert valid.all()
    np.testing.assert_allclose(uv, pixels[seen], atol=1e-8)


def test_a_fisheye_sees_behind_its_own_plane_and_others_do_not():
    behind = POSE[:3, 3] + POSE[:3, :3] @ [2.0, 0.0, -0.2]
    assert FISHEYE.project(behind)[2]
    assert FISHEYE.inside(FISHEYE.project(behind)[0])
    assert not PINHOLE.project(behind)[2]
    assert not PINHOLE.inside(PINHOLE.project(behind)[0])


def test_far_points_do_not_fold_back_into_a_distorted_image():
    local = np.array([[6.0, 0.0, 1.0], [0.0, -9.0, 1.0]])  # past the radius where Brown's polynomial turns around
    assert not BROWN.project(local @ POSE[:3, :3].T + POSE[:3, 3])[2].any()


def test_scaling_keeps_the_view():
    small = PINHOLE.scaled(320, 240)
    point = POSE[:3, 3] + POSE[:3, :3] @ [0.4, -0.3, 2.0]
    np.testing.assert_allclose((PINHOLE.project(point)[0] + 0.5) / 2 - 0.5, small.project(point)[0], atol=1e-9)
    wide = PINHOLE.scaled(480, 240)
    np.testing.assert_allclose(wide.field_of_view()[1], PINHOLE.field_of_view()[1], atol=1e-9)
    assert wide.field_of_view()[0] > PINHOLE.field_of_view()[0]
    np.testing.assert_allclose(PINHOLE.field_of_view()[0], 95.0, atol=1e-9)


def test_cameras_survive_json_and_damage_is_named():
    value = json.loads(json.dumps(BROWN.to_json()))
    np.testing.assert_array_equal(camera_from_json(value, "x").project([3, 2, 0.4])[0], BROWN.project([3, 2, 0.4])[0])
    for key, bad in {
        "model": "orthographic", "width": 0, "K": [[1, 2], [3, 4]], "dist": [1.0], "world_from_camera": [[2.0] * 4] * 4,
    }.items():  # fmt: skip
        with pytest.raises(BadFile, match=rf"room.json: camera\.{key}: found"):
            camera_from_json({**value, key: bad}, "room.json")


# interactions ---------------------------------------------------------------------------------------------------------


BED_BOX = {"center": [1.0, 0.0, 0.25], "size": [0.9, 2.0, 0.5], "yaw": 0.0}


def pair(frames: int = 21, fps: float = 20.0, seed: int = 0) -> Interaction:
    rng = np.random.default_rng(seed)
    meta = Meta(
        text="staff helps patient up", captions=("a", "b"), interaction_class="help_up_from_bed",
        roles=("staff", "patient"), genders=("female", "male"), ages=(30.0, 81.0), core=(0.2, 0.8),
        actions=(ActionSegment(1, 0.0, 0.5, "sitting"), ActionSegment(1, 0.5, 1.0, "stand_up")),
        contacts=(Contact(0, "right_hand", {"person": 1, "part": "left_upper_arm"}, 0.25, 0.75),
                  Contact(1, "pelvis", {"object": "bed"}, 0.0, 0.5)),
        stage=({"id": "bed", "class": "bed", "box": BED_BOX},),
        source={"dataset": "made", "licence": "CC0-1.0"},
    )  # fmt: skip
    return Interaction(
        fps, rng.normal(size=(2, frames, 3)).cumsum(1).astype(np.float32) * 0.01,
        rng.normal(size=(2, frames, 3)).astype(np.float32) * 0.3,
        rng.normal(size=(2, frames, 69)).astype(np.float32) * 0.3,
        rng.normal(size=(2, 10)).astype(np.float32), np.ones((2, frames), bool), meta,
    )  # fmt: skip


def test_interactions_survive_their_file_bit_for_bit(tmp_path):
    motion = pair()
    motion.save(tmp_path / "a.npz")
    motion.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    back = load_interaction(tmp_path / "a.npz")
    assert back.meta == motion.meta
    assert back.fps == motion.fps
    for name in ("transl", "global_orient", "body_pose", "betas", "present"):
        np.testing.assert_array_equal(getattr(back, name), getattr(motion, name))


def test_amass_files_go_out_and_come_back(tmp_path):
    motion = pair()
    motion.to_amass(1, tmp_path / "one.npz")
    back = from_amass(tmp_path / "one.npz")
    np.testing.assert_allclose(back.transl[0], motion.transl[1])
    np.testing.assert_allclose(back.body_pose[0], motion.body_pose[1])
    assert back.meta.genders == ("male",)
    write_npz(tmp_path / "h.npz", {"poses": np.zeros((4, 156)), "trans": np.zeros((4, 3)), "mocap_framerate": 120.0})
    assert from_amass(tmp_path / "h.npz").frames == 4
    write_npz(tmp_path / "bad.npz", {"poses": np.zeros((4, 12)), "trans": np.zeros((4, 3)), "mocap_framerate": 120.0})
    with pytest.raises(BadFile, match="poses"):
        from_amass(tmp_path / "bad.npz")


def test_resampling_goes_by_time():
    motion = pair(frames=60, fps=59.94)
    slow = motion.resample(20.0)
    assert abs((slow.frames - 1) / 20.0 - 59 / 59.94) < 1 / 20.0
    for t in (0.0, 0.5):
        np.testing.assert_allclose(
            slow.transl[:, round(t * 20)], motion._at(np.array([t]), 59.94).transl[:, 0], atol=1e-6
        )
    np.testing.assert_array_equal(motion.resample(59.94).transl, motion.transl)


def test_windows_cut_labels_with_the_frames():
    cut = pair().window(0.5, 0.9)
    assert cut.frames == 8
    assert [a.label for a in cut.meta.actions] == ["stand_up"]
    assert cut.meta.contacts[0].start == 0.0
    assert cut.meta.contacts[0].end == pytest.approx(0.25)
    assert len(cut.meta.contacts) == 1  # the other one ended before
    slower = pair().scale_time(2.0)
    assert slower.frames == 42
    assert slower.meta.actions[0].end == 1.0
    cut.validate()
    slower.validate()


def test_a_rigid_move_carries_the_stage_along():
    turn, shift = rotation.yaw_matrix(np.pi / 2), np.array([1.0, 2.0, 0.0])
    moved = pair().transform(turn, shift, np.zeros((2, 3)))
    np.testing.assert_allclose(moved.meta.stage[0]["box"]["center"], [1.0, 3.0, 0.25], atol=1e-12)
    np.testing.assert_allclose(moved.meta.stage[0]["box"]["yaw"], np.pi / 2)
    np.testing.assert_allclose(moved.transl, pair().transl @ turn.T + shift, atol=1e-6)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("transl", {"transl": np.zeros((2, 21, 2), np.float32)}),
        ("body_pose", {"body_pose": np.full((2, 21, 69), np.nan, np.float32)}),
        ("betas", {"betas": np.zeros((1, 10), np.float32)}),
        ("present", {"present": np.ones((2, 21))}),
        ("fps", {"fps": 0.0}),
        ("meta.roles", {"meta": Meta(roles=("nurse", "patient"), genders=("female", "male"))}),
        ("meta.genders", {"meta": Meta(roles=("staff", "patient"))}),
    ],
)
def test_broken_interactions_are_refused_by_field_and_nothing_is_written(tmp_path, field, change):
    with pytest.raises(BadFile, match=field):
        replace(pair(), **change).save(tmp_path / "x.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("field", "change"),
    [
        *((f"meta.text: found {found}", {"text": value}) for found, value in ((5, 5), ("None", None))),
        *(("meta.contacts[0].with", {"with": value}) for value in ("floor", None, 5, ["person"])),
        ("meta.contacts[0].with", {"with": {"person": 0.0, "part": "head"}}),
        ("meta.contacts[0].with.object", {"with": {"object": 5}}),
        ("meta.contacts[0].person", {"person": 1.0}),
        ("meta.contacts[0].start, end", {"end": float("inf")}),
        ("meta.contacts[0].start, end", {"end": 10**400}),
        ("meta: found ValueError", {"core": [1]}),
        ("meta.core", {"core": [0.0, float("nan")]}),
        *((f"meta.ages[0]: found {value}", {"ages": [value, 50]}) for value in ("old", -5, float("inf"))),
        ("meta.source", {"source": None}),
        ("meta.captions[0]", {"captions": [5]}),
        ("meta.captions[0]", {"captions": ["\ud800"]}),
        ("meta: found TypeError", {"captions": "text"}),
        ("meta.stage[0]", {"stage": [5]}),
        ("betas", {}),
    ],
)
def test_files_of_other_types_and_ranges_are_refused_by_field(tmp_path, field, change):
    path = tmp_path / "a.npz"
    pair().save(path)
    contents = read_npz(path)
    meta = json.loads(str(contents["meta"]))
    for key, value in change.items():
        (meta if key in meta else meta["contacts"][0])[key] = value
    contents["meta"] = np.array(json.dumps(meta))
    if not change:
        contents["betas"] = np.zeros((2, 50), np.float32)
    np.savez(path, **contents)
    with pytest.raises(BadFile) as refused:
        load_interaction(path)
    assert f"{path}: {field}" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_amass_files_of_other_types_are_refused_by_field(tmp_path):
    good = {"poses": np.zeros((4, 72)), "trans": np.zeros((4, 3)), "mocap_framerate": np.array(120.0)}
    for name, array in (("betas", np.array(["fat"] * 10)), ("trans", np.full((4, 3), "x")), ("betas", [1e300] * 10)):
        write_npz(tmp_path / "bad.npz", good | {name: np.asarray(array)})
        with pytest.raises(BadFile, match=name):
            from_amass(tmp_path / "bad.npz")
    write_npz(tmp_path / "odd.npz", good | {"gender": np.array("f\xe9".encode()), "betas": np.zeros(50)})
    assert from_amass(tmp_path / "odd.npz").meta.genders == ("neutral",)


def test_damaged_and_hostile_files_are_refused(tmp_path):
    pair().save(tmp_path / "x.npz")
    whole = (tmp_path / "x.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "pickled.npz", transl=np.array([{"a": 1}], dtype=object))
    write_npz(tmp_path / "other.npz", {"transl": np.zeros(3)})
    arrays = read_npz(tmp_path / "x.npz")
    write_npz(tmp_path / "meta.npz", {**arrays, "meta": np.array('{"roles": 3}')})
    write_npz(tmp_path / "newer.npz", {**arrays, "version": np.array(2)})
    for name in ("cut", "text", "pickled", "other", "meta", "newer", "absent"):
        with pytest.raises(BadFile, match=f"{name}.npz"):
            load_interaction(tmp_path / f"{name}.npz")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_path(target) as temporary:
        temporary.unlink()  # the writer fails
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


# rooms ----------------------------------------------------------------------------------------------------------------


def room() -> Room:
    bed = Furniture("bed_1", "bed", Box(np.array([1.0, 2.0, 0.3]), np.array([1.0, 2.1, 0.6]), 0.3), 0.5, "bed_1",
                    (Box(np.array([0.0, 0.0, -0.1]), np.array([0.9, 2.0, 0.4])),))  # fmt: skip
    return Room("r", np.array([[0.0, 0], [4, 0], [4, 5], [0, 5]]), 2.6, (bed,), (RoomCamera("corner", BROWN),))


def test_rooms_survive_their_file(tmp_path):
    write_room_json(room(), tmp_path)
    back = read_room_json(tmp_path)
    assert back.to_json() == room().to_json()
    assert back.folder == tmp_path
    assert back.contains([[2, 2], [5, 2], [-1, -1]]).tolist() == [True, False, False]
    solid = back.piece("bed_1").world_solids()[0]
    np.testing.assert_allclose(solid.center, [1.0, 2.0, 0.2])
    np.testing.assert_allclose(solid.to_local(solid.to_world([[0.1, 0.2, 0.3]])), [[0.1, 0.2, 0.3]])


def test_unknown_names_get_the_nearest():
    with pytest.raises(BadOption, match="nearest: corner"):
        room().camera("cornr")
    with pytest.raises(BadOption, match="bed_1"):
        room().piece("bed_2")


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("version", {"version": 9}), ("floor", {"floor": [[0, 0], [1, 1]]}), ("height", {"height": "tall"}),
        (r"furniture\[0\].class", {"furniture": [{"id": "a", "class": "throne"}]}),
        (r"furniture\[0\].box.size", {"furniture": [{"id": "a", "class": "bed", "box": dict(BED_BOX, size=[-1] * 3)}]}),
        ("cameras", {"cameras": {"a": 1}}), (r"cameras\[0\].name", {"cameras": [{}]}), ("name", {"name": ""}),
    ],
)  # fmt: skip
def test_broken_rooms_are_refused_by_field(field, change):
    with pytest.raises(BadFile, match=field):
        room_from_json({**room().to_json(), **change}, "room.json")


def test_the_taxonomy_is_the_design_one():
    assert len(taxonomy.ACTIONS) == 16
    assert taxonomy.ACTIONS[1] == "fall"
    assert taxonomy.POSTURE_OF_ACTION["lying"] == "laying_in_bed"
    assert "help_up_from_bed" in taxonomy.INTERACTIONS
