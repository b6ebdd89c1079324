"""How long the default body takes: building it, reading it from the cache, posing 100 frames on one thread.

    python -m benchmarks.body [--build]

Prints one JSON object. Times are processor seconds of one thread, the best of several runs: other work on the machine
hardly moves them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from synth.body import cache, dressed_vertices, load_body
from synth.body.makehuman_data import Data
from synth.rotation import axis_angle_to_matrix

FRAMES = 100


def best_of(count: int, work: Callable[[], Any]) -> float:
    """The shortest of ``count`` runs, seconds."""
    times = []
    for _ in range(count):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", action="store_true", help="also build the body from MakeHuman's data")
    options = parser.parse_args()
    torch.set_num_threads(1)
    body = load_body()
    pose = axis_angle_to_matrix(np.random.default_rng(0).normal(0, 0.3, (FRAMES, 24, 3))).astype(np.float32)
    transl, betas = np.zeros((FRAMES, 3), dtype=np.float32), np.zeros(10, dtype=np.float32)
    dressed = dressed_vertices(body, "scrubs", "hair_short")
    skin = np.arange(int(body.faces.max()) + 1)

    def posing(ids: np.ndarray | None) -> float:
        with torch.no_grad():
            return best_of(7, lambda: body.pose(betas, pose, transl, ids))

    result: dict[str, Any] = {
        "frames": FRAMES,
        "threads": 1,
        "vertices": {"skin": len(skin), "dressed person": len(dressed), "whole wardrobe": len(body.v_template)},
        "pose_s": {"skin": posing(skin), "dressed person": posing(dressed), "whole wardrobe": posing(None)},
        "read_cache_s": best_of(3, cache.load_makehuman),
    }
    if options.build:
        result["build_s"] = best_of(1, lambda: cache.build(Data.find()))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
