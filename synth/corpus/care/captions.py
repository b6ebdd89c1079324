"""What a script shows, in words: several captions, varied in words and register, who is who."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import Formatter

import numpy as np

STAFF = ("a care worker", "a nurse", "staff", "a carer", "a member of staff")
PATIENT = ("the patient", "an old woman", "an elderly patient", "the resident", "an elderly resident")
MEN = ("the patient", "an old man", "an elderly patient", "the resident", "an elderly resident")
PERSON = ("a person", "somebody", "a visitor", "an adult")

_SEAT = {"bed": ("from the bed", "from the edge of the bed", "out of bed"), "armchair": ("from the armchair",),
         "chair": ("from the chair", "up off the chair")}  # fmt: skip
_HOW = {
    "both_hands": "holding both hands",
    "forearms": "holding both forearms",
    "upper_arms": "with a grip on both upper arms",
    "hand_and_upper_arm": "with one hand on the upper arm and the other holding the hand",
    "hand_and_back": "with a hand on the back and the other holding the hand",
    "forearm_and_back": "with a hand on the back and the other on the forearm",
    "hand_and_elbow": "supporting the elbow and holding the hand",
    "arm_in_arm": "arm in arm",
    "hand_and_waist": "with an arm around the waist",
    "arm_and_back": "with a hand on the back and the arm supported",
}
_SENTENCES = {
    "help_up": (
        "{staff} helps {patient} stand up {seat}",
        "{staff} helps {patient} up {seat}, {how}",
        "{staff} assists {patient} to stand {seat}",
        "{patient} sits and is helped up {seat} by {staff}",
        "{staff} walks up to {patient}, takes hold and helps to stand up {seat}",
    ),
    "help_up_from_floor": (
        "{staff} helps {patient} up from the floor",
        "{patient} sits on the floor and {staff} helps to get up, {how}",
        "{staff} bends down and lifts {patient} off the floor",
        "{patient} gets up from the ground with the help of {staff}",
    ),
    "assist_walking": (
        "{staff} helps {patient} walk, {how}",
        "{staff} walks with {patient}, {how}",
        "{patient} walks slowly, supported by {staff}",
        "{staff} assists {patient} with walking",
        "{staff} and {patient} walk side by side",
    ),
    "assist_sit_down": (
        "{staff} helps {patient} sit down in {place}",
        "{staff} lowers {patient} into {place}, {how}",
        "{patient} sits down in {place} with the help of {staff}",
        "{staff} assists {patient} to sit down",
    ),
}
PLAIN = {
    "help_up_from_bed": "staff helps patient up from the bed",
    "help_up_from_chair": "staff helps patient up from the chair",
    "help_up_from_floor": "staff helps patient up from the floor",
    "assist_walking": "staff helps patient walk",
    "assist_sit_down": "staff helps patient sit down",
}


def captions_of(
    name: str, facts: Mapping[str, str], gender: str, rng: np.random.Generator, count: int = 5
) -> tuple[str, ...]:
    """The plain sentence first, then up to `count` more of the script `name`."""
    kind = "help_up" if name in ("help_up_from_bed", "help_up_from_chair") else name
    seat = facts.get("seat", "chair")
    sentences = list(_SENTENCES[kind])
    order = rng.permutation(len(sentences))[:count]
    found = [PLAIN[name]]
    for index in order:
        patients = PATIENT if gender == "female" else MEN
        text = sentences[index].format(
            staff=STAFF[rng.integers(len(STAFF))],
            patient=patients[rng.integers(len(patients))],
            seat=_SEAT[seat][rng.integers(len(_SEAT[seat]))] if seat in _SEAT else "",
            place="an armchair" if seat == "armchair" else "a chair",
            how=_HOW[facts["grip"]],
        )
        if facts.get("speed"):
            text += f", {facts['speed']}" if "slowly" not in text else ""
        found.append(text[0].upper() + text[1:])
    return tuple(dict.fromkeys(found))


def told(
    sentences: Sequence[str], facts: Mapping[str, str], gender: str, rng: np.random.Generator, count: int = 5
) -> tuple[str, ...]:
    """The first of a class's `sentences` as it is, then up to `count` others with people and `facts` filled in.

    A sentence with a fact that is missing or empty is left out. `{staff}`, `{patient}` are drawn, and so is `{who}` for
    one person alone, by the fact "role".
    """
    found = [sentences[0]]
    for index in rng.permutation(len(sentences) - 1):
        patients = PATIENT if gender == "female" else MEN
        words = {"staff": STAFF[rng.integers(len(STAFF))], "patient": patients[rng.integers(len(patients))]}
        sentence = sentences[1 + index]
        named = [name for _, name, _, _ in Formatter().parse(sentence) if name]
        if "who" in named:
            people = {"staff": STAFF, "person": PERSON}.get(facts.get("role", ""), patients)
            words["who"] = people[rng.integers(len(people))]
        known = {**facts, **words}
        if len(found) <= count and all(known.get(name) for name in named):
            text = sentence.format(**known)
            found.append(text[0].upper() + text[1:])
    return tuple(dict.fromkeys(found))
