"""The room: meshes in their furniture's frames, lights and sky; as the renderer stages them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import bpy
import numpy as np

from .glb import Mesh, upright, upright_matrix
from .meshes import make_mesh, set_normals, set_uv
from .nodes import set_properties

Warn = Callable[[str], None]
Materials = Callable[[str], bpy.types.Material]


def add_mesh(
    mesh: Mesh, entry: Mapping[str, Any] | None, materials: Materials, collection: bpy.types.Collection
) -> bpy.types.Object:
    """One object.

    Args:
        mesh: as `glb` read it. entry: its description in stage.json (pose, materials, what sees it), if there is one.
        materials: finds a material by name.
    """
    world = upright_matrix(mesh.matrix)
    points = upright(mesh.attributes["POSITION"]).astype(np.float64)
    normals = upright(mesh.attributes["NORMAL"]).astype(np.float64) if "NORMAL" in mesh.attributes else None
    pose = np.array(entry["matrix_world"], float) if entry and "matrix_world" in entry else np.eye(4)
    local = np.linalg.inv(pose) @ world
    if not np.allclose(local, np.eye(4), atol=1e-9):
        points = points @ local[:3, :3].T + local[:3, 3]
        if normals is not None:
            normals = normals @ np.linalg.inv(local[:3, :3])
            normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    names = list(entry["materials"]) if entry and entry.get("materials") else list(mesh.materials)
    data = make_mesh(mesh.name, points, mesh.faces, mesh.slots if len(names) > 1 else None)
    if "TEXCOORD_0" in mesh.attributes:
        set_uv(data, mesh.attributes["TEXCOORD_0"], mesh.faces)
    set_normals(data, normals)
    for name in names:
        data.materials.append(materials(name))
    item = bpy.data.objects.new(mesh.name, data)
    item.matrix_world = pose.T.tolist()
    hide_from(item, (entry or {}).get("hidden_from") or ())
    item["part"] = mesh.name
    item["furniture"] = str((entry or {}).get("furniture") or "")
    collection.objects.link(item)
    return item


def hide_from(item: bpy.types.Object, rays: Sequence[str]) -> None:
    """Switch off ``visible_KIND`` for the kinds of rays named."""
    for kind in rays:
        if hasattr(item, f"visible_{kind}"):
            setattr(item, f"visible_{kind}", False)


def add_light(entry: Mapping[str, Any], collection: bpy.types.Collection, warn: Warn) -> bpy.types.Object:
    """One light of stage.json."""
    name = str(entry["name"])
    data = bpy.data.lights.new(name, str(entry["type"]))
    set_properties(data, entry.get("properties") or {}, name, warn)
    item = bpy.data.objects.new(name, data)
    item.matrix_world = np.array(entry["matrix_world"], float).T.tolist()
    hide_from(item, entry.get("hidden_from") or ())
    collection.objects.link(item)
    return item


def set_render(scene: bpy.types.Scene, entry: Mapping[str, Any], warn: Warn) -> None:
    """The settings that make a picture what synth-render's is."""
    width, height = int(entry["width"]), int(entry["height"])
    set_properties(scene.render, {k: entry[k] for k in ("engine",) if k in entry}, "render", warn)
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.resolution_percentage = 100
    plain = {k: entry[k] for k in ("film_transparent", "dither_intensity") if k in entry}
    set_properties(scene.render, plain, "render", warn)
    scene.render.use_compositing = scene.render.use_sequencer = False
    if hasattr(scene, "cycles"):
        set_properties(scene.cycles, entry.get("cycles") or {}, "cycles", warn)
    set_properties(scene.eevee, entry.get("eevee") or {}, "eevee", warn)
    if "display_device" in entry:
        set_properties(scene.display_settings, {"display_device": entry["display_device"]}, "display", warn)
    view = dict(entry.get("view") or {})
    transform = {"view_transform": view.pop("view_transform")} if "view_transform" in view else {}
    set_properties(scene.view_settings, transform, "view", warn)  # the looks depend on it
    set_properties(scene.view_settings, view, "view", warn)
