"""Who was seen when: the columns of a repeated-measures frame as codes the kernels take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from trialkit.analyses.mmrm_rows import (
    label_of,
    refuse_duplicates,
    refuse_empty,
    refuse_two_arms,
    refuse_two_groups,
    refuse_visits_over_trial,
)
from trialkit.data.levels import factor_levels
from trialkit.data.model_columns import numeric_column
from trialkit.data.model_frame import ModelFrame
from trialkit.errors import DataError
from trialkit.kernels.mmrm.layout import Layout, layout
from trialkit.typing import FloatArray, IntArray

__all__ = ["Roles", "cell_labels", "read_roles"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Roles:
    """Subjects, visits and groups of the N analysed rows, in the rows' order.

    `subjects` are the labels behind the codes `subject` (N,), in order of appearance;
    `visits` likewise from first to last (one label None without a visit), `periods` (None
    where not declared), `groups` (one label None without a group). The layout's visits are the
    cells: each period's visits in turn. `time` and `weights` (N,) are None where not declared.
    `notes` say what was taken for granted.
    """

    subjects: pd.Index
    visits: tuple[object, ...]
    periods: tuple[object, ...] | None
    groups: tuple[object, ...]
    subject: IntArray
    visit: IntArray
    group: IntArray | None
    time: FloatArray | None
    weights: FloatArray | None
    layout: Layout
    notes: tuple[str, ...] = ()

    @property
    def cells(self) -> tuple[object, ...]:
        """Labels of the covariance's rows: visits, or (period, visit), or periods alone."""
        return cell_labels(self.visits, self.periods)

    @property
    def n_periods(self) -> int:
        """Number of periods, 1 where none are declared."""
        return 1 if self.periods is None else len(self.periods)


def cell_labels(visits: Sequence[object], periods: Sequence[object] | None) -> tuple[object, ...]:
    """The labels of visits within periods, as far as either is there."""
    if periods is None:
        return tuple(visits)
    if list(visits) == [None]:
        return tuple(periods)
    return tuple(product(periods, visits))


def read_roles(
    data: pd.DataFrame,
    frame: ModelFrame,
    *,
    columns: Mapping[str, str | None],
    visits: Sequence[object],
    periods: Sequence[object] | None,
    arm: str | None,
    group_order: Sequence[object] | None,
) -> Roles:
    """Codes of the analysed rows of `data`.

    `columns` maps the roles subject, visit, period, group, time and weights to column names.
    Raises DataError for a visit or period without analysed rows, a subject with two rows at a
    visit (of a period), in two arms (within a period) or in two groups, a group without
    subjects, times or weights that cannot be used.
    """
    subject, visit, period = str(columns["subject"]), columns["visit"], columns["period"]
    group, time, weights = columns["group"], columns["time"], columns["weights"]
    rows = data.iloc[frame.rows]
    codes, subjects = pd.factorize(rows[subject])
    owner = codes.astype(np.int64)
    at = np.zeros(owner.size, dtype=np.int64)
    if visit is not None:
        at = _codes(rows[visit], visits)
        refuse_empty(at, visits, f"Visit {{}} of {visit!r}")
    cell, within = at, owner
    if period is not None and periods is not None:
        when_treated = _periods(rows, period, periods, visit, at)
        cell = when_treated * len(visits) + at
        within = owner * len(periods) + when_treated
    places = [name for name in (period, visit) if name is not None]
    refuse_duplicates(owner, cell, rows, subject=subject, places=places)
    notes: tuple[str, ...] = ()
    if arm is not None:
        notes = refuse_two_arms(within, rows, arm=arm, subject=subject, period=period)
    labels: tuple[object, ...] = (None,)
    which: IntArray | None = None
    if group is not None:
        labels = tuple(group_order or factor_levels(rows, group))
        which = _codes(rows[group], labels)
        refuse_two_groups(owner, which, rows, subject=subject, group=group)
    when = None
    if time is not None:
        when = _times(rows, owner, time=time, subject=subject, visit=str(visit))
    n_cells = len(cell_labels(visits, periods))
    return Roles(
        subjects=pd.Index(subjects),
        visits=tuple(visits),
        periods=None if periods is None else tuple(periods),
        groups=labels,
        subject=owner,
        visit=at,
        group=which,
        time=when,
        weights=None if weights is None else _weights(rows, weights),
        layout=layout(
            subject=owner,
            visit=cell,
            n_visits=n_cells,
            group=which,
            n_groups=len(labels),
            time=when,
        ),
        notes=notes,
    )


def _periods(
    rows: pd.DataFrame, period: str, periods: Sequence[object], visit: str | None, at: IntArray
) -> IntArray:
    """The period of each row (N,); `at` (N,) are the codes of the visits."""
    when_treated = _codes(rows[period], periods)
    refuse_empty(when_treated, periods, f"Period {{}} of {period!r}")
    if visit is not None:
        refuse_visits_over_trial(at, when_treated, visit=visit, name=period)
    return when_treated


def _codes(values: pd.Series, labels: Sequence[object]) -> IntArray:
    return pd.Index(list(labels)).get_indexer(pd.Index(values)).astype(np.int64)


def _times(
    rows: pd.DataFrame, owner: IntArray, *, time: str, subject: str, visit: str
) -> FloatArray:
    times = numeric_column(rows[time], time).to_numpy(dtype=np.float64)
    ordered = np.lexsort((times, owner))
    tied = (np.diff(owner[ordered]) == 0) & (np.diff(times[ordered]) == 0)
    if tied.any():
        row = int(ordered[1:][tied].min())
        who, at = label_of(rows[subject], row), label_of(rows[visit], row)
        raise DataError(
            f"Subject {who!r} has two rows at {time}={times[row]:g} (one of them {visit} {at!r}); "
            "a spatial covariance needs distinct times."
        )
    return times


def _weights(rows: pd.DataFrame, weights: str) -> FloatArray:
    values = numeric_column(rows[weights], weights).to_numpy(dtype=np.float64)
    bad = np.flatnonzero(values <= 0)
    if bad.size:
        raise DataError(
            f"Weights {weights!r} are not above zero in {bad.size} row(s), the first "
            f"{rows.index[bad[:1]].tolist()[0]!r} with {values[bad[0]]:g}; leave such rows out."
        )
    return values
