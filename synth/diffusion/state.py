"""What every training keeps, so that the same command goes on where it was stopped, on the same curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from synth.corpus.shards import Corpus
from synth.diffusion.muon import BatchedMuon
from synth.errors import BadFile, BadOption
from synth.files import atomic_path, read_json, write_json

STATE, SETTINGS = "state.pt", "config.json"


class Paced(Protocol):
    """What the learning rate depends on."""

    @property
    def updates(self) -> int: ...
    @property
    def warmup(self) -> int: ...
    @property
    def rate(self) -> float: ...
    @property
    def last_rate(self) -> float: ...


def rate_at(config: Paced, update: int) -> float:
    """The learning rate of an update: up linearly, down by half a cosine."""
    if update < config.warmup:
        return config.rate * (update + 1) / config.warmup
    share = (update - config.warmup) / max(1, config.updates - config.warmup)
    low = config.last_rate
    return config.rate * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))


def optimisers_of(
    net: nn.Module, rate: float, decay: float, kind: str = "adamw", device: str = "cpu"
) -> list[torch.optim.Optimizer]:  # fmt: skip
    """AdamW for all, or Muon (Jordan et al. 2024) for the matrices of the transformer's blocks and AdamW for the rest.

    Muon's step has AdamW's size (`match_rms_adamw`), so both go by the same rate. Matrices decay; vectors, which shift
    and scale, do not. On another `device` than the processor Muon takes matrices of one shape together.
    """
    inner = [
        value for name, value in net.named_parameters()
        if kind == "muon" and value.ndim == 2 and name.startswith("blocks.") and name.endswith("weight")
    ]  # fmt: skip
    known = {id(value) for value in inner}
    others = [value for value in net.parameters() if id(value) not in known]
    groups = [
        {"params": [value for value in others if value.ndim > 1], "weight_decay": decay},
        {"params": [value for value in others if value.ndim <= 1], "weight_decay": 0.0},
    ]
    found: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99))]
    if inner:
        if device == "cpu":
            found.append(torch.optim.Muon(inner, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"))
        else:
            found.append(BatchedMuon(inner, lr=rate, weight_decay=decay))
    return found


@torch.no_grad()
def follow(mean: dict[str, Tensor], net: nn.Module, update: int, decay: float) -> None:
    """Move the running mean of the weights towards what they are; over the first updates it is a plain mean's."""
    now = net.state_dict()
    share = 1 - min(decay, (1 + update) / (10 + update))
    torch._foreach_lerp_(list(mean.values()), [now[name] for name in mean], share)


def save_state(
    out: Path, net: nn.Module, mean: dict[str, Tensor], optimisers: Sequence[Any], update: int, scaler: Any = None
) -> None:  # fmt: skip
    """Keep what is trained after `update` updates, and where fp16's gradient scaler, if there is one, has got to."""
    state = {
        "update": update, "net": net.state_dict(), "mean": mean,
        "optimisers": [getattr(each, "optimizer", each).state_dict() for each in optimisers],
        "scaler": None if scaler is None else scaler.state_dict(),
    }  # fmt: skip
    with atomic_path(out / STATE) as temporary:
        torch.save(state, temporary)


def resume(
    out: Path, net: nn.Module, mean: dict[str, Tensor], optimisers: Sequence[Any], scaler: Any = None
) -> int:  # fmt: skip
    """Fill what is trained from the saved state; the updates already made. Raises BadFile: it is damaged."""
    path = out / STATE
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        net.load_state_dict(state["net"])
        for each, kept in zip(optimisers, state["optimisers"], strict=True):
            each.load_state_dict(kept)
        for name, value in state["mean"].items():
            mean[name].copy_(value)
        if scaler is not None and state.get("scaler"):  # older states have none
            scaler.load_state_dict(state["scaler"])
        return int(state["update"])
    except Exception as error:  # torch raises whatever its parts raise
        reason = " ".join(str(error).split())[:120]
        raise BadFile(path, "file", reason, "a state that this training saved; remove it to start again") from None


def begin(
    out: Path, config: dict[str, Any], corpus: Corpus, defaults: dict[str, Any] | None = None, first: str | None = None
) -> None:
    """Make the folder this training's, or find that it is.

    Args:
        config: its settings as JSON values; `log_every` and `save_every` may change later, they decide nothing.
        defaults: what an older release, which did not write a setting, meant.
        first: checksum of the model that the training starts from.

    Raises:
        BadOption: the folder is something else's, or another training's.
    """
    settings: dict[str, Any] = {"train": config, "corpus": dict(corpus.info["sha256"])}
    if first is not None:
        settings["first"] = first
    path = out / SETTINGS
    if path.exists():
        if _deciding(read_json(path), defaults) != _deciding(settings, defaults):
            raise BadOption("--out", str(out), "a new folder, or one with the same settings and corpus")
        return
    if out.exists() and any(out.iterdir()):
        raise BadOption("--out", str(out), "a new or empty folder, or one of a training")
    out.mkdir(parents=True, exist_ok=True)
    write_json(path, settings)


def _deciding(settings: Any, defaults: dict[str, Any] | None) -> Any:
    """Settings without those that change nothing about the curve."""
    if not isinstance(settings, dict) or not isinstance(settings.get("train"), dict):
        return settings
    train = {**(defaults or {}), **settings["train"]}
    kept = {name: value for name, value in train.items() if name not in ("log_every", "save_every")}
    return {**settings, "train": kept}
