"""Guidance: what the words, the room and the partner are to weigh, and what bodies cannot do.

Classifier-free guidance (Ho & Salimans 2022) with a weight of its own for each condition; classifier guidance (Dhariwal
& Nichol 2021, thesis eq. 2.20); and physical guidance, which moves the predicted clean motion down the gradient of what
is wrong with it (penetration, slipping feet, hands that miss what they should hold), as in GMD and PhysDiff's line of
work but without a simulator. All of them act on the predicted x_0, so that they go with every sampler.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn

from synth.diffusion import process
from synth.diffusion.data import Condition, Tensors
from synth.diffusion.denoiser import Denoiser
from synth.diffusion.features import Moments, decode, joints_of
from synth.diffusion.losses import FEET, standing
from synth.diffusion.process import Objective, Predict
from synth.diffusion.samplers import Guide
from synth.diffusion.schedule import Schedule


@dataclass(frozen=True)
class Scales:
    """How much each condition weighs: 1 as it was learned (its branch is then left out), more exaggerates it.

    Attributes:
        first, last: shares of the steps between which the weights act; beyond, all is as it was learned, at the cost of
            one branch (Kynkaanniemi et al. 2024: guidance does harm where there is most noise, nothing at the end).
    """

    text: float = 2.5
    scene: float = 1.0
    partner: float = 1.0
    first: float = 1.0
    last: float = 0.0


def predictor(
    net: Callable[[Tensor, Tensor, Condition], Tensor], schedule: Schedule, objective: Objective, condition: Condition,
    scales: Scales,
) -> Predict:  # fmt: skip
    """x_0 as the network sees it, with classifier-free guidance: all branches in one batch.

    The network computes in the precision of its weights; x_0 is put together in that of x.

    x_0 = full + sum over conditions of (weight - 1) (full - without it).
    """
    without = {
        "text": lambda c: replace(c, text_mask=torch.zeros_like(c.text_mask)),
        "scene": without_scene,
        "partner": lambda c: replace(c, together=torch.zeros_like(c.together)),
    }
    used = [(getattr(scales, name) - 1, drop) for name, drop in without.items() if getattr(scales, name) != 1]
    everything = stacked([condition, *(drop(condition) for _, drop in used)])
    there = condition.present[:, :, None, None]
    ask_all, ask_one = (asked(net, some) for some in (everything, condition))

    def predict(x: Tensor, t: int) -> Tensor:
        weighed = bool(used) and scales.last * schedule.steps <= t <= scales.first * schedule.steps
        ask, count = (ask_all, 1 + len(used)) if weighed else (ask_one, 1)
        many = x.repeat(count, 1, 1, 1) * there.repeat(count, 1, 1, 1)
        steps = torch.full((len(many),), t, device=x.device)
        output = ask(many, steps).to(x.dtype)
        found = process.to_x0(schedule, output, many, t, objective).chunk(count)
        x0 = full = found[0]
        for (weight, _), other in zip(used, found[1:], strict=False):
            x0 = x0 + weight * (full - other)
        return x0

    return predict


def asked(
    net: Callable[[Tensor, Tensor, Condition], Tensor], condition: Condition
) -> Callable[[Tensor, Tensor], Tensor]:
    """A network as a function of x and t: a `Denoiser` (compiled or not) works out once what no step changes."""
    plain = getattr(net, "_orig_mod", net)  # of what torch.compile made
    if not isinstance(plain, Denoiser):
        return lambda x, t: net(x, t, condition)
    with torch.no_grad():
        told = plain.told(condition)
    return lambda x, t: net(x, t, condition, told)  # type: ignore[call-arg]


def without_scene(condition: Condition) -> Condition:
    """The condition of a room of which nothing is known."""
    return replace(
        condition,
        furniture_mask=torch.zeros_like(condition.furniture_mask),
        heights=torch.zeros_like(condition.heights),
    )


def stacked(conditions: list[Condition]) -> Condition:
    """Conditions one after the other, as one batch."""
    return Condition(**{
        item.name: torch.cat([getattr(one, item.name) for one in conditions]) for item in fields(Condition)
    })  # fmt: skip


@dataclass(frozen=True)
class Boxes(Tensors):
    """Solids of the room in the motion's frame: center [B, K, 3], yaw [B, K], half [B, K, 3] metres; there [B, K]."""

    center: Tensor
    yaw: Tensor
    half: Tensor
    there: Tensor


@dataclass(frozen=True)
class Walls(Tensors):
    """A convex floor as lines: inside is where normal . (x, y) <= offset; normal [B, W, 2], offset [B, W] metres."""

    normal: Tensor
    offset: Tensor


@dataclass(frozen=True)
class Hold:
    """Something that is to be touched: person's joint, the other's joint, from and to (seconds), how near (metres)."""

    person: int
    joint: int
    other: int
    other_joint: int
    start: float
    end: float
    reach: float = 0.08


@dataclass(frozen=True)
class Rest:
    """Who is to rest on something: person, from and to (seconds), and the pelvis's height meanwhile (metres)."""

    person: int
    start: float
    end: float
    height: float
    slack: float = 0.02


@dataclass(frozen=True)
class Physics:
    """Weights of the energies, how many descents a step, and where in the sampling.

    Weights are per m^2, the slip's per (m/s)^2: at 20 frames a second 1 / 400 weighs as much.
    first, last: shares of the steps between which it acts: early there is nothing to correct yet.
    most: normalised units that one descent may move a number by.
    """

    floor: float = 1.0
    furniture: float = 1.0
    people: float = 1.0
    walls: float = 1.0
    slip: float = 0.002
    holds: float = 1.0
    rests: float = 20.0
    rate: float = 0.3
    descents: int = 1
    first: float = 0.6
    last: float = 0.0
    most: float = 0.1


Asked = tuple[Hold | Rest, ...]

# radius of the body about each of the 22 joints, metres: what must stay out of other things; hands may touch
RADII = (
    0.11, 0.08, 0.08, 0.11, 0.055, 0.055, 0.11, 0.04, 0.04, 0.11, 0.025, 0.025, 0.06, 0.07, 0.07, 0.09, 0.05, 0.05,
    0.04, 0.04, 0.035, 0.035,
)  # fmt: skip


def energies(
    x0: Tensor, condition: Condition, moments: Moments, fps: float, physics: Physics, boxes: Boxes | None = None,
    walls: Walls | None = None, asked: Asked = (), sitting: Tensor | None = None,
) -> dict[str, Tensor]:  # fmt: skip
    """What is wrong with a motion, by kind; each a weighted sum over people and frames, [B].

    Args:
        asked: touches and rests that the motions are to have, all of them the same.
        sitting: bool [B, K], solids that people rest on: only what goes in deeper than a cushion gives counts.
    """
    joints = joints_of(*decode(x0, moments), condition.rest)  # [B, P, T, 22, 3]
    there = (condition.present[:, :, None] & condition.frames[:, None]).to(joints.dtype)
    frames, radius = joints.shape[2], joints.new_tensor(RADII)
    found: dict[str, Tensor] = {}

    def add(name: str, values: Tensor) -> None:  # [B, P, T, ...]
        found[name] = getattr(physics, name) * (values.flatten(2).unflatten(2, (frames, -1)).sum(-1) * there).sum(
            (1, 2)
        )

    add("floor", torch.relu(radius - 0.01 - joints[..., 2]).square())
    if boxes is not None:
        add("furniture", _in_boxes(joints, radius, boxes, sitting).square())
    if walls is not None:
        past = torch.einsum("bptjc,bwc->bptjw", joints[..., :2], walls.normal) - walls.offset[:, None, None, None]
        add("walls", torch.relu(past + radius[:, None]).square())
    speed = torch.diff(joints, dim=2, prepend=joints[:, :, :1]) * fps
    stands = standing(x0, moments).to(joints.dtype)
    planted = stands * torch.cat((stands[:, :, :1], stands[:, :, :-1]), 2)
    add("slip", speed[..., FEET, :2].square().sum(-1) * planted)
    if joints.shape[1] > 1:
        add("people", _in_people(joints, radius))
    for touch in asked:
        when = slice(round(touch.start * fps), round(touch.end * fps) + 1)
        if isinstance(touch, Rest):
            name, gap = "rests", (joints[:, touch.person, when, 0, 2] - touch.height).abs() - touch.slack
        else:
            away = joints[:, touch.person, when, touch.joint] - joints[:, touch.other, when, touch.other_joint]
            name, gap = "holds", away.norm(dim=-1) - touch.reach
        miss = torch.relu(gap).square().sum(-1)
        found[name] = found.get(name, torch.zeros_like(miss)) + getattr(physics, name) * miss
    return found


def physical(
    condition: Condition, moments: Moments, fps: float, steps: int, physics: Physics, boxes: Boxes | None = None,
    walls: Walls | None = None, asked: Asked = (), sitting: Tensor | None = None,
) -> Guide:  # fmt: skip
    """A guide that moves x_0 down the gradient of `energies`."""

    def guide(x0: Tensor, x: Tensor, t: int) -> Tensor:
        if not physics.last * steps <= t <= physics.first * steps:
            return x0
        for _ in range(physics.descents):
            with torch.enable_grad():
                moved = x0.detach().requires_grad_(True)
                total = energies(moved, condition, moments, fps, physics, boxes, walls, asked, sitting)
                (slope,) = torch.autograd.grad(torch.stack(list(total.values())).sum(), moved)
            x0 = x0 - (physics.rate * slope).clamp(-physics.most, physics.most)
        return x0

    return guide


def classified(classifier: nn.Module, schedule: Schedule, condition: Condition, classes: Tensor, scale: float) -> Guide:
    """A guide towards what a classifier of noisy motion takes for the classes, thesis eq. 2.20, written for x_0.

    epsilon' = epsilon - scale sqrt(1 - alpha-bar) grad log p(y | x_t) is x_0' = x_0 + scale (1 - alpha-bar) /
    sqrt(alpha-bar) grad log p(y | x_t).

    Args:
        classes: long [B]; below 0: nothing is known, and nothing is guided.
    """
    known = classes >= 0

    def guide(x0: Tensor, x: Tensor, t: int) -> Tensor:
        with torch.enable_grad():
            noisy = x.detach().requires_grad_(True)
            steps = torch.full((len(x),), t, device=x.device)
            likely = torch.log_softmax(classifier(noisy, steps, condition), -1)
            (slope,) = torch.autograd.grad(likely[known, classes[known]].sum(), noisy)
        bar = float(schedule.alphas_bar[t])
        # late in the sampling the factor is small; at pure noise it is without bound, and says nothing
        return x0 + min(scale * (1 - bar) / bar**0.5, 10 * scale) * slope

    return guide


def _in_boxes(joints: Tensor, radius: Tensor, boxes: Boxes, sitting: Tensor | None) -> Tensor:
    """Metres that each joint's sphere is inside each box, [B, P, T, 22, K]."""
    local = joints[..., None, :] - boxes.center[:, None, None, None]
    c, s = (value[:, None, None, None] for value in (torch.cos(boxes.yaw), torch.sin(boxes.yaw)))
    x, y, z = local.unbind(-1)
    local = torch.stack((c * x + s * y, c * y - s * x, z), -1)
    beyond = local.abs() - boxes.half[:, None, None, None]
    outside = torch.relu(beyond).square().sum(-1).add(1e-8).sqrt()
    depth = radius[:, None] - outside - beyond.amax(-1).clamp_max(0.0)
    if sitting is not None:
        depth = depth - 0.06 * sitting[:, None, None, None].to(depth.dtype)
    return torch.relu(depth) * boxes.there[:, None, None, None].to(depth.dtype)


def _in_people(joints: Tensor, radius: Tensor) -> Tensor:
    """Squared metres that joints' spheres of each person are in those of the others, [B, P, T]."""
    people = joints.shape[1]
    room = radius[:, None] + radius - 0.02  # flesh gives
    found = []
    for a in range(people):
        others = [b for b in range(people) if b != a]
        deep = [torch.relu(room - torch.cdist(joints[:, a], joints[:, b])).square().sum((-1, -2)) for b in others]
        found.append(0.5 * torch.stack(deep).sum(0))
    return torch.stack(found, 1)
