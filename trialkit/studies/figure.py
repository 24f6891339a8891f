"""A published figure: what was printed, for whom, when, and how far it can be trusted.

Vocabulary: a *figure* is one printed number with the words that say what it is. A *cell* is an
arm, outcome and timepoint of a study; a figure is named by its cell and its *statistic*.
`printed` is the text as printed, so that trailing zeros survive.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from math import nan
from typing import TYPE_CHECKING, NamedTuple

from trialkit.errors import DataError
from trialkit.kernels.rounding import PrintedInterval, printed_interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COUNT_STATISTIC",
    "EXACT",
    "PROBABILITIES",
    "REQUIRED",
    "Figure",
    "FigureKey",
    "figures_of",
]

REQUIRED = ("study", "outcome", "statistic", "printed")
OPTIONAL = ("arm", "timepoint", "granularity", "unit", "note", "provenance")
COUNT_STATISTIC = "n/N"
# Statistics that cannot leave 0 to 1, whatever their last digit was rounded from.
PROBABILITIES = frozenset({"p", "p_lmm", "proportion"})
# Counted, not measured: no rounding to allow for.
EXACT = frozenset({"n"})
_COUNT = re.compile(r"^(\d+)\s*/\s*(\d+)$")


class FigureKey(NamedTuple):
    """What tells a study's figures apart."""

    arm: str
    outcome: str
    timepoint: str
    statistic: str

    def __str__(self) -> str:
        return " | ".join(self)

    @classmethod
    def parse(cls, text: str) -> FigureKey:
        """Read "arm | outcome | timepoint | statistic"; raises DataError for another shape."""
        parts = [part.strip() for part in text.split("|")]
        if len(parts) != len(cls._fields):
            raise DataError(f"{text!r} does not name a figure as arm | outcome | time | statistic.")
        return cls(*parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of a table of published figures; `row` counts its data rows from 1.

    `interval` holds the values that print as `printed`, `count` the two numbers of an "n/N";
    one of the two is None. `granularity` is the smallest step of one person's score.
    """

    study: str
    arm: str
    outcome: str
    timepoint: str
    statistic: str
    printed: str
    interval: PrintedInterval | None
    count: tuple[int, int] | None
    granularity: Fraction | None
    unit: str
    provenance: str
    note: str
    row: int

    @property
    def key(self) -> FigureKey:
        """Name of the figure within its study."""
        return FigureKey(self.arm, self.outcome, self.timepoint, self.statistic)

    @property
    def bounds(self) -> tuple[float, float]:
        """Values the printed text allows; a count has one, a probability stays within 0 to 1."""
        if self.interval is None:
            raise DataError(f"{self.key} is a count ({self.printed}), not a measured figure.")
        if self.statistic in EXACT:
            return self.interval.value, self.interval.value
        low, high = self.interval.low, self.interval.high
        if self.statistic in PROBABILITIES:
            return max(low, 0.0), min(high, 1.0)
        return low, high

    @property
    def point(self) -> float:
        """The printed number; the count of an "n/N"; NaN for a bound such as "<0.001"."""
        if self.count is not None:
            return float(self.count[0])
        return nan if self.interval is None else self.interval.value

    @property
    def last_digit(self) -> float:
        """One unit of the last printed digit; one person for a count."""
        return 1.0 if self.interval is None else self.interval.unit


def figures_of(frame: pd.DataFrame) -> tuple[Figure, ...]:
    """Figures of a frame with the columns of `published.csv`, in its order.

    Needed: study, outcome, statistic, printed. Optional: arm, timepoint, granularity, unit,
    note, provenance; others are ignored. Raises DataError for a missing column, and, naming
    row and column, for an empty or unreadable entry.
    """
    missing = [name for name in REQUIRED if name not in frame.columns]
    if missing:
        raise DataError(
            f"Published figures lack the column(s) {', '.join(missing)}; "
            f"needed: {', '.join(REQUIRED)}; optional: {', '.join(OPTIONAL)}."
        )
    columns = {
        name: [as_text(value) for value in frame[name].tolist()]
        if name in frame.columns
        else [""] * len(frame)
        for name in (*REQUIRED, *OPTIONAL)
    }
    return tuple(
        _figure(number + 1, {name: values[number] for name, values in columns.items()})
        for number in range(len(frame))
    )


def as_text(value: object) -> str:
    """An entry as text; a missing value is empty, a number its shortest decimal form."""
    if value is None or value != value:  # NaN and NaT differ from themselves
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    return "" if text == "<NA>" else text


def _figure(row: int, entries: dict[str, str]) -> Figure:
    for name in REQUIRED:
        if not entries[name]:
            raise DataError(f"Row {row} of the published figures: column {name!r} is empty.")
    interval, count = _read_printed(row, entries["statistic"], entries["printed"])
    return Figure(
        study=entries["study"],
        arm=entries["arm"],
        outcome=entries["outcome"],
        timepoint=entries["timepoint"],
        statistic=entries["statistic"],
        printed=entries["printed"],
        interval=interval,
        count=count,
        granularity=_read_granularity(row, entries["granularity"]),
        unit=entries["unit"],
        provenance=entries["provenance"],
        note=entries["note"],
        row=row,
    )


def _read_printed(
    row: int, statistic: str, printed: str
) -> tuple[PrintedInterval | None, tuple[int, int] | None]:
    if statistic == COUNT_STATISTIC:
        match = _COUNT.match(printed)
        if match is None:
            raise DataError(
                f"Row {row} of the published figures: column 'printed' holds {printed!r}; "
                "statistic n/N needs two whole numbers such as 26/49."
            )
        return None, (int(match[1]), int(match[2]))
    try:
        return printed_interval(printed), None
    except DataError as error:
        raise DataError(f"Row {row} of the published figures, column 'printed': {error}") from None


def _read_granularity(row: int, text: str) -> Fraction | None:
    if not text:
        return None
    try:
        step = Fraction(text)
    except (ValueError, ZeroDivisionError):
        step = Fraction(0)
    if step <= 0:
        raise DataError(
            f"Row {row} of the published figures: column 'granularity' holds {text!r}; "
            "allowed: a positive number or fraction such as 1 or 1/7."
        )
    return step
