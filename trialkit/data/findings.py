"""What a check found: one row a place, in the data's own labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

from trialkit.errors import DataError, SpecError
from trialkit.results import display

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CheckReport", "Finding", "Severity"]

# "error": an analysis of these data would be wrong or impossible. "warning": unusual, and
# right only if meant.
Severity = Literal["error", "warning"]

COLUMNS = ("rule", "subject", "visit", "column", "count", "message", "severity")
# Shown in a terminal or a notebook; `.frame()` has all.
MAX_SHOWN_ROWS = 40
# Named in an exception.
MAX_RAISED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One broken rule at one place.

    `rule` is its stable name; `count` the number of rows (for a rule about columns or levels,
    of what the message names). `subject` and `visit` are None where the finding is about more
    than one, `column` the column to look at.
    """

    rule: str
    message: str
    column: str | None = None
    subject: object = None
    visit: object = None
    count: int = 1
    severity: Severity = "error"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CheckReport:
    """Everything that a check found; empty when the data are sound.

    `notes` say what was looked at: rows, subjects, and the rules that could not be applied.
    """

    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.findings)

    def __repr__(self) -> str:
        if self.is_sound:
            return "\n".join([self._title(), *self.notes])
        return display.as_text(self._shown(), title=self._title(), notes=self._all_notes())

    def _repr_html_(self) -> str:
        if self.is_sound:
            return "".join(f"<div>{escape(line)}</div>" for line in (self._title(), *self.notes))
        return display.as_html(self._shown(), title=self._title(), notes=self._all_notes())

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found, not even a warning."""
        return not self.findings

    @property
    def has_errors(self) -> bool:
        """Whether anything was found that is more than a warning."""
        return any(finding.severity == "error" for finding in self.findings)

    def frame(self) -> pd.DataFrame:
        """One row a finding: `rule, subject, visit, column, count, message, severity`."""
        import pandas as pd

        columns = {
            name: pd.Series([getattr(finding, name) for finding in self.findings], dtype=object)
            for name in COLUMNS
        }
        return pd.DataFrame(columns).astype({"count": "int64"})

    def raise_if_any(self, *, severity: Severity = "warning") -> None:
        """Raise DataError naming the first findings, if there are any.

        `severity="error"` lets warnings pass.
        """
        if severity not in ("error", "warning"):
            raise SpecError(f"severity={severity!r} is not offered; allowed: error, warning.")
        found = [
            finding
            for finding in self.findings
            if severity == "warning" or finding.severity == "error"
        ]
        if not found:
            return
        lines = [f"  {finding.rule}: {finding.message}" for finding in found[:MAX_RAISED]]
        if len(found) > MAX_RAISED:
            lines.append(f"  ... and {len(found) - MAX_RAISED} more")
        raise DataError("\n".join([f"The data have {_counted(len(found), 'finding')}.", *lines]))

    def _shown(self) -> pd.DataFrame:
        return self.frame().head(MAX_SHOWN_ROWS)

    def _title(self) -> str:
        if self.is_sound:
            return "Nothing found"
        errors = sum(finding.severity == "error" for finding in self.findings)
        parts = [(errors, "error"), (len(self) - errors, "warning")]
        return "Found " + " and ".join(_counted(n, name) for n, name in parts if n)

    def _all_notes(self) -> Sequence[str]:
        hidden = len(self) - MAX_SHOWN_ROWS
        more = (f"... {hidden} more rows; .frame() has them all",) if hidden > 0 else ()
        return (*more, *self.notes)


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
