"""From a plan to an Interaction at 20 fps, and the rules that a plausible fall keeps.

Published kinematics that the limits stand on:

- 25 falls of residents of long-term care caught on video (Choi, Wakeling, Robinovitch 2015, J. Biomech. 48: 911):
  vertical speed of the pelvis at impact 2.14 (SD 0.63) m/s, of the head 2.91 (0.86), of the hand 2.87 (1.60);
  1.27 (0.65) s from the loss of balance to the pelvis' impact, 0.58 (0.26) s from the start of the descent.
- Young adults tipped sideways off a platform (Feldman, Robinovitch 2007, J. Biomech. 40: 2612): 98 % put a hand down,
  50 (40) ms before the pelvis; a step beforehand slows the pelvis by 22 %.
- The trunk of falling people passes 1.3 m/s downwards, that of sitting and lying down does not (Bourke, O'Donovan,
  OLaighin 2008, Med. Eng. Phys. 30: 937).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.corpus.care.tracks import Track, breathe, crossfade, from_interaction
from synth.corpus.falls.after import rising
from synth.corpus.falls.control import Muscles
from synth.corpus.falls.humanoid import SOFT, Humanoid, build, hinges
from synth.corpus.falls.plan import Plan, Scene
from synth.corpus.falls.simulate import RATE, Trace, simulate
from synth.corpus.falls.start import FPS, vertices
from synth.corpus.library import LibraryEntry, entry
from synth.corpus.source import Rejected
from synth.motion.terms import joint_ranges
from synth.rotation import Array, axis_angle_to_matrix, matrix_to_axis_angle
from synth.skeleton import JOINT, SMPL_JOINTS, forward_kinematics

DURATION = (0.4, 2.5)  # seconds from the loss of balance to the trunk's impact
SPEED = (0.9, 4.0)  # m/s, peak vertical speed of the pelvis: Choi's mean - 2 SD to + 3 SD
OFF_SEAT = 0.75  # a seat is about half as high as standing hips: speeds go with the root of the height
LOW_PELVIS, LOW_HEAD = 0.26, 0.60  # metres above the floor at rest
DEEPEST = 0.035  # metres of skin in the floor that are still mended by lifting
HARD = 0.02  # metres of skin in furniture, beyond what cushions and the flesh on them give
CUSHION = SOFT + 0.015
SKIN = 0.006  # metres left in the floor: flesh is flat where it lies
EXCESS = 0.45  # radians a rotation vector may leave its range: hinges turn one after the other, vectors at once
LOWERING, PAUSE = 0.12, 0.08  # m/s and seconds: a body comes down, and has not begun to
BREATH = "idle_02"  # whose small movements the lying breathe with
GETS_UP = 0.35  # share of those who lie on the back, and could, that get up again
UNCONSCIOUS = ("faint", "stiff")
SMALL = ("left_hand", "right_hand", "left_foot", "right_foot")
LIMITED = sorted(joint_ranges())
RANGE = np.array([joint_ranges()[joint] for joint in LIMITED])  # [J, 3, low and high]
WIDE = np.radians(52.0)  # half the sector of directions that count as forward or backward


@dataclass(frozen=True)
class Fall:
    """A fall at 20 fps, and when what happened.

    Attributes:
        rotmats: [T, 24, 3, 3]; transl [T, 3].
        event, onset, impact, settled, rest: seconds of the loss of balance, the start of the descent, the trunk's
            impact, pelvis and head being down, stillness.
        figures: what was measured (`quality` of the interaction).
        sources: the captured motions in it besides the start.
        rise: what is done until when (seconds) by whoever gets up again, lying at first; else empty.
    """

    rotmats: Array
    transl: Array
    event: float
    onset: float
    impact: float
    settled: float
    rest: float
    figures: dict[str, float]
    rise: tuple[tuple[str, float], ...] = ()
    sources: tuple[LibraryEntry, ...] = ()


def fall(scene: Scene, plan: Plan) -> Fall:
    """Simulate a plan and join it to what comes before and after.

    Raises:
        Rejected: the fall is not plausible, or not of the kind that was planned.
    """
    person, start, frame = scene.person, plan.start, plan.frame
    near = slice(max(0, frame - 2), min(start.frames, frame + 10))
    widen = np.unwrap(hinges(start.rotmats[near]), axis=0)
    humanoid = build(scene.body, person.betas, person.weight, person.gender, plan.furniture, widen)
    muscles = Muscles.of(person.weight, person.height, person.age)
    trace = simulate(humanoid, start.rotmats, start.transl, FPS, frame, plan.yaw, plan.event, plan.reflex, muscles)
    _energy_kept(trace, plan)
    shown = frame if plan.whole else round(scene.uniform(1.2, 2.6) * FPS)
    first = max(plan.earliest, frame - shown, 0)
    rotmats, transl, rise, sources = _assembled(scene, humanoid, trace, plan, first)
    ahead = (frame - first) / FPS
    times = _times(trace, humanoid, ahead)
    figures = _measured(scene, plan, humanoid, trace, times, ahead)
    transl = _lifted(scene, plan, rotmats, transl, figures)
    return Fall(rotmats, transl, ahead, *times, figures, rise, sources)


def _assembled(
    scene: Scene, humanoid: Humanoid, trace: Trace, plan: Plan, first: int
) -> tuple[Array, Array, tuple[tuple[str, float], ...], tuple[LibraryEntry, ...]]:
    """Captured before the event, simulated until rest, then the last pose with a sleeper's breath, and sometimes a
    captured getting up; also what is done until when after the lying, and the library's motions that were used."""
    picked = trace.qpos[:: round(RATE / FPS)]
    rotmats, transl = humanoid.pose(picked)
    rotmats = _fingers(rotmats)
    seconds = scene.uniform(1.5, 3.5)
    count = round(seconds * FPS)
    lying = Track(np.repeat(transl[-1:], count, 0) + humanoid.rest[0], np.repeat(rotmats[-1:], count, 0))
    sources: tuple[LibraryEntry, ...] = (entry(BREATH),)
    idle = from_interaction(sources[0].load().resample(FPS), np.zeros(3))
    lying = crossfade(lying, breathe(lying, idle, ("spine3", "neck"), 0.06), 0, count // 2)
    start = plan.start
    parts = [
        Track(start.transl[first : plan.frame] + humanoid.rest[0], start.rotmats[first : plan.frame]),
        Track(transl + humanoid.rest[0], rotmats),
        lying,
    ]
    lain = sum(part.frames for part in parts) / FPS
    labels: tuple[tuple[str, float], ...] = ()
    if not plan.furniture and plan.facts["cause"] not in UNCONSCIOUS and scene.chance(GETS_UP):
        rise = rising(scene, lying, humanoid.rest)
        if rise is not None:
            parts.append(rise.track)
            sources = (*sources, rise.item)
            labels = tuple((label, lain + until) for label, until in rise.labels)
    pelvis = np.concatenate([part.pelvis for part in parts])
    return np.concatenate([part.rotmats for part in parts]), pelvis - humanoid.rest[0], labels, sources


def _times(trace: Trace, humanoid: Humanoid, ahead: float) -> tuple[float, float, float, float]:
    """Onset of the descent, impact, settled (pelvis and head no longer on their way), rest; seconds of the motion."""
    heights = _heights(humanoid, trace)
    down = np.gradient(heights, axis=0) * RATE
    landed = round(trace.landed * RATE)
    onset = descent(heights[:, :2], landed, RATE)
    moving = (np.abs(down[:, :2]) > 0.10).any(1)
    settled = int(np.flatnonzero(moving)[-1]) if moving.any() else landed
    last = len(heights) / RATE
    return ahead + onset / RATE, ahead + trace.landed, ahead + settled / RATE, ahead + last


def descent(heights: Array, landed: int, rate: float) -> int:
    """The sample at which a fall begins: nothing has come down for `PAUSE` before it, nor the pelvis half its way.

    Args:
        heights: [N, K] metres, the pelvis first. landed: the sample of the impact.
    """
    lowering = (np.gradient(heights, axis=0) * rate < -LOWERING).any(1)
    pelvis = heights[: landed + 1, 0]
    # who comes to rest on the knees is in the middle of a fall, however long it takes
    onset = int(np.flatnonzero(pelvis >= 0.5 * (pelvis.max() + pelvis[-1]))[-1])
    pause = round(PAUSE * rate)
    while onset > 0 and lowering[max(0, onset - pause) : onset].any():
        onset -= 1
    return onset


def _heights(humanoid: Humanoid, trace: Trace) -> Array:
    """Heights [N, 3] of pelvis, head and chest."""
    rotmats, transl = humanoid.pose(trace.qpos)
    joints, _ = forward_kinematics(rotmats, humanoid.rest, transl)
    return joints[:, [JOINT["pelvis"], JOINT["head"], JOINT["spine3"]], 2]


def _energy_kept(trace: Trace, plan: Plan) -> None:
    """Once nothing pulls or pushes any more, a body that falls has only what it has."""
    spent = max([f.start + f.seconds for f in plan.event.forces] + [g.seconds for g in plan.event.grips] + [0.0])
    after = trace.energy[round(spent * RATE) + 1 :]
    if len(after) > 2 and after.max() > after[0] + 0.12 * trace.energy[0]:
        raise Rejected(f"energy grows by {after.max() - after[0]:.0f} J while falling")


def _measured(
    scene: Scene, plan: Plan, humanoid: Humanoid, trace: Trace, times: tuple[float, ...], ahead: float
) -> dict[str, float]:
    """Figures of the fall. Raises Rejected where it is not one, or not the one that was planned."""
    rotmats, transl = humanoid.pose(trace.qpos)
    joints, world = forward_kinematics(rotmats, humanoid.rest, transl)
    pelvis, head = joints[:, JOINT["pelvis"]], joints[:, JOINT["head"]]
    landed = round(trace.landed * RATE)
    speed = float(-(np.gradient(pelvis[:, 2]) * RATE)[: landed + 10].min())
    onset = times[0] - ahead
    captured = plan.start.rotmats[max(0, plan.frame - 2) : plan.frame + 10]
    excess, where, joint = _excess(rotmats, captured)
    figures = {
        "peak_pelvis_speed": speed, "fall_seconds": trace.landed, "descent_seconds": trace.landed - onset,
        "rest_slide": float(np.linalg.norm(joints[-1] - joints[-10], axis=-1).max() * RATE / 9),
        "limit_excess": excess, "limit_share": float(where), "weight": scene.person.weight,
        "height": scene.person.height,
    }  # fmt: skip
    if not DURATION[0] <= trace.landed <= DURATION[1]:
        raise Rejected(f"falls for {trace.landed:.2f} s; plausible are {DURATION[0]} to {DURATION[1]} s")
    if times[2] - times[0] < 0.25:
        raise Rejected("the body does not go down at once: it has slid to the floor before the trunk lands")
    slowest = SPEED[0] * (OFF_SEAT if plan.furniture else 1.0)
    if not slowest <= speed <= SPEED[1]:
        raise Rejected(f"the pelvis reaches {speed:.2f} m/s; plausible are {slowest:.1f} to {SPEED[1]} m/s")
    if excess > EXCESS:
        raise Rejected(f"{joint} is {excess:.2f} rad beyond its range")
    if pelvis[-1, 2] > LOW_PELVIS or head[-1, 2] > LOW_HEAD + (0.35 if plan.furniture else 0.0):
        raise Rejected(f"does not end on the floor: pelvis at {pelvis[-1, 2]:.2f} m, head at {head[-1, 2]:.2f} m")
    feet = joints[0, [JOINT["left_ankle"], JOINT["right_ankle"]], :2].mean(0)
    off = head[-1, :2] - (feet if not plan.furniture else pelvis[0, :2])
    angle = float(np.arctan2(off[1], off[0]) - plan.yaw)
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    figures["direction"] = float(np.degrees(angle))
    figures["face_up"] = float(world[-1, JOINT["spine2"], 2, 2])
    _directed(plan, angle, figures["face_up"], float(np.linalg.norm(off)))
    return figures


def _directed(plan: Plan, angle: float, face_up: float, length: float) -> None:
    """Does it fall where the class says? `angle` 0 is forward, positive to the left."""
    side = plan.facts.get("side")
    wrong = {
        "forward": abs(angle) > WIDE or face_up > 0.6,
        "backward": abs(angle) < np.pi - WIDE or face_up < -0.3,
        "sideways": not np.pi / 2 - WIDE < abs(angle) < np.pi / 2 + WIDE or (side == "left") != (angle > 0),
    }.get(plan.way, False)
    if plan.facts["cause"] in ("sink", "slide", "slip") and plan.way == "" and face_up < -0.3:
        raise Rejected("slips to the floor but ends on the face")
    if wrong or (plan.way and length < 0.35):
        raise Rejected(f"falls to {np.degrees(angle):.0f} degrees instead of {plan.way}")


def _fingers(rotmats: Array) -> Array:
    """Hands and toes kept in their range: pressed to the floor, three hinges turn farther than one vector may."""
    kept = rotmats.copy()
    for name in SMALL:
        row = LIMITED.index(JOINT[name])
        vectors = matrix_to_axis_angle(rotmats[:, JOINT[name]])
        kept[:, JOINT[name]] = axis_angle_to_matrix(np.clip(vectors, RANGE[row, :, 0], RANGE[row, :, 1]))
    return kept


def _excess(rotmats: Array, captured: Array) -> tuple[float, float, str]:
    """Largest excess of a rotation vector over its joint's range (radians), the share of frames above 0.2, the joint.

    What the person did in the captured moments before is in their range.
    """
    rotmats = _fingers(rotmats)
    vectors, own = matrix_to_axis_angle(rotmats[:, LIMITED]), matrix_to_axis_angle(captured[:, LIMITED])
    low, high = np.minimum(RANGE[..., 0], own.min(0)), np.maximum(RANGE[..., 1], own.max(0))
    over = np.maximum(np.maximum(vectors - high, low - vectors), 0.0)
    worst = SMPL_JOINTS[LIMITED[int(over.max((0, 2)).argmax())]]
    return float(over.max()), float((over.max((1, 2)) > 0.2).mean()), worst


def _lifted(scene: Scene, plan: Plan, rotmats: Array, transl: Array, figures: dict[str, float]) -> Array:
    """The way of the body raised so that no skin is deeper in the floor than flat flesh is."""
    skin = vertices(scene.body, scene.person.betas, rotmats, transl, 2)
    depth = np.maximum(-skin[..., 2].min(1) - SKIN, 0.0)
    figures["floor_depth"] = float(-skin[..., 2].min())
    if depth.max() > DEEPEST:
        raise Rejected(f"{100 * depth.max():.1f} cm of the body are in the floor")
    hard = _furniture_depth(plan, skin)
    figures["furniture_depth"] = hard
    if hard > HARD:
        raise Rejected(f"{100 * hard:.1f} cm of the body are in the furniture")
    reach = 4
    padded = np.pad(depth, reach, mode="edge")
    highest = np.array([padded[i : i + 2 * reach + 1].max() for i in range(len(depth))])
    kernel = np.hanning(2 * reach + 3)[1:-1]
    smooth = np.convolve(np.pad(highest, reach, mode="edge"), kernel / kernel.sum(), "valid")
    raised = transl.copy()
    raised[:, 2] += smooth
    return raised


def _furniture_depth(plan: Plan, skin: Array) -> float:
    """Deepest skin in the solids of furniture from the event on, beyond what cushions give."""
    first = round(1.0 * FPS)
    deepest = 0.0
    for piece in plan.furniture:
        for solid in piece.world_solids():
            local = solid.to_local(skin[first:])
            inside = (np.asarray(solid.size) / 2 - np.abs(local)).min(-1)
            top = solid.center[2] + solid.size[2] / 2
            seat = piece.seat_height is not None and abs(top - piece.seat_height) < 0.03
            soft = CUSHION if seat or piece.cls == "armchair" else 0.0
            deepest = max(deepest, float(inside.max()) - soft)
    return max(deepest, 0.0)
