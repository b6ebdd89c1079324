"""The parametric body: one vertex array for skin, eyes, hair and clothes, moved by ten betas and 24 joints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from synth.body import lbs
from synth.skeleton import COCO_KEYPOINTS, JOINT

if TYPE_CHECKING:
    from synth.interaction import Interaction

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

_FACE_POINTS = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")


@dataclass(frozen=True)
class Part:
    """A named set of faces of the body's vertex array.

    Attributes:
        name: e.g. "skin", "scrubs_top", "hair_short".
        kind: "skin", "eye", "lash", "hair", "garment" or "shoe".
        faces: triangles into the body's vertices [F, 3].
        covers: skin faces that are out of sight while the part is worn, bool [F_skin]; None if none.
    """

    name: str
    kind: str
    faces: Ints
    covers: NDArray[np.bool_] | None = None

    @cached_property
    def vertices(self) -> Ints:
        """The vertices the part uses, increasing [N]."""
        return np.unique(self.faces).astype(np.int32)


@dataclass(frozen=True)
class BodyModel:
    """A body in SMPL's format: T-pose, metres, y up, facing +z, left at +x.

    Attributes:
        name: "makehuman", or the file an official model was read from.
        licence: of the data the model was made from.
        v_template: mean shape [V, 3]; the skin's vertices come first.
        shapedirs: metres per unit beta [V, 3, 10].
        posedirs: pose correctives [V, 3, 207], or None.
        J_regressor: joints from shaped vertices [24, V].
        weights: skinning weights [V, 24], rows sum to 1.
        parents: SMPL's parents, -1 at the root [24].
        faces: the skin's triangles [F, 3].
        parts: name -> Part, "skin" among them.
        landmarks: vertices whose mean is a COCO face point: nose, left_eye, right_eye, left_ear, right_ear.
        shape_table: what ``synth.body.shape`` needs to turn age, sex, height and weight into betas (may be empty).
        masks: per-vertex paint, 0..1 [V], e.g. "lips", "brows" (may be empty).
    """

    name: str
    licence: str
    v_template: Floats
    shapedirs: Floats
    posedirs: Floats | None
    J_regressor: Floats
    weights: Floats
    parents: Ints
    faces: Ints
    parts: Mapping[str, Part]
    landmarks: Mapping[str, tuple[int, ...]]
    shape_table: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    masks: Mapping[str, Floats] = field(default_factory=dict)

    @cached_property
    def tensors(self) -> lbs.Tensors:
        """The arrays that posing needs, as torch tensors that share their memory."""
        return lbs.Tensors.of(self)

    def rest_joints(self, betas: Any) -> Any:
        """Joints of the rest pose, metres: betas [..., 10] -> [..., 24, 3], an array or a tensor as given."""
        if isinstance(betas, torch.Tensor):
            return lbs.rest_joints(self.tensors, betas)
        with torch.no_grad():
            return lbs.rest_joints(self.tensors, torch.as_tensor(np.asarray(betas), dtype=torch.float32)).numpy()

    def shaped(self, betas: Any) -> Floats:
        """Rest-pose vertices, metres: betas [..., 10] -> [..., V, 3]."""
        b = np.asarray(betas, dtype=np.float32)
        flat = self.shapedirs.reshape(-1, self.shapedirs.shape[-1])
        return self.v_template + (b @ flat.T).reshape(*b.shape[:-1], -1, 3)

    def pose(self, betas: Any, rotmats: Any, transl: Any, vertex_ids: Any = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Vertices and joints of posed bodies; see ``synth.body.lbs.pose``."""
        return lbs.pose(self.tensors, betas, rotmats, transl, vertex_ids)

    def pose_interaction(self, interaction: Interaction, person: int, vertex_ids: Any = None) -> Iterator[Floats]:
        """Yield one person's vertices frame by frame, metres in the world [V, 3]; few frames are held at a time."""
        from synth.rotation import axis_angle_to_matrix

        betas = interaction.betas[person]
        chunk = 16
        for start in range(0, interaction.transl.shape[1], chunk):
            frames = slice(start, start + chunk)
            root = interaction.global_orient[person, frames]
            pose = np.concatenate([root, interaction.body_pose[person, frames]], -1).reshape(len(root), 24, 3)
            with torch.no_grad():
                vertices, _ = self.pose(
                    betas, axis_angle_to_matrix(pose), interaction.transl[person, frames], vertex_ids
                )
            yield from vertices.numpy()

    def coco_keypoints(self, vertices: Any, joints: Any) -> Any:
        """COCO-17 keypoints from a posed body: [..., V, 3] and [..., 24, 3] -> [..., 17, 3]."""
        points = []
        for name in COCO_KEYPOINTS:
            if name in _FACE_POINTS:
                points.append(vertices[..., list(self.landmarks[name]), :].mean(-2))
            else:
                points.append(joints[..., JOINT[name], :])
        return torch.stack(points, -2) if isinstance(joints, torch.Tensor) else np.stack(points, -2)
