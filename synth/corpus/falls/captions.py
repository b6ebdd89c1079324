"""What a fall looks like, in words of different registers; the first sentence is the plain one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

_WOMEN = ("an old woman", "an elderly woman", "the resident", "a patient", "an elderly patient", "a frail lady")
_MEN = ("an old man", "an elderly man", "the resident", "a patient", "an elderly patient", "a frail gentleman")
_YOUNGER = ("a person", "someone", "a patient", "the resident")

# interaction class -> plain sentence and others; {who}, and by the facts {cause}, {side}, {start}, {place}
_SENTENCES: dict[str, tuple[str, ...]] = {
    "fall_forward": (
        "{who} falls forward",
        "{who} {cause} and falls forward onto the floor",
        "{who} {cause}, pitches forward and lands on the hands and knees",
        "Fall: {who} goes down face first",
        "{who} {start} and suddenly falls forwards",
        "{who} loses balance and falls on the front",
    ),
    "fall_backward": (
        "{who} falls backward",
        "{who} {cause} and falls backwards onto the floor",
        "{who} {cause}, lands on the bottom and rolls onto the back",
        "Fall: {who} goes over backwards",
        "{who} {start} and suddenly falls over backwards",
        "{who} loses balance and falls on the back",
    ),
    "fall_sideways": (
        "{who} falls sideways",
        "{who} {cause} and falls to the {side}",
        "{who} {cause}, tips over to the {side} side and lands on the floor",
        "Fall: {who} lands on the {side} hip",
        "{who} {start} and topples over to the {side}",
        "{who} loses balance and falls to one side",
    ),
    "fall_from_bed": (
        "{who} falls out of bed",
        "{who} {cause} and falls from the bed to the floor",
        "{who} {start} and falls out of bed",
        "Fall from bed: {who} ends up on the floor beside the bed",
        "{who} drops off the edge of the bed and stays on the floor",
    ),
    "fall_from_chair": (
        "{who} falls from a chair",
        "{who} {cause} and falls off the chair",
        "{who} {start} and falls from the {place} to the floor",
        "Fall from chair: {who} lands on the floor beside it",
        "{who} {cause} and ends up on the floor next to the {place}",
    ),
    "slip_to_floor": (
        "{who} slips to the floor",
        "{who} {cause} and ends up on the floor",
        "{who} {start} and slides to the floor",
        "{who} slides down to the floor and cannot stop it",
        "Slide: {who} {cause} and is found on the floor",
    ),
}
_CAUSES: dict[str, tuple[str, ...]] = {
    "trip": ("trips", "trips over something", "catches a foot", "stumbles"),
    "faint": ("faints", "collapses", "passes out", "loses consciousness"),
    "push": ("is pushed", "gets a shove", "is bumped into"),
    "balance": ("loses balance", "sways too far", "staggers"),
    "stiff": ("goes rigid", "has a seizure and stiffens", "tips over like a plank"),
    "bend": ("bends down too far", "reaches for the floor", "overbalances while bending"),
    "reach": ("reaches up too far", "overbalances while reaching up", "leans back"),
    "slip": ("slips", "slips on the wet floor", "loses footing"),
    "buckle": ("has a leg give way", "buckles at one knee", "cannot hold the weight on one leg"),
    "turn": ("turns too quickly", "loses balance while turning", "stumbles at a turn"),
    "sink": ("sinks down", "sags as both legs give way", "gets weak at the knees"),
    "roll": ("rolls over too far", "turns over in sleep", "rolls over the edge"),
    "topple": ("topples over", "leans too far", "slumps over"),
    "rise": ("cannot hold the weight when getting up", "gets up and loses balance", "tries to stand up alone"),
    "miss": ("misses the seat", "sits down beside the seat", "sits down where no seat is"),
    "slide": ("slides off the seat", "slides forward off the edge", "slips off the front"),
}
_RISES = (", and slowly gets up again", "; after a while the person gets up alone", ", then manages to stand up", "")
_STARTS = {
    "walk": ("is walking", "walks along", "is on the way through the room"),
    "standing": ("is standing", "stands there", "is standing still"),
    "sitting": ("is sitting", "sits there", "has been sitting"),
    "other": ("is bending down", "bends to the floor", "stoops"),
    "lying": ("is lying in bed", "lies asleep", "is in bed"),
    "stand_up": ("is getting up", "rises from the seat", "tries to get up"),
    "sit_down": ("is about to sit down", "wants to sit down", "is sitting down"),
}


def captions_of(
    kind: str,
    facts: Mapping[str, str],
    start: str,
    gender: str,
    age: float,
    rng: np.random.Generator,
    rises: bool = False,
) -> tuple[str, ...]:
    """Captions of a fall of class `kind`: the plain one, then four more in varied words; `rises`: gets up again."""

    def one(options: Sequence[str]) -> str:
        return options[int(rng.integers(len(options)))]

    people = _YOUNGER if age < 62 else _WOMEN if gender == "female" else _MEN
    sentences = _SENTENCES[kind]
    order = [0, *(1 + rng.permutation(len(sentences) - 1)[:4]).tolist()]
    found = []
    for index in order:
        who = "patient" if index == 0 else one(people)
        text = sentences[index].format(
            who=who, cause=one(_CAUSES[facts["cause"]]), side=facts.get("side", ""), start=one(_STARTS[start]),
            place=facts.get("place", "chair"),
        )  # fmt: skip
        if rises:
            text += ", then gets up" if index == 0 else one(_RISES)
        found.append(text if index == 0 else text[0].upper() + text[1:])
    return tuple(dict.fromkeys(found))
