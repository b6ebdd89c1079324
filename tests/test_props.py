"""Things that move with people: kept by files and moves, lent by rooms, held by hands, seen where they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from render.blender.session import RenderSettings, quiet
from render.blender.stage import Stage
from render.film import prop_tracks
from render.look import draw_look
from synth.body import load_body
from synth.corpus.library import entry
from synth.corpus.place import borrowed, place
from synth.errors import BadFile
from synth.interaction import Contact, Interaction, Prop, load_interaction
from synth.motion.actions import measure_actions
from synth.motion.adapt import adapt
from synth.room import Room
from synth.rooms import load_room, room_meshes
from synth.rooms.props import HANDLES, handle, prop_piece
from synth.rotation import axis_angle_to_matrix, matrix_to_axis_angle, yaw_matrix
from synth.skeleton import facing_yaw
from synth.taxonomy import POSTURES, PROP_CLASSES


def ahead(motion: Interaction, rest: np.ndarray, distance: float = 0.55) -> Prop:
    """A walker that rolls `distance` metres in front of a walker's pelvis."""
    pelvis = motion.transl[0] + rest
    yaw = facing_yaw(axis_angle_to_matrix(motion.global_orient[0]))
    way = np.stack([np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)], -1)
    orient = matrix_to_axis_angle(yaw_matrix(yaw - np.pi / 2))
    return Prop("walker", "walker", pelvis * [1, 1, 0] + distance * way, orient)


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def walking(body) -> Interaction:
    motion = entry("walk_slow_01").load()
    prop = ahead(motion, body.rest_joints(motion.betas[0])[0])
    holds = tuple(
        Contact(0, f"{side}_hand", {"object": "walker", "spot": side}, 0.0, motion.seconds)
        for side in ("left", "right")
    )
    return replace(motion, props=(prop,), meta=replace(motion.meta, contacts=(*motion.meta.contacts, *holds)))


def same(a: Prop, b: Prop, tolerance: float = 1e-5) -> bool:
    return a.id == b.id and a.cls == b.cls and np.allclose(a.poses(), b.poses(), atol=tolerance)


def test_props_survive_the_file_and_damage_is_named(walking, tmp_path):
    walking.save(tmp_path / "a.npz")
    assert same(load_interaction(tmp_path / "a.npz").props[0], walking.props[0], 1e-6)
    short = replace(walking, props=(replace(walking.props[0], transl=walking.props[0].transl[1:]),))
    with pytest.raises(BadFile, match="prop_transl"):
        short.save(tmp_path / "b.npz")
    with pytest.raises(BadFile, match="class"):
        replace(walking, props=(replace(walking.props[0], cls="sledge"),)).validate()
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_props_follow_their_people_through_cuts_clocks_and_moves(walking, body):
    rest = body.rest_joints(walking.betas[0])[0]
    for changed in (
        walking.window(0.5, 1.5),
        walking.scale_time(1.3),
        walking.transform(yaw_matrix(0.7), np.array([1.0, -2.0, 0.0]), rest[None]),
    ):
        assert same(changed.props[0], ahead(changed, rest), 0.02)
    assert len(walking.resample(7.5).props[0].transl) == walking.resample(7.5).frames


def test_a_room_lends_its_own_piece(walking):
    room = load_room("ward_03")
    motion, rest = borrowed(walking, room)
    (own,) = room.of_class("walker")
    assert motion.props[0].id == own.id
    assert {contact.target["object"] for contact in motion.meta.contacts if "spot" in contact.target} == {own.id}
    assert own.id not in {item.id for item in rest.furniture}
    assert len(rest.furniture) == len(room.furniture) - 1
    bare = replace(room, furniture=())
    assert borrowed(walking, bare) == (walking, bare)


def test_hands_of_another_body_stay_on_the_handles_and_the_label_says_so(walking, body):
    room = Room("hall", np.array([[0, 0], [9, 0], [9, 9], [0, 9.0]]), 2.6)
    placed = place(walking, room, np.random.default_rng(1), body)
    betas = np.random.default_rng(2).normal(0, 0.7, (1, 10)).astype(np.float32)
    made = adapt(placed.motion, {}, betas, body, room)
    assert made.meta.quality["adapt"]["contact_mean"] < 0.02
    actions = measure_actions(made, body)
    aided = POSTURES.index("walking_with_walking_aid")
    assert (actions.frame_postures[0] == aided).mean() > 0.6
    alone = measure_actions(replace(made, props=()), body)
    assert not (alone.frame_postures[0] == aided).any()


@pytest.mark.parametrize("cls", PROP_CLASSES)
def test_holds_are_on_the_thing(cls):
    corners = [shape.vertices[shape.faces] for _, shape in prop_piece(cls).parts]
    edges = np.concatenate([(item + np.roll(item, 1, 1)).reshape(-1, 3) / 2 for item in corners])
    points = np.concatenate([edges, *(item.reshape(-1, 3) for item in corners)])
    for name in HANDLES[cls]:
        assert np.linalg.norm(points - handle(cls, name), axis=-1).min() < 0.04


@pytest.mark.parametrize("lent", [True, False])
def test_a_prop_is_seen_where_it_is(lent, walking, body, tmp_path):
    room = load_room("ward_03")
    name = room.of_class("walker")[0].id if lent else "walker"
    track = np.array([[2.0, 2.0, 0.0], [2.0, 2.6, 0.0]])
    prop = Prop(name, "walker", track, np.zeros((2, 3)))
    look = draw_look(np.random.default_rng(3), walking.meta)
    camera = room.cameras[0].camera.scaled(160, 120)
    with quiet():
        stage = Stage(room, room_meshes(room), body, look, walking.betas, "day", np.random.SeedSequence(1), camera,
                      RenderSettings(160, 120, device="cpu"), Path(tmp_path), (prop,))  # fmt: skip
        stage.pose([None])
        found = []
        for frame in range(2):
            stage.move(frame)
            seat = track[frame] + np.array([0.0, 0.09, 1.5])
            found.append(stage.cast(seat, np.array([[0.0, 0.0, -1.0]]), np.array([1.4]))[0][0])
            away = track[1 - frame] + np.array([0.0, 0.09, 1.5])
            assert not np.isfinite(stage.cast(away, np.array([[0.0, 0.0, -1.0]]), np.array([1.4]))[0][0])
    assert np.allclose(found, 1.5 - 0.593, atol=0.02)  # the rollator's seat
    standing = [item for item in stage.scene.objects if item.get("furniture") == room.of_class("walker")[0].id]
    assert standing  # brought in beside the room's own, or the room's own itself
    assert prop_tracks((prop,), 2).shape == (2, 1, 6)
