"""Reference-based imputation: definitions, limits, invariances."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.imputation_frames import ANALYSIS, FORMULA, ROLES, VISITS, run, trial
from hypothesis import given, settings
from hypothesis import strategies as st

import trialkit as tk
from trialkit.analyses.reference_based import ReferenceBased

ALL = ("mar", "j2r", "cr", "cir", "lmcf")
FEW = settings(max_examples=8, deadline=None)


def column(result: ReferenceBased, name: str = "estimate") -> np.ndarray:
    return result.frame()[name].to_numpy()


def slow_jackknife(data: pd.DataFrame, strategy: str) -> tuple[float, float]:
    """Effect at the last visit and its standard error, everything done again n times."""

    def effect(part: pd.DataFrame) -> float:
        fit = tk.mmrm(FORMULA, part, df="normal", **ROLES)
        sigma = fit.covariance.to_numpy()
        referred = part.assign(TRT01P="Placebo")
        x, x_ref = (fit.model_frame.rows_for(f) @ fit.coef for f in (part, referred))
        y = part["CHG"].to_numpy().reshape(-1, 3).copy()
        for i, own, ref in zip(range(len(y)), x.reshape(-1, 3), x_ref.reshape(-1, 3), strict=True):
            seen = ~np.isnan(y[i])
            event = int(np.flatnonzero(seen).max()) + 1 if seen.any() else 0
            mean = own.copy()
            if strategy == "j2r":
                mean[event:] = ref[event:]
            gap, obs = ~seen, seen
            shift = sigma[np.ix_(gap, obs)] @ np.linalg.solve(
                sigma[np.ix_(obs, obs)], y[i, obs] - mean[obs]
            )
            y[i, gap] = mean[gap] + shift
        last = part.iloc[2::3].assign(CHG=y[:, 2])
        return tk.ancova(ANALYSIS, last, arm="TRT01P", reference="Placebo").coef[1]

    subjects = data["USUBJID"].unique()
    left = [effect(data[data["USUBJID"] != s]) for s in subjects]
    n = subjects.size
    return effect(data), float(np.sqrt((n - 1) * np.var(left)))


@pytest.mark.parametrize("strategy", ["mar", "j2r"])
def test_jackknife_against_doing_it_all_again(strategy: str) -> None:
    data = trial(24)
    estimate, se = slow_jackknife(data, strategy)
    row = run(data, strategy=strategy).where(visit=12).single()
    assert row.estimate == pytest.approx(estimate, rel=1e-8)
    assert row.se == pytest.approx(se, rel=1e-6)
    assert row.n == 24


def test_complete_data_are_analysed_as_they_are() -> None:
    data = trial().assign(CHG=lambda d: d["CHG"].fillna(-1.0 - d["BASE"] / 7))
    plain = [
        tk.ancova(ANALYSIS, data[data["AVISITN"] == v], arm="TRT01P", reference="Placebo")
        for v in VISITS
    ]
    rows = [fit.contrasts().single() for fit in plain]
    result = run(data, strategy=ALL)
    for strategy in ALL:
        part = result.where(strategy=strategy).frame()
        np.testing.assert_allclose(part["estimate"], [row.estimate for row in rows], rtol=1e-10)
    drawn = run(data, strategy="j2r", variance="rubin", rng=1, n_samples=5).frame()
    np.testing.assert_allclose(drawn["estimate"], [row.estimate for row in rows], rtol=1e-10)
    np.testing.assert_allclose(drawn["se"], [row.se for row in rows], rtol=1e-8)
    nu = plain[0].df_residual
    np.testing.assert_allclose(drawn["df"], nu * (nu + 1) / (nu + 3), rtol=1e-8)


def test_subjects_of_the_reference_arm_are_imputed_alike_by_every_reference_strategy() -> None:
    frame = run(trial(), strategy=["mar", "j2r", "cr", "cir"]).imputed
    placebo = frame[frame["TRT01P"] == "Placebo"]
    for strategy in ("j2r", "cr", "cir"):
        np.testing.assert_allclose(placebo[strategy], placebo["mar"], rtol=1e-9)
    drug = frame[(frame["TRT01P"] == "Drug") & ~frame["is_observed"]]
    assert (np.abs(drug["j2r"] - drug["mar"]) > 1e-3).any()


def test_observed_outcomes_are_never_changed() -> None:
    data = trial()
    frame = run(data, strategy=ALL, delta=5.0, delta_where="all").imputed
    seen = data["CHG"].notna().to_numpy()
    assert (frame["is_observed"].to_numpy() == seen).all()
    for strategy in ALL:
        np.testing.assert_array_equal(frame[strategy][seen], data["CHG"][seen])


def test_delta_moves_the_mean_by_the_share_that_is_imputed() -> None:
    data = trial()
    analysis = "CHG ~ TRT01P"
    plain = run(data, analysis=analysis)
    moved = run(data, analysis=analysis, delta=2.0)
    last = data[data["AVISITN"] == 12]
    share = last.groupby("TRT01P", observed=True)["CHG"].apply(lambda y: y.isna().mean())
    shift = (
        moved.lsmeans.where(visit=12).frame().set_index("arm")["estimate"]
        - (plain.lsmeans.where(visit=12).frame().set_index("arm")["estimate"])
    )
    for arm in ("Placebo", "Drug"):
        assert shift[arm] == pytest.approx(2 * share[arm], rel=1e-9)
    assert "additive delta 2.0" in moved.frame()["method"].iloc[0]


def test_delta_after_the_event_spares_gaps_before_it() -> None:
    data = trial()
    gap = run(data).where(visit=8).single().estimate
    after = run(data, delta=3.0).imputed
    everywhere = run(data, delta=3.0, delta_where="all")
    assert everywhere.where(visit=8).single().estimate != pytest.approx(gap)
    # The conditional means themselves carry no delta.
    np.testing.assert_array_equal(after["j2r"], everywhere.imputed["j2r"])
    only_gap = data[(data["USUBJID"] == "S007") & (data["AVISITN"] == 8)]
    assert only_gap["CHG"].isna().all()


def test_multiplicative_delta_of_zero_takes_what_was_imputed_as_zero() -> None:
    data = trial()
    zero = run(data, delta=0.0, delta_kind="multiplicative", delta_where="all")
    filled = data.assign(CHG=data["CHG"].fillna(0.0))
    last = filled[filled["AVISITN"] == 12]
    plain = tk.ancova(ANALYSIS, last, arm="TRT01P", reference="Placebo").contrasts().single()
    assert zero.where(visit=12).single().estimate == pytest.approx(plain.estimate, rel=1e-10)


def test_delta_by_visit_touches_that_visit_alone() -> None:
    data = trial()
    delta = pd.DataFrame({"TRT01P": ["Drug"], "AVISITN": [12], "delta": [1.0]})
    difference = column(run(data, delta=delta)) - column(run(data))
    np.testing.assert_allclose(difference[:2], 0, atol=1e-12)
    assert difference[2] > 0


def test_events_of_a_frame_decide_where_the_reference_begins() -> None:
    data = trial()
    last_seen = data.dropna(subset="CHG").groupby("USUBJID", observed=True)["AVISITN"].max()
    following = {4: 8, 8: 12}
    leavers = [(s, following[v]) for s, v in last_seen.items() if v in following]
    leavers.append(("S002", 4))
    events = pd.DataFrame(leavers, columns=["USUBJID", "AVISITN"])
    np.testing.assert_allclose(column(run(data, events=events)), column(run(data)), rtol=1e-12)
    own = events.assign(strategy="mar")
    np.testing.assert_allclose(
        column(run(data, events=own)), column(run(data, strategy="mar")), rtol=1e-12
    )
    none = run(data, events=events.iloc[:0])
    np.testing.assert_allclose(column(none), column(run(data, strategy="mar")), rtol=1e-12)


def test_outcomes_after_an_event_do_not_inform_the_reference_model() -> None:
    data = trial()
    drug = data[(data["TRT01P"] == "Drug")].dropna(subset="CHG")
    late = drug[drug["AVISITN"] == 12]["USUBJID"].iloc[0]
    events = pd.DataFrame({"USUBJID": [late], "AVISITN": [12]})
    changed = data.copy()
    row = (changed["USUBJID"] == late) & (changed["AVISITN"] == 12)
    changed.loc[row, "CHG"] += 50
    before, after = (run(d, strategy=["mar", "j2r"], events=events) for d in (data, changed))
    pd.testing.assert_series_equal(before.coef["j2r"], after.coef["j2r"])
    assert not np.allclose(before.coef["mar"], after.coef["mar"])
    assert before.where(strategy="j2r", visit=12).single().estimate != pytest.approx(
        after.where(strategy="j2r", visit=12).single().estimate
    )
    assert any("1 outcomes observed after an event" in note for note in after.contrasts.notes)


def test_rows_that_are_not_there_are_rows_without_an_outcome() -> None:
    data = trial()
    data = data[data["USUBJID"] != "S002"]
    short = data.dropna(subset="CHG")
    np.testing.assert_allclose(column(run(short)), column(run(data)), rtol=1e-12)


def test_three_arms_are_each_compared_with_the_reference() -> None:
    data = trial(60, arms=("Placebo", "Low", "High"))
    result = run(data, strategy=["mar", "j2r"])
    assert set(result.frame()["contrast"]) == {"High - Placebo", "Low - Placebo"}
    means = result.lsmeans.where(visit=12, strategy="j2r").frame().set_index("arm")["estimate"]
    row = result.where(visit=12, strategy="j2r", contrast="High - Placebo").single()
    assert row.estimate == pytest.approx(means["High"] - means["Placebo"])


@pytest.mark.parametrize("weights", ["counterfactual", "equal", "observed"])
def test_lsmeans_of_complete_data_are_those_of_ancova(weights: str) -> None:
    data = trial().assign(CHG=lambda d: d["CHG"].fillna(-1.0 - d["BASE"] / 7))
    analysis = "CHG ~ TRT01P*BASE + SEX"
    result = run(data, analysis=analysis, weights=weights)
    last = data[data["AVISITN"] == 12]
    fit = tk.ancova(analysis, last, arm="TRT01P", reference="Placebo")
    expected = fit.lsmeans(weights=weights).frame()
    means = result.lsmeans.where(visit=12).frame()
    assert means["arm"].tolist() == expected["arm"].tolist()
    np.testing.assert_allclose(means["estimate"], expected["estimate"], rtol=1e-9)


def test_bootstrap_and_rubin_depend_on_the_seed_alone() -> None:
    data = trial()
    for variance in ("bootstrap", "rubin"):
        one, same, other = (
            run(data, variance=variance, n_samples=20, rng=seed) for seed in (3, 3, 4)
        )
        pd.testing.assert_frame_equal(one.frame(), same.frame())
        assert (one.frame()["se"] != other.frame()["se"]).any()
        assert "seed 3" in one.frame()["method"].iloc[0]


def test_three_variances_of_one_effect_agree_where_they_should() -> None:
    data = trial(60)
    jack = run(data, strategy="mar").where(visit=12).single()
    boot = run(data, strategy="mar", variance="bootstrap", n_samples=400, rng=1)
    rubin = run(data, strategy="mar", variance="rubin", n_samples=300, rng=1)
    row = boot.where(visit=12).single()
    assert row.estimate == pytest.approx(jack.estimate, rel=1e-12)
    assert row.se == pytest.approx(jack.se, rel=0.15)
    pooled = rubin.where(visit=12).single()
    assert pooled.estimate == pytest.approx(jack.estimate, abs=0.1)
    assert pooled.se == pytest.approx(jack.se, rel=0.2)
    assert 20 < pooled.df < 57
    frame = rubin.frame()
    total = frame["within"] + (1 + 1 / 300) * frame["between"]
    np.testing.assert_allclose(frame["se"], np.sqrt(total))
    assert set(frame["n_imputations"]) == {300}


def test_rubin_exceeds_the_jackknife_after_a_jump() -> None:
    data = trial(60, seed=2)
    jack = run(data).where(visit=12).single()
    rubin = run(data, variance="rubin", n_samples=200, rng=1).where(visit=12).single()
    assert rubin.se > jack.se


def test_two_groups_have_their_own_covariance() -> None:
    result = run(trial(60), group="TRT01P", strategy=["mar", "cr"])
    assert set(result.covariance["mar"]) == {"Placebo", "Drug"}
    assert "by TRT01P" in result.frame()["method"].iloc[0]


@FEW
@given(seed=st.integers(0, 2**16))
def test_row_order_is_irrelevant(seed: int) -> None:
    data = trial()
    shuffled = data.sample(frac=1, random_state=seed)
    np.testing.assert_allclose(column(run(shuffled)), column(run(data)), rtol=1e-8)
    np.testing.assert_allclose(column(run(shuffled), "se"), column(run(data), "se"), rtol=1e-8)


@FEW
@given(unit=st.floats(1e-3, 1e3), shift=st.floats(-100, 100), strategy=st.sampled_from(ALL))
def test_unit_and_origin_of_the_outcome(unit: float, shift: float, strategy: str) -> None:
    data = trial()
    moved = data.assign(CHG=data["CHG"] * unit + shift)
    one, other = run(data, strategy=strategy), run(moved, strategy=strategy)
    np.testing.assert_allclose(column(other), unit * column(one), rtol=1e-6, atol=1e-8 * unit)
    np.testing.assert_allclose(column(other, "se"), unit * column(one, "se"), rtol=1e-6)


def test_under_mar_the_reference_only_turns_the_sign() -> None:
    data = trial()
    there = run(data, strategy="mar")
    back = run(data, strategy="mar", reference="Drug")
    np.testing.assert_allclose(column(back), -column(there), rtol=1e-8)
    np.testing.assert_allclose(column(back, "se"), column(there, "se"), rtol=1e-8)
    jump = run(data, strategy="j2r"), run(data, strategy="j2r", reference="Drug")
    assert not np.allclose(column(jump[1]), -column(jump[0]))


def test_the_default_analysis_is_said() -> None:
    result = tk.reference_based(FORMULA, trial(), **ROLES)
    assert "analysis CHG ~ TRT01P + BASE at each visit" in result.frame()["method"].iloc[0]
    assert result.contrasts.notes[0].startswith("No events given")


def test_where_plot_and_length_are_those_of_the_contrasts() -> None:
    result = run(trial(), strategy=["mar", "j2r"])
    assert len(result) == 6
    assert list(result.frame().columns[:3]) == ["visit", "contrast", "strategy"]
    assert result.where(visit=12, strategy="mar").plot() is not None
    assert "p_adjusted" in result.adjust("holm", family="strategy").frame()
    assert repr(result) == repr(result.contrasts)
    assert len(result.to_ard()) > 6


def test_the_method_names_the_strategies_that_events_have_of_their_own() -> None:
    events = pd.DataFrame(
        {
            "USUBJID": ["S002", "S007", "S011"],
            "AVISITN": [4, 8, 12],
            "strategy": ["cr", "mar", None],
        }
    )
    method = run(trial(), events=events).contrasts.estimates[0].method
    wanted = (
        "each event's own strategy: missing at random 1, copy reference 1, the 1 others jump to "
        "reference (reference Placebo)"
    )
    assert wanted in method
    plain = run(trial(), events=events.drop(columns="strategy")).contrasts.estimates[0].method
    assert plain.startswith("Imputation under jump to reference (")


def test_a_gap_before_an_event_copies_the_reference_and_that_is_said() -> None:
    data = trial()
    data.loc[(data["USUBJID"] == "S007") & (data["AVISITN"] == 12), "CHG"] = np.nan
    events = pd.DataFrame({"USUBJID": ["S007"], "AVISITN": [12]})
    found = run(data, events=events, strategy=["mar", "cr", "j2r"])
    gap = found.imputed.query("USUBJID == 'S007' and AVISITN == 8")
    assert not gap["is_observed"].any()
    assert gap["j2r"].item() == pytest.approx(gap["mar"].item())
    assert gap["cr"].item() != pytest.approx(gap["mar"].item())
    notes = [note for note in found.contrasts.notes if "follow the reference arm too" in note]
    assert notes == [
        "cr: of the others, 1 before an event met by copy reference follow the reference arm too."
    ]
