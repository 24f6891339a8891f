"""Rules about measured numbers, which hold whatever the design."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trialkit.data.coded_rows import CodedRows
from trialkit.data.findings import Finding
from trialkit.data.numbers import Numbers, numbers_of
from trialkit.typing import FloatArray

__all__ = ["change_differs", "number_rules"]

MAX_EXAMPLES = 3
# Beyond this many decimals a number was computed rather than written down.
MAX_DECIMALS = 10
# Room for the arithmetic of a difference, relative to the numbers in it.
ROUNDOFF = 1e-9


def number_rules(rows: CodedRows, column: str, *, role: str, numbers: Numbers) -> Iterator[Finding]:
    """What is not a number, and what is not finite, in the column of a numeric role.

    Rules `non-numeric-<role>` (one finding a column) and `infinite-<role>` (one a place). A
    missing number is no finding: who is missing, and why, is an analysis of its own.
    """
    n_bad = int(numbers.is_bad.sum())
    if n_bad:
        bad = rows.frame[column][numbers.is_bad]
        examples = ", ".join(repr(str(value)) for value in bad.unique().tolist()[:MAX_EXAMPLES])
        first = next(rows.places(numbers.is_bad))
        yield Finding(
            rule=f"non-numeric-{role}",
            column=column,
            count=n_bad,
            message=(
                f"{column} is not a number in {n_bad} row(s), such as {examples}; first: {first}."
            ),
        )
    elif numbers.is_text:
        n_text = int((~np.isnan(numbers.values)).sum())
        yield Finding(
            rule=f"non-numeric-{role}",
            column=column,
            count=n_text,
            message=f"{column} holds its {n_text} numbers as text; convert it to a numeric column.",
        )
    for place in rows.places(np.isinf(numbers.values)):
        yield Finding(
            rule=f"infinite-{role}",
            column=column,
            subject=place.subject,
            visit=place.visit,
            count=place.count,
            message=f"{column} of {place} is infinite; a number that is not known is missing.",
        )


def change_differs(rows: CodedRows) -> Iterator[Finding]:
    """CHG other than AVAL - BASE, by more than the rounding of the three columns explains."""
    if not {"CHG", "AVAL", "BASE"} <= set(rows.frame.columns):
        return
    chg, aval, base = (numbers_of(rows.frame[name]).values for name in ("CHG", "AVAL", "BASE"))
    with np.errstate(invalid="ignore"):
        gap = np.abs(chg - (aval - base))
        size = np.maximum(np.abs(aval), np.abs(base))
        allowed = sum(_half_unit(values) for values in (chg, aval, base)) + ROUNDOFF * size
        differs = gap > allowed
    for place in rows.places(differs):
        row = place.first_row
        yield Finding(
            rule="change-differs",
            column="CHG",
            subject=place.subject,
            visit=place.visit,
            count=place.count,
            message=(
                f"CHG of {place}{rows.parameter_text(row)} is {chg[row]:g}; "
                f"AVAL - BASE = {aval[row]:g} - {base[row]:g} = {aval[row] - base[row]:g}."
            ),
        )


def _half_unit(values: FloatArray) -> float:
    """Half a unit of the last decimal that the column is written with; 0 if it has no end."""
    present = values[np.isfinite(values)]
    for decimals in range(MAX_DECIMALS + 1):
        # Two roundings of one decimal number agree to the last bit.
        if np.array_equal(np.round(present, decimals), present):
            return 0.5 * 10.0**-decimals
    return 0.0
