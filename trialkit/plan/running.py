"""A plan carried out: the same tables whatever the number of workers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from trialkit.errors import SpecError, TrialkitError
from trialkit.plan.analysis import Drawn, Picture, ResultTable
from trialkit.plan.compile import Task, compile_plan
from trialkit.plan.estimand import Estimand
from trialkit.plan.methods import METHODS
from trialkit.plan.reading import DataSource, read_data
from trialkit.plan.schema import Plan

__all__ = ["AnalysisResult", "PlanRun", "Progress", "run_plan"]

# Called with the number of analyses done, the number in all and the name of the last.
Progress: TypeAlias = Callable[[int, int, str], None]

MAX_WORKERS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisResult:
    """The tables of one analysis, the main one first.

    `arguments` are the method's, with the defaults of the plan filled in; `selection` counts
    the rows selected, `events` says what was done about intercurrent events, `warnings` are
    those that were given. `pictures` are those of a method that has its own, by caption. `status`
    is "ok", or the error of an analysis that failed in a plan with `keep_going`.
    """

    name: str
    method: str
    estimand: Estimand
    arguments: Mapping[str, object] = field(default_factory=dict)
    tables: Mapping[str, ResultTable] = field(default_factory=dict)
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    selection: str = ""
    events: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    status: str = "ok"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers needs to know: rows selected, events met, every warning."""
        return (self.selection, *self.events, *self.warnings)

    def table(self, which: str | None = None) -> ResultTable:
        """One table by name, or the main one; SpecError lists those there are."""
        if not self.tables:
            raise SpecError(f"Analysis {self.name!r} has no tables: {self.status}")
        if which is None:
            return next(iter(self.tables.values()))
        if which not in self.tables:
            raise SpecError(
                f"Analysis {self.name!r} has no table {which!r}; it has {', '.join(self.tables)}."
            )
        return self.tables[which]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRun:
    """A plan with the results of its analyses, in the plan's order, and what was read."""

    plan: Plan
    analyses: tuple[AnalysisResult, ...]
    sources: tuple[DataSource, ...]

    def analysis(self, name: str) -> AnalysisResult:
        """One analysis by name; SpecError lists those there are."""
        for result in self.analyses:
            if result.name == name:
                return result
        names = ", ".join(repr(result.name) for result in self.analyses)
        raise SpecError(f"The plan has no analysis {name!r}; it has {names}.")

    def table(self, name: str, which: str | None = None) -> ResultTable:
        """A table of the analysis `name`: "contrasts", "estimates", ...; None: the main one."""
        return self.analysis(name).table(which)

    @property
    def failed(self) -> tuple[AnalysisResult, ...]:
        """The analyses without a result, in a plan with `keep_going`."""
        return tuple(result for result in self.analyses if result.status != "ok")


def run_plan(plan: Plan, *, workers: int = 1, progress: Progress | None = None) -> PlanRun:
    """The results of every analysis of a plan, in its order.

    The data are read once. With `workers` above one the analyses run in as many processes;
    the linear algebra keeps to one thread everywhere, so that the numbers are the same to the
    last bit. An analysis that fails raises its error with its name in front, or, where the
    plan says `keep_going = true`, becomes a result without tables whose `status` says why.
    Raises SpecError or DataError where the plan does not fit its data: before anything is run.

    Example
    -------
    >>> import trialkit as tk
    >>> from trialkit.plan import run_plan
    >>> run = run_plan(tk.studies.load("final2024").plan)
    >>> row = run.table("unadjusted").single()
    >>> row.label, row.n, round(row.estimate, 2), round(row.p_value, 2)
    ('LDN 6 mg - Placebo', 99, -0.34, 0.27)
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise SpecError(f"workers={workers!r}; allowed: 1 to {MAX_WORKERS}.")
    frames, sources = read_data(plan)
    tasks = compile_plan(plan, frames)
    results = []
    for result in _results(tasks, workers=workers, keep_going=plan.header.keep_going):
        results.append(result)
        if progress is not None:
            progress(len(results), len(tasks), result.name)
    return PlanRun(plan=plan, analyses=tuple(results), sources=sources)


def _results(tasks: Sequence[Task], *, workers: int, keep_going: bool) -> Iterator[AnalysisResult]:
    n_workers = min(workers, len(tasks))
    if n_workers == 1:
        yield from (_run(task, keep_going) for task in tasks)
        return
    from joblib import Parallel, delayed

    pool = Parallel(n_jobs=n_workers, backend="loky", return_as="generator")
    yield from pool(delayed(_run)(task, keep_going) for task in tasks)


def _run(task: Task, keep_going: bool) -> AnalysisResult:
    from threadpoolctl import threadpool_limits

    spec, handled = task.spec, task.handled
    with threadpool_limits(limits=1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = Drawn(tables={}, pictures={})
        try:
            answer = _answer(task)
            status = "ok"
        except TrialkitError as problem:
            if not keep_going:
                raise type(problem)(f"Analysis {spec.name!r}: {problem}") from problem
            status = f"{type(problem).__name__}: {problem}"
    said = dict.fromkeys(f"{item.category.__name__}: {item.message}" for item in caught)
    return AnalysisResult(
        name=spec.name,
        method=spec.method,
        estimand=spec.estimand,
        arguments=spec.arguments(),
        tables=answer.tables,
        pictures=answer.pictures,
        selection=handled.selection,
        events=handled.said,
        warnings=tuple(said),
        status=status,
    )


def _answer(task: Task) -> Drawn:
    """The tables of the method, then the account of its intercurrent events."""
    method, handled = METHODS[task.spec.method], task.handled
    given = (getattr(handled, method.further),) if method.further else ()
    found = method.run(task.spec, handled.frame, *given)
    answer = found if isinstance(found, Drawn) else Drawn(tables=found, pictures={})
    if handled.table is None:
        return answer
    return Drawn(tables={**answer.tables, "intercurrent": handled.table}, pictures=answer.pictures)
