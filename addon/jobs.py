"""One job of the back end at a time: its steps, how far it is, and the persistent timer that looks after it.

Without a window (`bpy.app.background`) no timer ever fires: a job then runs to its end at once.
"""

import atexit
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from .backend import Event, Process, find_python
from .errors import CareSynthError

INTERVAL = 0.1  # seconds between two looks; each takes well under a millisecond
RUNNING, CANCELLING, DONE, FAILED, CANCELLED = "RUNNING", "CANCELLING", "DONE", "FAILED", "CANCELLED"
OVER = (DONE, FAILED, CANCELLED)


@dataclass
class Step:
    """One command of the back end.

    Attributes:
        arguments: of the back end; on_event: called for each line, may raise `CareSynthError` to end the job.
    """

    arguments: Sequence[str]
    on_event: Callable[[Event], None] = lambda event: None


@dataclass
class Job:
    """What the user started.

    Attributes:
        kind: "check", "generate", "render" or "room"; title: for the user.
        python: as chosen in the preferences, may be empty.
        opened: which file it was started from. folder: where the processes work. steps: commands, one after the other.
        on_end: called once, when the job is over in whatever way.
    """

    kind: str
    title: str
    python: str
    folder: Path
    steps: list[Step]
    on_end: Callable[["Job"], None] = lambda job: None
    state: str = RUNNING
    done: float = 0.0
    total: float = 0.0
    text: str = ""
    left_s: float | None = None
    warnings: list[str] = field(default_factory=list)
    error: str = ""
    details: str = ""
    results: list[Event] = field(default_factory=list)
    process: Process | None = None
    opened: int = field(default_factory=lambda: opened())
    _next: int = 0
    _heard: float = 0.0

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        return min(max(self.done / self.total, 0.0), 1.0) if self.total > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds left, counted down between the back end's lines."""
        return None if self.left_s is None else max(self.left_s - (time.monotonic() - self._heard), 0.0)

    def begin(self) -> None:
        """Start the next command.

        Raises:
            CareSynthError: there is no back end.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        step = self.steps[self._next]
        self.process = Process(find_python(self.python), step.arguments, self.folder)
        self._next += 1

    def look(self) -> None:
        """Take in what the process said since the last look, and go on to the next step when it has ended well."""
        process = self.process
        if process is None or self.state in OVER:
            return
        step = self.steps[self._next - 1]
        try:
            for event in process.events():
                self._hear(event)
                step.on_event(event)
        except Exception as error:  # whatever it is, the process does not go on without anybody to look after it
            self.error = str(error) if isinstance(error, CareSynthError) else f"{type(error).__name__}: {error}"
            if not isinstance(error, (CareSynthError, OSError)):
                traceback.print_exc()
            process.kill()
        if process.code is None:
            return
        self.details = process.details()
        if self.error and self.state != CANCELLING:
            self._finish(FAILED)
        elif process.cancelled:
            self._finish(CANCELLED)
        elif process.code != 0 or not process.understood:
            self.error = process.trouble()
            self._finish(FAILED)
        elif self._next < len(self.steps):
            try:
                self.begin()
            except CareSynthError as error:
                self.error = str(error)
                self._finish(FAILED)
        else:
            self._finish(DONE)

    def _hear(self, event: Event) -> None:
        kind = event["event"]
        self._heard = time.monotonic()
        if kind == "progress":
            self.done, self.total = _number(event.get("done")), _number(event.get("total"))
            self.left_s = _number(event["left_s"]) if event.get("left_s") is not None else None
            self.text = str(event.get("text") or "")
        elif kind == "warning":
            self.warnings.append(str(event.get("text")))
        elif kind == "result":
            self.results.append(event)
        elif kind == "error":
            self.error = str(event.get("text"))

    def _finish(self, state: str) -> None:
        self.state = state
        if state == CANCELLED:
            self.error = ""
        try:
            self.on_end(self)
        except Exception as error:  # the timer goes on, the user hears of it
            traceback.print_exc()
            self.warnings.append(f"{type(error).__name__}: {error}")

    def cancel(self) -> None:
        """Ask the process to end."""
        if self.state == RUNNING:
            self.state = CANCELLING
            if self.process is not None:
                self.process.cancel()


_current: Job | None = None
_shown: tuple | None = None  # what the panel last said of it
_opened = 0  # how often a file was opened


def opened() -> int:
    """Counts the files that were opened: a job that began before is of another one."""
    return _opened


@persistent
def _count(*_: object) -> None:
    global _opened
    _opened += 1


def current() -> Job | None:
    """The job that runs, or the last one that did."""
    return _current


def busy() -> bool:
    """Whether a job runs."""
    return _current is not None and _current.state not in OVER


def start(job: Job) -> None:
    """Run a job.

    Raises:
        CareSynthError: another one runs, or there is no back end.
    """
    global _current
    if busy():
        raise CareSynthError("CareSynth is still at work: wait for it, or cancel it")
    job.begin()
    _current = job
    if bpy.app.background:
        while busy():
            job.look()
            time.sleep(0.01)
    elif not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=INTERVAL, persistent=True)


def forget() -> None:
    """Drop the report of a job that is over."""
    global _current
    if not busy():
        _current = None


def stop() -> None:
    """End whatever runs, at once: Blender closes or the extension is switched off."""
    global _current
    job, _current = _current, None
    if job is not None and job.process is not None and job.process.code is None:
        job.process.kill()
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)


def _tick() -> float | None:
    global _shown
    job = _current
    if job is None:
        return None
    job.look()
    shown = (job.state, job.done, job.total, job.text, None if job.left is None else round(job.left))
    if shown != _shown:  # drawing is what costs: only when something changed
        _shown = shown
        redraw()
    return INTERVAL if job.state not in OVER else None


def redraw() -> None:
    """Draw the panels again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
            elif area.type == "PREFERENCES":
                area.tag_redraw()


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def register() -> None:
    atexit.register(stop)
    bpy.app.handlers.load_post.append(_count)


def unregister() -> None:
    stop()
    bpy.app.handlers.load_post.remove(_count)
    atexit.unregister(stop)
