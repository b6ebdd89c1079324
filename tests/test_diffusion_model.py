"""The denoiser and its training: who is who, what is not there does not matter, the same curve after a stop."""

from __future__ import annotations

import copy
import itertools
import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from synth.corpus.shards import Corpus
from synth.diffusion import loop, state
from synth.diffusion import losses as loss
from synth.diffusion import train as training
from synth.diffusion.checkpoint import Model, load_model, save_model
from synth.diffusion.config import TrainConfig, read_train_config
from synth.diffusion.data import Batch, Batches, Condition
from synth.diffusion.denoiser import Denoiser, DenoiserConfig
from synth.diffusion.features import Moments, decode, joints_of
from synth.diffusion.guidance import (
    Boxes,
    Hold,
    Physics,
    Rest,
    Scales,
    Walls,
    energies,
    physical,
    predictor,
    stacked,
)
from synth.diffusion.schedule import cosine
from synth.diffusion.state import STATE
from synth.errors import BadFile, BadOption, CareSynthError

SMALL = DenoiserConfig(width=32, layers=2, heads=2, patch=4, dropout=0.0)


@pytest.fixture(scope="module")
def corpus(few_motions: Corpus) -> Corpus:
    return few_motions


@pytest.fixture(scope="module")
def batch(corpus: Corpus) -> Batch:
    return Batches(corpus, batch=3, frames=48, people=2, seed=1).at(0)


@pytest.fixture(scope="module", params=[0, 60], ids=["features", "basis"])
def net(request: pytest.FixtureRequest, batch: Batch) -> Denoiser:
    """With weights that do something: it starts as the identity."""
    torch.manual_seed(0)
    made = Denoiser(replace(SMALL, components=request.param)).eval()
    if made.basis is not None:
        made.basis.measure([batch], cosine(SMALL.steps))
    with torch.no_grad():
        for value in made.parameters():
            value.add_(0.05 * torch.randn_like(value))
    return made


def turned(condition: Condition, order: list[int]) -> Condition:
    """The same with the people in another order."""
    people = ("roles", "betas", "rest", "present", "start", "start_mask", "target", "target_mask")
    return replace(condition, **{name: getattr(condition, name)[:, order] for name in people})


def noisy(batch: Batch, seed: int = 0) -> Tensor:
    return batch.x + torch.randn(batch.x.shape, generator=torch.Generator().manual_seed(seed))


T = torch.tensor([10, 500, 999])


@torch.no_grad()
def test_swapping_the_people_swaps_the_result(net: Denoiser, batch: Batch) -> None:
    x = noisy(batch)
    straight = net(x, T, batch.condition)
    swapped = net(x[:, [1, 0]], T, turned(batch.condition, [1, 0]))
    torch.testing.assert_close(swapped[:, [1, 0]], straight, atol=1e-5, rtol=0)
    assert (straight[:, 0] - straight[:, 1]).abs().max() > 0.01


@torch.no_grad()
def test_a_third_who_is_not_there_changes_nothing(net: Denoiser, batch: Batch) -> None:
    x, condition = noisy(batch), batch.condition
    more = {
        item.name: torch.cat((value, torch.zeros_like(value[:, :1])), 1)
        for item in fields(Condition)
        if item.name in ("roles", "betas", "rest", "present", "start", "start_mask", "target", "target_mask")
        for value in [getattr(condition, item.name)]
    }
    three = net(torch.cat((x, torch.randn_like(x[:, :1])), 1), T, replace(condition, **more))
    torch.testing.assert_close(three[:, :2], net(x, T, condition), atol=1e-5, rtol=0)
    assert three[:, 2].abs().max() == 0


@torch.no_grad()
def test_what_comes_after_the_end_changes_nothing(net: Denoiser, batch: Batch) -> None:
    x, frames = noisy(batch), batch.condition.frames.clone()
    frames[:, 24:] = False
    short = replace(batch.condition, frames=frames)
    other = torch.cat((x[:, :, :24], torch.randn_like(x[:, :, 24:])), 2)
    torch.testing.assert_close(net(x, T, short)[:, :, :24], net(other, T, short)[:, :, :24], atol=1e-5, rtol=0)
    assert (net(x, T, short) - net(x, T, batch.condition))[:, :, :24].abs().max() > 1e-3


@torch.no_grad()
def test_apart_nobody_sees_the_other(net: Denoiser, batch: Batch) -> None:
    x = noisy(batch)
    other = torch.cat((x[:, :1], torch.randn_like(x[:, 1:])), 1)
    apart = replace(batch.condition, together=torch.zeros(3, dtype=torch.bool))
    torch.testing.assert_close(net(x, T, apart)[:, 0], net(other, T, apart)[:, 0], atol=1e-5, rtol=0)
    assert (net(x, T, batch.condition)[:, 0] - net(other, T, batch.condition)[:, 0]).abs().max() > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("what", ["text", "furniture", "heights", "start", "target", "betas", "roles"])
def test_every_condition_is_heard_where_it_is_given_and_nowhere_else(net: Denoiser, batch: Batch, what: str) -> None:
    x, condition = noisy(batch), batch.condition
    value = getattr(condition, what)
    changed = 1 - value.clamp(0, 1) if what == "roles" else torch.randn_like(value)
    mask = {"text": "text_mask", "furniture": "furniture_mask", "start": "start_mask", "target": "target_mask"}
    given = replace(condition, furniture_mask=torch.ones_like(condition.furniture_mask))
    assert (net(x, T, replace(given, **{what: changed})) - net(x, T, given)).abs().max() > 1e-4
    if what in mask:
        silent = replace(given, **{mask[what]: torch.zeros_like(getattr(condition, mask[what]))})
        other = net(x, T, replace(silent, **{what: changed}))
        torch.testing.assert_close(other, net(x, T, silent), atol=1e-6, rtol=0)


@torch.no_grad()
def test_guidance_is_what_its_formula_says_in_one_batch(net: Denoiser, batch: Batch) -> None:
    schedule, x, condition = cosine(1000), noisy(batch), batch.condition
    calls = []

    def counted(x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        calls.append(len(x))
        return net(x, t, condition)

    full = net(x, torch.full((3,), 400), condition)
    silent = net(x, torch.full((3,), 400), replace(condition, text_mask=torch.zeros_like(condition.text_mask)))
    alone = net(x, torch.full((3,), 400), replace(condition, together=torch.zeros_like(condition.together)))
    made = predictor(counted, schedule, "x0", condition, Scales(text=2.5, scene=1.0, partner=1.5))(x, 400)
    expected = full + 1.5 * (full - silent) + 0.5 * (full - alone)
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=0)
    assert calls == [9]


def test_losses_vanish_on_the_truth_and_grow_with_what_they_name(corpus: Corpus, batch: Batch) -> None:
    moments, x = Moments.of(corpus), batch.x
    arguments = (x, torch.tensor([10, 10, 10]), 1000, batch.condition, moments, corpus.fps, loss.Weights())
    perfect = loss.losses(x, *arguments)
    for name in ("features", "joints", "velocity", "distance", "facing", "penetration"):
        assert perfect[name] < 1e-8, name
    assert perfect["positions"] < 1e-6  # the stored joints are the posed ones
    assert perfect["bones"] < 1e-6
    moved = x.clone()
    moved[..., 0] += 0.5 / moments.std[0]  # everybody half a metre along x
    found = loss.losses(moved, *arguments)
    assert found["joints"] == pytest.approx(loss.Weights().joints * 0.25, rel=1e-3)
    assert found["velocity"] < 1e-8
    assert found["distance"] < 1e-8
    late = loss.losses(moved, x, torch.tensor([900, 900, 900]), *arguments[2:])
    assert late["distance"] == 0


def test_only_feet_that_stand_in_both_of_two_frames_may_not_slip() -> None:
    speed = torch.zeros(1, 1, 2, 22, 3)
    speed[..., loss.FEET[0], 0] = 3.0  # the left heel
    speed[..., loss.FEET[3], 1] = 5.0  # the right ball, which never stands
    stands = torch.tensor([[[[True, True, False, False], [True, True, True, False], [False, True, True, False]]]])
    torch.testing.assert_close(loss.slip(speed, stands), torch.tensor([[[4.5, 0.0]]]))  # of two feet, of two others


def test_physical_guidance_lessens_what_is_wrong(corpus: Corpus, batch: Batch) -> None:
    moments, condition = Moments.of(corpus), batch.condition
    x = batch.x.clone()
    x[..., 2] -= 0.15 / moments.std[2]  # everybody in the floor
    pelvis = joints_of(*decode(x, moments), condition.rest)[:, 0, 24, 0]
    boxes = Boxes(
        pelvis[:, None] + torch.tensor([0.25, 0.0, 0.0]), torch.zeros(3, 1), torch.full((3, 1, 3), 0.2),
        torch.ones(3, 1, dtype=torch.bool),
    )  # fmt: skip
    walls = Walls(torch.tensor([[[1.0, 0.0]]]).expand(3, -1, -1), pelvis[:, None, 0] + 0.05)
    holds = (Hold(0, 20, 1, 3, 0.5, 1.5),)
    physics = Physics(first=1.0, descents=15)
    arguments = (condition, moments, corpus.fps)
    guide = physical(*arguments, 1000, physics, boxes, walls, holds)
    better = guide(x, x, 300)
    before, after = (energies(item, *arguments, physics, boxes, walls, holds) for item in (x, better))
    assert set(before) == {"floor", "furniture", "walls", "slip", "people", "holds"}
    for name in ("floor", "walls", "holds", "furniture"):
        assert after[name].sum() < 0.8 * before[name].sum(), name
    assert sum(float(v.sum()) for v in after.values()) < 0.6 * sum(float(v.sum()) for v in before.values())
    torch.testing.assert_close(physical(*arguments, 1000, replace(physics, first=0.2), boxes)(x, x, 300), x)


TINY = TrainConfig(
    name="tiny", updates=6, batch=2, frames=40, warmup=2, ema=0.9, log_every=1, save_every=2, accumulate=2, model=SMALL
)


def curve(
    corpus: Corpus, out: Path, config: TrainConfig, stop: int | None = None, kill: int | None = None
) -> list[float]:
    """Losses by update; asked to stop, or broken off, after so many."""
    found: list[float] = []

    def report(update: int, updates: int, losses: dict[str, float], left: float) -> None:
        found.append(losses["loss"])
        if update == kill:
            raise RuntimeError("the power is gone")

    training.train(config, corpus.folder, out, report, "cpu", lambda: len(found) == stop)
    return found


@pytest.mark.parametrize(("how", "made", "optimiser"), [("stop", 3, "adamw"), ("kill", 2, "muon")])
def test_a_stopped_training_goes_on_with_the_same_curve(
    corpus: Corpus, tmp_path: Path, how: str, made: int, optimiser: str
) -> None:
    config = replace(TINY, optimiser=optimiser, model=replace(SMALL, components=60))
    whole = curve(corpus, tmp_path / "whole", config)
    assert len(whole) == 6
    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        curve(corpus, tmp_path / "stopped", config, **{how: 3})
    rest = curve(corpus, tmp_path / "stopped", config)
    np.testing.assert_allclose(rest, whole[made:], rtol=1e-5)  # of what was broken off the last saved update counts
    a, b = (load_file(tmp_path / name / training.MODEL) for name in ("whole", "stopped"))
    for name, value in a.items():
        torch.testing.assert_close(value, b[name], atol=1e-4, rtol=1e-3)


def test_a_training_from_a_model_stays_in_the_frame_that_its_weights_know(corpus: Corpus, tmp_path: Path) -> None:
    """Another seed and batch would measure another basis; without updates worth the name the model is the same."""
    config = replace(TINY, updates=2, model=replace(SMALL, components=60))
    first = training.train(config, corpus.folder, tmp_path / "first", device="cpu")
    other = replace(config, updates=1, seed=9, batch=2, pairs=1.0, rate=0.0)
    path = tmp_path / "first" / training.MODEL
    again = training.train(other, corpus.folder, tmp_path / "again", device="cpu", first=path)
    for name, value in first.denoiser.state_dict().items():
        torch.testing.assert_close(again.denoiser.state_dict()[name], value, atol=1e-3, rtol=1e-3)
    assert again.facts["before"] == first.facts
    for changed in (
        replace(other, model=replace(other.model, width=other.model.width * 2)),
        replace(other, process=replace(other.process, schedule="linear")),
    ):
        with pytest.raises(BadOption, match="--from"):
            training.train(changed, corpus.folder, tmp_path / "no", device="cpu", first=path)


def test_a_training_that_is_no_number_keeps_its_last_good_state(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is poisoned after the first save and looked at by nobody; then the weights alone are."""
    config = replace(TINY, log_every=1000)
    real, number = loop.drawn, 2 * config.accumulate

    def poisoned(config: TrainConfig, readers: list[Batches], at: int) -> tuple[Batch, np.random.Generator]:
        batch, rng = real(config, readers, at)
        return (replace(batch, x=batch.x * torch.nan) if at >= number else batch), rng

    monkeypatch.setattr(loop, "drawn", poisoned)
    for after in (3, 99):  # asked to stop, or at the next save
        asked, out = itertools.count(1), tmp_path / str(after)
        with pytest.raises(CareSynthError, match="loss: found nan; expected a number"):
            training.train(config, corpus.folder, out, device="cpu", stop=lambda n=asked, end=after: next(n) == end)
        kept = torch.load(out / STATE, weights_only=True)
        assert kept["update"] == 2
        assert all(bool(torch.isfinite(value).all()) for value in kept["net"].values())
    with pytest.raises(CareSynthError, match="update 4: w: found nan"):
        loop._sound({"w": torch.tensor([1.0, torch.nan])}, 4)


@pytest.mark.filterwarnings("ignore:'pin_memory' argument")  # without a GPU there is nothing to pin for
def test_what_is_drawn_ahead_for_a_gpu_comes_in_order_and_with_its_errors(corpus: Corpus) -> None:
    gpu, numbers = torch.device("cuda"), [7, 3, 5, 4, 9, 8]
    reader = Batches(corpus, batch=2, frames=40, people=2)
    for found, number in zip(loop.ahead(reader.at, numbers, gpu), numbers, strict=True):
        torch.testing.assert_close(found.x, reader.at(number).x)

    def damaged(number: int) -> int:
        if number == 4:
            raise BadFile("corpus", "shard", "half", "all of it")
        return number

    found = loop.ahead(damaged, numbers, gpu)
    assert list(itertools.islice(found, 3)) == numbers[:3]
    with pytest.raises(CareSynthError, match="shard"):
        next(found)


def test_muon_for_a_gpu_steps_as_pytorchs_does(net: Denoiser) -> None:
    """The same matrices and gradients, three steps; and either goes on from the other's state."""
    torch.manual_seed(0)
    ours, theirs = (state.optimisers_of(copy.deepcopy(net), 0.02, 0.1, "muon", device)[1] for device in ("cuda", "cpu"))
    assert len({matrix.shape for matrix in ours.param_groups[0]["params"]}) > 2
    start = [matrix.detach().clone() for matrix in ours.param_groups[0]["params"]]
    for _ in range(3):
        for mine, its in zip(ours.param_groups[0]["params"], theirs.param_groups[0]["params"], strict=True):
            mine.grad = torch.randn_like(mine)
            its.grad = mine.grad.clone()
        ours.step()
        theirs.step()
    for before, mine, its in zip(start, ours.param_groups[0]["params"], theirs.param_groups[0]["params"], strict=True):
        assert float((mine - its).detach().norm()) < 0.02 * float((mine - before).detach().norm())
    theirs.load_state_dict(ours.state_dict())
    ours.load_state_dict(theirs.state_dict())


def test_the_gradient_scaler_goes_on_where_it_was(tmp_path: Path) -> None:
    net = torch.nn.Linear(2, 2)
    scaler, fresh = (torch.amp.GradScaler("cpu", init_scale=scale) for scale in (1024.0, 65536.0))
    state.save_state(tmp_path, net, {}, [], 7, scaler)
    assert state.resume(tmp_path, net, {}, [], fresh) == 7
    assert fresh.state_dict() == scaler.state_dict()
    state.save_state(tmp_path, net, {}, [], 8)  # as an older release did
    assert state.resume(tmp_path, net, {}, [], fresh) == 8


def test_training_learns_a_few_motions(corpus: Corpus, tmp_path: Path) -> None:
    config = replace(TINY, updates=80, batch=8, accumulate=1, rate=2e-3, pairs=0.0)
    found = curve(corpus, tmp_path / "run", config)
    assert np.mean(found[-20:]) < 0.6 * np.mean(found[:20])


def test_a_folder_of_another_training_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    config = replace(TINY, updates=1)
    curve(corpus, tmp_path / "run", config)
    with pytest.raises(BadOption, match="same settings"):
        curve(corpus, tmp_path / "run", replace(config, rate=1e-3))
    (tmp_path / "run" / STATE).write_bytes(b"no state")
    with pytest.raises(BadFile, match="state"):
        curve(corpus, tmp_path / "run", config)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.docx").write_text("mine")
    with pytest.raises(BadOption, match="empty folder"):
        curve(corpus, tmp_path / "foreign", config)


def test_a_model_is_read_as_it_was_written(net: Denoiser, corpus: Corpus, batch: Batch, tmp_path: Path) -> None:
    model = Model(net, replace(TINY, model=net.config), Moments.of(corpus), corpus.fps, {"updates": 3})
    save_model(model, tmp_path / "m.safetensors", half=False)
    read = load_model(tmp_path / "m.safetensors")
    assert (read.config, read.fps, read.facts) == (model.config, model.fps, model.facts)
    with torch.no_grad():
        x = noisy(batch)
        torch.testing.assert_close(read.denoiser(x, T, batch.condition), net(x, T, batch.condition))


@pytest.mark.parametrize("what", ["text", "version", "shape", "config", "moments"])
def test_a_damaged_model_says_what_is_wrong(net: Denoiser, corpus: Corpus, tmp_path: Path, what: str) -> None:
    path = tmp_path / "m.safetensors"
    save_model(Model(net, replace(TINY, model=net.config), Moments.of(corpus), corpus.fps, {}), path)
    if what == "text":
        path.write_text("not a model")
    else:
        tensors = load_file(path)
        about = {"version": 1, "config": replace(TINY, model=net.config).to_json(), "fps": 20.0, "facts": {}}
        if what == "version":
            about["version"] = 99
        if what == "shape":
            tensors["motion_out.bias"] = torch.zeros(3)
        if what == "config":
            about["config"]["model"]["widht"] = 4  # type: ignore[index]
        if what == "moments":
            del tensors["moments.std"]
        save_file(tensors, path, {"caresynth": json.dumps(about)})
    with pytest.raises(BadFile, match={"text": "safetensors", "shape": "motion_out.bias"}.get(what, what)):
        load_model(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [("updats: 3", "updates"), ("updates: many", "whole number"), ("frames: 90\nmodel: {patch: 4}", "multiple"),
     ("process: {objective: y0}", "x0"), ("model: {components: 900}", "at most 205 x model.patch"),
     ("process: {objective: v}\nmodel: {components: 9}", "process.objective"),
     ("weights: {joints: [1]}", "number"), ("weights: {joints: .nan}", r"weights\.joints: found nan"),
     ("weights: {slip: -1}", r"weights\.slip"), ("- a", "mapping")],
)  # fmt: skip
def test_a_wrong_configuration_says_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(BadFile, match=says):
        read_train_config(tmp_path / "c.yaml")


def test_packaged_configurations_are_sound() -> None:
    assert read_train_config("smoke").updates == 200
    assert read_train_config("default").model.components == 384
    assert read_train_config("full").precision == "bf16"
    with pytest.raises(BadOption, match="smoke"):
        read_train_config("smokee")


def test_who_is_to_rest_is_brought_to_that_height_while_it_is_asked_for(batch: Batch, corpus: Corpus) -> None:
    known = Moments.of(corpus)
    condition, steps = batch.condition, 1000

    def pelvis(x: Tensor) -> Tensor:
        return joints_of(*decode(x, known), condition.rest)[:, 0, :, 0, 2]

    # descents as many as a sampling has steps below `Physics.first`
    rest = Rest(0, 0.5, 1.0, float(pelvis(batch.x)[0, 10]) + 0.15)
    guide = physical(condition, known, 20.0, steps, replace(Physics(), descents=10), asked=(rest,))
    moved = guide(batch.x, batch.x, 300)
    off = (pelvis(moved)[0] - rest.height).abs()
    assert float(off[10:21].max()) < rest.slack + 0.02
    other = physical(condition, known, 20.0, steps, replace(Physics(), descents=10))(batch.x, batch.x, 300)
    assert float((moved - other)[0, 0, 10:21, 2].abs().min()) > 0.2
    assert float((moved - other)[:, :, 22:].abs().max()) < 0.01


def test_stacked_conditions_are_one_after_the_other(batch: Batch) -> None:
    two = stacked([batch.condition, batch.condition])
    assert all(len(getattr(two, item.name)) == 6 for item in fields(Condition))
