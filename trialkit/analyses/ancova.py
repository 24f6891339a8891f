"""Analysis of covariance: one outcome a subject, adjusted for covariates, by least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.linear_estimates import LinearEstimates, with_sums_of_squares
from trialkit.data.formula import parse_formula
from trialkit.data.levels import arm_levels
from trialkit.data.model_frame import ModelFrame, build_model_frame
from trialkit.errors import DataError, SpecError
from trialkit.kernels.estimability import null_space
from trialkit.kernels.linear import (
    HC_KINDS,
    LeastSquares,
    WaldTest,
    aliased_columns,
    hc_covariance,
    least_squares,
    ols_covariance,
    wald_f,
)
from trialkit.results import TestTable
from trialkit.typing import BoolArray, FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["AncovaFit", "ancova"]

VcovKind = Literal["ols", "HC0", "HC1", "HC2", "HC3", "HC4"]

# A row this close to leverage one fits itself: its residual carries no variance.
LEVERAGE_MARGIN = 1e-10
# Residuals below this share of the largest outcome are rounding, not variation.
EXACT_FIT = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AncovaFit(LinearEstimates):
    """A least-squares fit of one outcome a row; see `ancova`.

    `coef` (P,) and `vcov` (P, P) follow `columns`; `sigma` is the residual standard deviation
    in the outcome's unit, whatever `vcov_kind`. `n` rows were analysed, `n_excluded` left out
    for missing values (`missing`: how many by column).
    """

    model_frame: ModelFrame
    arm: str
    reference: object
    vcov_kind: str
    coef: FloatArray
    vcov: FloatArray
    aliased: BoolArray
    null_space: FloatArray
    fitted_residuals: FloatArray
    leverage: FloatArray
    residual_sum_sq: float
    df_residual: int
    r_squared: float
    adj_r_squared: float
    method: str
    visit: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the P coefficients, in formulaic's spelling."""
        return self.model_frame.columns

    @property
    def n(self) -> int:
        """Number of analysed rows."""
        return self.model_frame.n

    @property
    def n_excluded(self) -> int:
        """Number of rows left out because a variable of the formula is missing."""
        return self.model_frame.n_rows - self.model_frame.n

    @property
    def missing(self) -> dict[str, int]:
        """Missing values by column; a row may count in several."""
        return dict(self.model_frame.n_excluded)

    @property
    def sigma(self) -> float:
        """Residual standard deviation, in the outcome's unit."""
        return float(np.sqrt(self.residual_sum_sq / self.df_residual))

    def df(self, contrast: FloatArray) -> float:
        """Residual degrees of freedom, for every contrast."""
        del contrast
        return float(self.df_residual)

    def f_test(self, hypothesis: FloatArray) -> WaldTest:
        """Wald F of L b = 0 for L (q, P), on the residual degrees of freedom."""
        return wald_f(
            coef=self.coef,
            vcov=self.vcov,
            hypothesis=hypothesis,
            den_df=float(self.df_residual),
        )

    def type3(self) -> TestTable:
        """F test of each term with the others in the model, key `term`; type III.

        As R's car with contr.sum, and SAS: sum-to-zero hypotheses whatever the coding. With
        `vcov="ols"` the extra `sum_sq` is each term's sum of squares.
        """
        return self._with_sums(LinearEstimates.type3(self))

    def type2(self) -> TestTable:
        """F test of each term after all terms that do not contain it, key `term`; type II."""
        return self._with_sums(LinearEstimates.type2(self))

    def residuals(self, *, kind: Literal["raw", "standardized"] = "raw") -> pd.Series:
        """Observed minus fitted outcome of each analysed row, under the data's own index.

        "standardized" divides by the residual's own standard deviation, sigma sqrt(1 - h).
        """
        check_choice("kind", kind, ("raw", "standardized"))
        values = self.fitted_residuals
        if kind == "standardized":
            with np.errstate(divide="ignore", invalid="ignore"):
                values = values / (self.sigma * np.sqrt(1 - self.leverage))
        index = self.model_frame.analysed.index
        return pd.Series(values, index=index, name=self.model_frame.outcome, copy=True)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Each arm minus the reference, with its interval."""
        return self.contrasts().plot(ax)

    def __repr__(self) -> str:
        return f"{self._summary()}\n\n{self.contrasts()!r}"

    def _repr_html_(self) -> str:
        return f"<div>{_escaped(self._summary())}</div>{self.contrasts()._repr_html_()}"

    def _summary(self) -> str:
        levels = self.model_frame.factors[self.arm].levels
        return (
            f"ANCOVA {self.model_frame.formula}\n"
            f"{self.n} rows analysed, {self.n_excluded} excluded; "
            f"arms {', '.join(map(str, levels))}; "
            f"residual SD {self.sigma:.4g} on {self.df_residual} df; R2 {self.r_squared:.3f}"
        )

    def _with_sums(self, table: TestTable) -> TestTable:
        if self.vcov_kind != "ols":
            return table
        return with_sums_of_squares(table, self.sigma**2)


def ancova(
    formula: str,
    data: pd.DataFrame,
    *,
    arm: str,
    reference: object,
    vcov: VcovKind = "ols",
    subject: str | None = None,
    drop_aliased: bool = False,
) -> AncovaFit:
    """Difference in adjusted mean outcome between arms, arm minus reference.

    `formula` is `outcome ~ terms` with one row a subject ("CHG ~ TRT01P + BASE + SITEGR1"). The
    arm is a factor with the reference first, then the Categorical's order, otherwise sorted;
    text and booleans are factors, numbers covariates unless in `C()`. Least squares with
    `vcov="ols"` (one residual variance) or "HC0" ... "HC4" (heteroscedasticity-consistent, as
    R's sandwich), and Student's t with the residual degrees of freedom in either case. With a
    treatment-by-covariate interaction, `lsmeans` and `contrasts` hold the covariate at its
    mean over the analysed rows, taken as fixed.

    Rows with a missing value in any variable of the formula are excluded and counted. Given
    `subject`, two analysed rows of one subject are refused: they are not independent. With
    `drop_aliased`, coefficients that the others determine are left out, as R's lm does, and
    means that then depend on the choice are reported as not estimable; otherwise they raise.

    Raises SpecError for a formula without the arm; DataError where the data do not support it:
    missing columns, infinite values, an outcome that is not numeric, an arm with no analysed
    row, fewer rows than coefficients, aliased coefficients, an exact fit.

    Reference: MacKinnon & White (1985), doi:10.1016/0304-4076(85)90158-7.

    Example
    -------
    >>> import pandas as pd
    >>> import trialkit as tk
    >>> data = pd.DataFrame({
    ...     "TRT01P": ["Placebo"] * 4 + ["LDN"] * 4,
    ...     "BASE": [5.0, 6.0, 7.0, 8.0, 5.0, 6.0, 7.0, 8.0],
    ...     "CHG": [-1.0, -1.5, -0.5, -1.0, -2.0, -3.0, -2.5, -2.5],
    ... })
    >>> fit = tk.ancova("CHG ~ TRT01P + BASE", data, arm="TRT01P", reference="Placebo")
    >>> difference = fit.contrasts().single()
    >>> difference.label, round(difference.estimate, 3), round(difference.se, 3), difference.df
    ('LDN - Placebo', -1.5, 0.316, 5.0)
    """
    check_choice("vcov", vcov, ("ols", *HC_KINDS))
    _require_arm(formula, arm)
    frame = build_model_frame(
        formula,
        data,
        levels={arm: arm_levels(data, arm, reference)},
        every_level=(arm,),
        subject=subject,
    )
    if subject is not None:
        _refuse_repeated_subjects(data, frame, subject)
    aliased = _checked_aliases(frame, drop_aliased)
    fit = least_squares(x=frame.matrix, y=frame.response, aliased=aliased)
    _check_variation(frame, fit, vcov)
    r_squared, adjusted = _r_squared(frame, fit)
    covariance = _covariance(frame, fit, vcov)
    _lock(fit.coef, fit.residuals, fit.leverage, covariance, aliased)
    return AncovaFit(
        model_frame=frame,
        arm=arm,
        reference=reference,
        vcov_kind=vcov,
        coef=fit.coef,
        vcov=covariance,
        aliased=aliased,
        null_space=null_space(frame.matrix) if aliased.any() else np.empty((aliased.size, 0)),
        fitted_residuals=fit.residuals,
        leverage=fit.leverage,
        residual_sum_sq=fit.residual_sum_sq,
        df_residual=fit.df_residual,
        r_squared=r_squared,
        adj_r_squared=adjusted,
        method=_method(formula, vcov, frame, aliased),
    )


def _require_arm(formula: str, arm: str) -> None:
    right = parse_formula(formula).right
    if arm not in right:
        raise SpecError(
            f"Formula {formula!r} has no term with the arm {arm!r}; it has {', '.join(right)}."
        )


def _refuse_repeated_subjects(data: pd.DataFrame, frame: ModelFrame, subject: str) -> None:
    counts = data[subject].iloc[frame.rows].value_counts()
    repeated = counts[counts > 1]
    if not repeated.empty:
        raise DataError(
            f"{repeated.size} subject(s) have more than one analysed row, the first "
            f"{repeated.index.tolist()[0]!r} with {repeated.iloc[0]}; ANCOVA takes one row a "
            "subject (choose a visit, or use a mixed model)."
        )


def _checked_aliases(frame: ModelFrame, drop_aliased: bool) -> BoolArray:
    aliased = aliased_columns(frame.matrix)
    if aliased.any() and not drop_aliased:
        names = [
            name for name, is_aliased in zip(frame.columns, aliased, strict=True) if is_aliased
        ]
        raise DataError(
            f"{frame.formula!r} has coefficients that the others determine: {', '.join(names)}. "
            "Take a term out, merge levels that do not occur together, or give "
            "drop_aliased=True."
        )
    if frame.n <= aliased.size - aliased.sum():
        raise DataError(
            f"{frame.n} analysed rows leave no residual degrees of freedom beside "
            f"{aliased.size - aliased.sum()} coefficients of {frame.formula!r}."
        )
    return aliased


def _check_variation(frame: ModelFrame, fit: LeastSquares, vcov: str) -> None:
    spread = float(np.ptp(frame.response))
    if spread == 0:
        raise DataError(
            f"Outcome {frame.outcome!r} is {frame.response[0]:g} in all {frame.n} analysed rows: "
            "no standard error."
        )
    if np.sqrt(fit.residual_sum_sq / frame.n) < EXACT_FIT * np.abs(frame.response).max():
        raise DataError(
            f"{frame.formula!r} reproduces the outcome exactly: no residual variation is left."
        )
    saturated = np.flatnonzero(fit.leverage > 1 - LEVERAGE_MARGIN)
    if vcov in ("HC2", "HC3", "HC4") and saturated.size:
        first = frame.analysed.index[saturated].tolist()[0]
        raise DataError(
            f"vcov={vcov!r} is not defined: {saturated.size} row(s), the first {first!r}, have "
            "leverage one (a coefficient of their own); use 'HC1' or 'ols'."
        )


def _covariance(frame: ModelFrame, fit: LeastSquares, vcov: str) -> FloatArray:
    if vcov == "ols":
        return ols_covariance(fit)
    return hc_covariance(fit=fit, x=frame.matrix, kind=vcov)


def _r_squared(frame: ModelFrame, fit: LeastSquares) -> tuple[float, float]:
    """R squared and its adjusted form; about zero where the formula has no intercept, as R."""
    has_intercept = any(not term.factors for term in frame.terms)
    centred = frame.response - (frame.response.mean() if has_intercept else 0.0)
    total = float(centred @ centred)
    unexplained = fit.residual_sum_sq / total
    return 1 - unexplained, 1 - unexplained * (frame.n - has_intercept) / fit.df_residual


def _method(formula: str, vcov: str, frame: ModelFrame, aliased: BoolArray) -> str:
    errors = "OLS" if vcov == "ols" else f"OLS with {vcov} covariance"
    dropped = _aliased_names(frame, aliased)
    without = f" without aliased {', '.join(dropped)}" if dropped else ""
    return f"ANCOVA {formula}{without}, {errors}, t with residual df"


def _aliased_names(frame: ModelFrame, aliased: BoolArray) -> list[str]:
    return [name for name, is_out in zip(frame.columns, aliased, strict=True) if is_out]


def _lock(*arrays: FloatArray | BoolArray) -> None:
    for array in arrays:
        array.flags.writeable = False


def _escaped(text: str) -> str:
    from html import escape

    return escape(text).replace("\n", "<br>")
