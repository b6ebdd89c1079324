"""Toilet, wash basin, grab bars and shower. Sizes: raised toilet seats for care 0.45-0.48 m, basin rim 0.80-0.86 m,
grab bars at 0.7-0.8 m (DIN 18040-2, Approved Document M)."""

from __future__ import annotations

import numpy as np

from synth.rooms import palette as P
from synth.rooms.piece import Part, Piece, span
from synth.rooms.shapes import Floats, Shape, box, curtain, cylinder, join, lathe, rounded_path, tube


def _oval(shape: Shape, back: float, front: float) -> Shape:
    """Stretch a turned shape into a toilet's plan: rounder at the back, longer at the front."""

    def move(v: Floats) -> Floats:
        out = v.copy()
        out[:, 1] = np.where(v[:, 1] > 0, v[:, 1] * front, v[:, 1] * back)
        return out

    return shape.warped(move)


def toilet() -> Piece:
    """A close-coupled toilet, back at -y, with its seat down and its lid up."""
    bowl = lathe(
        [
            (0, 0),
            (0.115, 0),
            (0.12, 0.02),
            (0.10, 0.10),
            (0.105, 0.20),
            (0.155, 0.34),
            (0.182, 0.41),
            (0.184, 0.428),
            (0.15, 0.43),
            (0.135, 0.40),
            (0.10, 0.30),
            (0.06, 0.26),
            (0, 0.255),
        ],
        36,
    )
    bowl = _oval(bowl, 0.95, 1.42).moved(0, 0.07)
    foot = box((0.20, 0.30, 0.42), (0, -0.19, 0.21), 0.05, 3)
    cistern = [
        box((0.37, 0.165, 0.36), (0, -0.262, 0.63), 0.03, 3),
        box((0.385, 0.18, 0.03), (0, -0.258, 0.82), 0.012, 2),
    ]
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    ring = np.stack([0.148 * np.cos(angle), 0.148 * np.sin(angle), np.full(40, 0.445)], -1)
    seat = _oval(tube(ring, 0.036, 10, True, 1.0), 0.95, 1.40).warped(
        lambda v: v * np.array([1, 1, 0.45]) + np.array([0, 0.07, 0.445 * 0.55])
    )
    lid = _oval(lathe([(0, -0.008), (0.17, -0.008), (0.18, 0), (0.17, 0.008), (0, 0.008)], 36), 0.9, 1.38)
    lid = lid.moved(0, 0.165).turned("x", 98).moved(0, -0.135, 0.46)
    water = _oval(lathe([(0, 0.29), (0.094, 0.29)], 24), 0.95, 1.42).moved(0, 0.07)
    button = cylinder(0.022, 0.012, (0, -0.258, 0.838))
    hinges = [cylinder(0.011, 0.05, (x, -0.125, 0.455), "x") for x in (-0.08, 0.08)]
    solids = (span(-0.18, 0.18, -0.16, 0.34, 0.0, 0.46), span(-0.19, 0.19, -0.35, -0.17, 0.0, 0.84))
    parts: tuple[Part, ...] = (
        (P.CERAMIC, join([bowl, foot, *cistern])),
        (P.PLASTIC_SEAT, join([seat, lid])),
        (P.CHROME, join([button, *hinges])),
        (P.WATER, water),
    )
    return Piece("toilet", (0.40, 0.70, 0.86), parts, 0.0, 0.46, solids, (0.0, 0.10, 0.34, 0.40))


def sink() -> Piece:
    """A wall-hung wash basin with single-lever tap and bottle trap; the wall is at -y."""
    outer = [(0, 0.70), (0.10, 0.70), (0.20, 0.755), (0.262, 0.82), (0.268, 0.855), (0.262, 0.862), (0.225, 0.860)]
    inner = [(0.215, 0.845), (0.17, 0.775), (0.08, 0.742), (0.02, 0.738), (0, 0.738)]

    def squarer(v: Floats) -> Floats:
        """Flatten the back to the wall and square the outline a little."""
        out = v.copy()
        r = np.hypot(v[:, 0], v[:, 1])
        c = np.where(r > 1e-9, np.maximum(abs(v[:, 0]), abs(v[:, 1])) / np.maximum(r, 1e-9), 1)
        stretch = (1 / c) ** 0.55
        out[:, 0] *= 1.02 * stretch
        out[:, 1] = np.maximum(v[:, 1] * 0.80 * stretch, -0.235) + 0.01
        return out

    bowl = lathe(outer + inner, 40).warped(squarer)
    ledge = box((0.40, 0.10, 0.05), (0, -0.188, 0.84), 0.012, 2)
    tap = [
        cylinder(0.022, 0.10, (0, -0.165, 0.91)),
        box((0.026, 0.11, 0.014), (0, -0.16, 0.972), 0.005).turned("x", 0),
        tube(rounded_path([(0, -0.165, 0.925), (0, -0.05, 0.955), (0, -0.04, 0.925)], 0.03), 0.012, 10),
        cylinder(0.02, 0.006, (0, 0.01, 0.742)),
    ]
    trap = tube(
        rounded_path([(0, 0, 0.71), (0, 0, 0.56), (0, -0.08, 0.56), (0, -0.08, 0.64), (0, -0.24, 0.64)], 0.035),
        0.016,
        10,
    )
    cup = cylinder(0.028, 0.09, (0, 0, 0.60))
    solids = (span(-0.27, 0.27, -0.24, 0.22, 0.70, 0.86),)
    parts: tuple[Part, ...] = ((P.CERAMIC, join([bowl, ledge])), (P.CHROME, join([*tap, trap, cup])))
    return Piece("sink", (0.58, 0.50, 0.46), parts, 0.52, None, solids)


def mirror(width: float = 0.55, height: float = 0.75, low: float = 1.05) -> list[Part]:
    """A mirror with a slim frame, a glass shelf and a light above."""
    glass = box((width, 0.008, height), (0, 0.016, low + height / 2), 0.0)
    rim = rounded_path(
        [
            (-width / 2, 0.014, low),
            (width / 2, 0.014, low),
            (width / 2, 0.014, low + height),
            (-width / 2, 0.014, low + height),
        ],
        0.03,
        4,
        True,
    )
    lamp = box((width, 0.06, 0.045), (0, 0.04, low + height + 0.08), 0.015, 2)
    return [(P.MIRROR, glass), (P.CHROME, tube(rim, 0.01, 6, True)), (P.PANEL_WALL, lamp)]


def dispensers() -> list[Part]:
    """Soap and paper towels beside a basin."""
    return [
        (
            P.PLASTIC,
            join(
                [
                    box((0.10, 0.09, 0.22), (0.42, 0.047, 1.15), 0.02, 3),
                    box((0.27, 0.11, 0.34), (-0.52, 0.057, 1.28), 0.02, 3),
                ]
            ),
        ),
        (
            P.PLASTIC_GREY,
            join(
                [
                    box((0.06, 0.03, 0.03), (0.42, 0.09, 1.05), 0.01),
                    box((0.2, 0.06, 0.02), (-0.52, 0.075, 1.105), 0.004),
                ]
            ),
        ),
        (P.PAPER, box((0.17, 0.004, 0.07), (-0.52, 0.085, 1.07), 0.0)),
    ]


def grab_bar(length: float, height: float = 0.75, upright: bool = False) -> list[Part]:
    """A wall-mounted grab bar, 32 mm thick, 50 mm off the wall; ``height`` is that of its middle."""
    h = length / 2
    bar = tube(rounded_path([(-h, 0, 0), (-h, 0.066, 0), (h, 0.066, 0), (h, 0, 0)], 0.03, 4), 0.016, 12)
    roses = join(cylinder(0.038, 0.012, (x, 0.006, 0), "y") for x in (-h, h))
    shape = join([bar, roses])
    return [(P.STEEL, (shape.turned("y", 90) if upright else shape).moved(0, 0, height))]


def fold_bar(side: float) -> list[Part]:
    """A drop-down support rail beside a toilet at ``x = side``, reaching 0.7 m from the wall."""
    path = rounded_path([(side, 0.02, 0.78), (side, 0.72, 0.78), (side, 0.72, 0.66), (side, 0.02, 0.62)], 0.06)
    return [
        (P.STEEL, join([tube(path, 0.016, 12), box((0.09, 0.022, 0.26), (side, 0.012, 0.70), 0.008)])),
        (P.PLASTIC_BLUE, tube([(side, 0.40, 0.78), (side, 0.66, 0.78)], 0.020, 12)),
    ]


def paper_roll() -> list[Part]:
    return [
        (P.PAPER, cylinder(0.055, 0.10, (0, 0.075, 0.72), "x", 20)),
        (
            P.CHROME,
            tube(
                rounded_path([(-0.07, 0, 0.74), (-0.07, 0.075, 0.74), (-0.07, 0.075, 0.72), (0.06, 0.075, 0.72)], 0.02),
                0.006,
                8,
            ),
        ),
    ]


def shower() -> list[Part]:
    """Shower rail with hand shower, hose and thermostat."""
    rail = [tube([(0, 0.05, 1.05), (0, 0.05, 2.0)], 0.011, 10)] + [
        cylinder(0.018, 0.05, (0, 0.025, z), "y") for z in (1.05, 2.0)
    ]
    head = lathe([(0, 0), (0.05, 0), (0.055, 0.012), (0.03, 0.03), (0, 0.035)], 20).turned("x", 35).moved(0, 0.19, 1.85)
    arm = tube([(0, 0.06, 1.82), (0, 0.18, 1.875)], 0.012, 10)
    hose = tube(
        rounded_path([(0, 0.06, 1.81), (0.05, 0.10, 1.4), (0.12, 0.10, 0.75), (0.05, 0.08, 0.95)], 0.25, 8), 0.007, 6
    )
    valve = [
        cylinder(0.024, 0.26, (0, 0.06, 0.98), "x"),
        cylinder(0.028, 0.04, (0.15, 0.06, 0.98), "x"),
        cylinder(0.028, 0.04, (-0.15, 0.06, 0.98), "x"),
    ]
    return [(P.CHROME, join([*rail, head, arm, hose, *valve]))]


def shower_curtain(width: float, top: float) -> list[Part]:
    """A shower curtain drawn aside on its rail along x, from the wall at x = 0."""
    cloth = curtain(width * 0.42, top - 0.12, 7, 0.035).moved(width * 0.25, 0, top - 0.03)
    rail = tube(rounded_path([(0, 0, top), (width, 0, top), (width, -width, top)], 0.2, 6), 0.012, 8)
    return [(P.SHOWER_CURTAIN, cloth), (P.CHROME, rail)]


def drain() -> list[Part]:
    return [
        (P.STEEL, join([box((0.14, 0.14, 0.004), (0, 0, 0.003), 0.001)])),
        (P.PLASTIC_DARK, join(box((0.10, 0.008, 0.002), (0, y, 0.0055), 0.0) for y in (-0.04, -0.02, 0, 0.02, 0.04))),
    ]
