"""Finding a named column, and saying which name was probably meant when it is not there."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from trialkit.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["near_names", "require_columns"]

# Enough of a wide ADaM frame's names to recognise the file by; all of them would fill a page.
MAX_LISTED = 12


def require_columns(frame: pd.DataFrame, names: Sequence[str]) -> None:
    """Raise DataError unless each of `names` is a column of `frame`, once."""
    for name in names:
        found = int((frame.columns == name).sum())
        if found == 0:
            raise DataError(
                f"No column {name!r} in the data{near_names(name, frame.columns.tolist())}."
            )
        if found > 1:
            raise DataError(f"Column {name!r} stands {found} times in the data; keep one.")


def near_names(name: str, present: Sequence[object]) -> str:
    """A clause listing the names closest to `name`, or what there is when none is close."""
    by_lower = {str(item).lower(): str(item) for item in present}
    close = get_close_matches(str(name).lower(), list(by_lower), n=3, cutoff=0.6)
    if close:
        return f"; nearest: {', '.join(by_lower[item] for item in close)}"
    listed = [str(item) for item in present[:MAX_LISTED]]
    more = f", ... ({len(present)} in all)" if len(present) > MAX_LISTED else ""
    return f"; present: {', '.join(listed) or 'none'}{more}"
