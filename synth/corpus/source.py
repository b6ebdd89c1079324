"""What the training corpus is made from: a source lists its items and makes each of them on its own.

A source is a data set on the user's disk, a script or a simulator. An item depends on its key and its seed alone, so
that items can be made in any order, by any number of processes, and again after a stop, with the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from synth.errors import CareSynthError
from synth.interaction import Interaction

AMASS_TAKE = "AMASS: "  # a take that begins so is AMASS's own, whatever data set took something from it


class Rejected(CareSynthError):
    """An item that must not enter the corpus: the build lists it with its reason and goes on."""


@dataclass(frozen=True)
class Licence:
    """On what terms a source may be used.

    Attributes:
        name: SPDX identifier where there is one, else the terms in a few words.
        commercial: whether models trained on it may be sold; the build leaves out what may not, unless told otherwise.
        credit: the sentence it asks for.
    """

    name: str
    commercial: bool
    credit: str


class Source(Protocol):
    """Something that the corpus takes interactions from."""

    @property
    def name(self) -> str:
        """Short, lower case, unique in a corpus: "humanml3d", "falls"."""
        ...

    @property
    def licence(self) -> Licence: ...

    def keys(self) -> Sequence[str]:
        """The items, sorted, cheap to list. Raises CareSynthError where the source itself cannot be read."""
        ...

    def make(self, key: str, seed: np.random.SeedSequence) -> Interaction:
        """One item in the corpus's form: z up, metres, seconds, floor z = 0, its meta with text, captions and source.

        Raises:
            Rejected, or any other CareSynthError: the item is damaged or not good enough; says why.
        """
        ...
