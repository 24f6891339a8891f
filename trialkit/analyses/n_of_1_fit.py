"""The effects of a series of N-of-1 trials, one subject at a time and together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf, nan, sqrt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from trialkit.analyses.back_transform import as_ratios
from trialkit.errors import SpecError
from trialkit.kernels.linear import f_tail
from trialkit.kernels.random_effects import RandomEffects
from trialkit.results import (
    Estimate,
    EstimateTable,
    TestTable,
    check_alternative,
    check_level,
    check_null,
)
from trialkit.results.tables import TestResult
from trialkit.typing import Alternative, FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NOf1Fit", "SubjectEffects"]

ONE_SUBJECT = "one subject: no mean over subjects, and no spread between them"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SubjectEffects:
    """One contrast: estimates (k,), variances (k,), df (k,) and residual variances (k,).

    `n_reference`, `n_treatment` (k,) count the rows; `together` is None for a single subject.
    """

    label: str
    subjects: tuple[object, ...]
    estimate: FloatArray
    variance: FloatArray
    df: FloatArray
    within: FloatArray
    n_reference: IntArray
    n_treatment: IntArray
    together: RandomEffects | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NOf1Fit:
    """Effects of an N-of-1 series; see `n_of_1`.

    `left_out` has the subjects without a comparison, and why: columns subject, reason.
    `n_subjects` counts those with one. `phi` is the correlation of two consecutive periods
    (NaN where errors are independent). `notes` count rows and subjects.
    """

    effects: tuple[SubjectEffects, ...]
    outcome: str
    log: bool
    is_hartung_knapp: bool
    f_df: float
    phi: float
    n_subjects: int
    n_excluded: int
    left_out: pd.DataFrame
    method: str
    summary_method: str
    notes: tuple[str, ...]

    def by_subject(
        self,
        *,
        ci_level: float = 0.95,
        alternative: Alternative = "two-sided",
        null: float = 0.0,
    ) -> EstimateTable:
        """Each subject's own difference, keys `subject`, `contrast`; ratios with a log outcome.

        `n` counts the subject's rows under the two treatments; extras `n_reference`,
        `n_treatment`, and `sd_within`, the standard deviation of one measurement (on the scale
        of analysis).
        """
        rows, keys = [], []
        for one in self.effects:
            for k, subject in enumerate(one.subjects):
                keys.append((subject, one.label))
                rows.append(
                    Estimate.from_t(
                        label=f"{subject}: {one.label}",
                        estimate=float(one.estimate[k]),
                        se=sqrt(one.variance[k]),
                        df=float(one.df[k]),
                        n=int(one.n_reference[k] + one.n_treatment[k]),
                        method=self.method,
                        ci_level=ci_level,
                        alternative=alternative,
                        null=null,
                    )
                )
        return self._table(
            rows,
            keys,
            {
                "n_reference": [int(n) for one in self.effects for n in one.n_reference],
                "n_treatment": [int(n) for one in self.effects for n in one.n_treatment],
                "sd_within": [sqrt(s2) for one in self.effects for s2 in one.within],
            },
        )

    def contrasts(
        self,
        *,
        ci_level: float = 0.95,
        alternative: Alternative = "two-sided",
        null: float = 0.0,
    ) -> EstimateTable:
        """Mean difference over subjects, key `contrast`; ratio of geometric means with a log.

        `n` counts subjects. Extras: `tau2` and `tau` (variance and standard deviation of the
        subjects' true effects, on the scale of analysis), `i2` (share of the spread that is
        theirs, 0 to 1), `prediction_low` and `prediction_high` (two-sided at `ci_level`: where
        the effect of another such subject lies). A single subject has a row without value.
        """
        check_level(ci_level)
        check_alternative(alternative)
        check_null(null)
        rows: list[Estimate] = []
        extras: dict[str, list[object]] = {
            name: [] for name in ("tau2", "tau", "i2", "prediction_low", "prediction_high")
        }
        for one in self.effects:
            row = self._mean(one, ci_level, alternative, null)
            rows.append(row)
            low, high = self._prediction(one, ci_level)
            together = one.together
            spread = (nan, nan, nan)
            if together is not None:
                spread = (together.tau2, sqrt(together.tau2), together.i2)
            for name, value in zip(extras, (*spread, low, high), strict=True):
                extras[name].append(value)
        keys = [(one.label,) for one in self.effects]
        return self._table(rows, keys, extras, names=("contrast",))

    def shrunken(self, *, ci_level: float = 0.95) -> EstimateTable:
        """Best linear prediction of each subject's true effect, keys `subject`, `contrast`.

        The subject's own estimate drawn to the mean: share tau2 / (tau2 + v) of its own (extra
        `share`). `se` includes the mean's error, not that of tau2 and v.
        """
        rows, keys, shares = [], [], []
        for one in self.effects:
            for k, subject in enumerate(one.subjects):
                keys.append((subject, one.label))
                shares.append(nan if one.together is None else float(one.together.share[k]))
                rows.append(self._shrunken(one, k, ci_level))
        return self._table(rows, keys, {"share": shares})

    def heterogeneity(self) -> TestTable:
        """Cochran's Q over its df: do the true effects differ between subjects? Key `contrast`.

        With one residual variance of all subjects and independent errors the F test of subject
        by treatment, otherwise a chi-square that takes the variances for known (`den_df`
        infinite), which rejects too often with few measurements. Extra `q`.
        """
        tests, labels, sums = [], [], []
        for one in self.effects:
            if one.together is None:
                continue
            free = len(one.subjects) - 1
            reference = "F" if self.f_df < inf else "chi-square, variances taken for known"
            labels.append(one.label)
            sums.append(one.together.q)
            tests.append(
                TestResult(
                    num_df=float(free),
                    den_df=self.f_df,
                    statistic=one.together.q / free,
                    p_value=f_tail(one.together.q / free, free, self.f_df),
                    method=f"{self.method}; Cochran's Q / df, {reference}",
                )
            )
        return TestTable(
            tests=tuple(tests),
            keys={"contrast": tuple(labels)},
            extras={"q": tuple(sums)},
            variable=self.outcome,
            notes=self.notes,
        )

    def frame(self) -> pd.DataFrame:
        """The mean effects as a tidy frame."""
        return self.contrasts().frame()

    def where(self, **keys: object) -> EstimateTable:
        """Mean effects that have these keys."""
        return self.contrasts().where(**keys)

    def plot(
        self, ax: Axes | None = None, *, contrast: str | None = None, ci_level: float = 0.95
    ) -> Axes:
        """Forest: each subject's own effect, the mean, and the prediction interval.

        `contrast` chooses where there are several.
        """
        from trialkit.figures.forest import forest

        one = self._chosen(contrast)
        own = self.by_subject(ci_level=ci_level).where(contrast=one.label).estimates
        rows = [
            (str(subject), row.estimate, row.ci_low, row.ci_high)
            for subject, row in zip(one.subjects, own, strict=True)
        ]
        if one.together is not None:
            table = self.contrasts(ci_level=ci_level).where(contrast=one.label)
            mean = table.single()
            ends = [table.extras[f"prediction_{side}"][0] for side in ("low", "high")]
            rows.append(("Mean", mean.estimate, mean.ci_low, mean.ci_high))
            rows.append(("Prediction", mean.estimate, *map(float, ends)))  # type: ignore[arg-type]
        labels, estimate, low, high = zip(*rows, strict=True)
        return forest(
            labels=labels,
            estimate=np.array(estimate),
            low=np.array(low),
            high=np.array(high),
            is_ratio=self.log,
            x_label=f"{self.outcome}: {one.label} ({100 * ci_level:g}% CI)",
            ax=ax,
        )

    def __repr__(self) -> str:
        return f"{self.method}\n{self.n_subjects} subjects\n\n{self.contrasts()!r}"

    def _repr_html_(self) -> str:
        return self.contrasts()._repr_html_()

    def _chosen(self, contrast: str | None) -> SubjectEffects:
        labels = [one.label for one in self.effects]
        if contrast is None and len(labels) > 1:
            raise SpecError(f"Choose one with contrast=: {', '.join(labels)}.")
        if contrast is not None and contrast not in labels:
            raise SpecError(f"No contrast {contrast!r}; there are: {', '.join(labels)}.")
        return self.effects[0 if contrast is None else labels.index(contrast)]

    def _standing(self, one: SubjectEffects) -> tuple[float, float]:
        """Standard error of the mean, and the df of its reference."""
        together = one.together
        if together is None:
            return nan, nan
        if self.is_hartung_knapp:
            return sqrt(together.variance * together.scale), len(one.subjects) - 1.0
        return sqrt(together.variance), inf

    def _mean(
        self, one: SubjectEffects, ci_level: float, alternative: Alternative, null: float
    ) -> Estimate:
        n = len(one.subjects)
        if one.together is None:
            return self._undefined(one.label, n, ci_level)
        se, df = self._standing(one)
        return Estimate.from_t(
            label=one.label,
            estimate=one.together.mean,
            se=se,
            df=df,
            n=n,
            method=f"{self.method}; {self.summary_method}",
            ci_level=ci_level,
            alternative=alternative,
            null=null,
        )

    def _undefined(self, label: str, n: int, ci_level: float) -> Estimate:
        check_level(ci_level)
        return Estimate.undefined(
            label=label,
            status=ONE_SUBJECT,
            n=n,
            method=f"{self.method}; {self.summary_method}",
            ci_level=ci_level,
        )

    def _prediction(self, one: SubjectEffects, ci_level: float) -> tuple[float, float]:
        if one.together is None:
            return nan, nan
        se, df = self._standing(one)
        row = Estimate.from_t(
            label="",
            estimate=one.together.mean,
            se=sqrt(se**2 + one.together.tau2),
            df=df,
            n=1,
            method="",
            ci_level=ci_level,
        )
        if not self.log:
            return row.ci_low, row.ci_high
        return exp(row.ci_low), exp(row.ci_high)

    def _shrunken(self, one: SubjectEffects, k: int, ci_level: float) -> Estimate:
        label, n = f"{one.subjects[k]}: {one.label}", int(one.n_reference[k] + one.n_treatment[k])
        together = one.together
        if together is None:
            return self._undefined(label, n, ci_level)
        share = float(together.share[k])
        se, df = self._standing(one)
        return Estimate.from_t(
            label=label,
            estimate=share * float(one.estimate[k]) + (1 - share) * together.mean,
            se=sqrt(share * float(one.variance[k]) + (1 - share) ** 2 * se**2),
            df=df,
            n=n,
            method=f"{self.method}; {self.summary_method}; best linear prediction",
            ci_level=ci_level,
        )

    def _table(
        self,
        rows: Sequence[Estimate],
        keys: Sequence[tuple[object, ...]],
        extras: Mapping[str, Sequence[object]],
        *,
        names: tuple[str, ...] = ("subject", "contrast"),
    ) -> EstimateTable:
        table = EstimateTable(
            estimates=tuple(rows),
            keys=dict(zip(names, zip(*keys, strict=True), strict=True)),
            extras={name: tuple(values) for name, values in extras.items()},
            variable=self.outcome,
            notes=self.notes,
        )
        return as_ratios(table) if self.log else table
