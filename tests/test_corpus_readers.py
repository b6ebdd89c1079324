"""Readers of motion capture, against hand-computed poses and real excerpts.

tests/data/acclaim.* and cgspeed.bvh.xz: the data used in this project was obtained from mocap.cs.cmu.edu. The database
was created with funding from NSF EIA-0196217. tests/data/deepmimic.txt: DeepMimic, (c) 2018 Xue Bin Peng, MIT.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import numpy as np
import pytest

from synth.corpus import asf_amc, bvh, deepmimic
from synth.corpus.capture import Capture
from synth.errors import BadFile, Missing

DATA = Path(__file__).parent / "data"

ASF = """:version 1.10
:units
  mass 1.0
  length 1.0
  angle deg
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name a
    direction 0 1 0
    length 1
    axis 0 0 90 XYZ
    dof rx
  end
  begin
    id 2
    name b
    direction 1 0 0
    length 2
    axis 0 0 0 XYZ
  end
:hierarchy
  begin
    root a
    a b
  end
"""
AMC = ":FULLY-SPECIFIED\n:DEGREES\n1\nroot 10 0 0 0 0 0\na 90\n2\nroot 10 0 0 90 0 90\na 0\n"

BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 5 5 5
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT Spine
  {
    OFFSET 0 10 0
    CHANNELS 3 Zrotation Yrotation Xrotation
    End Site
    {
      OFFSET 0 0 10
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.05
0 0 0 0 0 0 0 0 0
100 0 0 90 0 0 30 40 50
"""


def rigid_error(c: Capture) -> float:
    """Largest difference between positions and those that rotations and rest offsets imply, metres."""
    parents = np.array(c.parents)
    child = np.flatnonzero(parents >= 0)
    offset = c.rest[child] - c.rest[parents[child]]
    implied = c.positions[:, parents[child]] + np.einsum("tjab,jb->tja", c.rotations[:, parents[child]], offset)
    return float(np.abs(implied - c.positions[:, child]).max())


def test_amc_by_hand(tmp_path: Path) -> None:
    (tmp_path / "s.asf").write_text(ASF)
    (tmp_path / "s.amc").write_text(AMC)
    c = asf_amc.read_amc(tmp_path / "s.amc", tmp_path / "s.asf", 30.0)
    end = c.positions[:, c.index("b_end")]
    unit = 0.0254
    # Frame 1: `a` turns 90 degrees about its own x, which its axis puts along +y: b points to -z (y up) = +y (z up).
    assert np.allclose(end[0], np.array([10, 2, 1]) * unit)
    # Frame 2: x first, then z: up (0,1,0) -> (0,0,1) -> (0,0,1); b (1,0,0) -> (1,0,0) -> (0,1,0). In z up: (0,-1,2).
    assert np.allclose(end[1], np.array([10, -1, 2]) * unit)
    assert rigid_error(c) < 1e-9


def test_bvh_by_hand(tmp_path: Path) -> None:
    (tmp_path / "s.bvh").write_text(BVH)
    c = bvh.read_bvh(tmp_path / "s.bvh", unit=0.01)
    assert c.fps == pytest.approx(20.0)
    assert np.allclose(c.positions[0], [[0, 0, 0], [0, 0, 0.1], [0, -0.1, 0.1]])
    # The root's channels replace its OFFSET; Rz(90) takes the spine's (0, 10, 0) to (-10, 0, 0).
    assert np.allclose(c.positions[1, :2], [[1, 0, 0], [0.9, 0, 0]])

    def turn(axis: int, degrees: float) -> np.ndarray:
        a, (i, j) = np.radians(degrees), [(1, 2), (2, 0), (0, 1)][axis]
        r = np.eye(3)
        r[[i, i, j, j], [i, j, i, j]] = np.cos(a), -np.sin(a), np.sin(a), np.cos(a)
        return r

    world = turn(2, 90) @ turn(2, 30) @ turn(1, 40) @ turn(0, 50)
    x, y, z = np.array([90.0, 0, 0]) + world @ np.array([0, 0, 10.0])
    assert np.allclose(c.positions[1, 2], np.array([x, -z, y]) * 0.01)
    assert bvh.read_bvh(tmp_path / "s.bvh", skip=1).frames == 1


def test_deepmimic_keeps_time(tmp_path: Path) -> None:
    frame = json.loads((DATA / "deepmimic.txt").read_text())["Frames"][0]
    frames = [[duration, x, *frame[2:]] for duration, x in ((0.1, 0.0), (0.3, 1.0), (0.0, 4.0))]
    (tmp_path / "m.txt").write_text(json.dumps({"Loop": "none", "Frames": frames}))
    c = deepmimic.read_deepmimic(tmp_path / "m.txt", fps=20.0)
    assert c.frames == 9
    assert np.allclose(c.positions[:, 0, 0], np.arange(9) * 0.5)  # 10 m/s throughout, in frames of 0.1 and 0.3 s
    assert rigid_error(c) < 1e-9


@pytest.mark.parametrize(
    ("read", "height"),
    [
        (lambda: asf_amc.read_amc(DATA / "acclaim.amc.xz", DATA / "acclaim.asf", 30.0), (1.4, 1.8)),
        (lambda: bvh.read_bvh(DATA / "cgspeed.bvh.xz", bvh.CMU_UNIT, skip=1), (1.3, 1.8)),
        (lambda: deepmimic.read_deepmimic(DATA / "deepmimic.txt"), (1.4, 1.7)),
    ],
)
def test_real_excerpts(read, height) -> None:
    c = read()
    spread = c.positions[..., 2].max(1) - c.positions[..., 2].min(1)
    assert height[0] < np.median(spread) < height[1], "not the height of a person: wrong unit or up axis"
    assert rigid_error(c) < 1e-6
    assert np.allclose(np.linalg.det(c.rotations), 1.0)
    parents = np.array(c.parents)
    child = np.flatnonzero(parents >= 0)
    assert (parents[child] < child).all()
    bones = np.linalg.norm(c.positions[:, child] - c.positions[:, parents[child]], axis=-1)
    assert np.ptp(bones, axis=0).max() < 1e-6


def test_window_reverse_resample() -> None:
    c = asf_amc.read_amc(DATA / "acclaim.amc.xz", DATA / "acclaim.asf", 30.0)
    assert np.array_equal(c.reversed().positions[0], c.positions[-1])
    assert c.window(0.5, 1.0).frames == 16
    slow = c.resample(12.5)
    assert slow.frames == int(c.seconds * 12.5) + 1
    assert np.allclose(slow.positions[5], c.positions[12])  # both at 0.4 s


def _packed(text: str) -> bytes:
    return lzma.compress(text.encode())


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.bvh", "", "empty"),
        ("a.bvh", "#!OML:ASF", "HIERARCHY"),
        ("a.bvh", BVH.replace("Frames: 2", "Frames: 3"), "3 frames of 9 values"),
        ("a.bvh", BVH.replace("30 40 50", "30 40 fifty"), "fifty"),
        ("a.bvh", BVH.replace("30 40 50", "30 40 nan"), "finite"),
        ("a.bvh", BVH.replace("CHANNELS 3", "CHANNELS 4"), "CHANNELS"),
        ("a.bvh", BVH.split("MOTION")[0], "MOTION"),
        ("a.bvh", BVH.replace("0.05", "0"), "positive"),
        ("a.amc", AMC.replace("\na 90", "\nz 90"), "bone of the skeleton"),
        ("a.amc", AMC.replace("a 90", "a 90 1"), "1 numbers"),
        ("a.amc", AMC.replace("root 10 0 0 0 0 0\n", ""), "root"),
        ("a.amc", "", "none"),
        ("a.amc", AMC.replace("10", "1e9"), "kilometre"),
        ("a.txt", "{", "line 1"),
        ("a.txt", "[]", "Frames"),
        ("a.txt", '{"Frames": [[1, 2]]}', "44 numbers"),
        ("a.txt", json.dumps({"Frames": [[0.0] * 44] * 2}), "duration"),
        ("a.txt", json.dumps({"Frames": [[0.1] + [0.0] * 43] * 2}), "quaternion"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / "s.asf").write_text(ASF)
    path = tmp_path / (name + ".xz")
    path.write_bytes(_packed(content))
    read = {
        ".bvh": bvh.read_bvh,
        ".amc": lambda p: asf_amc.read_amc(p, tmp_path / "s.asf", 30.0),
        ".txt": deepmimic.read_deepmimic,
    }[Path(name).suffix]
    with pytest.raises(BadFile, match=says) as error:
        read(path)
    assert str(path) in str(error.value)
    path.write_bytes(_packed(content)[:20])
    with pytest.raises(BadFile, match="xz"):
        read(path)
    with pytest.raises(Missing):
        read(tmp_path / "absent.bvh")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (":hierarchy", ":other", "hierarchy"),
        ("direction 0 1 0", "direction 0 0 0", "direction"),
        ("root a", "root c", "bone of :bonedata"),
        ("dof rx", "dof qx", "dof"),
        ("length 1.0", "length 0", "positive"),
        ("axis 0 0 90 XYZ", "axis 0 0 90 XXZ", "axis order"),
    ],
)
def test_damaged_skeletons_are_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    (tmp_path / "s.asf").write_text(ASF.replace(old, new))
    with pytest.raises(BadFile, match=says):
        asf_amc.read_asf(tmp_path / "s.asf")
