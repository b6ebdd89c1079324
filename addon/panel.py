"""The "CareSynth" tab of the 3D view's sidebar, from top to bottom as one works."""

import bpy

from . import jobs, rooms, tags
from .operators import draw_import_options, sees_inside
from .preferences import wrapped
from .thumbnails import icon

CATEGORY = "CareSynth"
_LETTER = 8.0  # pixels of a letter, on the wide side


class _Panel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY


class CARESYNTH_PT_room(_Panel, bpy.types.Panel):
    """Where it happens"""

    bl_label = "Room"
    bl_idname = "CARESYNTH_PT_room"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.caresynth
        layout.row().prop(settings, "room_source", expand=True)
        if settings.room_source == "BUILTIN":
            layout.template_icon_view(settings, "room", show_labels=True, scale=6.0, scale_popup=6.0)
            info = rooms.known().get(settings.room)
            if info is not None:
                layout.prop(settings, "room", text="")
        else:
            layout.prop(settings, "room_folder", text="", placeholder="Folder with room.json and room.glb")
        row = layout.row(align=True)
        row.operator("caresynth.import_room", icon="IMPORT")
        row.operator("caresynth.see_inside", text="", icon="XRAY", depress=sees_inside(context))


class CARESYNTH_PT_action(_Panel, bpy.types.Panel):
    """What people do"""

    bl_label = "What Happens"
    bl_idname = "CARESYNTH_PT_action"
    bl_order = 1

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.caresynth
        layout.prop(settings, "prompt", text="", icon="COMMUNITY", placeholder="staff helps patient up")
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "near", placeholder="Chosen by the prompt")
        column = layout.column(align=True)
        column.prop(settings, "seconds")
        column.prop(settings, "number")
        row = column.row(align=True)
        row.prop(settings, "seed")
        row.operator("caresynth.new_seed", text="", icon="FILE_REFRESH")
        layout.row().prop(settings, "light")
        layout.prop(settings, "rate")


class CARESYNTH_PT_looks(_Panel, bpy.types.Panel):
    """How people look"""

    bl_label = "People's Looks"
    bl_idname = "CARESYNTH_PT_looks"
    bl_parent_id = "CARESYNTH_PT_action"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header(self, context: bpy.types.Context) -> None:
        self.layout.prop(context.scene.caresynth, "use_looks", text="")

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.caresynth
        layout.active = settings.use_looks
        for index, look in enumerate(settings.looks):
            box = layout.box()
            row = box.row(align=True)
            row.prop(look, "role", text="")
            row.operator("caresynth.remove_look", text="", icon="X", emboss=False).index = index
            column = box.column()
            column.use_property_split, column.use_property_decorate = True, False
            column.prop(look, "outfit")
            for switch, value, heading in (("use_age", "age", "Age"), ("use_tone", "tone", "Skin tone")):
                line = column.row(heading=heading, align=True)
                line.prop(look, switch, text="")
                part = line.row()
                part.active = getattr(look, switch)
                part.prop(look, value, text="")
        layout.operator("caresynth.add_look", icon="ADD")


class CARESYNTH_PT_generate(_Panel, bpy.types.Panel):
    """Start it and see how far it is"""

    bl_label = "Generate"
    bl_idname = "CARESYNTH_PT_generate"
    bl_order = 2

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings, job = self.layout, context.scene.caresynth, jobs.current()
        if jobs.busy() and job is not None:
            draw_progress(layout, job)
            return
        column = layout.column()
        column.scale_y = 1.6
        column.operator("caresynth.generate", icon="PLAY")
        layout.prop(settings, "import_when_done")
        if job is not None:
            draw_outcome(layout, job, columns(context))


def draw_progress(layout: bpy.types.UILayout, job: jobs.Job) -> None:
    """How far a job is, with its time left and the button that ends it."""
    translate = bpy.app.translations.pgettext_iface
    layout.label(text=job.title, icon="SORTTIME", translate=False)
    if job.state == jobs.CANCELLING:
        layout.label(text="Cancelling...")
        return
    text = translate(job.text).capitalize() if job.text else translate("Starting...")
    if job.total > 0:
        text = f"{text}  {job.share:.0%}"
    layout.progress(factor=job.share, type="BAR", text=text, translate=False)
    row = layout.row()
    left = job.left
    row.label(text=f"{translate('Time left')}: {clock(left)}" if left is not None else "", translate=False)
    row.operator("caresynth.cancel", icon="CANCEL")


def columns(context: bpy.types.Context) -> int:
    """How many letters a line of the panel holds beside an icon and a button."""
    scale = context.preferences.system.ui_scale
    return max(int(context.region.width / (_LETTER * scale)) - 3, 16) if context.region else 40


def draw_outcome(layout: bpy.types.UILayout, job: jobs.Job, width: int) -> None:
    """How the last job ended, in lines of ``width`` letters."""
    if job.state == jobs.DONE and not job.warnings:
        return
    box = layout.box()
    row = box.row()
    if job.state == jobs.FAILED:
        column = row.column(align=True)
        column.alert = True
        for number, line in enumerate(wrapped(job.error, width)):
            column.label(text=line, icon="ERROR" if number == 0 else "BLANK1", translate=False)
    elif job.state == jobs.CANCELLED:
        row.label(text="Cancelled", icon="INFO")
    else:
        column = row.column(align=True)
        for warning in job.warnings[-3:]:
            for number, line in enumerate(wrapped(warning, width)):
                column.label(text=line, icon="INFO" if number == 0 else "BLANK1", translate=False)
    row.operator("caresynth.dismiss", text="", icon="X", emboss=False)
    if job.state == jobs.FAILED:
        buttons = box.row(align=True)
        buttons.operator("caresynth.copy_details", icon="COPYDOWN")
        buttons.operator("preferences.addon_show", text="Preferences", icon="PREFERENCES").module = __package__


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}" if whole >= 60 else f"{whole} s"


class CARESYNTH_UL_results(bpy.types.UIList):
    """What was made, with a small picture each"""

    def draw_item(self, _context, layout, _data, item, _icon, _active, _property, _index=0, _flag=0) -> None:
        row = layout.row(align=True)
        number = icon(item.thumbnail)
        if number:
            row.label(text=item.name, icon_value=number, translate=False)
        else:
            row.label(text=item.name, icon="ARMATURE_DATA", translate=False)
        seed = row.row()
        seed.alignment = "RIGHT"
        seed.active = False
        seed.label(text=f"#{item.seed}", translate=False)


class CARESYNTH_PT_results(_Panel, bpy.types.Panel):
    """What was made"""

    bl_label = "Results"
    bl_idname = "CARESYNTH_PT_results"
    bl_order = 3

    def draw_header_preset(self, _context: bpy.types.Context) -> None:
        self.layout.operator("caresynth.refresh", text="", icon="FILE_REFRESH", emboss=False)

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, context.window_manager.caresynth
        if not state.results:
            layout.label(text="Nothing yet: generate an interaction", icon="INFO")
            return
        layout.template_list("CARESYNTH_UL_results", "", state, "results", state, "result", rows=3, maxrows=6)
        if not 0 <= state.result < len(state.results):
            return
        item = state.results[state.result]
        picture = icon(item.thumbnail)
        if picture:
            layout.template_icon(picture, scale=7.0)
        column = layout.column(align=True)
        add = column.operator("caresynth.import_result", text="Import", icon="IMPORT")
        row = column.row(align=True)
        replace = row.operator("caresynth.import_result", text="Replace", icon="UV_SYNC_SELECT")
        compare = row.operator("caresynth.import_result", text="Compare", icon="MOD_ARRAY")
        row.enabled = bool(tags.stages(context.scene))
        add.folder = replace.folder = compare.folder = item.folder
        add.mode, replace.mode, compare.mode = "ADD", "REPLACE", "COMPARE"


class CARESYNTH_PT_import(_Panel, bpy.types.Panel):
    """What comes into the scene"""

    bl_label = "What to Import"
    bl_idname = "CARESYNTH_PT_import"
    bl_parent_id = "CARESYNTH_PT_results"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        draw_import_options(layout, context.scene.caresynth)


class CARESYNTH_PT_cameras(_Panel, bpy.types.Panel):
    """The room's viewpoints"""

    bl_label = "Cameras"
    bl_idname = "CARESYNTH_PT_cameras"
    bl_order = 4

    def draw(self, context: bpy.types.Context) -> None:
        layout, scene = self.layout, context.scene
        root = tags.active_stage(context)
        found = list(tags.members(scene, root, "camera")) if root is not None else []
        if not found:
            text = "Import a room to see its cameras" if root is None else "This room has no cameras"
            layout.label(text=text, icon="INFO")
            return
        column = layout.column(align=True)
        for item in found:
            row = column.row(align=True)
            on = scene.camera == item
            row.operator(
                "caresynth.look_through", text=item.name, icon="RESTRICT_RENDER_OFF" if on else "CAMERA_DATA",
                depress=on, translate=False,
            ).camera = item.name  # fmt: skip
        layout.prop(scene.caresynth, "match_size")


class CARESYNTH_PT_clips(_Panel, bpy.types.Panel):
    """Labelled video of what is in the scene"""

    bl_label = "Labelled Clips"
    bl_idname = "CARESYNTH_PT_clips"
    bl_order = 5

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.caresynth
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(settings, "clip_camera")
        column = layout.column(align=True)
        column.prop(settings, "clip_width", text="Resolution X")
        column.prop(settings, "clip_height", text="Y")
        column = layout.column(align=True)
        column.prop(settings, "clip_rate")
        column.prop(settings, "clip_engine")
        column.prop(settings, "clip_samples")
        layout.prop(settings, "clips", placeholder="Beside the results")
        big = layout.column()
        big.scale_y = 1.3
        big.operator("caresynth.render_clips", icon="RENDER_ANIMATION")
        row = layout.row(align=True)
        row.operator("caresynth.open_gallery", icon="URL")
        row.operator("caresynth.export_motion", text="Save Motion", icon="EXPORT")


CLASSES = (
    CARESYNTH_PT_room, CARESYNTH_PT_action, CARESYNTH_PT_looks, CARESYNTH_PT_generate, CARESYNTH_UL_results,
    CARESYNTH_PT_results, CARESYNTH_PT_import, CARESYNTH_PT_cameras, CARESYNTH_PT_clips,
)  # fmt: skip

register, unregister = bpy.utils.register_classes_factory(CLASSES)
