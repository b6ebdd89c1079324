"""What a prompt means, in words that nothing was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.prompts import PROMPTS
from synth.corpus.library import library
from synth.corpus.matching import Matcher
from synth.corpus.meaning import CLASSES, Meaning, phrases
from synth.errors import BadFile
from synth.files import write_npz
from synth.taxonomy import INTERACTIONS
from synth.text import TextEncoder

ASKED = [(text, name) for name, texts in PROMPTS.items() for text in texts]


def test_the_packaged_phrases_are_many_and_none_is_asked_for_in_the_benchmark() -> None:
    said = phrases()
    assert set(said) == set(CLASSES)
    assert all(len(said[name]) >= 65 for name in INTERACTIONS)
    known = {text.lower() for texts in said.values() for text in texts}
    assert not known & {text.lower() for text, _ in ASKED}
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
