"""One synthetic trial with dropout for the tests of imputation, and its imputation by reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import trialkit as tk
from trialkit.analyses.reference_based import ReferenceBased

VISITS = (4, 8, 12)
ROLES: dict[str, Any] = {
    "subject": "USUBJID",
    "visit": "AVISITN",
    "arm": "TRT01P",
    "reference": "Placebo",
}
FORMULA = "CHG ~ BASE*C(AVISITN) + TRT01P*C(AVISITN)"
ANALYSIS = "CHG ~ TRT01P + BASE"


def trial(n: int = 40, seed: int = 5, arms: tuple[str, ...] = ("Placebo", "Drug")) -> pd.DataFrame:
    """Random walks with a drug effect, monotone dropout, one gap, one subject never seen."""
    rng = np.random.default_rng(seed)
    arm = np.resize(np.array(arms), n)
    base = rng.normal(6, 1, n)
    effect = np.array([arms.index(a) for a in arm])[:, None] * np.array([0.4, 0.8, 1.2])
    y = rng.normal(size=(n, 3)).cumsum(axis=1) - effect + 0.3 * (base - 6)[:, None]
    last = rng.choice([1, 2, 3], size=n, p=[0.1, 0.15, 0.75])
    y[np.arange(3) >= last[:, None]] = np.nan
    y[2, :] = np.nan
    y[7, 1], y[7, 2] = np.nan, 0.4
    return pd.DataFrame(
        {
            "USUBJID": np.repeat([f"S{i:03d}" for i in range(n)], 3),
            "TRT01P": np.repeat(arm, 3),
            "SEX": np.repeat(np.resize(np.array(["F", "M", "F"]), n), 3),
            "BASE": np.repeat(base, 3),
            "AVISITN": np.tile(VISITS, n),
            "CHG": y.ravel(),
        }
    )


def run(data: pd.DataFrame, **other: Any) -> ReferenceBased:
    """`tk.reference_based` of such a trial."""
    return tk.reference_based(FORMULA, data, **{**ROLES, "analysis": ANALYSIS, **other})
