"""Falls off furniture: out of bed, from a chair, and slipping off a seat's front edge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from synth.corpus.care.stage import stage_piece
from synth.corpus.falls.control import BACKWARD, FORWARD, LEFT, SAG, Pose
from synth.corpus.falls.plan import Plan, Scenario, Scene, Strategy, before_fall, sided
from synth.corpus.falls.simulate import Event, Force, Slide
from synth.corpus.falls.start import (
    FPS,
    Start,
    armchair_under,
    at_height,
    bed_under,
    moved,
    named,
    shifted,
    stool_under,
)
from synth.corpus.library import LibraryEntry
from synth.corpus.source import Rejected
from synth.room import Furniture
from synth.skeleton import JOINT

SITTING = ("sit_idle_01", "sit_idle_02", "sit_idle_03")
SIT_DOWN = ("sit_down_01", "sit_down_02", "sit_down_03", "sit_down_04", "sit_down_05")
RISE = ("stand_up_01", "stand_up_02", "stand_up_03", "stand_up_04")
SUPINE = ("lie_down_01", "lie_down_02", "lie_down_03", "lie_down_04", "lie_down_05")
SEAT = ("pelvis", "left_hip", "right_hip")
FEET = ("left_ankle", "left_foot", "right_ankle", "right_foot")
OVER: Pose = FORWARD | {"hip": {"x": -1.35}, "knee": {"x": 1.35}, "spine1": {"x": 0.25}, "spine2": {"x": 0.25}}
ASLEEP: Pose = {"neck": {"x": 0.1}}
TURNING: Pose = {  # rolling over to the left: the right arm and leg reach across
    "right_shoulder": {"z": 0.9, "y": 1.5}, "right_elbow": {"y": 0.6}, "right_hip": {"x": -0.9, "z": 0.3},
    "right_knee": {"x": 1.0}, "left_shoulder": {"z": -0.4, "y": -0.7}, "left_elbow": {"y": -0.7},
    "neck": {"y": 0.3}, "head": {"y": 0.3},
}  # fmt: skip
STRETCHED: Pose = {  # sliding off: hips open, knees bent, trunk back against the seat
    "hip": {"x": -0.9}, "knee": {"x": 0.9}, "ankle": {"x": 0.3}, "shoulder": {"z": -0.8, "y": 0.3},
    "elbow": {"y": -0.6}, "neck": {"x": 0.35}, "head": {"x": 0.2}, "spine1": {"x": 0.25}, "spine2": {"x": 0.2},
}  # fmt: skip


def _sign(side: str) -> float:
    return 1.0 if side == "left" else -1.0


def _seated(
    scene: Scene, ids: tuple[str, ...], pace: tuple[float, float] = (0.95, 1.2)
) -> tuple[LibraryEntry, Start, Furniture]:
    item, start = scene.captured(ids, pace)
    if start.seat is None or not start.sat:
        raise Rejected("nobody sits in the captured motion")
    return item, start, named(start.seat, "chair")


def _piece(kind: str, seat: Furniture) -> Furniture:
    if kind == "bed":
        return bed_under(seat, stage_piece("bed", (0.0, 0.0), 0.0))
    return {"armchair": armchair_under, "stool": stool_under}.get(kind, lambda chair: chair)(seat)


# out of bed


def _roll(pose: Pose, tone: tuple[float, float], limp: bool) -> Scenario:
    def plan(scene: Scene) -> Plan:
        item, start = scene.captured(SUPINE, (1.0, 1.0))
        start, bed, side = _in_bed(scene, start)
        frame = scene.frame(start, 0.75, 0.95)
        yaw = start.yaw(frame)
        turned = -_sign(side)
        seconds = scene.uniform(0.8, 1.2)
        forces = (
            Force(("pelvis", "spine3"), (1.0, 0.0, 0.0), turn=turned * scene.uniform(0.45, 0.7), seconds=seconds),
            Force(
                ("pelvis", "spine2", "spine3"), (0.0, _sign(side), 0.05), push=scene.uniform(0.9, 1.3), seconds=seconds
            ),
        )
        taken = sided(pose, side)
        reflex = scene.limp(taken, delay=0.05) if limp else scene.reflex(taken, tone, delay=0.0)
        reflex = replace(reflex, blend=scene.uniform(0.4, 0.7))
        facts = {"cause": "roll", "place": "bed", "side": side}
        return Plan(start, frame, Event(forces), reflex, item, (("lying", 1e9),), yaw, "", (bed,), facts)

    return plan


def _in_bed(scene: Scene, start: Start) -> tuple[Start, Furniture, str]:
    """The end of a lying down, put on a mattress near the edge; the side on which the edge is."""
    keep = slice(max(0, start.frames - round(1.0 * FPS)), start.frames)
    count = keep.stop - keep.start
    # there and back again: a sleeper's small movements
    order = np.concatenate([np.arange(count), np.arange(count - 2, -1, -1), np.arange(1, count)]) + keep.start
    rotmats, transl, joints = start.rotmats[order], start.transl[order].copy(), start.joints[order].copy()
    height = scene.uniform(0.40, 0.62)
    spine = (joints[0, JOINT["neck"]] - joints[0, JOINT["pelvis"]])[:2]
    if np.linalg.norm(spine) < 0.3:
        raise Rejected("the captured motion does not end lying")
    yaw = float(np.arctan2(-spine[1], -spine[0])) - np.pi / 2  # the bed's +y is towards the feet
    side = scene.side()
    # seen from the bed: +y to the feet, so that the left of whoever lies on the back is -x
    place = scene.uniform(0.10, 0.20) * (-1.0 if side == "left" else 1.0)
    middle = joints[..., :2].mean((0, 1))
    bed = at_height(stage_piece("bed", (0.0, 0.0), yaw), height)
    toward = np.array([np.cos(yaw), np.sin(yaw)])
    along = np.array([-np.sin(yaw), np.cos(yaw)])
    bed = moved(bed, middle - place * toward + 0.05 * along, yaw)
    lift = np.array([0.0, 0.0, height - 0.01])
    return Start(rotmats, transl + lift, joints + lift, start.betas, None, ((0, len(order)),)), bed, side


def _edge(way: str, limp: bool) -> Scenario:
    def plan(scene: Scene) -> Plan:
        item, start, seat = _seated(scene, SITTING)
        bed = _piece("bed", seat)
        return _toppled(scene, item, start, bed, way, limp, "bed")

    return plan


def _toppled(
    scene: Scene, item: LibraryEntry, start: Start, piece: Furniture, way: str, limp: bool, place: str
) -> Plan:
    """Somebody who sits leans over and falls off."""
    frame = scene.frame(start, 0.4, 0.8)
    side = scene.side()
    if way in ("forward", "diagonal"):
        left = 0.6 * _sign(side) if way == "diagonal" else scene.uniform(-0.15, 0.15)
        forces = [
            scene.push((1.0, left, 0.0), (1.3, 1.8), (0.5, 0.8)),
            Force(("pelvis",), (1.0, 0.0, 0.15), push=scene.uniform(0.9, 1.3), start=0.25, seconds=0.5),
        ]
        pose = OVER if not limp else SAG | {"hip": {"x": -1.4}, "knee": {"x": 1.5}, "spine2": {"x": 0.3}}
    else:
        aside = (0.1, _sign(side), 0.0)
        forces = [
            scene.push(aside, (1.2, 1.8), (0.5, 0.8)),
            Force(("pelvis",), (0.35, _sign(side), 0.1), push=scene.uniform(0.5, 0.9), start=0.2, seconds=0.5),
        ]
        pose = sided(LEFT, side) if not limp else SAG | {"hip": {"x": -1.2}, "knee": {"x": 1.3}}
    reflex = scene.limp(pose) if limp else scene.reflex(pose, groups={"legs": scene.uniform(0.03, 0.1)})
    facts = {"cause": "faint" if limp else "topple", "place": place, "side": side}
    slide = Slide(SEAT, 0.35, 0.1, 3.0)
    event = Event(tuple(forces), (), (slide,))
    return Plan(
        start, frame, event, reflex, item, (("sitting", 1e9),), start.yaw(frame), "", (piece,), facts,
        earliest=start.sat[0][0],
    )  # fmt: skip


def _rise(kind: str, way: str, early: bool) -> Scenario:
    def plan(scene: Scene) -> Plan:
        """Getting up: the legs give way half up, or the balance is lost just after."""
        item, start, seat = _seated(scene, RISE, (1.0, 1.3))
        piece = _piece(kind, seat)
        up = start.sat[-1][1]
        frame = min(up + round(scene.uniform(0.25, 0.5) * FPS), start.frames - 3)
        if not early:
            frame = min(up + round(scene.uniform(1.0, 1.5) * FPS), start.frames - 3)
        side = scene.side()
        if way == "forward":
            pose, direction = FORWARD, (1.0, 0.0, 0.0)
        else:
            pose, direction = sided(LEFT, side), (0.45, _sign(side), 0.0)
        pose = pose | {f"{side}_knee": {"x": 1.3}, f"{side}_hip": {"x": -0.9}}
        event = Event((scene.push(direction, (0.9, 1.4), (0.4, 0.6)),))
        place = "bed" if kind == "bed" else "chair"
        facts = {"cause": "rise", "place": place, "side": side}
        before = before_fall(start, frame, scene.body)
        reflex = scene.reflex(pose, (0.2, 0.5))
        return Plan(start, frame, event, reflex, item, before, start.yaw(frame), "", (piece,), facts, whole=True)

    return plan


# from a chair


def _topple(kind: str, way: str, limp: bool) -> Scenario:
    def plan(scene: Scene) -> Plan:
        item, start, seat = _seated(scene, SITTING)
        return _toppled(scene, item, start, _piece(kind, seat), way, limp, kind)

    return plan


def _miss(way: str, kind: str = "chair") -> Scenario:
    def plan(scene: Scene) -> Plan:
        """Sitting down where the seat is not: it stands too far back or to one side."""
        item, start, seat = _seated(scene, SIT_DOWN, (0.95, 1.15))
        down = start.sat[0][0]
        yaw = start.yaw(down)
        side = scene.side()
        if way == "behind":
            piece = shifted(_piece(kind, seat), -scene.uniform(0.70, 0.92), scene.uniform(-0.08, 0.08), yaw)
        else:
            piece = shifted(_piece(kind, seat), -scene.uniform(0.0, 0.1), -_sign(side) * scene.uniform(0.44, 0.55), yaw)
        hips = start.joints[:, JOINT["pelvis"], 2]
        sitting, standing = float(hips[down]), float(hips[:5].mean())
        share = scene.uniform(0.6, 0.95) if way == "behind" else scene.uniform(0.85, 0.97)
        level = sitting + share * (standing - sitting)
        frame = int(np.argmax(hips < level))
        if frame < 12:
            raise Rejected("the captured motion has no such moment")
        pose = BACKWARD | {"hip": {"x": -1.2}, "knee": {"x": 1.2}}
        push = scene.push((-1.0, 0.0, 0.0), (0.2, 0.5), (0.3, 0.5))
        if way != "behind":
            push = scene.push((-0.4, _sign(side), 0.0), (0.6, 1.0), (0.3, 0.5))
        facts = {"cause": "miss", "place": "chair", "side": side}
        before = before_fall(start, frame, scene.body, "sit_down")
        reflex = scene.reflex(pose, (0.2, 0.5), delay=0.1, groups={"legs": scene.uniform(0.0, 0.04)})
        return Plan(start, frame, Event((push,)), reflex, item, before, yaw, "", (piece,), facts, whole=True)

    return plan


# slipping off a seat


def _slide(kind: str, limp: bool, aside: bool = False, slow: bool = False) -> Scenario:
    def plan(scene: Scene) -> Plan:
        item, start, seat = _seated(scene, SITTING)
        piece = _piece(kind, seat)
        frame = scene.frame(start, 0.4, 0.8)
        side = scene.side()
        seconds = scene.uniform(0.9, 1.2) if slow else scene.uniform(0.5, 0.8)
        left = 0.35 * _sign(side) if aside else 0.0
        push = scene.uniform(1.8, 2.3) if kind == "bed" else scene.uniform(1.0, 1.5)
        forces = (
            Force(("pelvis",), (1.0, left, 0.05), push=push, seconds=seconds),
            Force(("spine3",), (-1.0, 0.0, 0.0), push=scene.uniform(0.1, 0.3), seconds=seconds),
        )
        slides = (Slide(SEAT, scene.uniform(0.05, 0.15), 0.0, seconds), Slide(FEET, 0.2, 0.0, 1.5))
        reflex = scene.limp(STRETCHED) if limp else scene.reflex(STRETCHED, (0.15, 0.35), delay=0.0)
        facts = {"cause": "slide", "place": kind if kind in ("bed", "armchair") else "chair", "side": side}
        return Plan(
            start, frame, Event(forces, (), slides), reflex, item, (("sitting", 1e9),), start.yaw(frame), "", (piece,),
            facts, earliest=start.sat[0][0],
        )  # fmt: skip

    return plan


def _rise_slip(kind: str) -> Scenario:
    def plan(scene: Scene) -> Plan:
        """The feet slip away at the attempt to get up, and the seat's edge is all that is sat on."""
        item, start, seat = _seated(scene, RISE, (1.0, 1.25))
        piece = _piece(kind, seat)
        up = start.sat[-1][1]
        frame = max(up - round(scene.uniform(0.0, 0.2) * FPS), 3)
        forces = (
            Force(("left_ankle", "right_ankle"), (1.0, 0.0, 0.0), push=scene.uniform(0.15, 0.25), seconds=0.5),
            Force(("pelvis",), (1.0, 0.0, 0.0), push=scene.uniform(0.3, 0.6), start=0.1, seconds=0.6),
        )
        slides = (Slide(FEET, 0.05, 0.0, 1.2), Slide((*SEAT, "spine1", "spine2"), 0.12, 0.0, 4.0))
        facts = {"cause": "slip", "place": "bed" if kind == "bed" else "chair"}
        return Plan(
            start, frame, Event(forces, (), slides), scene.reflex(STRETCHED, (0.15, 0.4), delay=0.1), item,
            (("sitting", 1e9),), start.yaw(frame), "", (piece,), facts,
        )  # fmt: skip

    return plan


def _sit_short(scene: Scene) -> Plan:
    """Sitting down on the very edge of the seat, and off it."""
    item, start, seat = _seated(scene, SIT_DOWN, (0.95, 1.15))
    down = start.sat[0][0]
    yaw = start.yaw(down)
    piece = shifted(seat, -scene.uniform(0.34, 0.42), 0.0, yaw)
    frame = max(down - 4, 12)
    slides = (Slide((*SEAT, "spine1", "spine2"), 0.1, 0.0, 4.0), Slide(FEET, 0.3, 0.0, 1.5))
    forces = (Force(("pelvis",), (1.0, 0.0, 0.0), push=scene.uniform(0.4, 0.8), start=0.1, seconds=0.5),)
    facts = {"cause": "miss", "place": "chair"}
    before = before_fall(start, frame, scene.body, "sit_down")
    reflex = scene.reflex(STRETCHED, (0.15, 0.35), delay=0.05)
    return Plan(start, frame, Event(forces, (), slides), reflex, item, before, yaw, "", (piece,), facts, whole=True)


def _strategies() -> tuple[Strategy, ...]:
    bed, chair, slip = "fall_from_bed", "fall_from_chair", "slip_to_floor"
    return (
        Strategy("roll_bed", bed, _roll(TURNING, (0.2, 0.5), False)),
        Strategy("roll_bed_asleep", bed, _roll(ASLEEP, (0.0, 0.0), True)),
        Strategy("roll_bed_limp", bed, _roll(TURNING, (0.0, 0.0), True)),
        Strategy("edge_bed_forward", bed, _edge("forward", False)),
        Strategy("edge_bed_faint", bed, _edge("forward", True)),
        Strategy("edge_bed_diagonal", bed, _edge("diagonal", False)),
        Strategy("rise_bed_early", bed, _rise("bed", "forward", True)),
        Strategy("rise_bed_forward", bed, _rise("bed", "forward", False)),
        Strategy("rise_bed_sideways", bed, _rise("bed", "sideways", False)),
        Strategy("topple_chair_sideways", chair, _topple("chair", "sideways", False)),
        Strategy("topple_chair_forward", chair, _topple("chair", "forward", False)),
        Strategy("faint_chair_sideways", chair, _topple("chair", "sideways", True)),
        Strategy("faint_chair_forward", chair, _topple("chair", "forward", True)),
        Strategy("topple_stool_sideways", chair, _topple("stool", "sideways", False)),
        Strategy("topple_armchair_forward", chair, _topple("armchair", "forward", False)),
        Strategy("miss_chair_behind", chair, _miss("behind")),
        Strategy("miss_chair_beside", chair, _miss("beside")),
        Strategy("miss_stool_behind", chair, _miss("behind", "stool")),
        Strategy("rise_chair_early", chair, _rise("chair", "forward", True)),
        Strategy("rise_chair_sideways", chair, _rise("chair", "sideways", True)),
        Strategy("slide_chair", slip, _slide("chair", False)),
        Strategy("slide_chair_limp", slip, _slide("chair", True)),
        Strategy("slide_chair_aside", slip, _slide("chair", False, True)),
        Strategy("slide_armchair", slip, _slide("armchair", False, False, True)),
        Strategy("slide_bed", slip, _slide("bed", False, False, True)),
        Strategy("rise_chair_slip", slip, _rise_slip("chair")),
        Strategy("rise_bed_slip", slip, _rise_slip("bed")),
        Strategy("sit_short", slip, _sit_short),
    )


SEATED = _strategies()
