"""What the commands print and write, and when they exit with one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from plan.tiny import ESTIMAND, HEAD, PLAN, PRIMARY, tiny_data, write_plan
from typer.testing import CliRunner, Result

import trialkit as tk
from trialkit.cli.main import app
from trialkit.cli.run import row_name
from trialkit.plan import load_plan, run_plan
from trialkit.report.cells import TextTable


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(item) for item in arguments])


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_a_run_writes_its_results_and_a_manifest_that_matches_them(tmp_path: Path) -> None:
    done = invoke("run", write_plan(tmp_path), "--out", tmp_path / "a" / "b")
    assert done.exit_code == 0, done.output
    written = hashes(tmp_path / "a" / "b")
    manifest = json.loads((tmp_path / "a" / "b" / "manifest.json").read_text())
    del written["manifest.json"]
    assert manifest["outputs"] == written
    assert {"results.json", "report.html", "figure-01-primary.svg"} <= set(written)
    assert "primary (ttest)\n  LDN 6 mg - Placebo: Estimate 0.50, 95% CI" in done.output


def test_a_number_in_a_row_s_name_says_what_it_is_the_number_of() -> None:
    cells = TextTable(
        headings=("Arm", "time", "Contrast", "Estimate"),
        rows=(("Placebo", "28", "", "0.77"),),
        is_number=(False, True, False, True),
        n_keys=3,
    )
    assert row_name(cells, cells.rows[0]) == "Placebo time 28"


def test_outputs_are_the_same_bytes_for_one_worker_and_eight(tmp_path: Path) -> None:
    first, second = write_plan(tmp_path / "x"), write_plan(tmp_path / "y")
    invoke("run", first, "--out", tmp_path / "one")
    invoke("run", second, "--out", tmp_path / "eight", "--workers", 8)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "eight")
    assert len(hashes(tmp_path / "one")) == 7


def test_a_second_run_replaces_its_own_files_and_nobody_elses(tmp_path: Path) -> None:
    out = tmp_path / "out"
    invoke("run", write_plan(tmp_path), "--out", out)
    (out / "notes.txt").write_text("mine")
    (out / "figure-99-mine.svg").write_text("mine")
    (out / "figure-03-ranks.svg").write_text("changed by hand")
    invoke("run", write_plan(tmp_path, HEAD + PRIMARY + ESTIMAND), "--out", out)
    names = {path.name for path in out.iterdir()}
    assert names == {
        *("results.json", "report.html", "manifest.json", "figure-01-primary.svg"),
        *("notes.txt", "figure-99-mine.svg", "figure-03-ranks.svg"),
    }
    assert (out / "figure-03-ranks.svg").read_text() == "changed by hand"


def test_a_run_that_fails_writes_nothing(tmp_path: Path) -> None:
    path = write_plan(tmp_path, PLAN.replace("+ BASE", "+ BAZE"))
    done = invoke("run", path, "--out", tmp_path / "out")
    assert isinstance(done.exception, tk.SpecError)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    path = write_plan(tmp_path)
    done = invoke("run", path, "--out", tmp_path / "adqs.csv")
    assert isinstance(done.exception, tk.DataError)
    assert "adqs.csv" in str(done.exception)


def test_a_plan_that_keeps_going_exits_with_one(tmp_path: Path) -> None:
    failing = PRIMARY.replace('"ttest"', '"ttest"\noutcome = "SEX"') + ESTIMAND
    head = HEAD.replace("seed = 7", "keep_going = true")
    done = invoke("run", write_plan(tmp_path, head + failing), "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "  failed: DataError" in done.output
    assert (tmp_path / "out" / "report.html").exists()


def test_a_sound_plan_is_said_to_be_so(tmp_path: Path) -> None:
    done = invoke("check", write_plan(tmp_path))
    assert (done.exit_code, done.output) == (0, "plan.toml: nothing wrong found.\n")


def test_check_lists_what_is_wrong_with_a_plan(tmp_path: Path) -> None:
    text = PLAN.replace("+ BASE", "+ BAZE").replace('SEX = ["F", "M"]', "SEX = 3")
    done = invoke("check", write_plan(tmp_path, text))
    assert done.exit_code == 1
    assert "[[analysis]] ANCOVA: " in done.output
    assert "[[analysis]] d, pooled SD: " in done.output
    done = invoke("check", write_plan(tmp_path, "x = 1"))
    assert done.exit_code == 1
    assert "unknown key 'x'" in done.output


def write_csv(folder: Path, **columns: object) -> Path:
    path = folder / "data.csv"
    tiny_data().assign(**columns).to_csv(path, index=False)
    return path


def test_check_of_data_takes_roles_by_their_usual_names(tmp_path: Path) -> None:
    order = tiny_data()["AVISIT"].str.removeprefix("Week ").astype(int)
    path = write_csv(tmp_path, AVISITN=order)
    done = invoke("check", path)
    assert done.exit_code == 0, done.output
    assert "subject USUBJID, arm TRT01P, visit AVISIT, visit_order AVISITN" in done.output
    assert "Nothing wrong found." in done.output


def test_check_of_data_lists_findings_and_exits_with_one(tmp_path: Path) -> None:
    done = invoke("check", write_csv(tmp_path))
    assert done.exit_code == 1
    assert "visit-without-order: " in done.output
    done = invoke("check", write_csv(tmp_path, AVISIT="Week 4", AVISITN=4))
    assert done.exit_code == 1
    assert "duplicate-subject-visit: ... and 20 more." in done.output


def test_check_of_data_takes_roles_from_options(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    week = tiny_data().query("AVISIT == 'Week 12'").drop(columns="AVISIT")
    renamed = {"USUBJID": "who", "TRT01P": "group", "CHG": "y"}
    week.rename(columns=renamed).to_csv(path, index=False)
    done = invoke("check", path)
    assert "No design: no column of the subject (--subject)" in done.output
    options = ["--subject", "who", "--arm", "group", "--outcome", "y"]
    done = invoke("check", path, *options, "--reference", "LDN 6 mg")
    assert done.exit_code == 0, done.output
    assert "subject who, arm group, outcome y, baseline BASE, reference LDN 6 mg" in done.output
    done = invoke("check", path, *options[:3], "whoo")
    assert "--arm whoo: no such column" in str(done.exception)


def test_check_needs_a_reference_where_none_is_called_placebo(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    tiny_data().replace("Placebo", "Sham").to_csv(path, index=False)
    with pytest.raises(tk.SpecError, match="--reference is needed: TRT01P has no 'Placebo'"):
        CliRunner().invoke(app, ["check", str(path)], catch_exceptions=False)


def test_check_of_one_arm_needs_no_design_and_no_reference(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    tiny_data().query("TRT01P != 'Placebo'").to_csv(path, index=False)
    done = invoke("check", path)
    assert done.exit_code == 0, done.output
    assert "No design: TRT01P has 1 arm.\n" in done.output


def test_check_of_records_asks_for_no_reference(tmp_path: Path) -> None:
    path = tmp_path / "adae.csv"
    records = tiny_data().drop(columns="AVISIT").assign(AESEQ=1)
    records.replace("Placebo", "Sham").to_csv(path, index=False)
    done = invoke("check", path)
    assert done.exit_code == 0, done.output
    assert "No design: AESEQ marks records" in done.output


def test_check_of_records_needs_no_design(tmp_path: Path) -> None:
    done = invoke("check", write_csv(tmp_path, AESEQ=1).rename(tmp_path / "ae.csv"))
    assert "visit AVISIT" in done.output  # measured at visits after all
    path = tmp_path / "adae.csv"
    tiny_data().drop(columns="AVISIT").assign(AESEQ=1).to_csv(path, index=False)
    done = invoke("check", path)
    assert done.exit_code == 0, done.output
    assert "No design: AESEQ marks records" in done.output


def test_check_of_damaged_data_says_what_is_wrong_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "damaged.parquet"
    path.write_bytes(b"PAR1 and no more")
    done = invoke("check", path)
    assert done.exit_code == 1
    assert "damaged.parquet" in done.output


def test_roles_are_not_given_for_a_plan(tmp_path: Path) -> None:
    done = invoke("check", write_plan(tmp_path), "--arm", "TRT01P")
    assert "a plan has them in [design]" in str(done.exception)


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    path = tmp_path / "figures.csv"
    path.write_text(
        "study,arm,outcome,timepoint,statistic,printed,granularity\n"
        "s,drug,score,week 4,n,28,\n"
        "s,drug,score,week 4,mean,5.19,1\n"
        "s,drug,score,week 4,sd,1.2,1\n"
    )
    return path


def test_audit_prints_findings_and_exits_with_one(figures: Path) -> None:
    done = invoke("audit", figures)
    assert done.exit_code == 1
    assert "grim" in done.output
    assert done.output.rstrip().endswith("in 3 figures.")
    figures.write_text(figures.read_text().replace("5.19", "5.18"))
    done = invoke("audit", figures)
    assert (done.exit_code, done.output) == (0, "0 findings in 3 figures.\n")


def test_audit_gives_json(figures: Path) -> None:
    document = json.loads(invoke("audit", figures, "--json").output)
    assert document["schema"] == "trialkit-audit/1"
    assert document["findings"][0]["rule"] == "grim"
    assert set(document["findings"][0]) >= {"study", "outcome", "rule", "verdict", "detail"}


def test_reproduce_prints_every_figure_with_its_verdict() -> None:
    done = invoke("reproduce", "irwin2024")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "irwin2024"
    heading = "Arm Outcome Time Statistic Published Reproduced Verdict Basis"
    assert " ".join(lines[1].split()) == heading
    p_line = next(line for line in lines if " p [" in line)
    assert " ".join(p_line.split()).endswith(" 0.022 0.021 (0.0195 to 0.0234) agrees summary")
    assert any("agree;" in line for line in lines)


def test_reproduce_gives_json_with_every_row() -> None:
    document = json.loads(invoke("reproduce", "irwin2024", "--json").output)
    assert document["schema"] == "trialkit-reproduction/1"
    study = document["studies"][0]
    frame = tk.studies.reproduce("irwin2024").frame()
    assert len(study["rows"]) == len(frame)
    assert set(study["rows"][0]) == set(frame.columns)
    assert study["counts"]["agrees"] == sum(
        row["agrees"] is True and row["basis"] in ("summary", "synthetic") for row in study["rows"]
    )


def test_reproduce_writes_a_page(tmp_path: Path) -> None:
    done = invoke("reproduce", "irwin2024", "--out", tmp_path / "out")
    assert done.exit_code == 0
    assert "irwin2024" in (tmp_path / "out" / "reproduction.html").read_text()


@pytest.mark.parametrize(
    ("basis", "said"), [("summary", "; 1 DISAGREE"), ("calibrated", "1 calibrated and MISSED")]
)
def test_a_figure_that_should_agree_and_does_not_is_shown_and_exits_with_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, basis: str, said: str
) -> None:
    from dataclasses import replace

    found = tk.studies.reproduce("irwin2024")
    agreeing = [i for i, row in enumerate(found.rows) if row.agrees and row.basis == basis]
    place = agreeing[0]
    wrong = replace(found.rows[place], agrees=False)
    rows = (*found.rows[:place], wrong, *found.rows[place + 1 :])
    monkeypatch.setattr(tk.studies, "reproduce", lambda _: replace(found, rows=rows))
    done = invoke("reproduce", "irwin2024", "--out", tmp_path)
    assert done.exit_code == 1
    assert done.output.count("DISAGREES") == 1
    assert said in done.output
    assert "DISAGREES" in (tmp_path / "reproduction.html").read_text()
    assert invoke("reproduce", "irwin2024", "--json").exit_code == 1


def test_studies_are_listed_and_shown() -> None:
    done = invoke("studies")
    assert all(name in done.output for name in tk.studies.names())
    done = invoke("studies", "irwin2024")
    assert done.exit_code == 0
    assert "published figures" in done.output


@pytest.mark.parametrize("name", [n for n in tk.studies.names() if tk.studies.load(n).plan])
def test_bundled_plans_are_sound_and_run(name: str) -> None:
    study = tk.studies.load(name)
    done = invoke("check", study.folder / "plan.toml")
    assert (done.exit_code, done.output) == (0, "plan.toml: nothing wrong found.\n")
    run = run_plan(load_plan(study.folder / "plan.toml"))
    assert not run.failed


def test_a_long_table_is_begun_in_the_terminal_and_whole_in_the_file(tmp_path: Path) -> None:
    entry = (
        '\n[[analysis]]\nname = "grid"\nmethod = "tipping_point"\n'
        f'formula = "CHG ~ TRT01P*AVISIT"\ndelta_where = "all"\ndeltas = {list(range(50))}\n'
    )
    path = write_plan(tmp_path, HEAD + entry + ESTIMAND)
    data = tiny_data()
    data.loc[data["AVISIT"].eq("Week 12") & data["USUBJID"].isin(["S-03", "S-10"]), "CHG"] = None
    data.to_csv(tmp_path / "adqs.csv", index=False)
    done = invoke("run", path, "--out", tmp_path / "out")
    assert done.exit_code == 0
    assert "... 10 more rows, in results.json" in done.output
    rows = json.loads((tmp_path / "out" / "results.json").read_text())["rows"]
    assert sum(row["table"] == "grid" and row["stat_name"] == "estimate" for row in rows) == 50
