"""The rasteriser sees what geometry says, overlays show who is there, and the report says what is weak, escaped."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import imageio.v3 as iio
import numpy as np
import pytest
import trimesh

from synth.body import load_body
from synth.camera import Camera, fisheye_matrix, look_at, pinhole_matrix
from synth.errors import BadFile, BadOption
from synth.interaction import Meta, single
from synth.motion import mesh
from synth.motion.proxies import proxies_of
from synth.motion.quality import state_of
from synth.reconstruct import marks, raster
from synth.reconstruct import record as limits
from synth.reconstruct.floor import Floor
from synth.reconstruct.keypoints import Observed, coco_points, projected, reprojection_error
from synth.reconstruct.measured import people_records
from synth.reconstruct.occlusion import occluded
from synth.reconstruct.outputs import record_of
from synth.reconstruct.overlay import contact_sheet, overlays, write_overlay
from synth.reconstruct.people import Refined
from synth.reconstruct.projection import Optics
from synth.reconstruct.raster import mask_iou, rasterised, silhouettes
from synth.reconstruct.record import PersonRecord, SceneRecord, record_from_json, verdict, weak
from synth.reconstruct.report import Pictures, report_html, write_report
from synth.reconstruct.topview import paths_of, top_view
from synth.room import Box, Furniture, Room
from synth.skeleton import upright
from tests import rasterise

BALL = trimesh.creation.icosphere(subdivisions=5, radius=1.0)
PINHOLE = Camera("pinhole", 160, 120, pinhole_matrix(160, 120, 60), world_from_camera=look_at([0, -4, 1], [0, 0, 1]))
BROWN = replace(PINHOLE, model="brown_conrady", dist=np.array([-0.2, 0.05, 1e-3, -5e-4, 0]))
FISHEYE = replace(PINHOLE, model="fisheye", K=fisheye_matrix(160, 120, 200), dist=np.array([0.01, -0.002, 0, 0]))
EVIL = "<script>alert(1)</script>\"&' <img src=x onerror=alert(2)>"
GREY = np.full((120, 160, 3), 127, np.uint8)


def ball(center, radius):
    return BALL.vertices * radius + center


@pytest.fixture(scope="module")
def body():
    return load_body()


def standing(body, places, frames=3, role=("staff", "patient")):
    """People in the T-pose, upright over places [P, 2], feet on the floor."""
    pose = np.tile(np.eye(3), (frames, 24, 1, 1))
    pose[:, 0] = upright(-np.pi / 2)
    one = single(10.0, np.zeros((frames, 3)), pose)
    joints = body.rest_joints(np.zeros(10))
    posed, _ = body.pose(np.zeros(10), pose[:1], np.zeros((1, 3)), np.unique(body.faces))
    low = float(posed[0, :, 2].min())
    transl = [np.tile([x - joints[0, 0], y - joints[0, 1], -low], (frames, 1)) for x, y in places]
    count = len(places)
    return replace(
        one,
        transl=np.array(transl, np.float32),
        global_orient=np.repeat(one.global_orient, count, 0),
        body_pose=np.repeat(one.body_pose, count, 0),
        betas=np.repeat(one.betas, count, 0),
        present=np.ones((count, frames), bool),
        meta=Meta(roles=role[:count], genders=("neutral",) * count),
    )


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_sphere_has_the_area_depth_and_normals_that_geometry_gives_it(scale):
    seen = rasterised([ball([0, 0, 1], 0.5)], BALL.faces, PINHOLE, scale)
    view = PINHOLE.scaled(round(160 * scale), round(120 * scale))
    inside = seen.person == 0
    # the cone around a sphere of radius r at distance d cuts the image plane in a circle of radius f r / sqrt(d2 - r2)
    radius = view.K[0, 0] * 0.5 / np.sqrt(16 - 0.25)
    assert inside.sum() == pytest.approx(np.pi * radius**2, rel=0.01)
    rows, columns = np.nonzero(inside)
    core = np.hypot(rows - view.K[1, 2], columns - view.K[0, 2]) < 0.9 * radius  # the rim is seen edge-on
    rows, columns = rows[core], columns[core]
    eye, rays = view.unproject(np.stack([columns, rows], -1))
    off = eye - [0, 0, 1]
    along = -(rays @ off) - np.sqrt((rays @ off) ** 2 - (off @ off - 0.25))
    np.testing.assert_allclose(seen.depth[rows, columns], along * (rays @ view.world_from_camera[:3, 2]), atol=2e-3)
    outward = (off + rays * along[:, None]) / 0.5
    assert ((seen.normal[rows, columns] * outward).sum(-1) > 0.999).all()
    assert np.isinf(seen.depth[~inside]).all()
    assert (seen.normal[~inside] == 0).all()


def test_who_is_nearer_hides_who_is_behind_whatever_the_order(monkeypatch):
    near, far = ball([0.1, -1, 1], 0.3), ball([0, 1, 1], 0.6)
    one = rasterised([near, far], BALL.faces, PINHOLE)
    monkeypatch.setattr(raster, "_CANDIDATES", 300)  # in many pieces
    other = rasterised([far, near], BALL.faces, PINHOLE)
    np.testing.assert_array_equal(one.person == 0, other.person == 1)
    np.testing.assert_array_equal(one.depth, other.depth)
    whole = silhouettes([near, None, far], BALL.faces, PINHOLE, whole=True)
    shown = silhouettes([near, None, far], BALL.faces, PINHOLE)
    both = whole[0] & whole[2]
    assert both.any()
    assert (one.person[both] == 0).all()
    np.testing.assert_array_equal(shown[2], whole[2] & ~whole[0])
    assert not whole[1].any()
    np.testing.assert_allclose(mask_iou(shown, whole)[[0, 2]], [1, shown[2].sum() / whole[2].sum()])


@pytest.mark.parametrize("camera", [PINHOLE, BROWN, FISHEYE], ids=lambda camera: camera.model)
def test_a_body_looks_as_a_ray_test_that_splits_its_triangles_says(body, camera):
    motion = standing(body, [[0.2, -0.4], [0.0, 0.9]], 1)
    skin = mesh.Skin.of(body)
    meshes = list(mesh.posed_skins(motion, body, skin)[:, 0].astype(float))
    seen = rasterised(meshes, skin.faces, camera)
    triangles = np.concatenate([points[skin.faces] for points in meshes])
    ids, depth = rasterise.rasterise(camera, triangles, np.repeat([1, 2], len(skin.faces)))
    assert (seen.person == 0).sum() > 100
    for person in (0, 1):
        assert rasterise.overlap(seen.person == person, ids == person + 1) > 0.99
    same = (seen.person >= 0) & (seen.person + 1 == ids)
    assert np.abs(seen.depth[same] - depth[same]).max() < 0.01


def test_a_fisheye_sees_what_is_beside_it_and_a_pinhole_does_not_see_what_is_behind():
    beside = ball([4 * np.sin(1.6), -4 + 4 * np.cos(1.6), 1], 0.2)  # 92 degrees from the axis
    wide = replace(FISHEYE, K=fisheye_matrix(160, 120, 300), dist=np.zeros(4))
    seen = rasterised([beside], BALL.faces, wide).person == 0
    rows, columns = np.nonzero(seen)
    assert columns.mean() == pytest.approx(wide.K[0, 2] + wide.K[0, 0] * 1.6, abs=0.3)
    assert rows.mean() == pytest.approx(wide.K[1, 2], abs=0.3)
    assert not (rasterised([beside, ball([0, -6, 1], 0.5)], BALL.faces, PINHOLE).person >= 0).any()
    # around the camera: triangles with a corner behind it are left out, the rest is drawn
    assert (rasterised([ball([0, -4, 1], 0.5)], BALL.faces, PINHOLE).person == 0).mean() > 0.9


def test_impossible_meshes_are_refused():
    points = ball([0, 0, 1], 0.5)
    for call in (
        lambda: rasterised([points[:10]], BALL.faces, PINHOLE),
        lambda: rasterised([points[:, :2]], BALL.faces, PINHOLE),
        lambda: rasterised([points], BALL.faces.astype(float), PINHOLE),
        lambda: rasterised([points], BALL.faces, PINHOLE, 0.0),
        lambda: rasterised([points] * 128, BALL.faces, PINHOLE),
        lambda: mask_iou(np.zeros((2, 2), bool), np.zeros((2, 3), bool)),
    ):
        with pytest.raises(BadOption):
            call()


@pytest.mark.parametrize("camera", [PINHOLE, BROWN, FISHEYE], ids=lambda camera: camera.model)
def test_lines_of_the_floor_are_where_the_lens_puts_them(camera):
    area = np.array([[-1, -1], [1.2, -1], [1.2, 1], [-1, 1]], np.float32)
    lines = marks.floor_grid(camera, area)
    assert len(lines) == 5 + 5
    points = np.concatenate(lines)
    eye, rays = camera.unproject(points)
    floor = eye - rays * (eye[2] / rays[:, 2])[:, None]
    assert (np.abs(floor[:, :2] * 2 - np.round(floor[:, :2] * 2)).min(1) < 1e-5).all()
    # a line that goes past the camera ends at it, without a stroke across the picture
    (run,) = marks.bent(camera, np.array([0.5, -9.0, 0]), np.array([0.5, 3.0, 0]))
    assert (np.abs(np.diff(run, axis=0)).max(1) < 60).all()


def test_a_box_shows_the_edges_of_its_three_near_sides():
    box = Box(np.array([0, 0, 0.5]), np.array([1.0, 1, 1]), 0.3)
    above = replace(PINHOLE, world_from_camera=look_at([0.5, -4, 3], [0, 0, 0.5]))
    front, back = marks.box_edges(above, box)
    assert (len(front), len(back)) == (9, 3)
    corners = box.to_world(np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]))
    farthest = above.project(corners[np.linalg.norm(corners - above.position, axis=-1).argmax()])[0]
    assert all(np.linalg.norm(line[[0, -1]] - farthest, axis=-1).min() < 1e-6 for line in back)


def test_the_overlay_changes_the_body_and_nothing_else_but_the_marks(body):
    motion = standing(body, [[0.0, 0.0], [0.9, 0.3]])
    motion.present[1, 1:] = False
    far_off = np.array([[50.0, 50], [51, 50], [51, 51]])
    drawn = list(overlays([GREY] * 3, motion, body, PINHOLE, floor=far_off, names=("a", "b")))
    assert all(frame.shape == GREY.shape and frame.dtype == np.uint8 for frame in drawn)
    skin = mesh.Skin.of(body)
    meshes = mesh.posed_skins(motion, body, skin)[:, 0].astype(float)
    mine, others = silhouettes(list(meshes), skin.faces, PINHOLE)
    changed = np.abs(drawn[0].astype(int) - GREY).max(-1)
    assert (changed[mine | others] > 10).mean() > 0.98
    assert (changed[[0, 0, -1, -1], [0, -1, 0, -1]] == 0).all()
    assert (changed > 10).sum() < 2.2 * (mine | others).sum()  # outlines, plates and the shade at the feet
    blue, orange = (drawn[0][mask].mean(0) for mask in (mine, others))
    assert blue[2] > blue[0] + 40
    assert orange[0] > orange[2] + 40
    # who is not there is not drawn
    gone = np.abs(drawn[2].astype(int) - GREY).max(-1)
    assert (gone[others & ~mine] > 10).mean() < 0.3
    # the grid and furniture's edges are drawn where they were not
    bed = Furniture("bed", "bed", Box(np.array([-1.0, 1, 0.25]), np.array([1.0, 2, 0.5])))
    more = next(iter(overlays([GREY] * 3, motion, body, PINHOLE, [bed])))
    assert (np.abs(more.astype(int) - drawn[0]).max(-1) > 10).sum() > 500


def test_keypoints_are_dots_and_rings_at_their_pixels(body):
    motion = standing(body, [[0.0, 0.0]], 1)
    points, seen = np.full((1, 1, 17, 2), 20.0), np.zeros((1, 1, 17))
    points[0, 0, 1], points[0, 0, 2] = (20, 20), (140, 100)
    seen[0, 0, 1:3] = 1.0, 0.4
    observed = Observed(10.0, points, seen, np.tile([0, 0, 50, 100.0], (1, 1, 1)))
    (bare,) = overlays([GREY], motion, body, PINHOLE)
    (drawn,) = overlays([GREY], motion, body, PINHOLE, keypoints=observed)
    off = np.abs(drawn.astype(int) - bare).max(-1)
    assert drawn[20, 20].min() > 180
    assert off[100, 140] == 0  # the middle of a ring shows what is under it
    assert off[98:103, 138:143].max() > 60
    off[15:26, 15:26] = off[95:106, 135:146] = 0
    assert off.max() == 0
    picture = GREY.astype(float)
    for place in ([-50.0, 5], [1e6, 5], [0, 0], [159, 119]):
        marks.dot(picture, np.array(place), 2.0, (255, 255, 255), True)
    assert picture[0, 0].min() > 200


def test_odd_sizes_and_distorting_lenses_are_drawn(body):
    motion = standing(body, [[0.0, 0.0]], 1)
    for camera in (BROWN.scaled(161, 121), FISHEYE.scaled(99, 77)):
        grey = np.full((camera.height, camera.width, 3), 127, np.uint8)
        (drawn,) = overlays([grey], motion, body, camera)
        assert (drawn[camera.height // 2 - 2, camera.width // 2] != 127).any()


def test_an_overlay_that_does_not_fit_is_refused(body):
    motion = standing(body, [[0.0, 0.0]], 2)
    for images in ([GREY], [GREY] * 3, [GREY[:, 1:]] * 2, [GREY / 255] * 2):
        with pytest.raises(BadOption, match="images"):
            list(overlays(images, motion, body, PINHOLE))
    with pytest.raises(BadOption, match="names"):
        overlays([GREY] * 2, motion, body, PINHOLE, names=("a", "b"))


@pytest.mark.parametrize("size", [(96, 128), (97, 131)])
def test_the_video_has_the_frames_that_were_written(tmp_path, size):
    ramp = np.linspace(0, 255, size[1]).astype(np.uint8)
    frames = [np.roll(np.broadcast_to(ramp[:, None], (*size, 3)), 20 * k, 1) for k in range(7)]
    kept = write_overlay(tmp_path / "a.mp4", iter(frames), 12.5, keep=(0, 6))
    assert [np.array_equal(a, b) for a, b in zip(kept, (frames[0], frames[6]), strict=True)] == [True, True]
    read = iio.imread(tmp_path / "a.mp4")
    assert read.shape == (7, size[0] + size[0] % 2, size[1] + size[1] % 2, 3)
    for made, found in zip(frames, read, strict=True):
        assert np.abs(found[: size[0], : size[1]].astype(int) - made).mean() < 6
    assert iio.immeta(tmp_path / "a.mp4")["fps"] == pytest.approx(12.5)
    write_overlay(tmp_path / "b.mp4", frames, 12.5)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    for wrong in ([], [frames[0], frames[1][1:]]):
        with pytest.raises(BadOption):
            write_overlay(tmp_path / "c.mp4", wrong, 12.5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_a_contact_sheet_holds_every_image():
    images = [np.full((4, 6, 3), 10 * k, np.uint8) for k in range(1, 6)]
    sheet = contact_sheet(images, 3, gap=2)
    assert sheet.shape == (4 * 2 + 2, 6 * 3 + 4, 3)
    assert [sheet[r * 6, c * 8, 0] for r, c in ((0, 0), (0, 2), (1, 1))] == [10, 30, 50]
    assert contact_sheet(images[:1], 4).shape == (4, 6, 3)
    for wrong in ([], [images[0], images[1][1:]]):
        with pytest.raises(BadOption):
            contact_sheet(wrong, 2)


def refined_of(motion, body, noise=3.0):
    """A motion as if it had been refined to keypoints that are noisy projections of it."""
    proxies = [proxies_of(body, betas) for betas in motion.betas]
    points, optics = coco_points(body, motion.betas), Optics.of(PINHOLE)
    pixels = projected(state_of(motion, proxies), points, optics, motion.people)
    seen = np.repeat(motion.present[..., None], 17, -1).astype(float)
    moved = pixels + np.random.default_rng(0).choice([-noise, noise], pixels.shape)
    observed = Observed(motion.fps, moved, seen, np.tile([0, 0, 40, 60.0], (*seen.shape[:2], 1)))
    after = tuple(reprojection_error(seen, pixels, observed))
    return Refined(motion, occluded(pixels, observed), after, tuple(2 * a for a in after), None), observed  # type: ignore[arg-type]


def test_figures_are_those_of_the_motion(body):
    motion = standing(body, [[0.0, 0.0], [0.35, 0.0], [30.0, 0.0]], 12, ("staff", "patient", "person"))
    motion.transl[0, :, 1] += 0.02 * np.arange(12)  # slides 20 mm a frame
    motion.transl[1, :, 2] -= 0.05
    motion.present[2, 6:] = False
    one, two, three = people_records(*refined_of(motion, body), body, ("a", "b", "c"))
    assert one.foot_slide == pytest.approx(20, abs=0.1)
    assert two.foot_slide == pytest.approx(0, abs=0.1)
    assert two.floor_penetration == pytest.approx(5, abs=0.1)
    assert one.floor_penetration == pytest.approx(0, abs=0.1)
    assert one.others_penetration == two.others_penetration > 1
    assert three.others_penetration == 0
    assert one.reprojection == pytest.approx(3 * np.sqrt(2), rel=0.01)
    assert one.relative_error == pytest.approx(3 * np.sqrt(2) / 60, rel=0.01)
    assert (three.frames, three.frames_seen) == (6, 6)
    assert max(one.jitter, two.jitter) < 1
    there = np.ones(60, bool)
    there[20:40] = False
    back = standing(body, [[0.0, 0.0]], 60)
    back.transl[0, 40:, 0] += 5.0  # comes back elsewhere, which is no leap
    refined, observed = refined_of(replace(back, present=there[None]), body)
    assert people_records(refined, observed, body, ("a",))[0].jitter < 1
    back.transl[0, 40:, 1] += 0.02 * np.arange(20)
    slide = people_records(*refined_of(replace(back, present=there[None]), body), body, ("a",))[0].foot_slide
    assert slide == pytest.approx(10, abs=0.1)  # half of the frames 20 mm
    there[:] = np.isin(np.arange(60), [3, 4, 5, 20, 21])
    brief = people_records(*refined_of(replace(back, present=there[None]), body), body, ("a",))[0]
    assert (brief.frames, brief.jitter, brief.foot_slide) == (5, None, None)
    alone = people_records(*refined_of(standing(body, [[0.0, 0.0]]), body), body, ("a",))
    assert alone[0].others_penetration is None
    with pytest.raises(BadOption):
        people_records(*refined_of(motion, body), body, ("a",))


GOOD = PersonRecord("p", "patient", 100, 90, 200.0, 12.0, 4.0, 0.05, 2.0, 40.0, 0.5, 0.3)
SCENE = SceneRecord("s", 10.0, 100, (GOOD,), "still", 2.4, 0.01, 0.5, 0.9, ("mask",), (), "recording", "fisheye", 300.0)


def test_every_figure_beyond_its_limit_is_said_once():
    assert weak(SCENE) == []
    assert verdict(SCENE)[0] == "good"
    for name, value, words in (
        ("reprojection", 0.06 * 200, "12 px off, 6%"),
        ("frames_seen", 49, "49 of 100"),
        ("mask_rate", 0.4, "40%"),
        ("foot_slide", 1000 * limits.SLIDE / 10 + 1, "slide"),
        ("jitter", 301.0, "shakes"),
        ("floor_penetration", 3.4, "3 cm below"),
        ("others_penetration", 2.5, "2.5 cm into"),
    ):
        (said,) = weak(replace(SCENE, people=(replace(GOOD, **{name: value}),)))
        assert said.startswith("p: ")
        assert words in said
    for change, words in (
        ({"optics": "default"}, "Nothing is known of the lens"),
        ({"optics": "estimated"}, "estimated"),
        ({"floor_residual": 0.05}, "5.0 cm"),
        ({"floor_residual": 0.09, "floor_sources": ("people", "up")}, "bodies of who stands on the floor are 9.0 cm"),
        ({"people": (replace(GOOD, reprojection=None),)}, "could not be measured"),
        ({"floor_tilt": 2.5}, "2.5 degrees"),
        ({"depth_known": 0.5}, "50%"),
        ({"floor_warnings": ("no walls",)}, "The floor: no walls."),
        ({"notes": ("Look.",)}, "Look."),
        ({"people": ()}, "Nobody"),
    ):
        (said,) = weak(replace(SCENE, **change))
        assert words in said
        assert verdict(replace(SCENE, **change))[0] == ("doubtful" if change == {"people": ()} else "usable")
    people = replace(SCENE, floor_residual=0.054, floor_sources=("people",), scale=1.034)
    assert weak(people) == []
    page = report_html(people, Pictures())
    assert "Floor, bodies off upright ones" in page
    assert "times 1.034" in page
    assert verdict(replace(SCENE, people=(GOOD, replace(GOOD, name="q", reprojection=40.0)))) == (
        "doubtful", "Doubtful: q is not where the keypoints are.",
    )  # fmt: skip
    assert verdict(replace(SCENE, floor_tilt=9.0))[0] == "doubtful"


def test_the_record_is_of_who_is_there_and_says_what_was_not_measured(body):
    motion = standing(body, [[0.0, 0.0]], 40)
    motion.transl[0, 20:, 0] += np.random.default_rng(0).normal(size=20)  # nobody is there any more
    refined, observed = refined_of(motion, body)
    here = replace(motion, present=np.arange(40)[None] < 20)
    floor = Floor(np.array([0, -1.0, 0]), 2.0, 0.9, 0.01, 0.5, 0.0, ("mask",), ())
    scene = SimpleNamespace(
        ground=SimpleNamespace(floor=floor, notes=("Refused.",)),
        depth=None, labels=None, optics=SimpleNamespace(camera=PINHOLE, source="recording"), scale=1.1,
        steadiness=SimpleNamespace(verdict="still", pieces=2), annotated=SimpleNamespace(observed=observed, names="a"),
    )  # fmt: skip
    found = SimpleNamespace(scene=scene, refined=refined, motion=here, notes=("No room.",))
    record = record_of(found, "x", body)
    assert (record.people[0].frames, record.scale) == (20, 1.1)
    assert record.people[0].jitter < 1
    assert {"Refused.", "No room."} < set(record.notes)
    (light,) = [note for note in record.notes if "2 parts" in note]
    assert "not measured" in light
    assert not any("changes" in note for note in record.notes)


def test_a_record_survives_json_and_nan_becomes_null():
    broken = replace(GOOD, reprojection=float("nan"), jitter=float("inf"), height=np.float32(3))
    scene = replace(SCENE, people=(GOOD, broken), floor_tilt=np.nan, notes=("ü",))
    text = json.dumps(scene.to_json(), allow_nan=False)
    value = json.loads(text)
    assert value["people"][1]["reprojection"] is None
    assert value["floor_tilt"] is None
    again = record_from_json(value, "quality.json")
    assert again.people[0] == GOOD
    assert again == replace(scene, people=(GOOD, replace(broken, reprojection=None, jitter=None)), floor_tilt=None)
    for change, field in (
        ({"fps": 0}, "fps"),
        ({"people": [{}]}, r"people\[0\].name"),
        ({"people": [{**value["people"][0], "jitter": "x"}]}, r"people\[0\].jitter"),
        ({"notes": "x"}, "notes"),
        ({"optics": "guess"}, "optics"),
        ({"frames": 1.5}, "frames"),
    ):
        with pytest.raises(BadFile, match=field):
            record_from_json({**value, **change}, "quality.json")
    with pytest.raises(BadFile):
        record_from_json([], "quality.json")


class Page(HTMLParser):
    """html.parser refuses nothing, so nesting is checked here."""

    VOID = ("meta", "link", "img", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.links, self.shown = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        self.links += [value for name, value in attrs if name in ("src", "href", "poster")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.shown.append(data)


def test_the_page_shows_the_figures_escapes_every_text_and_asks_for_nothing(body, tmp_path):
    motion = standing(body, [[0.0, 0.0], [1.0, 0.5]], 8)
    motion.present[1, 3:5] = False
    bed = Furniture("bed", "bed", Box(np.array([-1.0, 1, 0.25]), np.array([1.0, 2, 0.5]), 0.4))
    room = Room(EVIL, np.array([[-2.0, -2], [2, -2], [2, 3], [-2, 3]]), 2.5, (bed,))
    drawing = top_view(room, motion, body, names=(EVIL, "b"), camera=PINHOLE)
    person = replace(GOOD, name=EVIL, jitter=None, floor_penetration=7.25)
    scene = replace(
        SCENE, name=EVIL, people=(person,), camera_motion=EVIL, depth_scale=EVIL, floor_sources=(EVIL,),
        floor_warnings=(EVIL,), notes=(EVIL,), lens=EVIL,
    )  # fmt: skip
    (tmp_path / "over lay.mp4").write_bytes(b"x")
    path = write_report(tmp_path, scene, Pictures(GREY, GREY, drawing, "over lay.mp4", GREY))
    page = Page(path.read_text(encoding="utf-8"))
    text = " ".join(page.shown)
    assert "script" not in page.tags
    assert page.tags.count("img") == 2
    assert {"svg", "video", "table", "dl"} < set(page.tags)
    assert text.count("<script>alert(1)</script>") >= 8
    assert [link for link in page.links if not link.startswith("data:")] == ["over%20lay.mp4"]
    for figure in ("90 of 100", "12.0", "4.0", "2.0", "7.2", "0.3", "300 px", "2.40 m", "1.0 cm", "0.5°", "–"):
        assert figure in text, figure
    assert "7 cm below the floor" in text
    assert record_from_json(json.loads((tmp_path / "quality.json").read_text()), "q").people[0].jitter is None
    # the path of who leaves is broken, and the pelvis is over the place
    assert drawing.count('class="path"') == 3
    np.testing.assert_allclose(paths_of(motion, body)[:, 0], [[0, 0], [1, 0.5]], atol=1e-6)
    assert np.isnan(paths_of(motion, body)[1, 3:5]).all()
    lost = replace(scene, people=(replace(person, reprojection=99.0),))
    assert verdict(lost)[0] == "doubtful"
    assert "script" not in Page(report_html(lost, Pictures())).tags
    bare = report_html(replace(SCENE, people=()), Pictures())
    assert "Nobody was reconstructed." in bare
    assert not {"img", "video", "svg"} & set(Page(bare).tags)
    with pytest.raises(BadOption, match="video"):
        write_report(tmp_path, SCENE, Pictures(video="none.mp4"))
    with pytest.raises(BadOption, match="still"):
        report_html(SCENE, Pictures(still=GREY / 255))
