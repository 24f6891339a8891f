"""What a column means in a model: a number, or a factor with ordered levels.

Text, booleans and Categoricals are factors; numbers are covariates. Dates and columns that
mix types have no meaning in a formula and are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from trialkit.data.levels import factor_levels
from trialkit.errors import DataError
from trialkit.typing import FloatArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "factor_column",
    "is_factor",
    "model_column",
    "numeric_column",
    "refuse_extremes",
    "require_labels",
]

# A column whose largest value lies outside these bounds has squares, or fourth powers of its
# standard errors, that under- or overflow.
SMALLEST_UNIT, LARGEST_UNIT = 1e-75, 1e75


def model_column(frame: pd.DataFrame, name: str) -> pd.Series:
    """Column `name` of complete rows as numbers, or as a Categorical of the levels it has."""
    import pandas as pd
    from pandas.api import types

    values = frame[name]
    require_labels(values, name)
    if isinstance(values.dtype, pd.CategoricalDtype) or types.is_bool_dtype(values.dtype):
        return factor_column(values, name, factor_levels(frame, name))
    if types.is_numeric_dtype(values.dtype):
        return numeric_column(values, name)
    if types.is_datetime64_any_dtype(values.dtype) or types.is_timedelta64_dtype(values.dtype):
        raise DataError(f"Column {name!r} holds dates; give study days as numbers instead.")
    kinds = {_kind(value) for value in values.tolist()}
    if kinds == {"number"}:
        return numeric_column(values, name)
    if len(kinds) > 1 or "other" in kinds:
        raise DataError(
            f"Column {name!r} mixes types ({', '.join(sorted(kinds))}); a model needs numbers "
            "(a covariate) or text (a factor)."
        )
    return factor_column(values, name, factor_levels(frame, name))


def factor_column(values: pd.Series, name: str, levels: Sequence[object]) -> pd.Series:
    """`values` as a Categorical with exactly `levels`; DataError for a label outside them."""
    import pandas as pd

    which, labels = pd.factorize(values)
    code_of = {level: code for code, level in enumerate(levels)}
    strange = [label for label in labels.tolist() if label not in code_of]
    if strange:
        raise DataError(
            f"Column {name!r} has the level {strange[0]!r}, which the model does not know; "
            f"levels: {', '.join(map(repr, levels))}."
        )
    codes = np.array([code_of[label] for label in labels.tolist()], dtype=np.int64)[which]
    column = pd.Categorical.from_codes(codes, categories=pd.Index(list(levels)))
    return pd.Series(column, index=values.index, name=name)


def numeric_column(values: pd.Series, name: str) -> pd.Series:
    """Complete `values` as float64 or int64; DataError where not numbers or not finite."""
    import pandas as pd
    from pandas.api import types

    numbers = _as_floats(values, name)
    refuse_extremes(numbers, values, name)
    if types.is_integer_dtype(values.dtype):
        # Whole numbers stay so: inside C() they name the columns, "C(SITE)[T.2]".
        return values.astype(np.int64)
    return pd.Series(numbers, index=values.index, name=name, copy=True)


def refuse_extremes(numbers: FloatArray, values: pd.Series, name: str) -> None:
    """Raise DataError for infinite `numbers` (n,), and for a unit that loses their squares."""
    largest = float(np.nanmax(np.abs(numbers), initial=0.0))
    if np.isinf(largest):
        is_infinite = np.isinf(numbers)
        first = values.index[is_infinite].tolist()[0]
        raise DataError(
            f"Column {name!r} has {int(is_infinite.sum())} infinite value(s), the first in row "
            f"{first!r}."
        )
    if largest and not SMALLEST_UNIT <= largest <= LARGEST_UNIT:
        raise DataError(
            f"Column {name!r} has {largest:.3g} as its largest absolute value: squares of such "
            "numbers are lost in double precision; give it in another unit."
        )


def require_labels(values: pd.Series, name: str) -> None:
    """Raise DataError for text of blanks only: a missing label, which would pass for a level."""
    blank = [isinstance(label, str) and not label.strip() for label in values.tolist()]
    if any(blank):
        first = values.index[blank].tolist()[0]
        raise DataError(
            f"Column {name!r} has a blank label in {sum(blank)} of {len(blank)} rows, the first in "
            f"row {first!r}; give these rows a label, or make them missing."
        )


def is_factor(values: pd.Series) -> bool:
    """Whether a column made by `model_column` is a factor."""
    import pandas as pd

    return isinstance(values.dtype, pd.CategoricalDtype)


def _kind(value: object) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool | np.bool_):
        return "boolean"
    return "number" if isinstance(value, Real) else "other"


def _as_floats(values: pd.Series, name: str) -> FloatArray:
    """`values` (n,) as floats; dates, complex numbers and booleans are no numbers here."""
    from pandas.api import types

    if types.is_numeric_dtype(values.dtype) and not types.is_complex_dtype(values.dtype):
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    numbers = np.full(len(values), np.nan)
    for place in np.flatnonzero(values.notna().to_numpy()).tolist():
        value = values.iloc[place]
        if not _is_number(value):
            raise DataError(f"Column {name!r} is not numeric: it holds {value!r}.")
        try:
            numbers[place] = float(value)
        except OverflowError:
            raise DataError(f"Column {name!r} holds a number beyond double precision.") from None
    return numbers


def _is_number(value: object) -> bool:
    # numpy counts a duration among its integers, Python a boolean.
    return isinstance(value, Real | Decimal) and not isinstance(
        value, bool | np.bool_ | np.timedelta64
    )
