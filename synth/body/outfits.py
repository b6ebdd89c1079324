"""What people wear: named outfits as lists of parts, and the faces to show for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synth.body.model import BodyModel
from synth.errors import BadOption

ALWAYS = ("skin", "eyes", "lashes", "brows")
HAIR = ("hair_short", "hair_medium", "hair_bun", "hair_thin", "hair_balding", "hair_curly")
OUTFITS: dict[str, tuple[str, ...]] = {
    "scrubs": ("scrubs_top", "loose_trousers", "shoes"),
    "gown": ("gown", "socks"),
    "everyday": ("jumper", "trousers", "shoes"),
    "everyday_shirt": ("shirt", "trousers", "shoes"),
    "pyjamas": ("shirt", "loose_trousers", "socks"),
}


def parts_worn(model: BodyModel, outfit: str | Sequence[str], hair: str | None) -> tuple[str, ...]:
    """The parts of a dressed person, skin first; those the body has not (an official SMPL file has none) are left out.

    Args:
        model: the body.
        outfit: a name of ``OUTFITS``, or the garments themselves.
        hair: a name of ``HAIR``, or None for none.

    Raises:
        BadOption: an unknown outfit.
    """
    if isinstance(outfit, str):
        if outfit not in OUTFITS:
            raise BadOption("outfit", outfit, f"one of {', '.join(OUTFITS)}")
        outfit = OUTFITS[outfit]
    names = (*ALWAYS, *((hair,) if hair else ()), *outfit)
    return tuple(name for name in names if name in model.parts)


def dressed_faces(
    model: BodyModel, outfit: str | Sequence[str], hair: str | None
) -> tuple[NDArray[np.int32], NDArray[np.int32], tuple[str, ...]]:
    """The visible faces of a dressed person.

    Returns:
        faces [F, 3] into the body's vertices, the part of each face [F], and the parts' names.
    """
    names = parts_worn(model, outfit, hair)
    hidden = np.zeros(len(model.faces), dtype=bool)
    for name in names:
        covers = model.parts[name].covers
        if covers is not None:
            hidden |= covers
    faces = [model.faces[~hidden] if name == "skin" else model.parts[name].faces for name in names]
    part = np.repeat(np.arange(len(names)), [len(rows) for rows in faces]).astype(np.int32)
    return np.concatenate(faces), part, names


def dressed_vertices(model: BodyModel, outfit: str | Sequence[str], hair: str | None) -> NDArray[np.int32]:
    """The vertices that a dressed person's visible faces use, increasing: pose these alone to save time [N]."""
    return np.unique(dressed_faces(model, outfit, hair)[0]).astype(np.int32)
