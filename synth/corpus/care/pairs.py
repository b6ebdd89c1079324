"""The pairs of the library: every script in its variants, on drawn bodies, solved, mirrored, labelled, measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from synth.body import BodyModel, load_body
from synth.body.shape import Person, draw_person
from synth.corpus.care.captions import captions_of, told
from synth.corpus.care.registry import CAPTIONS, SCRIPTS, VARIANTS, script_of
from synth.corpus.care.script import FPS, PATIENT, STAFF, Script, contacts_of, solve
from synth.corpus.care.strategies import Cast, Segments, Variant
from synth.corpus.care.timing import retimed
from synth.corpus.care.tracks import Track
from synth.corpus.takes import CREDITS
from synth.interaction import ActionSegment, Contact, Interaction, Meta, Prop
from synth.motion.agreement import agreement
from synth.motion.carry import in_hands
from synth.motion.proxies import proxies_of
from synth.motion.quality import measure
from synth.room import Furniture, furniture_from_json
from synth.rotation import Array, axis_angle_to_matrix, matrix_to_axis_angle
from synth.skeleton import mirror_pose

# What ships must keep these: metres.
LIMITS = {
    "contact_mean": 0.01, "contact_max": 0.03, "foot_slide": 0.005, "partner_depth": 0.02, "furniture_depth": 0.02,
    "prop_depth": 0.02, "seat_air": 0.03,
}  # fmt: skip
MATTRESS = 0.04  # metres: what a bed gives way under hands and knees, where other furniture keeps `furniture_depth`
AGREEMENT = 0.95  # share of frames in which the measured actions must be those of the script
DRAWS = 3  # bodies tried for a variant before it is given up


def build_pairs(
    mocap: str | Path,
    body: BodyModel | None = None,
    seed: int = 0,
    only: Sequence[str] = SCRIPTS,
    segments: Segments | None = None,
    first: int | None = None,
) -> Iterator[Interaction]:
    """Solve all scripts in all variants: the first of `DRAWS` draws without `faults`, else the one with fewest.

    Args:
        mocap: the capture collection the initial motion comes from.
        body: the body model.
        seed: of bodies, distances and captions.
        only: names of scripts.
        segments: other captured pieces than the collection's.
        first: only so many variants of each script.
    """
    body = body or load_body()
    source = segments or _bound(str(mocap), body)
    for name in only:
        for index, variant in enumerate(VARIANTS[name][:first]):
            # by the script's own place in the list, so that `only` changes nothing about what is drawn
            sequence = np.random.SeedSequence([seed, SCRIPTS.index(name), index])
            yield drawn(name, f"{name}_{index + 1:02d}", variant, body, source, sequence)[0]


def _bound(mocap: str, body: BodyModel) -> Segments:
    from synth.corpus.segments import segment

    @lru_cache(maxsize=32)
    def piece(name: str, shape: bytes) -> Interaction:
        return segment(name, mocap, body, np.frombuffer(shape).copy())

    return lambda name, betas: piece(name, np.asarray(betas, float).tobytes())


def drawn(
    name: str, identifier: str, variant: Variant, body: BodyModel, source: Segments, sequence: np.random.SeedSequence
) -> tuple[Interaction, list[str]]:
    """The first of `DRAWS` draws without `faults`, else the one with fewest; and its faults.

    `quality["draws"]` says how many were made.
    """
    tried: list[tuple[Interaction, list[str]]] = []
    for child in sequence.spawn(DRAWS):
        motion = make_pair(name, identifier, variant, body, source, np.random.default_rng(child))
        tried.append((motion, faults(motion, body)))
        if not tried[-1][1]:
            break
    motion, found = min(tried, key=lambda item: len(item[1]))
    return replace(motion, meta=replace(motion.meta, quality=motion.meta.quality | {"draws": len(tried)})), found


def faults(motion: Interaction, body: BodyModel) -> list[str]:
    """What of a made motion is beyond `LIMITS`, and labels that its script and its measurement do not agree on."""
    limits = LIMITS | (
        {"furniture_depth": MATTRESS} if any(item["class"] == "bed" for item in motion.meta.stage) else {}
    )
    quality = motion.meta.quality
    found = [
        f"{name} {quality[name]:.3f} > {limit:g}" for name, limit in limits.items() if quality.get(name, 0) > limit
    ]
    share = agreement(motion, body)
    return found + ([f"labels agree {share:.2f} < {AGREEMENT:g}"] if share < AGREEMENT else [])


def make_pair(
    name: str, identifier: str, variant: Variant, body: BodyModel, source: Segments, rng: np.random.Generator
) -> Interaction:
    """One solved pair, or one person alone, with all its labels."""
    people = [draw_person("patient", rng, body), draw_person("staff", rng, body)]
    shapes = [np.asarray(person.betas, float) for person in people]
    proxies = [proxies_of(body, shape) for shape in shapes]
    cast = Cast(source, (shapes[0], shapes[1]), (proxies[0].rest_joints, proxies[1].rest_joints))
    script = script_of(name, variant, cast, rng)
    people, proxies = people[: len(script.actors)], proxies[: len(script.actors)]
    motion, report = solve(script, body, proxies=proxies)
    rest = [item.rest_joints for item in proxies]
    tracks = [
        Track(motion.transl[p].astype(float) + rest[p][0], rotmats) for p, rotmats in enumerate(motion.rotations())
    ]
    script = replace(script, actions=retimed(script.actions or _actions(script), tracks, rest, script.through))
    motion = replace(motion, meta=_meta(name, identifier, script, people, rng, body))
    motion = replace(motion, props=in_hands(motion, proxies))
    quality = measure(motion, proxies, script.furniture)
    motion = replace(motion, meta=replace(motion.meta, quality=quality | {"cost": round(report.cost, 1)}))
    return (mirrored(motion, body) if variant.mirror else motion).validate(identifier)


def _meta(
    name: str, identifier: str, script: Script, people: Sequence[Person], rng: np.random.Generator, body: BodyModel
) -> Meta:
    gender = people[PATIENT].gender
    if name in CAPTIONS:
        captions = told(CAPTIONS[name], script.facts, gender, rng)
    else:
        captions = captions_of(name, script.facts, gender, rng)
    used = script.datasets or ("hdm05" if name == "help_up_from_floor" else "cmu", "reactidle")
    credits = [CREDITS[item] for item in used]
    return Meta(
        text=captions[0],
        captions=captions,
        interaction_class=name,
        roles=script.roles,
        genders=tuple(person.gender for person in people),
        ages=tuple(round(person.age, 1) for person in people),
        actions=script.actions,
        contacts=contacts_of(script),
        body_model=body.name,
        core=script.core or _core(script),
        stage=tuple(piece.to_json() for piece in script.furniture),
        source={
            "dataset": "caresynth-scripted",
            "id": identifier,
            "licence": credits[0].licence,
            "credit": " ".join(["Scripted by CareSynth from captured movement.", *(item.credit for item in credits)]),
            "phases": [[p.name, round(p.start, 3), round(p.end, 3)] for p in script.phases],
            "grip": script.facts["grip"],
            **({"strategy": script.facts["strategy"]} if "strategy" in script.facts else {}),
        },
    )


def _actions(script: Script) -> tuple[ActionSegment, ...]:
    end = script.seconds
    if script.name == "assist_walking":
        return (ActionSegment(PATIENT, 0.0, end, "walk"), ActionSegment(STAFF, 0.0, end, "walk"))
    moving = script.phase("lower" if script.name == "assist_sit_down" else "lift")
    before, during, after = ("sitting", "stand_up", "standing")
    if script.name == "assist_sit_down":
        before, during, after = "standing", "sit_down", "sitting"
    listed = [
        ActionSegment(PATIENT, 0.0, moving.start, before),
        ActionSegment(PATIENT, moving.start, moving.end, during),
        ActionSegment(PATIENT, moving.end, end, after),
    ]
    arrived = 0.0
    if script.phases[0].name == "approach":
        arrived = script.phases[0].end
        listed.append(ActionSegment(STAFF, 0.0, arrived, "walk"))
    return (*listed, ActionSegment(STAFF, arrived, end, "standing"))


def _core(script: Script) -> tuple[float, float]:
    if script.name == "assist_walking":
        return (round(0.15 * script.seconds, 3), round(0.9 * script.seconds, 3))
    moving = script.phase("lower" if script.name == "assist_sit_down" else "lift")
    return (round(max(0.0, moving.start - 1.1), 3), round(min(script.seconds, moving.end + 0.5), 3))


def mirrored(motion: Interaction, body: BodyModel) -> Interaction:
    """The mirror image across the plane y = 0: sides, contacts and stage exchanged; applied twice, itself."""
    pose = np.concatenate([motion.global_orient, motion.body_pose], -1).reshape(motion.people, motion.frames, 24, 3)
    rotmats = mirror_pose(axis_angle_to_matrix(pose))
    world = np.diag([1.0, -1.0, 1.0])
    flip = np.diag([-1.0, 1.0, 1.0])
    rotmats[:, :, 0] = world @ axis_angle_to_matrix(motion.global_orient) @ flip
    rest = np.asarray(body.rest_joints(motion.betas))[:, None, 0]
    pelvis = (motion.transl + rest) * np.array([1.0, -1.0, 1.0])
    turned = matrix_to_axis_angle(rotmats).reshape(motion.people, motion.frames, 72).astype(np.float32)
    meta = replace(
        motion.meta,
        contacts=tuple(_mirrored_contact(item) for item in motion.meta.contacts),
        stage=tuple(_mirrored_piece(item) for item in motion.meta.stage),
    )
    return replace(
        motion,
        transl=(pelvis - rest).astype(np.float32),
        global_orient=turned[..., :3],
        body_pose=turned[..., 3:],
        meta=meta,
        props=tuple(_mirrored_prop(prop) for prop in motion.props),
    )


def _other_side(name: str) -> str:
    words = {"left": "right", "right": "left"}
    return "_".join(words.get(word, word) for word in name.split("_"))


def _mirrored_contact(contact: Contact) -> Contact:
    target = {key: _other_side(value) if isinstance(value, str) and key != "object" else value
              for key, value in contact.target.items()}  # fmt: skip
    return replace(contact, part=_other_side(contact.part), target=target)


def _mirrored_piece(item: dict[str, Any]) -> dict[str, Any]:
    piece: Furniture = furniture_from_json(item, "stage")
    sign = np.array([-1.0, 1.0, 1.0])
    box = replace(piece.box, center=_flipped(piece.box.center), yaw=_wrapped(-np.pi - piece.box.yaw))
    solids = tuple(replace(solid, center=np.asarray(solid.center) * sign, yaw=-solid.yaw) for solid in piece.solids)
    seat = None if piece.seat is None else replace(piece.seat, center=np.asarray(piece.seat.center) * sign)
    return replace(piece, box=box, solids=solids, seat=seat).to_json()


def _mirrored_prop(prop: Prop) -> Prop:
    """The prop across the plane y = 0; in its own frame left and right (x) are exchanged, which its class survives."""
    across, own = np.diag([1.0, -1.0, 1.0]), np.diag([-1.0, 1.0, 1.0])
    orient = matrix_to_axis_angle(across @ axis_angle_to_matrix(prop.orient) @ own)
    return replace(prop, transl=_flipped(prop.transl), orient=orient)


def _flipped(center: Array) -> Array:
    return np.asarray(center) * np.array([1.0, -1.0, 1.0])


def _wrapped(yaw: float) -> float:
    return float((yaw + np.pi) % (2 * np.pi) - np.pi)


__all__ = ["FPS", "LIMITS", "build_pairs", "drawn", "faults", "make_pair", "mirrored"]
