"""People from keypoints and estimates: projections with gradients, whose pose it is, one motion in one world."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.reconstruct import CAMERAS, Made, camera_at, errors, made
from synth.body import load_body
from synth.corpus.library import entry
from synth.corpus.readers.teton import TetonFolder
from synth.errors import BadFile, BadOption
from synth.motion.evidence import apart
from synth.motion.proxies import proxies_of
from synth.motion.quality import state_of
from synth.reconstruct.annotated import Annotated
from synth.reconstruct.grounding import carried_by, stood
from synth.reconstruct.inputs import camera_of, carried, observed_of
from synth.reconstruct.keypoints import Observed, coco_points, deviation, projected, through_lens
from synth.reconstruct.lifting import Exemplars, library_poses, lifted
from synth.reconstruct.occlusion import occluded
from synth.reconstruct.people import Among, filled, refined
from synth.reconstruct.pipeline import standing_places
from synth.reconstruct.projection import Optics
from synth.reconstruct.resting import rested, seeming_rest
from synth.reconstruct.scenery import Optics as OpticsOf
from synth.reconstruct.scenery import StillDepth, ground_of
from synth.reconstruct.steps import standing
from synth.rotation import axis_angle_to_matrix
from synth.skeleton import JOINT

BODY = load_body()


@pytest.fixture(scope="module")
def scene() -> Made:
    return made("assist_walking_01", "corner", BODY, seed=1, seconds=5.0)


@pytest.mark.parametrize("kind", CAMERAS)
def test_optics_project_as_cameras_do_and_have_gradients(kind: str) -> None:
    camera = camera_at(kind, np.array([0.3, -0.2]))
    points = np.random.default_rng(0).uniform([-1.5, -1.5, 0], [1.5, 1.5, 2], (200, 3))
    wanted, depth, valid = camera.project(points)
    asked = torch.from_numpy(points).float().requires_grad_(True)
    found, along = Optics.of(camera).project(asked)
    assert valid.all()
    assert np.abs(found.detach().numpy() - wanted).max() < 0.02
    if kind != "fisheye":
        assert np.abs(along.detach().numpy() - depth).max() < 1e-4
    found.sum().backward()
    assert asked.grad is not None
    moved = points + 1e-4 * np.array([1.0, 0, 0])
    slope = (camera.project(moved)[0] - wanted).sum(-1) / 1e-4
    assert np.allclose(asked.grad[:, 0].numpy(), slope, rtol=2e-2, atol=2.0)


def test_coco_points_are_where_the_body_has_them() -> None:
    motion = entry("assist_walking_01").load().resample(5.0)
    state = state_of(motion, [proxies_of(BODY, betas) for betas in motion.betas])
    found = coco_points(BODY, motion.betas).where(state).unflatten(0, (2, 17)).transpose(1, 2).numpy()
    for person in range(2):
        rotmats = motion.rotations()[person].astype(np.float32)
        vertices, joints = BODY.pose(motion.betas[person], rotmats, motion.transl[person])
        off = np.linalg.norm(found[person] - BODY.coco_keypoints(vertices, joints).numpy(), axis=-1)
        assert off[:, 5:].max() < 1e-4  # limbs: the joints themselves
        assert off[:, :5].max() < 0.012  # face: skinned to the head nearly alone


def test_an_estimate_of_somebody_else_is_masked_and_no_other(scene: Made) -> None:
    points = coco_points(BODY, scene.truth.betas)
    state = state_of(scene.estimates, [proxies_of(BODY, betas) for betas in scene.truth.betas])
    found = occluded(projected(state, points, Optics.of(scene.camera), 2), scene.observed)
    assert scene.swapped.any()
    assert (found.other == scene.swapped).mean() > 0.98
    assert found.rate(scene.truth.present) == pytest.approx(found.masked.mean())
    nobody = replace(scene.observed, seen=np.zeros_like(scene.observed.seen))
    unknown = occluded(projected(state, points, Optics.of(scene.camera), 2), nobody)
    assert not unknown.masked.any()  # nothing is known of anybody: nothing is said
    hidden = replace(scene.observed, seen=scene.observed.seen * np.array([0.0, 1.0])[:, None, None])
    other = occluded(projected(state, points, Optics.of(scene.camera), 2), hidden).other
    assert other[0, scene.swapped[0]].all()  # who is hidden is not where the other one is


def test_who_walks_briskly_sets_the_feet_down() -> None:
    """The picture says which feet stand, and those that truly do hardly slide."""
    scene = made("walk_01", "corner", BODY, seed=0)
    proxies = [proxies_of(BODY, betas) for betas in scene.truth.betas]
    joints = state_of(scene.truth, proxies).joints.numpy()
    ankles = joints[:, :, [JOINT["left_ankle"], JOINT["right_ankle"]]]
    stand = (ankles[..., 2] < 0.12) & (np.linalg.norm(np.gradient(ankles[..., :2], 0.1, axis=1), axis=-1) < 0.4)
    seen = standing(scene.observed, scene.camera, joints[:, :, 0, :2])
    assert (seen & stand).sum() > 0.7 * seen.sum()
    assert (seen & stand).sum() > 0.75 * stand.sum()
    found = refined(scene.estimates, scene.observed, scene.camera, BODY).motion
    assert errors(found, scene.truth, BODY)["slide"] < 10
    still = replace(scene.observed, seen=np.zeros_like(scene.observed.seen))
    assert not standing(still, scene.camera, joints[:, :, 0, :2]).any()


def test_estimates_become_one_motion_in_the_world(scene: Made) -> None:
    found = refined(scene.estimates, scene.observed, scene.camera, BODY, scene.resting)
    before, after = errors(scene.estimates, scene.truth, BODY), errors(found.motion, scene.truth, BODY)
    assert before["mpjpe"] > 100
    assert after["mpjpe"] < 50
    assert after["world"] < 100
    assert after["pair"] < 80
    assert max(found.reprojection) < 0.5 * min(found.before)
    again = refined(scene.estimates, scene.observed, scene.camera, BODY, scene.resting)
    assert np.array_equal(again.motion.transl, found.motion.transl)


def test_annotations_that_are_wrong_pull_nobody_away(scene: Made) -> None:
    """Of the patient, both legs are annotated 120 pixels off for a second: under a blanket, say."""
    keypoints = scene.observed.keypoints.copy()
    keypoints[0, 15:25, 13:17] += 120.0
    spoilt = replace(scene.observed, keypoints=keypoints)
    clean = refined(scene.estimates, scene.observed, scene.camera, BODY, scene.resting)
    found = refined(scene.estimates, spoilt, scene.camera, BODY, scene.resting)
    assert errors(found.motion, scene.truth, BODY)["mpjpe"] < errors(clean.motion, scene.truth, BODY)["mpjpe"] + 24


def test_who_lies_in_bed_is_on_the_mattress_and_at_its_distance() -> None:
    """Feet in bed say nothing of the floor: without the bed, nothing tells how far away somebody is."""
    abed = made("talk_at_bedside_01", "corner", BODY, seed=1, seconds=3.0)
    patient = abed.truth.meta.roles.index("patient")
    (bed,) = [piece for piece in abed.furniture if piece.cls == "bed"]
    proxies = [proxies_of(BODY, betas) for betas in abed.truth.betas]
    (carrier,) = carried_by(abed.truth, proxies, abed.resting, abed.furniture)
    assert (carrier.person, carrier.piece.id, carrier.on.all()) == (patient, bed.id, True)
    nearer = replace(abed.estimates, transl=0.75 * abed.estimates.transl + 0.25 * abed.camera.position)
    nearer = replace(nearer, transl=nearer.transl.astype(np.float32))
    alone = refined(nearer, abed.observed, abed.camera, BODY, abed.resting)
    found = refined(nearer, abed.observed, abed.camera, BODY, abed.resting, abed.furniture)
    one = slice(patient, patient + 1)
    far, near = (
        float(np.linalg.norm((motion.transl - abed.truth.transl)[one], axis=-1).mean())
        for motion in (alone.motion, found.motion)
    )
    assert far > 0.15
    assert near < 0.5 * far
    pelvis = state_of(found.motion, proxies).joints[patient, :, 0, 2]
    assert bed.seat_height is not None
    assert ((pelvis - bed.seat_height > 0.05) & (pelvis - bed.seat_height < 0.2)).all()


def test_who_rests_is_seen_without_being_told() -> None:
    """Nobody says that the patient is in bed: neither the floor before it nor the wall behind is where they are."""
    for name, least in (("talk_at_bedside_01", 1.0), ("help_up_from_chair_01", 0.9)):
        scene = made(name, "corner", BODY, seed=1, seconds=6.0)
        patient = scene.truth.meta.roles.index("patient")
        found = seeming_rest(scene.truth, scene.camera, BODY, scene.furniture)
        assert (found == scene.resting)[patient].mean() >= least
        assert not found[1 - patient].any()
        assert rested((None, ~found[1]), found).tolist() == [found[0].tolist(), (~found[1]).tolist()]
    abed = made("talk_at_bedside_01", "corner", BODY, seed=1, seconds=6.0)
    nobody = Annotated(abed.observed, abed.truth.present, abed.truth.meta.roles, ("a", "b"))
    feet = standing_places(abed.truth, nobody, abed.camera, BODY)
    staff = abed.truth.transl[abed.truth.meta.roles.index("staff"), :, :2]
    assert len(feet) > 0.8 * abed.truth.frames
    assert np.linalg.norm(feet[:, None] - staff, axis=-1).min(1).max() < 0.3  # no wall has to make room for a bed


def test_who_has_left_is_in_nobodys_way() -> None:
    alone = entry("walk_01").load().resample(5.0).window(0.0, 2.0)
    pair = replace(
        alone, transl=alone.transl.repeat(2, 0), global_orient=alone.global_orient.repeat(2, 0),
        body_pose=alone.body_pose.repeat(2, 0), betas=alone.betas.repeat(2, 0), present=alone.present.repeat(2, 0),
        meta=replace(alone.meta, roles=("person",) * 2, genders=("neutral",) * 2, actions=(), ages=()),
    )  # fmt: skip
    proxies = [proxies_of(BODY, betas) for betas in pair.betas]
    (term,) = apart(proxies, [])
    state = state_of(pair, proxies)
    own = Among.of(term, np.array([[True], [False]]) & pair.present).residual(state)
    assert float(term.residual(state).abs().sum()) > 100  # two in one place
    assert float(own.abs().sum()) < 0.02 * float(term.residual(state).abs().sum())
    half = pair.present & (np.arange(pair.frames) % 2 == 0)
    assert float(Among.of(term, half).residual(state).abs().sum()) < 0.8 * float(term.residual(state).abs().sum())


def test_a_point_beyond_the_lens_is_not_seen() -> None:
    scene = made("walk_01", "wide", BODY, seed=0, seconds=1.0)
    keypoints = scene.observed.keypoints.copy()
    keypoints[0, 2, 0], seen = 9000.0, np.ones_like(scene.observed.seen)
    camera = replace(scene.camera, dist=np.array([-0.1, 0.0, 0.0, 0.0, 0.0]))  # turns back at 714 pixels
    observed = through_lens(replace(scene.observed, keypoints=keypoints, seen=seen), camera)
    assert np.argwhere(observed.seen == 0).tolist() == [[0, 2, 0]]
    exemplars = Exemplars.of([scene.truth], BODY, 20)
    assert np.isfinite(lifted(observed, camera, BODY, scene.truth.betas, exemplars).transl).all()


def test_a_floor_that_was_refused_is_said() -> None:
    scene = made("walk_01", "corner", BODY, seed=0)
    camera = replace(scene.camera, world_from_camera=np.eye(4))
    lines = SimpleNamespace(up=scene.camera.world_from_camera[2, :3], up_deviation=2.0, confidence=1.0)
    blind = StillDepth(np.ones((720, 1280)), np.zeros((720, 1280), bool), "made", 0.01)
    told = Annotated(scene.observed, scene.truth.present, ("person",), ("a",))
    seed = np.random.SeedSequence(0)
    ground = ground_of(OpticsOf(camera, "recording", lines), blind, None, told, 0.03, seed)  # type: ignore[arg-type]
    assert "people" in ground.floor.sources
    (note,) = ground.enlarged(1.1).notes
    assert note.startswith("No floor was taken from the depth")


def test_who_fell_lies_on_the_floor_though_no_sole_does() -> None:
    """The trunk carries who lies: their distance follows from it as from feet."""
    fallen = made("help_up_from_floor_01", "corner", BODY, seed=1, seconds=2.0)
    proxies = [proxies_of(BODY, betas) for betas in fallen.truth.betas]
    patient = fallen.truth.meta.roles.index("patient")
    away = replace(fallen.truth, transl=(0.9 * fallen.truth.transl + 0.1 * fallen.camera.position).astype(np.float32))
    back = stood(away, proxies, fallen.camera, np.zeros_like(fallen.resting))
    assert np.linalg.norm((back.transl - fallen.truth.transl)[patient], axis=-1).mean() < 0.06


def test_without_estimates_poses_are_looked_up(scene: Made) -> None:
    exemplars = library_poses(BODY, lambda other: other.interaction_class == "assist_walking")
    assert len(exemplars.rotmats) == 500
    start = lifted(scene.observed, scene.camera, BODY, scene.truth.betas, exemplars)
    assert errors(start, scene.truth, BODY)["mpjpe"] < 120
    found = refined(start, scene.observed, scene.camera, BODY, scene.resting)
    assert errors(found.motion, scene.truth, BODY)["mpjpe"] < 80
    never = replace(scene.observed, seen=np.where(np.arange(17) < 3, scene.observed.seen, 0.0))
    with pytest.raises(BadOption, match="four points"):
        lifted(never, scene.camera, BODY, scene.truth.betas, exemplars)


def test_what_is_not_believed_is_filled_from_its_neighbours(scene: Made) -> None:
    believed = np.ones((2, scene.truth.frames), bool)
    believed[0, 10:14] = False
    believed[1, :5] = False
    spoilt = replace(scene.truth, transl=np.where(believed[..., None], scene.truth.transl, 9.0).astype(np.float32))
    found = filled(spoilt, believed)
    assert np.abs(found.transl - scene.truth.transl)[:, 5:].max() < 0.05
    assert np.allclose(found.transl[1, :5], found.transl[1, 5])
    turned = axis_angle_to_matrix(found.global_orient[0, 10:14].astype(float))
    assert np.linalg.norm(turned - scene.truth.rotations()[0, 10:14, 0], axis=(-1, -2)).max() < 0.3
    nobody = filled(spoilt, np.zeros_like(believed))
    assert np.allclose(nobody.transl, spoilt.transl)


def test_observations_are_checked_and_hidden_points_count_less() -> None:
    boxes = np.tile([0.0, 0.0, 50.0, 200.0], (1, 2, 1))
    boxes[0, 1] = np.nan
    seen = np.tile([1.0] * 15 + [0.4, 0.0], (1, 2, 1))
    observed = Observed(10.0, np.zeros((1, 2, 17, 2)), seen, boxes)
    assert np.array_equal(observed.sizes, [[200.0, 200.0]])
    sigma = deviation(observed)
    assert sigma[0, 0, 15] > 2 * sigma[0, 0, 14]
    assert np.isinf(sigma[0, 0, 16])
    with pytest.raises(BadOption, match="boxes"):
        Observed(10.0, np.zeros((1, 2, 17, 2)), seen, boxes[:, :1])
    with pytest.raises(BadOption, match="person 0: none"):
        Observed(10.0, np.zeros((1, 2, 17, 2)), seen, np.full_like(boxes, np.nan))
    with pytest.raises(BadOption, match="keypoints"):
        Observed(10.0, np.full((1, 2, 17, 2), np.nan), seen, boxes)


def recording(folder: Path) -> Path:
    """The example of docs/teton-format.md as a folder."""
    page = (Path(__file__).parents[1] / "docs/teton-format.md").read_text()
    dataset, sequence = (json.loads(part.split("```")[0]) for part in page.split("```json")[1:3])
    place = folder / "SITE/ROOM/20240301T021400"
    (place / "masks").mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps(dataset))
    (place / "sequence.json").write_text(json.dumps(sequence))
    Image.fromarray(np.zeros((480, 640), np.uint8)).save(place / "masks/000000.png")
    return folder


def test_a_recordings_annotations_are_what_is_observed(tmp_path: Path) -> None:
    tracks = TetonFolder(str(recording(tmp_path))).load("SITE/ROOM/20240301T021400")
    observed = observed_of(tracks)
    assert (observed.people, observed.frames) == (2, 3)
    assert observed.fps == pytest.approx(2 / 0.198)
    assert observed.keypoints[0, 0, 0].tolist() == [220.0, 200.0]
    assert observed.seen[0, 0, [0, 2, 4]].tolist() == [1.0, 0.4, 0.0]  # visible, hidden, not labelled
    assert not observed.seen[0, 1:].any()
    assert not observed.seen[1].any()
    assert np.isnan(observed.boxes[0, 1]).all()
    assert observed.boxes[1, 1].tolist() == [20.0, 90.0, 90.0, 300.0]
    patient, staff = carried(tracks)
    assert (patient.tolist(), staff.tolist()) == ([True] * 3, [False] * 3)
    silent = replace(tracks.people[0], actions=(None,) * 3)
    seated = replace(tracks.people[1], actions=(None, "sitting", None))
    unknown, sits = carried(replace(tracks, people=(silent, seated)))
    assert unknown is None  # nobody said that they stand
    assert sits.all()
    camera, source = camera_of(tracks)
    assert (camera.K[0, 0], camera.width, source) == (520.0, 640, "recording")
    k = tracks.camera["K"]
    for model, dist, wanted in (
        ("brown_conrady", [-0.2, 0.05, 0.001, 0.002], [-0.2, 0.05, 0.001, 0.002, 0]), ("fisheye", [], [0] * 4),
        ("pinhole", [0, 0, 0, 0], []),
    ):  # fmt: skip
        seen, _ = camera_of(replace(tracks, camera={"model": model, "K": k, "dist": dist}))
        assert seen.dist.tolist() == wanted
        assert np.isfinite(seen.project([0.1, 0.1, 2.0])[0]).all()
    for bad in (
        {"model": "pinhole", "K": k, "dist": [-0.2]}, {"model": "fisheye", "K": k, "dist": [0, 0, 0, 0, 0.1]},
        {"model": "pinhole", "K": [[-520, 0, 319.5], [0, 520, 239.5], [0, 0, 1]]},
    ):  # fmt: skip
        with pytest.raises(BadFile, match=r"^a/sequence\.json: camera\.(K|dist): "):
            camera_of(replace(tracks, camera=bad), "a/sequence.json")
    guessed, source = camera_of(replace(tracks, camera=None))
    assert source == "default"
    assert guessed.field_of_view()[0] == pytest.approx(70.0)
    with pytest.raises(BadOption, match="nobody"):
        observed_of(replace(tracks, people=()))
