"""The trajectory optimiser against known answers, its gradients, each term alone, and its determinism."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from synth import skeleton
from synth.errors import BadOption
from synth.motion import contact, penetration, terms
from synth.motion.contact import Points
from synth.motion.fit import Prior, Problem, Report, fit, lbfgs, matern_factor, one_thread
from synth.motion.kinematics import exp_map, forward_kinematics, log_map
from synth.rotation import axis_angle_to_matrix
from synth.skeleton import JOINT

FPS = 20.0


@pytest.fixture(autouse=True)
def _one_thread():
    with one_thread():
        yield


def rest_skeleton() -> np.ndarray:
    """A plain 24-joint T-pose, metres, y up, pelvis at the origin."""
    rest = np.zeros((24, 3))
    rest[3], rest[6], rest[9], rest[12], rest[15] = (0, 0.1, 0), (0, 0.2, 0), (0, 0.35, 0), (0, 0.5, 0), (0, 0.6, 0)
    for sign, hip, knee, ankle, foot, collar, shoulder, elbow, wrist, hand in (
        (1, 1, 4, 7, 10, 13, 16, 18, 20, 22),
        (-1, 2, 5, 8, 11, 14, 17, 19, 21, 23),
    ):
        for joint, place in ((hip, (0.1, -0.06, 0)), (knee, (0.1, -0.46, 0)), (ankle, (0.1, -0.88, 0)),
                             (foot, (0.1, -0.93, 0.14)), (collar, (0.08, 0.42, 0)), (shoulder, (0.17, 0.42, 0)),
                             (elbow, (0.43, 0.42, 0)), (wrist, (0.67, 0.42, 0)), (hand, (0.76, 0.42, 0))):  # fmt: skip
            rest[joint] = np.array(place) * (sign, 1, 1)
    return rest


def standing(people: int, frames: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """People 2 m apart who stand in the T-pose and face +x: rest, transl, rotmats."""
    rest = torch.tensor(np.stack([rest_skeleton()] * people), dtype=torch.float32)
    rotmats = torch.eye(3).repeat(people, frames, 24, 1, 1)
    rotmats[:, :, 0] = torch.tensor(skeleton.upright(0.0), dtype=torch.float32)
    transl = torch.zeros(people, frames, 3)
    transl[..., 2] = 0.95
    transl[..., 1] = 2.0 * torch.arange(people)[:, None]
    return rest, transl, rotmats


def point(person: int, joint: str, offset=(0.0, 0.0, 0.0), normal=(0.0, 0.0, 1.0)) -> Points:
    return Points.of([(person, JOINT[joint], offset, normal)])


def world(place, normal=(0.0, 0.0, 1.0)) -> Points:
    return Points.of([(-1, 0, place, normal)])


def joints_of(rest: torch.Tensor, transl: torch.Tensor, rotmats: torch.Tensor) -> torch.Tensor:
    return forward_kinematics(rotmats, rest[:, None], transl)[0]


def solved(
    term_list, frames: int = 12, people: int = 1, steps: int = 60, **prior
) -> tuple[torch.Tensor, torch.Tensor, Report]:
    rest, transl, rotmats = standing(people, frames)
    return fit(Problem(rest, transl, rotmats, FPS, term_list, Prior(**prior)), steps=steps)


def test_kinematics_agree_with_the_numpy_skeleton() -> None:
    rng = np.random.default_rng(0)
    local = axis_angle_to_matrix(rng.normal(0, 0.7, (3, 24, 3)))
    transl = rng.normal(0, 1, (3, 3))
    wanted, spun = skeleton.forward_kinematics(local, rest_skeleton(), transl)
    found, turned = forward_kinematics(torch.tensor(local), torch.tensor(rest_skeleton()), torch.tensor(transl))
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    np.testing.assert_allclose(turned, spun, atol=1e-12)


def test_gradient_of_the_chain() -> None:
    torch.manual_seed(0)
    base = exp_map(torch.randn(2, 24, 3, dtype=torch.double) * 0.5)
    rest = torch.tensor(rest_skeleton())
    a, b = torch.randn(2, 24, 3, dtype=torch.double), torch.randn(2, 24, 3, 3, dtype=torch.double)

    def value(turn: torch.Tensor, transl: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
        joints, spun = forward_kinematics(base @ exp_map(turn), shape, transl)
        return (joints * a).sum() + (spun * b).sum() + (joints**3).sum()

    inputs = (torch.randn(2, 24, 3, dtype=torch.double) * 0.3, torch.randn(2, 3, dtype=torch.double), rest)
    assert torch.autograd.gradcheck(value, tuple(item.clone().requires_grad_(True) for item in inputs), atol=1e-5)


def test_log_map_inverts_exp_map() -> None:
    torch.manual_seed(0)
    vector = torch.nn.functional.normalize(torch.randn(100, 3, dtype=torch.double), dim=-1)
    vector = vector * torch.linspace(0.01, 3.0, 100, dtype=torch.double)[:, None]
    np.testing.assert_allclose(log_map(exp_map(vector)), vector, atol=1e-5)


def test_lbfgs_finds_the_minimum_of_rosenbrock_and_of_a_quadratic() -> None:
    best, costs = lbfgs(
        lambda z: (1 - z[0]) ** 2 + 100 * (z[1] - z[0] ** 2) ** 2, torch.tensor([-1.2, 1.0]), 200, tolerance=0
    )
    np.testing.assert_allclose(best, [1.0, 1.0], atol=2e-3)
    assert costs[0] > min(costs)
    scale = torch.logspace(0, 3, 20)
    best, _ = lbfgs(lambda z: (scale * (z - 1) ** 2).sum(), torch.zeros(20), 120, tolerance=0)
    np.testing.assert_allclose(best, np.ones(20), atol=1e-2)


def test_the_kernel_is_a_correlation() -> None:
    factor = matern_factor(30, FPS, 0.4).double()
    kernel = factor @ factor.T
    np.testing.assert_allclose(kernel.diagonal(), np.ones(30), atol=1e-3)
    assert 0.5 < float(kernel[0, 4]) < 1
    assert float(kernel[0, 29]) < 0.1


def test_without_terms_nothing_moves() -> None:
    rest, transl, rotmats = standing(1, 8)
    new_transl, new_rotmats, report = fit(Problem(rest, transl, rotmats, FPS, []))
    np.testing.assert_allclose(new_transl, transl, atol=1e-6)
    np.testing.assert_allclose(new_rotmats, rotmats, atol=1e-6)
    assert report.cost == 0


def test_joint_targets_are_reached_and_hidden_ones_ignored() -> None:
    rest, transl, rotmats = standing(1, 10)
    target = joints_of(rest, transl, rotmats)[:, :, [20, 21]] + torch.tensor([0.25, 0.0, 0.1])
    confidence = torch.ones(1, 10, 2)
    confidence[..., 1] = 0
    term = terms.JointTargets((20, 21), target, confidence, sigma=0.005)
    moved = joints_of(rest, *fit(Problem(rest, transl, rotmats, FPS, [term]), steps=80)[:2])
    assert float((moved[:, :, 20] - target[:, :, 0]).norm(dim=-1).max()) < 0.01
    assert float((moved[:, :, 21] - target[:, :, 1]).norm(dim=-1).min()) > 0.1


def test_a_contact_holds_in_its_window_only_and_joins_two_people() -> None:
    window = torch.zeros(1, 40)
    window[:, 15:25] = 1
    term = contact.ContactHold(point(0, "left_hand"), point(1, "right_hand"), window)
    rest = standing(2, 40)[0]
    transl, rotmats, _ = solved([term], frames=40, people=2, steps=80)
    joints = joints_of(rest, transl, rotmats)
    gap = (joints[0, :, JOINT["left_hand"]] - joints[1, :, JOINT["right_hand"]]).norm(dim=-1)
    assert float(gap[15:25].max()) < 0.01
    assert float(gap[0]) > 0.2


def test_slack_is_free_and_palms_turn() -> None:
    here = (0.0, -0.72, 1.35)
    loose = contact.ContactHold(point(0, "right_hand"), world(here), torch.ones(1, 12), slack=0.3)
    rest = standing(1, 12)[0]
    joints = joints_of(rest, *solved([loose])[:2])
    assert 0.0 < float((joints[0, 5, 23] - torch.tensor(here)).norm()) < 0.31
    up = contact.ContactHold(
        point(0, "right_hand", normal=(0, -1, 0)), world(here, normal=(0.0, 1.0, 0.0)), torch.ones(1, 12), turn=0.05
    )
    _, rotmats, _ = solved([up], steps=120)
    _, spun = forward_kinematics(rotmats, rest[:, None], torch.zeros(1, 12, 3))
    facing = spun[0, 6, 23] @ torch.tensor([0.0, -1.0, 0.0])
    assert float(facing @ torch.tensor([0.0, -1.0, 0.0])) > 0.95


def test_feet_lock() -> None:
    rest, transl, rotmats = standing(1, 20)
    transl = transl + torch.linspace(0, 0.2, 20)[None, :, None] * torch.tensor([1.0, 0.0, 0.0])
    anchor = torch.tensor([0.0, 0.1, 0.0])
    sole = point(0, "left_ankle", (0.0, -0.07, 0.0))
    lock = contact.FootLock(sole, anchor.expand(1, 20, 3).clone(), torch.ones(1, 20))
    moved, turned, _ = fit(Problem(rest, transl, rotmats, FPS, [lock]), steps=60)
    joints, spun = forward_kinematics(turned, rest[:, None], moved)
    where = joints[0, :, 7] + spun[0, :, 7] @ torch.tensor([0.0, -0.07, 0.0])
    assert float((where[1:] - where[:-1]).norm(dim=-1).max()) < 0.005
    assert float((where - anchor).norm(dim=-1).max()) < 0.01


def test_floor_pushes_up() -> None:
    rest, transl, rotmats = standing(1, 8)
    term = contact.Floor(point(0, "left_ankle", (0.0, -0.07, 0.0)))
    moved, turned, _ = fit(Problem(rest, transl - torch.tensor([0.0, 0.0, 0.1]), rotmats, FPS, [term]))
    assert float(joints_of(rest, moved, turned)[0, :, 7, 2].min()) - 0.07 > -0.006


def test_distance_to_a_box() -> None:
    half = torch.tensor([1.0, 2.0, 3.0])
    points = torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [2.0, 3.0, 0.0], [0.9, 0.0, 0.0]])
    np.testing.assert_allclose(penetration.box_distance(points, half), [-1.0, 1.0, np.sqrt(2), -0.1], atol=1e-5)


def test_furniture_and_partner_push_out() -> None:
    box = penetration.BoxPenetration(
        point(0, "pelvis"), torch.tensor([0.12]), torch.tensor([[0.1, 0.0, 0.95]]), torch.tensor([0.3]),
        torch.tensor([[0.05, 0.5, 0.2]]), torch.ones(1, 1),
    )  # fmt: skip
    rest = standing(1, 8)[0]
    joints = joints_of(rest, *solved([box], frames=8)[:2])
    assert float(joints[0, 4, 0, 0]) < -0.03
    people = Points.of([(p, 0, (0.0, 0.0, 0.0), (0.0, 0.0, 1.0)) for p in (0, 1)])
    top = Points.of([(p, 9, (0.0, 0.0, 0.0), (0.0, 0.0, 1.0)) for p in (0, 1)])
    near = penetration.PartnerPenetration(
        people, top, torch.tensor([0.12, 0.12]), torch.tensor([0]), torch.tensor([1]), torch.tensor([0.0])
    )
    rest, transl, rotmats = standing(2, 8)
    transl[1, :, 1] = 0.15
    moved, turned, _ = fit(Problem(rest, transl, rotmats, FPS, [near]))
    joints = joints_of(rest, moved, turned)
    assert float((joints[0, :, 0] - joints[1, :, 0]).norm(dim=-1).min()) > 0.22


def test_capsule_distance_is_that_of_a_dense_sampling() -> None:
    rng = np.random.default_rng(1)
    a, b, c, d = (torch.tensor(rng.normal(0, 1, (50, 3))) for _ in range(4))
    share = torch.linspace(0, 1, 201, dtype=torch.double)[:, None, None]
    first, second = a + share * (b - a), c + share * (d - c)
    wanted = (first[:, None] - second[None]).norm(dim=-1).amin((0, 1))
    np.testing.assert_allclose(penetration.segment_distance(a, b, c, d), wanted, atol=0.02)


def test_limits_bring_a_broken_knee_back() -> None:
    rest, transl, rotmats = standing(1, 8)
    rotmats[:, :, JOINT["left_knee"]] = exp_map(torch.tensor([-0.8, 0.0, 0.0]))
    _, turned, _ = fit(Problem(rest, transl, rotmats, FPS, [terms.JointLimits(sigma=0.03)]))
    assert float(log_map(turned[0, 4, 4])[0]) > -0.2


def test_key_pose_look_prior_and_balance() -> None:
    rest, transl, rotmats = standing(1, 10)
    target = rotmats.clone()
    target[:, :, JOINT["left_elbow"]] = exp_map(torch.tensor([0.0, -1.2, 0.0]))
    weight = torch.zeros(1, 10, 24)
    weight[..., JOINT["left_elbow"]] = 1
    _, turned, _ = fit(Problem(rest, transl, rotmats, FPS, [terms.KeyPose(target, weight, sigma=0.05)]))
    assert float(log_map(turned[0, 5, 18])[1]) < -1.1

    eye = point(0, "head", normal=(0.0, 0.0, 1.0))
    look = contact.LookAt(eye, world((1.0, 1.0, 1.5)), torch.ones(1, 10), sigma=0.1, free=0.05)
    moved, turned, _ = fit(Problem(rest, transl, rotmats, FPS, [look]), steps=80)
    joints, spun = forward_kinematics(turned, rest[:, None], moved)
    line = torch.tensor([1.0, 1.0, 1.5]) - joints[0, 5, 15]
    assert float(spun[0, 5, 15, :, 2] @ (line / line.norm())) > 0.97

    prior = terms.PosePrior((4,), torch.tensor([0.5, 0.0, 0.0]), torch.eye(3) * 10, weight=1.0)
    _, turned, _ = fit(Problem(rest, transl, rotmats, FPS, [prior]))
    assert 0.4 < float(log_map(turned[0, 5, 4])[0]) < 0.55

    foot = torch.tensor([0.3, 0.1, 0.0]).expand(1, 10, 3)
    balance = terms.Balance(foot, foot, torch.ones(1, 10), radius=0.05)
    moved, turned, _ = fit(Problem(rest, transl, rotmats, FPS, [balance]))
    mass = terms.centre_of_mass(joints_of(rest, moved, turned))[0, 5, :2]
    assert float((mass - foot[0, 5, :2]).norm()) < 0.08


@pytest.mark.parametrize("order", ["velocity", "acceleration", "jerk"])
def test_smoothness_calms_a_jump_and_leaves_constant_velocity(order: str) -> None:
    rest, transl, rotmats = standing(1, 30)
    steady = transl + torch.linspace(0, 1, 30)[None, :, None] * torch.tensor([1.0, 0.0, 0.0])
    if order != "velocity":
        moved, _, _ = fit(Problem(rest, steady, rotmats, FPS, [terms.Smoothness(order, sigma=1.0)]))
        np.testing.assert_allclose(moved, steady, atol=2e-3)
    jump = transl.clone()
    jump[:, 15:, 0] += 0.1
    moved, _, _ = fit(Problem(rest, jump, rotmats, FPS, [terms.Smoothness(order, sigma=0.2)]))
    assert float(torch.diff(moved[0, :, 0]).abs().max()) < 0.07


def test_the_same_twice() -> None:
    def once() -> bytes:
        torch.set_num_threads(1)
        term = contact.ContactHold(point(0, "left_hand"), world((0.4, 0.3, 1.2)), torch.ones(1, 12))
        transl, rotmats, _ = solved([term, terms.JointLimits(), terms.Smoothness()])
        return transl.numpy().tobytes() + rotmats.numpy().tobytes()

    assert once() == once()


def test_held_people_and_joints_stay() -> None:
    rest, transl, rotmats = standing(2, 10)
    term = contact.ContactHold(point(0, "left_hand"), point(1, "right_hand"), torch.ones(1, 10))
    problem = Problem(rest, transl, rotmats, FPS, [term], Prior(joints={JOINT["left_elbow"]: 0.0}), still=(False, True))
    moved, turned, _ = fit(problem)
    np.testing.assert_allclose(moved[1], transl[1], atol=1e-7)
    np.testing.assert_allclose(turned[0, :, 18], rotmats[0, :, 18], atol=1e-6)


def test_bad_problems_are_refused() -> None:
    rest, transl, rotmats = standing(1, 5)
    with pytest.raises(BadOption, match="rotmats"):
        Problem(rest, transl, rotmats[:, :4], FPS, [])
    with pytest.raises(BadOption, match="NaN"):
        Problem(rest, transl * float("nan"), rotmats, FPS, [])
    with pytest.raises(BadOption, match="fps"):
        Problem(rest, transl, rotmats, 0.0, [])
