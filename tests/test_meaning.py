"""What a prompt means, in words that nothing was trained on."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.prompts import PROMPTS
from synth.corpus.library import library
from synth.corpus.matching import Matcher
from synth.corpus.meaning import CLASSES, Meaning, phrases
from synth.corpus.words import falls, people_in, plain_roles
from synth.errors import BadFile
from synth.files import write_npz
from synth.taxonomy import INTERACTIONS
from synth.text import TextEncoder

SMALL = set(re.findall("[a-z]+", "a an the his her their him he she they on in of to at by from with and"))
ASKED = [(text, name) for name, texts in PROMPTS.items() for text in texts]


def overlap(one: str, other: str) -> float:
    """Share of words that two sayings have in common, whoever is meant and however he is called."""
    a, b = (set(re.findall("[a-z]+", plain_roles(text))) - SMALL for text in (one, other))
    return len(a & b) / len(a | b)


def test_the_packaged_phrases_are_many_and_none_is_asked_for_in_the_benchmark() -> None:
    said = phrases()
    assert set(said) == set(CLASSES)
    assert all(len(said[name]) >= 65 for name in INTERACTIONS)
    for text, _ in ASKED:
        near = [other for others in said.values() for other in others if overlap(text, other) >= 0.75]
        assert not near, f"{text}: {near}"
    assert set(PROMPTS) == set(INTERACTIONS)


def test_prompts_in_new_words_are_understood() -> None:
    encoder, meaning = TextEncoder(), Meaning.packaged()
    likely = meaning.likely([text for text, _ in ASKED], encoder)
    np.testing.assert_allclose(likely.sum(1), 1)
    assert np.mean([CLASSES[at] == name for at, (_, name) in zip(likely.argmax(1), ASKED, strict=True)]) > RIGHT
    entries = library()
    matcher = Matcher(entries, encoder)
    found = [entries[matcher.rank(text)[0].index].interaction_class for text, _ in ASKED]
    assert np.mean([name == wanted for name, (_, wanted) in zip(found, ASKED, strict=True)]) > RIGHT


RIGHT = 0.85  # measured by benchmarks.meaning, less a margin


def test_a_damaged_file_says_what_is_wrong(tmp_path: Path) -> None:
    write_npz(tmp_path / "m.npz", {"weights": np.zeros((3, 4)), "bias": np.zeros(3)})
    with pytest.raises(BadFile, match="weights, bias"):
        Meaning.read(tmp_path / "m.npz")


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("grandpa slithers down to the floor", True), ("his knees buckle", True), ("she keels over", True),
        ("his legs gave way", True), ("he slithers along the ground on his belly", False),
        ("grandma falls asleep", False), ("getting up after a fall", False),
    ],
)  # fmt: skip
def test_words_tell_who_loses_balance(text: str, lost: bool) -> None:
    assert falls(text) is lost


def test_a_lady_and_an_orderly_are_two() -> None:
    assert people_in("an orderly lifts the lady") == 2
    assert people_in("the pensioner sits down") == 1
