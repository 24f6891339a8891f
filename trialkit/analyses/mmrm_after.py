"""What a fitted mixed model gives beyond its estimates: residuals, scores, predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import pandas as pd

from trialkit.analyses.mmrm_predict import conditional_prediction, marginal_prediction
from trialkit.analyses.mmrm_roles import Roles
from trialkit.analyses.random_generator import generator
from trialkit.data.model_frame import ModelFrame
from trialkit.errors import SpecError
from trialkit.kernels.mmrm.fit import MarginalFit
from trialkit.kernels.mmrm.subject_rows import SubjectRows, padded_rows
from trialkit.kernels.mmrm.subjects import coefficient_scores, scaled_residuals, simulate
from trialkit.typing import BoolArray, FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["AfterFit"]


class Fitted(Protocol):
    """What residuals and predictions are made from."""

    @property
    def model_frame(self) -> ModelFrame:
        """Response and design."""
        ...

    @property
    def marginal(self) -> MarginalFit:
        """The kernels' fit."""
        ...

    @property
    def roles(self) -> Roles:
        """Subjects, visits and groups."""
        ...

    @property
    def columns_by_role(self) -> Mapping[str, str | None]:
        """Column names by role."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        ...

    @property
    def aliased(self) -> BoolArray:
        """Columns left out."""
        ...

    @property
    def coef(self) -> FloatArray:
        """Coefficients (P,)."""
        ...

    @property
    def vcov(self) -> FloatArray:
        """Their covariance (P, P)."""
        ...

    @property
    def null_space(self) -> FloatArray:
        """Coefficients (P, k) that change no fitted value."""
        ...

    def residuals(self, *, kind: Literal["raw", "scaled"] = "raw") -> pd.Series:
        """Residuals of the analysed rows."""
        ...


class AfterFit:
    """Residuals, scores, predictions and simulated outcomes of a fit."""

    __slots__ = ()

    def residuals(self: Fitted, *, kind: Literal["raw", "scaled"] = "raw") -> pd.Series:
        """Observed minus fitted outcome of each analysed row, under the data's own index.

        "scaled" divides by the Cholesky factor of the subject's covariance: uncorrelated with
        variance one if the model holds (R mmrm's "normalized").
        """
        if kind == "raw":
            values = self.model_frame.response - _fitted(self)
        elif kind == "scaled":
            values = scaled_residuals(self.marginal, _rows(self), self.roles.layout)
        else:
            raise SpecError(f"kind={kind!r} is not offered; allowed: raw, scaled.")
        index = self.model_frame.analysed.index
        return pd.Series(values, index=index, name=self.model_frame.outcome)

    def scores(self: Fitted) -> pd.DataFrame:
        """Each subject's part X'V^-1(y - Xb) of the coefficients' estimating equations.

        Subjects by coefficients (without aliased ones); every column sums to zero.
        """
        names = [n for n, out in zip(self.columns, self.aliased, strict=True) if not out]
        values = coefficient_scores(self.marginal, _rows(self), self.roles.layout)
        index = self.roles.subjects.rename(self.columns_by_role["subject"])
        return pd.DataFrame(values, index=index, columns=names)

    def predict(
        self: Fitted, frame: pd.DataFrame | None = None, *, conditional: bool = False
    ) -> pd.DataFrame:
        """Predicted outcome at each row of `frame` (the analysed rows without one).

        Columns `prediction` and `se` (from the uncertainty of the coefficients). Marginal: the
        mean of all subjects with the row's covariates. `conditional`: the mean given the
        outcomes the subject has in `frame` (missing where not observed), and `sd`, the standard
        deviation of the outcome around it at the estimated covariance; an observed outcome is
        its own prediction. With aliased coefficients, a row the analysed rows do not determine
        (an arm never seen at a visit) has NaN. Raises DataError for levels and visits the model
        does not know.
        """
        if not conditional:
            known = self.model_frame.analysed if frame is None else frame
            return marginal_prediction(
                self.model_frame,
                known,
                coef=self.coef,
                vcov=self.vcov,
                null_space=self.null_space,
            )
        if frame is None:
            raise SpecError(
                "conditional=True needs a frame: every visit wanted of each subject, with the "
                "outcome missing where it was not observed."
            )
        return conditional_prediction(
            self.model_frame,
            frame,
            fit=self.marginal,
            coef=self.coef,
            vcov=self.vcov,
            null_space=self.null_space,
            columns=self.columns_by_role,
            roles=self.roles,
        )

    def simulate(self: Fitted, rng: np.random.Generator | int | None = None) -> pd.Series:
        """A new outcome for each analysed row, drawn from the fitted model.

        `rng` is a numpy Generator or a seed; SpecError without one.
        """
        values = simulate(
            self.marginal,
            _fitted(self),
            generator(rng),
            layout=self.roles.layout,
            weights=self.roles.weights,
        )
        index = self.model_frame.analysed.index
        return pd.Series(values, index=index, name=self.model_frame.outcome)

    def plot_residuals(
        self: Fitted, *, kind: Literal["fitted", "normal"] = "fitted", ax: Axes | None = None
    ) -> Axes:
        """Scaled residuals against fitted values, or against normal quantiles."""
        from trialkit.figures.residual_plots import normal_quantiles, residuals_by_fitted

        residual = self.residuals(kind="scaled").to_numpy()
        if kind == "normal":
            return normal_quantiles(residual=residual, ax=ax)
        if kind != "fitted":
            raise SpecError(f"kind={kind!r} is not offered; allowed: fitted, normal.")
        return residuals_by_fitted(
            fitted=_fitted(self), residual=residual, y_label="Scaled residual", ax=ax
        )


def _fitted(fit: Fitted) -> FloatArray:
    return np.asarray(fit.model_frame.matrix @ fit.coef)


def _rows(fit: Fitted) -> SubjectRows:
    frame = fit.model_frame
    return padded_rows(
        frame.matrix[:, ~fit.aliased],
        frame.response,
        layout=fit.roles.layout,
        basis=fit.marginal.basis,
        weights=fit.roles.weights,
    )
