"""Noise schedules of the diffusion process in float64, and which of their steps a sampler visits.

Steps count from 0 in code and from 1 in the papers: row t of a table is the papers' t + 1, and one noise step away from
the data is row 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from synth.errors import BadOption
from synth.rotation import Array

Variance = Literal["beta", "beta_tilde"]

MOST_BETA = 0.999  # Nichol & Dhariwal 2021: keeps the cosine schedule's last steps from dividing by zero


@dataclass(frozen=True, eq=False)
class Schedule:
    """What the forward process and its posterior need, float64 [T] each, read-only; `of` makes one from the betas.

    The posterior is q(x_{t-1} | x_t, x_0) = N(posterior_x0 x_0 + posterior_xt x_t, posterior_variance), thesis
    eq. 2.8-2.9 (Ho et al. 2020, eq. 6-7).

    Attributes:
        betas: variance of the noise that each step adds.
        alphas_bar: share of the data's variance that is left after each step, the product of 1 - betas.
        alphas_bar_previous: the same before each step; 1 before the first.
        posterior_x0: weight of x_0 in the posterior's mean.
        posterior_xt: weight of x_t in it.
        posterior_variance: beta-tilde; 0 at the first step, where x_0 is known.
        times: the step of the schedule that the network was trained with, int64; other than 0..T-1 if respaced.
    """

    betas: Array
    alphas_bar: Array
    alphas_bar_previous: Array
    posterior_x0: Array
    posterior_xt: Array
    posterior_variance: Array
    times: np.ndarray

    @staticmethod
    def of(betas: ArrayLike, times: ArrayLike | None = None) -> Schedule:
        """The schedule of ``betas`` [T], each in (0, 1); BadOption if one is not."""
        beta = np.array(betas, float)
        if beta.ndim != 1 or not len(beta) or not ((beta > 0) & (beta < 1)).all():
            raise BadOption("betas", beta, "one or more numbers in (0, 1)")
        bar = np.cumprod(1 - beta)
        before = np.append(1.0, bar[:-1])
        tables = (
            beta, bar, before, np.sqrt(before) * beta / (1 - bar), np.sqrt(1 - beta) * (1 - before) / (1 - bar),
            (1 - before) / (1 - bar) * beta, np.arange(len(beta)) if times is None else np.array(times, np.int64),
        )  # fmt: skip
        for table in tables:
            table.setflags(write=False)
        return Schedule(*tables)

    @property
    def steps(self) -> int:
        """T."""
        return len(self.betas)

    def variance(self, kind: Variance) -> Array:
        """The reverse step's fixed variance [T]: "beta" is right for data that is N(0, 1), "beta_tilde" for one point.

        The two are the bounds of what it can be for data of unit variance (Ho et al. 2020, section 3.2).
        """
        if kind not in ("beta", "beta_tilde"):
            raise BadOption("variance", kind, "beta or beta_tilde")
        return self.betas if kind == "beta" else self.posterior_variance

    def log_variance(self, kind: Variance) -> Array:
        """Its logarithm [T]. Beta-tilde is 0 at the first step, which takes the second's (Nichol & Dhariwal 2021)."""
        values = self.variance(kind).copy()
        if kind == "beta_tilde":
            values[0] = values[1] if self.steps > 1 else self.betas[0]
        return np.log(values)

    def respaced(self, times: ArrayLike) -> Schedule:
        """The process that visits only rows ``times``, increasing (Nichol & Dhariwal 2021, section 4).

        Its betas are those of the jumps between visited steps: sampling over fewer steps with the betas of the full
        schedule would take away less noise than there is.
        """
        chosen = np.asarray(times)
        if chosen.ndim != 1 or not len(chosen) or (np.diff(chosen, prepend=-1) <= 0).any() or chosen[-1] >= self.steps:
            raise BadOption("times", times, f"increasing steps from 0 to {self.steps - 1}")
        bar = self.alphas_bar[chosen]
        return Schedule.of(1 - bar / np.append(1.0, bar[:-1]), self.times[chosen])


def linear(steps: int) -> Schedule:
    """Betas from 1e-4 to 0.02 for 1000 steps (Ho et al. 2020); scaled so that fewer steps add as much noise in all."""
    if steps <= 20:
        raise BadOption("steps", steps, "more than 20 for a linear schedule, whose last beta would be 1 or more")
    return Schedule.of(np.linspace(1e-4, 0.02, steps) * 1000 / steps)


def cosine(steps: int, offset: float = 0.008) -> Schedule:
    """alpha-bar as a squared cosine, thesis eq. 2.15 (Nichol & Dhariwal 2021), betas at most 0.999."""
    if steps < 1:
        raise BadOption("steps", steps, "1 or more")
    bar = np.cos((np.arange(steps + 1) / steps + offset) / (1 + offset) * np.pi / 2) ** 2
    return Schedule.of(np.minimum(1 - bar[1:] / bar[:-1], MOST_BETA))


def trailing(steps: int, count: int) -> np.ndarray:
    """``count`` steps out of ``steps``, evenly spaced back from the last, increasing, int64.

    The last step has to be among them: sampling starts from pure noise, which no other step expects (Lin et al. 2024,
    "Common diffusion noise schedules and sample steps are flawed", table 2).
    """
    if not 1 <= count <= steps:
        raise BadOption("count", count, f"1 to {steps}, the steps of the schedule")
    return np.round(steps - np.arange(count) * (steps / count)).astype(np.int64)[::-1] - 1
