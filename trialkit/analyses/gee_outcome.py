"""The outcome of an estimating equation as numbers: counts, events, categories, measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.crossover_binary import event_values
from trialkit.data.levels import visit_levels
from trialkit.data.names import require_columns
from trialkit.data.vectors import number_vector
from trialkit.errors import DataError
from trialkit.typing import FloatArray

__all__ = ["Family", "category_codes", "exposure_log", "outcome_values"]

Family = Literal["poisson", "binomial", "gaussian", "ordinal"]


def outcome_values(frame: pd.DataFrame, outcome: str, family: Family, event: object) -> FloatArray:
    """Outcome (N,), NaN where missing; counts are checked, events are 1 and 0."""
    if family == "binomial":
        return event_values(frame, outcome, event)
    values = number_vector(frame, outcome)
    if family == "poisson":
        present = values[~np.isnan(values)]
        wrong = present[(present < 0) | (present != np.rint(present))]
        if wrong.size:
            raise DataError(
                f"Counts are whole numbers from zero; column {outcome!r} has {wrong.size} other "
                f"value(s), the first {wrong[0]:g}. Of a rate, give the count and exposure=."
            )
    return values


def category_codes(
    frame: pd.DataFrame, outcome: str, order: str | Sequence[object] | None
) -> tuple[FloatArray, tuple[object, ...]]:
    """Position (N,) of each row's category from lowest to highest, NaN where missing; and labels.

    A numeric column, a Categorical in order, or `order`: as for visits, text has no order.
    """
    require_columns(frame, [outcome])
    labels = visit_levels(frame, outcome, order, what="category")
    codes = pd.Index(labels, dtype=object).get_indexer(
        pd.Index(frame[outcome].tolist(), dtype=object)
    )
    return np.where(frame[outcome].isna().to_numpy(), np.nan, codes), tuple(labels)


def exposure_log(frame: pd.DataFrame, exposure: str, values: FloatArray) -> FloatArray:
    """Logarithm of the exposure (N,); NaN where there is no outcome either."""
    given = number_vector(frame, exposure)
    needed = ~np.isnan(values)
    lost = needed & np.isnan(given)
    if lost.any():
        raise DataError(
            f"Column {exposure!r} is missing in {int(lost.sum())} row(s) with an outcome, the "
            f"first in row {frame.index[lost].tolist()[0]!r}."
        )
    wrong = needed & (given <= 0)
    if wrong.any():
        raise DataError(
            f"An exposure is above zero; column {exposure!r} is {given[wrong][0]:g} in row "
            f"{frame.index[wrong].tolist()[0]!r} ({int(wrong.sum())} such row(s))."
        )
    out = np.full(values.size, np.nan)
    out[needed] = np.log(given[needed])
    return out
