"""Operators on the scene: import, replace, compare, cameras, save the motion, galleries, small helpers of the panel."""

import random
from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from . import building, cameras, gallery, making, stage, tags
from .errors import CareSynthError
from .export import export_motion
from .making import said, staged
from .preferences import output_folder

MODES = (
    ("ADD", "Add", "Beside whatever is in the scene"),
    ("REPLACE", "Replace", "In place of what was imported before"),
    ("COMPARE", "Compare", "Next to what was imported before, its room as well"),
)
RATES = (
    (
        "KEEP",
        "Keep the scene's",
        "The scene's frame rate stays; the motion is mapped by seconds, its length is the same",
    ),
    ("ADOPT", "Use the motion's", "The scene takes over the motion's frame rate: a pose on each frame"),
)


class _Import:
    """What imports share: the question about the frame rate, and the import itself."""

    rate: EnumProperty(name="Frame rate", description="What to do if the scene has another frame rate", items=RATES)
    mode: EnumProperty(name="Way", description="What happens to earlier imports", items=MODES)

    def differs(self, context: bpy.types.Context, folder: Path) -> float | None:
        """The motion's frames a second, if the scene has others."""
        info = stage.read(folder)
        render = context.scene.render
        fps = render.fps / render.fps_base
        return info.motion.fps if info.motion is not None and abs(info.motion.fps - fps) > 1e-3 else None

    def bring(self, context: bpy.types.Context, folder: Path) -> set:
        settings = context.scene.caresynth
        found = stage.read(folder)
        before = tags.stages(context.scene)
        options = building.Options(
            body_mode=settings.body_mode, room=settings.with_room, lights=settings.with_lights,
            cameras=settings.with_cameras, markers=settings.with_markers, settings=settings.with_settings,
            adopt_rate=self.rate == "ADOPT", beside=self.mode == "COMPARE",
        )  # fmt: skip
        root, warnings = building.bring(context, found, options)
        if self.mode == "REPLACE":
            for item in before:
                building.remove(context, item)
            building.choose_camera(context.scene, root)  # the one before it may have gone with them
        for item in context.selected_objects:
            item.select_set(False)
        context.view_layer.objects.active = root
        root.select_set(True)
        for warning in warnings:
            self.report({"WARNING"}, warning)
        if not bpy.app.background:
            see_inside(context, True)
        self.report({"INFO"}, f"Imported {found.title}")
        return {"FINISHED"}

    def draw_question(self, context: bpy.types.Context, fps: float) -> None:
        render = context.scene.render
        layout = self.layout
        here, there = render.fps / render.fps_base, fps
        text = bpy.app.translations.pgettext_iface("The scene has {:.4g} frames a second, the motion {:.4g}.")
        layout.label(text=text.format(here, there), icon="TIME", translate=False)
        layout.prop(self, "rate", expand=True)


def see_inside(context: bpy.types.Context, on: bool) -> None:
    """Walls and ceilings seen from outside are left out in the 3D views, and the lines from children to parents."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                space = area.spaces.active
                space.shading.show_backface_culling = on
                space.overlay.show_relationship_lines = not on


def sees_inside(context: bpy.types.Context) -> bool:
    """Whether the 3D view the user is in (or the first one) leaves them out."""
    space = context.space_data
    if space is None or space.type != "VIEW_3D":
        areas = (area for window in context.window_manager.windows for area in window.screen.areas)
        space = next((area.spaces.active for area in areas if area.type == "VIEW_3D"), None)
    return space is not None and space.shading.show_backface_culling


class CARESYNTH_OT_import_result(_Import, bpy.types.Operator):
    """Bring this result into the scene: the room, the people, their motion and the cameras"""

    bl_idname = "caresynth.import_result"
    bl_label = "Import Result"
    bl_options = {"UNDO"}

    folder: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        said = {"REPLACE": "Take the earlier import out of the scene and bring this result",
                "COMPARE": "Bring this result with its room next to the earlier one"}  # fmt: skip
        return bpy.app.translations.pgettext_tip(said.get(properties.mode, cls.__doc__ or ""))

    def _folder(self, context: bpy.types.Context) -> Path:
        if self.folder:
            return Path(self.folder)
        state = context.window_manager.caresynth
        if not 0 <= state.result < len(state.results):
            raise CareSynthError("There is no result yet: generate an interaction first")
        return Path(state.results[state.result].folder)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set:
        return self._ask(context)

    @said
    def _ask(self, context: bpy.types.Context) -> set:
        self._fps = self.differs(context, self._folder(context))
        if self._fps is None:
            return self.execute(context)
        return context.window_manager.invoke_props_dialog(self, width=360, title="Frame Rate")

    def draw(self, context: bpy.types.Context) -> None:
        self.draw_question(context, self._fps)

    @said
    def execute(self, context: bpy.types.Context) -> set:
        return self.bring(context, self._folder(context))


class CARESYNTH_OT_import_stage(_Import, ImportHelper, bpy.types.Operator):
    """Import an interaction or a room of CareSynth from its folder"""

    bl_idname = "caresynth.import_stage"
    bl_label = "Import CareSynth"
    bl_options = {"UNDO"}

    filename_ext = ".json"
    filter_glob: StringProperty(default="stage.json;room.json", options={"HIDDEN"})
    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.caresynth
        layout.use_property_split = True
        layout.prop(self, "mode")
        layout.prop(self, "rate")
        draw_import_options(layout, settings)

    @said
    def execute(self, context: bpy.types.Context) -> set:
        return self.bring(context, Path(self.filepath) if self.filepath else Path(self.directory))


def draw_import_options(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """What comes into the scene."""
    layout.prop(settings, "body_mode")
    column = layout.column(heading="Bring", align=True)
    for name in ("with_room", "with_lights", "with_cameras", "with_markers", "with_settings"):
        column.prop(settings, name)


class CARESYNTH_OT_export_motion(ExportHelper, bpy.types.Operator):
    """Save the motion as it stands in the scene as an interaction (.npz) that CareSynth reads"""

    bl_idname = "caresynth.export_motion"
    bl_label = "Export CareSynth Motion"

    filename_ext = ".npz"
    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return staged(cls, context)

    @said
    def execute(self, context: bpy.types.Context) -> set:
        root = tags.active_stage(context)
        assert root is not None
        for warning in export_motion(context, root, Path(self.filepath)):
            self.report({"WARNING"}, warning)
        self.report({"INFO"}, f"Saved {self.filepath}")
        return {"FINISHED"}


class CARESYNTH_OT_look_through(bpy.types.Operator):
    """Look through this camera, and make it the one that renders"""

    bl_idname = "caresynth.look_through"
    bl_label = "Look Through"
    bl_options = {"UNDO"}

    camera: StringProperty(options={"SKIP_SAVE", "HIDDEN"})

    @said
    def execute(self, context: bpy.types.Context) -> set:
        item = context.scene.objects.get(self.camera)
        if item is None or item.type != "CAMERA":
            raise CareSynthError(f"There is no camera {self.camera}")
        cameras.look_through(context, item, context.scene.caresynth.match_size)
        return {"FINISHED"}


class CARESYNTH_OT_see_inside(bpy.types.Operator):
    """Leave out walls and ceilings that are seen from outside, in the solid view; once more brings them back"""

    bl_idname = "caresynth.see_inside"
    bl_label = "See Into the Room"

    def execute(self, context: bpy.types.Context) -> set:
        see_inside(context, not sees_inside(context))
        return {"FINISHED"}


class CARESYNTH_OT_new_seed(bpy.types.Operator):
    """Draw another seed, for another performance of the same prompt"""

    bl_idname = "caresynth.new_seed"
    bl_label = "New Seed"
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set:
        settings = context.scene.caresynth
        settings.seed = random.randrange(100_000)
        return {"FINISHED"}


class CARESYNTH_OT_add_look(bpy.types.Operator):
    """Choose the looks of one more person"""

    bl_idname = "caresynth.add_look"
    bl_label = "Add Person"
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set:
        looks = context.scene.caresynth.looks
        roles = [look.role for look in looks]
        looks.add().role = "patient" if "patient" not in roles else "staff"
        return {"FINISHED"}


class CARESYNTH_OT_remove_look(bpy.types.Operator):
    """Leave this person's looks to the seed"""

    bl_idname = "caresynth.remove_look"
    bl_label = "Remove Person"
    bl_options = {"UNDO"}

    index: bpy.props.IntProperty(options={"SKIP_SAVE", "HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set:
        context.scene.caresynth.looks.remove(self.index)
        return {"FINISHED"}


class CARESYNTH_OT_open_gallery(bpy.types.Operator):
    """Open the page of the data set, with its clips and what is known of them, in the web browser"""

    bl_idname = "caresynth.open_gallery"
    bl_label = "Open Gallery"

    @said
    def execute(self, context: bpy.types.Context) -> set:
        gallery.show_in_browser(gallery.page_of(making.clips_folder(context, made=True)))
        return {"FINISHED"}


class CARESYNTH_OT_refresh(bpy.types.Operator):
    """Look again for what was made in earlier sessions"""

    bl_idname = "caresynth.refresh"
    bl_label = "Refresh Results"

    @said
    def execute(self, context: bpy.types.Context) -> set:
        gallery.refresh(context, output_folder(context))
        return {"FINISHED"}


CLASSES = (
    CARESYNTH_OT_import_result, CARESYNTH_OT_import_stage, CARESYNTH_OT_export_motion, CARESYNTH_OT_look_through,
    CARESYNTH_OT_see_inside, CARESYNTH_OT_new_seed, CARESYNTH_OT_add_look, CARESYNTH_OT_remove_look,
    CARESYNTH_OT_open_gallery, CARESYNTH_OT_refresh,
)  # fmt: skip

register, unregister = bpy.utils.register_classes_factory(CLASSES)
