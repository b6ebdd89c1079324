"""Many generated motions in a folder: each from its own seed, finished ones kept, refused ones listed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from synth.body import load_body
from synth.corpus.retrieve import NothingFits
from synth.corpus.shards import sha256
from synth.diffusion.checkpoint import load_model
from synth.diffusion.generate import DiffusionGenerator, found_model
from synth.diffusion.sample import Sampling
from synth.errors import BadFile, BadOption
from synth.files import read_json, write_json, write_text
from synth.rooms import load_room

SETTINGS, LIST = "generate.json", "generated.jsonl"


def generate_into(
    out: Path, settings: Mapping[str, Any], count: int, model: Path | None, tell: Callable[[str], None]
) -> int:
    """Make motions 0 to `count` - 1 of a job into `out`/NNNN.npz; how many were refused.

    Args:
        settings: scene, prompt, seed, seconds, fps, near (furniture's id or None), steps, strength.
        tell: is given a line a motion.

    Raises:
        BadOption: `out` is of another job, or a setting is wrong. Missing, BadFile: the model.
    """
    path = found_model(model)
    trained = load_model(path)
    most = trained.config.process.steps
    if int(settings["steps"]) > most:
        raise BadOption("--steps", settings["steps"], f"1 to {most}, the steps of the model's process")
    room = load_room(str(settings["scene"]))
    sampling = replace(Sampling(), count=int(settings["steps"]), strength=float(settings["strength"]))
    generator = DiffusionGenerator(room, load_body(), model=trained, sampling=sampling, near=settings["near"])
    generator.match(str(settings["prompt"]))  # what cannot be made leaves no folder
    job = {**settings, "model": sha256(path)}
    if (out / SETTINGS).exists():
        if read_json(out / SETTINGS) != job:
            raise BadOption("--out", str(out), "a new folder, or one of the same settings and model")
    elif out.exists() and any(out.iterdir()):
        raise BadOption("--out", str(out), "a new or empty folder")
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / SETTINGS, job)
    known = _lines(out / LIST)
    refused = 0
    for number in range(count):
        name = f"{number:04d}"
        if not (name in known and ((out / f"{name}.npz").exists() or "reason" in known[name])):
            known[name] = _one(generator, settings, number, out / f"{name}.npz")
            text = "".join(json.dumps(known[key], sort_keys=True) + "\n" for key in sorted(known))
            write_text(out / LIST, text)
        line = known[name]
        refused += "reason" in line
        tell(f"{name}: {line.get('reason') or line['id']}" + (f" ({line['warning']})" if line.get("warning") else ""))
    return refused


def _one(generator: DiffusionGenerator, settings: Mapping[str, Any], number: int, path: Path) -> dict[str, Any]:
    seed = np.random.SeedSequence([int(settings["seed"]), number])
    line: dict[str, Any] = {"id": path.stem, "prompt": settings["prompt"]}
    try:
        made = generator.generate(str(settings["prompt"]), seed, float(settings["seconds"]), float(settings["fps"]))
    except NothingFits as error:
        return {**line, "reason": str(error)}
    made.interaction.save(path)
    actions = [made.actions.order(person) for person in range(made.interaction.people)]
    return {
        **line, "class": made.interaction.meta.interaction_class, "warning": made.warning, "rejected": made.rejected,
        "faults": list(made.faults), "actions": [list(order) for order in actions],
    }  # fmt: skip


def _lines(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    try:
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return {str(line["id"]): line for line in found}
    except (ValueError, TypeError, KeyError) as error:
        raise BadFile(path, "line", str(error), "JSON objects with an id, a line each") from None
