"""A formula over a frame: what becomes a factor, what is counted out, what is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from reference.loader import assert_close

from trialkit.data.formula import parse_formula
from trialkit.data.model_frame import ModelFrame, build_model_frame
from trialkit.errors import DataError, SpecError

ARMS = ["Placebo", "LDN 3.0 mg", "LDN 4.5 mg"]


@pytest.fixture
def data() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    n = 30
    return pd.DataFrame(
        {
            "TRT01P": [ARMS[i % 3] for i in range(n)],
            "STRATA": ["b", "a", "b", "a", "a"] * 6,
            "SITE": [1, 2, 3, 2, 1, 3] * 5,
            "FLAG": [True, False, False] * 10,
            "BASE": rng.normal(7, 1, n).round(2),
            "my col": rng.uniform(1, 2, n),
            "CHG": rng.normal(-1, 2, n),
        },
        index=[f"row {i}" for i in range(n)],
    )


def build(formula: str, data: pd.DataFrame) -> ModelFrame:
    return build_model_frame(formula, data, levels={"TRT01P": ARMS}, every_level=("TRT01P",))


def test_columns_terms_and_factors(data: pd.DataFrame) -> None:
    frame = build("CHG ~ TRT01P*STRATA + BASE + TRT01P:BASE + C(SITE) + FLAG", data)
    assert frame.columns == (
        "Intercept",
        "TRT01P[T.LDN 3.0 mg]",
        "TRT01P[T.LDN 4.5 mg]",
        "STRATA[T.b]",
        "BASE",
        "C(SITE)[T.2]",
        "C(SITE)[T.3]",
        "FLAG[T.True]",
        "TRT01P[T.LDN 3.0 mg]:STRATA[T.b]",
        "TRT01P[T.LDN 4.5 mg]:STRATA[T.b]",
        "TRT01P[T.LDN 3.0 mg]:BASE",
        "TRT01P[T.LDN 4.5 mg]:BASE",
    )
    assert {name: factor.levels for name, factor in frame.factors.items()} == {
        "TRT01P": tuple(ARMS),
        "STRATA": ("a", "b"),
        "SITE": (1, 2, 3),
        "FLAG": (False, True),
    }
    assert_close(frame.factors["STRATA"].shares, [0.6, 0.4], rtol=1e-15)
    assert_close(frame.factors["FLAG"].shares, [2 / 3, 1 / 3], rtol=1e-15)
    assert frame.covariate_means == {"BASE": pytest.approx(data["BASE"].mean())}
    by_name = {term.name: term for term in frame.terms}
    assert by_name["TRT01P:BASE"].variables == {"TRT01P", "BASE"}
    assert by_name["C(SITE)"].variables == {"SITE"}
    assert by_name["C(SITE)"].columns == slice(5, 7)
    assert by_name["Intercept"].factors == frozenset()
    assert frame.n == frame.n_rows == frame.n_subjects == 30
    assert frame.notes == ()
    assert frame.outcome == "CHG"


def test_the_declared_order_and_the_categoricals_are_kept(data: pd.DataFrame) -> None:
    data["STRATA"] = pd.Categorical(data["STRATA"], categories=["b", "never", "a"])
    frame = build_model_frame(
        "CHG ~ TRT01P + STRATA", data, levels={"TRT01P": ["LDN 4.5 mg", "Placebo", "LDN 3.0 mg"]}
    )
    assert frame.columns[1:] == ("TRT01P[T.Placebo]", "TRT01P[T.LDN 3.0 mg]", "STRATA[T.a]")


def test_declared_numbers_are_factors(data: pd.DataFrame) -> None:
    frame = build_model_frame("CHG ~ SITE + BASE", data, levels={"SITE": [2, 1, 3]})
    assert frame.columns == ("Intercept", "SITE[T.1]", "SITE[T.3]", "BASE")
    assert build_model_frame("CHG ~ SITE", data).columns == ("Intercept", "SITE")


def test_string_dtype_nullable_numbers_and_objects_of_numbers(data: pd.DataFrame) -> None:
    plain = build("CHG ~ TRT01P + STRATA + BASE", data)
    data = data.astype({"TRT01P": "string", "STRATA": "string", "BASE": "Float64"})
    data["CHG"] = data["CHG"].astype(object)
    other = build("CHG ~ TRT01P + STRATA + BASE", data)
    assert other.columns == plain.columns
    assert_close(other.matrix, plain.matrix, rtol=0)
    assert_close(other.response, plain.response, rtol=0)


def test_missing_rows_are_counted_by_column(data: pd.DataFrame) -> None:
    data.iloc[[3, 4], data.columns.get_loc("CHG")] = np.nan
    data.iloc[[4, 7], data.columns.get_loc("BASE")] = np.nan
    data.iloc[9, data.columns.get_loc("STRATA")] = None
    data.iloc[12, data.columns.get_loc("my col")] = np.nan
    frame = build("CHG ~ TRT01P + BASE + STRATA", data)
    assert frame.n == 26
    assert frame.n_excluded == {"CHG": 2, "BASE": 2, "STRATA": 1}
    assert frame.rows.tolist() == [i for i in range(30) if i not in (3, 4, 7, 9)]
    assert frame.analysed.index.tolist() == data.index[frame.rows].tolist()
    assert_close(frame.covariate_means["BASE"], data["BASE"].iloc[frame.rows].mean(), rtol=1e-15)
    assert frame.notes == ("4 of 30 rows excluded for missing values (CHG 2, BASE 2, STRATA 1).",)


def test_new_rows_go_through_transforms_as_learnt(data: pd.DataFrame) -> None:
    formula = (
        "CHG ~ TRT01P + center(BASE) + poly(BASE, 2) + log(`my col`) + sqrt(BASE) + bs(BASE, df=4)"
    )
    frame = build(formula, data)
    assert_close(frame.rows_for(data), frame.matrix, rtol=0)
    one = pd.DataFrame({"TRT01P": ["LDN 3.0 mg"], "BASE": [frame.covariate_means["BASE"]]})
    one["my col"] = frame.covariate_means["my col"]
    row = dict(zip(frame.columns, frame.rows_for(one)[0], strict=True))
    assert abs(row["center(BASE)"]) < 1e-12
    assert row["log(`my col`)"] == np.log(data["my col"].mean())
    assert row["TRT01P[T.LDN 3.0 mg]"] == 1
    assert row["TRT01P[T.LDN 4.5 mg]"] == 0


def test_transforms_learn_from_the_analysed_rows_only(data: pd.DataFrame) -> None:
    data.loc["row 5", ["CHG", "BASE"]] = [np.nan, 1e6]
    frame = build("CHG ~ TRT01P + center(BASE)", data)
    assert abs(frame.matrix[:, 3].sum()) < 1e-10
    assert np.abs(frame.matrix[:, 3]).max() < 10


def test_a_changed_frame_leaves_the_model_alone(data: pd.DataFrame) -> None:
    frame = build("CHG ~ TRT01P + BASE", data)
    before = frame.matrix.copy(), frame.response.copy(), frame.analysed.copy()
    data["BASE"] = 0.0
    data["CHG"] = 0.0
    data["TRT01P"] = "?"
    assert_close(frame.matrix, before[0], rtol=0)
    assert_close(frame.response, before[1], rtol=0)
    pd.testing.assert_frame_equal(frame.analysed, before[2])
    with pytest.raises(ValueError, match="read-only"):
        frame.matrix[0, 0] = 5


def test_a_model_frame_can_be_pickled(data: pd.DataFrame) -> None:
    frame = build("CHG ~ TRT01P*STRATA + center(BASE)", data)
    again = pickle.loads(pickle.dumps(frame))
    assert_close(again.rows_for(data), frame.matrix, rtol=0)


def test_subjects_share_equally(data: pd.DataFrame) -> None:
    data["USUBJID"] = [f"S{i // 3 if i < 15 else i}" for i in range(30)]
    frame = build_model_frame("CHG ~ BASE", data, subject="USUBJID")
    assert frame.n_subjects == 20
    sums = pd.Series(frame.subject_shares).groupby(data["USUBJID"].to_numpy()).sum()
    assert_close(sums, np.full(20, 1 / 20), rtol=1e-12)


def test_further_columns_can_be_required(data: pd.DataFrame) -> None:
    data.loc["row 2", "my col"] = np.nan
    assert build("CHG ~ TRT01P", data).n == 30
    assert build_model_frame("CHG ~ TRT01P", data, complete=("my col",)).n == 29


def test_sum_coding_spans_the_same_model(data: pd.DataFrame) -> None:
    for formula in (
        "CHG ~ TRT01P*STRATA + BASE",
        "CHG ~ TRT01P:BASE + C(SITE) + STRATA:BASE",
        "CHG ~ C(TRT01P, contr.sum)*C(SITE, contr.helmert)",
        "CHG ~ 0 + TRT01P + FLAG",
    ):
        frame = build(formula, data)
        matrix, slices = frame.sum_coded()
        both = np.hstack([matrix, frame.matrix])
        rank = np.linalg.matrix_rank(frame.matrix)
        assert np.linalg.matrix_rank(matrix) == np.linalg.matrix_rank(both) == rank
        assert list(slices) == [term.name for term in frame.terms]


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("CHG", "not of the form"),
        ("~ BASE", "not of the form"),
        ("CHG ~ BASE | SITE", "not of the form"),
        ("CHG + BASE ~ SITE", "needs one outcome"),
        ("CHG ~ (BASE", "cannot be read"),
        ("CHG ~ I(BASE > 7)", "compares; make it a column of its own"),
        ("CHG ~ C(BASE + 1)", "makes a factor out of an expression"),
        ("CHG ~ nothing(BASE)", "cannot be evaluated.*'nothing' is not defined"),
        ("CHG ~ log(STRATA)", "cannot be evaluated"),
        ("bs(CHG, df=4) ~ BASE", "is not one column"),
    ],
)
def test_formulas_that_cannot_be_used(formula: str, message: str, data: pd.DataFrame) -> None:
    with pytest.raises(SpecError, match=message):
        build_model_frame(formula, data)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("CHG ~ BAES", "No column 'BAES' in the data; nearest: BASE"),
        ("CGH ~ BASE", "No column 'CGH' in the data; nearest: CHG"),
        ("CHG ~ center(BAES)", "No column 'BAES'"),
        ("CHG ~ `my cols`", "No column 'my cols' in the data; nearest: my col"),
        ("TRT01P ~ BASE", "'TRT01P' is not numeric: it holds 'Placebo'"),
        ("FLAG ~ BASE", "Outcome 'FLAG' is not numeric"),
        ("CHG ~ log(CENTRED)", r"log\(CENTRED\) is not finite in \d+ row"),
        ("log(CENTRED) ~ BASE", r"log\(CENTRED\) is not finite in \d+ row"),
        ("CHG ~ INFINITE", "'INFINITE' has 2 infinite value.*first in row 'row 4'"),
        ("INFINITE ~ BASE", "'INFINITE' has 2 infinite value"),
        ("CHG ~ MIXED", "'MIXED' mixes types"),
        ("CHG ~ DAY", "'DAY' holds dates; give study days"),
        ("CHG ~ ONE", "'ONE' has one level among the 30 analysed rows"),
        ("CHG ~ EMPTY", "None of 30 rows is complete.*EMPTY 30"),
        ("CHG ~ C(ID) + BASE", "30 analysed rows cannot determine 31 coefficients"),
    ],
)
def test_data_that_cannot_be_used(formula: str, message: str, data: pd.DataFrame) -> None:
    data = data.assign(
        CENTRED=data["BASE"] - data["BASE"].mean(),
        INFINITE=[np.inf if i in (4, 8) else float(i) for i in range(30)],
        MIXED=[i if i % 2 else "x" for i in range(30)],
        DAY=pd.Timestamp("2026-01-01"),
        ONE="x",
        EMPTY=np.nan,
        ID=range(30),
    )
    with pytest.raises(DataError, match=message):
        build_model_frame(formula, data)


def test_an_arm_without_analysed_rows_is_refused(data: pd.DataFrame) -> None:
    data.loc[data["TRT01P"] == "LDN 3.0 mg", "CHG"] = np.nan
    with pytest.raises(DataError, match=r"Level 'LDN 3\.0 mg' of 'TRT01P' has no analysed row"):
        build("CHG ~ TRT01P + BASE", data)


def test_a_stratum_without_analysed_rows_is_left_out_and_said(data: pd.DataFrame) -> None:
    data.loc[data["SITE"] == 2, "CHG"] = np.nan
    data["SITE"] = data["SITE"].astype(str)
    frame = build("CHG ~ TRT01P + SITE", data)
    assert frame.factors["SITE"].levels == ("1", "3")
    assert "Level '2' of SITE has no analysed row." in frame.notes
    declared = build_model_frame("CHG ~ SITE", data, levels={"SITE": ["3", "2", "1"]})
    assert declared.columns == ("Intercept", "SITE[T.1]")
    assert "Level '2' of SITE has no analysed row." in declared.notes


def test_grid_rows_need_every_variable_known_levels_and_values(data: pd.DataFrame) -> None:
    frame = build("CHG ~ TRT01P + STRATA + C(SITE) + BASE", data)
    grid = data.iloc[:2].copy()
    with pytest.raises(DataError, match="No column 'BASE'"):
        frame.rows_for(grid.drop(columns="BASE"))
    with pytest.raises(DataError, match="'STRATA' has the level 'c', which the model does not"):
        frame.rows_for(grid.assign(STRATA="c"))
    with pytest.raises(DataError, match="'SITE' has the level 9"):
        frame.rows_for(grid.assign(SITE=9))
    with pytest.raises(DataError, match="'BASE' has 2 missing"):
        frame.rows_for(grid.assign(BASE=np.nan))


def test_variables_are_found_inside_transforms() -> None:
    parsed = parse_formula(
        "log(y + w) ~ center(B) + poly(`my b`, 2) + C(S) + C(`T 1`, contr.sum) + np.log(z) + A:D"
    )
    assert parsed.left == ("y", "w")
    assert parsed.right == ("B", "my b", "S", "T 1", "z", "A", "D")
