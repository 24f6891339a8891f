"""p-values of two proportions by the tests a paper may have used, and its risk ratio.

Counts come as proportions of `n`, because that is what is printed; the count is the nearest
whole number. All tests are two-sided and take the arms as independent.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from trialkit.analyses.risk_ratio import risk_ratio as _risk_ratio
from trialkit.typing import IntArray

__all__ = [
    "barnard_p",
    "fisher_p",
    "likelihood_ratio_p",
    "pearson_p",
    "risk_ratio",
    "risk_ratio_high",
    "risk_ratio_low",
]


def pearson_p(share: float, n: float, share_reference: float, n_reference: float) -> float:
    """Pearson's chi-square on one degree of freedom, without continuity correction."""
    return _power_divergence(share, n, share_reference, n_reference, "pearson")


def likelihood_ratio_p(share: float, n: float, share_reference: float, n_reference: float) -> float:
    """Likelihood-ratio chi-square on one degree of freedom, without continuity correction."""
    return _power_divergence(share, n, share_reference, n_reference, "log-likelihood")


def fisher_p(share: float, n: float, share_reference: float, n_reference: float) -> float:
    """Fisher's exact test: tables no more likely than the observed, margins fixed."""
    from scipy.stats import fisher_exact

    return float(fisher_exact(_table(share, n, share_reference, n_reference)).pvalue)


def barnard_p(share: float, n: float, share_reference: float, n_reference: float) -> float:
    """Barnard's unconditional exact test with the pooled Wald statistic."""
    from scipy.stats import barnard_exact

    # Columns are the arms: scipy's rows are the outcome.
    return float(barnard_exact(_table(share, n, share_reference, n_reference).T).pvalue)


def risk_ratio(x: float, n: float, x_reference: float, n_reference: float) -> float:
    """Risk ratio, log-Wald."""
    return _ratio(x, n, x_reference, n_reference)[0]


def risk_ratio_low(x: float, n: float, x_reference: float, n_reference: float) -> float:
    """Lower end of the risk ratio's 95% log-Wald interval."""
    return _ratio(x, n, x_reference, n_reference)[1]


def risk_ratio_high(x: float, n: float, x_reference: float, n_reference: float) -> float:
    """Upper end of the risk ratio's 95% log-Wald interval."""
    return _ratio(x, n, x_reference, n_reference)[2]


def _ratio(x: float, n: float, x_reference: float, n_reference: float) -> tuple[float, ...]:
    found = _risk_ratio(int(x), int(n), int(x_reference), int(n_reference)).single()
    return found.estimate, found.ci_low, found.ci_high


def _table(share: float, n: float, share_reference: float, n_reference: float) -> IntArray:
    """Arms in rows, responders and others in columns."""
    counts = np.array([round(share * n), round(share_reference * n_reference)], dtype=np.int64)
    totals = np.array([n, n_reference], dtype=np.int64)
    return np.column_stack([counts, totals - counts])


def _power_divergence(
    share: float,
    n: float,
    share_reference: float,
    n_reference: float,
    statistic: Literal["pearson", "log-likelihood"],
) -> float:
    from scipy.stats import chi2_contingency

    table = _table(share, n, share_reference, n_reference)
    return float(chi2_contingency(table, correction=False, lambda_=statistic).pvalue)
