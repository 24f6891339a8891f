"""The methods a plan may name: one table; a new method is a module and a row.

Each module holds a family: the models of its methods' arguments, by the names of the public
functions, and the functions that run them. The analyses are imported when they are run, so
that a plan is loaded and checked in itself without them.
"""

from __future__ import annotations

from trialkit.plan.analysis import Method
from trialkit.plan.methods import (
    all_arms,
    crossover,
    dropout,
    imputation,
    linear,
    panels,
    participation,
    repeated,
    responders,
    two_arms,
)

__all__ = ["METHODS"]

METHODS: dict[str, Method] = {
    "ancova": Method(linear.Ancova, linear.run_ancova),
    "mmrm": Method(repeated.Mmrm, repeated.run_mmrm),
    "compare_panel": Method(panels.ComparePanel, panels.run_compare_panel),
    "ttest": Method(two_arms.TTest, two_arms.run_ttest),
    "rank_sum": Method(two_arms.RankSum, two_arms.run_rank_sum),
    "effect_size": Method(two_arms.EffectSize, two_arms.run_effect_size),
    "van_elteren": Method(two_arms.VanElteren, two_arms.run_van_elteren),
    "variance_ratio": Method(two_arms.VarianceRatio, two_arms.run_variance_ratio),
    "responders": Method(responders.Responders, responders.run_responders),
    "quade": Method(all_arms.Quade, all_arms.run_quade),
    "one_way_anova": Method(all_arms.OneWayAnova, all_arms.run_one_way_anova),
    "welch_anova": Method(all_arms.WelchAnova, all_arms.run_welch_anova),
    "kruskal_wallis": Method(all_arms.KruskalWallis, all_arms.run_kruskal_wallis),
    "levene": Method(all_arms.Levene, all_arms.run_levene),
    "shapiro_wilk": Method(all_arms.ShapiroWilk, all_arms.run_shapiro_wilk),
    "crossover": Method(crossover.Crossover, crossover.run_crossover),
    "crossover_rank": Method(crossover.CrossoverRank, crossover.run_crossover_rank),
    "crossover_binary": Method(crossover.CrossoverBinary, crossover.run_crossover_binary),
    "crossover_gee": Method(crossover.CrossoverGee, crossover.run_crossover_gee),
    "bioequivalence": Method(crossover.Bioequivalence, crossover.run_bioequivalence),
    "rsabe": Method(crossover.Rsabe, crossover.run_rsabe),
    "n_of_1": Method(crossover.NOf1, crossover.run_n_of_1),
    "phase_contrast": Method(crossover.PhaseContrast, crossover.run_phase_contrast),
    "summarize": Method(all_arms.Summarize, all_arms.run_summarize),
    "reference_based": Method(
        imputation.ReferenceBased, imputation.run_reference_based, further="events"
    ),
    "pattern_mixture": Method(imputation.PatternMixture, imputation.run_pattern_mixture),
    "locf_sensitivity": Method(imputation.LocfSensitivity, imputation.run_locf_sensitivity),
    "tipping_point": Method(
        imputation.TippingPoint, imputation.run_tipping_point, further="events"
    ),
    "compare_variances": Method(
        imputation.CompareVariances, imputation.run_compare_variances, further="events"
    ),
    "crossover_reference_based": Method(
        imputation.CrossoverReferenceBased, imputation.run_crossover_reference_based
    ),
    "consort": Method(participation.Consort, participation.run_consort, further="analysed"),
    "missing_patterns": Method(participation.MissingPatterns, participation.run_missing_patterns),
    "intercurrent_events": Method(
        participation.IntercurrentEvents, participation.run_intercurrent_events
    ),
    "kaplan_meier": Method(dropout.KaplanMeier, dropout.run_kaplan_meier),
    "logrank": Method(dropout.Logrank, dropout.run_logrank),
    "cox": Method(dropout.Cox, dropout.run_cox),
    "cause_specific": Method(dropout.CauseSpecific, dropout.run_cause_specific),
    "rmst": Method(dropout.Rmst, dropout.run_rmst),
    "cumulative_incidence": Method(dropout.CumulativeIncidence, dropout.run_cumulative_incidence),
    "gray_test": Method(dropout.GrayTest, dropout.run_gray_test),
    "fine_gray": Method(dropout.FineGray, dropout.run_fine_gray),
    "disposition": Method(dropout.Disposition, dropout.run_disposition),
    "ae_withdrawal": Method(dropout.AeWithdrawal, dropout.run_ae_withdrawal),
    "predict_dropout": Method(dropout.PredictDropout, dropout.run_predict_dropout),
    "little_mcar": Method(dropout.LittleMcar, dropout.run_little_mcar),
}
