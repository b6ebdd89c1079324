"""What ``test_addon.py`` checks inside Blender: functions that ``addon_runner.py`` runs, each in its own process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
from addon_runner import PACKAGE, disable, enable, part


def settings():
    return bpy.context.scene.caresynth


def bring(folder, **options):
    building = part("building")
    return building.bring(bpy.context, part("stage").read(Path(folder)), building.Options(**options))


def one(kind, index=0, root=None):
    """The object of a kind of the latest import."""
    tags = part("tags")
    root = root or tags.stages(bpy.context.scene)[-1]
    return next(o for o in tags.members(bpy.context.scene, root, kind) if o.get(tags.INDEX, 0) == index)


def at_time(seconds):
    """Go to a moment of the motion, in seconds."""
    scene = bpy.context.scene
    frame = 1 + seconds * scene.render.fps / scene.render.fps_base
    scene.frame_set(int(np.floor(frame)), subframe=frame - np.floor(frame))


def world_vertices(item):
    """Vertices of an object as Blender evaluates them, in the world [V, 3]."""
    there = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = there.to_mesh()
    points = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", points)
    matrix = np.array(there.matrix_world)
    there.to_mesh_clear()
    return points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def state():
    """What an import changes in the scene itself."""
    scene = bpy.context.scene
    render = scene.render
    return (
        scene.world, scene.camera, scene.frame_start, scene.frame_end, scene.frame_current, render.fps, render.fps_base,
        render.engine, render.resolution_x, scene.view_settings.exposure, [m.name for m in scene.timeline_markers],
    )  # fmt: skip


def census():
    """How much of everything there is in the file."""
    names = ("objects", "meshes", "armatures", "actions", "materials", "cameras", "lights", "collections", "worlds")
    return {name: len(getattr(bpy.data, name)) for name in names}


def footprint():
    """What an extension may leave behind in Blender."""
    found = {name for name in dir(bpy.types) if "caresynth" in name.lower()}
    found |= {
        f"{owner}.caresynth" for owner in ("Scene", "WindowManager") if hasattr(getattr(bpy.types, owner), "caresynth")
    }
    found |= {f"ops.{name}" for name in dir(bpy.ops.caresynth)}
    for name in dir(bpy.app.handlers):
        handlers = getattr(bpy.app.handlers, name)
        if isinstance(handlers, list):
            found |= {f"{name}: {h}" for h in handlers if "caresynth" in getattr(h, "__module__", "")}
    for name in ("VIEW3D_MT_editor_menus", "VIEW3D_MT_add", "TOPBAR_MT_file_import", "TOPBAR_MT_file_export"):
        found |= {
            f"{name}: {f.__name__}"
            for f in getattr(bpy.types, name)._dyn_ui_initialize()
            if "caresynth" in f.__module__
        }
    return found


# ------------------------------------------------------------------------------------------------------- the extension


def registers_twice(folder):
    for _ in range(2):
        assert {"Scene.caresynth", "WindowManager.caresynth"} <= footprint()
        fill, tick = part("gallery")._fill, part("jobs")._tick
        disable()
        assert footprint() == set()
        assert not bpy.app.timers.is_registered(fill)
        assert not bpy.app.timers.is_registered(tick)
        assert PACKAGE not in bpy.context.preferences.addons
        enable(Path(folder))
    assert bpy.app.translations.locale is not None


def every_text_is_there():
    """Each operator is in the menu (so that the search finds it) or beside its data in the panel; all have tooltips."""
    menu = Path(part("menus").__file__).read_text() + Path(part("panel").__file__).read_text()
    for module in ("making", "operators"):
        for cls in part(module).CLASSES:
            assert cls.__doc__, cls
            assert not cls.__doc__.rstrip().endswith("."), cls
            assert cls.bl_idname in menu, cls.bl_idname
    for cls in (*part("properties").CLASSES, *part("preferences").CLASSES):
        for name, prop in cls.bl_rna.properties.items():
            if name in cls.__annotations__ and cls.__name__ != "ResultItem" and prop.type != "COLLECTION":
                assert prop.description, f"{cls.__name__}.{name}"
                assert not prop.description.endswith("."), f"{cls.__name__}.{name}"
    german = part("translations").TEXTS["de_DE"]
    for cls in part("panel").CLASSES:
        if hasattr(cls, "bl_label") and cls.__name__ != "CARESYNTH_UL_results":
            assert ("*", cls.bl_label) in german, cls.bl_label
    for module in ("making", "operators"):
        for cls in part(module).CLASSES:
            assert ("Operator", cls.bl_label) in german, cls.bl_label


def suggests():
    matching = part("suggestions").matching
    assert len(matching("")) == len(matching.__globals__["PROMPTS"])
    assert all("bed" in line for line in matching("Bed"))
    assert "staff pushes the patient in a wheelchair" in matching("push wheel")
    assert matching("zebra") == []


# ----------------------------------------------------------------------------------------------------------- the import


def stands_and_matches(folder, truth):
    """Time, size, place, skinning and markers of an import."""
    expected = np.load(truth)
    stage, building = part("stage"), part("building")
    busy, began = time.process_time(), time.perf_counter()
    root, warnings = building.bring(bpy.context, stage.read(Path(folder)), building.Options())
    print(f"import: {time.process_time() - busy:.2f} s of work, {time.perf_counter() - began:.2f} s")
    assert time.process_time() - busy <= 1.0
    assert warnings == [] or bpy.app.version < (5, 0)
    assert all("lens shaders" in text for text in warnings), warnings
    worst = 0.0
    for number, seconds in enumerate(expected["times"]):
        at_time(seconds)
        for person in range(2):
            points = world_vertices(one("skin", person))
            worst = max(worst, float(np.abs(points - expected[f"vertices{person}"][number]).max()))
    print(f"skinning: {worst * 1000:.4f} mm")
    assert worst < 1e-3
    at_time(float(expected["times"][-1]))
    for person in range(2):  # both stand by now
        points = world_vertices(one("skin", person))
        assert -0.03 < points[:, 2].min() < 0.05
        assert 1.4 < np.ptp(points[:, 2]) < 2.0
    began = time.perf_counter()
    for frame in range(1, 41):
        bpy.context.scene.frame_set(frame)
        bpy.context.view_layer.update()
    print(f"playback: {(time.perf_counter() - began) / 40 * 1000:.1f} ms a frame")
    armature = one("person")
    assert len(armature.data.bones) == 24
    assert armature.data.bones["left_elbow"].parent.name == "left_shoulder"
    assert armature.data.bones["left_elbow"].use_connect
    assert np.allclose(armature.data.bones["left_elbow"].tail_local, armature.data.bones["left_wrist"].head_local)
    info = json.loads(Path(folder, "stage.json").read_text())
    markers = bpy.context.scene.timeline_markers
    assert len(markers) == len(info["segments"])
    fps = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
    for marker, segment in zip(markers, info["segments"], strict=True):
        assert marker.frame == round(1 + segment["start_s"] * fps)
        assert segment["action"].replace("_", " ") in marker.name
        assert info["people"][segment["person"]]["role"] in marker.name
    cameras = list(part("tags").members(bpy.context.scene, root, "camera"))
    assert {c["caresynth_camera"] for c in cameras} == {c["name"] for c in info["cameras"]}
    assert bpy.context.scene.camera["caresynth_camera"] == info["view"]


def unedited(folder, out):
    """What the export writes: as imported, the stage moved, a person moved, a hand moved; and what it refuses."""
    export, out = part("export").export_motion, Path(out)
    root, _ = bring(folder)
    frame = bpy.context.scene.frame_current
    began = time.perf_counter()
    assert export(bpy.context, root, out / "as is.npz") == []
    print(f"export: {time.perf_counter() - began:.2f} s")
    assert bpy.context.scene.frame_current == frame
    assert all(m.show_viewport for m in one("skin").modifiers)
    root.location, root.rotation_euler = (3, -2, 0), (0, 0, 1.1)  # the whole stage: no change of the motion
    export(bpy.context, root, out / "stage moved.npz")
    # a pose without keys does not count; it is said, and not lost
    bone = one("person").pose.bones["right_elbow"]
    bone.rotation_quaternion = (0.7, 0.0, 0.7, 0.0)
    (said,) = export(bpy.context, root, out / "no keys.npz")
    assert "right_elbow" in said
    assert "without keys" in said
    assert np.allclose(bone.rotation_quaternion, (0.7071, 0, 0.7071, 0), atol=1e-3)
    bpy.context.scene.frame_set(frame)
    # what is switched off is exported all the same
    top = next(iter(bpy.context.view_layer.layer_collection.children))
    people = top.children["People"]
    people.exclude = True
    export(bpy.context, root, out / "excluded.npz")
    people.exclude = False
    for item in (one("person"), one("skin")):
        item.hide_viewport = True
    export(bpy.context, root, out / "hidden.npz")
    assert one("person").hide_viewport
    assert one("person").name not in bpy.context.scene.collection.objects
    one("person").hide_viewport = False
    armature = one("person")
    armature.location, armature.rotation_euler = (0.4, -0.3, 0.02), (0.0, 0.0, 0.7)
    export(bpy.context, root, out / "person moved.npz")
    armature.name = "Renamed"
    armature.location, armature.rotation_euler = (0, 0, 0), (0, 0, 0)
    armature.scale = (1.1, 1.1, 1.1)
    refused(lambda: export(bpy.context, root, out / "scaled.npz"), "scale")
    assert not (out / "scaled.npz").exists()
    armature.scale = (1, 1, 1)
    # an artist's way: inverse kinematics on the forearm pulls the wrist up by 10 cm
    at_time(0)
    wrist = armature.matrix_world @ armature.pose.bones["left_elbow"].tail
    target = bpy.data.objects.new("target", None)
    bpy.context.scene.collection.objects.link(target)
    target.location = wrist
    target.location.z += 0.10
    ik = armature.pose.bones["left_elbow"].constraints.new("IK")
    ik.target, ik.chain_count = target, 2
    export(bpy.context, root, out / "hand.npz")
    twin = armature.copy()
    bpy.context.scene.collection.objects.link(twin)
    refused(lambda: export(bpy.context, root, out / "twin.npz"), "copies")
    bpy.data.objects.remove(twin)
    bpy.data.objects.remove(armature)
    refused(lambda: export(bpy.context, root, out / "gone.npz"), "no longer in the scene")


def refused(action, *words):
    """The action ends with one sentence for the user, which holds the words."""
    try:
        action()
    except part("errors").CareSynthError as error:
        text = str(error)
        assert "\n" not in text
        assert all(word.lower() in text.lower() for word in words), text
        return text
    raise AssertionError(f"was not refused: {words}")


def cache(folder, truth, out):
    """People as exact meshes from a PC2 file."""
    expected = np.load(truth)
    root, _ = bring(folder, body_mode="CACHE", room=False)
    worst = 0.0
    for number, seconds in enumerate(expected["times"]):
        at_time(seconds)
        points = world_vertices(one("person", 1))
        worst = max(worst, float(np.abs(points - expected["vertices1"][number]).max()))
    print(f"cache: {worst * 1000:.4f} mm")
    assert worst < 1e-3
    one("person").location.x += 0.5
    part("export").export_motion(bpy.context, root, Path(out))


def time_is_mapped(folder):
    """The scene keeps its frames a second unless told otherwise; the motion has its length in both."""
    scene = bpy.context.scene
    motion = part("motion").load(Path(folder, "interaction.npz"))
    scene.render.fps, scene.render.fps_base = 24, 1.0
    root, _ = bring(folder, room=False)
    assert scene.render.fps == 24
    last = 1 + (motion.frames - 1) / motion.fps * 24
    assert scene.frame_end == int(last)
    assert abs(one("person").animation_data.action.frame_range[1] - last) < 1e-3
    part("building").remove(bpy.context, root)
    bring(folder, room=False, adopt_rate=True)
    assert abs(scene.render.fps / scene.render.fps_base - motion.fps) < 1e-3
    assert scene.frame_end == motion.frames
    assert abs(one("person").animation_data.action.frame_range[1] - motion.frames) < 1e-2


def replace_and_compare(folder):
    """One import in place of another leaves nothing of it; to compare, they stand side by side."""
    scene, run = bpy.context.scene, bpy.ops.caresynth.import_result
    empty = census()
    assert run(folder=folder) == {"FINISHED"}
    before, markers = census(), len(scene.timeline_markers)
    assert run(folder=folder, mode="REPLACE") == {"FINISHED"}
    assert len(part("tags").stages(scene)) == 1
    assert census() == before
    assert len(scene.timeline_markers) == markers
    assert run(folder=folder, mode="COMPARE") == {"FINISHED"}
    first, second = part("tags").stages(scene)
    wide = max(corner[0] for corner in json.loads(Path(folder, "stage.json").read_text())["room"]["floor"])
    assert second.matrix_world.translation.x - first.matrix_world.translation.x >= wide
    for root in (first, second):
        part("building").remove(bpy.context, root)
    after = census()
    assert after == empty | {"worlds": after["worlds"]}  # the scene keeps its sky


def removes_its_own_only(folder):
    """Replacing takes nothing of the user's, nothing of a copy of the scene, and what is shared goes out of one."""
    scene, run, tags = bpy.context.scene, bpy.ops.caresynth.import_result, part("tags")
    place = bpy.data.collections.new("for later")
    scene.collection.children.link(place)
    assert run(folder=folder) == {"FINISHED"}
    inside = next(item for item in scene.collection.children if item.name != "for later").children["People"]
    theirs = bpy.data.collections.new("mine in yours")
    inside.children.link(theirs)
    assert run(folder=folder, mode="REPLACE") == {"FINISHED"}
    assert {"for later", "mine in yours"} <= set(bpy.data.collections.keys())
    assert theirs in scene.collection.children_recursive
    # a copy of everything, and a scene that shows the same things
    for kind in ("FULL_COPY", "LINK_COPY"):
        bpy.context.window.scene = scene
        before = {item.name for item in scene.objects}
        things = {item.data for item in scene.objects if item.data}
        bpy.ops.scene.new(type=kind)
        twin = bpy.context.scene
        assert twin != scene
        assert run(folder=folder, mode="REPLACE") == {"FINISHED"}
        assert {item.name for item in scene.objects} == before
        assert {item.data for item in scene.objects if item.data} == things
        assert len(tags.stages(twin)) == len(tags.stages(scene)) == 1
        assert tags.stages(twin) != tags.stages(scene)
        assert twin.camera.name in twin.objects
        assert scene.camera.name in scene.objects
        assert scene.world is not None


def replaced_by_a_plain_room(folder, room):
    """A room that names no camera of its own as the best gives the scene one all the same."""
    scene, run = bpy.context.scene, bpy.ops.caresynth.import_result
    assert run(folder=folder) == {"FINISHED"}
    assert run(folder=room, mode="REPLACE") == {"FINISHED"}
    assert scene.camera is not None
    assert scene.camera in part("tags").members(scene, part("tags").stages(scene)[0], "camera")


def bad_folders(folder, scratch):
    """Each kind of damage is one sentence and leaves nothing."""
    read = part("stage").read
    good = Path(folder)

    def broken(change):
        target = Path(scratch, "broken é")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(good, target)
        change(target)
        before, scene = census(), state()
        refused(lambda: bring(target, adopt_rate=True), str(target))
        assert census() == before
        assert state() == scene
        assert not part("tags").stages(bpy.context.scene)

    def edit(change):
        def apply(target):
            info = json.loads((target / "stage.json").read_text())
            change(info)
            (target / "stage.json").write_text(json.dumps(info))

        return apply

    def arrays(**changes):
        def apply(target):
            with np.load(target / "interaction.npz") as old:
                np.savez(target / "interaction.npz", **({k: old[k] for k in old.files} | changes))

        return apply

    refused(lambda: read(Path(scratch, "nowhere")), "no folder")
    Path(scratch, "empty").mkdir()
    refused(lambda: read(Path(scratch, "empty")), "stage.json")
    for name in ("stage.json", "room.glb", "people.glb", "interaction.npz"):
        broken(lambda target, name=name: (target / name).unlink())
        broken(lambda target, name=name: (target / name).write_bytes((good / name).read_bytes()[:-100]))
        broken(lambda target, name=name: (target / name).write_bytes(b"not at all"))
    broken(edit(lambda info: info.update(version=2)))
    broken(edit(lambda info: info.update(format="other")))
    broken(edit(lambda info: info.update(people=[])))
    broken(edit(lambda info: info.update(lights=[{"name": "x"}])))
    broken(edit(lambda info: info["cameras"][0].pop("K")))
    broken(edit(lambda info: info["segments"][-1].update(person="nobody")))
    broken(edit(lambda info: info["render"].pop("width")))
    broken(edit(lambda info: info.update(room=[1])))
    broken(edit(lambda info: info.update(people=[1, 2])))
    broken(edit(lambda info: info.update(world=5)))
    broken(edit(lambda info: info["materials"].update(dict.fromkeys(info["materials"]))))
    for number in (float("inf"), float("nan")):
        broken(edit(lambda info, number=number: info["objects"][0]["matrix_world"][0].__setitem__(3, number)))
    broken(lambda target: endless(target / "stage.json"))
    broken(arrays(transl=np.full((2, 200, 3), np.nan, np.float32)))
    broken(arrays(transl=np.zeros((1, 200, 3), np.float32)))
    broken(arrays(fps=np.array(-1.0)))
    broken(arrays(version=np.array(9)))


def endless(path):
    """A number in a JSON file becomes one that no float holds."""
    info = json.loads(path.read_text())
    info["lights"][0]["matrix_world"][0][3] = 12345.0
    path.write_text(json.dumps(info).replace("12345.0", "1e999"))


def unknown_parts(folder, scratch):
    """Nodes, sockets and settings of another Blender are left out and reported; the import goes on."""
    target = Path(scratch, "future")
    shutil.copytree(folder, target)
    info = json.loads((target / "stage.json").read_text())
    name = info["objects"][0]["materials"][0]
    material = info["materials"][name]
    material["nodes"].append({"name": "New", "type": "ShaderNodeOfTomorrow", "properties": {}, "inputs": []})
    shader = next(n for n in material["nodes"] if n["type"] == "ShaderNodeBsdfPrincipled")
    shader["properties"]["brightness_of_tomorrow"] = 3
    shader["inputs"].append({"identifier": "Glitter", "name": "Glitter", "index": 99, "type": "VALUE", "value": 1.0})
    material["links"].append({"from": "New", "from_socket": {}, "to": shader["name"], "to_socket": {}})
    info["render"]["cycles"]["rays_of_tomorrow"] = True
    info["cameras"][0]["shader"] = info["cameras"][0]["shader"] and "not OSL"
    (target / "stage.json").write_text(json.dumps(info))
    _, warnings = bring(target)
    assert any("ShaderNodeOfTomorrow" in text for text in warnings), warnings
    assert len(warnings) == 4, warnings


def room_alone(folder):
    """A room's folder as `synth rooms export` writes it: plain materials, cameras, no people."""
    root, _ = bring(folder)
    tags, scene = part("tags"), bpy.context.scene
    pieces = list(tags.members(scene, root, "room"))
    assert len(pieces) > 20
    assert len(list(tags.members(scene, root, "camera"))) == 3
    bpy.context.view_layer.update()
    points = np.concatenate([world_vertices(o) for o in pieces if o["part"].startswith("room/")])
    assert abs(points[:, 2].min()) < 1e-4
    assert 2.5 < points[:, 2].max() < 2.8
    assert any(o["furniture"] == "bed_1" for o in pieces)
    path = Path(folder, "room.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"cameras": []}))
    _, warnings = bring(folder)
    assert warnings == ["This room has no cameras: add your own to see and film it"]
    good = json.loads(path.read_text())
    for damage in (
        {"furniture": [{k: v for k, v in item.items() if k != "box"} for item in good["furniture"]]},
        {"furniture": [{k: v for k, v in item.items() if k != "id"} for item in good["furniture"]]},
        {"furniture": [1]},
        {"cameras": [1]},
    ):
        path.write_text(json.dumps(good | damage))
        before = census()
        refused(lambda: bring(folder), str(folder), "damaged")
        assert census() == before


def foreign_name(folder, scratch):
    """A node of a people.glb may be called like a path: the mesh cache stays in its folder all the same."""
    target = Path(scratch, "deep", "stage")
    shutil.copytree(folder, target)
    before = sorted(Path(scratch).iterdir())
    stage = part("stage").read(target)
    bodies = [replace(body, name=f"../../out{index}") for index, body in enumerate(stage.bodies)]
    options = part("building").Options(body_mode="CACHE", room=False)
    part("building").bring(bpy.context, replace(stage, bodies=bodies), options)
    assert sorted(Path(scratch).iterdir()) == before
    assert {path.name for path in target.glob("*.pc2")} == {"person1.pc2", "person2.pc2"}


def made_anew(folder, scratch):
    """The scene does not export the motion of another interaction that has taken its folder's name."""
    target = Path(scratch, "interaction_0001")
    shutil.copytree(folder, target)
    root, _ = bring(target, room=False)
    export, out = part("export").export_motion, Path(scratch, "out.npz")
    export(bpy.context, root, out)
    out.unlink()
    with np.load(target / "interaction.npz") as old:
        np.savez(target / "interaction.npz", **({k: old[k] for k in old.files} | {"transl": old["transl"] + 1}))
    refused(lambda: export(bpy.context, root, out), "import it again")
    assert not out.exists()
    del root[part("tags").MOTION]  # a file saved by an earlier version
    export(bpy.context, root, out)


def nothing_unsaid(folder, scratch):
    """People in an excluded collection, whose bones are not moved with time, are not said to be posed without keys."""
    root, _ = bring(folder, room=False)
    people = next(iter(bpy.context.view_layer.layer_collection.children)).children["People"]
    export, out = part("export").export_motion, Path(scratch, "out.npz")
    for owner, switch in ((people, "exclude"), (people.collection, "hide_viewport"), (one("person"), "hide_viewport")):
        at_time(0)
        setattr(owner, switch, True)
        at_time(3.0)
        assert export(bpy.context, root, out) == [], switch
        setattr(owner, switch, False)


def picture(folder, camera, seconds, seed, width, height, path):
    """Render what was imported through one of its cameras."""
    root, _ = bring(folder, adopt_rate=False)
    scene = bpy.context.scene
    item = next(o for o in part("tags").members(scene, root, "camera") if o["caresynth_camera"] == camera)
    part("cameras").look_through(bpy.context, item, True)
    assert scene.render.resolution_x == item["caresynth_size"][0]
    scene.render.resolution_x, scene.render.resolution_y = int(width), int(height)
    at_time(float(seconds))
    scene.cycles.seed, scene.cycles.device = int(seed), "CPU"
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = path
    bpy.ops.render.render(write_still=True)


def cameras_come_back(folder):
    """What is filmed are the cameras as they stand, and one of the user's own too."""
    cameras, tags = part("cameras"), part("tags")
    root, _ = bring(folder, room=False)
    info = json.loads(Path(folder, "stage.json").read_text())
    root.location.x = 2.0
    bpy.context.view_layer.update()
    home = np.array(root.matrix_world)
    for entry in info["cameras"]:
        item = next(
            o for o in tags.members(bpy.context.scene, root, "camera") if o["caresynth_camera"] == entry["name"]
        )
        assert cameras.described(item, entry, home, (320, 240)) == entry
        item.location.z -= 0.25
        bpy.context.view_layer.update()
        moved = np.array(cameras.described(item, entry, home, (320, 240))["world_from_camera"])
        assert abs(moved[2, 3] - entry["world_from_camera"][2][3] + 0.25) < 1e-5
    data = bpy.data.cameras.new("mine")
    data.lens, data.sensor_width = 50, 36
    mine = bpy.data.objects.new("mine", data)
    bpy.context.scene.collection.objects.link(mine)
    found = cameras.described(mine, None, home, (320, 240))
    assert abs(found["K"][0][0] - 50 / 36 * 320) < 1e-3
    assert found["K"][0][2] == 159.5
    # pixels that are not square: untouched it is what it was, with a longer lens they keep their shape
    entry = {"name": "wide pixels", "model": "pinhole", "width": 320, "height": 240, "dist": [],
             "K": [[200.0, 0, 159.5], [0, 250.0, 119.5], [0, 0, 1]],
             "world_from_camera": np.eye(4).tolist()}  # fmt: skip
    item = cameras.add_camera(entry, bpy.context.scene.collection, lambda text: None)
    bpy.context.view_layer.update()
    assert cameras.described(item, entry, np.eye(4), (320, 240)) == entry
    item.data.lens *= 2
    found = cameras.described(item, entry, np.eye(4), (320, 240))["K"]
    assert np.allclose(found, [[400, 0, 159.5], [0, 500, 119.5], [0, 0, 1]], atol=1e-3)
    entry["K"] = [[5.0, 0, 159.5], [0, 5.0, 119.5], [0, 0, 1]]  # shorter than Blender's shortest
    item = cameras.add_camera(entry, bpy.context.scene.collection, lambda text: None)
    bpy.context.view_layer.update()
    assert cameras.described(item, entry, np.eye(4), (320, 240)) == entry


def copied(item):
    """As Shift+D copies an object."""
    twin = item.copy()
    twin.data = item.data.copy()
    bpy.context.scene.collection.objects.link(twin)
    return twin


def cameras_have_names_of_their_own(folder, scratch):
    """Copies, the user's cameras and those of other imports never take a room's camera's name; the active one films."""
    scene, tags, making = bpy.context.scene, part("tags"), part("making")
    root, _ = bring(folder, room=False)
    info = json.loads(Path(folder, "stage.json").read_text())
    names = [entry["name"] for entry in info["cameras"]]
    truth = {entry["name"]: np.array(entry["world_from_camera"]) for entry in info["cameras"]}
    number = iter(range(100))

    def filmed():
        bpy.context.view_layer.update()
        target = Path(scratch, f"edit {next(number)}")
        name, _ = making.write_edit(bpy.context, root, target)
        entries = json.loads((target / "stage.json").read_text())["cameras"]
        assert len({entry["name"] for entry in entries}) == len(entries)
        assert [entry["name"] for entry in entries[: len(names)]] == names
        poses = {entry["name"]: np.array(entry["world_from_camera"]) for entry in entries}
        assert all(np.array_equal(poses[key], value) for key, value in truth.items())
        return name, poses

    active = scene.camera
    name, poses = filmed()
    assert name == info["view"]
    assert list(poses) == names
    # a copy that was moved away; it is sorted before the room's own
    twin = copied(active)
    twin.name, twin.location.x = "AAA", active.location.x + 1
    name, poses = filmed()
    assert name == info["view"]
    assert abs(poses["AAA"][0, 3] - truth[name][0, 3] - 1) < 1e-5
    scene.camera = twin
    assert filmed()[0] == "AAA"
    bpy.data.objects.remove(twin)
    # a camera of the user's own that is called like one of the room's, or like a word of the back end's
    active.name = "was " + active.name
    mine = bpy.data.objects.new("mine", bpy.data.cameras.new("mine"))
    scene.collection.objects.link(mine)
    mine.location = (7, 8, 9)
    scene.camera = mine
    for called in (info["view"], "all", "random"):
        mine.name = called
        assert mine.name == called
        name, poses = filmed()
        assert name not in (*names, "all", "random")
        assert np.allclose(poses[name][:3, 3], (7, 8, 9), atol=1e-5)
    settings().clip_camera = "all"
    assert filmed()[0] == "all"
    settings().clip_camera = "ACTIVE"
    # that of another import
    other, _ = bring(folder, room=False, beside=True)
    straight = next(o for o in tags.members(scene, other, "camera") if o["caresynth_camera"] == names[0])
    straight.data.type = "PERSP"
    scene.camera = straight
    name, poses = filmed()
    assert name not in names
    assert len(poses) == len(names) + 1
    home = np.linalg.inv(np.array(root.matrix_world)) @ np.array(straight.matrix_world)
    assert np.allclose(poses[name][:3, 3], home[:3, 3], atol=1e-5)
    assert np.abs(poses[name][:3, 3] - truth[names[0]][:3, 3]).max() > 1


def folders_and_lists(scratch):
    """New folders come after all that are there; the list of results survives a line that was cut off."""
    gallery, making, output = part("gallery"), part("making"), Path(scratch)
    use("").output = str(output)
    assert gallery.latest_folder(output, "clips").name == gallery.new_folder(output, "clips").name == "clips_0001"
    for name in ("clips_0001", "clips_0003", "clips_old", "edit_0009"):
        (output / name).mkdir()
    assert gallery.latest_folder(output, "clips").name == "clips_0003"
    assert gallery.new_folder(output, "clips").name == "clips_0004"
    # a data set of the user's: each rendering has a folder of its own in it
    settings().clips = str(output / "Datensatz")
    first = making.clips_folder(bpy.context)
    assert first.parent == output / "Datensatz"
    first.parent.mkdir()
    (first.parent / "index.html").touch()  # made by `synth-render`
    assert making.clips_folder(bpy.context, made=True) == first.parent
    first.mkdir()
    assert making.clips_folder(bpy.context) not in (first, first.parent)
    assert making.clips_folder(bpy.context, made=True) == first
    # the list
    for name in ("a", "b"):
        (output / name).mkdir()
        (output / name / "stage.json").touch()
    gallery.remember(output, {"folder": output / "a"}, "süß")
    with open(output / gallery.LIST, "ab") as out:
        out.write('{"folder": "x", "title": "ü'.encode()[:-1])
    gallery.remember(output, {"folder": output / "b"}, "später")
    with open(output / gallery.LIST, "ab") as out:
        out.write(b"\n[1]\n3\n" + b'{"folder": "' + b"y" * 5000 + b'"}\n' + "{'ü".encode()[:-1])
    assert [item["prompt"] for item in gallery.remembered(output)] == ["später", "süß"]
    gallery.refresh(bpy.context, output)
    # a job's folder in which nothing was finished goes, whatever is left of what was being written
    job = output / "interaction_0001"
    for name in (".000000.tmp", "000000"):
        (job / name).mkdir(parents=True)
        (job / name / "stage.json").touch()
    making._sweep(job)
    assert job.is_dir()
    (job / "000000" / "stage.json").unlink()
    making._sweep(job)
    assert not job.exists()


def another_file(fake, output, folder):
    """A job that ends after another file was opened brings nothing into that one."""
    making, jobs, tags = part("making"), part("jobs"), part("tags")
    job = jobs.Job("generate", "x", fake, Path(output), [])
    making._import_now(Path(folder), job)
    assert len(tags.stages(bpy.context.scene)) == 1
    bpy.ops.wm.read_homefile(use_empty=True)
    making._import_now(Path(folder), job)
    assert not tags.stages(bpy.context.scene)
    assert any("Another file" in text for text in job.warnings)
    making._import_now(Path(folder), jobs.Job("generate", "x", fake, Path(output), []))
    assert len(tags.stages(bpy.context.scene)) == 1


# ------------------------------------------------------------------------------------------------------ the back end


def use(python):
    preferences = bpy.context.preferences.addons[PACKAGE].preferences
    preferences.python = python
    return preferences


def failing(operator, *words, **options):
    """The operator ends with one sentence that holds the words."""
    try:
        operator("EXEC_DEFAULT", **options)
    except RuntimeError as error:
        text = str(error)
        assert text.startswith("Error: ")
        assert len(text.strip().splitlines()) == 1, text
        assert all(word in text for word in words), text
        return text
    raise AssertionError(f"was not refused: {words}")


def no_back_end(fake, old, output, scratch):
    """Missing, no program, another Python, another version, a crash, bad input: each one sentence, nothing left."""
    os.environ["PATH"] = scratch
    os.environ.pop("CARESYNTH_PYTHON", None)
    check, generate = bpy.ops.caresynth.check, bpy.ops.caresynth.generate
    use("").output = output
    failing(check, "not on this computer's PATH", "Preferences")
    use(str(Path(scratch, "no such python")))
    failing(check, "There is no Python at")
    text = Path(scratch, "readme.txt")
    text.write_text("hello")
    use(str(text))
    failing(check, "is not a program")
    use(old)
    failing(check, "has no CareSynth", "Preferences")
    use("/bin/true")
    failing(check, "did not answer as CareSynth does")

    def behave(how, **more):
        os.environ["FAKE"] = how
        use(fake)
        before = census(), sorted(Path(output).rglob("*"))
        message = failing(generate, **more)
        after = sorted(p for p in Path(output).rglob("*"))
        assert (census(), after) == before
        return message

    assert "update this extension" in behave("newer")
    assert "update CareSynth" in behave("older")
    assert "stopped in the middle (signal 11)" in behave("crash")
    assert "stopped in the middle (status 3)" in behave("status")
    assert "no trained model" in behave("refuse")
    assert "the last word" in behave("stderr")
    settings().prompt = "   "
    assert "prompt is empty" in behave("good")
    settings().prompt, settings().room_source = "somebody walks", "FOLDER"
    assert "Choose the room's folder" in behave("good")
    settings().room_folder = scratch
    assert "room.json" in behave("good")


def found_on_path(bin_folder):
    os.environ["PATH"] = bin_folder
    use("")
    assert part("backend").find_python("") == Path(bin_folder, "python")
    assert part("backend").find_python(str(Path(bin_folder).parent)) == Path(bin_folder, "python")


def fake_generation(fake, output, stage):
    """Lines of a back end arrive: arguments, looks, progress, warnings, results, import, memory of earlier sessions."""
    os.environ["FAKE"], os.environ["FAKE_STAGE"] = "good", stage
    use(fake).output = output
    wanted = settings()
    wanted.prompt, wanted.seed, wanted.seconds, wanted.number, wanted.near = "she « helps » 'him'", 5, 2.5, 2, "bed_1"
    wanted.use_looks = True
    look = wanted.looks.add()
    look.role, look.outfit, look.use_age, look.age = "staff", "scrubs", True, 30
    wanted.light = "evening"
    assert bpy.ops.caresynth.generate() == {"FINISHED"}
    job = part("jobs").current()
    assert job.state == "DONE"
    assert (job.done, job.total, job.text) == (3, 3, "writing")
    assert "a bit of a warning" in job.warnings
    asked = json.loads(Path(output, "asked.json").read_text())
    given = dict(zip(asked[1::2], asked[2::2], strict=True))
    assert asked[0] == "generate"
    assert given["--prompt"] == wanted.prompt
    assert (given["--seed"], given["--seconds"], given["--n"], given["--near"]) == ("5", "2.5", "2", "bed_1")
    assert given["--light"] == "evening"
    looks = json.loads(Path(given["--looks"]).read_text())
    assert looks == {"version": 1, "people": [{"role": "staff", "outfit": "scrubs", "age": 30}]}
    results = bpy.context.window_manager.caresynth.results
    assert [item.name for item in results] == ["second", "first"]
    assert len(part("tags").stages(bpy.context.scene)) == 1  # the first one came in by itself
    part("thumbnails").icon(results[0].thumbnail)
    assert results[0].thumbnail in part("thumbnails")._pictures
    results.clear()
    bpy.ops.caresynth.refresh()
    assert len(results) == 2
    assert "Lounge of the fake" in [item[1] for item in part("rooms").items()]
    # the same session does not ask the same Python twice
    assert part("check").steps(fake) == []


def cancel_kills(fake, output, pids):
    """A cancelled job ends its whole process group, also what does not listen; so does switching the extension off."""
    jobs, backend = part("jobs"), part("backend")
    backend.PATIENCE = 0.5

    def running(how):
        os.environ["FAKE"], os.environ["FAKE_PIDS"] = how, pids
        Path(pids).unlink(missing_ok=True)
        job = jobs.Job("generate", "long", fake, Path(output), [jobs.Step(("generate",))])
        job.begin()
        jobs._current = job
        until(lambda: Path(pids).is_file() and len(Path(pids).read_text().split()) == 2, job)
        return job, [int(pid) for pid in Path(pids).read_text().split()] + [job.process.pid]

    for how in ("long", "deaf"):
        job, processes = running(how)
        assert bpy.ops.caresynth.generate.poll() is False
        assert bpy.ops.caresynth.cancel() == {"FINISHED"}
        began = time.monotonic()
        until(lambda job=job: job.state == "CANCELLED", job)
        assert time.monotonic() - began < 4
        assert job.error == ""
        until(lambda processes=processes: not any(map(alive, processes)), job, 1.0)
    for how in ("long", "deaf"):
        job, processes = running(how)
        jobs.stop()
        until(lambda processes=processes: not any(map(alive, processes)), job, 1.0)
    # Blender itself is gone, without a word
    job, processes = running("long")
    os.close(job.process._process.stdin.fileno())
    until(lambda: not any(alive(pid) for pid in processes[:2]), job)


def until(condition, job, most=15.0):
    end = time.monotonic() + most
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        job.look()
        time.sleep(0.01)


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # the latter: it went between opening and reading
        return False
    return state != "Z"


def dies_in_the_middle(fake, output, pids):
    """This process is killed by the test while its back end works."""
    os.environ["FAKE"], os.environ["FAKE_PIDS"] = "long", pids
    job = part("jobs").Job("generate", "long", fake, Path(output), [part("jobs").Step(("generate",))])
    job.begin()
    until(lambda: Path(pids).is_file() and len(Path(pids).read_text().split()) == 2, job)
    os.kill(os.getpid(), signal.SIGKILL)


# ------------------------------------------------------------------------------------------------- the real back end


def real_check(python, output):
    use(python).output = output
    assert bpy.ops.caresynth.check() == {"FINISHED"}
    lines = [text for text, _ in part("check").found().lines()]
    assert lines[0].startswith("CareSynth 0.")
    assert part("rooms").known()["ward_03"].furniture


def real_room(python, output):
    use(python).output = output
    settings().room = "ward_04"
    assert bpy.ops.caresynth.import_room() == {"FINISHED"}
    (root,) = part("tags").stages(bpy.context.scene)
    members, scene = part("tags").members, bpy.context.scene
    assert root.name.lower() == "accessible bathroom"
    assert len(list(members(scene, root, "room"))) > 10
    assert len(list(members(scene, root, "camera"))) == 3
    assert list(members(scene, root, "light"))
    assert not [*members(scene, root, "person"), *scene.timeline_markers, *bpy.data.armatures]
    failing(bpy.ops.caresynth.render_clips, "no people to film")


def real_generation(python, output):
    """From a prompt to people in the scene, with the trained model."""
    use(python).output = output
    wanted = settings()
    wanted.room, wanted.prompt, wanted.seconds, wanted.seed = "ward_03", "staff helps patient up", 2.0, 3
    wanted.use_looks = True
    look = wanted.looks.add()
    look.role, look.outfit, look.use_tone, look.tone = "patient", "pyjamas", True, 0.8
    assert bpy.ops.caresynth.generate() == {"FINISHED"}
    job = part("jobs").current()
    assert job.state == "DONE", job.error
    (root,) = part("tags").stages(bpy.context.scene)
    assert len(list(part("tags").members(bpy.context.scene, root, "person"))) == 2
    info = json.loads(Path(root[part("tags").FOLDER], "stage.json").read_text())
    assert {p["look"]["outfit"] for p in info["people"] if p["role"] == "patient"} == {"pyjamas"}


def real_clip(python, output, folder):
    """A hand raised in Blender is in the new clip's labels; the camera is the one that was chosen and moved."""
    use(python).output = output
    assert bpy.ops.caresynth.import_result(folder=folder) == {"FINISHED"}
    armature = one("person")
    at_time(0)
    target = bpy.data.objects.new("target", None)
    bpy.context.scene.collection.objects.link(target)
    target.location = armature.matrix_world @ armature.pose.bones["left_elbow"].tail
    target.location.z += 0.10
    ik = armature.pose.bones["left_elbow"].constraints.new("IK")
    ik.target, ik.chain_count = target, 2
    wanted = settings()
    wanted.clip_width, wanted.clip_height, wanted.clip_rate, wanted.clip_samples = 64, 48, 2.0, 1
    wanted.clip_engine = "workbench"
    root = part("tags").stages(bpy.context.scene)[-1]
    straight = bpy.data.objects.new("mine", bpy.data.cameras.new("mine"))
    bpy.context.scene.collection.objects.link(straight)
    straight.matrix_world = next(part("tags").members(bpy.context.scene, root, "camera")).matrix_world
    bpy.context.scene.camera = straight
    bpy.context.view_layer.update()
    Path(output, "wrist.json").write_text(json.dumps(list(target.location)))
    assert bpy.ops.caresynth.render_clips() == {"FINISHED"}
    job = part("jobs").current()
    assert job.state == "DONE", job.error
    page = Path(output, "clips_0001", "index.html")
    assert page.is_file()
    assert part("gallery").page_of(part("making").clips_folder(bpy.context, made=True)) == page
