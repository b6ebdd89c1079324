"""Make the pictures of the built-in rooms: each from every camera, a contact sheet, and the three moods of light.

python -m docs.make.rooms [ROOM ...] [--out FOLDER] [--size 480x360] [--samples 32]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageDraw

from render.blender.camera import set_camera
from render.blender.light import MOODS, set_light
from render.blender.room import add_room
from render.blender.session import RenderSettings, load_bpy, new_scene, quiet
from synth.rooms import BUILTIN, load_room, room_meshes

QUALITY, SHEET_QUALITY = 82, 70


def render(name: str, camera: str, mood: str, settings: RenderSettings) -> tuple[Image.Image, float]:
    """One picture and the seconds that Blender took to render it."""
    room = load_room(name)
    with tempfile.TemporaryDirectory() as folder, quiet():
        bpy = load_bpy()
        scene = new_scene(settings)
        add_room(scene, room, room_meshes(room))
        set_light(scene, room, mood)
        set_camera(scene, room.camera(camera).scaled(settings.width, settings.height))
        scene.render.filepath = str(Path(folder) / "frame.bmp")
        started = time.perf_counter()
        bpy.ops.render.render(write_still=True)
        seconds = time.perf_counter() - started
        return Image.open(scene.render.filepath).convert("RGB"), seconds


def sheet(pictures: list[tuple[str, Image.Image]], columns: int, width: int = 256) -> Image.Image:
    """A contact sheet with a caption under each picture."""
    height = width * pictures[0][1].height // pictures[0][1].width
    rows = -(-len(pictures) // columns)
    page = Image.new("RGB", (columns * (width + 6) + 6, rows * (height + 22) + 6), "white")
    draw = ImageDraw.Draw(page)
    for i, (caption, picture) in enumerate(pictures):
        x, y = 6 + i % columns * (width + 6), 6 + i // columns * (height + 22)
        page.paste(picture.resize((width, height), Image.Resampling.LANCZOS), (x, y))
        draw.text((x + 2, y + height + 3), caption, fill="black")
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", nargs="*", default=list(BUILTIN))
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "images")
    parser.add_argument("--size", default="400x300")
    parser.add_argument("--samples", type=int, default=6)
    parser.add_argument("--cameras", default="all")
    parser.add_argument("--mood", default="day", choices=MOODS)
    parser.add_argument("--moods", action="store_true", help="also ward_03 in the three moods")
    options = parser.parse_args()
    width, height = (int(n) for n in options.size.split("x"))
    settings = RenderSettings(width, height, samples=options.samples, device="cpu")
    (options.out / "rooms").mkdir(parents=True, exist_ok=True)
    pictures = []
    for name in options.rooms:
        names = [c.name for c in load_room(name).cameras]
        for camera in names if options.cameras == "all" else options.cameras.split(","):
            picture, seconds = render(name, camera, options.mood, settings)
            picture.save(options.out / "rooms" / f"{name}_{camera}.jpg", quality=QUALITY, optimize=True)
            pictures.append((f"{name} {load_room(name).provenance.get('title', '')}: {camera}", picture))
            print(f"{name} {camera} {seconds:.2f} s", flush=True)
    sheet(pictures, 3).save(options.out / "rooms.jpg", quality=SHEET_QUALITY, optimize=True)
    if options.moods:
        lit = [(f"ward_03: {m}", render("ward_03", "corner", m, settings)[0]) for m in MOODS]
        sheet(lit, 3).save(options.out / "rooms_light.jpg", quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
