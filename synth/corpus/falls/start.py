"""What happens before a fall: a captured motion of the library on the person's own body, with the seat under it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.body import BodyModel
from synth.corpus.ground import runs
from synth.corpus.stage import SLAB, seat_under
from synth.interaction import Interaction
from synth.room import Box, Furniture
from synth.rotation import Array, slerp
from synth.skeleton import JOINT, facing_yaw, forward_kinematics

FPS = 20.0


@dataclass(frozen=True)
class Start:
    """Captured movement of one person at 20 fps.

    Attributes:
        rotmats: local rotations [T, 24, 3, 3].
        transl: metres [T, 3].
        joints: [T, 24, 3] metres.
        betas: [10].
        seat: what the person sits on, or None; `sat` the frames [start, end) of sitting on it.
    """

    rotmats: Array
    transl: Array
    joints: Array
    betas: Array
    seat: Furniture | None = None
    sat: tuple[tuple[int, int], ...] = ()

    @property
    def frames(self) -> int:
        return len(self.transl)

    def yaw(self, frame: int) -> float:
        """Heading at a frame, radians."""
        return float(facing_yaw(self.rotmats[frame, 0]))

    def dense(self, times: Array) -> tuple[Array, Array]:
        """Rotations and translations at any seconds."""
        keys = np.arange(self.frames) / FPS
        moved = np.stack([np.interp(times, keys, column) for column in self.transl.T], -1)
        return slerp(keys, self.rotmats, times), moved

    def landing(self, side: str) -> np.ndarray:
        """Frames in which a foot has just come down in walking."""
        return np.array([a for a, _ in runs(self._down(side)) if a > 0], int)

    def swinging(self, side: str) -> np.ndarray:
        """Frames in the middle of a foot's swing."""
        return np.array([(a + b) // 2 for a, b in runs(~self._down(side)) if a > 0 and b < self.frames], int)

    def _down(self, side: str) -> np.ndarray:
        toe, ankle = self.joints[:, JOINT[f"{side}_foot"]], self.joints[:, JOINT[f"{side}_ankle"]]
        speed = np.linalg.norm(np.gradient(0.5 * (toe + ankle), 1 / FPS, axis=0)[:, :2], axis=-1)
        return speed < 0.45


def on_body(motion: Interaction, body: BodyModel, betas: Array, seated: bool = False) -> Start:
    """A library motion for another body: the same rotations, the way scaled by the length of the legs, feet on the
    floor. Whoever is `seated` gets a chair as high as it takes (`synth.corpus.stage.seat_under`)."""
    motion = motion.resample(FPS)
    old, new = (body.rest_joints(shape).astype(float) for shape in (motion.betas[0], betas))
    rotmats = motion.rotations()[0]
    pelvis = (motion.transl[0].astype(float) + old[0]) * (_legs(new) / _legs(old))
    transl = pelvis - new[0]
    skin = vertices(body, betas, rotmats, transl)
    floor = float(np.percentile(skin[..., 2].min(1), 20))
    transl[:, 2] -= floor
    skin[..., 2] -= floor
    joints, _ = forward_kinematics(rotmats, new, transl)
    seat, sat = None, []
    if seated:
        found = seat_under(body, skin, joints, rotmats[:, 0], FPS)
        if found is not None:
            seat, spans = found
            sat = [(round(a * FPS), round(b * FPS)) for a, b in spans]
    return Start(rotmats, transl, joints, np.asarray(betas), seat, tuple(sat))


def vertices(body: BodyModel, betas: Array, rotmats: Array, transl: Array, step: int = 1) -> Array:
    """Skin vertices [T, V, 3] that faces use."""
    used = np.unique(body.faces)[::step]
    posed, _ = body.pose(betas, np.asarray(rotmats, np.float32), np.asarray(transl, np.float32), used)
    return posed.numpy().astype(float)


def bed_under(seat: Furniture, bed: Furniture) -> Furniture:
    """The bed in place of the chair somebody sits on: as high, its long side where the chair's front is."""
    lifted = at_height(bed, float(seat.seat_height or 0.0))
    ahead = np.array([-np.sin(seat.box.yaw), np.cos(seat.box.yaw)])  # the chair's front is its +y
    half = float(lifted.solids[0].size[0]) / 2
    middle = _front(seat) - ahead * half
    return moved(lifted, middle, seat.box.yaw + np.pi / 2)


def armchair_under(seat: Furniture) -> Furniture:
    """An armchair in place of a plain chair: the same seat, a high back and armrests beside it."""
    size = np.array([0.84, float(seat.box.size[1]), 1.0])
    middle, height = size[2] / 2, float(seat.seat_height or 0.0)
    depth = size[1]

    def block(x: float, y: float, low: float, high: float, width: float, length: float) -> Box:
        return Box(np.array([x, y, (low + high) / 2 - middle]), np.array([width, length, high - low]))

    solids = (
        block(0.0, 0.0, height - SLAB, height, 0.70, depth),
        block(0.0, -depth / 2 - 0.07, 0.0, size[2], 0.84, 0.10),
        block(-0.385, -0.02, 0.0, height + 0.2, 0.07, depth - 0.04),
        block(0.385, -0.02, 0.0, height + 0.2, 0.07, depth - 0.04),
    )
    box = Box(np.array([*np.asarray(seat.box.center)[:2], middle]), size, seat.box.yaw)
    place = Box(np.array([0.0, 0.02, height - middle]), np.array([0.66, depth - 0.04, 0.0]))
    return Furniture("armchair", "armchair", box, height, "", solids, place)


def stool_under(seat: Furniture) -> Furniture:
    """The chair without its back."""
    return Furniture("chair", "chair", seat.box, seat.seat_height, "", seat.solids[:1], seat.seat)


def named(piece: Furniture, identifier: str) -> Furniture:
    """The same piece under another id."""
    return Furniture(identifier, piece.cls, piece.box, piece.seat_height, piece.mesh, piece.solids, piece.seat)


def _front(seat: Furniture) -> Array:
    ahead = np.array([-np.sin(seat.box.yaw), np.cos(seat.box.yaw)])
    return np.asarray(seat.box.center)[:2] + ahead * seat.box.size[1] / 2


def at_height(piece: Furniture, height: float) -> Furniture:
    """The same furniture with its seat at another height: what stands above moves along, what carries it is cut."""
    change = height - float(piece.seat_height or 0.0)
    size = np.asarray(piece.box.size, float) + np.array([0.0, 0.0, change])
    middle = size[2] / 2
    solids = []
    for solid in piece.solids:
        top = solid.center[2] + piece.box.center[2] + solid.size[2] / 2 + change
        bottom = max(solid.center[2] + piece.box.center[2] - solid.size[2] / 2, 0.0)
        bottom += change if bottom > 0.1 else 0.0
        center = np.array([solid.center[0], solid.center[1], (top + bottom) / 2 - middle])
        solids.append(Box(center, np.array([solid.size[0], solid.size[1], top - bottom]), solid.yaw))
    seat = None
    if piece.seat is not None:
        seat = Box(np.array([*np.asarray(piece.seat.center)[:2], height - middle]), piece.seat.size)
    box = Box(np.array([*np.asarray(piece.box.center)[:2], middle]), size, piece.box.yaw)
    return Furniture(piece.id, piece.cls, box, height, piece.mesh, tuple(solids), seat)


def moved(piece: Furniture, xy: Array, yaw: float) -> Furniture:
    """Furniture with its middle over `xy`, turned to `yaw`."""
    box = Box(np.array([xy[0], xy[1], piece.box.center[2]]), piece.box.size, yaw)
    return Furniture(piece.id, piece.cls, box, piece.seat_height, piece.mesh, piece.solids, piece.seat)


def shifted(piece: Furniture, forward: float, left: float, yaw: float) -> Furniture:
    """Furniture moved in the frame of somebody who looks towards `yaw`."""
    c, s = np.cos(yaw), np.sin(yaw)
    xy = np.asarray(piece.box.center)[:2] + forward * np.array([c, s]) + left * np.array([-s, c])
    return moved(piece, xy, piece.box.yaw)


def _legs(rest: Array) -> float:
    """Height of the hips above the soles' joints."""
    return float(rest[[1, 2], 1].mean() - rest[[7, 8], 1].mean())
