"""Who leaves a trial, when and why: times to an event, reasons, missingness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from trialkit.plan.analysis import AnalysisSpec, ArmSpec, ResultTable
from trialkit.plan.fields import (
    CiLevel,
    Column,
    Label,
    Level,
    OneOrMoreColumns,
    as_tuple,
)
from trialkit.typing import Alternative

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AeWithdrawal",
    "CauseSpecific",
    "Cox",
    "CumulativeIncidence",
    "Disposition",
    "FineGray",
    "GrayTest",
    "KaplanMeier",
    "LittleMcar",
    "Logrank",
    "PredictDropout",
    "Rmst",
    "run_ae_withdrawal",
    "run_cause_specific",
    "run_cox",
    "run_cumulative_incidence",
    "run_disposition",
    "run_fine_gray",
    "run_gray_test",
    "run_kaplan_meier",
    "run_little_mcar",
    "run_logrank",
    "run_predict_dropout",
    "run_rmst",
]

Numbers: TypeAlias = Annotated[tuple[float, ...], BeforeValidator(as_tuple), Field(min_length=1)]
Levels: TypeAlias = Annotated[tuple[Level, ...], BeforeValidator(as_tuple), Field(min_length=1)]
# A column, or a term of a formula: which of the two is only known from the data.
Terms: TypeAlias = Label | Annotated[tuple[Label, ...], BeforeValidator(as_tuple)]
Interval: TypeAlias = Literal["log-log", "log", "plain"]
Ties: TypeAlias = Literal["efron", "breslow", "exact"]


class OptionalArm(AnalysisSpec):
    """Curves and tests for which the reference only orders the arms."""

    takes: ClassVar[tuple[str, ...]] = ("arm", "reference", "subject")
    arm: Column | None = None
    reference: Level | None = None
    subject: Column | None = None


class AgainstReference(ArmSpec):
    """Comparisons with the reference arm, one row a subject."""

    takes: ClassVar[tuple[str, ...]] = ("subject",)
    subject: Column | None = None


class KaplanMeier(OptionalArm):
    """`method = "kaplan_meier"`: the arguments of `trialkit.kaplan_meier`."""

    method: Literal["kaplan_meier"]
    time: Column
    event: Column
    ci: Interval = "log-log"
    times: Numbers | None = None
    ci_level: CiLevel | None = None


class Logrank(OptionalArm):
    """`method = "logrank"`: the arguments of `trialkit.logrank`."""

    needs: ClassVar[tuple[str, ...]] = ("arm",)
    method: Literal["logrank"]
    time: Column
    event: Column
    strata: OneOrMoreColumns | None = None
    rho: Annotated[float, Field(ge=0)] = 0.0
    gamma: Annotated[float, Field(ge=0)] = 0.0
    weight: Literal["fleming-harrington", "gehan", "tarone-ware"] = "fleming-harrington"


class Cox(AgainstReference):
    """`method = "cox"`: the arguments of `trialkit.cox`."""

    method: Literal["cox"]
    time: Column
    event: Column
    covariates: Terms = ()
    strata: OneOrMoreColumns = ()
    ties: Ties = "efron"
    robust: bool = False
    alternative: Alternative = "two-sided"


class Rmst(AgainstReference):
    """`method = "rmst"`: the arguments of `trialkit.rmst`; `tau` has no default."""

    method: Literal["rmst"]
    time: Column
    event: Column
    tau: Annotated[float, Field(gt=0)]
    covariates: Terms = ()
    bias_correction: bool = False
    alternative: Alternative = "two-sided"


class CauseSpecific(AgainstReference):
    """`method = "cause_specific"`: the arguments of `trialkit.cause_specific`."""

    method: Literal["cause_specific"]
    time: Column
    cause: Column
    covariates: Terms = ()
    strata: OneOrMoreColumns = ()
    censored: Level | None = None
    causes: Levels | None = None
    ties: Ties = "efron"


class FineGray(AgainstReference):
    """`method = "fine_gray"`: the arguments of `trialkit.fine_gray`."""

    method: Literal["fine_gray"]
    time: Column
    cause: Column
    covariates: Terms = ()
    censored: Level | None = None
    causes: Levels | None = None


class CumulativeIncidence(OptionalArm):
    """`method = "cumulative_incidence"`: the arguments of `trialkit.cumulative_incidence`."""

    method: Literal["cumulative_incidence"]
    time: Column
    cause: Column
    censored: Level | None = None
    times: Numbers | None = None
    ci: Interval = "log-log"
    ci_level: CiLevel | None = None


class GrayTest(OptionalArm):
    """`method = "gray_test"`: the arguments of `trialkit.gray_test`."""

    needs: ClassVar[tuple[str, ...]] = ("arm",)
    method: Literal["gray_test"]
    time: Column
    cause: Column
    strata: OneOrMoreColumns | None = None
    censored: Level | None = None


class Disposition(OptionalArm):
    """`method = "disposition"`: the arguments of `trialkit.disposition`."""

    needs: ClassVar[tuple[str, ...]] = ("arm",)
    method: Literal["disposition"]
    status: Column
    reason: Column
    discontinued: Level | None = None
    time: Column | None = None
    ci_level: CiLevel | None = None


class AeWithdrawal(AgainstReference):
    """`method = "ae_withdrawal"`: the arguments of `trialkit.ae_withdrawal`."""

    method: Literal["ae_withdrawal"]
    flag: Column = "DCAEFL"


class PredictDropout(AgainstReference):
    """`method = "predict_dropout"`: the arguments of `trialkit.predict_dropout`."""

    method: Literal["predict_dropout"]
    covariates: Terms = ()
    event: Column | None = None
    outcome: Column | None = None
    visit: Column | None = None
    visit_order: Label | Levels | None = None
    trend: Literal["factor", "linear"] = "factor"


class LittleMcar(OptionalArm):
    """`method = "little_mcar"`: the arguments of `trialkit.little_mcar`."""

    needs: ClassVar[tuple[str, ...]] = ("outcome", "subject", "visit")
    takes: ClassVar[tuple[str, ...]] = ("arm", "reference")
    method: Literal["little_mcar"]
    outcome: Column | None = None
    visit: Column | None = None
    visit_order: Label | Levels | None = None


def run_kaplan_meier(spec: KaplanMeier, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """The curves, drawn with numbers at risk, and the medians."""
    from trialkit.analyses.kaplan_meier import kaplan_meier

    curves = kaplan_meier(frame, **spec.arguments())
    return {"survival": curves, "median": curves.median()}


def run_logrank(spec: Logrank, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Log-rank test over all arms."""
    from trialkit.analyses.logrank import logrank

    return {"tests": logrank(frame, **spec.arguments())}


def run_cox(spec: Cox, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Hazard ratios, tests of the model, and tests of proportional hazards."""
    from trialkit.analyses.cox import cox

    fit = cox(frame, **spec.arguments())
    tables: dict[str, ResultTable] = {"estimates": fit, "tests": fit.tests()}
    if spec.ties == "exact":
        return tables
    return {**tables, "proportional_hazards": fit.proportional_hazards()}


def run_rmst(spec: Rmst, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Restricted means, differences and ratios."""
    from trialkit.analyses.rmst import rmst

    return {"estimates": rmst(frame, **spec.arguments())}


def run_cause_specific(spec: CauseSpecific, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Hazard ratios by reason."""
    from trialkit.analyses.cox import cause_specific

    return {"estimates": cause_specific(frame, **spec.arguments())}


def run_fine_gray(spec: FineGray, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Subdistribution hazard ratios by reason."""
    from trialkit.analyses.competing_risks import fine_gray

    return {"estimates": fine_gray(frame, **spec.arguments())}


def run_cumulative_incidence(
    spec: CumulativeIncidence, frame: pd.DataFrame
) -> dict[str, ResultTable]:
    """Cumulative incidence by reason and arm."""
    from trialkit.analyses.competing_risks import cumulative_incidence

    return {"estimates": cumulative_incidence(frame, **spec.arguments())}


def run_gray_test(spec: GrayTest, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Gray's test by reason."""
    from trialkit.analyses.competing_risks import gray_test

    return {"tests": gray_test(frame, **spec.arguments())}


def run_disposition(spec: Disposition, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Counts by reason; differences where there are arms to compare; rates where `time` is."""
    from trialkit.analyses.disposition import disposition

    found = disposition(frame, **spec.arguments())
    tables: dict[str, ResultTable] = {"disposition": found}
    if len(found.arms) > 1:
        tables["differences"] = found.differences()
    if spec.time is not None:
        tables["rates"] = found.rates()
    return tables


def run_ae_withdrawal(spec: AeWithdrawal, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Difference in withdrawal for adverse events."""
    from trialkit.analyses.disposition import ae_withdrawal

    return {"estimates": ae_withdrawal(frame, **spec.arguments())}


def run_predict_dropout(spec: PredictDropout, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Odds ratios of leaving."""
    from trialkit.analyses.predict_dropout import predict_dropout

    return {"estimates": predict_dropout(frame, **spec.arguments())}


def run_little_mcar(spec: LittleMcar, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Little's test, within the arms."""
    from trialkit.analyses.little_mcar import little_mcar

    return {"tests": little_mcar(frame, **spec.arguments())}
