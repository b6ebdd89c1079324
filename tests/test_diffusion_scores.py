"""The generator's judge: scores against closed forms, an evaluator to which order, place and padding do not matter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from scipy.linalg import sqrtm

from synth.body import load_body
from synth.corpus.config import config_from
from synth.corpus.corpus import build
from synth.corpus.rows import COLUMNS, FEATURES, WIDTH, seen_from
from synth.corpus.shards import Corpus
from synth.diffusion import scores
from synth.diffusion.baseline import adapted, nearest, retrieved
from synth.diffusion.checkpoint import Model, load_model, save_model
from synth.diffusion.cli import evaluate_model
from synth.diffusion.config import TrainConfig
from synth.diffusion.contest import delivered, sampled, spread
from synth.diffusion.contrast import Lessons, info_nce, train_evaluator
from synth.diffusion.data import Batches, Condition
from synth.diffusion.denoiser import Denoiser, DenoiserConfig
from synth.diffusion.evaluate import NOTE, TRUTH, evaluate, held_out
from synth.diffusion.evaluator import (
    HEADER,
    Evaluator,
    EvaluatorConfig,
    Sample,
    Stack,
    TwoTowers,
    load_evaluator,
    sample_of,
    save_evaluator,
    stacked,
)  # fmt: skip
from synth.diffusion.features import Moments
from synth.diffusion.sample import Sampling
from synth.diffusion.sayings import alike, plain, said_of, said_together
from synth.diffusion.state import STATE
from synth.diffusion.text import TokenTable, captions_of, corpus_tokens
from synth.errors import BadFile, BadOption
from synth.text import TextEncoder

SMALL = EvaluatorConfig(
    width=32, layers=2, heads=2, patch=8, size=16, dropout=0.05, updates=60, batch=16, frames=80, rate=2e-3, warmup=5,
    ema=0.9, log_every=1, save_every=20,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARESYNTH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Motions of the library, of one and of two people; some held out."""
    folder = tmp_path_factory.mktemp("corpus")
    settings = {"name": "tiny", "val": 0.25, "test": 0.2, "sources": [{"name": "library", "limit": 22}]}
    build(config_from(settings, "tiny"), folder / "tiny", 1)
    return Corpus.open(folder / "tiny")


@pytest.fixture(scope="module")
def texts(corpus: Corpus) -> TokenTable:
    return corpus_tokens(corpus)


@pytest.fixture(scope="module")
def samples(corpus: Corpus, texts: TokenTable) -> list[Sample]:
    """All of the training split, pairs first."""
    reader = Batches(corpus, "train", frames=SMALL.frames, texts=texts)
    found = [sample_of(corpus, draw) for draw in reader.each()]
    return sorted(found, key=lambda item: -len(item.features))


@pytest.fixture(scope="module")
def judge(corpus: Corpus) -> Evaluator:
    torch.manual_seed(0)
    return Evaluator(TwoTowers(SMALL).eval(), SMALL, Moments.of(corpus), corpus.fps, {"updates": 0})


@pytest.fixture(scope="module")
def trained(corpus: Corpus, texts: TokenTable, tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluator, list]:
    found: list[dict[str, float]] = []
    out = tmp_path_factory.mktemp("train") / "whole"
    made = train_evaluator(corpus, SMALL, out, lambda *told: found.append(told[2]), texts=texts)
    return made, found


# Scores


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def gaussian(mean: np.ndarray, cov: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Rows whose mean and covariance are exactly these."""
    white = rng.normal(size=(count, len(mean)))
    white -= white.mean(0)
    white = white @ np.linalg.inv(np.linalg.cholesky(np.cov(white.T))).T
    return white @ np.linalg.cholesky(cov).T + mean


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.floats(0.01, 100))
def test_frechet_is_the_closed_form(seed: int, width: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(2, width))
    a, b = (item @ item.T + 0.1 * np.eye(width) for item in rng.normal(size=(2, width, width)) * size**0.5)
    x, y = (gaussian(m, c, 5 * width, rng) for m, c in zip(means, (a, b), strict=True))
    expected = ((means[0] - means[1]) ** 2).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert scores.frechet(x, y) == pytest.approx(expected, rel=1e-6, abs=1e-8 * size)
    assert scores.frechet(y, x) == pytest.approx(expected, rel=1e-6, abs=1e-8 * size)


def test_frechet_of_commuting_covariances_and_of_one_dimension(rng: np.random.Generator) -> None:
    a, b, shift = np.array([4.0, 1.0, 0.25]), np.array([1.0, 9.0, 0.25]), np.array([1.0, -2.0, 0.0])
    x, y = gaussian(np.zeros(3), np.diag(a), 50, rng), gaussian(shift, np.diag(b), 90, rng)
    assert scores.frechet(x, y) == pytest.approx(5 + ((a**0.5 - b**0.5) ** 2).sum(), rel=1e-10)
    one = scores.frechet(np.array([[0.0], [2.0]]), np.array([[5.0], [5.0], [5.0]]))
    assert one == pytest.approx(16 + 2, rel=1e-12)


def test_frechet_where_there_are_fewer_items_than_dimensions(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(10, 64)), rng.normal(size=(12, 64)) + 1
    assert scores.frechet(x, x) < 1e-12
    assert scores.frechet(x, x + 3) == pytest.approx(9 * 64, rel=1e-12)
    turn = np.linalg.qr(rng.normal(size=(64, 64)))[0]
    assert scores.frechet(x @ turn + 2, y @ turn + 2) == pytest.approx(scores.frechet(x, y), rel=1e-10)
    assert scores.frechet(3 * x, 3 * y) == pytest.approx(9 * scores.frechet(x, y), rel=1e-10)
    assert scores.frechet(x[::-1], y) == pytest.approx(scores.frechet(x, y), rel=1e-10)
    with pytest.raises(ValueError, match="two or more rows"):
        scores.frechet(x[:1], y)
    with pytest.raises(ValueError, match="finite"):
        scores.frechet(x * np.nan, y)


def test_r_precision_of_perfect_random_and_constant_embeddings(rng: np.random.Generator) -> None:
    texts = rng.normal(size=(200, 8))
    own = rng.permutation(np.repeat(np.arange(200), 2))
    np.testing.assert_array_equal(scores.r_precision(texts[own], texts, own, rng), 1)
    chance = np.arange(1, 4) / 32
    noise = scores.r_precision(rng.normal(size=(400, 8)), texts, own, rng)
    np.testing.assert_allclose(noise.mean(0), chance, atol=0.03)
    same = scores.r_precision(np.zeros((400, 8)), np.ones((200, 8)), own, rng)
    np.testing.assert_allclose(same, np.broadcast_to(chance, (400, 3)), rtol=1e-12)
    worst = scores.r_precision(-texts[own], texts, own, rng)
    assert worst[:, 2].mean() < 0.01


def test_r_precision_draws_no_text_that_says_the_same(rng: np.random.Generator) -> None:
    """Every text twice: with the twin in the pool the own text is nearest half of the time only."""
    texts = np.repeat(rng.normal(size=(40, 6)), 2, axis=0)
    own = np.arange(80)
    differs = own[:, None] // 2 != own // 2
    np.testing.assert_array_equal(scores.r_precision(texts, texts, own, rng, differs), 1)
    assert scores.r_precision(texts, texts, own, rng, pool=80)[:, 0] == pytest.approx(0.5)
    with pytest.raises(ValueError, match=r"found 78.*expected 79"):
        scores.r_precision(texts, texts, own, rng, differs, pool=80)
    a, b = (scores.r_precision(texts[::-1], texts, own, np.random.default_rng(5), differs) for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_intervals_are_of_whole_groups(rng: np.random.Generator) -> None:
    values = rng.normal(size=(400, 2)) * [1, 3]
    found = scores.interval(values, np.arange(400), rng)
    np.testing.assert_allclose(found, 1.96 * values.std(0) / 20, rtol=0.12)
    repeated = scores.interval(np.repeat(values, 9, 0), np.repeat(np.arange(400), 9), rng)
    np.testing.assert_allclose(repeated, found, rtol=0.12)  # copies of a recording tell nothing new
    np.testing.assert_array_equal(scores.interval(np.ones((6, 1)), np.arange(6), rng), 0)


def test_distances_by_hand(rng: np.random.Generator) -> None:
    square = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    assert scores.diversity(square) == pytest.approx((4 + 2 * 2**0.5) / 6)
    assert scores.multimodal_distance(square, square + np.array([3, 4])) == pytest.approx(5)
    assert scores.multimodality(square, np.array([7, 7, 9, 7])) == pytest.approx((1 + 2**0.5 + 1) / 3)
    assert scores.multimodality(square, np.arange(4)) is None
    distance, index = scores.nearest(square[:2] + np.array([0.1, 0]), square[::-1])
    np.testing.assert_allclose(distance, 0.1)
    np.testing.assert_array_equal(index, [3, 2])
    x = rng.normal(size=(1500, 3))
    np.testing.assert_array_equal(scores.nearest(x, x)[1], np.arange(1500))


def test_copies_and_what_is_far_are_told(rng: np.random.Generator) -> None:
    train, held, made = rng.normal(size=(3, 300, 6))
    assert scores.copying(train[:50] + 1e-6, held, train) == 1
    assert scores.copying(made + 50, held, train) == 0
    assert scores.copying(made, held, train) == pytest.approx(0.5, abs=0.06)
    assert scores.copying(held, held, train) == pytest.approx(0.5)
    assert scores.coverage(held, made) == pytest.approx(1 - 2**-5, abs=0.05)
    assert scores.coverage(held, np.repeat(held[:1], 300, 0)) < 0.1
    assert scores.coverage(held, made + 50) == 0


# What says the same


def test_plain_words() -> None:
    assert plain("An elderly resident falls") == plain("a patient falls") == "patient falls"
    assert plain("A nurse helps the old man up") == plain("a carer helps a patient up")
    assert plain("a patient falls forward") != plain("a patient falls backward")


def test_captions_that_say_the_same_are_no_negatives(corpus: Corpus, texts: TokenTable) -> None:
    known = next(entry for entry in corpus.entries if len(captions_of(entry.meta)) > 2)
    first, second, third = captions_of(known.meta)[:3]
    other = next(e for e in corpus.entries if e.interaction_class != known.interaction_class)
    words = [first, second, captions_of(other.meta)[0], first]
    classes = [known.interaction_class, known.interaction_class, other.interaction_class, known.interaction_class]
    same = alike(words, classes, texts, 0.999)
    np.testing.assert_array_equal(same, same.T)
    assert same.diagonal().all()
    assert same[0, 3]
    assert not same[0, 1:3].any()
    lower = alike(words, classes, texts, 0.0)
    assert lower[0, 1]
    assert not lower[0, 2], "likeness counts within a class only"
    assert said_of([first, third], [{first, second}, {third}]).tolist() == [[True, False], [False, True]]
    assert said_together([first, second, third], [{first, third}, {second, "more"}]).tolist() == [
        [True, False, True], [False, True, False], [True, False, True],
    ]  # fmt: skip


def test_lessons_leave_out_false_negatives(corpus: Corpus, texts: TokenTable) -> None:
    lessons = Lessons(corpus, replace(SMALL, batch=24), texts)
    again = Lessons(corpus, replace(SMALL, batch=24), texts)
    training = {entry.id for entry in corpus.entries if entry.split == "train"}
    for update in range(4):
        lesson, other = lessons.at(update), again.at(update)
        assert [item.caption for item in lesson.samples] == [item.caption for item in other.samples]
        assert torch.equal(lesson.negative, other.negative)
        draws = lessons.batches.draw(update)
        assert {corpus.entries[draw.index].id for draw in draws} <= training
        for i, a in enumerate(draws):
            for j, b in enumerate(draws):
                if a.caption in captions_of(corpus.entries[b.index].meta):
                    assert not lesson.negative[i, j]
        assert lesson.negative.float().mean() > 0.5


def test_the_loss_is_cross_entropy_without_false_negatives() -> None:
    logits = torch.tensor([[2.0, 9.0, 0.0], [1.0, 3.0, -1.0], [0.5, 0.0, 1.0]])
    negative = torch.ones(3, 3, dtype=torch.bool)
    negative[0, 1] = False
    e = torch.exp
    texts = [e(logits[0, 0]) / (e(logits[0, 0]) + e(logits[0, 2])), *torch.softmax(logits, 1).diagonal()[1:]]
    column = e(logits[1, 1]) / (e(logits[1, 1]) + e(logits[2, 1]))
    both = torch.softmax(logits, 0).diagonal()
    expected = -torch.stack([*texts, both[0], column, both[2]]).log().mean()
    torch.testing.assert_close(info_nce(logits, negative), expected)


# The evaluator


def test_who_is_first_and_where_the_scene_is_do_not_matter(judge: Evaluator, samples: list[Sample]) -> None:
    pairs = [item for item in samples if len(item.features) == 2][:4]
    assert len(pairs) == 4
    swapped = [replace(item, features=item.features[::-1].copy(), roles=item.roles[::-1]) for item in pairs]
    moved = []
    for item in pairs:
        rows = np.ones((*item.features.shape[:2], WIDTH), np.float32)
        rows[..., :FEATURES] = item.features
        elsewhere = seen_from(rows, np.array([3.0, -2.0]), np.array(2.1))
        moved.append(replace(item, features=elsewhere[..., :FEATURES]))
    found = judge.motions(pairs)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    np.testing.assert_allclose(judge.motions(swapped), found, atol=1e-5)
    np.testing.assert_allclose(judge.motions(moved), found, atol=1e-4)
    roles = [replace(item, roles=item.roles[::-1]) for item in pairs if len(set(item.roles)) == 2]
    assert roles
    assert np.abs(judge.motions(roles) - found[: len(roles)]).max() > 1e-3, "who helps whom matters"


def test_the_role_of_one_alone_is_not_told(judge: Evaluator, samples: list[Sample]) -> None:
    alone = samples[-1]
    assert len(alone.features) == 1
    a, b = (judge.motions([replace(alone, roles=(role,))]) for role in ("staff", "patient"))
    np.testing.assert_array_equal(a, b)


@torch.no_grad()
def test_padding_and_absent_people_change_nothing(judge: Evaluator, samples: list[Sample]) -> None:
    short = [replace(item, features=item.features[:, :45]) for item in (samples[0], samples[-1])]
    for item in short:
        stack = stacked([item], judge.moments, SMALL)
        people, frames = stack.x.shape[1:3]
        assert frames == 48
        x = torch.full((1, people + 1, frames + 24, FEATURES), 7.0)
        x[:, :people, :45] = stack.x[:, :, :45]
        present, there = torch.zeros(1, people + 1, dtype=torch.bool), torch.zeros(1, frames + 24, dtype=torch.bool)
        present[:, :people], there[:, :45] = True, True
        roles = torch.cat((stack.roles, torch.tensor([[1]])), 1)
        padded = judge.net.motion(Stack(x, present, there, roles))
        torch.testing.assert_close(padded, judge.net.motion(stack), atol=1e-6, rtol=0)
        absent = Stack(padded.new_zeros(x.shape), present, there, roles)
        assert (judge.net.motion(absent) - padded).abs().max() > 1e-3, "those who are there matter"
    each = np.concatenate([judge.motions([item]) for item in samples[:6] + short])
    np.testing.assert_allclose(judge.motions(samples[:6] + short), each, atol=1e-6)


@torch.no_grad()
def test_padding_of_words_changes_nothing(judge: Evaluator, samples: list[Sample], texts: TokenTable) -> None:
    values, mask = (torch.from_numpy(a) for a in texts.lookup([samples[0].caption, samples[-1].caption]))
    found = judge.net.text(values, mask)
    other = torch.where(mask[..., None], values, torch.randn_like(values))
    torch.testing.assert_close(judge.net.text(other, mask), found, atol=1e-6, rtol=0)
    longest = int(mask.sum(1).max())
    torch.testing.assert_close(judge.net.text(values[:, :longest], mask[:, :longest]), found, atol=1e-6, rtol=0)
    assert torch.isfinite(judge.net.text(values, torch.zeros_like(mask))).all()
    assert (found[0] - found[1]).abs().max() > 1e-3


def test_a_motion_becomes_the_sample_that_the_corpus_holds(corpus: Corpus, judge: Evaluator) -> None:
    index = next(i for i, entry in enumerate(corpus.entries) if entry.people == 2)
    motion = corpus.interaction(index)
    made = Sample.of(motion, "words", load_body(), corpus.fps)
    np.testing.assert_allclose(made.features, corpus.sequence(index)[..., :FEATURES], atol=1e-4)
    assert (made.caption, made.roles, made.cls) == ("words", motion.meta.roles, motion.meta.interaction_class)
    faster = Sample.of(motion.resample(50.0), "words", load_body(), corpus.fps)
    assert judge.motions([faster])[0] @ judge.motions([made])[0] > 0.999


@pytest.mark.parametrize(
    ("features", "roles", "says"),
    [(np.zeros((1, 5, 204)), ("staff",), "features"), (np.zeros((4, 5, 205)), ("staff",) * 4, "features"),
     (np.full((1, 5, 205), np.nan), ("staff",), "NaN"), (np.zeros((2, 5, 205)), ("staff",), "roles"),
     (np.zeros((1, 5, 205)), ("wizard",), "wizard")],
)  # fmt: skip
def test_a_wrong_sample_says_what_is_wrong(features: np.ndarray, roles: tuple[str, ...], says: str) -> None:
    with pytest.raises(BadOption, match=says):
        Sample(features, roles, "words")


# Training


def matched(judge: Evaluator, corpus: Corpus, samples: list[Sample], texts: TokenTable) -> np.ndarray:
    """R-precision of the training items with their first captions."""
    words = list(dict.fromkeys(item.caption for item in samples))
    own = np.array([words.index(item.caption) for item in samples])
    args = (judge.motions(samples), judge.texts(words, texts), own, np.random.default_rng(0))
    return scores.r_precision(*args, pool=min(12, len(words))).mean(0)


def test_training_fits_motions_and_words(
    trained: tuple[Evaluator, list], judge: Evaluator, corpus: Corpus, samples: list[Sample], texts: TokenTable
) -> None:
    made, told = trained
    assert len(told) == SMALL.updates
    loss = [item["loss"] for item in told]
    assert np.mean(loss[-10:]) < 0.6 * np.mean(loss[:10])
    before, after = (matched(item, corpus, samples, texts) for item in (judge, made))
    assert after[0] > 0.5
    assert after[0] > before[0] + 0.25
    assert made.facts["updates"] == SMALL.updates


def broken_off(
    corpus: Corpus, out: Path, texts: TokenTable, stop: int | None = None, kill: int | None = None
) -> list[float]:
    """Losses by update until it is asked to stop, or dies, after so many."""
    found: list[float] = []

    def report(update: int, updates: int, numbers: dict[str, float], left: float) -> None:
        found.append(numbers["loss"])
        if len(found) == kill:
            raise RuntimeError("the power is gone")

    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        train_evaluator(corpus, SMALL, out, report, lambda: len(found) == stop, texts)
    return found


@pytest.mark.parametrize(("how", "kept"), [("stop", 25), ("kill", 20)])
def test_a_stopped_training_goes_on_with_the_same_curve(
    trained: tuple[Evaluator, list], corpus: Corpus, texts: TokenTable, tmp_path: Path, how: str, kept: int
) -> None:
    whole, out = [item["loss"] for item in trained[1]], tmp_path / "run"
    np.testing.assert_allclose(broken_off(corpus, out, texts, **{how: 25}), whole[:25], rtol=1e-5)
    rest = broken_off(corpus, out, texts, stop=10)  # of what was broken off the last saved update counts
    np.testing.assert_allclose(rest, whole[kept : kept + 10], rtol=1e-4)
    with pytest.raises(BadOption, match="same settings"):
        train_evaluator(corpus, replace(SMALL, rate=1e-4), out, texts=texts)
    (out / STATE).write_bytes(b"no state")
    with pytest.raises(BadFile, match="state"):
        train_evaluator(corpus, SMALL, out, texts=texts)


def test_settings_that_do_not_go_together_are_refused(corpus: Corpus, tmp_path: Path) -> None:
    for settings_of, field in ((replace(SMALL, patch=7), "frames"), (replace(SMALL, heads=3), "width")):
        with pytest.raises(BadFile, match=field):
            train_evaluator(corpus, settings_of, tmp_path / "run")


# Files


def test_an_evaluator_is_read_as_it_was_written(
    trained: tuple[Evaluator, list], samples: list[Sample], texts: TokenTable, tmp_path: Path
) -> None:
    made = trained[0]
    save_evaluator(made, tmp_path / "whole.safetensors", half=False)
    save_evaluator(made, tmp_path / "half.safetensors")
    read, half = (load_evaluator(tmp_path / name) for name in ("whole.safetensors", "half.safetensors"))
    assert (read.config, read.fps, read.facts) == (made.config, made.fps, made.facts)
    words = [item.caption for item in samples[:5]]
    np.testing.assert_array_equal(read.motions(samples[:5]), made.motions(samples[:5]))
    np.testing.assert_array_equal(read.texts(words, texts), made.texts(words, texts))
    np.testing.assert_allclose(half.motions(samples[:5]), made.motions(samples[:5]), atol=5e-3)


@pytest.mark.parametrize("what", ["text", "foreign", "version", "shape", "config", "moments", "missing"])
def test_a_damaged_evaluator_says_what_is_wrong(judge: Evaluator, tmp_path: Path, what: str) -> None:
    path = tmp_path / "e.safetensors"
    save_evaluator(judge, path)
    with pytest.raises(BadFile, match="caresynth"):
        load_model(path)
    tensors = load_file(path)
    about = {"version": 1, "config": SMALL.to_json(), "fps": 20.0, "facts": {}}
    if what == "version":
        about["version"] = 99
    if what == "shape":
        tensors["motion_in.bias"] = torch.zeros(3)
    if what == "config":
        about["config"]["widht"] = 4  # type: ignore[index]
    if what == "moments":
        del tensors["moments.std"]
    if what == "missing":
        del tensors["log_scale"]
    save_file(tensors, path, {"other" if what == "foreign" else HEADER: json.dumps(about)})
    if what == "text":
        path.write_text("not a model")
    said = {"text": "safetensors", "foreign": "evaluator", "shape": "motion_in.bias", "missing": "log_scale"}
    with pytest.raises(BadFile, match=said.get(what, what)):
        load_evaluator(path)


# Evaluation


def test_rows_of_truth_copies_and_nonsense(
    trained: tuple[Evaluator, list], corpus: Corpus, samples: list[Sample], texts: TokenTable
) -> None:
    made = trained[0]
    pairs = held_out(corpus, frames=SMALL.frames)
    truth = [sample_of(corpus, draw) for draw in pairs]
    assert {corpus.entries[draw.index].split for draw in pairs} <= {"val", "test"}
    nonsense = [replace(truth[0], caption=item.caption) for item in truth]  # whatever is asked for
    sets = {"same": truth, "nonsense": nonsense, "copies": samples}
    kwargs = {"pool": 8, "repeats": 5, "texts": texts, "seed": 3}
    result = evaluate(corpus, made, sets, **kwargs)
    assert result["note"] == NOTE
    assert NOTE.startswith("not comparable with published numbers")
    rows = result["rows"]
    assert list(rows) == [TRUTH, *sets]
    assert result["held_out"]["captions"] == len(truth) == rows["same"]["items"]
    assert rows["same"]["r_precision"] == rows[TRUTH]["r_precision"]
    assert rows["same"]["multimodal_distance"] == rows[TRUTH]["multimodal_distance"]
    assert rows["nonsense"]["frechet"] > 1.3 * rows["same"]["frechet"]
    assert rows["nonsense"]["r_precision"][0] < 0.5 * rows[TRUTH]["r_precision"][0]
    assert rows["nonsense"]["diversity"] < 1e-6 < rows[TRUTH]["diversity"]
    assert rows["nonsense"]["coverage"] < rows["same"]["coverage"]
    assert rows["copies"]["copying"] == 1
    assert rows["copies"]["nearest_training"] < 1e-6
    assert rows[TRUTH]["copying"] == pytest.approx(0.5)
    assert all(0 <= a <= b <= c <= 1 for a, b, c in (row["r_precision"] for row in rows.values()))
    json.dumps(result, allow_nan=False)
    fewer = evaluate(corpus, made, {"same": truth}, **kwargs)
    assert evaluate(corpus, made, {"same": truth}, **kwargs) == fewer


def test_physical_figures_stand_beside_the_others(
    trained: tuple[Evaluator, list], corpus: Corpus, texts: TokenTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synth.diffusion import evaluate as module

    short = corpus.interaction(held_out(corpus)[0].index).window(0, 1)
    found = module.physical([short, short], load_body())
    assert found["floor_penetration"] < 0.1
    assert "skate_ratio" in found
    monkeypatch.setattr(module, "physical", lambda items, body: {"count": float(len(items))})
    result = evaluate(corpus, trained[0], texts=texts, pool=8, repeats=2, motions={"made": [short]}, body=load_body())
    assert result["rows"]["made"] == {"physical": {"count": 1}}
    assert result["rows"][TRUTH]["physical"]["count"] == result["held_out"]["items"]


def test_an_evaluation_that_cannot_be_says_why(
    trained: tuple[Evaluator, list], corpus: Corpus, samples: list[Sample], texts: TokenTable
) -> None:
    made = trained[0]
    with pytest.raises(BadOption, match=r"made.*1 motions"):
        evaluate(corpus, made, {"model": samples[:1]}, texts=texts)
    with pytest.raises(BadOption, match="empty caption"):
        evaluate(corpus, made, {"model": [replace(samples[0], caption=" ")] * 2}, texts=texts)
    with pytest.raises(BadOption, match="pool"):
        evaluate(corpus, made, texts=texts, pool=5000)
    with pytest.raises(BadOption, match="tests"):
        evaluate(corpus, made, texts=texts, splits=["tests"])
    with pytest.raises(BadOption, match="fps"):
        evaluate(corpus, replace(made, fps=30.0), texts=texts)


# What is compared


class Repeating(torch.nn.Module):
    """A model that keeps what people start with."""

    def forward(self, x: torch.Tensor, t: torch.Tensor, condition: Condition) -> torch.Tensor:
        return condition.start[:, :, None].expand_as(x)


def test_a_model_is_asked_for_what_was_held_out_in_any_batches(corpus: Corpus, texts: TokenTable) -> None:
    config = TrainConfig(frames=SMALL.frames)
    model = Model(Repeating(), config, Moments.of(corpus), corpus.fps, {})  # type: ignore[arg-type]
    draws = held_out(corpus, frames=SMALL.frames)[::3]
    plainly = Sampling(count=2, physics=None)
    made = sampled(model, corpus, draws, texts, plainly, batch=3)
    assert [item.caption for item in made] == [draw.caption for draw in draws]
    for item, draw in zip(made, draws, strict=True):
        real = sample_of(corpus, draw)
        assert item.features.shape == real.features.shape
        assert item.roles == real.roles
        pose = slice(9, 135)  # the body's, which is the same in every frame of reference
        np.testing.assert_allclose(item.features[:, 0, pose], real.features[:, 0, pose], atol=1e-4)
        assert np.ptp(item.features, axis=1).max() < 1e-4
    torch.manual_seed(0)
    net = Denoiser(DenoiserConfig(width=16, layers=1, heads=2)).eval()
    torch.nn.init.normal_(net.motion_out.weight, std=0.05)
    model = replace(model, denoiser=net)
    one, three = (sampled(model, corpus, draws[:5], texts, plainly, batch=size) for size in (1, 3))
    for a, b in zip(one, three, strict=True):
        np.testing.assert_allclose(a.features, b.features, atol=1e-4)
    with pytest.raises(BadOption, match="fps"):
        sampled(replace(model, fps=30.0), corpus, draws, texts, plainly)


def test_which_soles_stand_sways_no_judgement(corpus: Corpus, judge: Evaluator) -> None:
    item = sample_of(corpus, held_out(corpus, frames=SMALL.frames)[0])
    other = item.features.copy()
    other[..., COLUMNS["contacts"]] = 1 - other[..., COLUMNS["contacts"]]
    before, after = (judge.motions([replace(item, features=features)]) for features in (item.features, other))
    np.testing.assert_array_equal(before, after)


def test_polishing_in_two_processes_gives_the_same(corpus: Corpus) -> None:
    draws = held_out(corpus, frames=SMALL.frames)[:3]
    samples = [sample_of(corpus, draw) for draw in draws]
    alone, two = (spread(workers, delivered, corpus.folder, draws, samples) for workers in (1, 2))
    assert [item.transl.shape[1] for item in two] == [draw.frames for draw in draws]
    for a, b in zip(alone, two, strict=True):
        assert np.array_equal(a.transl, b.transl)
        assert np.array_equal(a.body_pose, b.body_pose)


def test_retrieval_answers_with_training_motion_of_as_many_people(corpus: Corpus) -> None:
    draws = held_out(corpus, frames=SMALL.frames)[::5]
    train = [np.asarray(corpus.sequence(index))[0, :, 9:15].tobytes() for index in corpus.of_split("train")]
    answers = nearest(corpus, draws, TextEncoder())
    for item, draw in zip(retrieved(corpus, draws, answers), draws, strict=True):
        assert item.caption == draw.caption
        assert len(item.features) == corpus.entries[draw.index].people
        pose = item.features[0, :, 9:15].astype(np.float32).tobytes()
        assert any(pose in whole for whole in train)
    (motion,) = adapted(corpus, draws[:1], answers[:1], load_body())
    np.testing.assert_array_equal(motion.betas, corpus.interaction(draws[0].index).betas)
    assert motion.frames == answers[0].frames


def test_the_command_gives_rows_of_truth_retrieval_and_model(corpus: Corpus, judge: Evaluator, tmp_path: Path) -> None:
    save_evaluator(judge, tmp_path / "judge.safetensors")
    net = Denoiser(DenoiserConfig(width=16, layers=1, heads=2)).eval()
    config = TrainConfig(frames=SMALL.frames, model=net.config)
    save_model(Model(net, config, Moments.of(corpus), corpus.fps, {}), tmp_path / "m.safetensors")
    arguments = ["--corpus", str(corpus.folder), "--evaluator", str(tmp_path / "judge.safetensors")]
    more = ["--model", str(tmp_path / "m.safetensors"), "--pool", "8", "--json"]
    done = CliRunner().invoke(evaluate_model, [*arguments, *more])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.output)["rows"]
    assert set(rows) == {TRUTH, "retrieval", "retrieval, adapted", "still", "network", "model"}
    assert all(len(row["r_precision"]) == 3 for row in rows.values())
    done = CliRunner().invoke(evaluate_model, [*arguments[:3], str(tmp_path / "m.safetensors"), *more])
    assert isinstance(done.exception, BadFile)
