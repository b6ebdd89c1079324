"""What comes back of a rendered clip: `python -m benchmarks.roundtrip FOLDER [--scenes 5] [--json]`.

Clips are rendered (`synth-render`, with depth), turned into recordings as a care home would annotate them (keypoints
with 3 px of noise at 640 x 480 and 15 % of them missing, postures, masks of key frames, depth with 2 % of noise),
reconstructed, and the recovered bodies, in the clothes that the clip's people wore, are drawn through the recovered
camera. Told are: intersection over union of their masks with the rendered ones; how far joints are off in the world;
tilt and height of the floor. FOLDER keeps everything, OVERLAYS too; what is there already is used.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.recordings import SUNK, seen
from render.clip import Clip, open_clip
from synth.body import BodyModel, dressed_faces, load_body
from synth.camera import Camera, camera_from_json
from synth.interaction import Interaction, load_interaction
from synth.motion.fit import one_thread
from synth.motion.proxies import proxies_of
from synth.motion.quality import state_of
from synth.reconstruct.outputs import write_reconstruction
from synth.reconstruct.pipeline import Settings, reconstruct
from synth.reconstruct.raster import mask_iou, rasterised
from synth.reconstruct.regions import CLASSES
from synth.room import Room
from synth.rooms import load_room
from synth.rotation import Array
from synth.taxonomy import POSTURES

SCENES = (
    ("ward_03", "staff helps patient up from the bed"), ("ward_05", "staff helps patient up from the armchair"),
    ("ward_02", "staff walks with patient"), ("ward_01", "patient falls"), ("ward_03", "staff talks to patient in bed"),
)  # fmt: skip
SECONDS, FPS, SIZE = 4.0, 10.0, (480, 360)
PIXELS, GAPS, DEPTH = 3.0 * SIZE[1] / 480, 0.15, 0.02
KEYS = 6


def rendered(folder: Path, number: int) -> Clip:
    """The clip of a scene, made unless it is there."""
    scene, prompt = SCENES[number]
    out = folder / f"clip_{number}"
    if not (out / "manifest.jsonl").exists():
        subprocess.run(
            [sys.executable, "-m", "render.cli", "--scene", scene, "--prompt", prompt, "--out", str(out), "--depth",
             "--camera", "corner", "--seconds", str(SECONDS), "--fps", str(FPS), "--size", f"{SIZE[0]}x{SIZE[1]}",
             "--seed", str(number)],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    (clip,) = [path for path in (out / "clips").iterdir() if (path / "DONE").exists()]
    return open_clip(clip)


def recording_of(clip: Clip, folder: Path, seed: int) -> None:
    """The clip as a recording: `folder` is SITE/ROOM/TIME."""
    rng, info, labels = np.random.default_rng(seed), clip.info, clip.labels
    camera = camera_from_json(info["camera"], clip.folder)
    room = _room_of(clip)
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    (folder / "video.mp4").write_bytes(clip.video.read_bytes())
    frames, ids = len(labels["time"]), labels["mask_id"]
    _, still, _ = seen(room, camera)
    people_masks, depth = clip.masks(), clip.depth()
    assert depth is not None
    keys = np.linspace(0, frames - 1, KEYS).round().astype(int)
    metres = depth[keys] / 1000 * (1 + DEPTH * rng.normal(size=depth[keys].shape))
    np.savez_compressed(folder / "depth.npz", depth=np.where(depth[keys] > 0, metres, np.nan).astype(np.float32))
    listed = []
    for frame in keys:
        mask = still.copy()
        for person, number in enumerate(ids):
            mask[people_masks[frame] == number] = len(CLASSES) + person
        Image.fromarray(mask).save(folder / "masks" / f"{frame:06d}.png")
        regions = [
            {"value": int(v), "class": CLASSES[v]} if v < len(CLASSES)
            else {"value": int(v), "class": "person", "person": int(v) - len(CLASSES) + 1}
            for v in np.unique(mask) if v
        ]  # fmt: skip
        listed.append({"frame": int(frame), "mask": f"masks/{frame:06d}.png", "regions": regions})
    people = []
    for person, role in enumerate(one["role"] for one in info["people"]):
        items = []
        for frame in np.flatnonzero(labels["visible_pixels"][:, person] > 0):
            x0, y0, x1, y1 = (float(v) for v in labels["box"][frame, person])
            points = labels["keypoints"][frame, person].astype(float)
            told = (points[:, 2] > 0) & (rng.random(17) > GAPS)
            points[:, :2] += PIXELS * rng.normal(size=(17, 2))
            posture = int(labels["posture"][frame, person])
            items.append({
                "frame": int(frame), "box": [x0, y0, x1 - x0, y1 - y0],
                "keypoints": np.where(told[:, None], points, 0.0).round(2).flatten().tolist(),
                "action": POSTURES[posture] if posture >= 0 else None,
            })  # fmt: skip
        people.append({"id": person + 1, "class": role, "annotations": items})
    value = {
        "version": 1, "width": camera.width, "height": camera.height, "fps": FPS, "frames": frames, "people": people,
        "key_frames": listed, "camera": {"model": camera.model, "K": camera.K.tolist(), "dist": camera.dist.tolist()},
    }  # fmt: skip
    (folder / "sequence.json").write_text(json.dumps(value))


def figures(clip: Clip, folder: Path, out: Path, body: BodyModel) -> dict[str, Any]:
    """Reconstruct a recording and compare."""
    begin = time.process_time()
    with one_thread():
        found = reconstruct(folder, Settings(depth=folder / "depth.npz"), out / "cache", lambda stage, share: None)
    seconds = time.process_time() - begin
    record = write_reconstruction(found, out, clip.id, body)
    truth, camera = (
        load_interaction(clip.folder / "interaction.npz"),
        camera_from_json(clip.info["camera"], clip.folder),
    )
    truth, recovered = truth.resample(FPS), found.scene.camera
    move = camera.world_from_camera @ np.linalg.inv(recovered.world_from_camera)
    frames = min(truth.frames, found.motion.frames)
    joints = [_joints(motion, body)[:, :frames] for motion in (truth, found.motion)]
    joints[1] = joints[1] @ move[:3, :3].T + move[:3, 3]
    keys = np.linspace(0, frames - 1, 8).round().astype(int)
    made_masks = dressed(_at(found.motion, keys), clip, body, recovered, seen(_room_of(clip), camera)[0])
    up = move[:3, :3] @ np.array([0.0, 0.0, 1.0])
    return {
        "iou": round(float(np.nanmean(mask_iou(clip.masks()[keys] > 0, made_masks))), 3),
        "world_mm": round(1000 * float(np.linalg.norm(joints[0] - joints[1], axis=-1).mean())),
        "mpjpe_mm": round(1000 * float(np.linalg.norm(_centred(joints[0]) - _centred(joints[1]), axis=-1).mean())),
        "tilt_deg": round(float(np.degrees(np.arccos(np.clip(up[2], -1, 1)))), 2),
        "height_cm": round(100 * float(abs(recovered.position[2] - camera.position[2])), 1),
        "reprojection_px": [person.reprojection for person in record.people],
        "cpu_s": round(seconds, 1), "frames": frames, "people": found.motion.people,
    }  # fmt: skip


def dressed(motion: Interaction, clip: Clip, body: BodyModel, camera: Camera, scene: Array) -> np.ndarray:
    """Bool [T, H, W]: where people are seen, in the clothes and hair of the clip, in front of the scene [H, W]."""
    found = np.zeros((motion.frames, camera.height, camera.width), bool)
    for person, told in enumerate(clip.info["people"]):
        look = told["look"]
        faces = dressed_faces(body, look["outfit"], look["hair"])[0]
        for frame, mesh in enumerate(body.pose_interaction(motion, person)):
            found[frame] |= rasterised([mesh], faces, camera).depth < scene + SUNK
    return found


def _room_of(clip: Clip) -> Room:
    room = clip.info["room"]
    return load_room(room["name"] if isinstance(room, dict) else room)


def _at(motion: Interaction, frames: np.ndarray) -> Interaction:
    return replace(
        motion, transl=motion.transl[:, frames], global_orient=motion.global_orient[:, frames],
        body_pose=motion.body_pose[:, frames], present=motion.present[:, frames], props=(),
    )  # fmt: skip


def _joints(motion: Interaction, body: BodyModel) -> Array:
    """[P, T, 24, 3] metres."""
    return state_of(motion, [proxies_of(body, betas) for betas in motion.betas]).joints.numpy().astype(float)


def _centred(joints: Array) -> Array:
    return joints - joints[:, :, :1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenes", type=int, default=len(SCENES))
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    body, rows = load_body(), []
    for number in range(chosen.scenes):
        clip = rendered(chosen.folder, number)
        recording = chosen.folder / "site" / f"scene_{number}" / "20260101T000000"
        recording_of(clip, recording, number)
        row = {"scene": SCENES[number]} | figures(clip, recording, chosen.folder / f"found_{number}", body)
        rows.append(row)
        if not chosen.json:
            print(row, flush=True)
    if chosen.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
