"""The classifier of noisy motion: order does not matter, it learns, goes on after a stop, and guides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from synth.corpus.shards import Corpus
from synth.diffusion import classifier as classifying
from synth.diffusion import loop, process
from synth.diffusion.checkpoint import Model, load_model, save_model
from synth.diffusion.classifier import (
    Classifier,
    TrainedClassifier,
    accuracy,
    load_classifier,
    save_classifier,
    train_classifier,
    unread,
)  # fmt: skip
from synth.diffusion.cli import CONFIGS
from synth.diffusion.cli import train_classifier as command
from synth.diffusion.config import ClassifierConfig, ClassifierSize, Process, TrainConfig, read_config
from synth.diffusion.data import Batch, Batches, Condition
from synth.diffusion.denoiser import Denoiser, DenoiserConfig
from synth.diffusion.features import Moments
from synth.diffusion.guidance import Scales, classified, predictor
from synth.diffusion.quick import quick
from synth.diffusion.samplers import ddim, guided
from synth.diffusion.schedule import cosine
from synth.diffusion.train import train
from synth.errors import BadFile, BadOption
from synth.taxonomy import INTERACTIONS

SMALL = ClassifierSize(width=32, layers=2, heads=2, patch=8, dropout=0.0)
TINY = ClassifierConfig(
    name="tiny", updates=6, batch=3, frames=48, warmup=2, ema=0.9, rate=2e-3, log_every=1, save_every=2, model=SMALL
)
T = torch.tensor([10, 500, 999])


@pytest.fixture(scope="module")
def corpus(few_motions: Corpus) -> Corpus:
    return few_motions


@pytest.fixture(scope="module")
def batch(corpus: Corpus) -> Batch:
    return Batches(corpus, batch=3, frames=48, people=2, seed=1, texts=unread(corpus)).at(0)


@pytest.fixture(scope="module")
def net() -> Classifier:
    """With weights that do something: it starts as the identity."""
    torch.manual_seed(0)
    made = Classifier(SMALL).eval()
    with torch.no_grad():
        for value in made.parameters():
            value.add_(0.1 * torch.randn_like(value))
    return made


@pytest.fixture(scope="module")
def trained(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainedClassifier, Path]:
    """Long enough to know the few motions, most of the noise's steps included."""
    out = tmp_path_factory.mktemp("runs") / "run"
    config = replace(TINY, updates=150, batch=12, ema=0.97, warmup=10, balance=0.0)
    return train_classifier(config, corpus.folder, out, device="cpu"), out


def noisy(batch: Batch, seed: int = 0) -> Tensor:
    return batch.x + torch.randn(batch.x.shape, generator=torch.Generator().manual_seed(seed))


def of_people(condition: Condition, change: object) -> Condition:
    names = ("roles", "betas", "rest", "present", "start", "start_mask", "target", "target_mask")
    return replace(condition, **{name: change(getattr(condition, name)) for name in names})  # type: ignore[operator]


@torch.no_grad()
def test_the_order_of_the_people_and_who_is_not_there_do_not_matter(net: Classifier, batch: Batch) -> None:
    x, condition = noisy(batch), batch.condition
    straight = net(x, T, condition)
    assert straight.shape == (3, len(INTERACTIONS))
    swapped = net(x[:, [1, 0]], T, of_people(condition, lambda value: value[:, [1, 0]]))
    torch.testing.assert_close(swapped, straight, atol=1e-5, rtol=0)
    third = of_people(condition, lambda value: torch.cat((value, torch.zeros_like(value[:, :1])), 1))
    more = torch.cat((x, torch.full_like(x[:, :1], torch.nan)), 1)
    torch.testing.assert_close(net(more, T, third), straight, atol=1e-5, rtol=0)
    other = torch.cat((x[:, :1], torch.randn_like(x[:, 1:])), 1)
    assert (net(other, T, condition) - straight).abs().max() > 1e-3  # of those who are there, all are seen


@torch.no_grad()
def test_motion_step_and_presence_are_seen_and_nothing_else(net: Classifier, batch: Batch) -> None:
    x, condition = noisy(batch), batch.condition
    straight = net(x, T, condition)
    for name in ("text", "furniture", "heights", "start", "target", "betas"):
        silent = replace(condition, **{name: torch.randn_like(getattr(condition, name))})
        assert torch.equal(net(x, T, silent), straight), name
    assert (net(x, T.flip(0), condition) - straight).abs().max() > 1e-3
    alone = replace(condition, present=condition.present & torch.tensor([True, False]))
    assert (net(x, T, alone) - straight).abs().max() > 1e-3
    short = replace(condition, frames=condition.frames & (torch.arange(48) < 20))  # within a token
    other = torch.where((torch.arange(48) < 20)[:, None], x, torch.randn_like(x))
    torch.testing.assert_close(net(other, T, short), net(x, T, short), atol=1e-5, rtol=0)


def test_an_item_of_nobody_gives_numbers(net: Classifier, batch: Batch) -> None:
    nobody = replace(batch.condition, present=torch.zeros_like(batch.condition.present))
    x = noisy(batch).requires_grad_(True)
    logits = net(x, T, nobody)
    (slope,) = torch.autograd.grad(logits.sum(), x)
    assert bool(torch.isfinite(logits).all())
    assert slope.abs().max() == 0


def test_items_without_a_class_do_not_count(net: Classifier, batch: Batch) -> None:
    schedule = cosine(1000)
    some = replace(batch, classes=torch.tensor([3, -1, -1]))
    found = classifying.loss_of(net, some, schedule, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    t = torch.randint(1000, (3,), generator=generator)
    logits = net(process.diffuse(schedule, batch.x, t, process.noise_like(batch.x, generator)), t, batch.condition)
    torch.testing.assert_close(found["loss"], F.cross_entropy(logits[:1], some.classes[:1]))
    none = replace(batch, classes=torch.full((3,), -1))
    assert float(classifying.loss_of(net, none, schedule, torch.Generator())["loss"].detach()) == 0


def test_a_stopped_training_goes_on_with_the_same_curve(corpus: Corpus, tmp_path: Path) -> None:
    def curve(out: Path, stop: int | None = None) -> list[float]:
        found: list[float] = []
        train_classifier(
            TINY, corpus.folder, out, lambda _, __, losses, ___: found.append(losses["loss"]), "cpu",
            lambda: len(found) == stop,
        )  # fmt: skip
        return found

    whole = curve(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        curve(tmp_path / "stopped", 3)
    np.testing.assert_allclose(curve(tmp_path / "stopped"), whole[3:], rtol=1e-5)
    a, b = (load_file(tmp_path / name / loop.MODEL) for name in ("whole", "stopped"))
    for name, value in a.items():
        torch.testing.assert_close(value, b[name], atol=1e-4, rtol=1e-3)
    with pytest.raises(BadOption, match="same settings"):
        train_classifier(replace(TINY, rate=1e-3), corpus.folder, tmp_path / "whole", device="cpu")


def test_it_learns_a_few_motions_and_knows_less_the_more_noise(
    corpus: Corpus, trained: tuple[TrainedClassifier, Path]
) -> None:
    model, _ = trained
    figures = accuracy(model, corpus, "train", [0, 300, 999])
    right = figures["right"]
    assert right[0] > max(0.9, figures["common"])
    assert right[300] > 0.8
    assert right[999] < right[0] - 0.2  # pure noise tells nothing but who is there and how long
    assert figures["items"] == sum(e.interaction_class is not None and e.people < 3 for e in corpus.entries)


def test_figures_are_shares_of_what_is_right() -> None:
    pairs = [(0, 0), (0, 0), (0, 0), (1, 0)]
    made = type("Corpus", (), {"entries": [type("E", (), {"interaction_class": INTERACTIONS[0]})] * 2,
                               "of_split": lambda self, split: [0, 1]})()  # fmt: skip
    found = classifying._figures({5: pairs}, made, 2)
    assert found == {"items": 2, "classes": 2, "common": 0.75, "right": {5: 0.75}, "balanced": {5: 0.5}}


def test_it_guides_a_sampling_towards_a_class(corpus: Corpus, trained: tuple[TrainedClassifier, Path]) -> None:
    """From the same noise, with a denoiser that knows nothing of classes, more towards the class that is asked for."""
    model, _ = trained
    schedule = model.config.process.tables()
    reader = Batches(corpus, batch=8, frames=48, people=1, seed=3, texts=unread(corpus))
    batch = reader.at(0)
    there = batch.condition.present[:, :, None, None]
    mean = batch.x.mean(0, keepdim=True)
    bar, start = schedule.alphas_bar, process.noise_like(batch.x, torch.Generator().manual_seed(1)).float()

    def likely(wanted: int, scale: float) -> Tensor:
        """Mean log likelihood of each class, of motions that are sampled towards one."""
        # the posterior mean of x_0 under a Gaussian of variance 1 about the motions' mean
        known = lambda x, t: (mean * (1 - bar[t]) + bar[t] ** 0.5 * x) * there  # noqa: E731
        guide = classified(model.classifier, schedule, batch.condition, torch.full((8,), wanted), scale)
        made = ddim(guided(known, guide), start, schedule, 10).float()
        with torch.no_grad():
            logits = model.classifier(made, torch.zeros(8, dtype=torch.long), batch.condition)
        return torch.log_softmax(logits, -1).mean(0)

    off = likely(0, 0.0)
    classes = sorted({int(cls) for cls in batch.classes if cls >= 0}, key=lambda cls: float(off[cls]))
    assert len(classes) > 2
    for wanted in classes[:2]:  # the two that were the least likely
        assert float(likely(wanted, 3.0)[wanted]) > float(off[wanted]) + 1.0


def test_files_say_which_kind_they_hold(
    corpus: Corpus, batch: Batch, trained: tuple[TrainedClassifier, Path], tmp_path: Path
) -> None:
    model, out = trained
    read = load_classifier(out / loop.MODEL)
    assert (read.config, read.fps, read.facts) == (model.config, model.fps, model.facts)
    assert read.facts["updates"] == 150
    save_classifier(model, tmp_path / "c.safetensors", half=False)
    with torch.no_grad():
        again = load_classifier(tmp_path / "c.safetensors").classifier(noisy(batch), T, batch.condition)
        torch.testing.assert_close(again, model.classifier(noisy(batch), T, batch.condition))
    with pytest.raises(BadFile, match="kind: found classifier; expected denoiser"):
        load_model(out / loop.MODEL)
    config = TrainConfig(model=DenoiserConfig(width=16, layers=1, heads=2))
    generator = Model(Denoiser(config.model), config, Moments.of(corpus), corpus.fps, {})
    save_model(generator, tmp_path / "g.safetensors")
    with pytest.raises(BadFile, match="kind: found denoiser; expected classifier"):
        load_classifier(tmp_path / "g.safetensors")
    model.must_fit(generator)
    moments = generator.moments
    for other in (
        replace(generator, moments=Moments(moments.mean + 1, moments.std)),
        replace(generator, config=replace(config, process=Process(schedule="linear"))),
    ):
        with pytest.raises(BadOption, match="corpus and process"):
            model.must_fit(other)


def test_the_command_trains_tries_out_and_goes_on(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "updates: 2\nbatch: 2\nframes: 48\nmodel: {width: 16, layers: 1, heads: 2}\nlog_every: 1\n"
    )
    arguments = [str(tmp_path / "c.yaml"), "--corpus", str(corpus.folder), "--out", str(tmp_path / "run")]
    for _ in range(2):
        done = CliRunner().invoke(command, [*arguments, "--device", "cpu", "--split", "train"])
        assert done.exit_code == 0, done.output
        assert "t  999  right in" in done.output
    for split in ("tset", "test"):  # before anything is trained: this corpus holds nothing of either
        refused = CliRunner().invoke(command, [*arguments[:-1], str(tmp_path / "new"), "--split", split])
        assert isinstance(refused.exception, BadOption)
        assert f"--split: found {split}; expected a split that holds" in str(refused.exception)
        assert not (tmp_path / "new").exists()
    assert read_config(ClassifierConfig, "default", CONFIGS).model.width == 96
    (tmp_path / "d.yaml").write_text("frames: 100\n")
    with pytest.raises(BadFile, match=r"model\.patch"):
        read_config(ClassifierConfig, tmp_path / "d.yaml", CONFIGS)


def test_another_text_encoder_needs_its_width(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(BadOption, match=r"model\.text: found 512; expected 384"):
        train(TrainConfig(model=DenoiserConfig(text=512)), corpus.folder, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_what_is_worked_out_once_changes_nothing(batch: Batch) -> None:
    """Guidance with the words' and the room's keys made once a sampling, against a network asked afresh each time."""
    torch.manual_seed(0)
    made = Denoiser(DenoiserConfig(width=32, layers=2, heads=2, patch=8, dropout=0.0, text=1)).eval()
    with torch.no_grad():
        for value in made.parameters():
            value.add_(0.1 * torch.randn_like(value))
    condition = replace(batch.condition, text=torch.ones(3, 1, 1), text_mask=torch.ones(3, 1, dtype=torch.bool))
    arguments = (cosine(1000), "x0", condition, Scales(2.5, 2.0, 1.5))
    afresh = lambda x, t, condition: made(x, t, condition)  # noqa: E731
    with torch.no_grad():
        for t in (0, 400, 999):
            wanted = predictor(afresh, *arguments)(noisy(batch), t)
            torch.testing.assert_close(predictor(made, *arguments)(noisy(batch), t), wanted, atol=1e-5, rtol=0)
    assert (wanted - predictor(afresh, *arguments[:3], Scales(1.0))(noisy(batch), 999)).abs().max() > 1e-3


def test_weights_act_between_their_steps_at_the_cost_of_one_branch_beyond(batch: Batch) -> None:
    """Without weights all is as it was learned: beyond the interval nothing but the condition itself is asked."""
    calls: list[int] = []

    def counted(x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        calls.append(len(x))
        return x * (1 + condition.text_mask.any(1)[:, None, None, None])

    said = replace(batch.condition, text_mask=torch.ones(3, 1, dtype=torch.bool))
    predict = predictor(counted, cosine(1000), "x0", said, Scales(text=3.0, first=0.8, last=0.1))
    x = noisy(batch) * batch.condition.present[:, :, None, None]
    for t, factor, size in ((900, 2.0, 3), (500, 2.0 + 2.0 * (2.0 - 1.0), 6), (50, 2.0, 3)):
        torch.testing.assert_close(predict(x, t), factor * x)
        assert calls.pop() == size


def test_a_quick_model_says_the_same(batch: Batch, corpus: Corpus) -> None:
    torch.manual_seed(0)
    config = TrainConfig(model=DenoiserConfig(width=32, layers=2, heads=2, patch=8, text=1, dropout=0.1))
    made = Denoiser(config.model).eval()
    with torch.no_grad():
        for value in made.parameters():
            value.add_(0.1 * torch.randn_like(value))
    model = Model(made, config, Moments.of(corpus), corpus.fps, {})
    condition = replace(batch.condition, text=torch.ones(3, 1, 1), text_mask=torch.ones(3, 1, dtype=torch.bool))

    def x0(model: Model) -> Tensor:
        with torch.no_grad():
            return predictor(model.denoiser, cosine(1000), "x0", condition, Scales(2.5))(noisy(batch), 400)

    wanted, half = x0(model), x0(quick(model, "bf16"))
    assert torch.equal(x0(quick(model)), wanted)
    assert half.dtype == torch.float32
    assert 0 < float((half - wanted).norm() / wanted.norm()) < 0.03
    assert next(made.parameters()).dtype == torch.float32  # the model itself stays as it was
    with pytest.raises(BadOption, match="bf16"):
        quick(model, "int8")
