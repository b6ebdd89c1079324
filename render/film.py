"""From a plan to clips: perform a prompt once, film it with each camera, write the film and its labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from render.clip import plain, write_depth, write_labels, write_masks
from render.given import caption_of, given_take, read_stage, room_of
from render.labels import SCHEMA_VERSION, LabelTable, PersonFrame, contact_frames, depth_in_body
from render.look import Look, draw_look, read_looks
from render.plan import LOOK, MOTION, ClipPlan, JobSettings
from render.video import video_writer, write_poster
from synth import taxonomy
from synth.body import BodyModel, load_body
from synth.body.outfits import dressed_vertices
from synth.gltf import SceneMesh
from synth.interaction import Interaction, Prop, meta_to_json
from synth.room import Room
from synth.rooms import room_meshes
from synth.skeleton import COCO_KEYPOINTS, SMPL_JOINTS, forward_kinematics

if TYPE_CHECKING:
    from render.blender.light import LightParams

LIGHT_VARIATION = 5  # seed purpose after those of render.plan
Progress = Callable[[int, int], None]  # frames done, frames of this clip


@dataclass(frozen=True)
class Performance:
    """One take: what happens, and how people look while it does.

    Attributes:
        interaction: at the video's frame rate, in the room's world.
        joints: SMPL-24, metres [P, T, 24, 3].
        actions: measured labels (``synth.motion.actions.Actions``).
        look: clothes and colours.
        match: how the generator chose the motion, a JSON object.
        warning: for the user, or None.
        rejected: attempts thrown away because they did not show what the prompt asks.
        generator: what made the motion, "retrieval", "diffusion" or "given".
    """

    interaction: Interaction
    joints: np.ndarray
    actions: Any
    look: Look
    match: dict[str, Any]
    warning: str | None
    rejected: int
    generator: str = "retrieval"


class Studio:
    """What the takes of one job share: room, body and generator, loaded once a process."""

    def __init__(
        self,
        settings: JobSettings,
        versions: dict[str, str],
        scratch: Path,
        device: str = "auto",
        threads: int = 0,
    ) -> None:
        self.settings, self.versions, self.scratch = settings, versions, scratch
        self.device, self.threads = device, threads
        self.room: Room = room_of(settings)
        self.meshes: list[SceneMesh] = room_meshes(self.room)
        self.model: BodyModel = load_body(settings.body)
        self.stage = None if settings.stage is None else read_stage(settings.stage)
        self.wishes = self.stage.looks if self.stage else read_looks(settings.looks) if settings.looks else ()
        self._generator: Any = None

    @property
    def generator(self) -> Any:
        """What makes the motions."""
        if self._generator is None:
            self._generator = make_generator(self.settings, self.room, self.model)
        return self._generator

    def perform(self, prompt: str, take_seed: Callable[[int], np.random.SeedSequence]) -> Performance:
        """Make the motion of one take and measure it; ``take_seed`` gives the take's seed for a purpose."""
        settings = self.settings
        look_rng = np.random.default_rng(take_seed(LOOK))
        if settings.interaction is not None:
            motion, actions, given = given_take(
                settings.interaction, settings.fps, settings.seconds, self.model, self.room
            )
            return self._show(motion, actions, look_rng, {}, self._doubts(given, motion), 0, "given")
        made = self.generator.generate(prompt, take_seed(MOTION), seconds=settings.seconds, fps=settings.fps)
        interaction = made.interaction
        if interaction.frames != settings.frames or interaction.fps != settings.fps:
            raise RuntimeError(f"the generator made {interaction.frames} frames at {interaction.fps} a second")
        match = plain(made.match_to_json())
        return self._show(interaction, made.actions, look_rng, match, made.warning, int(made.rejected), made.generator)

    def _show(
        self, motion: Interaction, actions: Any, rng: np.random.Generator, match: dict[str, Any], warning: str | None,
        rejected: int, generator: str,
    ) -> Performance:  # fmt: skip
        rest = self.model.rest_joints(motion.betas)
        joints, _ = forward_kinematics(motion.rotations(), rest[:, None], motion.transl)
        look = draw_look(rng, motion.meta, self.wishes)
        return Performance(motion, joints, actions, look, match, warning, rejected, generator)

    def _doubts(self, motion: Interaction, shown: Interaction) -> str | None:
        """What of a given motion does not belong to this studio, or is not as its file says, for the user."""
        texts = []
        if motion.meta.interaction_class != shown.meta.interaction_class:
            texts.append(f"it does not show {motion.meta.interaction_class} any more, so that no class is stated")
        if motion.meta.body_model != self.model.name:
            texts.append(f"the shapes are of the body {motion.meta.body_model}, shown on {self.model.name}")
        if motion.meta.room not in (None, self.room.name):
            texts.append(f"it was made in the room {motion.meta.room}, shown in {self.room.name}")
        return "; ".join(texts) or None

    def light(self, plan_seed: Callable[[int], np.random.SeedSequence]) -> LightParams:
        """The small variations of a take's light: those of the stage, or drawn."""
        from render.blender.light import draw_light

        return self.stage.light if self.stage else draw_light(np.random.default_rng(plan_seed(LIGHT_VARIATION)))

    def film(self, show: Performance, plan: ClipPlan, folder: Path, progress: Progress) -> dict[str, Any]:
        """Film a performance with one camera into ``folder``; returns ``labels.json``'s object."""
        from render.blender.session import RenderSettings
        from render.blender.stage import Stage

        settings, motion = self.settings, show.interaction
        bodies = BodyTruth(self.model, show)
        table = LabelTable(motion.frames, motion.people, motion.fps)
        masks = np.zeros((motion.frames, settings.height, settings.width), np.uint8)
        depths = np.zeros(masks.shape if settings.depth else (0, 0, 0), np.float32)
        poster: np.ndarray | None = None
        stage = Stage(
            self.room, self.meshes, self.model, show.look, motion.betas, plan.mood, self.light(plan.seed),
            plan.camera,
            RenderSettings(
                settings.width, settings.height, settings.engine, self.device, settings.samples, threads=self.threads
            ),
            self.scratch, motion.props,
        )  # fmt: skip
        with video_writer(folder / "video.mp4", settings.width, settings.height, settings.fps) as encode:
            for frame, (vertices, truths) in enumerate(bodies.frames()):
                stage.pose(vertices)
                stage.move(frame)
                picture = stage.colour(plan.noise_seed(frame))
                masks[frame], depth = stage.labels()
                if settings.depth:
                    depths[frame] = depth
                table.add(frame, truths, masks[frame], plan.camera, stage.cast)
                encode(picture)
                if frame == motion.frames // 2:
                    poster = picture
                progress(frame + 1, motion.frames)
        arrays = table.arrays | {
            "action": np.asarray(show.actions.frame_labels, np.int16).T,
            "posture": np.asarray(show.actions.frame_postures, np.int16).T,
            "props": prop_tracks(motion.props, motion.frames),
            "contact": contact_frames([(c.start, c.end) for c in motion.meta.contacts], table.arrays["time"]),
        }
        info = self.describe(show, plan)
        write_labels(folder, arrays, info)
        write_masks(folder, masks)
        if settings.depth:
            write_depth(folder, depths)
        motion.save(folder / "interaction.npz")
        assert poster is not None
        write_poster(folder / "poster.jpg", poster)
        return info

    def describe(self, show: Performance, plan: ClipPlan) -> dict[str, Any]:
        """``labels.json``: everything about a clip that is not an array a frame (docs/labels.md)."""
        motion, settings = show.interaction, self.settings
        meta = meta_to_json(motion.meta)
        ages = motion.meta.ages or (None,) * motion.people
        return plain({
            "schema": SCHEMA_VERSION,
            "id": plan.id,
            "prompt": plan.prompt,
            "class": motion.meta.interaction_class,
            "caption": show.match["caption"] if "caption" in show.match else caption_of(motion),
            "match": show.match,
            "warning": show.warning,
            "rejected": show.rejected,
            "generator": show.generator,
            "room": self.room.name,
            "camera": {"name": plan.camera_name, **plan.camera.to_json()},
            "light": plan.mood,
            "seed": {"job": plan.job_seed, "take": plan.take},
            "fps": settings.fps,
            "frames": motion.frames,
            "people": [
                {
                    "mask_id": index + 1,
                    "role": motion.meta.roles[index],
                    "gender": motion.meta.genders[index],
                    "age": ages[index],
                    "betas": motion.betas[index],
                    "look": show.look.people[index].as_json(),
                }
                for index in range(motion.people)
            ],
            "props": [{"id": prop.id, "class": prop.cls} for prop in motion.props],
            "action_names": taxonomy.ACTIONS,
            "posture_names": taxonomy.POSTURES,
            "keypoint_names": COCO_KEYPOINTS,
            "joint_names": SMPL_JOINTS,
            "segments": [segment_to_json(segment) for segment in show.actions.segments],
            "contacts": meta["contacts"],
            "licences": {
                "body": {"name": self.model.name, "licence": self.model.licence},
                "motion": meta["source"],
                "room": self.room.provenance,
            },
            "versions": self.versions,
        })  # fmt: skip


class BodyTruth:
    """The people's meshes and joints over the clip, frame by frame, few frames held at a time."""

    def __init__(self, model: BodyModel, show: Performance) -> None:
        self.model, self.show = model, show
        motion = show.interaction
        self.drawn = [dressed_vertices(model, look.parts, look.hair) for look in show.look.people]
        rest = model.rest_joints(motion.betas)
        self.depths = []
        for person in range(motion.people):
            vertices = model.shaped(motion.betas[person])
            skin = vertices[np.unique(model.faces)]
            keypoints = model.coco_keypoints(vertices, rest[person])
            self.depths.append((depth_in_body(keypoints, skin), depth_in_body(rest[person], skin)))

    def frames(self) -> Any:
        """Yield, for each frame, the vertices of each person and what the labels need; None for who is not there."""
        motion = self.show.interaction
        streams = [self.model.pose_interaction(motion, person) for person in range(motion.people)]
        for frame in range(motion.frames):
            vertices: list[np.ndarray | None] = []
            truths: list[PersonFrame | None] = []
            for person, stream in enumerate(streams):
                points = next(stream)
                if not motion.present[person, frame]:
                    vertices.append(None)
                    truths.append(None)
                    continue
                joints = self.show.joints[person, frame]
                at_keypoints, at_joints = self.depths[person]
                vertices.append(points)
                truths.append(
                    PersonFrame(
                        points[self.drawn[person]],
                        self.model.coco_keypoints(points, joints),
                        joints,
                        at_keypoints,
                        at_joints,
                    )
                )
            yield vertices, truths


def make_generator(settings: JobSettings, room: Room, model: BodyModel) -> Any:
    """The generator of the job's name."""
    if settings.generator == "diffusion":
        from synth.diffusion.generate import DiffusionGenerator

        return DiffusionGenerator(room, model, settings.text_encoder, settings.model, near=settings.near, fallback=True)
    from synth.corpus.retrieve import RetrievalGenerator

    return RetrievalGenerator(room, model, settings.text_encoder, near=settings.near)


def prop_tracks(props: Sequence[Prop], frames: int) -> np.ndarray:
    """Where each prop is: f32 [T, K, 6], metres and axis-angle radians in the world."""
    tracks = [np.concatenate([prop.transl, prop.orient], -1) for prop in props]
    return np.stack(tracks, 1).astype(np.float32) if tracks else np.zeros((frames, 0, 6), np.float32)


def segment_to_json(segment: Any) -> dict[str, Any]:
    """An action segment: seconds from the first frame."""
    return {
        "person": segment.person,
        "start": round(float(segment.start), 4),
        "end": round(float(segment.end), 4),
        "label": segment.label,
    }
