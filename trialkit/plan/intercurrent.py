"""What an analysis does about intercurrent events: its estimand's strategies, carried out.

Only `where`, the strategies and the table of events decide which outcomes an analysis sees; no
method has rules of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from trialkit.data.grammar import formula_columns
from trialkit.errors import SpecError
from trialkit.plan.analysis import AnalysisSpec, ResultTable
from trialkit.plan.design import CrossoverDesign
from trialkit.plan.estimand import (
    COMPOSITE,
    HYPOTHETICAL,
    PRINCIPAL_STRATUM,
    TREATMENT_POLICY,
    WHILE_ON_TREATMENT,
)
from trialkit.plan.event_roles import EventRoles, event_roles
from trialkit.plan.event_words import account_table, sentences
from trialkit.plan.events import event_labels
from trialkit.plan.schema import Plan
from trialkit.plan.selection import select

if TYPE_CHECKING:
    import pandas as pd

    from trialkit.analyses.intercurrent_events import IntercurrentEvents

__all__ = ["Handled", "follow_estimand"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """The rows of an analysis after its events were met, and what was done.

    `said` are sentences; `table` counts the events by arm; `events` is for imputation methods,
    `analysed` for the flow of participants: those whom other analyses analyse, by set.
    """

    frame: pd.DataFrame
    selection: str
    said: tuple[str, ...] = ()
    table: ResultTable | None = None
    events: pd.DataFrame | None = None
    analysed: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def follow_estimand(
    plan: Plan, spec: AnalysisSpec, frame: pd.DataFrame, frames: Mapping[str, pd.DataFrame]
) -> Handled:
    """Select the rows of an analysis and meet its intercurrent events as its estimand says.

    Raises SpecError for events that table and estimand do not share, for strategies that the
    analysis has no use for, and for strategies without what they need.
    """
    strategies = spec.estimand.intercurrent
    selected, selection = select(frame, spec.where)
    plain = Handled(frame=selected, selection=selection, events=_given_events(spec, frames))
    _check_choices(plan, spec)
    if spec.describes_events:
        return plain
    if plan.events is None:
        return replace(plain, said=_only_declared(strategies))
    table = frames[plan.events.data]
    labels = event_labels(plan.events, table)
    if not strategies:
        _refuse_touched(plan, spec, frames, selected, table)
        return plain
    _match(labels, strategies)
    roles = event_roles(plan, plan.events, spec, frame)
    roles.require_known(table, frames)
    said = _stratum(spec, roles, selected, table)
    met = {label: how for label, how in strategies.items() if how != PRINCIPAL_STRATUM}
    if not met:
        return replace(plain, said=said)
    if roles.visit is None or roles.outcome is None:
        return replace(plain, said=(*said, *_kept(spec, roles, selected, table, met)))
    done = _met(spec, roles, frame, selected, met, table)
    if plain.events is not None:
        _refuse_other_times(plain.events, done.frame, roles, roles.read(table, met))
    events = done.events if plain.events is None else plain.events
    return replace(done, selection=selection, said=(*said, *done.said), events=events)


def _given_events(spec: AnalysisSpec, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame | None:
    """The events that an imputation method is given directly: rows of the plan, or a data set."""
    import pandas as pd

    given = getattr(spec, "events", None)
    if isinstance(given, str):
        return frames[given]
    if isinstance(given, tuple):
        return pd.DataFrame([dict(row) for row in given])
    return None


def _check_choices(plan: Plan, spec: AnalysisSpec) -> None:
    """What a strategy needs is there, and what none needs is not."""
    used = set(spec.estimand.intercurrent.values()) if plan.events is not None else set()
    reason = "no event" if plan.events is not None else "the plan has no [events], and no event"
    for key, strategy in (("composite", COMPOSITE), ("while_on_treatment", WHILE_ON_TREATMENT)):
        if getattr(spec, key) is not None and strategy not in used:
            raise SpecError(f"{key} = {getattr(spec, key)!r}: {reason} is met by {strategy!r}.")
    if WHILE_ON_TREATMENT in used and spec.while_on_treatment is None:
        raise SpecError(
            f"{WHILE_ON_TREATMENT!r} needs a summary of the outcomes up to the event: "
            'while_on_treatment = "last", the last one observed.'
        )
    if HYPOTHETICAL in used and getattr(spec, "missing", None) == "non-responder":
        raise SpecError(
            f"{HYPOTHETICAL!r} sets outcomes aside, and missing = 'non-responder' would count them "
            f"as failures: that is {COMPOSITE!r}."
        )
    if WHILE_ON_TREATMENT in used and isinstance(plan.design, CrossoverDesign):
        raise SpecError(
            f"{WHILE_ON_TREATMENT!r} in a crossover: events act by period, and the last outcome "
            "before one was under another treatment; it is none of this one."
        )
    if plan.events is None and isinstance(getattr(spec, "events", None), Mapping):
        raise SpecError("events gives strategies by event: that needs the table of [events].")


def _only_declared(strategies: Mapping[str, str]) -> tuple[str, ...]:
    told = [f"{label} ({how})" for label, how in strategies.items() if how != TREATMENT_POLICY]
    if not told:
        return ()
    return (
        f"Declared only, not applied: {', '.join(told)}. The plan names no table of [events]; "
        "outcomes are as in the data.",
    )


def _match(labels: tuple[str, ...], strategies: Mapping[str, str]) -> None:
    for label in labels:
        if label not in strategies:
            raise SpecError(
                f"[events] has the event {label!r}, for which estimand.intercurrent has no "
                f"strategy; it has {_listed(strategies)}."
            )
    for label in strategies:
        if label not in labels:
            raise SpecError(
                f"estimand.intercurrent names {label!r}, which is not among the events of "
                f"[events]: {_listed(labels)}. An event that was looked for and that nobody had "
                "stands in labels of [events]."
            )


def _refuse_touched(
    plan: Plan,
    spec: AnalysisSpec,
    frames: Mapping[str, pd.DataFrame],
    selected: pd.DataFrame,
    table: pd.DataFrame,
) -> None:
    """`intercurrent = {}` says that no event can touch the quantity: none of its values follows."""
    roles = event_roles(plan, plan.events, spec, selected) if plan.events else None
    if roles is None or roles.visit is None or roles.outcome is None:
        return
    roles.require_known(table, frames)
    labels = event_labels(roles.events, table)
    record = roles.read(table, dict.fromkeys(labels, TREATMENT_POLICY))
    counts = record.account(selected, outcome=roles.outcome, visit=roles.visit)
    touched = counts[counts["n_observed"] > 0]
    if len(touched):
        event, n = touched[["event", "n_observed"]].iloc[0].tolist()
        raise SpecError(
            f"estimand.intercurrent is empty, which says that no event can touch the quantity; "
            f"{n} of the outcomes analysed follow {event!r}. Give it a strategy."
        )


def _stratum(
    spec: AnalysisSpec, roles: EventRoles, selected: pd.DataFrame, table: pd.DataFrame
) -> tuple[str, ...]:
    """Who is left of a principal stratum: `where` must have kept all with the event, or none."""
    said = []
    for label, how in spec.estimand.intercurrent.items():
        if how != PRINCIPAL_STRATUM:
            continue
        if not spec.where:
            raise SpecError(
                f"{label!r} is met by {PRINCIPAL_STRATUM!r}: give where= with the column that "
                "says who belongs to the stratum. The engine does not model it."
            )
        own = roles.subjects_with(table, label)
        chosen = set(selected[roles.subject].tolist())
        inside = chosen & own
        if inside and inside != chosen:
            raise SpecError(
                f"{label!r} is met by {PRINCIPAL_STRATUM!r}, and where= keeps {len(inside)} of "
                f"{len(chosen)} subjects with the event, first {min(map(str, inside))!r}: the "
                "selection must keep only those with it, or only those without."
            )
        who = f"all {len(chosen)} subjects have" if inside else f"none of {len(chosen)} has"
        said.append(
            f"{label} ({PRINCIPAL_STRATUM}): selected by the observed event ({who} it); who would "
            "have it on the other arm is not modelled."
        )
    return tuple(said)


def _kept(
    spec: AnalysisSpec,
    roles: EventRoles,
    selected: pd.DataFrame,
    table: pd.DataFrame,
    met: Mapping[str, str],
) -> tuple[str, ...]:
    """Without outcomes at visits, nothing can be said to follow an event: all values are used."""
    said = []
    present = set(selected[roles.subject].tolist())
    for label, how in met.items():
        if how != TREATMENT_POLICY:
            lacks = "an outcome" if roles.outcome is None else "a visit"
            raise SpecError(
                f"{label!r} is met by {how!r}, and method {spec.method!r} on these data has not "
                f"{lacks} by which to tell what follows an event; only {TREATMENT_POLICY!r} "
                "can be carried out here."
            )
        n = len(present & roles.subjects_with(table, label))
        said.append(f"{label} ({how}): {n} of {len(present)} subjects; every value is kept.")
    return tuple(said)


def _met(
    spec: AnalysisSpec,
    roles: EventRoles,
    frame: pd.DataFrame,
    selected: pd.DataFrame,
    met: Mapping[str, str],
    table: pd.DataFrame,
) -> Handled:
    """The strategies carried out on all visits, then the visits that are analysed."""
    outcome, visit = str(roles.outcome), str(roles.visit)
    # The last outcome before an event may be at a visit that is not analysed.
    others = {
        column: value
        for column, value in spec.where.items()
        if not _tells_visits(frame, column, visit)
    }
    base, _ = select(frame, others)
    visits = set(selected[visit].tolist())
    everyone = set(base[roles.subject].tolist())
    record = roles.read(table, met).within(subjects=everyone)
    composite = _composite(spec, met, base, outcome)
    kept, gaps = selected, tuple[str, ...]()
    if set(met.values()) != {TREATMENT_POLICY}:
        done = record.apply(base, outcome=outcome, visit=visit, composite=composite, add_rows=True)
        done = done.reset_index(drop=True)
        analysed = done[done[visit].isin(visits)]
        gaps = _gaps(spec, analysed, met, outcome, made=analysed[analysed.index >= len(base)])
        kept = analysed.drop(columns="intercurrent").reset_index(drop=True)
    counts = record.account(
        base,
        outcome=outcome,
        visit=visit,
        arm=roles.arm,
        reference=roles.reference if roles.arm else None,
        visits=visits,
    )
    absent = len(set(roles.everyone(table)) - everyone)
    return Handled(
        frame=kept,
        selection="",
        said=(
            *sentences(counts, composite, n_added=len(kept) - len(selected), n_absent=absent),
            *gaps,
        ),
        table=account_table(counts, composite, variable=outcome, has_arm=roles.arm is not None),
        events=_for_imputation(spec, record, kept, roles, met),
    )


def _refuse_other_times(
    given: pd.DataFrame, kept: pd.DataFrame, roles: EventRoles, record: IntercurrentEvents
) -> None:
    """Events of an analysis's own begin imputation where [events] sets outcomes aside."""
    visit, subject = str(roles.visit), roles.subject
    aside = dict.fromkeys(label for label, how in record.strategies if how == HYPOTHETICAL)
    within = record.within(subjects=set(kept[subject].tolist()), visits=set(kept[visit].tolist()))
    if not aside or not {subject, visit} <= set(given.columns):
        return
    own = set(zip(given[subject].tolist(), given[visit].tolist(), strict=True))
    due = within.for_imputation(visit, aside)
    for who, when in zip(due[subject].tolist(), due[visit].tolist(), strict=True):
        if (who, when) not in own:
            raise SpecError(
                f"events has no row of {who!r} at {when!r}, from when [events] sets the outcomes "
                "aside: they would be imputed as if no event had been. Leave events out, or give "
                'the imputation strategy of each event: { "treatment stopped" = "j2r" }.'
            )


def _gaps(
    spec: AnalysisSpec,
    done: pd.DataFrame,
    met: Mapping[str, str],
    outcome: str,
    *,
    made: pd.DataFrame,
) -> tuple[str, ...]:
    """Outcomes that an event should make and cannot, and covariates that made rows lack."""
    said = []
    ended = [label for label, how in met.items() if how == WHILE_ON_TREATMENT]
    n_bare = int((done["intercurrent"].isin(ended) & done[outcome].isna()).sum())
    if n_bare:
        said.append(f"{n_bare} outcomes have none observed before their event and stay missing.")
    formula = getattr(spec, "formula", None)
    needed = formula_columns(str(formula)) if formula is not None else ()
    for name in needed:
        n_lacking = int(made[name].isna().sum()) if name != outcome else 0
        if n_lacking:
            said.append(f"{n_lacking} of the rows made have no {name}, which the formula needs.")
    return tuple(said)


def _tells_visits(frame: pd.DataFrame, column: str, visit: str) -> bool:
    """Whether a column is the visit or another name of it, such as AVISITN."""
    if column == visit:
        return True
    own = frame.groupby(visit, observed=True, sort=False)[column]
    return frame[column].nunique() > 1 and bool((own.nunique(dropna=False) == 1).all())


def _composite(
    spec: AnalysisSpec, met: Mapping[str, str], base: pd.DataFrame, outcome: str
) -> object:
    """The outcome that a composite event makes: declared, or of a flag the one without response."""
    if COMPOSITE not in met.values():
        return None
    if spec.composite is not None:
        return spec.composite
    if not hasattr(spec, "event") or not hasattr(spec, "missing"):
        raise SpecError(
            f"{COMPOSITE!r} needs composite =, the outcome that the event makes: a failure's "
            f"value of {outcome!r}."
        )
    event = spec.event
    others = [label for label in base[outcome].dropna().unique().tolist() if label != event]
    if len(others) == 1:
        return others[0]
    raise SpecError(
        f"{COMPOSITE!r}: which value of {outcome!r} is no response? It has {_listed(others)} "
        f"beside {event!r}; give composite =."
    )


def _for_imputation(
    spec: AnalysisSpec,
    record: IntercurrentEvents,
    kept: pd.DataFrame,
    roles: EventRoles,
    met: Mapping[str, str],
) -> pd.DataFrame | None:
    """Where imputation by strategy begins: at the events met by hypothetical or treatment policy.

    `events` of the analysis may name an imputation strategy for each; left out, all follow the
    analysis's own.
    """
    if "events" not in type(spec).model_fields:
        return None
    given = getattr(spec, "events", None)
    usable = [label for label, how in met.items() if how in (HYPOTHETICAL, TREATMENT_POLICY)]
    if not isinstance(given, Mapping):
        given = dict.fromkeys(usable)
    without = [how for how in usable if met[how] == HYPOTHETICAL and how not in given]
    if without:
        raise SpecError(
            f"events has no imputation strategy for {without[0]!r}, which is met by "
            f"{HYPOTHETICAL!r}; it names {_listed(given)}. Left out altogether, events follow "
            "strategy =."
        )
    for label in given:
        if label not in usable:
            raise SpecError(
                f"events names {label!r}; imputed are outcomes after an event met by "
                f"{HYPOTHETICAL!r} or {TREATMENT_POLICY!r}: {_listed(usable)}."
            )
    visit = str(roles.visit)
    within = record.within(
        subjects=set(kept[roles.subject].tolist()), visits=set(kept[visit].tolist())
    )
    events = within.for_imputation(visit, given)
    return events if events["strategy"].notna().any() else events.drop(columns="strategy")


def _listed(labels: Iterable[object]) -> str:
    return ", ".join(map(repr, labels)) or "none"
