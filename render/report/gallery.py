"""The data set's gallery: one ``index.html`` that a browser opens from the disk, with nothing from outside.

Every clip is plain HTML that is there without scripts; the script adds play on hover, filters and the moving playhead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from render.report.record import UNCLASSIFIED, ClipRecord, Segment, count, read_records
from synth.files import write_text
from synth.taxonomy import ACTIONS

# Hue, saturation, lightness of each action: calm for what lasts, strong for what changes, red only for the fall.
COLOURS: dict[str, str] = {
    "standing": "#9fb4c7", "walk": "#4f8fd9", "sitting": "#8fc7a6", "lying": "#b7a6d9", "fallen": "#e8907c",
    "stand_up": "#2f9e63", "sit_down": "#c2a227", "lie_down": "#8661c9", "fall": "#d92d20", "kneeling": "#d3b48c",
    "kneel_down": "#b07a35", "squatting": "#c6cf7a", "squat_down": "#8b9a2b", "crawl": "#2aa5a5", "jump": "#e05fa7",
    "other": "#c9c9c9",
}  # fmt: skip
UNKNOWN = "#c9c9c9"


def write_gallery(folder: Path) -> None:
    """Write ``FOLDER/index.html``."""
    records, dataset = read_records(folder)
    write_text(folder / "index.html", gallery_html(records, dataset))


def gallery_html(records: Sequence[ClipRecord], dataset: Mapping[str, Any] | None = None) -> str:
    """The page. Every text from outside is escaped."""
    settings = (dataset or {}).get("settings")
    room = Path(str(settings.get("scene", ""))).name if isinstance(settings, Mapping) else ""
    seconds = sum(r.seconds for r in records)
    used = [name for name in ACTIONS if any(s.label == name for r in records for s in r.segments)]
    source = files("render.report")
    return _PAGE.format(
        style=source.joinpath("gallery.css").read_text(encoding="utf-8"),
        script=source.joinpath("gallery.js").read_text(encoding="utf-8"),
        colours="".join(f'[data-a="{name}"]{{--c:{colour}}}' for name, colour in COLOURS.items()),
        title=escape(f"{len(records)} clip{'s' * (len(records) != 1)}" + (f" in {room}" if room else "")),
        summary=escape(_summary(records, seconds)),
        filters="".join([
            _select("class", "Class", [r.cls for r in records]),
            _select("camera", "Camera", [r.camera for r in records]),
            _select("light", "Light", [r.light for r in records]),
        ]),
        legend="".join(_legend(name) for name in used),
        clips="".join(_clip(record, index) for index, record in enumerate(records)) or _EMPTY,
        count=len(records),
    )  # fmt: skip


def words(label: str) -> str:
    """A label of the taxonomy as people write it."""
    return label.replace("_", " ")


def _summary(records: Sequence[ClipRecord], seconds: float) -> str:
    if not records:
        return "No clip is finished yet."
    people = sum(len(r.roles) for r in records)
    sizes = sorted({f"{r.width} × {r.height}" for r in records})
    kinds = len({r.cls for r in records})
    classes = f"{kinds} class{'es' * (kinds != 1)}"
    return f"{seconds:.0f} s of video, {people} people, {classes}, {', '.join(sizes[:3])} px"


def _select(name: str, title: str, values: Sequence[str]) -> str:
    rows = count(list(values))
    if len(rows) < 2:
        return ""
    options = "".join(
        f'<option value="{escape(value)}">{escape(words(value) or "none")} ({number})</option>'
        for value, number in rows
    )
    return f'<label>{title}<select name="{name}"><option value="">All</option>{options}</select></label>'


def _legend(name: str) -> str:
    return f'<button type="button" data-a="{name}" aria-pressed="false"><i></i>{escape(words(name))}</button>'


def _clip(record: ClipRecord, index: int) -> str:
    actions = " ".join(sorted({s.label for s in record.segments}))
    cls = "" if record.cls == UNCLASSIFIED else words(record.cls)
    facts = [cls, record.room, words(record.camera), record.light, f"{record.seconds:.1f} s"]
    shown = "".join(f"<li>{escape(fact)}</li>" for fact in facts if fact)
    rows = "".join(_timeline(record, person) for person in range(len(record.roles)))
    warning = f'<p class="warn">{escape(record.warning)}</p>' if record.warning else ""
    more = f"seed {record.seed}" + ("" if record.similarity is None else f", similarity {record.similarity:.2f}")
    return (
        f'<article class="clip" data-class="{escape(record.cls)}" data-camera="{escape(record.camera)}" '
        f'data-light="{escape(record.light)}" data-actions="{escape(actions)}" data-seconds="{record.seconds:.4f}">'
        f'<a class="screen" href="{_url(record.video)}" data-video="{_url(record.video)}" '
        f'style="aspect-ratio:{record.width}/{record.height}" aria-label="Play: {escape(record.prompt)}">'
        f'<img src="{_url(record.poster)}" alt="" loading="{"eager" if index < 6 else "lazy"}" decoding="async" '
        f'width="{record.width}" height="{record.height}"></a>'
        f'<div class="text"><h2>{escape(record.prompt)}</h2><ul class="facts">{shown}</ul>'
        f'<div class="lines">{rows}<b class="head" hidden></b></div>{warning}'
        f'<p class="more"><span>{escape(record.id)}</span><span>{escape(more)}</span>'
        f'<a href="{_url(record.labels)}">labels</a></p></div></article>\n'
    )


def _timeline(record: ClipRecord, person: int) -> str:
    own = [s for s in record.segments if s.person == person]
    role = record.roles[person]
    spoken = "; ".join(f"{words(s.label)} {s.start:.1f} to {s.end:.1f} s" for s in own) or "nobody there"
    bars = "".join(_bar(s, record.seconds) for s in own)
    return (
        f'<div class="line"><span class="role">{escape(role)}</span>'
        f'<span class="bar" role="img" aria-label="{escape(role)}: {escape(spoken)}">{bars}</span></div>'
    )


def _bar(segment: Segment, seconds: float) -> str:
    left = 100 * segment.start / max(seconds, 1e-9)
    width = 100 * (segment.end - segment.start) / max(seconds, 1e-9)
    name = words(segment.label)
    shown = name if width > 2.2 * len(name) + 3 else ""
    return (
        f'<i data-a="{escape(segment.label)}" style="left:{left:.2f}%;width:{width:.2f}%" '
        f'title="{escape(name)} {segment.start:.1f}–{segment.end:.1f} s">{escape(shown)}</i>'
    )


def _url(path: str) -> str:
    return escape(quote(path))


_EMPTY = '<p class="none">No clip is finished yet. Run the same command again to go on.</p>'

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'self' file: data: 'unsafe-inline'; connect-src 'none'">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}{colours}</style>
</head>
<body>
<header>
<div class="top"><div><h1>{title}</h1><p>{summary}</p></div>
<button type="button" id="theme" hidden aria-label="Switch between light and dark">◐</button></div>
<form id="filters" role="search" hidden>
<label class="wide">Prompt
<input type="search" name="prompt" placeholder="words of the prompt" autocomplete="off"></label>
{filters}
<button type="reset">Show all</button>
<output id="found" aria-live="polite">{count} of {count}</output>
</form>
<div id="legend" class="legend" role="group" aria-label="Actions: colours, and filter">{legend}</div>
</header>
<main id="clips">
{clips}</main>
<p id="nothing" class="none" hidden>No clip fits. Change the filters or show all.</p>
<script>{script}</script>
</body>
</html>
"""
