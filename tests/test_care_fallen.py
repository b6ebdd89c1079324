"""Staff who rush to a fallen patient and staff who catch a fall: what the scripts hold, touch and say."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from synth.body import load_body
from synth.body.shape import draw_person
from synth.corpus import gate
from synth.corpus.care import keyed
from synth.corpus.care.captions import told
from synth.corpus.care.pairs import LIMITS, _bound, make_pair
from synth.corpus.care.registry import CAPTIONS, SCRIPTS, VARIANTS, script_of
from synth.corpus.care.script import PATIENT, STAFF
from synth.corpus.care.strategies import Cast
from synth.motion.actions import measure_actions
from synth.motion.agreement import compare
from synth.motion.proxies import proxies_of
from synth.rotation import matrix_to_axis_angle
from synth.skeleton import JOINT, forward_kinematics
from synth.taxonomy import INTERACTIONS

MOCAP = Path(__file__).parents[2] / "shared" / "data" / "mocap"
MOCAP = MOCAP if MOCAP.is_dir() else Path(__file__).parents[3] / "shared" / "data" / "mocap"
needs_captures = pytest.mark.skipif(not MOCAP.is_dir(), reason="the captures are not here")
RUSH, CATCH = "staff_rushes_to_fallen_patient", "fall_caught_by_staff"


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def source(body):
    return _bound(str(MOCAP), body)


@pytest.fixture(scope="module")
def cast(body, source):
    people = [draw_person(role, np.random.default_rng(5), body) for role in ("patient", "staff")]
    shapes = [np.asarray(person.betas, float) for person in people]
    rest = [proxies_of(body, shape).rest_joints for shape in shapes]
    return Cast(source, (shapes[0], shapes[1]), (rest[0], rest[1]))


@pytest.mark.parametrize("name", [RUSH, CATCH])
def test_a_class_is_told_in_eight_ways_and_six_sentences(name: str) -> None:
    assert name in INTERACTIONS
    assert name in SCRIPTS
    assert len(set(VARIANTS[name])) == len(VARIANTS[name]) >= 8
    assert len({variant.strategy for variant in VARIANTS[name]}) == len(VARIANTS[name])
    assert len(set(CAPTIONS[name])) >= 6


@needs_captures
@pytest.mark.parametrize("name", [RUSH, CATCH])
def test_every_variant_before_it_is_solved(name: str, cast: Cast) -> None:
    seen = []
    for index, variant in enumerate(VARIANTS[name]):
        script = script_of(name, variant, cast, np.random.default_rng([3, index]))
        assert 4.0 <= script.seconds <= 12.0
        assert script.roles == ("patient", "staff")
        assert script.core is not None
        assert 0 <= script.core[0] < script.core[1] <= script.seconds
        assert script.holds
        assert all((hold.person, hold.other) == (STAFF, PATIENT) for hold in script.holds)
        for person in (PATIENT, STAFF):
            mine = [action for action in script.actions if action.person == person]
            assert mine[0].start == 0.0
            assert mine[-1].end == pytest.approx(script.seconds)
            assert all(a.start < a.end == b.start for a, b in itertools.pairwise(mine))
        for sentence in told(CAPTIONS[name], script.facts, "female", np.random.default_rng(1)):
            assert "{" not in sentence
        seen.append(np.concatenate([actor.track.pelvis[:60].ravel() for actor in script.actors]))
        lowest = min(actor.track.pelvis[:, 2].min() for actor in script.actors)
        assert lowest < 0.8  # somebody goes down
    apart = [np.abs(a - b).max() for i, a in enumerate(seen) for b in seen[:i]]
    assert min(apart) > 0.01


@needs_captures
@pytest.mark.parametrize(("name", "index", "shorter"), [(RUSH, 5, {"stays": 2.0}), (CATCH, 5, {})])
def test_a_solved_one_keeps_its_promises(name: str, index: int, shorter: dict, body, source) -> None:
    variant = replace(VARIANTS[name][index], **shorter)  # a shorter one is solved sooner
    motion = make_pair(name, "x", variant, body, source, np.random.default_rng([7, index]))
    quality = motion.meta.quality
    assert all(quality.get(key, 0.0) <= limit for key, limit in LIMITS.items())
    actions = measure_actions(motion, body)
    for said, found in compare(motion, body, actions):
        assert np.mean(said == found) > 0.95
    for role, steps in gate.SHOWS[name]:
        assert gate._in_order(actions.order(motion.meta.roles.index(role)), steps)
    if name == RUSH:  # comes from afar, fast, and ends within reach of somebody who never moved
        pelvis = motion.transl[:, :, :2]
        assert np.linalg.norm(pelvis[1, 0] - pelvis[0, 0]) > 2.0
        assert np.linalg.norm(np.diff(pelvis[1], axis=0), axis=-1).max() * motion.fps > 1.3
        assert np.ptp(pelvis[0], axis=0).max() < 0.02


def test_a_caught_fall_is_no_fall_to_the_gate() -> None:
    assert CATCH not in gate.LANDED
    assert {"fall_forward", "fall_from_bed", "slip_to_floor"} <= set(gate.LANDED)
    assert gate.SHOWS[CATCH] != gate.SHOWS["fall_forward"]


def test_keyed_legs_reach_their_feet(body) -> None:
    rest = np.asarray(body.rest_joints(np.zeros(10, np.float32)), float)
    times = np.arange(21) / 20
    down = keyed.over_knee(rest)
    stands = [keyed.FootKey(0.0, 0.1, 0.12, 0.2)]
    kneels = [keyed.FootKey(0.0, -0.1, -0.12, 0.0), keyed.FootKey(1.0, -0.1, -0.12, 0.0, heel=keyed.TUCKED)]
    knee = keyed.knee_of(kneels[-1], rest)
    body_keys = [keyed.BodyKey(0.0, 0.0, 0.0, 0.88, 0.0), keyed.BodyKey(1.0, knee[0], -0.04, down, 0.0, 0.3)]
    track = keyed.keyed_track(times, body_keys, {"left": stands, "right": kneels}, rest)
    joints, _ = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    ankle, toes = joints[:, JOINT["left_ankle"]], joints[:, JOINT["right_foot"]]
    np.testing.assert_allclose(ankle[:, :2], [[0.1, 0.12]] * 21, atol=0.01)
    assert np.ptp(toes, axis=0).max() < 0.01  # the ball stays where it is while the heel comes up
    np.testing.assert_allclose(joints[-1, JOINT["right_knee"], 2], keyed.KNEE, atol=0.03)
    np.testing.assert_allclose(joints[-1, JOINT["right_knee"], :2], knee, atol=0.05)
    bend = matrix_to_axis_angle(track.rotmats[:, JOINT["left_knee"]])
    assert (bend[:, 0] > 0).all()
    assert np.abs(bend[:, 1:]).max() < 0.2  # knees are hinges
