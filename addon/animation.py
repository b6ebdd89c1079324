"""Curves filled at one go, in Blender's old actions (4.3) and its layered ones (4.4 and later)."""

from typing import Any

import bpy
import numpy as np

LINEAR, CONSTANT = 1, 0  # as the curves' "interpolation" numbers them


class Curves:
    """The animation of one object, made anew.

    Args:
        owner: the object. name: of its action.
    """

    def __init__(self, owner: bpy.types.Object, name: str) -> None:
        data = owner.animation_data_create()
        action = bpy.data.actions.new(name)
        data.action = action
        self.action = action
        if hasattr(action, "layers"):
            slot = action.slots.new(id_type="OBJECT", name=owner.name)
            strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
            data.action_slot = slot
            self._curves: Any = strip.channelbag(slot, ensure=True)
        else:
            self._curves = action
        known = _parameters(self._curves.fcurves)
        self._grouped = next((name for name in ("group_name", "action_group") if name in known), "")

    def add(
        self, path: str, index: int, frames: np.ndarray, values: np.ndarray, group: str, interpolation: int = LINEAR
    ) -> None:
        """One curve. ``path``, ``index``: of the property; ``frames``, ``values`` [T]."""
        named = {self._grouped: group} if group and self._grouped else {}
        curve = self._curves.fcurves.new(path, index=index, **named)
        if group and not named:  # Blender 4.4 and 4.5
            curve.group = self._curves.groups.get(group) or self._curves.groups.new(group)
        points = curve.keyframe_points
        points.add(len(frames))
        points.foreach_set("co", np.stack([frames, values], -1).astype(np.float32).ravel())
        points.foreach_set("interpolation", np.full(len(frames), interpolation, np.int32))
        curve.update()

    def vector(self, path: str, frames: np.ndarray, values: np.ndarray, group: str) -> None:
        """Curves of a vector property: ``values`` [T, n]."""
        for index in range(values.shape[1]):
            self.add(path, index, frames, values[:, index], group)


def _parameters(collection: Any) -> set[str]:
    return {item.identifier for item in collection.bl_rna.functions["new"].parameters}


def visibility(owner: bpy.types.Object, frames: np.ndarray, seen: np.ndarray) -> None:
    """Hide an object at the frames at which it is not ``seen`` [T]."""
    if seen.all():
        return
    change = np.concatenate([[True], seen[1:] != seen[:-1]])
    curves = Curves(owner, f"{owner.name} presence")
    for path in ("hide_viewport", "hide_render"):
        curves.add(path, 0, frames[change], (~seen[change]).astype(float), "", CONSTANT)
