"""The mixed model of a plan: what `trialkit.mmrm` gives, under the plan's names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from plan.tiny import ESTIMAND, HEAD

import trialkit as tk
from trialkit.errors import SpecError
from trialkit.plan import check_plan, load_plan, results_json, run_plan

ORDER = ["Baseline", "Week 4", "Week 8", "Week 12"]
FORMULA = "CHG ~ BASE*AVISIT + TRT01P*AVISIT"
VISITS = HEAD.replace('["Week 4", "Week 12"]', str(ORDER).replace("'", '"'))
ENTRY = f"""
[[analysis]]
name = "primary"
method = "mmrm"
where = {{ AVISIT = ["Week 4", "Week 8", "Week 12"] }}
formula = "{FORMULA}"
"""
ROLES: dict[str, Any] = {
    "subject": "USUBJID",
    "visit": "AVISIT",
    "arm": "TRT01P",
    "reference": "Placebo",
    "visit_order": ORDER,
}


def repeated_data() -> pd.DataFrame:
    """Sixty subjects at baseline and three visits, the later ones missed by some."""
    rng = np.random.default_rng(20240105)
    rows = []
    for number in range(60):
        base = 4 + number % 6
        subject = rng.normal()
        for position, visit in enumerate(ORDER):
            change = 0.0 if position == 0 else subject + rng.normal() - 0.3 * position
            missed = position > 1 and (number + 3 * position) % 7 == 0
            rows.append(
                {
                    "USUBJID": f"S-{number:02d}",
                    "TRT01P": ("Placebo", "LDN 6 mg")[number % 2],
                    "SITE": f"site {1 + number % 3}",
                    "AVISIT": visit,
                    "AVISITN": 4 * position,
                    "W": 1.0 + number % 3,
                    "BASE": base,
                    "CHG": None if missed else change,
                }
            )
    return pd.DataFrame(rows)


def write(folder: Path, entry: str, head: str = VISITS) -> Path:
    repeated_data().to_csv(folder / "adqs.csv", index=False)
    path = folder / "plan.toml"
    path.write_text(head + entry + ESTIMAND, encoding="utf-8")
    return path


def treated(folder: Path) -> pd.DataFrame:
    return tk.read(folder / "adqs.csv").query("AVISIT != 'Baseline'")


def test_a_mixed_model_gives_the_tables_of_one_fit(tmp_path: Path) -> None:
    run = run_plan(load_plan(write(tmp_path, ENTRY)))
    data = treated(tmp_path)
    fit = tk.mmrm(FORMULA, data, **ROLES)
    result = run.analysis("primary")
    tables = ["contrasts", "lsmeans", "coefficients", "type3", "covariance", "fit"]
    assert list(result.tables) == tables
    assert run.table("primary") == fit.contrasts()
    assert run.table("primary", "lsmeans") == fit.lsmeans()
    assert run.table("primary", "coefficients") == fit.coefficients()
    assert run.table("primary", "type3") == fit.type3()
    assert run.table("primary").keys["visit"] == ("Week 4", "Week 8", "Week 12")
    assert result.arguments["visit_order"] == tuple(ORDER)
    assert result.notes[0].startswith("180 of 240 rows selected: AVISIT = 'Week 4' or 'Week 8'")
    assert "(CHG " in run.table("primary").notes[0]  # type: ignore[attr-defined]


def test_every_argument_reaches_the_model(tmp_path: Path) -> None:
    entry = ENTRY.replace("TRT01P*AVISIT", "TRT01P*AVISIT + SITE") + (
        'covariance = "toeph"\ngroup = "TRT01P"\nweights = "W"\nlikelihood = "ml"\n'
        'df = "satterthwaite"\ninformation = "expected"\nkind = "pairwise"\n'
        'lsmeans_weights = "observed"\nat = { BASE = 6 }\nvisits = ["Week 12", "Week 4"]\n'
        'adjust = "mvt"\nfamily = "all"\nalternative = "less"\nnull = 0.5\nci_level = 0.9\n'
    )
    run = run_plan(load_plan(write(tmp_path, entry)))
    fit = tk.mmrm(
        f"{FORMULA} + SITE",
        treated(tmp_path),
        **ROLES,
        covariance="toeplitz-het",
        group="TRT01P",
        weights="W",
        method="ml",
        df="satterthwaite",
        information="expected",
    )
    means: dict[str, Any] = {
        "weights": "observed",
        "at": {"BASE": 6},
        "visits": ["Week 12", "Week 4"],
        "ci_level": 0.9,
    }
    expected = fit.contrasts(
        kind="pairwise", adjust="mvt", family="all", alternative="less", null=0.5, **means
    )
    pd.testing.assert_frame_equal(run.table("primary").frame(), expected.frame())
    assert run.table("primary", "lsmeans") == fit.lsmeans(**means)
    assert run.table("primary", "coefficients") == fit.coefficients(ci_level=0.9)
    keys = run.table("primary", "covariance").keys
    assert list(keys) == ["visit", "visit_2", "group"]
    assert set(keys["group"]) == {"Placebo", "LDN 6 mg"}


def test_robust_variance_and_a_weighted_average_of_visits(tmp_path: Path) -> None:
    entry = ENTRY + 'vcov = "CR2"\nvisits = { "Week 8" = 0.5, "Week 12" = 0.5 }\n'
    run = run_plan(load_plan(write(tmp_path, entry)))
    fit = tk.mmrm(FORMULA, treated(tmp_path), **ROLES, vcov="CR2")
    averaged = fit.contrasts(visits={"Week 8": 0.5, "Week 12": 0.5})
    assert run.table("primary") == averaged
    assert len(averaged) == 1


def test_spatial_times(tmp_path: Path) -> None:
    entry = ENTRY + 'covariance = "sp_exp"\ntime = "AVISITN"\n'
    run = run_plan(load_plan(write(tmp_path, entry)))
    fit = tk.mmrm(FORMULA, treated(tmp_path), **ROLES, covariance="sp_exp", time="AVISITN")
    assert run.table("primary") == fit.contrasts()


def test_the_covariance_is_the_fits_lower_triangle(tmp_path: Path) -> None:
    run = run_plan(load_plan(write(tmp_path, ENTRY)))
    fit = tk.mmrm(FORMULA, treated(tmp_path), **ROLES)
    frame = run.table("primary", "covariance").frame()
    assert len(frame) == 6
    for row in frame.itertuples():
        assert row.covariance == fit.covariance.loc[row.visit, row.visit_2]  # type: ignore[union-attr]
        assert row.correlation == fit.correlation.loc[row.visit, row.visit_2]  # type: ignore[union-attr]
    (figures,) = run.table("primary", "fit").frame().to_dict("records")
    assert figures.pop("method") == fit.method
    assert figures == {name: getattr(fit, name) for name in figures}
    assert b'"n_covariance_parameters"' in results_json(run)


def test_an_aliased_column_is_dropped_only_when_asked(tmp_path: Path) -> None:
    doubled = ENTRY.replace("TRT01P*AVISIT", "TRT01P*AVISIT + AVISITN")
    plan = load_plan(write(tmp_path, doubled))
    with pytest.raises(tk.DataError, match=r"Analysis 'primary': .*AVISITN"):
        run_plan(plan)
    run = run_plan(load_plan(write(tmp_path, doubled + "drop_aliased = true\n")))
    assert "type3" not in run.analysis("primary").tables
    fit = tk.mmrm(FORMULA, treated(tmp_path), **ROLES)
    found = run.table("primary").frame()[["estimate", "se", "df"]]
    pd.testing.assert_frame_equal(found, fit.contrasts().frame()[["estimate", "se", "df"]])


def test_the_order_of_the_design_is_that_of_its_own_visit(tmp_path: Path) -> None:
    numeric = ENTRY.replace("AVISIT + TRT01P*AVISIT", "C(AVISITN) + TRT01P*C(AVISITN)")
    numeric = numeric.replace("formula", 'visit = "AVISITN"\nformula')
    run = run_plan(load_plan(write(tmp_path, numeric)))
    assert run.analysis("primary").arguments["visit_order"] is None
    by_label = run_plan(load_plan(write(tmp_path, ENTRY))).table("primary")
    assert run.table("primary").keys["visit"] == (4, 8, 12)
    np.testing.assert_allclose(
        run.table("primary").frame()["estimate"], by_label.frame()["estimate"], rtol=1e-9
    )


def test_an_order_of_its_own_or_from_a_column(tmp_path: Path) -> None:
    backwards = ENTRY + 'visit_order = ["Week 12", "Week 8", "Week 4"]\n'
    found = run_plan(load_plan(write(tmp_path, backwards))).table("primary")
    assert found.keys["visit"] == ("Week 12", "Week 8", "Week 4")
    by_column = VISITS.replace(str(ORDER).replace("'", '"'), '"AVISITN"')
    found = run_plan(load_plan(write(tmp_path, ENTRY, by_column))).table("primary")
    assert found.keys["visit"] == ("Week 4", "Week 8", "Week 12")


def test_a_forgotten_filter_on_the_parameter_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, ENTRY)
    data = repeated_data()
    pd.concat([data, data]).to_csv(tmp_path / "adqs.csv", index=False)
    with pytest.raises(tk.DataError, match=r"Analysis 'primary': Subject 'S-00' has more than one"):
        run_plan(load_plan(path))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('covariance = "diagonal"', "covariance: input should be 'unstructured'"),
        ('likelihood = "mle"', "likelihood: input should be 'reml' or 'ml'"),
        ('lsmeans_weights = "W"', "lsmeans_weights: input should be 'equal'"),
        ('df = "kr"', "df: input should be 'kenward-roger'"),
        ("visits = []", "visits"),
        ('reml = "yes"', "unknown key 'reml'"),
    ],
)
def test_a_plan_names_what_it_does_not_know(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path, f"{ENTRY}{line}\n")
    with pytest.raises(SpecError) as raised:
        load_plan(path)
    assert message in str(raised.value)


def test_a_misspelt_column_is_found_without_running(tmp_path: Path) -> None:
    for line, column in (('group = "ARMS"', "ARMS"), ('weights = "equal"', "equal")):
        findings = check_plan(write(tmp_path, f"{ENTRY}{line}\n"))
        assert any(f"no column {column!r}" in item.message for item in findings)


def test_kenward_roger_under_maximum_likelihood_is_refused(tmp_path: Path) -> None:
    plan = load_plan(write(tmp_path, ENTRY + 'likelihood = "ml"\ndf = "kenward-roger"\n'))
    with pytest.raises(SpecError, match=r"Analysis 'primary': .*'ml'"):
        run_plan(plan)


def test_the_visit_is_needed(tmp_path: Path) -> None:
    head = "\n".join(line for line in VISITS.splitlines() if not line.startswith("visit")) + "\n"
    plan = load_plan(write(tmp_path, ENTRY, head))
    with pytest.raises(SpecError, match="visit missing; give it in the analysis or in"):
        run_plan(plan)


def test_a_crossover_in_periods_is_a_direct_product(tmp_path: Path) -> None:
    rows = []
    rng = np.random.default_rng(5)
    for number in range(20):
        level = rng.normal()
        for period in (1, 2):
            is_active = (number + period) % 2 == 0
            rows += [
                {
                    "USUBJID": f"S-{number:02d}",
                    "SEQ": ("AB", "BA")[number % 2],
                    "APERIOD": f"Period {period}",
                    "TRTA": "LDN" if is_active else "Placebo",
                    "AVISIT": visit,
                    "AVAL": level + rng.normal() - is_active,
                }
                for visit in ("Week 4", "Week 12")
            ]
    data = pd.DataFrame(rows)
    data.to_csv(tmp_path / "adqs.csv", index=False)
    path = tmp_path / "plan.toml"
    formula = "AVAL ~ TRTA*AVISIT + APERIOD + SEQ"
    entry = f"""
[[analysis]]
name = "primary"
method = "mmrm"
formula = "{formula}"
arm = "TRTA"
visit = "AVISIT"
visit_order = ["Week 4", "Week 12"]
period = "APERIOD"
period_order = ["Period 1", "Period 2"]
period_covariance = "cs"
covariance = "ar1"
"""
    head = HEAD[: HEAD.index("[design]")] + (
        '[design]\ntype = "crossover"\ndata = "adqs"\nsubject = "USUBJID"\nsequence = "SEQ"\n'
        'period = "APERIOD"\ntreatment = "TRTA"\nreference = "Placebo"\n'
        'period_order = ["Period 1", "Period 2"]\n'
    )
    path.write_text(head + entry + ESTIMAND, encoding="utf-8")
    run = run_plan(load_plan(path))
    fit = tk.mmrm(
        formula,
        data,
        subject="USUBJID",
        visit="AVISIT",
        visit_order=["Week 4", "Week 12"],
        period="APERIOD",
        period_order=["Period 1", "Period 2"],
        period_covariance="cs",
        covariance="ar1",
        arm="TRTA",
        reference="Placebo",
    )
    assert run.table("primary") == fit.contrasts()
    table = run.analysis("primary").tables["covariance"].frame()
    assert len(table) == 10
    row = table[(table["period"] == "Period 2") & (table["period_2"] == "Period 1")].iloc[1]
    assert (row["visit"], row["visit_2"]) == ("Week 4", "Week 12")
    assert row["covariance"] == pytest.approx(
        fit.covariance.loc[("Period 2", "Week 4"), ("Period 1", "Week 12")]
    )
