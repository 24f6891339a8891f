"""Coefficients, LS means, contrasts and term tests of any fit with a linear predictor.

`LinearEstimates` gives a fit these methods; what it must bring is `LinearFit`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from trialkit.analyses.arm_contrasts import ContrastKind, arm_contrasts
from trialkit.analyses.linear_fit import Inference, LinearFit, linear_estimates
from trialkit.analyses.reference_grid import Visits, mean_cells, weights_phrase
from trialkit.analyses.simultaneous import Multiplicity, adjust_contrasts
from trialkit.analyses.term_tests import term_tests
from trialkit.results import Estimate, EstimateTable, TestTable, check_level
from trialkit.typing import (
    Alternative,
    ContrastAdjustment,
    FloatArray,
    IntArray,
    MeanWeights,
    Scale,
)

__all__ = ["LinearEstimates", "with_sums_of_squares"]

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
        "outer", which is also its "proportional" and SAS OM unless the factors averaged over
        interact with each other), or "counterfactual" (mean prediction over the analysed
        subjects, arm set; covariates as observed). `by` names
        factors whose levels are reported apart; `visits` lists visits, or maps visits to
        weights and averages. `n` counts the analysed rows of the arm. A mean that the data do
        not determine is a row without a value, whose status says so.

        Example
        -------
        >>> import pandas as pd
        >>> import trialkit as tk
        >>> data = pd.DataFrame({
        ...     "ARM": ["Placebo"] * 3 + ["3 mg"] * 3 + ["6 mg"] * 3,
        ...     "BASE": [5.0, 6.0, 7.0, 6.0, 7.0, 8.0, 4.0, 6.0, 8.0],
        ...     "CHG": [-1.0, 0.0, -1.0, -1.0, -2.0, -2.0, -3.0, -2.0, -4.0],
        ... })
        >>> fit = tk.ancova("CHG ~ ARM + BASE", data, arm="ARM", reference="Placebo")
        >>> means = fit.lsmeans()
        >>> [(row.label, round(row.estimate, 3)) for row in means.estimates]
        [('Placebo', -0.75), ('3 mg', -1.5), ('6 mg', -3.083)]
        """
        inference = Inference(ci_level, alternative, null)
        cells = mean_cells(self, weights=weights, at=at, by=_names(by), visits=visits)
        return _table(
            self,
            cells.rows,
            key="arm",
            labels=cells.arms,
            groups=cells.keys,
            counts=cells.counts,
            scale="mean",
            method=weights_phrase(self, weights, at),
            inference=inference,
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

        Example
        -------
        >>> import pandas as pd
        >>> import trialkit as tk
        >>> data = pd.DataFrame({
        ...     "ARM": ["Placebo"] * 3 + ["3 mg"] * 3 + ["6 mg"] * 3,
        ...     "BASE": [5.0, 6.0, 7.0, 6.0, 7.0, 8.0, 4.0, 6.0, 8.0],
        ...     "CHG": [-1.0, 0.0, -1.0, -1.0, -2.0, -2.0, -3.0, -2.0, -4.0],
        ... })
        >>> fit = tk.ancova("CHG ~ ARM + BASE", data, arm="ARM", reference="Placebo")
        >>> table = fit.contrasts(adjust="dunnett")
        >>> [(row.label, round(row.estimate, 3)) for row in table.estimates]
        [('3 mg - Placebo', -0.75), ('6 mg - Placebo', -2.333)]
        >>> [round(p, 3) for p in table.p_adjusted]
        [0.44, 0.019]
        """
        inference = Inference(ci_level, alternative, null)
        cells = mean_cells(self, weights=weights, at=at, by=_names(by), visits=visits)
        compared = arm_contrasts(kind, cells.arms)
        request = Multiplicity(adjust, family, alternative)
        request.check(kind=compared.kind, n_groups=len(cells.rows))
        rows = np.einsum("qk,gkp->gqp", compared.weights, cells.rows)
        table = _table(
            self,
            rows,
            key="contrast",
            labels=compared.names,
            groups=cells.keys,
            counts=np.full(rows.shape[:2], self.n),
            scale="difference",
            method=weights_phrase(self, weights, at),
            inference=inference,
        )
        flat = rows.reshape(-1, rows.shape[-1])
        return adjust_contrasts(
            table, flat @ self.vcov @ flat.T, request=request, n_arms=len(cells.arms)
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


def _table(
    fit: LinearFit,
    rows: FloatArray,
    *,
    key: str,
    labels: Sequence[object],
    groups: Mapping[str, Sequence[object]],
    counts: IntArray,
    scale: Scale,
    method: str,
    inference: Inference,
) -> EstimateTable:
    """Estimates of L b for rows L (groups, labels, P), keyed by label within group."""
    n_groups, n_labels, n_columns = rows.shape
    repeated = tuple(labels) * n_groups
    return EstimateTable(
        estimates=linear_estimates(
            fit,
            rows.reshape(-1, n_columns),
            labels=[str(label) for label in repeated],
            counts=counts.ravel().tolist(),
            scale=scale,
            method=f"{fit.method}; {method}",
            inference=inference,
        ),
        keys={
            key: repeated,
            **{
                name: tuple(value for value in values for _ in range(n_labels))
                for name, values in groups.items()
            },
        },
        variable=fit.model_frame.outcome,
        notes=fit.model_frame.notes,
    )


def with_sums_of_squares(table: TestTable, sigma_squared: float) -> TestTable:
    """The F tests of a model with one residual variance, with the sum of squares of each."""
    sums = tuple(test.statistic * test.num_df * sigma_squared for test in table.tests)
    return replace(table, extras={**table.extras, "sum_sq": sums})
