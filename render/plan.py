"""What a job will make, decided before anything is made: settings, and for each clip its id, seeds, camera and light.

Every random choice comes from one ``numpy.random.SeedSequence`` of the job's seed, spawned by take and by purpose, so
that a clip depends neither on the clips before it nor on how many processes make them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from synth.camera import Camera
from synth.errors import BadOption
from synth.room import Room
from synth.rotation import axis_angle_to_matrix

MOODS = ("day", "evening", "night")
MOOD_SHARES = (0.6, 0.25, 0.15)
CAMERA_ALL, CAMERA_RANDOM = "all", "random"

# what a seed is for: the second number of its spawn key
MOTION, LOOK, CAMERA, LIGHT, NOISE = range(5)

# Two cameras of one model in two rooms never hang quite alike.
JITTER_INWARDS = 0.06  # metres, towards the middle of the room, so never into the wall it hangs on
JITTER_TURN = np.deg2rad(2.0)  # standard deviation about each axis
JITTER_FOCAL = 0.015  # standard deviation, relative


@dataclass(frozen=True)
class JobSettings:
    """Everything that decides what a data set holds.

    Attributes:
        scene: built-in room or room folder. prompts: one or more texts; each is performed ``n`` times.
        seed: of everything random. seconds, fps, width, height: of the video.
        camera: a camera of the room, "all" or "random". engine, samples: see ``RenderSettings``.
        generator: "retrieval" or "diffusion". model: the file of the latter's trained model, None for the packaged.
        depth: write depth too. body: "makehuman" or a SMPL file.
        text_encoder: folder of the text encoder, or None for the one that is found.
        inputs: SHA-256 of the user's own files that go in.
        near: furniture at which it is to happen, or None. light: a mood, None for drawn. looks: a file of looks.
        interaction: a file of motion that is filmed as it is, instead of any that is made. stage: the ``stage.json``
            whose looks, light and cameras it is filmed with.
    """

    scene: str
    prompts: tuple[str, ...]
    n: int
    seed: int
    seconds: float
    fps: float
    width: int
    height: int
    camera: str = CAMERA_RANDOM
    engine: str = "cycles"
    samples: int = 4
    generator: str = "retrieval"
    model: str | None = None
    depth: bool = False
    body: str = "makehuman"
    text_encoder: str | None = None
    inputs: tuple[tuple[str, str], ...] = ()
    near: str | None = None
    light: str | None = None
    looks: str | None = None
    interaction: str | None = None
    stage: str | None = None

    @property
    def takes(self) -> int:
        """How many performances the job asks for."""
        return self.n * len(self.prompts)

    @property
    def frames(self) -> int:
        """Frames of each clip."""
        return max(1, round(self.seconds * self.fps))

    def to_json(self) -> dict[str, Any]:
        """As written to ``dataset.json``."""
        value = asdict(self)
        value["prompts"] = list(self.prompts)
        value["inputs"] = dict(self.inputs)
        return value


@dataclass(frozen=True)
class ClipPlan:
    """One clip: a take seen by one camera.

    Attributes:
        id: folder name, letters, digits, "_" and "-" only; with "random" the same for every camera of a take.
        take: number of the performance; the cameras of one take show the same motion, looks and light.
        prompt: what is asked for.
        camera_name: of the room's camera that ``camera`` is a jittered and resized copy of.
        mood: "day", "evening" or "night".
    """

    id: str
    take: int
    prompt: str
    camera_name: str
    camera: Camera
    mood: str
    job_seed: int

    def seed(self, purpose: int) -> np.random.SeedSequence:
        """The clip's own seed for one purpose (``MOTION``, ``LOOK``, ...)."""
        return seed_of(self.job_seed, self.take, purpose)

    def noise_seed(self, frame: int) -> int:
        """The renderer's sampling seed of a frame, 0 to 2^31 - 1."""
        state = np.random.SeedSequence(self.job_seed, spawn_key=(self.take, NOISE, frame)).generate_state(1)
        return int(state[0]) & 0x7FFFFFFF


def seed_of(job_seed: int, take: int, purpose: int) -> np.random.SeedSequence:
    """The seed of one take for one purpose."""
    return np.random.SeedSequence(job_seed, spawn_key=(take, purpose))


def plan_take(settings: JobSettings, room: Room, take: int) -> tuple[ClipPlan, ...]:
    """The clips of one take: one, or one a camera with ``--camera all``.

    With ``--camera random`` every camera's plan for the one clip, in the order drawn: who performs chooses among them
    when it is known what there is to see (``render.view.best_view``).

    Raises:
        BadOption: the room has no such camera, or none at all.
    """
    rng = np.random.default_rng(seed_of(settings.seed, take, CAMERA))
    prompt = settings.prompts[take % len(settings.prompts)]
    slugs = _slugs([item.name for item in room.cameras])
    plans = []
    for name in chosen_cameras(settings.camera, room, rng):
        camera = room.camera(name).scaled(settings.width, settings.height)
        plans.append(
            ClipPlan(
                id=f"{take:06d}" if settings.camera == CAMERA_RANDOM else f"{take:06d}_{slugs[name]}",
                take=take,
                prompt=prompt,
                camera_name=name,
                camera=camera if settings.stage else jitter(camera, room, rng),
                mood=mood_of(settings, take),
                job_seed=settings.seed,
            )
        )
    return tuple(plans)


def mood_of(settings: JobSettings, take: int) -> str:
    """The light of a take: the one asked for, or drawn."""
    if settings.light is not None:
        return settings.light
    rng = np.random.default_rng(seed_of(settings.seed, take, LIGHT))
    return MOODS[rng.choice(len(MOODS), p=MOOD_SHARES)]


def chosen_cameras(choice: str, room: Room, rng: np.random.Generator) -> Sequence[str]:
    """The names of the cameras that film a take, or of those that may, the first drawn first."""
    names = [item.name for item in room.cameras]
    if not names:
        raise BadOption("--scene", room.name, "a room with at least one camera")
    if choice == CAMERA_ALL:
        return names
    if choice == CAMERA_RANDOM:
        return [names[index] for index in rng.permutation(len(names))]
    room.camera(choice)
    return [choice]


def jitter(camera: Camera, room: Room, rng: np.random.Generator) -> Camera:
    """The camera hung and focused slightly differently; it moves only towards the middle of the room."""
    middle = np.append(np.asarray(room.floor).mean(0), room.height / 2)
    inwards = middle - camera.position
    step = inwards / max(float(np.linalg.norm(inwards)), 1e-9) * rng.uniform(0, JITTER_INWARDS)
    pose = camera.world_from_camera.copy()
    pose[:3, 3] += step
    pose[:3, :3] = pose[:3, :3] @ axis_angle_to_matrix(rng.normal(0, JITTER_TURN, 3))
    k = camera.K.copy()
    k[[0, 1], [0, 1]] *= 1 + float(np.clip(rng.normal(0, JITTER_FOCAL), -0.04, 0.04))
    return replace(camera, K=k, world_from_camera=pose)


def _slugs(names: Sequence[str]) -> dict[str, str]:
    """A part of a folder's name for each camera; they differ, also on disks that do not tell capitals."""
    plain = {name: _slug(name) for name in names}
    taken: set[str] = set()
    for name, slug in plain.items():
        others = {other.casefold() for key, other in plain.items() if key != name} if slug.casefold() in taken else ()
        number = 1
        while plain[name].casefold() in taken or (number > 1 and plain[name].casefold() in others):
            number += 1
            plain[name] = f"{slug}-{number}"
        taken.add(plain[name].casefold())
    return plain


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "-", name).strip("-") or "camera"
