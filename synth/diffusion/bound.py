"""The variational bound on the negative log-likelihood of data (thesis eq. 2.11), in bits a dimension.

Motion is continuous, so p(x_0 | x_1) is a Gaussian density; the discretised likelihood of image models would count
grey levels that are not there. Bits are of the numbers as given: for features divided by their deviation s, a mean of
log2(s) over the features turns them into bits of the features themselves. A density may be above 1, so bits may be
below 0.

The mean of the reverse step and that of the posterior differ by posterior_x0 (x_0 - predicted x_0), so that every term
is a constant and a weighted squared error of x_0, both known in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from synth.diffusion.process import Predict, Step, at, diffuse, item_mean, noise_like
from synth.diffusion.schedule import Schedule, Variance
from synth.rotation import Array


@dataclass(frozen=True)
class Bound:
    """Bits a dimension of each item: ``total`` [B] = ``prior`` [B] + sum of ``terms`` [B, T], from L_0 to L_{T-1}."""

    prior: Tensor
    terms: Tensor

    @property
    def total(self) -> Tensor:
        return self.prior + self.terms.sum(1)


def tables(schedule: Schedule, variance: Variance) -> tuple[Array, Array]:
    """Constants and weights of the squared error of x_0, [T] each, of L_0 .. L_{T-1} in nats a dimension.

    L_{t-1} is the divergence of two Gaussians (eq. 2.12), L_0 a Gaussian's negative log-density.
    """
    log_variance = schedule.log_variance(variance)
    shrink = schedule.log_variance("beta_tilde") - log_variance
    constants = 0.5 * (np.exp(shrink) - 1 - shrink)
    constants[0] = 0.5 * (math.log(2 * math.pi) + log_variance[0])
    return constants, 0.5 * schedule.posterior_x0**2 / np.exp(log_variance)


def prior(schedule: Schedule, x0: Tensor, mask: Tensor | None = None) -> Tensor:
    """L_T: what is left of x_0 in x_T, the divergence of q(x_T | x_0) from N(0, I), bits a dimension [B]."""
    left = float(schedule.alphas_bar[-1])
    return (left * item_mean(x0**2, mask) - left - math.log1p(-left)) / (2 * math.log(2))


def term(
    schedule: Schedule, x0: Tensor, predicted: Tensor, t: Step, variance: Variance, mask: Tensor | None = None
) -> Tensor:
    """L_t of each item, bits a dimension [B], where the model at x_t predicts ``predicted`` for ``x0`` [B, ...]."""
    error = item_mean((x0 - predicted) ** 2, mask)
    constants, weights = (at(table, t, error) for table in tables(schedule, variance))
    return (constants + weights * error) / math.log(2)


@torch.no_grad()
def bound(
    predict: Predict,
    schedule: Schedule,
    x0: Tensor,
    variance: Variance = "beta_tilde",
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Bound:
    """All terms, each at one random x_t an item: unbiased, and exact for the model that samples this ``schedule``.

    Respaced, it is the bound of the sampler over those steps, at their cost.

    Args:
        predict: (x_t [B, ...], t) -> x_0 [B, ...].
        x0: data [B, ...].
        mask: bool, broadcast to ``x0``: bits are over the dimensions that it lets through.
    """
    terms = []
    for row, t in enumerate(schedule.times.tolist()):
        predicted = predict(diffuse(schedule, x0, row, noise_like(x0, generator)), t)
        terms.append(term(schedule, x0, predicted, row, variance, mask))
    return Bound(prior(schedule, x0, mask), torch.stack(terms, 1))
