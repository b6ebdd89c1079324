"""`synth reconstruct`: a made recording through the whole pipeline, and what is said to bad input."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from benchmarks.reconstruct import made
from benchmarks.recordings import Recording, masks, record
from synth.body import load_body
from synth.cli import main
from synth.errors import BadFile
from synth.interaction import load_interaction
from synth.motion.proxies import proxies_of
from synth.motion.quality import state_of
from synth.reconstruct import pipeline, segment
from synth.reconstruct.annotated import Annotated, bridged, read_annotations, terms_of, told_enough
from synth.reconstruct.estimates import estimated_crops, placed
from synth.reconstruct.grounding import stood
from synth.reconstruct.hmr2 import HMR2, HMR2Config
from synth.reconstruct.keypoints import Observed
from synth.reconstruct.lifting import Exemplars
from synth.reconstruct.raster import mask_iou
from synth.reconstruct.regions import LABEL, Regions
from synth.reconstruct.scenery import depth_from_file, people_masks
from synth.reconstruct.stages import Stages
from synth.reconstruct.stature import betas_of_height, body_height, shared_scale, tallness
from synth.reconstruct.video import open_video
from synth.rooms import load_room, room_meshes

BODY = load_body()


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Status, output and errors of `synth reconstruct`."""
    with pytest.raises(SystemExit) as stop:
        main(["reconstruct", *map(str, arguments)])
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out, said.err


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("made") / "site" / "room" / "20260101T000000"
    prompt = "staff helps patient up from the armchair"
    return record(folder, "ward_05", "corner", "pinhole", prompt, 3, 2.5, (320, 240), pixels=0.5)


@pytest.fixture(scope="module")
def found(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("found") / "a room, später"
    with pytest.raises(SystemExit) as stop:
        main(["reconstruct", str(recording.folder), "--depth", str(recording.folder / "depth.npz"), "--out", str(out)])
    assert not stop.value.code
    return out


def test_a_recording_becomes_a_room_with_people_in_it(recording: Recording, found: Path) -> None:
    room = load_room(found / "room")
    camera = room.camera("video")
    assert abs(camera.position[2] - recording.camera.position[2]) < 0.12
    up = camera.world_from_camera[:3, :3].T[:, 2] @ recording.camera.world_from_camera[:3, :3].T[:, 2]
    assert np.degrees(np.arccos(up)) < 1.0
    assert {piece.cls for piece in room.furniture} >= {"armchair"}
    assert room_meshes(room)
    motion = load_interaction(found / "interaction.npz")
    assert motion.meta.roles == recording.motion.meta.roles
    assert motion.meta.actions
    # its world differs from the truth's by a turn about the vertical and a shift: cameras tell which
    move = recording.camera.world_from_camera @ np.linalg.inv(camera.world_from_camera)
    rest = np.asarray(BODY.rest_joints(motion.betas), float)[:, 0]
    moved = motion.transform(move[:3, :3], move[:3, 3], rest)
    seen, true = (
        state_of(one, [proxies_of(BODY, betas) for betas in one.betas]).joints.numpy()
        for one in (moved, recording.motion)
    )
    assert np.linalg.norm(seen - true, axis=-1).mean() < 0.25
    between = [np.linalg.norm(joints[0, :, 0] - joints[1, :, 0], axis=-1).mean() for joints in (seen, true)]
    assert abs(between[0] - between[1]) < 0.12


def test_what_was_recovered_covers_what_was_seen(recording: Recording, found: Path) -> None:
    camera = load_room(found / "room").camera("video")
    motion = load_interaction(found / "interaction.npz")
    frames = [0, 12, 24]
    seen, true = (
        masks(replace(one, transl=one.transl[:, frames], global_orient=one.global_orient[:, frames],
                      body_pose=one.body_pose[:, frames], present=one.present[:, frames], props=()), BODY, view)
        for one, view in ((motion, camera), (recording.motion, recording.camera))
    )  # fmt: skip
    assert np.nanmean(mask_iou(seen.any(1), true.any(1))) > 0.7


def test_the_folder_has_overlay_cloud_record_and_page(recording: Recording, found: Path) -> None:
    frames = list(iio.imiter(found / "overlay.mp4"))
    assert (len(frames), frames[0].shape) == (recording.motion.frames, (240, 320, 3))
    quality = json.loads((found / "quality.json").read_text())
    assert [person["role"] for person in quality["people"]] == list(recording.motion.meta.roles)
    assert quality["optics"] == "recording"
    assert quality["floor_tilt"] < 2
    assert quality["scale"] == pytest.approx(1.0, abs=0.05)
    assert all(person["reprojection"] < 8 for person in quality["people"])
    assert (found / "cloud.ply").stat().st_size > 1000
    assert "staff" in (found / "index.html").read_text()


def test_the_same_again_is_refused_but_by_force(
    recording: Recording, found: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    status, _, error = run(capsys, recording.folder, "--out", found)
    assert status == 2
    assert "--force" in error
    status, _, error = run(capsys, recording.folder, "--out", found / "new", "--seed", "-1")
    assert (status, error) == (2, "error: --seed: found -1; expected a whole number of 0 or more\n")


def test_other_annotations_keep_the_recordings_camera_masks_and_terms_and_leave_nothing_of_an_older_run(
    recording: Recording, found: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """COCO keypoints for a recording's folder, over a folder of results; its room turns out to be none."""
    folder, out = tmp_path / "data" / "site" / "room" / "20260101T000000", tmp_path / "out"
    shutil.copytree(recording.folder, folder)
    shutil.copytree(found, out)
    (folder.parents[2] / "dataset.json").write_text(json.dumps({
        "format": "caresynth-recordings", "version": 1,
        "licence": {"name": "Contract 7", "commercial": True, "credit": "Recorded at home."},
    }))  # fmt: skip
    told = json.loads((folder / "sequence.json").read_text()) | {"frames": 10}
    told["key_frames"] = [item for item in told["key_frames"] if item["frame"] < 10]
    for person in told["people"]:
        person["annotations"] = [item for item in person["annotations"] if item["frame"] < 10]
    (folder / "sequence.json").write_text(json.dumps(told))
    for picture in sorted((folder / "frames").iterdir())[10:]:
        picture.unlink()
    images = [{"id": at, "file_name": f"{at}.jpg", "width": 320, "height": 240} for at in range(told["frames"])]
    people = [
        {"image_id": item["frame"], "bbox": item["box"], "track_id": person["id"], "keypoints": item["keypoints"]}
        for person in told["people"] for item in person["annotations"]
    ]  # fmt: skip
    shy = [{"image_id": 0, "bbox": [0, 0, 9, 9], "track_id": 77, "keypoints": [5, 5, 2] + [0] * 48}]
    (tmp_path / "coco.json").write_text(json.dumps({"images": images, "annotations": people + shy}))
    masked: list[tuple[str, ...]] = []

    def no_room(*_: object) -> None:
        raise BadFile("room", "floor", "0.10 m2", "a polygon of at least 0.5 m2")

    def masks_of(annotated: Annotated, *rest: object) -> np.ndarray:
        masked.append(annotated.names)
        return people_masks(annotated, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "reconstructed_room", no_room)
    monkeypatch.setattr(pipeline, "people_masks", masks_of)
    monkeypatch.setattr(pipeline, "library_poses", lambda body: Exemplars.of([recording.motion], body, 60))
    monkeypatch.chdir(folder)
    (out / "index.html").write_text("an older page")
    status, _, error = run(capsys, ".", "--annotations", tmp_path / "coco.json", "--depth", "depth.npz", "--out", out,
                           "--force")  # fmt: skip
    assert status == 0, error
    quality = json.loads((out / "quality.json").read_text())
    assert (quality["optics"], quality["name"]) == ("recording", folder.name)
    assert "mask" in quality["floor_sources"]
    assert any("No room was made" in note and "0.5 m2" in note for note in quality["notes"])
    assert any("person 77 was left out" in note for note in quality["notes"])
    assert masked == [("person 1", "person 2", "person 77")]  # who is left out hides the scene, too
    assert not (out / "room").exists()
    assert "older" not in (out / "index.html").read_text()
    source = load_interaction(out / "interaction.npz").meta.source
    assert (source["id"], source["licence"], source["commercial"]) == (folder.name, "Contract 7", True)
    assert source["credit"] == "Recorded at home."
    assert not terms_of(Path("/data/recording/sequence.json")).commercial  # in no folder of recordings


def test_it_says_which_weights_are_missing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, said, _ = run(capsys, "--check", "--weights", tmp_path)
    assert status == 0
    for name in ("HMR2.0", "Depth-Anything", "ViTPose", "RT-DETR", "OneFormer"):
        assert name.lower() in said.lower().replace("rtdetr", "rt-detr")
    assert "missing" in said


def test_bad_input_is_one_line_and_leaves_nothing(
    recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 200)
    told = json.loads((recording.folder / "sequence.json").read_text())
    outside = json.loads(json.dumps(told))
    outside["people"][0]["annotations"][0]["box"] = [900, 10, 20, 20]
    shorter = json.loads(json.dumps(told)) | {"frames": 3, "key_frames": []}
    for person in shorter["people"]:
        person["annotations"] = [item for item in person["annotations"] if item["frame"] < 3]
    pointless = json.loads(json.dumps(told))
    for person in pointless["people"]:
        for item in person["annotations"]:
            item["keypoints"][3:] = [0] * 48
    cases: dict[str, object] = {"broken.mp4": broken, "gone.mp4": tmp_path / "gone.mp4"}
    for name, value in {"outside": outside, "shorter": shorter, "pointless": pointless}.items():
        cases[name] = tmp_path / name
        shutil.copytree(recording.folder, tmp_path / name)
        (tmp_path / name / "sequence.json").write_text(json.dumps(value))
    wanted = {"broken.mp4": "ffmpeg", "gone.mp4": "missing", "outside": "overlap a picture", "shorter": "as the video",
              "pointless": "four points"}  # fmt: skip
    for name, source in cases.items():
        out = tmp_path / f"out {name}"
        more = ("--depth", recording.folder / "depth.npz") if name == "pointless" else ()
        status, _, error = run(capsys, Path(str(source)), "--out", out, *more)
        assert status == 2, name
        last = error.strip().splitlines()[-1]
        assert last.startswith("error: "), name
        assert wanted[name] in last, f"{name}: {last}"
        assert not (out / "index.html").exists()


def test_without_a_floor_in_view_nothing_is_made(
    recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """A wall fills the depth, and nobody's feet are in view: never a silent wrong floor."""
    folder = tmp_path / "wall"
    shutil.copytree(recording.folder, folder)
    told = json.loads((folder / "sequence.json").read_text()) | {"key_frames": []}
    for person in told["people"]:
        for item in person["annotations"]:
            item["keypoints"][33:] = [0] * 18
    (folder / "sequence.json").write_text(json.dumps(told))
    np.savez(tmp_path / "flat.npz", depth=np.full((240, 320), 2.0, np.float32))
    status, _, error = run(capsys, folder, "--depth", tmp_path / "flat.npz", "--out", tmp_path / "out")
    assert status == 2
    assert "floor" in error.splitlines()[-1]
    assert not (tmp_path / "out" / "room").exists()


def test_coco_keypoints_are_read_and_checked(tmp_path: Path) -> None:
    images = [{"id": 7 - at, "file_name": f"{at:03d}.jpg", "width": 64, "height": 48} for at in range(4)]
    points = [10.0, 12.0, 2] * 17
    people = [
        {"image_id": 7 - at, "bbox": [5, 5, 20, 30], "keypoints": points, "track_id": track}
        for at in (0, 1, 3) for track in (4, 9)
    ]  # fmt: skip
    path = tmp_path / "keypoints.json"
    path.write_text(json.dumps({"images": images, "annotations": people}))
    read = read_annotations(path, 64, 48, 4, 10.0)
    assert read.names == ("person 4", "person 9")
    assert read.observed.seen[:, [0, 1, 3]].min() == 1.0
    assert not read.observed.seen[:, 2].any()
    assert read.present.all()  # a gap of one frame is no absence
    assert not bridged(replace(read.observed, fps=0.4))[:, 2].any()
    shy = replace(read.observed, seen=read.observed.seen * np.array([1.0, 0.0])[:, None, None])
    shy.seen[1, 0, :3] = 1.0
    (kept, said) = told_enough(replace(read, observed=shy))
    assert (kept.names, kept.observed.people, kept.present.shape) == (("person 4",), 1, (1, 4))
    assert said == ("person 9 was left out: never more than 3 keypoints in a frame.",)
    natural = [{**image, "file_name": f"frame_{name}.jpg"} for image, name in zip(images, (10, 2, 1, 0), strict=True)]
    path.write_text(json.dumps({"images": natural, "annotations": people[:1]}))
    assert np.flatnonzero(read_annotations(path, 64, 48, 4, 10.0).observed.seen[0].any(-1)).tolist() == [3]
    for change, match in (
        ({"images": images[:3] + images[:1]}, r"images\[3\]\.id"), ({"images": [{**images[0], "id": [1]}] * 4}, "id"),
        ({"annotations": [people[0], people[0]]}, r"annotations\[1\]\.track_id"),
        ({"annotations": [{**people[0], "track_id": [4]}]}, "track_id"),
        ({"annotations": [{**people[0], "track_id": 10**4000}]}, "track_id"),
        ({"annotations": [{**people[0], "image_id": [7]}]}, "image_id"),
        ({"annotations": [{**people[0], "bbox": [0, 0, 10**400, 5]}]}, "bbox"),
        ({"annotations": [{**people[0], "bbox": [0, 0, 1e300, 5]}]}, "overlap"),
        ({"images": images[:3]}, "images"), ({"annotations": [{**people[0], "image_id": 99}]}, "image_id"),
        ({"annotations": [{**people[0], "keypoints": points[:9]}]}, "51 finite"),
        ({"annotations": [{**people[0], "track_id": None}]}, "track_id"), ({"annotations": []}, "annotations"),
    ):  # fmt: skip
        path.write_text(json.dumps({"images": images, "annotations": people} | change))
        with pytest.raises(BadFile, match=match):
            read_annotations(path, 64, 48, 4, 10.0)


def test_a_stage_is_made_once_and_again_when_its_input_changed_or_its_file_broke(tmp_path: Path) -> None:
    made_of: list[int] = []
    stages = Stages(tmp_path)

    def make(value: int) -> dict[str, np.ndarray]:
        made_of.append(value)
        return {"x": np.full(3, value)}

    for value in (1, 1, 2, 2):
        assert stages.kept("stage", {"value": value}, lambda value=value: make(value))["x"].tolist() == [value] * 3
    (tmp_path / "stage.npz").write_bytes(b"PK\x03\x04 cut off")
    assert stages.kept("stage", {"value": 2}, lambda: make(2))["x"].tolist() == [2] * 3
    assert made_of == [1, 2, 2]


def test_a_video_is_read_frame_by_frame(recording: Recording, tmp_path: Path) -> None:
    video = open_video(recording.folder / "frames")
    assert (video.count, video.width, video.height, video.fps) == (recording.motion.frames, 320, 240, 10.0)
    first = next(video.frames())
    assert np.array_equal(video.some([5, 0])[1], first)
    iio.imwrite(tmp_path / "clip.mp4", np.stack(video.some(range(6))), fps=12)
    clip = open_video(tmp_path / "clip.mp4")
    assert (clip.count, clip.width, clip.height, clip.fps) == (6, 320, 240, 12.0)
    assert np.abs(clip.some([0])[0].astype(int) - first).mean() < 8


def test_frames_are_those_of_the_stream_though_it_has_a_gap(tmp_path: Path) -> None:
    """Ten of thirty frames were never written: every number still is of the picture that somebody annotated."""
    levels = np.array([level for level in range(30) if not 5 <= level < 15])
    iio.imwrite(tmp_path / "whole.mp4", np.stack([np.full((32, 32, 3), 8 * n, np.uint8) for n in range(30)]), fps=10)
    subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", tmp_path / "whole.mp4", "-vf",
         "select=not(between(n\\,5\\,14))", "-fps_mode", "passthrough", tmp_path / "gap.mp4"], check=True,
    )  # fmt: skip
    video = open_video(tmp_path / "gap.mp4")
    assert video.count == len(levels)
    assert np.abs(np.array([frame.mean() / 8 for frame in video.frames()]) - levels).max() < 0.6
    for wrong in (19, 25):
        with pytest.raises(BadFile, match=f"frames: .*expected {wrong}"):
            list(replace(video, count=wrong).frames())


def test_masks_of_people_alone_are_no_masks_of_the_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    observed = Observed(10.0, np.zeros((1, 4, 17, 2)), np.zeros((1, 4, 17)), np.ones((1, 4, 4)))
    people, video = np.full((1, 6, 8), LABEL["person"], np.uint8), open_video(folder_of(tmp_path, (8, 6), 4))
    told = Annotated(observed, bridged(observed), ("person",), ("a",), regions=Regions(np.array([0]), people))
    (tmp_path / "weights").write_bytes(b"x")

    def masks(segmenter: Path | None) -> Regions | None:
        settings = pipeline.Settings(networks=pipeline.Networks(segmenter=segmenter))
        images = video.some([0])
        return pipeline._regions(images, [0], told, video, settings, Stages(tmp_path / "cache"), lambda *_: None)

    floor = Regions(np.array([0]), np.full((1, 6, 8), LABEL["floor"], np.uint8))
    monkeypatch.setattr(segment, "segmented", lambda *_: floor)
    assert masks(None) is None
    assert (masks(tmp_path / "weights") or told.regions).labels.tolist() == floor.labels.tolist()


def folder_of(place: Path, size: tuple[int, int], count: int) -> Path:
    (place / "pictures").mkdir()
    for number in range(count):
        Image.new("RGB", size).save(place / "pictures" / f"{number}.png")
    return place / "pictures"


def test_depth_of_every_frame_is_taken_where_nobody_is(tmp_path: Path) -> None:
    """Somebody stands in the same place in seven of ten frames."""
    boxes = np.full((1, 10, 4), np.nan)
    boxes[0, :7] = [10, 10, 8, 20]
    observed = Observed(10.0, np.zeros((1, 10, 17, 2)), np.zeros((1, 10, 17)), boxes)
    depth = np.full((10, 48, 64), 3.0)
    depth[:7, 10:30, 10:18] = 1.0
    np.savez(tmp_path / "depth.npz", depth=depth)
    annotated = Annotated(observed, bridged(observed), ("person",), ("a",))
    found = depth_from_file(tmp_path / "depth.npz", 48, 64, np.zeros((4, 48, 64), bool), annotated)
    assert found.known.all()
    assert np.allclose(found.depth, 3.0)


def test_people_tell_the_rooms_scale_and_their_own_height() -> None:
    """The camera seems to hang 10 % too low, so that everything seems small; both people seem so alike."""
    scene = made("assist_walking_01", "corner", BODY, seed=1, seconds=3.0)
    proxies = [proxies_of(BODY, betas) for betas in scene.truth.betas]
    pose = scene.camera.world_from_camera.copy()
    for factor in (1.0, 0.9):
        smaller = pose.copy()
        smaller[:3, 3] *= factor
        camera = replace(scene.camera, world_from_camera=smaller)
        start = stood(replace(scene.truth, transl=(factor * scene.truth.transl).astype(np.float32)), proxies, camera,
                      scene.resting)  # fmt: skip
        taller = tallness(start, scene.observed, camera, BODY, scene.resting)
        assert np.allclose(taller, factor, atol=0.03)
    enlarge, own = shared_scale(np.array([0.9, 0.9, np.nan]), 1.0)
    assert enlarge == pytest.approx(1 / 0.9, abs=0.01)
    assert np.allclose(own, 1.0, atol=0.01)
    known, own = shared_scale(np.array([0.9, 1.05]), 0.0)
    assert known == 1.0
    assert np.allclose(own, [0.9, 1.05])
    assert shared_scale(np.array([np.nan]), 0.1)[0] == 1.0
    for height in (1.5, 1.8):
        assert body_height(BODY, betas_of_height(BODY, height)[None])[0] == pytest.approx(height, abs=0.01)


def test_a_regressors_poses_come_into_the_world_for_every_box() -> None:
    """A small random network: everybody with a box is where the box is, others are absent."""
    scene = made("assist_walking_01", "corner", BODY, seed=1, seconds=1.0)
    observed = scene.observed
    boxes = observed.boxes.copy()
    boxes[1, 3] = np.nan
    observed = replace(observed, boxes=boxes)
    config = HMR2Config(width=32, depth=1, heads=2, mlp=32, head_width=32, head_layers=1, head_heads=2, head_channels=8,
                        head_mlp=32)  # fmt: skip
    network = HMR2(config).eval()
    network.smpl_head.init_cam.data[:] = 0
    network.smpl_head.init_cam.data[..., 0] = 0.9
    image = np.random.default_rng(0).integers(0, 255, (720, 1280, 3)).astype(np.uint8)
    rotmats, betas, cameras = estimated_crops([image] * observed.frames, observed, network)
    assert np.isnan(rotmats[1, 3]).all()
    assert np.isfinite(rotmats[0]).all()
    assert betas.shape == (2, 10)
    cameras[..., 0] = 0.9  # a random head sees people anywhere
    cameras[..., 1:] = 0.0
    motion = placed(rotmats, cameras, observed, scene.camera, BODY, scene.truth.betas)
    assert not motion.present[1, 3]
    assert motion.present.sum() == motion.present.size - 1
    pelvis = state_of(motion, [proxies_of(BODY, b) for b in motion.betas]).joints[:, :, 0].numpy()
    pixels, _, _ = scene.camera.project(pelvis[0])
    assert np.abs(pixels - (boxes[0, :, :2] + boxes[0, :, 2:] / 2)).max() < 3
