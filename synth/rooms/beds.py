"""Beds. Sizes: EN 60601-2-52 hospital beds have a 0.9 x 2.0 m mattress and, lowered for getting out, its top at
0.45-0.55 m; safety rails stand at least 0.22 m above the mattress."""

from __future__ import annotations

import itertools

import numpy as np

from synth.gltf import Material
from synth.rooms import palette as P
from synth.rooms.piece import Block, Part, Piece, span
from synth.rooms.shapes import (
    Floats,
    Shape,
    box,
    cylinder,
    draped,
    join,
    pillow,
    prism,
    rounded_path,
    tube,
    wrinkles,
)

MATTRESS_TOP = 0.46  # lowered, as for getting up
PLATFORM = MATTRESS_TOP - 0.14  # z of the mattress platform
PLATFORM = 0.36  # z of the mattress platform
WIDTH, LENGTH = 1.00, 2.16
HINGE = -0.18  # y of the hinge about which the head section rises


def _solids(head_angle: float, raised_rails: tuple[str, ...]) -> list[Block]:
    """Mattress, boards, raised rails and the wedge of the raised head section as steps."""
    found = [
        span(-0.45, 0.45, -1.0, 1.0, 0.25, MATTRESS_TOP),
        span(-0.48, 0.48, -1.08, -1.02, 0.15, 0.98),
        span(-0.48, 0.48, 1.02, 1.08, 0.15, 0.86),
    ]
    if head_angle > 3:
        steps = 6
        run = (HINGE + 1.0) * np.cos(np.radians(head_angle))
        rise = (HINGE + 1.0) * np.sin(np.radians(head_angle))
        for i in range(steps):
            y0, y1 = HINGE - run * i / steps, HINGE - run * (i + 1) / steps
            found.append(span(-0.45, 0.45, y1, y0, MATTRESS_TOP, MATTRESS_TOP + rise * (i + 0.5) / steps))
    for rail in raised_rails:
        side, half = rail.split("-")
        x = 0.475 if side == "right" else -0.475
        y0, y1 = (-0.82, -0.10) if half == "head" else (0.10, 0.80)
        found.append(span(x - 0.02, x + 0.02, y0, y1, MATTRESS_TOP - 0.05, MATTRESS_TOP + 0.38))
    return found


def _bend(v: Floats, head_angle: float) -> Floats:
    """Raise everything headwards of the hinge: a soft bend of the slab that rests on z = PLATFORM."""
    if head_angle <= 0:
        return v
    theta, soft = np.radians(head_angle), 0.22
    d = np.clip(HINGE - v[:, 1], 0, None)
    rate = theta / soft
    turned = np.minimum(d, soft) * rate
    beyond = np.clip(d - soft, 0, None)
    along = np.sin(turned) / rate + beyond * np.cos(theta)
    rise = (1 - np.cos(turned)) / rate + beyond * np.sin(theta)
    over = v[:, 2] - PLATFORM
    out = v.copy()
    out[:, 1] = np.where(d > 0, HINGE - along + over * np.sin(turned), v[:, 1])
    out[:, 2] = np.where(d > 0, PLATFORM + rise + over * np.cos(turned), v[:, 2])
    return out


def _bedding(head_angle: float, cover: Material) -> list[Part]:
    """Mattress in a fitted sheet, pillow, and a blanket tucked in over the lower half with its edge turned down."""
    slab = box((0.90, 2.00, 0.14), (0, 0, PLATFORM + 0.07), 0.04, 3, 14)
    cushion = pillow((0.66, 0.44, 0.17), (0, -0.735, MATTRESS_TOP + 0.055))
    low, high = PLATFORM + 0.015, MATTRESS_TOP + 0.007
    section = rounded_path([(-0.458, 0, low), (-0.458, 0, high), (0.458, 0, high), (0.458, 0, low)], 0.055, 6)
    line = np.concatenate(
        [
            np.linspace(a, b, 4, endpoint=False) if np.linalg.norm(b - a) > 0.1 else a[None]
            for a, b in itertools.pairwise(section)
        ]
        + [section[-1:]]
    )[:, [0, 2]]
    line = np.concatenate(
        [
            line[:1],
            *[np.linspace(a, b, max(2, int(np.linalg.norm(b - a) / 0.03)))[1:] for a, b in itertools.pairwise(line)],
        ]
    )
    blanket = draped(line, 1.04, 0.009, 44, seed=1.3).moved(0, 0.475)
    turned_down = draped(line * np.array([1.012, 1.0]) + np.array([0, 0.012]), 0.24, 0.004, 16, seed=4.0).moved(0, 0.03)
    lower = box((0.62, 0.34, 0.05), (0, 0.80, MATTRESS_TOP + 0.075), 0.022, 3, 4)
    folded = join([lower, box((0.6, 0.33, 0.045), (0, 0.80, MATTRESS_TOP + 0.115), 0.02, 3, 4)])
    rumpled = folded.warped(
        lambda v: v + np.stack([0 * v[:, 0], 0 * v[:, 1], 0.004 * wrinkles(v[:, 0], v[:, 1], 3)], -1)
    )
    bent = [s.warped(lambda v: _bend(v, head_angle)) for s in (slab, cushion, turned_down)]
    spare = P.SHEET if cover is not P.SHEET else P.BLANKET_BLUE
    parts: list[Part] = [(P.SHEET, bent[0]), (P.PILLOW, bent[1]), (P.SHEET, bent[2]), (cover, blanket)]
    return parts if head_angle > 0 else [*parts, (spare, rumpled.moved(0, 0, -0.018))]


def _board(height: float, panel: Material, frame: Material, y: float) -> list[Part]:
    """A head or foot board: a panel in a rounded frame, a grip opening at the top."""
    low, half = 0.22, 0.45
    rim = rounded_path(
        [(-half, 0, low), (half, 0, low), (half, 0, height - 0.02), (-half, 0, height - 0.02)], 0.12, 6, True
    )
    grip = rounded_path(
        [(-0.22, 0, height - 0.11), (0.22, 0, height - 0.11), (0.22, 0, height - 0.06), (-0.22, 0, height - 0.06)],
        0.03,
        4,
        True,
    )
    face = prism(rim[:, [0, 2]], 0.024, -0.012).turned("x", 90)
    return [
        (panel, face.moved(0, y)),
        (frame, tube(rim, 0.024, 10, True).moved(0, y)),
        (P.PLASTIC_DARK, prism(grip[:, [0, 2]], 0.028, -0.014).turned("x", 90).moved(0, y)),
        (frame, tube(grip, 0.007, 6, True).moved(0, y + 0.012)),
        (frame, tube(grip, 0.007, 6, True).moved(0, y - 0.012)),
    ]


def _rail(x: float, y0: float, y1: float, raised: bool, metal: Material) -> Shape:
    """A half-length safety rail: rounded tube, two bars, two posts."""
    low = MATTRESS_TOP + 0.03 if raised else 0.13
    high = low + (0.35 if raised else 0.29)
    loop = rounded_path([(x, y0, low), (x, y1, low), (x, y1, high), (x, y0, high)], 0.09, 5, True)
    bars = [
        tube([(x, y0 + 0.01, low + (high - low) * f), (x, y1 - 0.01, low + (high - low) * f)], 0.010, 8)
        for f in (0.35, 0.68)
    ]
    inner = x - 0.02 * np.sign(x)
    middle = MATTRESS_TOP - 0.04 if raised else 0.27
    posts = [box((0.016, 0.04, 0.30), (inner, y, middle), 0.005) for y in (y0 + 0.18, y1 - 0.18)]
    return join([tube(loop, 0.016, 10, True), *bars, *posts])


def _undercarriage(frame: Material) -> list[Part]:
    """Chassis on four braked castors, lifting arms, mattress platform."""
    steel = [box((0.05, 1.76, 0.05), (x, 0, 0.185), 0.008) for x in (-0.34, 0.34)]
    steel += [box((0.72, 0.05, 0.05), (0, y, 0.185), 0.008) for y in (-0.82, 0.0, 0.82)]
    steel += [tube([(x, -0.62, 0.20), (x, -0.36, PLATFORM - 0.03)], 0.02) for x in (-0.28, 0.28)]
    steel += [tube([(x, 0.36, 0.20), (x, 0.62, PLATFORM - 0.03)], 0.02) for x in (-0.28, 0.28)]
    steel += [box((0.88, 1.98, 0.03), (0, 0, PLATFORM - 0.022), 0.006), box((0.5, 0.28, 0.09), (0, 0.1, 0.24), 0.02)]
    steel += [box((0.10, 0.05, 0.30), (x, y, 0.30), 0.01) for x in (-0.30, 0.30) for y in (-1.0, 1.0)]
    wheels, forks = [], []
    for x in (-0.36, 0.36):
        for y in (-0.84, 0.84):
            wheels.append(cylinder(0.065, 0.03, (x, y, 0.065), "x", 20, 0.008))
            forks.append(box((0.045, 0.07, 0.09), (x, y, 0.135), 0.015))
    return [(frame, join(steel)), (P.RUBBER, join(wheels)), (P.PLASTIC_GREY, join(forks))]


def hospital_bed(
    head_angle: float = 0.0, raised_rails: tuple[str, ...] = (), blanket: str = "blue", homely: bool = False
) -> Piece:
    """A care bed; ``raised_rails`` names "right-head", "right-foot", "left-head", "left-foot" as the patient lies.

    +y points from the head end to the foot end; the patient's right is +x. ``homely``: wooden boards.
    """
    solids = _solids(head_angle, raised_rails)
    panel, frame = (P.WOOD_OAK, P.WOOD_OAK_DARK) if homely else (P.WOOD_BEECH, P.PLASTIC_GREY)
    metal = P.WOOD_OAK_DARK if homely else P.WHITE_METAL
    cover = {"blue": P.BLANKET_BLUE, "teal": P.BLANKET_TEAL, "rose": P.BLANKET_ROSE}[blanket]
    parts = _undercarriage(P.GREY_METAL)
    parts += _board(0.98, panel, frame, -1.045) + _board(0.82, panel, frame, 1.045)
    for side, x in (("right", 0.482), ("left", -0.482)):
        for half, y0, y1 in (("head", -0.82, -0.10), ("foot", 0.08, 0.80)):
            parts.append((metal, _rail(x, y0, y1, f"{side}-{half}" in raised_rails, metal)))
    if homely:
        parts.append((panel, join([box((0.022, 1.98, 0.12), (x, 0, PLATFORM - 0.06), 0.006) for x in (-0.448, 0.448)])))
    parts += _bedding(head_angle, cover)
    return Piece("bed", (WIDTH, LENGTH, 0.98), tuple(parts), 0.0, MATTRESS_TOP, tuple(solids), (0.0, 0.1, 0.9, 1.4))
