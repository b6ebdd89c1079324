"""The recordings the library is made from: which reader, unit and skeleton each folder needs, and whose they are.

The folder is the layout of the project's collection: `cmu/amc`, `cmu/bvh-*`, `hdm05`, `deepmimic`, `soma`, `reactidle`.
Only the library's build needs it; users of the product never do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from synth.corpus import asf_amc, bvh, deepmimic
from synth.corpus.capture import Capture
from synth.errors import BadOption

FPS = 30.0  # of the AMC files, which do not say


@dataclass(frozen=True)
class Credit:
    """A data set's name, licence and the sentence it asks for."""

    dataset: str
    licence: str
    credit: str


CREDITS = {
    "cmu": Credit(
        "CMU Graphics Lab Motion Capture Database",
        "CMU mocap terms: free for all uses; the data may not be resold directly, even converted",
        "The data used in this project was obtained from mocap.cs.cmu.edu. "
        "The database was created with funding from NSF EIA-0196217.",
    ),
    "hdm05": Credit(
        "HDM05",
        "CC-BY-SA-3.0",
        "M. Müller, T. Röder, M. Clausen, B. Eberhardt, B. Krüger, A. Weber: Documentation Mocap Database HDM05, "
        "Technical report CG-2007-2, Universität Bonn, 2007 (Max-Planck-Institut für Informatik, Universität Bonn). "
        "Changed: cut, retargeted to another body, resampled.",
    ),
    "deepmimic": Credit(
        "DeepMimic",
        "MIT",
        "X. B. Peng, P. Abbeel, S. Levine, M. van de Panne: DeepMimic, ACM Transactions on Graphics 37(4), 2018. "
        "Copyright (c) 2018 Xue Bin Peng.",
    ),
    "soma": Credit("SOMA motions by Bones Studio", "Apache-2.0", "Motions by Bones Studio, Apache License 2.0."),
    "reactidle": Credit("ReActIdle", "MIT", "ReActIdle: genuine standing idle motions, MIT licence."),
}


def dataset_of(file: str) -> str:
    """The key of `CREDITS` for a file of the collection. Raises BadOption for a folder that it does not have."""
    name = file.split("/", 1)[0]
    if name not in CREDITS:
        raise BadOption("file", file, f"a path that starts with one of {', '.join(CREDITS)}")
    return name


def load_take(mocap: str | Path, file: str) -> Capture:
    """A recording of the collection, e.g. `cmu/amc/16_15.amc` (with or without `.xz` on the disk).

    Raises Missing when the folder lacks it, BadFile when it is damaged.
    """
    dataset = dataset_of(file)
    path = Path(mocap) / file
    if not path.exists():
        path = path.with_name(path.name + ".xz")
    if file.endswith(".amc"):
        stem = path.name.split("_")[0] if dataset == "cmu" else path.name[:6]
        return asf_amc.read_amc(path, path.with_name(f"{stem}.asf"), FPS)
    if file.endswith(".bvh"):
        if dataset == "cmu":  # the conversions begin with a T-pose that was never performed
            return bvh.read_bvh(path, bvh.CMU_UNIT, skip=1)
        return bvh.read_bvh(path, bvh.CENTIMETRE if dataset == "soma" else 1.0)
    return deepmimic.read_deepmimic(path)
