"""Look into a corpus or a folder of interactions: pick motions of it, check every file of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from synth.corpus.shards import CORPUS_FILE, Corpus, faults_of, read_info
from synth.errors import BadOption, CareSynthError
from synth.interaction import Interaction, load_interaction
from synth.room import nearest

# A checker of a foreign layout: module, function (folder -> list of faults), the sign of that layout (a glob).
CHECKERS: dict[str, tuple[str, str, str]] = {
    "care recordings": ("synth.corpus.readers.tetoncheck", "check", "*/*/*/sequence.json"),
}


@dataclass(frozen=True)
class _Found:
    id: str
    interaction_class: str
    source: str
    load: Callable[[], Interaction]


def pick(folder: Path, wanted: str | None, source: str | None, count: int, seed: int) -> list[tuple[str, Interaction]]:
    """Up to `count` motions of each class, drawn by the seed; (id, motion), classes in the order of the alphabet.

    Raises BadOption where there is nothing of that class or source.
    """
    listed = sorted(_listed(folder), key=lambda item: item.id)
    if not listed:
        raise BadOption("FOLDER", str(folder), "a corpus, or a folder with interactions (.npz) in it")
    for option, value, name in (("--class", wanted, "interaction_class"), ("--source", source, "source")):
        known = sorted({getattr(item, name) for item in listed})
        if value is not None and value not in known:
            raise BadOption(option, value, nearest(value, known))
        listed = [item for item in listed if value in (None, getattr(item, name))]
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    chosen: list[tuple[str, Interaction]] = []
    for kind in sorted({item.interaction_class for item in listed}):
        group = [item for item in listed if item.interaction_class == kind]
        drawn = sorted(rng.permutation(len(group))[:count])
        chosen += [(group[index].id, group[index].load()) for index in drawn]
    return chosen


def check(folder: Path) -> dict[str, Any]:
    """Check everything in a folder: {"kind", "checked", "faults": lines}.

    Raises BadOption where there is nothing that could be checked.
    """
    if not folder.is_dir():
        raise BadOption("FOLDER", str(folder), "a folder")
    if (folder / CORPUS_FILE).exists():
        faults = [str(fault) for fault in faults_of(folder)]
        return {"kind": "corpus", "checked": _sequences(folder), "faults": faults}
    for kind, (module, function, sign) in CHECKERS.items():
        if find_spec(module) is not None and next(folder.glob(sign), None) is not None:
            faults = list(getattr(import_module(module), function)(folder))
            return {"kind": kind, "checked": len(list(folder.glob(sign))), "faults": [str(fault) for fault in faults]}
    paths = sorted(folder.rglob("*.npz"))
    if not paths:
        raise BadOption("FOLDER", str(folder), "a corpus, or a folder with interactions (.npz) in it")
    faults = []
    for path in paths:
        try:
            load_interaction(path)
        except CareSynthError as error:
            faults.append(str(error))
    return {"kind": "interactions", "checked": len(paths), "faults": faults}


def _sequences(folder: Path) -> int:
    """How many sequences a corpus says that it holds; 0 where it does not say."""
    try:
        return sum(shard["sequences"] for shard in read_info(folder)["shards"])
    except CareSynthError:
        return 0


def _listed(folder: Path) -> Iterator[_Found]:
    if not folder.is_dir():
        raise BadOption("FOLDER", str(folder), "a folder")
    if (folder / CORPUS_FILE).exists():
        corpus = Corpus.open(folder)
        for index, entry in enumerate(corpus.entries):
            kind = entry.interaction_class or "-"
            yield _Found(entry.id, kind, entry.source, lambda index=index: corpus.interaction(index))  # type: ignore[misc]
        return
    for path in sorted(folder.rglob("*.npz")):
        motion = load_interaction(path)
        name = str(path.relative_to(folder).with_suffix(""))
        kind = motion.meta.interaction_class or "-"
        yield _Found(name, kind, str(motion.meta.source.get("dataset", "")), lambda path=path: load_interaction(path))  # type: ignore[misc]
