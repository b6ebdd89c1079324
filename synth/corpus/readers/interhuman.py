"""InterHuman (Liang et al. 2023): two people in one frame, from ``motions`` (SMPL pickles) or ``motions_processed``.

    source = InterHuman("InterHuman", split="train")

Layout: ``motions/ID.pkl``; ``motions_processed/person1/ID.npy`` and ``person2/ID.npy`` [T, 492] at 30 fps, z up;
``annots/ID.txt``, a caption a line; ``train.txt``, ``val.txt``, ``test.txt``, ``ignore_list.txt`` in the folder or its
``split/``. The pickles are preferred, since they hold the root's orientation and the shape; they are read by the safe
reader. From the processed files root and skeleton are worked out (`features.posture.calibrate`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from synth.body import load_body
from synth.body.smpl_file import read_pickle
from synth.corpus.care import mirrored
from synth.corpus.features.intergen import decode_interhuman
from synth.corpus.features.layout import INTERHUMAN as LAYOUT
from synth.corpus.features.posture import calibrate
from synth.corpus.readers.amass import meta_of, need_model, refuse_lying
from synth.corpus.readers.folder import load_npy, need_folder, read_lines, split_ids, stems
from synth.corpus.readers.texts import mirror_text
from synth.corpus.source import Licence, Rejected
from synth.corpus.unify import FPS, LONGEST, Performance, bone_drift, leg_length, middle_of_hips, piece, unify
from synth.errors import BadFile, BadOption, Missing
from synth.interaction import GENDERS, Interaction, Meta
from synth.rotation import Array, axis_angle_to_matrix

LICENCE = Licence(
    "CC-BY-NC-SA-4.0",
    False,
    "H. Liang, W. Zhang, W. Li, J. Yu, L. Xu: InterGen: Diffusion-based Multi-human Motion Generation under Complex "
    "Interactions, IJCV 2024.",
)
MIRRORED = "_swap"  # the authors' ending of mirrored copies
PEOPLE = ("person1", "person2")
SAME_LENGTH = 0.1  # seconds between the two versions of a motion


@dataclass(frozen=True)
class InterHuman:
    """The data set's folder as a source.

    Attributes:
        folder: see above.
        split: name of the list to read; "all" for every motion that is there.
        with_mirrored: add the mirror image of each motion, its captions mirrored word by word, as ``ID_swap``.
        smpl: a SMPL model file (24 joints) for the lengths of the pickles' people.
        longest: seconds; of a longer motion a piece of that length is taken, drawn by the seed.
        fps: of the motions made.
        refined: hold feet and floor with the optimiser.
    """

    folder: str
    split: str = "all"
    with_mirrored: bool = False
    smpl: str | None = None
    longest: float = LONGEST
    fps: float = FPS
    refined: bool = True
    name: str = "interhuman"
    licence: Licence = LICENCE

    def keys(self) -> Sequence[str]:
        """Ids of the split, less those of the ignore list. Raises Missing or BadOption."""
        folder = need_folder(self.folder, "InterHuman folder")
        need_model(self.smpl)
        there = stems(folder / "motions", ".pkl") | stems(folder / "motions_processed" / PEOPLE[0], ".npy")
        if not there:
            raise Missing(f"{folder}/motions or {folder}/motions_processed", "check that this is the InterHuman folder")
        chosen = there if self.split == "all" else set(split_ids(folder, self.split))
        for place in (folder, folder / "split"):
            if (place / "ignore_list.txt").is_file():
                chosen = chosen - set(read_lines(place / "ignore_list.txt"))
        twins = {f"{key}{MIRRORED}" for key in chosen} if self.with_mirrored else set()
        return sorted(chosen | twins)

    def make(self, key: str, seed: np.random.SeedSequence) -> Interaction:
        """Both people of a motion. Raises BadFile or Rejected."""
        original = key.removesuffix(MIRRORED)
        if not original.replace("_", "").replace("-", "").isalnum():
            raise BadOption("key", key, "an id of InterHuman, such as 1042")
        folder = Path(self.folder)
        captions = read_lines(folder / "annots" / f"{original}.txt")
        if not captions:
            raise BadFile(folder / "annots" / f"{original}.txt", "file", "no captions", "a caption a line")
        if key != original:
            captions = [mirror_text(text) for text in captions]
        pickled = folder / "motions" / f"{original}.pkl"
        kind = "smpl" if pickled.is_file() else "processed"
        meta = meta_of(self.name, self.licence, key, captions, ("person", "person"), motion=kind)
        processed = [folder / "motions_processed" / person / f"{original}.npy" for person in PEOPLE]
        if kind == "smpl":
            given = from_pickle(pickled, self.smpl, meta)
            if all(path.is_file() for path in processed):
                _same_length(given, len(load_npy(processed[0])))
        else:
            given = from_processed(processed, meta)
        body = load_body()
        motion = unify(piece(given, self.longest, seed), body, self.fps, self.refined)
        return motion if key == original else mirrored(motion, body)


def _same_length(given: Performance, frames: int) -> None:
    here, there = given.path.shape[1] / given.fps, frames / LAYOUT.fps
    if abs(here - there) > max(SAME_LENGTH, 0.03 * there):
        raise Rejected(
            f"{here:.2f} s in motions at {given.fps:g} fps, {there:.2f} s in motions_processed: "
            "a wrong frame rate or mixed up files"
        )


def from_pickle(path: Path, smpl: str | None, meta: Meta) -> Performance:
    """A file of ``motions``: ``mocap_framerate`` and, for each person, ``trans`` [T, 3], ``root_orient`` [T, 3],
    ``pose_body`` [T, 63] and ``betas``.

    Raises:
        BadFile: damaged, hostile, or a field is missing or of another shape.
        Rejected: the people have different lengths, or the file is y up.
    """
    content = read_pickle(path, "InterHuman")
    rate = content.get("mocap_framerate")
    if isinstance(rate, np.ndarray) and rate.shape == ():
        rate = rate.item()
    if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)) or not 0 < float(rate) <= 1000:
        raise BadFile(path, "mocap_framerate", rate, "a positive number up to 1000")
    people = [_person(path, content, name) for name in PEOPLE]
    lengths = [len(person["trans"]) for person in people]
    if len(set(lengths)) > 1:
        raise Rejected(f"people of different lengths: {lengths[0]} and {lengths[1]} frames")
    start, leg = np.zeros((2, 3)), None
    if smpl is not None:
        rest = np.asarray(load_body(smpl).rest_joints(np.stack([person["betas"] for person in people])), float)
        start, leg = rest[:, 0], leg_length(rest[:, None])
    turns = np.broadcast_to(np.eye(3), (2, lengths[0], 24, 3, 3)).copy()
    for p, person in enumerate(people):
        pose = np.concatenate([person["root_orient"], person["pose_body"]], -1)
        turns[p, :, :22] = axis_angle_to_matrix(pose.reshape(-1, 22, 3))
    pelvis = np.stack([person["trans"] + start[p] for p, person in enumerate(people)])
    refuse_lying(turns, pelvis, "y")
    meta = replace(meta, genders=tuple(str(person["gender"]) for person in people))
    return Performance(float(rate), turns, pelvis, leg=leg, meta=meta)


def _person(path: Path, content: Mapping[str, Any], name: str) -> dict[str, Any]:
    person = content.get(name)
    if not isinstance(person, dict):
        raise BadFile(path, name, type(person).__name__, "a dictionary of trans, root_orient, pose_body, betas")
    read: dict[str, Any] = {}
    frames = None
    for field, width in (("trans", 3), ("root_orient", 3), ("pose_body", 63)):
        value = person.get(field)
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or value.ndim < 2 or not len(value):
            found = getattr(value, "shape", type(value).__name__)
            raise BadFile(path, f"{name}.{field}", found, f"floats [T, {width}]")
        flat = value.reshape(len(value), -1).astype(float)
        frames = frames or len(flat)
        if flat.shape != (frames, width):
            raise BadFile(path, f"{name}.{field}", value.shape, f"floats [{frames}, {width}]")
        if not np.isfinite(flat).all():
            raise BadFile(path, f"{name}.{field}", "NaN or infinity", "finite numbers")
        read[field] = flat
    betas = person.get("betas")
    numbers = np.ravel(betas)[:10] if isinstance(betas, np.ndarray) and betas.dtype.kind == "f" else np.zeros(0)
    read["betas"] = np.zeros(10)
    read["betas"][: len(numbers)] = np.nan_to_num(numbers)
    gender = person.get("gender")
    read["gender"] = gender if gender in GENDERS else "neutral"
    return read


def from_processed(paths: Sequence[Path], meta: Meta) -> Performance:
    """The files of ``motions_processed``, one a person.

    Raises:
        BadFile: one is missing, damaged or of another shape.
        Rejected: the people have different lengths.
    """
    loaded = []
    for path in paths:
        if not path.is_file():
            raise BadFile(path, "file", "nothing", "the motion of both people")
        loaded.append(LAYOUT.check(load_npy(path), path))
    if len(loaded[0]) != len(loaded[1]):
        raise Rejected(f"people of different lengths: {len(loaded[0])} and {len(loaded[1])} frames")
    rest = np.asarray(load_body().rest_joints(np.zeros(10)), float)
    turns = np.broadcast_to(np.eye(3), (2, len(loaded[0]), 24, 3, 3)).copy()
    joints = np.empty((2, len(loaded[0]), 22, 3))
    for p, (path, motion) in enumerate(zip(paths, loaded, strict=True)):
        joints[p], local = decode_interhuman(motion)
        _are_rotations(path, motion)
        turns[p, :, 1:22] = local
        turns[p, :, 0], _ = calibrate(joints[p], local, rest)
    return Performance(LAYOUT.fps, turns, middle_of_hips(joints), "hips", leg_length(joints), joints=joints,
                       bone_drift=bone_drift(joints), meta=meta)  # fmt: skip


def _are_rotations(path: Path, motion: Array) -> None:
    columns = LAYOUT.unpack(motion)["rotations"][:, :21].reshape(-1, 3, 2)
    off = np.abs(np.einsum("nij,nik->njk", columns, columns) - np.eye(2)).max()
    if off > 0.05:
        raise BadFile(path, "rotations", f"columns off by {off:.2f} from unit, right angled ones", "6D rotations")
