"""The rows of an N-of-1 series: each subject's design, and who cannot be estimated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialkit.data.levels import arm_levels, coded_labels, period_levels
from trialkit.data.names import require_columns
from trialkit.data.vectors import label_codes, number_vector, on_scale, require_frame
from trialkit.errors import DataError, SpecError
from trialkit.kernels.linear import aliased_columns
from trialkit.typing import FloatArray, IntArray

__all__ = ["Series", "SeriesRows", "read_series"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One subject: outcome `y` (n,), design `x` (n, P), `time` (n,).

    `columns` maps the code of a treatment to the column of its difference from the reference;
    `counts` (m,) are the rows of each treatment.
    """

    subject: object
    y: FloatArray
    x: FloatArray
    time: FloatArray
    columns: dict[int, int]
    counts: IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeriesRows:
    """All subjects with a comparison, and those without: (subject, reason)."""

    outcome: str
    treatments: tuple[object, ...]
    series: tuple[Series, ...]
    left_out: tuple[tuple[object, str], ...]
    n_rows: int
    n_missing: int
    n_subjects: int


def read_series(
    data: pd.DataFrame,
    *,
    outcome: str,
    subject: str,
    treatment: str,
    reference: object,
    period: str | None,
    cycle: str | None,
    trend: bool,
    period_order: str | Sequence[object] | None,
    log: bool,
) -> SeriesRows:
    """Designs of the subjects, in the order of the data; rows without outcome are left out.

    Raises DataError for missing labels, two rows of a subject in a period, and where no subject
    has two treatments.
    """
    frame = require_frame(data)
    named = [outcome, subject, treatment, *(c for c in (period, cycle) if c is not None)]
    if len(set(named)) < len(named):
        raise SpecError(f"Each role is a column of its own; got {', '.join(named)}.")
    require_columns(frame, named)
    values = on_scale(number_vector(frame, outcome), outcome, log)
    kept = ~np.isnan(values)
    if not kept.any():
        raise DataError(f"Column {outcome!r} has no value in {len(frame)} rows.")
    if reference is None:
        raise SpecError(f"reference= must name the treatment in column {treatment!r}.")
    treatments = arm_levels(frame, treatment, reference)
    own = frame.loc[kept]
    given = label_codes(own, treatment, treatments)
    if len(treatments) < 2:
        raise DataError(f"Column {treatment!r} has one label only, {treatments[0]!r}.")
    subjects = coded_labels(own[subject], subject)[1]
    who = label_codes(own, subject, subjects)
    time = _times(frame, own, period, period_order, who, subjects)
    block = None if cycle is None else label_codes(own, cycle, coded_labels(own[cycle], cycle)[1])
    series: list[Series] = []
    left_out: list[tuple[object, str]] = []
    for code, label in enumerate(subjects):
        at = np.flatnonzero(who == code)
        at = at[np.argsort(time[at], kind="stable")]
        blocks = None if block is None else block[at]
        found = _series(
            label, values[kept][at], given[at], time[at], blocks, trend=trend, labels=treatments
        )
        if isinstance(found, str):
            left_out.append((label, found))
        else:
            series.append(found)
    if not series:
        raise DataError(
            f"No subject has {outcome!r} under {treatments[0]!r} and another treatment, told apart "
            f"from cycles and trend: {left_out[0][0]!r} {left_out[0][1]}."
        )
    return SeriesRows(
        outcome=f"log({outcome})" if log else outcome,
        treatments=tuple(treatments),
        series=tuple(series),
        left_out=tuple(left_out),
        n_rows=len(frame),
        n_missing=int((~kept).sum()),
        n_subjects=len(subjects),
    )


def _times(
    frame: pd.DataFrame,
    own: pd.DataFrame,
    period: str | None,
    order: str | Sequence[object] | None,
    who: IntArray,
    subjects: Sequence[object],
) -> FloatArray:
    """Time (n,) of each row: a numeric period's own value, otherwise its position."""
    if period is None:
        if order is not None:
            raise SpecError("period_order= needs period=.")
        return np.zeros(len(own))
    levels = period_levels(frame, period, order)
    codes = label_codes(own, period, levels)
    key = who * len(levels) + codes
    found, counts = np.unique(key, return_counts=True)
    if (counts > 1).any():
        one, at = divmod(int(found[counts > 1][0]), len(levels))
        raise DataError(
            f"{int((counts > 1).sum())} subject-period pair(s) have more than one row, the first "
            f"subject {subjects[one]!r} in {period} {levels[at]!r}; give one row each."
        )
    is_numeric = order is None and all(isinstance(label, int | float) for label in levels)
    return np.asarray(levels, dtype=np.float64)[codes] if is_numeric else codes.astype(np.float64)


def _series(
    label: object,
    y: FloatArray,
    given: IntArray,
    time: FloatArray,
    block: IntArray | None,
    *,
    trend: bool,
    labels: Sequence[object],
) -> Series | str:
    """The subject's design, or why it has no comparison."""
    counts = np.bincount(given, minlength=len(labels))
    if counts[0] == 0:
        return f"has no value under {labels[0]!r}"
    present = [int(code) for code in np.flatnonzero(counts) if code > 0]
    if not present:
        return f"has values under {labels[0]!r} only"
    parts = [np.ones((y.size, 1))]
    if block is not None:
        parts.append((block[:, None] == np.unique(block)[1:]).astype(np.float64))
    if trend:
        parts.append((time - time.mean())[:, None])
    nuisance = np.hstack(parts)
    nuisance = nuisance[:, ~aliased_columns(nuisance)]
    x = np.hstack([nuisance, (given[:, None] == present).astype(np.float64)])
    if aliased_columns(x).any():
        return "has treatments that cycles or trend do not tell apart"
    columns = {code: nuisance.shape[1] + position for position, code in enumerate(present)}
    return Series(subject=label, y=y, x=x, time=time, columns=columns, counts=counts)
