"""Fit a library motion to the people and the furniture of a clip.

The library holds a motion on its own bodies against its own furniture. Here the same optimiser that made it solves it
again: feet stand for these leg lengths, hands hold these arms, one sits on this seat, nobody enters this furniture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from synth.body import BodyModel
from synth.interaction import Contact, Interaction, Prop
from synth.motion import evidence
from synth.motion.carry import in_hands
from synth.motion.contact import FootLock
from synth.motion.fit import Prior, Problem, Term, fit
from synth.motion.kinematics import exp_map, forward_kinematics, log_map
from synth.motion.proxies import Proxies, proxies_of
from synth.motion.quality import measure
from synth.motion.soles import detected_feet, sole_points
from synth.motion.terms import JointLimits, KeyPose, Smoothness
from synth.room import Box, Furniture, Room, furniture_from_json
from synth.rooms.props import is_furniture
from synth.rotation import Array, matrix_to_axis_angle
from synth.skeleton import JOINT, facing_yaw

PRIOR = Prior(rotation=0.35, translation=0.12, seconds=0.45)
SOLVE_FPS = 10.0  # corrections are smooth: solved at this rate, they are carried to every frame
CALM = 0.05  # seconds, width of the filter of accelerations that are taken to be meant
SETTLE = 0.15  # seconds, width of the filter over which a body comes down onto a seat of another height
NEAR = 0.7  # metres: furniture farther than this from everybody's way is left out


def adapt(
    motion: Interaction,
    stage_map: Mapping[str, Furniture],
    betas: Array,
    body: BodyModel,
    room: Room | None,
    rng: np.random.Generator | None = None,
    steps: int = 70,
    stands: np.ndarray | None = None,
    fps: float = SOLVE_FPS,
    prior: Prior = PRIOR,
    extra: Sequence[Term] = (),
) -> Interaction:
    """The motion for other bodies and the room's furniture.

    Args:
        motion: a library motion, already placed in the room (`Interaction.transform`), its stage moved along.
        stage_map: id of the stage's furniture -> the room's piece that takes its place.
        betas: [P, 10] the people of the clip.
        body: their body model.
        room: whose other furniture must not be entered; None for an empty one.
        rng: unused; kept so that callers need not care which step draws at random.
        steps: evaluations the optimiser may spend.
        stands: bool [P, T, 4], when left heel, left ball, right heel and right ball stand on the floor; by default as
            slow and low as they are.
        fps: at which it is solved, at most: corrections are smooth, and carried to every frame.
        prior: belief about the corrections.
        extra: more evidence, on the solved frames.

    Returns:
        The motion, its contacts and stage named after the room's furniture, `meta.quality["adapt"]` measured
        (see `synth.motion.quality.measure`). Deterministic.
    """
    del rng
    betas = np.asarray(betas, np.float32)
    old = [proxies_of(body, shape) for shape in motion.betas]
    new = [proxies_of(body, shape) for shape in betas]
    stage = {str(item["id"]): furniture_from_json(item, "stage", "stage") for item in motion.meta.stage}
    pieces = {**stage, **stage_map}
    shift = _seat_shift(motion, old, stage, pieces)

    motion = replace(motion, props=tuple(_shifted(prop, shift) for prop in motion.props))
    rest_old, rest_new = _rest(old), _rest(new)
    rotmats = torch.tensor(motion.rotations(), dtype=torch.float32)
    transl = torch.tensor(motion.transl, dtype=torch.float32)
    pelvis = transl + rest_old[:, None, 0]
    moved = _on_legs(pelvis, rest_old, rest_new, shift)
    first = moved - rest_new[:, None, 0]

    stride = max(1, round(motion.fps / fps))
    keep = torch.arange(0, motion.frames, stride)
    if keep[-1] != motion.frames - 1:
        keep = torch.cat((keep, torch.tensor([motion.frames - 1])))
    times = keep.numpy() / motion.fps
    terms: list = []
    for person in range(motion.people):
        told = None if stands is None else stands[person]
        (lock,) = detected_feet(old, person, rest_old, transl, rotmats, motion.fps, stands=told)
        terms.append(_refooted(lock, new, person, shift, keep))
    terms += _contacts(motion, new, pieces, times, rotmats[:, keep])
    solids = _nearby(room, pieces, moved)
    names = {key: piece.id for key, piece in pieces.items()}
    on = {(c.person, names.get(str(c.target["object"]), "")) for c in motion.meta.contacts if "object" in c.target}
    if motion.people > 1:
        terms += evidence.apart(new, evidence.held_spots(motion.meta.contacts))
        terms += evidence.hands_out(new)
    terms += evidence.furniture(new, solids, on)
    terms += evidence.rolling(new, motion.props, motion.fps, times, on)
    like = torch.ones(motion.people, len(keep), 24)
    for name in ("left_hand", "right_hand", "left_wrist", "right_wrist"):
        like[:, :, JOINT[name]] = 3.0
    usual = _usual(rotmats[:, keep], first[:, keep], rest_new, motion.fps / stride)
    terms += [
        KeyPose(rotmats[:, keep], like, sigma=0.35, name="as_captured"),
        *evidence.above_floor(new), JointLimits(soften=0.15),
        Smoothness("acceleration", sigma=5.0, usual=usual),
    ]  # fmt: skip
    terms += extra
    problem = Problem(rest_new, first[:, keep], rotmats[:, keep], motion.fps / stride, terms, prior)
    solved_transl, solved_rotmats, _ = fit(problem, steps=steps)

    correction = log_map(rotmats[:, keep].transpose(-1, -2) @ solved_rotmats)
    rotmats = rotmats @ exp_map(_spread(correction, keep, motion.frames))
    final = first + _spread(solved_transl - first[:, keep], keep, motion.frames)
    pose = matrix_to_axis_angle(rotmats.numpy().astype(float)).astype(np.float32)
    result = replace(
        motion,
        transl=final.numpy(),
        global_orient=pose[:, :, 0],
        body_pose=pose[:, :, 1:].reshape(motion.people, motion.frames, 69),
        betas=betas,
        meta=replace(
            motion.meta,
            contacts=tuple(_renamed(contact, names) for contact in motion.meta.contacts),
            stage=tuple(piece.to_json() for piece in pieces.values()),
        ),
    )
    result = replace(result, props=in_hands(result, new))
    quality = {**motion.meta.quality, "adapt": measure(result, new, solids)}
    return replace(result, meta=replace(result.meta, quality=quality))


def settled(motion: Interaction, stage_map: Mapping[str, Furniture], betas: Array, body: BodyModel) -> Interaction:
    """What `adapt` begins with, for who goes on from there: poses as they are, their roots where they belong.

    Legs of another length stand on the floor; who sits or lies on a seat is as high above the room's as above the
    stage's, whatever the two heights.

    Args, frames: as for `adapt`; contacts and stage keep the stage's names.
    """
    betas = np.asarray(betas, np.float32)
    old, new = ([proxies_of(body, shape) for shape in shapes] for shapes in (motion.betas, betas))
    stage = {str(item["id"]): furniture_from_json(item, "stage", "stage") for item in motion.meta.stage}
    pieces = {**stage, **stage_map}
    shift = _seat_shift(motion, old, stage, pieces)
    rest_old, rest_new = _rest(old), _rest(new)
    pelvis = torch.tensor(motion.transl, dtype=torch.float32) + rest_old[:, None, 0]
    moved, heights = _on_legs(pelvis, rest_old, rest_new, shift).numpy(), pelvis[..., 2].numpy()
    rolling = evidence.seats_of(motion.props)
    before, after = {**stage, **rolling}, {**pieces, **rolling}
    for contact in motion.meta.contacts:
        target = str(contact.target.get("object", ""))
        levels = [piece.seat_height for piece in (before.get(target), after.get(target)) if piece is not None]
        if contact.part != "pelvis" or len(levels) < 2 or None in levels:
            continue
        on = ((motion.times >= contact.start) & (motion.times <= contact.end)).astype(float)
        on = gaussian_filter1d(on, SETTLE * motion.fps, mode="nearest")
        seat = heights[contact.person] + levels[1] - levels[0]
        moved[contact.person, :, 2] += on * (seat - moved[contact.person, :, 2])
    return replace(
        motion,
        transl=moved - rest_new[:, None, 0].numpy(),
        betas=betas,
        props=tuple(_shifted(prop, shift) for prop in motion.props),
    )


def _usual(rotmats: torch.Tensor, transl: torch.Tensor, rest: torch.Tensor, fps: float) -> torch.Tensor:
    """Accelerations of the joints as they come [P, T - 2, 24], m/s^2, without what shakes: a fall stays one."""
    joints, _ = forward_kinematics(rotmats, rest[:, None], transl)
    change = gaussian_filter1d(torch.diff(joints, n=2, dim=1).numpy() * fps**2, CALM * fps, axis=1, mode="nearest")
    return torch.from_numpy(np.linalg.norm(change, axis=-1).astype(np.float32))


def _shifted(prop: Prop, shift: Array) -> Prop:
    """What hands hold goes with the people; what rolls or stands stays where it was placed."""
    return prop if is_furniture(prop.cls) else replace(prop, transl=prop.transl + np.append(shift, 0.0))


def _rest(proxies: Sequence[Proxies]) -> torch.Tensor:
    return torch.tensor(np.stack([item.rest_joints for item in proxies]), dtype=torch.float32)


def _on_legs(pelvis: torch.Tensor, rest_old: torch.Tensor, rest_new: torch.Tensor, shift: Array) -> torch.Tensor:
    """Pelvises [P, T, 3] at the height of the new legs, shifted by (x, y)."""
    moved = pelvis.clone()
    moved[..., 2] = pelvis[..., 2] * (_legs(rest_new) / _legs(rest_old))[:, None]
    moved[..., :2] += torch.tensor(shift, dtype=torch.float32)
    return moved


def _legs(rest: torch.Tensor) -> torch.Tensor:
    """Pelvis to ankle, metres [P]."""
    return rest[:, 0, 1] - rest[:, JOINT["left_ankle"], 1] + 0.07


def _spread(values: torch.Tensor, keep: torch.Tensor, frames: int) -> torch.Tensor:
    """Values [P, K, ...] at frames `keep` to all frames: Catmull-Rom through them, so that speeds stay smooth."""
    flat = values.numpy().reshape(values.shape[0], len(keep), -1).astype(float)
    at = keep.numpy().astype(float)
    slope = np.gradient(flat, at, axis=1) if len(at) > 1 else np.zeros_like(flat)
    frame = np.arange(frames)
    left = np.clip(np.searchsorted(at, frame, side="right") - 1, 0, max(len(at) - 2, 0))
    right = np.minimum(left + 1, len(at) - 1)
    width = np.maximum(at[right] - at[left], 1e-9)
    u = ((frame - at[left]) / width)[None, :, None]
    width = width[None, :, None]
    h00, h10 = 2 * u**3 - 3 * u**2 + 1, u**3 - 2 * u**2 + u
    h01, h11 = -2 * u**3 + 3 * u**2, u**3 - u**2
    every = h00 * flat[:, left] + h10 * width * slope[:, left] + h01 * flat[:, right] + h11 * width * slope[:, right]
    return torch.from_numpy(every.astype(np.float32)).reshape(values.shape[0], frames, *values.shape[2:])


def _refooted(lock: FootLock, proxies: Sequence[Proxies], person: int, shift: Array, keep: torch.Tensor) -> FootLock:
    """Plants of the old body for the new one's feet: same middle and direction, its own foot length."""
    anchor = lock.anchor.clone()
    for row, name in ((0, "left"), (2, "right")):
        heel, ball = anchor[row].clone(), anchor[row + 1].clone()
        line = ball - heel
        line = line / line.norm(dim=-1, keepdim=True).clamp_min(1e-6)
        length = abs(proxies[person].spot(f"{name}_ball").offset[2] - proxies[person].spot(f"{name}_heel").offset[2])
        both = ((lock.window[row] > 0) & (lock.window[row + 1] > 0))[:, None]
        middle = 0.5 * (heel + ball)
        anchor[row] = torch.where(both, middle - 0.5 * float(length) * line, heel)
        anchor[row + 1] = torch.where(both, middle + 0.5 * float(length) * line, ball)
    anchor[..., :2] += torch.tensor(shift, dtype=torch.float32)
    return FootLock(sole_points(proxies, person), anchor[:, keep], lock.window[:, keep])


def _contacts(
    motion: Interaction,
    proxies: Sequence[Proxies],
    pieces: Mapping[str, Furniture],
    times: Array,
    rotmats: torch.Tensor,
) -> list:
    """Holds between people and of props; buttocks or back on seats, beds and the floor."""
    holds = []
    for contact in motion.meta.contacts:
        if "person" in contact.target:
            own, other = evidence.spots_of(contact)
            on = evidence.window(times, contact.start, contact.end)
            holds.append(
                (contact.person, own, int(contact.target["person"]), other, on, evidence.palm_turn(own, other))
            )
    carriers = {**pieces, **evidence.seats_of(motion.props)}
    return [
        *evidence.holds(proxies, holds),
        *evidence.handles(proxies, motion, times),
        *evidence.seats(proxies, evidence.sitting(motion.meta.contacts, carriers, times, rotmats)),
        *evidence.kneeling(proxies, motion.meta.contacts, times),
        *evidence.rests(proxies, evidence.lying(motion.meta.contacts, carriers, times, rotmats)),
    ]


def _seat_shift(
    motion: Interaction, proxies: Sequence[Proxies], stage: Mapping[str, Furniture], pieces: Mapping[str, Furniture]
) -> Array:
    """Metres (x, y) that bring the sitter as far from the real seat's front edge as from the stage's."""
    for contact in motion.meta.contacts:
        target = str(contact.target.get("object", ""))
        if target not in stage or contact.part != "pelvis" or pieces[target] is stage[target]:
            continue
        frame = int(np.clip(round(0.5 * (contact.start + contact.end) * motion.fps), 0, motion.frames - 1))
        if stage[target].cls == "bed":
            frame = evidence.on_edge(motion, contact.person, stage[target], frame)
        pelvis = motion.transl[contact.person, frame] + proxies[contact.person].rest_joints[0]
        yaw = float(facing_yaw(motion.rotations()[contact.person, frame, 0]))
        ahead = np.array([np.cos(yaw), np.sin(yaw)])
        before = _edge(stage[target], pelvis, ahead)
        after = _edge(pieces[target], pelvis, ahead)
        return (after - before) * ahead
    return np.zeros(2)


def _edge(piece: Furniture, point: Array, ahead: Array) -> float:
    """Metres from `point` along the direction `ahead` (x, y) to where the seat (or the box) ends; negative past it."""
    local = piece.box.to_local(np.array([point[0], point[1], piece.box.center[2]]))[:2]
    tip = piece.box.to_local(np.array([point[0] + ahead[0], point[1] + ahead[1], piece.box.center[2]]))[:2]
    way = tip - local
    bearing = _bearing(piece)
    middle, half = np.asarray(bearing.center)[:2], 0.5 * np.asarray(bearing.size)[:2]
    axis = int(np.argmax(np.abs(way)))
    return float((np.sign(way[axis]) * half[axis] + middle[axis] - local[axis]) / way[axis])


def _bearing(piece: Furniture) -> Box:
    """What carries the sitter, in the piece's frame: the solid that ends at the seat's height, else seat, else box."""
    height = (piece.seat_height or 0.0) - piece.box.center[2]
    fitting = [solid for solid in piece.solids if abs(solid.center[2] + solid.size[2] / 2 - height) < 0.03]
    if fitting:
        return max(fitting, key=lambda solid: float(solid.size[0] * solid.size[1]))
    return piece.seat if piece.seat is not None else Box(np.zeros(3), np.asarray(piece.box.size))


def _nearby(room: Room | None, pieces: Mapping[str, Furniture], pelvis: torch.Tensor) -> list[Furniture]:
    """The room's furniture close to anybody's way, and the pieces the motion uses."""
    listed = {piece.id: piece for piece in pieces.values()}
    way = pelvis[..., :2].reshape(-1, 2).numpy()
    for piece in room.furniture if room is not None else ():
        local = np.abs((way - piece.box.center[:2]) @ _turn(piece.box.yaw)) - np.asarray(piece.box.size)[:2] / 2
        if piece.cls != "door" and np.linalg.norm(np.maximum(local, 0), axis=-1).min() < NEAR:
            listed.setdefault(piece.id, piece)
    return list(listed.values())


def _turn(yaw: float) -> Array:
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s], [s, c]])


def _renamed(contact: Contact, names: Mapping[str, str]) -> Contact:
    target = dict(contact.target)
    if "object" in target:
        target["object"] = names.get(str(target["object"]), target["object"])
    return replace(contact, target=target)
