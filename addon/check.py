"""What the back end says of itself, asked once a session for each Python."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import jobs, rooms
from .backend import Event, check_protocol
from .errors import CareSynthError


@dataclass(frozen=True)
class Found:
    """The answer of ``check``; ``python``: as chosen in the preferences."""

    python: str
    answer: Event

    def lines(self) -> list[tuple[str, str]]:
        """Texts and icons for the preferences."""
        a = self.answer
        blender = f"bpy {a['bpy']}" if a.get("bpy") else "no bpy"
        lines = [
            (f"CareSynth {a.get('version')}, Python {a.get('python')}, {blender}", "CHECKMARK"),
            (f"Computes on {a.get('device') or 'the processor'}", "SYSTEM"),
            (f"Model: {Path(str(a['model'])).name}" if a.get("model") else "No trained model", "GHOST_ENABLED"),
        ]
        return lines + [(str(text), "ERROR") for text in a.get("missing") or []]


_found: Found | None = None


def found() -> Found | None:
    """The last answer, if the chosen Python is still the same."""
    return _found


def forget() -> None:
    global _found
    _found = None


def steps(python: str, again: bool = False) -> list[jobs.Step]:
    """The commands to run before any other: none, if this Python has been asked."""
    if _found is not None and _found.python == python and not again:
        return []
    answers: list[Event] = []

    def take(event: Event) -> None:
        global _found
        if event["event"] == "check":
            check_protocol(event)
            answers.append(event)
            _found = Found(python, event)

    return [jobs.Step(("check",), take), jobs.Step(("rooms",), _learn(answers))]


def _learn(answers: list[Event]) -> Callable[[Event], None]:
    def take(event: Event) -> None:
        if not answers:
            raise CareSynthError("CareSynth did not say which version it is: update it")
        if event["event"] == "rooms":
            rooms.learn(event.get("rooms") or [])

    return take
