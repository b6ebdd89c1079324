"""The back end of the Blender extension: its commands as processes, and what its stage folders hold."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from render import studio
from render.given import caption_of, given_motion, given_take, measured, one_at_a_time, read_stage
from render.look import draw_look, read_looks
from render.plan import MOTION, seed_of
from render.stagefolder import new_folder
from synth.body import load_body
from synth.body.outfits import dressed_faces
from synth.corpus.library import entry as library_entry
from synth.corpus.retrieve import RetrievalGenerator
from synth.errors import BadFile, BadOption
from synth.gltf import read_glb
from synth.gltf_people import strongest
from synth.interaction import ActionSegment, Contact, Meta, Prop, load_interaction, single
from synth.motion.proxies import points_of, proxies_of
from synth.motion.quality import state_of
from synth.rooms import load_room, save_room
from synth.rooms.props import handle
from synth.skeleton import JOINT, SMPL_JOINTS, SMPL_PARENTS
from synth.taxonomy import ACTIONS

ROOT = Path(__file__).parent.parent
PROMPT, SEED, SECONDS, FPS = "staff helps patient up", 7, 4.0, 10.0


def run(*words, **options):
    """A command of the back end: exit status, its lines, and the last line of stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "render.studio", *map(str, words)],
        capture_output=True, text=True, timeout=300, cwd=ROOT, check=False, **options,
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines()]  # nothing else comes on stdout
    return done.returncode, lines, done.stderr.strip().split("\n")[-1]


@pytest.fixture(scope="session")
def body():
    return load_body()


@pytest.fixture(scope="session")
def helped(tmp_path_factory, body):
    """Two people, the room's own walker that rolls, and a cup in the second one's left hand, as a file."""
    made = RetrievalGenerator(load_room("ward_03"), body).generate(PROMPT, seed_of(SEED, 0, MOTION), SECONDS, FPS)
    motion = made.interaction
    proxies = [proxies_of(body, shape) for shape in motion.betas]
    hand = points_of(proxies, [(1, "left_hand")]).where(state_of(motion, proxies))[0].numpy()
    turn = np.tile([0.0, 0.0, 0.7], (motion.frames, 1)).astype(np.float32)
    still = np.zeros_like(turn)
    cup = Prop("cup_1", "cup", (hand - handle("cup", "left")).astype(np.float32), still)
    way = np.linspace([2.0, 0.5, 0.0], [2.5, 0.5, 0.0], motion.frames).astype(np.float32)
    path = tmp_path_factory.mktemp("given") / "motion.npz"
    replace(motion, props=(cup, Prop("walker_1", "walker", way, turn))).save(path)
    return path


@pytest.fixture(scope="session")
def staged(tmp_path_factory, helped):
    folder = tmp_path_factory.mktemp("stäge") / "a stage"  # names as people give them
    code, lines, _ = run("stage", helped, "--scene", "ward_03", "--seed", SEED, "--light", "day", "--out", folder)
    assert code == 0
    assert [line["event"] for line in lines if line["event"] != "progress"] == ["result", "done"]
    assert lines[-2]["folder"] == str(folder)
    return folder


@pytest.fixture(scope="session")
def stage(staged):
    return json.loads((staged / "stage.json").read_text(encoding="utf-8"))


class Glb:
    """A plain reading of a glTF binary; shares nothing with the package."""

    def __init__(self, path):
        raw = path.read_bytes()
        (length,) = struct.unpack_from("<I", raw, 12)
        self.document, self.binary = json.loads(raw[20 : 20 + length]), raw[28 + length :]
        self.keys = {}
        for animation in self.document["animations"]:
            for channel in animation["channels"]:
                sampler = animation["samplers"][channel["sampler"]]
                target = channel["target"]
                self.keys[target["node"], target["path"]] = self.array(sampler["output"])
                self.times = self.array(sampler["input"])[:, 0]

    def array(self, index):
        entry = self.document["accessors"][index]
        view = self.document["bufferViews"][entry["bufferView"]]
        kind = {5121: "u1", 5125: "<u4", 5126: "<f4"}[entry["componentType"]]
        width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}[entry["type"]]
        assert view["byteOffset"] % 4 == 0
        return np.frombuffer(self.binary, kind, entry["count"] * width, view["byteOffset"]).reshape(-1, width)

    def node(self, name):
        return next(k for k, node in enumerate(self.document["nodes"]) if node["name"] == name)

    def local(self, index, frame):
        node, matrix = self.document["nodes"][index], np.eye(4)
        place = self.keys.get((index, "translation"))
        matrix[:3, 3] = node.get("translation", [0, 0, 0]) if place is None else place[frame]
        turn = self.keys.get((index, "rotation"))
        x, y, z, w = [0, 0, 0, 1] if turn is None else turn[frame].astype(float)
        matrix[:3, :3] = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
        return matrix

    def world(self, root, frame):
        found, waiting = {}, [(root, np.eye(4))]
        while waiting:
            index, above = waiting.pop()
            found[index] = above @ self.local(index, frame)
            waiting += [(child, found[index]) for child in self.document["nodes"][index].get("children", [])]
        return found

    def posed(self, name, frame):
        """Vertices [N, 3] and joints [24, 3] of a skinned node, in the z-up world."""
        node = self.document["nodes"][self.node(name)]
        skin = self.document["skins"][node["skin"]]
        attributes = self.document["meshes"][node["mesh"]]["primitives"][0]["attributes"]
        inverse = self.array(skin["inverseBindMatrices"]).astype(float).reshape(-1, 4, 4).transpose(0, 2, 1)
        world = self.world(skin["skeleton"], frame)
        joints = np.stack([world[index] for index in skin["joints"]])
        assert [self.document["nodes"][index]["name"] for index in skin["joints"]] == list(SMPL_JOINTS)
        points = np.zeros((len(self.array(attributes["POSITION"])), 3))
        flat = np.concatenate([self.array(attributes["POSITION"]), np.ones((len(points), 1))], 1)
        for number in (0, 1):
            chosen, much = (self.array(attributes[f"{kind}_{number}"]) for kind in ("JOINTS", "WEIGHTS"))
            blended = ((joints @ inverse)[chosen] * much[..., None, None].astype(float)).sum(1)
            points += (blended @ flat[..., None])[:, :3, 0]
        return upright(points), upright(joints[:, :3, 3])


def upright(points):
    return np.stack([points[:, 0], -points[:, 2], points[:, 1]], -1)


# --------------------------------------------------------------------------------------------------- stage folders


def test_people_in_the_file_are_skinned_as_ours(staged, stage, body):
    motion, file = load_interaction(staged / "interaction.npz"), Glb(staged / "people.glb")
    np.testing.assert_allclose(file.times, motion.times, atol=1e-6)
    for person in range(motion.people):
        look = stage["people"][person]["look"]
        used = np.unique(dressed_faces(body, look["parts"], look["hair"])[0])
        for frame in (0, 13, motion.frames - 1):
            points, joints = file.posed(f"person{person + 1}", frame)
            ours, at = body.pose(motion.betas[person], motion.rotations()[person, frame], motion.transl[person, frame])
            assert np.abs(points - ours.numpy()[used]).max() < 1e-3
            assert np.abs(joints - at.numpy()).max() < 1e-4


def test_paint_and_parts_are_those_of_the_body(staged, stage, body):
    file = Glb(staged / "people.glb")
    node = file.document["nodes"][file.node("person1")]
    mesh = file.document["meshes"][node["mesh"]]
    look, parts = stage["people"][0]["look"], stage["people"][0]["parts"]
    faces, part_of_face, names = dressed_faces(body, look["parts"], look["hair"])
    used = np.unique(faces)
    assert mesh["extras"]["parts"] == list(names) == [part["name"] for part in parts]
    attributes = mesh["primitives"][0]["attributes"]
    np.testing.assert_array_equal(file.array(attributes["_REST"]), body.v_template[used])
    np.testing.assert_array_equal(file.array(attributes["_LIPS"]), np.repeat(body.masks["lips"][used, None], 3, 1))
    for number, primitive in enumerate(mesh["primitives"]):
        assert primitive["attributes"] == attributes  # one set of vertices: smooth across the parts' seams
        rows = file.array(primitive["indices"]).reshape(-1, 3)
        np.testing.assert_array_equal(used[rows], faces[part_of_face == number])
        material = file.document["materials"][primitive["material"]]["name"]
        assert material == parts[number]["material"] in stage["materials"]


def test_blenders_own_importer_shows_the_same(staged, stage, body):
    bpy = pytest.importorskip("bpy")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="io_scene_gltf2")
    motion = load_interaction(staged / "interaction.npz")
    bpy.context.scene.render.fps = round(motion.fps)
    bpy.ops.import_scene.gltf(filepath=str(staged / "people.glb"))
    bpy.context.scene.frame_set(13)  # the importer puts the first key on frame 0
    graph = bpy.context.evaluated_depsgraph_get()
    for person in range(motion.people):
        rig = bpy.data.objects[f"person{person + 1}"]
        item = next(child for child in rig.children if child.type == "MESH").evaluated_get(graph)
        points = np.array([item.matrix_world @ vertex.co for vertex in item.to_mesh().vertices])
        look = stage["people"][person]["look"]
        used = np.unique(dressed_faces(body, look["parts"], look["hair"])[0])
        ours, _ = body.pose(motion.betas[person], motion.rotations()[person, 13], motion.transl[person, 13])
        ours = ours.numpy()[used]
        assert np.abs(points.min(0) - ours.min(0)).max() < 1e-3
        assert np.abs(points.max(0) - ours.max(0)).max() < 1e-3


def test_things_move_as_they_do(staged, stage):
    motion, file = load_interaction(staged / "interaction.npz"), Glb(staged / "people.glb")
    turn = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0.0]])  # the world's axes to the file's
    for prop, told in zip(motion.props, stage["props"], strict=True):
        index = file.node(told["node"])
        for frame in (0, 20):
            pose = file.local(index, frame)
            np.testing.assert_allclose(turn.T @ pose[:3, 3], prop.poses()[frame, :3, 3], atol=1e-5)
            np.testing.assert_allclose(turn.T @ pose[:3, :3] @ turn, prop.poses()[frame, :3, :3], atol=1e-5)
    cup, walker = stage["props"]
    assert (cup["furniture"], walker["furniture"]) == (None, "walker_1")
    assert cup["objects"]  # brought in, with its meshes
    assert not walker["objects"]  # the room's own


def test_a_stage_is_described_wholly(staged, stage):
    room, meshes = load_room("ward_03"), read_glb(staged / "room.glb")
    motion = load_interaction(staged / "interaction.npz")
    assert (stage["format"], stage["version"]) == ("caresynth-stage", 1)
    assert (stage["prompt"], stage["generator"], stage["fps"]) == (PROMPT, "given", FPS)
    assert (stage["frames"], stage["seconds"]) == (motion.frames, motion.seconds)
    assert len(stage["noise_seeds"]) == motion.frames
    assert [item["mesh"] for item in stage["objects"]] == [mesh.name for mesh in meshes]
    assert {item["furniture"] for item in stage["objects"]} >= {item.id for item in room.furniture}
    assert [item["id"] for item in stage["room"]["furniture"]] == [item.id for item in room.furniture]
    assert [item["name"] for item in stage["cameras"]] == [item.name for item in room.cameras]
    for told, item in zip(stage["cameras"], room.cameras, strict=True):
        np.testing.assert_array_equal(told["K"], item.camera.K)
        assert (told["shader"] is None) == (item.camera.model == "pinhole")
        assert (told["blender"] is None) == (item.camera.model != "pinhole")
    used = {name for item in stage["objects"] for name in item["materials"]}
    used |= {part["material"] for person in stage["people"] for part in person["parts"]}
    used |= {name for prop in stage["props"] for item in prop["objects"] for name in item["materials"]}
    assert used == set(stage["materials"])
    assert {light["type"] for light in stage["lights"]} >= {"AREA"}
    assert stage["render"]["engine"] == "CYCLES"
    assert stage["render"]["view"]["view_transform"] == "AgX"
    assert [person["present"] for person in stage["people"]] == [[[0.0, motion.seconds]]] * motion.people
    assert {item["person"] for item in stage["segments"]} == {0, 1}
    held = [item for item in stage["contacts"] if item["with"].get("object") == "cup_1"]
    assert [(item["person"], item["part"]) for item in held] == [(1, "left_hand")]
    assert (staged / "thumbnail.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert sorted(path.name for path in staged.iterdir()) == [
        "interaction.npz", "people.glb", "room.glb", "stage.json", "thumbnail.jpg",
    ]  # fmt: skip


def rebuilt(bpy, told):
    """A node tree made from what is told of it, with no knowledge of our materials."""
    material = bpy.data.materials.new("again")
    if material.node_tree is None:
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    nodes = {}
    for item in told["nodes"]:
        node = nodes[item["name"]] = tree.nodes.new(item["type"])
        node.name, node.label, node.location = item["name"], item["label"], item["location"]
        for name, value in item["properties"].items():
            setattr(node, name, value)
        for entry in item["inputs"]:
            next(s for s in node.inputs if s.identifier == entry["identifier"]).default_value = entry["value"]
        if "ramp" in item:
            stops, ramp = item["ramp"]["stops"], node.color_ramp
            while len(ramp.elements) < len(stops):
                ramp.elements.new(0.5)
            for element, stop in zip(ramp.elements, stops, strict=True):
                element.position, element.color = stop["position"], stop["color"]
    for link in told["links"]:
        start = next(s for s in nodes[link["from"]].outputs if s.identifier == link["from_socket"]["identifier"])
        end = next(s for s in nodes[link["to"]].inputs if s.identifier == link["to_socket"]["identifier"])
        tree.links.new(start, end)
    return tree


def same_trees(first, second):
    """Whether two trees hold the same, socket by socket and setting by setting; asks Blender, not `describe`."""
    plain = lambda value: list(value) if hasattr(value, "__len__") and not isinstance(value, str) else value  # noqa: E731
    assert [node.name for node in first.nodes] == [node.name for node in second.nodes]
    for one, two in zip(first.nodes, second.nodes, strict=True):
        assert one.bl_idname == two.bl_idname
        for entry in one.bl_rna.properties:
            if entry.type in ("BOOLEAN", "INT", "FLOAT", "STRING", "ENUM") and entry.identifier != "select":
                name = entry.identifier
                assert plain(getattr(one, name)) == plain(getattr(two, name)), (one.name, name)
        for a, b in zip(one.inputs, two.inputs, strict=True):
            if hasattr(a, "default_value") and not a.is_linked:
                assert plain(a.default_value) == plain(b.default_value), (one.name, a.identifier)
        if one.bl_idname == "ShaderNodeValToRGB":
            stops = [[(e.position, *e.color) for e in node.color_ramp.elements] for node in (one, two)]
            assert stops[0] == stops[1]
    ends = [
        {(k.from_node.name, k.from_socket.identifier, k.to_node.name, k.to_socket.identifier) for k in tree.links}
        for tree in (first, second)
    ]
    assert ends[0] == ends[1]


def test_materials_can_be_built_again_from_what_is_told(stage, body):
    bpy = pytest.importorskip("bpy")
    from render.blender.describe import describe_material
    from render.blender.materials import make_material
    from render.blender.skin import material_for
    from synth.rooms import BUILTIN, room_meshes

    bpy.ops.wm.read_factory_settings(use_empty=True)
    plain = {mesh.material for name in BUILTIN for mesh in room_meshes(load_room(name))}
    built = [make_material(material) for material in sorted(plain, key=lambda m: m.name)]
    meta = Meta(
        roles=("staff", "patient", "patient", "patient", "person"),
        genders=("male", "female", "male", "female", "male"),
        ages=(30.0, 81.0, 79.0, 90.0, 40.0),
    )
    for look in draw_look(np.random.default_rng(3), meta).people:
        names = dressed_faces(body, look.parts, look.hair)[2]
        built += [material_for(name, body.parts[name].kind, look) for name in names]
    assert len({material.name.split(".")[0] for material in built}) > 20
    for material in built:
        told = json.loads(json.dumps(describe_material(material)))
        same_trees(material.node_tree, rebuilt(bpy, told))
        bpy.data.materials.remove(bpy.data.materials["again"])
    for told in stage["materials"].values():
        rebuilt(bpy, told)


def test_weights_beyond_eight_joints_are_shared_out():
    rng = np.random.default_rng(1)
    many = rng.random((5, 24)).astype(np.float32)
    many /= many.sum(1, keepdims=True)
    joints, weights = strongest(many)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    assert (np.take_along_axis(many, joints.astype(int), 1).min(1) >= np.sort(many, 1)[:, -8]).all()
    few = np.zeros((1, 24), np.float32)
    few[0, 5] = 1
    joints, weights = strongest(few)
    assert (joints[0].tolist(), weights[0].tolist()) == ([5, *[0] * 7], [1, *[0] * 7])


def test_nothing_half_written_stays_of_a_stage(tmp_path):
    def fail():
        with new_folder(tmp_path / "a" / "b") as work:
            (work / "stage.json").write_text("{")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------ making and filming


def test_what_is_generated_is_what_synth_render_would_film(tmp_path, body):
    code, lines, _ = run(
        "generate", "--scene", "ward_03", "--prompt", PROMPT, "--n", 2, "--seed", SEED, "--seconds", SECONDS,
        "--fps", FPS, "--generator", "retrieval", "--out", tmp_path / "made",
    )  # fmt: skip
    assert code == 0
    results = [line for line in lines if line["event"] == "result"]
    assert [line["folder"] for line in results] == [str(tmp_path / "made" / name) for name in ("000000", "000001")]
    assert lines[-1] == {"event": "done", "made": 2, "failed": 0, "folder": str(tmp_path / "made")}
    done = [line["done"] for line in lines if line["event"] == "progress"]
    assert done == sorted(done)
    assert {line["total"] for line in lines if line["event"] == "progress"} == {200}
    room = load_room("ward_03")
    for take, line in enumerate(results):
        seed = seed_of(SEED, take, MOTION)
        ours = RetrievalGenerator(room, body).generate(PROMPT, seed, SECONDS, FPS).interaction
        found = load_interaction(Path(line["folder"]) / "interaction.npz")
        np.testing.assert_array_equal(found.body_pose, ours.body_pose)
        assert json.loads((Path(line["folder"]) / "stage.json").read_text())["seed"] == {"job": SEED, "take": take}


def test_one_that_fits_nowhere_does_not_end_the_others(tmp_path):
    """The generator finds nothing for the first take."""
    code = """if True:
        import sys
        from synth.corpus.retrieve import NothingFits, RetrievalGenerator
        real = RetrievalGenerator.generate
        def generate(self, prompt, seed, **options):
            if seed.spawn_key[0] == 0:
                raise NothingFits("no place for it")
            return real(self, prompt, seed, **options)
        RetrievalGenerator.generate = generate
        from render.studio import main
        main(sys.argv[1:])
    """
    for n, status, events in (("2", 0, ["result", "warning", "done"]), ("1", 2, ["error"])):
        words = ["generate", "--scene", "ward_03", "--prompt", PROMPT, "--seconds", "3", "--generator", "retrieval"]
        done = subprocess.run(
            [sys.executable, "-c", code, *words, "--n", n, "--out", tmp_path / n], capture_output=True, text=True,
            cwd=ROOT, check=False,
        )  # fmt: skip
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == status
        assert [line["event"] for line in lines if line["event"] != "progress"] == events
        assert "no place for it" in [line.get("text") for line in lines]
    assert [path.name for path in (tmp_path / "2").iterdir()] == ["000001"]
    assert [path.name for path in tmp_path.iterdir()] == ["2"]


@pytest.mark.slow
def test_the_trained_model_is_what_generates(tmp_path):
    words = ("--scene", "ward_03", "--prompt", PROMPT, "--seconds", 3, "--seed", 3, "--fps", 10)
    code, lines, last = run("generate", *words, "--out", tmp_path / "made")
    assert code == 0, last
    told = json.loads((tmp_path / "made" / "000000" / "stage.json").read_text())
    assert told["generator"] == "diffusion" or told["warnings"]
    texts = [line["text"] for line in lines if line["event"] == "progress"]
    assert any("sampling" in text for text in texts)
    assert any("making it exact" in text for text in texts)


def labels(folder):
    clip = next((folder / "clips").iterdir())
    with np.load(clip / "labels.npz") as arrays:
        return json.loads((clip / "labels.json").read_text()), dict(arrays)


def test_a_moved_hand_is_seen_in_the_labels(tmp_path, staged, stage):
    motion = load_interaction(staged / "interaction.npz")
    pose = motion.body_pose.copy()
    elbow = 3 * (JOINT["left_elbow"] - 1)
    pose[1, :, elbow : elbow + 3] += [0.0, -0.9, 0.0]  # takes the hand off the cup and off the patient
    lie = ActionSegment(0, 0.0, SECONDS, "fall")
    lies = replace(motion.meta, actions=(lie,), contacts=(Contact(0, "head", {"object": "floor"}, 0.0, 1.0),))
    edited = tmp_path / "edited"
    edited.mkdir()
    for name in ("interaction.npz", "stage.json"):
        (edited / name).write_bytes((staged / name).read_bytes())
    replace(motion, body_pose=pose, meta=lies).save(edited / "edited_interaction.npz")
    found = []
    for source, out in ((staged, "before"), (edited, "after")):
        words = ("--camera", "corner", "--size", "64x48", "--fps", "2", "--samples", "1")
        code, lines, _ = run("render", source, "--out", tmp_path / out, *words)
        assert code == 0
        assert [line["event"] for line in lines if line["event"] != "progress"] == ["result", "done"]
        found.append(labels(tmp_path / out))
    (info, before), (told, after) = found
    moved = np.linalg.norm(after["joints_world"] - before["joints_world"], axis=-1)[:, 1]
    assert (moved[:, JOINT["left_wrist"]] > 0.1).all()
    assert moved[:, JOINT["right_wrist"]].max() < 1e-5
    apart = np.linalg.norm(after["keypoints_world"] - before["keypoints_world"], axis=-1)[:, 1]
    assert (apart[:, 9] > 0.1).all()  # COCO's left wrist
    pixels = np.linalg.norm(after["joints_2d"] - before["joints_2d"], axis=-1)[:, 1, JOINT["left_wrist"]]
    assert pixels.max() > 1
    assert "cup_1" in [c["with"].get("object") for c in info["contacts"]]
    assert "cup_1" not in [c["with"].get("object") for c in told["contacts"]]
    assert "fall" not in [segment["label"] for segment in told["segments"]]  # not what the file said
    assert "head" not in [c["part"] for c in told["contacts"]]
    camera = load_room("ward_03").camera("corner").scaled(64, 48)  # as the stage hangs it: no jitter
    np.testing.assert_allclose(told["camera"]["world_from_camera"], camera.world_from_camera)
    assert told["light"] == stage["light"]["mood"]
    assert [person["look"] for person in told["people"]] == [person["look"] for person in stage["people"]]
    assert (told["prompt"], told["generator"]) == (PROMPT, "given")


def test_a_file_of_motion_is_filmed_by_synth_render(tmp_path, helped):
    out = tmp_path / "clips"
    done = subprocess.run(
        [sys.executable, "-m", "render.cli", "--scene", "ward_03", "--interaction", helped, "--out", out, "--size",
         "64x48", "--fps", "2", "--seconds", "1.5", "--samples", "1", "--light", "evening", "--json"],
        capture_output=True, text=True, timeout=300, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told, arrays = labels(out)
    assert (told["frames"], len(arrays["time"]), told["light"], told["prompt"]) == (3, 3, "evening", PROMPT)
    assert (told["class"], told["caption"]) == (None, None)  # nobody is helped up in so short a part
    assert json.loads((out / "dataset.json").read_text())["settings"]["inputs"].keys() == {"interaction"}


def test_a_room_alone_is_staged(tmp_path):
    out = tmp_path / "room"
    code, lines, last = run("room", "--scene", "ward_04", "--light", "evening", "--out", out)
    assert code == 0, last
    told = json.loads((out / "stage.json").read_text())
    assert (told["people"], told["props"], told["segments"], told["contacts"]) == ([], [], [], [])
    assert (told["light"]["mood"], lines[-2]["title"]) == ("evening", told["title"])
    assert sorted(path.name for path in out.iterdir()) == ["room.glb", "stage.json", "thumbnail.jpg"]
    assert "interaction.npz: found nothing" in refused(tmp_path, "render", out)


@pytest.mark.parametrize("fps", [1.0, 2.0, 10.0, 26.42, 60.0])
def test_any_rate_can_be_filmed_at_any_other(tmp_path, fps):
    frames = 76
    motion = single(26.42, np.zeros((frames, 3)), np.tile(np.eye(3), (frames, 24, 1, 1)))
    motion.save(tmp_path / "odd.npz")
    whole = given_motion(tmp_path / "odd.npz", fps, None)
    assert given_motion(tmp_path / "odd.npz", fps, whole.seconds).frames == whole.frames == round(whole.seconds * fps)
    assert abs((whole.frames - 1) / fps - (frames - 1) / 26.42) < 1 / fps
    assert given_motion(tmp_path / "odd.npz", fps, 1.0).frames == round(fps)
    with pytest.raises(BadOption, match="--seconds"):
        given_motion(tmp_path / "odd.npz", fps, whole.seconds + 1)


@pytest.mark.parametrize("fps", [1.0, 3.0, 10.0])
def test_a_fall_is_a_fall_in_a_slow_video(tmp_path, fps, body):
    library_entry("fall_backward_02").load().save(tmp_path / "fall.npz")
    motion, actions, _ = given_take(tmp_path / "fall.npz", fps, None, body, load_room("ward_06"))
    assert motion.meta.interaction_class == "fall_backward"
    assert [segment.label for segment in actions.segments] == ["standing", "fall", "fallen"]
    assert actions.segments[-1].end == pytest.approx(motion.seconds)
    for frame, label in enumerate(actions.frame_labels[0]):
        (now,) = [item for item in actions.segments if item.start - 1e-6 <= frame / fps < item.end - 1e-6]
        assert ACTIONS[label] == now.label


def test_a_class_that_is_not_shown_is_not_stated(helped, body):
    motion, room = load_interaction(helped), load_room("ward_03")
    assert measured(motion, body, room)[0].meta.interaction_class == motion.meta.interaction_class
    assert measured(motion.window(0.0, 1.0), body, room)[0].meta.interaction_class is None


@pytest.mark.parametrize("name", ["comfort_touch_04", "hand_over_object_02", "push_wheelchair_01", "talk_standing_02"])
def test_what_two_do_together_is_stated_where_contacts_show_it(name, body):
    """The staff's hand on the patient, the thing passed on, the wheelchair's handles; and that both are there."""
    motion, room = library_entry(name).load().resample(4.0), load_room("ward_06")
    found = measured(motion, body, room)[0]
    assert found.meta.interaction_class == motion.meta.interaction_class
    assert caption_of(found) == motion.meta.captions[0]
    staff = motion.meta.roles.index("staff")
    changed = replace(motion, transl=motion.transl.copy(), present=motion.present.copy())
    changed.transl[staff, :, 0] += 4.0
    changed.present[staff] = not name.startswith("talk")
    alone = measured(changed, body, room)[0]
    assert alone.meta.interaction_class is None
    assert caption_of(alone) is None


def test_a_motion_without_a_class_keeps_its_words(body):
    motion = library_entry("walk_01").load()
    words = replace(motion, meta=replace(motion.meta, text="she walks", captions=(), interaction_class=None))
    assert caption_of(measured(words.window(0, 1).resample(FPS), body, load_room("ward_06"))[0]) == "she walks"


def test_things_are_held_by_who_holds_them(helped, body):
    motion = load_interaction(helped)
    found, actions = measured(motion, body, load_room("ward_03"))
    assert found.meta.actions == actions.segments
    held = [c for c in found.meta.contacts if c.target.get("object") == "cup_1"]
    assert {(c.person, c.part, c.target["spot"]) for c in held} == {(1, "left_hand", "left")}
    two = [Contact(0, "left_hand", {"object": "a"}, 0, 3), Contact(0, "left_hand", {"object": "b"}, 1, 2)]
    assert one_at_a_time(two) == (two[0],)


# ---------------------------------------------------------------------------------------------------------- bad input


def test_check_and_rooms():
    code, (found,), _ = run("check")
    assert (code, found["protocol"], found["missing"]) == (0, 1, [])
    assert found["bpy"]
    assert Path(found["model"]).exists()
    code, (listed,), _ = run("rooms")
    assert code == 0
    ward = next(room for room in listed["rooms"] if room["id"] == "ward_03")
    assert "bed_1" in ward["furniture"]
    assert "corner" in ward["cameras"]


@pytest.mark.parametrize(("gone", "named"), [("bpy", "Blender's Python module bpy is missing"), ("torch", "torch")])
def test_check_says_what_is_missing(gone, named):
    code = f"import sys; sys.modules[{gone!r}] = None; from render.studio import main; main(['check'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    (found,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert any(named in text for text in found["missing"])


def test_without_a_model_the_library_is_taken_and_it_is_said(tmp_path, monkeypatch):
    from synth.diffusion import packaged

    class Heard(list):
        def say(self, event, **values):
            self.append((event, values["text"]))

    heard = Heard()
    assert studio.generator_of(heard, "diffusion", None) == "diffusion"
    monkeypatch.setattr(packaged, "GENERATOR", tmp_path / "gone.safetensors")
    assert studio.generator_of(heard, "diffusion", None) == "retrieval"
    ((event, text),) = heard
    assert event == "warning"
    assert "the trained model is missing" in text


def refused(tmp_path, *words, code=2):
    """The sentence with which a command refuses; nothing is left of what it began."""
    before = sorted(tmp_path.rglob("*"))
    status, lines, last = run(*words, "--out", tmp_path / "out")
    assert status == code
    (error,) = [line["text"] for line in lines if line["event"] == "error"]
    assert lines[-1]["event"] == "error"
    assert last == f"error: {error}"
    assert sorted(tmp_path.rglob("*")) == before
    return error


@pytest.mark.parametrize("command", ["stage", "render"])
def test_a_file_that_is_no_interaction(tmp_path, command):
    path = tmp_path / "notes.npz"
    path.write_bytes(b"PK\x03\x04 no zip")
    error = refused(tmp_path, command, path, "--scene", "ward_03")
    assert str(path) in error
    assert "expected an undamaged npz" in error


def test_an_interaction_of_a_future_version(tmp_path, helped):
    with np.load(helped) as arrays:
        np.savez(tmp_path / "new.npz", **(dict(arrays) | {"version": np.array(2)}))
    error = refused(tmp_path, "stage", tmp_path / "new.npz", "--scene", "ward_03")
    assert "new.npz: version: found 2; expected 1" in error


def test_a_stage_of_a_future_version_or_with_a_field_gone(tmp_path, staged, stage):
    (tmp_path / "interaction.npz").write_bytes((staged / "interaction.npz").read_bytes())
    (tmp_path / "stage.json").write_text(json.dumps(stage | {"version": 9}))
    error = refused(tmp_path, "render", tmp_path)
    assert "stage.json: version: found 9; expected 1" in error
    cases = (
        ({"format": "other"}, "format"), ({"room": None}, "room.scene"), ({"seed": 3}, "seed"),
        ({"light": {"mood": "dawn", "variation": {}}}, "light.mood"), ({"cameras": [1]}, "cameras"),
        ({"cameras": [stage["cameras"][0]] * 2}, "cameras[1].name"),
        ({"light": {"mood": "day", "variation": {"sun": "x"}}}, "light.variation.sun"),
        ({"people": [{"look": {"outfit": "armour"}}]}, "people.look[0].outfit"),
    )  # fmt: skip
    for change, field in cases:
        (tmp_path / "stage.json").write_text(json.dumps(stage | change))
        with pytest.raises(BadFile) as wrong:
            read_stage(tmp_path / "stage.json")
        assert wrong.value.field == field


def test_unknown_rooms_cameras_and_furniture(tmp_path, helped, staged):
    assert "ward_03" in refused(tmp_path, "stage", helped, "--scene", "ward_3")
    assert "corner" in refused(tmp_path, "render", staged, "--camera", "cornr")
    asked = ("--scene", "ward_03", "--prompt", PROMPT, "--near", "bed_9", "--generator", "retrieval")
    assert "bed_1" in refused(tmp_path, "generate", *asked)
    assert "--scene" in refused(tmp_path, "render", helped)
    assert "--seconds" in refused(tmp_path, "render", staged, "--seconds", "99")


def test_a_room_without_cameras_is_said(tmp_path, helped):
    from synth.rooms import room_meshes

    room = load_room("ward_04")
    save_room(replace(room, cameras=()), room_meshes(room), tmp_path / "room")
    assert "camera" in refused(tmp_path, "stage", helped, "--scene", tmp_path / "room")


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, helped):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("x")
    assert "a new or empty folder" in refused(tmp_path, "stage", helped, "--scene", "ward_03")


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ([], "file"),
        ({"version": 2, "people": []}, "version"),
        ({"version": 1}, "people"),
        ({"version": 1, "people": ["staff"]}, "people[0]"),
        ({"version": 1, "people": [None, {"outfit": "armour"}]}, "people[1].outfit"),
        ({"version": 1, "people": [{"tone": 3}]}, "people[0].tone"),
        ({"version": 1, "people": [{"role": "king"}]}, "people[0].role"),
        ({"version": 1, "people": [{"hat": "red"}]}, "people[0].hat"),
        ({"version": 1, "people": [{"parts": ["crown"]}]}, "people[0].parts"),
        ({"version": 1, "people": [{"colours": {"shirt": [0, 0, 300]}}]}, "people[0].colours.shirt"),
    ],
)
def test_wrong_looks_are_named(tmp_path, value, field):
    path = tmp_path / "looks.json"
    path.write_text(json.dumps(value))
    with pytest.raises(BadFile) as wrong:
        read_looks(path)
    assert wrong.value.field == field
    assert str(path) in str(wrong.value)


def test_looks_are_as_asked_for(tmp_path, helped):
    path = tmp_path / "looks.json"
    path.write_text(json.dumps({
        "version": 1,
        "people": [None, {"hair_colour": [0.1, 0.2, 0.3]}, {"role": "patient", "outfit": "pyjamas", "tone": 1.0}],
    }))  # fmt: skip
    meta = load_interaction(helped).meta
    drawn, asked = (draw_look(np.random.default_rng(1), meta, wishes) for wishes in ((), read_looks(path)))
    patient, staff = meta.roles.index("patient"), meta.roles.index("staff")
    assert asked.people[patient].outfit == "pyjamas"
    assert sum(asked.people[patient].skin) < 0.4
    assert drawn.people[staff].outfit == asked.people[staff].outfit == "scrubs"
    broken = tmp_path / "broken.json"
    broken.write_text('{"version": 1, "people": [{"outfit": "armour"}]}')
    error = refused(tmp_path, "stage", helped, "--scene", "ward_03", "--looks", broken)
    assert "people[0].outfit: found armour; expected one of scrubs" in error
    complete = json.loads(json.dumps(asked.as_json()))  # looks as labels and stages hold them are wishes too
    path.write_text(json.dumps({"version": 1, "people": complete["people"]}))
    assert draw_look(np.random.default_rng(5), meta, read_looks(path)) == asked


# --------------------------------------------------------------------------------------------------------- interruption


def living(session):
    """Processes of a session that are not mere entries of the dead."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if fields[3] == str(session) and fields[0] != "Z":
                found.append(entry.name)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to count processes")
@pytest.mark.parametrize("how", ["loading", "adapting", "staging", "rendering", "closed"])
def test_an_interrupted_command_leaves_nothing(tmp_path, staged, how):
    out = tmp_path / "out"
    making = ["generate", "--scene", "ward_03", "--prompt", PROMPT, "--seconds", "4", "--generator", "retrieval"]
    words = ["render", str(staged), "--size", "64x48", "--samples", "1"] if how == "rendering" else making
    process = subprocess.Popen(
        [sys.executable, "-m", "render.studio", *words, "--out", str(out)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=ROOT,
    )  # fmt: skip
    wanted = "adapting" if how == "closed" else how
    for line in process.stdout:
        if wanted in json.loads(line).get("text", ""):
            break
    if how == "closed":
        process.stdout.close()  # Blender is gone
    else:
        process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 130
    assert process.stderr.read().endswith("error: interrupted\n")
    until = time.monotonic() + 5
    while living(process.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert living(process.pid) == []
    assert not out.exists()
    assert list(tmp_path.iterdir()) == []


def test_help_comes_without_what_is_heavy():
    code = "import sys; import render.studio; sys.exit(any(name in sys.modules for name in ('torch', 'bpy')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ, check=False).returncode == 0


def test_one_person_alone_and_absent_for_a_while(tmp_path, body):
    """The smallest motion: one person, one frame more than one, away in between."""
    rotations = np.tile(np.eye(3), (3, 24, 1, 1))
    rotations[:, 0] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    rest = body.rest_joints(np.zeros(10))
    transl = np.tile([2.0, 2.0, 0.95], (3, 1)) - rest[SMPL_PARENTS.index(-1)]
    motion = single(4.0, transl, rotations, meta=Meta(roles=("person",), genders=("neutral",)))
    replace(motion, present=np.array([[True, False, True]])).save(tmp_path / "one.npz")
    out = tmp_path / "stage"
    code, lines, last = run("stage", tmp_path / "one.npz", "--scene", "ward_04", "--out", out)
    assert code == 0, last
    told = json.loads((out / "stage.json").read_text())
    assert told["people"][0]["present"] == [[0.0, 0.25], [0.5, 0.75]]
    assert told["prompt"] == "a given motion"
    assert lines[-1]["made"] == 1
