"""The default body: MakeHuman's shapes turned into a SMPL-format model (T-pose, 24 joints, 10 betas).

The base mesh stands in an A-pose with 163 bones. Each sampled person is un-posed to SMPL's T-pose by inverting the
blended matrix of every vertex, so that posing back gives MakeHuman's own A-pose exactly; the betas are the first
principal components of the T-posed people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from synth.body.makehuman_data import AGES, GENDERS, LEVELS, RACES, Data
from synth.rotation import axis_matrix, rotation_between
from synth.skeleton import JOINT, SMPL_JOINTS, SMPL_MIRROR, SMPL_PARENTS

Array = NDArray[Any]  # float32 where many people are held, float64 elsewhere

BETAS = 10
SKIN = 13380  # vertices of the group "body"
HELPERS = (
    "helper-l-eye", "helper-r-eye", "helper-l-eyelashes-1", "helper-l-eyelashes-2", "helper-r-eyelashes-1",
    "helper-r-eyelashes-2", "helper-tights", "helper-skirt", "helper-hair",
)  # fmt: skip
HAND_ROLL = np.radians(17.0)  # the relaxed hands' tilt about the forearm, taken out so that palms face down
FACE_EMPHASIS = 3.0  # weight of the head in the principal components: wrinkles are millimetres, bellies centimetres

# MakeHuman bones of each SMPL joint, left side; "~" marks prefixes
_BONES: dict[str, tuple[str, ...]] = {
    "pelvis": ("root", "spine05", "spine04", "pelvis.L", "pelvis.R"),
    "spine1": ("spine03",),
    "spine2": ("spine02",),
    "spine3": ("spine01", "breast.L", "breast.R"),
    "neck": ("neck01", "neck02", "neck03"),
    "left_hip": ("upperleg01.L", "upperleg02.L"),
    "left_knee": ("lowerleg01.L", "lowerleg02.L"),
    "left_ankle": ("foot.L",),
    "left_foot": ("~toe",),
    "left_collar": ("clavicle.L", "shoulder01.L"),
    "left_shoulder": ("upperarm01.L", "upperarm02.L"),
    "left_elbow": ("lowerarm01.L", "lowerarm02.L"),
    "left_wrist": ("wrist.L", "~metacarpal", "finger1-1.L"),
    "left_hand": ("~finger",),
}


@dataclass(frozen=True)
class Look:
    """MakeHuman's own shape parameters.

    Attributes:
        male: 0 female .. 1 male.
        old: 0 at 25 years .. 1 at 90.
        muscle, weight: 0 .. 1, 0.5 is average.
        height: -1 .. 1, 0 is average.
        proportions: -1 uncommon .. 1 ideal.
        races: shares of african, asian, caucasian, summing to 1.
    """

    male: float
    old: float
    muscle: float = 0.5
    weight: float = 0.5
    height: float = 0.0
    proportions: float = 0.0
    races: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)


def _knots(value: float) -> dict[str, float]:
    """Linear interpolation between min at 0, average at 0.5 and max at 1."""
    low, high = max(0.0, 1 - 2 * value), max(0.0, 2 * value - 1)
    return {"min": low, "average": 1 - low - high, "max": high}


@dataclass(frozen=True)
class Source:
    """MakeHuman's mesh cut down to the vertices in use: the skin first, then eyes, lashes and the clothes' cages."""

    data: Data

    @cached_property
    def used(self) -> NDArray[np.int64]:
        """Indices into the base mesh [M]; the first ``SKIN`` are the skin."""
        helpers = [self.data.mesh.group(name) for name in HELPERS]
        return np.concatenate([np.arange(SKIN), *helpers])

    @cached_property
    def index(self) -> NDArray[np.int64]:
        """Base mesh vertex -> index into ``used``, -1 where dropped."""
        index = np.full(len(self.data.mesh.vertices), -1)
        index[self.used] = np.arange(len(self.used))
        return index

    @cached_property
    def base(self) -> Array:
        """The base mesh's vertices in use, metres [M, 3]."""
        return self.data.mesh.vertices[self.used]

    @cached_property
    def mirror(self) -> NDArray[np.int64]:
        """Each vertex's twin across x = 0 [M]."""
        return self.index[self.data.mesh.mirror[self.used]]

    def quads(self, group: str) -> NDArray[np.int64]:
        """The quads of a group as indices into ``used`` [Q, 4]."""
        return self.index[self.data.mesh.quads[group]]

    @cached_property
    def weights(self) -> Array:
        """Skinning weights on SMPL's joints, left and right made equal [M, 24]."""
        owner = _bone_owners(list(self.data.bone_weights))
        full = np.zeros((len(self.data.mesh.vertices), 24))
        for bone, rows in self.data.bone_weights.items():
            if rows:
                pairs = np.array(rows)
                np.add.at(full[:, owner[bone]], pairs[:, 0].astype(int), pairs[:, 1])
        weights = full[self.used]
        weights = weights + weights[self.mirror][:, list(SMPL_MIRROR)]
        weights[weights < 0.004 * weights.sum(1, keepdims=True)] = 0
        return weights / weights.sum(1, keepdims=True)

    @cached_property
    def shapes(self) -> dict[str, Array]:
        """Displacement targets as dense arrays [M, 3], by MakeHuman's name."""
        names = [f"macrodetails/{r}-{g}-{a}" for r, g, a in product(RACES, GENDERS, AGES)]
        for g, a, m, w in product(GENDERS, AGES, LEVELS, LEVELS):
            kind = f"{g}-{a}-{m}muscle-{w}weight"
            names.append(f"macrodetails/universal-{kind}")
            names += [f"macrodetails/height/{kind}-{h}height" for h in ("min", "max")]
            names += [f"macrodetails/proportions/{kind}-{p}proportions" for p in ("ideal", "uncommon")]
        result = {}
        for name in names:
            vertices, moves = self.data.target(name)
            kept = self.index[vertices] >= 0
            dense = np.zeros((len(self.used), 3), dtype=np.float32)
            dense[self.index[vertices[kept]]] = moves[kept]
            result[name] = dense
        return result

    def a_pose(self, look: Look) -> Array:
        """A person's vertices in MakeHuman's A-pose, metres [M, 3]."""
        result = self.base.copy()
        sexes = {"female": 1 - look.male, "male": look.male}
        ages = {"young": 1 - look.old, "old": look.old}
        extra = (
            ("height", "min" if look.height < 0 else "max", abs(look.height)),
            ("proportions", "ideal" if look.proportions > 0 else "uncommon", abs(look.proportions)),
        )
        for (g, gw), (a, aw) in product(sexes.items(), ages.items()):
            if gw * aw == 0:
                continue
            for race, share in zip(RACES, look.races, strict=True):
                result += gw * aw * share * self.shapes[f"macrodetails/{race}-{g}-{a}"]
            for (m, mw), (w, ww) in product(_knots(look.muscle).items(), _knots(look.weight).items()):
                amount = gw * aw * mw * ww
                if amount == 0:
                    continue
                kind = f"{g}-{a}-{m}muscle-{w}weight"
                result += amount * self.shapes[f"macrodetails/universal-{kind}"]
                for folder, side, much in extra:
                    if much:
                        result += amount * much * self.shapes[f"macrodetails/{folder}/{kind}-{side}{folder}"]
        return result


def _bone_owners(bones: Sequence[str]) -> dict[str, int]:
    """MakeHuman bone -> SMPL joint; the face, eyes and tongue follow the head."""
    owner: dict[str, int] = {}
    for name, listed in _BONES.items():
        # a right joint takes the same bones with the sides swapped
        for joint, side in {(name, "L"), (name.replace("left_", "right_"), "R")}:
            for entry in listed:
                if entry.startswith("~"):
                    matches = [b for b in bones if b.startswith(entry[1:]) and b.endswith(f".{side}")]
                elif name.startswith("left_"):
                    matches = [entry.replace(".L", f".{side}")]
                else:
                    matches = [entry]
                for bone in matches:
                    owner.setdefault(bone, JOINT[joint])
    thumbs = {f"finger1-1.{side}": JOINT[f"{word}_wrist"] for side, word in (("L", "left"), ("R", "right"))}
    return dict.fromkeys(bones, JOINT["head"]) | owner | thumbs


def base_joints(data: Data) -> Array:
    """SMPL's joints on the base mesh in its A-pose, metres [24, 3]."""
    head = data.bone_head
    joints = np.zeros((24, 3))
    for name, bone in {"hip": "upperleg01", "knee": "lowerleg01", "ankle": "foot", "foot": "toe2-1",
                       "shoulder": "upperarm01", "elbow": "lowerarm01", "wrist": "wrist"}.items():  # fmt: skip
        joints[JOINT[f"left_{name}"]] = head(f"{bone}.L")
    for name, bone in {"spine1": "spine03", "spine2": "spine02", "spine3": "spine01", "neck": "neck01",
                       "head": "head"}.items():  # fmt: skip
        joints[JOINT[name]] = head(bone)
    joints[JOINT["left_hand"]] = np.mean([head(f"finger{k}-1.L") for k in (2, 3, 4, 5)], 0)
    joints[JOINT["left_collar"]] = 0.6 * head("clavicle.L") + 0.4 * head("upperarm01.L") - (0, 0, 0.01)
    middle = joints[JOINT["left_hip"]] * (0, 1, 1)
    joints[JOINT["pelvis"]] = middle + np.array([0, 0.055, 0])
    for index, other in enumerate(SMPL_MIRROR):
        if SMPL_JOINTS[index].startswith("right_"):
            joints[index] = joints[other] * (-1, 1, 1)
        elif index == other:
            joints[index, 0] = 0
    return joints


def joint_rings(weights: Array, size: int = 60) -> list[NDArray[np.int64]]:
    """The flesh around each joint: the skin vertices shared most by the joint and its parent. 24 arrays of indices."""
    rings = []
    for joint, parent in enumerate(SMPL_PARENTS):
        shared = weights[:SKIN, joint] * weights[:SKIN, parent]
        if parent < 0:  # the pelvis lies between the waist's ring and the hips'
            hips = weights[:SKIN, JOINT["left_hip"]] + weights[:SKIN, JOINT["right_hip"]]
            shared = weights[:SKIN, joint] * np.maximum(hips, 0.3 * weights[:SKIN, JOINT["spine1"]])
        count = 4 * size if SMPL_JOINTS[joint] in ("head", "pelvis") else size
        order = np.argsort(-shared, kind="stable")[:count]
        rings.append(np.sort(order[shared[order] > 1e-3]))
    return rings


def fit_regressor(rings: Sequence[NDArray[np.int64]], people: Array, joints: Array, mirror: NDArray[np.int64]) -> Array:
    """Non-negative weights on each joint's ring, summing to 1, that find the joints of all the people.

    Args:
        rings: candidate vertices per joint.
        people: vertices [N, M, 3], metres.
        joints: [N, 24, 3].
        mirror: twin of each vertex.

    Returns:
        [24, SKIN], the same left and right.
    """
    result = np.zeros((24, SKIN))
    one = 30.0  # weight of "the row sums to 1"
    for joint, ring in enumerate(rings):
        points = people[:, ring].transpose(0, 2, 1).reshape(-1, len(ring))
        aim = joints[:, joint].reshape(-1)
        smooth = 0.02 / np.sqrt(len(ring))  # spread the weights rather than pick three vertices
        system = np.vstack([points, np.full((1, len(ring)), one), smooth * np.eye(len(ring))])
        wanted = np.concatenate([aim, [one], np.full(len(ring), smooth / len(ring))])
        found, _ = nnls(system, wanted)
        result[joint, ring] = found / found.sum()
    twin = result[list(SMPL_MIRROR)][:, mirror[:SKIN]]
    return (result + twin) / 2


def t_pose(vertices: Array, joints: Array, weights: Array) -> tuple[Array, Array]:
    """Un-pose one person from the A-pose to SMPL's T-pose.

    Args:
        vertices: [M, 3] in the A-pose; joints: [24, 3]; weights: [M, 24].

    Returns:
        vertices and joints in the T-pose.
    """
    turn = np.broadcast_to(np.eye(3), (24, 3, 3)).copy()  # world rotation of each joint, A-pose to T-pose
    for side, sign in (("left", 1.0), ("right", -1.0)):
        bones = ("hip", "knee", "ankle", "foot", "shoulder", "elbow", "wrist", "hand")
        j = {name: JOINT[f"{side}_{name}"] for name in bones}
        out, down = (sign, 0.0, 0.0), (0.0, -1.0, 0.0)
        for bone, end, aim in (("shoulder", "elbow", out), ("elbow", "wrist", out), ("wrist", "hand", out),
                               ("hip", "knee", down), ("knee", "ankle", down)):  # fmt: skip
            turn[j[bone]] = rotation_between(joints[j[end]] - joints[j[bone]], aim)
        turn[j["wrist"]] = axis_matrix("x", HAND_ROLL) @ turn[j["wrist"]]
        turn[j["hand"]] = turn[j["wrist"]]
        toes = (joints[j["foot"]] - joints[j["ankle"]]) * (1, 0, 1)
        turn[j["ankle"]] = turn[j["foot"]] = rotation_between(toes, (0, 0, 1))
    posed = np.zeros((24, 3))
    posed[0] = joints[0]
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        posed[joint] = posed[parent] + turn[parent] @ (joints[joint] - joints[parent])
    # T to A: x_A = turn^T (x_T - posed) + joints; blended over joints, then inverted per vertex
    back = turn.transpose(0, 2, 1)
    shift = joints - np.einsum("jkl,jl->jk", back, posed)
    blended = (weights @ back.reshape(24, 9)).reshape(-1, 3, 3)
    return _solve3(blended, vertices - weights @ shift), posed


def _solve3(matrices: Array, right: Array) -> Array:
    """Solve many 3x3 systems by cofactors, [M, 3, 3] and [M, 3] -> [M, 3]; far faster than LAPACK one by one."""
    a, b, c = matrices[..., 0], matrices[..., 1], matrices[..., 2]
    bc, ca, ab = np.cross(b, c), np.cross(c, a), np.cross(a, b)
    rows = np.stack([bc, ca, ab], -2)
    return np.einsum("mij,mj->mi", rows, right) / (a * bc).sum(-1, keepdims=True)


def sample_looks(count: int, rng: np.random.Generator) -> list[Look]:
    """People spread over MakeHuman's whole adult range, for the principal components."""
    looks = []
    for _ in range(count):
        looks.append(
            Look(
                male=float(rng.integers(2)),
                old=float(rng.uniform()),
                muscle=float(rng.beta(1.5, 1.5)),
                weight=float(rng.beta(1.5, 1.5)),
                height=float(rng.uniform(-0.8, 0.8)),
                proportions=float(rng.uniform(-0.6, 0.6)),
                races=tuple(rng.dirichlet((0.6, 0.6, 0.6))),
            )
        )
    return looks


def principal_components(people: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Mean, directions and scores of the T-posed people.

    Args:
        people: pelvis-centred vertices [N, M, 3].
        weights: skinning weights, to weigh the head more [M, 24].

    Returns:
        mean [M, 3], metres per unit score [M, 3, BETAS], unit-variance scores [N, BETAS].
    """
    mean = people.mean(0)
    centred = (people - mean).reshape(len(people), -1)
    emphasis = 1 + (FACE_EMPHASIS - 1) * weights[:SKIN, JOINT["head"]]
    skin = (centred.reshape(len(people), -1, 3)[:, :SKIN] * emphasis[:, None]).reshape(len(people), -1)
    # the small Gram matrix instead of an SVD of N x 40000
    _, vectors = np.linalg.eigh(skin @ skin.T)
    scores = vectors[:, ::-1][:, :BETAS] * np.sqrt(len(people))
    flip = np.sign(scores[np.abs(scores).argmax(0), np.arange(BETAS)])  # eigenvectors have no sign of their own
    scores = scores * flip
    dirs = (scores.T @ centred / len(people)).reshape(BETAS, -1, 3)
    return mean, dirs.transpose(1, 2, 0), scores


@dataclass(frozen=True)
class Population:
    """The sampled people in the T-pose and the linear model of their shapes.

    Attributes:
        mean, dirs: metres [M, 3] and metres per unit beta [M, 3, BETAS], over every vertex of the source.
        people, scores: the people [N, M, 3], pelvis at the origin, and their betas [N, BETAS].
        regressor: joints from the skin's vertices [24, SKIN].
        knots: betas at female/male, young/old, three muscles, weights and heights [2, 2, 3, 3, 3, BETAS].
        races: what each race adds to them [3, 2, 2, BETAS].
    """

    mean: Array
    dirs: Array
    people: Array
    scores: Array
    regressor: Array
    knots: Array
    races: Array


def populate(source: Source, count: int = 150, seed: int = 0) -> Population:
    """Sample people, un-pose them, and find betas, joint regressor and the table of shapes."""
    weights, joints = source.weights, base_joints(source.data)
    rings = joint_rings(weights)
    in_a_pose = fit_regressor(rings, source.base[None], joints[None], source.mirror)

    def unposed(look: Look) -> tuple[Array, Array]:
        vertices = source.a_pose(look)
        result, rest = t_pose(vertices, in_a_pose @ vertices[:SKIN], weights)
        return result - rest[0], rest - rest[0]

    pairs = [unposed(look) for look in sample_looks(count, np.random.default_rng(seed))]
    people = np.array([vertices for vertices, _ in pairs], dtype=np.float32)
    every = slice(None, None, 12)
    rests = np.array([rest for _, rest in pairs])
    regressor = fit_regressor(rings, people[every].astype(float), rests[every], source.mirror)
    mean, dirs, scores = principal_components(people, weights)

    emphasis = 1 + (FACE_EMPHASIS - 1) * weights[:SKIN, JOINT["head"]]
    axes = (dirs[:SKIN] * emphasis[:, None, None]).reshape(-1, BETAS)
    solve = np.linalg.pinv(axes)

    def betas(look: Look) -> Array:
        vertices, _ = unposed(look)
        return solve @ ((vertices[:SKIN] - mean[:SKIN]) * emphasis[:, None]).ravel()

    levels = (0.0, 0.5, 1.0)
    knots = np.zeros((2, 2, 3, 3, 3, BETAS))
    for (g, a), m, w, h in product(product((0, 1), (0, 1)), range(3), range(3), range(3)):
        knots[g, a, m, w, h] = betas(Look(g, a, levels[m], levels[w], 2 * levels[h] - 1))
    races = np.zeros((3, 2, 2, BETAS))
    for r, g, a in product(range(3), (0, 1), (0, 1)):
        look = Look(g, a, races=tuple(float(r == k) for k in range(3)))  # type: ignore[arg-type]
        races[r, g, a] = betas(look) - knots[g, a, 1, 1, 1]
    return Population(mean, dirs, people, scores, regressor, knots, races)
