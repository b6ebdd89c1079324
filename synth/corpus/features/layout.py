"""The feature layouts other people's models read and write, as named fields instead of magic numbers.

    fields = HUMANML3D.unpack(features)      # {"root_turn": [..., 1], "positions": [..., 21, 3], ...}
    features = HUMANML3D.pack(**fields)

Joints are SMPL's first 22 (24 in the thesis's layout), in SMPL's order; "rotations" leave out the root.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from os import PathLike

import numpy as np

from synth.errors import BadFile
from synth.rotation import Array, matrix_from_6d, matrix_to_6d

BODY_JOINTS = 22
# ankle and toe joints; SMPL's numbers, in the order of the four contact labels
FEET = (7, 10, 8, 11)


@dataclass(frozen=True)
class Layout:
    """A vector of features a frame.

    Attributes:
        name: what the layout is called.
        fields: name and shape of each part, in the order they stand in the vector.
        fps: frames a second the published data has; velocities and contacts mean metres a FRAME at this rate.
        up: the vertical axis, "y" or "z".
    """

    name: str
    fields: tuple[tuple[str, tuple[int, ...]], ...]
    fps: float
    up: str

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Where each field stands in the vector."""
        places, start = {}, 0
        for name, shape in self.fields:
            places[name] = slice(start, start + prod(shape))
            start += prod(shape)
        return places

    @property
    def width(self) -> int:
        """Numbers a frame."""
        return sum(prod(shape) for _, shape in self.fields)

    def pack(self, **arrays: Array) -> Array:
        """Join fields [..., *shape] to vectors [..., width]."""
        if set(arrays) != set(self.slices):
            raise TypeError(f"{self.name} has the fields {sorted(self.slices)}, found {sorted(arrays)}")
        parts = []
        for name, shape in self.fields:
            array = np.asarray(arrays[name])
            parts.append(array.reshape(*array.shape[: array.ndim - len(shape)], prod(shape)))
        return np.concatenate(parts, -1)

    def unpack(self, features: Array) -> dict[str, Array]:
        """Split vectors [..., width] into fields [..., *shape] (views)."""
        features = np.asarray(features)
        if features.shape[-1] != self.width:
            raise ValueError(f"{self.name} has {self.width} numbers a frame, found {features.shape[-1]}")
        return {
            name: features[..., self.slices[name]].reshape(*features.shape[:-1], *shape) for name, shape in self.fields
        }

    def check(self, features: Array, where: str | PathLike[str]) -> Array:
        """Return features [T, width] as float64, or raise BadFile that says what is wrong with them."""
        if features.ndim == 1 and features.shape[0] == self.width:
            features = features[None]  # NumPy saves a single squeezed frame so
        if features.ndim != 2 or features.shape[1] != self.width or not len(features):
            raise BadFile(where, self.name, f"shape {features.shape}", f"floats [T, {self.width}]")
        if features.dtype.kind != "f":
            raise BadFile(where, self.name, str(features.dtype), "floating point numbers")
        bad = ~np.isfinite(features).all(1)
        if bad.any():
            raise BadFile(where, self.name, f"NaN or infinity in frame {int(bad.argmax())}", "finite numbers")
        return features.astype(np.float64)


# Guo et al. 2022, https://github.com/EricGuo5513/HumanML3D, motion_representation: y up, the body's own heading frame.
HUMANML3D = Layout(
    "HumanML3D features",
    (
        ("root_turn", (1,)),  # half the turn about the vertical until the next frame, radians
        ("root_velocity", (2,)),  # x and z of the pelvis's step until the next frame, in the next frame's heading
        ("root_height", (1,)),
        ("positions", (21, 3)),  # less the pelvis's x and z, in the frame's heading
        ("rotations", (21, 6)),  # each bone's direction from a stick figure's, NOT SMPL's pose
        ("velocities", (22, 3)),  # step until the next frame, in the frame's heading
        ("contacts", (4,)),
    ),
    20.0,
    "y",
)
# Liang et al. 2023, https://github.com/tr3e/InterGen, utils.process_motion_np: y up, one frame for both people.
INTERGEN = Layout(
    "InterGen features",
    (("positions", (22, 3)), ("velocities", (22, 3)), ("rotations", (21, 6)), ("contacts", (4,))),
    30.0,
    "y",
)
# The files of InterHuman's motions_processed: z up; 22 body joints, 30 of the hands and 10 finger tips; SMPL-H pose.
INTERHUMAN = Layout("InterHuman motion", (("positions", (62, 3)), ("rotations", (51, 6))), 30.0, "z")
# The thesis's representation: InterGen's with all 24 joints, z up; velocities and contacts look back, 0 in frame 0.
THESIS = Layout(
    "thesis features",
    (("positions", (24, 3)), ("velocities", (24, 3)), ("rotations", (23, 6)), ("contacts", (4,))),
    10.0,
    "z",
)


def interleaved_6d(matrix: Array) -> Array:
    """The first two columns read row by row: what InterHuman and the thesis store. [..., 3, 3] -> [..., 6].

    HumanML3D stores one column after the other (`synth.rotation.matrix_to_6d`).
    """
    six = matrix_to_6d(matrix)
    return np.swapaxes(six.reshape(*six.shape[:-1], 2, 3), -1, -2).reshape(six.shape)


def from_interleaved_6d(six: Array) -> Array:
    """The inverse of `interleaved_6d` (after Gram-Schmidt). [..., 6] -> [..., 3, 3]."""
    six = np.asarray(six, float)
    return matrix_from_6d(np.swapaxes(six.reshape(*six.shape[:-1], 3, 2), -1, -2).reshape(six.shape))


def resting(step: Array, height: Array | None, squared: float, below: tuple[float, ...] = ()) -> Array:
    """Contact labels 0/1 [..., 4] of steps [..., 4, 3] (metres a frame): |step|^2 < ``squared`` and, if given, height
    [..., 4] < ``below``."""
    still = (np.asarray(step) ** 2).sum(-1) < squared
    return (still if height is None else still & (height < np.asarray(below))).astype(float)
