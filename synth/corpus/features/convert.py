"""Between our Interaction and other people's feature vectors.

Encoding is by forward kinematics of the body the motion is on. Decoding gives the motion of a body with the given rest
joints; where those are the ones it was encoded with, joints come back as they were (up to the move that a layout makes,
see `humanml3d` and `intergen`). For features of foreign bodies use the readers, which also bring the motion onto ours.
"""

from __future__ import annotations

import numpy as np

from synth.body import BodyModel
from synth.corpus.features import humanml3d, intergen
from synth.corpus.features.layout import BODY_JOINTS, HUMANML3D, INTERGEN, THESIS
from synth.corpus.features.posture import pose_from_joints, root_orientation
from synth.errors import BadOption
from synth.interaction import Interaction, Meta
from synth.rotation import Array, matrix_to_axis_angle
from synth.skeleton import forward_kinematics


def joints_of(motion: Interaction, body: BodyModel) -> Array:
    """World joints [P, T, 24, 3] in metres."""
    rest = np.asarray(body.rest_joints(motion.betas), float)
    return forward_kinematics(motion.rotations(), rest[:, None], motion.transl)[0]


def to_humanml3d(motion: Interaction, body: BodyModel, person: int = 0) -> Array:
    """One person as features [T - 1, 263] at 20 fps. Raises BadOption for less than two frames."""
    sampled = _enough(motion.resample(HUMANML3D.fps))
    return humanml3d.encode(joints_of(sampled, body)[person])


def from_humanml3d(features: Array, body: BodyModel, betas: Array | None = None) -> Interaction:
    """One person's motion [T] from features [T, 263]: joints exact on the same skeleton, twists as `posture` says."""
    joints = humanml3d.decode(features)
    shape = np.zeros(10) if betas is None else np.asarray(betas, float)
    rest = np.asarray(body.rest_joints(shape), float)
    rotations = pose_from_joints(joints, rest)
    return assemble(HUMANML3D.fps, rotations[None], joints[None, :, 0], rest[None], shape[None], body.name)


def to_intergen(motion: Interaction, body: BodyModel) -> Array:
    """Everybody as features [P, T - 1, 262] at 30 fps, in the frame of the first. Raises BadOption as above."""
    sampled = _enough(motion.resample(INTERGEN.fps))
    return intergen.encode(joints_of(sampled, body), sampled.rotations())


def from_intergen(features: Array, body: BodyModel, betas: Array | None = None) -> Interaction:
    """The motion of features [P, T, 262]: pose as stored (hands at rest), root from the joints."""
    joints, local = intergen.decode(features)
    return _with_root(INTERGEN.fps, joints, local, body, betas)


def to_thesis(motion: Interaction, body: BodyModel) -> Array:
    """Everybody as features [P, T, 286] at 10 fps, where they are."""
    sampled = motion.resample(THESIS.fps)
    return intergen.encode_thesis(joints_of(sampled, body), sampled.rotations())


def from_thesis(features: Array, body: BodyModel, betas: Array | None = None) -> Interaction:
    """The motion of features [P, T, 286]: pose as stored, root from the joints."""
    joints, local = intergen.decode_thesis(features)
    return _with_root(THESIS.fps, joints, local, body, betas)


def _with_root(fps: float, joints: Array, local: Array, body: BodyModel, betas: Array | None) -> Interaction:
    shapes = np.zeros((len(joints), 10)) if betas is None else np.asarray(betas, float)
    rest = np.asarray(body.rest_joints(shapes), float)
    rotations = np.broadcast_to(np.eye(3), (*joints.shape[:2], 24, 3, 3)).copy()
    for person in range(len(joints)):
        rotations[person, :, 0] = root_orientation(joints[person], rest[person])
    rotations[:, :, 1 : joints.shape[2]] = local[:, :, : joints.shape[2] - 1]
    return assemble(fps, rotations, joints[:, :, 0], rest, shapes, body.name)


def assemble(
    fps: float, rotations: Array, pelvis: Array, rest: Array, betas: Array, body: str, meta: Meta | None = None
) -> Interaction:
    """An Interaction of local rotations [P, T, 24, 3, 3] and pelvis positions [P, T, 3] on rest joints [P, 24, 3]."""
    people, frames = pelvis.shape[:2]
    pose = matrix_to_axis_angle(rotations).reshape(people, frames, 72).astype(np.float32)
    named = meta or Meta(roles=("person",) * people, genders=("neutral",) * people, body_model=body)
    return Interaction(
        fps=float(fps),
        transl=(pelvis - rest[:, None, 0]).astype(np.float32),
        global_orient=pose[..., :3],
        body_pose=pose[..., 3:],
        betas=np.asarray(betas, np.float32),
        present=np.ones((people, frames), bool),
        meta=named,
    )


def _enough(motion: Interaction) -> Interaction:
    if motion.frames < 2:
        raise BadOption("motion", f"{motion.frames} frame", "at least two frames, for the velocities")
    return motion


__all__ = [
    "BODY_JOINTS", "assemble", "from_humanml3d", "from_intergen", "from_thesis", "joints_of", "to_humanml3d",
    "to_intergen", "to_thesis",
]  # fmt: skip
