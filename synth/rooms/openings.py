"""Doors and windows. Sizes: clear door widths of 0.9-1.1 m for beds and wheelchairs and 2.1 m height (DIN 18040-2),
window sills at 0.6-0.9 m so that one sees out lying down."""

from __future__ import annotations

import numpy as np

from synth.gltf import Material
from synth.rooms import palette as P
from synth.rooms.piece import Part, Piece, span
from synth.rooms.shapes import Shape, box, curtain, cylinder, join, rounded_path, sphere, surface, tube

REVEAL = 0.16  # how deep a window sits in its wall


def _lever(x: float, y: float, toward: float) -> Shape:
    """A lever handle with its plate; the lever points along ``toward`` (-1 or 1)."""
    lever = tube(
        rounded_path([(x, y, 1.05), (x, y + 0.055, 1.05), (x + toward * 0.13, y + 0.055, 1.05)], 0.02), 0.010, 10
    )
    return join(
        [lever, box((0.045, 0.008, 0.22), (x, y + 0.004, 1.0), 0.003), cylinder(0.011, 0.01, (x, y + 0.008, 0.93), "y")]
    )


def door(width: float = 1.1, leaf: Material = P.WOOD_BEECH, glazed: bool = False) -> Piece:
    """A closed door: frame, leaf, lever handle, hinges and kick plate; the wall is at -y, ``width`` is the leaf's."""
    w, half, high, wall = width, width / 2, 2.10, -0.06
    frame = [
        box((0.07, 0.052, high + 0.07), (s * (half + 0.035), wall + 0.026, (high + 0.07) / 2), 0.006, 1)
        for s in (-1, 1)
    ]
    frame.append(box((w, 0.052, 0.07), (0, wall + 0.026, high + 0.035), 0.006, 1))
    face = wall + 0.036
    panel = box((w - 0.012, 0.034, high - 0.012), (0, wall + 0.018, high / 2 + 0.002), 0.003, 1)
    metal = [_lever(half - 0.075, face, -1), box((w - 0.10, 0.003, 0.28), (0, face, 0.16), 0.0)]
    metal += [cylinder(0.009, 0.10, (-half + 0.004, wall + 0.05, z), "z", 12) for z in (0.25, 1.05, 1.85)]
    parts: list[Part] = [(P.DOOR_FRAME, join(frame)), (leaf, panel), (P.STEEL, join(metal))]
    if glazed:
        rim = rounded_path(
            [(-0.22, face, 0.95), (0.14, face, 0.95), (0.14, face, 1.85), (-0.22, face, 1.85)], 0.03, 3, True
        )
        parts += [(P.PANE, box((0.36, 0.004, 0.90), (-0.04, face, 1.40), 0.0)), (P.STEEL, tube(rim, 0.012, 6, True))]
    else:
        grooves = [box((0.004, 0.002, 1.55), (x, face, 1.20), 0.0) for x in (-w * 0.18, w * 0.18)]
        parts.append((P.WOOD_WALNUT, join(grooves)))
    solids = (span(-half - 0.07, half + 0.07, -0.06, 0.0, 0.0, 2.17),)
    return Piece("door", (width + 0.14, 0.12, 2.17), tuple(parts), 0.0, None, solids)


def window(width: float, sill: float, head: float, frame: Material = P.TRIM) -> list[Part]:
    """Two casements with glass in a wall hole centred at x = 0 (wall at y = 0), sill board, handle, view outside."""
    y, high, half = -0.10, head - sill, width / 2
    middle = (sill + head) / 2
    wood = [box((0.055, 0.06, high - 0.002), (s * (half - 0.0285), y, middle), 0.006) for s in (-1, 1)]
    wood += [box((width - 0.108, 0.056, 0.055), (0, y, z), 0.006) for z in (sill + 0.0275, head - 0.0275)]
    wood.append(box((0.075, 0.065, high - 0.1), (0, y, middle), 0.006))
    casement = half - 0.055 - 0.0375
    for s in (-1, 1):
        x = s * (0.0375 + casement / 2)
        wood += [
            box((0.045, 0.05, high - 0.11), (x + e * (casement / 2 - 0.0225), y + 0.012, middle), 0.006)
            for e in (-1, 1)
        ]
        wood += [box((casement - 0.09, 0.05, 0.045), (x, y + 0.012, z), 0.006) for z in (sill + 0.0775, head - 0.0775)]
    handle = join(
        [
            box((0.024, 0.012, 0.06), (0.075, y + 0.04, middle - 0.1), 0.004),
            tube(
                rounded_path(
                    [
                        (0.075, y + 0.04, middle - 0.1),
                        (0.075, y + 0.075, middle - 0.1),
                        (0.075, y + 0.075, middle - 0.22),
                    ],
                    0.02,
                ),
                0.008,
                8,
            ),
        ]
    )
    board = box((width + 0.10, 0.26, 0.03), (0, -0.04, sill + 0.002), 0.010, 2)
    angle = np.linspace(0.02, np.pi - 0.02, 25)
    reach = 2.6
    scene = np.stack(
        [
            np.stack([reach * np.cos(angle), -REVEAL - 0.05 - reach * np.sin(angle), np.full(25, z)], -1)
            for z in (-0.6, 4.6)
        ]
    )
    pane = box((width - 0.12, 0.004, high - 0.12), (0, y - 0.012, middle), 0.0)
    return [(frame, join([*wood, board])), (P.STEEL, handle), (P.GLASS, pane), (P.SKY, surface(scene))]


def curtains(
    width: float, sill: float, head: float, cloth: Material, net: bool = False, long: bool = True
) -> list[Part]:
    """A pair of curtains drawn aside on a rod above a window, to the floor or to below the sill."""
    top, low = head + 0.14, 0.03 if long else sill - 0.12
    panel = 0.34 + width * 0.08
    both = [
        curtain(panel, top - low - 0.02, 5, 0.045, phase=s).moved(s * (width / 2 + panel / 2 - 0.10), 0.10, top - 0.02)
        for s in (-1.0, 1.0)
    ]
    rod = width + 2 * panel - 0.1
    iron = [tube([(-rod / 2, 0.10, top), (rod / 2, 0.10, top)], 0.012, 10)] + [
        sphere(0.024, (s * rod / 2, 0.10, top), 12) for s in (-1, 1)
    ]
    iron += [tube([(s * (rod / 2 - 0.12), 0, top), (s * (rod / 2 - 0.12), 0.10, top)], 0.008, 8) for s in (-1, 1)]
    parts: list[Part] = [(cloth, join(both)), (P.DARK_METAL, join(iron))]
    if net:
        parts.append((P.NET, curtain(width * 0.98, head - sill + 0.02, 16, 0.018).moved(0, -0.02, head + 0.01)))
    return parts


def radiator(width: float, high: float = 0.52) -> list[Part]:
    """A panel radiator on the wall below a window."""
    fins = [
        box((0.022, 0.024, high - 0.05), (x, 0.085, 0.14 + high / 2), 0.008, 1)
        for x in np.arange(-width / 2 + 0.03, width / 2 - 0.02, 0.045)
    ]
    body = [box((width, 0.045, high), (0, 0.055, 0.14 + high / 2), 0.012, 2)]
    valve = cylinder(0.02, 0.07, (width / 2 + 0.05, 0.06, 0.20), "x")
    return [(P.WHITE_METAL, join(body + fins)), (P.PLASTIC, valve)]
