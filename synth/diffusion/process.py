"""The diffusion process on tensors: adding noise, the posterior, and what a network may be trained to predict.

Tensors are [B, ...], float32 or whatever the caller has, on any device; ``t`` is a step from 0 (an int for the whole
batch, or long [B]). Coefficients are computed in float64 and rounded once. Nothing here waits for the device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from synth.diffusion.schedule import Schedule
from synth.errors import BadOption
from synth.rotation import Array

Objective = Literal["epsilon", "x0", "v"]
Predict = Callable[[Tensor, int], Tensor]  # (x_t [B, ...], t) -> x_0 [B, ...]
Step = int | Tensor


def at(table: Array, t: Step, like: Tensor) -> Tensor:
    """Entries ``t`` of a float64 table [T], to multiply ``like`` [B, ...] with: [B, 1, ...], or a scalar for an int."""
    if not isinstance(t, Tensor):
        return torch.tensor(table[t], dtype=like.dtype)  # a scalar on the CPU goes with tensors of every device
    values = torch.tensor(table, dtype=like.dtype, device=like.device)
    return values[t.to(like.device)].reshape(-1, *[1] * (like.ndim - 1))


def noise_like(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Standard normal numbers of ``x``'s shape, drawn where the generator lives: a CPU's gives all devices the same."""
    where = x.device if generator is None else generator.device
    return torch.randn(x.shape, generator=generator, device=where, dtype=x.dtype).to(x.device)


def diffuse(schedule: Schedule, x0: Tensor, t: Step, noise: Tensor) -> Tensor:
    """x_t of x_0 and standard normal ``noise``, thesis eq. 2.7."""
    signal, sigma = _scales(schedule, t, x0)
    return signal * x0 + sigma * noise


def posterior(schedule: Schedule, x0: Tensor, x_t: Tensor, t: Step) -> tuple[Tensor, Tensor, Tensor]:
    """Mean [B, ...], variance and clipped log-variance of q(x_{t-1} | x_t, x_0): [B, 1, ...] or scalars."""
    mean = at(schedule.posterior_x0, t, x0) * x0 + at(schedule.posterior_xt, t, x0) * x_t
    return mean, at(schedule.posterior_variance, t, x0), at(schedule.log_variance("beta_tilde"), t, x0)


def to_x0(schedule: Schedule, output: Tensor, x_t: Tensor, t: Step, objective: Objective) -> Tensor:
    """x_0 that a network means whose ``output`` is an ``objective``: "epsilon", "x0" or "v" (Salimans & Ho 2022)."""
    signal, sigma = _scales(schedule, t, x_t)
    if _known(objective) == "epsilon":
        return (x_t - sigma * output) / signal
    return output if objective == "x0" else signal * x_t - sigma * output


def from_x0(schedule: Schedule, x0: Tensor, x_t: Tensor, t: Step, objective: Objective) -> Tensor:
    """The inverse of `to_x0`."""
    signal, sigma = _scales(schedule, t, x_t)
    if _known(objective) == "epsilon":
        return (x_t - signal * x0) / sigma
    return x0 if objective == "x0" else (signal * x_t - x0) / sigma


def target(schedule: Schedule, x0: Tensor, noise: Tensor, t: Step, objective: Objective) -> Tensor:
    """What the network should say at x_t = `diffuse` (x_0, noise)."""
    if _known(objective) == "epsilon":
        return noise
    signal, sigma = _scales(schedule, t, x0)
    return x0 if objective == "x0" else signal * noise - sigma * x0


def simple_weights(schedule: Schedule, objective: Objective) -> Array:
    """Weights [T] that turn a squared error of the objective into that of epsilon, L_simple's (thesis eq. 2.14).

    For x0 that is the signal-to-noise ratio, which a loss in metres leaves out (as MDM's does).
    """
    bar = schedule.alphas_bar
    return {"epsilon": np.ones_like(bar), "x0": bar / (1 - bar), "v": bar}[_known(objective)]


def item_mean(values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean of each item over what ``mask`` (bool, broadcast to ``values``) lets through: [B, ...] -> [B].

    An item without anything gives 0.
    """
    if mask is None:
        return values.flatten(1).mean(1)
    keep = mask.expand_as(values).flatten(1)
    return torch.where(keep, values.flatten(1), 0.0).sum(1) / keep.sum(1).clamp_min(1)


def simple_loss(
    network: Callable[[Tensor, Tensor], Tensor],
    schedule: Schedule,
    x0: Tensor,
    objective: Objective = "epsilon",
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Algorithm 1: L_simple of each item [B] at a random step, to be averaged and descended.

    The thesis prints sqrt(alpha_t) in the algorithm where its own eq. 2.7, used here, has sqrt(alpha-bar_t).

    Args:
        network: (x_t [B, ...], t long [B]) -> what ``objective`` says [B, ...].
        x0: data [B, ...].
        mask: bool, broadcast to ``x0``; what is not there does not count.
    """
    where = x0.device if generator is None else generator.device
    t = torch.randint(schedule.steps, (len(x0),), generator=generator, device=where).to(x0.device)
    noise = noise_like(x0, generator)
    error = network(diffuse(schedule, x0, t, noise), t) - target(schedule, x0, noise, t, objective)
    squared = item_mean(error**2, mask)
    return at(simple_weights(schedule, objective), t, squared) * squared


def _scales(schedule: Schedule, t: Step, like: Tensor) -> tuple[Tensor, Tensor]:
    """Standard deviations of signal and noise in x_t, for data of unit variance."""
    return at(np.sqrt(schedule.alphas_bar), t, like), at(np.sqrt(1 - schedule.alphas_bar), t, like)


def _known(objective: Objective) -> Objective:
    if objective not in get_args(Objective):
        raise BadOption("objective", objective, "epsilon, x0 or v")
    return objective
