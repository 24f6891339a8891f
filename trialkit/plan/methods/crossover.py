"""Crossover trials in a plan: linear and marginal models, ranks, bioequivalence, phases, series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator

from trialkit.errors import SpecError
from trialkit.plan.analysis import AnalysisSpec, ResultTable
from trialkit.plan.design import VisitOrder
from trialkit.plan.fields import CiLevel, Column, Label, Level, as_tuple
from trialkit.plan.methods.reduction import Days, reduced, with_reduction
from trialkit.typing import Alternative, ContrastAdjustment

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Bioequivalence",
    "Crossover",
    "CrossoverBinary",
    "CrossoverGee",
    "CrossoverRank",
    "NOf1",
    "PhaseContrast",
    "Rsabe",
    "run_bioequivalence",
    "run_crossover",
    "run_crossover_binary",
    "run_crossover_gee",
    "run_crossover_rank",
    "run_n_of_1",
    "run_phase_contrast",
    "run_rsabe",
]

Weights = Annotated[tuple[float, ...], BeforeValidator(as_tuple)]
Kind = Literal["reference", "pairwise"] | Mapping[Label, Weights]


class Periods(AnalysisSpec):
    """One row a subject and period; roles are those of a crossover `[design]`."""

    needs: ClassVar[tuple[str, ...]] = (
        "outcome",
        "subject",
        "sequence",
        "period",
        "treatment",
        "reference",
    )
    takes: ClassVar[tuple[str, ...]] = ("period_order",)
    outcome: Column | None = None
    subject: Column | None = None
    sequence: Column | None = None
    period: Column | None = None
    treatment: Column | None = None
    reference: Level | None = None
    period_order: VisitOrder | None = None


class Crossover(Periods):
    """`method = "crossover"`: the arguments of `trialkit.crossover` and of its contrasts.

    With `measurements`, of the means of the periods' days, which `trialkit.period_means` takes.
    """

    method: Literal["crossover"]
    measurements: Days | None = None
    subject_effect: Literal["random", "fixed"] = "random"
    period_effect: bool = True
    sequence_effect: bool = True
    carryover: bool | Literal["self-mixed"] = False
    baseline: Column | None = None
    baseline_as: Literal["covariate", "within-subject", "change", "joint"] = "covariate"
    log: bool = False
    measurement: Column | None = None
    variances: Literal["common", "by-treatment"] = "common"
    variance_bound: bool = True
    df: Literal["kenward-roger", "satterthwaite", "containment", "residual", "normal"] | None = None
    information: Literal["observed", "expected"] = "observed"
    complete_cases: bool = False
    kind: Kind = "reference"
    adjust: ContrastAdjustment = "none"
    ci_level: CiLevel | None = None
    alternative: Alternative = "two-sided"
    null: float = 0.0


class CrossoverRank(Periods):
    """`method = "crossover_rank"`: the arguments of `trialkit.crossover_rank`.

    With `measurements`, of the means of the periods' days.
    """

    method: Literal["crossover_rank"]
    measurements: Days | None = None
    period_adjusted: bool = True
    effect: Literal["treatment", "period", "carryover"] = "treatment"
    exact: bool | None = None
    continuity: bool | None = None
    near_ties: Literal["joined", "as-computed"] = "as-computed"
    ci_level: CiLevel | None = None
    alternative: Alternative = "two-sided"
    null: float = 0.0


class CrossoverBinary(Periods):
    """`method = "crossover_binary"`: the arguments of `trialkit.crossover_binary`."""

    method: Literal["crossover_binary"]
    event: Level | bool = 1
    ci_level: CiLevel | None = None
    alternative: Alternative = "two-sided"


class CrossoverGee(Periods):
    """`method = "crossover_gee"`: the arguments of `trialkit.crossover_gee` and its contrasts."""

    method: Literal["crossover_gee"]
    family: Literal["poisson", "binomial", "gaussian", "ordinal"]
    event: Level | bool = 1
    category_order: VisitOrder | None = None
    exposure: Column | None = None
    period_effect: bool = True
    sequence_effect: bool = True
    carryover: bool | Literal["self-mixed"] = False
    correlation: Literal["exchangeable", "independence"] | None = None
    vcov: Literal["mancl-derouen", "robust"] = "mancl-derouen"
    df: Literal["subjects", "normal"] = "subjects"
    complete_cases: bool = False
    kind: Kind = "reference"
    adjust: ContrastAdjustment = "none"
    ci_level: CiLevel | None = None
    alternative: Alternative = "two-sided"
    null: float = 0.0


class Bioequivalence(Periods):
    """`method = "bioequivalence"`; `ema_method` is the function's `method`, "A" or "B".

    The level is the method's own (90%), whatever `[plan]` says for the other analyses.
    """

    method: Literal["bioequivalence"]
    ema_method: Literal["A", "B"] = "A"
    df: Literal["containment", "satterthwaite", "kenward-roger"] | None = None
    information: Literal["observed", "expected"] | None = None
    limits: Literal["abel"] | Annotated[tuple[float, float], BeforeValidator(as_tuple)] = (
        0.80,
        1.25,
    )
    interval_level: CiLevel = 0.90


class Rsabe(Periods):
    """`method = "rsabe"`: the arguments of `trialkit.rsabe`."""

    method: Literal["rsabe"]


class NOf1(AnalysisSpec):
    """`method = "n_of_1"`: the arguments of `trialkit.n_of_1` and of its contrasts."""

    needs: ClassVar[tuple[str, ...]] = ("outcome", "subject", "treatment", "reference")
    takes: ClassVar[tuple[str, ...]] = ("period", "period_order")
    method: Literal["n_of_1"]
    outcome: Column | None = None
    subject: Column | None = None
    treatment: Column | None = None
    reference: Level | None = None
    period: Column | None = None
    cycle: Column | None = None
    trend: bool = False
    variances: Literal["common", "by-subject"] = "common"
    correlation: Literal["independent", "ar1"] = "independent"
    log: bool = False
    tau2: Literal["reml", "paule-mandel", "dersimonian-laird"] = "reml"
    ci: Literal["hksj", "normal"] = "hksj"
    period_order: VisitOrder | None = None
    ci_level: CiLevel | None = None
    alternative: Alternative = "two-sided"
    null: float = 0.0


class PhaseContrast(AnalysisSpec):
    """`method = "phase_contrast"`: the arguments of `trialkit.phase_contrast`."""

    needs: ClassVar[tuple[str, ...]] = ("outcome", "subject", "phase", "day", "reference")
    method: Literal["phase_contrast"]
    outcome: Column | None = None
    subject: Column | None = None
    phase: Column | None = None
    day: Column | None = None
    reference: Level | None = None
    phase_order: VisitOrder | None = None
    correlation: Literal["ar1", "independent"] = "ar1"
    random_subject: bool = True
    df: Literal["containment", "satterthwaite", "residual", "normal"] | None = None
    kind: Kind = "reference"
    adjust: ContrastAdjustment = "none"
    ci_level: CiLevel | None = None
    alternative: Alternative = "two-sided"
    null: float = 0.0


def run_crossover(spec: Crossover, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Contrasts between treatments, LS means, term tests and variances of one fit.

    Baselines modelled jointly have no one variance within subjects: there is no such table.
    """
    from trialkit.analyses.crossover import crossover

    if spec.measurements is not None and spec.measurement is not None:
        raise SpecError(
            "measurement= analyses the days of a period, measurements= their mean: give one of "
            "them."
        )
    if spec.measurements is not None:
        means, phrase, note = _means(spec, spec.measurements, frame, spec.baseline)
        return with_reduction(
            run_crossover(spec.model_copy(update={"measurements": None}), means), phrase, note
        )
    given = spec.arguments()
    del given["measurements"]
    level = {"ci_level": given.pop("ci_level")}
    tests = {key: given.pop(key) for key in ("kind", "adjust", "alternative", "null")}
    fit = crossover(frame, **given)
    tables: dict[str, ResultTable] = {
        "contrasts": fit.contrasts(**tests, **level),
        "lsmeans": fit.lsmeans(**level),
        "type3": fit.type3(),
    }
    return tables if spec.baseline_as == "joint" else {**tables, "variance": fit.variance(**level)}


def run_crossover_rank(spec: CrossoverRank, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Hodges-Lehmann estimate with its rank test."""
    from trialkit.analyses.crossover_rank import crossover_rank

    given = spec.arguments()
    del given["measurements"]
    if spec.measurements is not None:
        means, phrase, note = _means(spec, spec.measurements, frame)
        return with_reduction({"estimates": crossover_rank(means, **given)}, phrase, note)
    return {"estimates": crossover_rank(frame, **given)}


def _means(
    spec: Crossover | CrossoverRank, days: Days, frame: pd.DataFrame, *more: str | None
) -> tuple[pd.DataFrame, str, str]:
    """The period means that `measurements` asks for, with what the analysis needs beside them."""
    order = spec.period_order if isinstance(spec.period_order, str) else None
    roles = {key: str(getattr(spec, key)) for key in ("outcome", "subject", "period")}
    return reduced(frame, days, keep=(spec.sequence, spec.treatment, order, *more), **roles)


def run_crossover_binary(spec: CrossoverBinary, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Paired tests of a binary outcome."""
    from trialkit.analyses.crossover_binary import crossover_binary

    return {"estimates": crossover_binary(frame, **spec.arguments())}


def run_crossover_gee(spec: CrossoverGee, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Contrasts between treatments, coefficients and term tests of one marginal model."""
    from trialkit.analyses.crossover_gee import crossover_gee

    given = spec.arguments()
    level = {"ci_level": given.pop("ci_level")}
    tests = {key: given.pop(key) for key in ("kind", "adjust", "alternative", "null")}
    fit = crossover_gee(frame, **given)
    return {
        "contrasts": fit.contrasts(**tests, **level),
        "coefficients": fit.coefficients(**level),
        "type3": fit.type3(),
    }


def run_bioequivalence(spec: Bioequivalence, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Ratios of geometric means against their limits."""
    from trialkit.analyses.bioequivalence import bioequivalence

    given: dict[str, Any] = spec.arguments()
    given["method"] = given.pop("ema_method")
    given["ci_level"] = given.pop("interval_level")
    return {"estimates": bioequivalence(frame, **given)}


def run_rsabe(spec: Rsabe, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """The linearised criterion and its bound."""
    from trialkit.analyses.rsabe import rsabe

    return {"estimates": rsabe(frame, **spec.arguments())}


def run_n_of_1(spec: NOf1, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """The mean effect, each subject's own, their predictions, and whether they differ."""
    from trialkit.analyses.n_of_1 import n_of_1

    given = spec.arguments()
    level = {"ci_level": given.pop("ci_level")}
    tests = {key: given.pop(key) for key in ("alternative", "null")}
    fit = n_of_1(frame, **given)
    return {
        "contrasts": fit.contrasts(**tests, **level),
        "by_subject": fit.by_subject(**tests, **level),
        "shrunken": fit.shrunken(**level),
        "heterogeneity": fit.heterogeneity(),
    }


def run_phase_contrast(spec: PhaseContrast, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Contrasts between phases, and their means."""
    from trialkit.analyses.phase_contrast import phase_contrast

    given = spec.arguments()
    level = {"ci_level": given.pop("ci_level")}
    tests = {key: given.pop(key) for key in ("kind", "adjust", "alternative", "null")}
    fit = phase_contrast(frame, **given)
    return {"contrasts": fit.contrasts(**tests, **level), "lsmeans": fit.lsmeans(**level)}
