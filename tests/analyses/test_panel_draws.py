"""Several draws of a subject under a condition: censored, and not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.panels import PAIRED, paired_panel
from scipy import optimize, stats

import trialkit as tk

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
    data = nested_panel(n=9, m=1)
    later = data["AVISIT"] == "Week 8"
    limit = float(data.loc[~later, "AVAL"].min()) * 0.999
    data.loc[later, "AVAL"] = limit / 2
    row = tk.compare_panel(data, **DRAWS, lloq=limit).frame().iloc[0]
    assert row["status"].endswith("exact test on detection and a bound")
    y = np.log2(data[~later].pivot(index="USUBJID", columns="DRAW", values="AVAL").to_numpy())

    def negative(p: np.ndarray) -> float:
        v = np.exp(2 * p[1]) + np.exp(2 * p[2]) * np.eye(3)
        return -float(stats.multivariate_normal.logpdf(y - p[0], np.zeros(3), v).sum())

    top = -optimize.minimize(negative, [y.mean(), 0.0, 0.0], tol=1e-10).fun
    from trialkit.kernels.censored_nested import censored_nested

    both = np.stack([y, np.full_like(y, np.log2(limit) - row["ci_high"])], axis=1)
    side = np.zeros(both.shape, dtype=np.int64)
    side[:, 1] = -1
    at_bound = censored_nested(both, side, np.ones((9, 2, 3, 1))).log_likelihood
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
