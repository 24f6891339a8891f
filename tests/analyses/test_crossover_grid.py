"""No analysis of the crossover reference cases goes without a test.

A new analysis in a case fails here until a module covers it; an analysis that leaves a case
fails here until its entry goes too.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from reference.loader import reference_case

LINEAR = "test_crossover_reference"
RANK = "test_crossover_rank"
BINARY = "test_crossover_binary"
EQUIVALENCE = "test_bioequivalence"
PHASES = "test_phase_contrast"

AB_BA = {
    "fixed_subject_all_rows": LINEAR,
    "fixed_subject_complete_pairs": LINEAR,
    "fixed_subject_base": LINEAR,
    "random_subject": LINEAR,
    "random_subject_base": LINEAR,
    "random_subject_no_sequence": LINEAR,
    "hills_armitage": LINEAR,
    "koch_wilcoxon": RANK,
    "ancova_of_differences": LINEAR,
    "paired_t_ignoring_period": LINEAR,
    "signed_rank_ignoring_period": RANK,
    "car_type3_lm": LINEAR,
    "mmrm_cs_satterthwaite": LINEAR,
    "mmrm_cs_kenward_roger": LINEAR,
}
WILLIAMS = {
    "fixed_no_carryover": LINEAR,
    "fixed_carryover": LINEAR,
    "random_no_carryover": LINEAR,
    "random_carryover": LINEAR,
}
COVERED_BY = {
    "crossover/a_ab_ba_complete": AB_BA,
    "crossover/b_ab_ba_missing": AB_BA,
    "crossover/c_williams_3x3": WILLIAMS,
    "crossover/d_williams_4x4": WILLIAMS,
    "crossover/e_replicate_rtrt_trtr": {
        "ema_method_a": EQUIVALENCE,
        "ema_method_b_satterthwaite": EQUIVALENCE,
        "ema_method_b_kenward_roger": EQUIVALENCE,
        "ema_method_b_containment": EQUIVALENCE,
        "variability": EQUIVALENCE,
        "abel_limits": EQUIVALENCE,
        "fda_rsabe": EQUIVALENCE,
        "replicatebe": EQUIVALENCE,
    },
    "crossover/f_binary_ab_ba": {
        "table_paired": BINARY,
        "mcnemar": BINARY,
        "mainland_gart": BINARY,
        "prescott": BINARY,
        "conditional_logistic": BINARY,
    },
    "crossover/g_fixed_sequence_diary": {
        "lme_ar1": PHASES,
        "gls_ar1": PHASES,
        "phase_means_paired_t": PHASES,
    },
}


# Made only where R has the package.
OPTIONAL = {
    "mmrm_cs_satterthwaite": "mmrm",
    "mmrm_cs_kenward_roger": "mmrm",
    "replicatebe": "replicateBE",
}


@pytest.mark.reference
@pytest.mark.parametrize("case", COVERED_BY)
def test_every_analysis_of_the_case_has_a_module(case: str) -> None:
    made = reference_case(case)
    expected = {
        name for name in COVERED_BY[case] if name not in OPTIONAL or OPTIONAL[name] in made.tools
    }
    assert set(made.analyses) == expected


@pytest.mark.parametrize("case", COVERED_BY)
def test_each_module_names_its_analyses(case: str) -> None:
    for analysis, module in COVERED_BY[case].items():
        source = (Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8")
        named = re.search(rf"{analysis}|f\"{analysis.partition('_cs_')[0]}_cs_{{", source)
        assert named, f"{module} does not read {analysis!r}"
