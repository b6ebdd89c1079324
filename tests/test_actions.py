"""Measured labels against what people saw in real captures, and what must not change them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from synth.body import load_body
from synth.corpus.library import entry
from synth.files import read_json, read_npz
from synth.interaction import Contact
from synth.motion import metrics
from synth.motion.actions import Actions, at_frames, measure_actions, measure_joints, rolling_seats
from synth.motion.evaluate import measure_all
from synth.room import Box, Furniture, furniture_from_json
from synth.rooms.props import piece_at
from synth.rotation import yaw_matrix
from synth.skeleton import JOINT, SMPL_MIRROR, SMPL_PARENTS, forward_kinematics
from synth.taxonomy import ACTIONS, POSTURES

DATA = Path(__file__).parent / "data"
TAKES = read_json(DATA / "actions.json")["takes"]
JOINTS = read_npz(DATA / "actions.npz")
FPS = 15.0


def joints_of(take):
    return JOINTS[take["array"]].astype(float) / 1000


def truth_labels(take, frames, fps=FPS):
    times, ends = np.arange(frames) / fps, [end for _, end in take["truth"]]
    return [take["truth"][min(int(np.searchsorted(ends, t, side="right")), len(ends) - 1)][0] for t in times]


def words(actions: Actions, person=0):
    return [ACTIONS[label] for label in actions.frame_labels[person]]


def resampled(joints, fps):
    old, new = np.arange(len(joints)) / FPS, np.arange(0, (len(joints) - 1) / FPS, 1 / fps)
    flat = joints.reshape(len(joints), -1)
    return np.stack([np.interp(new, old, column) for column in flat.T], -1).reshape(len(new), 24, 3)


@pytest.mark.parametrize("take", TAKES, ids=lambda take: take["array"] + " " + take["take"])
def test_agrees_with_what_a_person_saw(take):
    joints = joints_of(take)
    found = measure_joints(joints[None], FPS)
    assert found.order(0) == tuple(label for label, _ in take["truth"])
    same = np.mean([a == b for a, b in zip(words(found), truth_labels(take, len(joints)), strict=True)])
    assert same > 0.85


def test_agreement_over_all_takes():
    right = total = 0
    for take in TAKES:
        joints = joints_of(take)
        found, truth = words(measure_joints(joints[None], FPS)), truth_labels(take, len(joints))
        right += sum(a == b for a, b in zip(found, truth, strict=True))
        total += len(truth)
    assert right / total > 0.95


@pytest.mark.parametrize("take", TAKES[::3], ids=lambda take: take["take"])
def test_turning_moving_and_mirroring_change_nothing(take):
    joints = joints_of(take)
    plain = measure_joints(joints[None], FPS).frame_labels
    moved = joints @ yaw_matrix(2.1).T + np.array([3.0, -7.0, 0.0])
    np.testing.assert_array_equal(measure_joints(moved[None], FPS).frame_labels, plain)
    mirrored = (joints * np.array([1.0, -1.0, 1.0]))[:, list(SMPL_MIRROR)]
    np.testing.assert_array_equal(measure_joints(mirrored[None], FPS).frame_labels, plain)


@pytest.mark.parametrize("fps", [10.0, 23.976, 30.0, 60.0])
def test_frame_rate_moves_boundaries_by_less_than_150_ms(fps):
    for take in TAKES[::2]:
        joints = joints_of(take)
        first = measure_joints(joints[None], FPS)
        second = measure_joints(resampled(joints, fps)[None], fps)
        assert first.order(0) == second.order(0), take["take"]
        for a, b in zip(first.segments[:-1], second.segments[:-1], strict=True):
            assert abs(a.end - b.end) < 0.15, (take["take"], a, b)


def test_segments_tile_the_clip_and_agree_with_the_frames():
    for take in TAKES:
        joints = joints_of(take)
        found = measure_joints(joints[None], FPS)
        assert found.segments[0].start == 0
        assert found.segments[-1].end == pytest.approx(len(joints) / FPS)
        for a, b in zip(found.segments, found.segments[1:], strict=False):
            assert a.end == b.start
            assert a.label != b.label
        for segment in found.segments:
            frames = slice(round(segment.start * FPS), round(segment.end * FPS))
            assert {ACTIONS[i] for i in found.frame_labels[0, frames]} == {segment.label}


def toppling(seconds, fps=30.0, side=(1.0, 0.0)):
    """A standing body that tips over its feet like a felled tree, as fast as gravity or as slowly as asked."""
    body = joints_of(next(t for t in TAKES if t["take"] == "ReActIdle 000"))[:1]
    body = np.repeat(body, int((seconds + 3) * fps), 0)
    times = np.arange(len(body)) / fps
    angle = np.clip((times - 1) / seconds, 0, 1) ** 2 * (np.pi / 2)
    axis = np.array([-side[1], side[0], 0.0])
    from synth.rotation import axis_angle_to_matrix

    turned = np.einsum("tij,tkj->tki", axis_angle_to_matrix(angle[:, None] * axis), body)
    lift = np.maximum(0, 0.06 - turned[..., 2].min(1))
    return turned + lift[:, None, None] * np.array([0, 0, 1.0])


@pytest.mark.parametrize("side", [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0)])
def test_falling_and_lying_down_differ_by_speed_alone(side):
    fall = measure_joints(toppling(0.9, side=side)[None], 30.0)
    assert fall.order(0) == ("standing", "fall", "fallen")
    slow = measure_joints(toppling(4.0, side=side)[None], 30.0)
    assert slow.order(0) == ("standing", "lie_down", "lying")
    assert POSTURES[slow.frame_postures[0, -1]] == POSTURES[fall.frame_postures[0, -1]] == "laying_on_floor"


@pytest.mark.parametrize(
    ("name", "first", "last", "shown"),
    [  # seconds of the library's falls, and what somebody sees there who sees nothing else
        ("fall_forward_01", 0.0, 2.4, ("walk", "fall")),
        ("fall_forward_03", 0.0, 2.6, ("standing", "fall")),
        ("fall_from_bed_02", 0.0, 2.65, ("sitting", "fall")),
        ("fall_sideways_02", 1.8, 9.0, ("fall", "fallen")),
        ("fall_forward_01", 0.0, 2.8, ("walk", "fall")),
    ],
)
def test_a_fall_that_the_clip_cuts_is_a_fall(name, first, last, shown):
    motion = entry(name).load()
    stage = [furniture_from_json(item, "stage", "stage") for item in motion.meta.stage]
    cut = motion.window(first, min(last, motion.seconds))
    assert measure_actions(cut, load_body(), stage).order(0) == shown


@pytest.mark.parametrize(("name", "begin"), [("get_up_05", 0.0), ("get_up_05", 1.0), ("get_up_06", 1.2)])
def test_who_gets_up_from_the_floor_without_a_halt_stands_up(name, begin):
    motion = entry(name).load()  # over all fours to the feet
    assert measure_actions(motion.window(begin, motion.seconds), load_body()).order(0) == ("stand_up",)


def test_who_goes_down_first_does_not_stand_up_from_the_first_frame_on():
    motion = entry("get_up_06").load().window(0.6, 9.0)
    rest = np.asarray(load_body().rest_joints(motion.betas), float)
    up = forward_kinematics(motion.rotations(), rest[:, None], motion.transl)[0]
    down_and_up = np.concatenate([up[:, ::-1], up[:, 1:]], 1)[:, 27:]  # already bent as the clip begins
    assert measure_joints(down_and_up, motion.fps).order(0)[0] != "stand_up"


def test_few_frames_a_second_show_the_same():
    motion = entry("slip_to_floor_04").load()  # its fastest moment lasts a tenth of a second
    stage = [furniture_from_json(item, "stage", "stage") for item in motion.meta.stage]
    whole = measure_actions(motion, load_body(), stage)
    assert whole.order(0) == ("sitting", "fall", "fallen")
    for fps in (1.0, 8.0, 10.0, 25.0):
        frames = round(motion.seconds * fps)
        thin = at_frames(whole, motion.fps, fps, frames)
        assert (thin.order(0), thin.frame_labels.shape) == (whole.order(0), (1, frames))
        for frame, label in enumerate(thin.frame_labels[0]):
            (segment,) = [s for s in whole.segments if s.start - 1e-6 <= frame / fps < s.end - 1e-6]
            assert ACTIONS[label] == segment.label


def test_who_lies_on_a_bed_that_the_room_does_not_know_has_not_fallen():
    motion = entry("get_out_of_bed_alone_01").load()
    found = measure_actions(motion, load_body())
    assert found.order(0)[0] == "lying"
    assert POSTURES[found.frame_postures[0, 0]] == "laying_in_bed"


def test_an_absence_is_no_step():
    motion, body = entry("walk_01").load(), load_body()
    middle = slice(motion.frames // 3, motion.frames // 3 + round(motion.fps))
    present = motion.present.copy()
    present[:, middle] = False
    whole, gap = measure_all(motion, body), measure_all(replace(motion, present=present), body)
    for name in ("peak_pelvis_speed", "jerk", "foot_slide"):
        assert gap[name] < 1.3 * whole[name], name


def furniture(cls, center, size, seat_height, yaw=0.0):
    return Furniture("it", cls, Box(np.array([*center, size[2] / 2]), np.array(size), yaw), seat_height)


def test_postures_come_from_the_furniture_under_the_body():
    take = TAKES[0]
    joints = joints_of(take)
    pelvis = joints[-1, 0]
    for cls, posture in (
        ("chair", "sitting_in_chair"), ("wheelchair", "sitting_in_chair"), ("bed", "sitting_on_bed_edge"),
        ("lift", "sitting_in_lift"), ("walker", "sitting_in_walker"),
    ):  # fmt: skip
        seat = furniture(cls, pelvis[:2], (0.5, 0.5, 0.9), pelvis[2] - 0.1)
        found = measure_joints(joints[None], FPS, furniture=[seat])
        assert words(found)[-1] == "sitting"
        assert POSTURES[found.frame_postures[0, -1]] == posture
    transition = np.array(words(found)) == "sit_down"
    assert (found.frame_postures[0, transition] == -1).all()


def test_lying_on_a_bed_is_not_lying_on_the_floor():
    down = joints_of(next(t for t in TAKES if "lieDownFloor_003" in t["take"]))
    bed = furniture("bed", down[-1, 0, :2], (3.0, 3.0, 0.9), 0.5)
    raised = down + np.array([0, 0, 0.5])
    found = measure_joints(raised[-10:][None], FPS, furniture=[bed])
    assert set(words(found)) == {"lying"}
    assert POSTURES[found.frame_postures[0, -1]] == "laying_in_bed"
    assert set(words(measure_joints(down[-10:][None], FPS))) == {"fallen"}  # nobody saw how they got there


def test_walking_aid_is_told_by_the_hand_that_holds_it():
    take = next(t for t in TAKES if t["take"] == "CMU 16_15")
    walker = furniture("walker", (5.0, 5.0), (0.6, 0.6, 0.9), None)
    hold = Contact(0, "left_hand", {"object": "it"}, 0.0, 2.0)
    found = measure_joints(joints_of(take)[None], FPS, furniture=[walker], contacts=[hold], aids={walker.id})
    assert POSTURES[found.frame_postures[0, 5]] == "walking_with_walking_aid"
    assert POSTURES[found.frame_postures[0, -1]] == "walking"


def test_absence_and_very_short_clips():
    joints = joints_of(TAKES[0])
    present = np.ones((1, len(joints)), bool)
    present[0, 20:40] = False
    found = measure_joints(joints[None], FPS, present)
    assert (found.frame_labels[0] == -1).tolist() == (~present[0]).tolist()
    assert all(s.end <= 20 / FPS or s.start >= 40 / FPS for s in found.segments)
    for frames in (1, 2, 3):
        assert measure_joints(joints[None, :frames], FPS).frame_labels.shape == (1, frames)


def test_metrics_of_a_real_walk_and_of_spoiled_ones():
    joints = joints_of(next(t for t in TAKES if t["take"] == "CMU 16_15"))
    assert 0.8 < metrics.speed(joints, FPS) < 1.8
    assert metrics.foot_slide(joints, FPS) < 0.25
    slid = joints + np.arange(len(joints))[:, None, None] / FPS * np.array([0.5, 0, 0])
    assert metrics.foot_slide(slid, FPS) > metrics.foot_slide(joints, FPS) + 0.2
    assert metrics.floor_penetration(joints) == 0
    assert metrics.floor_penetration(joints - np.array([0, 0, 0.2])) > 0.1
    assert metrics.floating(joints) == 0
    assert metrics.floating(joints + np.array([0, 0, 0.3])) == 1
    assert metrics.bone_drift(joints) < 0.005  # stored in millimetres
    noisy = joints + np.random.default_rng(0).normal(0, 0.02, joints.shape)
    assert metrics.jitter(noisy, FPS) > 3 * metrics.jitter(joints, FPS)
    still = np.repeat(joints[:1], 20, 0)
    assert metrics.jitter(still, FPS) == metrics.foot_slide(still, FPS) == metrics.speed(still, FPS) == 0


def test_foot_slide_does_not_depend_on_the_frame_rate():
    joints = np.repeat(joints_of(TAKES[-1])[:1], 40, 0) + np.arange(40)[:, None, None] / FPS * np.array([0.3, 0, 0])
    assert metrics.foot_slide(joints, FPS) == pytest.approx(0.3)
    assert metrics.foot_slide(resampled(joints, 60.0), 60.0) == pytest.approx(0.3)


def test_partner_distance_equals_brute_force():
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(2, 3, 24, 3))
    share = np.linspace(0, 1, 60)[:, None, None]
    bones = [(p, j) for j, p in enumerate(SMPL_PARENTS) if p >= 0]

    def points(x):
        starts, ends = x[[p for p, _ in bones]], x[[j for _, j in bones]]
        return (starts * (1 - share) + ends * share).reshape(-1, 3)

    for t in range(3):
        brute = np.linalg.norm(points(a[t])[:, None] - points(b[t])[None], axis=-1).min()
        assert metrics.partner_distance(a, b)[t] == pytest.approx(brute, abs=0.02)
        assert metrics.partner_distance(a, b)[t] <= brute + 1e-9
    apart = a + np.array([50.0, 0, 0])
    assert metrics.partner_penetration(a, apart) == 0
    assert metrics.partner_penetration(a, a) == pytest.approx(0.10)
    assert metrics.point_distance(a[:, JOINT["head"]], a[:, JOINT["head"]]) == 0


def test_who_is_pushed_sits_in_what_rolls_however_high():
    """A tall patient high in a wheelchair balances as if half standing, and goes along: the seat tells."""
    pushed = entry("push_wheelchair_04").load()
    patient = pushed.meta.roles.index("patient")
    high = pushed.transl.copy()
    high[patient, :, 2] += 0.08
    room = [furniture_from_json(item, "stage") for item in pushed.meta.stage]
    found = measure_actions(replace(pushed, transl=high), load_body(), room)
    assert found.order(patient) == ("sitting",)
    assert {POSTURES[i] for i in np.unique(found.frame_postures[patient])} == {"sitting_in_chair"}
    beside = [replace(prop, transl=prop.transl + np.float32([1.0, 0.0, 0.0])) for prop in pushed.props]
    gone = measure_actions(replace(pushed, transl=high, props=tuple(beside)), load_body(), room)
    assert gone.order(patient) != ("sitting",)


def test_a_seat_that_rolls_and_turns_is_where_it_is_in_every_frame():
    times, rng = np.linspace(0, 3, 7), np.random.default_rng(0)
    way = np.stack([np.cos(times), 2 * times, 0 * times], -1)
    (prop,) = (item for item in entry("push_wheelchair_04").load().props if item.cls == "wheelchair")
    prop = replace(prop, transl=way, orient=np.stack([0 * times, 0 * times, 2.5 * times], -1))
    (seat,) = rolling_seats([prop])
    points = way[:, None] + rng.normal(size=(7, 2, 3))
    found = seat.piece.box.to_local(seat.seen(points))
    expected = [piece_at(prop, frame).box.to_local(points[frame]) for frame in range(7)]
    np.testing.assert_allclose(found, expected, atol=1e-9)
