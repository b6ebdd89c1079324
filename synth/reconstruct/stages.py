"""What a stage of the reconstruction found, kept on disk: the same command again goes on where it was stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synth.errors import BadFile
from synth.files import read_npz, write_npz

VERSION = 1  # to be raised where a stage computes something else from the same input


@dataclass(frozen=True)
class Stages:
    """Results in a folder, one npz a stage."""

    folder: Path

    def kept(
        self, name: str, inputs: Mapping[str, Any], make: Callable[[], Mapping[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """A stage's arrays: those on disk if they were made from the same inputs, else made and written.

        Args:
            inputs: all that the result depends on, as JSON values; `file_key` for files.
        """
        path, key = self.folder / f"{name}.npz", _digest({"version": VERSION, **inputs})
        try:
            found = read_npz(path)
        except BadFile:  # not there, or cut off by whatever stopped the last run
            found = {}
        if str(found.pop("key", "")) == key:
            return found
        made = {item: np.asarray(value) for item, value in make().items()}
        write_npz(path, {**made, "key": np.array(key)})
        return made


def file_key(path: Path | None) -> list[Any] | None:
    """What tells a file, or a folder's files, from a changed one: names, sizes and times."""
    if path is None:
        return None
    listed = sorted(item for item in path.iterdir() if item.is_file()) if path.is_dir() else [path]
    return [[item.name, item.stat().st_size, item.stat().st_mtime_ns] for item in listed]


def array_key(*arrays: np.ndarray | None) -> str:
    """A digest of arrays, for what is at hand and in no file."""
    found = hashlib.sha256()
    for array in arrays:
        if array is not None:
            found.update(repr((array.dtype.str, array.shape)).encode())
            found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, allow_nan=True).encode()).hexdigest()
