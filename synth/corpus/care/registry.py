"""All scripts of care by class: one line a family of classes, each with BUILDERS, VARIANTS and CAPTIONS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from synth.corpus.care import (
    abed,
    aids,
    alone,
    bed,
    bedside,
    catch,
    handing,
    rescue,
    strategies,
    talk,
    transfer,
    wheelchair,
)
from synth.corpus.care.script import Script
from synth.corpus.care.strategies import Cast, Variant

FAMILIES: tuple[Any, ...] = (
    aids,
    bed,
    wheelchair,
    transfer,
    talk,
    rescue,
    catch,
    bedside,
    abed,
    handing,
    alone,
)  # fmt: skip
BUILDERS: dict[str, Callable[[Cast, Any, np.random.Generator], Script]] = {
    name: builder for family in FAMILIES for name, builder in family.BUILDERS.items()
}
CAPTIONS: dict[str, tuple[str, ...]] = {name: told for family in FAMILIES for name, told in family.CAPTIONS.items()}
VARIANTS: dict[str, tuple[Variant, ...]] = dict(strategies.VARIANTS)
VARIANTS |= {name: variants for family in FAMILIES for name, variants in family.VARIANTS.items()}
SCRIPTS: tuple[str, ...] = (*strategies.SCRIPTS, *BUILDERS)  # in this order for good: draws are seeded by the place


def script_of(name: str, variant: Variant, cast: Cast, rng: np.random.Generator) -> Script:
    """The script `name` (one of SCRIPTS) in one variant; `variant.mirror` is left to the caller."""
    if name in BUILDERS:
        return replace(BUILDERS[name](cast, variant, rng), name=name)
    return strategies.script_of(name, variant, cast, rng)
