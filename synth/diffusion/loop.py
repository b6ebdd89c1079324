"""A training's loop: the same curve whether it was stopped or not, on one device or several.

Everything random in an update (batches, noise, steps, what is left out) comes from the seed and the update's number, so
the state is the weights, their running mean, the optimiser's moments and one number.

worker = begin(out, config, corpus, device)
mean = run(worker, out, config, net, losses, keep)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from synth import __version__
from synth.corpus.shards import Corpus
from synth.diffusion.config import Updates
from synth.diffusion.data import Batch, Batches
from synth.diffusion.text import TokenTable
from synth.errors import BadFile, BadOption, CareSynthError, Missing
from synth.files import atomic_path, read_json, write_json

MODEL, STATE, SETTINGS, LOGS = "model.safetensors", "state.pt", "config.json", "logs"
Report = Callable[[int, int, dict[str, float], float], None]  # update, of how many, losses, seconds left
Weights = dict[str, Tensor]


def begin(out: Path, config: Updates, corpus: Corpus, device: str = "auto") -> Any:
    """Make the folder this training's, or find that it is; the accelerator that it runs on.

    Raises:
        BadOption: `out` holds a training with other settings, or something else. Missing: accelerate is not installed.
    """
    worker = _accelerate().Accelerator(mixed_precision=config.precision, cpu=device == "cpu")
    if worker.is_main_process:
        _claim(out, config, corpus)
    worker.wait_for_everyone()
    return worker


def run(
    worker: Any, out: Path, config: Updates, net: nn.Module,
    losses: Callable[[nn.Module, int], dict[str, Tensor]], keep: Callable[[Weights, int], None],
    report: Report = lambda *_: None, stop: Callable[[], bool] = lambda: False,
) -> Weights:  # fmt: skip
    """Train, or go on with the state in `out`; the running mean of the weights.

    Args:
        worker: from `begin`.
        net: with the weights that the training starts from.
        losses: (network, number) -> the terms of batch `number`, of which "loss" is descended; they and all that is
            random in them follow from the number alone.
        keep: writes what is of use to others, from the mean weights after so many updates.
        stop: asked after every update; where it says so the state is saved and the training ends.

    Raises:
        BadFile: the state is damaged. KeyboardInterrupt: it was asked to stop. CareSynthError: the loss is no number.
    """
    optimiser = torch.optim.AdamW(_grouped(net, config.weight_decay), lr=config.rate, betas=(0.9, 0.99))
    mean = {name: value.detach().clone() for name, value in net.state_dict().items()}
    first = _resume(out, net, mean, optimiser)
    wrapped, optimiser = worker.prepare(net, optimiser)
    if config.compile:
        wrapped = torch.compile(wrapped)
    mean = {name: value.to(worker.device) for name, value in mean.items()}
    writer = _writer(out / LOGS, first) if worker.is_main_process else None

    def save(update: int) -> None:
        if worker.is_main_process:
            _save(out, worker.unwrap_model(net), mean, optimiser, update)
            keep(mean, update)

    since = time.monotonic()
    try:
        for update in range(first, config.updates):
            for group in optimiser.param_groups:
                group["lr"] = rate_at(config, update)
            total: dict[str, Tensor] = {}
            wrapped.train()
            for part in range(config.accumulate):
                number = (update * config.accumulate + part) * worker.num_processes + worker.process_index
                found = losses(wrapped, number)
                worker.backward(found["loss"] / config.accumulate)
                for name, value in found.items():
                    total[name] = total.get(name, 0.0) + value.detach() / config.accumulate
            if config.clip:
                worker.clip_grad_norm_(wrapped.parameters(), config.clip)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            _follow(mean, net, min(config.ema, (1 + update) / (10 + update)))
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
    return mean


def readers_of(corpus: Corpus, config: Updates, texts: TokenTable) -> list[Batches]:
    """The training split: of one person, of two, or both, as `config.pairs` asks for."""
    return [
        Batches(corpus, "train", config.batch, config.frames, people, config.seed, config.balance, texts=texts)
        for people in ((1, 2) if 0 < config.pairs < 1 else (2,) if config.pairs else (1,))
    ]


def drawn(config: Updates, readers: list[Batches], number: int) -> tuple[Batch, np.random.Generator]:
    """Batch `number`, and where all else that is random in it comes from."""
    rng = np.random.default_rng([config.seed, 1, number])
    reader = readers[int(rng.random() < config.pairs)] if len(readers) == 2 else readers[0]
    return reader.at(number), rng


def noise_of(rng: np.random.Generator) -> torch.Generator:
    """The noise's generator; the network's dropout is seeded as well."""
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
    torch.manual_seed(int(rng.integers(1 << 62)))
    return generator


def facts_of(worker: Any, corpus: Corpus) -> dict[str, Any]:
    """What a model's card says of how it was trained."""
    return {
        "corpus": corpus.info["name"], "sequences": len(corpus.entries), "caresynth": __version__,
        "torch": torch.__version__, "device": str(worker.device.type), "processes": worker.num_processes,
    }  # fmt: skip


def rate_at(config: Updates, update: int) -> float:
    """The learning rate of an update: up linearly, down by half a cosine."""
    if update < config.warmup:
        return config.rate * (update + 1) / config.warmup
    share = (update - config.warmup) / max(1, config.updates - config.warmup)
    low = config.last_rate
    return config.rate * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))


def _grouped(net: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Matrices decay; vectors, which shift and scale, do not."""
    matrices = [value for value in net.parameters() if value.ndim > 1]
    vectors = [value for value in net.parameters() if value.ndim <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]


@torch.no_grad()
def _follow(mean: dict[str, Tensor], net: nn.Module, decay: float) -> None:
    now = net.state_dict()
    torch._foreach_lerp_(list(mean.values()), [now[name] for name in mean], 1 - decay)


def _save(out: Path, net: nn.Module, mean: dict[str, Tensor], optimiser: Any, update: int) -> None:
    state = {
        "update": update, "net": net.state_dict(), "mean": mean,
        "optimiser": getattr(optimiser, "optimizer", optimiser).state_dict(),
    }  # fmt: skip
    with atomic_path(out / STATE) as temporary:
        torch.save(state, temporary)


def _resume(out: Path, net: nn.Module, mean: dict[str, Tensor], optimiser: Any) -> int:
    """Fill what is trained from the saved state; the updates already made."""
    path = out / STATE
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        for name, value in state["mean"].items():
            mean[name].copy_(value)
        return int(state["update"])
    except Exception as error:  # torch raises whatever its parts raise
        reason = " ".join(str(error).split())[:120]
        raise BadFile(path, "file", reason, "a state that this training saved; remove it to start again") from None


def _claim(out: Path, config: Updates, corpus: Corpus) -> None:
    """Make the folder this training's, or find that it is."""
    settings = {"train": asdict(config), "corpus": dict(corpus.info["sha256"])}
    path = out / SETTINGS
    if path.exists():
        if _deciding(read_json(path), config) != _deciding(settings, config):
            raise BadOption("--out", str(out), "a new folder, or one with the same settings and corpus")
        return
    if out.exists() and any(out.iterdir()):
        raise BadOption("--out", str(out), "a new or empty folder, or one of a training")
    out.mkdir(parents=True, exist_ok=True)
    write_json(path, settings)


def _deciding(settings: Any, config: Updates) -> Any:
    """Settings without those that change nothing about the curve; what an older release did not write is default."""
    if not isinstance(settings, dict) or not isinstance(settings.get("train"), dict):
        return settings
    train = {**asdict(type(config)()), **settings["train"]}
    kept = {name: value for name, value in train.items() if name not in ("log_every", "save_every")}
    return {**settings, "train": kept}


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
