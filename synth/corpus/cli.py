"""``synth corpus``: build, show and check training sets of motion."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from synth.errors import BadOption, CareSynthError

if TYPE_CHECKING:
    from synth.interaction import Interaction

# Nothing heavy is imported before the options are known to be good: --help must come at once.
EXIT_INTERRUPTED = 130
MAX_WORKERS = 256


@click.group()
def corpus() -> None:
    """Training sets of motion: build, show, check."""


@corpus.command("build", context_settings={"show_default": True})
@click.argument("config")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="The corpus's folder.  [default: its name]")
@click.option("--workers", type=int, default=None, help="Processes.  [default: one a core]", show_default=False)
@click.option("--option", "extra", multiple=True, metavar="SOURCE.OPTION=VALUE", help="An option of a source.")
@click.option("--json", "as_json", is_flag=True, help="corpus.json on stdout instead of the summary.")
def build_corpus(config: str, out: Path | None, workers: int | None, extra: tuple[str, ...], as_json: bool) -> None:
    """Build the corpus that CONFIG describes: a YAML file, or `default` or `small`.

    The same command again goes on where it was stopped. The same configuration, seed and versions give the same bytes.
    """
    from synth.corpus.config import read_config

    if workers is not None and not 1 <= workers <= MAX_WORKERS:
        raise BadOption("--workers", workers, f"1 to {MAX_WORKERS}")
    settings = read_config(config, extra)
    from synth.corpus.corpus import build

    signal.signal(signal.SIGTERM, _interrupt)  # what schedulers send
    folder = out or Path(settings.name)
    try:
        with _progress() as report:
            info = build(settings, folder, workers or os.cpu_count() or 1, report)
    except KeyboardInterrupt:
        click.echo("interrupted; finished items are kept, the same command goes on", err=True)
        sys.exit(EXIT_INTERRUPTED)
    click.echo(json.dumps(info, sort_keys=True, ensure_ascii=False) if as_json else describe(info, folder))


@corpus.command("show", context_settings={"show_default": True})
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--class", "wanted", default=None, help="Only this interaction class.")
@click.option("--source", default=None, help="Only this source of a corpus.")
@click.option("--n", "count", type=int, default=3, help="Motions a class.")
@click.option("--seed", type=int, default=0, help="Which ones.")
@click.option("--size", type=int, default=200, help="Pixels a picture.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The picture, .jpg or .png."
)
@click.option("--blind", is_flag=True, help="Without labels; the answers go beside the picture as .json.")
def show_corpus(
    folder: Path, wanted: str | None, source: str | None, count: int, seed: int, size: int, out: Path, blind: bool
) -> None:
    """Draw motions of FOLDER, a corpus or a folder of interactions: one a row, eight moments each."""
    from synth.corpus.look import pick

    for option, value, low, high in (("--n", count, 1, 1000), ("--size", size, 32, 1024), ("--seed", seed, 0, 2**63)):
        if not low <= value <= high:
            raise BadOption(option, value, f"{low} to {high}")
    if out.suffix.lower() not in (".jpg", ".jpeg", ".png"):
        raise BadOption("--out", str(out), "a name that ends in .jpg or .png")
    picked = pick(folder, wanted, source, count, seed)
    from synth.body import load_body
    from synth.corpus.sheet import sheet
    from synth.files import atomic_path, write_json

    rows: list[tuple[str, Interaction]] = []
    for number, (identifier, motion) in enumerate(picked, 1):
        label = f"{motion.meta.interaction_class or '-'}  {identifier}: {motion.meta.text}"
        rows.append((str(number) if blind else label, motion))
    picture = sheet(load_body(), rows, size)
    with atomic_path(out) as temporary:
        picture.save(temporary, quality=88)
    if blind:
        answers = [{"row": n, "id": i, "class": m.meta.interaction_class} for n, (i, m) in enumerate(picked, 1)]
        write_json(out.with_suffix(".json"), answers)
    click.echo(f"{out}: {len(rows)} motions")


@corpus.command("check")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def check_folder(folder: Path, as_json: bool) -> None:
    """Check FOLDER: a corpus (checksums, arrays, labels, splits) or a folder of interactions.

    Every fault is a line that says which file and field, what was found and what is expected; exit status 2 with any.
    """
    from synth.corpus.look import check

    found = check(folder)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        for fault in found["faults"]:
            click.echo(fault)
        click.echo(f"{folder}: {found['kind']}, {found['checked']} checked, {len(found['faults'])} faults")
    if found["faults"]:
        raise CareSynthError(f"{folder}: {len(found['faults'])} faults")


def describe(info: dict[str, Any], folder: Path) -> str:
    """The summary for a person."""
    numbers = info["statistics"]
    lines = [
        f"{numbers['sequences']} sequences, {numbers['hours']:.2f} h in {folder}; {numbers['rejected']} of "
        f"{numbers['items']} items were rejected (rejected.jsonl)"
    ]
    for name, source in info["sources"].items():
        lines.append(
            f"  {name}: {source['sequences']} sequences, {source['hours']:.2f} h, {source['rejected']} rejected"
        )
    lines += [f"  {name}: left out: {why}" for name, why in info["left_out"].items()]
    return "\n".join(lines)


@contextlib.contextmanager
def _progress() -> Iterator[Any]:
    """A bar on stderr that shows items and the time left."""
    bar: Any = None

    def report(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            bar = click.progressbar(length=total, label="building", file=sys.stderr, show_pos=True, show_eta=True)
            bar.__enter__()
        if done > bar.pos:
            bar.update(done - bar.pos)

    try:
        yield report
    finally:
        if bar is not None:
            bar.__exit__(None, None, None)


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt
