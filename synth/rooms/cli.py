"""``synth rooms``: list, describe and export the rooms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


@click.group()
def rooms() -> None:
    """The rooms that clips can play in."""


@rooms.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of lines.")
def list_rooms(as_json: bool) -> None:
    """List the built-in rooms."""
    from synth.rooms import BUILTIN, load_room

    found = [_summary(load_room(name)) for name in BUILTIN]
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    for item in found:
        width, depth, height = item["extent"]
        click.echo(
            f"{item['name']}  {item['title']:<26} {width:.1f} x {depth:.1f} x {height:.1f} m"
            f"  cameras: {', '.join(c['name'] for c in item['cameras'])}"
        )


@rooms.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def show_room(name: str, as_json: bool) -> None:
    """Describe the room NAME: a built-in name or a room's folder."""
    from synth.rooms import load_room

    item = _summary(load_room(name))
    if as_json:
        click.echo(json.dumps(item, indent=1))
        return
    width, depth, height = item["extent"]
    click.echo(f"{item['name']}: {item['title'] or 'a room from a folder'}")
    if item["description"]:
        click.echo(item["description"])
    click.echo(f"{width:.2f} x {depth:.2f} m, {item['area']:.1f} m2, ceiling {height:.2f} m\n\nFurniture")
    for piece in item["furniture"]:
        seat = f", seat {piece['seat_height']:.2f}" if piece["seat_height"] is not None else ""
        sx, sy, sz = piece["size"]
        click.echo(
            f"  {piece['id']:<14} {piece['class']:<11} at {piece['center'][0]:.2f}, {piece['center'][1]:.2f}"
            f"  {sx:.2f} x {sy:.2f} x {sz:.2f} m{seat}"
        )
    click.echo("\nCameras")
    for camera in item["cameras"]:
        click.echo(f"  {camera['name']:<9} {camera['model']:<14} height {camera['height']:.2f} m, {camera['field']}")
    for line in item["sources"]:
        click.echo(("\nDimensions after\n  " if line == item["sources"][0] else "  ") + line)


@rooms.command("export")
@click.argument("name")
@click.option(
    "--out",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write room.json and room.glb into.",
)
@click.option("--force", is_flag=True, help="Replace a room that is already there.")
def export_room(name: str, folder: Path, force: bool) -> None:
    """Write the room NAME as room.json and room.glb (glTF 2.0, y up, metres), to be edited and used as a scene."""
    from synth.errors import BadOption
    from synth.rooms import load_room, room_meshes, save_room

    room = load_room(name)
    if (folder / "room.json").exists() and not force:
        raise BadOption("--out", str(folder), "a folder without a room in it, or --force")
    save_room(room, room_meshes(room), folder)
    click.echo(f"{folder}: room.json, room.glb")


def _summary(room: Any) -> dict[str, Any]:
    low, high = room.floor.min(0), room.floor.max(0)
    x, y = room.floor.T
    area = abs(float((x * _next(y) - _next(x) * y).sum())) / 2
    cameras = []
    for item in room.cameras:
        wide, tall = item.camera.field_of_view()
        cameras.append(
            {
                "name": item.name,
                "model": item.camera.model,
                "height": float(item.camera.position[2]),
                "field": f"{wide:.0f} x {tall:.0f} degrees",
                "size": [item.camera.width, item.camera.height],
            }
        )
    furniture = [
        {
            "id": f.id,
            "class": f.cls,
            "center": [float(v) for v in f.box.center],
            "size": [float(v) for v in f.box.size],
            "yaw": float(f.box.yaw),
            "seat_height": f.seat_height,
        }
        for f in room.furniture
    ]
    return {
        "name": room.name,
        "title": str(room.provenance.get("title", "")),
        "description": str(room.provenance.get("description", "")),
        "extent": [float(v) for v in (*(high - low), room.height)],
        "area": area,
        "furniture": furniture,
        "cameras": cameras,
        "sources": [str(s) for s in room.provenance.get("dimensions", [])],
    }


def _next(values: Any) -> Any:
    return values.take(range(1, len(values) + 1), mode="wrap")
