"""From an edited scene back to ``interaction.npz``: the exact inverse of the import.

The scene is sampled at the motion's own times, with everything that moves bones (keys, constraints, parents). A moved
or turned armature is a rigid change of the world; SMPL's bodies only turn at joints, so that scale is refused and
stretched bones are reported.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from . import motion as files
from . import people, tags
from .errors import CareSynthError
from .motion import JOINTS, PARENTS, Motion
from .rotation import UPRIGHT, forward_kinematics, from_axis_angle, nearest, to_axis_angle

_SCALE = 1e-3  # more than this is a scaled body
_MOVED = 2e-3  # metres that a joint may be off its bone before the user is told
_REST = 1e-4  # metres
_UNKEYED = 1e-4  # of a bone's matrix


def export_motion(context: bpy.types.Context, stage: bpy.types.Object, path: Path) -> list[str]:
    """Write the motion as it stands in the scene.

    Args:
        stage: the empty of an import. path: of the file to write.

    Returns:
        sentences about what could not be kept.

    Raises:
        CareSynthError: a person is gone or scaled, or the imported file is gone or another one.
    """
    source = Path(str(stage[tags.FOLDER]), "interaction.npz")
    motion = files.load(source)
    if stage.get(tags.MOTION, "") not in ("", files.fingerprint(source)):
        raise CareSynthError(f"{source} is not what was imported, it was made anew: import it again")
    bodies = _found(context.scene, stage, "person", motion.people, "person")
    names = [str(item.get("id")) for item in motion.meta.get("props", [])]
    things = _found(context.scene, stage, "prop", len(names), "thing", must=False)
    rate, start = float(stage[tags.RATE]), float(stage[tags.START])
    if context.mode.startswith("EDIT"):
        raise CareSynthError("Leave Edit Mode first")
    before = _unsaved(bodies)
    worlds, bones = _sample(context, stage, bodies, things, start + motion.times * rate)
    warnings = _put_back(context, before)
    transl, poses = motion.arrays["transl"].copy(), motion.poses.astype(np.float32)
    for person, item in enumerate(bodies):
        _refuse_scale(worlds[item.name], item.name)
        if item.type == "ARMATURE":
            rest = _rest(item)
            turned, moved = _from_bones(item, rest, worlds[item.name], bones[item.name], warnings)
        else:
            turned, moved = _moved_with_world(item, worlds[item.name], motion, person)
        poses[person], transl[person] = turned, moved
    arrays = motion.arrays | {
        "transl": transl,
        "global_orient": np.ascontiguousarray(poses[:, :, 0]),
        "body_pose": np.ascontiguousarray(poses[:, :, 1:].reshape(motion.people, motion.frames, 69)),
    }
    arrays |= _props(things, worlds, motion)
    source_of = dict(motion.meta.get("source") or {}) | {"edited": f"Blender {bpy.app.version_string}"}
    meta = motion.meta | {"actions": [], "contacts": [], "source": source_of}
    files.save(path, replace(motion, arrays=arrays, meta=meta))
    fps = context.scene.render.fps / context.scene.render.fps_base
    if abs(fps - rate) > 1e-3:
        warnings.append(
            f"The scene's frame rate was {rate:g} at the import and is {fps:g} now: times are those of then"
        )
    return warnings


def _found(
    scene: bpy.types.Scene, stage: bpy.types.Object, kind: str, count: int, word: str, must: bool = True
) -> list[bpy.types.Object | None]:
    found: list[bpy.types.Object | None] = [None] * count
    for item in tags.members(scene, stage, kind):
        index = int(item.get(tags.INDEX, -1))
        if not 0 <= index < count:
            continue
        if found[index] is not None:
            raise CareSynthError(f"{found[index].name} and {item.name} are copies of one {word}: delete one of them")
        found[index] = item
    if must and None in found:
        raise CareSynthError(f"{word.capitalize()} {found.index(None) + 1} is no longer in the scene: import it again")
    return found


@contextmanager
def _light(context: bpy.types.Context, stage: bpy.types.Object, objects: list) -> Iterator[None]:
    """What is read is evaluated even if it is switched off or in a collection that is; skins need not be deformed.

    The frame, the switches and the collections are put back.
    """
    scene = context.scene
    hidden = [item for item in objects if item.hide_viewport]
    outside = [item for item in objects if item.name not in scene.collection.objects]
    frame, rest = scene.frame_current, scene.frame_subframe
    switches = [
        modifier for item in tags.members(scene, stage, "skin") for modifier in item.modifiers if modifier.show_viewport
    ]
    for modifier in switches:
        modifier.show_viewport = False
    for item in hidden:
        item.hide_viewport = False
    for item in outside:
        scene.collection.objects.link(item)
    try:
        yield
    finally:
        for item in outside:
            scene.collection.objects.unlink(item)
        for item in hidden:
            item.hide_viewport = True
        for modifier in switches:
            modifier.show_viewport = True
        scene.frame_set(frame, subframe=rest)


def _unsaved(bodies: list) -> list[tuple[bpy.types.Object, str, Matrix]]:
    """The bones' own poses as they stand, keyed or not."""
    armatures = [item for item in bodies if item is not None and item.type == "ARMATURE"]
    return [(item, bone.name, bone.matrix_basis.copy()) for item in armatures for bone in item.pose.bones]


def _put_back(context: bpy.types.Context, before: list[tuple[bpy.types.Object, str, Matrix]]) -> list[str]:
    """A pose without keys is lost when the frame changes: give it back to the user, and say that it did not count.

    Who is switched off stood as on the frame when that was done, and it says nothing of keys.
    """
    places = context.scene.collection.children_recursive
    off = {item for place in places if place.hide_viewport for item in place.all_objects}
    off |= {item for item, _, _ in before if item.hide_viewport or item.name not in context.view_layer.objects}
    lost: dict[str, list[str]] = {}
    for item, name, basis in before:
        bone = item.pose.bones[name]
        if np.abs(np.array(bone.matrix_basis) - np.array(basis)).max() > _UNKEYED:
            bone.matrix_basis = basis
            if item not in off:
                lost.setdefault(item.name, []).append(name)
    return [
        f"{name}: {', '.join(bones[:3])} {'was' if len(bones) == 1 else 'were'} posed without keys and did not count: "
        "insert keys (I) first"
        for name, bones in lost.items()
    ]


def _sample(
    context: bpy.types.Context, stage: bpy.types.Object, bodies: list, things: list, frames: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Poses of the objects in the stage's frame [T, 4, 4] and of the bones in their armature's [T, 24, 4, 4]."""
    objects = [item for item in (*bodies, *things) if item is not None]
    armatures = [item for item in bodies if item is not None and item.type == "ARMATURE"]
    for item in armatures:
        people.rest_frames(item)  # complete?
    worlds: dict[str, list] = {item.name: [] for item in objects}
    bones: dict[str, list] = {item.name: [] for item in armatures}
    with _light(context, stage, [stage, *objects]):
        for frame in frames.tolist():
            whole = int(np.floor(frame))
            context.scene.frame_set(whole, subframe=frame - whole)
            graph = context.evaluated_depsgraph_get()
            home = np.linalg.inv(np.array(stage.evaluated_get(graph).matrix_world))
            for item in objects:
                there = item.evaluated_get(graph)
                worlds[item.name].append(home @ np.array(there.matrix_world))
                if item.name in bones:
                    # copied at once: Blender's matrices are views of what the next frame changes
                    bones[item.name].append(np.array([there.pose.bones[name].matrix for name in JOINTS]))
    return {k: np.array(v) for k, v in worlds.items()}, {k: np.array(v) for k, v in bones.items()}


def _refuse_scale(worlds: np.ndarray, name: str) -> None:
    size = np.linalg.norm(worlds[:, :3, :3], axis=1)
    if np.abs(size - 1).max() > _SCALE or (np.linalg.det(worlds[:, :3, :3]) < 0).any():
        raise CareSynthError(f"{name} is scaled: set its scale (and that of what it hangs from) back to 1")


def _rest(item: bpy.types.Object) -> np.ndarray:
    rest = np.array(item[tags.REST], float).reshape(-1, 3)
    _, heads = people.rest_frames(item)
    if np.abs(rest - heads).max() > _REST:
        raise CareSynthError(f"{item.name}'s bones were moved in Edit Mode: pose them in Pose Mode instead")
    return rest


def _from_bones(
    item: bpy.types.Object, rest: np.ndarray, worlds: np.ndarray, bones: np.ndarray, warnings: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Axis-angle [T, 24, 3] and translation [T, 3]."""
    axes, _ = people.rest_frames(item)
    size = np.linalg.norm(bones[..., :3, :3], axis=-2)
    off = np.abs(size - 1).max((0, 2))
    if off.max() > _SCALE:
        raise CareSynthError(f"{item.name}'s bone {JOINTS[int(off.argmax())]} is scaled: set its scale back to 1")
    matrices = worlds[:, None] @ bones
    turns = nearest(matrices[..., :3, :3] @ np.swapaxes(axes, -1, -2))
    joints = matrices[..., :3, 3]
    local = np.empty_like(turns)
    local[:, 0] = turns[:, 0]
    for index, parent in enumerate(PARENTS[1:], 1):
        local[:, index] = np.swapaxes(turns[:, parent], -1, -2) @ turns[:, index]
    again, _ = forward_kinematics(local, rest, joints[:, 0], PARENTS)
    away = np.linalg.norm(again - joints, axis=-1).max(0)
    if away.max() > _MOVED:
        worst = int(away.argmax())
        warnings.append(
            f"{item.name}: {JOINTS[worst]} is up to {away[worst] * 100:.1f} cm off its place and was put back; bodies "
            "only turn at their joints"
        )
    local[:, 0] = local[:, 0] @ UPRIGHT
    local[:, 1:] = UPRIGHT.T @ local[:, 1:] @ UPRIGHT
    return to_axis_angle(local), joints[:, 0] - UPRIGHT.T @ rest[0]


def _moved_with_world(
    item: bpy.types.Object, worlds: np.ndarray, motion: Motion, person: int
) -> tuple[np.ndarray, np.ndarray]:
    """A mesh cache can only be moved as a whole: x' = R x + t."""
    pelvis = UPRIGHT.T @ np.array(item[tags.REST], float).reshape(-1, 3)[0]
    turn = nearest(worlds[:, :3, :3])
    poses = motion.poses[person].astype(float)
    poses[:, 0] = to_axis_angle(turn @ from_axis_angle(poses[:, 0]))
    at = pelvis + motion.arrays["transl"][person]
    return poses, np.einsum("tab,tb->ta", turn, at) + worlds[:, :3, 3] - pelvis


def _props(things: list, worlds: dict[str, np.ndarray], motion: Motion) -> dict[str, np.ndarray]:
    """The tracks of what moves, where it still is in the scene."""
    if not things:
        return {}
    transl, orient = motion.arrays["prop_transl"].copy(), motion.arrays["prop_orient"].copy()
    for index, item in enumerate(things):
        if item is None:
            continue
        _refuse_scale(worlds[item.name], item.name)
        pose = worlds[item.name] @ np.linalg.inv(np.array(item[tags.FRAME], float).reshape(4, 4))
        transl[index] = pose[:, :3, 3]
        orient[index] = to_axis_angle(nearest(pose[:, :3, :3]))
    return {"prop_transl": transl, "prop_orient": orient}
