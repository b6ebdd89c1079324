"""Reader of Acclaim motion capture: a skeleton (.asf) and a motion on it (.amc), as CMU and HDM05 publish them.

Source of the conventions: Acclaim's format notes as used by mocap.cs.cmu.edu. A bone's `axis` angles give the frame
C in which its degrees of freedom turn it; the turn relative to its parent is C M C^-1 with M = Rz Ry Rx for the
order XYZ (x is applied first). Lengths are in inches divided by `length`: 0.45 makes a unit 0.0254 / 0.45 =
0.056444 m. The zero pose stands with the legs apart and is not a T-pose.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synth import rotation
from synth.corpus.capture import Capture, numbers, read_text, to_z_up
from synth.errors import BadFile

INCH = 0.0254
DOFS = ("rx", "ry", "rz")


@dataclass(frozen=True)
class Bone:
    """A bone of the skeleton: `offset` [3] metres from its start to its end in the zero pose, `frame` [3, 3] = C."""

    name: str
    offset: np.ndarray
    frame: np.ndarray
    order: str
    dofs: tuple[str, ...]


@dataclass(frozen=True)
class Skeleton:
    """Bones with the root first, parents before children; `unit` metres a length unit, `degrees` of the AMC angles."""

    bones: tuple[Bone, ...]
    parents: tuple[int, ...]
    unit: float
    degrees: bool
    root_order: tuple[str, ...]


def _turn(order: str, angles: np.ndarray) -> np.ndarray:
    """Rotation [..., 3, 3] for angles [..., 3] (radians, about x, y, z) applied in the order of `order`."""
    applied = order.upper()
    by_axis = np.stack([angles[..., "XYZ".index(axis)] for axis in applied[::-1]], axis=-1)
    return rotation.euler_to_matrix(applied[::-1], by_axis)


def _sections(path: str | Path) -> dict[str, list[tuple[int, list[str]]]]:
    """Lines (number, words) under each `:keyword` of an ASF file."""
    sections: dict[str, list[tuple[int, list[str]]]] = {}
    current: list[tuple[int, list[str]]] = []
    for number, text in enumerate(read_text(path).splitlines(), start=1):
        words = text.split("#", 1)[0].split()
        if not words:
            continue
        if words[0].startswith(":"):
            current = sections.setdefault(words[0][1:].lower(), [])
            words = words[1:]
        if words:
            current.append((number, words))
    for needed in ("root", "bonedata", "hierarchy"):
        if needed not in sections:
            raise BadFile(path, f":{needed}", "no such section", "an Acclaim skeleton (.asf)")
    return sections


def read_asf(path: str | Path) -> Skeleton:
    """The skeleton of an .asf file. Raises BadFile with the line when it is damaged."""
    sections = _sections(path)
    units = {words[0].lower(): (number, words[1:]) for number, words in sections.get("units", [])}
    length = numbers(units["length"][1][:1], path, units["length"][0], 1)[0] if "length" in units else 1.0
    if length <= 0:
        raise BadFile(path, "units length", length, "a positive number")
    unit = INCH / length
    degrees = units.get("angle", (0, ["deg"]))[1][:1] != ["rad"]
    scale = np.pi / 180 if degrees else 1.0

    root = {words[0].lower(): (number, words[1:]) for number, words in sections["root"]}
    root_order = tuple(word.lower() for word in root.get("order", (0, ["TX", "TY", "TZ", "RX", "RY", "RZ"]))[1])
    if sorted(root_order) != ["rx", "ry", "rz", "tx", "ty", "tz"]:
        raise BadFile(path, "root order", " ".join(root_order), "TX TY TZ RX RY RZ in some order")
    line, orientation = root.get("orientation", (0, ["0", "0", "0"]))
    order = "".join(root.get("axis", (0, ["XYZ"]))[1][:1]).upper()
    if sorted(order) != ["X", "Y", "Z"]:
        raise BadFile(path, "root axis", order, "an axis order such as XYZ")
    frame = _turn(order, np.array(numbers(orientation, path, line, 3)) * scale)
    bones = {"root": Bone("root", np.zeros(3), frame, order, DOFS)}

    fields: dict[str, tuple[int, list[str]]] = {}
    for number, words in sections["bonedata"]:
        key = words[0].lower()
        if key == "begin":
            fields = {}
        elif key == "end":
            bone = _bone(fields, number, unit, scale, path)
            bones[bone.name] = bone
        else:
            fields[key] = (number, words[1:])

    parent_of = {"root": ""}
    for number, words in sections["hierarchy"]:
        if words[0].lower() in ("begin", "end"):
            continue
        for name in words:
            if name not in bones:
                raise BadFile(path, f"line {number}", name, "a bone of :bonedata")
        if words[0] not in parent_of:
            raise BadFile(path, f"line {number}", words[0], "a bone named before its children")
        parent_of.update((child, words[0]) for child in words[1:])
    names = list(parent_of)
    parents = tuple(-1 if name == "root" else names.index(parent_of[name]) for name in names)
    return Skeleton(tuple(bones[name] for name in names), parents, unit, degrees, root_order)


def _bone(fields: dict, line: int, unit: float, scale: float, path: str | Path) -> Bone:
    for needed in ("name", "direction", "length", "axis"):
        if needed not in fields:
            raise BadFile(path, f"bone ending at line {line}", f"no {needed}", "name, direction, length and axis")
    name = fields["name"][1][0]
    direction = np.array(numbers(fields["direction"][1], path, fields["direction"][0], 3))
    size = float(np.linalg.norm(direction))
    length = numbers(fields["length"][1][:1], path, fields["length"][0], 1)[0]
    if size < 1e-6 or length < 0:
        found = f"direction {direction.tolist()}, length {length}"
        raise BadFile(path, f"bone {name}", found, "a bone with a direction and a length")
    number, axis = fields["axis"]
    order = axis[3].upper() if len(axis) > 3 else "XYZ"
    if sorted(order) != ["X", "Y", "Z"]:
        raise BadFile(path, f"line {number}", order, "an axis order such as XYZ")
    frame = _turn(order, np.array(numbers(axis[:3], path, number, 3)) * scale)
    dofs = tuple(word.lower() for word in fields.get("dof", (0, []))[1])
    if any(dof not in (*DOFS, "l", "tx", "ty", "tz") for dof in dofs):
        raise BadFile(path, f"bone {name} dof", " ".join(dofs), "rx, ry, rz")
    return Bone(name, direction / size * length * unit, frame, order, dofs)


def read_amc(path: str | Path, skeleton: str | Path | Skeleton, fps: float) -> Capture:
    """The motion of an .amc file on its skeleton. The format stores no frame rate: `fps` comes from the data set.

    Raises BadFile with the line for a damaged file or one that belongs to another skeleton.
    """
    asf = skeleton if isinstance(skeleton, Skeleton) else read_asf(skeleton)
    if fps <= 0:
        raise BadFile(path, "fps", fps, "a positive frame rate")
    columns = {bone.name: len(bone.dofs) for bone in asf.bones}
    columns["root"] = 6
    values = _frames(path, columns)
    degrees = asf.degrees
    frames = len(values["root"])

    rotations = np.zeros((frames, len(asf.bones), 3, 3))
    starts = np.zeros((frames, len(asf.bones), 3))
    ends = np.zeros_like(starts)
    for j, bone in enumerate(asf.bones):
        angles = np.zeros((frames, 3))
        dofs = asf.root_order if bone.name == "root" else bone.dofs
        for column, dof in enumerate(dofs):
            if dof in DOFS:
                angles[:, DOFS.index(dof)] = values[bone.name][:, column]
        local = bone.frame @ _turn(bone.order, np.radians(angles) if degrees else angles) @ bone.frame.T
        parent = asf.parents[j]
        if parent < 0:
            columns_xyz = [asf.root_order.index(dof) for dof in ("tx", "ty", "tz")]
            starts[:, j] = ends[:, j] = values["root"][:, columns_xyz] * asf.unit
            rotations[:, j] = local
        else:
            starts[:, j] = ends[:, parent]
            rotations[:, j] = rotations[:, parent] @ local
            ends[:, j] = starts[:, j] + rotations[:, j] @ bone.offset
    return _with_ends(asf, fps, starts, ends, rotations, path)


def _with_ends(
    asf: Skeleton, fps: float, starts: np.ndarray, ends: np.ndarray, rotations: np.ndarray, path: str | Path
) -> Capture:
    """Joints sit at the bones' starts; bones without children get their free end as one more joint."""
    names = [bone.name for bone in asf.bones]
    leaves = [j for j in range(len(names)) if j not in asf.parents]
    rest_end = np.zeros((len(names), 3))
    rest = np.zeros((len(names), 3))
    for j, bone in enumerate(asf.bones):
        rest[j] = rest_end[asf.parents[j]] if asf.parents[j] >= 0 else 0.0
        rest_end[j] = rest[j] + bone.offset
    return to_z_up(
        names + [f"{names[j]}_end" for j in leaves],
        list(asf.parents) + leaves,
        fps,
        np.concatenate([starts, ends[:, leaves]], axis=1),
        np.concatenate([rotations, rotations[:, leaves]], axis=1),
        np.concatenate([rest, rest_end[leaves]], axis=0),
        path,
    )


def _frames(path: str | Path, columns: dict[str, int]) -> dict[str, np.ndarray]:
    """The numbers of every bone, [T, dofs]; bones that the file never moves get zeros."""
    rows: dict[str, list[list[float]]] = {name: [] for name in columns}
    frames = 0
    for number, text in enumerate(read_text(path).splitlines(), start=1):
        words = text.split()
        if not words or text[0] in "#:":
            continue
        if len(words) == 1 and words[0].isdigit():
            if frames and not len(rows["root"]) == frames:
                raise BadFile(path, f"line {number}", f"frame {frames} without a root", "a root line in every frame")
            frames += 1
            continue
        if words[0] not in columns:
            raise BadFile(path, f"line {number}", words[0][:40], "a bone of the skeleton (is this its .asf?)")
        if not frames:
            raise BadFile(path, f"line {number}", "values before the first frame number", "an Acclaim motion (.amc)")
        rows[words[0]].append(numbers(words[1:], path, number, columns[words[0]]))
        if len(rows[words[0]]) != frames:
            raise BadFile(path, f"line {number}", f"{words[0]} missing or twice in a frame", "each bone once a frame")
    if not frames:
        raise BadFile(path, "frames", "none", "an Acclaim motion (.amc)")
    for name, count in columns.items():
        if rows[name] and len(rows[name]) != frames:
            raise BadFile(path, f"bone {name}", f"{len(rows[name])} frames", f"{frames} frames")
        if not rows[name] and name == "root":
            raise BadFile(path, "root", "no root line", "a root line in every frame")
        if not rows[name]:
            rows[name] = [[0.0] * count] * frames
    return {name: np.array(values, float).reshape(frames, -1) for name, values in rows.items()}
