"""Draw the sheet of beds, walking aids and falls: `./run python docs/make/more_motions.py`."""

from __future__ import annotations

from pathlib import Path

from synth.body import load_body
from synth.corpus.library import entry
from synth.corpus.sheet import sheet
from synth.files import atomic_path

SHOWN = (
    "walk_with_walker_01", "push_wheelchair_01", "transfer_bed_to_wheelchair_01", "lie_down_alone_02",
    "get_out_of_bed_alone_03", "fall_forward_01", "fall_backward_03", "fall_sideways_02", "fall_from_chair_01",
    "slip_to_floor_02",
)  # fmt: skip
OUT = Path(__file__).parents[1] / "images" / "more_motions.jpg"


def main() -> None:
    motions = [(name, entry(name).load()) for name in SHOWN]
    picture = sheet(load_body(), [(f"{name}: {motion.meta.text}", motion) for name, motion in motions], 190)
    with atomic_path(OUT) as path:
        picture.save(path, "JPEG", quality=82)


if __name__ == "__main__":
    main()
