"""How a mixed model's contrasts are tested: covariance, degrees of freedom, F tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import linalg

from trialkit.analyses.mmrm_options import KENWARD_ROGER, Options
from trialkit.kernels.linear import WaldTest, f_tail, wald_f
from trialkit.kernels.mmrm.between_within import between_within_df, coefficient_df
from trialkit.kernels.mmrm.fit import MarginalFit
from trialkit.kernels.mmrm.information import Information, covariance_information
from trialkit.kernels.mmrm.kenward_roger import adjusted_covariance, kenward_roger_f
from trialkit.kernels.mmrm.layout import Layout
from trialkit.kernels.mmrm.robust import RobustCovariance, robust_covariance
from trialkit.kernels.mmrm.satterthwaite import fai_cornelius, satterthwaite_df
from trialkit.kernels.mmrm.subject_rows import padded_rows
from trialkit.typing import FloatArray

__all__ = ["ContrastInference", "independent_rows", "inference"]

# Contrasts whose part outside those before them is below this share repeat them.
RANK_TOLERANCE = 1e-9


class DfRule(Protocol):
    """Degrees of freedom (r,) of single contrasts (r, P) of the coefficients."""

    def __call__(self, rows: FloatArray) -> FloatArray:
        """The df of each row."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ModelDf:
    """Satterthwaite's, from the information of the covariance parameters."""

    fit: MarginalFit
    information: Information

    def __call__(self, rows: FloatArray) -> FloatArray:
        """The df of each row."""
        return satterthwaite_df(self.fit, self.information, self.fit.basis.contrasts(rows))


@dataclass(frozen=True, slots=True, eq=False)
class RobustDf:
    """Bell and McCaffrey's, of a robust variance."""

    fit: MarginalFit
    robust: RobustCovariance

    def __call__(self, rows: FloatArray) -> FloatArray:
        """The df of each row."""
        return self.robust.df(self.fit.basis.contrasts(rows))


@dataclass(frozen=True, slots=True, eq=False)
class CoefficientDf:
    """The smallest df (P,) of the coefficients that a contrast involves."""

    single: FloatArray

    def __call__(self, rows: FloatArray) -> FloatArray:
        """The df of each row."""
        return between_within_df(rows, self.single)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContrastInference:
    """Covariance `vcov` (P, P) of the coefficients, and how contrasts (r, P) are tested.

    `single_df` gives the df (r,) of single contrasts. `basis_vcov` is the covariance on the
    fit's own basis; `information` is there where the method uses it.
    """

    fit: MarginalFit
    method: str
    vcov: FloatArray
    basis_vcov: FloatArray
    single_df: DfRule
    information: Information | None

    def f_test(self, hypothesis: FloatArray) -> WaldTest:
        """F test of L b = 0; rows of L (r, P) that repeat others are left out."""
        rows = independent_rows(hypothesis)
        coef = self.fit.coef
        if not rows.shape[0]:
            return wald_f(coef=coef, vcov=self.vcov, hypothesis=hypothesis, den_df=np.nan)
        if self.method in KENWARD_ROGER and self.information is not None:
            test = kenward_roger_f(
                self.fit, self.information, self.basis_vcov, self.fit.basis.contrasts(rows)
            )
            statistic, den_df = test.statistic, test.den_df
        elif self.method == "satterthwaite":
            statistic, den_df = fai_cornelius(rows, self.vcov, rows @ coef, self.single_df)
        else:
            den_df = float(self.single_df(rows).min())
            return wald_f(coef=coef, vcov=self.vcov, hypothesis=rows, den_df=den_df)
        return WaldTest(
            statistic=statistic,
            num_df=rows.shape[0],
            den_df=den_df,
            p_value=f_tail(statistic, rows.shape[0], den_df),
        )


def inference(
    fit: MarginalFit,
    x: FloatArray,
    y: FloatArray,
    *,
    options: Options,
    layout: Layout,
    weights: FloatArray | None,
    intercept: int | None,
) -> ContrastInference:
    """The inference that `options` ask for; `intercept` is the position of its column in x."""
    information: Information | None = None
    robust: RobustCovariance | None = None
    vcov = fit.optimum.point.phi
    if options.needs_information:
        information = covariance_information(fit, expected=options.is_expected)
        if options.df in KENWARD_ROGER:
            with_second = options.df == "kenward-roger"
            vcov = adjusted_covariance(fit, information, second_order=with_second)
    if options.vcov is not None:
        rows = padded_rows(x, y, layout=layout, basis=fit.basis, weights=weights)
        robust = robust_covariance(fit, rows, options.vcov)
        vcov = robust.vcov
    return ContrastInference(
        fit=fit,
        method=options.df,
        vcov=fit.basis.covariance(vcov),
        basis_vcov=vcov,
        single_df=_model_rule(fit, options, information, robust)
        or _count_rule(x, layout, options, intercept),
        information=information,
    )


def _model_rule(
    fit: MarginalFit,
    options: Options,
    information: Information | None,
    robust: RobustCovariance | None,
) -> DfRule | None:
    """Degrees of freedom estimated from the fit; None where they are counted."""
    if information is not None:
        return ModelDf(fit, information)
    if options.df == "satterthwaite" and robust is not None:
        return RobustDf(fit, robust)
    return None


def _count_rule(x: FloatArray, layout: Layout, options: Options, intercept: int | None) -> DfRule:
    """Degrees of freedom counted from the design."""
    if options.df == "between-within":
        return CoefficientDf(coefficient_df(x, layout, intercept=intercept))
    value = np.inf if options.df == "normal" else float(x.shape[0] - x.shape[1])
    return CoefficientDf(np.full(x.shape[1], value))


def independent_rows(hypothesis: FloatArray) -> FloatArray:
    """Rows of L that are not combinations of others, in their order."""
    length = np.linalg.norm(hypothesis, axis=1)
    rows = np.asarray(hypothesis[length > 0])
    if rows.shape[0] < 2:
        return rows
    unit = rows / np.linalg.norm(rows, axis=1)[:, None]
    _, r, order = linalg.qr(unit.T, mode="economic", pivoting=True)
    size = np.abs(np.diagonal(r))
    rank = int((size > RANK_TOLERANCE * size[0]).sum())
    return np.asarray(rows[np.sort(order[:rank])])
