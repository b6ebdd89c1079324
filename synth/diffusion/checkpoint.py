"""Trained models in safetensors files: the weights, the moments of the features, and in the header what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from synth.diffusion.config import TrainConfig, Updates, checked
from synth.diffusion.denoiser import Denoiser
from synth.diffusion.features import Moments
from synth.errors import BadFile
from synth.files import atomic_path
from synth.settings import settings_from

VERSION = 1
GENERATOR = "denoiser"  # the kind of a file; those of the first release do not say it
_MOMENTS = "moments."
Config = TypeVar("Config", bound=Updates)


@dataclass(frozen=True)
class Model:
    """A denoiser ready to sample: in evaluation mode.

    Attributes:
        config: how it was trained.
        moments: of its features.
        fps: of its motions.
        facts: what its card says: updates, corpus, versions, figures.
    """

    denoiser: Denoiser
    config: TrainConfig
    moments: Moments
    fps: float
    facts: dict[str, Any]


def save_model(model: Model, path: Path, half: bool = True) -> None:
    """Write a generator; see `write`."""
    write(path, GENERATOR, model.denoiser, model.config, model.moments, model.fps, model.facts, half)


def load_model(path: Path, device: str | torch.device = "cpu") -> Model:
    """Read a generator. Raises BadFile; see `read`."""
    parts = read(path, GENERATOR, TrainConfig, lambda config: Denoiser(checked(config, path).model), device)
    return Model(*parts)


def write(
    path: Path, kind: str, net: nn.Module, config: Updates, moments: Moments, fps: float, facts: dict[str, Any],
    half: bool = True,
) -> None:  # fmt: skip
    """Write a network; `half` keeps the weights as float16, which halves the file and changes nothing that is seen."""
    to = torch.float16 if half else torch.float32
    tensors = {name: value.detach().cpu().to(to).contiguous() for name, value in net.state_dict().items()}
    tensors |= {_MOMENTS + name: value.cpu().contiguous() for name, value in moments.tensors().items()}
    about = {"version": VERSION, "kind": kind, "config": asdict(config), "fps": fps, "facts": facts}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, {"caresynth": json.dumps(about, sort_keys=True, allow_nan=False)})


N = TypeVar("N", bound=nn.Module)


def read(
    path: Path, kind: str, config_of: type[Config], build: Callable[[Config], N], device: str | torch.device = "cpu"
) -> tuple[N, Config, Moments, float, dict[str, Any]]:
    """Read a network that `write` wrote, in evaluation mode, its settings, moments, rate of frames and facts.

    Args:
        kind: what the file must hold. build: the network of a configuration, whatever its weights.

    Raises:
        BadFile: it is damaged, is something else, or is of another version; says which entry.
    """
    about, tensors = _opened(path)
    if about.get("kind", GENERATOR) != kind:
        raise BadFile(path, "kind", about["kind"], kind)
    config = settings_from(config_of, about.get("config"), path, "config.")
    moments = {name.removeprefix(_MOMENTS): tensors.pop(name) for name in list(tensors) if name.startswith(_MOMENTS)}
    net = build(config)
    wanted = net.state_dict()
    for name in sorted(wanted.keys() | tensors.keys()):
        found, expected = (
            str(tuple(some[name].shape)) if name in some else "nothing" for some in (tensors, wanted)
        )  # fmt: skip
        if found != expected:
            raise BadFile(path, name, found, expected)
    net.load_state_dict({name: value.float() for name, value in tensors.items()})
    try:
        known = Moments.of_tensors(moments)
        fps, facts = float(about["fps"]), dict(about["facts"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadFile(path, "moments, fps, facts", str(error), "what `synth train` writes") from None
    return net.to(device).eval(), config, known.to(device), fps, facts


def _opened(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What the header says, and the tensors."""
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get("caresynth")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise BadFile(path, "file", str(error), "a model in a safetensors file") from None
    try:
        about = json.loads(header or "")
    except ValueError:
        raise BadFile(path, "caresynth", header, "a model that `synth train` wrote") from None
    if not isinstance(about, dict) or about.get("version") != VERSION:
        raise BadFile(path, "version", about.get("version") if isinstance(about, dict) else about, str(VERSION))
    return about, tensors
