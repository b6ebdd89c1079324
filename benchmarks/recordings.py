"""Made recordings whose truth is known: care in a built-in ward, seen and annotated as in a care home.

`record` writes a folder as docs/teton-format.md has it: frames, keypoints with noise and gaps, actions, masks of key
frames; and the depth of the still scene with noise, as a network would give it. Pictures are plainly shaded boxes and
bodies: for how much is recovered of what is annotated, not for what networks see.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from synth.body import BodyModel, load_body
from synth.camera import Camera, fisheye_matrix, look_at, pinhole_matrix
from synth.corpus.retrieve import RetrievalGenerator
from synth.interaction import Interaction
from synth.motion.actions import measure_actions
from synth.motion.proxies import proxies_of
from synth.motion.quality import state_of
from synth.reconstruct.keypoints import coco_points, projected
from synth.reconstruct.projection import Optics
from synth.reconstruct.raster import rasterised
from synth.reconstruct.regions import CLASSES, LABEL
from synth.room import Room
from synth.rooms import load_room
from synth.rotation import Array, yaw_matrix
from synth.taxonomy import POSTURES

FPS = 10.0
KEYS = 6  # frames with masks
SUNK = 0.08  # metres that flesh sinks into bedding
PALETTE = np.random.default_rng(3).integers(90, 215, (len(CLASSES), 3))
CLOTHES = {"staff": (70, 110, 190), "patient": (205, 150, 120), "person": (120, 160, 110)}
LIGHT = np.array([0.3, -0.4, 0.87])


@dataclass(frozen=True)
class Recording:
    """A made recording in `folder`: `depth.npz` and `camera.json` lie beside its frames.

    Attributes:
        room, motion, camera: the truth. labels: of the still scene [H, W].
    """

    folder: Path
    room: Room
    motion: Interaction
    camera: Camera
    labels: np.ndarray


def camera_in(room: Room, place: str, model: str, width: int = 160, height: int = 120) -> Camera:
    """At a built-in camera's place, 2.4 m high, looking down 28 degrees."""
    old = room.camera(place)
    eye, ahead = old.position.copy(), old.world_from_camera[:3, 2]
    eye[2] = 2.4
    ahead = np.array([*(ahead[:2] / np.linalg.norm(ahead[:2])), -np.tan(np.deg2rad(28))])
    if model == "fisheye":
        return Camera(model, width, height, fisheye_matrix(width, height, 150), np.zeros(4), look_at(eye, eye + ahead))
    k = pinhole_matrix(width, height, 85)
    return Camera(model, width, height, k, world_from_camera=look_at(eye, eye + ahead))


def seen(room: Room, camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth [H, W], labels [H, W] and which piece [H, W] (-1: none), exactly, from the solids of a rectangular room."""
    eye, rays = camera.unproject(np.stack(np.meshgrid(np.arange(camera.width), np.arange(camera.height)), -1))
    with np.errstate(divide="ignore"):
        ends = np.maximum(
            (np.array([*room.floor.min(0), 0]) - eye) / rays, (np.array([*room.floor.max(0), room.height]) - eye) / rays
        )
        far, axis = ends.min(-1), ends.argmin(-1)
        flat = np.where(rays[..., 2] < 0, LABEL["floor"], LABEL["ceiling"])
        kind, owner = np.where(axis < 2, LABEL["wall"], flat), np.full(far.shape, -1)
        for index, item in enumerate(room.furniture):
            for box in item.world_solids():
                start, along = box.to_local(eye), rays @ yaw_matrix(box.yaw)
                sides = (-box.size / 2 - start) / along, (box.size / 2 - start) / along
                enter, leave = np.minimum(*sides).max(-1), np.maximum(*sides).min(-1)
                hit = (enter < leave) & (enter > 0.05) & (enter < far)
                far, owner = np.where(hit, enter, far), np.where(hit, index, owner)
                kind = np.where(hit, LABEL[item.cls], kind)
    depth = far if camera.model == "fisheye" else far * (rays @ camera.world_from_camera[:3, 2])
    return depth, kind.astype(np.uint8), owner


def record(
    folder: Path, ward: str, place: str, model: str, prompt: str, seed: int = 0, seconds: float = 6.0,
    size: tuple[int, int] = (640, 480), pixels: float = 3.0, gaps: float = 0.15, depth_noise: float = 0.02,
) -> Recording:  # fmt: skip
    """Make a recording.

    Args:
        folder: SITE/ROOM/TIME of it; made.
        ward: built-in room; place: of its cameras; model: "pinhole" or "fisheye".
        pixels: noise of keypoints. gaps: share of them that is not annotated. depth_noise: share, a pixel.
    """
    rng, body, room = np.random.default_rng(seed), load_body(), load_room(ward)
    made = RetrievalGenerator(room, body).generate(prompt, np.random.SeedSequence(seed), seconds, FPS)
    motion, camera = made.interaction, camera_in(room, place, model, *size)
    depth, labels, _ = seen(room, camera)
    for name in ("frames", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    known = depth * (1 + depth_noise * rng.normal(size=depth.shape))
    np.savez_compressed(folder / "depth.npz", depth=known.astype(np.float32))
    (folder / "camera.json").write_text(json.dumps(camera.to_json()))
    keys = np.linspace(0, motion.frames - 1, KEYS).round().astype(int)
    listed = []
    for frame, meshes in enumerate(_posed(motion, body)):
        image, hidden = _picture(meshes, body, camera, depth, labels, motion.meta.roles)
        Image.fromarray(image).save(folder / "frames" / f"{frame:06d}.jpg", quality=92)
        if frame in keys:
            mask = np.where(hidden >= 0, len(CLASSES) + hidden, labels).astype(np.uint8)
            Image.fromarray(mask).save(folder / "masks" / f"{frame:06d}.png")
            present = [value for value in np.unique(mask) if value]
            regions = [
                {"value": int(v), "class": CLASSES[v]} if v < len(CLASSES)
                else {"value": int(v), "class": "person", "person": int(v) - len(CLASSES) + 1}
                for v in present
            ]  # fmt: skip
            listed.append({"frame": frame, "mask": f"masks/{frame:06d}.png", "regions": regions})
    value = {
        "version": 1, "width": camera.width, "height": camera.height, "fps": FPS, "frames": motion.frames,
        "captions": [prompt], "people": _annotations(motion, body, camera, room, rng, pixels, gaps),
        "key_frames": listed,
        "camera": {"model": camera.model, "K": camera.K.tolist(), "dist": camera.dist.tolist()},
    }  # fmt: skip
    (folder / "sequence.json").write_text(json.dumps(value))
    return Recording(folder, room, motion, camera, labels)


def _posed(motion: Interaction, body: BodyModel) -> list[list[Array]]:
    """Skins of everybody [T][P], vertices [V, 3]."""
    skin = np.arange(body.faces.max() + 1)
    each = [list(body.pose_interaction(motion, person, skin)) for person in range(motion.people)]
    return [[one[frame] for one in each] for frame in range(motion.frames)]


def _picture(
    meshes: list[Array], body: BodyModel, camera: Camera, depth: Array, labels: np.ndarray, roles: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """A frame uint8 [H, W, 3], and who is seen where [H, W], -1 nobody: furniture hides people as well."""
    drawn = rasterised(meshes, body.faces, camera)
    person = np.where(drawn.depth < depth + SUNK, drawn.person, -1)
    back = PALETTE[labels] * np.clip(1.25 - 0.07 * depth, 0.4, 1.1)[..., None]
    light = 0.45 + 0.55 * np.clip(drawn.normal @ (LIGHT / np.linalg.norm(LIGHT)), 0, 1)
    colour = np.array([CLOTHES[role] for role in roles], float)[np.maximum(person, 0)] * light[..., None]
    return np.where((person >= 0)[..., None], colour, back).clip(0, 255).astype(np.uint8), person


def _annotations(
    motion: Interaction, body: BodyModel, camera: Camera, room: Room, rng: np.random.Generator, pixels: float,
    gaps: float,
) -> list[dict[str, object]]:  # fmt: skip
    state = state_of(motion, [proxies_of(body, betas) for betas in motion.betas])
    where = projected(state, coco_points(body, motion.betas), Optics.of(camera), motion.people)
    postures = measure_actions(motion, body, room.furniture).frame_postures
    people = []
    for person in range(motion.people):
        items = []
        for frame in range(motion.frames):
            points = where[person, frame]
            inside = camera.inside(points)
            box = _box(points, camera)
            if box is None or inside.sum() < 5:
                continue
            told = inside & (rng.random(17) > gaps)
            noisy = points + pixels * rng.normal(size=points.shape)
            keypoints = np.where(told[:, None], np.column_stack((noisy, np.full(17, 2.0))), 0.0)
            posture = int(postures[person, frame])
            items.append({
                "frame": frame, "box": box, "keypoints": keypoints.round(2).flatten().tolist(),
                "action": POSTURES[posture] if posture >= 0 else None,
            })  # fmt: skip
        people.append({"id": person + 1, "class": motion.meta.roles[person], "annotations": items})
    return people


def _box(points: Array, camera: Camera) -> list[float] | None:
    """Around keypoints [17, 2] with the margin that flesh has, cut at the picture's edge; None outside it."""
    low, high = points.min(0), points.max(0)
    grown = 0.08 * (high - low).max()
    low, high = np.maximum(low - grown, 0), np.minimum(high + grown, [camera.width - 1, camera.height - 1])
    if ((high - low) < 4).any():
        return None
    return [round(float(v), 1) for v in (*low, *(high - low))]


def masks(motion: Interaction, body: BodyModel, camera: Camera, scene: Array | None = None) -> np.ndarray:
    """Bool [T, P, H, W]: who is seen where; in front of the scene's depth [H, W] if that is given."""
    found = []
    for meshes in _posed(motion, body):
        drawn = rasterised(meshes, body.faces, camera)
        person = drawn.person if scene is None else np.where(drawn.depth < scene + SUNK, drawn.person, -1)
        found.append([person == index for index in range(motion.people)])
    return np.array(found)
