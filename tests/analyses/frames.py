"""Small frames for tests of comparisons between arms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from hypothesis import strategies as st


def arm_frame(**arms: Sequence[float | None]) -> pd.DataFrame:
    """Columns ARM and CHG from one keyword an arm; None is a missing outcome."""
    return pd.DataFrame(
        {
            "ARM": [arm for arm, values in arms.items() for _ in values],
            "CHG": np.array(
                [np.nan if v is None else v for values in arms.values() for v in values], float
            ),
        }
    )


def grid_samples(min_size: int = 3, max_size: int = 12) -> st.SearchStrategy[list[float]]:
    """Samples on a half-point grid that are not constant: ties are common, rounding is none."""
    return (
        st.lists(st.integers(-20, 20), min_size=min_size, max_size=max_size)
        .filter(lambda values: len(set(values)) > 1)
        .map(lambda values: [value / 2 for value in values])
    )
