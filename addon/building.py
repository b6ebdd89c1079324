"""What was read from a stage folder comes into the scene: collections, objects, keys, markers, settings."""

import json
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import bpy
import numpy as np

from . import nodes, people, room, tags
from .animation import Curves
from .cameras import add_camera
from .errors import DAMAGE, CareSynthError, damaged
from .motion import FILE, Motion, fingerprint
from .rotation import continuous, from_axis_angle, to_quaternion
from .stage import Stage

FIRST_FRAME = 1
GAP = 1.0  # metres between imports that stand side by side
_KINDS = (
    "collections", "objects", "meshes", "armatures", "materials", "cameras", "lights", "worlds", "actions",
)  # fmt: skip
_KNOWN = 3  # warnings of one kind that are said one by one


@dataclass(frozen=True)
class Options:
    """What comes in, and how.

    Attributes:
        body_mode: "ARMATURE" or "CACHE". adopt_rate: the scene takes over the motion's frames a second.
        beside: stands next to what is there, to be compared.
    """

    body_mode: str = "ARMATURE"
    room: bool = True
    lights: bool = True
    cameras: bool = True
    markers: bool = True
    settings: bool = True
    adopt_rate: bool = False
    beside: bool = False


@contextmanager
def nothing_left(context: bpy.types.Context) -> Iterator[None]:
    """Take away whatever was made if the block does not end well."""
    before = {name: {item.as_pointer() for item in getattr(bpy.data, name)} for name in _KINDS}
    scene = context.scene
    markers = {item.as_pointer() for item in scene.timeline_markers}
    kept = {name: getattr(scene, name) for name in ("world", "camera", "frame_start", "frame_end")}
    rate, frame = (scene.render.fps, scene.render.fps_base), (scene.frame_current, scene.frame_subframe)
    try:
        yield
    except BaseException:
        for name, value in kept.items():
            setattr(scene, name, value)
        scene.render.fps, scene.render.fps_base = rate
        for marker in [item for item in scene.timeline_markers if item.as_pointer() not in markers]:
            scene.timeline_markers.remove(marker)
        new = [item for name in _KINDS for item in getattr(bpy.data, name) if item.as_pointer() not in before[name]]
        bpy.data.batch_remove(new)
        scene.frame_set(frame[0], subframe=frame[1])
        raise


def bring(context: bpy.types.Context, stage: Stage, options: Options) -> tuple[bpy.types.Object, list[str]]:
    """Make everything in the scene.

    Returns:
        the empty that the import hangs from, and sentences about what could not be kept.

    Raises:
        CareSynthError: something in the folder does not fit; the scene is as it was.
    """
    if context.mode != "OBJECT":
        raise CareSynthError("Leave Edit or Pose Mode first")
    builder = _Builder(context, stage, options)
    with nothing_left(context):
        try:
            builder.build()
        except DAMAGE as error:
            traceback.print_exc()  # in the console, should it be a fault of ours
            raise damaged(stage.folder / "stage.json", error) from error
    return builder.root, _short(builder.warnings)


class _Builder:
    def __init__(self, context: bpy.types.Context, stage: Stage, options: Options) -> None:
        self.context, self.stage, self.options = context, stage, options
        self.scene = context.scene
        self.warnings: list[str] = []
        self.id = tags.new_id(self.scene)
        self.objects: list[bpy.types.Object] = []
        self.materials: dict[str, bpy.types.Material] = {}

    def build(self) -> None:
        offset = self._offset()
        self.top = self._collection(self.stage.title[:56], self.scene.collection)
        self.root = bpy.data.objects.new(self.stage.title[:56], None)
        self.root.empty_display_size = 0.3
        self.top.objects.link(self.root)
        tags.tag(self.root, self.id, "stage")
        self.root[tags.FOLDER] = str(self.stage.folder)
        if self.stage.motion is not None:
            self.root[tags.MOTION] = fingerprint(self.stage.folder / FILE)
        self._rate()
        pieces = self._room() if self.options.room else []
        if self.stage.motion is not None:
            self._people(self.stage.motion)
            self._props(self.stage.motion, pieces)
            self._span(self.stage.motion)
        if self.options.lights:
            self._lights()
        if self.options.cameras:
            self._cameras()
        for item in self.objects:
            if item.parent is None:
                item.parent = self.root
        self.root.location = offset
        if self.options.markers and self.stage.motion is not None:
            self._markers()
        if self.options.settings and "render" in self.stage.info:  # last: nothing can fail after it
            room.set_render(self.scene, self.stage.info["render"], self.warn)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def _offset(self) -> tuple[float, float, float]:
        """Beside the imports that are there: past the last one's room along x."""
        others = tags.stages(self.scene) if self.options.beside else []
        if not others:
            return (0.0, 0.0, 0.0)
        ends = [item.location.x + float(item.get("caresynth_wide", 5.0)) for item in others]
        low, _ = self._extent()
        return (max(ends) + GAP - low, 0.0, 0.0)

    def _extent(self) -> tuple[float, float]:
        """The room's ends along x, metres."""
        floor = self.stage.info.get("room", {}).get("floor")
        xs = [float(corner[0]) for corner in floor or []]
        if not xs:
            xs = [float(v) for mesh in self.stage.room.meshes for v in mesh.attributes["POSITION"][:, 0]]
        return (min(xs), max(xs)) if xs else (0.0, 0.0)

    def _collection(self, name: str, above: bpy.types.Collection | None = None) -> bpy.types.Collection:
        made = bpy.data.collections.new(name)
        tags.tag(made, self.id, "collection")
        (above or self.top).children.link(made)
        return made

    def _keep(self, item: bpy.types.Object, kind: str, index: int | None = None) -> bpy.types.Object:
        tags.tag(item, self.id, kind, index)
        self.objects.append(item)
        return item

    # ------------------------------------------------------------------------------------------------------- time

    def _rate(self) -> None:
        render = self.scene.render
        if self.options.adopt_rate and self.stage.motion is not None:
            set_rate(self.scene, self.stage.motion.fps)
        self.rate = render.fps / render.fps_base
        self.root[tags.RATE], self.root[tags.START] = self.rate, float(FIRST_FRAME)
        self.root["caresynth_wide"] = self._extent()[1]

    def _frames(self, moves: Motion) -> np.ndarray:
        return FIRST_FRAME + moves.times * self.rate

    def _span(self, moves: Motion) -> None:
        last = float(self._frames(moves)[-1])
        alone = len(tags.stages(self.scene)) == 1
        self.scene.frame_start = FIRST_FRAME if alone else min(self.scene.frame_start, FIRST_FRAME)
        end = max(int(np.floor(last + 1e-3)), FIRST_FRAME)
        self.scene.frame_end = end if alone else max(self.scene.frame_end, end)
        self.scene.frame_set(FIRST_FRAME)

    def _markers(self) -> None:
        names = []
        roles = [str(item.get("role") or "person") for item in self.stage.info.get("people") or []]
        for entry in self.stage.info.get("segments") or []:
            person = int(entry["person"])
            who = roles[person] if roles.count(roles[person]) == 1 else f"{roles[person]} {person + 1}"
            name = f"{who}: {str(entry['action']).replace('_', ' ')}"
            frame = round(FIRST_FRAME + float(entry["start_s"]) * self.rate)
            names.append(self.scene.timeline_markers.new(name, frame=frame).name)
        self.root[tags.MARKERS] = json.dumps(names)

    # ------------------------------------------------------------------------------------------------------- things

    def material(self, name: str) -> bpy.types.Material:
        if name not in self.materials:
            described = self.stage.info.get("materials") or {}
            plain = self.stage.room.materials.get(name)
            if name in described:
                self.materials[name] = nodes.make_material(name, described[name], self.warn)
            else:
                self.materials[name] = nodes.make_plain(name or "plain", plain or {})
        return self.materials[name]

    def _room(self) -> list[bpy.types.Object]:
        above = self._collection("Room")
        places = {kind: self._collection(kind, above) for kind in ("Shell", "Furniture", "Decoration")}
        described = {str(item["mesh"]): item for item in self.stage.info.get("objects") or []}
        made = []
        for mesh in self.stage.room.meshes:
            entry = described.get(mesh.name)
            owned = bool(entry and entry.get("furniture"))
            kind = "Furniture" if owned else "Shell" if mesh.name.split("/")[0] == "room" else "Decoration"
            made.append(self._keep(room.add_mesh(mesh, entry, self.material, places[kind]), "room"))
        return made

    def _people(self, moves: Motion) -> None:
        where = self._collection("People")
        frames, poses = self._frames(moves), moves.poses
        described = self.stage.info.get("people") or [{}] * len(self.stage.bodies)
        for index, (body, entry) in enumerate(zip(self.stage.bodies, described, strict=True)):
            track = people.Track(
                frames, poses[index], moves.arrays["transl"][index].astype(float), moves.arrays["present"][index]
            )
            parts = [str(part["material"]) for part in entry.get("parts") or []]
            materials = [
                self.material(name) for name in (parts if len(parts) >= len(body.materials) else body.materials)
            ]
            for material, part in zip(materials, entry.get("parts") or [], strict=False):
                if part.get("colour"):
                    material.diffuse_color = (*part["colour"], 1.0)  # of the solid view
            if self.options.body_mode == "CACHE":
                path = self.stage.folder / f"person{index + 1}.pc2"  # not the node's name: the file may be anybody's
                skin = people.add_cached(body, track, materials, where, path, self.rate / moves.fps)
                owner = self._keep(skin, "person", index)
            else:
                owner, skin = people.add_skinned(body, track, materials, where)
                self._keep(owner, "person", index)
                self._keep(skin, "skin", index)
            owner[tags.REST] = [float(v) for v in body.rest.ravel()]
            owner["role"] = str(entry.get("role") or "person")
            skin.pass_index = index + 1
            room.hide_from(skin, entry.get("hidden_from") or ())

    def _props(self, moves: Motion, pieces: list[bpy.types.Object]) -> None:
        listed = self.stage.info.get("props") or []
        if not listed:
            return
        where = self._collection("Things that move")
        furniture = {str(item["id"]): item for item in self.stage.info.get("room", {}).get("furniture") or []}
        for index, entry in enumerate(listed):
            frame = np.eye(4)
            if entry.get("furniture"):
                frame[2, 3] = float(furniture[str(entry["furniture"])]["center"][2])
                parts = [item for item in pieces if item["furniture"] == entry["furniture"]]
            else:
                parts = [
                    self._keep(room.add_mesh(self.stage.things[str(item["mesh"])], item, self.material, where), "room")
                    for item in entry.get("objects") or []
                ]
            handle = bpy.data.objects.new(str(entry["id"]), None)
            handle.empty_display_type, handle.empty_display_size = "CIRCLE", 0.4
            where.objects.link(handle)
            self._keep(handle, "prop", index)
            handle[tags.FRAME] = [float(v) for v in frame.ravel()]
            for part in parts:
                part.parent = handle
                part.matrix_basis.identity()
            turns = from_axis_angle(moves.arrays["prop_orient"][index])
            places = moves.arrays["prop_transl"][index] + turns @ frame[:3, 3]
            handle.rotation_mode = "QUATERNION"
            curves = Curves(handle, f"{entry['id']} motion")
            curves.vector("location", self._frames(moves), places, "Location")
            curves.vector("rotation_quaternion", self._frames(moves), continuous(to_quaternion(turns)), "Rotation")

    def _lights(self) -> None:
        listed = self.stage.info.get("lights") or []
        if listed:
            where = self._collection("Lights")
            for entry in listed:
                self._keep(room.add_light(entry, where, self.warn), "light")
        if self.stage.info.get("world"):
            self.scene.world = nodes.make_world(self.stage.info["world"], "CareSynth sky", self.warn)
            tags.tag(self.scene.world, self.id, "world")

    def _cameras(self) -> None:
        listed = self.stage.info.get("cameras") or []
        if not listed:
            self.warn("This room has no cameras: add your own to see and film it")
            return
        where = self._collection("Cameras")
        best = self.stage.info.get("view")
        for entry in listed:
            made = self._keep(add_camera(entry, where, self.warn), "camera")
            if self.scene.camera is None or entry["name"] == best:
                self.scene.camera = made


def set_rate(scene: bpy.types.Scene, fps: float) -> None:
    """Frames a second, also ones that are no whole number."""
    whole = max(1, round(fps))
    scene.render.fps, scene.render.fps_base = whole, whole / fps


def remove(context: bpy.types.Context, root: bpy.types.Object) -> None:
    """Take an import out of the scene, with all that came with it."""
    scene, stage = context.scene, root[tags.STAGE]
    for name in json.loads(str(root.get(tags.MARKERS) or "[]")):
        marker = scene.timeline_markers.get(name)
        if marker is not None:
            scene.timeline_markers.remove(marker)
    _unshare(scene, stage)
    mine = [item for item in scene.objects if item.get(tags.STAGE) == stage and len(item.users_scene) == 1]
    data = {item.data for item in mine if item.data is not None}
    materials = {slot.material for item in mine for slot in item.material_slots if slot.material}
    actions = {item.animation_data.action for item in mine if item.animation_data and item.animation_data.action}
    bpy.data.batch_remove(mine)
    _drop_unused(data)
    _drop_unused({*materials, *actions, *(item for item in bpy.data.worlds if item.get(tags.STAGE) == stage)})
    _drop_empty(scene.collection, stage)


def _unshare(scene: bpy.types.Scene, stage: str) -> None:
    """What another scene shows too (Scene > Linked Copy) only goes out of this one."""
    others = [item.collection for item in bpy.data.scenes if item != scene]
    shared = {place for other in others for place in (other, *other.children_recursive)}
    for above in (scene.collection, *scene.collection.children_recursive):
        if above in shared:
            continue
        for child in [item for item in above.children if item in shared and item.get(tags.STAGE) == stage]:
            above.children.unlink(child)
        for item in [item for item in above.objects if item.get(tags.STAGE) == stage and len(item.users_scene) > 1]:
            above.objects.unlink(item)


def _drop_unused(items: Iterable[bpy.types.ID]) -> None:
    bpy.data.batch_remove([item for item in items if item.users == 0])


def _drop_empty(above: bpy.types.Collection, stage: str) -> None:
    """The import's own collections, unless the user put something into them."""
    for child in list(above.children):
        _drop_empty(child, stage)
        if child.get(tags.STAGE) == stage and not child.objects and not child.children:
            bpy.data.collections.remove(child)


def choose_camera(scene: bpy.types.Scene, root: bpy.types.Object) -> None:
    """The import's first camera becomes the scene's where there is none any more."""
    if scene.camera is None:
        scene.camera = next(tags.members(scene, root, "camera"), None)


def _short(warnings: list[str]) -> list[str]:
    """Not the same thing forty times."""
    found = list(dict.fromkeys(warnings))
    return found if len(found) <= _KNOWN else [*found[:_KNOWN], f"... and {len(found) - _KNOWN} more of the kind"]
