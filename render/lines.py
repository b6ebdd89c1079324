"""What a back end tells the process that started it: JSON lines on stdout; and how it ends when it is told to."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
import time
from typing import Any

from render.blender.session import drop_tempdir

EXIT_INTERRUPTED = 130
BEAT = 0.5  # seconds between lines of progress
CREEP = 20.0  # seconds in which what takes an unknown time comes two thirds of its way
PATIENCE = 10.0  # seconds that an interrupted process may take to clean up
PARTS = 100  # of one of several things in the count of progress


class Interrupts:
    """SIGTERM and SIGINT end the process: at once while it only loads, which an exception in the middle of a library's
    start could crash, and like Ctrl-C once there is something to clean up. What does not end in time is ended.
    """

    def __init__(self) -> None:
        self.happened = self.gentle = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)

    def _hear(self, *_: Any) -> None:
        if self.happened:
            return
        self.happened = True
        if not self.gentle:
            os.write(2, b"error: interrupted\n")
            _leave()
        timer = threading.Timer(PATIENCE, _leave)
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    def heed(self) -> None:
        """Raise again what a library has swallowed: Blender does, where it calls Python itself."""
        if self.happened:
            raise KeyboardInterrupt


def _leave() -> None:
    drop_tempdir()
    os._exit(EXIT_INTERRUPTED)


class Lines:
    """The JSON lines of stdout, which is from now on closed to all others: what they print goes to stderr."""

    def __init__(self, interrupts: Interrupts) -> None:
        self.interrupts = interrupts
        sys.stdout.flush()
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def say(self, event: str, **values: Any) -> None:
        """Write one line. Nobody listening any more is taken as an interruption."""
        text = json.dumps({"event": event, **values}, ensure_ascii=False, allow_nan=False)
        with self._lock:
            try:
                self._out.write(text + "\n")
                self._out.flush()
            except (BrokenPipeError, ValueError):
                os.kill(os.getpid(), signal.SIGTERM)


class Progress:
    """Says how far the work is, twice a second, whether it moves or not: a reader that is gone is noticed so."""

    def __init__(self, lines: Lines, total: int) -> None:
        self.lines, self.total, self.text = lines, total, "loading"
        self._from, self._towards, self._since, self._said = 0.0, 0.0, 0.0, 0.0
        self._began, self._ends = time.monotonic(), math.inf
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def at(self, done: float, text: str, towards: float | None = None) -> None:
        """The state from now on; what takes an unknown time creeps ``towards`` what is done when it is over."""
        self._from, self._towards = done, done if towards is None else towards
        self._since, self.text = time.monotonic(), text

    def say(self) -> None:
        now = time.monotonic()
        crept = self._from + (self._towards - self._from) * (1 - math.exp((self._since - now) / CREEP))
        self._said = min(max(self._said, crept), self.total)  # it never goes back
        share = self._said / max(self.total, 1)
        if share > 0.03:  # what was promised holds, until it turns out to have been too little
            ends = now + (now - self._began) / share * (1 - share)
            self._ends = ends if self._ends < now else min(self._ends, ends)
        left = None if self._ends == math.inf else round(max(self._ends - now, 0.0), 1)
        self.lines.say("progress", done=int(self._said), total=self.total, left_s=left, text=self.text)

    def _beat(self) -> None:
        self.say()
        while not self._over.wait(BEAT):
            self.say()
        self.say()


class Steps:
    """The progress of one of several takes."""

    def __init__(self, progress: Progress, take: int, takes: int) -> None:
        self.progress, self.before, self.said = progress, take * PARTS, f"{take + 1} of {takes}"

    def at(self, part: float, text: str, towards: float | None = None) -> None:
        """``part`` of ``PARTS`` is done, and what now begins goes ``towards`` another."""
        end = None if towards is None else self.before + towards
        self.progress.at(self.before + part, f"{text} ({self.said})", end)
