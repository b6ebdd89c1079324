"""Is a prompt understood?  `python -m benchmarks.meaning [--json] [--write]`

Trains `synth.corpus.meaning` on its packaged phrases and on the library's captions, and tells how often it, and the
library's matching with and without it, finds the class of prompts that it has never seen (`benchmarks.prompts`).
`--write` keeps what was trained as the packaged one.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.prompts import PROMPTS
from synth.corpus.library import library
from synth.corpus.matching import Matcher
from synth.corpus.meaning import CLASSES, OTHER, Meaning, phrases, trained
from synth.text import TextEncoder


def sayings() -> dict[str, list[str]]:
    """Packaged phrases and the library's captions, by class."""
    found = phrases()
    for entry in library():
        found[entry.interaction_class or OTHER] += entry.captions
    return {name: list(dict.fromkeys(said)) for name, said in found.items()}


def measure() -> tuple[dict[str, Any], Meaning]:
    encoder, entries = TextEncoder(), library()
    meaning = trained(sayings(), encoder)
    nothing = Meaning(np.zeros_like(meaning.weights), np.zeros_like(meaning.bias))
    prompts = [(text, name) for name, texts in PROMPTS.items() for text in texts]

    def matched(by: Meaning) -> list[str | None]:
        matcher = Matcher(entries, encoder, by)
        return [entries[matcher.rank(text)[0].index].interaction_class for text, _ in prompts]

    def right(found: Sequence[str | None]) -> float:
        return round(float(np.mean([name == wanted for name, (_, wanted) in zip(found, prompts, strict=True)])), 3)

    likely = meaning.likely([text for text, _ in prompts], encoder)
    found = matched(meaning)
    return {
        "prompts": len(prompts),
        "classifier": right([CLASSES[at] for at in likely.argmax(1)]),
        "matching": right(found),
        "matching_without_it": right(matched(nothing)),
        "missed": [
            f"{wanted}: {text}: {name}" for name, (text, wanted) in zip(found, prompts, strict=True) if name != wanted
        ],
    }, meaning


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.meaning", description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="keep what was trained as the packaged one")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    found, meaning = measure()
    if options.write:
        meaning.save(Path(str(files("synth.corpus").joinpath("meaning.npz"))))
    print(json.dumps(found, indent=None if options.json else 1))


if __name__ == "__main__":
    main()
