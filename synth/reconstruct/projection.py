"""Cameras in torch: the same projections as `synth.camera.Camera.project`, with gradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.camera import Camera

NEAREST = 0.05  # metres in front of the camera; a point nearer, or behind, is projected as if it were there


@dataclass(frozen=True)
class Optics:
    """One camera: model as in `synth.camera.Camera`; focal [2], centre [2] pixels; dist as there; pose [4, 4]."""

    model: str
    focal: Tensor
    centre: Tensor
    dist: Tensor
    world_from_camera: Tensor

    @staticmethod
    def of(camera: Camera) -> Optics:
        """Take over a calibrated camera, float32."""
        k = torch.from_numpy(camera.K).float()
        dist, pose = (torch.from_numpy(value).float() for value in (camera.dist, camera.world_from_camera))
        return Optics(camera.model, k[[0, 1], [0, 1]], k[:2, 2], dist, pose)

    def project(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """World points [..., 3] in metres to pixels [..., 2] and depth along the axis [...] in metres.

        Differentiable everywhere; what is not in front of the camera has depth below `NEAREST` and no meaning.
        """
        local = (points - self.world_from_camera[:3, 3]) @ self.world_from_camera[:3, :3]
        flat, depth = local[..., :2], local[..., 2]
        if self.model == "fisheye":
            normal = self._fisheye(flat, depth)
        else:
            normal = flat / depth.clamp_min(NEAREST)[..., None]
            if self.model == "brown_conrady":
                normal = self._brown(normal)
        return normal * self.focal + self.centre, depth

    def _brown(self, normal: Tensor) -> Tensor:
        """OpenCV's k1, k2, p1, p2, k3."""
        k1, k2, p1, p2, k3 = self.dist
        x, y = normal.unbind(-1)
        square = x * x + y * y
        radial = 1 + square * (k1 + square * (k2 + square * k3))
        return torch.stack(
            (
                x * radial + 2 * p1 * x * y + p2 * (square + 2 * x * x),
                y * radial + p1 * (square + 2 * y * y) + 2 * p2 * x * y,
            ),
            -1,
        )

    def _fisheye(self, flat: Tensor, depth: Tensor) -> Tensor:
        """Kannala-Brandt, OpenCV's k1..k4."""
        radius = (flat * flat).sum(-1).add(1e-12).sqrt()
        angle = torch.atan2(radius, depth)
        square = angle * angle
        scale = torch.ones_like(angle)
        power = square
        for k in self.dist:
            scale = scale + k * power
            power = power * square
        return flat * (angle * scale / radius)[..., None]
