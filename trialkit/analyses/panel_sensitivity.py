"""One contrast under every censoring rule, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trialkit.analyses.choices import check_choice
from trialkit.analyses.panel_choices import CENSORING, PanelOptions
from trialkit.analyses.panel_fits import fit_contrast
from trialkit.analyses.panel_units import PanelUnits
from trialkit.errors import SpecError
from trialkit.results import Estimate, EstimateTable

__all__ = ["sensitivity_strip"]


def sensitivity_strip(
    units: Sequence[PanelUnits], options: PanelOptions, rules: Sequence[str], *, variable: str
) -> EstimateTable:
    """Keys analyte, contrast, censoring; the rules of an analyte stand together."""
    for rule in rules:
        check_choice("censoring", rule, CENSORING)
    rows: list[Estimate] = []
    keys: dict[str, list[object]] = {"analyte": [], "contrast": [], "censoring": []}
    censored: list[int] = []
    for item in units:
        by_rule = {rule: _under(item, options, rule) for rule in rules}
        for row, label in enumerate(item.analytes):
            for rule in rules:
                rows.append(by_rule[rule][row])
                keys["analyte"].append(label)
                keys["contrast"].append(item.contrast)
                keys["censoring"].append(rule)
                censored.append(int(item.n_censored[row]))
    return EstimateTable(
        estimates=tuple(rows),
        keys={name: tuple(values) for name, values in keys.items()},
        extras={"n_censored": tuple(censored)},
        variable=variable,
        notes=("Not adjusted for multiplicity; variances not moderated.",),
    )


def _under(units: PanelUnits, options: PanelOptions, rule: str) -> Sequence[Estimate]:
    plain = replace(
        options, censoring=rule, moderated=False, trend=False, robust=False, adjust="none"
    )
    try:
        return fit_contrast(units, plain).estimates
    except SpecError as problem:
        return [
            Estimate.undefined(
                label=str(label),
                status=str(problem),
                n=0,
                method=f"censoring={rule}",
                ci_level=options.ci_level,
            )
            for label in units.analytes
        ]
