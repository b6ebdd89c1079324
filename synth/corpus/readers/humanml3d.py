"""HumanML3D (Guo et al. 2022): ``new_joint_vecs`` and ``new_joints`` (.npy), ``texts``, split lists, mirrored M-ids.

    source = HumanML3D("HumanML3D", split="train", amass="amass_data", index="index.csv")

Where the user has AMASS, its true SMPL parameters are used; else the pose is found in the joints, since the data set's
own 6D rotations are not SMPL's. The published mirrored captions are taken as they are, but for their doubled prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from synth.body import load_body
from synth.corpus.capture import Z_UP_FROM_Y_UP
from synth.corpus.care import mirrored
from synth.corpus.features import humanml3d as features
from synth.corpus.features.layout import HUMANML3D as LAYOUT
from synth.corpus.features.posture import pose_from_joints
from synth.corpus.readers.amass import (
    CLOCK,
    cut_excerpt,
    find_recording,
    meta_of,
    need_model,
    performance,
    read_index,
    take_of,
)
from synth.corpus.readers.folder import load_npy, need_folder, split_ids, stems
from synth.corpus.readers.texts import Caption, read_captions, repair_mirrored
from synth.corpus.source import Licence, Rejected
from synth.corpus.unify import FPS, Performance, bone_drift, leg_length, middle_of_hips, unify
from synth.errors import BadFile, BadOption, Missing
from synth.interaction import Interaction
from synth.rotation import Array
from synth.skeleton import JOINT, SMPL_MIRROR, forward_kinematics

LICENCE = Licence(
    "AMASS and HumanAct12 licences (non-commercial research); annotations MIT",
    False,
    "C. Guo, S. Zou, X. Zuo, S. Wang, W. Ji, X. Li, L. Cheng: Generating Diverse and Natural 3D Human Motions from "
    "Text, CVPR 2022; N. Mahmood et al.: AMASS, ICCV 2019.",
)
TOLERANCE = 0.15  # seconds a caption may reach beyond its motion
AGREE = 1e-3  # metres between new_joints and the joints of new_joint_vecs
SAME_BEND = np.radians(8)  # between elbows and knees in AMASS and in HumanML3D, whatever the skeletons


@dataclass(frozen=True)
class HumanML3D:
    """The data set's folder as a source.

    Attributes:
        folder: with ``new_joint_vecs`` or ``new_joints``, ``texts``, ``all.txt``, ``train.txt``, ...
        split: name of the list to read.
        with_mirrored: whether M-ids are among the keys.
        amass: folder of AMASS's sub data sets, named as HumanML3D's instructions say.
        index: HumanML3D's index.csv, which names the recording of each id, so that none is on both sides of a split;
            needed with ``amass``.
        smpl: an SMPL model file for the lengths of AMASS's people.
        fps: of the motions made.
        refined: hold feet and floor with the optimiser.
    """

    folder: str
    split: str = "all"
    with_mirrored: bool = True
    amass: str | None = None
    index: str | None = None
    smpl: str | None = None
    fps: float = FPS
    refined: bool = True
    name: str = "humanml3d"
    licence: Licence = LICENCE

    def __post_init__(self) -> None:
        if self.amass is not None and self.index is None:
            raise Missing("HumanML3D's index.csv", "give it along with the AMASS folder (option index)")

    def keys(self) -> Sequence[str]:
        """Ids of the split. Raises Missing, BadFile or BadOption; ids without a file are found by `make`."""
        folder = need_folder(self.folder, "HumanML3D folder")
        if self.index is not None:
            read_index(str(self.index))
        if self.amass is not None:
            need_folder(self.amass, "AMASS folder")
        need_model(self.smpl)
        if not (folder / "new_joint_vecs").is_dir() and not (folder / "new_joints").is_dir():
            raise Missing(f"{folder}/new_joint_vecs", "prepare HumanML3D as its authors say, or check the folder")
        ids = split_ids(folder, self.split)
        return sorted({name for name in ids if self.with_mirrored or not name.startswith("M")})

    @property
    def remark(self) -> str:
        """What the corpus's card must say of it."""
        if self.index is not None:
            return ""
        return (
            "no index.csv was given, so which recording an id was cut from is not known: stretches of one recording, "
            "and AMASS in the same corpus, may be on both sides of a split"
        )

    def _take(self, key: str) -> str:
        """The recording that an id, mirrored or not, was cut from; where nobody says, the id itself."""
        excerpt = read_index(self.index).get(key.removeprefix("M")) if self.index is not None else None
        return key.removeprefix("M") if excerpt is None else take_of(excerpt.recording)

    def unlisted(self) -> list[str]:
        """Ids that have a motion but stand in no list of the folder."""
        folder = need_folder(self.folder, "HumanML3D folder")
        listed = {name for split in stems(folder, ".txt") for name in split_ids(folder, split)}
        return sorted((stems(folder / "new_joint_vecs", ".npy") | stems(folder / "new_joints", ".npy")) - listed)

    def make(self, key: str, seed: np.random.SeedSequence) -> Interaction:
        """The motion of an id: all of it where a caption tells of all of it, else the part that the first one names.

        `meta.source["parts"]` holds captions of parts with their seconds. Raises BadFile or Rejected.
        """
        if not key.removeprefix("M").isalnum():
            raise BadOption("key", key, "an id of HumanML3D, such as 000021 or M000021")
        captions = read_captions(Path(self.folder) / "texts" / f"{key}.txt")
        if key.startswith("M"):
            captions = tuple(replace(caption, text=repair_mirrored(caption.text)) for caption in captions)
        joints = self._joints(key)
        found = self._from_amass(key, joints) if self.amass is not None else None
        given, rate, origin = found or (self._from_joints(joints), 1.0, "joints")
        captions = _in_time(captions, rate, len(given.path[0]) / given.fps)
        whole = tuple(caption.text for caption in captions if caption.whole)
        parts = [[c.text, round(c.start, 3), round(c.end, 3)] for c in captions if not c.whole]
        body = load_body()
        texts = whole or (captions[0].text,)
        meta = meta_of(self.name, self.licence, key, texts, ("person",), parts=parts, motion=origin,
                       take=self._take(key))  # fmt: skip
        motion = unify(replace(given, meta=replace(meta, genders=given.meta.genders or meta.genders)), body, self.fps,
                       self.refined)  # fmt: skip
        if key.startswith("M") and origin == "amass":
            motion = mirrored(motion, body)
        return motion if whole else motion.window(captions[0].start, captions[0].end)

    def _joints(self, key: str) -> Array:
        """Joints [T, 22, 3], z up. Raises BadFile or, where both files are there and disagree, Rejected."""
        folder = Path(self.folder)
        vectors, joints = folder / "new_joint_vecs" / f"{key}.npy", folder / "new_joints" / f"{key}.npy"
        decoded = stored = None
        if vectors.is_file():
            decoded = features.decode(LAYOUT.check(load_npy(vectors), vectors))
        if joints.is_file():
            stored = _checked_joints(load_npy(joints), joints)
        if decoded is None and stored is None:
            raise BadFile(vectors, "file", "nothing", "the motion of an id that the split lists")
        if decoded is not None and stored is not None:
            if len(decoded) != len(stored):
                raise Rejected(f"{len(decoded)} frames in new_joint_vecs, {len(stored)} in new_joints: mixed up files")
            off = float(np.abs(decoded - stored).max())
            if off > AGREE:
                raise Rejected(f"new_joints and new_joint_vecs differ by {off:.3f} m: mixed up or damaged files")
        return decoded if decoded is not None else stored  # type: ignore[return-value]

    def _from_joints(self, joints: Array) -> Performance:
        body = load_body()
        turns = pose_from_joints(joints, np.asarray(body.rest_joints(np.zeros(10)), float))
        people = joints[None]
        return Performance(LAYOUT.fps, turns[None], middle_of_hips(people), "hips", leg_length(people),
                           bone_drift=bone_drift(people))  # fmt: skip

    def _from_amass(self, key: str, joints: Array) -> tuple[Performance, float, str] | None:
        """The motion out of AMASS, the unmirrored one; None for what is not from AMASS or is not there."""
        excerpt = read_index(str(self.index)).get(key.removeprefix("M"))
        if excerpt is None or not excerpt.from_amass:
            return None
        path = find_recording(need_folder(str(self.amass), "AMASS folder"), excerpt.recording)
        if path is None:
            return None
        moved, rate = cut_excerpt(path, excerpt)
        given = performance(path, "z", self.smpl, meta_of(self.name, self.licence, key, (), ("person",)), moved)
        times = np.arange(len(joints)) / CLOCK * rate
        frames = np.clip(np.round(times * moved.frames / moved.seconds).astype(int), 0, moved.frames - 1)
        rest = np.asarray(load_body().rest_joints(np.zeros(10)), float)
        posed, _ = forward_kinematics(given.rotations[0, frames], rest, np.zeros(3))
        there = joints[:, list(SMPL_MIRROR[:22])] if key.startswith("M") else joints
        off = np.abs(_bends(posed) - _bends(there))
        if np.median(off) > SAME_BEND or np.percentile(off, 95) > 3 * SAME_BEND:
            raise Rejected(
                f"{path} does not show this motion (elbows and knees differ by {np.degrees(off.mean()):.0f} degrees): "
                "another release of AMASS, a wrong frame rate or mixed up files"
            )
        return given, rate, "amass"


def _bends(joints: Array) -> Array:
    """Angles [T, 4] between the bones of both arms and legs."""
    angles = []
    for side in ("left", "right"):
        for chain in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")):
            a, b, c = (joints[:, JOINT[f"{side}_{name}"]] for name in chain)
            first, second = b - a, c - b
            angles.append(np.arctan2(np.linalg.norm(np.cross(first, second), axis=-1), (first * second).sum(-1)))
    return np.stack(angles, -1)


def _checked_joints(array: np.ndarray, where: Path) -> Array:
    if array.ndim == 2 and array.shape == (22, 3):
        array = array[None]
    if array.ndim != 3 or array.shape[1:] != (22, 3) or array.dtype.kind != "f" or not len(array):
        raise BadFile(where, "joints", f"{array.dtype} {array.shape}", "floats [T, 22, 3]")
    if not np.isfinite(array).all():
        raise BadFile(where, "joints", "NaN or infinity", "finite numbers")
    return array.astype(float) @ Z_UP_FROM_Y_UP.T


def _in_time(captions: Sequence[Caption], rate: float, seconds: float) -> tuple[Caption, ...]:
    """Captions in true seconds, cut to the motion. Raises Rejected where one is about time the motion has not."""
    timed = []
    for caption in captions:
        start, end = caption.start * rate, caption.end * rate
        if not caption.whole and (end > seconds + TOLERANCE or start >= seconds):
            raise Rejected(f"a caption is about {start:g} to {end:g} s of {seconds:.2f} s: wrong fps or mixed up files")
        timed.append(replace(caption, start=start, end=end if caption.whole else min(end, seconds)))
    return tuple(timed)
