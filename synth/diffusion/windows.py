"""What batches are cut from: a sequence's labels and furniture, and windows of it that show what its captions say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from synth.corpus.ground import runs
from synth.corpus.rows import PROP_WIDTH
from synth.corpus.shards import Corpus, Entry
from synth.diffusion import scene
from synth.diffusion.scene import Scene
from synth.diffusion.text import captions_of
from synth.interaction import Prop
from synth.room import furniture_from_json
from synth.rooms.props import is_furniture, piece_at
from synth.rotation import Array, axis_angle_to_matrix
from synth.taxonomy import INTERACTIONS, ROLES


@dataclass(frozen=True)
class Draw:
    """An item of a batch: a sequence's frames from `start` on, its people in this order, one of its captions."""

    index: int
    start: int
    frames: int
    order: tuple[int, ...]
    caption: str


@dataclass(frozen=True)
class Known:
    """A sequence's labels in the form that batches need.

    span, core: frames (first, last + 1) in which all are there, and that show the action. there: who is, in the span.
    props: furniture on wheels, each in its own frame, and its way [T, 6] (transl, axis-angle).
    """

    entry: Entry
    span: tuple[int, int]
    core: tuple[int, int]
    there: np.ndarray
    roles: np.ndarray
    bodies: Array
    captions: tuple[str, ...]
    cls: int
    stage: Scene
    props: tuple[tuple[Scene, Array], ...]

    def scene(self, frame: int) -> Scene:
        """The furniture, and things on wheels where they are in a frame."""
        moving = []
        for item, way in self.props:
            turn = axis_angle_to_matrix(way[frame, 3:])
            moving.append(scene.moved_scene(item, float(np.arctan2(turn[1, 0], turn[0, 0])), way[frame, :3]))
        return scene.joined([self.stage, *moving]) if moving else self.stage


def known_of(corpus: Corpus, index: int) -> Known:
    """What is known of a sequence of a training set. Raises BadFile: names the furniture that is wrong."""
    entry = corpus.entries[index]
    where = f"{corpus.folder}: {entry.id}"
    meta: Mapping[str, Any] = entry.meta
    here = np.asarray(corpus.sequence(index)[..., -1] > 0.5)
    count = here.sum(0)
    span = max(runs(count == count.max()), key=lambda run: run[1] - run[0])
    core = meta.get("core")
    frames = span if core is None else (round(core[0] * corpus.fps), round(core[1] * corpus.fps))
    begin = int(np.clip(frames[0], span[0], span[1] - 1))
    stage = [furniture_from_json(item, where, f"stage[{n}]") for n, item in enumerate(meta.get("stage", ()))]
    things = np.asarray(corpus.props[entry.shard][entry.prop : entry.prop + len(entry.props) * entry.frames])
    ways = things.reshape(len(entry.props), entry.frames, PROP_WIDTH)
    cls = entry.interaction_class
    there = np.flatnonzero(here[:, span[0] : span[1]].all(1))
    return Known(
        entry=entry,
        span=(int(span[0]), int(span[1])),
        core=(begin, int(np.clip(frames[1], begin + 1, span[1]))),
        there=there if len(there) else np.arange(entry.people),
        roles=np.array([ROLES.index(role) for role in meta.get("roles", ())], np.int64),
        bodies=np.array(corpus.bodies[entry.shard][entry.person : entry.person + entry.people]),
        captions=captions_of(meta),
        cls=-1 if cls is None else INTERACTIONS.index(cls),
        stage=scene.scene_of(stage),
        props=tuple(
            (_wheeled(item["class"]), way)
            for item, way in zip(entry.props, ways, strict=True)
            if is_furniture(item["class"])
        ),
    )


@cache
def _wheeled(cls: str) -> Scene:
    """Furniture on wheels in its prop's frame: over the origin, its front towards +y."""
    nowhere = np.zeros((1, 3))
    return scene.scene_of([piece_at(Prop(cls, cls, nowhere, nowhere))], moving=[cls])


def crop(
    span: tuple[int, int], core: tuple[int, int], shortest: int, longest: int, rng: np.random.Generator
) -> tuple[int, int]:
    """A random window's first frame and length, within `span` (first, last + 1), `shortest` to `longest` frames.

    It holds the whole core (which shows what the captions say) if that fits; otherwise it is a part of the core.
    """
    first, last = span
    begin, end = core
    if end - begin > longest:
        length = int(rng.integers(min(shortest, longest), longest + 1))
        return int(rng.integers(begin, end - length + 1)), length
    most = min(last - first, longest)
    length = int(rng.integers(max(end - begin, min(shortest, most)), most + 1))
    return int(rng.integers(max(first, end - length), min(begin, last - length) + 1)), length
