"""Places on bodies, and terms that tie them to others: contact, gaze, rest on surfaces, planted feet, the floor.

Terms are as in `synth.motion.terms`: residuals in standard deviations. The world has z up, metres, the floor at z = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from synth.errors import BadOption
from synth.motion.fit import State, mix_of


@dataclass(frozen=True)
class Points:
    """N points (and directions) fixed to joints of people: person [N], joint [N], offset [N, 3], normal [N, 3] or None.

    Offsets and normals are in the joint's own frame. A person of -1 means the world: the offset is a world position.
    """

    person: Tensor
    joint: Tensor
    offset: Tensor
    normal: Tensor | None = None

    @staticmethod
    def of(entries: Sequence[tuple[int, int, ArrayLike, ArrayLike]]) -> Points:
        """From a list of (person, joint, offset, normal)."""
        person, joint, offset, normal = zip(*entries, strict=True)
        return Points(
            torch.tensor(person), torch.tensor(joint),
            torch.from_numpy(np.asarray(offset, np.float32)), torch.from_numpy(np.asarray(normal, np.float32)),
        )  # fmt: skip

    def where(self, state: State) -> Tensor:
        """World positions [N, T, 3]."""
        return state.places(self._mix) + self._still(self.offset)

    def heights(self, state: State) -> Tensor:
        """z of the world positions [N, T]."""
        return state.heights(self._mix) + self._still(self.offset)[..., 2]

    def facing(self, state: State) -> Tensor:
        """World directions of the normals [N, T, 3]."""
        if self.normal is None:
            raise BadOption("Points.normal", None, "a normal for every point")
        return state.places(self._turn) + self._still(self.normal)

    @cached_property
    def _mix(self) -> Tensor:
        return self._mixed(self.offset, 1.0)

    @cached_property
    def _turn(self) -> Tensor:
        assert self.normal is not None
        return self._mixed(self.normal, 0.0)

    def _mixed(self, vectors: Tensor, place: float) -> Tensor:
        moves = (self.person >= 0).float()[:, None]
        return mix_of(self.person.clamp_min(0), self.joint[:, None], vectors[:, None], moves, place)

    def _still(self, vectors: Tensor) -> Tensor:
        """Of what is fixed to the world [N, 1, 3], 0 elsewhere."""
        return torch.where((self.person < 0)[:, None], vectors, 0.0)[:, None]


@dataclass(frozen=True)
class Skin:
    """N points of the skin as linear blend skinning moves them: each is a mean of M points fixed to joints.

    person [N], joint [N, M], offset [N, M, 3] (in each joint's own frame), share [N, M] (the weights, rows sum to 1).
    Exact for bodies without pose correctives. Serves wherever only positions are asked for (`Floor`, `Resting`).
    """

    person: Tensor
    joint: Tensor
    offset: Tensor
    share: Tensor

    def where(self, state: State) -> Tensor:
        """World positions [N, T, 3]."""
        return state.places(self._mix)

    def heights(self, state: State) -> Tensor:
        """z of the world positions [N, T]."""
        return state.heights(self._mix)

    @cached_property
    def _mix(self) -> Tensor:
        return mix_of(self.person, self.joint, self.offset, self.share)


@dataclass(frozen=True)
class ContactHold:
    """Point a of one body stays at point b (of another body or the world) while window [N, T] > 0.

    `slack` metres apart are free. Where `turn` > 0 the normals face each other, sigma `turn` radians.
    `vertical` keeps the height only (a seat: one may sit anywhere on it).
    """

    a: Points
    b: Points
    window: Tensor
    sigma: float = 0.006
    slack: float = 0.0
    turn: float = 0.0
    vertical: bool = False
    name: str = "contact"

    def residual(self, state: State) -> Tensor:
        weight = self.window.sqrt().unsqueeze(-1)
        gap = self.a.where(state) - self.b.where(state)
        if self.vertical:
            gap = gap[..., 2:]
        if self.slack > 0:
            size = (gap * gap).sum(-1, keepdim=True).add(1e-12).sqrt()
            gap = gap * (torch.relu(size - self.slack) / size)
        parts = [gap * weight / self.sigma]
        if self.turn > 0:
            parts.append((self.a.facing(state) + self.b.facing(state)) * weight / self.turn)
        return torch.cat(parts, -1)


@dataclass(frozen=True)
class LookAt:
    """A direction fixed to a joint (the face, a palm) points at a target point, window [N, T], sigma in radians.

    Within `free` radians of the target nothing is asked.
    """

    eye: Points
    target: Points
    window: Tensor
    sigma: float = 0.3
    free: float = 0.15
    name: str = "look_at"

    def residual(self, state: State) -> Tensor:
        line = self.target.where(state) - self.eye.where(state)
        line = line / (line * line).sum(-1, keepdim=True).add(1e-6).sqrt()
        off = self.eye.facing(state) - line
        size = (off * off).sum(-1, keepdim=True).add(1e-9).sqrt()
        return off * (torch.relu(size - self.free) / size) * (self.window.sqrt() / self.sigma).unsqueeze(-1)


@dataclass(frozen=True)
class Resting:
    """Flesh rests on a level surface: the lowest point of each patch of skin is at the patch's height.

    skin N points (of skin, or fixed to joints), patch [N] (which of the K patches a point belongs to), height [K]
    metres, window [K, T].
    """

    skin: Skin | Points
    patch: Tensor
    height: Tensor
    window: Tensor
    sigma: float = 0.006
    name: str = "seat"

    def gap(self, state: State) -> Tensor:
        """Metres between each patch's lowest point and its surface [K, T]; negative when pressed in."""
        heights = self.skin.heights(state)
        lowest = torch.stack([heights.index_select(0, rows).amin(0) for rows in self._rows])
        return lowest - self.height[:, None]

    def residual(self, state: State) -> Tensor:
        return self.gap(state) * self.window.sqrt() / self.sigma

    @cached_property
    def _rows(self) -> list[Tensor]:
        return [(self.patch == k).nonzero()[:, 0] for k in range(len(self.height))]


@dataclass(frozen=True)
class FootLock:
    """Sole points stand at their anchors [N, T, 3] while window [N, T] > 0 (planted); heights included."""

    soles: Points
    anchor: Tensor
    window: Tensor
    sigma: float = 0.003
    name: str = "foot_lock"

    def residual(self, state: State) -> Tensor:
        return (self.soles.where(state) - self.anchor) * (self.window.sqrt() / self.sigma).unsqueeze(-1)


@dataclass(frozen=True)
class Floor:
    """Points, or spheres of radius [N] about them, stay above the floor z = 0; window [N, T], sigma in metres."""

    points: Points | Skin
    sigma: float = 0.004
    name: str = "floor"
    radius: Tensor | None = None
    window: Tensor | None = None

    def depth(self, state: State) -> Tensor:
        """Metres [N, T] below the floor, 0 above it."""
        height = self.points.heights(state)
        return torch.relu(-height if self.radius is None else self.radius[:, None] - height)

    def residual(self, state: State) -> Tensor:
        depth = self.depth(state) / self.sigma
        return depth if self.window is None else depth * self.window.sqrt()
