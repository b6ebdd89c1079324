"""``synth train``: the learned generator's training."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

EXIT_INTERRUPTED = 130


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

    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):  # an update is never cut in half
        signal.signal(number, lambda received, _: asked.append(received))
    try:
        train(settings, corpus, out, _report, device, lambda: bool(asked))
    except KeyboardInterrupt:
        click.echo("interrupted; the state is saved, the same command goes on", err=True)
        sys.exit(EXIT_INTERRUPTED)
    click.echo(f"{out / 'model.safetensors'}: {settings.updates} updates")


def _report(update: int, updates: int, losses: dict[str, float], left: float) -> None:
    words = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
    minutes, seconds = divmod(round(left), 60)
    click.echo(f"{update}/{updates}  {minutes // 60}:{minutes % 60:02d}:{seconds:02d} left  {words}", err=True)
