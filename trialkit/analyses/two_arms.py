"""Outcome vectors by arm: what every two-sample and several-sample comparison starts from.

One row is one subject. Rows without an outcome are left out and counted; every other gap in
the data is an error, because leaving those rows out would be a decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialkit.data.vectors import arm_codes, number_vector, require_frame, require_one_row_each
from trialkit.errors import DataError
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = [
    "ArmComparison",
    "ArmRows",
    "arm_rows",
    "contrast_label",
    "exclusion_notes",
    "require_size",
    "require_spread",
    "split_arms",
]

# A sample of one has no variance.
MIN_PER_ARM = 2
# Values that agree to this share of their size differ by rounding error: a constant change,
# computed row by row as a difference, would otherwise give t = 1e15.
CONSTANT_WITHIN = 1e-13


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRows:
    """Outcome and arm of every row; `arms[0]` is the reference where there is one."""

    outcome: str
    arms: tuple[object, ...]
    values: FloatArray  # (n_rows,), NaN where missing
    codes: IntArray  # (n_rows,), positions in `arms`

    @property
    def observed(self) -> BoolArray:
        """Rows with an outcome (n_rows,)."""
        return ~np.isnan(self.values)

    def vector(self, code: int) -> FloatArray:
        """Observed outcomes of one arm."""
        chosen: FloatArray = self.values[(self.codes == code) & self.observed]
        return chosen

    def n_missing(self, code: int) -> int:
        """Rows of one arm without an outcome."""
        return int(np.sum((self.codes == code) & ~self.observed))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmComparison:
    """One arm against the reference: observed outcomes, and how many rows had none."""

    contrast: str
    arm: object
    reference: object
    x: FloatArray  # (n_arm,)
    y: FloatArray  # (n_ref,), the reference
    n_missing: int  # both arms

    @property
    def n(self) -> int:
        """Subjects analysed, both arms."""
        return self.x.size + self.y.size


def arm_rows(
    data: pd.DataFrame,
    *,
    outcome: str,
    arm: str,
    reference: object = None,
    subject: str | None = None,
) -> ArmRows:
    """Check the frame and take from it what a comparison of arms needs.

    Raises DataError for a missing column, an outcome that is not numeric or is infinite, rows
    without an arm, an unknown reference, a single arm; and, where `subject` is named, for a
    subject with several rows.
    """
    frame = require_frame(data)
    values = number_vector(frame, outcome)
    arms, codes = arm_codes(frame, arm, reference)
    if subject is not None:
        require_one_row_each(frame, subject)
    return ArmRows(outcome=outcome, arms=tuple(arms), values=values, codes=codes)


def split_arms(
    data: pd.DataFrame,
    *,
    outcome: str,
    arm: str,
    reference: object,
    subject: str | None = None,
    min_per_arm: int = MIN_PER_ARM,
) -> list[ArmComparison]:
    """One comparison with the reference for each other arm, in the order of arms.

    Raises DataError as `arm_rows`, and where an arm has fewer than `min_per_arm` outcomes.
    """
    if reference is None:
        raise DataError(f"reference= must name the arm in column {arm!r} to compare with.")
    rows = arm_rows(data, outcome=outcome, arm=arm, reference=reference, subject=subject)
    for code in range(len(rows.arms)):
        require_size(rows, code, at_least=min_per_arm)
    return [
        ArmComparison(
            contrast=contrast_label(rows.arms[code], reference),
            arm=rows.arms[code],
            reference=reference,
            x=rows.vector(code),
            y=rows.vector(0),
            n_missing=rows.n_missing(code) + rows.n_missing(0),
        )
        for code in range(1, len(rows.arms))
    ]


def contrast_label(arm: object, reference: object) -> str:
    """The label of a contrast: "Drug - Placebo"."""
    return f"{arm} - {reference}"


def exclusion_notes(comparisons: Sequence[ArmComparison], outcome: str) -> tuple[str, ...]:
    """How many rows each comparison leaves out for want of an outcome, where it does."""
    return tuple(
        f"{item.contrast}: {item.n_missing} of {item.n + item.n_missing} rows excluded, "
        f"{outcome} missing."
        for item in comparisons
        if item.n_missing
    )


def require_size(rows: ArmRows, code: int, *, at_least: int = MIN_PER_ARM) -> None:
    """Raise DataError where an arm has fewer than `at_least` outcomes."""
    n = rows.vector(code).size
    if n < at_least:
        raise DataError(
            f"Arm {rows.arms[code]!r} has {n} observed value(s) of {rows.outcome!r} "
            f"({rows.n_missing(code)} missing); at least {at_least} are needed."
        )


def require_spread(outcome: str, where: str, *vectors: FloatArray) -> None:
    """Raise DataError where every vector is constant, so that no standard error exists."""
    if all(np.ptp(vector) <= CONSTANT_WITHIN * np.max(np.abs(vector)) for vector in vectors):
        raise DataError(f"{outcome!r} is constant in {where}: there is no standard error.")
