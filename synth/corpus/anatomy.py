"""From a capture's skeleton to SMPL's: which bone drives which joint, and how their axes lie to each other.

Every source skeleton has its own zero pose and its own bone axes. What they share is anatomy: a bone's direction and,
for knees and elbows, the axis about which they bend. `transfer` turns each SMPL bone so that both agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from synth import rotation
from synth.corpus.capture import Capture
from synth.errors import CareSynthError
from synth.skeleton import JOINT, SMPL_PARENTS, forward_kinematics

SIDES = ("left", "right")
# SMPL's limb bones: joint -> the joint at the bone's other end.
LIMBS = {"hip": "knee", "knee": "ankle", "ankle": "foot", "shoulder": "elbow", "elbow": "wrist", "wrist": "hand"}
WRIST_RANGE = np.array([0.3, 0.45, 0.9])  # radians about SMPL's x (twist), y (sideways), z (flexion)
BENT = 0.4  # sine of the bend from which on it shows its axis
SLOW = 0.25  # m/s: slower feet than this may stand on the floor


class UnknownSkeleton(CareSynthError):
    """A capture's joints are not those of a skeleton we know."""


@dataclass(frozen=True)
class Family:
    """Source joint names: `drivers` by SMPL joint, `ends` where a limb's last bone ends, `zero_is_pose` whether the
    zero pose is a body that stands upright (else the first frame is taken to be one)."""

    name: str
    drivers: dict[str, str]
    ends: dict[str, str] = field(default_factory=dict)
    zero_is_pose: bool = True


def _both(pattern: dict[str, str], left: str, right: str) -> dict[str, str]:
    """`{joint: name}` for both sides; `%` in a name stands for the side's spelling."""
    spelling = dict(zip(SIDES, (left, right), strict=True))
    return {f"{side}_{joint}": name.replace("%", spelling[side]) for side in SIDES for joint, name in pattern.items()}


def _acclaim(root: str) -> Family:
    limbs = {"hip": "%femur", "knee": "%tibia", "ankle": "%foot", "foot": "%toes", "collar": "%clavicle",
             "shoulder": "%humerus", "elbow": "%radius", "wrist": "%hand"}  # fmt: skip
    torso = {"pelvis": root, "spine1": "lowerback", "spine2": "upperback", "spine3": "thorax", "neck": "lowerneck",
             "head": "head"}  # fmt: skip
    return Family(f"acclaim ({root})", torso | _both(limbs, "l", "r"),
                  _both({"foot": "%toes_end", "wrist": "%fingers"}, "l", "r"))  # fmt: skip


FAMILIES = (
    _acclaim("root"),
    _acclaim("hip"),
    Family(
        "cgspeed",
        {"pelvis": "Hips", "spine1": "LowerBack", "spine2": "Spine", "spine3": "Spine1", "neck": "Neck", "head": "Head"}
        | _both({"hip": "%UpLeg", "knee": "%Leg", "ankle": "%Foot", "foot": "%ToeBase", "collar": "%Shoulder",
                 "shoulder": "%Arm", "elbow": "%ForeArm", "wrist": "%Hand"}, "Left", "Right"),
        _both({"foot": "%ToeBase_end", "wrist": "%HandIndex1"}, "Left", "Right"),
    ),
    Family(
        "soma",
        {"pelvis": "Hips", "spine1": "Spine1", "spine2": "Spine2", "spine3": "Chest", "neck": "Neck1", "head": "Head"}
        | _both({"hip": "%Leg", "knee": "%Shin", "ankle": "%Foot", "foot": "%ToeBase", "collar": "%Shoulder",
                 "shoulder": "%Arm", "elbow": "%ForeArm", "wrist": "%Hand"}, "Left", "Right"),
        _both({"foot": "%ToeEnd", "wrist": "%HandMiddle1"}, "Left", "Right"),
        zero_is_pose=False,
    ),
    Family(
        "reactidle",
        {"pelvis": "pelvis", "spine1": "spine", "spine3": "spine.001", "neck": "neck", "head": "face"}
        | _both({"hip": "thigh.%", "knee": "shin.%", "ankle": "foot.%", "collar": "shoulder.%",
                 "shoulder": "upper_arm.%", "elbow": "forearm.%"}, "L", "R"),
        _both({"ankle": "foot.%_end", "elbow": "forearm.%_end"}, "L", "R"),
    ),
    Family(
        "deepmimic",
        {"pelvis": "root", "spine3": "chest", "head": "neck"}
        | _both({"hip": "%_hip", "knee": "%_knee", "ankle": "%_ankle", "shoulder": "%_shoulder", "elbow": "%_elbow"},
                "left", "right"),
        _both({"ankle": "%_ankle_end", "elbow": "%_wrist"}, "left", "right"),
    ),
)  # fmt: skip


def family_of(capture: Capture) -> Family:
    """The skeleton family of a capture. Raises UnknownSkeleton, which names the joints found."""
    names = set(capture.names)
    for family in FAMILIES:
        if names.issuperset(family.drivers.values()) and names.issuperset(family.ends.values()):
            return family
    raise UnknownSkeleton(
        f"no known skeleton has the joints {', '.join(capture.names[:12])}...; known: "
        + ", ".join(family.name for family in FAMILIES)
    )


def leg_scale(capture: Capture, rest_joints: np.ndarray) -> float:
    """Length of our leg (hip to ankle) over the source's."""
    family = family_of(capture)
    source = ours = 0.0
    for side in SIDES:
        for start, end in (("hip", "knee"), ("knee", "ankle")):
            a, b = (capture.index(family.drivers[f"{side}_{j}"]) for j in (start, end))
            source += float(np.linalg.norm(capture.positions[0, a] - capture.positions[0, b]))
            bone = rest_joints[JOINT[f"{side}_{start}"]] - rest_joints[JOINT[f"{side}_{end}"]]
            ours += float(np.linalg.norm(bone))
    return ours / source


def source_points(capture: Capture, joint: str) -> np.ndarray:
    """World positions [T, 3] in the capture of a SMPL joint that the family knows."""
    return capture.positions[:, capture.index(family_of(capture).drivers[joint])]


def source_toes(capture: Capture, side: str) -> np.ndarray:
    """World positions [T, 3] of the point where the toes begin (or the foot ends)."""
    family = family_of(capture)
    name = family.drivers.get(f"{side}_foot") or family.ends[f"{side}_ankle"]
    return capture.positions[:, capture.index(name)]


def transfer(capture: Capture, rest_joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The capture's posture on a body with rest joints [24, 3]: local rotations [T, 24, 3, 3] and `transl` [T, 3].

    Bones take the source's directions exactly, knees and elbows its bending axes, the torso its turns relative to
    upright standing. The hips' midpoint follows the source's, scaled by the leg length; heights are relative to the
    source's own zero, which need not be the floor.
    """
    family = family_of(capture)
    frames = capture.frames
    turned = {name: capture.rotations[:, capture.index(source)] for name, source in family.drivers.items()}
    upright = _upright(capture, family)
    world = np.zeros((frames, 24, 3, 3))
    for name, r in turned.items():
        align = upright if family.zero_is_pose else _mean(np.swapaxes(r[:1], -1, -2) @ upright)
        world[:, JOINT[name]] = r @ align
    hinges = {side: _leg_hinges(capture, family, side, upright) for side in SIDES}
    for side in SIDES:
        for upper in ("hip", "shoulder"):
            _align_hinge(world, capture, family, side, upper, rest_joints, upright)
        _align_foot(world, capture, family, side, rest_joints, hinges[side])
        if f"{side}_wrist" in turned:
            _align_wrist(world, capture, family, side, rest_joints, upright)
    _fill(world, set(turned))

    local = world.copy()
    for j in range(1, 24):
        local[:, j] = np.swapaxes(world[:, SMPL_PARENTS[j]], -1, -2) @ world[:, j]
    _share_pronation(local, rest_joints)
    posed, _ = forward_kinematics(local, rest_joints, np.zeros((frames, 3)))
    ours = posed[:, [JOINT["left_hip"], JOINT["right_hip"]]].mean(1)
    theirs = (source_points(capture, "left_hip") + source_points(capture, "right_hip")) / 2
    return local, leg_scale(capture, rest_joints) * theirs - ours


def _mean(matrices: np.ndarray) -> np.ndarray:
    """The rotation nearest to the mean of rotations [T, 3, 3]."""
    u, _, v = np.linalg.svd(matrices.mean(0))
    return u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ v))]) @ v


def _frame(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Columns: `first`, the part of `second` at right angles to it, and their cross product."""
    a = first / np.linalg.norm(first)
    b = second - (second @ a) * a
    b = b / np.linalg.norm(b)
    return np.stack([a, b, np.cross(a, b)], -1)


def _upright(capture: Capture, family: Family) -> np.ndarray:
    """[3, 3] from SMPL's axes (left, up, forward) to the source's standing body (zero pose, else first frame)."""
    points = capture.rest if family.zero_is_pose else capture.positions[0]
    left = np.zeros(3)
    for joint in ("hip", "shoulder"):
        a, b = (capture.index(family.drivers[f"{side}_{joint}"]) for side in SIDES)
        left += points[a] - points[b]
    left[2] = 0.0
    left /= np.linalg.norm(left)
    up = np.array([0.0, 0.0, 1.0])
    return np.stack([left, up, np.cross(left, up)], -1)


def _direction(capture: Capture, family: Family, side: str, joint: str) -> np.ndarray:
    """Unit direction of a limb's bone in its own source joint's axes [3]."""
    driver = capture.index(family.drivers[f"{side}_{joint}"])
    far = family.drivers.get(f"{side}_{LIMBS[joint]}") if joint in LIMBS else None
    if (joint == "elbow" and f"{side}_wrist" not in family.drivers) or joint not in LIMBS or far is None:
        far = family.ends[f"{side}_{joint}"]
    step = capture.positions[:, capture.index(far)] - capture.positions[:, driver]
    local = np.einsum("tji,tj->ti", capture.rotations[:, driver], step).mean(0)
    return local / np.linalg.norm(local)


def _hinge(capture: Capture, family: Family, side: str, upper: str) -> np.ndarray | None:
    """World directions [T, 3] of the axis about which the limb's middle joint bends, None if it never does."""
    r = {j: capture.rotations[:, capture.index(family.drivers[f"{side}_{j}"])] for j in (upper, LIMBS[upper])}
    near = r[upper] @ _direction(capture, family, side, upper)
    far = r[LIMBS[upper]] @ _direction(capture, family, side, LIMBS[upper])
    axis = np.cross(near, far)  # its length is the sine of the bend: straight limbs count little
    bent = np.linalg.norm(axis, axis=1) > BENT
    if not bent.any():
        return None
    in_upper = np.einsum("tji,tj->ti", r[upper], axis)
    total = (in_upper * np.linalg.norm(axis, axis=1, keepdims=True))[bent].sum(0)
    return r[upper] @ (total / np.linalg.norm(total))


def _smpl_hinge(upper: str, side: str) -> np.ndarray:
    """The bending axis in SMPL's rest pose: knees fold back about +x, elbows forward about -y (left) or +y (right)."""
    if upper == "hip":
        return np.array([1.0, 0.0, 0.0])
    return np.array([0.0, -1.0 if side == "left" else 1.0, 0.0])


def _align_hinge(
    world: np.ndarray,
    capture: Capture,
    family: Family,
    side: str,
    upper: str,
    rest_joints: np.ndarray,
    upright: np.ndarray,
) -> None:
    """Turn the limb's two long bones so that their directions and their common hinge are the source's."""
    axis = _hinge(capture, family, side, upper)
    for joint in (upper, LIMBS[upper]):
        j = JOINT[f"{side}_{joint}"]
        r = capture.rotations[:, capture.index(family.drivers[f"{side}_{joint}"])]
        ours = rest_joints[JOINT[f"{side}_{LIMBS[joint]}"]] - rest_joints[j]
        theirs = _direction(capture, family, side, joint)
        if axis is None:
            # Never bent: keep the zero pose's own relation and correct the direction by the smallest turn.
            world[:, j] = r @ rotation.rotation_between(upright @ ours, theirs) @ upright
            continue
        in_joint = np.einsum("tji,tj->ti", r, axis).mean(0)
        world[:, j] = r @ _frame(theirs, in_joint) @ _frame(ours, _smpl_hinge(upper, side)).T


def _leg_hinges(capture: Capture, family: Family, side: str, upright: np.ndarray) -> np.ndarray:
    """The mean direction of the knee's axis seen from the foot [3]: what the foot's sideways axis is."""
    axis = _hinge(capture, family, side, "hip")
    foot = capture.rotations[:, capture.index(family.drivers[f"{side}_ankle"])]
    if axis is None:
        axis = foot @ upright[:, 0]
    if family.zero_is_pose:
        # In the zero pose all axes coincide, so the hinge keeps its coordinates from the shin to the foot.
        shin = capture.rotations[:, capture.index(family.drivers[f"{side}_knee"])]
        return np.einsum("tji,tj->ti", shin, axis).mean(0)
    return np.einsum("tji,tj->ti", foot, axis).mean(0)


def standing_frames(capture: Capture, side: str) -> np.ndarray:
    """[T] frames in which a foot is slow and as low as when the person is on their feet: it stands on the floor."""
    ankle, toes = source_points(capture, f"{side}_ankle"), source_toes(capture, side)
    hips = source_points(capture, f"{side}_hip")[:, 2]
    leg = np.linalg.norm(source_points(capture, f"{side}_hip") - source_points(capture, f"{side}_knee"), axis=1)[0] * 2
    # Lying, an ankle is lower than standing, so heights are judged among the frames with the hips up.
    up = hips > np.percentile(toes[:, 2], 5) + 0.4 * leg
    among = up if up.sum() >= 5 else np.ones_like(up)
    standing = up.copy() if up.any() else np.ones_like(up)
    for point in (ankle, toes):
        standing &= np.linalg.norm(np.gradient(point, axis=0), axis=1) * capture.fps < SLOW
        standing &= np.abs(point[:, 2] - np.percentile(point[among, 2], 10)) < 0.03
    return standing


def _align_foot(
    world: np.ndarray, capture: Capture, family: Family, side: str, rest_joints: np.ndarray, hinge: np.ndarray
) -> None:
    """Turn the foot so that it lies flat when the source's does, whatever slope each skeleton gives its foot bone."""
    j = JOINT[f"{side}_ankle"]
    ours = rest_joints[JOINT[f"{side}_foot"]] - rest_joints[j]
    theirs = _direction(capture, family, side, "ankle")
    r = capture.rotations[:, capture.index(family.drivers[f"{side}_ankle"])]
    standing = standing_frames(capture, side)
    if standing.sum() >= 3:
        slope = np.arcsin(np.clip(-np.median((r[standing] @ theirs)[:, 2]), -1, 1))
        wanted = np.arcsin(-ours[1] / np.linalg.norm(ours))
        sideways = _frame(theirs, hinge)[:, 1]
        # Turning about the body's left raises the toes for positive angles as seen from the sole; undo the difference.
        theirs = rotation.axis_angle_to_matrix(sideways * (slope - wanted) * -1.0) @ theirs
    world[:, j] = r @ _frame(theirs, hinge) @ _frame(ours, np.array([1.0, 0.0, 0.0])).T
    toes = JOINT[f"{side}_foot"]
    world[:, toes] = world[:, j]
    if f"{side}_foot" in family.drivers:
        ahead = capture.rotations[:, capture.index(family.drivers[f"{side}_foot"])]
        bend = np.swapaxes(r, -1, -2) @ ahead  # zero where the toes are in line with the foot
        if standing.sum() >= 3:
            bend = bend @ _mean(bend[standing]).T
        along = _frame(theirs, hinge) @ _frame(ours, np.array([1.0, 0.0, 0.0])).T
        turn = rotation.matrix_to_axis_angle(along.T @ bend @ along)
        turn[:, 1:] = 0.0  # toes only bend
        turn[:, 0] = np.clip(turn[:, 0], -0.7, 0.3)
        world[:, toes] = world[:, j] @ rotation.axis_angle_to_matrix(turn)


def _align_wrist(
    world: np.ndarray, capture: Capture, family: Family, side: str, rest_joints: np.ndarray, upright: np.ndarray
) -> None:
    j = JOINT[f"{side}_wrist"]
    r = capture.rotations[:, capture.index(family.drivers[f"{side}_wrist"])]
    if not family.zero_is_pose:
        world[:, j] = world[:, JOINT[f"{side}_elbow"]]
        return
    ours = rest_joints[JOINT[f"{side}_hand"]] - rest_joints[j]
    theirs = _direction(capture, family, side, "wrist")
    world[:, j] = r @ rotation.rotation_between(upright @ ours, theirs) @ upright


def _fill(world: np.ndarray, known: set[str]) -> None:
    """Joints that the source lacks or crowds: the spine bends as one curve, the rest is rigid with its parent."""
    world[:, JOINT["spine1"]] = _between(world, "pelvis", "spine3", 0.4)
    world[:, JOINT["spine2"]] = _between(world, "pelvis", "spine3", 0.75)
    if "neck" not in known:
        world[:, JOINT["neck"]] = _between(world, "spine3", "head", 1 / 2)
    for side in SIDES:
        for child, parent in (("collar", "spine3"), ("wrist", "elbow"), ("hand", "wrist")):
            if f"{side}_{child}" not in known:
                source = parent if parent == "spine3" else f"{side}_{parent}"
                world[:, JOINT[f"{side}_{child}"]] = world[:, JOINT[source]]


def _between(world: np.ndarray, first: str, last: str, share: float) -> np.ndarray:
    start = world[:, JOINT[first]]
    step = rotation.matrix_to_axis_angle(np.swapaxes(start, -1, -2) @ world[:, JOINT[last]])
    return start @ rotation.axis_angle_to_matrix(share * step)


def _share_pronation(local: np.ndarray, rest_joints: np.ndarray) -> None:
    """Give half of the wrist's turn about the forearm to the elbow, as the two forearm bones do."""
    for side in SIDES:
        elbow, wrist = JOINT[f"{side}_elbow"], JOINT[f"{side}_wrist"]
        axis = rest_joints[wrist] - rest_joints[elbow]
        axis = axis / np.linalg.norm(axis)
        q = rotation.matrix_to_quaternion(local[:, wrist])
        twist = 2.0 * np.arctan2(q[:, 1:] @ axis, q[:, 0])
        twist = np.clip((twist + np.pi) % (2 * np.pi) - np.pi, -1.5, 1.5)
        half = rotation.axis_angle_to_matrix(0.5 * twist[:, None] * axis)
        local[:, elbow] = local[:, elbow] @ half
        local[:, wrist] = np.swapaxes(half, -1, -2) @ local[:, wrist]
        # Hand markers are the least reliable of all: keep the wrist where a wrist can go.
        vector = rotation.matrix_to_axis_angle(local[:, wrist])
        local[:, wrist] = rotation.axis_angle_to_matrix(np.clip(vector, -WRIST_RANGE, WRIST_RANGE))
