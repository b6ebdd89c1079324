"""What a stage in Blender looks like, as plain data: materials node by node, lights, world and render settings.

Read from Blender itself and not from the code that built it, so that the description is of what is rendered. Another
Blender rebuilds it without knowing any of our materials (docs/stage.md); names that it does not know it can leave out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from render.blender.camera import lens_shader, needs_cycles, set_camera
from render.blender.room import SHARP_ANGLE
from render.blender.session import load_bpy
from synth.camera import Camera

PLAIN = ("BOOLEAN", "INT", "FLOAT", "STRING", "ENUM")
# said of every node or data block, or of how Blender's windows show it
LEFT_OUT = {
    "name", "label", "location", "location_absolute", "width", "height", "select", "show_options", "show_preview",
    "show_texture", "hide", "use_custom_color", "color_tag", "warning_propagation", "is_active_output", "parent",
    "use_fake_user", "tag", "bl_idname", "bl_label", "bl_description", "bl_icon", "bl_static_type", "use_nodes",
}  # fmt: skip
# of lights: told even where they are Blender's defaults, which another version may have changed
LIGHT = ("energy", "color", "shape", "size", "size_y", "spread", "angle", "shadow_soft_size", "use_shadow")
SEEN_BY = ("camera", "diffuse", "glossy", "transmission", "volume_scatter", "shadow")
CYCLES = (
    "samples", "use_adaptive_sampling", "seed", "use_animated_seed", "max_bounces", "diffuse_bounces",
    "glossy_bounces", "transmission_bounces", "volume_bounces", "transparent_max_bounces", "caustics_reflective",
    "caustics_refractive", "sample_clamp_direct", "sample_clamp_indirect", "blur_glossy", "use_denoising", "denoiser",
    "denoising_input_passes", "denoising_prefilter", "denoising_quality", "use_light_tree", "light_sampling_threshold",
    "pixel_filter_type", "filter_width", "film_exposure", "use_fast_gi", "sampling_pattern",
)  # fmt: skip
VIEW = ("view_transform", "look", "exposure", "gamma", "use_curve_mapping", "use_white_balance")


def describe_scene(scene: Any) -> dict[str, Any]:
    """Everything about a staged scene but its geometry: ``render``, ``lights``, ``world`` and ``materials``."""
    load_bpy().context.view_layer.update()
    used: dict[str, Any] = {}
    for item in scene.objects:
        if item.type == "MESH":
            used |= {slot.material.name: slot.material for slot in item.material_slots if slot.material}
    return {
        "render": describe_render(scene),
        "lights": [describe_light(item) for item in scene.objects if item.type == "LIGHT"],
        "world": None if scene.world is None else describe_tree(scene.world.node_tree),
        "materials": {name: describe_material(used[name]) for name in sorted(used)},
    }


def describe_object(item: Any) -> dict[str, Any]:
    """One mesh object: its materials, pose and how it is shaded and seen. Matrices are rows, metres, z up."""
    return {
        "materials": [slot.material.name for slot in item.material_slots],
        "matrix_world": rows(item.matrix_world),
        "hidden_from": hidden_from(item),
        "smooth": True,
        "sharp_angle": None if item.data.has_custom_normals else float(SHARP_ANGLE),
    }


def hidden_from(item: Any) -> list[str]:
    """The kinds of rays that do not see an object: ``visible_KIND`` is off."""
    return [kind for kind in SEEN_BY if not getattr(item, f"visible_{kind}")]


def describe_light(item: Any) -> dict[str, Any]:
    """A light: Blender's type, its settings and its pose."""
    data = item.data
    settings = {name: value_of(getattr(data, name)) for name in LIGHT if hasattr(data, name)}
    fresh = load_bpy().data.lights.new("fresh", data.type)
    try:
        settings |= differing(data, fresh)
    finally:
        load_bpy().data.lights.remove(fresh)
    return {
        "name": item.name, "type": data.type, "properties": settings, "hidden_from": hidden_from(item),
        "matrix_world": rows(item.matrix_world),
    }  # fmt: skip


def describe_render(scene: Any) -> dict[str, Any]:
    """The settings that make a picture what it is; not where it is computed."""
    render, view = scene.render, scene.view_settings
    return {
        "engine": render.engine,
        "width": render.resolution_x,
        "height": render.resolution_y,
        "film_transparent": render.film_transparent,
        "dither_intensity": render.dither_intensity,
        "cycles": {name: value_of(getattr(scene.cycles, name)) for name in CYCLES if hasattr(scene.cycles, name)},
        "eevee": {"taa_render_samples": scene.eevee.taa_render_samples},
        "display_device": scene.display_settings.display_device,
        "view": {name: value_of(getattr(view, name)) for name in VIEW if hasattr(view, name)},
    }


def describe_material(material: Any) -> dict[str, Any]:
    """A material: its settings that are not Blender's own, and its node tree."""
    fresh = load_bpy().data.materials.new("fresh")
    try:
        properties = differing(material, fresh)
        cycles = differing(material.cycles, fresh.cycles)
    finally:
        load_bpy().data.materials.remove(fresh)
    kind = material.get("kind")
    return {
        "kind": None if kind is None else str(kind), "properties": properties, "cycles": cycles,
        **describe_tree(material.node_tree),
    }  # fmt: skip


def describe_tree(tree: Any) -> dict[str, Any]:
    """A shader node tree as ``nodes`` and ``links``."""
    bpy = load_bpy()
    scratch = bpy.data.materials.new("fresh")
    if scratch.node_tree is None:  # Blender before 5.0
        scratch.use_nodes = True
    try:
        kinds = {node.bl_idname for node in tree.nodes}
        fresh = {kind: scratch.node_tree.nodes.new(kind) for kind in sorted(kinds)}
        nodes = [_node(node, fresh[node.bl_idname]) for node in tree.nodes]
    finally:
        bpy.data.materials.remove(scratch)
    return {
        "nodes": nodes,
        "links": [
            {
                "from": link.from_node.name,
                "from_socket": _socket(link.from_node.outputs, link.from_socket),
                "to": link.to_node.name,
                "to_socket": _socket(link.to_node.inputs, link.to_socket),
            }
            for link in tree.links
        ],
    }


def _node(node: Any, fresh: Any) -> dict[str, Any]:
    properties = differing(node, fresh)
    found: dict[str, Any] = {
        "name": node.name, "type": node.bl_idname, "label": node.label, "location": value_of(node.location),
        "properties": properties, "inputs": list(_inputs(node)),
    }  # fmt: skip
    if getattr(node, "color_ramp", None) is not None:
        found["ramp"] = _ramp(node.color_ramp)
    if getattr(node, "mapping", None) is not None and hasattr(node.mapping, "curves"):
        found["curves"] = _curves(node.mapping)
    return found


def _inputs(node: Any) -> Iterable[dict[str, Any]]:
    """The values of inputs that nothing is linked to; sockets of the node's other modes are left out."""
    for socket in node.inputs:
        value = getattr(socket, "default_value", None)
        if socket.enabled and not socket.is_linked and value is not None:
            yield {**_socket(node.inputs, socket), "value": value_of(value)}


def _socket(sockets: Sequence[Any], socket: Any) -> dict[str, Any]:
    """What finds a socket again in another Blender: first by identifier, then by name, then by index and type."""
    index = next(i for i, item in enumerate(sockets) if item.identifier == socket.identifier)
    return {"identifier": socket.identifier, "name": socket.name, "index": index, "type": socket.type}


def _ramp(ramp: Any) -> dict[str, Any]:
    return {
        "color_mode": ramp.color_mode, "interpolation": ramp.interpolation, "hue_interpolation": ramp.hue_interpolation,
        "stops": [{"position": item.position, "color": value_of(item.color)} for item in ramp.elements],
    }  # fmt: skip


def _curves(mapping: Any) -> list[list[dict[str, Any]]]:
    return [
        [{"location": value_of(point.location), "handle": point.handle_type} for point in curve.points]
        for curve in mapping.curves
    ]


def differing(item: Any, fresh: Any) -> dict[str, Any]:
    """The plain settings of one of Blender's structures that a fresh one has otherwise."""
    found = {}
    for entry in item.bl_rna.properties:
        name = entry.identifier
        if entry.is_readonly or entry.type not in PLAIN or name in LEFT_OUT:
            continue
        value = value_of(getattr(item, name))
        if value is not None and value != value_of(getattr(fresh, name)):
            found[name] = value
    return found


def describe_camera(scene: Any, name: str, camera: Camera) -> dict[str, Any]:
    """A care-home camera: the project's own numbers, Blender's for a plain lens, else the lens as an OSL shader."""
    bpy = load_bpy()
    found: dict[str, Any] = {"name": name, **camera.to_json(), "blender": None, "shader": None}
    if needs_cycles(camera):
        return found | {"shader": lens_shader(camera)}
    before = scene.camera
    item = set_camera(scene, camera, name)
    names = ("type", "sensor_fit", "sensor_width", "lens", "shift_x", "shift_y", "clip_start", "clip_end")
    found["blender"] = {key: value_of(getattr(item.data, key)) for key in names}
    scene.camera = before
    bpy.data.cameras.remove(item.data)  # its object goes with it
    return found


def value_of(value: Any) -> Any:
    """Numbers, texts and flat or nested vectors as JSON has them; None for anything else or what is not finite."""
    if isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (Mapping, bytes)) or not hasattr(value, "__len__"):
        return sorted(value) if isinstance(value, (set, frozenset)) else None
    items = [value_of(item) for item in value]
    return None if any(item is None for item in items) else items


def rows(matrix: Any) -> list[list[float]]:
    """A matrix row by row."""
    return [[float(v) for v in row] for row in matrix]
