"""Weights out of a file nobody vouches for: a torch checkpoint (as PyTorch Lightning writes it) or safetensors.

A torch checkpoint is a zip file of raw numbers and one pickle, `data.pkl`, that says which numbers make which tensor,
mixed with whatever the training script pickled along. Nothing that the pickle names is ever imported or called: tensors
are built here, every other class or function becomes an inert `Foreign`. A tensor is read when it is asked for, so
optimiser states and other weights in the same file cost nothing.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from synth.errors import BadFile

PICKLE_LIMIT = 1 << 26  # bytes; thousands of tensors take one million
TENSOR_LIMIT = 1 << 30  # numbers in one tensor

_STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")


@dataclass(frozen=True)
class Stored:
    """A tensor that is still in its file.

    Attributes:
        shape: of the tensor.
        dtype: torch's type of its numbers.
        read: reads it. Raises BadFile.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], Tensor]


class Foreign(dict[Any, Any]):
    """Stands for an object of a class that is not run. Takes whatever a pickle does to it and does nothing."""

    origin = "?"  # the name in the pickle, for messages
    __hash__ = object.__hash__  # type: ignore[assignment]  # as objects: a pickle may use one as a key

    def __new__(cls, *_: Any, **__: Any) -> Foreign:
        return dict.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __call__(self, *_: Any, **__: Any) -> Foreign:
        return self

    def __eq__(self, other: object) -> bool:
        return self is other

    def __setstate__(self, state: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        """For pickles of lists."""

    def extend(self, items: Any) -> None:
        """For pickles of lists."""

    def add(self, item: Any) -> None:
        """For pickles of sets."""


@dataclass(frozen=True)
class _Storage:
    """A run of numbers in the zip file."""

    member: str
    dtype: torch.dtype
    count: int


@dataclass(frozen=True)
class _View:
    """A tensor as the pickle describes it; `_stored` checks it."""

    storage: Any
    offset: Any
    shape: Any
    stride: Any


class _Unpickler(pickle.Unpickler):
    """Unpickles plain values and descriptions of tensors; anything else becomes `Foreign`."""

    def find_class(self, module: str, name: str) -> Any:
        # functions made anew each time: a pickle may set attributes of what it gets
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return lambda storage, offset, shape, stride, *_: _View(storage, offset, shape, stride)
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda data, *_: data
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if module == "collections" and name == "OrderedDict":
            return OrderedDict
        return type("Foreign", (Foreign,), {"origin": f"{module}.{name}"})

    def persistent_load(self, pid: Any) -> Any:
        """("storage", type, member's name, device, count of numbers), as torch.save writes it."""
        if not isinstance(pid, tuple) or len(pid) != 5 or pid[0] != "storage":
            raise pickle.UnpicklingError("a reference that is not to a torch storage")
        _, dtype, member, _, count = pid
        if not isinstance(dtype, torch.dtype):
            return Foreign()
        if not isinstance(member, str) or not _is_count(count):
            raise pickle.UnpicklingError("a torch storage without a name and a count")
        return _Storage(member, dtype, count)


@contextmanager
def stored_tensors(path: str | PathLike[str]) -> Iterator[dict[str, Stored]]:
    """The tensors of a model's file, to be read inside the `with` block.

    Args:
        path: `.safetensors`, or a torch checkpoint whose dictionary has a `state_dict`.

    Raises:
        BadFile: unreadable, damaged or something else; names an entry that is no tensor. Nothing of the file is run.
    """
    if Path(path).suffix.lower() == ".safetensors":
        yield _from_safetensors(path)
        return
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise BadFile(path, "file", error.strerror or str(error), "a readable checkpoint") from None
    except Exception as error:  # damaged zip files raise several unrelated types
        raise BadFile(path, "file", f"{type(error).__name__}: {error}", "a torch checkpoint, undamaged") from None
    with archive:
        yield _from_checkpoint(path, archive)


def _from_safetensors(path: str | PathLike[str]) -> dict[str, Stored]:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise BadFile(path, "file", str(error), "a safetensors file, undamaged") from None
    return {name: _at_hand(tensor) for name, tensor in tensors.items()}


def _at_hand(tensor: Tensor) -> Stored:
    return Stored(tuple(tensor.shape), tensor.dtype, lambda: tensor)


def _from_checkpoint(path: str | PathLike[str], archive: zipfile.ZipFile) -> dict[str, Stored]:
    roots = [name.removesuffix("data.pkl") for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise BadFile(path, "data.pkl", f"{len(roots)} of them in the zip file", "one: a torch checkpoint")
    content = _unpickle(path, archive, roots[0] + "data.pkl")
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict) or isinstance(state, Foreign):
        raise BadFile(path, "state_dict", _kind(state), "a dictionary of tensors")
    if not all(isinstance(name, str) for name in state):
        raise BadFile(path, "state_dict", "a key that is no text", "tensors by name")
    return {name: _stored(path, archive, roots[0], name, value) for name, value in state.items()}


def _unpickle(path: str | PathLike[str], archive: zipfile.ZipFile, member: str) -> Any:
    size = archive.getinfo(member).file_size
    if size > PICKLE_LIMIT:
        raise BadFile(path, member, f"{size} bytes", f"at most {PICKLE_LIMIT} bytes")
    try:
        with archive.open(member) as file:
            raw = file.read(PICKLE_LIMIT)
        _check_memo(raw)
        return _Unpickler(io.BytesIO(raw), encoding="utf-8").load()
    except Exception as error:  # damaged pickles and zip files raise nearly anything
        found = f"{type(error).__name__}: {error}"
        raise BadFile(path, member, found, "an undamaged pickle of torch; nothing was run") from None


def _check_memo(raw: bytes) -> None:
    """Refuse numbers of remembered objects that no honest file reaches: `pickle` makes room for all below them."""
    for operation, argument, _ in pickletools.genops(raw):
        if operation.name in _PUTS and (not isinstance(argument, int) or argument > len(raw)):
            raise pickle.UnpicklingError(f"object number {argument} in a pickle of {len(raw)} bytes")


def _stored(path: str | PathLike[str], archive: zipfile.ZipFile, root: str, name: str, view: Any) -> Stored:
    expected = "a dense tensor"
    if not isinstance(view, _View) or not isinstance(view.storage, _Storage):
        raise BadFile(path, name, _kind(view), expected + "; nothing was run")
    sizes = (view.shape, view.stride)
    if not all(isinstance(some, tuple) and all(map(_is_count, some)) for some in sizes) or not _is_count(view.offset):
        raise BadFile(path, name, "a shape, strides or an offset that are not whole numbers", expected)
    if len(view.shape) != len(view.stride) or len(view.shape) > 8 or math.prod(view.shape) > TENSOR_LIMIT:
        raise BadFile(path, name, f"shape {view.shape}, strides {view.stride}", f"at most {TENSOR_LIMIT} numbers")
    last = view.offset + sum((n - 1) * step for n, step in zip(view.shape, view.stride, strict=True))
    if math.prod(view.shape) and last >= view.storage.count:
        raise BadFile(path, name, f"number {last} of {view.storage.count}", "a tensor inside its storage")
    return Stored(view.shape, view.storage.dtype, lambda: _read(path, archive, root, name, view))


def _read(path: str | PathLike[str], archive: zipfile.ZipFile, root: str, name: str, view: _View) -> Tensor:
    member, size = f"{root}data/{view.storage.member}", view.storage.count * view.storage.dtype.itemsize
    try:
        about = archive.getinfo(member)
        # torch compresses nothing, so a small file that claims to hold much is not its work
        if about.compress_type != zipfile.ZIP_STORED or not about.file_size == about.compress_size == size:
            raise ValueError(f"{about.file_size} bytes in {member} for {size}")
        raw = bytearray(archive.read(about))
        if len(raw) != size:
            raise ValueError(f"{len(raw)} bytes in {member} for {size}")
    except Exception as error:  # damaged zip files raise several unrelated types
        raise BadFile(path, name, f"{type(error).__name__}: {error}", "undamaged numbers") from None
    if not size:
        return torch.empty(view.shape, dtype=view.storage.dtype)
    flat = torch.frombuffer(raw, dtype=view.storage.dtype)
    return flat.as_strided(view.shape, view.stride, view.offset).contiguous()


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 48


def _kind(value: Any) -> str:
    """What stands in the place of a value, never its own words: those may be endless."""
    return f"an object of {value.origin}" if isinstance(value, Foreign) else type(value).__name__


def fill(
    path: str | PathLike[str], tensors: Mapping[str, Stored], wanted: Mapping[str, tuple[int, ...]]
) -> dict[str, Tensor]:
    """Read exactly the tensors that a network wants, as float32.

    Args:
        path: the file, for messages. tensors: what it holds. wanted: shapes by key.

    Raises:
        BadFile: names the first key that is missing, unknown, of another shape, not finite or of whole numbers.
    """
    for name in sorted(wanted.keys() | tensors.keys()):
        expected = f"shape {wanted[name]}" if name in wanted else "no such tensor in this network"
        if name not in tensors or name not in wanted or tensors[name].shape != wanted[name]:
            found = f"shape {tensors[name].shape}" if name in tensors else "nothing"
            raise BadFile(path, name, found, expected)
        if not tensors[name].dtype.is_floating_point:
            raise BadFile(path, name, str(tensors[name].dtype), "floating point numbers")
    read = {}
    for name in wanted:
        read[name] = tensors[name].read().float()
        if not torch.isfinite(read[name]).all():
            raise BadFile(path, name, "values that are not finite", "finite numbers")
    return read
