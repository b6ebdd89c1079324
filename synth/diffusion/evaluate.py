"""Rows of figures: held-out motion itself, and any made motions, by the same evaluator and on sets of the same size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from synth.body.model import BodyModel
from synth.corpus.shards import SPLITS, Corpus
from synth.diffusion import scores
from synth.diffusion.data import PEOPLE, Batches
from synth.diffusion.evaluator import Evaluator, Sample, sample_of
from synth.diffusion.sayings import alike, said_together
from synth.diffusion.text import TokenTable, captions_of, token_table
from synth.diffusion.windows import Draw
from synth.errors import BadOption
from synth.interaction import Interaction
from synth.motion import mesh
from synth.motion.evaluate import measure_all
from synth.rotation import Array

NOTE = (
    "not comparable with published numbers: our own evaluator, trained on this corpus's training split alone; the "
    "network is told each item's caption, people, furniture, length and first frame, which 'still' holds throughout"
)
# of motion whose contacts are those that were measured on it these are small by definition
OF_CONTACTS = ("contact_gap", "object_gap", "body_penetration_apart")
TRUTH = "ground truth"
HELD_OUT = ("val", "test")


def held_out(corpus: Corpus, splits: Sequence[str] = HELD_OUT, frames: int = 240) -> list[Draw]:
    """Every held-out sequence of up to three people with every caption that is said of it: what is to be generated.

    Raises:
        BadOption: there are no such splits, or they hold nothing.
    """
    for split in splits:
        if split not in SPLITS:
            raise BadOption("splits", split, f"some of {', '.join(SPLITS)}")
    indices = [at for split in splits for at in corpus.of_split(split) if corpus.entries[at].people <= PEOPLE]
    if not indices:
        raise BadOption("splits", ", ".join(splits), f"splits of {corpus.folder} that hold sequences")
    return [
        replace(draw, caption=caption)
        for draw in _each(corpus, indices, frames)
        for caption in captions_of(corpus.entries[draw.index].meta)
    ]


def evaluate(
    corpus: Corpus, evaluator: Evaluator, made: Mapping[str, Sequence[Sample]] | None = None, *,
    splits: Sequence[str] = HELD_OUT, seed: int = 0, pool: int = 32, repeats: int = 20,
    texts: TokenTable | None = None, motions: Mapping[str, Sequence[Interaction]] | None = None,
    body: BodyModel | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Figures of held-out motion and of made motions, as plain values for JSON.

    Texts of a pool that say the same as a motion's own are never its mismatches, in every row; mismatches are drawn
    from what is said of held-out sequences. The Frechet distance is to one half of the held-out takes: of the other
    half (ground truth), or of as many made motions; so is coverage. Halves are drawn anew in every repeat.

    Args:
        made: sets of motions by name, each made for its caption; best for those of `held_out`.
        seed: of pools and halves.
        pool: texts a pool. repeats: of pools and halves.
        texts: a table that holds all captions; by default made, or read from the cache folder.
        motions: the same sets as interactions, for `physical`; what follows from their contacts is left out, as those
            were measured on them. body: what measures those; without it nothing does.

    Returns:
        "note", "evaluator" (its facts), "held_out" (items, takes, captions), "pool", "repeats", "frechet_items" and
        "rows": name -> figures: "items", "r_precision" [3] and "r_precision_interval" (plus or minus, 95 %),
        "multimodal_distance", "multimodality" (None where no text has two motions), "frechet" and "frechet_deviation"
        (over repeats), "diversity", "nearest_training" (mean distance), "copying" (0.5 is none; of the ground truth by
        definition), "coverage", and "physical" where that was asked.

    Raises:
        BadOption: too little is held out, a set is empty, a caption is, or the evaluator is of another frame rate.
    """
    made = made or {}
    if evaluator.fps != corpus.fps:
        raise BadOption("corpus", f"{corpus.fps:g} fps", f"{evaluator.fps:g} fps, as the evaluator's motions")
    for name, samples in made.items():
        if len(samples) < 2 or name == TRUTH:
            raise BadOption("made", f"{name}: {len(samples)} motions", f"two or more, not called {TRUTH}")
        if not all(item.caption.strip() for item in samples):
            raise BadOption("made", f"{name}: an empty caption", "what each motion is to be")
    pairs = held_out(corpus, splits, evaluator.config.frames)
    indices = list(dict.fromkeys(draw.index for draw in pairs))
    firsts = {draw.index: draw for draw in reversed(pairs)}
    entries = [corpus.entries[index] for index in indices]
    takes = np.array([entry.take for entry in entries])
    real = evaluator.motions([sample_of(corpus, firsts[index]) for index in indices])
    known = _of_training(corpus, evaluator)
    words = _Words(corpus, evaluator, pairs, [item for samples in made.values() for item in samples], texts, pool)
    seeds = np.random.SeedSequence(seed).spawn(3)
    found = {name: evaluator.motions(samples) for name, samples in made.items()}
    halves = _halves(takes, np.random.default_rng(seeds[0]), repeats)
    size = min([len(half) for two in halves for half in two] + [len(rows) for rows in found.values()])
    if size < 2:
        raise BadOption("splits", f"{len(np.unique(takes))} takes", "four or more, to be halved")

    rows: dict[str, dict[str, Any]] = {}
    place = {index: at for at, index in enumerate(indices)}
    said = real[[place[draw.index] for draw in pairs]]
    for name in (TRUTH, *made):
        rng = np.random.default_rng(seeds[1])  # the same for every row: what one set has drawn moves no other's
        truth = name == TRUTH
        motions_of = said if truth else found[name]
        captions = [draw.caption for draw in pairs] if truth else [item.caption for item in made[name]]
        groups = takes[[place[draw.index] for draw in pairs]] if truth else np.array(captions)
        frechet, cover = [], []
        for a, b in halves:
            drawn = real[rng.permutation(a)[:size]] if truth else found[name][rng.permutation(len(found[name]))[:size]]
            against = real[rng.permutation(b)[:size]]
            frechet.append(scores.frechet(drawn, against))
            cover.append(scores.coverage(against, drawn, min(5, size - 1)))
        own = real if truth else found[name]
        rows[name] = {
            "items": len(own),
            **words.figures(motions_of, captions, groups, np.random.default_rng(seeds[2]), repeats),
            "frechet": float(np.mean(frechet)),
            "frechet_deviation": float(np.std(frechet)),
            "diversity": scores.diversity(own),
            "nearest_training": float(scores.nearest(own, known)[0].mean()),
            "copying": scores.copying(own, real, known),
            "coverage": float(np.mean(cover)),
        }
    if body is not None:
        rows[TRUTH]["physical"] = physical([window_of(corpus, firsts[index]) for index in indices], body)
        for name, items in (motions or {}).items():
            found_of = physical(items, body)
            rows.setdefault(name, {})["physical"] = {
                key: value for key, value in found_of.items() if key not in OF_CONTACTS
            }
    return {
        "note": NOTE,
        "evaluator": evaluator.facts,
        "held_out": {"splits": list(splits), "items": len(indices), "takes": len(set(takes)), "captions": len(pairs)},
        "pool": pool,
        "repeats": repeats,
        "frechet_items": size,
        "rows": rows,
    }


def physical(motions: Sequence[Interaction], body: BodyModel) -> dict[str, float]:
    """Means of `synth.motion.evaluate.METRICS` over motions, each over those that have it."""
    skin = mesh.Skin.of(body)
    found: dict[str, list[float]] = {}
    for motion in motions:
        for name, value in measure_all(motion, body, skin).items():
            found.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def window_of(corpus: Corpus, draw: Draw) -> Interaction:
    """What of an item is compared, as an interaction."""
    return corpus.interaction(draw.index).window(draw.start / corpus.fps, (draw.start + draw.frames) / corpus.fps)


class _Words:
    """Everything that is said of what is held out and of what was made, and which of it differs."""

    def __init__(
        self, corpus: Corpus, evaluator: Evaluator, pairs: Sequence[Draw], samples: Sequence[Sample],
        table: TokenTable | None, pool: int,
    ) -> None:  # fmt: skip
        classes: dict[str, str | None] = {}
        for item in samples:
            classes.setdefault(item.caption, item.cls)
        classes |= {draw.caption: corpus.entries[draw.index].interaction_class for draw in pairs}
        known = {draw.caption for draw in pairs}
        self.row = {text: at for at, text in enumerate(classes)}
        names = list(classes)
        table = table or token_table(names)
        self.embedded = evaluator.texts(names, table)
        together = [captions_of(corpus.entries[index].meta) for index in {draw.index for draw in pairs}]
        same = alike(names, list(classes.values()), table, evaluator.config.alike) | said_together(names, together)
        self.differs = ~same & np.array([name in known for name in names])
        self.pool = pool
        fewest = int(self.differs.sum(1).min())
        if not 4 <= pool <= fewest + 1:
            raise BadOption("pool", str(pool), f"4 to {fewest + 1}: so few held-out captions differ from one of these")

    def figures(
        self, motions: Array, captions: Sequence[str], groups: np.ndarray, rng: np.random.Generator, repeats: int
    ) -> dict[str, Any]:  # fmt: skip
        own = np.array([self.row[caption] for caption in captions])
        hits = scores.r_precision(motions, self.embedded, own, rng, self.differs, self.pool, repeats)
        return {
            "r_precision": hits.mean(0).tolist(),
            "r_precision_interval": scores.interval(hits, groups, rng).tolist(),
            "multimodal_distance": scores.multimodal_distance(motions, self.embedded[own]),
            "multimodality": scores.multimodality(motions, own),
        }


def _of_training(corpus: Corpus, evaluator: Evaluator) -> Array:
    """Embeddings of the training split, every sequence once."""
    indices = [at for at in corpus.of_split("train") if corpus.entries[at].people <= PEOPLE]
    if not indices:
        raise BadOption("corpus", str(corpus.folder), "one with a training split")
    samples = [sample_of(corpus, draw) for draw in _each(corpus, indices, evaluator.config.frames)]
    return evaluator.motions(samples)


def _halves(takes: np.ndarray, rng: np.random.Generator, repeats: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Items of random halves of the takes: a recording's copies and mirror images stay together."""
    names, found = np.unique(takes), []
    for _ in range(repeats):
        chosen = np.isin(takes, rng.permutation(names)[: len(names) // 2])
        found.append((np.flatnonzero(chosen), np.flatnonzero(~chosen)))
    return found


def _each(corpus: Corpus, indices: Sequence[int], frames: int) -> list[Draw]:
    split = corpus.entries[indices[0]].split
    nothing = TokenTable({}, np.zeros(1, np.int64), np.zeros((0, 1), np.float16))
    return Batches(corpus, split, frames=frames, texts=nothing).each(indices)
