"""Tables fit the window without losing a character."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trialkit.cli.terminal import NARROWEST, column_widths, plain_table


def test_plain_rows_are_aligned_and_one_line_each() -> None:
    text = plain_table(("A", "B"), [("x\ny", "1"), ("long", "22")], is_number=(False, True))
    assert text == "A      B\nx y    1\nlong  22"


def test_the_last_column_gives_way_and_then_the_first() -> None:
    rows = [("a" * 40, "1234", "not reproducible"), ("b", "12345678\n12", "x")]
    assert column_widths(rows, total=100) == [40, 8, 16]
    assert column_widths(rows, total=69) == [40, 8, 15]
    assert column_widths(rows, total=60) == [34, 8, 12]
    assert column_widths(rows, total=10) == [NARROWEST, 8, 12]
    assert column_widths([("ab", "c")], total=1) == [2, 1]


def in_terminal(columns: int, *arguments: str) -> str:
    """What a person sees: the command run with a terminal of this width.

    Not a "dumb" one: rich takes that to be 80 columns wide whatever COLUMNS says.
    """
    controller, terminal = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "trialkit", *arguments],
        stdout=terminal,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    os.close(terminal)
    content = b""
    while True:
        try:
            part = os.read(controller, 65536)
        except OSError:  # how a terminal says that its other end is closed
            break
        if not part:
            break
        content += part
    process.wait(timeout=60)
    os.close(controller)
    return re.sub(r"\x1b\[[0-9;]*m", "", content.decode()).replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_a_terminal_shows_every_figure_whole(columns: int) -> None:
    text = in_terminal(columns, "reproduce", "irwin2024")
    assert max(len(line) for line in text.splitlines()) <= columns
    assert "…" not in text
    words = " ".join(text.split())
    for shown in ("mean_difference", "(0.0195 to 0.0234)", "agrees summary", " agree; "):
        assert shown in words
    assert "ldn, PEG change" in text


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_findings_of_the_audit_use_the_whole_width(columns: int, tmp_path: Path) -> None:
    path = tmp_path / "figures.csv"
    path.write_text(
        "study,arm,outcome,statistic,printed\n"
        "a long name of a study,drug - placebo,an outcome with many words,mean_difference,0.34\n"
        "a long name of a study,drug - placebo,an outcome with many words,ci95_lo,0.95\n"
        "a long name of a study,drug - placebo,an outcome with many words,ci95_hi,-0.27\n"
    )
    lines = in_terminal(columns, "audit", str(path)).splitlines()
    assert max(map(len, lines)) <= columns
    assert lines[0].rstrip() == "a long name of a study, an outcome with many words"
    finding = " ".join(" ".join(lines[1:]).split())
    assert finding.startswith("impossible (interval-order) drug - placebo: 0.34 (0.95, -0.27): the")
    assert lines[-1] == "1 finding in 3 figures."
    assert len(lines) <= 5  # two of them for the finding
