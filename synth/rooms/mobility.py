"""Wheelchair, rollator, patient lift and IV pole. Sizes: ISO 7176-5 wheelchairs (24 inch wheels, seat 0.48-0.50 m,
handles 0.9 m), ISO 11199-2 rollators (handles 0.8-0.95 m), mobile lifts with a 0.66 x 1.15 m base."""

from __future__ import annotations

import numpy as np

from synth.gltf import Material
from synth.rooms import palette as P
from synth.rooms.piece import Part, Piece, span
from synth.rooms.shapes import Shape, box, cushion, cylinder, join, lathe, rounded_path, surface, torus, tube


def spoked_wheel(radius: float, spokes: int, x: float, y: float, tyre: float = 0.014) -> list[Part]:
    """A wheel in the y-z plane standing on the floor: tyre, rim, hub, spokes."""
    at = (x, y, radius)
    lines = []
    for i in range(spokes):
        a = 2 * np.pi * i / spokes
        b = a + (0.35 if i % 2 else -0.35)
        hub = (x + (0.016 if i % 2 else -0.016), y + 0.02 * np.cos(b), radius + 0.02 * np.sin(b))
        lines.append(tube([hub, (x, y + (radius - 0.03) * np.cos(a), radius + (radius - 0.03) * np.sin(a))], 0.0022, 4))
    rim = torus(radius - 0.03, 0.009, at, "x", 40, 6)
    return [
        (P.RUBBER_GREY, torus(radius - tyre, tyre, at, "x", 48, 8)),
        (P.STEEL, join([rim, *lines])),
        (P.GREY_METAL, cylinder(0.026, 0.06, at, "x", 14)),
    ]


def castor(radius: float, x: float, y: float, top: float) -> list[Part]:
    """A small swivelling wheel under a fork that reaches up to ``top``."""
    wheel = join([cylinder(radius, 0.028, (x, y, radius), "x", 22, 0.008)])
    hub = cylinder(radius * 0.55, 0.032, (x, y, radius), "x", 16)
    fork = [
        box((0.007, 0.03, radius + 0.02), (x + s * 0.021, y + 0.008, radius + (radius + 0.02) / 2 - 0.01), 0.003)
        for s in (-1, 1)
    ]
    crown = box((0.05, 0.034, 0.014), (x, y + 0.01, 2 * radius + 0.014), 0.004)
    stem = cylinder(0.011, max(0.02, top - 2 * radius - 0.01), (x, y + 0.01, (top + 2 * radius + 0.01) / 2))
    return [(P.RUBBER, wheel), (P.PLASTIC_GREY, hub), (P.GREY_METAL, join([*fork, crown, stem]))]


def _sling(width: float, rows: list[tuple[float, float]], sag: float) -> Shape:
    """A cloth panel through (y, z) points, ``width`` along x, sagging in the middle; 8 mm thick."""
    x = np.linspace(-0.5, 0.5, 9)
    dip = sag * (1 - (2 * x) ** 2)
    line = np.array(rows)
    slope = np.gradient(line, axis=0)
    normal = np.stack([-slope[:, 1], slope[:, 0]], -1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    sheets = []
    for lift, flip in ((0.004, True), (-0.004, False)):
        yz = line[:, None, :] + normal[:, None, :] * (lift - dip[None, :, None])
        grid = np.concatenate([np.broadcast_to(x[None, :, None] * width, (len(rows), 9, 1)), yz], -1)
        sheets.append(surface(grid).flipped() if flip else surface(grid))
    return join(sheets)


def wheelchair(frame: Material = P.BLUE_METAL) -> Piece:
    """A folding attendant wheelchair: two spoked 24 inch wheels with hand rims, castors, foot rests, push handles."""
    tubes, black, grips, plates = [], [], [], []
    for side in (-1, 1):
        x = side * 0.235
        post = [(x, -0.40, 0.915), (x, -0.285, 0.905), (x, -0.25, 0.80), (x, -0.235, 0.46), (x, -0.235, 0.20)]
        tubes.append(tube(rounded_path(post, 0.06), 0.0125, 10))
        rail = [(x, -0.25, 0.455), (x, 0.22, 0.465), (x, 0.30, 0.42), (x, 0.40, 0.16), (x, 0.43, 0.12)]
        tubes.append(tube(rounded_path(rail, 0.07), 0.0125, 10))
        tubes.append(tube(rounded_path([(x, -0.235, 0.21), (x, 0.24, 0.21), (x, 0.25, 0.46)], 0.05), 0.0115, 10))
        arm = [(x, -0.24, 0.67), (x, 0.06, 0.685), (x, 0.14, 0.66), (x, 0.16, 0.47)]
        tubes.append(tube(rounded_path(arm, 0.06), 0.011, 10))
        tubes.append(tube([(-x, -0.05, 0.20), (x, -0.05, 0.45)], 0.011, 8))
        black.append(box((0.055, 0.30, 0.032), (x, -0.05, 0.702), 0.014, 2))
        black.append(box((0.006, 0.30, 0.16), (x, -0.06, 0.565), 0.003))
        grips.append(tube([(x, -0.50, 0.913), (x, -0.39, 0.913)], 0.018, 12))
        plates.append(box((0.195, 0.13, 0.014), (0, 0, 0), 0.006).turned("x", 12).moved(side * 0.131, 0.455, 0.115))
        black.append(box((0.03, 0.015, 0.045), (x, -0.33, 0.86), 0.004))
    cloth = [
        _sling(0.45, [(-0.24, 0.482), (-0.1, 0.488), (0.1, 0.49), (0.22, 0.492)], 0.012),
        _sling(0.46, [(-0.252, 0.86), (-0.245, 0.75), (-0.235, 0.62), (-0.232, 0.50)], -0.02),
    ]
    pad = cushion((0.42, 0.42, 0.045), (0, -0.01, 0.472), 0.004, 0.018, 6)
    parts: list[Part] = [
        (frame, join(tubes)),
        (P.LEATHER_BLACK, join(cloth)),
        (P.FABRIC_GREY, pad),
        (P.PLASTIC_DARK, join([*black, *plates])),
        (P.RUBBER, join(grips)),
    ]
    for side in (-1, 1):
        parts += spoked_wheel(0.305, 24, side * 0.285, -0.195)
        parts.append((P.CHROME, torus(0.262, 0.0085, (side * 0.318, -0.195, 0.305), "x", 44, 8)))
        parts += castor(0.09, side * 0.235, 0.27, 0.24)
    solids = (
        span(-0.22, 0.22, -0.22, 0.21, 0.42, 0.49),
        span(-0.22, 0.22, -0.28, -0.22, 0.40, 0.92),
        span(-0.33, -0.25, -0.50, 0.12, 0.0, 0.61),
        span(0.25, 0.33, -0.50, 0.12, 0.0, 0.61),
        span(-0.27, -0.22, -0.22, 0.12, 0.49, 0.71),
        span(0.22, 0.27, -0.22, 0.12, 0.49, 0.71),
    )
    return Piece("wheelchair", (0.66, 1.04, 0.94), tuple(parts), 0.0, 0.49, solids, (0.0, 0.0, 0.44, 0.42))


def rollator(frame: Material = P.RED_METAL) -> Piece:
    """A four-wheeled walker with handles, brakes, seat and basket; the user stands at -y and walks towards +y."""
    tubes, grips, brakes, wire = [], [], [], []
    parts: list[Part] = []
    for side in (-1, 1):
        x = side * 0.265
        tubes.append(
            tube(
                rounded_path([(x, -0.30, 0.895), (x, -0.15, 0.905), (x, -0.06, 0.84), (x, 0.26, 0.22)], 0.08), 0.014, 10
            )
        )
        tubes.append(tube(rounded_path([(x, 0.07, 0.60), (x, -0.05, 0.52), (x, -0.25, 0.20)], 0.08), 0.014, 10))
        grips.append(tube([(x, -0.33, 0.893), (x, -0.20, 0.902)], 0.019, 12))
        brakes.append(tube(rounded_path([(x, -0.17, 0.89), (x, -0.21, 0.85), (x, -0.31, 0.845)], 0.03), 0.006, 6))
        cable = [(x * 0.97, -0.15, 0.89), (x * 0.9, -0.02, 0.95), (x * 0.93, 0.03, 0.70), (x * 0.97, -0.20, 0.28)]
        brakes.append(tube(rounded_path(cable, 0.1), 0.003, 5))
        parts += castor(0.095, x, 0.24, 0.25) + castor(0.095, x, -0.25, 0.24)
    tubes.append(tube([(-0.265, 0.10, 0.545), (0.265, 0.10, 0.545)], 0.012, 8))
    tubes.append(tube([(-0.265, 0.20, 0.335), (0.265, 0.20, 0.335)], 0.012, 8))
    strap = rounded_path([(-0.26, 0.02, 0.76), (-0.22, 0.16, 0.77), (0.22, 0.16, 0.77), (0.26, 0.02, 0.76)], 0.12)
    for z in (0.28, 0.36, 0.44):
        ring = rounded_path([(-0.20, 0.06, z), (0.20, 0.06, z), (0.20, 0.31, z), (-0.20, 0.31, z)], 0.05, 3, True)
        wire.append(tube(ring, 0.004, 5, True))
    for i in range(9):
        x = -0.19 + 0.38 * i / 8
        wire.append(
            tube(rounded_path([(x, 0.06, 0.44), (x, 0.07, 0.28), (x, 0.30, 0.28), (x, 0.31, 0.44)], 0.02, 2), 0.0028, 4)
        )
    seat = cushion((0.44, 0.24, 0.035), (0, 0.09, 0.575), 0.004, 0.015, 6)
    parts += [
        (frame, join(tubes)),
        (P.RUBBER, join(grips)),
        (P.DARK_METAL, join([*brakes, *wire])),
        (P.LEATHER_BLACK, join([seat, tube(strap, 0.02, 8)])),
    ]
    solids = (
        span(-0.30, -0.24, -0.34, 0.34, 0.0, 0.92),
        span(0.24, 0.30, -0.34, 0.34, 0.0, 0.92),
        span(-0.24, 0.24, 0.00, 0.31, 0.28, 0.60),
    )
    return Piece("walker", (0.62, 0.70, 0.92), tuple(parts), 0.0, None, solids)


def mobile_lift() -> Piece:
    """A mobile patient lift: U-shaped base on castors, mast, boom, spreader bar, sling; +y is the patient's side."""
    white, dark = [], []
    parts: list[Part] = []
    for side in (-1, 1):
        x = side * 0.29
        white.append(
            tube(rounded_path([(side * 0.10, -0.46, 0.12), (x, -0.42, 0.12), (x, 0.52, 0.105)], 0.12), 0.026, 10)
        )
        parts += castor(0.04, x, 0.50, 0.09) + castor(0.05, side * 0.27, -0.48, 0.11)
        dark.append(tube([(side * 0.20, -0.53, 1.02), (side * 0.12, -0.53, 1.02)], 0.018, 10))
    white += [
        box((0.46, 0.12, 0.07), (0, -0.47, 0.135), 0.02, 2),
        box((0.075, 0.085, 1.50), (0, -0.44, 0.90), 0.014, 2),
    ]
    white.append(
        tube(
            rounded_path([(-0.20, -0.53, 1.02), (-0.20, -0.47, 0.95), (0.20, -0.47, 0.95), (0.20, -0.53, 1.02)], 0.05),
            0.014,
            10,
        )
    )
    white.append(tube(rounded_path([(0, -0.44, 1.62), (0, -0.20, 1.72), (0, 0.34, 1.66)], 0.25), 0.03, 12))
    dark += [tube([(0, -0.37, 1.02), (0, -0.22, 1.40)], 0.026, 12), box((0.20, 0.10, 0.26), (0, -0.50, 1.20), 0.02, 2)]
    rod = [tube([(0, -0.22, 1.40), (0, -0.12, 1.68)], 0.014, 10), tube([(0, 0.345, 1.66), (0, 0.345, 1.50)], 0.014, 10)]
    bar = rounded_path([(-0.26, 0.345, 1.40), (-0.20, 0.345, 1.49), (0.20, 0.345, 1.49), (0.26, 0.345, 1.40)], 0.06)
    white.append(tube(bar, 0.018, 10))
    y, z = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(-1, 1, 13), indexing="xy")
    cloth = np.stack(
        [0.25 * z * (1 - 0.15 * y**2), 0.345 + 0.15 * y, 1.38 - 0.38 * (1 - z**2) ** 0.5 * (1 - 0.25 * y**2)], -1
    )
    parts += [
        (P.WHITE_METAL, join(white)),
        (P.PLASTIC_BLUE, join(dark)),
        (P.CHROME, join(rod)),
        (P.FABRIC_BLUE, surface(cloth)),
    ]
    solids = (
        span(-0.33, -0.25, -0.55, 0.55, 0.0, 0.14),
        span(0.25, 0.33, -0.55, 0.55, 0.0, 0.14),
        span(-0.30, 0.30, -0.55, -0.40, 0.0, 0.20),
        span(-0.10, 0.10, -0.55, -0.38, 0.0, 1.70),
        span(-0.05, 0.05, -0.38, 0.36, 1.50, 1.75),
        span(-0.27, 0.27, 0.20, 0.50, 1.00, 1.50),
    )
    return Piece("lift", (0.66, 1.14, 1.76), tuple(parts), 0.0, None, solids)


def iv_pole() -> list[Part]:
    """A drip stand: five-legged base on castors, chrome pole, hooks, a bag of fluid with its line."""
    base, wheels = [], []
    for i in range(5):
        a = 2 * np.pi * i / 5
        end = (0.24 * np.cos(a), 0.24 * np.sin(a), 0.075)
        base.append(tube(rounded_path([(0, 0, 0.12), (end[0] * 0.5, end[1] * 0.5, 0.11), end], 0.05), 0.013, 8))
        wheels.append(cylinder(0.028, 0.022, (end[0], end[1], 0.028), "x", 14))
    hooks = [
        tube(rounded_path([(0, 0, 1.88), (s * 0.12, 0, 1.90), (s * 0.13, 0, 1.96)], 0.04), 0.005, 6) for s in (-1, 1)
    ]
    bag = lathe([(0, -0.13), (0.05, -0.12), (0.058, 0.05), (0.045, 0.11), (0, 0.125)], 14, (1.0, 0.42)).moved(
        0.12, 0, 1.74
    )
    line = rounded_path([(0.12, 0, 1.61), (0.11, 0.02, 1.35), (0.05, 0.03, 1.1), (0.03, 0.02, 1.22)], 0.12)
    pump = box((0.13, 0.10, 0.20), (0, 0.05, 1.18), 0.015, 2)
    return [
        (P.CHROME, join([cylinder(0.012, 1.80, (0, 0, 1.0)), *hooks])),
        (P.GREY_METAL, join(base)),
        (P.RUBBER, join(wheels)),
        (P.FLUID, bag),
        (P.PLASTIC, tube(line, 0.0035, 5)),
        (P.PLASTIC_BLUE, pump),
    ]
