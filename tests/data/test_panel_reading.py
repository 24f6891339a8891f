"""Panels as assay software writes them: marks, wide frames, Luminex tables, NPX files."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import trialkit as tk
from trialkit.data.panel_marks import read_mark

LUMINEX = """Program,Bio-Plex Manager
Plate ID,P1

,,,Hu IL-6 (19),Hu TNF-a (36)
Type,Well,Description,Obs Conc,Obs Conc
,,,pg/mL,pg/mL
S1,A1,,1000.5,2000
C1,A2,QC low,10.2,11
X1,A3,LDN-001,OOR <,*1.23
X1,A4,LDN-001,<0.51,3.5
X2,A5,LDN-002,>2000,***
X3,A6,LDN-003,4.25,OOR >

Plate ID,P2
,,,Hu IL-6 (19),Hu TNF-a (36)
Type,Well,Description,Obs Conc,Obs Conc
,,,pg/mL,pg/mL
C1,A1,QC low,11.4,9
X4,A2,LDN-004,OOR <,7
"""
LIMITS = pd.DataFrame(
    {
        "PARAMCD": ["Hu IL-6", "Hu TNF-a", "Hu IL-6", "Hu TNF-a"],
        "PLATE": ["P1", "P1", "P2", "P2"],
        "LLOQ": [0.4, 0.9, 0.6, 0.9],
        "ULOQ": [2000, 1500, 2000, 1500],
    }
)


@pytest.mark.parametrize(
    ("text", "value", "side", "flag"),
    [
        ("12.3", 12.3, 0, ""),
        (7, 7.0, 0, ""),
        ("*1.23", 1.23, 0, "extrapolated"),
        ("<0.51", 0.51, -1, "below"),
        ("<= 0.51", 0.51, -1, "below"),
        ("> 2e3", 2000.0, 1, "above"),
        ("OOR <", math.nan, -1, "below"),
        ("oor>", math.nan, 1, "above"),
        ("***", math.nan, 0, "missing"),
        ("", math.nan, 0, "missing"),
        (None, math.nan, 0, "missing"),
        (float("nan"), math.nan, 0, "missing"),
    ],
)
def test_marks(text: object, value: float, side: int, flag: str) -> None:
    mark = read_mark(text)
    assert mark is not None
    assert (mark.side, mark.flag) == (side, flag)
    assert mark.value == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize("text", ["1,5", "low", "<", "1.2*", True, "0.5 pg/mL", math.inf])
def test_what_is_no_mark(text: object) -> None:
    assert read_mark(text) is None


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "run7.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_luminex_table(tmp_path: Path) -> None:
    frame = tk.read_luminex(write(tmp_path, LUMINEX), limits=LIMITS)
    assert len(frame) == 8 * 2
    assert frame["PARAMCD"].unique().tolist() == ["Hu IL-6", "Hu TNF-a"]
    assert frame["AVALU"].unique().tolist() == ["pg/mL"]
    assert frame.groupby("PLATE").size().to_dict() == {"P1": 12, "P2": 4}
    at = frame.set_index(["WELL", "PLATE", "PARAMCD"])

    def cell(well: str, plate: str, analyte: str) -> list[object]:
        return at.loc[(well, plate, analyte), ["AVAL", "LLOQ", "ULOQ", "FLAG"]].tolist()

    assert cell("A3", "P1", "Hu IL-6") == [0.4, 0.4, 2000, "below"]
    assert cell("A2", "P2", "Hu IL-6") == [0.6, 0.6, 2000, "below"]  # its own plate's limit
    assert cell("A4", "P1", "Hu IL-6") == [0.51, 0.51, 2000, "below"]
    assert cell("A5", "P1", "Hu IL-6") == [2000, 0.4, 2000, "above"]
    assert cell("A6", "P1", "Hu TNF-a") == [1500, 0.9, 1500, "above"]
    assert cell("A3", "P1", "Hu TNF-a") == [1.23, 0.9, 1500, "extrapolated"]
    assert math.isnan(at.loc[("A5", "P1", "Hu TNF-a"), "AVAL"])
    assert at.loc[("A1", "P1", "Hu IL-6"), "TYPE"] == "S1"


def test_names_in_the_header_row_and_plates_without_a_name(tmp_path: Path) -> None:
    text = "Well,Sample,IL6,TNF\nA1,S1,1.5,<2\nA2,S2,2.5,3\n"
    frame = tk.read_luminex(write(tmp_path, text))
    assert frame["PLATE"].unique().tolist() == ["run7 1"]
    assert frame["SAMPLE"].tolist() == ["S1", "S1", "S2", "S2"]
    assert frame["PARAMCD"].tolist() == ["IL6", "TNF"] * 2
    np.testing.assert_array_equal(frame["LLOQ"], [np.nan, 2, np.nan, np.nan])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "no header row with a column 'Well'"),
        ("Well,Sample,IL6,IL6\nA1,S1,1,2\n", "'IL6' is named twice in line 1"),
        ("Well,Sample\nA1,S1\n", "line 1 names no analyte"),
        ("Well,Sample,IL6\nA1,S1,OOR <\n", "marked 'OOR <', and no limit is given for IL6"),
        ("Well,Sample,IL6\nA1,S1,high\n", "neither a number nor a known mark, first 'high'"),
        ("Well,Sample,Obs Conc\nA1,S1,2\n", "column 3 is headed 'Obs Conc' and has no analyte"),
        ("Well,Sample,IL6\n", "no line of a well below the header"),
        ("Well,Sample,IL6\nA1,S1,1,2\n", "line 2 has 4 cells, its header 3"),
        ("Well,Sample,IL6\nA1,S1,1\nA1,S1,2\n", "well 'A1' of plate 'run7 1' stands twice"),
        ("Well,Sample,IL6\nA1,S1,1\n,mean,2\nA2,S2,3\n", "line 4 holds well 'A2' after the end"),
        ("\n\n", "run7.csv is empty"),
    ],
)
def test_luminex_refusals(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(tk.DataError, match=message):
        tk.read_luminex(write(tmp_path, text))


def test_blank_lines_do_not_end_a_table(tmp_path: Path) -> None:
    text = "Well,Sample,IL6\nA1,S1,1\n\n,,\nA2,S2,2\n,footnote,\n"
    text += "Plate ID,B7\nWell,Sample,IL6\nA1,S3,3\n"
    frame = tk.read_luminex(write(tmp_path, text))
    assert frame["SAMPLE"].tolist() == ["S1", "S2", "S3"]
    assert frame["PLATE"].tolist() == ["run7 1", "run7 1", "B7"]


def test_two_tables_of_one_plate_name_are_refused(tmp_path: Path) -> None:
    table = "Plate ID,P1\nWell,Sample,IL6\nA1,S1,1\n"
    with pytest.raises(tk.DataError, match="well 'A1' of plate 'P1' stands twice"):
        tk.read_luminex(write(tmp_path, table + table))


def test_exports_in_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "run7.csv"
    path.write_bytes("Well,Sample,IL-1β\nA1,S1,1\n".encode("utf-16"))
    with pytest.raises(tk.DataError, match="is in UTF-16: save it as UTF-8, or pass encoding="):
        tk.read_luminex(path)
    assert tk.read_luminex(path, encoding="utf-16")["PARAMCD"].tolist() == ["IL-1β"]
    path.write_bytes(b"Well,Sample,IL-1\xdf\nA1,S1,1\n")
    with pytest.raises(tk.DataError, match="0xdf, is not utf-8"):
        tk.read_luminex(path)
    for reader in (tk.read_luminex, tk.read_npx):
        with pytest.raises(tk.DataError, match="there is no such file"):
            reader(tmp_path / "none.csv")


def test_limits_the_wrong_way_round_and_no_analyte_are_refused() -> None:
    wide = pd.DataFrame({"USUBJID": ["S1"], "IL6": [1.0]})
    limits = pd.DataFrame({"PARAMCD": ["IL6"], "LLOQ": [5.0], "ULOQ": [2.0]})
    with pytest.raises(tk.DataError, match="LLOQ is not below ULOQ for 'IL6'"):
        tk.panel_long(wide, id_columns="USUBJID", limits=limits)
    with pytest.raises(tk.DataError, match="No column of an analyte is left"):
        tk.panel_long(wide, id_columns=["USUBJID"], analytes=[])


def test_a_wide_frame_goes_into_a_comparison() -> None:
    rng = np.random.default_rng(1)
    y = 2 ** rng.normal(4, 1, (16, 2))
    wide = pd.DataFrame(
        {
            "USUBJID": [f"S{i // 2}" for i in range(16)],
            "AVISIT": ["Baseline", "Week 8"] * 8,
            "IL6": [f"{v:.4f}" if v > 10 else "<10" for v in y[:, 0]],
            "TNF": y[:, 1],
        }
    )
    long = tk.panel_long(wide, id_columns=["USUBJID", "AVISIT"])
    assert len(long) == 32
    panel = tk.compare_panel(
        long,
        analyte="PARAMCD",
        value="AVAL",
        subject="USUBJID",
        design="paired",
        condition="AVISIT",
        reference="Baseline",
        lloq="LLOQ",
        uloq="ULOQ",
    )
    assert panel.frame()["n_censored"].tolist() == [int((y[:, 0] <= 10).sum()), 0]
    with pytest.raises(tk.SpecError, match="may not be called AVAL"):
        tk.panel_long(wide.rename(columns={"AVISIT": "AVAL"}), id_columns=["AVAL"])
    with pytest.raises(tk.DataError, match="more than one row for some PARAMCD"):
        tk.panel_long(
            wide,
            id_columns=["USUBJID", "AVISIT"],
            limits=pd.DataFrame({"PARAMCD": ["IL6", "IL6"], "LLOQ": [1, 2]}),
        )


NPX = pd.DataFrame(
    {
        "SampleID": ["A", "A", "B", "B", "A"],
        "UniProt": ["P1", "P2", "P1", "P2", "P9"],
        "Assay": ["IL6", "TNF", "IL6", "TNF", "TNF"],
        "Panel": ["Inf"] * 5,
        "PlateID": ["pl1"] * 5,
        "QC_Warning": ["Pass", "Warning", "PASS", "Pass", "Pass"],
        "LOD": [1.0, 2.0, 1.0, 2.0, 0.0],
        "NPX": [3.5, 1.5, np.nan, 2.5, 4.0],
    }
)


@pytest.mark.parametrize("kind", ["semicolon", "comma", "parquet"])
def test_npx(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("npx.parquet" if kind == "parquet" else "npx.csv")
    if kind == "parquet":
        NPX.to_parquet(path)
    else:
        NPX.to_csv(path, index=False, sep=";" if kind == "semicolon" else ",")
    frame = tk.read_npx(path)
    assert frame["PARAMCD"].tolist() == ["IL6", "TNF (P2)", "IL6", "TNF (P2)", "TNF (P9)"]
    assert frame["FLAG"].tolist() == ["", "below; qc: warning", "missing", "", ""]
    np.testing.assert_array_equal(frame["AVAL"], [3.5, 2.0, np.nan, 2.5, 4.0])
    assert frame["PLATE"].tolist() == ["pl1"] * 5


def test_npx_refusals(tmp_path: Path) -> None:
    path = tmp_path / "npx.csv"
    NPX.drop(columns="NPX").to_csv(path, index=False)
    with pytest.raises(tk.DataError, match="No column 'NPX'"):
        tk.read_npx(path)
    pd.concat([NPX, NPX.iloc[:1]]).to_csv(path, index=False)
    with pytest.raises(tk.DataError, match=r"1 measurement.s. stand twice, first 'IL6' of sample"):
        tk.read_npx(path)


def test_npx_keeps_names_and_refuses_what_is_no_number(tmp_path: Path) -> None:
    path = tmp_path / "npx.csv"
    head = "SampleID;Assay;PlateID;LOD;NPX\n"
    path.write_text(head + "007;IL6;P1;NA;1.5\nNA;IL6;P1;0.5;\n", encoding="utf-8")
    frame = tk.read_npx(path)
    assert frame["SAMPLE"].tolist() == ["007", "NA"]
    assert frame["FLAG"].tolist() == ["", "missing"]
    for text, message in (
        (head + "A;IL6;P1;0.5;1,5\n", "Column 'NPX' is not numeric: it holds '1,5'"),
        (head + " ;IL6;P1;0.5;1\n", r"column 'SampleID' is blank in 1 row"),
        (head, "there is no measurement"),
        (head + "A;IL6;P1;0.5;1;9;9\n" * 2, "lines have more cells than the header"),
        (head + "A;IL6;P1;0.5;1\nB;IL6;P1;0.5;1;9;9\n", "Expected 5 fields in line 3, saw 7"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(tk.DataError, match=message):
            tk.read_npx(path)
    damaged = tmp_path / "npx.parquet"
    damaged.write_bytes(b"no parquet at all")
    with pytest.raises(tk.DataError, match="it is cut off"):
        tk.read_npx(damaged)


def wells(*rows: tuple[str, float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["S", "AVAL", "LLOQ", "ULOQ"])


def test_replicates_are_averaged_as_said() -> None:
    data = wells(("a", 1, 0.5, 9), ("a", 4, 0.5, 9), ("b", 0.2, 0.5, 9), ("b", 2, 0.5, 9))
    data = pd.concat([data, wells(("c", 20, 0.5, 9), ("c", np.nan, 0.5, 9))])
    out = tk.average_replicates(data, by=["S"], how="geometric")
    np.testing.assert_allclose(out["AVAL"], [2.0, 1.0, 9.0])
    np.testing.assert_array_equal(out["LLOQ"], [np.nan, out["AVAL"][1], np.nan])
    np.testing.assert_array_equal(out["ULOQ"], [np.nan, np.nan, out["AVAL"][2]])
    assert out["N_REPLICATES"].tolist() == [2, 2, 1]
    plain = tk.average_replicates(data, by=["S"], how="arithmetic")
    np.testing.assert_allclose(plain["AVAL"], [2.5, 1.25, 9.0])


def test_a_mean_with_a_censored_well_is_a_bound_on_the_true_mean() -> None:
    rng = np.random.default_rng(2)
    truth = 2 ** rng.normal(0, 1, (200, 2))
    seen = pd.DataFrame({"S": np.repeat(range(200), 2), "AVAL": truth.ravel(), "LLOQ": 0.8})
    out = tk.average_replicates(seen, by=["S"], uloq=None, how="geometric")
    true_mean = np.exp(np.log(truth).mean(axis=1))
    censored = out["LLOQ"].notna().to_numpy()
    assert (true_mean[censored] <= out["AVAL"][censored] + 1e-12).all()
    np.testing.assert_allclose(out["AVAL"][~censored], true_mean[~censored])


def test_replicates_that_cannot_be_averaged() -> None:
    with pytest.raises(tk.DataError, match="S='a': wells lie below and above the range"):
        tk.average_replicates(wells(("a", 0, 1, 9), ("a", 10, 1, 9)), by=["S"], how="arithmetic")
    with pytest.raises(tk.DataError, match="they have no geometric mean"):
        tk.average_replicates(wells(("a", 0, np.nan, 9)), by=["S"], how="geometric")
    with pytest.raises(tk.SpecError, match="how='median' is not offered"):
        tk.average_replicates(wells(("a", 1, 0, 9)), by=["S"], how="median")  # type: ignore[arg-type]


def test_coefficients_of_variation() -> None:
    data = pd.DataFrame(
        {
            "PARAMCD": "IL6",
            "SAMPLE": ["c", "c", "c", "c", "x"],
            "PLATE": ["1", "1", "2", "2", "1"],
            "AVAL": [9.0, 11.0, 18.0, 22.0, 0.1],
            "LLOQ": 0.5,
            "ULOQ": 1e3,
        }
    )
    row = tk.assay_cv(data).iloc[0]
    assert row["intra_cv"] == pytest.approx(100 * np.sqrt(2) / 10)
    assert row["inter_cv"] == pytest.approx(100 * np.std([10, 20], ddof=1) / 15)
    assert (row["n_groups"], row["n_samples"], row["n_beyond"]) == (2, 1, 1)
    lone = tk.assay_cv(data[data["SAMPLE"] == "x"]).iloc[0]
    assert math.isnan(lone["intra_cv"])
