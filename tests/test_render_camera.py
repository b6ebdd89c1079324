"""Blender's picture, ids, depth and rays against ellipsoids whose outline is known, through every lens model."""

from __future__ import annotations

import numpy as np
import pytest

from render.blender.camera import set_camera
from render.blender.passes import label_scene, render_colour, render_labels
from render.blender.rays import cast_rays
from render.blender.session import RenderSettings, new_scene, quiet
from synth.camera import Camera, fisheye_matrix, look_at, pinhole_matrix
from synth.errors import BadOption
from tests.rasterise import overlap, rasterise

# Blender's own clean-up of a renderer whose scene was dropped complains when Python collects it
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

W, H = 160, 120
RADII = np.array([0.25, 0.25, 0.85])
PLACES = np.array([[-0.6, 0.0, 0.9], [0.6, 0.2, 0.9]])
POSE = look_at((2.3, -2.3, 2.4), (0, 0, 0.9))
LENSES = {
    "pinhole": Camera("pinhole", W, H, pinhole_matrix(W, H, 95), world_from_camera=POSE),
    "off_centre": Camera("pinhole", W, H, np.array([[75, 0, 70], [0, 75, 66], [0, 0, 1.0]]), world_from_camera=POSE),
    "oblong_pixels": Camera("pinhole", W, H, np.array([[75, 0, 70], [0, 85, 66], [0, 0, 1.0]]), world_from_camera=POSE),
    "brown_conrady": Camera(
        "brown_conrady", W, H, np.array([[75, 0, 82.0], [0, 78, 59], [0, 0, 1]]),
        np.array([-0.28, 0.07, 0.002, -0.001, -0.005]), POSE,
    ),
    "fisheye": Camera("fisheye", W, H, fisheye_matrix(W, H, 185, 120), np.zeros(4), POSE),
    "fisheye_220": Camera("fisheye", W, H, fisheye_matrix(W, H, 220, 150), np.array([-0.02, 0.003, 0, 0]), POSE),
}  # fmt: skip


def ellipsoid(rows: int = 90) -> tuple[np.ndarray, np.ndarray]:
    theta, phi = np.meshgrid(
        np.linspace(0, np.pi, rows), np.linspace(0, 2 * np.pi, rows, endpoint=False), indexing="ij"
    )
    unit = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1)
    index = np.arange(rows * rows).reshape(rows, rows)
    a, b = index[:-1], index[1:]
    c, d = np.roll(b, -1, 1), np.roll(a, -1, 1)
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return unit.reshape(-1, 3) * RADII, faces


def add_mesh(scene, name, vertices, faces):
    import bpy

    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices.tolist(), [], faces.tolist())
    item = bpy.data.objects.new(name, mesh)
    scene.collection.objects.link(item)
    return item


def move(item, vertices):
    item.data.vertices.foreach_set("co", np.ascontiguousarray(vertices, dtype=np.float32).ravel())
    item.data.update()


def expected(camera, places):
    """Ids and hit points by solving each pixel's ray against both ellipsoids."""
    rows, columns = np.mgrid[:H, :W]
    eye, rays = camera.unproject(np.stack([columns, rows], -1))
    best, ids = np.full((H, W), np.inf), np.zeros((H, W), int)
    for number, place in enumerate(places, 1):
        offset, direction = (eye - place) / RADII, rays / RADII
        a, b, c = (direction**2).sum(-1), direction @ offset, offset @ offset - 1
        root = b * b - a * c
        with np.errstate(invalid="ignore"):
            hit = np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
        nearer = (hit > 0) & (hit < best)
        best, ids = np.where(nearer, hit, best), np.where(nearer, number, ids)
    return ids, best, eye, rays


@pytest.mark.parametrize("lens", LENSES)
def test_ids_depth_and_rays_follow_the_lens(lens, tmp_path):
    camera = LENSES[lens]
    vertices, faces = ellipsoid()
    settings = RenderSettings(W, H, device="cpu", threads=2)
    with quiet():
        scene = new_scene(settings)
        people = [add_mesh(scene, f"person{i}", vertices, faces) for i in range(2)]
        for number, item in enumerate(people, 1):
            item.pass_index = number
        set_camera(scene, camera)
        labels = label_scene(scene, settings)
    for step in range(2):  # the second frame shows that moved meshes are rendered, not those kept from the first
        places = PLACES + np.array([0.0, 0.3 * step, 0.0])
        for item, place in zip(people, places, strict=True):
            move(item, vertices + place)
        with quiet():
            ids, depth = render_labels(labels, tmp_path, camera)
        truth, along, eye, rays = expected(camera, places)
        for number in (1, 2):
            assert np.count_nonzero(truth == number) > 30
            assert overlap(ids == number, truth == number) >= 0.98
        both = (truth > 0) & (ids == truth)
        points = eye + along[both][:, None] * rays[both]
        assert np.abs(camera.project(points)[1] - depth[both]).max() < 0.02  # facets, at grazing rays
        assert np.isinf(depth[truth == 0]).mean() > 0.98
        distance, met = cast_rays(scene, eye, rays[both][::40], np.full(len(points[::40]), 10.0))
        assert np.array_equal(met, truth[both][::40])
        assert np.abs(distance - along[both][::40]).max() < 0.02


@pytest.mark.parametrize("lens", ["off_centre", "brown_conrady", "fisheye_220"])
def test_the_picture_goes_through_the_same_lens_as_the_ids(lens, tmp_path):
    import bpy

    camera = LENSES[lens]
    vertices, faces = ellipsoid()
    settings = RenderSettings(W, H, device="cpu", threads=2, samples=16)
    truth = expected(camera, PLACES)[0] > 0
    with quiet():
        scene = new_scene(settings)
        glow = bpy.data.materials.new("glow")
        tree = glow.node_tree
        if tree is None:  # Blender before 5.0
            glow.use_nodes = True
            tree = glow.node_tree
        tree.nodes.clear()
        emission, out = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeOutputMaterial")
        emission.inputs["Strength"].default_value = 1.0
        tree.links.new(emission.outputs[0], out.inputs["Surface"])
        for number, place in enumerate(PLACES):
            item = add_mesh(scene, f"person{number}", vertices + place, faces)
            item.data.materials.append(glow)
        scene.cycles.use_denoising = False
        scene.view_settings.view_transform = "Raw"
        set_camera(scene, camera)
        rows = np.flatnonzero(truth.any(1))
        middle = int(rows[0] + rows[-1]) // 2
        part = render_colour(scene, tmp_path, seed=1, window=(0, middle, W, H))
        picture = render_colour(scene, tmp_path, seed=1)
    assert picture.shape == part.shape == (H, W, 3)
    assert part[:middle].max() <= 2 < picture[:middle].max()  # dithered black
    assert (np.abs(part[middle:].astype(int) - picture[middle:]) > 20).mean() < 0.002
    assert picture[middle:].max() > 128
    bright = picture.mean(-1) > 128
    # the picture's edges are antialiased, so a pixel on the outline may fall to either side
    assert overlap(bright, truth) > 0.93
    moved = np.roll(truth, 2, axis=1)
    assert overlap(bright, truth) > overlap(bright, moved) + 0.05


def test_the_rasteriser_of_these_tests_agrees_with_the_closed_answer():
    vertices, faces = ellipsoid()
    triangles = np.concatenate([(vertices + place)[faces] for place in PLACES])
    for camera in LENSES.values():
        ids, _ = rasterise(camera, triangles, np.repeat([1, 2], len(faces)))
        truth = expected(camera, PLACES)[0]
        assert min(overlap(ids == n, truth == n) for n in (1, 2)) >= 0.98


def test_engines_other_than_cycles_refuse_lenses_they_cannot_draw():
    with quiet():
        scene = new_scene(RenderSettings(W, H, engine="workbench"))
    with pytest.raises(BadOption, match="cycles"):
        set_camera(scene, LENSES["fisheye"])


@pytest.mark.parametrize(("name", "value"), [("engine", "povray"), ("device", "tpu")])
def test_unknown_settings_name_what_there_is(name, value):
    with pytest.raises(BadOption, match="one of"):
        new_scene(RenderSettings(W, H, **{name: value}))


def test_missing_blender_says_what_to_install(monkeypatch):
    import builtins

    from render.blender import session
    from synth.errors import Missing

    real = builtins.__import__

    def without(error):
        def fake(name, *rest, **more):
            if name == "bpy":
                raise error
            return real(name, *rest, **more)

        return fake

    monkeypatch.setattr(builtins, "__import__", without(ImportError("libSM.so.6: cannot open shared object file")))
    with pytest.raises(Missing, match=r"libSM\.so\.6.*apt install libx11-6 libxrender1"):
        session.load_bpy()
    monkeypatch.setattr(builtins, "__import__", without(ModuleNotFoundError("No module named 'bpy'")))
    with pytest.raises(Missing, match="pip install bpy"):
        session.load_bpy()
