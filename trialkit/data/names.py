"""Finding a named column, and saying which name was probably meant when it is not there."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from trialkit.errors import DataError, SpecError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["near_names", "require_columns", "require_frame"]

# Enough of a wide ADaM frame's names to recognise the file by; all of them would fill a page.
MAX_LISTED = 12


def require_frame(data: object) -> pd.DataFrame:
    """`data` itself; raises DataError where it is not a DataFrame."""
    import pandas as pd

    if not isinstance(data, pd.DataFrame):
        raise DataError(f"data must be a pandas DataFrame, not {type(data).__name__}.")
    return data


def require_columns(frame: pd.DataFrame, names: Sequence[str]) -> None:
    """Raise DataError unless each of `names` is a column of `frame`, once.

    SpecError for what cannot be the name of a column: a list of names, the column itself.
    """
    require_frame(frame)
    for name in names:
        if not isinstance(name, Hashable):
            raise SpecError(
                f"A column is given by its name, not by a {type(name).__name__} of values."
            )
        found = _occurrences(frame.columns, name)
        if found == 0:
            raise DataError(
                f"No column {name!r} in the data{near_names(name, frame.columns.tolist())}."
            )
        if found > 1:
            raise DataError(f"Column {name!r} stands {found} times in the data; keep one.")


def _occurrences(columns: pd.Index, name: object) -> int:
    import pandas as pd

    # A hash look-up; indexes of other kinds read text as a date or as part of a key.
    if type(columns) is pd.Index and columns.is_unique:
        return int(name in columns)
    return int((columns == name).sum())


def near_names(name: str, present: Sequence[object]) -> str:
    """A clause listing the names closest to `name`, or what there is when none is close."""
    by_lower = {str(item).lower(): str(item) for item in present}
    close = get_close_matches(str(name).lower(), list(by_lower), n=3, cutoff=0.6)
    if close:
        return f"; nearest: {', '.join(by_lower[item] for item in close)}"
    listed = [str(item) for item in present[:MAX_LISTED]]
    more = f", ... ({len(present)} in all)" if len(present) > MAX_LISTED else ""
    return f"; present: {', '.join(listed) or 'none'}{more}"
