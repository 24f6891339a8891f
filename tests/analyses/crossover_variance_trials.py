"""Made-up crossovers with variances by treatment and several measurements, and dense matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import trialkit as tk

ROLES: dict[str, Any] = {
    "outcome": "AVAL",
    "subject": "ID",
    "sequence": "SEQ",
    "period": "PER",
    "treatment": "TRT",
    "reference": "Placebo",
}
NAMES = {"A": "Placebo", "B": "LDN", "C": "LDN high"}
WITHIN = {"A": 0.6, "B": 1.4, "C": 1.0}
WILLIAMS = ("ABC", "BCA", "CAB", "ACB", "BAC", "CBA")


def trial(
    sequences: tuple[str, ...] = ("ABB", "BAA"),
    n: int = 16,
    *,
    seed: int = 3,
    visits: int = 0,
    missing: float = 0.0,
    between: float = 1.5,
    period_sd: float = 0.7,
) -> pd.DataFrame:
    """One row a subject and period, or `visits` of them with a period effect of the subject."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        sequence = sequences[number % len(sequences)]
        level = 6 + between * rng.normal()
        for period, letter in enumerate(sequence, start=1):
            mean = level - 0.2 * period - {"A": 0.0, "B": 0.8, "C": 1.1}[letter]
            if visits:
                mean += period_sd * rng.normal()
            for visit in range(1, max(visits, 1) + 1):
                sd = 0.8 if visits else WITHIN[letter]
                row = (f"S{number:02d}", sequence, period, NAMES[letter], visit)
                if rng.random() >= missing:
                    rows.append((*row, level, mean - 0.1 * visit + sd * rng.normal()))
    return pd.DataFrame(rows, columns=["ID", "SEQ", "PER", "TRT", "VISIT", "BASE", "AVAL"])


def fit(data: pd.DataFrame, **choices: Any) -> Any:
    return tk.crossover(data, **{**ROLES, **choices})


def numbers(table: Any) -> np.ndarray:
    columns = ["estimate", "se", "df", "ci_low", "ci_high", "p_value"]
    return table.frame()[columns].to_numpy(dtype=float)


def components(found: Any, column: str = "estimate") -> pd.Series:
    return found.variance().frame().set_index("component")[column]
