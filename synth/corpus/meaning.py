"""Which interaction class a prompt means: logistic regression on sentence embeddings and cues.

Sentence embeddings put a sentence near others that speak of the same things, so that "grandma goes on all fours across
the room" is nearer to walking than to crawling. What tells the classes apart is learned from 70 ways of saying each
(`phrases.json`, written by hand) and from the library's captions; `python -m benchmarks.meaning --write` trains it and
tells how often it is right about prompts that it has never seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Protocol

import numpy as np

from synth.corpus.words import CUES, cues, falls, people_in, plain_roles
from synth.errors import BadFile
from synth.files import read_json, read_npz, write_npz
from synth.rotation import Array
from synth.taxonomy import INTERACTIONS

OTHER = "other"  # what the library has and the taxonomy has no class for
CLASSES = (*INTERACTIONS, OTHER)
CUE = 0.3  # weight of a cue beside a unit vector
STRENGTH = 10.0  # of the regression: the inverse of its regularisation


class Encoder(Protocol):
    """Sentences to unit vectors (`synth.text.TextEncoder`)."""

    def encode(self, texts: Sequence[str]) -> np.ndarray: ...


@dataclass(frozen=True)
class Meaning:
    """weights [C, F], bias [C]: logits of `CLASSES` from `described`."""

    weights: Array
    bias: Array

    @staticmethod
    def packaged() -> Meaning:
        return Meaning.read(Path(str(files("synth.corpus").joinpath("meaning.npz"))))

    @staticmethod
    def read(path: Path) -> Meaning:
        """Raises BadFile: it is not what `save` wrote."""
        arrays = read_npz(path)
        weights, bias = (np.asarray(arrays.get(name, np.zeros(0))) for name in ("weights", "bias"))
        if weights.ndim != 2 or len(weights) != len(CLASSES) or bias.shape != (len(CLASSES),):
            raise BadFile(
                path, "weights, bias", f"{weights.shape}, {bias.shape}", f"[{len(CLASSES)}, F], [{len(CLASSES)}]"
            )
        return Meaning(weights.astype(float), bias.astype(float))

    def save(self, path: Path) -> None:
        write_npz(path, {"weights": self.weights.astype(np.float32), "bias": self.bias.astype(np.float32)})

    def likely(self, prompts: Sequence[str], encoder: Encoder) -> Array:
        """Probability of each of `CLASSES`, [N, C]."""
        logits = described(prompts, encoder) @ self.weights.T + self.bias
        found = np.exp(logits - logits.max(1, keepdims=True))
        return found / found.sum(1, keepdims=True)


def described(texts: Sequence[str], encoder: Encoder) -> Array:
    """The embedding of each text with one word for staff and one for patients, and its cues, [N, F]."""
    rows = np.asarray(encoder.encode([plain_roles(text) for text in texts]), float)
    told = []
    for text in texts:
        groups = zip(cues(text), CUES.values(), strict=True)
        number = people_in(text)
        told.append([*(name in found for found, names in groups for name in names),
                     falls(text), number == 1, number == 2])  # fmt: skip
    return np.concatenate((rows, CUE * np.array(told, float)), 1)


def trained(sayings: Mapping[str, Sequence[str]], encoder: Encoder) -> Meaning:
    """Fit to sentences by class; all of `CLASSES` must be there."""
    from sklearn.linear_model import LogisticRegression

    texts = [text for name in CLASSES for text in sayings[name]]
    wanted = [at for at, name in enumerate(CLASSES) for _ in sayings[name]]
    model = LogisticRegression(C=STRENGTH, max_iter=3000, class_weight="balanced")
    model.fit(described(texts, encoder), wanted)
    return Meaning(model.coef_, model.intercept_)


def phrases() -> dict[str, list[str]]:
    """The ways of saying each class that are packaged."""
    found = read_json(Path(str(files("synth.corpus").joinpath("phrases.json"))))
    return {name: list(found[name]) for name in CLASSES}
