"""The choices of a mixed model for repeated measures, checked before any data are touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trialkit.analyses.choices import check_choice
from trialkit.errors import SpecError
from trialkit.kernels.mmrm.direct_product import PERIOD_STRUCTURES, PeriodsByVisits
from trialkit.kernels.mmrm.robust import KINDS
from trialkit.kernels.mmrm.structures import STRUCTURES

__all__ = ["DfMethod", "Options", "PeriodCovariance", "RobustKind", "check_options"]

DfMethod = Literal[
    "kenward-roger",
    "kenward-roger-linear",
    "satterthwaite",
    "between-within",
    "residual",
    "normal",
]
RobustKind = Literal["CR0", "CR2", "CR3"]
PeriodCovariance = Literal["unstructured", "compound-symmetry", "us", "cs"]

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
    """What was asked, with every default filled in.

    `period_covariance` is None where there are no periods.
    """

    covariance: str
    period_covariance: str | None
    reml: bool
    df: str
    vcov: str | None
    is_expected: bool

    @property
    def needs_information(self) -> bool:
        """Whether the information of the covariance parameters enters the inference."""
        return self.df in KENWARD_ROGER or (self.df == "satterthwaite" and self.vcov is None)

    def structure(self, n_periods: int) -> str | PeriodsByVisits:
        """The covariance as the kernels take it."""
        if self.period_covariance is None:
            return self.covariance
        return PeriodsByVisits(
            periods=self.period_covariance, visits=self.covariance, n_periods=n_periods
        )

    def covariance_words(self, *, visit: str | None, period: str | None) -> str:
        """The covariance in words: "unstructured covariance"."""
        if period is None:
            return f"{self.covariance} covariance"
        of_periods = f"{self.period_covariance} covariance of {period}"
        return of_periods if visit is None else f"{of_periods} (x) {self.covariance} of {visit}"

    def phrase(
        self,
        *,
        group: str | None,
        weights: str | None,
        visit: str | None = None,
        period: str | None = None,
    ) -> str:
        """The choices in words, for `method`."""
        words = self.covariance_words(visit=visit, period=period)
        parts = [f"{words}{f' by {group}' if group else ''}"]
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
    visit: str | None = "",
    period: str | None = None,
    period_covariance: str | None = None,
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
    of_periods = _period_covariance(full, visit, period, period_covariance)
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
        period_covariance=of_periods,
        reml=method == "reml",
        df=df or default,
        vcov=vcov,
        is_expected=information == "expected",
    )


def _period_covariance(
    covariance: str, visit: str | None, period: str | None, asked: str | None
) -> str | None:
    """The structure of the periods, None without; SpecError for what periods do not go with."""
    if period is None:
        if asked is not None:
            raise SpecError(f"period_covariance={asked!r} needs period=, the column of periods.")
        if visit is None:
            raise SpecError(
                "visit= is needed: the column of the visits of a subject. It may be left out with "
                "period=, where a subject has one row a period."
            )
        return None
    named = asked or "unstructured"
    full = SHORT_NAMES.get(named, named)
    if full not in PERIOD_STRUCTURES:
        raise SpecError(
            f"period_covariance={asked!r} is not offered; allowed: {', '.join(PERIOD_STRUCTURES)}."
        )
    if visit == period:
        raise SpecError(
            f"visit= and period= are both {period!r}; where a subject has one row a period, leave "
            "visit= out."
        )
    if visit is None and covariance != "unstructured":
        raise SpecError(
            f"covariance={covariance!r} is that of the visits within a period; without visit= "
            "there are none, and period_covariance= says all."
        )
    if covariance == "spatial-exponential":
        raise SpecError(
            "covariance='spatial-exponential' does not go with period=: in a direct product the "
            "times of the visits would have to be the same in every period. Use 'ar1' or another "
            "structure of ordered visits."
        )
    return full
