"""Consistency of published figures, checked without data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from trialkit.results import display
from trialkit.studies.figure import figures_of
from trialkit.studies.rules import RULES
from trialkit.studies.rules.record import Finding, Record

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Audit", "audit"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Audit:
    """Figures that cannot be true together, and how often each rule was applied.

    `verdict` of a finding: "impossible" (no data have these figures), "inconsistent" (the
    figures contradict each other under the construction that such figures have: a Wald
    interval, its own p-value, an SD from its half-width), "suspicious" (possible, but the mark
    of a common slip). A quiet audit is no proof: `checks` says what was looked at.
    """

    findings: tuple[Finding, ...]
    n_figures: int
    applied: tuple[tuple[str, int], ...]
    notes: tuple[str, ...] = ()

    def frame(self) -> pd.DataFrame:
        """One row a finding: study, outcome, rule, verdict, detail; empty when all is sound."""
        import pandas as pd

        columns = [item.name for item in fields(Finding)]
        return pd.DataFrame(
            {name: [getattr(finding, name) for finding in self.findings] for name in columns},
            columns=columns,
        )

    def checks(self) -> pd.DataFrame:
        """One row a rule: rule, n_applied (places it could be applied to), n_findings."""
        import pandas as pd

        found = Counter(finding.rule for finding in self.findings)
        return pd.DataFrame(
            {
                "rule": [rule for rule, _ in self.applied],
                "n_applied": [count for _, count in self.applied],
                "n_findings": [found[rule] for rule, _ in self.applied],
            }
        )

    def __repr__(self) -> str:
        return display.as_text(self.frame(), title="Audit", notes=self._notes())

    def _repr_html_(self) -> str:
        return display.as_html(self.frame(), title="Audit", notes=self._notes())

    def _notes(self) -> tuple[str, ...]:
        applied = sum(count for _, count in self.applied)
        summary = (
            f"{len(self.findings)} finding(s) in {self.n_figures} figures, "
            f"{applied} checks by {len(self.applied)} rules."
        )
        return (summary, *self.notes)


def audit(frame: pd.DataFrame) -> Audit:
    """Find published figures that cannot be true together; no data are needed.

    `frame` has one row a figure, with the columns of `published.csv`: study, outcome, statistic
    and printed are needed; arm, timepoint, granularity, unit and note are used where present.
    `printed` is the text as printed: read the file with `dtype=str`, or trailing zeros are lost
    and the checks grow blunter (a note says so).

    Statistics the rules know: n, n/N, pct, proportion, mean, mean_change, mean_difference, sd,
    se, ci95_lo, ci95_hi, ci95_halfwidth, p, lmm_B, pooled_smd, and ratios (risk_ratio, odds_ratio,
    hr, pooled_rr, ...). Others are kept out of the checks. Every finding allows for the rounding
    of every figure in it. Raises DataError for a missing column and, naming row and column, for
    an entry that cannot be read.

    Example
    -------
    >>> import pandas as pd
    >>> import trialkit as tk
    >>> printed = {"risk_ratio": "1.67", "ci95_lo": "0.82", "ci95_hi": "2.95"}
    >>> found = tk.studies.audit(pd.DataFrame({
    ...     "study": "example", "outcome": "memory",
    ...     "statistic": list(printed), "printed": list(printed.values())}))
    >>> found.frame()[["rule", "verdict"]].values.tolist()
    [['interval-centre', 'inconsistent']]
    """
    figures = figures_of(frame)
    record = Record(figures)
    findings: list[Finding] = []
    applied: Counter[str] = Counter()
    for rule in RULES:
        for check in rule(record):
            applied[check.rule] += 1
            if check.finding is not None:
                findings.append(check.finding)
    order = {study: position for position, study in enumerate(record.by_study)}
    findings.sort(key=lambda finding: order[finding.study])
    is_numeric = frame["printed"].dtype.kind in "fiu"
    return Audit(
        findings=tuple(dict.fromkeys(findings)),
        n_figures=len(figures),
        applied=tuple(applied.items()),
        notes=(NUMERIC_NOTE,) if is_numeric else (),
    )


NUMERIC_NOTE = (
    "Column 'printed' held numbers, not text: trailing zeros are lost, so figures are taken as "
    "less precise than they were printed."
)
