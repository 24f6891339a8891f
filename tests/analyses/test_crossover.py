"""tk.crossover: identities, invariances, choices and refusals."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close

import trialkit as tk
from trialkit.analyses.crossover import BoundaryWarning

ROLES: dict[str, Any] = {
    "outcome": "AVAL",
    "subject": "ID",
    "sequence": "SEQ",
    "period": "PER",
    "treatment": "TRT",
    "reference": "Placebo",
}
NAMES = {"A": "Placebo", "B": "LDN", "C": "LDN high"}


def trial(
    sequences: tuple[str, ...] = ("AB", "BA"), n: int = 12, seed: int = 3, between: float = 2.0
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        sequence = sequences[number % len(sequences)]
        level = 10 + between * rng.normal()
        for period, letter in enumerate(sequence, start=1):
            effect = {"A": 0.0, "B": -1.0, "C": -1.5}[letter] - 0.3 * period
            base = level + rng.normal()
            rows.append(
                {
                    "ID": f"S{number:02d}",
                    "SEQ": sequence,
                    "PER": period,
                    "TRT": NAMES[letter],
                    "BASE": base,
                    "AVAL": level + effect + 0.4 * (base - level) + rng.normal(),
                }
            )
    return pd.DataFrame(rows)


def fit(data: pd.DataFrame | None = None, **choices: Any) -> Any:
    return tk.crossover(trial() if data is None else data, **{**ROLES, **choices})


def numbers(table: Any) -> np.ndarray:
    columns = ["estimate", "se", "df", "ci_low", "ci_high", "p_value"]
    return table.frame()[columns].to_numpy(dtype=float)


@pytest.mark.parametrize("sequences", [("AB", "BA"), ("ABC", "BCA", "CAB", "ACB", "BAC", "CBA")])
@pytest.mark.parametrize("information", ["observed", "expected"])
def test_on_complete_data_kenward_roger_is_the_fixed_analysis(
    sequences: tuple[str, ...], information: str
) -> None:
    data = trial(sequences, n=18)
    random = fit(data, information=information, sequence_effect=False)
    assert_close(
        numbers(random.contrasts()), numbers(fit(data, subject_effect="fixed").contrasts()), 1e-7
    )


def test_degrees_of_freedom_by_method() -> None:
    data = trial(("ABB", "BAA"), n=14)
    n_rows, n_subjects = 42, 14
    within = n_rows - n_subjects - 3  # two periods and the treatment
    df = {m: fit(data, df=m).contrasts().single().df for m in ("containment", "residual", "normal")}
    assert df == {"containment": within, "residual": n_rows - 5, "normal": np.inf}
    tests = fit(data, df="containment").type3().frame().set_index("term")["den_df"]
    assert tests.to_dict() == {"sequence": n_subjects - 2, "period": within, "treatment": within}


def test_kenward_roger_is_the_default_and_widens_with_gaps() -> None:
    data = trial(n=16)
    data.loc[[1, 5, 11], "AVAL"] = np.nan
    default, explicit = fit(data), fit(data, df="kenward-roger")
    assert_close(numbers(default.contrasts()), numbers(explicit.contrasts()), 0)
    naive = fit(data, df="normal").contrasts().single()
    assert default.contrasts().single().se > naive.se
    assert "Kenward-Roger (observed information)" in default.method
    assert default.n_subjects == 16
    assert default.n_observations == 29
    assert default.n_excluded == 3
    (note,) = [n for n in default.contrasts().notes if "rows analysed" in n]
    assert note == (
        "29 of 32 rows analysed, of 16 subjects: 13 with 2 of 2 periods, 3 with 1 of 2 periods."
    )
    counts = default.contributions().set_index("subject")
    assert counts.loc["S00", "periods"] == "1"
    assert counts.loc["S01", "n_periods"] == 2
    assert fit(data, complete_cases=True).n_subjects == 13


@settings(deadline=None, max_examples=10)
@given(st.permutations(range(36)), st.sampled_from([1e-3, 1.0, 250.0]), st.floats(-50, 50))
def test_order_unit_and_origin_do_not_matter(order: list[int], unit: float, shift: float) -> None:
    data = trial(("ABC", "BCA", "CAB"), n=12)
    base = numbers(fit(data).contrasts(kind="pairwise"))
    moved = data.iloc[order].assign(AVAL=lambda d: shift + unit * d["AVAL"])
    found = numbers(fit(moved).contrasts(kind="pairwise"))
    scale = np.array([unit, unit, 1, unit, unit, 1])
    assert_close(found, base * scale, 1e-6, atol=1e-9 * unit)


def test_exchanging_the_reference_turns_the_sign() -> None:
    there, back = fit().contrasts().single(), fit(reference="LDN").contrasts().single()
    assert back.label == "Placebo - LDN"
    assert_close([back.estimate, back.ci_low], [-there.estimate, -there.ci_high], 1e-10)


def test_a_common_period_shift_cancels() -> None:
    data = trial()
    shifted = data.assign(AVAL=data["AVAL"] + 7 * (data["PER"] == 2))
    assert_close(numbers(fit(shifted).contrasts()), numbers(fit(data).contrasts()), 1e-8)


def test_log_outcomes_give_ratios_and_a_coefficient_of_variation() -> None:
    data = trial()
    data["AVAL"] = np.exp(data["AVAL"] / 10)
    ratio = fit(data, log=True)
    plain = fit(data.assign(AVAL=np.log(data["AVAL"])))
    row, same = ratio.contrasts().single(), plain.contrasts().single()
    assert row.scale == "ratio"
    assert_close(
        [row.estimate, row.ci_low, row.ci_high, row.se],
        [*np.exp([same.estimate, same.ci_low, same.ci_high]), same.se],
        1e-12,
    )
    means = ratio.lsmeans().frame().set_index("treatment")["estimate"]
    assert_close(means["LDN"] / means["Placebo"], row.estimate, 1e-12)
    parts = ratio.variance().frame().set_index("component")
    within = parts.loc["within", "estimate"]
    assert_close(parts.loc["cv_within", "estimate"], np.sqrt(np.expm1(within)), 1e-12)
    assert_close(parts.loc["difference", "sd"], np.sqrt(2) * parts.loc["within", "sd"], 1e-12)
    icc = parts.loc["between", "estimate"] / (parts.loc["between", "estimate"] + within)
    assert_close(parts.loc["icc", "estimate"], icc, 1e-12)
    status = plain.variance().frame().set_index("component").loc["cv_within", "status"]
    assert "log=True" in status
    adjusted = ratio.contrasts(adjust="dunnett").frame()
    assert adjusted["ci_low_adjusted"].iloc[0] > 0
    with pytest.raises(tk.DataError, match="1 at or below, the first -1"):
        fit(data.assign(AVAL=[-1.0, *data["AVAL"][1:]]), log=True)


def test_the_within_subject_interval_is_chi_square() -> None:
    from scipy import stats

    row = fit(subject_effect="fixed").variance().frame().set_index("component").loc["within"]
    df = 24 - 12 - 2
    limits = row["estimate"] * df / stats.chi2.ppf([0.975, 0.025], df)
    assert row["df"] == df
    assert_close([row["ci_low"], row["ci_high"]], limits, 1e-9)


def test_baseline_within_subjects_is_the_fixed_analysis_on_complete_data() -> None:
    random = fit(baseline="BASE", baseline_as="within-subject", sequence_effect=False)
    fixed = fit(baseline="BASE", subject_effect="fixed")
    assert_close(numbers(random.contrasts()), numbers(fixed.contrasts()), 1e-7)
    mixed = fit(baseline="BASE").contrasts().single()
    assert not np.isclose(mixed.estimate, fixed.contrasts().single().estimate)


def test_change_subtracts_the_baseline_and_says_what_it_costs() -> None:
    data = trial()
    change = fit(data, baseline="BASE", baseline_as="change", variance_bound=False)
    same = fit(data.assign(AVAL=data["AVAL"] - data["BASE"]), variance_bound=False)
    assert_close(numbers(change.contrasts()), numbers(same.contrasts()), 1e-12)
    assert any("raw change" in note for note in change.contrasts().notes)
    with pytest.raises(tk.SpecError, match="needs baseline="):
        fit(baseline_as="change", variance_bound=False)


def test_carryover_is_reported_as_a_diagnostic() -> None:
    data = trial(("ABC", "BCA", "CAB", "ACB", "BAC", "CBA"), n=18)
    found = fit(data, carryover=True)
    assert found.type3().frame()["term"].tolist() == [
        "sequence",
        "period",
        "treatment",
        "carryover",
    ]
    assert {"carryover[LDN]", "carryover[LDN high]"} <= set(found.columns)
    assert any("Freeman 1989" in note for note in found.contrasts().notes)


def test_self_carryover_is_apart_in_designs_that_have_it() -> None:
    data = trial(("ABB", "BAA", "ABA", "BAB"), n=16)
    found = fit(data, carryover="self-mixed")
    assert "carryover-self[LDN]" in found.columns
    assert found.type3().frame()["term"].tolist()[-2:] == ["carryover", "carryover-self"]
    with pytest.raises(tk.DesignError, match="follows itself"):
        fit(carryover="self-mixed")


def test_carryover_of_ab_ba_is_the_sequence_effect() -> None:
    with pytest.raises(tk.DesignError, match="sequence effect under another name"):
        fit(carryover=True)
    with pytest.raises(tk.DesignError, match="not determined within subjects"):
        fit(carryover=True, subject_effect="fixed")


def test_the_treatment_before_comes_from_rows_without_outcome_or_from_the_sequence() -> None:
    data = trial(("ABC", "BCA", "CAB", "ACB", "BAC", "CBA"), n=18)
    empty = data.copy()
    empty.loc[1, "AVAL"] = np.nan
    full = fit(empty, carryover=True).contrasts(kind="pairwise")
    shorter = fit(empty.drop(index=1), carryover=True).contrasts(kind="pairwise")
    assert_close(numbers(shorter), numbers(full), 1e-12)
    assert any("taken from the sequence" in note for note in shorter.notes)
    stray = data.drop(index=[*data.index[(data["SEQ"] == "ABC") & (data["PER"] == 2)]])
    with pytest.raises(tk.DataError, match=r"before period 3 of subject 'S00'.*does not tell"):
        fit(stray, carryover=True)


def test_the_bound_warns_and_unbounded_does_not() -> None:
    data = trial(between=0.0, seed=8)
    data["AVAL"] -= data.groupby("ID", observed=True)["AVAL"].transform("mean") * 0.9
    with pytest.warns(BoundaryWarning, match="bound of zero"):
        held = fit(data, df="satterthwaite")
    assert held.contrasts().single().df == pytest.approx(24 - 4)
    assert "which is dropped" in held.method
    free = fit(data, variance_bound=False)
    assert free.variance().frame().set_index("component").loc["between", "estimate"] < 0
    # Complete data: unbounded, the treatment is compared within subjects alone.
    fixed = fit(data, subject_effect="fixed").contrasts()
    assert_close(numbers(free.contrasts()), numbers(fixed), 1e-6)


def test_labels_may_be_numbers_and_columns_have_blanks() -> None:
    data = trial().rename(columns={"AVAL": "pain (0-10)", "TRT": "dose mg"})
    data["dose mg"] = data["dose mg"].map({"Placebo": 0, "LDN": 45})
    found = fit(data, outcome="pain (0-10)", treatment="dose mg", reference=0)
    assert found.contrasts().single().label == "45 - 0"
    assert_close(numbers(found.contrasts()), numbers(fit().contrasts()), 1e-12)


def test_periods_need_an_order() -> None:
    data = trial().assign(PER=lambda d: "Period " + d["PER"].astype(str))
    with pytest.raises(tk.DataError, match="period_order="):
        fit(data)
    found = fit(data, period_order=["Period 1", "Period 2"])
    assert_close(numbers(found.contrasts()), numbers(fit().contrasts()), 1e-12)


def test_figures_are_drawn() -> None:
    found = fit()
    assert len(found.plot_profiles().lines) == 12 + 2
    assert found.plot_period_means().get_xlabel() == "Period"
    assert found.plot_paired().get_xlabel() == "12 subjects"
    late = trial()
    late.loc[late.index[0], "AVAL"] = np.nan
    assert fit(late).plot_paired().get_xlabel() == "11 subjects; 1 without a pair not drawn"
    late.loc[late["ID"] == late["ID"].iloc[0], "AVAL"] = np.nan
    assert fit(late).plot_paired().get_xlabel() == "11 subjects; 1 without a pair not drawn"
    assert found.plot_residuals().get_ylabel() == "Residual of AVAL"
    assert found.plot() is not None
    assert "12 subjects" in repr(found)
    assert "<table" in found._repr_html_()
    assert found.residuals().index.equals(trial().index)
    with pytest.raises(tk.SpecError, match="two treatments"):
        fit(trial(("ABC", "BCA", "CAB"))).plot_paired()


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"subject_effect": "mixed"}, "allowed: random, fixed"),
        ({"df": "kr"}, "allowed: kenward-roger"),
        ({"information": "fisher"}, "allowed: observed, expected"),
        ({"baseline_as": "raw"}, "allowed: covariate"),
        ({"carryover": "second-order"}, "allowed: False, True, self-mixed"),
        ({"subject_effect": "fixed", "df": "kenward-roger"}, "have residual df"),
        ({"subject_effect": "fixed", "variance_bound": False}, "are for random subjects"),
        ({"reference": None}, "reference= must name"),
        ({"treatment": "AVAL"}, "five columns"),
    ],
)
def test_choices_that_are_refused(choices: dict[str, Any], message: str) -> None:
    with pytest.raises(tk.SpecError, match=message):
        fit(**choices)


def test_data_that_are_refused() -> None:
    data = trial()
    with pytest.raises(tk.DataError, match="more than one row, the first subject 'S00' in per"):
        fit(pd.concat([data, data.iloc[:1]]))
    with pytest.raises(tk.DataError, match="Subject 'S00' stands in the sequences 'AB' and 'BA'"):
        fit(data.assign(SEQ=["AB", "BA", *data["SEQ"][2:]]))
    with pytest.raises(tk.DataError, match="'ID' is missing in 1 of 24 rows, the first in row 0"):
        fit(data.assign(ID=[None, *data["ID"][1:]]))
    with pytest.raises(tk.DataError, match=r"missing in 1 row\(s\) with an outcome"):
        fit(data.assign(TRT=[None, *data["TRT"][1:]]))
    with pytest.raises(tk.DataError, match="'Drug' is not an arm"):
        fit(reference="Drug")
    with pytest.raises(tk.DataError, match="one label only"):
        fit(data[data["PER"] == 1])
    with pytest.raises(tk.DataError, match="Treatment 'LDN' has no analysed row"):
        fit(data.assign(AVAL=data["AVAL"].where(data["TRT"] == "Placebo")))
    with pytest.raises(tk.DataError, match="is 3 in all 24 analysed rows"):
        fit(data.assign(AVAL=3.0))
    with pytest.raises(tk.DesignError, match="do not determine"):
        fit(data[data["SEQ"] == "AB"].assign(SEQ="AB"))


def test_no_warning_inside_the_bound() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit()


def test_means_count_the_subjects_of_a_treatment_and_not_its_rows() -> None:
    data = trial(("ABB", "BAA"), n=10)
    data.loc[(data["ID"] == "S00") & (data["TRT"] == "LDN"), "AVAL"] = np.nan
    assert fit(data).lsmeans().frame()["n"].tolist() == [10, 9]
    assert any("fixed subjects" in note for note in fit(subject_effect="fixed").lsmeans().notes)
    assert not any("fixed subjects" in note for note in fit().lsmeans().notes)
    days = pd.concat([trial().assign(DAY=day) for day in (1, 2, 3)])
    days["AVAL"] += np.random.default_rng(1).normal(size=len(days))
    assert fit(days, measurement="DAY").lsmeans().frame()["n"].tolist() == [12, 12]


@pytest.mark.parametrize("baseline_as", ["covariate", "within-subject", "change", "joint"])
def test_an_outcome_that_nobody_has_is_refused(baseline_as: str) -> None:
    with pytest.raises(tk.DataError, match="AVAL"):
        fit(trial().assign(AVAL=np.nan), baseline="BASE", baseline_as=baseline_as)


@pytest.mark.parametrize("column", ["ID", "SEQ", "PER", "TRT"])
def test_a_blank_label_is_refused(column: str) -> None:
    data = trial().astype({"PER": str})
    data.loc[3, column] = " "
    with pytest.raises(tk.DataError, match=f"'{column}' has a blank label in 1 of 24 rows"):
        fit(data, period_order=["1", "2", " "])
