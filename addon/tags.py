"""How what was imported is found again, whatever the user renames: custom properties on the objects."""

from collections.abc import Iterator

import bpy

STAGE = "caresynth_stage"  # on everything: the id of the import it came with
ROLE = (
    "caresynth_kind"  # "stage" (the empty everything hangs from), "person", "skin", "prop", "room", "camera", "light"
)
INDEX = "caresynth_index"  # of a person or a prop in the motion's file
FOLDER = "caresynth_folder"  # on the stage's empty: the folder it was read from
MOTION = "caresynth_motion"  # on the stage's empty: fingerprint of the interaction.npz that was imported
RATE = "caresynth_rate"  # frames a second of the scene when it came
START = "caresynth_start"  # Blender's frame of the motion's first pose
REST = "caresynth_rest"  # on a person: rest joints, 72 numbers, metres, z up
MARKERS = "caresynth_markers"  # names of its timeline markers
FRAME = "caresynth_frame"  # on a prop: from the prop's own frame to the object's, 16 numbers, rows


def tag(item: bpy.types.ID, stage: str, kind: str, index: int | None = None) -> None:
    """Mark an object."""
    item[STAGE], item[ROLE] = stage, kind
    if index is not None:
        item[INDEX] = index


def stages(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The empties of the imports in a scene, the latest last."""
    found = [item for item in scene.objects if item.get(ROLE) == "stage"]
    return sorted(found, key=lambda item: str(item.get(STAGE)))


def members(scene: bpy.types.Scene, stage: bpy.types.Object, kind: str) -> Iterator[bpy.types.Object]:
    """Objects of one import."""
    for item in scene.objects:
        if item.get(STAGE) == stage[STAGE] and item.get(ROLE) == kind:
            yield item


def active_stage(context: bpy.types.Context) -> bpy.types.Object | None:
    """The import that the active object belongs to, else the latest one."""
    found = stages(context.scene)
    active = context.active_object
    if active is not None and STAGE in active:
        for stage in found:
            if stage[STAGE] == active[STAGE]:
                return stage
    return found[-1] if found else None


def new_id(scene: bpy.types.Scene) -> str:
    """An id that no import in this file has."""
    used = {str(item.get(STAGE)) for item in bpy.data.objects if STAGE in item}
    number = len(used) + 1
    while f"{number:04d}" in used:
        number += 1
    return f"{number:04d}"
