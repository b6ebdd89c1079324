"""``synth-studio``: what Blender's extension asks of its back end, a process a command (docs/stage.md).

    python -m render.studio check | rooms | generate ... | stage ... | render ...

stdout carries JSON lines and nothing else; stderr carries text for people, its last line the error if there is one.
Exit status 0: done; 2: bad input, said by the line {"event": "error"}; 130: interrupted, nothing is left half-written.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from render.blender.session import drop_tempdir
from render.lines import EXIT_INTERRUPTED, PARTS, Interrupts, Lines, Progress, Steps
from synth.errors import BadOption, CareSynthError, Missing

if TYPE_CHECKING:
    from render.film import Performance, Studio
    from render.plan import JobSettings
    from render.run import Tally

# Nothing heavy is imported before it is needed: `check` must answer where parts are missing, help at once.

PROTOCOL = 1
EXIT_OK, EXIT_UNEXPECTED, EXIT_BAD_INPUT = 0, 1, 2
SAMPLED, MEASURED = 25, 80  # parts when sampling, and when polishing and measuring are over

# what making and staging import: loaded before an interruption may be gentle
NEEDED = ("render.stagefolder", "render.blender.describe", "render.blender.stage", "synth.corpus.touch")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(package_name="caresynth")
def studio() -> None:
    """The back end of the Blender extension: JSON lines on stdout, a command a process."""


@studio.command()
@click.pass_obj
def check(lines: Lines) -> None:
    """Say what is installed, and what is missing."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from synth import __version__

    found: dict[str, str | None] = {}
    missing = []
    for name, how in (("torch", "pip install torch"), ("anny", "pip install caresynth")):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
            missing.append(f"{name} is missing; {how}")
    blender = _tried(missing, _blender)
    model = _tried(missing, _model) if found["torch"] else None
    _tried(missing, _encoder)
    lines.say(
        "check", version=__version__, protocol=PROTOCOL, python=platform.python_version(), bpy=blender,
        torch=found["torch"], device=_tried([], _device) or "cpu", model=model, missing=missing,
    )  # fmt: skip


def _tried(missing: list[str], look: Callable[[], Any]) -> Any:
    try:
        return look()
    except (CareSynthError, ImportError, OSError) as error:
        missing.append(" ".join(str(error).split()))
        return None


def _model() -> str:
    from synth.diffusion.generate import found_model

    return str(found_model(None))


def _blender() -> str:
    from render.blender.session import blender_version

    return blender_version()


def _encoder() -> None:
    from synth.text import TextEncoder

    TextEncoder(None)


def _device() -> str:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"


@studio.command()
@click.argument("folders", nargs=-1)
@click.pass_obj
def rooms(lines: Lines, folders: tuple[str, ...]) -> None:
    """List the built-in rooms, or describe those in FOLDERS."""
    from synth.rooms import BUILTIN, load_room

    found = []
    for name in folders or BUILTIN:
        room = load_room(name)
        low, high = room.floor.min(0), room.floor.max(0)
        found.append({
            "id": name, "title": str(room.provenance.get("title") or room.name),
            "furniture": [item.id for item in room.furniture], "classes": [item.cls for item in room.furniture],
            "cameras": [item.name for item in room.cameras],
            "extent": [float(v) for v in (*(high - low), room.height)], "thumbnail": None,
        })  # fmt: skip
    lines.say("rooms", rooms=found)


_scene = click.option("--scene", required=True, help="A built-in room or a room's folder.")
_looks = click.option("--looks", type=click.Path(path_type=Path), help="A file of people's looks.")
_light = click.option("--light", help="day, evening or night.  [default: drawn]", show_default=False)
_out = click.option("--out", type=click.Path(path_type=Path), required=True, help="A new or empty folder.")
_body = click.option("--body", default="makehuman", help="`makehuman` or your own SMPL file (.pkl, .npz).")
_device_option = click.option("--device", type=click.Choice(("auto", "cpu", "gpu")), default="auto")


@studio.command()
@_scene
@click.option("--prompt", required=True, help="What happens, in words.")
@click.option("--n", type=int, default=1, help="How many.")
@click.option("--seed", type=int, default=0, help="The same seed gives the same interactions.")
@click.option("--seconds", type=float, default=8.0, help="Length of each.")
@click.option("--fps", type=float, default=20.0, help="Frames a second of the motion.")
@click.option("--near", help="Id of the furniture at which it is to happen.")
@_looks
@_light
@_out
@click.option("--generator", type=click.Choice(("retrieval", "diffusion")), default="diffusion")
@click.option("--model", type=click.Path(path_type=Path), help="Trained, for diffusion.  [default: the packaged]")
@click.option("--text-encoder", default=None, help="Folder of the text encoder's files.")
@_body
@_device_option
@click.pass_obj
def generate(lines: Lines, out: Path, device: str, **given: Any) -> None:
    """Make interactions and stage each: OUT/000000 and so on."""
    from render.plan import seed_of
    from render.stagefolder import must_be_new, new_folder
    from synth.corpus.retrieve import NothingFits

    given["generator"] = generator_of(lines, given["generator"], given["model"])
    settings = _settings(given, out)
    must_be_new(out)
    made, reasons = 0, []
    with Progress(lines, settings.takes * PARTS) as progress, _studio(lines, settings, device) as maker:
        for take in range(settings.takes):
            tell = Steps(progress, take, settings.takes)
            tell.at(1, "choosing", 5)
            folder = out / f"{take:06d}"
            try:
                with _watched(maker, tell):
                    show = maker.perform(settings.prompts[0], partial(seed_of, settings.seed, take))
            except NothingFits as error:  # one unlucky draw does not end the others
                reasons.append(str(error))
                continue
            with new_folder(folder) as work:
                _stage(lines, maker, show, take, work, tell)
            _result(lines, folder)
            made += 1
    if not made:
        raise CareSynthError(reasons[0])
    for text in reasons:
        lines.say("warning", text=text)
    lines.say("done", made=made, failed=len(reasons), folder=str(out))


@studio.command()
@click.argument("interaction", type=click.Path(path_type=Path))
@_scene
@_looks
@_light
@_out
@click.option("--seed", type=int, default=0, help="Of looks and light.")
@_body
@_device_option
@click.pass_obj
def stage(lines: Lines, interaction: Path, out: Path, device: str, **given: Any) -> None:
    """Stage the motion of the file INTERACTION as it is."""
    from render.cli import MAX_FPS
    from render.plan import seed_of
    from render.stagefolder import new_folder
    from synth.interaction import load_interaction

    motion = load_interaction(interaction)
    settings = _settings({"interaction": interaction, "fps": min(motion.fps, MAX_FPS), **given}, out)
    with Progress(lines, PARTS) as progress, _studio(lines, settings, device) as maker, new_folder(out) as work:
        tell = Steps(progress, 0, 1)
        tell.at(1, "measuring", MEASURED)
        show = maker.perform(settings.prompts[0], partial(seed_of, settings.seed, 0))
        _stage(lines, maker, show, 0, work, tell)
    _result(lines, out)
    lines.say("done", made=1, failed=0, folder=str(out))


@studio.command("room")
@_scene
@_light
@_out
@click.option("--seed", type=int, default=0, help="Of the light.")
@_device_option
@click.pass_obj
def empty_room(lines: Lines, out: Path, device: str, **given: Any) -> None:
    """Stage a room without people."""
    from render.stagefolder import new_folder, nobody

    settings = _settings({"prompt": "nobody", "generator": "retrieval", **given}, out)
    with Progress(lines, PARTS) as progress, _studio(lines, settings, device, False) as maker, new_folder(out) as work:
        title = str(maker.room.provenance.get("title") or maker.room.name)
        _stage(lines, maker, nobody(maker.room), 0, work, Steps(progress, 0, 1), title)
    _result(lines, out)
    lines.say("done", made=1, failed=0, folder=str(out))


@studio.command()
@click.argument("source", type=click.Path(path_type=Path))
@_out
@click.option("--scene", help="A room.  [default: the stage's]", show_default=False)
@click.option("--prompt", help="What happens.  [default: the motion's text]", show_default=False)
@click.option("--seed", type=int, help="[default: the stage's]", show_default=False)
@click.option("--seconds", type=float, help="Only the first seconds.")
@click.option("--fps", type=float, default=10.0, help="Frames a second.")
@click.option("--size", default="320x240", help="WIDTHxHEIGHT in pixels, both even.")
@click.option("--camera", default="random", help="A camera of the stage, `random`, or `all`.")
@click.option("--engine", default="cycles", help="Blender's renderer.")
@click.option("--samples", type=int, default=4, help="Paths a pixel; denoised afterwards.")
@click.option("--depth", is_flag=True, help="Write depth too (millimetres).")
@_body
@_device_option
@click.pass_obj
def render(lines: Lines, source: Path, depth: bool, **given: Any) -> None:
    """Film the stage folder SOURCE, edited motion first, or a motion's file: labelled clips, measured anew."""
    from render import cli
    from render.dataset import clips_of
    from render.given import given_files, read_stage

    _, shown = given_files(source)
    if shown is not None:
        staged = read_stage(shown)
        given["scene"] = given["scene"] or staged.room
        given["seed"] = staged.seed if given["seed"] is None else given["seed"]
    if given["scene"] is None:
        raise BadOption("--scene", "", "a room: there is no stage.json beside the motion that tells one")
    words = ["--interaction", str(source), *(["--depth"] if depth else [])]
    for name, value in given.items():
        words += [] if value is None else [f"--{name}", str(value)]
    options = cli.Options(**cli.render.make_context("synth-render", words).params)
    out: Path = given["out"]
    known: set[str] = set()

    @contextlib.contextmanager
    def report(frames: int, tally: Tally) -> Iterator[Callable[[str, Tally], None]]:
        with Progress(lines, frames) as progress:
            progress.at(0, "loading")

            def hear(event: str, tally: Tally) -> None:
                progress.at(tally.frames, "rendering")
                if event == "clip":
                    _clips(lines, out, known)

            yield hear

    lines.interrupts.gentle = True
    summary = cli.make(options, report)
    _clips(lines, out, known)
    for item in summary["warnings"]:
        lines.say("warning", text=item["warning"])
    for item in summary["failed"]:
        lines.say("warning", text=item["reason"])
    lines.say("done", made=len(clips_of(out)), failed=len(summary["failed"]), folder=str(out),
              gallery=summary["gallery"])  # fmt: skip


def _clips(lines: Lines, out: Path, known: set[str]) -> None:
    from render.dataset import clips_of

    for clip in clips_of(out):
        if clip.id not in known:
            known.add(clip.id)
            lines.say(
                "result", folder=str(clip.folder), thumbnail=str(clip.folder / "poster.jpg"),
                title=clip.info["prompt"], seed=clip.info["seed"]["job"],
            )  # fmt: skip


def generator_of(lines: Lines, generator: str, model: Path | None) -> str:
    """The generator asked for; the library where there is no trained model."""
    if generator == "diffusion" and model is None:
        try:
            _model()
        except Missing as error:
            lines.say("warning", text=f"{error}; took motions of the library")
            return "retrieval"
    return generator


def _settings(given: dict[str, Any], out: Path) -> JobSettings:
    """The job that ``synth-render`` would be given, checked by it."""
    from render import cli
    from render.plan import CAMERA_RANDOM

    words = ["--out", str(out), "--camera", CAMERA_RANDOM]
    for name, value in given.items():
        words += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    return cli.Options(**cli.render.make_context("synth-render", words).params).settings()


@contextlib.contextmanager
def _studio(lines: Lines, settings: JobSettings, device: str, making: bool = True) -> Iterator[Studio]:
    """A studio with all that it needs for ``making`` motions loaded, and a folder for what is temporary."""
    import torch

    from render.blender.session import load_bpy
    from render.film import Studio
    from render.plan import plan_take
    from render.run import TORCH_THREADS, versions

    for name in NEEDED:
        importlib.import_module(name)
    torch.set_num_threads(TORCH_THREADS)
    load_bpy()
    maker = Studio(settings, versions(), Path(tempfile.gettempdir()), device)
    plan_take(settings, maker.room, 0)  # a room without cameras is refused before anything is made
    if settings.near is not None:
        maker.room.piece(settings.near)
    if making and settings.interaction is None:
        _ = maker.generator  # loaded now
    lines.interrupts.gentle = True
    with tempfile.TemporaryDirectory(prefix="caresynth-", ignore_cleanup_errors=True) as scratch:
        maker.scratch = Path(scratch)
        yield maker


@contextlib.contextmanager
def _watched(maker: Studio, tell: Steps) -> Iterator[None]:
    """Tell how far sampling is: each look of the network at the noise is a step."""
    model = getattr(maker.generator, "model", None)
    if model is None:
        tell.at(5, "adapting", MEASURED)
        yield
        return
    sampling = maker.generator.sampling
    round_of, calls = round(sampling.count * sampling.strength), 0

    def hear(*_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls < round_of:
            tell.at(5 + (SAMPLED - 5) * calls / round_of, "sampling")
        elif calls % round_of:
            tell.at(SAMPLED, "sampling again", MEASURED)
        else:
            tell.at(SAMPLED, "making it exact", MEASURED)

    handle = model.denoiser.register_forward_hook(hear)
    try:
        yield
    finally:
        handle.remove()


def _stage(
    lines: Lines, maker: Studio, show: Performance, take: int, folder: Path, tell: Steps, title: str | None = None
) -> None:
    from render.blender.session import quiet
    from render.plan import plan_take
    from render.stagefolder import Take, write_stage

    if show.warning:
        lines.say("warning", text=show.warning)
    settings, parts = maker.settings, iter((MEASURED, 90, 95))
    planned = Take(take, settings.seed, plan_take(settings, maker.room, take))

    def hear(text: str) -> None:
        lines.interrupts.heed()
        tell.at(next(parts), text)

    with quiet():
        write_stage(maker, show, planned, folder, title or settings.prompts[0], hear)
    lines.interrupts.heed()


def _result(lines: Lines, folder: Path) -> None:
    from render.given import STAGE
    from render.stagefolder import THUMBNAIL
    from synth.files import read_json

    value = read_json(folder / STAGE)
    lines.say(
        "result", folder=str(folder), thumbnail=str(folder / THUMBNAIL), title=value["title"],
        seed=value["seed"]["job"], take=value["seed"]["take"], seconds=value["seconds"], people=len(value["people"]),
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> NoReturn:
    """Entry point. Ends without Blender's exit handlers, which can crash."""
    interrupts = Interrupts()
    lines = Lines(interrupts)
    try:
        studio(arguments, standalone_mode=False, obj=lines)
        code = EXIT_OK
    except BaseException as error:
        code = _ended(error, interrupts.happened, lines)
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    drop_tempdir()
    os._exit(code)


def _ended(error: BaseException, interrupted: bool, lines: Lines) -> int:
    """Say why it ended; the exit status."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if interrupted or isinstance(error, (click.Abort, KeyboardInterrupt)):
        click.echo("error: interrupted", err=True)
        return EXIT_INTERRUPTED
    code = EXIT_BAD_INPUT
    if isinstance(error, click.ClickException):
        text = error.format_message()
    elif isinstance(error, CareSynthError):
        text = str(error)
    elif isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror or error}"
    else:
        traceback.print_exception(error)
        code, text = EXIT_UNEXPECTED, f"the back end failed ({type(error).__name__}: {error})"
    text = " ".join(text.split())
    lines.say("error", text=text)
    click.echo(f"error: {text}", err=True)
    return code


if __name__ == "__main__":
    main()
