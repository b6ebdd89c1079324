"""One item of a corpus: made by its source, checked, brought to the corpus's form, staged on the disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synth.body import BodyModel
from synth.corpus.mirror import mirror
from synth.corpus.rows import prop_rows, to_rows
from synth.corpus.source import AMASS_TAKE, Rejected, Source
from synth.errors import CareSynthError
from synth.files import read_json, read_npz, write_json, write_npz
from synth.interaction import Interaction, meta_to_json
from synth.rotation import axis_angle_to_matrix, yaw_matrix
from synth.skeleton import facing_yaw, forward_kinematics

FASTEST = 30.0  # m/s: no joint of a person moves faster, but in a file with a jump
MIRRORED = "+mirror"


@dataclass(frozen=True)
class Item:
    """What is to be made: the `repeat`-th of a key of a source."""

    source: str
    key: str
    repeat: int = 0

    @property
    def id(self) -> str:
        return f"{self.source}/{self.key}" + (f"@{self.repeat}" if self.repeat else "")

    def seed(self, entropy: int) -> np.random.SeedSequence:
        """The item's own randomness: from its name, so that neither order nor the other items matter."""
        words = np.frombuffer(hashlib.sha256(f"{self.source}\0{self.key}".encode()).digest()[:16], ">u4")
        return np.random.SeedSequence([entropy, *(int(word) for word in words), self.repeat])


def items_of(source: Source, limit: int | None, seeds: int) -> list[Item]:
    """The items a configuration asks for, sorted; a limit takes keys evenly spread over their names."""
    keys = sorted(set(source.keys()))
    if limit is not None and limit < len(keys):
        keys = [keys[index] for index in np.linspace(0, len(keys) - 1, limit).round().astype(int)]
    return [Item(source.name, key, repeat) for key in keys for repeat in range(seeds)]


def stage_path(folder: Path, identifier: str, suffix: str = ".npz") -> Path:
    """Where a finished item waits. Keys may hold anything, file names may not."""
    return folder / (hashlib.sha256(identifier.encode()).hexdigest()[:32] + suffix)


def is_staged(folder: Path, item: Item) -> bool:
    """Whether an item is finished, made or rejected."""
    return stage_path(folder, item.id).exists() or stage_path(folder, item.id, ".json").exists()


def make_item(
    item: Item, source: Source, body: BodyModel, folder: Path, entropy: int, fps: float, least: float, mirrors: bool
) -> str | None:
    """Make and stage one item; the reason if it was rejected.

    Whatever goes wrong with an item is that item's end, not the build's: a data set of a hundred thousand files holds
    every kind of damage, and a bug in one reader shall not cost the night. Only what cannot be written stops the build.
    """
    try:
        motion = formed(source.make(item.key, item.seed(entropy)), item, body, fps, least)
        images = [motion, mirrored_form(motion, body)] if mirrors else [motion]
        staged = [(*to_rows(image, body), prop_rows(image.props), _text_of(image)) for image in images]
    except CareSynthError as error:
        reason = " ".join(str(error).split())
    except Exception as error:
        reason = f"crashed: {type(error).__name__}: {' '.join(str(error).split())}"
    else:
        # the item's own file comes last: with it the item is finished
        for (rows, bodies, props, meta), suffix in list(zip(staged, ("", MIRRORED), strict=False))[::-1]:
            arrays = {
                "rows": rows, "bodies": bodies, "props": props, "meta": np.array(meta),
                "id": np.array(item.id + suffix),
            }  # fmt: skip
            write_npz(stage_path(folder, item.id + suffix), arrays)
        return None
    write_json(stage_path(folder, item.id, ".json"), {"id": item.id, "source": item.source, "reason": reason})
    return reason


def _text_of(motion: Interaction) -> str:
    names = [{"id": prop.id, "class": prop.cls} for prop in motion.props]
    return json.dumps({"meta": meta_to_json(motion.meta), "props": names}, sort_keys=True, allow_nan=False)


@dataclass(frozen=True)
class Finished:
    """A staged sequence: rows [P, T, 224], bodies [P, 82], prop_rows [K, T, 6], names of the K props, meta."""

    rows: np.ndarray
    bodies: np.ndarray
    prop_rows: np.ndarray
    props: list[dict[str, str]]
    meta: dict[str, Any]


def read_staged(folder: Path, identifier: str) -> Finished:
    """What is staged of a sequence."""
    arrays = read_npz(stage_path(folder, identifier))
    known = json.loads(str(arrays["meta"]))
    return Finished(arrays["rows"], arrays["bodies"], arrays["props"], known["props"], known["meta"])


def read_reason(folder: Path, identifier: str) -> str | None:
    """Why an item was rejected; None if it was not."""
    path = stage_path(folder, identifier, ".json")
    return str(read_json(path)["reason"]) if path.exists() else None


def formed(motion: Interaction, item: Item, body: BodyModel, fps: float, least: float) -> Interaction:
    """A source's motion in the corpus's form: at its rate, the first person over the origin, facing +x.

    Raises Rejected, or BadFile where the motion breaks the format.
    """
    motion.validate(item.id)
    if motion.meta.body_model != body.name:
        raise Rejected(f"{item.id}: made for the body {motion.meta.body_model}; expected {body.name}")
    if not (motion.meta.text or motion.meta.captions):
        raise Rejected(f"{item.id}: no text")
    if motion.seconds < least:
        raise Rejected(f"{item.id}: {motion.seconds:.2f} s long; expected {least:g} s or more")
    if not motion.present.any(1).all():
        raise Rejected(f"{item.id}: somebody is never there")
    rest = np.asarray(body.rest_joints(motion.betas), float)
    joints, _ = forward_kinematics(motion.rotations(), rest[:, None], motion.transl.astype(float))
    both = motion.present[:, 1:] & motion.present[:, :-1]
    speed = np.linalg.norm(np.diff(joints, axis=1), axis=-1).max(-1)[both] * motion.fps
    if speed.max(initial=0.0) > FASTEST:
        raise Rejected(f"{item.id}: a joint moves at {speed.max():.0f} m/s; expected at most {FASTEST:g}")
    return _centred(motion.resample(fps), rest[:, 0]).validate(item.id)


def mirrored_form(motion: Interaction, body: BodyModel) -> Interaction:
    """The mirror image in the corpus's form."""
    image = mirror(motion, body)
    return _centred(image, np.asarray(body.rest_joints(image.betas), float)[:, 0])


def take_of(meta: dict[str, Any], item_id: str) -> str:
    """The recording a sequence comes from; copies, mirror images and stretches of one recording share it."""
    source = meta.get("source", {})
    take = source.get("take") or source.get("id")
    if str(take).startswith(AMASS_TAKE):
        return str(take)
    return f"{source.get('dataset', '')}: {take}" if take else item_id.split("@")[0].removesuffix(MIRRORED)


def _centred(motion: Interaction, rest_pelvis: np.ndarray) -> Interaction:
    first = int(motion.present[0].argmax())
    turn = yaw_matrix(-float(facing_yaw(axis_angle_to_matrix(motion.global_orient[0, first]))))
    pelvis = (rest_pelvis[0] + motion.transl[0, first]) * np.array([1.0, 1.0, 0.0])
    return motion.transform(turn, -turn @ pelvis, rest_pelvis)


def ids_of(items: Sequence[Item], mirrors: bool) -> list[tuple[Item, str]]:
    """Every sequence that the items may give, in the order of the shards."""
    return [(item, item.id + suffix) for item in items for suffix in (("", MIRRORED) if mirrors else ("",))]
