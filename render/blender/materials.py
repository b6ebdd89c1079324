"""Procedural surfaces for the built-in rooms, keyed by the first word of a material's name ("wood" of "wood.oak").

A material whose kind is not known here (a user's own room) becomes a plain Principled surface of its colour, roughness
and metallic. Textures use object coordinates in metres, so that no room needs UVs. Sockets whose names differ between
Blender versions (4.5 to 5.2) are taken by index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from render.blender.session import load_bpy
from synth.gltf import Material

CLEARER = 0.5  # of opacity: ids, depth and the rays of the labels go through what holds back less light
GLOW = "glow"  # label of the emission node whose strength the light sets


class Nodes:
    """A short way to build a node tree."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree
        tree.nodes.clear()
        self.output = tree.nodes.new("ShaderNodeOutputMaterial")

    def add(self, kind: str, inputs: dict[str | int, Any] | None = None, **settings: Any) -> Any:
        """A node; an input is given a value, or a socket to link from."""
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for key, value in settings.items():
            setattr(node, key, value)
        for name, value in (inputs or {}).items():
            if hasattr(value, "is_output"):
                self.tree.links.new(value, node.inputs[name])
            else:
                node.inputs[name].default_value = value
        return node

    def finish(self, shader: Any) -> None:
        self.tree.links.new(shader, self.output.inputs["Surface"])

    # ------------------------------------------------------------------------------------------------- common parts

    def place(self, scale: Sequence[float] = (1, 1, 1)) -> Any:
        """Object coordinates in metres times ``scale``."""
        return self.add("Mapping", {"Vector": self.add("TexCoord").outputs["Object"], "Scale": scale}).outputs[0]

    def noise(self, scale: Sequence[float], detail: float = 2.0, rough: float = 0.5) -> Any:
        """Noise in 0..1 with features of 1 / scale metres."""
        node = self.add("TexNoise", {"Vector": self.place(scale), "Scale": 1.0, "Detail": detail, "Roughness": rough})
        return node.outputs[0]

    def shades(
        self, fac: Any, color: Sequence[float], low: float, high: float, start: float = 0.3, end: float = 0.7
    ) -> Any:
        """``color`` between ``low`` and ``high`` times its brightness, by a factor."""
        node = self.add("MapRange", {"Value": fac, "From Min": start, "From Max": end, "To Min": low, "To Max": high})
        return self.times(color, node.outputs[0])

    def times(self, color: Any, factor: Any) -> Any:
        value = (*color, 1.0) if isinstance(color, tuple) else color
        grey = self.add("CombineColor", {"Red": factor, "Green": factor, "Blue": factor}).outputs[0]
        mix = self.add("Mix", data_type="RGBA", blend_type="MULTIPLY")
        mix.inputs[0].default_value = 1.0
        for index, source in ((6, value), (7, grey)):
            if hasattr(source, "is_output"):
                self.tree.links.new(source, mix.inputs[index])
            else:
                mix.inputs[index].default_value = source
        return mix.outputs[2]

    def bump(self, height: Any, distance: float, strength: float = 1.0) -> Any:
        return self.add("Bump", {"Height": height, "Distance": distance, "Strength": strength}).outputs[0]

    def principled(self, m: Material, **inputs: Any) -> Any:
        values: dict[str | int, Any] = {
            "Base Color": (*m.base_color, 1.0),
            "Roughness": m.roughness,
            "Metallic": m.metallic,
        }
        values |= {key.replace("_", " "): value for key, value in inputs.items()}
        return self.add("BsdfPrincipled", values).outputs[0]

    def mix(self, fac: Any, first: Any, second: Any) -> Any:
        return self.add("MixShader", {0: fac, 1: first, 2: second}).outputs[0]


def make_material(m: Material) -> Any:
    """The Blender material for ``m``; its custom property ``kind`` is the first word of the name."""
    bpy = load_bpy()
    material = bpy.data.materials.new(m.name)
    if material.node_tree is None:  # Blender before 5.0
        material.use_nodes = True
    material["kind"] = kind_of(m)
    material.diffuse_color = (*m.base_color, opacity(m))  # Workbench
    KINDS.get(kind_of(m), _plain)(Nodes(material.node_tree), m)
    return material


def kind_of(m: Material) -> str:
    """The first word of a material's name."""
    return m.name.split(".")[0]


def opacity(m: Material) -> float:
    """The share of light that the surface built for ``m`` holds back, 0 to 1: only plain ones go by ``alpha``."""
    builder = KINDS.get(kind_of(m), _plain)
    if builder is _plain:
        return m.alpha
    return CLEAR_KINDS.get(kind_of(m), 1.0)


def see_through(m: Material) -> bool:
    """Whether the labels are of what is behind such a surface. The one answer for ids, depth and rays."""
    return opacity(m) < CLEARER


def _plain(n: Nodes, m: Material) -> None:
    glow = max(m.emission)
    color = tuple(c / glow for c in m.emission) if glow > 0 else (0.0, 0.0, 0.0)
    n.finish(n.principled(m, Alpha=m.alpha, Emission_Color=(*color, 1.0), Emission_Strength=glow))


def _paint(n: Nodes, m: Material) -> None:
    patches = n.shades(n.noise((1.1, 1.1, 0.7), 3), m.base_color, 0.965, 1.02)
    n.finish(n.principled(m, Base_Color=patches, Normal=n.bump(n.noise((160, 160, 160)), 0.0006)))


def _vinyl(n: Nodes, m: Material) -> None:
    """Sheet vinyl: fine chips of lighter and darker colour on a slightly mottled ground, a soft shine."""
    chips = n.add("TexVoronoi", {"Vector": n.place((150, 150, 150)), "Scale": 1.0}).outputs["Color"]
    value = n.add("SeparateColor", {0: chips}).outputs[0]
    speckle = n.shades(value, m.base_color, 0.86, 1.1, 0.05, 0.95)
    wear = n.add("MapRange", {"Value": n.noise((1.7, 1.7, 1.7), 3), "To Min": 0.9, "To Max": 1.08}).outputs[0]
    n.finish(n.principled(m, Base_Color=n.times(speckle, wear)))


def _planks(n: Nodes, m: Material) -> None:
    """Floor boards 0.16 x 1.5 m along y, each of its own shade, with grain and dark joints."""
    turned = n.add("Mapping", {"Vector": n.add("TexCoord").outputs["Object"], "Rotation": (0, 0, 1.5707963)}).outputs[0]
    red, green, blue = m.base_color
    brick = n.add(
        "TexBrick",
        {
            "Vector": turned,
            "Color1": (red * 0.8, green * 0.78, blue * 0.75, 1),
            "Color2": (min(red * 1.2, 1), min(green * 1.2, 1), min(blue * 1.2, 1), 1),
            "Mortar": (red * 0.28, green * 0.25, blue * 0.22, 1),
            "Scale": 1.0,
            "Mortar Size": 0.0022,
            "Mortar Smooth": 0.2,
            "Brick Width": 1.5,
            "Row Height": 0.16,
        },
        offset=0.37,
        offset_frequency=2,
        squash=1.0,
    )
    grain = n.noise((42, 2.2, 2.2), 4, 0.6)
    streak = n.add(
        "MapRange", {"Value": grain, "From Min": 0.3, "From Max": 0.7, "To Min": 0.82, "To Max": 1.1}
    ).outputs[0]
    rough = n.add("MapRange", {"Value": grain, "To Min": m.roughness - 0.1, "To Max": m.roughness + 0.1}).outputs[0]
    n.finish(
        n.principled(
            m,
            Base_Color=n.times(brick.outputs["Color"], streak),
            Roughness=rough,
            Normal=n.bump(n.add("Math", {0: 1.0, 1: brick.outputs[1]}, operation="SUBTRACT").outputs[0], 0.002, 0.6),
        )
    )


def _tiles(n: Nodes, m: Material, size: float, floor: bool) -> None:
    place = n.add("TexCoord").outputs["Object"]
    if not floor:  # x + y runs along any axis-parallel wall
        split = n.add("SeparateXYZ", {0: place})
        along = n.add("Math", {0: split.outputs[0], 1: split.outputs[1]}).outputs[0]
        place = n.add("CombineXYZ", {0: along, 1: split.outputs[2]}).outputs[0]
    red, green, blue = m.base_color
    brick = n.add(
        "TexBrick",
        {
            "Vector": place,
            "Color1": (red * 0.95, green * 0.95, blue * 0.95, 1),
            "Color2": (min(1, red * 1.03), min(1, green * 1.03), min(1, blue * 1.03), 1),
            "Mortar": (red * 0.55, green * 0.55, blue * 0.54, 1),
            "Scale": 1.0,
            "Mortar Size": 0.003,
            "Mortar Smooth": 0.1,
            "Brick Width": size if floor else size * 2,
            "Row Height": size,
        },
        offset=0.0,
        offset_frequency=2,
        squash=1.0,
    )
    rough = n.add("MapRange", {"Value": brick.outputs[1], "To Min": m.roughness, "To Max": 0.8}).outputs[0]
    flat = n.add("Math", {0: 1.0, 1: brick.outputs[1]}, operation="SUBTRACT").outputs[0]
    n.finish(n.principled(m, Base_Color=brick.outputs["Color"], Roughness=rough, Normal=n.bump(flat, 0.002, 0.7)))


def _wood(n: Nodes, m: Material) -> None:
    """Veneer: grain along the piece's x axis, with slow rings."""
    grain = n.noise((2.0, 38, 38), 4, 0.62)
    rings = n.noise((0.9, 7.0, 7.0), 2)
    both = n.add("Math", {0: grain, 1: rings, 2: 0.6}, operation="MULTIPLY_ADD").outputs[0]
    n.finish(n.principled(m, Base_Color=n.shades(both, m.base_color, 0.72, 1.16, 0.15, 0.6)))


def _metal(n: Nodes, m: Material) -> None:
    rough = n.add(
        "MapRange", {"Value": n.noise((30, 30, 30)), "To Min": m.roughness * 0.8, "To Max": m.roughness * 1.3}
    )
    n.finish(n.principled(m, Roughness=rough.outputs[0]))


def _coated(n: Nodes, m: Material) -> None:
    n.finish(n.principled(m, Coat_Weight=0.25, Coat_Roughness=0.2))


def _ceramic(n: Nodes, m: Material) -> None:
    n.finish(n.principled(m, Coat_Weight=0.6, Coat_Roughness=0.05))


def _glass(n: Nodes, m: Material) -> None:
    """A thin pane: mostly clear, with some reflection (true refraction would be noise without gain)."""
    clear = n.add("BsdfTransparent", {"Color": (*m.base_color, 1.0)}).outputs[0]
    shine = n.add("BsdfGlossy", {"Roughness": 0.03, "Color": (1, 1, 1, 1)}).outputs[0]
    n.finish(n.mix(opacity(m), clear, shine))


def _weave(n: Nodes, m: Material, threads: float, depth: float, sheen: float) -> Any:
    """Two crossed sets of threads a metre, uneven in colour."""
    waves = []
    for direction in ("X", "Z"):
        waves.append(
            n.add(
                "TexWave",
                {"Vector": n.place((1, 1, 1)), "Scale": threads / 6.28, "Distortion": 0.6, "Detail": 0.0},
                wave_type="BANDS",
                bands_direction=direction,
            ).outputs[1]
        )
    height = n.add("Math", {0: waves[0], 1: waves[1]}, operation="MAXIMUM").outputs[0]
    mixed = n.add("Math", {0: n.noise((9, 9, 9), 4), 1: height}, operation="ADD").outputs[0]
    color = n.shades(mixed, m.base_color, 0.78, 1.12, 0.5, 1.5)
    return n.principled(m, Base_Color=color, Normal=n.bump(height, depth, 0.5), Sheen_Weight=sheen)


def _fabric(n: Nodes, m: Material) -> None:
    n.finish(_weave(n, m, 420, 0.0012, 0.3))


def _bedding(n: Nodes, m: Material) -> None:
    """Washed cotton: soft creases, no thread to be seen from a camera."""
    creases = n.noise((6, 6, 6), 4, 0.6)
    n.finish(
        n.principled(
            m,
            Base_Color=n.shades(creases, m.base_color, 0.95, 1.03),
            Normal=n.bump(creases, 0.012, 0.7),
            Sheen_Weight=0.15,
        )
    )


def _cloth(n: Nodes, m: Material) -> None:
    """Curtain cloth: lets some daylight through."""
    color = n.shades(n.noise((220, 220, 6), 2), m.base_color, 0.9, 1.06)
    front = n.principled(m, Base_Color=color)
    back = n.add("BsdfTranslucent", {"Color": color}).outputs[0]
    n.finish(n.mix(0.3, front, back))


def _net(n: Nodes, m: Material) -> None:
    clear = n.add("BsdfTransparent").outputs[0]
    soft = n.add("BsdfTranslucent", {"Color": (*m.base_color, 1)}).outputs[0]
    n.finish(n.mix(opacity(m), clear, soft))


def _leather(n: Nodes, m: Material) -> None:
    cells = n.add("TexVoronoi", {"Vector": n.place((260, 260, 260)), "Scale": 1.0}).outputs["Distance"]
    color = n.shades(n.noise((7, 7, 7), 3), m.base_color, 0.9, 1.1)
    n.finish(n.principled(m, Base_Color=color, Normal=n.bump(cells, 0.0008, 0.5)))


def _leaf(n: Nodes, m: Material) -> None:
    color = n.shades(n.noise((30, 30, 30)), m.base_color, 0.7, 1.3)
    n.finish(n.mix(0.25, n.principled(m, Base_Color=color), n.add("BsdfTranslucent", {"Color": color}).outputs[0]))


def _art(n: Nodes, m: Material) -> None:
    """A painted landscape: sky above a wavy horizon, brush strokes."""
    place = n.place()
    wave = n.add("TexNoise", {"Vector": n.place((2.5, 2.5, 0.5)), "Scale": 1.0, "Detail": 3.0}).outputs[0]
    height = n.add("SeparateXYZ", {0: place}).outputs[2]
    level = n.add("Math", {0: wave, 1: 0.35, 2: height}, operation="MULTIPLY_ADD").outputs[0]
    ramp = n.add("ValToRGB", {0: n.add("MapRange", {"Value": level, "From Min": 1.35, "From Max": 2.0}).outputs[0]})
    red, green, blue = m.base_color
    stops = (
        (0.0, (red * 0.25, green * 0.3, blue * 0.25)),
        (0.35, (red * 0.6, green * 0.65, blue * 0.5)),
        (0.42, (0.75, 0.62, 0.42)),
        (0.5, (red, green, blue)),
        (1.0, (0.72, 0.8, 0.86)),
    )
    elements = ramp.color_ramp.elements
    while len(elements) < len(stops):
        elements.new(0.5)
    for element, (at, color) in zip(elements, stops, strict=True):
        element.position, element.color = at, (*color, 1.0)
    strokes = n.add("MapRange", {"Value": n.noise((40, 40, 12), 3), "To Min": 0.75, "To Max": 1.2}).outputs[0]
    n.finish(n.principled(m, Base_Color=n.times(ramp.outputs[0], strokes)))


def _glow(n: Nodes, m: Material) -> None:
    """Something that shines; ``light.set_light`` sets the strength of the node labelled ``GLOW``."""
    n.finish(n.add("Emission", {"Color": (*m.base_color, 1.0), "Strength": max(m.emission)}, label=GLOW).outputs[0])


def _outside(n: Nodes, m: Material) -> None:
    """What a window shows: lawn, trees and a pale sky, painted on a board by height above the floor."""
    height = n.add("SeparateXYZ", {0: n.place()}).outputs[2]
    crowns = n.noise((1.6, 1.6, 2.2), 5, 0.6)
    level = n.add("Math", {0: crowns, 1: 1.5, 2: height}, operation="MULTIPLY_ADD").outputs[0]
    ramp = n.add("ValToRGB", {0: n.add("MapRange", {"Value": level, "From Min": 0.6, "From Max": 3.6}).outputs[0]})
    stops = (
        (0.0, (0.16, 0.25, 0.08)),
        (0.28, (0.22, 0.33, 0.10)),
        (0.32, (0.05, 0.11, 0.035)),
        (0.50, (0.09, 0.18, 0.06)),
        (0.54, (0.62, 0.76, 0.92)),
        (1.0, (0.40, 0.60, 0.90)),
    )
    elements = ramp.color_ramp.elements
    while len(elements) < len(stops):
        elements.new(0.5)
    for element, (at, color) in zip(elements, stops, strict=True):
        element.position, element.color = at, (*color, 1.0)
    dapple = n.add(
        "MapRange",
        {"Value": n.noise((9, 9, 9), 4, 0.7), "From Min": 0.3, "From Max": 0.7, "To Min": 0.6, "To Max": 1.3},
    ).outputs[0]
    leaves = n.add("MapRange", {"Value": level, "From Min": 2.1, "From Max": 2.3}).outputs[0]
    mixed = n.add("Mix", {0: leaves, 2: dapple, 3: 1.0}, data_type="FLOAT").outputs[0]
    n.finish(n.add("Emission", {"Color": n.times(ramp.outputs[0], mixed), "Strength": 1.0}, label=GLOW).outputs[0])


def _shade(n: Nodes, m: Material) -> None:
    """A lamp shade: cloth lit from within."""
    cloth = n.principled(m)
    glow = n.add("Emission", {"Color": (1.0, 0.72, 0.42, 1.0), "Strength": 0.0}, label=GLOW).outputs[0]
    n.finish(n.add("AddShader", {0: cloth, 1: glow}).outputs[0])


CLEAR_KINDS = {"glass": 0.05, "fluid": 0.2, "net": 0.4}  # opacity of what is built, whatever its alpha

KINDS: dict[str, Callable[[Nodes, Material], None]] = {
    "paint": _paint, "vinyl": _vinyl, "planks": _planks, "wood": _wood, "metal": _metal, "mirror": _plain,
    "tile": lambda n, m: _tiles(n, m, 0.15, floor=False), "tilefloor": lambda n, m: _tiles(n, m, 0.2, floor=True),
    "coated": _coated, "lacquer": _coated, "laminate": _coated, "ceramic": _ceramic, "glass": _glass, "fluid": _glass,
    "fabric": _fabric, "bedding": _bedding, "cloth": _cloth, "net": _net, "leather": _leather, "leaf": _leaf,
    "art": _art, "outside": _outside, "lamp": _glow, "sign": _glow, "shade": _shade,
}  # fmt: skip
