"""Samplers: from noise to data in ``count`` calls of ``predict``, a function each.

``predict(x_t [B, ...], t) -> x_0`` hides the network, its objective and all guidance; ``x`` is the noise to start from
[B, ...] (`process.noise_like`) and gives dtype and device. Steps are spaced trailing. Coefficients are Python floats
made before the loop, so that no step waits for the device; shapes never change.

``begin`` starts in the middle: the first of the ``count`` steps is ``begin`` - 1, whose x is no pure noise but
something rough that was diffused so far (SDEdit, Meng et al. 2022). None: from the last step.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from synth.diffusion.process import Predict, noise_like
from synth.diffusion.schedule import Schedule, Variance, trailing
from synth.errors import BadOption

Guide = Callable[[Tensor, Tensor, int], Tensor]  # (x_0, x_t, t) -> a better x_0


def guided(predict: Predict, guide: Guide) -> Predict:
    """A ``predict`` whose x_0 ``guide`` corrects, for any sampler. Guides that need gradients switch them on."""
    return lambda x, t: guide(predict(x, t), x, t)


@torch.no_grad()
def ddpm(
    predict: Predict, x: Tensor, schedule: Schedule, count: int,
    generator: torch.Generator | None = None, variance: Variance = "beta_tilde", begin: int | None = None,
) -> Tensor:  # fmt: skip
    """Ancestral sampling, algorithm 2 (Ho et al. 2020), over a sub-schedule with its own betas.

    The mean is the posterior's at the predicted x_0, the same as the algorithm's in epsilon.
    """
    sub = schedule.respaced(trailing(begin or schedule.steps, count))
    deviations = np.sqrt(sub.variance(variance)).tolist()
    weights = list(zip(sub.times.tolist(), sub.posterior_x0.tolist(), sub.posterior_xt.tolist(), strict=True))
    for row in reversed(range(count)):
        t, of_x0, of_x = weights[row]
        x = of_x0 * predict(x, t) + of_x * x
        if row:  # the last step adds no noise
            x = x + deviations[row] * noise_like(x, generator)
    return x


@torch.no_grad()
def ddim(
    predict: Predict, x: Tensor, schedule: Schedule, count: int,
    generator: torch.Generator | None = None, eta: float = 0.0, begin: int | None = None,
) -> Tensor:  # fmt: skip
    """Song et al. 2021, eq. 12 and 16: deterministic at ``eta`` 0, `ddpm` with beta-tilde at 1."""
    if not 0 <= eta <= 1:
        raise BadOption("eta", eta, "0 to 1")
    sub = schedule.respaced(trailing(begin or schedule.steps, count))
    fresh = eta**2 * sub.posterior_variance
    kept = np.sqrt(np.maximum(1 - sub.alphas_bar_previous - fresh, 0) / (1 - sub.alphas_bar))
    of_x0 = np.sqrt(sub.alphas_bar_previous) - kept * np.sqrt(sub.alphas_bar)
    rows = zip(*(table.tolist() for table in (sub.times, of_x0, kept, np.sqrt(fresh))), strict=True)
    for t, first, second, deviation in reversed(list(rows)):
        x = first * predict(x, t) + second * x
        if deviation:
            x = x + deviation * noise_like(x, generator)
    return x


@torch.no_grad()
def dpmpp_2m(
    predict: Predict, x: Tensor, schedule: Schedule, count: int, generator: torch.Generator | None = None,
    begin: int | None = None,
) -> Tensor:  # fmt: skip
    """DPM-Solver++(2M), Lu et al. 2022, algorithm 2; its last step, to no noise at all, is the predicted x_0.

    Deterministic: ``generator`` is there to make the samplers interchangeable.
    """
    sub = schedule.respaced(trailing(begin or schedule.steps, count))
    signal, sigma = np.sqrt(sub.alphas_bar), np.sqrt(1 - sub.alphas_bar)
    jumps = np.append(np.inf, np.diff(np.log(sigma / signal)))  # h, in log signal-to-noise, of the step to row - 1
    last = x
    for row in reversed(range(count)):
        x0 = predict(x, int(sub.times[row]))
        if row == 0:
            return x0
        ahead = 0.0 if row == count - 1 else float(jumps[row] / jumps[row + 1] / 2)
        blend = x0 if not ahead else (1 + ahead) * x0 - ahead * last
        x = float(sigma[row - 1] / sigma[row]) * x + float(-np.expm1(-jumps[row]) * signal[row - 1]) * blend
        last = x0
    return x


SAMPLERS: dict[str, Callable[..., Tensor]] = {"ddpm": ddpm, "ddim": ddim, "dpmpp_2m": dpmpp_2m}
