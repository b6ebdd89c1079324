"""Small triangle-mesh builders from which all built-in furniture is made (NumPy only).

Every builder returns a :class:`Shape` in metres, z up, faces counter-clockwise seen from outside. Shapes are
immutable: ``moved``, ``turned``, ``scaled`` and ``warped`` return new ones, ``join`` glues several together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Shape:
    """Triangles: ``vertices`` float [V, 3] in metres, ``faces`` int [F, 3]."""

    vertices: Floats
    faces: Ints

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Shape:
        return Shape(self.vertices + np.array([x, y, z]), self.faces)

    def turned(self, axis: str, degrees: float) -> Shape:
        """Rotate about the ``"x"``, ``"y"`` or ``"z"`` axis through the origin."""
        return Shape(self.vertices @ turn(axis, degrees).T, self.faces)

    def scaled(self, x: float = 1.0, y: float = 1.0, z: float = 1.0) -> Shape:
        faces = self.faces[:, ::-1] if x * y * z < 0 else self.faces
        return Shape(self.vertices * np.array([x, y, z]), faces)

    def warped(self, move: Callable[[Floats], Floats]) -> Shape:
        """Replace the vertices by ``move(vertices)`` (same shape)."""
        return Shape(np.asarray(move(self.vertices), dtype=np.float64), self.faces)

    def flipped(self) -> Shape:
        return Shape(self.vertices, self.faces[:, ::-1])


def turn(axis: str, degrees: float) -> Floats:
    """Rotation matrix [3, 3] about a coordinate axis, right-handed."""
    a = np.radians(degrees)
    c, s = np.cos(a), np.sin(a)
    i = "xyz".index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    matrix = np.eye(3)
    matrix[j, j] = matrix[k, k] = c
    matrix[j, k], matrix[k, j] = -s, s
    return matrix


def join(shapes: Iterable[Shape]) -> Shape:
    """One shape with the triangles of all (vertices are not merged)."""
    items = list(shapes)
    if not items:
        return Shape(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64))
    offsets = np.cumsum([0] + [len(s.vertices) for s in items[:-1]])
    faces = [s.faces + o for s, o in zip(items, offsets, strict=True)]
    return Shape(np.concatenate([s.vertices for s in items]), np.concatenate(faces))


def weld(shape: Shape) -> Shape:
    """Merge vertices that agree to 10 micrometres and drop faces that collapse; within 10 m of the origin."""
    steps = np.round(shape.vertices * 1e5).astype(np.int64) + (1 << 20)
    # 21 bits an axis in one integer: many times faster to sort than rows
    key = (steps[:, 0] << 42) | (steps[:, 1] << 21) | steps[:, 2]
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    faces = inverse.reshape(-1)[shape.faces]
    keep = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return Shape(shape.vertices[first], faces[keep])


def grid_faces(rows: int, columns: int, wrap_rows: bool = False, wrap_columns: bool = False) -> Ints:
    """Triangles of a ``rows x columns`` vertex grid (row-major); normal = d(row) x d(column)."""
    r = np.arange(rows if wrap_rows else rows - 1)
    c = np.arange(columns if wrap_columns else columns - 1)
    i, j = (a.reshape(-1) for a in np.meshgrid(r, c, indexing="ij"))
    i2, j2 = (i + 1) % rows, (j + 1) % columns
    a, b, d, e = i * columns + j, i2 * columns + j, i2 * columns + j2, i * columns + j2
    return np.concatenate([np.stack([a, b, d], -1), np.stack([a, d, e], -1)])


def surface(points: ArrayLike, wrap_rows: bool = False, wrap_columns: bool = False) -> Shape:
    """A surface through a grid of points [R, C, 3]; normal = d(row) x d(column)."""
    grid = np.asarray(points, dtype=np.float64)
    faces = grid_faces(grid.shape[0], grid.shape[1], wrap_rows, wrap_columns)
    return Shape(grid.reshape(-1, 3), faces)


def quad(a: ArrayLike, b: ArrayLike, c: ArrayLike, d: ArrayLike) -> Shape:
    """A flat quadrilateral, counter-clockwise seen from its front."""
    return Shape(np.array([a, b, c, d], dtype=np.float64), np.array([[0, 1, 2], [0, 2, 3]]))


def _rounded_axis(half: float, bevel: float, segments: int, divisions: int) -> tuple[Floats, Floats]:
    """Angles over the bevel and centres along one axis of a rounded box, both [N]."""
    arc = np.linspace(0.0, np.pi / 4, segments + 1)
    inner = half - bevel
    flat = np.linspace(-inner, inner, divisions + 1)[1:-1]
    angles = np.concatenate([arc[::-1] * -1, np.zeros(len(flat)), arc])
    centres = np.concatenate([np.full(segments + 1, -inner), flat, np.full(segments + 1, inner)])
    return angles, centres


def box(
    size: Sequence[float],
    center: Sequence[float] = (0.0, 0.0, 0.0),
    bevel: float = 0.006,
    segments: int = 1,
    divisions: int = 1,
) -> Shape:
    """A box with rounded edges of radius ``bevel`` (0: sharp) and each flat side cut ``divisions`` times."""
    half = np.asarray(size, dtype=np.float64) / 2
    radius = float(min(bevel, half.min() * 0.999))
    if radius <= 0:
        radius, segments = 0.0, 0
    sides = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        angle_u, centre_u = _rounded_axis(half[u], radius, segments, divisions)
        angle_v, centre_v = _rounded_axis(half[v], radius, segments, divisions)
        tan_u, tan_v = np.meshgrid(np.tan(angle_u), np.tan(angle_v), indexing="ij")
        mid_u, mid_v = np.meshgrid(centre_u, centre_v, indexing="ij")
        length = np.sqrt(1 + tan_u**2 + tan_v**2)
        for sign in (1.0, -1.0):
            points = np.zeros((*tan_u.shape, 3))
            points[..., u] = mid_u + radius * tan_u / length
            points[..., v] = mid_v + radius * tan_v / length
            points[..., axis] = sign * (half[axis] - radius + radius / length)
            side = surface(points)
            sides.append(side if sign > 0 else side.flipped())
    return weld(join(sides)).moved(*center)


def cushion(
    size: Sequence[float],
    center: Sequence[float] = (0, 0, 0),
    puff: float = 0.03,
    soft: float = 0.05,
    divisions: int = 8,
) -> Shape:
    """A stuffed box: rounded by ``soft`` and swollen by ``puff`` in the middle of its two largest sides."""
    full = np.asarray(size, dtype=np.float64)
    thin = int(np.argmin(full))
    half = full / 2
    shape = box(full.tolist(), bevel=soft, segments=3, divisions=divisions)

    def swell(v: Floats) -> Floats:
        out = v.copy()
        u, w = (thin + 1) % 3, (thin + 2) % 3
        bulge = (1 - (v[:, u] / half[u]) ** 4) * (1 - (v[:, w] / half[w]) ** 4)
        out[:, thin] += np.clip(v[:, thin] / (half[thin] * 0.6), -1, 1) * puff * np.clip(bulge, 0, 1)
        return out

    return shape.warped(swell).moved(*center)


def pillow(size: Sequence[float], center: Sequence[float] = (0, 0, 0), divisions: int = 18) -> Shape:
    """A pillow: two swollen sheets that meet in a thin seam, corners drawn out; thin axis is z."""
    x, y, z = (float(s) / 2 for s in size)
    t = np.linspace(-1, 1, divisions)
    a, b = np.meshgrid(t, t, indexing="ij")
    pinch = 1 - 0.06 * (1 - a**2) * b**2
    pinch2 = 1 - 0.06 * (1 - b**2) * a**2
    height = (np.clip((1 - a**4) * (1 - b**4), 0, 1)) ** 0.5
    crease = 1 + 0.04 * np.sin(9 * a + 3 * b) * (1 - height) + 0.03 * np.cos(7 * b - 2 * a)
    top = np.stack([a * x * pinch2, b * y * pinch, z * height * crease], -1)
    low = top * np.array([1, 1, -0.75])
    return weld(join([surface(top), surface(low).flipped()])).moved(*center)


def lathe(profile: ArrayLike, segments: int = 24, squash: tuple[float, float] = (1.0, 1.0)) -> Shape:
    """Turn a profile of (radius, z) pairs, bottom to top on the outside, about the z axis; ends at radius 0 close."""
    line = np.asarray(profile, dtype=np.float64)
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    ring = np.stack([np.cos(angle) * squash[0], np.sin(angle) * squash[1]], -1)
    points = np.concatenate(
        [line[None, :, :1] * ring[:, None, :], np.broadcast_to(line[None, :, 1:], (segments, len(line), 1))], -1
    )
    return weld(surface(points, wrap_rows=True))


def cylinder(
    radius: float,
    height: float,
    center: Sequence[float] = (0, 0, 0),
    axis: str = "z",
    segments: int = 20,
    bevel: float = 0.003,
) -> Shape:
    """A closed cylinder centred at ``center`` along ``axis``, its rims rounded by ``bevel``."""
    h, b = height / 2, min(bevel, height / 3, radius / 2)
    profile = [(0, -h), (radius - b, -h), (radius, -h + b), (radius, h - b), (radius - b, h), (0, h)]
    shape = lathe(profile, segments)
    if axis == "x":
        shape = shape.turned("y", 90)
    elif axis == "y":
        shape = shape.turned("x", -90)
    return shape.moved(*center)


def sphere(radius: float, center: Sequence[float] = (0, 0, 0), segments: int = 16) -> Shape:
    angle = np.linspace(-np.pi / 2, np.pi / 2, max(5, segments // 2 + 1))
    return lathe(np.stack([np.cos(angle) * radius, np.sin(angle) * radius], -1), segments).moved(*center)


def rounded_path(points: ArrayLike, radius: float, steps: int = 5, closed: bool = False) -> Floats:
    """The polyline [N, 3] with each corner replaced by a curve that begins ``radius`` before it."""
    p = np.asarray(points, dtype=np.float64)
    n = len(p)
    out: list[Floats] = [] if closed else [p[:1]]
    for i in range(n) if closed else range(1, n - 1):
        before, here, after = p[i - 1], p[i], p[(i + 1) % n]
        to_a, to_b = before - here, after - here
        reach = min(radius, np.linalg.norm(to_a) * 0.49, np.linalg.norm(to_b) * 0.49)
        a = here + to_a / np.linalg.norm(to_a) * reach
        b = here + to_b / np.linalg.norm(to_b) * reach
        t = np.linspace(0, 1, steps + 1)[:, None]
        out.append((1 - t) ** 2 * a + 2 * t * (1 - t) * here + t**2 * b)
    if not closed:
        out.append(p[-1:])
    return np.concatenate(out)


def tube(path: ArrayLike, radius: float, segments: int = 8, closed: bool = False, flat: float = 1.0) -> Shape:
    """A pipe of ``radius`` along a polyline [N, 3]; ``flat`` scales its second cross axis; open ends are capped."""
    p = np.asarray(path, dtype=np.float64)
    ahead = np.roll(p, -1, 0) - p
    back = p - np.roll(p, 1, 0)
    if not closed:
        ahead[-1], back[0] = back[-1], ahead[0]
    unit_ahead = ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
    unit_back = back / np.linalg.norm(back, axis=1, keepdims=True)
    tangent = unit_ahead + unit_back
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    # Parallel transport: carry one normal along so that the pipe does not twist.
    seed = np.eye(3)[int(np.argmin(np.abs(tangent[0])))]
    normal = np.cross(tangent[0], seed)
    normals = np.empty_like(p)
    for i, direction in enumerate(tangent):
        normal = normal - direction * float(normal @ direction)
        normal = normal / np.linalg.norm(normal)
        normals[i] = normal
    binormals = np.cross(tangent, normals)
    miter = 1 / np.sqrt(np.clip((1 + np.sum(unit_ahead * unit_back, 1)) / 2, 0.3, 1))
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    ring = (
        np.cos(angle)[None, :, None] * normals[:, None] * miter[:, None, None]
        + np.sin(angle)[None, :, None] * binormals[:, None] * flat
    )
    points = p[:, None] + radius * ring
    # rows run along the ring and columns along the path, so that normals point outwards
    shape = surface(points.transpose(1, 0, 2), wrap_rows=True, wrap_columns=closed)
    if closed:
        return shape
    caps = []
    for end, order in ((0, -1), (len(p) - 1, 1)):
        rim = points[end][::order]
        fan = np.array([[0, i, i + 1] for i in range(1, segments - 1)])
        caps.append(Shape(rim, fan))
    return weld(join([shape, *caps]))


def torus(
    radius: float,
    thickness: float,
    center: Sequence[float] = (0, 0, 0),
    axis: str = "z",
    segments: int = 32,
    around: int = 8,
) -> Shape:
    """A ring of pipe radius ``thickness`` about ``axis``."""
    a = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    ring = tube(
        np.stack([radius * np.cos(a), radius * np.sin(a), np.zeros_like(a)], -1), thickness, around, closed=True
    )
    if axis == "x":
        ring = ring.turned("y", 90)
    elif axis == "y":
        ring = ring.turned("x", 90)
    return ring.moved(*center)


def prism(outline: ArrayLike, height: float, z: float = 0.0) -> Shape:
    """A CONVEX polygon [N, 2] (counter-clockwise) extruded upwards from ``z`` by ``height``."""
    p = np.asarray(outline, dtype=np.float64)
    n = len(p)
    low = np.concatenate([p, np.full((n, 1), z)], 1)
    high = low + np.array([0, 0, height])
    i = np.arange(n)
    j = (i + 1) % n
    walls = np.concatenate([np.stack([i, j, j + n], -1), np.stack([i, j + n, i + n], -1)])
    fan = np.array([[0, k, k + 1] for k in range(1, n - 1)])
    return Shape(np.concatenate([low, high]), np.concatenate([walls, fan + n, fan[:, ::-1]]))


def curtain(
    width: float, height: float, folds: float = 9, depth: float = 0.05, steps_z: int = 14, phase: float = 0.0
) -> Shape:
    """A hanging cloth in the x-z plane, top edge at z = 0, centred on x, with deep folds that open downwards."""
    columns = int(max(12, folds * 10))
    s = np.linspace(-0.5, 0.5, columns)[:, None]
    t = np.linspace(0, 1, steps_z)[None, :]
    wave = 2 * np.pi * folds * s + phase
    sway = 0.35 * np.sin(2 * np.pi * s * 1.7 + 2.1 * t + phase)
    amplitude = depth * (0.65 + 0.35 * t) * (0.8 + 0.25 * np.sin(5.3 * s + phase))
    y = amplitude * np.sin(wave + sway * t + 0.35 * np.sin(2 * wave))
    x = s * width + 0.25 * amplitude * np.sin(2 * wave) + 0 * t
    z = -height * t + 0 * s
    return surface(np.stack([x + 0 * y, y, z + 0 * y], -1)).flipped()


def wrinkles(x: Floats, y: Floats, scale: float = 1.0, seed: float = 0.0) -> Floats:
    """A smooth, repeatable height pattern in about [-1, 1], for cloth: a few crossing sine ridges."""
    value = np.zeros_like(np.asarray(x, dtype=np.float64))
    for i in range(5):
        angle = 0.7 + 2.399 * i + seed
        rate = scale * (3.0 + 2.3 * i)
        value = value + np.sin(rate * (np.cos(angle) * x + np.sin(angle) * y) + 1.7 * i + seed) / (1.4 + i)
    return value / 1.9


def draped(
    outline: ArrayLike, length: float, wave: float = 0.006, rows: int = 40, seed: float = 0.0, thickness: float = 0.02
) -> Shape:
    """A blanket: the cross section [N, 2] of (x, z) points swept along y over ``length``, wrinkled, with a hem."""
    line = np.asarray(outline, dtype=np.float64)
    step = np.diff(line, axis=0)
    arc = np.concatenate([[0], np.cumsum(np.linalg.norm(step, axis=1))])
    slope = np.gradient(line, axis=0)
    normal = np.stack([-slope[:, 1], slope[:, 0]], -1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    y = np.linspace(-length / 2, length / 2, rows)
    bump = wave * wrinkles(arc[None, :] * 1.6, y[:, None] * 1.6, 2.2, seed)
    hem = np.clip((length / 2 - np.abs(y)) / thickness, 0, 1) ** 0.5 * thickness
    lift = (hem[:, None] + bump)[..., None] * normal[None]
    outer = np.stack(
        [line[None, :, 0] + lift[..., 0], np.broadcast_to(y[:, None], bump.shape), line[None, :, 1] + lift[..., 1]], -1
    )
    return surface(outer).flipped()
