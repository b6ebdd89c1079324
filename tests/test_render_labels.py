"""Labels against pixels: what Blender drew, what the camera projects and what the labels say are one thing.

In every built-in room, through each of its cameras at full size, people in everyday poses; the truth comes from a
z-buffer in NumPy that knows nothing of Blender.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from render.blender.materials import see_through
from render.blender.session import RenderSettings, quiet
from render.blender.stage import Stage
from render.film import BodyTruth, Performance
from render.labels import NEAR_MISS, VISIBLE, LabelTable
from render.look import draw_look
from synth.body import load_body
from synth.body.shape import draw_person
from synth.camera import Camera, look_at, pinhole_matrix
from synth.gltf import Material, SceneMesh
from synth.interaction import Interaction, Meta
from synth.rooms import BUILTIN, load_room, room_meshes
from synth.rotation import matrix_to_axis_angle
from synth.skeleton import JOINT, forward_kinematics, upright
from tests.rasterise import overlap, rasterise

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ENOUGH = 400  # pixels; of fewer, one pixel of outline is more than the tolerance
AGREEMENT = 0.98
ROLES = ("staff", "patient")
JUDGED = (
    "box",
    "box_amodal",
    "truncated",
    "visible_pixels",
    "keypoints",
    "joints_2d",
    "joints_depth",
    "joints_visibility",
)


def standing_people(room, model, seed) -> Interaction:
    """Two people who stand and hold their arms somehow, in the middle of the room."""
    rng = np.random.default_rng(seed)
    people = [draw_person(role, rng, model) for role in ROLES]
    betas = np.stack([person.betas for person in people])
    rest, shapes = model.rest_joints(betas), model.shaped(betas)
    middle = np.asarray(room.floor).mean(0)
    count = len(people)
    pose = np.zeros((count, 1, 23, 3))
    for person in range(count):
        for side, sign in (("left", -1), ("right", 1)):
            pose[person, 0, JOINT[f"{side}_shoulder"] - 1, 2] = sign * rng.uniform(0.4, 1.2)
            pose[person, 0, JOINT[f"{side}_elbow"] - 1, 1] = sign * rng.uniform(0.0, 1.4)
            pose[person, 0, JOINT[f"{side}_knee"] - 1, 0] = rng.uniform(0.0, 0.4)
    turn = matrix_to_axis_angle(upright(rng.uniform(0, 2 * np.pi, count)))
    places = np.column_stack([middle + rng.uniform(-0.9, 0.9, (count, 2)), np.zeros(count)])
    places[:, 2] = rest[:, 0, 1] - shapes[..., 1].min(-1)
    return Interaction(
        fps=10.0, transl=(places - rest[:, 0])[:, None], global_orient=turn[:, None],
        body_pose=pose.reshape(count, 1, 69), betas=betas, present=np.ones((count, 1), bool),
        meta=Meta(roles=ROLES, genders=tuple(p.gender for p in people), ages=tuple(p.age for p in people)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return load_body()


@pytest.mark.parametrize("name", BUILTIN)
def test_labels_agree_with_pixels(name, model, tmp_path):
    room = load_room(name)
    meshes = room_meshes(room)
    motion = standing_people(room, model, BUILTIN.index(name))
    rest = model.rest_joints(motion.betas)
    joints, _ = forward_kinematics(motion.rotations(), rest[:, None], motion.transl)
    look = draw_look(np.random.default_rng(3), motion.meta)
    show = Performance(motion, joints, None, look, {}, None, 0)
    vertices, truths = next(iter(BodyTruth(model, show).frames()))
    first = room.cameras[0].camera
    settings = RenderSettings(first.width, first.height, device="cpu", threads=2)
    with quiet():
        stage = Stage(room, meshes, model, look, motion.betas, "day", np.random.SeedSequence(1), first, settings,
                      Path(tmp_path))  # fmt: skip
        stage.pose(vertices)
    bodies = [points[handle.faces] for points, handle in zip(vertices, stage.people, strict=True)]
    solid = [mesh.vertices[mesh.faces] for mesh in meshes if not see_through(mesh.material)]
    triangles = np.concatenate([*bodies, *solid])
    numbers = np.repeat([1, 2, 0], [*map(len, bodies), sum(map(len, solid))])
    judged = 0
    for item in room.cameras:
        camera = item.camera
        assert (camera.width, camera.height) == (settings.width, settings.height)
        with quiet():
            stage.look_through(camera)
            ids, _ = stage.labels()
            table = LabelTable(1, len(bodies), motion.fps)
            table.add(0, truths, ids, camera, stage.cast)
        alone = [rasterise(camera, body, np.ones(len(body), int))[0] > 0 for body in bodies]
        rows, columns = np.nonzero(np.any(alone, axis=0))
        if not len(rows):
            continue
        window = np.array([columns.min(), rows.min(), columns.max(), rows.max()])
        reach = max(np.linalg.norm(body - camera.position, axis=-1).max() for body in bodies)
        truth, _ = rasterise(camera, triangles, numbers, window, reach)
        for person in range(len(bodies)):
            mask = ids == person + 1
            labels = {key: values[0, person] for key, values in table.arrays.items() if key in JUDGED}
            check_boxes(labels, mask, alone[person], camera)
            check_joints(labels, mask, camera)
            if np.count_nonzero(truth == person + 1) >= ENOUGH:
                judged += 1
                assert overlap(mask, truth == person + 1) >= AGREEMENT, (item.name, person)
    assert judged >= 3


def check_boxes(labels, mask, whole, camera):
    rows, columns = np.nonzero(mask)
    assert labels["visible_pixels"] == len(rows)
    if len(rows):
        edges = [columns.min() - 0.5, rows.min() - 0.5, columns.max() + 0.5, rows.max() + 0.5]
        assert np.abs(labels["box"] - edges).max() < 1
    rows, columns = np.nonzero(whole)
    if len(rows):
        edges = np.array([columns.min(), rows.min(), columns.max(), rows.max()])
        size = np.array([camera.width, camera.height, camera.width, camera.height])
        assert np.abs(np.clip(labels["box_amodal"], 0, size - 1) - edges).max() <= 1.5  # half a pixel to its centre
        assert labels["truncated"] or (edges > 0).all()


def check_joints(labels, mask, camera):
    rows, columns = np.nonzero(mask)
    marks = np.concatenate([labels["keypoints"], np.column_stack([labels["joints_2d"], labels["joints_visibility"]])])
    for x, y, _ in marks[marks[:, 2] == VISIBLE]:
        allowed = 1.0 + NEAR_MISS * camera.K[0, 0] / max(labels["joints_depth"].min(), 0.3)
        assert np.hypot(columns - x, rows - y).min() <= allowed


def facing_camera(model, person, width=240, height=320):
    """People, their truths and look, and a camera 2.5 m before one person's face; in no room's way."""
    room = replace(load_room("ward_06"), furniture=())
    motion = standing_people(room, model, 5)
    rest = model.rest_joints(motion.betas)
    joints, _ = forward_kinematics(motion.rotations(), rest[:, None], motion.transl)
    look = draw_look(np.random.default_rng(3), motion.meta)
    vertices, truths = next(iter(BodyTruth(model, Performance(motion, joints, None, look, {}, None, 0)).frames()))
    chest = joints[person, 0, JOINT["spine3"]]
    facing = vertices[person][list(model.landmarks["nose"])].mean(0) - joints[person, 0, JOINT["head"]]
    eye = chest + facing / np.linalg.norm(facing[:2]) * 2.5
    camera = Camera("pinhole", width, height, pinhole_matrix(width, height, 50), world_from_camera=look_at(eye, chest))
    return room, motion, look, vertices, truths, camera


def pane(camera, distance, name, alpha):
    """A wide pane across the view of ``camera``."""
    corners = np.array([[-3, -3, distance], [3, -3, distance], [3, 3, distance], [-3, 3, distance]], float)
    world = corners @ camera.world_from_camera[:3, :3].T + camera.position
    material = Material(name, (0.8, 0.8, 0.8), 0.5, 0.0, (0.0, 0.0, 0.0), alpha)
    return SceneMesh(name, world, np.array([[0, 1, 2], [0, 2, 3]]), material)


CLEAR = (("glass.opaque", 1.0), ("fluid.opaque", 1.0), ("net.opaque", 1.0), ("acrylic", 0.4), ("mirror", 0.1))
SOLID = (("wood.clear", 0.1), ("acrylic", 0.6))


def test_what_is_see_through_is_so_for_ids_depth_and_rays_alike(model, tmp_path):
    """By what the surface is in the picture: glass of alpha 1 is clear, wood of alpha 0.1 is not; nothing is mixed."""
    room, motion, look, vertices, truths, camera = facing_camera(model, 0, 48, 64)
    results = []
    for panes in ((), CLEAR, *((solid,) for solid in SOLID)):
        meshes = [pane(camera, 1 + 0.05 * index, *one) for index, one in enumerate(panes)]
        with quiet():
            stage = Stage(room, meshes, model, look, motion.betas, "day", np.random.SeedSequence(1), camera,
                          RenderSettings(48, 64, device="cpu", threads=1), Path(tmp_path))  # fmt: skip
            stage.pose([vertices[0], None])
            ids, depth = stage.labels()
            table = LabelTable(1, 2, motion.fps)
            table.add(0, [truths[0], None], ids, camera, stage.cast)
        results.append((ids, depth, table.arrays["keypoints"][0, 0, :, 2], table.arrays["joints_visibility"][0, 0]))
    bare, behind_clear, *behind_solid = results
    assert np.count_nonzero(bare[0] == 1) > 300
    assert all(np.array_equal(one, other) for one, other in zip(bare, behind_clear, strict=True))
    for ids, depth, *seen in behind_solid:
        assert not ids.any()
        assert np.allclose(depth, 1.0, atol=1e-3)
        assert VISIBLE not in np.concatenate(seen)


def test_most_of_a_body_in_the_open_is_visible(model, tmp_path):
    """A person alone before the camera: the near side's joints are seen, none is lost outside."""
    room, motion, look, vertices, truths, camera = facing_camera(model, 0)
    with quiet():
        stage = Stage(room, [], model, look, motion.betas, "day", np.random.SeedSequence(1), camera,
                      RenderSettings(240, 320, device="cpu", threads=2), Path(tmp_path))  # fmt: skip
        stage.pose([vertices[0], None])
        ids, _ = stage.labels()
        table = LabelTable(1, 2, motion.fps)
        table.add(0, [truths[0], None], ids, camera, stage.cast)
    assert set(np.unique(ids)) == {0, 1}  # who is absent is not drawn
    seen = table.arrays["keypoints"][0, 0, :, 2]
    assert (seen == VISIBLE).sum() >= 14, seen
    assert not table.arrays["present"][0, 1]
