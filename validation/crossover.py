"""Type I error and coverage of the crossover, by simulation; and what a carryover pretest does.

AB/BA trials with random subjects, complete and with second periods missing at random (the more
likely the worse period 1 was). Kenward-Roger against the naive normal reference, without and
with an effect. Then the two-stage procedure (Grizzle): test carryover at 10%, analyse period 1
alone where it is significant and within subjects otherwise; trialkit does not offer it.

    python validation/crossover.py [--replications 2000] [--figure validation/crossover.png]

`ALLOWANCE` is what Kenward-Roger's approximation may cost beyond Monte Carlo error (three
standard errors of the rate); a run with fewer than `MIN_REPLICATIONS_TO_CHECK` replications
reports and judges nothing. Exit code 1 where a rate misses its threshold.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

import trialkit as tk
from trialkit.analyses.crossover import BoundaryWarning

SEED = 20260305
LEVEL, PRETEST_LEVEL = 0.05, 0.10
SIZES = (8, 12, 20, 60)
EFFECTS = (0.0, -0.8)
SD_BETWEEN, SD_WITHIN = 1.5, 1.0
MIN_REPLICATIONS_TO_CHECK = 1000
# Second periods missing; with 8 subjects a few complete pairs must be left.
MISSING = 0.2
ALLOWANCE = {8: 0.015, 12: 0.010, 20: 0.005, 60: 0.005}
ROLES = {
    "outcome": "AVAL",
    "subject": "ID",
    "sequence": "SEQ",
    "period": "PERIOD",
    "treatment": "TRT",
    "reference": "A",
}


@dataclass(frozen=True)
class Rate:
    """A share of replications with the mean width of the interval."""

    rejected: float
    covered: float
    n: int

    @property
    def error(self) -> float:
        """Three standard errors of a rate of five percent."""
        return 3 * float(np.sqrt(LEVEL * (1 - LEVEL) / self.n))


def trial(n: int, effect: float, rng: np.random.Generator, *, missing: float) -> pd.DataFrame:
    subject = np.repeat(np.arange(n), 2)
    period = np.tile([1, 2], n)
    is_ab = subject % 2 == 0
    treatment = np.where(is_ab == (period == 1), "A", "B")
    y = SD_BETWEEN * rng.normal(size=n)[subject] + SD_WITHIN * rng.normal(size=2 * n)
    y = y + effect * (treatment == "B") - 0.3 * (period == 2)
    if missing:
        first = y[::2]
        chance = missing * 2 * stats.norm.cdf(first / np.hypot(SD_BETWEEN, SD_WITHIN))
        y[1::2][rng.random(n) < chance] = np.nan
    return pd.DataFrame(
        {
            "ID": subject,
            "SEQ": np.where(is_ab, "AB", "BA"),
            "PERIOD": period,
            "TRT": treatment,
            "AVAL": y,
        }
    )


def rates(n: int, effect: float, missing: float, replications: int) -> dict[str, Rate]:
    rng = np.random.default_rng([SEED, n, round(-10 * effect), round(100 * missing)])
    found: dict[str, list[tuple[bool, bool]]] = {"kenward-roger": [], "normal": []}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BoundaryWarning)
        for _ in range(replications):
            data = trial(n, effect, rng, missing=missing)
            for df, results in found.items():
                try:
                    row = tk.crossover(data, **ROLES, df=df).contrasts().single()
                except tk.TrialkitError:
                    continue  # too few pairs were left: no analysis, and none is counted
                covered = row.ci_low <= effect <= row.ci_high
                results.append((row.p_value < LEVEL, covered))
    return {
        df: Rate(*np.mean(results, axis=0).tolist(), n=len(results))
        for df, results in found.items()
    }


def two_stage(n: int, replications: int) -> tuple[float, float]:
    """Type I error of the two-stage procedure, and of the within-subject analysis alone."""
    rng = np.random.default_rng([SEED, n, 2])
    y = SD_BETWEEN * rng.normal(size=(replications, n, 1))
    y = y + SD_WITHIN * rng.normal(size=(replications, n, 2))
    ab, ba = y[:, ::2], y[:, 1::2]
    carryover = stats.ttest_ind(ab.sum(axis=2), ba.sum(axis=2), axis=1).pvalue
    first = stats.ttest_ind(ab[:, :, 0], ba[:, :, 0], axis=1).pvalue
    within = stats.ttest_ind(ab[..., 0] - ab[..., 1], ba[..., 0] - ba[..., 1], axis=1).pvalue
    chosen = np.where(carryover < PRETEST_LEVEL, first, within)
    return float(np.mean(chosen < LEVEL)), float(np.mean(within < LEVEL))


def draw(path: str, table: list[tuple[int, float, float]]) -> None:
    from trialkit.figures.style import ARM_COLORS, MUTED, new_axes, quiet

    axes = new_axes(5.6, 3.6)
    sizes = [row[0] for row in table]
    axes.plot(sizes, [r[1] for r in table], "o-", color=ARM_COLORS[2], label="two-stage procedure")
    axes.plot(sizes, [r[2] for r in table], "o-", color=ARM_COLORS[1], label="within subjects")
    axes.axhline(LEVEL, color=MUTED, linewidth=0.8)
    axes.set_ylim(0, None)
    axes.set_xlabel("Subjects")
    axes.set_ylabel("Type I error (nominal 0.05)")
    axes.legend(frameon=False, fontsize=9)
    quiet(axes).figure.savefig(path, dpi=150)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=2000)
    parser.add_argument("--figure", help="where to draw the two-stage procedure")
    given = parser.parse_args()
    judged = given.replications >= MIN_REPLICATIONS_TO_CHECK
    failed = False
    print("| n | missing | effect | method | rejected | covered | verdict |")
    print("|---|---|---|---|---|---|---|")
    for n in SIZES:
        for missing in (0.0, MISSING):
            for effect in EFFECTS:
                for df, rate in rates(n, effect, missing, given.replications).items():
                    verdict = ""
                    if judged and df == "kenward-roger":
                        is_fine = abs(1 - LEVEL - rate.covered) <= rate.error + ALLOWANCE[n]
                        verdict = "ok" if is_fine else "MISSED"
                        failed |= not is_fine
                    print(
                        f"| {n} | {missing:g} | {effect:g} | {df} | {rate.rejected:.3f} | "
                        f"{rate.covered:.3f} | {verdict} |",
                        flush=True,
                    )
    print("\n| n | two-stage type I error | within subjects |\n|---|---|---|")
    table = []
    for n in SIZES:
        staged, within = two_stage(n, max(given.replications, 20_000))
        table.append((n, staged, within))
        print(f"| {n} | {staged:.3f} | {within:.3f} |")
    if given.figure:
        draw(given.figure, table)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
