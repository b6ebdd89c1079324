"""Training: the same curve whether it was stopped or not, on one device or several.

Everything random in an update (batches, noise, steps, what is left out) comes from the seed and the update's number, so
the state is the weights, their running mean, the optimiser's moments and one number.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from synth import __version__
from synth.corpus.shards import Corpus
from synth.diffusion import process
from synth.diffusion.checkpoint import Model, save_model
from synth.diffusion.config import TrainConfig
from synth.diffusion.data import Batch, Batches, drop
from synth.diffusion.denoiser import Denoiser
from synth.diffusion.features import Moments
from synth.diffusion.losses import losses
from synth.diffusion.schedule import Schedule
from synth.diffusion.state import begin, follow, optimiser_of, rate_at, resume, save_state
from synth.errors import CareSynthError, Missing

MODEL, LOGS = "model.safetensors", "logs"
Report = Callable[[int, int, dict[str, float], float], None]  # update, of how many, losses, seconds left


def train(
    config: TrainConfig, corpus_folder: Path, out: Path, report: Report = lambda *_: None, device: str = "auto",
    stop: Callable[[], bool] = lambda: False,
) -> Model:  # fmt: skip
    """Train, or go on with what is in `out`; the model with the mean weights, as written to `out`/model.safetensors.

    Args:
        corpus_folder: built by `synth corpus build`. out: a folder of its own.
        device: "auto" or "cpu"; with several processes (`accelerate launch`) each has its own.
        stop: asked after every update; where it says so the state is saved and the training ends.

    Raises:
        BadOption: `out` holds a training with other settings. BadFile: what is in it is damaged.
        KeyboardInterrupt: it was asked to stop; the state is saved.
    """
    accelerate = _accelerate()
    corpus = Corpus.open(corpus_folder)
    worker = accelerate.Accelerator(mixed_precision=config.precision, cpu=device == "cpu")
    if worker.is_main_process:
        begin(out, config.to_json(), corpus)
    worker.wait_for_everyone()
    moments = Moments.of(corpus)
    torch.manual_seed(config.seed)
    net = Denoiser(config.model)
    optimiser: Any = optimiser_of(net, config.rate, config.weight_decay)
    mean = {name: value.detach().clone() for name, value in net.state_dict().items()}
    first = resume(out, net, mean, optimiser)
    readers = [
        Batches(corpus, "train", config.batch, config.frames, people, config.seed, config.balance)
        for people in ((1, 2) if 0 < config.pairs < 1 else (2,) if config.pairs else (1,))
    ]
    wrapped, optimiser = worker.prepare(net, optimiser)
    if config.compile:
        wrapped = torch.compile(wrapped)
    mean = {name: value.to(worker.device) for name, value in mean.items()}
    known = moments.to(worker.device)
    schedule = config.process.tables()
    writer = _writer(out / LOGS, first) if worker.is_main_process else None
    facts = {
        "corpus": corpus.info["name"], "sequences": len(corpus.entries), "caresynth": __version__,
        "torch": torch.__version__, "device": str(worker.device.type), "processes": worker.num_processes,
    }  # fmt: skip

    def model(update: int) -> Model:
        trained = Denoiser(config.model)
        trained.load_state_dict({name: value.cpu() for name, value in mean.items()})
        return Model(trained.eval(), config, moments, corpus.fps, facts | {"updates": update})

    def save(update: int) -> None:
        if worker.is_main_process:
            save_state(out, worker.unwrap_model(net), mean, optimiser, update)
            save_model(model(update), out / MODEL)

    since = time.monotonic()
    try:
        for update in range(first, config.updates):
            for group in optimiser.param_groups:
                group["lr"] = rate_at(config, update)
            total: dict[str, Tensor] = {}
            wrapped.train()
            for part in range(config.accumulate):
                number = (update * config.accumulate + part) * worker.num_processes + worker.process_index
                batch, generator = _batch(config, readers, number)
                found = loss_of(wrapped, batch.to(worker.device), schedule, known, corpus.fps, config, generator)
                worker.backward(found["loss"] / config.accumulate)
                for name, value in found.items():
                    total[name] = total.get(name, 0.0) + value.detach() / config.accumulate
            if config.clip:
                worker.clip_grad_norm_(wrapped.parameters(), config.clip)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            follow(mean, net, update, config.ema)
            if (update + 1) % config.log_every == 0 or update + 1 == config.updates:
                numbers = {name: float(value) for name, value in total.items()}
                if not math.isfinite(numbers["loss"]):
                    raise CareSynthError(f"update {update + 1}: loss: found {numbers['loss']}; expected a number: "
                                         "lower the rate, or precision no")  # fmt: skip
                left = (time.monotonic() - since) / (update + 1 - first) * (config.updates - update - 1)
                if writer is not None:
                    for name, number_of in {**numbers, "rate": rate_at(config, update)}.items():
                        writer.add_scalar(name, number_of, update + 1)
                    report(update + 1, config.updates, numbers, left)
            stopped = stop()
            if stopped or (update + 1) % config.save_every == 0:
                save(update + 1)
            if stopped:
                raise KeyboardInterrupt
    finally:
        if writer is not None:
            writer.close()
    save(config.updates)
    return model(config.updates)


def loss_of(
    net: Callable[..., Tensor], batch: Batch, schedule: Schedule, moments: Moments, fps: float, config: TrainConfig,
    generator: torch.Generator,
) -> dict[str, Tensor]:  # fmt: skip
    """Algorithm 1 on a batch: noise at random steps, what the network makes of it, and all terms of `losses`."""
    x = batch.x
    t = torch.randint(schedule.steps, (len(x),), generator=generator).to(x.device)
    noise = process.noise_like(x, generator)
    there = batch.condition.present[:, :, None, None]
    noisy = process.diffuse(schedule, x, t, noise) * there
    output = net(noisy, t, batch.condition).float()
    predicted = process.to_x0(schedule, output, noisy, t, config.process.objective)  # type: ignore[arg-type]
    weight = None
    if config.process.objective != "x0":  # the simple loss of the objective; in x0 that is plain
        against = process.simple_weights(schedule, "x0") / process.simple_weights(schedule, config.process.objective)  # type: ignore[arg-type]
        weight = process.at(np.minimum(against, 5.0), t, x).flatten()  # min-SNR 5, Hang et al. 2023
    return losses(predicted, x, t, schedule.steps, batch.condition, moments, fps, config.weights, weight)


def _batch(config: TrainConfig, readers: list[Batches], number: int) -> tuple[Batch, torch.Generator]:
    """Batch `number`, with what training leaves out of its conditions, and the noise's generator."""
    rng = np.random.default_rng([config.seed, 1, number])
    reader = readers[int(rng.random() < config.pairs)] if len(readers) == 2 else readers[0]
    batch = reader.at(number)
    chances = config.drop
    condition = drop(batch.condition, rng, chances.text, chances.scene, chances.partner, chances.start, chances.target)
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
    torch.manual_seed(int(rng.integers(1 << 62)))  # the network's dropout
    return replace(batch, condition=condition), generator


def _accelerate() -> Any:
    try:
        import accelerate
    except ImportError:
        raise Missing("accelerate", "pip install 'caresynth[train]'") from None
    return accelerate


def _writer(folder: Path, first: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise Missing("tensorboard", "pip install 'caresynth[train]'") from None
    return SummaryWriter(str(folder), purge_step=first + 1 if first else None)
