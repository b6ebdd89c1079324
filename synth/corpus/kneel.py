"""A kneel from a captured crouch: no recording of the collection goes down on a knee, so the optimiser takes it there.

The crouch ends on the toes of one foot with that knee a hand's breadth above the floor. It is held, the knee is brought
to the floor by a contact term, the trunk straightens as who kneels holds it, and the standing foot stays where it is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from synth.body import BodyModel
from synth.corpus.care.tracks import Track, breathe
from synth.interaction import Interaction
from synth.motion import evidence
from synth.motion.contact import Resting
from synth.motion.fit import Prior, Problem, fit
from synth.motion.proxies import proxies_of, skin_of
from synth.motion.soles import detected_feet
from synth.motion.terms import Balance, JointLimits, KeyPose, Smoothness
from synth.rotation import axis_matrix, matrix_to_axis_angle
from synth.skeleton import JOINT, facing_yaw, upright

REST = 2.2  # seconds on the knee
LANDING = 0.25  # seconds before the crouch's end at which the knee arrives
LEAN = 0.12  # radians the trunk leans forward over the front foot


def knelt(motion: Interaction, idle: Interaction, side: str, body: BodyModel, steps: int = 200) -> Interaction:
    """One person's crouch as going down on a knee and staying there for `REST` seconds.

    Args:
        motion: the crouch, one person, on the floor z = 0.
        idle: captured standing, whose small movements are laid over the rest: nobody alive is ever frozen.
        side: "left" or "right": the knee that comes near the floor.
        body: its body model.
        steps: evaluations the optimiser may spend.
    """
    last, frames = motion.frames - 1, motion.frames + round(REST * motion.fps)
    order = np.minimum(np.arange(frames), last)
    track = Track(motion.transl[0, order].astype(float), motion.rotations()[0, order])
    still = Track(idle.transl[0].astype(float), idle.rotations()[0])
    track = breathe(track, still, ("spine1", "spine2", "spine3", "neck", "head"))
    proxies = [proxies_of(body, motion.betas[0])]
    rest = torch.tensor(proxies[0].rest_joints[None], dtype=torch.float32)
    transl = torch.tensor(track.pelvis[None], dtype=torch.float32)
    rotmats = torch.tensor(track.rotmats[None], dtype=torch.float32)
    times = np.arange(frames) / motion.fps
    landed = motion.seconds - LANDING
    (feet,) = detected_feet(proxies, 0, rest, transl, rotmats, motion.fps)

    skin, patch = skin_of(proxies, [(0, f"{side}_knee")])
    down = evidence.window(times, landed, times[-1])[None]
    share = torch.from_numpy(np.clip((times - landed + 0.5) / 0.8, 0, 1).astype(np.float32))
    target, weight = _posture(rotmats, share, side)
    support = _support(feet.anchor, side)
    problem = Problem(
        rest, transl, rotmats, motion.fps,
        [
            feet, *evidence.above_floor(proxies), JointLimits(), Smoothness("acceleration", sigma=4.0),
            Resting(skin, patch, torch.tensor([-0.002]), down, name="knee"),
            KeyPose(target, weight, sigma=0.12, name="kneeling"),
            Balance(*support, down, radius=0.05), *evidence.apart(proxies, []),
        ],
        Prior(rotation=0.6, translation=0.2, seconds=0.5),
    )  # fmt: skip
    moved, turned, _ = fit(problem, steps=steps)
    pose = matrix_to_axis_angle(turned.numpy().astype(float)).astype(np.float32)
    return replace(
        motion,
        transl=moved.numpy(),
        global_orient=pose[:, :, 0],
        body_pose=pose[:, :, 1:].reshape(1, frames, 69),
        present=np.ones((1, frames), bool),
    )


def _posture(rotmats: torch.Tensor, share: torch.Tensor, side: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Local rotations of who kneels upright [1, T, 24, 3, 3] and how much they count [1, T, 24]."""
    target = rotmats.clone()
    yaw = float(facing_yaw(rotmats[0, -1, 0].numpy().astype(float)))
    target[0, :, 0] = torch.from_numpy(upright(yaw) @ axis_matrix("x", LEAN)).float()
    weight = torch.zeros(rotmats.shape[:3])
    for name in ("pelvis", "spine1", "spine2", "spine3", "neck", "head"):
        weight[0, :, JOINT[name]] = share
        if name != "pelvis":
            target[0, :, JOINT[name]] = torch.eye(3)
    for name, sign in (("left", 1.0), ("right", -1.0)):
        # upper arms hang a little ahead, the hand of the raised knee lies near the thigh
        ahead = 0.15 if name == side else 0.45
        arm = axis_matrix("x", -ahead) @ axis_matrix("z", -1.22 * sign)
        target[0, :, JOINT[f"{name}_shoulder"]] = torch.from_numpy(arm).float()
        target[0, :, JOINT[f"{name}_elbow"]] = torch.from_numpy(axis_matrix("y", -(0.35 + 1.2 * ahead) * sign)).float()
        for joint in (f"{name}_shoulder", f"{name}_elbow"):
            weight[0, :, JOINT[joint]] = 0.5 * share
    return target, weight


def _support(anchor: torch.Tensor, side: str) -> tuple[torch.Tensor, torch.Tensor]:
    """World points [1, T, 3] that carry who kneels: the standing foot, and the other one's ball behind the knee."""
    standing, kneeling = (2, 1) if side == "left" else (0, 3)
    foot = 0.5 * (anchor[standing, -1] + anchor[standing + 1, -1])
    frames = anchor.shape[1]
    return foot.expand(1, frames, 3), anchor[kneeling, -1].expand(1, frames, 3)
