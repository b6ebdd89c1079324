"""The data set's card: ``README.md`` with what it is, how much of what, how to load it, and whose work is in it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from render.report.record import ClipRecord, count, read_records
from synth.files import write_text


def write_card(folder: Path) -> None:
    """Write ``FOLDER/README.md``."""
    records, settings = read_records(folder)
    write_text(folder / "README.md", card_text(records, settings))


def card_text(records: Sequence[ClipRecord], dataset: Mapping[str, Any]) -> str:
    """The card in Markdown, with the header that the Hugging Face hub reads.

    Args:
        records: the clips.
        dataset: the object of ``dataset.json``.
    """
    settings = dataset.get("settings") if isinstance(dataset.get("settings"), Mapping) else {}
    frames = sum(r.frames for r in records)
    seconds = sum(r.seconds for r in records)
    sizes = ", ".join(f"{w} x {h}" for w, h in sorted({(r.width, r.height) for r in records})) or "none"
    rates = ", ".join(f"{value:g}" for value in sorted({r.fps for r in records})) or "none"
    rejected = sum(r.rejected for r in {(_take(r)): r for r in records}.values())
    takes = len({_take(r) for r in records})
    share = 100 * rejected / max(rejected + takes, 1)
    action_seconds: dict[str, float] = defaultdict(float)
    for record in records:
        for segment in record.segments:
            action_seconds[segment.label] += segment.end - segment.start
    longest = sorted(action_seconds.items(), key=lambda row: (-row[1], row[0]))
    parts = [
        _header(records),
        "# Synthetic care-home video\n",
        f"{len(records)} clip{'s' * (len(records) != 1)} of people in care rooms, {seconds:.0f} s in all "
        f"({frames} frames of {sizes} at {rates} "
        "frames a second), made by CareSynth. No real person is shown. Open `index.html` to look at them.\n",
        "Labels are measured on the motion and the geometry that were rendered, not copied from the prompt; a motion "
        f"that did not show what its prompt asks was made again ({rejected} of {rejected + takes} attempts, "
        f"{share:.0f} %).\n",
        "## How much of what\n",
        _table("interaction class", count([r.cls for r in records])),
        _table("role (people)", count([role for r in records for role in r.roles])),
        _table("camera", count([r.camera for r in records])),
        _table("room", count([r.room for r in records])),
        _table("light", count([r.light for r in records])),
        _table("action (person-seconds)", [(n, f"{v:.1f}") for n, v in longest]),
        _table("prompt", count([r.prompt for r in records])),
        _warnings(records),
        "## What is in a clip\n",
        _FILES,
        "## How to load it\n",
        _LOADING,
        "## How it was made\n",
        _settings(settings, dataset.get("versions"), dataset.get("versions_since")),
        "## Licences and credits\n",
        _licences(records),
        "## What it is not\n",
        _LIMITS,
    ]
    return "\n".join(part for part in parts if part)


def text_cell(value: object) -> str:
    """Any text so that Markdown shows it as it is: on one line, no table cell, link, tag or emphasis begun."""
    line = " ".join(str(value).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|#~!])", r"\\\1", line)


def _take(record: ClipRecord) -> tuple[str, str]:
    return record.seed, record.prompt  # the cameras of one take share both


def _header(records: Sequence[ClipRecord]) -> str:
    total = len(records)
    size = "n<1K" if total < 1000 else "1K<n<10K" if total < 10_000 else "10K<n<100K"
    return "\n".join([
        "---", "license: other", "pretty_name: Synthetic care-home video", "task_categories:",
        "- video-classification", "- keypoint-detection", "- object-detection", "tags:", "- synthetic",
        "- action-recognition", "- fall-detection", "- healthcare", "size_categories:", f"- {size}", "---", "",
    ])  # fmt: skip


def _table(title: str, rows: Sequence[tuple[str, Any]]) -> str:
    if not rows:
        return ""
    body = "".join(f"| {text_cell(name or 'none')} | {text_cell(value)} |\n" for name, value in rows)
    return f"| {title} | |\n|---|---:|\n{body}"


def _warnings(records: Sequence[ClipRecord]) -> str:
    rows = count([r.warning for r in records if r.warning])
    if not rows:
        return ""
    return "Warnings:\n\n" + "".join(f"- {text_cell(text)} ({number} clips)\n" for text, number in rows)


_FILES = """`manifest.jsonl` has one line a clip; `clips/ID/` holds:

| file | what |
|---|---|
| `video.mp4`, `poster.jpg` | H.264 video without sound; its middle frame |
| `labels.npz` | per frame and person: boxes, COCO-17 keypoints, 24 joints, action, posture, contacts |
| `labels.json` | prompt, class, people, camera, action segments, contacts, seed, licences, names of all numbers |
| `masks.npz` | the person seen at each pixel |
| `interaction.npz` | the SMPL-format motion that was rendered |
| `DONE` | size and SHA-256 of the other files; a folder without it is no clip |
"""

_LOADING = """```python
import json
from pathlib import Path

import numpy as np

root = Path(".")
for line in (root / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
    item = json.loads(line)
    clip = root / "clips" / item["id"]
    info = json.loads((clip / "labels.json").read_text(encoding="utf-8"))
    labels = np.load(clip / "labels.npz", allow_pickle=False)
    keypoints = labels["keypoints"]  # [frames, people, 17, 3]: x, y, visibility 0/1/2
    actions = labels["action"]       # [frames, people]: index into info["action_names"], -1 absent
```
"""

_LIMITS = """- Made to train and to test models that watch over people in care; no substitute for a test on real video.
- People, rooms and motions are drawn from small sets; counts above say how many. Faces show no feeling.
- Nothing here says anything about a real person, home or hospital.
"""


def _settings(settings: Any, versions: Any, since: Any = None) -> str:
    shown = json.dumps(settings or {}, indent=1, sort_keys=True, ensure_ascii=False).replace("```", "` ` `")
    lines = f"```json\n{shown}\n```\n"
    for title, made_by in (("Versions", versions), *(("Then", item) for item in since or ())):
        if isinstance(made_by, Mapping) and made_by:
            named = ", ".join(f"{text_cell(n)} {text_cell(v)}" for n, v in sorted(made_by.items()))
            lines += f"\n{title}: {named}.\n"
    return lines


def _licences(records: Sequence[ClipRecord]) -> str:
    rows = sorted({row for record in records for row in record.licences})
    table = "| what | from | licence |\n|---|---|---|\n" + "".join(
        f"| {text_cell(what)} | {text_cell(name)} | {text_cell(licence)} |\n" for what, name, licence in rows
    )
    credits = sorted({line for record in records for line in record.credits})
    return (table if rows else "None recorded.\n") + "".join(f"\n{text_cell(line)}\n" for line in credits)
