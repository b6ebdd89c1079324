"""Draw docs/images/bodies.jpg: twelve people of several ages, sexes and clothes, standing, walking and sitting.

python docs/make/bodies.py [--out docs/images/bodies.jpg] [--width 1800] [--samples 24] [--only 0,3] [--close]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from render.blender.people import add_person, update_person
from render.blender.session import RenderSettings, load_bpy, new_scene
from render.look import draw_person_look
from synth.body import BodyModel, betas_from, load_body
from synth.rotation import axis_angle_to_matrix, axis_matrix
from synth.skeleton import JOINT, upright

# role, sex, age, height, weight, outfit, pose, seed, races
CAST: tuple[tuple[str, str, int, float, float, str, str, int, tuple[float, float, float]], ...] = (
    ("staff", "female", 29, 1.68, 62, "scrubs", "stand", 1, (0.1, 0.1, 0.8)),
    ("patient", "male", 84, 1.72, 68, "pyjamas", "stoop", 2, (0.0, 0.0, 1.0)),
    ("staff", "male", 41, 1.83, 88, "scrubs", "walk", 3, (0.9, 0.0, 0.1)),
    ("patient", "female", 79, 1.58, 71, "everyday", "sit", 4, (0.0, 0.1, 0.9)),
    ("staff", "female", 52, 1.63, 77, "scrubs", "stand_hips", 5, (0.0, 0.9, 0.1)),
    ("patient", "female", 91, 1.52, 47, "gown", "stand", 6, (0.0, 0.0, 1.0)),
    ("patient", "male", 76, 1.76, 92, "everyday", "walk", 7, (0.1, 0.1, 0.8)),
    ("patient", "female", 86, 1.56, 58, "pyjamas", "sit", 8, (0.9, 0.0, 0.1)),
    ("person", "male", 34, 1.80, 76, "everyday", "stand", 9, (0.0, 0.2, 0.8)),
    ("patient", "male", 88, 1.69, 62, "gown", "sit", 10, (0.1, 0.8, 0.1)),
    ("person", "female", 45, 1.66, 64, "everyday", "walk", 11, (0.6, 0.1, 0.3)),
    ("staff", "male", 25, 1.78, 70, "scrubs", "carry", 12, (0.1, 0.5, 0.4)),
)


def pose_of(name: str) -> np.ndarray:
    """Body rotations [24, 3, 3] with an upright root; SMPL's frame, degrees."""
    degrees: dict[str, tuple[float, float, float]] = {
        "left_shoulder": (4, 0, -80),
        "right_shoulder": (4, 0, 80),
        "left_elbow": (0, -18, 0),
        "right_elbow": (0, 18, 0),
        "left_collar": (0, 0, -4),
        "right_collar": (0, 0, 4),
    }
    if name == "walk":
        degrees |= {
            "left_hip": (-24, 0, 2),
            "left_knee": (8, 0, 0),
            "right_hip": (18, 0, -2),
            "right_knee": (24, 0, 0),
            "right_ankle": (14, 0, 0),
            "left_ankle": (10, 0, 0),
            "left_shoulder": (22, 0, -74),
            "right_shoulder": (-24, 0, 74),
            "left_elbow": (0, -18, 0),
            "right_elbow": (0, 40, 0),
            "spine1": (4, 6, 0),
            "spine3": (0, -8, 0),
        }
    elif name == "sit":
        degrees |= {
            "left_hip": (-86, -7, 0),
            "right_hip": (-86, 7, 0),
            "left_knee": (86, 0, 0),
            "right_knee": (84, 0, 0),
            "spine1": (6, 0, 0),
            "spine2": (6, 0, 0),
            "left_shoulder": (-14, 0, -83),
            "head": (-4, 8, 0),
            "right_shoulder": (-14, 0, 83),
            "left_elbow": (0, -62, 14),
            "right_elbow": (0, 62, -14),
        }
    elif name == "stoop":
        degrees |= {
            "spine1": (8, 0, 0),
            "spine2": (10, 0, 0),
            "spine3": (8, 0, 0),
            "neck": (6, 0, 0),
            "head": (-20, 0, 0),
            "left_hip": (-10, 0, 2),
            "right_hip": (-8, 0, -2),
            "left_knee": (14, 0, 0),
            "right_knee": (12, 0, 0),
            "left_ankle": (-5, 0, 0),
            "right_ankle": (-4, 0, 0),
        }
    elif name == "stand_hips":
        degrees |= {"left_elbow": (0, -34, 0), "head": (0, 14, 4), "spine1": (0, 0, 3), "left_hip": (-4, 0, 4)}
    elif name == "carry":
        degrees |= {
            "left_shoulder": (-6, 0, -82),
            "right_shoulder": (-6, 0, 82),
            "left_elbow": (0, -82, 0),
            "right_elbow": (0, 82, 0),
            "head": (8, -8, 0),
        }
    rotations = np.broadcast_to(np.eye(3), (24, 3, 3)).copy()
    for joint, (x, y, z) in degrees.items():
        turn = (
            axis_angle_to_matrix(np.radians([x, 0, 0]))
            if joint not in ("left_shoulder", "right_shoulder")
            else np.eye(3)
        )
        r = axis_matrix("y", np.radians(y)) @ axis_matrix("z", np.radians(z))
        if "shoulder" in joint:  # swing the lowered arm about the body's x axis
            r = axis_matrix("x", np.radians(x)) @ r
        rotations[JOINT[joint]] = r @ turn
    return rotations


def place(model: BodyModel, betas: np.ndarray, name: str, x: float, y: float, yaw: float) -> np.ndarray:
    """World vertices with the lowest one on the floor."""
    rotations = pose_of(name)
    rotations[0] = upright(np.radians(yaw)) @ axis_matrix("x", np.radians(4 if name == "sit" else 0))
    vertices = model.pose(betas, rotations, np.zeros(3))[0].numpy()
    shoes = model.parts["shoes"].vertices
    return vertices + np.array([x, y, -vertices[shoes, 2].min()])


def studio(scene: Any, samples: int) -> None:
    """A plain backdrop and soft light."""
    bpy = load_bpy()
    scene.cycles.samples = samples
    scene.view_settings.view_transform = "AgX"
    floor = bpy.data.meshes.new("floor")
    bend = np.linspace(0, np.pi / 2, 16)  # the floor rises into the wall, as in a photographer's studio
    profile = [(-20.0, 0.0), *((4.5 + 3 * np.sin(a), 3 - 3 * np.cos(a)) for a in bend), (7.5, 20.0)]
    points = [(x, float(y), float(z)) for x in (-30.0, 30.0) for y, z in profile]
    n = len(profile)
    floor.from_pydata(points, [], [(k, n + k, n + k + 1, k + 1) for k in range(n - 1)])
    floor.shade_smooth()
    paint = bpy.data.materials.new("floor")
    paint.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (0.42, 0.43, 0.44, 1)
    floor.materials.append(paint)
    scene.collection.objects.link(bpy.data.objects.new("floor", floor))
    world = bpy.data.worlds.new("studio")
    scene.world = world
    world.node_tree.nodes["Background"].inputs[0].default_value = (0.62, 0.66, 0.72, 1)
    world.node_tree.nodes["Background"].inputs[1].default_value = 0.45
    for location, size, power, colour in (
        ((-4, -5, 5), 3.0, 430, (1.0, 0.95, 0.88)),
        ((5, -3, 3.5), 3.0, 170, (0.85, 0.92, 1.0)),
        ((1, 5, 4.5), 2.5, 260, (1, 1, 1)),
    ):
        lamp = bpy.data.lights.new("lamp", "AREA")
        lamp.size, lamp.energy, lamp.color = size, power, colour
        item = bpy.data.objects.new("lamp", lamp)
        item.location = location
        item.rotation_euler = _towards(location, (0, 0, 0.9))
        scene.collection.objects.link(item)


def stool(scene: Any, x: float, y: float, height: float) -> None:
    """A round stool."""
    bpy = load_bpy()
    material = bpy.data.materials.new("stool")
    material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (0.16, 0.11, 0.075, 1)
    for radius, low, high in ((0.20, height - 0.05, height), (0.035, 0.02, height - 0.05), (0.19, 0.0, 0.02)):
        angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        ring = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], 1)
        points = [(*p, low) for p in ring] + [(*p, high) for p in ring]
        sides = [(k, (k + 1) % 48, 48 + (k + 1) % 48, 48 + k) for k in range(48)]
        mesh = bpy.data.meshes.new("stool")
        mesh.from_pydata(points, [], [*sides, tuple(range(48, 96)), tuple(range(47, -1, -1))])
        mesh.materials.append(material)
        scene.collection.objects.link(bpy.data.objects.new("stool", mesh))


def _towards(eye: tuple[float, ...], target: tuple[float, ...]) -> Any:
    from mathutils import Vector

    return (Vector(target) - Vector(eye)).to_track_quat("-Z", "Y").to_euler()


def main() -> None:
    """Render the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/bodies.jpg"))
    parser.add_argument("--width", type=int, default=1800)
    parser.add_argument("--samples", type=int, default=24)
    parser.add_argument("--only", help="numbers of the people to show, from 0")
    parser.add_argument("--close", action="store_true", help="look at the first one's face")
    options = parser.parse_args()
    chosen = [int(k) for k in options.only.split(",")] if options.only else list(range(len(CAST)))
    ratio = 1.0 if options.close else (0.46 if len(chosen) > 4 else 0.75)
    scene = new_scene(RenderSettings(options.width, int(options.width * ratio) // 2 * 2, samples=options.samples))
    studio(scene, options.samples)
    model = load_body()
    rows = 2 if len(chosen) > 4 else 1
    columns = -(-len(chosen) // rows)
    target, eye = (0.0, 0.3, 0.86), (0.0, -8.6, 2.0)
    for number, k in enumerate(chosen):
        role, gender, age, height, weight, outfit, pose, seed, races = CAST[k]
        tone = 0.08 + 0.8 * races[0] + 0.22 * races[1] + 0.12 * ((seed * 7) % 5) / 4
        look = draw_person_look(np.random.default_rng(seed), role, gender, age, outfit, tone)
        betas = betas_from(age=age, gender=gender, height=height, weight=weight, races=races, model=model)
        row, column = divmod(number, columns)
        x = (column - (columns - 1) / 2 + 0.5 * (row - 0.5) * (rows - 1)) * 0.98
        y = 0.0 if row == 0 else 1.7
        x *= 1.0 if row == 0 else 1.12
        vertices = place(model, betas, pose, x, y, -90 + 16 * np.sin(5 * k + 1) + (22 if pose == "walk" else 0))
        handle = add_person(scene, model, look, betas, f"person{k}")
        update_person(handle, vertices)
        if pose == "sit":
            seat = vertices[np.abs(vertices[:, :2] - (x, y)).max(1) < 0.10][:, 2].min()
            stool(scene, x, y, float(seat) + 0.012)
        if options.close and number == 0:
            face = vertices[list(model.landmarks["nose"])].mean(0)
            target, eye = tuple(face + np.array([0, 0, 0.02])), tuple(face + np.array([-0.25, -1.1, 0.08]))
    bpy = load_bpy()
    camera = bpy.data.cameras.new("camera")
    camera.lens = 60 if options.close else 70
    camera.sensor_width = 36 if rows == 2 or options.close else 36 * columns / 6.5 + 4
    item = bpy.data.objects.new("camera", camera)
    item.location, item.rotation_euler = eye, _towards(eye, target)
    if not options.close and rows == 2:
        camera.lens = 50
    scene.collection.objects.link(item)
    scene.camera = item
    scene.render.image_settings.file_format = "JPEG"
    scene.render.image_settings.quality = 88
    options.out.parent.mkdir(parents=True, exist_ok=True)
    scene.render.filepath = str(options.out.resolve())
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    main()
    os._exit(0)  # bpy may hang at interpreter exit
