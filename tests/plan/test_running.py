"""A run gives the same bytes whatever the workers, and says what it did."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from plan.tiny import ESTIMAND, HEAD, PLAN, PRIMARY, tiny_data, write_plan

import trialkit as tk
from trialkit.plan import PlanRun, load_plan, manifest_json, results_json, run_plan

CONSTANT = (
    PRIMARY.replace('"primary"', '"constant"').replace('"Week 12"', '"Week 4"')
    + 'outcome = "SITE"\nreference = "LDN 6 mg"\n'
    + ESTIMAND
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> PlanRun:
    return run_plan(load_plan(write_plan(tmp_path_factory.mktemp("plan"))))


def everything(run: PlanRun) -> tuple[bytes, bytes]:
    return results_json(run), manifest_json(run, {"results.json": results_json(run)})


def test_tables_are_found_by_name(run: PlanRun) -> None:
    assert run.table("ANCOVA") == run.table("ANCOVA", "contrasts")
    with pytest.raises(tk.SpecError, match="no table 'estimates'; it has contrasts, lsmeans"):
        run.table("ANCOVA", "estimates")
    with pytest.raises(tk.SpecError, match="no analysis 'secondary'; it has 'primary', 'd, po"):
        run.table("secondary")


def test_a_result_says_what_was_selected_and_with_which_arguments(run: PlanRun) -> None:
    result = run.analysis("d, pooled SD")
    assert result.notes == ("40 of 80 rows selected: AVISIT = 'Week 12' and SEX = 'F' or 'M'.",)
    assert result.arguments["reference"] == "Placebo"
    assert result.arguments["ci_level"] == 0.95
    assert result.estimand.summary == "difference in means"
    assert run.sources[0].n_rows == 80


def test_bytes_do_not_depend_on_workers_or_place(run: PlanRun, tmp_path: Path) -> None:
    elsewhere = load_plan(write_plan(tmp_path / "another" / "folder"))
    assert everything(run_plan(elsewhere)) == everything(run)
    assert everything(run_plan(elsewhere, workers=8)) == everything(run)


def test_nothing_of_the_machine_is_in_the_outputs(run: PlanRun) -> None:
    for content in everything(run):
        assert str(run.plan.folder).encode() not in content
        assert b"/tmp" not in content


def test_another_plan_or_data_give_another_manifest(run: PlanRun, tmp_path: Path) -> None:
    plan = load_plan(write_plan(tmp_path / "a", PLAN.replace("seed = 7", "seed = 8")))
    changed = run_plan(plan)
    assert results_json(changed) == results_json(run)
    first, second = (json.loads(manifest_json(item, {})) for item in (run, changed))
    assert (first["plan"]["seed"], second["plan"]["seed"]) == (7, 8)
    assert first["plan"]["sha256"] != second["plan"]["sha256"]
    write_plan(tmp_path / "b")
    tiny_data().iloc[::-1].to_csv(tmp_path / "b" / "adqs.csv", index=False)
    third = json.loads(manifest_json(run_plan(load_plan(tmp_path / "b" / "plan.toml")), {}))
    assert third["data"][0]["sha256"] != first["data"][0]["sha256"]


def test_the_manifest_identifies_what_was_read_and_written(run: PlanRun) -> None:
    manifest = json.loads(manifest_json(run, {"b": b"1", "a": b"2"}))
    assert manifest["schema"] == "trialkit-manifest/1"
    path = run.plan.path
    assert manifest["plan"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    data = (path.parent / "adqs.csv").read_bytes()
    assert manifest["data"] == [
        {
            "name": "adqs",
            "file": "adqs.csv",
            "sha256": hashlib.sha256(data).hexdigest(),
            "rows": 80,
            "columns": 8,
        }
    ]
    assert list(manifest["outputs"]) == ["a", "b"]
    assert manifest["outputs"]["a"] == hashlib.sha256(b"2").hexdigest()
    assert set(manifest["versions"]) == {
        *("trialkit", "python", "numpy", "scipy", "pandas", "statsmodels", "formulaic")
    }


def test_results_hold_every_number_unrounded(run: PlanRun) -> None:
    document = json.loads(results_json(run))
    assert document["schema"] == "trialkit-results/1"
    assert [item["name"] for item in document["analyses"]] == [item.name for item in run.analyses]
    rows = {
        (row["analysis"], row["table"], row["group1_level"], row["stat_name"]): row["stat"]
        for row in document["rows"]
    }
    for name, which in (("primary", "estimates"), ("ANCOVA", "lsmeans")):
        for record in run.table(name, which).frame().to_dict("records"):
            for stat in ("estimate", "se", "p_value", "ci_low", "n"):
                key = record["contrast" if which == "estimates" else "arm"]
                assert rows[name, which, key, stat] == record[stat]


def test_missing_and_infinite_numbers_have_their_words(tmp_path: Path) -> None:
    text = PRIMARY.replace('"ttest"', '"ttest"\nalternative = "less"')
    run = run_plan(load_plan(write_plan(tmp_path, HEAD + text + ESTIMAND)))
    rows = json.loads(results_json(run))["rows"]
    found = {row["stat_name"]: row["stat"] for row in rows}
    assert found["ci_low"] == "-Inf"
    text = PRIMARY.replace('"ttest"', '"rank_sum"')
    run = run_plan(load_plan(write_plan(tmp_path, HEAD + text + ESTIMAND)))
    rows = json.loads(results_json(run))["rows"]
    assert {row["stat_name"]: row["stat"] for row in rows}["df"] is None


def test_a_failure_stops_the_run_and_names_the_analysis(tmp_path: Path) -> None:
    plan = load_plan(write_plan(tmp_path, HEAD + CONSTANT))
    data = tiny_data().assign(SITE=1)
    data.to_csv(tmp_path / "adqs.csv", index=False)
    with pytest.raises(tk.DataError, match=r"Analysis 'constant': .*constant"):
        run_plan(plan)
    with pytest.raises(tk.DataError, match=r"Analysis 'constant': "):
        run_plan(
            load_plan(write_plan_again(tmp_path, HEAD + PRIMARY + ESTIMAND + CONSTANT)), workers=2
        )


def write_plan_again(folder: Path, text: str) -> Path:
    """The plan beside data that are already there."""
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_may_be_kept_as_a_row_that_says_why(tmp_path: Path, workers: int) -> None:
    write_plan(tmp_path)
    tiny_data().assign(SITE=1).to_csv(tmp_path / "adqs.csv", index=False)
    head = HEAD.replace("seed = 7", "keep_going = true")
    plan = load_plan(write_plan_again(tmp_path, head + CONSTANT + PRIMARY + ESTIMAND))
    run = run_plan(plan, workers=workers)
    assert [result.name for result in run.failed] == ["constant"]
    assert run.failed[0].status.startswith("DataError: 'SITE' is constant")
    assert run.table("primary").frame()["n"].item() == 40
    with pytest.raises(tk.SpecError, match="has no tables: DataError"):
        run.table("constant")
    rows = [row for row in json.loads(results_json(run))["rows"] if row["analysis"] == "constant"]
    assert len(rows) == 1
    assert rows[0]["stat"] is None
    assert "constant" in rows[0]["error"]
    assert json.loads(manifest_json(run, {}))["analyses"][0]["status"].startswith("DataError")


def test_warnings_are_kept_with_the_result_and_do_not_leak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import warnings

    from trialkit.plan.methods import METHODS, two_arms

    def warn_and_run(spec: object, frame: object) -> object:
        warnings.warn("a bound was hit", tk.TrialkitWarning, stacklevel=1)
        return two_arms.run_ttest(spec, frame)

    method = METHODS["ttest"]
    monkeypatch.setitem(METHODS, "ttest", type(method)(method.spec, warn_and_run))
    run = run_plan(load_plan(write_plan(tmp_path, HEAD + PRIMARY + ESTIMAND)))
    assert run.analyses[0].warnings == ("TrialkitWarning: a bound was hit",)
    assert "a bound was hit" in json.loads(results_json(run))["rows"][0]["warning"]


def test_progress_counts_the_analyses_in_order(tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    plan = load_plan(write_plan(tmp_path))
    run_plan(plan, workers=2, progress=lambda *args: seen.append(args))
    assert seen == [(1, 4, "primary"), (2, 4, "d, pooled SD"), (3, 4, "ranks"), (4, 4, "ANCOVA")]


@pytest.mark.parametrize("workers", [0, -1, 1000])
def test_an_impossible_number_of_workers_is_refused(tmp_path: Path, workers: int) -> None:
    with pytest.raises(tk.SpecError, match="allowed: 1 to 256"):
        run_plan(load_plan(write_plan(tmp_path)), workers=workers)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("CHG ~ TRT01P + BASE", "CHG ~ TRT01P + BAZE", r"'ANCOVA': .*'BAZE' \(near: BASE\)"),
        ('outcome = "CHG"', 'outcome = "CHNG"', r"'primary': outcome: no column 'CHNG'.*CHG"),
        ('arm = "TRT01P"', 'arm = "TRT"', "'primary': arm: no column 'TRT'"),
        ('outcome = "CHG"\n', "", "'primary': outcome missing; give it in the analysis or in"),
        ('reference = "Placebo"', 'reference = "placebo"', "'primary': .*'placebo'.*Placebo"),
        ('SEX = ["F", "M"]', 'SEX = ["F", "X"]', "'d, pooled SD': where: no row has SEX = 'X'"),
    ],
)
def test_a_plan_that_does_not_fit_its_data_is_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in PLAN
    with pytest.raises(tk.TrialkitError, match=rf"Analysis {message}"):
        run_plan(load_plan(write_plan(tmp_path, PLAN.replace(old, new))))


def test_a_missing_data_file_is_named(tmp_path: Path) -> None:
    plan = load_plan(write_plan(tmp_path))
    (tmp_path / "adqs.csv").unlink()
    with pytest.raises(tk.SpecError, match=r"\[data\] adqs: path 'adqs.csv': there is no such"):
        run_plan(plan)


def test_a_formula_never_runs_code(tmp_path: Path) -> None:
    """A column called like a function stands in its place: refused, though each name exists."""
    text = PLAN.replace("C(SITE)", "log(BASE)")
    plan = load_plan(write_plan(tmp_path, text))
    shutil.copy(tmp_path / "adqs.csv", tmp_path / "kept.csv")
    tiny_data().assign(log=1).to_csv(tmp_path / "adqs.csv", index=False)
    with pytest.raises(tk.SpecError, match=r"'ANCOVA': .*rename the column"):
        run_plan(plan)
