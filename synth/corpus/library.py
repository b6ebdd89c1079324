"""The motion library that ships with the package: an index and one npz a motion, all under free licences.

    for entry in library():
        motion = entry.load()

Built by `python -m synth.corpus.build`; nothing here needs the recordings it was made from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from synth.errors import BadFile, BadOption, Missing
from synth.files import read_json
from synth.interaction import Interaction, load_interaction
from synth.room import nearest
from synth.taxonomy import INTERACTIONS

FOLDER = Path(__file__).parent / "library"
INDEX = "index.json"
VERSION = 1


@dataclass(frozen=True)
class LibraryEntry:
    """One motion of the library.

    Attributes:
        id: unique, also the file's stem.
        interaction_class: one of the taxonomy's, or None for what it has no class for (drinking, waving, idling).
        captions: what one would call it; the first is the motion's own text.
        people: how many take part.
        path: its npz.
        licence, credit: of the recording it was made from.
        core: seconds that show the action.
        seconds: its whole length.
        furniture: classes of the stage it needs, e.g. ("chair",).
    """

    id: str
    interaction_class: str | None
    captions: tuple[str, ...]
    people: int
    path: Path
    licence: str
    credit: str
    core: tuple[float, float]
    seconds: float
    furniture: tuple[str, ...] = ()

    def load(self) -> Interaction:
        """The motion. Raises Missing when its file is not there and BadFile when it is not what the index says."""
        if not self.path.is_file():
            raise Missing(f"library motion {self.path}", "reinstall the package or rebuild the library")
        motion = load_interaction(self.path)
        if motion.people != self.people:
            raise BadFile(self.path, "transl", f"{motion.people} people", f"{self.people} (the index says)")
        return motion


def library(folder: str | Path | None = None) -> tuple[LibraryEntry, ...]:
    """All motions of the library, by id.

    Args:
        folder: another library's folder; the packaged one by default.

    Raises:
        Missing: there is no index.
        BadFile: the index breaks its format.
    """
    return _library(str(FOLDER if folder is None else folder))


def entry(identifier: str, folder: str | Path | None = None) -> LibraryEntry:
    """The motion of this id. Raises BadOption, which names the nearest ids."""
    entries = library(folder)
    for item in entries:
        if item.id == identifier:
            return item
    raise BadOption("motion", identifier, nearest(identifier, [item.id for item in entries]))


@lru_cache(maxsize=4)
def _library(folder: str) -> tuple[LibraryEntry, ...]:
    path = Path(folder) / INDEX
    if not path.is_file():
        raise Missing(f"motion library {path}", "build it: python -m synth.corpus.build --mocap FOLDER")
    value = read_json(path)
    if not isinstance(value, Mapping) or value.get("version") != VERSION or not isinstance(value.get("motions"), list):
        raise BadFile(path, "version, motions", value, f"version {VERSION} and a list of motions")
    entries = tuple(_entry(item, path, f"motions[{i}]") for i, item in enumerate(value["motions"]))
    ids = [item.id for item in entries]
    if ids != sorted(set(ids)):
        raise BadFile(path, "motions", "ids twice or out of order", "different ids in alphabetical order")
    return entries


def _entry(value: Any, path: Path, at: str) -> LibraryEntry:
    if not isinstance(value, Mapping):
        raise BadFile(path, at, value, "an object")
    for name in ("id", "licence", "credit"):
        if not isinstance(value.get(name), str) or not value[name]:
            raise BadFile(path, f"{at}.{name}", value.get(name), "some text")
    kind = value.get("interaction_class")
    if kind is not None and kind not in INTERACTIONS:
        raise BadFile(path, f"{at}.interaction_class", kind, "a class of the taxonomy or null")
    captions: Any = value.get("captions")
    furniture: Any = value.get("furniture", [])
    for name, texts, least in (("captions", captions, 1), ("furniture", furniture, 0)):
        if not isinstance(texts, list) or len(texts) < least or not all(isinstance(t, str) and t for t in texts):
            raise BadFile(path, f"{at}.{name}", texts, "a list of texts")
    people, seconds = value.get("people"), value.get("seconds")
    core: Any = value.get("core")
    if people not in (1, 2, 3, 4):
        raise BadFile(path, f"{at}.people", people, "1 to 4")
    if not isinstance(seconds, (int, float)) or not seconds > 0:
        raise BadFile(path, f"{at}.seconds", seconds, "a positive number")
    times = isinstance(core, list) and len(core) == 2 and all(isinstance(t, (int, float)) for t in core)
    if not times or not 0 <= core[0] < core[1] <= seconds + 1e-6:
        raise BadFile(path, f"{at}.core", core, "two times within the motion")
    return LibraryEntry(
        id=value["id"],
        interaction_class=kind,
        captions=tuple(captions),
        people=int(people),
        path=path.parent / f"{value['id']}.npz",
        licence=value["licence"],
        credit=value["credit"],
        core=(float(core[0]), float(core[1])),
        seconds=float(seconds),
        furniture=tuple(furniture),
    )
