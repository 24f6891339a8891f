"""The covariance of a fitted mixed model as frames, and its information criteria."""

from __future__ import annotations

from math import log

import numpy as np
import pandas as pd

from trialkit.analyses.mmrm_roles import Roles
from trialkit.kernels.mmrm.fit import MarginalFit
from trialkit.kernels.mmrm.structures import structure
from trialkit.typing import FloatArray

__all__ = ["covariance_frames", "fit_statistics"]


def covariance_frames(
    fit: MarginalFit, roles: Roles, *, correlation: bool = False
) -> dict[object, pd.DataFrame]:
    """Covariance (or correlation) of the visits by group label, in the outcome's unit."""
    out = {}
    labels = pd.Index(list(roles.visits))
    for label, sigma in zip(roles.groups, _sigmas(fit, roles), strict=True):
        root = np.sqrt(np.diagonal(sigma)) if correlation else np.ones(len(labels))
        out[label] = pd.DataFrame(sigma / np.outer(root, root), index=labels, columns=labels)
    return out


def _sigmas(fit: MarginalFit, roles: Roles) -> list[FloatArray]:
    """Sigma (m, m) of each group; of a spatial structure at the visits' mean times."""
    if roles.time is None:
        return [sigma[0] for sigma in fit.sigma]
    m = len(roles.visits)
    counts = np.bincount(roles.visit, minlength=m)
    mean = np.bincount(roles.visit, weights=roles.time, minlength=m) / counts
    distance = np.abs(mean[:, None] - mean[None, :])[None]
    spatial = structure("spatial-exponential", n_visits=m, distance=distance)
    return [fit.basis.scale**2 * spatial.sigma(theta)[0] for theta in fit.optimum.thetas]


def fit_statistics(fit: MarginalFit) -> dict[str, float]:
    """AIC, AICc and BIC as R's mmrm defines them, under REML and under ML."""
    q = fit.n_parameters
    free = fit.n_observations - fit.coef.size
    small = q * free / (free - q - 1) if free > q + 1 else np.inf
    return {
        "aic": fit.deviance + 2 * q,
        "aicc": fit.deviance + 2 * small,
        "bic": fit.deviance + q * log(fit.layout.n_subjects),
    }
