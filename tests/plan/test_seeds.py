"""A seed is given where chance enters, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from plan.tiny import ESTIMAND, HEAD, write_plan

from trialkit.plan import load_plan
from trialkit.plan.analysis import AnalysisSpec
from trialkit.plan.compile import resolve
from trialkit.plan.methods import METHODS
from trialkit.plan.seeds import analysis_seed

IMPUTED = 'method = "METHOD"\nformula = "CHG ~ TRT01P*AVISIT"\n'
PANEL = (
    'method = "compare_panel"\nanalyte = "AVISIT"\nvalue = "CHG"\ndesign = "parallel"\n'
    'condition = "TRT01P"\n'
)


def test_every_method_with_a_seed_says_when_it_draws() -> None:
    for name, method in METHODS.items():
        if "rng" in method.spec.model_fields:
            assert method.spec.draws is not AnalysisSpec.draws, name


@pytest.mark.parametrize(
    ("body", "draws"),
    [
        (IMPUTED.replace("METHOD", "reference_based"), False),
        (IMPUTED.replace("METHOD", "reference_based") + 'variance = "bootstrap"', True),
        (IMPUTED.replace("METHOD", "tipping_point") + "deltas = [0, 1]", False),
        (IMPUTED.replace("METHOD", "tipping_point") + 'deltas = [0]\nvariance = "rubin"', True),
        (IMPUTED.replace("METHOD", "compare_variances"), True),
        (PANEL, False),
        (PANEL + 'adjust = "maxt"', True),
    ],
)
def test_the_plan_gives_a_seed_where_chance_enters(tmp_path: Path, body: str, draws: bool) -> None:
    text = f'\n[[analysis]]\nname = "one"\n{body}\n{ESTIMAND}'
    plan = load_plan(write_plan(tmp_path, HEAD + text))
    expected = analysis_seed(7, "one") if draws else None
    assert resolve(plan, plan.analyses[0]).rng == expected
    unseeded = load_plan(write_plan(tmp_path, HEAD.replace("seed = 7\n", "") + text))
    assert resolve(unseeded, unseeded.analyses[0]).rng is None


def test_names_and_seeds_give_other_seeds() -> None:
    found = {analysis_seed(seed, name) for seed in (0, 1, 2**62) for name in ("a", "b", "a b")}
    assert len(found) == 9
    assert all(0 <= seed < 2**63 for seed in found)
