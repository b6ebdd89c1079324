"""A desk to work at: Xvfb and Blender inside a root, xdotool for the hand, ImageMagick for the eye.

Everything runs in namespaces of its own (mounts, processes, no network) that end with the desk: whatever was started
at it is gone, and nothing stays mounted.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from window.root import privileged

REPOSITORY = Path(__file__).resolve().parents[2]
SCREEN = (1280, 800)
LEADER = r"""
set -eu
root=$1; desk=$2; shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mkdir -p "$root/desk" && mount --bind "$desk" "$root/desk"
for path in "$@"; do
    if [ -d "$path" ]; then mkdir -p "$root$path"; else mkdir -p "$(dirname "$root$path")"; touch "$root$path"; fi
    mount --bind "$path" "$root$path"
done
echo ready
exec chroot "$root" sleep 100000
"""


class Desk:
    """One screen with one Blender. Use as a context manager.

    Args:
        root: a Debian root with Blender, Xvfb and xdotool.
        folder: an empty folder on the host; it is ``/desk`` inside.
        shown: further files and folders of the host that are seen inside under their own names.
    """

    def __init__(self, root: Path, folder: Path, shown: list[Path]) -> None:
        self.root, self.folder, self.shown = root, folder, [path for path in shown if path.exists()]
        self.count = 0
        self.found: dict[str, tuple[int, int]] = {}  # buttons
        self.blender: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Desk:
        for name in ("home", "run", "ask", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "run").chmod(0o700)
        command = [
            *privileged(), "unshare", "--mount", "--pid", "--net", "--fork", "--kill-child",
            "bash", "-c", LEADER, "leader", str(self.root), str(self.folder), *map(str, self.shown),
        ]  # fmt: skip
        self.leader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.leader.stdout is not None
        if self.leader.stdout.readline().strip() != "ready":
            raise RuntimeError("the root could not be entered")
        self.inner = _deepest_child(self.leader.pid)
        self._start_screen()
        return self

    def __exit__(self, *_: object) -> None:
        self.leader.kill()
        self.leader.wait()

    def command(self, line: str, **environment: str) -> list[str]:
        """The host's command line that runs a shell line inside."""
        known = {
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": "/desk/home",
            "LANG": "C.UTF-8",
            "DISPLAY": getattr(self, "display", ""),
            "XDG_RUNTIME_DIR": "/desk/run",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "LP_NUM_THREADS": "0",  # draw in Blender's own thread: its waiting for a processor is then known
        } | environment
        spaces = ["--user", "--preserve-credentials"] if privileged() else []
        # Before whatever else runs on this machine; between Blender, screen and back end nothing changes.
        first = [] if privileged() else ["nice", "-n", "-10"]
        return [
            "nsenter", "--target", str(self.inner), "--mount", "--pid", "--net", *spaces, "--",
            *first, "chroot", str(self.root), "/usr/bin/env", "-i", *(f"{key}={value}" for key, value in known.items()),
            "sh", "-c", line,
        ]  # fmt: skip

    def run(self, line: str, timeout: float = 60, **environment: str) -> str:
        """Run a shell line inside and return what it wrote to stdout; a failure raises with its last words."""
        command = self.command(line, **environment)
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode:
            raise RuntimeError(f"{line}: exit {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
        return done.stdout

    def _start_screen(self) -> None:
        size = f"{SCREEN[0]}x{SCREEN[1]}x24"
        log = (self.folder / "xvfb.log").open("wb")
        self.screen = subprocess.Popen(
            self.command(f"exec Xvfb -displayfd 1 -nolisten tcp -screen 0 {size} +extension GLX"),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert self.screen.stdout is not None
        number = self.screen.stdout.readline().strip()
        if not number.isdigit():
            raise RuntimeError(f"Xvfb did not start: {(self.folder / 'xvfb.log').read_text()[-1000:]}")
        self.display = f":{number}"

    def start_blender(self, *arguments: str, **environment: str) -> None:
        """Start Blender with ``inside.py``; returns when it answers."""
        shutil.copy(Path(__file__).with_name("inside.py"), self.folder / "inside.py")
        size = f"0 0 {SCREEN[0]} {SCREEN[1]}"
        words = f"--no-window-focus --window-geometry {size} --python /desk/inside.py {shlex.join(arguments)}"
        log = (self.folder / "blender.log").open("wb")
        self.blender = subprocess.Popen(self.command(f"exec blender {words}", **environment), stdout=log, stderr=log)
        self.ask("ready", timeout=60)

    def log(self) -> str:
        """What Blender wrote."""
        return (self.folder / "blender.log").read_text(errors="replace")

    def ask(self, what: str, timeout: float = 20, **arguments: Any) -> Any:
        """Let a function of ``inside.py`` run in Blender and return its answer."""
        self.count += 1
        question = self.folder / "ask" / f"{self.count:05d}.json"
        answer = question.with_suffix(".answer")
        hidden = question.with_suffix(".part")
        hidden.write_text(json.dumps({"what": what, "arguments": arguments}))
        hidden.rename(question)
        end = time.monotonic() + timeout
        while not answer.exists():
            if self.blender is not None and self.blender.poll() is not None:
                raise RuntimeError(f"Blender ended ({self.blender.returncode}): {self.log()[-3000:]}")
            if time.monotonic() > end:
                raise TimeoutError(f"no answer to {what} in {timeout} s: {self.log()[-2000:]}")
            time.sleep(0.02)
        found = json.loads(answer.read_text())
        if "error" in found:
            raise RuntimeError(f"{what}: {found['error']}")
        return found["value"]

    def wait(self, what: str, wanted: Any, timeout: float, **arguments: Any) -> Any:
        """Ask until ``wanted(answer)`` holds; returns that answer."""
        end = time.monotonic() + timeout
        while True:
            value = self.ask(what, **arguments)
            if wanted(value):
                return value
            if time.monotonic() > end:
                raise TimeoutError(f"{what} is still {value} after {timeout} s: {self.log()[-2000:]}")
            time.sleep(0.25)

    def mouse(self, x: float, y: float, *then: str) -> None:
        """Move the mouse to a pixel of the screen (y down); ``then`` are further words for xdotool."""
        # Blender wants to see the mouse move over what is clicked
        words = ["mousemove", str(int(x) - 2), str(int(y)), "sleep", "0.05", "mousemove", str(int(x)), str(int(y))]
        self.run(shlex.join(["xdotool", *words, "sleep", "0.05", *then]))

    def click(self, x: float, y: float) -> None:
        self.mouse(x, y, "click", "1")

    def keys(self, *keys: str) -> None:
        self.run(shlex.join(["xdotool", "key", *keys]))

    def outside(self, path: str) -> Path:
        """The host's name of a path inside that begins with /desk."""
        return self.folder / Path(path).relative_to("/desk")

    def shot(self, name: str) -> Path:
        """A picture of the whole screen, as PNG."""
        self.run(f"xwd -root -silent | nice -n 19 convert xwd:- /desk/{name}.png")
        return self.folder / f"{name}.png"

    def processes(self, word: str) -> list[int]:
        """Processes of this desk whose command line has a word."""
        space = os.readlink(f"/proc/{self.inner}/ns/pid")
        return [pid for pid, line in _command_lines() if word in line and _pid_space(pid) == space]

    def find_button(self, command: str, box: list[int], across: float = 0.5) -> tuple[int, int]:
        """The pixel of the button that runs an operator: Ctrl+C over a button copies its Python command.

        Args:
            command: what the command has to contain.
            box: left, top, right, bottom of where to look.
            across: where from left (0) to right (1).
        """
        self.ask("clipboard")
        left, top, right, bottom = box
        if command in self.found:
            self.mouse(*self.found[command], "key", "ctrl+c")
            if command in self.ask("clipboard"):
                return self.found[command]
        x = round(left + (right - left) * across)
        for y in range(top + 5, bottom, 16):  # buttons are 20 high
            self.mouse(x, y, "key", "ctrl+c")
            if command in self.ask("clipboard"):
                self.found[command] = (x, y)
                return x, y
        raise LookupError(f"no button of {command} between {top} and {bottom}")


def python_outside() -> tuple[str, list[Path]]:
    """The Python that runs this test, and what must be seen inside a root for it to run there."""
    base, prefix = Path(sys.base_prefix), Path(sys.prefix)
    shown = [prefix] if prefix != base else []
    if base == Path("/usr"):  # the distribution's: only its own files, the root has a /usr too
        real = Path(sys.executable).resolve()
        shown += [real, Path(os.__file__).parent]
    else:
        shown.append(base)
    return sys.executable, shown


def _deepest_child(pid: int) -> int:
    """The process at the end of a line of only children."""
    while True:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children:
            return pid
        pid = int(children[0])


def _command_lines() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                yield int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue  # it ended in between


def _pid_space(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""
