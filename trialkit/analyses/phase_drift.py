"""Whether contrasts between phases are those of the phases' means, or of the days between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trialkit.kernels.linear import least_squares
from trialkit.kernels.within_subject import deviations, within_aliased
from trialkit.typing import FloatArray, IntArray

__all__ = ["drift_notes"]

# Were a phase a step, plain and generalised least squares would differ by less than this many
# standard errors: with the errors of a diary their variances are close.
FAR_APART = 2.0


def drift_notes(
    *,
    x: FloatArray,
    y: FloatArray,
    who: IntArray,
    coef: FloatArray,
    vcov: FloatArray,
    phases: Sequence[object],
) -> tuple[str, ...]:
    """A sentence for each contrast far from the plain difference within subjects.

    `x` (N, P) is an intercept and an indicator of each phase after the first of `phases`, the
    reference; `coef`, `vcov` are those of correlated errors. None where a phase is not compared
    within subjects.
    """
    if within_aliased(x[:, 1:], who).any():
        return ()
    within = deviations(x[:, 1:], who)
    plain = least_squares(
        x=within, y=deviations(y, who), aliased=np.zeros(within.shape[1], dtype=np.bool_)
    ).coef
    se = np.sqrt(np.diagonal(vcov)[1:])
    apart = np.abs(coef[1:] - plain) / se
    return tuple(
        f"{phase} - {phases[0]}: {estimate:.4g} with correlated days, {other:.4g} as the plain "
        f"difference within subjects, {distance:.1f} standard errors apart. A phase is modelled "
        "as a step; a change that comes gradually is taken for autocorrelation, and the "
        "contrast leans on the days around the change of phase."
        for phase, estimate, other, distance in zip(phases[1:], coef[1:], plain, apart, strict=True)
        if distance > FAR_APART
    )
