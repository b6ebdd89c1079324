"""Clip folders are there whole or not at all; data set folders belong to one job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from render.blender.session import drop_tempdir
from render.clip import FILES, is_done, new_clip, open_clip, plain, write_depth, write_masks
from render.dataset import clean_up, discard_if_empty, locked, note_versions, open_dataset, write_manifest
from render.plan import JobSettings
from render.video import check_size, video_writer, write_poster
from synth.errors import BadFile, BadOption
from synth.files import working_folder, write_json, write_npz

JOB = JobSettings("ward_03", ("help up",), 1, 7, 4.0, 10.0, 320, 240)
INFO = {
    "prompt": "help up", "class": "help_up_from_bed", "room": "ward_03",
    "camera": {"name": "door", "width": 64, "height": 48},
    "light": "day", "people": [{"role": "staff"}], "segments": [{"label": "walk"}], "frames": 2, "fps": 10.0,
    "seed": {"job": 7, "take": 0}, "warning": None,
}  # fmt: skip


def make_clip(clips, identifier="000000_door"):
    with new_clip(clips, identifier) as work:
        for name in FILES:
            (work / name).write_bytes(name.encode())
        write_masks(work, np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4))
        write_depth(work, np.full((2, 3, 4), 1.2345))
        write_json(work / "labels.json", INFO)
        write_npz(work / "labels.npz", {"time": np.arange(2.0)})
    return clips / identifier


def test_a_clip_is_sealed_and_read_back(tmp_path):
    clip = open_clip(make_clip(tmp_path))
    assert clip.id == "000000_door"
    assert clip.info == INFO
    assert clip.masks().shape == (2, 3, 4)
    assert (clip.depth() == 1234).all()
    assert not working_folder(tmp_path / "000000_door").exists()


def test_depth_without_anything_in_sight_is_zero(tmp_path):
    write_depth(tmp_path, np.array([[[np.inf, 70.0, 0.5]]]))
    with np.load(tmp_path / "depth.npz") as stored:
        assert stored["depth_mm"].tolist() == [[[0, 0, 500]]]


@pytest.mark.parametrize("damage", ["shorter", "changed", "gone", "unsealed", "garbage seal"])
def test_a_damaged_clip_is_none(tmp_path, damage):
    folder = make_clip(tmp_path)
    victim = folder / "masks.npz"
    if damage == "shorter":
        victim.write_bytes(victim.read_bytes()[:-1])
    elif damage == "changed":
        raw = bytearray(victim.read_bytes())
        raw[40] ^= 1
        victim.write_bytes(raw)
    elif damage == "gone":
        victim.unlink()
    elif damage == "unsealed":
        (folder / "DONE").unlink()
    else:
        (folder / "DONE").write_text("[1")
    assert not is_done(folder)
    with pytest.raises(BadFile):
        open_clip(folder)


def test_nothing_stays_of_a_clip_that_failed(tmp_path):
    def fail():
        with new_clip(tmp_path, "000000_door") as work:
            (work / "video.mp4").write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_cleaned_up(tmp_path):
    open_dataset(tmp_path / "d", JOB, {})
    clips = tmp_path / "d" / "clips"
    make_clip(clips)
    half = working_folder(clips / "000001_door")
    half.mkdir()
    (half / "video.mp4").write_bytes(b"half")
    unsealed = clips / "000002_door"
    unsealed.mkdir()
    clean_up(tmp_path / "d")
    assert [path.name for path in clips.iterdir()] == ["000000_door"]


def test_the_manifest_has_a_line_a_clip(tmp_path):
    open_dataset(tmp_path / "d", JOB, {})
    for identifier in ("000001_door", "000000_door"):
        make_clip(tmp_path / "d" / "clips", identifier)
    assert [clip.id for clip in write_manifest(tmp_path / "d")] == ["000000_door", "000001_door"]
    lines = [json.loads(line) for line in (tmp_path / "d" / "manifest.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == ["000000_door", "000001_door"]
    assert (tmp_path / "d" / lines[0]["video"]).exists()


def test_a_folder_belongs_to_one_job(tmp_path):
    folder = tmp_path / "d"
    assert open_dataset(folder, JOB, {})
    assert not open_dataset(folder, JOB, {})
    with pytest.raises(BadOption, match="seed is 7 there, 8 here"):
        open_dataset(folder, replace(JOB, seed=8), {})
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("x")
    with pytest.raises(BadOption, match=r"thesis\.tex"):
        open_dataset(foreign, JOB, {})
    with pytest.raises(BadOption, match="file"):
        open_dataset(foreign / "thesis.tex", JOB, {})
    (folder / "dataset.json").write_text("[]")
    with pytest.raises(BadFile):
        open_dataset(folder, JOB, {})


def test_a_job_that_ended_before_it_was_a_data_set_is_no_obstacle(tmp_path):
    folder = tmp_path / "d"
    (folder / "clips").mkdir(parents=True)
    (folder / ".dataset.17.tmp.json").write_text("{")
    assert open_dataset(folder, JOB, {})
    other = tmp_path / "other"
    (other / "clips" / "mine").mkdir(parents=True)
    with pytest.raises(BadOption, match="clips and no data set"):
        open_dataset(other, JOB, {})


def test_a_job_that_goes_on_with_other_versions_says_so(tmp_path):
    old, new = {"bpy": "5.0.1", "numpy": "2.0"}, {"bpy": "5.2", "numpy": "2.0"}
    open_dataset(tmp_path, JOB, old)
    assert note_versions(tmp_path, old) is None
    for _ in range(2):
        warning = note_versions(tmp_path, new)
        assert warning is not None
        assert warning.endswith(": bpy 5.0.1 then, 5.2 now")
        stored = json.loads((tmp_path / "dataset.json").read_text())
        assert (stored["versions"], stored["versions_since"]) == (old, [new])
    assert not open_dataset(tmp_path, JOB, new)  # and it stays the same job's


def test_blender_s_folder_goes_and_nobody_else_s(tmp_path, monkeypatch):
    for name, stays in (("blender_x", False), ("tmp", True)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
        app = SimpleNamespace(tempdir=f"{tmp_path / name}/")
        monkeypatch.setitem(sys.modules, "bpy", SimpleNamespace(app=app))
        drop_tempdir()
        assert (tmp_path / name).exists() == stays


def test_one_job_at_a_time_works_in_a_folder(tmp_path):
    with locked(tmp_path / "d"), pytest.raises(BadOption, match="no other"), locked(tmp_path / "d"):
        pass
    assert not (tmp_path / "d").exists()  # an empty folder that the lock made goes with it


def test_a_data_set_that_came_to_nothing_is_taken_back(tmp_path):
    with locked(tmp_path / "d"):
        open_dataset(tmp_path / "d", JOB, {})
        assert discard_if_empty(tmp_path / "d")
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("size", [(321, 240), (320, 241), (8, 240), (320, 8192)])
def test_sizes_that_h264_refuses(size):
    with pytest.raises(BadOption, match="even numbers"):
        check_size(*size)


def frames(count):
    rng = np.random.default_rng(1)
    return [rng.integers(0, 255, (48, 64, 3)).astype(np.uint8) for _ in range(count)]


def test_the_same_frames_give_the_same_bytes(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        with video_writer(tmp_path / name, 64, 48, 10) as write:
            for frame in frames(7):
                write(frame)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_the_video_is_what_players_and_trainers_read(tmp_path):
    cv2 = pytest.importorskip("cv2")
    colour = np.zeros((48, 64, 3), np.uint8)
    colour[:, :32] = (200, 40, 40)
    colour[:, 32:] = (40, 40, 200)
    with video_writer(tmp_path / "a.mp4", 64, 48, 12.5) as write:
        for _ in range(9):
            write(colour)
    video = cv2.VideoCapture(str(tmp_path / "a.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 9
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(12.5)
    _, first = video.read()
    assert np.abs(first[:, 4:28, ::-1].mean((0, 1)) - [200, 40, 40]).max() < 12
    write_poster(tmp_path / "p.jpg", colour)
    poster = cv2.imread(str(tmp_path / "p.jpg"))[..., ::-1]
    assert np.abs(poster[:, 36:60].mean((0, 1)) - [40, 40, 200]).max() < 12


def test_a_frame_of_another_size_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected uint8"), video_writer(tmp_path / "a.mp4", 64, 48, 10) as write:
        write(np.zeros((40, 64, 3), np.uint8))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX limits")
@pytest.mark.parametrize("what", ["labels", "video"])
def test_a_full_disk_leaves_nothing(tmp_path, what):
    """A limit on the size of files stands for the end of the disk: both end a write in the middle."""
    code = """
        import resource, signal, sys
        import numpy as np
        from pathlib import Path
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
        from render.clip import new_clip, write_masks
        from render.video import video_writer
        noise = np.random.default_rng(0).integers(0, 255, (20, 48, 64, 3)).astype(np.uint8)
        try:
            with new_clip(Path(sys.argv[1]), "000000_door") as work:
                if sys.argv[2] == "labels":
                    write_masks(work, noise[..., 0])
                else:
                    with video_writer(work / "video.mp4", 64, 48, 10) as write:
                        for frame in noise:
                            write(frame)
        except OSError as error:
            print("refused", error.errno)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path), what], capture_output=True,
                          text=True, check=False, timeout=60)  # fmt: skip
    assert done.stdout.startswith("refused"), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_plain_turns_numpy_into_json():
    assert plain({"a": np.float32(0.5), "b": (np.arange(2), True)}) == {"a": 0.5, "b": [[0, 1], True]}
    with pytest.raises(TypeError):
        plain({"a": object()})
