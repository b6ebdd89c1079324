"""Training the generator, in the loop of `synth.diffusion.loop`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from synth.corpus.shards import Corpus, sha256
from synth.diffusion import loop, process
from synth.diffusion.checkpoint import Model, load_model, save_model
from synth.diffusion.config import Process, TrainConfig
from synth.diffusion.data import Batch, Batches, drop
from synth.diffusion.denoiser import Denoiser
from synth.diffusion.features import Moments
from synth.diffusion.loop import LOGS, MODEL, Drawn, Report
from synth.diffusion.losses import losses
from synth.diffusion.schedule import Schedule
from synth.diffusion.text import corpus_tokens
from synth.encoders import text_encoder
from synth.errors import BadOption

MEASURED = 1280  # motions of each reader, from which the basis is taken
__all__ = ["LOGS", "MODEL", "loss_of", "train"]


def train(
    config: TrainConfig, corpus_folder: Path, out: Path, report: Report = lambda *_: None, device: str = "auto",
    stop: Callable[[], bool] = lambda: False, first: Path | None = None,
) -> Model:  # fmt: skip
    """Train, or go on with what is in `out`; the model with the mean weights, as written to `out`/model.safetensors.

    Args:
        corpus_folder: built by `synth corpus build`. out: a folder of its own.
        device: "auto" or "cpu"; with several processes (`accelerate launch`) each has its own.
        stop: asked after every update; where it says so the state is saved and the training ends.
        first: a model of the same size and process whose weights the training starts from, in the frame that they know
            (its moments and basis); by default they are drawn.

    Raises:
        BadOption: `first` is of another size or process, `out` holds a training with other settings, or the encoder
            has not the width `model.text`.
        BadFile: what is in `out` is damaged.
        KeyboardInterrupt: it was asked to stop; the state is saved.
    """
    corpus = Corpus.open(corpus_folder)
    encoder = text_encoder(config.encoder)
    if encoder.width != config.model.text:
        raise BadOption("model.text", config.model.text, f"{encoder.width}, the width of the encoder {config.encoder}")
    before = None if first is None else load_model(first)
    if before is not None and (before.config.model, before.config.process) != (config.model, config.process):
        raise BadOption("--from", str(first), f"a model of {config.model} and {config.process}")
    worker = loop.begin(out, config, corpus, device, None if first is None else sha256(first))
    moments = Moments.of(corpus) if before is None else before.moments
    torch.manual_seed(config.seed)
    net = Denoiser(config.model)
    if before is not None:
        net.load_state_dict(before.denoiser.state_dict())
    readers = loop.readers_of(corpus, config, corpus_tokens(corpus, encoder), config.model.patch)
    known, schedule = moments.to(worker.device), config.process.tables()
    if net.basis is not None and before is None:
        count = -(-MEASURED // config.batch)
        net.basis.measure([reader.at(number) for reader in readers for number in range(count)], schedule)
    facts = loop.facts_of(worker, corpus)
    if before is not None:
        facts["before"] = before.facts

    def model(mean: dict[str, Tensor], update: int) -> Model:
        trained = Denoiser(config.model)
        trained.load_state_dict({name: value.cpu() for name, value in mean.items()})
        return Model(trained.eval(), config, moments, corpus.fps, facts | {"updates": update})

    def draw(number: int) -> Drawn:
        return _drawn(config, readers, number)

    def terms(net: nn.Module, drawn: Drawn) -> dict[str, Tensor]:
        generator = loop.noise_of(drawn.seeds, worker.device)
        return loss_of(net, drawn.batch.to(worker.device), schedule, known, corpus.fps, config, generator)

    def keep(mean: dict[str, Tensor], update: int) -> None:
        save_model(model(mean, update), out / MODEL)

    return model(loop.run(worker, out, config, net, draw, terms, keep, report, stop), config.updates)


def loss_of(
    net: Callable[..., Tensor], batch: Batch, schedule: Schedule, moments: Moments, fps: float, config: TrainConfig,
    generator: torch.Generator,
) -> dict[str, Tensor]:  # fmt: skip
    """Algorithm 1 on a batch: noise at random steps, what the network makes of it, and all terms of `losses`."""
    x = batch.x
    t = torch.randint(schedule.steps, (len(x),), generator=generator, device=generator.device).to(x.device)
    noise = process.noise_like(x, generator)
    there = batch.condition.present[:, :, None, None]
    noisy = process.diffuse(schedule, x, t, noise) * there
    output = net(noisy, t, batch.condition).float()
    predicted = process.to_x0(schedule, output, noisy, t, config.process.predicts)
    weight = process.at(weights_of_t(schedule, config.process), t, x).flatten()
    return losses(predicted, x, t, schedule.steps, batch.condition, moments, fps, config.weights, weight)


def _drawn(config: TrainConfig, readers: list[Batches], number: int) -> Drawn:
    """Batch `number`, with what training leaves out of its conditions, and the noise's seeds."""
    batch, rng = loop.drawn(config, readers, number)
    chances = config.drop
    condition = drop(batch.condition, rng, chances.text, chances.scene, chances.partner, chances.start, chances.target)
    return Drawn(replace(batch, condition=condition), loop.seeds_of(rng))


def weights_of_t(schedule: Schedule, process_: Process) -> np.ndarray:
    """By how much the terms count at every step [T]: min(SNR, 5) to the power `snr` (Hang et al. 2023), mean 1.

    With a power of 1 the details of what is nearly clean are all that is learned, with 0 only what can be said of pure
    noise.
    """
    snr = schedule.alphas_bar / (1 - schedule.alphas_bar)
    weights = np.minimum(snr, 5.0) ** process_.snr
    return weights / weights.mean()
