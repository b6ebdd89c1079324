"""Rooms in Blender: objects, materials and light, and that an exported room renders like the built-in one."""

from __future__ import annotations

import numpy as np
import pytest

from synth.errors import BadOption
from synth.gltf import Material, SceneMesh
from synth.room import Room
from synth.rooms import BUILTIN, load_room, room_meshes, save_room

pytest.importorskip("bpy")

from render.blender.camera import set_camera
from render.blender.light import MOODS, draw_light, set_light
from render.blender.materials import KINDS
from render.blender.room import add_room
from render.blender.session import RenderSettings, load_bpy, new_scene, quiet

SMALL = RenderSettings(64, 48, samples=1, device="cpu")


def picture(room, meshes, tmp_path, mood="day", camera="corner"):
    """The rendered pixels, uint8 [H, W, 3]."""
    from PIL import Image

    with quiet():
        scene = new_scene(SMALL)
        add_room(scene, room, meshes)
        set_light(scene, room, mood)
        set_camera(scene, room.camera(camera).scaled(SMALL.width, SMALL.height))
        scene.render.filepath = str(tmp_path / f"{mood}.bmp")
        load_bpy().ops.render.render(write_still=True)
    return np.asarray(Image.open(tmp_path / f"{mood}.bmp").convert("RGB"))


@pytest.mark.parametrize("name", BUILTIN)
def test_objects_carry_their_furniture(name):
    room = load_room(name)
    meshes = room_meshes(room)
    objects = add_room(new_scene(SMALL), room, meshes)
    assert [o["part"] for o in objects] == [m.name for m in meshes]
    assert {o["furniture"] for o in objects} == {"", *(f.id for f in room.furniture)}
    load_bpy().context.view_layer.update()
    for item, mesh in zip(objects, meshes, strict=True):
        local = np.empty(len(item.data.vertices) * 3, np.float32)
        item.data.vertices.foreach_get("co", local)
        world = np.c_[local.reshape(-1, 3), np.ones(len(mesh.vertices))] @ np.array(item.matrix_world).T
        assert np.abs(world[:, :3] - mesh.vertices).max() < 1e-5


def test_furniture_can_be_left_out():
    room = load_room("ward_03")
    objects = add_room(new_scene(SMALL), room, room_meshes(room), leave_out=["wheelchair_1"])
    assert "wheelchair_1" not in {o["furniture"] for o in objects}


def test_every_material_kind_of_the_rooms_is_known():
    plain = {"plain", "plastic", "rubber", "ceiling", "screen"}
    kinds = {m.material.name.split(".")[0] for name in BUILTIN for m in room_meshes(load_room(name))}
    assert kinds - set(KINDS) <= plain


def test_exported_room_renders_the_same(tmp_path):
    room = load_room("ward_04")
    meshes = room_meshes(room)
    save_room(room, meshes, tmp_path / "mine")
    again = load_room(tmp_path / "mine")
    first = picture(room, meshes, tmp_path)
    assert np.array_equal(first, picture(again, room_meshes(again), tmp_path))
    assert 90 < first.mean() < 230


def test_moods_differ(tmp_path):
    room = load_room("ward_03")
    meshes = room_meshes(room)
    mean = {mood: picture(room, meshes, tmp_path, mood).mean((0, 1)) for mood in MOODS}
    assert mean["day"].mean() > mean["evening"].mean() > mean["night"].mean() > 12
    assert mean["evening"][0] / mean["evening"][2] > 1.3 * mean["day"][0] / mean["day"][2]


def test_a_users_plain_room_is_lit(tmp_path):
    """No windows, no lamps, unknown material names: still bright enough to see."""
    builtin = load_room("ward_04")
    grey = Material("Wall paint 3", (0.6, 0.6, 0.6), 0.8)
    shell = [SceneMesh(m.name, m.vertices, m.faces, grey) for m in room_meshes(builtin) if m.name.startswith("room/")]
    room = Room("mine", builtin.floor, builtin.height, (), builtin.cameras)
    assert picture(room, shell, tmp_path).mean() > 70


def test_light_is_drawn_from_the_generator_alone():
    assert draw_light(np.random.default_rng(3)) == draw_light(np.random.default_rng(3))
    assert draw_light(np.random.default_rng(3)) != draw_light(np.random.default_rng(4))


def test_unknown_mood():
    room = load_room("ward_01")
    with pytest.raises(BadOption, match="evening"):
        set_light(new_scene(SMALL), room, "noon")
