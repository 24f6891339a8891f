"""Plans of the flow, the patterns and crossover imputation give what the functions give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from plan.event_plans import entry
from plan.tiny import HEAD, tiny_data

import trialkit as tk
from trialkit.plan import PlanRun, load_plan, results_json, run_plan
from trialkit.plan.seeds import analysis_seed
from trialkit.report.plan_page import plan_figures, plan_page

VISITS = ["Week 4", "Week 12"]
ROLES = {"arm": "TRT01P", "reference": "Placebo", "subject": "USUBJID"}


def missing() -> pd.DataFrame:
    data = tiny_data().astype({"CHG": float})
    data["CHG"] += np.random.default_rng(2).normal(size=len(data)).round(3)
    left = data["USUBJID"].isin(["S-03", "S-10", "S-21", "S-33"])
    data.loc[left & (data["AVISIT"] == "Week 12"), "CHG"] = np.nan
    return data.assign(
        ENDED=np.where(left, "DISCONTINUED", "COMPLETED"),
        WHY=np.where(left, "ADVERSE EVENT", None),
        ITTFL="Y",
        COMPLFL=np.where(left, "N", "Y"),
    )


def run(folder: Path, analyses: str, *, head: str = HEAD, workers: int = 1) -> PlanRun:
    folder.mkdir(parents=True, exist_ok=True)
    missing().to_csv(folder / "adqs.csv", index=False)
    path = folder / "plan.toml"
    path.write_text(head + analyses, encoding="utf-8")
    return run_plan(load_plan(path), workers=workers)


CONSORT = (
    'method = "consort"\nstatus = "ENDED"\nreason = "WHY"\nassessed = 55\n'
    'sets = { ITT = "ITTFL", completers = "COMPLFL" }\n'
    'counts = { completers = { Placebo = 19, "LDN 6 mg" = 17 } }'
)
PATTERNS = 'method = "missing_patterns"'
TIPPING = (
    'method = "tipping_point"\nformula = "CHG ~ BASE*AVISIT + TRT01P*AVISIT"\n'
    'strategy = ["mar", "j2r"]\n'
)

RUBIN = (
    'method = "reference_based"\nformula = "CHG ~ TRT01P*AVISIT"\nvariance = "rubin"\nn_samples = 4'
)


def test_the_flow_is_counted_and_drawn(tmp_path: Path) -> None:
    found = run(tmp_path, entry("", CONSORT))
    adsl = missing().query("AVISIT == 'Week 12'")
    flow = tk.consort(
        adsl,
        status="ENDED",
        reason="WHY",
        assessed=55,
        sets={"ITT": "ITTFL", "completers": "COMPLFL"},
        **ROLES,
    )
    table = found.table("primary").frame()
    assert table["n"].tolist() == flow.frame()["n"].tolist()
    assert table["arm"].tolist() == flow.frame()["arm"].tolist()
    assert "- Adverse event" in set(table["item"])
    figures = plan_figures(found)
    assert list(figures) == ["figure-01-primary.svg"]
    page = plan_page(found, figures)
    assert "Flow of participants. The numbers are in the tables below." in page


def test_a_set_may_be_those_whom_another_analysis_analyses(tmp_path: Path) -> None:
    sets = "sets = { completers = { analysis = 'change' }, imputed = { analysis = 'imputed' } }"
    flow = 'method = "consort"\nstatus = "ENDED"\nreason = "WHY"\n' + sets
    imputed = 'method = "reference_based"\nformula = "CHG ~ TRT01P*AVISIT"'
    others = entry("", 'method = "ttest"', name="change") + entry(
        "", imputed, where="", name="imputed"
    )
    found = run(tmp_path, entry("", flow) + others)
    table = found.table("primary").frame().set_index(["item", "arm"])["n"]
    for arm, n in (("Placebo", 19), ("LDN 6 mg", 17)):
        assert table["Analysed (completers)", arm] == n
        assert table["Analysed (imputed)", arm] == 20
    assert found.table("change").single().n == 36
    with pytest.raises(tk.SpecError, match="no analysis is named 'x'; there: 'primary', 'change'"):
        run(tmp_path, entry("", flow.replace("'change'", "'x'")) + others)
    with pytest.raises(tk.SpecError, match="'consort' has no outcome of subjects"):
        run(tmp_path, entry("", flow.replace("'change'", "'primary'")) + others)
    events = entry("", CONSORT.replace("consort", "disposition").split("assessed")[0], name="why")
    with pytest.raises(tk.SpecError, match="'disposition' has no outcome of subjects"):
        run(tmp_path, entry("", flow.replace("'change'", "'why'")) + events + others)
    elsewhere = flow + '\nwhere = { AVISIT = "Week 12", SEX = "F" }'
    with pytest.raises(tk.DataError, match=r"Set 'completers': .* were not randomised"):
        run(tmp_path, entry("", elsewhere, where="") + others)


def test_a_set_counts_those_whom_covariates_and_completion_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = missing()
    data.loc[data["USUBJID"].isin(["S-01", "S-02"]), "BASE"] = np.nan
    data.loc[data["USUBJID"] == "S-05", "CHG"] = np.nan
    monkeypatch.setitem(globals(), "missing", lambda: data)
    sets = "sets = { ranks = { analysis = 'ranks' }, mixture = { analysis = 'mixture' } }"
    flow = 'method = "consort"\nstatus = "ENDED"\nreason = "WHY"\n' + sets
    mixture = 'method = "pattern_mixture"\nformula = "CHG ~ TRT01P"\nrestriction = "ccmv"'
    ranks = entry("", 'method = "quade"\ncovariates = "BASE"', name="ranks")
    found = run(tmp_path, entry("", flow) + ranks + entry("", mixture, where="", name="mixture"))
    analysed = found.table("primary").frame().groupby("item", observed=True)["n"].sum()
    assert analysed["Analysed (ranks)"] == found.table("ranks").frame()["n"].iloc[0] == 33
    assert analysed["Analysed (mixture)"] == found.table("mixture").frame()["n"].iloc[0] == 40


def test_the_patterns_are_counted_and_drawn_twice(tmp_path: Path) -> None:
    found = run(tmp_path, entry("", PATTERNS, where=""))
    direct = tk.missing_patterns(
        missing(), outcome="CHG", visit="AVISIT", visit_order=VISITS, **ROLES
    )
    for which, frame in (
        ("patterns", direct.frame()),
        ("by_visit", direct.by_visit()),
        ("trajectories", direct.trajectories().frame()),
    ):
        own = found.table("primary", which).frame()
        assert_frame_equal(own[list(frame.columns)], frame, check_dtype=False)
    figures = plan_figures(found)
    assert list(figures) == ["figure-01-primary.svg", "figure-01-primary-2.svg"]
    page = plan_page(found, figures)
    assert "Missingness is monotone." in page
    assert page.count("<figure>") == 2


def test_a_map_is_drawn_for_each_question_and_none_for_three_deltas(tmp_path: Path) -> None:
    deltas = 'deltas = { Placebo = [0, 1, 2], "LDN 6 mg" = [0, 1, 2, 3, 4] }'
    found = run(tmp_path, entry("", TIPPING + deltas, where=""))
    assert list(found.analyses[0].pictures) == [
        "Tipping point: Week 12, LDN 6 mg - Placebo, mar",
        "Tipping point: Week 12, LDN 6 mg - Placebo, j2r",
    ]
    assert len(plan_figures(found)) == 2
    direct = tk.tipping_point(
        "CHG ~ BASE*AVISIT + TRT01P*AVISIT",
        missing(),
        visit="AVISIT",
        visit_order=VISITS,
        strategy=["mar", "j2r"],
        deltas={"Placebo": [0, 1, 2], "LDN 6 mg": [0, 1, 2, 3, 4]},
        **ROLES,
    )
    border = found.table("primary", "border").frame()
    assert_frame_equal(border[list(direct.border.columns)], direct.border, check_dtype=False)


def test_two_variances_take_the_seed_of_the_plan(tmp_path: Path) -> None:
    body = (
        'method = "compare_variances"\nformula = "CHG ~ BASE*AVISIT + TRT01P*AVISIT"\nn_samples = 5'
    )
    found = run(tmp_path, entry("", body, where=""))
    seed = analysis_seed(7, "primary")
    direct = tk.compare_variances(
        "CHG ~ BASE*AVISIT + TRT01P*AVISIT",
        missing(),
        visit="AVISIT",
        visit_order=VISITS,
        n_samples=5,
        rng=seed,
        **ROLES,
    )
    assert_frame_equal(found.table("primary").frame(), direct.frame())
    assert found.analyses[0].arguments["rng"] == seed < 2**63


def test_a_seed_is_the_analysis_own_whatever_stands_beside_it(tmp_path: Path) -> None:
    one = entry("", RUBIN, where="", name="one")
    other = entry("", RUBIN, where="", name="other")
    first = run(tmp_path / "a", one + other)
    second = run(tmp_path / "b", entry("", name="new") + other + one)
    for name in ("one", "other"):
        assert_frame_equal(first.table(name).frame(), second.table(name).frame())
    assert first.table("one") != first.table("other")
    elsewhere = run(tmp_path / "c", one, head=HEAD.replace("seed = 7", "seed = 8"))
    assert elsewhere.table("one") != first.table("one")
    written = run(tmp_path / "d", one.replace("n_samples", "rng = 3\nn_samples"))
    assert written.analyses[0].arguments["rng"] == 3
    assert written.table("one") != first.table("one")
    jackknife = entry("", RUBIN.replace('\nvariance = "rubin"\nn_samples = 4', ""), where="")
    assert run(tmp_path / "e", jackknife).analyses[0].arguments["rng"] is None


def test_bytes_and_pictures_do_not_depend_on_workers(tmp_path: Path) -> None:
    analyses = (
        entry("", CONSORT, name="flow")
        + entry("", PATTERNS, where="", name="patterns")
        + entry("", TIPPING + "deltas = [0, 1, 2]", where="", name="tipping")
        + entry("", RUBIN, where="", name="drawn")
    )
    one, many = (run(tmp_path / str(n), analyses, workers=n) for n in (1, 2))
    assert results_json(one) == results_json(many)
    assert plan_figures(one) == plan_figures(many)


def test_long_tables_are_begun_on_the_page(tmp_path: Path) -> None:
    deltas = f"deltas = {list(range(70))}"
    found = run(tmp_path, entry("", TIPPING.replace('["mar", "j2r"]', '"mar"') + deltas, where=""))
    page = plan_page(found, {})
    assert "(the first 25 of 70 rows)" in page
    assert len(found.table("primary").frame()) == 70


def test_a_crossover_with_leavers_is_imputed(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    n = 20
    first = np.tile(["Drug", "Placebo"], n // 2)
    y = rng.normal(6, 1, (n, 1)) + rng.normal(0, 0.5, (n, 2))
    y[[1, 5], 1] = np.nan
    data = pd.DataFrame(
        {
            "USUBJID": np.repeat(np.arange(n), 2),
            "SEQ": np.repeat(np.where(first == "Drug", "DP", "PD"), 2),
            "APERIOD": np.tile([1, 2], n),
            "TRTA": np.column_stack([first, np.where(first == "Drug", "Placebo", "Drug")]).ravel(),
            "AVAL": y.round(3).ravel(),
        }
    )
    data.to_csv(tmp_path / "adqs.csv", index=False)
    design = (
        '[plan]\ntitle = "Crossover"\n[data]\nadqs = "adqs.csv"\n[design]\ntype = "crossover"\n'
        'subject = "USUBJID"\nsequence = "SEQ"\nperiod = "APERIOD"\ntreatment = "TRTA"\n'
        'reference = "Placebo"\noutcome = "AVAL"\n'
    )
    body = 'method = "crossover_reference_based"\nstrategy = ["mar", "j2r"]'
    (tmp_path / "plan.toml").write_text(design + entry("", body, where=""), encoding="utf-8")
    found = run_plan(load_plan(tmp_path / "plan.toml"))
    direct = tk.crossover_reference_based(
        data,
        outcome="AVAL",
        subject="USUBJID",
        period="APERIOD",
        treatment="TRTA",
        reference="Placebo",
        strategy=["mar", "j2r"],
    )
    assert_frame_equal(found.table("primary").frame(), direct.frame())
