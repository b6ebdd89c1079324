"""Terms of the trajectory optimiser: each a small frozen object with a name and a residual in standard deviations.

Indices are long tensors, windows are float tensors [.., T] that weigh each frame (0 = the term sleeps). Any other
object with `name` and `residual(state)` is a term as well: reconstruction adds its own.
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
from synth.motion.kinematics import log_map


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
class JointTargets:
    """Joints near given world positions: target [P, T, K, 3], confidence [P, T, K] (0 = unseen), sigma in metres."""

    joints: tuple[int, ...]
    target: Tensor
    confidence: Tensor
    sigma: float = 0.02
    name: str = "joint_targets"

    def residual(self, state: State) -> Tensor:
        off = state.joints[:, :, list(self.joints)] - self.target
        return off * (self.confidence.sqrt() / self.sigma).unsqueeze(-1)


@dataclass(frozen=True)
class KeyPose:
    """Local rotations near given ones: target [P, T, 24, 3, 3], weight [P, T, 24], sigma in radians."""

    target: Tensor
    weight: Tensor
    sigma: float = 0.2
    name: str = "key_pose"

    def residual(self, state: State) -> Tensor:
        # |R - R*| (Frobenius) = 2 sqrt(2) sin(angle / 2), so dividing by sqrt(2) reads as radians
        off = (state.rotmats - self.target) * (0.7071068 / self.sigma)
        return off * self.weight.sqrt()[..., None, None]


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
        depth = _capsule_depth(a[self.first], b[self.first], a[self.second], b[self.second])
        return (self.radius[self.first] + self.radius[self.second])[:, None] - depth

    def residual(self, state: State) -> Tensor:
        a, b = self.start.where(state), self.end.where(state)
        with torch.no_grad():  # most pairs are far apart in most frames: bound them by their spheres first
            middle, reach = 0.5 * (a + b), 0.5 * (a - b).norm(dim=-1) + self.radius[:, None]
            between = (middle[self.first] - middle[self.second]).norm(dim=-1)
            close = between < reach[self.first] + reach[self.second] - self.allow[:, None]
            pair, frame = close.nonzero(as_tuple=True)
            i, j = self.first[pair], self.second[pair]
            apart = _capsule_depth(a[i, frame], b[i, frame], a[j, frame], b[j, frame])
            inside = (apart < self.radius[i] + self.radius[j] - self.allow[pair]).nonzero()[:, 0]
            pair, frame, i, j = pair[inside], frame[inside], i[inside], j[inside]
        apart = _capsule_depth(a[i, frame], b[i, frame], a[j, frame], b[j, frame])
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
    """Distance of points [..., 3] to segments ab; the place on the segment is found without gradient (see below)."""
    with torch.no_grad():
        way = b - a
        share = (((points - a) * way).sum(-1) / (way * way).sum(-1).clamp_min(1e-9)).clamp(0, 1)
    gap = points - a - share[..., None] * (b - a)
    return (gap * gap).sum(-1).add(1e-12).sqrt()


def _capsule_depth(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
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


# Range of the local rotation vector of each joint, radians (low, high) for x, y, z in SMPL's frame: normal ranges of
# motion (American Academy of Orthopaedic Surgeons) turned into the joints' axes, spine shared out over three joints.
_LIMITS: dict[int, tuple[tuple[float, float], ...]] = {
    1: ((-2.2, 0.6), (-0.8, 0.8), (-0.5, 0.9)),
    2: ((-2.2, 0.6), (-0.8, 0.8), (-0.9, 0.5)),
    3: ((-0.25, 0.7), (-0.3, 0.3), (-0.3, 0.3)),
    4: ((-0.05, 2.6), (-0.25, 0.25), (-0.15, 0.15)),
    5: ((-0.05, 2.6), (-0.25, 0.25), (-0.15, 0.15)),
    6: ((-0.25, 0.5), (-0.3, 0.3), (-0.25, 0.25)),
    7: ((-0.9, 0.7), (-0.4, 0.4), (-0.4, 0.4)),
    8: ((-0.9, 0.7), (-0.4, 0.4), (-0.4, 0.4)),
    9: ((-0.25, 0.4), (-0.3, 0.3), (-0.25, 0.25)),
    10: ((-1.0, 0.4), (-0.15, 0.15), (-0.15, 0.15)),
    11: ((-1.0, 0.4), (-0.15, 0.15), (-0.15, 0.15)),
    12: ((-0.5, 0.5), (-0.6, 0.6), (-0.4, 0.4)),
    13: ((-0.3, 0.3), (-0.35, 0.25), (-0.2, 0.5)),
    14: ((-0.3, 0.3), (-0.25, 0.35), (-0.5, 0.2)),
    15: ((-0.5, 0.6), (-0.7, 0.7), (-0.4, 0.4)),
    16: ((-1.1, 1.1), (-2.2, 0.9), (-1.6, 1.4)),
    17: ((-1.1, 1.1), (-0.9, 2.2), (-1.4, 1.6)),
    18: ((-1.3, 1.3), (-2.5, 0.05), (-0.8, 0.8)),
    19: ((-1.3, 1.3), (-0.05, 2.5), (-0.8, 0.8)),
    20: ((-0.8, 0.8), (-0.5, 0.5), (-1.1, 1.1)),
    21: ((-0.8, 0.8), (-0.5, 0.5), (-1.1, 1.1)),
    22: ((-0.2, 0.2), (-0.3, 0.3), (-1.6, 0.3)),
    23: ((-0.2, 0.2), (-0.3, 0.3), (-0.3, 1.6)),
}


def joint_ranges() -> dict[int, tuple[tuple[float, float], ...]]:
    """Range (low, high) of each component x, y, z of a joint's local rotation vector, radians, by joint index."""
    return dict(_LIMITS)


_LIMITED = sorted(_LIMITS)
_RANGE = torch.tensor([_LIMITS[j] for j in _LIMITED])


@dataclass(frozen=True)
class JointLimits:
    """Local rotation vectors stay inside the human range of motion; sigma in radians. `soften` widens the range."""

    sigma: float = 0.08
    soften: float = 0.0
    name: str = "joint_limits"

    def residual(self, state: State) -> Tensor:
        vector = log_map(state.rotmats[:, :, _LIMITED])
        low, high = _RANGE[..., 0] - self.soften, _RANGE[..., 1] + self.soften
        return (torch.relu(vector - high) + torch.relu(low - vector)) / self.sigma


@dataclass(frozen=True)
class PosePrior:
    """Body poses are likely ones: rotation vectors v [J * 3] of `joints`, r = W (v - mean) in a low-rank whitening W.

    `weight` scales the residual: the poses of neighbouring frames are not independent evidence.
    """

    joints: tuple[int, ...]
    mean: Tensor  # [J * 3]
    whiten: Tensor  # [K, J * 3]
    weight: float = 0.1
    name: str = "pose_prior"

    def residual(self, state: State) -> Tensor:
        vector = log_map(state.rotmats[:, :, list(self.joints)]).flatten(-2)
        return ((vector - self.mean) @ self.whiten.T) * self.weight


@dataclass(frozen=True)
class Smoothness:
    """Joint positions change evenly: "velocity" |v|, "acceleration" |a| (a constant velocity costs nothing: thesis
    eq. 4.1), "jerk". sigma in m/s, m/s^2, m/s^3; weight [P] a person; usual [P, T - 1 (2, 3), 24] in the same unit: how
    large it is known to be, as in a fall, which is not made gentle."""

    order: str = "acceleration"
    sigma: float = 6.0
    name: str = "smoothness"
    weight: Tensor | None = None
    usual: Tensor | None = None

    def residual(self, state: State) -> Tensor:
        times = {"velocity": 1, "acceleration": 2, "jerk": 3}.get(self.order)
        if times is None:
            raise BadOption("Smoothness.order", self.order, "velocity, acceleration or jerk")
        change = torch.diff(state.joints, n=times, dim=1) * state.fps**times
        if self.weight is not None:
            change = change * self.weight.sqrt()[:, None, None, None]
        if self.usual is None:
            return change / self.sigma
        return change / (self.sigma**2 + self.usual**2).sqrt().unsqueeze(-1)


@dataclass(frozen=True)
class Pace:
    """Joints go as fast as they are known to: velocity [P, T - 1, K, 3] m/s, weight [P, T - 1, K], sigma in m/s."""

    joints: tuple[int, ...]
    velocity: Tensor
    weight: Tensor
    sigma: float = 0.15
    name: str = "pace"

    def residual(self, state: State) -> Tensor:
        found = torch.diff(state.joints[:, :, list(self.joints)], dim=1) * state.fps
        return (found - self.velocity) * (self.weight.sqrt() / self.sigma).unsqueeze(-1)


@dataclass(frozen=True)
class Stay:
    """Joint positions stay near given ones [P, T, 24, 3], beyond what the prior asks; weight [P, T, 24]."""

    joints: Tensor
    weight: Tensor
    sigma: float = 0.1
    name: str = "stay"

    def residual(self, state: State) -> Tensor:
        return (state.joints - self.joints) * (self.weight.sqrt() / self.sigma).unsqueeze(-1)


# Share of the body's mass about each joint (segment masses of Winter 2009, table 4.1, lumped onto SMPL joints).
_MASS = torch.tensor(
    [0.142, 0.05, 0.05, 0.10, 0.073, 0.073, 0.10, 0.045, 0.045, 0.10, 0.007, 0.007, 0.02, 0.0, 0.0, 0.061,
     0.028, 0.028, 0.022, 0.022, 0.011, 0.011, 0.0025, 0.0025]
)  # fmt: skip
_MASS = _MASS / _MASS.sum()


def centre_of_mass(joints: Tensor) -> Tensor:
    """Whole-body centre of mass [..., 3] from joints [..., 24, 3]; within about 3 cm in standing."""
    return torch.einsum("...jc,j->...c", joints, _MASS.to(joints))


@dataclass(frozen=True)
class Balance:
    """The centre of mass stays over the feet: within `radius` metres of the line between support points a and b.

    a, b [P, T, 3] world (both the same point when one foot carries), window [P, T].
    """

    a: Tensor
    b: Tensor
    window: Tensor
    radius: float = 0.06
    sigma: float = 0.02
    name: str = "balance"

    def residual(self, state: State) -> Tensor:
        mass = centre_of_mass(state.joints)[..., :2]
        a, b = self.a[..., :2], self.b[..., :2]
        line = b - a
        with torch.no_grad():
            share = (((mass - a) * line).sum(-1) / (line * line).sum(-1).clamp_min(1e-6)).clamp(0, 1)
        off = mass - a - share[..., None] * line
        size = (off * off).sum(-1, keepdim=True).add(1e-12).sqrt()
        return off * (torch.relu(size - self.radius) / size) * (self.window.sqrt() / self.sigma).unsqueeze(-1)


def detect_foot_contacts(joints: Tensor, fps: float, speed: float = 0.15, height: float = 0.12) -> Tensor:
    """Planted feet [P, T, 2] (left, right) of joints [P, T, 24, 3]: the toe joint slower than `speed` m/s and low.

    Runs shorter than 0.1 s are dropped.
    """
    toes = joints[:, :, [10, 11]]
    move = torch.zeros(toes.shape[:3])
    if toes.shape[1] > 2:
        move[:, 1:-1] = (toes[:, 2:] - toes[:, :-2]).norm(dim=-1) * (fps / 2)
        move[:, 0], move[:, -1] = move[:, 1], move[:, -2]
    planted = (move < speed) & (toes[..., 2] < height)
    least = max(2, round(0.1 * fps))
    runs = planted.permute(0, 2, 1).reshape(-1, planted.shape[1]).numpy().copy()
    for row in runs:
        edges = np.flatnonzero(np.diff(np.concatenate(([0], row.astype(np.int8), [0]))))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            if end - begin < least:
                row[begin:end] = False
    return torch.from_numpy(runs.reshape(planted.shape[0], 2, -1)).permute(0, 2, 1)
