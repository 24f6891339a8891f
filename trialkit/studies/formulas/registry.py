"""The formulas a study's recipe may name: each a documented function of printed figures.

A formula takes numbers by name and returns one number; it knows nothing of rounding. Its
argument names are those the recipe's `inputs` use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from trialkit.studies.formulas import (
    counts,
    intervals,
    paired_proportions,
    rank_tests,
    spread,
    two_proportions,
)

__all__ = ["FORMULAS"]

_MODULES = (counts, intervals, paired_proportions, rank_tests, spread, two_proportions)

FORMULAS: Mapping[str, Callable[..., float]] = MappingProxyType(
    {name: getattr(module, name) for module in _MODULES for name in module.__all__}
)
