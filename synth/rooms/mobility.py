"""Wheelchair, rollator, patient lift and IV pole. Sizes: ISO 7176-5 wheelchairs (24 inch wheels, seat 0.48-0.50 m,
handles 0.9 m), ISO 11199-2 rollators (handles 0.8-0.95 m), mobile lifts with a 0.66 x 1.15 m base."""

from __future__ import annotations

from synth.gltf import Material
from synth.rooms import palette as P
from synth.rooms.piece import Piece, blocks, span


def wheelchair(frame: Material = P.BLUE_METAL) -> Piece:
    """A folding attendant wheelchair: two 24 inch wheels, castors, foot rests, push handles."""
    solids = (span(-0.22, 0.22, -0.22, 0.21, 0.42, 0.49), span(-0.22, 0.22, -0.28, -0.22, 0.40, 0.92),
              span(-0.33, -0.25, -0.50, 0.12, 0.0, 0.62), span(0.25, 0.33, -0.50, 0.12, 0.0, 0.62),
              span(-0.28, -0.22, -0.22, 0.14, 0.49, 0.72), span(0.22, 0.28, -0.22, 0.14, 0.49, 0.72))
    return Piece("wheelchair", (0.66, 1.04, 0.94), tuple(blocks(frame, solids)), 0.0, 0.49, solids,
                 (0.0, 0.0, 0.44, 0.42))


def rollator(frame: Material = P.RED_METAL) -> Piece:
    """A four-wheeled walker with handles, brakes, seat and basket; the user stands at -y and walks towards +y."""
    solids = (span(-0.30, -0.24, -0.32, 0.34, 0.0, 0.92), span(0.24, 0.30, -0.32, 0.34, 0.0, 0.92),
              span(-0.24, 0.24, 0.00, 0.26, 0.30, 0.60))
    return Piece("walker", (0.62, 0.70, 0.92), tuple(blocks(frame, solids)), 0.0, None, solids)


def mobile_lift() -> Piece:
    """A mobile patient lift: U-shaped base on castors, mast, boom and spreader bar; +y is where the patient hangs."""
    solids = (span(-0.33, -0.25, -0.56, 0.56, 0.0, 0.14), span(0.25, 0.33, -0.56, 0.56, 0.0, 0.14),
              span(-0.33, 0.33, -0.56, -0.40, 0.0, 0.30), span(-0.08, 0.08, -0.52, -0.36, 0.0, 1.75),
              span(-0.05, 0.05, -0.40, 0.36, 1.45, 1.75), span(-0.26, 0.26, 0.28, 0.42, 1.20, 1.45))
    return Piece("lift", (0.66, 1.14, 1.78), tuple(blocks(P.WHITE_METAL, solids)), 0.0, None, solids)
