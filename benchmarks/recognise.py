"""Are the motions recognised? Contact sheets of a corpus, rendered in rooms and without labels, and their score.

`python -m benchmarks.recognise make CORPUS --out FOLDER` draws `--n` motions a class, plays each in a built-in room
that has a place for it and renders eight moments through the room's camera that sees it largest, cut to the people:
sheets of rows without a word, and `key.json` with what they are.
`python -m benchmarks.recognise generated FOLDER --out FOLDER` does the same with what `benchmarks.classes --save` kept,
in the rooms for which it was generated.
`python -m benchmarks.recognise score FOLDER ANSWERS.json` compares answers (row number -> class) with the key.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from render.blender.session import RenderSettings, quiet
from render.blender.stage import Stage
from render.film import BodyTruth, Performance
from render.look import draw_look
from render.plan import ClipPlan, jitter
from render.view import ENOUGH, best_view, share_in_view
from synth.body import BodyModel, load_body
from synth.camera import Camera
from synth.corpus.build import write
from synth.corpus.library import LibraryEntry, library
from synth.corpus.look import pick
from synth.corpus.retrieve import NothingFits, RetrievalGenerator
from synth.corpus.sheet import row
from synth.errors import BadOption
from synth.files import read_json, write_json
from synth.interaction import Interaction, load_interaction
from synth.motion.actions import Actions, measure_actions
from synth.motion.fit import one_thread
from synth.room import Room
from synth.rooms import BUILTIN, load_room, room_meshes
from synth.rotation import Array
from synth.skeleton import forward_kinematics
from synth.text import TextEncoder

MOMENTS, FPS = 8, 10.0
SIZE = (640, 480)
ROWS = 15  # a sheet
MARGIN = 0.25  # of the cut's size, around the joints
ROOMS = 3  # rooms tried for a motion before it is drawn without one


def play(item: LibraryEntry, rooms: Sequence[str], body: BodyModel, encoder: TextEncoder, seed: int) -> Any:
    """The motion in the first of the rooms, in an order drawn, that has a place for it: (room, made) or None."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1]))
    tried = 0
    for name in rng.permutation(np.array(rooms)):
        generator = RetrievalGenerator(load_room(str(name)), body, encoder, [item])
        if generator.lacks(item) or tried == ROOMS:
            continue
        tried += 1
        try:
            with one_thread():
                sequence = np.random.SeedSequence([seed, 2])
                return str(name), generator.generate(item.captions[0], sequence, max(item.seconds, 2.0), FPS)
        except NothingFits:
            continue
    return None


def strip(
    name: str, motion: Interaction, actions: Actions, body: BodyModel, seed: int, scratch: Path, size: int
) -> Image.Image:
    """Eight rendered moments of a clip side by side, each cut to where the people of the clip are."""
    room = load_room(name)
    joints, _ = forward_kinematics(motion.rotations(), body.rest_joints(motion.betas)[:, None], motion.transl)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 3]))
    plans = [
        ClipPlan("", 0, "", item.name, jitter(item.camera.scaled(*SIZE), room, rng), "day", seed)
        for item in (room.cameras[index] for index in rng.permutation(len(room.cameras)))
    ]
    plan = nearest_view(plans, joints, motion.present, motion.fps, room)
    look = draw_look(np.random.default_rng(np.random.SeedSequence([seed, 4])), motion.meta)
    show = Performance(motion, joints, actions, look, {}, None, 0)
    chosen = np.linspace(0, motion.frames - 1, MOMENTS).round().astype(int)
    where = [_in_view(plan.camera.project(joints[motion.present[:, f], f])[0]) for f in chosen]
    least = 0.6 * max(_extent(points) for points in where)
    with quiet():
        stage = Stage(
            room, room_meshes(room), body, look, motion.betas, "day", np.random.SeedSequence([seed, 5]), plan.camera,
            RenderSettings(*SIZE, samples=4), scratch, motion.props,
        )  # fmt: skip
        picture = Image.new("RGB", (MOMENTS * size, size))
        for frame, (vertices, _) in enumerate(BodyTruth(body, show).frames()):
            for index in np.flatnonzero(chosen == frame):
                stage.pose(vertices)
                stage.move(frame)
                cut = _cut(where[index], least)
                cell = Image.fromarray(stage.colour(frame, cut)).crop(cut)
                picture.paste(cell.resize((size, size), Image.Resampling.LANCZOS), (int(index) * size, 0))
    return picture


def nearest_view(plans: Sequence[ClipPlan], joints: Array, present: Array, fps: float, room: Room) -> ClipPlan:
    """Of the plans whose camera sees enough, the one in which the people are largest and hide each other least; else
    the one that sees most."""
    good = [plan for plan in plans if share_in_view(plan.camera, joints[present][::7], room) >= ENOUGH]
    if not good:
        return best_view(plans, joints, present, fps, room)

    def size(plan: ClipPlan) -> float:
        pixels = plan.camera.project(joints[present])[0]
        return float(np.median(np.ptp(pixels[..., 1], axis=-1))) * (1 - hidden(plan.camera, joints, present))

    return max(good, key=size)


def hidden(camera: Camera, joints: Array, present: Array) -> float:
    """Share of people's joints that are behind where another person's joints are, in the worst-seen half of the time.

    Args:
        joints: [P, T, 24, 3]. present: [P, T].
    """
    pixels = camera.project(joints)[0]  # [P, T, 24, 2]
    away = np.linalg.norm(joints - camera.position, axis=-1).mean(-1)  # [P, T]
    shares = np.zeros(present.shape[1])
    for far in range(len(joints)):
        for near in range(len(joints)):
            low, high = pixels[near].min(1), pixels[near].max(1)
            behind = ((pixels[far] > low[:, None]) & (pixels[far] < high[:, None])).all(-1).mean(-1)
            both = present[far] & present[near] & (away[far] > away[near])
            shares = np.maximum(shares, behind * both)
    return float(np.sort(shares)[len(shares) // 2 :].mean())


def _in_view(points: np.ndarray) -> np.ndarray:
    """Pixels [N, 2] that are in the picture; its middle if none is."""
    points = points.reshape(-1, 2)
    inside = ((points >= 0) & (points < SIZE)).all(-1)
    return points[inside] if inside.any() else np.array([[SIZE[0] / 2, SIZE[1] / 2]])


def _extent(points: np.ndarray) -> float:
    return float(np.ptp(points, axis=0).max())


def _cut(points: np.ndarray, least: float) -> tuple[int, int, int, int]:
    """A square about points [N, 2], `least` pixels or more, with a margin, inside the picture."""
    width, height = SIZE
    side = min((1 + 2 * MARGIN) * max(_extent(points), least, 60.0), height)
    middle = (points.min(0) + points.max(0)) / 2
    x, y = np.clip(middle - side / 2, 0, (width - side, height - side))
    return int(x), int(y), int(x + side), int(y + side)


def make(
    corpus: Path, out: Path, count: int, seed: int, size: int, rooms: Sequence[str], only: Sequence[str],
    part: tuple[int, int] = (1, 1),
) -> None:  # fmt: skip
    """Rows, then sheets of them and their key, in an order that says nothing.

    Rows that are there stay. `part` (k, n): only every n-th row from the k-th; whoever finds all rows made makes the
    sheets.
    """
    body, encoder = load_body(), TextEncoder()
    out.mkdir(parents=True, exist_ok=True)
    picked = [
        (i, m) for i, m in pick(corpus, None, None, count, seed)
        if m.meta.interaction_class and (not only or m.meta.interaction_class in only)
    ]  # fmt: skip
    order = np.random.default_rng(np.random.SeedSequence([seed, 0])).permutation(len(picked))
    with tempfile.TemporaryDirectory(prefix="caresynth-") as scratch:
        folder = Path(scratch) / "motions"
        names = {f"m{number:04d}": picked[index] for number, index in enumerate(order, 1)}
        write(folder, {name: motion for name, (_, motion) in names.items()}, (), clean=False)
        entries = {item.id: item for item in library(folder)}
        for number, (name, (identifier, motion)) in enumerate(names.items(), 1):
            path = out / f"row_{number:03d}.png"
            line = {"row": number, "id": identifier, "class": motion.meta.interaction_class, "room": None}
            if not (out / f"row_{number:03d}.json").exists():
                if (number - part[0]) % part[1]:
                    continue
                played = play(entries[name], rooms, body, encoder, seed * 1000 + number)
                if played is None:
                    row(body, motion, "", size).save(path)
                else:
                    line["room"] = played[0]
                    name, shown = played
                    strip(name, shown.interaction, shown.actions, body, seed * 1000 + number, Path(scratch), size).save(
                        path
                    )
                write_json(out / f"row_{number:03d}.json", line)
                print(f"{number}/{len(order)} {identifier} in {line['room']}", flush=True)
    sheets(out, len(order), size)


def make_generated(folder: Path, out: Path, count: int, seed: int, size: int, part: tuple[int, int] = (1, 1)) -> None:
    """The same of generated motions, files CLASS_*.npz that know their room."""
    body = load_body()
    out.mkdir(parents=True, exist_ok=True)
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.npz")):
        files.setdefault(path.stem.rstrip("_0123456789"), []).append(path)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0]))
    picked = [(name, some[at]) for name, some in files.items() for at in rng.permutation(len(some))[:count]]
    order = rng.permutation(len(picked))
    with tempfile.TemporaryDirectory(prefix="caresynth-") as scratch:
        for number, index in enumerate(order, 1):
            name, path = picked[index]
            if (out / f"row_{number:03d}.json").exists() or (number - part[0]) % part[1]:
                continue
            motion = load_interaction(path)
            room = str(motion.meta.room)
            actions = measure_actions(motion, body, load_room(room).furniture)
            picture = strip(room, motion, actions, body, seed * 1000 + number, Path(scratch), size)
            picture.save(out / f"row_{number:03d}.png")
            write_json(out / f"row_{number:03d}.json", {"row": number, "id": path.stem, "class": name, "room": room})
            print(f"{number}/{len(order)} {path.stem} in {room}", flush=True)
    sheets(out, len(order), size)


def sheets(out: Path, rows: int, size: int) -> None:
    """The sheets and the key, once all rows are there."""
    made = [out / f"row_{number:03d}.json" for number in range(1, rows + 1)]
    if not all(path.exists() for path in made):
        return
    key = [read_json(path) for path in made]
    write_json(out / "key.json", key)
    for first in range(0, len(key), ROWS):
        sheet_of(out, [item["row"] for item in key[first : first + ROWS]], size).save(
            out / f"sheet_{first // ROWS + 1:02d}.jpg", quality=88
        )


def sheet_of(out: Path, rows: Sequence[int], size: int) -> Image.Image:
    """Rows under one another, each with its number and nothing else."""
    picture = Image.new("RGB", (MOMENTS * size, len(rows) * (size + 4)), "white")
    for place, number in enumerate(rows):
        with Image.open(out / f"row_{number:03d}.png") as line:
            picture.paste(line, (0, place * (size + 4)))
        pen = ImageDraw.Draw(picture)
        pen.rectangle((0, place * (size + 4), 44, place * (size + 4) + 24), fill="white")
        pen.text((5, place * (size + 4) + 2), str(number), fill="black", font=ImageFont.load_default(size=18))
    return picture


def score(folder: Path, answers: Path) -> dict[str, Any]:
    """Share of rows answered right, and what was taken for what."""
    given = {int(row): str(name) for row, name in read_json(answers).items()}
    key = [item for item in read_json(folder / "key.json") if item["row"] in given]
    if not key:
        raise BadOption("ANSWERS", str(answers), "an object of row numbers and classes")
    wrong = Counter((item["class"], given[item["row"]]) for item in key if item["class"] != given[item["row"]])
    right = sum(item["class"] == given[item["row"]] for item in key)
    return {
        "rows": len(key), "classes": len({item["class"] for item in key}), "right": right,
        "share": round(right / len(key), 4),
        "in_rooms": sum(item["room"] is not None for item in key),
        "confused": [{"is": a, "taken for": b, "times": n} for (a, b), n in wrong.most_common()],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recognise", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("corpus", type=Path)
    making.add_argument("--rooms", nargs="*", default=list(BUILTIN))
    making.add_argument("--only", nargs="*", default=[], help="only these classes")
    given = commands.add_parser("generated")
    given.add_argument("folder", type=Path)
    for command in (making, given):
        command.add_argument("--out", type=Path, required=True)
        command.add_argument("--n", type=int, default=3, help="motions a class")
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--size", type=int, default=200, help="pixels a picture")
        command.add_argument(
            "--part", default="1/1", metavar="K/N", help="every N-th row from the K-th, for N processes"
        )
    scoring = commands.add_parser("score")
    scoring.add_argument("folder", type=Path)
    scoring.add_argument("answers", type=Path)
    options = parser.parse_args()
    if options.command == "score":
        print(json.dumps(score(options.folder, options.answers), indent=1))
        return
    first, _, parts = options.part.partition("/")
    part = (int(first), int(parts))
    if options.command == "make":
        make(options.corpus, options.out, options.n, options.seed, options.size, options.rooms, options.only, part)
    else:
        make_generated(options.folder, options.out, options.n, options.seed, options.size, part)


if __name__ == "__main__":
    main()
