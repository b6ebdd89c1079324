"""Sampling in a room: what the network is told is in its frame, and what it says comes back into the room's world."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from synth.body import load_body
from synth.corpus.library import library
from synth.corpus.rows import FEATURES, centred, to_rows
from synth.diffusion.checkpoint import Model
from synth.diffusion.config import TrainConfig
from synth.diffusion.data import Condition
from synth.diffusion.denoiser import Denoiser, DenoiserConfig
from synth.diffusion.features import Moments
from synth.diffusion.sample import Sampling, Scenario, sample, without_labels
from synth.diffusion.samplers import SAMPLERS
from synth.errors import BadOption
from synth.interaction import Interaction
from synth.rooms import load_room
from synth.rotation import yaw_matrix
from synth.skeleton import forward_kinematics
from synth.text import WIDTH, TokenEmbeddings

CONFIG = TrainConfig(model=DenoiserConfig(width=32, layers=1, heads=2))
BODY = load_body()


class Knowing(nn.Module):
    """A network that knows the answer, and keeps what it was told."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer, self.told = answer, []

    def forward(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        self.told.append(condition)
        return self.answer.repeat(len(x) // len(self.answer), 1, 1, 1)


def words(count: int) -> TokenEmbeddings:
    return TokenEmbeddings(np.ones((count, 3, WIDTH), np.float32), np.ones((count, 3), bool))


def moments() -> Moments:
    return Moments(torch.linspace(-0.5, 0.5, FEATURES), torch.linspace(0.5, 1.5, FEATURES))


@pytest.fixture(scope="module")
def pair() -> Interaction:
    """Two people somewhere in a room, at the model's rate."""
    motion = next(item for item in library() if item.id == "help_up_from_chair_01").load().resample(20.0)
    rest = np.asarray(BODY.rest_joints(motion.betas), float)[:, 0]
    return motion.transform(yaw_matrix(2.0), np.array([1.3, -0.7, 0.0]), rest)


def joints_of(motion: Interaction) -> np.ndarray:
    rest = np.asarray(BODY.rest_joints(motion.betas), float)
    return forward_kinematics(motion.rotations(), rest[:, None], motion.transl)[0]


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_who_knows_the_answer_gives_the_motion_back_where_it_was(pair: Interaction, sampler: str) -> None:
    frames = 80
    known = moments()
    rows, _ = to_rows(pair, BODY)
    answer = known.normalise(torch.from_numpy(centred(rows[:, :frames].copy())[..., :FEATURES]).float())[None]
    net = Knowing(answer)
    model = Model(net, CONFIG, known, 20.0, {})  # type: ignore[arg-type]
    scenario = Scenario(without_labels(pair), "up")
    (made,) = sample(
        model, [scenario], words(1), frames / 20, BODY, np.random.SeedSequence(1),
        Sampling(sampler, count=5, physics=None),
    )  # fmt: skip
    assert made.frames == frames
    np.testing.assert_allclose(joints_of(made)[:, :, :22], joints_of(pair)[:, :frames, :22], atol=2e-4)
    told: Condition = net.told[0]
    first = known.denormalise(told.start[0, 0])
    np.testing.assert_allclose(first[135:137], 0, atol=1e-5)  # the first person's pelvis is over the origin


def test_furniture_is_told_where_it_is_from_the_first_person(pair: Interaction) -> None:
    room = load_room("ward_03")
    chair = room.of_class("chair")[0]
    net = Knowing(torch.zeros(1, 2, 40, FEATURES))
    model = Model(net, CONFIG, moments(), 20.0, {})  # type: ignore[arg-type]
    start = without_labels(pair)
    scenario = Scenario.in_room(start, "up", room, [chair])
    assert chair.id not in {piece.id for piece in scenario.around}
    sample(model, [scenario], words(1), 2.0, BODY, np.random.SeedSequence(1), Sampling(count=2))
    told: Condition = net.told[0]
    (token,) = told.furniture[0][told.furniture_mask[0]]
    pelvis = joints_of(start)[0, 0, 0]
    away = np.linalg.norm(np.asarray(chair.box.center)[:2] - pelvis[:2])
    assert float(torch.linalg.norm(token[14:16])) == pytest.approx(away, abs=1e-4)


def test_the_same_seed_gives_the_same_motion_and_another_another(pair: Interaction) -> None:
    torch.manual_seed(0)
    net = Denoiser(CONFIG.model).eval()
    nn.init.normal_(net.motion_out.weight, std=0.02)
    model = Model(net, CONFIG, moments(), 20.0, {})
    scenario = Scenario(without_labels(pair), "up")
    a, b, c = (
        sample(
            model, [scenario] * 2, words(2), 2.0, BODY, np.random.SeedSequence(seed), Sampling(count=3, physics=None)
        )
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(a[0].transl, b[0].transl)
    assert np.abs(a[0].transl - c[0].transl).max() > 1e-4
    assert np.abs(a[0].transl - a[1].transl).max() > 1e-4


@pytest.mark.parametrize("seconds", [0.5, 30.0, float("nan")])
def test_lengths_that_no_model_knows_are_refused(pair: Interaction, seconds: float) -> None:
    model = Model(Denoiser(CONFIG.model), CONFIG, moments(), 20.0, {})
    with pytest.raises(BadOption, match="2 to 12"):
        sample(model, [Scenario(pair, "up")], words(1), seconds, BODY, np.random.SeedSequence(1))
    with pytest.raises(BadOption, match="dpmpp_2m"):
        replace(Sampling(), sampler="euler")
