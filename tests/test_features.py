"""Feature layouts against plain, literal versions of the published algorithms, and round trips to SMPL in millimetres.

The references stand in published.py.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published import published_262, published_263, published_recovery

from synth.body import load_body
from synth.body.shape import betas_from
from synth.corpus.care import mirrored as mirrored_motion
from synth.corpus.features import convert, humanml3d, intergen, posture
from synth.corpus.features.layout import (
    HUMANML3D,
    INTERGEN,
    INTERHUMAN,
    THESIS,
    from_interleaved_6d,
    interleaved_6d,
)
from synth.corpus.library import entry, library
from synth.errors import BadFile, BadOption
from synth.interaction import Interaction
from synth.rotation import axis_angle_to_matrix, yaw_matrix
from synth.skeleton import SMPL_MIRROR, forward_kinematics

SINGLES = ("walk_01", "sit_down_01", "walk_left_01", "pick_up_01", "drink_01", "get_up_02")


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def rest(body):
    return body.rest_joints(np.zeros(10)).astype(float)


def degrees(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    turn = np.swapaxes(first, -1, -2) @ second
    return np.degrees(np.arccos(np.clip((np.trace(turn, axis1=-1, axis2=-2) - 1) / 2, -1, 1)))


def test_widths_and_named_places() -> None:
    assert [layout.width for layout in (HUMANML3D, INTERGEN, INTERHUMAN, THESIS)] == [263, 262, 492, 286]
    assert HUMANML3D.slices["rotations"] == slice(67, 193)
    assert INTERHUMAN.slices["rotations"].start == 62 * 3
    assert [place.start for place in THESIS.slices.values()] == [0, 72, 144, 282]
    rng = np.random.default_rng(0)
    for layout in (HUMANML3D, INTERGEN, INTERHUMAN, THESIS):
        features = rng.normal(size=(3, 5, layout.width))
        np.testing.assert_array_equal(layout.pack(**layout.unpack(features)), features)
    with pytest.raises(ValueError, match="262 numbers"):
        INTERGEN.unpack(np.zeros((4, 263)))
    for bad, message in (
        (np.zeros((4, 262)), r"shape \(4, 262\)"),
        (np.zeros((0, 263)), r"shape \(0, 263\)"),
        (np.zeros((4, 263), int), "int64"),
        (np.full((4, 263), np.nan), "NaN or infinity in frame 0"),
    ):
        with pytest.raises(BadFile, match=message):
            HUMANML3D.check(bad, "file.npy")
    assert HUMANML3D.check(np.zeros(263, np.float32), "file.npy").shape == (1, 263)


def test_interleaved_6d_is_what_interhuman_stores() -> None:
    """The authors: the first two columns as ``matrix[:, :2]``, so the identity is 1 0 0 1 0 0."""
    np.testing.assert_array_equal(interleaved_6d(np.eye(3)), [1, 0, 0, 1, 0, 0])
    turn = axis_angle_to_matrix(np.array([[0.3, -1.1, 0.4], [2.0, 0.1, -0.2]]))
    np.testing.assert_array_equal(interleaved_6d(turn), turn[..., :2].reshape(2, 6))
    np.testing.assert_allclose(from_interleaved_6d(interleaved_6d(turn)), turn, atol=1e-12)


@pytest.mark.parametrize("name", ["walk_left_01", "pick_up_01"])
def test_263_equals_the_published_algorithm(body, name: str) -> None:
    joints = convert.joints_of(entry(name).load(), body)[0]
    upright = joints[:, :22] @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # (x, z, -y)
    wanted = published_263(upright)
    features = humanml3d.encode(joints)
    np.testing.assert_allclose(features, wanted, atol=1e-5)
    assert name != "walk_left_01" or set(wanted[:, -4:].ravel()) == {0.0, 1.0}
    recovered = humanml3d.decode(features) @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    np.testing.assert_allclose(recovered, published_recovery(wanted), atol=1e-5)


def test_263_keeps_turning_past_half_a_turn(body) -> None:
    """A person who turns on the spot for two rounds: the published code loses its sign on the way, ours must not."""
    motion = entry("walk_01").load()
    joints = convert.joints_of(motion, body)[0, :40]
    joints = joints - joints[:, :1] * np.array([1.0, 1.0, 0.0])
    spun = np.einsum("tij,tnj->tni", yaw_matrix(np.linspace(0, 4 * np.pi, 40)), joints)
    features = humanml3d.encode(spun)
    np.testing.assert_allclose(humanml3d.encode(humanml3d.decode(features, whole=True)), features, atol=1e-9)
    recovered, wanted = humanml3d.decode(features), spun[:-1, :22]
    gaps = [np.linalg.norm(p[:, :, None] - p[:, None], axis=-1) for p in (recovered, wanted)]
    np.testing.assert_allclose(gaps[0], gaps[1], atol=1e-9)
    paths = [np.linalg.norm(np.diff(p[:, 20], axis=0), axis=-1) for p in (recovered, wanted)]
    np.testing.assert_allclose(paths[0], paths[1], atol=1e-9)


def test_262_equals_the_published_algorithm(body) -> None:
    motion = entry("help_up_from_chair_01").load().window(2.0, 3.5)
    motion = motion.transform(yaw_matrix(2.2), np.array([3.0, -1.0, 0.0]), body.rest_joints(motion.betas)[:, 0])
    joints, turns = convert.joints_of(motion, body), motion.rotations()
    stored = [
        np.concatenate([joints[i, :, :22].reshape(motion.frames, 66), turns[i, :, 1:22, :, :2].reshape(-1, 126)], -1)
        for i in (0, 1)
    ]
    features = intergen.encode(joints, turns)
    for mine, wanted in zip(features, published_262(*stored), strict=True):
        np.testing.assert_allclose(mine, wanted, atol=1e-6)


def test_286_looks_back_and_moves_nothing(body) -> None:
    motion = entry("assist_walking_01").load().resample(10)
    features = convert.to_thesis(entry("assist_walking_01").load(), body)
    joints = convert.joints_of(motion, body)
    assert features.shape == (2, motion.frames, 286)
    np.testing.assert_allclose(features[..., :72].reshape(joints.shape), joints, atol=1e-12)
    velocity = features[..., 72:144].reshape(joints.shape)
    np.testing.assert_allclose(velocity[:, 1:], joints[:, 1:] - joints[:, :-1], atol=1e-12)
    assert not velocity[:, 0].any()
    assert not features[:, 0, 282:].any()
    for t in (5, 20):
        for n, (joint, height) in enumerate(((7, 0.12), (10, 0.05), (8, 0.12), (11, 0.05))):
            still = (velocity[0, t, joint] ** 2).sum() < 0.001 and joints[0, t, joint, 2] < height
            assert features[0, t, 282 + n] == float(still)


@pytest.mark.parametrize("name", SINGLES)
def test_round_trip_263_smpl(body, name: str) -> None:
    """Joints come back within 0.01 mm; what the layout does not hold (twists) stays within the stated degrees."""
    motion = entry(name).load()
    features = convert.to_humanml3d(motion, body)
    back = convert.from_humanml3d(features, body, motion.betas[0])
    joints = convert.joints_of(back, body)[0]
    assert np.abs(joints[:, :22] - humanml3d.decode(features)).max() * 1000 < 0.01
    again = convert.to_humanml3d(back, body)
    wanted = humanml3d.encode(convert.joints_of(motion, body)[0, :-1])  # the last frame served the velocities
    np.testing.assert_allclose(again[:, :-4], wanted[:, :-4], atol=1e-4)
    off = degrees(motion.rotations()[0, :-1, 1:], back.rotations()[0, :, 1:])
    named = {"thighs": [0, 1], "knees": [3, 4], "torso": [2, 5, 8], "shoulders": [15, 16]}
    limits = {"thighs": 12.0, "knees": 6.0, "torso": 3.0, "shoulders": 20.0}
    for part, ids in named.items():
        assert np.median(off[:, ids]) < limits[part], part


@pytest.mark.parametrize("name", ["help_up_from_chair_01", "assist_walking_02"])
def test_round_trips_262_286_smpl(body, name: str) -> None:
    motion = entry(name).load()
    for encode, decode, fps, frames, joints in (
        (convert.to_intergen, convert.from_intergen, 30, slice(None, -1), 22),
        (convert.to_thesis, convert.from_thesis, 10, slice(None), 24),
    ):
        features = encode(motion, body)
        back = decode(features, body, motion.betas)
        source = motion.resample(fps)
        here, there = convert.joints_of(back, body)[..., :joints, :], convert.joints_of(source, body)[:, frames]
        stored = features[..., : joints * 3].reshape(here.shape)
        if joints == 22:
            stored = stored @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
        else:
            assert np.abs(here - there).max() * 1000 < 0.01
        assert np.abs(here - stored).max() * 1000 < 0.01
        assert degrees(source.rotations()[:, frames, 1:22], back.rotations()[:, :, 1:22]).max() < 0.01


def test_calibration_finds_a_stranger_s_root_and_skeleton(body, rest) -> None:
    """Pose and joints of a tall man, read with the mean body's rest joints: the tilt of his pelvis is found."""
    motion = entry("pick_up_01").load()
    shape = np.asarray(betas_from(gender="male", height=1.95, weight=110, age=60), float)
    own = body.rest_joints(shape).astype(float)
    own[3] += np.array([0.0, 0.0, -0.03])  # and a spine that leaves the pelvis farther back
    own[6:] += np.array([0.0, 0.0, -0.03])
    own[[7, 8, 10, 11]] -= np.array([0.0, 0.0, -0.03])
    turns = motion.rotations()[0]
    joints, _ = forward_kinematics(turns, own, motion.transl[0])
    plain = degrees(posture.root_orientation(joints, rest), turns[:, 0])
    root, skeleton = posture.calibrate(joints[:, :22], turns[:, 1:22], rest)
    assert plain.mean() > 3.0
    assert degrees(root, turns[:, 0]).max() < 1.0
    assert np.abs((skeleton - skeleton[0]) - (own[:22] - own[0])).max() < 0.01


def test_uniform_skeleton(body) -> None:
    joints = convert.joints_of(entry("walk_01").load(), body)[0, :, :22]
    lengths = np.linspace(0.1, 0.4, 22)
    same = humanml3d.uniform(joints, lengths)
    parents = [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19]
    for j in range(1, 22):
        bone, old = same[:, j] - same[:, parents[j]], joints[:, j] - joints[:, parents[j]]
        np.testing.assert_allclose(np.linalg.norm(bone, axis=-1), lengths[j], atol=1e-12)
        np.testing.assert_allclose(np.cross(bone, old), 0, atol=1e-12)
    leg = sum(np.linalg.norm(joints[0, a] - joints[0, b]) for a, b in ((2, 5), (5, 8)))
    np.testing.assert_allclose(same[:, 0], joints[:, 0] * (lengths[5] + lengths[8]) / leg, atol=1e-12)


angles = st.floats(-1.2, 1.2)


@settings(max_examples=15)
@given(st.lists(angles, min_size=72, max_size=72), angles, st.floats(-3, 3), st.sampled_from([0, 1, 2]))
def test_mirrored_twice_is_the_original(pose, turn, speed, seed) -> None:
    """Of any motion: features mirrored twice, and the features of the mirrored motion are the mirrored features."""
    body = load_body()
    rng = np.random.default_rng(seed)
    frames = 6
    angle = np.asarray(pose).reshape(24, 3) + 0.1 * rng.normal(size=(2, frames, 24, 3)).cumsum(1)
    pelvis = np.array([speed, turn, 0.9]) * np.arange(frames)[:, None] / 20 + rng.normal(size=(2, 1, 3)) * 0.3
    motion = Interaction(
        fps=20.0,
        transl=pelvis.astype(np.float32),
        global_orient=angle[:, :, 0].astype(np.float32),
        body_pose=angle[:, :, 1:].reshape(2, frames, 69).astype(np.float32),
        betas=np.zeros((2, 10), np.float32),
        present=np.ones((2, frames), bool),
        meta=replace(entry("walk_01").load().meta, roles=("person",) * 2, genders=("neutral",) * 2, ages=()),
    )
    image = mirrored_motion(motion, body)
    for there, back in zip(
        convert.joints_of(mirrored_motion(image, body), body), convert.joints_of(motion, body), strict=True
    ):
        np.testing.assert_allclose(there, back, atol=1e-5)
    joints, turns = convert.joints_of(motion, body), motion.rotations()
    twins, twin_turns = convert.joints_of(image, body), image.rotations()
    np.testing.assert_allclose(twins, joints[..., list(SMPL_MIRROR), :] * [1, -1, 1], atol=1e-5)
    one = humanml3d.encode(joints[0])
    np.testing.assert_allclose(humanml3d.mirrored(humanml3d.mirrored(one)), one, atol=1e-12)
    # Labels and directions at their edges may fall either way; positions and velocities must not.
    np.testing.assert_allclose(humanml3d.mirrored(one)[:, :67], humanml3d.encode(twins[0])[:, :67], atol=1e-3)
    two = intergen.encode(joints, turns)
    np.testing.assert_allclose(intergen.mirrored(intergen.mirrored(two)), two, atol=1e-12)
    np.testing.assert_allclose(
        intergen.mirrored(two)[..., :258], intergen.encode(twins, twin_turns)[..., :258], atol=1e-3
    )
    three = intergen.encode_thesis(joints, turns)
    np.testing.assert_allclose(intergen.mirrored_thesis(intergen.mirrored_thesis(three)), three, atol=1e-12)
    np.testing.assert_allclose(
        intergen.mirrored_thesis(three)[..., :282], intergen.encode_thesis(twins, twin_turns)[..., :282], atol=1e-3
    )


def test_one_frame_has_no_velocity(body) -> None:
    motion = entry("idle_01").load()
    with pytest.raises(BadOption, match="at least two frames"):
        convert.to_humanml3d(
            replace(
                motion, **{k: getattr(motion, k)[:, :1] for k in ("transl", "global_orient", "body_pose", "present")}
            ),
            body,
        )


def test_lying_people_keep_their_shape(body) -> None:
    """Of every single of the library the decoded joints are those of the motion, turned about the vertical."""
    for item in library():
        if item.people != 1 or not item.id.startswith(("lie_down", "get_up", "crawl")):
            continue
        joints = convert.joints_of(item.load(), body)[0, :-1, :22]
        back = humanml3d.decode(humanml3d.encode(convert.joints_of(item.load(), body)[0]))
        turn = posture.nearest_rotation((joints[0] - joints[0, 0]), (back[0] - back[0, 0]))
        assert turn[2, 2] == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose((joints - joints[0, 0]) @ turn.T, back - back[0, 0], atol=1e-6)
