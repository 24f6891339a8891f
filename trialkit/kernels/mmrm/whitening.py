"""The factor that makes a subject's observations uncorrelated under the fitted covariance."""

from __future__ import annotations

import numpy as np

from trialkit.kernels.mmrm.fit import MarginalFit
from trialkit.typing import FloatArray

__all__ = ["pattern_sigmas", "whitening"]


def pattern_sigmas(fit: MarginalFit) -> FloatArray:
    """Sigma of each pattern in scaled units: (K, m, m), all visits whether seen or not."""
    out = np.empty((fit.patterns.n_patterns, fit.patterns.n_visits, fit.patterns.n_visits))
    for group, (structure, theta) in enumerate(
        zip(fit.structures, fit.optimum.thetas, strict=True)
    ):
        out[fit.patterns.group_slice(group)] = structure.sigma(theta)
    return out


def whitening(fit: MarginalFit) -> FloatArray:
    """L^-1 (K, m, m) with V = L L', L lower triangular; zero at visits not seen."""
    seen = fit.patterns.seen_together
    eye = np.eye(fit.patterns.n_visits)
    root = np.linalg.cholesky(np.where(seen, pattern_sigmas(fit), eye))
    return np.where(seen, np.linalg.solve(root, eye[None]), 0.0)
