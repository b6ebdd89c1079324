"""What is inside the floor or somebody else comes out, as the skins themselves say; feet that swing are lifted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from synth.body import load_body
from synth.corpus.library import entry
from synth.interaction import Interaction
from synth.motion import mesh
from synth.motion.fit import Prior, Problem, fit
from synth.motion.proxies import proxies_of
from synth.motion.quality import state_of
from synth.motion.skinned import Marks, entered, overlap
from synth.motion.soles import detected_feet, sole_points, swinging_feet
from synth.motion.terms import Smoothness, Stay
from synth.rotation import axis_angle_to_matrix, matrix_to_axis_angle

BODY = load_body()
SKIN = mesh.Skin.of(BODY)


def pair() -> Interaction:
    return entry("help_up_from_chair_01").load().resample(10.0).window(2.0, 4.0)


def rest_of(motion: Interaction) -> torch.Tensor:
    return torch.from_numpy(np.asarray(BODY.rest_joints(motion.betas), np.float32))


def solved(motion: Interaction, terms: list, steps: int = 60) -> Interaction:
    rotmats = torch.tensor(motion.rotations(), dtype=torch.float32)
    joints = state_of(motion, [proxies_of(BODY, shape) for shape in motion.betas]).joints
    terms = [*terms, Stay(joints, torch.ones(joints.shape[:3]), sigma=0.1), Smoothness("acceleration", 5.0)]
    problem = Problem(rest_of(motion), torch.tensor(motion.transl), rotmats, motion.fps, terms, Prior(0.1, 0.05, 0.2))
    transl, turned, _ = fit(problem, steps=steps)
    pose = matrix_to_axis_angle(turned.numpy().astype(float)).astype(np.float32)
    return replace(
        motion, transl=transl.numpy(), global_orient=pose[:, :, 0],
        body_pose=pose[:, :, 1:].reshape(motion.people, motion.frames, 69),
    )  # fmt: skip


def test_marks_are_on_the_skin_and_move_with_it() -> None:
    motion = pair()
    proxies = [proxies_of(BODY, shape) for shape in motion.betas]
    state, skins = state_of(motion, proxies), mesh.posed_skins(motion, BODY, SKIN)
    rng = np.random.default_rng(0)
    person, frame = rng.integers(0, 2, 60), rng.integers(0, motion.frames, 60)
    vertex = rng.integers(0, len(SKIN.ids), 60)
    marks = Marks.of(state, BODY, person, frame, SKIN.ids[vertex], skins[person, frame, vertex])
    assert np.abs(marks.where(state).numpy() - skins[person, frame, vertex]).max() < 1e-5
    turn = axis_angle_to_matrix(0.08 * rng.normal(size=(*motion.transl.shape[:2], 24, 3)))
    pose = matrix_to_axis_angle(motion.rotations() @ turn).astype(np.float32)
    moved = replace(
        motion, global_orient=pose[:, :, 0], body_pose=pose[:, :, 1:].reshape(motion.people, motion.frames, 69)
    )
    found = marks.where(state_of(moved, proxies)).numpy()
    wanted = mesh.posed_skins(moved, BODY, SKIN)[person, frame, vertex]
    assert np.linalg.norm(wanted - skins[person, frame, vertex], axis=-1).mean() > 0.02
    assert np.linalg.norm(found - wanted, axis=-1).max() < 0.003


def test_crossings_are_the_deepest_of_their_patches_and_normals_point_out() -> None:
    motion = pair()
    skins = mesh.posed_skins(motion, BODY, SKIN)
    apart = skins[1, 0] + np.array([3.0, 0, 0], np.float32)
    assert not len(mesh.crossings(skins[0, 0], apart, SKIN)[0])
    into = skins[0, 0] + np.array([0.01, 0.03, 0.0], np.float32)  # a copy of oneself, next to oneself
    deep, near = mesh.crossings(into, skins[0, 0], SKIN)
    assert len(deep) > 20
    assert len(np.unique(SKIN.patch[deep])) == len(deep)
    assert (mesh.signed_distance(into[deep], skins[0, 0], SKIN) < 1e-6).mean() > 0.9
    out = skins[0, 0][near] + 0.004 * mesh.normals(near, skins[0, 0], SKIN)
    assert (mesh.signed_distance(out, skins[0, 0], SKIN) > 0).mean() > 0.9  # elsewhere the skin folds onto itself


def test_who_is_in_the_floor_comes_out_and_who_is_above_stays() -> None:
    motion = pair()
    proxies = [proxies_of(BODY, shape) for shape in motion.betas]
    sunk = replace(motion, transl=motion.transl - np.array([0, 0, 0.03], np.float32))
    made = sunk
    for _ in range(3):
        made = solved(made, entered(made, proxies, BODY, SKIN))
    lowest = mesh.posed_skins(made, BODY, SKIN)[..., 2].min(-1)
    assert mesh.posed_skins(sunk, BODY, SKIN)[..., 2].min() < -0.03
    assert lowest.min() > -0.005
    assert lowest.max() < 0.04
    high = replace(motion, transl=motion.transl + np.array([0, 0, 0.5], np.float32))
    assert not [term for term in entered(high, proxies, BODY, SKIN) if term.name == "floor_exact"]


def test_two_who_are_in_each_other_part() -> None:
    motion = pair()
    proxies = [proxies_of(BODY, shape) for shape in motion.betas]
    toward = motion.transl[1, :, :2].mean(0) - motion.transl[0, :, :2].mean(0)
    shift = np.append(0.05 * toward / np.linalg.norm(toward), 0.0).astype(np.float32)
    close = replace(motion, transl=motion.transl + np.stack([shift, 0 * shift])[:, None])
    made = close
    for _ in range(5):
        made = solved(made, entered(made, proxies, BODY, SKIN))

    def depths(of: Interaction) -> np.ndarray:
        skins = mesh.posed_skins(of, BODY, SKIN)
        return mesh.overlaps(skins[0], skins[1], SKIN)

    assert depths(close).mean() > 0.015
    assert depths(made).mean() < 0.3 * depths(close).mean()
    assert overlap(close, BODY, SKIN) == pytest.approx(depths(close)[:: round(close.fps / 10)].max(), abs=1e-4)
    gone = replace(close, present=close.present & np.array([[True], [False]]))
    assert overlap(gone, BODY, SKIN) == 0.0


def test_a_foot_that_swings_is_lifted_and_one_that_stands_is_not() -> None:
    motion = entry("walk_01").load().resample(20.0).window(0.5, 3.5)
    proxies = [proxies_of(BODY, shape) for shape in motion.betas]
    state = state_of(motion, proxies)
    (lock,) = detected_feet(proxies, 0, rest_of(motion), state.transl, state.rotmats, motion.fps)
    term = swinging_feet(proxies, 0, lock, state, motion.fps)
    planted, free = lock.window.numpy() > 0, term.window.numpy()[[0, 1, 3, 4]] > 0
    assert free.any()
    assert not (planted & free).any()
    assert np.array_equal(free[0], free[1])
    assert np.array_equal(free[2], free[3])
    fast = np.linalg.norm(np.gradient(sole_points(proxies, 0).where(state).numpy(), 1 / 20, axis=1), axis=-1)
    assert fast[free].min() > 0.05
    lifted = state_of(solved(motion, [term]), proxies)
    assert term.residual(lifted).square().sum() < 0.25 * term.residual(state).square().sum()
    both = state_of(solved(motion, [term, lock]), proxies)
    assert term.residual(both).square().sum() < 0.75 * term.residual(state).square().sum()
    assert np.abs(sole_points(proxies, 0).where(both).numpy()[..., 2][planted]).max() < 0.02
