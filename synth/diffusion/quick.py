"""A generator made ready to sample fast: in half precision, compiled."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import torch

from synth.diffusion.checkpoint import Model
from synth.errors import BadOption

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def quick(model: Model, precision: str = "fp32", compiled: bool = False) -> Model:
    """A copy of a model whose network computes in `precision`, compiled if asked for; the process stays in float32.

    bf16 pays on GPUs, and on processors that multiply it (`bf16_pays`); numbers then differ from machine to machine,
    which fp32's hardly do. Compiling takes about a minute, and again for every new shape (people, frames, batch).

    Raises:
        BadOption: no such precision.
    """
    if precision not in PRECISIONS:
        raise BadOption("precision", precision, f"one of {', '.join(PRECISIONS)}")
    net: Any = copy.deepcopy(model.denoiser).to(PRECISIONS[precision]).eval()
    net.basis = copy.deepcopy(model.denoiser.basis)  # what places people keeps its digits
    if compiled:
        net = torch.compile(net, dynamic=False)
    return replace(model, denoiser=net)


def bf16_pays(device: str | torch.device = "cpu") -> bool:
    """Whether the device multiplies bfloat16 in hardware: elsewhere it is emulated, and slower than float32."""
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    known = torch.cpu.get_capabilities()
    return any(known.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
