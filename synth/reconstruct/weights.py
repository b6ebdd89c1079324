"""Which networks' weights a reconstruction needs, where they come from, and which are here.

CareSynth ships none and downloads none: a user fetches them, under their licences, into a folder of their own or into
the Hugging Face cache.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from synth.errors import Missing
from synth.reconstruct.depth import METRIC_MODEL, RELATIVE_MODEL
from synth.reconstruct.detect import DETECTOR
from synth.reconstruct.models import CONFIG, cached, safe
from synth.reconstruct.pose2d import POSE
from synth.reconstruct.segment import OTHER_SEGMENTER, SEGMENTER, SEGMENTER_REVISION

if TYPE_CHECKING:
    from synth.reconstruct.pipeline import Networks

HMR2_FILE = "epoch=35-step=1000000.ckpt"
HMR2_INSIDE = "logs/train/multiruns/hmr2/0/checkpoints"  # of the published archive
HMR2_CACHE = "~/.cache/4DHumans"  # where its own package unpacks it
SMPL_FILES = (
    "SMPL_NEUTRAL.pkl", "SMPL_NEUTRAL.npz", "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl",
    "basicModel_neutral_lbs_10_207_0_v1.0.0.pkl",
)  # fmt: skip
HUB = "https://huggingface.co/"


@dataclass(frozen=True)
class Weights:
    """Weights that somebody else publishes.

    Attributes:
        part: what they do: "depth", "disparity", "hmr2", "detector", "pose", "segmenter" (as `pipeline.Networks` has
            them) or "body". Of several for one part any one will do; the first that is here is taken.
        name: on the Hugging Face hub ("owner/name"), or of the file.
        source: address. licence: as its owners state it.
        size_mb: of the download, about.
        needed_for: in words. optional: whether there is a way without them, which `needed_for` names.
        revision: on the hub, where it is not `main`.
        files: names that the file may have, best first; empty for a model of the hub.
    """

    part: str
    name: str
    source: str
    licence: str
    size_mb: int
    needed_for: str
    optional: bool
    revision: str | None = None
    files: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What a user does to get them."""
        if self.files:
            return f"download it from {self.source} and put {self.files[0]} into the --weights folder"
        revision = f" --revision {self.revision}" if self.revision else ""
        without = " --exclude '*.bin' --exclude '*.pth'" if self.part == "segmenter" else ""  # the same as pickles
        return f"hf download {self.name}{revision}{without}"


def _hub(part: str, name: str, licence: str, size_mb: int, needed_for: str, optional: bool,
         revision: str | None = None) -> Weights:  # fmt: skip
    return Weights(part, name, HUB + name, licence, size_mb, needed_for, optional, revision)


WEIGHTS: tuple[Weights, ...] = (
    _hub("detector", DETECTOR, "Apache-2.0", 172, "finding people; not with --annotations", False),
    _hub("pose", POSE, "Apache-2.0", 344, "people's 2D keypoints; not with --annotations", False),
    Weights(
        "hmr2", HMR2_FILE, "https://github.com/shubham-goel/4D-Humans",
        "MIT (code); the weights' own licence is not stated, and they were trained with SMPL (non-commercial)", 2700,
        "people's 3D poses (HMR2.0); else poses of the motion library are fitted to the keypoints", True,
        files=(HMR2_FILE, f"{HMR2_INSIDE}/{HMR2_FILE}"),
    ),
    _hub("depth", METRIC_MODEL, "Apache-2.0", 99, "metric depth of the room; not with --depth", False),
    _hub("disparity", RELATIVE_MODEL, "Apache-2.0", 99, "sharp depth of the room; else the metric depth alone", True),
    _hub("segmenter", SEGMENTER, "MIT", 879, "floor, walls and furniture; else no furniture is found", True,
         SEGMENTER_REVISION),
    _hub("segmenter", OTHER_SEGMENTER, "other (code: mostly MIT; of the weights not stated more exactly)", 866,
         "the same, instead", True),
    Weights(
        "body", SMPL_FILES[0], "https://smpl.is.tue.mpg.de",
        "SMPL-Model licence (non-commercial research; registration)", 40,
        "SMPL bodies, with --body FILE; else the MakeHuman body", True, files=SMPL_FILES,
    ),
)  # fmt: skip


def present(weights: Weights, folder: str | os.PathLike[str] | None = None) -> Path | None:
    """Where these weights are on this machine.

    Args:
        folder: of the user; holds files by their names, and models in folders named as on the hub, with or without
            the owner ("owner/name" or "name").

    Returns:
        the file, or a folder with config.json and safetensors; in the user's folder first, then in the Hugging Face
        cache (for HMR2.0: that of its own package). None if they are nowhere.
    """
    own = None if folder is None else Path(folder).expanduser()
    if weights.files:
        places = [own] if own is not None else []
        if weights.part == "hmr2":
            places.append(Path(HMR2_CACHE).expanduser())
        listed = [place / name for place in places for name in weights.files]
        return next((path for path in listed if path.is_file()), None)
    folders = [] if own is None else [own / weights.name, own / weights.name.split("/")[-1]]
    known = cached(weights.name)
    folders += [] if known is None else [known]
    return next((path for path in folders if (path / CONFIG).is_file() and safe(path)), None)


def checked(folder: str | os.PathLike[str] | None = None) -> list[tuple[Weights, Path | None]]:
    """All weights, and where each is (`present`).

    Raises:
        Missing: the user's folder is not there.
    """
    if folder is not None and not Path(folder).expanduser().is_dir():
        raise Missing(f"folder {os.fspath(folder)}", "give an existing folder with networks' weights")
    return [(weights, present(weights, folder)) for weights in WEIGHTS]


def table(folder: str | os.PathLike[str] | None = None) -> str:
    """What is here, what is missing, what for and how to get it, as text for `synth reconstruct --check`."""
    found = checked(folder)
    done = {weights.part for weights, path in found if path is not None}
    lines = []
    for weights, path in found:
        lacking = "not used" if weights.part in done else "missing" + (", optional" if weights.optional else "")
        lines.append(f"{lacking if path is None else 'here':19s}{weights.part:11s}{weights.name}: {weights.needed_for}")
        if path is not None:
            lines.append(f"{'':19s}{path}")
        else:
            lines.append(f"{'':19s}{weights.source}, about {weights.size_mb} MB, licence: {weights.licence}")
            lines.append(f"{'':19s}{weights.command}")
    return "\n".join(lines)


def networks(folder: str | os.PathLike[str] | None = None) -> Networks:
    """The weights that are here, for `pipeline.reconstruct`.

    Of several for one part it is the first of `WEIGHTS`, those in the user's folder before those in a cache. Raises
    Missing: the user's folder is not there.
    """
    from synth.reconstruct.pipeline import Networks

    own = None if folder is None else Path(folder).expanduser()
    found = sorted(checked(folder), key=lambda item: item[1] is None or own not in item[1].parents)
    here: dict[str, Path] = {}
    for weights, path in found:
        if path is not None and weights.part != "body":
            here.setdefault(weights.part, path)
    return Networks(**here)
