"""Which motions of the library a prompt means.

Nearness is the cosine of sentence embeddings, the best over an entry's captions. Sentence embeddings know topics better
than opposites ("sits down" is close to "stands up", "from the bed" to "from the chair", and who does it hardly counts),
so the class that the words mean (`synth.corpus.meaning`) adds to it and plain contradictions of words cost a penalty;
the similarity that is reported stays the cosine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from synth.corpus.meaning import CLASSES, OTHER, Encoder, Meaning
from synth.corpus.words import cues, falls, people_in, plain_roles
from synth.errors import BadOption

# Measured by `python -m benchmarks.retrieval`: prompts that mean something in the library score above it (their 5th
# percentile), prompts about something else below (their 95th).
THRESHOLD = 0.50
MARGIN = 0.06  # entries this close to the best one mean the same: the draw among them makes the clips differ
MEANT = 0.5  # what the entry's class gains by being the one that the prompt means for certain
CONTRADICTION = 0.12  # cost of each group of cues in which prompt and caption disagree
SHOWN = 3  # nearest captions that a warning names

_FAMILY = {"help_up_from_bed": "help_up", "help_up_from_chair": "help_up", "help_up_from_floor": "help_up"}


class Captioned(Protocol):
    """What matching needs of a library entry."""

    @property
    def id(self) -> str: ...
    @property
    def captions(self) -> tuple[str, ...]: ...
    @property
    def interaction_class(self) -> str | None: ...
    @property
    def people(self) -> int: ...


@dataclass(frozen=True)
class Ranked:
    """An entry, its caption nearest to the prompt, the cosine, and the score that ranks it."""

    index: int
    caption: str
    similarity: float
    score: float


class Matcher:
    """Ranks entries by nearness to a prompt. Captions are embedded once."""

    def __init__(self, entries: Sequence[Captioned], encoder: Encoder, meaning: Meaning | None = None) -> None:
        self.entries, self.encoder = tuple(entries), encoder
        self.meaning = meaning or Meaning.packaged()
        self._captions = list(dict.fromkeys(caption for entry in self.entries for caption in entry.captions))
        self._rows = encoder.encode(self._captions)
        self._plain_rows = encoder.encode([plain_roles(caption) for caption in self._captions])
        self._cues = [cues(caption) for caption in self._captions]
        self._falls = np.array([falls(caption) for caption in self._captions])
        self._of = [[self._captions.index(caption) for caption in entry.captions] for entry in self.entries]

    def rank(self, prompt: str) -> list[Ranked]:
        """All entries, best first; equal ones by id.

        Raises:
            BadOption: the prompt is empty.
        """
        if not prompt.strip():
            raise BadOption("prompt", repr(prompt), "a sentence that says what happens")
        own_words, plain_words = self.encoder.encode([prompt, plain_roles(prompt)]).astype(np.float64)
        # rounded, so that the last digits of a matrix product on another machine do not decide a draw
        cosine = np.round(np.maximum(self._rows @ own_words, self._plain_rows @ plain_words), 4)
        asked, number = cues(prompt), people_in(prompt)
        clash = np.array([sum(bool(a and b and not a & b) for a, b in zip(asked, c, strict=True)) for c in self._cues])
        clash = clash + 2 * (self._falls != falls(prompt))  # nobody wants the one for the other
        likely = dict(zip(CLASSES, np.round(self.meaning.likely([prompt], self.encoder)[0], 4), strict=True))
        ranked = []
        for index, (entry, own) in enumerate(zip(self.entries, self._of, strict=True)):
            wrong = number is not None and (number > 1) != (entry.people > 1)
            meant = MEANT * likely[entry.interaction_class or OTHER]
            scores = [  # who says a caption word for word means it
                float(cosine[i] + (MEANT if cosine[i] > 0.999 else meant) - CONTRADICTION * (clash[i] + wrong))
                for i in own
            ]
            best = int(np.argmax(scores))
            ranked.append(Ranked(index, self._captions[own[best]], float(cosine[own[best]]), round(scores[best], 4)))
        return sorted(ranked, key=lambda r: (-r.score, self.entries[r.index].id))


def near_best(ranked: Sequence[Ranked], entries: Sequence[Captioned], margin: float = MARGIN) -> list[Ranked]:
    """Those that show the same as the first one and whose score is within ``margin`` of its."""
    if not ranked:
        return []
    best = entries[ranked[0].index]
    return [
        r for r in ranked
        if r.score >= ranked[0].score - margin - 1e-9 and _shows(entries[r.index]) == _shows(best)
    ]  # fmt: skip


def same(a: Captioned, b: Captioned) -> bool:
    """Whether two entries show the same action."""
    return _shows(a) == _shows(b)


def _shows(entry: Captioned) -> str:
    """What counts as the same action: the class, up to where the patient is helped up from; else the id's stem."""
    name = entry.interaction_class
    return _FAMILY.get(name, name) if name else re.sub(r"[_\d]+$", "", entry.id)
