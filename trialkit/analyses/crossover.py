"""The linear model of a crossover trial, subjects random or fixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import pandas as pd

from trialkit.analyses.choices import check_choice, check_flag
from trialkit.analyses.crossover_fit import CrossoverFit
from trialkit.analyses.crossover_fixed import fit_fixed
from trialkit.analyses.crossover_joint import check_joint, fit_joint
from trialkit.analyses.crossover_model import (
    BaselineUse,
    Carryover,
    Predictor,
    build_model,
    check_baseline,
    check_carryover,
    with_effects,
)
from trialkit.analyses.crossover_random import (
    DF_PHRASES,
    BoundaryWarning,
    RandomSubjects,
    fit_random,
)
from trialkit.analyses.crossover_rows import read_crossover
from trialkit.errors import SpecError

__all__ = ["BoundaryWarning", "CrossoverDf", "crossover"]

CrossoverDf = Literal["kenward-roger", "satterthwaite", "containment", "residual", "normal"]


def crossover(
    data: pd.DataFrame,
    *,
    outcome: str,
    subject: str,
    sequence: str,
    period: str,
    treatment: str,
    reference: object,
    subject_effect: Literal["random", "fixed"] = "random",
    period_effect: bool = True,
    sequence_effect: bool = True,
    carryover: Carryover = False,
    baseline: str | None = None,
    baseline_as: BaselineUse = "covariate",
    log: bool = False,
    measurement: str | None = None,
    variances: Literal["common", "by-treatment"] = "common",
    variance_bound: bool = True,
    df: CrossoverDf | None = None,
    information: Literal["observed", "expected"] = "observed",
    complete_cases: bool = False,
    period_order: str | Sequence[object] | None = None,
) -> CrossoverFit:
    """Difference between treatments within subjects, each treatment minus the reference.

    `data` has one row a subject and period (or several, see `measurement`); any design: AB/BA,
    replicate (ABB/BAA, RTRT/TRTR), Balaam, Williams and other Latin squares, incomplete blocks,
    unequal sequences. The model is outcome = treatment + period + sequence [+ measurement]
    [+ carryover] [+ baseline] + subject [+ subject-by-period] + error.

    **Subjects.** "random" (REML): the difference also uses comparisons between subjects, and a
    subject with one period contributes. The between-subject variance stays at or above zero
    (R's lme4, SAS PROC MIXED); `variance_bound=False` lets it go below, as a compound-symmetry
    covariance does. At the bound a BoundaryWarning is given, `notes` and `method` say so,
    Kenward-Roger keeps both variances (with the expected information, as R's pbkrtest), and
    Satterthwaite drops the between-subject one. "fixed": the analysis of variance, subjects as
    factor; sequence is then tested against subjects within sequences.

    **Variances within subjects** are `variances="common"`, or "by-treatment": each treatment has
    its own, V = between 11' + diag(within of each row's treatment) (R's nlme with varIdent, SAS's
    REPEATED / GROUP=treatment; in AB/BA without bounds, an unstructured covariance of the
    treatments). Both fits have a `deviance`; that of "common" is larger by a chi-square on
    treatments - 1 df where the variances are equal. Where no subject takes a treatment twice, they
    are told apart only by the assumption of one between-subject variance, and a note says so.

    **Several measurements in a period** (visits, diary days): `measurement` names the column of
    the visit or day *within* the period, a factor of the model, with the period's treatment,
    sequence and baseline in all its rows. The difference between treatments is taken to be the
    same at every measurement. Random effects of subject and of subject-by-period (REML,
    both bounded like one): measurements of a period are no replicates of the treatment. On
    complete data it is the analysis of the period means, which `period_means` makes; with gaps a
    measurement's own mean is allowed for. Measurements of one period are taken to correlate
    alike, near or far in time; `mmrm` has other structures.

    **Degrees of freedom** of random subjects: "kenward-roger" (default), "satterthwaite",
    "containment" (SAS's, with random subject(sequence), and its periods where they have several
    measurements), "residual", "normal" (naive z).
    `information`: "observed" (SAS, R's mmrm) or "expected" (R's pbkrtest) of the variances;
    they differ on incomplete data. Fixed subjects have residual df.

    **Carryover**: `True` adds the effect of the treatment of the period before, relative to the
    reference (or to nothing) before; "self-mixed" separates a treatment that follows itself.
    A diagnostic only. There is no "test carryover, then choose the analysis": that two-stage
    procedure has a type I error well above its level, because the carryover test and the
    first-period analysis it leads to are strongly correlated (Freeman 1989).

    **Baseline** of each period: "covariate" adds it as it is (with random subjects its slope
    mixes the relation between and within subjects); "within-subject" adds its deviation from
    the subject's mean (Kenward & Roger 2010); "change" subtracts it, and the note says at what
    loss. "joint" makes baselines responses beside the outcomes, with an unstructured covariance of
    all 2 p of them, a mean in each period, and no effect of treatment or sequence: subjects
    without some of their baselines or outcomes contribute what they have. In a complete AB/BA
    trial its estimate is that of the analysis of covariance of the outcomes' difference on
    sequence and both baselines (without the sequence effect: and on the outcomes' sum). Mehrotra
    (2014) compares such analyses, and recommends the difference of the baselines as covariate.
    With few subjects Kenward-Roger is approximate: at a level of 0.05 in complete AB/BA trials of
    12 subjects the simulated type I error is 0.08 with the sequence effect and 0.09 without, of
    20 subjects 0.054 and 0.058; a note says so below five subjects a response.

    **log**: the analysis of log(outcome) (and baseline); contrasts are ratios of geometric
    means and `variance()` has the within-subject coefficient of variation.

    Rows without outcome or baseline are left out and counted; the likelihood with random
    subjects is valid if they are missing at random. `complete_cases=True` keeps only subjects
    with every period. Raises DataError for rows that contradict a crossover (duplicates, two
    sequences, two treatments in a period), DesignError for effects the design cannot separate,
    ConvergenceError for variances the data cannot, SpecError for choices that do not go together.

    References: Hills & Armitage (1979), doi:10.1111/j.1365-2125.1979.tb05903.x;
    Freeman (1989), doi:10.1002/sim.4780081202; Kenward & Roger (1997), doi:10.2307/2533558;
    Kenward & Roger (2010), doi:10.1093/biostatistics/kxp046; Mehrotra (2014),
    doi:10.1002/pst.1638.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({
    ...     "ID": [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6],
    ...     "SEQ": ["AB"] * 6 + ["BA"] * 6,
    ...     "PERIOD": [1, 2] * 6,
    ...     "TRT": ["Placebo", "LDN"] * 3 + ["LDN", "Placebo"] * 3,
    ...     "PAIN": [6.0, 4.5, 7.0, 6.5, 5.0, 3.0, 4.0, 5.5, 6.0, 6.5, 5.5, 7.0],
    ... })
    >>> fit = crossover(data, outcome="PAIN", subject="ID", sequence="SEQ", period="PERIOD",
    ...                 treatment="TRT", reference="Placebo")
    >>> row = fit.contrasts().single()
    >>> row.label, round(row.estimate, 3), round(row.se, 3), round(row.df, 3)
    ('LDN - Placebo', -1.25, 0.276, 4.0)
    """
    check_choice("subject_effect", subject_effect, ("random", "fixed"))
    check_choice("baseline_as", baseline_as, ("covariate", "within-subject", "change", "joint"))
    check_choice("information", information, ("observed", "expected"))
    check_choice("variances", variances, ("common", "by-treatment"))
    carryover = check_carryover(carryover)
    check_flag("period_effect", period_effect)
    check_flag("sequence_effect", sequence_effect)
    check_flag("log", log)
    check_flag("variance_bound", variance_bound)
    check_flag("complete_cases", complete_cases)
    if df is not None:
        check_choice("df", df, DF_PHRASES)
    asked = RandomSubjects(
        df=df or "kenward-roger",
        is_expected=information == "expected",
        bounded=variance_bound,
        variances=variances,
        measurement=measurement,
        log=log,
    )
    is_random = subject_effect == "random"
    if is_random:
        _refuse_two_structures(asked, baseline_as)
    else:
        _refuse_random_choices(df, asked)
    predictor = Predictor(
        subject_is_random=is_random,
        period=period_effect,
        sequence=sequence_effect,
        carryover=carryover,
        baseline=baseline,
        baseline_as=baseline_as,
        log=log,
        complete_cases=complete_cases,
    )
    check_baseline(predictor)
    if baseline_as == "joint":
        check_joint(predictor, df, variance_bound=variance_bound)
    rows = read_crossover(
        data,
        outcome=outcome,
        subject=subject,
        sequence=sequence,
        period=period,
        treatment=treatment,
        reference=reference,
        period_order=period_order,
        measurement=measurement,
    )
    fit: CrossoverFit
    if baseline_as == "joint":
        is_expected = information == "expected"
        fit = fit_joint(data, rows, predictor, df=df or "kenward-roger", is_expected=is_expected)
    else:
        model = build_model(data, rows, predictor)
        index = data.index[model.analysed]
        fit = (
            fit_random(model, index, asked)
            if is_random
            else fit_fixed(model, index, log=log, sequence_effect=sequence_effect)
        )
    return replace(fit, method=with_effects(fit.method, predictor))


def _refuse_two_structures(asked: RandomSubjects, baseline_as: str) -> None:
    if baseline_as == "joint" and (asked.measurement is not None or asked.variances != "common"):
        raise SpecError(
            "measurement= and variances= do not apply to baseline_as='joint': its covariance is "
            "unstructured, of one outcome and baseline a period."
        )
    if asked.measurement is not None and asked.variances != "common":
        raise SpecError(
            f"variances={asked.variances!r} is for one measurement a period; with measurement= it "
            "could mean the periods' variance or the measurements'. Give period_means() to it."
        )


def _refuse_random_choices(df: str | None, asked: RandomSubjects) -> None:
    if df not in (None, "residual"):
        raise SpecError(f"df={df!r} is for random subjects; fixed subjects have residual df.")
    if not asked.bounded or asked.is_expected:
        raise SpecError(
            "variance_bound= and information= are for random subjects; subject_effect='fixed' has "
            "neither."
        )
    if asked.variances != "common" or asked.measurement is not None:
        raise SpecError(
            "variances= and measurement= are for random subjects; subject_effect='fixed' has one "
            "row a period and one variance."
        )
