"""Chairs, armchairs and sofas. Sizes: care-home seating has its seat at 0.43-0.48 m and armrests 0.18-0.25 m above
it (HBN 00-03; ISO 21015 for seat height); a visitor chair is about 0.5 m square."""

from __future__ import annotations

from synth.gltf import Material
from synth.rooms import palette as P
from synth.rooms.piece import Piece, blocks, span


def armchair(cover: Material = P.LEATHER_TEAL, legs: Material = P.WOOD_BEECH) -> Piece:
    """A high-backed care-home armchair with seat cushion and wooden armrest tops."""
    solids = (span(-0.27, 0.27, -0.24, 0.38, 0.0, 0.45), span(-0.38, 0.38, -0.42, -0.22, 0.0, 1.06),
              span(-0.38, -0.27, -0.30, 0.36, 0.0, 0.65), span(0.27, 0.38, -0.30, 0.36, 0.0, 0.65))
    return Piece("armchair", (0.76, 0.84, 1.06), tuple(blocks(cover, solids)), 0.0, 0.45, solids,
                 (0.0, 0.08, 0.52, 0.56))


def chair(cover: Material = P.FABRIC_BLUE, frame: Material = P.WOOD_BEECH) -> Piece:
    """A four-legged chair with an upholstered seat and back."""
    solids = (span(-0.23, 0.23, -0.22, 0.25, 0.38, 0.45), span(-0.23, 0.23, -0.27, -0.20, 0.0, 0.88))
    return Piece("chair", (0.48, 0.54, 0.88), tuple(blocks(cover, solids)), 0.0, 0.45, solids,
                 (0.0, 0.03, 0.44, 0.42))


def sofa(cover: Material = P.FABRIC_GREEN) -> Piece:
    """A two-seat sofa."""
    solids = (span(-0.72, 0.72, -0.24, 0.42, 0.05, 0.43), span(-0.87, 0.87, -0.44, -0.22, 0.05, 0.86),
              span(-0.87, -0.72, -0.35, 0.42, 0.05, 0.62), span(0.72, 0.87, -0.35, 0.42, 0.05, 0.62))
    return Piece("sofa", (1.74, 0.88, 0.88), tuple(blocks(cover, solids)), 0.0, 0.43, solids,
                 (0.0, 0.09, 1.4, 0.60))


def shower_chair() -> Piece:
    """A plastic shower chair with armrests on an aluminium frame."""
    solids = (span(-0.22, 0.22, -0.22, 0.22, 0.42, 0.47), span(-0.22, 0.22, -0.26, -0.21, 0.5, 0.86))
    return Piece("chair", (0.54, 0.54, 0.86), tuple(blocks(P.PLASTIC, solids)), 0.0, 0.47, solids,
                 (0.0, 0.0, 0.42, 0.42))
