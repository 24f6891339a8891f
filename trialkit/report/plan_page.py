"""The report of a plan: each analysis with its estimand, its tables, its figure and notes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from trialkit.errors import SpecError
from trialkit.figures.saving import svg_bytes
from trialkit.plan import AnalysisResult, PlanRun
from trialkit.plan.analysis import ResultTable
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
}
_ATTRIBUTES = {
    "treatment": "Treatment",
    "population": "Population",
    "variable": "Variable",
    "intercurrent": "Intercurrent events",
    "summary": "Summary measure",
}


def plan_figures(run: PlanRun) -> dict[str, bytes]:
    """A forest plot of each analysis' main table of estimates: file name to SVG.

    A table that mixes scales (a difference beside odds ratios) has no common axis, and no plot.
    """
    figures = {}
    for number, result in enumerate(run.analyses, start=1):
        main = next(iter(result.tables.values()), None)
        if isinstance(main, EstimateTable) and len(main) > 0:
            try:
                figures[f"figure-{_slug(number, result)}.svg"] = svg_bytes(main.plot)
            except SpecError:  # the table says that it has no picture of its own
                continue
    return figures


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
            _analysis(result, figures.get(f"figure-{_slug(number, result)}.svg")),
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


def _analysis(result: AnalysisResult, svg: bytes | None) -> Iterator[Html]:
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
    yield definitions([("Method", _call(result)), ("Rows", result.selection)])
    for warning in result.warnings:
        yield element("p", warning, attributes={"class": "note"})
    if result.status != "ok":
        yield element("p", f"No result. {result.status}", attributes={"class": "bad"})
    for which, found in result.tables.items():
        yield _table(which, found)
    if svg is not None:
        name = f"Estimates with confidence intervals: {result.name}"
        main = next(iter(result.tables.values()))
        yield figure(svg, text=_in_words(main), caption=name)


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
    return table(
        caption=caption,
        headings=cells.headings,
        groups=[Group(rows=cells.rows)],
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
    if isinstance(found, EstimateTable | TestTable):
        said += found.notes
    for text in said:
        yield element("p", text, attributes={"class": "note"})


def _in_words(found: ResultTable) -> str:
    cells = readable(found)
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
