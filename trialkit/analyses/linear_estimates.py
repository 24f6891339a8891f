"""Coefficients, LS means, contrasts and term tests of any fit with a linear predictor.

`LinearEstimates` gives a fit these methods; what it must bring is `LinearFit`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from trialkit.analyses.arm_contrasts import ContrastKind, arm_contrasts
from trialkit.analyses.linear_fit import LinearFit, linear_estimates
from trialkit.analyses.reference_grid import Visits, mean_cells, weights_phrase
from trialkit.analyses.simultaneous import adjust_contrasts, check_adjustment
from trialkit.analyses.term_tests import term_tests
from trialkit.results import Estimate, EstimateTable, TestTable, check_alternative, check_level
from trialkit.typing import Alternative, FloatArray

__all__ = ["ContrastAdjustment", "LinearEstimates", "MeanWeights"]

MeanWeights = Literal["equal", "observed", "counterfactual"]
ContrastAdjustment = Literal[
    "none",
    "bonferroni",
    "sidak",
    "holm",
    "hochberg",
    "hommel",
    "fdr_bh",
    "fdr_by",
    "dunnett",
    "dunnett-stepdown",
    "tukey",
    "mvt",
]
ALIASED = "aliased: a combination of columns before it"


class LinearEstimates:
    """The tables that every linear fit can give."""

    __slots__ = ()

    def coefficients(self: LinearFit, *, ci_level: float = 0.95) -> EstimateTable:
        """Model coefficients, key `term` in formulaic's spelling: "TRT01P[T.LDN 4.5 mg]".

        An aliased coefficient has no value, and its status says so; the others are then those
        of the model without it.
        """
        check_level(ci_level)
        rows = []
        for position, name in enumerate(self.model_frame.columns):
            unit = np.zeros(self.coef.size)
            unit[position] = 1.0
            if self.aliased[position]:
                rows.append(
                    Estimate.undefined(
                        label=name,
                        status=ALIASED,
                        n=self.n,
                        method=self.method,
                        ci_level=ci_level,
                        scale="coefficient",
                    )
                )
                continue
            rows.append(
                Estimate.from_t(
                    label=name,
                    estimate=float(self.coef[position]),
                    se=float(np.sqrt(self.vcov[position, position])),
                    df=self.df(unit),
                    n=self.n,
                    method=self.method,
                    ci_level=ci_level,
                    scale="coefficient",
                )
            )
        return EstimateTable(
            estimates=tuple(rows),
            keys={"term": self.model_frame.columns},
            variable=self.model_frame.outcome,
            notes=self.model_frame.notes,
        )

    def lsmeans(
        self: LinearFit,
        *,
        weights: MeanWeights = "equal",
        at: Mapping[str, object] | None = None,
        by: str | Sequence[str] | None = None,
        visits: Visits = None,
        ci_level: float = 0.95,
        alternative: Alternative = "two-sided",
        null: float = 0.0,
    ) -> EstimateTable:
        """Least-squares mean of the outcome in each arm, keys `arm[, visit][, by]`.

        Covariates are held at their mean over the analysed rows, or at the value in `at`
        (which may also fix a factor at a level). Factors are averaged with `weights`: "equal"
        (emmeans, SAS), "observed" (each factor's marginal share of the analysed rows; emmeans
        "proportional", SAS OM for factors that do not interact), or "counterfactual" (mean
        prediction over the analysed subjects, arm set; covariates as observed). `by` names
        factors whose levels are reported apart; `visits` lists visits, or maps visits to
        weights and averages. `n` counts the analysed rows of the arm. A mean that the data do
        not determine is a row without a value, whose status says so.
        """
        check_level(ci_level)
        check_alternative(alternative)
        names = _names(by)
        cells = mean_cells(self, weights=weights, at=at, by=names, visits=visits)
        n_groups, n_arms, n_columns = cells.rows.shape
        arms = cells.arms * n_groups
        groups = np.repeat(np.arange(n_groups), n_arms)
        estimates = linear_estimates(
            self,
            cells.rows.reshape(-1, n_columns),
            labels=[str(arm) for arm in arms],
            counts=cells.counts.ravel().tolist(),
            scale="mean",
            method=f"{self.method}; {weights_phrase(self, weights, at)}",
            ci_level=ci_level,
            alternative=alternative,
            null=null,
        )
        keys = {name: [values[g] for g in groups] for name, values in cells.keys.items()}
        return EstimateTable(
            estimates=estimates,
            keys={"arm": arms, **{name: tuple(values) for name, values in keys.items()}},
            variable=self.model_frame.outcome,
            notes=self.model_frame.notes,
        )

    def contrasts(
        self: LinearFit,
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
        """Differences of LS means between arms, keys `contrast[, visit][, by]`.

        `kind`: "reference" (each arm minus the reference), "pairwise" (each arm minus every arm
        before it), or named weights over the arms: a mapping such as {"linear": [-1, 0, 1]}, a
        frame (contrasts by arms), an array. `weights`, `at`, `by`, `visits` as in `lsmeans`.

        `adjust` makes `p_adjusted` within each visit (and `by` level), or over the whole table
        with `family="all"`: bonferroni, sidak, holm, hochberg, hommel, fdr_bh, fdr_by;
        "dunnett" (single-step) and "dunnett-stepdown", for comparisons with the reference;
        "tukey" for all pairs (Tukey-Kramer where standard errors differ); "mvt" for any, from
        the joint t distribution with the contrasts' own correlations. The single-step methods
        add simultaneous intervals `ci_low_adjusted`, `ci_high_adjusted`; `ci_low` and `ci_high`
        stay those of each contrast alone. Raises SpecError for a method that is not made for
        these contrasts.

        References: Dunnett (1955), doi:10.1080/01621459.1955.10501294;
        Kramer (1956), doi:10.2307/3001469.
        """
        check_level(ci_level)
        check_alternative(alternative)
        names = _names(by)
        cells = mean_cells(self, weights=weights, at=at, by=names, visits=visits)
        compared = arm_contrasts(kind, cells.arms)
        n_groups = cells.rows.shape[0]
        check_adjustment(
            adjust, family, kind=compared.kind, alternative=alternative, n_groups=n_groups
        )
        rows = np.einsum("qk,gkp->gqp", compared.weights, cells.rows)
        rows = rows.reshape(-1, rows.shape[-1])
        labels = compared.names * n_groups
        groups = np.repeat(np.arange(n_groups), len(compared.names))
        estimates = linear_estimates(
            self,
            rows,
            labels=labels,
            counts=[self.n] * len(labels),
            scale="difference",
            method=f"{self.method}; {weights_phrase(self, weights, at)}",
            ci_level=ci_level,
            alternative=alternative,
            null=null,
        )
        keys = {name: [values[g] for g in groups] for name, values in cells.keys.items()}
        table = EstimateTable(
            estimates=estimates,
            keys={"contrast": labels, **{name: tuple(values) for name, values in keys.items()}},
            variable=self.model_frame.outcome,
            notes=self.model_frame.notes,
        )
        return adjust_contrasts(
            table,
            _covariance(self.vcov, rows),
            adjust=adjust,
            family=family,
            alternative=alternative,
            n_arms=len(cells.arms),
        )

    def type3(self: LinearFit) -> TestTable:
        """F test of each term with the others in the model, key `term`; type III.

        The hypotheses are those of sum-to-zero contrasts (SAS; R's car with contr.sum),
        whatever coding the formula uses. A factor that interacts with a covariate is tested
        where the covariate is zero, the intercept where all are. Raises DataError where the
        analysed rows do not determine every coefficient.
        """
        return term_tests(self, kind="III")

    def type2(self: LinearFit) -> TestTable:
        """F test of each term after all terms that do not contain it, key `term`; type II."""
        return term_tests(self, kind="II")


def _names(by: str | Sequence[str] | None) -> tuple[str, ...]:
    if by is None:
        return ()
    return (by,) if isinstance(by, str) else tuple(by)


def _covariance(vcov: FloatArray, rows: FloatArray) -> FloatArray:
    return np.asarray(rows @ vcov @ rows.T)


def with_sums_of_squares(table: TestTable, sigma_squared: float) -> TestTable:
    """The F tests of a model with one residual variance, with the sum of squares of each."""
    sums = tuple(test.statistic * test.num_df * sigma_squared for test in table.tests)
    return replace(table, extras={**table.extras, "sum_sq": sums})
