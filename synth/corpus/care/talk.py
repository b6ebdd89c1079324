"""Two people who stand and talk: captured standing, captured gestures in turns, nods, looks; some come up first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.corpus.care.company import arriving, moments, nodding, speaking, standing, turned_to
from synth.corpus.care.script import FPS, PATIENT, STAFF, Actor, Hold, Phase, Script
from synth.corpus.care.strategies import Cast, Variant
from synth.corpus.care.tracks import StanceKey
from synth.interaction import ActionSegment

NAMES = ("patient", "staff")


@dataclass(frozen=True)
class TalkVariant(Variant):
    """How two people talk on their feet.

    apart: metres between them; turned: radians both stand off from face to face; idles: how patient and staff stand;
    turns: who speaks ("s" staff, "p" patient), in order, each with the same share of the time, "b" both at once, "-"
    nobody; gestures: of patient and staff; comes: who walks up first ("", "staff", "patient"); greeting: "", "wave" or
    "shake"; lasts: seconds of talk.
    """

    grip: str = "talk"
    apart: float = 1.0
    turned: float = 0.15
    idles: tuple[str, str] = ("idle_still", "idle_hands")
    turns: str = "sp"
    gestures: tuple[str, str] = ("gesture_open", "gesture_both")
    comes: str = ""
    greeting: str = ""
    lasts: float = 6.0
    strategy: str = ""


def talk_standing(cast: Cast, variant: TalkVariant, rng: np.random.Generator) -> Script:
    """Face to face or at an angle; one tells, the other nods; then the other way round."""
    apart = variant.apart * float(rng.uniform(0.94, 1.08))
    turned = variant.turned * float(rng.uniform(0.7, 1.3))
    places = [turned_to((0.0, 0.0), (apart, 0.0), turned), turned_to((apart, 0.0), (0.0, 0.0), -turned)]
    greets = 2.2 if variant.greeting else 0.0
    walks = 1.6 if variant.comes else 0.0
    seconds = walks + greets + variant.lasts * float(rng.uniform(0.95, 1.1))
    frames = round(seconds * FPS)
    seconds = frames / FPS
    tracks, arrived = [], 0.0
    for who in (PATIENT, STAFF):
        if variant.comes == NAMES[who]:
            lean = 0.08 if who == PATIENT else 0.04
            keys = [StanceKey(0.0, 0.008, lean), StanceKey(seconds, 0.012, lean + 0.02, (0.0, 0.02))]
            tempo = (1.35 if who == PATIENT else 1.1) * variant.tempo
            track, arrived = arriving(cast, who, frames, places[who], keys, float(rng.uniform(1.0, 1.5)), tempo)
            tracks.append(cast.alive(who, track))
        else:
            first = int(rng.integers(0, 60))
            tracks.append(standing(cast, who, frames, places[who], variant.idles[who], first))
    holds: tuple[Hold, ...] = ()
    begin = arrived + 0.1
    if variant.greeting == "shake":
        for who in (PATIENT, STAFF):
            piece = cast.piece(who, "shake_hands", 1.0, 6.0)
            tracks[who] = speaking(tracks[who], piece, begin, begin + 2.3, 0.9)
        holds = (Hold(STAFF, "right_hand", PATIENT, "right_hand", begin + 0.75, begin + 1.75),)
    elif variant.greeting == "wave":
        who = STAFF if variant.comes != "patient" else PATIENT
        tracks[who] = speaking(tracks[who], cast.piece(who, "wave", 0.4, 2.8), max(0.1, begin - 0.6), begin + 1.6)
    begin += greets
    each = (seconds - begin) / max(1, len(variant.turns))
    for index, turn in enumerate(variant.turns):
        start, end = begin + index * each, begin + (index + 1) * each
        for who, letter in ((PATIENT, "p"), (STAFF, "s")):
            if turn in (letter, "b"):
                amount = (0.55 if who == PATIENT else 0.7) * float(rng.uniform(0.8, 1.15))
                gesture = cast.piece(who, variant.gestures[who])
                tracks[who] = speaking(tracks[who], gesture, start + 0.1, end - 0.1, min(amount, 0.95))
            elif turn != "-":
                tracks[who] = nodding(tracks[who], moments(rng, start, end), float(rng.uniform(0.15, 0.28)))
    actions = []
    for who in (PATIENT, STAFF):
        at = arrived if variant.comes == NAMES[who] else 0.0
        if at:
            actions.append(ActionSegment(who, 0.0, at, "walk"))
        actions.append(ActionSegment(who, at, seconds, "standing"))
    talk = Phase("support", begin, seconds)
    greeted = {"": "", "wave": "waves and ", "shake": "shakes hands and "}[variant.greeting]
    return Script(
        name="talk_standing",
        seconds=seconds,
        phases=(Phase("approach", 0.0, arrived), talk) if arrived else (talk,),
        actors=(Actor(cast.betas[PATIENT], tracks[PATIENT]), Actor(cast.betas[STAFF], tracks[STAFF])),
        holds=holds,
        looks=((PATIENT, 0.25), (STAFF, 0.2)),
        facts={"grip": "talk", "strategy": variant.strategy, "greets": greeted},
        actions=tuple(actions),
        core=(round(max(0.0, begin - greets), 3), round(seconds, 3)),
        datasets=("cmu", "reactidle", *(("soma",) if variant.greeting == "wave" else ())),
    )


BUILDERS = {"talk_standing": talk_standing}
VARIANTS: dict[str, tuple[TalkVariant, ...]] = {
    "talk_standing": (
        TalkVariant(strategy="in turns"),
        TalkVariant(comes="staff", turns="s", lasts=5.0, idles=("idle_still", "idle"), strategy="staff tells"),
        TalkVariant(turns="p", gestures=("gesture_both", "gesture_open"), idles=("idle", "idle_folded"),
                    apart=1.1, strategy="patient tells, staff listens"),
        TalkVariant(comes="staff", greeting="shake", apart=0.78, turned=0.08, turns="s", lasts=3.5,
                    strategy="shake hands"),
        TalkVariant(turned=0.6, apart=0.85, turns="sps", lasts=7.5, mirror=True, idles=("idle_fidget", "idle_folded"),
                    strategy="at an angle"),
        TalkVariant(comes="patient", turns="ps", lasts=5.5, tempo=1.1, idles=("idle", "idle_hands"),
                    strategy="patient comes and asks"),
        TalkVariant(turns="s", gestures=("gesture_open", "gesture_point"), apart=1.15, mirror=True,
                    strategy="staff shows the way"),
        TalkVariant(greeting="wave", comes="staff", turns="sp", lasts=4.0, apart=1.2, strategy="wave and greet"),
        TalkVariant(turns="b", gestures=("gesture_both", "gesture_open"), apart=1.05, turned=0.3, lasts=6.5,
                    strategy="lively"),
        TalkVariant(turns="-p-", idles=("idle_chin", "idle_folded"), lasts=7.0, mirror=True, strategy="thoughtful"),
    ),
}  # fmt: skip
CAPTIONS: dict[str, tuple[str, ...]] = {
    "talk_standing": (
        "staff and a patient stand and talk",
        "{staff} talks to {patient}, both standing",
        "{staff} and {patient} stand face to face and have a conversation",
        "{patient} and {staff} chat",
        "{staff} stands with {patient} and explains something",
        "{staff} {greets}talks with {patient}",
    )
}
