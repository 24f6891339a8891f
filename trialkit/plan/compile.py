"""From a plan and its data to independent tasks, each complete in itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from trialkit.data.grammar import formula_columns
from trialkit.data.levels import visit_levels
from trialkit.errors import SpecError, TrialkitError
from trialkit.plan.analysis import AnalysisSpec
from trialkit.plan.design import Design, ParallelDesign
from trialkit.plan.event_roles import outcome_column
from trialkit.plan.fields import check_formulas, named_columns
from trialkit.plan.intercurrent import Handled, follow_estimand
from trialkit.plan.methods.participation import AnalysedIn
from trialkit.plan.schema import Plan
from trialkit.plan.seeds import analysis_seed
from trialkit.plan.selection import require_column

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Task", "compile_analysis", "compile_plan", "data_name", "resolve"]

NO_OUTCOME = "sets: {method!r} has no outcome of subjects; name another analysis."


@dataclass(frozen=True, slots=True)
class Task:
    """One analysis with its defaults filled in, and its rows after its events were met."""

    spec: AnalysisSpec
    handled: Handled


def compile_plan(plan: Plan, frames: Mapping[str, pd.DataFrame]) -> tuple[Task, ...]:
    """The tasks of a plan, in its order; SpecError names the analysis that cannot be run."""
    return tuple(compile_analysis(plan, spec, frames) for spec in plan.analyses)


def compile_analysis(plan: Plan, spec: AnalysisSpec, frames: Mapping[str, pd.DataFrame]) -> Task:
    """One task; SpecError where a column, level or formula does not fit the data."""
    try:
        complete = resolve(plan, spec)
        frame = in_visit_order(plan, frames[data_name(plan, spec)])
        for key, column in named_columns(complete):
            require_column(frame, column, place=key)
        check_formulas(complete, [str(name) for name in frame.columns])
        handled = follow_estimand(plan, complete, frame, frames)
        handled = replace(handled, analysed=_analysed(plan, complete, frames))
    except TrialkitError as problem:
        raise type(problem)(f"Analysis {spec.name!r}: {problem}") from problem
    return Task(complete, handled)


def _analysed(
    plan: Plan, spec: AnalysisSpec, frames: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """The subjects, and arms, whom the analyses named in `sets` analyse, by set."""
    found = {}
    for name, value in (getattr(spec, "sets", None) or {}).items():
        if isinstance(value, AnalysedIn):
            other = next((one for one in plan.analyses if one.name == value.analysis), None)
            if other is None:
                names = ", ".join(repr(one.name) for one in plan.analyses)
                raise SpecError(f"sets: no analysis is named {value.analysis!r}; there: {names}.")
            if "sets" in type(other).model_fields:  # itself, or another flow
                raise SpecError(NO_OUTCOME.format(method=other.method))
            found[name] = _members(compile_analysis(plan, other, frames))
    return found


def _members(task: Task) -> pd.DataFrame:
    """Subject and arm of the rows that a task analyses: outcome and covariates are there."""
    spec, frame = task.spec, task.handled.frame
    outcome, subject = outcome_column(spec, frame), getattr(spec, "subject", None)
    if outcome is None or subject is None:
        raise SpecError(NO_OUTCOME.format(method=spec.method))
    formula = getattr(spec, "formula", None)
    needed = set(formula_columns(formula)) & set(frame.columns) if formula else {outcome}
    for name, column in named_columns(spec):
        if name in ("covariates", "group", "strata"):
            needed.add(column)
    arm = getattr(spec, "arm", None)
    if spec.completes:
        needed.discard(outcome)
    kept = frame.loc[frame[sorted(needed)].notna().all(axis=1)]
    return kept[[subject, *([] if arm is None else [arm])]].drop_duplicates()


def in_visit_order(plan: Plan, frame: pd.DataFrame) -> pd.DataFrame:
    """The data with the visits in the design's order, where it gives one and the data have it.

    Without this, "Week 12" would come before "Week 4" in whatever lists visits.
    """
    design = plan.design
    visit = design.visit if isinstance(design, ParallelDesign) else None
    order = design.visit_order if isinstance(design, ParallelDesign) else None
    if visit is None or visit not in frame or order is None:
        return frame
    if isinstance(order, str) and order not in frame:
        return frame
    import pandas as pd

    levels = visit_levels(frame, visit, order)
    visits = pd.Categorical(frame[visit], categories=levels, ordered=True)
    return frame.assign(**{visit: visits})


def data_name(plan: Plan, spec: AnalysisSpec) -> str:
    """The data set an analysis uses."""
    of_events = plan.events.data if plan.events and spec.describes_events else None
    name = spec.data or of_events or plan.default_data
    if name is None:  # a plan that was loaded has been checked for this
        raise SpecError(f"Analysis {spec.name!r} does not say which data set it uses.")
    return name


def resolve(plan: Plan, spec: AnalysisSpec) -> AnalysisSpec:
    """The analysis with what it leaves out taken from `[design]` and `[plan]`."""
    defaults: dict[str, Any] = {"ci_level": plan.header.ci_level}
    # A design has the roles of its own kind; the others are the analysis's to give.
    if spec.describes_events:
        defaults |= _of_events(plan, spec)
    else:
        defaults |= {key: getattr(plan.design, key, None) for key in _inherited(plan.design, spec)}
    left_out = [key for key in type(spec).model_fields if getattr(spec, key) is None]
    # A design without strata has an empty tuple of them.
    filled = {key: defaults[key] for key in left_out if defaults.get(key) not in (None, ())}
    missing = [key for key in left_out if key in spec.needs and key not in filled]
    if missing:
        place = "[events]" if spec.describes_events else "[design]"
        raise SpecError(f"{', '.join(missing)} missing; give it in the analysis or in {place}.")
    complete = spec.model_copy(update=filled)
    seed = plan.header.seed
    if seed is not None and complete.draws and getattr(complete, "rng", 0) is None:
        return complete.model_copy(update={"rng": analysis_seed(seed, complete.name)})
    return complete


def _of_events(plan: Plan, spec: AnalysisSpec) -> dict[str, Any]:
    """What `[events]` and the estimand say of the events themselves."""
    order = getattr(plan.design, "visit_order", None)
    found: dict[str, Any] = {
        "subject": getattr(plan.design, "subject", None),
        "visits": order if isinstance(order, tuple) else None,
        "strategies": spec.estimand.intercurrent,
    }
    if plan.events is not None:
        own = {key: getattr(plan.events, key) for key in ("subject", "event", "day", "visit")}
        own["visits"] = plan.events.visits
        found |= {key: value for key, value in own.items() if value is not None}
    return found


def _inherited(design: Design | None, spec: AnalysisSpec) -> list[str]:
    """The keys that `[design]` supplies: its order is that of its own visits, and of no other."""
    own = getattr(design, "visit", None)
    is_other_visit = getattr(spec, "visit", None) not in (None, own)
    keys = (*spec.needs, *spec.takes)
    return [key for key in keys if not (is_other_visit and key == "visit_order")]
