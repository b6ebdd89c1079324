"""Build the motion library from the recordings: `python -m synth.corpus.build --mocap FOLDER`.

Writes one npz a motion, `index.json`, `CREDITS.md` and, beside them on standard output, a report of what was left out
and why. The same recordings and versions give the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from synth.body import BodyModel, load_body
from synth.corpus import library, quality, stage
from synth.corpus.kneel import knelt
from synth.corpus.retarget import normalise, retarget
from synth.corpus.segments import SEGMENTS, segment
from synth.corpus.singles import SINGLES, Single
from synth.corpus.takes import CREDITS, dataset_of, load_take
from synth.errors import CareSynthError
from synth.files import write_json, write_text
from synth.interaction import Contact, Interaction, Meta, load_interaction, single
from synth.skeleton import mirror_pose

# Rotations and positions are kept to 1/4096 rad and 1/8192 m: a tenth of a millimetre, and files a third the size.
ROTATION_STEPS, POSITION_STEPS = 4096.0, 8192.0
LIBRARY_VARIANTS = 4  # of each script ship; the corpus makes all
# Classes of which captured motions ship: their scripts serve the corpus.
LIBRARY_CAPTURED = (
    "walk_alone", "sit_down_alone", "stand_up_alone", "get_up_from_floor_alone", "kneel_down_alone",
    "pick_up_from_floor", "crawl_alone",
)  # fmt: skip
# Falls that other bodies can play in the built-in rooms, by strategy.
LIBRARY_FALLS = (
    "trip_forward", "trip_slow_forward", "faint_forward", "slip_backward", "push_backward", "slip_standing_backward",
    "buckle_sideways", "push_sideways", "turn_sideways", "faint_chair_sideways", "faint_chair_forward", "sink_down",
    "slide_chair", "slide_chair_limp", "slide_armchair", "edge_bed_forward", "edge_bed_faint", "edge_bed_diagonal",
    "rise_bed_forward",
)  # fmt: skip


def mirrored(motion: Interaction, body: BodyModel) -> Interaction:
    """The motion as seen in a mirror: left and right swapped, starting again over the origin and facing +x."""
    rest = body.rest_joints(motion.betas[0]).astype(float)
    flip = np.array([-1.0, 1.0, 1.0])
    rotmats = mirror_pose(motion.rotations()[0])
    transl = (rest[0] + motion.transl[0]) * flip - rest[0]
    rotmats, transl = normalise(rotmats, transl, rest)
    return single(motion.fps, transl, rotmats, motion.betas[0], motion.meta)


def make_single(item: Single, mocap: str | Path, body: BodyModel) -> Interaction:
    """The library motion of a table entry: retargeted, staged, its contacts and quality measured."""
    capture = load_take(mocap, item.file)
    start, end = item.start, capture.seconds if item.end is None else min(item.end, capture.seconds)
    if item.reverse:
        capture = capture.reversed()
        start, end = capture.seconds - end, capture.seconds - start
    motion = retarget(capture, body, window=(start, end))
    if item.mirror:
        motion = mirrored(motion, body)
    if item.stretch != 1.0:
        motion = motion.scale_time(item.stretch)
    credit = CREDITS[dataset_of(item.file)]
    source: dict[str, Any] = {
        "dataset": credit.dataset,
        "id": item.file,
        "licence": credit.licence,
        "credit": credit.credit,
        "seconds": [item.start, round(end - start + item.start, 3)],
        "reversed": item.reverse,
        "mirrored": item.mirror,
        "stretch": item.stretch,
    }
    if item.kneels:
        # its end is solved, not captured: whoever uses the motion must be able to read that
        motion = knelt(motion, segment("idle", mocap, body, fps=motion.fps), item.kneels, body)
        idle = CREDITS[dataset_of(SEGMENTS["idle"].file)]
        source |= {
            "credit": f"{credit.credit} {idle.credit}",
            "solved": f"a captured crouch, its {item.kneels} knee brought to the floor and held there by the optimiser",
        }
    motion = quantised(motion)
    rotmats, transl, betas = motion.rotations()[0], motion.transl[0], motion.betas[0]
    with torch.no_grad():
        posed, posed_joints = body.pose(betas, rotmats.astype(np.float32), transl)
    vertices, joints = posed.numpy(), posed_joints.numpy()
    contacts = list(stage.floor_contacts(body, vertices, motion.fps))
    seat = stage.seat_under(body, vertices, joints, rotmats[:, 0], motion.fps) if item.sits else None
    carried = np.zeros(motion.frames, bool)
    furniture = []
    if seat is not None:
        furniture.append(seat[0].to_json())
        for first, last in seat[1]:
            contacts.append(Contact(0, "pelvis", {"object": seat[0].id}, first, last))
            carried[int(first * motion.fps) : int(last * motion.fps) + 1] = True
    measured = quality.measure(body, betas, rotmats, transl, motion.fps, vertices, joints, carried)
    meta = Meta(
        text=item.captions[0],
        captions=item.captions,
        interaction_class=item.interaction_class,
        roles=("person",),
        genders=("neutral",),
        contacts=tuple(contacts),
        body_model=body.name,
        core=(0.0, motion.seconds),
        stage=tuple(furniture),
        source=source,
        quality=measured.to_json() | ({"missing_seat": True} if item.sits and seat is None else {}),
    )
    return replace(motion, meta=meta).validate(item.id)


def quantised(motion: Interaction) -> Interaction:
    """The motion on the library's grid of angles and positions, so that files compress."""

    def grid(values: np.ndarray, steps: float) -> np.ndarray:
        return (np.round(np.asarray(values, np.float64) * steps) / steps).astype(np.float32)

    return replace(
        motion,
        transl=grid(motion.transl, POSITION_STEPS),
        global_orient=grid(motion.global_orient, ROTATION_STEPS),
        body_pose=grid(motion.body_pose, ROTATION_STEPS),
        props=tuple(
            replace(prop, transl=grid(prop.transl, POSITION_STEPS), orient=grid(prop.orient, ROTATION_STEPS))
            for prop in motion.props
        ),
    )


def faults(motion: Interaction) -> list[str]:
    """Why a single must not ship; empty when it may."""
    values = {name: motion.meta.quality[name] for name in quality.LIMITS}
    found = quality.Quality(**values).faults()
    return found + (["nobody sits in it"] if motion.meta.quality.get("missing_seat") else [])


def build(
    mocap: str | Path,
    folder: str | Path,
    only: Iterable[str] = (),
    singles: bool = True,
    pairs: bool = True,
    falls: bool = True,
) -> dict[str, list[str]]:
    """Write the library; returns the entries left out and their faults.

    Args:
        mocap: the recordings.
        folder: where the library goes.
        only: ids of singles and names of scripts to (re)build; all by default.
        singles, pairs, falls: which parts to build; motions of a part that is not built stay as they are. Falls start
            from the packaged library's singles, so these come first.
    """
    torch.set_num_threads(1)  # sums in another order would change the last bits, and the bytes
    body = load_body()
    folder = Path(folder)
    chosen = set(only)
    rejected: dict[str, list[str]] = {}
    motions: dict[str, Interaction] = {}
    for item in SINGLES if singles else ():
        if chosen and item.id not in chosen:
            continue
        motion = make_single(item, mocap, body)
        problems = faults(motion)
        print(f"{item.id:20s} {motion.seconds:5.1f} s  {motion.meta.quality}", file=sys.stderr, flush=True)
        if problems:
            rejected[item.id] = problems
        else:
            motions[item.id] = motion
    if pairs:
        made, problems_of = scripted_pairs(mocap, body, chosen)
        motions |= made
        rejected |= problems_of
    if falls and not chosen:
        motions |= simulated_falls(body)
    write(folder, motions, rejected, clean=singles and pairs and falls and not chosen)
    return rejected


def scripted_pairs(
    mocap: str | Path, body: BodyModel, only: Collection[str] = ()
) -> tuple[dict[str, Interaction], dict[str, list[str]]]:
    """The scripted care pairs by id, all or of the scripts `only`, and what is wrong with those that do not ship."""
    from synth.corpus.care import build_pairs
    from synth.corpus.care.pairs import faults as faults_of
    from synth.corpus.care.registry import SCRIPTS

    made: dict[str, Interaction] = {}
    rejected: dict[str, list[str]] = {}
    scripts = [name for name in SCRIPTS if name not in LIBRARY_CAPTURED and (not only or name in only)]
    for motion in build_pairs(mocap=mocap, body=body, only=scripts, first=LIBRARY_VARIANTS):
        name = str(motion.meta.source["id"])
        problems = faults_of(motion, body)
        print(f"{name:24s} {motion.seconds:5.1f} s  {motion.meta.quality}", file=sys.stderr, flush=True)
        if problems:
            rejected[name] = problems
        else:
            made[name] = quantised(motion)
    return made, rejected


def simulated_falls(body: BodyModel) -> dict[str, Interaction]:
    """The falls that ship, by class and number."""
    from synth.corpus.falls import STRATEGIES, FallSource

    source = FallSource(1, LIBRARY_FALLS, body)
    made: dict[str, Interaction] = {}
    drawn: dict[str, int] = {}
    for name, strategy in STRATEGIES.items():
        place = drawn[strategy.interaction_class] = (
            drawn.get(strategy.interaction_class, -1) + 1
        )  # of all strategies: a choice changes no draw
        if name not in LIBRARY_FALLS:
            continue
        motion = quantised(source.make(f"{name}_000", np.random.SeedSequence([0, place])))
        number = sum(key.startswith(strategy.interaction_class) for key in made) + 1
        made[f"{strategy.interaction_class}_{number:02d}"] = motion
        print(f"{strategy.interaction_class}_{number:02d} {name} {motion.seconds:5.1f} s", file=sys.stderr, flush=True)
    return made


def write(folder: Path, motions: dict[str, Interaction], left_out: Iterable[str], clean: bool) -> None:
    """Files, index and credits of a library; `clean` removes every motion that is no longer in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.npz"):
        if path.stem in set(left_out) or (clean and path.stem not in motions):
            path.unlink()
    for name, motion in motions.items():
        motion.save(folder / f"{name}.npz")
    everything = {path.stem: load_interaction(path) for path in sorted(folder.glob("*.npz"))}
    lines = [index_entry(name, everything[name]) for name in sorted(everything)]
    write_json(folder / library.INDEX, {"version": library.VERSION, "motions": lines})
    write_text(folder / "CREDITS.md", credits_text(everything))


def index_entry(name: str, motion: Interaction) -> dict:
    """The index's line for a motion."""
    meta = motion.meta
    return {
        "id": name,
        "interaction_class": meta.interaction_class,
        "captions": list(meta.captions or (meta.text,)),
        "people": motion.people,
        "licence": meta.source["licence"],
        "credit": meta.source["credit"],
        "core": [0.0, motion.seconds] if meta.core is None else [meta.core[0], min(meta.core[1], motion.seconds)],
        "seconds": motion.seconds,
        "furniture": [item["class"] for item in meta.stage],
    }


def credits_text(motions: dict[str, Interaction]) -> str:
    """CREDITS.md: every data set used, its licence, its sentence, and the motions made from it."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for name in sorted(motions):
        source = motions[name].meta.source
        key = (source["dataset"], source["licence"], source["credit"])
        groups.setdefault(key, []).append(name)
    lines = ["# Credits of the motion library", ""]
    lines += [
        "Each motion is a stretch of a recording, put on another body and on the floor. Its npz repeats its source.",
        "",
    ]
    for (dataset, licence, credit), names in sorted(groups.items()):
        lines += [f"## {dataset}", "", f"Licence: {licence}", "", credit, "", "Motions: " + ", ".join(names) + ".", ""]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m synth.corpus.build", description=__doc__)
    parser.add_argument("--mocap", required=True, help="folder of the recordings")
    parser.add_argument("--out", default=str(library.FOLDER), help="folder of the library (default: the package's)")
    parser.add_argument("--only", nargs="*", default=[], help="build only these ids, keep the others")
    parser.add_argument("--no-singles", action="store_true", help="keep the single motions as they are")
    parser.add_argument("--no-pairs", action="store_true", help="keep the scripted pairs as they are")
    parser.add_argument("--no-falls", action="store_true", help="keep the falls as they are")
    options = parser.parse_args(arguments)
    parts = (not options.no_singles, not options.no_pairs, not options.no_falls)
    try:
        rejected = build(options.mocap, options.out, options.only, *parts)
    except CareSynthError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, problems in rejected.items():
        print(f"left out {name}: {'; '.join(problems)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
