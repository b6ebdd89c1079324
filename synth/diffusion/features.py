"""The features that the generator learns: the first 205 columns of a training set's rows, normalised, and back again.

They decode to SMPL in closed form: `transl` and the rotations are among them, so nothing is fitted afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from synth.corpus.corpus import STATISTICS
from synth.corpus.rows import COLUMNS, FEATURES
from synth.corpus.shards import Corpus
from synth.errors import BadFile
from synth.files import read_npz
from synth.interaction import Interaction, Meta
from synth.motion.kinematics import JOINTS, forward_kinematics
from synth.taxonomy import ROLES

NAMES = ("transl", "global_orient", "body_pose", "joints", "contacts")
BODY_JOINTS = 22  # the features leave out the hands' joints
FLOOR = 0.01  # no feature is scaled up more than a hundred times: what hardly ever changes would be noise
# What shares one standard deviation, so that a metre is a metre in x and in y, in the hips and in the hands.
POOLED: tuple[tuple[int, ...], ...] = (
    (0, 1),
    (2,),
    *(tuple(range(COLUMNS[name].start, COLUMNS[name].stop)) for name in NAMES[1:]),
)


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of the features, float32 [205] each."""

    mean: Tensor
    std: Tensor

    @staticmethod
    def of(corpus: Corpus) -> Moments:
        """Those of a corpus's training split; the deviations pooled within the groups of `POOLED`.

        Raises:
            BadFile: the corpus's statistics are damaged.
        """
        path = corpus.folder / STATISTICS
        arrays = read_npz(path)
        found = {name: arrays.get(name, np.zeros(0)) for name in ("mean", "std")}
        for name, value in found.items():
            if value.shape != (FEATURES,) or value.dtype.kind != "f" or not np.isfinite(value).all():
                raise BadFile(path, name, f"{value.dtype} {value.shape}", f"finite numbers [{FEATURES}]")
        std = np.zeros(FEATURES)
        for group in POOLED:
            std[list(group)] = np.sqrt(np.mean(found["std"][list(group)] ** 2))
        return Moments(*(torch.from_numpy(a.astype(np.float32)) for a in (found["mean"], np.maximum(std, FLOOR))))

    @staticmethod
    def of_tensors(tensors: Mapping[str, Tensor]) -> Moments:
        """What `tensors` gave. Raises KeyError or ValueError, which name what is wrong."""
        mean, std = (tensors[name].float() for name in ("mean", "std"))
        for name, value in (("mean", mean), ("std", std)):
            if value.shape != (FEATURES,) or not bool(torch.isfinite(value).all()):
                raise ValueError(f"{name}: found {tuple(value.shape)}; expected finite numbers [{FEATURES}]")
        if not bool((std > 0).all()):
            raise ValueError(f"std: found {float(std.min()):g}; expected numbers above 0")
        return Moments(mean, std)

    def tensors(self) -> dict[str, Tensor]:
        """For a safetensors file."""
        return {"mean": self.mean, "std": self.std}

    def to(self, device: str | torch.device) -> Moments:
        return Moments(self.mean.to(device), self.std.to(device))

    def normalise(self, features: Tensor) -> Tensor:
        """Features [..., 205] in metres and so on to numbers of mean 0 and about unit size."""
        return (features - self.mean) / self.std

    def denormalise(self, x: Tensor) -> Tensor:
        """The inverse of `normalise`; float32 whatever comes in."""
        return x.float() * self.std + self.mean


def matrix_from_6d(six: Tensor) -> Tensor:
    """Gram-Schmidt of two columns, differentiable: [..., 6] -> [..., 3, 3] (as `synth.rotation.matrix_from_6d`)."""
    first = F.normalize(six[..., :3], dim=-1, eps=1e-6)
    second = six[..., 3:] - (first * six[..., 3:]).sum(-1, keepdim=True) * first
    second = F.normalize(second, dim=-1, eps=1e-6)
    return torch.stack((first, second, torch.linalg.cross(first, second)), -1)


def decode(x: Tensor, moments: Moments) -> tuple[Tensor, Tensor]:
    """``transl`` [..., 3] metres and local rotations [..., 22, 3, 3] (root first) of normalised features [..., 205]."""
    features = moments.denormalise(x)
    six = features[..., COLUMNS["global_orient"].start : COLUMNS["body_pose"].stop]
    return features[..., COLUMNS["transl"]], matrix_from_6d(six.unflatten(-1, (BODY_JOINTS, 6)))


def joints_of(transl: Tensor, rotmats: Tensor, rest: Tensor) -> Tensor:
    """World joints 0 to 21 by forward kinematics, [B, P, T, 22, 3] metres; differentiable.

    Args:
        transl: [B, P, T, 3]. rotmats: [B, P, T, 22, 3, 3]. rest: rest joints [B, P, 24, 3].
    """
    posed, _ = forward_kinematics(_with_hands(rotmats), rest.to(rotmats)[:, :, None], transl)
    return posed[..., :BODY_JOINTS, :]


def to_interaction(x: Tensor, moments: Moments, betas: np.ndarray, fps: float, meta: Meta | None = None) -> Interaction:
    """Normalised features of the people of one scene [P, T, 205] as an Interaction; the hands' joints at rest.

    Args:
        x: only people that are there, only frames that there are.
        betas: [P, 10].
        meta: names a role and gender for each; by default all are a "person" of neutral gender.
    """
    transl, rotmats = decode(x.detach().cpu(), moments)
    return motion_of(transl.numpy(), axis_angle_of(rotmats).numpy(), betas, fps, meta)


def motion_of(
    transl: np.ndarray, pose: np.ndarray, betas: np.ndarray, fps: float, meta: Meta | None = None
) -> Interaction:  # fmt: skip
    """An Interaction of ``transl`` [P, T, 3] and axis-angle vectors [P, T, 22, 3], root first; see `to_interaction`."""
    people, frames = transl.shape[:2]
    known = meta or Meta(roles=(ROLES[-1],) * people, genders=("neutral",) * people)
    body_pose = np.zeros((people, frames, 3 * (JOINTS - 1)), np.float32)  # the hands' stay at rest
    body_pose[..., : 3 * (BODY_JOINTS - 1)] = pose[:, :, 1:].reshape(people, frames, -1)
    return Interaction(
        fps=float(fps),
        transl=transl.astype(np.float32),
        global_orient=pose[:, :, 0].astype(np.float32),
        body_pose=body_pose,
        betas=np.asarray(betas, np.float32),
        present=np.ones((people, frames), bool),
        meta=known,
    ).validate("the generated motion")


def in_world(
    transl: Tensor, rotmats: Tensor, rest: Tensor, yaw: Tensor, place: Tensor
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """What `decode` gave, in the world of scenes whose own frame has this yaw [B] and place [B, 2] there.

    Args:
        transl: [B, P, T, 3]. rotmats: [B, P, T, 22, 3, 3]. rest: rest joints [B, P, 24, 3].

    Returns:
        ``transl`` [B, P, T, 3] and axis-angle vectors [B, P, T, 22, 3]: x' = R x + t, as `skeleton.transform_root`.
    """
    c, s, zero, one = torch.cos(yaw), torch.sin(yaw), torch.zeros_like(yaw), torch.ones_like(yaw)
    turn = torch.stack((c, -s, zero, s, c, zero, zero, zero, one), -1).view(-1, 1, 1, 3, 3)
    pelvis = rest[:, :, None, 0]
    moved = (turn @ (pelvis + transl)[..., None])[..., 0] - pelvis + F.pad(place, (0, 1))[:, None, None]
    turned = torch.cat(((turn @ rotmats[..., 0, :, :])[..., None, :, :], rotmats[..., 1:, :, :]), -3)
    return moved, axis_angle_of(turned)


def axis_angle_of(rotmats: Tensor) -> Tensor:
    """Rotation matrices [..., 3, 3] as axis times angle [..., 3], angle in [0, pi], as `synth.rotation`'s (Shepperd).

    `kinematics.log_map` is differentiable, but not for half turns, which roots in the world do make.
    """
    m = rotmats.flatten(-2).unbind(-1)
    squares = torch.stack(
        (1 + m[0] + m[4] + m[8], 1 + m[0] - m[4] - m[8], 1 - m[0] + m[4] - m[8], 1 - m[0] - m[4] + m[8]), -1
    )
    yz, zx, xy = m[7] - m[5], m[2] - m[6], m[3] - m[1]
    sxy, szx, syz = m[3] + m[1], m[2] + m[6], m[7] + m[5]
    rows = (
        (squares[..., 0], yz, zx, xy), (yz, squares[..., 1], sxy, szx),
        (zx, sxy, squares[..., 2], syz), (xy, szx, syz, squares[..., 3]),
    )  # fmt: skip
    candidates = torch.stack([torch.stack(row, -1) for row in rows], -2)
    best = squares.argmax(-1)[..., None, None].expand(*squares.shape[:-1], 1, 4)
    q = F.normalize(candidates.gather(-2, best)[..., 0, :], dim=-1)
    q = torch.where(q[..., :1] < 0, -q, q)
    sine = q[..., 1:].norm(dim=-1, keepdim=True)
    angle = 2 * torch.atan2(sine, q[..., :1])
    return q[..., 1:] * torch.where(sine < 1e-7, 2.0, angle / sine.clamp_min(1e-7))


def _with_hands(rotmats: Tensor) -> Tensor:
    hands = torch.eye(3, dtype=rotmats.dtype, device=rotmats.device)
    hands = hands.expand(*rotmats.shape[:-3], JOINTS - BODY_JOINTS, 3, 3)
    return torch.cat((rotmats, hands), -3)
