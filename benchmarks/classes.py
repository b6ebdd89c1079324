"""Does the generator do what it is told?  `python -m benchmarks.classes [--model FILE] [--each 4] [--json]`

For every interaction class, `--each` motions for each of the five wordings of `benchmarks.prompts`, in built-in rooms
drawn by the seed. Measured on what comes out, by the labels of `synth.motion.actions`:

- before the gate: the share of first attempts whose actions are those of the class that the words mean (not that which
  the generator took them for);
- after it: the same share of what the generator gives out (by the same labels as the gate's, so that it tells how often
  the words were taken for another class), how many attempts that took, and what it refused; "success" is the share of
  all that was asked for and came out so;
- of staff who help up: whether the patient's pelvis rises from 0.65 m or less to 0.8 m or more with one of the staff's
  hands within 5 cm of the patient's skin throughout the rise: of what was given out, and of all that was asked for.

A room is drawn among those that have the furniture; where it then has no place, that is a refusal. Classes that are
shown by standing, sitting or lying alone (hand-overs, touch, talk) are easily right: "telling" leaves them out.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from benchmarks.prompts import PROMPTS
from synth.body import BodyModel, load_body
from synth.corpus import gate
from synth.corpus.gate import SHOWS, content_faults, rise
from synth.corpus.place import NoPlace
from synth.diffusion.classifier import load_classifier
from synth.diffusion.generate import ENOUGH, DiffusionGenerator
from synth.diffusion.sample import Sampling
from synth.errors import BadOption
from synth.interaction import Interaction
from synth.motion import mesh
from synth.motion.actions import Actions
from synth.motion.fit import one_thread
from synth.rooms import BUILTIN, load_room
from synth.text import TextEncoder

LOW, HIGH, NEAR = 0.65, 0.8, 0.05  # metres: pelvis before and after, hand to skin
SECONDS, FPS = 8.0, 20.0


def lift(motion: Interaction, body: BodyModel) -> dict[str, float]:
    """How staff helps up: the patient's pelvis before and after, and the worst distance of the staff's nearer hand from
    the patient's skin while it rises; metres."""
    roles = motion.meta.roles
    if not {"patient", "staff"} <= set(roles):
        return {"before": np.nan, "after": np.nan, "hand": np.nan}
    patient, staff = roles.index("patient"), roles.index("staff")
    rest = np.asarray(body.rest_joints(motion.betas), float)
    pelvis = motion.transl[patient, :, 2] + rest[patient, 0, 2]
    first, last = rise(pelvis)
    skin = mesh.Skin.of(body)
    frames = np.arange(first, max(first + 1, last + 1))
    cut = replace(
        motion, transl=motion.transl[:, frames], global_orient=motion.global_orient[:, frames],
        body_pose=motion.body_pose[:, frames], present=motion.present[:, frames],
        props=(), meta=replace(motion.meta, contacts=(), actions=()),
    )  # fmt: skip
    skins = mesh.posed_skins(cut, body, skin)
    hands = [skin.part("left_hand"), skin.part("right_hand")]
    gaps = [
        min(float(cKDTree(skins[patient][frame]).query(skins[staff][frame][hand])[0].min()) for hand in hands)
        for frame in range(len(frames))
    ]
    return {"before": float(pelvis[: last + 1].min()), "after": float(pelvis.max()), "hand": max(gaps)}


def lifted(found: dict[str, float]) -> bool:
    return found["before"] <= LOW and found["after"] >= HIGH and found["hand"] <= NEAR


def agrees(motion: Interaction, actions: Actions, name: str) -> bool:
    """Whether what was measured is what the class shows."""
    wanted = replace(motion, meta=replace(motion.meta, interaction_class=name))
    return not content_faults(wanted, actions)


@cache
def _tools() -> tuple[BodyModel, TextEncoder]:
    return load_body(), TextEncoder()


@dataclass(frozen=True)
class How:
    """How motions are made: what `DiffusionGenerator` takes besides the room."""

    model: Path | None
    polish: bool
    sampling: Sampling
    classifier: Path | None


@cache
def _generator(room: str, how: How) -> DiffusionGenerator:
    body, encoder = _tools()
    classifier = load_classifier(how.classifier) if how.classifier else None
    return DiffusionGenerator(load_room(room), body, encoder, how.model, how.sampling, how.polish, classifier)


def one(name: str, wording: int, number: int, how: How, save: Path | None) -> dict[str, Any]:
    """One motion: what its first attempt showed and what the generator gave out."""
    prompt = PROMPTS[name][wording]
    seed = np.random.SeedSequence([wording, number, sorted(PROMPTS).index(name)])
    rooms = np.random.default_rng(seed).permutation(np.array(BUILTIN))
    found: dict[str, Any] = {"class": name, "prompt": prompt, "before": None, "after": None, "attempts": 0}
    since = time.perf_counter()
    for room in rooms:
        generator = _generator(str(room), how)
        try:
            entries, _, warning = generator.match(prompt)
        except BadOption:  # a room in which nothing of the library can happen
            continue
        if warning and " has no " in warning:
            continue
        attempts = list_until_good(generator, prompt, seed)
        found |= {"room": str(room), "took_for": entries[0].interaction_class, "before": False, "after": None}
        found["attempts"] = len(attempts)
        if not attempts:
            found["faults"] = ["no place"]
            break
        first, _ = attempts[0]
        found["took_for"] = first.match.interaction_class
        found["before"] = agrees(first.interaction, first.actions, name)
        passed = [made for made, faults in attempts if not any(fault.grave for fault in faults)]
        found["faults"] = [fault.text for _, faults in attempts for fault in faults if fault.grave][:4]
        if passed:
            best = min(passed, key=lambda made: len(made.faults))
            found["after"] = agrees(best.interaction, best.actions, name)
            if name.startswith("help_up"):
                found["lift"] = lift(best.interaction, generator.body)
            if save is not None:
                best.interaction.save(save / f"{name}_{wording}_{number}.npz")
        break
    return {**found, "seconds": round(time.perf_counter() - since, 2)}


def list_until_good(generator: DiffusionGenerator, prompt: str, seed: np.random.SeedSequence) -> list[Any]:
    """The generator's attempts, as far as it goes itself."""
    made: list[Any] = []
    with one_thread():
        for attempt in generator.attempts(prompt, seed, SECONDS, FPS):
            if isinstance(attempt, NoPlace):
                continue
            made.append(attempt)
            fit = [faults for _, faults in made if not any(fault.grave for fault in faults)]
            if fit and (not min(map(len, fit)) or attempt[0].rejected + 1 >= ENOUGH):
                break
    return made


def telling(name: str) -> bool:
    """Whether a class is shown by something that somebody does, not only by how somebody is."""
    return any(gate.telling(step) for _, steps in SHOWS.get(name, ()) for step in steps)


def figures(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Shares of a class's (or all) rows."""
    made = [row for row in rows if row["before"] is not None]
    given = [row for row in made if row["after"] is not None]
    lifts = [row["lift"] for row in given if "lift" in row]
    share = {
        "items": len(made),
        "understood": _mean([row["took_for"] == row["class"] for row in made]),
        "before": _mean([row["before"] for row in made]),
        "given": _mean([row["after"] is not None for row in made]),
        "after": _mean([row["after"] for row in given]),
        "success": _mean([bool(row["after"]) for row in made]),
        "attempts": _mean([row["attempts"] for row in made]),
        "seconds": _mean([row["seconds"] for row in made]),
    }
    asked = [row for row in made if row["class"].startswith("help_up")]
    if not asked:
        return share
    right = [lifted(item) for item in lifts]
    return share | {"lifts": len(lifts), "lifted": _mean(right), "lifted_of_all": round(sum(right) / len(asked), 3)}


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 3) if values else None


def run(options: argparse.Namespace) -> dict[str, Any]:
    names = options.classes or sorted(PROMPTS)
    if options.save:
        options.save.mkdir(parents=True, exist_ok=True)
    default = Sampling()
    sampling = Sampling(
        count=options.count, scales=replace(default.scales, text=options.text), strength=options.strength,
        physics=None if options.no_physics else default.physics, classifier=options.weight,
    )  # fmt: skip
    how = How(options.model, not options.raw, sampling, options.classifier)
    jobs = [
        (name, wording, number, how, options.save)
        for number in range(options.first, options.first + options.each)
        for name in names for wording in range(len(PROMPTS[name]))
    ]  # fmt: skip
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        rows = list(pool.map(_one, jobs))
    faults = Counter(text for row in rows if row["after"] is None for text in row.get("faults", ())[:1])
    return {
        "model": str(options.model.name) if options.model else "packaged", "polished": not options.raw,
        "sampling": asdict(sampling), "classifier": options.classifier is not None,
        "classes": {name: figures([row for row in rows if row["class"] == name]) for name in names},
        "all": figures(rows), "telling": figures([row for row in rows if telling(row["class"])]),
        "no_room": sum(row["before"] is None for row in rows),
        "refused_for": faults.most_common(10), "rows": rows if options.rows else [],
    }  # fmt: skip


def _one(job: tuple[str, int, int, How, Path | None]) -> dict[str, Any]:
    return one(*job)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.classes", description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, help="a trained model; by default the packaged one")
    parser.add_argument("--each", type=int, default=4, help="motions for each of the five wordings")
    parser.add_argument("--first", type=int, default=0, help="number of the first, to go on from another run")
    parser.add_argument("--classes", nargs="*", choices=sorted(PROMPTS), help="only these")
    parser.add_argument("--raw", action="store_true", help="without polishing what was sampled")
    parser.add_argument("--strength", type=float, default=Sampling().strength, help="of the drafts' remaking; 1: none")
    parser.add_argument("--text", type=float, default=Sampling().scales.text, help="weight of the words")
    parser.add_argument("--count", type=int, default=Sampling().count, help="steps")
    parser.add_argument("--no-physics", action="store_true", help="without physical guidance")
    parser.add_argument("--classifier", type=Path, help="from `synth train-classifier`; guides towards the class")
    parser.add_argument("--weight", type=float, default=Sampling().classifier, help="of the classifier")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--save", type=Path, help="folder for what was given out")
    parser.add_argument("--rows", action="store_true", help="every motion's own line as well")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    found = run(options)
    if options.json:
        print(json.dumps(found))
        return
    for name, row in [*found["classes"].items(), *((name, found[name]) for name in ("all", "telling"))]:
        print(f"{name:32s}", "  ".join(f"{key} {value}" for key, value in row.items()))
    print(f"no room for {found['no_room']}; refused for {found['refused_for']}")


if __name__ == "__main__":
    main()
