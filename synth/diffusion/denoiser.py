"""The denoiser: one transformer over everybody's motion, told the words, who is who, their bodies and the room.

Thesis 2.5 and 4.4-4.5, with what later work found to pay: the people share all weights and see each other in every
layer (InterGen, Liang et al. 2024), `patch` frames make a token, time is rotary (RoFormer, Su et al. 2021) and the
diffusion step modulates every layer from one shared table (adaLN-single, PixArt-alpha, Chen et al. 2024).

Who is who is where their tokens are: a slot that no step of the sampling changes. No weight knows a slot's number, so
swapping two people (their noise and all that is said of them) swaps the result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synth.diffusion.basis import Basis
from synth.diffusion.data import Condition
from synth.diffusion.features import FEATURES
from synth.diffusion.scene import CELLS, FURNITURE
from synth.taxonomy import ROLES
from synth.text import WIDTH as TEXT

BETAS = 10
Keys = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Size:
    """Size of a transformer over everybody's motion.

    Attributes:
        width: of a token. layers, heads: of the transformer. patch: frames a token.
        steps: of the diffusion process, which scale the embedding of t.
    """

    width: int = field(default=256, metadata={"range": (8, 4096)})
    layers: int = field(default=8, metadata={"range": (1, 64)})
    heads: int = field(default=4, metadata={"range": (1, 64)})
    patch: int = field(default=4, metadata={"range": (1, 60)})
    dropout: float = field(default=0.1, metadata={"range": (0, 0.9)})
    steps: int = field(default=1000, metadata={"range": (2, 10**5)})


@dataclass(frozen=True)
class DenoiserConfig(Size):
    """Size of the denoiser.

    Attributes:
        text: width of the words' embeddings. cells: of a height map's side in one token; 0 leaves the map out.
        points: whether furniture comes as groups of 64 surface points (thesis 4.4) besides its boxes.
        components: of the frame that `synth.diffusion.basis` gives the network's numbers; 0: it works on the features.
    """

    text: int = field(default=TEXT, metadata={"range": (1, 8192)})
    cells: int = field(default=8, metadata={"among": (0, 4, 8, 16)})
    points: bool = False
    components: int = field(default=0, metadata={"range": (0, 10**4)})


@dataclass(frozen=True)
class Told:
    """What the denoiser makes of a condition, which no step of a sampling changes.

    Attributes:
        said: [B, P, 1, width] of each person. keys: of each layer, the context's keys and values [B, H, C, width / H].
        known: bool [B, 1, 1, C], context that is there. seen: `visible`.
    """

    said: Tensor
    keys: tuple[Keys, ...]
    known: Tensor
    seen: Tensor


class Denoiser(nn.Module):
    """Predicts the clean motion (or the noise, or v: the objective that it was trained with) of up to three people.

    Args:
        x: [B, P, T, 205] normalised features with noise; T a multiple of `patch`.
        t: [B] steps of the diffusion process, 0 to T - 1.
        condition: what is known; see `synth.diffusion.data.Condition`.
        told: what `told` made of that condition; a sampling makes it once and not at every step.

    Returns:
        [B, P, T, 205] in the precision of x, whatever the weights'; zero where nobody is. What comes after an item's
        end means nothing.
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        numbers = config.components or config.patch * FEATURES
        self.basis = Basis(config.patch, numbers, config.steps) if config.components else None
        self.motion_in = nn.Linear(numbers, width)
        self.role = nn.Embedding(len(ROLES), width)
        self.shape = nn.Linear(BETAS, width)
        self.start = nn.Linear(FEATURES + 1, width)
        self.target = nn.Linear(3, width)
        self.context = Context(config)
        self.step = step_layers(width)
        self.modulation = nn.Linear(width, 9 * width)
        self.blocks: Any = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.last = nn.Parameter(torch.randn(2, width) / math.sqrt(width))
        self.motion_out = nn.Linear(width, numbers)
        for zeroed in (self.modulation, self.motion_out):  # every layer starts as the identity
            nn.init.zeros_(zeroed.weight)
            nn.init.zeros_(zeroed.bias)

    def forward(self, x: Tensor, t: Tensor, condition: Condition, told: Told | None = None) -> Tensor:
        batch, people, frames, _ = x.shape
        patch, width = self.config.patch, self.config.width
        count, dtype = frames // patch, self.motion_in.weight.dtype
        told = told or self.told(condition)
        given = x.reshape(batch, people, count, patch * FEATURES)
        if self.basis is not None:
            given, estimate, error = self.basis.split(given, t, condition.start, condition.start_mask)
        step = self.step(sinusoids(t * (1000.0 / self.config.steps), width).to(dtype))
        modulation = self.modulation(step).view(batch, 1, 1, 9, width)
        tokens = self.motion_in(given.to(dtype)) + told.said
        turn = rotary(count, width // self.config.heads, x.device, dtype)
        for block, keys in zip(self.blocks, told.keys, strict=True):
            tokens = block(tokens, modulation, turn, told.seen, keys, told.known)
        shift, scale = (self.last + step[:, None]).view(batch, 2, 1, 1, width).unbind(1)
        out = self.motion_out(normed(tokens) * (1 + scale) + shift).to(x.dtype)
        if self.basis is not None:
            out = self.basis.join(estimate + error * out)
        return out.view(batch, people, frames, FEATURES) * condition.present[..., None, None]

    def told(self, condition: Condition) -> Told:
        """What no step of a sampling changes."""
        dtype = self.motion_in.weight.dtype
        context, known = self.context(condition, dtype)
        seen = visible(alive_tokens(condition, self.config.patch), condition.together)
        keys = tuple(block.context.keys(context) for block in self.blocks)
        return Told(self._said(condition, dtype)[:, :, None], keys, known[:, None, None], seen)

    def _said(self, condition: Condition, dtype: torch.dtype) -> Tensor:
        """What is said of each person, [B, P, width]."""
        start = torch.cat((condition.start * condition.start_mask[..., None], condition.start_mask[..., None]), -1)
        target = torch.cat((condition.target * condition.target_mask[..., None], condition.target_mask[..., None]), -1)
        said = self.role(condition.roles) + self.shape(condition.betas.to(dtype))
        return said + self.start(start.to(dtype)) + self.target(target.to(dtype))


class Context(nn.Module):
    """The words and the room as tokens that everybody attends to: [B, C, width] and which of them are there."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        width = config.width
        self.cells = config.cells
        self.text = nn.Linear(config.text, width)
        self.furniture = nn.Sequential(nn.Linear(FURNITURE, width), nn.SiLU(), nn.Linear(width, width))
        self.nothing = nn.Parameter(torch.randn(width) / math.sqrt(width))  # so that there is always one token
        self.kinds = nn.Parameter(torch.randn(4, width) / math.sqrt(width))
        if config.cells:
            side = CELLS // config.cells
            self.heights = nn.Linear(config.cells**2, width)
            self.places = nn.Parameter(torch.randn(side * side, width) / math.sqrt(width))
        self.points = nn.Sequential(nn.Linear(3, width), nn.SiLU(), nn.Linear(width, width)) if config.points else None

    def forward(self, condition: Condition, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        batch = len(condition.text)
        words = self.text(condition.text.to(dtype)) + self.kinds[0]
        things = self.furniture(condition.furniture.to(dtype)) + self.kinds[1]
        tokens = [self.nothing.to(dtype).expand(batch, 1, -1), words, things]
        known = [torch.ones_like(condition.text_mask[:, :1]), condition.text_mask, condition.furniture_mask]
        some = condition.furniture_mask.any(1, keepdim=True)
        if self.cells:
            side = CELLS // self.cells
            patches = condition.heights.to(dtype).view(batch, side, self.cells, side, self.cells)
            patches = patches.transpose(2, 3).reshape(batch, side * side, self.cells**2)
            tokens.append(self.heights(patches) + self.places + self.kinds[2])
            known.append(some.expand(-1, side * side))
        if self.points is not None:
            groups = condition.points.to(dtype)  # [B, G, 64, 3]
            tokens.append(self.points(groups).amax(2) + self.kinds[3])
            known.append(some.expand(-1, groups.shape[1]))
        return torch.cat(tokens, 1), torch.cat(known, 1)


class Block(nn.Module):
    """Motion looks at all motion, then at the context if there is one; each modulated by the diffusion step."""

    def __init__(self, config: Size, context: bool = True) -> None:
        super().__init__()
        width = config.width
        self.table = nn.Parameter(torch.zeros(9 if context else 6, width))
        self.motion = MotionAttention(width, config.heads)
        self.context = ContextAttention(width, config.heads) if context else None
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Dropout(config.dropout),
            nn.Linear(4 * width, width),
        )  # fmt: skip
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, tokens: Tensor, modulation: Tensor, turn: tuple[Tensor, Tensor], seen: Tensor, keys: Keys | None = None,
        known: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        a, b, c, *middle, g, h, i = (modulation + self.table).unbind(3)
        tokens = tokens + c * self.dropout(self.motion(normed(tokens) * (1 + b) + a, turn, seen))
        if self.context is not None:
            d, e, f = middle
            tokens = tokens + f * self.dropout(self.context(normed(tokens) * (1 + e) + d, keys, known))
        return tokens + i * self.dropout(self.mlp(normed(tokens) * (1 + h) + g))


class MotionAttention(nn.Module):
    """Each person's tokens attend to their own and to everybody else's, told apart by one learned vector each."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.relation = nn.Parameter(torch.randn(2, width) / math.sqrt(width))  # of the others, of oneself

    def forward(self, tokens: Tensor, turn: tuple[Tensor, Tensor], seen: Tensor) -> Tensor:
        """tokens [B, P, N, D]; turn: `rotary`; seen bool [B, P, P * N]."""
        batch, people, count, width = tokens.shape
        query = rotated(self._split(self.query(tokens)), turn)  # [B, P, H, N, d]
        own = torch.eye(people, dtype=torch.long, device=tokens.device)  # [P, P]
        # the product with (tokens + relation), but with each token and each relation once
        told = F.linear(self.relation, self.key_value.weight)[own][None, :, :, None]  # [1, P, P, 1, 2 D]
        key, value = (self.key_value(tokens)[:, None] + told).chunk(2, -1)  # [B, P, P, N, D]
        key = rotated(self._split(key), turn)  # [B, P, P, H, N, d]
        key, value = (
            item.transpose(2, 3).reshape(batch * people, self.heads, people * count, -1)
            for item in (key, self._split(value))
        )
        mask = seen.reshape(batch * people, 1, 1, people * count)
        mixed = F.scaled_dot_product_attention(query.flatten(0, 1), key, value, attn_mask=mask)
        return self.out(mixed.transpose(1, 2).reshape(batch, people, count, width))

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (self.heads, -1)).transpose(-3, -2)


class ContextAttention(nn.Module):
    """Everybody's tokens attend to the context, which is the same for all people."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)

    def forward(self, tokens: Tensor, keys: Keys, known: Tensor) -> Tensor:
        """tokens [B, P, N, D]; keys: `keys`; known bool [B, 1, 1, C]."""
        query = self._split(self.query(tokens).flatten(1, 2))
        mixed = F.scaled_dot_product_attention(query, *keys, attn_mask=known)
        return self.out(mixed.transpose(1, 2).reshape(tokens.shape))

    def keys(self, context: Tensor) -> Keys:
        """Keys and values [B, H, C, D / H] of a context [B, C, D]."""
        key, value = self.key_value(context).chunk(2, -1)
        return self._split(key), self._split(value)

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def step_layers(width: int) -> nn.Sequential:
    """From the sinusoids of a diffusion step to what modulates the layers."""
    return nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())


def alive_tokens(condition: Condition, patch: int) -> Tensor:
    """Tokens of `patch` frames that mean something, bool [B, P, N]."""
    return condition.frames[:, ::patch][:, None] & condition.present[..., None]


def visible(alive: Tensor, together: Tensor) -> Tensor:
    """Which tokens a person's tokens may look at, [B, P, P * N].

    Args:
        alive: bool [B, P, N], a person's tokens that mean something.
        together: bool [B]; where false nobody sees the others (guidance compares the two).
    """
    batch, people, count = alive.shape
    own = torch.eye(people, dtype=torch.bool, device=alive.device)
    seen = alive[:, None] & (own[..., None] | together[:, None, None, None])  # [B, P, P, N]
    # who is absent would look at nothing, which gives NaN: let them look at themselves, nobody looks at them
    seen = seen | (own[..., None] & ~alive.any(-1)[:, :, None, None])
    return seen.reshape(batch, people, people * count)


def normed(tokens: Tensor) -> Tensor:
    """Layer normalisation without weights of its own: the modulation brings them."""
    return F.layer_norm(tokens, tokens.shape[-1:])


def sinusoids(t: Tensor, width: int) -> Tensor:
    """Sines and cosines of steps t [B] (0 to 1000), [B, width] float32 (Vaswani et al. 2017)."""
    half = width // 2
    speed = torch.exp(-math.log(10000.0) * torch.arange(half, device=t.device, dtype=torch.float32) / half)
    angle = t.float()[:, None] * speed
    return torch.cat((torch.cos(angle), torch.sin(angle)), -1)


def rotary(count: int, width: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines [count, width / 2] by which queries and keys of `count` moments are turned."""
    speed = 1000.0 ** (-torch.arange(width // 2, device=device, dtype=torch.float32) / (width // 2))
    angle = torch.arange(count, device=device, dtype=torch.float32)[:, None] * speed
    return torch.cos(angle).to(dtype), torch.sin(angle).to(dtype)


def rotated(tokens: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """[..., N, d] with pairs of channels turned by their moment."""
    cos, sin = turn
    a, b = tokens.chunk(2, -1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)
