"""``synth-render``: from a prompt to a folder of labelled clips."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from synth.errors import BadFile, BadOption, CareSynthError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from render.plan import JobSettings
    from render.run import Tally

    ProgressBar = Callable[[int, Tally], AbstractContextManager[Callable[[str, Tally], None]]]

# Nothing heavy is imported before the options are known to be good: --help must come at once.

GENERATORS = ("retrieval", "diffusion")
MOODS = ("day", "evening", "night")
ENGINES, DEVICES = ("cycles", "eevee", "workbench"), ("auto", "cpu", "gpu")
DEFAULT_SECONDS, MAX_SECONDS, MAX_FPS = 10.0, 600.0, 120.0
MAX_SEED = 2**63 - 1
ARRAY_HEADER = 1024  # bytes an array's file has beside its values, and more
EXIT_BAD_INPUT, EXIT_INTERRUPTED = 2, 130


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--scene", required=True, help="A built-in room (see `synth rooms list`) or a room's folder.")
@click.option("--prompt", "prompts", multiple=True, help="What happens, in words. May be given several times.")
@click.option("--prompts", "prompts_file", type=click.Path(path_type=Path), help="A text file with one prompt a line.")
@click.option("--n", type=int, default=1, help="Performances of each prompt.")
@click.option("--interaction", type=click.Path(path_type=Path), help="Film this motion: a file or a stage folder.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The data set's folder.")
@click.option("--seed", type=int, default=0, help="The same seed gives the same clips.")
@click.option("--seconds", type=float, help="Length of each clip.  [default: 10, or the motion's]", show_default=False)
@click.option("--fps", type=float, default=10.0, help="Frames a second.")
@click.option("--size", default="320x240", help="WIDTHxHEIGHT in pixels, both even.")
@click.option("--near", help="Id of the furniture at which it is to happen.")
@click.option("--light", type=click.Choice(MOODS), help="Of every clip.  [default: drawn]", show_default=False)
@click.option("--looks", type=click.Path(path_type=Path), help="A file of people's looks (docs/stage.md).")
@click.option("--camera", default="random", help="A camera of the room, `random`, or `all`: each performance by each.")
@click.option("--engine", type=click.Choice(ENGINES), default="cycles", help="Blender's renderer.")
@click.option("--device", type=click.Choice(DEVICES), default="auto", help="Where Cycles renders.")
@click.option("--samples", type=int, default=4, help="Paths a pixel; denoised afterwards.")
@click.option("--workers", type=int, default=None, help="Processes.  [default: 1 per 8 cores]", show_default=False)
@click.option("--generator", type=click.Choice(GENERATORS), default="diffusion", help="Where the motion comes from.")
@click.option("--model", type=click.Path(path_type=Path), help="Trained, for diffusion.  [default: the packaged]")
@click.option("--depth", is_flag=True, help="Write depth too (millimetres).")
@click.option("--body", default="makehuman", help="`makehuman` or your own SMPL file (.pkl, .npz).")
@click.option("--text-encoder", default=None, help="Folder of the text encoder's files.")
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object on stdout.")
@click.version_option(package_name="caresynth")
def render(as_json: bool, **options: Any) -> None:
    """Make labelled clips of people in a care home.

    The same command again goes on where it was stopped and makes no clip twice.
    """
    import signal

    signal.signal(signal.SIGTERM, _interrupt)  # what schedulers send
    try:
        summary = make(Options(**options))
    except KeyboardInterrupt:
        click.echo("interrupted; finished clips are kept, the same command goes on", err=True)
        sys.exit(EXIT_INTERRUPTED)
    click.echo(json.dumps(summary, sort_keys=True) if as_json else describe(summary))


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


class Options:
    """The command line's options, checked as far as that goes without the room."""

    def __init__(self, **given: Any) -> None:
        self.given = given
        self.out: Path = given["out"]
        self.width, self.height = parse_size(given["size"])
        self.motion: Path | None = None
        self.stage: Path | None = None
        if given["interaction"] is not None:
            self._read_motion(given["interaction"])
        self.prompts = read_prompts(given["prompts"], given["prompts_file"])
        _between("--n", given["n"], 1, 10**6)
        _between("--seed", given["seed"], 0, MAX_SEED)
        _between("--samples", given["samples"], 1, 4096)
        _between("--fps", given["fps"], 1, MAX_FPS)
        self._check_length()
        self._check_volume()
        if given["workers"] is not None:
            _between("--workers", given["workers"], 1, 256)

    def _read_motion(self, path: Path) -> None:
        """The given motion: it says what happens where no prompt does."""
        from render.given import given_files, said
        from synth.interaction import load_interaction

        self.motion, self.stage = given_files(path)
        motion = load_interaction(self.motion)
        if not self.given["prompts"] and self.given["prompts_file"] is None:
            self.given["prompts"] = (said(motion),)
        useless = {"near": "motion", "model": "motion"} | ({"looks": "people's looks"} if self.stage else {})
        for name, what in useless.items():
            if self.given[name] is not None:
                raise BadOption(f"--{name}", str(self.given[name]), f"nothing: --interaction brings the {what}")

    def _check_length(self) -> None:
        """Seconds and frames a second; the seconds become whole frames of a given motion."""
        fps, seconds = self.given["fps"], self.given["seconds"]
        if self.motion is None:
            self.seconds: float = DEFAULT_SECONDS if seconds is None else seconds
            _between("--seconds", self.seconds, 1 / fps, MAX_SECONDS)
            return
        from render.given import given_motion

        if seconds is not None:
            _between("--seconds", seconds, 1 / fps, MAX_SECONDS)
        self.seconds = given_motion(self.motion, fps, seconds).seconds

    def _check_volume(self) -> None:
        """Masks and depth of a clip are one array each, which has to be read back."""
        from synth.files import ARRAY_LIMIT

        fps, name = self.given["fps"], "depth" if self.given["depth"] else "masks"
        frame = self.width * self.height * (2 if self.given["depth"] else 1)
        most = (ARRAY_LIMIT - ARRAY_HEADER) // frame
        if max(1, round(self.seconds * fps)) > most:
            raise BadOption(
                "--seconds", f"{self.seconds:g}",
                f"at most {int(10 * most / fps) / 10:g} at {self.width}x{self.height} and {fps:g} frames a second: "
                f"the {name} of a clip are at most {ARRAY_LIMIT >> 30} GiB",
            )  # fmt: skip

    def settings(self) -> JobSettings:
        """What the data set is, whoever makes it and with however many processes."""
        from render.plan import JobSettings
        from synth.rooms import BUILTIN

        given = self.given
        scene, inputs = str(given["scene"]), []
        if scene not in BUILTIN and Path(scene).is_dir():  # as `load_room` decides
            inputs = [(name, _digest(Path(scene, name))) for name in ("room.glb", "room.json")]
            scene = str(Path(scene).resolve())
        body = given["body"]
        if body != "makehuman":
            inputs.append(("body", _digest(Path(body))))
            body = str(Path(body).resolve())
        model, looks, light = given["model"], given["looks"], given["light"]
        if looks is not None:
            from render.look import read_looks

            read_looks(looks)
            inputs.append(("looks", _digest(looks)))
        if self.motion is not None:
            inputs.append(("interaction", _digest(self.motion)))
            if self.stage is not None:
                from render.given import read_stage

                light = light or read_stage(self.stage).mood
                inputs.append(("stage", _digest(self.stage)))
        elif given["generator"] == "diffusion":
            from synth.diffusion.generate import found_model

            inputs.append(("model", _digest(found_model(model))))
        elif model is not None:
            raise BadOption("--model", str(model), "no model, or --generator diffusion")
        return JobSettings(
            scene=scene,
            prompts=self.prompts,
            n=given["n"],
            seed=given["seed"],
            seconds=self.seconds,
            fps=given["fps"],
            width=self.width,
            height=self.height,
            camera=given["camera"],
            engine=given["engine"],
            samples=given["samples"],
            generator=given["generator"] if self.motion is None else "given",
            model=_resolved(model),
            depth=given["depth"],
            body=body,
            text_encoder=given["text_encoder"],
            inputs=tuple(inputs),
            near=given["near"],
            light=light,
            looks=_resolved(looks),
            interaction=_resolved(self.motion),
            stage=_resolved(self.stage),
        )


def make(options: Options, progress: ProgressBar | None = None) -> dict[str, Any]:
    """Do the job; the summary as a JSON object. ``progress`` takes the place of the bar on stderr."""
    import os

    from render.dataset import (
        clean_up,
        discard_if_empty,
        locked,
        note_versions,
        open_dataset,
        write_manifest,
        write_report,
    )
    from render.given import room_of
    from render.plan import plan_take
    from render.run import Job, Tally, run, todo, versions

    started = time.monotonic()
    settings = options.settings()
    room = room_of(settings)
    _check_files(settings, room)
    if settings.near is not None:
        room.piece(settings.near)
    clips_a_take = len(
        {plan.id for plan in plan_take(settings, room, 0)}
    )  # also finds an unknown camera before anything is written
    _check_engine(settings, room)
    workers = options.given["workers"] or max(1, (os.cpu_count() or 1) // 8)
    tally = Tally()
    with locked(options.out):
        new = open_dataset(options.out, settings, versions())
        clean_up(options.out)
        threads = max(1, (os.cpu_count() or 1) // workers)
        job = Job(settings, options.out, versions(), options.given["device"], threads)
        takes, tally.kept = todo(job, room)
        mixed = note_versions(options.out, versions()) if takes else None
        if mixed:
            click.echo(f"warning: {mixed}", err=True)
        try:
            with (progress or _progress)(
                (settings.takes * clips_a_take - tally.kept) * settings.frames, tally
            ) as report:
                run(job, takes, min(workers, max(1, len(takes))), tally, report)
            if tally.failed and not tally.made and not tally.kept:
                raise CareSynthError(tally.failed[0][1])
        except BaseException:
            clean_up(options.out)
            if not (new and discard_if_empty(options.out)):
                with contextlib.suppress(OSError):  # on a full disk the error to tell is the first one
                    write_manifest(options.out)
            raise
        clips = write_manifest(options.out)
        write_report(options.out)
    seconds = time.monotonic() - started
    return {
        "out": str(options.out),
        "clips": len(clips),
        "made": tally.made,
        "kept": tally.kept,
        "seconds": round(seconds, 2),
        "seconds_a_clip": round(seconds / tally.made, 2) if tally.made else None,
        "rejected": tally.rejected,
        "failed": [{"take": take, "reason": reason} for take, reason in sorted(tally.failed)],
        "warnings": [{"clip": clip, "warning": text} for clip, text in sorted(tally.warnings)],
        "gallery": str(options.out / "index.html"),
    }


def describe(summary: dict[str, Any]) -> str:
    """The summary for a person."""
    lines = [f"{summary['clips']} clips in {summary['out']} ({summary['made']} made now, {summary['kept']} were there)"]
    if summary["made"]:
        lines.append(f"{summary['seconds']:.0f} s, {summary['seconds_a_clip']:.1f} s a clip")
    if summary["rejected"]:
        lines.append(f"{summary['rejected']} motions were made again: they did not show what the prompt asks")
    for item in summary["failed"]:
        lines.append(f"warning: take {item['take']} was left out: {item['reason']}")
    texts: dict[str, list[str]] = {}
    for item in summary["warnings"]:
        texts.setdefault(item["warning"], []).append(item["clip"])
    lines += [f"warning: {text} ({len(clips)} clips, first {clips[0]})" for text, clips in texts.items()]
    lines.append(f"look at them: {summary['gallery']}")
    return "\n".join(lines)


def parse_size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT as numbers that H.264 takes."""
    from render.video import check_size

    width, cross, height = text.lower().partition("x")
    if not cross or not width.isascii() or not width.isdigit() or not height.isascii() or not height.isdigit():
        raise BadOption("--size", text, "WIDTHxHEIGHT, for example 320x240")
    check_size(int(width), int(height))
    return int(width), int(height)


def read_prompts(texts: tuple[str, ...], path: Path | None) -> tuple[str, ...]:
    """The prompts given one by one and then the file's, one a line; blank lines of the file are skipped."""
    found = [" ".join(text.split()) for text in texts]
    if not all(found):
        raise BadOption("--prompt", "", "what happens, in words; it is empty")
    for text in found:
        if any("\ud800" <= letter <= "\udfff" for letter in text):  # bytes of the command line that are no UTF-8
            raise BadOption("--prompt", ascii(text), "text in UTF-8")
    if path is not None:
        try:
            lines = [" ".join(line.split()) for line in path.read_text(encoding="utf-8-sig").splitlines()]
        except OSError as error:
            raise BadFile(path, "file", error.strerror or str(error), "a readable text file") from None
        except UnicodeDecodeError as error:
            raise BadFile(path, "file", str(error), "text in UTF-8") from None
        if not any(lines):
            raise BadFile(path, "file", "no prompt", "one prompt a line")
        found += [line for line in lines if line]
    if not found:
        raise BadOption("--prompt", "", "what happens, in words, or a file of prompts (--prompts)")
    return tuple(found)


def _between(option: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise BadOption(option, value, f"{low:g} to {high:g}" if high < 10**9 else f"at least {low:g}, below 2^63")


def _check_engine(settings: JobSettings, room: Any) -> None:
    """Before the first worker starts: engines other than Cycles draw undistorted pinholes only."""
    if settings.engine == "cycles":
        return
    names = [item.name for item in room.cameras] if settings.camera in ("all", "random") else [settings.camera]
    lenses = [name for name in names if room.camera(name).model != "pinhole"]
    if lenses:
        raise BadOption(
            "--engine", settings.engine,
            f"cycles for camera {lenses[0]} ({room.camera(lenses[0]).model}); the others draw pinhole cameras only",
        )  # fmt: skip


def _check_files(settings: JobSettings, room: Any) -> None:
    """Read the user's own files once before anything is written: a damaged one is found here, not in a worker."""
    if room.folder is not None:
        from synth.rooms import room_meshes

        room_meshes(room)
    if settings.body != "makehuman":
        from synth.body import load_body

        load_body(settings.body)


def _resolved(path: Path | None) -> str | None:
    return None if path is None else str(path.resolve())


def _digest(path: Path) -> str:
    from render.clip import sha256

    try:
        return sha256(path)
    except OSError as error:
        raise BadFile(path, "file", error.strerror or str(error), "a readable file") from None


class _progress:
    """A bar on stderr: frames of all clips, clips made, time left."""

    def __init__(self, frames: int, tally: Tally) -> None:
        self.bar: Any = click.progressbar(
            length=max(frames, 1), label="rendering", file=sys.stderr, show_pos=False, show_percent=True, show_eta=True,
            item_show_func=lambda _: f"{tally.made} clips made", update_min_steps=1,
        )  # fmt: skip
        self.frames = frames

    def __enter__(self) -> Any:
        if self.frames:
            self.bar.__enter__()
        return self._report

    def __exit__(self, *exception: Any) -> None:
        if self.frames:
            self.bar.__exit__(*exception)

    def _report(self, event: str, tally: Tally) -> None:
        if event == "frame":
            self.bar.update(1, "")


def main(arguments: list[str] | None = None) -> NoReturn:
    """Entry point: bad input is one line on stderr and exit status 2."""
    import os

    try:
        render(arguments, standalone_mode=False)
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
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or os.strerror(error.errno or 0)}")


def _fail(message: str) -> NoReturn:
    click.echo("error: " + " ".join(message.split()), err=True)
    sys.exit(EXIT_BAD_INPUT)


if __name__ == "__main__":
    main()
