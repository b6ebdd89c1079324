"""Falls by physics: the body that MuJoCo gets, what it does when nobody holds it, and what the falls promise."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from synth.body import load_body
from synth.body.shape import draw_person
from synth.corpus.care.tracks import Track
from synth.corpus.falls import STRATEGIES, FallSource, make_fall
from synth.corpus.falls.after import rising
from synth.corpus.falls.control import BACKWARD, FORWARD, LEFT, Muscles, Reflex, mirror, overlaid
from synth.corpus.falls.humanoid import TREE, build, hinge_limits, hinges, rotations
from synth.corpus.falls.motion import DURATION, SPEED, descent
from synth.corpus.falls.plan import Scene
from synth.corpus.falls.simulate import RATE, Event, simulate
from synth.corpus.falls.start import vertices
from synth.corpus.source import Rejected, Source
from synth.errors import BadOption
from synth.motion.actions import measure_actions
from synth.motion.fit import one_thread
from synth.room import furniture_from_json
from synth.skeleton import JOINT, SMPL_JOINTS, forward_kinematics, mirror_pose, upright
from synth.taxonomy import ACTION_INDEX

# one of each class and of each kind of cause; each key and the seed below give a fall
KEYS = {
    "trip_forward_000": "forward", "slip_backward_000": "backward", "buckle_sideways_000": "sideways",
    "roll_bed_asleep_000": "", "topple_chair_sideways_000": "", "slide_chair_000": "",
}  # fmt: skip
SEED = 3


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    with one_thread():
        yield


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def person(body):
    return draw_person("patient", np.random.default_rng(5), body)


@pytest.fixture(scope="module")
def humanoid(body, person):
    return build(body, person.betas, person.weight, person.gender)


@pytest.fixture(scope="module")
def falls(body):
    source = FallSource(1, body=body)
    return {key: source.make(key, np.random.SeedSequence(SEED)) for key in KEYS}


def test_poses_go_to_mujoco_and_back(humanoid) -> None:
    rotmats = Rotation.random(40 * 24, random_state=1).as_matrix().reshape(40, 24, 3, 3)
    transl = np.random.default_rng(0).normal(size=(40, 3))
    back, moved = humanoid.pose(humanoid.qpos(rotmats, transl))
    np.testing.assert_allclose(back, rotmats, atol=1e-5)
    np.testing.assert_allclose(moved, transl, atol=1e-5)


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_hinges_inside_their_ranges_go_to_smpl_and_back(seed) -> None:
    low, high = hinge_limits()
    angles = np.random.default_rng(seed).uniform(low, high)
    whole = np.concatenate([np.eye(3)[None], rotations(angles)])
    np.testing.assert_allclose(hinges(whole), angles, atol=1e-5)


def test_mujoco_stands_where_smpl_stands(humanoid) -> None:
    data = mujoco.MjData(humanoid.model)
    low, high = hinge_limits()
    rotmats = np.concatenate([upright(0.7)[None], rotations(np.random.default_rng(2).uniform(low, high))])
    data.qpos[:] = humanoid.qpos(rotmats, np.array([0.3, -0.2, 1.0]))
    mujoco.mj_kinematics(humanoid.model, data)
    joints, _ = forward_kinematics(rotmats, humanoid.rest, np.array([0.3, -0.2, 1.0]))
    np.testing.assert_allclose([data.body(name).xpos for name in SMPL_JOINTS], joints, atol=1e-6)
    assert len(set(TREE)) == 23


def test_weighs_what_the_person_weighs(humanoid, person) -> None:
    model = humanoid.model
    assert model.body_mass.sum() == pytest.approx(person.weight, rel=1e-6)
    left, right = (sum(model.body(f"{side}_{part}").mass[0] for part in ("hip", "knee", "ankle")) for side in
                   ("left", "right"))  # fmt: skip
    assert left == pytest.approx(right)
    assert 0.14 < left / person.weight < 0.24
    assert all(model.body(name).inertia.min() > 0 for name in SMPL_JOINTS)


def test_joint_ranges_are_those_of_the_optimiser(humanoid) -> None:
    knee = humanoid.model.joint("left_knee_x")
    np.testing.assert_allclose(knee.range, (-0.05, 2.6))
    np.testing.assert_allclose(humanoid.model.joint("right_shoulder_y").range, (-0.9, 2.2))


def _standing(humanoid, body, person):
    """A second of standing still with hanging arms, feet on the floor."""
    rotmats = np.tile(np.eye(3), (24, 1, 1))
    rotmats[0] = upright(0.0)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        rotmats[JOINT[f"{side}_shoulder"]] = Rotation.from_rotvec([0, 0, sign * 1.2]).as_matrix()
    sole = body.shaped(person.betas)[np.unique(body.faces), 1].min()
    transl = np.array([0.0, 0.0, -sole])
    # the rest pelvis stays where it is, so that soles at y = sole come to z = 0
    transl = transl - humanoid.rest[0] + np.array([0.0, 0.0, humanoid.rest[0, 1]])
    return np.repeat(rotmats[None], 20, 0), np.repeat(transl[None], 20, 0)


def test_a_limp_body_falls_and_comes_to_rest(humanoid, body, person) -> None:
    rotmats, transl = _standing(humanoid, body, person)
    buckling = {"hip": {"x": -0.7}, "knee": {"x": 1.1}, "ankle": {"x": -0.35}}
    limp = Reflex(delay=0.0, tone=0.02, decay=0.1, pose=buckling)
    muscles = Muscles.of(person.weight, person.height, person.age)
    trace = simulate(humanoid, rotmats, transl, 20.0, 10, 0.0, Event(), limp, muscles)
    start, end = trace.qpos[0, 2], trace.qpos[-1, 2]
    assert start > 0.8
    assert end < 0.3
    assert 0.4 < trace.landed < 2.5
    moved = np.abs(np.diff(trace.qpos[-20:], axis=0)).max() * RATE
    assert moved < 0.5  # of anything: metres a second, radians a second
    # nothing pushes: energy is only lost, but for the little the last of the tone adds
    assert trace.energy.max() < trace.energy[0] + 0.03 * trace.energy[0]
    assert trace.energy[-1] < 0.4 * trace.energy[0]
    again = simulate(humanoid, rotmats, transl, 20.0, 10, 0.0, Event(), limp, muscles)
    np.testing.assert_array_equal(again.qpos, trace.qpos)


def test_poses_of_the_reflex_mirror() -> None:
    angles = np.zeros(69)
    for pose in (FORWARD, BACKWARD):
        np.testing.assert_array_equal(overlaid(angles, mirror(pose)), overlaid(angles, pose))
    left = np.concatenate([np.eye(3)[None], rotations(overlaid(angles, LEFT))])
    right = np.concatenate([np.eye(3)[None], rotations(overlaid(angles, mirror(LEFT)))])
    np.testing.assert_allclose(mirror_pose(left), right, atol=1e-9)


def test_every_class_has_its_strategies() -> None:
    source: Source = FallSource(2)
    keys = source.keys()
    assert keys == sorted(keys)
    assert len(keys) == 2 * len(STRATEGIES)
    for kind in ("forward", "backward", "sideways", "from_bed", "from_chair"):
        assert sum(item.interaction_class == f"fall_{kind}" for item in STRATEGIES.values()) >= 8, kind
    assert sum(item.interaction_class == "slip_to_floor" for item in STRATEGIES.values()) >= 8
    with pytest.raises(BadOption, match="trip_forward"):
        FallSource(1, ("trip_forwards",))
    with pytest.raises(BadOption, match="key"):
        source.make("nothing_001", np.random.SeedSequence(0))


@pytest.mark.parametrize("key", KEYS)
def test_a_fall_is_seen_as_one(falls, body, key) -> None:
    motion = falls[key]
    stage = [furniture_from_json(item, key) for item in motion.meta.stage]
    found = measure_actions(motion, body, stage)
    assert found.order(0)[-2:] == ("fall", "fallen")
    truth = np.array([next(s.label for s in motion.meta.actions if t < s.end + 1e-6) for t in motion.times - 1e-9])
    labels = np.array([ACTION_INDEX[name] for name in truth])
    far = np.all([np.abs(motion.times - s.start) > 0.3 for s in motion.meta.actions], 0)
    assert (found.frame_labels[0] == labels)[far].mean() > 0.9
    assert motion.meta.interaction_class == STRATEGIES[key[:-4]].interaction_class
    assert len(motion.meta.captions) >= 4
    assert motion.meta.source["licence"]
    assert motion.meta.core is not None


@pytest.mark.parametrize("key", KEYS)
def test_a_fall_is_plausible_and_ends_still(falls, body, key) -> None:
    motion = falls[key]
    quality = motion.meta.quality
    assert DURATION[0] <= quality["fall_seconds"] <= DURATION[1]
    assert SPEED[0] * 0.7 <= quality["peak_pelvis_speed"] <= SPEED[1]
    skin = vertices(body, motion.betas[0], motion.rotations()[0][::2], motion.transl[0][::2], 2)
    assert skin[..., 2].min() > -0.02
    assert skin[-1, :, 2].min() < 0.02
    joints, _ = forward_kinematics(motion.rotations()[0], body.rest_joints(motion.betas[0]), motion.transl[0])
    still = joints[round(quality["rest"] * motion.fps) + 1 :]
    assert np.linalg.norm(np.diff(still, axis=0), axis=-1).max() * motion.fps < 0.05
    assert joints[-1, 0, 2] < 0.3
    # captured and simulated movement join without a jump: no joint leaps within a frame
    steps = np.linalg.norm(np.diff(joints[: round(quality["event"] * motion.fps) + 4], axis=0), axis=-1)
    assert steps.max() * motion.fps < 5.0


@pytest.mark.parametrize(("key", "way"), [item for item in KEYS.items() if item[1]])
def test_a_fall_goes_where_it_says(falls, body, key, way) -> None:
    motion = falls[key]
    event = round(motion.meta.quality["event"] * motion.fps)
    rest = body.rest_joints(motion.betas[0])
    joints, world = forward_kinematics(motion.rotations()[0], rest, motion.transl[0])
    ahead = world[event, 0, :2, 2] / np.linalg.norm(world[event, 0, :2, 2])
    off = joints[-1, JOINT["head"], :2] - joints[event, [JOINT["left_ankle"], JOINT["right_ankle"]], :2].mean(0)
    along, across = float(off @ ahead), float(abs(off @ np.array([-ahead[1], ahead[0]])))
    face_up = world[-1, JOINT["spine2"], 2, 2]
    if way == "forward":
        assert along > 0.5
        assert face_up < 0.6
    elif way == "backward":
        assert along < -max(0.35, across / 1.4)
        assert face_up > -0.3
    else:
        assert across > max(0.5, 0.7 * abs(along))


def test_what_falls_the_other_way_is_rejected(body) -> None:
    real = STRATEGIES["stiff_backward"]
    wrong = replace(real, plan=lambda scene: replace(real.plan(scene), way="forward"))
    with pytest.raises(Rejected, match="instead of forward"):
        make_fall(wrong, np.random.SeedSequence(SEED), body)


def test_who_lies_on_the_back_gets_up_from_there(body, person) -> None:
    scene = Scene(body, person, np.random.default_rng(4))
    rest = body.rest_joints(person.betas).astype(float)
    _, start = scene.captured(("lie_down_03",), (1.0, 1.0), flip=False)
    lying = Track(start.transl + rest[0], start.rotmats).moved(0.8, np.array([1.0, 2.0, 0.0]))
    rise = rising(scene, lying, rest)
    assert rise is not None
    np.testing.assert_allclose(rise.track.pelvis[0], lying.pelvis[-1], atol=0.01)
    turned = np.swapaxes(rise.track.rotmats[0], -1, -2) @ lying.rotmats[-1]
    assert np.arccos(np.clip((np.trace(turned, axis1=-2, axis2=-1) - 1) / 2, -1, 1)).max() < 0.05
    assert rise.track.pelvis[-1, 2] > 0.7
    assert rise.labels[0][0] in ("lying", "fallen")
    assert rise.labels[-1][0] in ("stand_up", "standing")
    prone = lying.moved(0.0, np.zeros(3))
    over = Rotation.from_rotvec([0, np.pi, 0]).as_matrix()  # about the body's long axis
    prone.rotmats[-1, 0] = prone.rotmats[-1, 0] @ over
    assert rising(scene, prone, rest) is None


def test_the_same_seed_gives_the_same_bytes(falls, body, tmp_path) -> None:
    key = "trip_forward_000"
    FallSource(1, body=body).make(key, np.random.SeedSequence(SEED)).save(tmp_path / "b.npz")
    falls[key].save(tmp_path / "a.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("pause", [0.0, 0.05, 0.4])
def test_a_fall_begins_where_the_way_down_does_though_it_rests_on_its_knees(pause: float) -> None:
    """Half a second of standing, down to the knees, a rest there, and down; the head is lowered twice as far."""
    drop = np.interp(np.arange(0, 2.5, 1 / RATE), np.cumsum([0.5, 0.4, pause, 0.3]), [0.0, 0.5, 0.5, 0.7])
    heights = np.stack([0.9 - drop, 1.6 - 2 * drop], 1)
    landed = round((1.2 + pause) * RATE)
    assert descent(heights, landed, RATE) == pytest.approx(0.5 * RATE, abs=2)


def test_who_bends_before_falling_does_not_fall_yet() -> None:
    """The head comes down and waits, then all of it."""
    time = np.arange(0, 2.5, 1 / RATE)
    pelvis = 0.9 - np.interp(time, [1.5, 2.0], [0, 0.7])
    head = 1.6 - np.interp(time, [0.5, 0.9, 1.5, 2.0], [0, 0.6, 0.6, 1.5])
    assert descent(np.stack([pelvis, head], 1), round(2.0 * RATE), RATE) == pytest.approx(1.5 * RATE, abs=2)
