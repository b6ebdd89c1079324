"""Triangle meshes with plain materials, and their glTF 2.0 binary files (.glb).

In memory everything is metres, z up, in the world's frame; the file is y up as glTF demands: (x, y, z) is written as
(x, z, -y), which moves numbers without rounding them, so that a round trip is exact. Specification: Khronos Group,
glTF 2.0, 2021. Read are node transforms, all triangle modes and accessor types, strided and embedded buffers; refused
with a clear message are compressed meshes (Draco, meshopt) and buffers in files outside.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.errors import BadFile
from synth.files import atomic_path

MAGIC, JSON_CHUNK, BINARY_CHUNK = 0x46546C67, 0x4E4F534A, 0x004E4942
COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
TRIANGLES, STRIP, FAN = 4, 5, 6
FLOAT, UINT, UBYTE = 5126, 5125, 5121
VERTICES, FACES = 34962, 34963  # targets of buffer views
SIZE_LIMIT = 1 << 30  # bytes; a room is a few megabytes
DEPTH_LIMIT = 64  # levels of nodes
KNOWN_EXTENSIONS = {"KHR_materials_emissive_strength", "KHR_mesh_quantization"}


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


# ---------------------------------------------------------------------------------------------------------- writing


def write_glb(path: str | PathLike[str], meshes: Sequence[SceneMesh]) -> None:
    """Write the meshes as one binary glTF file, atomically; equal meshes give equal bytes."""
    data = Binary()
    materials: dict[Material, int] = {}
    entries, nodes = [], []
    for mesh in meshes:
        if not len(mesh.vertices) or not len(mesh.faces):
            continue
        entries.append(mesh_json(mesh, data, materials))
        nodes.append({"name": mesh.name, "mesh": len(entries) - 1})
    document: dict[str, Any] = {"scene": 0, "scenes": [{"nodes": list(range(len(nodes)))}] if nodes else [{}]}
    if nodes:
        document |= {"nodes": nodes, "meshes": entries, "materials": [material_json(m) for m in materials]}
    if any(max(m.emission) > 1 for m in materials):
        document["extensionsUsed"] = ["KHR_materials_emissive_strength"]
    write_document(path, document, data)


class Binary:
    """The arrays of a glTF file that is being written: its one buffer, their views and accessors."""

    def __init__(self) -> None:
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []
        self.data = bytearray()

    def store(
        self, array: NDArray[Any], kind: str, component: int, target: int | None = None, bounds: bool = False
    ) -> int:
        """Add an array [N, ...] and return its accessor's index.

        Args:
            array: of the component's type, or one that converts to it; rows of a multiple of four bytes.
            kind: "SCALAR", "VEC3", ... component: a key of ``COMPONENTS``. target: of the view, for meshes' arrays.
            bounds: whether to state minimum and maximum, as positions and times must.
        """
        rows = np.ascontiguousarray(array, COMPONENTS[component]).reshape(-1, WIDTHS[kind])
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": rows.nbytes}
        self.views.append(view if target is None else view | {"target": target})
        self.data += rows.tobytes()
        self.data += b"\0" * (-len(self.data) % 4)
        entry: dict[str, Any] = {
            "bufferView": len(self.views) - 1, "componentType": component, "type": kind, "count": len(rows),
        }  # fmt: skip
        if bounds:
            entry |= {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        self.accessors.append(entry)
        return len(self.accessors) - 1


def write_document(path: str | PathLike[str], document: Mapping[str, Any], data: Binary) -> None:
    """Write a glTF document and its arrays as one ``.glb``, atomically."""
    whole: dict[str, Any] = {"asset": {"version": "2.0", "generator": "CareSynth"}, **document}
    if data.data:
        whole |= {
            "bufferViews": data.views, "accessors": data.accessors, "buffers": [{"byteLength": len(data.data)}],
        }  # fmt: skip
    text = json.dumps(whole, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + 8 + len(data.data)
    with atomic_path(path) as temporary, open(temporary, "wb") as out:
        out.write(struct.pack("<III", MAGIC, 2, total))
        out.write(struct.pack("<II", len(text), JSON_CHUNK) + text)
        out.write(struct.pack("<II", len(data.data), BINARY_CHUNK) + data.data)


def mesh_json(mesh: SceneMesh, data: Binary, materials: dict[Material, int]) -> dict[str, Any]:
    """The glTF mesh of ``mesh``; its arrays go to ``data``, a material that is new to ``materials``."""
    attributes = {"POSITION": data.store(to_file(mesh.vertices), "VEC3", FLOAT, VERTICES, bounds=True)}
    if mesh.normals is not None:
        attributes["NORMAL"] = data.store(to_file(mesh.normals), "VEC3", FLOAT, VERTICES)
    if mesh.uv is not None:
        attributes["TEXCOORD_0"] = data.store(mesh.uv, "VEC2", FLOAT, VERTICES)
    indices = data.store(mesh.faces.reshape(-1), "SCALAR", UINT, FACES)
    material = materials.setdefault(mesh.material, len(materials))
    return {
        "name": mesh.name,
        "primitives": [{"attributes": attributes, "indices": indices, "material": material, "mode": TRIANGLES}],
    }


def to_file(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Vectors [N, 3] of the z-up world in the file's y-up frame."""
    v = np.asarray(vectors, dtype="<f4")
    return np.stack([v[:, 0], v[:, 2], -v[:, 1]], -1)


def material_json(material: Material) -> dict[str, Any]:
    """The glTF material of ``material``."""
    value: dict[str, Any] = {
        "name": material.name,
        "doubleSided": True,
        "pbrMetallicRoughness": {
            "baseColorFactor": [*material.base_color, material.alpha],
            "roughnessFactor": material.roughness,
            "metallicFactor": material.metallic,
        },
    }
    if material.alpha < 1:
        value["alphaMode"] = "BLEND"
    brightest = max(material.emission)
    if brightest > 1:
        value["extensions"] = {"KHR_materials_emissive_strength": {"emissiveStrength": brightest}}
        value["emissiveFactor"] = [c / brightest for c in material.emission]
    elif brightest > 0:
        value["emissiveFactor"] = list(material.emission)
    return value


# ---------------------------------------------------------------------------------------------------------- reading


def read_glb(path: str | PathLike[str]) -> list[SceneMesh]:
    """Read the triangles of a binary glTF file's scene, node transforms applied, in the world's z-up frame.

    Raises:
        BadFile: the file is missing, cut off, not glTF 2.0, refers outside itself or uses a compression.
    """
    document, binary = _chunks(path)
    try:
        return list(_Reader(path, document, binary).meshes())
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BadFile(
            path, "glTF", f"{type(error).__name__}: {error}", "references and numbers as glTF 2.0 lays down"
        ) from None


def _chunks(path: str | PathLike[str]) -> tuple[dict[str, Any], bytes]:
    try:
        size = Path(path).stat().st_size
        if size > SIZE_LIMIT:
            raise BadFile(path, "file", f"{size} bytes", f"at most {SIZE_LIMIT} bytes")
        data = Path(path).read_bytes()
    except OSError as error:
        raise BadFile(path, "file", error.strerror or str(error), "a readable .glb file") from None
    if len(data) < 20 or struct.unpack_from("<I", data)[0] != MAGIC:
        raise BadFile(path, "header", data[:4], "binary glTF, which begins with b'glTF'")
    _, version, total = struct.unpack_from("<III", data)
    if version != 2:
        raise BadFile(path, "header.version", version, "2")
    if total != len(data):
        raise BadFile(
            path, "header.length", f"{len(data)} bytes", f"the {total} bytes that the header states (cut off?)"
        )
    document, binary, at = None, b"", 12
    while at + 8 <= total:
        length, kind = struct.unpack_from("<II", data, at)
        if at + 8 + length > total:
            raise BadFile(path, "chunk", f"a length of {length} at byte {at}", "a chunk that ends inside the file")
        body = data[at + 8 : at + 8 + length]
        if kind == JSON_CHUNK and document is None:
            try:
                document = json.loads(body)
            except (ValueError, RecursionError):
                raise BadFile(path, "JSON chunk", body[:40], "JSON") from None
        elif kind == BINARY_CHUNK and not binary:
            binary = body
        at += 8 + length
    if not isinstance(document, dict):
        raise BadFile(path, "JSON chunk", "none", "one JSON object")
    return document, binary


class _Reader:
    """Walks one document; every index is checked by Python's own errors, which ``read_glb`` translates."""

    def __init__(self, path: str | PathLike[str], document: Mapping[str, Any], binary: bytes) -> None:
        self.path, self.document = path, document
        unknown = sorted(set(document.get("extensionsRequired", [])) - KNOWN_EXTENSIONS)
        if unknown:
            raise BadFile(
                path, "extensionsRequired", ", ".join(unknown), "a file exported without compression or extensions"
            )
        self.buffers = [self._buffer(i, b, binary) for i, b in enumerate(document.get("buffers", []))]
        self.materials = [self._material(i, m) for i, m in enumerate(document.get("materials", []))]

    def _buffer(self, index: int, entry: Mapping[str, Any], binary: bytes) -> bytes:
        uri = entry.get("uri")
        if uri is None:
            data = binary
        elif isinstance(uri, str) and uri.startswith("data:") and ";base64," in uri[:100]:
            try:
                data = base64.b64decode(uri.split(";base64,", 1)[1], validate=True)
            except binascii.Error:
                raise BadFile(self.path, f"buffers[{index}].uri", uri, "base64 data") from None
        else:
            raise BadFile(self.path, f"buffers[{index}].uri", uri, "data inside the .glb file, not a file beside it")
        if len(data) < int(entry["byteLength"]):
            raise BadFile(self.path, f"buffers[{index}]", f"{len(data)} bytes", f"{entry['byteLength']} bytes")
        return data

    def _material(self, index: int, entry: Mapping[str, Any]) -> Material:
        surface = entry.get("pbrMetallicRoughness", {})
        color = [float(c) for c in surface.get("baseColorFactor", [1, 1, 1, 1])]
        glow = [float(c) for c in entry.get("emissiveFactor", [0, 0, 0])]
        extra = entry.get("extensions", {}).get("KHR_materials_emissive_strength", {})
        strength = float(extra.get("emissiveStrength", 1))
        red, green, blue, alpha = color
        values = [*color, *glow, strength]
        if not np.isfinite(values).all() or min(values) < 0:
            raise BadFile(self.path, f"materials[{index}]", values, "finite colours of 0 or more")
        return Material(
            str(entry.get("name", f"material_{index}")),
            (red, green, blue),
            float(surface.get("roughnessFactor", 1)),
            float(surface.get("metallicFactor", 1)),
            (glow[0] * strength, glow[1] * strength, glow[2] * strength),
            1.0 if entry.get("alphaMode", "OPAQUE") == "OPAQUE" else alpha,
        )

    def meshes(self) -> Iterator[SceneMesh]:
        nodes = self.document.get("nodes", [])
        scenes = self.document.get("scenes", [])
        roots = scenes[self.document.get("scene", 0)].get("nodes", []) if scenes else list(range(len(nodes)))
        seen: set[int] = set()
        for root in roots:
            yield from self._node(root, np.eye(4), 0, seen)

    def _node(self, index: int, above: NDArray[np.float64], depth: int, seen: set[int]) -> Iterator[SceneMesh]:
        if depth > DEPTH_LIMIT or index in seen:
            raise BadFile(self.path, f"nodes[{index}]", "a node below itself or too deep", "a tree of nodes")
        seen.add(index)
        node = self.document["nodes"][_index(index)]
        world = above @ _transform(node)
        if "mesh" in node:
            mesh = self.document["meshes"][_index(node["mesh"])]
            name = str(node.get("name") or mesh.get("name") or f"mesh_{node['mesh']}")
            for i, primitive in enumerate(mesh["primitives"]):
                if primitive.get("mode", TRIANGLES) in (TRIANGLES, STRIP, FAN):
                    yield self._primitive(name if i == 0 else f"{name}/{i}", primitive, world)
        for child in node.get("children", []):
            yield from self._node(child, world, depth + 1, seen)

    def _primitive(self, name: str, primitive: Mapping[str, Any], world: NDArray[np.float64]) -> SceneMesh:
        attributes = primitive["attributes"]
        points = self._accessor(attributes["POSITION"], "VEC3")
        if "indices" in primitive:
            order = self._accessor(primitive["indices"], "SCALAR").reshape(-1).astype(np.int64)
        else:
            order = np.arange(len(points))
        faces = _triangles(order, primitive.get("mode", TRIANGLES))
        if len(faces) and (faces.min() < 0 or faces.max() >= len(points)):
            raise BadFile(self.path, f"{name}.indices", int(faces.max()), f"indices below {len(points)}")
        if not np.isfinite(points).all():
            raise BadFile(self.path, f"{name}.POSITION", "NaN or infinity", "finite metres")
        still = np.array_equal(world, np.eye(4))
        vertices = points if still else points @ world[:3, :3].T + world[:3, 3]
        normals = uv = None
        if "NORMAL" in attributes:
            normals = self._accessor(attributes["NORMAL"], "VEC3")
            if not still:
                normals = normals @ np.linalg.inv(world[:3, :3])
                normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
            normals = _from_file(normals)
        if "TEXCOORD_0" in attributes:
            uv = self._accessor(attributes["TEXCOORD_0"], "VEC2").astype(np.float32)
        if np.linalg.det(world[:3, :3]) < 0:
            faces = faces[:, ::-1]
        material = self.materials[_index(primitive["material"])] if "material" in primitive else Material()
        return SceneMesh(name, _from_file(vertices), faces.astype(np.int32), material, normals, uv)

    def _accessor(self, index: int, kind: str) -> NDArray[Any]:
        entry = self.document["accessors"][_index(index)]
        if entry["type"] != kind or "sparse" in entry:
            raise BadFile(self.path, f"accessors[{index}]", entry, f"a plain accessor of type {kind}")
        dtype, width, count = np.dtype(COMPONENTS[entry["componentType"]]), WIDTHS[kind], int(entry["count"])
        if "bufferView" not in entry:
            raise BadFile(self.path, f"accessors[{index}].bufferView", "none", "uncompressed data")
        view = self.document["bufferViews"][_index(entry["bufferView"])]
        buffer = self.buffers[_index(view["buffer"])]
        start, length = int(view.get("byteOffset", 0)), int(view["byteLength"])
        offset, stride = int(entry.get("byteOffset", 0)), int(view.get("byteStride", dtype.itemsize * width))
        needed = offset + (count - 1) * stride + dtype.itemsize * width if count else 0
        if (
            min(start, length, offset, count) < 0
            or stride < dtype.itemsize * width
            or needed > length
            or start + length > len(buffer)
        ):
            raise BadFile(
                self.path,
                f"accessors[{index}]",
                f"{needed} bytes",
                f"data inside the {len(buffer)} bytes of its buffer",
            )
        flat: NDArray[Any] = np.ndarray((count, width), dtype, buffer, start + offset, (stride, dtype.itemsize))
        if entry.get("normalized") and dtype.kind in "iu":
            return np.maximum(flat.astype(np.float64) / np.iinfo(dtype).max, -1.0)
        return flat.copy()


def _index(value: Any) -> int:
    """A list index as glTF allows it: Python's negative ones would silently read the wrong entry."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"index {value!r}")
    return value


def _triangles(order: NDArray[np.int64], mode: int) -> NDArray[np.int64]:
    if mode == TRIANGLES:
        return order[: len(order) // 3 * 3].reshape(-1, 3)
    if mode == FAN:
        return np.stack([np.full(max(len(order) - 2, 0), order[0]), order[1:-1], order[2:]], -1)
    faces = np.stack([order[:-2], order[1:-1], order[2:]], -1)
    faces[1::2] = faces[1::2, [1, 0, 2]]
    return faces


def _transform(node: Mapping[str, Any]) -> NDArray[np.float64]:
    if "matrix" in node:
        return np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T
    matrix = np.eye(4)
    x, y, z, w = (float(v) for v in node.get("rotation", (0, 0, 0, 1)))
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix[:3, :3] = turn * np.array(node.get("scale", (1, 1, 1)), dtype=np.float64)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


def _from_file(vectors: NDArray[Any]) -> NDArray[np.float32]:
    v = np.asarray(vectors, dtype=np.float32)
    return np.stack([v[:, 0], -v[:, 2], v[:, 1]], -1)
