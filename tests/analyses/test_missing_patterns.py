"""Patterns of missing visits, counted and drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from reference.loader import assert_close

import trialkit as tk

CALL = {"outcome": "AVAL", "subject": "ID", "visit": "WEEK", "arm": "ARM", "reference": "P"}


def long() -> pd.DataFrame:
    """Four visits; P: XXXX XXXX XX.. X.XX, D: XXXX X... .... XXX. ."""
    shapes = ["XXXX", "XXXX", "XX..", "X.XX", "XXXX", "X...", "....", "XXX."]
    rows = []
    for who, shape in enumerate(shapes):
        for place, one in enumerate(shape):
            value = 5.0 + who - place if one == "X" else np.nan
            rows.append((who, "P" if who < 4 else "D", 4 * (place + 1), value))
    return pd.DataFrame(rows, columns=["ID", "ARM", "WEEK", "AVAL"])


def test_every_pattern_is_counted_by_arm() -> None:
    frame = tk.missing_patterns(long(), **CALL).frame()
    counts = {(p, a): n for p, a, n in frame[["pattern", "arm", "n"]].itertuples(index=False)}
    assert counts[("XXXX", "P")] == 2
    assert counts[("X.XX", "P")] == 1
    assert counts[("....", "D")] == 1
    assert frame.groupby("arm", observed=True)["n"].sum().to_dict() == {"P": 4, "D": 4}
    assert frame["pattern"].iloc[0] == "XXXX"
    gaps = frame[~frame["monotone"]]["pattern"].unique().tolist()
    assert gaps == ["X.XX"]
    assert_close(frame.groupby("arm", observed=True)["percent"].sum(), [100, 100], 1e-12)


def test_absent_rows_are_missing_values() -> None:
    kept = long().dropna()
    whole = tk.missing_patterns(long()[long()["ID"] != 6], **CALL).frame()
    assert tk.missing_patterns(kept, **CALL).frame().equals(whole)


def test_by_visit_adds_up() -> None:
    frame = tk.missing_patterns(long(), **CALL).by_visit()
    assert (frame["n_observed"] + frame["n_missing"] == frame["N"]).all()
    row = frame[(frame["visit"] == 12) & (frame["arm"] == "P")].iloc[0]
    assert (row["n_missing"], row["n_dropped"]) == (1, 1)
    row = frame[(frame["visit"] == 8) & (frame["arm"] == "P")].iloc[0]
    assert (row["n_missing"], row["n_dropped"]) == (1, 0)


def test_trajectories_are_means_of_those_who_left_then() -> None:
    table = tk.missing_patterns(long(), **CALL).trajectories()
    row = table.where(last_visit=16, arm="P", visit=4).single()
    assert_close(row.estimate, np.mean([5.0, 6.0, 8.0]), 1e-12)
    assert row.n == 3
    assert_close(row.se, np.std([5.0, 6.0, 8.0], ddof=1) / np.sqrt(3), 1e-12)
    alone = table.where(last_visit=4, arm="D", visit=4).single()
    assert np.isnan(alone.se)
    assert "no interval" in alone.status


def test_notes_say_whether_it_is_monotone() -> None:
    found = tk.missing_patterns(long(), **CALL)
    assert found.notes[1] == "Missingness is not monotone in 1 subject(s)."
    regular = tk.missing_patterns(long()[long()["ID"] != 3], **CALL)
    assert regular.notes[1] == "Missingness is monotone."


def test_figures_hold_the_numbers() -> None:
    found = tk.missing_patterns(long(), **CALL)
    axes = found.plot()
    assert len(axes.patches) == found.frame()["pattern"].nunique() * 4
    assert "D" in [text.get_text() for text in axes.texts]
    axes.get_figure().canvas.draw()
    lines = found.plot_trajectories()
    assert [t.get_text() for t in lines.get_legend().get_texts()] == ["P", "D"]
    lines.get_figure().canvas.draw()


def test_what_is_refused() -> None:
    data = long()
    with pytest.raises(tk.DataError, match="Subject 0 has 2 rows at visit 4"):
        tk.missing_patterns(pd.concat([data, data.iloc[:1]]), **CALL)
    with pytest.raises(tk.DataError, match="stands in two arms"):
        tk.missing_patterns(data.assign(ARM=["D", *data["ARM"][1:]]), **CALL)
    with pytest.raises(tk.DataError, match="at least 2 are needed"):
        tk.missing_patterns(data[data["WEEK"] == 4], **CALL)
    named = data.assign(WEEK="Week " + data["WEEK"].astype(str))
    with pytest.raises(tk.DataError, match="order of the visits"):
        tk.missing_patterns(named, **CALL)
