"""Tests of the terms of a linear model: which hypothesis "type II" and "type III" mean.

Type III tests a term's coefficients in the same model coded with sum-to-zero contrasts, so that
main effects are averages over the cells whatever coding the formula uses (SAS, and R's car with
`contr.sum`); a factor that interacts with a covariate is tested where the covariate is zero.
Type II tests a term after all terms that do not contain it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trialkit.analyses.linear_fit import LinearFit
from trialkit.data.model_frame import ModelFrame, Term
from trialkit.errors import DataError
from trialkit.results.tables import TestResult, TestTable
from trialkit.typing import FloatArray

__all__ = ["term_tests", "type2_hypotheses", "type3_hypotheses"]

# The sum-coded columns must reproduce the design: anything above rounding means they do not.
SPAN_TOLERANCE = 1e-8
# Directions of unit-length columns below this share of the largest are rounding.
RANK_TOLERANCE = 1e-9


def term_tests(fit: LinearFit, *, kind: str) -> TestTable:
    """One F test a term, "II" or "III"; key `term`, in formulaic's spelling."""
    hypotheses = type2_hypotheses if kind == "II" else type3_hypotheses
    names, tests = [], []
    for name, hypothesis in hypotheses(fit.model_frame):
        test = fit.f_test(hypothesis)
        names.append(name)
        tests.append(
            TestResult(
                num_df=test.num_df,
                den_df=test.den_df,
                statistic=test.statistic,
                p_value=test.p_value,
                method=f"{fit.method}; type {kind} F",
            )
        )
    return TestTable(
        tests=tuple(tests),
        keys={"term": tuple(names)},
        variable=fit.model_frame.outcome,
        notes=fit.model_frame.notes,
    )


def type3_hypotheses(frame: ModelFrame) -> Iterator[tuple[str, FloatArray]]:
    """Each term with its L (q, P); DataError where the design does not determine them."""
    matrix, slices = frame.sum_coded()
    scale = np.linalg.norm(matrix, axis=0)
    if not scale.all() or np.linalg.matrix_rank(matrix / scale) < matrix.shape[1]:
        raise DataError(
            f"Type III tests of {frame.formula!r} are not defined: the analysed rows do not "
            "determine every coefficient (an empty combination of factor levels?)."
        )
    # X b = X_sum b_sum for all b: the sum-coded coefficients are this matrix times b.
    change = np.linalg.lstsq(matrix / scale, frame.matrix, rcond=None)[0] / scale[:, None]
    gap = np.abs(matrix @ change - frame.matrix).max(axis=0)
    if (gap > SPAN_TOLERANCE * np.linalg.norm(frame.matrix, axis=0)).any():
        raise DataError(
            f"Type III tests of {frame.formula!r} are not defined: with sum-to-zero contrasts it "
            "is another model."
        )
    for term in frame.terms:
        yield term.name, change[slices[term.name]]


def type2_hypotheses(frame: ModelFrame) -> Iterator[tuple[str, FloatArray]]:
    """Each term but the intercept with its L (q, P): its part beyond all terms without it."""
    for term in frame.terms:
        if not term.factors:
            continue
        others = [other for other in frame.terms if not _contains(other, term)]
        base = _orthonormal(_columns(frame, others))
        adjusted = _columns(frame, [term])
        for _ in range(2):  # once more: the first pass leaves rounding of the order it removes
            adjusted = adjusted - base @ (base.T @ adjusted)
        yield term.name, np.linalg.pinv(adjusted) @ frame.matrix


def _contains(other: Term, term: Term) -> bool:
    """Whether `other` is the term itself or an interaction that contains it."""
    return term.factors <= other.factors


def _columns(frame: ModelFrame, terms: list[Term]) -> FloatArray:
    kept = [np.arange(len(frame.columns))[term.columns] for term in terms]
    return frame.matrix[:, np.concatenate(kept) if kept else []]


def _orthonormal(matrix: FloatArray) -> FloatArray:
    """An orthonormal basis (n, rank) of the column space."""
    length = np.linalg.norm(matrix, axis=0)
    left, singular, _ = np.linalg.svd(
        matrix / np.where(length > 0, length, 1.0), full_matrices=False
    )
    return np.asarray(left[:, singular > RANK_TOLERANCE * singular.max(initial=0.0)])
