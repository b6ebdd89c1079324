"""How fast and how exactly a pair of the library is fitted to other people: `python -m benchmarks.fit --json`.

`--rooms ward_01 ward_03 --seeds 3` plays every pair through the real generator in these rooms instead and prints a
table; the first row of each pair is the library itself. Floor and seat are measured there on the whole mesh, not on
proxies.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence

import numpy as np
import torch

from synth.body import BodyModel, load_body
from synth.body.shape import draw_person
from synth.corpus.library import library
from synth.corpus.place import to_boxes
from synth.corpus.retrieve import NothingFits, RetrievalGenerator
from synth.corpus.stage import buttocks
from synth.interaction import Interaction
from synth.motion import evidence
from synth.motion.adapt import adapt
from synth.motion.fit import one_thread
from synth.motion.proxies import proxies_of
from synth.motion.quality import measure
from synth.room import furniture_from_json
from synth.rooms import load_room
from synth.text import TextEncoder


def run(count: int, seed: int) -> dict[str, object]:
    """Fit `count` pairs, each to two drawn people; processor seconds and the worst and median figures."""
    body = load_body()
    rng = np.random.default_rng(seed)
    entries = [entry for entry in library() if entry.people == 2]
    rows = []
    for index in range(count):
        entry = entries[index % len(entries)]
        motion = entry.load()
        betas = np.stack([draw_person(role, rng, body).betas for role in motion.meta.roles])
        stage = {str(item["id"]): furniture_from_json(item, entry.id) for item in motion.meta.stage}
        with one_thread():
            begin, wall = time.process_time(), time.perf_counter()
            fitted = adapt(motion, stage, betas, body, None)
            spent, waited = time.process_time() - begin, time.perf_counter() - wall
        row = {"id": entry.id, "seconds": motion.seconds, "cpu_s": round(spent, 2), "wall_s": round(waited, 2)}
        rows.append(row | fitted.meta.quality["adapt"])
    keys = [key for key in rows[0] if key != "id"]
    columns = {key: np.array([row.get(key, 0.0) for row in rows]) for key in keys}
    return {
        "pairs": rows,
        "median": {key: round(float(np.median(values)), 4) for key, values in columns.items()},
        "worst": {key: round(float(values.max()), 4) for key, values in columns.items()},
    }


COLUMNS = (
    "contact_mean", "contact_max", "partner_depth", "furniture_depth", "floor_mesh", "solid_mesh", "seat_mesh",
    "seat_air", "foot_slide",
)  # fmt: skip


def on_mesh(body: BodyModel, motion: Interaction) -> dict[str, float]:
    """Deepest vertex under the floor and in the stage's furniture, and how deep (`seat_mesh`) or high (`seat_air`) the
    lowest of sitters' buttocks is against where the cushion carries it; metres, five moments a second."""
    stage = {str(item["id"]): furniture_from_json(item, "stage") for item in motion.meta.stage}
    fps = min(motion.fps, 5.0)
    few = motion.resample(fps)
    under = inside = seat_depth = seat_air = 0.0
    bottom, skin = buttocks(body), np.unique(body.faces)
    for person in range(few.people):
        vertices = np.stack(list(body.pose_interaction(few, person)))
        heights = vertices[..., 2]
        under = max(under, -float(heights[:, skin].min()))
        solids = [solid for piece in stage.values() for solid in piece.world_solids()]
        if solids:
            inside = max(inside, -float(to_boxes(vertices[:, skin[::4]].astype(float), solids).min()))
        rotmats = torch.tensor(few.rotations(), dtype=torch.float32)
        for who, level, window in evidence.sitting(few.meta.contacts, stage, few.times, rotmats):
            if who == person:
                gap = (heights[:, bottom].min(1) - level)[window.numpy() > 0]
                seat_depth, seat_air = max(seat_depth, -float(gap.min())), max(seat_air, float(gap.max()))
    return {"floor_mesh": under, "solid_mesh": inside, "seat_mesh": seat_depth, "seat_air": seat_air}


def in_rooms(rooms: Sequence[str], seeds: int, only: Sequence[str] = ()) -> list[dict[str, object]]:
    """A row for each pair as it ships and for each clip made of it: where, figures, attempts thrown away, faults."""
    body, encoder = load_body(), TextEncoder()
    rows: list[dict[str, object]] = []
    for entry in library():
        if entry.people != 2 or (only and not any(entry.id.startswith(word) for word in only)):
            continue
        motion = entry.load()
        shipped = measure(
            motion, [proxies_of(body, b) for b in motion.betas],
            [furniture_from_json(item, entry.id) for item in motion.meta.stage],
        )  # fmt: skip
        print(f"{entry.id} ...", file=sys.stderr, flush=True)
        rows.append({"id": entry.id, "where": "library", "rejected": 0, "faults": []} | shipped | on_mesh(body, motion))
        for index, name in enumerate(rooms):
            generator = RetrievalGenerator(load_room(name), body, encoder, [entry])
            if generator.lacks(entry):
                continue
            for seed in range(seeds):
                row: dict[str, object] = {"id": entry.id, "where": f"{name}/{seed}"}
                try:
                    made = generator.generate(entry.captions[0], np.random.SeedSequence([index, seed]), 10.0, 10.0)
                except NothingFits as error:
                    rows.append(row | {"rejected": 8, "faults": [str(error)]})
                    continue
                figures = made.interaction.meta.quality["adapt"] | on_mesh(body, made.interaction)
                rows.append(row | {"rejected": made.rejected, "faults": list(made.faults)} | figures)
    return rows


def print_table(rows: Sequence[dict[str, object]]) -> None:
    print(f"{'pair':24s}{'where':12s}" + "".join(f"{name:>16s}" for name in COLUMNS) + "  rejected  faults")
    for row in rows:
        figures = "".join(f"{1000 * float(row.get(name, 0.0)):13.1f} mm" for name in COLUMNS)  # type: ignore[arg-type]
        faults = "; ".join(row["faults"])  # type: ignore[arg-type]
        print(f"{row['id']:24s}{row['where']:12s}{figures}  {row['rejected']:8d}  {faults}")
    made = [row for row in rows if row["where"] != "library"]
    for name, pick in (("median", np.median), ("worst", np.max)):
        figures = "".join(
            f"{1000 * float(pick([row.get(c, 0.0) for row in made])):13.1f} mm" for c in COLUMNS  # type: ignore[arg-type]
        )  # fmt: skip
        print(f"{name:36s}{figures}")
    print(f"{len(made)} clips, {sum(int(row['rejected']) for row in made)} attempts thrown away")  # type: ignore[call-overload]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=18)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")
    parser.add_argument("--rooms", nargs="+", default=[], help="play the pairs in these rooms and print a table")
    parser.add_argument("--seeds", type=int, default=3, help="clips a pair and room")
    parser.add_argument("--only", nargs="*", default=[], help="pairs whose ids begin so")
    options = parser.parse_args()
    if options.rooms:
        with one_thread():
            rows = in_rooms(options.rooms, options.seeds, options.only)
        print(json.dumps(rows)) if options.json else print_table(rows)
        return
    found = run(options.count, options.seed)
    print(
        json.dumps(
            found if options.json else {"median": found["median"], "worst": found["worst"]},
            indent=None if options.json else 2,
        )
    )


if __name__ == "__main__":
    main()
