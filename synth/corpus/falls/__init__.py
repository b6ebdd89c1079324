"""Falls by physics: a MuJoCo body made from ours, thrown off balance out of captured movement.

source = FallSource(per_strategy=10)
motion = source.make("trip_forward_003", seed)
"""

from __future__ import annotations

from synth.errors import Missing

try:
    from synth.corpus.falls.source import STRATEGIES, FallSource, make_fall
except ModuleNotFoundError as error:
    if error.name != "mujoco":
        raise
    raise Missing("MuJoCo, which falls are simulated with,", "pip install 'caresynth[corpus]'") from None

__all__ = ["STRATEGIES", "FallSource", "make_fall"]
