"""Do the measured actions agree with those motions were made to show? `python -m benchmarks.actions CORPUS --json`.

Every interaction of a corpus whose actions come from how it was made (scripts of care, falls by physics) is labelled by
`synth.motion.actions`; frames within 0.3 s of a change of action are left out. F1 a class, by frame, and their mean.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, f1_score

from synth.body import load_body
from synth.corpus.items import MIRRORED
from synth.corpus.shards import Corpus
from synth.motion.agreement import compare
from synth.taxonomy import ACTIONS

MADE = ("care", "falls")
FEWEST = 20  # frames of a class, below which its F1 says nothing


def agreement(folder: Path, sources: tuple[str, ...], most: int | None) -> dict[str, Any]:
    """F1 by class over all people of a corpus's motions, and what is taken for what."""
    corpus, body = Corpus.open(folder), load_body()
    chosen = [
        i for i, entry in enumerate(corpus.entries) if entry.source in sources and not entry.id.endswith(MIRRORED)
    ]
    if most is not None and len(chosen) > most:
        chosen = [chosen[k] for k in np.linspace(0, len(chosen) - 1, most).round().astype(int)]
    said, found = [], []
    for index in chosen:
        for a, b in compare(corpus.interaction(index), body):
            said.append(a)
            found.append(b)
    truth, measured = np.concatenate(said), np.concatenate(found)
    known = [k for k, count in sorted(Counter(truth.tolist()).items()) if count >= FEWEST]
    each = f1_score(truth, measured, labels=known, average=None, zero_division=0.0)
    table = confusion_matrix(truth, measured, labels=range(len(ACTIONS)))
    wrong = [
        {"is": ACTIONS[a], "measured": ACTIONS[b], "frames": int(table[a, b])}
        for a, b in np.argwhere(table > 0) if a != b
    ]  # fmt: skip
    return {
        "motions": len(chosen),
        "frames": len(truth),
        "macro_f1": round(float(np.mean(each)), 4),
        "accuracy": round(float((truth == measured).mean()), 4),
        "f1": {ACTIONS[k]: round(float(f), 4) for k, f in zip(known, each, strict=True)},
        "frames_of": {ACTIONS[k]: int((truth == k).sum()) for k in known},
        "confused": sorted(wrong, key=lambda item: -item["frames"])[:12],
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.actions", description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--sources", nargs="*", default=list(MADE))
    parser.add_argument("--most", type=int, help="at most so many motions, evenly picked")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    result = agreement(options.corpus, tuple(options.sources), options.most)
    print(json.dumps(result, indent=None if options.json else 1))


if __name__ == "__main__":
    main()
