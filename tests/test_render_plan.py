"""Plans: the same seed gives the same clips, and no clip depends on another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from render.plan import CAMERA, LOOK, MOTION, JobSettings, jitter, plan_take, seed_of
from render.view import best_view, share_in_view
from synth.errors import BadOption
from synth.rooms import BUILTIN, load_room

ROOM = load_room("ward_03")
JOB = JobSettings("ward_03", ("help up", "walk"), 3, 7, 4.0, 10.0, 320, 240)


def same(a, b):
    return (
        a.id == b.id
        and a.mood == b.mood
        and np.array_equal(a.camera.world_from_camera, b.camera.world_from_camera)
        and np.array_equal(a.camera.K, b.camera.K)
    )


def test_a_take_is_planned_alike_whenever_it_is_planned():
    forwards = [plan_take(JOB, ROOM, take)[0] for take in range(6)]
    backwards = [plan_take(JOB, ROOM, take)[0] for take in reversed(range(6))]
    assert all(same(a, b) for a, b in zip(forwards, reversed(backwards), strict=True))


def test_every_seed_counts_also_zero():
    poses = {seed: plan_take(replace(JOB, seed=seed), ROOM, 0)[0].camera.world_from_camera for seed in (0, 1, 2**40)}
    assert not np.array_equal(poses[0], poses[1])
    assert not np.array_equal(poses[0], poses[2**40])


def test_purposes_and_takes_have_streams_of_their_own():
    states = {tuple(seed_of(7, take, purpose).generate_state(2)) for take in range(20) for purpose in range(6)}
    assert len(states) == 120
    assert len({MOTION, LOOK, CAMERA}) == 3


def test_prompts_take_turns_so_that_a_part_of_the_job_holds_all_of_them():
    assert [plan_take(JOB, ROOM, take)[0].prompt for take in range(4)] == ["help up", "walk", "help up", "walk"]
    assert JOB.takes == 6


def test_all_films_a_take_with_each_camera_in_one_light():
    plans = plan_take(replace(JOB, camera="all"), ROOM, 2)
    assert [plan.camera_name for plan in plans] == [item.name for item in ROOM.cameras]
    assert len({plan.mood for plan in plans}) == 1
    assert len({plan.id for plan in plans}) == len(plans)


def test_random_offers_every_camera_for_one_clip_in_an_order_of_the_take():
    orders = set()
    for take in range(12):
        plans = plan_take(JOB, ROOM, take)
        assert len({plan.id for plan in plans}) == 1
        assert {plan.camera_name for plan in plans} == {item.name for item in ROOM.cameras}
        orders.add(plans[0].camera_name)
    assert orders == {item.name for item in ROOM.cameras}


def test_a_random_camera_sees_who_it_films():
    rng = np.random.default_rng(3)
    blind = 0
    for take in range(60):
        plans = plan_take(JOB, ROOM, take)
        middle = np.append(rng.uniform(ROOM.floor.min(0) + 0.2, ROOM.floor.max(0) - 0.2), 0.0)
        joints = middle + rng.uniform([-0.2, -0.2, 0.1], [0.2, 0.2, 1.7], (1, 20, 24, 3))
        shares = [share_in_view(plan.camera, joints, ROOM) for plan in plans]
        chosen = plans.index(best_view(plans, joints, np.ones((1, 20), bool), 10.0, ROOM))
        assert shares[chosen] >= min(0.7, max(shares) - 1e-9)
        blind += shares[0] < 0.7
    assert blind  # the first camera drawn would have missed some of them


def test_what_stands_behind_furniture_or_the_camera_is_not_in_view():
    camera = ROOM.camera("corner").scaled(320, 240)
    wardrobe = ROOM.of_class("wardrobe")[0]
    beyond = wardrobe.box.center + (wardrobe.box.center - camera.position) * 0.3
    empty = replace(ROOM, furniture=())
    assert share_in_view(camera, beyond, ROOM) == 0
    assert share_in_view(camera, camera.position - camera.world_from_camera[:3, 2], empty) == 0
    ahead = camera.position + camera.world_from_camera[:3, 2]
    assert share_in_view(camera, ahead, empty) == 1


def test_ids_hold_neither_dots_nor_spaces():
    room = replace(ROOM, cameras=tuple(replace(item, name=f"door. side {item.name}") for item in ROOM.cameras))
    for plan in plan_take(replace(JOB, camera="all"), room, 0):
        assert not set(plan.id) & set(". /\\")


def test_cameras_whose_names_are_alike_get_ids_of_their_own():
    names = ("bed_cam", "bed-cam", "左", "右", "door", "Door", "bed-cam-2")
    cameras = tuple(replace(ROOM.cameras[0], name=name) for name in names)
    plans = plan_take(replace(JOB, camera="all"), replace(ROOM, cameras=cameras), 0)
    ids = [plan.id.removeprefix("000000_") for plan in plans]
    assert ids == ["bed-cam", "bed-cam-3", "camera", "camera-2", "door", "Door-2", "bed-cam-2"]
    alone = plan_take(replace(JOB, camera="右"), replace(ROOM, cameras=cameras), 0)
    assert [plan.id for plan in alone] == ["000000_camera-2"]


def test_an_unknown_camera_names_the_nearest():
    name = ROOM.cameras[0].name
    with pytest.raises(BadOption, match=name):
        plan_take(replace(JOB, camera=name + "x"), ROOM, 0)


@pytest.mark.parametrize("name", BUILTIN)
def test_jitter_keeps_cameras_in_the_room_and_looking_the_same_way(name):
    room = load_room(name)
    rng = np.random.default_rng(5)
    for item in room.cameras:
        for _ in range(5):
            moved = jitter(item.camera, room, rng)
            assert room.contains(moved.position[:2]).all()
            assert 0 < moved.position[2] < room.height
            turn = moved.world_from_camera[:3, 2] @ item.camera.world_from_camera[:3, 2]
            assert np.rad2deg(np.arccos(np.clip(turn, -1, 1))) < 12
            assert np.allclose(moved.world_from_camera[:3, :3] @ moved.world_from_camera[:3, :3].T, np.eye(3))


def test_noise_seeds_fit_blender_and_differ_by_frame():
    plan = plan_take(JOB, ROOM, 0)[0]
    seeds = [plan.noise_seed(frame) for frame in range(50)]
    assert len(set(seeds)) == 50
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_frames_follow_time():
    assert JOB.frames == 40
    assert replace(JOB, seconds=0.01).frames == 1
    assert replace(JOB, seconds=3.0, fps=29.97).frames == 90
