"""What the generator is fed: features there and back, rooms as arrays, words, batches that keep people and furniture
together."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from synth.body import load_body
from synth.corpus.build import write
from synth.corpus.config import read_config
from synth.corpus.corpus import STATISTICS, build
from synth.corpus.library import entry
from synth.corpus.rows import COLUMNS, FEATURES, to_rows
from synth.corpus.shards import Corpus
from synth.diffusion import scene
from synth.diffusion.data import Batches, drop
from synth.diffusion.features import (
    FLOOR,
    NAMES,
    POOLED,
    Moments,
    decode,
    in_world,
    joints_of,
    matrix_from_6d,
    to_interaction,
)
from synth.diffusion.scene import FIELDS, FURNITURE, height_map, moved_scene, placed, point_groups, scene_of
from synth.diffusion.text import TokenTable, captions_of, corpus_tokens, token_table
from synth.diffusion.windows import Draw, crop
from synth.errors import BadFile, BadOption
from synth.interaction import Interaction, Meta
from synth.motion.kinematics import forward_kinematics
from synth.room import Box, Furniture, furniture_from_json
from synth.rotation import axis_angle_to_matrix, yaw_matrix
from synth.rotation import matrix_from_6d as reference_from_6d
from synth.skeleton import facing_yaw
from synth.taxonomy import FURNITURE_CLASSES, INTERACTIONS, ROLES
from synth.text import TextEncoder

PAIRS = ("help_up_from_bed_01", "push_wheelchair_01", "talk_standing_01", "transfer_bed_to_wheelchair_01")
ALONE = ("walk_01", "walk_brisk_01", "walk_slow_01", "walk_with_walker_01", "fall_from_chair_01")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARESYNTH_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Pairs and single people, with furniture and things on wheels, all in the training split."""
    folder = tmp_path_factory.mktemp("corpus")
    motions = {name: entry(name).load() for name in (*PAIRS, *ALONE)}
    late = motions["talk_standing_01"]
    present = late.present.copy()
    present[1, : late.frames // 3] = False  # comes in later
    motions["talk_standing_01"] = replace(late, present=present)
    write(folder / "library", motions, (), clean=False)
    (folder / "c.yaml").write_text(
        f"name: c\nval: 0\ntest: 0\nsources:\n  - {{name: library, options: {{folder: {folder / 'library'}}}}}\n"
    )
    build(read_config(folder / "c.yaml"), folder / "whole", 1)
    return Corpus.open(folder / "whole")


@pytest.fixture(scope="module")
def tokens(corpus: Corpus) -> TokenTable:
    return corpus_tokens(corpus)


@pytest.fixture(scope="module")
def moments(corpus: Corpus) -> Moments:
    return Moments.of(corpus)


def index_of(corpus: Corpus, name: str) -> int:
    return next(i for i, known in enumerate(corpus.entries) if known.id == f"library/{name}")


def windowed(corpus: Corpus, draw: Draw) -> tuple[Interaction, np.ndarray]:
    """What a draw must look like, on another way: the interaction itself, cut, its people in order and in the frame of
    the first; and its joints [P, T, 22, 3]."""
    motion = corpus.interaction(draw.index)
    cut = slice(draw.start, draw.start + draw.frames)
    order = list(draw.order)
    motion = replace(
        motion,
        transl=motion.transl[order, cut], global_orient=motion.global_orient[order, cut],
        body_pose=motion.body_pose[order, cut], betas=motion.betas[order], present=motion.present[order, cut],
        props=tuple(replace(p, transl=p.transl[cut], orient=p.orient[cut]) for p in motion.props),
    )  # fmt: skip
    body = load_body()
    rest = np.asarray(body.rest_joints(motion.betas), float)
    turn = yaw_matrix(-facing_yaw(axis_angle_to_matrix(motion.global_orient[0, 0])))
    pelvis = (rest[0, 0] + motion.transl[0, 0]) * np.array([1, 1, 0])
    motion = motion.transform(turn, -turn @ pelvis, rest[:, 0])
    joints, _ = forward_kinematics(
        torch.from_numpy(motion.rotations()), torch.from_numpy(rest[:, None]),
        torch.from_numpy(motion.transl.astype(float)),
    )  # fmt: skip
    return motion, joints[..., :22, :].numpy()


def furniture_of(motion: Interaction) -> list[Furniture]:
    return [furniture_from_json(item, "stage") for item in motion.meta.stage]


# Features


def test_features_are_the_first_columns_of_the_rows() -> None:
    slices = [COLUMNS[name] for name in NAMES]
    assert [s.start for s in slices] == [0, *(s.stop for s in slices[:-1])]
    assert slices[-1].stop == FEATURES == 205
    assert sorted(column for group in POOLED for column in group) == list(range(FEATURES))


@pytest.mark.parametrize("name", ["help_up_from_bed_01", "fall_from_chair_01"])
def test_there_and_back(corpus: Corpus, moments: Moments, name: str) -> None:
    """encode, normalise, denormalise, decode: the motion within 1e-5 m and 1e-5 rad."""
    body = load_body()
    motion = corpus.interaction(index_of(corpus, name))
    rows, bodies = to_rows(motion, body)
    x = moments.normalise(torch.from_numpy(rows[..., :FEATURES]))
    np.testing.assert_allclose(moments.denormalise(x), rows[..., :FEATURES], atol=2e-6)
    transl, rotmats = decode(x, moments)
    np.testing.assert_allclose(transl, motion.transl, atol=1e-5)
    assert _angle(rotmats.numpy(), motion.rotations()[:, :, :22]).max() < 1e-5
    joints = joints_of(transl[None], rotmats[None], torch.from_numpy(bodies[None, :, 10:].reshape(1, -1, 24, 3)))[0]
    np.testing.assert_allclose(joints.flatten(2), rows[..., COLUMNS["joints"]], atol=1e-5)
    again = to_interaction(x, moments, motion.betas, motion.fps, replace(motion.meta, stage=()))
    np.testing.assert_allclose(again.transl, motion.transl, atol=1e-5)
    assert _angle(again.rotations()[:, :, :22], motion.rotations()[:, :, :22]).max() < 1e-5
    np.testing.assert_array_equal(again.body_pose[..., 63:], 0)
    assert to_interaction(x, moments, motion.betas, 20.0).meta.roles == ("person",) * motion.people


@settings(deadline=None)
@given(hnp.arrays(float, (2, 3, 22, 3), elements=st.floats(-4, 4)), st.floats(-7, 7), st.floats(-5, 5))
def test_a_motion_in_the_world_is_the_one_transformed(vectors: np.ndarray, yaw: float, x: float) -> None:
    """Against `Interaction.transform`, in double precision: half turns and no turns included."""
    vectors[0, 0, 1:4] = [[np.pi, 0, 0], [0, 0, 0], [0, 1e-9, 0]]
    pose = np.concatenate([vectors, np.zeros((2, 3, 2, 3))], 2).reshape(2, 3, 72)
    rest = np.random.default_rng(0).normal(size=(2, 24, 3))
    motion = Interaction(
        20.0, vectors[:, :, 5], pose[..., :3], pose[..., 3:], np.zeros((2, 10)), np.ones((2, 3), bool),
        Meta(roles=("person",) * 2, genders=("neutral",) * 2),
    )  # fmt: skip
    expected = motion.transform(yaw_matrix(yaw), np.array([x, 1.0, 0.0]), rest[:, 0])
    transl, found = in_world(
        *(torch.from_numpy(a)[None] for a in (motion.transl, axis_angle_to_matrix(vectors), rest)),
        torch.tensor([yaw], dtype=torch.float64), torch.tensor([[x, 1.0]], dtype=torch.float64),
    )  # fmt: skip
    np.testing.assert_allclose(transl[0], expected.transl, atol=1e-5)
    assert float(found.norm(dim=-1).max()) <= np.pi + 1e-9
    turned = axis_angle_to_matrix(found[0].numpy())
    np.testing.assert_allclose(turned[:, :, 0], axis_angle_to_matrix(expected.global_orient), atol=1e-5)
    np.testing.assert_allclose(turned[:, :, 1:], axis_angle_to_matrix(vectors)[:, :, 1:], atol=1e-9)


def _angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Between rotations, radians: by the chord, which keeps its digits where the arc cosine loses them."""
    return 2 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=(-1, -2)) / np.sqrt(8), 0, 1))


def test_six_numbers_to_a_rotation() -> None:
    six = np.random.default_rng(0).normal(size=(50, 6))
    found = matrix_from_6d(torch.from_numpy(six))
    np.testing.assert_allclose(found, reference_from_6d(six), atol=1e-12)
    zero = torch.zeros(3, 6, requires_grad=True)
    matrix_from_6d(zero).sum().backward()
    assert zero.grad is not None
    assert torch.isfinite(zero.grad).all(), "one absent person must not spoil a batch"


def test_the_decoded_joints_have_the_right_gradient() -> None:
    """Finite differences through Gram-Schmidt and the chain, on features that are no rotations yet."""
    rng = np.random.default_rng(1)
    six = torch.from_numpy(rng.normal(size=(1, 1, 1, 22, 6))).requires_grad_(True)
    transl = torch.from_numpy(rng.normal(size=(1, 1, 1, 3))).requires_grad_(True)
    rest = torch.from_numpy(np.asarray(load_body().rest_joints(np.zeros((1, 10))), float))[None]
    assert torch.autograd.gradcheck(lambda a, b: joints_of(b, matrix_from_6d(a), rest), (six, transl), atol=1e-6)


def test_moments_pool_what_is_measured_alike(corpus: Corpus, moments: Moments) -> None:
    rows = np.concatenate([corpus.sequence(i).reshape(-1, 224) for i in corpus.of_split("train")])
    rows = rows[rows[:, -1] > 0.5][:, :FEATURES].astype(float)
    np.testing.assert_allclose(moments.mean, rows.mean(0), atol=1e-5)
    x = moments.normalise(torch.from_numpy(rows).float()).numpy()
    for group in map(list, POOLED):
        assert len(set(moments.std[group].tolist())) == 1
        assert np.mean(x[:, group].var(0)) == pytest.approx(1, abs=1e-3)
    assert moments.std[0] == moments.std[1] != moments.std[2]
    again = Moments.of_tensors(moments.tensors())
    assert torch.equal(again.mean, moments.mean)
    assert torch.equal(again.to("cpu").std, moments.std)
    for wrong in ({"std": moments.std * 0}, {"mean": moments.mean[:-1]}, {"std": moments.std * np.nan}):
        with pytest.raises(ValueError, match="expected"):
            Moments.of_tensors(moments.tensors() | wrong)


def test_moments_of_still_features_have_a_floor_and_damage_is_named(corpus: Corpus, tmp_path: Path) -> None:
    moved = replace(corpus, folder=tmp_path)
    std = np.ones(FEATURES)
    std[COLUMNS["contacts"]] = 0
    np.savez(tmp_path / STATISTICS, mean=np.zeros(FEATURES), std=std)
    assert Moments.of(moved).std[COLUMNS["contacts"]].tolist() == pytest.approx([FLOOR] * 4)
    np.savez(tmp_path / STATISTICS, mean=np.zeros(FEATURES), std=std[:-1])
    with pytest.raises(BadFile, match=r"statistics\.npz: std"):
        Moments.of(moved)


# Scenes


def some_furniture(rng: np.random.Generator, count: int = 4) -> list[Furniture]:
    pieces = []
    for number in range(count):
        size = rng.uniform(0.3, 1.6, 3)
        solids = tuple(
            Box(rng.uniform(-0.3, 0.3, 3), rng.uniform(0.03, 0.7, 3), float(rng.uniform(-3, 3)))
            for _ in range(rng.integers(0, 3))
        )
        pieces.append(Furniture(
            f"f{number}", str(rng.choice(FURNITURE_CLASSES)),
            Box(np.array([*rng.uniform(-1.5, 1.5, 2), size[2] / 2]), size, float(rng.uniform(-3, 3))),
            float(rng.uniform(0.3, 0.7)) if rng.random() < 0.5 else None, "", solids,
        ))  # fmt: skip
    return pieces


def test_a_token_says_what_a_piece_is(corpus: Corpus) -> None:
    bed = furniture_of(corpus.interaction(index_of(corpus, "help_up_from_bed_01")))[0]
    raised = replace(bed, solids=(*bed.solids, Box(np.array([0, -0.6, 0.2]), np.array([0.9, 0.7, 0.4]))))
    assert raised.head_raised
    for piece, moves in ((bed, False), (raised, True), (replace(bed, cls="door", seat_height=None), False)):
        token = scene_of([piece], [piece.id] if moves else ()).tokens[0]
        said = {name: token[columns] for name, columns in FIELDS.items()}
        assert sum(len(values) for values in said.values()) == len(token) == FURNITURE
        assert said["class"].tolist() == [float(name == piece.cls) for name in FURNITURE_CLASSES]
        np.testing.assert_allclose(said["center"], piece.box.center, rtol=1e-6)
        np.testing.assert_allclose(said["size"], piece.box.size, rtol=1e-6)
        np.testing.assert_allclose(said["heading"], [np.cos(piece.box.yaw), np.sin(piece.box.yaw)], rtol=1e-6)
        assert said["seat_height"] == pytest.approx(piece.seat_height or 0)
        flags = [float(said[name][0]) for name in ("has_seat", "head_raised", "moves")]
        assert flags == [piece.seat_height is not None, piece.head_raised, moves]


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.floats(-3.1, 3.1), st.floats(-4, 4), st.floats(-4, 4))
def test_furniture_moves_as_interactions_do(number: int, yaw: float, x: float, y: float) -> None:
    """Tokens, solids and points moved are those of the moved furniture, which is what `Interaction.transform` does."""
    pieces = some_furniture(np.random.default_rng(number))
    shift = np.array([x, y, 0.0])
    still = replace(WALK, meta=replace(WALK.meta, stage=tuple(piece.to_json() for piece in pieces)))
    motion = still.transform(yaw_matrix(yaw), shift, np.zeros((1, 3)))
    ours, theirs = placed(pieces, yaw, shift), furniture_of(motion)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.box.footprint(), b.box.footprint(), atol=1e-9)
    made, wanted = moved_scene(scene_of(pieces), yaw, shift), scene_of(theirs)
    np.testing.assert_allclose(made.tokens, wanted.tokens, atol=2e-6)
    np.testing.assert_allclose(made.solids[:, :6], wanted.solids[:, :6], atol=2e-6)
    np.testing.assert_allclose(np.exp(1j * made.solids[:, 6]), np.exp(1j * wanted.solids[:, 6]), atol=2e-6)
    points = point_groups(pieces, 6) @ yaw_matrix(yaw).T + shift
    np.testing.assert_allclose(point_groups(theirs, 6), points, atol=1e-5)


WALK = entry("walk_01").load().window(0, 0.2)


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_a_height_map_is_the_top_of_what_reaches_into_a_cell(number: int) -> None:
    """Against points in every cell: nothing that they see is missed, and what they miss is a sliver."""
    pieces = some_furniture(np.random.default_rng(number))
    cells, extent, fine = 16, 4.0, 24
    found = height_map(pieces, extent, cells)
    at = ((np.arange(cells * fine) + 0.5) / (cells * fine) - 0.5) * extent
    points = np.stack([*np.meshgrid(at, at, indexing="ij"), np.zeros((len(at),) * 2)], -1)
    tops = np.zeros((len(at),) * 2)
    near = np.zeros((len(at),) * 2)  # solids as much wider as the points are apart: these see every sliver
    for solid in (solid for piece in pieces for solid in piece.world_solids()):
        local = np.abs(solid.to_local(points)[..., :2])
        top = solid.center[2] + solid.size[2] / 2
        tops = np.where((local < solid.size[:2] / 2).all(-1), np.maximum(tops, top), tops)
        near = np.where((local < solid.size[:2] / 2 + extent / cells / fine).all(-1), np.maximum(near, top), near)
    seen, most = (a.reshape(cells, fine, cells, fine).max((1, 3)) for a in (tops, near))
    assert (found >= seen - 1e-6).all()
    assert (found <= most + 1e-6).all()
    assert found.max() > 0


def test_a_height_map_of_a_known_box() -> None:
    table = Furniture("t", "table", Box(np.array([1.0, -0.5, 0.35]), np.array([0.5, 1.0, 0.7])))
    found = height_map([table], 4.0, 32)
    rows, columns = np.nonzero(found)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[rows, columns], 0.7, atol=1e-6)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (22, 25, 8, 15)  # x .75..1.25, y -1..0
    assert len(rows) == 4 * 8
    assert not height_map([]).any()


def test_point_groups_lie_on_the_furniture_and_are_spread() -> None:
    pieces = some_furniture(np.random.default_rng(3), 5)
    groups = point_groups(pieces, 12)
    assert groups.shape == (12, 64, 3)
    solids = [solid for piece in pieces for solid in piece.world_solids()]
    off = np.stack([
        np.abs(np.abs(solid.to_local(groups) / (np.asarray(solid.size) / 2)).max(-1) - 1) for solid in solids
    ])  # fmt: skip
    assert off.min(0).max() < 1e-4, "every point is on some solid's surface"
    centres, away = groups[:, 0], np.linalg.norm(groups - groups[:, :1], axis=-1)
    assert (np.diff(away, axis=1) >= -1e-6).all(), "nearest first"
    apart = np.linalg.norm(centres[:, None] - centres, axis=-1)[np.triu_indices(12, 1)].min()
    to_centre = np.linalg.norm(groups.reshape(-1, 1, 3) - centres, axis=-1).min(1).max()
    assert to_centre <= apart + 1e-6, "farthest points first: no point is farther from all centres than they are apart"
    np.testing.assert_array_equal(groups, point_groups(pieces, 12))
    assert not np.array_equal(groups, point_groups(pieces, 12, seed=1))
    assert not point_groups([], 3).any()


def test_the_nearest_pieces_are_kept() -> None:
    pieces = [
        Furniture(f"{x}", "chair", Box(np.array([x, 0, 0.4]), np.full(3, 0.4)))
        for x in (5.0, 1.0, -3.0, 2.0)
    ]  # fmt: skip
    tokens, mask = scene.padded(scene_of(pieces), 2)
    assert tokens[:, FIELDS["center"].start].tolist() == [1, 2]
    assert mask.all()
    tokens, mask = scene.padded(scene_of(pieces), 6)
    assert mask.tolist() == [True] * 4 + [False] * 2
    assert not tokens[4:].any()


# Words


def test_token_embeddings_are_the_encoders_and_made_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["a nurse helps a patient up", "Someone walks", "a " + "very " * 40 + "long walk"]
    table = token_table([*texts, "", "Someone walks"], length=16)
    values, mask = table.lookup([texts[0], "", texts[2]])
    assert (values.shape, values.dtype, mask.dtype) == ((3, 16, 384), np.float32, bool)
    encoder = TextEncoder()
    wanted = encoder.tokens(texts[:1]).values[0]
    np.testing.assert_allclose(values[0, : len(wanted)], wanted, atol=2e-3)
    assert mask.sum(1).tolist() == [len(wanted), 0, 16]
    assert not values[~mask].any()
    whole = encoder.tokens(texts[2:]).values[0]
    np.testing.assert_allclose(values[2], [*whole[:15], whole[-1]], atol=2e-3)
    with pytest.raises(BadOption, match="unheard"):
        table.lookup(["unheard"])
    files = sorted((cache / "text").glob("tokens-*.npz"))
    token_table(texts[:2], length=16)
    assert len(list((cache / "text").glob("tokens-*.npz"))) == len(files) + 1, "other texts, another file"
    monkeypatch.setattr(TextEncoder, "tokens", lambda *_: pytest.fail("encoded again"))
    again = token_table(texts, length=16)
    np.testing.assert_array_equal(again.values, table.values)
    monkeypatch.undo()
    monkeypatch.setenv("CARESYNTH_CACHE", str(cache))
    for path in files:
        path.write_bytes(path.read_bytes()[:-200])
    np.testing.assert_array_equal(token_table(texts, length=16).values, table.values)


# Batches


@pytest.mark.parametrize("people", [2, None])
def test_shapes_masks_and_the_frame(corpus: Corpus, tokens: TokenTable, moments: Moments, people: int | None) -> None:
    batches = Batches(corpus, "train", 16, 160, people, texts=tokens, groups=4)
    batch, draws = batches.at(3), batches.draw(3)
    c, slots = batch.condition, people or 3
    shapes = {
        "text": (32, 384), "text_mask": (32,), "roles": (slots,), "betas": (slots, 10), "rest": (slots, 24, 3),
        "present": (slots,), "frames": (160,), "furniture": (8, FURNITURE), "furniture_mask": (8,),
        "heights": (32, 32), "start": (slots, 205), "start_mask": (slots,), "target": (slots, 2),
        "target_mask": (slots,), "together": (), "points": (4, 64, 3),
    }  # fmt: skip
    assert {item.name: tuple(getattr(c, item.name).shape) for item in fields(c)} == {
        name: (16, *shape) for name, shape in shapes.items()
    }
    assert batch.x.shape == (16, slots, 160, 205)
    kinds = {item.name: getattr(c, item.name).dtype for item in fields(c)}
    whole = {"roles"} | {name for name in kinds if name.endswith("mask") or name in ("present", "frames", "together")}
    assert all((kind == torch.float32) == (name not in whole) for name, kind in kinds.items())
    assert (kinds["roles"], kinds["present"], batch.classes.dtype) == (torch.long, torch.bool, torch.long)
    here = c.present[:, :, None] & c.frames[:, None]
    assert not batch.x[~here].any()
    assert torch.isfinite(batch.x).all()
    start = moments.denormalise(c.start[:, 0])
    np.testing.assert_allclose(start[:, COLUMNS["joints"]][:, :2], 0, atol=2e-5)
    facing = facing_yaw(matrix_from_6d(start[:, COLUMNS["global_orient"]]).numpy())
    np.testing.assert_allclose(facing, 0, atol=2e-4)
    assert torch.equal(c.start, batch.x[:, :, 0])
    assert c.together.all()
    for at, draw in enumerate(draws):
        known = corpus.entries[draw.index]
        assert c.present[at].sum() == known.people
        assert c.frames[at].sum() == draw.frames
        assert batch.classes[at] == (
            -1 if known.interaction_class is None else INTERACTIONS.index(known.interaction_class)
        )
        assert [ROLES[role] for role in c.roles[at, : known.people]] == [known.meta["roles"][p] for p in draw.order]
        assert draw.caption in captions_of(known.meta)
        np.testing.assert_array_equal(c.text[at], tokens.lookup([draw.caption])[0][0])
        last = moments.denormalise(batch.x[at, :, draw.frames - 1])[..., 135:137]
        np.testing.assert_allclose(c.target[at][c.present[at]], last[c.present[at]], atol=1e-5)
    moved = batch.to("meta")
    assert {moved.x.device.type, moved.condition.rest.device.type} == {"meta"}


@pytest.mark.parametrize("people", [1, 2])
def test_a_batch_decodes_to_the_corpus(corpus: Corpus, tokens: TokenTable, moments: Moments, people: int) -> None:
    """Motion, bodies, furniture, things on wheels and heights are those of the interaction moved as a whole."""
    batches = Batches(corpus, "train", 12, 200, people, seed=4, texts=tokens, groups=3)
    batch, wheels = batches.at(0), 0
    c = batch.condition
    made = joints_of(*decode(batch.x, moments), c.rest)
    for at, draw in enumerate(batches.draw(0)):
        motion, joints = windowed(corpus, draw)
        np.testing.assert_allclose(made[at, :, : draw.frames], joints, atol=5e-5)
        own = moments.denormalise(batch.x[at, :, : draw.frames])[..., COLUMNS["joints"]].unflatten(-1, (22, 3))
        np.testing.assert_allclose(own, joints, atol=5e-5)
        again = to_interaction(batch.x[at, :, : draw.frames], moments, c.betas[at].numpy(), 20.0)
        assert _angle(again.rotations()[:, :, :22], motion.rotations()[:, :, :22]).max() < 2e-5
        np.testing.assert_array_equal(again.betas, motion.betas)
        pieces = furniture_of(motion)
        for prop in (item for item in motion.props if item.cls in FURNITURE_CLASSES):
            x = c.furniture[at][c.furniture_mask[at]][:, [FURNITURE_CLASSES.index(prop.cls), FIELDS["moves"].start]]
            token = c.furniture[at][c.furniture_mask[at]][x.all(1)][0].numpy()
            np.testing.assert_allclose(token[FIELDS["center"]][:2], prop.transl[0, :2], atol=2e-5)
            front = axis_angle_to_matrix(prop.orient[0])[:2, 0]
            np.testing.assert_allclose(token[FIELDS["heading"]], front, atol=2e-5)
            wheels += 1
        fixed = c.furniture[at][c.furniture_mask[at] & (c.furniture[at, :, FIELDS["moves"].start] == 0)]
        np.testing.assert_allclose(fixed, scene_of(pieces).tokens, atol=2e-5)
        high = height_map(pieces)
        differs = (np.abs(c.heights[at].numpy() - high) > 1e-4).sum()
        if len(fixed) == c.furniture_mask[at].sum():
            assert differs <= 3, "cells that a solid just touches"
            np.testing.assert_allclose(c.points[at], point_groups(pieces, 3), atol=5e-4)
        else:
            assert (c.heights[at].numpy() > high - 1e-4).mean() > 0.99
    assert wheels > 0


def test_who_sits_on_the_bed_sits_on_it_in_every_frame(corpus: Corpus, tokens: TokenTable, moments: Moments) -> None:
    batches = Batches(corpus, "train", 4, 240, 2, texts=tokens)
    index = index_of(corpus, "help_up_from_bed_01")
    sitter = corpus.entries[index].meta["roles"].index("patient")
    ways = [replace(draw, order=order) for draw in batches.each([index]) for order in ((0, 1), (1, 0))]
    c = (batch := batches.collate(ways)).condition
    for at, draw in enumerate(ways):
        token = c.furniture[at, 0].numpy()
        cos, sin = token[FIELDS["heading"]]
        bed = Box(token[FIELDS["center"]].astype(float), token[FIELDS["size"]], float(np.arctan2(sin, cos)))
        features = moments.denormalise(batch.x[at, draw.order.index(sitter), 0])
        local = np.abs(bed.to_local(features[COLUMNS["joints"]][:3].numpy()))
        assert (local[:2] < bed.size[:2] / 2).all()
        assert 0 < features[137] - token[FIELDS["seat_height"]][0] < 0.25
        front = c.heights[at].numpy()
        assert front.max() > 0.4
    # whoever is first: the same scene seen from elsewhere
    joints = joints_of(*decode(batch.x, moments), c.rest)
    apart = [torch.cdist(joints[at, 0, ::20], joints[at, 1, ::20]) for at in (0, 1)]
    np.testing.assert_allclose(apart[0], apart[1].transpose(1, 2), atol=1e-4)
    assert torch.equal(c.roles[0], c.roles[1].flip(0))
    assert torch.equal(c.betas[0], c.betas[1].flip(0))
    assert torch.equal(c.rest[0], c.rest[1].flip(0))
    ends = [torch.linalg.norm(c.target[at, 0] - c.target[at, 1]) for at in (0, 1)]
    assert float(ends[0]) == pytest.approx(float(ends[1]), abs=1e-4)
    assert not torch.allclose(c.furniture[0], c.furniture[1])


def test_a_batch_depends_on_the_seed_and_its_number_alone(corpus: Corpus, tokens: TokenTable) -> None:
    first, again = (Batches(corpus, "train", 6, 120, seed=9, texts=tokens) for _ in range(2))
    wanted = [first.at(step) for step in range(3)]
    resumed = again.from_step(2)
    found = next(resumed)
    for a, b in ((wanted[2], found), (wanted[0], again.at(0))):
        assert torch.equal(a.x, b.x)
        assert torch.equal(a.classes, b.classes)
        for item in fields(a.condition):
            assert torch.equal(getattr(a.condition, item.name), getattr(b.condition, item.name))
    assert not torch.equal(wanted[0].x, wanted[1].x)
    assert not torch.equal(wanted[0].x, Batches(corpus, "train", 6, 120, seed=10, texts=tokens).at(0).x)
    assert next(resumed).x.shape == found.x.shape


def test_batches_of_like_length_hold_what_others_hold(corpus: Corpus, tokens: TokenTable) -> None:
    """The same items eight batches at a time, each batch as long as its longest in whole patches; by number alone."""
    batches = Batches(corpus, "train", 4, 240, 1, seed=2, texts=tokens, patch=8)
    eight = [batches.draw(step) for step in range(8, 16)]
    again = Batches(corpus, "train", 4, 240, 1, seed=2, texts=tokens, patch=8)
    assert eight[5] == again.draw(13)
    spans = sorted((min(d.frames for d in draws), max(d.frames for d in draws)) for draws in eight)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert spans[0][1] < spans[-1][0]
    order = [max(d.frames for d in batches.draw(step)) for step in range(800)]
    assert abs(np.corrcoef(order, np.arange(800) % 8)[0, 1]) < 0.1  # a batch's place tells nothing of its length
    count = Counter(d.index for step in range(800) for d in batches.draw(step))
    plain = Counter(
        d.index for step in range(800) for d in Batches(corpus, "train", 4, 240, 1, seed=2, texts=tokens).draw(step)
    )
    for index, number in plain.items():
        assert count[index] == pytest.approx(number, rel=0.2)
    for draws in eight:
        batch = batches.collate(draws)
        longest = max(draw.frames for draw in draws)
        assert batch.x.shape[2] % 24 == 0 or batch.x.shape[2] == 240
        assert longest <= batch.x.shape[2] < longest + 24
        whole = again.collate(draws)
        assert torch.equal(whole.x, batch.x)


def test_draws_are_varied_and_balanced(corpus: Corpus, tokens: TokenTable) -> None:
    draws = [
        draw for step in range(100) for draw in Batches(corpus, "train", 20, people=1, texts=tokens).draw(step)
    ]  # fmt: skip
    count = Counter(corpus.entries[draw.index].interaction_class for draw in draws)
    size = Counter(corpus.entries[index].interaction_class for index in {draw.index for draw in draws})
    assert size["walk_alone"] == 3
    total = sum(number**0.5 for number in size.values())
    for name, number in size.items():
        assert count[name] / len(draws) == pytest.approx(number**0.5 / total, abs=0.04)
    pairs = [draw for step in range(30) for draw in Batches(corpus, "train", 20, people=2, texts=tokens).draw(step)]
    assert {draw.order for draw in pairs} == {(0, 1), (1, 0)}
    for name in PAIRS:
        mine = [draw for draw in pairs if draw.index == index_of(corpus, name)]
        assert {draw.caption for draw in mine} == set(captions_of(corpus.entries[mine[0].index].meta))
        core, frames = corpus.entries[mine[0].index].meta["core"], corpus.entries[mine[0].index].frames
        if core[1] - core[0] < 11 and name != "talk_standing_01":
            assert all(draw.start <= core[0] * 20 + 1 for draw in mine)
            assert all(draw.start + draw.frames >= min(core[1] * 20, frames) - 1 for draw in mine)
        assert all(40 <= draw.frames <= 240 for draw in mine)
    assert len({draw.frames for draw in pairs}) > 20


def test_windows_keep_to_the_time_in_which_all_are_there(corpus: Corpus, tokens: TokenTable) -> None:
    batches = Batches(corpus, "train", 40, people=2, texts=tokens)
    index = index_of(corpus, "talk_standing_01")
    here = corpus.sequence(index)[..., -1] > 0.5
    assert not here.all()
    mine = [draw for step in range(5) for draw in batches.draw(step) if draw.index == index]
    assert mine
    for draw in mine:
        assert here[:, draw.start : draw.start + draw.frames].all()
    late = Draw(index, 0, 100, (0, 1), mine[0].caption)
    batch = batches.collate([late])
    assert batch.condition.present.tolist() == [[True, False]]
    assert not batch.x[0, 1].any()
    assert not batch.condition.rest[0, 1].any()
    assert batch.condition.start_mask.tolist() == batch.condition.target_mask.tolist() == [[True, False]]


@given(st.data())
def test_windows_hold_the_core_or_are_a_part_of_it(data: st.DataObject) -> None:
    first = data.draw(st.integers(0, 50))
    last = first + data.draw(st.integers(1, 500))
    begin = data.draw(st.integers(first, last - 1))
    end = data.draw(st.integers(begin + 1, last))
    longest = data.draw(st.integers(1, 300))
    shortest = data.draw(st.integers(1, 80))
    rng = np.random.default_rng(data.draw(st.integers(0, 100)))
    start, length = crop((first, last), (begin, end), shortest, longest, rng)
    assert first <= start < start + length <= last
    assert min(shortest, longest, last - first) <= length <= longest
    if end - begin <= longest:
        assert start <= begin < end <= start + length
    else:
        assert begin <= start < start + length <= end


def test_every_sequence_once(corpus: Corpus, tokens: TokenTable) -> None:
    batches = Batches(corpus, "train", 4, 100, texts=tokens)
    draws = batches.each()
    assert sorted(draw.index for draw in draws) == sorted(corpus.of_split("train"))
    assert all(draw.frames <= 100 and draw.order == tuple(range(len(draw.order))) for draw in draws)
    batch = batches.collate(draws[:5])
    assert len(batch.x) == 5
    with pytest.raises(BadOption, match="3 people"):
        Batches(corpus, "train", people=3, texts=tokens)
    with pytest.raises(BadOption, match="val"):
        Batches(corpus, "val", texts=tokens)


def test_dropping_conditions(corpus: Corpus, tokens: TokenTable) -> None:
    batch = Batches(corpus, "train", 64, 60, 2, texts=tokens, groups=2).at(0)
    known = batch.condition
    kept = drop(known, np.random.default_rng(0), 0, 0, 0, 0, 0)
    gone = drop(known, np.random.default_rng(0), 1, 1, 1, 1, 1)
    for item in fields(known):
        assert torch.equal(getattr(known, item.name), getattr(kept, item.name))
    parts = {
        "text": ("text", "text_mask"), "scene": ("furniture", "furniture_mask", "heights", "points"),
        "partner": ("together",), "start": ("start", "start_mask"), "target": ("target", "target_mask"),
    }  # fmt: skip
    named = {name for names in parts.values() for name in names}
    for item in fields(known):
        value = getattr(gone, item.name)
        assert not value.any() if item.name in named else torch.equal(value, getattr(known, item.name))
    for part, names in parts.items():
        chances = dict.fromkeys(parts, 0.0) | {part: 1.0}
        only = drop(known, np.random.default_rng(1), **chances)
        for item in fields(known):
            same = torch.equal(getattr(only, item.name), getattr(known, item.name))
            assert same == (item.name not in names)
    rng = np.random.default_rng(2)
    many = [drop(known, rng) for _ in range(40)]
    shares = {name: 1 - np.mean([getattr(c, name).float().mean() for c in many]) for name in ("together", "start_mask")}
    assert shares["together"] == pytest.approx(0.1, abs=0.02)
    assert shares["start_mask"] == pytest.approx(0.5, abs=0.03)
    mixed = torch.cat([c.start_mask for c in many])
    assert (mixed[:, 0] != mixed[:, 1]).float().mean() == pytest.approx(0.5, abs=0.05), "each person by itself"
    worded = np.mean([float(c.text_mask.any(1).float().mean()) for c in many])
    assert worded == pytest.approx(0.9, abs=0.02)
    assert known.text_mask.any(1).all(), "the batch itself is left as it was"


def test_the_index_names_bad_furniture(corpus: Corpus, tokens: TokenTable) -> None:
    at = index_of(corpus, "help_up_from_bed_01")
    meta = json.loads(json.dumps(corpus.entries[at].meta))
    meta["stage"][0]["class"] = "throne"
    entries = list(corpus.entries)
    entries[at] = replace(entries[at], meta=meta)
    batches = Batches(replace(corpus, entries=tuple(entries)), "train", 4, people=2, texts=tokens)
    with pytest.raises(BadFile, match=r"help_up_from_bed_01: stage\[0\]\.class"):
        batches.each()
