"""Chairs, armchairs and sofas. Sizes: care-home seating has its seat at 0.43-0.48 m and armrests 0.18-0.25 m above
it (HBN 00-03; ISO 21015 for seat height); a visitor chair is about 0.5 m square."""

from __future__ import annotations

from synth.gltf import Material
from synth.rooms import palette as P
from synth.rooms.piece import Part, Piece, span
from synth.rooms.shapes import Shape, box, cushion, cylinder, join, rounded_path, tube


def _legs(
    xs: tuple[float, float], ys: tuple[float, float], top: float, radius: float = 0.018, splay: float = 0.02
) -> Shape:
    """Four round legs, a little wider apart at the floor."""
    return join(
        tube([(x, y, top), (x + splay * (1 if x > 0 else -1), y + splay * (1 if y > 0 else -1), 0.0)], radius, 10)
        for x in xs
        for y in ys
    )


def armchair(cover: Material = P.LEATHER_TEAL, legs: Material = P.WOOD_BEECH) -> Piece:
    """A high-backed care-home armchair: cushions, ears beside the head, wooden armrest caps and legs."""
    soft: list[Shape] = [
        cushion((0.54, 0.60, 0.15), (0, 0.09, 0.352), 0.022, 0.045, 8),
        box((0.56, 0.56, 0.12), (0, 0.05, 0.225), 0.025, 2),
    ]
    back = join(
        [
            cushion((0.54, 0.13, 0.64), (0, 0, 0.33), 0.035, 0.05, 8),
            box((0.60, 0.07, 0.78), (0, -0.07, 0.31), 0.03, 3),
            cushion((0.40, 0.07, 0.17), (0, 0.075, 0.545), 0.018, 0.03, 6),
        ]
    )
    soft.append(back.turned("x", 5).moved(0, -0.255, 0.375))
    for side in (-1, 1):
        ear = box((0.05, 0.15, 0.34), (side * 0.295, 0.01, 0.44), 0.024, 3)
        soft.append(ear.turned("x", 5).moved(0, -0.255, 0.375))
        soft.append(box((0.075, 0.60, 0.40), (side * 0.325, 0.03, 0.42), 0.03, 3, 2))
    wood: list[Shape] = [_legs((-0.30, 0.30), (-0.30, 0.31), 0.22, 0.022, 0.015)]
    for side in (-1, 1):
        wood.append(box((0.075, 0.62, 0.028), (side * 0.328, 0.045, 0.636), 0.013, 2))
        wood.append(box((0.04, 0.035, 0.50), (side * 0.328, 0.325, 0.375), 0.01, 1))
    solids = (
        span(-0.27, 0.27, -0.24, 0.38, 0.0, 0.45),
        span(-0.38, 0.38, -0.42, -0.22, 0.0, 1.06),
        span(-0.37, -0.28, -0.30, 0.36, 0.0, 0.65),
        span(0.28, 0.37, -0.30, 0.36, 0.0, 0.65),
    )
    parts: tuple[Part, ...] = ((cover, join(soft)), (legs, join(wood)))
    return Piece("armchair", (0.76, 0.84, 1.06), parts, 0.0, 0.45, solids, (0.0, 0.08, 0.52, 0.56))


def chair(cover: Material = P.FABRIC_BLUE, frame: Material = P.WOOD_BEECH) -> Piece:
    """A four-legged chair with an upholstered seat and back."""
    wood = [_legs((-0.20, 0.20), (0.20, 0.20), 0.41, 0.017, 0.012)]
    for side in (-1, 1):
        wood.append(
            tube(
                rounded_path(
                    [(side * 0.205, -0.235, 0), (side * 0.20, -0.19, 0.42), (side * 0.19, -0.255, 0.88)], 0.2, 6
                ),
                0.017,
                10,
            )
        )
        wood.append(box((0.022, 0.40, 0.045), (side * 0.20, 0.0, 0.375), 0.006))
        wood.append(box((0.016, 0.39, 0.022), (side * 0.205, -0.01, 0.16), 0.005))
    wood += [box((0.40, 0.022, 0.045), (0, y, 0.375), 0.006) for y in (-0.19, 0.20)]
    wood.append(box((0.40, 0.024, 0.05), (0, -0.245, 0.85), 0.01, 2))
    pads = [
        cushion((0.45, 0.46, 0.055), (0, 0.01, 0.415), 0.010, 0.022, 6),
        cushion((0.37, 0.04, 0.24), (0, 0, 0), 0.012, 0.018, 6).turned("x", 8).moved(0, -0.218, 0.70),
    ]
    solids = (span(-0.23, 0.23, -0.22, 0.25, 0.38, 0.45), span(-0.23, 0.23, -0.27, -0.20, 0.0, 0.88))
    return Piece(
        "chair",
        (0.48, 0.54, 0.88),
        ((frame, join(wood)), (cover, join(pads))),
        0.0,
        0.45,
        solids,
        (0.0, 0.03, 0.44, 0.42),
    )


def sofa(cover: Material = P.FABRIC_GREEN) -> Piece:
    """A two-seat sofa: two seat and two back cushions, padded arms, short legs."""
    soft = [box((1.50, 0.72, 0.18), (0, 0.03, 0.20), 0.03, 2), box((1.68, 0.16, 0.66), (0, -0.355, 0.46), 0.05, 3, 3)]
    for side in (-1, 1):
        soft.append(cushion((0.70, 0.66, 0.15), (side * 0.355, 0.085, 0.345), 0.018, 0.05, 8))
        soft.append(
            cushion((0.70, 0.15, 0.44), (0, 0, 0), 0.035, 0.055, 8).turned("x", 10).moved(side * 0.355, -0.255, 0.64)
        )
        soft.append(box((0.15, 0.80, 0.50), (side * 0.79, 0.01, 0.36), 0.06, 4, 2))
    legs = join(cylinder(0.024, 0.11, (x, y, 0.055)) for x in (-0.78, 0.78) for y in (-0.36, 0.36))
    solids = (
        span(-0.72, 0.72, -0.24, 0.42, 0.05, 0.43),
        span(-0.87, 0.87, -0.44, -0.22, 0.05, 0.86),
        span(-0.87, -0.72, -0.39, 0.41, 0.05, 0.61),
        span(0.72, 0.87, -0.39, 0.41, 0.05, 0.61),
    )
    return Piece(
        "sofa",
        (1.74, 0.88, 0.88),
        ((cover, join(soft)), (P.WOOD_WALNUT, legs)),
        0.0,
        0.43,
        solids,
        (0.0, 0.09, 1.4, 0.60),
    )


def shower_chair() -> Piece:
    """A plastic shower chair with armrests on an aluminium frame."""
    metal = [_legs((-0.21, 0.21), (-0.20, 0.20), 0.44, 0.014, 0.03)]
    for side in (-1, 1):
        metal.append(
            tube(
                rounded_path(
                    [
                        (side * 0.235, -0.22, 0.45),
                        (side * 0.25, -0.22, 0.66),
                        (side * 0.25, 0.17, 0.66),
                        (side * 0.235, 0.17, 0.45),
                    ],
                    0.07,
                ),
                0.013,
                10,
            )
        )
        metal.append(tube([(side * 0.17, -0.22, 0.44), (side * 0.17, -0.245, 0.82)], 0.012, 8))
    slats = [cushion((0.44, 0.075, 0.035), (0, y, 0.452), 0.002, 0.012, 4) for y in (-0.17, -0.085, 0.0, 0.085, 0.17)]
    back = [cushion((0.42, 0.028, 0.11), (0, -0.24, z), 0.002, 0.012, 4) for z in (0.64, 0.78)]
    grips = [box((0.045, 0.24, 0.03), (side * 0.25, -0.02, 0.672), 0.012, 2) for side in (-1, 1)]
    feet = [cylinder(0.022, 0.025, (x, y, 0.0125)) for x in (-0.24, 0.24) for y in (-0.23, 0.23)]
    solids = (span(-0.22, 0.22, -0.22, 0.22, 0.42, 0.47), span(-0.22, 0.22, -0.26, -0.21, 0.5, 0.86))
    parts: tuple[Part, ...] = (
        (P.STEEL, join(metal)),
        (P.PLASTIC, join([*slats, *back])),
        (P.PLASTIC_BLUE, join(grips)),
        (P.RUBBER_GREY, join(feet)),
    )
    return Piece("chair", (0.54, 0.54, 0.86), parts, 0.0, 0.47, solids, (0.0, 0.0, 0.42, 0.42))
