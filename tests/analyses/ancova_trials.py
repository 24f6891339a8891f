"""A made-up trial of three arms with a baseline and two factors, and its analysis of covariance."""

from __future__ import annotations

import numpy as np
import pandas as pd

import trialkit as tk
from trialkit.analyses.ancova import AncovaFit

ARMS = ["Placebo", "LDN 3.0 mg", "LDN 4.5 mg"]
FORMULA = "CHG ~ TRT01P*SEX + BASE + REGION"


def trial(seed: int = 2, n: int = 48) -> pd.DataFrame:
    """Three arms, two uneven factors, a covariate; unbalanced by chance."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "USUBJID": [f"S{i}" for i in range(n)],
            "TRT01P": [ARMS[i % 3] for i in range(n)],
            "SEX": [["F", "F", "M"][(i // 3) % 3] for i in range(n)],
            "REGION": [["x", "y", "z", "z"][(i // 5) % 4] for i in range(n)],
            "BASE": rng.normal(7, 1, n),
        }
    )
    effect = frame["TRT01P"].map({"Placebo": 0.0, "LDN 3.0 mg": -0.6, "LDN 4.5 mg": -1.2})
    frame["CHG"] = effect - 0.4 * frame["BASE"] + rng.normal(0, 1, n)
    return frame


def fit_of(data: pd.DataFrame, formula: str = FORMULA, **options: object) -> AncovaFit:
    options = {"arm": "TRT01P", "reference": "Placebo", **options}
    return tk.ancova(formula, data, **options)  # type: ignore[arg-type]
