"""A result's frame as a table for reading: columns chosen, named and rounded."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, isnan
from typing import TYPE_CHECKING

from trialkit.plan.analysis import ResultTable
from trialkit.report.rounding import common_decimals, format_p, round_half_away
from trialkit.results.display import DF_COLUMNS, is_whole

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TextTable", "further", "readable"]

_HEADINGS = {
    "contrast": "Contrast",
    "arm": "Arm",
    "visit": "Visit",
    "term": "Term",
    "estimate": "Estimate",
    "ci": "CI",
    "se": "SE",
    "df": "df",
    "num_df": "Num df",
    "den_df": "Den df",
    "statistic": "Statistic",
    "p_value": "p",
    "p_adjusted": "Adjusted p",
    "n": "n",
    "status": "Status",
}
# The numbers of every method, in the order they are read; the rest are a method's own extras.
_MAIN = tuple(_HEADINGS)[4:]
_CI = ("ci_low", "ci_high")
# Said once under the table.
_ASIDE = ("method", "scale", "ci_level", *_CI)
# Together on the estimate's scale: they share their decimals.
_SAME_SCALE = ("estimate", "se", *_CI)


@dataclass(frozen=True, slots=True)
class TextTable:
    """Text cells (rows x columns) under `headings`; `n_keys` columns name the row."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    is_number: tuple[bool, ...]
    n_keys: int


def readable(table: ResultTable) -> TextTable:
    """Keys and the numbers every method has; columns without any value are left out.

    A table that tests nothing (summary statistics) is shown whole.
    """
    frame = table.frame()
    if "statistic" not in frame:
        keys = list(table.keys)
        return _text(frame, keys, [str(name) for name in frame if name not in (*keys, "method")])
    names = [name for name in _MAIN if name == "ci" or (name in frame and not _idle(frame, name))]
    if "ci_low" not in frame or all(_idle(frame, name) for name in _CI):
        names.remove("ci")
    return _text(frame, list(table.keys), names)


def further(table: ResultTable) -> TextTable | None:
    """Keys and the extras that a method adds of its own; None where there are none."""
    frame = table.frame()
    if "statistic" not in frame:
        return None
    keys = list(table.keys)
    seen = {*keys, *_MAIN, *_ASIDE}
    names = [str(name) for name in frame.columns if name not in seen and not _idle(frame, name)]
    return _text(frame, keys, names) if names else None


def _text(frame: pd.DataFrame, keys: list[str], names: list[str]) -> TextTable:
    together = [value for name in _SAME_SCALE if name in frame for value in _floats(frame[name])]
    decimals = common_decimals(together)
    columns = [*keys, *names]
    cells = [
        _intervals(frame, decimals)
        if name == "ci"
        else _labels(frame[name])
        if name in keys
        else _column(frame[name], name, decimals)
        for name in columns
    ]
    return TextTable(
        headings=tuple(_heading(name, frame) for name in columns),
        rows=tuple(zip(*cells, strict=True)),
        is_number=tuple(name == "ci" or frame[name].dtype.kind in "fiu" for name in columns),
        n_keys=len(keys),
    )


def _idle(frame: pd.DataFrame, name: str) -> bool:
    """A column that tells nothing: no value at all, or a status that is always "ok"."""
    if name == "status":
        return bool((frame["status"] == "ok").all())
    return bool(frame[name].isna().all())


def _heading(name: str, frame: pd.DataFrame) -> str:
    if name == "ci" and frame["ci_level"].nunique() == 1:
        return f"{100 * float(frame['ci_level'].iloc[0]):g}% CI"
    return _HEADINGS.get(name, name.replace("_", " "))


def _intervals(frame: pd.DataFrame, decimals: int) -> list[str]:
    ends = zip(_floats(frame["ci_low"]), _floats(frame["ci_high"]), strict=True)
    return [
        ""
        if isnan(low) and isnan(high)
        else f"{round_half_away(low, decimals)} to {round_half_away(high, decimals)}"
        for low, high in ends
    ]


def _column(values: pd.Series, name: str, decimals: int) -> list[str]:
    if values.dtype.kind != "f":
        return ["" if _is_blank(value) else str(value) for value in values.tolist()]
    numbers = _floats(values)
    if name.startswith("p_"):
        return [format_p(value) for value in numbers]
    if name in DF_COLUMNS:
        whole = all(is_whole(name, value) for value in numbers if isfinite(value))
        return [round_half_away(value, 0 if whole else 1) for value in numbers]
    if name not in _SAME_SCALE:
        decimals = common_decimals(numbers)
    return [round_half_away(value, decimals) for value in numbers]


def _labels(values: pd.Series) -> list[str]:
    """A key's cells: day 28 is "28", not "28.00"."""
    if values.dtype.kind == "f" and all(value.is_integer() for value in _floats(values.dropna())):
        return ["" if isnan(value) else f"{value + 0.0:.0f}" for value in _floats(values)]
    return _column(values, "", 0)


def _floats(values: pd.Series) -> list[float]:
    return [float(value) for value in values.tolist()]


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, float) and isnan(value))
