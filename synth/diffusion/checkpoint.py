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
HEADER = "caresynth"
GENERATOR = "denoiser"  # the kind of a file; those of the first release do not say it
_MOMENTS = "moments."
Config = TypeVar("Config", bound=Updates)
N = TypeVar("N", bound=nn.Module)


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
    """Write a generator; see `write_trained`."""
    write_trained(path, GENERATOR, model.denoiser, model.config, model.moments, model.fps, model.facts, half)


def load_model(path: Path, device: str | torch.device = "cpu") -> Model:
    """Read a generator. Raises BadFile; see `read_trained`."""
    parts = read_trained(path, GENERATOR, TrainConfig, lambda config: Denoiser(checked(config, path).model), device)
    return Model(*parts)


def write_trained(
    path: Path, kind: str, net: nn.Module, config: Updates, moments: Moments, fps: float, facts: dict[str, Any],
    half: bool = True,
) -> None:  # fmt: skip
    """Write a network; `half` keeps the weights as float16, which halves the file and changes nothing that is seen."""
    about = {"kind": kind, "config": asdict(config), "fps": fps, "facts": facts}
    write_weights(path, weights_of(net, half) | moments_tensors(moments), about, HEADER)


def read_trained(
    path: Path, kind: str, config_of: type[Config], build: Callable[[Config], N], device: str | torch.device = "cpu"
) -> tuple[N, Config, Moments, float, dict[str, Any]]:
    """What `write_trained` wrote: a network in evaluation mode, its settings, moments, rate of frames and facts.

    Args:
        kind: what the file must hold. build: the network of a configuration, whatever its weights.

    Raises:
        BadFile: it is damaged, is something else, or is of another version; says which entry.
    """
    tensors, about = read_weights(path, HEADER, "a model that `synth train` wrote")
    if about.get("kind", GENERATOR) != kind:
        raise BadFile(path, "kind", about["kind"], kind)
    config = settings_from(config_of, about.get("config"), path, "config.")
    known, fps, facts = pop_known(tensors, about, path)
    net = build(config)
    fill(net, tensors, path)
    return net.to(device).eval(), config, known.to(device), fps, facts


def weights_of(net: nn.Module, half: bool) -> dict[str, Tensor]:
    """A network's weights for a file, as float16 or float32; what is not trained keeps its digits."""
    kind, trained = (torch.float16 if half else torch.float32), dict(net.named_parameters())
    return {
        name: value.detach().cpu().to(kind if name in trained else value.dtype).contiguous()
        for name, value in net.state_dict().items()
    }


def moments_tensors(moments: Moments) -> dict[str, Tensor]:
    """Moments for the same file."""
    return {_MOMENTS + name: value.cpu().contiguous() for name, value in moments.tensors().items()}


def write_weights(path: Path, tensors: dict[str, Tensor], about: dict[str, Any], header: str) -> None:
    """Write tensors, and what they are as JSON under the header's key `header`."""
    text = json.dumps({"version": VERSION} | about, sort_keys=True, allow_nan=False)
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, {header: text})


def read_weights(path: Path, header: str, what: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write_weights` wrote. Raises BadFile: damaged, not `what`, or of another version."""
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(header)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise BadFile(path, "file", str(error), "a model in a safetensors file") from None
    try:
        about = json.loads(text or "")
    except (ValueError, RecursionError):
        raise BadFile(path, header, text, what) from None
    if not isinstance(about, dict) or about.get("version") != VERSION:
        found = about.get("version") if isinstance(about, dict) else about
        raise BadFile(path, "version", found, str(VERSION))
    return tensors, about


def pop_known(tensors: dict[str, Tensor], about: dict[str, Any], path: Path) -> tuple[Moments, float, dict[str, Any]]:
    """The moments, taken out of the tensors, the frame rate and the facts. Raises BadFile."""
    moments = {name.removeprefix(_MOMENTS): tensors.pop(name) for name in list(tensors) if name.startswith(_MOMENTS)}
    try:
        return Moments.of_tensors(moments), float(about["fps"]), dict(about["facts"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadFile(path, "moments, fps, facts", str(error), "what the training writes") from None


def fill(net: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Give a network its weights. Raises BadFile: names the first that is missing, unknown or of another shape."""
    wanted = net.state_dict()
    for name in sorted(wanted.keys() | tensors.keys()):
        found, expected = (
            str(tuple(some[name].shape)) if name in some else "nothing" for some in (tensors, wanted)
        )  # fmt: skip
        if found != expected:
            raise BadFile(path, name, found, expected)
    net.load_state_dict({name: value.float() for name, value in tensors.items()})
