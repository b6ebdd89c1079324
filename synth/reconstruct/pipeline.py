"""From a fixed camera's video to a metric room and the people in it: `synth reconstruct` (thesis 4.1 to 4.3)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from synth.body import BodyModel, load_body
from synth.camera import Camera
from synth.corpus.readers.teton import RECORDING, read_recording
from synth.errors import BadFile, Missing
from synth.gltf import SceneMesh
from synth.interaction import Interaction, Meta
from synth.motion.actions import measure_actions
from synth.motion.proxies import proxies_of
from synth.motion.quality import state_of
from synth.reconstruct.annotated import Annotated, read_annotations, seen_people, told_enough, with_recording
from synth.reconstruct.estimates import estimated_crops, placed
from synth.reconstruct.floor import THRESHOLD
from synth.reconstruct.grounding import stood
from synth.reconstruct.hmr2 import load_hmr2
from synth.reconstruct.keypoints import Observed, through_lens
from synth.reconstruct.layout import NoRoom
from synth.reconstruct.lifting import library_poses, lifted
from synth.reconstruct.people import Refined, calmed, filled, refined
from synth.reconstruct.regions import LABEL, Regions
from synth.reconstruct.resting import rested, seeming_rest
from synth.reconstruct.scene import reconstructed_room
from synth.reconstruct.scenery import (
    NETWORK_SPREAD,
    Ground,
    Optics,
    StillDepth,
    depth_from_file,
    depth_from_networks,
    ground_of,
    made_square,
    optics_of,
    people_masks,
)
from synth.reconstruct.stages import Stages, array_key, file_key
from synth.reconstruct.stature import betas_of_height, body_height, shared_scale, tallness, upright
from synth.reconstruct.steady import Steadiness, camera_motion
from synth.reconstruct.surface import still_image
from synth.reconstruct.video import Video, open_video
from synth.room import Room
from synth.rotation import Array

KEY_FRAMES = 12  # of a recording, that the scene is made from
Progress = Callable[[str, float], None]  # a stage, and the share of it that is done
Estimator = Callable[[Camera, Array], Interaction]  # poses, given the camera in its world and betas [P, 10]


@dataclass(frozen=True)
class Networks:
    """Weights that are here: files or folders, None for those that are not."""

    depth: Path | None = None
    disparity: Path | None = None
    hmr2: Path | None = None
    detector: Path | None = None
    pose: Path | None = None
    segmenter: Path | None = None


@dataclass(frozen=True)
class Settings:
    """How to reconstruct.

    Attributes:
        annotations: `sequence.json`, COCO keypoints, or None: detectors look for people.
        camera: optics as JSON; depth: of a depth camera. None where they are not known.
        networks: weights. device: torch's name of it.
        body: as of `load_body`.
        fps: of the video, where it is known better. threshold: metres a point of the floor may be off its plane.
        seed: of what is drawn.
    """

    annotations: Path | None = None
    camera: Path | None = None
    depth: Path | None = None
    networks: Networks = Networks()
    device: str = "cpu"
    body: str = "makehuman"
    fps: float | None = None
    threshold: float = THRESHOLD
    seed: int = 0


@dataclass(frozen=True)
class Scene:
    """The recording and its still scene; depth and ground are of the room's size once people's heights are in them.

    Attributes:
        still: uint8 [H, W, 3], the picture without people. labels: uint8 [H, W] of `Regions.still`, or None.
        left_out: sentences about people who were.
        scale: by what it was enlarged since people's heights say so; None where nobody's does.
    """

    video: Video
    annotated: Annotated
    optics: Optics
    steadiness: Steadiness
    still: np.ndarray
    labels: np.ndarray | None
    depth: StillDepth | None
    ground: Ground
    left_out: tuple[str, ...] = ()
    scale: float | None = None

    @property
    def camera(self) -> Camera:
        """With its pose in the world."""
        return self.ground.alignment.camera(self.optics.camera)

    def enlarged(self, factor: float) -> Scene:
        depth = None if self.depth is None else replace(self.depth, depth=self.depth.depth * factor)
        return replace(self, depth=depth, ground=self.ground.enlarged(factor), scale=factor * (self.scale or 1.0))


@dataclass(frozen=True)
class Reconstruction:
    """What was found; everything is in the room's world.

    Attributes:
        room, meshes: None and empty where there is nothing to make a room of; `notes` say why.
        refined: people over all frames. motion: the same, with who is there when, roles and measured actions.
    """

    scene: Scene
    room: Room | None
    meshes: list[SceneMesh]
    refined: Refined
    motion: Interaction
    notes: tuple[str, ...]


def reconstruct(source: Path, settings: Settings, cache: Path, report: Progress) -> Reconstruction:
    """Reconstruct a recording.

    Args:
        source: a video, a folder of pictures, or a recording's folder with its `sequence.json`.
        cache: folder for what networks say: the same call again goes on where it was stopped.
        report: told how far it is.

    Raises:
        CareSynthError: the input is broken, weights are missing, or there is no floor to be found.
    """
    stages, body = Stages(cache), load_body(settings.body)
    scene = _scene(source, settings, stages, report)
    estimate = estimator(scene, settings, stages, body, report)
    report("people", 0.0)
    scene, betas = of_true_size(scene, estimate, body)
    annotated, camera = scene.annotated, scene.camera
    estimates = estimate(camera, betas)
    estimates = replace(estimates, meta=replace(estimates.meta, roles=annotated.roles))
    report("room", 0.0)
    room, meshes, notes = _room(source, scene, standing_places(estimates, annotated, camera, body))
    furniture = () if room is None else room.furniture
    resting = annotated.known_rest
    if any(row is None for row in annotated.told_rest):
        resting = rested(annotated.told_rest, seeming_rest(estimates, camera, body, furniture))
    report("people", 0.5)
    found = refined(estimates, annotated.observed, camera, body, resting, furniture, annotated.present)
    motion = _finished(found.motion, source, annotated, room, body)
    report("people", 1.0)
    return Reconstruction(scene, room, meshes, found, motion, (*scene.left_out, *notes))


def _scene(source: Path, settings: Settings, stages: Stages, report: Progress) -> Scene:
    report("video", 0.0)
    pictures, told, fps = source, settings.annotations, settings.fps
    if (source / RECORDING).is_file():  # a recording's own folder
        tracks = read_recording(source, source.name)
        if tracks.images is None:
            raise Missing(f"video of {source}", "put frames/ or video.mp4 beside its sequence.json")
        pictures, told, fps = tracks.images, told or source / RECORDING, fps or tracks.fps
    video = open_video(pictures, fps)
    everybody = _annotated(video, told, settings, stages, report)
    if pictures != source:
        everybody = with_recording(everybody, source / RECORDING, video.width, video.height, video.count)
    annotated, left_out = told_enough(everybody)
    numbers = _key_frames(annotated.regions, video.count)
    images = video.some(numbers)
    people = people_masks(everybody, numbers, video.height, video.width)  # who is left out hides the scene, too
    report("camera", 0.0)
    steadiness = camera_motion(images, people)
    still = still_image(images, people)
    optics = optics_of(annotated.camera, settings.camera, still, people.all(0))
    regions = _regions(images, numbers, annotated, video, settings, stages, report)
    labels = None if regions is None else regions.still()
    depth = _depth(images, people, numbers, video, everybody, settings, stages, report)
    seed = np.random.SeedSequence(settings.seed)
    if depth is not None:
        optics, depth = made_square(optics, depth, labels, settings.threshold, seed)
    annotated, more = told_enough(replace(annotated, observed=through_lens(annotated.observed, optics.camera)))
    left_out = (*left_out, *more)
    ground = ground_of(optics, depth, labels, annotated, settings.threshold, seed)
    return Scene(video, annotated, optics, steadiness, still, labels, depth, ground, left_out)


def _annotated(
    video: Video, told: Path | None, settings: Settings, stages: Stages, report: Progress
) -> Annotated:  # fmt: skip
    """What somebody annotated, else what detectors see."""
    if told is not None:
        return read_annotations(told, video.width, video.height, video.count, video.fps)
    networks = settings.networks
    if networks.detector is None or networks.pose is None:
        lacking = "a detector of people" if networks.detector is None else "a network for keypoints"
        raise Missing(lacking, "give --annotations, or see `synth reconstruct --check` for the weights")
    detector, pose = networks.detector, networks.pose

    def make() -> dict[str, np.ndarray]:
        from synth.reconstruct.pose2d import observed_of_images  # transformers takes seconds to import

        found = observed_of_images(
            video.frames(),
            video.fps,
            detector,
            pose,
            settings.device,
            lambda done: report("people", done / video.count),
        )
        return {"keypoints": found.keypoints, "seen": found.seen, "boxes": found.boxes}

    inputs = {"video": file_key(video.path), "fps": video.fps, "detector": file_key(detector), "pose": file_key(pose)}
    kept = stages.kept("detections", inputs, make)
    if not len(kept["boxes"]):
        raise BadFile(video.path, "people", "nobody was found", "somebody in view for half a second")
    return seen_people(Observed(video.fps, kept["keypoints"], kept["seen"], kept["boxes"]))


def _key_frames(regions: Regions | None, count: int) -> list[int]:
    """Frames that the scene is made from: those with masks, else evenly spread."""
    listed = np.arange(count) if regions is None or not len(regions.frames) else regions.frames
    chosen = np.linspace(0, len(listed) - 1, min(KEY_FRAMES, len(listed))).round().astype(int)
    return [int(number) for number in listed[chosen]]


def _regions(
    images: Sequence[np.ndarray], numbers: list[int], annotated: Annotated, video: Video, settings: Settings,
    stages: Stages, report: Progress,
) -> Regions | None:  # fmt: skip
    """The annotated masks, where they name more than people; else those of the segmentation network, else none."""
    network, told = settings.networks.segmenter, annotated.regions
    if told is not None and (told.labels > LABEL["person"]).any():
        return told
    if network is None:
        return None
    report("masks", 0.0)

    def make() -> dict[str, np.ndarray]:
        from synth.reconstruct.segment import segmented

        def tell(done: int) -> None:
            report("masks", done / len(numbers))

        return {"labels": segmented(images, np.array(numbers), network, settings.device, tell).labels}

    inputs = {"video": file_key(video.path), "frames": numbers, "network": file_key(network)}
    return Regions(np.array(numbers), stages.kept("masks", inputs, make)["labels"])


def _depth(
    images: Sequence[np.ndarray], people: np.ndarray, numbers: list[int], video: Video, everybody: Annotated,
    settings: Settings, stages: Stages, report: Progress,
) -> StillDepth | None:  # fmt: skip
    if settings.depth is not None:
        return depth_from_file(settings.depth, video.height, video.width, people, everybody)
    metric, relative = settings.networks.depth, settings.networks.disparity
    if metric is None:
        return None
    report("depth", 0.0)

    def make() -> dict[str, np.ndarray]:
        seed = np.random.SeedSequence(settings.seed)
        found = depth_from_networks(images, people, metric, relative, settings.device, seed)
        return {"depth": found.depth, "known": found.known, "source": np.array(found.source),
                "notes": np.array(found.notes, dtype=str)}  # fmt: skip

    inputs = {"video": file_key(video.path), "frames": numbers, "people": array_key(people), "seed": settings.seed,
              "metric": file_key(metric), "relative": file_key(relative)}  # fmt: skip
    kept = stages.kept("depth", inputs, make)
    notes = tuple(str(note) for note in kept["notes"])
    return StillDepth(kept["depth"], kept["known"], str(kept["source"]), NETWORK_SPREAD, notes)


def estimator(
    scene: Scene, settings: Settings, stages: Stages, body: BodyModel, report: Progress
) -> Estimator:  # fmt: skip
    """How people's poses are found, given the camera's pose and their bodies: HMR2.0, else the library's poses."""
    observed, network = scene.annotated.observed, settings.networks.hmr2
    if network is None:
        exemplars = library_poses(body)
        return lambda camera, betas: lifted(observed, camera, body, betas, exemplars)

    def make() -> dict[str, np.ndarray]:
        regressor = load_hmr2(network).to(settings.device)
        rotmats, betas, cameras = estimated_crops(
            scene.video.frames(), observed, regressor, lambda done: report("poses", done / observed.frames)
        )
        return {"rotmats": rotmats, "betas": betas, "cameras": cameras}

    inputs = {"video": file_key(scene.video.path), "boxes": array_key(observed.boxes), "network": file_key(network)}
    kept = stages.kept("poses", inputs, make)
    return lambda camera, betas: placed(kept["rotmats"], kept["cameras"], observed, camera, body, betas)


def of_true_size(scene: Scene, estimate: Estimator, body: BodyModel) -> tuple[Scene, Array]:
    """The scene in metres as far as people's heights tell them, and everybody's shape [P, 10]."""
    annotated, usual = scene.annotated, np.zeros((scene.annotated.observed.people, 10), np.float32)
    resting = annotated.known_rest
    proxies = [proxies_of(body, betas) for betas in usual]
    motion = estimate(scene.camera, usual)
    motion = stood(calmed(filled(motion, motion.present)), proxies, scene.camera, resting)
    taller = tallness(motion, annotated.observed, scene.camera, body, resting)
    factor, own = shared_scale(taller, scene.ground.spread)
    heights = body_height(body, usual) * own
    scene = scene.enlarged(factor) if np.isfinite(taller).any() else scene
    return scene, np.stack([betas_of_height(body, float(height)) for height in heights])


def standing_places(estimates: Interaction, annotated: Annotated, camera: Camera, body: BodyModel) -> Array:
    """Where on the plan people are seen to stand [N, 2], metres: who is in bed or falls is not where the floor is."""
    resting = annotated.known_rest
    proxies = [proxies_of(body, betas) for betas in estimates.betas]
    motion = stood(calmed(filled(estimates, estimates.present)), proxies, camera, resting)
    joints = state_of(motion, proxies).joints.numpy().astype(float)
    return joints[annotated.present & ~resting & upright(joints, proxies), 0, :2]


def name_of(source: Path) -> str:
    """What a recording is called: "." has a name, too."""
    return Path(os.path.abspath(source)).stem or "recording"


def _room(source: Path, scene: Scene, feet: Array) -> tuple[Room | None, list[SceneMesh], tuple[str, ...]]:
    depth = scene.depth
    if depth is None and scene.labels is None:
        return None, [], ("There is neither depth nor a mask of the floor: no room was made.",)
    metres, known = (None, None) if depth is None else (depth.depth, depth.known)
    try:
        room, meshes = reconstructed_room(name_of(source), scene.camera, metres, known, scene.still, scene.labels, feet)
    except (NoRoom, BadFile) as error:  # people are worth having without one
        return None, [], (f"No room was made: {error}.",)
    return room, meshes, tuple(str(note) for note in room.quality.get("warnings", ()))


def _finished(
    motion: Interaction, source: Path, annotated: Annotated, room: Room | None, body: BodyModel
) -> Interaction:  # fmt: skip
    """With who is there when, who is who, and what is measured that they do."""
    meta = Meta(
        text=annotated.captions[0] if annotated.captions else "", captions=annotated.captions, roles=annotated.roles,
        genders=("neutral",) * motion.people, room=None if room is None else room.name, body_model=body.name,
        source={
            "dataset": "reconstruction", "id": name_of(source), "licence": annotated.terms.name,
            "commercial": annotated.terms.commercial, "credit": annotated.terms.credit,
        },
    )  # fmt: skip
    final = replace(motion, present=annotated.present, meta=meta)
    actions = measure_actions(final, body, () if room is None else room.furniture)
    return replace(final, meta=replace(meta, actions=actions.segments))
