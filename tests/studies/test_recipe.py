"""Recipes are read whole or refused with the place; verdicts are computed from ranges."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from trialkit.errors import DataError, SpecError
from trialkit.studies.figure import Figure, figures_of
from trialkit.studies.fixtures import names, study_folder
from trialkit.studies.recipe import read_recipe
from trialkit.studies.summary import Recomputed, recompute, verdict

GOOD = """
[[summary]]
figure = "a | pain | | p"
formula = "paired_p"
[summary.inputs]
estimate = "a | pain | | mean_difference"
low = "a | pain | | ci95_lo"
high = "a | pain | | ci95_hi"
n = 31
"""


def recipe_text(folder: Path, text: str) -> None:
    (folder / "reproduce.toml").write_text(text, encoding="utf-8")


def figures(**printed: str) -> dict[object, Figure]:
    frame = pd.DataFrame(
        {
            "study": "s",
            "arm": "a",
            "outcome": "pain",
            "statistic": list(printed),
            "printed": list(printed.values()),
        }
    )
    return {figure.key: figure for figure in figures_of(frame)}


def test_a_recipe_is_read_and_applied(tmp_path: Path) -> None:
    recipe_text(tmp_path, GOOD)
    (item,) = read_recipe(tmp_path).recomputations
    known = figures(mean_difference="0.66", ci95_lo="0.10", ci95_hi="1.21", p="0.022")
    found = recompute(item, known)  # type: ignore[arg-type]
    # The range of the corners: 0.665 over half of 1.10, 0.655 over half of 1.12.
    assert found.value == pytest.approx(0.0214, abs=5e-5)
    assert (found.low, found.high) == pytest.approx((0.0195, 0.0234), abs=5e-5)
    assert verdict(known[item.key], found) is True


def test_a_study_without_recipe_has_an_empty_one(tmp_path: Path) -> None:
    assert read_recipe(tmp_path).recomputations == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[sumary]]\n", r"unknown table\(s\) \['sumary'\]"),
        ("[[summary]]\nformula = 'paired_p'\n", "summary 1: no figure named"),
        (GOOD.replace("paired_p", "magic"), "no formula 'magic'; known: attainable"),
        (GOOD.replace("paired_p", "percentage"), "'percentage' takes count, total, not"),
        (GOOD.replace("formula", "agrees"), r"unknown key\(s\) \['agrees'\]"),
        ("[[synthetic]]\nfigure = 'a | b | c | d'\n", "either a formula with inputs or"),
        (
            "[[summary]]\nfigure = 'a | b | c | d'\nfrom = { data = 'adsl' }\n",
            "either a formula with inputs or",
        ),
        (
            "[[synthetic]]\nfigure = 'a | b | c | d'\nfrom = { data = 'adsl' }\n",
            "needs one of analysis, variable, count",
        ),
        (
            "[[synthetic]]\nfigure = 'a | b | c | d'\n"
            "from = { data = 'x', where = {}, variable = 'AGE', statistic = 'mode' }\n",
            "statistic 'mode' is not offered; allowed: mean, sd, median",
        ),
    ],
)
def test_a_faulty_recipe_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    recipe_text(tmp_path, text)
    with pytest.raises(SpecError, match=message):
        read_recipe(tmp_path)


def test_an_input_that_is_no_figure_is_refused(tmp_path: Path) -> None:
    recipe_text(tmp_path, GOOD)
    (item,) = read_recipe(tmp_path).recomputations
    with pytest.raises(SpecError, match=r"No published figure is called a \| pain"):
        recompute(item, {})
    known = figures(mean_difference="<0.66", ci95_lo="0.10", ci95_hi="1.21")
    with pytest.raises(DataError, match="printed only as a bound"):
        recompute(item, known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("printed", "low", "high", "expected"),
    [
        ("0.27", 0.26, 0.28, True),
        ("0.27", 0.2749, 0.28, True),  # its own rounding reaches into the range
        ("0.27", 0.2751, 0.28, False),
        ("0.27", 0.20, 0.30, True),  # exactly ten units wide
        ("0.27", 0.20, 0.3001, "uninformative"),
        ("0.270", 0.26, 0.28, "uninformative"),  # a trailing zero makes a finer digit
        ("0.27", 0.3, 0.9, False),  # wide, and still wrong
        ("<0.001", 0.0, 0.0004, True),
    ],
)
def test_verdicts_follow_the_rounding(
    printed: str, low: float, high: float, expected: object
) -> None:
    (figure,) = figures(p=printed).values()
    found = verdict(figure, Recomputed(value=(low + high) / 2, low=low, high=high))
    assert found is expected or found == expected
    assert type(found) is type(expected)


def test_counts_agree_exactly_or_not_at_all() -> None:
    (figure,) = figures(**{"n/N": "27/31"}).values()
    assert verdict(figure, Recomputed(value=27, low=27, high=27)) is True
    assert verdict(figure, Recomputed(value=26, low=26, high=26)) is False
    (figure,) = figures(n="27").values()
    assert verdict(figure, Recomputed(value=27.4, low=27.4, high=27.4)) is False


@pytest.mark.parametrize("name", names())
def test_every_bundled_recipe_reads(name: str) -> None:
    recipe = read_recipe(study_folder(name))
    assert recipe.recomputations or recipe.missing
