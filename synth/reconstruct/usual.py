"""How large furniture usually is: what completes a piece of which one camera sees a side.

Sizes are metres in the furniture's own frame (`synth.room`): x across, y from back to front (a bed: head to foot), z
up.
From EN 60601-2-52 (beds), ISO 21015 and HBN 00-03 (seats), ISO 7176-5 (wheelchairs), ISO 11199-2 (rollators),
ISO 10535 (lifts) and DIN 18040-2 (toilets, basins, doors), as the built-in rooms have them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Back = Literal["high", "wall", "bed"]


@dataclass(frozen=True)
class Usual:
    """Of one class.

    Attributes:
        size: x, y, z of the usual one.
        low, high: x, y of the smallest and largest.
        short: z of the lowest one.
        seat: height of what one sits or lies on; None for what carries nobody.
        seats: the lowest and highest of it.
        back: how its back is told: "high" (its back is its high part: a rest, handles, a cistern), "wall" (it stands
            with its back to a wall) or "bed" (its head is the end at a wall, else the higher one).
    """

    size: tuple[float, float, float]
    low: tuple[float, float]
    high: tuple[float, float]
    short: float
    seat: float | None = None
    seats: tuple[float, float] = (0.0, 0.0)
    back: Back = "wall"


USUAL: dict[str, Usual] = {
    "bed": Usual((0.95, 2.05, 0.90), (0.80, 1.85), (1.20, 2.30), 0.30, 0.50, (0.25, 0.90), "bed"),
    "chair": Usual((0.48, 0.54, 0.88), (0.38, 0.40), (0.65, 0.70), 0.70, 0.45, (0.38, 0.54), "high"),
    "armchair": Usual((0.74, 0.82, 1.00), (0.60, 0.65), (0.95, 1.05), 0.70, 0.45, (0.36, 0.54), "high"),
    "sofa": Usual((1.75, 0.88, 0.86), (1.20, 0.70), (2.60, 1.10), 0.60, 0.43, (0.33, 0.53), "high"),
    "wheelchair": Usual((0.66, 1.04, 0.94), (0.52, 0.75), (0.75, 1.20), 0.75, 0.49, (0.42, 0.58), "high"),
    "walker": Usual((0.62, 0.70, 0.92), (0.50, 0.45), (0.75, 0.85), 0.70, back="high"),
    "lift": Usual((0.66, 1.14, 1.76), (0.55, 0.80), (0.95, 1.40), 1.20, back="high"),
    "table": Usual((1.10, 0.70, 0.74), (0.55, 0.38), (2.20, 1.30), 0.40),
    "nightstand": Usual((0.48, 0.46, 0.72), (0.35, 0.35), (0.65, 0.60), 0.45),
    "wardrobe": Usual((1.00, 0.62, 1.95), (0.50, 0.45), (2.60, 0.75), 1.20),
    "toilet": Usual((0.40, 0.70, 0.86), (0.34, 0.58), (0.50, 0.80), 0.40, 0.46, (0.36, 0.54), "high"),
    "sink": Usual((0.58, 0.50, 0.46), (0.40, 0.38), (0.85, 0.65), 0.12),
    "door": Usual((1.10, 0.12, 2.15), (0.80, 0.08), (1.50, 0.25), 1.90),
}  # fmt: skip
WALL_HUNG = frozenset({"sink"})  # everything else stands on the floor
