"""The file ``interaction.npz``: arrays of SMPL motion and one JSON string (docs/design.md). NumPy alone."""

import hashlib
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import CareSynthError

VERSION = 1
FILE = "interaction.npz"
JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)  # fmt: skip
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
_SHAPES = {"transl": 3, "global_orient": 3, "body_pose": 69}
_LIMIT = 1 << 30  # bytes an array may take


@dataclass(frozen=True)
class Motion:
    """P people over T frames.

    Attributes:
        arrays: everything in the file as it is. meta: its JSON object.
    """

    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]

    @property
    def fps(self) -> float:
        return float(self.arrays["fps"])

    @property
    def people(self) -> int:
        return self.arrays["transl"].shape[0]

    @property
    def frames(self) -> int:
        return self.arrays["transl"].shape[1]

    @property
    def times(self) -> np.ndarray:
        """Seconds of the frames [T]."""
        return np.arange(self.frames) / self.fps

    @property
    def poses(self) -> np.ndarray:
        """Axis-angle of all joints, root first [P, T, 24, 3]."""
        both = np.concatenate([self.arrays["global_orient"], self.arrays["body_pose"]], -1)
        return both.reshape(self.people, self.frames, 24, 3)


def load(path: Path) -> Motion:
    """Read and check a file.

    Raises:
        CareSynthError: says what is wrong with it.
    """
    arrays = _arrays(path)
    missing = [name for name in (*_SHAPES, "betas", "present", "fps", "version", "meta") if name not in arrays]
    if missing:
        raise CareSynthError(f"{path} is not an interaction: it has no {missing[0]}")
    if arrays["version"].shape != () or arrays["version"] != VERSION:
        raise CareSynthError(f"{path} has version {arrays['version'].tolist()} of the format; {VERSION} is known here")
    fps = arrays["fps"]
    if fps.shape != () or fps.dtype.kind not in "iuf" or not 0 < fps <= 1000:
        raise CareSynthError(f"{path} states {fps.tolist()} frames a second")
    transl = arrays["transl"]
    if transl.ndim != 3 or 0 in transl.shape:
        raise CareSynthError(f"{path}: transl has the shape {transl.shape}, not people x frames x 3")
    people, frames = transl.shape[:2]
    for name, width in _SHAPES.items():
        if arrays[name].shape != (people, frames, width) or arrays[name].dtype.kind != "f":
            raise CareSynthError(f"{path}: {name} has the shape {arrays[name].shape}, not {(people, frames, width)}")
        if not np.isfinite(arrays[name]).all():
            raise CareSynthError(f"{path}: {name} holds numbers that are not finite")
    if arrays["present"].shape != (people, frames):
        raise CareSynthError(f"{path}: present has the shape {arrays['present'].shape}, not {(people, frames)}")
    try:
        meta = json.loads(str(arrays["meta"]))
        props = len(meta.get("props", []))
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise CareSynthError(f"{path}: its text cannot be read") from None
    for name in ("prop_transl", "prop_orient") if props else ():
        if name not in arrays or arrays[name].shape != (props, frames, 3):
            raise CareSynthError(f"{path}: {name} does not fit the {props} things that move")
    return Motion(arrays, meta)


def fingerprint(path: Path) -> str:
    """What tells a file from another of the same name.

    Raises:
        CareSynthError: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise CareSynthError(f"{path} cannot be read: {error.strerror or error}") from None


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            if any(member.file_size > _LIMIT for member in archive.infolist()):
                raise CareSynthError(f"{path} holds an array of more than {_LIMIT >> 20} MB")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise CareSynthError(f"{path} cannot be read: {error.strerror or error}") from None
    except CareSynthError:
        raise
    except Exception as error:  # zip, zlib and NumPy raise a dozen unrelated types on damaged bytes
        raise CareSynthError(f"{path} is damaged ({type(error).__name__})") from None


def save(path: Path, motion: Motion) -> None:
    """Write a file under another name first, so that it is never there in part."""
    arrays = motion.arrays | {"meta": np.array(json.dumps(motion.meta, sort_keys=True))}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as handle:
            np.savez_compressed(handle, **{name: arrays[name] for name in sorted(arrays)})
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
