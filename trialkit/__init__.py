"""trialkit: analysis of placebo-controlled clinical trials, parallel and crossover.

The table of contents. Every name is imported from its module on first use, so that
`import trialkit` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module

# Type checkers take this name for true; importing it from `typing` would cost more than all
# the rest of this file.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from trialkit import studies
    from trialkit.analyses.ancova import ancova
    from trialkit.analyses.bioequivalence import bioequivalence
    from trialkit.analyses.compare_variances import compare_variances
    from trialkit.analyses.competing_risks import cumulative_incidence, fine_gray, gray_test
    from trialkit.analyses.consort import consort
    from trialkit.analyses.cox import cause_specific, cox
    from trialkit.analyses.crossover import crossover
    from trialkit.analyses.crossover_binary import crossover_binary
    from trialkit.analyses.crossover_gee import crossover_gee
    from trialkit.analyses.crossover_imputation import crossover_reference_based
    from trialkit.analyses.crossover_rank import crossover_rank
    from trialkit.analyses.descriptive import summarize
    from trialkit.analyses.disposition import ae_withdrawal, disposition
    from trialkit.analyses.effect_size import effect_size
    from trialkit.analyses.intercurrent_events import intercurrent_events
    from trialkit.analyses.kaplan_meier import kaplan_meier
    from trialkit.analyses.little_mcar import little_mcar
    from trialkit.analyses.locf_sensitivity import locf_sensitivity
    from trialkit.analyses.logrank import logrank
    from trialkit.analyses.missing_patterns import missing_patterns
    from trialkit.analyses.mmrm import mmrm
    from trialkit.analyses.n_of_1 import n_of_1
    from trialkit.analyses.omnibus import (
        kruskal_wallis,
        levene,
        one_way_anova,
        shapiro_wilk,
        welch_anova,
    )
    from trialkit.analyses.panel import compare_panel
    from trialkit.analyses.pattern_mixture import pattern_mixture
    from trialkit.analyses.phase_contrast import phase_contrast
    from trialkit.analyses.pool_rubin import pool_rubin, pool_rubin_test
    from trialkit.analyses.predict_dropout import predict_dropout
    from trialkit.analyses.quade import quade
    from trialkit.analyses.rank_sum import rank_sum
    from trialkit.analyses.reference_based import reference_based
    from trialkit.analyses.responders import responders
    from trialkit.analyses.risk_ratio import risk_ratio
    from trialkit.analyses.rmst import rmst
    from trialkit.analyses.rsabe import rsabe
    from trialkit.analyses.tipping_point import tipping_point
    from trialkit.analyses.ttest import ttest
    from trialkit.analyses.van_elteren import van_elteren
    from trialkit.analyses.variance_ratio import variance_ratio
    from trialkit.data.npx import read_npx
    from trialkit.data.panel_reading import panel_long, read_luminex
    from trialkit.data.period_means import period_means
    from trialkit.data.reading import read
    from trialkit.data.replicates import assay_cv, average_replicates
    from trialkit.data.writing import write_csv
    from trialkit.data.xpt import write_xpt
    from trialkit.design.check import check
    from trialkit.design.crossover import Crossover
    from trialkit.design.parallel import Parallel
    from trialkit.design.populations import populations
    from trialkit.design.randomization import randomize, randomize_crossover
    from trialkit.errors import (
        ConvergenceError,
        DataError,
        DesignError,
        MissingExtraError,
        SpecError,
        TrialkitError,
        TrialkitWarning,
    )
    from trialkit.results import Estimate, EstimateTable, TestTable

__version__ = "0.1.0"

__all__ = [
    "ConvergenceError",
    "Crossover",
    "DataError",
    "DesignError",
    "Estimate",
    "EstimateTable",
    "MissingExtraError",
    "Parallel",
    "SpecError",
    "TestTable",
    "TrialkitError",
    "TrialkitWarning",
    "ae_withdrawal",
    "ancova",
    "assay_cv",
    "average_replicates",
    "bioequivalence",
    "cause_specific",
    "check",
    "compare_panel",
    "compare_variances",
    "consort",
    "cox",
    "crossover",
    "crossover_binary",
    "crossover_gee",
    "crossover_rank",
    "crossover_reference_based",
    "cumulative_incidence",
    "disposition",
    "effect_size",
    "fine_gray",
    "gray_test",
    "intercurrent_events",
    "kaplan_meier",
    "kruskal_wallis",
    "levene",
    "little_mcar",
    "locf_sensitivity",
    "logrank",
    "missing_patterns",
    "mmrm",
    "n_of_1",
    "one_way_anova",
    "panel_long",
    "pattern_mixture",
    "period_means",
    "phase_contrast",
    "pool_rubin",
    "pool_rubin_test",
    "populations",
    "predict_dropout",
    "quade",
    "randomize",
    "randomize_crossover",
    "rank_sum",
    "read",
    "read_luminex",
    "read_npx",
    "reference_based",
    "responders",
    "risk_ratio",
    "rmst",
    "rsabe",
    "shapiro_wilk",
    "studies",
    "summarize",
    "tipping_point",
    "ttest",
    "van_elteren",
    "variance_ratio",
    "welch_anova",
    "write_csv",
    "write_xpt",
]

_HOME = {
    "ConvergenceError": "errors",
    "Crossover": "design.crossover",
    "DataError": "errors",
    "DesignError": "errors",
    "Estimate": "results",
    "EstimateTable": "results",
    "MissingExtraError": "errors",
    "Parallel": "design.parallel",
    "SpecError": "errors",
    "TestTable": "results",
    "TrialkitError": "errors",
    "TrialkitWarning": "errors",
    "ae_withdrawal": "analyses.disposition",
    "ancova": "analyses.ancova",
    "assay_cv": "data.replicates",
    "average_replicates": "data.replicates",
    "bioequivalence": "analyses.bioequivalence",
    "cause_specific": "analyses.cox",
    "check": "design.check",
    "compare_panel": "analyses.panel",
    "compare_variances": "analyses.compare_variances",
    "consort": "analyses.consort",
    "cox": "analyses.cox",
    "crossover": "analyses.crossover",
    "crossover_binary": "analyses.crossover_binary",
    "crossover_gee": "analyses.crossover_gee",
    "crossover_rank": "analyses.crossover_rank",
    "crossover_reference_based": "analyses.crossover_imputation",
    "cumulative_incidence": "analyses.competing_risks",
    "disposition": "analyses.disposition",
    "effect_size": "analyses.effect_size",
    "fine_gray": "analyses.competing_risks",
    "gray_test": "analyses.competing_risks",
    "intercurrent_events": "analyses.intercurrent_events",
    "kaplan_meier": "analyses.kaplan_meier",
    "kruskal_wallis": "analyses.omnibus",
    "levene": "analyses.omnibus",
    "little_mcar": "analyses.little_mcar",
    "locf_sensitivity": "analyses.locf_sensitivity",
    "logrank": "analyses.logrank",
    "missing_patterns": "analyses.missing_patterns",
    "mmrm": "analyses.mmrm",
    "n_of_1": "analyses.n_of_1",
    "one_way_anova": "analyses.omnibus",
    "panel_long": "data.panel_reading",
    "pattern_mixture": "analyses.pattern_mixture",
    "period_means": "data.period_means",
    "phase_contrast": "analyses.phase_contrast",
    "pool_rubin": "analyses.pool_rubin",
    "pool_rubin_test": "analyses.pool_rubin",
    "populations": "design.populations",
    "predict_dropout": "analyses.predict_dropout",
    "quade": "analyses.quade",
    "randomize": "design.randomization",
    "randomize_crossover": "design.randomization",
    "rank_sum": "analyses.rank_sum",
    "read": "data.reading",
    "read_luminex": "data.panel_reading",
    "read_npx": "data.npx",
    "reference_based": "analyses.reference_based",
    "responders": "analyses.responders",
    "risk_ratio": "analyses.risk_ratio",
    "rmst": "analyses.rmst",
    "rsabe": "analyses.rsabe",
    "shapiro_wilk": "analyses.omnibus",
    "summarize": "analyses.descriptive",
    "tipping_point": "analyses.tipping_point",
    "ttest": "analyses.ttest",
    "van_elteren": "analyses.van_elteren",
    "variance_ratio": "analyses.variance_ratio",
    "welch_anova": "analyses.omnibus",
    "write_csv": "data.writing",
    "write_xpt": "data.xpt",
}


def __getattr__(name: str) -> object:
    if name == "studies":
        return import_module("trialkit.studies")
    if name in _HOME:
        value = getattr(import_module(f"trialkit.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'trialkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
