"""Evidence from the skin itself: what of it is below the floor or inside somebody else, and has to come out.

Capsules and spots (`synth.motion.proxies`) say where flesh is to a centimetre or two. Once a motion is nearly right,
the vertices that are still where none may be are found on the posed meshes, and the optimiser pushes each of them out
along the surface's normal: point to plane, as in iterative closest points, found anew after every solve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from synth.body.model import BodyModel
from synth.interaction import Interaction
from synth.motion import mesh
from synth.motion.fit import State
from synth.motion.proxies import Proxies
from synth.motion.quality import state_of

BONES = 4  # joints that move a vertex, at most
CLOSE = 0.01  # metres outside up to which skin is watched: what is brought out must not push that in
CLEAR = 0.002  # metres that a vertex is kept beyond a surface


@dataclass(frozen=True)
class Marks:
    """K vertices of skins, each at a single frame: a weighted mean of points fixed to M joints.

    person, frame [K]; joint [K, M]; offset [K, M, 3] in the joints' frames; share [K, M], rows sum to 1.
    """

    person: Tensor
    frame: Tensor
    joint: Tensor
    offset: Tensor
    share: Tensor

    @staticmethod
    def of(
        state: State, body: BodyModel, person: np.ndarray, frame: np.ndarray, vertex: np.ndarray, where: np.ndarray
    ) -> Marks:  # fmt: skip
        """Vertices of the body model [K] that are at `where` [K, 3] in that state: exact there, skinned around it."""
        weights = np.asarray(body.weights)[vertex]
        joint = np.argsort(-weights, axis=1, kind="stable")[:, :BONES]
        share = np.take_along_axis(weights, joint, 1)
        share = share / share.sum(1, keepdims=True)
        who, when, bone = torch.from_numpy(person), torch.from_numpy(frame), torch.from_numpy(joint)
        turn = state.spun[who[:, None], when[:, None], bone]
        off = torch.from_numpy(where).float()[:, None] - state.joints[who[:, None], when[:, None], bone]
        offset = torch.einsum("kmij,kmi->kmj", turn, off)
        return Marks(who, when, bone, offset, torch.from_numpy(share).float())

    def where(self, state: State) -> Tensor:
        """World positions [K, 3]."""
        places, turns = state.joints.flatten(0, 2), state.spun.flatten(0, 2)
        row = self._rows(state)
        turned = (turns.index_select(0, row).unflatten(0, self.joint.shape) * self.offset[..., None, :]).sum(-1)
        moved = places.index_select(0, row).unflatten(0, self.joint.shape) + turned
        return (self.share[..., None] * moved).sum(1)

    def heights(self, state: State) -> Tensor:
        """z of the world positions [K], a third of the work."""
        places, turns = state.joints[..., 2].flatten(), state.spun[..., 2, :].flatten(0, 2)
        row = self._rows(state)
        turned = (turns.index_select(0, row).unflatten(0, self.joint.shape) * self.offset).sum(-1)
        return (self.share * (places.index_select(0, row).unflatten(0, self.joint.shape) + turned)).sum(1)

    def _rows(self, state: State) -> Tensor:
        """Of each joint of each mark, its row among those of all people and frames [K * M]: cheap to select."""
        frames, joints = state.joints.shape[1:3]
        return ((self.person * frames + self.frame)[:, None] * joints + self.joint).flatten()


@dataclass(frozen=True)
class OutOf:
    """Marks come out of another body: beyond the planes through the marks `behind` with the outward normals [K, 3]."""

    marks: Marks
    normal: Tensor
    behind: Marks
    sigma: float = 0.003
    name: str = "partner_exact"

    def residual(self, state: State) -> Tensor:
        height = ((self.marks.where(state) - self.behind.where(state)) * self.normal).sum(-1)
        return torch.relu(CLEAR - height) / self.sigma


@dataclass(frozen=True)
class OffFloor:
    """Marks come out of the floor."""

    marks: Marks
    sigma: float = 0.004
    name: str = "floor_exact"

    def residual(self, state: State) -> Tensor:
        return torch.relu(CLEAR - self.marks.heights(state)) / self.sigma


def entered(
    motion: Interaction, proxies: Sequence[Proxies], body: BodyModel, skin: mesh.Skin
) -> list[OutOf | OffFloor]:
    """Terms that bring out what is below the floor or inside other people, of each patch of skin its deepest vertex.

    Args:
        motion: any frame rate; the terms are for its frames. proxies: of its people.
        skin: `mesh.Skin.of(body)`.
    """
    state = state_of(motion, proxies)
    case = _Case(state, body, skin, mesh.posed_skins(motion, body, skin), motion.present)
    pairs = [(a, b) for a in range(motion.people) for b in range(motion.people) if a != b]
    terms = [case.below_floor(), *(case.inside(a, b) for a, b in pairs)]
    return [term for term in terms if term is not None]


def overlap(motion: Interaction, body: BodyModel, skin: mesh.Skin) -> float:
    """How deep two people's skins are in each other at the worst moment, metres (looked at at `mesh.MESH_FPS`)."""
    frames = np.arange(0, motion.frames, max(1, round(motion.fps / mesh.MESH_FPS)))
    skins, present = mesh.posed_skins(motion, body, skin)[:, frames], motion.present[:, frames]
    deepest = 0.0
    for a in range(motion.people):
        for b in range(a + 1, motion.people):
            both = present[a] & present[b]
            deepest = max(deepest, float(mesh.overlaps(skins[a][both], skins[b][both], skin).max(initial=0.0)))
    return round(deepest, 4)


@dataclass(frozen=True)
class _Case:
    state: State
    body: BodyModel
    skin: mesh.Skin
    skins: np.ndarray  # [P, T, N, 3]
    present: np.ndarray  # [P, T]

    def _marks(self, person: np.ndarray, frame: np.ndarray, vertex: np.ndarray) -> Marks:
        where = self.skins[person, frame, vertex]
        return Marks.of(self.state, self.body, person, frame, self.skin.ids[vertex], where)

    def below_floor(self) -> OffFloor | None:
        found = []
        for person, frame in np.argwhere(self.present & (self.skins[..., 2].min(-1) < CLOSE)):
            height = self.skins[person, frame, :, 2]
            order = np.lexsort((height, self.skin.patch))
            lowest = order[self.skin.starts]  # the lowest of each patch: patches follow one another
            found += [(person, frame, vertex) for vertex in lowest[height[lowest] < CLOSE]]
        if not found:
            return None
        return OffFloor(self._marks(*np.array(found).T))

    def inside(self, a: int, b: int) -> OutOf | None:
        """What of person a is inside person b."""
        found, facing = [], []
        for frame in np.flatnonzero(self.present[a] & self.present[b]):
            first, second = self.skins[a, frame], self.skins[b, frame]
            deep, near = mesh.crossings(first, second, self.skin, CLOSE)
            found += [(frame, *pair) for pair in zip(deep, near, strict=True)]
            facing.append(mesh.normals(near, second, self.skin))
        if not found:
            return None
        frame, deep, near = np.array(found).T
        who, whom = np.full(len(frame), a), np.full(len(frame), b)
        normal = torch.from_numpy(np.concatenate(facing)).float()
        return OutOf(self._marks(who, frame, deep), normal, self._marks(whom, frame, near))
