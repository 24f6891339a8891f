"""The results of a run as rows of single statistics (results.json).

    {"schema": "trialkit-results/1", "title": ..., "study": ...,
     "analyses": [{"name", "method", "arguments", "estimand", "selection", "events", "status"},
                  ...],
     "rows": [...]}

A row has `analysis` and `table` (which table of which analysis), then the columns of
`to_ard()`: `group1, group1_level, ...` for the keys of the table, `variable, stat_name,
stat_label, stat, method, warning, error`. Numbers are not rounded; NaN is null, an infinite
limit "Inf" or "-Inf". An analysis that failed has one row with a null `stat` and its `error`.
"""

from __future__ import annotations

from typing import Any

from trialkit.plan.json_text import json_bytes
from trialkit.plan.running import AnalysisResult, PlanRun

__all__ = ["RESULTS_SCHEMA", "results_json"]

RESULTS_SCHEMA = "trialkit-results/1"


def results_json(run: PlanRun) -> bytes:
    """All tables of a run, in the plan's order, as bytes of JSON."""
    header = run.plan.header
    return json_bytes(
        {
            "schema": RESULTS_SCHEMA,
            "title": header.title,
            "study": header.study,
            "analyses": [_about(result) for result in run.analyses],
            "rows": [row for result in run.analyses for row in _rows(result)],
        }
    )


def _about(result: AnalysisResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "method": result.method,
        "arguments": result.arguments,
        "estimand": result.estimand.model_dump(),
        "selection": result.selection,
        "events": result.events,
        "status": result.status,
    }


def _rows(result: AnalysisResult) -> list[dict[str, Any]]:
    first = {"analysis": result.name}
    if result.status != "ok":
        nothing = dict.fromkeys(("table", "variable", "stat_name", "stat_label", "stat", "method"))
        said = _joined(None, result.warnings)
        return [{**first, **nothing, "warning": said, "error": result.status}]
    rows = []
    for which, table in result.tables.items():
        for record in table.to_ard().to_dict("records"):
            named = {str(key): value for key, value in record.items()}
            named["warning"] = _joined(named["warning"], result.warnings)
            rows.append({**first, "table": which, **named})
    return rows


def _joined(note: object, warnings: tuple[str, ...]) -> str | None:
    own = [note] if isinstance(note, str) else []
    return " ".join([*own, *warnings]) or None
