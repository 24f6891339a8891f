"""How the contrasts of a crossover are tested: covariance, degrees of freedom, F tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from trialkit.analyses.mmrm_inference import independent_rows
from trialkit.kernels.linear import WaldTest, f_tail, wald_f
from trialkit.kernels.mmrm.satterthwaite import fai_cornelius
from trialkit.kernels.random_intercept import InterceptFit
from trialkit.kernels.small_sample import SmallSample
from trialkit.kernels.variance_components import ComponentsFit
from trialkit.typing import FloatArray, IntArray

__all__ = [
    "BETWEEN_PERIODS",
    "BETWEEN_SUBJECTS",
    "WITHIN_PERIODS",
    "CrossoverInference",
    "RandomFit",
    "containment_df",
    "random_inference",
    "variance_information",
]

RandomFit: TypeAlias = InterceptFit | ComponentsFit

# Where a column of the design varies: between subjects, between a subject's periods, or
# between the measurements of a period.
BETWEEN_SUBJECTS, BETWEEN_PERIODS, WITHIN_PERIODS = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossoverInference:
    """Coefficients (P,) and covariance (P, P) as used, and the df (r,) of contrasts (r, P).

    `kenward_roger` is the joint F test where that method was asked, `is_satterthwaite` says
    whether joint tests combine single ones.
    """

    coef: FloatArray
    vcov: FloatArray
    single_df: Callable[[FloatArray], FloatArray]
    is_satterthwaite: bool = False
    kenward_roger: Callable[[FloatArray], WaldTest] | None = None

    def f_test(self, hypothesis: FloatArray) -> WaldTest:
        """F test of L b = 0; rows of L (r, P) that repeat others are left out."""
        rows = independent_rows(hypothesis)
        if self.kenward_roger is not None:
            return self.kenward_roger(rows)
        if self.is_satterthwaite:
            statistic, den_df = fai_cornelius(rows, self.vcov, rows @ self.coef, self.single_df)
            return _test(statistic, rows.shape[0], den_df)
        den_df = float(self.single_df(rows).min())
        return wald_f(coef=self.coef, vcov=self.vcov, hypothesis=rows, den_df=den_df)


def variance_information(fit: RandomFit, *, expected: bool, drop: bool) -> SmallSample:
    """What is known of the variances; `drop` leaves out those at their bound.

    With a variance at its bound the observed information is not that of a maximum; the
    expected one serves.
    """
    known = fit.small_sample(expected=expected or bool(fit.at_bound))
    if drop:
        for parameter in reversed(fit.at_bound):
            known = known.without(parameter)
    return known


def random_inference(
    fit: RandomFit,
    method: str,
    *,
    expected: bool,
    plain_df: Callable[[FloatArray], FloatArray],
) -> CrossoverInference:
    """Inference of a fit with random subjects; `plain_df` serves methods without information.

    At the bound Kenward-Roger keeps all variances, and Satterthwaite holds those at zero
    fixed.
    """
    basis = fit.basis
    if method not in ("kenward-roger", "satterthwaite"):
        return CrossoverInference(coef=fit.coef, vcov=fit.vcov, single_df=plain_df)
    known = variance_information(fit, expected=expected, drop=method == "satterthwaite")
    if method == "kenward-roger":
        return _kenward_roger(fit, known)

    def single_df(rows: FloatArray) -> FloatArray:
        return known.df(basis.contrasts(rows))

    return CrossoverInference(
        coef=fit.coef, vcov=fit.vcov, single_df=single_df, is_satterthwaite=True
    )


def _kenward_roger(fit: RandomFit, known: SmallSample) -> CrossoverInference:
    basis = fit.basis
    adjusted = known.adjusted()

    def single_df(rows: FloatArray) -> FloatArray:
        return known.df(basis.contrasts(rows))

    def joint(rows: FloatArray) -> WaldTest:
        value = rows @ fit.coef / basis.scale
        test = known.f_test(value, adjusted, basis.contrasts(rows))
        return _test(test.statistic, test.num_df, test.den_df)

    return CrossoverInference(
        coef=fit.coef,
        vcov=basis.covariance(adjusted),
        single_df=single_df,
        kenward_roger=joint,
    )


def containment_df(
    stratum: IntArray, df: tuple[float, float, float]
) -> Callable[[FloatArray], FloatArray]:
    """SAS's DDFM=CONTAIN with random subject(sequence) [and its periods].

    `stratum` (P,) says where each column varies, `df` are those between subjects, between
    periods and within them. A contrast that takes in effects between periods has theirs.
    """

    def single_df(rows: FloatArray) -> FloatArray:
        used = rows != 0
        has_periods = used[:, stratum == BETWEEN_PERIODS].any(axis=1)
        has_measurements = used[:, stratum == WITHIN_PERIODS].any(axis=1)
        plain = np.where(has_measurements, df[WITHIN_PERIODS], df[BETWEEN_SUBJECTS])
        return np.asarray(np.where(has_periods, df[BETWEEN_PERIODS], plain))

    return single_df


def _test(statistic: float, num_df: int, den_df: float) -> WaldTest:
    return WaldTest(
        statistic=statistic,
        num_df=num_df,
        den_df=den_df,
        p_value=f_tail(statistic, num_df, den_df),
    )
