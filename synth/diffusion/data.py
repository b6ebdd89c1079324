"""From a training set to batches: windows of sequences in the frame of whoever is first, and all that is known of them.

batches = Batches(Corpus.open("CORPUS"), "train", batch=64, frames=240)
for step in range(resumed, 10000):
    batch = batches.at(step)    # depends on the seed and the step alone
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from synth.corpus.rows import BODY_WIDTH, COLUMNS, FEATURES, WIDTH, seen_from, starts
from synth.corpus.shards import Corpus
from synth.diffusion import scene
from synth.diffusion.features import Moments
from synth.diffusion.text import TokenTable, corpus_tokens
from synth.diffusion.windows import Draw, Known, crop, known_of
from synth.errors import BadOption
from synth.rotation import Array

PEOPLE = 3  # slots of a scene
SHORTEST = 2.0  # seconds of a window, of sequences that have them
BUCKET = 8  # batches that are drawn together and cut by length
LENGTHS = 10  # of batches
_STREAM = 2  # of the seed's streams of randomness, the one that draws batches
_PELVIS = slice(COLUMNS["joints"].start, COLUMNS["joints"].start + 2)

T = TypeVar("T", bound="Tensors")


@dataclass(frozen=True)
class Tensors:
    """What dataclasses of tensors (and of such dataclasses) share."""

    def to(self: T, device: str | torch.device) -> T:
        """The same on another device."""
        ahead = torch.device(device).type != "cpu"  # a GPU waits for what it is sent, the processor would not
        return self._each(lambda tensor: tensor.to(device, non_blocking=ahead))

    def pin_memory(self: T) -> T:
        """The same in memory that a GPU reads by itself; a `torch.utils.data.DataLoader` asks for it."""
        return self._each(lambda tensor: tensor.pin_memory())

    def __getitem__(self: T, rows: Tensor) -> T:
        """The items of these rows."""
        return self._each(lambda tensor: tensor[rows])

    def _each(self: T, change: Callable[[Tensor], Tensor]) -> T:
        def changed(value: Any) -> Any:
            return value._each(change) if isinstance(value, Tensors) else change(value)

        return replace(self, **{item.name: changed(getattr(self, item.name)) for item in fields(self)})


@dataclass(frozen=True)
class Condition(Tensors):
    """What is known of a motion: B items, P people, T frames, L text tokens, S pieces of furniture, G groups of points.

    One frame for all: z up, metres, the first person starts over the origin and faces +x.

    Attributes:
        text, text_mask: float [B, L, 384], bool [B, L]; all false: nothing is said.
        roles: long [B, P], index in `taxonomy.ROLES`; 0 where nobody is.
        betas, rest: float [B, P, 10], rest joints [B, P, 24, 3].
        present: bool [B, P]. frames: bool [B, T], false after the end.
        furniture, furniture_mask: float [B, S, F] (`scene.FIELDS`), bool [B, S].
        heights: float [B, 32, 32] metres.
        start, start_mask: float [B, P, 205] normalised features of frame 0, bool [B, P].
        target, target_mask: float [B, P, 2] where the pelvis is in the last frame, metres; bool [B, P].
        together: bool [B]; where false, people are to be made as if each were alone (nobody sees a partner).
        points: float [B, G, 64, 3] surface points in groups; G is 0 unless asked for. There where furniture is.
    """

    text: Tensor
    text_mask: Tensor
    roles: Tensor
    betas: Tensor
    rest: Tensor
    present: Tensor
    frames: Tensor
    furniture: Tensor
    furniture_mask: Tensor
    heights: Tensor
    start: Tensor
    start_mask: Tensor
    target: Tensor
    target_mask: Tensor
    together: Tensor
    points: Tensor


@dataclass(frozen=True)
class Batch(Tensors):
    """Motions and what is known of them.

    Attributes:
        x: float [B, P, T, 205] normalised features, zeros where nobody is and after the end.
        classes: long [B], index in `taxonomy.INTERACTIONS`; -1 where the sequence has no class.
    """

    x: Tensor
    condition: Condition
    classes: Tensor


class Batches:
    """Batches of a split, without end and without state: batch k depends on the seed and k alone.

    Classes are balanced: a sequence's chance is its class's size to the power of `balance` - 1, so that at 1 all
    sequences are alike, at 0 all classes. People have no order: any of them may be first, and the furniture comes
    along into the first one's frame.

    What is known of a sequence is read when it is first drawn.

    Args:
        split: "train", "val" or "test".
        batch: items. frames: longest window.
        people: only sequences of that many people, in as many slots; None: all of up to three, in three slots.
        texts: the captions' embeddings; by default made, or read from the cache folder.
        pieces: furniture tokens. groups: groups of surface points.
        patch: if given, motions of like length come together and a batch is as long as its longest, in whole patches
            and in one of ten lengths (so that a compiled network sees few shapes); otherwise all are `frames` long.

    Raises:
        BadOption: the split holds no such sequences. BadFile: the corpus is damaged.
    """

    def __init__(
        self, corpus: Corpus, split: str = "train", batch: int = 64, frames: int = 240, people: int | None = None,
        seed: int = 0, balance: float = 0.5, *, texts: TokenTable | None = None, pieces: int = scene.PIECES,
        groups: int = 0, patch: int | None = None,
    ) -> None:  # fmt: skip
        self.corpus, self.batch, self.frames, self.seed = corpus, batch, frames, seed
        self.slots, self.pieces, self.groups = people or PEOPLE, pieces, groups
        self.grain = -(-frames // (LENGTHS * patch)) * patch if patch else frames
        self._bucket = BUCKET if patch else 1
        self.indices = [
            index for index in corpus.of_split(split)
            if (corpus.entries[index].people == people if people else corpus.entries[index].people <= PEOPLE)
        ]  # fmt: skip
        if not self.indices:
            wanted = f"{people or f'up to {PEOPLE}'} people"
            raise BadOption("split", split, f"a split of {corpus.folder} that holds sequences of {wanted}")
        self.texts = texts or corpus_tokens(corpus)
        self.moments = Moments.of(corpus)
        self._mean, self._scale = self.moments.mean.numpy(), 1 / self.moments.std.numpy()
        classes = [corpus.entries[index].interaction_class for index in self.indices]
        count = Counter(classes)
        weights = np.array([count[name] ** (balance - 1) for name in classes])
        self._edges = np.cumsum(weights / weights.sum())
        self._known: dict[int, Known] = {}

    def at(self, step: int) -> Batch:
        """Batch `step`."""
        return self.collate(self.draw(step))

    def from_step(self, step: int = 0) -> Iterator[Batch]:
        """Batches without end, from `step` on."""
        while True:
            yield self.at(step)
            step += 1

    def draw(self, step: int) -> list[Draw]:
        """What batch `step` is made of."""
        bucket, part = divmod(step, self._bucket)
        rng = np.random.default_rng([self.seed, _STREAM, bucket])
        picked = np.searchsorted(self._edges, rng.random(self.batch * self._bucket), side="right")
        draws = [self._draw(self.indices[min(at, len(self.indices) - 1)], rng) for at in picked]
        if self._bucket == 1:
            return draws
        draws.sort(key=lambda draw: draw.frames)
        first = int(rng.permutation(self._bucket)[part]) * self.batch
        return draws[first : first + self.batch]

    def each(self, indices: Sequence[int] | None = None) -> list[Draw]:
        """Every sequence once, as it is told, from its core on if it is too long for one window; first caption."""
        drawn = []
        for index in self.indices if indices is None else indices:
            known = self._of(index)
            first, last = known.span
            start = first if last - first <= self.frames else min(known.core[0], last - self.frames)
            order = tuple(range(known.entry.people))
            drawn.append(Draw(index, start, min(last - start, self.frames), order, known.captions[0]))
        return drawn

    def collate(self, draws: Sequence[Draw]) -> Batch:
        """The batch of these items."""
        size, slots = len(draws), self.slots
        longest = min(self.frames, -(-max(draw.frames for draw in draws) // self.grain) * self.grain)
        known = [self._of(draw.index) for draw in draws]
        cuts = [self._window(draw) for draw in draws]
        heads = np.zeros((size, 1, 1, WIDTH), np.float32)
        for at, window in enumerate(cuts):
            heads[at, 0, 0] = window[0, 0]
        place, yaw = starts(heads)
        x = np.zeros((size, slots, longest, FEATURES), np.float32)
        present, frames = np.zeros((size, slots), bool), np.zeros((size, longest), bool)
        target, bodies = np.zeros((size, slots, 2), np.float32), np.zeros((size, slots, BODY_WIDTH), np.float32)
        roles = np.zeros((size, slots), np.int64)
        for at, (draw, item, window) in enumerate(zip(draws, known, cuts, strict=True)):
            rows = seen_from(window, place[at], yaw[at])
            people, length = rows.shape[:2]
            here = (window[..., -1] > 0.5).all(1)
            out = x[at, :people, :length]
            np.subtract(rows[..., :FEATURES], self._mean, out=out)
            out *= self._scale
            out[~here] = 0
            present[at, :people], frames[at, :length] = here, True
            target[at, :people] = rows[:, -1, _PELVIS] * here[:, None]
            order = list(draw.order)
            bodies[at, :people] = item.bodies[order] * here[:, None]
            roles[at, :people] = item.roles[order] * here
        tokens, mask, high, points = self._scenes(draws, known, place, yaw)
        text, text_mask = self.texts.lookup([draw.caption for draw in draws])
        arrays: dict[str, np.ndarray] = {
            "text": text, "text_mask": text_mask, "roles": roles, "betas": bodies[..., :10],
            "rest": bodies[..., 10:].reshape(size, slots, 24, 3), "present": present, "frames": frames,
            "furniture": tokens, "furniture_mask": mask, "heights": high, "start": x[:, :, 0].copy(),
            "start_mask": present.copy(), "target": target, "target_mask": present.copy(),
            "together": np.ones(size, bool), "points": points,
        }  # fmt: skip
        condition = Condition(**{name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()})
        classes = torch.tensor([item.cls for item in known])
        return Batch(torch.from_numpy(x), condition, classes)

    def _window(self, draw: Draw) -> Array:
        return self.corpus.sequence(draw.index)[list(draw.order), draw.start : draw.start + draw.frames]

    def _scenes(
        self, draws: Sequence[Draw], known: Sequence[Known], place: Array, yaw: Array
    ) -> tuple[Array, np.ndarray, Array, Array]:
        """Tokens [B, S, F], mask [B, S], heights [B, 32, 32] and points [B, G, 64, 3] in the first people's frames."""
        scenes = [item.scene(draw.start) for draw, item in zip(draws, known, strict=True)]
        near = [item.nearest(self.pieces, where) for item, where in zip(scenes, place, strict=True)]
        size, most = len(draws), max(1, *(len(item.solids) for item in scenes))
        tokens, mask = np.zeros((size, self.pieces, scene.FURNITURE), np.float32), np.zeros((size, self.pieces), bool)
        solids, there = np.zeros((size, most, scene.SOLID), np.float32), np.zeros((size, most), bool)
        for at, item in enumerate(near):
            tokens[at, : len(item.tokens)], mask[at, : len(item.tokens)] = item.tokens, True
            solids[at, : len(item.solids)], there[at, : len(item.solids)] = item.solids, True
        c, s = np.cos(-yaw), np.sin(-yaw)
        shift = -np.stack([c * place[:, 0] - s * place[:, 1], s * place[:, 0] + c * place[:, 1]], -1)
        tokens = scene.moved(tokens, -yaw, shift) * mask[..., None]
        solids = scene.moved(solids, -yaw, shift, solids=True)
        points = np.zeros((size, self.groups, scene.GROUP, 3), np.float32)
        for at in range(size if self.groups else 0):
            points[at] = scene.grouped(solids[at][there[at]], self.groups)
        return tokens, mask, scene.heights(solids, there), points

    def _draw(self, index: int, rng: np.random.Generator) -> Draw:
        known = self._of(index)
        shortest = round(SHORTEST * self.corpus.fps)
        start, length = crop(known.span, known.core, shortest, self.frames, rng)
        order = [int(person) for person in known.there]
        first = order.pop(int(rng.integers(len(order))))
        rest = [person for person in range(known.entry.people) if person != first]
        rng.shuffle(rest)
        caption = known.captions[int(rng.integers(len(known.captions)))]
        return Draw(index, start, length, (first, *rest), caption)

    def _of(self, index: int) -> Known:
        """What is known of a sequence; read when it is first drawn."""
        if index not in self._known:
            self._known[index] = known_of(self.corpus, index)
        return self._known[index]


def drop(
    condition: Condition, rng: np.random.Generator, text: float = 0.1, scene: float = 0.1, partner: float = 0.1,
    start: float = 0.5, target: float = 0.5,
) -> Condition:  # fmt: skip
    """The condition with parts of it left out, each with its chance: what classifier-free guidance learns from.

    Text and scene go for a whole item, start and target for each person. Without a partner all people stay where they
    are, and are trained as if each were alone (`together` is false, nobody attends to another): the branch that
    guidance compares with to tell what the partner makes of a motion. That differs from a person who is not
    there at all (`present`), of whom nothing is made.
    """
    size, people = condition.present.shape
    device = condition.present.device

    def kept(chance: float, *shape: int) -> Tensor:
        return torch.from_numpy(rng.random(shape) >= chance).to(device)

    said, seen, together = kept(text, size), kept(scene, size), kept(partner, size)
    starting, ending = kept(start, size, people), kept(target, size, people)
    return replace(
        condition,
        text=condition.text * said[:, None, None],
        text_mask=condition.text_mask & said[:, None],
        furniture=condition.furniture * seen[:, None, None],
        furniture_mask=condition.furniture_mask & seen[:, None],
        heights=condition.heights * seen[:, None, None],
        points=condition.points * seen[:, None, None, None],
        together=condition.together & together,
        start=condition.start * starting[..., None],
        start_mask=condition.start_mask & starting,
        target=condition.target * ending[..., None],
        target_mask=condition.target_mask & ending,
    )
