"""``synth train``, ``synth train-classifier`` and ``synth generate``: the learned generator."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from synth.errors import BadOption, CareSynthError

EXIT_INTERRUPTED = 130
CONFIGS = Path(__file__).parent / "configs" / "classifier"
T = TypeVar("T")


@click.command("train", context_settings={"show_default": True})
@click.argument("config")
@click.option("--corpus", type=click.Path(path_type=Path), required=True, help="Built by `synth corpus build`.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The training's own folder.")
@click.option("--device", type=click.Choice(["auto", "cpu"]), default="auto", help="auto: a GPU where there is one.")
@click.option("--from", "first", type=click.Path(path_type=Path), default=None, help="A model to start from.")
def train_model(config: str, corpus: Path, out: Path, device: str, first: Path | None) -> None:
    """Train the model that CONFIG describes: a YAML file, or `default`, `smoke` or `full`.

    The same command again goes on where it was stopped, on the same curve. Several GPUs: `accelerate launch -m
    synth.cli train ...`. Curves: `tensorboard --logdir OUT/logs`. The model is OUT/model.safetensors.
    """
    from synth.diffusion.config import read_train_config

    settings = read_train_config(config)
    from synth.diffusion.train import train

    _run(lambda stop: train(settings, corpus, out, _report, device, stop, first))
    click.echo(f"{out / 'model.safetensors'}: {settings.updates} updates")


@click.command("train-classifier", context_settings={"show_default": True})
@click.argument("config", default="default")
@click.option("--corpus", type=click.Path(path_type=Path), required=True, help="Built by `synth corpus build`.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The training's own folder.")
@click.option("--device", type=click.Choice(["auto", "cpu"]), default="auto", help="auto: a GPU where there is one.")
@click.option("--split", default="test", help="Where it is tried out at the end: val or test.")
def train_classifier(config: str, corpus: Path, out: Path, device: str, split: str) -> None:
    """Train the classifier of noisy motion that can guide the generator: CONFIG is a YAML file, or `default`.

    Goes on where it was stopped, as `synth train`. Prints how often it is right on what it was not trained on, by the
    step of the diffusion. The model is OUT/model.safetensors.
    """
    from synth.diffusion.config import ClassifierConfig, read_config

    settings = read_config(ClassifierConfig, config, CONFIGS)
    from synth.corpus.shards import Corpus
    from synth.diffusion.classifier import accuracy, need_classes
    from synth.diffusion.classifier import train_classifier as train

    need_classes(Corpus.open(corpus), split)  # before hours of training
    model = _run(lambda stop: train(settings, corpus, out, _report, device, stop))
    steps = [round(share * (settings.process.steps - 1)) for share in (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1)]
    figures = accuracy(model, Corpus.open(corpus), split, steps)
    click.echo(f"{figures['items']} sequences of {figures['classes']} classes, a guess is right in "
               f"{100 * figures['common']:.0f} %")  # fmt: skip
    for step in steps:
        right, balanced = (100 * figures[name][step] for name in ("right", "balanced"))
        click.echo(f"t {step:4d}  right in {right:5.1f} %, mean over classes {balanced:5.1f} %")
    click.echo(f"{out / 'model.safetensors'}: {settings.updates} updates")


def _run(training: Callable[[Callable[[], bool]], T]) -> T:
    """A training that a signal stops after an update: no update is ever cut in half."""
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: asked.append(received))
    try:
        return training(lambda: bool(asked))
    except KeyboardInterrupt:
        click.echo("interrupted; the state is saved, the same command goes on", err=True)
        sys.exit(EXIT_INTERRUPTED)


def _report(update: int, updates: int, losses: dict[str, float], left: float) -> None:
    words = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
    minutes, seconds = divmod(round(left), 60)
    click.echo(f"{update}/{updates}  {minutes // 60}:{minutes % 60:02d}:{seconds:02d} left  {words}", err=True)


@click.command("generate", context_settings={"show_default": True})
@click.option("--scene", required=True, help="A built-in room or the folder of one.")
@click.option("--prompt", required=True, help='What happens: "staff helps patient up".')
@click.option("--n", "count", type=int, default=1, help="Motions.")
@click.option("--seed", type=int, default=0, help="The same seed gives the same motions.")
@click.option("--seconds", type=float, default=8.0, help="Of each, 2 to 12.")
@click.option("--fps", type=float, default=20.0, help="Frames a second of what is written.")
@click.option("--near", default=None, metavar="ID", help="Furniture on or by which it happens.  [default: any]")
@click.option("--steps", type=int, default=None, help="Of the sampler.  [default: the sampler's]")
@click.option("--strength", type=float, default=None, help="How much of the library's way is made anew; 1: all.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the motions.")
@click.option(
    "--model", type=click.Path(path_type=Path), default=None, help="A trained model.  [default: the packaged]"
)
def generate_motions(
    scene: str, prompt: str, count: int, seed: int, seconds: float, fps: float, near: str | None, steps: int | None,
    strength: float | None, out: Path, model: Path | None,
) -> None:  # fmt: skip
    """Sample interactions from the trained model in a room: one npz each, its labels measured.

    The same command again makes what is missing. What does not show what the prompt asks for is made again; what stays
    impossible is listed in generated.jsonl with its reason, and ends with status 2.
    """
    from synth.diffusion.sample import LONGEST, SHORTEST, Sampling

    usual = Sampling()
    steps, strength = usual.count if steps is None else steps, usual.strength if strength is None else strength
    bounds = {
        "--n": (count, 1, 10**6), "--seed": (seed, 0, 2**63), "--fps": (fps, 1, 240),
        "--seconds": (seconds, SHORTEST, LONGEST), "--steps": (steps, 1, 1000), "--strength": (strength, 0.01, 1),
    }  # fmt: skip
    for option, (value, low, high) in bounds.items():
        if not low <= value <= high:
            raise BadOption(option, value, f"{low:g} to {high:g}")
    from synth.diffusion.batch import generate_into

    settings = {
        "scene": scene, "prompt": prompt, "seed": seed, "seconds": seconds, "fps": fps, "near": near, "steps": steps,
        "strength": strength,
    }  # fmt: skip
    refused = generate_into(out, settings, count, model, lambda line: click.echo(line, err=True))
    click.echo(f"{out}: {count - refused} of {count} motions")
    if refused:
        raise CareSynthError(
            f"{out / 'generated.jsonl'}: {refused} of {count} motions did not come out fit to be shown"
        )


@click.command("train-evaluator", context_settings={"show_default": True})
@click.option("--corpus", type=click.Path(path_type=Path), required=True, help="Built by `synth corpus build`.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The training's own folder.")
@click.option("--updates", type=int, default=None, help="Of the weights.  [default: the evaluator's own]")
def train_judge(corpus: Path, out: Path, updates: int | None) -> None:
    """Train the evaluator of motion and words that `synth evaluate` judges with, on the training split alone."""
    from dataclasses import replace

    from synth.corpus.shards import Corpus
    from synth.diffusion.contrast import EVALUATOR, train_evaluator
    from synth.diffusion.evaluator import EvaluatorConfig

    settings = EvaluatorConfig()
    if updates is not None:
        if not 1 <= updates <= 10**7:
            raise BadOption("--updates", updates, f"1 to {10**7}")
        settings = replace(settings, updates=updates)
    opened = Corpus.open(corpus)
    _run(lambda stop: train_evaluator(opened, settings, out, _report, stop))
    click.echo(f"{out / EVALUATOR}: {settings.updates} updates")


@click.command("evaluate", context_settings={"show_default": True})
@click.option("--corpus", type=click.Path(path_type=Path), required=True, help="Whose held-out takes are asked for.")
@click.option(
    "--evaluator",
    "judge",
    type=click.Path(path_type=Path),
    default=None,
    help="From train-evaluator.  [default: the packaged]",
)
@click.option(
    "--model", type=click.Path(path_type=Path), default=None, help="A trained model.  [default: the packaged]"
)
@click.option("--captions", type=int, default=1, help="Captions of each held-out sequence that are asked for.")
@click.option("--pool", type=int, default=32, help="Texts that R-precision chooses among.")
@click.option("--seed", type=int, default=0, help="Of the samples, pools and halves.")
@click.option("--workers", type=click.IntRange(1), default=1, help="Processes that polish what was sampled.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def evaluate_model(
    corpus: Path,
    judge: Path | None,
    model: Path | None,
    captions: int,
    pool: int,
    seed: int,
    workers: int,
    as_json: bool,
) -> None:
    """R-precision, Frechet distance and the like on held-out takes: ground truth, retrieval, and a model.

    Retrieval answers with the training motion whose caption is nearest. Not comparable with published numbers.
    """
    for option, value, low, high in (("--captions", captions, 1, 100), ("--seed", seed, 0, 2**31)):
        if not low <= value <= high:
            raise BadOption(option, value, f"{low} to {high}")
    from synth.diffusion.contest import evaluated
    from synth.diffusion.generate import found_model
    from synth.diffusion.packaged import EVALUATOR

    found = evaluated(corpus, judge or EVALUATOR, found_model(model), captions, seed, pool, workers=workers)
    if as_json:
        click.echo(json.dumps(found, sort_keys=True))
        return
    click.echo(found["note"])
    for name, row in found["rows"].items():
        ranks = " ".join(f"{value:.3f}" for value in row["r_precision"])
        click.echo(
            f"{name:14s} R@1-3 {ranks}  FID {row['frechet']:.3f}  distance {row['multimodal_distance']:.3f}  diversity "
            f"{row['diversity']:.3f}  coverage {row['coverage']:.3f}  copying {row['copying']:.3f}"
        )
