"""The built-in rooms: valid, furnished with measures from practice, seen by cameras as care homes mount them."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from click.testing import CliRunner

from synth.room import room_from_json
from synth.rooms import BUILTIN, _plan, build_room, load_room, shapes
from synth.rooms.cli import rooms
from synth.taxonomy import FURNITURE_CLASSES

ROOMS = {name: build_room(name) for name in BUILTIN}
SEATS = {
    "bed": (0.45, 0.55),
    "chair": (0.43, 0.48),
    "armchair": (0.43, 0.48),
    "sofa": (0.40, 0.46),
    "wheelchair": (0.46, 0.52),
    "toilet": (0.45, 0.48),
}


def footprints_overlap(a, b) -> bool:
    """Separating axis test of two convex floor outlines [4, 2]."""
    for outline in (a, b):
        edges = np.roll(outline, -1, 0) - outline
        for x, y in edges:
            normal = np.array([-y, x]) / np.hypot(x, y)
            one, two = a @ normal, b @ normal
            if one.max() <= two.min() + 1e-3 or two.max() <= one.min() + 1e-3:
                return False
    return True


def boxes_overlap(a, b) -> bool:
    low_a, high_a = a.center[2] - a.size[2] / 2, a.center[2] + a.size[2] / 2
    low_b, high_b = b.center[2] - b.size[2] / 2, b.center[2] + b.size[2] / 2
    return min(high_a, high_b) > max(low_a, low_b) + 1e-3 and footprints_overlap(a.footprint(), b.footprint())


def test_names():
    assert tuple(f"ward_0{i}" for i in range(1, 7)) == BUILTIN


@pytest.mark.parametrize("name", BUILTIN)
def test_room_is_valid_json(name):
    room, _ = ROOMS[name]
    again = room_from_json(json.loads(json.dumps(room.to_json())), "room.json")
    assert again.to_json() == room.to_json()
    assert load_room(name).to_json() == room.to_json()


@pytest.mark.parametrize("name", BUILTIN)
def test_building_is_fast_light_and_repeatable(name):
    _plan.cache_clear()
    started = time.process_time()
    _, meshes = build_room(name)
    assert time.process_time() - started < 6  # under 2 s on a free core
    assert sum(len(m.vertices) for m in meshes) < 150_000
    for first, second in zip(meshes, ROOMS[name][1], strict=True):
        assert first.name == second.name
        assert np.array_equal(first.vertices, second.vertices)
    assert len({m.name for m in meshes}) == len(meshes)


@pytest.mark.parametrize("name", BUILTIN)
def test_furniture_stands_inside_and_apart(name):
    room, _ = ROOMS[name]
    for item in room.furniture:
        assert item.cls in FURNITURE_CLASSES
        middle = room.floor.mean(0)
        inner = middle + (item.box.footprint() - middle) * 0.998
        assert room.contains(inner).all(), item.id
        low, high = item.box.center[2] - item.box.size[2] / 2, item.box.center[2] + item.box.size[2] / 2
        assert low >= -1e-6
        assert high <= room.height
        for solid in item.world_solids():
            corners = item.box.to_local(np.c_[solid.footprint(), np.full(4, solid.center[2])])
            assert (np.abs(corners[:, :2]) <= item.box.size[:2] / 2 + 0.011).all(), (item.id, solid)
    for i, one in enumerate(room.furniture):
        for two in room.furniture[i + 1 :]:
            clash = [(a, b) for a in one.world_solids() for b in two.world_solids() if boxes_overlap(a, b)]
            assert not clash, (one.id, two.id)


@pytest.mark.parametrize("name", BUILTIN)
def test_meshes_fill_their_boxes(name):
    room, meshes = ROOMS[name]
    for item in room.furniture:
        points = np.concatenate([m.vertices for m in meshes if m.name.split("/")[0] == item.mesh])
        local = item.box.to_local(points)
        low, high = local.min(0), local.max(0)
        assert (low >= -item.box.size / 2 - 0.03).all(), (item.id, low)
        assert (high <= item.box.size / 2 + 0.03).all(), (item.id, high)
        assert (high - low >= item.box.size * 0.85 - 0.02).all(), (item.id, high - low, item.box.size)


@pytest.mark.parametrize("name", BUILTIN)
def test_meshes_are_sound(name):
    room, meshes = ROOMS[name]
    for mesh in meshes:
        assert np.isfinite(mesh.vertices).all()
        assert mesh.faces.min() >= 0
        assert mesh.faces.max() < len(mesh.vertices)
        if not mesh.name.startswith("window"):
            low, high = mesh.vertices.min(0), mesh.vertices.max(0)
            assert low[2] > -0.01, mesh.name
            assert high[2] < room.height + 0.01, mesh.name
            assert (low[:2] > room.floor.min(0) - 0.2).all(), mesh.name
            assert (high[:2] < room.floor.max(0) + 0.2).all(), mesh.name


@pytest.mark.parametrize("name", BUILTIN)
def test_seats(name):
    for item in ROOMS[name][0].furniture:
        if item.cls in SEATS:
            low, high = SEATS[item.cls]
            assert low <= item.seat_height <= high
            assert item.seat is not None
            assert np.isclose(item.box.to_world(item.seat.center)[2], item.seat_height)
            assert (np.abs(item.seat.center[:2]) + item.seat.size[:2] / 2 <= item.box.size[:2] / 2).all()


@pytest.mark.parametrize("name", BUILTIN)
def test_cameras_as_care_homes_mount_them(name):
    room, _ = ROOMS[name]
    assert {c.camera.model for c in room.cameras} == {"pinhole", "brown_conrady", "fisheye"}
    for item in room.cameras:
        camera = item.camera
        x, y, z = camera.position
        assert room.contains([x, y])
        wide, _ = camera.field_of_view()
        corners = [
            (-0.5, -0.5),
            (camera.width - 0.5, -0.5),
            (-0.5, camera.height - 0.5),
            (camera.width - 0.5, camera.height - 0.5),
        ]
        assert np.isfinite(camera.unproject(corners)[1]).all()
        if camera.model == "fisheye":
            assert wide >= 180
            assert room.height - 0.1 < z < room.height
            assert camera.world_from_camera[2, 2] < -0.99
        else:
            assert 90 <= wide <= 120
            assert 2.3 <= z <= 2.6
        for solid in (s for f in room.furniture for s in f.world_solids()):
            inside = np.abs(solid.to_local([x, y, z])) <= solid.size / 2
            assert not inside.all()


@pytest.mark.parametrize("name", BUILTIN)
def test_room_to_move(name):
    """Somewhere 1.5 x 2 m of floor is free, beside a bed, chair or fixture where there is one."""
    room, _ = ROOMS[name]
    low, high = room.floor.min(0) + 0.05, room.floor.max(0)
    taken = [f.box.footprint() for f in room.furniture]
    free = []
    for size in ((1.5, 2.0), (2.0, 1.5)):
        for x in np.arange(low[0], high[0] - size[0], 0.2):
            for y in np.arange(low[1], high[1] - size[1], 0.2):
                spot = np.array([[x, y], [x + size[0], y], [x + size[0], y + size[1]], [x, y + size[1]]])
                if not any(footprints_overlap(spot, t) for t in taken):
                    free.append(spot.mean(0))
    assert free
    seats = room.of_class("bed", "chair", "armchair", "toilet")
    gaps = [np.linalg.norm(np.array(free) - f.box.center[:2], axis=1).min() for f in seats]
    assert min(gaps) < 1.9


def test_beds_can_be_reached():
    """Beside each bed one long side has 0.8 m of free floor at its middle and no raised rail at its foot half."""
    for room, _ in ROOMS.values():
        for bed in room.of_class("bed"):
            sides = []
            for side in (-1, 1):
                x = side * (bed.box.size[0] / 2 + 0.42)
                strip = bed.box.to_world(
                    np.array([[x - 0.4, -0.4, 0], [x + 0.4, -0.4, 0], [x + 0.4, 0.7, 0], [x - 0.4, 0.7, 0]])
                )[:, :2]
                blocked = any(footprints_overlap(strip, f.box.footprint()) for f in room.furniture if f.id != bed.id)
                rail = any(
                    s.center[2] > 0.1 and np.sign(s.center[0]) == side and abs(s.center[0]) > 0.4 and s.center[1] > 0
                    for s in bed.solids
                )
                sides.append(bool(room.contains(strip).all()) and not blocked and not rail)
            assert any(sides), (room.name, bed.id, sides)


def test_classes_the_rooms_must_have():
    classes = {name: {f.cls for f in room.furniture} for name, (room, _) in ROOMS.items()}
    assert {"bed", "armchair", "nightstand", "wardrobe", "door", "sink"} <= classes["ward_01"]
    assert len(ROOMS["ward_02"][0].of_class("bed")) == 2
    assert "lift" in classes["ward_02"]
    assert {"bed", "armchair", "wheelchair", "walker", "nightstand", "wardrobe", "door", "table", "chair"} <= classes[
        "ward_03"
    ]
    assert {"toilet", "sink", "chair", "door"} <= classes["ward_04"]
    assert {"sofa", "armchair", "table", "chair", "door"} <= classes["ward_05"]
    assert set().union(*classes.values()) == set(FURNITURE_CLASSES)


@pytest.mark.parametrize(
    "shape",
    [
        shapes.box((0.4, 0.3, 0.2), bevel=0.02, segments=3),
        shapes.box((1, 1, 1), bevel=0),
        shapes.cushion((0.5, 0.5, 0.1)),
        shapes.cylinder(0.1, 0.3, axis="x"),
        shapes.sphere(0.2),
        shapes.torus(0.3, 0.02, axis="y"),
        shapes.tube([(0, 0, 0), (0, 0, 1), (0, 1, 1)], 0.02),
        shapes.prism([(0, 0), (1, 0), (1, 1), (0, 1)], 0.3),
    ],
)
def test_solids_are_closed_and_face_outwards(shape):
    edges = np.concatenate([shape.faces[:, [0, 1]], shape.faces[:, [1, 2]], shape.faces[:, [2, 0]]])
    directed = {tuple(e) for e in edges.tolist()}
    assert len(directed) == len(edges)
    assert all((b, a) in directed for a, b in directed)
    a, b, c = (shape.vertices[shape.faces[:, i]] for i in range(3))
    assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() > 0


def test_box_has_its_size():
    shape = shapes.box((0.4, 0.3, 0.2), (1, 2, 3), bevel=0.02, segments=2)
    assert np.allclose(shape.vertices.max(0) - shape.vertices.min(0), (0.4, 0.3, 0.2))
    assert np.allclose((shape.vertices.max(0) + shape.vertices.min(0)) / 2, (1, 2, 3))


def test_commands(tmp_path):
    run = CliRunner().invoke
    listed = run(rooms, ["list", "--json"])
    assert [r["name"] for r in json.loads(listed.output)] == list(BUILTIN)
    shown = run(rooms, ["show", "ward_03"])
    assert "care-home bedroom" in shown.output
    assert "wheelchair_1" in shown.output
    assert "fisheye" in shown.output
    assert run(rooms, ["export", "ward_04", "--out", str(tmp_path / "mine")]).exit_code == 0
    again = json.loads(run(rooms, ["show", str(tmp_path / "mine"), "--json"]).output)
    assert again["name"] == "ward_04"
    assert len(again["cameras"]) == 3
    assert run(rooms, ["export", "ward_04", "--out", str(tmp_path / "mine")]).exit_code != 0
    assert run(rooms, ["export", "ward_04", "--out", str(tmp_path / "mine"), "--force"]).exit_code == 0
