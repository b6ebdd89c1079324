"""Interaction: P people times T frames of SMPL motion in one world, with its text, labels and provenance.

The file is one ``npz`` without pickles; everything that is not an array is the JSON string ``meta``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from numbers import Integral, Real
from os import PathLike
from typing import Any

import numpy as np

from synth import taxonomy
from synth.errors import BadFile
from synth.files import read_npz, write_npz
from synth.rotation import Array, axis_angle_to_matrix, matrix_to_axis_angle, slerp
from synth.skeleton import transform_root

VERSION = 1
BETAS = 10
MAX_AGE = 150  # years
MAX_SECONDS = 1e7  # that a label may name; 115 days
GENDERS = ("female", "male", "neutral")
_ARRAYS = ("transl", "global_orient", "body_pose", "betas", "present", "fps", "version", "meta")


@dataclass(frozen=True)
class ActionSegment:
    """Person ``person`` does ``label`` (one of ``taxonomy.ACTIONS``) from ``start`` to ``end`` seconds."""

    person: int
    start: float
    end: float
    label: str


@dataclass(frozen=True)
class Contact:
    """A body part touches something from ``start`` to ``end`` seconds.

    ``target`` is ``{"person": index, "part": name}`` or ``{"object": furniture id or "floor"}``; in files: ``with``.
    """

    person: int
    part: str
    target: Mapping[str, Any]
    start: float
    end: float


@dataclass(frozen=True)
class Prop:
    """A thing that moves with people, like a walker or a cup.

    Its own frame is that of its furniture class: origin on the floor under it (of hand-held things: in their middle),
    z up, +y its front (``synth.rooms.props``). Contacts name it by ``{"object": id}``.

    Attributes:
        id: unique in the interaction. In a room, the id of the room's piece of furniture that it is, if it is one.
        cls: one of ``taxonomy.PROP_CLASSES`` ("class" in files).
        transl: [T, 3] metres, where its origin is in the world.
        orient: [T, 3] axis-angle, radians.
    """

    id: str
    cls: str
    transl: Array
    orient: Array

    def poses(self) -> Array:
        """World from the prop's frame [T, 4, 4]."""
        matrices = np.tile(np.eye(4), (len(self.transl), 1, 1))
        matrices[:, :3, :3] = axis_angle_to_matrix(self.orient)
        matrices[:, :3, 3] = self.transl
        return matrices


@dataclass(frozen=True)
class Meta:
    """What an interaction is and where it comes from.

    ``stage`` lists the furniture the motion was made against (dicts as in ``room.json``, in the motion's own frame);
    ``core`` is the window in seconds that shows the action; ``source`` holds dataset, id, licence and credit.
    """

    text: str = ""
    captions: tuple[str, ...] = ()
    interaction_class: str | None = None
    roles: tuple[str, ...] = ()
    genders: tuple[str, ...] = ()
    ages: tuple[float, ...] = ()
    actions: tuple[ActionSegment, ...] = ()
    contacts: tuple[Contact, ...] = ()
    room: str | None = None
    body_model: str = "makehuman"
    seed: int | None = None
    core: tuple[float, float] | None = None
    stage: tuple[dict[str, Any], ...] = ()
    source: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Interaction:
    """SMPL motion of P people over T frames in one z-up world.

    Attributes:
        fps: frames a second, any positive number.
        transl: [P, T, 3] metres, added after posing as in SMPL.
        global_orient: [P, T, 3] axis-angle, radians.
        body_pose: [P, T, 69] axis-angle of joints 1..23.
        betas: [P, 10] shape.
        present: [P, T] whether the person is there.
        meta: text, roles, labels, provenance.
        props: things that move, each over all T frames.
    """

    fps: float
    transl: Array
    global_orient: Array
    body_pose: Array
    betas: Array
    present: np.ndarray
    meta: Meta = field(default_factory=Meta)
    props: tuple[Prop, ...] = ()

    @property
    def people(self) -> int:
        return self.transl.shape[0]

    @property
    def frames(self) -> int:
        return self.transl.shape[1]

    @property
    def seconds(self) -> float:
        """The time from the first frame to the last one's end."""
        return self.frames / self.fps

    @property
    def times(self) -> Array:
        """Seconds of each frame [T]."""
        return np.arange(self.frames) / self.fps

    def rotations(self) -> Array:
        """Parent-relative rotation matrices, root first [P, T, 24, 3, 3]."""
        pose = np.concatenate([self.global_orient, self.body_pose], -1)
        return axis_angle_to_matrix(pose.reshape(self.people, self.frames, 24, 3))

    def validate(self, where: str | PathLike[str] = "interaction") -> Interaction:
        """Return self, or raise ``BadFile`` that names the first field that breaks the format."""
        _check_arrays(self, where)
        _check_meta(self, where)
        return self

    def resample(self, fps: float, frames: int | None = None) -> Interaction:
        """The same motion at another frame rate, by time: translation linearly, rotations by slerp, presence held.

        Args:
            frames: how many; the last frame is held beyond the end. By default as many as begin before it.
        """
        if not fps > 0 or not np.isfinite(fps):
            raise ValueError(f"fps must be positive, found {fps}")
        if fps == self.fps and frames in (None, self.frames):
            return self
        count = frames or max(1, int(np.floor((self.frames - 1) / self.fps * fps + 1e-6)) + 1)
        return self._at(np.minimum(np.arange(count) / fps, float(self.times[-1])), fps)

    def window(self, start: float, end: float) -> Interaction:
        """The part from ``start`` to ``end`` seconds, times of labels shifted and cut to it."""
        first = int(np.clip(round(start * self.fps), 0, self.frames - 1))
        last = int(np.clip(round(end * self.fps), first + 1, self.frames))
        cut = slice(first, last)
        shift, length = first / self.fps, (last - first) / self.fps
        return replace(
            self,
            transl=self.transl[:, cut],
            global_orient=self.global_orient[:, cut],
            body_pose=self.body_pose[:, cut],
            present=self.present[:, cut],
            props=tuple(replace(prop, transl=prop.transl[cut], orient=prop.orient[cut]) for prop in self.props),
            meta=_retime(self.meta, lambda t: float(np.clip(t - shift, 0.0, length))),
        )

    def scale_time(self, factor: float) -> Interaction:
        """The same motion ``factor`` times as long, at the same frame rate."""
        if not factor > 0:
            raise ValueError(f"factor must be positive, found {factor}")
        count = max(1, round(self.frames * factor))
        stretched = self._at(np.minimum(np.arange(count) / self.fps / factor, (self.frames - 1) / self.fps), self.fps)
        return replace(stretched, meta=_retime(self.meta, lambda t: t * factor))

    def warp(self, times: Array) -> Interaction:
        """The motion whose frames are this one's at ``times`` [T], seconds, which grow; labels move with them."""
        then = np.asarray(times, float)
        if then.ndim != 1 or not len(then) or (np.diff(then) <= 0).any():
            raise ValueError(f"times must grow, found {times}")
        now = np.arange(len(then)) / self.fps
        end = float(now[-1] + 1 / self.fps)

        def clock(t: float) -> float:
            return end if t >= self.seconds else float(np.interp(t, then, now))

        return replace(self._at(then, self.fps), meta=_retime(self.meta, clock))

    def transform(self, rotation: Array, translation: Array, rest_pelvis: Array) -> Interaction:
        """Move everybody rigidly with the world: x' = R x + t.

        Args:
            rotation: [3, 3] about the vertical, so that the floor stays the floor.
            translation: [3] metres.
            rest_pelvis: J0(betas) of each person [P, 3] metres.
        """
        pelvis = np.asarray(rest_pelvis)[:, None]
        orient = axis_angle_to_matrix(self.global_orient)
        orient, transl = transform_root(rotation, translation, pelvis, orient, self.transl)
        stage = tuple(_move_stage(item, np.asarray(rotation), np.asarray(translation)) for item in self.meta.stage)
        return replace(
            self,
            transl=transl.astype(np.float32),
            global_orient=matrix_to_axis_angle(orient).astype(np.float32),
            meta=replace(self.meta, stage=stage),
            props=tuple(_move_prop(prop, np.asarray(rotation), np.asarray(translation)) for prop in self.props),
        )

    def _at(self, times: Array, fps: float) -> Interaction:
        keys = self.times
        moved = np.stack([[np.interp(times, keys, column) for column in person.T] for person in self.transl])
        local = np.moveaxis(slerp(keys, np.moveaxis(self.rotations(), 1, 0), times), 0, 1)
        pose = matrix_to_axis_angle(local).reshape(self.people, len(times), 72).astype(np.float32)
        nearest = np.clip(np.round(times * self.fps).astype(int), 0, self.frames - 1)
        return replace(
            self,
            fps=float(fps),
            transl=np.swapaxes(moved, 1, 2).astype(np.float32),
            global_orient=pose[..., :3],
            body_pose=pose[..., 3:],
            present=self.present[:, nearest],
            props=tuple(_prop_at(prop, keys, times) for prop in self.props),
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write the npz atomically, after validation."""
        self.validate(path)
        meta = meta_to_json(self.meta)
        arrays: dict[str, np.ndarray] = {
            "version": np.array(VERSION, np.int64),
            "fps": np.array(self.fps, np.float64),
            "transl": self.transl.astype(np.float32),
            "global_orient": self.global_orient.astype(np.float32),
            "body_pose": self.body_pose.astype(np.float32),
            "betas": self.betas.astype(np.float32),
            "present": self.present.astype(bool),
        }
        if self.props:
            meta["props"] = [{"id": prop.id, "class": prop.cls} for prop in self.props]
            arrays["prop_transl"] = np.stack([prop.transl for prop in self.props]).astype(np.float32)
            arrays["prop_orient"] = np.stack([prop.orient for prop in self.props]).astype(np.float32)
        arrays["meta"] = np.array(json.dumps(meta, sort_keys=True, allow_nan=False))
        write_npz(path, arrays)

    def to_amass(self, person: int, path: str | PathLike[str]) -> None:
        """Write one person as AMASS does: ``poses`` [T, 72], ``trans``, ``betas``, ``mocap_framerate``, ``gender``."""
        write_npz(
            path,
            {
                "poses": np.concatenate([self.global_orient[person], self.body_pose[person]], -1).astype(np.float32),
                "trans": self.transl[person].astype(np.float32),
                "betas": self.betas[person].astype(np.float32),
                "mocap_framerate": np.array(self.fps, np.float64),
                "gender": np.array(self.meta.genders[person] if self.meta.genders else "neutral"),
            },
        )


def single(
    fps: float, transl: Array, rotations: Array, betas: Array | None = None, meta: Meta | None = None
) -> Interaction:
    """One person's motion. ``transl`` [T, 3] metres, ``rotations`` [T, 24, 3, 3], ``betas`` [10]."""
    pose = matrix_to_axis_angle(rotations).reshape(1, len(transl), 72).astype(np.float32)
    shape = np.zeros(BETAS) if betas is None else np.asarray(betas)
    return Interaction(
        fps=float(fps),
        transl=np.asarray(transl, np.float32)[None],
        global_orient=pose[..., :3],
        body_pose=pose[..., 3:],
        betas=shape[None].astype(np.float32),
        present=np.ones((1, len(transl)), bool),
        meta=meta or Meta(roles=("person",), genders=("neutral",)),
    )


def load_interaction(path: str | PathLike[str]) -> Interaction:
    """Read an interaction's npz.

    Raises:
        BadFile: damaged, of another version, or an array or label breaks the format.
    """
    arrays = read_npz(path)
    for name in _ARRAYS:
        if name not in arrays:
            raise BadFile(path, name, "nothing", "an array of this name")
    version = arrays["version"]
    if version.shape != () or version.dtype.kind not in "iu" or int(version) != VERSION:
        raise BadFile(path, "version", version.tolist(), f"{VERSION}")
    fps = arrays["fps"]
    if fps.shape != () or fps.dtype.kind not in "iuf":
        raise BadFile(path, "fps", f"{fps.dtype} {fps.shape}", "one number")
    text = arrays["meta"]
    if text.shape != () or text.dtype.kind != "U":
        raise BadFile(path, "meta", f"{text.dtype} {text.shape}", "one JSON string")
    try:
        value = json.loads(str(text))
        named = value.pop("props", [])
        meta = meta_from_json(value)
        listed = [(str(item["id"]), str(item["class"])) for item in named]
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise BadFile(path, "meta", f"{type(error).__name__}: {error}", "the JSON object of an interaction") from None
    return Interaction(
        fps=float(fps),
        transl=arrays["transl"],
        global_orient=arrays["global_orient"],
        body_pose=arrays["body_pose"],
        betas=arrays["betas"],
        present=arrays["present"],
        meta=meta,
        props=_read_props(arrays, listed, path),
    ).validate(path)


def _read_props(
    arrays: Mapping[str, np.ndarray], listed: Sequence[tuple[str, str]], path: str | PathLike[str]
) -> tuple[Prop, ...]:
    if not listed:
        return ()
    moved = [arrays.get(name, np.zeros(0)) for name in ("prop_transl", "prop_orient")]
    for name, array in zip(("prop_transl", "prop_orient"), moved, strict=True):
        if array.ndim != 3 or len(array) != len(listed):
            raise BadFile(path, name, array.shape, f"shape [{len(listed)}, T, 3], a row for each of meta.props")
    return tuple(
        Prop(name, cls, transl, orient) for (name, cls), transl, orient in zip(listed, moved[0], moved[1], strict=True)
    )


@np.errstate(over="ignore")  # what float32 does not hold is refused as infinite
def from_amass(path: str | PathLike[str], role: str = "person") -> Interaction:
    """Read an AMASS npz: z up; poses of SMPL-H and SMPL-X are cut to the first 22 joints, the hands at rest.

    Raises:
        BadFile: damaged, or ``poses``, ``trans`` or ``mocap_framerate`` is missing or has another shape.
    """
    rates = ("mocap_framerate", "mocap_frame_rate")
    # Later releases hold Python objects in arrays that nobody needs here (marker labels).
    arrays = read_npz(path, only=(*rates, "poses", "trans", "betas", "gender"))
    rate = next((arrays[key] for key in rates if key in arrays), None)
    if rate is None or rate.shape != () or rate.dtype.kind not in "iuf":
        raise BadFile(path, "mocap_framerate", "nothing" if rate is None else rate.shape, "one number")
    poses, trans = (arrays.get(key) for key in ("poses", "trans"))
    if poses is None or poses.ndim != 2 or poses.shape[1] < 66 or poses.dtype.kind != "f":
        raise BadFile(path, "poses", "nothing" if poses is None else poses.shape, "floats [T, 66 or more]")
    if trans is None or trans.shape != (len(poses), 3) or trans.dtype.kind not in "iuf":
        raise BadFile(
            path, "trans", "nothing" if trans is None else f"{trans.dtype} {trans.shape}", f"floats [{len(poses)}, 3]"
        )
    body = np.zeros((1, len(poses), 69), np.float32)
    width = 69 if poses.shape[1] == 72 else 63
    body[0, :, :width] = poses[:, 3 : 3 + width]
    betas = np.zeros((1, BETAS), np.float32)
    given = np.ravel(arrays.get("betas", np.zeros(0)))[:BETAS]
    if given.dtype.kind not in "iuf":
        raise BadFile(path, "betas", given.dtype, "numbers")
    betas[0, : len(given)] = given
    named = arrays["gender"] if "gender" in arrays else np.array("neutral")
    gender = named.item() if named.shape == () and named.dtype.kind in "US" else "neutral"
    gender = gender.decode("ascii", "replace") if isinstance(gender, bytes) else gender
    return Interaction(
        fps=float(rate),
        transl=trans[None].astype(np.float32),
        global_orient=poses[None, :, :3].astype(np.float32),
        body_pose=body,
        betas=betas,
        present=np.ones((1, len(poses)), bool),
        meta=Meta(roles=(role,), genders=(gender if gender in GENDERS else "neutral",), body_model="smpl"),
    ).validate(path)


def meta_to_json(meta: Meta) -> dict[str, Any]:
    """The JSON object of DESIGN.md: ``target`` becomes ``with``; tuples become lists."""
    value = asdict(meta)
    for contact in value["contacts"]:
        contact["with"] = dict(contact.pop("target"))
    return value


def meta_from_json(value: Mapping[str, Any]) -> Meta:
    """The inverse of ``meta_to_json``; unknown keys are refused, missing ones take their defaults."""
    if not isinstance(value, Mapping):
        raise TypeError("meta is not an object")
    known = {item.name for item in fields(Meta)}
    unknown = sorted(set(value) - known)
    if unknown:
        raise ValueError(f"unknown keys {unknown}")
    data = dict(value)
    data["actions"] = tuple(ActionSegment(**item) for item in value.get("actions", ()))
    data["contacts"] = tuple(
        Contact(target=item["with"], **{k: v for k, v in item.items() if k != "with"})
        for item in value.get("contacts", ())
    )
    for name in ("captions", "roles", "genders", "ages", "stage"):
        if isinstance(value.get(name), str):
            raise TypeError(f"{name} is no list")
        data[name] = tuple(value.get(name, ()))
    core = value.get("core")
    if core is not None:
        start, end = core
        data["core"] = (float(start), float(end))
    return Meta(**data)


def _retime(meta: Meta, clock: Any) -> Meta:
    """Map every time in the labels by ``clock``; what is left with no length is dropped."""
    actions = [replace(item, start=clock(item.start), end=clock(item.end)) for item in meta.actions]
    contacts = [replace(item, start=clock(item.start), end=clock(item.end)) for item in meta.contacts]
    return replace(
        meta,
        actions=tuple(item for item in actions if item.end > item.start),
        contacts=tuple(item for item in contacts if item.end > item.start),
        core=None if meta.core is None else (clock(meta.core[0]), clock(meta.core[1])),
    )


def _move_stage(item: Mapping[str, Any], rotation: Array, translation: Array) -> dict[str, Any]:
    box = dict(item["box"])
    box["center"] = (rotation @ np.asarray(box["center"], float) + translation).tolist()
    box["yaw"] = float(box["yaw"] + np.arctan2(rotation[1, 0], rotation[0, 0]))
    return {**item, "box": box}


def _move_prop(prop: Prop, rotation: Array, translation: Array) -> Prop:
    orient = matrix_to_axis_angle(rotation @ axis_angle_to_matrix(prop.orient))
    return replace(prop, transl=prop.transl @ rotation.T + translation, orient=orient)


def _prop_at(prop: Prop, keys: Array, times: Array) -> Prop:
    moved = np.stack([np.interp(times, keys, column) for column in np.asarray(prop.transl).T], -1)
    turned = slerp(keys, axis_angle_to_matrix(prop.orient), times)
    return replace(prop, transl=moved, orient=matrix_to_axis_angle(turned))


def _check_arrays(motion: Interaction, where: str | PathLike[str]) -> None:
    if not (np.isfinite(motion.fps) and 0 < motion.fps <= 1000):
        raise BadFile(where, "fps", motion.fps, "a positive number up to 1000")
    if motion.transl.ndim != 3 or 0 in motion.transl.shape or motion.transl.shape[2] != 3:
        raise BadFile(where, "transl", motion.transl.shape, "shape [P, T, 3] with P, T >= 1")
    people, frames = motion.transl.shape[:2]
    shapes: dict[str, Sequence[int]] = {
        "global_orient": (people, frames, 3),
        "body_pose": (people, frames, 69),
        "betas": (people, BETAS),
        "present": (people, frames),
    }
    for name, shape in shapes.items():
        found = getattr(motion, name).shape
        if found != tuple(shape):
            raise BadFile(where, name, found, f"shape {list(shape)}")
    for name in ("transl", "global_orient", "body_pose", "betas"):
        array = getattr(motion, name)
        if array.dtype.kind != "f":
            raise BadFile(where, name, array.dtype, "floating point numbers")
        if not np.isfinite(array).all():
            raise BadFile(where, name, "NaN or infinity", "finite numbers")
    if motion.present.dtype != bool:
        raise BadFile(where, "present", motion.present.dtype, "booleans")
    for index, prop in enumerate(motion.props):
        for name, array in (("prop_transl", prop.transl), ("prop_orient", prop.orient)):
            if array.shape != (frames, 3) or array.dtype.kind != "f" or not np.isfinite(array).all():
                raise BadFile(
                    where, f"{name}[{index}]", f"{array.dtype} {array.shape}", f"finite numbers [{frames}, 3]"
                )


def _check_meta(motion: Interaction, where: str | PathLike[str]) -> None:
    meta, people = motion.meta, motion.people
    _check_words(meta, where)
    for name, allowed in (("roles", taxonomy.ROLES), ("genders", GENDERS)):
        values = getattr(meta, name)
        if len(values) != people:
            raise BadFile(where, f"meta.{name}", f"{len(values)} entries", f"one for each of {people} people")
        wrong = [value for value in values if value not in allowed]
        if wrong:
            raise BadFile(where, f"meta.{name}", wrong[0], f"one of {', '.join(allowed)}")
    if meta.ages and len(meta.ages) != people:
        raise BadFile(where, "meta.ages", f"{len(meta.ages)} entries", f"none or one for each of {people} people")
    for index, age in enumerate(meta.ages):
        if not _is_number(age, MAX_AGE):
            raise BadFile(where, f"meta.ages[{index}]", age, f"years, 0 to {MAX_AGE}")
    if meta.core is not None:
        start, end = meta.core
        if not (_is_number(start, MAX_SECONDS) and _is_number(end, MAX_SECONDS) and start <= end):
            raise BadFile(where, "meta.core", list(meta.core), "0 <= start <= end in seconds")
    if meta.interaction_class is not None and meta.interaction_class not in taxonomy.INTERACTIONS:
        raise BadFile(where, "meta.interaction_class", meta.interaction_class, "a class of the taxonomy")
    for index, prop in enumerate(motion.props):
        if prop.cls not in taxonomy.PROP_CLASSES:
            raise BadFile(where, f"meta.props[{index}].class", prop.cls, f"one of {', '.join(taxonomy.PROP_CLASSES)}")
    if len({prop.id for prop in motion.props}) != len(motion.props):
        raise BadFile(where, "meta.props", [prop.id for prop in motion.props], "ids that differ")
    for index, segment in enumerate(meta.actions):
        at = f"meta.actions[{index}]"
        _check_span(where, at, segment.person, segment.start, segment.end, people)
        if segment.label not in taxonomy.ACTIONS:
            raise BadFile(where, f"{at}.label", segment.label, "an action of the taxonomy")
    for index, contact in enumerate(meta.contacts):
        at = f"meta.contacts[{index}]"
        _check_span(where, at, contact.person, contact.start, contact.end, people)
        if contact.part not in taxonomy.BODY_PARTS:
            raise BadFile(where, f"{at}.part", contact.part, "a body part of the taxonomy")
        target: Any = contact.target
        if not isinstance(target, Mapping) or ("person" in target) == ("object" in target):
            found = dict(target) if isinstance(target, Mapping) else target
            raise BadFile(where, f"{at}.with", found, "an object with either a person and a part, or an object")
        if "object" in target and not _is_text(target["object"]):
            raise BadFile(where, f"{at}.with.object", target["object"], "an id of furniture or a prop, or floor")
        if "person" in target and not (
            _is_index(target["person"], people) and target.get("part") in taxonomy.BODY_PARTS
        ):
            raise BadFile(where, f"{at}.with", dict(target), "the index of a person and a body part")


def _check_words(meta: Meta, where: str | PathLike[str]) -> None:
    """The types of what is neither an array nor a label in time."""
    for name, value in (("text", meta.text), ("body_model", meta.body_model), ("room", meta.room)):
        if not _is_text(value) and not (name == "room" and value is None):
            raise BadFile(where, f"meta.{name}", value, "text" if name != "room" else "text or null")
    for index, caption in enumerate(meta.captions):
        if not _is_text(caption):
            raise BadFile(where, f"meta.captions[{index}]", caption, "text")
    for index, item in enumerate(meta.stage):
        if not isinstance(item, Mapping):
            raise BadFile(where, f"meta.stage[{index}]", item, "an object, as in room.json")
    for name in ("source", "quality"):
        if not isinstance(getattr(meta, name), Mapping):
            raise BadFile(where, f"meta.{name}", getattr(meta, name), "an object")


def _is_text(value: Any) -> bool:
    """Whether it is text that can be written as UTF-8."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _is_index(value: Any, count: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and 0 <= int(value) < count


def _is_number(value: Any, most: float) -> bool:
    """Whether it is a number from 0 to ``most``; NaN is not."""
    number: Any = value
    return isinstance(value, Real) and not isinstance(value, bool) and bool(0 <= number <= most)


def _check_span(where: str | PathLike[str], at: str, person: Any, start: Any, end: Any, people: int) -> None:
    if not _is_index(person, people):
        raise BadFile(where, f"{at}.person", person, f"a whole number below {people}")
    if not _is_number(start, MAX_SECONDS) or not _is_number(end, MAX_SECONDS) or not start < end:
        raise BadFile(where, f"{at}.start, end", [start, end], "0 <= start < end in seconds")


__all__ = [
    "ActionSegment", "Contact", "Interaction", "Meta", "Prop", "from_amass", "load_interaction",
    "meta_from_json", "meta_to_json", "single",
]  # fmt: skip
