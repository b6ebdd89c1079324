"""People as Blender meshes: one object a person, moved vertex by vertex, a material a part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from render.blender.session import load_bpy
from render.blender.skin import material_for
from render.look import PersonLook
from synth.body.model import BodyModel
from synth.body.outfits import dressed_faces


@dataclass(frozen=True)
class PersonHandle:
    """A person on the stage.

    Attributes:
        objects: the person's Blender objects.
        vertex_ids: which of the body's vertices the mesh uses, increasing [N].
        faces: the visible faces, into the body's vertices [F, 3].
    """

    objects: tuple[Any, ...]
    vertex_ids: NDArray[np.int32]
    faces: NDArray[np.int32]


def add_person(scene: Any, model: BodyModel, look: PersonLook, betas: ArrayLike, name: str) -> PersonHandle:
    """Add a dressed person in the rest pose.

    Args:
        scene: Blender's scene.
        model: the body; one without garments (an official SMPL file) is shown in its skin.
        look: clothes, hair and colours.
        betas: shape [10].
        name: of the object.
    """
    bpy = load_bpy()
    faces, part_of_face, names = dressed_faces(model, look.parts, look.hair)
    used = np.unique(faces).astype(np.int32)
    index = np.full(len(model.v_template), -1, dtype=np.int32)
    index[used] = np.arange(len(used))
    mesh = bpy.data.meshes.new(name)
    _fill(mesh, model.shaped(betas)[used], index[faces])
    for part in names:
        mesh.materials.append(material_for(part, model.parts[part].kind, look))
    mesh.polygons.foreach_set("material_index", part_of_face)
    mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), dtype=bool))
    rest = mesh.attributes.new("rest", "FLOAT_VECTOR", "POINT")
    rest.data.foreach_set("vector", np.ascontiguousarray(model.v_template[used], dtype=np.float32).ravel())
    for mask, values in model.masks.items():
        attribute = mesh.attributes.new(mask, "FLOAT", "POINT")
        attribute.data.foreach_set("value", np.ascontiguousarray(values[used], dtype=np.float32))
    mesh.update()
    item = bpy.data.objects.new(name, mesh)
    scene.collection.objects.link(item)
    return PersonHandle((item,), used, faces)


def update_person(handle: PersonHandle, vertices: ArrayLike) -> None:
    """Move a person: every vertex of the body [V, 3], or those of ``handle.vertex_ids`` alone, metres in the world."""
    points = np.asarray(vertices, dtype=np.float32)
    if len(points) != len(handle.vertex_ids):
        points = points[handle.vertex_ids]
    mesh = handle.objects[0].data
    mesh.vertices.foreach_set("co", np.ascontiguousarray(points).ravel())
    mesh.update()


def _fill(mesh: Any, points: NDArray[np.float32], faces: NDArray[np.int32]) -> None:
    mesh.vertices.add(len(points))
    mesh.vertices.foreach_set("co", np.ascontiguousarray(points, dtype=np.float32).ravel())
    mesh.loops.add(faces.size)
    mesh.loops.foreach_set("vertex_index", np.ascontiguousarray(faces).ravel())
    mesh.polygons.add(len(faces))
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    mesh.update(calc_edges=True)
