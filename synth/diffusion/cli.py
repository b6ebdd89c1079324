"""``synth train`` and ``synth generate``: the learned generator."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from synth.errors import BadOption, CareSynthError

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


@click.command("generate", context_settings={"show_default": True})
@click.option("--scene", required=True, help="A built-in room or the folder of one.")
@click.option("--prompt", required=True, help='What happens: "staff helps patient up".')
@click.option("--n", "count", type=int, default=1, help="Motions.")
@click.option("--seed", type=int, default=0, help="The same seed gives the same motions.")
@click.option("--seconds", type=float, default=8.0, help="Of each, 2 to 12.")
@click.option("--fps", type=float, default=20.0, help="Frames a second of what is written.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the motions.")
@click.option(
    "--model", type=click.Path(path_type=Path), default=None, help="A trained model.  [default: the packaged]"
)
def generate_motions(
    scene: str, prompt: str, count: int, seed: int, seconds: float, fps: float, out: Path, model: Path | None
) -> None:
    """Sample interactions from the trained model in a room: one npz each, its labels measured.

    The same command again makes what is missing. What does not show what the prompt asks for is made again; what stays
    impossible is listed in generated.jsonl with its reason, and ends with status 2.
    """
    from synth.diffusion.sample import LONGEST, SHORTEST

    for option, value, low, high in (("--n", count, 1, 10**6), ("--seed", seed, 0, 2**63), ("--fps", fps, 1, 240),
                                     ("--seconds", seconds, SHORTEST, LONGEST)):  # fmt: skip
        if not low <= value <= high:
            raise BadOption(option, value, f"{low:g} to {high:g}")
    from synth.diffusion.batch import generate_into

    settings = {"scene": scene, "prompt": prompt, "seed": seed, "seconds": seconds, "fps": fps}
    refused = generate_into(out, settings, count, model, lambda line: click.echo(line, err=True))
    click.echo(f"{out}: {count - refused} of {count} motions")
    if refused:
        raise CareSynthError(
            f"{out / 'generated.jsonl'}: {refused} of {count} motions did not come out fit to be shown"
        )
