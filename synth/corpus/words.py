"""What the words of a prompt or a caption say outright: who acts, how many, which way, where, and whether they fall."""

from __future__ import annotations

import re

# Groups of cues; within a group they exclude each other. The names are only for reading.
CUES: dict[str, dict[str, str]] = {
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
_PATIENT = r"\b(patients?|residents?|elderly|senior|old (man|woman|lady|person)|lad(y|ies)|gentlem[ae]n|pensioners?" \
           r"|gran(ny|nies|d(ma|pa|dad|mother|father)\w*)?|client)\b"  # fmt: skip
_FEMALE = r"\b(wom[ae]n|lad(y|ies)|girl|gran(ny|nies|dma|dmother)\w*|mother|wife|sister|widow|female)\b"
_MALE = r"\b(m[ae]n|gentlem[ae]n|boy|grand(pa|dad|father)\w*|father|husband|brother|widower|male)\b"
_SHE, _HE = r"\b(she|hers?|herself)\b", r"\b(he|his|him|himself)\b"
_HELP = r"\b(help(s|ing|ed)?|assist(s|ing|ed)?|aid(s|ing|ed)|support(s|ing|ed)?|guid(e|es|ing)|escort\w*|accompan\w+" \
        r"|together|two people|both|lift(s|ing)? (the|a|an|him|her) " \
        r"(patient|resident|elderly|old|person|man|woman))\b"  # fmt: skip
_ALONE = r"\b(alone|by (him|her|it|them|one)sel(f|ves)|on (his|her|their|one's) own" \
         r"|without (\w+('s)? ){0,2}(help(ing)?|assist(ance|ing)|aid|support(ing)?)|una(ided|ssisted)|independently" \
         r"|(nobody|no one|no-one) (is )?(help|assist|support)\w*)\b"  # fmt: skip
# Losing one's balance, as it happens ("fallen", "who fell", "after a fall" tell of what was before).
_FALL = r"(?<!after a )(?<!after the )(?<!who )\b(falls?|falling|fell|faint(s|ing|ed)?|pass(es|ing)? out|collaps\w*" \
        r"|tumbl\w*|trip(s|ping|ped)?|slip(s|ping|ped)?|stumbl\w*|toppl\w*|slid(es?|ing)?|slump\w*" \
        r"|slither\w* (down|to)|crumpl\w*|buckl\w*|keel(s|ing|ed)? over|g[ai]v(e|es|ing) way|loses? consciousness" \
        r"|bumped into)\b(?! asleep)"  # fmt: skip


def plain_roles(text: str) -> str:
    """The text with one word for staff and one for patients: embeddings hold "carer" and "nurse" far apart."""
    return re.sub(_PATIENT, "patient", re.sub(_STAFF, "nurse", text.lower()))


def role_in(prompt: str) -> str | None:
    """ "staff" or "patient" where the prompt names exactly one of them."""
    lower = prompt.lower()
    staff, patient = bool(re.search(_STAFF, lower)), bool(re.search(_PATIENT, lower))
    return None if staff == patient else "staff" if staff else "patient"


def gender_in(text: str, role: str, alone: bool) -> str | None:
    """ "female" or "male" where the words say it of whoever has that role, else None.

    Of two people, whoever is called a man or she is not the staff, but for "a male nurse".

    Args:
        alone: whether nobody else takes part.
    """
    lower = text.lower()
    of_staff = rf"\b(fe)?male (?={_STAFF[2:]})"
    if role == "staff" and not alone:
        found = re.search(of_staff, lower)
        return None if found is None else found[0].strip()
    others = lower if alone else re.sub(of_staff, "", lower)
    for female, male in ((_FEMALE, _MALE), (_SHE, _HE)):  # "the man ... her walker": nouns first
        she, he = bool(re.search(female, others)), bool(re.search(male, others))
        if she or he:
            return None if she and he else "female" if she else "male"
    return None


def cues(text: str) -> tuple[frozenset[str], ...]:
    """For each group of cues, those that the text holds."""
    lower = text.lower()
    return tuple(
        frozenset(name for name, pattern in group.items() if re.search(pattern, lower)) for group in CUES.values()
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
