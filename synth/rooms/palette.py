"""The materials of the built-in rooms.

A name is ``kind`` or ``kind.variant``; the renderer gives each known kind a procedural surface tinted by the base
colour, and everything else (a user's own room) a plain one. Colours are written as sRGB hex, stored linear.
"""

from __future__ import annotations

from synth.gltf import Material

Colour = tuple[float, float, float]


def linear(hex_colour: str) -> Colour:
    """sRGB ``"#rrggbb"`` to linear RGB, rounded so that files are stable."""
    value = [int(hex_colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (round(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4, 5) for c in value)
    return (red, green, blue)


def _m(
    name: str, colour: str, roughness: float = 0.6, metallic: float = 0.0, glow: float = 0.0, alpha: float = 1.0
) -> Material:
    base = linear(colour)
    emission = tuple(round(c * glow, 5) for c in base)
    return Material(name, base, roughness, metallic, (emission[0], emission[1], emission[2]), alpha)


WALL = _m("paint.white", "#e9e6df", 0.85)
WALL_BLUE = _m("paint.blue", "#a9c1cc", 0.85)
WALL_GREEN = _m("paint.green", "#b4c3ab", 0.85)
WALL_SAND = _m("paint.sand", "#ddcaa8", 0.85)
WALL_TERRA = _m("paint.terracotta", "#cf9f83", 0.85)
CEILING = _m("ceiling.white", "#f2f1ee", 0.9)
TRIM = _m("lacquer.white", "#f0efeb", 0.4)
SKIRTING = _m("lacquer.grey", "#8f979b", 0.5)

VINYL_GREY = _m("vinyl.grey", "#9aa6a8", 0.4)
VINYL_BLUE = _m("vinyl.blue", "#7f97a6", 0.4)
VINYL_SAND = _m("vinyl.sand", "#b8a88d", 0.4)
PLANKS_OAK = _m("planks.oak", "#a57f56", 0.45)
PLANKS_BEECH = _m("planks.beech", "#c2a07a", 0.45)
TILE_WALL = _m("tile.white", "#e6ebec", 0.2)
TILE_FLOOR = _m("tilefloor.grey", "#7f898c", 0.45)

WOOD_OAK = _m("wood.oak", "#aa8459", 0.45)
WOOD_OAK_DARK = _m("wood.oakdark", "#866241", 0.45)
WOOD_BEECH = _m("wood.beech", "#cfac82", 0.45)
WOOD_WALNUT = _m("wood.walnut", "#6d472c", 0.45)
LAMINATE = _m("laminate.white", "#ecebe6", 0.4)
LAMINATE_BLUE = _m("laminate.blue", "#4f7f9b", 0.4)

STEEL = _m("metal.steel", "#b9bcbf", 0.3, 1.0)
CHROME = _m("metal.chrome", "#e2e4e6", 0.12, 1.0)
BRASS = _m("metal.brass", "#b8934f", 0.3, 1.0)
WHITE_METAL = _m("coated.white", "#e4e6e6", 0.35)
GREY_METAL = _m("coated.grey", "#7d858b", 0.4)
DARK_METAL = _m("coated.black", "#26282b", 0.45)
BLUE_METAL = _m("coated.blue", "#27558a", 0.3)
RED_METAL = _m("coated.red", "#9c1f24", 0.3)

PLASTIC = _m("plastic.white", "#eceae4", 0.45)
PLASTIC_GREY = _m("plastic.grey", "#8a9095", 0.5)
PLASTIC_DARK = _m("plastic.black", "#1d1e20", 0.5)
PLASTIC_BLUE = _m("plastic.blue", "#2f6c9e", 0.45)
PLASTIC_RED = _m("plastic.red", "#c22f2b", 0.45)
PLASTIC_GREEN = _m("plastic.green", "#1e8f55", 0.45)
RUBBER = _m("rubber.black", "#161718", 0.8)
RUBBER_GREY = _m("rubber.grey", "#55595c", 0.8)

GLASS = _m("glass.clear", "#ffffff", 0.02, alpha=0.08)
FLUID = _m("fluid.clear", "#dfeef2", 0.05, alpha=0.35)
MIRROR = _m("mirror", "#f4f6f6", 0.02, 1.0)
CERAMIC = _m("ceramic.white", "#f3f3f0", 0.12)
SKY = _m("outside.day", "#b9d4ec", 1.0, glow=1.0)
SCREEN = _m("screen.off", "#0b0d10", 0.12)
LAMP = _m("lamp.warm", "#ffe2b8", 0.6, glow=1.0)
PANEL = _m("lamp.panel", "#fff6e8", 0.6, glow=1.0)
SHADE = _m("shade.linen", "#e8d3ae", 0.9)

SHEET = _m("bedding.white", "#eef0f1", 0.9)
BLANKET_BLUE = _m("bedding.blue", "#8fb0c4", 0.95)
BLANKET_TEAL = _m("bedding.teal", "#5f9a97", 0.95)
BLANKET_ROSE = _m("bedding.rose", "#b4707a", 0.95)
PILLOW = _m("bedding.pillow", "#f3f3f1", 0.9)
MATTRESS = _m("bedding.mattress", "#c5d3da", 0.8)
FABRIC_BLUE = _m("fabric.blue", "#41658a", 0.9)
FABRIC_GREEN = _m("fabric.green", "#6f8560", 0.9)
FABRIC_RED = _m("fabric.red", "#8e3b3f", 0.9)
FABRIC_GREY = _m("fabric.grey", "#757a80", 0.9)
FABRIC_OCHRE = _m("fabric.ochre", "#b98a3d", 0.9)
LEATHER_TEAL = _m("leather.teal", "#2f7478", 0.45)
LEATHER_BROWN = _m("leather.brown", "#70452c", 0.45)
LEATHER_BLACK = _m("leather.black", "#1f2226", 0.5)
CURTAIN_SAND = _m("cloth.sand", "#d9c6a0", 0.95)
CURTAIN_GREEN = _m("cloth.green", "#93a889", 0.95)
CURTAIN_BLUE = _m("cloth.blue", "#8fb3c9", 0.95)
CURTAIN_TERRA = _m("cloth.terracotta", "#b97d60", 0.95)
SHOWER_CURTAIN = _m("cloth.white", "#e9eef0", 0.7)
NET = _m("net.white", "#f4f4f0", 0.95, alpha=0.35)
LEAF = _m("leaf.green", "#3f6d33", 0.6)
EARTH = _m("plain.earth", "#3b2c21", 0.95)
POT = _m("plain.pot", "#b4653f", 0.8)
PAPER = _m("plain.paper", "#f1ede2", 0.9)
ART_SEA = _m("art.sea", "#5d8fae", 0.8)
ART_FIELD = _m("art.field", "#9fae5c", 0.8)
ART_SUNSET = _m("art.sunset", "#d48a52", 0.8)
EXIT = _m("sign.exit", "#1fa35a", 0.5, glow=0.6)
PLASTIC_SEAT = _m("plastic.seat", "#dfe7ea", 0.25)
DOOR_FRAME = _m("lacquer.frame", "#d3d6d6", 0.4)
PANEL_WALL = _m("lamp.wall", "#fff3df", 0.6, glow=1.0)
PANE = _m("plain.pane", "#5d7480", 0.06)
WATER = _m("plain.water", "#a9c4cc", 0.02)
