"""Meshes from arrays, at one go."""

import bpy
import numpy as np

SHARP_ANGLE = np.radians(38.0)  # edges that bend more stay sharp where the file has no normals


def make_mesh(name: str, points: np.ndarray, faces: np.ndarray, slots: np.ndarray | None = None) -> bpy.types.Mesh:
    """A smooth mesh.

    Args:
        points: [V, 3] metres, z up. faces: triangles [F, 3]. slots: index of the material of each face [F].
    """
    data = bpy.data.meshes.new(name)
    add_points(data, points)
    add_faces(data, faces, slots)
    return data


def add_points(data: bpy.types.Mesh, points: np.ndarray) -> None:
    """The vertices of a mesh that has none yet [V, 3]."""
    data.vertices.add(len(points))
    data.vertices.foreach_set("co", np.ascontiguousarray(points, np.float32).ravel())


def add_faces(data: bpy.types.Mesh, faces: np.ndarray, slots: np.ndarray | None = None) -> None:
    """The faces of a mesh that has its vertices."""
    data.loops.add(faces.size)
    data.loops.foreach_set("vertex_index", np.ascontiguousarray(faces, np.int32).ravel())
    data.polygons.add(len(faces))
    data.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    data.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
    if slots is not None:
        data.polygons.foreach_set("material_index", np.ascontiguousarray(slots, np.int32))
    data.update(calc_edges=True)


def set_uv(data: bpy.types.Mesh, uv: np.ndarray, faces: np.ndarray) -> None:
    """``uv``: [V, 2]."""
    layer = data.uv_layers.new(name="UVMap")
    layer.data.foreach_set("uv", np.ascontiguousarray(uv[faces.ravel()], np.float32).ravel())


def set_normals(data: bpy.types.Mesh, normals: np.ndarray | None) -> None:
    """Custom normals [V, 3], or edges kept sharp by their angle."""
    data.validate()
    if normals is not None and len(normals) == len(data.vertices):
        data.normals_split_custom_set_from_vertices(np.asarray(normals, np.float32).tolist())
    else:
        data.set_sharp_from_angle(angle=SHARP_ANGLE)


def set_attribute(data: bpy.types.Mesh, name: str, values: np.ndarray) -> None:
    """A number or a vector for each vertex."""
    if values.ndim == 1:
        layer = data.attributes.new(name, "FLOAT", "POINT")
        layer.data.foreach_set("value", np.ascontiguousarray(values, np.float32))
    elif values.shape[1] == 3 and (values == values[:, :1]).all():  # glTF has it thrice, for readers that want a vector
        set_attribute(data, name, values[:, 0])
    elif values.shape[1] == 3:
        layer = data.attributes.new(name, "FLOAT_VECTOR", "POINT")
        layer.data.foreach_set("vector", np.ascontiguousarray(values, np.float32).ravel())
