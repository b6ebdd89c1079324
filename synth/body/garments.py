"""Clothes for the default body, cut from MakeHuman's "tights" cage in the T-pose.

Each garment is cut to its hems and neckline, set off from the skin, left to hang from what carries it (chest, belly,
buttocks, thighs), wrinkled where cloth gathers, and given folded hems, so that it looks loose and has thickness.
All numbers are metres on the template, pelvis at the origin: neck joint 0.50, shoulders 0.42, hips -0.06,
knees -0.45, ankles -0.88, soles -0.96; elbows at x = 0.43, wrists at 0.67.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.spatial import cKDTree

from synth.body.sheet import Sheet, clip, extend, from_quads, normals, smooth

Array = NDArray[np.float64]
Keep = Callable[[Array], Array]

HEM = [(-0.0035, 0.0), (-0.0045, -0.018)]  # folded inwards: seen from below or into a sleeve, cloth has a thickness
AXIS_Z = -0.01  # depth of the torso's vertical axis
LEG_X, LEG_Z = 0.112, 0.0


@dataclass(frozen=True)
class Cloth:
    """A finished garment: ``sheet`` in place, the rule that says which skin it hides, and its kind."""

    sheet: Sheet
    kind: str
    keep: Keep | None
    margin: float  # skin stays visible this far in from the hems
    outer: bool = True


def _step(low: float, high: float, x: Array) -> Array:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def neckline(front: float, slope: float, back: float) -> Keep:
    """Keep what is below a neckline: ``front`` height at the middle, rising by ``slope`` sideways, ``back`` behind."""

    def keep(p: Array) -> Array:
        facing = _step(-0.045, 0.045, p[:, 2] - AXIS_Z - 0.01)
        x = np.sqrt(p[:, 0] ** 2 + 1e-5)
        # a cut through the shoulder's ridge keeps clear of the arms
        return facing * (front + slope * x) + (1 - facing) * (back + 0.25 * x) - p[:, 1]

    return keep


def top_rule(neck: Keep, hem: float, sleeve: float) -> Keep:
    """Keep a top: below the neckline, above the hem, inside the sleeves' ends."""

    def keep(p: Array) -> Array:
        return np.minimum.reduce([neck(p), p[:, 1] - hem, sleeve - np.abs(p[:, 0])])

    return keep


def band_rule(low: float, high: float) -> Keep:
    """Keep the legs and hips between two heights."""

    def keep(p: Array) -> Array:
        return np.minimum.reduce([p[:, 1] - low, high - p[:, 1], 0.3 - np.abs(p[:, 0])])

    return keep


@dataclass(frozen=True)
class Tailor:
    """What garments are cut from.

    ``points`` [M, 3] is the mean body in the T-pose with its cages, ``skin`` the number of skin vertices,
    ``weights`` [M, 24], ``tights`` the cage's quads.
    """

    points: Array
    faces: NDArray[np.int64]
    skin: int
    weights: Array
    tights: NDArray[np.int64]
    cage: Sheet = field(init=False)
    tree: cKDTree = field(init=False)
    skin_normals: Array = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cage", from_quads(self.points, self.tights, 1))
        object.__setattr__(self, "tree", cKDTree(self.points[: self.skin]))
        object.__setattr__(self, "skin_normals", normals(self.points[: self.skin], self.faces))

    def arm_weight(self) -> Array:
        """How much each skin vertex belongs to the arms, 0..1."""
        return self.weights[: self.skin, 16:].sum(1)

    def cut(self, keep: Keep, ease: float, steps: int = 8, fine: bool = True) -> Sheet:
        """Cut the cage, set it off by ``ease`` and smooth the body's modelling out of it."""
        cage = self.cage if fine else from_quads(self.points, self.tights, 0)
        sheet = clip(cage, keep(cage.points))
        points = sheet.points + ease * normals(sheet.points, sheet.faces)
        sheet = sheet.moved(points)
        return sheet.moved(smooth(sheet, points, steps))

    def clear(self, sheet: Sheet, gap: float, rounds: int = 3) -> Sheet:
        """Push the cloth out to at least ``gap`` above the skin."""
        points = sheet.points
        for turn in range(rounds):
            _, near = self.tree.query(points)
            up = self.skin_normals[near]
            height = ((points - self.points[near]) * up).sum(1)
            points = points + np.maximum(gap - height, 0)[:, None] * up
            if turn < rounds - 1:
                points = 0.5 * points + 0.5 * smooth(sheet, points, 1)
        return sheet.moved(points)

    def drape(
        self, sheet: Sheet, axis: tuple[float, float], body: NDArray[np.bool_], cling: float, ease: float,
        reach: tuple[float, float], chosen: NDArray[np.bool_] | None = None, stiff: float = 0.0,
    ) -> Sheet:  # fmt: skip
        """Let cloth hang: going down, its radius about a vertical axis shrinks by at most ``cling`` a metre.

        Args:
            sheet: the cloth.
            axis: x and z of the axis.
            body: the skin that carries it, bool [skin].
            cling: metres of radius lost a metre, 0 hangs straight down.
            ease: metres kept above the body.
            reach: the effect begins at the first height and is full from the second on.
            chosen: the cloth's vertices that hang [N]; all by default.
            stiff: rounds the section, 0 follows the body's section, 1 is a round tube.
        """
        carrier = self.points[: self.skin][body]
        radius = _hanging_radius(carrier, axis, cling, stiff)
        points = sheet.points.copy()
        dx, dz = points[:, 0] - axis[0], points[:, 2] - axis[1]
        wanted = radius(np.arctan2(dz, dx), points[:, 1]) + ease
        own = np.hypot(dx, dz)
        amount = 1 - _step(reach[1], reach[0], points[:, 1])
        if chosen is not None:
            amount = amount * chosen
        grown = own + amount * np.maximum(wanted - own, 0)
        points[:, 0] = axis[0] + dx / np.maximum(own, 1e-6) * grown
        points[:, 2] = axis[1] + dz / np.maximum(own, 1e-6) * grown
        return sheet.moved(points)

    def anchor(self, points: Array, allowed: NDArray[np.bool_], count: int = 12) -> sparse.csr_matrix:
        """Tie points to the skin nearest to them: rows of weights over the source vertices."""
        ids = np.flatnonzero(allowed)
        far, near = cKDTree(self.points[ids]).query(points, k=count)
        weight = 1 / (far + 0.02) ** 2
        weight /= weight.sum(1, keepdims=True)
        rows = np.repeat(np.arange(len(points)), count)
        return sparse.csr_matrix((weight.ravel(), (rows, ids[near].ravel())), shape=(len(points), len(self.points)))


def _hanging_radius(
    body: Array, axis: tuple[float, float], cling: float, stiff: float
) -> Callable[[Array, Array], Array]:
    angles, step = 72, 0.01
    top, bottom = body[:, 1].max(), body[:, 1].min() - 0.1
    rows = int((top - bottom) / step) + 1
    dx, dz = body[:, 0] - axis[0], body[:, 2] - axis[1]
    column = ((np.arctan2(dz, dx) + np.pi) / (2 * np.pi) * angles).astype(int) % angles
    row = np.clip(((top - body[:, 1]) / step).astype(int), 0, rows - 1)
    table = np.zeros((rows, angles))
    np.maximum.at(table, (row, column), np.hypot(dx, dz))
    table = ndimage.maximum_filter(table, size=(5, 5), mode=("nearest", "wrap"))
    for k in range(1, rows):
        hung = table[k - 1] - cling * step
        table[k] = np.maximum(table[k], hung)
    table = ndimage.gaussian_filter(table, (2.0, 2.5), mode=("nearest", "wrap"))
    table = (1 - stiff) * table + stiff * table.mean(1, keepdims=True)

    def radius(theta: Array, y: Array) -> Array:
        at = np.stack([(top - y) / step, (theta + np.pi) / (2 * np.pi) * angles - 0.5])
        return ndimage.map_coordinates(np.hstack([table, table]), [np.clip(at[0], 0, rows - 1), at[1] % angles + 0.0],
                                       order=1, mode="nearest")  # fmt: skip

    return radius


def waves(p: Array, seed: int, size: float, stretch: tuple[float, float, float] = (1, 1, 1)) -> Array:
    """Smooth wrinkle noise in 0..1: ridged sums of sines with a wavelength near ``size`` metres [N]."""
    rng = np.random.default_rng(seed)
    q = p / np.array(stretch)
    total = np.zeros(len(p))
    for octave in range(3):
        for _ in range(3):
            direction = rng.normal(size=3)
            direction *= 2 * np.pi / (size / 1.7**octave) / np.linalg.norm(direction)
            bend = 0.35 * size * np.sin(q @ rng.normal(0, 1.2 / size, 3) * 2 + rng.uniform(0, 6))
            total += (1 - np.abs(np.sin(q @ direction / 2 + bend * 8 + rng.uniform(0, 6)))) / 1.9**octave
    return total / total.max()


def wrinkle(
    sheet: Sheet, amount: Array, seed: int, size: float, stretch: tuple[float, float, float] = (1, 1, 1)
) -> Sheet:
    """Raise folds by up to ``amount`` metres (per vertex) along the normals."""
    up = normals(sheet.points, sheet.faces)
    return sheet.moved(sheet.points + (amount * waves(sheet.points, seed, size, stretch))[:, None] * up)


def _bump(p: Array, center: float, width: float) -> Array:
    return np.exp(-(((p - center) / width) ** 2))


def _torso(tailor: Tailor) -> NDArray[np.bool_]:
    p = tailor.points[: tailor.skin]
    return (tailor.arm_weight() < 0.15) & (p[:, 1] < 0.42) & (p[:, 1] > -0.75)


def _leg(tailor: Tailor, sign: float) -> NDArray[np.bool_]:
    p = tailor.points[: tailor.skin]
    return (sign * p[:, 0] > 0.0) & (p[:, 1] < -0.03) & (p[:, 1] > -0.9) & (tailor.arm_weight() < 0.1)


def make_top(
    tailor: Tailor, neck: Keep, hem: float, sleeve: float, ease: float, cling: float, flare: float, seed: int,
    collar: list[tuple[float, float]] | None = None, cuff: list[tuple[float, float]] | None = None, folds: float = 1.0,
) -> Cloth:  # fmt: skip
    """A top that hangs from chest and back, with loose sleeves."""
    keep = top_rule(neck, hem, sleeve)
    sheet = tailor.cut(keep, ease)
    sheet = tailor.drape(
        sheet, (0.0, AXIS_Z), _torso(tailor), cling, ease, (0.36, 0.26), np.abs(sheet.points[:, 0]) < 0.235
    )
    # sleeves: wider towards short ends, narrower again at the wrists, and hanging a little below the arm
    p = sheet.points.copy()
    along = _step(0.17, 0.33, np.abs(p[:, 0])) * (1 - 1.15 * _step(0.50, 0.66, np.abs(p[:, 0])))
    axis = np.stack([np.zeros(len(p)), np.full(len(p), 0.422), np.full(len(p), 0.006)], 1)
    radial = (p - axis) * (0, 1, 1)
    p += along[:, None] * flare * radial / np.maximum(np.linalg.norm(radial, axis=1, keepdims=True), 1e-6)
    p[:, 1] -= 0.3 * flare * along
    sheet = sheet.moved(p)
    sheet = tailor.clear(sheet.moved(smooth(sheet, sheet.points, 4)), 0.55 * ease)
    p = sheet.points
    arm = _step(0.18, 0.24, np.abs(p[:, 0]))
    elbow = arm * (_bump(np.abs(p[:, 0]), 0.43, 0.07) + 0.7 * _bump(np.abs(p[:, 0]), 0.26, 0.05))
    if sleeve > 0.5:
        elbow = elbow + arm * 0.9 * _bump(np.abs(p[:, 0]), sleeve - 0.05, 0.05)
    waist = (1 - arm) * (1 - 0.65 * _step(0.0, 0.30, p[:, 1]))
    sheet = wrinkle(sheet, folds * 0.017 * waist, seed, 0.11, (1, 2.6, 1))
    sheet = wrinkle(sheet, folds * 0.014 * elbow, seed + 1, 0.06, (0.8, 1.6, 1.6))
    sheet = wrinkle(sheet, folds * 0.005 * np.ones(len(p)), seed + 2, 0.06)
    sheet = sheet.moved(smooth(sheet, sheet.points, 1))
    p = sheet.points
    at_neck = (np.abs(p[:, 0]) < 0.15) & (p[:, 1] > 0.3)
    at_cuff = np.abs(p[:, 0]) > sleeve - 0.03
    rest = ~at_neck & ~at_cuff
    size = len(p)

    def pad(mask: NDArray[np.bool_], grown: Sheet) -> NDArray[np.bool_]:
        return np.concatenate([mask, np.zeros(len(grown.points) - size, dtype=bool)])

    sheet = extend(sheet, HEM, rest)
    sheet = extend(sheet, cuff or HEM, pad(at_cuff, sheet))
    sheet = extend(sheet, collar or HEM, pad(at_neck, sheet))
    return Cloth(sheet, "garment", keep, 0.03)


def make_trousers(tailor: Tailor, low: float, high: float, ease: float, cling: float, seed: int, folds: float = 1.0,
                  stiff: float = 0.25) -> Cloth:  # fmt: skip
    """Trousers whose legs hang from buttocks and thighs."""
    keep = band_rule(low, high)
    sheet = tailor.cut(keep, ease, 10)
    for sign in (1.0, -1.0):
        chosen = sign * sheet.points[:, 0] > 0
        sheet = tailor.drape(
            sheet, (sign * LEG_X, LEG_Z), _leg(tailor, sign), cling, ease, (-0.10, -0.26), chosen, stiff
        )
    sheet = sheet.moved(smooth(sheet, sheet.points, 3))
    sheet = tailor.clear(sheet, 0.5 * ease)
    # the waist lies close, under whatever top is worn over it
    waist = _step(-0.15, -0.06, sheet.points[:, 1])[:, None]
    sheet = sheet.moved(sheet.points - waist * (ease - 0.003) * normals(sheet.points, sheet.faces))
    p = sheet.points
    y = p[:, 1]
    legs = 1 - _step(-0.2, -0.10, y)
    gathers = 0.8 * _bump(y, -0.47, 0.09) + 1.0 * _bump(y, low + 0.05, 0.06) + 0.7 * _bump(y, -0.17, 0.07) + 0.15
    sheet = wrinkle(sheet, folds * 0.016 * gathers * (0.3 + 0.7 * legs), seed, 0.075, (1.5, 0.8, 1.5))
    sheet = wrinkle(sheet, folds * 0.010 * legs, seed + 1, 0.09, (1, 4, 1))
    sheet = sheet.moved(smooth(sheet, sheet.points, 1))
    inner = sheet.points.copy()  # the legs must not pass through each other
    below = inner[:, 1] < -0.17
    side = np.sign(sheet.origin @ tailor.points[:, 0])
    inner[below, 0] = side[below] * np.maximum(side[below] * inner[below, 0], 0.004)
    return Cloth(extend(sheet.moved(inner), HEM), "garment", keep, 0.03)


def make_gown(tailor: Tailor, hem: float = -0.60, seed: int = 50) -> Cloth:
    """A hospital gown: wide short sleeves, round neck, a skirt to below the knee."""
    neck = neckline(0.442, 0.5, 0.503)
    waist = -0.04
    keep = top_rule(neck, waist, 0.37)
    sheet = tailor.cut(keep, 0.016)
    size = len(sheet.points)
    lower = (np.abs(sheet.points[:, 0]) < 0.2) & (sheet.points[:, 1] < waist + 0.04)
    rows = 24
    sheet = extend(sheet, [(0.0, (k + 1) * (waist - hem) / rows) for k in range(rows)], lower)
    skirt = np.arange(len(sheet.points)) >= size
    p = sheet.points.copy()
    rim = int(skirt.sum()) // rows
    rim_points = p[skirt].reshape(rows, rim, 3)
    first = rim_points[0] - (rim_points[1] - rim_points[0])
    levels = np.linspace(waist, hem, rows + 1)[1:]
    fall = np.repeat(first[None], rows, 0)
    fall[:, :, 1] = levels[:, None]
    p[skirt] = fall.reshape(-1, 3)
    sheet = sheet.moved(p)
    sheet = tailor.drape(sheet, (0.0, AXIS_Z), _torso(tailor), 0.02, 0.022, (0.34, 0.20), np.abs(p[:, 0]) < 0.26)
    p = sheet.points.copy()
    along = _step(0.15, 0.36, np.abs(p[:, 0])) * ~skirt
    p[:, 1] += along * 0.030 * np.sign(p[:, 1] - 0.425) * np.minimum(np.abs(p[:, 1] - 0.425) / 0.05, 1) - 0.012 * along
    p[:, 2] += along * 0.022 * np.sign(p[:, 2])
    # folds that widen towards the hem, as cloth that hangs free has
    theta = np.arctan2(p[:, 2] - AXIS_Z, p[:, 0])
    free = (1 - _step(hem, 0.12, p[:, 1])) * (np.abs(p[:, 0]) < 0.3)
    pleats = np.sin(9 * theta + 0.8 * np.sin(3 * theta) + 6 * p[:, 1]) * 0.6 + 0.4 * np.sin(17 * theta + 2)
    radial = np.stack([np.cos(theta), np.zeros(len(p)), np.sin(theta)], 1)
    p += (free * (0.014 * pleats + 0.014))[:, None] * radial
    sheet = sheet.moved(p)
    sheet = sheet.moved(smooth(sheet, sheet.points, 3))
    sheet = tailor.clear(sheet, 0.009)
    sheet = wrinkle(sheet, np.full(len(p), 0.006), seed, 0.09, (1, 2, 1))
    # the skirt follows the thighs and shins beneath it; long smoothing lets the legs share the cloth between them
    allowed = np.zeros(len(tailor.points), dtype=bool)
    allowed[: tailor.skin] = _torso(tailor)
    ties = tailor.anchor(sheet.points[skirt], allowed)
    origin = sparse.vstack([sheet.origin[: int((~skirt).sum())], ties]).tocsr()
    sheet = Sheet(sheet.points, sheet.faces, origin)
    full = top_rule(neck, hem, 0.37)
    return Cloth(extend(sheet, HEM), "garment", full, 0.035)


def make_shoes(tailor: Tailor) -> Cloth:
    """Low shoes with a flat sole 4 mm below the skin's."""
    low = float(tailor.points[: tailor.skin, 1].min())

    def keep(p: Array) -> Array:
        collar = -0.885 - 0.10 * np.clip(p[:, 2] - 0.03, -0.05, 0.05)
        return np.minimum(collar - p[:, 1], 0.3 - np.abs(p[:, 0]))

    sheet = tailor.cut(keep, 0.008, 6)
    sheet = tailor.clear(sheet, 0.005)
    p = sheet.points.copy()
    sole = p[:, 1] < low + 0.028
    # a foot stands on heel and ball; a sole is flat and its edge is upright
    p[:, 1] = np.where(sole, np.where(p[:, 1] < low + 0.014, low - 0.004, p[:, 1]), p[:, 1])
    wide = sole & (p[:, 1] > low - 0.002)
    up = normals(p, sheet.faces) * (1, 0, 1)
    p[wide] += 0.003 * up[wide]
    return Cloth(extend(sheet.moved(p), [(0.003, 0.004), (-0.003, 0.004), (-0.005, -0.015)]), "shoe", keep, 0.02)


def make_socks(tailor: Tailor, high: float = -0.74) -> Cloth:
    """Socks to the lower shin."""

    def keep(p: Array) -> Array:
        return np.minimum(high - p[:, 1], 0.3 - np.abs(p[:, 0]))

    sheet = tailor.clear(tailor.cut(keep, 0.003, 1, fine=False), 0.0025)
    return Cloth(extend(sheet, [(0.001, 0.002), (-0.0025, 0.002), (-0.003, -0.01)]), "garment", keep, 0.012)


COLLAR = [(0.0, 0.010), (0.004, 0.019), (0.009, 0.020), (0.013, 0.006), (0.015, -0.014), (0.0125, -0.014)]
RIB = [(0.004, 0.002), (0.005, 0.010), (0.0035, 0.022), (-0.002, 0.024), (-0.005, 0.012)]


def make_clothes(tailor: Tailor) -> dict[str, Cloth]:
    """Every garment of the default body by name."""
    return {
        "scrubs_top": make_top(tailor, neckline(0.392, 1.5, 0.503), -0.125, 0.345, 0.015, 0.08, 0.016, 1),
        "shirt": make_top(tailor, neckline(0.474, 0.5, 0.510), -0.12, 0.645, 0.012, 0.10, 0.008, 11, collar=COLLAR),
        "jumper": make_top(
            tailor, neckline(0.468, 0.5, 0.508), -0.10, 0.64, 0.015, 0.16, 0.008, 21, collar=RIB, cuff=RIB, folds=1.15
        ),
        "gown": make_gown(tailor),
        "loose_trousers": make_trousers(tailor, -0.905, 0.06, 0.013, 0.085, 31),
        "trousers": make_trousers(tailor, -0.90, 0.07, 0.010, 0.13, 41, 1.0, 0.1),
        "socks": make_socks(tailor),
        "shoes": make_shoes(tailor),
    }


def part_mask(name: str, cloth: Cloth, tailor: Tailor) -> Array:
    """1 on a shoe's sole, 0 elsewhere [N]."""
    low = float(tailor.points[: tailor.skin, 1].min())
    return (cloth.sheet.points[:, 1] < low + 0.012) * float(name == "shoes")


def finish(cloth: Cloth, tailor: Tailor, shapedirs: Array) -> tuple[Array, Array, Array]:
    """Positions [N, 3], shape directions [N, 3, 10] and skinning weights [N, 24] of a garment."""
    sheet = cloth.sheet
    dirs = sheet.origin @ shapedirs.reshape(len(shapedirs), -1)
    weights = sheet.origin @ tailor.weights
    rounds = 25 if cloth.kind == "garment" else 2
    dirs = smooth(sheet, dirs, 8 if cloth.kind == "garment" else 2).reshape(-1, 3, shapedirs.shape[2])
    weights = smooth(sheet, weights, rounds)
    weights[weights < 0.004] = 0
    return sheet.points, dirs, weights / weights.sum(1, keepdims=True)


def hidden_skin(cloth: Cloth, tailor: Tailor) -> NDArray[np.bool_]:
    """The skin faces that a garment hides, with a margin at its openings, bool [F]."""
    if cloth.keep is None:
        return np.zeros(len(tailor.faces), dtype=bool)
    inside = cloth.keep(tailor.points[: tailor.skin]) > cloth.margin
    return inside[tailor.faces].all(1)


__all__ = ["Cloth", "Tailor", "finish", "hidden_skin", "make_clothes", "part_mask"]
