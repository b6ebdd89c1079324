"""Run a job: make its takes in worker processes, go on after any stop, keep what is finished.

Each worker is a fresh process that makes a few takes and ends: Blender's memory grows over many scenes. The parent
never imports Blender. A worker ends by itself when its parent is gone.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any

from render.clip import is_done, new_clip
from render.plan import CAMERA_RANDOM, ClipPlan, JobSettings, plan_take, seed_of
from render.view import best_view
from synth.errors import CareSynthError

TAKES_A_WORKER = 6
ATTEMPTS = 2  # of a take whose worker died
TORCH_THREADS = 1  # more would change sums in the last bit, and with them the labels
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskFull(CareSynthError):
    """The disk the data set is on has no room left."""


class WorkerDied(CareSynthError):
    """A worker process ended without a word, again and again."""


@dataclass
class Tally:
    """What a run did.

    Attributes:
        made, kept: clips made now, and found finished.
        frames: rendered now. rejected: motions thrown away. warnings: clip id and text.
        failed: takes for which no motion came out fit to be shown, and why.
        worker_seconds: summed over workers, per finished clip.
    """

    made: int = 0
    kept: int = 0
    frames: int = 0
    rejected: int = 0
    warnings: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[int, str]] = field(default_factory=list)
    worker_seconds: float = 0.0


@dataclass(frozen=True)
class Job:
    """What a worker needs to know. Picklable.

    Attributes:
        device: "auto", "cpu" or "gpu": where Cycles renders; no part of what a data set is.
        threads: render threads of one worker, 0 for all.
    """

    settings: JobSettings
    folder: Path
    versions: dict[str, str]
    device: str = "auto"
    threads: int = 0


Report = Callable[[str, Tally], None]  # an event ("frame", "clip") and the state after it


def versions() -> dict[str, str]:
    """The versions that decide what a seed gives, without importing what is heavy."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("caresynth", "bpy", "numpy", "torch", "anny"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    if found["caresynth"] == "not installed":
        from synth import __version__

        found["caresynth"] = __version__
    return found


def todo(job: Job, room: Any) -> tuple[list[int], int]:
    """The takes that still lack a clip, and how many clips are finished."""
    takes, kept = [], 0
    for take in range(job.settings.takes):
        clips = {plan.id for plan in plan_take(job.settings, room, take)}
        done = [is_done(job.folder / "clips" / clip) for clip in clips]
        kept += sum(done)
        if not all(done):
            takes.append(take)
    return takes, kept


def run(job: Job, takes: Sequence[int], workers: int, tally: Tally, report: Report) -> None:
    """Make the takes in ``workers`` processes, each in batches of ``TAKES_A_WORKER``.

    Raises:
        CareSynthError: what a worker met (bad input, a full disk), or a worker that died twice at one take.
        KeyboardInterrupt: after the workers have been ended; finished clips stay whole.
    """
    waiting = deque(takes)
    deaths: dict[int, int] = {}
    crew: dict[Any, _Worker] = {}
    scratch = tempfile.TemporaryDirectory(prefix="caresynth-", ignore_cleanup_errors=True)
    try:
        while waiting or crew:
            while waiting and len(crew) < workers:
                share = min(TAKES_A_WORKER, -(-len(waiting) // (workers - len(crew))))
                worker = _Worker(job, [waiting.popleft() for _ in range(share)], Path(scratch.name))
                crew[worker.pipe] = worker
            for ready in connection.wait(list(crew)):
                worker = crew[ready]
                try:
                    message = worker.pipe.recv()
                except EOFError:
                    del crew[ready]
                    left = worker.close()
                    if left:
                        deaths[left[0]] = deaths.get(left[0], 0) + 1
                        if deaths[left[0]] >= ATTEMPTS:
                            raise WorkerDied(worker.obituary(left[0])) from None
                        waiting.extendleft(reversed(left))
                    continue
                worker.hear(message, tally, report)
    finally:
        for worker in crew.values():
            worker.kill()
        scratch.cleanup()


class _Worker:
    """The parent's end of one worker process."""

    def __init__(self, job: Job, takes: list[int], scratch: Path) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe(duplex=False)
        self.left = list(takes)
        folder = Path(tempfile.mkdtemp(dir=scratch))
        self.log = folder / "log"
        self.process = context.Process(target=_work, args=(job, takes, theirs, folder, self.log), daemon=True)
        self.process.start()
        theirs.close()

    def hear(self, message: tuple[Any, ...], tally: Tally, report: Report) -> None:
        kind, *rest = message
        if kind == "frame":
            tally.frames += 1
        elif kind == "clip":
            identifier, seconds, warning = rest
            tally.made += 1
            tally.worker_seconds += seconds
            if warning:
                tally.warnings.append((identifier, warning))
        elif kind == "take":
            self.left.remove(rest[0])
            tally.rejected += rest[1]
        elif kind == "failed":
            self.left.remove(rest[0])
            tally.failed.append((rest[0], rest[1]))
        elif kind == "error":
            raise rest[0]
        report(kind, tally)

    def close(self) -> list[int]:
        """Wait for the process to end; the takes it did not finish."""
        self.process.join()
        return self.left

    def obituary(self, take: int) -> str:
        code = self.process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
        said = self.log.read_text(encoding="utf-8", errors="replace").split("\n") if self.log.exists() else []
        last = next((line.strip() for line in reversed(said) if line.strip()), "nothing")
        return f"the rendering process ended {ATTEMPTS} times at take {take} with {how}; its last words: {last}"

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


def _work(job: Job, takes: list[int], pipe: Any, scratch: Path, log: Path) -> None:
    """A worker's life: make the takes, tell the parent, end without Blender's exit handlers (they can crash)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ["TMPDIR"] = str(scratch)  # Blender's own folder goes with the parent's, however this process ends
    code = 0
    try:
        _make_takes(job, takes, scratch, pipe.send)
    except CareSynthError as error:
        pipe.send(("error", _portable(error)))
    except OSError as error:
        if error.errno in _FULL:
            pipe.send(("error", DiskFull(f"{job.folder}: {os.strerror(error.errno)}; finished clips are kept")))
        else:
            traceback.print_exc()
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        pipe.close()
        os._exit(code)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _portable(error: CareSynthError) -> CareSynthError:
    """The error as one that pickles: subclasses have constructors of their own."""
    return CareSynthError(str(error))


def _make_takes(job: Job, takes: Sequence[int], scratch: Path, send: Callable[[tuple[Any, ...]], None]) -> None:
    import torch

    from render.film import Studio
    from synth.corpus.retrieve import NothingFits

    torch.set_num_threads(TORCH_THREADS)
    studio = Studio(job.settings, job.versions, scratch, job.device, job.threads)
    for take in takes:
        plans = plan_take(job.settings, studio.room, take)
        missing = [plan for plan in plans if not is_done(job.folder / "clips" / plan.id)]
        try:
            rejected = make_take(job, studio, missing, send) if missing else 0
        except NothingFits as error:  # one unlucky draw of bodies and places does not end a job of thousands
            send(("failed", take, str(error)))
        else:
            send(("take", take, rejected))


def make_take(job: Job, studio: Any, plans: Sequence[ClipPlan], send: Callable[[tuple[Any, ...]], None]) -> int:
    """Perform one take and film it with each of its cameras; how many motions were rejected on the way."""
    started = time.monotonic()
    take = plans[0].take
    show = studio.perform(plans[0].prompt, lambda purpose: seed_of(job.settings.seed, take, purpose))
    if job.settings.camera == CAMERA_RANDOM:
        motion = show.interaction
        plans = [best_view(plans, show.joints, motion.present, motion.fps, studio.room)]
    for plan in plans:
        with new_clip(job.folder / "clips", plan.id) as folder:
            studio.film(show, plan, folder, lambda done, total: send(("frame",)))
        now = time.monotonic()
        send(("clip", plan.id, now - started, show.warning))
        started = now
    return int(show.rejected)
