"""Draw contact sheets of simulated falls: eight moments a row from just before the fall until the body lies still.

./run python docs/make/falls.py --out sheets/                       # three samples of every class, a sheet a class
./run python docs/make/falls.py fall_forward slide_chair --out sheets/
"""

from __future__ import annotations

import argparse
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from synth.body import load_body
from synth.corpus.falls import STRATEGIES, FallSource
from synth.corpus.sheet import PAPER, row
from synth.corpus.source import Rejected
from synth.files import atomic_path
from synth.interaction import Interaction

SAMPLES = 3


def shown(motion: Interaction) -> Interaction:
    """From 0.7 s before the event until stillness."""
    quality = motion.meta.quality
    return motion.window(max(0.0, quality["event"] - 0.7), min(motion.seconds, quality["rest"] + 0.2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="classes or strategies; all classes by default")
    parser.add_argument("--out", type=Path, required=True, help="folder for the sheets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=200, help="pixels a picture")
    options = parser.parse_args()
    names = options.names or sorted({item.interaction_class for item in STRATEGIES.values()})
    body = load_body()
    source = FallSource(SAMPLES, body=body)
    rng = np.random.default_rng(options.seed)
    for name in names:
        of = [s for s, item in STRATEGIES.items() if name in (s, item.interaction_class)]
        listed = source.keys()
        keys = [key for key in listed if key.rpartition("_")[0] in of]
        rows: list[Image.Image] = []
        for key in rng.permutation(keys):
            try:
                motion = source.make(key, np.random.SeedSequence([options.seed, zlib.crc32(key.encode())]))
            except Rejected as error:
                print(error)
                continue
            rows.append(row(body, shown(motion), f"{key}: {motion.meta.captions[-1]}", options.size))
            if len(rows) == SAMPLES:
                break
        sheet = Image.new("RGB", (8 * options.size, options.size * len(rows)), PAPER)
        for index, picture in enumerate(rows):
            sheet.paste(picture, (0, index * options.size))
        with atomic_path(options.out / f"{name}.jpg") as temporary:
            sheet.save(temporary, quality=88)


if __name__ == "__main__":
    main()
