"""One fall in MuJoCo: from a captured pose and its velocities, through an event, until the body lies still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from synth.corpus.falls.control import DAMPING, Controller, Muscles, Reflex
from synth.corpus.falls.humanoid import FRICTION, HINGES, STEP, Humanoid, hinges
from synth.corpus.source import Rejected
from synth.rotation import Array
from synth.skeleton import JOINT, SMPL_JOINTS

RATE = 100.0  # Hz of control and recording
LONGEST = 7.0  # seconds until everything must have come to rest
STILL = 0.05  # m/s: no body part moves faster at rest
STILL_FOR = 0.3
TRUNK = ("pelvis", "spine1", "spine2", "spine3", "head")


@dataclass(frozen=True)
class Force:
    """A pull on joints' bodies from `start` for `seconds` after the event, rising and falling smoothly.

    `way` is (forward, left, up) of the person at the event; `push` is the change of speed (m/s) it would give the
    whole body if nothing held it; `turn` the same for torques: N m s per kg (about the same axes).
    """

    joints: tuple[str, ...]
    way: tuple[float, float, float]
    push: float = 0.0
    turn: float = 0.0
    start: float = 0.0
    seconds: float = 0.25


@dataclass(frozen=True)
class Grip:
    """Something holds a joint's body back where it is (a foot caught at a rug) for `seconds`."""

    joint: str
    seconds: float


@dataclass(frozen=True)
class Slide:
    """Friction of the hulls of these joints, from `start` for `seconds` after the event."""

    joints: tuple[str, ...]
    friction: float
    start: float = 0.0
    seconds: float = 10.0


@dataclass(frozen=True)
class Event:
    """What goes wrong."""

    forces: tuple[Force, ...] = ()
    grips: tuple[Grip, ...] = ()
    slides: tuple[Slide, ...] = ()


@dataclass(frozen=True)
class Trace:
    """A simulated fall at `RATE` Hz: positions [N, 76], time of the trunk's landing, energy [N] (J), and whether the
    trunk's weight rests on furniture at the end."""

    qpos: Array
    landed: float
    energy: Array
    touched: tuple[str, ...]


def simulate(
    humanoid: Humanoid,
    rotmats: Array,
    transl: Array,
    fps: float,
    frame: int,
    yaw: float,
    event: Event,
    reflex: Reflex,
    muscles: Muscles,
    longest: float = LONGEST,
) -> Trace:
    """Run from `frame` of a captured motion [T, 24, 3, 3], [T, 3] on.

    Raises:
        Rejected: the body does not come to rest, the trunk never lands or the numbers explode.
    """
    model = humanoid.model
    data = mujoco.MjData(model)
    _begin(humanoid, data, rotmats, transl, fps, frame)
    captured = np.unwrap(hinges(rotmats), axis=0)
    # the free choice of full turns must be that of the state
    captured += 2 * np.pi * np.round((data.qpos[7:] - captured[frame]) / (2 * np.pi))
    controller = Controller(captured, fps, frame / fps, reflex)
    floor = model.geom("floor").id
    trunk = {humanoid.hulls[JOINT[name]] for name in TRUNK}
    ids = np.array([model.body(name).id for name in SMPL_JOINTS])
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    held = {grip.joint: data.xpos[model.body(grip.joint).id].copy() for grip in event.grips}
    substeps = round(1 / (RATE * STEP))
    damping = model.dof_damping.copy()
    recorded, energy = [data.qpos.copy()], [_energy(model, data)]
    quiet = 0
    for tick in range(round(longest * RATE)):
        time = tick / RATE
        target, tone = controller.at(time)
        _set_muscles(model, data, muscles, target, tone)
        _set_friction(humanoid, event.slides, time)
        for _ in range(substeps):
            data.xfrc_applied[:] = 0.0
            _pull(model, data, event, held, turn, humanoid.weight)
            mujoco.mj_step(model, data)
        if not np.isfinite(data.qpos).all() or np.abs(data.qvel).max() > 200.0:
            raise Rejected("the simulation exploded")
        recorded.append(data.qpos.copy())
        energy.append(_energy(model, data))
        if controller.landed is None and _touches(data, trunk, floor):
            controller.land(time, data.qpos[7:].copy())
        if controller.landed is not None:
            # flesh and cloth take up what is left of the movement
            since = time - controller.landed
            model.dof_damping[6:] = damping[6:] * (1.0 + 2.0 * min(max(since - 0.4, 0.0), 1.0))
            quiet = quiet + 1 if since > 0.6 and _fastest(model, data, ids) < STILL else 0
            if quiet > STILL_FOR * RATE:
                break
    model.dof_damping[:] = damping
    if controller.landed is None:
        raise Rejected("the trunk never reaches the floor")
    if quiet <= STILL_FOR * RATE:
        raise Rejected(f"does not come to rest within {longest:g} s")
    return Trace(np.stack(recorded), controller.landed, np.array(energy), _furniture_under(model, data, trunk))


def _begin(humanoid: Humanoid, data: mujoco.MjData, rotmats: Array, transl: Array, fps: float, frame: int) -> None:
    """Positions and velocities of the captured motion at a frame."""
    last = len(transl) - 1
    before, after = max(frame - 1, 0), min(frame + 1, last)
    near = humanoid.qpos(rotmats[[before, frame, after]], transl[[before, frame, after]])
    near[:, 7:] = np.unwrap(near[:, 7:], axis=0)
    data.qpos[:] = near[1]
    if after > before:
        data.qvel[:] = humanoid.qvel(near[0], near[2], (after - before) / fps)
    mujoco.mj_forward(humanoid.model, data)


def _set_muscles(model: mujoco.MjModel, data: mujoco.MjData, muscles: Muscles, target: Array, tone: Array) -> None:
    stiffness = muscles.stiffness * tone
    model.actuator_gainprm[:, 0] = stiffness
    model.actuator_biasprm[:, 1] = -stiffness
    model.actuator_biasprm[:, 2] = -DAMPING * stiffness
    limit = muscles.strength * np.clip(2.0 * tone, 0.05, 1.0)
    model.actuator_forcerange[:, 0], model.actuator_forcerange[:, 1] = -limit, limit
    data.ctrl[:HINGES] = target


def _set_friction(humanoid: Humanoid, slides: Sequence[Slide], time: float) -> None:
    for slide in slides:
        on = slide.start <= time < slide.start + slide.seconds
        for joint in slide.joints:
            geom = humanoid.hulls[JOINT[joint]]
            if geom >= 0:
                humanoid.model.geom_friction[geom, 0] = slide.friction if on else FRICTION


def _pull(
    model: mujoco.MjModel, data: mujoco.MjData, event: Event, held: dict[str, Array], turn: Array, weight: float
) -> None:
    for force in event.forces:
        share = (data.time - force.start) / force.seconds
        if not 0.0 <= share <= 1.0:
            continue
        shape = (1 - np.cos(2 * np.pi * share)) / force.seconds * weight / len(force.joints)
        for joint in force.joints:
            body = model.body(joint).id
            data.xfrc_applied[body, :3] += turn @ np.array(force.way) * force.push * shape
            data.xfrc_applied[body, 3:] += turn @ np.array(force.way) * force.turn * shape
    for grip in event.grips:
        if data.time < grip.seconds:
            body = model.body(grip.joint).id
            velocity = np.zeros(6)
            mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_BODY, body, velocity, 0)
            pull = -6000.0 * (data.xpos[body] - held[grip.joint]) - 250.0 * velocity[3:]
            pull[2] = 0.0
            data.xfrc_applied[body, :3] += np.clip(pull, -900.0, 900.0)


def _touches(data: mujoco.MjData, hulls: set[int], other: int) -> bool:
    pairs = data.contact.geom[: data.ncon]
    return any((a in hulls and b == other) or (b in hulls and a == other) for a, b in pairs.tolist())


def _furniture_under(model: mujoco.MjModel, data: mujoco.MjData, hulls: set[int]) -> tuple[str, ...]:
    """Names of the furniture that the trunk touches."""
    names = set()
    for a, b in data.contact.geom[: data.ncon].tolist():
        for own, other in ((a, b), (b, a)):
            name = model.geom(other).name
            if own in hulls and "/" in name:
                names.add(name.split("/")[0])
    return tuple(sorted(names))


def _fastest(model: mujoco.MjModel, data: mujoco.MjData, ids: Array) -> float:
    """Speed of the fastest joint, m/s (body-centred spatial velocities moved to each body's own origin)."""
    spatial = data.cvel[ids]
    offset = data.xpos[ids] - data.subtree_com[model.body_rootid[ids]]
    linear = spatial[:, 3:] + np.cross(spatial[:, :3], offset)
    return float(np.linalg.norm(linear, axis=-1).max())


def _energy(model: mujoco.MjModel, data: mujoco.MjData) -> float:
    """Kinetic and potential energy of the body, J."""
    mujoco.mj_energyPos(model, data)
    mujoco.mj_energyVel(model, data)
    return float(data.energy[0] + data.energy[1])
