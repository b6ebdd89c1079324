"""SMPL's pose from joint positions, in closed form: each bone's direction exactly, its twist where anatomy tells it.

What positions hold: where every bone points; the whole orientation of the pelvis and of the chest, which carry three
bones each; the twist of a bent arm or leg, whose elbow or knee bends about one axis; the twist of a shin from its foot.
What they do not hold, and what is taken instead: the torso's twist is shared out evenly between pelvis and chest, a
straight arm keeps the twist it had when it was last bent, hands and toes go on as the bone before them, the head turns
with the chest.
"""

from __future__ import annotations

import numpy as np

from synth.rotation import Array, matrix_to_axis_angle, rotation_between, skew
from synth.rotation import axis_angle_to_matrix as exp
from synth.skeleton import JOINT, SMPL_PARENTS

_PELVIS_BONES = (JOINT["left_hip"], JOINT["right_hip"], JOINT["spine1"])
_CHEST = JOINT["spine3"]
_CHEST_BONES = (JOINT["neck"], JOINT["left_collar"], JOINT["right_collar"])
_SIDES = ("left", "right")
# sines of the bend between which an elbow's or knee's axis begins to count
_STRAIGHT, _BENT = 0.1, 0.4


def nearest_rotation(source: Array, target: Array, weight: Array | None = None) -> Array:
    """The rotation R with R source ~ target in the least squares sense (Kabsch 1976). [..., N, 3] twice -> [..., 3, 3].

    Args:
        weight: of each vector [..., N]; by default all alike.
    """
    a, b = np.asarray(source, float), np.asarray(target, float)
    if weight is not None:
        a = a * np.asarray(weight)[..., None]
    u, _, v = np.linalg.svd(np.einsum("...ni,...nj->...ij", b, np.broadcast_to(a, b.shape)))
    sign = np.ones((*u.shape[:-2], 3))
    sign[..., 2] = np.linalg.det(u @ v)
    return (u * sign[..., None, :]) @ v


def root_orientation(joints: Array, rest: Array) -> Array:
    """Orientation of the pelvis [..., 3, 3] from joints [..., 22 or more, 3] and rest joints [22 or more, 3].

    Exact for a body with these rest joints. Another body's hips and spine stand at other angles to its pelvis, which
    tilts the answer by as much; `calibrate` removes that where the pose is known.
    """
    return nearest_rotation(_bones(np.asarray(rest, float), 0), _bones(np.asarray(joints, float), 0))


def _bones(joints: Array, centre: int) -> Array:
    """Unit directions [..., 3, 3] from pelvis or chest to the joints it carries."""
    others = _PELVIS_BONES if centre == 0 else _CHEST_BONES
    bones = joints[..., list(others), :] - joints[..., [centre], :]
    return bones / np.maximum(np.linalg.norm(bones, axis=-1, keepdims=True), 1e-9)


def calibrate(joints: Array, local: Array, rest: Array, rounds: int = 30) -> tuple[Array, Array]:
    """Root orientation and rest skeleton of a body whose joints and pose are known but whose shape is not.

    A bone's offset in its parent's frame is constant over time. Offsets and root orientations are solved in turns
    (alternating least squares with a Gauss-Newton step); a movement that bends the body fixes both, and where it does
    not, offsets stay near those of ``rest`` (the weight of one frame).

    Args:
        joints: [T, 22, 3] metres.
        local: local rotations of joints 1..21 [T, 21, 3, 3].
        rest: rest joints to start from [22 or more, 3].

    Returns:
        root orientations [T, 3, 3] and rest joints [22, 3], the pelvis at ``rest[0]``.
    """
    joints, rest = np.asarray(joints, float), np.asarray(rest, float)[: joints.shape[-2]]
    count = len(rest)
    parents = np.array(SMPL_PARENTS[1:count])
    inner = np.empty((len(joints), count, 3, 3))  # rotations relative to the pelvis
    inner[:, 0] = np.eye(3)
    for joint in range(1, count):
        inner[:, joint] = inner[:, SMPL_PARENTS[joint]] @ local[:, joint - 1]
    bones = joints[:, 1:] - joints[:, parents]
    size = np.linalg.norm(bones, axis=-1).mean(0)
    prior = rest[1:] - rest[parents]
    prior = prior * (size / np.maximum(np.linalg.norm(prior, axis=-1), 1e-9))[:, None]
    offsets = prior
    back = np.swapaxes(inner[:, parents], -1, -2)
    root = root_orientation(joints, rest)
    for _ in range(rounds):
        # Taking turns alone creeps where one turn of all frames does: the turn w that makes the offsets most constant.
        seen = np.einsum("tji,tnj->tni", root, bones)
        offset, change = np.einsum("tnij,tnj->tni", back, seen), back @ skew(seen)
        turn = np.linalg.lstsq(
            (change - change.mean(0)).reshape(-1, 3), -(offset - offset.mean(0)).reshape(-1), rcond=1e-3
        )[0]
        offset = np.einsum("tnij,tnj->tni", back, np.einsum("tji,tnj->tni", root @ exp(turn), bones))
        offsets = (offset.sum(0) + prior) / (len(joints) + 1)
        before, root = root, nearest_rotation(np.einsum("tnij,nj->tni", inner[:, parents], offsets), bones)
        if np.abs(root - before).max() < 1e-7:
            break
    skeleton = np.empty((count, 3))
    skeleton[0] = rest[0]
    for joint in range(1, count):
        skeleton[joint] = skeleton[SMPL_PARENTS[joint]] + offsets[joint - 1]
    return root, skeleton


def pose_from_joints(joints: Array, rest: Array) -> Array:
    """Local rotations [T, 24, 3, 3] of a body with rest joints [24, 3] whose bones point as those of joints
    [T, 22 or 24, 3] do. Where the skeletons are alike, forward kinematics gives the joints back."""
    p, rest = np.asarray(joints, float), np.asarray(rest, float)
    world = np.empty((len(p), 24, 3, 3))
    world[:, 0] = root_orientation(p, rest)
    chest = nearest_rotation(_bones(rest, _CHEST), _bones(p, _CHEST))
    turn = matrix_to_axis_angle(np.swapaxes(world[:, 0], -1, -2) @ chest)
    for name, share, child in (("spine1", 1 / 3, "spine2"), ("spine2", 2 / 3, "spine3")):
        _swing(world, p, rest, name, child, world[:, 0] @ exp(turn * share))
    world[:, _CHEST] = chest
    _swing(world, p, rest, "neck", "head", chest)
    world[:, JOINT["head"]] = chest  # nearer the truth in the library than the neck's turn: 22 degrees against 31
    for side in _SIDES:
        _leg(world, p, rest, side)
        _arm(world, p, rest, side, chest)
    local = world.copy()
    for joint in range(1, 24):
        local[:, joint] = np.swapaxes(world[:, SMPL_PARENTS[joint]], -1, -2) @ world[:, joint]
    return local


def _swing(world: Array, p: Array, rest: Array, name: str, child: str, base: Array) -> None:
    """Set a joint's world rotation: ``base`` [T, 3, 3] turned the shortest way so that its bone points as it should."""
    a, b = JOINT[name], JOINT[child]
    world[:, a] = rotation_between(base @ (rest[b] - rest[a]), p[:, b] - p[:, a]) @ base


def _leg(world: Array, p: Array, rest: Array, side: str) -> None:
    hip, knee, ankle, foot = (JOINT[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "foot"))
    _swing(world, p, rest, f"{side}_hip", f"{side}_knee", world[:, 0])
    thigh, shin, sole = (_unit(p[:, b] - p[:, a]) for a, b in ((hip, knee), (knee, ankle), (ankle, foot)))
    knee_axis, bent = _hinge(thigh, shin)
    # A foot points ahead of its shin; a straight knee has no axis of its own.
    foot_axis, clear = _hinge(sole, shin)
    mixed = bent[:, None] * knee_axis + ((1 - 0.8 * bent) * clear)[:, None] * foot_axis
    side_axis = np.array([1.0, 0.0, 0.0])
    axis = _filled(mixed, np.linalg.norm(mixed, axis=-1) > 0.15, world[:, hip], side_axis, thigh)
    for a, b in ((hip, knee), (knee, ankle), (ankle, foot)):
        world[:, a] = _frame(p[:, b] - p[:, a], axis) @ _frame(rest[b] - rest[a], side_axis).T
    world[:, foot] = world[:, ankle]


def _arm(world: Array, p: Array, rest: Array, side: str, chest: Array) -> None:
    names = ("shoulder", "elbow", "wrist", "hand")
    shoulder, elbow, wrist, hand = (JOINT[f"{side}_{name}"] for name in names)
    _swing(world, p, rest, f"{side}_collar", f"{side}_shoulder", chest)
    _swing(world, p, rest, f"{side}_shoulder", f"{side}_elbow", world[:, JOINT[f"{side}_collar"]])
    upper, fore = (_unit(p[:, b] - p[:, a]) for a, b in ((shoulder, elbow), (elbow, wrist)))
    bend, bent = _hinge(upper, fore)
    own = np.array([0.0, -1.0 if side == "left" else 1.0, 0.0])  # elbows bend forward from the T-pose
    axis = _filled(bend, bent > 0.5, world[:, shoulder], own, upper)
    for a, b in ((shoulder, elbow), (elbow, wrist)):
        world[:, a] = _frame(p[:, b] - p[:, a], axis) @ _frame(rest[b] - rest[a], own).T
    world[:, wrist] = world[:, elbow]
    if p.shape[1] > hand:
        _swing(world, p, rest, f"{side}_wrist", f"{side}_hand", world[:, elbow])
    world[:, hand] = world[:, wrist]


def _hinge(near: Array, far: Array) -> tuple[Array, Array]:
    """Unit axis [T, 3] about which a limb bends and how well it shows [T], 0 when straight to 1."""
    axis = np.cross(near, far)
    size = np.linalg.norm(axis, axis=-1)
    share = np.clip((size - _STRAIGHT) / (_BENT - _STRAIGHT), 0, 1)
    return axis / np.maximum(size, 1e-9)[:, None], share * share * (3 - 2 * share)


def _filled(axis: Array, known: np.ndarray, base: Array, own: Array, along: Array) -> Array:
    """A hinge axis [T, 3] for every frame: where it is unknown, the twist about the limb that its neighbours have.

    ``base`` [T, 3, 3] is the limb turned the shortest way, whose own hinge would be ``base @ own``.
    """
    start = base @ own
    start = _unit(start - (start * along).sum(-1, keepdims=True) * along)
    third = np.cross(along, start)
    twist = np.arctan2((axis * third).sum(-1), (axis * start).sum(-1))
    if not known.any():
        return start
    frames = np.arange(len(axis))
    twist = np.interp(frames, frames[known], np.unwrap(twist[known]))[:, None]
    return np.cos(twist) * start + np.sin(twist) * third


def _frame(first: Array, second: Array) -> Array:
    """Columns: direction of ``first``, the part of ``second`` at right angles to it, their cross product."""
    a = _unit(first)
    b = _unit(second - (second * a).sum(-1, keepdims=True) * a)
    return np.stack([a, b, np.cross(a, b)], -1)


def _unit(vector: Array) -> Array:
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9)
