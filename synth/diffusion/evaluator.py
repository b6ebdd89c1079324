"""Our own judge of whether motion and words fit: two small encoders into one space (as CLIP, Radford et al. 2021; of
motion TMR, Petrovich et al. 2023).

It is trained on the training split of our corpus alone (`synth.diffusion.contrast`), and its figures compare only with
figures of the same file of weights: they are not comparable with published numbers.

Who is first does not matter: people share all weights and are pooled, and a scene is looked at in the frame of each of
its people in turn. Who is staff and who patient is told only of people who are together; of one alone it would give
away what the words say without looking at the motion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synth.body.model import BodyModel
from synth.corpus.rows import COLUMNS, FEATURES, WIDTH, centred, to_rows
from synth.corpus.shards import Corpus
from synth.diffusion.checkpoint import fill, moments_tensors, pop_known, read_weights, weights_of, write_weights
from synth.diffusion.config import Updates, number
from synth.diffusion.data import PEOPLE
from synth.diffusion.denoiser import MotionAttention, rotary, visible
from synth.diffusion.features import Moments
from synth.diffusion.text import TokenTable
from synth.diffusion.windows import Draw
from synth.errors import BadFile, BadOption
from synth.interaction import Interaction
from synth.motion.fit import one_thread
from synth.rotation import Array
from synth.settings import settings_from
from synth.taxonomy import ROLES
from synth.text import WIDTH as TEXT

HEADER = "caresynth-evaluator"
CHUNK = 128  # items that are embedded at once
# Which soles stand is not looked at: it is decided by a threshold, and with it a motion on another body, the same to a
# centimetre, was another motion (a heel that lies on the floor stands, or does not).
SEEN = COLUMNS["contacts"].start


@dataclass(frozen=True)
class EvaluatorConfig(Updates):
    """Size and training of the evaluator; what is not listed is as for every training.

    Attributes:
        width: of a token. layers, heads: of each transformer. patch: frames a token. size: of an embedding.
        alike: cosine of the mean token embeddings from which two texts of one class say the same.
    """

    width: int = number(128, 8, 4096)
    layers: int = number(3, 1, 64)
    heads: int = number(4, 1, 64)
    patch: int = number(8, 1, 60)
    size: int = number(64, 2, 4096)
    dropout: float = number(0.1, 0, 0.9)
    updates: int = number(1500, 1, 10**8)
    batch: int = number(64, 2, 10**5)
    rate: float = number(1e-3, 0, 1)
    last_rate: float = number(0.02, 0, 1)
    warmup: int = number(100, 0, 10**8)
    weight_decay: float = number(0.05, 0, 10)
    ema: float = number(0.995, 0, 1)
    alike: float = number(0.96, 0, 1)
    save_every: int = number(250, 1, 10**8)

    def checked(self, where: str | Path) -> EvaluatorConfig:
        """Itself. Raises BadFile: settings that do not go together."""
        if self.frames % self.patch:
            raise BadFile(where, "frames", self.frames, f"a multiple of patch, {self.patch}")
        if self.width % (2 * self.heads):
            raise BadFile(where, "width", self.width, f"a multiple of twice heads, {2 * self.heads}")
        return self


@dataclass(frozen=True)
class Sample:
    """A motion to be judged.

    Attributes:
        features: [P, T, 205] in metres and so on (`synth.corpus.rows`), in any one frame; all people there throughout.
        roles: of each person. caption: what it is to be. cls: its class in the taxonomy, where known.
    """

    features: Array
    roles: tuple[str, ...]
    caption: str
    cls: str | None = None

    def __post_init__(self) -> None:
        shape = self.features.shape
        if len(shape) != 3 or shape[2] != FEATURES or not 1 <= shape[0] <= PEOPLE or shape[1] < 1:
            raise BadOption("features", str(shape), f"1 to {PEOPLE} people, one or more frames, {FEATURES} features")
        if not np.isfinite(self.features).all():
            raise BadOption("features", "NaN or infinity", "finite numbers")
        if len(self.roles) != shape[0] or not set(self.roles) <= set(ROLES):
            raise BadOption("roles", ", ".join(self.roles), f"one of {', '.join(ROLES)} for each of {shape[0]} people")

    @staticmethod
    def of(motion: Interaction, caption: str, body: BodyModel, fps: float) -> Sample:
        """Any motion at the evaluator's frame rate, from its first to its last frame in which most people are there."""
        motion = motion.resample(fps)
        count = motion.present.sum(0)
        frames = np.flatnonzero(count == count.max())
        rows, _ = to_rows(motion, body)
        return _sample(rows[:, frames[0] : frames[-1] + 1], motion.meta.roles, caption, motion.meta.interaction_class)


def sample_of(corpus: Corpus, draw: Draw) -> Sample:
    """An item of a training set."""
    entry, order = corpus.entries[draw.index], list(draw.order)
    rows = np.asarray(corpus.sequence(draw.index)[order, draw.start : draw.start + draw.frames])
    roles = entry.meta.get("roles", ())
    return _sample(rows, tuple(roles[person] for person in order), draw.caption, entry.interaction_class)


def _sample(rows: Array, roles: Sequence[str], caption: str, cls: str | None) -> Sample:
    """Of rows [P, T, 224]: those people that are there throughout."""
    here = (rows[..., -1] > 0.5).all(1)
    kept = tuple(role for role, there in zip(roles, here, strict=True) if there)
    return Sample(rows[here][..., :FEATURES], kept, caption, cls)


@dataclass(frozen=True)
class Stack:
    """Motions side by side: x float32 [B, P, T, 205] normalised, present bool [B, P], frames bool [B, T], roles [B, P]
    long. What x holds where nobody is and after the end does not matter."""

    x: Tensor
    present: Tensor
    frames: Tensor
    roles: Tensor


def stacked(samples: Sequence[Sample], moments: Moments, config: EvaluatorConfig) -> Stack:
    """Samples in the frame of the first person of each, their first `config.frames` frames."""
    people = max(len(item.features) for item in samples)
    lengths = [min(item.features.shape[1], config.frames) for item in samples]
    longest = -(-max(lengths) // config.patch) * config.patch
    rows = np.zeros((len(samples), people, longest, WIDTH), np.float32)
    roles = np.zeros((len(samples), people), np.int64)
    for at, (item, length) in enumerate(zip(samples, lengths, strict=True)):
        rows[at, : len(item.features), :length, :FEATURES] = item.features[:, :length]
        rows[at, : len(item.features), :length, -1] = 1
        roles[at, : len(item.features)] = [ROLES.index(role) for role in item.roles]
    here = torch.from_numpy(rows[..., -1] > 0.5)
    x = moments.normalise(torch.from_numpy(np.ascontiguousarray(centred(rows)[..., :FEATURES])))
    return Stack(x * here[..., None], here.any(2), here.any(1), torch.from_numpy(roles))


class Tower(nn.Module):
    """A transformer over the tokens of one or several sequences, pooled to one unit vector [B, size].

    Args:
        tokens: [B, P, N, width]. alive: bool [B, P, N].
    """

    def __init__(self, config: EvaluatorConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.out = nn.Linear(2 * config.width, config.size)

    def forward(self, tokens: Tensor, alive: Tensor) -> Tensor:
        batch, _, count, width = tokens.shape
        turn = rotary(count, width // self.heads, tokens.device, tokens.dtype)
        seen = visible(alive, torch.ones(batch, dtype=torch.bool, device=tokens.device))
        for layer in self.layers:
            tokens = layer(tokens, turn, seen)
        tokens, there = self.norm(tokens).flatten(1, 2), alive.flatten(1)[..., None]
        mean = (tokens * there).sum(1) / there.sum(1).clamp_min(1)
        most = tokens.masked_fill(~there, -torch.inf).amax(1)
        most = torch.where(there.any(1), most, torch.zeros_like(most))
        return F.normalize(self.out(torch.cat((mean, most), -1)), dim=-1)


class Layer(nn.Module):
    """Tokens look at their own sequence and at the others' (the denoiser's attention), then at themselves."""

    def __init__(self, config: EvaluatorConfig) -> None:
        super().__init__()
        width = config.width
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.attention = MotionAttention(width, config.heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Dropout(config.dropout),
            nn.Linear(4 * width, width),
        )  # fmt: skip
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor, turn: tuple[Tensor, Tensor], seen: Tensor) -> Tensor:
        tokens = tokens + self.dropout(self.attention(self.norms[0](tokens), turn, seen))
        return tokens + self.dropout(self.mlp(self.norms[1](tokens)))


class TwoTowers(nn.Module):
    """The network: `motion` and `text` give unit vectors [B, size], `scale` is one over the learned temperature."""

    def __init__(self, config: EvaluatorConfig) -> None:
        super().__init__()
        self.config = config
        self.motion_in = nn.Linear(config.patch * SEEN, config.width)
        self.role = nn.Embedding(len(ROLES), config.width)
        self.text_in = nn.Linear(TEXT, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.motions, self.texts = Tower(config), Tower(config)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))  # where CLIP starts

    def motion(self, stack: Stack) -> Tensor:
        patch = self.config.patch
        there = stack.present[..., None] & stack.frames[:, None]  # [B, P, T]
        x = torch.where(there[..., None], stack.x[..., :SEEN], stack.x.new_zeros(()))
        tokens = self.motion_in(x.unflatten(2, (-1, patch)).flatten(3))
        together = stack.present.sum(1) > 1
        tokens = tokens + (self.role(stack.roles) * together[:, None, None])[:, :, None]
        return self.motions(self.dropout(tokens), there[..., ::patch])

    def text(self, values: Tensor, mask: Tensor) -> Tensor:
        """values [B, L, 384]; mask bool [B, L]."""
        return self.texts(self.dropout(self.text_in(values))[:, None], mask[:, None])

    @property
    def scale(self) -> Tensor:
        return self.log_scale.exp().clamp_max(100.0)

    def motions_of(self, samples: Sequence[Sample], moments: Moments) -> Tensor:
        """Embeddings of samples [B, size], each seen from its first person; a stack for each number of people."""
        device = self.log_scale.device
        counts = np.array([len(item.features) for item in samples])
        found = torch.zeros(len(samples), self.config.size, device=device)
        for count in np.unique(counts):
            where = np.flatnonzero(counts == count)
            stack = stacked([samples[at] for at in where], moments, self.config)
            moved = Stack(*(getattr(stack, name).to(device) for name in ("x", "present", "frames", "roles")))
            found = found.index_copy(0, torch.from_numpy(where).to(device), self.motion(moved))
        return found


@dataclass(frozen=True)
class Evaluator:
    """A trained evaluator: in evaluation mode.

    Attributes:
        moments: of the features that it was trained on. fps: of its motions.
        facts: what it was trained on.
    """

    net: TwoTowers
    config: EvaluatorConfig
    moments: Moments
    fps: float
    facts: dict[str, Any]

    @torch.no_grad()
    def motions(self, samples: Sequence[Sample]) -> Array:
        """Unit embeddings float64 [N, size]; neither the people's order nor where the scene is and faces matters."""
        views: list[Sample] = []
        owner: list[int] = []
        for at, item in enumerate(samples):
            for first in range(len(item.features)):
                order = [first, *(person for person in range(len(item.features)) if person != first)]
                views.append(Sample(item.features[order], tuple(item.roles[p] for p in order), item.caption, item.cls))
                owner.append(at)
        total = np.zeros((len(samples), self.config.size))
        with one_thread():
            for start in range(0, len(views), CHUNK):
                found = self.net.motions_of(views[start : start + CHUNK], self.moments).double().cpu().numpy()
                np.add.at(total, owner[start : start + CHUNK], found)
        return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)

    @torch.no_grad()
    def texts(self, texts: Sequence[str], table: TokenTable) -> Array:
        """Unit embeddings float64 [N, size]. Raises BadOption: a text is not in the table."""
        device, found = self.net.log_scale.device, [np.zeros((0, self.config.size))]
        with one_thread():
            for start in range(0, len(texts), CHUNK):
                values, mask = (torch.from_numpy(a).to(device) for a in table.lookup(texts[start : start + CHUNK]))
                found.append(self.net.text(values, mask).double().cpu().numpy())
        return np.concatenate(found)


def save_evaluator(evaluator: Evaluator, path: Path, half: bool = True) -> None:
    """Write an evaluator as safetensors; `half` keeps the weights as float16."""
    about = {"config": evaluator.config.to_json(), "fps": evaluator.fps, "facts": evaluator.facts}
    write_weights(path, weights_of(evaluator.net, half) | moments_tensors(evaluator.moments), about, HEADER)


def load_evaluator(path: Path, device: str | torch.device = "cpu") -> Evaluator:
    """Read an evaluator. Raises BadFile: it is damaged, is something else, or of another version; says which entry."""
    tensors, about = read_weights(path, HEADER, "an evaluator that the training wrote")
    config = settings_from(EvaluatorConfig, about.get("config"), path, "config.").checked(path)
    moments, fps, facts = pop_known(tensors, about, path)
    net = TwoTowers(config)
    fill(net, tensors, path)
    return Evaluator(net.to(device).eval(), config, moments, fps, facts)
