"""Parametric bodies: MakeHuman's CC0 data by default, a user's own official SMPL files on request."""

from __future__ import annotations

from functools import lru_cache
from os import PathLike, fspath

from synth.body.model import BodyModel, Part
from synth.body.outfits import HAIR, OUTFITS, dressed_faces, dressed_vertices, parts_worn
from synth.body.shape import Person, betas_from, draw_person

__all__ = [
    "HAIR", "OUTFITS", "BodyModel", "Part", "Person", "betas_from", "draw_person", "dressed_faces",
    "dressed_vertices", "load_body", "parts_worn",
]  # fmt: skip


def load_body(name_or_path: str | PathLike[str] = "makehuman") -> BodyModel:
    """Load a body.

    Args:
        name_or_path: "makehuman" for the default body, or an official SMPL file (.pkl or .npz).

    Raises:
        Missing: the default body's data is not installed.
        BadFile: the file is not a SMPL model.
    """
    return _load(fspath(name_or_path))


@lru_cache(maxsize=4)
def _load(name: str) -> BodyModel:
    if name == "makehuman":
        from synth.body.cache import load_makehuman

        return load_makehuman()
    from synth.body.smpl_file import load_smpl

    return load_smpl(name)
