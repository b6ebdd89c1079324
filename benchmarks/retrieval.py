"""Does the prompt find the motion it means?  `python -m benchmarks.retrieval [--json]`

Measures, over prompts written without looking at the captions: how often the right interaction class comes first, the
similarity of prompts that mean something in the library and of those that do not, and the threshold between them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence

import numpy as np

from synth.corpus.library import LibraryEntry, library
from synth.corpus.matching import THRESHOLD, Matcher
from synth.text import TextEncoder

# prompt -> interaction class, or the stem of the id for what the taxonomy has no class for; "a|b": either is right
MEANT: tuple[tuple[str, str], ...] = (
    ("staff helps patient up", "help_up_from_bed|help_up_from_chair|help_up_from_floor"),
    ("a nurse helps an elderly man get out of bed", "help_up_from_bed"),
    ("staff lifts the patient from the bed", "help_up_from_bed"),
    ("caregiver assists resident standing up from armchair", "help_up_from_chair"),
    ("a nurse pulls the old lady up from her chair", "help_up_from_chair"),
    ("the carer helps the patient who fell to get back up from the ground", "help_up_from_floor"),
    ("help the patient off the floor", "help_up_from_floor"),
    ("two people: one helps the other to stand", "help_up_from_bed|help_up_from_chair|help_up_from_floor"),
    ("a carer supports a resident while walking", "assist_walking"),
    ("nurse walks with patient", "assist_walking"),
    ("staff helps patient to walk to the bathroom", "assist_walking"),
    ("a physiotherapist practises walking with an elderly lady", "assist_walking"),
    ("staff assists the patient to sit down", "assist_sit_down"),
    ("a nurse lowers the patient into the wheelchair", "assist_sit_down|transfer_bed_to_wheelchair"),
    ("helping a resident sit in the armchair", "assist_sit_down"),
    ("patient sits down", "sit_down_alone"),
    ("an old woman takes a seat", "sit_down_alone"),
    ("patient stands up from chair alone", "stand_up_alone"),
    ("a resident gets up", "stand_up_alone|get_up_from_floor_alone|get_out_of_bed_alone"),
    ("patient lies down", "lie_down_alone"),
    ("someone gets up off the floor by himself", "get_up_from_floor_alone"),
    ("patient crawling", "crawl_alone"),
    ("person kneels", "kneel_down_alone"),
    ("nurse picks up something from the floor", "pick_up_from_floor"),
    ("patient walks slowly", "walk_alone"),
    ("resident wanders around", "walk_alone"),
    ("nurse hurries through the corridor", "walk_alone"),
    ("cleaner mops the floor", "mop"),
    ("person waving hello", "wave"),
    ("patient drinks water", "drink"),
    ("patient sits quietly in a chair", "sit_idle"),
    ("patient waits standing", "idle"),
)
NONSENSE: tuple[str, ...] = (
    "the stock market crashed on monday", "compile the linux kernel", "a red sports car drives fast", "asdf qwer",
    "two dogs bark", "make me a sandwich", "a patient undergoes open heart surgery", "playing football",
    "a person rides a bicycle", "rain over the sea at night", "the choir sings", "a rocket is launched",
    "quarterly tax report", "a chef chops onions", "blue", "someone plays the violin",
)  # fmt: skip


def right(entry: LibraryEntry, wanted: str) -> bool:
    """Whether an entry is what the table means."""
    return any(entry.interaction_class == w or (not entry.interaction_class and entry.id.startswith(w))
               for w in wanted.split("|"))  # fmt: skip


def measure(entries: Sequence[LibraryEntry] | None = None) -> dict[str, object]:
    """All numbers as one JSON object."""
    started = time.perf_counter()
    encoder = TextEncoder()
    matcher = Matcher(library() if entries is None else entries, encoder)
    loaded = time.perf_counter() - started
    found, good, wrong = 0, [], []
    for prompt, wanted in MEANT:
        best = matcher.rank(prompt)[0]
        good.append(best.similarity)
        if right(matcher.entries[best.index], wanted):
            found += 1
        else:
            wrong.append([prompt, matcher.entries[best.index].id, best.similarity])
    bad = [matcher.rank(prompt)[0].similarity for prompt in NONSENSE]
    started = time.perf_counter()
    for prompt, _ in MEANT:
        matcher.rank(prompt)
    return {
        "prompts": len(MEANT),
        "right": found,
        "accuracy": round(found / len(MEANT), 3),
        "wrong": wrong,
        "similarity_meant": {"min": min(good), "p5": round(float(np.percentile(good, 5)), 3),
                             "median": round(float(np.median(good)), 3)},
        "similarity_nonsense": {"max": max(bad), "p95": round(float(np.percentile(bad, 95)), 3)},
        "threshold": THRESHOLD,
        "seconds_to_load": round(loaded, 2),
        "milliseconds_a_known_prompt": round(1000 * (time.perf_counter() - started) / len(MEANT), 2),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrieval", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    result = measure()
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
