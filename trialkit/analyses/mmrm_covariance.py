"""The covariance of a fitted mixed model, its likelihood, and its information criteria."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Protocol

import numpy as np
import pandas as pd

from trialkit.analyses.mmrm_roles import Roles
from trialkit.kernels.mmrm.fit import MarginalFit
from trialkit.kernels.mmrm.structures import structure
from trialkit.typing import FloatArray

__all__ = ["CovarianceFigures", "covariance_frames", "fit_statistics"]


class Fitted(Protocol):
    """What the figures are read from."""

    @property
    def marginal(self) -> MarginalFit:
        """The kernels' fit."""
        ...

    @property
    def roles(self) -> Roles:
        """Subjects, visits and groups."""
        ...

    @property
    def columns_by_role(self) -> Mapping[str, str | None]:
        """Column names by role."""
        ...


class CovarianceFigures:
    """Covariance, likelihood and convergence of a fit."""

    __slots__ = ()

    @property
    def covariance(self: Fitted) -> pd.DataFrame | dict[object, pd.DataFrame]:
        """Covariance of the visits, visits by visits; with a group, a dict of them by level.

        With periods: of (period, visit) by (period, visit). For a spatial structure: at each
        visit's mean time.
        """
        frames = covariance_frames(self.marginal, self.roles, names=_names(self))
        return frames if self.columns_by_role["group"] else frames[None]

    @property
    def correlation(self: Fitted) -> pd.DataFrame | dict[object, pd.DataFrame]:
        """Correlation of the visits, arranged as `covariance`."""
        frames = covariance_frames(self.marginal, self.roles, correlation=True, names=_names(self))
        return frames if self.columns_by_role["group"] else frames[None]

    @property
    def n_covariance_parameters(self: Fitted) -> int:
        """Number of covariance parameters, all groups together."""
        return self.marginal.n_parameters

    @property
    def deviance(self: Fitted) -> float:
        """-2 log-likelihood, restricted under REML (SAS's "-2 Res Log Likelihood")."""
        return self.marginal.deviance

    @property
    def log_likelihood(self: Fitted) -> float:
        """Log-likelihood, restricted under REML."""
        return -self.marginal.deviance / 2

    @property
    def aic(self: Fitted) -> float:
        """Deviance plus twice the number of covariance parameters, as R's mmrm.

        SAS's AIC under REML; under maximum likelihood SAS also counts the fixed effects.
        """
        return fit_statistics(self.marginal)["aic"]

    @property
    def aicc(self: Fitted) -> float:
        """AIC corrected for N - P observations, as R's mmrm (and SAS under REML)."""
        return fit_statistics(self.marginal)["aicc"]

    @property
    def bic(self: Fitted) -> float:
        """Deviance plus log(number of subjects) a covariance parameter, as R's mmrm and SAS.

        Under maximum likelihood SAS also counts the fixed effects.
        """
        return fit_statistics(self.marginal)["bic"]

    @property
    def iterations(self: Fitted) -> int:
        """Newton steps to the optimum."""
        return self.marginal.optimum.iterations

    @property
    def gradient_norm(self: Fitted) -> float:
        """Largest derivative of the deviance at the optimum, per relative change of Sigma."""
        return self.marginal.optimum.gradient_norm


def _names(fit: Fitted) -> tuple[str | None, str | None]:
    return fit.columns_by_role["period"], fit.columns_by_role["visit"]


def covariance_frames(
    fit: MarginalFit,
    roles: Roles,
    *,
    correlation: bool = False,
    names: tuple[str | None, str | None] = (None, None),
) -> dict[object, pd.DataFrame]:
    """Covariance (or correlation) of the visits by group label, in the outcome's unit.

    With periods the rows are (period, visit); `names` are the names of these two columns.
    """
    out = {}
    labels = pd.Index(list(roles.cells))
    if roles.periods is not None and roles.visits != (None,):
        labels = pd.MultiIndex.from_product([roles.periods, roles.visits], names=list(names))
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
        "bic": fit.deviance + q * log(fit.patterns.n_subjects),
    }
