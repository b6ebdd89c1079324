"""The training set on disk: a few large flat arrays that are read in place, an index of lines, a checksum for each.

CORPUS/corpus.json              settings, versions, sources and licences, shards with their SHA-256, statistics
       shards/00000.rows.npy    float32 [rows, 224]: person after person, frame after frame (synth.corpus.rows)
       shards/00000.bodies.npy  float32 [people, 82]: betas and rest joints
       shards/00000.props.npy   float32 [things x frames, 6]: things that move, transl and axis-angle, thing after thing
       shards/00000.jsonl       a line a sequence: where its rows are, and its labels
       statistics.npz           mean and std [205] of the features over the training split
       rejected.jsonl           what was left out, and why

corpus = Corpus.open("CORPUS")
for batch in corpus.batches(np.random.SeedSequence(0), size=64, frames=100):
    batch.features    # float32 [64, 2, 100, 205]
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from synth.corpus.rows import BODY_WIDTH, FEATURES, PROP_WIDTH, WIDTH, centred, from_rows
from synth.errors import BadFile, BadOption, CareSynthError
from synth.files import atomic_path, read_json, write_text
from synth.interaction import Interaction, Prop, meta_from_json
from synth.rotation import Array, matrix_to_axis_angle

VERSION = 2
CORPUS_FILE, SHARDS = "corpus.json", "shards"
SPLITS = ("train", "val", "test")
FILES = {"rows": ".rows.npy", "bodies": ".bodies.npy", "props": ".props.npy", "index": ".jsonl"}
T = TypeVar("T")
WIDTHS = {"rows": WIDTH, "bodies": BODY_WIDTH, "props": PROP_WIDTH}


@dataclass(frozen=True)
class Entry:
    """A sequence of the training set: where it is, and what is known of it as in an interaction's file."""

    id: str
    shard: int
    row: int
    person: int
    prop: int
    people: int
    frames: int
    source: str
    take: str
    split: str
    props: Sequence[Mapping[str, str]]
    meta: Mapping[str, Any]

    @property
    def interaction_class(self) -> str | None:
        return self.meta.get("interaction_class")


@dataclass(frozen=True)
class Batch:
    """Windows of sequences: rows [B, P, T, 224]; the sequence of each [B] and the frame it starts at [B]."""

    rows: Array
    entries: tuple[Entry, ...]
    starts: np.ndarray

    @property
    def features(self) -> Array:
        """[B, P, T, 205], a view."""
        return self.rows[..., :FEATURES]

    @property
    def present(self) -> np.ndarray:
        """[B, P, T]: somebody is there; False for people and frames that the sequence does not have."""
        return self.rows[..., -1] > 0.5


@dataclass(frozen=True)
class Corpus:
    """A training set, opened: nothing but the index is read before it is asked for."""

    folder: Path
    info: Mapping[str, Any]
    entries: tuple[Entry, ...]
    rows: tuple[Array, ...]
    bodies: tuple[Array, ...]
    props: tuple[Array, ...]

    @staticmethod
    def open(folder: str | Path) -> Corpus:
        """Open a training set. Raises BadFile that names what is missing or broken (checksums: `check_corpus`)."""
        folder = Path(folder)
        info = read_info(folder)
        entries: list[Entry] = []
        arrays: dict[str, list[Array]] = {kind: [] for kind in WIDTHS}
        for number, shard in enumerate(info["shards"]):
            for kind, width in WIDTHS.items():
                arrays[kind].append(_mapped(_path(folder, shard, kind), shard[kind], width))
            entries += _read_index(_path(folder, shard, "index"), number, shard)
        return Corpus(folder, info, tuple(entries), *(tuple(arrays[kind]) for kind in WIDTHS))

    @property
    def fps(self) -> float:
        return float(self.info["settings"]["fps"])

    def of_split(self, split: str) -> list[int]:
        """Indices of the sequences of a split."""
        return [index for index, entry in enumerate(self.entries) if entry.split == split]

    def sequence(self, index: int) -> Array:
        """Rows [P, T, 224] of a whole sequence, in place."""
        entry = self.entries[index]
        rows = self.rows[entry.shard][entry.row : entry.row + entry.people * entry.frames]
        return rows.reshape(entry.people, entry.frames, WIDTH)

    def interaction(self, index: int) -> Interaction:
        """A sequence as the Interaction it was made from."""
        entry = self.entries[index]
        rows = np.asarray(self.sequence(index))
        transl, rotmats = from_rows(rows)
        pose = matrix_to_axis_angle(rotmats).reshape(entry.people, entry.frames, 72).astype(np.float32)
        betas = self.bodies[entry.shard][entry.person : entry.person + entry.people, :10]
        try:
            meta = meta_from_json(entry.meta)
        except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
            path = _path(self.folder, self.info["shards"][entry.shard], "index")
            raise BadFile(path, f"{entry.id}: meta", str(error), "the labels of an interaction") from None
        motion = Interaction(
            self.fps, transl, pose[..., :3], pose[..., 3:], np.array(betas), rows[..., -1] > 0.5, meta,
            self._props(entry),
        )  # fmt: skip
        return motion.validate(f"{self.folder}: {entry.id}")

    def _props(self, entry: Entry) -> tuple[Prop, ...]:
        moved = self.props[entry.shard][entry.prop : entry.prop + len(entry.props) * entry.frames]
        each = np.array(moved).reshape(len(entry.props), entry.frames, PROP_WIDTH)
        return tuple(
            Prop(item["id"], item["class"], way[:, :3], way[:, 3:])
            for item, way in zip(entry.props, each, strict=True)
        )  # fmt: skip

    def windows(self, indices: Sequence[int], starts: Sequence[int], frames: int, people: int = 2) -> Batch:
        """Windows of `frames` frames and `people` people; what a sequence does not have is zero, and not present."""
        rows = np.zeros((len(indices), people, frames, WIDTH), np.float32)
        for at, (index, start) in enumerate(zip(indices, starts, strict=True)):
            entry = self.entries[index]
            source, length = self.rows[entry.shard], min(frames, entry.frames - start)
            for person in range(min(people, entry.people)):
                row = entry.row + person * entry.frames + start
                rows[at, person, :length] = source[row : row + length]
        return Batch(rows, tuple(self.entries[index] for index in indices), np.asarray(starts))

    def _read_ahead(self) -> None:
        """Have the system read the rows in the background, if they are small beside its memory."""
        if not hasattr(os, "posix_fadvise"):
            return
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if sum(rows.nbytes for rows in self.rows) < memory / 4:
            for shard in self.info["shards"]:
                with open(self.folder / SHARDS / (shard["name"] + FILES["rows"]), "rb") as handle:
                    os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)

    def batches(
        self,
        seed: np.random.SeedSequence,
        size: int = 64,
        frames: int = 100,
        people: int = 2,
        split: str = "train",
        choose: Iterable[int] | None = None,
        centre: bool = True,
    ) -> Iterator[Batch]:
        """Random windows without end: sequences by their length, starts evenly; `centre` as `rows.centred` does.

        Args:
            choose: only these sequences (indices), e.g. those of pairs.
        """
        chosen = np.array(sorted(self.of_split(split) if choose is None else choose), int)
        if not len(chosen):
            raise BadOption("split", split, f"a split of {self.folder} that holds sequences")
        self._read_ahead()
        rng = np.random.default_rng(seed)
        lengths = np.array([self.entries[index].frames for index in chosen])
        edges = np.cumsum(lengths)
        while True:
            picked = np.searchsorted(edges, rng.integers(0, edges[-1], size), side="right")
            starts = (rng.random(size) * (np.maximum(0, lengths[picked] - frames) + 1)).astype(int)
            batch = self.windows(chosen[picked].tolist(), starts.tolist(), frames, people)
            yield Batch(centred(batch.rows), batch.entries, batch.starts) if centre else batch


def split_of(take: str, val: float, test: float) -> str:
    """The split a recording belongs to: by its name alone, so that copies of it stay together whatever is added."""
    share = int.from_bytes(hashlib.sha256(take.encode()).digest()[:8], "big") / 2**64
    return "test" if share < test else "val" if share < test + val else "train"


def sha256(path: Path) -> str:
    """Checksum of a file."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@dataclass(frozen=True)
class Staged:
    """A finished sequence on its way into a shard."""

    id: str
    source: str
    take: str
    split: str
    rows: Array
    bodies: Array
    prop_rows: Array
    props: Sequence[Mapping[str, str]]
    meta: Mapping[str, Any]


def write_shards(folder: Path, sequences: Iterable[Staged], megabytes: float) -> list[dict[str, Any]]:
    """Write shards of up to about `megabytes` MB in the order given; their entries for corpus.json."""
    shards: list[dict[str, Any]] = []
    held: list[Staged] = []
    size = 0
    for item in sequences:
        if held and size + item.rows.nbytes > megabytes * 1e6:
            shards.append(_write_shard(folder, len(shards), held))
            held, size = [], 0
        held.append(item)
        size += item.rows.nbytes
    if held:
        shards.append(_write_shard(folder, len(shards), held))
    return shards


def check_corpus(folder: str | Path) -> Corpus:
    """Open a training set and check every byte and label. Raises BadFile at the first thing that is wrong."""
    for fault in faults_of(folder):
        raise fault
    return Corpus.open(folder)


def faults_of(folder: str | Path) -> list[CareSynthError]:
    """Everything that is wrong with a training set: bytes, arrays, index, labels, splits."""
    folder, faults = Path(folder), list[CareSynthError]()
    info = _tried(faults, read_info, folder)
    if info is None:
        return faults
    wanted = {_path(folder, shard, kind): shard["sha256"][kind] for shard in info["shards"] for kind in FILES}
    for path, checksum in (wanted | {folder / name: found for name, found in info["sha256"].items()}).items():
        _tried(faults, _same, path, checksum)
    takes: dict[str, str] = {}
    for shard in info["shards"]:
        _check_shard(folder, info, shard, takes, faults)
    return faults


def _check_shard(
    folder: Path, info: Mapping[str, Any], shard: Mapping[str, Any], takes: dict[str, str], faults: list[CareSynthError]
) -> None:
    """Add what is wrong with a shard beyond its checksums; `takes` learns the split of each recording."""
    path = _path(folder, shard, "index")
    arrays = [_tried(faults, _mapped, _path(folder, shard, kind), shard[kind], width) for kind, width in WIDTHS.items()]
    lines = _tried(faults, _lines_of, path)
    if lines is not None:
        _tried(faults, _counted, path, lines, shard)
    read = [_tried(faults, _entry_of, path, at, line, 0, shard) for at, line in enumerate(lines or (), 1)]
    entries = tuple(entry for entry in read if entry is not None)
    whole = [(array,) for array in arrays if array is not None]
    for entry in entries:
        if takes.setdefault(entry.take, entry.split) != entry.split:
            expected = f"{takes[entry.take]}, as the rest of {entry.take}"
            faults.append(BadFile(path, f"{entry.id}: split", entry.split, expected))
    if len(whole) < len(WIDTHS):
        return
    part = Corpus(folder, {**info, "shards": [shard]}, entries, *whole)
    for index, entry in enumerate(entries):
        if np.isfinite(part.sequence(index)).all():
            _tried(faults, part.interaction, index)
        else:
            faults.append(BadFile(_path(folder, shard, "rows"), entry.id, "NaN or infinity", "finite numbers"))


def _tried(faults: list[CareSynthError], act: Callable[..., T], *arguments: Any) -> T | None:
    """What `act` gives; None where it raises, and the fault is on the list."""
    try:
        return act(*arguments)
    except CareSynthError as fault:
        faults.append(fault)
        return None


def _path(folder: Path, shard: Mapping[str, Any], kind: str) -> Path:
    return folder / SHARDS / (shard["name"] + FILES[kind])


def read_info(folder: Path) -> dict[str, Any]:
    """corpus.json, checked."""
    path = folder / CORPUS_FILE
    info = read_json(path)
    if not isinstance(info, dict) or info.get("version") != VERSION:
        found = info.get("version") if isinstance(info, dict) else info
        raise BadFile(path, "version", found, f"{VERSION}")
    for name, kind in (("settings", dict), ("shards", list), ("sha256", dict)):
        if not isinstance(info.get(name), kind):
            raise BadFile(path, name, info.get(name), "a list" if kind is list else "an object")
    fps = info["settings"].get("fps")
    if isinstance(fps, bool) or not isinstance(fps, (int, float)) or not 0 < fps <= 1000:
        raise BadFile(path, "settings.fps", fps, "a positive number")
    for number, shard in enumerate(info["shards"]):
        sums: Any = shard.get("sha256") if isinstance(shard, dict) else None
        good = isinstance(sums, dict) and all(isinstance(sums.get(kind), str) for kind in FILES)
        counts = ("sequences", *WIDTHS)
        numbers = good and all(isinstance(shard.get(key), int) and shard[key] >= 0 for key in counts)
        label = shard.get("name") if good else None
        if not numbers or not isinstance(label, str) or not label.isdigit():
            raise BadFile(path, f"shards[{number}]", shard, f"an object with name, {', '.join(counts)} and sha256")
    return info


def _same(path: Path, wanted: str) -> None:
    try:
        found = sha256(path)
    except OSError as error:
        raise BadFile(path, "file", error.strerror or str(error), "a readable file") from None
    if found != wanted:
        raise BadFile(path, "sha256", found, f"{wanted}: the file was changed or damaged")


def _mapped(path: Path, count: int, width: int) -> Array:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise BadFile(path, "file", error.strerror or str(error), "a readable npy file") from None
    except Exception as error:  # a damaged header raises several unrelated types
        raise BadFile(path, "file", f"{type(error).__name__}: {error}", "an undamaged npy file") from None
    if array.dtype != np.float32 or array.shape != (count, width):
        raise BadFile(path, "array", f"{array.dtype} {array.shape}", f"float32 {(count, width)}")
    return array


def _read_index(path: Path, number: int, shard: Mapping[str, Any]) -> Iterator[Entry]:
    lines = _lines_of(path)
    for at, line in enumerate(lines, 1):
        yield _entry_of(path, at, line, number, shard)
    _counted(path, lines, shard)


def _lines_of(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(path, "file", str(error), "a readable text file in UTF-8") from None


def _counted(path: Path, lines: Sequence[str], shard: Mapping[str, Any]) -> None:
    if len(lines) != shard["sequences"]:
        raise BadFile(path, "file", f"{len(lines)} lines", f"{shard['sequences']}, one a sequence")


def _entry_of(path: Path, at: int, line: str, number: int, shard: Mapping[str, Any]) -> Entry:
    try:
        value = json.loads(line)
        entry = Entry(shard=number, **value)
        numbers = [entry.row, entry.person, entry.prop, entry.people, entry.frames]
        good = all(type(n) is int and n >= 0 for n in numbers) and isinstance(entry.meta, dict)
        good &= isinstance(entry.props, list) and all(
            isinstance(item, dict) and all(isinstance(item.get(key), str) for key in ("id", "class"))
            for item in entry.props
        )
        texts = all(isinstance(text, str) for text in (entry.id, entry.source, entry.take))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadFile(path, f"line {at}", str(error), "the JSON object of a sequence") from None
    last = entry.row + entry.people * entry.frames if good else 0
    inside = good and last <= shard["rows"] and entry.person + entry.people <= shard["bodies"]
    inside = inside and entry.prop + len(entry.props) * entry.frames <= shard["props"]
    if not inside or not texts or entry.frames < 1 or entry.people < 1 or entry.split not in SPLITS:
        raise BadFile(path, f"line {at}", line, "a sequence inside this shard")
    return entry


def _write_shard(folder: Path, number: int, held: Sequence[Staged]) -> dict[str, Any]:
    name, row, person, prop, lines = f"{number:05d}", 0, 0, 0, []
    for item in held:
        people, frames = item.rows.shape[:2]
        place = {"row": row, "person": person, "prop": prop, "people": people, "frames": frames}
        known = {
            "id": item.id, "source": item.source, "take": item.take, "split": item.split, "props": item.props,
            "meta": item.meta,
        }  # fmt: skip
        lines.append(json.dumps(place | known, sort_keys=True, allow_nan=False, ensure_ascii=False))
        row, person, prop = row + people * frames, person + people, prop + len(item.props) * frames
    base = folder / SHARDS / name
    arrays = {
        "rows": np.concatenate([item.rows.reshape(-1, WIDTH) for item in held]),
        "bodies": np.concatenate([item.bodies for item in held]),
        "props": np.concatenate([item.prop_rows.reshape(-1, PROP_WIDTH) for item in held]),
    }
    for kind, array in arrays.items():
        with atomic_path(base.with_name(name + FILES[kind])) as temporary, open(temporary, "wb") as handle:
            np.save(handle, array.astype(np.float32), allow_pickle=False)
    write_text(base.with_name(name + FILES["index"]), "\n".join(lines) + "\n")
    sums = {kind: sha256(base.with_name(name + suffix)) for kind, suffix in FILES.items()}
    return {"name": name, "sequences": len(held), "rows": row, "bodies": person, "props": prop, "sha256": sums}
