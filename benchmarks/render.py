"""How long a frame and a clip take, and whether memory stays bounded: ``python -m benchmarks.render --json``.

Runs ``synth-render`` itself, so everything counts: process start, motion, rendering, labels, encoding. Memory is the
largest sum over the job's processes of their resident sets, sampled while it runs (Linux).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PROMPT = "staff helps patient up"
SIZE, SAMPLES, FPS = "320x240", 4, 10.0
GROWTH_LIMIT = 1.2  # memory after many clips to memory after few


@dataclass(frozen=True)
class Figures:
    """What a run of ``synth-render`` took.

    Attributes:
        clips, frames: made. seconds: wall clock. seconds_a_clip, seconds_a_frame: of it.
        peak_mb: largest memory of all the job's processes together, megabytes.
        mb_after: clip count -> largest memory seen up to that clip.
    """

    clips: int
    frames: int
    seconds: float
    seconds_a_clip: float
    seconds_a_frame: float
    peak_mb: float
    mb_after: dict[int, float]


def measure(clips: int, seconds: float, scene: str = "ward_03", marks: tuple[int, ...] = ()) -> Figures:
    """Make ``clips`` clips of ``seconds`` each and watch."""
    with tempfile.TemporaryDirectory(prefix="caresynth-bench-") as folder:
        out = Path(folder, "data")
        command = [
            sys.executable, "-m", "render.cli", "--scene", scene, "--prompt", PROMPT, "--n", str(clips), "--seed", "7",
            "--seconds", str(seconds), "--fps", str(FPS), "--size", SIZE, "--samples", str(SAMPLES), "--out", str(out),
            "--json",
        ]  # fmt: skip
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        watch = Watch(process.pid, out / "clips", marks)
        watch.start()
        stdout, _ = process.communicate()
        watch.stop()
        took = time.monotonic() - started
        if process.returncode != 0:
            raise SystemExit(f"error: synth-render ended with {process.returncode}")
        made = json.loads(stdout)["made"]
    frames = made * max(1, round(seconds * FPS))
    return Figures(
        made, frames, round(took, 2), round(took / made, 3), round(took / frames, 4), watch.peak, watch.after
    )


class Watch(threading.Thread):
    """Samples the memory of a process and its children ten times a second."""

    def __init__(self, pid: int, clips: Path, marks: tuple[int, ...]) -> None:
        super().__init__(daemon=True)
        self.pid, self.clips, self.marks = pid, clips, marks
        self.peak, self.after = 0.0, dict[int, float]()
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.1):
            self.peak = max(self.peak, round(family_mb(self.pid), 1))
            done = len(list(self.clips.glob("[!.]*/DONE"))) if self.marks else 0
            for mark in self.marks:
                if done <= mark:
                    self.after[mark] = self.peak

    def stop(self) -> None:
        self._ended.set()
        self.join()


def family_mb(pid: int) -> float:
    """Resident memory of a process and all below it, megabytes."""
    children: dict[int, list[int]] = {}
    pages: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            pages[int(entry.name)] = int((entry / "statm").read_text().split()[1])
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
        children.setdefault(parent, []).append(int(entry.name))
    total, todo = 0, [pid]
    while todo:
        one = todo.pop()
        total += pages.get(one, 0)
        todo += children.get(one, [])
    return total * os.sysconf("SC_PAGE_SIZE") / 1e6


def report(quick: bool) -> dict[str, Any]:
    """All figures as one JSON object."""
    few, many, seconds = (2, 6, 0.3) if quick else (5, 30, 0.5)
    clip = measure(1 if quick else 2, 1.0 if quick else 4.0)
    long_run = measure(many, seconds, marks=(few, many))
    growth = long_run.mb_after[many] / long_run.mb_after[few]
    return {
        "size": SIZE,
        "samples": SAMPLES,
        "cores": os.cpu_count(),
        "clip": asdict(clip),
        "memory": {
            "clips_few": few,
            "clips_many": many,
            "mb_after_few": long_run.mb_after[few],
            "mb_after_many": long_run.mb_after[many],
            "growth": round(growth, 3),
            "limit": GROWTH_LIMIT,
            "ok": growth <= GROWTH_LIMIT,
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--quick", action="store_true", help="few and short clips")
    options = parser.parse_args()
    figures = report(options.quick)
    if options.json:
        print(json.dumps(figures, sort_keys=True))
        return
    clip, memory = figures["clip"], figures["memory"]
    print(f"{clip['seconds_a_frame']:.2f} s a frame, {clip['seconds_a_clip']:.1f} s a clip of {clip['frames']} frames, "
          f"peak {clip['peak_mb']:.0f} MB")  # fmt: skip
    print(f"memory after {memory['clips_many']} clips is {memory['growth']:.2f} x that after {memory['clips_few']}")


if __name__ == "__main__":
    main()
