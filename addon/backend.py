"""The back end: the user's own CareSynth, run as a process that speaks JSON lines. Standard library alone, no bpy."""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import CareSynthError

PROTOCOL = 1  # of the JSON lines
MODULE = "render.studio"
COMMANDS = ("synth-studio", "synth-render", "synth")  # console scripts that betray an installed CareSynth
PATIENCE = 5.0  # seconds from a polite end to a hard one
WORDS = 20  # lines of stderr that are kept
INTERRUPTED, SIGNALLED = 130, 128
WHERE = "Preferences > Add-ons > CareSynth"

Event = dict[str, Any]


def find_python(chosen: str) -> Path:
    """The Python that has CareSynth: the one chosen, else $CARESYNTH_PYTHON, else that beside a command on PATH.

    Raises:
        CareSynthError: there is none, or the chosen one is not a program.
    """
    named = chosen.strip() or os.environ.get("CARESYNTH_PYTHON", "").strip()
    if named:
        path = Path(named).expanduser()
        if path.is_dir():
            path = _python_in(path) or _python_in(path / "bin") or _python_in(path / "Scripts") or path
        if not path.is_file():
            raise CareSynthError(f"There is no Python at {path}: choose another in {WHERE}")
        if not os.access(path, os.X_OK):
            raise CareSynthError(f"{path} is not a program: choose the Python of your CareSynth in {WHERE}")
        return path
    for command in COMMANDS:
        found = shutil.which(command)
        python = found and (_python_in(Path(found).parent) or _python_in(Path(found).resolve().parent))
        if python:
            return python
    raise CareSynthError(f"CareSynth is not on this computer's PATH: choose its Python in {WHERE}")


def _python_in(folder: Path) -> Path | None:
    for name in ("python", "python3", "python.exe"):
        if (folder / name).is_file():
            return folder / name
    return None


def check_protocol(event: Event) -> None:
    """Refuse a back end that speaks another version of the JSON lines.

    Raises:
        CareSynthError: says which of the two is to be updated.
    """
    found = event.get("protocol")
    if found == PROTOCOL:
        return
    newer = isinstance(found, int) and found > PROTOCOL
    advice = "update this extension" if newer else "update CareSynth in that environment"
    raise CareSynthError(
        f"CareSynth {event.get('version', '?')} speaks version {found} of the protocol, "
        f"this extension version {PROTOCOL}: {advice}"
    )


class Process:
    """One running command of the back end. Two threads read what it writes; nothing here ever blocks the caller.

    Args:
        python: from `find_python`.
        arguments: of ``python -m render.studio``.
        folder: the process's working folder; one that holds no Python modules.

    Raises:
        CareSynthError: the program cannot be started.
    """

    def __init__(self, python: Path, arguments: Sequence[str], folder: Path) -> None:
        self.python, self.arguments = python, tuple(arguments)
        self.code: int | None = None
        self.cancelled = False
        self.understood = 0  # JSON lines so far
        self._asked = 0.0
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._words: deque[str] = deque(maxlen=WORDS)
        command = [str(python), "-m", MODULE, *self.arguments]
        guard = [str(python), "-I", str(Path(__file__).with_name("guard.py"))]
        extra: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {
            "creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
            | getattr(subprocess, "CREATE_NO_WINDOW", 0)
        }  # fmt: skip
        try:
            self._process = subprocess.Popen(
                [*guard, *command], cwd=folder, env=_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, encoding="utf-8", errors="replace", **extra,
            )  # fmt: skip
        except OSError as error:
            raise CareSynthError(f"{python} does not start ({error.strerror}): choose another in {WHERE}") from None
        self._readers = [
            threading.Thread(target=target, name="CareSynth reader", daemon=True)
            for target in (self._read_events, self._read_words)
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """Of the leader of the process group."""
        return self._process.pid

    def _read_events(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                self._words.append(line.strip())
                continue
            if isinstance(event, dict) and isinstance(event.get("event"), str):
                self.understood += 1
                self._queue.put(event)
        self._process.stdout.close()

    def _read_words(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if line.strip():
                self._words.append(line.strip())
        self._process.stderr.close()

    def events(self, most: int = 100) -> list[Event]:
        """What came since the last call; also ends a cancelled process that does not go by itself."""
        if self.cancelled and self.code is None and time.monotonic() - self._asked > PATIENCE:
            self._signal("SIGKILL")
        over = self._process.poll()
        found: list[Event] = []
        while len(found) < most:
            try:
                found.append(self._queue.get_nowait())
            except queue.Empty:
                break
        # The code counts once everything that was written has been handed out.
        read = len(found) < most and not any(reader.is_alive() for reader in self._readers) and self._queue.empty()
        if over is not None and read:
            self.code = over
            if self.cancelled:
                self._signal("SIGKILL")  # whoever of the group did not listen
            self._close()
        return found

    def cancel(self) -> None:
        """Ask the whole process group to end; ``events`` insists after some seconds."""
        if not self.cancelled and self.code is None:
            self.cancelled, self._asked = True, time.monotonic()
            self._signal("SIGTERM")

    def kill(self) -> None:
        """End the whole process group and wait for it: for a Blender that closes."""
        self.cancelled = True
        self._signal("SIGTERM")
        try:
            self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            self._signal("SIGKILL")
            self._process.wait()
        self._signal("SIGKILL")  # whoever of the group did not listen
        self.code = self._process.returncode
        self._close()

    def _close(self) -> None:
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()

    def _signal(self, name: str) -> None:
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):  # gone by itself
                os.killpg(self._process.pid, getattr(signal, name))
        elif self._process.poll() is None:
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(self._process.pid)], check=False, capture_output=True)

    def details(self) -> str:
        """The last lines of stderr, for a report of a bug."""
        return "\n".join(self._words)

    def trouble(self) -> str:
        """Why the process failed, as one sentence (its JSON lines said nothing better)."""
        words = list(self._words)
        if any(
            f"No module named '{MODULE.split('.')[0]}" in line or f"No module named {MODULE}" in line for line in words
        ):
            return f"{self.python} has no CareSynth: choose the Python of the environment that has it in {WHERE}"
        for line in reversed(words):
            if line.startswith("error: "):
                return line.removeprefix("error: ")
        if not self.understood:
            last = f" ({words[-1][:160]})" if words else ""
            return f"{self.python} did not answer as CareSynth does{last}: choose another Python in {WHERE}"
        last = f": {words[-1][:200]}" if words else ""
        code = self.code or 0
        how = (
            f"signal {code - SIGNALLED}"
            if SIGNALLED < code < SIGNALLED + 65 and code != INTERRUPTED
            else f"status {code}"
        )
        return f"CareSynth stopped in the middle ({how}){last}"


def _environment() -> dict[str, str]:
    """The user's environment, without what would point another Python at Blender's modules."""
    values = {
        key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP")
    }
    return values | {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
