"""Days of a period reduced to its mean before an analysis, as the plan declares it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from trialkit.plan.analysis import ResultTable
from trialkit.plan.fields import Column, Model
from trialkit.results import EstimateTable, TestTable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Days", "reduced", "with_reduction"]


class Days(Model):
    """`measurements = {day = "ADY", last = 7, minimum = 4}`: arguments of `period_means`."""

    day: Column
    last: Annotated[int, Field(ge=1)] | None = None
    minimum: Annotated[int, Field(ge=1)] = 1


def reduced(
    frame: pd.DataFrame,
    days: Days,
    *,
    outcome: str,
    subject: str,
    period: str,
    keep: Sequence[str | None],
) -> tuple[pd.DataFrame, str, str]:
    """The period means, what they are (for a method's sentence), and the note that counts them."""
    from trialkit.data.period_means import period_means, period_means_note

    means = period_means(
        frame,
        outcome=outcome,
        subject=subject,
        period=period,
        day=days.day,
        last=days.last,
        minimum=days.minimum,
        keep=[column for column in keep if column is not None],
    )
    window = "all days" if days.last is None else f"the last {days.last} day(s)"
    note = period_means_note(
        means, outcome=outcome, day=days.day, last=days.last, minimum=days.minimum
    )
    return means, f"means of {window} of a period", note


def with_reduction(
    tables: Mapping[str, ResultTable], phrase: str, note: str
) -> dict[str, ResultTable]:
    """The tables of an analysis of period means, which their methods and notes say."""
    return {name: _told(table, phrase, note) for name, table in tables.items()}


def _told(table: ResultTable, phrase: str, note: str) -> ResultTable:
    if isinstance(table, EstimateTable):
        rows = tuple(replace(row, method=f"{row.method}; {phrase}") for row in table.estimates)
        return replace(table, estimates=rows, notes=(*table.notes, note))
    if isinstance(table, TestTable):
        tests = tuple(replace(test, method=f"{test.method}; {phrase}") for test in table.tests)
        return replace(table, tests=tests, notes=(*table.notes, note))
    raise TypeError(f"{type(table).__name__} has no method to say the reduction in.")
