"""Tables of estimates and of tests: one tidy schema for every method.

The columns never depend on the method or on the confidence level, floats are never rounded,
and a table holds no reference to the data or the fit it came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Self

from trialkit.errors import SpecError
from trialkit.results import ard, display
from trialkit.results.adjustment import adjust_p_values
from trialkit.results.columns import Columns, freeze_columns, matching_rows, take_rows
from trialkit.results.estimate import Estimate, with_method

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["EstimateTable", "TestResult", "TestTable"]

# The order in which `EstimateTable.frame()` gives the attributes of an Estimate, after the
# key columns and before the extras.
ESTIMATE_COLUMNS = (
    "estimate",
    "se",
    "df",
    "statistic",
    "p_value",
    "ci_low",
    "ci_high",
    "ci_level",
    "n",
    "method",
    "scale",
    "status",
)
# Of these, floats whatever their values.
FLOATS = frozenset(ESTIMATE_COLUMNS[:8])
TEST_COLUMNS = ("num_df", "den_df", "statistic", "p_value", "method")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class EstimateTable:
    """Estimates with the keys that tell them apart.

    `keys` and `extras` map a column name to one value a row; `variable` names the outcome;
    `notes` are sentences a reader of the numbers needs (rows excluded, a bound that was hit).
    `p_adjusted` is present after `adjust`, and `adjustment` then says how.
    """

    estimates: tuple[Estimate, ...]
    keys: Mapping[str, tuple[object, ...]]
    extras: Mapping[str, tuple[object, ...]] = field(default_factory=Columns)
    variable: str = ""
    notes: tuple[str, ...] = ()
    p_adjusted: tuple[float, ...] | None = None
    adjustment: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "estimates", tuple(self.estimates))
        object.__setattr__(self, "notes", tuple(self.notes))
        n_rows = len(self.estimates)
        object.__setattr__(self, "keys", freeze_columns(self.keys, n_rows, what="Key"))
        object.__setattr__(self, "extras", freeze_columns(self.extras, n_rows, what="Extra"))
        reserved = {*ESTIMATE_COLUMNS, "p_adjusted"}
        _refuse_clashes((*self.keys, *self.extras), reserved)
        if self.p_adjusted is not None:
            object.__setattr__(self, "p_adjusted", tuple(self.p_adjusted))
            if len(self.p_adjusted) != n_rows:
                raise SpecError(f"{len(self.p_adjusted)} adjusted p-values for {n_rows} rows.")

    def __len__(self) -> int:
        return len(self.estimates)

    def __repr__(self) -> str:
        return display.as_text(self.frame(), title=self._title(), notes=self._all_notes())

    def _repr_html_(self) -> str:
        return display.as_html(self.frame(), title=self._title(), notes=self._all_notes())

    def frame(self) -> pd.DataFrame:
        """The tidy, unrounded frame: keys, the fixed columns, extras, then `p_adjusted`."""
        import numpy as np
        import pandas as pd

        columns: dict[str, object] = {name: list(values) for name, values in self.keys.items()}
        for name in ESTIMATE_COLUMNS:
            values = [getattr(row, name) for row in self.estimates]
            columns[name] = np.array(values, dtype=np.float64) if name in FLOATS else values
        columns.update((name, list(values)) for name, values in self.extras.items())
        if self.p_adjusted is not None:
            columns["p_adjusted"] = np.array(self.p_adjusted, dtype=np.float64)
        # Every column is new here: nothing needs copying.
        return pd.DataFrame(columns, copy=False)

    def where(self, **keys: object) -> Self:
        """The rows whose keys have these values (a list means any of them).

        Adjusted p-values stay those of the family they were computed in. Raises SpecError for
        an unknown key, and for a value that no row has.
        """
        rows = matching_rows(self.keys, len(self), keys)
        adjusted = self.p_adjusted
        return replace(
            self,
            estimates=tuple(self.estimates[row] for row in rows),
            keys=take_rows(self.keys, rows),
            extras=take_rows(self.extras, rows),
            p_adjusted=None if adjusted is None else tuple(adjusted[row] for row in rows),
        )

    def single(self) -> Estimate:
        """The one estimate of a table of one row; raises SpecError for any other size."""
        if len(self) != 1:
            raise SpecError(
                f"The table has {len(self)} rows, not one; choose with .where() on its keys: "
                f"{', '.join(self.keys) or 'none'}."
            )
        return self.estimates[0]

    def adjust(
        self,
        method: str,
        *,
        family: str | Sequence[str] | None = None,
        order: Sequence[int] | None = None,
        weights: Sequence[float] | None = None,
        transitions: Sequence[Sequence[float]] | None = None,
    ) -> Self:
        """Adjust the raw p-values for multiplicity within each family of rows.

        `family` names the key columns that set families apart (rows that agree on them form
        one); None or "all" makes the whole table one family. Methods: none, bonferroni, sidak,
        holm, hochberg, hommel, fdr_bh, fdr_by; "fixed-sequence" tests in `order` (row numbers
        within the family; None: as listed); "graphical" is the procedure of Bretz, Maurer,
        Brannath & Posch (2009), doi:10.1002/sim.3495, with initial `weights` (m,) and
        `transitions` (m, m). Rows without a p-value keep none and still count in the family,
        as tests that did not reject. Raises SpecError for anything the method cannot use.

        Example
        -------
        >>> from trialkit.results import Estimate, EstimateTable
        >>> rows = [Estimate.from_z(label=x, estimate=e, se=1, n=50, method="z")
        ...         for x, e in (("a", 2.5), ("b", 2.0))]
        >>> table = EstimateTable(estimates=tuple(rows), keys={"contrast": ("a", "b")})
        >>> [round(p, 6) for p in table.adjust("holm").frame()["p_adjusted"]]
        [0.024839, 0.0455]
        """
        groups = self._families(family)
        adjusted = [float("nan")] * len(self)
        for rows in groups:
            p_values = [self.estimates[row].p_value for row in rows]
            values = adjust_p_values(
                p_values, method, order=order, weights=weights, transitions=transitions
            )
            for row, value in zip(rows, values, strict=True):
                adjusted[row] = value
        return self.with_adjusted(
            adjusted, _describe(method, family, groups, order, weights, transitions)
        )

    def with_adjusted(self, p_adjusted: Iterable[float], adjustment: str) -> Self:
        """The table with these adjusted p-values; `adjustment` joins `method` in every row."""
        previous = f"; p_adjusted: {self.adjustment}" if self.adjustment else ""
        named = tuple(
            with_method(row, f"{row.method.removesuffix(previous)}; p_adjusted: {adjustment}")
            for row in self.estimates
        )
        return replace(self, estimates=named, p_adjusted=tuple(p_adjusted), adjustment=adjustment)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Estimates with their intervals, one line a row; ratios on a logarithmic axis."""
        from trialkit.figures.forest import forest

        scales = {row.scale for row in self.estimates}
        if len(scales) > 1:
            raise SpecError(
                f"One plot cannot hold the scales {', '.join(sorted(scales))}; use .where() first."
            )
        is_ratio = scales == {"ratio"}
        labels = [
            " | ".join(str(values[row]) for values in self.keys.values()) or item.label
            for row, item in enumerate(self.estimates)
        ]
        unit = next((row.unit for row in self.estimates if row.unit), "")
        return forest(
            labels=labels,
            estimate=[row.estimate for row in self.estimates],
            low=[row.ci_low for row in self.estimates],
            high=[row.ci_high for row in self.estimates],
            is_ratio=is_ratio,
            has_reference_line=bool(scales & {"difference", "ratio", "standardized"}),
            x_label=_axis_label(self, unit),
            ax=ax,
        )

    def to_ard(self) -> pd.DataFrame:
        """One row a statistic, in the manner of CDISC ARS and R's cards.

        Columns: `group1, group1_level, group2, ...` (the keys), `variable, stat_name,
        stat_label, stat, method, warning, error`. `warning` carries the table's notes, `error`
        the status of a row that has no value.
        """
        return ard.analysis_results(
            self.frame(),
            keys=tuple(self.keys),
            variable=self.variable,
            notes=self.notes,
        )

    def _families(self, family: str | Sequence[str] | None) -> list[list[int]]:
        names = _family_names(family)
        for name in names:
            if name not in self.keys:
                raise SpecError(
                    f"family={name!r} is not a key of this table; keys: {', '.join(self.keys)}."
                )
        groups: dict[tuple[object, ...], list[int]] = {}
        for row in range(len(self)):
            groups.setdefault(tuple(self.keys[name][row] for name in names), []).append(row)
        return list(groups.values())

    def _title(self) -> str:
        return self.variable

    def _all_notes(self) -> tuple[str, ...]:
        methods = dict.fromkeys(row.method for row in self.estimates)
        return (*(f"Method: {method}." for method in methods), *self.notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """One test; `den_df` is infinite for a chi-square or normal reference."""

    __test__: ClassVar[bool] = False  # not a test case, whatever pytest makes of the name

    num_df: float
    den_df: float
    statistic: float
    p_value: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TestTable:
    """Tests with the keys that tell them apart: key columns, then the five of `TestResult`."""

    __test__: ClassVar[bool] = False

    tests: tuple[TestResult, ...]
    keys: Mapping[str, tuple[object, ...]]
    extras: Mapping[str, tuple[object, ...]] = field(default_factory=Columns)
    variable: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "tests", tuple(self.tests))
        object.__setattr__(self, "notes", tuple(self.notes))
        n_rows = len(self.tests)
        object.__setattr__(self, "keys", freeze_columns(self.keys, n_rows, what="Key"))
        object.__setattr__(self, "extras", freeze_columns(self.extras, n_rows, what="Extra"))
        _refuse_clashes((*self.keys, *self.extras), set(TEST_COLUMNS))

    def __len__(self) -> int:
        return len(self.tests)

    def __repr__(self) -> str:
        return display.as_text(self.frame(), title=self.variable, notes=self._all_notes())

    def _repr_html_(self) -> str:
        return display.as_html(self.frame(), title=self.variable, notes=self._all_notes())

    def frame(self) -> pd.DataFrame:
        """The tidy, unrounded frame: keys, `num_df, den_df, statistic, p_value, method`, extras."""
        import pandas as pd

        columns: dict[str, Sequence[object]] = dict(self.keys)
        for name in TEST_COLUMNS:
            columns[name] = [getattr(row, name) for row in self.tests]
        columns.update(self.extras)
        return pd.DataFrame({name: list(values) for name, values in columns.items()})

    def where(self, **keys: object) -> Self:
        """The rows whose keys have these values; raises SpecError where none does."""
        rows = matching_rows(self.keys, len(self), keys)
        return replace(
            self,
            tests=tuple(self.tests[row] for row in rows),
            keys=take_rows(self.keys, rows),
            extras=take_rows(self.extras, rows),
        )

    def to_ard(self) -> pd.DataFrame:
        """One row a statistic; columns as in `EstimateTable.to_ard`."""
        return ard.analysis_results(
            self.frame(), keys=tuple(self.keys), variable=self.variable, notes=self.notes
        )

    def _all_notes(self) -> tuple[str, ...]:
        methods = dict.fromkeys(row.method for row in self.tests)
        return (*(f"Method: {method}." for method in methods), *self.notes)


def _refuse_clashes(names: Sequence[str], reserved: set[str]) -> None:
    for position, name in enumerate(names):
        if name in reserved or name in names[:position]:
            raise SpecError(f"Column {name!r} would stand twice in the table; rename the key.")


def _family_names(family: str | Sequence[str] | None) -> tuple[str, ...]:
    if family is None or family == "all":
        return ()
    return (family,) if isinstance(family, str) else tuple(family)


def _describe(
    method: str,
    family: str | Sequence[str] | None,
    groups: Sequence[Sequence[int]],
    order: Sequence[int] | None,
    weights: Sequence[float] | None,
    transitions: Sequence[Sequence[float]] | None,
) -> str:
    sizes = sorted({len(rows) for rows in groups})
    size = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]}-{sizes[-1]}" if sizes else "0"
    within = f" within {', '.join(_family_names(family))}" if _family_names(family) else ""
    detail = ""
    if order is not None:
        detail = f", order {list(order)}"
    if weights is not None:
        detail = f", weights {[float(weight) for weight in weights]}"
    if transitions is not None:
        detail += f", transitions {[[float(share) for share in row] for row in transitions]}"
    return f"{method} over {size}{within}{detail}"


def _axis_label(table: EstimateTable, unit: str) -> str:
    levels = {row.ci_level for row in table.estimates}
    level = f" ({100 * levels.pop():g}% CI)" if len(levels) == 1 else ""
    name = table.variable or "Estimate"
    return f"{name}{f' [{unit}]' if unit else ''}{level}"
