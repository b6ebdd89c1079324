"""Menus, so that the search (F3) finds every operator: File > Import and Export, Add, and CareSynth in the 3D view."""

import bpy


class CARESYNTH_MT_main(bpy.types.Menu):
    """Everything that CareSynth does"""

    bl_label = "CareSynth"
    bl_idname = "CARESYNTH_MT_main"

    def draw(self, _context: bpy.types.Context) -> None:
        layout = self.layout
        layout.operator("caresynth.generate", icon="PLAY")
        layout.operator("caresynth.cancel", icon="CANCEL")
        layout.separator()
        layout.operator("caresynth.import_room", icon="HOME")
        layout.operator("caresynth.import_stage", text="Import Interaction...", icon="IMPORT")
        layout.operator("caresynth.import_result", icon="ARMATURE_DATA")
        layout.separator()
        layout.operator("caresynth.render_clips", icon="RENDER_ANIMATION")
        layout.operator("caresynth.export_motion", icon="EXPORT")
        layout.operator("caresynth.open_gallery", icon="URL")
        layout.separator()
        layout.operator("caresynth.see_inside", icon="XRAY")
        layout.operator("caresynth.new_seed", icon="FILE_REFRESH")
        layout.operator("caresynth.refresh", icon="FILE_REFRESH")
        layout.operator("caresynth.check", icon="CHECKMARK")


def _main(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    self.layout.menu(CARESYNTH_MT_main.bl_idname)


def _add(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    self.layout.separator()
    self.layout.operator("caresynth.import_room", text="CareSynth Room", icon="HOME")
    self.layout.operator("caresynth.generate", text="CareSynth Interaction", icon="COMMUNITY")


def _import(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    self.layout.operator("caresynth.import_stage", text="CareSynth Interaction or Room (stage.json)")


def _export(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    self.layout.operator("caresynth.export_motion", text="CareSynth Motion (.npz)")


_ENTRIES = (
    ("VIEW3D_MT_editor_menus", _main),
    ("VIEW3D_MT_add", _add),
    ("TOPBAR_MT_file_import", _import),
    ("TOPBAR_MT_file_export", _export),
)


def register() -> None:
    bpy.utils.register_class(CARESYNTH_MT_main)
    for name, draw in _ENTRIES:
        getattr(bpy.types, name).append(draw)


def unregister() -> None:
    for name, draw in reversed(_ENTRIES):
        getattr(bpy.types, name).remove(draw)
    bpy.utils.unregister_class(CARESYNTH_MT_main)
