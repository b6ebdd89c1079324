"""A training's loop: the same curve whether it was stopped or not, on one device or several.

Everything random in an update (batches, noise, steps, what is left out) comes from the seed and the update's number, so
the state is the weights, their running mean, the optimiser's moments and one number.

worker = begin(out, config, corpus, device)
mean = run(worker, out, config, net, draw, losses, keep)
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from synth import __version__
from synth.corpus.shards import Corpus
from synth.diffusion import state
from synth.diffusion.config import Updates
from synth.diffusion.data import Batch, Batches
from synth.diffusion.state import rate_at
from synth.diffusion.text import TokenTable
from synth.errors import CareSynthError, Missing

MODEL, LOGS = "model.safetensors", "logs"
Report = Callable[[int, int, dict[str, float], float], None]  # update, of how many, losses, seconds left
Weights = dict[str, Tensor]
T = TypeVar("T")

READERS = 8  # processes that draw batches for a GPU: one batch takes longer to draw than to learn from


def begin(out: Path, config: Updates, corpus: Corpus, device: str = "auto", first: str | None = None) -> Any:
    """Make the folder this training's, or find that it is; the accelerator that it runs on.

    Args:
        first: checksum of the model that it starts from, if it does from one.

    Raises:
        BadOption: `out` holds a training with other settings, or something else. Missing: accelerate is not installed.
    """
    worker = _accelerate().Accelerator(mixed_precision=config.precision, cpu=device == "cpu")
    if worker.is_main_process:
        state.begin(out, asdict(config), corpus, asdict(type(config)()), first)
    worker.wait_for_everyone()
    return worker


def run(
    worker: Any, out: Path, config: Updates, net: nn.Module, draw: Callable[[int], T],
    losses: Callable[[nn.Module, T], dict[str, Tensor]], keep: Callable[[Weights, int], None],
    report: Report = lambda *_: None, stop: Callable[[], bool] = lambda: False,
) -> Weights:  # fmt: skip
    """Train, or go on with the state in `out`; the running mean of the weights.

    Args:
        worker: from `begin`.
        net: with the weights that the training starts from.
        draw: number -> batch `number` on the processor, and all that is random in what is made of it; follows from the
            number alone. For a GPU it is called ahead, in processes of its own.
        losses: (network, what was drawn) -> the terms, of which "loss" is descended.
        keep: writes what is of use to others, from the mean weights after so many updates.
        stop: asked after every update; where it says so the state is saved and the training ends.

    Raises:
        BadFile: the state is damaged. KeyboardInterrupt: it was asked to stop. CareSynthError: the loss is no number.
    """
    optimisers: list[Any] = state.optimisers_of(
        net, config.rate, config.weight_decay, config.optimiser, worker.device.type
    )
    mean = {name: value.detach().clone() for name, value in net.state_dict().items()}
    scaler = worker.scaler  # of fp16's gradients; None for any other precision
    first = state.resume(out, net, mean, optimisers, scaler)
    wrapped, *optimisers = worker.prepare(net, *optimisers)
    if config.compile:
        wrapped = torch.compile(wrapped)
    mean = {name: value.to(worker.device) for name, value in mean.items()}
    writer = _writer(out / LOGS, first) if worker.is_main_process else None

    def save(update: int) -> None:
        if worker.is_main_process:
            _sound(mean, update)
            state.save_state(out, worker.unwrap_model(net), mean, optimisers, update, scaler)
            keep(mean, update)

    apart, each = worker.num_processes, worker.num_processes * config.accumulate
    numbers = range(first * each + worker.process_index, config.updates * each, apart)
    drawn = ahead(draw, numbers, worker.device)
    since = time.monotonic()
    try:
        for update in range(first, config.updates):
            for group in (group for each in optimisers for group in each.param_groups):
                group["lr"] = rate_at(config, update)
            total: dict[str, Tensor] = {}
            wrapped.train()
            for _ in range(config.accumulate):
                found = losses(wrapped, next(drawn))
                worker.backward(found["loss"] / config.accumulate)
                for name, value in found.items():
                    total[name] = total.get(name, 0.0) + value.detach() / config.accumulate
            if config.clip:
                worker.clip_grad_norm_(wrapped.parameters(), config.clip)
            for each in optimisers:
                each.step()
                each.zero_grad(set_to_none=True)
            state.follow(mean, net, update, config.ema)
            if (update + 1) % config.log_every == 0 or update + 1 == config.updates:
                _finite("loss", float(total["loss"]), update + 1)
                known = {name: float(value) for name, value in total.items()}
                left = (time.monotonic() - since) / (update + 1 - first) * (config.updates - update - 1)
                if writer is not None:
                    for name, value_of in {**known, "rate": rate_at(config, update)}.items():
                        writer.add_scalar(name, value_of, update + 1)
                    report(update + 1, config.updates, known, left)
            stopped = stop()
            if stopped or (update + 1) % config.save_every == 0:
                _finite("loss", float(total["loss"]), update + 1)  # what is saved replaces the last good state
                save(update + 1)
            if stopped:
                raise KeyboardInterrupt
    finally:
        if writer is not None:
            writer.close()
    save(config.updates)
    return mean


def ahead(draw: Callable[[int], T], numbers: Sequence[int], device: torch.device) -> Iterator[T]:
    """What is drawn for each number, in their order; for a GPU in processes that are some batches ahead of it.

    Raises:
        CareSynthError: what `draw` raised.
    """
    if device.type == "cpu":
        yield from map(draw, numbers)
        return
    readers = max(1, min(READERS, (os.cpu_count() or 1) - 1))
    loader = DataLoader(
        _Drawn(draw, numbers), None, num_workers=readers, collate_fn=_as_it_is, pin_memory=True,
        multiprocessing_context="fork",  # `draw` is no function that another program could import
    )  # fmt: skip
    for item in loader:
        if isinstance(item, _Failed):
            raise CareSynthError(item.reason)
        yield item


class _Drawn(Dataset[Any]):
    """Numbers as what is drawn for them."""

    def __init__(self, draw: Callable[[int], Any], numbers: Sequence[int]) -> None:
        self.draw, self.numbers = draw, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, at: int) -> Any:
        try:
            return self.draw(self.numbers[at])
        except CareSynthError as error:  # its kind does not survive the way between processes
            return _Failed(str(error))


@dataclass(frozen=True)
class _Failed:
    reason: str


def _as_it_is(item: T) -> T:
    return item


def _finite(what: str, found: float, update: int) -> None:
    if not math.isfinite(found):
        raise CareSynthError(f"update {update}: {what}: found {found}; expected a number: lower the rate, or "
                             "precision no")  # fmt: skip


def _sound(mean: Weights, update: int) -> None:
    """Raise CareSynthError for weights that are no numbers; in their running mean stays whatever they ever were."""
    for name, value in mean.items():
        _finite(name, float(value.float().sum()), update)


def readers_of(corpus: Corpus, config: Updates, texts: TokenTable, patch: int) -> list[Batches]:
    """The training split: of one person, of two, or both, as `config.pairs` asks for; in patches of the network's."""
    given: Any = {"texts": texts, "patch": patch}
    return [
        Batches(corpus, "train", config.batch, config.frames, people, config.seed, config.balance, **given)
        for people in ((1, 2) if 0 < config.pairs < 1 else (2,) if config.pairs else (1,))
    ]


@dataclass(frozen=True)
class Drawn:
    """A batch and the seeds of the noise and of the network's dropout."""

    batch: Batch
    seeds: tuple[int, int]

    def pin_memory(self) -> Drawn:
        """See `Tensors.pin_memory`."""
        return replace(self, batch=self.batch.pin_memory())


def drawn(config: Updates, readers: list[Batches], number: int) -> tuple[Batch, np.random.Generator]:
    """Batch `number`, and where all else that is random in it comes from."""
    rng = np.random.default_rng([config.seed, 1, number])
    reader = readers[int(rng.random() < config.pairs)] if len(readers) == 2 else readers[0]
    return reader.at(number), rng


def seeds_of(rng: np.random.Generator) -> tuple[int, int]:
    """Of the noise, and of the network's dropout."""
    return int(rng.integers(1 << 62)), int(rng.integers(1 << 62))


def noise_of(seeds: tuple[int, int], device: str | torch.device) -> torch.Generator:
    """The noise's generator, where the noise is needed; the network's dropout is seeded as well."""
    torch.manual_seed(seeds[1])
    return torch.Generator(device).manual_seed(seeds[0])


def facts_of(worker: Any, corpus: Corpus) -> dict[str, Any]:
    """What a model's card says of how it was trained."""
    return {
        "corpus": corpus.info["name"], "sequences": len(corpus.entries), "caresynth": __version__,
        "torch": torch.__version__, "device": str(worker.device.type), "processes": worker.num_processes,
    }  # fmt: skip


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
