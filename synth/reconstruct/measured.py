"""The figures of everybody in a reconstruction: those of `synth.motion.evaluate` and `synth.reconstruct.keypoints`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from synth.body.model import BodyModel
from synth.errors import BadOption
from synth.interaction import Interaction
from synth.motion import mesh
from synth.motion.evaluate import measure_all, stretches
from synth.motion.mesh import MESH_FPS
from synth.reconstruct.keypoints import Observed
from synth.reconstruct.people import Refined
from synth.reconstruct.record import PersonRecord

SHORTEST = 4  # frames that have a third derivative


def people_records(
    refined: Refined, observed: Observed, body: BodyModel, names: Sequence[str]
) -> tuple[PersonRecord, ...]:
    """Measure everybody of a refined motion.

    Args:
        observed: the keypoints it was refined to.
        names: what people are called, in the order of the motion.

    Raises:
        BadOption: numbers of people or frames differ.
    """
    motion = refined.motion
    if (observed.people, observed.frames, len(names)) != (motion.people, motion.frames, motion.people):
        sizes = (observed.people, observed.frames, len(names))
        raise BadOption("observed, names", sizes, f"{motion.people} people, {motion.frames} frames and a name each")
    skin = mesh.Skin.of(body)
    others = _others(motion, body, skin)
    found: list[PersonRecord] = []
    for p, name in enumerate(names):
        present = motion.present[p]
        known = present & (observed.seen[p] > 0).any(-1)
        figures = _figures(motion, p, body, skin)
        height = observed.sizes[p][known] if known.any() else np.array([np.nan])
        found.append(
            PersonRecord(
                name=name,
                role=motion.meta.roles[p],
                frames=int(present.sum()),
                frames_seen=int(known.sum()),
                height=_number(np.median(height)),
                reprojection_before=_number(refined.before[p]),
                reprojection=_number(refined.reprojection[p]),
                mask_rate=_number(refined.occluded.masked[p][present].mean()) if present.any() else None,
                foot_slide=_number(figures.get("foot_slide"), 1000 / motion.fps),
                jitter=_number(figures.get("jerk")),
                floor_penetration=_number(figures.get("floor_penetration"), 100),
                others_penetration=_number(others[p], 100),
            )
        )
    return tuple(found)


def _figures(motion: Interaction, person: int, body: BodyModel, skin: mesh.Skin) -> dict[str, float]:
    """Of each stretch in which the person is there, and over all of them: the worst depth, and means over the frames.

    Who leaves and comes back does not jump from there to here, so stretches are no one motion.
    """
    spans = [span for span in stretches(motion.present[person]) if span.stop - span.start >= SHORTEST]
    rows = [measure_all(_alone(motion, person, span), body, skin) for span in spans]
    lengths = np.array([span.stop - span.start for span in spans])
    found = {}
    for name in ("foot_slide", "jerk", "floor_penetration"):
        values = np.array([row.get(name, np.nan) for row in rows], float)
        known = np.isfinite(values)
        if known.any():
            mean = float(np.average(values[known], weights=lengths[known]))
            found[name] = float(values[known].max()) if name == "floor_penetration" else mean
    return found


def _alone(motion: Interaction, person: int, here: slice) -> Interaction:
    """One person, in some of the frames."""
    one = slice(person, person + 1)
    meta = replace(motion.meta, roles=motion.meta.roles[one], genders=motion.meta.genders[one], ages=(), actions=(),
                   contacts=(), stage=())  # fmt: skip
    return Interaction(
        motion.fps, motion.transl[one, here], motion.global_orient[one, here], motion.body_pose[one, here],
        motion.betas[one], motion.present[one, here], meta,
    )  # fmt: skip


def _others(motion: Interaction, body: BodyModel, skin: mesh.Skin) -> list[float]:
    """Mean overlap with whoever is deepest in each person, metres, over frames with somebody else; NaN without."""
    frames = np.arange(0, motion.frames, max(1, round(motion.fps / MESH_FPS)))
    here = motion.present[:, frames]
    if (here.sum(0) < 2).all():
        return [float("nan")] * motion.people
    some = Interaction(
        motion.fps, motion.transl[:, frames], motion.global_orient[:, frames], motion.body_pose[:, frames],
        motion.betas, here, replace(motion.meta, contacts=()),
    )  # fmt: skip
    skins, depth = mesh.posed_skins(some, body, skin), np.zeros(here.shape)
    for a in range(motion.people):
        for b in range(a + 1, motion.people):
            both = here[a] & here[b]
            found = mesh.overlaps(skins[a][both], skins[b][both], skin)
            for person in (a, b):
                depth[person, both] = np.maximum(depth[person, both], found)
    company = here & (here.sum(0) > 1)
    return [float(depth[p, company[p]].mean()) if company[p].any() else float("nan") for p in range(motion.people)]


def _number(value: float | None, unit: float = 1.0) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value) * unit, 4)
