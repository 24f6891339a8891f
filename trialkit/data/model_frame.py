"""A formula laid over a data frame: response, design matrix, and how to make new rows of it.

Rows with a missing value in any variable of the formula are left out, and counted by column.
Transforms that learn from the data (`center()`, `scale()`, `poly()`, splines) learn from the
analysed rows only, once; a grid row goes through the transform as learnt. A covariate is held
at the mean of its own column, and then transformed: `log(BASE)` is evaluated at log(mean(BASE)),
and `center(BASE)` at zero.

Vocabulary: a *factor* is a column with levels, a *covariate* a column of numbers, a *term* one
summand of the formula ("TRT01P:BASE"). Columns carry formulaic's spelling: "Intercept",
"TRT01P[T.LDN 4.5 mg]".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from trialkit.data.formula import Parsed, factor_variables, parse_formula, plain_variable
from trialkit.data.levels import coded_labels
from trialkit.data.model_columns import (
    factor_column,
    is_factor,
    model_column,
    numeric_column,
    require_labels,
)
from trialkit.data.names import require_columns
from trialkit.errors import DataError, SpecError
from trialkit.typing import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Factor", "ModelFrame", "Term", "build_model_frame"]

NO_LEVELS: Mapping[str, Sequence[object]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A factor of the model: its levels in order, and the share of analysed rows in each."""

    name: str
    levels: tuple[object, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A summand of the formula, with the design columns it fills.

    `factors` are formulaic's parts of the term ("TRT01P", "log(BASE)"), `variables` the data
    columns they use.
    """

    name: str
    columns: slice
    factors: frozenset[str]
    variables: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ModelFrame:
    """Response (n,), design matrix (n, P) and what is needed to build further rows of it.

    `rows` are the positions of the n analysed rows in the frame given; `analysed` is a copy of
    their variables. `subject_shares` (n,) sums to one and gives every subject the same share,
    whatever its number of rows (every row, where no subject is declared). `n_excluded` counts
    missing values by column; a row may count in several, `n_rows - n` rows are left out.
    """

    formula: str
    outcome: str
    response: FloatArray
    matrix: FloatArray
    columns: tuple[str, ...]
    terms: tuple[Term, ...]
    factors: Mapping[str, Factor]
    covariate_means: Mapping[str, float]
    rows: IntArray
    n_rows: int
    n_excluded: Mapping[str, int]
    n_subjects: int
    subject_shares: FloatArray
    analysed: pd.DataFrame
    notes: tuple[str, ...]
    parsed: Parsed
    spec: Any

    @property
    def n(self) -> int:
        """Number of analysed rows."""
        return self.response.size

    def rows_for(self, grid: pd.DataFrame) -> FloatArray:
        """Design rows L (m, P) at the m rows of `grid`, which has every right-hand variable.

        Raises DataError for a missing variable or value, and for an unknown level.
        """
        import pandas as pd

        names = [*self.factors, *self.covariate_means]
        require_columns(grid, names)
        columns: dict[str, pd.Series] = {}
        for name in names:
            values = grid[name].reset_index(drop=True)
            n_missing = int(values.isna().sum())
            if n_missing:
                raise DataError(f"Column {name!r} has {n_missing} missing value(s).")
            if name in self.factors and is_factor(self.analysed[name]):
                columns[name] = factor_column(values, name, self.factors[name].levels)
            elif name in self.factors:
                known = factor_column(values, name, self.factors[name].levels)
                columns[name] = known.astype(self.analysed[name].dtype)
            else:
                columns[name] = numeric_column(values, name)
        frame = pd.DataFrame(columns, index=range(len(grid)))
        matrix = self.parsed.evaluate(self.spec, frame)
        _refuse_non_finite(matrix, self.columns)
        return matrix

    def sum_coded(self) -> tuple[FloatArray, dict[str, slice]]:
        """The same model with sum-to-zero contrasts: its design matrix, and slices by term."""
        return self.parsed.sum_coded(self.analysed, [term.name for term in self.terms])


def build_model_frame(
    formula: str,
    data: pd.DataFrame,
    *,
    levels: Mapping[str, Sequence[object]] = NO_LEVELS,
    every_level: Sequence[str] = (),
    subject: str | None = None,
    complete: Sequence[str] = (),
) -> ModelFrame:
    """Lay `formula` over `data`.

    `levels` declares columns to be factors with levels in this order (the arm, the visit),
    whatever their type; of those, the ones in `every_level` must have analysed rows at each
    level, the others lose empty levels with a note. `complete` names further columns that must
    not be missing in an analysed row; `subject`, if given, is one of them.

    Raises SpecError for a formula that cannot be read; DataError for missing columns, infinite
    values, an outcome that is not numeric, a factor with one level, and fewer rows than
    coefficients.
    """
    parsed = parse_formula(formula)
    subjects = () if subject is None else (subject,)
    require_columns(data, [*complete, *subjects])
    needed = list(dict.fromkeys([*parsed.left, *parsed.right, *levels, *complete, *subjects]))
    require_columns(data, needed)
    rows, n_excluded = _complete_rows(data, needed, formula)
    frame, notes = _analysed_frame(data, rows, parsed, levels, every_level)
    matrix, spec = parsed.learn(frame)
    columns = tuple(str(name) for name in spec.column_names)
    _refuse_non_finite(matrix, columns)
    _refuse_too_few_rows(matrix, formula)
    factors = {name: _factor(frame[name]) for name in _factor_names(parsed, spec, frame)}
    shares, n_subjects = _subject_shares(data, rows, subject)
    return ModelFrame(
        formula=formula,
        outcome=parsed.outcome,
        response=_locked(_response(parsed, frame)),
        matrix=_locked(matrix),
        columns=columns,
        terms=_terms(spec),
        factors=factors,
        covariate_means={
            name: float(frame[name].mean()) for name in parsed.right if name not in factors
        },
        rows=rows,
        n_rows=len(data),
        n_excluded=n_excluded,
        n_subjects=n_subjects,
        subject_shares=_locked(shares),
        analysed=frame,
        notes=(*_exclusion_note(len(data), rows.size, n_excluded), *notes),
        parsed=parsed,
        spec=spec,
    )


def _complete_rows(
    data: pd.DataFrame, needed: Sequence[str], formula: str
) -> tuple[IntArray, dict[str, int]]:
    missing = data[list(needed)].isna()
    counts_by_column = missing.sum()
    n_excluded = {name: int(counts_by_column[name]) for name in needed if counts_by_column[name]}
    rows = np.flatnonzero(~missing.any(axis=1).to_numpy())
    if rows.size == 0:
        counts = ", ".join(f"{name} {n}" for name, n in n_excluded.items())
        raise DataError(
            f"None of {len(data)} rows is complete for {formula!r}; missing: {counts or 'no rows'}."
        )
    return rows.astype(np.int64), n_excluded


def _analysed_frame(
    data: pd.DataFrame,
    rows: IntArray,
    parsed: Parsed,
    levels: Mapping[str, Sequence[object]],
    every_level: Sequence[str],
) -> tuple[pd.DataFrame, list[str]]:
    """The variables of the analysed rows, each a column of numbers or a Categorical."""
    import pandas as pd

    notes: list[str] = []
    columns: dict[str, pd.Series] = {}
    for name in dict.fromkeys([*parsed.left, *parsed.right, *levels]):
        values = data[name].iloc[rows]
        if name in parsed.left:
            _refuse_text_outcome(values, name)
            columns[name] = numeric_column(values, name)
        elif name in levels:
            require_labels(values, name)
            kept = _levels_with_rows(values, name, levels[name], name in every_level, notes)
            columns[name] = factor_column(values, name, kept)
        else:
            columns[name] = model_column(data.iloc[rows], name)
            _note_lost_levels(data[name], columns[name], name, notes)
        if is_factor(columns[name]) and columns[name].cat.categories.size < 2:
            raise DataError(
                f"Factor {name!r} has one level among the {rows.size} analysed rows "
                f"({columns[name].tolist()[0]!r}): there is nothing to compare."
            )
    return pd.DataFrame(columns), notes


def _refuse_text_outcome(values: pd.Series, name: str) -> None:
    from pandas.api import types

    if types.is_bool_dtype(values.dtype) or is_factor(values):
        raise DataError(f"Outcome {name!r} is not numeric: it is {values.dtype}.")


def _levels_with_rows(
    values: pd.Series, name: str, levels: Sequence[object], required: bool, notes: list[str]
) -> list[object]:
    present = set(values.unique().tolist())
    empty = [level for level in levels if level not in present]
    if empty and required:
        raise DataError(
            f"Level {', '.join(map(repr, empty))} of {name!r} has no analysed row: every row of "
            "it lacks a value that the formula needs."
        )
    notes.extend(f"Level {level!r} of {name} has no analysed row." for level in empty)
    return [level for level in levels if level in present]


def _note_lost_levels(given: pd.Series, kept: pd.Series, name: str, notes: list[str]) -> None:
    if is_factor(kept):
        lost = set(given.dropna().unique().tolist()) - set(kept.cat.categories.tolist())
        notes.extend(
            f"Level {level!r} of {name} has no analysed row." for level in sorted(lost, key=str)
        )


def _response(parsed: Parsed, frame: pd.DataFrame) -> FloatArray:
    response = parsed.response(frame)
    if not np.isfinite(response).all():
        n_bad = int((~np.isfinite(response)).sum())
        raise DataError(f"{parsed.outcome} is not finite in {n_bad} row(s).")
    return response


def _refuse_non_finite(matrix: FloatArray, columns: Sequence[str]) -> None:
    bad = ~np.isfinite(matrix)
    if bad.any():
        column = int(np.flatnonzero(bad.any(axis=0))[0])
        raise DataError(f"{columns[column]} is not finite in {int(bad[:, column].sum())} row(s).")


def _refuse_too_few_rows(matrix: FloatArray, formula: str) -> None:
    if matrix.shape[0] < matrix.shape[1]:
        raise DataError(
            f"{matrix.shape[0]} analysed rows cannot determine {matrix.shape[1]} coefficients "
            f"of {formula!r}."
        )


def _factor_names(parsed: Parsed, spec: Any, frame: pd.DataFrame) -> list[str]:
    """Right-hand variables that stand for levels: Categoricals, and numbers inside `C()`."""
    in_c: set[str] = set()
    for expression in spec.factor_contrasts:
        variable = plain_variable(str(expression), parsed.right)
        if variable is None:
            raise SpecError(
                f"{expression} makes a factor out of an expression; make it a column of its own."
            )
        in_c.add(variable)
    return [name for name in parsed.right if name in in_c or is_factor(frame[name])]


def _factor(values: pd.Series) -> Factor:
    if is_factor(values):
        levels = values.cat.categories.tolist()
        counts = np.bincount(values.cat.codes.to_numpy(), minlength=len(levels))
    else:
        numbers, counts = np.unique(values.to_numpy(), return_counts=True)
        levels = numbers.tolist()
    shares = counts / counts.sum()
    return Factor(name=str(values.name), levels=tuple(levels), shares=tuple(shares.tolist()))


def _terms(spec: Any) -> tuple[Term, ...]:
    return tuple(
        Term(
            name="Intercept" if str(term) == "1" else str(term),
            columns=spec.term_slices[term],
            factors=frozenset(str(factor) for factor in term.factors) - {"1"},
            variables=frozenset(
                name for factor in term.factors for name in factor_variables(factor)
            ),
        )
        for term in spec.terms
    )


def _subject_shares(
    data: pd.DataFrame, rows: IntArray, subject: str | None
) -> tuple[FloatArray, int]:
    if subject is None:
        return np.full(rows.size, 1.0 / rows.size), int(rows.size)
    which, labels = coded_labels(data[subject].iloc[rows], subject)
    counts = np.bincount(which, minlength=len(labels))
    return 1.0 / (counts[which] * counts.size), int(counts.size)


def _exclusion_note(n_rows: int, n_kept: int, n_excluded: Mapping[str, int]) -> list[str]:
    if n_kept == n_rows:
        return []
    counts = ", ".join(f"{name} {n}" for name, n in n_excluded.items())
    return [f"{n_rows - n_kept} of {n_rows} rows excluded for missing values ({counts})."]


def _locked(values: FloatArray) -> FloatArray:
    copy = np.array(values, dtype=np.float64)
    copy.flags.writeable = False
    return copy
