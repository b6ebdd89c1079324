"""How good the motion of every source is, and how fast the training set is built and read.

    python -m benchmarks.corpus --json [--mocap FOLDER] [--corpus FOLDER] [--count 12]

A row a source with the median of every metric (`synth.motion.evaluate.METRICS`; shares and speeds of real capture are
the yardstick). Without --mocap real capture and scripted care are those of the packaged library; with --corpus every
source is what that corpus holds of it, and nothing is made.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from synth.body import load_body
from synth.corpus.config import Config, SourceConfig
from synth.corpus.corpus import build
from synth.corpus.items import MIRRORED, Item
from synth.corpus.library import library
from synth.corpus.shards import Corpus
from synth.corpus.sources import FACTORIES, open_source, options_of
from synth.corpus.takes import CREDITS
from synth.errors import CareSynthError
from synth.interaction import Interaction
from synth.motion.evaluate import METRICS, measure_all
from synth.motion.mesh import Skin

CAPTURES = {credit.dataset for credit in CREDITS.values()}


def motions_of(name: str, options: dict[str, Any], count: int, seed: int) -> Iterator[Interaction | None]:
    """Up to `count` items of a source, evenly spread; None for one that was rejected."""
    source = open_source(name, options)
    keys = sorted(source.keys())
    for index in np.unique(np.linspace(0, len(keys) - 1, min(count, len(keys))).round().astype(int)):
        try:
            yield source.make(keys[index], Item(name, keys[index]).seed(seed))
        except CareSynthError:
            yield None


def row(motions: Iterator[Interaction | None]) -> dict[str, Any]:
    """Medians of all metrics over the motions that were not rejected, and how long making them took."""
    body = load_body()
    skin = Skin.of(body)
    found: list[dict[str, float]] = []
    rejected, making, measuring, seconds = 0, 0.0, 0.0, 0.0
    started = time.process_time()
    for motion in motions:
        made = time.process_time()
        making += made - started
        if motion is None:
            rejected += 1
        else:
            found.append(measure_all(motion, body, skin))
            seconds += motion.seconds
        started = time.process_time()
        measuring += started - made
    medians = {
        name: round(float(np.median([item[name] for item in found if name in item])), 4)
        for name in METRICS
        if any(name in item for item in found)
    }
    count = max(len(found), 1)
    return {
        "motions": len(found),
        "rejected": rejected,
        "seconds_of_motion": round(seconds, 1),
        "cpu_seconds_to_make_one": round(making / max(count + rejected, 1), 2),
        "cpu_seconds_to_measure_one": round(measuring / count, 2),
        **medians,
    }


def held(folder: Path, count: int) -> dict[str, dict[str, Any]]:
    """A row a source of a corpus, mirror images left out; real capture, the yardstick, from the packaged library."""
    corpus = Corpus.open(folder)
    captured = [e for e in library() if e.people == 1 and e.load().meta.source["dataset"] in CAPTURES]
    rows = {"real capture": row(e.load() for e in _spread(captured, count))}
    for name in sorted({entry.source for entry in corpus.entries} - {"library"}):
        own = [i for i, e in enumerate(corpus.entries) if e.source == name and not e.id.endswith(MIRRORED)]
        rows[name] = row(corpus.interaction(index) for index in _spread(own, count))
    return rows


def table(mocap: str | None, count: int, seed: int) -> dict[str, dict[str, Any]]:
    """A row a source; the yardstick first."""
    entries = library()
    step = {people: [e for e in entries if e.people == people] for people in (1, 2)}
    rows: dict[str, dict[str, Any]] = {}
    if mocap:
        rows["real capture"] = row(motions_of("capture", {"mocap": mocap}, count, seed))
    else:
        rows["real capture"] = row(e.load() for e in _spread(step[1], count))
    rows["library"] = row(e.load() for e in _spread(entries, count))
    rows["scripted care, shipped"] = row(e.load() for e in _spread(step[2], count))
    for name in FACTORIES:
        if name in ("library", "capture"):
            continue
        options: dict[str, Any] = {"mocap": mocap} if mocap and "mocap" in options_of(name) else {}
        try:
            rows[name] = row(motions_of(name, options, count, seed))
        except (CareSynthError, TypeError) as error:  # a data set that is not here
            rows[name] = {"left out": " ".join(str(error).split())}
    return rows


def reading(folder: Path, frames: int = 100, batch: int = 64) -> dict[str, Any]:
    """Pairs a second: random windows in batches from one process; from a cold disk, as they lie, and centred."""
    corpus = Corpus.open(folder)
    pairs = [i for i in corpus.of_split("train") if corpus.entries[i].people == 2]
    chosen = pairs or corpus.of_split("train")
    found: dict[str, Any] = {
        "pairs": len(chosen), "megabytes": round(sum(rows.nbytes for rows in corpus.rows) / 1e6, 1),
        "frames": frames, "batch": batch,
    }  # fmt: skip
    for name, centre, cold in (("cold", True, True), ("in_place", False, False), ("centred", True, False)):
        if cold:
            corpus = Corpus.open(folder)
            for path in sorted(folder.glob("shards/*.npy")):
                with open(path, "rb") as handle:
                    os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        batches = corpus.batches(np.random.SeedSequence(0), batch, frames, choose=chosen, centre=centre)
        started, busy, count = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - started < (1.0 if cold else 3.0):
            next(batches)
            count += batch
        found[f"pairs_per_second_{name}"] = round(count / (time.perf_counter() - started))
        found[f"pairs_per_processor_second_{name}"] = round(count / (time.process_time() - busy))
    return found


def building(folder: Path, workers: int) -> dict[str, Any]:
    """The packaged library with its mirror images as a training set."""
    started = time.perf_counter()
    info = build(Config(name="benchmark", mirror=True, sources=(SourceConfig("library"),)), folder, workers)
    return {
        "workers": workers,
        "seconds": round(time.perf_counter() - started, 1),
        "sequences": info["statistics"]["sequences"],
        "hours": info["statistics"]["hours"],
    }


def _spread(entries: Any, count: int) -> list[Any]:
    return [
        entries[i] for i in np.unique(np.linspace(0, len(entries) - 1, min(count, len(entries))).round().astype(int))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.corpus", description=__doc__.split("\n")[0])
    parser.add_argument("--mocap", help="folder of the capture collection")
    parser.add_argument(
        "--corpus", type=Path, help="measure this corpus, its reading too, instead of what is built here"
    )
    parser.add_argument("--count", type=int, default=12, help="motions a source")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="caresynth-") as scratch:
        built = None if options.corpus else building(Path(scratch) / "corpus", options.workers)
        speed = reading(options.corpus or Path(scratch) / "corpus")
    rows = held(options.corpus, options.count) if options.corpus else table(options.mocap, options.count, options.seed)
    result = {"units": dict(METRICS), "sources": rows, "reading": speed, "building": built}
    if options.json:
        print(json.dumps(result))
        return
    width = max(map(len, METRICS)) + 2
    print("".ljust(width) + "".join(name.rjust(24) for name in rows))
    for name in ("motions", "rejected", "cpu_seconds_to_make_one", "cpu_seconds_to_measure_one", *METRICS):
        print(name.ljust(width) + "".join(str(values.get(name, "")).rjust(24) for values in rows.values()))
    print(json.dumps({"reading": speed, "building": built}, indent=1))


if __name__ == "__main__":
    main()
