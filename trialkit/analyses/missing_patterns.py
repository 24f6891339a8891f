"""Which visits are missing, by arm: patterns, shares by visit, outcomes by time of dropout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from trialkit.analyses.kaplan_meier import level_estimate
from trialkit.analyses.visit_matrix import VisitMatrix, visit_matrix
from trialkit.results import Estimate, EstimateTable, check_level, display
from trialkit.typing import BoolArray, FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MissingPatterns", "missing_patterns"]

SEEN, MISSING = "X", "."


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MissingPatterns:
    """Patterns of observed visits; `frame()` has one row a pattern and arm."""

    matrix: VisitMatrix
    outcome: str
    ci_level: float

    def __repr__(self) -> str:
        return display.as_text(self.frame(), title=self.outcome, notes=self.notes)

    def _repr_html_(self) -> str:
        return display.as_html(self.frame(), title=self.outcome, notes=self.notes)

    @property
    def visits(self) -> tuple[object, ...]:
        """The visits in order: the letters of a pattern."""
        return self.matrix.visits

    @property
    def notes(self) -> tuple[str, ...]:
        """Visits in order, and whether missingness is monotone."""
        gaps = int(np.sum(~self.matrix.monotone))
        shape = "monotone" if gaps == 0 else f"not monotone in {gaps} subject(s)"
        order = ", ".join(map(str, self.visits))
        return (f"Visits: {order}; {SEEN} observed, {MISSING} missing.", f"Missingness is {shape}.")

    def frame(self) -> pd.DataFrame:
        """pattern, arm, n, N, percent, monotone, n_observed, last_visit; complete ones first."""
        m = self.matrix
        kinds, inverse = np.unique(m.seen, axis=0, return_inverse=True)
        inverse = inverse.ravel()
        rows = []
        for kind in sorted(range(len(kinds)), key=lambda k: _order(kinds[k])):
            seen = kinds[kind]
            last = int(np.flatnonzero(seen)[-1]) if seen.any() else -1
            for code, arm in enumerate(m.arms):
                size = int(np.sum(m.codes == code))
                n = int(np.sum((inverse == kind) & (m.codes == code)))
                rows.append(
                    {
                        "pattern": "".join(SEEN if one else MISSING for one in seen),
                        "arm": arm,
                        "n": n,
                        "N": size,
                        "percent": 100 * n / size,
                        "monotone": bool(seen[: last + 1].all()),
                        "n_observed": int(seen.sum()),
                        "last_visit": m.visits[last] if last >= 0 else None,
                    }
                )
        return pd.DataFrame(rows)

    def by_visit(self) -> pd.DataFrame:
        """visit, arm, n_observed, n_missing, N, percent missing, n_dropped (seen last before)."""
        m = self.matrix
        rows = []
        for place, visit in enumerate(m.visits):
            for code, arm in enumerate(m.arms):
                own = m.codes == code
                missing = int(np.sum(own & ~m.seen[:, place]))
                rows.append(
                    {
                        "visit": visit,
                        "arm": arm,
                        "n_observed": int(own.sum()) - missing,
                        "n_missing": missing,
                        "N": int(own.sum()),
                        "percent": 100 * missing / int(own.sum()),
                        "n_dropped": int(np.sum(own & (m.last < place))),
                    }
                )
        return pd.DataFrame(rows)

    def trajectories(self) -> EstimateTable:
        """Mean outcome at each visit by arm and last observed visit, keys `last_visit, arm, visit`.

        Means of those observed, with t intervals where two or more are. Groups that drift apart
        before they leave show that dropout goes with the outcome; groups that do not show
        nothing about what happened afterwards.
        """
        m = self.matrix
        rows, keys = [], []
        for last, visit_label in enumerate(m.visits):
            for code, arm in enumerate(m.arms):
                group = (m.last == last) & (m.codes == code)
                for place in range(last + 1):
                    values = m.values[group, place]
                    values = values[~np.isnan(values)]
                    if values.size == 0:
                        continue
                    rows.append(_mean_row(values, f"{arm}, to {visit_label}", self.ci_level))
                    keys.append((visit_label, arm, m.visits[place]))
        names = ("last_visit", "arm", "visit")
        return EstimateTable(
            estimates=tuple(rows),
            keys={name: tuple(key[i] for key in keys) for i, name in enumerate(names)},
            variable=self.outcome,
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Patterns as rows of filled and empty cells, with their numbers by arm."""
        from trialkit.figures.patterns import pattern_grid

        frame = self.frame()
        labels = frame["pattern"].drop_duplicates().tolist()
        counts = [frame[frame["pattern"] == label]["n"].tolist() for label in labels]
        return pattern_grid(
            cells=np.array([[one == SEEN for one in label] for label in labels], dtype=np.bool_),
            counts=counts,
            visits=[str(visit) for visit in self.visits],
            arms=[str(arm) for arm in self.matrix.arms],
            ax=ax,
        )

    def plot_trajectories(self, ax: Axes | None = None) -> Axes:
        """Mean outcome by visit, one line for each arm and last observed visit."""
        from trialkit.figures.patterns import trajectory_lines

        frame = self.trajectories().frame()
        place = {visit: i for i, visit in enumerate(self.visits)}
        lines = []
        for (arm, last), own in frame.groupby(["arm", "last_visit"], observed=True, sort=False):
            at = [place[visit] for visit in own["visit"].tolist()]
            code = self.matrix.arms.index(arm)
            ended = last != self.visits[-1]
            lines.append((str(arm), code, ended, at, own["estimate"].tolist()))
        return trajectory_lines(
            lines=lines, visits=[str(v) for v in self.visits], y_label=self.outcome, ax=ax
        )


def missing_patterns(
    data: pd.DataFrame,
    *,
    outcome: str,
    subject: str,
    visit: str,
    visit_order: str | Sequence[object] | None = None,
    arm: str | None = None,
    reference: object = None,
    ci_level: float = 0.95,
) -> MissingPatterns:
    """How many subjects of each arm were observed at which visits.

    Long data, one row a subject and visit; an absent row and a missing `outcome` are the same.
    A subject without any row does not appear: start from a frame with every randomised subject
    to count those. `.frame()` has one row a pattern and arm ("XX." is seen at the first two of
    three visits), `monotone` false where a visit was missed and a later one kept; `.by_visit()`
    counts by visit, `.trajectories()` gives mean outcomes by time of dropout, `.plot()` and
    `.plot_trajectories()` draw both. They show what went before dropout; whether outcomes are
    missing at random depends on what came after, and cannot be read off any of them.

    Raises DataError for two rows at one visit, a subject in two arms, visits without an order.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ID": [1, 1, 2, 2], "WEEK": [4, 8, 4, 8],
    ...                      "AVAL": [5.0, 4.0, 6.0, None]})
    >>> found = missing_patterns(data, outcome="AVAL", subject="ID", visit="WEEK")
    >>> found.frame()[["pattern", "n", "last_visit"]].values.tolist()
    [['XX', 1, 8], ['X.', 1, 4]]
    """
    check_level(ci_level)
    matrix = visit_matrix(
        data,
        outcome=outcome,
        subject=subject,
        visit=visit,
        visit_order=visit_order,
        arm=arm,
        reference=reference,
    )
    return MissingPatterns(matrix=matrix, outcome=outcome, ci_level=ci_level)


def _order(seen: BoolArray) -> tuple[int, ...]:
    """Complete first, then by how late the last visit is, then by gaps."""
    last = int(np.flatnonzero(seen)[-1]) if seen.any() else -1
    return (-last, -int(seen.sum()), *(0 if one else 1 for one in seen))


def _mean_row(values: FloatArray, label: str, ci_level: float) -> Estimate:
    from scipy import special

    n = values.size
    se = float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    half = float(special.stdtrit(n - 1, 0.5 + ci_level / 2)) * se if n > 1 else np.nan
    mean = float(values.mean())
    status = "ok" if n > 1 else "one value: no interval"
    return level_estimate(
        label,
        mean,
        se,
        (mean - half, mean + half),
        ci_level,
        n,
        "observed mean, t interval",
        scale="mean",
        status=status,
    )
