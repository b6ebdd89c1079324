"""Falls come down as fast as those they were learned from; what is fast enough, and everything else, stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from synth.body import BodyModel, load_body
from synth.corpus.library import entry
from synth.diffusion.pace import MOST, quickened, sinking
from synth.interaction import Interaction


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


def slowed(motion: Interaction, factor: float) -> Interaction:
    """The middle 40 % at a fraction of its speed, as a sampler's mean has it."""
    rate = np.ones(round(motion.frames * (1 + 0.4 * (factor - 1))))
    middle = round(0.3 * motion.frames)
    rate[middle : middle + round(0.4 * factor * motion.frames)] = 1 / factor
    times = np.concatenate([[0.0], np.cumsum(rate[:-1])]) / motion.fps
    return motion.warp(times[times < motion.seconds])


def peak(motion: Interaction, rest: np.ndarray) -> float:
    return float(sinking(motion, rest).max())


@pytest.mark.parametrize(("name", "factor"), [("fall_forward_01", 1.3), ("slip_to_floor_01", 1.45)])
def test_a_slow_fall_gets_the_scenarios_speed(body: BodyModel, name: str, factor: float) -> None:
    scenario = entry(name).load().resample(20.0)
    rest = np.asarray(body.rest_joints(scenario.betas), float)
    slow = slowed(scenario, factor)
    assert peak(slow, rest) < 0.85 * peak(scenario, rest)
    made = quickened(slow, scenario, rest)
    assert peak(made, rest) == pytest.approx(peak(scenario, rest), rel=0.02)
    assert made.frames < slow.frames
    # who lies where is the same, and so is the time before the fall
    np.testing.assert_allclose(made.transl[0, -1], slow.transl[0, -1], atol=0.02)
    np.testing.assert_allclose(made.transl[0, :10], slow.transl[0, :10], atol=1e-3)
    assert peak(quickened(made, scenario, rest), rest) <= 1.02 * peak(scenario, rest)


def test_what_is_fast_enough_stays_and_nobody_is_sped_up_beyond_belief(body: BodyModel) -> None:
    scenario = entry("fall_forward_01").load().resample(20.0)
    rest = np.asarray(body.rest_joints(scenario.betas), float)
    assert quickened(scenario, scenario, rest) is scenario
    standing = scenario.warp(np.linspace(0, 0.01, 40))
    assert quickened(standing, scenario, rest) is standing
    crawling = slowed(scenario, 3.0)
    assert peak(quickened(crawling, scenario, rest), rest) <= 1.02 * MOST * peak(crawling, rest)


def test_warping_moves_labels_with_the_motion() -> None:
    motion = entry("fall_forward_01").load()
    motion = replace(motion, meta=replace(motion.meta, core=(1.0, 2.0)))
    same = motion.warp(motion.times)
    np.testing.assert_allclose(same.transl, motion.transl, atol=1e-6)
    assert same.meta == motion.meta
    double = motion.warp(np.arange(0, motion.times[-1], 2 / motion.fps))  # twice as fast
    assert double.meta.core == pytest.approx((0.5, 1.0))
    assert [(a.label, a.end) for a in double.meta.actions] == [
        (a.label, pytest.approx(a.end / 2, abs=2 / motion.fps)) for a in motion.meta.actions
    ]
    with pytest.raises(ValueError, match="grow"):
        motion.warp(np.array([0.0, 0.0]))
