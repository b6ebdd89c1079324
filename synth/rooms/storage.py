"""Nightstands, wardrobes and tables. Sizes: bedside lockers 0.45-0.5 m square and 0.75-0.9 m high, wardrobes 0.6 m
deep, dining and writing tables 0.72-0.76 m high with knee room for a wheelchair, overbed tables 0.75-1.1 m."""

from __future__ import annotations

from synth.gltf import Material
from synth.rooms import palette as P
from synth.rooms.piece import Piece, blocks, span


def nightstand(body: Material = P.WOOD_BEECH, wheels: bool = True) -> Piece:
    solids = (span(-0.24, 0.24, -0.21, 0.21, 0.0, 0.72),)
    return Piece("nightstand", (0.48, 0.44, 0.72), tuple(blocks(body, solids)), solids=solids)


def wardrobe(width: float = 1.0, body: Material = P.WOOD_BEECH) -> Piece:
    solids = (span(-width / 2, width / 2, -0.30, 0.28, 0.0, 1.95),)
    return Piece("wardrobe", (width, 0.62, 1.95), tuple(blocks(body, solids)), solids=solids)


def table(width: float = 1.1, depth: float = 0.6, height: float = 0.74, top: Material = P.WOOD_OAK) -> Piece:
    """A four-legged rectangular table."""
    solids = (span(-width / 2, width / 2, -depth / 2, depth / 2, height - 0.08, height),)
    return Piece("table", (width, depth, height), tuple(blocks(top, solids)), solids=solids)


def round_table(radius: float = 0.28, height: float = 0.50, top: Material = P.WOOD_OAK) -> Piece:
    """A round pedestal table."""
    solids = (span(-radius, radius, -radius, radius, height - 0.04, height), span(-0.05, 0.05, -0.05, 0.05, 0, height))
    return Piece("table", (2 * radius, 2 * radius, height), tuple(blocks(top, solids)), solids=solids)


def overbed_table() -> Piece:
    """A C-framed table on castors that reaches over a bed or chair."""
    solids = (span(-0.40, 0.40, -0.20, 0.20, 0.80, 0.84), span(-0.40, -0.32, -0.05, 0.05, 0.05, 0.80),
              span(-0.40, 0.36, -0.20, 0.20, 0.0, 0.08))
    return Piece("table", (0.80, 0.42, 0.84), tuple(blocks(P.LAMINATE, solids)), solids=solids)
