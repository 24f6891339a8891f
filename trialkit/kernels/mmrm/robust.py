"""Robust (sandwich) covariance of the fixed effects, with the matching degrees of freedom.

Subjects are the clusters. CR0 takes their scores as they are; CR2 and CR3 first undo the share
of its own residual that each subject explains: by (I - H)^-1/2, unbiased when the working
covariance is right, or by (I - H)^-1, the jackknife's form. Residuals are whitened by the
lower Cholesky factor of the working covariance.

References: Bell & McCaffrey (2002), Survey Methodology 28:169-181; Pustejovsky & Tipton
(2018), doi:10.1080/07350015.2016.1247004.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.errors import DataError, SpecError
from trialkit.kernels.mmrm.fit import MarginalFit
from trialkit.kernels.mmrm.subject_rows import SubjectRows
from trialkit.kernels.mmrm.whitening import whitening
from trialkit.typing import FloatArray

__all__ = ["KINDS", "RobustCovariance", "robust_covariance"]

KINDS = ("CR0", "CR2", "CR3")
# A subject whose share of its own fit comes this close to one determines a coefficient alone:
# its residual is zero whatever the data, and cannot be inflated.
MIN_OWN_RESIDUAL = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustCovariance:
    """`vcov` (P, P) on the basis Q in scaled units, and each subject's part in it.

    `design` (n, m, P) is the whitened design, `adjusted` (n, m, P) the same times the
    adjustment matrix of the subject.
    """

    vcov: FloatArray
    kind: str
    phi: FloatArray
    design: FloatArray
    adjusted: FloatArray

    def df(self, rows: FloatArray) -> FloatArray:
        """Degrees of freedom (r,) of contrasts (r, P): the estimated variance's own.

        Twice the squared mean over the variance of the estimate, were the working covariance
        true (Bell & McCaffrey 2002).
        """
        return np.array([self._single_df(row) for row in rows])

    def _single_df(self, row: FloatArray) -> float:
        part = self.adjusted @ (self.phi @ row)  # (n, m)
        length = np.square(part).sum(axis=1)
        turned = np.einsum("nm,nmp->np", part, self.design)
        loss = np.einsum("np,np->n", turned @ self.phi, turned)
        cross = turned.T @ turned @ self.phi
        mean = float(np.sum(length - loss))
        square = float(np.sum(length**2 - 2 * length * loss) + np.sum(cross * cross.T))
        return mean**2 / square


def robust_covariance(fit: MarginalFit, rows: SubjectRows, kind: str) -> RobustCovariance:
    """Robust covariance of the coefficients; `rows` are the subjects' z of the same fit.

    Raises DataError where CR2 or CR3 meet a subject who determines a coefficient alone.
    """
    if kind not in KINDS:
        raise SpecError(f"vcov={kind!r} is not offered; allowed: {', '.join(KINDS)}.")
    phi, gamma = fit.optimum.point.phi, fit.optimum.point.gamma
    white = whitening(fit)[rows.pattern] @ rows.z
    design = white[:, :, :-1]
    residual = white[:, :, -1] - design @ gamma
    adjusted = design if kind == "CR0" else _adjusted(design, phi, kind)
    scores = np.einsum("nmp,nm->np", adjusted, residual)
    half = scores @ phi
    return RobustCovariance(
        vcov=half.T @ half, kind=kind, phi=phi, design=design, adjusted=adjusted
    )


def _adjusted(design: FloatArray, phi: FloatArray, kind: str) -> FloatArray:
    own = np.eye(design.shape[1]) - design @ phi @ design.swapaxes(1, 2)
    values, vectors = np.linalg.eigh((own + own.swapaxes(1, 2)) / 2)
    if values.min() < MIN_OWN_RESIDUAL:
        n_alone = int((values.min(axis=1) < MIN_OWN_RESIDUAL).sum())
        raise DataError(
            f"{n_alone} subject(s) determine a coefficient alone, and leave no residual that "
            f"{kind} could adjust; CR0 is defined."
        )
    power = values ** (-0.5 if kind == "CR2" else -1.0)
    return np.asarray((vectors * power[:, None, :]) @ (vectors.swapaxes(1, 2) @ design))
