"""A room's meshes as Blender objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from render.blender.materials import kind_of, make_material, see_through
from render.blender.session import load_bpy
from synth.gltf import Material, SceneMesh
from synth.room import Furniture, Room
from synth.rotation import yaw_matrix

SHARP_ANGLE = np.radians(38.0)  # edges that bend more stay sharp


def add_room(scene: Any, room: Room, meshes: Sequence[SceneMesh], leave_out: Sequence[str] = ()) -> list[Any]:
    """Put a room's meshes into ``scene``; furniture ids in ``leave_out`` are skipped.

    Every object carries the custom properties ``furniture`` (the piece's id, "" for walls and decoration), ``part``
    (the mesh's name) and ``see_through`` (whether labels are of what is behind it). A piece's objects stand in its own
    frame (``matrix_world`` is its box's pose), so that grain and weave follow the furniture and not the room.

    Returns:
        The Blender objects in the order of ``meshes``.
    """
    owners = {item.mesh: item for item in room.furniture if item.mesh}
    placed = []
    for mesh in meshes:
        owner = owners.get(mesh.name) or owners.get(mesh.name.split("/")[0])
        if owner is None or owner.id not in leave_out:
            placed.append((mesh, owner))
    return _objects(scene, placed)


def add_meshes(scene: Any, meshes: Sequence[SceneMesh]) -> list[Any]:
    """Put meshes that belong to no room into ``scene``, their frame the world's."""
    return _objects(scene, [(mesh, None) for mesh in meshes])


def _objects(scene: Any, placed: Sequence[tuple[SceneMesh, Furniture | None]]) -> list[Any]:
    bpy = load_bpy()
    materials: dict[Material, Any] = {}
    objects = []
    for mesh, owner in placed:
        if mesh.material not in materials:
            materials[mesh.material] = make_material(mesh.material)
        item = bpy.data.objects.new(mesh.name, _mesh(mesh, owner))
        if owner is not None:
            item.matrix_world = _pose(owner).T.tolist()
        item.data.materials.append(materials[mesh.material])
        item["furniture"] = owner.id if owner else ""
        item["part"] = mesh.name
        item["see_through"] = see_through(mesh.material)
        if kind_of(mesh.material) in ("outside", "glass", "fluid", "net"):
            item.visible_shadow = False  # daylight passes
        scene.collection.objects.link(item)
        objects.append(item)
    return objects


def _pose(owner: Furniture) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = yaw_matrix(owner.box.yaw)
    pose[:3, 3] = owner.box.center
    return pose


def _mesh(mesh: SceneMesh, owner: Furniture | None) -> Any:
    bpy = load_bpy()
    vertices = mesh.vertices.astype(np.float64)
    normals = mesh.normals
    if owner is not None:
        vertices = owner.box.to_local(vertices)
        normals = None if normals is None else normals @ yaw_matrix(owner.box.yaw)
    data = bpy.data.meshes.new(mesh.name)
    data.vertices.add(len(vertices))
    data.vertices.foreach_set("co", np.ascontiguousarray(vertices, dtype=np.float32).reshape(-1))
    data.loops.add(mesh.faces.size)
    data.loops.foreach_set("vertex_index", np.ascontiguousarray(mesh.faces, dtype=np.int32).reshape(-1))
    data.polygons.add(len(mesh.faces))
    data.polygons.foreach_set("loop_start", np.arange(0, mesh.faces.size, 3, dtype=np.int32))
    data.polygons.foreach_set("use_smooth", np.ones(len(mesh.faces), dtype=bool))
    if mesh.uv is not None:
        layer = data.uv_layers.new(name="UVMap")
        layer.data.foreach_set("uv", np.ascontiguousarray(mesh.uv[mesh.faces.reshape(-1)], np.float32).reshape(-1))
    data.update(calc_edges=True)
    data.validate()
    if normals is not None:
        data.normals_split_custom_set_from_vertices(np.asarray(normals, dtype=np.float32).tolist())
    else:
        data.set_sharp_from_angle(angle=SHARP_ANGLE)
    return data
