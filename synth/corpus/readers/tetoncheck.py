"""What is wrong with a folder of care recordings (docs/teton-format.md), all of it, in words.

for problem in check("recordings"):
    print(problem)                   # site/room/20240301T021400/sequence.json: people[0].annotations[3].box: ...
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synth.corpus.readers.teton import (
    DATASET,
    NAME,
    RECORDING,
    TIMESTAMP,
    Tracks2D,
    faults,
    read_dataset,
    read_recording,
)
from synth.errors import BadFile, CareSynthError, Missing
from synth.files import read_json

SHOWN = 20  # problems a recording; more are the same mistake again


@dataclass(frozen=True)
class Problem:
    """Something that breaks the format. ``path`` is relative to the folder, ``message`` one line."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def check(folder: str | Path, masks: bool = True) -> list[Problem]:
    """Every problem of a folder of recordings, in the order of their paths; empty if it keeps the format.

    Args:
        folder: the top folder.
        masks: also open every mask (the slow part).

    Raises:
        Missing: there is no such folder.
    """
    top = Path(folder)
    if not top.is_dir():
        raise Missing(f"folder of recordings {top}", "give the folder that holds the sites")
    problems = list(_dataset_problems(top))
    count = 0
    for place, names, found in os.walk(top):
        names[:] = sorted(name for name in names if not name.startswith("."))
        here = Path(place)
        depth = len(here.relative_to(top).parts)
        if depth == 3:
            names.clear()  # masks and frames are looked at from sequence.json
            count += RECORDING in found
            problems += _recording_problems(top, here, found, masks)
        elif RECORDING in found:
            problems.append(_problem(top, here / RECORDING, "expected at SITE/ROOM/TIMESTAMP/sequence.json"))
        if 0 < depth < 3 and not NAME.fullmatch(here.name):
            problems.append(_problem(top, here, "expected a site's or room's name of letters, digits, - and _"))
    if not count:
        problems.append(Problem(".", "no recording; expected SITE/ROOM/TIMESTAMP/sequence.json"))
    return problems


def _problem(top: Path, path: Path, message: str) -> Problem:
    return Problem(path.relative_to(top).as_posix(), message)


def _of(top: Path, error: CareSynthError) -> Problem:
    """A problem of an error, the path before its colon made relative."""
    if isinstance(error, BadFile):
        path = Path(error.path)
        return _problem(top, path, str(error).removeprefix(f"{error.path}: "))
    return Problem(".", str(error))


def _dataset_problems(top: Path) -> Iterator[Problem]:
    if not (top / DATASET).is_file():
        yield Problem(DATASET, "missing; expected format, version and licence of the recordings")
        return
    try:
        read_dataset(top / DATASET)
    except CareSynthError as error:
        yield _of(top, error)


def _recording_problems(top: Path, here: Path, found: list[str], masks: bool) -> list[Problem]:
    problems = []
    if not TIMESTAMP.fullmatch(here.name):
        problems.append(_problem(top, here, "expected a name like 20240301T021400 (UTC)"))
    if RECORDING not in found:
        return [*problems, _problem(top, here, f"no {RECORDING}")]
    path = here / RECORDING
    try:
        value = read_json(path)
    except CareSynthError as error:
        return [*problems, _of(top, error)]
    for field, what, expected in faults(value):
        if len(problems) >= SHOWN:
            problems.append(_problem(top, path, "more problems; mend these first"))
            return problems
        problems.append(_of(top, BadFile(path, field, what, expected)))
    if not problems:
        tracks = read_recording(here, here.relative_to(top).as_posix())
        problems = [_of(top, error) for error in _mask_problems(tracks, masks)][:SHOWN]
    return problems


def _mask_problems(tracks: Tracks2D, opened: bool) -> Iterator[CareSynthError]:
    for item in tracks.key_frames:
        if not item.mask.is_file():
            yield BadFile(item.mask, "file", "nothing", f"the mask of key frame {item.frame}")
            continue
        if not opened:
            continue
        try:
            pixels = item.pixels()
        except BadFile as error:
            yield error
            continue
        if pixels.shape != (tracks.height, tracks.width):
            size = f"{pixels.shape[1]} x {pixels.shape[0]}"
            yield BadFile(item.mask, "size", size, f"{tracks.width} x {tracks.height}, as the frame")
            continue
        found = set(np.flatnonzero(np.bincount(pixels.ravel())).tolist())
        unknown = sorted(found - {0} - {region.value for region in item.regions})
        if unknown:
            yield BadFile(item.mask, "values", unknown, "only 0 and values that regions of the key frame list")
        for region in item.regions:
            track = next((track for track in tracks.people if track.id == region.person), None)
            if track is None or not track.present[item.frame]:
                continue
            rows, columns = np.nonzero(pixels == region.value)
            x, y, w, h = track.box[item.frame]
            inside = (columns >= x - 2) & (columns <= x + w + 2) & (rows >= y - 2) & (rows <= y + h + 2)
            if len(rows) and inside.mean() < 0.5:
                share = f"{100 * (1 - inside.mean()):.0f} % of person {region.person}'s pixels outside their box"
                yield BadFile(item.mask, f"value {region.value}", share, "the mask and the box of the same person")
