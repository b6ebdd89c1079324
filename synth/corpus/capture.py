"""A recorded performance as world joint trajectories, whatever file it came from.

Every reader of this package (ASF/AMC, BVH, DeepMimic) returns a `Capture`; `retarget` starts from nothing else.
"""

from __future__ import annotations

import lzma
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from synth import rotation
from synth.errors import BadFile, Missing

# Motion capture files are y up; our world is z up: (x, y, z) -> (x, -z, y), a quarter turn about x.
Z_UP_FROM_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])

MAX_COORDINATE = 1000.0  # metres; a capture volume is some tens of metres across


@dataclass(frozen=True)
class Capture:
    """Joints of one person over time, in a right-handed z-up world in metres.

    For a rigid skeleton `positions[t, c] = positions[t, p] + rotations[t, p] @ (rest[c] - rest[p])` for every
    joint `c` with parent `p`: `rest` is the file's zero pose (seldom a T-pose) expressed in z-up axes.

    names      J joint names, as in the file; a bone's free end is named `<bone>_end`
    parents    J parent indices, -1 at the root; a parent precedes its children
    fps        frames a second
    positions  [T, J, 3] metres
    rotations  [T, J, 3, 3] world rotation of each joint's bone, relative to `rest`
    rest       [J, 3] metres
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    fps: float
    positions: np.ndarray
    rotations: np.ndarray
    rest: np.ndarray

    @property
    def frames(self) -> int:
        return len(self.positions)

    @property
    def seconds(self) -> float:
        """Time from the first to the last frame."""
        return (self.frames - 1) / self.fps

    def index(self, name: str) -> int:
        return self.names.index(name)

    def window(self, start: float, end: float | None = None) -> Capture:
        """The frames from `start` to `end` seconds (nearest frames, both included)."""
        first = max(0, round(start * self.fps))
        last = self.frames - 1 if end is None else min(self.frames - 1, round(end * self.fps))
        return replace(self, positions=self.positions[first : last + 1], rotations=self.rotations[first : last + 1])

    def reversed(self) -> Capture:
        """The same movement run backwards in time."""
        return replace(self, positions=self.positions[::-1].copy(), rotations=self.rotations[::-1].copy())

    def resample(self, fps: float) -> Capture:
        """Sampled again at `fps` by time: positions linearly, rotations along the geodesic."""
        if fps == self.fps or self.frames == 1:
            return replace(self, fps=fps)
        times = np.arange(self.frames) / self.fps
        wanted = np.arange(int(np.floor(self.seconds * fps + 1e-6)) + 1) / fps
        return replace(
            self,
            fps=fps,
            positions=interpolate(times, self.positions, wanted),
            rotations=rotation.slerp(times, self.rotations, wanted),
        )


def interpolate(times: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Linear interpolation of `values` [T, ...] known at `times` [T] (increasing) at `wanted` [N] seconds."""
    right = np.clip(np.searchsorted(times, wanted, side="right"), 1, len(times) - 1)
    left = right - 1
    weight = np.clip((wanted - times[left]) / (times[right] - times[left]), 0.0, 1.0)
    weight = weight.reshape(-1, *([1] * (values.ndim - 1)))
    return values[left] * (1.0 - weight) + values[right] * weight


def to_z_up(
    names: Sequence[str],
    parents: Sequence[int],
    fps: float,
    positions: np.ndarray,
    rotations: np.ndarray,
    rest: np.ndarray,
    path: str | Path,
) -> Capture:
    """A `Capture` from y-up arrays in metres; refuses values no human performance has."""
    turn = Z_UP_FROM_Y_UP
    if not np.isfinite(positions).all() or np.abs(positions).max() > MAX_COORDINATE:
        raise BadFile(path, "joint positions", "values that are not finite or beyond a kilometre", "metres")
    return Capture(
        tuple(names), tuple(parents), float(fps), positions @ turn.T, turn @ rotations @ turn.T, rest @ turn.T
    )


def read_text(path: str | Path) -> str:
    """The text of a plain or xz-compressed file (Latin-1, as old capture files are).

    Raises Missing when there is no such file and BadFile when it cannot be decompressed.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise Missing(f"motion capture file {path}", "give the folder that holds it") from None
    except OSError as error:
        raise BadFile(path, "file", str(error), "a readable text file") from None
    if path.suffix == ".xz":
        try:
            data = lzma.decompress(data)
        except (lzma.LZMAError, EOFError) as error:
            raise BadFile(path, "xz stream", str(error), "a whole xz file") from None
    return data.decode("latin-1")


def numbers(words: Sequence[str], path: str | Path, line: int, count: int | None = None) -> list[float]:
    """`words` as finite floats; raises BadFile that names the line."""
    try:
        values = [float(word) for word in words]
    except ValueError:
        raise BadFile(path, f"line {line}", " ".join(words)[:80], "numbers") from None
    if count is not None and len(values) != count:
        raise BadFile(path, f"line {line}", f"{len(values)} numbers", f"{count} numbers")
    if not np.isfinite(values).all():
        raise BadFile(path, f"line {line}", " ".join(words)[:80], "finite numbers")
    return values
