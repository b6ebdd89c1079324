"""People in motion, and the things they move, as one skinned and animated glTF 2.0 file (``people.glb``).

The file is y up. A person's vertices and joints stand in it as SMPL has them at rest: y up, facing +z. The root joint's
keys carry the turn from our z-up world: rotation C R and translation C (J0 + t) for C (x, y, z) = (x, z, -y). Skinning
as glTF defines it then gives C times what ``synth.body.lbs`` gives. Things keep their own z-up frame, turned like all
else: a key is C pose C^-1. docs/stage.md describes the file for its readers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synth.gltf import (
    FACES,
    FLOAT,
    UBYTE,
    UINT,
    VERTICES,
    Binary,
    Material,
    SceneMesh,
    material_json,
    mesh_json,
    to_file,
    write_document,
)  # fmt: skip
from synth.rotation import Array, axis_matrix, matrix_to_quaternion
from synth.skeleton import SMPL_JOINTS, SMPL_PARENTS

FROM_WORLD = axis_matrix("x", -np.pi / 2)  # C
INFLUENCES = 8  # joints a vertex may follow in the file: two sets of four


@dataclass(frozen=True)
class SkinnedPerson:
    """A dressed body and its motion over T frames.

    Attributes:
        name: of its node.
        vertices: at rest, metres, SMPL's frame [N, 3].
        parts: name -> triangles into the vertices [F, 3]; a primitive each, in this order.
        materials: one a part.
        weights: skinning weights, rows sum to 1 [N, 24].
        joints: at rest, metres, SMPL's frame [24, 3].
        rotations: relative to the parent, the root's in the z-up world [T, 24, 3, 3].
        transl: metres in the z-up world [T, 3], added after posing as in SMPL.
        paint: custom attributes, name -> [N] or [N, 3]; in the file in capitals after an underscore, numbers three
            times over: Blender's importer mixes up custom attributes, and stops at those of different types.
    """

    name: str
    vertices: NDArray[np.float32]
    parts: Mapping[str, NDArray[np.int32]]
    materials: Sequence[Material]
    weights: NDArray[np.float32]
    joints: NDArray[np.float32]
    rotations: Array
    transl: Array
    paint: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True)
class MovingThing:
    """Something rigid: ``meshes`` in its own z-up frame (none: only its way), ``poses`` world from it [T, 4, 4]."""

    name: str
    meshes: Sequence[SceneMesh]
    poses: Array
    extras: Mapping[str, Any] = field(default_factory=dict)


def write_people(
    path: str | PathLike[str], people: Sequence[SkinnedPerson], things: Sequence[MovingThing], times: ArrayLike
) -> None:
    """Write ``people.glb`` atomically; equal arguments give equal bytes. ``times``: seconds of the frames [T]."""
    data = Binary()
    clock = data.store(np.asarray(times, np.float32), "SCALAR", FLOAT, bounds=True)
    nodes: list[dict[str, Any]] = []
    scene, meshes, skins, materials = [], [], [], {}  # type: ignore[var-annotated]
    tracks: list[tuple[int, str, int]] = []  # node, what moves, accessor of its keys
    for person in people:
        root = len(nodes) + 1
        scene.append(len(nodes))
        nodes.append({"name": person.name, "mesh": len(meshes), "skin": len(skins), "children": [root]})
        nodes += _skeleton(person.joints, root)
        meshes.append(_body(person, data, materials))
        skins.append(_skin(person, root, data))
        tracks += _keys(person, root, data)
    for thing in things:
        scene.append(len(nodes))
        parent = len(nodes)
        node: dict[str, Any] = {"name": thing.name, "extras": dict(thing.extras)}
        nodes.append(node)
        for mesh in thing.meshes:
            node.setdefault("children", []).append(len(nodes))
            nodes.append({"name": mesh.name, "mesh": len(meshes)})
            meshes.append(mesh_json(mesh, data, materials))
        turns = FROM_WORLD @ thing.poses[:, :3, :3] @ FROM_WORLD.T
        tracks.append((parent, "rotation", data.store(_quaternions(turns), "VEC4", FLOAT)))
        tracks.append((parent, "translation", data.store(to_file(thing.poses[:, :3, 3]), "VEC3", FLOAT)))
    document: dict[str, Any] = {"scene": 0, "scenes": [{"nodes": scene}], "nodes": nodes}
    if tracks:
        document["animations"] = [_animation(tracks, clock)]
    document |= {
        name: found
        for name, found in (("meshes", meshes), ("skins", skins), ("materials", [material_json(m) for m in materials]))
        if found
    }
    if any(max(m.emission) > 1 for m in materials):
        document["extensionsUsed"] = ["KHR_materials_emissive_strength"]
    write_document(path, document, data)


def strongest(weights: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The joints that move each vertex most, and how much: [N, 24] -> [N, 8], [N, 8]; rows sum to 1, unused are 0, 0.

    Nothing is lost where no vertex follows more than eight joints, as with the default body.
    """
    order = np.argsort(-weights, axis=1, kind="stable")[:, :INFLUENCES]
    chosen = np.take_along_axis(weights, order, 1)
    chosen = chosen / chosen.sum(1, keepdims=True)
    return np.where(chosen > 0, order, 0).astype(np.uint8), chosen.astype(np.float32)


def _skeleton(joints: NDArray[np.float32], root: int) -> list[dict[str, Any]]:
    """The joints' nodes, the first to be number ``root``, at rest."""
    nodes: list[dict[str, Any]] = []
    for index, parent in enumerate(SMPL_PARENTS):
        offset = joints[index] - (joints[parent] if parent >= 0 else 0)
        nodes.append({"name": SMPL_JOINTS[index], "translation": offset.astype(float).tolist()})
        if parent >= 0:
            nodes[parent].setdefault("children", []).append(root + index)
    return nodes


def _body(person: SkinnedPerson, data: Binary, materials: dict[Material, int]) -> dict[str, Any]:
    joints, weights = strongest(person.weights)
    everything = np.concatenate(list(person.parts.values()))
    attributes = {
        "POSITION": data.store(person.vertices, "VEC3", FLOAT, VERTICES, bounds=True),
        "NORMAL": data.store(smooth_normals(person.vertices, everything), "VEC3", FLOAT, VERTICES),
    }
    for number in range(INFLUENCES // 4):
        four = slice(4 * number, 4 * number + 4)
        attributes[f"JOINTS_{number}"] = data.store(joints[:, four], "VEC4", UBYTE, VERTICES)
        attributes[f"WEIGHTS_{number}"] = data.store(weights[:, four], "VEC4", FLOAT, VERTICES)
    for name, values in person.paint.items():
        vectors = values if values.ndim == 2 else np.repeat(values[:, None], 3, 1)
        attributes[f"_{name.upper()}"] = data.store(vectors, "VEC3", FLOAT, VERTICES)
    primitives = [
        {
            "attributes": attributes,
            "indices": data.store(faces.reshape(-1), "SCALAR", UINT, FACES),
            "material": materials.setdefault(material, len(materials)),
        }
        for faces, material in zip(person.parts.values(), person.materials, strict=True)
    ]
    return {"name": person.name, "primitives": primitives, "extras": {"parts": list(person.parts)}}


def smooth_normals(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """Unit normals at the vertices [N, 3], faces weighed by their area."""
    a, b, c = (vertices[faces[:, k]].astype(float) for k in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros((len(vertices), 3))
    for corner in range(3):
        np.add.at(total, faces[:, corner], across)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 1e-12, total / np.maximum(length, 1e-12), [0.0, 1.0, 0.0]).astype(np.float32)


def _skin(person: SkinnedPerson, root: int, data: Binary) -> dict[str, Any]:
    back = np.tile(np.eye(4, dtype=np.float32), (len(SMPL_JOINTS), 1, 1))
    back[:, :3, 3] = -person.joints
    matrices = np.swapaxes(back, 1, 2).reshape(len(back), 16)  # column after column
    return {
        "name": person.name,
        "skeleton": root,
        "joints": list(range(root, root + len(SMPL_JOINTS))),
        "inverseBindMatrices": data.store(matrices, "MAT4", FLOAT),
    }


def _keys(person: SkinnedPerson, root: int, data: Binary) -> list[tuple[int, str, int]]:
    local = np.array(person.rotations, float)
    local[:, 0] = FROM_WORLD @ local[:, 0]
    way = to_file(person.joints[0].astype(float) + np.asarray(person.transl, float))
    tracks = [(root, "translation", data.store(way, "VEC3", FLOAT))]
    for index in range(local.shape[1]):
        tracks.append((root + index, "rotation", data.store(_quaternions(local[:, index]), "VEC4", FLOAT)))
    return tracks


def _quaternions(matrices: Array) -> NDArray[np.float32]:
    """Rotations [T, 3, 3] as glTF's quaternions x, y, z, w [T, 4], each on the side of the one before."""
    found = np.asarray(matrix_to_quaternion(matrices), float)[:, [1, 2, 3, 0]]
    turns = np.sign((found[1:] * found[:-1]).sum(1))
    found[1:] *= np.cumprod(np.where(turns < 0, -1.0, 1.0))[:, None]
    return found.astype(np.float32)


def _animation(tracks: Sequence[tuple[int, str, int]], clock: int) -> dict[str, Any]:
    return {
        "name": "motion",
        "samplers": [{"input": clock, "output": keys, "interpolation": "LINEAR"} for _, _, keys in tracks],
        "channels": [
            {"sampler": number, "target": {"node": node, "path": path}} for number, (node, path, _) in enumerate(tracks)
        ],
    }
