"""Make scripts of care and look at them: `python -m benchmarks.scripts CLASS CLASS:1,3 --mocap FOLDER`.

A line a variant: seconds, processor seconds, what breaks the limits, and for each person how far the measured actions
agree with those of the script (frames outside 0.3 s of a change). `--sheet FILE.jpg` draws them, `--out FOLDER` keeps
them, `--mesh` measures skins too, `--rooms ward_01 ward_03` plays each through the generator in these rooms.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from synth.body import BodyModel, load_body
from synth.corpus.build import write
from synth.corpus.care import pairs
from synth.corpus.care.registry import SCRIPTS, VARIANTS
from synth.corpus.library import LibraryEntry, library
from synth.corpus.sheet import sheet
from synth.errors import BadOption
from synth.files import atomic_path
from synth.interaction import ActionSegment, Interaction
from synth.motion.actions import measure_actions
from synth.motion.agreement import compare
from synth.motion.evaluate import measure_all
from synth.motion.fit import one_thread
from synth.room import furniture_from_json

MESH = (
    "foot_slide", "floor_penetration", "body_penetration_contact", "body_penetration_apart", "contact_gap",
    "object_penetration", "jerk", "limit_worst",
)  # fmt: skip


def wanted(words: list[str]) -> Iterator[tuple[str, int]]:
    """Class names, each with the variants asked for (counted from 1) or all."""
    for word in words or SCRIPTS:
        name, _, chosen = word.partition(":")
        if name not in SCRIPTS:
            raise BadOption("CLASS", name, f"one of {', '.join(SCRIPTS)}")
        yield from (
            ((name, int(n) - 1) for n in chosen.split(","))
            if chosen
            else ((name, index) for index in range(len(VARIANTS[name])))
        )


def told(segments: tuple[ActionSegment, ...], person: int) -> str:
    return " ".join(f"{s.label}@{s.start:.1f}" for s in segments if s.person == person)


def report(motion: Interaction, body: BodyModel, mesh: bool) -> list[str]:
    """Lines about one motion."""
    stage = [furniture_from_json(item, "meta.stage") for item in motion.meta.stage]
    measured = measure_actions(motion, body, stage)
    lines = []
    for person, (a, b) in enumerate(compare(motion, body, measured)):
        share = float((a == b).mean()) if len(a) else 1.0
        lines.append(
            f"    {motion.meta.roles[person]:8s}{share:.3f}{' <--' if share < 0.95 else ''} said "
            f"{told(motion.meta.actions, person)} | measured {told(measured.segments, person)}"
        )
    if mesh:
        found = measure_all(motion, body)
        lines.append("    " + "  ".join(f"{name} {found[name]:.3f}" for name in MESH if name in found))
    return lines


def in_rooms(item: LibraryEntry, rooms: list[str], seeds: int, body: BodyModel) -> Iterator[str]:
    """The motion as the one entry of a library, played in rooms by the generator."""
    from synth.corpus.retrieve import NothingFits, RetrievalGenerator
    from synth.rooms import load_room
    from synth.text import TextEncoder

    for index, name in enumerate(rooms):
        generator = RetrievalGenerator(load_room(name), body, TextEncoder(), [item])
        for seed in range(seeds):
            try:
                made = generator.generate(item.captions[0], np.random.SeedSequence([index, seed]), 10.0, 10.0)
            except NothingFits as error:
                yield f"    {name}/{seed}: {error}"
                continue
            measured = made.interaction.meta.quality.get("adapt", {})
            figures = "  ".join(f"{key} {measured[key]:.3f}" for key in pairs.LIMITS if key in measured)
            yield f"    {name}/{seed}: rejected {made.rejected}; faults {'; '.join(made.faults) or '-'}; {figures}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scripts", description=__doc__.split("\n")[0])
    parser.add_argument("classes", nargs="*", help="CLASS or CLASS:1,3 (variants); all by default")
    parser.add_argument("--mocap", required=True, help="folder of the capture collection")
    parser.add_argument("--draw", type=int, default=0, help="which draw of bodies, distances and paces")
    parser.add_argument("--sheet", type=Path, help="draw what was made")
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--out", type=Path, help="keep what was made")
    parser.add_argument("--mesh", action="store_true", help="measure skins as well")
    parser.add_argument("--rooms", nargs="*", default=[], help="play each in these rooms too; needs --out")
    parser.add_argument("--seeds", type=int, default=2, help="times a room")
    options = parser.parse_args()
    body = load_body()
    segments = pairs._bound(options.mocap, body)
    rows: list[tuple[str, Interaction]] = []
    made: dict[str, Interaction] = {}
    for name, index in wanted(options.classes):
        sequence = np.random.SeedSequence([0, SCRIPTS.index(name), index]).spawn(options.draw + 1)[options.draw]
        label = f"{name}_{index + 1:02d}"
        started = time.process_time()
        with one_thread():
            motion = pairs.make_pair(
                name, label, VARIANTS[name][index], body, segments, np.random.default_rng(sequence)
            )
        broken = pairs.faults(motion, body)
        print(
            f"{label}  {motion.seconds:.1f} s, made in {time.process_time() - started:.1f} s  "
            f"{'; '.join(broken) and 'BROKEN ' + '; '.join(broken)}",
            flush=True,
        )
        print("\n".join(report(motion, body, options.mesh)), flush=True)
        made[label] = motion
        rows.append((f"{label} {motion.meta.source.get('strategy', '')}: {motion.meta.text}", motion))
    if options.out:
        write(options.out, made, (), clean=False)
    for item in library(options.out) if options.out and options.rooms else ():
        if item.id in made:
            print(item.id, *in_rooms(item, options.rooms, options.seeds, body), sep="\n", flush=True)
    if options.sheet:
        with atomic_path(options.sheet) as temporary:
            sheet(body, rows, options.size).save(temporary, "JPEG", quality=85)


if __name__ == "__main__":
    main()
