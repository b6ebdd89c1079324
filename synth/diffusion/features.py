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
from synth.rotation import matrix_to_axis_angle
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
    transl, rotmats = (part.detach().cpu() for part in decode(x, moments))
    people, frames = x.shape[:2]
    pose = matrix_to_axis_angle(_with_hands(rotmats).numpy()).reshape(people, frames, 72).astype(np.float32)
    known = meta or Meta(roles=(ROLES[-1],) * people, genders=("neutral",) * people)
    return Interaction(
        fps=float(fps),
        transl=transl.numpy().astype(np.float32),
        global_orient=pose[..., :3],
        body_pose=pose[..., 3:],
        betas=np.asarray(betas, np.float32),
        present=np.ones((people, frames), bool),
        meta=known,
    ).validate("the generated motion")


def _with_hands(rotmats: Tensor) -> Tensor:
    hands = torch.eye(3, dtype=rotmats.dtype, device=rotmats.device)
    hands = hands.expand(*rotmats.shape[:-3], JOINTS - BODY_JOINTS, 3, 3)
    return torch.cat((rotmats, hands), -3)
