"""Standardised difference in means of two arms: Cohen's d, Hedges's g, Glass's delta."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.two_arms import (
    ArmComparison,
    arm_rows,
    exclusion_notes,
    require_size,
    require_spread,
    split_arms,
)
from trialkit.errors import SpecError
from trialkit.kernels.effect_size import (
    baseline_variance,
    control_variance,
    hedges_correction,
    noncentral_t_limits,
    noncentral_t_p_value,
    pooled_variance,
    unbiased_g_variance,
)
from trialkit.results import Estimate, EstimateTable, check_alternative, check_level, check_null
from trialkit.results.estimate import with_hypothesis
from trialkit.typing import Alternative, FloatArray

__all__ = ["effect_size"]

Kind: TypeAlias = Literal["cohen-d", "hedges-g", "glass-delta"]
Standardizer: TypeAlias = Literal["pooled", "control", "baseline"]
Interval: TypeAlias = Literal["noncentral-t", "large-sample"]

KIND_NAMES = {"cohen-d": "Cohen d", "hedges-g": "Hedges g", "glass-delta": "Glass delta"}
# What each kind may be divided by, its default first.
STANDARDIZERS: dict[str, tuple[str, ...]] = {
    "cohen-d": ("pooled", "baseline"),
    "hedges-g": ("pooled", "baseline"),
    "glass-delta": ("control",),
}
# The interval each standardiser allows, its default first.
INTERVALS: dict[str, tuple[str, ...]] = {
    "pooled": ("noncentral-t", "large-sample"),
    "control": ("large-sample", "noncentral-t"),
    "baseline": ("large-sample",),
}


def effect_size(
    data: pd.DataFrame,
    *,
    outcome: str,
    arm: str,
    reference: object,
    kind: Kind = "cohen-d",
    standardizer: Standardizer | None = None,
    baseline: str | None = None,
    interval: Interval | None = None,
    subject: str | None = None,
    ci_level: float = 0.95,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
) -> EstimateTable:
    """Difference in means, each other arm minus the reference, in standard deviations.

    Key: contrast; the sign is that of the difference. `kind="cohen-d"` divides by the SD of
    `standardizer`: "pooled" (default), the pooled SD of `outcome` in the two arms, or
    "baseline", the pooled SD of the column `baseline`, over all its observed values in the
    two arms (the SD a table of baseline characteristics prints). "hedges-g" is d times the
    exact small-sample factor J. "glass-delta" divides by the reference arm's SD
    (`standardizer="control"`). Any other pair is refused.

    Intervals: "noncentral-t" inverts the noncentral t (default for the pooled SD, where it is
    exact for normal data of equal variances; for g the limits are times J). For Glass's delta
    it has n_ref - 1 degrees of freedom and is exact under equal variances only, so the default
    there is "large-sample" with Bonett's variance, which allows them to differ. For the
    baseline SD no exact interval exists: "large-sample" is the delta method, with the
    variance of the difference from both arms' own SDs and that of the baseline SD from
    normality. The large-sample variance for the pooled SD is
    1/n1 + 1/n2 + e^2/(2(n1 + n2)), e = d or g (R's metafor, "LS").

    `se` is the large-sample one in every case. `statistic` and `p_value` belong to the
    interval: noncentral t (`df` given; with null=0 Student's test), or z. Extras:
    `standardizer_sd`, `correction` (J, else 1), `variance` (`se` squared),
    `variance_unbiased` (g only; metafor's "UB"), n of either arm, `n_missing`.

    Rows without an outcome are left out and counted. Raises DataError where an arm has fewer
    than two values or the standardiser is zero; SpecError for pairs that contradict each other.

    References: Hedges (1981) J Educ Stat 6:107-128, doi:10.3102/10769986006002107; Morris
    (2008) Organ Res Methods 11:364-386, doi:10.1177/1094428106291059; Bonett (2008) Psychol
    Methods 13:99-109, doi:10.1037/1082-989X.13.2.99.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": list("PPPPDDDD"), "CHG": [0, 1, 2, 3, 2, 3, 4, 6]})
    >>> row = effect_size(data, outcome="CHG", arm="ARM", reference="P").single()
    >>> [round(value, 4) for value in (row.estimate, row.ci_low, row.ci_high)]
    [1.4863, -0.1687, 3.0536]
    """
    check_level(ci_level)
    check_alternative(alternative)
    check_null(null)
    spec = _resolve(kind, standardizer, baseline, interval)
    pairs = split_arms(data, outcome=outcome, arm=arm, reference=reference, subject=subject)
    spreads = _spreads(data, spec, pairs, outcome=outcome, arm=arm, reference=reference)
    fits = [_Fit.make(spec, pair, spread) for pair, spread in zip(pairs, spreads, strict=True)]
    rows = [
        _estimate(spec, fit, ci_level=ci_level, alternative=alternative, null=null) for fit in fits
    ]
    return EstimateTable(
        estimates=tuple(rows),
        keys={"contrast": tuple(pair.contrast for pair in pairs)},
        extras={
            "standardizer_sd": tuple(spread.sd for spread in spreads),
            "correction": tuple(fit.correction for fit in fits),
            "variance": tuple(fit.variance for fit in fits),
            "variance_unbiased": tuple(_unbiased(spec, fit) for fit in fits),
            "n_arm": tuple(pair.x.size for pair in pairs),
            "n_ref": tuple(pair.y.size for pair in pairs),
            "n_missing": tuple(pair.n_missing for pair in pairs),
        },
        variable=outcome,
        notes=(*exclusion_notes(pairs, outcome), *(s.note for s in spreads if s.note)),
    )


@dataclass(frozen=True, slots=True)
class _Spec:
    kind: str
    standardizer: str
    interval: str
    baseline: str | None

    @property
    def method(self) -> str:
        sd = {
            "pooled": "pooled SD",
            "control": "SD of the reference arm",
            "baseline": f"pooled SD of {self.baseline} at baseline",
        }[self.standardizer]
        how = "noncentral-t interval"
        if self.interval == "large-sample":
            how = "large-sample normal interval"
        if self.standardizer == "control":
            equal = self.interval == "noncentral-t"
            how += ", equal variances assumed" if equal else ", unequal variances allowed"
        if self.standardizer == "baseline":
            how += " by the delta method"
        correction = ", exact J" if self.kind == "hedges-g" else ""
        return f"{KIND_NAMES[self.kind]}{correction}, standardised by the {sd}; {how}"


@dataclass(frozen=True, slots=True)
class _Spread:
    """The standardiser of one comparison, and the degrees of freedom behind it."""

    sd: float
    df: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Fit:
    pair: ArmComparison
    spread: _Spread
    effect: float
    correction: float
    variance: float

    @classmethod
    def make(cls, spec: _Spec, pair: ArmComparison, spread: _Spread) -> _Fit:
        n_x, n_y = pair.x.size, pair.y.size
        raw = float(np.mean(pair.x) - np.mean(pair.y)) / spread.sd
        correction = hedges_correction(spread.df) if spec.kind == "hedges-g" else 1.0
        effect = correction * raw
        if spec.standardizer == "pooled":
            variance = pooled_variance(effect, n_x, n_y)
        elif spec.standardizer == "control":
            variance = control_variance(effect, n_x, n_y, _sd(pair.x) / spread.sd)
        else:
            se = sqrt(_sd(pair.x) ** 2 / n_x + _sd(pair.y) ** 2 / n_y)
            variance = correction**2 * baseline_variance(raw, se, spread.sd, spread.df)
        return cls(pair, spread, effect, correction, variance)


def _resolve(
    kind: str, standardizer: str | None, baseline: str | None, interval: str | None
) -> _Spec:
    check_choice("kind", kind, KIND_NAMES)
    if standardizer is None:
        standardizer = STANDARDIZERS[kind][0]
    check_choice("standardizer", standardizer, INTERVALS)
    if standardizer not in STANDARDIZERS[kind]:
        raise SpecError(
            f"kind={kind!r} is not defined with standardizer={standardizer!r}; "
            f"allowed: {', '.join(STANDARDIZERS[kind])}."
        )
    if (standardizer == "baseline") != (baseline is not None):
        raise SpecError(
            "standardizer='baseline' and baseline= (the column of baseline values) go together."
        )
    if interval is None:
        interval = INTERVALS[standardizer][0]
    check_choice("interval", interval, ("noncentral-t", "large-sample"))
    if interval not in INTERVALS[standardizer]:
        raise SpecError(
            f"interval={interval!r} is not defined with standardizer={standardizer!r}: it is "
            "exact only for the SD of the outcome itself; "
            f"allowed: {', '.join(INTERVALS[standardizer])}."
        )
    return _Spec(kind, standardizer, interval, baseline)


def _spreads(
    data: pd.DataFrame,
    spec: _Spec,
    pairs: Sequence[ArmComparison],
    *,
    outcome: str,
    arm: str,
    reference: object,
) -> list[_Spread]:
    if spec.standardizer == "control":
        require_spread(outcome, f"arm {reference!r}", pairs[0].y)
        return [_Spread(_sd(pair.y), pair.y.size - 1) for pair in pairs]
    if spec.baseline is None:
        for pair in pairs:
            require_spread(outcome, f"both arms of {pair.contrast}", pair.x, pair.y)
        return [_pooled_spread(pair.x, pair.y) for pair in pairs]
    rows = arm_rows(data, outcome=spec.baseline, arm=arm, reference=reference)
    for code in range(len(rows.arms)):
        require_size(rows, code)
    spreads = []
    for code, pair in enumerate(pairs, start=1):
        x, y = rows.vector(code), rows.vector(0)
        require_spread(spec.baseline, f"both arms of {pair.contrast}", x, y)
        note = f"{pair.contrast}: SD of {spec.baseline} from {x.size} and {y.size} observed values."
        spreads.append(_pooled_spread(x, y, note))
    return spreads


def _pooled_spread(x: FloatArray, y: FloatArray, note: str = "") -> _Spread:
    df = x.size + y.size - 2
    squares = float(np.sum((x - np.mean(x)) ** 2) + np.sum((y - np.mean(y)) ** 2))
    return _Spread(sqrt(squares / df), df, note)


def _estimate(
    spec: _Spec, fit: _Fit, *, ci_level: float, alternative: Alternative, null: float
) -> Estimate:
    label, n, se = fit.pair.contrast, fit.pair.n, sqrt(fit.variance)
    if spec.interval == "large-sample":
        return Estimate.from_z(
            label=label,
            estimate=fit.effect,
            se=se,
            n=n,
            method=spec.method,
            ci_level=ci_level,
            alternative=alternative,
            null=null,
            scale="standardized",
        )
    # d sqrt(n1 n2 / (n1 + n2)) is noncentral t, its noncentrality the true effect's multiple.
    unit = sqrt(1 / fit.pair.x.size + 1 / fit.pair.y.size) * fit.correction
    t, df = fit.effect / unit, fit.spread.df
    low, high = noncentral_t_limits(t, df, ci_level, alternative)
    return Estimate(
        label=label,
        estimate=fit.effect,
        se=se,
        df=df,
        statistic=t,
        p_value=noncentral_t_p_value(t, df, null / unit, alternative),
        ci_low=low * unit,
        ci_high=high * unit,
        ci_level=ci_level,
        n=n,
        method=with_hypothesis(f"{spec.method}, large-sample se", alternative, null),
        scale="standardized",
    )


def _unbiased(spec: _Spec, fit: _Fit) -> float:
    if spec.kind != "hedges-g" or spec.standardizer != "pooled":
        return float("nan")
    return unbiased_g_variance(fit.effect, fit.pair.x.size, fit.pair.y.size)


def _sd(values: FloatArray) -> float:
    return float(np.std(values, ddof=1))
