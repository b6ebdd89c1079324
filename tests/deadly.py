"""An item that kills the process that makes it; a module of its own, so that the process need not load the tests."""

import os
import signal
from collections.abc import Callable


def deadly(_: str) -> Callable[[str], str]:
    def make(item: str) -> str:
        if item == "kills":
            os.kill(os.getpid(), signal.SIGKILL)
        return item.upper()

    return make
