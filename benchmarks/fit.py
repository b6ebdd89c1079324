"""How fast and how exactly a pair of the library is fitted to other people: `python -m benchmarks.fit --json`."""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from synth.body import load_body
from synth.body.shape import draw_person
from synth.corpus.library import library
from synth.motion.adapt import adapt
from synth.motion.fit import one_thread
from synth.room import furniture_from_json


def run(count: int, seed: int) -> dict[str, object]:
    """Fit `count` pairs, each to two drawn people; processor seconds and the worst and median figures."""
    body = load_body()
    rng = np.random.default_rng(seed)
    entries = [entry for entry in library() if entry.people == 2]
    rows = []
    for index in range(count):
        entry = entries[index % len(entries)]
        motion = entry.load()
        betas = np.stack([draw_person(role, rng, body).betas for role in motion.meta.roles])
        stage = {str(item["id"]): furniture_from_json(item, entry.id) for item in motion.meta.stage}
        with one_thread():
            begin, wall = time.process_time(), time.perf_counter()
            fitted = adapt(motion, stage, betas, body, None)
            spent, waited = time.process_time() - begin, time.perf_counter() - wall
        row = {"id": entry.id, "seconds": motion.seconds, "cpu_s": round(spent, 2), "wall_s": round(waited, 2)}
        rows.append(row | fitted.meta.quality["adapt"])
    keys = [key for key in rows[0] if key != "id"]
    columns = {key: np.array([row.get(key, 0.0) for row in rows]) for key in keys}
    return {
        "pairs": rows,
        "median": {key: round(float(np.median(values)), 4) for key, values in columns.items()},
        "worst": {key: round(float(values.max()), 4) for key, values in columns.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=18)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")
    options = parser.parse_args()
    found = run(options.count, options.seed)
    print(
        json.dumps(
            found if options.json else {"median": found["median"], "worst": found["worst"]},
            indent=None if options.json else 2,
        )
    )


if __name__ == "__main__":
    main()
