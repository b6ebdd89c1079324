"""Which motions of the library a prompt means.

Nearness is the cosine of sentence embeddings, the best over an entry's captions. Sentence embeddings know topics better
than opposites ("sits down" is close to "stands up", "from the bed" to "from the chair", and who does it hardly counts),
so plain contradictions of words cost a penalty; the similarity that is reported stays the cosine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from synth.errors import BadOption

# Measured by `python -m benchmarks.retrieval`: prompts that mean something in the library score above it (their 5th
# percentile), prompts about something else below (their 95th).
THRESHOLD = 0.50
MARGIN = 0.06  # entries this close to the best one mean the same: the draw among them makes the clips differ
CONTRADICTION = 0.12  # cost of each group of cues in which prompt and caption disagree
SHOWN = 3  # nearest captions that a warning names

# Groups of cues; within a group they exclude each other. The names are only for reading.
_CUES: dict[str, dict[str, str]] = {
    "way": {
        "up": r"(stands?|standing|gets?|getting|helps?|helping|helped|lifts?|lifted|pulls?|pulled|sits?|comes?|raises?"
              r"|brings?|assists?|back"
              r"|(patient|resident|him|her|them|person|man|woman|lady)) up\b|rises?|rising|raises?|to (his|her|their) "
              r"feet|upright|(lifts?|lifting) (the |an? )?(patient|resident|elderly|old|him|her|person|man|woman)\b"
              r"|out of (the |a )?(bed|chair|armchair|wheelchair|seat)|stands? (from|after)|to stand",
        "down": r"(sits?|sitting|sat|lies?|lying|lays?|kneels?|squats?|gets?|bends?|lowers?|crouch\w*) (\w+ ){0,3}down"
                r"|lower(s|ed|ing)?\b|lies?\b|kneel\w*|sink\w*|into (the |a |an )?(bed|chair|armchair|wheelchair|seat)"
                r"|to sit\b|\bsit (in|on|into|back)\b|(help|assist)\w* (\w+ ){1,4}(sit|lie)\b"
                r"|(take|takes|have|has) a seat",
        "along": r"\bpush\w*|\bwheel(s|ed|ing)\b",
    },
    "place": {
        "bed": r"\bbed(side)?\b|mattress",
        "seat": r"\b(arm|wheel)?chair\b|\bsofa\b|\bstool\b|\bseat\b|couch|recliner",
        "floor": r"\b(floor|ground)\b|fallen",
    },
    "gait": {
        "walk": r"\bwalk\w*|\bstroll\w*|\bpac(es|ing)\b|\bwander\w*|\bshuffl\w*|\bhurr(y|ies)\b",
        "crawl": r"\bcrawl\w*|hands and knees|all fours",
    },
}  # fmt: skip
_STAFF = r"\b(staff|nurses?|carers?|caregivers?|care (worker|assistant|giver|aide)s?|aides?|assistants?|therapists?" \
         r"|physio\w*|orderly|helper|attendant|employee)\b"  # fmt: skip
_PATIENT = r"\b(patients?|residents?|elderly|senior|old (man|woman|lady|person)|grandm\w+|grandfa\w+|client)\b"
_HELP = r"\b(help(s|ing|ed)?|assist(s|ing|ed)?|aid(s|ing|ed)|support(s|ing|ed)?|guid(e|es|ing)|escort\w*|accompan\w+" \
        r"|together|two people|both|lift(s|ing)? (the|a|an|him|her) " \
        r"(patient|resident|elderly|old|person|man|woman))\b"  # fmt: skip
_ALONE = r"\b(alone|by (him|her|it|them)sel(f|ves)|on (his|her|their) own|without (help|assistance|support)|unaided" \
         r"|independently)\b"  # fmt: skip
# Losing one's balance, as it happens ("fallen", "who fell", "after a fall" tell of what was before).
_FALL = r"(?<!after a )(?<!after the )(?<!who )\b(falls?|falling|fell|faint(s|ing|ed)?|pass(es|ing)? out|collaps\w*" \
        r"|tumbl\w*|trip(s|ping|ped)?|slip(s|ping|ped)?|stumbl\w*|toppl\w*|slid(es?|ing)?|slump\w*" \
        r"|loses? consciousness|bumped into)\b(?! asleep)"  # fmt: skip
_FAMILY = {"help_up_from_bed": "help_up", "help_up_from_chair": "help_up", "help_up_from_floor": "help_up"}


class Captioned(Protocol):
    """What matching needs of a library entry."""

    @property
    def id(self) -> str: ...
    @property
    def captions(self) -> tuple[str, ...]: ...
    @property
    def interaction_class(self) -> str | None: ...
    @property
    def people(self) -> int: ...


class Encoder(Protocol):
    """Sentences to unit vectors (`synth.text.TextEncoder`)."""

    def encode(self, texts: Sequence[str]) -> np.ndarray: ...


@dataclass(frozen=True)
class Ranked:
    """An entry, its caption nearest to the prompt, the cosine, and the score that ranks it."""

    index: int
    caption: str
    similarity: float
    score: float


class Matcher:
    """Ranks entries by nearness to a prompt. Captions are embedded once."""

    def __init__(self, entries: Sequence[Captioned], encoder: Encoder) -> None:
        self.entries, self.encoder = tuple(entries), encoder
        self._captions = list(dict.fromkeys(caption for entry in self.entries for caption in entry.captions))
        self._rows = encoder.encode(self._captions)
        self._plain_rows = encoder.encode([plain_roles(caption) for caption in self._captions])
        self._cues = [cues(caption) for caption in self._captions]
        self._falls = np.array([falls(caption) for caption in self._captions])
        self._of = [[self._captions.index(caption) for caption in entry.captions] for entry in self.entries]

    def rank(self, prompt: str) -> list[Ranked]:
        """All entries, best first; equal ones by id.

        Raises:
            BadOption: the prompt is empty.
        """
        if not prompt.strip():
            raise BadOption("prompt", repr(prompt), "a sentence that says what happens")
        own_words, plain_words = self.encoder.encode([prompt, plain_roles(prompt)]).astype(np.float64)
        # rounded, so that the last digits of a matrix product on another machine do not decide a draw
        cosine = np.round(np.maximum(self._rows @ own_words, self._plain_rows @ plain_words), 4)
        asked, number = cues(prompt), people_in(prompt)
        clash = np.array([sum(bool(a and b and not a & b) for a, b in zip(asked, c, strict=True)) for c in self._cues])
        clash = clash + 2 * (self._falls != falls(prompt))  # nobody wants the one for the other
        ranked = []
        for index, (entry, own) in enumerate(zip(self.entries, self._of, strict=True)):
            wrong = number is not None and (number > 1) != (entry.people > 1)
            scores = [float(cosine[i] - CONTRADICTION * (clash[i] + wrong)) for i in own]
            best = int(np.argmax(scores))
            ranked.append(Ranked(index, self._captions[own[best]], float(cosine[own[best]]), round(scores[best], 4)))
        return sorted(ranked, key=lambda r: (-r.score, self.entries[r.index].id))


def near_best(ranked: Sequence[Ranked], entries: Sequence[Captioned], margin: float = MARGIN) -> list[Ranked]:
    """Those that show the same as the first one and whose score is within ``margin`` of its."""
    if not ranked:
        return []
    best = entries[ranked[0].index]
    return [
        r for r in ranked
        if r.score >= ranked[0].score - margin - 1e-9 and _shows(entries[r.index]) == _shows(best)
    ]  # fmt: skip


def same(a: Captioned, b: Captioned) -> bool:
    """Whether two entries show the same action."""
    return _shows(a) == _shows(b)


def _shows(entry: Captioned) -> str:
    """What counts as the same action: the class, up to where the patient is helped up from; else the id's stem."""
    name = entry.interaction_class
    return _FAMILY.get(name, name) if name else re.sub(r"[_\d]+$", "", entry.id)


def plain_roles(text: str) -> str:
    """The text with one word for staff and one for patients: embeddings hold "carer" and "nurse" far apart."""
    return re.sub(_PATIENT, "patient", re.sub(_STAFF, "nurse", text.lower()))


def role_in(prompt: str) -> str | None:
    """ "staff" or "patient" where the prompt names exactly one of them."""
    lower = prompt.lower()
    staff, patient = bool(re.search(_STAFF, lower)), bool(re.search(_PATIENT, lower))
    return None if staff == patient else "staff" if staff else "patient"


def cues(text: str) -> tuple[frozenset[str], ...]:
    """For each group of cues, those that the text holds."""
    lower = text.lower()
    return tuple(
        frozenset(name for name, pattern in group.items() if re.search(pattern, lower)) for group in _CUES.values()
    )


def falls(text: str) -> bool:
    """Whether somebody loses their balance: a prompt for that means no motion without it, nor the other way round."""
    return bool(re.search(_FALL, text.lower()))


def people_in(prompt: str) -> int | None:
    """1 or 2 where the prompt's words say how many people act, else None."""
    lower = prompt.lower()
    if re.search(_ALONE, lower):
        return 1
    staff, patient = bool(re.search(_STAFF, lower)), bool(re.search(_PATIENT, lower))
    if (staff and patient) or re.search(_HELP, lower):
        return 2
    if staff or patient or re.search(r"\b(person|someone|man|woman)\b", lower):
        return 1
    return None
