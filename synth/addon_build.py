"""``synth addon build``: the Blender extension, packed and checked by Blender's own tool, and a repository for it.

The tool lies inside the installed ``bpy`` and runs without it: nothing here imports Blender.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from synth import __version__
from synth.errors import BadFile, BadOption, CareSynthError, Missing
from synth.files import atomic_path

MANIFEST = "blender_manifest.toml"
WANTED = {".py", ".jpg", ".png", ".json"}  # suffixes of what belongs into the extension
TOOL = "scripts/addons_core/bl_pkg/cli/blender_ext.py"
LIMIT_S = 120


@dataclass(frozen=True)
class Built:
    """What a build wrote."""

    archive: Path
    index: Path
    files: int


@click.group()
def addon() -> None:
    """The Blender extension."""


@addon.command("build")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the zip and index.json.")
@click.option(
    "--checkout",
    type=click.Path(path_type=Path),
    help="CareSynth's source, with addon/ and blender_manifest.toml. By default the one that this command runs from.",
)
def build_command(out: Path, checkout: Path | None) -> None:
    """Pack the extension into OUT, check it with Blender's validator and write a repository's index.json beside it."""
    built = build(out, checkout)
    click.echo(f"{built.archive}: {built.files} files, valid")
    click.echo(f"{built.index}: serve this folder and add its address in Blender's preferences, Get Extensions")


def build(out: Path, checkout: Path | None = None) -> Built:
    """Pack, validate and index the extension; the same source gives the same bytes.

    Raises:
        Missing: no checkout, or no ``bpy`` with Blender's tool in it.
        BadFile: the manifest is wrong, or Blender's validator refuses what was packed.
        BadOption: ``out`` is a file.
    """
    source = Path(__file__).resolve().parents[1] if checkout is None else checkout
    if not (source / "addon" / "__init__.py").is_file() or not (source / MANIFEST).is_file():
        raise Missing(
            f"the extension's source (addon/ and {MANIFEST} in {source})",
            "run this in a checkout of CareSynth or name one with --checkout",
        )
    if out.exists() and not out.is_dir():
        raise BadOption("--out", str(out), "a folder, or a name that is still free")
    manifest = _manifest(source / MANIFEST)
    tool = blender_tool()
    with tempfile.TemporaryDirectory(prefix="caresynth-addon-") as scratch:
        stage, shelf = Path(scratch) / "stage", Path(scratch) / "repository"
        _stage(source, stage)
        shelf.mkdir()
        packed = shelf / f"{manifest['id']}-{manifest['version']}.zip"
        _blender(tool, source / MANIFEST, "build", "--source-dir", str(stage), "--output-filepath", str(packed))
        files = _even(packed)
        _blender(tool, source / MANIFEST, "validate", str(packed))
        _blender(tool, source / MANIFEST, "server-generate", "--repo-dir", str(shelf))
        out.mkdir(parents=True, exist_ok=True)
        for made in (packed, shelf / "index.json"):
            with atomic_path(out / made.name) as target:
                shutil.copyfile(made, target)
    return Built(out / packed.name, out / "index.json", files)


def blender_tool() -> Path:
    """Blender's ``blender_ext.py`` beside the installed ``bpy``, which is not imported.

    Raises:
        Missing: there is no ``bpy``, or it has no such tool.
    """
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        raise Missing(
            "Blender's module bpy", f"{sys.executable} -m pip install bpy, or use CareSynth's own environment"
        )
    found = sorted(Path(spec.origin).parent.glob(f"[0-9]*/{TOOL}"))
    if not found:
        raise Missing(f"Blender's packer ({TOOL} in {Path(spec.origin).parent})", "install bpy 4.2 or later")
    return found[-1]


def _manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadFile(path, "file", str(error), "TOML in UTF-8") from None
    for field in ("id", "version"):
        if not isinstance(manifest.get(field), str):
            raise BadFile(path, field, manifest.get(field), "a string")
    if manifest["version"] != __version__:
        raise BadFile(path, "version", manifest["version"], f"{__version__}, CareSynth's own")
    return manifest


def _stage(source: Path, stage: Path) -> None:
    """Lay out what belongs into the extension, and nothing else that may lie in the checkout."""
    stage.mkdir()
    for name in (MANIFEST, "LICENSE"):
        shutil.copyfile(source / name, stage / name)
    for file in sorted((source / "addon").rglob("*")):
        inside = file.relative_to(source / "addon")
        hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
        if file.is_file() and not file.is_symlink() and not hidden and file.suffix in WANTED:
            (stage / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, stage / inside)


def _even(archive: Path) -> int:
    """Sort an archive's members and set one date and mode for all, so that its bytes depend on the source alone."""
    with zipfile.ZipFile(archive) as old:
        members = {info.filename: (info.compress_type, old.read(info)) for info in old.infolist()}
    with zipfile.ZipFile(archive, "w") as new:
        for name in sorted(members):
            compression, content = members[name]
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type, info.external_attr, info.create_system = compression, 0o644 << 16, 3
            new.writestr(info, content, compresslevel=9)
    return len(members)


def _blender(tool: Path, manifest: Path, *arguments: str) -> None:
    """Run Blender's tool; what it refuses is the manifest's fault or the files' beside it."""
    command = [sys.executable, "-S", "-I", str(tool), *arguments, "--output-type", "JSON"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise CareSynthError(f"Blender's tool {arguments[0]} did not end within {LIMIT_S} s") from None
    said = [_message(line) for line in done.stdout.splitlines()]
    errors = [text for kind, text in said if "ERROR" in kind]
    if errors or done.returncode:
        last = [text for _, text in said] + done.stderr.strip().splitlines()
        found = re.sub(r'Error parsing TOML "[^"]*"', "", (errors or last or [f"exit status {done.returncode}"])[-1])
        raise BadFile(manifest, f"Blender's {arguments[0]}", found, "an extension that Blender accepts")


def _message(line: str) -> tuple[str, str]:
    try:
        kind, text = json.loads(line)
    except ValueError:
        return "", line
    return str(kind), str(text)
