"""Where the back end and the results are."""

from pathlib import Path

import bpy
from bpy.props import StringProperty

from . import check, jobs


def _forget(_self: object, _context: bpy.types.Context) -> None:
    check.forget()


class CareSynthPreferences(bpy.types.AddonPreferences):
    """Shown under Preferences > Add-ons > CareSynth."""

    bl_idname = __package__

    python: StringProperty(
        name="Python of CareSynth",
        description="The Python (or the virtual environment's folder) in which CareSynth is installed. "
        "Empty: found by its commands on PATH",
        subtype="FILE_PATH",
        update=_forget,
    )
    output: StringProperty(
        name="Results", description="The folder for what is made. Empty: the extension's own folder",
        subtype="DIR_PATH",
    )  # fmt: skip

    def draw(self, _context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "python", placeholder="Found on PATH")
        layout.prop(self, "output", placeholder="The extension's own folder")
        row = layout.row()
        row.operator("caresynth.check", icon="CHECKMARK")
        draw_check(layout)


def draw_check(layout: bpy.types.UILayout) -> None:
    """What the last check found."""
    found, job = check.found(), jobs.current()
    if jobs.busy() and job is not None and job.kind == "check":
        layout.label(text="Asking CareSynth...", icon="SORTTIME")
    elif found is not None:
        column = layout.column(align=True)
        for text, icon in found.lines():
            column.label(text=text, icon=icon, translate=False)
    elif job is not None and job.kind == "check" and job.error:
        for line in wrapped(job.error):
            layout.label(text=line, icon="ERROR", translate=False)


def wrapped(text: str, width: int = 60) -> list[str]:
    """A long sentence as lines."""
    import textwrap

    return textwrap.wrap(text, width) or [""]


def preferences(context: bpy.types.Context) -> CareSynthPreferences:
    """The user's settings of this extension."""
    return context.preferences.addons[__package__].preferences


def output_folder(context: bpy.types.Context) -> Path:
    """The folder for results; made when something is written into it."""
    chosen = preferences(context).output.strip()
    if chosen:
        return Path(bpy.path.abspath(chosen)).expanduser()
    return Path(bpy.utils.extension_path_user(__package__, path="results", create=False))


CLASSES = (CareSynthPreferences,)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
