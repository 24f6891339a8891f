"""The FDA's reference-scaled average bioequivalence: a bound on one linear criterion."""

from __future__ import annotations

from collections.abc import Sequence
from math import expm1, log, nan, sqrt
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.crossover_rows import CrossoverRows, read_crossover
from trialkit.errors import DataError, DesignError
from trialkit.results import Estimate, EstimateTable
from trialkit.typing import FloatArray, IntArray

__all__ = ["rsabe"]

# FDA (2001, 2011): regulatory standard deviation, limit, and level of the bound.
REGULATORY_SD, LIMIT, LEVEL = 0.25, 1.25, 0.95
SCALED_FROM = 0.294


def rsabe(
    data: pd.DataFrame,
    *,
    outcome: str,
    subject: str,
    sequence: str,
    period: str,
    treatment: str,
    reference: object,
    period_order: str | Sequence[object] | None = None,
) -> EstimateTable:
    """Upper 95% bound of (mu_T - mu_R)^2 - theta s2_wR, log scale. Key: quantity.

    Rows: "ilat" (difference of the subjects' means, test minus reference, sequences weighted
    equally, t interval at 90%), "s2_wr" (within-subject variance of the reference from the
    difference of its two administrations), "criterion_bound" (Howe's approximation, as in the
    FDA's guidance on progesterone; theta = (log 1.25 / 0.25)^2). Bioequivalence of a reference
    with s_wR of 0.294 or more asks for a bound of zero or below and a point estimate in 0.80 to
    1.25: extra `is_bioequivalent` of the last row (None where s_wR is smaller, and average
    bioequivalence applies).

    Subjects with every administration of a full replicate (two of each) are used; the others are
    counted. Raises DesignError for designs in which no subject has both products twice, or all
    who have are in one sequence.

    Reference: Howe (1974) J Am Stat Assoc 69:789-794.

    Example
    -------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> data = pd.DataFrame([
    ...     {"ID": i, "SEQ": s, "PERIOD": k, "TRT": t, "AUC": float(np.exp(3 + 0.4 * e))}
    ...     for i, s in enumerate(["RTRT", "TRTR"] * 8)
    ...     for k, (t, e) in enumerate(zip(s, rng.normal(size=4)), start=1)])
    >>> table = rsabe(data, outcome="AUC", subject="ID", sequence="SEQ", period="PERIOD",
    ...               treatment="TRT", reference="R")
    >>> table.keys["quantity"]
    ('ilat', 's2_wr', 'criterion_bound')
    """
    rows = read_crossover(
        data,
        outcome=outcome,
        subject=subject,
        sequence=sequence,
        period=period,
        treatment=treatment,
        reference=reference,
        period_order=period_order,
    )
    if (rows.values <= 0).any():
        raise DataError(f"{outcome!r} has values at or below zero, which have no logarithm.")
    difference, repeat, group = _per_subject(rows)
    estimate, se, df = _pooled(difference, group)
    _, _, df_repeat = _pooled(repeat, group)
    s2 = _mean_square(repeat, group) / 2
    bound = _howe_bound(estimate, se, df, s2, df_repeat)
    ilat = Estimate.from_t(
        label="ilat",
        estimate=estimate,
        se=se,
        df=df,
        n=group.size,
        method="FDA RSABE: mean difference of the subjects' means, sequences weighted equally",
        ci_level=0.90,
    )
    verdict = None
    if sqrt(s2) >= SCALED_FROM:
        verdict = bool(bound <= 0 and log(0.8) <= estimate <= log(1.25))
    n = int(group.size)
    return EstimateTable(
        estimates=(
            ilat,
            _number("s2_wr", s2, df_repeat, n, "half the mean square of R1 - R2 within sequences"),
            _number("criterion_bound", bound, nan, n, "Howe's upper 95% bound"),
        ),
        keys={"quantity": ("ilat", "s2_wr", "criterion_bound")},
        extras={
            "sd": (nan, sqrt(s2), nan),
            "cv": (nan, sqrt(expm1(s2)), nan),
            "is_bioequivalent": (None, None, verdict),
        },
        variable=f"log({outcome})",
        notes=(f"{n} of {len(rows.subjects)} subjects have both products twice and are used.",),
    )


def _per_subject(rows: CrossoverRows) -> tuple[FloatArray, FloatArray, IntArray]:
    """Mean T minus mean R, R1 minus R2 (n,), and the sequence, of subjects with both twice."""
    if len(rows.treatments) != 2:
        raise DesignError(f"RSABE compares two products; there are {len(rows.treatments)}.")
    logs = np.log(rows.values)
    found: list[tuple[float, float, int]] = []
    for code in range(len(rows.subjects)):
        own = np.flatnonzero((rows.subject == code) & rows.observed)
        own = own[np.argsort(rows.period[own])]
        reference, test = (logs[own[rows.treatment[own] == k]] for k in (0, 1))
        if reference.size == 2 and test.size == 2:
            sequence = int(rows.sequence[own[0]])
            found.append((test.mean() - reference.mean(), reference[0] - reference[1], sequence))
    if not found:
        raise DesignError("No subject has the test and the reference twice: not a full replicate.")
    difference, repeat, sequence_codes = (np.array(column) for column in zip(*found, strict=True))
    present, group = np.unique(sequence_codes, return_inverse=True)
    if present.size < 2:
        raise DesignError(
            f"Subjects with both products twice are in one sequence only, "
            f"{rows.sequences[int(present[0])]!r}: products and periods cannot be told apart."
        )
    return difference, repeat, group.astype(np.int64)


def _mean_square(values: FloatArray, group: IntArray) -> float:
    means = np.array([values[group == g].mean() for g in range(int(group.max()) + 1)])
    df = values.size - means.size
    if df <= 0:
        raise DataError(f"{values.size} subject(s) in {means.size} sequences leave no df.")
    return float(np.sum((values - means[group]) ** 2)) / df


def _pooled(values: FloatArray, group: IntArray) -> tuple[float, float, int]:
    """Mean of the sequences' means, its standard error, and the df within sequences."""
    counts = np.bincount(group)
    means = np.bincount(group, weights=values) / counts
    variance = _mean_square(values, group) * float(np.sum(1 / counts)) / counts.size**2
    return float(means.mean()), sqrt(variance), int(values.size - counts.size)


def _howe_bound(estimate: float, se: float, df: int, s2: float, df_repeat: int) -> float:
    from scipy import special

    t = float(special.stdtrit(df, LEVEL))
    x = estimate**2 - se**2
    x_bound = max(abs(estimate - t * se), abs(estimate + t * se)) ** 2
    y = -((log(LIMIT) / REGULATORY_SD) ** 2) * s2
    y_bound = y * df_repeat / float(special.chdtri(df_repeat, 1 - LEVEL))
    return x + y + sqrt((x_bound - x) ** 2 + (y_bound - y) ** 2)


def _number(
    label: Literal["s2_wr", "criterion_bound"], value: float, df: float, n: int, method: str
) -> Estimate:
    return Estimate(
        label=label,
        estimate=value,
        se=nan,
        df=float(df),
        statistic=nan,
        p_value=nan,
        ci_low=nan,
        ci_high=nan,
        ci_level=LEVEL,
        n=n,
        method=f"FDA RSABE: {method}",
        scale="coefficient",
    )
