"""Terms that keep bodies out of furniture and out of each other.

Terms are as in `synth.motion.terms`: residuals in standard deviations, here of what is inside alone. Bodies are spheres
and capsules fixed to joints (`synth.motion.proxies`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.motion.contact import Points, Skin
from synth.motion.fit import State


def box_distance(points: Tensor, half: Tensor) -> Tensor:
    """Signed distance [...] of points [..., 3] to a box of half size `half` about the origin; negative inside."""
    beyond = points.abs() - half
    outside = torch.relu(beyond)
    return (outside * outside).sum(-1).add(1e-12).sqrt() + beyond.amax(-1).clamp_max(0.0)


@dataclass(frozen=True)
class BoxPenetration:
    """Spheres fixed to bodies stay out of boxes (furniture solids): center [B, 3], yaw [B], half [B, 3].

    spheres N with radius [N]; window [N, B] switches pairs off. `allow` metres may be pressed in (cushions, flesh).
    Boxes that move have center [T, B, 3] and yaw [T, B].
    """

    spheres: Points
    radius: Tensor
    center: Tensor
    yaw: Tensor
    half: Tensor
    window: Tensor
    allow: float = 0.01
    sigma: float = 0.008
    name: str = "furniture"

    def depth(self, state: State) -> Tensor:
        """Penetration depth in metres [N, T, B], negative outside."""
        p = self.spheres.where(state).unsqueeze(2) - self.center
        c, s = torch.cos(self.yaw), torch.sin(self.yaw)
        local = torch.stack((c * p[..., 0] + s * p[..., 1], c * p[..., 1] - s * p[..., 0], p[..., 2]), -1)
        return self.radius[:, None, None] - box_distance(local, self.half)

    def residual(self, state: State) -> Tensor:
        where = self.spheres.where(state)
        with torch.no_grad():  # nearly all pairs are far apart: look at those whose bounding spheres meet
            far = (where.unsqueeze(2) - self.center).norm(dim=-1)
            close = (far < self.half.norm(dim=-1) + self.radius[:, None, None]) & (self.window[:, None] > 0)
            sphere, frame, box = close.nonzero(as_tuple=True)
            inside = (self._inside(where, sphere, frame, box) > 0).nonzero()[:, 0]
            sphere, frame, box = sphere[inside], frame[inside], box[inside]
        depth = torch.relu(self._inside(where, sphere, frame, box))
        return depth * self.window[sphere, box] / self.sigma

    def _inside(self, where: Tensor, sphere: Tensor, frame: Tensor, box: Tensor) -> Tensor:
        """By how much more than may be are these spheres in these boxes, metres."""
        frames = where.shape[1]
        p = where[sphere, frame] - self.center.expand(frames, *self.half.shape)[frame, box]
        yaw = self.yaw.expand(frames, len(self.half))[frame, box]
        c, s = torch.cos(yaw), torch.sin(yaw)
        local = torch.stack((c * p[..., 0] + s * p[..., 1], c * p[..., 1] - s * p[..., 0], p[..., 2]), -1)
        return self.radius[sphere] - box_distance(local, self.half[box]) - self.allow


@dataclass(frozen=True)
class PartnerPenetration:
    """Capsules of two bodies stay apart: pairs of capsules (first, second: indices into `start`, `end`, `radius`).

    `allow` metres may overlap: [pairs] (soft flesh, and more where a hand holds).
    """

    start: Points
    end: Points
    radius: Tensor
    first: Tensor
    second: Tensor
    allow: Tensor
    sigma: float = 0.008
    name: str = "partner"

    def depth(self, state: State) -> Tensor:
        """Overlap in metres [pairs, T], negative when apart."""
        a, b = self.start.where(state), self.end.where(state)
        apart = segment_distance(a[self.first], b[self.first], a[self.second], b[self.second])
        return (self.radius[self.first] + self.radius[self.second])[:, None] - apart

    def residual(self, state: State) -> Tensor:
        a, b = self.start.where(state), self.end.where(state)
        with torch.no_grad():  # most pairs are far apart in most frames: bound them by their spheres first
            middle, reach = 0.5 * (a + b), 0.5 * (a - b).norm(dim=-1) + self.radius[:, None]
            between = (middle[self.first] - middle[self.second]).norm(dim=-1)
            close = between < reach[self.first] + reach[self.second] - self.allow[:, None]
            pair, frame = close.nonzero(as_tuple=True)
            i, j = self.first[pair], self.second[pair]
            apart = segment_distance(a[i, frame], b[i, frame], a[j, frame], b[j, frame])
            inside = (apart < self.radius[i] + self.radius[j] - self.allow[pair]).nonzero()[:, 0]
            pair, frame, i, j = pair[inside], frame[inside], i[inside], j[inside]
        apart = segment_distance(a[i, frame], b[i, frame], a[j, frame], b[j, frame])
        return torch.relu(self.radius[i] + self.radius[j] - apart - self.allow[pair]) / self.sigma


@dataclass(frozen=True)
class HandPenetration:
    """The skin of hands stays out of other bodies' capsules.

    Capsules of hands end at the knuckles; what goes into a back first is the finger tips. skin: M points of each of H
    hands, hand by hand; palm: a point of each hand, `reach` metres from the farthest of its skin; pairs of hands and
    capsules (hand, capsule: indices [K]). `allow` metres may be pressed in.
    """

    skin: Skin
    palm: Points
    reach: float
    start: Points
    end: Points
    radius: Tensor
    hand: Tensor
    capsule: Tensor
    allow: float = 0.0
    sigma: float = 0.005
    name: str = "hands"

    def residual(self, state: State) -> Tensor:
        a, b = self.start.where(state), self.end.where(state)
        with torch.no_grad():  # hands are near few capsules in few frames
            off = _to_segment(self.palm.where(state)[self.hand], a[self.capsule], b[self.capsule])
            pair, frame = (off < (self.radius[self.capsule] + self.reach)[:, None]).nonzero(as_tuple=True)
        skin = self.skin.where(state).unflatten(0, (len(self.palm.person), -1))
        with torch.no_grad():  # and few of a hand's points are in them
            hand, which = self.hand[pair], self.capsule[pair]
            apart = _to_segment(skin[hand, :, frame], a[which, frame][:, None], b[which, frame][:, None])
            near, point = (apart < self.radius[which][:, None] - self.allow).nonzero(as_tuple=True)
            hand, which, frame = hand[near], which[near], frame[near]
        apart = _to_segment(skin[hand, point, frame], a[which, frame], b[which, frame])
        return torch.relu(self.radius[which] - apart - self.allow) / self.sigma


def _to_segment(points: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Distance of points [..., 3] to segments ab, whose place is found without gradient as in `segment_distance`."""
    with torch.no_grad():
        way = b - a
        share = (((points - a) * way).sum(-1) / (way * way).sum(-1).clamp_min(1e-9)).clamp(0, 1)
    gap = points - a - share[..., None] * (b - a)
    return (gap * gap).sum(-1).add(1e-12).sqrt()


def segment_distance(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Distance between segments ab and cd [..., 3] (Ericson, Real-Time Collision Detection, 5.1.9).

    The closest points' parameters are found without gradient: at the minimum the distance does not change with them.
    """
    with torch.no_grad():
        u, v, w = b - a, d - c, a - c
        uu, vv, uv = (u * u).sum(-1).clamp_min(1e-9), (v * v).sum(-1).clamp_min(1e-9), (u * v).sum(-1)
        uw, vw = (u * w).sum(-1), (v * w).sum(-1)
        det = uu * vv - uv * uv
        s = torch.where(det > 1e-9, (uv * vw - uw * vv) / det.clamp_min(1e-9), torch.full_like(det, 0.5)).clamp(0, 1)
        t = ((uv * s + vw) / vv).clamp(0, 1)
        s = ((uv * t - uw) / uu).clamp(0, 1)
    gap = a + s[..., None] * (b - a) - c - t[..., None] * (d - c)
    return (gap * gap).sum(-1).add(1e-12).sqrt()
