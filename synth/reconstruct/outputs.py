"""What a reconstruction leaves in its folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from synth.body import BodyModel
from synth.reconstruct.measured import people_records
from synth.reconstruct.overlay import contact_sheet, overlays, write_overlay
from synth.reconstruct.pipeline import Reconstruction
from synth.reconstruct.record import SceneRecord
from synth.reconstruct.report import Pictures, write_report
from synth.reconstruct.surface import cloud, write_cloud
from synth.reconstruct.topview import top_view
from synth.rooms import save_room

SHEET = 8  # overlays on the contact sheet
STEP = 2  # of the point cloud: every second row and column


def write_reconstruction(found: Reconstruction, out: Path, name: str, body: BodyModel) -> SceneRecord:
    """Write `interaction.npz`, `room/`, `cloud.ply`, `overlay.mp4`, `quality.json` and `index.html`, each whole or not.

    What an earlier run left there goes first, the page that shows it before all: no file stands beside others' results.

    Returns:
        the quality record; `quality` of the interaction has it as well.
    """
    out.mkdir(parents=True, exist_ok=True)
    _cleared(out)
    scene, motion = found.scene, found.motion
    furniture = () if found.room is None else found.room.furniture
    numbers = np.linspace(0, motion.frames - 1, min(SHEET, motion.frames)).round().astype(int).tolist()
    drawn = overlays(
        _frames(found), motion, body, scene.camera, furniture, scene.annotated.observed, None, scene.annotated.names
    )
    kept = write_overlay(out / "overlay.mp4", drawn, motion.fps, numbers)
    record = record_of(found, name, body)
    if found.room is not None:
        save_room(found.room, found.meshes, out / "room")
    if scene.depth is not None:
        points = cloud(scene.depth.depth, scene.depth.known, scene.camera, scene.still, STEP)
        write_cloud(out / "cloud.ply", *points)
    quality = {**motion.meta.quality, "reconstruct": record.to_json()}
    replace(motion, meta=replace(motion.meta, quality=quality)).save(out / "interaction.npz")
    plan = None if found.room is None else top_view(found.room, motion, body, scene.annotated.names, scene.camera)
    pictures = Pictures(scene.still, contact_sheet(kept, 2), plan, "overlay.mp4", kept[len(kept) // 2])
    write_report(out, record, pictures)
    return record


def _cleared(out: Path) -> None:
    for name in ("index.html", "quality.json", "interaction.npz", "cloud.ply", "overlay.mp4"):
        (out / name).unlink(missing_ok=True)
    if (out / "room" / "room.json").is_file():
        shutil.rmtree(out / "room")


def record_of(found: Reconstruction, name: str, body: BodyModel) -> SceneRecord:
    """The figures of a reconstruction."""
    scene = found.scene
    floor, depth, optics = scene.ground.floor, scene.depth, scene.optics
    notes = [*found.notes, *scene.ground.notes, *(() if depth is None else depth.notes)]
    if scene.steadiness.verdict == "unknown":
        notes.append("Whether the camera stands still could not be told from its pictures.")
    elif scene.steadiness.verdict != "still":
        notes.append(f"The camera {scene.steadiness.verdict}: everything is placed as if it stood still.")
    if scene.steadiness.pieces > 1:
        notes.append(f"The pictures fall into {scene.steadiness.pieces} parts that could not be compared (a light that "
                     "was switched?): whether the camera moved between them was not measured.")  # fmt: skip
    if scene.labels is None:
        notes.append("No masks: furniture could not be told from the rest.")
    return SceneRecord(
        name=name, fps=found.motion.fps, frames=found.motion.frames,
        people=people_records(
            replace(found.refined, motion=found.motion), scene.annotated.observed, body, scene.annotated.names
        ),
        camera_motion=scene.steadiness.verdict, camera_height=float(floor.offset), floor_residual=floor.residual,
        floor_tilt=floor.tilt, floor_inliers=floor.inliers, floor_sources=floor.sources, floor_warnings=floor.warnings,
        optics=optics.source, lens=optics.camera.model, focal=float(optics.camera.K[0, 0]),
        depth_scale="people's heights" if depth is None else depth.source,
        depth_known=None if depth is None else float(np.mean(depth.known)), notes=tuple(dict.fromkeys(notes)),
        scale=scene.scale,
    )  # fmt: skip


def _frames(found: Reconstruction) -> Iterator[np.ndarray]:
    """As many as the motion has: what a video has beyond its annotations is left out."""
    for _, frame in zip(range(found.motion.frames), found.scene.video.frames(), strict=False):
        yield frame
