"""Which floor do poses stand on? Least squares over people who may be upright, on rays of a fixed camera.

A pose is five levels of the body, seen along five rays. Of an upright one they are on a vertical line above the floor,
at heights that are known shares of the stature. `Problem.starts` looks on a grid for directions up and heights at which
most poses are upright, and `Problem.solved` refines one over the poses that are.

Everything is in the camera's frame (x right, y down, z forward), metres and radians. Deviations from upright are in
shares of the stature. The noise of levels was measured on motion capture of our library.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

from synth.camera import Camera
from synth.reconstruct.poles import ANKLE, EAR, HIP, KNEE, SHARES, SHOULDER, Poles
from synth.reconstruct.view import plausible_up
from synth.rotation import Array, axis_angle_to_matrix

RISE = SHARES - SHARES[ANKLE]
FEWEST = 4  # upright poses from which there is an answer
HEIGHT, HEIGHTS = 2.4, 0.25  # metres that cameras hang over the floor, and the deviation of its logarithm
LOWEST, HIGHEST = 0.3, 8.0  # metres, of heights that one pose may start from
BOUNDS = 0.22, 12.2  # metres, of heights that are found
LEAN, BEND = 0.04, 0.025  # by which a level is off to the side and along the body, shares of the stature
# The same by what causes it: legs that swing; a body that leans by 3 degrees; and one that is bent. Knees and heads are
# before the ankles, to the side that somebody faces, which is not known.
FORWARD = 0.7 * np.array([0.0, 0.066, 0.021, 0.048, 0.056])
LEANS, SHORTENED, OWN = 0.05, 0.02, (0.02, 0.012)
LIMITS = 1.3, 1.0  # root mean squares of these, in deviations, up to which a pose is upright
OUTLIER = 6.0  # standard deviations of a whole pose from which it pulls the less the farther off it is
DIRECTIONS = 400  # up is first looked for on such a grid
PAIRS = 300  # and from pairs of poses
STRANGE = 2.5  # -log of the odds of an up that is not considered, unless it is given: straight down, for most cameras
STARTS = 5
DIFFERENT = np.deg2rad(12.0)  # between two directions up that are two answers
WIDE = (1.6, 1.3, 1.0, 1.0)  # times the limits, from round to round: statures are not known at first
PRIOR = 0.5  # weight of what is usual for cameras in the choice among starts
STEP = 1e-5  # of differences


@dataclass(frozen=True)
class Stand:
    """A camera over a floor, and how tall people are.

    Attributes:
        normal: [..., 3] up, of length 1. height: [...] metres of the camera over the floor. statures: [P] metres.
    """

    normal: Array
    height: Array
    statures: Array


@dataclass(frozen=True)
class Problem:
    """What is known beforehand.

    Attributes:
        camera: its lens. noise: pixels that keypoints are off.
        stature, deviation: metres, mean and standard deviation of the statures of ``people``.
        up: [3] if known, to ``up_deviation`` radians.
    """

    camera: Camera
    noise: float
    stature: float
    deviation: float
    people: int
    up: Array | None
    up_deviation: float

    def odds(self, normals: Array) -> Array:
        """Of directions [N, 3] to be up [N], at most 1."""
        return plausible_up(normals, self.camera, self.up)

    def apart(self, poles: Poles, stand: Stand) -> tuple[Array, Array]:
        """How far levels are off an upright body [..., N, 5, 2], to the side and along it, in shares of the stature.

        Returns:
            That, NaN above the horizon, and what the noise of a pixel makes there [..., N, 5, 1].
        """
        rays, size = poles.rays, stand.statures[poles.person]
        normal = stand.normal[..., None, :]
        fall = -(rays[:, ANKLE] * normal).sum(-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            far = np.where(fall > 1e-3, (stand.height[..., None] - SHARES[ANKLE] * size) / fall, np.nan)
        far = np.where(far > 0, far, np.nan)
        rise = RISE * size[:, None]
        where = (far[..., None] * rays[:, ANKLE])[..., None, :] + rise[..., None] * normal[..., None, :]
        distance = np.linalg.norm(where, axis=-1, keepdims=True)
        looking = where / distance
        side = np.cross(looking, normal[..., None, :])
        side = side / np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-9)
        distance = distance / size[:, None, None]
        off = (rays - looking) * distance
        both = np.stack([(off * side).sum(-1), (off * np.cross(side, looking)).sum(-1)], -1)
        return both, self.noise / np.sqrt(2) / self.camera.K[0, 0] * distance

    def off(self, poles: Poles, stand: Stand) -> Array:
        """`apart` in standard deviations [..., N, 5, 2], each level for itself, 0 where unseen.

        The body stands where it fits best: its place is shifted by the mean.
        """
        both, pixel = self.apart(poles, stand)
        scaled = both / np.hypot(np.array([LEAN, BEND]), pixel)
        mask = poles.seen[..., None]
        mean = np.where(mask, scaled, 0).sum(-2, keepdims=True) / mask.sum(-2, keepdims=True)
        return np.where(mask, scaled - mean, 0.0)

    def misfit(self, poles: Poles, stand: Stand, wide: float = 1.0) -> Array:
        """0 for a perfect pose to 1 for one that is not upright [..., N]; ``wide``: times the usual limits."""
        off = self.off(poles, stand)
        several = np.maximum((off != 0).sum(-2), 1)
        worst = ((off**2).sum(-2) / several / (wide * np.array(LIMITS)) ** 2).max(-1)
        return np.where(np.isfinite(worst), np.clip(worst, 0, 1), 1.0)

    def priors(self, stand: Stand) -> Array:
        """How unusual are heights of cameras and people, and up, in standard deviations [1 + P + 1 or 3]."""
        height = np.log(stand.height / HEIGHT) / HEIGHTS
        sizes = np.log(stand.statures / self.stature) / (self.deviation / self.stature)
        if self.up is not None:
            return np.array([height, *sizes, *(stand.normal - self.up) / self.up_deviation])
        odds = float(self.odds(stand.normal[None])[0])
        return np.array([height, *sizes, np.sqrt(2 * -np.log(min(1.0 - 1e-9, odds + 1e-9)))])

    def starts(self, poles: Poles, rng: np.random.Generator) -> list[Stand]:
        """The likeliest among many directions up and heights, the best first."""
        ankle, top = poles.rays[:, ANKLE], poles.top(poles.rays)
        planes = np.cross(ankle, top)
        normals = self._directions(planes, poles.weight, rng)
        usual = -np.log(self.odds(normals) + 1e-6)
        normals, usual = normals[usual < STRANGE], usual[usual < STRANGE]
        # Of a body along n whose ankle has the ray a and whose top the ray r: its distance t with (t a + c n) x r = 0.
        c = np.where(poles.seen[:, EAR], RISE[EAR], RISE[SHOULDER]) * self.stature
        crossed = np.cross(normals[:, None], top)
        t = -c * (crossed * planes).sum(-1) / np.maximum((planes**2).sum(-1), 1e-9)
        heights = t * -(normals @ ankle.T) + SHARES[ANKLE] * self.stature
        heights = np.where((t > 0) & (heights > LOWEST) & (heights < HIGHEST), heights, np.nan)
        fine = np.isfinite(heights).sum(1) >= min(3, len(ankle))
        normals, usual, heights = normals[fine], usual[fine], heights[fine]
        if not len(normals):
            return []
        statures, total = np.full(self.people, self.stature), poles.weight.sum()
        found = list[tuple[float, Array, Array]]()
        for level in np.nanquantile(heights, [0.15, 0.3, 0.5, 0.7, 0.85], axis=1):
            misfit = self.misfit(poles, Stand(normals, level, statures), WIDE[0]) @ poles.weight
            cost = misfit / total + PRIOR * usual / max(8.0, total)
            found += [(float(cost[n]), normals[n], level[n]) for n in np.argsort(cost)[:DIRECTIONS]]
        chosen = list[Stand]()
        for _, normal, height in sorted(found, key=lambda item: item[0]):
            if all(normal @ other.normal < np.cos(DIFFERENT) for other in chosen):
                chosen.append(Stand(normal, height, statures))
        return chosen[:STARTS]

    def _directions(self, planes: Array, weight: Array, rng: np.random.Generator) -> Array:
        """Where up may be [N, 3]: as it is known, or on a grid and where planes through two poses meet."""
        one, two = rng.choice(len(planes), (2, PAIRS), p=weight / weight.sum())
        if self.up is not None:
            return self.up[None]
        pairs = np.cross(planes[one], planes[two])
        pairs = pairs[np.linalg.norm(pairs, axis=-1) > 1e-6]
        normals = np.concatenate([_sphere(DIRECTIONS), pairs, -pairs])
        return normals / np.linalg.norm(normals, axis=-1, keepdims=True)

    def solved(self, poles: Poles, stand: Stand) -> Solution:
        """Least squares from a start over the poses that fit it, and again over those that fit the result."""
        for wide in WIDE:
            near = self.misfit(poles, stand, wide) < 1
            if near.sum() < FEWEST:
                return Solution(stand, np.inf, near, poles, np.full((3 + self.people,) * 2, np.nan))
            fit = _Fit.about(self, poles[near], stand)
            found = least_squares(fit.residual, fit.start(stand), jac=fit.slopes, max_nfev=25, x_scale="jac")
            stand = fit.stand(found.x)
            stand = replace(stand, height=np.clip(stand.height, *BOUNDS))
        spread = np.linalg.pinv(found.jac.T @ found.jac)
        misfit = self.misfit(poles, stand)
        cost = float(misfit @ poles.weight + 0.5 * PRIOR * (self.priors(stand) ** 2).sum())
        strange = float(self.odds(stand.normal[None])[0]) < np.exp(-STRANGE)
        return Solution(stand, np.inf if strange else cost, misfit < 1, poles, spread)


@dataclass(frozen=True)
class _Fit:
    """Least squares over N poses that count as upright.

    Its unknowns x [3 + P] are two turns of up, and the logarithms of the height and of statures in shares of the mean.

    Attributes:
        normal: [3], which is turned about the axes ``across`` [2, 3]. white: [N, 2, 5, 5] of `_whitening`.
    """

    problem: Problem
    poles: Poles
    normal: Array
    across: Array
    white: Array

    @classmethod
    def about(cls, problem: Problem, poles: Poles, stand: Stand) -> _Fit:
        steep = -(poles.rays[:, HIP] @ stand.normal)
        white = _whitening(poles.seen, problem.apart(poles, stand)[1], steep)
        return cls(problem, poles, stand.normal, np.linalg.svd(stand.normal[None])[2][1:], white)

    def start(self, stand: Stand) -> Array:
        return np.array([0.0, 0.0, np.log(stand.height), *np.log(stand.statures / self.problem.stature)])

    def stand(self, x: Array) -> Stand:
        turn = axis_angle_to_matrix(x[:2] @ self.across)
        return Stand(turn @ self.normal, np.exp(x[2]), self.problem.stature * np.exp(x[3:]))

    def residual(self, x: Array) -> Array:
        return np.concatenate([self._poses(x).ravel(), self._priors(x)])

    def slopes(self, x: Array) -> Array:
        """Of `residual`, by differences; all statures at once, since each moves its own person's poses only."""
        steps, base, prior = STEP * np.eye(len(x)), self._poses(x), self._priors(x)
        own = np.zeros((*base.shape, len(x)))
        for column in range(3):
            own[..., column] = self._poses(x + steps[column]) - base
        own[np.arange(len(base)), :, :, 3 + self.poles.person] = self._poses(x + steps[3:].sum(0)) - base
        priors = np.stack([self._priors(x + step) - prior for step in steps], 1)
        return np.concatenate([own.reshape(-1, len(x)), priors]) / STEP

    def _poses(self, x: Array) -> Array:
        """Deviations of poses [N, 2, 5], robust by pose: it is upright or not as a whole (Geman and McClure 1987)."""
        both, _ = self.problem.apart(self.poles, self.stand(x))
        off = np.einsum("ndij,njd->ndi", self.white, np.where(self.poles.seen[..., None], both, 0.0))
        square = np.nan_to_num((off**2).sum((-1, -2), keepdims=True), nan=1e6)
        robust = np.nan_to_num(off / np.sqrt(1 + square / OUTLIER**2), nan=OUTLIER)
        return np.asarray(np.sqrt(self.poles.weight)[:, None, None] * robust)

    def _priors(self, x: Array) -> Array:
        return self.problem.priors(self.stand(x))


@dataclass(frozen=True)
class Solution:
    """An answer.

    Attributes:
        cost: infinite if it is none. near: [N] bool, which of ``poles`` are upright.
        spread: [3 + P, 3 + P] covariance of two turns of up in radians, and of the logarithms of height and statures.
    """

    stand: Stand
    cost: float
    near: np.ndarray
    poles: Poles
    spread: Array

    @property
    def inliers(self) -> float:
        """Share of poses, by their weights, that are upright."""
        return float(self.near @ self.poles.weight / self.poles.weight.sum())


def _whitening(seen: np.ndarray, pixel: Array, steep: Array) -> Array:
    """What makes deviations [N, 2, 5] of levels independent and of one size [N, 2, 5, 5], whatever the place.

    Args:
        seen: [N, 5] bool. pixel: [N, 5, 1] of `Problem.apart`. steep: sine of the angle [N] at which somebody is seen
            from above: what is nearer is lower in the picture by so much.

    Knees say who sits, but not how the floor lies: those of walkers are bent, all in the same way.
    """
    level = np.outer(FORWARD, FORWARD) + LEANS**2 * np.outer(RISE, RISE)
    own = np.array(OWN)[:, None] ** 2 + pixel[:, None, :, 0] ** 2
    spread = own[..., None] * np.eye(len(SHARES))
    spread[:, 0] += level
    spread[:, 1] += steep[:, None, None] ** 2 * level + SHORTENED**2 * np.outer(RISE, RISE)
    unused = ~seen
    unused[:, KNEE] = True
    spread += 1e6 * unused[:, None, :, None] * np.eye(len(SHARES))
    exact = np.linalg.inv(spread)
    total = exact.sum(-1, keepdims=True)
    exact = exact - total * np.swapaxes(total, -1, -2) / total.sum(-2, keepdims=True)
    values, vectors = np.linalg.eigh(exact)
    return np.asarray(np.sqrt(np.maximum(values, 0))[..., None] * np.swapaxes(vectors, -1, -2))


def _sphere(count: int) -> Array:
    """Directions [count, 3] all over the sphere (Fibonacci's lattice)."""
    turn = np.pi * (1 + np.sqrt(5)) * np.arange(count)
    z = 1 - (2 * np.arange(count) + 1) / count
    flat = np.sqrt(1 - z**2)
    return np.stack([flat * np.cos(turn), flat * np.sin(turn), z], -1)
