"""What does guidance do?  `python -m benchmarks.guidance CORPUS [--classifier FILE] [--items 64] [--drafts] [--json]`

The same held-out captions, people, first frames, furniture and noise, sampled without guidance, with classifier-free
guidance, with the classifier's and with physical guidance besides, and with all of it; nothing is polished. For each:
the evaluator's figures (`synth evaluate`), what is measured on skins, soles and furniture, the share (of those that
have a class) whose measured actions are the class's, and the seconds a motion takes on one thread. Physical guidance
knows the floor, slipping and the people here; in a room, furniture and walls too.

All starts from pure noise: the network alone. With `--drafts` it starts from the training motion of the nearest caption
under the default's share of the noise, as `synth generate` starts from the library's.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from synth.body import load_body
from synth.corpus.gate import content_faults
from synth.corpus.shards import Corpus
from synth.diffusion.baseline import nearest, retrieved
from synth.diffusion.checkpoint import load_model
from synth.diffusion.classifier import load_classifier
from synth.diffusion.contest import delivered, sampled
from synth.diffusion.evaluate import evaluate, held_out
from synth.diffusion.evaluator import load_evaluator
from synth.diffusion.generate import found_model
from synth.diffusion.guidance import Physics, Scales
from synth.diffusion.packaged import CLASSIFIER, EVALUATOR
from synth.diffusion.sample import Sampling
from synth.diffusion.text import corpus_tokens
from synth.encoders import text_encoder
from synth.motion.actions import measure_actions
from synth.room import furniture_from_json
from synth.text import TextEncoder

NONE = Sampling(scales=Scales(text=1.0), physics=None, classifier=0.0)
SHOWN = ("foot_slide", "skate_ratio", "jerk", "floor_penetration", "body_penetration", "object_penetration", "floating")


def variants() -> dict[str, Sampling]:
    default = Sampling()
    free = replace(NONE, scales=default.scales)
    return {
        "none": NONE,
        "classifier-free": free,
        "+ classifier": replace(free, classifier=default.classifier or 1.0),
        "+ physical": replace(free, physics=default.physics or Physics()),
        "all": replace(free, classifier=default.classifier or 1.0, physics=default.physics or Physics()),
    }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    torch.set_num_threads(1)
    corpus, judge, body = Corpus.open(options.corpus), load_evaluator(options.evaluator), load_body()
    model = load_model(found_model(options.model))
    classifier = load_classifier(options.classifier) if options.classifier else None
    texts = corpus_tokens(corpus, text_encoder(model.config.encoder))
    firsts = {draw.index: draw for draw in reversed(held_out(corpus, frames=judge.config.frames))}
    order = np.random.default_rng(options.seed).permutation(np.array(sorted(firsts)))[: options.items]
    draws = [replace(firsts[int(at)], frames=min(firsts[int(at)].frames, model.config.frames)) for at in order]
    drafts = retrieved(corpus, draws, nearest(corpus, draws, TextEncoder())) if options.drafts else None
    made, motions, seconds = {}, {}, {}
    sampled(model, corpus, draws[:2], texts, NONE, options.seed)  # reads and warms up
    classes = [corpus.entries[draw.index].interaction_class for draw in draws]
    for name, sampling in variants().items():
        if classifier is None and (name == "all" or "classifier" in name.split()):
            continue
        since = time.perf_counter()
        made[name] = sampled(model, corpus, draws, texts, sampling, options.seed, classifier=classifier, drafts=drafts)
        seconds[name] = (time.perf_counter() - since) / len(draws)
        motions[name] = delivered(corpus, draws, made[name], body, polish=False)
    found = evaluate(corpus, judge, made, seed=options.seed, motions=motions, body=body)
    rows = {}
    for name, items in motions.items():
        row = found["rows"][name]
        right = [
            not content_faults(motion, measure_actions(motion, body, _stage(motion)))
            for motion, cls in zip(items, classes, strict=True) if cls is not None
        ]  # fmt: skip
        rows[name] = {
            "r_precision_3": round(row["r_precision"][2], 3), "frechet": round(row["frechet"], 3),
            "agrees": round(float(np.mean(right)), 3), "seconds": round(seconds[name], 3),
            **{key: row["physical"].get(key) for key in SHOWN},
        }  # fmt: skip
    truth = found["rows"]["ground truth"]
    rows["ground truth"] = {
        "r_precision_3": round(truth["r_precision"][2], 3), "frechet": round(truth["frechet"], 3),
        **{key: truth["physical"].get(key) for key in SHOWN},
    }  # fmt: skip
    return {"items": len(draws), "note": found["note"], "rows": rows}


def _stage(motion: Any) -> list[Any]:
    return [furniture_from_json(piece, "stage", "stage") for piece in motion.meta.stage]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guidance", description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--model", type=Path, help="a trained model; by default the packaged one")
    parser.add_argument("--classifier", type=Path, default=CLASSIFIER if CLASSIFIER.exists() else None,
                        help="from `synth train-classifier`; without, no such rows")  # fmt: skip
    parser.add_argument("--evaluator", type=Path, default=EVALUATOR)
    parser.add_argument("--items", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--drafts", action="store_true", help="from drafts, as the default samples")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    found = measure(options)
    if options.json:
        print(json.dumps(found))
        return
    print(found["note"])
    for name, row in found["rows"].items():
        cells = "  ".join(f"{key} {value if value is None else format(value, '.4g')}" for key, value in row.items())
        print(f"{name:16s}", cells)


if __name__ == "__main__":
    main()
