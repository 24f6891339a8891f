"""Rows that contradict a mixed model for repeated measures, refused by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from trialkit.errors import DataError
from trialkit.typing import IntArray

__all__ = [
    "label_of",
    "refuse_duplicates",
    "refuse_empty",
    "refuse_two_arms",
    "refuse_two_groups",
    "refuse_visits_over_trial",
]

# A change of arm in this share of the subjects is the design, in fewer a fault of the data. In a
# crossover all change, in Balaam's design half of them.
CROSSED_SHARE = 1 / 3


def label_of(values: pd.Series, row: int) -> object:
    """The value of one row as a plain Python value, which prints as the user wrote it."""
    return values.iloc[[row]].tolist()[0]


def refuse_empty(at: IntArray, labels: Sequence[object], what: str) -> None:
    """DataError for labels that no row (N,) has; `what` holds a place for them."""
    counts = np.bincount(at, minlength=len(labels))
    empty = [label for label, count in zip(labels, counts, strict=True) if count == 0]
    if empty:
        raise DataError(
            f"{what.format(', '.join(map(repr, empty)))} has no analysed row: nobody has "
            "all that the model needs there. Leave its rows out of the data."
        )


def refuse_duplicates(
    owner: IntArray, at: IntArray, rows: pd.DataFrame, *, subject: str, places: Sequence[str]
) -> None:
    """DataError for two rows of a subject at one visit (of one period): codes (N,)."""
    key = owner * (int(at.max()) + 1) + at
    ordered = np.argsort(key, kind="stable")
    again = ordered[1:][np.diff(key[ordered]) == 0]
    if again.size:
        first = int(again.min())
        when = ", ".join(f"{name} {label_of(rows[name], first)!r}" for name in places)
        one = "a visit" if len(places) == 1 else "a period and visit"
        raise DataError(
            f"Subject {label_of(rows[subject], first)!r} has more than one analysed row at {when} "
            f"({again.size} row(s) too many in all); a subject has one row {one}. Choose one "
            "record a visit (ANL01FL, PARAMCD?) before the model."
        )


def refuse_visits_over_trial(at: IntArray, period: IntArray, *, visit: str, name: str) -> None:
    """DataError where every visit (codes (N,)) is one of a single period (codes (N,))."""
    pairs = np.unique(np.stack([at, period]), axis=1)
    if np.bincount(pairs[0]).max() < 2:
        raise DataError(
            f"No visit of {visit!r} occurs in two periods of {name!r}: visits are to be counted "
            "within their period, not over the trial, for periods to have one covariance of visits."
        )


def refuse_two_groups(
    owner: IntArray, which: IntArray, rows: pd.DataFrame, *, subject: str, group: str
) -> None:
    """DataError for a subject (codes (N,)) in two covariance groups (codes (N,))."""
    strays = _strays(owner, which)
    if strays.size:
        who = label_of(rows[subject], int(strays[0]))
        raise DataError(
            f"Subject {who!r} changes {group!r} between visits; a subject has one covariance, "
            "so the group stays the same."
        )


def refuse_two_arms(
    within: IntArray, rows: pd.DataFrame, *, arm: str, subject: str, period: str | None
) -> tuple[str, ...]:
    """DataError for two arms within a subject, or within a subject's period (codes (N,)).

    Without `period` the visits may be the periods of a crossover: where many subjects change
    arm that is what they are taken for, and the sentence returned says so.
    """
    strays = _strays(within, pd.factorize(rows[arm])[0])
    if not strays.size:
        return ()
    names = rows[subject].iloc[strays].unique().tolist()
    listed = ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")
    if period is not None:
        when = label_of(rows[period], int(strays[0]))
        raise DataError(
            f"{len(names)} subject(s) have more than one {arm!r} within a {period!r}: {listed} "
            f"(the first at {period} {when!r}). The treatment changes between periods, not within."
        )
    n_repeated = int((np.bincount(within) > 1).sum())
    if len(names) >= CROSSED_SHARE * n_repeated:
        return (
            f"{len(names)} of {n_repeated} subjects with several visits change {arm!r} between "
            "them: the visits are taken as the periods of a crossover.",
        )
    raise DataError(
        f"{len(names)} subject(s) change {arm!r} between visits: {listed}. Where treatments are "
        "crossed over, give period= (the column of periods): its covariance is that of one "
        "subject's periods. Where arms are parallel, a subject has one: take the planned arm "
        "(TRT01P, not TRTA)."
    )


def _strays(owner: IntArray, which: IntArray) -> IntArray:
    """Rows whose code differs from that of their owner's first row."""
    first = np.full(int(owner.max()) + 1, -1, dtype=np.int64)
    first[owner[::-1]] = which[::-1]
    return np.flatnonzero(first[owner] != which)
