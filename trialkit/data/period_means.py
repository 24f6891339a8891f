"""One value a subject and period, from several days of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialkit.data.levels import coded_labels
from trialkit.data.names import require_columns
from trialkit.data.vectors import number_vector, require_frame
from trialkit.errors import DataError, SpecError
from trialkit.typing import BoolArray, IntArray

__all__ = ["period_means", "period_means_note"]

COUNTS = ("FIRST_DAY", "LAST_DAY", "N_DAYS", "N_GAPS")


def period_means(
    data: pd.DataFrame,
    *,
    outcome: str,
    subject: str,
    period: str,
    day: str,
    last: int | None = None,
    minimum: int = 1,
    keep: Sequence[str] = (),
) -> pd.DataFrame:
    """Mean outcome of each subject in each period, over the period's last days or all of it.

    `data` has one row a subject, period and `day` (whole numbers, counted from anywhere: a study
    day or a day of the period). One row of the result is one subject and period, in the order
    they appear: `subject`, `period`, the columns `keep` (sequence, treatment, baseline: one
    value a subject and period), `outcome` the mean, and

    - FIRST_DAY, LAST_DAY: the days it is taken over, with `last=k` the k days up to the
      period's last one;
    - N_DAYS: days there with an outcome; N_GAPS: days there without, whether a row is empty
      or absent.

    A period ends on its last row, with an outcome or without. Where the planned end is meant and
    a diary stops early, give the days that were not filled in as rows with an empty
    outcome; without them the last days are those before it stopped. A mean of fewer than
    `minimum` days is missing: the row stays, and what analyses it counts it as left out. Means
    of few days are no less believed than others in an analysis of them; with many gaps see
    `crossover(measurement=)`.

    Raises DataError, naming subject and period, for two rows on a day, for a row without a day or
    with a part of one, and for a column of `keep` with two values in a period.

    Example
    -------
    >>> import pandas as pd
    >>> diary = pd.DataFrame({"ID": ["a"] * 5, "PERIOD": [1, 1, 1, 2, 2], "TRT": list("PPPLL"),
    ...                       "ADY": [1, 2, 4, 15, 16], "PAIN": [9.0, 4.0, 6.0, 3.0, None]})
    >>> period_means(diary, outcome="PAIN", subject="ID", period="PERIOD", day="ADY", last=3,
    ...              keep=["TRT"])
      ID  PERIOD TRT  PAIN  FIRST_DAY  LAST_DAY  N_DAYS  N_GAPS
    0  a       1   P   5.0          2         4       2       1
    1  a       2   L   3.0         14        16       1       2
    """
    frame = require_frame(data)
    _check(last, minimum)
    if isinstance(keep, str):
        raise SpecError(f"keep={keep!r} is one text; give a list of columns, [{keep!r}].")
    columns = [subject, period, *keep, outcome]
    named = [*columns, day]
    if len(set(named) | set(COUNTS)) < len(named) + len(COUNTS):
        raise SpecError(
            "subject, period, day, outcome and keep= are columns of their own, and none is called "
            f"{', '.join(COUNTS)}; got {', '.join(named)}."
        )
    require_columns(frame, named)
    values = number_vector(frame, outcome)
    cells = _cells(frame, subject, period)
    days = _days(frame, day, cells)
    first_rows = frame.iloc[cells.first]
    for column in keep:
        _require_one_value(frame, column, cells)
    low, high = cells.extremes(days)
    if last is not None:
        low = high - last + 1
    used = ~np.isnan(values) & (days >= low[cells.code])
    n_days = np.bincount(cells.code[used], minlength=cells.first.size)
    sums = np.bincount(cells.code[used], values[used], minlength=cells.first.size)
    mean = np.full(n_days.size, np.nan)
    enough = n_days >= minimum
    mean[enough] = sums[enough] / n_days[enough]
    counts = (low, high, n_days, high - low + 1 - n_days)
    return (
        first_rows[columns]
        .reset_index(drop=True)
        .assign(**{outcome: mean}, **dict(zip(COUNTS, counts, strict=True)))
    )


def period_means_note(
    means: pd.DataFrame, *, outcome: str, day: str, last: int | None, minimum: int
) -> str:
    """What a reader of an analysis of `period_means` should know: days, gaps, missing means."""
    n_days, n_gaps = means["N_DAYS"].to_numpy(), means["N_GAPS"].to_numpy()
    window = "of the period" if last is None else f"of the last {last} day(s) of the period"
    short = int((n_days < minimum).sum())
    missing = f"; {short} with fewer than {minimum} have none" if short else ""
    return (
        f"{outcome} is the mean {window} ({day}): {n_days.size} periods of subjects, "
        f"{int(n_days.sum())} days with a value, {int(n_gaps.sum())} without in "
        f"{int((n_gaps > 0).sum())} periods{missing}."
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """The subject-period of each row (N,) and the first row of each (C,), with their labels."""

    code: IntArray
    first: IntArray
    subjects: list[object]
    periods: list[object]

    def named(self, row: int) -> str:
        """The subject and period of a row."""
        at = self.code[row]
        return f"subject {self.subjects[at]!r} in period {self.periods[at]!r}"

    def extremes(self, days: IntArray) -> tuple[IntArray, IntArray]:
        """First and last day (C,) of each."""
        low = np.full(self.first.size, np.iinfo(np.int64).max)
        high = np.full(self.first.size, np.iinfo(np.int64).min)
        np.minimum.at(low, self.code, days)
        np.maximum.at(high, self.code, days)
        return low, high


def _check(last: int | None, minimum: int) -> None:
    for name, value in (("last", last), ("minimum", minimum)):
        if name == "last" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            allowed = "a whole number of days from 1" + (", or None" if name == "last" else "")
            raise SpecError(f"{name}={value!r} is not offered; allowed: {allowed}.")
    if last is not None and minimum > last:
        raise SpecError(f"minimum={minimum} days of the last {last} can never be had.")


def _cells(frame: pd.DataFrame, subject: str, period: str) -> _Cells:
    for column in (subject, period):
        missing = frame[column].isna().to_numpy()
        if missing.any():
            raise DataError(
                f"Column {column!r} is missing in {int(missing.sum())} of {len(frame)} rows, the "
                f"first in row {frame.index[missing].tolist()[0]!r}; give these rows a value or "
                "leave them out."
            )
    if frame.empty:
        raise DataError("The data have no row.")
    who, _ = coded_labels(frame[subject], subject)
    when, periods = coded_labels(frame[period], period)
    key = who * len(periods) + when
    _, opening, cell = np.unique(key, return_index=True, return_inverse=True)
    # Cells are numbered as they appear, not by their codes.
    code = np.argsort(np.argsort(opening))[cell].astype(np.int64)
    first = np.sort(opening)
    return _Cells(
        code,
        first,
        frame[subject].iloc[first].tolist(),
        frame[period].iloc[first].tolist(),
    )


def _days(frame: pd.DataFrame, column: str, cells: _Cells) -> IntArray:
    """Days (N,) as whole numbers, each once in a period."""
    days = number_vector(frame, column)
    _refuse(np.isnan(days), f"Column {column!r} is missing", cells)
    _refuse(days != np.floor(days), f"Column {column!r} is not a whole number of days", cells)
    whole = days.astype(np.int64)
    repeated = pd.DataFrame({"cell": cells.code, "day": whole}).duplicated().to_numpy()
    at = int(np.argmax(repeated)) if repeated.any() else 0
    _refuse(repeated, f"More than one row on a day ({column!r} = {whole[at]})", cells)
    return whole


def _require_one_value(frame: pd.DataFrame, column: str, cells: _Cells) -> None:
    """One value, or none, in all rows of a subject and period."""
    codes = pd.factorize(frame[column])[0]
    differs: BoolArray = codes != codes[cells.first][cells.code]
    _refuse(differs, f"Column {column!r} of keep= has more than one value", cells)


def _refuse(bad: BoolArray, what: str, cells: _Cells) -> None:
    if bad.any():
        raise DataError(
            f"{what} for {cells.named(int(np.argmax(bad)))} ({int(bad.sum())} row(s) in all)."
        )
