"""The default body: SMPL's format, people of every build, clothes that stay on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from synth.body import (
    HAIR,
    OUTFITS,
    BodyModel,
    betas_from,
    cache,
    draw_person,
    dressed_faces,
    dressed_vertices,
    load_body,
    parts_worn,
)  # fmt: skip
from synth.body.shape import measure
from synth.body.sheet import Sheet, border_edges, clip, from_quads, normals
from synth.errors import BadOption, CareSynthError
from synth.files import write_npz
from synth.rotation import axis_angle_to_matrix
from synth.skeleton import COCO_KEYPOINTS, JOINT, SMPL_MIRROR, forward_kinematics


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


def test_rest_pose_is_smpls(body: BodyModel) -> None:
    joints = body.rest_joints(np.zeros(10))
    at = {name: joints[index] for name, index in JOINT.items()}
    assert np.abs(at["pelvis"]).max() < 2e-3
    for side, sign in (("left", 1), ("right", -1)):  # left is +x
        arm = [at[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist")]
        assert all(sign * step[0] > 0.2 and np.abs(step[1:]).max() < 0.02 for step in np.diff(arm, axis=0))
        leg = [at[f"{side}_{name}"] for name in ("hip", "knee", "ankle")]
        assert all(step[1] < -0.35 and np.abs(step[[0, 2]]).max() < 0.02 for step in np.diff(leg, axis=0))
        toes = at[f"{side}_foot"] - at[f"{side}_ankle"]
        assert toes[2] > 0.1
        assert abs(toes[0]) < 0.02
    np.testing.assert_allclose(joints[list(SMPL_MIRROR)] * (-1, 1, 1), joints, atol=3e-3)
    nose = body.v_template[list(body.landmarks["nose"])].mean(0)
    assert nose[2] > 0.12
    assert abs(nose[0]) < 3e-3


def test_arrays_keep_smpls_rules(body: BodyModel) -> None:
    np.testing.assert_allclose(body.weights.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(body.J_regressor.sum(1), 1, atol=1e-5)
    assert body.weights.min() >= 0
    assert body.J_regressor.min() >= 0
    assert set(np.unique(body.faces)) == set(range(13380))  # the skin comes first
    sides = np.sort(np.concatenate([body.faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))]), 1)
    assert (np.unique(sides, axis=0, return_counts=True)[1] == 2).all()  # closed: volume and mass make sense


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_posing_agrees_with_the_skeleton(seed: int) -> None:
    body, rng = load_body(), np.random.default_rng(seed)
    betas, transl = rng.normal(0, 1, 10), rng.normal(0, 2, (2, 3))
    rotations = axis_angle_to_matrix(rng.normal(0, 0.5, (2, 24, 3)))
    vertices, joints = body.pose(betas, rotations, transl)
    expected, _ = forward_kinematics(rotations, body.rest_joints(betas), transl)
    np.testing.assert_allclose(joints, expected, atol=1e-5)
    np.testing.assert_allclose(body.shaped(betas), body.pose(betas, np.eye(3) + np.zeros((24, 3, 3)), np.zeros(3))[0],
                               atol=1e-5)  # fmt: skip
    # only rotating the root and moving is rigid
    root = np.broadcast_to(np.eye(3), (24, 3, 3)).copy()
    root[0] = rotations[0, 0]
    moved = body.pose(betas, root, transl[0])[0].numpy()
    pelvis = body.rest_joints(betas)[0]
    np.testing.assert_allclose(moved, (body.shaped(betas) - pelvis) @ root[0].T + pelvis + transl[0], atol=1e-4)
    keypoints = body.coco_keypoints(vertices, joints)
    assert keypoints.shape == (2, 17, 3)
    np.testing.assert_array_equal(keypoints[:, COCO_KEYPOINTS.index("left_knee")], joints[:, JOINT["left_knee"]])


def test_posing_is_differentiable(body: BodyModel) -> None:
    betas = torch.zeros(10, requires_grad=True)
    rotations = torch.eye(3).expand(2, 24, 3, 3).clone().requires_grad_()
    vertices, _ = body.pose(betas, rotations, torch.zeros(2, 3), np.arange(0, 13380, 50))
    vertices.square().sum().backward()
    assert betas.grad is not None
    assert rotations.grad is not None
    assert betas.grad.abs().max() > 0
    assert rotations.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("age", "gender", "height", "weight"),
    [
        (25, "female", 1.65, 58),
        (45, "male", 1.85, 86),
        (83, "female", 1.52, 48),
        (90, "male", 1.70, 74),
        (70, "female", 1.60, 76),
    ],
)
def test_people_are_as_tall_and_heavy_as_asked(
    body: BodyModel, age: int, gender: str, height: float, weight: float
) -> None:
    betas = betas_from(age=age, gender=gender, height=height, weight=weight, model=body)
    tall, heavy = measure(body, betas)
    assert tall == pytest.approx(height, abs=0.004)
    assert heavy == pytest.approx(weight, rel=0.01)
    # the table behind ``measure`` says what the mesh says
    without = dataclasses.replace(body, shape_table={})
    assert measure(without, betas) == pytest.approx((tall, heavy), rel=1e-3)
    assert np.abs(betas).max() < 6


def test_drawn_people_fit_their_roles(body: BodyModel) -> None:
    rng = np.random.default_rng(0)
    staff = [draw_person("staff", rng, body) for _ in range(25)]
    patients = [draw_person("patient", rng, body) for _ in range(25)]
    assert all(22 <= p.age <= 60 and 1.45 < p.height < 2.0 and 40 < p.weight < 140 for p in staff)
    assert np.median([p.age for p in patients]) > 75
    assert np.median([p.height for p in patients]) < np.median([p.height for p in staff])
    again = draw_person("staff", np.random.default_rng(0), body)
    assert np.array_equal(again.betas, staff[0].betas)
    for wrong in ({"age": 5}, {"gender": "x"}, {"height": 175.0}, {"weight": float("nan")}):
        with pytest.raises(BadOption):
            betas_from(model=body, **wrong)  # type: ignore[arg-type]
    with pytest.raises(BadOption, match="role"):
        draw_person("robot", rng, body)
    with pytest.raises(CareSynthError, match="cannot be derived"):
        betas_from(model=dataclasses.replace(body, shape_table={}))


def sitting() -> np.ndarray:
    rotations = np.broadcast_to(np.eye(3), (24, 3, 3)).copy()
    for joint, degrees in {"left_hip": (-85, 0, 0), "right_hip": (-85, 0, 0), "left_knee": (85, 0, 0),
                           "right_knee": (85, 0, 0), "left_shoulder": (0, 0, -70), "right_shoulder": (0, 0, 70),
                           "spine2": (20, 0, 0)}.items():  # fmt: skip
        rotations[JOINT[joint]] = axis_angle_to_matrix(np.radians(degrees))
    return rotations


def walking() -> np.ndarray:
    rotations = np.broadcast_to(np.eye(3), (24, 3, 3)).copy()
    for joint, degrees in {"left_hip": (-28, 0, 0), "right_hip": (20, 0, 0), "right_knee": (25, 0, 0),
                           "left_shoulder": (0, 0, -75), "right_shoulder": (0, 0, 75)}.items():  # fmt: skip
        rotations[JOINT[joint]] = axis_angle_to_matrix(np.radians(degrees))
    return rotations


@pytest.mark.parametrize("outfit", sorted(OUTFITS))
def test_no_skin_comes_through_the_clothes(body: BodyModel, outfit: str) -> None:
    faces, part, names = dressed_faces(body, outfit, None)
    skin_ids = np.unique(faces[part == names.index("skin")])
    for age, gender, weight in ((30, "female", 60), (85, "male", 65), (80, "female", 76)):
        betas = betas_from(age=age, gender=gender, weight=weight, model=body)
        for rotations in (walking(), sitting()):
            points = body.pose(betas, rotations, np.zeros(3))[0].numpy().astype(float)
            for name in names:
                if body.parts[name].kind not in ("garment", "shoe"):
                    continue
                cloth = body.parts[name].faces.astype(np.int64)
                ids = np.unique(cloth)
                rest = body.v_template.astype(float)
                far, near = cKDTree(rest[ids]).query(rest[skin_ids])
                over = ids[near]  # the cloth that lies over each bit of skin that is still shown
                beneath = ((rest[skin_ids] - rest[over]) * normals(rest, cloth)[over]).sum(1) < 0
                inside = cKDTree(rest[np.unique(border_edges(cloth))]).query(rest[skin_ids])[0] > 0.02
                height = ((points[skin_ids] - points[over]) * normals(points, cloth)[over]).sum(1)
                through = (far < 0.03) & beneath & inside & (height > 0.003)
                assert through.sum() <= 3, (name, age, int(through.sum()))


def test_outfits_name_parts_and_hide_skin(body: BodyModel) -> None:
    for outfit in OUTFITS:
        for hair in (*HAIR, None):
            assert set(parts_worn(body, outfit, hair)) >= {"skin", "eyes", *OUTFITS[outfit]}
    faces, part, names = dressed_faces(body, "scrubs", "hair_bun")
    assert len(faces) == len(part)
    assert part.max() == len(names) - 1
    assert (part == 0).sum() < 0.75 * len(body.faces)
    assert len(dressed_vertices(body, "scrubs", "hair_bun")) < 0.6 * len(body.v_template)
    with pytest.raises(BadOption, match="outfit"):
        dressed_faces(body, "armour", None)
    bare = dataclasses.replace(body, parts={"skin": body.parts["skin"]})
    assert np.array_equal(dressed_faces(bare, "scrubs", "hair_bun")[0], body.faces)


def test_a_damaged_cache_is_built_again(body: BodyModel, tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("CARESYNTH_CACHE", str(tmp_path))
    data = cache.Data.find()
    path = cache.cache_path(data)
    path.parent.mkdir(parents=True)
    monkeypatch.setattr(cache, "build", lambda _: _arrays_of(body))
    for damage in (b"", b"PK\x03\x04 cut short", None):
        if damage is None:
            write_npz(path, {"meta": np.array("{}")})
        else:
            path.write_bytes(damage)
        assert np.array_equal(cache.load_makehuman().v_template, body.v_template)
        assert "damaged" in capsys.readouterr().err
        assert np.array_equal(cache.load_makehuman().weights, body.weights)
        assert capsys.readouterr().err == ""
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def _arrays_of(body: BodyModel) -> dict[str, np.ndarray]:
    import json

    table = body.shape_table
    meta = {
        "parts": [[p.name, p.kind] for p in body.parts.values()],
        "landmarks": {k: list(v) for k, v in body.landmarks.items()},
    }
    return {
        "v_template": body.v_template, "shapedirs": body.shapedirs, "weights": body.weights,
        "J_regressor": body.J_regressor, "knots": table["knots"], "races": table["races"],
        "measure_volume": table["volume"], "measure_ends": table["ends"], "meta": np.array(json.dumps(meta)),
        **{f"faces_{p.name}": p.faces for p in body.parts.values()},
        **{f"covers_{p.name}": p.covers for p in body.parts.values() if p.covers is not None},
    }  # fmt: skip


def test_sheets_cut_exactly_and_keep_their_origin() -> None:
    grid = np.stack(np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 1, 9), [0.0]), -1).reshape(-1, 3)
    index = np.arange(81).reshape(9, 9)
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1).reshape(-1, 4)
    sheet = from_quads(grid, quads, 1)
    assert len(sheet.faces) == 2 * 4 * 64
    # Catmull-Clark keeps a plane, and its inside, where they are
    assert np.abs(sheet.points[:, 2]).max() == 0
    cut: Sheet = clip(sheet, 0.33 + 0.1 * sheet.points[:, 1] - sheet.points[:, 0])
    np.testing.assert_allclose(cut.origin @ grid, cut.points, atol=1e-12)
    np.testing.assert_allclose(np.asarray(cut.origin.sum(1)).ravel(), 1)
    rim = cut.points[np.unique(border_edges(cut.faces))]
    on_cut = np.abs(0.33 + 0.1 * rim[:, 1] - rim[:, 0]) < 1e-3
    assert on_cut.sum() > 15
    a, b, c = (cut.points[cut.faces[:, k]] for k in range(3))
    assert np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2 == pytest.approx(0.38, abs=0.01)
