"""The evaluator's training: motion and words of the training split, told apart from each other's.

Symmetric InfoNCE (van den Oord et al. 2018; CLIP, Radford et al. 2021) with a learned temperature. A motion's positive
is the caption that was drawn of it; captions that say the same are no negatives (`synth.diffusion.sayings`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synth.corpus.shards import Corpus
from synth.diffusion import loop
from synth.diffusion.data import Batches
from synth.diffusion.evaluator import Evaluator, EvaluatorConfig, Sample, TwoTowers, sample_of, save_evaluator
from synth.diffusion.features import Moments
from synth.diffusion.loop import Report
from synth.diffusion.sayings import alike, said_of
from synth.diffusion.text import TokenTable, captions_of, corpus_tokens

EVALUATOR = "evaluator.safetensors"
_STREAM = 3  # of the seed's streams of randomness, the one of dropout


@dataclass(frozen=True)
class Lesson:
    """What an update learns from: samples, and bool [B, B] which text is a negative of which motion."""

    samples: tuple[Sample, ...]
    negative: Tensor


class Lessons:
    """Updates' samples by number alone; `split` is "train" except where a test asks."""

    def __init__(self, corpus: Corpus, config: EvaluatorConfig, texts: TokenTable, split: str = "train") -> None:
        self.corpus, self.config, self.texts = corpus, config, texts
        self.batches = Batches(
            corpus, split, config.batch, config.frames, None, config.seed, config.balance, texts=texts
        )  # fmt: skip

    def at(self, update: int) -> Lesson:
        draws = self.batches.draw(update)
        samples = tuple(sample_of(self.corpus, draw) for draw in draws)
        words, classes = [item.caption for item in samples], [item.cls for item in samples]
        captions = [frozenset(captions_of(self.corpus.entries[draw.index].meta)) for draw in draws]
        same = alike(words, classes, self.texts, self.config.alike) | said_of(words, captions)
        return Lesson(samples, torch.from_numpy(~same))


def train_evaluator(
    corpus: Corpus, config: EvaluatorConfig, out: Path, report: Report = lambda *_: None,
    stop: Callable[[], bool] = lambda: False, texts: TokenTable | None = None, device: str = "cpu",
) -> Evaluator:  # fmt: skip
    """Train on the corpus's training split, or go on with what is in `out`; as written to `out`/evaluator.safetensors.

    Args:
        out: a folder of its own.
        stop: asked after every update; where it says so the state is saved and the training ends.
        texts: the corpus's captions; by default made, or read from the cache folder.

    Raises:
        BadFile: settings that do not go together, or a damaged state. BadOption: `out` holds something else.
        KeyboardInterrupt: it was asked to stop; the state is saved.
    """
    config.checked("the evaluator's settings")
    worker = loop.begin(out, config, corpus, device)
    moments, known = Moments.of(corpus), texts or corpus_tokens(corpus)
    lessons = Lessons(corpus, config, known)
    torch.manual_seed(config.seed)
    facts = loop.facts_of(worker, corpus) | {"split": "train"}

    def evaluator(mean: loop.Weights, update: int) -> Evaluator:
        judge = TwoTowers(config)
        judge.load_state_dict({name: value.cpu() for name, value in mean.items()})
        return Evaluator(judge.eval(), config, moments, corpus.fps, facts | {"updates": update})

    def draw(number: int) -> tuple[Lesson, int]:
        return lessons.at(number), int(np.random.default_rng([config.seed, _STREAM, number]).integers(1 << 62))

    def terms(net: nn.Module, drawn: tuple[Lesson, int]) -> dict[str, Tensor]:
        lesson, seed = drawn
        torch.manual_seed(seed)
        return loss_of(cast(TwoTowers, net), lesson, moments, known)

    def keep(mean: loop.Weights, update: int) -> None:
        save_evaluator(evaluator(mean, update), out / EVALUATOR)

    mean = loop.run(worker, out, config, TwoTowers(config), draw, terms, keep, report, stop)
    return evaluator(mean, config.updates)


def loss_of(net: TwoTowers, lesson: Lesson, moments: Moments, texts: TokenTable) -> dict[str, Tensor]:
    """The loss, the share of motions whose own text is the nearest of the batch, and one over the temperature."""
    device = net.log_scale.device
    values, mask = (torch.from_numpy(a).to(device) for a in texts.lookup([item.caption for item in lesson.samples]))
    similarity = net.text(values, mask) @ net.motions_of(lesson.samples, moments).T  # [texts, motions]
    negative = lesson.negative.to(device)
    loss = info_nce(similarity * net.scale, negative)
    with torch.no_grad():
        own = similarity.diagonal()
        nearest = (similarity.masked_fill(~negative, -torch.inf).amax(0) < own).float().mean()
    return {"loss": loss, "nearest": nearest, "scale": net.scale.detach()}


def info_nce(logits: Tensor, negative: Tensor) -> Tensor:
    """Mean cross entropy of texts to motions and motions to texts.

    Args:
        logits: [B, B] of text i and motion j; positives on the diagonal.
        negative: bool [B, B]; false entries off the diagonal are left out of the denominators.
    """
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    kept = logits.masked_fill(~(negative | own), -torch.inf)
    target = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(kept, target) + F.cross_entropy(kept.T, target)) / 2
