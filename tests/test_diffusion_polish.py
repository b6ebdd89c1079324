"""What polishing promises: no shaking, soles on the floor, hands that hold; and a motion that was right stays so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.classes import lift, lifted
from synth.body import load_body
from synth.corpus.library import entry
from synth.corpus.touch import measured_contacts
from synth.diffusion.generate import rests_of
from synth.diffusion.polish import grounded, polished, smoothed
from synth.interaction import Interaction
from synth.motion.actions import measure_actions
from synth.motion.adapt import settled
from synth.motion.evaluate import measure_all
from synth.motion.proxies import points_of, proxies_of
from synth.motion.quality import measure, state_of
from synth.room import Furniture, furniture_from_json
from synth.rotation import axis_angle_to_matrix, matrix_to_axis_angle
from synth.skeleton import JOINT

BODY = load_body()


@pytest.fixture(scope="module")
def helped() -> Interaction:
    return entry("help_up_from_chair_01").load().resample(20.0).window(0.0, 8.0)


def pieces(motion: Interaction) -> list[Furniture]:
    return [furniture_from_json(item, "stage") for item in motion.meta.stage]


def bare(motion: Interaction) -> Interaction:
    return replace(motion, meta=replace(motion.meta, contacts=(), actions=(), quality={}))


def shaken(motion: Interaction, metres: float, radians: float, up: float = 0.0) -> Interaction:
    rng = np.random.default_rng(0)
    turns = axis_angle_to_matrix(radians * rng.normal(size=(*motion.transl.shape[:2], 24, 3)))
    pose = matrix_to_axis_angle(motion.rotations() @ turns).astype(np.float32)
    moved = motion.transl + metres * rng.normal(size=motion.transl.shape) + [0, 0, up]
    return replace(
        motion, transl=moved.astype(np.float32), global_orient=pose[:, :, 0],
        body_pose=pose[:, :, 1:].reshape(motion.people, motion.frames, 69),
    )  # fmt: skip


def test_smoothing_takes_shaking_away_and_leaves_motion(helped: Interaction) -> None:
    clean = measure_all(helped, BODY)["jerk"]
    assert measure_all(shaken(helped, 0.01, 0.03), BODY)["jerk"] > 10 * clean
    assert (
        measure_all(smoothed(shaken(helped, 0.01, 0.03)), BODY)["jerk"]
        < 0.2 * measure_all(shaken(helped, 0.01, 0.03), BODY)["jerk"]
    )
    still = smoothed(helped)
    assert np.abs(still.transl - helped.transl).max() < 0.01
    assert np.linalg.norm(still.rotations() - helped.rotations(), axis=(-1, -2)).mean() < 0.01
    few = helped.resample(5.0)
    assert smoothed(few) is few  # slower than what would be taken away


def test_who_floats_or_sinks_stands_on_the_floor_again(helped: Interaction) -> None:
    proxies = [proxies_of(BODY, shape) for shape in helped.betas]
    contacts = [contact for contact in helped.meta.contacts if "object" in contact.target]
    for off in (0.06, -0.04):
        moved = replace(helped, transl=(helped.transl + np.array([0, 0, off])).astype(np.float32))
        back = grounded(moved, proxies, contacts)
        staff = helped.meta.roles.index("staff")
        assert np.abs(back.transl[staff, :, 2] - helped.transl[staff, :, 2]).max() < 0.02
        assert np.array_equal(back.transl[..., :2], moved.transl[..., :2])


def test_a_polished_motion_holds_what_it_all_but_held(helped: Interaction) -> None:
    rough = bare(shaken(helped, 0.004, 0.02, up=0.03))
    before, made = measure_all(rough, BODY), polished(rough, BODY, None, pieces(helped))
    after = measure_all(made, BODY)
    assert after["jerk"] < 0.2 * before["jerk"]
    assert after["floor_penetration"] < 0.02
    assert after["body_penetration"] < 0.04
    assert after["skate_ratio"] < before["skate_ratio"]
    hands = {(c.person, c.part) for c in helped.meta.contacts if "person" in c.target}
    found = measured_contacts(made, BODY, pieces(helped))
    assert hands <= {(c.person, c.part) for c in found if "person" in c.target}
    assert lifted(lift(made, BODY))
    assert made.meta.stage == rough.meta.stage
    short = rough.window(0.0, 1.5)
    once, again = (polished(short, BODY, None, pieces(helped)) for _ in range(2))
    assert np.array_equal(again.transl, once.transl)


def test_a_lift_without_a_hand_is_none(helped: Interaction) -> None:
    assert lifted(lift(helped, BODY))
    staff = helped.meta.roles.index("staff")
    away = helped.transl.copy()
    away[staff, :, :2] += 0.3
    apart = lift(replace(helped, transl=away), BODY)
    assert apart["hand"] > 0.05
    assert not lifted(apart)


def test_a_touch_that_was_asked_for_is_held_where_the_hand_comes_near(helped: Interaction) -> None:
    """Too far to be meant, near enough to be brought there; a touch at another time is not made."""
    staff = helped.meta.roles.index("staff")
    away = helped.transl.copy()
    towards = helped.transl[1 - staff, :, :2] - helped.transl[staff, :, :2]
    away[staff, :, :2] -= 0.18 * towards / np.linalg.norm(towards, axis=-1, keepdims=True)
    rough = bare(replace(helped, transl=away.astype(np.float32)))
    asked = [contact for contact in helped.meta.contacts if "spot" in contact.target]
    proxies = [proxies_of(BODY, shape) for shape in helped.betas]

    def gaps(motion: Interaction) -> np.ndarray:
        """Metres from each hand to the spot that it was asked to hold, in the frames in which it was [K, T]."""
        state = state_of(motion, proxies)
        while_held = (motion.times > asked[0].start + 0.5) & (motion.times < asked[0].end - 0.5)
        ends = [
            points_of(proxies, [(item.person, str(item.target["own_spot"])) for item in asked]),
            points_of(proxies, [(int(item.target["person"]), str(item.target["spot"])) for item in asked]),
        ]
        hands, spots = (end.where(state) for end in ends)
        return (hands - spots).norm(dim=-1).numpy()[:, while_held]

    plain = polished(rough, BODY, None, pieces(helped))
    assert gaps(plain).mean(1).max() > 0.05
    made = polished(rough, BODY, None, pieces(helped), asked=asked)
    assert gaps(made).mean() < 0.02
    late = [replace(contact, start=0.0, end=0.4) for contact in asked]
    never = polished(rough, BODY, None, pieces(helped), asked=late)
    np.testing.assert_array_equal(never.transl, plain.transl)


@pytest.mark.parametrize("name", ["push_wheelchair_01", "hand_over_object_01", "transfer_bed_to_wheelchair_01"])
def test_people_and_their_things_stay_together(name: str) -> None:
    """Who sits in a wheelchair is not set on the floor, hands stay on what they push or hold."""
    motion = entry(name).load().resample(20.0)
    motion = motion.window(motion.seconds - 3.0, motion.seconds) if "transfer" in name else motion.window(0.0, 3.0)
    rough = bare(shaken(motion, 0.004, 0.02))
    made = polished(rough, BODY, None, pieces(motion), asked=motion.meta.contacts)
    assert np.abs(made.transl - motion.transl).max() < 0.06
    proxies = [proxies_of(BODY, shape) for shape in motion.betas]
    quality = measure(replace(made, meta=motion.meta), proxies)
    assert quality["contact_mean"] < 0.02
    assert max(quality.get("seat_depth", 0.0), quality.get("seat_air", 0.0)) < 0.05


def test_a_scenario_settles_on_other_people_and_another_bed() -> None:
    """On a bed 9 cm lower one sits 9 cm lower, on the wheelchair as before; standing, the shorter legs are stood on."""
    scenario = entry("transfer_bed_to_wheelchair_03").load()
    beds = [piece for piece in pieces(scenario) if piece.cls == "bed"]
    (bed,) = (replace(piece, id="bed_2", seat_height=(piece.seat_height or 0) - 0.09) for piece in beds)
    betas = scenario.betas.copy()
    betas[:, 0] -= 2.0
    moved = settled(scenario, {beds[0].id: bed}, betas, BODY)
    (old, new) = (
        np.asarray(BODY.rest_joints(motion.betas), float)[:, None, 0] + motion.transl for motion in (scenario, moved)
    )
    patient = scenario.meta.roles.index("patient")
    seats = {str(c.target["object"]): (c.start, c.end) for c in scenario.meta.contacts if c.part == "pelvis"}
    for name, lower in ((beds[0].id, 0.09), (scenario.props[0].id, 0.0)):
        middle = round(np.mean(seats[name]) * scenario.fps)
        assert old[patient, middle, 2] - new[patient, middle, 2] == pytest.approx(lower, abs=2e-3)
    stands = round(0.5 * (seats[beds[0].id][1] + seats[scenario.props[0].id][0]) * scenario.fps)
    assert new[patient, stands, 2] < old[patient, stands, 2] - 0.02
    assert np.abs(np.diff(new[..., 2], axis=1)).max() * scenario.fps < 1.5  # nobody is dropped
    assert {rest.person for rest in rests_of(moved, moved, BODY)} == {patient}
    assert [rest.height for rest in rests_of(moved, moved, BODY)] == pytest.approx(
        [new[patient, 0, 2], new[patient, round(seats[scenario.props[0].id][0] * scenario.fps) + 5, 2]], abs=0.03
    )


def test_who_goes_from_a_bed_to_a_wheelchair_sits_on_both() -> None:
    motion = entry("transfer_bed_to_wheelchair_01").load().resample(20.0)
    made = polished(bare(motion), BODY, None, pieces(motion), asked=motion.meta.contacts)
    sat = {str(contact.target.get("object")) for contact in made.meta.contacts if contact.part == "pelvis"}
    assert {"bed", "wheelchair"} <= sat


def test_who_was_sampled_in_the_floor_to_the_ankles_does_not_kneel() -> None:
    motion = entry("walk_01").load().resample(20.0).window(0.5, 2.5)
    sunk = bare(replace(motion, transl=motion.transl - np.array([0, 0, 0.09], np.float32)))
    touched = measured_contacts(smoothed(sunk), BODY, [], touch=0.06, on=0.06)
    assert any(contact.part.endswith("knee") for contact in touched)  # the skin of its knees reaches to the ankles
    made = polished(sunk, BODY, None, [])
    assert np.abs(made.transl[0, :, 2] - motion.transl[0, :, 2]).max() < 0.06


def test_a_fall_that_ends_in_the_floor_stays_a_fall() -> None:
    """What makes the landing exact must not make it gentle: it would be somebody who lies down."""
    fall = entry("fall_sideways_01").load().resample(20.0)
    pelvis = fall.transl[0, :, 2]
    sunk = 0.12 * np.clip((pelvis[0] - pelvis) / (pelvis[0] - pelvis.min()), 0, 1)
    sampled = replace(fall, transl=fall.transl - np.stack([0 * sunk, 0 * sunk, sunk], -1)[None].astype(np.float32))
    made = polished(sampled, load_body(), None, [])
    chest = [
        state_of(motion, [proxies_of(load_body(), motion.betas[0])]).joints[0, :, JOINT["spine3"], 2].numpy()
        for motion in (smoothed(sampled), made)
    ]
    before, after = (float(-np.diff(height).min() * 20.0) for height in chest)
    assert before > 2.5
    assert after > 0.9 * before  # 0.57 where only the landing counts, 0.8 where smoothed speeds are kept loosely
    assert "fall" in measure_actions(made, load_body()).order(0)
    assert measure_all(made, load_body())["floor_penetration"] < 0.03
