"""Mirror images of motions, words included."""

from __future__ import annotations

import re
from dataclasses import replace

from synth.body import BodyModel
from synth.corpus.care.pairs import mirrored as mirrored_motion
from synth.interaction import Interaction

_OTHER = {
    "left": "right", "right": "left", "clockwise": "counterclockwise", "counterclockwise": "clockwise",
    "counter-clockwise": "clockwise", "anticlockwise": "clockwise", "anti-clockwise": "clockwise",
    "lefthand": "righthand", "righthand": "lefthand", "leftward": "rightward", "rightward": "leftward",
    "leftwards": "rightwards", "rightwards": "leftwards",
}  # fmt: skip
# whole words only ("upright" stays), longest first ("counterclockwise" is one word, not "counter" and "clockwise")
_WORD = re.compile(r"(?<![\w-])(" + "|".join(sorted(_OTHER, key=len, reverse=True)) + r")(?!\w)", re.IGNORECASE)
# "right away", "all right", "he left the room" speak of no side
_NO_SIDE = re.compile(
    r"\b(all right|right (?:away|now|after|before)"
    r"|(?:has|have|had|is|was|are|were|he|she|they) left (?=the\b|alone|behind))",
    re.IGNORECASE,
)


def mirror_text(text: str) -> str:
    """A caption with left and right exchanged as words; mirrored again it is the original."""
    kept = [match.span() for match in _NO_SIDE.finditer(text)]

    def other(match: re.Match[str]) -> str:
        if any(start <= match.start() < end for start, end in kept):
            return match[0]
        word = _OTHER[match[0].lower()]
        return word.upper() if match[0].isupper() else word.capitalize() if match[0][0].isupper() else word

    return _WORD.sub(other, text)


def mirror(motion: Interaction, body: BodyModel) -> Interaction:
    """The mirror image of a motion with its labels and captions."""
    image = mirrored_motion(motion, body)
    meta = image.meta
    return replace(
        image,
        meta=replace(
            meta,
            text=mirror_text(meta.text),
            captions=tuple(mirror_text(text) for text in meta.captions),
            source={**meta.source, "mirrored": not meta.source.get("mirrored", False)},
        ),
    )
