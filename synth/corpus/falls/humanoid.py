"""A MuJoCo body made from one of our bodies: its bones, its flesh, its weight, and the way to and from SMPL poses.

The tree is SMPL's 24 joints. The pelvis floats freely; every other joint is three hinges in a row, so that the range
of motion can differ by axis (`synth.motion.terms`), and so that any rotation can be set exactly.

Two layers of geometry: capsules (`synth.motion.proxies`) carry the mass and keep a body's own limbs apart; the convex
hulls of the skin that each joint moves touch the floor and the furniture, so that what lies on the floor is the skin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from synth.body import BodyModel
from synth.motion.proxies import Proxies, proxies_of
from synth.motion.terms import joint_ranges
from synth.room import Box, Furniture
from synth.rotation import Array, matrix_to_quaternion, quaternion_to_matrix
from synth.skeleton import JOINT, SMPL_JOINTS, SMPL_PARENTS

JOINTS = len(SMPL_JOINTS)
HINGES = 3 * (JOINTS - 1)
STEP = 0.002  # seconds
SOFT = 0.02  # metres that a cushion or mattress and the flesh on it give way: solids of seats are that much lower
FRICTION = 0.75  # clothed skin or a slipper on a dry floor
HULL_POINTS = 48  # corners a hull keeps at most
_SELF, _WORLD = 1, 2  # bits: a body's own capsules; hulls against floor and furniture

# Order of the three hinges (first moves the rest). The middle one must stay away from +-90 degrees: it is the axis of
# the least range; along a limb's own axis comes last, as in the ISB's recommendations (Wu et al. 2002, 2005).
_ORDER = {"shoulder": "zxy", "elbow": "yzx", "wrist": "zyx", "hand": "zyx", "collar": "zyx"}

# Shares of the body's mass (de Leva 1996, J. Biomech. 29: 1223-1230, table 4): female, male. How the trunk's three
# parts, the head, hands and feet are shared out over our capsules is our choice, by their size on the body.
_MASS = {
    "head": (0.0668, 0.0694), "upper_trunk": (0.1545, 0.1596), "middle_trunk": (0.1465, 0.1633),
    "lower_trunk": (0.1247, 0.1117), "upper_arm": (0.0255, 0.0271), "forearm": (0.0138, 0.0162),
    "hand": (0.0056, 0.0061), "thigh": (0.1478, 0.1416), "shin": (0.0481, 0.0433), "foot": (0.0129, 0.0137),
}  # fmt: skip
# capsule -> (segment, share of its mass); what has no capsule in `proxies` gets one here (collar, toes)
_SHARES = {
    "neck": ("head", 0.12), "head": ("head", 0.88), "upper_chest": ("upper_trunk", 0.42),
    "chest": ("upper_trunk", 0.38), "collar": ("upper_trunk", 0.10), "belly": ("middle_trunk", 0.55),
    "lower_back": ("middle_trunk", 0.45), "pelvis": ("lower_trunk", 1.0), "upper_arm": ("upper_arm", 1.0),
    "forearm": ("forearm", 1.0), "hand": ("hand", 0.6), "fingers": ("hand", 0.4), "thigh": ("thigh", 1.0),
    "shin": ("shin", 1.0), "foot": ("foot", 0.85), "toes": ("foot", 0.15),
}  # fmt: skip

# Passive joints: stiffness (N m / rad) and damping (N m s / rad) of a relaxed 70 kg person. Orders of magnitude as
# measured at the knee (Oatis 1993, Phys. Ther. 73: 740), hip and ankle (Silder et al. 2007, J. Biomech. 40: 2628)
# and lumbar spine (McGill, Seguin, Bennett 1994, Spine 19: 696); the small joints are scaled from them.
PASSIVE = {
    "hip": (8.0, 4.0), "knee": (3.0, 2.5), "ankle": (6.0, 1.2), "foot": (3.0, 0.3), "spine1": (60.0, 8.0),
    "spine2": (70.0, 8.0), "spine3": (80.0, 8.0), "neck": (6.0, 1.6), "head": (5.0, 1.2), "collar": (40.0, 4.0),
    "shoulder": (4.0, 1.6), "elbow": (1.5, 0.9), "wrist": (0.8, 0.15), "hand": (0.8, 0.06),
}  # fmt: skip
ARMATURE = {"hip": 0.03, "knee": 0.03, "shoulder": 0.015, "elbow": 0.008, "wrist": 0.003, "hand": 0.002, "foot": 0.003}
# Where relaxed joints rest (rotation vectors, left side; radians): arms hang, fingers curl, feet droop.
RELAXED = {
    "hip": (-0.15, 0.15, 0.06), "knee": (0.15, 0.0, 0.0), "ankle": (0.3, 0.0, 0.0), "shoulder": (0.1, -0.1, -1.05),
    "elbow": (0.0, -0.45, 0.0), "hand": (0.0, 0.0, -0.5), "spine1": (0.05, 0.0, 0.0), "neck": (0.1, 0.0, 0.0),
}  # fmt: skip


def _depth_first() -> tuple[int, ...]:
    order, waiting = [], [0]
    while waiting:
        joint = waiting.pop()
        order.append(joint)
        waiting += [child for child in reversed(range(JOINTS)) if SMPL_PARENTS[child] == joint]
    return tuple(order[1:])


TREE = _depth_first()  # joints 1 to 23 in the order in which MuJoCo lays out their hinges
PLACE = {joint: place for place, joint in enumerate(TREE)}


def kind_of(joint: int) -> str:
    """ "left_hip" is "hip", "spine1" is "spine1"."""
    name = SMPL_JOINTS[joint]
    return name.split("_")[1] if "_" in name else name


def mirrored_vector(vector: Sequence[float], joint: int) -> Array:
    """A rotation vector given for the left side, for this joint's side."""
    x, y, z = vector
    return np.array([x, -y, -z] if SMPL_JOINTS[joint].startswith("right") else [x, y, z], float)


def order_of(joint: int) -> str:
    """The axes of a joint's hinges, first one first."""
    return _ORDER.get(kind_of(joint), "xzy")


@dataclass(frozen=True)
class Humanoid:
    """A body and its surroundings, compiled.

    Attributes:
        model: MuJoCo's model; qpos is the pelvis (7) and 69 hinges.
        rest: rest joints [24, 3] metres.
        weight: kilograms.
        hulls: geom id of each joint's hull, -1 where it has none [24].
    """

    model: mujoco.MjModel
    rest: Array
    weight: float
    hulls: tuple[int, ...]

    def qpos(self, rotmats: Array, transl: Array) -> Array:
        """MuJoCo positions [..., 76] of SMPL poses: local rotations [..., 24, 3, 3], transl [..., 3]."""
        root = np.concatenate([np.asarray(transl) + self.rest[0], matrix_to_quaternion(rotmats[..., 0, :, :])], -1)
        return np.concatenate([root, hinges(rotmats)], -1)

    def pose(self, qpos: Array) -> tuple[Array, Array]:
        """The inverse of `qpos`: local rotations [..., 24, 3, 3] and transl [..., 3]."""
        q = np.asarray(qpos, float)
        rotmats = np.concatenate([quaternion_to_matrix(q[..., 3:7])[..., None, :, :], rotations(q[..., 7:])], -3)
        return rotmats, q[..., :3] - self.rest[0]

    def qvel(self, before: Array, after: Array, seconds: float) -> Array:
        """Velocities [75] that lead from one position [76] to the other in `seconds`."""
        velocity = np.zeros(self.model.nv)
        mujoco.mj_differentiatePos(self.model, velocity, seconds, before, after)
        return velocity


def hinges(rotmats: Array) -> Array:
    """Hinge angles [..., 69] (joints as in `TREE`) of local rotations [..., 24, 3, 3]."""
    lead = rotmats.shape[:-3]
    flat = np.asarray(rotmats, float).reshape(-1, JOINTS, 3, 3)
    angles = np.empty((len(flat), JOINTS - 1, 3))
    for place, joint in enumerate(TREE):
        angles[:, place] = Rotation.from_matrix(flat[:, joint]).as_euler(order_of(joint).upper())
    return angles.reshape(*lead, HINGES)


def rotations(angles: Array) -> Array:
    """Local rotations [..., 23, 3, 3] of joints 1 to 23 from hinge angles [..., 69]."""
    lead = angles.shape[:-1]
    flat = np.asarray(angles, float).reshape(-1, JOINTS - 1, 3)
    out = np.empty((len(flat), JOINTS - 1, 3, 3))
    for place, joint in enumerate(TREE):
        turned = Rotation.from_euler(order_of(joint).upper(), flat[:, place])
        out[:, joint - 1] = turned.as_matrix()
    return out.reshape(*lead, JOINTS - 1, 3, 3)


def relaxed_angles() -> Array:
    """Hinge angles [69] of a relaxed body."""
    vectors = np.zeros((JOINTS, 3))
    for joint in range(1, JOINTS):
        vectors[joint] = mirrored_vector(RELAXED.get(kind_of(joint), (0.0, 0.0, 0.0)), joint)
    return hinges(Rotation.from_rotvec(vectors).as_matrix()[None])[0]


def hinge_limits() -> tuple[Array, Array]:
    """Low and high [69]: the range of each rotation vector's component, taken for the hinge about the same axis."""
    ranges = joint_ranges()
    low, high = np.zeros((JOINTS - 1, 3)), np.zeros((JOINTS - 1, 3))
    for row, joint in enumerate(TREE):
        for place, axis in enumerate(order_of(joint)):
            low[row, place], high[row, place] = ranges[joint]["xyz".index(axis)]
    return low.reshape(-1), high.reshape(-1)


def build(
    body: BodyModel,
    betas: Array,
    weight: float,
    gender: str,
    furniture: Sequence[Furniture] = (),
    widen: Array | None = None,
) -> Humanoid:
    """Compile a body among furniture.

    Args:
        body, betas: whose rest joints, skin and capsules are taken [10].
        weight: kilograms.
        gender: "female", "male" or "neutral": whose shares of mass.
        furniture: what stands around, in the world's frame; seats and mattresses give way by `SOFT`.
        widen: hinge angles [N, 69] that must be inside the joints' ranges (a captured pose to start from).
    """
    proxies = proxies_of(body, betas)
    rest = proxies.rest_joints
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.option.timestep = STEP
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 5.0
    floor = spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], name="floor")
    floor.contype, floor.conaffinity = 0, _WORLD
    for piece in furniture:
        for index, solid in enumerate(piece.world_solids()):
            _solid(spec, f"{piece.id}/{index}", solid, piece)
    mass = _masses(weight, gender)
    low, high = hinge_limits()
    if widen is not None and len(widen):
        low, high = np.minimum(low, widen.min(0) - 0.02), np.maximum(high, widen.max(0) + 0.02)
    relaxed = relaxed_angles()
    scale = weight / 70.0
    bodies: list[mujoco.MjsBody] = []
    hull_names: list[str] = []
    used = np.unique(body.faces)
    skin = np.asarray(body.shaped(betas), float)[used]
    owner = np.asarray(body.weights)[used].argmax(1)
    for joint, name in enumerate(SMPL_JOINTS):
        parent = SMPL_PARENTS[joint]
        at = rest[joint] if parent < 0 else rest[joint] - rest[parent]
        part = (spec.worldbody if parent < 0 else bodies[parent]).add_body(name=name, pos=at.tolist())
        bodies.append(part)
        if parent < 0:
            part.add_freejoint(name="root")
        else:
            _hinged(part, joint, low, high, relaxed, scale)
        points = skin[owner == joint] - rest[joint]
        hull_names.append(f"hull_{name}" if _hull(spec, part, f"hull_{name}", points) else "")
    for name, joint, start, end, radius in _capsules(proxies, skin, owner):
        geom = bodies[joint].add_geom(
            type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[*start, *end], size=[radius, 0, 0], name=name, mass=mass[name]
        )
        apart = not name.endswith(("collar", "toes", "neck", "fingers"))
        geom.contype = geom.conaffinity = _SELF if apart else 0
        geom.solref = [0.03, 1.0]
        geom.friction = [0.4, 0.005, 0.0001]
    _exclude(spec)
    for joint in TREE:
        for axis in order_of(joint):
            _muscle(spec, f"{SMPL_JOINTS[joint]}_{axis}")
    model = spec.compile()
    hulls = tuple(model.geom(name).id if name else -1 for name in hull_names)
    return Humanoid(model, rest, weight, hulls)


def _hinged(part: mujoco.MjsBody, joint: int, low: Array, high: Array, relaxed: Array, scale: float) -> None:
    stiffness, damping = PASSIVE[kind_of(joint)]
    for place, axis in enumerate(order_of(joint)):
        index = 3 * PLACE[joint] + place
        hinge = part.add_joint(
            type=mujoco.mjtJoint.mjJNT_HINGE, axis=np.eye(3)["xyz".index(axis)].tolist(),
            name=f"{SMPL_JOINTS[joint]}_{axis}", range=[float(low[index]), float(high[index])],
        )  # fmt: skip
        hinge.limited = mujoco.mjtLimited.mjLIMITED_TRUE
        hinge.stiffness = [stiffness * scale, 0.0, 0.0]
        hinge.damping = [damping * scale, 0.0, 0.0]
        hinge.springref = float(relaxed[index])
        hinge.armature = ARMATURE.get(kind_of(joint), 0.01)
        hinge.solref_limit = [0.02, 1.0]


def _muscle(spec: mujoco.MjSpec, joint: str) -> None:
    """A servo on a hinge; gains and force range are the tone's, set while the simulation runs (`control`)."""
    actuator = spec.add_actuator(name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    actuator.gaintype = mujoco.mjtGain.mjGAIN_FIXED
    actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
    actuator.gainprm = [0.0] * 10
    actuator.biasprm = [0.0] * 10
    actuator.forcelimited = mujoco.mjtLimited.mjLIMITED_TRUE
    actuator.forcerange = [-1.0, 1.0]


def _solid(spec: mujoco.MjSpec, name: str, solid: Box, piece: Furniture) -> None:
    top, bottom = solid.center[2] + solid.size[2] / 2, solid.center[2] - solid.size[2] / 2
    if piece.seat_height is not None and abs(top - piece.seat_height) < 0.03:
        top -= SOFT
    geom = spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX, name=name,
        size=[solid.size[0] / 2, solid.size[1] / 2, max((top - bottom) / 2, 0.005)],
        pos=[float(solid.center[0]), float(solid.center[1]), (top + bottom) / 2],
        quat=[np.cos(solid.yaw / 2), 0.0, 0.0, np.sin(solid.yaw / 2)],
    )  # fmt: skip
    geom.contype, geom.conaffinity = 0, _WORLD


def _hull(spec: mujoco.MjSpec, part: mujoco.MjsBody, name: str, points: Array) -> bool:
    if len(points) < 8:
        return False
    corners = points[ConvexHull(points).vertices]
    mesh = spec.add_mesh(name=name)
    mesh.uservert = corners.astype(np.float32).ravel()
    mesh.maxhullvert = HULL_POINTS
    geom = part.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, name=name, mass=0.0)
    geom.contype, geom.conaffinity = _WORLD, 0
    geom.priority = 1  # its friction counts, so that one foot alone can slip
    geom.friction = [FRICTION, 0.01, 0.001]
    geom.solref = [0.016, 1.0]
    geom.solimp = [0.9, 0.97, 0.006, 0.5, 2.0]
    return True


def _masses(weight: float, gender: str) -> dict[str, float]:
    """Kilograms of each capsule by name."""
    column = {"female": (1.0, 0.0), "male": (0.0, 1.0)}.get(gender, (0.5, 0.5))
    masses = {}
    for name, (segment, share) in _SHARES.items():
        value = share * float(np.dot(column, _MASS[segment])) * weight
        paired = segment not in ("head", "upper_trunk", "middle_trunk", "lower_trunk") or name == "collar"
        for side in ("left_", "right_") if paired else ("",):
            masses[side + name] = value
    total = sum(masses.values())
    return {name: value * weight / total for name, value in masses.items()}


def _capsules(proxies: Proxies, skin: Array, owner: Array) -> list[tuple[str, int, Array, Array, float]]:
    """The proxies' capsules, and small ones for what they leave out: (name, joint, start, end, radius)."""
    # the chest's capsule carries the mass of its front, too
    found = [(c.name, c.joint, c.start, c.end, c.radius) for c in proxies.capsules if c.name != "bust"]
    rest = proxies.rest_joints
    for side in ("left", "right"):
        collar, shoulder = JOINT[f"{side}_collar"], JOINT[f"{side}_shoulder"]
        found.append((f"{side}_collar", collar, np.zeros(3), 0.8 * (rest[shoulder] - rest[collar]), 0.04))
        for part, joint in (("toes", JOINT[f"{side}_foot"]), ("fingers", JOINT[f"{side}_hand"])):
            points = skin[owner == joint] - rest[joint]
            span = points.max(0) - points.min(0)
            middle, radius = 0.5 * (points.max(0) + points.min(0)), float(max(0.4 * span.min(), 0.006))
            across = np.eye(3)[span.argmax()] * max(0.5 * span.max() - radius, 0.005)
            found.append((f"{side}_{part}", joint, middle - across, middle + across, radius))
    return found


def _exclude(spec: mujoco.MjSpec) -> None:
    """Neighbours overlap by nature: joints within two steps of each other in the tree do not collide."""
    near: set[tuple[int, int]] = set()
    for joint in range(JOINTS):
        up = SMPL_PARENTS[joint]
        for _ in range(2):
            if up >= 0:
                near.add((up, joint))
                up = SMPL_PARENTS[up]
        near |= {(other, joint) for other in range(joint) if SMPL_PARENTS[other] == SMPL_PARENTS[joint]}
    near |= {(JOINT["pelvis"], JOINT["spine3"]), (JOINT["spine3"], JOINT["head"])}
    for side in ("left", "right"):
        near |= {(JOINT[name], JOINT[f"{side}_shoulder"]) for name in ("spine2", "spine3", "neck", "head")}
        near |= {(JOINT["spine1"], JOINT[f"{side}_hip"]), (JOINT["spine2"], JOINT[f"{side}_hip"])}
    for a, b in sorted(near):
        spec.add_exclude(bodyname1=SMPL_JOINTS[a], bodyname2=SMPL_JOINTS[b])
