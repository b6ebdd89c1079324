"""What a corpus is made from: a small YAML file, checked key by key before anything is made."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from synth.corpus.sources import FACTORIES, options_of
from synth.errors import BadFile, BadOption
from synth.room import nearest
from synth.settings import read_yaml

FOLDER = Path(__file__).parent / "configs"
_RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**63 - 1), "fps": (1, 240), "min_seconds": (0, 600), "val": (0, 0.9), "test": (0, 0.9),
    "shard_megabytes": (0.01, 2000), "limit": (1, 10**9), "seeds": (1, 10**6),
}  # fmt: skip


@dataclass(frozen=True)
class SourceConfig:
    """One source: see `configs/small.yaml` for what the keys mean."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    limit: int | None = None
    seeds: int = 1
    seed: int | None = None
    optional: bool = False


@dataclass(frozen=True)
class Config:
    """A corpus: see `configs/small.yaml` for what the keys mean."""

    name: str = "caresynth"
    seed: int = 0
    fps: float = 20.0
    mirror: bool = False
    include_noncommercial: bool = False
    min_seconds: float = 1.0
    val: float = 0.05
    test: float = 0.05
    shard_megabytes: float = 64.0
    sources: tuple[SourceConfig, ...] = ()

    def to_json(self) -> dict[str, Any]:
        value = asdict(self)
        value["sources"] = list(value["sources"])
        return value


_KINDS: dict[str, tuple[type, ...]] = {
    "name": (str,), "options": (dict,), "limit": (int,), "seeds": (int,), "seed": (int,), "optional": (bool,),
    "fps": (int, float), "mirror": (bool,), "include_noncommercial": (bool,), "min_seconds": (int, float),
    "val": (int, float), "test": (int, float), "shard_megabytes": (int, float), "sources": (list,),
}  # fmt: skip
_WORDS = {str: "some text", dict: "a mapping", int: "a whole number", float: "a number", bool: "true or false",
          list: "a list"}  # fmt: skip


def read_config(name_or_path: str | Path, extra: Iterable[str] = ()) -> Config:
    """Read a configuration: a file, or the name of a packaged one.

    Args:
        extra: SOURCE.OPTION=VALUE texts that add to the options of the sources or replace them.

    Raises:
        BadFile: names the field, what stands there and what is expected; for an unknown key the nearest one.
        BadOption: there is no such file or name, or an extra is wrong.
    """
    path = Path(name_or_path)
    packaged = sorted(item.stem for item in FOLDER.glob("*.yaml"))
    if not path.is_file() and str(name_or_path) in packaged:
        path = FOLDER / f"{name_or_path}.yaml"
    elif not path.is_file():
        raise BadOption("CONFIG", str(name_or_path), f"a file, or one of {', '.join(packaged)}")
    value = read_yaml(path)
    if isinstance(value, dict) and isinstance(value.get("sources"), list):
        _add(extra, value["sources"])
    return config_from(value, path)


def config_from(value: Any, where: str | Path) -> Config:
    """A configuration from its plain values, checked."""
    known = _checked(value, Config, where, "")
    if not known.get("sources"):
        raise BadFile(where, "sources", value.get("sources"), "a list of at least one source")
    sources = tuple(_source(item, where, f"sources[{at}]") for at, item in enumerate(known["sources"]))
    names = [source.name for source in sources]
    for at, name in enumerate(names):
        if name in names[:at]:
            raise BadFile(where, f"sources[{at}].name", f"{name} twice", "each source once")
    for name in ("fps", "min_seconds", "val", "test", "shard_megabytes"):
        if name in known:
            known[name] = float(known[name])
    config = Config(**{**known, "sources": sources})
    if config.val + config.test > 0.9:
        raise BadFile(where, "val, test", config.val + config.test, "at most 0.9 together")
    return config


def _source(value: Any, where: str | Path, at: str) -> SourceConfig:
    if isinstance(value, str):  # a name alone is a source with nothing else to say
        value = {"name": value}
    known = _checked(value, SourceConfig, where, f"{at}.")
    name = known.get("name")
    if name not in FACTORIES:
        raise BadFile(where, f"{at}.name", name, nearest(str(name), sorted(FACTORIES)))
    takes = options_of(str(name))
    for key in known.get("options", {}):
        if key not in takes:
            raise BadFile(where, f"{at}.options.{key}", key, nearest(str(key), takes))
        _typed(known["options"][key], str(takes[key].annotation), where, f"{at}.options.{key}")
    return SourceConfig(**known)


def missing_options(source: SourceConfig) -> list[str]:
    """The options that a source cannot do without and was not given."""
    return [
        name
        for name, parameter in options_of(source.name).items()
        if parameter.default is inspect.Parameter.empty and name not in source.options
    ]


def _checked(value: Any, kind: type, where: str | Path, at: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise BadFile(where, at.rstrip(".") or "file", value, "a mapping of settings")
    names = [item.name for item in fields(kind)]
    found: Any
    for key, found in value.items():
        if key not in names:
            raise BadFile(where, f"{at}{key}", f"the unknown key {key}", nearest(str(key), names))
        kinds: Any = _KINDS[key]
        if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
            raise BadFile(where, f"{at}{key}", found, _WORDS[kinds[-1]])
        if key in _RANGES:
            low, high = _RANGES[key]
            if not low <= found <= high:
                raise BadFile(where, f"{at}{key}", found, f"a number from {low:g} to {high:g}")
    return dict(value)


def _typed(value: Any, annotation: str, where: str | Path, at: str) -> None:
    """Options are checked by the factory's annotations as far as those are plain."""
    plain = {"str": str, "int": int, "float": (int, float), "bool": bool}
    wanted = [part.strip() for part in annotation.split("|")]
    if not all(part in plain or part == "None" for part in wanted):
        return
    for part in wanted:
        if part == "None" and value is None:
            return
        if part in plain and isinstance(value, plain[part]) and (part == "bool") == isinstance(value, bool):  # type: ignore[arg-type]
            return
    raise BadFile(where, at, value, " or ".join(wanted))


def _plain(value: str, text: str) -> Any:
    """The value of an extra option, read as in a configuration."""
    try:
        return yaml.safe_load(value) if value else ""
    except Exception:  # PyYAML's constructors raise what their parts raise
        raise BadOption("--option", text, "SOURCE.OPTION=VALUE with a plain VALUE, in quotes if need be") from None


def _add(extra: Iterable[str], sources: list[Any]) -> None:
    for text in extra:
        name, equals, value = text.partition("=")
        source, dot, option = name.partition(".")
        if not (equals and dot and source and option):
            raise BadOption("--option", text, "SOURCE.OPTION=VALUE")
        for at, item in enumerate(sources):
            if isinstance(item, str):
                item = sources[at] = {"name": item}
            if isinstance(item, dict) and item.get("name") == source:
                given = item.setdefault("options", {})
                if isinstance(given, dict):
                    given[option] = _plain(value, text)
                break
        else:
            names = [str(item.get("name")) for item in sources if isinstance(item, dict)]
            raise BadOption("--option", text, f"one of the configuration's sources: {', '.join(names)}")
