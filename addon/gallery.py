"""What was made: a list that outlives the session, and the pages of data sets."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from .errors import CareSynthError

LIST = "results.jsonl"  # in the folder for results; a line for each
_MOST = 200


def new_folder(output: Path, kind: str) -> Path:
    """A name that is free, in the folder for results: after all that are there, so that the highest is the newest."""
    return output / f"{kind}_{_highest(output, kind) + 1:04d}"


def latest_folder(output: Path, kind: str) -> Path:
    """The newest of that kind; the first one's name where there is none."""
    return output / f"{kind}_{max(_highest(output, kind), 1):04d}"


def _highest(output: Path, kind: str) -> int:
    """The highest number of that kind; 0 where there is none. Gaps do not matter: users delete folders."""
    numbers = [path.name.removeprefix(f"{kind}_") for path in output.glob(f"{kind}_*")]
    return max((int(number) for number in numbers if number.isascii() and number.isdigit()), default=0)


def remember(output: Path, event: Mapping[str, Any], prompt: str) -> None:
    """Add a result to the list."""
    line = {
        "folder": str(event["folder"]), "title": str(event.get("title") or prompt), "prompt": prompt,
        "seed": _whole(event.get("seed")), "thumbnail": str(event.get("thumbnail") or ""),
    }  # fmt: skip
    output.mkdir(parents=True, exist_ok=True)
    with open(output / LIST, "a+b") as out:
        out.seek(max(out.seek(0, os.SEEK_END) - 1, 0))
        start = b"" if out.read() in (b"", b"\n") else b"\n"  # after a line that was cut off
        out.write(start + json.dumps(line).encode() + b"\n")


def remembered(output: Path) -> list[dict[str, Any]]:
    """The results whose folders are still there, the latest first."""
    try:
        text = (output / LIST).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    found: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            if Path(entry["folder"], "stage.json").is_file():
                found.pop(entry["folder"], None)
                found[entry["folder"]] = entry
        except (ValueError, KeyError, TypeError, OSError, RecursionError):
            continue  # a line cut off by a full disk, perhaps in the middle of a letter
    return list(found.values())[::-1][:_MOST]


def refresh(context: bpy.types.Context, output: Path) -> None:
    """Fill the panel's list."""
    state = context.window_manager.caresynth
    chosen = state.results[state.result].folder if 0 <= state.result < len(state.results) else ""
    state.results.clear()
    for entry in remembered(output):
        item = state.results.add()
        item.name = str(entry.get("title") or entry.get("prompt") or Path(entry["folder"]).name)
        item.folder, item.prompt = entry["folder"], str(entry.get("prompt") or "")
        item.seed, item.thumbnail = _whole(entry.get("seed")), str(entry.get("thumbnail") or "")
    folders = [item.folder for item in state.results]
    state.result = folders.index(chosen) if chosen in folders else 0


def page_of(folder: Path) -> Path:
    """The gallery of a data set.

    Raises:
        CareSynthError: there is none.
    """
    page = folder / "index.html"
    if not page.is_file():
        raise CareSynthError(f"{folder} has no gallery yet: render labelled clips first")
    return page


def _whole(value: Any) -> int:
    if isinstance(value, Mapping):
        value = value.get("job")
    return value if isinstance(value, int) and 0 <= value < 2**31 else 0


def show_in_browser(path: Path) -> None:
    """Open a page with what the system opens pages with."""
    bpy.ops.wm.url_open(url=Path(os.path.abspath(path)).as_uri())


@persistent
def _fill(*_: Any) -> None:
    """Show what earlier sessions made: at the start, and after a file was opened."""
    from .preferences import output_folder

    if __package__ in bpy.context.preferences.addons:
        refresh(bpy.context, output_folder(bpy.context))


def register() -> None:
    bpy.app.handlers.load_post.append(_fill)
    bpy.app.timers.register(_fill, first_interval=0.5, persistent=True)


def unregister() -> None:
    bpy.app.handlers.load_post.remove(_fill)
    if bpy.app.timers.is_registered(_fill):
        bpy.app.timers.unregister(_fill)
