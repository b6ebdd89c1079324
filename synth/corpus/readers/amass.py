"""AMASS (Mahmood et al. 2019): one npz a sequence of SMPL-H or SMPL-X parameters, z up; and folders of npz like it.

Also what HumanML3D took from it: `Excerpt`s, by its index.csv, in true time. HumanML3D kept every int(fps / 20)-th
frame and called the result 20 fps; of a 50 fps recording that is 25, so its seconds are not the recording's.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from synth.body import load_body
from synth.corpus.capture import Z_UP_FROM_Y_UP
from synth.corpus.readers.folder import inside, need_captions, need_file, need_folder, walk
from synth.corpus.source import AMASS_TAKE, Licence, Rejected
from synth.corpus.unify import FPS, LONGEST, Performance, leg_length, piece, unify
from synth.errors import BadFile, BadOption, Missing
from synth.interaction import Interaction, Meta, from_amass
from synth.rotation import Array

AMASS_LICENCE = Licence(
    "AMASS licence (non-commercial research; https://amass.is.tue.mpg.de/license.html)",
    False,
    "N. Mahmood, N. Ghorbani, N. F. Troje, G. Pons-Moll, M. J. Black: AMASS: Archive of Motion Capture as Surface "
    "Shapes, ICCV 2019.",
)
CLOCK = 20.0  # HumanML3D's frames a second
# Seconds of its own clock that HumanML3D cut off first, since people stand in the T-pose there.
LEAD_IN = {
    "Eyes_Japan_Dataset": 3.0,
    "MPI_HDM05": 3.0,
    "TotalCapture": 1.0,
    "MPI_Limits": 1.0,
    "Transitions_mocap": 0.5,
}
_NOT_MOTION = ("shape.npz", "neutral_stagei.npz", "male_stagei.npz", "female_stagei.npz")


@dataclass(frozen=True)
class AmassFolder:
    """A folder of AMASS-like npz as a source; captions are the lines of a .txt of the same name beside each, without
    which a recording is rejected.

    Attributes:
        folder: with npz anywhere below it.
        up: vertical axis of the files, "z" as in AMASS or "y".
        smpl: a SMPL model file (24 joints), for the lengths of the people; without it those of the legs are judged
            from the steps.
        name, licence: of the source.
        role: of the person, "person", "patient" or "staff".
        longest: seconds; of a longer recording a piece of that length is taken, drawn by the seed.
        fps: of the motions made.
        refined: hold feet and floor with the optimiser.
    """

    folder: str
    up: str = "z"
    smpl: str | None = None
    name: str = "amass"
    licence: Licence = AMASS_LICENCE
    role: str = "person"
    longest: float = LONGEST
    fps: float = FPS
    refined: bool = True

    def __post_init__(self) -> None:
        if self.up not in ("y", "z"):
            raise BadOption("up", self.up, "y or z")

    def keys(self) -> Sequence[str]:
        """Paths without .npz, relative to the folder. Raises Missing."""
        folder = need_folder(self.folder, "folder of AMASS files")
        need_model(self.smpl)
        return [path[:-4] for path in walk(folder, [".npz"]) if Path(path).name not in _NOT_MOTION]

    def make(self, key: str, seed: np.random.SeedSequence) -> Interaction:
        """One sequence. Raises BadFile or Rejected."""
        path = inside(Path(self.folder), key, ".npz")
        if not path.is_file():
            raise BadFile(path, "file", "nothing", "an AMASS npz")
        captions = need_captions(path)
        meta = meta_of(self.name, self.licence, key, captions, (self.role,), take=take_of(str(path.resolve())))
        given = piece(performance(path, self.up, self.smpl, meta), self.longest, seed)
        return unify(given, load_body(), self.fps, self.refined)


def performance(path: Path, up: str, smpl: str | None, meta: Meta, moved: Interaction | None = None) -> Performance:
    """An AMASS file (or the part of it that ``moved`` is) as a Performance.

    Raises:
        BadFile: see `synth.interaction.from_amass`.
        Rejected: it looks y up, or z up where y was said.
    """
    motion = from_amass(path, meta.roles[0] if meta.roles else "person") if moved is None else moved
    rest = None if smpl is None else np.asarray(load_body(smpl).rest_joints(motion.betas), float)
    start = np.zeros(3) if rest is None else rest[0, 0]
    turns, pelvis = motion.rotations(), motion.transl.astype(float) + start
    if up == "y":
        # transl is added after posing, so the pelvis turns with the world and J0 with it.
        turns[:, :, 0] = Z_UP_FROM_Y_UP @ turns[:, :, 0]
        pelvis = pelvis @ Z_UP_FROM_Y_UP.T
    refuse_lying(turns, pelvis, {"y": "z", "z": "y"}[up])
    meta = replace(meta, genders=motion.meta.genders)
    return Performance(motion.fps, turns, pelvis, leg=None if rest is None else leg_length(rest[:, None]), meta=meta)


def refuse_lying(turns: Array, pelvis: Array, other: str) -> None:
    """Raise Rejected where people [P, T] stand along the y axis all the time: a file whose vertical axis is another."""
    spine = turns[:, :, 0, :, 1]  # where the body's up points
    along = (np.abs(spine[..., 1]).mean(1) > 0.9) & (np.abs(spine[..., 2]).max(1) < 0.5)
    if (along & (np.ptp(pelvis[..., 1], axis=1) < 0.6)).all():
        raise Rejected(f"the body stands along the y axis all the time: is the file {other} up?")


def need_model(smpl: str | None) -> None:
    """Raise Missing or BadFile for an SMPL model that is not there, before any item needs it."""
    if smpl is not None:
        load_body(need_file(smpl, "SMPL model", "give the file of an SMPL model as the option smpl"))


def take_of(recording: str) -> str:
    """The recording as the take of all that was cut from it, in AMASS and in HumanML3D alike.

    Both name it by its path, but below folders that differ by release and by user, and releases write spaces and the
    ending differently: the person's folder and the file, in lower case, are what they share.
    """
    name = re.sub(r"(_poses|_stageii)?(\.np[yz])?$", "", recording)
    name = re.sub(r"F\d+T\d+A\d+$", "", name)  # HumanAct12's: frames and action, of a recording that it names before
    parts = [re.sub(r"[^a-z0-9]+", "_", part) for part in name.lower().split("/")]
    return AMASS_TAKE + "/".join(parts[-2:])


def meta_of(
    dataset: str, licence: Licence, key: str, captions: Sequence[str], roles: Sequence[str], **more: object
) -> Meta:
    """Labels that every reader sets: text, captions, roles, and where it comes from."""
    return Meta(
        text=captions[0] if captions else "",
        captions=tuple(captions),
        roles=tuple(roles),
        genders=("neutral",) * len(roles),
        source={"dataset": dataset, "id": key, "licence": licence.name, "credit": licence.credit, **more},
    )


# HumanML3D's excerpts ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Excerpt:
    """A line of HumanML3D's index.csv: frames ``start`` to ``end`` of a recording on HumanML3D's clock."""

    recording: str
    start: int
    end: int

    @property
    def from_amass(self) -> bool:
        return "humanact12" not in self.recording


@lru_cache(maxsize=4)
def read_index(path: str) -> Mapping[str, Excerpt]:
    """HumanML3D's index.csv by id. Raises Missing or BadFile with the line."""
    wanted = ["source_path", "start_frame", "end_frame", "new_name"]
    table = {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as handle:
            rows = csv.DictReader(handle)
            if rows.fieldnames is None or not set(wanted) <= set(rows.fieldnames):
                raise BadFile(path, "line 1", rows.fieldnames, ",".join(wanted))
            for row in rows:
                try:
                    recording = re.sub(r"^(\./)?pose_data/", "", row["source_path"]).removesuffix(".npy")
                    table[row["new_name"].removesuffix(".npy")] = Excerpt(
                        recording, int(row["start_frame"]), int(row["end_frame"])
                    )
                except (TypeError, ValueError, AttributeError):
                    found = ",".join(str(value) for value in row.values())
                    raise BadFile(path, f"line {rows.line_num}", found, ",".join(wanted)) from None
    except FileNotFoundError:
        raise Missing(f"HumanML3D index {path}", "give the index.csv of HumanML3D's repository") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadFile(path, "file", str(error), "HumanML3D's index.csv") from None
    return table


def find_recording(amass: Path, recording: str) -> Path | None:
    """The npz of a recording, by the names of either release; None if the user does not have it."""
    stem = recording.removesuffix("_poses")
    for name in (f"{recording}.npz", f"{stem}_poses.npz", f"{stem}_stageii.npz"):
        path = inside(amass, name)
        if path.is_file():
            return path
    return None


def cut_excerpt(path: Path, excerpt: Excerpt) -> tuple[Interaction, float]:
    """The excerpt of a recording in true time, and seconds of the recording a second of HumanML3D's clock is.

    Raises:
        BadFile: as `from_amass`.
        Rejected: the recording is slower than 20 fps or ends before the excerpt does.
    """
    motion = from_amass(path)
    stride = int(motion.fps / CLOCK)
    if stride < 1:
        raise Rejected(f"{path}: {motion.fps:g} fps; HumanML3D used recordings of at least {CLOCK:g}")
    lead = int(LEAD_IN.get(excerpt.recording.split("/")[0], 0.0) * CLOCK)
    first, last = ((lead + frame) * stride for frame in (excerpt.start, excerpt.end - 1))
    # The published end may be a frame or two past the recording's, where NumPy's slices stop by themselves.
    if first >= motion.frames or last > motion.frames - 1 + 3 * stride or last <= first:
        raise Rejected(
            f"{path}: {motion.frames} frames at {motion.fps:g} fps, too few for frames {first} to {last} of "
            "HumanML3D's index: another release, or a wrong frame rate"
        )
    return motion.window(first / motion.fps, (last + 1) / motion.fps), stride * CLOCK / motion.fps
