"""p-values of McNemar's tests where only the margins are printed: over the joint tables they allow.

Counts come as proportions of `n`, because that is what is printed; the count is the nearest
whole number. A *joint table* is fixed by how many persons respond under both conditions. All
tests are two-sided.
"""

from __future__ import annotations

from math import log, nan

from scipy import special

from trialkit.kernels.paired_binary import mcnemar

__all__ = [
    "mcnemar_half_corrected_p",
    "mcnemar_likelihood_ratio_p",
    "mcnemar_nearest_p_above",
    "mcnemar_nearest_p_below",
]


def mcnemar_nearest_p_below(share: float, share_reference: float, n: float, level: float) -> float:
    """Largest p not above `level` of four tests over all joint tables; NaN where there is none.

    The tests: exact, mid-p, asymptotic, and asymptotic with Edwards' continuity correction.
    """
    return max((p for p in _usual(share, share_reference, n) if p <= level), default=nan)


def mcnemar_nearest_p_above(share: float, share_reference: float, n: float, level: float) -> float:
    """Smallest p above `level` of the same tests and joint tables; NaN where there is none."""
    return min((p for p in _usual(share, share_reference, n) if p > level), default=nan)


def mcnemar_likelihood_ratio_p(
    share: float, share_reference: float, n: float, both: float
) -> float:
    """Likelihood-ratio form, with `both` responding under both conditions."""
    up, down = round(share * n) - both, round(share_reference * n) - both
    half = (up + down) / 2
    chi_square = 2 * sum(count * log(count / half) for count in (up, down) if count)
    return float(special.chdtrc(1, chi_square))


def mcnemar_half_corrected_p(share: float, share_reference: float, n: float, both: float) -> float:
    """Asymptotic, the discordant counts half a unit nearer each other (Edwards takes a unit)."""
    up, down = round(share * n) - both, round(share_reference * n) - both
    distance = max(abs(up - down) - 0.5, 0.0)
    return float(special.chdtrc(1, distance**2 / (up + down)))


def _usual(share: float, share_reference: float, n: float) -> list[float]:
    first, second, total = round(share * n), round(share_reference * n), round(n)
    found = []
    for both in range(max(0, first + second - total), min(first, second) + 1):
        if first + second > 2 * both:
            test = mcnemar(first - both, second - both, ci_level=0.95)
            found += [test.p_exact, test.p_mid, test.p_value, test.p_corrected]
    return found
