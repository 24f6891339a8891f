"""Type II and type III tests: the hypotheses, whatever the coding."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.linear_fits import fit_visits, visit_data
from reference.loader import assert_close

import trialkit as tk
from trialkit.analyses.ancova import AncovaFit


def cells(seed: int = 8, n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "ARM": rng.choice(["a", "b", "c"], n),
            "SEX": rng.choice(["F", "M"], n, p=[0.7, 0.3]),
            "BASE": rng.normal(3, 1, n),
            "CHG": rng.normal(size=n),
        }
    )


def fit_of(data: pd.DataFrame, formula: str) -> AncovaFit:
    return tk.ancova(formula, data, arm="ARM", reference="a")


def numbers(table: tk.TestTable) -> pd.DataFrame:
    return table.frame()[["num_df", "den_df", "statistic", "p_value", "sum_sq"]]


def test_the_coding_of_the_formula_does_not_matter() -> None:
    data = cells()
    plain = fit_of(data, "CHG ~ ARM*SEX + BASE + ARM:BASE").type3()
    coded = fit_of(data, "CHG ~ C(ARM, contr.sum)*C(SEX, contr.helmert) + BASE + ARM:BASE")
    # C(ARM) and ARM are two spellings of one factor: the model is the same only if all agree.
    same = fit_of(
        data,
        "CHG ~ C(ARM, contr.sum)*C(SEX, contr.helmert) + BASE + C(ARM, contr.sum):BASE",
    )
    assert_close(numbers(same.type3()), numbers(plain), rtol=1e-8, atol=1e-12)
    assert coded.df_residual == same.df_residual
    turned = tk.ancova("CHG ~ ARM*SEX + BASE + ARM:BASE", data, arm="ARM", reference="c")
    assert_close(numbers(turned.type3()), numbers(plain), rtol=1e-8, atol=1e-12)
    assert_close(
        numbers(turned.type2()),
        numbers(fit_of(data, "CHG ~ ARM*SEX + BASE + ARM:BASE").type2()),
        rtol=1e-8,
        atol=1e-12,
    )


def test_type_three_main_effect_is_equality_of_unweighted_cell_means() -> None:
    """By hand: cell means, weights 1/2 over SEX, Wald test of equality over ARM."""
    data = cells()
    fit = fit_of(data, "CHG ~ ARM*SEX")
    groups = data.groupby(["ARM", "SEX"], observed=True)["CHG"]
    means, sizes = groups.mean().to_numpy(), groups.size().to_numpy()
    average = np.kron(np.eye(3), [0.5, 0.5])
    compare = np.array([[-1, 1, 0], [-1, 0, 1]]) @ average
    value = compare @ means
    spread = fit.sigma**2 * compare @ np.diag(1 / sizes) @ compare.T
    expected = value @ np.linalg.solve(spread, value) / 2
    row = fit.type3().where(term="ARM").tests[0]
    assert_close(row.statistic, expected, rtol=1e-10)
    assert (row.num_df, row.den_df) == (2, 54)
    assert row.method.endswith("type III F")


@pytest.mark.parametrize(
    ("term", "without"),
    [
        ("ARM", ["SEX + BASE", "ARM + SEX + BASE"]),
        ("SEX", ["ARM + BASE + ARM:BASE", "ARM + SEX + BASE + ARM:BASE"]),
        ("BASE", ["ARM + SEX + ARM:SEX", "ARM + SEX + BASE + ARM:SEX"]),
        ("ARM:SEX", ["ARM + SEX + BASE + ARM:BASE", "ARM*SEX + BASE + ARM:BASE"]),
        ("ARM:BASE", ["ARM*SEX + BASE", "ARM*SEX + BASE + ARM:BASE"]),
    ],
)
def test_type_two_is_a_gain_in_sum_of_squares(term: str, without: list[str]) -> None:
    from statsmodels.formula.api import ols

    data = cells()
    fit = fit_of(data, "CHG ~ ARM*SEX + BASE + ARM:BASE")
    smaller, larger = (ols(f"CHG ~ {terms}", data).fit() for terms in without)
    gain = smaller.ssr - larger.ssr
    row = fit.type2().where(term=term)
    assert_close(row.extras["sum_sq"], gain, rtol=1e-7)
    num_df = smaller.df_resid - larger.df_resid
    assert row.tests[0].num_df == num_df
    assert_close(row.tests[0].statistic, gain / num_df / fit.sigma**2, rtol=1e-7)


def test_without_interactions_the_two_types_agree() -> None:
    fit = fit_of(cells(), "CHG ~ ARM + SEX + BASE")
    three = fit.type3().frame()
    assert three["term"].tolist() == ["Intercept", "ARM", "SEX", "BASE"]
    two = numbers(fit.type2())
    assert_close(numbers(fit.type3())[1:], two, rtol=1e-9)


def test_without_an_intercept_all_means_are_tested() -> None:
    fit = fit_of(cells(), "CHG ~ 0 + ARM + BASE")
    table = fit.type3().frame()
    assert table["term"].tolist() == ["ARM", "BASE"]
    assert table["num_df"].tolist() == [3, 1]


def test_type_two_survives_an_empty_cell() -> None:
    data = cells()
    data = data[~((data["ARM"] == "c") & (data["SEX"] == "M"))]
    fit = tk.ancova("CHG ~ ARM*SEX + BASE", data, arm="ARM", reference="a", drop_aliased=True)
    table = fit.type2().frame().set_index("term")
    assert table["num_df"].to_dict() == {"ARM": 2, "SEX": 1, "BASE": 1, "ARM:SEX": 1}


def test_terms_with_visits() -> None:
    fit = fit_visits(visit_data())
    table = fit.type3().frame()
    assert table["term"].tolist() == [
        "Intercept",
        "TRT01P",
        "AVISIT",
        "BASE",
        "STRATA",
        "TRT01P:AVISIT",
        "BASE:AVISIT",
    ]
    assert table["num_df"].tolist() == [1, 2, 2, 1, 1, 4, 2]
    assert "sum_sq" not in table
    turned = fit_visits(visit_data(), reference="LDN 3.0 mg").type3().frame()
    assert_close(turned["statistic"], table["statistic"], rtol=1e-8)
