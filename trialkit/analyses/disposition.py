"""Who left the trial, and why: counts by arm and reason, their differences and rates."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np
import pandas as pd

from trialkit.analyses.end_of_study import ANY, NO_REASON, StatusRows, status_rows
from trialkit.analyses.event_times import event_flags, require_reference
from trialkit.analyses.kaplan_meier import level_estimate
from trialkit.analyses.two_arms import contrast_label
from trialkit.data.levels import arm_levels
from trialkit.data.vectors import (
    label_codes,
    number_vector,
    require_frame,
    require_one_row_each,
)
from trialkit.errors import DataError, SpecError
from trialkit.kernels.exact_counts import (
    clopper_pearson,
    exact_difference,
    fisher_p,
    poisson_limits,
)
from trialkit.results import Estimate, EstimateTable, check_level
from trialkit.typing import FloatArray

__all__ = [
    "DispositionTable",
    "ae_withdrawal",
    "disposition",
]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DispositionTable(EstimateTable):
    """Share of each arm by status and reason, keys `reason, arm`; `n` of `N` subjects."""

    arms: tuple[object, ...]
    reasons: tuple[object, ...]  # ANY and the reasons, without the other statuses
    counts: tuple[tuple[int, ...], ...]  # of `reasons`, by arm
    sizes: tuple[int, ...]
    person_time: tuple[float, ...] | None
    ci_level: float

    def differences(self, *, reference: object = None) -> EstimateTable:
        """Share that left, each other arm minus the reference, keys `reason, contrast`.

        Intervals are Chan and Zhang's exact unconditional ones (SAS EXACT RISKDIFF with
        METHOD=SCORE); `p_value` is Fisher's exact two-sided one, so that interval and test may
        disagree at the edge. `se` is the unpooled one, for description. The reference is the
        first arm unless named. Reasons are several looks at one question: `.adjust()` them
        where they are tested.

        Reference: Chan & Zhang (1999), doi:10.1111/j.0006-341X.1999.01202.x.
        """
        base = self.arms[0] if reference is None else reference
        if base not in self.arms:
            raise DataError(
                f"reference={base!r} is not an arm; arms: {', '.join(map(str, self.arms))}."
            )
        if len(self.arms) == 1:
            raise DataError(f"There is one arm only, {base!r}: nothing to compare.")
        column = self.arms.index(base)
        rows, reasons, contrasts = [], [], []
        for reason, counts in zip(self.reasons, self.counts, strict=True):
            for code, arm in enumerate(self.arms):
                if code == column:
                    continue
                label = contrast_label(arm, base)
                rows.append(
                    exact_difference_row(
                        label,
                        counts[code],
                        self.sizes[code],
                        counts[column],
                        self.sizes[column],
                        self.ci_level,
                    )
                )
                reasons.append(reason)
                contrasts.append(label)
        return EstimateTable(
            estimates=tuple(rows),
            keys={"reason": tuple(reasons), "contrast": tuple(contrasts)},
            variable=self.variable,
        )

    def rates(self, *, per: float = 1.0) -> EstimateTable:
        """Subjects leaving per `per` units of time in the trial, keys `reason, arm`.

        Exact Poisson (Garwood) intervals; needs `time=`. Extras: `n_event`, `person_time`. A
        rate assumes that the hazard is constant over follow-up.
        """
        if self.person_time is None:
            raise SpecError("Rates need the time in the trial: give disposition(time=...).")
        if isinstance(per, bool) or not 0 < per < inf:
            raise SpecError(f"per={per!r} must be a length of time above zero.")
        for arm, exposure in zip(self.arms, self.person_time, strict=True):
            if exposure == 0:
                raise DataError(f"Arm {arm!r} has no time in the trial: it has no rate.")
        rows, reasons, arms, events, exposures = [], [], [], [], []
        for reason, counts in zip(self.reasons, self.counts, strict=True):
            for arm, x, size, exposure in zip(
                self.arms, counts, self.sizes, self.person_time, strict=True
            ):
                low, high = poisson_limits(x, exposure, self.ci_level)
                rows.append(
                    level_estimate(
                        f"{reason}, {arm}",
                        per * x / exposure,
                        per * sqrt(x) / exposure,
                        (per * low, per * high),
                        self.ci_level,
                        size,
                        f"exact Poisson rate per {per:g}",
                        scale="mean",
                    )
                )
                reasons.append(reason)
                arms.append(arm)
                events.append(x)
                exposures.append(exposure)
        return EstimateTable(
            estimates=tuple(rows),
            keys={"reason": tuple(reasons), "arm": tuple(arms)},
            extras={"n_event": tuple(events), "person_time": tuple(exposures)},
            variable=self.variable,
        )


def disposition(
    data: pd.DataFrame,
    *,
    arm: str,
    status: str,
    reason: str,
    reference: object = None,
    discontinued: object = None,
    time: str | None = None,
    subject: str | None = None,
    ci_level: float = 0.95,
) -> DispositionTable:
    """Share of each arm that completed and that left, by reason, with exact intervals.

    One row of `data` is one subject. `status` is the end of study (ADaM EOSSTT: COMPLETED,
    DISCONTINUED, ONGOING); `discontinued` its label for those who left, where it is not
    "DISCONTINUED" in some spelling. `reason` (DCSREAS) is empty for everyone else. Keys: reason,
    arm. Rows of `reason`: each other status by its own label, "ANY" (everyone who left), then
    every reason. `n` counts them, extras `N` is the arm, `percent` 100 n / N; `estimate` is
    n / N with the Clopper-Pearson interval. `time`, the time in the trial, is needed by
    `.rates()` only; `.differences()` compares the arms.

    A subject who left without a recorded reason is counted under "REASON NOT GIVEN", with a
    note: the reasons always add up to "ANY". Raises DataError for a reason without
    discontinuation, a missing status, a missing arm, two rows of one `subject`.

    Example
    -------
    >>> import pandas as pd
    >>> adsl = pd.DataFrame({
    ...     "ARM": ["P"] * 4 + ["D"] * 4,
    ...     "EOSSTT": (["COMPLETED"] * 3 + ["DISCONTINUED"]) * 2,
    ...     "DCSREAS": [None] * 3 + ["ADVERSE EVENT"] + [None] * 3 + ["LACK OF EFFICACY"],
    ... })
    >>> table = disposition(adsl, arm="ARM", status="EOSSTT", reason="DCSREAS", reference="P")
    >>> table.where(reason="ADVERSE EVENT").frame()[["arm", "n", "N", "percent"]].values.tolist()
    [['P', 1, 4, 25.0], ['D', 0, 4, 0.0]]
    """
    check_level(ci_level)
    frame = require_frame(data)
    found = status_rows(
        frame,
        arm=arm,
        status=status,
        reason=reason,
        reference=reference,
        discontinued=discontinued,
        subject=subject,
    )
    sizes = [int(np.sum(found.codes == code)) for code in range(len(found.arms))]
    left = [ANY, *found.reasons]
    masks = [found.is_status(label) for label in found.kept_statuses]
    masks += [found.left_for(label) for label in left]
    labels = [*found.kept_statuses, *left]
    counts = [[int(np.sum(mask & (found.codes == c))) for c in range(len(sizes))] for mask in masks]
    rows = [
        _share_row(f"{label}, {found.arms[code]}", counts[row][code], sizes[code], ci_level)
        for row, label in enumerate(labels)
        for code in range(len(sizes))
    ]
    absent = int(found.left_for(NO_REASON).sum())
    n_other = len(found.kept_statuses)
    return DispositionTable(
        estimates=tuple(rows),
        keys={
            "reason": tuple(label for label in labels for _ in sizes),
            "arm": found.arms * len(labels),
        },
        extras={
            "N": tuple(sizes) * len(labels),
            "percent": tuple(100 * row.estimate for row in rows),
        },
        variable=status,
        notes=(f"{absent} subject(s) left without a reason in {reason}.",) if absent else (),
        arms=found.arms,
        reasons=tuple(left),
        counts=tuple(tuple(row) for row in counts[n_other:]),
        sizes=tuple(sizes),
        person_time=None if time is None else _person_time(frame, time, found),
        ci_level=ci_level,
    )


def ae_withdrawal(
    data: pd.DataFrame,
    *,
    arm: str,
    reference: object,
    flag: str = "DCAEFL",
    subject: str | None = None,
    ci_level: float = 0.95,
) -> EstimateTable:
    """Share that left because of an adverse event, each other arm minus the reference.

    One row of `data` is one subject; `flag` is Y or N, 1 or 0, true or false, and a missing
    flag raises. Key: contrast; extras `x`, `n_arm`, `x_ref`, `n_ref`. Exact interval and p as
    in `disposition(...).differences()`.

    Example
    -------
    >>> import pandas as pd
    >>> adsl = pd.DataFrame({"ARM": ["P"] * 10 + ["D"] * 10,
    ...                      "DCAEFL": ["N"] * 10 + ["Y"] * 4 + ["N"] * 6})
    >>> row = ae_withdrawal(adsl, arm="ARM", reference="P").single()
    >>> row.estimate, round(row.ci_low, 3), round(row.p_value, 4)
    (0.4, 0.035, 0.0867)
    """
    check_level(ci_level)
    frame = require_frame(data)
    require_reference(reference, arm)
    if subject is not None:
        require_one_row_each(frame, subject)
    flags, known = event_flags(frame, flag)
    if not known.all():
        raise DataError(f"{flag!r} is missing in {int((~known).sum())} of {len(frame)} rows.")
    arms = arm_levels(frame, arm, reference)
    codes = label_codes(frame, arm, arms)
    x = [int(np.sum(flags & (codes == code))) for code in range(len(arms))]
    n = [int(np.sum(codes == code)) for code in range(len(arms))]
    others = range(1, len(arms))
    labels = tuple(contrast_label(arms[code], reference) for code in others)
    return EstimateTable(
        estimates=tuple(
            exact_difference_row(label, x[code], n[code], x[0], n[0], ci_level)
            for label, code in zip(labels, others, strict=True)
        ),
        keys={"contrast": labels},
        extras={
            "x": tuple(x[1:]),
            "n_arm": tuple(n[1:]),
            "x_ref": (x[0],) * len(labels),
            "n_ref": (n[0],) * len(labels),
        },
        variable=flag,
    )


def exact_difference_row(
    label: str, x: int, n: int, x_ref: int, n_ref: int, ci_level: float
) -> Estimate:
    """Difference of two proportions with the exact interval and Fisher's p."""
    low, high = exact_difference(x, n, x_ref, n_ref, ci_level)
    p, p_ref = x / n, x_ref / n_ref
    return Estimate(
        label=label,
        estimate=p - p_ref,
        se=sqrt(p * (1 - p) / n + p_ref * (1 - p_ref) / n_ref),
        df=nan,
        statistic=nan,
        p_value=fisher_p(x, n, x_ref, n_ref),
        ci_low=low,
        ci_high=high,
        ci_level=ci_level,
        n=n + n_ref,
        method="difference of proportions, Chan-Zhang exact interval, Fisher's exact p",
    )


def _share_row(label: str, x: int, n: int, ci_level: float) -> Estimate:
    share = x / n
    return level_estimate(
        label,
        share,
        sqrt(share * (1 - share) / n),
        clopper_pearson(x, n, ci_level),
        ci_level,
        x,
        "proportion, Clopper-Pearson interval",
    )


def _person_time(frame: pd.DataFrame, time: str, found: StatusRows) -> tuple[float, ...]:
    values: FloatArray = number_vector(frame, time)
    if np.isnan(values).any() or (values < 0).any():
        bad = int(np.sum(np.isnan(values) | (values < 0)))
        raise DataError(f"Column {time!r} has {bad} missing or negative time(s).")
    return tuple(float(values[found.codes == code].sum()) for code in range(len(found.arms)))
