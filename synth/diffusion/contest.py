"""What is compared with held-out motion: the model's answer to each caption, as sampled and as delivered, and what it
has to beat (`synth.diffusion.baseline`)."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from synth.body import BodyModel, load_body
from synth.corpus.gate import distance_faults
from synth.corpus.rows import FEATURES, centred_features, starts
from synth.corpus.shards import Corpus
from synth.corpus.touch import measured_contacts
from synth.diffusion.baseline import adapted, nearest, retrieved, still
from synth.diffusion.checkpoint import Model, load_model
from synth.diffusion.classifier import TrainedClassifier
from synth.diffusion.data import Batches
from synth.diffusion.evaluate import evaluate, held_out
from synth.diffusion.evaluator import Sample, load_evaluator, sample_of
from synth.diffusion.features import Moments, to_interaction
from synth.diffusion.losses import standing
from synth.diffusion.polish import polished
from synth.diffusion.sample import Sampling, denoised
from synth.diffusion.text import TokenTable, corpus_tokens
from synth.diffusion.windows import Draw
from synth.encoders import text_encoder
from synth.errors import BadOption
from synth.interaction import Interaction, Meta
from synth.motion.fit import one_thread
from synth.room import furniture_from_json
from synth.rotation import yaw_matrix
from synth.text import TextEncoder

ATTEMPTS = 3  # at one item
T = TypeVar("T")
Work = Callable[[Corpus, Sequence[Draw], Sequence[T], BodyModel], list[Interaction]]


def sampled(
    model: Model, corpus: Corpus, draws: Sequence[Draw], texts: TokenTable, sampling: Sampling, seed: int = 0,
    batch: int = 16, start: bool = True, classifier: TrainedClassifier | None = None,
    drafts: Sequence[Sample] | None = None,
) -> list[Sample]:  # fmt: skip
    """What the model makes of each item's caption, people, furniture and length; in the draws' order.

    Args:
        texts: the captions' embeddings by the model's own encoder.
        start: whether the first frame is told, as `synth generate` does; nothing later of the item ever is.
        classifier: guides towards the items' classes.
        drafts: for each item something rough of as many people, where `sampling.strength` is below 1.

    Raises:
        BadOption: the model is of another frame rate.
    """
    if model.fps != corpus.fps:
        raise BadOption("--model", f"{model.fps:g} fps", f"{corpus.fps:g} fps, as the corpus")
    groups: dict[int, list[int]] = defaultdict(list)
    for at, draw in enumerate(draws):
        groups[len(draw.order)].append(at)
    made: list[Sample | None] = [None] * len(draws)
    for people, members in sorted(groups.items()):
        reader = Batches(corpus, "train", batch, model.config.frames, people, texts=texts)
        for first in range(0, len(members), batch):
            chosen = members[first : first + batch]
            items = [draws[at] for at in chosen]
            rough = None if drafts is None else [drafts[at] for at in chosen]
            answers = _batch(model, reader, items, sampling, seed, start, classifier, rough)
            for at, draw, features in zip(chosen, items, answers, strict=True):
                made[at] = replace(sample_of(corpus, draw), features=features)
    return [item for item in made if item is not None]


def _batch(
    model: Model,
    reader: Batches,
    draws: Sequence[Draw],
    sampling: Sampling,
    seed: int,
    start: bool,
    classifier: TrainedClassifier | None,
    drafts: Sequence[Sample] | None,
) -> list[np.ndarray]:
    """Features [P, T, 205] of each item."""
    device = model.moments.mean.device
    batch = reader.collate(draws).to(device)
    known = batch.condition
    condition = replace(known, target_mask=torch.zeros_like(known.target_mask), target=torch.zeros_like(known.target))
    if not start:
        condition = replace(
            condition, start_mask=torch.zeros_like(known.start_mask), start=torch.zeros_like(known.start)
        )
    # noise by the item, so that a batch's make-up changes nothing
    noise = torch.stack([_noise(batch.x.shape[1:], seed, draw) for draw in draws]).to(device)
    rough = None if drafts is None else _rough(model, draws, drafts, batch.x).to(device)
    x = denoised(model, condition, noise, sampling, None, classifier, batch.classes, draft=rough)
    features = model.moments.denormalise(x).cpu().numpy()
    people = [len(draw.order) for draw in draws]
    return [one[:p, : draw.frames] for one, p, draw in zip(features, people, draws, strict=True)]


def _rough(model: Model, draws: Sequence[Draw], drafts: Sequence[Sample], like: torch.Tensor) -> torch.Tensor:
    """Drafts, stretched to the items' lengths, as normalised features of the batch's shape."""
    found, moments = torch.zeros(like.shape), model.moments.to("cpu")
    for at, (draw, draft) in enumerate(zip(draws, drafts, strict=True)):
        frames = np.linspace(0, draft.features.shape[1] - 1, draw.frames).round().astype(int)
        features = torch.from_numpy(centred_features(draft.features[:, frames]))
        found[at, : len(features), : draw.frames] = moments.normalise(features)
    return found


def _noise(shape: torch.Size, seed: int, draw: Draw) -> torch.Tensor:
    words = zlib.crc32(draw.caption.encode())
    state = np.random.SeedSequence([seed, draw.index, words]).generate_state(1, np.uint64)
    return torch.randn(shape, generator=torch.Generator().manual_seed(int(state[0]) >> 1))


def delivered(
    corpus: Corpus, draws: Sequence[Draw], samples: Sequence[Sample], body: BodyModel, polish: bool = True
) -> list[Interaction]:
    """Sampled motions on the items' bodies and furniture, polished as `synth generate` does, but for what it takes from
    the library (touches and props that belong to what is done), from the room, and from the gate.

    Args:
        samples: what `sampled` made of the draws.
        polish: if not, they are as they were sampled, with the contacts that they have.
    """
    found = []
    for draw, item in zip(draws, samples, strict=True):
        whole, order = corpus.interaction(draw.index), list(draw.order)
        rows = np.asarray(corpus.sequence(draw.index))[order, draw.start : draw.start + 1]
        place, yaw = starts(rows[None])
        moments = Moments(torch.zeros(FEATURES), torch.ones(FEATURES))
        genders = tuple(whole.meta.genders[person] for person in order)
        meta = Meta(roles=item.roles, genders=genders, interaction_class=item.cls)
        motion = to_interaction(torch.from_numpy(item.features), moments, whole.betas[order], corpus.fps, meta)
        rest = np.asarray(body.rest_joints(motion.betas), float)[:, 0]
        motion = motion.transform(yaw_matrix(float(yaw[0])), np.array([*place[0], 0.0]), rest)
        motion = replace(motion, meta=replace(motion.meta, stage=whole.meta.stage))
        pieces = [furniture_from_json(piece, "stage", "stage") for piece in whole.meta.stage]
        if polish:
            with one_thread():
                stands = standing(torch.from_numpy(item.features), moments).numpy()
                motion = polished(motion, body, None, pieces, stands)
        found.append(replace(motion, meta=replace(motion.meta, contacts=measured_contacts(motion, body, pieces))))
    return found


def spread(workers: int, work: Work[T], folder: Path, draws: Sequence[Draw], items: Sequence[T]) -> list[Interaction]:
    """`work` (`delivered` or `adapted`) with several processes; the same motions for any number of them."""
    if workers == 1:
        return work(Corpus.open(folder), draws, items, load_body())
    shares = [(work, folder, draws[at::workers], items[at::workers]) for at in range(workers)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(_share, shares))
    return [found[at % workers][at // workers] for at in range(len(draws))]


def _share(share: tuple[Work[T], Path, Sequence[Draw], Sequence[T]]) -> list[Interaction]:
    work, folder, draws, items = share
    return work(Corpus.open(folder), draws, items, load_body())


def _gated(
    motions: Sequence[Interaction], once_more: Callable[[list[int], int], list[Interaction]], seed: int
) -> list[Interaction]:  # fmt: skip
    """What the gate of `synth generate` would not let pass for its distances is sampled again, and the best kept."""
    best = list(motions)
    for attempt in range(1, ATTEMPTS):
        chosen = [at for at, motion in enumerate(best) if distance_faults(motion)]
        if not chosen:
            break
        for at, other in zip(chosen, once_more(chosen, seed + attempt), strict=True):
            if len(distance_faults(other)) < len(distance_faults(best[at])):
                best[at] = other
    return best


def evaluated(
    corpus_folder: Path,
    evaluator: Path,
    model: Path | None,
    captions: int,
    seed: int,
    pool: int = 32,
    sampling: Sampling | None = None,
    workers: int = 1,
) -> dict[str, Any]:
    """The rows of `synth.diffusion.evaluate.evaluate`: ground truth, what is to be beaten, and if there is a model two.

    "retrieval" is the training motion whose caption is nearest, as it is; "retrieval, adapted" the same on the people
    who are asked for, as the retrieval generator gives it; "still" every item's first frame, held: what one is worth
    that ignores the words. "network" is what the model samples, "model" the same polished (`delivered`), and sampled
    again where the gate would for distances. What is polished or adapted is measured on skins and furniture as well.

    Args:
        captions: of each held-out sequence that are asked for. pool: texts that R-precision chooses among.
        workers: processes that adapt and polish.
    """
    corpus, judge, body = Corpus.open(corpus_folder), load_evaluator(evaluator), load_body()
    asked: dict[int, list[Draw]] = defaultdict(list)
    for draw in held_out(corpus, frames=judge.config.frames):
        asked[draw.index].append(draw)
    draws = [draw for items in asked.values() for draw in items[:captions]]
    answers = nearest(corpus, draws, TextEncoder())
    made = {"retrieval": retrieved(corpus, draws, answers), "still": [still(corpus, draw) for draw in draws]}
    motions = {"retrieval, adapted": spread(workers, adapted, corpus_folder, draws, answers)}
    if model is not None:
        trained, drafts = load_model(model), made["retrieval"]
        texts = corpus_tokens(corpus, text_encoder(trained.config.encoder))
        short = [replace(draw, frames=min(draw.frames, trained.config.frames)) for draw in draws]

        def samples(chosen: Sequence[int], seed: int) -> list[Sample]:
            items, rough = [short[at] for at in chosen], [drafts[at] for at in chosen]
            return sampled(trained, corpus, items, texts, sampling or Sampling(), seed, drafts=rough)

        def once_more(chosen: list[int], seed: int) -> list[Interaction]:
            items = [short[at] for at in chosen]
            return spread(workers, delivered, corpus_folder, items, samples(chosen, seed))

        made["network"] = samples(range(len(draws)), seed)
        first = spread(workers, delivered, corpus_folder, short, made["network"])
        motions["model"] = _gated(first, once_more, seed)
    for name, items in motions.items():
        made[name] = [
            Sample.of(motion, draw.caption, body, judge.fps) for motion, draw in zip(items, draws, strict=True)
        ]
    return evaluate(corpus, judge, made, seed=seed, pool=pool, motions=motions, body=body)
