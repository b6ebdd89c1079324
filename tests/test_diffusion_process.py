"""The diffusion process against published numbers, an independent library, and data whose answers are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, norm
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from synth.diffusion import bound as bounds
from synth.diffusion import process, samplers
from synth.diffusion.bound import bound
from synth.diffusion.process import Predict
from synth.diffusion.samplers import ddim, ddpm, dpmpp_2m
from synth.diffusion.schedule import Schedule, cosine, linear, trailing
from synth.errors import BadOption

SCHEDULES = {"linear": linear(1000), "cosine": cosine(1000)}
DIFFUSERS = {"linear": "linear", "cosine": "squaredcos_cap_v2"}
OBJECTIVES = ("epsilon", "x0", "v")
both = pytest.mark.parametrize("name", SCHEDULES)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


# Schedules


@pytest.mark.parametrize(
    ("name", "numbers", "log_variance"),
    [
        ("linear", (0.0777966584, 0.0100513358, 0.00305805708, 0.994104351), -9.816725),
        ("cosine", (0.492285172, 0.00314600513, 0.0043678669, 0.995356279), -10.734083),
    ],
)
def test_numbers_at_half_time(name: str, numbers: tuple[float, ...], log_variance: float) -> None:
    at = SCHEDULES[name]
    found = [table[500] for table in (at.alphas_bar, at.posterior_variance, at.posterior_x0, at.posterior_xt)]
    assert found == pytest.approx(numbers, rel=5e-9)
    assert at.log_variance("beta_tilde")[0] == pytest.approx(log_variance, abs=5e-7)
    assert at.posterior_variance[0] == 0


def test_linear_variances() -> None:
    assert SCHEDULES["linear"].posterior_variance[[487, 999]] == pytest.approx([0.00979, 0.02], abs=5e-6)
    assert SCHEDULES["linear"].betas[[0, 999]] == pytest.approx([1e-4, 0.02], rel=1e-12)


@both
def test_betas_are_those_of_diffusers(name: str) -> None:
    theirs = DDPMScheduler(beta_schedule=DIFFUSERS[name])
    assert SCHEDULES[name].betas == pytest.approx(theirs.betas.numpy(), abs=1e-7)  # theirs are float32
    assert SCHEDULES[name].alphas_bar == pytest.approx(theirs.alphas_cumprod.numpy(), abs=1e-6)


def test_fewer_steps_add_as_much_noise() -> None:
    for short in (linear(50), linear(100)):
        assert np.log(short.alphas_bar[-1]) == pytest.approx(np.log(linear(1000).alphas_bar[-1]), rel=0.2)
    assert cosine(50).alphas_bar[24] == pytest.approx(cosine(1000).alphas_bar[499], abs=1e-9)


@both
@pytest.mark.parametrize("t", [1, 2, 500, 998, 999])
def test_posterior_is_bayes_rule(name: str, t: int) -> None:
    """A product of two Gaussians in x_{t-1}: the step to x_t and what is known from x_0."""
    at = SCHEDULES[name]
    x0, x_t = normal(3, 5), normal(3, 5, seed=1)
    beta, before = at.betas[t], at.alphas_bar[t - 1]
    precision = (1 - beta) / beta + 1 / (1 - before)
    mean = (math.sqrt(1 - beta) / beta * x_t + math.sqrt(before) / (1 - before) * x0) / precision
    found, variance, log_variance = process.posterior(at, x0, x_t, torch.full((3,), t))
    torch.testing.assert_close(found, mean, rtol=1e-9, atol=1e-9)
    assert variance.flatten().tolist() == pytest.approx([1 / precision] * 3, rel=1e-9)
    assert log_variance.flatten().tolist() == pytest.approx([-math.log(precision)] * 3, rel=1e-9)


@given(st.integers(1, 400), st.data())
def test_trailing_ends_at_the_last_step(steps: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, steps))
    times = trailing(steps, count)
    assert len(times) == count
    assert times[-1] == steps - 1
    assert times[0] >= 0
    gaps = np.diff(times, prepend=-1)
    assert gaps.min() >= math.floor(steps / count)
    assert gaps.max() <= math.ceil(steps / count)


@given(st.sampled_from(list(SCHEDULES)), st.integers(1, 1000), st.integers(1, 1000))
def test_respaced_visits_the_same_noise_levels(name: str, first: int, second: int) -> None:
    few, many = sorted((first, second))
    once = SCHEDULES[name].respaced(trailing(1000, many))
    twice = once.respaced(trailing(many, few))
    for sub in (once, twice):
        assert sub.alphas_bar == pytest.approx(SCHEDULES[name].alphas_bar[sub.times], rel=1e-9)
    assert twice.times[-1] == 999


# The process


@given(
    st.sampled_from(list(SCHEDULES)), st.integers(0, 999), st.sampled_from(OBJECTIVES), st.sampled_from(OBJECTIVES),
    st.integers(0, 2**32 - 1), st.sampled_from([torch.float32, torch.float64]), st.booleans(),
)  # fmt: skip
def test_round_trips(name: str, t: int, through: str, then: str, seed: int, dtype: torch.dtype, batched: bool) -> None:
    """x0 -> epsilon, x0 or v -> x0 -> another -> x0, as exact as the smaller of signal and noise lets it be."""
    at = SCHEDULES[name]
    x0, noise = (normal(2, 3, 4, seed=seed + n).to(dtype) for n in (0, 1))
    when = torch.full((2,), t) if batched else t
    x_t = process.diffuse(at, x0, when, noise)
    scale = math.sqrt(min(at.alphas_bar[t], 1 - at.alphas_bar[t]))
    close = {"rtol": 0, "atol": 50 * torch.finfo(dtype).eps / scale}
    found = process.to_x0(at, process.target(at, x0, noise, when, through), x_t, when, through)
    torch.testing.assert_close(found, x0, **close)
    other = process.from_x0(at, found, x_t, when, then)
    assert other.dtype == dtype
    torch.testing.assert_close(process.to_x0(at, other, x_t, when, then), x0, **close)


def test_v_and_noise_are_those_of_diffusers() -> None:
    theirs = DDPMScheduler(beta_schedule="squaredcos_cap_v2")
    theirs.alphas_cumprod = torch.tensor(SCHEDULES["cosine"].alphas_bar)
    x0, noise, t = normal(4, 3, 6), normal(4, 3, 6, seed=1), torch.tensor([0, 13, 500, 999])
    at = SCHEDULES["cosine"]
    torch.testing.assert_close(process.diffuse(at, x0, t, noise), theirs.add_noise(x0, noise, t), rtol=0, atol=1e-12)
    v = process.target(at, x0, noise, t, "v")
    torch.testing.assert_close(v, theirs.get_velocity(x0, noise, t), rtol=0, atol=1e-12)


def gaussian(at: Schedule, mean: float, deviation: float) -> Callable[[Tensor, int | Tensor], Tensor]:
    """E[x_0 | x_t] of data N(mean, deviation^2)."""

    def predict(x: Tensor, t: int | Tensor) -> Tensor:
        bar = process.at(at.alphas_bar, t, x)
        gain = deviation**2 * bar.sqrt() / (bar * deviation**2 + 1 - bar)
        return mean + gain * (x - bar.sqrt() * mean)

    return predict


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_algorithm_1_on_a_gaussian(objective: str) -> None:
    """L_simple of the best network is the variance of the noise that x_t leaves open, whatever the objective."""
    at, mean, deviation = linear(100), 0.4, 0.3
    best = gaussian(at, mean, deviation)
    x0 = mean + deviation * normal(40_000, 1)

    def network(x: Tensor, t: Tensor) -> Tensor:
        return process.from_x0(at, best(x, t), x, t, objective)

    loss = process.simple_loss(network, at, x0, objective, seeded(7))
    assert loss.shape == (40_000,)
    signal = at.alphas_bar * deviation**2
    expected = (signal / (signal + 1 - at.alphas_bar)).mean()
    assert float(loss.mean()) == pytest.approx(expected, rel=0.03)
    for scale in (0.8, 1.2):
        worse = process.simple_loss(lambda x, t, by=scale: network(x, t) * by, at, x0, objective, seeded(7))
        assert worse.mean() > loss.mean() * 1.03


def test_masked_numbers_do_not_count_in_the_loss() -> None:
    x0, mask = normal(3, 2, 5, 4), torch.ones(3, 2, 5, 1, dtype=torch.bool)
    mask[0, 1], mask[1, :, 3:], mask[2] = False, False, False
    losses = []
    for garbage in (0.0, 1e6):

        def network(x: Tensor, t: Tensor, fill: float = garbage) -> Tensor:
            return torch.where(mask, x * 0.3, fill)

        losses.append(process.simple_loss(network, SCHEDULES["linear"], x0, "v", seeded(), mask))
    assert torch.equal(*losses)
    assert losses[0][2] == 0
    whole = process.simple_loss(lambda x, t: x * 0.3, SCHEDULES["linear"], x0, "v", seeded())
    assert not torch.isclose(whole[:2], losses[0][:2]).any()


# The bound

PAIRS = torch.tensor([(x, e) for x in (-1.0, 1.0) for e in (-1.0, 1.0)], dtype=torch.float64)


def exact_bound(
    monkeypatch: pytest.MonkeyPatch, at: Schedule, mean: float, deviation: float, variance: str,
    trained: Schedule | None = None,
) -> float:  # fmt: skip
    """The expected bound of the best model, without chance: x_0 and noise with a Gaussian's first two moments.

    The squared error is quadratic in both, so that its mean over these four pairs is its expectation.
    """
    monkeypatch.setattr(bounds, "noise_like", lambda x, generator: PAIRS[:, 1:])
    best = gaussian(trained or at, mean, deviation)
    return float(bound(best, at, mean + deviation * PAIRS[:, :1], variance).total.mean())


@pytest.mark.parametrize("full", [*SCHEDULES.values(), linear(50), cosine(20)])
@pytest.mark.parametrize("count", [None, 7])
def test_bound_of_a_standard_normal_is_its_entropy(
    monkeypatch: pytest.MonkeyPatch, full: Schedule, count: int | None
) -> None:
    """Then the reverse steps are Gaussians of variance beta (Ho et al. 2020, 3.2), so that nothing is lost."""
    entropy = 0.5 * math.log2(2 * math.pi * math.e)
    at = full.respaced(trailing(full.steps, count)) if count else full
    assert exact_bound(monkeypatch, at, 0.0, 1.0, "beta", full) == pytest.approx(entropy, abs=1e-9)
    assert exact_bound(monkeypatch, at, 0.0, 1.0, "beta_tilde", full) > entropy + 1e-4


@both
def test_bound_of_a_gaussian(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Closed form with the signal-to-noise ratio (Kingma et al. 2021, eq. 11-13), and by chance close to it."""
    at, mean, deviation = SCHEDULES[name], 0.3, 0.8
    snr = at.alphas_bar / (1 - at.alphas_bar)
    open_variance = deviation**2 / (1 + snr * deviation**2)  # of x_0 given x_t
    last = at.alphas_bar[-1]
    prior = 0.5 * (last * (mean**2 + deviation**2) - last - np.log1p(-last))
    first = at.posterior_variance[1]  # the clipped variance of p(x_0 | x_1)
    reconstruction = 0.5 * (np.log(2 * np.pi * first) + open_variance[0] / first)
    expected = (prior + reconstruction + 0.5 * ((snr[:-1] - snr[1:]) * open_variance[1:]).sum()) / math.log(2)
    assert exact_bound(monkeypatch, at, mean, deviation, "beta_tilde") == pytest.approx(expected, abs=1e-9)
    entropy = 0.5 * math.log2(2 * math.pi * math.e * deviation**2)
    assert entropy < exact_bound(monkeypatch, at, mean, deviation, "beta") < entropy + 0.01 < expected
    monkeypatch.undo()

    x0 = mean + deviation * normal(500, 4)
    found = bound(gaussian(at, mean, deviation), at, x0, "beta_tilde", seeded(3))
    assert found.terms.shape == (500, 1000)
    assert float(found.total.mean()) == pytest.approx(expected, abs=4 * float(found.total.std()) / math.sqrt(500))
    wrong = bound(gaussian(at, mean + 0.5, deviation), at, x0, "beta_tilde", seeded(3))
    assert wrong.total.mean() > found.total.mean() + 0.1


@both
@pytest.mark.parametrize("variance", ["beta", "beta_tilde"])
def test_terms_are_divergences(name: str, variance: str) -> None:
    """Against torch.distributions, and against eq. 2.13 in epsilon."""
    at = SCHEDULES[name]
    t = torch.tensor([0, 1, 2, 400, 998, 999])
    x0, guess, noise = normal(6, 3, 4), normal(6, 3, 4, seed=1), normal(6, 3, 4, seed=2)
    x_t = process.diffuse(at, x0, t, noise)
    true_mean, true_variance, _ = process.posterior(at, x0, x_t, t)
    mean, _, _ = process.posterior(at, guess, x_t, t)
    spread = process.at(np.exp(0.5 * at.log_variance(variance)), t, x0)
    model = Normal(mean[1:], spread[1:].expand_as(mean[1:]))
    apart = kl_divergence(Normal(true_mean[1:], true_variance[1:].sqrt().expand_as(mean[1:])), model)
    nats = torch.cat([-Normal(mean[:1], spread[:1]).log_prob(x0[:1]), apart]).flatten(1).mean(1)
    bits = bounds.term(at, x0, guess, t, variance)
    torch.testing.assert_close(bits * math.log(2), nats, rtol=1e-9, atol=1e-12)

    error = process.from_x0(at, guess, x_t, t, "epsilon") - noise
    weights = at.betas**2 / (2 * np.exp(at.log_variance(variance)) * (1 - at.betas) * (1 - at.alphas_bar))
    constants = process.at(bounds.tables(at, variance)[0], t, x0).flatten()
    by_epsilon = constants + process.at(weights, t, x0).flatten() * (error**2).flatten(1).mean(1)
    torch.testing.assert_close(bits * math.log(2), by_epsilon, rtol=1e-7, atol=1e-12)


def test_bound_counts_only_what_is_there() -> None:
    """With a mask, bits a dimension are those of the numbers that are there, alone."""
    x0 = normal(2, 3, 6, 5)
    mask = torch.zeros(2, 3, 6, 1, dtype=torch.bool)
    mask[:, :2, :4] = True
    at = linear(50)
    found = bound(lambda x, t: torch.zeros_like(x), at, torch.where(mask, x0, 99.0), mask=mask)
    alone = bound(lambda x, t: torch.zeros_like(x), at, x0[:, :2, :4])
    torch.testing.assert_close(found.total, alone.total, rtol=1e-12, atol=0)
    torch.testing.assert_close(found.total, found.prior + found.terms.sum(1))


# Samplers


def made(x: Tensor, t: int) -> Tensor:
    """Some x_0, smooth in x and different at every step and place."""
    place = torch.arange(x.numel(), dtype=x.dtype).reshape(x.shape)
    return torch.tanh(0.7 * x + math.sin(t / 83)) * torch.cos(place + t / 300)


def with_our_tables(scheduler: DDPMScheduler | DDIMScheduler, name: str) -> None:
    """float64 in place of diffusers' float32 tables (compared above), whose rounding alone is above 1e-6."""
    scheduler.alphas_cumprod = torch.tensor(SCHEDULES[name].alphas_bar)
    scheduler.one = scheduler.final_alpha_cumprod = torch.tensor(1.0, dtype=torch.float64)


@both
@pytest.mark.parametrize("variance", ["beta", "beta_tilde"])
@pytest.mark.parametrize("count", [1000, 50, 30, 1])
def test_ddpm_is_that_of_diffusers(name: str, variance: str, count: int) -> None:
    theirs = DDPMScheduler(
        beta_schedule=DIFFUSERS[name], clip_sample=False, prediction_type="sample", timestep_spacing="trailing",
        variance_type={"beta": "fixed_large", "beta_tilde": "fixed_small"}[variance],
    )  # fmt: skip
    theirs.set_timesteps(count)
    with_our_tables(theirs, name)
    x, generator = normal(2, 3, 5), seeded(1)
    for t in theirs.timesteps.tolist():
        step = theirs.step(made(x, t), t, x, generator=generator)
        x = step.prev_sample
    # theirs adds noise even in the last step unless that is at 0
    found = ddpm(made, normal(2, 3, 5), SCHEDULES[name], count, seeded(1), variance)
    torch.testing.assert_close(found, step.pred_original_sample, rtol=0, atol=1e-6)


@both
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("count", [1000, 50, 8, 1])  # divisors: with others, theirs steps to where it does not go next
def test_ddim_is_that_of_diffusers(name: str, eta: float, count: int) -> None:
    theirs = DDIMScheduler(
        beta_schedule=DIFFUSERS[name], clip_sample=False, prediction_type="sample", timestep_spacing="trailing"
    )
    theirs.set_timesteps(count)
    with_our_tables(theirs, name)
    x, generator = normal(2, 3, 5), seeded(1)
    for t in theirs.timesteps.tolist():
        x = theirs.step(made(x, t), t, x, eta=eta, generator=generator).prev_sample
    found = ddim(made, normal(2, 3, 5), SCHEDULES[name], count, seeded(1), eta)
    torch.testing.assert_close(found, x, rtol=0, atol=1e-6)


@both
@pytest.mark.parametrize("count", [100, 50, 30, 20, 10, 2, 1])
def test_dpmpp_2m_is_that_of_diffusers(name: str, count: int) -> None:
    theirs = DPMSolverMultistepScheduler(
        beta_schedule=DIFFUSERS[name], algorithm_type="dpmsolver++", solver_order=2, prediction_type="sample",
        timestep_spacing="trailing", final_sigmas_type="zero",
    )  # fmt: skip
    theirs.set_timesteps(count)
    bar = SCHEDULES[name].alphas_bar[theirs.timesteps.numpy()]
    theirs.sigmas = torch.tensor(np.append(np.sqrt((1 - bar) / bar), 0.0))
    x = normal(2, 3, 5)
    for t in theirs.timesteps.tolist():
        x = theirs.step(made(x, t), t, x).prev_sample
    found = dpmpp_2m(made, normal(2, 3, 5), SCHEDULES[name], count)
    torch.testing.assert_close(found, x, rtol=0, atol=1e-6)


@both
def test_ddpm_is_algorithm_2(name: str) -> None:
    """As printed in Ho et al. 2020, with a network that predicts epsilon."""
    at = SCHEDULES[name]
    x, generator = normal(2, 3, 5), seeded(1)
    for t in reversed(range(1000)):
        beta, bar = at.betas[t], at.alphas_bar[t]
        epsilon = process.from_x0(at, made(x, t), x, t, "epsilon")
        x = (x - beta / math.sqrt(1 - bar) * epsilon) / math.sqrt(1 - beta)
        if t:
            x = x + math.sqrt(beta) * torch.randn(x.shape, generator=generator, dtype=x.dtype)
    found = ddpm(made, normal(2, 3, 5), at, 1000, seeded(1), "beta")
    torch.testing.assert_close(found, x, rtol=0, atol=1e-9)


@pytest.mark.parametrize("count", [1000, 37, 5])
def test_ddim_with_all_noise_is_ddpm(count: int) -> None:
    one = ddim(made, normal(2, 3, 5), SCHEDULES["cosine"], count, seeded(1), eta=1.0)
    other = ddpm(made, normal(2, 3, 5), SCHEDULES["cosine"], count, seeded(1), "beta_tilde")
    torch.testing.assert_close(one, other, rtol=0, atol=1e-9)


SHARES, MEANS, DEVIATIONS = np.array([0.35, 0.65]), np.array([-1.2, 0.7]), np.array([0.15, 0.4])


def mixture(at: Schedule) -> Predict:
    """E[x_0 | x_t] of a mixture of two Gaussians, in closed form."""

    def predict(x: Tensor, t: int) -> Tensor:
        bar, points = at.alphas_bar[t], x.numpy()[:, None]
        away, spread = points - math.sqrt(bar) * MEANS, bar * DEVIATIONS**2 + 1 - bar
        score = np.log(SHARES) - 0.5 * np.log(spread) - away**2 / (2 * spread)
        share = np.exp(score - score.max(1, keepdims=True))
        share /= share.sum(1, keepdims=True)
        return torch.from_numpy((share * (MEANS + DEVIATIONS**2 * math.sqrt(bar) / spread * away)).sum(1))

    return predict


def mixture_cdf(x: np.ndarray) -> np.ndarray:
    return (SHARES * norm.cdf((np.asarray(x)[..., None] - MEANS) / DEVIATIONS)).sum(-1)


GRID = np.linspace(-6, 6, 200_001)
DRAWN, FAR = 20_000, 0.015  # 20,000 true draws are within 0.014 of the truth (KS) 999 times out of 1000


def distances(sampler: Callable[..., Tensor], at: Schedule, count: int, **options: object) -> tuple[float, float]:
    """Kolmogorov-Smirnov and Wasserstein-1 distance of samples from the mixture."""
    x, begin = normal(DRAWN, seed=1), options.get("begin")
    if begin is not None:  # draws of the mixture itself, diffused so far
        rng = np.random.default_rng(3)
        which = (rng.random(DRAWN) < SHARES[1]).astype(int)
        x = process.diffuse(at, torch.from_numpy(rng.normal(MEANS[which], DEVIATIONS[which])), int(begin) - 1, x)
    found = sampler(mixture(at), x, at, count, seeded(2), **options).numpy()
    truth = np.interp((np.arange(DRAWN) + 0.5) / DRAWN, mixture_cdf(GRID), GRID)
    return float(kstest(found, mixture_cdf).statistic), float(np.abs(np.sort(found) - truth).mean())


@both
@pytest.mark.parametrize(
    ("sampler", "count", "options"),
    [
        (ddpm, 250, {"variance": "beta"}), (ddpm, 250, {"variance": "beta_tilde"}), (ddim, 250, {}),
        (ddim, 250, {"eta": 0.5}), (ddim, 250, {"eta": 1.0}), (dpmpp_2m, 60, {}),
        (ddpm, 125, {"begin": 500}), (ddim, 125, {"begin": 500}), (dpmpp_2m, 30, {"begin": 500}),
    ],
)  # fmt: skip
def test_a_mixture_is_sampled_to_its_distribution(
    name: str, sampler: Callable[..., Tensor], count: int, options: dict[str, object]
) -> None:
    assert max(distances(sampler, SCHEDULES[name], count, **options)) < FAR


def betas_of_the_full_schedule(sub: Schedule, full: Schedule) -> Schedule:
    return replace(
        sub, posterior_variance=full.posterior_variance[sub.times], posterior_x0=full.posterior_x0[sub.times],
        posterior_xt=full.posterior_xt[sub.times],
    )  # fmt: skip


def bar_where_alpha_belongs(sub: Schedule, full: Schedule) -> Schedule:
    """As the thesis prints eq. 2.8."""
    weight = np.sqrt(sub.alphas_bar) * (1 - sub.alphas_bar_previous) / (1 - sub.alphas_bar)
    return replace(sub, posterior_xt=weight)


def variance_for_deviation(sub: Schedule, full: Schedule) -> Schedule:
    return replace(sub, posterior_variance=sub.posterior_variance**2)


def previous_of_the_full_schedule(sub: Schedule, full: Schedule) -> Schedule:
    return replace(sub, alphas_bar_previous=full.alphas_bar_previous[sub.times])


def off_by_a_step(sub: Schedule, full: Schedule) -> Schedule:
    return replace(sub, alphas_bar=np.append(full.alphas_bar[0], sub.alphas_bar[:-1]))


@both
@pytest.mark.parametrize(
    ("sampler", "count", "fault"),
    [
        (ddpm, 250, betas_of_the_full_schedule), (ddpm, 250, bar_where_alpha_belongs),
        (ddpm, 250, variance_for_deviation), (ddim, 250, previous_of_the_full_schedule), (dpmpp_2m, 60, off_by_a_step),
    ],
)  # fmt: skip
def test_usual_slips_are_found(
    monkeypatch: pytest.MonkeyPatch, name: str, sampler: Callable[..., Tensor], count: int, fault: Callable
) -> None:
    """The bounds above are such that samplers with these faults fail them."""
    right = Schedule.respaced
    monkeypatch.setattr(Schedule, "respaced", lambda self, times: fault(right(self, times), self))
    assert min(distances(sampler, SCHEDULES[name], count)) > 1.5 * FAR


@pytest.mark.parametrize("sampler", samplers.SAMPLERS.values())
def test_samplers_keep_dtype_and_repeat(sampler: Callable[..., Tensor]) -> None:
    at, start = SCHEDULES["cosine"], normal(2, 3, 5).float()
    once, again = (sampler(made, start, at, 20, seeded(4)) for _ in range(2))
    assert once.dtype == torch.float32
    assert torch.equal(once, again)
    exact = ddim(made, start.double(), at, 20) if sampler is ddim else dpmpp_2m(made, start.double(), at, 20)
    if sampler is ddpm:
        assert not torch.equal(once, sampler(made, start, at, 20, seeded(5)))
    else:
        torch.testing.assert_close(once.double(), exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sampler", samplers.SAMPLERS.values())
@pytest.mark.parametrize("generator", [None, seeded()])
def test_nothing_waits_for_the_device(sampler: Callable[..., Tensor], generator: torch.Generator | None) -> None:
    """Tensors on "meta" have no numbers: reading one, as a step that waits for a GPU does, fails."""
    on = {"device": "meta", "dtype": torch.float32}
    at, x, t = SCHEDULES["linear"], torch.empty(2, 3, 5, **on), torch.empty(2, device="meta", dtype=torch.long)
    assert sampler(lambda x, t: x * 0.5, x, at, 9, generator).shape == x.shape
    assert bound(lambda x, t: x * 0.5, linear(21), x, generator=generator).total.device.type == "meta"
    network = process.simple_loss(lambda x, t: x * t[:, None, None], at, x, "v", generator)
    assert network.device.type == "meta"
    assert process.posterior(at, x, x, t)[0].device.type == "meta"


def test_guides_see_every_step_and_move_the_result() -> None:
    seen = []

    def guide(x0: Tensor, x_t: Tensor, t: int) -> Tensor:
        seen.append(t)
        with torch.enable_grad():
            point = x0.detach().requires_grad_()
            (slope,) = torch.autograd.grad(((point - 3) ** 2).sum(), point)
        return x0 - 0.5 * slope

    for sampler in samplers.SAMPLERS.values():
        seen.clear()
        found = sampler(samplers.guided(made, guide), normal(2, 3, 5), SCHEDULES["linear"], 10, seeded())
        assert seen == trailing(1000, 10)[::-1].tolist()
        torch.testing.assert_close(found, torch.full_like(found, 3.0))


@pytest.mark.parametrize(
    ("call", "option"),
    [
        (lambda: linear(20), "steps"),
        (lambda: cosine(0), "steps"),
        (lambda: trailing(10, 11), "count"),
        (lambda: trailing(10, 0), "count"),
        (lambda: Schedule.of([0.1, 1.0]), "betas"),
        (lambda: linear(50).respaced([3, 3]), "times"),
        (lambda: linear(50).respaced([3, 50]), "times"),
        (lambda: ddpm(made, normal(1, 1), linear(50), 5, variance="sigma"), "variance"),
        (lambda: ddim(made, normal(1, 1), linear(50), 5, eta=1.5), "eta"),
        (lambda: process.target(linear(50), normal(1, 1), normal(1, 1), 3, "score"), "objective"),
    ],
)
def test_bad_options_are_named(call: Callable[[], object], option: str) -> None:
    with pytest.raises(BadOption, match=f"^{option}: found"):
        call()
