"""From a scenario (who stands where, in which room, what is said) to motion: one batch through the sampler.

A scenario is in the room's world; the model works in the frame of whoever is first, to which everything is brought and
from which the result comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from synth.body import BodyModel
from synth.corpus.rows import FEATURES, seen_from, starts, to_rows
from synth.diffusion import process, scene
from synth.diffusion.checkpoint import Model
from synth.diffusion.classifier import TrainedClassifier
from synth.diffusion.data import Condition
from synth.diffusion.features import decode, in_world, motion_of
from synth.diffusion.guidance import Asked, Boxes, Physics, Scales, Walls, classified, physical, predictor
from synth.diffusion.losses import standing
from synth.diffusion.samplers import SAMPLERS, guided
from synth.errors import BadOption
from synth.interaction import Interaction
from synth.room import Furniture, Room
from synth.rotation import Array, yaw_matrix
from synth.taxonomy import INTERACTIONS, ROLES
from synth.text import TokenEmbeddings

REACH = 3.0  # metres around the people within which furniture is kept out of
LONGEST, SHORTEST = 12.0, 2.0  # seconds that the models are trained on


@dataclass(frozen=True)
class Sampling:
    """How to sample: the sampler and its steps, and what guides it.

    Attributes:
        strength: how much of a scenario's draft is made anew, as a share of the process: 1 starts from pure noise, and
            nothing is left of a draft. Below, that share of the `count` steps is needed.
        physics: None: no physical guidance.
        classifier: weight of the classifier's guidance, where there is a classifier; 0: none.
    """

    sampler: str = "dpmpp_2m"
    count: int = 20
    scales: Scales = field(default_factory=Scales)
    physics: Physics | None = field(default_factory=Physics)
    classifier: float = 1.0
    strength: float = 0.6

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 1:
            raise BadOption("strength", self.strength, "more than 0, at most 1")
        if self.sampler not in SAMPLERS:
            raise BadOption("sampler", self.sampler, f"one of {', '.join(SAMPLERS)}")


@dataclass(frozen=True)
class Scenario:
    """What one motion starts from, in the room's world.

    Attributes:
        start: the people in the first frame (a motion of one frame or more), their bodies and roles.
        prompt: what is said.
        used: furniture that they use. around: all other furniture. floor: corners of the floor [N, 2], convex.
        held: whether the first frame is asked for as it is, or only who is where.
        asked: touches and rests that are asked for; heeded where all motions of a batch are one scenario's.
        ends: where everybody's pelvis is to be in the last frame [P, 2]; None: wherever it comes to.
        draft: as many people doing roughly that, of which `Sampling.strength` makes something new; their bodies may
            be others.
    """

    start: Interaction
    prompt: str
    used: tuple[Furniture, ...] = ()
    around: tuple[Furniture, ...] = ()
    floor: Array | None = None
    held: bool = True
    asked: Asked = ()
    ends: Array | None = None
    draft: Interaction | None = None

    @staticmethod
    def in_room(
        start: Interaction, prompt: str, room: Room, used: Sequence[Furniture] = (), ends: Array | None = None,
        draft: Interaction | None = None,
    ) -> Scenario:  # fmt: skip
        """With the room's furniture near the people and its walls."""
        names = {piece.id for piece in used}
        place = start.transl[:, 0, :2].mean(0)
        near = [
            piece for piece in room.furniture
            if piece.id not in names and np.linalg.norm(np.asarray(piece.box.center)[:2] - place) < REACH
        ]  # fmt: skip
        return Scenario(start, prompt, tuple(used), tuple(near), np.asarray(room.floor, float), ends=ends, draft=draft)


def sample(
    model: Model, scenarios: Sequence[Scenario], texts: TokenEmbeddings, seconds: float, body: BodyModel,
    seed: np.random.SeedSequence, sampling: Sampling | None = None, classifier: TrainedClassifier | None = None,
) -> list[Sampled]:  # fmt: skip
    """A motion for each scenario, at the model's frame rate, in the room's world.

    Args:
        scenarios: all with the same number of people.
        texts: the prompts' token embeddings, a row each.
        seconds: of the result, 2 to 12.
        classifier: guides those scenarios towards their class that have one.

    Raises:
        BadOption: seconds are out of range, numbers of people differ, or the classifier is another model's.
    """
    sampling = sampling or Sampling()
    if not SHORTEST <= seconds <= LONGEST:
        raise BadOption("seconds", seconds, f"{SHORTEST:g} to {LONGEST:g}")
    if len({item.start.people for item in scenarios}) != 1:
        raise BadOption("scenarios", sorted({item.start.people for item in scenarios}), "one number of people")
    device = model.moments.mean.device
    frames = round(seconds * model.fps)
    patch = model.config.model.patch
    padded = -(-frames // patch) * patch
    distinct = list({id(item): item for item in scenarios}.values())  # many motions may start from the same
    which = torch.tensor([next(n for n, item in enumerate(distinct) if item is one) for one in scenarios])
    framed = [_framed(item, body) for item in distinct]
    condition = _condition(model, distinct, framed, texts, frames, padded, which).to(device)
    generator = torch.Generator().manual_seed(int(seed.generate_state(1, np.uint64)[0]) >> 1)
    noise = torch.randn(len(scenarios), scenarios[0].start.people, padded, FEATURES, generator=generator).to(device)
    obstacles = None
    if sampling.physics is not None:
        boxes, resting, walls = _obstacles(distinct, framed)
        obstacles = Obstacles(
            boxes[which].to(device), resting[which].to(device), None if walls is None else walls[which].to(device),
            distinct[0].asked if len(distinct) == 1 else (),
        )  # fmt: skip
    names = [item.start.meta.interaction_class for item in scenarios]
    classes = torch.tensor([-1 if name is None else INTERACTIONS.index(name) for name in names]).to(device)
    drafts = None
    if sampling.strength < 1 and all(item.draft is not None for item in scenarios):
        rough = torch.stack([_draft(item, at, body, frames, model) for item, at in zip(distinct, framed, strict=True)])
        drafts = torch.nn.functional.pad(rough, (0, 0, 0, padded - frames))[which].to(device)
    x = denoised(model, condition, noise, sampling, obstacles, classifier, classes, generator, drafts)[:, :, :frames]
    stands = standing(x, model.moments).cpu().numpy()
    yaw = torch.tensor([at.yaw for at in framed])[which].to(device)
    place = torch.tensor(np.stack([at.place for at in framed]), dtype=torch.float32)[which].to(device)
    transl, pose = (part.cpu().numpy() for part in in_world(*decode(x, model.moments), condition.rest, yaw, place))
    return [
        Sampled(motion_of(transl[n], pose[n], item.start.betas, model.fps, item.start.meta), stands[n])
        for n, item in enumerate(scenarios)
    ]


@dataclass(frozen=True)
class Sampled:
    """A motion in the room's world, and which soles it says to stand: bool [P, T, 4], left heel and ball, right."""

    motion: Interaction
    stands: np.ndarray


@dataclass(frozen=True)
class Obstacles:
    """What physical guidance heeds: solids, which of them people rest on (bool [B, K]), walls, what is asked for."""

    boxes: Boxes
    resting: Tensor
    walls: Walls | None = None
    asked: Asked = ()


def denoised(
    model: Model, condition: Condition, noise: Tensor, sampling: Sampling, obstacles: Obstacles | None = None,
    classifier: TrainedClassifier | None = None, classes: Tensor | None = None,
    generator: torch.Generator | None = None, draft: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """From noise to normalised features [B, P, T, 205], with all the guidance that `sampling` asks for.

    Args:
        classes: long [B], index in `taxonomy.INTERACTIONS` or -1; of use with a classifier.
        draft: features like the result's, of which `sampling.strength` makes something new (SDEdit).

    Raises:
        BadOption: the classifier is another model's.
    """
    schedule = model.config.process.tables()
    predict = predictor(model.denoiser, schedule, model.config.process.predicts, condition, sampling.scales)
    if classifier is not None and classes is not None and sampling.classifier:
        classifier.must_fit(model)
        predict = guided(predict, classified(classifier.classifier, schedule, condition, classes, sampling.classifier))
    if sampling.physics is not None:
        boxes, resting, walls, asked = (
            (None, None, None, ()) if obstacles is None
            else (obstacles.boxes, obstacles.resting, obstacles.walls, obstacles.asked)
        )  # fmt: skip
        guide = physical(
            condition, model.moments, model.fps, schedule.steps, sampling.physics, boxes, walls, asked, resting
        )
        predict = guided(predict, guide)
    sampler, share = SAMPLERS[sampling.sampler], sampling.strength
    if draft is None or share == 1:
        return sampler(predict, noise, schedule, sampling.count, generator=generator)
    begin, count = (max(1, round(share * number)) for number in (schedule.steps, sampling.count))
    rough = process.diffuse(schedule, draft, begin - 1, noise)
    return sampler(predict, rough, schedule, min(count, begin), generator=generator, begin=begin)


@dataclass(frozen=True)
class _Framed:
    """The frame of the first person: yaw and place [2] in the world; the start's rows [P, 224] and bodies there."""

    yaw: float
    place: Array
    rows: Array
    bodies: Array

    def inside(self, furniture: Sequence[Furniture]) -> tuple[Furniture, ...]:
        """Furniture of the world, brought into the frame."""
        turn = yaw_matrix(-self.yaw)
        return scene.placed(furniture, -self.yaw, -turn @ np.array([*self.place, 0.0]))


def _framed(item: Scenario, body: BodyModel) -> _Framed:
    rows, bodies = to_rows(item.start, body)
    place, yaw = starts(rows[None])
    moved = seen_from(rows, place[0], yaw[0])
    return _Framed(float(yaw[0]), np.asarray(place[0], float), moved[:, 0], bodies)


def _draft(item: Scenario, at: _Framed, body: BodyModel, frames: int, model: Model) -> Tensor:
    """A scenario's draft as normalised features [P, T, 205] in its frame, stretched to that many frames."""
    assert item.draft is not None
    factor = frames / (item.draft.seconds * model.fps)
    stretched = item.draft.scale_time(factor).resample(model.fps)
    rows = seen_from(to_rows(stretched, body)[0], at.place, np.asarray(at.yaw))[..., :FEATURES]
    rows = rows[:, np.minimum(np.arange(frames), rows.shape[1] - 1)]
    return model.moments.to("cpu").normalise(torch.from_numpy(rows).float())


def _condition(
    model: Model, scenarios: Sequence[Scenario], framed: Sequence[_Framed], texts: TokenEmbeddings, frames: int,
    padded: int, which: Tensor,
) -> Condition:  # fmt: skip
    """The condition of motions that start from the scenarios `which` [B], each with a text of its own."""
    size, people = len(scenarios), scenarios[0].start.people
    rows, bodies = (torch.from_numpy(np.stack([getattr(at, name) for at in framed])) for name in ("rows", "bodies"))
    scenes = [scene.scene_of(at.inside(item.used)) for item, at in zip(scenarios, framed, strict=True)]
    tokens = [scene.padded(one) for one in scenes]
    heights = np.stack([scene.heights(one.solids) for one in scenes])
    alive = torch.zeros(size, padded, dtype=torch.bool)
    alive[:, :frames] = True
    everybody = torch.ones(size, people, dtype=torch.bool)
    held = torch.tensor([item.held for item in scenarios])[:, None] & everybody
    targets = [
        np.zeros((people, 2)) if item.ends is None else (np.asarray(item.ends) - at.place) @ yaw_matrix(at.yaw)[:2, :2]
        for item, at in zip(scenarios, framed, strict=True)
    ]
    start = model.moments.to("cpu").normalise(rows[..., :FEATURES].float())
    known = {
        "roles": torch.tensor([[ROLES.index(role) for role in item.start.meta.roles] for item in scenarios]),
        "betas": bodies[..., :10].float(), "rest": bodies[..., 10:].float().reshape(size, people, 24, 3),
        "present": everybody, "frames": alive,
        "furniture": torch.from_numpy(np.stack([token for token, _ in tokens])),
        "furniture_mask": torch.from_numpy(np.stack([mask for _, mask in tokens])),
        "heights": torch.from_numpy(heights.astype(np.float32)),
        "start": start * held[..., None], "start_mask": held,
        "target": torch.from_numpy(np.stack(targets).astype(np.float32)),
        "target_mask": torch.tensor([item.ends is not None for item in scenarios])[:, None] & everybody,
        "together": torch.ones(size, dtype=torch.bool), "points": torch.zeros(size, 0, scene.GROUP, 3),
    }  # fmt: skip
    of_each = {name: value[which] for name, value in known.items()}
    return Condition(text=torch.from_numpy(texts.values), text_mask=torch.from_numpy(texts.mask), **of_each)


def _obstacles(scenarios: Sequence[Scenario], framed: Sequence[_Framed]) -> tuple[Boxes, Tensor, Walls | None]:
    """Solids, which of them people rest on (bool [B, K]), and walls, in each scenario's frame."""
    solids, owners = [], []
    for item, at in zip(scenarios, framed, strict=True):
        boxes = [(box, True) for piece in at.inside(item.used) for box in piece.world_solids()]
        boxes += [(box, False) for piece in at.inside(item.around) for box in piece.world_solids()]
        solids.append([(*np.asarray(box.center), *np.asarray(box.size) / 2, box.yaw) for box, _ in boxes])
        owners.append([rests for _, rests in boxes])
    most = max(1, *(len(some) for some in solids))
    table = np.zeros((len(scenarios), most, 7), np.float32)
    there, resting = np.zeros((2, len(scenarios), most), bool)
    for row, (some, rests) in enumerate(zip(solids, owners, strict=True)):
        if some:
            table[row, : len(some)], there[row, : len(some)], resting[row, : len(some)] = some, True, rests
    values = torch.from_numpy(table)
    found = Boxes(values[..., :3], values[..., 6], values[..., 3:6], torch.from_numpy(there))
    floors = [item.floor for item in scenarios]
    if any(floor is None for floor in floors) or len({len(floor) for floor in floors if floor is not None}) != 1:
        return found, torch.from_numpy(resting), None
    lines = [_lines(floor, at) for floor, at in zip(floors, framed, strict=True) if floor is not None]
    if any(line is None for line in lines):
        return found, torch.from_numpy(resting), None
    normal, offset = (np.stack([line[part] for line in lines if line is not None]) for part in (0, 1))
    walls = Walls(torch.from_numpy(normal.astype(np.float32)), torch.from_numpy(offset.astype(np.float32)))
    return found, torch.from_numpy(resting), walls


def _lines(floor: Array, at: _Framed) -> tuple[Array, Array] | None:
    """Outward normals [W, 2] and offsets [W] of a convex floor's edges in the frame; None if it is not convex."""
    corners = (np.asarray(floor, float) - at.place) @ yaw_matrix(-at.yaw)[:2, :2].T
    edges = np.roll(corners, -1, 0) - corners
    turns = edges[:, 0] * np.roll(edges, -1, 0)[:, 1] - edges[:, 1] * np.roll(edges, -1, 0)[:, 0]
    if not ((turns > -1e-9).all() or (turns < 1e-9).all()):
        return None
    outward = np.stack([edges[:, 1], -edges[:, 0]], -1) * (1 if turns.sum() > 0 else -1)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    return outward, (outward * corners).sum(1)


def without_labels(motion: Interaction) -> Interaction:
    """A motion as a start: its labels speak of what comes after, and do not belong to what is made from it."""
    return replace(motion, meta=replace(motion.meta, actions=(), contacts=(), core=None, quality={}, source={}))
