"""A trained model in one safetensors file: the weights, the moments of the features, and in its header what it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from synth.diffusion.config import TrainConfig, checked
from synth.diffusion.denoiser import Denoiser
from synth.diffusion.features import Moments
from synth.errors import BadFile
from synth.files import atomic_path
from synth.settings import settings_from

VERSION = 1
_MOMENTS = "moments."


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
    """Write a model; `half` keeps the weights as float16, which halves the file and changes nothing that is seen."""
    kind = torch.float16 if half else torch.float32
    tensors = {name: value.detach().cpu().to(kind).contiguous() for name, value in model.denoiser.state_dict().items()}
    tensors |= {_MOMENTS + name: value.cpu().contiguous() for name, value in model.moments.tensors().items()}
    about = {"version": VERSION, "config": model.config.to_json(), "fps": model.fps, "facts": model.facts}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, {"caresynth": json.dumps(about, sort_keys=True, allow_nan=False)})


def load_model(path: Path, device: str | torch.device = "cpu") -> Model:
    """Read a model.

    Raises:
        BadFile: it is damaged, is something else, or is of another version; says which entry.
    """
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
        found = about.get("version") if isinstance(about, dict) else about
        raise BadFile(path, "version", found, str(VERSION))
    plain = json.loads(json.dumps(about.get("config")))
    config = checked(settings_from(TrainConfig, plain, path, "config."), path)
    moments = {name.removeprefix(_MOMENTS): tensors.pop(name) for name in list(tensors) if name.startswith(_MOMENTS)}
    denoiser = Denoiser(config.model)
    wanted = denoiser.state_dict()
    for name in sorted(wanted.keys() | tensors.keys()):
        found, expected = (
            str(tuple(some[name].shape)) if name in some else "nothing" for some in (tensors, wanted)
        )  # fmt: skip
        if found != expected:
            raise BadFile(path, name, found, expected)
    denoiser.load_state_dict({name: value.float() for name, value in tensors.items()})
    try:
        known = Moments.of_tensors(moments)
        fps, facts = float(about["fps"]), dict(about["facts"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadFile(path, "moments, fps, facts", str(error), "what `synth train` writes") from None
    return Model(denoiser.to(device).eval(), config, known.to(device), fps, facts)
