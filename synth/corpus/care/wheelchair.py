"""Wheelchairs: staff pushes a seated patient, whose pelvis, feet and hands go with the chair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.corpus.care.aids import rested, rolling_ahead, stooped, walking
from synth.corpus.care.script import FPS, PATIENT, STAFF, Actor, Phase, PropHold, Script, Seat
from synth.corpus.care.strategies import Cast, Variant
from synth.corpus.care.tracks import Course, Track, on_course, reverse, stretch
from synth.interaction import ActionSegment, Prop
from synth.motion.evidence import seat_level
from synth.rooms.props import prop_piece
from synth.rotation import Array, axis_matrix, matrix_to_axis_angle, yaw_matrix
from synth.skeleton import JOINT, facing_yaw

ID = "wheelchair"
BACK = 0.445  # metres from the chair's middle back to where its push handles are held
PELVIS = -0.085  # where the sitter's pelvis is along the chair


@dataclass(frozen=True)
class PushVariant(Variant):
    """As `aids.WalkerVariant`, for the staff; hands: where the patient's are ("lap" or "arms")."""

    grip: str = "handles"
    walk: str = "walk_calm"
    stride: float = 0.8
    bend: float = 0.0
    straight: float = 0.5
    reach: float = 0.36
    lean: float = 0.08
    wait: float = 0.0
    pause: float = 0.0
    rest: float = 0.0
    hands: str = "lap"
    backwards: bool = False
    strategy: str = "steady"


def push_wheelchair(cast: Cast, variant: PushVariant, rng: np.random.Generator) -> Script:
    """Both hands on the push handles, walking behind the chair, clear of its wheels; the patient is carried along."""
    walk = cast.piece(STAFF, variant.walk)
    walk = stretch(walk, max(2, round(walk.frames * variant.tempo * float(rng.uniform(0.95, 1.05)))))
    if variant.backwards:
        walk = reverse(walk)  # heel and toe change places: at this pace that is how people walk backwards
    walk = rested(cast, STAFF, walk, variant.wait, variant.pause, variant.rest)
    walk = stooped(walk, variant.lean + float(rng.uniform(-0.03, 0.03)), 0.8)
    course = Course(variant.bend * float(rng.uniform(0.85, 1.15)), variant.straight)
    track, distance = on_course(walk, course, variant.stride * float(rng.uniform(0.93, 1.07)))
    ahead = BACK + variant.reach
    prop = rolling_ahead(ID, distance, course, -ahead if variant.backwards else ahead, "wheelchair", variant.backwards)
    seconds = track.frames / FPS
    patient = carried(cast, prop, variant.hands)
    holds = [PropHold(STAFF, f"{side}_hand", ID, side, 0.0, seconds) for side in ("left", "right")]
    holds += [PropHold(PATIENT, f"{side}_ball", ID, f"{side}_foot", 0.0, seconds) for side in ("left", "right")]
    if variant.hands == "arms":
        holds += [PropHold(PATIENT, f"{side}_hand", ID, f"{side}_arm", 0.0, seconds) for side in ("left", "right")]
    steps = walking(STAFF, distance)
    walks = [action for action in steps if action.label == "walk"]
    begin, end = walks[0].start, walks[-1].end
    return Script(
        name="push_wheelchair",
        seconds=seconds,
        phases=(Phase("support", 0.0, seconds), Phase("step", begin, end)),
        actors=(Actor(cast.betas[PATIENT], patient, stands=False), Actor(cast.betas[STAFF], track, captured=walk)),
        holds=(),
        seats=(Seat(PATIENT, ID, 0.0, seconds),),
        looks=(),
        facts={"grip": "handles", "strategy": variant.strategy, "back": "backwards" if variant.backwards else "",
               "hands": "with the hands on the arm rests" if variant.hands == "arms" else "with the hands in the lap"},
        props=(prop,),
        prop_holds=tuple(holds),
        actions=(ActionSegment(PATIENT, 0.0, seconds, "sitting"), *steps),
        core=(round(max(begin, 0.12 * seconds), 3), round(min(end, 0.92 * seconds), 3)),
        datasets=("cmu", "reactidle"),
    )  # fmt: skip


def carried(cast: Cast, prop: Prop, hands: str = "lap") -> Track:
    """Captured sitting, to and fro for as long as the prop goes, on its seat and with the feet up on its rests."""
    sitting = cast.piece(PATIENT, "sit")
    sitting = sitting.placed(0, np.pi / 2, np.zeros(2))
    frames = len(prop.transl)
    cycle = np.arange(frames) % (2 * sitting.frames - 2)
    cycle = np.where(cycle < sitting.frames, cycle, 2 * sitting.frames - 2 - cycle)
    rotmats = on_rests(Track(sitting.pelvis, sitting.rotmats)).rotmats[cycle]
    if hands == "arms":
        for side, sign in (("left", 1.0), ("right", -1.0)):
            rotmats[:, JOINT[f"{side}_shoulder"]] = axis_matrix("z", -1.1 * sign)
            rotmats[:, JOINT[f"{side}_elbow"]] = axis_matrix("y", -1.4 * sign)
            rotmats[:, JOINT[f"{side}_wrist"]] = np.eye(3)
    pose = prop.poses()
    local = np.zeros((frames, 3))
    local[:, :2] = sitting.pelvis[cycle, :2] - sitting.pelvis[0, :2] + np.array([0.0, PELVIS])
    local[:, 2] = seat_level(prop_piece(prop.cls).seat_height) + 0.085
    pelvis = np.einsum("tij,tj->ti", pose[:, :3, :3], local) + pose[:, :3, 3]
    rotmats[:, 0] = pose[:, :3, :3] @ rotmats[:, 0]
    return Track(pelvis, rotmats)


def on_rests(track: Track, thigh: float = 1.5, knee: float = 1.05, apart: float = 0.1) -> Track:
    """Sitting with the feet on rests ahead: thighs level, knees less bent than on a chair. Angles in radians."""
    rotmats = track.rotmats.copy()
    root = rotmats[:, 0]
    pitch = np.arcsin(np.clip(_ahead(root), -1, 1))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        hip = axis_matrix("x", pitch) @ axis_matrix("y", np.full(track.frames, 0.5 * apart * sign))
        rotmats[:, JOINT[f"{side}_hip"]] = hip @ axis_matrix("x", np.full(track.frames, -thigh))
        rotmats[:, JOINT[f"{side}_knee"]] = axis_matrix("x", np.full(track.frames, knee))
        rotmats[:, JOINT[f"{side}_ankle"]] = axis_matrix("x", np.full(track.frames, thigh - knee - 0.2))
    return Track(track.pelvis, rotmats)


def _ahead(root: Array) -> Array:
    """How far the trunk's up axis leans backwards: minus its part along where the body faces [T]."""
    yaw = facing_yaw(root)
    return -(root[:, :2, 1] * np.stack([np.cos(yaw), np.sin(yaw)], -1)).sum(-1)


def chair_at(where: tuple[float, float], facing: float, frames: int) -> Prop:
    """A wheelchair that stands still, its middle over `where`, whose sitter faces `facing` radians."""
    transl = np.tile(np.array([*where, 0.0]), (frames, 1))
    orient = np.tile(matrix_to_axis_angle(yaw_matrix(facing - np.pi / 2)), (frames, 1))
    return Prop(ID, "wheelchair", transl, orient)


BUILDERS = {"push_wheelchair": push_wheelchair}
VARIANTS: dict[str, tuple[PushVariant, ...]] = {
    "push_wheelchair": (
        PushVariant(tempo=1.15),
        PushVariant(walk="walk_soft", bend=0.4, straight=0.4, hands="arms", tempo=1.1, strategy="curve"),
        PushVariant(walk="walk_start", wait=0.8, stride=0.65, tempo=1.2, strategy="set off"),
        PushVariant(walk="walk_stop", rest=1.2, stride=0.9, tempo=1.5, mirror=True, hands="arms", strategy="stop"),
        PushVariant(walk="walk_slow", tempo=1.3, lean=0.3, reach=0.32, strategy="bent over"),
        PushVariant(walk="walk_soft", pause=1.5, stride=0.7, tempo=1.1, strategy="halt"),
        PushVariant(walk="walk_old", bend=0.6, straight=0.0, mirror=True, tempo=1.3, stride=0.7, hands="arms",
                    strategy="turn"),
        PushVariant(walk="walk_soft", backwards=True, tempo=1.25, stride=0.55, strategy="backwards"),
        PushVariant(walk="walk_old", stride=1.0, tempo=1.0, strategy="brisk"),
    ),
}  # fmt: skip
CAPTIONS: dict[str, tuple[str, ...]] = {
    "push_wheelchair": (
        "staff pushes a patient in a wheelchair",
        "{staff} pushes {patient} in a wheelchair",
        "{patient} sits in a wheelchair and is pushed by {staff}",
        "{staff} wheels {patient} along",
        "{patient} is taken somewhere in a wheelchair, {hands}",
        "{staff} walks behind the wheelchair and pushes it with both hands",
        "{staff} pulls the wheelchair with {patient} {back}",
    ),
}
