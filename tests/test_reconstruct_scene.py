"""A still scene as a Room: the built-in wards' boxes seen by made cameras, with noise, and what is found of them."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
import trimesh

from benchmarks.recordings import camera_in, seen
from synth.camera import Camera, look_at, pinhole_matrix
from synth.errors import BadFile, BadOption
from synth.reconstruct.furnish import furnish, seat_height
from synth.reconstruct.grid import joined, settled, thinned, world_points
from synth.reconstruct.layout import NoRoom, floor_polygon, layout, outline, ray_to_polygon
from synth.reconstruct.pieces import pieces
from synth.reconstruct.regions import CLASSES, LABEL
from synth.reconstruct.scene import reconstructed_room
from synth.reconstruct.seats import seat_parts
from synth.reconstruct.shell import flattened
from synth.reconstruct.silhouette import cast
from synth.reconstruct.surface import cloud, linear, still_image, surface, write_cloud
from synth.room import Box, Furniture, Room, RoomCamera
from synth.rooms import load_room, room_meshes, save_room
from synth.rotation import yaw_matrix

W, H = 160, 120
NOISE = 0.02
SEEN_WHOLE = 150  # pixels from which on a piece counts: less is a sliver behind something
PALETTE = np.random.default_rng(0).integers(40, 230, (len(CLASSES), 3)).astype(np.uint8)


def noisy(depth: np.ndarray, seed: int, noise: float = NOISE) -> tuple[np.ndarray, np.ndarray]:
    """Depth with noise and six holes, and what is known of it."""
    generator = np.random.default_rng(seed)
    known = np.ones(depth.shape, bool)
    for row, column in zip(generator.integers(H, size=6), generator.integers(W, size=6), strict=True):
        known[max(row - 7, 0) : row + 7, max(column - 6, 0) : column + 6] = False
    return np.where(known, depth * (1 + noise * generator.normal(size=depth.shape)), np.nan), known


def bounds(item: Furniture) -> Box:
    """The box of what there is of a piece to be seen: its solids."""
    solids = item.solids or (Box(np.zeros(3), item.box.size),)
    ends = np.array([[s.center - np.asarray(s.size) / 2, s.center + np.asarray(s.size) / 2] for s in solids])
    low, high = ends[:, 0].min(0), ends[:, 1].max(0)
    return Box(item.box.to_world((low + high) / 2), high - low, item.box.yaw)


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two footprints."""
    both = cv2.intersectConvexConvex(first.footprint().astype(np.float32), second.footprint().astype(np.float32))[0]
    return both / (np.prod(first.size[:2]) + np.prod(second.size[:2]) - both)


def area(polygon: np.ndarray) -> float:
    return abs(cv2.contourArea(polygon.astype(np.float32)))


def turned(angle: float) -> float:
    """An angle in radians as degrees from -180 to 180."""
    return float((np.rad2deg(angle) + 180) % 360 - 180)


@cache
def found(ward: str, place: str, model: str) -> tuple[Room, Room, np.ndarray, list]:
    """The true room, the one made of its noisy depth, which pieces' pixels were seen, and the meshes."""
    room = load_room(ward)
    camera = camera_in(room, place, model)
    depth, labels, owner = seen(room, camera)
    made, meshes = reconstructed_room("made", camera, *noisy(depth, 1), PALETTE[labels], labels)
    return room, made, owner, meshes


VIEWS = [
    (ward, place, model)
    for ward in ("ward_01", "ward_02", "ward_03", "ward_05")
    for place, model in (("corner", "pinhole"), ("corner", "fisheye"), ("door", "fisheye"))
]


def test_furniture_is_found_where_it_stands_despite_noise_and_holes():
    overlaps, yaws, seats, beds = [], [], [], []
    for view in VIEWS:
        room, made, owner, _ = found(*view)
        for index, item in enumerate(room.furniture):
            if item.cls == "door" or (owner == index).sum() < SEEN_WHOLE:  # a door is a line on the floor
                continue
            tries = made.of_class(item.cls)
            assert tries, f"{view}: no {item.cls}"
            best = max(tries, key=lambda other: overlap(other.box, bounds(item)))
            overlaps.append(overlap(best.box, bounds(item)))
            yaws.append(abs((turned(best.box.yaw - item.box.yaw) + 45) % 90 - 45))
            if item.cls == "bed":
                beds.append((overlaps[-1], abs(turned(best.box.yaw - item.box.yaw))))
            if made.quality["furniture"][best.id].get("seat_height") == "measured":
                seats.append(abs(best.seat_height - item.seat_height))
    print(f"\n{len(overlaps)} pieces: overlap {np.median(overlaps):.2f}, quartile {np.quantile(overlaps, 0.25):.2f}")
    print(
        f"yaw {np.median(yaws):.1f} deg, mean {np.mean(yaws):.1f}; beds' overlap {min(b[0] for b in beds):.2f} at worst"
    )
    print(f"{len(seats)} seats: off by {100 * np.median(seats):.1f} cm, {100 * max(seats):.1f} at worst")
    assert len(overlaps) > 60
    assert np.median(overlaps) >= 0.7
    assert np.quantile(overlaps, 0.25) >= 0.55
    assert np.median(yaws) < 1
    assert len(seats) > 25
    assert np.mean(np.array(seats) < 0.04) >= 0.9
    assert max(seats) < 0.08
    assert min(b[0] for b in beds) > 0.6
    assert max(b[1] for b in beds) < 5  # the head is the head, too


@pytest.mark.parametrize("view", VIEWS)
def test_the_floor_and_the_ceiling_are_those_of_the_room(view):
    room, made, _, _ = found(*view)
    assert area(made.floor) == pytest.approx(area(room.floor), rel=0.05)
    assert made.height == pytest.approx(room.height, abs=0.03)
    assert made.quality["floor"] == "walls"
    assert made.quality["height"] == "ceiling"
    inner = room.floor.mean(0) + 0.95 * (room.floor - room.floor.mean(0))
    assert made.contains(inner).all()


def test_a_turned_room_is_found_turned():
    room = load_room("ward_02")
    camera = camera_in(room, "corner", "pinhole")
    depth, labels, _ = seen(room, camera)
    turn = np.eye(4)
    turn[:3, :3], turn[:3, 3] = yaw_matrix(np.deg2rad(30)), (1.0, -2.0, 0.0)
    view = camera.moved(turn @ camera.world_from_camera)
    points = world_points(depth, np.ones(depth.shape, bool), view)
    plan = layout(points, labels, view)
    assert np.rad2deg(plan.yaw) == pytest.approx(30, abs=0.5)
    back = (np.c_[plan.polygon, np.zeros(4)] - turn[:3, 3]) @ turn[:3, :3]
    assert sorted(np.abs(back[:, :2]).sum(1)) == pytest.approx(sorted(room.floor.sum(1)), abs=0.15)
    bed = next(item for item in furnish(points, labels, view, plan).furniture if item.cls == "bed")
    assert min(abs(turned(bed.box.yaw - np.pi - np.deg2rad(30))), 360) < 1


def test_the_outline_keeps_people_in_and_reflections_out():
    generator = np.random.default_rng(0)
    floor = generator.uniform([0, 0], [4, 3], (2000, 2))
    sides = generator.uniform(0, 1, (300, 1))
    walls = np.concatenate([sides * [4, 0] + [0, 3], sides * [0, 3] + [0, 0], sides * [0, 3] + [4, 0]])
    walls = np.concatenate([walls + generator.normal(0, 0.02, walls.shape), sides[:100] * [1, 0] + [1, 5]])  # a mirror
    camera = Camera("pinhole", W, H, pinhole_matrix(W, H, 80), world_from_camera=look_at([2, 0.2, 2.4], [2, 3, 0]))
    plan = outline(np.concatenate([floor, [[1.5, 4.5]] * 20]), floor, walls, camera, None, 2.5, "usual")
    assert area(plan.polygon) == pytest.approx(12, rel=0.05)
    feet = np.array([[4.4, 1.0], [2.0, 2.0], [np.nan, 0.0]])
    wider = outline(floor, floor, walls, camera, feet, 2.5, "usual")
    assert Room("r", wider.polygon, 2.5).contains(feet[:2]).all()
    # without walls at right angles: the hull
    round_floor = floor[np.linalg.norm(floor - [2, 1.5], axis=1) < 1.4]
    hull = outline(round_floor, round_floor, np.zeros((0, 2)), camera, feet, 2.5, "usual")
    assert hull.sources["polygon"] == "hull"
    assert Room("r", hull.polygon, 2.5).contains([*feet[:2], camera.position[:2], [2, 1.5]]).all()
    assert ray_to_polygon(plan.polygon, np.array([2.0, 1.5]), np.array([1.0, 0.0])) == pytest.approx(2, abs=0.05)
    with pytest.raises(NoRoom, match="floor"):
        outline(floor[:5], floor[:5], walls, camera, None, 2.5, "usual")


@pytest.mark.parametrize("model", ["pinhole", "fisheye"])
def test_the_mesh_is_what_the_camera_saw(model):
    room = load_room("ward_02")
    camera = camera_in(room, "corner", model)
    depth, labels, _ = seen(room, camera)
    known = np.ones(depth.shape, bool)
    known[30:50, 60:80] = False
    meshes = surface(depth, known, camera, PALETTE[labels])
    corners = np.concatenate([mesh.vertices[mesh.faces] for mesh in meshes]).astype(float)
    assert 0.8 * 2 * W * H < len(corners) < 2 * W * H
    generator = np.random.default_rng(0)
    rows, columns = generator.integers(1, H - 1, 250), generator.integers(1, W - 1, 250)
    # rays beside the pixels' centres, so that they hit faces and not corners
    eye, rays = camera.unproject(np.stack([columns + 0.3, rows + 0.2], -1))
    hit = first_hit(corners, eye, rays)
    truth = seen_beside(room, camera, rows, columns)
    inside = known[rows, columns] & known[rows + 1, columns] & known[rows, columns + 1] & known[rows + 1, columns + 1]
    error = np.abs(hit[inside] / truth[inside] - 1)
    assert np.mean(error < 0.01) > 0.9  # the others fall beside an edge, or through the cut
    assert np.isinf(hit[~inside & ~known[rows, columns] & ~known[rows + 1, columns + 1]]).all()
    # nothing spans a jump, and everything faces the camera
    distance = np.linalg.norm(corners - camera.position, axis=-1)
    assert (distance.max(1) / distance.min(1)).max() < 2
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (((camera.position - corners[:, 0]) * normal).sum(1) > -1e-9).all()
    # fewer triangles, the same room
    few = surface(depth, known, camera, PALETTE[labels], triangles=3000)
    assert 1500 < sum(len(mesh.faces) for mesh in few) <= 3300
    assert np.concatenate([mesh.vertices for mesh in few]).max(0) == pytest.approx(corners.max((0, 1)), abs=0.05)


def first_hit(corners: np.ndarray, eye: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Distances [R] at which rays [R, 3] first meet triangles [F, 3, 3] (Moller and Trumbore 1997)."""
    one, two, start = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], eye - corners[:, 0]
    cross = np.cross(start, one)
    found = np.full(len(rays), np.inf)
    for index, ray in enumerate(rays):
        side = np.cross(ray, two)
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = 1 / (one * side).sum(1)
            u, v, along = (start * side).sum(1) * scale, cross @ ray * scale, (two * cross).sum(1) * scale
        ok = (u >= 0) & (v >= 0) & (u + v <= 1) & (along > 0)
        found[index] = along[ok].min(initial=np.inf)
    return found


def seen_beside(room: Room, camera: Camera, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """True distances at (columns + 0.3, rows + 0.2)."""
    k = camera.K.copy()
    k[:2, 2] -= (0.3, 0.2)
    moved = Camera(camera.model, camera.width, camera.height, k, camera.dist, camera.world_from_camera)
    points = world_points(seen(room, moved)[0], np.ones((H, W), bool), moved)
    return np.linalg.norm(points - camera.position, axis=-1)[rows, columns]


def test_parts_have_the_pictures_colours():
    camera = camera_in(load_room("ward_01"), "corner", "pinhole", 40, 30)
    image = np.zeros((30, 40, 3), np.uint8)
    image[:, :20], image[:, 20:] = (255, 0, 0), (0, 128, 255)
    meshes = surface(np.full((30, 40), 2.0), np.ones((30, 40), int), camera, image, names=("a/b",))
    colours = {tuple(np.round(mesh.material.base_color, 3)) for mesh in meshes}
    assert {(1.0, 0.0, 0.0), (0.0, 0.216, 1.0)} <= colours
    assert linear([0, 128, 255]) == pytest.approx([0, 0.2158605, 1])
    assert all(mesh.name.startswith("a/b_") for mesh in meshes)
    assert len({mesh.name for mesh in meshes}) == len(meshes)


def test_a_cloud_is_written_and_read(tmp_path):
    camera = camera_in(load_room("ward_01"), "corner", "fisheye")
    depth, labels, _ = seen(load_room("ward_01"), camera)
    known = labels != LABEL["wall"]
    points, colours = cloud(depth, known, camera, PALETTE[labels], 2)
    assert len(points) == known[::2, ::2].sum()
    write_cloud(tmp_path / "room.ply", points, colours)
    again = trimesh.load(tmp_path / "room.ply")
    np.testing.assert_allclose(again.vertices, points, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(again.colors)[:, :3], colours)
    assert points[:, 2].min() == pytest.approx(0, abs=1e-6)


def test_people_leave_the_picture():
    generator = np.random.default_rng(0)
    scene = generator.integers(0, 255, (70, 40, 3)).astype(np.uint8)
    frames, people = np.stack([scene] * 5), np.zeros((5, 70, 40), bool)
    for index in range(5):
        people[index, 10:60, 6 * index : 6 * index + 10] = True
    people[:, 20:22, 38] = True
    frames[people] = 255
    image = still_image(list(frames), people)
    free = ~people.all(0)
    np.testing.assert_array_equal(image[free], scene[free])
    assert (image[20, 38] == scene[[19, 20, 20], [38, 37, 39]]).all(1).any()  # never seen: a neighbour's colour
    assert still_image(list(frames))[20, 38].tolist() == [255, 255, 255]
    assert still_image([np.full((2, 2, 3), v, np.uint8) for v in (10, 250, 20)])[0, 0, 0] == 20
    for images, masks in (([], None), ([scene / 255], None), ([scene, scene[1:]], None), ([scene], people),
                          ([scene], np.ones((1, 70, 40), bool)), ([scene], np.zeros((1, 70, 40), int))):  # fmt: skip
        with pytest.raises(BadOption):
            still_image(images, masks)


def test_two_beds_of_one_mask_are_two_and_a_bed_cut_in_two_is_one():
    size = np.array([0.95, 2.05, 0.5])
    camera = Camera("pinhole", W, H, pinhole_matrix(W, H, 85), world_from_camera=look_at([2.5, 0.1, 2.4], [2.5, 3, 0]))

    def pair(gap: float, *more: Furniture) -> tuple[np.ndarray, np.ndarray, Room]:
        beds = [Furniture(f"b{i}", "bed", Box(np.array([1.5 + i * (0.95 + gap), 3.2, 0.25]), size)) for i in range(2)]
        room = Room("r", np.array([[0, 0], [5, 0], [5, 4.4], [0, 4.4]], float), 2.6, (*beds, *more))
        depth, labels, _ = seen(room, camera)
        points = world_points(*noisy(depth, 3), camera)
        return settled(points, labels, camera.position), labels.astype(int), room

    post = Furniture("w", "wardrobe", Box(np.array([1.6, 2.0, 0.6]), np.array([0.2, 0.1, 1.2])))
    for gap, more in ((0.6, ()), (0.0, ()), (0.6, (post,))):
        points, labels, room = pair(gap, *more)
        beds = [piece for piece in pieces(points, labels, camera.position) if piece.cls == "bed"]
        assert len(beds) == 2
        plan = layout(points, labels, camera)
        boxes = [item.box for item in furnish(points, labels, camera, plan).furniture if item.cls == "bed"]
        for bed in room.furniture[:2]:
            assert max(overlap(box, bed.box) for box in boxes) > 0.75


def test_what_is_out_of_sight_is_completed_and_said_so():
    # of the wardrobe only the front, of the bed only its foot: the rest is outside the picture or behind
    room = Room(
        "r", np.array([[0, 0], [5, 0], [5, 4], [0, 4]], float), 2.6,
        (Furniture("w", "wardrobe", Box(np.array([4.0, 3.7, 0.975]), np.array([1.0, 0.6, 1.95]), np.pi)),
         Furniture("s", "sink", Box(np.array([0.25, 2.4, 0.75]), np.array([0.58, 0.5, 0.4]), -np.pi / 2))),
        (RoomCamera("c", Camera("pinhole", W, H, pinhole_matrix(W, H, 85),
                                world_from_camera=look_at([2.5, 0.1, 1.8], [2.5, 4, 0.6]))),),
    )  # fmt: skip
    camera = room.camera("c")
    depth, labels, _ = seen(room, camera)
    made, _ = reconstructed_room("made", camera, *noisy(depth, 0), PALETTE[labels], labels)
    wardrobe, sink = made.piece("wardrobe_1"), made.piece("sink_1")
    assert "y" in made.quality["furniture"]["wardrobe_1"]["completed"]
    assert overlap(wardrobe.box, room.furniture[0].box) > 0.75
    assert abs(turned(wardrobe.box.yaw - np.pi)) < 2
    assert wardrobe.box.center[2] - wardrobe.box.size[2] / 2 == 0
    assert sink.box.center[2] - sink.box.size[2] / 2 == pytest.approx(0.55, abs=0.08)  # it hangs
    assert abs(turned(sink.box.yaw + np.pi / 2)) < 2


def test_a_seat_is_where_most_of_its_level_points_are():
    generator = np.random.default_rng(0)
    seat, arms = generator.normal(0.46, 0.02, 300), generator.normal(0.64, 0.02, 200)
    assert seat_height("armchair", np.r_[seat, arms, generator.uniform(0, 1, 60)]) == pytest.approx(0.46, abs=0.01)
    assert seat_height("armchair", arms) is None
    assert seat_height("chair", seat[:10]) is None
    box = Box(np.array([1.0, 2.0, 0.45]), np.array([0.5, 0.55, 0.9]), 0.3)
    solids, surface_ = seat_parts("chair", box, 0.45, None)
    tops = [box.center[2] + solid.center[2] + solid.size[2] / 2 for solid in solids]
    assert tops == pytest.approx([0.45, 0.9])
    assert solids[1].center[1] < 0 < solids[0].center[1] + 0.1  # the back is behind
    assert surface_.size[2] == 0
    # a bed: boards at its ends and a raised head section
    bed, local = Box(np.array([0, 0, 0.5]), np.array([1.0, 2.1, 1.0])), generator.uniform(-0.5, 0.5, (8000, 2))
    xy = local * [1.0, 2.1]
    slope = 0.5 + np.clip(-0.2 - xy[:, 1], 0, None) * 0.5
    raised = Furniture("b", "bed", bed, 0.5, "b", *seat_parts("bed", bed, 0.5, np.c_[xy, slope]))
    level = Furniture("b", "bed", bed, 0.5, "b", *seat_parts("bed", bed, 0.5, np.c_[xy, slope * 0 + 0.5]))
    assert raised.head_raised
    assert not level.head_raised


def test_a_room_is_saved_and_loaded(tmp_path):
    room, made, _, meshes = found("ward_02", "corner", "fisheye")
    save_room(made, meshes, tmp_path / "made")
    again = load_room(tmp_path / "made")
    assert again.to_json() == made.to_json()
    loaded = room_meshes(again)
    assert [mesh.name for mesh in loaded] == [mesh.name for mesh in meshes]
    assert {mesh.name.split("/")[0] for mesh in loaded} == {"room", *(item.id for item in again.furniture)}
    camera, original = again.camera("video"), camera_in(room, "corner", "fisheye")
    assert camera.to_json() == original.to_json()
    assert {"bed_1", "bed_2"} <= {item.id for item in again.furniture}
    assert set(again.quality["furniture"]) == {item.id for item in again.furniture}
    assert sum(len(mesh.faces) for mesh in loaded) < 60_000
    # the floor that was seen is flat, what people stand on is nowhere above it
    floor = np.concatenate([mesh.vertices for mesh in loaded if mesh.name.startswith(("room/floor", "room/ground"))])
    assert np.abs(floor[:, 2]).max() < 0.005
    # nothing that was added hides what the camera sees
    added = [m for m in loaded if m.name.startswith(("room/wall_", "room/over")) or m.name.endswith("/unseen")]
    corners = np.concatenate([mesh.vertices[mesh.faces] for mesh in added]).astype(float)
    pixels = np.stack(np.meshgrid(np.arange(2, W, 9), np.arange(2, H, 9)), -1).reshape(-1, 2)
    eye, rays = camera.unproject(pixels)
    truth = seen(room, camera)[0][pixels[:, 1], pixels[:, 0]]
    assert np.mean(first_hit(corners, eye, rays) < truth - 0.15) < 0.03


def test_the_floor_is_flat_and_filled_where_people_always_stood():
    room = load_room("ward_01")
    for model in ("pinhole", "fisheye"):
        camera = camera_in(room, "corner", model)
        depth, labels, _ = seen(room, camera)
        bad, known = noisy(depth, 2)
        points = settled(world_points(bad, known, camera), labels, camera.position)
        flat, there = flattened(bad, known, labels, camera, layout(points, labels, camera))
        floor = labels == LABEL["floor"]
        assert (floor & ~known).any()
        assert there[floor].mean() > 0.99
        np.testing.assert_allclose(flat[floor & there], depth[floor & there], rtol=1e-2)
        ceiling = labels == LABEL["ceiling"]
        np.testing.assert_allclose(flat[ceiling & there], depth[ceiling & there], rtol=0.03)
        wall = labels == LABEL["wall"]
        assert there[wall].mean() > 0.97
        hidden = wall & ~known & there
        assert np.median(np.abs(flat[hidden] / depth[hidden] - 1)) < 0.02
        wall &= known
        assert np.median(np.abs(flat - depth)[wall]) < 0.5 * np.median(np.abs(bad - depth)[wall])
        other = known & ~floor & ~ceiling & (labels != LABEL["wall"])
        np.testing.assert_allclose(flat[other], bad[other])


def test_without_labels_there_is_a_room_without_furniture():
    room = load_room("ward_02")
    camera = camera_in(room, "corner", "pinhole")
    depth, labels, _ = seen(room, camera)
    made, meshes = reconstructed_room("made", camera, *noisy(depth, 0), PALETTE[labels], feet=[[3.0, 2.0]])
    assert area(made.floor) == pytest.approx(area(room.floor), rel=0.15)
    assert made.furniture == ()
    assert any("labels" in text for text in made.quality["warnings"])
    assert made.provenance["from"] == ["depth"]
    assert all(mesh.name.startswith("room/") for mesh in meshes)


@pytest.mark.parametrize("model", ["pinhole", "fisheye"])
def test_without_depth_there_is_a_shell_with_boxes_of_usual_sizes(model, tmp_path):
    room = load_room("ward_02")
    camera = camera_in(room, "corner", model)
    _, labels, owner = seen(room, camera)
    made, meshes = reconstructed_room("made", camera, None, None, PALETTE[labels], labels)
    save_room(made, meshes, tmp_path)
    assert area(made.floor) == pytest.approx(area(room.floor), rel=0.15)
    assert made.provenance["from"] == ["labels"]
    notes = made.quality["furniture"].values()
    assert {note["front"] for note in notes} == {"wall", "camera"}
    assert all(note["size"] == "usual" and note.get("seat_height", "usual") == "usual" for note in notes)
    away = []
    for index, item in enumerate(room.furniture):
        if (owner == index).sum() >= SEEN_WHOLE:
            near = [np.linalg.norm((o.box.center - bounds(item).center)[:2]) for o in made.of_class(item.cls)]
            away.append(min(near, default=9.0))
    assert len(away) >= 5
    assert np.median(away) < 0.4
    names = {mesh.name.split("/")[0] for mesh in room_meshes(load_room(tmp_path))}
    assert names == {"room", *(item.id for item in made.furniture)}


def test_neighbours_of_a_far_floor_belong_together_and_edges_part():
    camera = Camera("pinhole", W, H, pinhole_matrix(W, H, 60), world_from_camera=look_at([0, 0, 2.4], [0, 12, 0]))
    _, rays = camera.unproject(np.stack(np.meshgrid(np.arange(0, W, 4), np.arange(0, H, 4)), -1))
    down = rays[..., 2] < -0.1
    inverse = np.where(down, -rays[..., 2] / 2.4, np.nan)  # 1/distance of the floor, to 24 m
    right, below = joined(inverse)
    jumps = np.abs(inverse[1:] / inverse[:-1] - 1)[down[:-1]]
    assert jumps.max() > 0.15  # far above the tolerance
    assert right[down[:, :-1]].all()
    assert below[down[:-1] & down[1:]].all()
    step = np.where(np.arange(40) < 20, 0.5, 0.4)[None].repeat(5, 0)
    assert joined(step)[0].sum(1).tolist() == [38] * 5
    small = thinned(camera, 3)
    assert (small.width, small.height) == (54, 40)
    np.testing.assert_allclose(small.unproject([[5, 7]])[1], camera.unproject([[15, 21]])[1])


def test_bad_input_is_named():
    room = load_room("ward_01")
    camera = camera_in(room, "corner", "pinhole")
    depth, labels, _ = seen(room, camera)
    known, image = np.ones(depth.shape, bool), PALETTE[labels]
    good = {"camera": camera, "depth": depth, "known": known, "image": image, "labels": labels}
    under = np.eye(4)
    under[2, 3] = -1
    for change, words in (
        ({"depth": depth[1:]}, "depth"), ({"known": known[1:]}, "known"), ({"known": known * 1.0}, "known"),
        ({"image": image / 255}, "image"), ({"image": image[:, 1:]}, "image"), ({"labels": labels[1:]}, "labels"),
        ({"labels": labels * 1.0}, "labels"), ({"labels": labels + 100}, "labels"), ({"feet": [[1, 2, 3]]}, "feet"),
        ({"camera": camera.moved(under)}, "camera"), ({"depth": None, "labels": None}, "depth"),
        ({"triangles": 0}, "triangles"),
    ):  # fmt: skip
        with pytest.raises(BadOption, match=words):
            reconstructed_room("made", **{**good, **change})
    with pytest.raises(NoRoom, match="floor"):
        reconstructed_room("made", **{**good, "known": known & False})
    with pytest.raises(NoRoom, match="floor"):
        reconstructed_room("made", **{**good, "labels": labels * 0 + LABEL["wall"]})
    with pytest.raises(BadFile, match="name"):
        reconstructed_room("", **good)
    with pytest.raises(BadOption, match="points"):
        floor_polygon(depth, labels, camera)
    with pytest.raises(BadOption, match="groups"):
        surface(depth, known, camera, image, labels.astype(int))
    with pytest.raises(BadOption, match="known"):
        surface(depth, known & False, camera, image)
    assert cast(camera, np.array([[W / 2, 0.0], [W / 2, H - 1.0]])).shape[1] == 2
