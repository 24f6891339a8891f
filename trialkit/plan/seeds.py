"""The seed of each analysis, from that of the plan and the analysis's name.

Neither its place among the others nor the number of workers enters: an analysis added to a plan
leaves the numbers of the others as they were.
"""

from __future__ import annotations

import numpy as np

__all__ = ["analysis_seed"]


def analysis_seed(seed: int, name: str) -> int:
    """A seed of 63 bits: what TOML holds, so that it can be written as `rng` of the analysis.

    Example
    -------
    >>> analysis_seed(7, "primary") == analysis_seed(7, "primary") != analysis_seed(7, "other")
    True
    """
    (word,) = np.random.SeedSequence([seed, *name.encode()]).generate_state(1, np.uint64)
    return int(word) >> 1
