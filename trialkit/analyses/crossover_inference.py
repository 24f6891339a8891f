"""How the contrasts of a crossover are tested: covariance, degrees of freedom, F tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trialkit.analyses.mmrm_inference import independent_rows
from trialkit.kernels.linear import WaldTest, f_tail, wald_f
from trialkit.kernels.mmrm.satterthwaite import fai_cornelius
from trialkit.kernels.random_intercept import InterceptFit
from trialkit.kernels.small_sample import SmallSample
from trialkit.typing import FloatArray

__all__ = ["CrossoverInference", "containment_df", "random_inference"]

BETWEEN, WITHIN = 0, 1


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


def random_inference(
    fit: InterceptFit,
    method: str,
    *,
    expected: bool,
    plain_df: Callable[[FloatArray], FloatArray],
) -> CrossoverInference:
    """Inference of a fit with random subjects; `plain_df` serves methods without information.

    At the bound Kenward-Roger keeps both variances, with the expected information (the
    observed one is not that of a maximum there), and Satterthwaite holds the between-subject
    variance fixed.
    """
    basis = fit.basis
    if method not in ("kenward-roger", "satterthwaite"):
        return CrossoverInference(coef=fit.coef, vcov=fit.vcov, single_df=plain_df)
    known = fit.small_sample(expected=expected or fit.is_at_bound)
    if method == "satterthwaite":
        if fit.is_at_bound:
            known = known.without(BETWEEN)

        def single_df(rows: FloatArray) -> FloatArray:
            return known.df(basis.contrasts(rows))

        return CrossoverInference(
            coef=fit.coef, vcov=fit.vcov, single_df=single_df, is_satterthwaite=True
        )
    return _kenward_roger(fit, known)


def _kenward_roger(fit: InterceptFit, known: SmallSample) -> CrossoverInference:
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
    between_columns: np.ndarray, *, df_between: float, df_within: float
) -> Callable[[FloatArray], FloatArray]:
    """SAS's DDFM=CONTAIN with random subject(sequence).

    Contrasts of effects between subjects (intercept, sequence) alone have the df of subjects
    within sequences, all others those of the residual.
    """

    def single_df(rows: FloatArray) -> FloatArray:
        is_between = ~(rows[:, ~between_columns] != 0).any(axis=1)
        return np.asarray(np.where(is_between, df_between, df_within))

    return single_df


def _test(statistic: float, num_df: int, den_df: float) -> WaldTest:
    return WaldTest(
        statistic=statistic,
        num_df=num_df,
        den_df=den_df,
        p_value=f_tail(statistic, num_df, den_df),
    )
