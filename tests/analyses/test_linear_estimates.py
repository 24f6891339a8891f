"""LS means and contrasts of any fit, above all of one with visits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.linear_fits import ARMS, VISITS, VisitFit, fit_visits, visit_data
from reference.loader import assert_close

from trialkit.errors import SpecError

WEIGHTS = ["equal", "observed", "counterfactual"]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return visit_data()


@pytest.fixture(scope="module")
def fit(data: pd.DataFrame) -> VisitFit:
    return fit_visits(data)


def predicted(fit: VisitFit, **values: object) -> float:
    """The fitted value at one point, from the coefficients by name."""
    total = 0.0
    for name, b in zip(fit.model_frame.columns, fit.coef, strict=True):
        factor = 1.0
        for part in name.split(":"):
            if part == "Intercept":
                continue
            if "[T." in part:
                column, level = part.removesuffix("]").split("[T.")
                factor *= float(values[column] == level)
            else:
                factor *= float(values[part])  # type: ignore[arg-type]
        total += factor * b
    return total


def test_means_at_each_visit(data: pd.DataFrame, fit: VisitFit) -> None:
    analysed = data.dropna()
    base, share = analysed["BASE"].mean(), (analysed["STRATA"] == "b").mean()
    for weights, weight in (("equal", 0.5), ("observed", share)):
        table = fit.lsmeans(weights=weights)
        assert list(table.keys) == ["arm", "visit"]
        assert table.keys["visit"] == tuple(visit for visit in VISITS for _ in ARMS)
        assert table.keys["arm"] == tuple(ARMS) * 3
        for arm in ARMS:
            for visit in VISITS:
                at = {"TRT01P": arm, "AVISIT": visit, "BASE": base}
                expected = weight * predicted(fit, STRATA="b", **at) + (1 - weight) * predicted(
                    fit, STRATA="a", **at
                )
                row = table.where(arm=arm, visit=visit).single()
                assert_close(row.estimate, expected, rtol=1e-9)
                here = (analysed["TRT01P"] == arm) & (analysed["AVISIT"] == visit)
                assert row.n == here.sum()


def test_counterfactual_means_count_each_subject_once(data: pd.DataFrame, fit: VisitFit) -> None:
    analysed = data.dropna()
    subjects = analysed.drop_duplicates("USUBJID")
    assert len(analysed) % len(subjects)  # some subjects have fewer visits than others
    row = fit.lsmeans(weights="counterfactual").where(arm=ARMS[2], visit="Week 12").single()
    each = [
        predicted(fit, TRT01P=ARMS[2], AVISIT="Week 12", BASE=one.BASE, STRATA=one.STRATA)
        for one in subjects.itertuples()
    ]
    assert_close(row.estimate, np.mean(each), rtol=1e-9)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_contrasts_are_differences_of_means(fit: VisitFit, weights: str) -> None:
    means, contrasts = fit.lsmeans(weights=weights), fit.contrasts(weights=weights)
    assert list(contrasts.keys) == ["contrast", "visit"]
    for visit in VISITS:
        reference = means.where(arm="Placebo", visit=visit).single().estimate
        for arm in ARMS[1:]:
            row = contrasts.where(contrast=f"{arm} - Placebo", visit=visit).single()
            mean = means.where(arm=arm, visit=visit).single().estimate
            assert_close(row.estimate, mean - reference, rtol=1e-9)
            assert row.n == fit.n
            assert row.scale == "difference"


def test_without_a_visit_factor_the_visits_are_averaged(data: pd.DataFrame) -> None:
    apart = fit_visits(data)
    together = fit_visits(data, visit=None)
    assert list(together.lsmeans().keys) == ["arm"]
    thirds = apart.lsmeans(visits=dict.fromkeys(VISITS, 1 / 3))
    ours = together.lsmeans().frame()
    assert_close(ours[["estimate", "se"]], thirds.frame()[["estimate", "se"]], rtol=1e-9)


def test_visits_are_chosen_or_averaged(fit: VisitFit) -> None:
    every = fit.contrasts()
    chosen = fit.contrasts(visits=["Week 12", "Week 4"])
    assert chosen.keys["visit"] == ("Week 12", "Week 12", "Week 4", "Week 4")
    assert_close(
        chosen.where(visit="Week 4").frame()["estimate"],
        every.where(visit="Week 4").frame()["estimate"],
        rtol=0,
    )
    averaged = fit.contrasts(visits={"Week 8": 0.25, "Week 12": 0.75})
    assert averaged.keys["visit"] == ("average: Week 8 (0.25), Week 12 (0.75)",) * 2
    by_hand = (
        0.25 * every.where(visit="Week 8").frame()["estimate"]
        + 0.75 * every.where(visit="Week 12").frame()["estimate"]
    )
    assert_close(averaged.frame()["estimate"], by_hand, rtol=1e-9)
    means = fit.lsmeans(visits={"Week 8": 0.25, "Week 12": 0.75}).frame()
    gaps = means["estimate"][1:].to_numpy() - means["estimate"][0]
    assert_close(averaged.frame()["estimate"], gaps, rtol=1e-9)
    # Independent errors: the variance of an average of visits is not that of one visit.
    assert (averaged.frame()["se"] < every.where(visit="Week 12").frame()["se"]).all()


@pytest.mark.parametrize(
    ("visits", "message"),
    [
        ("Week 8", "give a list of visits, or a mapping"),
        (["Week 9"], "names 'Week 9'; visits: 'Week 4', 'Week 8', 'Week 12'"),
        ({"Week 8": 0.5, "Week 12": 0.6}, "at least 0 and sum to 1"),
        ({"Week 8": 2.0, "Week 12": -1.0}, "at least 0 and sum to 1"),
        ({"Week 8": float("nan")}, "at least 0 and sum to 1"),
        ({}, "at least 0 and sum to 1"),
    ],
)
def test_visits_that_cannot_be_averaged(fit: VisitFit, visits: object, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        fit.lsmeans(visits=visits)  # type: ignore[arg-type]


def test_visits_need_a_visit_factor(data: pd.DataFrame) -> None:
    with pytest.raises(SpecError, match="needs a model with a visit factor"):
        fit_visits(data, visit=None).contrasts(visits=["Week 4"])


def test_families_lie_within_a_visit_unless_said(fit: VisitFit) -> None:
    raw = fit.contrasts().frame()["p_value"].to_numpy()
    within = fit.contrasts(adjust="bonferroni")
    assert_close(within.p_adjusted, np.minimum(1, 2 * raw), rtol=1e-12)
    assert "bonferroni over 2 within visit" in within.estimates[0].method
    every = fit.contrasts(adjust="bonferroni", family="all")
    assert_close(every.p_adjusted, np.minimum(1, 6 * raw), rtol=1e-12)
    for adjust in ("dunnett", "holm", "dunnett-stepdown"):
        by_visit = fit.contrasts(adjust=adjust)
        for visit in VISITS:
            alone = fit.contrasts(adjust=adjust, visits=[visit])
            assert_close(by_visit.where(visit=visit).p_adjusted, alone.p_adjusted, rtol=1e-12)


def test_levels_of_another_factor(data: pd.DataFrame) -> None:
    fit = fit_visits(data, "CHG ~ TRT01P*STRATA*AVISIT + BASE")
    table = fit.contrasts(by="STRATA", adjust="dunnett")
    assert list(table.keys) == ["contrast", "visit", "STRATA"]
    assert len(table) == 2 * 3 * 2
    row = table.where(visit="Week 8", STRATA="b", contrast="LDN 3.0 mg - Placebo").single()
    at = {"AVISIT": "Week 8", "STRATA": "b", "BASE": data.dropna()["BASE"].mean()}
    gap = predicted(fit, TRT01P=ARMS[1], **at) - predicted(fit, TRT01P=ARMS[0], **at)
    assert_close(row.estimate, gap, rtol=1e-9)
    fixed = fit.contrasts(at={"STRATA": "b"}, visits=["Week 8"])
    assert_close(fixed.estimates[0].estimate, gap, rtol=1e-9)
    assert fixed.estimates[0].method.endswith("covariates at their mean, STRATA=b")


@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_covariate_held_elsewhere(fit: VisitFit, weights: str) -> None:
    here, there = (fit.lsmeans(weights=weights, at={"BASE": base}) for base in (6.0, 7))
    slopes = dict(zip(fit.model_frame.columns, fit.coef, strict=True))
    extra = slopes["BASE:AVISIT[T.Week 12]"]
    gaps = there.frame()["estimate"] - here.frame()["estimate"]
    assert_close(gaps[there.frame()["visit"] == "Week 12"], slopes["BASE"] + extra, rtol=1e-8)
    assert "BASE=6.0" in here.estimates[0].method


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "cells"}, "weights='cells' is not offered; allowed: equal, observed, count"),
        ({"at": {"AGE": 40}}, "names 'AGE', not in the model; it has BASE, TRT01P"),
        ({"at": {"BASE": "high"}}, "BASE='high', which is not a number"),
        ({"at": {"BASE": True}}, "BASE=True, which is not a number"),
        ({"at": {"BASE": np.inf}}, "BASE=inf, which is not finite"),
        ({"at": {"STRATA": "z"}}, "STRATA='z'; levels: 'a', 'b'"),
        ({"at": {"TRT01P": "Placebo"}}, "cannot fix 'TRT01P'"),
        ({"at": {"AVISIT": "Week 4"}}, "cannot fix 'AVISIT'"),
        ({"at": {"STRATA": "a"}, "by": "STRATA"}, "cannot fix 'STRATA'"),
        ({"by": "BASE"}, "by='BASE' is not a factor of the model; factors: STRATA"),
        ({"by": ["AVISIT"]}, "reported by 'AVISIT' already"),
        ({"ci_level": 95}, "ci_level=95 is not between 0 and 1"),
        ({"alternative": "two"}, "alternative='two' is not offered"),
    ],
)
def test_requests_that_are_refused(fit: VisitFit, options: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        fit.lsmeans(**options)  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=message):
        fit.contrasts(**options)  # type: ignore[arg-type]


def test_each_contrast_brings_its_own_degrees_of_freedom(data: pd.DataFrame) -> None:
    from scipy import stats

    fit = fit_visits(data, df_by_contrast=True)
    table = fit.contrasts(adjust="dunnett", visits=["Week 12"])
    assert len({row.df for row in fit.lsmeans(weights="observed").estimates}) > 1
    for row in table.estimates:
        assert_close(row.p_value, 2 * stats.t.sf(abs(row.statistic), row.df), rtol=1e-12)


def test_one_sided_and_shifted_hypotheses(fit: VisitFit) -> None:
    two = fit.contrasts(visits=["Week 12"]).estimates[1]
    less = fit.contrasts(visits=["Week 12"], alternative="less").estimates[1]
    more = fit.contrasts(visits=["Week 12"], alternative="greater").estimates[1]
    assert_close(less.p_value + more.p_value, 1.0, rtol=1e-12)
    assert_close(2 * min(less.p_value, more.p_value), two.p_value, rtol=1e-12)
    assert less.ci_low == -np.inf
    assert more.ci_high == np.inf
    at_bound = fit.contrasts(visits=["Week 12"], null=two.ci_high).estimates[1]
    assert_close(at_bound.p_value, 0.05, rtol=1e-9)
    assert at_bound.estimate == two.estimate
    assert "one-sided (less)" in less.method


def test_a_grid_too_large_says_which_factors(data: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    names = [f"F{i}" for i in range(6)]
    wide = data.assign(**{name: rng.integers(0, 8, len(data)).astype(str) for name in names})
    fit = fit_visits(wide, "CHG ~ TRT01P + AVISIT + " + " + ".join(names))
    with pytest.raises(SpecError, match="would average 262144 combinations of the levels of F0,"):
        fit.lsmeans()
    assert len(fit.lsmeans(weights="counterfactual")) == 9


def test_invariance_to_row_order_and_reference(data: pd.DataFrame, fit: VisitFit) -> None:
    shuffled = fit_visits(data.sample(frac=1, random_state=3))
    columns = ["estimate", "se", "p_value", "ci_low", "ci_high"]
    assert_close(
        shuffled.contrasts(kind="pairwise").frame()[columns],
        fit.contrasts(kind="pairwise").frame()[columns],
        rtol=1e-8,
    )
    turned = fit_visits(data, reference="LDN 4.5 mg").contrasts()
    back = turned.where(contrast="Placebo - LDN 4.5 mg").frame()
    forth = fit.contrasts().where(contrast="LDN 4.5 mg - Placebo").frame()
    assert_close(back["estimate"], -forth["estimate"], rtol=1e-8)
    assert_close(back["se"], forth["se"], rtol=1e-8)
