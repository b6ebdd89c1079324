"""Training sets: the same bytes after any stop, with any number of workers; honest splits; damage that is named."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from deadly import deadly
from hypothesis import given, settings
from hypothesis import strategies as st

from synth.body import load_body
from synth.corpus import sources
from synth.corpus.build import write
from synth.corpus.cli import corpus
from synth.corpus.config import Config, SourceConfig, config_from, read_config
from synth.corpus.corpus import STAGING, build, plan, versions
from synth.corpus.items import Item, formed, items_of, make_item, read_reason
from synth.corpus.library import entry
from synth.corpus.look import check
from synth.corpus.mirror import mirror
from synth.corpus.pool import run_items
from synth.corpus.readers.texts import mirror_text
from synth.corpus.rows import COLUMNS, centred, from_rows, to_rows
from synth.corpus.shards import Corpus, check_corpus, split_of
from synth.corpus.source import Licence, Rejected
from synth.errors import BadFile, BadOption, CareSynthError
from synth.interaction import Interaction
from synth.skeleton import facing_yaw

TINY = """
name: tiny
mirror: true
val: 0.3
test: 0.2
shard_megabytes: 0.5
sources:
  - name: library
    limit: 24
"""


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "synth.cli", "corpus", *map(str, arguments)]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small corpus, built by one worker without a stop; its configuration lies beside it."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "tiny.yaml").write_text(TINY)
    build(read_config(folder / "tiny.yaml"), folder / "whole", 1)
    return folder


def test_stopped_twice_and_resumed_gives_the_same_bytes(tiny: Path) -> None:
    """SIGKILL after the first items, Ctrl-C after some more, then to the end: with two workers, or one."""
    out = tiny / "stopped"
    arguments = command("build", tiny / "tiny.yaml", "--out", out, "--workers", 2)
    finished = 0
    for number, status in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)):
        process = subprocess.Popen(
            arguments, stderr=subprocess.PIPE, text=True, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while staged(out) < finished + 2:
            assert time.monotonic() < deadline
            assert process.poll() is None, "it ended before it could be stopped"
            time.sleep(0.002)
        process.send_signal(number)
        said = process.communicate()[1]
        assert process.returncode == status
        assert not (out / "corpus.json").exists()
        finished = staged(out)
    assert "the same command goes on" in said
    ended = subprocess.run(arguments, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert bytes_of(out) == bytes_of(tiny / "whole")


def staged(out: Path) -> int:
    return len(list((out / STAGING).glob("[!.]*.npz"))) if (out / STAGING).exists() else 0


def test_draws_that_were_thrown_away_are_counted(tiny: Path) -> None:
    corpus = Corpus.open(tiny / "whole")
    draws = [e.meta["quality"].get("draws", 1) for e in corpus.entries if not e.id.endswith("+mirror")]
    told = corpus.info["sources"]["library"]["redrawn"]
    assert told == sum(draws) - len(draws) > 0
    assert f"| {told} |" in (tiny / "whole" / "README.md").read_text()


def test_built_again_is_left_alone_and_other_settings_are_refused(tiny: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (tiny / "whole").rglob("*")}
    config = read_config(tiny / "tiny.yaml")
    build(config, tiny / "whole", 2)
    assert {path: path.stat().st_mtime_ns for path in (tiny / "whole").rglob("*")} == before
    with pytest.raises(BadOption, match="seed is 0 there, 1 here"):
        build(replace(config, seed=1), tiny / "whole", 1)
    with pytest.raises(BadOption, match="no build"):
        build(config, tiny, 1)
    assert not (tiny / ".lock").exists()


def test_what_is_read_is_what_was_made(tiny: Path) -> None:
    opened = check_corpus(tiny / "whole")
    assert len(opened.info["shards"]) > 2
    body = load_body()
    for index, known in enumerate(opened.entries):
        motion = opened.interaction(index)
        key = known.id.split("/")[1].removesuffix("+mirror")
        original = formed(entry(key).load(), Item("library", key), body, 20.0, 1.0)
        if not known.id.endswith("+mirror"):
            np.testing.assert_allclose(motion.transl, original.transl, atol=1e-6)
            np.testing.assert_allclose(motion.rotations(), original.rotations(), atol=2e-6)
        assert motion.meta.captions
        rows = opened.sequence(index)
        pelvis = rows[0, 0, COLUMNS["joints"]][:3]
        np.testing.assert_allclose(pelvis[:2], 0, atol=1e-5)
        assert abs(float(facing_yaw(from_rows(rows[0, 0])[1][0]))) < 1e-4
        assert motion.meta.source["licence"] in opened.info["sources"]["library"]["licence"]
    statistics = np.load(tiny / "whole" / "statistics.npz")
    train = np.concatenate([opened.sequence(i).reshape(-1, 224) for i in opened.of_split("train")])[:, :205]
    np.testing.assert_allclose(statistics["mean"], train.mean(0, dtype=float), atol=1e-6)
    np.testing.assert_allclose(statistics["std"], train.std(0, dtype=float), atol=1e-5)


def test_things_that_move_go_with_the_people(tmp_path: Path) -> None:
    """A walker, its mirror image, and somebody without: props are read where they were made, contacts name them."""
    motions = {name: entry(name).load() for name in ("walk_with_walker_01", "walk_01")}
    write(tmp_path / "library", motions, (), clean=False)
    settings = (
        f"name: moving\nmirror: true\nsources:\n  - {{name: library, options: {{folder: {tmp_path / 'library'}}}}}\n"
    )
    (tmp_path / "moving.yaml").write_text(settings)
    build(read_config(tmp_path / "moving.yaml"), tmp_path / "corpus", 1)
    opened = check_corpus(tmp_path / "corpus")
    assert {entry.id: len(entry.props) for entry in opened.entries} == {
        "library/walk_01": 0, "library/walk_01+mirror": 0,
        "library/walk_with_walker_01": 1, "library/walk_with_walker_01+mirror": 1,
    }  # fmt: skip
    for index, known in enumerate(opened.entries):
        motion = opened.interaction(index)
        assert {c.target.get("object", "floor") for c in motion.meta.contacts} <= {
            "floor",
            *(p.id for p in motion.props),
        }
        if known.id == "library/walk_with_walker_01":
            original = formed(
                motions["walk_with_walker_01"], Item("library", "walk_with_walker_01"), load_body(), 20.0, 1.0
            )
            for found, made in zip(motion.props, original.props, strict=True):
                assert (found.id, found.cls) == (made.id, made.cls)
                np.testing.assert_allclose(found.transl, made.transl, atol=1e-6)
                np.testing.assert_allclose(found.orient, made.orient, atol=1e-6)


def test_no_recording_is_on_both_sides_of_a_split(tiny: Path) -> None:
    opened = Corpus.open(tiny / "whole")
    splits = defaultdict(set)
    for item in opened.entries:
        splits[item.meta["source"]["id"]].add(item.split)
    assert all(len(found) == 1 for found in splits.values())
    assert len({item.split for item in opened.entries}) > 1
    shares = [split_of(f"take {i}", 0.1, 0.2) for i in range(4000)]
    assert shares.count("val") / 4000 == pytest.approx(0.1, abs=0.02)
    assert shares.count("test") / 4000 == pytest.approx(0.2, abs=0.02)


def test_batches_are_windows_of_the_sequences(tiny: Path) -> None:
    opened = Corpus.open(tiny / "whole")
    first, again = (opened.batches(np.random.SeedSequence(5), 16, 60, centre=False) for _ in range(2))
    for _ in range(3):
        batch, same = next(first), next(again)
        np.testing.assert_array_equal(batch.rows, same.rows)
        assert batch.features.shape == (16, 2, 60, 205)
        for at, (known, start) in enumerate(zip(batch.entries, batch.starts, strict=True)):
            assert known.split == "train"
            whole = opened.sequence(opened.entries.index(known))[:, start : start + 60]
            np.testing.assert_array_equal(batch.rows[at, : whole.shape[0], : whole.shape[1]], whole)
            assert batch.present[at].sum() == whole.shape[0] * whole.shape[1]
    moved = next(opened.batches(np.random.SeedSequence(5), 16, 60))
    start = moved.rows[:, 0, 0]
    np.testing.assert_allclose(start[:, 135:137], 0, atol=1e-5)
    np.testing.assert_allclose(facing_yaw(from_rows(start)[1][:, 0]), 0, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(-5, 5), st.floats(-5, 5))
def test_centring_is_the_rigid_move(yaw: float, x: float, y: float) -> None:
    """Rows of a motion moved in the world, centred, are the rows of the motion centred."""
    body = load_body()
    motion = entry("help_up_from_bed_01").load().window(1.0, 1.5)
    c, s = np.cos(yaw), np.sin(yaw)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
    moved = motion.transform(turn, np.array([x, y, 0.0]), body.rest_joints(motion.betas)[:, 0])
    ours, theirs = (centred(to_rows(item, body)[0]) for item in (motion, moved))
    np.testing.assert_allclose(ours[..., :201], theirs[..., :201], atol=2e-5)


@pytest.mark.parametrize("what", ["rows", "index", "cut", "gone", "statistics", "emptied"])
def test_damage_is_named(tiny: Path, tmp_path: Path, what: str) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(tiny / "whole", folder)
    names = {"statistics": "statistics.npz"} | dict.fromkeys(("index", "emptied"), "shards/00001.jsonl")
    name = names.get(what, "shards/00001.rows.npy")
    path = folder / name
    data = bytearray(path.read_bytes())
    if what == "gone":
        path.unlink()
    elif what == "cut":
        path.write_bytes(data[:-1000])
    elif what == "emptied":
        path.write_bytes(b"")
        with pytest.raises(BadFile, match=r"00001\.jsonl: file: found 0 lines; expected \d+, one a sequence"):
            Corpus.open(folder)
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    with pytest.raises(BadFile, match=Path(name).name):
        check_corpus(folder)
    if what == "rows":
        ended = subprocess.run(command("check", folder), capture_output=True, text=True)
        assert (ended.returncode, len(ended.stderr.strip().splitlines())) == (2, 1)
        assert Path(name).name in ended.stdout


def test_every_fault_of_a_corpus_is_a_line(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(tiny / "whole", folder)
    info = json.loads((folder / "corpus.json").read_text())
    name = max(info["shards"], key=lambda shard: shard["sequences"])["name"]
    other = next(shard["name"] for shard in info["shards"] if shard["name"] != name)
    index, bodies = folder / f"shards/{name}.jsonl", folder / f"shards/{other}.bodies.npy"
    whole = index.read_text().splitlines()
    first, second = json.loads(whole[0]), json.loads(whole[1])
    first["meta"]["mood"], second["split"] = "good", "tset"
    index.write_text("\n".join([json.dumps(first), json.dumps(second), *whole[2:]]))
    bodies.unlink()
    (folder / "statistics.npz").write_bytes(b"")
    found = check(folder)
    assert found["checked"] == len(Corpus.open(tiny / "whole").entries)
    for says in (f"{name}.jsonl: {first['id']}: meta: found unknown keys", f"{name}.jsonl: line 2",
                 f"{name}.jsonl: sha256", f"{bodies.name}: file", "statistics.npz: sha256"):  # fmt: skip
        assert any(says in line for line in found["faults"]), says
    with pytest.raises(BadFile):
        check_corpus(folder)
    index.write_text("\n".join([json.dumps(first), *whole[1:]]))
    shutil.copy(tiny / "whole/shards" / bodies.name, bodies)
    opened = Corpus.open(folder)
    with pytest.raises(BadFile, match=r"meta: found unknown keys.*mood"):  # not a traceback
        opened.interaction([entry.id for entry in opened.entries].index(first["id"]))


BAD = {
    "unknown key": ("sourcs: [library]", "sourcs.*nearest: sources"),
    "unknown in a source": ("sources: [{name: library, limt: 3}]", r"sources\[0\]\.limt.*nearest: limit"),
    "unknown option": ("sources: [{name: library, options: {foldr: x}}]", r"options\.foldr.*nearest: folder"),
    "unknown source": ("sources: [libary]", r"sources\[0\]\.name.*nearest: library"),
    "type": ("fps: fast\nsources: [library]", "fps: found fast; expected a number"),
    "boolean for a number": ("seed: true\nsources: [library]", "seed: found True; expected a whole number"),
    "range": ("val: 2\nsources: [library]", "val: found 2; expected a number from 0 to 0.9"),
    "not a number": ("fps: .nan\nsources: [library]", "fps: found nan"),
    "no source": ("name: x", "sources: found None"),
    "twice": ("seed: 1\nseed: 2\nsources: [library]", "line 2: found seed twice"),
    "source twice": ("sources: [library, library]", r"sources\[1\]\.name: found library twice"),
    "alias": ("a: &a [1]\nsources: *a", "alias"),
    "object": ("sources: !!python/object/apply:os.system ['true']", "YAML"),
    "not YAML": ("sources: [", "YAML"),
    "option type": ("sources: [{name: library, options: {folder: 3}}]", "folder: found 3; expected str"),
    "missing option": ("sources: [care]", "option mocap of the source care is missing"),
    "list": ("- library", "a mapping of settings"),
    "mapping as a key": ("name: {{N}}", "line 1: found a mapping as a key; expected a word"),
    "list as a key": ("? [a, b]\n: 1", "line 1: found a sequence as a key"),
    "no truth value": ("name: !!bool foo", "plain values"),
    "no time": ("name: !!timestamp foo", "plain values"),
    "no number": ("seed: !!int ''", "plain values"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_configurations_say_what_is_wrong(tmp_path: Path, name: str) -> None:
    text, says = BAD[name]
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(CareSynthError, match=says) as caught:
        plan(read_config(path))
    assert "\n" not in str(caught.value)


def test_an_extra_option_that_is_no_yaml_is_named() -> None:
    with pytest.raises(BadOption, match=r"--option: found library\.folder=\["):
        read_config("small", ["library.folder=["])


def test_the_command_line_ends_with_one_line_and_status_2(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("sources: [libary]")
    for arguments in (
        ("build", tmp_path / "bad.yaml"),
        ("show", tmp_path, "--out", tmp_path / "x.jpg"),
    ):  # fmt: skip
        ended = subprocess.run(command(*arguments), capture_output=True, text=True, cwd=Path(__file__).parents[1])
        assert (ended.returncode, len(ended.stderr.strip().splitlines())) == (2, 1), ended.stderr


NOT_FOR_SALE = Licence("CC-BY-NC-4.0", False, "Nobody.")


@dataclass(frozen=True)
class Odd:
    """A source in which much goes wrong."""

    name: str = "odd"
    licence: Licence = NOT_FOR_SALE

    def keys(self) -> list[str]:
        return ["bad", "crash", "fine", "gone", "jump", "nan", "short", "smpl", "wordless"]

    def make(self, key: str, seed: np.random.SeedSequence) -> Interaction:
        motion = entry("walk_01").load()
        if key == "bad":
            raise Rejected("too bad")
        if key == "crash":
            raise ZeroDivisionError("nothing there")
        if key == "gone":
            Path("/nowhere/at/all").read_text()
        if key == "jump":
            transl = motion.transl.copy()
            transl[:, 20:] += 9
            return replace(motion, transl=transl)
        if key == "nan":
            return replace(motion, transl=motion.transl * np.float32(np.nan))
        if key == "short":
            return motion.window(0, 0.5)
        if key == "smpl":
            return replace(motion, meta=replace(motion.meta, body_model="smpl"))
        if key == "wordless":
            return replace(motion, meta=replace(motion.meta, text="", captions=()))
        return motion


def odd_source() -> Odd:
    return Odd()


def test_whatever_is_wrong_with_an_item_is_a_listed_rejection(tmp_path: Path) -> None:
    body = load_body()
    says = {
        "bad": "too bad", "crash": "crashed: ZeroDivisionError",
        "gone": "No such file", "jump": "m/s", "nan": "NaN", "short": "0.50 s",
        "smpl": "body smpl", "wordless": "no text",
    }  # fmt: skip
    for item in items_of(Odd(), None, 1):
        make_item(item, Odd(), body, tmp_path, 0, 20.0, 1.0, False)
        reason = read_reason(tmp_path, item.id)
        assert (reason is None) == (item.key == "fine")
        if reason:
            assert says[item.key] in reason


def test_what_is_not_for_sale_stays_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sources.FACTORIES, "odd", (__name__, "odd_source"))
    config = Config(sources=(SourceConfig("odd"), SourceConfig("library", limit=2)))
    planned = plan(config)
    assert {item.source for item in planned.items} == {"library"}
    assert "CC-BY-NC-4.0" in planned.left_out["odd"]
    assert {item.source for item in plan(replace(config, include_noncommercial=True)).items} == {"library", "odd"}
    with pytest.raises(CareSynthError, match="nothing to build from"):
        plan(replace(config, sources=config.sources[:1]))
    optional = config_from({"sources": [{"name": "care", "optional": True}, "library"]}, "here")
    assert "mocap" in plan(optional).left_out["care"]


def test_an_item_that_kills_its_process_does_not_end_the_build() -> None:
    made, dead = {}, {}
    run_items(deadly, ("",), ["a", "kills", "b", "c"], 2, made.__setitem__, dead.__setitem__)
    assert made == {"a": "A", "b": "B", "c": "C"}
    assert list(dead) == ["kills"]
    assert "signal 9" in dead["kills"]


def test_words_are_mirrored_as_words() -> None:
    pairs = {
        "a person turns left, then right": "a person turns right, then left",
        "Left hand up": "Right hand up",
        "he walks counterclockwise": "he walks clockwise",
        "she turns clockwise to the right": "she turns counterclockwise to the left",
        "he stands upright, all right": "he stands upright, all right",
        "she comes right away from the left": "she comes right away from the right",
        "he walks right up to her and stands right next to her left": (
            "he walks right up to her and stands right next to her right"
        ),
        "right in front of him, right behind her": "right in front of him, right behind her",
        "he turns right around and sits right back down": "he turns right around and sits right back down",
        "she is left standing, he is left on the floor": "she is left standing, he is left on the floor",
        "he sits right there, right at the bed": "he sits right there, right at the bed",
        "he walks to the right behind her": "he walks to the left behind her",
        "he turns right at the door, then left on the spot": "he turns left at the door, then left on the spot",
        "he lies on his right side up against the wall": "he lies on his left side up against the wall",
    }
    for text, image in pairs.items():
        assert mirror_text(text) == image
        assert mirror_text(image) == text


WORDS = ["right", "left", "turns", "the", "is", "next", "up", "in", "front", "around", "standing", "on", "at", "away"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(WORDS)))
def test_words_mirrored_twice_are_the_words(words: list[str]) -> None:
    assert mirror_text(mirror_text(" ".join(words))) == " ".join(words)


def test_what_decides_is_noted() -> None:
    assert "mujoco" in versions()


def test_a_mirrored_motion_mirrored_again_is_the_original() -> None:
    body = load_body()
    for name in ("walk_left_01", "help_up_from_bed_01"):
        motion = entry(name).load()
        once = mirror(motion, body)
        again = mirror(once, body)
        np.testing.assert_allclose(again.transl, motion.transl, atol=1e-5)
        np.testing.assert_allclose(again.rotations(), motion.rotations(), atol=1e-5)
        assert again.meta.captions == motion.meta.captions
        assert once.meta.source["mirrored"] is True
    left = mirror(entry("walk_left_01").load(), body)
    assert "right" in left.meta.text


def test_a_sheet_shows_a_row_a_motion(tiny: Path, tmp_path: Path) -> None:
    from PIL import Image

    out = tmp_path / "sheet.png"
    arguments = ["show", tiny / "whole", "--class", "walk_alone", "--n", 2, "--size", 64, "--blind", "--out", out]
    ended = CliRunner().invoke(corpus, [str(item) for item in arguments])
    assert ended.exit_code == 0, ended.output
    answers = json.loads(out.with_suffix(".json").read_text())
    picture = np.asarray(Image.open(out).convert("L"), float)
    assert picture.shape == (64 * len(answers), 64 * 8)
    assert {item["class"] for item in answers} == {"walk_alone"}
    cells = picture.reshape(len(answers), 64, 8, 64).swapaxes(1, 2)
    assert (cells.std((2, 3)) > 8).all(), "somebody is in every picture"
    with pytest.raises(BadFile):
        Corpus.open(tmp_path)
