"""Which captions say the same: they are no negatives of each other, neither in training nor in a pool of texts.

Our captions repeat: every sequence has a few, the first of them is its whole class's, and the others are built of the
same phrases. Whoever counts "an old woman falls off the chair" as wrong for a motion of which "a patient falls off the
chair" is said measures the captions' wording, not the motion (false negatives; TMR, Petrovich et al. 2023, leaves
texts above a similarity out of the loss for the same reason).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from synth.corpus.words import plain_roles
from synth.diffusion.text import TokenTable


def plain(text: str) -> str:
    """The text without articles, with one word for staff and one for patients, each once in a row."""
    words = [word for word in plain_roles(text).split() if word not in ("a", "an", "the")]
    return re.sub(r"\b(\w+)( \1\b)+", r"\1", " ".join(words))


def alike(texts: Sequence[str], classes: Sequence[str | None], table: TokenTable, threshold: float) -> np.ndarray:
    """Which texts say the same, bool [N, N], symmetric.

    Those whose plain words are equal, and those of one class (or of none) whose mean token embeddings have a cosine of
    at least `threshold`. Across classes similarity says nothing: "falls forward" is near "falls backward".

    Raises:
        BadOption: a text is not in the table.
    """
    values, mask = table.lookup(texts)
    rows = values.sum(1, dtype=np.float64) / np.maximum(mask.sum(1), 1)[:, None]
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    words = _equal([plain(text) for text in texts])
    names = np.array([name or "" for name in classes])
    kin = (names[:, None] == names) | (names[:, None] == "") | (names == "")
    return words | (kin & (rows @ rows.T >= threshold))


def said_of(texts: Sequence[str], captions: Sequence[Collection[str]]) -> np.ndarray:
    """Whether text i is among what is said of sequence j, bool [N, M]."""
    return np.array([[text in said for said in captions] for text in texts], bool).reshape(len(texts), len(captions))


def said_together(texts: Sequence[str], captions: Iterable[Collection[str]]) -> np.ndarray:
    """Which texts are said of one sequence, bool [N, N], symmetric."""
    row = {text: at for at, text in enumerate(texts)}
    found = np.eye(len(texts), dtype=bool)
    for said in captions:
        known = [row[text] for text in said if text in row]
        found[np.ix_(known, known)] = True
    return found


def _equal(words: Sequence[str]) -> np.ndarray:
    _, number = np.unique(np.array(words, dtype=object).astype(str), return_inverse=True)
    return np.asarray(number[:, None] == number)
