"""The rooms one can choose: those that ship with CareSynth, and folders of the user's own."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CareSynthError
from .thumbnails import FOLDER, icon

_TITLES = {
    "ward_01": "Single-bed hospital ward",
    "ward_02": "Two-bed hospital ward",
    "ward_03": "Care-home bedroom",
    "ward_04": "Accessible bathroom",
    "ward_05": "Lounge",
    "ward_06": "Corridor",
}
_CAMERAS = ("corner", "door", "ceiling")


@dataclass(frozen=True)
class RoomInfo:
    """What the panel says about a room. ``furniture``: ids; ``cameras``: names."""

    id: str
    title: str
    furniture: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()


_known: dict[str, RoomInfo] = {name: RoomInfo(name, title, cameras=_CAMERAS) for name, title in _TITLES.items()}
_items: list[tuple[str, str, str, int, int]] = []  # Blender keeps no copy of the strings of an enumeration


def known() -> dict[str, RoomInfo]:
    """The built-in rooms by id."""
    return _known


def learn(entries: list[dict[str, Any]]) -> None:
    """Take over what the back end says of its rooms."""
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("id"), str):
            _known[entry["id"]] = RoomInfo(
                entry["id"],
                _capital(str(entry.get("title") or entry["id"])),
                tuple(str(name) for name in entry.get("furniture", ())),
                tuple(str(name) for name in entry.get("cameras", ())),
            )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def items(_owner: Any = None, _context: Any = None) -> list[tuple[str, str, str, int, int]]:
    """The choices of an enumeration, with pictures."""
    global _items
    _items = [
        (room.id, room.title, f"{room.title} ({room.id})", icon(FOLDER / f"{room.id}.jpg"), number)
        for number, room in enumerate(sorted(_known.values(), key=lambda room: room.id))
    ]
    return _items


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object whose numbers are finite, or `CareSynthError`."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"), parse_float=_finite, parse_constant=_finite)
    except OSError as error:
        raise CareSynthError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise CareSynthError(f"{path} is damaged: its JSON cannot be read") from None
    if not isinstance(value, dict):
        raise CareSynthError(f"{path} is damaged: it holds no object")
    return value


def _finite(text: str) -> float:
    """Also of what Python's reader takes beyond JSON: NaN and Infinity."""
    if not math.isfinite(float(text)):
        raise ValueError(text)
    return float(text)


def read_folder(folder: Path) -> dict[str, Any]:
    """``room.json`` of a room of the user's.

    Raises:
        CareSynthError: it is not a room's folder.
    """
    for name in ("room.json", "room.glb"):
        if not (folder / name).is_file():
            raise CareSynthError(f"{folder} is not a room: it has no {name}")
    value = read_json(folder / "room.json")
    if not isinstance(value.get("cameras"), list):
        raise CareSynthError(f"{folder / 'room.json'} is not a room's description")
    return value
