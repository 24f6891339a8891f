"""`trialkit run`: a plan carried out, its results written and summed up."""

from __future__ import annotations

from pathlib import Path

from trialkit.cli.files import MANIFEST, write_run
from trialkit.cli.terminal import progress_console, say
from trialkit.plan import AnalysisResult, load_plan, manifest_json, results_json, run_plan
from trialkit.report.cells import TextTable, readable
from trialkit.report.plan_page import plan_figures, plan_page

__all__ = ["row_name", "run_file"]

# A grid of deltas or a listing is for the files, not for the terminal.
SHOWN_ROWS = 40


def run_file(path: Path, *, out: Path, workers: int) -> bool:
    """Run the plan and write its outputs; whether every analysis has a result."""
    plan = load_plan(path)
    with progress_console().status("reading the data") as status:
        run = run_plan(
            plan,
            workers=workers,
            progress=lambda done, total, name: status.update(f"{done} of {total}: {name}"),
        )
        status.update("drawing")
        figures = plan_figures(run)
        outputs = {
            "results.json": results_json(run),
            "report.html": plan_page(run, figures).encode("utf-8"),
            **figures,
        }
        write_run(out, outputs, manifest_json(run, outputs))
    for result in run.analyses:
        _print(result)
    say(f"Written to {out}: {', '.join([*outputs, MANIFEST])}")
    return not run.failed


def _print(result: AnalysisResult) -> None:
    """The main table of an analysis, a line a row."""
    say(f"{result.name} ({result.method})")
    if result.status != "ok":
        say(f"  failed: {result.status}")
        return
    cells = readable(result.table())
    for row in cells.rows[:SHOWN_ROWS]:
        numbers = zip(cells.headings[cells.n_keys :], row[cells.n_keys :], strict=True)
        shown = ", ".join(f"{name} {text}" for name, text in numbers if text)
        say(f"  {row_name(cells, row)}: {shown}")
    if len(cells.rows) > SHOWN_ROWS:
        say(f"  ... {len(cells.rows) - SHOWN_ROWS} more rows, in results.json")


def row_name(cells: TextTable, row: tuple[str, ...]) -> str:
    """What the row is about; a number (a day, a delta) says what it is the number of."""
    keys = zip(cells.headings, row, cells.is_number, strict=True)
    named = [f"{name} {text}" if number else text for name, text, number in keys]
    return " ".join(text for text in named[: cells.n_keys] if text)
