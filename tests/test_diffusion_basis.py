"""The frame that the denoiser works in: what it says of noise is so, and an untrained network says just that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from synth.corpus.shards import Corpus
from synth.diffusion.basis import Basis
from synth.diffusion.checkpoint import Model, load_model, save_model
from synth.diffusion.config import read_train_config
from synth.diffusion.data import Batch, Batches
from synth.diffusion.denoiser import Denoiser, DenoiserConfig
from synth.diffusion.features import FEATURES, Moments
from synth.diffusion.process import diffuse
from synth.diffusion.quick import quick
from synth.diffusion.schedule import cosine
from synth.diffusion.state import optimisers_of

SCHEDULE = cosine(1000)
STEPS = torch.tensor([0, 100, 500, 900, 999])


@pytest.fixture(scope="module")
def batch(few_motions: Corpus) -> Batch:
    return Batches(few_motions, batch=5, frames=48, people=2, seed=1).at(0)


def measured(batch: Batch, count: int, patch: int = 4) -> Basis:
    basis = Basis(patch, count, SCHEDULE.steps)
    basis.measure([batch], SCHEDULE)
    return basis


def patches(batch: Batch, patch: int = 4) -> torch.Tensor:
    return batch.x.unflatten(2, (-1, patch)).flatten(3)


def test_the_estimate_is_the_best_linear_one(batch: Batch) -> None:
    """Equal to Sigma's formula, a Sigma (a^2 Sigma + s^2)^-1 x, and as wrong as it says."""
    basis = measured(batch, 4 * FEATURES).double()
    there = (batch.condition.present[:, :, None] & batch.condition.frames[:, None]).unflatten(2, (-1, 4)).all(-1)
    clean = patches(batch).double()
    some = clean[there].numpy()
    sigma = some.T @ some / len(some)
    noise = torch.randn(clean.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    start, unknown = batch.condition.start, torch.zeros(5, 2, dtype=torch.bool)
    for t in (50, 500, 950):
        a, bar = SCHEDULE.alphas_bar[t] ** 0.5, SCHEDULE.alphas_bar[t]
        x = a * clean + (1 - bar) ** 0.5 * noise
        unit, estimate, error = basis.split(x, torch.full((5,), t), start, unknown)
        best = a * sigma @ np.linalg.solve(bar * sigma + (1 - bar) * np.eye(len(sigma)), x.numpy()[..., None])
        np.testing.assert_allclose(basis.join(estimate).numpy(), best[..., 0], atol=2e-3)
        assert unit[there].square().mean() == pytest.approx(1.0, abs=0.05)
        off = (estimate - clean @ basis.vectors.T)[there]
        wide = error.expand_as(estimate)[there]
        assert (off.square().sum() / wide.square().sum()).item() == pytest.approx(1.0, abs=0.1)


def test_directions_are_orthonormal_and_fall_in_size(batch: Batch) -> None:
    basis = measured(batch, 100)
    torch.testing.assert_close(basis.vectors @ basis.vectors.T, torch.eye(100), atol=1e-5, rtol=0)
    assert (torch.diff(basis.sizes) <= 0).all()
    assert torch.equal(measured(batch, 100).vectors, basis.vectors)


@torch.no_grad()
def test_an_untrained_network_hands_on_what_is_clean_and_says_nothing_of_noise(batch: Batch) -> None:
    torch.manual_seed(0)
    net = Denoiser(DenoiserConfig(width=32, layers=2, heads=2, dropout=0.0, components=4 * FEATURES)).eval()
    assert net.basis is not None
    net.basis.measure([batch], SCHEDULE)
    noise = torch.randn_like(batch.x)
    x = diffuse(SCHEDULE, batch.x, STEPS, noise)
    condition = replace(batch.condition, start_mask=torch.zeros_like(batch.condition.start_mask))
    made = net(x, STEPS, condition)
    there = batch.condition.present[:, :, None] & batch.condition.frames[:, None]
    off = (made - batch.x).square().mean(-1)
    worse = [(off[at][there[at]].mean() ** 0.5).item() for at in range(len(STEPS))]
    assert worse == sorted(worse)
    assert worse[0] < 0.01
    assert made[-1].square().mean() < 0.01 * batch.x[-1].square().mean()


@torch.no_grad()
def test_a_known_first_frame_is_where_the_motion_begins_and_fades(batch: Batch) -> None:
    """From pure noise, untrained: the first frame is met, what comes later is told less and less."""
    net = Denoiser(DenoiserConfig(width=32, layers=2, heads=2, dropout=0.0, components=400)).eval()
    assert net.basis is not None
    net.basis.measure([batch] * 20, SCHEDULE)
    made = net(torch.randn_like(batch.x), torch.full((5,), 999), batch.condition)
    off = (made - batch.x).square().mean(-1)[batch.condition.present] ** 0.5  # [N, T]
    assert off[:, 0].mean() < 0.1 * batch.x[:, :, 0][batch.condition.present].square().mean() ** 0.5
    assert off[:, 0].mean() < off[:, 12].mean() < off[:, 36].mean()
    late = net.basis.left[:12].sum(1)
    assert (torch.diff(late) > 0).all()
    swapped = replace(batch.condition, start=batch.condition.start.flip(0))
    assert (net(batch.x, torch.full((5,), 999), swapped) - made).abs().max() > 0.1


@torch.no_grad()
def test_what_is_not_trained_keeps_its_digits(batch: Batch, few_motions: Corpus, tmp_path: Path) -> None:
    """In the file and in half precision: the process's signal a rounding away is another process."""
    config = read_train_config("smoke")
    config = replace(config, model=replace(config.model, components=60))
    net = Denoiser(config.model).eval()
    assert net.basis is not None
    net.basis.measure([batch], SCHEDULE)
    model = Model(net, config, Moments.of(few_motions), 20.0, {})
    save_model(model, tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors").denoiser.basis
    assert again is not None
    half = quick(model, "bf16").denoiser
    assert half.motion_in.weight.dtype == torch.bfloat16
    for name, value in net.basis.named_buffers():
        assert torch.equal(dict(again.named_buffers())[name], value)
        assert torch.equal(dict(half.basis.named_buffers())[name], value)
    made = half(batch.x, torch.zeros(5, dtype=torch.long), batch.condition)
    assert made.dtype == torch.float32
    expected = net(batch.x, torch.zeros(5, dtype=torch.long), batch.condition)
    torch.testing.assert_close(made, expected, atol=0.02, rtol=0)


def test_muon_moves_the_matrices_of_the_blocks_and_nothing_else() -> None:
    net = Denoiser(DenoiserConfig(width=32, layers=2, heads=2, components=60))
    adam, muon = optimisers_of(net, 1e-3, 0.01, "muon")
    names = {id(value): name for name, value in net.named_parameters()}
    inner = {names[id(value)] for group in muon.param_groups for value in group["params"]}
    outer = {names[id(value)] for group in adam.param_groups for value in group["params"]}
    assert inner | outer == set(names.values())
    assert not inner & outer
    assert all(name.startswith("blocks.") and name.endswith(".weight") for name in inner)
    assert "blocks.0.mlp.0.weight" in inner
    assert "motion_in.weight" in outer
    assert len(optimisers_of(net, 1e-3, 0.01)) == 1
