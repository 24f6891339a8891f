"""Results as rows of single statistics, in the manner of CDISC ARS and R's cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["analysis_results"]

STAT_LABELS = {
    "estimate": "Estimate",
    "se": "Standard error",
    "df": "Degrees of freedom",
    "num_df": "Numerator degrees of freedom",
    "den_df": "Denominator degrees of freedom",
    "statistic": "Test statistic",
    "p_value": "p-value",
    "p_adjusted": "Adjusted p-value",
    "ci_low": "Lower confidence limit",
    "ci_high": "Upper confidence limit",
    "ci_level": "Confidence level",
    "n": "Number analysed",
    "scale": "Scale",
}
# Said once a row of the result, in columns of their own rather than as statistics.
NOT_STATISTICS = ("method", "status")


def analysis_results(
    frame: pd.DataFrame, *, keys: Sequence[str], variable: str, notes: Sequence[str]
) -> pd.DataFrame:
    """Unfold a tidy frame: one row a statistic, the keys as `group1, group1_level, ...`."""
    import pandas as pd

    stat_names = [name for name in frame.columns if name not in (*keys, *NOT_STATISTICS)]
    warning = " ".join(notes) or None
    rows: list[dict[str, object]] = []
    for record in frame.to_dict("records"):
        groups: dict[str, object] = {}
        for position, key in enumerate(keys, start=1):
            groups[f"group{position}"] = key
            groups[f"group{position}_level"] = record[key]
        status = record.get("status", "ok")
        rows.extend(
            {
                **groups,
                "variable": variable,
                "stat_name": name,
                "stat_label": STAT_LABELS.get(str(name), str(name)),
                "stat": record[name],
                "method": record["method"],
                "warning": warning,
                "error": None if status == "ok" else status,
            }
            for name in stat_names
        )
    group_columns = [c for i in range(1, len(keys) + 1) for c in (f"group{i}", f"group{i}_level")]
    columns = [*group_columns, "variable", "stat_name", "stat_label", "stat", "method"]
    return pd.DataFrame(rows, columns=[*columns, "warning", "error"], dtype=object)
