"""What one person does alone: walking, sitting down, standing up, picking up, kneeling, getting up, crawling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from synth.corpus.care import getups, kneeling, pickups, seats, walking
from synth.corpus.care.script import Script
from synth.corpus.care.strategies import Cast, Variant

_PARTS = (walking, seats, pickups, getups, kneeling)
BUILDERS: dict[str, Callable[[Cast, Any, np.random.Generator], Script]] = {
    name: builder for part in _PARTS for name, builder in part.BUILDERS.items()
}
VARIANTS: dict[str, tuple[Variant, ...]] = {name: told for part in _PARTS for name, told in part.VARIANTS.items()}
CAPTIONS: dict[str, tuple[str, ...]] = {name: told for part in _PARTS for name, told in part.CAPTIONS.items()}
