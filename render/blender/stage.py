"""The stage of one clip in Blender: room, light, people and camera; posed, rendered and probed frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from render.blender import light, people, props
from render.blender import room as room_builder
from render.blender.camera import set_camera
from render.blender.passes import is_see_through, label_scene, render_colour, render_labels
from render.blender.rays import cast_rays
from render.blender.session import RenderSettings, new_scene
from render.look import Look
from synth.body.model import BodyModel
from synth.camera import Camera
from synth.gltf import SceneMesh
from synth.interaction import Prop
from synth.room import Room


class Stage:
    """Everything Blender holds for one clip. Making a new one drops the one before.

    Args:
        room, meshes: the room and its geometry.
        model: the body. look: clothes and colours of each person. betas: shapes [P, 10].
        mood: "day", "evening" or "night". variation: the light's small variations, or the seed they are drawn from.
        camera: whose image size is the settings' size.
        scratch: folder for temporary images.
        moving: what people move; a prop with the id of one of the room's pieces is that piece.
    """

    def __init__(
        self,
        room: Room,
        meshes: Sequence[SceneMesh],
        model: BodyModel,
        look: Look,
        betas: np.ndarray,
        mood: str,
        variation: np.random.SeedSequence | light.LightParams,
        camera: Camera,
        settings: RenderSettings,
        scratch: Path,
        moving: Sequence[Prop] = (),
    ) -> None:
        self.camera, self.scratch = camera, scratch
        self.scene = new_scene(settings)
        self.room = objects = room_builder.add_room(self.scene, room, meshes)
        self.props = [props.add_prop(self.scene, room, objects, prop) for prop in moving]
        for item in self.scene.objects:
            item.hide_viewport = is_see_through(item)  # still in the picture, but rays pass, as in the label scene
        if isinstance(variation, np.random.SeedSequence):
            variation = light.draw_light(np.random.default_rng(variation))
        light.set_light(self.scene, room, mood, variation)
        self.people = [
            people.add_person(self.scene, model, person_look, betas[index], f"person{index + 1}")
            for index, person_look in enumerate(look.people)
        ]
        for index, handle in enumerate(self.people):
            for item in handle.objects:
                item.pass_index = index + 1
        set_camera(self.scene, camera)
        self._label_scene = label_scene(self.scene, settings)

    def look_through(self, camera: Camera) -> None:
        """Go on with another camera of the same image size."""
        self.camera = camera
        lens = set_camera(self.scene, camera)
        self._label_scene.collection.objects.link(lens)
        self._label_scene.camera = lens

    def pose(self, vertices: Sequence[np.ndarray | None]) -> None:
        """Move each person's vertices [V, 3], metres in the world; ``None`` takes a person off the stage."""
        for handle, points in zip(self.people, vertices, strict=True):
            for item in handle.objects:
                item.hide_render = item.hide_viewport = points is None
            if points is not None:
                people.update_person(handle, points)

    def move(self, frame: int) -> None:
        """Put every prop where it is at a frame of its motion."""
        for handle in self.props:
            props.move_prop(handle, frame)

    def colour(self, seed: int, window: tuple[int, int, int, int] | None = None) -> np.ndarray:
        """The picture, uint8 [H, W, 3]; of a ``window`` (left, top, right, bottom pixels) only that part."""
        return render_colour(self.scene, self.scratch, seed, window)

    def labels(self) -> tuple[np.ndarray, np.ndarray]:
        """Person ids uint8 [H, W] (0: none) and depth in metres [H, W]."""
        return render_labels(self._label_scene, self.scratch, self.camera)

    def cast(self, origin: np.ndarray, directions: np.ndarray, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rays against the stage as it stands: ``render.labels.RayCaster``."""
        return cast_rays(self.scene, origin, directions, reach)
