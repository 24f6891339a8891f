"""A made-up trial of two or three arms at three visits, and the call of tk.mmrm on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import trialkit as tk
from trialkit.analyses.mmrm_fit import MmrmFit

VISITS = ["Week 2", "Week 4", "Week 12"]
FORMULA = "CHG ~ TRT01P*AVISIT + BASE*AVISIT"


def trial(*, n: int = 40, seed: int = 1, missing: float = 0.12, arms: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    labels = ["Placebo", "LDN 3.0 mg", "LDN 4.5 mg"]
    labels = labels[:1] + labels[-(arms - 1) :]
    arm = np.arange(n) % arms
    base = rng.normal(6, 1, n).round(2)
    scale = np.array([1.0, 1.3, 1.6])
    root = np.linalg.cholesky(
        0.6 ** np.abs(np.subtract.outer(np.arange(3), np.arange(3))) * np.outer(scale, scale)
    )
    change = rng.standard_normal((n, 3)) @ root.T - 0.4 * arm[:, None] - 0.2 * base[:, None]
    change[rng.random((n, 3)) < missing] = np.nan
    change[:6] = np.where(np.isnan(change[:6]), 0.3, change[:6])
    return pd.DataFrame(
        {
            "USUBJID": np.repeat([f"S-{i:03d}" for i in range(n)], 3),
            "TRT01P": np.repeat(np.array(labels)[arm], 3),
            "AVISIT": VISITS * n,
            "AVISITN": [2, 4, 12] * n,
            "ADY": (14 * np.array([1, 2, 6] * n) + rng.integers(-2, 3, 3 * n)).astype(float),
            "BASE": np.repeat(base, 3),
            "SEX": np.repeat(np.where(rng.random(n) < 0.5, "F", "M"), 3),
            "W": rng.integers(2, 8, 3 * n) / 7,
            "CHG": change.ravel().round(3),
        }
    )


def fit(data: pd.DataFrame, formula: str = FORMULA, **kwargs: Any) -> MmrmFit:
    roles: dict[str, Any] = {
        "subject": "USUBJID",
        "visit": "AVISIT",
        "visit_order": VISITS,
        "arm": "TRT01P",
        "reference": "Placebo",
    }
    return tk.mmrm(formula, data, **(roles | kwargs))
