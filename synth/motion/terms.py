"""Terms of the trajectory optimiser: each a small frozen object with a name and a residual in standard deviations.

Here are those of bodies alone: given poses, what joints can do, likely poses, even motion and balance. Those of places
that touch are in `synth.motion.contact`, those that keep bodies apart in `synth.motion.penetration`. Any other object
with `name` and `residual(state)` is a term as well: reconstruction adds its own.

Indices are long tensors, windows are float tensors [.., T] that weigh each frame (0 = the term sleeps).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.errors import BadOption
from synth.motion.fit import State
from synth.motion.kinematics import log_map


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
