"""What happens before a fall: a captured motion of the library on the person's own body, with the seat under it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.body import BodyModel
from synth.corpus.ground import runs
from synth.corpus.library import LibraryEntry
from synth.corpus.stage import SLAB, seat_under
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
        seat: what the person sits on, or None; `sat` the frames [start, end) of sitting on it.
    """

    rotmats: Array
    transl: Array
    joints: Array
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


def on_body(entry: LibraryEntry, body: BodyModel, betas: Array) -> Start:
    """A library motion for another body: the same rotations, the way scaled by the length of the legs, feet on the
    floor. Whoever sits gets a chair as high as it takes (`synth.corpus.stage.seat_under`)."""
    motion = entry.load().resample(FPS)
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
    if entry.furniture:
        found = seat_under(body, skin, joints, rotmats[:, 0], FPS)
        if found is not None:
            seat, spans = found
            sat = [(round(a * FPS), round(b * FPS)) for a, b in spans]
    return Start(rotmats, transl, joints, seat, tuple(sat))


def vertices(body: BodyModel, betas: Array, rotmats: Array, transl: Array, step: int = 1) -> Array:
    """Skin vertices [T, V, 3] that faces use."""
    used = np.unique(body.faces)[::step]
    posed, _ = body.pose(betas, np.asarray(rotmats, np.float32), np.asarray(transl, np.float32), used)
    return posed.numpy().astype(float)


def as_bed_edge(seat: Furniture, bed: Furniture) -> Furniture:
    """The bed in place of the chair somebody sits on: as high as the chair, its side where the chair's front is.

    The sitter looks off the bed's left or right side (+x or -x in its own frame).
    """
    lifted = at_height(bed, float(seat.seat_height or 0.0))
    yaw = seat.box.yaw  # the chair's front is its +y
    ahead = np.array([-np.sin(yaw), np.cos(yaw)])
    front = seat.box.center[:2] + ahead * seat.box.size[1] / 2
    half = max(s.size[0] for s in lifted.solids[:1]) / 2
    middle = front - ahead * half
    return _moved(lifted, middle, yaw - np.pi / 2)


def at_height(piece: Furniture, height: float) -> Furniture:
    """The same furniture with its seat at another height: what stands above moves along, what carries it is cut."""
    change = height - float(piece.seat_height or 0.0)
    size = np.asarray(piece.box.size, float) + [0, 0, change]
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


def _moved(piece: Furniture, xy: Array, yaw: float) -> Furniture:
    box = Box(np.array([xy[0], xy[1], piece.box.center[2]]), piece.box.size, yaw)
    return Furniture(piece.id, piece.cls, box, piece.seat_height, piece.mesh, piece.solids, piece.seat)


def shifted(piece: Furniture, forward: float, left: float, yaw: float) -> Furniture:
    """Furniture moved in the frame of somebody who looks towards `yaw`."""
    c, s = np.cos(yaw), np.sin(yaw)
    xy = np.asarray(piece.box.center)[:2] + forward * np.array([c, s]) + left * np.array([-s, c])
    return _moved(piece, xy, piece.box.yaw)


def _legs(rest: Array) -> float:
    """Height of the hips above the soles' joints."""
    return float(rest[[1, 2], 1].mean() - rest[[7, 8], 1].mean())


__all__ = ["FPS", "SLAB", "Start", "as_bed_edge", "at_height", "on_body", "shifted", "vertices"]
