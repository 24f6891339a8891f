"""The model frame of a crossover: main effects of factors and covariates, coded directly.

The same columns that formulaic would make of "outcome ~ treatment + period + sequence + ...",
without reading a formula: a crossover's model has no interaction, and simulations fit thousands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import pandas as pd

from trialkit.data.formula import Parsed
from trialkit.data.model_columns import factor_column, numeric_column
from trialkit.data.model_frame import Factor, ModelFrame, Term
from trialkit.data.names import require_columns
from trialkit.errors import DataError
from trialkit.typing import FloatArray, IntArray

__all__ = ["MainEffects", "main_effects"]


# Where a model frame keeps its `analysed`.
_ANALYSED = cast(Any, ModelFrame.__dict__["analysed"])


class _Deferred:
    """The variables of the analysed rows, as a frame that is made when it is first asked for."""

    def __get__(self, frame: ModelFrame | None, kind: type[ModelFrame]) -> Any:
        if frame is None:
            return self
        held = _ANALYSED.__get__(frame, kind)
        if isinstance(held, partial):
            held = held()
            _ANALYSED.__set__(frame, held)
        return held

    def __set__(self, frame: ModelFrame, held: object) -> None:
        _ANALYSED.__set__(frame, held)


class MainEffects(ModelFrame):
    """A model frame whose design rows follow from its factors and covariates alone."""

    __slots__ = ()
    analysed = cast(pd.DataFrame, _Deferred())

    def rows_for(self, grid: pd.DataFrame) -> FloatArray:
        """Design rows L (m, P) at the rows of `grid`, which has every factor and covariate."""
        require_columns(grid, [*self.factors, *self.covariate_means])
        parts = [np.ones((len(grid), 1))]
        for term in self.terms[1:]:
            if term.name in self.factors:
                levels = self.factors[term.name].levels
                known = factor_column(grid[term.name], term.name, levels)
                codes = known.cat.codes.to_numpy().astype(np.int64)
                parts.append(_indicators(codes, len(levels)))
            else:
                values = numeric_column(grid[term.name], term.name).to_numpy(dtype=np.float64)
                parts.append(values[:, None])
        return np.hstack(parts)

    def sum_coded(self) -> tuple[FloatArray, dict[str, slice]]:
        """Not needed: without interactions a term's own coefficients are its hypothesis."""
        raise DataError("A crossover's terms are tested by its own type3().")


def main_effects(
    response: FloatArray,
    factors: Mapping[str, tuple[IntArray, Sequence[object]]],
    covariates: Mapping[str, FloatArray],
    *,
    outcome: str,
    spelling: Callable[[str], str],
    rows: IntArray,
    n_rows: int,
    subject: IntArray,
    notes: tuple[str, ...],
) -> MainEffects:
    """Frame of `response` (n,) on factors (codes (n,) and levels) and covariates (n,).

    `rows` are the positions of the analysed rows among `n_rows`; `subject` (n,) their codes;
    `spelling` of a design column is the name it has in tables.
    """
    parts, terms, columns = [np.ones((response.size, 1))], [_term("Intercept", 0, 1)], ["Intercept"]
    for name, (codes, levels) in factors.items():
        parts.append(_indicators(codes, len(levels)))
        terms.append(_term(name, len(columns), len(levels) - 1))
        columns += [f"{name}[T.{level}]" for level in levels[1:]]
    for name, values in covariates.items():
        parts.append(values[:, None])
        terms.append(_term(name, len(columns), 1))
        columns.append(name)
    counts = np.bincount(subject)
    matrix = np.hstack(parts)
    for array in (response, matrix):
        array.flags.writeable = False
    return MainEffects(
        formula=f"outcome ~ {' + '.join(term.name for term in terms[1:])}",
        outcome=outcome,
        response=response,
        matrix=matrix,
        columns=tuple(map(spelling, columns)),
        terms=tuple(terms),
        factors={
            name: Factor(name=name, levels=tuple(levels), shares=_shares(codes, len(levels)))
            for name, (codes, levels) in factors.items()
        },
        covariate_means={name: float(values.mean()) for name, values in covariates.items()},
        rows=rows,
        n_rows=n_rows,
        n_excluded={},
        n_subjects=counts.size,
        subject_shares=1.0 / (counts[subject] * counts.size),
        # Few results need it, and it takes as long as all the rest.
        analysed=cast(pd.DataFrame, partial(_variables, dict(factors), dict(covariates))),
        notes=notes,
        # No formula was read: nothing asks for its parts.
        parsed=cast(Parsed, None),
        spec=None,
    )


def _variables(
    factors: Mapping[str, tuple[IntArray, Sequence[object]]], covariates: Mapping[str, FloatArray]
) -> pd.DataFrame:
    labelled = {
        name: pd.Categorical.from_codes(codes, categories=pd.Index(list(levels)))
        for name, (codes, levels) in factors.items()
    }
    return pd.DataFrame({**labelled, **covariates})


def _term(name: str, first: int, n: int) -> Term:
    own = frozenset() if name == "Intercept" else frozenset([name])
    return Term(name=name, columns=slice(first, first + n), factors=own, variables=own)


def _indicators(codes: IntArray, n_levels: int) -> FloatArray:
    return np.eye(n_levels)[codes][:, 1:]


def _shares(codes: IntArray, n_levels: int) -> tuple[float, ...]:
    return tuple((np.bincount(codes, minlength=n_levels) / codes.size).tolist())
