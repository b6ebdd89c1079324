"""Captions: HumanML3D's lines, and left and right exchanged in a sentence.

HumanML3D and InterHuman mirror texts by replacing "left", "right" and "clockwise" wherever the letters stand, which
makes "countercounterclockwise" of "counterclockwise" and "bleft" of "bright". Here whole words are exchanged.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from synth.corpus.readers.folder import read_lines
from synth.errors import BadFile

# "right" and "left" that are no side stay: "right away", "right next to", "she left the room". What reads as one of
# these with the other word stays as well ("left next to"), so that mirroring twice gives the sentence back. After an
# article or a verb of turning it is a side all the same: "to the right behind him", "turns right at the door".
_ASIDE = (
    r"away|now|after|before|next|up|in\s+front|behind|beside|back|around|there|at|past|side\s+up"  # of "right"
    r"|standing|on\s+(?:the|a|an|his|her|their|its|it|top)"  # of "left"
)
_OF = "".join(rf"(?<!\b{word}\s)" for word in ("the", "his", "her", "its", "their", "your", "my", "a"))
_TURNS = "".join(
    rf"(?<!\b{verb}\s)"
    for stem in ("turn", "veer", "roll", "lean", "bend", "head")
    for verb in (stem, f"{stem}s", f"{stem}ed", f"{stem}ing")
)
_NO_SIDE = (
    r"all\s+(?:right|left)|(?:right|left)\s+angles?|(?:right|left)[\s-]?overs?"
    r"|(?:has|have|had|is|was|are|were|he|she|they)\s+(?:left|right)(?=\s+(?:the|alone|behind)\b)"
    rf"|{_OF}(?:right|left)(?=\s+(?:back|around)\b)|{_OF}{_TURNS}(?:right|left)(?=\s+(?:{_ASIDE})\b)"
)
_SIDE = r"(?P<side>left|right)(?=(?:wards?|most|y|ies|s|hand(?:ed)?(?:ly)?)?\b)"
_TURN = r"(?P<turn>(?:(?:counter|anti)[\s-]?)?clockwise)\b"
_WORDS = re.compile(rf"\b(?:(?P<none>{_NO_SIDE})\b|{_SIDE}|{_TURN})", re.IGNORECASE)
_DOUBLED = re.compile(r"\bcountercounterclockwise\b", re.IGNORECASE)


@dataclass(frozen=True)
class Caption:
    """A sentence about a motion from ``start`` to ``end`` seconds; both 0: about all of it."""

    text: str
    start: float = 0.0
    end: float = 0.0

    @property
    def whole(self) -> bool:
        return self.start == 0.0 and self.end == 0.0


def mirror_text(text: str) -> str:
    """The sentence about the mirrored motion: left and right, clockwise and counterclockwise exchanged, case kept."""

    def other(found: re.Match[str]) -> str:
        if found["none"]:
            return found[0]
        if found["side"]:
            return _cased("right" if found["side"].lower() == "left" else "left", found["side"])
        return _cased("counterclockwise" if found["turn"].lower() == "clockwise" else "clockwise", found["turn"])

    return _WORDS.sub(other, text)


def sides_in(text: str) -> frozenset[str]:
    """The sides that a sentence names: "left", "right"."""
    return frozenset(found["side"].lower() for found in _WORDS.finditer(text) if found["side"])


def repair_mirrored(text: str) -> str:
    """A caption of a published mirrored motion without the doubled prefix: its original said "counterclockwise"."""
    return _DOUBLED.sub(lambda found: _cased("clockwise", found[0]), text)


def _cased(word: str, like: str) -> str:
    if like.isupper():
        return word.upper()
    return word.capitalize() if like[:1].isupper() else word


def read_captions(path: str | Path) -> tuple[Caption, ...]:
    """HumanML3D's texts: a line ``caption#tokens#from#to`` each, times in seconds, 0 or nan for the whole motion.

    Raises:
        BadFile: missing, empty, or a line of another form.
    """
    captions = []
    for number, line in enumerate(read_lines(path), start=1):
        parts = line.rsplit("#", 3)  # a sentence may hold a #, its tokens do not
        if len(parts) != 4:
            raise BadFile(path, f"line {number}", line, "caption#tokens#from#to")
        try:
            start, end = (0.0 if math.isnan(float(word)) else float(word) for word in parts[2:])
        except ValueError:
            raise BadFile(path, f"line {number}", "#".join(parts[2:]), "two times in seconds") from None
        if not (math.isfinite(start) and math.isfinite(end)) or start < 0 or (end <= start and (start, end) != (0, 0)):
            raise BadFile(path, f"line {number}", f"from {start:g} to {end:g}", "0 <= from < to, or 0 and 0")
        text = parts[0].strip()
        if not text:
            raise BadFile(path, f"line {number}", line, "a caption before the first #")
        captions.append(Caption(text, start, end))
    if not captions:
        raise BadFile(path, "file", "no captions", "at least one line caption#tokens#from#to")
    return tuple(captions)
