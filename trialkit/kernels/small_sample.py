"""Small-sample inference on fixed effects from what is known of the covariance parameters.

Any model with V linear in its parameters brings the same few matrices; Satterthwaite's and
Kenward and Roger's methods need nothing else. See `kernels.mmrm.kenward_roger` for references.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from trialkit.errors import ConvergenceError
from trialkit.kernels.mmrm.kenward_roger import FTest, scaled_f
from trialkit.kernels.mmrm.satterthwaite import matched_df
from trialkit.typing import FloatArray

__all__ = ["SmallSample", "inverse_information"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SmallSample:
    """Phi (P, P), slopes X'V^-1 V_s V^-1 X (q, P, P), and W (q, q), the parameters' covariance.

    `products` X'V^-1 V_s V^-1 V_t V^-1 X (q, q, P, P).
    """

    phi: FloatArray
    slopes: FloatArray
    products: FloatArray
    weights: FloatArray

    def adjusted(self) -> FloatArray:
        """Kenward and Roger's covariance of the coefficients (P, P)."""
        curved = self.slopes[:, None] @ self.phi @ self.slopes[None]
        inner = np.einsum("st,stij->ij", self.weights, self.products - curved)
        out = self.phi + 2 * self.phi @ inner @ self.phi
        return np.asarray((out + out.T) / 2)

    def df(self, rows: FloatArray) -> FloatArray:
        """Satterthwaite's df (r,), which are Kenward and Roger's, of contrasts (r, P)."""
        return matched_df(self.phi, self.slopes, self.weights, rows)

    def f_test(self, estimate: FloatArray, adjusted: FloatArray, rows: FloatArray) -> FTest:
        """Kenward and Roger's F test that contrasts (r, P), of value `estimate` (r,), are zero."""
        return scaled_f(
            self.phi, self.slopes, self.weights, estimate=estimate, adjusted=adjusted, rows=rows
        )

    def without(self, parameter: int) -> SmallSample:
        """The same with one parameter held fixed at its value."""
        keep = np.delete(np.arange(self.weights.shape[0]), parameter)
        information = np.linalg.inv(self.weights)[np.ix_(keep, keep)]
        return SmallSample(
            phi=self.phi,
            slopes=self.slopes[keep],
            products=self.products[np.ix_(keep, keep)],
            weights=np.linalg.inv(information),
        )


def inverse_information(information: FloatArray, *, what: str) -> FloatArray:
    """W = I^-1 (q, q), through a scaled Cholesky factor; ConvergenceError where not definite."""
    scale = np.sqrt(np.abs(np.diagonal(information)))
    scale[scale == 0] = 1.0
    try:
        factor = linalg.cho_factor(information / np.outer(scale, scale))
    except linalg.LinAlgError:
        raise ConvergenceError(
            f"The {what} information of the covariance parameters is not positive definite: "
            "the data do not determine them."
        ) from None
    inverse = linalg.cho_solve(factor, np.eye(scale.size)) / np.outer(scale, scale)
    return np.asarray((inverse + inverse.T) / 2)
