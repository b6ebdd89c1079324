"""Things on walls, ceilings, tables. Wall pieces are made for a wall at y = 0, +y into the room, z from the floor."""

from __future__ import annotations

import numpy as np

from synth.gltf import Material
from synth.rooms import palette as P
from synth.rooms.piece import Part
from synth.rooms.shapes import Shape, box, curtain, cylinder, join, lathe, pillow, rounded_path, sphere, surface, tube


def ceiling_panel(height: float, width: float = 1.2, depth: float = 0.3) -> list[Part]:
    """An LED panel under the ceiling, centred at x = y = 0."""
    rim = rounded_path(
        [
            (-width / 2, -depth / 2, height - 0.03),
            (width / 2, -depth / 2, height - 0.03),
            (width / 2, depth / 2, height - 0.03),
            (-width / 2, depth / 2, height - 0.03),
        ],
        0.02,
        2,
        True,
    )
    return [
        (P.WHITE_METAL, join([tube(rim, 0.016, 6, True), box((width, depth, 0.02), (0, 0, height - 0.013), 0.004)])),
        (P.PANEL, box((width - 0.02, depth - 0.02, 0.006), (0, 0, height - 0.035), 0.0)),
    ]


def table_lamp(z: float = 0.0) -> list[Part]:
    """A lamp with a turned base and a cloth shade, standing at height ``z``."""
    base = lathe(
        [
            (0, 0),
            (0.075, 0),
            (0.08, 0.012),
            (0.03, 0.03),
            (0.05, 0.08),
            (0.055, 0.12),
            (0.02, 0.18),
            (0.012, 0.22),
            (0, 0.22),
        ],
        20,
    )
    shade = lathe([(0.125, 0.20), (0.075, 0.38)], 28)
    return [
        (P.POT, base.moved(0, 0, z)),
        (P.SHADE, shade.moved(0, 0, z)),
        (P.BRASS, cylinder(0.006, 0.16, (0, 0, z + 0.28))),
    ]


def floor_lamp() -> list[Part]:
    base = lathe([(0, 0), (0.14, 0), (0.14, 0.015), (0.02, 0.03), (0.012, 0.04), (0.012, 1.45), (0, 1.45)], 24)
    return [(P.DARK_METAL, base), (P.SHADE, lathe([(0.20, 1.32), (0.13, 1.62)], 32))]


def bed_light() -> list[Part]:
    """The supply rail at a hospital bed's head: light above, sockets, gas outlets, nurse call."""
    rail = [box((1.7, 0.07, 0.20), (0, 0.036, 1.42), 0.015, 2), box((1.5, 0.075, 0.06), (0, 0.04, 1.76), 0.02, 3)]
    outlets = [box((0.075, 0.012, 0.075), (x, 0.076, 1.42), 0.006, 1) for x in (-0.7, -0.6, -0.5, 0.5, 0.6, 0.7)]
    holes = [cylinder(0.019, 0.006, (x, 0.083, 1.42), "y", 14) for x in (-0.7, -0.6, -0.5, 0.5, 0.6, 0.7)]
    gas = [cylinder(0.032, 0.03, (x, 0.085, 1.42), "y", 18) for x in (-0.28, -0.16)]
    air = [cylinder(0.032, 0.03, (x, 0.085, 1.42), "y", 18) for x in (0.16, 0.28)]
    flow = [cylinder(0.017, 0.16, (-0.28, 0.13, 1.50), "z", 14), box((0.06, 0.06, 0.04), (-0.28, 0.12, 1.41), 0.01)]
    return [
        (P.WHITE_METAL, join(rail)),
        (P.PANEL_WALL, box((1.44, 0.05, 0.012), (0, 0.045, 1.724), 0.0)),
        (P.PLASTIC_GREY, join(outlets)),
        (P.PLASTIC_DARK, join(holes)),
        (P.PLASTIC_GREEN, join([*gas, *flow])),
        (P.PLASTIC_RED, join(air)),
    ]


def call_cord(top: float = 1.40) -> list[Part]:
    """A nurse call: wall box, red cord, triangle grips."""
    cord = rounded_path([(0, 0.03, top), (0.01, 0.04, 0.9), (0, 0.04, 0.25)], 0.3)
    grip = rounded_path([(-0.035, 0.04, 0.22), (0.035, 0.04, 0.22), (0, 0.04, 0.28)], 0.01, 2, True)
    return [
        (P.PLASTIC, box((0.085, 0.03, 0.085), (0, 0.016, top), 0.008, 1)),
        (
            P.PLASTIC_RED,
            join(
                [
                    tube(cord, 0.004, 6),
                    tube(grip, 0.007, 6, True),
                    tube(grip + np.array([0, 0, 0.55]), 0.007, 6, True),
                    cylinder(0.012, 0.012, (0, 0.034, top), "y"),
                ]
            ),
        ),
    ]


def socket(z: float = 0.35) -> list[Part]:
    plates = [box((0.082, 0.012, 0.082), (x, 0.007, z), 0.004, 1) for x in (-0.042, 0.042)]
    return [
        (P.PLASTIC, join(plates)),
        (P.PLASTIC_GREY, join(cylinder(0.021, 0.004, (x, 0.0135, z), "y", 18) for x in (-0.042, 0.042))),
    ]


def switch(z: float = 1.05) -> list[Part]:
    return [
        (
            P.PLASTIC,
            join(
                [
                    box((0.082, 0.012, 0.082), (0, 0.007, z), 0.004, 1),
                    box((0.055, 0.01, 0.055), (0, 0.014, z), 0.004, 1),
                ]
            ),
        )
    ]


def picture(width: float, height: float, z: float, art: Material, frame: Material = P.WOOD_WALNUT) -> list[Part]:
    """A framed picture whose middle hangs at ``z``."""
    bars = [box((width + 0.06, 0.025, 0.03), (0, 0.014, z + s * (height / 2 + 0.015)), 0.006) for s in (-1, 1)]
    bars += [box((0.03, 0.025, height), (s * (width / 2 + 0.015), 0.014, z), 0.006) for s in (-1, 1)]
    mat = box((width, 0.008, height), (0, 0.006, z), 0.0)
    return [(frame, join(bars)), (P.PAPER, mat), (art, box((width * 0.8, 0.003, height * 0.78), (0, 0.012, z), 0.0))]


def television(width: float = 1.0, z: float = 1.55) -> list[Part]:
    high = width * 0.57
    case = [box((width, 0.045, high), (0, 0.105, z), 0.012, 2), box((0.25, 0.08, 0.25), (0, 0.045, z), 0.01)]
    return [
        (P.PLASTIC_DARK, join(case)),
        (P.SCREEN, box((width - 0.035, 0.003, high - 0.045), (0, 0.1285, z + 0.006), 0.0)),
    ]


def clock(z: float = 2.0) -> list[Part]:
    face = cylinder(0.15, 0.012, (0, 0.016, z), "y", 32)
    hands = [
        tube([(0, 0.026, z), (0.07, 0.026, z + 0.05)], 0.005, 5),
        tube([(0, 0.028, z), (-0.02, 0.028, z + 0.115)], 0.004, 5),
    ]
    ticks = [box((0.008, 0.003, 0.025), (0, 0.024, 0.125), 0.0).turned("y", 30 * i).moved(0, 0, z) for i in range(12)]
    rim = tube(
        [(0.15 * np.cos(a), 0.016, z + 0.15 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 32, endpoint=False)],
        0.011,
        6,
        True,
    )
    return [(P.PAPER, face), (P.PLASTIC_DARK, join([*hands, *ticks, rim]))]


def handrail(length: float, z: float = 0.90) -> list[Part]:
    """A corridor handrail with brackets, and a bumper board below; starts at x = 0."""
    rail = tube([(0.0, 0.075, z), (length, 0.075, z)], 0.021, 12, flat=1.0)
    ends = [tube(rounded_path([(x, 0.075, z), (x, 0.004, z)], 0.02), 0.021, 12) for x in (0.012, length - 0.012)]
    count = max(2, int(length / 0.9) + 1)
    brackets = [
        tube(rounded_path([(x, 0.006, z - 0.07), (x, 0.06, z - 0.07), (x, 0.072, z - 0.01)], 0.03), 0.008, 8)
        for x in np.linspace(0.18, length - 0.18, count)
    ]
    bumper = box((length, 0.018, 0.18), (length / 2, 0.010, 0.32), 0.006, 1)
    return [(P.WOOD_OAK, join([rail, *ends])), (P.STEEL, join(brackets)), (P.LAMINATE_BLUE, bumper)]


def plant(height: float = 1.1) -> list[Part]:
    """A pot plant with arching leaves."""
    pot = lathe(
        [(0, 0), (0.12, 0), (0.16, 0.27), (0.17, 0.28), (0.17, 0.31), (0.15, 0.31), (0.145, 0.27), (0, 0.27)], 24
    )
    leaves = []
    for i in range(26):
        a, up = 2.399 * i, 0.35 + 0.65 * ((i * 7) % 26) / 26
        t = np.linspace(0, 1, 7)
        reach = 0.16 + 0.30 * (1.1 - up)
        r = reach * t**1.2
        z = 0.27 + (height - 0.27) * up * (t - 0.42 * t**2.6 * (1.5 - up))
        wide = 0.045 * np.sin(np.pi * np.clip(t * 0.96 + 0.04, 0, 1)) ** 0.8 + 0.003
        mid = np.stack([r * np.cos(a), r * np.sin(a), z], -1)
        side = np.array([-np.sin(a), np.cos(a), 0.0])
        leaves.append(surface(np.stack([mid - side * wide[:, None], mid - [0, 0, 0.012], mid + side * wide[:, None]])))
    return [(P.POT, pot), (P.EARTH, cylinder(0.143, 0.01, (0, 0, 0.272))), (P.LEAF, join(leaves))]


def privacy_curtain(length: float, height: float, cloth: Material, share: float = 0.3) -> list[Part]:
    """A ceiling rail along y from y = 0 to -length, its curtain pushed together at the wall end."""
    rail = box((0.025, length, 0.03), (0, -length / 2, height - 0.25), 0.004)
    hangers = [cylinder(0.006, 0.235, (0, y, height - 0.1175)) for y in (-0.1, -length / 2, -length + 0.1)]
    wide = length * share
    body = curtain(wide, height - 0.75, wide * 14, 0.05, 16).turned("z", 90).moved(0, -wide / 2 - 0.03, height - 0.55)
    mesh = curtain(wide, 0.28, wide * 14, 0.05, 4).turned("z", 90).moved(0, -wide / 2 - 0.03, height - 0.27)
    return [(P.WHITE_METAL, join([rail, *hangers])), (cloth, body), (P.NET, mesh)]


def ceiling_lift(span_x: float, height: float) -> list[Part]:
    """A ceiling rail lift along x: track, motor cassette, spreader bar, hand control; centred at x = y = 0."""
    track = box((span_x, 0.07, 0.07), (0, 0, height - 0.036), 0.006)
    motor = box((0.30, 0.16, 0.20), (-0.5, 0, height - 0.18), 0.035, 3)
    straps = [box((0.03, 0.004, 0.24), (-0.5, 0, height - 0.39), 0.0)]
    bar = tube(
        rounded_path(
            [
                (-0.76, 0, height - 0.58),
                (-0.70, 0, height - 0.51),
                (-0.30, 0, height - 0.51),
                (-0.24, 0, height - 0.58),
            ],
            0.05,
        ),
        0.016,
        10,
    )
    cable = tube(
        rounded_path([(-0.40, 0.05, height - 0.27), (-0.36, 0.06, height - 0.6), (-0.38, 0.06, height - 0.85)], 0.1),
        0.004,
        5,
    )
    remote = box((0.055, 0.03, 0.13), (-0.38, 0.06, height - 0.90), 0.012, 2)
    return [
        (P.WHITE_METAL, join([track, bar])),
        (P.PLASTIC, motor),
        (P.PLASTIC_DARK, join([*straps, cable])),
        (P.PLASTIC_BLUE, remote),
    ]


def board(width: float = 1.2, height: float = 0.8, z: float = 1.55) -> list[Part]:
    """A notice board with sheets of paper."""
    rng = np.random.default_rng(5)
    sheets: list[Shape] = []
    colours: list[Shape] = []
    for i, x in enumerate(np.linspace(-width / 2 + 0.16, width / 2 - 0.16, 4)):
        for j, dz in enumerate((-0.18, 0.18)):
            sheet = box((0.2, 0.002, 0.28), (0, 0, 0), 0.0).turned("y", float(rng.uniform(-4, 4)))
            (colours if (i + j) % 3 == 0 else sheets).append(sheet.moved(x, 0.024, z + dz))
    rim = [box((width + 0.05, 0.03, 0.03), (0, 0.016, z + s * height / 2), 0.006) for s in (-1, 1)]
    rim += [box((0.03, 0.03, height), (s * width / 2, 0.016, z), 0.006) for s in (-1, 1)]
    return [
        (P.FABRIC_GREY, box((width, 0.014, height), (0, 0.009, z), 0.0)),
        (P.WOOD_BEECH, join(rim)),
        (P.PAPER, join(sheets)),
        (P.ART_SUNSET, join(colours)),
    ]


def exit_sign(height: float) -> list[Part]:
    arrow = Shape(np.array([[0.05, 0, -0.04], [0.05, 0, 0.04], [0.11, 0, 0.0]]), np.array([[0, 1, 2]]))
    man = join(
        [
            box((0.03, 0.002, 0.05), (-0.06, 0.023, height), 0.0),
            cylinder(0.012, 0.002, (-0.05, 0.023, height + 0.045), "y", 12),
            box((0.012, 0.002, 0.05), (-0.075, 0.023, height - 0.04), 0.0),
            box((0.06, 0.002, 0.012), (0.02, 0.023, height), 0.0),
        ]
    )
    return [
        (P.EXIT, box((0.34, 0.04, 0.16), (0, 0.0, height), 0.006)),
        (P.PAPER, join([man, arrow.moved(0, 0.024, height)])),
    ]


def extinguisher() -> list[Part]:
    body = lathe(
        [(0, 0.55), (0.07, 0.55), (0.078, 0.57), (0.078, 0.93), (0.06, 0.98), (0.025, 1.0), (0.025, 1.04), (0, 1.04)],
        22,
    ).moved(0, 0.10)
    hose = tube(rounded_path([(0, 0.10, 1.05), (0.10, 0.12, 1.03), (0.10, 0.14, 0.75)], 0.07), 0.011, 8)
    grip = box((0.03, 0.11, 0.03), (0, 0.13, 1.06), 0.008)
    return [(P.PLASTIC_RED, body), (P.PLASTIC_DARK, join([hose, grip, box((0.05, 0.03, 0.3), (0, 0.015, 0.8), 0.004)]))]


def bin() -> list[Part]:
    can = lathe([(0, 0), (0.12, 0), (0.135, 0.36), (0.138, 0.37), (0.128, 0.37), (0.115, 0.02), (0, 0.02)], 24)
    return [(P.GREY_METAL, can)]


def water_jug(z: float) -> list[Part]:
    """A jug and a glass on a surface at height ``z``."""
    jug = lathe([(0, 0), (0.05, 0), (0.055, 0.01), (0.05, 0.17), (0.058, 0.19)], 18).moved(0, 0, z)
    handle = tube(
        rounded_path([(0.05, 0, z + 0.15), (0.10, 0, z + 0.14), (0.10, 0, z + 0.05), (0.053, 0, z + 0.04)], 0.03),
        0.007,
        8,
    )
    lid = cylinder(0.057, 0.012, (0, 0, z + 0.193))
    cup = lathe([(0, 0), (0.03, 0), (0.036, 0.09)], 16).moved(-0.13, 0.03, z)
    return [(P.PLASTIC_BLUE, join([handle, lid])), (P.FLUID, join([jug, cup]))]


def books(z: float, count: int = 4) -> list[Part]:
    """A small pile of books lying at height ``z``."""
    covers = (P.FABRIC_RED, P.FABRIC_BLUE, P.FABRIC_OCHRE, P.FABRIC_GREEN)
    return [
        (
            covers[i % 4],
            box((0.20 - 0.015 * i, 0.14, 0.026), (0, 0, z + 0.013 + 0.027 * i), 0.003).turned("z", 9.0 * (i % 3 - 1)),
        )
        for i in range(count)
    ]


def vase(z: float) -> list[Part]:
    """Flowers in a vase."""
    pot = lathe([(0, 0), (0.035, 0), (0.05, 0.06), (0.03, 0.14), (0.036, 0.17)], 18).moved(0, 0, z)
    stems, red, yellow = list[Shape](), list[Shape](), list[Shape]()
    for i in range(7):
        a = 2.399 * i
        tip = (0.10 * np.cos(a) * (0.4 + 0.1 * i), 0.10 * np.sin(a) * (0.4 + 0.1 * i), z + 0.33 - 0.012 * i)
        stems.append(tube([(0, 0, z + 0.12), tip], 0.003, 5))
        (red if i % 2 else yellow).append(sphere(0.030, tip, 10).scaled(1, 1, 1))
    return [(P.CERAMIC, pot), (P.LEAF, join(stems)), (P.PLASTIC_RED, join(red)), (P.FABRIC_OCHRE, join(yellow))]


def throw_pillow(cover: Material, at: tuple[float, float, float], yaw: float) -> list[Part]:
    """A loose cushion leaning against a sofa's arm."""
    return [(cover, pillow((0.40, 0.40, 0.15)).turned("x", 68).turned("z", yaw).moved(*at))]


def smoke_detector(height: float) -> list[Part]:
    return [
        (
            P.PLASTIC,
            lathe([(0, -0.045), (0.03, -0.045), (0.05, -0.02), (0.055, 0), (0, 0)], 20).moved(0, 0, height - 0.001),
        )
    ]


def shelf(width: float, z: float) -> list[Part]:
    """A wall shelf with books standing on it."""
    board_ = box((width, 0.22, 0.025), (0, 0.112, z), 0.004)
    parts: list[Part] = [(P.WOOD_OAK, board_)]
    rng = np.random.default_rng(3)
    covers = (P.FABRIC_RED, P.FABRIC_BLUE, P.FABRIC_OCHRE, P.FABRIC_GREEN, P.PAPER)
    x = -width / 2 + 0.05
    while x < width / 2 - 0.25:
        thick, high = float(rng.uniform(0.02, 0.045)), float(rng.uniform(0.18, 0.26))
        parts.append(
            (
                covers[int(rng.integers(5))],
                box((thick, 0.15, high), (x + thick / 2, 0.10, z + 0.0135 + high / 2), 0.003),
            )
        )
        x += thick + 0.003
    return parts
