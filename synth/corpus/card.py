"""The card of a corpus: what is in it, where it comes from, what may be done with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def text(info: Mapping[str, Any], rejected: Sequence[Mapping[str, Any]]) -> str:
    """README.md of a corpus from its corpus.json."""
    numbers, settings = info["statistics"], info["settings"]
    lines = [
        f"# {info['name']}",
        "",
        f"Motion of people in care homes for training: {numbers['sequences']} sequences, {numbers['hours']:.2f} hours, "
        f"{settings['fps']:g} frames a second, made by CareSynth {info['versions']['caresynth']} with seed "
        f"{settings['seed']}. Read it with `synth.corpus.shards.Corpus`; `synth corpus check` checks it, "
        "`synth corpus show` draws it.",
        "",
        "## Sources and licences",
        "",
        "| source | sequences | hours | rejected items | draws thrown away for those kept | licence | commercial use |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, source in info["sources"].items():
        lines.append(
            f"| {name} | {source['sequences']} | {source['hours']:.2f} | {source['rejected']} of {source['items']} "
            f"| {source['redrawn']} | {source['licence']} | {'yes' if source['commercial'] else 'NO'} |"
        )
    lines += ["", "Credits that must stay with what is made from this corpus:", ""]
    lines += [f"- {name}: {source['credit']}" for name, source in info["sources"].items()]
    if info["left_out"]:
        lines += ["", "Left out:", ""] + [f"- {name}: {why}" for name, why in info["left_out"].items()]
    lines += ["", "## Contents", "", "| class | sequences | hours |", "|---|---|---|"]
    lines += [f"| {kind} | {n['sequences']} | {n['hours']:.3f} |" for kind, n in numbers["by_class"].items()]
    lines += ["", "| split | sequences | hours |", "|---|---|---|"]
    lines += [f"| {split} | {n['sequences']} | {n['hours']:.3f} |" for split, n in numbers["by_split"].items()]
    lengths = ", ".join(f"{value:g}" for value in numbers["seconds_percentiles_0_5_50_95_100"])
    lines += [
        "",
        "Splits go by recording: stretches, copies and mirror images of one recording are in the same split.",
        *(f"But {name}: {source['remark']}." for name, source in info["sources"].items() if "remark" in source),
        f"Lengths in seconds (minimum, 5 %, median, 95 %, maximum): {lengths}.",
        "People a sequence: " + ", ".join(f"{p}: {n}" for p, n in numbers["by_people"].items()) + ".",
        "",
        "## Rows",
        "",
        f"A row is a person in a frame, {info['width']} float32; the first {info['features']} are the features. "
        "World: z up, metres, floor z = 0; the first person starts over the origin and faces +x.",
        "",
        "| columns | what |",
        "|---|---|",
    ]
    lines += [f"| {first}-{last - 1} | {name} |" for name, (first, last) in info["columns"].items()]
    lines += ["", f"## Rejected: {len(rejected)}", ""]
    common = Counter(kind_of(line["reason"]) for line in rejected).most_common(20)
    lines += [f"- {count} x {reason}" for reason, count in common]
    lines += ["Each with its reason: `rejected.jsonl`."] if rejected else ["Nothing was."]
    return "\n".join(lines) + "\n"


def kind_of(reason: str) -> str:
    """A reason without the item's own name and numbers, so that alike ones are counted together."""
    words = reason.split(": ", 1)[-1] if not reason.startswith("crashed") else reason
    return "".join("#" if letter.isdigit() else letter for letter in words)[:100]
