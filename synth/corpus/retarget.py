"""Real motion on our body: the capture's posture transferred bone by bone, then refined on the floor.

`anatomy.transfer` gives directions and bends exactly; what it cannot know is where our soles, back and hands meet the
floor. `stand` puts the standing feet on z = 0, `refine` solves for the rest with the project's one optimiser.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from synth.body import BodyModel
from synth.corpus import anatomy, ground
from synth.corpus.capture import Capture
from synth.errors import BadOption
from synth.interaction import Interaction, Meta, single
from synth.motion import contact, terms
from synth.motion.fit import Prior, Problem, State, Term, fit
from synth.skeleton import facing_yaw, transform_root

LIBRARY_FPS = 20.0
# Corrections are small and may change within a step: a foot lands and leaves in a quarter of a second.
PRIOR = Prior(rotation=0.15, translation=0.1, seconds=0.25, joints={10: 4.0, 11: 4.0})  # toes bend as they must
LIMITS = terms.JointLimits(sigma=0.2, soften=0.3)  # only what no joint can do: the posture was performed


def stand(capture: Capture, body: BodyModel, betas: np.ndarray, rotmats: np.ndarray, transl: np.ndarray) -> np.ndarray:
    """`transl` moved up or down so that the feet which stand in the capture stand on the floor z = 0."""
    heights = ground.sole_positions(body, betas, rotmats, transl)[..., 2]
    lowest = [
        heights[2 * k : 2 * k + 2, anatomy.standing_frames(capture, s)].min(0) for k, s in enumerate(anatomy.SIDES)
    ]
    standing = np.concatenate(lowest)
    floor = np.median(standing) if len(standing) >= 5 else np.percentile(heights.min(0), 5)
    return transl - np.array([0.0, 0.0, floor])


def retarget(
    capture: Capture,
    body: BodyModel,
    betas: np.ndarray | None = None,
    fps: float = LIBRARY_FPS,
    window: tuple[float, float | None] = (0.0, None),
    refined: bool = True,
) -> Interaction:
    """A capture as motion of our body: feet on the floor z = 0, starting over the origin and facing +x.

    Args:
        capture: any skeleton that `anatomy.family_of` knows.
        body: the body model.
        betas: its shape [10]; the mean shape by default.
        fps: of the result, any positive number.
        window: seconds of the capture to keep. The whole of it serves to find floor and joint axes, so give it whole.
        refined: solve for the floor (`refine`); without it the result is the bare transfer, in milliseconds.

    Raises:
        anatomy.UnknownSkeleton: the capture's joints are foreign.
        BadOption: fps, betas or window out of range.
    """
    if not fps > 0:
        raise BadOption("fps", fps, "a positive number")
    shape = np.zeros(10) if betas is None else np.asarray(betas, float)
    if shape.shape != (10,):
        raise BadOption("betas", shape.shape, "shape (10,)")
    rest = body.rest_joints(shape).astype(float)
    sampled = capture.resample(fps)
    first = round(window[0] * fps)
    last = sampled.frames if window[1] is None else min(sampled.frames, round(window[1] * fps) + 1)
    if not 0 <= first < last:
        raise BadOption("window", window, f"seconds within the capture's {capture.seconds:.2f}")
    rotmats, transl = anatomy.transfer(sampled, rest)
    transl = stand(sampled, body, shape, rotmats, transl)
    rotmats, transl = normalise(rotmats[first:last], transl[first:last], rest)
    if refined:
        rotmats, transl = refine(body, shape, rotmats, transl, fps)
    return single(fps, transl, rotmats, shape, Meta(roles=("person",), genders=("neutral",), body_model=body.name))


@dataclass(frozen=True)
class Carried:
    """In every frame something touches the floor: the lowest of `points` is not above it, sigma in metres.

    True of everything people do slowly; only leave it out for jumps. `window` [T] switches frames off.
    """

    points: contact.Points
    window: torch.Tensor
    sigma: float = 0.01
    name: str = "carried"

    def residual(self, state: State) -> torch.Tensor:
        lowest = self.points.where(state)[..., 2].amin(0)
        return torch.relu(lowest) * self.window / self.sigma


def refine(
    body: BodyModel, betas: np.ndarray, rotmats: np.ndarray, transl: np.ndarray, fps: float, steps: int = 60
) -> tuple[np.ndarray, np.ndarray]:
    """The motion solved so that standing soles keep their place, nothing is below the floor and joints can bend so.

    Args and result: rotmats [T, 24, 3, 3] and transl [T, 3] of one person over the floor z = 0.
    """
    problem = Problem(
        rest_joints=torch.from_numpy(body.rest_joints(betas).astype(np.float32))[None],
        transl=torch.from_numpy(transl.astype(np.float32))[None],
        rotmats=torch.from_numpy(rotmats.astype(np.float32))[None],
        fps=fps,
        terms=(*floor_terms(body, betas, rotmats, transl, fps), LIMITS),
        prior=PRIOR,
    )
    moved, turned, _ = fit(problem, steps=steps)
    return turned[0].double().numpy(), moved[0].double().numpy()


def floor_terms(
    body: BodyModel, betas: np.ndarray, rotmats: np.ndarray, transl: np.ndarray, fps: float, person: int = 0
) -> tuple[Term, ...]:
    """What one of the people of a problem owes the floor: standing soles keep their place, nothing is below it."""
    planting = ground.plant(body, betas, rotmats, transl, fps)
    soles = contact.Points(
        torch.full((4,), person, dtype=torch.long),
        torch.from_numpy(planting.joints),
        torch.from_numpy(planting.offsets.astype(np.float32)),
    )
    ids, offsets = surface_points(body, betas)
    ids, offsets = (
        np.concatenate([ids, planting.joints]),
        np.concatenate([offsets, planting.offsets.astype(np.float32)]),
    )
    owner = torch.full((len(ids),), person, dtype=torch.long)
    surface = contact.Points(owner, torch.from_numpy(ids), torch.from_numpy(offsets))
    return (
        contact.FootLock(
            soles,
            torch.from_numpy(planting.anchor.astype(np.float32)),
            torch.from_numpy(planting.planted.astype(np.float32)),
        ),
        contact.Floor(soles),
        contact.Floor(surface, sigma=0.006, name="floor_body"),
        Carried(surface, torch.ones(len(transl))),
    )


def surface_points(body: BodyModel, betas: np.ndarray, count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Joints [N] and offsets [N, 3] of skin points spread evenly over the body, each moved by nearly one joint only."""
    used = np.unique(body.faces)
    rigid = used[body.weights[used].max(1) > 0.6]
    vertices = body.shaped(betas)[rigid]
    # Both toe tips first: they are what a swinging foot drags through the floor.
    chosen = [
        int((vertices[:, 2] - 0.3 * vertices[:, 1] + 1e3 * (side * vertices[:, 0] < 0)).argmax()) for side in (1, -1)
    ]
    distance = np.full(len(rigid), np.inf)
    for index in range(count):  # farthest point sampling
        if index >= len(chosen):
            chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(vertices - vertices[chosen[index]], axis=1))
    joints = body.weights[rigid[chosen]].argmax(1)
    return joints, (vertices[chosen] - body.rest_joints(betas)[joints]).astype(np.float32)


def normalise(rotmats: np.ndarray, transl: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn and shift a motion so that its first frame stands over the origin and faces +x."""
    yaw = float(facing_yaw(rotmats[0, 0]))
    turn = np.array([[np.cos(yaw), np.sin(yaw), 0.0], [-np.sin(yaw), np.cos(yaw), 0.0], [0.0, 0.0, 1.0]])
    start = turn @ (rest[0] + transl[0])
    orient, moved = transform_root(turn, np.array([-start[0], -start[1], 0.0]), rest[0], rotmats[:, 0], transl)
    rotated = rotmats.copy()
    rotated[:, 0] = orient
    return rotated, moved
