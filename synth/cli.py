"""``synth``: the commands that need no Blender. Each group is imported when it is asked for."""

from __future__ import annotations

import importlib
import sys
from typing import NoReturn

import click

from synth.errors import CareSynthError

# name -> module, attribute, the help line of `synth --help`
GROUPS = {
    "addon": ("synth.addon_build", "addon", "Build the Blender extension."),
    "corpus": ("synth.corpus.cli", "corpus", "Training sets of motion: build, show, check."),
    "evaluate": ("synth.diffusion.cli", "evaluate_model", "Figures of a trained model on held-out motion."),
    "train-evaluator": ("synth.diffusion.cli", "train_judge", "Train the evaluator that judges models."),
    "generate": ("synth.diffusion.cli", "generate_motions", "Sample interactions from a trained model in a room."),
    "train": ("synth.diffusion.cli", "train_model", "Train the generator on a corpus."),
    "train-classifier": (
        "synth.diffusion.cli",
        "train_classifier",
        "Train the classifier of noisy motion that can guide the generator.",
    ),
    "reconstruct": (
        "synth.reconstruct.cli",
        "reconstruct_video",
        "A metric room and its people from a fixed camera's video.",
    ),
    "rooms": ("synth.rooms.cli", "rooms", "The rooms that clips can play in: list, show, export."),
}
EXIT_BAD_INPUT, EXIT_INTERRUPTED = 2, 130


class LazyGroup(click.Group):
    """A group whose commands are imported only when they run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(GROUPS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in GROUPS:
            return None
        module, attribute, _ = GROUPS[name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, GROUPS[name][2]) for name in self.list_commands(ctx)])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="caresynth")
def synth() -> None:
    """CareSynth: labelled synthetic video of staff and patients. Clips are made by `synth-render`."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Entry point: bad input is one line on stderr and exit status 2."""
    try:
        synth(arguments, standalone_mode=False)
        sys.exit(0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        sys.exit(EXIT_INTERRUPTED)
    except click.ClickException as error:
        _fail(error.format_message())
    except CareSynthError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def _fail(message: str) -> NoReturn:
    click.echo("error: " + " ".join(message.split()), err=True)
    sys.exit(EXIT_BAD_INPUT)


if __name__ == "__main__":
    main()
