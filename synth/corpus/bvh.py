"""Reader of Biovision hierarchies (.bvh): CMU's conversions, SOMA, ReActIdle.

A joint's local rotation is the product of its rotation channels in the order listed (Zrotation Yrotation Xrotation:
Rz Ry Rx). Position channels of a joint take the place of its OFFSET; the root's as well. The format says neither its
unit of length nor whether the first frame is a reference pose: both are the caller's to know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from synth import rotation
from synth.corpus.capture import Capture, numbers, read_text, to_z_up
from synth.errors import BadFile

CMU_UNIT = 0.0254 / 0.45  # metres a unit in the CMU conversions, as in their ASF
CENTIMETRE = 0.01


@dataclass
class _Joint:
    name: str
    parent: int
    offset: np.ndarray = field(default_factory=lambda: np.zeros(3))
    channels: tuple[str, ...] = ()
    first: int = 0


def read_bvh(path: str | Path, unit: float = 1.0, skip: int = 0) -> Capture:
    """The motion of a .bvh file; `unit` metres a length unit, the first `skip` frames (a T-pose) are left out.

    Raises BadFile with the line for a damaged or foreign file.
    """
    lines = [(n, text.split()) for n, text in enumerate(read_text(path).splitlines(), start=1) if text.strip()]
    if not lines or lines[0][1][0].upper() != "HIERARCHY":
        found = " ".join(lines[0][1])[:40] if lines else "an empty file"
        raise BadFile(path, "line 1", found, "HIERARCHY (a BVH file)")
    joints, at = _hierarchy(lines, path)
    fps, values = _motion(lines[at:], sum(len(joint.channels) for joint in joints), path)
    if not 0 <= skip < len(values):
        raise BadFile(path, "Frames", len(values), f"more than the {skip} reference frames")
    values = values[skip:]

    count = len(values)
    rotations = np.zeros((count, len(joints), 3, 3))
    positions = np.zeros((count, len(joints), 3))
    rest = np.zeros((len(joints), 3))
    for j, joint in enumerate(joints):
        block = values[:, joint.first : joint.first + len(joint.channels)]
        local, offset = _local(joint, block, path)
        if joint.parent < 0:
            rotations[:, j], positions[:, j] = local, offset * unit
            continue
        rotations[:, j] = rotations[:, joint.parent] @ local
        step = np.einsum("tij,tj->ti", rotations[:, joint.parent], offset * unit)
        positions[:, j] = positions[:, joint.parent] + step
        rest[j] = rest[joint.parent] + np.median(offset, axis=0) * unit
    names = [joint.name for joint in joints]
    return to_z_up(names, [joint.parent for joint in joints], fps, positions, rotations, rest, path)


def _local(joint: _Joint, block: np.ndarray, path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Rotation [T, 3, 3] and offset [T, 3] of a joint from its channel values [T, C]."""
    turning = [c for c in joint.channels if c.endswith("rotation")]
    angles = np.stack([block[:, joint.channels.index(c)] for c in turning], -1) if turning else None
    local = np.broadcast_to(np.eye(3), (len(block), 3, 3))
    if angles is not None:
        order = "".join(c[0] for c in turning).upper()
        if len(set(order)) != 3:
            raise BadFile(path, f"joint {joint.name} channels", " ".join(turning), "three different rotations")
        local = rotation.euler_to_matrix(order, np.radians(angles))
    offset = np.tile(joint.offset, (len(block), 1))
    for axis, letter in enumerate("XYZ"):
        if f"{letter}position" in joint.channels:
            offset[:, axis] = block[:, joint.channels.index(f"{letter}position")]
    return local, offset


def _hierarchy(lines: list[tuple[int, list[str]]], path: str | Path) -> tuple[list[_Joint], int]:
    """The joints of the HIERARCHY section and the index of the line after it."""
    joints: list[_Joint] = []
    stack: list[int] = []
    pending = -1
    column = 0
    for at, (number, words) in enumerate(lines[1:], start=1):
        key = words[0].upper()
        if key == "MOTION":
            if stack or not joints:
                raise BadFile(path, f"line {number}", "MOTION inside an open joint", "a closed HIERARCHY")
            return joints, at
        if key in ("ROOT", "JOINT", "END"):
            parent = stack[-1] if stack else -1
            if (key == "ROOT") != (parent < 0):
                raise BadFile(path, f"line {number}", " ".join(words)[:40], "one ROOT that holds all joints")
            name = " ".join(words[1:]) if key != "END" else f"{joints[parent].name}_end"
            joints.append(_Joint(name, parent))
            pending = len(joints) - 1
        elif key == "{":
            stack.append(pending)
        elif key == "}":
            if not stack:
                raise BadFile(path, f"line {number}", "}", "as many { as }")
            stack.pop()
        elif key == "OFFSET" and stack:
            joints[stack[-1]].offset = np.array(numbers(words[1:], path, number, 3))
        elif key == "CHANNELS" and stack:
            joint = joints[stack[-1]]
            joint.channels = tuple(words[2:])
            known = all(c[1:] in ("rotation", "position") and c[0] in "XYZ" for c in joint.channels)
            if not known or words[1:2] != [str(len(joint.channels))]:
                raise BadFile(path, f"line {number}", " ".join(words)[:80], "CHANNELS n with n channel names")
            joint.first, column = column, column + len(joint.channels)
        else:
            raise BadFile(path, f"line {number}", " ".join(words)[:40], "a line of a BVH hierarchy")
    raise BadFile(path, "MOTION", "no such section", "a whole BVH file")


def _motion(lines: list[tuple[int, list[str]]], columns: int, path: str | Path) -> tuple[float, np.ndarray]:
    """Frames a second and the channel values [T, columns]."""
    if len(lines) < 3 or lines[1][1][0] != "Frames:" or [w.lower() for w in lines[2][1][:2]] != ["frame", "time:"]:
        raise BadFile(path, "MOTION", "no Frames: and Frame Time: lines", "Frames: N, Frame Time: S")
    count = int(numbers(lines[1][1][1:], path, lines[1][0], 1)[0])
    seconds = numbers(lines[2][1][2:], path, lines[2][0], 1)[0]
    if seconds <= 0:
        raise BadFile(path, f"line {lines[2][0]}", seconds, "a positive frame time")
    # A frame may be broken over lines: only the total number of values is fixed.
    values = [value for number, words in lines[3:] for value in numbers(words, path, number)]
    if count < 1 or columns == 0 or len(values) != count * columns:
        found = f"{len(values)} values" + (f" ({len(values) / columns:.2f} frames)" if columns else "")
        raise BadFile(path, "MOTION", found, f"{count} frames of {columns} values")
    return 1.0 / seconds, np.array(values).reshape(count, columns)
