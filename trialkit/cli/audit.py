"""`trialkit audit`: published figures that cannot be true together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trialkit import studies
from trialkit.cli.terminal import console, is_terminal, plain_table, say, terminal_table
from trialkit.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["audit_file"]

SCHEMA = "trialkit-audit/1"
_HEADINGS = {
    "study": "Study",
    "outcome": "Outcome",
    "rule": "Rule",
    "verdict": "Verdict",
    "detail": "Detail",
}


def audit_file(path: Path, *, as_json: bool) -> bool:
    """Print the findings, a line each; whether there are none."""
    figures = _read(path)
    found = studies.audit(figures).frame()
    if as_json:
        from trialkit.plan.json_text import json_bytes

        listed = found.to_dict("records")
        text = json_bytes({"schema": SCHEMA, "figures": len(figures), "findings": listed})
        say(text.decode("ascii").rstrip("\n"))
    elif len(found):
        _print(found[list(_HEADINGS)])
    if not as_json:
        say(f"{len(found)} findings in {len(figures)} figures.")
    return not len(found)


def _read(path: Path) -> pd.DataFrame:
    """The figures as text: the digits as printed are what is audited."""
    import pandas as pd

    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.") from None
    except (OSError, ValueError) as problem:
        raise DataError(f"{path} cannot be read as CSV: {problem}.") from None


def _print(found: pd.DataFrame) -> None:
    rows = [[str(cell) for cell in row] for row in found.to_numpy().tolist()]
    is_number = [False] * len(_HEADINGS)
    if not is_terminal():
        say(plain_table(list(_HEADINGS.values()), rows, is_number=is_number))
        return
    table = terminal_table(list(_HEADINGS.values()), is_number=is_number)
    for row in rows:
        table.add_row(*row)
    console().print(table)
