"""Sampling in a room: what the network is told is in its frame, and what it says comes back into the room's world."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import synth
from synth.body import load_body
from synth.corpus.library import library
from synth.corpus.retrieve import NothingFits
from synth.corpus.rows import COLUMNS, FEATURES, centred, to_rows
from synth.diffusion import batch, packaged
from synth.diffusion.checkpoint import Model, save_model
from synth.diffusion.config import TrainConfig
from synth.diffusion.data import Condition
from synth.diffusion.denoiser import Denoiser, DenoiserConfig
from synth.diffusion.features import Moments
from synth.diffusion.generate import DiffusionGenerator, carried_along
from synth.diffusion.sample import Sampling, Scenario, sample, without_labels
from synth.diffusion.samplers import SAMPLERS
from synth.errors import BadFile, BadOption, Missing
from synth.interaction import Interaction, load_interaction
from synth.rooms import load_room
from synth.rotation import axis_angle_to_matrix, yaw_matrix
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
    (sampled,) = sample(
        model, [scenario], words(1), frames / 20, BODY, np.random.SeedSequence(1),
        Sampling(sampler, count=5, physics=None),
    )  # fmt: skip
    made = sampled.motion
    np.testing.assert_array_equal(sampled.stands, rows[:, :frames, COLUMNS["contacts"]] > 0.5)
    assert made.frames == frames
    np.testing.assert_allclose(joints_of(made)[:, :, :22], joints_of(pair)[:, :frames, :22], atol=2e-4)
    assert made.meta.stage == pair.meta.stage != ()  # the furniture stays where it is as well
    told: Condition = net.told[0]
    first = known.denormalise(told.start[0, 0])
    np.testing.assert_allclose(first[135:137], 0, atol=1e-5)  # the first person's pelvis is over the origin


class Blind(nn.Module):
    """A network that takes what it is given for clean, and counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int] = []

    def forward(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        self.steps.append(int(t[0]))
        return x


def test_a_draft_is_changed_as_much_as_is_asked_for(pair: Interaction) -> None:
    """At next to no strength a draft comes back where it was in the room, at full strength nothing of it is left."""
    draft = pair.scale_time(3.0 / pair.seconds)
    away = {}
    for strength in (0.002, 0.5, 1.0):
        net = Blind()
        model = Model(net, CONFIG, moments(), 20.0, {})  # type: ignore[arg-type]
        scenario = Scenario(without_labels(pair), "up", draft=pair)
        sampling = Sampling(count=20, strength=strength, physics=None)
        (made,) = sample(model, [scenario], words(1), 3.0, BODY, np.random.SeedSequence(1), sampling)
        gone = made.motion.transl - draft.transl[:, : made.motion.frames]
        away[strength] = float(np.abs(gone).mean())
        assert max(net.steps) == max(1, round(1000 * strength)) - 1
        assert len(set(net.steps)) == min(max(1, round(20 * strength)), round(1000 * strength))
    assert away[0.002] < 0.05 < away[0.5] < away[1.0]
    with pytest.raises(BadOption, match="strength"):
        Sampling(strength=0.0)


def test_furniture_is_told_where_it_is_from_the_first_person(pair: Interaction) -> None:
    room = load_room("ward_03")
    chair = room.of_class("chair")[0]
    net = Knowing(torch.zeros(1, 2, 40, FEATURES))
    model = Model(net, CONFIG, moments(), 20.0, {})  # type: ignore[arg-type]
    start = without_labels(pair)
    scenario = Scenario.in_room(start, "up", room, [chair])
    assert chair.id not in {piece.id for piece in scenario.around}
    goal = joints_of(start)[:, -1, 0, :2] + [0.5, -0.25]
    sample(model, [replace(scenario, ends=goal)], words(1), 2.0, BODY, np.random.SeedSequence(1), Sampling(count=2))
    told: Condition = net.told[0]
    assert told.target_mask.all()
    asked = np.linalg.norm(goal - joints_of(start)[0, 0, 0, :2], axis=-1)
    np.testing.assert_allclose(told.target[0].norm(dim=-1), asked, atol=1e-4)
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
    np.testing.assert_array_equal(a[0].motion.transl, b[0].motion.transl)
    assert np.abs(a[0].motion.transl - c[0].motion.transl).max() > 1e-4
    assert np.abs(a[0].motion.transl - a[1].motion.transl).max() > 1e-4


def test_motions_of_one_scenario_are_those_of_equal_ones(pair: Interaction) -> None:
    """What a scenario comes to is worked out once for all its motions, each with its own words."""
    torch.manual_seed(0)
    net = Denoiser(CONFIG.model).eval()
    nn.init.normal_(net.motion_out.weight, std=0.02)
    model = Model(net, CONFIG, moments(), 20.0, {})
    room = load_room("ward_03")
    one = Scenario.in_room(without_labels(pair), "up", room, [room.of_class("chair")[0]], draft=pair)
    other = replace(one, start=replace(one.start, transl=one.start.transl + np.float32(0.3)))
    said = TokenEmbeddings(
        np.random.default_rng(0).normal(size=(3, 3, WIDTH)).astype(np.float32), np.ones((3, 3), bool)
    )
    a, b = (
        sample(model, scenarios, said, 2.0, BODY, np.random.SeedSequence(1), Sampling(count=5))
        for scenarios in ([one, other, one], [one, other, replace(one)])
    )
    for mine, theirs in zip(a, b, strict=True):
        np.testing.assert_allclose(mine.motion.transl, theirs.motion.transl, atol=1e-5)
        np.testing.assert_allclose(mine.motion.rotations(), theirs.motion.rotations(), atol=1e-4)
        np.testing.assert_array_equal(mine.stands, theirs.stands)
    assert np.abs(a[0].motion.transl - a[2].motion.transl).max() > 1e-4
    blind = replace(model, denoiser=Blind())  # type: ignore[arg-type]  # asked as one, without one's weights
    drafts = [pair, replace(pair, transl=pair.transl + np.float32(0.4))]
    each = [replace(one, draft=draft) for draft in drafts]
    made = sample(
        blind, [each[0], each[1], each[0]], said, 2.0, BODY, np.random.SeedSequence(1),
        Sampling(strength=0.002, physics=None),
    )  # fmt: skip
    for motion, draft in zip((item.motion for item in made), (drafts[0], drafts[1], drafts[0]), strict=True):
        own = draft.scale_time(2.0 / draft.seconds).transl[:, : motion.frames]
        assert float(np.abs(motion.transl - own).mean()) < 0.05


@pytest.mark.parametrize("seconds", [0.5, 30.0, float("nan")])
def test_lengths_that_no_model_knows_are_refused(pair: Interaction, seconds: float) -> None:
    model = Model(Denoiser(CONFIG.model), CONFIG, moments(), 20.0, {})
    with pytest.raises(BadOption, match="2 to 12"):
        sample(model, [Scenario(pair, "up")], words(1), seconds, BODY, np.random.SeedSequence(1))
    with pytest.raises(BadOption, match="dpmpp_2m"):
        replace(Sampling(), sampler="euler")


class Still(nn.Module):
    """Everybody stays as they start."""

    def forward(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        return condition.start[:, :, None].expand_as(x)


def test_a_generated_motion_starts_in_the_room_and_passes_the_gate() -> None:
    room = load_room("ward_03")
    model = Model(Still(), CONFIG, moments(), 20.0, {})  # type: ignore[arg-type]
    generator = DiffusionGenerator(room, BODY, model=model, sampling=Sampling(count=2, physics=None))
    prompt = "a patient stands waiting"
    made = generator.generate(prompt, np.random.SeedSequence([5, 0]), 3.0, 10.0)
    (again,) = synth.generate(prompt, "ward_03", 1, 5, 3.0, 10.0, model, Sampling(count=2, physics=None))
    motion = made.interaction
    np.testing.assert_array_equal(motion.transl, again.transl)
    assert (motion.frames, motion.fps) == (30, 10.0)
    assert (motion.meta.text, motion.meta.roles, motion.meta.room) == (prompt, ("patient",), "ward_03")
    assert made.faults == ()
    assert set(motion.meta.quality["adapt"]) >= {"floor_depth_0", "foot_slide"}
    assert set(made.actions.order(0)) == {"standing"}
    joints = joints_of(motion)[0]
    assert room.contains(joints[:, 0, :2]).all()
    assert np.abs(np.diff(joints, axis=0)).max() < 1e-3
    assert np.abs(joints[..., 2].min()) < 0.1


def test_what_does_not_show_what_was_asked_for_is_refused() -> None:
    model = Model(Still(), CONFIG, moments(), 20.0, {})  # type: ignore[arg-type]
    generator = DiffusionGenerator(
        load_room("ward_03"), BODY, model=model, sampling=Sampling(count=2, physics=None), polish=False
    )
    with pytest.raises(NothingFits, match="should"):
        generator.generate("patient falls backwards", np.random.SeedSequence(5), 4.0, 10.0)
    generator.fallback = True
    made = generator.generate("patient falls backwards", np.random.SeedSequence(5), 4.0, 10.0)
    assert (made.generator, made.rejected >= 12) == ("retrieval", True)
    assert "took the library's motion instead" in str(made.warning)
    assert "fall" in made.actions.order(0)


def test_without_a_model_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged, "GENERATOR", tmp_path / "none.safetensors")
    with pytest.raises(Missing, match="synth train"):
        DiffusionGenerator(load_room("ward_03"), BODY)


@given(st.floats(-3, 3), st.floats(-2, 2), st.floats(-2, 2))
@settings(max_examples=20, deadline=None)
def test_what_is_on_wheels_keeps_its_place_before_who_pushes_it(yaw: float, x: float, y: float) -> None:
    """A rigid move of the pusher is a rigid move of the thing."""
    start = next(item for item in library() if item.id == "walk_with_walker_01").load()
    (walker,) = start.props
    rest = np.asarray(BODY.rest_joints(start.betas), float)
    turn, shift = yaw_matrix(yaw), np.array([x, y, 0.0])
    held = start.window(0, 2 / start.fps)
    still = replace(
        held, transl=held.transl[:, :1].repeat(2, 1), global_orient=held.global_orient[:, :1].repeat(2, 1), props=()
    )
    moved = still.transform(turn, shift, rest[:, 0])
    (made,) = carried_along([walker], start, moved, rest)
    first = turn @ walker.transl[0] + shift
    np.testing.assert_allclose(made.transl, [first, first], atol=1e-4)
    expected = turn @ axis_angle_to_matrix(walker.orient[0])
    np.testing.assert_allclose(axis_angle_to_matrix(made.orient), [expected, expected], atol=1e-4)


JOB = {
    "scene": "ward_03", "prompt": "a patient stands waiting", "seed": 1, "seconds": 2.0, "fps": 10.0, "near": None,
    "steps": 4, "strength": 1.0,
}  # fmt: skip


def test_motions_in_a_folder_are_made_once_and_the_job_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model(Still(), CONFIG, moments(), 20.0, {"updates": 0})  # type: ignore[arg-type]
    monkeypatch.setattr(batch, "load_model", lambda path: model)
    (tmp_path / "any").write_bytes(b"one model")
    out, told = tmp_path / "out", []
    assert batch.generate_into(out, JOB, 1, tmp_path / "any", told.append) == 0
    before = (out / "0000.npz").read_bytes()
    (out / "0000.npz").unlink()
    assert batch.generate_into(out, JOB, 1, tmp_path / "any", told.append) == 0
    assert (out / "0000.npz").read_bytes() == before
    stamp = (out / "0000.npz").stat().st_mtime_ns
    assert batch.generate_into(out, JOB, 1, tmp_path / "any", told.append) == 0
    assert (out / "0000.npz").stat().st_mtime_ns == stamp
    motion = load_interaction(out / "0000.npz")
    assert (motion.frames, motion.fps, motion.meta.text) == (20, 10.0, JOB["prompt"])
    with pytest.raises(BadOption, match="--out"):
        batch.generate_into(out, {**JOB, "seed": 2}, 1, tmp_path / "any", told.append)
    (tmp_path / "any").write_bytes(b"another model")
    with pytest.raises(BadOption, match="--out"):
        batch.generate_into(out, JOB, 1, tmp_path / "any", told.append)
    (tmp_path / "any").write_bytes(b"one model")
    (out / batch.LIST).write_text("no json")
    with pytest.raises(BadFile, match="generated"):
        batch.generate_into(out, JOB, 1, tmp_path / "any", told.append)


def test_the_command_lists_what_it_refused_and_ends_with_status_2(tmp_path: Path) -> None:
    """An untrained model makes nothing that may be shown."""
    model = Model(Denoiser(CONFIG.model).eval(), CONFIG, moments(), 20.0, {})
    save_model(model, tmp_path / "m.safetensors")
    arguments = ["generate", "--scene", "ward_03", "--prompt", "patient sits down on a chair", "--seconds", "6",
                 "--out", str(tmp_path / "out"), "--model", str(tmp_path / "m.safetensors"),
                 "--strength", "1"]  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "synth.cli", *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert "1 of 1 motions did not come out fit" in done.stderr
    assert "Traceback" not in done.stderr
    (line,) = (tmp_path / "out" / batch.LIST).read_text().splitlines()
    assert "no fitting motion" in json.loads(line)["reason"]
    arguments[6] = "300"
    done = subprocess.run([sys.executable, "-m", "synth.cli", *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stderr.startswith("error: --seconds: found 300")) == (2, True)
