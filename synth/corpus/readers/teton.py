"""Care recordings in the format of docs/teton-format.md: 2D tracks of people, and masks on key frames.

    for key in TetonFolder("recordings").keys():
        tracks = TetonFolder("recordings").load(key)     # Tracks2D

The format has no 3D, so this is no source of motion: reconstruction makes one of it. `tetoncheck.check` lists what is
wrong with a folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import fastjsonschema
import numpy as np
from PIL import Image

from synth.corpus.readers.folder import inside, need_folder
from synth.corpus.source import Licence
from synth.errors import BadFile, BadOption
from synth.files import read_json
from synth.rotation import Array
from synth.skeleton import COCO_KEYPOINTS

FORMAT, VERSION = "caresynth-recordings", 1
RECORDING = "sequence.json"
DATASET = "dataset.json"
TIMESTAMP = re.compile(r"\d{8}T\d{6}Z?")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
KEYPOINTS = len(COCO_KEYPOINTS)
TIMING = 0.25  # share the mean time between frames may be off from 1 / fps


@dataclass(frozen=True)
class Track2D:
    """One person in the picture over T frames, pixels.

    Attributes:
        id: number of the person, unique in the recording.
        role: "person", "staff" or "patient".
        present: [T] annotated frames; elsewhere the other arrays are 0.
        box: [T, 4] x, y, width, height.
        center: [T, 2].
        keypoints: [T, 17, 3] x, y and v: 0 not labelled, 1 hidden, 2 visible.
        actions: T names of the taxonomy's actions or postures, or None.
    """

    id: int
    role: str
    present: np.ndarray
    box: Array
    center: Array
    keypoints: Array
    actions: tuple[str | None, ...]


@dataclass(frozen=True)
class Region:
    """Pixels of ``value`` in a mask are of ``kind``: "floor", "bed", ..., or "person" number ``person``."""

    value: int
    kind: str
    person: int | None = None


@dataclass(frozen=True)
class KeyFrame:
    """A frame with a segmentation mask."""

    frame: int
    mask: Path
    regions: tuple[Region, ...]

    def pixels(self) -> np.ndarray:
        """The mask's values [H, W]. Raises BadFile."""
        try:
            with Image.open(self.mask, formats=["PNG"]) as image:
                if image.mode not in ("L", "P", "1", "I;16", "I"):
                    raise BadFile(self.mask, "mode", image.mode, "a grey or palette PNG: one number a pixel")
                return np.asarray(image).astype(np.int64)
        except BadFile:
            raise
        except Exception as error:  # Pillow raises OSError, SyntaxError, its own and others on damaged files
            raise BadFile(self.mask, "file", f"{type(error).__name__}: {error}", "an undamaged PNG") from None


@dataclass(frozen=True)
class Tracks2D:
    """A recording: who is where in the picture, for reconstruction.

    Attributes:
        key: "SITE/ROOM/TIMESTAMP".
        fps: frames a second; ``times`` [T] seconds of each frame.
        width, height: of the picture, pixels.
        people: their tracks.
        key_frames: frames with masks, in order.
        camera: model, K and dist where they are known.
        captions: sentences about it.
        images: ``frames/`` of the recording (000000.jpg, ...) or its ``video.mp4``, None without.
    """

    key: str
    fps: float
    times: Array
    width: int
    height: int
    people: tuple[Track2D, ...]
    key_frames: tuple[KeyFrame, ...]
    camera: Mapping[str, Any] | None
    captions: tuple[str, ...]
    images: Path | None

    @property
    def frames(self) -> int:
        return len(self.times)


@dataclass(frozen=True)
class TetonFolder:
    """A folder of recordings. It names its own licence in dataset.json; without one nothing may be sold."""

    folder: str
    name: str = "teton"

    @property
    def licence(self) -> Licence:
        """Raises BadFile for a broken dataset.json."""
        return read_dataset(Path(self.folder) / DATASET)

    def keys(self) -> Sequence[str]:
        """ "SITE/ROOM/TIMESTAMP" of every recording, sorted. Raises Missing."""
        folder = need_folder(self.folder, "folder of recordings")
        return sorted("/".join(path.relative_to(folder).parts) for path in recordings(folder))

    def load(self, key: str) -> Tracks2D:
        """One recording. Raises BadFile for the first thing that is wrong with it."""
        if len(Path(key).parts) != 3:
            raise BadOption("key", key, "SITE/ROOM/TIMESTAMP")
        return read_recording(inside(Path(self.folder), key), key)


def recordings(folder: Path) -> Iterator[Path]:
    """Folders SITE/ROOM/TIMESTAMP that hold a sequence.json."""
    for site in _folders(folder):
        for room in _folders(site):
            for stamp in _folders(room):
                if (stamp / RECORDING).is_file():
                    yield stamp


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return sorted(Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def read_dataset(path: Path) -> Licence:
    """The licence in a dataset.json; a careful one where there is no such file. Raises BadFile."""
    if not path.is_file():
        return Licence("not stated; treated as for no commercial use", False, "")
    value = read_json(path)
    if not isinstance(value, dict) or value.get("format") != FORMAT or value.get("version") != VERSION:
        found = value if not isinstance(value, dict) else [value.get("format"), value.get("version")]
        raise BadFile(path, "format, version", found, f"{FORMAT}, {VERSION}")
    licence = value.get("licence")
    kinds = {"name": str, "commercial": bool, "credit": str}
    if not isinstance(licence, dict) or any(not isinstance(licence.get(k), kind) for k, kind in kinds.items()):
        raise BadFile(path, "licence", licence, "name (text), commercial (true or false) and credit (text)")
    return Licence(licence["name"], licence["commercial"], licence["credit"])


@lru_cache(maxsize=1)
def validator() -> Callable[[Any], Any]:
    """The compiled JSON schema of sequence.json (this package's own file)."""
    text = files("synth.corpus.readers").joinpath("teton.schema.json")
    return fastjsonschema.compile(read_json(str(text)))


def read_recording(folder: Path, key: str) -> Tracks2D:
    """The recording in a folder. Raises BadFile for the first thing that breaks the format; masks are not opened."""
    path = folder / RECORDING
    value = read_json(path)
    for field, found, expected in faults(value):
        raise BadFile(path, field, found, expected)
    count = int(value["frames"])
    images = next((folder / name for name in ("frames", "video.mp4") if (folder / name).exists()), None)
    return Tracks2D(
        key=key,
        fps=float(value["fps"]),
        times=np.asarray(value.get("times", np.arange(count) / value["fps"]), float),
        width=int(value["width"]),
        height=int(value["height"]),
        people=tuple(_track(person, count) for person in value["people"]),
        key_frames=tuple(
            KeyFrame(
                frame=int(item["frame"]),
                mask=inside(folder, item["mask"]),
                regions=tuple(Region(r["value"], r["class"], r.get("person")) for r in item["regions"]),
            )
            for item in sorted(value.get("key_frames", []), key=lambda item: item["frame"])
        ),
        camera=value.get("camera"),
        captions=tuple(value.get("captions", ())),
        images=images,
    )


def _track(person: Mapping[str, Any], count: int) -> Track2D:
    present, box = np.zeros(count, bool), np.zeros((count, 4))
    center, keypoints = np.zeros((count, 2)), np.zeros((count, KEYPOINTS, 3))
    actions: list[str | None] = [None] * count
    for item in person["annotations"]:
        t = item["frame"]
        present[t], box[t] = True, item["box"]
        center[t] = item.get("center", box[t, :2] + box[t, 2:] / 2)
        if item.get("keypoints") is not None:
            keypoints[t] = np.reshape(item["keypoints"], (KEYPOINTS, 3))
        actions[t] = item.get("action")
    return Track2D(int(person["id"]), person["class"], present, box, center, keypoints, tuple(actions))


# What is wrong with a sequence.json: (field, found, expected) -------------------------------------------------------

Fault = tuple[str, Any, str]


def faults(value: Any) -> Iterator[Fault]:
    """What breaks the format in a parsed sequence.json; where the schema is broken, that alone."""
    try:
        validator()(value)
    except fastjsonschema.JsonSchemaValueException as error:
        yield _in_words(error)
        return
    yield from _time_faults(value)
    ids = [person["id"] for person in value["people"]]
    for index, person in enumerate(value["people"]):
        at = f"people[{index}]"
        if ids.index(person["id"]) != index:
            yield f"{at}.id", person["id"], "another number for every person"
        yield from _person_faults(value, person, at)
    frames = [item["frame"] for item in value.get("key_frames", [])]
    for index, item in enumerate(value.get("key_frames", [])):
        at = f"key_frames[{index}]"
        if item["frame"] >= value["frames"]:
            yield f"{at}.frame", item["frame"], f"a frame below {value['frames']}"
        if frames.index(item["frame"]) != index:
            yield f"{at}.frame", item["frame"], "one mask a frame"
        if ".." in Path(item["mask"]).parts:
            yield f"{at}.mask", item["mask"], "a path inside the recording's folder"
        values = [region["value"] for region in item["regions"]]
        if len(set(values)) != len(values):
            yield f"{at}.regions", values, "different values"
        for number, region in enumerate(item["regions"]):
            if (region["class"] == "person") != ("person" in region):
                yield f"{at}.regions[{number}]", region, "a person's number for class person, and for no other"
            elif region.get("person", ids[0] if ids else 0) not in [*ids, 0]:
                yield f"{at}.regions[{number}].person", region["person"], f"one of the people {ids}"


_TYPES = {"integer": "a whole number", "number": "a number", "string": "text", "array": "a list",
          "object": "an object", "null": "null", "boolean": "true or false"}  # fmt: skip
_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most", "exclusiveMaximum": "below"}


def _in_words(error: fastjsonschema.JsonSchemaValueException) -> Fault:
    """A broken rule of the schema as field, what was found, what is expected."""
    field = str(error.name).removeprefix("data").lstrip(".")
    rule, wanted, found = error.rule, error.rule_definition, error.value
    meaning = (error.definition or {}).get("description")
    if rule == "required":
        missing = sorted(set(wanted) - set(found))[0]
        return f"{field}.{missing}".lstrip("."), "nothing", "this field; docs/teton-format.md says what it means"
    if rule == "additionalProperties":
        known = sorted(error.definition["properties"])
        other = sorted(set(found) - set(known))[0]
        return f"{field}.{other}".lstrip("."), found[other], f"no such field; known are {', '.join(known)}"
    if rule == "enum":
        expected = "one of " + ", ".join("null" if word is None else str(word) for word in wanted)
    elif rule == "type":
        expected = " or ".join(_TYPES[kind] for kind in ([wanted] if isinstance(wanted, str) else wanted))
    elif rule in ("minItems", "maxItems"):
        expected = f"{_BOUNDS[rule.replace('Items', 'imum')]} {wanted} items"
        found = f"{len(found)} items"
    elif rule in _BOUNDS:
        expected = f"{_BOUNDS[rule]} {wanted:g}"
    elif rule == "const":
        expected = str(wanted)
    else:
        expected = meaning or str(error.message)
    if meaning and meaning != expected:
        expected += f": {meaning}"
    return field or "file", found, expected


def _time_faults(value: Mapping[str, Any]) -> Iterator[Fault]:
    times = value.get("times")
    if times is None:
        return
    if len(times) != value["frames"]:
        yield "times", f"{len(times)} times", f"{value['frames']}, one a frame"
        return
    steps = np.diff(times)
    if (steps <= 0).any():
        yield f"times[{int((steps <= 0).argmax()) + 1}]", times[int((steps <= 0).argmax()) + 1], "increasing seconds"
    elif len(steps) and abs(steps.mean() * value["fps"] - 1) > TIMING:
        yield "fps", value["fps"], f"about {1 / steps.mean():.3g}, as the times say"


def _person_faults(value: Mapping[str, Any], person: Mapping[str, Any], at: str) -> Iterator[Fault]:
    width, height, before = value["width"], value["height"], -1
    for index, item in enumerate(person["annotations"]):
        here = f"{at}.annotations[{index}]"
        if not before < item["frame"] < value["frames"]:
            yield f"{here}.frame", item["frame"], f"increasing frames from 0 to {value['frames'] - 1}"
        before = max(before, item["frame"])
        x, y, w, h = item["box"]
        if max(x, y, w, h) <= 1.5:
            yield f"{here}.box", item["box"], "pixels; these look like shares of the picture"
            continue
        if not (w > 0 and h > 0 and x < width and y < height and x + w > 0 and y + h > 0):
            yield f"{here}.box", item["box"], f"x, y, width, height that overlap a picture of {width} x {height}"
            continue
        if w > 1.5 * width or h > 1.5 * height or x + w > 1.5 * width or y + h > 1.5 * height:
            yield f"{here}.box", item["box"], f"width and height in a picture of {width} x {height}, not a corner"
            continue
        cx, cy = item.get("center", (x + w / 2, y + h / 2))
        if not (x - 1 <= cx <= x + w + 1 and y - 1 <= cy <= y + h + 1):
            yield f"{here}.center", [cx, cy], f"a point in the box {item['box']}"
        if item.get("keypoints") is not None:
            yield from _keypoint_faults(np.reshape(item["keypoints"], (KEYPOINTS, 3)), item["box"], f"{here}.keypoints")


def _keypoint_faults(points: Array, box: Sequence[float], at: str) -> Iterator[Fault]:
    if not np.isin(points[:, 2], (0, 1, 2)).all():
        wrong = int((~np.isin(points[:, 2], (0, 1, 2))).argmax())
        yield f"{at}[{3 * wrong + 2}]", float(points[wrong, 2]), "0, 1 or 2: COCO's visibility, not a confidence"
        return
    x, y, w, h = box
    seen = points[points[:, 2] > 0]
    near = (np.abs(seen[:, 0] - x - w / 2) < 0.75 * w) & (np.abs(seen[:, 1] - y - h / 2) < 0.75 * h)
    if len(seen) and near.mean() < 0.5:
        yield at, f"{int((~near).sum())} of {len(seen)} far from the box {list(box)}", "keypoints of the person in it"
