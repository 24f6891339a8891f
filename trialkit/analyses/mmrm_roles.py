"""Who was seen when: the columns of a repeated-measures frame as codes the kernels take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialkit.data.levels import factor_levels
from trialkit.data.model_columns import numeric_column
from trialkit.data.model_frame import ModelFrame
from trialkit.errors import DataError
from trialkit.kernels.mmrm.layout import Layout, layout
from trialkit.typing import FloatArray, IntArray

__all__ = ["Roles", "read_roles"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Roles:
    """Subjects, visits and groups of the N analysed rows, in the rows' order.

    `subjects` are the labels behind the codes `subject` (N,), in order of appearance;
    `visits` likewise from first to last, `groups` (one label None without a group).
    `time` and `weights` (N,) are None where not declared.
    """

    subjects: pd.Index
    visits: tuple[object, ...]
    groups: tuple[object, ...]
    subject: IntArray
    visit: IntArray
    group: IntArray | None
    time: FloatArray | None
    weights: FloatArray | None
    layout: Layout


def read_roles(
    data: pd.DataFrame,
    frame: ModelFrame,
    *,
    columns: Mapping[str, str | None],
    visits: Sequence[object],
    group_order: Sequence[object] | None,
) -> Roles:
    """Codes of the analysed rows of `data`.

    `columns` maps the roles subject, visit, group, time and weights to column names.
    Raises DataError for a visit without analysed rows, a subject with two rows at a visit or
    in two groups, a group without subjects, times or weights that cannot be used.
    """
    subject, visit = str(columns["subject"]), str(columns["visit"])
    group, time, weights = columns["group"], columns["time"], columns["weights"]
    rows = data.iloc[frame.rows]
    codes, subjects = pd.factorize(rows[subject])
    owner = codes.astype(np.int64)
    at = _codes(rows[visit], visits)
    _refuse_empty_visits(at, visits, visit)
    _refuse_duplicates(owner, at, rows, subject=subject, visit=visit)
    labels: tuple[object, ...] = (None,)
    which: IntArray | None = None
    if group is not None:
        labels = tuple(group_order or factor_levels(rows, group))
        which = _codes(rows[group], labels)
        _refuse_two_groups(owner, which, rows, subject=subject, group=group)
    when = None if time is None else _times(rows, owner, time=time, subject=subject, visit=visit)
    return Roles(
        subjects=pd.Index(subjects),
        visits=tuple(visits),
        groups=labels,
        subject=owner,
        visit=at,
        group=which,
        time=when,
        weights=None if weights is None else _weights(rows, weights),
        layout=layout(
            subject=owner,
            visit=at,
            n_visits=len(visits),
            group=which,
            n_groups=len(labels),
            time=when,
        ),
    )


def _codes(values: pd.Series, labels: Sequence[object]) -> IntArray:
    return pd.Index(list(labels)).get_indexer(pd.Index(values)).astype(np.int64)


def _label(values: pd.Series, row: int) -> object:
    """The value of one row as a plain Python value, which prints as the user wrote it."""
    return values.iloc[[row]].tolist()[0]


def _refuse_empty_visits(at: IntArray, visits: Sequence[object], visit: str) -> None:
    counts = np.bincount(at, minlength=len(visits))
    empty = [label for label, count in zip(visits, counts, strict=True) if count == 0]
    if empty:
        raise DataError(
            f"Visit {', '.join(map(repr, empty))} of {visit!r} has no analysed row: nobody has "
            "all that the model needs there. Leave its rows out of the data."
        )


def _refuse_duplicates(
    owner: IntArray, at: IntArray, rows: pd.DataFrame, *, subject: str, visit: str
) -> None:
    key = owner * (int(at.max()) + 1) + at
    ordered = np.argsort(key, kind="stable")
    again = ordered[1:][np.diff(key[ordered]) == 0]
    if again.size:
        first = int(again.min())
        who, when = _label(rows[subject], first), _label(rows[visit], first)
        raise DataError(
            f"Subject {who!r} has more than one analysed row at {visit} {when!r} ({again.size} "
            "row(s) too many in all); a subject has one row a visit. Choose one record a visit "
            "(ANL01FL, PARAMCD?) before the model."
        )


def _refuse_two_groups(
    owner: IntArray, which: IntArray, rows: pd.DataFrame, *, subject: str, group: str
) -> None:
    first = np.full(int(owner.max()) + 1, -1, dtype=np.int64)
    first[owner[::-1]] = which[::-1]
    strays = np.flatnonzero(first[owner] != which)
    if strays.size:
        who = _label(rows[subject], int(strays[0]))
        raise DataError(
            f"Subject {who!r} changes {group!r} between visits; a subject has one covariance, "
            "so the group stays the same."
        )


def _times(
    rows: pd.DataFrame, owner: IntArray, *, time: str, subject: str, visit: str
) -> FloatArray:
    times = numeric_column(rows[time], time).to_numpy(dtype=np.float64)
    ordered = np.lexsort((times, owner))
    tied = (np.diff(owner[ordered]) == 0) & (np.diff(times[ordered]) == 0)
    if tied.any():
        row = int(ordered[1:][tied].min())
        who, at = _label(rows[subject], row), _label(rows[visit], row)
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
