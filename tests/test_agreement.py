"""Made labels against measured ones; backs that lie and hands that prop; fingers that stay out of partners."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from synth.body import BodyModel, load_body
from synth.corpus.care.pairs import AGREEMENT, faults
from synth.corpus.care.stage import stage_piece
from synth.corpus.library import entry
from synth.interaction import ActionSegment, single
from synth.motion import evidence
from synth.motion.agreement import BOUNDARY, UNSAID, agreement, said
from synth.motion.posture import LYING, measure_postures
from synth.motion.proxies import proxies_of
from synth.motion.quality import state_of
from synth.room import Box, Furniture
from synth.rotation import axis_matrix
from synth.skeleton import JOINT, forward_kinematics
from synth.taxonomy import ACTION_INDEX


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


def test_frames_beside_a_change_and_unsaid_ones_do_not_count() -> None:
    segments = [ActionSegment(0, 0.0, 2.0, "walk"), ActionSegment(0, 2.0, 3.0, "standing")]
    labels, counts = said(segments, 0, 80, 20.0)
    assert (labels[:40] == ACTION_INDEX["walk"]).all()
    assert (labels[60:] == UNSAID).all()
    times = np.arange(80) / 20.0
    near = np.abs(times - 2.0) < BOUNDARY - 0.03
    assert not counts[near].any()
    assert not counts[60:].any()
    assert counts[: round((2.0 - BOUNDARY) * 20) - 1].all()
    assert not said(segments, 1, 80, 20.0)[1].any()  # nothing is said of anybody else


def test_a_script_that_says_what_is_not_shown_is_at_fault(body) -> None:
    motion = entry("help_up_from_chair_01").load()
    assert agreement(motion, body) >= AGREEMENT
    lying = tuple(replace(a, label="lying") if a.label == "sitting" else a for a in motion.meta.actions)
    wrong = replace(motion, meta=replace(motion.meta, actions=lying))
    assert agreement(wrong, body) < AGREEMENT
    assert any(line.startswith("labels agree") for line in faults(wrong, body))


def raised(bed: Furniture) -> Furniture:
    """The bed with its head section up: a thick slab above the rest of its surface."""
    size = bed.box.size
    section = Box(
        np.array([0.0, -0.3 * size[1], bed.seat_height + 0.2 - bed.box.center[2]]), np.array([size[0], 0.6, 0.3])
    )
    return replace(bed, solids=(*bed.solids, section))


def test_who_is_propped_on_the_hands_sits_and_who_leans_on_a_raised_head_lies(body) -> None:
    """The trunk 45 degrees back, legs level on the bed: the bed tells which of the two it is."""
    bed = stage_piece("bed", (0.0, 0.0), 0.0)
    assert not bed.head_raised
    assert raised(bed).head_raised
    assert not stage_piece("chair", (0.0, 0.0), 0.0).head_raised
    rotmats = np.tile(np.eye(3), (1, 24, 1, 1))
    rotmats[:, 0] = axis_matrix("x", np.radians(45.0))  # 90 would be upright; the head is towards +y
    for side in ("left", "right"):
        rotmats[:, JOINT[f"{side}_hip"]] = axis_matrix("x", np.radians(-45.0))  # thighs level
    rest = np.asarray(body.rest_joints(np.zeros(10)))
    joints, _ = forward_kinematics(rotmats, rest, np.array([[0.0, 0.2, bed.seat_height + 0.1]]) - rest[0])
    joints = np.repeat(joints, 4, 0)
    assert (measure_postures(joints, [bed]).kind != LYING).all()
    assert (measure_postures(joints, [raised(bed)]).kind == LYING).all()


def test_fingers_are_pushed_out_of_a_partner(body) -> None:
    """A hand half inside somebody's chest is pushed away from it, and one beside it is left alone."""
    betas = np.zeros((2, 10), np.float32)
    proxies = [proxies_of(body, shape) for shape in betas]
    (term,) = evidence.hands_out(proxies)
    motion = entry("idle_01").load()
    motion = motion.resample(4.0)
    one = single(motion.fps, motion.transl[0], motion.rotations()[0], betas[0], motion.meta)
    joints, _ = forward_kinematics(one.rotations()[0], proxies[0].rest_joints, one.transl[0].astype(float))
    gap = joints[0, JOINT["spine3"]] - joints[0, JOINT["left_hand"]]
    found = []
    for shift in (gap, gap + np.array([0.0, 0.0, 4.0])):
        two = replace(
            one, transl=np.stack([one.transl[0], one.transl[0] + shift.astype(np.float32)]),
            global_orient=np.repeat(one.global_orient, 2, 0), body_pose=np.repeat(one.body_pose, 2, 0), betas=betas,
            present=np.repeat(one.present, 2, 0), meta=replace(one.meta, roles=("patient", "staff")),
        )  # fmt: skip
        state = state_of(two, proxies)
        found.append(float(term.residual(state).square().sum()))
    assert found[0] > 1.0
    assert found[1] == 0.0
    assert torch.isfinite(torch.tensor(found)).all()
