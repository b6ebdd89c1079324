"""The last centimetres of a sampled motion: feet that stand stay, hands that all but hold do, nobody is in anything.

A network's motion is right to a few centimetres, and shakes by as much from frame to frame. It is low-passed, as
captures are; what it means by its touches is measured (who holds whom, who sits on what, which soles stand); and the
optimiser that fits library motions to a room (`synth.motion.adapt`) makes those exact: the clean-up by inverse
kinematics that motion gets everywhere, here with the room and the partner. It is run again with what the skins
themselves say (`synth.motion.skinned`): capsules and spots know where flesh is to a centimetre or two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, sosfiltfilt

from synth.body import BodyModel
from synth.corpus.place import longest
from synth.corpus.touch import measured_contacts
from synth.interaction import Contact, Interaction
from synth.motion import mesh
from synth.motion.adapt import adapt
from synth.motion.carry import in_hands
from synth.motion.contact import Floor
from synth.motion.evidence import lying_flesh, spots_of, window
from synth.motion.fit import Prior, State, Term
from synth.motion.proxies import Proxies, points_of, proxies_of, skin_of
from synth.motion.quality import state_of
from synth.motion.skinned import entered, overlap
from synth.motion.soles import SIDES, detected_feet, sole_points, swinging_feet
from synth.motion.terms import Pace
from synth.room import Furniture, Room
from synth.rotation import matrix_from_6d, matrix_to_axis_angle
from synth.skeleton import JOINT

MEANT = 0.06  # metres between skins, or above a seat, that are meant as a touch
REACH = 0.14  # metres that a hand is brought at most to the spot that it holds
ASKED = 0.25  # metres that it is brought to a spot that was asked for
KNEELS = 0.15  # metres above the floor, at most, of the front of a knee that is on it
EARLY, SHORTEST = 1.0, 0.5  # seconds that a touch may come before or after it was asked for, and that it lasts at least
LIFTED = 0.25  # metres above or below the floor: beyond, it is no error of height
SETTLING = 0.2  # seconds, the width of the correction's filter
FALLS, SURELY = 0.8, 1.1  # m/s downwards, from where on the trunk's speed is kept, and kept fully
TRUNK = tuple(JOINT[name] for name in ("pelvis", "spine3", "head"))
CUTOFF = 4.0  # Hz: above it people move by millimetres (Winter, Biomechanics and Motor Control, ch. 3)
# Passes of the optimiser: what it may change, and its evaluations. What shakes does so faster than people move, so
# corrections may be quick; once all is nearly right, the skins themselves are looked at.
ROUGH = Prior(rotation=0.35, translation=0.12, seconds=0.2)
FINE = Prior(rotation=0.1, translation=0.03, seconds=0.2)
PASSES = ((ROUGH, 90), (FINE, 60), (FINE, 60), (FINE, 90))


def polished(
    motion: Interaction, body: BodyModel, room: Room | None, pieces: Sequence[Furniture],
    stands: np.ndarray | None = None, asked: Sequence[Contact] = (),
) -> Interaction:  # fmt: skip
    """The motion with its touches, soles and distances made exact; its contacts are those that were meant.

    `meta.quality["adapt"]` is measured on it, with `skin_depth`, which the gate looks at as well.

    Args:
        motion: in the room, with its people's bodies.
        room: what must not be entered; None: nothing but the pieces. pieces: furniture that somebody may rest on.
        stands: bool [P, T, 4], when heels and balls of the feet are said to stand (`synth.diffusion.sample.Sampled`).
        asked: touches that belong to what is done: of a hand and another's spot, which are held where the hand comes
            near enough, for as long as it does; and of people and the motion's props.
    """
    proxies = [proxies_of(body, shape) for shape in motion.betas]
    pace = _falling(motion, proxies)  # as it was sampled: smoothing takes a tenth of it
    motion = smoothed(motion)
    touching = measured_contacts(motion, body, pieces, touch=MEANT, on=MEANT)
    props = {prop.id for prop in motion.props}
    on_props = [contact for contact in asked if contact.target.get("object") in props]
    motion = grounded(motion, proxies, [*touching, *on_props])
    state = state_of(motion, proxies)
    held = [_held(contact, state, motion.times, proxies) for contact in asked if "person" in contact.target]
    meant = [*on_props, *(contact for contact in held if contact is not None)]
    busy = {(contact.person, contact.part) for contact in meant if "spot" in contact.target}  # hands hold one thing
    exact = [_exact(contact, state, motion.times, proxies) for contact in touching]
    meant += [contact for contact in exact if contact is not None and (contact.person, contact.part) not in busy]
    used = {str(contact.target.get("object")) for contact in meant}
    stage = tuple(piece.to_json() for piece in pieces if piece.id in used)
    whole = replace(motion, meta=replace(motion.meta, contacts=tuple(meant), stage=stage))
    whole = replace(whole, props=in_hands(whole, proxies))
    skin, solved = mesh.Skin.of(body), whole
    for prior, steps in PASSES:
        more: list[Term] = [pace, *_lifted(solved, proxies, stands)]
        if solved is not whole:
            more += entered(solved, proxies, body, skin)
        solved = adapt(
            solved, {}, motion.betas, body, room, steps=steps, stands=stands, fps=motion.fps, prior=prior, extra=more
        )
    measured = {**solved.meta.quality["adapt"], "skin_depth": overlap(solved, body, skin)}
    quality = {**solved.meta.quality, "adapt": measured}
    return replace(solved, meta=replace(solved.meta, stage=motion.meta.stage, quality=quality))


def _falling(motion: Interaction, proxies: Sequence[Proxies]) -> Pace:
    """Trunks that come down fast do: what makes a landing exact must not make it gentle."""
    joints = state_of(motion, proxies).joints[:, :, list(TRUNK)]
    velocity = torch.diff(joints, dim=1) * motion.fps
    weight = ((-velocity[..., 2] - FALLS) / (SURELY - FALLS)).clamp(0, 1)
    return Pace(TRUNK, velocity, weight, sigma=0.08)


def _lifted(motion: Interaction, proxies: Sequence[Proxies], stands: np.ndarray | None) -> list[Floor]:
    """Feet that neither stand nor rest are off the floor."""
    state = state_of(motion, proxies)
    rest = torch.tensor(np.stack([item.rest_joints for item in proxies]), dtype=torch.float32)
    found = []
    for person in range(motion.people):
        told = None if stands is None else stands[person]
        (lock,) = detected_feet(proxies, person, rest, state.transl, state.rotmats, motion.fps, stands=told)
        found.append(swinging_feet(proxies, person, lock, state, motion.fps))
    return found


def smoothed(motion: Interaction, cutoff: float = CUTOFF) -> Interaction:
    """The motion without what is faster than `cutoff` Hz: Butterworth, fourth order, without delay."""
    if motion.fps <= 2 * cutoff or motion.frames < 16:  # nothing that fast is in it, or nothing to tell it by
        return motion
    sections = butter(2, cutoff, fs=motion.fps, output="sos")  # twice, there and back: fourth order
    rotmats = sosfiltfilt(sections, motion.rotations(), axis=1)
    six = np.concatenate((rotmats[..., 0], rotmats[..., 1]), -1)
    pose = matrix_to_axis_angle(matrix_from_6d(six)).astype(np.float32)
    return replace(
        motion,
        transl=sosfiltfilt(sections, motion.transl.astype(float), axis=1).astype(np.float32),
        global_orient=pose[:, :, 0],
        body_pose=pose[:, :, 1:].reshape(motion.people, motion.frames, 69),
    )


def grounded(motion: Interaction, proxies: Sequence[Proxies], contacts: Sequence[Contact]) -> Interaction:
    """The motion with everybody's lowest skin on the floor, but for those moments in which furniture carries them.

    The correction is as slow as breathing: it takes away a height that is wrong, not a step.
    """
    state, transl = state_of(motion, proxies), motion.transl.astype(float)
    flesh = lying_flesh(proxies)
    depth = flesh.depth(state)
    for person in range(motion.people):
        low = [(person, f"{side}_{part}") for side in SIDES for part in ("buttock", "knee", "extremes")]
        points = [sole_points(proxies, person).where(state), skin_of(proxies, low)[0].where(state)]
        sunk = depth[flesh.points.person == person].amax(0)  # 0 where head and trunk are above the floor
        above = torch.cat([item[..., 2] for item in points]).amin(0)
        lowest = torch.where(sunk > 0, torch.minimum(above, -sunk), above).numpy()
        free = (np.abs(lowest) < LIFTED) & motion.present[person]
        for contact in contacts:
            if contact.person == person and contact.part == "pelvis" and contact.target.get("object") != "floor":
                free &= (window(motion.times, contact.start, contact.end) == 0).numpy()
        if free.sum() > 3:
            frames = np.arange(motion.frames)
            wanted = np.interp(frames, frames[free], -lowest[free])
            transl[person, :, 2] += gaussian_filter1d(wanted, SETTLING * motion.fps, mode="nearest")
    return replace(motion, transl=transl.astype(np.float32))


def _held(contact: Contact, state: State, times: np.ndarray, proxies: Sequence[Proxies]) -> Contact | None:
    """A touch that was asked for, while the hand is near its spot; None where it hardly ever is.

    It may begin and end `EARLY` before and after it was asked for: nothing made keeps time to the second.
    """
    own, its = spots_of(contact)
    hand = points_of(proxies, [(contact.person, own)]).where(state)[0]
    spot = points_of(proxies, [(int(contact.target["person"]), its)]).where(state)[0]
    near = ((spot - hand).norm(dim=-1) < ASKED).numpy()
    near &= (times >= contact.start - EARLY) & (times <= contact.end + EARLY)
    first, last = longest(near)
    if last - first < 2 or times[last - 1] - times[first] < SHORTEST:
        return None
    return replace(contact, start=float(times[first]), end=float(times[last - 1]))


def _exact(contact: Contact, state: State, times: np.ndarray, proxies: Sequence[Proxies]) -> Contact | None:
    """A hand's contact with the spot of the other's body that it is nearest to; None where that is too far away.

    Nor is a knee on the floor that is high above it: its skin reaches down to the ankle, and who was sampled in the
    floor to the ankles does not kneel.
    """
    if "person" not in contact.target:
        if contact.part in ("left_knee", "right_knee") and contact.target.get("object") == "floor":
            on = window(times, contact.start, contact.end) > 0
            height = points_of(proxies, [(contact.person, contact.part)]).where(state)[0, on, 2]
            return contact if float(height.median()) < KNEELS else None
        return contact
    other = int(contact.target["person"])
    names = [name for name in proxies[other].spots if name != "eyes"]
    hand = points_of(proxies, [(contact.person, contact.part)]).where(state)[0]
    spots = points_of(proxies, [(other, name) for name in names]).where(state)
    on = window(times, contact.start, contact.end) > 0
    gaps = (spots - hand).norm(dim=-1)[:, on].mean(-1)
    nearest = int(gaps.argmin())
    if float(gaps[nearest]) > REACH:
        return None
    return replace(contact, target={**contact.target, "own_spot": contact.part, "spot": names[nearest]})
