"""Shader node trees rebuilt from data, node by node: no knowledge of any material (docs/stage.md has the format).

A node, a setting or a socket that this Blender does not know is left out and reported; nothing here stops an import.
"""

from collections.abc import Callable, Mapping
from typing import Any

import bpy

Warn = Callable[[str], None]
_COLUMN, _ROW = 240.0, 220.0  # between nodes in the editor
_BAD = (TypeError, AttributeError, ValueError, KeyError, IndexError, RuntimeError, OverflowError)


def make_material(name: str, entry: Mapping[str, Any], warn: Warn) -> bpy.types.Material:
    """A material from a stage's ``materials``."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # Blender before 5.0
        material.use_nodes = True
    set_properties(material, entry.get("properties") or {}, name, warn)
    if hasattr(material, "cycles"):
        set_properties(material.cycles, entry.get("cycles") or {}, name, warn)
    if entry.get("kind"):
        material["kind"] = str(entry["kind"])
    fill(material.node_tree, entry, name, warn)
    return material


def make_plain(name: str, entry: Mapping[str, Any]) -> bpy.types.Material:
    """A material from a glTF file's own description, for rooms without node trees."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:
        material.use_nodes = True
    surface = entry.get("pbrMetallicRoughness") or {}
    colour = [float(v) for v in surface.get("baseColorFactor", (1, 1, 1, 1))]
    glow = [float(v) for v in entry.get("emissiveFactor", (0, 0, 0))]
    strength = (entry.get("extensions") or {}).get("KHR_materials_emissive_strength", {}).get("emissiveStrength", 1.0)
    shader = next((node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED"), None)
    if shader is not None:
        inputs = shader.inputs
        inputs["Base Color"].default_value = (*colour[:3], 1.0)
        inputs["Roughness"].default_value = float(surface.get("roughnessFactor", 1))
        inputs["Metallic"].default_value = float(surface.get("metallicFactor", 1))
        inputs["Alpha"].default_value = colour[3]
        if max(glow) > 0:
            inputs["Emission Color"].default_value = (*glow, 1.0)
            inputs["Emission Strength"].default_value = float(strength)
    material.diffuse_color = colour
    return material


def make_world(entry: Mapping[str, Any], name: str, warn: Warn) -> bpy.types.World:
    """The sky."""
    world = bpy.data.worlds.new(name)
    if world.node_tree is None:
        world.use_nodes = True
    fill(world.node_tree, entry, name, warn)
    return world


def fill(tree: bpy.types.NodeTree, entry: Mapping[str, Any], name: str, warn: Warn) -> None:
    """Replace a tree's nodes by those described."""
    tree.nodes.clear()
    places = _places(entry)
    made: dict[str, bpy.types.Node] = {}
    for item in entry.get("nodes") or []:
        try:
            node = tree.nodes.new(item["type"])
        except _BAD:
            warn(f"{name}: this Blender has no node {item.get('type')}")
            continue
        name_of = str(item["name"])
        made[name_of] = node
        if node.name != name_of:
            node.name = name_of
        if item.get("label"):
            node.label = str(item["label"])
        node.location = places[name_of]
        set_properties(node, item.get("properties") or {}, f"{name}, {node.name}", warn)
        if item.get("ramp") and getattr(node, "color_ramp", None) is not None:
            _set_ramp(node.color_ramp, item["ramp"], f"{name}, {node.name}", warn)
        if item.get("curves") and getattr(node, "mapping", None) is not None:
            _set_curves(node.mapping, item["curves"], f"{name}, {node.name}", warn)
        for value in item.get("inputs") or []:
            _set_input(node, value, f"{name}, {node.name}", warn)
    for link in entry.get("links") or []:
        start, end = made.get(str(link.get("from"))), made.get(str(link.get("to")))
        if start is None or end is None:
            continue  # its node was reported
        source, target = socket(start.outputs, link["from_socket"]), socket(end.inputs, link["to_socket"])
        if source is None or target is None:
            warn(f"{name}: no link from {start.name} to {end.name}")
            continue
        tree.links.new(source, target)


def socket(sockets: Any, entry: Mapping[str, Any]) -> Any:
    """The socket meant: by identifier, else by name and type, else by index and type; None if there is none."""
    same = [item for item in sockets if item.type == entry.get("type")]
    for item in same:
        if item.identifier == entry.get("identifier"):
            return item
    for item in sockets:  # Blender 5 turned some sockets into another type (colours into vectors and back)
        if item.identifier == entry.get("identifier") and item.name == entry.get("name"):
            return item
    named = [item for item in same if item.name == entry.get("name") and item.enabled]
    if named:
        return named[0]
    index = entry.get("index")
    if isinstance(index, int) and 0 <= index < len(sockets) and sockets[index].type == entry.get("type"):
        return sockets[index]
    return None


def _set_input(node: bpy.types.Node, entry: Mapping[str, Any], name: str, warn: Warn) -> None:
    found = socket(node.inputs, entry)
    try:
        if found is None:
            raise KeyError(entry.get("name"))
        current, value = found.default_value, entry["value"]
        if hasattr(current, "__len__") and not isinstance(current, str) and isinstance(value, list):
            value = [*value, 1.0][: len(current)]  # a vector may have become a colour
        # each change makes Blender look through the whole tree again
        if _plain(current) != _plain(value):
            found.default_value = value
    except _BAD:
        warn(f"{name}: the input {entry.get('name')} is not known here")


def _plain(value: Any) -> Any:
    return tuple(value) if hasattr(value, "__len__") and not isinstance(value, str) else value


def set_properties(item: Any, values: Mapping[str, Any], name: str, warn: Warn) -> None:
    """Plain settings of one of Blender's structures. Enumerations first: what others mean may depend on them."""
    properties = item.bl_rna.properties
    ordered = sorted(values, key=lambda key: key not in properties or properties[key].type != "ENUM")
    for key in ordered:
        value = values[key]
        try:
            known = properties[key]  # asked first: Python takes any attribute on some structures
            flag = known.type == "ENUM" and known.is_enum_flag
            setattr(item, key, set(value) if flag else value)
        except _BAD:
            warn(f"{name}: the setting {key} = {value} is not known here")


def _set_ramp(ramp: Any, entry: Mapping[str, Any], name: str, warn: Warn) -> None:
    modes = {key: entry[key] for key in ("color_mode", "interpolation", "hue_interpolation") if key in entry}
    set_properties(ramp, modes, name, warn)
    stops = entry.get("stops") or []
    while len(ramp.elements) < len(stops):
        ramp.elements.new(1.0)
    while len(ramp.elements) > max(len(stops), 1):
        ramp.elements.remove(ramp.elements[-1])
    for element, stop in zip(ramp.elements, stops, strict=False):
        element.position, element.color = stop["position"], stop["color"]


def _set_curves(mapping: Any, entry: Any, name: str, warn: Warn) -> None:
    try:
        for curve, points in zip(mapping.curves, entry, strict=True):
            while len(curve.points) < len(points):
                curve.points.new(0.5, 0.5)
            for point, value in zip(curve.points, points, strict=False):
                point.location, point.handle_type = value["location"], value["handle"]
        mapping.update()
    except _BAD:
        warn(f"{name}: its curves could not be set")


def _places(entry: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Where the nodes lie in the editor: as described, or in columns by their distance from the output."""
    nodes = [str(item["name"]) for item in entry.get("nodes") or []]
    given = {str(item["name"]): tuple(item.get("location") or (0.0, 0.0)) for item in entry.get("nodes") or []}
    if any(place != (0.0, 0.0) for place in given.values()):
        return given
    links = [(str(item.get("from")), str(item.get("to"))) for item in entry.get("links") or []]
    depth = dict.fromkeys(nodes, 0)
    for _ in nodes:
        before = dict(depth)
        for start, end in links:
            if start in depth and end in depth:
                depth[start] = max(depth[start], depth[end] + 1)
        if depth == before:
            break
    rows: dict[int, int] = {}
    found = {}
    for name in nodes:
        row = rows.setdefault(depth[name], 0)
        found[name] = (-_COLUMN * depth[name], -_ROW * row)
        rows[depth[name]] = row + 1
    return found
