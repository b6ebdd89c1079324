"""People: an armature of 24 SMPL bones with keys at the motion's own times, and a skinned mesh; or a mesh cache.

The armature stands upright in its rest pose (SMPL's y up turned to z up), so that bones are easy to work with; the
inverse of what is set here is in `export`.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import bmesh
import bpy
import numpy as np

from .animation import Curves, visibility
from .errors import CareSynthError
from .glb import Mesh, Skin, upright
from .meshes import add_faces, add_points, set_attribute
from .motion import JOINTS, PARENTS
from .rotation import UPRIGHT, continuous, forward_kinematics, from_axis_angle, to_quaternion

# The child that a bone's tail points at, and the end points of bones without children (from the joint, in bone lengths)
_TOWARDS = {0: 3, 1: 4, 2: 5, 3: 6, 4: 7, 5: 8, 6: 9, 7: 10, 8: 11, 9: 12, 12: 15, 13: 16, 14: 17, 16: 18, 17: 19,
            18: 20, 19: 21, 20: 22, 21: 23}  # fmt: skip
_HEAD, _TOES, _FINGERS = 0.20, 0.08, 0.09  # metres
_SHORTEST = 0.01  # Blender drops bones of no length


@dataclass(frozen=True)
class Body:
    """A person as read from a stage folder; everything z up.

    Attributes:
        name: "person1". points: rest vertices [V, 3]. faces [F, 3]; slots [F]; materials: names.
        rest: rest joints [24, 3]. joints, weights: [V, K] bones of each vertex and their shares.
        paint: attributes for the materials by name.
    """

    name: str
    points: np.ndarray
    faces: np.ndarray
    slots: np.ndarray
    materials: tuple[str, ...]
    rest: np.ndarray
    joints: np.ndarray
    weights: np.ndarray
    paint: dict[str, np.ndarray]


@dataclass(frozen=True)
class Track:
    """One person's motion.

    Attributes:
        frames: Blender's frames of the keys [T]. poses: axis-angle [T, 24, 3]. transl: [T, 3]. present: [T].
    """

    frames: np.ndarray
    poses: np.ndarray
    transl: np.ndarray
    present: np.ndarray


def body_of(mesh: Mesh, skin: Skin) -> Body:
    """A person from what `glb` read.

    Raises:
        CareSynthError: its skeleton is not SMPL's.
    """
    if sorted(skin.joints) != sorted(JOINTS):
        raise CareSynthError(f"{mesh.name} has the bones {', '.join(skin.joints[:4])}..., not the 24 of SMPL")
    names = mesh.attributes
    sets = [k for k in range(4) if f"JOINTS_{k}" in names and f"WEIGHTS_{k}" in names]
    if not sets:
        raise CareSynthError(f"{mesh.name} has no skinning weights")
    smpl = np.array([JOINTS.index(name) for name in skin.joints])
    joints = smpl[np.concatenate([names[f"JOINTS_{k}"] for k in sets], 1).astype(int)]
    weights = np.concatenate([names[f"WEIGHTS_{k}"] for k in sets], 1).astype(np.float64)
    rest = np.empty((len(JOINTS), 3))
    rest[smpl] = skin.rest
    paint = {name[1:].lower(): values for name, values in names.items() if name.startswith("_")}
    return Body(
        mesh.name, upright(names["POSITION"]), mesh.faces, mesh.slots, mesh.materials, upright(rest), joints, weights,
        paint,
    )  # fmt: skip


def local_turns(poses: np.ndarray) -> np.ndarray:
    """Turns of the joints against their parents, in the upright rest's axes: [T, 24, 3] -> [T, 24, 3, 3]."""
    turns = from_axis_angle(poses)
    turns[..., 1:, :, :] = UPRIGHT @ turns[..., 1:, :, :] @ UPRIGHT.T
    turns[..., 0, :, :] = turns[..., 0, :, :] @ UPRIGHT.T
    return turns


def pelvis_track(body_rest: np.ndarray, transl: np.ndarray) -> np.ndarray:
    """Where the pelvis is in the world [T, 3]: SMPL adds ``transl`` to the rest pelvis of ITS frame, y up."""
    return UPRIGHT.T @ body_rest[0] + transl


def add_skinned(
    body: Body, track: Track, materials: list[bpy.types.Material], collection: bpy.types.Collection
) -> tuple[bpy.types.Object, bpy.types.Object]:
    """The armature and its mesh, animated."""
    armature = _armature(body, collection)
    _animate(armature, body, track)
    skin = _mesh_object(body, materials, collection, skinned=True)
    skin.parent = armature
    modifier = skin.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature
    visibility(skin, track.frames, track.present)
    return armature, skin


def add_cached(
    body: Body, track: Track, materials: list[bpy.types.Material], collection: bpy.types.Collection, path: Path,
    step: float,
) -> bpy.types.Object:  # fmt: skip
    """The mesh alone, its vertices at every frame in a PC2 file.

    Args:
        path: of the file to write. step: Blender's frames from one key to the next.
    """
    write_cache(path, body, track)
    skin = _mesh_object(body, materials, collection, skinned=False)
    modifier = skin.modifiers.new("Mesh Cache", "MESH_CACHE")
    modifier.cache_format = "PC2"
    modifier.filepath = str(path)
    modifier.frame_scale = 1.0 / step  # sample = frame * scale - start
    modifier.frame_start = float(track.frames[0]) / step
    visibility(skin, track.frames, track.present)
    return skin


def posed(body: Body, track: Track) -> np.ndarray:
    """Vertices by linear blend skinning, world metres; yields frame after frame [V, 3]."""
    joints, turns = forward_kinematics(
        local_turns(track.poses), body.rest, pelvis_track(body.rest, track.transl), PARENTS
    )
    shift = joints - np.einsum("tjab,jb->tja", turns, body.rest)
    full = np.zeros((len(body.points), len(JOINTS)), np.float32)
    np.add.at(full, (np.arange(len(full))[:, None], body.joints), body.weights.astype(np.float32))
    full /= full.sum(1, keepdims=True)
    maps = np.concatenate([turns, shift[..., None]], -1).astype(np.float32).reshape(len(turns), len(JOINTS), 12)
    homogeneous = np.concatenate([body.points, np.ones((len(body.points), 1))], 1).astype(np.float32)
    for frame in maps:
        yield np.einsum("vab,vb->va", (full @ frame).reshape(-1, 3, 4), homogeneous)


def write_cache(path: Path, body: Body, track: Track) -> None:
    """A PC2 file: a sample for each key of the track.

    Raises:
        CareSynthError: it cannot be written.
    """
    temporary = path.with_suffix(".tmp")
    try:
        with open(temporary, "wb") as out:
            out.write(struct.pack("<12siiffi", b"POINTCACHE2\0", 1, len(body.points), 0.0, 1.0, len(track.frames)))
            for points in posed(body, track):
                out.write(np.ascontiguousarray(points, "<f4").tobytes())
        temporary.replace(path)
    except OSError as error:
        raise CareSynthError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _mesh_object(
    body: Body, materials: list[bpy.types.Material], collection: bpy.types.Collection, skinned: bool
) -> bpy.types.Object:
    data = bpy.data.meshes.new(body.name)
    item = bpy.data.objects.new(f"{body.name} body", data)
    add_points(data, body.points)
    if skinned:
        _bind(item, body)
    add_faces(data, body.faces, body.slots)
    for material in materials:
        data.materials.append(material)
    for name, values in body.paint.items():
        set_attribute(data, name, values)
    collection.objects.link(item)
    return item


def _bind(skin: bpy.types.Object, body: Body) -> None:
    """Vertex groups of a mesh without faces yet, through a bmesh: a tenth of the time of a call for each weight."""
    for name in JOINTS:
        skin.vertex_groups.new(name=name)
    mesh = bmesh.new()
    try:
        mesh.from_mesh(skin.data)
        layer = mesh.verts.layers.deform.verify()
        rows, places = np.nonzero(body.weights > 0)
        bones, shares = body.joints[rows, places].tolist(), body.weights[rows, places].tolist()
        groups = [vertex[layer] for vertex in mesh.verts]
        for row, bone, share in zip(rows.tolist(), bones, shares, strict=True):
            groups[row][bone] = share
        mesh.to_mesh(skin.data)
    finally:
        mesh.free()


def _armature(body: Body, collection: bpy.types.Collection) -> bpy.types.Object:
    data = bpy.data.armatures.new(body.name)
    data.display_type = "WIRE"  # thin: people are to be seen behind their bones
    armature = bpy.data.objects.new(body.name, data)
    armature.show_in_front = True
    collection.objects.link(armature)
    layer = bpy.context.view_layer
    before = layer.objects.active
    layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        _bones(data, body.rest)
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
        layer.objects.active = before
    for bone in data.bones:
        bone.use_inherit_rotation = True
    for bone in armature.pose.bones:
        bone.rotation_mode = "QUATERNION"
        if bone.parent is not None:
            bone.lock_location = (True, True, True)
        bone.lock_scale = (True, True, True)
    return armature


def _bones(data: bpy.types.Armature, rest: np.ndarray) -> None:
    tails = _tails(rest)
    made = []
    for index, name in enumerate(JOINTS):
        bone = data.edit_bones.new(name)
        bone.head, bone.tail = rest[index], tails[index]
        # elbows and knees then bend about the bone's x axis
        bone.align_roll((0.0, 0.0, 1.0) if index in (13, 14, 16, 17, 18, 19, 20, 21, 22, 23) else (0.0, -1.0, 0.0))
        parent = PARENTS[index]
        if parent >= 0:
            bone.parent = made[parent]
            alone = PARENTS.count(parent) == 1
            bone.use_connect = alone and bool(np.allclose(tails[parent], rest[index], atol=1e-6))
        made.append(bone)


def _tails(rest: np.ndarray) -> np.ndarray:
    tails = np.empty_like(rest)
    for index in range(len(JOINTS)):
        child = _TOWARDS.get(index)
        if child is not None:
            tails[index] = rest[child]
        elif JOINTS[index] == "head":
            tails[index] = rest[index] + [0, 0, _HEAD]
        elif JOINTS[index].endswith("foot"):
            tails[index] = rest[index] + [0, -_TOES, 0]
        else:
            way = rest[index] - rest[PARENTS[index]]
            tails[index] = rest[index] + way / max(np.linalg.norm(way), 1e-9) * _FINGERS
        if np.linalg.norm(tails[index] - rest[index]) < _SHORTEST:
            tails[index] = rest[index] + [0, 0, _SHORTEST]
    return tails


def rest_frames(armature: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
    """Axes [24, 3, 3] and heads [24, 3] of the bones at rest, in the armature's frame.

    Raises:
        CareSynthError: a bone was taken away or renamed.
    """
    bones = armature.data.bones
    missing = [name for name in JOINTS if name not in bones]
    if missing:
        raise CareSynthError(f"{armature.name} has lost its bone {missing[0]}: import the person again")
    matrices = np.array([bones[name].matrix_local for name in JOINTS])
    return matrices[:, :3, :3], matrices[:, :3, 3]


def _animate(armature: bpy.types.Object, body: Body, track: Track) -> None:
    axes, heads = rest_frames(armature)
    basis = np.swapaxes(axes, -1, -2) @ local_turns(track.poses) @ axes
    quaternions = continuous(to_quaternion(basis))
    shift = (pelvis_track(body.rest, track.transl) - heads[0]) @ axes[0]
    curves = Curves(armature, f"{body.name} motion")
    curves.vector('pose.bones["pelvis"].location', track.frames, shift, "pelvis")
    for index, name in enumerate(JOINTS):
        curves.vector(f'pose.bones["{name}"].rotation_quaternion', track.frames, quaternions[:, index], name)
