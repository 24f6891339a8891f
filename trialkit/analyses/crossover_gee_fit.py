"""A crossover fitted by estimating equations, and what can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import inf
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from trialkit.analyses.analysed_crossover import AnalysedCrossover
from trialkit.analyses.arm_contrasts import ContrastKind
from trialkit.analyses.crossover_contrasts import treatment_contrasts
from trialkit.analyses.crossover_model import CrossoverModel
from trialkit.analyses.gee_engine import GeeEstimates
from trialkit.analyses.gee_outcome import Family
from trialkit.analyses.linear_fit import FullRank, Inference, linear_estimates
from trialkit.data.model_frame import ModelFrame
from trialkit.kernels.linear import WaldTest, wald_f
from trialkit.results import EstimateTable, TestTable
from trialkit.results.tables import TestResult
from trialkit.typing import Alternative, ContrastAdjustment, FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CrossoverGeeFit"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CrossoverGeeFit(FullRank, AnalysedCrossover):
    """A marginal model of a crossover; see `crossover_gee`.

    `coef` (P,) and `vcov` (P, P) follow `columns`, on the scale of the link (log, logit,
    identity). `association` is the working correlation, `dispersion` Pearson's chi-square over
    the number of rows (NaN where the working model has none). `n` and `n_subjects` count
    subjects with an analysed row, `n_observations` the rows. `categories` are those of an
    ordinal outcome, lowest first.
    """

    model: CrossoverModel
    estimates: GeeEstimates
    vcov: FloatArray
    columns: tuple[str, ...]
    family: Family
    categories: tuple[object, ...]
    df_used: float
    method: str
    notes: tuple[str, ...]

    arm = "treatment"
    visit = None

    @property
    def model_frame(self) -> ModelFrame:
        """The design; ordinal outcomes have an intercept a cut in the place of its first column."""
        return self.model.frame

    @property
    def coef(self) -> FloatArray:
        """Coefficients (P,)."""
        return self.estimates.coef

    @property
    def association(self) -> float:
        """Working correlation of two periods of a subject; NaN under independence."""
        return self.estimates.association

    @property
    def dispersion(self) -> float:
        """Pearson's chi-square over the number of rows; NaN for ordinal outcomes."""
        return self.estimates.dispersion

    def df(self, contrast: FloatArray) -> float:  # noqa: ARG002  the same for all
        """Degrees of freedom of the t statistic of one contrast (P,)."""
        return self.df_used

    def f_test(self, hypothesis: FloatArray) -> WaldTest:
        """Wald F test of L b = 0 for L (q, P)."""
        return wald_f(coef=self.coef, vcov=self.vcov, hypothesis=hypothesis, den_df=self.df_used)

    def coefficients(self, *, ci_level: float = 0.95) -> EstimateTable:
        """Coefficients on the scale of the link (log, logit, identity), key `term`."""
        return EstimateTable(
            estimates=linear_estimates(
                self,
                np.eye(self.coef.size),
                labels=self.columns,
                counts=[self.n] * self.coef.size,
                scale="coefficient",
                method=self.method,
                inference=Inference(ci_level, "two-sided", 0.0),
            ),
            keys={"term": self.columns},
            variable=self.model.frame.outcome,
            notes=self.notes,
        )

    def contrasts(
        self,
        *,
        kind: ContrastKind = "reference",
        adjust: ContrastAdjustment = "none",
        ci_level: float = 0.95,
        alternative: Alternative = "two-sided",
        null: float = 0.0,
    ) -> EstimateTable:
        """Rate ratios, odds ratios or differences between treatments, key `contrast`.

        Ordinal: odds ratios of a higher category. `kind`, `adjust` as for other models. `null`
        is on the scale of the link (log(1.25) for a ratio of 1.25).
        """
        return treatment_contrasts(
            self,
            columns=self._terms()["treatment"],
            treatments=self.model.rows.treatments,
            kind=kind,
            adjust=adjust,
            inference=Inference(ci_level, alternative, null),
            is_log=self.family != "gaussian",
            notes=self.notes,
        )

    def type3(self) -> TestTable:
        """Wald test of each effect with the others in the model, key `term`.

        Terms: sequence, period, treatment, carryover (and carryover-self), as far as the model
        has them. F with the df of the contrasts as denominator; `df="normal"` is chi-square
        over its df.
        """
        reference = "F" if self.df_used < inf else "chi-square / df"
        tests = {
            name: self.f_test(np.eye(self.coef.size)[list(columns)])
            for name, columns in self._terms().items()
        }
        return TestTable(
            tests=tuple(
                TestResult(
                    num_df=test.num_df,
                    den_df=test.den_df,
                    statistic=test.statistic,
                    p_value=test.p_value,
                    method=f"{self.method}; type III Wald {reference}",
                )
                for test in tests.values()
            ),
            keys={"term": tuple(tests)},
            variable=self.model.frame.outcome,
            notes=self.notes,
        )

    def frame(self) -> pd.DataFrame:
        """The contrasts with the reference as a tidy frame."""
        return self.contrasts().frame()

    def where(self, **keys: object) -> EstimateTable:
        """Contrasts with the reference that have these keys."""
        return self.contrasts().where(**keys)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Treatment contrasts with their intervals."""
        return self.contrasts().plot(ax)

    def __repr__(self) -> str:
        return f"{self._summary()}\n\n{self.contrasts()!r}"

    def _repr_html_(self) -> str:
        text = escape(self._summary()).replace("\n", "<br>")
        return f"<div>{text}</div>{self.contrasts()._repr_html_()}"

    def _terms(self) -> dict[str, tuple[int, ...]]:
        """Columns of each term; the intercepts of an ordinal outcome stand before them."""
        ahead = len(self.columns) - len(self.model.frame.columns)
        return {
            name: tuple(column + ahead for column in columns)
            for name, columns in self.model.term_columns.items()
        }

    def _summary(self) -> str:
        rows = self.model.rows
        return (
            f"{self.method}\n"
            f"{self.n_subjects} subjects, {self.n_observations} rows; sequences "
            f"{', '.join(map(str, rows.sequences))}"
        )
