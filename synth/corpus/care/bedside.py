"""Staff with somebody who sits, lies or stands: talk at the bedside, and touches that comfort."""

from __future__ import annotations

import numpy as np

from synth.corpus.care.beside import IN_BED, BesideVariant, Presence, at_rest, beside
from synth.corpus.care.company import moments, nodding, speaking
from synth.corpus.care.script import FPS, PATIENT, STAFF, Hold, Phase, Script
from synth.corpus.care.strategies import Cast
from synth.corpus.care.tracks import Track

_S, _P = STAFF, PATIENT
_WHERE = {
    "edge": "sits on the edge of the bed", "up": "sits in bed", "lying": "lies in bed", "chair": "sits on a chair",
    "armchair": "sits in an armchair", "standing": "stands",
}  # fmt: skip
_HOW = {
    "stands": "stands beside {patient}", "bends": "bends down", "comes": "comes up", "sits": "sits beside {patient}",
    "chair": "sits at the bed", "kneels": "kneels down", "behind": "stands behind {patient}",
}  # fmt: skip


def _together(cast: Cast, variant: BesideVariant, frames: int, rng: np.random.Generator) -> tuple[Presence, Presence]:
    rest = at_rest(cast, variant.patient, frames, rng, variant.recline)
    height = (rest.furniture[0].seat_height or 0.0) if rest.furniture else 0.0
    return rest, beside(cast, variant, frames, rng, height)


def _datasets(variant: BesideVariant) -> tuple[str, ...]:
    bed = ("hdm05",) if variant.patient in IN_BED else ()
    return (*bed, "cmu", "reactidle", *(("deepmimic",) if variant.staff == "kneels" else ()))


def talk_at_bedside(cast: Cast, variant: BesideVariant, rng: np.random.Generator) -> Script:
    """The patient is in bed or on its edge, the staff beside; they look at each other, one speaks, the other nods."""
    comes = {"comes": 1.2, "kneels": 1.8}.get(variant.staff, 0.0)
    frames = round((comes + variant.lasts * float(rng.uniform(0.95, 1.1))) * FPS)
    seconds = frames / FPS
    rest, staff = _together(cast, variant, frames, rng)
    tracks = [rest.track, staff.track]
    begin = staff.there
    each = (seconds - begin) / max(1, len(variant.turns))
    for index, turn in enumerate(variant.turns):
        start, end = begin + index * each, begin + (index + 1) * each
        for who, letter in ((_P, "p"), (_S, "s")):
            if turn == letter:
                amount = {_P: 0.6 if variant.patient != "lying" else 0.5, _S: 0.9}[who]
                piece = cast.piece(who, variant.gestures[who])
                amount *= float(rng.uniform(0.85, 1.15))
                tracks[who] = speaking(tracks[who], piece, start + 0.1, end - 0.1, amount)
            elif turn != "-":
                tracks[who] = nodding(tracks[who], moments(rng, start, end), float(rng.uniform(0.12, 0.24)))
    return _script(
        "talk_at_bedside", cast, variant, rest, staff, tracks, (),
        (Phase("approach", 0.0, begin), Phase("support", begin, seconds)),
        (max(0.0, begin - 0.4), seconds), (0.3, 0.2), {},
    )  # fmt: skip


def _script(
    name: str,
    cast: Cast,
    variant: BesideVariant,
    rest: Presence,
    staff: Presence,
    tracks: list[Track],
    holds: tuple[Hold, ...],
    phases: tuple[Phase, ...],
    core: tuple[float, float],
    looks: tuple[float, float],
    facts: dict[str, str],
) -> Script:
    return Script(
        name=name,
        seconds=tracks[0].frames / FPS,
        phases=phases,
        actors=(rest.actor(cast, _P, tracks[_P]), staff.actor(cast, _S, tracks[_S])),
        holds=holds,
        furniture=(*rest.furniture, *staff.furniture),
        seats=(*rest.seats, *staff.seats),
        lies=rest.lies,
        kneels=staff.kneels,
        looks=((_P, looks[0]), (_S, looks[1])),
        facts={"grip": variant.grip, "strategy": variant.strategy, "place": _WHERE[variant.patient],
               "how": _HOW[variant.staff].format(patient="the patient"), **facts},
        actions=(*rest.actions, *staff.actions),
        core=(round(core[0], 3), round(core[1], 3)),
        datasets=_datasets(variant),
    )  # fmt: skip


# --- comfort ----------------------------------------------------------------------------------------------------------

# who holds what: of a staff on the patient's left or in front; `lying_`: of one at the right side of who lies
_TOUCHES: dict[str, tuple[tuple[str, str], ...]] = {
    "shoulder": (("right_hand_flat", "left_shoulder"),),
    "upper_arm": (("right_hand_flat", "left_upper_arm_outer"),),
    "shoulder_and_hand": (("right_hand_flat", "left_shoulder"), ("left_hand_flat", "left_hand_top")),
    "hand": (("left_hand", "left_hand"), ("right_hand_flat", "left_hand_top")),
    "back_and_hand": (("right_hand_flat", "upper_back"), ("left_hand_flat", "left_hand_top")),
    "both_hands": (("right_hand", "left_hand"), ("left_hand", "right_hand")),
    "knee_and_hand": (("right_hand_flat", "left_thigh"), ("left_hand_flat", "right_hand_top")),
    "both_shoulders": (("right_hand_flat", "right_shoulder"), ("left_hand_flat", "left_shoulder")),
    "lying_hand": (("right_hand_flat", "right_hand_top"),),
    "lying_shoulder": (("left_hand_flat", "right_upper_arm_outer"), ("right_hand_flat", "right_hand_top")),
    "lying_arm": (("left_hand_flat", "right_upper_arm_front"),),
}
_STROKES: dict[str, tuple[tuple[str, str, str], ...]] = {  # the same hand, from one spot to the next and back
    "stroke_arm": (("right_hand_flat", "left_shoulder", "left_upper_arm_outer"),),
    "stroke_back": (("right_hand_flat", "upper_back", "lower_back"),),
}
_TOLD = {
    "shoulder": "a hand on the shoulder", "upper_arm": "a hand on the arm",
    "shoulder_and_hand": "one hand on the shoulder and the other on the hand", "hand": "both hands around the hand",
    "back_and_hand": "an arm around the back and a hand on the hand", "both_hands": "holding both hands",
    "knee_and_hand": "a hand on the knee", "both_shoulders": "both hands on the shoulders",
    "lying_hand": "a hand on the hand", "lying_shoulder": "one hand on the arm and one on the hand",
    "lying_arm": "a hand on the arm", "stroke_arm": "a hand stroking the arm",
    "stroke_back": "a hand stroking the back",
}  # fmt: skip


def comfort_touch(cast: Cast, variant: BesideVariant, rng: np.random.Generator) -> Script:
    """The staff comes close, lays a hand on the patient, leaves it there or strokes, speaks; the patient looks up."""
    comes = {"comes": 1.7, "kneels": 2.1}.get(variant.staff, 0.5)
    wait = variant.hesitation  # before the hand touches after all
    frames = round((comes + wait + 1.6 + variant.lasts * float(rng.uniform(0.9, 1.1))) * FPS)
    seconds = frames / FPS
    rest, staff = _together(cast, variant, frames, rng)
    touch, let_go = staff.there + 0.75 + wait, seconds - 0.75
    holds = [Hold(_S, own, _P, spot, touch, let_go, 0.4) for own, spot in _TOUCHES.get(variant.grip, ())]
    for own, upper, lower in _STROKES.get(variant.grip, ()):
        at, index = touch, 0
        while at < let_go - 0.4:
            end = min(at + 0.55, let_go)
            holds.append(Hold(_S, own, _P, (upper, lower)[index % 2], at, end))
            at, index = end + 0.35, index + 1
    tracks = [nodding(rest.track, moments(rng, touch, let_go, 2.2), 0.18), staff.track]
    tracks[_S] = nodding(tracks[_S], moments(rng, touch, let_go, 1.6), 0.15)
    phases = (
        Phase("approach", 0.0, staff.there), Phase("reach", staff.there, touch), Phase("support", touch, let_go),
        Phase("let go", let_go, seconds),
    )  # fmt: skip
    facts = {"touch": _TOLD[variant.grip], "strokes": "strokes" if variant.grip in _STROKES else ""}
    core = (max(0.0, touch - 0.7), min(seconds, let_go + 0.4))
    return _script("comfort_touch", cast, variant, rest, staff, tracks, tuple(holds), phases, core, (0.4, 0.25), facts)


BUILDERS = {"talk_at_bedside": talk_at_bedside, "comfort_touch": comfort_touch}
_B = BesideVariant
VARIANTS: dict[str, tuple[BesideVariant, ...]] = {
    "talk_at_bedside": (
        _B(patient="lying", staff="bends", lean=0.4, turns="sp", mirror=True, strategy="bends to who lies"),
        _B(patient="edge", staff="stands", lean=0.2, turns="sp", gestures=("gesture_both", "gesture_open"),
           strategy="before who sits on the edge"),
        _B(patient="lying", recline="knees_up", staff="comes", lean=0.3, turns="sp", mirror=True, strategy="walks up"),
        _B(patient="up", staff="stands", lean=0.1, turns="sp", mirror=True,
           strategy="patient sits in bed"),
        _B(patient="edge", staff="kneels", lean=0.1, turns="sp", lasts=5.5, strategy="kneels before"),
        _B(patient="edge", staff="sits", turns="ps", lasts=7.0, gestures=("gesture_both", "gesture_open"),
           strategy="side by side on the edge"),
        _B(patient="edge", staff="comes", lean=0.15, turns="sps", gestures=("gesture_both", "gesture_open"),
           mirror=True, strategy="comes to the edge"),
        _B(patient="lying", staff="stands", lean=0.1, turns="ps", gestures=("gesture_both", "gesture_point"),
           strategy="patient tells, staff stands upright"),
        _B(patient="up", staff="comes", lean=0.25, turns="s", lasts=5.0,
           strategy="comes to who sits in bed"),
        _B(patient="lying", staff="chair", turns="sp", lasts=7.0, mirror=True, strategy="on a chair at the bed"),
    ),
    "comfort_touch": (
        _B(grip="shoulder", patient="edge", staff="comes", lean=0.3, lasts=3.2, at=(0.55, 0.52, -2.3),
           strategy="shoulder"),
        _B(grip="both_hands", patient="armchair", seat="armchair", staff="kneels", lean=0.2, lasts=4.0,
           strategy="kneels, both hands"),
        _B(grip="lying_shoulder", patient="lying", staff="bends", lean=0.6, lasts=3.5, mirror=True,
           at=(0.52, -0.22, -2.75), strategy="at the bed"),
        _B(grip="back_and_hand", patient="edge", staff="sits", lasts=4.5, mirror=True, at=(0.0, 0.5, -0.2),
           strategy="side by side"),
        _B(grip="upper_arm", patient="standing", seat="", staff="comes", lean=0.06, lasts=3.0, mirror=True,
           strategy="both standing"),
        _B(grip="both_shoulders", patient="chair", seat="chair", staff="behind", lean=0.2, lasts=3.5,
           strategy="from behind"),
        _B(grip="stroke_back", patient="standing", seat="", staff="stands", lean=0.16, lasts=4.0,
           at=(0.02, 0.54, -1.25), strategy="strokes the back"),
        _B(grip="hand", patient="chair", seat="chair", staff="bends", lean=0.5, lasts=3.5, mirror=True,
           strategy="holds the hand"),
        _B(grip="lying_hand", patient="lying", recline="knees_up", staff="comes", lean=0.5, lasts=3.0, mirror=True,
           strategy="hand in bed"),
        _B(grip="stroke_arm", patient="armchair", seat="armchair", staff="comes", lean=0.4, lasts=3.6, hesitation=0.6,
           strategy="hesitates, then strokes the arm"),
        _B(grip="knee_and_hand", patient="chair", seat="chair", staff="kneels", lean=0.2, lasts=3.5, tempo=1.1,
           mirror=True, strategy="hand on the knee"),
    ),
}  # fmt: skip
CAPTIONS: dict[str, tuple[str, ...]] = {
    "talk_at_bedside": (
        "staff talks to a patient at the bedside",
        "{patient} {place} and talks with {staff}",
        "{staff} {how} and talks to {patient}, who {place}",
        "{staff} visits {patient} at the bedside for a chat",
        "{staff} explains something to {patient}, who {place}",
        "a conversation between {staff} and {patient}, who {place}",
    ),
    "comfort_touch": (
        "staff comforts a patient with a touch",
        "{staff} comforts {patient}, {touch}",
        "{patient} {place} and {staff} comforts them, {touch}",
        "{staff} {how} and reassures {patient} with a touch",
        "{staff} gently {strokes} {patient} to calm them",
        "{staff} consoles {patient}",
    ),
}
