"""The default body, built at first use and kept in the cache folder."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.body import makehuman
from synth.body.makehuman_data import LICENCE, Data
from synth.body.model import BodyModel, Part
from synth.body.shape import measuring_table
from synth.errors import BadFile
from synth.files import cache_dir, read_npz, write_npz
from synth.skeleton import SMPL_PARENTS

RECIPE = 2  # raise it whenever the recipe changes what is built


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


def build(data: Data) -> dict[str, NDArray[Any]]:
    """Build the default body as plain arrays."""
    source = makehuman.Source(data)
    population = makehuman.populate(source)
    skin = makehuman.SKIN
    quads = source.quads("body")
    faces = triangulate(quads, population.mean)
    eyes = np.concatenate([source.quads(f"helper-{side}-eye") for side in "lr"])
    count = skin + 144  # the eyes follow the skin
    parts: dict[str, tuple[str, NDArray[np.int32], NDArray[np.bool_] | None]] = {
        "skin": ("skin", faces, None),
        "eyes": ("eye", triangulate(eyes, population.mean), None),
    }
    arrays: dict[str, NDArray[Any]] = {
        "v_template": population.mean[:count].astype(np.float32),
        "shapedirs": population.dirs[:count].astype(np.float32),
        "weights": source.weights[:count].astype(np.float32),
        "J_regressor": population.regressor.astype(np.float32),
        "knots": population.knots,
        "races": population.races,
    }
    measuring = measuring_table(population.mean[:skin], population.dirs[:skin], faces)
    arrays |= {f"measure_{name}": value for name, value in measuring.items()}
    landmarks = find_landmarks(population.mean[:skin], np.unique(eyes))
    meta = {
        "parts": [[name, kind] for name, (kind, _, _) in parts.items()],
        "landmarks": {name: [int(k) for k in rows] for name, rows in landmarks.items()},
    }
    for name, (_, triangles, covers) in parts.items():
        arrays[f"faces_{name}"] = triangles
        if covers is not None:
            arrays[f"covers_{name}"] = covers
    arrays["meta"] = np.array(json.dumps(meta, sort_keys=True))
    return arrays


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
