"""A fitted mixed model for repeated measures, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from trialkit.analyses.arm_contrasts import ContrastKind
from trialkit.analyses.linear_estimates import LinearEstimates
from trialkit.analyses.mmrm_after import AfterFit
from trialkit.analyses.mmrm_covariance import CovarianceFigures
from trialkit.analyses.mmrm_inference import ContrastInference
from trialkit.analyses.mmrm_options import Options
from trialkit.analyses.mmrm_roles import Roles
from trialkit.analyses.reference_grid import Visits
from trialkit.data.model_frame import ModelFrame
from trialkit.errors import SpecError
from trialkit.kernels.linear import WaldTest
from trialkit.kernels.mmrm.fit import MarginalFit
from trialkit.results import EstimateTable
from trialkit.typing import Alternative, BoolArray, ContrastAdjustment, FloatArray, MeanWeights

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MmrmFit"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class MmrmFit(CovarianceFigures, AfterFit, LinearEstimates):
    """A mixed model for repeated measures; see `mmrm`.

    `coef` (P,) and `vcov` (P, P) follow `columns`; `vcov` is what the contrasts use (adjusted
    by Kenward-Roger, or robust, where that was asked). `n` and `n_subjects` count subjects with
    an analysed row, `n_observations` the rows; `n_excluded` rows were left out for missing
    values (`missing`: how many by column).
    """

    model_frame: ModelFrame
    arm_column: str | None
    reference: object
    columns_by_role: Mapping[str, str | None]
    roles: Roles
    options: Options
    aliased: BoolArray
    null_space: FloatArray
    marginal: MarginalFit
    inference: ContrastInference
    method: str

    @property
    def arm(self) -> str:
        """The arm's column, empty where none was declared."""
        return self.arm_column or ""

    @property
    def visit(self) -> str | None:
        """The visit's column, where the formula has it."""
        name = self.columns_by_role["visit"]
        return name if name is not None and name in self.model_frame.factors else None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the P coefficients, in formulaic's spelling."""
        return self.model_frame.columns

    @property
    def coef(self) -> FloatArray:
        """Coefficients (P,), zero where aliased."""
        if not self.aliased.any():
            return self.marginal.coef
        out = np.zeros(self.aliased.size)
        out[~self.aliased] = self.marginal.coef
        return out

    @property
    def vcov(self) -> FloatArray:
        """Covariance (P, P) of the coefficients as used for inference, zero where aliased."""
        if not self.aliased.any():
            return self.inference.vcov
        out = np.zeros((self.aliased.size, self.aliased.size))
        out[np.ix_(~self.aliased, ~self.aliased)] = self.inference.vcov
        return out

    @property
    def n(self) -> int:
        """Number of subjects with an analysed row."""
        return self.n_subjects

    @property
    def n_subjects(self) -> int:
        """Number of subjects with an analysed row."""
        return len(self.roles.subjects)

    @property
    def n_observations(self) -> int:
        """Number of analysed rows."""
        return self.model_frame.n

    @property
    def n_excluded(self) -> int:
        """Number of rows left out because a variable is missing."""
        return self.model_frame.n_rows - self.model_frame.n

    @property
    def missing(self) -> dict[str, int]:
        """Missing values by column; a row may count in several."""
        return dict(self.model_frame.n_excluded)

    def df(self, contrast: FloatArray) -> float:
        """Degrees of freedom of the t statistic of one contrast (P,)."""
        return float(self.inference.single_df(contrast[None, ~self.aliased])[0])

    def f_test(self, hypothesis: FloatArray) -> WaldTest:
        """F test of L b = 0 for L (q, P), with the method's scale and denominator df."""
        return self.inference.f_test(hypothesis[:, ~self.aliased])

    def lsmeans(
        self,
        *,
        weights: MeanWeights = "equal",
        at: Mapping[str, object] | None = None,
        by: str | Sequence[str] | None = None,
        visits: Visits = None,
        ci_level: float = 0.95,
        alternative: Alternative = "two-sided",
        null: float = 0.0,
    ) -> EstimateTable:
        """Least-squares mean of the outcome in each arm at each visit, keys `arm[, visit][, by]`.

        Covariates are held at their mean over the analysed rows (emmeans' and SAS's habit), or
        at the value in `at`. Other factors are averaged with `weights`: "equal", "observed"
        (marginal share of the analysed rows) or "counterfactual" (mean prediction over the
        analysed subjects). `visits` lists visits, or maps visits to weights and averages them.
        Without an arm: by visit alone.
        """
        if self.arm_column is not None:
            return LinearEstimates.lsmeans(
                self,
                weights=weights,
                at=at,
                by=by,
                visits=visits,
                ci_level=ci_level,
                alternative=alternative,
                null=null,
            )
        if self.visit is None or visits is not None:
            raise SpecError(
                "LS means without an arm are by visit: the formula needs the visit, and visits= "
                "does not apply."
            )
        table = LinearEstimates.lsmeans(
            _ByVisit.of(self),
            weights=weights,
            at=at,
            by=by,
            ci_level=ci_level,
            alternative=alternative,
            null=null,
        )
        keys = {"visit": table.keys["arm"], **{k: v for k, v in table.keys.items() if k != "arm"}}
        return replace(table, keys=keys)

    def contrasts(
        self,
        *,
        kind: ContrastKind = "reference",
        weights: MeanWeights = "equal",
        at: Mapping[str, object] | None = None,
        by: str | Sequence[str] | None = None,
        visits: Visits = None,
        adjust: ContrastAdjustment = "none",
        family: Literal["all"] | None = None,
        ci_level: float = 0.95,
        alternative: Alternative = "two-sided",
        null: float = 0.0,
    ) -> EstimateTable:
        """Differences of LS means between arms at each visit, keys `contrast[, visit][, by]`.

        `kind`: "reference" (each arm minus the reference), "pairwise", or named weights over
        the arms. `visits` lists visits, or maps visits to weights and averages them
        ({"Week 8": 0.5, "Week 12": 0.5}). `adjust` makes `p_adjusted` within each visit, or
        over the whole table with `family="all"`; "mvt" takes the joint distribution of the
        contrasts, over arms and visits. The rest as in `lsmeans`.
        """
        if self.arm_column is None:
            raise SpecError("Contrasts compare arms: give arm= and reference= to mmrm().")
        return LinearEstimates.contrasts(
            self,
            kind=kind,
            weights=weights,
            at=at,
            by=by,
            visits=visits,
            adjust=adjust,
            family=family,
            ci_level=ci_level,
            alternative=alternative,
            null=null,
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """LS means over the visits with their intervals, a line an arm."""
        from trialkit.figures.profile import profile

        table = self.lsmeans()
        if "visit" not in table.keys:
            return table.plot(ax)
        frame = table.frame()
        arms = frame["arm"] if "arm" in frame else pd.Series([""] * len(frame))

        def curves(column: str) -> dict[str, FloatArray]:
            return {str(arm): frame.loc[arms == arm, column].to_numpy() for arm in arms.unique()}

        return profile(
            visits=[str(visit) for visit in self.roles.visits],
            centre=curves("estimate"),
            low=curves("ci_low"),
            high=curves("ci_high"),
            has_zero_line=True,
            y_label=f"LS mean {self.model_frame.outcome} (95% CI)",
            ax=ax,
        )

    def __repr__(self) -> str:
        return f"{self._summary()}\n\n{self._main_table()!r}"

    def _repr_html_(self) -> str:
        text = escape(self._summary()).replace("\n", "<br>")
        return f"<div>{text}</div>{self._main_table()._repr_html_()}"

    def _main_table(self) -> EstimateTable:
        return self.coefficients() if self.arm_column is None else self.contrasts()

    def _summary(self) -> str:
        places = "" if self.roles.visits == (None,) else f" at {len(self.roles.visits)} visits"
        if self.roles.periods is not None:
            places += f" in {len(self.roles.periods)} periods"
        return (
            f"{self.method}\n"
            f"{self.n_subjects} subjects, {self.n_observations} rows{places}, "
            f"{self.n_excluded} rows excluded; "
            f"-2 log-likelihood {self.deviance:.2f}, AIC {self.aic:.2f}, BIC {self.bic:.2f}; "
            f"{self.iterations} iterations"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _ByVisit(LinearEstimates):
    """A fit without an arm, whose LS means are wanted by visit."""

    fit: MmrmFit
    arm: str
    model_frame: ModelFrame
    coef: FloatArray
    vcov: FloatArray
    aliased: BoolArray
    null_space: FloatArray
    method: str
    n: int
    visit: str | None = None

    @classmethod
    def of(cls, fit: MmrmFit) -> _ByVisit:
        """The fit with the visit in the place of the arm."""
        return cls(
            fit=fit,
            arm=str(fit.visit),
            model_frame=fit.model_frame,
            coef=fit.coef,
            vcov=fit.vcov,
            aliased=fit.aliased,
            null_space=fit.null_space,
            method=fit.method,
            n=fit.n,
        )

    def df(self, contrast: FloatArray) -> float:
        """The fit's own."""
        return self.fit.df(contrast)

    def f_test(self, hypothesis: FloatArray) -> WaldTest:
        """The fit's own."""
        return self.fit.f_test(hypothesis)
