"""Responders: subjects with an event flag, compared between arms."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.event_labels import event_labels
from trialkit.analyses.risk_ratio import RATIO_METHODS, risk_ratio
from trialkit.analyses.two_arms import contrast_label
from trialkit.data.vectors import arm_codes, require_frame, require_one_row_each
from trialkit.errors import DataError
from trialkit.results import EstimateTable
from trialkit.typing import Alternative, BoolArray, IntArray

__all__ = ["responders"]

MEASURES = ("ratio",)
MISSING = ("non-responder", "exclude")


def responders(
    data: pd.DataFrame,
    *,
    outcome: str,
    arm: str,
    reference: object,
    event: object = "Y",
    measure: Literal["ratio"] = "ratio",
    missing: Literal["non-responder", "exclude"] | None = None,
    method: Literal["log-wald"] = "log-wald",
    continuity: float = 0.0,
    subject: str | None = None,
    ci_level: float = 0.95,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
) -> EstimateTable:
    """Ratio of the shares of responders, each other arm over the reference.

    One row of `data` is one subject; `outcome` is a flag of two values (text such as "Y" and
    "N", booleans, or 0 and 1), of which `event` marks a responder. Key: contrast. Extras:
    `x`, `n_arm`, `x_ref`, `n_ref`, the two risks, `n_missing`. Estimate, interval, `null` and
    zero cells as in `risk_ratio`.

    A missing flag (or blank text) must be decided: `missing="non-responder"` counts the
    subject in the denominator alone, "exclude" leaves it out; without a decision missing
    flags raise. Either is counted in `notes`.

    Raises DataError for a flag of more than two values or without `event`, for missing flags
    not decided on, for rows without an arm and for an arm without subjects.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": ["P"] * 50 + ["D"] * 49,
    ...                      "CRIT2FL": ["Y"] * 13 + ["N"] * 37 + ["Y"] * 20 + ["N"] * 29})
    >>> row = responders(data, outcome="CRIT2FL", arm="ARM", reference="P").single()
    >>> round(row.estimate, 2)
    1.57
    """
    check_choice("measure", measure, MEASURES)
    check_choice("method", method, RATIO_METHODS)
    if missing is not None:
        check_choice("missing", missing, MISSING)
    if reference is None:
        raise DataError(f"reference= must name the arm in column {arm!r} to compare with.")
    frame = require_frame(data)
    has_event, is_missing = event_labels(frame, outcome, event)
    arms, codes = arm_codes(frame, arm, reference)
    if subject is not None:
        require_one_row_each(frame, subject)
    lacking = _per_arm(is_missing, codes, len(arms))
    _require_decision(missing, outcome, arms, lacking)
    x = _per_arm(has_event, codes, len(arms))
    n = _per_arm(~is_missing if missing == "exclude" else codes >= 0, codes, len(arms))
    for label, size in zip(arms, n, strict=True):
        if size == 0:
            raise DataError(f"Arm {label!r} has no subject with {outcome!r} observed.")
    others = range(1, len(arms))
    table = risk_ratio(
        [x[code] for code in others],
        [n[code] for code in others],
        [x[0] for _ in others],
        [n[0] for _ in others],
        method=method,
        continuity=continuity,
        label=[contrast_label(arms[code], reference) for code in others],
        variable=outcome,
        ci_level=ci_level,
        alternative=alternative,
        null=null,
    )
    return _with_missing(table, missing, [lacking[code] + lacking[0] for code in others])


def _per_arm(chosen: BoolArray, codes: IntArray, n_arms: int) -> list[int]:
    return [int(np.count_nonzero(chosen & (codes == code))) for code in range(n_arms)]


def _require_decision(
    missing: str | None, outcome: str, arms: list[object], lacking: list[int]
) -> None:
    if missing is None and any(lacking):
        by_arm = ", ".join(f"{label}: {k}" for label, k in zip(arms, lacking, strict=True))
        raise DataError(
            f"{outcome!r} is missing in {sum(lacking)} rows ({by_arm}); say "
            "missing='non-responder' or missing='exclude'."
        )


def _with_missing(table: EstimateTable, missing: str | None, lacking: list[int]) -> EstimateTable:
    """The table with what was done about missing flags in `method`, extras and notes."""
    how = {"non-responder": "counted as non-responders", "exclude": "excluded"}
    suffix = f", missing flags {how[missing]}" if missing else ""
    notes = [
        f"{contrast}: {k} rows with {table.variable} missing {how[missing]}."
        for contrast, k in zip(table.keys["contrast"], lacking, strict=True)
        if missing and k
    ]
    return replace(
        table,
        estimates=tuple(replace(row, method=row.method + suffix) for row in table.estimates),
        extras={**table.extras, "n_missing": tuple(lacking)},
        notes=tuple(notes),
    )
