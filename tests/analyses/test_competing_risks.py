"""Reasons that exclude one another: against R's cmprsk, lifelines, and exact identities."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.survival_frames import ARM, REFERENCE, case, r_term, rows, simulated, without_events
from reference.loader import assert_close

import trialkit as tk

RTOL = 1e-8
RTOL_FINE_GRAY = 1e-6


def expected(name: str) -> pd.DataFrame:
    return pd.DataFrame(case()["competing_risks"][name]["table"])


@pytest.mark.reference
def test_incidence_equals_r() -> None:
    theirs = expected("cumulative_incidence")
    times = sorted(set(theirs["time"]))
    table = tk.cumulative_incidence(rows("TTDISC"), time="AVAL", cause="WHY", arm=ARM, times=times)
    for (cause, arm), part in theirs.groupby(["cause", "arm"], observed=True):
        ours = table.where(cause=cause, arm=arm).frame()
        assert_close(ours["estimate"], part["cif"], RTOL, atol=1e-15)
        assert_close(ours["se"] ** 2, part["var"], RTOL, atol=1e-15)


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "strata"), [("gray_test", None), ("gray_test_stratified", "STRATA1")]
)
def test_gray_equals_r(name: str, strata: str | None) -> None:
    theirs = expected(name).set_index("cause")
    table = tk.gray_test(
        rows("TTDISC"), time="AVAL", cause="WHY", arm=ARM, reference=REFERENCE, strata=strata
    )
    ours = table.frame().set_index("cause").loc[theirs.index]
    assert_close(ours["statistic"], theirs["chisq"], RTOL)
    assert_close(ours["p_value"], theirs["p_value"], RTOL)
    assert_close(ours["num_df"], theirs["df"], RTOL)


@pytest.mark.reference
def test_fine_gray_equals_r() -> None:
    theirs = expected("fine_gray")
    table = tk.fine_gray(
        rows("TTDISC"),
        time="AVAL",
        cause="WHY",
        arm=ARM,
        reference=REFERENCE,
        covariates=["AGE", "BASE"],
        causes=list(dict.fromkeys(theirs["cause"])),
    )
    ours = table.frame()
    assert ours["cause"].tolist() == theirs["cause"].tolist()
    assert [r_term(term) for term in ours["term"]] == theirs["term"].tolist()
    # R stops on the way to infinity where an arm has no event of the cause.
    unbounded = theirs["cause"].map(without_events)
    assert ours.loc[unbounded, "estimate"].isna().all()
    assert (ours.loc[unbounded, "status"] != "ok").all()
    ours, theirs = ours[~unbounded], theirs[~unbounded]
    assert_close(np.log(ours["estimate"]), theirs["estimate"], RTOL_FINE_GRAY)
    assert_close(np.log(ours["ci_low"]), theirs["ci_low"], RTOL_FINE_GRAY)
    for mine, other in (
        ("se", "se"),
        ("statistic", "statistic"),
        ("p_value", "p_value"),
        ("se_naive", "se_naive_inverse_information"),
    ):
        assert_close(ours[mine], theirs[other], RTOL_FINE_GRAY)


@pytest.mark.reference
def test_fine_gray_log_likelihood_equals_r() -> None:
    from trialkit.kernels.fine_gray import fine_gray_fit

    data = rows("TTDISC")
    theirs = expected("fine_gray")
    causes = list(dict.fromkeys(theirs["cause"]))
    x = np.column_stack([data[ARM] != REFERENCE, data["AGE"], data["BASE"]]).astype(float)
    codes = np.array([causes.index(w) + 1 if isinstance(w, str) else 0 for w in data["WHY"]])
    for number, cause in enumerate(causes, start=1):
        if without_events(cause):
            continue
        fit = fine_gray_fit(
            time=data["AVAL"].to_numpy(dtype=float),
            cause=codes,
            of=number,
            x=x,
            names=["arm", "AGE", "BASE"],
        )
        own = theirs[theirs["cause"] == cause]["loglik"].iloc[0]
        assert_close(fit.log_likelihood, own, RTOL_FINE_GRAY)
        assert fit.log_likelihood > fit.log_likelihood_null


def test_incidences_and_survival_add_up_to_one() -> None:
    data = simulated(1, n=100)
    times = [5, 12, 20]
    parts = tk.cumulative_incidence(data, time="DAY", cause="WHY", times=times).frame()
    survival = tk.kaplan_meier(data.assign(DISC=data["WHY"].notna()), time="DAY", event="DISC")
    left = survival.at(times).frame()["estimate"].to_numpy()
    total = parts.groupby("time", observed=True)["estimate"].sum().to_numpy()
    assert_close(total + left, np.ones(3), 1e-12)


def test_without_censoring_incidence_is_a_share_with_binomial_variance() -> None:
    data = simulated(2, n=100)
    data = data.assign(WHY=data["WHY"].fillna("OTHER"))
    row = tk.cumulative_incidence(data, time="DAY", cause="WHY", times=[15]).where(cause="AE")
    share = ((data["WHY"] == "AE") & (data["DAY"] <= 15)).mean()
    assert_close(row.single().estimate, share, 1e-12)
    assert_close(row.single().se, np.sqrt(share * (1 - share) / 100), 0.03)


def test_where_nobody_is_left_the_incidence_stays_known() -> None:
    data = simulated(9).assign(WHY=lambda d: d["WHY"].fillna("OTHER"))
    table = tk.cumulative_incidence(data, time="DAY", cause="WHY", times=[1e4])
    assert_close(sum(row.estimate for row in table.estimates), 1, 1e-12)


def test_one_cause_alone_is_one_minus_kaplan_meier_and_the_log_rank_models() -> None:
    data = simulated(3, n=100)
    data["WHY"] = data["WHY"].where(data["WHY"].isna(), "ANY")
    incidence = tk.cumulative_incidence(data, time="DAY", cause="WHY", times=[10, 20]).frame()
    curve = tk.kaplan_meier(data.assign(DISC=data["WHY"].notna()), time="DAY", event="DISC")
    assert_close(incidence["estimate"], 1 - curve.at([10, 20]).frame()["estimate"], 1e-12)
    fine = tk.fine_gray(data, time="DAY", cause="WHY", arm="ARM", reference="Arm 0").single()
    cox = tk.cox(
        data.assign(DISC=data["WHY"].notna()),
        time="DAY",
        event="DISC",
        arm="ARM",
        reference="Arm 0",
        ties="breslow",
    ).single()
    assert_close(fine.estimate, cox.estimate, 1e-10)


def test_numbers_code_causes_with_zero_censored() -> None:
    data = simulated(4)
    coded = data.assign(WHY=data["WHY"].map({"AE": 1, "LOE": 2}).fillna(0).astype(int))
    labelled = data.assign(WHY=data["WHY"].fillna("NONE"))
    a = tk.gray_test(data, time="DAY", cause="WHY", arm="ARM").frame()["statistic"]
    b = tk.gray_test(coded, time="DAY", cause="WHY", arm="ARM").frame()["statistic"]
    c = tk.gray_test(labelled, time="DAY", cause="WHY", arm="ARM", censored="NONE").frame()
    assert_close(a, b, 1e-12)
    assert_close(a, c["statistic"], 1e-12)


def test_gray_of_three_arms_does_not_depend_on_their_order() -> None:
    data = simulated(5, n=120, n_arms=3)
    a = tk.gray_test(data, time="DAY", cause="WHY", arm="ARM", reference="Arm 0").frame()
    b = tk.gray_test(data, time="DAY", cause="WHY", arm="ARM", reference="Arm 2").frame()
    assert a["num_df"].tolist() == [2, 2]
    assert_close(a["statistic"], b["statistic"], 1e-9)


def test_fine_gray_turns_with_the_arms() -> None:
    data = simulated(6, n=100)
    one = tk.fine_gray(data, time="DAY", cause="WHY", arm="ARM", reference="Arm 0").estimates
    two = tk.fine_gray(data, time="DAY", cause="WHY", arm="ARM", reference="Arm 1").estimates
    for a, b in zip(one, two, strict=True):
        assert_close(a.estimate, 1 / b.estimate, 1e-9)
        assert_close(a.se, b.se, 1e-9)


def test_figure_has_a_curve_for_each_arm_and_cause() -> None:
    axes = tk.cumulative_incidence(simulated(7), time="DAY", cause="WHY", arm="ARM").plot()
    assert len(axes.get_legend().get_texts()) == 4
    axes.get_figure().canvas.draw()


def test_what_is_refused() -> None:
    data = simulated(8)
    call = {"time": "DAY", "cause": "WHY", "arm": "ARM"}
    with pytest.raises(tk.DataError, match="censored='ALIVE' is not a value"):
        tk.gray_test(data, **call, censored="ALIVE")
    with pytest.raises(tk.DataError, match="also marks censored rows"):
        tk.gray_test(data, **call, censored="AE")
    with pytest.raises(tk.DataError, match="No event among"):
        tk.gray_test(data.assign(WHY=0), **call)
    with pytest.raises(tk.DataError, match="only one arm"):
        tk.gray_test(data.assign(ARM="A"), **call)
    with pytest.raises(tk.SpecError, match="causes= names 'MOVED'"):
        tk.fine_gray(data, **call, reference="Arm 0", causes=["MOVED"])
    with pytest.raises(tk.SpecError, match="ci='x' is not offered"):
        tk.cumulative_incidence(data, **call, ci="x")
    apart = pd.DataFrame(
        {"ARM": list("AABB"), "DAY": [5, 6, 1, 2], "WHY": ["AE", "LOE", "LOE", None]}
    )
    table = tk.gray_test(apart, **call)
    assert np.isnan(table.where(cause="AE").tests[0].p_value)
    assert "No test of 'AE'" in table.notes[0]
    data.loc[data["DAY"].idxmax(), "WHY"] = None
    late = tk.cumulative_incidence(data, **call, times=[1e4]).estimates[0]
    assert np.isnan(late.estimate)
    assert "after the last observed time" in late.status
