"""The classifier of noisy motion: which class of interaction a motion is on its way to, at any step of the diffusion.

It guides the sampling (Dhariwal & Nichol 2021, thesis eq. 2.20; `guidance.classified`). It sees the motion, the step
and who is there, not the words: those are what it is to judge by. The layers are the denoiser's, without a context;
tokens of all people are pooled together, so that their order does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synth.corpus.shards import SPLITS, Corpus
from synth.diffusion import checkpoint, loop, process
from synth.diffusion.config import ClassifierConfig, ClassifierSize, checked
from synth.diffusion.data import Batch, Batches, Condition
from synth.diffusion.denoiser import Block, alive_tokens, normed, rotary, sinusoids, step_layers, visible
from synth.diffusion.features import FEATURES, Moments
from synth.diffusion.loop import MODEL, Report
from synth.diffusion.schedule import Schedule
from synth.diffusion.text import TokenTable
from synth.errors import BadOption
from synth.taxonomy import INTERACTIONS

KIND = "classifier"


class Classifier(nn.Module):
    """Logits of the interaction classes, [B, 30], in the order of `taxonomy.INTERACTIONS`.

    Args:
        x: [B, P, T, 205] normalised features with noise; T a multiple of `patch`. What is in the place of who is not
            there, or comes after the end, does not matter.
        t: [B] steps of the diffusion process.
        condition: of which `present`, `frames` and `together` are read; at least one person is present in each item.
    """

    def __init__(self, config: ClassifierSize) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.motion_in = nn.Linear(config.patch * FEATURES, width)
        self.step = step_layers(width)
        self.modulation = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(Block(config, context=False) for _ in range(config.layers))
        self.weigh = nn.Linear(width, 1)
        self.classes = nn.Linear(2 * width, len(INTERACTIONS))
        nn.init.zeros_(self.modulation.weight)  # every layer starts as the identity
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        batch, people, frames, _ = x.shape
        patch, width = self.config.patch, self.config.width
        count = frames // patch
        there = condition.present[..., None] & condition.frames[:, None]  # [B, P, T]
        step = self.step(sinusoids(t * (1000.0 / self.config.steps), width).to(x.dtype))
        modulation = self.modulation(step).view(batch, 1, 1, 6, width)
        shown = torch.where(there[..., None], x, x.new_zeros(()))
        tokens = self.motion_in(shown.reshape(batch, people, count, patch * FEATURES))
        alive = alive_tokens(condition, patch)
        seen, turn = visible(alive, condition.together), rotary(count, width // self.config.heads, x.device, x.dtype)
        for block in self.blocks:
            tokens = block(tokens, modulation, turn, seen)
        tokens, alive = normed(tokens).flatten(1, 2), alive.flatten(1)
        alive = alive | ~alive.any(1, keepdim=True)  # an item of nobody gives some number, not NaN
        weights = self.weigh(tokens).squeeze(-1).masked_fill(~alive, -torch.inf).softmax(1)
        pooled = torch.einsum("bn,bnc->bc", weights, tokens)
        return self.classes(torch.cat((pooled, step), -1))


@dataclass(frozen=True)
class TrainedClassifier:
    """A classifier ready to guide: in evaluation mode.

    Attributes:
        config: how it was trained. moments: of the features that it takes. fps: of the motions. facts: its card.
    """

    classifier: Classifier
    config: ClassifierConfig
    moments: Moments
    fps: float
    facts: dict[str, Any]

    def must_fit(self, model: checkpoint.Model) -> None:
        """Raises BadOption unless what the generator makes is what this one was trained to see."""
        same = all(
            torch.allclose(mine.cpu(), other.cpu())
            for mine, other in zip(self.moments.tensors().values(), model.moments.tensors().values(), strict=True)
        )
        mine, other = self.config.process, model.config.process
        if not same or (mine.schedule, mine.steps) != (other.schedule, other.steps) or self.fps != model.fps:
            raise BadOption(
                "classifier", self.config.name, f"one trained on the corpus and process of {model.config.name}"
            )


def save_classifier(model: TrainedClassifier, path: Path, half: bool = True) -> None:
    """Write a classifier; see `checkpoint.write_trained`."""
    checkpoint.write_trained(path, KIND, model.classifier, model.config, model.moments, model.fps, model.facts, half)


def load_classifier(path: Path, device: str | torch.device = "cpu") -> TrainedClassifier:
    """Read a classifier. Raises BadFile; see `checkpoint.read_trained`."""
    parts = checkpoint.read_trained(path, KIND, ClassifierConfig, lambda c: Classifier(checked(c, path).model), device)
    return TrainedClassifier(*parts)


def train_classifier(
    config: ClassifierConfig, corpus_folder: Path, out: Path, report: Report = lambda *_: None, device: str = "auto",
    stop: Callable[[], bool] = lambda: False,
) -> TrainedClassifier:  # fmt: skip
    """Train, or go on with what is in `out`; the one with the mean weights, as written to `out`/model.safetensors.

    Args, errors: those of `synth.diffusion.train.train`.
    """
    corpus = Corpus.open(corpus_folder)
    worker = loop.begin(out, config, corpus, device)
    moments, schedule = Moments.of(corpus), config.process.tables()
    torch.manual_seed(config.seed)
    net = Classifier(config.model)
    readers = loop.readers_of(corpus, config, texts=unread(corpus), patch=config.model.patch)
    facts = loop.facts_of(worker, corpus)

    def model(mean: dict[str, Tensor], update: int) -> TrainedClassifier:
        trained = Classifier(config.model)
        trained.load_state_dict({name: value.cpu() for name, value in mean.items()})
        return TrainedClassifier(trained.eval(), config, moments, corpus.fps, facts | {"updates": update})

    def draw(number: int) -> loop.Drawn:
        batch, rng = loop.drawn(config, readers, number)
        return loop.Drawn(batch, loop.seeds_of(rng))

    def terms(net: nn.Module, drawn: loop.Drawn) -> dict[str, Tensor]:
        return loss_of(net, drawn.batch.to(worker.device), schedule, loop.noise_of(drawn.seeds, worker.device))

    def keep(mean: dict[str, Tensor], update: int) -> None:
        save_classifier(model(mean, update), out / MODEL)

    return model(loop.run(worker, out, config, net, draw, terms, keep, report, stop), config.updates)


def loss_of(net: nn.Module, batch: Batch, schedule: Schedule, generator: torch.Generator) -> dict[str, Tensor]:
    """Cross entropy at random steps over the items that have a class, as "loss", and their share that is right."""
    t = torch.randint(schedule.steps, (len(batch.x),), generator=generator, device=generator.device).to(batch.x.device)
    noisy = process.diffuse(schedule, batch.x, t, process.noise_like(batch.x, generator))
    logits = net(noisy, t, batch.condition).float()
    known = (batch.classes >= 0).sum().clamp_min(1)
    loss = F.cross_entropy(logits, batch.classes, ignore_index=-1, reduction="sum") / known
    return {"loss": loss, "right": (logits.argmax(-1) == batch.classes).sum() / known}


@torch.no_grad()
def accuracy(
    model: TrainedClassifier, corpus: Corpus, split: str, steps: Sequence[int], seed: int = 0, draws: int = 4,
    size: int = 32,
) -> dict[str, Any]:  # fmt: skip
    """How often the class is right, by step, over all sequences of a split that have one.

    Args:
        steps: of the process, at which noise is added. draws: of noise, for each sequence and step.

    Returns:
        items: how many. common: share of the training's most common class among them, what a guess gets.
        right: step -> share that is right. balanced: step -> mean over classes of that share.

    Raises:
        BadOption: see `need_classes`.
    """
    need_classes(corpus, split)
    schedule = model.config.process.tables()
    found: dict[int, list[tuple[int, int]]] = {step: [] for step in steps}
    for people in (1, 2):
        try:
            batches = Batches(corpus, split, size, model.config.frames, people, texts=unread(corpus))
        except BadOption:  # none of so many people
            continue
        chosen = [index for index in batches.indices if corpus.entries[index].interaction_class]
        for start in range(0, len(chosen), size):
            batch = batches.collate(batches.each(chosen[start : start + size]))
            for step in steps:
                generator = torch.Generator().manual_seed(
                    int(np.random.SeedSequence([seed, step, start]).generate_state(1)[0])
                )
                for _ in range(draws):
                    t = torch.full((len(batch.x),), step)
                    noisy = process.diffuse(schedule, batch.x, t, process.noise_like(batch.x, generator))
                    guess = model.classifier(noisy, t, batch.condition).argmax(-1)
                    found[step] += zip(batch.classes.tolist(), guess.tolist(), strict=True)
    return _figures(found, corpus, draws)


def need_classes(corpus: Corpus, split: str) -> None:
    """Raise BadOption for a split with nothing to be tried out on."""
    known = {entry.split for entry in corpus.entries if entry.interaction_class and entry.people < 3}
    if split not in known:
        expected = ", ".join(name for name in SPLITS if name in known) or f"none in {corpus.folder} is"
        raise BadOption("--split", split, f"a split that holds sequences with a class: {expected}")


def _figures(found: dict[int, list[tuple[int, int]]], corpus: Corpus, draws: int) -> dict[str, Any]:
    rows = {step: np.array(pairs).reshape(-1, 2) for step, pairs in found.items()}
    truth = next(iter(rows.values()))[:, 0]
    trained = [corpus.entries[index].interaction_class for index in corpus.of_split("train")]
    common = max(INTERACTIONS, key=trained.count)
    balanced = {
        step: float(np.mean([np.mean(pairs[pairs[:, 0] == cls, 1] == cls) for cls in np.unique(pairs[:, 0])]))
        for step, pairs in rows.items()
    }
    return {
        "items": len(truth) // draws,
        "classes": len(np.unique(truth)),
        "common": float(np.mean(truth == INTERACTIONS.index(common))),
        "right": {step: float(np.mean(pairs[:, 0] == pairs[:, 1])) for step, pairs in rows.items()},
        "balanced": balanced,
    }


class _Unread(TokenTable):
    """Captions that nobody reads, so that no text encoder is needed."""

    def lookup(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((len(texts), 1, 1), np.float32), np.zeros((len(texts), 1), bool)


def unread(corpus: Corpus) -> TokenTable:
    return _Unread({}, np.zeros(1, np.int64), np.zeros((0, 1), np.float16), 1)
