"""The sources that `synth corpus build` knows, by name; each is imported when a configuration asks for it.

A source is registered with one line in `FACTORIES`: its name and the function that makes it from its options. The
function's keyword arguments are the options a configuration may give.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from synth.corpus.source import Licence, Rejected, Source
from synth.errors import BadOption, Missing
from synth.interaction import Interaction

# name -> module, function
FACTORIES: dict[str, tuple[str, str]] = {
    "library": ("synth.corpus.sources", "library_source"),
    "capture": ("synth.corpus.sources", "capture_source"),
    "care": ("synth.corpus.sources", "care_source"),
    "falls": ("synth.corpus.sources", "falls_source"),
    "humanml3d": ("synth.corpus.sources", "humanml3d_source"),
    "amass": ("synth.corpus.sources", "amass_source"),
    "interhuman": ("synth.corpus.sources", "interhuman_source"),
    "mocap": ("synth.corpus.sources", "mocap_source"),
}


def options_of(name: str) -> dict[str, inspect.Parameter]:
    """The options that a source takes."""
    return dict(inspect.signature(_factory(name)).parameters)


def open_source(name: str, options: dict[str, Any]) -> Source:
    """The source of this name. Raises BadOption for an unknown name, Missing where its data is not there."""
    source: Source = _factory(name)(**options)
    return source


def _factory(name: str) -> Callable[..., Any]:
    if name not in FACTORIES:
        raise BadOption("source", name, f"one of {', '.join(sorted(FACTORIES))}")
    module, attribute = FACTORIES[name]
    factory: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return factory


@dataclass(frozen=True)
class LibrarySource:
    """The motions that ship with the package, captured and scripted."""

    folder: str | None = None
    name: str = "library"

    @property
    def licence(self) -> Licence:
        from synth.corpus.takes import CREDITS

        entries = self._entries.values()
        names = {c.licence for c in CREDITS.values() if any(c.licence in entry.licence for entry in entries)}
        # an entry's credit is its own sentence and those of the recordings that it is made from: each once
        said = {entry.credit for entry in entries}
        known = sorted({credit.credit for credit in CREDITS.values() if any(credit.credit in text for text in said)})
        for sentence in known:
            said = {text.replace(sentence, "").strip() for text in said}
        own = {" ".join(text.split()) for text in said} - {""}
        return Licence("; ".join(sorted(names)), True, " ".join([*known, *sorted(own)]))

    @cached_property
    def _entries(self) -> dict[str, Any]:
        from synth.corpus.library import library

        return {entry.id: entry for entry in library(self.folder)}

    def keys(self) -> Sequence[str]:
        return sorted(self._entries)

    def make(self, key: str, seed: np.random.SeedSequence) -> Interaction:
        return self._entries[key].load()


@dataclass(frozen=True)
class CaptureSource:
    """Stretches of the capture collection (`synth.corpus.singles`), retargeted to the mean body."""

    mocap: str
    name: str = "capture"

    @property
    def licence(self) -> Licence:
        from synth.corpus.takes import CREDITS

        return Licence(
            "; ".join(sorted({credit.licence for credit in CREDITS.values()})),
            True,
            " ".join(credit.credit for credit in CREDITS.values()),
        )

    def keys(self) -> Sequence[str]:
        from synth.corpus.singles import SINGLES

        return sorted(item.id for item in SINGLES)

    def make(self, key: str, seed: np.random.SeedSequence) -> Interaction:
        from synth.body import load_body
        from synth.corpus.build import faults, make_single
        from synth.corpus.singles import SINGLES

        motion = make_single(next(item for item in SINGLES if item.id == key), self.mocap, load_body())
        found = faults(motion)
        if found:
            raise Rejected(f"{key}: {'; '.join(found)}")
        return motion


@dataclass(frozen=True)
class CareSource:
    """Scripted care: every script in its variants, `draws` times on other bodies, at other distances and paces."""

    mocap: str
    draws: int = 1
    name: str = "care"

    @property
    def licence(self) -> Licence:
        from synth.corpus.takes import CREDITS

        used = CREDITS.values()  # each item's own source says which of them are in it
        return Licence("; ".join(sorted({c.licence for c in used})), True, " ".join(c.credit for c in used))

    @cached_property
    def _variants(self) -> dict[str, tuple[str, int]]:
        from synth.corpus.care.registry import SCRIPTS, VARIANTS

        return {f"{name}_{index + 1:02d}": (name, index) for name in SCRIPTS for index in range(len(VARIANTS[name]))}

    @cached_property
    def _segments(self) -> Any:
        from synth.body import load_body
        from synth.corpus.care.pairs import _bound

        return _bound(self.mocap, load_body())

    def keys(self) -> Sequence[str]:
        return sorted(f"{variant}-{draw:04d}" for variant in self._variants for draw in range(self.draws))

    def make(self, key: str, seed: np.random.SeedSequence) -> Interaction:
        from synth.body import load_body
        from synth.corpus.care.pairs import drawn
        from synth.corpus.care.registry import VARIANTS

        take = key.rsplit("-", 1)[0]
        name, index = self._variants[take]
        motion, broken = drawn(name, key, VARIANTS[name][index], load_body(), self._segments, seed)
        if broken:
            raise Rejected(f"{key}: {'; '.join(broken)}")
        # every draw of a variant is the same strategy: they must not be on both sides of a split
        return replace(motion, meta=replace(motion.meta, source={**motion.meta.source, "take": take}))


def library_source(folder: str | None = None) -> LibrarySource:
    """The packaged library, or another in `folder`."""
    return LibrarySource(folder)


def capture_source(mocap: str) -> CaptureSource:
    """The capture collection in the folder `mocap`."""
    return CaptureSource(_collection(mocap))


def care_source(mocap: str, draws: int = 1) -> CareSource:
    """Scripted care from captured segments of the collection in the folder `mocap`."""
    if draws < 1:
        raise BadOption("draws", draws, "1 or more")
    return CareSource(_collection(mocap), draws)


def _collection(mocap: str) -> str:
    if not Path(mocap).is_dir():
        raise Missing(f"capture collection {mocap}", "give the folder of the recordings as the option mocap")
    return mocap


def falls_source(per_strategy: int = 10) -> Source:
    """Falls by physics, `per_strategy` of each of the strategies. Raises Missing without MuJoCo."""
    from synth.corpus.falls import FallSource

    return FallSource(per_strategy)


def humanml3d_source(
    folder: str, split: str = "all", amass: str | None = None, index: str | None = None, smpl: str | None = None
) -> Source:
    """HumanML3D without its mirrored copies: the corpus mirrors what it takes itself."""
    from synth.corpus.readers.humanml3d import HumanML3D

    return HumanML3D(folder, split, False, amass, index, smpl)


def amass_source(folder: str, up: str = "z", smpl: str | None = None, role: str = "person") -> Source:
    """A folder of AMASS-like npz, each with a .txt of captions beside it."""
    from synth.corpus.readers.amass import AmassFolder

    return AmassFolder(folder, up, smpl, role=role)


def interhuman_source(folder: str, split: str = "all", smpl: str | None = None) -> Source:
    """InterHuman's pairs without mirrored copies."""
    from synth.corpus.readers.interhuman import InterHuman

    return InterHuman(folder, split, False, smpl)


def mocap_source(
    folder: str, amc_fps: float = 120.0, bvh_unit: float = 0.01, bvh_skip: int = 0, licence: str = "not stated",
    commercial: bool = False, credit: str = "", role: str = "person",
) -> Source:  # fmt: skip
    """A folder of ASF/AMC and BVH files, each with a .txt of captions beside it; its terms are what the user says.

    Args:
        amc_fps: frames a second of .amc files. bvh_unit: metres a length unit of .bvh files. bvh_skip: reference
            frames at their start. All three stand in no such file.
        licence: its name. commercial: whether it allows commercial use. credit: the sentence it asks for.
    """
    from synth.corpus.readers.mocap import CaptureFolder
    from synth.taxonomy import ROLES

    for option, value, low, high in (
        ("amc_fps", amc_fps, 1, 1000), ("bvh_unit", bvh_unit, 1e-6, 1000), ("bvh_skip", bvh_skip, 0, 10**6),
    ):  # fmt: skip
        if not low <= value <= high:
            raise BadOption(option, value, f"{low:g} to {high:g}")
    if role not in ROLES:
        raise BadOption("role", role, f"one of {', '.join(ROLES)}")
    terms = Licence(licence, commercial, credit)
    return CaptureFolder(folder, "mocap", terms, float(amc_fps), float(bvh_unit), bvh_skip, role)
