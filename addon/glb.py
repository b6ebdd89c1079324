"""A small reader of binary glTF 2.0: nodes, meshes with every attribute, skins. Standard library and NumPy alone.

Files are y up; `upright` turns points to Blender's z up: (x, y, z) -> (x, -z, y).
"""

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import CareSynthError

_MAGIC, _JSON, _BINARY = 0x46546C67, 0x4E4F534A, 0x004E4942
_TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_TRIANGLES = 4
_KNOWN = {"KHR_materials_emissive_strength", "KHR_mesh_quantization"}
_LIMIT = 1 << 30  # bytes


@dataclass(frozen=True)
class Mesh:
    """One mesh: its vertices once, its triangles with the material of each.

    Attributes:
        name: of its node. attributes: glTF's names to arrays of a row a vertex, as in the file (y up).
        faces: int32 [F, 3]. slots: int32 [F], index into ``materials``. materials: names.
        matrix: node's place in the file's world [4, 4], y up. skin: index of the skin, or None.
        node: index of the node; extras: of node.
    """

    name: str
    attributes: dict[str, np.ndarray]
    faces: np.ndarray
    slots: np.ndarray
    materials: tuple[str, ...]
    matrix: np.ndarray
    skin: int | None
    node: int
    extras: dict[str, Any]


@dataclass(frozen=True)
class Skin:
    """Joints of a skin: names and rest positions [J, 3] in the mesh's frame, y up."""

    joints: tuple[str, ...]
    rest: np.ndarray


@dataclass(frozen=True)
class Scene:
    """What a file holds. ``materials`` are glTF's own objects by name."""

    meshes: list[Mesh]
    skins: list[Skin]
    materials: dict[str, dict[str, Any]]


def upright(vectors: np.ndarray) -> np.ndarray:
    """glTF's y up to Blender's z up [..., 3]."""
    v = np.asarray(vectors)
    return np.stack([v[..., 0], -v[..., 2], v[..., 1]], -1)


def upright_matrix(matrix: np.ndarray) -> np.ndarray:
    """A pose [4, 4] of a y-up world in the z-up one, of things whose own frame is turned likewise."""
    turn = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    return turn @ matrix @ turn.T


def read(path: Path) -> Scene:
    """Read a file.

    Raises:
        CareSynthError: it is missing, damaged, or uses a compression.
    """
    document, binary = _chunks(path)
    unknown = sorted(set(document.get("extensionsRequired", [])) - _KNOWN)
    if unknown:
        raise CareSynthError(f"{path} needs {', '.join(unknown)}: export it without compression")
    try:
        return _Reader(document, binary).scene()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CareSynthError(f"{path} is damaged ({type(error).__name__}: {error})") from None


def _chunks(path: Path) -> tuple[dict[str, Any], bytes]:
    try:
        if path.stat().st_size > _LIMIT:
            raise CareSynthError(f"{path} is larger than {_LIMIT >> 20} MB")
        data = path.read_bytes()
    except OSError as error:
        raise CareSynthError(f"{path} cannot be read: {error.strerror or error}") from None
    if len(data) < 20 or struct.unpack_from("<II", data) != (_MAGIC, 2):
        raise CareSynthError(f"{path} is not a binary glTF 2.0 file")
    (total,) = struct.unpack_from("<I", data, 8)
    if total != len(data):
        raise CareSynthError(f"{path} is cut off: it has {len(data)} of {total} bytes")
    document, binary, at = None, b"", 12
    while at + 8 <= total:
        length, kind = struct.unpack_from("<II", data, at)
        body = data[at + 8 : at + 8 + length]
        if kind == _JSON and document is None:
            try:
                document = json.loads(body)
            except (ValueError, RecursionError):
                break
        elif kind == _BINARY and not binary:
            binary = body
        at += 8 + length
    if not isinstance(document, dict):
        raise CareSynthError(f"{path} is damaged: its JSON cannot be read")
    return document, binary


class _Reader:
    def __init__(self, document: dict[str, Any], binary: bytes) -> None:
        self.document, self.binary = document, binary
        self.names = _unique([str(m.get("name", f"material_{i}")) for i, m in enumerate(document.get("materials", []))])

    def scene(self) -> Scene:
        nodes = self.document.get("nodes", [])
        scenes = self.document.get("scenes", [])
        roots = scenes[self.document.get("scene", 0)].get("nodes", []) if scenes else range(len(nodes))
        meshes: list[Mesh] = []
        waiting = [(index, np.eye(4)) for index in reversed(roots)]
        seen: set[int] = set()
        while waiting:
            index, above = waiting.pop()
            if index in seen:
                raise ValueError(f"node {index} is below two others")
            seen.add(index)
            node = nodes[index]
            matrix = above @ _pose(node)
            if "mesh" in node:
                meshes.append(self._mesh(index, node, matrix))
            waiting += [(child, matrix) for child in reversed(node.get("children", []))]
        skins = [self._skin(skin) for skin in self.document.get("skins", [])]
        materials = dict(zip(self.names, self.document.get("materials", []), strict=True))
        return Scene(meshes, skins, materials)

    def _mesh(self, index: int, node: dict[str, Any], matrix: np.ndarray) -> Mesh:
        entry = self.document["meshes"][node["mesh"]]
        blocks: dict[tuple, tuple[int, dict[str, np.ndarray]]] = {}
        faces, slots, materials, count = [], [], [], 0
        for primitive in entry["primitives"]:
            if primitive.get("mode", _TRIANGLES) != _TRIANGLES:
                continue
            key = tuple(sorted(primitive["attributes"].items()))
            if key not in blocks:  # parts that share their vertices stay one mesh, smooth across the seams
                arrays = {name: self._accessor(number) for name, number in key}
                blocks[key] = (count, arrays)
                count += len(arrays["POSITION"])
            start, arrays = blocks[key]
            size = len(arrays["POSITION"])
            order = self._accessor(primitive["indices"]).reshape(-1) if "indices" in primitive else np.arange(size)
            rows = order[: len(order) // 3 * 3].reshape(-1, 3).astype(np.int64)
            if len(rows) and rows.max() >= size:
                raise ValueError(f"index {rows.max()} of {size} vertices")
            name = self.names[primitive["material"]] if "material" in primitive else ""
            if name not in materials:
                materials.append(name)
            faces.append(rows + start)
            slots.append(np.full(len(rows), materials.index(name), np.int32))
        shared = set.intersection(*(set(arrays) for _, arrays in blocks.values())) if blocks else set()
        attributes = {name: np.concatenate([arrays[name] for _, arrays in blocks.values()]) for name in sorted(shared)}
        for name, array in attributes.items():
            if len(array) != count:
                raise ValueError(f"{name} has {len(array)} rows for {count} vertices")
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError(f"{name} holds NaN or infinity")
        return Mesh(
            str(node.get("name") or entry.get("name") or f"mesh_{index}"),
            attributes,
            np.concatenate(faces).astype(np.int32) if faces else np.zeros((0, 3), np.int32),
            np.concatenate(slots) if slots else np.zeros(0, np.int32),
            tuple(materials), matrix, node.get("skin"), index, dict(node.get("extras") or {}),
        )  # fmt: skip

    def _skin(self, skin: dict[str, Any]) -> Skin:
        nodes = self.document["nodes"]
        inverse = self._accessor(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1).astype(float)
        rest = np.linalg.inv(inverse)[:, :3, 3]
        return Skin(tuple(str(nodes[index]["name"]) for index in skin["joints"]), rest)

    def _accessor(self, index: int) -> np.ndarray:
        if index < 0:
            raise ValueError(f"accessor {index}")
        entry = self.document["accessors"][index]
        dtype, width, count = np.dtype(_TYPES[entry["componentType"]]), _WIDTHS[entry["type"]], int(entry["count"])
        view = self.document["bufferViews"][entry["bufferView"]]
        if view["buffer"] != 0 or "uri" in self.document["buffers"][0] or "sparse" in entry:
            raise ValueError("data outside the file")
        start = int(view.get("byteOffset", 0)) + int(entry.get("byteOffset", 0))
        stride = int(view.get("byteStride", dtype.itemsize * width))
        end = start + (count - 1) * stride + dtype.itemsize * width if count else start
        if min(start, count, stride) < 0 or end > len(self.binary):
            raise ValueError(f"accessor {index} ends beyond the file")
        rows = np.ndarray((count, width), dtype, self.binary, start, (stride, dtype.itemsize)).copy()
        if entry.get("normalized") and dtype.kind in "iu":
            rows = np.maximum(rows.astype(np.float32) / np.iinfo(dtype).max, -1.0)
        return rows[:, 0] if width == 1 else rows


def _pose(node: dict[str, Any]) -> np.ndarray:
    if "matrix" in node:
        return np.array(node["matrix"], float).reshape(4, 4).T
    x, y, z, w = (float(v) for v in node.get("rotation", (0, 0, 0, 1)))
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, :3] *= np.array(node.get("scale", (1, 1, 1)), float)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return found
