"""The Blender extension in Blender itself (the module bpy), each check in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("bpy")

from synth.body import load_body
from synth.body.outfits import dressed_vertices
from synth.interaction import Interaction, Prop, load_interaction
from synth.rooms import load_room, room_meshes, save_room
from synth.skeleton import JOINT, forward_kinematics, upright

ROOT = Path(__file__).parents[1]
RUNNER, CHECKS = ROOT / "tests" / "addon_runner.py", ROOT / "tests" / "addon_checks.py"
ROOM = "ward_03"
FRAMES = 200


@pytest.fixture(scope="session")
def extension(tmp_path_factory) -> Path:
    """A repository of extensions with ours in it; the path has spaces and letters beyond ASCII."""
    from addon_runner import install

    folder = tmp_path_factory.mktemp("Erweiterungen für Blender")
    install(folder)
    return folder


def run_check(python, extension, tmp_path, check, *arguments, code=0) -> None:
    """Run one of ``addon_checks`` with a Python that has bpy."""
    resources = tmp_path / "Blender's own"
    resources.mkdir(exist_ok=True)
    done = subprocess.run(
        [python, RUNNER, extension, CHECKS, check, *map(str, arguments)],
        capture_output=True, text=True, timeout=300, cwd=tmp_path,
        env=os.environ | {"BLENDER_USER_RESOURCES": str(resources), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-6000:]
    print(done.stdout)


@pytest.fixture
def blender(extension, tmp_path):
    """Run one of ``addon_checks`` with the bpy that is installed here."""
    return partial(run_check, sys.executable, extension, tmp_path)


@pytest.fixture(scope="session")
def motion() -> Interaction:
    """Two people for 200 frames at no whole number a second; the room's wheelchair and a walker of their own move."""
    two = load_interaction(ROOT / "synth/corpus/library/help_up_from_chair_01.npz")
    two = two.resample((FRAMES - 0.5) / ((two.frames - 1) / two.fps))
    assert two.frames == FRAMES
    room = load_room(ROOM)
    rest = load_body("makehuman").rest_joints(two.betas)[:, 0]
    two = two.transform(np.eye(3), [*room.floor.mean(0), 0.0], rest)
    way = np.linspace(0, 1, FRAMES)[:, None]
    turn = np.concatenate([np.zeros((FRAMES, 2)), way * 1.2], 1)
    props = (
        Prop("wheelchair_1", "wheelchair", [3.2, 1.0, 0] + way * [0, 0.8, 0], turn),
        Prop("frame", "walker", [1.0, 1.2, 0] + way * [0.5, 0, 0], -turn),
    )
    return replace(two, props=props).validate()


@pytest.fixture(scope="session")
def stage(motion, tmp_path_factory) -> Path:
    """The motion as a stage folder, by the real back end."""
    folder = tmp_path_factory.mktemp("Étage 1 – Pflege")
    motion.save(folder / "motion.npz")
    done = subprocess.run(
        [sys.executable, "-m", "render.studio", "stage", folder / "motion.npz", "--scene", ROOM, "--seed", "7",
         "--light", "day", "--out", folder / "Bühne"],
        capture_output=True, text=True, timeout=300, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "Bühne"


@pytest.fixture(scope="session")
def truth(motion, stage, tmp_path_factory) -> Path:
    """Vertices of the dressed people at some moments, by our own skinning; also between two frames' times."""
    model, staged = load_body("makehuman"), load_interaction(stage / "interaction.npz")
    looks = json.loads((stage / "stage.json").read_text())["people"]
    chosen = [0, 57, 133, FRAMES - 1]
    arrays = {"times": staged.times[chosen]}
    for person in range(staged.people):
        used = dressed_vertices(model, looks[person]["look"]["parts"], looks[person]["look"]["hair"])
        posed, _ = model.pose(
            staged.betas[person], staged.rotations()[person, chosen], staged.transl[person, chosen], used
        )
        arrays[f"vertices{person}"] = posed.numpy()
    path = tmp_path_factory.mktemp("truth") / "truth.npz"
    np.savez(path, **arrays)
    return path


OTHERS = [path for path in os.environ.get("CARESYNTH_BLENDERS", "").split(os.pathsep) if path]


@pytest.mark.parametrize(
    "check",
    ["registers_twice", "every_text_is_there", "stands_and_matches", "unedited", "time_is_mapped", "bad_folders"],
)
@pytest.mark.parametrize("python", OTHERS or [None])
def test_other_blenders(extension, stage, truth, tmp_path, python, check):
    """The same with the bpy modules of other Pythons, named in $CARESYNTH_BLENDERS (4.3, 4.5 and 5.2 were)."""
    if python is None:
        pytest.skip("$CARESYNTH_BLENDERS names no Python with another bpy")
    arguments = {
        "registers_twice": [extension], "stands_and_matches": [stage, truth], "unedited": [stage, tmp_path],
        "time_is_mapped": [stage], "bad_folders": [stage, tmp_path],
    }.get(check, [])  # fmt: skip
    run_check(python, extension, tmp_path, check, *arguments)


def joints_of(motion: Interaction) -> np.ndarray:
    rest = load_body("makehuman").rest_joints(motion.betas)
    return forward_kinematics(motion.rotations(), rest[:, None], motion.transl)[0]


# ----------------------------------------------------------------------------------------------------- the extension


def test_registers_twice_and_leaves_nothing(blender, extension):
    blender("registers_twice", extension)


def test_every_button_is_found_and_explained(blender):
    blender("every_text_is_there")


def test_prompts_are_suggested(blender):
    blender("suggests")


def test_imports_no_more_than_blender_has():
    """Standard library, NumPy and Blender's modules alone."""
    import ast

    known = set(sys.stdlib_module_names) | {"numpy", "bpy", "bpy_extras", "bmesh", "mathutils", "_cycles"}
    for path in (ROOT / "addon").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            assert {name.split(".")[0] for name in names} <= known, path


# --------------------------------------------------------------------------------------------------- import and export


def test_people_stand_in_the_room_and_are_skinned_as_ours(blender, stage, truth):
    blender("stands_and_matches", stage, truth)


def test_what_is_imported_comes_back(blender, stage, tmp_path):
    before = load_interaction(stage / "interaction.npz")
    out = tmp_path / "zurück"
    out.mkdir()
    blender("unedited", stage, out)
    joints = joints_of(before)
    for name in ("as is", "stage moved", "excluded", "hidden"):
        again = load_interaction(out / f"{name}.npz")
        assert np.abs(joints_of(again) - joints).max() < 1e-4
        assert again.meta.actions == ()
        assert again.meta.contacts == ()
        assert again.meta.text == before.meta.text
        assert np.array_equal(again.betas, before.betas)
        for prop, old in zip(again.props, before.props, strict=True):
            assert np.abs(prop.poses() - old.poses()).max() < 1e-4
    moved = joints_of(load_interaction(out / "person moved.npz"))
    turn = upright(0.7) @ np.linalg.inv(upright(0.0))
    assert np.abs(moved[0] - (joints[0] @ turn.T + [0.4, -0.3, 0.02])).max() < 1e-4
    assert np.abs(moved[1] - joints[1]).max() < 1e-4
    hand = joints_of(load_interaction(out / "hand.npz"))
    wrist = JOINT["left_wrist"]
    assert np.abs(hand[0, 0, wrist] - joints[0, 0, wrist] - [0, 0, 0.10]).max() < 2e-3
    assert np.abs(hand[0, :, JOINT["left_shoulder"]] - joints[0, :, JOINT["left_shoulder"]]).max() < 1e-4
    assert np.abs(hand[1] - joints[1]).max() < 1e-4


def test_people_as_mesh_cache(blender, stage, truth, tmp_path):
    before = load_interaction(stage / "interaction.npz")
    blender("cache", stage, truth, tmp_path / "moved.npz")
    joints, moved = joints_of(before), joints_of(load_interaction(tmp_path / "moved.npz"))
    assert np.abs(moved[0] - joints[0] - [0.5, 0, 0]).max() < 1e-4
    assert np.abs(moved[1] - joints[1]).max() < 1e-4


def test_time_is_mapped_by_seconds(blender, stage):
    blender("time_is_mapped", stage)


def test_replace_and_compare(blender, stage):
    blender("replace_and_compare", stage)


def test_what_is_replaced_is_the_imports_own(blender, stage):
    blender("removes_its_own_only", stage)


def test_a_plain_room_gives_a_camera(blender, stage, users_room):
    blender("replaced_by_a_plain_room", stage, users_room)


def test_a_foreign_name_is_no_path(blender, stage, tmp_path):
    (tmp_path / "scratch").mkdir()
    blender("foreign_name", stage, tmp_path / "scratch")


def test_another_interaction_of_that_name_is_refused(blender, stage, tmp_path):
    blender("made_anew", stage, tmp_path)


def test_excluded_people_were_not_posed(blender, stage, tmp_path):
    blender("nothing_unsaid", stage, tmp_path)


def test_bad_folders_are_refused_in_one_sentence(blender, stage, tmp_path):
    blender("bad_folders", stage, tmp_path)


def test_what_another_blender_does_not_know_is_left_out(blender, stage, tmp_path):
    blender("unknown_parts", stage, tmp_path)


@pytest.fixture
def users_room(tmp_path) -> Path:
    room = load_room(ROOM)
    save_room(room, room_meshes(room), tmp_path / "mein Zimmer")
    return tmp_path / "mein Zimmer"


def test_a_users_room(blender, users_room):
    blender("room_alone", users_room)


def test_cameras_come_back(blender, stage):
    blender("cameras_come_back", stage)


def test_cameras_have_names_of_their_own(blender, stage, tmp_path):
    blender("cameras_have_names_of_their_own", stage, tmp_path)


def test_picture_is_that_of_synth_render(blender, stage, tmp_path):
    """Through a straight and a distorted camera, at the same settings."""
    from PIL import Image

    from render.blender.session import RenderSettings, quiet
    from render.blender.stage import Stage
    from render.given import read_stage
    from render.look import draw_look

    size, frame = (160, 120), 100
    motion, info = load_interaction(stage / "interaction.npz"), json.loads((stage / "stage.json").read_text())
    staged, model, room = read_stage(stage / "stage.json"), load_body("makehuman"), load_room(ROOM)
    look = draw_look(np.random.default_rng(0), motion.meta, staged.looks)
    models = {item.name: item.camera.model for item in staged.cameras}
    chosen = [next(name for name in models if models[name] == kind) for kind in sorted(set(models.values()))]
    vertices = [
        model.pose(motion.betas[p], motion.rotations()[p, frame], motion.transl[p, frame])[0].numpy() for p in range(2)
    ]
    for name in chosen:
        camera = next(item.camera for item in staged.cameras if item.name == name).scaled(*size)
        with quiet():
            theirs = Stage(
                room, room_meshes(room), model, look, motion.betas, staged.mood, staged.light, camera,
                RenderSettings(*size, "cycles", "cpu", info["render"]["cycles"]["samples"], threads=1), tmp_path,
                motion.props,
            )  # fmt: skip
            theirs.pose(vertices)
            theirs.move(frame)
            expected = theirs.colour(info["noise_seeds"][frame]).astype(float)
        path = tmp_path / f"{name}.png"
        blender("picture", stage, name, motion.times[frame], info["noise_seeds"][frame], *size, path)
        found = np.asarray(Image.open(path).convert("RGB"), float)
        psnr = 10 * np.log10(255**2 / max(np.mean((found - expected) ** 2), 1e-9))
        print(f"{name} ({models[name]}): {psnr:.1f} dB")
        assert psnr >= 35


# ---------------------------------------------------------------------------------------------------------- back end


FAKE = """
import json, os, signal, subprocess, sys, time
from pathlib import Path

def say(event, **values):
    print(json.dumps({"event": event, **values}), flush=True)

how, arguments = os.environ["FAKE"], sys.argv[1:]
protocol = {"newer": 2, "older": 0}.get(how, 1)
if arguments[0] == "check":
    say("check", version="0.1.0", protocol=protocol, python="3.11", bpy=None, torch=None, device="cpu", model=None,
        missing=[])
    sys.exit()
if arguments[0] == "rooms":
    say("rooms", rooms=[{"id": "ward_05", "title": "lounge of the fake", "furniture": ["sofa_1"], "cameras": ["a"]}])
    sys.exit()
if "FAKE_PIDS" in os.environ:
    if how == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(os.environ["FAKE_PIDS"]).write_text(f"{os.getpid()} {child.pid}")
    say("progress", done=1, total=100, left_s=600, text="sampling")
    time.sleep(600)
say("progress", done=1, total=3, left_s=4.5, text="sampling")
if how == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
if how == "status":
    print("something went wrong", file=sys.stderr)
    sys.exit(3)
if how == "refuse":
    say("error", text="--model: no trained model here")
    sys.exit(2)
if how == "stderr":
    print("Traceback\\nerror: the last word", file=sys.stderr)
    sys.exit(2)
Path("asked.json").write_text(json.dumps(arguments))
print("a line that is no JSON")
say("warning", text="a bit of a warning")
picture = str(Path(os.environ["FAKE_STAGE"], "thumbnail.jpg"))
for name in ("first", "second"):
    target = Path(arguments[arguments.index("--out") + 1], name)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(os.environ["FAKE_STAGE"])
    say("result", folder=str(target), thumbnail=picture, title=name, seed=5)
say("progress", done=3, total=3, left_s=0, text="writing")
say("done", made=2)
"""


@pytest.fixture
def fake(tmp_path) -> Path:
    """A program that behaves as a Python with CareSynth in it; $FAKE says how."""
    script, program = tmp_path / "fake back end.py", tmp_path / "python with späces"
    script.write_text(FAKE)
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = -I ]; then exec "{sys.executable}" "$@"; fi\n'
        f'shift 2\nexec "{sys.executable}" "{script}" "$@"\n'
    )
    program.chmod(0o755)
    return program


@pytest.fixture
def output(tmp_path) -> Path:
    folder = tmp_path / "Ergebnisse – neu"
    folder.mkdir()
    return folder


def test_back_ends_that_do_not_work(blender, fake, output, tmp_path):
    old = tmp_path / "old" / "python"
    old.parent.mkdir()
    old.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')  # a Python without our packages
    old.chmod(0o755)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    blender("no_back_end", fake, old, output, scratch)


def test_folders_and_the_list_of_results(blender, output):
    blender("folders_and_lists", output)


def test_a_job_belongs_to_its_file(blender, fake, output, stage):
    blender("another_file", fake, output, stage)


def test_back_end_on_path(blender, tmp_path):
    (tmp_path / "bin").mkdir()
    for name in ("python", "synth"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
        (tmp_path / "bin" / name).chmod(0o755)
    blender("found_on_path", tmp_path / "bin")


def test_generation_reaches_the_scene(blender, fake, output, stage):
    blender("fake_generation", fake, output, stage)


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_cancel_kills_the_process_group(blender, fake, output, tmp_path):
    blender("cancel_kills", fake, output, tmp_path / "pids")


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_nothing_outlives_blender(blender, fake, output, tmp_path):
    pids = tmp_path / "pids"
    blender("dies_in_the_middle", fake, output, pids, code=-9)
    running = [int(pid) for pid in pids.read_text().split()]
    end = time.monotonic() + 15
    while any(Path(f"/proc/{pid}").exists() for pid in running) and time.monotonic() < end:
        time.sleep(0.05)
    assert not [pid for pid in running if Path(f"/proc/{pid}").exists()]


def test_the_real_back_end_answers(blender, output):
    blender("real_check", sys.executable, output)


def test_the_real_back_end_builds_a_room(blender, output):
    blender("real_room", sys.executable, output)


@pytest.mark.slow
def test_the_real_back_end_generates(blender, output):
    blender("real_generation", sys.executable, output)


def test_a_moved_hand_is_in_the_labels(blender, output, stage):
    blender("real_clip", sys.executable, output, stage)
    clips = [path for path in (output / "clips_0001" / "clips").iterdir() if (path / "DONE").exists()]
    assert len(clips) == 1
    target = json.loads((output / "wrist.json").read_text())
    info = json.loads((clips[0] / "labels.json").read_text())
    assert info["camera"]["name"] == "mine"
    with np.load(clips[0] / "labels.npz") as labels:
        world = labels["joints_world"]
    assert np.abs(world[0, 0, JOINT["left_wrist"]] - target).max() < 5e-3
