"""A fitted crossover, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from trialkit.analyses.analysed_crossover import AnalysedCrossover
from trialkit.analyses.arm_contrasts import ContrastKind
from trialkit.analyses.back_transform import as_ratios
from trialkit.analyses.crossover_contrasts import treatment_contrasts
from trialkit.analyses.crossover_inference import CrossoverInference
from trialkit.analyses.crossover_measurements import period_codes
from trialkit.analyses.crossover_model import CrossoverModel
from trialkit.analyses.crossover_variance import Variances, variance_table
from trialkit.analyses.linear_estimates import LinearEstimates
from trialkit.analyses.linear_fit import FullRank, Inference
from trialkit.data.model_frame import ModelFrame
from trialkit.errors import DataError, SpecError
from trialkit.kernels.linear import WaldTest
from trialkit.results import EstimateTable, TestTable
from trialkit.results.tables import TestResult
from trialkit.typing import (
    Alternative,
    ContrastAdjustment,
    FloatArray,
    IntArray,
    MeanWeights,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CrossoverFit"]

THESE_SUBJECTS = (
    "With fixed subjects the standard error of a mean is that within subjects alone: it holds for "
    "these subjects, and is too small for others."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CrossoverFit(FullRank, AnalysedCrossover, LinearEstimates):
    """A fitted crossover; see `crossover`.

    `coef` (P,) and `vcov` (P, P) follow `columns`, and are those used for inference. `n` and
    `n_subjects` count subjects with an analysed row, `n_observations` the rows; `deviance` is
    -2 restricted log-likelihood (None where subjects are fixed). `is_at_bound` says that a
    variance would be negative and is held at zero.
    """

    model: CrossoverModel
    inference: CrossoverInference
    variances: Variances
    method: str
    residual: FloatArray
    index: pd.Index
    deviance: float | None
    is_at_bound: bool
    extra_tests: Mapping[str, tuple[WaldTest, float]]

    @property
    def model_frame(self) -> ModelFrame:
        """Design and grid rows."""
        return self.model.frame

    @property
    def arm(self) -> str:
        """The treatment, under the model frame's own name."""
        return "treatment"

    @property
    def visit(self) -> None:
        """No visits: treatments are compared over all periods and their measurements."""
        return None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the P coefficients: "treatment[T.LDN 4.5 mg]"."""
        return self.model.frame.columns

    @property
    def coef(self) -> FloatArray:
        """Coefficients (P,)."""
        return self.inference.coef

    @property
    def vcov(self) -> FloatArray:
        """Covariance (P, P) of the coefficients as used for inference."""
        return self.inference.vcov

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers needs to know."""
        return self.model.frame.notes

    def df(self, contrast: FloatArray) -> float:
        """Degrees of freedom of the t statistic of one contrast (P,)."""
        return float(self.inference.single_df(contrast[None])[0])

    def f_test(self, hypothesis: FloatArray) -> WaldTest:
        """F test of L b = 0 for L (q, P), with the method's scale and denominator df."""
        return self.inference.f_test(hypothesis)

    def lsmeans(  # type: ignore[override]
        self,
        *,
        weights: MeanWeights = "equal",
        at: Mapping[str, object] | None = None,
        ci_level: float = 0.95,
    ) -> EstimateTable:
        """Least-squares mean of the outcome under each treatment, key `treatment`.

        Averaged over periods (sequences, measurements) with equal weights, or as `weights`
        says; baseline and carryover at their mean over the analysed rows, or at the value in
        `at`. With a log outcome: geometric means, `scale="ratio"`. Fixed subjects weigh equally,
        and a mean's standard error is then that within them alone.
        `n` counts the subjects with an outcome under the treatment.
        """
        table = LinearEstimates.lsmeans(self, weights=weights, at=at, ci_level=ci_level)
        pairs = np.unique(np.stack([self.model.treatment, self.model.subject]), axis=1)
        counts = np.bincount(pairs[0]).tolist()
        estimates = tuple(replace(row, n=n) for row, n in zip(table.estimates, counts, strict=True))
        notes = table.notes if self.deviance is not None else (*table.notes, THESE_SUBJECTS)
        keys = {"treatment": table.keys["arm"]}
        table = replace(table, estimates=estimates, keys=keys, notes=notes)
        return as_ratios(table) if self.variances.log else table

    def contrasts(  # type: ignore[override]
        self,
        *,
        kind: ContrastKind = "reference",
        adjust: ContrastAdjustment = "none",
        ci_level: float = 0.95,
        alternative: Alternative = "two-sided",
        null: float = 0.0,
    ) -> EstimateTable:
        """Differences between treatments, key `contrast`; ratios of geometric means with a log.

        `kind`, `adjust` as for other models: "reference", "pairwise" or named weights; every
        adjustment for multiplicity. `null` is on the scale of analysis (with a log outcome,
        log(1.25) for a ratio of 1.25).
        """
        return treatment_contrasts(
            self,
            columns=self.model.term_columns["treatment"],
            treatments=self.model.rows.treatments,
            kind=kind,
            adjust=adjust,
            inference=Inference(ci_level, alternative, null),
            is_log=self.variances.log,
            notes=self.notes,
        )

    def type3(self) -> TestTable:
        """F test of each effect with the others in the model, key `term`.

        Terms: sequence, period, treatment, measurement, baseline, carryover (and carryover-self),
        as far as the model has them. Where subjects are fixed, sequence is tested against
        subjects within sequences, and the extra `sum_sq` has the sums of squares.
        """
        names, tests, sums = [], [], []
        found = {name: self._term_test(columns) for name, columns in self._terms().items()}
        for name, (test, sum_sq) in {**self.extra_tests, **found}.items():
            names.append(name)
            sums.append(sum_sq)
            method = f"{self.method}; type III F"
            if name == "sequence" and name in self.extra_tests:
                method = f"{self.method}; sequence against subjects within sequences, unadjusted"
            tests.append(
                TestResult(
                    num_df=test.num_df,
                    den_df=test.den_df,
                    statistic=test.statistic,
                    p_value=test.p_value,
                    method=method,
                )
            )
        return TestTable(
            tests=tuple(tests),
            keys={"term": tuple(names)},
            extras={"sum_sq": tuple(sums)} if self.extra_tests else {},
            variable=self.model.frame.outcome,
            notes=self.notes,
        )

    def variance(self, *, ci_level: float = 0.95) -> EstimateTable:
        """Variances, key `component`: between, within, difference, icc, cv_within.

        `estimate` is a variance (icc and cv_within: a ratio), the extra `sd` its square root.
        `within` is that of one measurement around its subject's level; a difference of two
        periods of one subject has twice that variance, `difference`. `cv_within` is
        sqrt(exp(within) - 1) and needs a log outcome. Interval of `within`: chi-square with
        Satterthwaite's df.

        With variances by treatment: within[LDN], icc[LDN], cv_within[LDN], and
        difference[LDN - Placebo], the sum of both within. With several measurements a period:
        between (subjects), subject-by-period (periods of a subject), residual (measurements of a
        period), their sum without the first as `within`, and `icc_period`, the correlation of two
        measurements of one period, beside `icc`, of two periods.
        """
        return variance_table(
            self.variances,
            variable=self.model.frame.outcome,
            notes=self.notes,
            ci_level=ci_level,
        )

    def residuals(self) -> pd.Series:
        """Observed minus fitted outcome (fixed effects alone where subjects are random).

        On the scale of analysis, under the data's own index.
        """
        return pd.Series(self.residual, index=self.index, name=self.model.frame.outcome)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Treatment contrasts with their intervals."""
        return self.contrasts().plot(ax)

    def plot_profiles(self, ax: Axes | None = None) -> Axes:
        """Each subject's outcome over the periods, the sequences side by side, with means.

        Of several measurements in a period, their mean; likewise in the other figures of data.
        """
        from trialkit.figures.crossover_plots import subject_profiles

        rows = self.model.rows
        values = np.full((len(rows.subjects), len(rows.periods)), np.nan)
        first, means = self._period_means()
        at = np.flatnonzero(self.model.analysed)[first]
        values[rows.subject[at], rows.period[at]] = means
        return subject_profiles(
            values=values,
            sequence=rows.subject_sequence,
            sequences=[str(label) for label in rows.sequences],
            periods=[str(label) for label in rows.periods],
            y_label=rows.outcome,
            ax=ax,
        )

    def plot_period_means(self, *, ci_level: float = 0.95, ax: Axes | None = None) -> Axes:
        """Mean of each sequence and period with its own interval, marked by treatment."""
        from trialkit.figures.crossover_plots import period_means

        rows = self.model.rows
        first, means = self._period_means()
        return period_means(
            values=means,
            sequence=self.model.sequence[first],
            period=self.model.period[first],
            treatment=self.model.treatment[first],
            sequences=[str(label) for label in rows.sequences],
            periods=[str(label) for label in rows.periods],
            treatments=[str(label) for label in rows.treatments],
            ci_level=ci_level,
            y_label=rows.outcome,
            ax=ax,
        )

    def plot_paired(self, ax: Axes | None = None) -> Axes:
        """Each subject's mean under either treatment, joined, drawn by pingouin.

        Subjects of the data without a value under either are counted below the axis. SpecError
        unless there are two treatments, DataError where no subject has both.
        """
        from trialkit.figures.crossover_plots import paired_treatments

        rows, model = self.model.rows, self.model
        if len(rows.treatments) != 2:
            raise SpecError(
                f"A paired plot has two treatments; there are {len(rows.treatments)}: "
                f"{', '.join(map(str, rows.treatments))}."
            )
        sums, counts = np.zeros((2, self.n_subjects, 2))
        first, values = self._period_means()
        at = (model.subject[first], model.treatment[first])
        np.add.at(sums, at, values)
        np.add.at(counts, at, 1.0)
        paired = (counts > 0).all(axis=1)
        if not paired.any():
            raise DataError(f"No subject has {rows.outcome!r} under both treatments.")
        means = sums[paired] / counts[paired]
        return paired_treatments(
            reference=means[:, 0],
            test=means[:, 1],
            labels=(str(rows.treatments[0]), str(rows.treatments[1])),
            n_incomplete=len(rows.subjects) - int(paired.sum()),
            y_label=rows.outcome,
            ax=ax,
        )

    def plot_residuals(self, ax: Axes | None = None) -> Axes:
        """Residuals against the period."""
        from trialkit.figures.crossover_plots import residuals_by_period

        return residuals_by_period(
            residual=self.residual,
            period=self.model.period,
            periods=[str(label) for label in self.model.rows.periods],
            y_label=f"Residual of {self.model.frame.outcome}",
            ax=ax,
        )

    def __repr__(self) -> str:
        return f"{self._summary()}\n\n{self.contrasts()!r}"

    def _repr_html_(self) -> str:
        text = escape(self._summary()).replace("\n", "<br>")
        return f"<div>{text}</div>{self.contrasts()._repr_html_()}"

    def _period_means(self) -> tuple[IntArray, FloatArray]:
        """The first analysed row of each subject and period (C,), and the mean of them all (C,)."""
        cell, first = period_codes(self.model.subject, self.model.period)
        values = self.model.rows.values[self.model.analysed]
        return first, np.bincount(cell, values) / np.bincount(cell)

    def _terms(self) -> dict[str, tuple[int, ...]]:
        return self.model.term_columns

    def _term_test(self, columns: tuple[int, ...]) -> tuple[WaldTest, float]:
        """No effect interacts with another: a term's own coefficients are its hypothesis."""
        test = self.f_test(np.eye(len(self.columns))[list(columns)])
        return test, test.statistic * test.num_df * self.variances.within

    def _summary(self) -> str:
        rows = self.model.rows
        return (
            f"{self.method}\n"
            f"{self.n_subjects} subjects, {self.n_observations} rows; sequences "
            f"{', '.join(map(str, rows.sequences))}; {self.variances.describe()}"
        )
