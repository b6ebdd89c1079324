"""Light for a room: day through the windows, warm lamps in the evening, a night lamp.

Soft area lights stand in for what a real room gets by many bounces (window panes that shine inwards, a fill below the
ceiling), so that four samples a pixel and a denoiser are enough. The sources are found in the scene itself: meshes of
the kinds "glass" (panes), "lamp" and "shade" (``materials``); a user's room without any gets the ceiling fill alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from render.blender.materials import GLOW
from render.blender.session import load_bpy
from synth.errors import BadOption
from synth.room import Room

MOODS = ("day", "evening", "night")


@dataclass(frozen=True)
class LightParams:
    """What varies between clips of one mood.

    Attributes:
        brightness: factor on every source, about 0.8 to 1.25.
        warmth: -1 (cool) to 1 (warm), shifts the colour of lamps and daylight.
        sun_elevation, sun_offset: degrees above the horizon, and away from straight into the first window.
        sun: strength of direct sun, 0 for an overcast day.
    """

    brightness: float = 1.0
    warmth: float = 0.0
    sun_elevation: float = 38.0
    sun_offset: float = 25.0
    sun: float = 1.0


@dataclass(frozen=True)
class Mood:
    """Strengths of a mood: W a square metre of ceiling fill and of window, lamp power in W, exposure in stops."""

    fill: float
    fill_color: tuple[float, float, float]
    window: float
    window_color: tuple[float, float, float]
    sun: float
    outside: float
    panel: float
    lamp: float
    lamp_glow: float
    world: float
    exposure: float


DAY_WHITE, SKY_BLUE, WARM, MOON = (1.0, 0.97, 0.92), (0.86, 0.93, 1.0), (1.0, 0.72, 0.46), (0.45, 0.58, 1.0)
SETTINGS = {
    "day": Mood(7.0, DAY_WHITE, 22.0, SKY_BLUE, 3.2, 2.6, 0.0, 0.0, 0.9, 0.6, -0.15),
    "evening": Mood(1.6, WARM, 0.6, MOON, 0.0, 0.05, 7.0, 9.0, 3.0, 0.02, 0.15),
    "night": Mood(0.42, MOON, 0.8, MOON, 0.0, 0.02, 0.0, 2.0, 1.2, 0.004, 1.9),
}


def draw_light(rng: np.random.Generator) -> LightParams:
    """Light that differs from clip to clip."""
    return LightParams(
        brightness=float(rng.uniform(0.82, 1.22)), warmth=float(rng.uniform(-1, 1)),
        sun_elevation=float(rng.uniform(24, 52)), sun_offset=float(rng.uniform(-40, 40)),
        sun=float(rng.uniform(0.0, 1.2)),
    )  # fmt: skip


def set_light(scene: Any, room: Room, mood: str, params: LightParams | None = None) -> list[Any]:
    """Light ``scene``, whose room objects are already there, and set the view transform and exposure.

    Returns:
        The light objects.

    Raises:
        BadOption: an unknown mood.
    """
    if mood not in SETTINGS:
        raise BadOption("light", mood, f"one of {', '.join(MOODS)}")
    settings, p = SETTINGS[mood], params or LightParams()
    # Few, large sources: choosing among them evenly costs a third less a frame than Cycles' light tree.
    scene.cycles.use_light_tree = False
    _view(scene, settings)
    _world(scene, settings)
    lights = [_ceiling_fill(scene, room, settings, p)]
    panes = [_bounds(o) for o in _of_kind(scene, "glass")]
    middle = np.array([*room.floor.mean(0), room.height / 2])
    for low, high in panes:
        lights.append(_window(scene, low, high, middle, settings, p))
    if panes and settings.sun * p.sun > 0:
        lights.append(_sun(scene, *panes[0], middle, settings, p))
    lights += _lamps(scene, mood, settings, p)
    _glow(scene, mood, settings, p)
    return [light for light in lights if light is not None]


def _view(scene: Any, settings: Mood) -> None:
    view = scene.view_settings
    view.view_transform = "AgX"
    try:
        view.look = "AgX - Medium High Contrast"
    except TypeError:  # other builds name their looks differently
        view.look = "None"
    view.exposure = settings.exposure
    view.gamma = 1.0


def _world(scene: Any, settings: Mood) -> None:
    """A faint even sky, for rooms of a user that are open above."""
    bpy = load_bpy()
    world = bpy.data.worlds.new("world")
    if world.node_tree is None:  # Blender before 5.0
        world.use_nodes = True
    tree = world.node_tree
    tree.nodes.clear()
    sky = tree.nodes.new("ShaderNodeBackground")
    sky.inputs["Color"].default_value = (*settings.window_color, 1.0)
    sky.inputs["Strength"].default_value = settings.world
    out = tree.nodes.new("ShaderNodeOutputWorld")
    tree.links.new(sky.outputs[0], out.inputs["Surface"])
    scene.world = world


def _tint(color: tuple[float, float, float], warmth: float) -> tuple[float, float, float]:
    red, green, blue = color
    return (min(1.0, red * (1 + 0.05 * warmth)), green, min(1.0, blue * (1 - 0.10 * warmth)))


def _area(
    scene: Any,
    name: str,
    size: tuple[float, float],
    watts: float,
    color: tuple[float, float, float],
    at: np.ndarray,
    towards: np.ndarray,
) -> Any:
    """A rectangular light that shines along ``towards`` and is itself not seen."""
    bpy = load_bpy()
    data = bpy.data.lights.new(name, "AREA")
    data.shape = "RECTANGLE"
    data.size, data.size_y = size
    data.energy, data.color = watts, color
    item = bpy.data.objects.new(name, data)
    item.matrix_world = _facing(at, towards).T.tolist()
    item.visible_camera = item.visible_glossy = False
    scene.collection.objects.link(item)
    return item


def _facing(at: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Pose [4, 4] whose -z axis points along ``towards`` and whose x axis is level."""
    back = -towards / np.linalg.norm(towards)
    side = np.array([1.0, 0, 0]) if abs(back[2]) > 0.99 else np.cross([0, 0, 1.0], back)
    side = side / np.linalg.norm(side)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([side, np.cross(back, side), back], -1)
    pose[:3, 3] = at
    return pose


def _ceiling_fill(scene: Any, room: Room, settings: Mood, p: LightParams) -> Any:
    low, high = room.floor.min(0), room.floor.max(0)
    size = (high - low) * 0.86
    at = np.array([*(low + high) / 2, room.height - 0.03])
    watts = settings.fill * float(size[0] * size[1]) * p.brightness
    return _area(
        scene,
        "fill",
        (float(size[0]), float(size[1])),
        watts,
        _tint(settings.fill_color, p.warmth),
        at,
        np.array([0, 0, -1.0]),
    )


def _window(scene: Any, low: np.ndarray, high: np.ndarray, middle: np.ndarray, settings: Mood, p: LightParams) -> Any:
    size = high - low
    thin = int(np.argmin(size[:2]))
    inwards = np.zeros(3)
    inwards[thin] = np.sign(middle[thin] - (low + high)[thin] / 2)
    wide, tall = float(size[1 - thin]), float(size[2])
    at = (low + high) / 2 + inwards * 0.05
    watts = settings.window * wide * tall * p.brightness
    # daylight falls in from above: the pane's light is tilted down a little
    return _area(
        scene,
        "daylight",
        (wide, tall),
        watts,
        _tint(settings.window_color, p.warmth),
        at,
        inwards + np.array([0, 0, -0.25]),
    )


def _sun(scene: Any, low: np.ndarray, high: np.ndarray, middle: np.ndarray, settings: Mood, p: LightParams) -> Any:
    bpy = load_bpy()
    size = high - low
    thin = int(np.argmin(size[:2]))
    inwards = np.zeros(3)
    inwards[thin] = np.sign(middle[thin] - (low + high)[thin] / 2)
    turn, rise = np.radians(p.sun_offset), np.radians(p.sun_elevation)
    c, s = np.cos(turn), np.sin(turn)
    level = np.array([c * inwards[0] - s * inwards[1], s * inwards[0] + c * inwards[1], 0.0])
    data = bpy.data.lights.new("sun", "SUN")
    data.energy, data.angle = settings.sun * p.sun * p.brightness, np.radians(1.5)
    data.color = (1.0, 0.93, 0.82)
    item = bpy.data.objects.new("sun", data)
    item.matrix_world = _facing(np.zeros(3), level * np.cos(rise) + np.array([0, 0, -np.sin(rise)])).T.tolist()
    scene.collection.objects.link(item)
    return item


def _lamps(scene: Any, mood: str, settings: Mood, p: LightParams) -> list[Any]:
    """A light under each ceiling panel, and one inside each lamp shade (at night in the lowest one only)."""
    bpy = load_bpy()
    lights = []
    color = _tint(WARM, p.warmth)
    if settings.panel > 0:
        for low, high in (_bounds(o) for o in _of_kind(scene, "lamp") if "panel" in o["part"]):
            size = high - low
            at = np.array([*(low + high)[:2] / 2, low[2] - 0.02])
            watts = settings.panel * p.brightness * 4
            lights.append(
                _area(
                    scene,
                    "panel",
                    (float(size[0]), float(size[1])),
                    watts,
                    _tint((1.0, 0.82, 0.62), p.warmth),
                    at,
                    np.array([0, 0, -1.0]),
                )
            )
    boxes = [_bounds(o) for o in _of_kind(scene, "shade")]
    shades = sorted((((low + high) / 2).round(4).tolist() for low, high in boxes), key=lambda c: (c[2], c))
    if settings.lamp > 0:
        for place in shades[:1] if mood == "night" else shades:
            data = bpy.data.lights.new("bulb", "POINT")
            data.energy, data.color, data.shadow_soft_size = settings.lamp * p.brightness, color, 0.06
            item = bpy.data.objects.new("bulb", data)
            item.location = place
            item.visible_camera = False
            scene.collection.objects.link(item)
            lights.append(item)
    return lights


def _glow(scene: Any, mood: str, settings: Mood, p: LightParams) -> None:
    """How bright the lamps and the view outside look."""
    bpy = load_bpy()
    for material in bpy.data.materials:
        kind = material.get("kind")
        if kind not in ("lamp", "outside", "shade", "sign"):
            continue
        material.cycles.emission_sampling = "NONE"  # it is seen; the lights above are what lights the room
        if kind == "sign":
            continue
        if kind == "outside":
            strength = settings.outside
        elif mood == "night":
            strength = settings.lamp_glow * 0.25 if kind == "shade" else 0.02
        elif kind == "shade":
            strength = 0.0 if mood == "day" else settings.lamp_glow * 0.4
        else:
            strength = settings.lamp_glow
        for node in material.node_tree.nodes:
            if node.label == GLOW:
                node.inputs["Strength"].default_value = strength * p.brightness


def _of_kind(scene: Any, kind: str) -> list[Any]:
    """The room objects whose material is of a kind, in the scene's order."""
    return [
        o
        for o in scene.objects
        if o.type == "MESH" and "part" in o and o.data.materials and o.data.materials[0].get("kind") == kind
    ]


def _bounds(item: Any) -> tuple[np.ndarray, np.ndarray]:
    """World bounds of an object: low and high corner [3]."""
    corners = np.array([[*c, 1.0] for c in item.bound_box]) @ np.array(item.matrix_world).T
    return corners[:, :3].min(0), corners[:, :3].max(0)
