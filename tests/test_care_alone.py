"""Scripts of one person alone: what they promise before they are solved, and one of each kind solved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synth.body import load_body
from synth.corpus.care import alone
from synth.corpus.care.limbs import BALL, Foot, Key, keyed, palm_at, reaching, shares
from synth.corpus.care.pairs import LIMITS, _bound, make_pair
from synth.corpus.care.registry import script_of
from synth.corpus.care.strategies import Cast
from synth.corpus.care.tracks import Track
from synth.interaction import Interaction
from synth.motion.actions import measure_actions
from synth.motion.agreement import compare
from synth.room import furniture_from_json
from synth.skeleton import JOINT, forward_kinematics
from synth.taxonomy import ACTIONS, INTERACTIONS

MOCAP = Path(__file__).parents[2] / "shared" / "data" / "mocap"
MOCAP = MOCAP if MOCAP.is_dir() else Path(__file__).parents[3] / "shared" / "data" / "mocap"
needs_captures = pytest.mark.skipif(not MOCAP.is_dir(), reason="the captures are not here")
# what must be said of a class, in this order
SHOWN = {
    "walk_alone": ("walk",), "sit_down_alone": ("standing", "sit_down", "sitting"),
    "stand_up_alone": ("sitting", "stand_up", "standing"), "kneel_down_alone": ("kneel_down", "kneeling"),
    "get_up_from_floor_alone": ("fallen", "stand_up", "standing"), "crawl_alone": ("crawl",),
    "pick_up_from_floor": ("standing",),
}  # fmt: skip


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def cast(body) -> Cast:
    rest = np.asarray(body.rest_joints(np.zeros(10)), float)
    return Cast(_bound(str(MOCAP), body), (np.zeros(10), np.zeros(10)), (rest, rest))


def test_classes_variants_and_captions() -> None:
    assert set(alone.BUILDERS) == set(SHOWN) <= set(INTERACTIONS)
    for name in alone.BUILDERS:
        assert len(set(alone.VARIANTS[name])) == len(alone.VARIANTS[name]) >= 8
        assert len({variant.strategy or variant for variant in alone.VARIANTS[name]}) == len(alone.VARIANTS[name])
        assert len(alone.CAPTIONS[name]) >= 6


@needs_captures
@pytest.mark.parametrize("name", sorted(SHOWN))
def test_every_variant_is_whole_before_it_is_solved(name: str, cast: Cast) -> None:
    ways = []
    for index, variant in enumerate(alone.VARIANTS[name][::2]):  # pieces take a second each to fit to a body
        script = script_of(name, variant, cast, np.random.default_rng([3, index]))
        (actor,) = script.actors
        assert 4.0 <= script.seconds <= 12.0, (2 * index, script.seconds)
        assert actor.track.frames == len(script.times)
        assert script.roles[0] in ("patient", "staff", "person")
        assert script.actions[0].start == 0.0
        assert script.actions[-1].end == pytest.approx(script.seconds)
        assert all(
            a.end == pytest.approx(b.start) for a, b in zip(script.actions[:-1], script.actions[1:], strict=True)
        )
        assert {action.label for action in script.actions} <= set(ACTIONS)
        said = iter([action.label for action in script.actions])
        assert all(label in said for label in SHOWN[name]), (index, script.actions)
        for contact in (*script.touches, *script.seats, *script.kneels, *script.holds, *script.prop_holds):
            assert contact.end > contact.start
        turns = actor.track.rotmats
        np.testing.assert_allclose(
            turns @ np.swapaxes(turns, -1, -2), np.broadcast_to(np.eye(3), turns.shape), atol=1e-5
        )
        # nothing jumps: no joint turns by half a turn in a twentieth of a second
        trace = np.einsum("tjab,tjab->tj", turns[1:], turns[:-1])
        assert trace.min() > 0.2, (index, np.unravel_index(trace.argmin(), trace.shape))
        ways.append(actor.track.pelvis[np.linspace(0, actor.track.frames - 1, 8).round().astype(int)])
    for a in range(len(ways)):
        for b in range(a):
            assert (
                np.abs(ways[a] - ways[b]).max() > 0.01
                or alone.VARIANTS[name][2 * a].mirror != alone.VARIANTS[name][2 * b].mirror
            )


# with a thing in the hand, which is the one with the most that can go wrong
@needs_captures
@pytest.mark.parametrize(("name", "index"), [("pick_up_from_floor", 0)])
def test_solved_labels_contacts_and_limits(name: str, index: int, body) -> None:
    motion: Interaction = make_pair(
        name, name, alone.VARIANTS[name][index], body, _bound(str(MOCAP), body), np.random.default_rng([11, index])
    )
    quality = motion.meta.quality
    assert all(quality.get(key, 0.0) <= limit for key, limit in LIMITS.items()), quality
    assert quality["floor_depth_0"] < 0.02
    stage = [furniture_from_json(item, "stage") for item in motion.meta.stage]
    ((said, measured),) = compare(motion, body, measure_actions(motion, body, stage))
    assert np.mean(said == measured) > 0.95
    assert len(motion.meta.captions) >= 4
    assert "{" not in "".join(motion.meta.captions)
    if motion.props:  # it lies still until it is taken, and then goes up
        height = motion.props[0].transl[:, 2]
        taken = next(c.start for c in motion.meta.contacts if "spot" in c.target)
        assert np.ptp(motion.props[0].transl[motion.times < taken - 0.1], axis=0).max() < 1e-6
        assert height[-1] - height[0] > 0.4


def test_a_hand_reaches_where_it_can_and_feet_stay_where_they_are(body) -> None:
    rest = np.asarray(body.rest_joints(np.zeros(10)), float)
    feet = Foot(0.08, 0.1), Foot(0.08, -0.1)
    times = np.arange(30) / 20
    track = keyed(times, [Key(0.0, (0.0, 0.0, 0.9), *feet), Key(1.4, (0.0, 0.0, 0.75), *feet, pitch=0.4)], rest)
    joints, world = forward_kinematics(track.rotmats, rest, track.pelvis - rest[0])
    for side, foot in zip(("left", "right"), feet, strict=True):
        ball = joints[:, JOINT[f"{side}_ankle"]] + world[:, JOINT[f"{side}_ankle"]] @ BALL
        np.testing.assert_allclose(ball[:, :2], np.broadcast_to([foot.x, foot.y], (30, 2)), atol=2e-3)
    goal = joints[:, JOINT["right_shoulder"]] + np.array([0.3, 0.0, -0.25])
    held = reaching(track, rest, "right", goal, np.ones(30), 0.0)
    palms = np.stack([palm_at(held, rest, "right", frame) for frame in range(30)])
    assert np.linalg.norm(palms - goal, axis=-1).max() < 0.01
    untouched = reaching(track, rest, "right", goal, np.zeros(30))
    np.testing.assert_allclose(untouched.rotmats, track.rotmats, atol=1e-6)
    assert isinstance(untouched, Track)
    share = shares(40, 0.8, 1.2, 0.4)
    assert share[16:25].min() == 1.0
    assert share[0] == share[-1] == 0.0
