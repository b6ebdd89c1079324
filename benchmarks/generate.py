"""How fast is a motion sampled? `python -m benchmarks.generate --json [--model FILE] [--batch 16]`.

Two people, `--seconds` of motion, in a built-in room: alone and in a batch, with the sampler, classifier-free guidance
and physical guidance that `synth.diffusion.sample` has by default, from scenario to SMPL. Beside it a plain loop with
the same network, noise and classifier-free guidance: DDIM, 50 steps, float32, nothing worked out beforehand, no
physical guidance. The two are timed in turn, `--rounds` times; the ratio is the median of the rounds' own ratios.

With `--untrained` the network is the default configuration's with random weights, which cost the same. The share of the
peak rate is that of the network's products, counted by PyTorch, in what large square products of the same precision
reach on the same device.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from synth.body import BodyModel, load_body
from synth.corpus.library import library
from synth.corpus.rows import FEATURES, to_rows
from synth.diffusion.checkpoint import Model, load_model
from synth.diffusion.config import read_train_config
from synth.diffusion.data import Condition
from synth.diffusion.denoiser import Denoiser
from synth.diffusion.features import Moments
from synth.diffusion.generate import found_model
from synth.diffusion.guidance import Hold, Physics, Scales
from synth.diffusion.quick import PRECISIONS, bf16_pays, quick
from synth.diffusion.sample import Sampled, Sampling, Scenario, sample, without_labels
from synth.diffusion.samplers import SAMPLERS
from synth.interaction import Interaction
from synth.rooms import load_room
from synth.text import TokenEmbeddings

ROOM, WORDS, FPS = "ward_01", 14, 20.0
PLAIN = Sampling("ddim", 50, Scales(), None)


class Plain(nn.Module):
    """A network that is asked everything at every step, as any function of x, t and a condition is."""

    def __init__(self, net: Denoiser) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        return self.net(x, t, condition)


def untrained(start: Interaction, body: BodyModel) -> Model:
    """The default configuration's network with weights of which none is zero, as at the start of a training."""
    config = read_train_config("default")
    torch.manual_seed(0)
    net = Denoiser(config.model).eval()
    with torch.no_grad():
        for value in net.parameters():
            value.add_(0.02 * torch.randn_like(value))
    mean = torch.from_numpy(to_rows(start, body)[0][:, 0, :FEATURES].mean(0)).float()
    return Model(net, config, Moments(mean, torch.full((FEATURES,), 0.1)), FPS, {})


def scenario() -> Scenario:
    """A pair in a room with furniture and walls about them, a hand to be held."""
    motion = next(item for item in library() if item.people == 2).load().resample(FPS)
    room = load_room(ROOM)
    start = without_labels(motion)
    hold = Hold(person=0, joint=21, other=1, other_joint=20, start=2.0, end=6.0)
    return replace(Scenario.in_room(start, "a pair", room, draft=motion), asked=(hold,))


def measure(
    model: Model, swift: Model, body: BodyModel, batch: int, seconds: float, sampling: Sampling, rounds: int
) -> dict[str, Any]:
    """Seconds a motion of both loops, and their ratio, in a batch of this size."""
    one = scenario()
    scenarios = [one] * batch
    rng = np.random.default_rng(0)
    width = model.config.model.text
    texts = TokenEmbeddings(
        rng.normal(size=(batch, 32, width)).astype(np.float32), np.tile(np.arange(32) < WORDS, (batch, 1))
    )
    plain_model = replace(model, denoiser=Plain(model.denoiser))  # type: ignore[arg-type]

    def made(by: Model, how: Sampling) -> list[Sampled]:
        return sample(by, scenarios, texts, seconds, body, np.random.SeedSequence(0), how)

    unguided = replace(sampling, physics=None)
    loops = {
        "fast": lambda: made(swift, sampling),
        "unguided": lambda: made(swift, unguided),
        "plain": lambda: made(plain_model, PLAIN),
    }
    with FlopCounterMode(display=False) as counter:  # of the network as it is: under the counter nothing is compiled
        made(model, unguided)
    for loop in loops.values():  # warms up, and compiles
        loop()
    times: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            times[name].append(timed(loop))
    a_motion = {name: float(np.median(values)) / batch for name, values in times.items()}
    ratios = np.array(times["plain"]) / np.array(times["fast"])
    return {
        "batch": batch,
        "seconds_a_motion": round(a_motion["fast"], 4),
        "without_physical": round(a_motion["unguided"], 4),
        "plain": round(a_motion["plain"], 4),
        "plain_over_fast": round(float(np.median(ratios)), 3),
        "plain_over_fast_of_rounds": [round(float(ratio), 3) for ratio in ratios],
        "motions_a_second": round(1 / a_motion["fast"], 3),
        "gflop_a_motion": round(counter.get_total_flops() / batch / 1e9, 2),
        "network_flop_a_second": counter.get_total_flops() / batch / a_motion["unguided"],
    }


def timed(loop: Callable[[], object]) -> float:
    """Seconds on the wall; a GPU's work is waited for."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    since = time.perf_counter()
    loop()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - since


def peak(device: torch.device, dtype: torch.dtype) -> float:
    """Floating point operations a second that large square products reach."""
    side = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    torch.mm(a, b)
    return 2 * side**3 / min(timed(lambda: torch.mm(a, b)) for _ in range(5))


def run(options: argparse.Namespace) -> dict[str, Any]:
    body, device = load_body(), torch.device(options.device)
    model = untrained(scenario().start, body) if options.untrained else load_model(found_model(options.model))
    model = replace(model, denoiser=model.denoiser.to(device), moments=model.moments.to(device))
    swift = quick(model, options.precision, options.compile)
    scales = Scales(text=options.text, first=options.first, last=options.last)
    sampling = Sampling(options.sampler, options.count, scales, Physics(), strength=options.strength)
    best = peak(device, PRECISIONS[options.precision])
    results = []
    for batch in (1, options.batch) if options.batch > 1 else (1,):
        found = measure(model, swift, body, batch, options.seconds, sampling, options.rounds)
        found["share_of_peak"] = round(found.pop("network_flop_a_second") / best, 3)
        results.append(found)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.cpu.get_capabilities()["cpu_name"]
    return {
        "device": where, "threads": torch.get_num_threads(), "torch": torch.__version__,
        "model": "random weights" if options.untrained else options.model.name if options.model else "packaged",
        "parameters": sum(value.numel() for value in model.denoiser.parameters()),
        "precision": options.precision, "compiled": options.compile, "seconds": options.seconds,
        "sampling": asdict(sampling), "plain": "ddim, 50 steps, fp32, same classifier-free guidance, no physical",
        "peak_tflops": round(best / 1e12, 4), "bf16_in_hardware": bf16_pays(device), "results": results,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description=__doc__.split("\n")[0])
    gpu = torch.cuda.is_available()
    parser.add_argument("--model", type=Path, help="a trained model; by default the packaged one")
    parser.add_argument("--untrained", action="store_true", help="the default configuration's network, random weights")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--sampler", choices=sorted(SAMPLERS), default=Sampling().sampler)
    parser.add_argument("--count", type=int, default=Sampling().count, help="steps")
    parser.add_argument("--strength", type=float, default=Sampling().strength, help="of the draft's remaking; 1: none")
    parser.add_argument("--seconds", type=float, default=10.0, help="of motion")
    parser.add_argument("--text", type=float, default=Scales().text, help="weight of the words")
    parser.add_argument("--first", type=float, default=Scales().first, help="share of the steps where weights begin")
    parser.add_argument("--last", type=float, default=Scales().last, help="share of the steps where weights end")
    parser.add_argument("--precision", choices=sorted(PRECISIONS), default="bf16" if gpu else "fp32")
    parser.add_argument("--compile", action="store_true", help="compile the network first")
    parser.add_argument("--device", default="cuda" if gpu else "cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="of the processor; by default all that PyTorch takes")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(json.dumps(run(options), indent=None if options.json else 1))


if __name__ == "__main__":
    main()
