"""A check names everything that would stop a plan, and what is unsound in its data."""

from __future__ import annotations

from pathlib import Path

from plan.tiny import PLAN, tiny_data, write_plan

from trialkit.plan import check_plan


def test_a_sound_plan_has_no_findings(tmp_path: Path) -> None:
    assert check_plan(write_plan(tmp_path)) == ()


def test_a_plan_that_cannot_be_read_is_one_finding(tmp_path: Path) -> None:
    found = check_plan(write_plan(tmp_path, "[plan"))
    assert [finding.place for finding in found] == ["plan"]
    assert check_plan(tmp_path / "none.toml")[0].message.endswith("there is no such file.")


def test_every_analysis_is_looked_at(tmp_path: Path) -> None:
    text = PLAN.replace("+ BASE", "+ BAZE").replace('SEX = ["F", "M"]', "SEX = 3")
    places = [finding.place for finding in check_plan(write_plan(tmp_path, text))]
    assert places == ["[[analysis]] d, pooled SD", "[[analysis]] ANCOVA"]


def test_the_data_of_the_design_are_checked(tmp_path: Path) -> None:
    path = write_plan(tmp_path)
    data = tiny_data()
    data.loc[0, "TRT01P"] = "LDN 6 mg"
    data.to_csv(tmp_path / "adqs.csv", index=False)
    found = check_plan(path)
    assert [finding.place for finding in found] == ["[data] adqs, rule subject-in-two-arms"]
    assert found[0].severity == "error"


def test_a_design_that_names_no_column_of_the_data_is_a_finding(tmp_path: Path) -> None:
    found = check_plan(write_plan(tmp_path, PLAN.replace('baseline = "BASE"', 'baseline = "B"')))
    assert [finding.place for finding in found] == ["[design]"]
    assert "baseline: no column 'B'" in found[0].message


def test_a_missing_data_file_is_a_finding(tmp_path: Path) -> None:
    path = write_plan(tmp_path)
    (tmp_path / "adqs.csv").unlink()
    assert [finding.place for finding in check_plan(path)] == ["[data] adqs"]
