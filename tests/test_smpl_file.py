"""Official SMPL files: equal to `smplx`, and safe to open."""

from __future__ import annotations

import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import csc_matrix

from synth.body import load_body
from synth.body.smpl_file import load_smpl, write_smpl
from synth.errors import BadFile
from synth.rotation import axis_angle_to_matrix
from synth.skeleton import SMPL_PARENTS

VERTICES = 6890


@pytest.fixture(scope="module")
def made() -> dict[str, np.ndarray]:
    """A made model with every field of SMPL's format: random, but with SMPL's sizes and sum rules."""
    rng = np.random.default_rng(3)
    weights = rng.random((VERTICES, 24)) ** 8
    regressor = np.zeros((24, VERTICES))
    for joint in range(24):
        regressor[joint, rng.choice(VERTICES, 12, replace=False)] = rng.dirichlet(np.ones(12))
    tree = np.stack([np.array(SMPL_PARENTS), np.arange(24)]).astype(np.int64)
    tree[0, 0] = 2**32 - 1
    return {
        "v_template": rng.normal(0, 0.4, (VERTICES, 3)),
        "shapedirs": rng.normal(0, 0.01, (VERTICES, 3, 300)),
        "posedirs": rng.normal(0, 0.005, (VERTICES, 3, 207)),
        "J_regressor": regressor,
        "weights": weights / weights.sum(1, keepdims=True),
        "kintree_table": tree,
        "f": rng.integers(0, VERTICES, (13776, 3)).astype(np.uint32),
    }


@pytest.fixture
def chumpy(monkeypatch: pytest.MonkeyPatch) -> type:
    """A stand-in for chumpy that pickles the way chumpy does, and is gone when the file is read."""
    for name in ("chumpy", "chumpy.ch", "chumpy.reordering"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    ch = type("Ch", (), {"__module__": "chumpy.ch"})
    select = type("Select", (ch,), {"__module__": "chumpy.reordering"})
    monkeypatch.setattr(sys.modules["chumpy.ch"], "Ch", ch, raising=False)
    monkeypatch.setattr(sys.modules["chumpy.reordering"], "Select", select, raising=False)
    return ch


def as_official_pickle(made: dict[str, np.ndarray], ch: type, path: Path) -> None:
    shapes = ch()
    shapes.x = made["shapedirs"]
    template = sys.modules["chumpy.reordering"].Select()
    template.a, template.idxs, template.preferred_shape = made["v_template"], np.arange(VERTICES * 3), (VERTICES, 3)
    fields = made | {
        "shapedirs": shapes,
        "v_template": template,
        "J_regressor": csc_matrix(made["J_regressor"]),
        "bs_type": "lrotmin",
    }
    path.write_bytes(pickle.dumps(fields, protocol=2))


def posed_by_smplx(
    path: Path, betas: np.ndarray, pose: np.ndarray, transl: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    smplx = pytest.importorskip("smplx")
    body = smplx.create(str(path), model_type="smpl", num_betas=10, batch_size=len(pose))
    with torch.no_grad():
        out = body(
            betas=torch.tensor(betas, dtype=torch.float32).expand(len(pose), 10),
            global_orient=torch.tensor(pose[:, :3], dtype=torch.float32),
            body_pose=torch.tensor(pose[:, 3:], dtype=torch.float32),
            transl=torch.tensor(transl, dtype=torch.float32),
        )
    return out.vertices.numpy(), out.joints[:, :24].numpy()


def assert_same_as_smplx(path: Path, model) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    betas, pose = rng.normal(0, 1, 10), rng.normal(0, 0.5, (3, 72))
    transl = rng.normal(0, 1, (3, 3))
    expected, joints = posed_by_smplx(path, betas, pose, transl)
    rotations = axis_angle_to_matrix(pose.reshape(3, 24, 3))
    vertices, found = model.pose(betas, rotations, transl)
    count = expected.shape[1]
    assert np.abs(vertices[:, :count].numpy() - expected).max() < 1e-5
    assert np.abs(found.numpy() - joints).max() < 1e-5
    some = rng.choice(count, 50)
    assert np.abs(model.pose(betas, rotations, transl, some)[0].numpy() - expected[:, some]).max() < 1e-5


def test_official_model_poses_as_smplx(made: dict[str, np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps(made))
    assert_same_as_smplx(path, load_body(path))


def test_official_pickle_reads_without_chumpy(made, chumpy, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    pickled, plain = tmp_path / "SMPL_NEUTRAL.pkl", tmp_path / "plain.npz"
    as_official_pickle(made, chumpy, pickled)
    for name in ("chumpy", "chumpy.ch", "chumpy.reordering"):
        monkeypatch.delitem(sys.modules, name)
    np.savez(plain, **made)
    one, two = load_smpl(pickled), load_smpl(plain)
    for field in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "faces"):
        assert np.array_equal(getattr(one, field), getattr(two, field)), field
    assert one.landmarks["nose"] == (332,)


def test_default_body_written_as_smpl_loads_in_smplx(tmp_path: Path) -> None:
    body = load_body()
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    write_smpl(body, path)
    assert_same_as_smplx(path, body)
    assert_same_as_smplx(path, load_smpl(path))
    write_smpl(body, tmp_path / "SMPL_NEUTRAL.npz")
    assert np.array_equal(load_smpl(tmp_path / "SMPL_NEUTRAL.npz").weights, body.weights[: body.faces.max() + 1])


class _Hostile:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self):  # type: ignore[no-untyped-def]
        return self.call


def test_hostile_pickles_are_refused_and_nothing_runs(tmp_path: Path) -> None:
    import os
    import subprocess

    trace = tmp_path / "trace"
    command = f"touch {trace}"
    attacks = [
        _Hostile(os.system, command),
        _Hostile(subprocess.check_call, ["touch", str(trace)]),
        _Hostile(eval, f"open({str(trace)!r}, 'w')"),
        _Hostile(getattr, "x", "upper"),
        _Hostile(open, str(trace), "w"),
    ]
    for attack in attacks:
        for protocol in (0, 2, 4):
            path = tmp_path / "SMPL_NEUTRAL.pkl"
            path.write_bytes(pickle.dumps({"v_template": attack}, protocol=protocol))
            with pytest.raises(BadFile, match="nothing was run"):
                load_smpl(path)
    # dotted names, which reach through an allowed module
    (tmp_path / "SMPL_X.pkl").write_bytes(b"\x80\x04\x8c\x05numpy\x8c\x0ff2py.os.systemxx\x93.")
    with pytest.raises(BadFile):
        load_smpl(tmp_path / "SMPL_X.pkl")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("weights", np.zeros((5, 24)), "weights"),
        ("v_template", np.full((VERTICES, 3), np.nan), "not finite"),
        ("J_regressor", None, "J_regressor"),
        ("f", np.full((9, 3), VERTICES), "out of range"),
        ("kintree_table", np.zeros((2, 24)), "parents"),
        ("shapedirs", np.zeros((VERTICES, 3, 4)), "10 or more"),
    ],
)
def test_broken_models_are_named(made, tmp_path: Path, field: str, value, message: str) -> None:  # type: ignore[no-untyped-def]
    changed = {name: array for name, array in made.items() if name != "posedirs"}
    if value is None:
        del changed[field]
    else:
        changed[field] = value
    np.savez(tmp_path / "SMPL.npz", **changed)
    with pytest.raises(BadFile, match=message):
        load_smpl(tmp_path / "SMPL.npz")


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps([1]), pickle.dumps({"a": 1})[:-3]])
def test_damaged_pickles_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "SMPL.pkl"
    path.write_bytes(content)
    with pytest.raises(BadFile):
        load_smpl(path)
    with pytest.raises(BadFile):
        load_smpl(tmp_path / "absent.pkl")
