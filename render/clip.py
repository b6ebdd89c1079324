"""Clip: one rendered video with its labels, as a folder that is there whole or not at all.

``DONE`` is written last and holds size and SHA-256 of every other file; a folder without it, or that does not agree
with it, is not a clip.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from synth.errors import BadFile, CareSynthError
from synth.files import atomic_folder, read_json, read_npz, write_json, write_npz
from synth.interaction import Interaction, load_interaction

DONE = "DONE"
FILES = ("video.mp4", "poster.jpg", "labels.npz", "labels.json", "masks.npz", "interaction.npz")


@dataclass(frozen=True)
class Clip:
    """A finished clip folder."""

    folder: Path

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def video(self) -> Path:
        return self.folder / "video.mp4"

    @cached_property
    def info(self) -> dict[str, Any]:
        """``labels.json``."""
        value = read_json(self.folder / "labels.json")
        if not isinstance(value, dict):
            raise BadFile(self.folder / "labels.json", "file", type(value).__name__, "an object")
        return value

    @cached_property
    def labels(self) -> dict[str, np.ndarray]:
        """The arrays of ``labels.npz`` (docs/labels.md)."""
        return read_npz(self.folder / "labels.npz")

    def masks(self) -> np.ndarray:
        """Person ids, uint8 [T, H, W]; 0 is the background."""
        return _array(self.folder / "masks.npz", "masks")

    def depth(self) -> np.ndarray | None:
        """Depth in millimetres, uint16 [T, H, W] (0: nothing seen), or None if the clip was made without."""
        path = self.folder / "depth.npz"
        return _array(path, "depth_mm") if path.exists() else None

    def interaction(self) -> Interaction:
        """The motion that was rendered."""
        return load_interaction(self.folder / "interaction.npz")


def open_clip(folder: str | os.PathLike[str]) -> Clip:
    """A clip whose files are those that ``DONE`` lists.

    Raises:
        BadFile: unfinished or changed since.
    """
    path = Path(folder)
    trouble = _trouble(path)
    if trouble:
        raise BadFile(path, *trouble)
    return Clip(path)


def is_done(folder: Path) -> bool:
    """Whether the folder holds a finished, undamaged clip."""
    return _trouble(folder) is None


def _trouble(folder: Path) -> tuple[str, Any, str] | None:
    """What is wrong with a clip folder as field, found and expected, or None."""
    try:
        listed = read_json(folder / DONE)
    except CareSynthError:
        return DONE, "no readable file", "a finished clip"
    if not isinstance(listed, Mapping) or not isinstance(listed.get("files"), Mapping):
        return DONE, listed, 'an object with "files"'
    for name in FILES:
        if name not in listed["files"]:
            return name, f"not listed in {DONE}", "a finished clip"
    for name, entry in listed["files"].items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != entry.get("bytes"):
            return name, "missing or of another size", f"{entry.get('bytes')} bytes"
        if sha256(path) != entry.get("sha256"):
            return name, "changed content", f"sha256 {entry.get('sha256')}"
    return None


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextmanager
def new_clip(clips: Path, identifier: str) -> Iterator[Path]:
    """Yield an empty temporary folder; on success seal it with ``DONE`` and rename it to ``clips/identifier``.

    On failure nothing stays. A folder of that name that is no finished clip is replaced.
    """
    with atomic_folder(clips / identifier) as work:
        yield work
        names = sorted(path.name for path in work.iterdir())
        files = {name: {"bytes": (work / name).stat().st_size, "sha256": sha256(work / name)} for name in names}
        for name in names:
            _fsync(work / name)
        write_json(work / DONE, {"version": 1, "files": files})


def write_labels(folder: Path, arrays: Mapping[str, np.ndarray], info: Mapping[str, Any]) -> None:
    """Write ``labels.npz`` and ``labels.json``; equal labels give equal bytes."""
    write_npz(folder / "labels.npz", arrays)
    write_json(folder / "labels.json", info)


def write_masks(folder: Path, masks: np.ndarray) -> None:
    """Write ``masks.npz``: uint8 [T, H, W]."""
    write_npz(folder / "masks.npz", {"masks": masks})


def write_depth(folder: Path, depth: np.ndarray) -> None:
    """Write ``depth.npz``: metres [T, H, W], infinite for nothing, as uint16 millimetres with 0 for nothing."""
    millimetres = np.where(np.isfinite(depth) & (depth < 65.0), np.rint(depth * 1000.0), 0)
    write_npz(folder / "depth.npz", {"depth_mm": millimetres.astype(np.uint16)})


def _array(path: Path, name: str) -> np.ndarray:
    arrays = read_npz(path)
    if name not in arrays:
        raise BadFile(path, name, sorted(arrays), f"an array called {name}")
    return arrays[name]


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def plain(value: Any) -> Any:
    """``value`` with NumPy's numbers and arrays, tuples and paths as what JSON knows."""
    return json.loads(json.dumps(value, default=_plain_default))


def _plain_default(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not go into JSON")
