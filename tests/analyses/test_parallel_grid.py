"""No analysis of the parallel reference cases goes without a test, and none is tested in name only.

A new analysis in a case fails here until a module covers it; an analysis that leaves a case
fails here until its entry goes too.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from reference.loader import reference_case

ANCOVA = "test_ancova_reference"
COVERED_BY = {
    "parallel/a_two_arm_week12": {
        "descriptive": "test_descriptive",
        "student_t": "test_ttest",
        "welch_t": "test_ttest",
        "ancova_chg": ANCOVA,
        "ancova_aval": ANCOVA,
        "ancova_robust": ANCOVA,
        "ancova_interaction": ANCOVA,
        "wilcoxon_exact": "test_rank_sum",
        "wilcoxon_asymptotic": "test_rank_sum",
        "wilcoxon_ties_nrsint": "test_rank_sum",
        "effect_size": "test_effect_size",
        "quade_rank_ancova": "test_quade",
        "variance_tests": "test_variance_ratio",
    },
    "parallel/b_three_arm_strata": {
        "ancova": ANCOVA,
        "lsmeans_equal": ANCOVA,
        "lsmeans_proportional": ANCOVA,
        "pairwise_unadjusted": ANCOVA,
        "pairwise_tukey": ANCOVA,
        "dunnett_two_sided": ANCOVA,
        "dunnett_one_sided_less": ANCOVA,
        "dunnett_step_down": ANCOVA,
        "adjusted_vs_control": ANCOVA,
        "adjusted_pairwise": ANCOVA,
        "adjusted_ten_p": ANCOVA,
        "type3": ANCOVA,
        "type2": ANCOVA,
        "type3_interaction": ANCOVA,
        "lsmeans_interaction": ANCOVA,
        "contrasts": ANCOVA,
        "oneway": "test_omnibus",
        "welch_anova": "test_omnibus",
        "kruskal": "test_omnibus",
        "van_elteren": "test_van_elteren",
    },
}


@pytest.mark.reference
@pytest.mark.parametrize("case", COVERED_BY)
def test_every_analysis_of_the_case_has_a_module(case: str) -> None:
    assert set(reference_case(case).analyses) == set(COVERED_BY[case])


@pytest.mark.parametrize("case", COVERED_BY)
def test_each_module_names_its_analyses(case: str) -> None:
    for analysis, module in COVERED_BY[case].items():
        source = (Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8")
        named = re.search(rf"[\"']{analysis}[\"']|f\"{analysis.rpartition('_')[0]}_{{", source)
        assert named, f"{module} does not read {analysis!r}"
