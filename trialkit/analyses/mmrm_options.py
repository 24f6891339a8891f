"""The choices of a mixed model for repeated measures, checked before any data are touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trialkit.analyses.choices import check_choice
from trialkit.errors import SpecError
from trialkit.kernels.mmrm.robust import KINDS
from trialkit.kernels.mmrm.structures import STRUCTURES

__all__ = ["DfMethod", "Options", "RobustKind", "check_options"]

DfMethod = Literal[
    "kenward-roger",
    "kenward-roger-linear",
    "satterthwaite",
    "between-within",
    "residual",
    "normal",
]
RobustKind = Literal["CR0", "CR2", "CR3"]

# R mmrm's short names.
SHORT_NAMES = {
    "us": "unstructured",
    "toep": "toeplitz",
    "toeph": "toeplitz-het",
    "ar1": "ar1",
    "ar1h": "ar1-het",
    "cs": "compound-symmetry",
    "csh": "compound-symmetry-het",
    "ad": "ante-dependence",
    "adh": "ante-dependence-het",
    "sp_exp": "spatial-exponential",
}
DF_PHRASES = {
    "kenward-roger": "Kenward-Roger",
    "kenward-roger-linear": "Kenward-Roger without second derivatives",
    "satterthwaite": "Satterthwaite df",
    "between-within": "between-within df",
    "residual": "residual df",
    "normal": "normal reference",
}
KENWARD_ROGER = ("kenward-roger", "kenward-roger-linear")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked, with every default filled in."""

    covariance: str
    reml: bool
    df: str
    vcov: str | None
    is_expected: bool

    @property
    def needs_information(self) -> bool:
        """Whether the information of the covariance parameters enters the inference."""
        return self.df in KENWARD_ROGER or (self.df == "satterthwaite" and self.vcov is None)

    def phrase(self, *, group: str | None, weights: str | None) -> str:
        """The choices in words, for `method`."""
        parts = [f"{self.covariance} covariance{f' by {group}' if group else ''}"]
        if weights:
            parts.append(f"weights {weights}")
        parts.append("REML" if self.reml else "ML")
        if self.vcov:
            parts.append(f"robust {self.vcov}")
        parts.append(DF_PHRASES[self.df])
        if self.needs_information:
            parts.append(f"{'expected' if self.is_expected else 'observed'} information")
        return ", ".join(parts)


def check_options(
    *,
    covariance: str,
    method: str,
    df: str | None,
    vcov: str | None,
    information: str,
    time: str | None,
) -> Options:
    """Fill in defaults; SpecError for what is not offered and for what excludes itself."""
    full = SHORT_NAMES.get(covariance, covariance)
    if full not in STRUCTURES:
        raise SpecError(
            f"covariance={covariance!r} is not offered; allowed: {', '.join(STRUCTURES)}, and "
            f"R's short names {', '.join(SHORT_NAMES)}."
        )
    check_choice("method", method, ("reml", "ml"))
    check_choice("information", information, ("observed", "expected"))
    if vcov is not None:
        check_choice("vcov", vcov, KINDS)
    if df is not None:
        check_choice("df", df, DF_PHRASES)
    is_spatial = full == "spatial-exponential"
    if is_spatial and time is None:
        raise SpecError("covariance='spatial-exponential' needs time=, a column of times.")
    if time is not None and not is_spatial:
        raise SpecError(f"time= applies to 'spatial-exponential' only, not to {covariance!r}.")
    if df in KENWARD_ROGER and vcov is not None:
        raise SpecError(
            f"df={df!r} adjusts the model's own covariance and does not go with vcov={vcov!r}; "
            "use 'satterthwaite' (the default there), 'between-within' or 'residual'."
        )
    if df in KENWARD_ROGER and method == "ml":
        raise SpecError(f"df={df!r} is defined for method='reml', not for 'ml'.")
    default = "kenward-roger" if vcov is None and method == "reml" else "satterthwaite"
    return Options(
        covariance=full,
        reml=method == "reml",
        df=df or default,
        vcov=vcov,
        is_expected=information == "expected",
    )
