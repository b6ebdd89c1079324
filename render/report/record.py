"""What the card and the gallery need to know of a clip, read from its ``labels.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from render.clip import Clip
from render.dataset import SETTINGS_FILE, clips_of
from synth.files import read_json

UNCLASSIFIED = "unclassified"  # the class of what the taxonomy has none for (drinking, waving)


@dataclass(frozen=True)
class Segment:
    """Person ``person`` does ``label`` from ``start`` to ``end`` seconds."""

    person: int
    start: float
    end: float
    label: str


@dataclass(frozen=True)
class ClipRecord:
    """One clip. Paths are relative to the data set, with forward slashes."""

    id: str
    video: str
    poster: str
    labels: str
    prompt: str
    cls: str
    room: str
    camera: str
    light: str
    seconds: float
    fps: float
    frames: int
    width: int
    height: int
    roles: tuple[str, ...]
    segments: tuple[Segment, ...]
    seed: str
    generator: str
    similarity: float | None
    rejected: int
    warning: str
    licences: tuple[tuple[str, str, str], ...]  # (what, name, licence)
    credits: tuple[str, ...]


def read_records(folder: Path) -> tuple[list[ClipRecord], dict[str, Any]]:
    """The finished clips of a data set and its ``dataset.json``."""
    settings = read_json(folder / SETTINGS_FILE) if (folder / SETTINGS_FILE).exists() else {}
    return records_of(clips_of(folder)), settings if isinstance(settings, dict) else {}


def records_of(clips: Iterable[Clip]) -> list[ClipRecord]:
    """A record for each clip, in the given order. What an older clip does not say stays empty."""
    return [record_of(clip.id, clip.info) for clip in clips]


def record_of(identifier: str, info: Mapping[str, Any]) -> ClipRecord:
    """A clip's record from its ``labels.json``."""
    camera, seed, match = _object(info, "camera"), info.get("seed"), _object(info, "match")
    licences, credits = _licences(_object(info, "licences"))
    fps, frames = float(info.get("fps") or 1.0), int(info.get("frames") or 0)
    similarity = match.get("similarity")
    return ClipRecord(
        id=identifier,
        video=f"clips/{identifier}/video.mp4",
        poster=f"clips/{identifier}/poster.jpg",
        labels=f"clips/{identifier}/labels.json",
        prompt=str(info.get("prompt") or ""),
        cls=str(info.get("class") or UNCLASSIFIED),
        room=str(info.get("room") or ""),
        camera=str(camera.get("name") or ""),
        light=str(info.get("light") or ""),
        seconds=frames / fps,
        fps=fps,
        frames=frames,
        width=int(camera.get("width") or 320),
        height=int(camera.get("height") or 240),
        roles=tuple(str(person.get("role", "person")) for person in info.get("people", ())),
        segments=tuple(
            Segment(int(s["person"]), float(s["start"]), float(s["end"]), str(s["label"]))
            for s in info.get("segments", ())
        ),
        seed=f"{seed.get('job')} take {seed.get('take')}" if isinstance(seed, Mapping) else str(seed),
        generator=str(info.get("generator") or ""),
        similarity=float(similarity) if isinstance(similarity, (int, float)) else None,
        rejected=int(info.get("rejected") or 0),
        warning=str(info.get("warning") or ""),
        licences=licences,
        credits=credits,
    )


def _licences(value: Mapping[str, Any]) -> tuple[tuple[tuple[str, str, str], ...], tuple[str, ...]]:
    rows, credits = [], []
    for what in ("body", "motion", "room"):
        item = _object(value, what)
        name = item.get("dataset") or item.get("name") or item.get("source") or ""
        licence = item.get("licence") or item.get("license") or ""
        if name or licence:
            rows.append((what, str(name), str(licence)))
        if item.get("credit"):
            credits.append(str(item["credit"]))
    return tuple(rows), tuple(credits)


def _object(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def count(values: Sequence[str]) -> list[tuple[str, int]]:
    """Different values with how often they occur, the most frequent first."""
    return sorted(((value, values.count(value)) for value in set(values)), key=lambda row: (-row[1], row[0]))
