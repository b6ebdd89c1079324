"""Draw the contact sheets of the motion library in docs/images: eight moments of a motion a row.

./run python docs/make/motions.py                        # motions.jpg, more_motions.jpg and together.jpg
./run python docs/make/motions.py walk_01 sit_down_01 --out sheet.jpg
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from synth.body import BodyModel, load_body
from synth.corpus.library import entry
from synth.corpus.sheet import sheet
from synth.files import atomic_path

IMAGES = Path(__file__).parents[1] / "images"
SHEETS = {
    "motions.jpg": (
        "walk_01", "sit_down_01", "stand_up_03", "lie_down_01", "get_up_05", "pick_up_01", "kneel_down_01", "drink_01",
        "help_up_from_bed_01", "help_up_from_chair_01", "help_up_from_floor_01", "assist_walking_01",
        "assist_sit_down_01",
    ),
    "more_motions.jpg": (
        "walk_with_walker_01", "push_wheelchair_01", "transfer_bed_to_wheelchair_01", "lie_down_alone_02",
        "get_out_of_bed_alone_03", "fall_forward_01", "fall_backward_03", "fall_sideways_02", "fall_from_chair_01",
        "slip_to_floor_02",
    ),
    "together.jpg": (
        "assist_lie_down_01", "hand_over_object_01", "comfort_touch_01", "talk_standing_04", "talk_at_bedside_01",
        "staff_rushes_to_fallen_patient_01", "fall_caught_by_staff_01",
    ),
}  # fmt: skip


def draw(body: BodyModel, ids: Sequence[str], out: Path, size: int) -> None:
    """The sheet of some motions of the library."""
    items = [entry(name) for name in ids]
    picture = sheet(body, [(f"{item.id}: {item.captions[0]}", item.load()) for item in items], size)
    with atomic_path(out) as temporary:
        picture.save(temporary, "JPEG", quality=85)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="*", help="motions; by default those of the documentation")
    parser.add_argument("--out", type=Path, default=Path("sheet.jpg"))
    parser.add_argument("--size", type=int, default=200, help="pixels a picture")
    options = parser.parse_args()
    body = load_body()
    if options.ids:
        draw(body, options.ids, options.out, options.size)
        return
    for name, ids in SHEETS.items():
        draw(body, ids, IMAGES / name, options.size)


if __name__ == "__main__":
    main()
