"""A folder of motion capture files, ASF/AMC or BVH, as a source.

    CaptureFolder("my_mocap", name="my_mocap", licence=Licence("CC-BY-4.0", True, "..."))

In a corpus it is the source `mocap`, whose options are those of `synth.corpus.sources.mocap_source`.

Skeletons must be ones that `synth.corpus.anatomy` knows. Captions are the lines of a .txt of the same name beside each
file, which must be there. An .amc takes the .asf whose name its own begins with (16.asf for 16_15.amc), or the only one
in its folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from synth.body import load_body
from synth.corpus import asf_amc, bvh
from synth.corpus.capture import Capture
from synth.corpus.readers.amass import meta_of
from synth.corpus.readers.folder import inside, need_captions, need_folder, walk
from synth.corpus.retarget import retarget
from synth.corpus.source import Licence, Rejected
from synth.corpus.unify import FPS, LONGEST, MIN_SECONDS, examine
from synth.errors import BadFile, Missing
from synth.interaction import Interaction

SUFFIXES = (".amc", ".amc.xz", ".bvh", ".bvh.xz")


@dataclass(frozen=True)
class CaptureFolder:
    """ASF/AMC and BVH files anywhere below a folder.

    Attributes:
        folder: the folder.
        name, licence: of the source.
        amc_fps: frames a second of .amc files, which do not say (CMU: 120).
        bvh_unit: metres a length unit of .bvh files, which do not say (0.01: centimetres).
        bvh_skip: reference frames at the start of .bvh files.
        role: of the person.
        longest: seconds; of a longer recording a piece of that length is taken, drawn by the seed.
        fps: of the motions made.
        refined: hold feet and floor with the optimiser.
    """

    folder: str
    name: str
    licence: Licence
    amc_fps: float = 120.0
    bvh_unit: float = bvh.CENTIMETRE
    bvh_skip: int = 0
    role: str = "person"
    longest: float = LONGEST
    fps: float = FPS
    refined: bool = True

    def keys(self) -> Sequence[str]:
        """Paths relative to the folder. Raises Missing."""
        return list(walk(need_folder(self.folder, "folder of motion capture files"), SUFFIXES))

    def make(self, key: str, seed: np.random.SeedSequence) -> Interaction:
        """One file. Raises BadFile, Missing, anatomy.UnknownSkeleton or Rejected."""
        path = inside(Path(self.folder), key)
        if not path.is_file():
            raise BadFile(path, "file", "nothing", "a motion capture file")
        captions = need_captions(path)
        capture = self._read(path)
        if capture.seconds < MIN_SECONDS:
            raise Rejected(f"{capture.seconds:.2f} s long; expected {MIN_SECONDS:g} or more")
        body = load_body()
        size = _half_size(capture)
        if not 0.2 < size < 2.0:
            raise Rejected(f"a skeleton {2 * size:.3g} m across: is the unit of length right?")
        start, end = 0.0, capture.seconds
        if end > self.longest:
            start = float(np.random.default_rng(seed).uniform(0, end - self.longest))
            end = start + self.longest
        motion = retarget(capture, body, fps=self.fps, window=(start, end), refined=self.refined)
        meta = meta_of(self.name, self.licence, key, captions, (self.role,), start=round(start, 3))
        return examine(replace(motion, meta=replace(meta, body_model=body.name)), body, capture.fps)

    def _read(self, path: Path) -> Capture:
        if ".amc" in path.name.lower():
            return asf_amc.read_amc(path, skeleton_of(path), self.amc_fps)
        return bvh.read_bvh(path, self.bvh_unit, self.bvh_skip)


def skeleton_of(amc: Path) -> Path:
    """The .asf of an .amc. Raises Missing."""
    if not amc.is_file():
        raise BadFile(amc, "file", "nothing", "a motion capture file")
    stem = amc.name.split(".")[0]
    skeletons = sorted(path for path in amc.parent.iterdir() if path.suffix.lower() == ".asf")
    own = [path for path in skeletons if stem == path.stem or stem.startswith(f"{path.stem}_")]
    if own:
        return max(own, key=lambda path: len(path.stem))
    if len(skeletons) == 1:
        return skeletons[0]
    raise Missing(f"the skeleton {amc.parent / stem}.asf", "put the .asf beside its .amc files")


def _half_size(capture: Capture) -> float:
    """Half the largest extent of the body in the first frame, metres: about a leg's length."""
    return float(np.ptp(capture.positions[0], axis=0).max()) / 2
