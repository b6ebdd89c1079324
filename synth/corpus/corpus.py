"""Build a training set from sources: items in worker processes, shards at the end, the same bytes after any stop.

A build keeps finished items in `OUT/.staging`; the same command again goes on with what is missing. Shards are written
from there in the items' order when all are finished, corpus.json last: with it the corpus is whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from synth import __version__
from synth.corpus import card
from synth.corpus.config import Config, SourceConfig, missing_options
from synth.corpus.items import MIRRORED, Item, ids_of, is_staged, items_of, make_item, read_reason, read_staged, take_of
from synth.corpus.pool import run_items
from synth.corpus.rows import COLUMNS, FEATURES, WIDTH
from synth.corpus.shards import CORPUS_FILE, SHARDS, VERSION, Staged, read_info, sha256, split_of, write_shards
from synth.corpus.source import Licence, Source
from synth.corpus.sources import open_source
from synth.errors import BadOption, CareSynthError, Missing
from synth.files import atomic_path, read_json, write_json, write_text

STAGING, BUILD_FILE, LOCK = ".staging", "build.json", ".lock"
STATISTICS, REJECTED, CARD = "statistics.npz", "rejected.jsonl", "README.md"
Report = Callable[[int, int], None]  # items finished, of how many


@dataclass(frozen=True)
class Plan:
    """What a configuration comes to: the sources that are there, their licences and items, and what is left out."""

    config: Config
    sources: tuple[SourceConfig, ...]
    licences: Mapping[str, Licence]
    items: tuple[Item, ...]
    left_out: Mapping[str, str]
    remarks: Mapping[str, str] = field(default_factory=dict)  # what the card must say of a source


def plan(config: Config) -> Plan:
    """Open every source and list its items.

    Raises:
        CareSynthError: a source that is not optional cannot be read, or nothing is left.
    """
    licences: dict[str, Licence] = {}
    sources: list[SourceConfig] = []
    items: list[Item] = []
    left_out: dict[str, str] = {}
    remarks: dict[str, str] = {}
    for chosen in config.sources:
        try:
            source = _opened(chosen)
            if not (source.licence.commercial or config.include_noncommercial):
                left_out[chosen.name] = f"not for commercial use ({source.licence.name}); include_noncommercial is off"
                continue
            listed = items_of(source, chosen.limit, chosen.seeds)
        except Missing as error:
            if not chosen.optional:
                raise
            left_out[chosen.name] = str(error)
            continue
        sources.append(chosen)
        licences[chosen.name] = source.licence
        if remark := getattr(source, "remark", ""):
            remarks[chosen.name] = remark
        items += listed
    if not items:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise CareSynthError(f"sources: found nothing to build from ({reasons or 'they are empty'}); expected items")
    items.sort(key=lambda item: (item.source, item.key, item.repeat))
    return Plan(config, tuple(sources), licences, tuple(items), left_out, remarks)


def build(config: Config, out: Path, workers: int, report: Report = lambda done, total: None) -> dict[str, Any]:
    """Build the corpus, or go on with it; its corpus.json.

    Raises:
        BadOption: `out` belongs to something else. CareSynthError: see `plan`; a full disk; every item was rejected.
        KeyboardInterrupt: finished items are kept.
    """
    settings = config.to_json()
    if (out / CORPUS_FILE).exists():
        info = read_info(out)
        _same_settings(out, info["settings"], settings)
        _clear(out)  # a build may have been killed with its last breath
        return info
    planned = plan(config)
    _refuse_foreign(out)
    with _locked(out):
        _begin(out, {"settings": settings, "versions": versions()})
        staging = out / STAGING
        staging.mkdir(exist_ok=True)
        _tidy(staging)
        missing = [item for item in planned.items if not is_staged(staging, item)]
        finished = len(planned.items) - len(missing)
        report(finished, len(planned.items))

        def done(item: Item, _: Any) -> None:
            nonlocal finished
            finished += 1
            report(finished, len(planned.items))

        def died(item: Item, how: str) -> None:
            from synth.corpus.items import stage_path

            reason = {"id": item.id, "source": item.source, "reason": how}
            write_json(stage_path(staging, item.id, ".json"), reason)
            done(item, how)

        run_items(_prepare, (config, planned.sources, staging), missing, max(1, min(workers, len(missing))), done, died)
        _refuse_nothing(planned, out, staging)
        info = _assemble(planned, out, staging)
    _clear(out)
    return info


def _refuse_nothing(planned: Plan, out: Path, staging: Path) -> None:
    """Raise CareSynthError where every item was rejected: an empty corpus would look like one.

    Nothing stays but the list of the reasons, so that the same folder can be tried again with other options.
    """
    lines = _rejected(planned, staging)
    if len(lines) < len(planned.items):
        return
    _write_rejected(out, lines)
    _clear(out)
    kind, count = Counter(card.kind_of(line["reason"]) for line in lines).most_common(1)[0]
    raise CareSynthError(f"{out / REJECTED}: found 0 sequences, all of {len(lines)} items were rejected, {count} as "
                         f"\"{kind}\"; expected at least one")  # fmt: skip


def _rejected(planned: Plan, staging: Path) -> list[dict[str, str]]:
    """The items that were rejected, with their reasons."""
    reasons = ((item, read_reason(staging, item.id)) for item in planned.items)
    return [{"id": item.id, "source": item.source, "reason": why} for item, why in reasons if why is not None]


def _write_rejected(out: Path, lines: Iterable[Mapping[str, str]]) -> None:
    texts = [json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n" for line in lines]
    write_text(out / REJECTED, "".join(texts))


def _clear(out: Path) -> None:
    """Remove what only an unfinished build needs."""
    shutil.rmtree(out / STAGING, ignore_errors=True)
    for name in (BUILD_FILE, LOCK):
        (out / name).unlink(missing_ok=True)


def versions() -> dict[str, str]:
    """The versions that decide what a seed gives."""
    found = {"caresynth": __version__}
    for name in ("numpy", "scipy", "torch", "anny", "mujoco"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _opened(chosen: SourceConfig) -> Source:
    lacking = missing_options(chosen)
    if lacking:
        option = f"{chosen.name}.{lacking[0]}"
        raise Missing(f"option {lacking[0]} of the source {chosen.name}", f"give it with --option {option}=VALUE")
    return open_source(chosen.name, chosen.options)


def _prepare(config: Config, sources: tuple[SourceConfig, ...], staging: Path) -> Callable[[Item], str | None]:
    """In a worker: the function that makes and stages an item."""
    import torch

    from synth.body import load_body

    torch.set_num_threads(1)  # sums in another order would change the last bits, and the bytes
    body = load_body()
    opened: dict[str, Source] = {}
    chosen = {item.name: item for item in sources}

    def make(item: Item) -> str | None:
        source = chosen[item.source]
        if item.source not in opened:
            opened[item.source] = _opened(source)
        entropy = config.seed if source.seed is None else source.seed
        return make_item(
            item, opened[item.source], body, staging, entropy, config.fps, config.min_seconds, config.mirror
        )

    return make


def _assemble(planned: Plan, out: Path, staging: Path) -> dict[str, Any]:
    """Shards, statistics, lists and card from what is staged."""
    config = planned.config
    shutil.rmtree(out / SHARDS, ignore_errors=True)
    rejected = _rejected(planned, staging)
    refused = {line["id"] for line in rejected}
    tally = _Tally()

    def sequences() -> Iterator[Staged]:
        seen: dict[bytes, str] = {}
        for item, identifier in ids_of(planned.items, config.mirror):
            if item.id in refused:
                continue
            made = read_staged(staging, identifier)
            digest = hashlib.sha256(made.rows.tobytes() + made.bodies.tobytes() + made.prop_rows.tobytes()).digest()
            if digest in seen:
                reason = f"the same motion as {seen[digest]}"
                rejected.append({"id": identifier, "source": item.source, "reason": reason})
                continue
            seen[digest] = identifier
            take = take_of(made.meta, identifier)
            staged = Staged(
                identifier, item.source, take, split_of(take, config.val, config.test), made.rows, made.bodies,
                made.prop_rows, made.props, made.meta,
            )  # fmt: skip
            tally.add(staged, config.fps)
            yield staged

    shards = write_shards(out, sequences(), config.shard_megabytes)
    _write_rejected(out, rejected)
    mean, std = tally.moments()
    with atomic_path(out / STATISTICS) as temporary:
        np.savez(temporary, mean=mean, std=std)
    made_of = {
        name: {
            "licence": licence.name,
            "commercial": licence.commercial,
            "credit": licence.credit,
            **tally.of("source", name),
            "items": sum(item.source == name for item in planned.items),
            "rejected": _items_in(line for line in rejected if line["source"] == name),
            "redrawn": tally.redrawn[name],
            **({"remark": planned.remarks[name]} if name in planned.remarks else {}),
        }
        for name, licence in sorted(planned.licences.items())
    }
    info: dict[str, Any] = {
        "version": VERSION,
        "name": config.name,
        "settings": config.to_json(),
        "versions": versions(),
        "columns": {name: [columns.start, columns.stop] for name, columns in COLUMNS.items()},
        "width": WIDTH,
        "features": FEATURES,
        "shards": shards,
        "sources": made_of,
        "left_out": dict(planned.left_out),
        "statistics": tally.to_json() | {"rejected": _items_in(rejected), "items": len(planned.items)},
    }
    write_text(out / CARD, card.text(info, rejected))
    info["sha256"] = {name: sha256(out / name) for name in (CARD, REJECTED, STATISTICS)}
    write_json(out / CORPUS_FILE, info)
    return info


def _items_in(lines: Iterable[Mapping[str, str]]) -> int:
    """How many items the lines speak of: a mirror image is no item of its own."""
    return len({line["id"].removesuffix(MIRRORED) for line in lines})


class _Tally:
    """Counts and sums over the sequences of a corpus, in their order."""

    def __init__(self) -> None:
        self.lines: list[tuple[dict[str, str], float, int]] = []
        self.redrawn: Counter[str] = Counter()  # draws that were thrown away before one was kept, by source
        self.count, self.sum, self.square = 0, np.zeros(FEATURES), np.zeros(FEATURES)

    def add(self, item: Staged, fps: float) -> None:
        people, frames = item.rows.shape[:2]
        kind = item.meta.get("interaction_class") or "(no class)"
        if not item.id.endswith(MIRRORED):
            self.redrawn[item.source] += int(item.meta.get("quality", {}).get("draws", 1)) - 1
        self.lines.append(({"class": kind, "source": item.source, "split": item.split}, frames / fps, people))
        if item.split == "train":
            rows = item.rows.reshape(-1, WIDTH)
            rows = rows[rows[:, -1] > 0.5][:, :FEATURES].astype(float)
            self.count += len(rows)
            self.sum += rows.sum(0)
            self.square += (rows * rows).sum(0)

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation [205] of the features over all people and frames of the training split."""
        mean = self.sum / max(self.count, 1)
        return mean, np.sqrt(np.maximum(0.0, self.square / max(self.count, 1) - mean * mean))

    def of(self, what: str, name: str) -> dict[str, Any]:
        """Sequences and hours (of sequences, however many people are in them) of a class, source or split."""
        seconds = [seconds for known, seconds, _ in self.lines if known[what] == name]
        return {"sequences": len(seconds), "hours": round(sum(seconds) / 3600, 4)}

    def to_json(self) -> dict[str, Any]:
        seconds = [seconds for _, seconds, _ in self.lines]
        lengths = np.percentile(seconds, (0, 5, 50, 95, 100)).round(2).tolist() if seconds else []
        grouped = {
            f"by_{what}": {name: self.of(what, name) for name in sorted({known[what] for known, _, _ in self.lines})}
            for what in ("class", "source", "split")
        }
        people = Counter(people for _, _, people in self.lines)
        return {
            "sequences": len(seconds),
            "hours": round(sum(seconds) / 3600, 4),
            "person_hours": round(sum(seconds * people for _, seconds, people in self.lines) / 3600, 4),
            "seconds_percentiles_0_5_50_95_100": lengths,
            "by_people": {str(number): people[number] for number in sorted(people)},
            **grouped,
        }


def _begin(out: Path, value: dict[str, Any]) -> None:
    """Make the folder this build's, or find that it is."""
    path = out / BUILD_FILE
    if path.exists():
        found = read_json(path)
        for part in ("settings", "versions"):
            _same_settings(out, found.get(part) if isinstance(found, dict) else None, value[part])
        return
    write_json(path, value)


def _refuse_foreign(out: Path) -> None:
    """Nothing of anybody's is overwritten."""
    if out.exists() and not out.is_dir():
        raise BadOption("--out", str(out), "a folder; this is a file")
    others = sorted(item.name for item in out.iterdir() if item.name not in (LOCK, REJECTED)) if out.exists() else []
    if others and BUILD_FILE not in others:
        raise BadOption("--out", str(out), f"a new or empty folder: this one holds {others[0]} and no build")


def _same_settings(out: Path, found: Any, wanted: dict[str, Any]) -> None:
    found = found if isinstance(found, dict) else {}
    wanted = json.loads(json.dumps(wanted))
    for name in sorted({*wanted, *found}):
        if found.get(name) != wanted.get(name):
            shown = [json.dumps(value.get(name))[:60] for value in (found, wanted)]
            raise BadOption(
                "--out", str(out), f"a new folder: this one was begun otherwise ({name} is {shown[0]} there, "
                f"{shown[1]} here)",
            )  # fmt: skip


def _tidy(staging: Path) -> None:
    """Remove what a killed process left half-written."""
    for path in staging.glob(".*"):
        path.unlink()


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """One build a folder at a time; the lock goes with the process, however it ends."""
    out.mkdir(parents=True, exist_ok=True)
    handle = os.open(out / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadOption("--out", str(out), "a folder in which no other build is running") from None
        yield
    finally:
        os.close(handle)
