"""A page that shows a reconstruction and says how good it is: one file that a browser opens from the disk.

Pictures are inside the page; the overlay's video lies beside it. Nothing is asked for from outside, and no script runs.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from os import PathLike
from pathlib import Path
from string import Template
from urllib.parse import quote

import numpy as np
from PIL import Image

from synth.errors import BadOption
from synth.files import write_json, write_text
from synth.reconstruct import record as limits
from synth.reconstruct.overlay import COLOURS
from synth.reconstruct.record import PersonRecord, SceneRecord, verdict, weak

QUALITY = 88  # of the pictures, JPEG
ORIGINS = {"recording": "given with the recording", "estimated": "estimated from the picture", "default": "unknown: a "
           "usual one"}  # fmt: skip
LENSES = {"pinhole": "pinhole", "brown_conrady": "Brown-Conrady", "fisheye": "fisheye"}


@dataclass(frozen=True)
class Pictures:
    """What a report can show; None is left out.

    Attributes:
        still: uint8 [H, W, 3], a frame of the recording, or the scene without people.
        sheet: uint8 [H, W, 3], overlays (`overlay.contact_sheet`).
        top_view: an `<svg>` (`topview.top_view`).
        video: name of the overlay's video in the report's folder.
        poster: uint8 [H, W, 3], what stands there until the video is played.
    """

    still: np.ndarray | None = None
    sheet: np.ndarray | None = None
    top_view: str | None = None
    video: str | None = None
    poster: np.ndarray | None = None


def write_report(folder: str | PathLike[str], record: SceneRecord, pictures: Pictures | None = None) -> Path:
    """Write ``FOLDER/index.html`` and ``FOLDER/quality.json``; the page's path.

    Raises:
        BadOption: a picture is no uint8 [H, W, 3], or the video is not in the folder.
    """
    pictures = pictures or Pictures()
    place = Path(folder)
    if pictures.video is not None and not (place / pictures.video).is_file():
        raise BadOption("pictures.video", pictures.video, f"a file in {place}")
    text = report_html(record, pictures)
    write_json(place / "quality.json", record.to_json())
    write_text(place / "index.html", text)
    return place / "index.html"


def report_html(record: SceneRecord, pictures: Pictures) -> str:
    """The page. Every text from outside is escaped."""
    grade, sentence = verdict(record)
    sentences = weak(record)
    count = len(record.people)
    return Template(files("synth.reconstruct").joinpath("report.html").read_text(encoding="utf-8")).substitute(
        title=escape(record.name),
        facts=escape(f"{record.seconds:.1f} s, {count} {'person' if count == 1 else 'people'}, {record.fps:g} fps"),
        grade=grade,
        verdict=escape(sentence),
        pictures="\n".join(_figures(pictures)),
        columns="".join(f"<th>{title}<small>{unit}</small></th>" for title, unit, *_ in _HEAD + _COLUMNS),
        people="\n".join(_row(person, record.fps) for person in record.people),
        scene="\n".join(_fact(*fact) for fact in _scene(record)),
        weak=f'<ul class="weak">{"".join(f"<li>{escape(text)}</li>" for text in sentences)}</ul>'
        if sentences
        else '<p class="fine">Nothing: every figure is within its limits.</p>',
    )


def _figures(pictures: Pictures) -> list[str]:
    small = []
    if pictures.video is not None:
        url = escape(quote(pictures.video))
        first = "" if pictures.poster is None else f' poster="{_data_url("pictures.poster", pictures.poster)}"'
        video = f'<video src="{url}"{first} controls loop muted playsinline preload="metadata"></video>'
        small.append((video, "The recovered people over the recording."))
    if pictures.still is not None:
        url = _data_url("pictures.still", pictures.still)
        small.append((f'<img src="{url}" alt="The scene as the camera sees it">', "As the camera sees it."))
    if pictures.top_view is not None:
        small.append((pictures.top_view, "From above: a ring is where somebody starts, a disc where the path ends."))
    found = [_figure(*item, "wide" if len(small) % 2 and item is small[-1] else "") for item in small]
    if pictures.sheet is not None:
        url = _data_url("pictures.sheet", pictures.sheet)
        caption = "Staff is blue, patients are orange, others purple. The grid on the floor is half a metre wide."
        found.append(_figure(f'<img src="{url}" alt="Frames with the recovered people">', caption, "wide"))
    return found


def _figure(inside: str, caption: str, kind: str) -> str:
    return f'<section class="{kind}"><figure>{inside}<figcaption>{caption}</figcaption></figure></section>'


def _data_url(name: str, image: np.ndarray) -> str:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise BadOption(name, f"{image.dtype} {image.shape}", "uint8 [H, W, 3]")
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=QUALITY, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


_HEAD = (("Person", ""), ("Seen", "frames"))
_Figure = Callable[[PersonRecord], float | None]
# title, unit, value, format, and from where on it is weak at a frame rate
_COLUMNS: tuple[tuple[str, str, _Figure, str, Callable[[float], float]], ...] = (
    ("Reprojection before", "px", lambda p: p.reprojection_before, ".1f", lambda _: np.inf),
    ("Reprojection", "px", lambda p: p.reprojection, ".1f", lambda _: np.inf),
    ("of the height", "%", lambda p: _times(p.relative_error, 100), ".1f", lambda _: 100 * limits.REPROJECTION),
    ("Not believed", "%", lambda p: _times(p.mask_rate, 100), ".0f", lambda _: 100 * limits.MASKED),
    ("Foot slide", "mm a frame", lambda p: p.foot_slide, ".1f", lambda fps: 1000 * limits.SLIDE / fps),
    ("Jitter", "m/s³", lambda p: p.jitter, ".0f", lambda _: limits.JITTER),
    ("In the floor", "cm, deepest", lambda p: p.floor_penetration, ".1f", lambda _: limits.SUNK),
    ("In others", "cm, mean", lambda p: p.others_penetration, ".1f", lambda _: limits.INTO_OTHERS),
)


def _times(value: float | None, unit: float) -> float | None:
    return None if value is None else value * unit


def _row(person: PersonRecord, fps: float) -> str:
    colour = "#{:02x}{:02x}{:02x}".format(*COLOURS.get(person.role, COLOURS["person"]))
    few = ' class="over"' if person.frames_seen < limits.SEEN * person.frames else ""
    cells = [
        f'<td><i style="--c:{colour}"></i>{escape(person.name)}</td>',
        f"<td{few}>{person.frames_seen} of {person.frames}</td>",
    ]
    for _, _, figure, form, limit in _COLUMNS:
        value = figure(person)
        over = ' class="over"' if value is not None and value > limit(fps) else ""
        cells.append(f"<td{over}>{'–' if value is None else format(value, form)}</td>")
    return f"<tr>{''.join(cells)}</tr>"


def _scene(record: SceneRecord) -> Sequence[tuple[str, str, str]]:
    """Name, value and remark of the scene's figures."""
    lens = LENSES.get(record.lens, record.lens)
    off = _shown(record.floor_residual, "{0:.1f} cm", 100)
    what, share = "Floor, residual", _shown(record.floor_inliers, "{0:.0%} of its points are on it")
    if record.floor_of_people:
        what = "Floor, bodies off upright ones"
        share = _shown(record.floor_inliers, "at {0:.0%} of their places people stand on it")
    known = _shown(record.depth_known, "depth known of {0:.0%} of the picture")
    scaled = _shown(record.scale, "times {0:.3f} by people's heights")
    return (
        ("Camera", record.camera_motion or "–", _shown(record.camera_height, "{0:.2f} m over the floor")),
        ("Optics", f"{lens}, {_shown(record.focal, '{0:.0f} px')}", ORIGINS[record.optics]),
        ("Metres from", record.depth_scale or "–", "; ".join(text for text in (known, scaled) if text != "–")),
        (what, off, share),
        ("Floor, tilt known to", _shown(record.floor_tilt, "{0:.1f}°"), ""),
        ("Floor, from", ", ".join(record.floor_sources) or "–", ""),
    )


def _shown(value: float | None, form: str, unit: float = 1.0) -> str:
    return "–" if value is None else form.format(value * unit)


def _fact(name: str, value: str, remark: str) -> str:
    small = f"<small>{escape(remark)}</small>" if remark and remark != "–" else ""
    return f"<div><dt>{escape(name)}</dt><dd>{escape(value)}{small}</dd></div>"
