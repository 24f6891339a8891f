"""Binary outcomes of a crossover: paired tests with and without the period."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan, sqrt

import numpy as np
import pandas as pd

from trialkit.analyses.crossover_pairs import Pairs, read_pairs
from trialkit.analyses.crossover_rows import CrossoverRows, contribution_notes, read_crossover
from trialkit.analyses.event_labels import event_labels
from trialkit.analyses.linear_fit import Inference
from trialkit.data.vectors import require_frame
from trialkit.errors import ConvergenceError, SpecError
from trialkit.kernels.conditional_logistic import fit_conditional_logistic
from trialkit.kernels.paired_binary import (
    fisher_exact,
    mainland_gart,
    mcnemar,
    newcombe_paired,
    trend_permutation,
)
from trialkit.results import Estimate, EstimateTable
from trialkit.results.estimate import with_hypothesis
from trialkit.typing import Alternative, FloatArray, IntArray

__all__ = ["crossover_binary", "event_values"]

SCORES = np.array([-1, 0, 1])
EXTRAS = ("p_asymptotic", "p_mid", "p_continuity", "chi_square", "n_informative")
NO_DISCORDANT = "no discordant pair: the test does not exist"
ALL_ALIKE = (
    "no comparison: the discordant pairs all lie in one sequence, or all have their event in the "
    "same period"
)
NO_VARIATION = "no comparison: the period difference is the same in every subject"


def crossover_binary(
    data: pd.DataFrame,
    *,
    outcome: str,
    subject: str,
    sequence: str,
    period: str,
    treatment: str,
    reference: object,
    event: object = 1,
    period_order: str | Sequence[object] | None = None,
    ci_level: float = 0.95,
    alternative: Alternative = "two-sided",
) -> EstimateTable:
    """Odds ratio of an event within subjects, each treatment against the reference.

    Keys: test, contrast. In an AB/BA trial, on subjects with both outcomes:

    - "mcnemar": the discordant pairs, period ignored. Conditional odds ratio with the exact
      interval; `p_value` exact (binomial), extras `p_mid` (mid-p), `p_asymptotic`
      (chi-square), `p_continuity` (with Edwards' correction).
    - "mainland-gart": discordant pairs by sequence, so that a period effect cancels; `p_value`
      is Fisher's, `p_asymptotic` Pearson's. The odds ratio is that of the conditional logistic
      model with period, Wald interval on the log scale.
    - "prescott": all pairs, scores -1, 0, 1 of the period difference compared between the
      sequences; `p_value` is the exact permutation one, `p_asymptotic` normal. No estimate.
    - "risk-difference": paired difference of the shares, Newcombe's interval (method 10);
      `se` is Wald's. No test of its own.

    In any design, "conditional-logistic": treatment and period given each subject's number of
    events (Wald; with more than two periods its only test here). `statistic` is signed, its
    square the extra `chi_square`; `n_informative` counts the subjects that bear on the row.
    A one-sided `alternative` holds for every p-value but the chi-squares, and every interval;
    "greater" is more events under the treatment.

    Outcomes are 1 and 0, or any two labels of which `event` is the event. Where a sequence has
    no discordant pair of one kind, the odds ratio has no finite value and `status` says so.

    References: Mainland (1963) Elementary Medical Statistics; Gart (1969),
    doi:10.1093/biomet/56.1.75; Prescott (1981) Appl Stat 30:9-15; Newcombe (1998),
    doi:10.1002/(SICI)1097-0258(19981130)17:22<2635::AID-SIM954>3.0.CO;2-C.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({
    ...     "ID": [i for i in range(20) for _ in (1, 2)],
    ...     "SEQ": ["AB"] * 20 + ["BA"] * 20,
    ...     "PERIOD": [1, 2] * 20,
    ...     "TRT": ["Placebo", "LDN"] * 10 + ["LDN", "Placebo"] * 10,
    ...     "RESP": [0, 1] * 6 + [1, 0] * 2 + [0, 0] * 2 + [1, 0] * 7 + [0, 1] + [1, 1] * 2,
    ... })
    >>> table = crossover_binary(data, outcome="RESP", subject="ID", sequence="SEQ",
    ...                          period="PERIOD", treatment="TRT", reference="Placebo")
    >>> row = table.where(test="mcnemar").single()
    >>> round(row.estimate, 3), round(row.p_value, 4)
    (4.333, 0.0213)
    """
    asked = Inference(ci_level, alternative, 0.0)
    flags = event_values(require_frame(data), outcome, event)
    rows = read_crossover(
        data.assign(**{outcome: flags}),
        outcome=outcome,
        subject=subject,
        sequence=sequence,
        period=period,
        treatment=treatment,
        reference=reference,
        period_order=period_order,
    )
    estimates: list[Estimate] = []
    tests: list[str] = []
    extras: list[dict[str, float]] = []

    def add(test: str, estimate: Estimate, **more: float) -> None:
        estimates.append(estimate)
        tests.append(test)
        extras.append(more)

    notes: tuple[str, ...] = contribution_notes(rows, rows.observed)
    if (len(rows.treatments), len(rows.periods), len(rows.sequences)) == (2, 2, 2):
        pairs = read_pairs(rows)
        notes = (*notes, *pairs.notes)
        for test, result in _paired_tests(pairs, asked).items():
            add(test, result[0], **result[1])
    for estimate, n_informative in _conditional(rows, asked):
        add("conditional-logistic", estimate, n_informative=n_informative)
    return EstimateTable(
        estimates=tuple(estimates),
        keys={"test": tuple(tests), "contrast": tuple(row.label for row in estimates)},
        extras={name: tuple(extra.get(name, nan) for extra in extras) for name in EXTRAS},
        variable=outcome,
        notes=notes,
    )


def event_values(frame: pd.DataFrame, outcome: str, event: object) -> FloatArray:
    """1 where the event happened, 0 where not, NaN where missing."""
    has_event, is_missing = event_labels(frame, outcome, event)
    return np.where(is_missing, np.nan, has_event.astype(np.float64))


Result = tuple[Estimate, dict[str, float]]


def _paired_tests(pairs: Pairs, asked: Inference) -> dict[str, Result]:
    return {
        "mcnemar": _mcnemar(pairs, asked),
        "mainland-gart": _mainland_gart(pairs, asked),
        "prescott": _prescott(pairs, asked),
        "risk-difference": _risk_difference(pairs, asked),
    }


def _mcnemar(pairs: Pairs, asked: Inference) -> Result:
    method = "McNemar, exact p, exact interval of the conditional odds ratio; period ignored"
    up = int((pairs.treatment_differences > 0).sum())
    down = int((pairs.treatment_differences < 0).sum())
    if up + down == 0:
        return _undefined(pairs, method, asked), {"n_informative": 0.0}
    test = mcnemar(up, down, ci_level=asked.ci_level, alternative=asked.alternative)
    estimate = Estimate(
        label=pairs.contrast,
        estimate=test.odds_ratio,
        se=sqrt(1 / up + 1 / down) if up and down else nan,
        df=nan,
        statistic=float(np.sign(up - down)) * sqrt(test.chi_square),
        p_value=test.p_exact,
        ci_low=test.low,
        ci_high=test.high,
        ci_level=asked.ci_level,
        n=pairs.n,
        method=with_hypothesis(method, asked.alternative, 0.0),
        scale="ratio",
    )
    return estimate, {
        "p_asymptotic": test.p_value,
        "p_mid": test.p_mid,
        "p_continuity": test.p_corrected,
        "chi_square": test.chi_square,
        "n_informative": float(up + down),
    }


def _mainland_gart(pairs: Pairs, asked: Inference) -> Result:
    method = "Mainland-Gart, Fisher's exact p; Wald interval of the log odds ratio"
    counts = _by_sequence(pairs)
    table = counts[:, [0, 2]]
    n = int(table.sum())
    if not (table.sum(axis=0).all() and table.sum(axis=1).all()):
        why = ALL_ALIKE if n else NO_DISCORDANT
        return _undefined(pairs, method, asked, why), {"n_informative": float(n)}
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    chi_square = float(np.sum((table - expected) ** 2 / expected))
    sign = float(np.sign(table[0, 0] * table[1, 1] - table[0, 1] * table[1, 0]))
    p_value = fisher_exact(table, alternative=asked.alternative)
    extras = {
        "p_asymptotic": _normal_tail(sign * sqrt(chi_square), asked.alternative),
        "chi_square": chi_square,
        "n_informative": float(n),
    }
    if (table == 0).any():
        ratio, se, low, high = (inf if sign > 0 else 0.0), nan, nan, nan
        status = "an empty cell: the odds ratio has no finite estimate"
    else:
        value, se = mainland_gart(table.astype(np.float64))
        row = Estimate.from_z(
            label="",
            estimate=value,
            se=se,
            n=n,
            method="",
            ci_level=asked.ci_level,
            alternative=asked.alternative,
            scale="ratio",
        )
        ratio, low, high, status = row.estimate, row.ci_low, row.ci_high, "ok"
    estimate = Estimate(
        label=pairs.contrast,
        estimate=ratio,
        se=se,
        df=nan,
        statistic=sign * sqrt(chi_square),
        p_value=p_value,
        ci_low=low,
        ci_high=high,
        ci_level=asked.ci_level,
        n=pairs.n,
        method=with_hypothesis(method, asked.alternative, 0.0),
        scale="ratio",
        status=status,
    )
    return estimate, extras


def _prescott(pairs: Pairs, asked: Inference) -> Result:
    method = "Prescott, exact permutation p of the period differences between sequences"
    counts = _by_sequence(pairs)
    if (counts.sum(axis=0) > 0).sum() < 2:
        undefined = _undefined(pairs, method, asked, NO_VARIATION)
        return undefined, {"n_informative": float(pairs.n)}
    test = trend_permutation(counts, SCORES, alternative=asked.alternative)
    estimate = Estimate(
        label=pairs.contrast,
        estimate=nan,
        se=nan,
        df=nan,
        statistic=test.z,
        p_value=test.p_exact,
        ci_low=nan,
        ci_high=nan,
        ci_level=asked.ci_level,
        n=pairs.n,
        method=with_hypothesis(method, asked.alternative, 0.0),
        scale="ratio",
    )
    return estimate, {
        "p_asymptotic": test.p_value,
        "chi_square": test.z**2,
        "n_informative": float(pairs.n),
    }


def _risk_difference(pairs: Pairs, asked: Inference) -> Result:
    method = "paired difference of shares, Newcombe's interval (method 10); period ignored"
    test = np.where(pairs.test_first, pairs.first, pairs.second).astype(bool)
    reference = np.where(pairs.test_first, pairs.second, pairs.first).astype(bool)
    table = np.array(
        [
            [(test & reference).sum(), (test & ~reference).sum()],
            [(~test & reference).sum(), (~test & ~reference).sum()],
        ]
    )
    is_open = asked.alternative != "two-sided"
    if is_open and asked.ci_level <= 0.5:
        raise SpecError(
            f"ci_level={asked.ci_level:g} with a one-sided alternative: Newcombe's limit lies "
            "beyond the estimate above 0.5 only."
        )
    level = 2 * asked.ci_level - 1 if is_open else asked.ci_level
    difference, low, high = newcombe_paired(table, ci_level=level)
    low = -inf if asked.alternative == "less" else low
    high = inf if asked.alternative == "greater" else high
    up, down = int(table[0, 1]), int(table[1, 0])
    estimate = Estimate(
        label=pairs.contrast,
        estimate=difference,
        se=sqrt(up + down - (up - down) ** 2 / pairs.n) / pairs.n,
        df=nan,
        statistic=nan,
        p_value=nan,
        ci_low=low,
        ci_high=high,
        ci_level=asked.ci_level,
        n=pairs.n,
        method=with_hypothesis(method, asked.alternative, 0.0),
    )
    return estimate, {"n_informative": float(pairs.n)}


def _conditional(rows: CrossoverRows, asked: Inference) -> list[tuple[Estimate, float]]:
    """Log odds ratios of treatments and periods given each subject's number of events."""
    seen = rows.observed
    treatment, period = rows.treatment[seen], rows.period[seen]
    x = np.column_stack(
        [
            *(treatment == code for code in range(1, len(rows.treatments))),
            *(period == code for code in range(1, len(rows.periods))),
        ]
    ).astype(np.float64)
    labels = [f"{label} - {rows.treatments[0]}" for label in rows.treatments[1:]]
    n = int(np.unique(rows.subject[seen]).size)
    method = "conditional logistic regression with period, exact likelihood, Wald"
    try:
        fit = fit_conditional_logistic(x, rows.values[seen].astype(np.int64), rows.subject[seen])
    except ConvergenceError as error:
        return [
            (
                Estimate.undefined(
                    label=label,
                    status=str(error),
                    n=n,
                    method=method,
                    ci_level=asked.ci_level,
                    scale="ratio",
                ),
                nan,
            )
            for label in labels
        ]
    return [
        (
            Estimate.from_z(
                label=label,
                estimate=float(fit.coef[code]),
                se=float(np.sqrt(fit.vcov[code, code])),
                n=n,
                method=method,
                ci_level=asked.ci_level,
                alternative=asked.alternative,
                scale="ratio",
            ),
            float(fit.n_informative),
        )
        for code, label in enumerate(labels)
    ]


def _by_sequence(pairs: Pairs) -> IntArray:
    """Subjects (2, 3) by sequence (reference first, test first) and period difference -1, 0, 1."""
    return np.array(
        [
            [
                int(((pairs.period_differences == score) & (pairs.test_first == first)).sum())
                for score in SCORES
            ]
            for first in (False, True)
        ]
    )


def _undefined(
    pairs: Pairs, method: str, asked: Inference, status: str = NO_DISCORDANT
) -> Estimate:
    return Estimate.undefined(
        label=pairs.contrast,
        status=status,
        n=pairs.n,
        method=method,
        ci_level=asked.ci_level,
        scale="ratio",
    )


def _normal_tail(z: float, alternative: Alternative) -> float:
    row = Estimate.from_z(label="", estimate=z, se=1.0, n=1, method="", alternative=alternative)
    return row.p_value
