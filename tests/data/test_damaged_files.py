"""Every format cut off at every byte, named wrongly, or not a data file at all."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from data.sas7bdat_writer import Column, sas7bdat_bytes

import trialkit as tk

FRAME = pd.DataFrame(
    {
        "USUBJID": ["001", "0é2", "003", "004", "005", "006", "007"],
        "AVAL": [1.5, None, -2.25, 1e10, 5.125, 6.75, 1 / 3],
        "COUNTRY": ["DK", "US", "DK", "DK", "NO", "SE", "DK"],
    }
)


def csv_bytes(folder: Path) -> bytes:
    tk.write_csv(FRAME, folder / "source.csv")
    return (folder / "source.csv").read_bytes()


def quoted_bytes(folder: Path) -> bytes:
    FRAME.assign(COUNTRY=FRAME["COUNTRY"] + ', "EU"\n').to_csv(
        folder / "source.csv", index=False, lineterminator="\r\n"
    )
    return (folder / "source.csv").read_bytes()


def parquet_bytes(folder: Path) -> bytes:
    FRAME.to_parquet(folder / "source.parquet")
    return (folder / "source.parquet").read_bytes()


def xpt_bytes(folder: Path, version: int = 5) -> bytes:
    tk.write_xpt(FRAME, folder / "source.xpt", version=version)  # type: ignore[arg-type]
    return (folder / "source.xpt").read_bytes()


def xpt8_bytes(folder: Path) -> bytes:
    return xpt_bytes(folder, 8)


def sas_bytes(folder: Path) -> bytes:
    columns = [Column("USUBJID", 4), Column("AVAL"), Column("COUNTRY", 2)]
    rows = [[a, None if pd.isna(b) else b, c] for a, b, c in FRAME.itertuples(index=False)]
    return sas7bdat_bytes(columns, rows, page_size=2048)


def json_document() -> dict[str, object]:
    kinds = {"USUBJID": "string", "AVAL": "float", "COUNTRY": "string"}
    return {
        "datasetJSONCreationDateTime": "2024-01-31T10:00:00",
        "datasetJSONVersion": "1.1.0",
        "itemGroupOID": "IG.Q",
        "name": "ADQS",
        "label": "Questionnaires",
        "records": len(FRAME),
        "columns": [
            {"itemOID": f"IT.{name}", "name": name, "label": name, "dataType": kind}
            for name, kind in kinds.items()
        ],
        "rows": [[a, None if pd.isna(b) else b, c] for a, b, c in FRAME.itertuples(index=False)],
    }


def json_bytes(folder: Path) -> bytes:
    return json.dumps(json_document(), ensure_ascii=False).encode()


def ndjson_bytes(folder: Path) -> bytes:
    content = json_document()
    rows = content.pop("rows")
    assert isinstance(rows, list)
    return "".join(
        json.dumps(line, ensure_ascii=False) + "\n" for line in [content, *rows]
    ).encode()


Maker = Callable[[Path], bytes]
FORMATS: list[tuple[str, Maker]] = [
    (".csv", csv_bytes),
    (".csv", quoted_bytes),
    (".parquet", parquet_bytes),
    (".xpt", xpt_bytes),
    (".xpt", xpt8_bytes),
    (".sas7bdat", sas_bytes),
    (".json", json_bytes),
    (".ndjson", ndjson_bytes),
]
NAMES = [maker.__name__ for _, maker in FORMATS]


def cut_points(size: int) -> list[int]:
    """Every byte of a small file; else both ends, every 16th byte and the records' ends."""
    if size < 2000:
        return list(range(size))
    points = {*range(200), *range(0, size, 16), *range(0, size, 80), *range(size - 200, size)}
    return sorted(points | {point - 1 for point in points if point})


@pytest.mark.parametrize(("suffix", "maker"), FORMATS, ids=NAMES)
def test_a_whole_file_is_read(suffix, maker, tmp_path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(maker(tmp_path))
    frame = tk.read(path)
    expected = FRAME
    if maker is quoted_bytes:
        expected = FRAME.assign(COUNTRY=FRAME["COUNTRY"] + ', "EU"\n')
    pd.testing.assert_frame_equal(frame, expected, check_exact=True)


@pytest.mark.parametrize(("suffix", "maker"), FORMATS, ids=NAMES)
def test_a_file_cut_off_anywhere_is_refused(suffix, maker, tmp_path) -> None:
    content = maker(tmp_path)
    path = tmp_path / f"a{suffix}"
    accepted = []
    for size in cut_points(len(content)):
        path.write_bytes(content[:size])
        try:
            frame = tk.read(path)
        except tk.DataError as error:
            assert str(path) in str(error)  # noqa: PT017 - most cuts must raise, not all
            continue
        accepted.append(size)
        # Whatever is accepted is a whole number of true rows.
        assert frame["USUBJID"].tolist() == FRAME["USUBJID"].tolist()[: len(frame)]
    assert accepted == _indistinguishable(suffix, maker, content)


def _indistinguishable(suffix: str, maker: Maker, content: bytes) -> list[int]:
    """Cuts after which the file is a valid, shorter one: only the formats without a count."""
    if suffix == ".csv":
        end = b'"\r\n' if maker is quoted_bytes else b"\n"
        first = content.index(b"\n") + 1
        # A carriage return alone ends a line too.
        ends = [
            place + len(end) - back
            for place in range(first, len(content))
            if content.startswith(end, place)
            for back in ((1, 0) if maker is quoted_bytes else (0,))
        ]
        header = [first - 1, first] if maker is quoted_bytes else [first]
        return [size for size in [*header, *ends] if size < len(content)]
    if maker is xpt_bytes:
        start = content.index(b"HEADER RECORD*******OBS ") + 80
        length = 4 + 8 + 2
        return [
            size
            for size in range(start, len(content), 80)
            if not content[start:size][(size - start) // length * length :].strip()
        ]
    if suffix == ".ndjson":
        return [len(content) - 1]  # all rows are there, only the last line end is not
    return []


FOREIGN = {
    "a PNG image": b"\x89PNG\r\n\x1a\n" + bytes(50),
    "a PDF document": b"%PDF-1.7\n",
    "Excel workbook": b"PK\x03\x04" + bytes(50),
    "gzip-compressed": b"\x1f\x8b\x08" + bytes(50),
    "SAS CPORT file": b"**COMPRESSED** **COMPRESSED** **COMPRESSED**",
    "SAS format catalogue": bytes.fromhex("000000000000000000000000c2ea8163") + bytes(50),
    "an HTML page": b"<!DOCTYPE html><html></html>",
    "XML text": b"<?xml version='1.0'?><ODM/>",
    "an R data file": b"RDX3\nX\n\x00\x00",
}
SUFFIXES = [".csv", ".parquet", ".xpt", ".sas7bdat", ".json", ".ndjson"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("what", FOREIGN)
def test_other_files_under_our_names(what, suffix, tmp_path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(FOREIGN[what])
    wanted = "NUL byte" if (what, suffix) == ("an R data file", ".csv") else what
    with pytest.raises(tk.DataError, match=rf"a\{suffix}.*{wanted}"):
        tk.read(path)


LOOKS = {
    "csv_bytes": r"looks like plain text \(CSV\): .*\.csv",
    "parquet_bytes": r"looks like a Parquet file: .*\.parquet",
    "xpt_bytes": r"looks like a SAS transport file \(XPT\): .*\.xpt",
    "xpt8_bytes": r"looks like a SAS transport file \(XPT\)",
    "sas_bytes": r"looks like a SAS data set \(SAS7BDAT\): .*\.sas7bdat",
    "json_bytes": r"looks like JSON text: .*\.json",
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("own", "maker"), FORMATS, ids=NAMES)
def test_our_formats_under_each_others_names(own, maker, suffix, tmp_path) -> None:
    if own == suffix:
        return
    path = tmp_path / f"a{suffix}"
    path.write_bytes(maker(tmp_path))
    pattern = LOOKS.get(maker.__name__, "looks like")
    if {own, suffix} == {".json", ".ndjson"}:
        pattern = r"ends in \.json|ends in \.ndjson"
    with pytest.raises(tk.DataError, match=pattern):
        tk.read(path)


def test_no_such_file_folder_or_format(tmp_path) -> None:
    with pytest.raises(tk.DataError, match=r"none\.csv: there is no such file"):
        tk.read(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(tk.DataError, match=r"folder\.csv is a folder"):
        tk.read(str(tmp_path / "folder.csv"))
    for name in ("a.xlsx", "a"):
        (tmp_path / name).write_bytes(b"A\n1\n")
        with pytest.raises(tk.DataError, match=r"files are read by \.csv, \.parquet, \.xpt"):
            tk.read(tmp_path / name)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_file(suffix, tmp_path) -> None:
    path = tmp_path / f"a{suffix}"
    path.touch()
    with pytest.raises(tk.DataError, match=r"is empty \(0 bytes\)"):
        tk.read(path)


def test_the_suffix_ignores_case(tmp_path) -> None:
    (tmp_path / "A.CSV").write_bytes(b"A\n1\n")
    assert tk.read(tmp_path / "A.CSV").shape == (1, 1)


@pytest.mark.parametrize("suffix", [".parquet", ".json", ".ndjson"])
def test_keywords_of_other_formats(suffix, tmp_path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"x")
    with pytest.raises(tk.SpecError, match=r"encoding= does not apply to"):
        tk.read(path, encoding="cp1252")
    with pytest.raises(tk.SpecError, match=r"allow_unterminated= does not apply to"):
        tk.read(path, allow_unterminated=True)


@pytest.mark.parametrize("maker", [maker for _, maker in FORMATS], ids=NAMES)
def test_flipped_bytes_give_a_frame_or_a_data_error(maker, tmp_path) -> None:
    content = maker(tmp_path)
    suffix = dict((made.__name__, name) for name, made in FORMATS)[maker.__name__]
    path = tmp_path / f"a{suffix}"
    rng = random.Random(20240131)
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(bytes(damaged))
        try:
            assert isinstance(tk.read(path), pd.DataFrame)
        except tk.DataError:
            pass


def xpt_with(tmp_path: Path, version: int, change: Callable[[bytearray], bytearray | None]) -> Path:
    content = bytearray(xpt_bytes(tmp_path, version))
    changed = change(content)
    path = tmp_path / "a.xpt"
    path.write_bytes(bytes(content if changed is None else changed))
    return path


def test_two_data_sets_in_one_transport_file(tmp_path) -> None:
    path = xpt_with(tmp_path, 5, lambda content: content + content[240:])
    with pytest.raises(tk.DataError, match=r"holds more than one data set"):
        tk.read(path)


def test_a_transport_file_with_blank_records_after_its_rows(tmp_path) -> None:
    path = xpt_with(tmp_path, 5, lambda content: content + b" " * 80)
    with pytest.raises(tk.DataError, match=r"blank bytes follow row 7, more than the padding"):
        tk.read(path)
    path = xpt_with(tmp_path, 8, lambda content: content + b" " * 80)
    with pytest.raises(tk.DataError, match=r"declares 7 rows \(160 bytes\), the file has 240"):
        tk.read(path)


def test_a_transport_file_changed_in_transfer(tmp_path) -> None:
    path = xpt_with(tmp_path, 5, lambda content: content.replace(b"!!!!!!!", b"!!!!!!!\r", 1))
    with pytest.raises(tk.DataError, match=r"not a whole number of 80-byte records.*text mode"):
        tk.read(path)


@pytest.mark.parametrize(
    ("place", "new", "message"),
    [
        (240 + 20, b"NUMBER ", r"record 4 should be the MEMBER header"),
        (240 + 73, b"00136", r"describes columns in 136 bytes each"),
        (560 + 53, b"00x03", r"record 8 has b'00x03' where a count should be"),
        (560 + 53, b"00099", r"cut off within the description of its 99 columns"),
        (560 + 53, b"00000", r"record 9 should be the OBS header"),
        (640, b"\x00\x03", r"'USUBJID' has the type 3; 1 and 2 are allowed"),
        (640 + 4, b"\x00\x00", r"'USUBJID' has a width of 0 bytes"),
        (640 + 8, b"COUNTRY ", r"more than once, first 'COUNTRY' \(columns 1, 3\)"),
        (640 + 8, b"        ", r"column 1 has no name"),
        (640 + 8, b"\xe9UBJID  ", r"column name .* is not utf-8"),
        (640 + 140 + 84, b"\x00\x00\x00\x05", r"'AVAL' starts at byte 5 of a row where 4 is free"),
        (1200 + 4, b" " * 8, r"'AVAL', row 1: blanks where a number should be"),
        (1200 + 1, b"\xff", r"'USUBJID', row 1: byte 0xff is not utf-8"),
    ],
)
def test_a_transport_file_damaged_in_one_place(place, new, message, tmp_path) -> None:
    def change(content: bytearray) -> None:
        content[place : place + len(new)] = new

    with pytest.raises(tk.DataError, match=message):
        tk.read(xpt_with(tmp_path, 5, change))
