"""What a fit must offer so that LS means, contrasts and type II/III tests can be read from it.

Every model whose answer is a coefficient vector b with a covariance matrix is one: ANCOVA, a
mixed model, a crossover, an estimating equation. How degrees of freedom belong to a contrast is
the fit's own affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trialkit.data.model_frame import ModelFrame
from trialkit.kernels.estimability import is_estimable
from trialkit.kernels.linear import WaldTest
from trialkit.results import Estimate, check_alternative, check_level, check_null
from trialkit.typing import Alternative, BoolArray, FloatArray, Scale

__all__ = ["NOT_ESTIMABLE", "FullRank", "Inference", "LinearFit", "linear_estimates"]

NOT_ESTIMABLE = "not estimable: the analysed rows do not determine it"


@dataclass(frozen=True, slots=True)
class Inference:
    """What is asked of every estimate of a table: level, direction, null value."""

    ci_level: float
    alternative: Alternative
    null: float

    def __post_init__(self) -> None:
        check_level(self.ci_level)
        check_alternative(self.alternative)
        check_null(self.null)


class LinearFit(Protocol):
    """A fitted linear predictor over the P columns of `model_frame`."""

    @property
    def model_frame(self) -> ModelFrame:
        """Formula, design and grid rows."""
        ...

    @property
    def arm(self) -> str:
        """The arm factor, whose first level is the reference."""
        ...

    @property
    def visit(self) -> str | None:
        """The visit factor, if there is one."""
        ...

    @property
    def coef(self) -> FloatArray:
        """Coefficients (P,); zero for aliased columns."""
        ...

    @property
    def vcov(self) -> FloatArray:
        """Their covariance (P, P); zero for aliased columns."""
        ...

    @property
    def aliased(self) -> BoolArray:
        """Columns (P,) left out because columns before them determine them."""
        ...

    @property
    def null_space(self) -> FloatArray:
        """Basis (P, k) of what the data leave undetermined; k = 0 for a design of full rank."""
        ...

    @property
    def method(self) -> str:
        """What was fitted, and how inference is made from it."""
        ...

    @property
    def n(self) -> int:
        """How many rows or subjects were analysed."""
        ...

    def df(self, contrast: FloatArray) -> float:
        """Degrees of freedom of the t statistic of one contrast (P,)."""
        ...

    def f_test(self, hypothesis: FloatArray) -> WaldTest:
        """Test of L b = 0 for L (q, P), with the fit's own scale and denominator df."""
        ...


class FullRank:
    """Of a fit that is refused where columns are aliased: nothing is, and all is determined."""

    __slots__ = ()

    @property
    def aliased(self: LinearFit) -> BoolArray:
        """No column (P,) is aliased: such models are refused."""
        return np.zeros(self.coef.size, dtype=np.bool_)

    @property
    def null_space(self: LinearFit) -> FloatArray:
        """Nothing is undetermined: (P, 0)."""
        return np.empty((self.coef.size, 0))


def linear_estimates(
    fit: LinearFit,
    rows: FloatArray,
    *,
    labels: Sequence[str],
    counts: Sequence[int],
    scale: Scale,
    method: str,
    inference: Inference,
) -> tuple[Estimate, ...]:
    """L b with its standard error for each row of L (m, P); a row that has no value says so."""
    estimable = is_estimable(rows, fit.null_space)
    estimates = []
    for row, label, n, is_determined in zip(rows, labels, counts, estimable, strict=True):
        if not is_determined:
            estimate = Estimate.undefined(
                label=label,
                status=NOT_ESTIMABLE,
                n=n,
                method=method,
                ci_level=inference.ci_level,
                scale=scale,
            )
        else:
            estimate = Estimate.from_t(
                label=label,
                estimate=float(row @ fit.coef),
                se=float(np.sqrt(max(row @ fit.vcov @ row, 0.0))),
                df=fit.df(row),
                n=n,
                method=method,
                ci_level=inference.ci_level,
                alternative=inference.alternative,
                null=inference.null,
                scale=scale,
            )
        estimates.append(estimate)
    return tuple(estimates)
