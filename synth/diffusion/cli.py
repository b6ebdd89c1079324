"""``synth train`` and ``synth train-classifier``: the trainings of the learned generator and of what guides it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

EXIT_INTERRUPTED = 130
CONFIGS = Path(__file__).parent / "configs" / "classifier"
T = TypeVar("T")


@click.command("train", context_settings={"show_default": True})
@click.argument("config")
@click.option("--corpus", type=click.Path(path_type=Path), required=True, help="Built by `synth corpus build`.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The training's own folder.")
@click.option("--device", type=click.Choice(["auto", "cpu"]), default="auto", help="auto: a GPU where there is one.")
def train_model(config: str, corpus: Path, out: Path, device: str) -> None:
    """Train the model that CONFIG describes: a YAML file, or `default`, `smoke` or `full`.

    The same command again goes on where it was stopped, on the same curve. Several GPUs: `accelerate launch -m
    synth.cli train ...`. Curves: `tensorboard --logdir OUT/logs`. The model is OUT/model.safetensors.
    """
    from synth.diffusion.config import read_train_config

    settings = read_train_config(config)
    from synth.diffusion.train import train

    _run(lambda stop: train(settings, corpus, out, _report, device, stop))
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
    from synth.diffusion.classifier import accuracy
    from synth.diffusion.classifier import train_classifier as train

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
