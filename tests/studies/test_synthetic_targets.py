"""Every figure the twins were made from is in their data, recomputed from the files alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from studies.printed_figures import COMPUTED, misses, published

from trialkit.studies.fixtures import fixtures_root
from trialkit.studies.generate import SEEDS, WITHOUT_FIGURES, generate

TWINS = sorted(set(SEEDS) - WITHOUT_FIGURES)

# Figures that no target fixes: they come out of the data by analysis.
NOT_TARGETS = {
    "bested2023": set(),
    "final2024": {
        ("ldn_6mg", "pain_nrs", "wk12", "ci95_lo"),
        ("ldn_6mg", "pain_nrs", "wk12", "ci95_hi"),
        ("placebo", "pain_nrs", "wk12", "ci95_lo"),
        ("placebo", "pain_nrs", "wk12", "ci95_hi"),
        ("ldn - placebo", "pain_nrs", "wk12", "p"),
        ("ldn - placebo", "pain_nrs", "wk12", "cohens_d"),
    },
    "innova2026": {("ldn - placebo", "pain_nrs", "3 mo", "cohens_d")},
    "irwin2024": {("ldn", "PEG change", "", "p")},
    "parkitny2017": set(),
    "polo2019": {("ldn_3-4.5mg", "positive response", "", "pct")},
    "younger2009": set(),
    "younger2013": {
        ("LDN first", "completed", "", "n"),
        ("placebo first", "completed", "", "n"),
    },
}


def test_every_twin_is_checked() -> None:
    assert set(TWINS) == set(COMPUTED) == set(NOT_TARGETS)


@pytest.mark.parametrize("study", TWINS)
def test_bundled_data_print_every_figure(study: str) -> None:
    folder = fixtures_root() / study
    assert list(misses(study, folder, published(folder))) == []


@pytest.mark.parametrize("study", TWINS)
@pytest.mark.parametrize("seed", [2**33])
def test_other_seeds_give_other_data_that_print_every_target(
    study: str, seed: int, tmp_path: Path
) -> None:
    bundled = fixtures_root() / study
    generate(study, tmp_path, seed=seed)
    assert list(misses(study, tmp_path, published(bundled, "calibrated"))) == []
    assert (tmp_path / "adsl.csv").read_bytes() != (bundled / "adsl.csv").read_bytes()
    # Which figures were used does not depend on the seed.
    assert (tmp_path / "calibrated.csv").read_bytes() == (bundled / "calibrated.csv").read_bytes()


@pytest.mark.parametrize("study", TWINS)
def test_calibrated_figures_are_declared_and_all_of_them_checked(study: str) -> None:
    folder = fixtures_root() / study
    calibrated, printed = published(folder, "calibrated"), published(folder)
    assert set(COMPUTED[study](folder)) == set(calibrated) | NOT_TARGETS[study]
    assert not set(calibrated) & NOT_TARGETS[study]
    assert all(printed[key] == text for key, text in calibrated.items())


def test_a_moved_score_is_seen(tmp_path: Path) -> None:
    folder = fixtures_root() / "final2024"
    for path in folder.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    lines = (folder / "adqs.csv").read_text().splitlines(keepends=True)
    swapped = [
        line.replace("LDN 6 mg", "@").replace("Placebo", "LDN 6 mg").replace("@", "Placebo")
        for line in lines
    ]
    (tmp_path / "adqs.csv").write_text("".join(swapped))
    assert len(list(misses("final2024", tmp_path, published(folder)))) > 10


@pytest.mark.parametrize("seed", [None, 1])
def test_final_difference_adjusted_for_baseline_prints_the_same(
    seed: int | None, tmp_path: Path
) -> None:
    import numpy as np
    from scipy import stats
    from studies.printed_figures import prints, table

    generate("final2024", tmp_path, seed=seed)
    adqs = table(tmp_path, "adqs")
    rows = adqs[(adqs["PARAMCD"] == "NRSPAIN") & (adqs["AVISIT"] == "Week 12")]
    x = np.column_stack([np.ones(len(rows)), rows["TRT01P"] != "Placebo", rows["BASE"]]).astype(
        float
    )
    coef, squares, *_ = np.linalg.lstsq(x, rows["CHG"].to_numpy(), rcond=None)
    df = len(rows) - 3
    se = np.sqrt(np.linalg.solve(x.T @ x, np.eye(3))[1, 1] * squares[0] / df)
    half = stats.t.ppf(0.975, df) * se
    printed = published(fixtures_root() / "final2024")
    key = ("ldn - placebo", "pain_nrs", "wk12")
    assert prints(coef[1], printed[*key, "mean_difference"])
    assert prints(coef[1] - half, printed[*key, "ci95_lo"])
    assert prints(coef[1] + half, printed[*key, "ci95_hi"])
