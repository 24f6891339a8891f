"""The analysis plan as a file: loaded, checked against its data, run, and its results kept."""

from trialkit.plan.analysis import AnalysisSpec
from trialkit.plan.ard import results_json
from trialkit.plan.checking import Finding, check_plan
from trialkit.plan.estimand import Estimand
from trialkit.plan.loading import load_plan
from trialkit.plan.provenance import manifest_json
from trialkit.plan.running import AnalysisResult, PlanRun, run_plan
from trialkit.plan.schema import Plan

__all__ = [
    "AnalysisResult",
    "AnalysisSpec",
    "Estimand",
    "Finding",
    "Plan",
    "PlanRun",
    "check_plan",
    "load_plan",
    "manifest_json",
    "results_json",
    "run_plan",
]
