"""Toilet and wash basin. Sizes: raised toilet seats for care 0.45-0.48 m, basin rim 0.80-0.86 m, grab bars at
0.7-0.8 m (DIN 18040-2, Approved Document M)."""

from __future__ import annotations

from synth.rooms import palette as P
from synth.rooms.piece import Piece, blocks, span


def toilet() -> Piece:
    """A close-coupled toilet, back at -y, with seat and lid up."""
    solids = (span(-0.18, 0.18, -0.16, 0.34, 0.0, 0.46), span(-0.19, 0.19, -0.35, -0.17, 0.0, 0.84))
    return Piece("toilet", (0.40, 0.70, 0.84), tuple(blocks(P.CERAMIC, solids)), 0.0, 0.46, solids,
                 (0.0, 0.10, 0.34, 0.40))


def sink() -> Piece:
    """A wall-hung wash basin with tap, trap and a mirror above it; the wall is at -y."""
    solids = (span(-0.28, 0.28, -0.24, 0.22, 0.68, 0.86),)
    return Piece("sink", (0.56, 0.48, 0.48), tuple(blocks(P.CERAMIC, solids)), 0.52, None, solids)
