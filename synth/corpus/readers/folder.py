"""What all readers need: arrays, lists of ids and lines of text out of a user's folder, or an error that says which."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from synth.corpus.source import Rejected
from synth.errors import BadFile, BadOption, Missing
from synth.files import ARRAY_LIMIT

TEXT_LIMIT = 1 << 20  # bytes of one text file


def need_folder(path: str | Path, what: str) -> Path:
    """The path, if it is a folder. Raises Missing."""
    folder = Path(path)
    if not folder.is_dir():
        raise Missing(f"{what} {folder}", "give the folder of the data set as its authors lay it out")
    return folder


def need_file(path: str | Path, what: str, how_to_get: str) -> Path:
    """The path, if it is a file. Raises Missing."""
    if not Path(path).is_file():
        raise Missing(f"{what} {path}", how_to_get)
    return Path(path)


def load_npy(path: str | Path) -> np.ndarray:
    """An array out of a .npy file, never unpickled.

    Raises:
        BadFile: missing, damaged, holds Python objects or is implausibly large.
    """
    try:
        size = os.path.getsize(path)
        if size > ARRAY_LIMIT:
            raise BadFile(path, "file", f"{size} bytes", f"at most {ARRAY_LIMIT} bytes")
        array = np.load(path, allow_pickle=False)
    except BadFile:
        raise
    except OSError as error:
        raise BadFile(path, "file", error.strerror or str(error), "a readable .npy file") from None
    except Exception as error:  # NumPy raises ValueError, EOFError, SyntaxError and others on damaged headers
        raise BadFile(path, "file", f"{type(error).__name__}: {error}", "an undamaged .npy of plain numbers") from None
    if not isinstance(array, np.ndarray):
        raise BadFile(path, "file", "an npz archive", "a .npy file of one array")
    return array


def read_lines(path: str | Path) -> list[str]:
    """The lines of a UTF-8 text without their ends, empty ones left out. Raises BadFile."""
    try:
        if os.path.getsize(path) > TEXT_LIMIT:
            raise BadFile(path, "file", f"{os.path.getsize(path)} bytes", f"a text of at most {TEXT_LIMIT} bytes")
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadFile(path, "file", error.strerror or str(error), "a readable text file") from None
    except UnicodeDecodeError as error:
        raise BadFile(path, "file", str(error), "a text in UTF-8") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def stems(folder: Path, suffix: str) -> set[str]:
    """Names without ``suffix`` of the files right in a folder; cheap, nothing is opened. Empty without the folder."""
    if not folder.is_dir():
        return set()
    with os.scandir(folder) as entries:
        return {entry.name[: -len(suffix)] for entry in entries if entry.name.endswith(suffix)}


def split_ids(folder: Path, split: str) -> list[str]:
    """Ids of a split's list, ``SPLIT.txt`` in the folder or its ``split/``. Raises BadOption, which names the lists."""
    places = (folder, folder / "split")
    for place in places:
        if (place / f"{split}.txt").is_file():
            return read_lines(place / f"{split}.txt")
    known = sorted(set().union(*(stems(place, ".txt") for place in places)))
    raise BadOption("split", split, "one of the lists " + (", ".join(known) or f"in {folder} (there is none)"))


def walk(folder: Path, suffixes: Sequence[str]) -> Iterator[str]:
    """Paths relative to ``folder``, with /, of files anywhere below it that end so; sorted; links are not followed."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            if name.lower().endswith(tuple(suffixes)):
                found.append((Path(place) / name).relative_to(folder).as_posix())
    yield from sorted(found)


def inside(folder: Path, key: str, suffix: str = "") -> Path:
    """The file of a key. Raises BadOption for a key that leads out of the folder."""
    path = folder / f"{key}{suffix}"
    if Path(key).is_absolute() or ".." in Path(key).parts:
        raise BadOption("key", key, f"a key below {folder}")
    return path


def captions_beside(path: Path) -> tuple[str, ...]:
    """Captions of a recording: the lines of the .txt of the same name beside it, if there is one."""
    beside = path.with_name(path.name.split(".")[0] + ".txt")
    return tuple(read_lines(beside)) if beside.is_file() else ()


def need_captions(path: Path) -> tuple[str, ...]:
    """As `captions_beside`. Raises Rejected where there are none: no corpus takes motion without words."""
    captions = captions_beside(path)
    if not captions:
        raise Rejected(f"{path}: no text; expected captions, one a line, in a .txt of the same name beside it")
    return captions
