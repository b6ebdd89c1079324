"""The floor in a fixed camera's frame from people alone: who stands is upright, and about as tall as people are.

The middles of a standing person's ankles, knees, hips, shoulders and ears are on one vertical line above the floor, at
heights that are known shares of the stature. Their pictures at several places give the direction up and the camera's
height over the floor, and the focal length where it is not known (Lv, Zhao and Nevatia 2006; Krahnstoever and Mendonca
2005). Here it is done on rays, so that any lens will do, and robustly: who sits, lies, bends or is hidden does not fit.

People alone tell the tilt to some degrees at best, and nothing where they stay at one place or lie: ``tilt`` says so.
Give `up` from the room's lines (`view.up_of`) wherever there is one. The scale is the one of the stature that is
assumed: people who are 5 % taller than that make the camera hang 5 % too low.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares

from synth.camera import Camera
from synth.errors import BadOption
from synth.reconstruct.floor import Floor, NoFloor
from synth.reconstruct.view import plausible_up
from synth.rotation import Array, axis_angle_to_matrix
from synth.skeleton import COCO_KEYPOINTS

# Heights of pairs of COCO's points over the floor in shares of the stature, of people who stand and walk; measured on
# motion capture of our library. Walkers' ankles are lifted in turn.
LEVELS = {"ankle": 0.05, "knee": 0.275, "hip": 0.49, "shoulder": 0.765, "ear": 0.875}
SHARES = np.array(list(LEVELS.values()))
ANKLE, KNEE, TOP = 0, 1, slice(3, 5)
STATURE, STATURES = 1.65, 0.1  # metres, mean and standard deviation
HEIGHT, HEIGHTS = 2.4, 0.25  # metres that cameras hang over the floor, and the deviation of its logarithm
LEAN, BEND = 0.04, 0.025  # by which a level is off to the side and along the body, shares of the stature
# The same by what causes it: legs that swing; a body that leans by 3 degrees; and one that is bent. Knees and heads are
# before the ankles, to the side that somebody faces, which is not known.
FORWARD = 0.7 * np.array([0.0, 0.066, 0.021, 0.048, 0.056])
LEANS, SHORTENED, OWN = 0.05, 0.02, (0.02, 0.012)
LIMITS = 1.3, 1.0  # root mean squares of these, in deviations, up to which a pose is upright
OUTLIER = 6.0  # standard deviations of a whole pose from which it pulls the less the farther off it is
BIAS = 0.02  # shares of the stature by which standing differs from place to place
LEAST = 8  # poses with ankles and shoulders in view
PLACES = 3  # poses of a person at one place that are used
MOST = 160  # poses used
DIRECTIONS = 400  # up is first looked for on such a grid
STRANGE = 2.5  # -log of the odds of an up that is not considered, unless it is given: straight down, for most cameras
PAIRS = 300  # and from pairs of poses
STARTS = 5
DIFFERENT = np.deg2rad(12.0)  # between two directions up that are two answers
WIDE = (1.6, 1.3, 1.0, 1.0)  # times the limits, from round to round: statures are not known at first
PRIOR = 0.5  # weight of what is usual for cameras in the choice among starts
FOCALS = (0.4, 0.5, 0.65, 0.8, 1.0, 1.3)  # shares of the picture's width
USUAL, ZOOMS = 0.7, 0.5  # the usual one, and the deviation of its logarithm
UNKNOWN = 0.25  # deviation of log(focal) from which there is no answer
LOOSE = 0.10  # deviation of log(focal) and of log(height) from which they are called uncertain
TILTED = 3.0  # degrees, the same of up


@dataclass(frozen=True)
class StandingFloor(Floor):
    """A floor found from people: `Floor`, whose ``inliers`` is the share of poses (each place counts once) that stand
    on it, ``residual`` their root mean square deviation in metres, ``feet`` 0, ``sources`` "people" and maybe "up".

    Attributes:
        upright: bool [P, T], who stands on this floor in which frame. All False where ankles are hidden.
        statures: [P] metres, NaN of people who are never seen upright.
        height_deviation: one standard deviation of log(camera's height), of which statures' share is the larger.
        focal: pixels. focal_deviation: of its logarithm, 0 if it was known.
    """

    upright: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), bool))
    statures: Array = field(default_factory=lambda: np.zeros(0))
    height_deviation: float = 0.0
    focal: float = 0.0
    focal_deviation: float = 0.0


@dataclass(frozen=True)
class _Poles:
    """N poses: pixels [N, 5, 2] of the levels, which are seen [N, 5], whose [N], and their weights [N]."""

    pixels: Array
    seen: np.ndarray
    person: np.ndarray
    weight: Array

    def __getitem__(self, which: np.ndarray) -> _Poles:
        return _Poles(self.pixels[which], self.seen[which], self.person[which], self.weight[which])


def floor_from_people(
    keypoints: ArrayLike, seen: ArrayLike, camera: Camera, up: ArrayLike | None = None, up_deviation: float = 2.0,
    stature: float = STATURE, statures: float = STATURES, noise: float = 3.0, seed: int = 0,
) -> StandingFloor:  # fmt: skip
    """The floor under people seen by a camera whose lens is known.

    Args:
        keypoints: [P, T, 17, 2] pixels in COCO's order. seen: [P, T, 17] confidence, 0 where nothing is known.
        camera: of any model; its pose does not count.
        up: direction up in the camera's frame [3], if known to ``up_deviation`` degrees (`view.up_of`).
        stature, statures: metres, mean and standard deviation of people's heights.
        noise: pixels that keypoints are off.

    Raises:
        BadOption: shapes or numbers that cannot be. NoFloor: too few poses with ankles and shoulders in view, or
            nothing that most of the places where people are agree on.
    """
    return _found(keypoints, seen, camera, up, up_deviation, (stature, statures), noise, seed, (1.0,))


def focal_and_floor_from_people(
    keypoints: ArrayLike, seen: ArrayLike, camera: Camera, up: ArrayLike | None = None, up_deviation: float = 2.0,
    stature: float = STATURE, statures: float = STATURES, noise: float = 3.0, seed: int = 0,
) -> StandingFloor:  # fmt: skip
    """The same where ``camera.K``'s focal length is not known (its principal point and `dist` are taken as they are).

    People have to be seen at several distances, and ``up`` should be given: without it a long lens and a floor that is
    seen from above look much like a short lens and a floor seen along. ``focal_deviation`` says how well it is known,
    and a warning if that is badly.

    Raises:
        NoFloor: also where the focal length is not known to a quarter.
    """
    starts = tuple(share * camera.width / camera.K[0, 0] for share in FOCALS)
    return _found(keypoints, seen, camera, up, up_deviation, (stature, statures), noise, seed, starts)


def _found(
    keypoints: ArrayLike, seen: ArrayLike, camera: Camera, up: ArrayLike | None, up_deviation: float,
    sizes: tuple[float, float], noise: float, seed: int, zooms: Sequence[float],
) -> StandingFloor:  # fmt: skip
    points, confidence = _checked(keypoints, seen)
    for name, value in (
        ("up_deviation", up_deviation),
        ("stature", sizes[0]),
        ("statures", sizes[1]),
        ("noise", noise),
    ):
        if not (np.isfinite(value) and value > 0):
            raise BadOption(name, value, "a number above 0")
    known = None if up is None else np.asarray(up, dtype=float)
    if known is not None and (known.shape != (3,) or not np.linalg.norm(known) > 0 or not np.isfinite(known).all()):
        raise BadOption("up", up, "a direction [3]")
    known = None if known is None else known / np.linalg.norm(known)
    everything, at = _poles(points, confidence, camera)
    rng = np.random.default_rng(seed)
    poles = _thinned(everything, rng)
    problem = _Problem(camera.moved(np.eye(4)), sizes, noise, known, float(np.deg2rad(up_deviation)))
    starts = sorted((start for zoom in zooms for start in problem.starts(poles, zoom, rng)), key=lambda s: s[0])
    if not starts:
        raise NoFloor("floor: no direction up fits the people in view")
    answers = sorted((problem.solved(poles, start) for _, start in starts), key=lambda answer: answer.cost)
    if len(zooms) > 1 and np.isfinite(answers[0].cost):
        best = answers[0]
        answers = [problem.solved(poles, np.array([*best.normal, best.height, best.zoom]), free=True), *answers[1:]]
        share = float(np.exp(answers[0].zoom)) * camera.K[0, 0] / camera.width
        spread = answers[0].deviations()[3]
        if not (np.isfinite(answers[0].cost) and FOCALS[0] / 2 < share < 2 * FOCALS[-1] and spread < UNKNOWN):
            raise NoFloor("floor: people at so few places do not tell the focal length; give `up`, or the lens")
    return answers[0].floor(everything, at, (len(points), points.shape[1]), answers[1:])


def _checked(keypoints: ArrayLike, seen: ArrayLike) -> tuple[Array, Array]:
    points, confidence = np.asarray(keypoints, dtype=float), np.asarray(seen, dtype=float)
    if points.ndim != 4 or points.shape[2:] != (len(COCO_KEYPOINTS), 2):
        raise BadOption("keypoints", points.shape, "shape [P, T, 17, 2]")
    if confidence.shape != points.shape[:3]:
        raise BadOption("seen", confidence.shape, f"shape {points.shape[:3]}, as the keypoints")
    return points, np.where(np.isfinite(points).all(-1), confidence, 0.0)


def _poles(points: Array, confidence: Array, camera: Camera) -> tuple[_Poles, np.ndarray]:
    """All poses with ankles and shoulders or ears in view, and their person and frame [N, 2]."""
    pairs = [[COCO_KEYPOINTS.index(f"{side}_{name}") for side in ("left", "right")] for name in LEVELS]
    middles = np.nan_to_num(points)[:, :, pairs].mean(3)
    both = (confidence[:, :, pairs] > 0).all(3)
    both &= np.isfinite(camera.moved(np.eye(4)).unproject(middles)[1]).all(-1)
    whole = both[..., ANKLE] & both[..., TOP].any(-1)
    if whole.sum() < LEAST:
        raise NoFloor(f"floor: {whole.sum()} poses with ankles and shoulders in view; {LEAST} are needed")
    at = np.argwhere(whole)
    return _Poles(middles[whole], both[whole], at[:, 0], np.ones(len(at))), at


def _thinned(poles: _Poles, rng: np.random.Generator) -> _Poles:
    """A few poses of each place, which counts once: who lies in bed for an hour is one observation, as who walks by."""
    top = np.where(poles.seen[:, 4:5], poles.pixels[:, 4], poles.pixels[:, 3])
    long = np.linalg.norm(top - poles.pixels[:, 0], axis=-1)
    cell = max(4.0, float(np.median(long)) / 6)
    keys = np.concatenate([poles.pixels[:, 0], top], -1) // (cell * np.array([1, 1, 2, 2]))
    _, place = np.unique(np.concatenate([poles.person[:, None], keys], -1), axis=0, return_inverse=True)
    place = place.reshape(-1)
    order = rng.permutation(len(place))
    turn = np.zeros(len(place), int)
    for one in np.unique(place):
        mine = order[place[order] == one]
        turn[mine] = np.arange(len(mine))
    chosen = np.flatnonzero(turn < PLACES)
    if len(chosen) > MOST:
        chosen = np.sort(rng.permutation(chosen)[:MOST])
    return replace(poles[chosen], weight=1.0 / np.bincount(place[chosen])[place[chosen]])


@dataclass(frozen=True)
class _Problem:
    camera: Camera
    sizes: tuple[float, float]
    noise: float
    up: Array | None
    up_deviation: float

    def zoomed(self, zoom: float) -> Camera:
        k = self.camera.K.copy()
        k[[0, 1], [0, 1]] *= zoom
        return replace(self.camera, K=k)

    def apart(
        self, poles: _Poles, rays: Array, normal: Array, height: Array, stature: Array | float, zoom: float = 1.0
    ) -> tuple[Array, Array]:
        """How far levels are off an upright body [..., N, 5, 2], to the side and along it, in shares of the stature.

        Args:
            rays: [N, 5, 3]. normal: [..., 3]. height: [...]. stature: metres, for all or [N].

        Returns:
            That, NaN above the horizon, and what the noise of a pixel makes there [..., N, 5, 1].
        """
        size = np.broadcast_to(stature, len(rays))
        n = normal[..., None, :]
        fall = -(rays[:, ANKLE] * n).sum(-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            far = np.where(fall > 1e-3, (height[..., None] - SHARES[ANKLE] * size) / fall, np.nan)
        far = np.where(far > 0, far, np.nan)
        rise = (SHARES - SHARES[ANKLE]) * size[:, None]
        where = (far[..., None] * rays[:, ANKLE])[..., None, :] + rise[..., None] * n[..., None, :]
        distance = np.linalg.norm(where, axis=-1, keepdims=True)
        looking = where / distance
        side = np.cross(looking, n[..., None, :])
        side = side / np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-9)
        off = (rays - looking) * distance / size[:, None, None]
        both = np.stack([(off * side).sum(-1), (off * np.cross(side, looking)).sum(-1)], -1)
        pixel = self.noise / np.sqrt(2) / (self.camera.K[0, 0] * zoom) * distance / size[:, None, None]
        return both, pixel

    def off(
        self, poles: _Poles, rays: Array, normal: Array, height: Array, stature: Array | float, zoom: float = 1.0
    ) -> Array:
        """`apart` in standard deviations, each level for itself, 0 where unseen.

        The body stands where it fits best: its place is shifted by the mean.
        """
        both, pixel = self.apart(poles, rays, normal, height, stature, zoom)
        scaled = both / np.hypot(np.array([LEAN, BEND]), pixel)
        mask = poles.seen[..., None]
        mean = np.where(mask, scaled, 0).sum(-2, keepdims=True) / mask.sum(-2, keepdims=True)
        return np.where(mask, scaled - mean, 0.0)

    def whitening(self, poles: _Poles, pixel: Array, steep: Array) -> Array:
        """What makes deviations [N, 2, 5] of levels independent and of one size [N, 2, 5, 5], whatever the place.

        Args:
            pixel: [N, 5, 1] of `apart`. steep: sine of the angle [N] at which somebody is seen from above: what is
                nearer is lower in the picture by so much.

        Knees say who sits, but not how the floor lies: those of walkers are bent, all in the same way.
        """
        rise = SHARES - SHARES[ANKLE]
        level = np.outer(FORWARD, FORWARD) + LEANS**2 * np.outer(rise, rise)
        own = np.array(OWN)[:, None] ** 2 + pixel[:, None, :, 0] ** 2
        spread = own[..., None] * np.eye(len(SHARES))
        spread[:, 0] += level
        spread[:, 1] += steep[:, None, None] ** 2 * level + SHORTENED**2 * np.outer(rise, rise)
        unused = ~poles.seen
        unused[:, KNEE] = True
        spread += 1e6 * unused[:, None, :, None] * np.eye(len(SHARES))
        exact = np.linalg.inv(spread)
        total = exact.sum(-1, keepdims=True)
        exact = exact - total * np.swapaxes(total, -1, -2) / total.sum(-2, keepdims=True)
        values, vectors = np.linalg.eigh(exact)
        return np.asarray(np.sqrt(np.maximum(values, 0))[..., None] * np.swapaxes(vectors, -1, -2))

    def starts(self, poles: _Poles, zoom: float, rng: np.random.Generator) -> list[tuple[float, Array]]:
        """The likeliest (cost, [normal, log height, zoom]) among many directions up and heights."""
        rays = self.zoomed(zoom).unproject(poles.pixels)[1]
        top = np.where(poles.seen[:, 4:5], rays[:, 4], rays[:, 3])
        planes = np.cross(rays[:, 0], top)
        one, two = rng.choice(len(rays), (2, PAIRS), p=poles.weight / poles.weight.sum())
        pairs = np.cross(planes[one], planes[two])
        pairs = pairs[np.linalg.norm(pairs, axis=-1) > 1e-6]
        normals = np.concatenate([_sphere(DIRECTIONS), pairs, -pairs] if self.up is None else [self.up[None]])
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        usual = -np.log(plausible_up(normals, self.camera, self.up) + 1e-6)
        normals, usual = normals[usual < STRANGE], usual[usual < STRANGE]
        size = self.sizes[0]
        c = (np.where(poles.seen[:, 4], SHARES[4], SHARES[3]) - SHARES[0]) * size
        # Of a body along n whose ankle has the ray a and whose top the ray r: its distance t with (t a + c n) x r = 0.
        crossed = np.cross(normals[:, None], top)
        t = -c * (crossed * planes).sum(-1) / np.maximum((planes**2).sum(-1), 1e-9)
        heights = t * -(normals @ rays[:, 0].T) + SHARES[0] * size
        heights = np.where((t > 0) & (heights > 0.3) & (heights < 8), heights, np.nan)
        fine = np.isfinite(heights).sum(1) >= min(3, len(rays))
        normals, usual, heights = normals[fine], usual[fine], heights[fine]
        if not len(normals):
            return []
        found = list[tuple[float, Array]]()
        for level in np.nanquantile(heights, [0.15, 0.3, 0.5, 0.7, 0.85], axis=1):
            misfit = self._misfit(self.off(poles, rays, normals, level, size, zoom), WIDE[0]) @ poles.weight
            total = misfit / poles.weight.sum() + PRIOR * usual / max(8.0, poles.weight.sum())
            for index in np.argsort(total)[:DIRECTIONS]:
                found.append((float(total[index]), np.array([*normals[index], np.log(level[index]), np.log(zoom)])))
        chosen = list[tuple[float, Array]]()
        for item in sorted(found, key=lambda item: item[0]):
            if all(item[1][:3] @ other[:3] < np.cos(DIFFERENT) for _, other in chosen):
                chosen.append(item)
        return chosen[:STARTS]

    @staticmethod
    def _misfit(off: Array, wide: float = 1.0) -> Array:
        """0 for a perfect pose to 1 for one that does not fit [..., N]; ``wide``: times the usual limits."""
        several = np.maximum((off != 0).sum(-2), 1)
        worst = ((off**2).sum(-2) / several / (wide * np.array(LIMITS)) ** 2).max(-1)
        return np.where(np.isfinite(worst), np.clip(worst, 0, 1), 1.0)

    def solved(self, poles: _Poles, start: Array, free: bool = False) -> _Solution:
        """Least squares from a start over the poses that fit it, and again over those that fit the result.

        ``free``: over the zoom too.
        """
        people = int(poles.person.max()) + 1
        normal, height, zoom = start[:3], float(start[3]), float(start[4])
        sizes = np.zeros(people)
        jacobian, answer = np.zeros((1, 4 + people)), np.zeros(4 + people)
        for wide in WIDE:
            rays = self.zoomed(np.exp(zoom)).unproject(poles.pixels)[1]
            tall = self.sizes[0] * np.exp(sizes[poles.person])
            near = self._misfit(self.off(poles, rays, normal, np.exp(height), tall, np.exp(zoom)), wide) < 1
            if near.sum() < LEAST / 2:
                return _Solution(self, np.inf, normal, height, zoom, sizes, jacobian, near, poles)
            some = poles[near]
            _, pixel = self.apart(some, rays[near], normal, np.exp(height), tall[near], np.exp(zoom))
            white = self.whitening(some, pixel, -(rays[near, 2] @ normal))
            root = np.sqrt(some.weight)[:, None, None]
            first, second = np.linalg.svd(normal[None])[2][1:]

            def unpacked(x: Array, n: Array = normal, one: Array = first, two: Array = second) -> Array:
                return axis_angle_to_matrix(x[0] * one + x[1] * two) @ n

            def deviations(
                x: Array, some: _Poles = some, root: Array = root, white: Array = white, unpacked: Any = unpacked,
                known: Array = rays[near],
            ) -> Array:  # fmt: skip
                seen = self.zoomed(np.exp(x[3])).unproject(some.pixels)[1] if free else known
                tall = self.sizes[0] * np.exp(x[4 + some.person])
                both, _ = self.apart(some, seen, unpacked(x), np.exp(x[2]), tall, np.exp(x[3]))
                off = np.einsum("ndij,njd->ndi", white, np.where(some.seen[..., None], both, 0.0))
                # Robust by pose, since a pose is upright or not as a whole (Geman and McClure 1987).
                square = np.nan_to_num((off**2).sum((-1, -2), keepdims=True), nan=1e6)
                return np.asarray(root * np.nan_to_num(off / np.sqrt(1 + square / OUTLIER**2), nan=OUTLIER))

            def residual(x: Array, deviations: Any = deviations, unpacked: Any = unpacked, at: float = zoom) -> Array:
                return np.concatenate([deviations(x).ravel(), self._priors(unpacked(x), x, free, at)])

            def slopes(
                x: Array, some: _Poles = some, deviations: Any = deviations, unpacked: Any = unpacked, at: float = zoom
            ) -> Array:
                """By differences; all statures at once, since each moves its own person's poses only."""
                base, small = deviations(x), 1e-5
                own = np.zeros((*base.shape, len(x)))
                for column in range(4):
                    own[..., column] = (deviations(x + small * (np.arange(len(x)) == column)) - base) / small
                rows = np.arange(len(base))
                own[rows, :, :, 4 + some.person] = (deviations(x + small * (np.arange(len(x)) > 3)) - base) / small
                prior = [
                    (self._priors(unpacked(x + step), x + step, free, at) - self._priors(unpacked(x), x, free, at))
                    / small
                    for step in small * np.eye(len(x))
                ]
                return np.concatenate([own.reshape(-1, len(x)), np.stack(prior, 1)])

            x0 = np.concatenate([[0, 0, height, zoom], sizes])
            found = least_squares(residual, x0, jac=slopes, max_nfev=25, x_scale="jac")
            answer, jacobian = found.x, found.jac
            normal, height = unpacked(answer), float(np.clip(answer[2], -1.5, 2.5))
            zoom, sizes = float(answer[3]), answer[4:]
        rays = self.zoomed(np.exp(zoom)).unproject(poles.pixels)[1]
        tall = self.sizes[0] * np.exp(sizes[poles.person])
        misfit = self._misfit(self.off(poles, rays, normal, np.exp(height), tall, np.exp(zoom)))
        odds = float(plausible_up(normal[None], self.camera, self.up)[0])
        cost = float(misfit @ poles.weight + 0.5 * PRIOR * (self._priors(normal, answer, free, zoom) ** 2).sum())
        cost = np.inf if odds < np.exp(-STRANGE) else cost
        return _Solution(self, cost, normal, height, zoom, sizes, jacobian, misfit < 1, poles, free)

    def _priors(self, normal: Array, x: Array, free: bool, zoom: float) -> Array:
        """What is known beforehand, in standard deviations: heights of cameras and people, up, and the zoom."""
        found = [(x[2] - np.log(HEIGHT)) / HEIGHTS, *(x[4:] / (self.sizes[1] / self.sizes[0]))]
        usual = np.log(USUAL * self.camera.width / self.camera.K[0, 0])
        found.append((x[3] - usual) / ZOOMS if free else (x[3] - zoom) / 1e-3)
        if self.up is None:
            odds = float(plausible_up(normal[None], self.camera, None)[0])
            found.append(np.sqrt(2 * -np.log(min(1.0 - 1e-9, odds + 1e-9))))
        else:
            found += list((normal - self.up) / self.up_deviation)
        return np.array(found)


@dataclass(frozen=True)
class _Solution:
    problem: _Problem
    cost: float
    normal: Array
    height: float
    zoom: float
    sizes: Array
    jacobian: Array
    near: np.ndarray
    poles: _Poles
    free: bool = False

    @property
    def inliers(self) -> float:
        return float(self.near @ self.poles.weight / self.poles.weight.sum())

    def deviations(self) -> Array:
        """Standard deviations of up's two angles (radians), and the logarithms of height, zoom and statures."""
        return np.asarray(np.sqrt(np.diag(np.linalg.pinv(self.jacobian.T @ self.jacobian))))

    def doubt(self, others: Sequence[_Solution]) -> float:
        """Degrees by which up is uncertain since other answers explain people nearly as well."""
        square, total = 0.0, 1.0
        for other in others:
            angle = np.arccos(np.clip(self.normal @ other.normal, -1, 1))
            if np.isfinite(other.cost) and angle > DIFFERENT / 2:
                weight = min(1.0, other.inliers / max(self.inliers, 1e-6)) ** 4
                square, total = square + weight * angle**2, total + weight
        return float(np.rad2deg(np.sqrt(square / total)))

    def bias(self, rays: Array) -> float:
        """Degrees of tilt from poses that differ between places by `BIAS`, for upright poses [N, 5, 3].

        A share of the stature that is lost in one place and not in another tilts the floor the less, the farther apart
        they are in depth.
        """
        ankles = rays[:, ANKLE] * (np.exp(self.height) / np.maximum(-(rays[:, ANKLE] @ self.normal), 1e-3))[:, None]
        spread = float(np.sqrt(np.linalg.eigvalsh(np.cov(ankles.T))[1:].mean())) if len(rays) > 1 else 0.0
        return float(np.rad2deg(np.arctan2(BIAS * np.exp(self.height), spread)))

    def floor(
        self, everything: _Poles, at: np.ndarray, shape: tuple[int, int], others: Sequence[_Solution]
    ) -> StandingFloor:
        """What a user gets, with the numbers that say how far to trust it."""
        poles, problem = self.poles, self.problem
        if not np.isfinite(self.cost) or self.near.sum() < LEAST / 2:
            raise NoFloor("floor: the people in view fit no floor; does anybody stand?")
        camera, zoom = problem.zoomed(np.exp(self.zoom)), float(np.exp(self.zoom))
        rays = camera.unproject(everything.pixels)[1]
        tall = problem.sizes[0] * np.exp(self.sizes)
        off = problem.off(everything, rays, self.normal, np.exp(self.height), tall[everything.person], zoom)
        upright = np.zeros(shape, bool)
        upright[tuple(at.T)] = problem._misfit(off) < 1
        statures = np.full(shape[0], np.nan)
        statures[: len(tall)] = np.where(upright[: len(tall)].any(1), tall, np.nan)
        spread = self.deviations()
        # A direction up that is wrong by an angle moves the height by about that share.
        doubt = self.doubt(others)
        if problem.up is None:
            doubt = float(np.hypot(doubt, self.bias(rays[upright[tuple(at.T)]])))
        tilt = float(np.hypot(np.rad2deg(np.hypot(*spread[:2])), doubt))
        high = float(np.hypot(spread[2], np.deg2rad(doubt)))
        focal = float(spread[3]) if self.free else 0.0
        some = problem.off(
            poles[self.near], camera.unproject(poles[self.near].pixels)[1], self.normal, np.exp(self.height),
            tall[poles[self.near].person], zoom,
        )  # fmt: skip
        residual = problem.sizes[0] * np.hypot(LEAN, BEND) * float(np.sqrt((some**2).sum() / max(1, (some != 0).sum())))
        remarks = [f"the height has the scale of a stature of {problem.sizes[0]:g} m"]
        if self.inliers < 0.5:
            remarks.append(f"at only {self.inliers:.0%} of the places somebody stands upright")
        if tilt > TILTED:
            remarks.append(f"people are at too few places: the tilt is known to {tilt:.0f} degrees only")
        if high > LOOSE:
            remarks.append(f"the height is known to {high:.0%} only")
        if focal > LOOSE:
            remarks.append(f"people are at too few distances: the focal length is known to {focal:.0%} only")
        sources = ("people",) if problem.up is None else ("people", "up")
        return StandingFloor(
            self.normal, float(np.exp(self.height)), self.inliers, residual, tilt, 0.0, sources, tuple(remarks),
            upright, statures, high, float(camera.K[0, 0]), focal,
        )  # fmt: skip


def _sphere(count: int) -> Array:
    """Directions [count, 3] all over the sphere (Fibonacci's lattice)."""
    turn = np.pi * (1 + np.sqrt(5)) * np.arange(count)
    z = 1 - (2 * np.arange(count) + 1) / count
    flat = np.sqrt(1 - z**2)
    return np.stack([flat * np.cos(turn), flat * np.sin(turn), z], -1)
