"""What a model has to beat: the training motion whose caption is nearest, and the first frame, held."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from synth.body import BodyModel
from synth.corpus.shards import Corpus
from synth.diffusion.data import Batches
from synth.diffusion.evaluate import window_of
from synth.diffusion.evaluator import Sample, sample_of
from synth.diffusion.text import captions_of
from synth.diffusion.windows import Draw
from synth.errors import BadOption
from synth.interaction import Interaction
from synth.motion.adapt import adapt
from synth.motion.fit import one_thread
from synth.text import TextEncoder


def nearest(corpus: Corpus, draws: Sequence[Draw], encoder: TextEncoder) -> list[Draw]:
    """For each item the training motion, of as many people, whose caption is nearest to the item's.

    Splits go by recording, so that none of them comes from the item's own take.

    Raises:
        BadOption: the training split has nothing of as many people.
    """
    sayings: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for index in corpus.of_split("train"):
        entry = corpus.entries[index]
        sayings[entry.people] += [(index, caption) for caption in captions_of(entry.meta)]
    vectors = {people: encoder.encode([text for _, text in known]) for people, known in sayings.items()}
    reader = Batches(corpus, "train", frames=max(draw.frames for draw in draws))
    found = []
    for draw, asked in zip(draws, encoder.encode([draw.caption for draw in draws]), strict=True):
        people = corpus.entries[draw.index].people
        if people not in sayings:
            raise BadOption("corpus", f"no training motion of {people} people", "some for every held-out one")
        index, _ = sayings[people][int((vectors[people] @ asked).argmax())]
        found += reader.each([index])
    return found


def retrieved(corpus: Corpus, draws: Sequence[Draw], answers: Sequence[Draw]) -> list[Sample]:
    """Training motions as they are, as answers to the items' captions."""
    pairs = zip(draws, answers, strict=True)
    return [replace(sample_of(corpus, answer), caption=draw.caption) for draw, answer in pairs]


def adapted(corpus: Corpus, draws: Sequence[Draw], answers: Sequence[Draw], body: BodyModel) -> list[Interaction]:
    """Training motions played by the items' people on the training motions' furniture, as the retrieval generator has
    motions of the library played."""
    found = []
    with one_thread():
        for draw, answer in zip(draws, answers, strict=True):
            betas = corpus.interaction(draw.index).betas
            found.append(adapt(window_of(corpus, answer), {}, betas, body, None))
    return found


def still(corpus: Corpus, draw: Draw) -> Sample:
    """An item's first frame, held."""
    item = sample_of(corpus, draw)
    return replace(item, features=np.repeat(item.features[:, :1], item.features.shape[1], 1))
