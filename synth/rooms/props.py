"""Things that move with people (``synth.interaction.Prop``): what they look like and where hands hold them.

Furniture on wheels is the same piece that stands in the rooms. A prop's frame is its piece's: origin on the floor under
the middle of its box, z up, +y its front; hand-held things have their origin in their middle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from synth.errors import BadOption
from synth.gltf import SceneMesh
from synth.interaction import Prop
from synth.room import Box, Furniture, nearest
from synth.rooms import palette as P
from synth.rooms.mobility import mobile_lift, rollator, wheelchair
from synth.rooms.piece import Piece, scene_meshes
from synth.rooms.shapes import box, join, lathe, sphere, tube
from synth.rotation import Array
from synth.taxonomy import PROP_CLASSES

# class -> name of the hold -> its point in the prop's frame, metres: where the middle of a palm (of a sole) goes
HANDLES: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "walker": {"left": (-0.265, -0.265, 0.917), "right": (0.265, -0.265, 0.917)},
    "wheelchair": {
        "left": (-0.235, -0.445, 0.931), "right": (0.235, -0.445, 0.931),
        "left_arm": (-0.235, 0.02, 0.72), "right_arm": (0.235, 0.02, 0.72),
        "left_foot": (-0.131, 0.45, 0.125), "right_foot": (0.131, 0.45, 0.125),
    },
    "lift": {"left": (-0.16, -0.53, 1.04), "right": (0.16, -0.53, 1.04)},
    "cup": {"left": (-0.036, 0.0, -0.025), "right": (0.036, 0.0, -0.025)},
    "box": {"left": (-0.15, 0.0, 0.0), "right": (0.15, 0.0, 0.0)},
    "folder": {"left": (-0.11, 0.0, 0.0), "right": (0.11, 0.0, 0.0)},
    "towel": {"left": (-0.15, 0.0, 0.0), "right": (0.15, 0.0, 0.0)},
    "book": {"left": (-0.12, 0.0, 0.0), "right": (0.12, 0.0, 0.0)},
    "bottle": {"left": (-0.036, 0.0, -0.04), "right": (0.036, 0.0, -0.04)},
    "phone": {"left": (-0.075, 0.0, 0.0), "right": (0.075, 0.0, 0.0)},
    "pill_cup": {"left": (-0.023, 0.0, -0.015), "right": (0.023, 0.0, -0.015)},
    "cane": {"top": (0.0, 0.0, 0.44), "middle": (0.0, 0.0, 0.16)},
}  # fmt: skip


def _cup() -> Piece:
    profile = [(0, -0.05), (0.032, -0.05), (0.04, 0.05), (0.037, 0.05), (0.03, -0.043), (0, -0.043)]
    return Piece("", (0.08, 0.08, 0.10), ((P.PLASTIC_BLUE, lathe(profile, 24)),), -0.05)


def _box() -> Piece:
    lid = box((0.305, 0.225, 0.03), (0, 0, 0.075), 0.006)
    body = box((0.30, 0.22, 0.17), (0, 0, -0.005), 0.006)
    return Piece("", (0.305, 0.225, 0.18), ((P.PAPER, body), (P.PLASTIC_RED, lid)), -0.09)


def _folder() -> Piece:
    covers = join([box((0.22, 0.006, 0.31), (0, y, 0), 0.002) for y in (-0.012, 0.012)])
    sheets = box((0.205, 0.016, 0.295), (0.004, 0, 0), 0.002)
    return Piece("", (0.22, 0.03, 0.31), ((P.PLASTIC_RED, covers), (P.PAPER, sheets)), -0.155)


def _towel() -> Piece:
    layers = join([box((0.30, 0.22 - 0.01 * i, 0.03), (0, 0, 0.032 * (i - 1)), 0.014, 3) for i in range(3)])
    return Piece("", (0.30, 0.22, 0.10), ((P.PILLOW, layers),), -0.05)


def _book() -> Piece:
    covers = join([box((0.24, 0.004, 0.17), (0, y, 0), 0.001) for y in (-0.018, 0.018)])
    back = box((0.24, 0.036, 0.004), (0, 0, -0.083), 0.001)
    pages = box((0.232, 0.032, 0.158), (0, 0, 0.003), 0.001)
    return Piece("", (0.24, 0.04, 0.17), ((P.FABRIC_RED, join([covers, back])), (P.PAPER, pages)), -0.085)


def _bottle() -> Piece:
    profile = [(0, -0.115), (0.036, -0.115), (0.036, 0.05), (0.014, 0.09), (0.014, 0.10), (0, 0.10)]
    cap = lathe([(0, 0.098), (0.017, 0.098), (0.017, 0.118), (0, 0.118)], 20)
    return Piece("", (0.072, 0.072, 0.235), ((P.PLASTIC_GREEN, lathe(profile, 24)), (P.PLASTIC, cap)), -0.115)


def _phone() -> Piece:
    case = box((0.156, 0.009, 0.076), (0, 0, 0), 0.003)
    screen = box((0.146, 0.001, 0.068), (0, 0.0051, 0), 0.0)
    return Piece("", (0.156, 0.011, 0.076), ((P.PLASTIC_DARK, case), (P.SCREEN, screen)), -0.038)


def _pill_cup() -> Piece:
    profile = [(0, -0.022), (0.021, -0.022), (0.028, 0.022), (0.026, 0.022), (0.02, -0.018), (0, -0.018)]
    pills = join([sphere(0.006, (x, y, -0.012), 8) for x, y in ((0.008, 0.0), (-0.006, 0.007), (-0.003, -0.009))])
    return Piece("", (0.056, 0.056, 0.044), ((P.PLASTIC, lathe(profile, 20)), (P.PLASTIC_RED, pills)), -0.022)


def _cane() -> Piece:
    crook = [
        (0, 0, -0.40),
        (0, 0, -0.12),
        (0, 0, 0.16),
        (0, 0, 0.36),
        (0, 0.01, 0.41),
        (0, 0.035, 0.44),
        (0, 0.07, 0.44),
        (0, 0.095, 0.41),
    ]
    tip = box((0.028, 0.028, 0.04), (0, 0, -0.42), 0.006)
    return Piece("", (0.028, 0.13, 0.89), ((P.WOOD_WALNUT, tube(crook, 0.011, 10)), (P.RUBBER, tip)), -0.44)


_PIECES: Mapping[str, Callable[[], Piece]] = {
    "walker": rollator, "wheelchair": wheelchair, "lift": mobile_lift, "cup": _cup, "box": _box, "folder": _folder,
    "towel": _towel, "book": _book, "bottle": _bottle, "phone": _phone, "pill_cup": _pill_cup, "cane": _cane,
}  # fmt: skip


@cache
def prop_piece(cls: str) -> Piece:
    """The piece of a prop's class.

    Raises:
        BadOption: no such class; names the nearest.
    """
    if cls not in _PIECES:
        raise BadOption("prop", cls, nearest(cls, PROP_CLASSES))
    return _PIECES[cls]()


def prop_meshes(name: str, cls: str) -> list[SceneMesh]:
    """The meshes of a prop in its own frame, named ``NAME/MATERIAL``."""
    return scene_meshes(name, prop_piece(cls).parts)


def handle(cls: str, name: str) -> Array:
    """Where a hand holds a prop [3], metres in its frame.

    Raises:
        BadOption: the class has no such hold; names those it has.
    """
    holds = HANDLES.get(cls, {})
    if name not in holds:
        raise BadOption("hold", name, f"one of {', '.join(holds)} of a {cls}")
    return np.array(holds[name])


def is_furniture(cls: str) -> bool:
    """Whether a prop of this class is a piece of furniture, which a room may have standing about."""
    return bool(prop_piece(cls).cls)


def standing_piece(prop: Prop) -> Furniture | None:
    """A prop with a seat that stands still (within 5 cm) as the piece of furniture it is; None for all others."""
    piece = prop_piece(prop.cls)
    if piece.seat_height is None or piece.seat is None or np.ptp(prop.transl, axis=0).max() > 0.05:
        return None
    return piece_at(prop)


def piece_at(prop: Prop, frame: int = 0) -> Furniture:
    """A prop as a piece of furniture where it is in a frame, upright."""
    piece = prop_piece(prop.cls)
    pose = prop.poses()[frame]
    yaw = float(np.arctan2(pose[1, 0], pose[0, 0]))
    middle = np.array([0.0, 0.0, piece.bottom + piece.size[2] / 2])
    seat = None
    if piece.seat is not None and piece.seat_height is not None:
        x, y, width, depth = piece.seat
        seat = Box(np.array([x, y, piece.seat_height]) - middle, np.array([width, depth, 0.0]))
    solids = tuple(Box(np.asarray(block.center) - middle, np.asarray(block.size)) for block in piece.solids)
    return Furniture(
        prop.id, prop.cls, Box(pose[:3, 3] + middle, np.array(piece.size), yaw), piece.seat_height, "", solids, seat
    )
