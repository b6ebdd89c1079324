"""Props as Blender objects: the room's own piece, or one brought in, moved from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from render.blender.room import add_meshes
from synth.interaction import Prop
from synth.room import Room
from synth.rooms.props import prop_meshes
from synth.rotation import Array


@dataclass(frozen=True)
class PropHandle:
    """A prop on the stage: its objects and, for each frame, their pose in the world [T, 4, 4]."""

    objects: tuple[Any, ...]
    poses: Array


def add_prop(scene: Any, room: Room, objects: Sequence[Any], prop: Prop) -> PropHandle:
    """Take the room's own piece, if the prop is one, from the room's ``objects``; else bring a new one in."""
    own = next((item for item in room.furniture if item.id == prop.id), None)
    if own is None:
        return PropHandle(tuple(add_meshes(scene, prop_meshes(prop.id, prop.cls))), prop.poses())
    middle = np.eye(4)  # a room's objects stand in the frame of their box, whose origin is its middle
    middle[2, 3] = own.box.center[2]
    return PropHandle(tuple(item for item in objects if item["furniture"] == own.id), prop.poses() @ middle)


def move_prop(handle: PropHandle, frame: int) -> None:
    """Put a prop where it is at a frame."""
    pose = handle.poses[frame].T.tolist()
    for item in handle.objects:
        item.matrix_world = pose
