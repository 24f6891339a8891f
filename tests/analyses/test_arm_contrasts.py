"""Which arms are compared, in which order and under which name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from reference.loader import assert_close

from trialkit.analyses.arm_contrasts import ContrastKind, arm_contrasts
from trialkit.errors import SpecError

ARMS = ["Placebo", "LDN 3.0 mg", "LDN 4.5 mg"]


def test_each_arm_minus_the_reference() -> None:
    contrasts = arm_contrasts("reference", ARMS)
    assert contrasts.names == ("LDN 3.0 mg - Placebo", "LDN 4.5 mg - Placebo")
    assert contrasts.weights.tolist() == [[-1, 1, 0], [-1, 0, 1]]


def test_each_arm_minus_every_arm_before_it() -> None:
    contrasts = arm_contrasts("pairwise", ARMS)
    assert contrasts.names == (
        "LDN 3.0 mg - Placebo",
        "LDN 4.5 mg - Placebo",
        "LDN 4.5 mg - LDN 3.0 mg",
    )
    assert contrasts.weights.tolist() == [[-1, 1, 0], [-1, 0, 1], [0, -1, 1]]


@pytest.mark.parametrize(
    "kind",
    [
        {"linear": [-1, 0, 1], "active": [-1, 0.5, 0.5]},
        {
            "linear": {"LDN 4.5 mg": 1, "Placebo": -1},
            "active": {"Placebo": -1, "LDN 3.0 mg": 0.5, "LDN 4.5 mg": 0.5},
        },
        pd.DataFrame(
            {"LDN 4.5 mg": [1, 0.5], "Placebo": [-1, -1], "LDN 3.0 mg": [0, 0.5]},
            index=["linear", "active"],
        ),
    ],
)
def test_named_weights_in_three_forms(kind: object) -> None:
    contrasts = arm_contrasts(kind, ARMS)  # type: ignore[arg-type]
    assert contrasts.kind == "matrix"
    assert contrasts.names == ("linear", "active")
    assert_close(contrasts.weights, [[-1, 0, 1], [-1, 0.5, 0.5]], rtol=0)


def test_an_array_is_named_by_its_weights() -> None:
    contrasts = arm_contrasts(np.array([[-1, 0, 1], [-1, 0.5, 0.5]]), ARMS)
    assert contrasts.names == (
        "-1*(Placebo) +1*(LDN 4.5 mg)",
        "-1*(Placebo) +0.5*(LDN 3.0 mg) +0.5*(LDN 4.5 mg)",
    )
    assert arm_contrasts([-1, 1, 0], ARMS).weights.tolist() == [[-1, 1, 0]]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("treatment", "kind='treatment' is not offered; allowed: 'reference', 'pairwise'"),
        ({}, "names no contrast"),
        ({"a": [-1, 1]}, "'a' has 2 weights for 3 arms"),
        ({"a": [0.5, 0.5, 0]}, "'a' sums to 1; the weights of a contrast sum to zero"),
        ({"a": [0, 0, 0]}, "not all zero"),
        ({"a": [-1, np.nan, 1]}, "finite weights"),
        ({"a": {"LDN": 1, "Placebo": -1}}, "'a' names the arm 'LDN'; arms: 'Placebo'"),
    ],
)
def test_weights_that_are_no_contrast(kind: object, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        arm_contrasts(kind, ARMS)  # type: ignore[arg-type]


def test_a_contrast_given_twice_is_refused_and_not_dropped() -> None:
    frame = pd.DataFrame([[-1, 1, 0], [-1, 0, 1]], index=["low", "low"], columns=["P", "A", "B"])
    with pytest.raises(SpecError, match="names a contrast or an arm twice"):
        arm_contrasts(frame, ["P", "A", "B"])
    with pytest.raises(SpecError, match="gives one contrast twice"):
        arm_contrasts([[-1, 1 / 3, 2 / 3], [-1, 0.3333333, 0.6666667]], ["P", "A", "B"])


@pytest.mark.parametrize("kind", [[[1, -1], [1, 0, -1]], ["a", "b"], [], np.zeros((1, 1, 3))])
def test_arrays_that_are_not_rows_of_weights_are_refused(kind: ContrastKind) -> None:
    with pytest.raises(SpecError, match=r"kind=.* is not offered"):
        arm_contrasts(kind, ["P", "A", "B"])


@pytest.mark.parametrize("row", [1, "abc"])
def test_weights_that_are_not_numbers_are_refused(row: Any) -> None:
    with pytest.raises(SpecError, match=r"Contrast 'trend' is .*give a number for each arm"):
        arm_contrasts({"trend": row}, ["P", "A", "B"])
