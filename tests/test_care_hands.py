"""Scripts in which staff's hands do the work: into bed, and things that change hands."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth.body import load_body
from synth.body.shape import draw_person
from synth.corpus.care import abed, handing
from synth.corpus.care.captions import told
from synth.corpus.care.pairs import LIMITS, _bound, make_pair, mirrored
from synth.corpus.care.reach import palm, reaching
from synth.corpus.care.registry import CAPTIONS, VARIANTS, script_of
from synth.corpus.care.script import FPS, PATIENT, STAFF, Script
from synth.corpus.care.strategies import Cast
from synth.interaction import Interaction
from synth.motion.actions import measure_actions
from synth.motion.adapt import adapt
from synth.motion.agreement import compare
from synth.motion.carry import Grip, followed, weights
from synth.motion.evidence import hold_way, prop_contacts
from synth.motion.proxies import points_of, proxies_of
from synth.motion.quality import state_of
from synth.room import furniture_from_json
from synth.rotation import axis_angle_to_matrix
from synth.taxonomy import INTERACTIONS

MOCAP = Path(__file__).parents[2] / "shared" / "data" / "mocap"
MOCAP = MOCAP if MOCAP.is_dir() else Path(__file__).parents[3] / "shared" / "data" / "mocap"
needs_captures = pytest.mark.skipif(not MOCAP.is_dir(), reason="the captures are not here")
FAMILIES = (abed, handing)
NAMES = tuple(name for family in FAMILIES for name in family.BUILDERS)


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def source(body):
    return _bound(str(MOCAP), body)


@pytest.fixture(scope="module")
def cast(body, source) -> Cast:
    rng = np.random.default_rng(5)
    shapes = [np.asarray(draw_person(role, rng, body).betas, float) for role in ("patient", "staff")]
    return Cast(source, (shapes[0], shapes[1]), tuple(proxies_of(body, shape).rest_joints for shape in shapes))


@pytest.fixture(scope="module")
def scripts(cast) -> dict[tuple[str, int], Script]:
    return {
        (name, index): script_of(name, variant, cast, np.random.default_rng([3, index]))
        for name in NAMES
        for index, variant in enumerate(VARIANTS[name])
    }


@pytest.fixture(scope="module")
def handed(body, source) -> Interaction:
    variant = VARIANTS["hand_over_object"][0]
    return make_pair("hand_over_object", "h", variant, body, source, np.random.default_rng(11))


def palms(motion: Interaction, body) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Palm and hold [T, 3] of every contact with a prop, and when it is said to be."""
    proxies = [proxies_of(body, betas) for betas in motion.betas]
    state, found = state_of(motion, proxies), []
    for contact, prop in prop_contacts(motion):
        where = points_of(proxies, [(contact.person, contact.target["own_spot"])]).where(state)[0].numpy()
        way = hold_way(prop, contact.target["spot"], motion.fps, motion.times)
        found.append((where, way, (motion.times >= contact.start) & (motion.times <= contact.end)))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_class_is_told_in_eight_ways_and_in_words(name: str) -> None:
    assert name in INTERACTIONS
    assert len(set(VARIANTS[name])) == len(VARIANTS[name]) >= 8
    assert len({variant.strategy for variant in VARIANTS[name]}) == len(VARIANTS[name])
    assert len(CAPTIONS[name]) >= 6


@needs_captures
def test_scripts_last_and_say_what_they_do(scripts) -> None:
    for (name, index), script in scripts.items():
        where = f"{name} {index + 1}"
        assert 4.0 <= script.seconds <= 12.0, where
        assert script.roles == ("patient", "staff")
        assert all(actor.track.frames == round(script.seconds * FPS) for actor in script.actors), where
        for person in (PATIENT, STAFF):
            said = [action for action in script.actions if action.person == person]
            assert (said[0].start, said[-1].end) == (0.0, pytest.approx(script.seconds)), where
            assert all(a.end == pytest.approx(b.start) for a, b in itertools.pairwise(said)), where
        for hold in (*script.holds, *script.prop_holds):
            assert 0.0 <= hold.start < hold.end <= script.seconds + 1e-6, where
        told_ = told(CAPTIONS[name], script.facts, "female", np.random.default_rng(0))
        assert len(told_) >= 4, (where, told_)
        assert not any("{" in text or "  " in text for text in told_), (where, told_)
    assert {action.label for (name, _), s in scripts.items() if name == "assist_lie_down" for action in s.actions} >= {
        "standing", "sit_down", "sitting", "lie_down", "lying",
    }  # fmt: skip


@needs_captures
def test_things_change_hands_in_the_middle_and_both_hold_them(scripts) -> None:
    items, sides, givers = set(), set(), set()
    for (name, index), script in scripts.items():
        if name != "hand_over_object":
            continue
        giver, taker = script.prop_holds[:2]
        assert giver.start == 0.0
        assert taker.end == pytest.approx(script.seconds)
        assert giver.person != taker.person
        assert 0.4 <= giver.end - taker.start <= 1.2
        assert 0.3 <= 0.5 * (giver.end + taker.start) / script.seconds <= 0.75, index
        items.add(script.props[0].cls)
        sides.add(giver.spot)
        givers.add(giver.person)
        step = np.linalg.norm(np.diff(script.props[0].transl, axis=0), axis=-1) * FPS
        assert step.max() < 2.5, (index, step.max())  # metres a second: it is never thrown
    assert len(items) >= 6
    assert len(sides) == 2
    assert len(givers) == 2


@needs_captures
def test_a_handed_thing_is_always_in_a_hand(handed, body) -> None:
    assert max(handed.meta.quality.get(key, 0.0) / limit for key, limit in LIMITS.items()) <= 1.0
    held = palms(handed, body)
    assert np.any([on for *_, on in held], axis=0).all()
    for where, way, on in held:
        assert np.linalg.norm(where - way, axis=-1)[on].max() < 0.02
    for said, measured in compare(handed, body, measure_actions(handed, body)):
        assert np.mean(said == measured) > 0.95
    back = mirrored(mirrored(handed, body), body)
    np.testing.assert_allclose(back.props[0].poses(), handed.props[0].poses(), atol=1e-5)
    for where, way, on in palms(mirrored(handed, body), body):
        assert np.linalg.norm(where - way, axis=-1)[on].max() < 0.02


@needs_captures
def test_on_other_bodies_it_is_in_their_hands(handed, body) -> None:
    rng = np.random.default_rng(2)
    betas = np.stack([draw_person(role, rng, body).betas for role in handed.meta.roles])
    made = adapt(handed, {}, betas, body, None)
    for where, way, on in palms(made, body):
        assert np.linalg.norm(where - way, axis=-1)[on].max() < 0.03
    assert not np.allclose(made.props[0].transl, handed.props[0].transl, atol=1e-4)


@needs_captures
def test_staff_lays_somebody_down(body, source) -> None:
    variant = VARIANTS["assist_lie_down"][1]
    motion = make_pair("assist_lie_down", "a", variant, body, source, np.random.default_rng(4))
    quality = motion.meta.quality
    assert quality["contact_max"] < 0.03
    assert quality["partner_depth"] < 0.03
    assert quality["furniture_depth"] < 0.03
    stage = [furniture_from_json(item, "stage") for item in motion.meta.stage]
    measured = measure_actions(motion, body, stage)
    assert measured.order(PATIENT)[-2:] == ("lie_down", "lying")
    for said, found in compare(motion, body, measured):
        assert np.mean(said == found) > 0.95


@needs_captures
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_palm_reaches_what_is_in_reach(side: str, cast) -> None:
    track = cast.piece(STAFF, "idle", 0.0, 2.0).placed(0, 0.4, np.zeros(2))
    there, _ = palm(track, cast.rest[STAFF], side)
    target = there + np.array([0.30 * np.cos(0.4), 0.30 * np.sin(0.4), 0.28])
    made = reaching(track, cast.rest[STAFF], side, target, np.ones(track.frames))
    got, _ = palm(made, cast.rest[STAFF], side)
    assert np.linalg.norm(got - target, axis=-1).max() < 0.02
    same = reaching(track, cast.rest[STAFF], side, target, np.zeros(track.frames))
    np.testing.assert_allclose(same.rotmats, track.rotmats, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.3, 2.0), st.floats(0.2, 1.0), st.integers(0, 1000))
def test_a_thing_goes_over_smoothly_and_is_where_its_only_holder_is(begin: float, both: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.arange(80) / 20
    turned = axis_angle_to_matrix(np.cumsum(rng.normal(0, 0.02, (80, 3)), 0))
    holds = rng.normal(0, 0.1, (2, 3))
    origin = np.cumsum(rng.normal(0, 0.01, (80, 3)), 0)
    off = rng.normal(0, 0.01, 3)  # what the second palm is out by
    first = Grip(origin + turned @ holds[0], holds[0], 0.0, begin + both)
    second = Grip(origin + turned @ holds[1] + off, holds[1], begin, 4.0)
    found = followed(times, turned, [first, second], np.full((80, 3), np.nan))
    np.testing.assert_allclose(found[times < begin], origin[times < begin], atol=1e-9)
    np.testing.assert_allclose(found[times > begin + both], (origin + off)[times > begin + both], atol=1e-9)
    np.testing.assert_allclose(np.sum(weights(times, [first, second]), 0), 1.0, atol=1e-9)
    way = np.linalg.norm(np.diff(found - origin, axis=0), axis=-1)
    assert way.max() <= np.linalg.norm(off) * min(1.0, 1.6 * 0.05 / both) + 1e-9


def test_a_hand_that_only_touches_carries_nothing() -> None:
    times = np.arange(40) / 20
    still = np.zeros((40, 3))
    holder, toucher = Grip(still, np.zeros(3), 0.0, 2.0), Grip(still + 1.0, np.zeros(3), 0.5, 1.0)
    found = followed(times, np.tile(np.eye(3), (40, 1, 1)), [holder, toucher], still + 5.0)
    np.testing.assert_array_equal(found, still)
