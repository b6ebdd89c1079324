"""What the user sets: saved with the scene; what is shown for this session only: with the window manager."""

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import rooms, suggestions

MAX_SEED = 2**31 - 1
OUTFITS = (
    ("AUTO", "By role", "Scrubs for staff; gown, pyjamas or everyday clothes for patients"),
    ("scrubs", "Scrubs", "A carer's tunic and trousers"),
    ("gown", "Gown", "A hospital gown and socks"),
    ("pyjamas", "Pyjamas", "Shirt and trousers of soft cloth, socks"),
    ("everyday", "Everyday", "Jumper or shirt, trousers and shoes"),
)
ROLES = (
    ("staff", "Staff", "Works here", "COMMUNITY", 0),
    ("patient", "Patient", "Is cared for", "USER", 1),
    ("person", "Person", "Anybody", "OUTLINER_OB_ARMATURE", 2),
)
LIGHTS = (
    ("AUTO", "Any", "Drawn by the seed"),
    ("day", "Day", "Daylight through the windows"),
    ("evening", "Evening", "Warm lamps"),
    ("night", "Night", "A night lamp"),
)


def _prompts(_self: object, _context: bpy.types.Context, text: str) -> list[str]:
    return suggestions.matching(text)


def _near(self: "SceneSettings", _context: bpy.types.Context, _text: str) -> list[str]:
    info = rooms.known().get(self.room)
    return list(info.furniture) if info and self.room_source == "BUILTIN" else []


class PersonLook(bpy.types.PropertyGroup):
    """How one person looks; everything left open is drawn by the seed."""

    role: EnumProperty(name="Role", description="Whose look this is", items=ROLES, default="patient")
    outfit: EnumProperty(name="Clothes", description="What the person wears", items=OUTFITS)
    use_age: BoolProperty(name="Set the age", description="Choose the age instead of having it drawn")
    age: IntProperty(name="Age", description="Years", default=82, min=18, max=100)
    use_tone: BoolProperty(name="Set the skin tone", description="Choose the skin's tone instead of having it drawn")
    tone: FloatProperty(
        name="Skin tone", description="0 is the lightest, 1 the darkest", default=0.3, min=0.0, max=1.0,
        subtype="FACTOR",
    )  # fmt: skip


class SceneSettings(bpy.types.PropertyGroup):
    """``scene.caresynth``."""

    room_source: EnumProperty(
        name="Room",
        description="Where the room comes from",
        items=(
            ("BUILTIN", "Built-in", "One of the rooms that CareSynth brings along", "HOME", 0),
            ("FOLDER", "Folder", "A room of your own: a folder with room.json and room.glb", "FILE_FOLDER", 1),
        ),
    )
    room: EnumProperty(name="Room", description="The built-in room in which it happens", items=rooms.items)
    room_folder: StringProperty(
        name="Room folder", description="The folder with room.json and room.glb, as `synth rooms export` and "
        "`synth reconstruct` write them", subtype="DIR_PATH",
    )  # fmt: skip
    prompt: StringProperty(
        name="Prompt",
        description="What happens, in plain English. Suggestions appear while you type; other sentences work too",
        default=suggestions.PROMPTS[0],
        search=_prompts,
        search_options={"SUGGESTION"},
    )
    near: StringProperty(
        name="Near", description="The piece of furniture at which it happens; empty: chosen by the prompt",
        search=_near, search_options={"SUGGESTION"},
    )  # fmt: skip
    number: IntProperty(
        name="Number", description="How many different performances to make", default=1, min=1, max=1000, soft_max=20
    )
    seed: IntProperty(
        name="Seed", description="The same seed makes the same interaction again", default=0, min=0, max=MAX_SEED
    )
    seconds: FloatProperty(
        name="Seconds", description="How long the interaction is", default=6.0, min=0.5, max=600.0, soft_max=20.0,
        precision=1, step=50,
    )  # fmt: skip
    rate: FloatProperty(
        name="Motion rate", description="Poses a second of the motion. The scene keeps its own frame rate",
        default=20.0, min=1.0, max=120.0, precision=2, step=100,
    )  # fmt: skip
    light: EnumProperty(name="Light", description="The time of day", items=LIGHTS)
    use_looks: BoolProperty(
        name="Choose people's looks", description="Set clothes, age and skin tone instead of having them drawn"
    )
    looks: CollectionProperty(type=PersonLook)
    import_when_done: BoolProperty(
        name="Import when ready",
        description="Bring the first result into the scene as soon as it is made (not while you edit a mesh)",
        default=True,
    )
    body_mode: EnumProperty(
        name="People as",
        description="How people come into the scene",
        items=(
            ("ARMATURE", "Armature", "24 bones that you can pose, and a skinned mesh", "ARMATURE_DATA", 0),
            ("CACHE", "Mesh cache", "The exact mesh, fast to play; it cannot be posed", "MESH_DATA", 1),
        ),
    )
    with_room: BoolProperty(name="Room", description="Bring the room and its furniture", default=True)
    with_lights: BoolProperty(name="Lights", description="Bring the lights and the sky", default=True)
    with_cameras: BoolProperty(name="Cameras", description="Bring the room's cameras", default=True)
    with_markers: BoolProperty(
        name="Markers", description="Mark what people do, as the labels will say, on the timeline", default=True
    )
    with_settings: BoolProperty(
        name="Render settings",
        description="Set engine, samples, view transform and exposure so that pictures are those of synth-render",
        default=True,
    )
    match_size: BoolProperty(
        name="Match render size", description="Looking through a camera sets the render's size to its picture's",
        default=True,
    )  # fmt: skip
    clips: StringProperty(
        name="Data set", subtype="DIR_PATH",
        description="Each rendering makes a new folder with its labelled clips in this one; empty: beside the results",
    )  # fmt: skip
    clip_camera: EnumProperty(
        name="Camera",
        description="Which camera films the clips",
        items=(
            ("ACTIVE", "Active", "The scene's active camera, if it is one of the room's", "OUTLINER_OB_CAMERA", 0),
            ("all", "All", "A clip by each camera of the room", "OUTLINER_DATA_CAMERA", 1),
            ("random", "Random", "The camera that sees most", "FILE_REFRESH", 2),
        ),
    )
    clip_width: IntProperty(
        name="Width", description="Of the clips", default=320, min=16, max=4096, step=2, subtype="PIXEL"
    )
    clip_height: IntProperty(
        name="Height", description="Of the clips", default=240, min=16, max=4096, step=2, subtype="PIXEL"
    )
    clip_rate: FloatProperty(
        name="Frame rate", description="Frames a second of the clips", default=10.0, min=1.0, max=120.0, precision=2
    )
    clip_samples: IntProperty(
        name="Samples", description="Light paths a pixel; denoised afterwards", default=4, min=1, max=4096
    )
    clip_engine: EnumProperty(
        name="Engine",
        description="What renders the clips",
        items=(
            ("cycles", "Cycles", "True light; the default"),
            ("eevee", "EEVEE", "Fast with a graphics card; straight lenses only"),
            ("workbench", "Workbench", "Flat and very fast; straight lenses only"),
        ),
    )


class ResultItem(bpy.types.PropertyGroup):
    """One thing that the back end made; ``name`` is its title."""

    folder: StringProperty(subtype="DIR_PATH")
    thumbnail: StringProperty(subtype="FILE_PATH")
    prompt: StringProperty()
    seed: IntProperty()


class SessionState(bpy.types.PropertyGroup):
    """``window_manager.caresynth``."""

    results: CollectionProperty(type=ResultItem)
    result: IntProperty(name="Result", description="The result that the buttons below act on")
    show_looks: BoolProperty(name="People", description="Show how people look")
    show_import: BoolProperty(name="What to import", description="Show what comes into the scene")


CLASSES = (PersonLook, SceneSettings, ResultItem, SessionState)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.caresynth = PointerProperty(type=SceneSettings, name="CareSynth")
    # Not saved with the file and not undone: what was made stays made.
    bpy.types.WindowManager.caresynth = PointerProperty(type=SessionState, name="CareSynth", options={"SKIP_SAVE"})


def unregister() -> None:
    del bpy.types.WindowManager.caresynth
    del bpy.types.Scene.caresynth
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
