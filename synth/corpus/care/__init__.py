"""Scripted care: interactions that nobody has recorded, told as phases and contacts and solved by the optimiser.

for motion in build_pairs(mocap="folder of captures"): ...
"""

from __future__ import annotations

from synth.corpus.care.pairs import build_pairs, make_pair, mirrored
from synth.corpus.care.registry import SCRIPTS, VARIANTS
from synth.corpus.care.strategies import Variant

__all__ = ["SCRIPTS", "VARIANTS", "Variant", "build_pairs", "make_pair", "mirrored"]
