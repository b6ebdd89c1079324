"""Settings in small YAML files: read safely, checked key by key against a dataclass.

A field's annotation says what may stand there (str, int, float, bool, a tuple of these, another such dataclass, None
where the annotation allows it); its metadata may narrow it with `range=(low, high)` or `among=(...)`.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from synth.errors import BadFile
from synth.room import nearest

LARGEST = 1 << 20  # bytes of a file of settings
_WORDS = {str: "some text", int: "a whole number", float: "a number", bool: "true or false"}
T = TypeVar("T")


def read_yaml(path: Path) -> Any:
    """The plain values of a YAML file, with the safe loader, without aliases and keys that stand twice.

    Raises:
        BadFile: it cannot be read, is too large or is not such YAML.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise BadFile(path, "file", f"{path.stat().st_size} bytes", f"at most {LARGEST} bytes")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadFile(path, "file", error.strerror or str(error), "a readable file") from None
    except UnicodeDecodeError as error:
        raise BadFile(path, "file", str(error), "text in UTF-8") from None
    try:
        # an alias in an alias in an alias is how a small file becomes a large one
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise BadFile(path, "file", "an alias (*name)", "values written out")
        _unique(yaml.compose(text, yaml.SafeLoader), path)
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadFile(path, "file", str(error), "YAML") from None
    except BadFile:
        raise
    except Exception as error:  # PyYAML's constructors raise what their parts raise: `!!bool x` is a KeyError
        raise BadFile(path, "file", f"{type(error).__name__}: {error}", "YAML of plain values") from None


def settings_from(kind: type[T], value: Any, where: str | Path, at: str = "") -> T:
    """An instance of the dataclass `kind` from plain values.

    Args:
        at: where in the file this is, with a dot at its end; "" for the whole file.

    Raises:
        BadFile: names the field, what stands there and what is expected; for an unknown key the nearest one.
    """
    if not isinstance(value, Mapping):
        raise BadFile(where, at.rstrip(".") or "file", value, "a mapping of settings")
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    found: dict[str, Any] = {}
    for key, given in value.items():
        if key not in known:
            raise BadFile(where, f"{at}{key}", f"the unknown key {key}", nearest(str(key), list(known)))
        found[key] = _value(hints[key], given, where, f"{at}{key}", known[key].metadata)
    for name, item in known.items():
        if name not in found and item.default is MISSING and item.default_factory is MISSING:
            raise BadFile(where, f"{at}{name}", "nothing", "a value")
    return kind(**found)


def _value(kind: Any, given: Any, where: str | Path, at: str, limits: Mapping[str, Any]) -> Any:
    if isinstance(kind, types.UnionType):
        if given is None and type(None) in typing.get_args(kind):
            return None
        (kind,) = (item for item in typing.get_args(kind) if item is not type(None))
    if is_dataclass(kind):
        return settings_from(kind, given, where, f"{at}.")  # type: ignore[arg-type]
    if typing.get_origin(kind) is tuple:
        if not isinstance(given, list):
            raise BadFile(where, at, given, "a list")
        inner = typing.get_args(kind)[0]
        return tuple(_value(inner, item, where, f"{at}[{index}]", limits) for index, item in enumerate(given))
    wanted = (int, float) if kind is float else (kind,)
    if not isinstance(given, wanted) or (isinstance(given, bool) and kind is not bool):
        raise BadFile(where, at, given, _WORDS[kind])
    if kind is float and not abs(given) <= sys.float_info.max:
        raise BadFile(where, at, given, _WORDS[kind])
    if "range" in limits and not limits["range"][0] <= given <= limits["range"][1]:
        low, high = limits["range"]
        raise BadFile(where, at, given, f"a number from {low:g} to {high:g}")
    if "among" in limits and given not in limits["among"]:
        raise BadFile(where, at, given, nearest(str(given), limits["among"]))
    return float(given) if kind is float else given


def _unique(node: Any, path: Path) -> None:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _unique(item, path)
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for key, item in node.value:
            line = f"line {key.start_mark.line + 1}"
            if not isinstance(key, yaml.ScalarNode):
                raise BadFile(path, line, f"a {key.id} as a key", "a word")
            if key.value in seen:
                raise BadFile(path, line, f"{key.value} twice", "each key once")
            seen.add(key.value)
            _unique(item, path)
