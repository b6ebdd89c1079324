"""Errors a user can act on. The command lines turn each into one line on stderr and exit status 2."""

from __future__ import annotations

from os import PathLike
from typing import Any

SHOWN = 160  # characters of a found value that a message repeats


class CareSynthError(Exception):
    """Base of every error that is the input's fault, not the program's."""


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


class BadFile(CareSynthError):
    """A file is damaged, foreign or breaks its format.

    Args:
        path: the file as the user named it.
        field: the part of it that is wrong (a key, a line, an array), or "file" for the whole.
        found: what stands there.
        expected: what the format asks for.
    """

    def __init__(self, path: str | PathLike[str], field: str, found: Any, expected: str) -> None:
        self.path, self.field, self.found, self.expected = path, field, found, expected
        super().__init__(f"{path}: {field}: found {_shown(found)}; expected {expected}")


class BadOption(CareSynthError):
    """An option or argument has a value that cannot be used."""

    def __init__(self, option: str, found: Any, expected: str) -> None:
        self.option, self.found, self.expected = option, found, expected
        super().__init__(f"{option}: found {_shown(found)}; expected {expected}")


class Missing(CareSynthError):
    """Something that has to be installed or supplied is not there."""

    def __init__(self, what: str, how_to_get: str) -> None:
        self.what, self.how_to_get = what, how_to_get
        super().__init__(f"{what} is missing; {how_to_get}")
