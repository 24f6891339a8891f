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
