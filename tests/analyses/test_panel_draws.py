"""Several draws of a subject under a condition: censored, and not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.panels import CROSSOVER, PAIRED, crossover_panel, paired_panel
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

import trialkit as tk
from trialkit.analyses.panel_mixed import mixed_fit

DRAWS = {**PAIRED, "visit": "DRAW"}


def nested_panel(n: int = 10, m: int = 2, draws: int = 3, *, seed: int = 7) -> pd.DataFrame:
    """Draws with an effect of each subject's phase, in pg/mL."""
    rng = np.random.default_rng(seed)
    data = paired_panel(n=n, m=m, draws=draws, seed=seed)
    phase = rng.normal(0, 0.6, (n, 2, m))
    place = (
        data["USUBJID"].str[1:].astype(int),
        (data["AVISIT"] == "Week 8").astype(int),
        data["PARAMCD"].str[1:].astype(int),
    )
    return data.assign(AVAL=data["AVAL"] * 2.0 ** phase[place])


def unequal(data: pd.DataFrame, share: float = 0.3, *, seed: int = 1) -> pd.DataFrame:
    """Without a share of the samples, one of each subject's condition kept."""
    samples = data[["USUBJID", CONDITION[data.columns[1]], "DRAW"]].drop_duplicates()
    gone = samples[samples["DRAW"] > 0].sample(frac=share, random_state=seed).index
    keys = ["USUBJID", samples.columns[1], "DRAW"]
    lost = pd.MultiIndex.from_frame(samples.loc[gone])
    return data[~pd.MultiIndex.from_frame(data[keys]).isin(lost)]


CONDITION = {"AVISIT": "AVISIT", "SEQ": "TRTA"}


# -- measured --------------------------------------------------------------------


def slow_reml(y: np.ndarray, x: np.ndarray, parts: list[np.ndarray]) -> tuple[float, float, float]:
    """Dense REML of V = sum theta_k G_k, Kenward and Roger's covariance and df of the last."""

    def pieces(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        v = sum(t * g for t, g in zip(theta, parts, strict=True))
        inverse = np.linalg.inv(v)
        phi = np.linalg.inv(x.T @ inverse @ x)
        rest = y - x @ phi @ x.T @ inverse @ y
        value = np.linalg.slogdet(v)[1] - np.linalg.slogdet(phi)[1] + rest @ inverse @ rest
        return inverse, phi, float(value)

    def deviance(theta: np.ndarray) -> float:
        v = sum(t * g for t, g in zip(theta, parts, strict=True))
        return pieces(theta)[2] if np.linalg.eigvalsh(v)[0] > 1e-8 else 1e10

    best = np.array([0.5, 0.2, 0.2])[-len(parts) :]
    options = {"xatol": 1e-10, "fatol": 1e-13, "maxiter": 4000, "maxfev": 4000}
    for _ in range(3):
        best = optimize.minimize(deviance, best, method="Nelder-Mead", options=options).x
    inverse, phi, _ = pieces(best)
    p = inverse - inverse @ x @ phi @ x.T @ inverse
    w = np.linalg.inv([[np.trace(p @ a @ p @ b) / 2 for a in parts] for b in parts])
    slopes = [x.T @ inverse @ g @ inverse @ x for g in parts]
    inner = sum(
        w[i, j] * (x.T @ inverse @ a @ inverse @ b @ inverse @ x - slopes[i] @ phi @ slopes[j])
        for i, a in enumerate(parts)
        for j, b in enumerate(parts)
    )
    adjusted = phi + 2 * phi @ inner @ phi
    gradient = np.array([(phi @ slope @ phi)[-1, -1] for slope in slopes])
    df = 2 * phi[-1, -1] ** 2 / (gradient @ w @ gradient)
    return (phi @ x.T @ inverse @ y)[-1], np.sqrt(adjusted[-1, -1]), df


@pytest.mark.parametrize("design", ["paired", "crossover"])
def test_unequal_draws_are_the_mixed_model(design: str) -> None:
    if design == "paired":
        data, options = unequal(nested_panel(n=8, m=2)), DRAWS
        treated, period = data["AVISIT"] == "Week 8", None
    else:
        data, options = unequal(crossover_draws()), {**CROSSOVER, "visit": "DRAW"}
        treated, period = data["TRTA"] == "LDN", data["PERIOD"] == 2
    found = tk.compare_panel(data, **options).frame().set_index("analyte")
    assert found["method"].str.startswith("mixed model (random subject and subject by").all()
    for name in found.index:
        rows = (data["PARAMCD"] == name).to_numpy()
        columns = [np.ones(rows.sum())]
        columns += [] if period is None else [period[rows].to_numpy(float)]
        x = np.column_stack([*columns, treated[rows].to_numpy(float)])
        who, what = data.loc[rows, "USUBJID"].to_numpy(), treated[rows].to_numpy()
        same = who[:, None] == who
        parts = [same * 1.0, (same & (what[:, None] == what)) * 1.0, np.eye(who.size)]
        estimate, se, df = slow_reml(np.log2(data.loc[rows, "AVAL"].to_numpy()), x, parts)
        row = found.loc[name]
        np.testing.assert_allclose(
            row[["estimate", "se", "df"]].astype(float), [estimate, se, df], rtol=2e-5
        )
        assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(estimate / se), df), rel=2e-4)


def crossover_draws(n: int = 10, m: int = 2, draws: int = 3) -> pd.DataFrame:
    """Draws in each period of an AB/BA crossover."""
    rng = np.random.default_rng(6)
    parts = []
    single = crossover_panel(n=n, m=m)
    for draw in range(draws):
        noise = 2.0 ** rng.normal(0, 0.5, len(single))
        parts.append(single.assign(DRAW=draw, AVAL=single["AVAL"] * noise))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("omega", [0.6, 0.0])
def test_equal_draws_are_the_paired_t_of_their_means(omega: float) -> None:
    """Also where the phases vary less than their draws let expect."""
    for seed in range(3):
        data = nested_panel(n=7, m=2, seed=seed) if omega else paired_panel(n=7, m=2, draws=3)
        table = tk.compare_panel(data, **DRAWS)
        logs = data.assign(L=np.log2(data["AVAL"]))
        means = logs.groupby(["PARAMCD", "USUBJID", "AVISIT"])["L"].mean().unstack()
        for name, rows in means.groupby(level=0):
            truth = stats.ttest_rel(rows["Week 8"], rows["Baseline"])
            row = table.where(analyte=name).single()
            assert row.statistic == pytest.approx(truth.statistic)
            assert row.df == 6
            # The mixed model itself, asked without the short cut.
            units = table.units[0]
            fit = mixed_fit(units, units.y, units.analytes.index(name))
            np.testing.assert_allclose([fit.estimate, fit.se, fit.df], [row.estimate, row.se, 6])


def test_means_of_unequal_draws_when_asked() -> None:
    data = unequal(nested_panel(n=8, m=2))
    found = tk.compare_panel(data, **DRAWS, repeated="mean").frame()
    logs = data.assign(AVAL=np.log2(data["AVAL"]))
    means = logs.groupby(["PARAMCD", "USUBJID", "AVISIT"], as_index=False)["AVAL"].mean()
    plain = tk.compare_panel(means, **PAIRED, transform="none").frame()
    np.testing.assert_allclose(found["p_value"], plain["p_value"])
    assert found["method"].str.startswith("paired t of the means of draws;").all()
    mixed = tk.compare_panel(data, **DRAWS).frame()
    assert (np.abs(mixed["p_value"] - found["p_value"]) > 1e-6).all()


def test_each_analyte_goes_its_own_way() -> None:
    data = nested_panel(n=8, m=3)
    lost = (data["PARAMCD"] == "A1") & (data["USUBJID"] == "S02") & (data["DRAW"] == 1)
    single = (data["PARAMCD"] == "A2") & (data["DRAW"] > 0)
    data = data[~(lost & (data["AVISIT"] == "Week 8")) & ~single]
    found = tk.compare_panel(data, **DRAWS, adjust="none").frame()
    method = found.set_index("analyte")["method"]
    assert method["A0"] == "paired t of the means of draws"
    assert method["A1"].startswith("mixed model")
    assert method["A2"] == "paired t"


def test_what_goes_with_the_mixed_model_and_what_does_not() -> None:
    data = unequal(nested_panel(n=7, m=3))
    with pytest.raises(tk.SpecError, match="unequal number have several; choose repeated="):
        tk.compare_panel(data, **DRAWS, moderated=True)
    assert "s2_prior" in tk.compare_panel(data, **DRAWS, moderated=True, repeated="mean").frame()
    equal = tk.compare_panel(nested_panel(n=7, m=3), **DRAWS, moderated=True).frame()
    assert equal["method"].str.contains("means of draws, moderated").all()
    ranked = tk.compare_panel(data, **DRAWS, test="wilcoxon").frame()
    assert ranked["method"].str.contains("; differences of the means of draws").all()
    permuted = tk.compare_panel(data, **DRAWS, adjust="maxt")
    assert "(several draws by the t statistic of their means)" in permuted.adjustment
    with pytest.raises(tk.SpecError, match='repeated="mean" has no mean of draws one of which'):
        tk.compare_panel(data, **DRAWS, repeated="mean", lloq=20.0)


def test_values_left_out_leave_unequal_draws() -> None:
    data = nested_panel(n=8, m=1)
    limit = float(data["AVAL"].quantile(0.2))
    gone = data["AVAL"] <= limit
    dropped = tk.compare_panel(data, **DRAWS, lloq=limit, censoring="drop").frame()
    by_hand = tk.compare_panel(data[~gone], **DRAWS).frame()
    np.testing.assert_allclose(
        dropped[["estimate", "se", "df"]].astype(float),
        by_hand[["estimate", "se", "df"]].astype(float),
    )
    assert dropped["n"].tolist() == by_hand["n"].tolist()


def test_a_model_without_an_optimum_says_so() -> None:
    data = nested_panel(n=6, m=1)
    level = data.groupby(["USUBJID", "AVISIT"])["AVAL"].transform("first")
    row = tk.compare_panel(unequal(data.assign(AVAL=level)), **DRAWS).frame().iloc[0]
    assert "variance" in row["status"]
    assert np.isnan(row["p_value"])


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 500), factor=st.sampled_from([0.25, 8.0]))
def test_invariances_of_unequal_draws(seed: int, factor: float) -> None:
    data = unequal(nested_panel(n=7, m=2, seed=seed), seed=seed)
    base = tk.compare_panel(data, **DRAWS).frame().set_index("analyte")
    mixed = data.sample(frac=1, random_state=seed)
    names = ["estimate", "se", "df"]
    for other in (mixed, mixed.assign(AVAL=mixed["AVAL"] * factor)):
        again = tk.compare_panel(other, **DRAWS).frame().set_index("analyte").loc[base.index]
        np.testing.assert_allclose(again[names].astype(float), base[names].astype(float), rtol=1e-6)
    turned = tk.compare_panel(data, **{**DRAWS, "reference": "Week 8"}).frame()
    turned = turned.set_index("analyte").loc[base.index]
    np.testing.assert_allclose(turned["estimate"], -base["estimate"], rtol=1e-6)
    np.testing.assert_allclose(turned["p_value"], base["p_value"], rtol=1e-5)


def test_draws_of_a_treatment_lie_in_one_period() -> None:
    data = crossover_draws()
    options = {**CROSSOVER, "visit": "DRAW"}
    single = tk.compare_panel(data, **options).frame()
    assert single["method"].str.startswith("within-subject differences of the means of draws").all()
    data.loc[(data["USUBJID"] == "S03") & (data["DRAW"] == 1), "PERIOD"] = 2
    with pytest.raises(
        tk.DataError, match="draws of one condition in several periods, first 'S03'"
    ):
        tk.compare_panel(data, **options)


# -- censored --------------------------------------------------------------------


def test_hardly_censored_draws_are_nearly_the_t_test_of_their_means() -> None:
    data = nested_panel(n=14)
    plain = tk.compare_panel(data, **DRAWS).frame()
    lowest = data.groupby("PARAMCD")["AVAL"].transform("min")
    found = tk.compare_panel(data.assign(LLOQ=lowest * 1.0001), **DRAWS, lloq="LLOQ").frame()
    assert (found["n_censored"] == 1).all()
    assert (
        found["method"]
        .str.startswith("censored mixed model (random subject and subject by condition)")
        .all()
    )
    np.testing.assert_allclose(found["estimate"], plain["estimate"], atol=0.03)
    np.testing.assert_allclose(found["se"], plain["se"], rtol=0.05)
    np.testing.assert_array_equal(found["df"], plain["df"])


def test_a_single_draw_has_no_effect_of_its_own() -> None:
    data = nested_panel(n=8, m=1)
    single = data[data["DRAW"] == 0]
    limit = float(single["AVAL"].quantile(0.2))
    named = tk.compare_panel(single, **DRAWS, lloq=limit).frame()
    plain = tk.compare_panel(single, **PAIRED, lloq=limit).frame()
    pd.testing.assert_frame_equal(named, plain)
    assert named["method"].str.startswith("censored mixed model (random subject)").all()


def test_an_effect_of_phases_makes_the_interval_wider() -> None:
    """Without it the draws of a phase would count as independent given the subject."""
    data = nested_panel(n=10, m=3)
    limit = data.groupby("PARAMCD")["AVAL"].transform(lambda v: v.quantile(0.25))
    data = data.assign(LLOQ=limit)
    found = tk.compare_panel(data, **DRAWS, lloq="LLOQ").frame()
    half = tk.compare_panel(data, **DRAWS, lloq="LLOQ", censoring="half-sqrt2").frame()
    assert ((found["se"] / half["se"]).between(0.7, 1.5)).all()


def test_a_phase_below_the_limit_is_bounded_by_the_profile() -> None:
    """The bound, where the deviance has risen from that of the other phase alone."""
    data = nested_panel(n=7, m=1, draws=2)
    later = data["AVISIT"] == "Week 8"
    limit = float(data.loc[~later, "AVAL"].min()) * 0.999
    data.loc[later, "AVAL"] = limit / 2
    row = tk.compare_panel(data, **DRAWS, lloq=limit).frame().iloc[0]
    assert row["status"].endswith("exact test on detection and a bound")
    y = np.log2(data[~later].pivot(index="USUBJID", columns="DRAW", values="AVAL").to_numpy())

    def negative(p: np.ndarray) -> float:
        v = np.exp(2 * p[1]) + np.exp(2 * p[2]) * np.eye(2)
        return -float(stats.multivariate_normal.logpdf(y - p[0], np.zeros(2), v).sum())

    top = -optimize.minimize(negative, [y.mean(), 0.0, 0.0], tol=1e-10).fun
    from trialkit.kernels.censored_nested import censored_nested

    both = np.stack([y, np.full_like(y, np.log2(limit) - row["ci_high"])], axis=1)
    side = np.zeros(both.shape, dtype=np.int64)
    side[:, 1] = -1
    at_bound = censored_nested(both, side, np.ones((7, 2, 2, 1))).log_likelihood
    assert at_bound == pytest.approx(top - stats.norm.ppf(0.975) ** 2 / 2, abs=1e-4)


def test_a_confounded_plate_is_refused_and_one_for_some_analytes_blank() -> None:
    data = paired_panel(n=8)
    plates = data.assign(PLATE=np.where(data["AVISIT"] == "Week 8", "P2", "P1"))
    for limit in (None, 20.0):
        with pytest.raises(tk.DesignError, match="is a combination of the columns adjusted for"):
            tk.compare_panel(plates, **PAIRED, plate="PLATE", lloq=limit)
    some = plates.assign(PLATE=np.where(plates["USUBJID"] < "S02", "P1", plates["PLATE"]))
    gone = (some["PARAMCD"] == "A1") & (some["USUBJID"] < "S02")
    for limit in (None, 30.0):
        row = (
            tk.compare_panel(some[~gone], **PAIRED, plate="PLATE", lloq=limit)
            .where(analyte="A1")
            .frame()
            .iloc[0]
        )
        assert np.isnan(row["estimate"])
        assert row["status"] != "ok"


def test_scores_of_draws_are_exchanged_in_pairs() -> None:
    data = nested_panel(n=7, m=2)
    limit = data.groupby("PARAMCD")["AVAL"].transform("min") * 1.0001
    plain = tk.compare_panel(data, **DRAWS, adjust="maxt").frame()
    found = tk.compare_panel(data.assign(LLOQ=limit), **DRAWS, lloq="LLOQ", adjust="maxt").frame()
    np.testing.assert_allclose(found["p_permutation"], plain["p_permutation"], atol=0.08)


def test_a_bound_that_cannot_be_fitted_is_infinite(monkeypatch: pytest.MonkeyPatch) -> None:
    from trialkit.analyses import panel_detection

    data = paired_panel(n=8, m=1)
    later = data["AVISIT"] == "Week 8"
    limit = float(data.loc[~later, "AVAL"].min()) * 0.999
    data.loc[later, "AVAL"] = limit / 2
    bounded = tk.compare_panel(data, **PAIRED, lloq=limit).frame().iloc[0]
    assert np.isfinite(bounded["ci_high"])

    def unfitted(*_: object) -> float:
        raise tk.ConvergenceError("The censored likelihood has no maximum.")

    monkeypatch.setattr(panel_detection._Profile, "_fitted", unfitted)
    row = tk.compare_panel(data, **PAIRED, lloq=limit).frame().iloc[0]
    assert (row["ci_low"], row["ci_high"]) == (-np.inf, np.inf)
    assert row["p_value"] == bounded["p_value"]
