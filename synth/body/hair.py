"""Hair, brows and lashes for the default body: shells over the scalp, each vertex tied to the head's skin.

Numbers are metres on the template (pelvis at the origin): crown 0.757, eyes 0.647, ears 0.60-0.65, chin 0.53.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.spatial import cKDTree

from synth.body.garments import Tailor, _step
from synth.body.sheet import Sheet, clip, extend

Array = NDArray[np.float64]

CENTER = np.array([0.0, 0.665, 0.045])
COLUMNS, ROWS = 64, 34
FLOOR = 0.515  # the lowest a shell reaches

# hairlines: degrees from the front -> lowest height that has hair
_CROPPED = {
    0: 0.718,
    30: 0.720,
    48: 0.712,
    60: 0.690,
    72: 0.662,
    80: 0.640,
    88: 0.652,
    96: 0.664,
    108: 0.650,
    118: 0.622,
    140: 0.592,
    180: 0.578,
}
_RECEDING = _CROPPED | {0: 0.738, 30: 0.744, 48: 0.732, 60: 0.700}
_BOB = {0: 0.716, 25: 0.715, 42: 0.700, 56: 0.668, 66: 0.610, 76: 0.572, 90: 0.555, 120: 0.548, 180: 0.545}


@dataclass(frozen=True)
class Style:
    """A haircut: its hairline, thickness in metres at the crown and at the sides, and how unruly it is."""

    line: dict[int, float]
    crown: float
    sides: float
    curl: float = 0.0
    hang: bool = False  # falls free below the widest part of the head
    bald_above: float | None = None
    bun: bool = False


STYLES = {
    "hair_short": Style(_CROPPED, 0.016, 0.008),
    "hair_medium": Style(_BOB, 0.020, 0.017, hang=True),
    "hair_bun": Style(_CROPPED | {0: 0.712, 88: 0.655, 140: 0.585, 180: 0.570}, 0.009, 0.008, bun=True),
    "hair_thin": Style(_RECEDING, 0.006, 0.005, curl=0.15),
    "hair_balding": Style(_CROPPED, 0.007, 0.009, bald_above=0.712),
    "hair_curly": Style(_CROPPED | {96: 0.650, 140: 0.575, 180: 0.562}, 0.026, 0.022, curl=1.0),
}


def _azimuth(p: Array) -> Array:
    """Degrees from the front, 0..180."""
    return np.degrees(np.abs(np.arctan2(p[:, 0], p[:, 2] - CENTER[2])))


def _scalp(tailor: Tailor, ears: bool) -> Array:
    """Radius of the head by row and column of the grid: star-shaped above the centre, about the axis below it."""
    p = tailor.points[: tailor.skin]
    head = p[(tailor.weights[: tailor.skin, 15] > 0.3) | ((tailor.weights[: tailor.skin, 12] > 0.5) & (p[:, 1] > 0.5))]
    if not ears:
        wide = np.abs(head[:, 0])
        head = head[~((wide > 0.066) & (head[:, 1] < 0.668) & (head[:, 2] < 0.062) & (head[:, 2] > 0.0))]
    q = head - CENTER
    above = q[:, 1] > 0
    radius = np.where(above, np.linalg.norm(q, axis=1), np.hypot(q[:, 0], q[:, 2]))
    row = np.where(above, (1 - np.arcsin(np.clip(q[:, 1] / np.maximum(radius, 1e-6), 0, 1)) / (np.pi / 2)) * 0.55,
                   0.55 + 0.45 * (-q[:, 1]) / (CENTER[1] - FLOOR))  # fmt: skip
    column = (np.arctan2(q[:, 0], q[:, 2]) / (2 * np.pi)) % 1.0
    # radius at every grid point: the mean of the head's nearest points, outermost ones counted
    features = np.stack([np.sin(2 * np.pi * column), np.cos(2 * np.pi * column), row * 5], 1)
    r, c = np.meshgrid(np.linspace(0, 1, ROWS), np.arange(COLUMNS) / COLUMNS, indexing="ij")
    # near the pole the azimuth means nothing: shrink it away there, for both
    grid = np.stack([np.sin(2 * np.pi * c), np.cos(2 * np.pi * c), r * 5], -1).reshape(-1, 3)
    features[:, :2] *= np.clip(row / 0.2, 0.02, 1)[:, None]
    grid[:, :2] *= np.clip(r.ravel() / 0.2, 0.02, 1)[:, None]
    _, near = cKDTree(features).query(grid, k=5)
    values = radius[near]
    table = (0.5 * values.max(1) + 0.5 * values.mean(1)).reshape(ROWS, COLUMNS)
    return ndimage.gaussian_filter(table, (0.8, 1.0), mode=("nearest", "wrap"))


def make_hair(tailor: Tailor, style: Style, seed: int) -> Sheet:
    """One haircut as a sheet tied to the head's skin."""
    table = _scalp(tailor, ears=style.hang)
    v = np.linspace(0, 1, ROWS)[:, None] * np.ones(COLUMNS)
    u = np.arange(COLUMNS) / COLUMNS * 2 * np.pi + np.zeros((ROWS, 1))
    if style.hang:
        widest = int(0.55 * ROWS)
        for k in range(widest, ROWS):  # below the ears the hair hangs and turns in a little
            back = 0.5 - 0.5 * np.cos(u[k])
            table[k] = np.maximum(table[k], table[k - 1] - 0.0012 - 0.0006 * back)
        table[:, :] = ndimage.gaussian_filter(table, (1.0, 1.0), mode=("nearest", "wrap"))
    elevation = np.pi / 2 * (1 - np.minimum(v / 0.55, 1))
    drop = np.maximum(v - 0.55, 0) / 0.45 * (CENTER[1] - FLOOR)

    def place(radius: Array) -> Array:
        flat = radius * np.cos(elevation)
        return CENTER + np.stack([flat * np.sin(u), radius * np.sin(elevation) - drop, flat * np.cos(u)], -1).reshape(
            -1, 3
        )

    on_skin = place(table)
    angle = _azimuth(on_skin)
    line = np.interp(angle, list(style.line), list(style.line.values()))
    strands = 0.0025 * np.sin(23 * u.ravel() + seed) + 0.0018 * np.sin(41 * u.ravel() + 2 * seed)
    keep = on_skin[:, 1] - line + strands
    if style.bald_above is not None:
        crown = style.bald_above + 0.004 * np.sin(9 * u.ravel()) - 0.02 * (1 - _step(60, 100, angle))
        keep = np.minimum(keep, crown - on_skin[:, 1])
    rng = np.random.default_rng(seed)
    amount = style.sides + (style.crown - style.sides) * _step(0.66, 0.74, on_skin[:, 1])
    edge = _step(0.0, 0.022, keep) if not style.hang else _step(0.0, 0.022, np.where(angle < 62, keep, 1.0))
    noise = ndimage.gaussian_filter(rng.normal(size=(ROWS, COLUMNS)), (3.0, 1.2), mode=("nearest", "wrap"))
    noise = (noise / np.abs(noise).max()).ravel()
    part = 0.35 * style.crown * np.exp(-(((on_skin[:, 0] - 0.025) / 0.006) ** 2)) * (on_skin[:, 1] > 0.7)
    thick = 0.0012 + (amount * (1 + (0.30 + 0.5 * style.curl) * noise) - part * (style.curl == 0)) * (
        0.06 + 0.94 * edge
    )
    if style.curl:
        lumps = ndimage.gaussian_filter(rng.normal(size=(ROWS, COLUMNS)), (1.0, 1.0), mode=("nearest", "wrap")).ravel()
        thick += 0.004 * style.curl * lumps * edge
    thick = np.where(v.ravel() < 0.12, thick.reshape(ROWS, COLUMNS)[1:5].mean(), thick)  # no star at the pole
    points = place(table + thick.reshape(ROWS, COLUMNS))

    index = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    right = np.roll(index, -1, 1)
    a, b, c, d = index[:-1].ravel(), index[1:].ravel(), right[1:].ravel(), right[:-1].ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    ring0 = index[0]  # the crown's ring has no size: one vertex stands for it
    faces[np.isin(faces, ring0)] = ring0[0]
    faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]
    points[ring0[0]] = points[index[1]].mean(0) + np.array([0, 0.0004, 0])
    nothing = sparse.csr_matrix((len(points), len(tailor.points)))
    sheet = clip(Sheet(points, faces, nothing), keep)
    sheet = extend(sheet, [(-0.004, 0.001), (-0.010, -0.006)])
    if style.bun:
        ball, more = _ball(np.array([0.0, 0.700, -0.078]), np.array([0.034, 0.031, 0.027]), seed)
        sheet = Sheet(np.concatenate([sheet.points, ball]), np.concatenate([sheet.faces, more + len(sheet.points)]),
                      sparse.csr_matrix((len(sheet.points) + len(ball), len(tailor.points))))  # fmt: skip
    return Sheet(sheet.points, sheet.faces, tailor.anchor(sheet.points, _head(tailor), 8))


def _head(tailor: Tailor) -> NDArray[np.bool_]:
    allowed = np.zeros(len(tailor.points), dtype=bool)
    allowed[: tailor.skin] = tailor.weights[: tailor.skin, 15] > 0.9
    return allowed


def _ball(center: Array, radii: Array, seed: int) -> tuple[Array, NDArray[np.int64]]:
    rows, columns = 14, 24
    v, u = np.meshgrid(np.linspace(0.02, np.pi - 0.02, rows), np.arange(columns) / columns * 2 * np.pi, indexing="ij")
    twist = 1 + 0.035 * np.sin(6 * v + 3 * u + seed) + 0.02 * np.sin(5 * u - 4 * v)
    shape = np.stack([np.sin(v) * np.cos(u), np.sin(v) * np.sin(u), -np.cos(v)], -1) * twist[..., None]
    index = np.arange(rows * columns).reshape(rows, columns)
    right = np.roll(index, -1, 1)
    a, b, c, d = index[:-1].ravel(), index[1:].ravel(), right[1:].ravel(), right[:-1].ravel()
    return center + shape.reshape(-1, 3) * radii, np.concatenate([np.stack([a, c, b], 1), np.stack([a, d, c], 1)])


def make_brows(tailor: Tailor) -> Sheet:
    """Two brows: tapered strips a millimetre above the skin."""
    p = tailor.points[: tailor.skin]
    face = p[(p[:, 1] > 0.63) & (p[:, 1] < 0.70) & (p[:, 2] > 0.06)]
    t = np.linspace(0, 1, 16)
    x = 0.0115 + 0.0375 * t
    middle = 0.6665 + 0.0065 * np.sin(np.pi * np.clip(t * 1.05, 0, 1) ** 1.1) - 0.004 * t
    width = 0.0042 * np.sqrt(np.clip(np.sin(np.pi * (0.12 + 0.86 * t)), 0.02, 1)) * (1 - 0.4 * t)
    rows = np.linspace(-1, 1, 5)
    skin = cKDTree(face[:, :2])
    pieces: list[Array] = []
    faces: list[NDArray[np.int64]] = []
    for sign in (1.0, -1.0):
        xs = np.repeat((sign * x)[None], len(rows), 0)
        ys = middle + rows[:, None] * width
        flat = np.stack([xs.ravel(), ys.ravel()], 1)
        far, near = skin.query(flat, k=4)
        closeness = 1 / (far + 1e-4) ** 2
        depth = (closeness * face[near, 2]).sum(1) / closeness.sum(1)
        lift = 0.0006 + 0.0011 * (1 - np.repeat(rows**2, len(t)))
        start = sum(len(piece) for piece in pieces)
        pieces.append(np.stack([flat[:, 0], flat[:, 1], depth + lift], 1))
        index = np.arange(len(flat)).reshape(len(rows), len(t)) + start
        a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, 1:].ravel(), index[1:, :-1].ravel()
        quads = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
        faces.append(quads if sign > 0 else quads[:, ::-1])
    points = np.concatenate(pieces)
    return Sheet(points, np.concatenate(faces), tailor.anchor(points, _head(tailor), 6))


__all__ = ["STYLES", "Style", "make_brows", "make_hair"]
