"""``synth reconstruct``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from synth.errors import BadOption

PATH = click.Path(path_type=Path)
NAMES = {"video": "reading the video", "people": "people", "camera": "camera", "masks": "masks", "depth": "depth",
         "poses": "poses", "room": "room"}  # fmt: skip


@click.command("reconstruct", context_settings={"show_default": True})
@click.argument("video", type=PATH, required=False)
@click.option(
    "--annotations", type=PATH, default=None, help="sequence.json or COCO keypoints; without, detectors look."
)
@click.option("--out", type=PATH, default=None, help="Folder for what is found.")
@click.option("--camera", type=PATH, default=None, help="JSON: model, width, height, K, dist, if they are known.")
@click.option("--depth", type=PATH, default=None, help="Of a depth camera: npz with `depth` (m), or 16-bit PNG (mm).")
@click.option("--weights", type=PATH, default=None, help="Folder with networks' weights; see --check.")
@click.option("--body", default="makehuman", help="The default body, or an official SMPL file.")
@click.option("--fps", type=float, default=None, help="Frames a second, where the video does not know.")
@click.option("--floor-threshold", type=float, default=0.03, help="Metres a point of the floor may be off its plane.")
@click.option("--device", default="auto", help="auto: a GPU where there is one.")
@click.option("--seed", type=int, default=0, help="Of what is drawn.")
@click.option("--force", is_flag=True, help="Write into a folder that holds a reconstruction.")
@click.option("--check", is_flag=True, help="Say which weights are here, what for, and where the others come from.")
def reconstruct_video(
    video: Path | None, annotations: Path | None, out: Path | None, camera: Path | None, depth: Path | None,
    weights: Path | None, body: str, fps: float | None, floor_threshold: float, device: str, seed: int, force: bool,
    check: bool,
) -> None:  # fmt: skip
    """Make a metric room and SMPL people, in one world, of a fixed camera's video.

    VIDEO is a video, a folder of pictures, or a recording's folder (docs/teton-format.md). OUT gets room/ (for
    `synth-render --scene OUT/room`), interaction.npz, overlay.mp4, cloud.ply and index.html with the quality record.
    The same command again goes on where it was stopped.
    """
    from synth.reconstruct.weights import table

    if check:
        click.echo(table(weights))
        return
    if video is None or out is None:
        raise BadOption("VIDEO, --out", (video, out), "a video and a folder for what is found")
    if (out / "index.html").exists() and not force:
        raise BadOption("--out", str(out), "a folder without a reconstruction, or --force")
    if fps is not None and not 0 < fps <= 1000:
        raise BadOption("--fps", fps, "frames a second above 0")
    if seed < 0:
        raise BadOption("--seed", seed, "a whole number of 0 or more")
    from synth.body import load_body
    from synth.reconstruct.outputs import write_reconstruction
    from synth.reconstruct.pipeline import Settings, name_of, reconstruct
    from synth.reconstruct.record import verdict
    from synth.reconstruct.weights import networks

    settings = Settings(
        annotations, camera, depth, networks(weights), _device(device), body, fps, floor_threshold, seed
    )  # fmt: skip
    found = reconstruct(video, settings, out / "cache", _reporter())
    record = write_reconstruction(found, out, name_of(video), load_body(body))
    click.echo(verdict(record)[1])
    click.echo(f"{out / 'index.html'}: {len(record.people)} people, {record.frames} frames")


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise BadOption(
            "--device", name, f"auto, cpu or a device that is here ({str(error).splitlines()[0]})"
        ) from None
    return name


def _reporter() -> Callable[[str, float], None]:
    """A line a stage; on a terminal it counts."""
    last: list[str] = []

    def report(stage: str, share: float) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{NAMES[stage]:20s} {100 * share:3.0f} %", nl=share >= 1, err=True)
        elif last[-1:] != [stage]:
            click.echo(NAMES[stage], err=True)
        last.append(stage)

    return report
