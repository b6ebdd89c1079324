"""What a body cannot enter of a seat, and the part of it one can sit on, in the furniture's own frame."""

from __future__ import annotations

import itertools

import numpy as np

from synth.room import Box
from synth.rotation import Array

SLAB = {"bed": 0.25, "chair": 0.07, "wheelchair": 0.10}  # metres; other seats reach the floor
BACK = {"chair": 0.07, "armchair": 0.20, "sofa": 0.22, "wheelchair": 0.10, "toilet": 0.20}  # metres
BOARD = 0.06  # metres: of the boards at a bed's ends; a thicker one would be a raised head section
OVER = 0.15  # metres over the mattress that make a board
LEAST = 8  # points of it
SLICES = 8  # of a bed's length in which a raised head is looked for
RAISED = 0.12  # metres; a pillow is lower


def seat_parts(cls: str, box: Box, seat: float, points: Array | None) -> tuple[tuple[Box, ...], Box]:
    """Solids and seat of a piece.

    Args:
        cls: a class that one sits or lies on. box: its bounds. seat: height of its surface, metres.
        points: what was seen of it [N, 3] metres; None where nothing was: then it is as its class is.

    Returns:
        solids, the first with its top at the seat's height; and the seat's surface.
    """
    if cls == "bed":
        return _bed(box, seat, points)
    width, depth, tall = (float(n) for n in box.size)
    back = min(BACK.get(cls, 0.1), depth / 3)
    slab = min(SLAB.get(cls, seat), seat)
    solids = [_span(box, (-width / 2, width / 2), (-depth / 2 + back, depth / 2), (seat - slab, seat))]
    if tall > seat + OVER:
        low = 0.0 if cls not in SLAB else seat - slab
        solids.append(_span(box, (-width / 2, width / 2), (-depth / 2, -depth / 2 + back), (low, tall)))
    arms = 0.1 if cls in ("armchair", "sofa", "wheelchair") else 0.03
    return tuple(solids), _surface(box, seat, width - 2 * arms, -depth / 2 + back, depth / 2)


def _bed(box: Box, seat: float, points: Array | None) -> tuple[tuple[Box, ...], Box]:
    width, length, _ = (float(n) for n in box.size)
    across = (-width / 2, width / 2)
    solids = [_span(box, across, (-length / 2 + BOARD, length / 2 - BOARD), (max(seat - SLAB["bed"], 0.0), seat))]
    if points is not None:
        local = box.to_local(points)
        local[:, 2] += box.center[2]
        for sign in (-1, 1):
            end = local[(sign * local[:, 1] > length / 2 - 2 * BOARD) & (local[:, 2] > seat + OVER)]
            if len(end) >= LEAST:
                ends = sorted((sign * length / 2, sign * (length / 2 - BOARD)))
                top = float(np.quantile(end[:, 2], 0.9))
                solids.append(_span(box, across, (ends[0], ends[1]), (0.0, top)))
        solids += _raised(box, seat, local)
    return tuple(solids), _surface(box, seat, 0.9 * width, -0.275 * length, 0.375 * length)


def _raised(box: Box, seat: float, local: Array) -> list[Box]:
    """A raised head section as steps: slices of the head's half whose surface is over the mattress."""
    width, length = float(box.size[0]), float(box.size[1])
    edges = np.linspace(-length / 2 + BOARD, length / 2 - BOARD, SLICES + 1)
    inner = local[np.abs(local[:, 0]) < 0.35 * width]
    heights = []
    for start, end in itertools.pairwise(edges):
        inside = inner[(inner[:, 1] > start) & (inner[:, 1] < end) & (inner[:, 2] > seat - OVER), 2]
        heights.append(float(np.median(inside)) if len(inside) >= LEAST else seat)
    # it rises towards the head without a break; a tray over the bed does not
    count = 0
    while count < SLICES // 2 and heights[count] > seat + RAISED * (0.5 if count else 1.0):
        count += 1
    if count < 2 or heights[0] < heights[count - 1]:
        return []
    return [
        _span(box, (-0.47 * width, 0.47 * width), (float(edges[i]), float(edges[i + 1])), (seat, heights[i]))
        for i in range(count)
    ]


def _span(box: Box, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]) -> Box:
    """The block between two corners; z from the floor."""
    ends = np.array([x, y, z])
    center = ends.mean(1)
    center[2] -= box.center[2]
    return Box(center, ends[:, 1] - ends[:, 0])


def _surface(box: Box, seat: float, width: float, back: float, front: float) -> Box:
    return Box(np.array([0.0, (back + front) / 2, seat - box.center[2]]), np.array([width, front - back, 0.0]))
