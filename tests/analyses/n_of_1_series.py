"""A made-up N-of-1 series with an effect of each subject, and its call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import trialkit as tk
from trialkit.analyses.n_of_1_fit import NOf1Fit

ROLES: dict[str, Any] = {
    "outcome": "PAIN",
    "subject": "ID",
    "treatment": "TRT",
    "reference": "Placebo",
}


def series(
    k: int = 7, cycles: int = 4, seed: int = 2, spread: float = 1.0, even: bool = False
) -> pd.DataFrame:
    """Cycles of a placebo and a drug period in random order; subjects lose periods at random."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(k):
        level, effect = 6 + rng.normal(), -1 + spread * rng.normal()
        for c in range(cycles if even else cycles - i % 2):
            pair = ["Placebo", "LDN"] if rng.uniform() < 0.5 else ["LDN", "Placebo"]
            for p, t in enumerate(pair):
                pain = level + 0.5 * c + effect * (t == "LDN") + 0.7 * rng.normal()
                rows.append((f"P{i}", c + 1, 2 * c + p + 1, t, pain))
    frame = pd.DataFrame(rows, columns=["ID", "CYCLE", "WEEK", "TRT", "PAIN"])
    if not even:
        frame = frame.drop(index=[3, 17])
    return frame.reset_index(drop=True)


def fit(data: pd.DataFrame, **choices: Any) -> NOf1Fit:
    return tk.n_of_1(data, **{**ROLES, **choices})


def dummies(values: Any) -> np.ndarray:
    return np.equal.outer(np.asarray(values), pd.unique(np.asarray(values))).astype(float)
