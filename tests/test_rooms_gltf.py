"""glTF files: exact round trips, an independent reader, and damaged files."""

from __future__ import annotations

import contextlib
import json
import struct

import numpy as np
import pytest

from synth.errors import BadFile, BadOption
from synth.gltf import Material, SceneMesh, read_glb, write_glb
from synth.rooms import BUILTIN, build_room, load_room, room_meshes, save_room

TRIANGLE = SceneMesh(
    "bed_1/sheet",
    np.array([[0, 0, 0], [1, 0, 0.1], [0, 2, 0.3]], np.float32),
    np.array([[0, 1, 2]], np.int32),
    Material("bedding.white", (0.1, 0.25, 0.7), 0.3, 0.5, (2.0, 1.0, 0.5), 0.25),
    np.array([[0, 0, 1]] * 3, np.float32),
    np.array([[0, 0], [1, 0], [0, 1]], np.float32),
)


def same(a: SceneMesh, b: SceneMesh) -> bool:
    arrays = all(
        (x is None and y is None) or np.array_equal(x, y)
        for x, y in ((a.vertices, b.vertices), (a.faces, b.faces), (a.normals, b.normals), (a.uv, b.uv))
    )
    return arrays and a.name == b.name and a.material == b.material


def rewritten(path, change):
    """The file again with its JSON changed."""
    data = path.read_bytes()
    length = struct.unpack_from("<I", data, 12)[0]
    document = json.loads(data[20 : 20 + length])
    change(document)
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + length :]
    path.write_bytes(
        struct.pack("<III", 0x46546C67, 2, 20 + len(text) + len(rest))
        + struct.pack("<II", len(text), 0x4E4F534A)
        + text
        + rest
    )


def test_round_trip_is_exact(tmp_path):
    write_glb(tmp_path / "a.glb", [TRIANGLE])
    (mesh,) = read_glb(tmp_path / "a.glb")
    assert same(mesh, TRIANGLE)
    write_glb(tmp_path / "b.glb", [mesh])
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()


def test_another_reader_sees_it_y_up(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    write_glb(tmp_path / "a.glb", [TRIANGLE])
    scene = trimesh.load(tmp_path / "a.glb")
    points = np.concatenate([g.vertices for g in scene.geometry.values()])
    assert np.allclose(points.max(0), [1, 0.3, 0])
    assert np.allclose(points.min(0), [0, 0, -2])


def test_node_transforms_and_strips(tmp_path):
    path = tmp_path / "a.glb"
    write_glb(path, [TRIANGLE])

    def change(document):
        document["meshes"][0]["primitives"][0]["mode"] = 5
        document["nodes"] = [
            {"children": [1], "translation": [1, 2, 3], "scale": [2, 2, 2]},
            {"mesh": 0, "name": "x", "rotation": [0, 0.7071067811865476, 0, 0.7071067811865476]},
        ]
        document["scenes"] = [{"nodes": [0]}]

    rewritten(path, change)
    (mesh,) = read_glb(path)
    # file point (1, 0.1, 0) turned 90 degrees about y is (0, 0.1, -1); doubled and moved (1, 2.2, 1)
    assert np.allclose(mesh.vertices[1], [1, -1, 2.2], atol=1e-6)
    assert np.allclose(np.linalg.norm(mesh.normals, axis=1), 1)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda d: d.update(extensionsRequired=["KHR_draco_mesh_compression"]), "extensionsRequired"),
        (lambda d: d["accessors"][0].update(count=10**7), "accessors[0]"),
        (lambda d: d["accessors"][0].update(bufferView=9), "glTF"),
        (lambda d: d["accessors"][0].update(bufferView=-1), "glTF"),
        (lambda d: d["buffers"][0].update(uri="http://example.org/x.bin"), "buffers[0].uri"),
        (lambda d: d["buffers"][0].update(byteLength=10**9), "buffers[0]"),
        (lambda d: d.update(nodes=[{"children": [0]}]), "nodes[0]"),
        (lambda d: d.update(materials="x"), "glTF"),
        (lambda d: d["meshes"][0].update(primitives=None), "glTF"),
    ],
)
def test_broken_documents_are_named(tmp_path, change, field):
    path = tmp_path / "a.glb"
    write_glb(path, [TRIANGLE])
    rewritten(path, change)
    with pytest.raises(BadFile) as caught:
        read_glb(path)
    assert caught.value.field == field


def test_damaged_bytes_never_escape(tmp_path):
    path = tmp_path / "a.glb"
    write_glb(path, [TRIANGLE])
    good = path.read_bytes()
    rng = np.random.default_rng(1)
    cuts = [good[:n] for n in (0, 4, 19, 60, len(good) - 1)] + [b"x" * 100, good + b"1234"]
    flips = []
    for _ in range(200):
        data = bytearray(good)
        data[int(rng.integers(len(data)))] = int(rng.integers(256))
        flips.append(bytes(data))
    for data in cuts:
        path.write_bytes(data)
        with pytest.raises(BadFile):
            read_glb(path)
    for data in flips:
        path.write_bytes(data)
        with contextlib.suppress(BadFile):
            read_glb(path)


def test_missing_file():
    with pytest.raises(BadFile, match="No such file"):
        read_glb("nowhere.glb")


@pytest.mark.parametrize("name", BUILTIN)
def test_exported_room_loads_the_same(tmp_path, name):
    room, meshes = build_room(name)
    save_room(room, meshes, tmp_path / "mine")
    again = load_room(tmp_path / "mine")
    assert again.to_json() == room.to_json()
    loaded = room_meshes(again)
    assert len(loaded) == len(meshes)
    assert all(same(a, b) for a, b in zip(loaded, meshes, strict=True))
    save_room(again, loaded, tmp_path / "twice")
    for file in ("room.json", "room.glb"):
        assert (tmp_path / "mine" / file).read_bytes() == (tmp_path / "twice" / file).read_bytes()


def test_room_without_its_mesh(tmp_path):
    room, meshes = build_room("ward_04")
    save_room(room, [m for m in meshes if not m.name.startswith("toilet_1")], tmp_path)
    with pytest.raises(BadFile, match="toilet_1"):
        room_meshes(load_room(tmp_path))


def test_unknown_room_names_the_nearest():
    with pytest.raises(BadOption, match="ward_03"):
        load_room("ward_3")
