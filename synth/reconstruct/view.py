"""The direction up and the field of view of a fixed camera, from the straight lines of its picture.

Rooms and what stands in them are made of three directions at right angles (a Manhattan world: Coughlan and Yuille
1999). A straight line and the camera's centre span a plane; its normal n is at right angles to the line's direction d,
whatever the lens (Barnard 1983): n . d = 0. That is linear, has no points at infinity, and holds for pinhole, distorted
and fisheye cameras alike, whose pictures of lines are great circles on the sphere of rays.

Three lines make a hypothesis: two are taken for parallels, d1 = n1 x n2, the third for a line at right angles to them,
d2 = n3 x d1 (Bazin and Pollefeys 2012). What most of the lines agree with is refined by least squares. Where the focal
length is unknown, it is the one whose best three right angles explain most: the orthogonality of vanishing points
(Caprile and Torre 1990) with the principal point in the middle of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from synth.camera import Camera, pinhole_matrix
from synth.errors import BadOption
from synth.rotation import Array

SEED = 0  # of the lines drawn: the same picture gets the same answer
LINES = 200  # of a picture, the longest
LEAST = 12  # lines without which nothing is said
SHORTEST = 0.025  # of the picture's diagonal
LONGEST = 0.25  # of the diagonal, beyond which a line has no more weight
END = 0.5  # pixels that the end of a segment is off
SHRUNK = 0.8  # OpenCV looks for segments in a picture this much smaller
CROOKED = np.deg2rad(0.4)  # by which things in rooms are off their right angles
LIMIT = 3.0  # standard deviations within which a line belongs to a direction
TRIALS = 1500
WIDEST, NARROWEST, FIELDS = 120.0, 30.0, 14  # degrees from left to right that are searched
APART = 0.15  # two focal lengths that differ by more (logarithm) are two answers
ROLL, PITCH, PITCHES = 8.0, 32.0, 20.0  # degrees; how cameras hang: level from left to right, looking down
STRAIGHT = 8.0  # degrees off the vertical that cameras under a ceiling look, which have no roll
OVERHEAD = (0.05, 0.35)  # how many do: of all cameras, and of fisheyes
EXPECTED = 15.0  # degrees that an expected direction up is off
REFINED = 5  # of the focal lengths that are searched, and of rivals, the best
ROUNDS, STEPS = 4, 10  # of refinement: choices of lines, and steps of least squares after each
DIFFERENT = np.deg2rad(5.0)  # between two directions up that are two answers
CLEAR = 0.12  # of the lines, by which the best answer has to be ahead of another one
UNKNOWN = 0.3  # standard deviation of log(focal) from which there is no answer
VAGUE, LOOSE = 2.0, 0.08  # deviations of up (degrees) and of log(focal) that halve the confidence
TRUSTED = 0.5  # confidence from which an answer may be used alone


@dataclass(frozen=True)
class View:
    """What the lines of a picture say of its camera.

    Attributes:
        focal: pixels; of a known camera its own fx.
        up: unit direction up in the camera's frame [3] (OpenCV's axes: about (0, -1, 0) for a level camera).
        confidence: 0 to 1; at least ``TRUSTED`` is meant to be usable alone. It is the product of what share of the
            lines agrees, how well they fix the answer, how much better it is than the next best one, and how much
            likelier this of the three directions is up than the others.
        focal_deviation: one standard deviation of log(focal); 0 for a known camera.
        up_deviation: one standard deviation of up, degrees.
    """

    focal: float
    up: Array
    confidence: float
    focal_deviation: float
    up_deviation: float


@dataclass(frozen=True)
class _Lines:
    """N lines on the sphere of rays: normals of their planes and middles [N, 3] (unit), by what angle at the middle
    they may be off (one standard deviation, radians) and their weights [N]."""

    normals: Array
    middles: Array
    sigma: Array
    weight: Array

    def off(self, directions: Array) -> Array:
        """Angles [..., 3, N] at a line's middle to directions [..., 3 (which), 3], in standard deviations; signed."""
        along = directions @ self.normals.T
        across = np.sqrt(np.clip(1 - (directions @ self.middles.T) ** 2, 1e-9, None))
        return np.asarray(np.arcsin(np.clip(along / across, -1, 1)) / self.sigma)

    def support(self, directions: Array) -> Array:
        """Weighted share [...] of lines along one of the directions [..., 3, 3], each the less the farther off."""
        near = np.clip(1 - (self.off(directions) / LIMIT) ** 2, 0, None).max(-2)
        return np.asarray(near @ self.weight / self.weight.sum())

    def misfit(self, directions: Array) -> float:
        """How far lines are off the nearest of the directions [3, 3], as least squares counts it (Cauchy's loss).

        All lines count: two ends of least squares, each with its own lines, can be compared.
        """
        off = np.abs(self.off(directions)).min(0)
        return float(np.log1p(off**2) @ self.weight / self.weight.sum())


def segments_of(image: ArrayLike, mask: ArrayLike | None = None) -> Array:
    """Straight segments of a picture, longest first (LSD: von Gioi et al. 2010).

    Args:
        image: uint8 [H, W], or [H, W, 3] in RGB.
        mask: bool [H, W], where people are: segments whose middle is there do not count.

    Returns:
        [N, 2 (ends), 2 (x, y)] pixels (pixel centres have whole coordinates), at most ``LINES``.

    Raises:
        BadOption: another kind of array.
    """
    picture = np.asarray(image)
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,)):
        raise BadOption("image", f"{picture.dtype} {picture.shape}", "uint8 [H, W] or [H, W, 3]")
    people = None if mask is None else np.asarray(mask)
    if people is not None and (people.dtype != bool or people.shape != picture.shape[:2]):
        raise BadOption("mask", f"{people.dtype} {people.shape}", f"booleans {picture.shape[:2]}")
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.ndim == 3 else np.ascontiguousarray(picture)
    # Night pictures have edges of a few grey levels, which the detector's fixed noise level would swallow.
    grey = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(4, 4)).apply(grey)
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(grey)[0]
    ends = np.zeros((0, 2, 2)) if found is None else found.reshape(-1, 2, 2).astype(float)
    ends += 0.5 / SHRUNK - 0.5  # it scales pixels' centres back, where their edges are what scales
    length = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=-1)
    size = float(np.hypot(grey.shape[0], grey.shape[1]))
    keep = length > SHORTEST * size
    if people is not None:
        x, y = np.clip(np.rint(ends.mean(1)).astype(int), 0, np.array(grey.shape[::-1]) - 1).T
        keep &= ~people[y, x]
    order = np.argsort(-length[keep], kind="stable")[:LINES]
    return np.asarray(ends[keep][order])


def up_of(image: ArrayLike, camera: Camera, mask: ArrayLike | None = None) -> View | None:
    """The direction up in the frame of a camera whose lens is known (of any model).

    Lines alone cannot tell which of the three directions is up: the camera is taken to hang level from left to right
    and to look level or down. One under the ceiling that looks straight down along the walls is ambiguous, and its
    answer has a low confidence.

    Args:
        image: uint8 [H, W], or [H, W, 3] in RGB, of the camera's size. mask: bool [H, W], people.

    Returns:
        None where there are too few lines or no three directions.

    Raises:
        BadOption: shapes that do not fit.
    """
    ends = segments_of(image, mask)
    if np.asarray(image).shape[:2] != (camera.height, camera.width):
        raise BadOption("image", np.asarray(image).shape, f"the camera's size {camera.height} x {camera.width}")
    lines = _lines(ends, camera)
    if lines is None:
        return None
    tried, scores = _searched(lines)
    axes, _, spread = _refined(ends, camera, tried[int(scores.argmax())], False)
    return _view(ends, camera, axes, spread, tried, scores, 0.0)


def estimated_view(image: ArrayLike, mask: ArrayLike | None = None) -> View | None:
    """Focal length and up of a camera of which nothing is known, from a picture WITHOUT visible distortion.

    The pixels are taken to be square and the principal point to be in the middle. Straight things that look bent (a
    wide lens, a fisheye) must be undistorted first, or be calibrated: their focal length would come out wrong.

    Args:
        image: uint8 [H, W], or [H, W, 3] in RGB. mask: bool [H, W], people.

    Returns:
        None where the lines do not fix a focal length: too few of them, or only one direction has a vanishing point
        that is not near infinity.

    Raises:
        BadOption: shapes that do not fit.
    """
    ends = segments_of(image, mask)
    height, width = np.asarray(image).shape[:2]
    halves = np.geomspace(np.tan(np.deg2rad(WIDEST / 2)), np.tan(np.deg2rad(NARROWEST / 2)), FIELDS)
    tried = []
    for field in np.rad2deg(2 * np.arctan(halves)):
        camera = Camera("pinhole", width, height, pinhole_matrix(width, height, float(field)))
        lines = _lines(ends, camera)
        if lines is None:
            return None
        tried.append((camera, *_searched(lines)))
    tried.sort(key=lambda item: -item[2].max())
    answers = []
    for start, frames, scores in tried[:REFINED]:
        axes, camera, spread = _refined(ends, start, frames[int(scores.argmax())], True)
        lines = _lines(ends, camera)
        if lines is not None:
            answers.append((lines.misfit(axes), float(lines.support(axes)), camera, axes, spread, frames, scores))
    _, _, camera, axes, spread, frames, scores = min(answers, key=lambda item: item[0])
    others = [(score, found.K[0, 0]) for _, score, found, *_ in answers]
    others += [(float(scores.max()), found.K[0, 0]) for found, _, scores in tried]
    rival = max((score for score, focal in others if abs(np.log(focal / camera.K[0, 0])) > APART), default=0.0)
    return _view(ends, camera, axes, spread, frames, scores, rival)


def _lines(ends: Array, camera: Camera) -> _Lines | None:
    """Segments [N, 2, 2] (`segments_of`) as great circles in the camera's frame; None if they are too few."""
    side = ends[:, 1] - ends[:, 0]
    length = np.linalg.norm(side, axis=-1)
    across = np.stack([-side[:, 1], side[:, 0]], -1) / np.maximum(length, 1e-9)[:, None]
    at = np.stack([ends[:, 0], ends[:, 1], ends.mean(1), ends.mean(1) + across], 1)
    rays = camera.moved(np.eye(4)).unproject(at)[1]
    there = np.isfinite(rays).all((1, 2))
    if there.sum() < LEAST:
        return None
    start, end, middle, beside = np.moveaxis(rays[there], 1, 0)
    normal = np.cross(start, end)
    arc = np.linalg.norm(normal, axis=-1)
    normal /= arc[:, None]
    middle = middle - (middle * normal).sum(-1, keepdims=True) * normal
    middle /= np.linalg.norm(middle, axis=-1, keepdims=True)
    pixel = np.linalg.norm(beside - (beside * middle).sum(-1, keepdims=True) * middle, axis=-1)
    sigma = np.hypot(END * pixel / (arc / 2), CROOKED)
    weight = np.minimum(length[there], LONGEST * np.hypot(camera.width, camera.height))
    return _Lines(normal, middle, sigma, weight)


def _searched(lines: _Lines) -> tuple[Array, Array]:
    """Of three lines at a time, right angles [M, 3, 3] (rows), and what share [M] of the lines agrees with them."""
    share = lines.weight / lines.weight.sum()
    pick = np.random.default_rng(SEED).choice(len(share), (TRIALS, 3), p=share)
    one, two, three = np.moveaxis(lines.normals[pick], 1, 0)
    first = np.cross(one, two)
    second = np.cross(three, first)
    sizes = np.linalg.norm(first, axis=-1), np.linalg.norm(second, axis=-1)
    fine = (sizes[0] > 1e-3) & (sizes[1] > 1e-6)
    if not fine.any():
        return np.eye(3)[None], np.zeros(1)
    first, second = first[fine] / sizes[0][fine, None], second[fine] / sizes[1][fine, None]
    axes = np.stack([first, second, np.cross(first, second)], 1)
    return axes, lines.support(axes)


def _zoomed(camera: Camera, shift: float) -> Camera:
    """With another focal length, by its logarithm."""
    k = camera.K.copy()
    k[[0, 1], [0, 1]] *= np.exp(shift)
    return replace(camera, K=k)


def _refined(ends: Array, camera: Camera, axes: Array, free: bool) -> tuple[Array, Camera, Array]:
    """Least squares over the lines that agree; with ``free`` over the focal length too.

    Args:
        ends: of `segments_of`. axes: [3, 3], rows: three directions in the camera's frame.

    Returns:
        The axes, the camera, and the covariance [4, 4] of their turn (radians) and log(focal); infinite where too few
        lines agree.
    """
    size = 4 if free else 3
    spread, before = np.full((4, 4), np.inf), np.zeros(0)
    for _ in range(ROUNDS):
        lines = _lines(ends, camera)
        if lines is None:
            break
        off = np.abs(lines.off(axes))
        which = np.where(off.min(0) < LIMIT, off.argmin(0), -1)
        used = np.flatnonzero(which >= 0)
        if len(used) < 4 or np.array_equal(which, before):
            break
        before = which
        found = least_squares(
            _misfit, np.zeros(size), loss="cauchy", max_nfev=STEPS, args=(ends, camera, lines, axes, which[used], used)
        )
        axes = axes @ Rotation.from_rotvec(found.x[:3]).as_matrix().T
        if free:
            camera = _zoomed(camera, float(np.clip(found.x[3], -0.5, 0.5)))
        values, vectors = np.linalg.eigh(found.jac.T @ found.jac)
        # The lines of one thing err together: the spread is taken from the residuals, at least one deviation.
        scale = max(1.0, 2 * found.cost / max(1, len(used) - size))
        spread = np.zeros((4, 4))
        spread[:size, :size] = scale * (vectors / np.maximum(values, 1e-12)) @ vectors.T
    return axes, camera, spread


def _misfit(
    x: Array, ends: Array, camera: Camera, lines: _Lines, axes: Array, which: np.ndarray, used: np.ndarray
) -> Array:
    """How far the ``used`` lines [M] are off their directions ``which`` [M], standard deviations.

    ``x``: by what the axes are turned (rotation vector, radians) and, where it is searched, log(focal) is changed.
    """
    seen = lines if len(x) == 3 else _lines(ends, _zoomed(camera, float(x[3])))
    if seen is None:
        return np.full(len(used), LIMIT)
    off = seen.off(axes @ Rotation.from_rotvec(x[:3]).as_matrix().T)[which, used]
    # Long lines count more than short ones of the same error: they are less often there by chance.
    return np.asarray(off * np.sqrt(lines.weight / lines.weight.mean())[used])


def plausible_up(directions: Array, camera: Camera, expected: Array | None) -> Array:
    """Odds of directions [N, 3] in a camera's frame to be up [N], at most 1.

    By ``expected``, a unit direction [3], or else by how cameras hang: level from left to right, looking level or down.
    """
    if expected is not None:
        off = np.rad2deg(np.arccos(np.clip(directions @ expected, -1, 1)))
        return np.asarray(np.exp(-0.5 * (off / EXPECTED) ** 2))
    x, y, z = directions.T
    pitch = np.rad2deg(np.arcsin(np.clip(-z, -1, 1)))
    roll = np.rad2deg(np.arctan2(x, -y))
    leaning = np.exp(-0.5 * ((pitch - PITCH) / PITCHES) ** 2 - 0.5 * (roll / ROLL) ** 2)
    under = OVERHEAD[camera.model == "fisheye"]
    return np.asarray((1 - under) * leaning + under * np.exp(-0.5 * ((90 - pitch) / STRAIGHT) ** 2))


def _view(
    ends: Array, camera: Camera, axes: Array, spread: Array, tried: Array, scores: Array, rival: float
) -> View | None:
    """The answer for refined axes and their ``spread`` (`_refined`), held against what was ``tried`` (`_searched`).

    ``rival``: the support of the best answer with another focal length.
    """
    lines = _lines(ends, camera)
    if lines is None or not np.isfinite(spread).all():
        return None
    both = np.concatenate([axes, -axes])
    odds = plausible_up(both, camera, None)
    order = np.argsort(-odds)
    up = both[order[0]]
    across = np.eye(3) - np.outer(up, up)
    up_deviation = float(np.rad2deg(np.sqrt(np.trace(across @ spread[:3, :3] @ across))))
    focal_deviation = float(np.sqrt(spread[3, 3]))
    if focal_deviation > UNKNOWN:
        return None
    support = float(lines.support(axes))
    rival = max(rival, _rival(ends, camera, up, tried, scores))
    clear = np.clip((1 - rival / support) / CLEAR, 0, 1)
    decided = 1 - odds[order[1]] / max(odds[order[0]], 1e-300)
    fixed = 1 / (1 + (up_deviation / VAGUE) ** 2 + (focal_deviation / LOOSE) ** 2)
    confidence = float(support * clear * decided * fixed)
    return View(float(camera.K[0, 0]), up, confidence, focal_deviation, up_deviation)


def _rival(ends: Array, camera: Camera, up: Array, tried: Array, scores: Array) -> float:
    """The support of the best right angles without this direction up [3].

    Another answer matters where it has another up: rooms of several right angles about one vertical are common. What
    was drawn is rough: only what does not come back to this up when it is refined is another answer.
    """
    left = np.where(_has(tried, up), 0.0, scores)
    for _ in range(REFINED):
        best = tried[int(left.argmax())]
        if not left.any() or not _has(_refined(ends, camera, best, False)[0], up):
            break
        left = np.where(_has(tried, best[int(np.abs(best @ up).argmax())]), 0.0, left)
    return float(left.max())


def _has(axes: Array, direction: Array) -> np.ndarray:
    """Whether one of axes [..., 3, 3] (rows) is about this direction [3], to either side."""
    return np.asarray(np.abs(axes @ direction).max(-1) > np.cos(DIFFERENT))
