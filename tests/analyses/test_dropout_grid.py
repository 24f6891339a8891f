"""No analysis of the dropout reference case goes without a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from analyses.survival_frames import CASE, PARAMETERS
from reference.loader import reference_case

TIMES_TO_EVENT = {
    "km": "test_kaplan_meier",
    "quantiles": "test_kaplan_meier",
    "nelson_aalen": "test_kaplan_meier",
    "km_difference": "test_kaplan_meier",
    "logrank": "test_logrank",
    "peto_prentice_rho1": "test_logrank",
    "logrank_stratified": "test_logrank",
    "rho1_stratified": "test_logrank",
    "gehan": "test_logrank",
    "tarone_ware": "test_logrank",
    "fleming_harrington_0_1": "test_logrank",
    "fleming_harrington_1_1": "test_logrank",
    "cox_unadjusted_efron": "test_cox",
    "cox_unadjusted_breslow": "test_cox",
    "cox_unadjusted_exact": "test_cox",
    "cox_efron": "test_cox",
    "cox_breslow": "test_cox",
    "cox_stratified_efron": "test_cox",
    "cox_stratified_breslow": "test_cox",
    "cox_efron_robust": "test_cox",
    "schoenfeld": "test_cox",
    "baseline_hazard": "test_cox",
    "rmst_tau_84": "test_rmst",
    "rmst_tau_160": "test_rmst",
}
COMPETING = {
    "cumulative_incidence": "test_competing_risks",
    "gray_test": "test_competing_risks",
    "gray_test_stratified": "test_competing_risks",
    "fine_gray": "test_competing_risks",
    "cause_specific_cox": "test_cox",
}
SINGLE = {"logistic_dropout": "test_predict_dropout", "reasons": "test_disposition"}


@pytest.mark.reference
def test_every_analysis_of_the_case_has_a_module() -> None:
    analyses = reference_case(CASE).analyses
    groups = {parameter.lower() for parameter in PARAMETERS}
    assert set(analyses) == {*groups, "competing_risks", *SINGLE}
    for group in groups:
        assert set(analyses[group]) == set(TIMES_TO_EVENT)
    assert set(analyses["competing_risks"]) == set(COMPETING)


@pytest.mark.parametrize("analysis", [*TIMES_TO_EVENT, *COMPETING, *SINGLE])
def test_each_module_names_its_analyses(analysis: str) -> None:
    module = {**TIMES_TO_EVENT, **COMPETING, **SINGLE}[analysis]
    source = (Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8")
    # The horizons are read from the case: every "rmst_tau_..." of it is a parameter.
    named = analysis.rstrip("0123456789") if analysis.startswith("rmst_tau_") else analysis
    assert re.search(rf"[\"']{named}[\"']", source), f"{module} does not read {analysis!r}"
