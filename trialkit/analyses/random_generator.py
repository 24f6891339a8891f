"""The generator that an analysis draws from: the caller's, or one of the caller's seed."""

from __future__ import annotations

import numpy as np

from trialkit.errors import SpecError

__all__ = ["generator"]


def generator(
    rng: np.random.Generator | int | None, *, what: str = "This analysis"
) -> np.random.Generator:
    """The generator itself, or one from a seed; SpecError without either: `what` needs it."""
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer) or rng < 0:
        raise SpecError(
            f"rng={rng!r}. {what} needs rng=: a seed (a whole number from 0 up) or a numpy "
            "Generator, so that the result can be made again."
        )
    return np.random.default_rng(int(rng))
