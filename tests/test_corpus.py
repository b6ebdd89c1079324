"""Retargeting, the library that ships, and its placement in rooms."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from synth.body import load_body
from synth.corpus import anatomy, asf_amc, ground, library
from synth.corpus.gate import HEAD_BACK, LANDED, faults_of
from synth.corpus.place import STANDS_FOR, NoPlace, bend_path, clearance, place
from synth.corpus.retarget import retarget
from synth.corpus.singles import SINGLES
from synth.errors import BadFile, BadOption, Missing
from synth.interaction import Interaction
from synth.motion import metrics
from synth.motion.actions import measure_actions
from synth.room import furniture_from_json
from synth.rooms import BUILTIN, load_room
from synth.rotation import axis_angle_to_matrix
from synth.skeleton import JOINT, facing_yaw, forward_kinematics

DATA = Path(__file__).parent / "data"
MOCAP = Path(__file__).parents[2] / "shared" / "data" / "mocap"
ENTRIES = library.library()


@lru_cache(maxsize=1)
def walk() -> tuple[object, Interaction]:
    capture = asf_amc.read_amc(DATA / "acclaim.amc.xz", DATA / "acclaim.asf", 30.0)
    return capture, retarget(capture, load_body(), window=(0.4, None))


def joints_of(motion: Interaction, person: int = 0) -> np.ndarray:
    rest = load_body().rest_joints(motion.betas[person])
    return forward_kinematics(motion.rotations()[person], rest, motion.transl[person])[0]


def test_retargeted_limbs_point_as_captured() -> None:
    capture, motion = walk()
    joints = joints_of(motion)
    source = capture.resample(20.0)
    # Both are compared in the frame of the first: the motion was turned to face +x.
    names = {"hip": "knee", "knee": "ankle", "shoulder": "elbow", "elbow": "wrist"}
    asf = {"hip": "femur", "knee": "tibia", "ankle": "foot", "shoulder": "humerus", "elbow": "radius", "wrist": "wrist"}

    def heights(points: np.ndarray) -> np.ndarray:
        return points[..., 2] / np.linalg.norm(points, axis=-1)

    worst = []
    for side in ("left", "right"):
        for start, end in names.items():
            ours = joints[:, JOINT[f"{side}_{end}"]] - joints[:, JOINT[f"{side}_{start}"]]
            a, b = (source.positions[8:, source.index(side[0] + asf[j])] for j in (start, end))
            worst.append(np.degrees(np.abs(np.arcsin(heights(ours)) - np.arcsin(heights(b - a)))))
    assert np.mean(worst) < 2.0  # degrees
    assert np.max(worst) < 12.0  # the floor asks for some of it


def test_retargeted_walk_stands_on_the_floor() -> None:
    _, motion = walk()
    body = load_body()
    rotmats, transl, betas = motion.rotations()[0], motion.transl[0], motion.betas[0]
    planting = ground.plant(body, betas, rotmats, transl, motion.fps)
    soles = ground.sole_positions(body, betas, rotmats, transl)
    assert planting.planted.any(1).all(), "every heel and ball stands at some time"
    assert np.abs(soles[..., 2][planting.planted]).max() < 0.03
    assert abs(float(facing_yaw(axis_angle_to_matrix(motion.global_orient[0, 0])))) < 0.15
    assert np.linalg.norm(joints_of(motion)[0, 0, :2]) < 0.05


def test_retarget_refuses_nonsense() -> None:
    capture, _ = walk()
    body = load_body()
    with pytest.raises(BadOption, match="fps"):
        retarget(capture, body, fps=0.0)
    with pytest.raises(BadOption, match="window"):
        retarget(capture, body, window=(5.0, 4.0))
    foreign = type(capture)(
        tuple(f"x{i}" for i in range(len(capture.names))), capture.parents, capture.fps,
        capture.positions, capture.rotations, capture.rest,
    )  # fmt: skip
    with pytest.raises(anatomy.UnknownSkeleton, match="x0"):
        retarget(foreign, body)


def test_library_is_whole() -> None:
    index = json.loads((library.FOLDER / library.INDEX).read_text())
    assert len(ENTRIES) >= 60
    assert {path.stem for path in library.FOLDER.glob("*.npz")} == {item["id"] for item in index["motions"]}
    assert sum(path.stat().st_size for path in library.FOLDER.iterdir()) < 6e6
    classes = {item.interaction_class for item in ENTRIES}
    wanted = {"walk_alone", "sit_down_alone", "stand_up_alone", "lie_down_alone", "get_up_from_floor_alone",
              "pick_up_from_floor", "kneel_down_alone", "crawl_alone"}  # fmt: skip
    assert wanted <= classes
    credits = (library.FOLDER / "CREDITS.md").read_text()
    for item in ENTRIES:
        for text in (item.licence, item.credit, item.id):
            assert text in credits


def test_library_motions_are_sound() -> None:
    """Every motion: what its file says, feet that stand still, a skin on the floor and not in it."""
    body = load_body()
    skin = np.unique(body.faces)[::7]
    for item in ENTRIES:
        motion = item.load()
        assert motion.seconds == pytest.approx(item.seconds)
        assert motion.meta.source["licence"] == item.licence
        # Singles keep what the build asks; in pairs another's arms carry weight, so only the bounds of the eye.
        skate, below, above = (0.105, 0.03, 0.045) if item.people == 1 else (0.1, 0.08, 0.03)
        if item.interaction_class in LANDED:  # feet give way
            skate = 0.5
        for person in range(motion.people):
            rotmats, transl, betas = motion.rotations()[person], motion.transl[person], motion.betas[person]
            planting = ground.plant(body, betas, rotmats, transl, motion.fps)
            soles = ground.sole_positions(body, betas, rotmats, transl)
            stands = planting.planted
            inner = stands[:, 1:-2] & stands[:, :-3] & stands[:, 2:-1] & stands[:, 3:]
            slide = np.linalg.norm(np.diff(soles[..., :2], axis=1), axis=-1)[:, 1:-1] * motion.fps
            if inner.any():
                assert np.percentile(slide[inner], 95) <= skate, f"{item.id}: person {person} skates"
            frames = np.arange(0, motion.frames, 5)
            posed, _ = body.pose(betas, rotmats[frames].astype(np.float32), transl[frames], skin)
            lowest = posed.numpy()[..., 2].min(1)
            carried = np.zeros(motion.frames, bool)
            for contact in motion.meta.contacts:
                if contact.person == person and contact.target.get("object") not in (None, "floor"):
                    carried[int(contact.start * motion.fps) : int(contact.end * motion.fps) + 2] = True
            assert lowest.min() > -below - 0.002, f"{item.id}: person {person} sinks into the floor"
            free = lowest[~carried[frames]]
            assert free.max(initial=0.0) < above, f"{item.id}: person {person} floats"


@pytest.mark.parametrize("name", ["ward_02", "ward_03"])
def test_falls_from_the_edge_take_the_side_of_the_bed_that_has_room(name: str) -> None:
    falls = [item for item in ENTRIES if item.interaction_class == "fall_from_bed"]
    assert len(falls) >= 4

    def fits(motion: Interaction, seed: int) -> bool:
        with contextlib.suppress(NoPlace):
            return place(motion, load_room(name), np.random.default_rng(seed)).clearance > -0.1
        return False

    for item in falls:
        assert any(fits(item.load(), seed) for seed in range(4)), item.id


def test_it_happens_where_the_user_says() -> None:
    room, rng = load_room("ward_03"), np.random.default_rng(1)
    seats = [piece.id for piece in room.furniture if piece.cls in STANDS_FOR["chair"]]
    assert len(seats) > 1
    sit = library.entry("sit_down_01").load()
    taken = []
    for wanted in seats:
        with contextlib.suppress(NoPlace):  # where there is no room
            (piece,) = place(sit, room, rng, near=wanted).stage_map.values()
            taken.append((piece.id, wanted))
    assert len(taken) > 1
    assert all(found == wanted for found, wanted in taken)
    bed = room.of_class("bed")[0]
    with pytest.raises(NoPlace, match=f"{bed.id} is none, .*{seats[0]}"):
        place(sit, room, rng, near=bed.id)
    idle = library.entry("idle_01").load()
    for _ in range(5):
        joints = joints_of(place(idle, room, rng, near=bed.id).motion)
        away = np.abs(joints[:, 0, :2].mean(0) - np.asarray(bed.box.center)[:2]).max()
        assert away < max(bed.box.size[:2]) / 2 + 1.3


def test_seats_are_under_sitters() -> None:
    sitting = [item for item in ENTRIES if item.furniture and item.people == 1]
    assert len(sitting) >= 8
    for item in sitting:
        motion = item.load()
        seat = motion.meta.stage[0]
        assert 0.25 < seat["seat_height"] < 0.6
        contact = next(c for c in motion.meta.contacts if c.target.get("object") == seat["id"])
        frame = int((contact.start + contact.end) / 2 * motion.fps)
        away = np.abs(furniture_from_json(seat, "seat").box.to_local(joints_of(motion)[frame, 0])[:2])
        limit = (
            np.array(seat["box"]["size"][:2]) / 2 if seat["class"] == "bed" else 0.3
        )  # on a bed one sits on the edge
        assert (away < limit).all(), f"{item.id}: sits {away} from the middle of its seat"


def test_who_walks_leaves_a_foot_behind_and_who_is_dragged_does_not() -> None:
    walks = [item for item in ENTRIES if item.interaction_class in ("walk_alone", "walk_with_walker", "assist_walking")]
    for item in walks:
        motion = item.load().resample(10.0)
        for person in range(motion.people):
            way, share = metrics.gliding(joints_of(motion, person), 10.0)
            assert way < 0.8 or share < 0.1, item.id
    still = joints_of(walks[0].load().resample(10.0))[:1].repeat(30, 0)
    still[..., 0] += np.linspace(0, 1.5, 30)[:, None]
    assert metrics.gliding(still, 10.0) == (pytest.approx(2.9), 1.0)


def test_the_gate_refuses_who_glides() -> None:
    body, motion = load_body(), next(i for i in ENTRIES if i.id == "walk_slow_01").load().resample(10.0)
    room = load_room("ward_05")
    open_floor = replace(room, furniture=(), floor=np.array([[-9.0, -9], [9, -9], [9, 9], [-9, 9]]))

    def told(motion: Interaction) -> list[str]:
        actions = measure_actions(motion, body)
        return [fault.text for fault in faults_of(motion, actions, open_floor, body) if "glides" in fault.text]

    assert told(motion) == []
    pose = motion.body_pose[:, :1].repeat(motion.frames, 1)
    assert told(replace(motion, body_pose=pose)) == ["somebody glides over the floor (100 % of the way)"]


@pytest.mark.parametrize(("degrees", "seconds", "refused"), [(80, 1.0, True), (80, 0.3, False), (15, 2.0, False)])
def test_the_gate_refuses_heads_thrown_back(degrees: float, seconds: float, refused: bool) -> None:
    body, motion = load_body(), next(i for i in ENTRIES if i.id == "walk_slow_01").load()
    room = replace(load_room("ward_05"), furniture=(), floor=np.array([[-9.0, -9], [9, -9], [9, 9], [-9, 9]]))
    pose = motion.body_pose.reshape(motion.people, motion.frames, 23, 3).copy()
    pose[:, : round(seconds * motion.fps), JOINT["head"] - 1] = (-np.radians(degrees), 0, 0)
    bent = replace(motion, body_pose=pose.reshape(motion.body_pose.shape))
    faults = faults_of(bent, measure_actions(bent, body), room, body)
    assert [fault.grave for fault in faults if "head" in fault.text] == [True] * refused


def test_nobody_of_the_library_stares_at_the_ceiling() -> None:
    for item in ENTRIES:
        motion = item.load()
        rest = np.asarray(load_body().rest_joints(motion.betas), float)
        joints, spun = forward_kinematics(motion.rotations(), rest[:, None], motion.transl)
        for person in range(motion.people):
            face = spun[person, :, JOINT["head"], :, 2]
            assert metrics.head_back(joints[person], face, motion.fps) <= HEAD_BACK, item.id


def test_damaged_library_is_named(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"synth\.corpus\.build"):
        library.library(tmp_path)
    good = json.loads((library.FOLDER / library.INDEX).read_text())
    for change, says in (
        (lambda v: v.update(version=9), "version"),
        (lambda v: v["motions"][0].update(interaction_class="dance"), "interaction_class"),
        (lambda v: v["motions"][0].update(core=[2, 1]), "core"),
        (lambda v: v["motions"][0].update(people=0), "people"),
        (lambda v: v["motions"].append(v["motions"][0]), "ids"),
    ):
        value = json.loads(json.dumps(good))
        change(value)
        folder = tmp_path / says
        folder.mkdir()
        (folder / library.INDEX).write_text(json.dumps(value))
        with pytest.raises(BadFile, match=says):
            library.library(folder)
    with pytest.raises(BadOption, match="nearest: walk_0"):
        library.entry("walk_0l")
    shutil.copy(library.FOLDER / library.INDEX, tmp_path / library.INDEX)
    with pytest.raises(Missing, match="walk_01"):
        library.entry("walk_01", tmp_path).load()


PLACED = ("walk_01", "idle_01", "sit_down_01", "stand_up_01", "pick_up_01", "lie_down_01")


@pytest.mark.parametrize("name", BUILTIN)
def test_placements_keep_clear(name: str) -> None:
    room = load_room(name)
    for index, identifier in enumerate(PLACED):
        motion = library.entry(identifier).load()
        placed = place(motion, room, np.random.default_rng(index))
        again = place(motion, room, np.random.default_rng(index))
        assert np.array_equal(placed.motion.transl, again.motion.transl)
        joints = joints_of(placed.motion)
        taken = [piece.id for piece in placed.stage_map.values()]
        assert clearance(room, joints[:, [0]], np.array([0.1]), ignore=taken).min() > 0.0, f"{identifier}: pelvis"
        feet = [JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("ankle", "foot")]
        assert room.contains(joints[:, feet, :2]).all(), f"{identifier}: feet outside the floor"
        assert placed.clearance > -0.09
        assert bool(taken) == bool(motion.meta.stage)
        if not placed.bend:  # a rigid move keeps distances and heights
            first = round(placed.cut[0] * motion.fps)
            original = joints_of(motion)[first : first + placed.motion.frames]
            assert np.allclose(original[..., 2], joints[..., 2], atol=1e-4)
            apart = [np.linalg.norm(j[0, 0] - j[-1, 0]) for j in (original, joints)]
            assert apart[0] == pytest.approx(apart[1], abs=1e-3)
        for stage, piece in placed.stage_map.items():
            contact = next(c for c in motion.meta.contacts if c.target.get("object") == stage)
            pelvis = joints[int((contact.start + contact.end) / 2 * motion.fps), 0]
            inside = np.abs(piece.box.to_local(pelvis)[:2]) - piece.box.size[:2] / 2
            assert (inside < 0.1).all(), f"{identifier} sits beside {piece.id}"


def test_no_place_says_why() -> None:
    room = load_room("ward_06")
    motion = library.entry("sit_down_01").load()
    bed = {**motion.meta.stage[0], "class": "bed"}
    on_bed = replace(motion, meta=replace(motion.meta, stage=(bed,)))
    with pytest.raises(NoPlace, match="needs a bed"):
        place(on_bed, room, np.random.default_rng(0))


def test_bent_paths_keep_their_length() -> None:
    motion = library.entry("walk_03").load()
    body = load_body()
    bent = bend_path(motion, body, 0.5)
    before, after = (joints_of(m)[:, 0] for m in (motion, bent))
    lengths = [np.linalg.norm(np.diff(p[:, :2], axis=0), axis=1) for p in (before, after)]
    assert np.allclose(*lengths, atol=1e-4)
    assert np.allclose(before[:, 2], after[:, 2], atol=1e-4)
    yaw = np.unwrap(facing_yaw(axis_angle_to_matrix(bent.global_orient[0])))
    straight = np.unwrap(facing_yaw(axis_angle_to_matrix(motion.global_orient[0])))
    assert (yaw - straight)[-1] == pytest.approx(0.5 * lengths[0].sum(), abs=0.01)


@pytest.mark.skipif(not MOCAP.is_dir(), reason="the capture collection is not here")
def test_build_is_repeatable(tmp_path: Path) -> None:
    from synth.corpus.build import build

    threads = torch.get_num_threads()
    try:
        for name in ("a", "b"):
            assert not build(MOCAP, tmp_path / name, only=["pick_up_01"], pairs=False)
    finally:
        torch.set_num_threads(threads)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_table_of_singles() -> None:
    ids = [item.id for item in SINGLES]
    assert len(ids) == len(set(ids))
    assert all(item.captions and 0.5 < item.stretch <= 1.5 for item in SINGLES)
