"""Every bundled plan runs from file to page."""

from __future__ import annotations

from pathlib import Path

import pytest

from trialkit.plan import load_plan, run_plan
from trialkit.report.plan_page import plan_figures, plan_page
from trialkit.studies.fixtures import fixtures_root

PLANS = sorted(Path(str(fixtures_root())).glob("*/plan.toml"))


def test_there_are_plans() -> None:
    assert {"final2024", "innova2026", "younger2013"} <= {path.parent.name for path in PLANS}


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.parent.name)
def test_a_bundled_plan_makes_its_page(path: Path) -> None:
    run = run_plan(load_plan(path))
    assert not run.failed
    figures = plan_figures(run)
    page = plan_page(run, figures)
    assert all(analysis.name in page.replace("&gt;", ">") for analysis in run.analyses)


def test_a_table_that_mixes_scales_has_no_figure() -> None:
    (path,) = [path for path in PLANS if path.parent.name == "younger2013"]
    run = run_plan(load_plan(path))
    mixed = [
        number
        for number, analysis in enumerate(run.analyses, start=1)
        if len(
            {row.scale for row in getattr(next(iter(analysis.tables.values())), "estimates", ())}
        )
        > 1
    ]
    assert mixed
    drawn = {int(name.split("-")[1]) for name in plan_figures(run)}
    assert not drawn & set(mixed)
    assert drawn
