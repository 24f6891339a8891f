"""`trialkit audit`: published figures that cannot be true together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trialkit import studies
from trialkit.cli.terminal import INDENT, console, is_terminal, plain_table, say
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
        word = "finding" if len(found) == 1 else "findings"
        say(f"{len(found)} {word} in {len(figures)} figures.")
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
    _print_wrapped(rows)


def _print_wrapped(rows: Sequence[Sequence[str]]) -> None:
    """For a person: under each study and outcome, a paragraph a finding."""
    from rich.padding import Padding
    from rich.text import Text

    screen = console()
    place = None
    for study, outcome, rule, verdict, detail in rows:
        if (study, outcome) != place:
            place = study, outcome
            screen.print(Text(f"{study}, {outcome}", style="bold"))
        finding = Text.assemble((f"{verdict} ({rule}) ", "red"), detail)
        screen.print(Padding(finding, (0, 0, 0, INDENT), expand=False))
    screen.print()
