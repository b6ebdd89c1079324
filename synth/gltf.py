"""Triangle meshes with plain materials, and their glTF 2.0 binary files (.glb)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Material:
    """A glTF metallic-roughness material. Colours are linear RGB in 0..1; ``emission`` may exceed 1."""

    name: str = "default"
    base_color: tuple[float, float, float] = (0.8, 0.8, 0.8)
    roughness: float = 0.6
    metallic: float = 0.0
    emission: tuple[float, float, float] = (0.0, 0.0, 0.0)
    alpha: float = 1.0


@dataclass(frozen=True)
class SceneMesh:
    """One mesh in the world: metres, z up. ``normals`` float [V, 3] and ``uv`` float [V, 2] are optional."""

    name: str
    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    material: Material = field(default_factory=Material)
    normals: NDArray[np.float32] | None = None
    uv: NDArray[np.float32] | None = None


def write_glb(path: object, meshes: list[SceneMesh]) -> None:
    raise NotImplementedError


def read_glb(path: object) -> list[SceneMesh]:
    raise NotImplementedError
