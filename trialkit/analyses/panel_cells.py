"""A frame of measurements as arrays: analytes by cells, each value with its side of a bound.

Vocabulary: a *cell* is one sample, that is a subject under a condition (and, where there are
several, a draw); a *measurement* is one analyte in one cell. `side` is 0 where the value was
measured, -1 where it lies below the bound that `y` holds, +1 where above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialkit.data.levels import arm_levels, factor_levels
from trialkit.data.model_columns import is_factor, model_column
from trialkit.data.names import require_columns
from trialkit.data.vectors import complete_labels, label_codes, number_vector, require_frame
from trialkit.errors import DataError, SpecError
from trialkit.typing import FloatArray, IntArray

__all__ = [
    "PanelCells",
    "PanelColumns",
    "design_columns",
    "read_cells",
    "refuse_missing",
    "refuse_two_arms",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelColumns:
    """Which column holds what; limits may be one number for every measurement."""

    analyte: str
    value: str
    subject: str
    condition: str
    reference: object
    draw: str | None = None
    period: str | None = None
    sequence: str | None = None
    strata: tuple[str, ...] = ()
    plate: str | None = None
    covariates: tuple[str, ...] = ()
    lloq: str | float | None = None
    uloq: str | float | None = None
    baseline: str | None = None
    baseline_lloq: str | float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PanelCells:
    """m analytes by N cells; cells know their subject, condition and what else was declared.

    `y` (m, N) is on the log2 scale, or in its own unit where not `is_log` (NaN missing), `side`
    (m, N); `baseline` (m, N) likewise, or None, with half its limit where it lies below
    (`baseline_side` -1). `attributes` holds one value a cell for each further column.
    """

    analytes: tuple[object, ...]
    subjects: tuple[object, ...]
    conditions: tuple[object, ...]  # the reference first
    subject: IntArray  # (N,)
    condition: IntArray  # (N,)
    y: FloatArray
    side: IntArray
    baseline: FloatArray | None
    baseline_side: IntArray | None
    attributes: pd.DataFrame
    notes: tuple[str, ...]
    is_log: bool = True


def read_cells(data: pd.DataFrame, columns: PanelColumns, *, transform: str) -> PanelCells:
    """Lay the measurements of `data` out as analytes by cells.

    Raises DataError for a missing column or label, a value that is not positive where its
    logarithm is needed, a measurement that stands twice, an attribute that differs between
    the measurements of one cell.
    """
    frame = require_frame(data)
    if columns.reference is None:
        raise DataError(f"reference= must name the condition in {columns.condition!r}.")
    conditions = arm_levels(frame, columns.condition, columns.reference)
    if len(conditions) < 2:
        raise DataError(f"Column {columns.condition!r} has only {conditions[0]!r}.")
    analytes, which = _coded_in_order(frame, columns.analyte)
    subjects, who = _sorted_labels(*_coded_in_order(frame, columns.subject))
    what = label_codes(frame, columns.condition, conditions)
    cell, first = _cell_codes(frame, columns, who, what)
    _refuse_repeats(frame, columns, which, cell, int(first.size))
    y, side = _measurements(frame, columns.value, columns.lloq, columns.uloq, transform)
    shape = (len(analytes), int(first.size))
    base = base_side = None
    if columns.baseline is not None:
        found, found_side = _measurements(
            frame, columns.baseline, columns.baseline_lloq, None, transform
        )
        base = _fill(shape, which, cell, found, np.nan)
        base_side = _fill(shape, which, cell, found_side, 0)
    n_missing = int(np.isnan(y).sum())
    notes = [f"{n_missing} of {len(frame)} measurements are missing."] if n_missing else []
    if base is not None:
        n_without = int((~np.isnan(y) & np.isnan(found)).sum())
        if n_without:
            notes.append(f"{n_without} measurement(s) have no baseline and are left out.")
    return PanelCells(
        analytes=tuple(analytes),
        subjects=tuple(subjects),
        conditions=tuple(conditions),
        subject=who[first],
        condition=what[first],
        y=_fill(shape, which, cell, y, np.nan),
        side=_fill(shape, which, cell, side, 0),
        baseline=base,
        baseline_side=base_side,
        attributes=_attributes(frame, columns, cell, first),
        notes=tuple(notes),
        is_log=transform != "linear",
    )


def _coded_in_order(frame: pd.DataFrame, column: str) -> tuple[list[object], IntArray]:
    """Labels in the Categorical's order, otherwise as they first appear: the assay's order.

    And the label of each row as a position in that list.
    """
    require_columns(frame, [column])
    if isinstance(frame[column].dtype, pd.CategoricalDtype):
        levels = factor_levels(frame, column)
        return levels, label_codes(frame, column, levels)
    codes, labels = complete_labels(frame, column)
    return labels, codes


def _sorted_labels(labels: list[object], codes: IntArray) -> tuple[list[object], IntArray]:
    """The labels sorted: arrangements drawn from a seed do not depend on the order of rows."""
    try:
        order = sorted(range(len(labels)), key=labels.__getitem__)  # type: ignore[arg-type]
    except TypeError:
        order = sorted(range(len(labels)), key=lambda i: str(labels[i]))
    return [labels[i] for i in order], np.argsort(order)[codes].astype(np.int64)


def _cell_codes(
    frame: pd.DataFrame, columns: PanelColumns, who: IntArray, what: IntArray
) -> tuple[IntArray, IntArray]:
    """The cell of each row, and the first row of each cell."""
    key = who * (int(what.max(initial=0)) + 1) + what
    if columns.draw is not None:
        draws, draw = _coded_in_order(frame, columns.draw)
        key = key * len(draws) + draw
    # First rows by key: of several assignments to one place the last one holds.
    first = np.full(int(key.max(initial=-1)) + 1, -1, dtype=np.int64)
    first[key[::-1]] = np.arange(key.size)[::-1]
    occurs = first >= 0
    return (np.cumsum(occurs) - 1)[key], first[occurs]


def _refuse_repeats(
    frame: pd.DataFrame, columns: PanelColumns, which: IntArray, cell: IntArray, n_cells: int
) -> None:
    key = which * n_cells + cell
    repeated = np.flatnonzero(np.bincount(key) > 1)
    if repeated.size:
        row = frame.iloc[int(np.argmax(key == repeated[0]))]
        raise DataError(
            f"{repeated.size} measurement(s) stand more than once, first "
            f"{columns.analyte}={row[columns.analyte]!r} of {columns.subject}="
            f"{row[columns.subject]!r} at {columns.condition}={row[columns.condition]!r}. "
            "Choose one visit, name the draws within a condition by visit= (within subjects), "
            "or average technical replicates first (trialkit.average_replicates)."
        )


def _measurements(
    frame: pd.DataFrame,
    column: str,
    lloq: str | float | None,
    uloq: str | float | None,
    transform: str,
) -> tuple[FloatArray, IntArray]:
    """Values on the log2 scale, at their bound where they lie beyond it, and the side."""
    values = number_vector(frame, column)
    low, high = _limit(frame, lloq, "lloq"), _limit(frame, uloq, "uloq")
    if (low >= high).any():
        raise DataError(f"lloq is not below uloq in {int((low >= high).sum())} row(s).")
    side = np.where(values <= low, -1, np.where(values >= high, 1, 0)).astype(np.int64)
    bounded = np.where(side == -1, low, np.where(side == 1, high, values))
    if transform != "log2":
        return bounded, side
    bad = bounded <= 0
    if bad.any():
        raise DataError(
            f"{column!r} has {int(bad.sum())} value(s) at or below zero, the first in row "
            f"{frame.index[bad].tolist()[0]!r}: they have no logarithm. Give their limit of "
            'quantification by lloq=, transform="none" where values are logarithms already, or '
            'transform="linear" for differences in their own unit.'
        )
    return np.log2(bounded), side


def _limit(frame: pd.DataFrame, limit: str | float | None, name: str) -> FloatArray:
    """One limit a row; without one, none that a value could pass."""
    none = -np.inf if name == "lloq" else np.inf
    if limit is None:
        return np.full(len(frame), none)
    if isinstance(limit, str):
        found = number_vector(frame, limit)
        return np.where(np.isnan(found), none, found)
    is_number = isinstance(limit, int | float | np.integer | np.floating)
    if not is_number or isinstance(limit, bool) or not np.isfinite(limit):
        raise SpecError(f"{name}={limit!r}; give a column or a finite number.")
    return np.full(len(frame), float(limit))


def _fill(
    shape: tuple[int, int], which: IntArray, cell: IntArray, values: np.ndarray, empty: float
) -> np.ndarray:
    filled = np.full(shape, empty, dtype=values.dtype)
    filled[which, cell] = values
    filled.flags.writeable = False
    return filled


def _attributes(
    frame: pd.DataFrame, columns: PanelColumns, cell: IntArray, first: IntArray
) -> pd.DataFrame:
    """One row a cell: period, sequence, strata, plate, covariates; the same for all analytes."""
    names = [*columns.strata, *columns.covariates]
    names += [
        name for name in (columns.period, columns.sequence, columns.plate, columns.draw) if name
    ]
    names = list(dict.fromkeys(names))
    require_columns(frame, names)
    for name in names:
        pairs = pd.DataFrame({"cell": cell, "value": frame[name].to_numpy()}).drop_duplicates()
        repeated = pairs["cell"].duplicated()
        if repeated.any():
            row = frame.iloc[int(first[int(pairs.loc[repeated, "cell"].iloc[0])])]
            raise DataError(
                f"Column {name!r} has several values within one sample, first "
                f"{columns.subject}={row[columns.subject]!r} at "
                f"{columns.condition}={row[columns.condition]!r}; it must be the same for every "
                "analyte of a sample."
            )
    return frame[names].iloc[first].reset_index(drop=True)


def refuse_missing(attributes: pd.DataFrame, names: Sequence[str]) -> None:
    """Raise DataError where a sample has no value of a named attribute."""
    for name in names:
        n_missing = int(attributes[name].isna().sum())
        if n_missing:
            raise DataError(
                f"Column {name!r} is missing for {n_missing} sample(s); leave these subjects "
                "out, or the column."
            )


def design_columns(attributes: pd.DataFrame, names: Sequence[str]) -> FloatArray:
    """Columns (n, q) of the named attributes: numbers as they are, labels as indicators."""
    refuse_missing(attributes, names)
    made = [np.empty((len(attributes), 0))]
    for name in names:
        column = model_column(attributes, name)
        if is_factor(column):
            codes = column.cat.codes.to_numpy()
            levels = np.arange(1, column.cat.categories.size)
            made.append((codes[:, None] == levels).astype(np.float64))
        else:
            made.append(column.to_numpy(dtype=np.float64)[:, None])
    return np.column_stack(made)


def refuse_two_arms(
    cells: PanelCells, columns: PanelColumns, chosen: IntArray, who: IntArray
) -> None:
    """Raise DataError where a subject of a parallel design has samples under two labels."""
    counts = np.bincount(who)
    if (counts > 1).any():
        subject = cells.subjects[int(np.argmax(counts))]
        labels = {cells.conditions[c] for c in cells.condition[chosen[who == np.argmax(counts)]]}
        raise DataError(
            f"{int((counts > 1).sum())} subject(s) have samples under several labels of "
            f"{columns.condition!r}, first {columns.subject}={subject!r} "
            f"({', '.join(sorted(map(repr, labels)))}): that is not a parallel design."
        )
