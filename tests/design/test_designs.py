"""Designs say what a column is for; what they cannot mean is refused when they are made."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest

from trialkit.design.crossover import Crossover
from trialkit.design.parallel import Parallel
from trialkit.errors import SpecError

PARALLEL = {"subject": "USUBJID", "arm": "TRT01P", "reference": "Placebo"}
CROSSOVER = {
    "subject": "USUBJID",
    "sequence": "SEQ",
    "period": "PERIOD",
    "treatment": "TRTA",
    "reference": "Placebo",
}


def test_designs_are_values() -> None:
    design = Parallel(**PARALLEL, visit="AVISIT", visit_order=["Week 2", "Week 12"], strata=["SEX"])
    assert design == Parallel(
        **PARALLEL, visit="AVISIT", visit_order=("Week 2", "Week 12"), strata=("SEX",)
    )
    assert hash(design) == hash(pickle.loads(pickle.dumps(design)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        design.arm = "TRT01A"  # type: ignore[misc]
    assert not hasattr(Crossover(**CROSSOVER), "__dict__")


def test_the_order_given_cannot_be_changed_from_outside() -> None:
    order = ["Week 2", "Week 12"]
    design = Parallel(**PARALLEL, visit="AVISIT", visit_order=order)
    order.reverse()
    assert design.visit_order == ("Week 2", "Week 12")


@pytest.mark.parametrize("reference", ["Placebo", 0, 1.5, np.int64(0), True])
def test_a_reference_may_be_any_label(reference: object) -> None:
    assert Parallel(**{**PARALLEL, "reference": reference}).reference == reference


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subject": ""}, "subject is the name of a column, not an empty text"),
        ({"arm": "   "}, "arm is the name of a column, not an empty text"),
        ({"arm": None}, "arm is the name of a column, not None"),
        ({"arm": 3}, "arm is the name of a column, not 3"),
        ({"outcome": ""}, "outcome is the name of a column"),
        ({"arm": "USUBJID"}, "'USUBJID' is both subject and arm"),
        ({"outcome": "BASE", "baseline": "BASE"}, "'BASE' is both outcome and baseline"),
        ({"strata": ("TRT01P",)}, r"'TRT01P' is both arm and strata\[0\]"),
        ({"strata": ("SEX", "SEX")}, r"both strata\[0\] and strata\[1\]"),
        ({"strata": "SEX"}, r"strata='SEX' is one text; write strata=\('SEX',\)"),
        ({"strata": 4}, "strata is a sequence of column names"),
        ({"strata": ("",)}, "strata is the name of a column"),
        ({"reference": None}, "reference is a label of the data, not None"),
        ({"reference": " "}, "reference is a label of the data"),
        ({"reference": float("nan")}, "reference is a label of the data, not nan"),
        ({"reference": ["Placebo"]}, "reference is one label"),
        ({"reference": ("Placebo", "LDN")}, "reference is one label"),
        ({"visit_order": ["Week 2"]}, "visit_order orders a column that the design does not name"),
        ({"visit": "AVISIT", "visit_order": []}, "visit_order is a list of the labels of 'AVISIT'"),
        ({"visit": "AVISIT", "visit_order": 2}, "visit_order is a list of the labels"),
        ({"visit": "AVISIT", "visit_order": ["a", "a"]}, "visit_order gives a more than once"),
        ({"visit": "AVISIT", "visit_order": ["a", None]}, "visit_order is a label of the data"),
        ({"visit": "AVISIT", "visit_order": " "}, "visit_order is the name of a column"),
    ],
)
def test_a_parallel_design_refuses(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Parallel(**{**PARALLEL, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sequence": ""}, "sequence is the name of a column"),
        ({"treatment": "SEQ"}, "'SEQ' is both sequence and treatment"),
        ({"outcome": "PERIOD"}, "'PERIOD' is both period and outcome"),
        ({"measurement": "PERIOD"}, "'PERIOD' is both period and measurement"),
        ({"reference": None}, "reference is a label of the data"),
        ({"period_order": ["one", "one"]}, "period_order gives one more than once"),
    ],
)
def test_a_crossover_design_refuses(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Crossover(**{**CROSSOVER, **changes})
