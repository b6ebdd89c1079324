"""Readers on small data in the official layouts, made from library motions by the plain algorithms of published.py."""

from __future__ import annotations

import json
import lzma
import os
import pickle
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from published import published_263, published_recovery

from synth import taxonomy
from synth.body import load_body
from synth.body.smpl_file import read_pickle, write_smpl
from synth.corpus import corpus as building
from synth.corpus.config import config_from
from synth.corpus.corpus import build
from synth.corpus.features import intergen
from synth.corpus.features.convert import joints_of, to_intergen
from synth.corpus.features.posture import calibrate, nearest_rotation
from synth.corpus.floor import fit_plane, level
from synth.corpus.items import take_of
from synth.corpus.library import entry
from synth.corpus.readers.amass import AmassFolder, read_index
from synth.corpus.readers.amass import take_of as recording_take
from synth.corpus.readers.folder import inside, load_npy
from synth.corpus.readers.humanml3d import HumanML3D
from synth.corpus.readers.interhuman import InterHuman
from synth.corpus.readers.mocap import CaptureFolder
from synth.corpus.readers.teton import TetonFolder, validator
from synth.corpus.readers.tetoncheck import check
from synth.corpus.readers.texts import mirror_text, read_captions, repair_mirrored
from synth.corpus.shards import Corpus
from synth.corpus.source import Licence, Rejected, Source
from synth.corpus.sources import open_source
from synth.corpus.unify import Performance, leg_length, middle_of_hips, piece, survey, unify
from synth.errors import BadFile, BadOption, CareSynthError, Missing
from synth.interaction import Interaction
from synth.motion.proxies import proxies_of
from synth.motion.quality import measure
from synth.rotation import axis_angle_to_matrix, matrix_to_axis_angle, yaw_matrix
from synth.skeleton import SMPL_MIRROR

DATA = Path(__file__).parent / "data"
DOCS = Path(__file__).parents[1] / "docs"
SEED = np.random.SeedSequence(0)
Y_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


@pytest.fixture(scope="module")
def body():
    return load_body()


def y_up_joints(motion: Interaction, person: int = 0) -> np.ndarray:
    return joints_of(motion, load_body())[person, :, :22] @ Y_UP.T


def apart(first: Interaction, second: Interaction, count: int = 22) -> np.ndarray:
    """Distances [P, T, J] in metres between the joints of two motions, as far as both last, in the same place.

    Motions differ in where they start and what they face by what their layouts lose: a move over the floor and a turn.
    """
    a, b = (joints_of(motion, load_body())[..., :count, :] for motion in (first, second))
    frames = min(a.shape[1], b.shape[1])
    a, b = a[:, :frames], b[:, :frames]
    middle = [points.mean((0, 1, 2)) * [1, 1, 0] for points in (a, b)]
    a, b = a - middle[0], b - middle[1]
    turn = nearest_rotation((a * [1, 1, 0]).reshape(-1, 3), (b * [1, 1, 0]).reshape(-1, 3))
    turn[:, 2], turn[2] = [0, 0, 1], [0, 0, 1]
    return np.linalg.norm(a @ turn.T - b, axis=-1)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def refused(source: Source, key: str, *words: str) -> None:
    """`make` says what is wrong, in one line that holds the words."""
    with pytest.raises(CareSynthError) as caught:
        source.make(key, SEED)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


# HumanML3D ----------------------------------------------------------------------------------------------------------

IDS = {"000001": "walk_left_01", "000002": "pick_up_01"}


@pytest.fixture(scope="module")
def humanml3d(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("HumanML3D")
    for key, name in IDS.items():
        joints = y_up_joints(entry(name).load())
        mirror = joints[:, list(SMPL_MIRROR[:22])] * np.array([-1, 1, 1])
        for prefix, points in (("", joints), ("M", mirror)):
            vectors = published_263(points)
            save(folder / "new_joint_vecs" / f"{prefix}{key}.npy", vectors.astype(np.float32))
            save(folder / "new_joints" / f"{prefix}{key}.npy", published_recovery(vectors).astype(np.float32))
    texts = {
        "000001": "a person walks counterclockwise.#a/DET person/NOUN walk/VERB#0.0#0.0\n"
        "turns left#turn/VERB left/ADV#1.0#2.5\nperson walks#person/NOUN walk/VERB#nan#nan\n",
        "M000001": "a person walks countercounterclockwise.#a/DET person/NOUN walk/VERB#0.0#0.0\n",
        "000002": "bends down#bend/VERB down/ADV#0.5#2.0\n",
        "M000002": "picks something up with the left hand#pick/VERB#0.0#0.0\n",
    }
    for key, text in texts.items():
        write(folder / "texts" / f"{key}.txt", text)
    write(folder / "all.txt", "000002\nM000002\n000001\nM000001\n")
    write(folder / "train.txt", "000001\nM000001\n")
    return folder


def test_humanml3d_gives_the_motion_back(humanml3d: Path, body) -> None:
    source: Source = HumanML3D(str(humanml3d), refined=False)
    assert source.keys() == ["000001", "000002", "M000001", "M000002"]
    assert HumanML3D(str(humanml3d), split="train", with_mirrored=False).keys() == ["000001"]
    assert not source.licence.commercial
    motion = source.make("000001", SEED)
    original = entry(IDS["000001"]).load()
    assert motion.fps == 20
    assert apart(motion, original).max() < 0.003
    assert motion.meta.captions == ("a person walks counterclockwise.", "person walks")
    assert motion.meta.source["parts"] == [["turns left", 1.0, 2.5]]
    assert motion.meta.source["id"] == "000001"
    assert motion.meta.quality["scale"] == pytest.approx(1, abs=1e-3)


def test_humanml3d_mirrored_ids_and_parts(humanml3d: Path, body) -> None:
    source = HumanML3D(str(humanml3d), refined=False)
    image, plain = source.make("M000001", SEED), source.make("000001", SEED)
    assert image.meta.text == "a person walks clockwise."
    a, b = joints_of(image, body)[0], joints_of(plain, body)[0]
    np.testing.assert_allclose(a[:, list(SMPL_MIRROR)] * [1, -1, 1], b, atol=1e-3)
    part = source.make("000002", SEED)  # only a part has a caption: the motion is cut to it
    assert part.meta.text == "bends down"
    assert part.seconds == pytest.approx(1.5)


def test_humanml3d_without_one_of_the_two_folders(humanml3d: Path, tmp_path: Path) -> None:
    for missing in ("new_joints", "new_joint_vecs"):
        copy = tmp_path / missing
        shutil.copytree(humanml3d, copy)
        shutil.rmtree(copy / missing)
        motion = HumanML3D(str(copy), refined=False).make("000001", SEED)
        assert apart(motion, HumanML3D(str(humanml3d), refined=False).make("000001", SEED)).max() < 1e-4


def test_humanml3d_refined_feet_stand(humanml3d: Path) -> None:
    motion = HumanML3D(str(humanml3d)).make("000001", SEED)
    again = HumanML3D(str(humanml3d)).make("000001", SEED)
    assert motion.body_pose.tobytes() == again.body_pose.tobytes()
    assert motion.meta.quality["skate"] < 0.04
    assert motion.meta.quality["below"] < 0.01
    assert np.median(apart(motion, entry(IDS["000001"]).load())) < 0.02


def test_damaged_humanml3d(humanml3d: Path, tmp_path: Path) -> None:
    with pytest.raises(Missing, match="HumanML3D folder"):
        HumanML3D(str(tmp_path / "nowhere")).keys()
    with pytest.raises(Missing, match="new_joint_vecs"):
        HumanML3D(str(tmp_path)).keys()
    with pytest.raises(BadOption, match="all, train"):
        HumanML3D(str(humanml3d), split="trian").keys()
    folder = tmp_path / "broken"
    shutil.copytree(humanml3d, folder)
    source = HumanML3D(str(folder), refined=False)
    vectors, joints, text = (folder / place for place in
                             ("new_joint_vecs/000001.npy", "new_joints/000001.npy", "texts/000001.txt"))  # fmt: skip
    good = {path: path.read_bytes() for path in (vectors, joints, text)}

    def damage(path: Path, content: bytes | np.ndarray | str, *words: str) -> None:
        if isinstance(content, np.ndarray):
            np.save(path, content, allow_pickle=True)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        refused(source, "000001", *words)
        path.write_bytes(good[path])

    array = np.load(vectors)
    damage(vectors, good[vectors][: len(good[vectors]) // 2], "new_joint_vecs/000001.npy", "undamaged")
    damage(vectors, b"", "undamaged")
    damage(vectors, array[:, :262], "(86, 262)", "263")
    damage(vectors, array.astype(object), "Object arrays")
    damage(vectors, np.where(np.arange(263) == 100, np.nan, array), "NaN or infinity in frame 0")
    damage(vectors, array[:-3], "83 frames in new_joint_vecs", "86 in new_joints")
    damage(vectors, np.load(folder / "new_joint_vecs/M000001.npy"), "differ by", "mixed up")
    damage(joints, np.load(joints)[:, :21], "(86, 21, 3)")
    damage(text, "a person walks\n", "line 1", "caption#tokens#from#to")
    damage(text, "\n", "no captions")
    damage(text, "walks#walk/VERB#3.0#1.0\n", "0 <= from < to")
    damage(text, "walks#walk/VERB#0.0#9.0\n", "wrong fps or mixed up")
    damage(text, b"\xff\xfe walks", "UTF-8")
    text.unlink()
    refused(source, "000001", "texts/000001.txt")
    refused(source, "999999", "texts/999999.txt")
    refused(source, "../000001", "an id of HumanML3D")
    joints.unlink()
    write(text, "walks#walk/VERB#0.0#0.0\n")
    np.save(vectors, array[:5])
    refused(source, "000001", "0.20 s long")
    fast = array.copy()
    fast[:, 1:3] *= 30
    fast[::2, 1:3] *= -1
    np.save(vectors, fast)
    refused(source, "000001", "is the frame rate 20 right?")
    vectors.unlink()
    refused(source, "000001", "the motion of an id that the split lists")


# AMASS --------------------------------------------------------------------------------------------------------------


def as_amass(motion: Interaction, path: Path, fps: float, **more: object) -> None:
    """SMPL-H as AMASS releases it: 156 pose numbers, 16 betas, and arrays nobody needs."""
    sampled = motion.resample(fps)
    pose = np.concatenate([sampled.global_orient[0], sampled.body_pose[0, :, :63], np.zeros((sampled.frames, 90))], -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    fields: dict = {
        "trans": sampled.transl[0] + np.array([0.3, -2.0, 0.07]), "poses": pose, "betas": np.zeros(16),
        "gender": np.array("female"), "mocap_framerate": np.array(fps), "dmpls": np.zeros((sampled.frames, 8)),
    }  # fmt: skip
    np.savez(path, **(fields | more))


def test_amass_folder(tmp_path: Path, body) -> None:
    motion = entry("walk_left_01").load()
    as_amass(motion, tmp_path / "CMU/01/01_01_poses.npz", 120.0, labels=np.array([{"a": 1}], object))
    write(tmp_path / "CMU/01/01_01_poses.txt", "A man walks.\nHe turns left.\n")
    write(tmp_path / "CMU/01/shape.npz", "not a motion")
    source = AmassFolder(str(tmp_path), refined=False)
    assert source.keys() == ["CMU/01/01_01_poses"]
    made = source.make(source.keys()[0], SEED)
    assert made.meta.captions == ("A man walks.", "He turns left.")
    assert made.meta.genders == ("female",)
    assert made.meta.quality["scale"] == pytest.approx(1, abs=0.025)  # found from the steps alone
    assert apart(made, motion).max() < 0.06
    write_smpl(body, tmp_path / "SMPL_NEUTRAL.npz")
    shutil.move(tmp_path / "SMPL_NEUTRAL.npz", tmp_path.parent / "SMPL_NEUTRAL.npz")
    exact = AmassFolder(str(tmp_path), smpl=str(tmp_path.parent / "SMPL_NEUTRAL.npz"), refined=False)
    assert apart(exact.make("CMU/01/01_01_poses", SEED), motion).max() < 0.012


def test_amass_like_files_that_are_y_up(tmp_path: Path) -> None:
    motion = entry("walk_left_01").load()
    turn = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    lying = motion.transform(turn, np.zeros(3), load_body().rest_joints(motion.betas)[:, 0])
    lying.to_amass(0, tmp_path / "walk.npz")
    refused(AmassFolder(str(tmp_path), refined=False), "walk", "walk.npz: no text")  # before all the work
    write(tmp_path / "walk.txt", "walks\n")
    refused(AmassFolder(str(tmp_path), refined=False), "walk", "is the file y up?")
    made = AmassFolder(str(tmp_path), up="y", refined=False).make("walk", SEED)
    assert apart(made, motion).max() < 0.06
    with pytest.raises(BadOption, match="up: found x"):
        AmassFolder(str(tmp_path), up="x")


def test_amass_damage(tmp_path: Path) -> None:
    motion = entry("walk_01").load()
    source = AmassFolder(str(tmp_path), refined=False)
    write(tmp_path / "a.txt", "walks\n")
    pose = np.zeros((40, 156))
    for words, more in (
        (("mocap_framerate", "one number"), {"mocap_framerate": np.zeros(3)}),
        (("fps", "up to 1000"), {"mocap_framerate": np.array(-5.0)}),
        (("fps", "up to 1000"), {"mocap_framerate": np.array(np.nan)}),
        (("poses", "(40, 50)"), {"poses": pose[:, :50]}),
        (("trans",), {"trans": np.zeros((7, 3))}),
        (("NaN",), {"trans": np.full((59, 3), np.nan)}),
        (("Object arrays",), {"trans": np.array([None, 1], object)}),
        (("1.5 frames a second",), {"mocap_framerate": np.array(1.5)}),
        (("is the frame rate 90 right?",), {"mocap_framerate": np.array(90.0)}),
    ):
        as_amass(motion, tmp_path / "a.npz", 20.0, **more)
        refused(source, "a", *words)
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:900])
    refused(source, "a", "a.npz", "undamaged")
    refused(source, "../a", "a key below")
    refused(source, "b", "b.npz")


@pytest.fixture(scope="module")
def with_amass(humanml3d: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """HumanML3D with the recording of 000001 at 50 fps, of which it kept every second frame and said 20 fps."""
    folder = tmp_path_factory.mktemp("both")
    shutil.copytree(humanml3d, folder / "h")
    motion = entry("walk_left_01").load()
    path = folder / "amass/Transitions_mocap/mazen_c3d/walk_turn_poses.npz"
    as_amass(motion, path, 50.0)
    write(path.with_suffix(".txt"), "walks\n")
    kept = y_up_joints(motion.resample(50.0))[::2]
    lead, start, end = 10, 5, 70  # half a second of its clock is cut off first
    for prefix, points in (("", kept), ("M", kept[:, list(SMPL_MIRROR[:22])] * np.array([-1, 1, 1]))):
        vectors = published_263(points[lead + start : lead + end])
        save(folder / "h/new_joint_vecs" / f"{prefix}000001.npy", vectors)
        save(folder / "h/new_joints" / f"{prefix}000001.npy", published_recovery(vectors))
    write(folder / "h/texts/000001.txt", "walks#walk/VERB#0#0\nturns#turn/VERB#1.0#2.0\n")
    write(
        folder / "index.csv",
        "source_path,start_frame,end_frame,new_name\n"
        f"./pose_data/Transitions_mocap/mazen_c3d/walk_turn_poses.npy,{start},{end},000001.npy\n"
        "./pose_data/humanact12/humanact12/P11G01R02F1812T1847A0402.npy,0,-1,000002.npy\n",
    )
    return folder / "h", folder


def test_humanml3d_takes_true_parameters_from_amass(with_amass: tuple[Path, Path], body) -> None:
    home, folder = with_amass
    source = HumanML3D(str(home), amass=str(folder / "amass"), index=str(folder / "index.csv"), refined=False)
    motion = source.make("000001", SEED)
    original = entry("walk_left_01").load().window(0.6, 4.0)
    assert motion.meta.source["motion"] == "amass"
    turns, wanted = motion.rotations()[0, :, 1:], original.rotations()[0, : motion.frames, 1:]
    assert np.abs(turns[:, :21] - wanted[:, :21]).max() < 0.05  # the pose itself, twists and all, in true time
    assert motion.seconds == pytest.approx(65 * 2 / 50, abs=0.06)
    assert motion.meta.source["parts"] == [["turns", 0.8, 1.6]]
    image = source.make("M000001", SEED)
    assert image.meta.source["motion"] == "amass"
    same = AmassFolder(str(folder / "amass/Transitions_mocap"), refined=False)  # another folder, the same recording
    made = same.make("mazen_c3d/walk_turn_poses", SEED)
    takes = {take_of({"source": item.meta.source}, "") for item in (motion, image, made)}
    assert takes == {"AMASS: mazen_c3d/walk_turn"}
    assert not source.remark
    assert "index.csv" in HumanML3D(str(home)).remark
    a, b = joints_of(image, body)[0], joints_of(motion, body)[0]
    np.testing.assert_allclose(a[:, list(SMPL_MIRROR)] * [1, -1, 1], b, atol=1e-4)
    assert source.make("000002", SEED).meta.source["motion"] == "joints"  # HumanAct12 is not in AMASS


def test_amass_that_does_not_match_humanml3d(with_amass: tuple[Path, Path], tmp_path: Path) -> None:
    home, folder = with_amass
    amass = tmp_path / "amass"
    shutil.copytree(folder / "amass", amass)
    source = HumanML3D(str(home), amass=str(amass), index=str(folder / "index.csv"), refined=False)
    path = next(amass.rglob("*.npz"))
    motion = entry("walk_left_01").load()
    as_amass(entry("drink_01").load(), path, 50.0)
    refused(source, "000001", "does not show this motion")
    for said in (100.0, 30.0):  # the same frames under another rate, as another release of AMASS has some
        as_amass(motion, path, 50.0, mocap_framerate=np.array(said))
        refused(source, "000001", "too few" if said > 50 else "does not show this motion")
    as_amass(motion.window(0, 2), path, 50.0)
    refused(source, "M000001", "too few")
    with pytest.raises(Missing, match=r"index\.csv"):
        HumanML3D(str(home), amass=str(amass))
    for text, words in (("a,b\n1,2\n", "line 1"), ("source_path,start_frame,end_frame,new_name\nx,y,z,w\n", "line 2")):
        write(tmp_path / f"{words}.csv", text)
        with pytest.raises(BadFile, match=words):
            read_index(str(tmp_path / f"{words}.csv"))


def test_a_recording_is_one_take_by_the_names_of_either_release() -> None:
    for one, other in (
        ("Eyes_Japan_Dataset/aita/dodge fast-aita_poses", "/data/EyesJapanDataset/aita/dodge_fast-aita_stageii.npz"),
        ("CMU/CMU/01/01_01_poses", "AMASS/CMU/01/01_01_stageii.npz"),
        ("humanact12/humanact12/P11G01R02F1812T1847A0402", "humanact12/humanact12/P11G01R02F0001T0040A0101"),
    ):
        assert recording_take(one) == recording_take(other)
    assert recording_take("CMU/CMU/01/01_01_poses") != recording_take("CMU/CMU/01/01_02_poses")


def test_the_card_says_where_nobody_knows_the_recordings(
    humanml3d: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "run_items", at_once)
    source = {"name": "humanml3d", "options": {"folder": str(humanml3d)}, "limit": 1}
    config = config_from({"name": "h", "include_noncommercial": True, "sources": [source]}, "here")
    build(config, tmp_path / "out", 1)
    assert "But humanml3d: no index.csv was given" in (tmp_path / "out/README.md").read_text()


def test_mistyped_paths_end_the_plan(with_amass: tuple[Path, Path], interhuman: Path) -> None:
    home, folder = with_amass
    index, none, amass = str(folder / "index.csv"), str(folder / "none"), str(folder / "amass")
    for source, words in (
        (HumanML3D(str(home), amass=none, index=index), "AMASS folder"),
        (HumanML3D(str(home), amass=amass, index=none), "HumanML3D index"),
        (HumanML3D(str(home), smpl=none), "SMPL model"),
        (AmassFolder(amass, smpl=none), "SMPL model"),
        (InterHuman(str(interhuman), smpl=none), "SMPL model"),
    ):
        with pytest.raises(Missing, match=f"{words} {none} is missing"):
            source.keys()
    with pytest.raises(BadFile, match=r"index\.csv"):
        AmassFolder(amass, smpl=index).keys()


# InterHuman ---------------------------------------------------------------------------------------------------------


def as_interhuman(motion: Interaction, folder: Path, key: str, pickled_fps: float | None) -> None:
    """The authors' files of a pair, somewhere in a z-up world."""
    body = load_body()
    moved = motion.transform(yaw_matrix(1.0), np.array([2.0, 1.0, 0.4]), body.rest_joints(motion.betas)[:, 0])
    sampled = moved.resample(30)
    joints, turns = joints_of(sampled, body), sampled.rotations()
    for p in range(2):
        places = np.concatenate([joints[p, :, :22], np.repeat(joints[p, :, 20:21], 40, 1)], 1)
        every = np.broadcast_to(np.eye(3), (sampled.frames, 51, 3, 3)).copy()
        every[:, :21] = turns[p, :, 1:22]
        row = np.concatenate([places.reshape(-1, 186), every[..., :2].reshape(-1, 306)], -1).astype(np.float32)
        save(folder / f"motions_processed/person{p + 1}/{key}.npy", row)
    write(folder / f"annots/{key}.txt", "One helps the other up with the left hand.\n\nSomebody gets help.\n")
    if pickled_fps is not None:
        sampled = moved.resample(pickled_fps)
        people = {
            f"person{p + 1}": {
                "trans": sampled.transl[p], "root_orient": sampled.global_orient[p],
                "pose_body": sampled.body_pose[p, :, :63], "betas": np.zeros(10, np.float32), "gender": "male",
            }
            for p in range(2)
        }  # fmt: skip
        content = {"mocap_framerate": np.float64(pickled_fps), "frames": sampled.frames} | people
        (folder / "motions").mkdir(exist_ok=True)
        (folder / f"motions/{key}.pkl").write_bytes(pickle.dumps(content))


@pytest.fixture(scope="module")
def interhuman(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("InterHuman")
    as_interhuman(entry("help_up_from_chair_01").load(), folder, "17", None)
    as_interhuman(entry("assist_walking_02").load(), folder, "3", 59.94)
    write(folder / "split/train.txt", "3\n17\n")
    write(folder / "split/ignore_list.txt", "99\n")
    return folder


def test_interhuman_processed(interhuman: Path, body) -> None:
    source: Source = InterHuman(str(interhuman), refined=False, with_mirrored=True)
    assert source.keys() == ["17", "17_swap", "3", "3_swap"]
    assert InterHuman(str(interhuman), split="train").keys() == ["17", "3"]
    motion, original = source.make("17", SEED), entry("help_up_from_chair_01").load()
    assert motion.people == 2
    assert motion.meta.source["motion"] == "processed"
    assert motion.meta.captions[1] == "Somebody gets help."
    frames = min(motion.frames, original.frames)
    a, b = motion.rotations()[:, :frames, 1:22], original.rotations()[:, :frames, 1:22]
    assert np.abs(a - b).max() < 0.03  # 30 fps and back
    # Two strangers become two mean bodies; who is where stays, in units of their mean leg.
    here, there = joints_of(motion, body)[:, :frames, 0], joints_of(original, body)[:, :frames, 0]
    gap, wanted = (np.linalg.norm((p[0] - p[1])[:, :2], axis=-1) for p in (here, there))
    scale = motion.meta.quality["scale"]
    assert np.abs(gap - scale * wanted).max() < 0.04
    image = source.make("17_swap", SEED)
    assert image.meta.text == "One helps the other up with the right hand."
    np.testing.assert_allclose(
        joints_of(image, body)[..., list(SMPL_MIRROR), :] * [1, -1, 1], joints_of(motion, body), atol=1e-4
    )


def test_interhuman_pickles_go_by_time(interhuman: Path, body) -> None:
    motion = InterHuman(str(interhuman), refined=False).make("3", SEED)
    original = entry("assist_walking_02").load()
    assert motion.meta.source["motion"] == "smpl"
    assert motion.meta.genders == ("male", "male")
    assert motion.seconds == pytest.approx(original.seconds, abs=0.1)
    frames = min(motion.frames, original.frames)
    a, b = motion.rotations()[:, :frames, 1:22], original.rotations()[:, :frames, 1:22]
    assert np.abs(a - b).max() < 0.03
    assert motion.meta.quality["skate"] < 0.06


class Boom:
    def __reduce__(self):
        return os.system, ("touch /tmp/caresynth_was_here",)


def test_damaged_and_hostile_interhuman(interhuman: Path, tmp_path: Path) -> None:
    with pytest.raises(Missing, match="InterHuman folder"):
        InterHuman(str(tmp_path)).keys()
    folder = tmp_path / "x"
    shutil.copytree(interhuman, folder)
    source = InterHuman(str(folder), refined=False)
    path, annots = folder / "motions/3.pkl", folder / "annots/3.txt"
    good = pickle.loads(path.read_bytes())

    def damage(words: tuple[str, ...], **person: object) -> None:
        top = {key: person.pop(key) for key in ("mocap_framerate", "person2") if key in person}
        path.write_bytes(pickle.dumps(good | {"person1": good["person1"] | person} | top))
        refused(source, "3", *words)

    trans = good["person1"]["trans"]
    marker = Path("/tmp/caresynth_was_here")
    marker.unlink(missing_ok=True)
    damage(("3.pkl", "nothing was run"), trans=Boom())
    assert not marker.exists()
    damage(("nothing was run",), gender=np.array([Boom()], object))
    assert not marker.exists()
    damage(("person1.trans", "NaN"), trans=np.where(np.arange(3) == 1, np.nan, trans))
    damage(("person1.trans", "floats"), trans="here")
    damage(("person1.pose_body", f"[{len(trans)}, 63]"), pose_body=np.zeros((len(trans), 60)))
    damage(("mocap_framerate",), mocap_framerate="fast")
    damage(("mocap_framerate",), mocap_framerate=0)
    damage(("a wrong frame rate",), mocap_framerate=30.0)
    damage(("person2", "a dictionary"), person2=None)
    damage(("different lengths",), person2={k: v[:-4] if isinstance(v, np.ndarray) and len(v) > 20 else v
                                            for k, v in good["person2"].items()})  # fmt: skip
    lying = {
        name: person
        | {
            "trans": person["trans"] @ Y_UP.T,
            "root_orient": matrix_to_axis_angle(Y_UP @ axis_angle_to_matrix(person["root_orient"])),
        }
        for name, person in good.items()
        if name in ("person1", "person2")
    }
    path.write_bytes(pickle.dumps(good | lying))
    refused(source, "3", "is the file y up?")
    path.write_bytes(b"\x80\x05oops")
    refused(source, "3", "3.pkl", "nothing was run")
    path.write_bytes(pickle.dumps(good)[:-900])
    refused(source, "3", "3.pkl")
    path.write_bytes(pickle.dumps([1, 2]))
    refused(source, "3", "holds one dictionary")
    annots.unlink()
    refused(source, "3", "annots/3.txt")
    second = folder / "motions_processed/person2/17.npy"
    array = np.load(second)
    np.save(second, array[:-1])
    refused(source, "17", "different lengths")
    np.save(second, array[:, :262])
    refused(source, "17", "(", "492")
    np.save(second, np.concatenate([array[:, :186], array[:, :306]], -1))
    refused(source, "17", "rotations", "6D rotations")
    grown = array.copy()
    grown[:, :186] *= np.linspace(1, 1.5, len(array))[:, None]
    np.save(second, grown)
    refused(source, "17", "bones change their length")
    second.unlink()
    refused(source, "17", "both people")
    refused(source, "../17", "an id of InterHuman")


def test_pickles_of_every_protocol_hold_plain_numbers(tmp_path: Path) -> None:
    content = {"rate": np.float64(59.94), "trans": np.arange(12.0).reshape(4, 3), "n": 4, "name": "x"}
    for protocol in range(6):
        path = tmp_path / f"{protocol}.pkl"
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        read = read_pickle(path, "test")
        assert read["rate"] == 59.94
        np.testing.assert_array_equal(read["trans"], content["trans"])
    bad = b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'O8'\nI0\nI1\ntRS'AAAAAAAA'\ntR."
    (tmp_path / "pointer.pkl").write_bytes(bad)  # a number that would be taken for an address
    with pytest.raises(BadFile, match="nothing was run"):
        read_pickle(tmp_path / "pointer.pkl", "test")


# Capture files ------------------------------------------------------------------------------------------------------


def test_capture_folder(tmp_path: Path) -> None:
    shutil.copy(DATA / "acclaim.asf", tmp_path / "16.asf")
    shutil.copy(DATA / "acclaim.amc.xz", tmp_path / "16_15.amc.xz")
    text = lzma.decompress((DATA / "acclaim.amc.xz").read_bytes()).decode("latin-1")
    write(tmp_path / "16_16.amc", text[: text.index("\n1\n") + 1] + text[text.index("\n2\n") + 1 :])
    *head, last = lzma.decompress((DATA / "cgspeed.bvh.xz").read_bytes()).decode("latin-1").rstrip().splitlines()
    still = re.sub(r"Frames:\s*5", "Frames: 34", "\n".join([*head, *[last] * 30]))
    write(tmp_path / "still.bvh", still)
    for name in ("16_15", "16_16", "still", "bad"):
        write(tmp_path / f"{name}.txt", "A man walks.\n")
    licence = Licence("free", True, "CMU")
    source: Source = CaptureFolder(str(tmp_path), "mine", licence, amc_fps=30.0, bvh_unit=0.0254 / 0.45, refined=False)
    source = replace(source, bvh_skip=1)
    assert source.keys() == ["16_15.amc.xz", "16_16.amc", "still.bvh"]
    report = survey(source)
    # The recording itself has a hand at 25 m/s in its first frame.
    assert [key for key, _ in report.rejected] == ["16_15.amc.xz"]
    assert report.reasons == {"fastest": 1}
    assert (report.items, report.kept) == (3, 2)
    assert report.figures["skate"][2] < 0.15
    motion = source.make("16_16.amc", SEED)
    assert motion.meta.text == "A man walks."
    assert motion.meta.source["licence"] == "free"
    assert json.loads(json.dumps(report.to_json()))["name"] == "mine"
    refused(replace(source, bvh_unit=1.0), "still.bvh", "is the unit of length right?")
    refused(replace(source, amc_fps=3000.0), "16_15.amc.xz", "s long")
    skeleton = (tmp_path / "16.asf").read_text(encoding="latin-1")
    write(tmp_path / "16.asf", re.sub(r"(?<=axis )XYZ", "XYQ", skeleton, count=1))
    refused(source, "16_16.amc", "root axis", "found XYQ")
    write(tmp_path / "bad.bvh", still.replace("CHANNELS 3 Zrotation Yrotation Xrotation", "CHANNELS", 1))
    refused(source, "bad.bvh", "CHANNELS n with n channel names")
    (tmp_path / "16.asf").unlink()
    refused(source, "16_15.amc.xz", "skeleton", ".asf beside")
    refused(source, "none.bvh", "none.bvh")
    (tmp_path / "still.txt").unlink()
    refused(source, "still.bvh", "still.bvh: no text")


def at_once(prepare, arguments, items, workers, done, died) -> None:
    """As `run_items`, in this process."""
    make = prepare(*arguments)
    for item in items:
        done(item, make(item))


def test_a_folder_of_bvh_is_built_by_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "run_items", at_once)
    *head, last = lzma.decompress((DATA / "cgspeed.bvh.xz").read_bytes()).decode("latin-1").rstrip().splitlines()
    write(tmp_path / "in/still.bvh", re.sub(r"Frames:\s*5", "Frames: 44", "\n".join([*head, *[last] * 40])))
    options = {"folder": str(tmp_path / "in"), "bvh_unit": 0.0254 / 0.45, "bvh_skip": 1, "licence": "CC0-1.0",
               "commercial": True, "credit": "Me."}  # fmt: skip
    config = config_from({"name": "mine", "sources": [{"name": "mocap", "options": options}]}, "here")
    with pytest.raises(CareSynthError, match=r"0 sequences.*no text.*expected at least one"):
        build(config, tmp_path / "out", 1)  # no captions
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["rejected.jsonl"]
    write(tmp_path / "in/still.txt", "A man stands.\n")
    info = build(config, tmp_path / "out", 1)
    made = info["sources"]["mocap"]
    assert (made["licence"], made["credit"], made["sequences"]) == ("CC0-1.0", "Me.", 1)
    assert Corpus.open(tmp_path / "out").interaction(0).meta.text == "A man stands."
    for option, value in (("amc_fps", float("nan")), ("bvh_unit", 0.0), ("bvh_skip", -1), ("role", "nurse")):
        with pytest.raises(BadOption, match=option):
            open_source("mocap", {**options, option: value})


# Unification --------------------------------------------------------------------------------------------------------


def test_floor_plane_of_a_camera_s_cloud(body) -> None:
    """A tilted camera 2.3 m over a floor with furniture: the plane to the millimetre, and people on it upright."""
    rng = np.random.default_rng(1)
    flat = np.concatenate([rng.uniform(-4, 4, (600, 2)), rng.normal(0, 0.01, (600, 1))], -1)
    boxes = rng.uniform([-1, -1, 0.3], [1, 1, 1.2], (300, 3))
    world = np.concatenate([flat, boxes])
    for pitch in (
        0.0,
        0.6,
        1.2,
        -np.pi / 2,
        np.pi / 2,
    ):  # along the floor, down, ..., straight down, camera upside down
        turn = axis_angle_to_matrix([pitch + np.pi / 2, 0, 0]) @ yaw_matrix(0.7)
        cloud = (world - [0, 0, 2.3]) @ turn.T
        plane = fit_plane(cloud, np.random.SeedSequence(4))
        np.testing.assert_allclose(plane.normal, turn[:, 2], atol=2e-3)
        assert plane.offset == pytest.approx(2.3, abs=0.01)
        spin, shift = plane.to_floor()
        moved = cloud @ spin.T + shift
        assert np.abs(moved[:600, 2]).max() < 0.06
        np.testing.assert_allclose(spin @ spin.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(spin) == pytest.approx(1)
        motion = entry("walk_01").load()
        rest = body.rest_joints(motion.betas)[:, 0]
        seen = motion.transform(turn, -turn @ np.array([0, 0, 2.3]), rest)
        back = joints_of(level(seen, plane, body), body)
        np.testing.assert_allclose(back[..., 2], joints_of(motion, body)[..., 2], atol=0.02)
    for bad, words in (
        (np.zeros((2, 3)), "needs three"),
        (np.full((50, 3), np.nan), "0 finite points"),
        (np.linspace(0, 1, 50)[:, None] * [1.0, 2.0, 3.0], "one line"),
        (rng.uniform(-5, 5, (500, 3)), "at least a third"),
    ):
        with pytest.raises(Rejected, match=words):
            fit_plane(bad, np.random.SeedSequence(0))


def given_of(motion: Interaction, **more: object) -> Performance:
    joints = joints_of(motion, load_body())
    return replace(Performance(motion.fps, motion.rotations(), joints[:, :, 0] + [5.0, 1.0, -3.0]), **more)


@pytest.mark.parametrize("name", ["walk_01", "lie_down_03", "get_up_05", "sit_down_03", "crawl_01"])
def test_unify_finds_the_floor(body, name: str) -> None:
    motion = entry(name).load()
    made = unify(given_of(motion, leg=leg_length(joints_of(motion, body))), body, refined=False)
    assert apart(made, motion, 24).max() < 0.02


def test_unify_fits_the_path_to_the_legs(body) -> None:
    """A giant's walk: twice the legs, twice the steps; on our legs the feet do not slide."""
    motion = entry("walk_03").load()
    giant = given_of(motion)
    giant = replace(giant, path=1.3 * giant.path)
    for leg in (None, 1.3 * leg_length(joints_of(motion, body))):
        made = unify(replace(giant, leg=leg), body, refined=False)
        assert made.meta.quality["scale"] == pytest.approx(1 / 1.3, rel=0.02)
        assert made.meta.quality["skate"] < 0.05


def test_unify_rejects_with_the_reason(body) -> None:
    motion = entry("walk_01").load()
    good = given_of(motion)
    rng = np.random.default_rng(0)
    jumpy = good.path.copy()
    jumpy[:, 30:] += [3.0, 0, 0]
    skating = good.path * 0.0 + np.linspace(0, 6, motion.frames)[:, None] * [1, 0, 0]
    still = np.broadcast_to(good.rotations[:, :1], good.rotations.shape)
    for changed, words in (
        ({"path": np.where(rng.random(good.path.shape) < 0.01, np.nan, good.path)}, "NaN"),
        ({"path": good.path[:, :5], "rotations": good.rotations[:, :5]}, "0.20 s long"),
        ({"path": good.path[:, :-1]}, "rotations of shape"),
        ({"fps": 2.0}, "2 frames a second"),
        ({"path": jumpy}, "is the frame rate 20 right?"),
        ({"path": skating, "rotations": still, "leg": np.array([0.829])}, "skate"),
        ({"leg": np.array([0.0])}, "not those of a person"),
        ({"leg": np.array([80.0])}, "expected metres"),
        ({"bone_drift": 0.2}, "bones change their length"),
    ):
        with pytest.raises(Rejected, match=re.escape(words)):
            unify(replace(good, **changed), body, refined=False)


def test_people_who_hold_each_other_still_do_on_our_body(body) -> None:
    """The carer's hands end within 3 cm of where they held a patient of another size, and no foot slides for it."""
    motion = entry("help_up_from_chair_01").load().window(2.5, 6.5)
    joints = joints_of(motion, body)
    given = given_of(
        motion, path_of="hips", path=middle_of_hips(joints), leg=leg_length(joints), joints=joints, meta=motion.meta
    )
    made = unify(given, body)
    proxies = [proxies_of(body, shape) for shape in made.betas]
    found, before = measure(made, proxies), measure(unify(given, body, refined=False), proxies)
    assert found["contact_mean"] < 0.02 < 0.05 < before["contact_mean"]
    assert found["contact_max"] < 0.03
    assert found["partner_depth"] < 0.02
    assert made.meta.quality["skate"] < 0.05


def test_262_of_strangers_becomes_a_pair_on_one_floor(body) -> None:
    """InterGen's layout puts each person on the floor alone; what it says is brought onto our body all the same."""
    motion = entry("assist_walking_02").load()
    joints, local = intergen.decode(to_intergen(motion, body))
    turns = np.broadcast_to(np.eye(3), (*joints.shape[:2], 24, 3, 3)).copy()
    rest = body.rest_joints(np.zeros(10)).astype(float)
    for p in range(2):
        turns[p, :, 0], _ = calibrate(joints[p], local[p], rest)
    turns[:, :, 1:22] = local
    given = Performance(30.0, turns, middle_of_hips(joints), "hips", leg_length(joints), own_floor=True, joints=joints)
    made = unify(given, body, refined=False)
    gap, wanted = (
        np.linalg.norm(p[0, :, 0] - p[1, :, 0], axis=-1) for p in (joints_of(made, body), joints_of(motion, body))
    )
    frames = min(len(gap), len(wanted))
    assert np.abs(gap[:frames] - made.meta.quality["scale"] * wanted[:frames]).max() < 0.03
    assert made.meta.quality["below"] < 0.01


def test_pieces_of_long_recordings_are_drawn_by_the_seed(body) -> None:
    motion = entry("walk_wander_01").load()
    given = given_of(motion, joints=joints_of(motion, body)[..., :22, :])
    one, same, other = (piece(given, 3.0, np.random.SeedSequence(n)) for n in (1, 1, 2))
    assert one.path.shape[1] == one.joints.shape[1] == 60
    assert one.meta.source == same.meta.source != other.meta.source
    start = round(one.meta.source["start"] * 20)
    np.testing.assert_array_equal(one.path, given.path[:, start : start + 60])
    assert piece(given, 20.0, np.random.SeedSequence(1)) is given
    with pytest.raises(Rejected, match=re.escape("expected 0.5 to 30 s")):
        unify(replace(given, fps=0.2 * given.fps), body, refined=False)


def test_survey_lists_what_it_leaves_out(humanml3d: Path, tmp_path: Path) -> None:
    folder = tmp_path / "h"
    shutil.copytree(humanml3d, folder)
    (folder / "texts/000001.txt").unlink()
    (folder / "new_joints/M000001.npy").write_bytes(b"\x93NUMPY")
    report = survey(HumanML3D(str(folder), refined=False))
    assert (report.items, report.kept) == (4, 2)
    assert [key for key, _ in report.rejected] == ["000001", "M000001"]
    assert all("\n" not in reason for _, reason in report.rejected)
    assert report.seconds > 3
    assert report.figures["scale"][0] == pytest.approx(1, abs=1e-3)


# Texts --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("walks counterclockwise", "walks clockwise"),
        ("walks clockwise, then counterclockwise.", "walks counterclockwise, then clockwise."),
        ("an anti-clockwise turn", "an clockwise turn"),
        ("The Left foot, his RIGHT hand", "The Right foot, his LEFT hand"),
        ("a bright upright man lefts the copyright", "a bright upright man rights the copyright"),
        ("steps leftwards with his left-hand, lefty", "steps rightwards with his right-hand, righty"),
        ("he stands up right away; all right", "he stands up right away; all right"),
        ("left, right, left", "right, left, right"),
    ],
)
def test_mirror_text(text: str, wanted: str) -> None:
    assert mirror_text(text) == wanted


@given(st.lists(st.sampled_from(["left", "RIGHT", "Clockwise", "counterclockwise", "right away", "bright", "a", "#"])))
def test_mirrored_text_mirrored_again_is_the_original(words: list[str]) -> None:
    text = " ".join(words)
    assert mirror_text(mirror_text(text)) == text


def test_captions(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "he is #1#he/PRON#0.0#0.0\n\nturns#turn/VERB#1.5#3\n")
    captions = read_captions(tmp_path / "a.txt")
    assert [(c.text, c.start, c.end, c.whole) for c in captions] == [("he is #1", 0, 0, True), ("turns", 1.5, 3, False)]
    assert repair_mirrored("Countercounterclockwise and counterclockwise") == "Clockwise and counterclockwise"


# Care recordings ----------------------------------------------------------------------------------------------------


def example() -> dict:
    """The example of the documentation."""
    blocks = re.findall(r"```json\n(.*?)```", (DOCS / "teton-format.md").read_text(encoding="utf-8"), re.DOTALL)
    return json.loads(blocks[1])


def as_recording(top: Path, value: dict, where: str = "site_1/room-2/20240301T021400") -> Path:
    folder = top / where
    write(folder / "sequence.json", json.dumps(value))
    blocks = re.findall(r"```json\n(.*?)```", (DOCS / "teton-format.md").read_text(encoding="utf-8"), re.DOTALL)
    write(top / "dataset.json", blocks[0])
    mask = np.zeros((480, 640), np.uint8)
    mask[300:] = 2
    mask[180:300, 180:450] = 3
    mask[185:265, 205:415] = 1
    (folder / "masks").mkdir(exist_ok=True)
    Image.fromarray(mask).save(folder / "masks/000000.png")
    return folder


def test_the_documented_example_is_read(tmp_path: Path) -> None:
    as_recording(tmp_path, example())
    assert check(tmp_path) == []
    source = TetonFolder(str(tmp_path))
    assert source.keys() == ["site_1/room-2/20240301T021400"]
    assert source.licence == Licence("Contract 2024-17", True, "Recorded at Example Care.")
    tracks = source.load(source.keys()[0])
    assert (tracks.frames, tracks.width, tracks.height, tracks.fps) == (3, 640, 480, 10.0)
    patient, staff = tracks.people
    assert (patient.role, staff.role) == ("patient", "staff")
    assert patient.present.tolist() == [True, False, True]
    assert patient.actions == ("laying_in_bed", None, "laying_in_bed")
    np.testing.assert_array_equal(patient.keypoints[0, 0], [220, 200, 2])
    np.testing.assert_array_equal(patient.center, [[310, 225], [0, 0], [311, 225]])
    np.testing.assert_array_equal(staff.box[1], [20, 90, 90, 300])
    assert np.unique(tracks.key_frames[0].pixels()).tolist() == [0, 1, 2, 3]
    assert [region.kind for region in tracks.key_frames[0].regions] == ["person", "floor", "bed"]
    np.testing.assert_allclose(tracks.times, [0, 0.101, 0.198])


def test_the_schema_has_the_words_of_the_taxonomy() -> None:
    schema = json.loads((DOCS.parent / "synth/corpus/readers/teton.schema.json").read_text(encoding="utf-8"))
    parts = schema["definitions"]
    actions = set(parts["annotation"]["properties"]["action"]["enum"]) - {None}
    assert actions == set(taxonomy.POSTURES) | set(taxonomy.ACTIONS)
    assert set(parts["person"]["properties"]["class"]["enum"]) == set(taxonomy.ROLES)
    assert set(taxonomy.FURNITURE_CLASSES) < set(parts["region"]["properties"]["class"]["enum"])
    assert validator()(example())


def _patch(value: dict, path: str, new: object) -> dict:
    *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
    at = value
    for step in steps:
        at = at[step]
    if new is KeyError:
        del at[last]
    else:
        at[last] = new
    return value


NOTE = "people.0.annotations.0."


@pytest.mark.parametrize(
    ("path", "new", "words"),
    [
        ("fps", KeyError, ("json: fps: found nothing",)),
        ("fps", 0, ("fps", "found 0")),
        ("fps", 25.0, ("fps", "about 10.1")),
        ("frames", 2.5, ("frames", "a whole number")),
        ("times", [0.0, 0.2, 0.1], ("times[2]", "increasing")),
        ("times", [0.0], ("times", "3, one a frame")),
        ("colour", "grey", ("colour: found grey", "no such field; known are camera")),
        ("people.0.class", "nurse", ("people[0].class: found nurse; expected one of person, staff, patient",)),
        ("people.1.id", 1, ("people[1].id", "another number")),
        (NOTE + "frame", 3, ("people[0].annotations[0].frame", "from 0 to 2")),
        ("people.0.annotations.1.frame", 0, ("annotations[1].frame", "increasing")),
        (NOTE + "box", [0.3, 0.4, 0.2, 0.2], ("shares of the picture",)),
        (NOTE + "box", [200, 180, 800, 600], ("not a corner",)),
        (NOTE + "box", [200, 180, -20, 90], ("annotations[0].box", "-20")),
        (NOTE + "box", [200, 180, 20], ("annotations[0].box",)),
        (NOTE + "box", [400, 380, 100, 90], ("center",)),
        (NOTE + "center", [1.0, 2.0], ("annotations[0].center", "a point in the box")),
        (NOTE + "keypoints", [0.5] * 51, ("keypoints[2]", "visibility, not a confidence")),
        (NOTE + "keypoints", [900, 900, 2] * 17, ("keypoints", "17 of 17 far from the box")),
        (NOTE + "keypoints", [1, 2, 2], ("annotations[0].keypoints: found 3 items; expected at least 51 items",)),
        (NOTE + "action", "sleeping", ("annotations[0].action", "sleeping")),
        ("key_frames.0.frame", 7, ("key_frames[0].frame", "below 3")),
        ("key_frames.0.mask", "masks/none.png", ("masks/none.png", "the mask of key frame 0")),
        ("key_frames.0.mask", "a/../../../x.png", ("key_frames[0].mask", "inside the recording's folder")),
        ("key_frames.0.mask", "/etc/passwd.png", ("key_frames[0].mask",)),
        ("key_frames.0.regions.0.person", 9, ("regions[0].person", "one of the people")),
        ("key_frames.0.regions.0.class", "bed", ("regions[0]", "for no other")),
        ("key_frames.0.regions.1.value", 1, ("different values",)),
        ("key_frames.0.regions.1.value", 7, ("masks/000000.png", "values", "[2]")),
        ("key_frames.0.regions.0.value", 4, ("masks/000000.png", "[1]")),
        ("height", 500, ("size", "640 x 480", "640 x 500")),
    ],
)  # fmt: skip
def test_broken_recordings_are_named(tmp_path: Path, path: str, new: object, words: tuple[str, ...]) -> None:
    as_recording(tmp_path, _patch(example(), path, new))
    problems = check(tmp_path)
    assert problems, "nothing was found"
    text = " | ".join(str(problem) for problem in problems)
    assert "\n" not in text
    for word in words:
        assert word in text, text
    if not path.startswith(("height", "key_frames.0.regions.0.value", "key_frames.0.regions.1")) and "none" not in text:
        with pytest.raises(BadFile):
            TetonFolder(str(tmp_path)).load("site_1/room-2/20240301T021400")


def test_broken_folders_of_recordings(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="recordings"):
        check(tmp_path / "none")
    assert [str(problem) for problem in check(tmp_path)] == [
        "dataset.json: missing; expected format, version and licence of the recordings",
        ".: no recording; expected SITE/ROOM/TIMESTAMP/sequence.json",
    ]
    assert not TetonFolder(str(tmp_path)).licence.commercial
    folder = as_recording(tmp_path, example())
    as_recording(tmp_path, example(), "site 2/room/yesterday")
    write(tmp_path / "site_1/sequence.json", "{}")
    (tmp_path / "site_1/room-2/20240301T031400").mkdir()
    write(tmp_path / "dataset.json", '{"format": "coco"}')
    found = [str(problem) for problem in check(tmp_path)]
    assert len(found) == 5
    starts = (
        "dataset.json: format, version", "site 2: expected a site's", "site 2/room/yesterday: expected a name",
        "site_1/sequence.json: expected at", "site_1/room-2/20240301T031400: no sequence.json",
    )  # fmt: skip
    for start in starts:
        assert any(line.startswith(start) for line in found), (start, found)
    mask = folder / "masks/000000.png"
    for content, words in (
        (b"", "undamaged PNG"),
        (mask.read_bytes()[:200], "undamaged PNG"),
        (b"GIF89a", "undamaged"),
    ):
        mask.write_bytes(content)
        assert any(words in str(problem) for problem in check(tmp_path))
    Image.new("RGB", (640, 480)).save(mask)
    assert any("one number a pixel" in str(problem) for problem in check(tmp_path))
    for text, words in (("{", "valid JSON"), ("[]", "object"), ('{"version": NaN}', "NaN"), ("[" * 9999, "nested")):
        write(folder / "sequence.json", text)
        assert any(words in str(problem) for problem in check(tmp_path)), check(tmp_path)
    with pytest.raises(BadOption, match="SITE/ROOM/TIMESTAMP"):
        TetonFolder(str(tmp_path)).load("x")


def test_keys_do_not_leave_their_folder(tmp_path: Path) -> None:
    for key in ("../secret", "/etc/passwd", "a/../../b"):
        with pytest.raises(BadOption, match="below"):
            inside(tmp_path, key)
    np.savez(tmp_path / "a.npz", x=np.zeros(2))
    os.rename(tmp_path / "a.npz", tmp_path / "a.npy")
    with pytest.raises(BadFile, match="an npz archive"):
        load_npy(tmp_path / "a.npy")
