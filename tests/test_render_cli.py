"""The command line: help at once, bad input in one line, and jobs that can be stopped in any way and gone on with."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from render import cli

ROOT = Path(__file__).parent.parent
# few frames over a time in which something can happen: shorter motions would be rejected and made again
GOOD = {"--scene": "ward_03", "--prompt": "a nurse walks through the room", "--n": "1", "--seed": "7",
        "--seconds": "4", "--size": "64x48", "--samples": "1", "--fps": "1"}  # fmt: skip
LABEL_FILES = ("labels.npz", "labels.json", "masks.npz", "interaction.npz")


def arguments(out, **changed):
    options = GOOD | {"--out": str(out)} | {"--" + name.replace("_", "-"): value for name, value in changed.items()}
    return [word for name, value in options.items() if value is not None for word in (name, str(value))]


def refused(capfd, given):
    with pytest.raises(SystemExit) as stop:
        cli.main(given)
    out, err = capfd.readouterr()
    assert stop.value.code == 2, err
    assert out == ""
    assert err.startswith("error: "), err
    assert err.count("\n") == 1, err
    return err


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"scene": "ward_3"}, "ward_03"),
        ({"scene": "/nowhere/room"}, "scene"),
        ({"camera": "cornr"}, "corner"),
        ({"prompt": ""}, "empty"),
        ({"prompt": "   "}, "empty"),
        ({"prompt": None}, "--prompt"),
        ({"n": "0"}, "--n"),
        ({"n": "-3"}, "--n"),
        ({"n": "many"}, "--n"),
        ({"size": "321x240"}, "even"),
        ({"size": "320x0"}, "even"),
        ({"size": "320"}, "WIDTHxHEIGHT"),
        ({"size": "²x240"}, "WIDTHxHEIGHT"),
        ({"seconds": "0"}, "--seconds"),
        ({"seconds": "nan"}, "--seconds"),
        ({"seconds": "60", "fps": "25", "size": "1920x1080"}, "--seconds: found 60; expected at most 41.4"),
        ({"prompt": "a nurse \udce9"}, "UTF-8"),
        ({"fps": "0"}, "--fps"),
        ({"samples": "0"}, "--samples"),
        ({"seed": "-1"}, "--seed"),
        ({"workers": "0"}, "--workers"),
        ({"engine": "povray"}, "cycles"),
        ({"engine": "workbench", "camera": "ceiling"}, "fisheye"),
        ({"generator": "oracle"}, "retrieval"),
        ({"generator": "diffusion", "model": "/nowhere/m.safetensors"}, "m.safetensors"),
        ({"generator": "retrieval", "model": "/nowhere/m.safetensors"}, "--generator diffusion"),
        ({"prompts": "/nowhere/prompts.txt"}, "prompts.txt"),
        ({"interaction": "/nowhere/motion.npz"}, "motion.npz"),
        ({"looks": "/nowhere/looks.json"}, "looks.json"),
        ({"near": "bed_9", "generator": "retrieval"}, "bed_1"),
        ({"body": "/nowhere/SMPL.pkl"}, "SMPL.pkl"),
    ],
)
def test_bad_options_are_one_line_and_leave_nothing(tmp_path, capfd, changed, says):
    err = refused(capfd, arguments(tmp_path / "out", **changed))
    assert says in err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_another_job_is_left_alone(tmp_path, capfd):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("x")
    assert "thesis.tex" in refused(capfd, arguments(out))
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\n\n"])
def test_bad_files_of_prompts(tmp_path, capfd, content):
    file = tmp_path / "prompts.txt"
    file.write_bytes(content)
    assert "prompts.txt" in refused(capfd, arguments(tmp_path / "out", prompt=None, prompts=file))


def test_a_file_of_prompts_may_begin_with_a_mark_of_its_encoding(tmp_path):
    file = tmp_path / "prompts.txt"
    file.write_bytes(b"\xef\xbb\xbfa nurse walks\r\n")
    assert cli.read_prompts((), file) == ("a nurse walks",)


def test_a_folder_named_like_a_built_in_room_is_not_meant(tmp_path, monkeypatch):
    (tmp_path / "ward_03").mkdir()
    monkeypatch.chdir(tmp_path)
    given = cli.render.make_context("synth-render", [*arguments(tmp_path / "out"), "--generator", "retrieval"]).params
    del given["as_json"]
    settings = cli.Options(**given).settings()
    assert (settings.scene, settings.inputs) == ("ward_03", ())


def test_damaged_room_folders(tmp_path, capfd):
    from synth.rooms import load_room, room_meshes, save_room

    room = load_room("ward_04")
    folder = tmp_path / "room"
    save_room(room, room_meshes(room), folder)
    whole = {name: (folder / name).read_bytes() for name in ("room.json", "room.glb")}
    for name, content in (("room.json", b"{"), ("room.json", b"[]"), ("room.glb", whole["room.glb"][:300])):
        for other, raw in whole.items():
            (folder / other).write_bytes(raw)
        (folder / name).write_bytes(content)
        assert name in refused(capfd, arguments(tmp_path / "out", scene=folder))
        assert not (tmp_path / "out").exists()


def test_a_hostile_body_file_is_refused_and_nothing_runs(tmp_path, capfd):
    import pickle

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "owned"),)

    for name, content in (("hostile.pkl", pickle.dumps({"f": Hostile()})), ("damaged.npz", b"PK\x03\x04garbage")):
        (tmp_path / name).write_bytes(content)
        assert name in refused(capfd, arguments(tmp_path / "out", body=tmp_path / name))
        assert not (tmp_path / "owned").exists()
        assert not (tmp_path / "out").exists()


def run(given, **more):
    return subprocess.run([sys.executable, "-m", "render.cli", *given], cwd=ROOT, text=True, capture_output=True,
                          check=False, timeout=600, **more)  # fmt: skip


@pytest.mark.parametrize("module", ["render.cli", "synth.cli"])
def test_help_comes_at_once(module):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert b"Usage" in done.stdout
    # processor time, which other work on the machine does not add to
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def digest(folder):
    clips = sorted(path for path in (folder / "clips").iterdir() if not path.name.startswith("."))
    return {
        f"{clip.name}/{name}": hashlib.sha256((clip / name).read_bytes()).hexdigest()
        for clip in clips
        for name in LABEL_FILES
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two clips, made in one go by one worker."""
    out, temporary = tmp_path_factory.mktemp("job") / "A", tmp_path_factory.mktemp("tmp")
    done = run([*arguments(out, n=2), "--json"], env=os.environ | {"TMPDIR": str(temporary)})
    assert done.returncode == 0, done.stderr
    assert not list(temporary.glob("*"))  # Blender's own folders are gone too
    return out, json.loads(done.stdout)


def test_the_summary_and_the_files(finished):
    out, summary = finished
    assert summary["clips"] == summary["made"] == 2
    assert summary["out"] == str(out)
    assert summary["seconds_a_clip"] > 0
    names = {path.name for path in out.iterdir()}
    assert names == {"clips", "manifest.jsonl", "dataset.json", "README.md", "index.html"}
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == sorted(path.name for path in (out / "clips").iterdir())

    from render.clip import open_clip

    for line in lines:
        clip = open_clip(out / "clips" / line["id"])
        labels, info = clip.labels, clip.info
        frames, people = info["frames"], len(info["people"])
        assert frames == 4
        assert clip.masks().shape == (frames, 48, 64)
        assert labels["joints_world"].shape == (frames, people, 24, 3)
        assert labels["keypoints"].shape == (frames, people, 17, 3)
        assert labels["contact"].shape == (frames, len(info["contacts"]))
        assert labels["action"].min() >= 0
        assert set(labels["mask_id"]) >= set(clip.masks().ravel()) - {0}
        assert clip.interaction().frames == frames
        assert {"body", "motion", "room"} <= set(info["licences"])


def begun(out, process):
    """Wait until a clip is being made."""
    deadline = time.monotonic() + 500
    while process.poll() is None and time.monotonic() < deadline:
        if (out / "clips").is_dir() and any((out / "clips").iterdir()):
            return
        time.sleep(0.02)


def start(given):
    # Shells start background jobs with SIGINT ignored, and children inherit that: these tests must not.
    return subprocess.Popen([sys.executable, "-m", "render.cli", *given], cwd=ROOT, stderr=subprocess.PIPE,
                            stdout=subprocess.DEVNULL, text=True, start_new_session=True,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # fmt: skip


def test_ctrl_c_leaves_nothing_unfinished(tmp_path):
    out = tmp_path / "C"
    process = start(arguments(out))
    begun(out, process)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert not out.exists() or not list((out / "clips").glob(".*"))
    for _ in range(100):  # the worker is gone too; Python's own helper process ends a moment later
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("a process of the job is still running")


def test_workers_and_a_kill_in_the_middle_change_nothing(finished, tmp_path):
    """Two workers, everything killed once a clip has been begun; the same command goes on."""
    reference, _ = finished
    out = tmp_path / "B"
    given = arguments(out, n=2, workers=2)
    process = start(given)
    begun(out, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    done = run([*given, "--json"])
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["clips"] == 2
    assert summary["made"] + summary["kept"] == 2
    assert digest(out) == digest(reference)
    assert (out / "manifest.jsonl").read_bytes() == (reference / "manifest.jsonl").read_bytes()

    again = json.loads(run([*given, "--json"]).stdout)
    assert (again["made"], again["kept"]) == (0, 2)
    other = run(arguments(out, n=2, seed=8))
    assert other.returncode == 2
    assert "seed is 7 there, 8 here" in other.stderr
    assert digest(out) == digest(reference)


def test_a_full_disk_is_one_line_and_keeps_what_is_finished(tmp_path):
    """On a tiny file system; a limit on file sizes would hit the renderer's own temporary images first."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a tiny file system")

    try:
        done = run(arguments(disk / "out"))
        left = sorted(path.name for path in disk.rglob("*") if path.is_file())
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: "), done.stderr
    assert "Traceback" not in done.stderr
    assert "space" in last or "large" in last
    assert left == []
