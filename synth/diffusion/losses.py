"""What the denoiser is trained to get right, in metres and metres a second, on the motion that it predicts.

Terms and how they are damped follow InterGen (Liang et al. 2024): what two people do to each other is only asked for
where the noise leaves something of it (t <= 0.7 T). Every term is a mean over what is really there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from synth.corpus.rows import COLUMNS
from synth.diffusion.data import Condition
from synth.diffusion.features import Moments, decode, joints_of

FEET = (7, 10, 8, 11)  # joints whose speed the four contacts speak of: left ankle, left foot, right ankle, right foot
NEAR = 1.0  # metres: pairs of joints of two people nearer than this make the distance map
CLOSEST = 0.12  # metres between the joints of two people, below which limbs are in each other
LATE = 0.7  # share of the steps after which noise hides what two people do


def _weight(default: float) -> Any:
    return field(default=default, metadata={"range": (0, 1e6)})


@dataclass(frozen=True)
class Weights:
    """Weights of the terms; 0 switches one off.

    Attributes:
        features: squared error of the normalised features, the simple loss (Ho et al. 2020, eq. 14).
        joints: squared distance of the posed joints, m^2. positions: the same of the features' own joints from the
            posed ones, which must agree.
        velocity: squared difference of velocities, (m/s)^2. slip: squared speed of feet that stand, (m/s)^2.
        bones: squared error of bone lengths of the features' own joints, m^2.
        distance: squared error of distances between two people's joints that are near, m^2.
        facing: 1 - cosine of the turn between two people. penetration: squared depth of joints in the other, m^2.
    """

    features: float = _weight(1.0)
    joints: float = _weight(10.0)
    positions: float = _weight(3.0)
    velocity: float = _weight(0.3)
    slip: float = _weight(0.3)
    bones: float = _weight(3.0)
    distance: float = _weight(3.0)
    facing: float = _weight(0.03)
    penetration: float = _weight(3.0)


def losses(
    predicted: Tensor, x: Tensor, t: Tensor, steps: int, condition: Condition, moments: Moments, fps: float,
    weights: Weights, weight_of_t: Tensor | None = None,
) -> dict[str, Tensor]:  # fmt: skip
    """Every weighted term's mean over a batch, and their sum as "loss".

    Args:
        predicted, x: [B, P, T, 205] the predicted and the true clean motion, normalised.
        t: [B] steps of a process of `steps`.
        weight_of_t: [B] weight of every term by the noise's strength; ones if None.
    """
    weight = torch.ones_like(t, dtype=x.dtype) if weight_of_t is None else weight_of_t
    there = condition.present[:, :, None] & condition.frames[:, None]  # [B, P, T]
    found: dict[str, Tensor] = {}
    found["features"] = mean((predicted - x).square().mean(-1), there, weight)
    made = joints_of(*decode(predicted, moments), condition.rest)  # [B, P, T, 22, 3]
    own, true = positions(predicted, moments), positions(x, moments)  # of real motion these are the posed joints
    found["joints"] = mean((made - true).square().sum(-1).mean(-1), there, weight)
    found["positions"] = mean((made - own).square().sum(-1).mean(-1), there, weight)
    both = there[..., 1:] & there[..., :-1]
    speed, wanted = (torch.diff(item, dim=2) * fps for item in (made, true))
    found["velocity"] = mean((speed - wanted).square().sum(-1).mean(-1), both, weight)
    found["slip"] = mean(slip(speed, standing(x, moments)), both, weight)
    found["bones"] = mean((bones(own) - bones(true)).square().mean(-1), there, weight)
    if predicted.shape[1] > 1:
        early = t < LATE * steps
        for a, b in _pairs(predicted.shape[1]):
            two = there[:, a] & there[:, b] & (early & condition.together)[:, None]
            apart, truly = (torch.cdist(item[:, a], item[:, b]) for item in (made, true))
            near = two[..., None, None] & (truly < NEAR)
            for name, value, mask in (
                ("distance", (apart - truly).square(), near),
                ("penetration", torch.relu(torch.minimum(truly, truly.new_tensor(CLOSEST)) - apart).square(), near),
                ("facing", 1 - torch.cos(turn_between(made, a, b) - turn_between(true, a, b)), two),
            ):
                found[name] = found.get(name, torch.zeros_like(found["slip"])) + mean(value, mask, weight)
    weighted = {name: getattr(weights, name) * value for name, value in found.items()}
    return {"loss": torch.stack(list(weighted.values())).sum(), **weighted}


def mean(values: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """Mean of the values [B, ...] where the mask is true, each item's times its weight [B]; 0 where it nowhere is."""
    weighted = values * weight.view(-1, *(1,) * (values.ndim - 1))
    return torch.where(mask, weighted, values.new_zeros(())).sum() / mask.sum().clamp_min(1)


def positions(x: Tensor, moments: Moments) -> Tensor:
    """The features' own world positions of joints 0 to 21, [..., 22, 3] metres."""
    return moments.denormalise(x)[..., COLUMNS["joints"]].unflatten(-1, (22, 3))


def standing(x: Tensor, moments: Moments) -> Tensor:
    """Whether left heel, left ball, right heel and right ball stand, bool [..., 4]."""
    return moments.denormalise(x)[..., COLUMNS["contacts"]] > 0.5


def slip(speed: Tensor, stands: Tensor) -> Tensor:
    """Mean squared horizontal speed of the feet that stand in both of two frames, [B, P, T - 1].

    Args:
        speed: [B, P, T - 1, 22, 3] m/s. stands: bool [B, P, T, 4].
    """
    planted = stands[:, :, 1:] & stands[:, :, :-1]
    moved = speed[..., FEET, :2].square().sum(-1)
    return (moved * planted).sum(-1) / planted.sum(-1).clamp_min(1)


def bones(joints: Tensor) -> Tensor:
    """Lengths of the 21 bones, [..., 21] metres."""
    from synth.skeleton import SMPL_PARENTS

    return (joints[..., 1:, :] - joints[..., list(SMPL_PARENTS[1:22]), :]).norm(dim=-1)


def turn_between(joints: Tensor, a: int, b: int) -> Tensor:
    """The angle from where person a faces to where b faces, [B, T] radians, by the hips."""
    heading = [
        torch.atan2(across[..., 1], across[..., 0])
        for across in (joints[:, p, :, 1] - joints[:, p, :, 2] for p in (a, b))
    ]
    return heading[1] - heading[0]


def _pairs(people: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(people) for b in range(a + 1, people)]
