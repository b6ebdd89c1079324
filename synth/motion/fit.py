"""The one trajectory optimiser: motions of people that satisfy a set of terms.

Scripted care, fitting a library motion to other bodies and furniture, retargeting and reconstruction are different
sets of terms (`synth.motion.terms`, or any object with a `residual`) over this solver.

The unknowns are corrections to an initial motion: an axis-angle increment a joint and frame, R = R0 exp(d), and a shift
of the root. A correction is believed to be small and smooth in time: a Gaussian process with standard deviation
`Prior.rotation` / `Prior.translation` and a Matern 5/2 kernel of length `Prior.seconds`. The solver works on the
whitened process (d = sigma L z, L the Cholesky factor of the kernel), where the prior is 0.5 |z|^2: a step moves whole
stretches of the motion and L-BFGS needs tens of evaluations where raw angles need thousands; detail of the initial
motion finer than the kernel is kept. The answer is the mode of the posterior: smooth unless a term insists.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from synth.errors import BadOption
from synth.motion.kinematics import JOINTS, exp_map, forward_kinematics

# Correlation time of the evidence: a term held for this long counts once, whatever the frame rate.
EVIDENCE_SECONDS = 0.1


@dataclass(frozen=True)
class State:
    """What a term may look at. P people, T frames, world frame, metres, radians."""

    fps: float
    rotmats: Tensor  # [P, T, 24, 3, 3] local
    transl: Tensor  # [P, T, 3]
    joints: Tensor  # [P, T, 24, 3]
    spun: Tensor  # [P, T, 24, 3, 3] global rotations

    def places(self, mix: Tensor) -> Tensor:
        """World positions (or directions) [N, T, 3] of what is fixed to joints; mix as `mix_of` gives it."""
        return (mix @ self._frames[: mix.shape[1]].flatten(1)).unflatten(1, (-1, 3))

    def heights(self, mix: Tensor) -> Tensor:
        """z alone [N, T] of the same, a third of the work."""
        return mix @ self._frames[: mix.shape[1], :, 2]

    @cached_property
    def _frames(self) -> Tensor:
        """Axes and origin of every joint's frame [P * 24 * 4, T, 3]."""
        frames = torch.cat((self.spun, self.joints[..., None]), -1)
        return frames.permute(0, 2, 4, 1, 3).flatten(0, 2)


def mix_of(person: Tensor, joint: Tensor, offset: Tensor, share: Tensor, place: float = 1.0) -> Tensor:
    """What is fixed to joints as a matrix [N, people * 24 * 4] over the axes and origins of their frames.

    Linear blend skinning is linear in the joints' frames: all points of a term are one matrix product, and z alone a
    smaller one, where to select and to turn point by point costs ten times as much.

    Args:
        person: [N]. joint: [N, M]. offset: [N, M, 3] in each joint's own frame. share: [N, M] weights.
        place: 1 for points, 0 for directions.
    """
    columns = (int(person.max()) + 1) * JOINTS if len(person) else 0
    mix = torch.zeros(len(person), columns, 4)
    parts = torch.cat((offset, torch.full_like(share, place)[..., None]), -1) * share[..., None]
    at = (torch.arange(len(person))[:, None].expand_as(joint), person[:, None] * JOINTS + joint)
    return mix.index_put_(at, parts, accumulate=True).flatten(1)


class Term(Protocol):
    """A piece of evidence. `residual` returns any shape, in standard deviations, so cost = 0.5 * sum(residual ** 2)."""

    @property
    def name(self) -> str: ...

    def residual(self, state: State) -> Tensor: ...


@dataclass(frozen=True)
class Prior:
    """How far and how fast a correction is believed to go: standard deviations a joint, and its time constant."""

    rotation: float = 0.5  # radians
    translation: float = 0.25  # metres
    seconds: float = 0.4
    joints: dict[int, float] = field(default_factory=dict)  # factor on `rotation` for single joints; 0 holds them still


@dataclass(frozen=True)
class Problem:
    """People, their initial motion and the terms it shall satisfy.

    Args:
        rest_joints: [P, 24, 3] rest positions J(betas), metres.
        transl: [P, T, 3] as in SMPL.
        rotmats: [P, T, 24, 3, 3] local rotations, root first.
        fps: frames a second.
        terms: the evidence.
        prior: belief about the corrections.
        still: [P] people whose motion is given and shall not change.
    """

    rest_joints: Tensor
    transl: Tensor
    rotmats: Tensor
    fps: float
    terms: Sequence[Term]
    prior: Prior = Prior()
    still: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        people, frames = self.transl.shape[0], self.transl.shape[1]
        wanted = {
            "rest_joints": (self.rest_joints, (people, JOINTS, 3)),
            "transl": (self.transl, (people, frames, 3)),
            "rotmats": (self.rotmats, (people, frames, JOINTS, 3, 3)),
        }
        for name, (value, shape) in wanted.items():
            if tuple(value.shape) != shape:
                raise BadOption(f"Problem.{name}", tuple(value.shape), f"shape {shape}")
            if not bool(torch.isfinite(value).all()):
                raise BadOption(f"Problem.{name}", "NaN or infinity", "finite numbers")
        if not self.fps > 0:
            raise BadOption("Problem.fps", self.fps, "a positive number")

    @property
    def frame_weight(self) -> float:
        """The cost of one frame's evidence, so that answers do not depend on the frame rate."""
        return 1.0 / (self.fps * EVIDENCE_SECONDS)


@dataclass(frozen=True)
class Report:
    """How a fit went: evaluations, cost at start and end, root mean square residual (in sigmas) a term."""

    evaluations: int
    initial_cost: float
    cost: float
    rms: dict[str, float]


def matern_factor(frames: int, fps: float, seconds: float, constant: float = 0.0) -> Tensor:
    """Lower Cholesky factor [T, T] of a unit-variance kernel, float32: Matern 5/2, a share of it constant in time."""
    time = np.arange(frames) / fps
    r = np.sqrt(5.0) * np.abs(time[:, None] - time[None, :]) / seconds
    kernel = (1 - constant) * (1 + r + r * r / 3) * np.exp(-r) + constant
    return torch.from_numpy(np.linalg.cholesky(kernel + 1e-5 * np.eye(frames)).astype(np.float32))


class _Parametrisation:
    """z [P, T, 75] (whitened) to the motion."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        people, frames = problem.transl.shape[:2]
        self.shape = (people, frames, JOINTS * 3 + 3)
        # a whole motion may shift at little cost, but a hand that reaches late must not be out from the start
        self.turning = matern_factor(frames, problem.fps, problem.prior.seconds)
        self.moving = matern_factor(frames, problem.fps, problem.prior.seconds, constant=0.3)
        scale = torch.full((JOINTS + 1, 3), problem.prior.rotation)
        for joint, factor in problem.prior.joints.items():
            scale[joint] *= factor
        scale[JOINTS] = problem.prior.translation
        self.scale = scale.reshape(1, 1, -1).repeat(people, 1, 1)
        for person, held in enumerate(problem.still):
            if held:
                self.scale[person] = 0.0

    def motion(self, z: Tensor) -> tuple[Tensor, Tensor]:
        white = z.reshape(self.shape)
        turns = (self.turning @ white[..., : JOINTS * 3]) * self.scale[..., : JOINTS * 3]
        shift = (self.moving @ white[..., JOINTS * 3 :]) * self.scale[..., JOINTS * 3 :]
        return self.problem.transl + shift, self.problem.rotmats @ exp_map(turns.unflatten(-1, (JOINTS, 3)))

    def state(self, z: Tensor) -> State:
        transl, rotmats = self.motion(z)
        joints, spun = forward_kinematics(rotmats, self.problem.rest_joints[:, None], transl)
        return State(self.problem.fps, rotmats, transl, joints, spun)


def fit(problem: Problem, steps: int = 60, memory: int = 14, tolerance: float = 1e-4) -> tuple[Tensor, Tensor, Report]:
    """The motion that satisfies the terms best, near the initial one.

    Args:
        problem: see `Problem`.
        steps: at most this many evaluations of the terms and their gradient.
        memory: pairs that L-BFGS keeps.
        tolerance: stop when ten steps lower the cost by less than this share.

    Returns:
        transl [P, T, 3], rotmats [P, T, 24, 3, 3], report. Deterministic.
    """
    with one_thread():
        return _fit(problem, steps, memory, tolerance)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread inside: the tensors are too small to share out, and sums keep their order, hence their bytes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _fit(problem: Problem, steps: int, memory: int, tolerance: float) -> tuple[Tensor, Tensor, Report]:
    space = _Parametrisation(problem)

    def cost_of(z: Tensor) -> Tensor:
        state = space.state(z)
        total = 0.5 * (z * z).sum()
        for term in problem.terms:
            residual = term.residual(state)
            total = total + 0.5 * problem.frame_weight * (residual * residual).sum()
        return total

    start = torch.zeros(int(np.prod(space.shape)))
    z, costs = lbfgs(cost_of, start, steps, memory, tolerance)
    with torch.no_grad():
        state = space.state(z)
        rms = {}
        for term in problem.terms:
            residual = term.residual(state)
            rms[term.name] = float((residual * residual).mean().sqrt()) if residual.numel() else 0.0
    return state.transl, orthonormal(state.rotmats), Report(len(costs), costs[0], min(costs), rms)


def orthonormal(rotmats: Tensor) -> Tensor:
    """Remove the float error of products: Gram-Schmidt on the columns."""
    first = torch.nn.functional.normalize(rotmats[..., :, 0], dim=-1)
    second = rotmats[..., :, 1] - (first * rotmats[..., :, 1]).sum(-1, keepdim=True) * first
    second = torch.nn.functional.normalize(second, dim=-1)
    return torch.stack((first, second, torch.linalg.cross(first, second)), -1)


def lbfgs(
    cost_of: Callable[[Tensor], Tensor], start: Tensor, steps: int, memory: int = 14, tolerance: float = 1e-4
) -> tuple[Tensor, list[float]]:
    """Limited-memory BFGS with backtracking (Nocedal and Wright, algorithms 7.4, 7.5). All costs too."""

    def evaluate(z: Tensor) -> tuple[float, Tensor]:
        z = z.detach().requires_grad_(True)
        cost = cost_of(z)
        (gradient,) = torch.autograd.grad(cost, z)
        return float(cost.detach()), gradient

    z = start.clone()
    cost, gradient = evaluate(z)
    costs = [cost]
    pairs: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=memory)
    while len(costs) < steps:
        direction = -_two_loops(gradient, pairs)
        slope = float(gradient @ direction)
        if slope >= 0:  # rounding has spoilt the curvature pairs: start over from the gradient
            pairs.clear()
            direction, slope = -gradient, -float(gradient @ gradient)
        if slope == 0:
            break
        length = 1.0 if pairs else min(1.0, 1.0 / float(gradient.abs().sum().clamp_min(1e-12)) * 10.0)
        accepted = False
        while len(costs) < steps:
            trial = z + length * direction
            new_cost, new_gradient = evaluate(trial)
            costs.append(new_cost)
            if np.isfinite(new_cost) and new_cost <= cost + 1e-4 * length * slope:
                accepted = True
                break
            # minimum of the parabola through the two costs and the slope, kept inside sensible bounds
            curve = new_cost - cost - length * slope
            best = -0.5 * slope * length * length / curve if np.isfinite(curve) and curve > 0 else 0.5 * length
            length = float(np.clip(best, 0.1 * length, 0.5 * length))
        if not accepted:
            break
        step, change = trial - z, new_gradient - gradient
        curvature = float(step @ change)
        if curvature > 1e-10 * float(change @ change):
            pairs.append((step, change, curvature))
        z, cost, gradient = trial, new_cost, new_gradient
        if len(costs) > 12 and costs[-11] - cost < tolerance * abs(cost):
            break
    return z, costs


def _two_loops(gradient: Tensor, pairs: deque[tuple[Tensor, Tensor, float]]) -> Tensor:
    direction = gradient.clone()
    shares = []
    for step, change, curvature in reversed(pairs):
        share = float(step @ direction) / curvature
        shares.append(share)
        direction -= share * change
    if pairs:
        _, change, curvature = pairs[-1]
        direction *= curvature / float(change @ change)
    for (step, change, curvature), share in zip(pairs, reversed(shares), strict=True):
        direction += (share - float(change @ direction) / curvature) * step
    return direction
