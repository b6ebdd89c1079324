"""How good a reconstruction is, for a person and for a scene, and what of it is weak, in plain sentences.

A figure that could not be measured is None, in files null. `synth.reconstruct.measured` measures them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from os import PathLike
from typing import Any

import numpy as np

from synth.errors import BadFile, BadOption

OPTICS = ("recording", "estimated", "default")

# From where on a figure is weak.
REPROJECTION = 0.05  # of the person's height on the picture; careful annotations are 2 to 3 % off (`keypoints.SPREAD`)
LOST = 0.15  # of the same: the body is somewhere else
MASKED = 0.3  # share of estimates that were not believed
SEEN = 0.5  # share of frames in which somebody has keypoints
SLIDE = 0.1  # m/s of a foot on the floor
JITTER = 300.0  # m/s^3; real captures are at 20 to 150
SUNK = 3.0  # cm below the floor
INTO_OTHERS = 2.0  # cm in others, on average
RESIDUAL = 0.03  # m between the floor and its points
LEANING = 0.08  # m that bodies on a floor from people are off upright ones; most that count as standing are less
TILT, TILTED = 2.0, 5.0  # degrees by which the floor's tilt is unknown: weak, and doubtful
KNOWN = 0.6  # share of the pixels of which a depth is known


@dataclass(frozen=True)
class PersonRecord:
    """One person.

    Attributes:
        name, role: who it is.
        frames, frames_seen: how many frames the person is there, and has keypoints in.
        height: of the person on the picture, pixels (median).
        reprojection_before, reprojection: mean pixels between keypoints and body, of the estimates and of the result.
        mask_rate: share of the estimates that were not believed.
        foot_slide: mean mm a frame that the slower foot point on the floor moves over it (`metrics.foot_slide`).
        jitter: m/s^3, mean size of the joints' third derivative (`metrics.jitter`; the literature's "Jitter" is a
            tenth of it, in units of 10 m/s^3).
        floor_penetration: cm, the skin's deepest vertex below the floor, over all frames.
        others_penetration: cm, overlap with the skins of others, mean over the frames with somebody else; None alone.
    """

    name: str
    role: str
    frames: int
    frames_seen: int
    height: float | None = None
    reprojection_before: float | None = None
    reprojection: float | None = None
    mask_rate: float | None = None
    foot_slide: float | None = None
    jitter: float | None = None
    floor_penetration: float | None = None
    others_penetration: float | None = None

    @property
    def relative_error(self) -> float | None:
        """Mean reprojection as a share of the person's height on the picture."""
        return None if self.reprojection is None or not self.height else self.reprojection / self.height

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; what is no finite number is null."""
        return _plain(asdict(self))


@dataclass(frozen=True)
class SceneRecord:
    """A recording's reconstruction.

    Attributes:
        name: of the recording.
        fps, frames: of the video.
        people: a record each.
        camera_motion: the verdict on the camera, in words ("still").
        camera_height: metres over the floor.
        floor_residual: m, root mean square distance of the floor's points; of a floor from people, of their bodies from
            upright ones.
        floor_tilt: degrees, one standard deviation of its direction.
        floor_inliers: share of the floor's points that are on it; of people's places, at which somebody stands on it.
        floor_sources, floor_warnings: as of `floor.Floor`.
        optics: where focal length and distortion come from: "recording", "estimated" or "default".
        lens: "pinhole", "brown_conrady" or "fisheye"; focal: pixels.
        depth_scale: what gives metres, in words; depth_known: share of pixels with a depth.
        scale: by what the scene was enlarged since people's heights say so; None where nobody's does.
        notes: more that is weak, plain sentences.
    """

    name: str
    fps: float
    frames: int
    people: tuple[PersonRecord, ...]
    camera_motion: str = ""
    camera_height: float | None = None
    floor_residual: float | None = None
    floor_tilt: float | None = None
    floor_inliers: float | None = None
    floor_sources: tuple[str, ...] = ()
    floor_warnings: tuple[str, ...] = ()
    optics: str = "default"
    lens: str = "pinhole"
    focal: float | None = None
    depth_scale: str = ""
    depth_known: float | None = None
    notes: tuple[str, ...] = ()
    scale: float | None = None

    def __post_init__(self) -> None:
        if self.optics not in OPTICS:
            raise BadOption("optics", self.optics, f"one of {', '.join(OPTICS)}")

    @property
    def floor_of_people(self) -> bool:
        """Whether the floor's figures are about people who stand on it, not about its points."""
        return "people" in self.floor_sources

    @property
    def seconds(self) -> float:
        return self.frames / self.fps

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; what is no finite number is null."""
        return _plain({**asdict(self), "people": [person.to_json() for person in self.people]})


def weak(record: SceneRecord) -> list[str]:
    """What of a reconstruction is weak: its own notes and warnings, and every figure beyond its threshold."""
    said = [*record.notes, *(f"The floor: {text}." for text in record.floor_warnings)]
    if record.optics == "default":
        said.append("Nothing is known of the lens: a usual focal length was taken, and all distances scale with it.")
    elif record.optics == "estimated":
        said.append("The focal length was estimated from the picture; all distances scale with it.")
    if not record.people:
        said.append("Nobody was reconstructed.")
    off, most = "The floor's points are {0:.1f} cm off the plane.", RESIDUAL
    if record.floor_of_people:
        off, most = "The bodies of who stands on the floor are {0:.1f} cm off upright ones.", LEANING
    checks = (
        (record.floor_residual, most, off, 100),
        (record.floor_tilt, TILT, "The floor's tilt is only known to {0:.1f} degrees.", 1),
    )
    said += [text.format(value * unit) for value, limit, text, unit in checks if value is not None and value > limit]
    if record.depth_known is not None and record.depth_known < KNOWN:
        said.append(f"A depth is known of only {record.depth_known:.0%} of the picture.")
    for person in record.people:
        said += [f"{person.name}: {text}" for text in _weak_person(person, record.fps)]
    return list(dict.fromkeys(said))


def verdict(record: SceneRecord) -> tuple[str, str]:
    """A grade, "good", "usable" or "doubtful", and one sentence that says why."""
    lost = [person.name for person in record.people if (person.relative_error or 0.0) > LOST]
    found = weak(record)
    if not record.people:
        return "doubtful", "Nobody was reconstructed."
    if (record.floor_tilt or 0.0) > TILTED:
        return "doubtful", f"Doubtful: the floor's direction is only known to {record.floor_tilt:.0f} degrees."
    if lost:
        return (
            "doubtful",
            f"Doubtful: {', '.join(lost)} {'is' if len(lost) == 1 else 'are'} not where the keypoints are.",
        )
    if not found:
        return "good", "Good: every figure is within its limits."
    return "usable", f"Usable, with {len(found)} thing{'s' * (len(found) > 1)} to look at."


def record_from_json(value: Any, where: str | PathLike[str]) -> SceneRecord:
    """Read `SceneRecord.to_json`'s object.

    Raises:
        BadFile: names the field that is missing or wrong.
    """
    if not isinstance(value, Mapping):
        raise BadFile(where, "file", value, "an object")
    listed = value.get("people")
    if not isinstance(listed, list):
        raise BadFile(where, "people", listed, "a list")
    people = tuple(_read(PersonRecord, item, where, f"people[{i}].") for i, item in enumerate(listed))
    try:
        return replace(_read(SceneRecord, {**value, "people": []}, where, ""), people=people)
    except BadOption as error:
        raise BadFile(where, error.option, error.found, error.expected) from None


def _weak_person(person: PersonRecord, fps: float) -> list[str]:
    found = []
    error, slide = person.relative_error, person.foot_slide
    if error is None:
        found.append("how far the body is off the keypoints could not be measured.")
    if error is not None and error > REPROJECTION:
        found.append(f"keypoints are {person.reprojection:.0f} px off, {error:.0%} of the height on the picture.")
    if person.frames_seen < SEEN * person.frames:
        found.append(f"has keypoints in only {person.frames_seen} of {person.frames} frames.")
    if (person.mask_rate or 0.0) > MASKED:
        found.append(f"{person.mask_rate:.0%} of the estimates were not believed and filled in from their neighbours.")
    if slide is not None and slide * fps / 1000 > SLIDE:
        found.append(f"feet slide over the floor, {slide:.0f} mm a frame.")
    if (person.jitter or 0.0) > JITTER:
        found.append(f"shakes: the mean jerk is {person.jitter:.0f} m/s³.")
    if (person.floor_penetration or 0.0) > SUNK:
        found.append(f"is up to {person.floor_penetration:.0f} cm below the floor.")
    if (person.others_penetration or 0.0) > INTO_OTHERS:
        found.append(f"reaches {person.others_penetration:.1f} cm into others on average.")
    return found


def _plain(value: Any) -> Any:
    """JSON's own types."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _read(kind: Any, value: Any, where: str | PathLike[str], at: str) -> Any:
    """A record from its object; the annotations of the class say what a field is."""
    if not isinstance(value, Mapping):
        raise BadFile(where, at.rstrip("."), value, "an object")
    given = {}
    for field in fields(kind):
        if field.name not in value:
            raise BadFile(where, at + field.name, "nothing", "a value, or null")
        given[field.name] = _field(value[field.name], str(field.type), where, at + field.name)
    return kind(**given)


def _field(value: Any, kind: str, where: str | PathLike[str], at: str) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and bool(np.isfinite(value))
    fits, expected = {
        "str": (isinstance(value, str), "a text"),
        "int": (number and isinstance(value, int) and value >= 0, "a whole number of 0 or more"),
        "float": (number and value > 0, "a number above 0"),
        "float | None": (number or value is None, "a number, or null"),
    }.get(kind, (isinstance(value, list) and all(isinstance(item, str) for item in value), "a list of texts"))
    if not fits:
        raise BadFile(where, at, value, expected)
    return tuple(value) if isinstance(value, list) else value
