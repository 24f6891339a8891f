"""What a column means in a model: a number, or a factor with ordered levels.

Text, booleans and Categoricals are factors; numbers are covariates. Dates and columns that
mix types have no meaning in a formula and are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from trialkit.data.levels import factor_levels
from trialkit.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["factor_column", "is_factor", "model_column", "numeric_column"]


def model_column(frame: pd.DataFrame, name: str) -> pd.Series:
    """Column `name` of complete rows as numbers, or as a Categorical of the levels it has."""
    import pandas as pd
    from pandas.api import types

    values = frame[name]
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

    try:
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        numbers = None
    if numbers is None or _holds_text(values):
        example = next(v for v in values.tolist() if not isinstance(v, Real))
        raise DataError(f"Column {name!r} is not numeric: it holds {example!r}.")
    infinite = int(np.isinf(numbers).sum())
    if infinite:
        first = values.index[np.isinf(numbers)].tolist()[0]
        raise DataError(
            f"Column {name!r} has {infinite} infinite value(s), the first in row {first!r}."
        )
    if types.is_integer_dtype(values.dtype):
        # Whole numbers stay so: inside C() they name the columns, "C(SITE)[T.2]".
        return values.astype(np.int64)
    return pd.Series(numbers, index=values.index, name=name, copy=True)


def _holds_text(values: pd.Series) -> bool:
    """Whether any value is text, which a conversion to numbers may have read as one."""
    from pandas.api import types

    if types.is_numeric_dtype(values.dtype):
        return False
    return any(isinstance(value, str) for value in values.tolist())


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
