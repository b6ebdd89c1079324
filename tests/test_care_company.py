"""Scripts of being with somebody: talk on the feet, talk at the bedside, touches that comfort."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from synth.body import load_body
from synth.corpus.care.captions import told
from synth.corpus.care.pairs import LIMITS, _bound, make_pair
from synth.corpus.care.registry import CAPTIONS, VARIANTS, script_of
from synth.corpus.care.script import FPS, PATIENT, STAFF, Script
from synth.corpus.care.strategies import Cast
from synth.corpus.care.timing import retimed
from synth.corpus.gate import _in_order
from synth.motion.actions import measure_actions, measure_joints
from synth.motion.agreement import compare
from synth.motion.evaluate import measure_all
from synth.motion.evidence import palm_turn
from synth.motion.mesh import Skin, signed_distance
from synth.motion.proxies import proxies_of
from synth.room import furniture_from_json
from synth.skeleton import JOINT, forward_kinematics
from synth.taxonomy import ACTIONS, INTERACTIONS

MOCAP = Path(__file__).parents[2] / "shared" / "data" / "mocap"
MOCAP = MOCAP if MOCAP.is_dir() else Path(__file__).parents[3] / "shared" / "data" / "mocap"
needs_captures = pytest.mark.skipif(not MOCAP.is_dir(), reason="the captures are not here")
NAMES = ("talk_standing", "talk_at_bedside", "comfort_touch")
ALL = [(name, index) for name in NAMES for index in range(len(VARIANTS[name]))]


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def source(body):
    return _bound(str(MOCAP), body)


@pytest.fixture(scope="module")
def scripts(body, source) -> dict[tuple[str, int], tuple[Script, np.ndarray]]:
    """All scripts on the mean body, unsolved, with their joints [2, T, 24, 3]."""
    rest = proxies_of(body, np.zeros(10)).rest_joints
    cast = Cast(source, (np.zeros(10), np.zeros(10)), (rest, rest))
    made = {}
    for name, index in ALL:
        script = script_of(name, VARIANTS[name][index], cast, np.random.default_rng([3, index]))
        joints = np.stack(
            [forward_kinematics(a.track.rotmats, rest, a.track.pelvis - rest[0])[0] for a in script.actors]
        )
        actions = retimed(script.actions, [actor.track for actor in script.actors], [rest, rest])
        made[name, index] = replace(script, actions=actions), joints
    return made


def test_every_class_is_told_in_eight_ways_and_six_sentences() -> None:
    for name in NAMES:
        assert name in INTERACTIONS
        assert len(set(VARIANTS[name])) == len({v.strategy for v in VARIANTS[name]}) == len(VARIANTS[name]) >= 8
        assert len(CAPTIONS[name]) >= 6


@needs_captures
@pytest.mark.parametrize("key", ALL, ids=str)
def test_a_script_says_what_is_seen_in_its_tracks(key, scripts) -> None:
    script, joints = scripts[key]
    assert 4.0 <= script.seconds <= 12.0
    assert {actor.track.frames for actor in script.actors} == {len(script.times)}
    measured = measure_joints(joints, FPS, furniture=script.furniture)
    for person in (PATIENT, STAFF):
        said = [action for action in script.actions if action.person == person]
        assert said[0].start == 0.0
        assert abs(said[-1].end - script.seconds) < 1e-6
        assert all(abs(a.end - b.start) < 1e-6 and a.label != b.label for a, b in itertools.pairwise(said))
        if any(action.label == "kneeling" for action in said):
            continue  # it is the solution that brings the knee down
        edges = np.array([action.start for action in said[1:]])
        words = [next(a.label for a in reversed(said) if a.start <= time + 1e-6) for time in script.times]
        clear = [np.abs(edges - time).min(initial=1.0) > 0.3 for time in script.times]
        found = [ACTIONS[index] for index in measured.frame_labels[person]]
        assert np.mean([a == b for a, b, counted in zip(words, found, clear, strict=True) if counted]) > 0.95
    for seed in range(3):
        for text in told(CAPTIONS[script.name], script.facts, "female", np.random.default_rng(seed)):
            assert "{" not in text
            assert "  " not in text


@needs_captures
def test_nobody_gets_up_and_only_comfort_touches(scripts) -> None:
    for (name, index), (script, joints) in scripts.items():
        patient = [action.label for action in script.actions if action.person == PATIENT]
        assert not {"stand_up", "sit_down", "lie_down"} & set(patient)
        if name != "talk_standing":
            assert len(patient) == 1
        hands = joints[STAFF][:, [JOINT["left_hand"], JOINT["right_hand"]]]
        gap = np.linalg.norm(hands[:, :, None] - joints[PATIENT][:, None], axis=-1).min((1, 2))
        if name == "talk_at_bedside":
            assert not script.holds
            assert gap.min() > 0.1, index  # a hand that comes near would be a touch that comforts
        if name == "comfort_touch":
            held = np.zeros(len(script.times), bool)
            for hold in script.holds:
                assert (hold.person, hold.other) == (STAFF, PATIENT)
                held |= (script.times >= hold.start) & (script.times <= hold.end)
            assert held.mean() > 0.35, index  # long enough to be seen
            assert not held[[0, -1]].any()


@needs_captures
def test_a_comforting_hand_lies_on_the_shoulder_or_strokes(body, source) -> None:
    index = next(i for i, v in enumerate(VARIANTS["comfort_touch"]) if v.strategy == "strokes the back")
    variant = VARIANTS["comfort_touch"][index]
    motion = make_pair("comfort_touch", "test", variant, body, source, np.random.default_rng([5, 0]))
    quality = motion.meta.quality
    assert all(quality.get(name, 0.0) <= limit for name, limit in LIMITS.items())
    measured = measure_actions(motion, body, [furniture_from_json(item, "stage") for item in motion.meta.stage])
    for person, (said, found) in enumerate(compare(motion, body, measured)):
        assert np.mean(said == found) > 0.95, person
    figures = measure_all(motion, body)
    assert figures["body_penetration_contact"] < 0.01
    assert figures["floor_penetration"] < 0.01
    assert figures["contact_gap"] < 0.03
    spots = [contact.target["spot"] for contact in motion.meta.contacts if "person" in contact.target]
    assert {"upper_back", "lower_back"} == set(spots)
    assert len(spots) >= 3  # up and down and up again
    assert set(motion.meta.roles) == {"patient", "staff"}


def test_a_flat_hand_lies_on_its_thumb_and_faces_what_it_lies_on(body) -> None:
    proxies = proxies_of(body, np.zeros(10))
    skin = Skin.of(body)
    surface = np.asarray(body.v_template, float)[skin.ids]
    for side in ("left", "right"):
        flat, palm = proxies.spot(f"{side}_hand_flat"), proxies.spot(f"{side}_hand")
        off = flat.offset - palm.offset
        assert flat.joint == palm.joint
        assert off @ flat.normal == pytest.approx(0.016, abs=1e-6)
        hand = np.isin(skin.owner, [JOINT[f"{side}_hand"], JOINT[f"{side}_wrist"]])
        beyond = (surface[hand] - (proxies.rest_joints[flat.joint] + flat.offset)) @ flat.normal
        assert beyond.max() < 0.006  # so that hardly anything of it goes into what it touches
        top = proxies.spot(f"{side}_shoulder")
        distance = signed_distance((proxies.rest_joints[top.joint] + top.offset)[None], surface, skin)
        assert 0.0 < distance[0] < 0.02
    assert palm_turn("left_hand_flat", "upper_back") < palm_turn("left_hand", "upper_back")


def test_order_of_the_gate_rows() -> None:
    from synth.corpus.gate import SHOWS

    for name in NAMES:
        roles = dict(SHOWS[name])
        assert _in_order(("walk", "standing"), roles["staff"])
        assert not _in_order(("walk",), roles["staff"])
    assert not _in_order(("standing",), dict(SHOWS["talk_at_bedside"])["patient"])
