"""Doors and windows. Sizes: clear door widths of 0.9-1.1 m for beds and wheelchairs and 2.1 m height (DIN 18040-2),
window sills at 0.6-0.9 m so that one sees out lying down."""

from __future__ import annotations

from synth.gltf import Material
from synth.rooms import palette as P
from synth.rooms.piece import Piece, blocks, span


def door(width: float = 1.1, leaf: Material = P.WOOD_BEECH, glazed: bool = False) -> Piece:
    """A closed door: frame, leaf, lever handle and kick plate; the wall is at -y, ``width`` is that of the leaf."""
    solids = (span(-width / 2 - 0.07, width / 2 + 0.07, -0.05, 0.03, 0.0, 2.17),)
    return Piece("door", (width + 0.14, 0.12, 2.17), tuple(blocks(leaf, solids)), 0.0, None, solids)


REVEAL = 0.16  # how deep a window sits in its wall
