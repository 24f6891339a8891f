"""Rubin's rules against R's mice, by hand, and in their limits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from reference.loader import assert_close, reference_case

import trialkit as tk
from trialkit.analyses.ancova import AncovaFit

CASE = "imputation/b_rubin_pooling"
# The pooling is closed form: what is left is rounding in the fits that are pooled.
RTOL = 1e-9
FORMULA = "CHG ~ TRT01P + BASE + STRATA1"
COLUMNS = {
    "estimate": "estimate",
    "se": "se",
    "statistic": "statistic",
    "df": "df",
    "p_value": "p_value",
    "ci_low": "ci_low",
    "ci_high": "ci_high",
    "ubar": "within",
    "b": "between",
    "t": "total",
    "dfcom": "df_complete",
    "riv": "riv",
    "lambda": "lambda",
    "fmi": "fmi",
}


def fits(n: int | None = None) -> list[AncovaFit]:
    data = reference_case(CASE).data()
    numbers = sorted(data["IMPNUM"].unique())[:n]
    return [
        tk.ancova(FORMULA, data[data["IMPNUM"] == k], arm="TRT01P", reference="Placebo")
        for k in numbers
    ]


def arrays(n: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    each = fits(n)
    return np.array([f.coef for f in each]), np.array([f.vcov for f in each])


def diagonals(vcov: np.ndarray) -> np.ndarray:
    return np.diagonal(vcov, axis1=1, axis2=2)


def assert_table(pooled: tk.EstimateTable, expected: pd.DataFrame) -> None:
    frame = pooled.frame()
    for theirs, ours in COLUMNS.items():
        assert_close(frame[ours], expected[theirs], rtol=RTOL)


@pytest.mark.reference
@pytest.mark.parametrize(("analysis", "n"), [("ancova", None), ("ancova_first_five", 5)])
def test_pooled_ancova_is_mices(analysis: str, n: int | None) -> None:
    coef, vcov = arrays(n)
    df = fits(n)[0].df_residual
    pooled = tk.pool_rubin(coef, diagonals(vcov), df_complete=df, terms=fits(1)[0].columns)
    assert_table(pooled, reference_case(CASE).table(analysis))


@pytest.mark.reference
def test_tables_pool_as_their_numbers_do() -> None:
    pooled = tk.pool_rubin([fit.coefficients() for fit in fits()])
    assert_table(pooled, reference_case(CASE).table("ancova"))
    assert pooled.keys["term"] == fits(1)[0].columns


@pytest.mark.reference
def test_large_sample_df_without_df_complete() -> None:
    coef, vcov = arrays()
    frame = tk.pool_rubin(coef, diagonals(vcov)).frame()
    expected = reference_case(CASE).table("ancova", "large_sample_df")
    assert_close(frame["df"], expected["df_rubin_1987"], rtol=RTOL)
    assert_close(frame["p_value"], expected["p_value_rubin_1987"], rtol=RTOL)


@pytest.mark.reference
def test_each_imputation_is_analysed_as_in_r() -> None:
    expected = reference_case(CASE).table("ancova", "per_imputation_trt")
    rows = [fit.contrasts().single() for fit in fits()]
    assert_close([row.estimate for row in rows], expected["estimate"], rtol=RTOL)
    assert_close([row.se for row in rows], expected["se"], rtol=RTOL)


@pytest.mark.reference
def test_pooled_logistic_regression_is_mices() -> None:
    import statsmodels.formula.api as smf
    from statsmodels.genmod.families import Binomial

    data = reference_case(CASE).data()
    data["RESP"] = (data["CHG"] <= -0.3 * data["BASE"]).astype(int)
    model = "RESP ~ C(TRT01P, Treatment('Placebo')) + BASE + STRATA1"
    each = []
    for _, part in data.groupby("IMPNUM", observed=True):
        glm = smf.glm(model, part, family=Binomial())
        # Again from the optimum: the covariance is that of the iterate before the last.
        start = glm.fit(tol=1e-14, maxiter=100).params
        each.append(glm.fit(start_params=start, tol=1e-14, maxiter=100))
    order = [list(each[0].params.index).index(name) for name in _r_order(each[0].params.index)]
    coef = np.array([fit.params.to_numpy()[order] for fit in each])
    var = np.array([np.diagonal(fit.cov_params().to_numpy())[order] for fit in each])
    pooled = tk.pool_rubin(coef, var, df_complete=each[0].df_resid)
    assert_table(pooled, reference_case(CASE).table("logistic_responder"))


def _r_order(names: pd.Index) -> list[str]:
    starts = ("Intercept", "C(TRT01P", "BASE", "STRATA1")
    return [next(n for n in names if n.startswith(s)) for s in starts]


@pytest.mark.reference
def test_joint_test_is_d1() -> None:
    coef, vcov = arrays()
    test = tk.pool_rubin_test(coef[:, 1:], vcov[:, 1:, 1:]).frame().iloc[0]
    expected = reference_case(CASE)["d1_all_terms"]
    assert_close(test["statistic"], expected["F"], rtol=RTOL)
    assert_close(test["num_df"], expected["df1"], rtol=RTOL)
    assert_close(test["den_df"], expected["df2"], rtol=RTOL)
    assert_close(test["p_value"], expected["p_value"], rtol=RTOL)
    assert_close(test["riv"], expected["riv"], rtol=RTOL)


def test_identical_imputations_are_the_complete_analysis() -> None:
    row = tk.pool_rubin([2.0] * 4, [0.25] * 4, df_complete=30)
    frame = row.frame().iloc[0]
    assert frame["se"] == 0.5
    assert frame["lambda"] == 0
    # Without missing information Barnard and Rubin's df are nu (nu + 1) / (nu + 3).
    assert frame["df"] == pytest.approx(30 * 31 / 33, rel=1e-14)
    assert tk.pool_rubin([2.0] * 4, [0.25] * 4).single().df == np.inf


def test_one_quantity_by_hand() -> None:
    rng = np.random.default_rng(7)
    q, u = rng.normal(1, 1, 9), rng.uniform(0.5, 1, 9)
    row = tk.pool_rubin(q, u, 40, alternative="greater", null=0.2).single()
    total = u.mean() + (1 + 1 / 9) * q.var(ddof=1)
    assert row.estimate == pytest.approx(q.mean())
    assert row.se == pytest.approx(np.sqrt(total))
    assert row.statistic == pytest.approx((q.mean() - 0.2) / np.sqrt(total))
    assert row.ci_high == np.inf
    share = (1 + 1 / 9) * q.var(ddof=1) / total
    old, observed = 8 / share**2, 41 / 43 * 40 * (1 - share)
    assert row.df == pytest.approx(old * observed / (old + observed))


def test_ratios_are_pooled_as_logarithms() -> None:
    row = tk.pool_rubin(np.log([1.0, 4.0]), [0.1, 0.1], scale="ratio").single()
    assert row.estimate == pytest.approx(2.0)
    assert row.scale == "ratio"


@pytest.mark.parametrize(
    ("estimates", "variances", "message"),
    [
        ([1.0], [1.0], "1 imputation"),
        ([1.0, np.nan], [1.0, 1.0], "estimates have 1 value"),
        ([1.0, 2.0], [1.0, np.inf], "variances have 1 value"),
        ([1.0, 2.0], [1.0, -1.0], "below zero"),
        ([1.0, 2.0], [1.0], "same shape"),
        ([["a"], ["b"]], [1.0, 1.0], "not an array of numbers"),
        (np.ones((2, 2, 2)), np.ones((2, 2, 2)), "3 dimensions"),
    ],
)
def test_what_cannot_be_pooled_is_refused(estimates, variances, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(tk.DataError, match=message):
        tk.pool_rubin(estimates, variances)


def test_arguments_that_do_not_belong_together() -> None:
    with pytest.raises(tk.SpecError, match="variances= is needed"):
        tk.pool_rubin([1.0, 2.0])
    with pytest.raises(tk.SpecError, match="df_complete=0"):
        tk.pool_rubin([1.0, 2.0], [1.0, 1.0], 0)
    with pytest.raises(tk.SpecError, match="names 2 quantities"):
        tk.pool_rubin([1.0, 2.0], [1.0, 1.0], terms=["a", "b"])
    one = tk.pool_rubin([1.0, 2.0], [1.0, 1.0], terms=["a"])
    other = tk.pool_rubin([1.0, 2.0], [1.0, 1.0], terms=["b"])
    with pytest.raises(tk.SpecError, match="their own variances"):
        tk.pool_rubin([one, one], [1.0])
    with pytest.raises(tk.DataError, match="other keys"):
        tk.pool_rubin([one, other])
    with pytest.raises(tk.SpecError, match="tables of estimates only"):
        tk.pool_rubin([one, 1.0])


def test_covariances_that_are_none() -> None:
    b = [[1.0, 0.4], [1.2, 0.5], [0.9, 0.2]]
    with pytest.raises(tk.DataError, match="need \\(3, 2, 2\\)"):
        tk.pool_rubin_test(b, np.eye(2))
    with pytest.raises(tk.DataError, match="not symmetric"):
        tk.pool_rubin_test(b, [[[1.0, 0.5], [0.0, 1.0]]] * 3)
    with pytest.raises(tk.DataError, match="not positive definite"):
        tk.pool_rubin_test(b, [np.ones((2, 2))] * 3)


def test_a_single_hypothesis_tested_jointly_is_the_single_test() -> None:
    # k = 1: F is the square of Rubin's t; the df are Li's approximation of the same.
    rng = np.random.default_rng(3)
    q, u = rng.normal(1, 0.3, 12), rng.uniform(0.5, 1, 12)
    single = tk.pool_rubin(q, u).single()
    joint = tk.pool_rubin_test(q[:, None], u[:, None, None]).frame().iloc[0]
    assert joint["statistic"] == pytest.approx(single.statistic**2)
