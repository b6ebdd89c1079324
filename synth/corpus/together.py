"""People who touch each other, brought onto other bodies together: hands stay where they were on the partner.

Retargeted one by one, a hand that held an elbow ends up beside it. Here the vectors between joints that were close to
each other are kept (scaled as the path was), while each person's feet keep the floor: one problem over all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch

from synth.body import BodyModel
from synth.corpus import retarget
from synth.motion.fit import Problem, State, fit
from synth.rotation import Array

NEAR, FAR = 0.15, 0.3  # metres between joints: nearer counts fully, farther not at all
PAIRS = 60  # of joints at most, for each two people
# Joints that touch or are touched; the rest of the spine follows. People touch with their arms: legs that pass close by
# each other in walking owe each other nothing, and would drag the feet.
_JOINTS = (0, 1, 2, 4, 5, 7, 8, 9, 12, 15, 16, 17, 18, 19, 20, 21)
_ARMS = (18, 19, 20, 21)


@dataclass(frozen=True)
class Together:
    """Vectors between joints of two people near given ones.

    person, joint [2, K] of both ends; ``vector`` [K, T, 3] metres from the second to the first; ``weight`` [K, T].
    """

    person: torch.Tensor
    joint: torch.Tensor
    vector: torch.Tensor
    weight: torch.Tensor
    sigma: float = 0.02
    name: str = "together"

    def residual(self, state: State) -> torch.Tensor:
        first, second = (state.joints[self.person[n], :, self.joint[n]] for n in (0, 1))
        return (first - second - self.vector) * (self.weight.sqrt() / self.sigma).unsqueeze(-1)

    @staticmethod
    def of(joints: Array) -> Together | None:
        """Of joints as they should be to each other [P, T, 22 or more, 3]; None where nobody is near anybody."""
        people, places, vectors, weights = [], [], [], []
        ids = list(_JOINTS)
        arm = np.isin(ids, _ARMS)
        for a, b in combinations(range(len(joints)), 2):
            vector = joints[a][:, ids, None] - joints[b][:, None, ids]
            distance = np.linalg.norm(vector, axis=-1)
            share = np.clip((FAR - distance) / (FAR - NEAR), 0, 1) * (arm[:, None] | arm)
            total = share.sum(0)
            best = np.argsort(-total, axis=None, kind="stable")[:PAIRS]
            for i, j in zip(*np.unravel_index(best, total.shape), strict=True):
                if total[i, j] > 0:
                    people.append((a, b))
                    places.append((ids[i], ids[j]))
                    vectors.append(vector[:, i, j])
                    weights.append(share[:, i, j])
        if not people:
            return None
        # A hand near an arm is near some joints of it at once: they share one piece of evidence.
        weight = np.array(weights)
        weight = weight / np.maximum(1.0, weight.sum(0, keepdims=True) / 4)
        return Together(
            torch.tensor(people).T,
            torch.tensor(places).T,
            torch.from_numpy(np.array(vectors, np.float32)),
            torch.from_numpy(weight.astype(np.float32)),
        )

    def error(self, joints: Array) -> float:
        """Mean distance in metres between the vectors of joints [P, T, 24, 3] and the wanted ones, by weight."""
        person, joint = self.person.numpy(), self.joint.numpy()
        off = joints[person[0], :, joint[0]] - joints[person[1], :, joint[1]] - self.vector.numpy()
        weight = self.weight.numpy()
        return float((np.linalg.norm(off, axis=-1) * weight).sum() / max(weight.sum(), 1e-9))


def refine_together(
    body: BodyModel,
    betas: Array,
    rotmats: Array,
    transl: Array,
    fps: float,
    wanted: Together,
    steps: int = 80,
) -> tuple[Array, Array]:
    """`retarget.refine` for people who belong together: rotmats [P, T, 24, 3, 3] and transl [P, T, 3], and so back."""
    owed = [
        term
        for p in range(len(transl))
        for term in retarget.floor_terms(body, betas[p], rotmats[p], transl[p], fps, person=p)
    ]
    problem = Problem(
        rest_joints=torch.from_numpy(np.stack([body.rest_joints(shape) for shape in betas]).astype(np.float32)),
        transl=torch.from_numpy(transl.astype(np.float32)),
        rotmats=torch.from_numpy(rotmats.astype(np.float32)),
        fps=fps,
        terms=(*owed, retarget.LIMITS, wanted),
        prior=retarget.PRIOR,
    )
    moved, turned, _ = fit(problem, steps=steps)
    return turned.double().numpy(), moved.double().numpy()
