"""Missing outcomes filled in: by their conditional mean, or drawn around it.

Shapes: n subjects, m visits, B fits with coefficients (B, P) and covariances (B, G, m, m).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trialkit.kernels.reference_means import Cell
from trialkit.typing import FloatArray

__all__ = ["Incomplete"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Incomplete:
    """Outcomes `y` (n, m), NaN where missing; `means` (n, m, P) rows of their means; `cells`."""

    y: FloatArray
    means: FloatArray
    cells: Sequence[Cell]

    def completed(
        self, coef: FloatArray, sigma: FloatArray, noise: FloatArray | None = None
    ) -> FloatArray:
        """Outcomes (B, n, m) without gaps.

        Given its observed visits a subject's others have mean A b + S_mo S_oo^-1 (y_o - A_o b);
        with `noise` (B, n, m), standard normal, they are drawn from their conditional
        distribution instead.
        """
        out = np.repeat(self.y[None], coef.shape[0], axis=0)
        for cell in self.cells:
            seen, gap = np.flatnonzero(cell.seen), np.flatnonzero(~cell.seen)
            rows = self.means[cell.members]
            mean = np.einsum("nmp,bp->bnm", rows, coef, optimize=True)
            covariance = cell.covariance(sigma)
            own = covariance[:, gap[:, None], gap]
            filled = mean[:, :, gap]
            if seen.size:
                cross = covariance[:, seen[:, None], gap]
                slopes = np.linalg.solve(covariance[:, seen[:, None], seen], cross)
                residual = self.y[cell.members][:, seen] - mean[:, :, seen]
                filled = filled + residual @ slopes
                own = own - cross.swapaxes(1, 2) @ slopes
            if noise is not None:
                root = np.linalg.cholesky((own + own.swapaxes(1, 2)) / 2)
                filled = filled + noise[:, cell.members][:, :, gap] @ root.swapaxes(1, 2)
            out[:, cell.members[:, None], gap] = filled
        return out
