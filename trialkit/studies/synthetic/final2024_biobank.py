"""A purely synthetic biobank of the FINAL twin: plasma analytes at weeks 0 and 12, two arms.

FINAL planned a biobank at these visits; nothing of it is published. No figure goes into these
numbers: they exist to show the analysis of a parallel panel with values below their limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import pandas as pd

from trialkit.kernels.grid_moments import normal_level, raw_stream
from trialkit.studies.synthetic.conduct import Subject

__all__ = ["biobank"]

# Analyte -> (mean, effect of the drug at week 12, limit of plates P1 and P2), all in thousandths
# of log2 pg/mL. The effects are invented, for three analytes.
ANALYTES = {
    "IL1B": (500, 0, (100, 450)),
    "IL1RA": (7600, 0, (5200, 5200)),
    "IL6": (1100, -600, (700, 1000)),
    "IL8": (2600, 0, (1200, 1500)),
    "IL10": (1500, 0, (1400, 1700)),
    "IL12P40": (5900, 0, (4300, 4300)),
    "IL17A": (2000, 0, (1900, 2300)),
    "TNFA": (3400, -500, (2200, 2500)),
    "IFNG": (2900, 0, (2500, 2800)),
    "MCP1": (7200, -400, (3000, 3000)),
    "VEGFA": (4800, 0, (3100, 3400)),
    "LEPTIN": (12800, 0, (6000, 6000)),
}
# Standard deviations between women and of a sample, in the same unit.
BETWEEN, WITHIN = Fraction(900), Fraction(600)
PLATES = ("P1", "P2")
DIGITS = Decimal("0.001")


def biobank(subjects: Sequence[Subject], *, study: str, seed: int) -> pd.DataFrame:
    """ADLB: one row an analyte and visit of every woman; values below the limit stand at it."""
    plates = raw_stream(seed, part="final/biobank/plates")
    plate = {subject.usubjid: PLATES[plates.below(len(PLATES))] for subject in subjects}
    rows = []
    for code, (mean, effect, limits) in ANALYTES.items():
        stream = raw_stream(seed, part=f"final/biobank/{code}")
        for subject in subjects:
            own = normal_level(stream, mean=Fraction(mean), sd=BETWEEN)
            limit = _concentration(limits[PLATES.index(plate[subject.usubjid])])
            treated = effect if subject.arm.startswith("LDN") else 0
            first, last = (
                _concentration(own + shift + normal_level(stream, mean=Fraction(0), sd=WITHIN))
                for shift in (0, treated)
            )
            for visit, number, value in (("Baseline", 0, first), ("Week 12", 12, last)):
                rows.append(
                    {
                        "STUDYID": study,
                        "USUBJID": subject.usubjid,
                        "TRT01P": subject.arm,
                        "PARAMCD": code,
                        "AVISIT": visit,
                        "AVISITN": number,
                        "PLATE": plate[subject.usubjid],
                        "AVAL": float(max(value, limit)),
                        "LLOQ": float(limit),
                        "BASE": float(max(first, limit)),
                        "AVALU": "pg/mL",
                    }
                )
    return pd.DataFrame(rows)


def _concentration(thousandths: int) -> Decimal:
    """2 to the power of so many thousandths, to three decimals, the same on every machine."""
    with localcontext() as context:
        context.prec = 30
        power = (Decimal(thousandths) / 1000 * Decimal(2).ln()).exp()
        return power.quantize(DIGITS, rounding=ROUND_HALF_EVEN)
