"""How many draws of each fall are plausible, how they move, and what they cost: `python -m benchmarks.falls --json`.

Every draw of every strategy is made once, without the second chances that `FallSource.make` gives.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np

from synth.body import load_body
from synth.corpus.falls import STRATEGIES, make_fall
from synth.corpus.source import Rejected
from synth.interaction import Interaction
from synth.motion.actions import measure_actions
from synth.motion.fit import one_thread
from synth.room import furniture_from_json
from synth.taxonomy import ACTION_INDEX

AWAY = 0.3  # seconds from a boundary beyond which labels must agree
FIGURES = (
    "peak_pelvis_speed", "fall_seconds", "descent_seconds", "rest_slide", "limit_excess", "limit_share", "floor_depth",
    "furniture_depth",
)  # fmt: skip


def run(count: int, seed: int, only: Sequence[str] = ()) -> dict[str, object]:
    """`count` draws of each strategy."""
    body = load_body()
    classes: dict[str, list[dict[str, float]]] = {}
    draws: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = {}
    strategies: dict[str, dict[str, int]] = {}
    spent = 0.0
    for place, (name, strategy) in enumerate(STRATEGIES.items()):
        kind = strategy.interaction_class
        if only and kind not in only and name not in only:
            continue
        rows = classes.setdefault(kind, [])
        kept = 0
        for draw in range(count):
            draws[kind] += 1
            begin = time.process_time()
            try:
                motion = make_fall(strategy, np.random.SeedSequence([seed, place, draw]), body)
            except Rejected as error:
                reasons.setdefault(kind, Counter())[_reason(str(error))] += 1
                spent += time.process_time() - begin
                continue
            spent += time.process_time() - begin
            kept += 1
            rows.append({key: motion.meta.quality[key] for key in FIGURES} | {"agreement": _agreement(motion, body)})
        strategies[name] = {"draws": count, "kept": kept}
    total = sum(draws.values())
    made = sum(len(rows) for rows in classes.values())
    return {
        "classes": {
            kind: {
                "draws": draws[kind], "kept": len(rows), "reject_rate": round(1 - len(rows) / draws[kind], 3),
                "reasons": dict(reasons.get(kind, Counter()).most_common()), **_spread(rows),
            }
            for kind, rows in sorted(classes.items())
        },
        "strategies": strategies,
        "all": {"draws": total, "kept": made, **_spread([row for rows in classes.values() for row in rows])},
        "processor_seconds_a_draw": round(spent / max(total, 1), 2),
        "processor_seconds_a_fall": round(spent / max(made, 1), 2),
    }  # fmt: skip


def _agreement(motion: Interaction, body: object) -> float:
    """Share of the frames away from boundaries whose measured label is the constructed one."""
    stage = [furniture_from_json(item, "stage") for item in motion.meta.stage]
    found = measure_actions(motion, body, stage).frame_labels[0]  # type: ignore[arg-type]
    wanted, far = np.full(motion.frames, -1), np.ones(motion.frames, bool)
    for segment in motion.meta.actions:
        wanted[motion.times >= segment.start - 1e-6] = ACTION_INDEX[segment.label]
        far &= np.abs(motion.times - segment.start) > AWAY
    return float((found == wanted)[far].mean())


def _reason(text: str) -> str:
    """The kind of a rejection: its numbers and names of joints left out."""
    return re.sub(r"^(left_|right_)?\w+ is -?[\d.]+ rad", "a joint is N rad", re.sub(r"-?\d+(\.\d+)?", "N", text))


def _spread(rows: Sequence[dict[str, float]]) -> dict[str, dict[str, float]]:
    if not rows:
        return {}
    columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    return {
        key: {
            "mean": round(float(v.mean()), 3), "sd": round(float(v.std()), 3), "least": round(float(v.min()), 3),
            "median": round(float(np.median(v)), 3), "most": round(float(v.max()), 3),
        }
        for key, v in columns.items()
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5, help="draws a strategy")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[], help="classes or strategies")
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")
    options = parser.parse_args()
    with one_thread():
        found = run(options.count, options.seed, options.only)
    print(json.dumps(found if options.json else {k: found[k] for k in ("all", "processor_seconds_a_fall")},
                     indent=None if options.json else 2))  # fmt: skip


if __name__ == "__main__":
    main()
