"""A made-up crossover with an outcome for every family of crossover_gee, and its call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from analyses.crossover_cases import ROLES

import trialkit as tk
from trialkit.analyses.crossover_gee_fit import CrossoverGeeFit

ROUGH = {"vcov": "robust", "df": "normal"}


def trial(
    n: int = 24, sequences: tuple[str, ...] = ("AB", "BA"), seed: int = 3, lost: float = 0.0
) -> pd.DataFrame:
    """Correlated counts, events, categories and scores under A (Placebo), B, C."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        order, level = sequences[i % len(sequences)], rng.normal()
        for k, t in enumerate(order, start=1):
            eta = 0.5 * level - 0.5 * (t == "B") - 0.2 * (t == "C") + 0.2 * (k == 2)
            score = eta + rng.logistic()
            rows.append(
                {"USUBJID": f"S{i:03d}", "SEQ": order, "PERIOD": k}
                | {"TRTA": {"A": "Placebo", "B": "LDN", "C": "mid"}[t]}
                | {"COUNT": rng.poisson(np.exp(1.2 + eta)), "EVENT": int(score > 0)}
                | {"GRADE": int(np.digitize(score, [-1, 0.5])), "AVAL": 50 + 8 * score}
                | {"DAYS": float(rng.integers(10, 30))}
            )
    frame = pd.DataFrame(rows)
    return frame[rng.uniform(size=len(frame)) >= lost].reset_index(drop=True)


def gee(data: pd.DataFrame, family: str, **choices: Any) -> CrossoverGeeFit:
    column = {"poisson": "COUNT", "binomial": "EVENT", "ordinal": "GRADE", "gaussian": "AVAL"}
    return tk.crossover_gee(
        data, **{**ROLES, "outcome": column[family], "family": family, **choices}
    )
