"""A crossover's choices: what they may be, and that its method says them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from analyses.test_crossover import ROLES, fit, trial

import trialkit as tk


@pytest.mark.parametrize("name", ["period_effect", "sequence_effect", "log", "variance_bound"])
@pytest.mark.parametrize("value", [0, 1, "no", None])
def test_flags_are_true_or_false(name: str, value: object) -> None:
    with pytest.raises(tk.SpecError, match=rf"{name}=.* is not offered; allowed: True, False"):
        fit(**{name: value})


@pytest.mark.parametrize("value", [0, 1, None, 0.0])
def test_carryover_is_no_number(value: object) -> None:
    data = trial(("AA", "AB", "BA", "BB"), n=16)
    with pytest.raises(tk.SpecError, match="allowed: False, True, self-mixed"):
        fit(data, carryover=value)
    with pytest.raises(tk.SpecError, match="allowed: False, True, self-mixed"):
        tk.crossover_gee(data, **ROLES, family="gaussian", carryover=value)


@pytest.mark.parametrize("value", [False, True])
def test_carryover_takes_numpy_booleans(value: bool) -> None:
    data = trial(("AA", "AB", "BA", "BB"), n=16)
    given = np.bool_(value)
    assert fit(data, carryover=given).columns == fit(data, carryover=value).columns
    one, other = (
        tk.crossover_gee(data, **ROLES, family="gaussian", carryover=flag)
        for flag in (given, value)
    )
    assert one.columns == other.columns


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({}, "crossover, random subject"),
        ({"period_effect": False}, "crossover, no period effect, random subject"),
        (
            {"sequence_effect": False, "carryover": True},
            "no sequence effect, first-order carryover,",
        ),
        ({"subject_effect": "fixed", "sequence_effect": False}, "crossover, fixed subject"),
        ({"baseline": "BASE"}, "crossover, baseline BASE as covariate, random"),
        (
            {"baseline": "BASE", "baseline_as": "within-subject"},
            "baseline BASE within subjects as covariate",
        ),
        ({"baseline": "BASE", "baseline_as": "change", "log": True}, "outcome, change from BASE,"),
        (
            {"baseline": "BASE", "baseline_as": "joint", "sequence_effect": False},
            "crossover, no sequence effect, outcome and baseline of 2 periods jointly",
        ),
    ],
)
def test_the_method_says_which_effects_are_not_the_usual_ones(
    choices: dict[str, Any], words: str
) -> None:
    data = trial(n=16)
    data[["AVAL", "BASE"]] += 20.0
    row = fit(data, **choices).contrasts().single()
    assert words in row.method
    assert row.method.count("baseline") == words.count("baseline")


def test_the_method_of_estimating_equations_says_its_effects() -> None:
    data = trial(("AA", "AB", "BA", "BB"), n=24)
    found = tk.crossover_gee(
        data, **ROLES, family="gaussian", carryover="self-mixed", period_effect=False
    )
    assert "GEE, no period effect, self and mixed carryover, " in found.method
