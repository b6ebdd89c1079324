"""Draw docs/images/reconstructed.jpg: what is recovered of rendered clips, three moments of each.

./run python -m benchmarks.roundtrip FOLDER --scenes 5
./run python docs/make/reconstructed.py FOLDER --out docs/images/reconstructed.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image

from synth.files import atomic_path

MOMENTS = (0.1, 0.5, 0.9)  # shares of a clip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of benchmarks.roundtrip")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    rows = []
    for found in sorted(options.folder.glob("found_*")):
        film = iio.imread(found / "overlay.mp4")
        chosen = [film[round(moment * (len(film) - 1))] for moment in MOMENTS]
        rows.append(np.concatenate(chosen, 1))
    with atomic_path(options.out) as temporary:
        Image.fromarray(np.concatenate(rows)).save(temporary, "JPEG", quality=85)


if __name__ == "__main__":
    main()
