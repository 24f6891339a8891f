"""The table of compare_panel by analyte, and panels with a share of each analyte censored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import trialkit as tk

NUMBERS = ["estimate", "se", "df", "statistic", "p_value", "ci_low", "ci_high"]


def frame_of(data: pd.DataFrame, **options: Any) -> pd.DataFrame:
    return tk.compare_panel(data, **options).frame().set_index("analyte")


def censor(data: pd.DataFrame, share: float) -> pd.DataFrame:
    limit = data.groupby("PARAMCD")["AVAL"].transform(lambda v: v.quantile(share))
    return data.assign(AVAL=np.maximum(data["AVAL"], limit), LLOQ=limit)
