"""What must hold of any synthetic twin: grid, bounds, flags, dates, and who is where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from studies.printed_figures import arm_of, published, table

from trialkit.studies.fixtures import fixtures_root
from trialkit.studies.generate import generate

# Study, parameter, grid steps to the unit, bounds at and after baseline.
GRIDS = [
    ("final2024", "NRSPAIN", 7, (4, 10), (0, 10)),
    ("final2024", "FIQRMEM", 1, (1, 10), (0, 10)),
    ("innova2026", "NRSPAIN", 1, (0, 10), (0, 10)),
    ("irwin2024", "PEG", 10, (0, 10), (0, 10)),
]
WITH_SCORES = ["final2024", "innova2026", "irwin2024"]
WITH_EVENTS = WITH_SCORES
VISITS = {"final2024": [0, 4, 8, 12], "innova2026": [0, 3, 6, 12], "irwin2024": [0, 1]}


@pytest.fixture(params=["bundled", 77], scope="module", ids=str)
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled twins, and twins from another seed."""
    if request.param == "bundled":
        return fixtures_root()
    folder = tmp_path_factory.mktemp("twins")
    for study in (*WITH_SCORES, "polo2019"):
        generate(study, folder / study, seed=request.param)
    return folder


def dates(column: pd.Series) -> pd.Series:
    return pd.to_datetime(column, format="%Y-%m-%d")


@pytest.mark.parametrize(("study", "code", "steps", "at_first", "later"), GRIDS)
def test_scores_lie_on_the_grid_within_bounds(
    root: Path,
    study: str,
    code: str,
    steps: int,
    at_first: tuple[int, int],
    later: tuple[int, int],
) -> None:
    rows = table(root / study, "adqs")
    rows = rows[rows["PARAMCD"] == code]
    for name in ("AVAL", "BASE", "CHG"):
        levels = (rows[name] * steps).dropna()
        assert np.abs(levels - levels.round()).max() < 1e-9
    assert rows["BASE"].between(*at_first).all()
    assert rows["AVAL"].dropna().between(*later).all()


def test_peg_scores_are_thirds_rounded_to_one_decimal(root: Path) -> None:
    tenths = (table(root / "irwin2024", "adqs")["AVAL"] * 10).round().astype(int) % 10
    assert set(tenths) <= {0, 3, 7}


@pytest.mark.parametrize("study", WITH_SCORES)
def test_one_row_a_subject_parameter_and_visit(root: Path, study: str) -> None:
    rows = table(root / study, "adqs")
    keys = ["USUBJID", "PARAMCD", "AVISITN"]
    assert not rows.duplicated(keys).any()
    for _, group in rows.groupby(["USUBJID", "PARAMCD"], observed=True):
        assert group["AVISITN"].tolist() == VISITS[study]
    assert (rows.groupby("AVISITN", observed=True)["AVISIT"].nunique() == 1).all()


@pytest.mark.parametrize("study", WITH_SCORES)
def test_change_and_flags_follow_from_the_scores(root: Path, study: str) -> None:
    rows = table(root / study, "adqs")
    first = rows["AVISITN"] == 0
    assert (rows.loc[first, "AVAL"] == rows.loc[first, "BASE"]).all()
    assert (rows["ABLFL"].eq("Y") == first).all()
    assert (rows["ANL01FL"].eq("Y") == rows["AVAL"].notna()).all()
    per_person = rows.groupby(["USUBJID", "PARAMCD"], observed=True)["BASE"].nunique()
    assert (per_person == 1).all()
    assert rows.loc[first, ["CHG", "PCHG", "CRIT1FL", "CRIT2FL", "CRIT3FL"]].isna().all(axis=None)
    later = rows[~first]
    assert np.allclose(later["CHG"], later["AVAL"] - later["BASE"], equal_nan=True, atol=1e-12)
    percent = 100 * (later["AVAL"] - later["BASE"]) / later["BASE"]
    assert np.allclose(later["PCHG"], percent, equal_nan=True, atol=1e-9)
    for number, cut in enumerate((15, 30, 50), start=1):
        expected = np.where(percent <= -cut + 1e-9, "Y", "N")  # missing compares false: "N"
        assert (later[f"CRIT{number}FL"] == expected).all()


@pytest.mark.parametrize("study", WITH_SCORES)
def test_fewer_reach_a_higher_cut(root: Path, study: str) -> None:
    rows = table(root / study, "adqs")
    flags = rows[["CRIT1FL", "CRIT2FL", "CRIT3FL"]].eq("Y").astype(int)
    assert (flags.diff(axis=1).iloc[:, 1:] <= 0).all(axis=None)


@pytest.mark.parametrize("study", WITH_SCORES)
def test_visits_come_in_order_on_and_after_the_first_day(root: Path, study: str) -> None:
    people = table(root / study, "adsl").set_index("USUBJID")
    rows = table(root / study, "adqs").dropna(subset=["ADT"])
    start = dates(people["TRTSDT"]).loc[rows["USUBJID"]].to_numpy()
    assert ((dates(rows["ADT"]) - start).dt.days + 1 == rows["ADY"]).all()
    assert (rows.loc[rows["AVISITN"] == 0, "ADY"] == 1).all()
    for _, group in rows.groupby(["USUBJID", "PARAMCD"], observed=True):
        assert group["ADY"].is_monotonic_increasing
        assert group["ADY"].is_unique


@pytest.mark.parametrize("study", WITH_EVENTS)
def test_events_fall_within_treatment_and_agree_with_the_flags(root: Path, study: str) -> None:
    people = table(root / study, "adsl").set_index("USUBJID")
    events = table(root / study, "adae")
    of_event = people.loc[events["USUBJID"]].reset_index()
    start, day = dates(of_event["TRTSDT"]), dates(events["ASTDT"])
    assert ((day - start).dt.days + 1 == events["ASTDY"]).all()
    assert (events["ASTDY"] >= 1).all()
    last = dates(of_event["TRTEDT"])
    assert ((day <= last) | last.isna()).all()
    assert (events["TRT01P"] == of_event["TRT01P"]).all()
    assert not events.duplicated(["USUBJID", "AESEQ"]).any()
    assert set(events["USUBJID"]) == set(people.index[people["ANYAEFL"] == "Y"])
    serious = set(events.loc[events["AESER"] == "Y", "USUBJID"])
    withdrawn = set(events.loc[events["AEACN"] == "DRUG WITHDRAWN", "USUBJID"])
    for flag, found in (("ANYSAEFL", serious), ("DCAEFL", withdrawn)):
        flagged = people.index[people[flag] == "Y"] if flag in people else ()
        assert found == set(flagged)


@pytest.mark.parametrize("study", WITH_SCORES)
def test_status_and_reason_agree(root: Path, study: str) -> None:
    people = table(root / study, "adsl")
    stopped = people["EOTSTT"] == "DISCONTINUED"
    assert (people["DCTREAS"].notna() == stopped).all()
    if "DCAEFL" in people:
        assert ((people["DCTREAS"] == "ADVERSE EVENT") == (people["DCAEFL"] == "Y")).all()
    if "COMPLFL" in people:
        assert ((people["COMPLFL"] == "N") == stopped).all()
    assert people["USUBJID"].is_unique
    assert people["USUBJID"].is_monotonic_increasing


@pytest.mark.parametrize("study", ["final2024", "innova2026"])
def test_dates_of_a_trial_are_in_order(root: Path, study: str) -> None:
    people = table(root / study, "adsl")
    days = {name: dates(people[name]) for name in ("RANDDT", "TRTSDT", "TRTEDT", "EOSDT")}
    assert days["RANDDT"].is_monotonic_increasing
    assert (days["RANDDT"] <= days["TRTSDT"]).all()
    assert (days["TRTSDT"] <= days["TRTEDT"]).all()
    assert (days["TRTEDT"] <= days["EOSDT"]).all()


@pytest.mark.parametrize("study", ["final2024", "innova2026"])
def test_allocation_stays_balanced_throughout(root: Path, study: str) -> None:
    # Permuted blocks of at most six: the arms never differ by more than three.
    placebo = table(root / study, "adsl")["TRT01P"].eq("Placebo")
    lead = (2 * placebo.astype(int) - 1).cumsum().abs()
    assert lead.max() <= 3


def test_final_completers_hold_every_responder(root: Path) -> None:
    rows = table(root / "final2024", "adqs")
    rows = rows[(rows["PARAMCD"] == "NRSPAIN") & (rows["AVISIT"] == "Week 12")]
    assert rows["AVAL"].notna().all()
    stopped = rows[rows["COMPLFL"] == "N"]
    assert (stopped[["CRIT1FL", "CRIT2FL", "CRIT3FL"]] == "N").all(axis=None)
    assert len(stopped) == 9


def test_final_pain_change_is_unrelated_to_baseline(root: Path) -> None:
    rows = table(root / "final2024", "adqs")
    rows = rows[(rows["PARAMCD"] == "NRSPAIN") & (rows["AVISIT"] == "Week 12")]
    for arm in ("ldn_6mg", "placebo"):
        group = arm_of(rows, arm)
        assert abs(np.corrcoef(group["BASE"], group["CHG"])[0, 1]) < 0.009


def test_final_doses_rise_weekly_and_end_with_treatment(root: Path) -> None:
    people = table(root / "final2024", "adsl").set_index("USUBJID")
    doses = table(root / "final2024", "adex")
    assert set(doses["USUBJID"]) == set(people.index)
    for person, group in doses.groupby("USUBJID", observed=True):
        level = np.arange(1, len(group) + 1)
        assert (group["EXLEVEL"] == level).all()
        assert (group["ASTDY"] == 7 * (level - 1) + 1).all()
        assert (group["AENDY"].iloc[:-1].to_numpy() + 1 == group["ASTDY"].iloc[1:]).all()
        assert group["AENDT"].iloc[-1] == people.loc[person, "TRTEDT"]
        active = people.loc[person, "TRT01P"] != "Placebo"
        assert np.allclose(group["EXDOSE"], 1.5 * level if active else 0.0)


def test_final_population_is_as_described(root: Path) -> None:
    people = table(root / "final2024", "adsl")
    assert people["AGE"].between(18, 64).all()
    assert (people["SEX"] == "F").all()
    assert people["RACE"].value_counts().to_dict() == {"WHITE": 98, "ARCTIC ASIAN": 1}
    assert (people["EOSSTT"] == "COMPLETED").all()


def test_innova_misses_single_visits_and_counts_them_as_no_response(root: Path) -> None:
    rows = table(root / "innova2026", "adqs")
    missed = rows[rows["AVAL"].isna()]
    assert set(missed["AVISIT"]) == {"Month 3"}
    assert missed["TRT01P"].value_counts().to_dict() == {"Placebo": 2, "LDN 4.5 mg": 1}
    assert (missed[["CRIT1FL", "CRIT2FL", "CRIT3FL"]] == "N").all(axis=None)
    assert missed[["ADT", "ADY", "CHG", "PCHG", "ANL01FL"]].isna().all(axis=None)


def test_innova_scores_keep_the_assumed_correlations(root: Path) -> None:
    rows = table(root / "innova2026", "adqs")
    for arm in ("ldn_4.5mg", "placebo"):
        wide = arm_of(rows, arm).pivot(index="USUBJID", columns="AVISITN", values="AVAL")
        for visit in (3, 6, 12):
            seen = wide[[0, visit]].dropna()
            assert seen.corr().iloc[0, 1] == pytest.approx(0.5, abs=0.035)
        assert wide[[6, 12]].corr().iloc[0, 1] == pytest.approx(0.6, abs=0.035)


def test_innova_leaves_one_of_each_arm_out(root: Path) -> None:
    people = table(root / "innova2026", "adsl")
    left = people[people["ITTFL"] == "N"]
    assert sorted(left["TRT01P"]) == ["LDN 4.5 mg", "Placebo"]
    assert (left["EOSSTT"] == "DISCONTINUED").all()
    assert not set(left["USUBJID"]) & set(table(root / "innova2026", "adqs")["USUBJID"])


def test_polo_improvements_are_among_the_responders(root: Path) -> None:
    people = table(root / "polo2019", "adsl")
    responded = people["RESPFL"] == "Y"
    assert (people.loc[responded, "OUTCFL"] == "Y").all()
    for flag in ("VIGILFL", "PHYSFL", "COGNFL"):
        assert responded[people[flag] == "Y"].all()
    first, last = dates(people["TRTSDT"]), dates(people["LFUDT"])
    assert first.min() >= pd.Timestamp("2010-01-01")
    assert last.max() <= pd.Timestamp("2014-12-31")
    assert np.allclose(people["FUDURY"] * 12, people["FUDURM"])
    assert ((last - first).dt.days / 30.4375 - people["FUDURM"]).abs().max() < 0.05


def test_published_figures_all_have_a_source(root: Path) -> None:
    for folder in fixtures_root().glob("*/published.csv"):
        frame = pd.read_csv(folder, dtype=str, keep_default_na=False)
        assert (frame["provenance"] != "").all()
        assert not frame.duplicated(["arm", "outcome", "timepoint", "statistic"]).any()
        assert len(published(folder.parent)) == len(frame)
