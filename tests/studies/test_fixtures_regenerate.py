"""The bundled synthetic data are what the generator makes, byte for byte."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trialkit.errors import DataError, DesignError, SpecError
from trialkit.studies.fixtures import fixtures_root
from trialkit.studies.generate import SEEDS, generate, main

# Files of a study's folder that people write.
WRITTEN_BY_HAND = {"published.csv"}


@pytest.mark.parametrize("study", SEEDS)
def test_bundled_files_are_made_again(study: str, tmp_path: Path) -> None:
    bundled = fixtures_root() / study
    written = generate(study, tmp_path)
    expected = {path.name for path in bundled.glob("*.csv")} - WRITTEN_BY_HAND
    assert {path.name for path in written} == expected
    for path in written:
        assert path.read_bytes() == (bundled / path.name).read_bytes(), path.name


def test_only_studies_with_a_generator_hold_data() -> None:
    folders = {path.parent.name for path in fixtures_root().glob("*/adsl.csv")}
    assert folders == set(SEEDS)


def test_readme_names_the_seed_and_the_command() -> None:
    for study, seed in SEEDS.items():
        text = (fixtures_root() / study / "README.md").read_text(encoding="utf-8")
        assert f"Seed {seed}" in text
        assert f"python -m trialkit.studies.generate {study}" in text
        for path in (fixtures_root() / study).glob("ad*.csv"):
            header = path.read_text(encoding="utf-8").splitlines()[0].split(",")
            assert f"`{path.name}`" in text
            assert [name for name in header if name not in text] == []


def test_files_have_fixed_line_ends_and_say_they_are_synthetic() -> None:
    for study in SEEDS:
        for path in (fixtures_root() / study).glob("ad*.csv"):
            content = path.read_bytes()
            assert b"\r" not in content
            assert content.endswith(b"\n")
            rows = content.decode().splitlines()[1:]
            assert all(row.split(",")[0].endswith("-SYNTHETIC") for row in rows)


def test_bytes_do_not_depend_on_hash_order(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "trialkit.studies.generate",
        "polo2019",
        "--out",
        str(tmp_path),
    ]
    hashing = {"PYTHONHASHSEED": "12345", "PATH": ""}
    subprocess.run(command, check=True, env=hashing, capture_output=True)
    for path in (tmp_path / "polo2019").iterdir():
        assert path.read_bytes() == (fixtures_root() / "polo2019" / path.name).read_bytes()


def test_command_line_writes_where_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["polo2019", "--out", str(tmp_path), "--seed", "5"])
    assert (tmp_path / "polo2019" / "adsl.csv").is_file()
    assert "adsl.csv" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nielsen2026_final_resp"], "has no synthetic data"),
        (["polo2019", "--seed", "1"], "--seed needs --out"),
    ],
)
def test_command_line_refuses(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert words in capsys.readouterr().err


def test_unknown_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="'nielsen2026_final_resp' has no synthetic data"):
        generate("nielsen2026_final_resp", tmp_path)


def altered(study: str, before: str, after: str, folder: Path) -> Path:
    """A copy of the published figures with one line changed."""
    text = (fixtures_root() / study / "published.csv").read_text(encoding="utf-8")
    assert text.count(before) == 1
    path = folder / "figures.csv"
    path.write_text(text.replace(before, after), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("study", "before", "after", "words"),
    [
        (
            "innova2026",
            "placebo,pain_nrs,6 mo,mean,7.08,7.08",
            "placebo,pain_nrs,6 mo,mean,7.07,7.07",
            r"no whole-number total of 49 scores",
        ),
        (
            "innova2026",
            "ldn_4.5mg,pain_nrs,12 mo,sd,1.86,1.86",
            "ldn_4.5mg,pain_nrs,12 mo,sd,4.86,4.86",
            r"have a standard deviation from",
        ),
        (
            "final2024",
            "ldn - placebo,pain_nrs,wk12,mean_difference,-0.34,-0.34",
            "ldn - placebo,pain_nrs,wk12,mean_difference,-0.94,-0.94",
            r"differences of totals that print both means are -0.4",
        ),
        (
            "final2024",
            "all,lost to follow-up,wk12,n,0,0",
            "all,lost to follow-up,wk12,n,2,2",
            r"2 lost to follow-up are printed",
        ),
        (
            "irwin2024",
            "ldn,stopped: other,,n/N,1/31,1/31",
            "ldn,stopped: other,,n/N,2/31,2/31",
            r"28 reasons are printed for 27 who stopped",
        ),
        (
            "irwin2024",
            "ldn,PEG change,,mean_difference,0.66,0.66",
            "ldn,PEG change,,mean_difference,0.71,0.71",
            r"No totals in steps of 1/10 print",
        ),
        ("polo2019", "pct,51.4,51.4", "pct,51.5,51.5", r"51.5% of 218 can be no count"),
        (
            "bested2023",
            "FIQR,end of 3-wk period,p,0.3,0.3",
            "FIQR,end of 3-wk period,p,0.2,0.2",
            r"No z of 52 differences prints both the effect size 0.15 and p 0.2",
        ),
        (
            "bested2023",
            "period,median_difference,-0.33,-0.33",
            "period,median_difference,-0.38,-0.38",
            r"No median in steps of 1/6 prints -0.38",
        ),
        (
            "bested2023",
            "all,randomised,,n,58,58",
            "all,randomised,,n,51,51",
            r"52 are taken as analysed, more than the 51 randomised",
        ),
        (
            "younger2009",
            "end of phase,p,0.003,0.003",
            "end of phase,p,0.300,0.300",
            r"No 10 scores in steps of 1/10 from -20 to 80 have a mean printed 30.2",
        ),
    ],
)
def test_figures_that_cannot_be_true_together_are_refused(
    study: str, before: str, after: str, words: str, tmp_path: Path
) -> None:
    figures = altered(study, before, after, tmp_path)
    with pytest.raises(DesignError, match=words):
        generate(study, tmp_path / "out", figures=figures)
    assert not (tmp_path / "out").exists()


def test_a_missing_figure_is_named(tmp_path: Path) -> None:
    figures = altered("polo2019", "follow-up,,mean", "follow-up,,median", tmp_path)
    with pytest.raises(DataError, match=r"has no figure ldn_3-4\.5mg, follow-up, mean"):
        generate("polo2019", tmp_path / "out", figures=figures)
