"""Every figure of an interaction at once, on skins, joints and furniture, the same for captured and made motion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from synth.body.model import BodyModel
from synth.interaction import Contact, Interaction
from synth.motion import evidence, mesh, metrics
from synth.motion.fit import one_thread
from synth.motion.mesh import MESH_FPS
from synth.motion.proxies import points_of, proxies_of
from synth.motion.quality import state_of
from synth.motion.soles import SIDES
from synth.motion.terms import JointLimits
from synth.room import Box, furniture_from_json
from synth.rotation import Array

ON_FLOOR = 0.04  # metres: a skin this close to the floor or a piece of furniture is carried by it

# What `measure_all` returns, and in which unit. Worst: the largest over time and people.
METRICS: Mapping[str, str] = {
    "foot_slide": "m/s, mean speed over the floor of the slowest foot point on it",
    "skate_ratio": "share of feet on the floor that move faster than 0.15 m/s",
    "floor_penetration": "m, worst depth of a skin below the floor",
    "floor_penetration_mean": "m, mean over time of the deepest vertex's depth below the floor",
    "floating": "share of frames in which a skin is more than 4 cm from floor, furniture and everybody else",
    "body_penetration": "m, worst overlap of two skins",
    "body_penetration_contact": "m, median overlap of two skins over the frames in which people are said to touch",
    "body_penetration_apart": "m, worst overlap of two skins in frames in which nobody is said to touch anybody",
    "contact_gap": "m, mean distance of the touching points, or of the skins of parts that are said to touch",
    "contact_gap_max": "m, worst of the same",
    "object_gap": "m, mean distance of a part's skin from the furniture or floor that it is said to touch",
    "object_penetration": "m, worst depth of a skin in furniture (sitters press 2 cm in; at most half a slab)",
    "object_penetration_mean": "m, mean over time of the deepest vertex's depth in furniture",
    "bone_drift": "m, largest change of a bone's length",
    "jerk": "m/s^3, mean size of the joints' third derivative",
    "limit_ratio": "share of joints and frames outside the human range of motion",
    "limit_excess": "degrees, mean excess of those that are",
    "limit_worst": "degrees, worst excess",
    "peak_pelvis_speed": "m/s, the fastest a pelvis moves",
    "speed": "m/s, mean speed of the pelvis over the floor",
}


MAXIMA = ("bone_drift", "peak_pelvis_speed")  # of what belongs to joints alone; the rest are means


@dataclass(frozen=True)
class _Case:
    """What the parts below share: the motion at its own rate and posed at the mesh's."""

    motion: Interaction
    body: BodyModel
    skin: mesh.Skin
    joints: Array  # [P, T, 24, 3]
    frames: np.ndarray  # of the motion, those that are posed
    skins: Array  # [P, F, N, 3]

    @property
    def solids(self) -> dict[str, tuple[Box, ...]]:
        pieces = [furniture_from_json(item, "meta.stage") for item in self.motion.meta.stage]
        return {piece.id: piece.world_solids() for piece in pieces}

    def during(self, contact: Contact) -> np.ndarray:
        """Posed frames [F] in which a contact holds."""
        times = self.frames / self.motion.fps
        return (times >= contact.start - 1e-6) & (times <= contact.end + 1e-6)

    def here(self, person: int) -> np.ndarray:
        return self.motion.present[person][self.frames]


def measure_all(motion: Interaction, body: BodyModel, skin: mesh.Skin | None = None) -> dict[str, float]:
    """All of `METRICS` for one interaction; figures that need a partner, furniture or contacts are left out without.

    Args:
        motion: any frame rate, floor z = 0.
        body: the model it was made for.
        skin: `mesh.Skin.of(body)`, to save making it again.
    """
    skin = skin or mesh.Skin.of(body)
    with one_thread():
        proxies = [proxies_of(body, betas) for betas in motion.betas]
        state = state_of(motion, proxies)
        step = max(1, round(motion.fps / MESH_FPS))
        frames = np.arange(0, motion.frames, step)
        posed = _at(motion, frames)
        case = _Case(motion, body, skin, state.joints.numpy(), frames, mesh.posed_skins(posed, body, skin))
        soles = [_soles(proxies, person, state) for person in range(motion.people)]
        pairs, apart = _partners(case)
        found = {
            **_joints(case, soles),
            **_limits(motion, JointLimits(sigma=1.0).residual(state)),
            **_ground(case, apart),
            **pairs,
            **_holds(case, proxies, state),
        }
    return {name: round(float(found[name]), 5) for name in METRICS if name in found}


def _at(motion: Interaction, frames: np.ndarray) -> Interaction:
    return Interaction(
        motion.fps, motion.transl[:, frames], motion.global_orient[:, frames], motion.body_pose[:, frames],
        motion.betas, motion.present[:, frames], motion.meta,
    )  # fmt: skip


def _soles(proxies: Sequence, person: int, state: object) -> Array:
    """Heel, ball and toes of both feet [2, 3, T, 3]."""
    names = [f"{side}_{spot}" for side in SIDES for spot in ("heel", "ball", "toes")]
    where = points_of(proxies, [(person, name) for name in names]).where(state).numpy()  # type: ignore[arg-type]
    return where.reshape(2, 3, -1, 3)


def _joints(case: _Case, soles: Sequence[Array]) -> dict[str, float]:
    """Speeds and the like, each stretch in which somebody is there by itself: an absence is no step."""
    fps, motion = case.motion.fps, case.motion
    rows: list[dict[str, float]] = []  # of people
    for person in range(motion.people):
        parts = [part for part in stretches(motion.present[person]) if part.stop - part.start > 1]
        if not parts:
            continue
        found = [_speeds(case.joints[person][part], soles[person][:, :, part], fps) for part in parts]
        weights = [part.stop - part.start for part in parts]
        means = {name: float(np.average([row[name] for row in found], weights=weights)) for name in found[0]}
        rows.append(means | {name: max(row[name] for row in found) for name in MAXIMA})
    if not rows:
        return {}
    return {
        name: max(row[name] for row in rows) if name in MAXIMA else float(np.mean([row[name] for row in rows]))
        for name in rows[0]
    }


def _speeds(joints: Array, soles: Array, fps: float) -> dict[str, float]:
    return {
        "foot_slide": metrics.foot_slide(joints, fps),
        "skate_ratio": metrics.skate_ratio(soles, fps),
        "bone_drift": metrics.bone_drift(joints),
        "jerk": metrics.jitter(joints, fps),
        "speed": metrics.speed(joints, fps),
        "peak_pelvis_speed": float(np.linalg.norm(metrics.velocity(joints[:, :1], fps), axis=-1).max()),
    }


def stretches(present: np.ndarray) -> list[slice]:
    """The runs of frames [T] in which somebody is there."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], present.astype(np.int8), [0]))))
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _limits(motion: Interaction, beyond: torch.Tensor) -> dict[str, float]:
    """From radians beyond the range [P, T, J, 3]."""
    degrees = np.degrees(beyond.numpy().max(-1))[motion.present]
    outside = degrees > 0.5  # rounding is no violation
    return {
        "limit_ratio": outside.mean() if degrees.size else 0.0,
        "limit_excess": degrees[outside].mean() if outside.any() else 0.0,
        "limit_worst": degrees.max(initial=0.0),
    }


def _ground(case: _Case, apart: Array) -> dict[str, float]:
    """Floor and furniture. `apart` [P, F]: how far everybody else is, infinite where that was not asked."""
    boxes = [box for solids in case.solids.values() for box in solids]
    below, inside, floats = [], [], []
    for person, skin in enumerate(case.skins):
        here = case.here(person)
        if not here.any():
            continue
        lowest = skin[here][..., 2].min(1)
        below.append(np.maximum(0.0, -lowest))
        high = np.flatnonzero(lowest > ON_FLOOR)
        carried = apart[person][here][high] <= ON_FLOOR
        for index, frame in enumerate(high):
            if boxes and not carried[index]:
                points = skin[here][frame]
                carried[index] = mesh.box_distances(points, boxes).min() <= ON_FLOOR
        floats.append(np.count_nonzero(~carried) / len(lowest))
        if boxes:
            inside.append(mesh.box_depths(skin[here], boxes))
    if not below:
        return {}
    found = {
        "floor_penetration": max(depth.max() for depth in below),
        "floor_penetration_mean": np.mean(np.concatenate(below)),
        "floating": np.mean(floats),
    }
    if inside:
        depths = np.concatenate(inside)
        found |= {"object_penetration": depths.max(), "object_penetration_mean": depths.mean()}
    return found


def _partners(case: _Case) -> tuple[dict[str, float], Array]:
    """Overlaps of all pairs of people; and the distance [P, F] to the nearest other where feet are off the floor."""
    people = case.motion.people
    apart = np.full((people, len(case.frames)), np.inf)
    lowest = case.skins[..., 2].min(2)
    depths = np.zeros(len(case.frames))
    for a in range(people):
        for b in range(a + 1, people):
            both = case.here(a) & case.here(b)
            depths[both] = np.maximum(depths[both], mesh.overlaps(case.skins[a][both], case.skins[b][both], case.skin))
            lifted = np.flatnonzero(both & (lowest[[a, b]].max(0) > ON_FLOOR))
            if len(lifted):
                gap = mesh.gaps(case.skins[a][lifted], case.skins[b][lifted])
                for person in (a, b):
                    apart[person, lifted] = np.minimum(apart[person, lifted], gap)
    if people < 2:
        return {}, apart
    touching = np.zeros(len(case.frames), bool)
    for contact in case.motion.meta.contacts:
        if "person" in contact.target:
            touching |= case.during(contact)
    found = {"body_penetration": depths.max(initial=0.0), "body_penetration_apart": depths[~touching].max(initial=0.0)}
    if touching.any():
        found["body_penetration_contact"] = np.median(depths[touching])
    return found, apart


def _holds(case: _Case, proxies: Sequence, state: object) -> dict[str, float]:
    """Are contacts held? Exact spots where the contact names them, else the nearest vertices of the two parts."""
    between: list[Array] = []
    objects: list[Array] = []
    for contact in case.motion.meta.contacts:
        during = case.during(contact) & case.here(contact.person)
        if not during.any():
            continue
        own = case.skins[contact.person][during][:, case.skin.part(contact.part)]
        if "person" in contact.target:
            other = int(contact.target["person"])
            if "spot" in contact.target:
                spots = zip((contact.person, other), evidence.spots_of(contact), strict=True)
                a, b = points_of(proxies, list(spots)).where(state).numpy()[:, case.frames][:, during]  # type: ignore[arg-type]
                between.append(np.linalg.norm(a - b, axis=-1))
            else:
                part = case.skin.part(str(contact.target["part"]))
                between.append(mesh.gaps(own, case.skins[other][during][:, part]))
        elif contact.target["object"] == "floor":
            objects.append(np.abs(own[..., 2].min(1)))
        elif contact.target["object"] in case.solids:
            gap = mesh.box_distances(own, case.solids[str(contact.target["object"])]).min(1)
            objects.append(np.maximum(0.0, gap))
    found: dict[str, float] = {}
    if between:
        gap = np.concatenate(between)
        found |= {"contact_gap": gap.mean(), "contact_gap_max": gap.max()}
    if objects:
        found["object_gap"] = np.concatenate(objects).mean()
    return found
