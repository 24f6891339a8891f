"""Random-effects means against metafor, by their definitions, and at their limits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close, reference_case
from scipy import optimize, stats

from trialkit.kernels.random_effects import random_effects, tau2_estimate

CASE = "meta/a_continuous_seven_studies"
NAMES = {"REML": "reml", "PM": "paule-mandel", "DL": "dersimonian-laird"}


@pytest.mark.reference
@pytest.mark.parametrize("measure", ["md", "smd"])
@pytest.mark.parametrize("method", NAMES)
def test_metafor(measure: str, method: str) -> None:
    case = reference_case(CASE)[measure]
    effects = pd.DataFrame(case["effects"])
    y, v = effects["yi"].to_numpy(), effects["vi"].to_numpy()
    table = pd.DataFrame(case["models"]["table"]).set_index(["method", "test"])
    tau2 = tau2_estimate(y, v, kind=NAMES[method])
    fit = random_effects(y, v, tau2=tau2)
    plain, knha = table.loc[(method, "z")], table.loc[(method, "knha")]
    assert_close(tau2, plain["tau2"], 1e-8, atol=1e-10)
    assert_close([fit.mean, fit.variance**0.5], plain[["estimate", "se"]], 1e-8)
    assert_close((fit.variance * fit.scale) ** 0.5, knha["se"], 1e-8)
    assert_close(fit.q, plain["Q"], 1e-10)
    assert_close(100 * fit.i2, plain["I2"], 1e-7, atol=1e-8)
    wide = stats.t.ppf(0.975, y.size - 1) * np.sqrt(fit.variance * fit.scale + tau2)
    assert_close([fit.mean - wide, fit.mean + wide], knha[["pi_low", "pi_high"]], 1e-8)
    if method == "REML":
        assert_close(100 / v / (1 / v).sum(), effects["weight_fe"], 1e-8)
        weights = 1 / (tau2 + v)
        assert_close(100 * weights / weights.sum(), effects["weight_reml"], 1e-8)


def sample(seed: int, k: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    v = rng.uniform(0.2, 3, size=k)
    return rng.normal(scale=np.sqrt(v + spread)), v


@given(seed=st.integers(0, 10_000), k=st.integers(2, 12), spread=st.sampled_from([0.0, 0.5, 20.0]))
@settings(max_examples=40, deadline=None)
def test_reml_is_the_highest_point(seed: int, k: int, spread: float) -> None:
    """Against the restricted likelihood of contrasts, written with dense matrices."""
    y, v = sample(seed, k, spread)
    contrasts = np.linalg.svd(np.ones((1, k)))[2][1:]

    def deviance(tau2: float) -> float:
        inner = contrasts @ np.diag(v + tau2) @ contrasts.T
        z = contrasts @ y
        return float(np.linalg.slogdet(inner)[1] + z @ np.linalg.solve(inner, z))

    ours = tau2_estimate(y, v, kind="reml")
    grid = np.concatenate([[0.0], np.geomspace(1e-6, 1e4, 400)])
    best = grid[np.argmin([deviance(t) for t in grid])]
    assert deviance(ours) <= deviance(best) + 1e-9
    if ours > 0:
        near = optimize.minimize_scalar(deviance, bounds=(ours / 2, ours * 2), method="bounded")
        assert deviance(ours) <= near.fun + 1e-9


@given(seed=st.integers(0, 10_000), k=st.integers(2, 12))
@settings(max_examples=30, deadline=None)
def test_paule_mandel_makes_q_its_expectation(seed: int, k: int) -> None:
    y, v = sample(seed, k, 2.0)
    tau2 = tau2_estimate(y, v, kind="paule-mandel")
    w = 1 / (v + tau2)
    q = w @ (y - w @ y / w.sum()) ** 2
    if tau2 > 0:
        assert_close(q, k - 1, 1e-9)
    else:
        assert q <= k - 1


@pytest.mark.parametrize("kind", NAMES.values())
def test_equal_variances_are_the_textbook(kind: str) -> None:
    y = np.array([1.0, 4.0, 2.5, 7.0, 3.0])
    v = np.full(5, 0.5)
    assert_close(tau2_estimate(y, v, kind=kind), np.var(y, ddof=1) - 0.5, 1e-10)
    fit = random_effects(y, v, tau2=np.var(y, ddof=1) - 0.5)
    assert_close(fit.variance * fit.scale, np.var(y, ddof=1) / 5, 1e-12)
    assert tau2_estimate(np.full(5, 2.0), v, kind=kind) == 0


@pytest.mark.parametrize("kind", NAMES.values())
@pytest.mark.parametrize("factor", [1e-4, 1e5])
def test_units(kind: str, factor: float) -> None:
    y, v = sample(4, 6, 3.0)
    once = tau2_estimate(y, v, kind=kind)
    assert once > 0
    assert_close(
        tau2_estimate(y * factor + 3 * factor, v * factor**2, kind=kind), once * factor**2, 1e-9
    )


def test_shares_and_prediction_are_henderson() -> None:
    """The best linear predictions solve the mixed-model equations."""
    y, v = sample(9, 7, 2.0)
    tau2 = 1.3
    fit = random_effects(y, v, tau2=tau2)
    k = y.size
    one = np.ones((k, 1))
    left = np.block(
        [
            [one.T @ np.diag(1 / v) @ one, one.T @ np.diag(1 / v)],
            [np.diag(1 / v) @ one, np.diag(1 / v) + np.eye(k) / tau2],
        ]
    )
    solution = np.linalg.solve(left, np.concatenate([[(y / v).sum()], y / v]))
    inverse = np.linalg.inv(left)
    ours = fit.share * y + (1 - fit.share) * fit.mean
    assert_close(ours, solution[0] + solution[1:], 1e-10)
    at = np.hstack([one, np.eye(k)])
    theirs = np.diagonal(at @ inverse @ at.T)
    assert_close(fit.share * v + (1 - fit.share) ** 2 * fit.variance, theirs, 1e-10)
