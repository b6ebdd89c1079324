"""Dataset: a folder with ``clips/``, ``manifest.jsonl``, ``dataset.json``, a card and a gallery."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from render.clip import Clip, is_done
from render.plan import JobSettings
from synth.errors import BadFile, BadOption
from synth.files import read_json, write_json, write_text

VERSION = 1
SETTINGS_FILE, MANIFEST, LOCK, CLIPS = "dataset.json", "manifest.jsonl", ".lock", "clips"


def open_dataset(folder: Path, settings: JobSettings, versions: dict[str, str]) -> bool:
    """Make the folder for this job, or go on in the one that the same job has begun; whether it is new.

    Raises:
        BadOption: the folder belongs to another job (the message names the setting) or holds something else.
    """
    wanted = settings.to_json()
    if folder.exists() and not folder.is_dir():
        raise BadOption("--out", str(folder), "a folder, new or of this same job; this is a file")
    path = folder / SETTINGS_FILE
    if path.exists():
        found = read_json(path)
        job = found.get("settings") if isinstance(found, dict) else None
        if not isinstance(job, dict):
            raise BadFile(path, "settings", job, "the settings of a data set")
        for name in sorted(wanted):
            if job.get(name) != wanted[name]:
                raise BadOption(
                    "--out", str(folder), f"a new folder: this one belongs to a job with other settings "
                    f"({name} is {_brief(job.get(name))} there, {_brief(wanted[name])} here)",
                )  # fmt: skip
        (folder / CLIPS).mkdir(exist_ok=True)
        return False
    others = [item for item in sorted(folder.iterdir()) if not _is_leftover(item)] if folder.exists() else []
    if others:
        raise BadOption("--out", str(folder), f"a new or empty folder: this one holds {others[0].name} and no data set")
    (folder / CLIPS).mkdir(parents=True, exist_ok=True)
    write_json(path, {"version": VERSION, "settings": wanted, "versions": versions})
    return True


def _is_leftover(item: Path) -> bool:
    """Whether it is from a job that ended before there was a data set."""
    if item.name == CLIPS:
        return item.is_dir() and not any(item.iterdir())
    return item.name == LOCK or fnmatch(item.name, ".dataset.*.tmp.json")


def note_versions(folder: Path, versions: dict[str, str]) -> str | None:
    """Add the versions that make the next clips to ``dataset.json``; a warning if they are not those of the first.

    Clips that are there are kept: they are whole, and each says in its ``labels.json`` what made it.
    """
    value = read_settings(folder)
    first, since = value.get("versions"), value.get("versions_since", [])
    if first == versions:
        return None
    if not isinstance(first, dict) or not isinstance(since, list):
        raise BadFile(folder / SETTINGS_FILE, "versions, versions_since", [first, since], "an object and a list")
    if versions not in since:
        write_json(folder / SETTINGS_FILE, value | {"versions_since": [*since, versions]})
    changed = [
        f"{name} {first.get(name)} then, {versions.get(name)} now"
        for name in sorted({*first, *versions})
        if first.get(name) != versions.get(name)
    ]
    return f"{folder} was begun with other versions, which make other clips of the same seed: {'; '.join(changed)}"


def discard_if_empty(folder: Path) -> bool:
    """Remove a data set that came to hold no clip, and its folder if nothing else is in it; whether it was removed."""
    if clips_of(folder):
        return False
    shutil.rmtree(folder / CLIPS, ignore_errors=True)
    for name in (SETTINGS_FILE, MANIFEST):
        (folder / name).unlink(missing_ok=True)
    return True


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep the folder to one job at a time; the lock ends with the process, however it ends.

    Raises:
        BadOption: another process is making clips in this folder.
    """
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        yield
        return
    existed = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadOption("--out", str(folder), "a folder that no other synth-render is working in") from None
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                (folder / LOCK).unlink()
            if not existed:
                with contextlib.suppress(OSError):
                    folder.rmdir()  # only succeeds if nothing came into being
    finally:
        os.close(handle)


def clips_of(folder: Path) -> list[Clip]:
    """The finished clips of a data set, by id. Only looks for their seal; ``open_clip`` checks it."""
    return [Clip(path.parent) for path in sorted((folder / CLIPS).glob("[!.]*/DONE"))]


def clean_up(folder: Path) -> None:
    """Remove what a killed run left: temporary files and folders, and clips that are not whole."""
    for path in sorted((folder / CLIPS).glob("*")):
        if path.is_dir() and (path.name.startswith(".") or not is_done(path)):
            shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob(".*.tmp*"):
        path.unlink(missing_ok=True)


def manifest_line(clip: Clip) -> dict[str, Any]:
    """What ``manifest.jsonl`` says of a clip; paths are relative to the data set."""
    info = clip.info
    return {
        "id": clip.id,
        "video": f"clips/{clip.id}/video.mp4",
        "labels": f"clips/{clip.id}/labels.json",
        "prompt": info["prompt"],
        "class": info["class"],
        "room": info["room"],
        "camera": info["camera"]["name"],
        "light": info["light"],
        "roles": [person["role"] for person in info["people"]],
        "actions": sorted({segment["label"] for segment in info["segments"]}),
        "frames": info["frames"],
        "fps": info["fps"],
        "width": info["camera"]["width"],
        "height": info["camera"]["height"],
        "seed": info["seed"],
        "warning": info["warning"],
    }


def write_manifest(folder: Path) -> list[Clip]:
    """Write ``manifest.jsonl`` (one line a finished clip, by id) and return the clips."""
    clips = clips_of(folder)
    lines = [json.dumps(manifest_line(clip), sort_keys=True, ensure_ascii=False) for clip in clips]
    write_text(folder / MANIFEST, "".join(line + "\n" for line in lines))
    return clips


def write_report(folder: Path) -> None:
    """Write the card and the gallery."""
    from render.report import write_card, write_gallery

    write_card(folder)
    write_gallery(folder)


def read_settings(folder: Path) -> dict[str, Any]:
    """``dataset.json``.

    Raises:
        BadFile: not a data set.
    """
    value = read_json(folder / SETTINGS_FILE)
    if not isinstance(value, dict) or "settings" not in value:
        raise BadFile(folder / SETTINGS_FILE, "settings", None, "the settings of a data set")
    return value
