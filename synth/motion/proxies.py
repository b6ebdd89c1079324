"""Simple solids and touch points of a body, measured on its mesh: what the optimiser knows of flesh.

Capsules (radius about a segment fixed to a joint) stand for the body in penetration terms; spots are points on the skin
with an outward normal, where hands hold, feet stand and buttocks sit. All in their joint's frame (rest orientation,
origin at the joint), metres.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from synth.body.model import BodyModel
from synth.errors import BadOption
from synth.motion.contact import Points, Skin
from synth.rotation import Array
from synth.skeleton import JOINT

# name -> (joint, child joint, where along the bone the capsule starts and ends)
_LIMBS = {
    "neck": ("neck", "head", -0.1, 0.9),
    "upper_arm": ("shoulder", "elbow", 0.12, 0.95),
    "forearm": ("elbow", "wrist", 0.05, 0.95),
    "hand": ("wrist", "hand", 0.25, 1.35),
    "thigh": ("hip", "knee", 0.22, 0.98),
    "shin": ("knee", "ankle", 0.05, 0.92),
}
# horizontal capsules of the trunk: name -> (joint, height above the joint as a share of the way to the next, next)
_TRUNK = {
    "pelvis": ("pelvis", -0.35, "spine1"),
    "lower_back": ("spine1", 0.25, "spine2"),
    "belly": ("spine2", 0.35, "spine3"),
    "bust": ("spine3", -0.4, "neck"),
    "chest": ("spine3", 0.1, "neck"),
    "upper_chest": ("spine3", 0.5, "neck"),
}
_LIMB_JOINTS = ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "foot")

# Spots on limbs: name -> (joint, child, share of the bone, outward direction in the T-pose for the LEFT side)
_LIMB_SPOTS = {
    "hand": ("wrist", "hand", 0.85, (0, -1, 0)),
    "hand_flat": ("wrist", "hand", 0.85, (0, -1, 0)),  # of a hand that lies flat on something
    "hand_top": ("wrist", "hand", 0.7, (0, 1, 0)),
    "forearm": ("elbow", "wrist", 0.6, (0, -1, 0)),
    "forearm_top": ("elbow", "wrist", 0.6, (0, 1, 0)),
    "forearm_front": ("elbow", "wrist", 0.6, (0, 0, 1)),
    "forearm_under": ("elbow", "wrist", 0.45, (0, 0, -1)),
    "upper_arm": ("shoulder", "elbow", 0.6, (0, 0, -1)),
    "upper_arm_under": ("shoulder", "elbow", 0.45, (0, -1, 0)),
    "upper_arm_outer": ("shoulder", "elbow", 0.6, (0, 1, 0)),
    "upper_arm_front": ("shoulder", "elbow", 0.6, (0, 0, 1)),
    "elbow": ("elbow", "wrist", 0.15, (0, 0, -1)),
    "shoulder": ("collar", "shoulder", 0.8, (0, 1, 0)),
    "thigh": ("hip", "knee", 0.75, (0, 0, 1)),
    "thigh_under": ("hip", "knee", 0.55, (0, 0, -1)),
    "knee": ("hip", "knee", 0.98, (0, 0, 1)),
    "shin": ("knee", "ankle", 0.4, (0, 0, 1)),
}
# metres below the hollow of the palm at which the ball of the thumb of a flat hand touches
_BALL = 0.016
# Where legs are lifted from below: as above, and how far off the skin, since flesh hangs and bulges in bent legs.
_LIFTED_SPOTS = {
    "thigh_lift": ("hip", "knee", 0.62, (0, 0, -1), 0.02),
    "shin_lift": ("knee", "ankle", 0.4, (0, 0, -1), 0.012),
}
# Spots on the trunk: name -> (joint, offset y towards `next` as a share, next, share of half the width, direction)
_TRUNK_SPOTS = {
    "upper_back": ("spine3", 0.15, "neck", 0.0, (0, 0, -1)),
    "upper_back_left": ("spine3", 0.05, "neck", 0.5, (0, 0, -1)),
    "upper_back_right": ("spine3", 0.05, "neck", -0.5, (0, 0, -1)),
    "lower_back": ("spine1", 0.3, "spine2", 0.0, (0, 0, -1)),
    "lower_back_left": ("spine1", 0.3, "spine2", 0.55, (0, 0, -1)),
    "lower_back_right": ("spine1", 0.3, "spine2", -0.55, (0, 0, -1)),
    "waist_left": ("spine1", 0.3, "spine2", 0.0, (1, 0, 0)),
    "waist_right": ("spine1", 0.3, "spine2", 0.0, (-1, 0, 0)),
    "chest": ("spine3", 0.3, "neck", 0.0, (0, 0, 1)),
}


@dataclass(frozen=True)
class Spot:
    """A point on the skin: joint index, offset and outward unit normal in the joint's frame."""

    joint: int
    offset: Array
    normal: Array


@dataclass(frozen=True)
class Capsule:
    """A segment with a radius (metres), fixed to a joint."""

    name: str
    joint: int
    start: Array
    end: Array
    radius: float


@dataclass(frozen=True)
class Patch:
    """Points of the skin and the joints that move them: joint [N, 3], offset [N, 3, 3] (joints' frames), share [N, 3].

    Buttocks are moved by pelvis and thighs together: a point fixed to either is centimetres off once the hips bend.
    """

    joint: np.ndarray
    offset: Array
    share: Array


@dataclass(frozen=True)
class Proxies:
    """Capsules, spots and patches of skin of one body; `strips`: thin capsules beside each other, the flat of hands."""

    rest_joints: Array  # [24, 3]
    capsules: tuple[Capsule, ...]
    spots: dict[str, Spot]
    patches: dict[str, Patch]
    strips: tuple[Capsule, ...] = ()

    def spot(self, name: str) -> Spot:
        """The spot of this name.

        Raises:
            BadOption: there is none.
        """
        if name not in self.spots:
            raise BadOption("spot", name, f"one of {', '.join(sorted(self.spots))}")
        return self.spots[name]


def proxies_of(body: BodyModel, betas: Array) -> Proxies:
    """Measure one body's capsules and spots. betas [10]."""
    rest = np.asarray(body.rest_joints(np.asarray(betas, np.float32)), float)
    used = np.unique(body.faces)
    skin = np.asarray(body.shaped(betas), float)[used]
    owner = np.asarray(body.weights)[used].argmax(1)
    measure = _Measure(rest, skin, owner)
    capsules = [measure.trunk_capsule(name, *spec) for name, spec in _TRUNK.items()]
    capsules += [measure.head_capsule(), measure.limb_capsule("neck", *_LIMBS["neck"])]
    spots: dict[str, Spot] = {}
    for side in ("left", "right"):
        for name, (joint, child, begin, end) in _LIMBS.items():
            if name != "neck":
                capsules.append(
                    measure.limb_capsule(f"{side}_{name}", f"{side}_{joint}", f"{side}_{child}", begin, end)
                )
        capsules.append(measure.foot_capsule(side))
        for name, (joint, child, share, outward) in _LIMB_SPOTS.items():
            direction = np.array(outward, float)
            spots[f"{side}_{name}"] = measure.limb_spot(f"{side}_{joint}", f"{side}_{child}", share, direction)
        flat = spots[f"{side}_hand_flat"]
        spots[f"{side}_hand_flat"] = replace(flat, offset=flat.offset + _BALL * flat.normal)
        for name, (joint, child, share, outward, off) in _LIFTED_SPOTS.items():
            direction = np.array(outward, float)
            spot = measure.limb_spot(f"{side}_{joint}", f"{side}_{child}", share, direction)
            spots[f"{side}_{name}"] = Spot(spot.joint, spot.offset + off * direction, spot.normal)
        spots |= measure.foot_spots(side)
    for name, spec in _TRUNK_SPOTS.items():
        spots[name] = measure.trunk_spot(*spec)
    spots |= measure.head_spots(body, betas)
    patches = {}
    for side in ("left", "right"):
        patches[f"{side}_buttock"] = measure.buttock(side, np.asarray(body.weights)[used])
        patches[f"{side}_knee"] = measure.knee(side, np.asarray(body.weights)[used])
        patches[f"{side}_hand"] = measure.hand(side, np.asarray(body.weights)[used])
        patches[f"{side}_extremes"] = measure.extremes(side, np.asarray(body.weights)[used])
    strips = [strip for side in ("left", "right") for part in ("wrist", "hand") for strip in measure.strips(side, part)]
    return Proxies(rest, tuple(capsules), spots, patches, tuple(strips))


@dataclass(frozen=True)
class _Measure:
    rest: Array
    skin: Array
    owner: Array

    def _of(self, names: Sequence[str]) -> Array:
        return self.skin[np.isin(self.owner, [JOINT[name] for name in names])]

    def trunk_capsule(self, name: str, joint: str, share: float, above: str) -> Capsule:
        origin, other = self.rest[JOINT[joint]], self.rest[JOINT[above]]
        height = origin[1] + share * (other[1] - origin[1])
        trunk = self._of(
            ["pelvis", "spine1", "spine2", "spine3", "left_hip", "right_hip", "left_collar", "right_collar"]
        )
        slab = trunk[np.abs(trunk[:, 1] - height) < 0.03]
        # breasts and belly fat are soft, but not so soft that somebody's arm goes through them
        low, high = np.percentile(slab[:, 2], (3, 97 if name == "bust" else 92))
        radius = 0.5 * (high - low)
        half = max(0.01, np.abs(slab[:, 0]).max() - radius)
        middle = np.array([0.0, height, 0.5 * (low + high)]) - origin
        side = np.array([half, 0.0, 0.0])
        return Capsule(name, JOINT[joint], middle - side, middle + side, float(radius))

    def head_capsule(self) -> Capsule:
        head = self._of(["head"])
        origin = self.rest[JOINT["head"]]
        radius = 0.5 * (head[:, 0].max() - head[:, 0].min())
        top = head[:, 1].max() - radius
        depth = 0.5 * (np.percentile(head[:, 2], 2) + np.percentile(head[:, 2], 98))
        bottom = origin[1] + 0.25 * (top - origin[1])
        return Capsule(
            "head",
            JOINT["head"],
            np.array([0, bottom, depth]) - origin,
            np.array([0, top, depth]) - origin,
            float(radius),
        )

    def _station(self, joint: str, child: str, share: float, width: float) -> tuple[Array, Array]:
        """The axis point at `share` of a bone and the skin around it, within `width` metres along the bone."""
        a, b = self.rest[JOINT[joint]], self.rest[JOINT[child]]
        axis = (b - a) / np.linalg.norm(b - a)
        point = a + share * (b - a)
        owners = [joint, child]
        if child.endswith("_hand"):
            owners.append(joint.replace("wrist", "elbow"))
        near = self._of(owners)
        return point, near[np.abs((near - point) @ axis) < width]

    def limb_capsule(self, name: str, joint: str, child: str, begin: float, end: float) -> Capsule:
        a, b = self.rest[JOINT[joint]], self.rest[JOINT[child]]
        axis = (b - a) / np.linalg.norm(b - a)
        around = []
        for share in (0.3, 0.5, 0.7):
            point, ring = self._station(joint, child, share, 0.025)
            off = ring - point
            off = off - (off @ axis)[:, None] * axis
            around.append((off.mean(0), np.percentile(np.linalg.norm(off - off.mean(0), axis=1), 70)))
        shift = np.mean([item[0] for item in around], 0)
        radius = float(np.mean([item[1] for item in around]))
        if name.endswith("hand"):
            radius = min(radius, 0.026)
        return Capsule(name, JOINT[joint], begin * (b - a) + shift, end * (b - a) + shift, radius)

    def strips(self, side: str, part: str, width: float = 0.03) -> list[Capsule]:
        """The flat of a hand (part "wrist") or its fingers ("hand") as capsules along x, side by side in z."""
        origin, skin = self.rest[JOINT[f"{side}_{part}"]], self._of([f"{side}_{part}"])
        low, high = np.percentile(skin[:, 2], (2, 98))
        edges = np.linspace(low, high, max(1, round((high - low) / width)) + 1)
        found = []
        for first, last in itertools.pairwise(edges):
            strip = skin[(skin[:, 2] >= first) & (skin[:, 2] <= last)]
            bottom, top = np.percentile(strip[:, 1], (10, 90))
            radius = float(np.clip(0.5 * (top - bottom), 0.006, 0.022))
            start, end = strip[:, 0].min() + radius, strip[:, 0].max() - radius
            a, b = (np.array([x, 0.5 * (bottom + top), 0.5 * (first + last)]) - origin for x in (start, end))
            found.append(Capsule(f"{side}_hand", JOINT[f"{side}_{part}"], a, b, radius))
        return found

    def foot_capsule(self, side: str) -> Capsule:
        ankle, toe = self.rest[JOINT[f"{side}_ankle"]], self.rest[JOINT[f"{side}_foot"]]
        sole = self.sole(side)
        radius = 0.038
        heel = np.array([ankle[0], sole + radius, ankle[2] - 0.01])
        front = np.array([toe[0], sole + radius, toe[2] + 0.01])
        return Capsule(f"{side}_foot", JOINT[f"{side}_ankle"], heel - ankle, front - ankle, radius)

    def sole(self, side: str) -> float:
        return float(self._of([f"{side}_ankle", f"{side}_foot"])[:, 1].min())

    def foot_spots(self, side: str) -> dict[str, Spot]:
        ankle, toe, sole = self.rest[JOINT[f"{side}_ankle"]], self.rest[JOINT[f"{side}_foot"]], self.sole(side)
        tip = self._of([f"{side}_foot"])[:, 2].max()
        down = np.array([0.0, -1.0, 0.0])
        heel = np.array([ankle[0], sole, ankle[2] - 0.25 * (toe[2] - ankle[2])])
        ball = np.array([toe[0], sole, toe[2]])
        toes = np.array([toe[0], sole + 0.01, tip - 0.015])
        return {
            f"{side}_heel": Spot(JOINT[f"{side}_ankle"], heel - ankle, down),
            f"{side}_ball": Spot(JOINT[f"{side}_ankle"], ball - ankle, down),
            f"{side}_toes": Spot(JOINT[f"{side}_foot"], toes - toe, down),
        }

    def limb_spot(self, joint: str, child: str, share: float, outward: Array) -> Spot:
        point, ring = self._station(joint, child, share, 0.03)
        if np.abs(outward[2]) > 0 and joint.endswith(("hip", "knee")):
            point = point.copy()
            point[0] = ring[:, 0].mean()
        across = ring - point
        side = np.cross(outward, self.rest[JOINT[child]] - self.rest[JOINT[joint]])
        side = side / np.linalg.norm(side)
        narrow = across[np.abs(across @ side - np.median(across @ side)) < 0.025]
        reach = float((narrow @ outward).max())
        centre = point + side * float(np.median(across @ side))
        return Spot(JOINT[joint], centre + outward * (reach + 0.004) - self.rest[JOINT[joint]], outward)

    def trunk_spot(self, joint: str, share: float, above: str, across: float, outward: tuple[float, ...]) -> Spot:
        origin, other = self.rest[JOINT[joint]], self.rest[JOINT[above]]
        direction = np.array(outward, float)
        height = origin[1] + share * (other[1] - origin[1])
        trunk = self._of(["pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar"])
        slab = trunk[np.abs(trunk[:, 1] - height) < 0.03]
        half = np.abs(slab[:, 0]).max()
        x = across * half
        if direction[2] != 0:
            column = slab[np.abs(slab[:, 0] - x) < 0.035]
            z = column[:, 2].min() - 0.008 if direction[2] < 0 else column[:, 2].max() + 0.008
            point = np.array([x, height, z])
        else:
            point = np.array([direction[0] * (half + 0.008), height, slab[:, 2].mean()])
        return Spot(JOINT[joint], point - origin, direction)

    def head_spots(self, body: BodyModel, betas: Array) -> dict[str, Spot]:
        shaped = np.asarray(body.shaped(betas), float)
        eyes = 0.5 * sum(shaped[list(body.landmarks[name])].mean(0) for name in ("left_eye", "right_eye"))
        origin = self.rest[JOINT["head"]]
        return {"eyes": Spot(JOINT["head"], eyes - origin, np.array([0.0, -0.05, 0.9987]))}

    def buttock(self, side: str, weights: Array, count: int = 36) -> Patch:
        """The skin that a sitter of any kind sits on: buttock, back of the upper thigh, and the sacrum of who reclines.

        Which of it is lowest depends on how far the hips bend and the pelvis leans: the patch holds all candidates.
        """
        sign = 1.0 if side == "left" else -1.0
        hip, knee = self.rest[JOINT[f"{side}_hip"]], self.rest[JOINT[f"{side}_knee"]]
        share = weights[:, [JOINT["pelvis"], JOINT[f"{side}_hip"], JOINT["spine1"]]].sum(1)
        # rear half; from the middle of the thigh up to the small of the back
        x, y, z = self.skin.T
        chosen = (share > 0.85) & (sign * x > -0.005) & (z < hip[2])
        chosen &= (y > hip[1] + 0.5 * (knee[1] - hip[1])) & (y < self.rest[JOINT["spine1"], 1])
        return self._patch(np.flatnonzero(chosen), weights, count)

    def knee(self, side: str, weights: Array, count: int = 60) -> Patch:
        """What somebody kneels on: the front of the knee, down to the upper shin."""
        near = np.linalg.norm(self.skin - self.rest[JOINT[f"{side}_knee"]], axis=1) < 0.16
        mine = weights[:, [JOINT[f"{side}_hip"], JOINT[f"{side}_knee"]]].sum(1) > 0.9
        return self._patch(np.flatnonzero(near & mine), weights, count)

    def hand(self, side: str, weights: Array, count: int = 28) -> Patch:
        """The whole hand: palm, back and finger tips."""
        mine = weights[:, [JOINT[f"{side}_hand"], JOINT[f"{side}_wrist"]]].sum(1) > 0.9
        return self._patch(np.flatnonzero(mine), weights, count)

    def extremes(self, side: str, weights: Array, count: int = 14) -> Patch:
        """Finger tips, knuckles, toes and heels: what goes through a floor first when a limb comes near it."""
        foot = weights[:, [JOINT[f"{side}_foot"], JOINT[f"{side}_ankle"]]].sum(1) > 0.9
        patches = [
            self.hand(side, weights, 2 * count),
            self._patch(np.flatnonzero(foot), weights, count),
        ]
        return Patch(*(np.concatenate([getattr(p, name) for p in patches]) for name in ("joint", "offset", "share")))

    def _patch(self, chosen: np.ndarray, weights: Array, count: int) -> Patch:
        """`count` of the chosen points, spread evenly (farthest point sampling from the lowest), with three joints."""
        points = self.skin[chosen]
        picked = [int(points[:, 1].argmin())]
        distance = np.full(len(points), np.inf)
        while len(picked) < min(count, len(points)):
            distance = np.minimum(distance, np.linalg.norm(points - points[picked[-1]], axis=1))
            picked.append(int(distance.argmax()))
        rows = chosen[picked]
        joint = np.argsort(-weights[rows], axis=1, kind="stable")[:, :3]
        share = np.take_along_axis(np.asarray(weights[rows], float), joint, 1)
        return Patch(joint, self.skin[rows][:, None] - self.rest[joint], share / share.sum(1, keepdims=True))


def points_of(proxies: Sequence[Proxies], entries: Sequence[tuple[int, str]]) -> Points:
    """Named spots as optimiser points: entries of (person, spot name)."""
    chosen = [(person, proxies[person].spot(name)) for person, name in entries]
    return Points.of([(person, spot.joint, spot.offset, spot.normal) for person, spot in chosen])


def skin_of(proxies: Sequence[Proxies], entries: Sequence[tuple[int, str]]) -> tuple[Skin, torch.Tensor]:
    """Named patches as the optimiser's skin, and which entry each of its points belongs to [N]."""
    patches = [proxies[person].patches[name] for person, name in entries]
    sizes = torch.tensor([len(patch.joint) for patch in patches])
    skin = Skin(
        torch.repeat_interleave(torch.tensor([person for person, _ in entries]), sizes),
        torch.from_numpy(np.concatenate([patch.joint for patch in patches])),
        torch.from_numpy(np.concatenate([patch.offset for patch in patches]).astype(np.float32)),
        torch.from_numpy(np.concatenate([patch.share for patch in patches]).astype(np.float32)),
    )
    return skin, torch.repeat_interleave(torch.arange(len(patches)), sizes)


def world_points(positions: Array, normals: Array | None = None) -> Points:
    """Fixed world positions [N, 3] as optimiser points."""
    count = len(positions)
    up = np.tile(np.array([0.0, 0.0, 1.0]), (count, 1)) if normals is None else normals
    return Points.of([(-1, 0, positions[i], up[i]) for i in range(count)])


def capsule_points(
    proxies: Sequence[Proxies], flat_hands: bool = False
) -> tuple[Points, Points, torch.Tensor, list[tuple[int, str]]]:
    """All capsules of all people: starts, ends, radii [N] and (person, name); hands as strips or one capsule."""
    listed = [
        (person, capsule)
        for person, item in enumerate(proxies)
        for capsule in (_flat(item) if flat_hands else item.capsules)
    ]
    none = np.zeros(3)
    start = Points.of([(person, c.joint, c.start, none) for person, c in listed])
    end = Points.of([(person, c.joint, c.end, none) for person, c in listed])
    radius = torch.tensor([c.radius for _, c in listed])
    return start, end, radius, [(person, c.name) for person, c in listed]


def _flat(item: Proxies) -> list[Capsule]:
    return [*(capsule for capsule in item.capsules if not capsule.name.endswith("hand")), *item.strips]


def capsule_spheres(proxies: Sequence[Proxies], samples: int = 4) -> tuple[Points, torch.Tensor, list[tuple[int, str]]]:
    """Capsules as rows of spheres (for furniture): points, radii [N] and (person, capsule name)."""
    rows, radii, names = [], [], []
    for person, item in enumerate(proxies):
        for capsule in item.capsules:
            if capsule.name == "bust":
                continue  # beds give way to it, and who lies on the back has it above
            for share in np.linspace(0, 1, samples):
                rows.append((person, capsule.joint, capsule.start + share * (capsule.end - capsule.start), np.zeros(3)))
                radii.append(capsule.radius)
                names.append((person, capsule.name))
    return Points.of(rows), torch.tensor(radii), names
