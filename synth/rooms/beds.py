"""Beds. Sizes: EN 60601-2-52 hospital beds have a 0.9 x 2.0 m mattress and, lowered for getting out, its top at
0.45-0.55 m; safety rails stand at least 0.22 m above the mattress."""

from __future__ import annotations

import numpy as np

from synth.rooms import palette as P
from synth.rooms.piece import Block, Part, Piece, blocks, span

MATTRESS_TOP = 0.50
WIDTH, LENGTH = 1.00, 2.16
HINGE = -0.18  # y of the hinge about which the head section rises


def _solids(head_angle: float, raised_rails: tuple[str, ...]) -> list[Block]:
    """Mattress, boards, raised rails and the wedge of the raised head section as steps."""
    found = [span(-0.45, 0.45, -1.0, 1.0, 0.25, MATTRESS_TOP), span(-0.48, 0.48, -1.08, -1.02, 0.15, 0.98),
             span(-0.48, 0.48, 1.02, 1.08, 0.15, 0.86)]
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
        found.append(span(x - 0.02, x + 0.02, y0, y1, 0.45, 0.88))
    return found


def hospital_bed(head_angle: float = 0.0, raised_rails: tuple[str, ...] = (), blanket: str = "blue",
                 homely: bool = False) -> Piece:
    """A care bed; ``raised_rails`` names "right-head", "right-foot", "left-head", "left-foot" as the patient lies.

    +y points from the head end to the foot end; the patient's right is +x. ``homely``: wooden boards.
    """
    solids = _solids(head_angle, raised_rails)
    parts: list[Part] = blocks(P.SHEET, solids)
    return Piece("bed", (WIDTH, LENGTH, 0.98), tuple(parts), 0.0, MATTRESS_TOP, tuple(solids), (0.0, 0.1, 0.9, 1.4))
