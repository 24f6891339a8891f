"""The report of a plan: each analysis with its estimand, its tables, its figure and notes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from trialkit.errors import SpecError
from trialkit.figures.saving import svg_bytes
from trialkit.plan import AnalysisResult, PlanRun
from trialkit.plan.analysis import Picture, ResultTable
from trialkit.plan.frame_table import FrameTable
from trialkit.plan.provenance import versions
from trialkit.report.cells import TextTable, further, readable
from trialkit.report.html import (
    Group,
    Html,
    definitions,
    element,
    figure,
    join,
    link_list,
    page,
    section,
    table,
)
from trialkit.report.rounding import ROUNDING_RULE
from trialkit.results import EstimateTable, TestTable

__all__ = ["plan_figures", "plan_page"]

# A longer table (a grid of deltas, a listing of events) is begun; results.json has it whole.
MOST_ROWS, SHOWN_ROWS = 60, 25

_TABLE_NAMES = {
    "contrasts": "Differences between arms",
    "lsmeans": "Least-squares means",
    "coefficients": "Coefficients",
    "type3": "Type III tests",
    "covariance": "Covariance of the visits",
    "fit": "Fit",
    "estimates": "Estimates",
    "tests": "Tests",
    "summary": "Summary statistics",
    "intercurrent": "Intercurrent events",
    "listing": "Listing of events",
    "counts": "Subjects with an event",
    "flow": "Flow of participants",
    "disposition": "Disposition",
    "differences": "Differences between arms",
    "rates": "Rates",
    "survival": "Curves",
    "median": "Medians",
    "proportional_hazards": "Tests of proportional hazards",
    "patterns": "Patterns of missing visits",
    "by_visit": "Missing by visit",
    "trajectories": "Means by last observed visit",
    "grid": "Effects by delta",
    "border": "Tipping points",
    "sensitivity": "Sensitivity to the limits",
    "variance": "Variance components",
}
_ATTRIBUTES = {
    "treatment": "Treatment",
    "population": "Population",
    "variable": "Variable",
    "intercurrent": "Intercurrent events",
    "summary": "Summary measure",
}


def plan_figures(run: PlanRun) -> dict[str, bytes]:
    """The figures of each analysis: file name to SVG.

    A method has pictures of its own (the flow of participants, a tipping map), or else its main
    table of estimates has one. A table that mixes scales (a difference beside odds ratios) has
    no common axis, and no plot.
    """
    figures = {}
    for number, result in enumerate(run.analyses, start=1):
        for name, _, draw in _pictures(number, result):
            try:
                figures[name] = svg_bytes(draw)
            except SpecError:  # the result says that it has no picture of its own
                continue
    return figures


def _pictures(number: int, result: AnalysisResult) -> list[tuple[str, str, Picture]]:
    """File name, caption and what draws it."""
    stem = f"figure-{_slug(number, result)}"
    main = next(iter(result.tables.values()), None)
    if result.pictures:
        return [
            (f"{stem}{f'-{k}' if k > 1 else ''}.svg", caption, draw)
            for k, (caption, draw) in enumerate(result.pictures.items(), start=1)
        ]
    if isinstance(main, EstimateTable) and len(main) > 0:
        caption = f"Estimates with confidence intervals: {result.name}"
        return [(f"{stem}.svg", caption, main.plot)]
    return []


def plan_page(run: PlanRun, figures: Mapping[str, bytes]) -> str:
    """The whole report as one self-contained page; `figures` as `plan_figures` gives them."""
    header = run.plan.header
    study = f"Study {header.study}. " if header.study else ""
    lead = [
        element("p", f"{study}Plan {run.plan.path.name}.", attributes={"class": "lead"}),
        *_failures(run),
        link_list(
            "Analyses",
            [
                (f"analysis-{number}", result.name if result.status == "ok" else _failed(result))
                for number, result in enumerate(run.analyses, start=1)
            ],
        ),
    ]
    body = [
        section(
            f"analysis-{number}",
            result.name,
            _analysis(number, result, figures),
        )
        for number, result in enumerate(run.analyses, start=1)
    ]
    return page(title=header.title, lead=lead, body=body, foot=_foot(run))


def _failures(run: PlanRun) -> Iterator[Html]:
    if run.failed:
        count = f"{len(run.failed)} of {len(run.analyses)} analyses failed: "
        names = ", ".join(result.name for result in run.failed)
        yield element("p", f"{count}{names}.", attributes={"class": "bad"})


def _failed(result: AnalysisResult) -> str:
    return f"{result.name} (failed)"


def _analysis(number: int, result: AnalysisResult, figures: Mapping[str, bytes]) -> Iterator[Html]:
    estimand = result.estimand
    events = "; ".join(f"{event}: {rule}" for event, rule in estimand.intercurrent.items())
    texts = {
        "treatment": estimand.treatment,
        "population": estimand.population,
        "variable": estimand.variable,
        "intercurrent": events or "none",
        "summary": estimand.summary,
    }
    yield definitions([(_ATTRIBUTES[key], text) for key, text in texts.items()])
    said = [("Events", text) for text in result.events]
    yield definitions([("Method", _call(result)), ("Rows", result.selection), *said])
    for warning in result.warnings:
        yield element("p", warning, attributes={"class": "note"})
    if result.status != "ok":
        yield element("p", f"No result. {result.status}", attributes={"class": "bad"})
    drawn = [
        figure(figures[name], text=_in_words(result, caption), caption=caption)
        for name, caption, _ in _pictures(number, result)
        if name in figures
    ]
    tables = [_table(which, found) for which, found in result.tables.items()]
    # A flow or a map is the result, and its numbers are to be looked up; a forest plot is not.
    yield from (*drawn, *tables) if result.pictures else (*tables, *drawn)


def _call(result: AnalysisResult) -> str:
    """The method with its arguments, as they would be typed."""
    given = [f"{key} = {value!r}" for key, value in result.arguments.items() if value is not None]
    return f"{result.method}({', '.join(given)})"


def _table(which: str, found: ResultTable) -> Html:
    name = _TABLE_NAMES.get(which, which)
    of = f": {found.variable}" if found.variable else ""
    parts = [_drawn(f"{name}{of}", readable(found)), *_methods(found)]
    extras = further(found)
    if extras is not None:
        parts.append(_drawn(f"{name}, further figures{of}", extras))
    return join(parts)


def _drawn(caption: str, cells: TextTable) -> Html:
    rows, n_rows = cells.rows, len(cells.rows)
    if n_rows > MOST_ROWS:
        rows, caption = rows[:SHOWN_ROWS], f"{caption} (the first {SHOWN_ROWS} of {n_rows} rows)"
    return table(
        caption=caption,
        headings=cells.headings,
        groups=[Group(rows=rows)],
        is_number=cells.is_number,
        n_keys=cells.n_keys,
    )


def _methods(found: ResultTable) -> Iterator[Html]:
    """What the numbers of a table are: each method once, and how to read a ratio."""
    frame = found.frame()
    said = [f"{method}." for method in frame["method"].unique().tolist()]
    if "scale" in frame and "ratio" in set(frame["scale"]):
        said.append(
            "Ratios and their limits are on the original scale; SE and statistic on the log."
        )
    if isinstance(found, EstimateTable | TestTable | FrameTable):
        said += found.notes
    for text in said:
        yield element("p", text, attributes={"class": "note"})


def _in_words(result: AnalysisResult, caption: str) -> str:
    """What a figure shows, for those who do not see it."""
    if result.pictures:
        return f"{caption}. The numbers are in the tables below."
    cells = readable(next(iter(result.tables.values())))
    rows = []
    for row in cells.rows:
        numbers = zip(cells.headings[cells.n_keys :], row[cells.n_keys :], strict=True)
        shown = [f"{name} {text}" for name, text in numbers if name == "Estimate" or "CI" in name]
        rows.append(f"{' '.join(row[: cells.n_keys])}: {', '.join(shown)}")
    return ". ".join(rows)


def _slug(number: int, result: AnalysisResult) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", result.name.lower()).strip("-")
    return f"{number:02d}-{plain[:40].strip('-')}"


def _foot(run: PlanRun) -> Iterator[Html]:
    yield element("p", ROUNDING_RULE + " results.json holds them unrounded.")
    seed = run.plan.header.seed
    items = [("Plan, SHA-256", run.plan.sha256)]
    items += [
        (f"Data {source.name}", f"{source.file}, {source.n_rows} rows, SHA-256 {source.sha256}")
        for source in run.sources
    ]
    items.append(("Seed", "none" if seed is None else str(seed)))
    items.append(("Versions", ", ".join(f"{name} {text}" for name, text in versions().items())))
    yield definitions(items)
