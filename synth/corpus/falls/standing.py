"""Falls from one's feet: forward, backward, sideways; and sinking to the floor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from synth.corpus.falls.control import BACKWARD, FORWARD, LEFT, SAG, Pose, Reflex
from synth.corpus.falls.plan import Plan, Scenario, Scene, Strategy, before_fall, sided
from synth.corpus.falls.simulate import Event, Force, Grip, Slide
from synth.corpus.falls.start import FPS, Start
from synth.corpus.library import LibraryEntry

WALKS = ("walk_01", "walk_02", "walk_03", "walk_04", "walk_06")
SLOW = ("walk_slow_01", "walk_slow_02", "walk_slow_03")
BRISK = ("walk_brisk_01", "walk_02", "walk_03")
TURNS = ("walk_left_01", "walk_left_02", "walk_right_01", "walk_right_02")
IDLE = ("idle_01", "idle_02", "idle_03", "idle_04")
STOPS = ("walk_stop_01", "walk_stop_02")
BUSY = ("talk_01", "talk_02", "drink_01", "drink_02", "wave_01")
WET = ("wash_self_01", "mop_01", "mop_02", "wash_window_01", "wash_window_02")
REACH = ("reach_01", "reach_02", "reach_03")
BEND = ("pick_up_02", "pick_up_04", "put_down_02", "put_down_03")
AHEAD, BACK, TO_LEFT = (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
STIFF: Pose = {}
Ids = tuple[str, ...]
FEET = ("left_ankle", "left_foot", "right_ankle", "right_foot")


def _plan(
    item: LibraryEntry, start: Start, frame: int, event: Event, reflex: Reflex, way: str, before: str, **facts: str
) -> Plan:
    return Plan(start, frame, event, reflex, item, ((before, 1e9),), start.yaw(frame), way, facts=facts)


def _speed(start: Start, frame: int) -> float:
    """Speed over the floor at a frame, m/s."""
    return float(np.linalg.norm(np.gradient(start.transl[:, :2], 1 / FPS, axis=0)[frame]))


def _aside(side: str) -> tuple[float, float, float]:
    return TO_LEFT if side == "left" else (0.0, -1.0, 0.0)


# forward


def _trip(ids: Ids, tone: tuple[float, float], step: float, pace: tuple[float, float]) -> Scenario:
    def plan(scene: Scene) -> Plan:
        item, start = scene.captured(ids, pace)
        side = scene.side()
        frame = scene.pick(start.swinging(side))
        other = "right" if side == "left" else "left"
        stepping = scene.step("forward", other if scene.chance(0.6) else side) if scene.chance(step) else None
        reflex = scene.reflex(FORWARD, tone, step=stepping)
        event = Event(
            grips=(Grip(f"{side}_foot", scene.uniform(0.2, 0.45)),),
            forces=(scene.push(AHEAD, (0.05, 0.35), (0.3, 0.5)),),
        )
        return _plan(item, start, frame, event, reflex, "forward", "walk", cause="trip")

    return plan


def _faint(ids: Ids, way: str, before: str) -> Scenario:
    def plan(scene: Scene) -> Plan:
        item, start = scene.captured(ids)
        frame = scene.frame(start, 0.3, 0.75)
        side = scene.side()
        direction = {"forward": AHEAD, "backward": BACK, "sideways": _aside(side)}[way]
        amount = {"forward": (0.1, 0.5), "backward": (0.45, 0.8), "sideways": (0.4, 0.8)}[way]
        sag = {name: dict(angles) for name, angles in SAG.items()}
        if way == "backward":  # the hips give way and the trunk goes back over them
            sag |= {"spine1": {"x": -0.1}, "hip": {"x": -0.45}, "ankle": {"x": 0.1}, "knee": {"x": 1.2}}
        if way == "sideways":
            other = "right" if side == "left" else "left"
            sag |= {f"{side}_knee": {"x": 1.2}, f"{side}_hip": {"x": -0.8}, f"{other}_knee": {"x": 0.5},
                    f"{other}_hip": {"x": -0.3}}  # fmt: skip
        event = Event(forces=(scene.push(direction, amount, (0.4, 0.7)),))
        facts = {"side": side} if way == "sideways" else {}
        return _plan(item, start, frame, event, scene.limp(sag), way, before, cause="faint", **facts)

    return plan


def _push(way: str, ids: Ids, before: str, step: bool, cause: str = "push") -> Scenario:
    def plan(scene: Scene) -> Plan:
        item, start = scene.captured(ids)
        frame = scene.frame(start, 0.35, 0.8)
        side = scene.side()
        direction = {"forward": AHEAD, "backward": BACK, "sideways": _aside(side)}[way]
        pose = {"forward": FORWARD, "backward": BACKWARD, "sideways": sided(LEFT, side)}[way]
        stepping = None
        if step:
            leg = ("right" if side == "left" else "left") if way == "sideways" and scene.chance(0.5) else side
            stepping = scene.step({"sideways": "aside"}.get(way, way), leg)
        speed = (1.0, 1.5) if step or before == "walk" else (0.65, 1.1)
        if way == "sideways":  # people stand with their weight before the ankles, and walk on
            direction = (-0.15 - 0.5 * _speed(start, frame), direction[1], 0.0)
            speed = (0.9, 1.4)
        # losing one's balance is a slow lean, a shove is quick
        seconds = (0.2, 0.35) if cause == "push" else (0.5, 0.8)
        event = Event(forces=(scene.push(direction, speed, seconds),))
        facts = {"side": side} if way == "sideways" else {}
        return _plan(item, start, frame, event, scene.reflex(pose, step=stepping), way, before, cause=cause, **facts)

    return plan


def _stiff(way: str) -> Scenario:
    def plan(scene: Scene) -> Plan:
        item, start = scene.captured(IDLE)
        side = scene.side()
        direction = {"forward": AHEAD, "backward": BACK, "sideways": _aside(side)}[way]
        reflex = scene.reflex(STIFF, (0.4, 0.8), delay=0.1, settle=0.25, groups={"arms": 0.15})
        amount = (0.9, 1.3) if way == "sideways" else (0.5, 0.8)
        if way == "sideways":  # people stand with their weight before the ankles
            direction = (-0.2, direction[1], 0.0)
        event = Event(forces=(scene.push(direction, amount, (0.4, 0.7)),))
        facts = {"side": side} if way == "sideways" else {}
        frame = scene.frame(start, 0.3, 0.7)
        return _plan(item, start, frame, event, reflex, way, "standing", cause="stiff", **facts)

    return plan


def _reach(way: str, ids: Ids, at: tuple[float, float]) -> Scenario:
    def plan(scene: Scene) -> Plan:
        item, start = scene.captured(ids)
        frame = scene.frame(start, *at)
        direction, pose = (AHEAD, FORWARD) if way == "forward" else (BACK, BACKWARD)
        event = Event(forces=(scene.push(direction, (0.6, 1.1), (0.4, 0.7)),))
        plan = _plan(item, start, frame, event, scene.reflex(pose), way, "standing",
                     cause="bend" if way == "forward" else "reach")  # fmt: skip
        if way == "forward":  # down to the floor and back is "other" in the taxonomy
            plan = replace(plan, before=before_fall(start, frame, scene.body), whole=True)
        return plan

    return plan


# backward and sideways slips


def _slip(ids: Ids, both: bool, aside: bool = False) -> Scenario:
    def plan(scene: Scene) -> Plan:
        item, start = scene.captured(ids)
        side = scene.side()
        frame = scene.pick(start.landing(side))
        other = "right" if side == "left" else "left"
        slick = FEET if both else (f"{side}_ankle", f"{side}_foot")
        slide = Slide(slick, scene.uniform(0.01, 0.05), 0.0, scene.uniform(0.7, 1.2))
        speed = _speed(start, frame)
        # what the slipping foot takes from the body's own way, and where the trunk goes instead
        if aside:  # the foot slides out to its side, the body goes down to the other
            out, pose, way = _aside(side), sided(LEFT, other), "sideways"
            body = (-0.75 * speed - 0.1, 1.1 * _aside(other)[1], 0.0)
        else:  # the foot shoots ahead and the trunk stays behind
            out, pose, way = AHEAD, BACKWARD, "backward"
            body = (-1.3 - 0.5 * speed - (0.3 if both else 0.0), 0.0, 0.0)
        forces = [Force((f"{side}_ankle",), out, push=scene.uniform(0.18, 0.32), seconds=scene.uniform(0.25, 0.4))]
        if both:
            forces.append(Force((f"{other}_ankle",), out, push=0.15, start=0.1, seconds=0.3))
        forces.append(Force(("spine3", "spine2"), body, push=scene.uniform(0.9, 1.2), seconds=0.4))
        reflex = scene.reflex(pose, (0.25, 0.6))
        facts = {"side": other} if aside else {}
        return _plan(item, start, frame, Event(tuple(forces), (), (slide,)), reflex, way, "walk", cause="slip", **facts)

    return plan


def _slip_still(scene: Scene) -> Plan:
    """Washing or mopping on a wet floor: both feet go."""
    item, start = scene.captured(WET)
    frame = scene.frame(start, 0.3, 0.8)
    forces = (
        Force(("left_ankle", "right_ankle"), AHEAD, push=scene.uniform(0.2, 0.35), seconds=scene.uniform(0.25, 0.4)),
        Force(("spine3", "spine2"), BACK, push=scene.uniform(0.6, 0.9), seconds=0.4),
    )
    slide = Slide(FEET, scene.uniform(0.08, 0.15), 0.0, scene.uniform(0.4, 0.7))
    reflex = scene.reflex(BACKWARD, (0.25, 0.6))
    before = before_fall(start, frame, scene.body)
    made = _plan(item, start, frame, Event(forces, (), (slide,)), reflex, "backward", "standing", cause="slip")
    return replace(made, before=before)


# a leg gives way


def _buckle(ids: Ids, before: str) -> Scenario:
    def plan(scene: Scene) -> Plan:
        item, start = scene.captured(ids)
        side = scene.side()
        frame = scene.pick(start.landing(side)) if before == "walk" else scene.frame(start, 0.3, 0.75)
        pose = {name: dict(angles) for name, angles in sided(LEFT, side).items()}
        pose |= {f"{side}_knee": {"x": 1.5}, f"{side}_hip": {"x": -0.9}, f"{side}_ankle": {"x": -0.4}}
        reflex = scene.reflex(pose, (0.2, 0.45), delay=scene.uniform(0.02, 0.08))
        sideways = 0.55 if before == "standing" else 1.0
        push = scene.push((-0.55 * _speed(start, frame), sideways * _aside(side)[1], 0.0), (0.8, 1.2), (0.4, 0.6))
        return _plan(item, start, frame, Event((push,)), reflex, "sideways", before, cause="buckle", side=side)

    return plan


def _sink(ids: Ids, before: str) -> Scenario:
    def plan(scene: Scene) -> Plan:
        """The legs give way under the body, which sinks onto its seat and over."""
        item, start = scene.captured(ids)
        frame = scene.frame(start, 0.35, 0.75)
        pose = {name: dict(angles) for name, angles in BACKWARD.items()}
        pose |= {"hip": {"x": -1.5}, "knee": {"x": 2.0}, "ankle": {"x": -0.5}, "shoulder": {"z": -1.1, "y": -0.2}}
        reflex = scene.reflex(pose, (0.12, 0.25), delay=0.05, blend=scene.uniform(0.4, 0.7))
        back = (-0.4 - 0.8 * _speed(start, frame), 0.0, 0.0)
        event = Event((scene.push(back, (0.7, 1.2), (0.4, 0.7)),))
        return _plan(item, start, frame, event, reflex, "", before, cause="sink")

    return plan


def _strategies() -> tuple[Strategy, ...]:
    forward, backward, sideways, slip = "fall_forward", "fall_backward", "fall_sideways", "slip_to_floor"
    return (
        Strategy("trip_forward", forward, _trip(WALKS, (0.35, 0.7), 0.0, (0.9, 1.15))),
        Strategy("trip_step_forward", forward, _trip(WALKS, (0.4, 0.8), 1.0, (0.9, 1.15))),
        Strategy("trip_slow_forward", forward, _trip(SLOW, (0.2, 0.5), 0.3, (0.95, 1.25))),
        Strategy("trip_brisk_forward", forward, _trip(BRISK, (0.4, 0.8), 0.4, (0.8, 0.95))),
        Strategy("trip_weak_forward", forward, _trip(SLOW + WALKS, (0.06, 0.15), 0.0, (1.0, 1.2))),
        Strategy("faint_forward", forward, _faint(IDLE, "forward", "standing")),
        Strategy("faint_walk_forward", forward, _faint(STOPS + SLOW, "forward", "walk")),
        Strategy("push_forward", forward, _push("forward", IDLE + BUSY, "standing", False)),
        Strategy("lean_forward", forward, _push("forward", IDLE, "standing", True, "balance")),
        Strategy("bend_forward", forward, _reach("forward", BEND, (0.3, 0.5))),
        Strategy("slip_backward", backward, _slip(WALKS, False)),
        Strategy("slip_both_backward", backward, _slip(WALKS + BRISK, True)),
        Strategy("slip_standing_backward", backward, _slip_still),
        Strategy("push_backward", backward, _push("backward", IDLE + BUSY, "standing", False)),
        Strategy("step_backward", backward, _push("backward", IDLE, "standing", True, "balance")),
        Strategy("stumble_backward", backward, _push("backward", STOPS + TURNS, "walk", False, "balance")),
        Strategy("faint_backward", backward, _faint(IDLE, "backward", "standing")),
        Strategy("stiff_backward", backward, _stiff("backward")),
        Strategy("reach_backward", backward, _reach("backward", REACH, (0.4, 0.6))),
        Strategy("push_sideways", sideways, _push("sideways", IDLE + BUSY, "standing", False)),
        Strategy("step_sideways", sideways, _push("sideways", IDLE, "standing", True, "balance")),
        Strategy("lean_sideways", sideways, _push("sideways", BUSY, "standing", False, "balance")),
        Strategy("turn_sideways", sideways, _push("sideways", TURNS, "walk", False, "turn")),
        Strategy("slip_sideways", sideways, _slip(WALKS + SLOW, False, True)),
        Strategy("buckle_sideways", sideways, _buckle(IDLE, "standing")),
        Strategy("buckle_walk_sideways", sideways, _buckle(SLOW + WALKS, "walk")),
        Strategy("faint_sideways", sideways, _faint(IDLE, "sideways", "standing")),
        Strategy("stiff_sideways", sideways, _stiff("sideways")),
        Strategy("sink_down", slip, _sink(IDLE, "standing")),
        Strategy("sink_walking", slip, _sink(SLOW + STOPS, "walk")),
    )


STANDING = _strategies()
