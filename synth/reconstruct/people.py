"""Everybody in one world: estimates of single frames, keypoints and the floor, solved together (thesis 4.2).

A regressor sees one crop at a time: its poses are good, its depths are not, and from frame to frame it shakes. The
trajectory optimiser (`synth.motion.fit`) joins what it says with the annotated keypoints, which say where in the
picture everything is, and with what is known of people in rooms: they move evenly (eq. 4.1), stand on the floor with
feet that stay where they stand, and are not in each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation, Slerp

from synth.body.model import BodyModel
from synth.camera import Camera
from synth.errors import BadOption
from synth.interaction import Contact, Interaction
from synth.motion import evidence
from synth.motion.contact import Resting
from synth.motion.fit import Prior, Problem, Report, State, Term, fit
from synth.motion.proxies import Proxies, points_of, proxies_of
from synth.motion.quality import state_of
from synth.motion.soles import SIDES, detected_feet
from synth.motion.terms import JointLimits, KeyPose, Smoothness
from synth.reconstruct.grounding import Carrier, carried_by, stood
from synth.reconstruct.keypoints import Observed, Reprojection, coco_points, projected, reprojection_error
from synth.reconstruct.occlusion import Occluded, occluded
from synth.reconstruct.projection import Optics
from synth.reconstruct.steps import speed, standing
from synth.room import Furniture
from synth.rotation import Array, matrix_from_6d, matrix_to_axis_angle
from synth.skeleton import JOINT, SMPL_JOINTS


@dataclass(frozen=True)
class Pass:
    """A pass of the optimiser: what a motion may be off by, evaluations, and from where on keypoints are outliers."""

    prior: Prior
    steps: int
    outlier: float  # standard deviations


# Estimates start far off, where good keypoints look like outliers; feet and bodies count once people are in place.
PASSES = (
    Pass(Prior(rotation=0.35, translation=0.4, seconds=0.5), 60, 20.0),
    Pass(Prior(rotation=0.25, translation=0.15, seconds=0.25), 60, 8.0),
    Pass(Prior(rotation=0.15, translation=0.06, seconds=0.15), 50, 4.0),
)
ACCELERATION = 4.0  # m/s^2, one standard deviation of what joints of people in care do
STRIDES = {"knee": 4.0, "ankle": 8.0, "foot": 8.0}  # 1/s, of legs' accelerations: times the speed of who walks on them
BELIEF = 0.25  # radians by which a regressor's joint angles are off
SOLES = tuple(f"{side}_{spot}" for side in SIDES for spot in ("heel", "ball", "toes"))
AFOOT = 0.02  # metres, one standard deviation of the height of the lowest sole
STANDS, WALKS = 0.22, 0.4  # m/s, or share of the walker's speed, that a foot which stands seems to move at most
SHAKING = 0.15  # seconds, the width of the filter that takes it away
ASIDE = 100.0  # metres
PRESSED = 0.02  # metres, one standard deviation of how well the furniture's boxes are known


@dataclass(frozen=True)
class Refined:
    """People in the world, and how far to trust them.

    Attributes:
        motion: everybody, in the camera's world.
        occluded: whose estimates were not believed, and when.
        reprojection: mean pixels between keypoints and motion, a person; before: of the estimates.
        report: of the last pass of the optimiser.
    """

    motion: Interaction
    occluded: Occluded
    reprojection: tuple[float, ...]
    before: tuple[float, ...]
    report: Report


def refined(
    estimates: Interaction, observed: Observed, camera: Camera, body: BodyModel, resting: np.ndarray | None = None,
    furniture: Sequence[Furniture] = (), present: np.ndarray | None = None,
) -> Refined:  # fmt: skip
    """Estimates of single frames to one motion.

    Args:
        estimates: of all people in the world of the camera, floor z = 0; one shape a person.
        observed: their keypoints, in the same order and frames.
        camera: with its pose in that world.
        body: what the estimates are of.
        resting: bool [P, T], who is carried by furniture, so that their feet say nothing of the floor.
        furniture: of the room. Who rests does so on the nearest piece that has a seat; nobody enters any.
        present: bool [P, T], who is there, and so in others' way; everybody by default.

    Raises:
        BadOption: numbers of people or frames differ.
    """
    shape = (estimates.people, estimates.frames)
    if shape != (observed.people, observed.frames):
        raise BadOption("observed", (observed.people, observed.frames), f"people and frames of the estimates, {shape}")
    resting = np.zeros(shape, bool) if resting is None else resting
    present = np.ones(shape, bool) if present is None else present
    proxies = [proxies_of(body, betas) for betas in estimates.betas]
    points, optics = coco_points(body, estimates.betas), Optics.of(camera)
    state = state_of(estimates, proxies)
    pixels = projected(state, points, optics, estimates.people)
    hidden = occluded(pixels, observed)
    believed = estimates.present & ~hidden.masked
    motion = calmed(filled(estimates, believed))
    carriers = carried_by(motion, proxies, resting, furniture)
    motion = stood(motion, proxies, camera, resting, carriers)
    carriers = carried_by(motion, proxies, resting, furniture)  # nearer to the truth, now that depths are
    first = state_of(motion, proxies)
    for number, one in enumerate(PASSES):
        terms = [Reprojection.of(observed, points, optics, one.outlier), *_terms(motion, proxies, first, believed)]
        if number:
            terms += _bodies(motion, proxies, resting, observed, camera, present)
            terms += _carried(motion, proxies, carriers, furniture)
        motion, report = _solved(motion, proxies, terms, one)
    after = projected(state_of(motion, proxies), points, optics, motion.people)
    return Refined(
        motion, hidden, tuple(reprojection_error(observed.seen, after, observed)),
        tuple(reprojection_error(observed.seen, pixels, observed)), report,
    )  # fmt: skip


def filled(motion: Interaction, believed: np.ndarray) -> Interaction:
    """Frames that are not believed [P, T] are taken from those around them: places evenly, rotations on the way.

    Who is never believed stays as estimated.
    """
    transl, rotmats = motion.transl.astype(float), motion.rotations().astype(float)
    frames = np.arange(motion.frames)
    for person in range(motion.people):
        keys = np.flatnonzero(believed[person])
        if len(keys) == 0 or len(keys) == motion.frames:
            continue
        at = np.clip(frames, keys[0], keys[-1])
        transl[person] = np.stack([np.interp(at, keys, column[keys]) for column in transl[person].T], -1)
        if len(keys) == 1:
            rotmats[person] = rotmats[person, keys[0]]
            continue
        for joint in range(rotmats.shape[2]):
            turn = Slerp(keys, Rotation.from_matrix(rotmats[person, keys, joint]))
            rotmats[person, :, joint] = turn(at).as_matrix()
    return posed(motion, transl, rotmats)


def calmed(motion: Interaction) -> Interaction:
    """The motion without what changes from frame to frame: corrections are smooth, and would keep it (`SHAKING`)."""
    width = SHAKING * motion.fps
    rotmats = gaussian_filter1d(motion.rotations().astype(float), width, axis=1, mode="nearest")
    six = np.concatenate((rotmats[..., 0], rotmats[..., 1]), -1)
    transl = gaussian_filter1d(motion.transl.astype(float), width, axis=1, mode="nearest")
    return posed(motion, transl, matrix_from_6d(six))


def _carried(
    motion: Interaction, proxies: list[Proxies], carriers: Sequence[Carrier], furniture: Sequence[Furniture]
) -> list[Term]:
    """Who rests does so at the height of what carries them, sitting or lying as they do; nobody enters furniture."""
    pieces = {piece.id: piece for piece in furniture}
    contacts = [Contact(one.person, "pelvis", {"object": one.piece.id}, *_span(one.on, motion.fps)) for one in carriers]
    rotmats = torch.from_numpy(motion.rotations().astype(np.float32))
    return [
        *evidence.seats(proxies, evidence.sitting(contacts, pieces, motion.times, rotmats)),
        *evidence.rests(proxies, evidence.lying(contacts, pieces, motion.times, rotmats)),
        *evidence.furniture(proxies, list(furniture), {(one.person, one.piece.id) for one in carriers}, sigma=PRESSED),
    ]


def _span(on: np.ndarray, fps: float) -> tuple[float, float]:
    frames = np.flatnonzero(on)
    return float(frames[0]) / fps, float(frames[-1]) / fps


def _terms(motion: Interaction, proxies: list[Proxies], first: State, believed: np.ndarray) -> list[Term]:
    trusted = torch.from_numpy(believed.astype(np.float32))[..., None].expand(-1, -1, 24)
    return [
        KeyPose(first.rotmats, trusted, sigma=BELIEF, name="estimate"),
        *evidence.above_floor(proxies), JointLimits(soften=0.1),
        Smoothness("acceleration", ACCELERATION, usual=_strides(motion)),
    ]  # fmt: skip


def _strides(motion: Interaction) -> torch.Tensor:
    """The accelerations of joints [P, T - 2, 24] that walking itself has, m/s^2: feet swing and stop at every step."""
    found = np.zeros((motion.people, max(motion.frames - 2, 0), len(SMPL_JOINTS)), np.float32)
    if motion.frames > 2:
        walks = speed(motion.transl[..., :2], motion.fps)[:, 1:-1]
        for part, share in STRIDES.items():
            for side in SIDES:
                found[..., JOINT[f"{side}_{part}"]] = share * walks
    return torch.from_numpy(found)


def _bodies(
    motion: Interaction, proxies: list[Proxies], resting: np.ndarray, observed: Observed, camera: Camera,
    present: np.ndarray,
) -> list[Term]:  # fmt: skip
    """Who is not carried by furniture has a foot on the floor, feet stay where they stand, nobody is in anybody."""
    state, rest = state_of(motion, proxies), _rest(proxies)
    soles = points_of(proxies, [(person, name) for person in range(motion.people) for name in SOLES])
    people = torch.arange(motion.people)
    on = torch.from_numpy((motion.present & ~resting).astype(np.float32))
    terms: list[Term] = [
        Resting(soles, people.repeat_interleave(len(SOLES)), torch.zeros(len(people)), on, AFOOT, "grounded")
    ]
    way = motion.transl[..., :2]
    slow = np.maximum(STANDS, WALKS * speed(way, motion.fps))
    seen = (standing(observed, camera, way) & ~resting[..., None]).repeat(2, -1)  # heel and ball of either foot
    for person in range(motion.people):
        terms += detected_feet(
            proxies, person, rest, state.transl, state.rotmats, motion.fps, slow[person], seen=seen[person]
        )
    if motion.people > 1:
        between: list[Term] = [*evidence.apart(proxies, []), *evidence.hands_out(proxies)]
        terms += between if present.all() else [Among.of(term, present) for term in between]
    return terms


@dataclass(frozen=True)
class Among:
    """A term about bodies that meet, for those who are there: who is away is `ASIDE` of all others.

    Else who left would stand where they were seen last, and push whoever passes by.
    """

    term: Term
    aside: torch.Tensor  # [P, T, 1, 3] metres

    @staticmethod
    def of(term: Term, present: np.ndarray) -> Among:
        away = ASIDE * (1 + np.arange(len(present)))[:, None] * ~present
        return Among(term, torch.from_numpy(away.astype(np.float32))[..., None, None] * torch.tensor([1.0, 0.0, 0.0]))

    @property
    def name(self) -> str:
        return self.term.name

    def residual(self, state: State) -> torch.Tensor:
        return self.term.residual(replace(state, joints=state.joints + self.aside))


def _rest(proxies: list[Proxies]) -> torch.Tensor:
    return torch.tensor(np.stack([item.rest_joints for item in proxies]), dtype=torch.float32)


def _solved(motion: Interaction, proxies: list[Proxies], terms: list[Term], one: Pass) -> tuple[Interaction, Report]:
    rotmats = torch.from_numpy(motion.rotations().astype(np.float32))
    problem = Problem(_rest(proxies), torch.from_numpy(motion.transl), rotmats, motion.fps, terms, one.prior)
    transl, turned, report = fit(problem, steps=one.steps)
    return posed(motion, transl.numpy(), turned.numpy()), report


def posed(motion: Interaction, transl: Array, rotmats: Array) -> Interaction:
    """The motion's people elsewhere, in other poses: transl [P, T, 3], rotmats [P, T, 24, 3, 3] local."""
    pose = matrix_to_axis_angle(np.asarray(rotmats, float)).astype(np.float32)
    return replace(
        motion,
        transl=np.asarray(transl, np.float32),
        global_orient=pose[:, :, 0],
        body_pose=pose[:, :, 1:].reshape(motion.people, motion.frames, 69),
    )
