"""Official SMPL files (SMPL, Loper et al. 2015), pickle or npz, read without trusting them.

The 1.0.0 pickles hold chumpy and SciPy objects. Neither library is needed or run: their classes become inert stubs
whose arrays are taken out, and any other class a pickle names is refused before anything of it is executed.
"""

from __future__ import annotations

import pickle
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.body.model import BodyModel, Part
from synth.errors import BadFile
from synth.files import atomic_path, read_npz, write_npz
from synth.skeleton import JOINT, SMPL_PARENTS

SMPL_VERTICES = 6890
SMPL_LICENCE = "SMPL-Model licence (non-commercial research; https://smpl.is.tue.mpg.de)"
# vertex ids on SMPL's own topology, the same that `smplx` uses
SMPL_LANDMARKS = {"nose": (332,), "left_eye": (2800,), "right_eye": (6260,), "left_ear": (583,), "right_ear": (4071,)}
FILE_LIMIT = 1 << 30  # bytes; the official files have 40 to 250 million
ARRAY_LIMIT = 1 << 28  # numbers in one array

_NUMPY_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_FIELDS = ("v_template", "shapedirs", "J_regressor", "weights", "f", "kintree_table")


class _Stub:
    """Stands for an object of a library that is not run; keeps what the pickle says about it."""

    def __new__(cls, *_: Any, **__: Any) -> _Stub:
        return object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update({str(key): value for key, value in state.items()})


class _Chumpy(_Stub):
    pass


class _Select(_Chumpy):
    pass


class _Sparse(_Stub):
    pass


class _SparseRows(_Sparse):
    pass


def _reconstructor(kind: Any, base: Any, _: Any) -> Any:
    """copyreg's helper, for the stubs alone."""
    if not (isinstance(kind, type) and issubclass(kind, _Stub) and base is object):
        raise pickle.UnpicklingError(f"an object of {kind!r}")
    return kind()


def _reconstruct_array(kind: Any, shape: Any, dtype: Any) -> NDArray[Any]:
    """NumPy's helper; the array is filled by its state, so it needs no memory here."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError(f"an array of {kind!r}")
    return np.ndarray.__new__(np.ndarray, (0,), "b")


def _plain_dtype(dtype: Any) -> np.dtype[Any]:
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise pickle.UnpicklingError(f"numbers of type {dtype!r}")
    return dtype


def _scalar(dtype: Any, data: Any = b"") -> Any:
    """NumPy's helper for a single number."""
    kind, raw = _plain_dtype(dtype), data.encode("latin1") if isinstance(data, str) else bytes(data)
    if kind.itemsize == 0 or len(raw) != kind.itemsize:
        raise pickle.UnpicklingError(f"{len(raw)} bytes for a number of {kind.itemsize}")
    return np.frombuffer(raw, kind)[0]


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
    """NumPy's helper for arrays in pickles of protocol 5."""
    return np.frombuffer(data, _plain_dtype(dtype)).reshape(shape, order=order)


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("an unexpected use of codecs.encode")
    return text.encode("latin1")


class SafeUnpickler(pickle.Unpickler):
    """Unpickles plain values, NumPy arrays, and stubs for chumpy and scipy.sparse; refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        """Look a global up in the allow-list.

        Raises:
            pickle.UnpicklingError: it is not on the list.
        """
        if module in _NUMPY_MULTIARRAY and name == "_reconstruct":
            return _reconstruct_array
        if module in _NUMPY_MULTIARRAY and name == "scalar":
            return _scalar
        if module in ("numpy.core.numeric", "numpy._core.numeric") and name == "_frombuffer":
            return _from_buffer
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if module.startswith("chumpy.") and name.isidentifier():
            return _Select if name == "Select" else _Chumpy
        if module.startswith("scipy.sparse") and name in ("csc_matrix", "csr_matrix"):
            return _SparseRows if name == "csr_matrix" else _Sparse
        if module in ("copy_reg", "copyreg") and name == "_reconstructor":
            return _reconstructor
        if module in ("__builtin__", "builtins") and name == "object":
            return object
        if module == "_codecs" and name == "encode":
            return _encode
        raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}")


def load_smpl(path: str | PathLike[str]) -> BodyModel:
    """Read an official SMPL model; the first ten shape directions are used.

    Raises:
        BadFile: missing, damaged, hostile, or not a SMPL model.
    """
    fields = read_pickle(path) if Path(path).suffix.lower() == ".pkl" else dict(read_npz(path))
    for name in _FIELDS:
        if name not in fields:
            raise BadFile(path, name, "nothing", "a SMPL model's array of that name")
    template = _array(path, fields, "v_template", (None, 3))
    count = len(template)
    dirs = _array(path, fields, "shapedirs", (count, 3, None))
    if dirs.shape[2] < 10:
        raise BadFile(path, "shapedirs", dirs.shape, f"({count}, 3, 10 or more)")
    posedirs = _array(path, fields, "posedirs", (count, 3, 207)) if "posedirs" in fields else None
    regressor = _array(path, fields, "J_regressor", (24, count))
    weights = _array(path, fields, "weights", (count, 24))
    faces = _array(path, fields, "f", (None, 3)).astype(np.int64)
    if len(faces) == 0 or faces.min() < 0 or faces.max() >= count:
        raise BadFile(path, "f", "vertex numbers out of range", f"triangles over vertices 0 to {count - 1}")
    tree = _array(path, fields, "kintree_table", (2, 24))
    parents = tree[0].astype(np.int64)
    parents[0] = -1  # the files say 2^32 - 1
    if tuple(parents) != SMPL_PARENTS:
        raise BadFile(path, "kintree_table", parents.tolist(), f"SMPL's parents {list(SMPL_PARENTS)}")
    triangles = faces.astype(np.int32)
    landmarks = SMPL_LANDMARKS if count == SMPL_VERTICES else guess_landmarks(template, regressor)
    return BodyModel(
        name=Path(path).name,
        licence=SMPL_LICENCE,
        v_template=template.astype(np.float32),
        shapedirs=np.ascontiguousarray(dirs[:, :, :10], dtype=np.float32),
        posedirs=None if posedirs is None else np.ascontiguousarray(posedirs, dtype=np.float32),
        J_regressor=regressor.astype(np.float32),
        weights=np.ascontiguousarray(weights, dtype=np.float32),
        parents=np.array(SMPL_PARENTS, dtype=np.int32),
        faces=triangles,
        parts={"skin": Part("skin", "skin", triangles)},
        landmarks=landmarks,
    )


def write_smpl(model: BodyModel, path: str | PathLike[str]) -> None:
    """Write a body's skin as a SMPL file: a pickle of plain arrays for ``.pkl``, else an npz.

    ``smplx.create`` loads the pickle unchanged if its name starts with "SMPL".
    """
    count = int(model.faces.max()) + 1
    tree = np.stack([np.array(SMPL_PARENTS), np.arange(24)]).astype(np.int64)
    tree[0, 0] = 2**32 - 1
    posedirs = np.zeros((count, 3, 207), dtype=np.float32) if model.posedirs is None else model.posedirs[:count]
    arrays = {
        "v_template": model.v_template[:count],
        "shapedirs": model.shapedirs[:count],
        "posedirs": posedirs,
        "J_regressor": model.J_regressor[:, :count],
        "weights": model.weights[:count],
        "kintree_table": tree,
        "f": model.faces.astype(np.uint32),
    }
    if Path(path).suffix.lower() != ".pkl":
        write_npz(path, arrays)
        return
    with atomic_path(path) as temporary:
        temporary.write_bytes(pickle.dumps(arrays, protocol=2))


def guess_landmarks(template: NDArray[Any], regressor: NDArray[Any]) -> dict[str, tuple[int, ...]]:
    """Face points of a mesh that has not SMPL's topology, found by their place on the head."""
    head = regressor[JOINT["head"]] @ template
    above = template - head
    upper = np.flatnonzero(above[:, 1] > -0.02)
    tallest = max(float(above[upper, 1].max()), 1e-3)

    def nearest(x: float, y: float, z: float) -> tuple[int, ...]:
        aim = np.array([x, y, z]) * tallest
        return (int(upper[np.linalg.norm(above[upper] - aim, axis=1).argmin()]),)

    return {"nose": nearest(0, 0.35, 0.8), "left_eye": nearest(0.2, 0.55, 0.6), "right_eye": nearest(-0.2, 0.55, 0.6),
            "left_ear": nearest(0.5, 0.45, 0), "right_ear": nearest(-0.5, 0.45, 0)}  # fmt: skip


def read_pickle(path: str | PathLike[str], what: str = "SMPL") -> dict[str, Any]:
    """The dictionary that a user's pickle holds: plain values, NumPy arrays and inert stubs; nothing of it is run.

    Args:
        path: the file.
        what: the kind of file it should be, for the messages.

    Raises:
        BadFile: unreadable, damaged, asks for anything beyond that, or holds something else than a dictionary.
    """
    try:
        if Path(path).stat().st_size > FILE_LIMIT:
            raise BadFile(path, "file", f"{Path(path).stat().st_size} bytes", f"at most {FILE_LIMIT} bytes")
        with open(path, "rb") as handle:
            content = SafeUnpickler(handle, encoding="latin1").load()
    except BadFile:
        raise
    except OSError as error:
        raise BadFile(path, "file", error.strerror or str(error), f"a readable {what} file") from None
    except pickle.UnpicklingError as error:
        expected = f"a {what} pickle, which holds arrays only; nothing was run"
        raise BadFile(path, "file", str(error), expected) from None
    except (Exception, RecursionError, MemoryError) as error:  # damaged pickles raise nearly anything
        raise BadFile(path, "file", f"{type(error).__name__}: {error}", f"an undamaged {what} pickle") from None
    if not isinstance(content, dict):
        raise BadFile(path, "file", type(content).__name__, f"a {what} pickle, which holds one dictionary")
    return {str(key): value for key, value in content.items()}


def _plain(value: Any, depth: int = 0) -> NDArray[Any]:
    """Take the array out of a stub."""
    if depth > 8:
        raise ValueError("chumpy objects nested too deeply")
    if isinstance(value, _Select):
        inner = _plain(value.__dict__["a"], depth + 1)
        return inner.ravel()[np.asarray(value.__dict__["idxs"])].reshape(tuple(value.__dict__["preferred_shape"]))
    if isinstance(value, _Chumpy):
        return _plain(value.__dict__["x"], depth + 1)
    if isinstance(value, _Sparse):
        state = value.__dict__
        rows, columns = (int(n) for n in state["_shape" if "_shape" in state else "shape"])
        if not 0 < rows * columns <= ARRAY_LIMIT:
            raise ValueError(f"a sparse matrix of {rows} x {columns}")
        data, indices, starts = (np.asarray(state[key]) for key in ("data", "indices", "indptr"))
        major = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        dense = np.zeros((rows, columns))
        at = (major, indices) if isinstance(value, _SparseRows) else (indices, major)
        np.add.at(dense, at, data)
        return dense
    return np.asarray(value)


def _array(
    path: str | PathLike[str], fields: dict[str, Any], name: str, shape: tuple[int | None, ...]
) -> NDArray[np.float64]:
    wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
    try:
        value = _plain(fields[name])
        if value.dtype.kind not in "fiu":
            raise ValueError(f"values of type {value.dtype}")
        array = value.astype(np.float64)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise BadFile(path, name, f"{type(error).__name__}: {error}", f"numbers of shape {wanted}") from None
    matches = array.ndim == len(shape) and all(n is None or n == m for n, m in zip(shape, array.shape, strict=True))
    if not matches or (array.size and not np.isfinite(array).all()):
        found = array.shape if not matches else "values that are not finite"
        raise BadFile(path, name, found, f"finite numbers of shape {wanted}")
    return array
