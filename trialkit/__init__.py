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
    from trialkit.analyses.compare_variances import compare_variances
    from trialkit.analyses.crossover_imputation import crossover_reference_based
    from trialkit.analyses.descriptive import summarize
    from trialkit.analyses.effect_size import effect_size
    from trialkit.analyses.mmrm import mmrm
    from trialkit.analyses.omnibus import (
        kruskal_wallis,
        levene,
        one_way_anova,
        shapiro_wilk,
        welch_anova,
    )
    from trialkit.analyses.pattern_mixture import pattern_mixture
    from trialkit.analyses.pool_rubin import pool_rubin, pool_rubin_test
    from trialkit.analyses.quade import quade
    from trialkit.analyses.rank_sum import rank_sum
    from trialkit.analyses.reference_based import reference_based
    from trialkit.analyses.responders import responders
    from trialkit.analyses.risk_ratio import risk_ratio
    from trialkit.analyses.tipping_point import tipping_point
    from trialkit.analyses.ttest import ttest
    from trialkit.analyses.van_elteren import van_elteren
    from trialkit.analyses.variance_ratio import variance_ratio
    from trialkit.data.reading import read
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
    "ancova",
    "check",
    "compare_variances",
    "crossover_reference_based",
    "effect_size",
    "kruskal_wallis",
    "levene",
    "mmrm",
    "one_way_anova",
    "pattern_mixture",
    "pool_rubin",
    "pool_rubin_test",
    "populations",
    "quade",
    "randomize",
    "randomize_crossover",
    "rank_sum",
    "read",
    "reference_based",
    "responders",
    "risk_ratio",
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
    "ancova": "analyses.ancova",
    "check": "design.check",
    "compare_variances": "analyses.compare_variances",
    "crossover_reference_based": "analyses.crossover_imputation",
    "effect_size": "analyses.effect_size",
    "kruskal_wallis": "analyses.omnibus",
    "levene": "analyses.omnibus",
    "mmrm": "analyses.mmrm",
    "one_way_anova": "analyses.omnibus",
    "pattern_mixture": "analyses.pattern_mixture",
    "pool_rubin": "analyses.pool_rubin",
    "pool_rubin_test": "analyses.pool_rubin",
    "populations": "design.populations",
    "quade": "analyses.quade",
    "randomize": "design.randomization",
    "randomize_crossover": "design.randomization",
    "rank_sum": "analyses.rank_sum",
    "read": "data.reading",
    "reference_based": "analyses.reference_based",
    "responders": "analyses.responders",
    "risk_ratio": "analyses.risk_ratio",
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
