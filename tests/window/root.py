"""A small Debian with a distribution's own Blender, made once and kept in the cache."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

from synth.files import cache_dir

PACKAGES = [
    "blender", "xvfb", "xdotool", "x11-apps", "xauth", "libgl1-mesa-dri", "libegl1", "libgl1", "imagemagick",
    "fonts-dejavu-core", "python3-numpy", "python3-requests", "python3-cattr", "python3-zstandard",
]  # fmt: skip
DEFAULT_MIRROR = "http://deb.debian.org/debian"
BUILD_LIMIT_S = 600


class NoRoot(Exception):
    """The root cannot be made on this machine; the text says why."""


def debian_root(suite: str) -> Path:
    """The root of a Debian suite; made at first use, in about a minute.

    Raises:
        NoRoot: no mmdebstrap, no rights for it, or no mirror that answers.
    """
    home = cache_dir() / "blender-window"
    home.mkdir(parents=True, exist_ok=True)
    root, stamp = home / suite, home / f"{suite}.packages"
    with open(home / f"{suite}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text() == " ".join(PACKAGES):
            return root
        _remove(root)
        _build(suite, root)
        stamp.write_text(" ".join(PACKAGES))
    return root


def privileged() -> list[str]:
    """What stands before a command that needs mounts: nothing for root, a user namespace for others."""
    return [] if os.geteuid() == 0 else ["unshare", "--map-auto", "--map-root-user"]


def _build(suite: str, root: Path) -> None:
    if shutil.which("mmdebstrap") is None:
        raise NoRoot("mmdebstrap is not here; on Debian or Ubuntu: apt-get install mmdebstrap")
    may = subprocess.run([*privileged(), "unshare", "--mount", "true"], capture_output=True, text=True, check=False)
    if may.returncode:
        raise NoRoot(f"no mounts are allowed here: {_last_line(may.stderr)}")
    command = [
        "mmdebstrap", "--quiet", "--variant=apt", f"--include={','.join(PACKAGES)}",
        '--aptopt=Acquire::Check-Valid-Until "false"',
        *(f"--aptopt={option}" for option in _apt_options()),
        suite, str(root), _mirror(),
    ]  # fmt: skip
    try:
        made = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        _remove(root)
        raise NoRoot(f"Debian {suite} was not made within {BUILD_LIMIT_S} s") from None
    if made.returncode:
        _remove(root)
        raise NoRoot(f"Debian {suite} could not be made: {_last_line(made.stderr)}")


def _remove(root: Path) -> None:
    if root.exists():
        subprocess.run([*privileged(), "rm", "-rf", "--one-file-system", str(root)], check=True)


def _mirror() -> str:
    """The host's own mirror of Debian, where it has one."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for file in files:
        if file.suffix not in (".list", ".sources") or not file.is_file():
            continue
        for line in file.read_text(errors="replace").splitlines():
            found = re.match(r"(?:URIs:|deb\s+(?:\[[^]]*\]\s+)?)\s*(\S+/debian)/?(?:\s|$)", line)
            if found:
                return found[1]
    return DEFAULT_MIRROR


def _apt_options() -> list[str]:
    """The host's proxy and certificates of apt."""
    if shutil.which("apt-config") is None:
        return []
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    lines = (line.strip().rstrip(";") for line in dump.splitlines())
    return [line for line in lines if re.match(r'Acquire::https?::\S+ "[^"]+"$', line)]


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
