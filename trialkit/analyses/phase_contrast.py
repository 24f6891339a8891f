"""Single-arm trials with phases in a fixed order and a daily diary."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, nan, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from trialkit.analyses.arm_contrasts import ContrastKind
from trialkit.analyses.choices import check_choice, check_flag
from trialkit.analyses.crossover import BoundaryWarning
from trialkit.analyses.crossover_random import DF_PHRASES
from trialkit.analyses.linear_estimates import LinearEstimates
from trialkit.analyses.linear_fit import FullRank
from trialkit.analyses.phase_drift import drift_notes
from trialkit.analyses.phase_rows import (
    check_days,
    check_phase_order,
    phase_levels,
)
from trialkit.data.levels import coded_labels, visit_levels
from trialkit.data.model_frame import ModelFrame, build_model_frame
from trialkit.data.names import require_columns
from trialkit.data.vectors import label_codes, number_vector, require_frame
from trialkit.errors import DataError, SpecError
from trialkit.kernels.linear import WaldTest, aliased_columns, least_squares, ols_covariance, wald_f
from trialkit.kernels.random_intercept import fit_random_intercept
from trialkit.kernels.serial_correlation import fit_serial
from trialkit.results import EstimateTable
from trialkit.typing import Alternative, ContrastAdjustment, FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PhaseFit", "phase_contrast"]

CONFOUNDED = (
    "The phases follow in one fixed order: treatment is confounded with time, with carryover and "
    "with expectation, and no analysis of these data can tell them apart."
)
Correlation = Literal["ar1", "independent"]
PhaseDf = Literal["containment", "satterthwaite", "residual", "normal"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Parts:
    """What a fit of one correlation gives."""

    coef: FloatArray
    vcov: FloatArray
    single_df: Callable[[FloatArray], FloatArray]
    residual: float
    phi: float
    between: float
    deviance: float
    is_at_bound: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PhaseFit(FullRank, LinearEstimates):
    """Means of phases and their contrasts; see `phase_contrast`.

    `sd_between`, `sd_residual`, `phi` describe the covariance (NaN where it has no such part);
    `deviance` is -2 restricted log-likelihood; `n_by_phase` counts the subjects of each phase.
    """

    model_frame: ModelFrame
    parts: _Parts
    subjects: tuple[object, ...]
    n_by_phase: Mapping[object, int]
    method: str

    arm = "phase"
    visit = None

    @property
    def coef(self) -> FloatArray:
        """Coefficients (P,)."""
        return self.parts.coef

    @property
    def vcov(self) -> FloatArray:
        """Their covariance (P, P)."""
        return self.parts.vcov

    @property
    def n(self) -> int:
        """Number of subjects."""
        return len(self.subjects)

    @property
    def n_observations(self) -> int:
        """Number of analysed rows."""
        return self.model_frame.n

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers needs to know."""
        return self.model_frame.notes

    @property
    def sd_between(self) -> float:
        """Standard deviation of the subjects' levels."""
        return sqrt(self.parts.between) if self.parts.between >= 0 else nan

    @property
    def sd_residual(self) -> float:
        """Standard deviation of one day around its subject's level."""
        return sqrt(self.parts.residual)

    @property
    def phi(self) -> float:
        """Correlation of two consecutive days of one subject, its level apart."""
        return self.parts.phi

    @property
    def deviance(self) -> float:
        """-2 restricted log-likelihood."""
        return self.parts.deviance

    def df(self, contrast: FloatArray) -> float:
        """Degrees of freedom of the t statistic of one contrast (P,)."""
        return float(self.parts.single_df(contrast[None])[0])

    def f_test(self, hypothesis: FloatArray) -> WaldTest:
        """Wald F of L b = 0 for L (q, P), on the smallest df of its rows."""
        den_df = float(self.parts.single_df(hypothesis).min())
        return wald_f(coef=self.coef, vcov=self.vcov, hypothesis=hypothesis, den_df=den_df)

    def lsmeans(self, *, ci_level: float = 0.95) -> EstimateTable:  # type: ignore[override]
        """Mean of each phase, key `phase`; `n` counts the subjects with an outcome in it."""
        table = LinearEstimates.lsmeans(self, ci_level=ci_level)
        phases = table.keys["arm"]
        estimates = tuple(
            replace(row, n=self.n_by_phase[phase])
            for row, phase in zip(table.estimates, phases, strict=True)
        )
        return replace(table, estimates=estimates, keys={"phase": phases})

    def contrasts(  # type: ignore[override]
        self,
        *,
        kind: ContrastKind = "reference",
        adjust: ContrastAdjustment = "none",
        ci_level: float = 0.95,
        alternative: Alternative = "two-sided",
        null: float = 0.0,
    ) -> EstimateTable:
        """Differences between phases, key `contrast`: each phase minus the reference phase.

        `kind="pairwise"`: each phase minus every phase before it in the table's order
        (reference first); or named weights over the phases.
        """
        return LinearEstimates.contrasts(
            self, kind=kind, adjust=adjust, ci_level=ci_level, alternative=alternative, null=null
        )

    def frame(self) -> pd.DataFrame:
        """The contrasts with the reference phase as a tidy frame."""
        return self.contrasts().frame()

    def where(self, **keys: object) -> EstimateTable:
        """Contrasts with the reference phase that have these keys."""
        return self.contrasts().where(**keys)

    def plot(self, ax: Axes | None = None) -> Axes:
        """The contrasts with their intervals."""
        return self.contrasts().plot(ax)

    def __repr__(self) -> str:
        return (
            f"{self.method}\n{self.n} subjects, {self.n_observations} days; SD between "
            f"{self.sd_between:.4g}, residual {self.sd_residual:.4g}, phi {self.phi:.3f}\n\n"
            f"{self.contrasts()!r}"
        )

    def _repr_html_(self) -> str:
        return self.contrasts()._repr_html_()


def phase_contrast(
    data: pd.DataFrame,
    *,
    outcome: str,
    subject: str,
    phase: str,
    day: str,
    reference: object,
    phase_order: str | Sequence[object] | None = None,
    correlation: Correlation = "ar1",
    random_subject: bool = True,
    df: PhaseDf | None = None,
) -> PhaseFit:
    """Difference in mean outcome between phases of a fixed order, each phase minus the reference.

    For single-arm designs (baseline, placebo, drug, washout) with a daily diary: one row a
    subject and `day` (a number). outcome = phase + subject + error by REML. `correlation="ar1"`:
    two days of a subject d apart correlate by phi^d beside the subject's own level, so that
    missing days count; "independent": not at all. `random_subject=False` leaves the level out
    (R's gls).

    `df`: "containment" (default with random subjects; R's nlme: rows less subjects less phases
    plus one), "satterthwaite", "residual" (default without), "normal". All treat the effect
    of a phase as the same in every subject: with few subjects whose responses differ, compare
    their phase means instead. Kenward-Roger is not offered here.

    A phase is a step: its effect is taken for full from its first day. A change that comes
    gradually is taken for autocorrelation by "ar1", and the contrast then leans on the days
    around the change of phase; keep only the days by which it has come. A contrast more than two
    standard errors from the plain difference within subjects has a note that says so.

    The order being fixed, treatment is confounded with time; the result's notes say so. Rows
    without an outcome are left out and counted. Raises DataError for a subject with two rows
    of one day, for a phase whose order is not given (`phase_order`: labels, or the name of a
    numeric column), DesignError for a subject who enters the phases in another order than that
    one and where no subject has two, ConvergenceError where the correlation goes to zero or one.

    Reference: Chi & Reinsel (1989) J Am Stat Assoc 84:452-459.

    Example
    -------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> data = pd.DataFrame([
    ...     {"ID": i, "DAY": d, "PHASE": "Placebo" if d <= 20 else "LDN", "PAIN": 50 + 5 * u
    ...      - 8 * (d > 20) + 4 * rng.normal()}
    ...     for i, u in enumerate(rng.normal(size=8)) for d in range(1, 41)])
    >>> fit = phase_contrast(data, outcome="PAIN", subject="ID", phase="PHASE", day="DAY",
    ...                      reference="Placebo", phase_order=["Placebo", "LDN"],
    ...                      correlation="independent")
    >>> row = fit.contrasts().single()
    >>> row.label, round(row.estimate, 1), row.df
    ('LDN - Placebo', -7.9, 311.0)
    """
    check_choice("correlation", correlation, ("ar1", "independent"))
    check_flag("random_subject", random_subject)
    chosen = df or ("containment" if random_subject else "residual")
    check_choice("df", chosen, ("containment", "satterthwaite", "residual", "normal"))
    if chosen in ("containment",) and not random_subject:
        raise SpecError("df='containment' is for random subjects; give 'residual'.")
    frame = require_frame(data)
    columns = [outcome, subject, phase, day]
    require_columns(frame, columns)
    if len(set(columns)) < len(columns):
        raise SpecError(
            f"outcome, subject, phase and day are four columns; got {', '.join(columns)}."
        )
    values, days = number_vector(frame, outcome), number_vector(frame, day)
    kept = ~np.isnan(values)
    if not kept.any():
        raise DataError(f"Column {outcome!r} has no value in {len(frame)} rows.")
    own = frame.loc[kept]
    in_time = visit_levels(frame, phase, phase_order, what="phase")
    phases = phase_levels(in_time, phase, reference)
    subjects = coded_labels(own[subject], subject)[1]
    if random_subject and len(subjects) < 2:
        raise DataError(
            f"One subject ({subjects[0]!r}) has no variance between subjects: give "
            "random_subject=False."
        )
    who = label_codes(own, subject, subjects)
    check_days(who, days[kept], subjects, day)
    model = _model(own, values[kept], phase, phases, outcome, n_rows=len(frame))
    check_phase_order(own, who, days[kept], phase, in_time, subjects)
    parts = _fit(model, who, days[kept], correlation, random_subject, chosen)
    if parts.is_at_bound:
        message = "The between-subject variance is at its bound of zero."
        warnings.warn(message, BoundaryWarning, stacklevel=2)
        model = replace(model, notes=(*model.notes, message))
    if correlation == "ar1":
        drift = drift_notes(
            x=model.matrix,
            y=model.response,
            who=who,
            coef=parts.coef,
            vcov=parts.vcov,
            phases=phases,
        )
        model = replace(model, notes=(*model.notes, *drift))
    error = "AR(1) errors by day" if correlation == "ar1" else "independent errors"
    level = "random subject, " if random_subject else ""
    return PhaseFit(
        model_frame=model,
        parts=parts,
        subjects=tuple(subjects),
        n_by_phase=_subjects_by_phase(own[phase], who),
        method=f"phase means, {level}{error} (REML), {DF_PHRASES[chosen]}",
    )


def _subjects_by_phase(phases: pd.Series, who: IntArray) -> dict[object, int]:
    seen = pd.DataFrame({"phase": phases.to_numpy(dtype=object), "who": who}).drop_duplicates()
    return dict(Counter(seen["phase"].tolist()))


def _model(
    own: pd.DataFrame,
    values: FloatArray,
    phase: str,
    phases: list[object],
    outcome: str,
    *,
    n_rows: int,
) -> ModelFrame:
    labels = pd.Series([*own[phase].tolist()], dtype=object)
    if labels.isna().any():
        raise DataError(
            f"Column {phase!r} is missing in {int(labels.isna().sum())} row(s) with an outcome."
        )
    frame = pd.DataFrame({"outcome": values, "phase": labels})
    built = build_model_frame(
        "outcome ~ phase", frame, levels={"phase": phases}, every_level=("phase",)
    )
    counted = f"{values.size} of {n_rows} rows analysed, the others without {outcome}."
    notes = (CONFOUNDED, *((counted,) if values.size < n_rows else ()))
    return replace(built, outcome=outcome, notes=(*notes, *built.notes))


def _fit(
    model: ModelFrame,
    who: IntArray,
    days: FloatArray,
    correlation: str,
    random_subject: bool,
    df: str,
) -> _Parts:
    x, y = model.matrix, model.response
    n_subjects = int(who.max()) + 1
    plain = {
        "containment": float(y.size - n_subjects - (x.shape[1] - 1)),
        "residual": float(y.size - x.shape[1]),
        "normal": inf,
    }
    small = basis = None
    if correlation == "ar1":
        fit = fit_serial(x, y, who, days, random_subject=random_subject)
        small, basis, between = fit.small_sample, fit.basis, fit.between
        found = (fit.coef, fit.vcov, fit.residual, fit.phi, fit.deviance, fit.is_at_bound)
    elif random_subject:
        level = fit_random_intercept(x, y, who, bounded=True)
        basis, between = level.basis, level.between
        small = level.small_sample(expected=level.is_at_bound)
        small = small.without(0) if level.is_at_bound else small
        found = (level.coef, level.vcov, level.within, nan, level.deviance, level.is_at_bound)
    else:
        ols = least_squares(x=x, y=y, aliased=aliased_columns(x))
        residual, between = ols.residual_sum_sq / ols.df_residual, None
        found = (ols.coef, ols_covariance(ols), residual, nan, nan, False)
        plain["satterthwaite"] = float(ols.df_residual)

    def single_df(rows: FloatArray) -> FloatArray:
        if df in plain or small is None or basis is None:
            return np.full(rows.shape[0], plain[df])
        return small.df(basis.contrasts(rows))

    coef, vcov, residual, phi, deviance, is_at_bound = found
    return _Parts(
        coef=coef,
        vcov=vcov,
        single_df=single_df,
        residual=residual,
        phi=phi,
        between=nan if between is None else between,
        deviance=deviance,
        is_at_bound=is_at_bound,
    )
