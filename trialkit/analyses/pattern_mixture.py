"""Pattern mixture: those who left at a visit have a future of their own, borrowed from others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.imputation_ancova import AnalysisModel, analysis_model
from trialkit.analyses.imputation_events import read_events
from trialkit.analyses.imputation_grid import Grid, grid_of_formula
from trialkit.analyses.table_facade import ContrastsFacade
from trialkit.analyses.two_arms import contrast_label
from trialkit.errors import ConvergenceError, DataError, SpecError
from trialkit.kernels.jackknife import jackknife_variance
from trialkit.kernels.linear import aliased_columns
from trialkit.kernels.sequential_regression import filled_in_order
from trialkit.kernels.weighted_ancova import fit_parts
from trialkit.results import Estimate, EstimateTable
from trialkit.results.estimate import check_alternative, check_level
from trialkit.typing import Alternative, BoolArray, FloatArray, IntArray

__all__ = ["PatternMixture", "Restriction", "pattern_mixture"]

Restriction = Literal["ccmv", "acmv", "ncmv"]
PHRASES = {
    "ccmv": "complete-case missing values",
    "acmv": "available-case missing values",
    "ncmv": "neighbouring-case missing values",
}
CHUNK = 64
MAX_FAILED = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PatternMixture(ContrastsFacade):
    """Effects and means under each restriction; see `pattern_mixture`.

    `contrasts` has keys `visit, contrast, restriction`, `lsmeans` `visit, arm, restriction`;
    `patterns` counts subjects by arm and last visit seen, with their observed mean at each visit.
    """

    contrasts: EstimateTable
    lsmeans: EstimateTable
    patterns: pd.DataFrame


def pattern_mixture(
    formula: str,
    data: pd.DataFrame,
    *,
    subject: str,
    visit: str,
    arm: str,
    reference: object,
    restriction: Restriction | Sequence[Restriction] = ("ccmv", "acmv", "ncmv"),
    by_arm: bool = False,
    visit_order: str | Sequence[object] | None = None,
    weights: Literal["equal", "observed", "counterfactual"] = "counterfactual",
    ci_level: float = 0.95,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
) -> PatternMixture:
    """Difference in mean outcome between arms at each visit, mixed over dropout patterns.

    A pattern is the last visit a subject was seen at. The data say nothing of a pattern's later
    visits; an identifying restriction does. Visit by visit, the missing outcome of those who
    left is its regression on the covariates of `formula` and on all earlier visits, among

    - "ccmv": the completers;
    - "acmv": all who were seen at that visit (with monotone dropout: missing at random);
    - "ncmv": those who left right after that visit, the nearest pattern that was seen there.

    None of them can be tested; how far they disagree is the answer. The arm enters the
    regressions as a term; with `by_arm` each arm has regressions of its own. Gaps before a
    subject's last observation are filled as under "acmv". Means of the completed outcomes are
    those of the mixture: each pattern weighs what it weighs in its arm.

    `formula` ("CHG ~ TRT01P + BASE") is then fitted at each visit by least squares; the
    variance is the jackknife over subjects with everything done again, normal reference, as in
    `reference_based`. Keys `visit, contrast, restriction`; extras `n_failed`, the leave-one-out
    samples whose regressions were not determined, and `se_bound`, the standard error were each
    of them as far out as the farthest.

    Raises DataError, besides what `reference_based` raises for its data, where a regression has
    fewer donors than terms.

    References: Little (1993), J Am Stat Assoc 88:125-134; Thijs et al. (2002),
    doi:10.1093/biostatistics/3.2.245.

    Example
    -------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import trialkit as tk
    >>> rng = np.random.default_rng(1)
    >>> n, visits = 60, 3
    >>> arm = np.tile(["Placebo", "Drug"], n // 2)
    >>> y = rng.normal(size=(n, visits)).cumsum(axis=1)
    >>> y[::4, 2] = y[::11, 1:] = np.nan
    >>> y[1::9, 2] = np.nan
    >>> data = pd.DataFrame({
    ...     "USUBJID": np.repeat(np.arange(n), visits),
    ...     "TRT01P": np.repeat(arm, visits),
    ...     "AVISITN": np.tile([4, 8, 12], n),
    ...     "CHG": y.ravel(),
    ... })
    >>> mixed = tk.pattern_mixture(
    ...     "CHG ~ TRT01P", data, subject="USUBJID", visit="AVISITN", arm="TRT01P",
    ...     reference="Placebo",
    ... )
    >>> mixed.where(visit=12).keys["restriction"]
    ('ccmv', 'acmv', 'ncmv')
    """
    check_level(ci_level)
    check_alternative(alternative)
    check_choice("weights", weights, ("equal", "observed", "counterfactual"))
    asked = (restriction,) if isinstance(restriction, str) else tuple(restriction)
    if not asked:
        raise SpecError(f"restriction= is empty; allowed: {', '.join(PHRASES)}.")
    for each in asked:
        check_choice("restriction", each, PHRASES)
    grid = grid_of_formula(
        formula,
        data,
        subject=subject,
        visit=visit,
        arm=arm,
        reference=reference,
        visit_order=visit_order,
    )
    analysis = analysis_model(formula, grid, weights=weights)
    mixture = _Mixture(
        grid=grid,
        analysis=analysis,
        last=read_events(None, grid).first - 1,
        blocks=_by_arm(analysis.z, grid) if by_arm else [(np.arange(grid.n), analysis.z)],
    )
    answers: dict[str, _Answer] = {each: mixture.jackknife(each) for each in asked}
    regressions = "regressions by arm" if by_arm else "arm as a term of the regressions"
    wording = f"{regressions}; analysis {formula} at each visit, OLS; jackknife over {grid.n}"
    report = _Report(
        grid=grid,
        answers=answers,
        wording=f"{wording} subjects, normal",
        ci_level=ci_level,
        alternative=alternative,
        null=null,
    )
    return PatternMixture(
        contrasts=report.table(is_contrast=True),
        lsmeans=report.table(is_contrast=False),
        patterns=mixture.patterns(),
    )


def _by_arm(z: FloatArray, grid: Grid) -> list[tuple[IntArray, FloatArray]]:
    """Each arm's subjects, and their design without the columns that the arm makes redundant."""
    blocks = []
    for code in range(len(grid.arms)):
        members = np.flatnonzero(grid.arm_code == code)
        own = z[members]
        blocks.append((members, own[:, ~aliased_columns(own)]))
    return blocks


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Answer:
    """Estimates (R, m), their standard errors and bounds, failed leave-one-out samples."""

    estimate: FloatArray
    se: FloatArray
    se_bound: FloatArray
    n_failed: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Mixture:
    """The data by pattern; `last` (n,) is the last visit seen (-1: none).

    `blocks` are the subjects whose regressions are made together, with their covariates.
    """

    grid: Grid
    analysis: AnalysisModel
    last: IntArray
    blocks: list[tuple[IntArray, FloatArray]]

    def jackknife(self, restriction: str) -> _Answer:
        """The analysis of everybody, and without each subject."""
        n = self.grid.n
        point = self._estimates(np.ones((1, n)), restriction)
        if np.isnan(point).any():
            raise self._too_few(restriction)
        weights = 1.0 - np.eye(n)
        parts = [
            self._estimates(weights[begin : begin + CHUNK], restriction)
            for begin in range(0, n, CHUNK)
        ]
        left = np.concatenate(parts)
        kept = left[~np.isnan(left).any(axis=(1, 2))]
        n_failed = n - len(kept)
        if n_failed > MAX_FAILED * n:
            raise ConvergenceError(
                f"restriction={restriction!r}: {n_failed} of {n} leave-one-out samples do not "
                "determine their regressions; too few donors."
            )
        variance, bound = jackknife_variance(kept, n)
        return _Answer(
            estimate=point[0], se=np.sqrt(variance), se_bound=np.sqrt(bound), n_failed=n_failed
        )

    def _estimates(self, weights: FloatArray, restriction: str) -> FloatArray:
        """Contrasts and means (B, R, m); NaN where the regressions are not determined."""
        filled = np.empty((weights.shape[0], *self.grid.y.shape))
        is_sound = np.ones(weights.shape[0], dtype=np.bool_)
        donors, after = self._donors(restriction), self._after()
        for rows, x in self.blocks:
            filled[:, rows], is_determined = filled_in_order(
                self.grid.y[rows],
                x,
                weights[:, rows],
                donors[rows],
                self.grid.seen[rows],
                after[rows],
            )
            is_sound &= is_determined
        values = np.where(is_sound[:, None, None], filled, 0.0)[..., None]
        means = self.analysis.rows(weights)
        contrasts = np.concatenate([means[:, 1:] - means[:, :1], means], axis=1)
        estimate = fit_parts(self.analysis.z, weights, contrasts, values).estimate[..., 0]
        return np.where(is_sound[:, None, None], estimate, np.nan)

    def _after(self) -> BoolArray:
        return np.less.outer(self.last, np.arange(self.grid.y.shape[1]))

    def _donors(self, restriction: str) -> BoolArray:
        """Whose regression each visit's missing outcomes follow: (n, m)."""
        seen = self.grid.seen
        if restriction == "ccmv":
            return np.asarray(seen & np.all(seen, axis=1, keepdims=True))
        if restriction == "ncmv":
            is_last = np.equal.outer(self.last, np.arange(seen.shape[1]))
            return np.asarray(seen & is_last)
        return seen

    def _too_few(self, restriction: str) -> DataError:
        missing = ~self.grid.seen & self._after()
        needed = np.flatnonzero(missing.any(axis=0))
        donors = self._donors(restriction)
        counts = ", ".join(
            f"{self.grid.visits[v]!r} {int(donors[rows, v].sum())} for {x.shape[1] + v}"
            for v in needed
            for rows, x in self.blocks
        )
        return DataError(
            f"restriction={restriction!r} is not determined: its regressions have too few donors, "
            f"or donors without some arm or level (donors for terms: {counts}). Take covariates "
            "out, leave by_arm=False, or use 'acmv'."
        )

    def patterns(self) -> pd.DataFrame:
        """Subjects by arm and last visit seen, with the mean observed outcome at each visit."""
        records = []
        for code, label in enumerate(self.grid.arms):
            for last in range(-1, len(self.grid.visits)):
                members = (self.grid.arm_code == code) & (self.last == last)
                if not members.any():
                    continue
                y = self.grid.y[members]
                count = (~np.isnan(y)).sum(axis=0)
                means = np.divide(
                    np.nansum(y, axis=0), count, out=np.full(y.shape[1], np.nan), where=count > 0
                )
                records.append(
                    {
                        "arm": label,
                        "last_visit": None if last < 0 else self.grid.visits[last],
                        "n": int(members.sum()),
                        "share": float(members.sum() / (self.grid.arm_code == code).sum()),
                        **{f"mean {v}": x for v, x in zip(self.grid.visits, means, strict=True)},
                    }
                )
        return pd.DataFrame(records)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Report:
    """Answers as tables."""

    grid: Grid
    answers: Mapping[str, _Answer]
    wording: str
    ci_level: float
    alternative: Alternative
    null: float

    def table(self, *, is_contrast: bool) -> EstimateTable:
        """Contrasts, or the arms' means."""
        arms = self.grid.arms
        name = "contrast" if is_contrast else "arm"
        labels = (
            [contrast_label(each, arms[0]) for each in arms[1:]]
            if is_contrast
            else [str(each) for each in arms]
        )
        offset = 0 if is_contrast else len(arms) - 1
        keys: dict[str, list[object]] = {"visit": [], name: [], "restriction": []}
        estimates, failed, bounds = [], [], []
        for restriction, answer in self.answers.items():
            for at, visit in enumerate(self.grid.visits):
                for row, label in enumerate(labels):
                    keys["visit"].append(visit)
                    keys[name].append(label)
                    keys["restriction"].append(restriction)
                    failed.append(answer.n_failed)
                    bounds.append(float(answer.se_bound[offset + row, at]))
                    estimates.append(
                        Estimate.from_z(
                            label=label,
                            estimate=float(answer.estimate[offset + row, at]),
                            se=float(answer.se[offset + row, at]),
                            n=self.grid.n,
                            method=f"Pattern mixture, {PHRASES[restriction]}, {self.wording}",
                            ci_level=self.ci_level,
                            alternative=self.alternative if is_contrast else "two-sided",
                            null=self.null if is_contrast else 0.0,
                            scale="difference" if is_contrast else "mean",
                        )
                    )
        missing = ~self.grid.seen
        return EstimateTable(
            estimates=tuple(estimates),
            keys={key: tuple(values) for key, values in keys.items()},
            extras={"n_failed": tuple(failed), "se_bound": tuple(bounds)},
            variable=self.grid.outcome,
            notes=(f"{int(missing.sum())} of {missing.size} outcomes imputed.",),
        )
