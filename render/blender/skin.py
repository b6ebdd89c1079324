"""Materials of people: skin, lips, eyes, hair and cloth, as functions of a person's look.

Textures live on the attribute "rest", each vertex's place on the template body in metres, so that they stick to the
body whatever it does: wrinkles, weave, stripes and badges move with the cloth.
"""

from __future__ import annotations

from typing import Any

from render.blender.materials import Nodes
from render.blender.session import load_bpy
from render.look import Colour, PersonLook

EYE_CENTRES = ((0.0297, 0.6473), (-0.0297, 0.6473))  # x and y on the template
IRIS, PUPIL = 0.0062, 0.0026  # radii in metres


class Paint(Nodes):
    """A node tree with the person-specific building blocks."""

    def __init__(self, material: Any, seed: int) -> None:
        super().__init__(material.node_tree)
        self.seed = seed
        self.rest = self.add("Attribute", attribute_name="rest").outputs["Vector"]
        split = self.add("SeparateXYZ", {0: self.rest})
        self.x, self.y, self.z = (split.outputs[k] for k in range(3))

    def attribute(self, name: str) -> Any:
        """A float attribute of the mesh."""
        return self.add("Attribute", attribute_name=name).outputs["Fac"]

    def math(self, operation: str, *values: Any, clamp: bool = False) -> Any:
        """Arithmetic on sockets and numbers."""
        return self.add("Math", dict(enumerate(values)), operation=operation, use_clamp=clamp).outputs[0]

    def grain(self, scale: tuple[float, float, float], detail: float = 2.0, rough: float = 0.5) -> Any:
        """Noise in 0..1 on the rest body with ``scale`` features a metre, different for each person."""
        place = self.add("Mapping", {"Vector": self.rest, "Scale": scale, "Location": (self.seed % 97, 0, 0)})
        node = self.add("TexNoise", {"Vector": place.outputs[0], "Scale": 1.0, "Detail": detail, "Roughness": rough})
        return node.outputs[0]

    def ramp(self, value: Any, low: float, high: float) -> Any:
        """0 below ``low``, 1 above ``high``, smooth between (``low`` > ``high`` turns it round)."""
        turned = low > high
        node = self.add("MapRange", {"Value": value, "From Min": min(low, high), "From Max": max(low, high),
                                     "To Min": float(turned), "To Max": float(not turned)},
                        interpolation_type="SMOOTHSTEP")  # fmt: skip
        return node.outputs[0]

    def near(self, point: tuple[float, float, float], radius: float, mirror: bool = False) -> Any:
        """1 at a point of the rest body, fading to 0 at ``radius`` metres."""
        vector = self.rest
        if mirror:
            vector = self.add("CombineXYZ", {0: self.math("ABSOLUTE", self.x), 1: self.y, 2: self.z}).outputs[0]
        away = self.add("VectorMath", {0: vector, 1: point}, operation="DISTANCE").outputs["Value"]
        return self.ramp(away, radius, 0.0)

    def box(self, x: float, y: float, width: float, height: float) -> Any:
        """1 on a rectangle of the body's front, else 0."""
        dx = self.math("ABSOLUTE", self.math("SUBTRACT", self.x, x))
        dy = self.math("ABSOLUTE", self.math("SUBTRACT", self.y, y))
        inside = self.math("MULTIPLY", self.math("LESS_THAN", dx, width / 2), self.math("LESS_THAN", dy, height / 2))
        return self.math("MULTIPLY", inside, self.math("GREATER_THAN", self.z, 0.02))

    def blend(self, factor: Any, first: Any, second: Any, kind: str = "MIX") -> Any:
        """Mix two colours."""
        node = self.add("Mix", data_type="RGBA", blend_type=kind)
        for index, value in ((0, factor), (6, first), (7, second)):
            if hasattr(value, "is_output"):
                self.tree.links.new(value, node.inputs[index])
            else:
                node.inputs[index].default_value = (*value, 1.0) if isinstance(value, tuple) else value
        return node.outputs[2]

    def surface(self, colour: Any, **inputs: Any) -> Any:
        """A Principled BSDF; input names with spaces as underscores."""
        values: dict[str | int, Any] = {"Base Color": (*colour, 1.0) if isinstance(colour, tuple) else colour}
        values |= {key.replace("_", " "): value for key, value in inputs.items()}
        return self.add("BsdfPrincipled", values).outputs[0]


def _scaled(colour: Colour, r: float, g: float, b: float) -> Colour:
    return (min(colour[0] * r, 1.0), min(colour[1] * g, 1.0), min(colour[2] * b, 1.0))


def material_for(part: str, kind: str, look: PersonLook) -> Any:
    """The Blender material of one part of a person.

    Args:
        part: the part's name; kind: "skin", "eye", "lash", "hair", "garment" or "shoe"; look: the person.
    """
    bpy = load_bpy()
    material = bpy.data.materials.new(f"person.{part}")
    if material.node_tree is None:  # Blender before 5.0
        material.use_nodes = True
    paint = Paint(material, look.seed)
    makers = {"skin": _skin, "eye": _eye, "lash": _lash, "hair": _hair, "shoe": _shoe}
    paint.finish(makers.get(kind, _cloth)(paint, look, part))
    return material


def _skin(paint: Paint, look: PersonLook, _: str) -> Any:
    tone = look.skin
    dark = 1 - min(tone[0] / 0.75, 1.0)
    red = _scaled(tone, 1.0, 0.70 + 0.15 * dark, 0.66 + 0.15 * dark)
    blotches = paint.ramp(paint.grain((22, 22, 22), 3.0), 0.35, 0.7)
    colour = paint.blend(paint.math("MULTIPLY", blotches, 0.28), tone, red)
    cheeks = paint.math("MULTIPLY", paint.near((0.042, 0.607, 0.115), 0.036, mirror=True), 0.42)
    nose = paint.math("MULTIPLY", paint.near((0.0, 0.605, 0.15), 0.024), 0.45)
    ears = paint.math("MULTIPLY", paint.near((0.08, 0.632, 0.03), 0.035, mirror=True), 0.45)
    hands = paint.math("MULTIPLY", paint.ramp(paint.math("ABSOLUTE", paint.x), 0.70, 0.80), 0.28)
    for mask in (cheeks, nose, ears, hands):
        colour = paint.blend(mask, colour, red)
    sockets = paint.math("MULTIPLY", paint.near((0.030, 0.640, 0.115), 0.026, mirror=True), 0.20 + look.age / 400)
    colour = paint.blend(sockets, colour, _scaled(tone, 0.66, 0.52, 0.54))
    if look.age > 60:
        spots = paint.ramp(paint.grain((85, 85, 85), 1.0), 0.66, 0.72)
        colour = paint.blend(paint.math("MULTIPLY", spots, min((look.age - 55) / 80, 0.42)), colour,
                             _scaled(tone, 0.66, 0.5, 0.42))  # fmt: skip
    if look.beard > 0.02:
        jaw = paint.math("MAXIMUM", paint.near((0.0, 0.548, 0.115), 0.062),
                         paint.near((0.052, 0.575, 0.065), 0.05, mirror=True))  # fmt: skip
        lip = paint.near((0.0, 0.592, 0.142), 0.03)
        stubble = paint.math("MULTIPLY", paint.ramp(paint.grain((900, 900, 900), 1.0), 0.35, 0.6), 0.5)
        amount = paint.math("MULTIPLY", paint.math("MAXIMUM", jaw, lip), paint.math("ADD", stubble, 0.35))
        colour = paint.blend(paint.math("MULTIPLY", amount, look.beard), colour, look.brow_colour)
    pale = 0.7 if look.age > 65 else 0.9
    lips = paint.math("MULTIPLY", paint.attribute("lips"), 0.75 * pale)
    colour = paint.blend(lips, colour, _scaled(tone, 0.80, 0.45 + 0.1 * dark, 0.45 + 0.1 * dark))
    colour = paint.blend(paint.math("MULTIPLY", paint.attribute("nails"), 0.5), colour, _scaled(tone, 1.08, 0.92, 0.92))
    pores = paint.grain((420, 420, 420), 2.0)
    creases = paint.grain((45, 190, 45), 3.0)
    relief = paint.math("ADD", pores, paint.math("MULTIPLY", creases, 1.4 * max(look.age - 40, 0) / 50))
    rough = paint.math("ADD", 0.47, paint.math("MULTIPLY", paint.attribute("lips"), -0.1))
    return paint.surface(
        colour, Roughness=rough, Subsurface_Weight=0.18 - 0.1 * dark, Subsurface_Radius=(1.0, 0.32, 0.16),
        Subsurface_Scale=0.012, Specular_IOR_Level=0.42, Normal=paint.bump(relief, 0.0006, 0.5),
    )  # fmt: skip


def _eye(paint: Paint, look: PersonLook, _: str) -> Any:
    across = paint.math("SUBTRACT", paint.math("ABSOLUTE", paint.x), EYE_CENTRES[0][0])
    up = paint.math("SUBTRACT", paint.y, EYE_CENTRES[0][1])
    radius = paint.math(
        "SQRT", paint.math("ADD", paint.math("MULTIPLY", across, across), paint.math("MULTIPLY", up, up))
    )
    white = paint.blend(paint.ramp(radius, 0.009, 0.015), (0.72, 0.69, 0.65), (0.62, 0.45, 0.40))
    streaks = paint.ramp(paint.grain((900, 900, 100), 2.0), 0.3, 0.7)
    iris = paint.blend(streaks, _scaled(look.iris, 0.6, 0.6, 0.6), _scaled(look.iris, 1.3, 1.3, 1.3))
    iris = paint.blend(paint.ramp(radius, IRIS * 0.8, IRIS), iris, _scaled(look.iris, 0.25, 0.25, 0.25))
    iris = paint.blend(paint.ramp(radius, PUPIL * 1.1, PUPIL * 0.9), iris, (0.004, 0.004, 0.004))
    colour = paint.blend(paint.ramp(radius, IRIS * 1.08, IRIS * 0.96), white, iris)
    return paint.surface(colour, Roughness=0.08, Specular_IOR_Level=0.5)


def _lash(paint: Paint, look: PersonLook, _: str) -> Any:
    hairs = paint.ramp(paint.grain((1500, 60, 300), 0.0), 0.48, 0.56)
    shape = paint.surface(_scaled(look.brow_colour, 0.35, 0.35, 0.35), Roughness=0.6)
    return paint.mix(hairs, paint.add("BsdfTransparent").outputs[0], shape)


def _hair(paint: Paint, look: PersonLook, part: str) -> Any:
    brow = part == "brows"
    tint = look.brow_colour if brow else look.hair_colour
    if brow:
        strands = paint.grain((1400, 500, 200), 2.0)
    else:
        # strands run from the crown down: fine around the head, long in height
        around = paint.math("ARCTAN2", paint.x, paint.math("SUBTRACT", paint.z, 0.045))
        curl = 25.0 if "curly" in part else 5.0
        vector = paint.add(
            "CombineXYZ",
            {
                0: paint.math("MULTIPLY", around, 26.0 if "curly" in part else 42.0),
                1: paint.math("MULTIPLY", paint.y, curl * 3),
                2: float(look.seed % 31),
            },
        )
        strands = paint.add(
            "TexNoise",
            {
                "Vector": vector.outputs[0],
                "Scale": 1.0,
                "Detail": 4.0,
                "Roughness": 0.65,
                "Distortion": 0.6 if "curly" in part else 0.15,
            },
        ).outputs[0]
    colour = paint.blend(paint.ramp(strands, 0.3, 0.75), _scaled(tint, 0.5, 0.5, 0.5), _scaled(tint, 1.35, 1.35, 1.35))
    surface = paint.surface(
        colour, Roughness=0.5, Specular_IOR_Level=0.35, Sheen_Weight=0.15, Normal=paint.bump(strands, 0.004, 0.9)
    )
    if brow or part in ("hair_thin", "hair_balding"):
        share = (0.40, 0.56) if brow else (0.30, 0.48)
        clear = paint.add("BsdfTransparent").outputs[0]
        return paint.mix(paint.ramp(strands, *share), clear, surface)
    return surface


def _pattern(paint: Paint, look: PersonLook, base: Colour) -> Any:
    """A printed or woven pattern in the body's rest coordinates."""
    second = look.colours.get("trim", (0.8, 0.8, 0.8))
    if look.pattern == "dots":
        cell = 0.042
        dx = paint.math("SUBTRACT", paint.math("PINGPONG", paint.x, cell), cell / 2)
        dy = paint.math("SUBTRACT", paint.math("PINGPONG", paint.y, cell), cell / 2)
        far = paint.math("SQRT", paint.math("ADD", paint.math("MULTIPLY", dx, dx), paint.math("MULTIPLY", dy, dy)))
        dark = _scaled(base, 0.42, 0.48, 0.62)
        return paint.blend(paint.math("MULTIPLY", paint.ramp(far, 0.0058, 0.0046), 0.8), base, dark)
    lines = []
    if look.pattern in ("stripes", "checks"):
        lines.append(paint.ramp(paint.math("PINGPONG", paint.x, 0.013), 0.0105, 0.0115))
    if look.pattern == "checks":
        lines.append(paint.ramp(paint.math("PINGPONG", paint.y, 0.019), 0.0155, 0.0170))
    colour: Any = base
    for line in lines:
        colour = paint.blend(paint.math("MULTIPLY", line, 0.55), colour, second)
    return colour


def _cloth(paint: Paint, look: PersonLook, part: str) -> Any:
    base = look.colours.get(part, (0.5, 0.5, 0.5))
    patterned = part in ("gown", "shirt") or (look.outfit == "pyjamas" and part == "loose_trousers")
    colour: Any = _pattern(paint, look, base) if patterned else base
    worn = paint.ramp(paint.grain((9, 9, 9), 3.0), 0.3, 0.7)
    colour = paint.blend(paint.math("MULTIPLY", worn, 0.25), colour, _scaled(base, 0.72, 0.72, 0.74), "MIX")
    # creases: ridges where a smooth noise crosses its middle, longer than wide
    valleys = [
        paint.math("ABSOLUTE", paint.math("SUBTRACT", paint.grain(scale, 1.0), 0.5))
        for scale in ((15, 6, 15), (27, 17, 27))
    ]
    creases = paint.math(
        "ADD", paint.ramp(valleys[0], 0.16, 0.0), paint.math("MULTIPLY", paint.ramp(valleys[1], 0.10, 0.0), 0.35)
    )
    folds = paint.math("ADD", paint.grain((16, 7, 16), 3.0, 0.55), paint.math("MULTIPLY", creases, 0.30))
    knit = part in ("jumper", "socks")
    if knit:
        ribs = paint.math("SINE", paint.math("MULTIPLY", paint.x, 1100.0))
        thread = paint.math("MULTIPLY", ribs, 0.06)
    else:
        thread = paint.math("MULTIPLY", paint.grain((700, 700, 700), 1.0), 0.10)
    relief = paint.math("ADD", folds, thread)
    if part == "scrubs_top":
        card = paint.box(0.075, 0.285, 0.052, 0.034)
        bar = paint.box(0.075, 0.297, 0.052, 0.010)
        seam = paint.math("SUBTRACT", paint.box(-0.075, 0.245, 0.086, 0.096), paint.box(-0.075, 0.245, 0.081, 0.091))
        colour = paint.blend(paint.math("MULTIPLY", seam, 0.45), colour, _scaled(base, 0.35, 0.35, 0.35))
        colour = paint.blend(card, colour, (0.86, 0.87, 0.88))
        colour = paint.blend(bar, colour, (0.05, 0.16, 0.42))
    if part == "shirt":
        placket = paint.box(0.012, 0.10, 0.0016, 0.8)
        spot = paint.math("SUBTRACT", paint.math("PINGPONG", paint.y, 0.045), 0.0)
        far = paint.math(
            "SQRT", paint.math("ADD", paint.math("MULTIPLY", paint.x, paint.x), paint.math("MULTIPLY", spot, spot))
        )
        button = paint.math("MULTIPLY", paint.ramp(far, 0.0058, 0.0050), paint.math("GREATER_THAN", paint.z, 0.02))
        colour = paint.blend(paint.math("MULTIPLY", placket, 0.5), colour, _scaled(base, 0.4, 0.4, 0.4))
        colour = paint.blend(button, colour, (0.78, 0.76, 0.70))
    return paint.surface(colour, Roughness=0.88, Specular_IOR_Level=0.2, Sheen_Weight=0.25 if knit else 0.08,
                         Sheen_Roughness=0.5, Normal=paint.bump(relief, 0.015, 0.6))  # fmt: skip


def _shoe(paint: Paint, look: PersonLook, part: str) -> Any:
    upper = look.colours.get(part, (0.05, 0.05, 0.05))
    sole = look.colours.get("sole", (0.8, 0.8, 0.8))
    colour = paint.blend(paint.ramp(paint.attribute("sole"), 0.4, 0.6), upper, sole)
    laces = paint.math("MULTIPLY", paint.ramp(paint.math("PINGPONG", paint.z, 0.008), 0.0045, 0.0055),
                       paint.near((0.112, -0.905, 0.105), 0.034, mirror=True))  # fmt: skip
    colour = paint.blend(paint.math("MULTIPLY", laces, 0.7), colour, look.colours.get("trim", (0.9, 0.9, 0.9)))
    grain = paint.grain((300, 300, 300), 2.0)
    return paint.surface(colour, Roughness=0.5, Specular_IOR_Level=0.35, Normal=paint.bump(grain, 0.001, 0.3))
