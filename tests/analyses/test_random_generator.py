"""Seeds and generators an analysis takes, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import trialkit as tk
from trialkit.analyses.random_generator import generator


def test_a_seed_and_its_generator_draw_alike() -> None:
    own = np.random.default_rng(7)
    assert generator(own) is own
    assert generator(7).integers(2**40) == generator(np.int64(7)).integers(2**40)


@pytest.mark.parametrize("rng", [None, True, "7", 7.0, -1])
def test_nothing_else_is_a_seed(rng: object) -> None:
    with pytest.raises(tk.SpecError, match=r"^rng=.* A sample needs rng=: a seed"):
        generator(rng, what="A sample")
