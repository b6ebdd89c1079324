"""What a captured motion says about its surroundings: the seat that held the sitter, and what touched the floor.

The recordings come without their furniture, so the seat's height and place are measured on the motion.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from synth.body import BodyModel
from synth.corpus.ground import runs
from synth.interaction import Contact
from synth.room import Box, Furniture
from synth.skeleton import JOINT, facing_yaw

CHAIR = (0.46, 0.88)  # metres: width and height of the chair that is put under a sitter
HEEL = 0.08  # metres from the ankle's middle back to the heel, shoes included
SLAB = 0.06  # metres, thickness of its seat
STILL = 0.25  # m/s; a seated pelvis moves no faster
FLESH = 0.02  # metres the seat presses into the body
TOUCH = 0.03  # metres above the floor at which a hand or knee touches it
SHORTEST = 0.25  # seconds a contact lasts at least
# Floor contacts worth naming: parts by the joint whose skin touches.
FLOOR_PARTS = {
    "left_hand": "left_hand", "right_hand": "right_hand", "left_knee": "left_knee", "right_knee": "right_knee",
    "pelvis": "pelvis", "spine3": "upper_back", "head": "head",
}  # fmt: skip
_LIMB = {"left_hand": ("left_wrist", "left_hand"), "right_hand": ("right_wrist", "right_hand")}


def seated(joints: np.ndarray, fps: float) -> np.ndarray:
    """[T] frames in which the person sits on something: hips at chair height, thighs level, pelvis still.

    Args:
        joints: [T, 24, 3] metres.
    """
    hips = joints[:, [JOINT["left_hip"], JOINT["right_hip"]]].mean(1)
    knees = joints[:, [JOINT["left_knee"], JOINT["right_knee"]]].mean(1)
    speed = np.linalg.norm(np.gradient(hips, axis=0), axis=1) * fps
    drop = np.abs(hips[:, 2] - knees[:, 2])
    ahead = np.linalg.norm((hips - knees)[:, :2], axis=1)
    return (hips[:, 2] > 0.3) & (hips[:, 2] < 0.85) & (drop < 0.25) & (ahead > 0.2) & (speed < STILL)


def seat_under(body: BodyModel, vertices: np.ndarray, joints: np.ndarray, global_orient: np.ndarray, fps: float) -> Any:
    """The chair that must have been under a sitter, and when it was sat on: (Furniture, [(start, end) seconds]).

    Args:
        vertices: [T, V, 3] of the posed body.
        joints: [T, 24, 3].
        global_orient: [T, 3, 3].

    Returns None when nobody sits for half a second.
    """
    frames = seated(joints, fps)
    spans = [(a, b) for a, b in runs(frames) if b - a >= 0.5 * fps]
    if not spans:
        return None
    sat = np.concatenate([np.arange(a, b) for a, b in spans])
    bottom = buttocks(body)
    height = float(np.median(vertices[sat][:, bottom, 2].min(1))) + FLESH
    yaw = facing_yaw(global_orient[sat])
    facing = float(np.arctan2(np.sin(yaw).mean(), np.cos(yaw).mean()))
    ahead = np.array([np.cos(facing), np.sin(facing)])
    # The backrest stands behind the rearmost of the lower back while sitting.
    pelvis = joints[sat, JOINT["pelvis"], :2].mean(0)
    rear = float(np.percentile((vertices[sat][:, bottom, :2] - pelvis) @ ahead, 1))
    # The seat ends before the heels: many real ones are solid down to the floor, and stools let feet go under them.
    ankles = joints[sat][:, [JOINT["left_ankle"], JOINT["right_ankle"]], :2]
    heels = ((ankles - joints[sat][:, [JOINT["pelvis"]], :2]) @ ahead).min(1) - HEEL
    front = float(np.clip(np.percentile(heels, 20), 0.12, 0.3))
    width, top = CHAIR
    depth = front - rear + 0.02
    center = pelvis + ahead * (front - depth / 2)
    size = np.array([width, depth, max(top, height + 0.4)])
    chair = Furniture(
        id="seat",
        cls="chair",
        box=Box(np.array([*center, size[2] / 2]), size, facing - np.pi / 2),
        seat_height=height,
        solids=(
            # a slab on legs: calves fold back under it
            Box(np.array([0.0, 0.0, height - SLAB / 2 - size[2] / 2]), np.array([width, depth, SLAB])),
            Box(np.array([0.0, -depth / 2 + 0.02, height / 2]), np.array([width, 0.04, size[2] - height])),
        ),
        seat=Box(np.array([0.0, 0.02, height - size[2] / 2]), np.array([width, depth - 0.04, 0.0])),
    )
    return chair, [(a / fps, b / fps) for a, b in spans]


def buttocks(body: BodyModel) -> np.ndarray:
    """Skin vertices that rest on a seat: behind and below the pelvis, moved by pelvis and thighs."""
    used = np.unique(body.faces)
    share = body.weights[used][:, [JOINT["pelvis"], JOINT["left_hip"], JOINT["right_hip"]]].sum(1)
    rest = body.rest_joints(np.zeros(10))
    low = body.v_template[used, 1] > rest[JOINT["left_hip"], 1] - 0.16
    return used[(share > 0.8) & low & (body.v_template[used, 2] < rest[0, 2] + 0.02)]


def floor_contacts(body: BodyModel, vertices: np.ndarray, fps: float, person: int = 0) -> tuple[Contact, ...]:
    """Hands, knees, back and head on the floor, from the skin's lowest points. `vertices` [T, V, 3]."""
    used = np.unique(body.faces)
    contacts = []
    for joint, part in FLOOR_PARTS.items():
        owners = [JOINT[name] for name in _LIMB.get(joint, (joint,))]
        skin = used[body.weights[used][:, owners].sum(1) > 0.5]
        low = vertices[:, skin, 2].min(1) < TOUCH
        for start, end in runs(low):
            if end - start >= SHORTEST * fps:
                contacts.append(Contact(person, part, {"object": "floor"}, start / fps, end / fps))
    return tuple(contacts)
