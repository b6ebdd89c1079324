"""Runs a command and ends its process group when standard input closes, which it does when Blender is gone.

Started with the user's Python, in a process group of its own: ``python -I guard.py COMMAND...``. A cancel is a SIGTERM
to the group; this process outlives it to hand on how the command ended.
"""

import os
import signal
import subprocess
import sys
import threading
import time

PATIENCE = 5.0  # seconds between asking a process to end and ending it
NICE = 10  # Blender's window comes first


def main() -> None:
    # A function, not SIG_IGN: the command would inherit the latter.
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: None)
    if hasattr(os, "nice"):
        os.nice(NICE)
    try:
        child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127)
    threading.Thread(target=_watch, args=(child,), daemon=True).start()
    code = child.wait()
    _ask(child)  # whatever the command left behind
    os._exit(code if code >= 0 else 128 - code)


def _watch(child: subprocess.Popen) -> None:
    while os.read(0, 4096):
        pass
    _ask(child)
    time.sleep(PATIENCE)
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    child.kill()


def _ask(child: subprocess.Popen) -> None:
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGTERM)
    elif child.poll() is None:
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(child.pid)], check=False, capture_output=True)


if __name__ == "__main__":
    main()
