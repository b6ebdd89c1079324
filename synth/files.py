"""Reading and writing files so that nothing is ever left half-written."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from synth.errors import BadFile

ARRAY_LIMIT = 2 << 30  # bytes one array of a user's npz may take once unpacked


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; on success fsync and rename it there, on failure remove it.

    The temporary name keeps the suffix, since many writers choose the format by it.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.tmp{target.suffix}")
    try:
        yield temporary
        with open(temporary, "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, target)
        fsync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def fsync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` survive a power cut (a no-op where folders cannot be opened)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty folder beside ``path``; on success it takes that name, and what was there is gone.

    On failure nothing stays. Its name is `working_folder`: one process at a time makes a folder.
    """
    target = Path(path)
    work = working_folder(target)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        yield work
        if target.exists():
            shutil.rmtree(target)
        os.replace(work, target)
        fsync_folder(target.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def working_folder(target: Path) -> Path:
    """Where a folder is made before it gets its name."""
    return target.with_name(f".{target.name}.tmp")


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write JSON atomically, keys sorted, so that equal values give equal bytes. NaN is refused."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file.

    Raises:
        BadFile: it cannot be read, is not UTF-8, is not JSON or holds NaN or infinities.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise BadFile(path, "file", error.strerror or str(error), "a readable JSON file") from None
    except RecursionError:
        raise BadFile(path, "file", "JSON nested too deeply", "a JSON file") from None
    except (UnicodeDecodeError, ValueError) as error:
        raise BadFile(path, "file", str(error), "valid JSON in UTF-8") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not valid JSON")


def write_npz(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a compressed npz atomically; equal arrays give equal bytes (NumPy stamps every member 1980-01-01)."""
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        np.savez_compressed(handle, **{name: np.asarray(arrays[name]) for name in sorted(arrays)})


def read_npz(path: str | os.PathLike[str], only: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Read the arrays of an npz without ever unpickling.

    Args:
        path: the file.
        only: names of the arrays to read; the others are not touched, whatever they hold. All by default.

    Raises:
        BadFile: not an npz, damaged, an array holds Python objects, or is implausibly large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.file_size > ARRAY_LIMIT:
                    raise BadFile(path, member.filename, f"{member.file_size} bytes", f"at most {ARRAY_LIMIT} bytes")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if only is None or name in only}
    except BadFile:
        raise
    except OSError as error:
        raise BadFile(path, "file", error.strerror or str(error), "a readable npz file") from None
    except Exception as error:  # zip, zlib and NumPy raise a dozen unrelated types on damaged bytes
        raise BadFile(path, "file", f"{type(error).__name__}: {error}", "an undamaged npz of plain arrays") from None


def cache_dir() -> Path:
    """The folder for what can be made again: ``$CARESYNTH_CACHE``, else the user's cache folder."""
    chosen = os.environ.get("CARESYNTH_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "caresynth"
