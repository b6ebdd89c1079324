"""Worker processes that make items one by one, survive each other's deaths and end with their parent.

Every worker is a fresh process with one thread of arithmetic, so that its sums, and the bytes, are always the same.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from typing import Any

from synth.errors import CareSynthError

ATTEMPTS = 2  # at an item whose process died
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
Make = Callable[[Any], Any]


def run_items(
    prepare: Callable[..., Make],
    arguments: Sequence[Any],
    items: Sequence[Any],
    workers: int,
    done: Callable[[Any, Any], None],
    died: Callable[[Any, str], None],
) -> None:
    """Make items in `workers` processes.

    Args:
        prepare: called once in each process with `arguments`; returns the function that makes an item. Importable.
        done: told an item and what was returned, in the order in which they are finished.
        died: told of an item at which processes died twice, and how.

    Raises:
        CareSynthError: what stops everything (a full disk; what `prepare` raised).
        KeyboardInterrupt: after the processes have been ended.
    """
    waiting: deque[Any] = deque(items)
    deaths: dict[Any, int] = {}
    crew: dict[Any, _Worker] = {}
    try:
        while waiting or crew:
            while waiting and len(crew) < workers:
                worker = _Worker(prepare, arguments)
                crew[worker.pipe] = worker
                worker.give(waiting)
            for ready in connection.wait(list(crew)):
                worker = crew[ready]
                try:
                    kind, value = worker.pipe.recv()
                except (EOFError, ConnectionResetError):
                    del crew[ready]
                    item, how = worker.item, worker.end()
                    if item is None:
                        continue
                    deaths[item] = deaths.get(item, 0) + 1
                    if deaths[item] < ATTEMPTS:
                        waiting.appendleft(item)
                    else:
                        died(item, f"the process that made it died {ATTEMPTS} times: {how}")
                    continue
                if kind == "stop":
                    raise CareSynthError(value)
                item, worker.item = worker.item, None
                worker.give(waiting)
                done(item, value)
    finally:
        for worker in crew.values():
            worker.kill()


class _Worker:
    """The parent's end of a process, and the item it is at."""

    def __init__(self, prepare: Callable[..., Make], arguments: Sequence[Any]) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.item: Any = None
        self.process = context.Process(target=_work, args=(prepare, tuple(arguments), theirs), daemon=True)
        with _single_threaded():
            self.process.start()
        theirs.close()

    def give(self, waiting: deque[Any]) -> None:
        """The next item, or the end."""
        try:
            if waiting:
                self.item = waiting.popleft()
                self.pipe.send(self.item)
            else:
                self.pipe.send(None)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it died; reading from it says so

    def end(self) -> str:
        self.process.join()
        code = self.process.exitcode or 0
        return f"signal {-code}" if code < 0 else f"exit status {code}"

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Processes that start meanwhile use one thread; libraries read these variables when they are loaded."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _work(prepare: Callable[..., Make], arguments: tuple[Any, ...], pipe: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        make = prepare(*arguments)
        while (item := pipe.recv()) is not None:
            pipe.send(("done", make(item)))
    except CareSynthError as error:
        pipe.send(("stop", str(error)))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            pipe.send(("stop", f"{error.filename or 'disk'}: {os.strerror(error.errno)}; what is finished is kept"))
        else:
            traceback.print_exc()
            os._exit(1)
    except EOFError:
        pass
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
