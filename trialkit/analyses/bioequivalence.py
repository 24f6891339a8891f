"""Average bioequivalence: ratio of geometric means against fixed or widened limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, expm1, inf, log, log1p, nan, sqrt
from typing import Any, Literal

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.crossover import crossover
from trialkit.analyses.crossover_model import CrossoverModel
from trialkit.errors import SpecError
from trialkit.kernels.within_subject import residual_mean_square
from trialkit.results import Estimate, EstimateTable, check_level

__all__ = ["Bioequivalence", "bioequivalence"]

# EMA (2010), section 4.1.10: the regulatory constant, and the range of CVs that widen.
REGULATORY_CONSTANT = 0.76
WIDENED_FROM, CAPPED_AT = 0.30, 0.50
USUAL_LIMITS = (0.80, 1.25)
BMethod = Literal["containment", "satterthwaite", "kenward-roger"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Bioequivalence(EstimateTable):
    """Ratios of geometric means; see `bioequivalence`.

    `cv_within_reference` is sqrt(exp(s2) - 1) of the reference's within-subject variance
    (NaN where no subject took it twice), `sd_within_reference` its s on the log scale,
    `df_within_reference` its df; `cv_within_test` likewise for a single test product.
    `limits` are those the ratios were compared with.
    """

    cv_within_reference: float
    sd_within_reference: float
    df_within_reference: int
    cv_within_test: float
    limits: tuple[float, float]


def bioequivalence(
    data: pd.DataFrame,
    *,
    outcome: str,
    subject: str,
    sequence: str,
    period: str,
    treatment: str,
    reference: object,
    method: Literal["A", "B"] = "A",
    df: BMethod | None = None,
    information: Literal["observed", "expected"] | None = None,
    ci_level: float = 0.90,
    limits: tuple[float, float] | Literal["abel"] = (0.80, 1.25),
    period_order: str | Sequence[object] | None = None,
) -> Bioequivalence:
    """Ratio of geometric means, test over reference, with its 90% interval. Key: contrast.

    EMA's method A takes all effects as fixed, method B the subjects as random, with "containment"
    (default; EMA's option 2), "satterthwaite" (option 1) or "kenward-roger" (option 3) degrees
    of freedom; for Kenward-Roger the expected information (R's pbkrtest), for Satterthwaite
    the observed one (R's lmerTest), unless `information` says otherwise. All rows with an
    outcome are used, also of subjects without every period.

    The interval at `ci_level` = 0.90 is that of two one-sided tests at 5%: extras `p_tost_low`,
    `p_tost_high` (ratio at or below the lower, at or above the upper limit), `p_tost` the larger
    of them, and `is_bioequivalent`, whether the interval lies within the limits. `p_value`
    and `statistic` are of the two-sided test of a ratio of one.

    `limits="abel"` widens them for a highly variable reference: exp(-+0.76 s_wR) for a
    within-reference CV above 30%, capped at 50%, without rounding; the point estimate must then
    lie in 0.80 to 1.25 too. s_wR is the residual standard deviation of the reference's data with
    sequence, subject and period, and needs subjects who took it twice. `.cv_within_reference`
    and its relatives stand beside the table.

    Raises DataError for values that have no logarithm, SpecError for choices that do not go
    together.

    References: Schuirmann (1987), doi:10.1007/BF01068419; EMA (2010)
    CPMP/EWP/QWP/1401/98 Rev. 1; EMA (2011) EMA/582648/2016, Annex I.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({
    ...     "ID": [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6],
    ...     "SEQ": ["RT"] * 6 + ["TR"] * 6,
    ...     "PERIOD": [1, 2] * 6,
    ...     "TRT": ["R", "T"] * 3 + ["T", "R"] * 3,
    ...     "AUC": [20.0, 21.5, 31.0, 29.0, 25.0, 27.0, 18.0, 17.0, 40.0, 41.0, 22.0, 20.5],
    ... })
    >>> table = bioequivalence(data, outcome="AUC", subject="ID", sequence="SEQ",
    ...                        period="PERIOD", treatment="TRT", reference="R")
    >>> row = table.single()
    >>> round(row.estimate, 4), round(row.ci_low, 4), round(row.ci_high, 4)
    (1.0314, 0.9719, 1.0946)
    """
    check_level(ci_level)
    check_choice("method", method, ("A", "B"))
    fit = crossover(
        data,
        outcome=outcome,
        subject=subject,
        sequence=sequence,
        period=period,
        treatment=treatment,
        reference=reference,
        log=True,
        period_order=period_order,
        **_choices(method, df, information),
    )
    variances = [_within(fit.model, code) for code in range(len(fit.model.rows.treatments))]
    s2, df_reference = variances[0]
    used = _limits(limits, s2)
    rows = fit.contrasts(ci_level=ci_level)
    phrase = f"EMA method {method}: {fit.method}"
    estimates = tuple(replace(row, method=phrase) for row in rows.estimates)
    lower = tuple(_one_sided(row, used[0], "greater") for row in estimates)
    upper = tuple(_one_sided(row, used[1], "less") for row in estimates)
    inside = tuple(_is_inside(row, used, limits) for row in estimates)
    return Bioequivalence(
        estimates=estimates,
        keys=rows.keys,
        extras={
            "limit_low": (used[0],) * len(rows),
            "limit_high": (used[1],) * len(rows),
            "p_tost_low": lower,
            "p_tost_high": upper,
            "p_tost": tuple(max(pair) for pair in zip(lower, upper, strict=True)),
            "is_bioequivalent": inside,
            "cv_within_reference": (_cv(s2),) * len(rows),
        },
        variable=outcome,
        notes=rows.notes if limits != "abel" else (*rows.notes, _widened(used, s2)),
        cv_within_reference=_cv(s2),
        sd_within_reference=sqrt(s2),
        df_within_reference=df_reference,
        cv_within_test=_cv(variances[1][0]) if len(variances) == 2 else nan,
        limits=used,
    )


def _choices(method: str, df: str | None, information: str | None) -> dict[str, Any]:
    if method == "A":
        if df is not None or information is not None:
            raise SpecError("df= and information= are for method='B'; method A has residual df.")
        return {"subject_effect": "fixed"}
    chosen = df or "containment"
    check_choice("df", chosen, ("containment", "satterthwaite", "kenward-roger"))
    usual = "expected" if chosen == "kenward-roger" else "observed"
    return {"df": chosen, "information": information or usual}


def _within(model: CrossoverModel, code: int) -> tuple[float, int]:
    """Within-subject variance of one treatment, and its df; NaN where nobody took it twice."""
    own = model.treatment == code
    periods = np.unique(model.period[own])[1:]
    x = (model.period[own][:, None] == periods[None]).astype(np.float64)
    return residual_mean_square(x, model.frame.response[own], model.subject[own])


def _limits(limits: tuple[float, float] | str, s2: float) -> tuple[float, float]:
    if isinstance(limits, str):
        if limits != "abel":
            raise SpecError(f"limits={limits!r} is not offered; allowed: two numbers, 'abel'.")
        if s2 != s2:
            raise SpecError(
                "limits='abel' needs the within-subject variance of the reference: no subject has "
                "it twice. Give the limits as two numbers."
            )
        if _cv(s2) <= WIDENED_FROM:
            return USUAL_LIMITS
        width = REGULATORY_CONSTANT * sqrt(min(s2, log1p(CAPPED_AT**2)))
        return exp(-width), exp(width)
    try:
        low, high = (float(limit) for limit in limits)
    except (TypeError, ValueError):
        low, high = nan, nan
    if not 0 < low < 1 < high < inf:
        raise SpecError(f"limits={limits!r} must be two ratios around one, such as (0.80, 1.25).")
    return low, high


def _widened(used: tuple[float, float], s2: float) -> str:
    return (
        f"Limits {used[0]:.4f} to {used[1]:.4f}, by the reference's CV within subjects of "
        f"{100 * _cv(s2):.1f}% (ABEL); is_bioequivalent also asks for a ratio in 0.80 to 1.25."
    )


def _one_sided(row: Estimate, limit: float, alternative: Literal["less", "greater"]) -> float:
    """Tail area of the test that the ratio lies beyond the limit."""
    return Estimate.from_t(
        label=row.label,
        estimate=log(row.estimate),
        se=row.se,
        df=row.df,
        n=row.n,
        method=row.method,
        alternative=alternative,
        null=log(limit),
    ).p_value


def _is_inside(row: Estimate, used: tuple[float, float], limits: tuple[float, float] | str) -> bool:
    is_within = used[0] <= row.ci_low and row.ci_high <= used[1]
    if limits == "abel":
        return is_within and USUAL_LIMITS[0] <= row.estimate <= USUAL_LIMITS[1]
    return is_within


def _cv(variance: float) -> float:
    return sqrt(expm1(variance)) if variance == variance else nan
