"""Nightstands, wardrobes and tables. Sizes: bedside lockers 0.45-0.5 m square and 0.75-0.9 m high, wardrobes 0.6 m
deep, dining and writing tables 0.72-0.76 m high with knee room for a wheelchair, overbed tables 0.75-1.1 m."""

from __future__ import annotations

from synth.gltf import Material
from synth.rooms import palette as P
from synth.rooms.piece import Part, Piece, span
from synth.rooms.shapes import Shape, box, cylinder, join, lathe, rounded_path, tube


def _bow(x: float, y: float, z: float, length: float, upright: bool = False) -> Shape:
    """A bow handle on a front at depth ``y``."""
    h = length / 2
    path = [(-h, 0, 0), (-h, 0.028, 0), (h, 0.028, 0), (h, 0, 0)]
    shape = tube(rounded_path(path, 0.012, 3), 0.005, 8)
    return (shape.turned("y", 90) if upright else shape).moved(x, y, z)


def nightstand(body: Material = P.WOOD_BEECH, wheels: bool = True) -> Piece:
    """A bedside locker: drawer, open shelf, cupboard door."""
    low = 0.09 if wheels else 0.05
    carcass = [box((0.022, 0.40, 0.70 - low), (x, -0.005, (0.70 + low) / 2), 0.003) for x in (-0.225, 0.225)]
    carcass += [box((0.44, 0.38, 0.02), (0, -0.01, z), 0.002) for z in (low + 0.012, 0.375, 0.515)]
    carcass += [
        box((0.44, 0.014, 0.70 - low), (0, -0.198, (0.70 + low) / 2), 0.0),
        box((0.48, 0.43, 0.025), (0, 0, 0.7075), 0.008, 2),
    ]
    fronts = [
        box((0.424, 0.018, 0.155), (0, 0.192, 0.606), 0.004),
        box((0.424, 0.018, 0.34 - low), (0, 0.192, (0.37 + low) / 2 + 0.006), 0.004),
    ]
    grips = [_bow(0, 0.20, 0.61, 0.12), _bow(-0.15, 0.20, 0.30, 0.12, True)]
    if wheels:
        feet = join(cylinder(0.032, 0.024, (x, y, 0.032), "x", 16, 0.006) for x in (-0.19, 0.19) for y in (-0.15, 0.15))
        stems = [box((0.035, 0.04, 0.03), (x, y, 0.075), 0.006) for x in (-0.19, 0.19) for y in (-0.15, 0.15)]
    else:
        feet = box((0.42, 0.34, 0.05), (0, -0.01, 0.025), 0.0)
        stems = []
    front = P.LAMINATE if wheels else body
    parts: tuple[Part, ...] = (
        (body, join(carcass)),
        (front, join(fronts)),
        (P.STEEL, join([*grips, *stems])),
        (P.PLASTIC_DARK, feet),
    )
    return Piece("nightstand", (0.48, 0.46, 0.72), parts, solids=(span(-0.24, 0.24, -0.215, 0.22, 0.0, 0.72),))


def wardrobe(width: float = 1.0, body: Material = P.WOOD_BEECH) -> Piece:
    """A two-door wardrobe with a drawer below each door."""
    w, half = width, width / 2
    carcass = [box((0.024, 0.56, 1.86), (s * (half - 0.012), -0.02, 0.99), 0.003) for s in (-1, 1)]
    carcass += [
        box((w - 0.03, 0.55, 1.86), (0, -0.025, 0.99), 0.0),
        box((w, 0.60, 0.035), (0, -0.005, 1.9325), 0.008, 2),
    ]
    plinth = box((w - 0.04, 0.54, 0.07), (0, -0.02, 0.035), 0.0)
    fronts, grips = [], []
    for s in (-1, 1):
        x, door = s * (half / 2 - 0.001), half - 0.012
        fronts.append(box((door, 0.02, 1.42), (x, 0.268, 1.19), 0.005))
        rim = rounded_path(
            [
                (x - door / 2 + 0.06, 0.279, 0.56),
                (x + door / 2 - 0.06, 0.279, 0.56),
                (x + door / 2 - 0.06, 0.279, 1.82),
                (x - door / 2 + 0.06, 0.279, 1.82),
            ],
            0.02,
            2,
            True,
        )
        fronts.append(tube(rim, 0.006, 5, True))
        fronts.append(box((door, 0.02, 0.36), (x, 0.268, 0.285), 0.005))
        grips += [_bow(s * 0.05, 0.278, 1.12, 0.20, True), _bow(x, 0.278, 0.34, 0.16)]
    parts: tuple[Part, ...] = ((body, join([*carcass, *fronts])), (P.PLASTIC_DARK, plinth), (P.STEEL, join(grips)))
    return Piece("wardrobe", (width, 0.62, 1.95), parts, solids=(span(-half, half, -0.31, 0.29, 0.0, 1.95),))


def table(width: float = 1.1, depth: float = 0.6, height: float = 0.74, top: Material = P.WOOD_OAK) -> Piece:
    """A four-legged rectangular table with an apron."""
    x, y = width / 2 - 0.06, depth / 2 - 0.06
    wood = [box((width, depth, 0.028), (0, 0, height - 0.014), 0.009, 2)]
    wood += [
        box((0.05, 0.05, height - 0.028), (sx * x, sy * y, (height - 0.028) / 2), 0.008, 1)
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
    wood += [box((2 * x - 0.05, 0.02, 0.07), (0, sy * y, height - 0.063), 0.003) for sy in (-1, 1)]
    wood += [box((0.02, 2 * y - 0.05, 0.07), (sx * x, 0, height - 0.063), 0.003) for sx in (-1, 1)]
    solids = [span(-width / 2, width / 2, -depth / 2, depth / 2, height - 0.10, height)]
    solids += [
        span(sx * x - 0.025, sx * x + 0.025, sy * y - 0.025, sy * y + 0.025, 0, height - 0.1)
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
    return Piece("table", (width, depth, height), ((top, join(wood)),), solids=tuple(solids))


def round_table(radius: float = 0.28, height: float = 0.50, top: Material = P.WOOD_OAK) -> Piece:
    """A round pedestal table."""
    r, h = radius, height
    shape = lathe(
        [
            (0, 0),
            (r * 0.62, 0),
            (r * 0.64, 0.012),
            (r * 0.5, 0.028),
            (0.06, 0.05),
            (0.035, 0.10),
            (0.03, h * 0.5),
            (0.04, h - 0.08),
            (0.09, h - 0.03),
            (r - 0.01, h - 0.028),
            (r, h - 0.018),
            (r, h - 0.008),
            (r - 0.008, h),
            (0, h),
        ],
        36,
    )
    solids = (span(-r, r, -r, r, h - 0.04, h), span(-0.05, 0.05, -0.05, 0.05, 0, h - 0.04))
    return Piece("table", (2 * r, 2 * r, h), ((top, shape),), solids=solids)


def overbed_table() -> Piece:
    """A C-framed table on castors that reaches over a bed or chair."""
    metal = [
        box((0.06, 0.04, 0.72), (-0.34, 0, 0.44), 0.008),
        box((0.68, 0.03, 0.03), (0, -0.17, 0.075), 0.008),
        box((0.68, 0.03, 0.03), (0, 0.17, 0.075), 0.008),
        box((0.03, 0.37, 0.03), (-0.34, 0, 0.075), 0.008),
        box((0.42, 0.05, 0.025), (-0.14, 0, 0.793), 0.006),
    ]
    wheels = join(cylinder(0.03, 0.022, (x, y, 0.03), "x", 16, 0.006) for x in (-0.34, 0.34) for y in (-0.17, 0.17))
    top = [box((0.80, 0.42, 0.022), (0, 0, 0.816), 0.008, 2)]
    rim = rounded_path(
        [(-0.395, -0.205, 0.83), (0.395, -0.205, 0.83), (0.395, 0.205, 0.83), (-0.395, 0.205, 0.83)], 0.04, 4, True
    )
    solids = (
        span(-0.40, 0.40, -0.21, 0.21, 0.80, 0.84),
        span(-0.39, -0.31, -0.05, 0.05, 0.09, 0.80),
        span(-0.36, 0.36, -0.20, 0.20, 0.0, 0.09),
    )
    parts: tuple[Part, ...] = (
        (P.WHITE_METAL, join(metal)),
        (P.RUBBER, wheels),
        (P.WOOD_BEECH, join(top)),
        (P.PLASTIC_GREY, tube(rim, 0.007, 6, True)),
    )
    return Piece("table", (0.82, 0.43, 0.84), parts, solids=solids)
