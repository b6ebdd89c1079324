"""Scripts with walkers, beds and wheelchairs: what they hold and say, on the bodies that they were made for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synth.body import load_body
from synth.corpus.care import aids, bed, transfer, wheelchair
from synth.corpus.care.pairs import _bound, make_pair, mirrored
from synth.corpus.care.registry import CAPTIONS, VARIANTS
from synth.interaction import Interaction
from synth.motion.actions import measure_actions
from synth.room import furniture_from_json
from synth.taxonomy import ACTIONS, INTERACTIONS, POSTURES

MOCAP = Path(__file__).parents[2] / "shared" / "data" / "mocap"
MOCAP = MOCAP if MOCAP.is_dir() else Path(__file__).parents[3] / "shared" / "data" / "mocap"
BUILDERS = {**aids.BUILDERS, **bed.BUILDERS, **wheelchair.BUILDERS, **transfer.BUILDERS}
needs_captures = pytest.mark.skipif(not MOCAP.is_dir(), reason="the captures are not here")


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def made(body):
    source, cache = _bound(str(MOCAP), body), {}

    def make(name: str, index: int = 0, again: bool = False) -> Interaction:
        if again or (name, index) not in cache:
            variant, rng = VARIANTS[name][index], np.random.default_rng([7, index])
            cache[name, index] = make_pair(name, f"{name}_{index}", variant, body, source, rng)
        return cache[name, index]

    return make


def test_every_class_is_told_in_eight_ways() -> None:
    for name in BUILDERS:
        assert name in INTERACTIONS
        assert len(set(VARIANTS[name])) == len(VARIANTS[name]) >= 8
        assert len(CAPTIONS[name]) >= 6


# of the ways into bed and out of it those that go over the elbow
BEST = {"lie_down_alone": 1, "get_out_of_bed_alone": 1}


@needs_captures
@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_contacts_bodies_and_labels_agree(name: str, made, body) -> None:
    motion = made(name, BEST.get(name, 0))
    assert 4.0 <= motion.seconds <= 12.0
    quality = motion.meta.quality
    assert quality.get("contact_max", 0.0) < 0.03
    assert quality["foot_slide"] < 0.008
    assert max(quality.get(key, 0.0) for key in ("partner_depth", "furniture_depth", "prop_depth")) < 0.03
    assert max(quality[f"floor_depth_{person}"] for person in range(motion.people)) < 0.02
    actions = measure_actions(motion, body, [furniture_from_json(item, "stage") for item in motion.meta.stage])
    for person in range(motion.people):
        said = [action for action in motion.meta.actions if action.person == person]
        edges = np.array([action.start for action in said[1:]])
        clear = np.array([np.abs(edges - time).min(initial=1.0) > 0.3 for time in motion.times])
        words = [next(a.label for a in reversed(said) if a.start <= time + 1e-6) for time in motion.times]
        found = [ACTIONS[index] for index in actions.frame_labels[person]]
        agree = [a == b for a, b, counted in zip(words, found, clear, strict=True) if counted]
        assert np.mean(agree) > 0.95
    assert motion.meta.source["licence"]


@needs_captures
def test_a_walker_rolls_ahead_and_never_sideways(made, body) -> None:
    motion = made("walk_with_walker", 1)  # along a curve
    pose = motion.props[0].poses()
    step = np.diff(pose[:, :3, 3], axis=0)
    along, across = (np.einsum("ti,ti->t", step, pose[:-1, :3, axis]) for axis in (1, 0))
    assert along.min() > -1e-6
    assert np.abs(across).max() < 0.002
    aided = POSTURES.index("walking_with_walking_aid")
    assert (measure_actions(motion, body).frame_postures[0] == aided).mean() > 0.8


@needs_captures
def test_twice_the_same_and_twice_mirrored_itself(made, body) -> None:
    first = made("walk_with_walker", 0)
    assert made("walk_with_walker", 0, again=True).transl.tobytes() == first.transl.tobytes()
    back = mirrored(mirrored(first, body), body)
    np.testing.assert_allclose(back.transl, first.transl, atol=1e-5)
    np.testing.assert_allclose(back.props[0].poses(), first.props[0].poses(), atol=1e-5)
