"""A hypothesis or a level that is no number is refused by every method that takes one."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any

import pandas as pd
import pytest

import trialkit as tk
from trialkit.errors import SpecError

DATA = pd.DataFrame(
    {
        "ARM": ["P", "D"] * 6,
        "SITE": ["A", "A", "B"] * 4,
        "Y": [1.0, 3, 2, 5, 0, 4, 7, 2, 3, 6, 8, 9],
    }
)
COLUMNS: dict[str, Any] = {"outcome": "Y", "arm": "ARM", "reference": "P"}

METHODS: dict[str, Callable[..., Any]] = {
    "ttest": lambda **kw: tk.ttest(DATA, **COLUMNS, **kw),
    "rank_sum": lambda **kw: tk.rank_sum(DATA, **COLUMNS, **kw),
    "effect_size": lambda **kw: tk.effect_size(DATA, **COLUMNS, **kw),
    "variance_ratio": lambda **kw: tk.variance_ratio(DATA, **COLUMNS, **kw),
    "risk_ratio": lambda **kw: tk.risk_ratio(20, 49, 13, 50, **kw),
    "contrasts": lambda **kw: tk.ancova("Y ~ ARM", DATA, arm="ARM", reference="P").contrasts(**kw),
    "lsmeans": lambda **kw: tk.ancova("Y ~ ARM", DATA, arm="ARM", reference="P").lsmeans(**kw),
}
TESTS: dict[str, Callable[..., Any]] = {
    "van_elteren": lambda **kw: tk.van_elteren(DATA, strata="SITE", **COLUMNS, **kw),
}


@pytest.mark.parametrize("null", [nan, inf, "0", None, True])
@pytest.mark.parametrize("method", [*METHODS, *TESTS])
def test_a_null_that_is_no_finite_number_is_refused(method: str, null: object) -> None:
    with pytest.raises(SpecError, match=r"null=.* is not a finite number"):
        {**METHODS, **TESTS}[method](null=null)


@pytest.mark.parametrize("level", [nan, 95, "0.95", None, True])
@pytest.mark.parametrize("method", METHODS)
def test_a_level_that_is_no_share_is_refused(method: str, level: object) -> None:
    with pytest.raises(SpecError, match=r"ci_level=.* is not between 0 and 1"):
        METHODS[method](ci_level=level)


def test_values_of_a_variable_come_as_a_mapping() -> None:
    fit = tk.ancova("Y ~ ARM", DATA, arm="ARM", reference="P")
    with pytest.raises(SpecError, match="give a mapping of variable to value"):
        fit.lsmeans(at=["SITE"])
