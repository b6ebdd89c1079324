"""The furniture the scripts are played against: plain solids with the usual sizes of care homes.

At run time the real furniture of the room takes its place (`synth.motion.adapt`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synth.room import Box, Furniture

# class -> full size, seat height, seat (x, y, size x, size y), solids (x0, x1, y0, y1, z0, z1) above the floor
_PIECES = {
    "bed": ((1.0, 2.16, 0.98), 0.50, (0.0, 0.1, 0.9, 1.4),
            ((-0.45, 0.45, -1.0, 1.0, 0.25, 0.50), (-0.48, 0.48, -1.08, -1.02, 0.15, 0.98),
             (-0.48, 0.48, 1.02, 1.08, 0.15, 0.86))),
    "armchair": ((0.76, 0.84, 1.06), 0.45, (0.0, 0.08, 0.52, 0.56),
                 ((-0.27, 0.27, -0.24, 0.38, 0.0, 0.45), (-0.38, 0.38, -0.42, -0.22, 0.0, 1.06),
                  (-0.38, -0.27, -0.30, 0.36, 0.0, 0.65), (0.27, 0.38, -0.30, 0.36, 0.0, 0.65))),
    "chair": ((0.48, 0.54, 0.88), 0.45, (0.0, 0.03, 0.44, 0.42),
              ((-0.23, 0.23, -0.22, 0.25, 0.38, 0.45), (-0.23, 0.23, -0.27, -0.20, 0.0, 0.88))),
}  # fmt: skip


def stage_piece(kind: str, at: Sequence[float], yaw: float, height: float | None = None) -> Furniture:
    """A piece of class `kind` with its box's middle over `at` (x, y), turned by `yaw` radians; its id is its class.

    height: of its seat, metres, where it is not the usual one; what else ends at seat height goes with it.
    """
    size, seat_height, (x, y, width, depth), blocks = _PIECES[kind]
    if height is not None:
        blocks = tuple((*block[:5], height if block[5] == seat_height else block[5]) for block in blocks)
        seat_height = height
    middle = size[2] / 2
    solids = tuple(
        Box(np.array([(x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2 - middle]), np.array([x1 - x0, y1 - y0, z1 - z0]))
        for x0, x1, y0, y1, z0, z1 in blocks
    )
    seat = Box(np.array([x, y, seat_height - middle]), np.array([width, depth, 0.0]))
    box = Box(np.array([at[0], at[1], middle]), np.array(size), yaw)
    return Furniture(kind, kind, box, seat_height, "", solids, seat)
