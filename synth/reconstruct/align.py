"""From the camera's frame to the world's: the floor becomes z = 0 (thesis 4.3, eq. 4.3 to 4.6).

The rotation is Rodrigues' (``synth.rotation.rotation_between``, eq. 4.3 and 4.4 over the unit axis, which has an answer
for identical and opposite directions, too). Differences to the thesis:

- Its normal (0, 1, b_y) x (1, 0, b_x) = (b_x, b_y, -1) points down in a frame whose z is up; ours always points up.
- Eq. 4.5 puts the origin where the camera's axis meets the floor, far away or nowhere for a level camera. Here it is
  the point of the floor under the camera. The heights are the same.
- A yaw, which the thesis leaves as it falls: the camera looks along world +y.
- Eq. 4.6, (R O^-1)^-1 = O R^-1, turns bodies the wrong way round; and SMPL turns about the rest pelvis, not about the
  root's translation: ``synth.skeleton.transform_root`` has both right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from synth.camera import Camera
from synth.corpus.floor import Plane
from synth.errors import BadOption
from synth.interaction import Interaction
from synth.rotation import Array, yaw_matrix
from synth.skeleton import transform_root

_LEVEL = 1e-3  # a shorter horizontal part of a unit vector says nothing about where it points


@dataclass(frozen=True)
class Alignment:
    """The rigid move x' = R x + t from the frame in which the floor was found (the camera's) to the world.

    Attributes:
        world_from_camera: [4, 4], metres.
    """

    world_from_camera: Array

    @property
    def rotation(self) -> Array:
        """R [3, 3]."""
        return self.world_from_camera[:3, :3]

    @property
    def translation(self) -> Array:
        """t [3] metres: where the camera is in the world."""
        return self.world_from_camera[:3, 3]

    def points(self, points: ArrayLike) -> Array:
        """Points [..., 3] of the camera's frame in the world (eq. 4.5), metres."""
        return np.asarray(points, dtype=float) @ self.rotation.T + self.translation

    def camera(self, camera: Camera) -> Camera:
        """A camera whose pose is given in the frame of the floor (the identity for the one it was found with)."""
        return camera.moved(self.world_from_camera @ camera.world_from_camera)

    def root(self, global_orient: ArrayLike, transl: ArrayLike, rest_pelvis: ArrayLike) -> tuple[Array, Array]:
        """SMPL's root in the world (what eq. 4.6 is for).

        Args:
            global_orient: [..., 3, 3]. transl: metres [..., 3], both in the camera's frame.
            rest_pelvis: J0(betas), metres [..., 3].

        Returns:
            R O, and R (J0 + transl) + t - J0.
        """
        return transform_root(self.rotation, self.translation, rest_pelvis, global_orient, transl)

    def motion(self, motion: Interaction, rest_pelvis: ArrayLike) -> Interaction:
        """Everybody's motion in the world; ``rest_pelvis`` [P, 3] metres.

        Raises:
            BadOption: the motion has a stage, whose boxes stand upright and so cannot be in a camera's frame.
        """
        if motion.meta.stage:
            raise BadOption("motion", f"a stage of {len(motion.meta.stage)}", "a motion in the camera's frame")
        return motion.transform(self.rotation, self.translation, np.asarray(rest_pelvis, dtype=float))


def aligned(floor: Plane) -> Alignment:
    """The world of a floor found in the camera's frame: the floor is z = 0 and the origin is under the camera.

    The camera looks along +y. Straight up or down, its image's top points there instead, as in ``camera.look_at``.

    Raises:
        BadOption: the normal is no direction, or the camera is not above the floor.
    """
    normal = np.asarray(floor.normal, dtype=float)
    if not (np.isfinite(normal).all() and abs(np.linalg.norm(normal) - 1) < 1e-6):
        raise BadOption("floor.normal", normal.tolist(), "a unit vector")
    if not (np.isfinite(floor.offset) and floor.offset > 0):
        raise BadOption("floor.offset", floor.offset, "the camera's height over the floor, above 0 m")
    turn, shift = floor.to_floor()
    forward, top = turn[:2, 2], -turn[:2, 1]
    ahead = forward if np.linalg.norm(forward) > _LEVEL else top
    pose = np.eye(4)
    pose[:3, :3] = yaw_matrix(np.pi / 2 - np.arctan2(ahead[1], ahead[0])) @ turn
    pose[:3, 3] = shift  # on the vertical through the origin, so that the yaw leaves it
    return Alignment(pose)
