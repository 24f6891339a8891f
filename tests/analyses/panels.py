"""Synthetic panels for the tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

PAIRED: dict[str, Any] = {
    "analyte": "PARAMCD",
    "value": "AVAL",
    "subject": "USUBJID",
    "design": "paired",
    "condition": "AVISIT",
    "reference": "Baseline",
}
PARALLEL: dict[str, Any] = {
    **PAIRED,
    "design": "parallel",
    "condition": "TRT01P",
    "reference": "Placebo",
}


def paired_panel(
    n: int = 8, m: int = 5, *, seed: int = 1, effect: float = -0.5, draws: int = 1
) -> pd.DataFrame:
    """`m` analytes of `n` subjects at two visits, in pg/mL."""
    rng = np.random.default_rng(seed)
    level = rng.normal(5, 1, m)
    subject = rng.normal(0, 1, (m, n))
    rows = []
    for visit, shift in (("Baseline", 0.0), ("Week 8", effect)):
        for draw in range(draws):
            y = level[:, None] + subject + shift + rng.normal(0, 0.5, (m, n))
            rows += [
                (f"S{i:02d}", visit, draw, f"A{j}", 2.0 ** y[j, i], 30 + i)
                for i in range(n)
                for j in range(m)
            ]
    return pd.DataFrame(rows, columns=["USUBJID", "AVISIT", "DRAW", "PARAMCD", "AVAL", "AGE"])


def parallel_panel(n: int = 20, m: int = 5, *, seed: int = 2, effect: float = -0.8) -> pd.DataFrame:
    """`m` analytes of two arms of n / 2 subjects, with a baseline and a stratum."""
    rng = np.random.default_rng(seed)
    rows = []
    for j in range(m):
        base = rng.normal(5, 1, n)
        y = 2.5 + 0.5 * base + rng.normal(0, 0.7, n)
        for i in range(n):
            arm = "Placebo" if i % 2 else "LDN"
            value = y[i] + (arm == "LDN") * effect
            rows.append((f"S{i:02d}", arm, f"A{j}", 2.0**value, 2.0 ** base[i], 30 + i, i % 3))
    names = ["USUBJID", "TRT01P", "PARAMCD", "AVAL", "BASE", "AGE", "SITE"]
    return pd.DataFrame(rows, columns=names)


def crossover_panel(n: int = 12, m: int = 4, *, seed: int = 3) -> pd.DataFrame:
    """`m` analytes of an AB/BA crossover with a period effect."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        sequence = "AB" if i < n // 2 else "BA"
        for j in range(m):
            own = rng.normal(5, 1)
            for period, letter in enumerate(sequence, start=1):
                y = own + 0.4 * (period == 2) - 0.6 * (letter == "B") + rng.normal(0, 0.4)
                treatment = "LDN" if letter == "B" else "Placebo"
                rows.append((f"S{i:02d}", sequence, period, treatment, f"A{j}", 2.0**y))
    names = ["USUBJID", "SEQ", "PERIOD", "TRTA", "PARAMCD", "AVAL"]
    return pd.DataFrame(rows, columns=names)


CROSSOVER: dict[str, Any] = {
    **PAIRED,
    "design": "crossover",
    "condition": "TRTA",
    "reference": "Placebo",
    "period": "PERIOD",
    "sequence": "SEQ",
}


def three_period_panel(sequences: tuple[str, ...], m: int = 3, *, seed: int = 5) -> pd.DataFrame:
    """`m` analytes of a crossover of treatments A, B, C, one subject an entry of `sequences`."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, sequence in enumerate(sequences):
        for j in range(m):
            own = rng.normal(5, 1)
            for period, letter in enumerate(sequence, start=1):
                y = own + 0.3 * period + {"A": 0, "B": -0.5, "C": 2}[letter] + rng.normal(0, 0.4)
                rows.append((f"S{i:02d}", sequence, period, letter, f"A{j}", 2.0**y))
    names = ["USUBJID", "SEQ", "PERIOD", "TRTA", "PARAMCD", "AVAL"]
    return pd.DataFrame(rows, columns=names)
