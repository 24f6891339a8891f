"""Every subject at every visit: the frame that imputation fills.

Rows that a data set leaves out (a visit that was never held) are made from the subject's other
rows: a column that is constant within subjects is carried over, one that is constant within
visits (a visit's number) comes from the visit. Anything else that is missing is refused: a
covariate is never imputed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialkit.data.formula import Parsed, parse_formula
from trialkit.data.levels import arm_levels, visit_levels
from trialkit.data.names import require_columns
from trialkit.data.vectors import label_codes, number_vector, require_frame
from trialkit.errors import DataError, SpecError
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["Grid", "grid_of_formula", "plain_outcome", "read_grid"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """n subjects (in order of appearance) by m visits; arms with the reference first.

    `y` (n, m) is NaN where the outcome is missing; `arm_code` (n,); `frame` has n m rows,
    subject by subject, with the declared columns complete. `is_subject_level` says of each
    column whether it is constant within every subject.
    """

    subject: str
    visit: str
    arm: str
    outcome: str
    subjects: pd.Index
    visits: tuple[object, ...]
    arms: tuple[object, ...]
    arm_code: IntArray
    y: FloatArray
    frame: pd.DataFrame
    is_subject_level: dict[str, bool]

    @property
    def seen(self) -> BoolArray:
        """Which outcomes (n, m) were observed."""
        return ~np.isnan(self.y)

    @property
    def n(self) -> int:
        """Number of subjects."""
        return int(self.y.shape[0])

    def subject_codes(self, labels: pd.Series) -> IntArray:
        """Position of each label among the subjects; -1 where there is none."""
        return np.asarray(self.subjects.get_indexer(pd.Index(labels)), dtype=np.int64)


def read_grid(
    data: pd.DataFrame,
    *,
    outcome: str,
    subject: str,
    visit: str,
    arm: str,
    reference: object,
    visit_order: str | Sequence[object] | None,
    columns: Sequence[str],
) -> Grid:
    """Lay `data` out; `columns` are those a model needs beside outcome, visit and arm.

    Raises DataError for two rows of a subject at a visit, a subject in two arms, a missing
    subject, visit or arm, and a column with gaps that nothing fills.
    """
    frame = require_frame(data)
    require_columns(frame, [subject, visit, arm, outcome, *columns])
    visits = visit_levels(frame, visit, visit_order)
    arms = arm_levels(frame, arm, reference)
    if len(arms) < 2:
        raise DataError(f"Column {arm!r} has only one arm, {arms[0]!r}: nothing to compare.")
    if len(visits) < 2:
        raise DataError(
            f"Column {visit!r} has only one visit, {visits[0]!r}; imputation borrows from others."
        )
    owner, subjects = _owners(frame, subject)
    at = label_codes(frame, visit, visits)
    code = label_codes(frame, arm, arms)
    slot = owner * len(visits) + at
    _refuse_duplicates(frame, slot, subject=subject, visit=visit)
    of_subject = _one_arm(frame, owner, code, subject=subject, arm=arm)
    y = np.full(len(subjects) * len(visits), np.nan)
    y[slot] = number_vector(frame, outcome)
    row = np.full(y.size, -1, dtype=np.int64)
    row[slot] = np.arange(len(frame))
    made, levels = _filled(
        frame, [c for c in dict.fromkeys(columns) if c not in (visit, arm)], row, owner, at, subject
    )
    places = np.repeat(np.arange(len(subjects)), len(visits))
    made[subject] = pd.Series(subjects).take(places).reset_index(drop=True)
    made[visit] = pd.Series(list(visits) * len(subjects))
    made[arm] = pd.Series([arms[k] for k in of_subject[places]])
    return Grid(
        subject=subject,
        visit=visit,
        arm=arm,
        outcome=outcome,
        subjects=subjects,
        visits=tuple(visits),
        arms=tuple(arms),
        arm_code=of_subject,
        y=y.reshape(len(subjects), len(visits)),
        frame=pd.DataFrame(made),
        is_subject_level={**levels, arm: True, visit: False, subject: True},
    )


def grid_of_formula(
    formula: str,
    data: pd.DataFrame,
    *,
    subject: str,
    visit: str,
    arm: str,
    reference: object,
    visit_order: str | Sequence[object] | None,
) -> Grid:
    """The grid of a formula's outcome and variables; errors as `plain_outcome`, `read_grid`."""
    parsed = parse_formula(formula)
    return read_grid(
        data,
        outcome=plain_outcome(parsed),
        subject=subject,
        visit=visit,
        arm=arm,
        reference=reference,
        visit_order=visit_order,
        columns=parsed.right,
    )


def plain_outcome(parsed: Parsed) -> str:
    """The outcome's column; SpecError where it is an expression."""
    if parsed.left != (parsed.outcome,):
        raise SpecError(
            f"The outcome {parsed.outcome} of {parsed.formula!r} is an expression; make it a "
            "column, which can be imputed."
        )
    return parsed.outcome


def _owners(frame: pd.DataFrame, subject: str) -> tuple[IntArray, pd.Index]:
    n_missing = int(frame[subject].isna().sum())
    if n_missing:
        raise DataError(f"Column {subject!r} is missing in {n_missing} of {len(frame)} rows.")
    codes, labels = pd.factorize(frame[subject])
    return codes.astype(np.int64), pd.Index(labels)


def _refuse_duplicates(frame: pd.DataFrame, slot: IntArray, *, subject: str, visit: str) -> None:
    again = pd.Series(slot).duplicated().to_numpy()
    if again.any():
        first = frame.iloc[int(np.flatnonzero(again)[0])]
        raise DataError(
            f"Subject {first[subject]!r} has more than one row at {visit} {first[visit]!r} "
            f"({int(again.sum())} row(s) too many in all); choose one record a visit."
        )


def _one_arm(
    frame: pd.DataFrame, owner: IntArray, code: IntArray, *, subject: str, arm: str
) -> IntArray:
    out = np.zeros(int(owner.max()) + 1, dtype=np.int64)
    out[owner[::-1]] = code[::-1]
    strays = np.flatnonzero(out[owner] != code)
    if strays.size:
        label = frame[subject].iloc[int(strays[0])]
        raise DataError(f"Subject {label!r} changes {arm!r} between visits; it has one arm.")
    return out


def _filled(
    frame: pd.DataFrame,
    columns: Sequence[str],
    row: IntArray,
    owner: IntArray,
    at: IntArray,
    subject: str,
) -> tuple[dict[str, pd.Series], dict[str, bool]]:
    """Complete columns (n m rows), and whether each is constant within subjects."""
    n_visits = int(row.size // (owner.max() + 1))
    of_cell = {"subject": np.arange(row.size) // n_visits, "visit": np.arange(row.size) % n_visits}
    made: dict[str, pd.Series] = {}
    levels: dict[str, bool] = {}
    for name in columns:
        present = frame[name].notna().to_numpy()
        codes = pd.factorize(frame[name])[0]
        by_subject = _source(owner, codes, present)
        by_visit = _source(at, codes, present)
        levels[name] = by_subject is not None
        source = np.where((row >= 0) & present[np.maximum(row, 0)], row, -1)
        for key, found in (("subject", by_subject), ("visit", by_visit)):
            if found is not None:
                source = np.where(source < 0, found[of_cell[key]], source)
        gaps = np.flatnonzero(source < 0)
        if gaps.size:
            labels = pd.unique(frame[subject])
            first = labels[of_cell["subject"][gaps[0]]]
            n_subjects = np.unique(of_cell["subject"][gaps]).size
            raise DataError(
                f"Column {name!r} is missing for {n_subjects} subject(s), the first {first!r}, at "
                f"{gaps.size} visit(s) to be imputed or analysed; covariates are not imputed: "
                "give it a value there (one a subject is carried over), or leave them out."
            )
        made[name] = frame[name].iloc[source].reset_index(drop=True)
    return made, levels


def _source(unit: IntArray, codes: np.ndarray, present: BoolArray) -> IntArray | None:
    """A row with each unit's value (-1 without one); None where a unit has several values."""
    out = np.full(int(unit.max()) + 1, -1, dtype=np.int64)
    rows = np.flatnonzero(present)[::-1]
    out[unit[rows]] = rows
    first = out[unit[present]]
    return None if (codes[first] != codes[present]).any() else out
