"""The default body, built at first use and kept in the cache folder."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from synth.body import garments, hair, makehuman
from synth.body.makehuman_data import LICENCE, Data
from synth.body.model import BodyModel, Part
from synth.body.shape import measuring_table
from synth.body.sheet import from_quads
from synth.errors import BadFile
from synth.files import cache_dir, read_npz, write_npz
from synth.skeleton import SMPL_PARENTS

RECIPE = 6  # raise it whenever the recipe changes what is built


def load_makehuman() -> BodyModel:
    """The default body; built on the first call on a machine (about 15 s) and read from the cache afterwards.

    Raises:
        Missing: the data's wheel is not installed.
    """
    data = Data.find()
    path = cache_path(data)
    if path.is_file():
        try:
            return _from_arrays(read_npz(path), path)
        except BadFile as error:
            print(f"body: the cached model is damaged and will be built again ({error})", file=sys.stderr)
    print("body: building the default body (once, about 15 s) ...", file=sys.stderr, flush=True)
    started = time.monotonic()
    arrays = build(data)
    write_npz(path, arrays)
    print(f"body: built in {time.monotonic() - started:.0f} s, kept in {path}", file=sys.stderr, flush=True)
    return _from_arrays(arrays, path)


def cache_path(data: Data) -> Path:
    """Where the built body lies; the name changes with the data's version and with the recipe."""
    key = hashlib.sha256(json.dumps([data.version, RECIPE]).encode()).hexdigest()[:12]
    return cache_dir() / "body" / f"makehuman-{key}.npz"


@dataclass
class _Stack:
    """Vertices of the parts, one after the other."""

    points: list[NDArray[Any]] = field(default_factory=list)
    dirs: list[NDArray[Any]] = field(default_factory=list)
    weights: list[NDArray[Any]] = field(default_factory=list)
    parts: list[tuple[str, str]] = field(default_factory=list)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    count: int = 0

    def add(self, points: NDArray[Any], dirs: NDArray[Any], weights: NDArray[Any]) -> int:
        start = self.count
        self.points.append(points)
        self.dirs.append(dirs)
        self.weights.append(weights)
        self.count += len(points)
        return start

    def part(self, name: str, kind: str, faces: NDArray[Any], covers: NDArray[np.bool_] | None = None) -> None:
        self.parts.append((name, kind))
        self.arrays[f"faces_{name}"] = faces.astype(np.int32)
        if covers is not None and covers.any():
            self.arrays[f"covers_{name}"] = covers


def build(data: Data) -> dict[str, NDArray[Any]]:
    """Build the default body as plain arrays."""
    source = makehuman.Source(data)
    population = makehuman.populate(source)
    skin, mean, dirs, weights = makehuman.SKIN, population.mean, population.dirs, source.weights
    faces = triangulate(source.quads("body"), mean)
    eyes = triangulate(np.concatenate([source.quads(f"helper-{side}-eye") for side in "lr"]), mean)
    stack = _Stack()
    stack.add(mean[: skin + 144], dirs[: skin + 144], weights[: skin + 144])  # the eyes follow the skin
    stack.part("skin", "skin", faces)
    stack.part("eyes", "eye", eyes)

    tailor = garments.Tailor(mean, faces.astype(np.int64), skin, weights, source.quads("helper-tights"))
    lashes = np.concatenate([source.quads(f"helper-{side}-eyelashes-{row}") for side in "lr" for row in "12"])
    sheets = {
        "lashes": ("lash", from_quads(mean, lashes, 0)),
        "brows": ("hair", hair.make_brows(tailor)),
        **{name: ("hair", hair.make_hair(tailor, style, k)) for k, (name, style) in enumerate(hair.STYLES.items())},
    }
    for name, (kind, sheet) in sheets.items():
        flat = sheet.origin @ dirs.reshape(len(dirs), -1)
        tied = sheet.origin @ weights
        start = stack.add(sheet.points, flat.reshape(-1, 3, dirs.shape[2]), tied / tied.sum(1, keepdims=True))
        stack.part(name, kind, sheet.faces + start)
    soles = []
    for name, cloth in garments.make_clothes(tailor).items():
        start = stack.add(*garments.finish(cloth, tailor, dirs))
        stack.part(name, cloth.kind, cloth.sheet.faces + start, garments.hidden_skin(cloth, tailor))
        soles.append((start, garments.part_mask(name, cloth, tailor)))

    sole = np.zeros(stack.count, dtype=np.float32)
    for start, values in soles:
        sole[start : start + len(values)] = values
    measuring = measuring_table(mean[:skin], dirs[:skin], faces)
    landmarks = find_landmarks(mean[:skin], np.unique(eyes))
    meta = {"parts": stack.parts, "landmarks": {k: [int(v) for v in rows] for k, rows in landmarks.items()}}
    return {
        "v_template": np.concatenate(stack.points).astype(np.float32),
        "shapedirs": np.concatenate(stack.dirs).astype(np.float32),
        "weights": np.concatenate(stack.weights).astype(np.float32),
        "J_regressor": population.regressor.astype(np.float32),
        "knots": population.knots,
        "races": population.races,
        **{f"measure_{name}": value for name, value in measuring.items()},
        "mask_sole": sole,
        "mask_lips": _painted(data, "lips", stack.count),
        "mask_nails": np.maximum(_painted(data, "fingernails", stack.count), _painted(data, "toenails", stack.count)),
        **stack.arrays,
        "meta": np.array(json.dumps(meta, sort_keys=True)),
    }


def _painted(data: Data, name: str, count: int) -> NDArray[np.float32]:
    """One of MakeHuman's skin masks, read at each skin vertex."""
    with Image.open(data.folder / "textures" / f"mpfb_{name}.jpg") as picture:
        pixels = np.asarray(picture.convert("L"), dtype=np.float32) / 255
    uv = np.zeros((makehuman.SKIN, 2))
    uv[data.mesh.quads["body"].ravel()] = data.mesh.uvs["body"].reshape(-1, 2)
    column = (uv[:, 0] * (pixels.shape[1] - 1)).astype(int)
    row = ((1 - uv[:, 1]) * (pixels.shape[0] - 1)).astype(int)
    mask = np.zeros(count, dtype=np.float32)
    mask[: makehuman.SKIN] = pixels[row, column]
    return mask


def triangulate(quads: NDArray[np.int64], vertices: NDArray[np.floating]) -> NDArray[np.int32]:
    """Quads to triangles along the shorter diagonal."""
    a, b, c, d = (vertices[quads[:, k]] for k in range(4))
    first = np.linalg.norm(a - c, axis=1) <= np.linalg.norm(b - d, axis=1)
    one = np.where(first[:, None], quads[:, [0, 1, 2]], quads[:, [0, 1, 3]])
    two = np.where(first[:, None], quads[:, [0, 2, 3]], quads[:, [1, 2, 3]])
    return np.stack([one, two], 1).reshape(-1, 3).astype(np.int32)


def find_landmarks(skin: NDArray[np.floating], eyes: NDArray[np.int64]) -> dict[str, list[int]]:
    """Vertices of COCO's face points on the template: tip of the nose, eyeballs, outermost points of the ears."""
    top = skin[:, 1].max()
    head = np.flatnonzero(skin[:, 1] > top - 0.25)
    middle = head[np.abs(skin[head, 0]) < 0.002]
    nose = middle[skin[middle, 2].argmax()]
    left = head[np.argsort(-skin[head, 0], kind="stable")[:12]]
    right = head[np.argsort(skin[head, 0], kind="stable")[:12]]
    half = len(eyes) // 2
    return {
        "nose": [int(nose)],
        "left_eye": eyes[:half].tolist(),
        "right_eye": eyes[half:].tolist(),
        "left_ear": left.tolist(),
        "right_ear": right.tolist(),
    }


def _from_arrays(arrays: dict[str, NDArray[Any]], path: Path) -> BodyModel:
    try:
        meta = json.loads(str(arrays["meta"]))
        parts = {
            name: Part(name, kind, arrays[f"faces_{name}"], arrays.get(f"covers_{name}"))
            for name, kind in meta["parts"]
        }
        template = arrays["v_template"]
        regressor = np.zeros((24, len(template)), dtype=np.float32)
        regressor[:, : arrays["J_regressor"].shape[1]] = arrays["J_regressor"]
        model = BodyModel(
            name="makehuman",
            licence=LICENCE,
            v_template=template,
            shapedirs=arrays["shapedirs"],
            posedirs=None,
            J_regressor=regressor,
            weights=arrays["weights"],
            parents=np.array(SMPL_PARENTS, dtype=np.int32),
            faces=parts["skin"].faces,
            parts=parts,
            landmarks={name: tuple(rows) for name, rows in meta["landmarks"].items()},
            shape_table={
                "knots": arrays["knots"],
                "races": arrays["races"],
                "volume": arrays["measure_volume"],
                "ends": arrays["measure_ends"],
            },
            masks={name[5:]: value for name, value in arrays.items() if name.startswith("mask_")},
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BadFile(path, "arrays", repr(error), "the arrays of a cached body") from None
    count = len(template)
    if model.shapedirs.shape != (count, 3, 10) or model.weights.shape != (count, 24):
        raise BadFile(path, "shapedirs", model.shapedirs.shape, f"({count}, 3, 10)")
    return model
