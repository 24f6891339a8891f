"""Type I error and coverage of the crossover, by simulation; and what a carryover pretest does.

AB/BA trials with random subjects, complete and with second periods missing at random (the more
likely the worse period 1 was), subjects alike and unlike. Kenward-Roger against the naive normal
reference with the model's own standard error. The fits call the kernels behind `tk.crossover`;
the first trials of every cell go through `tk.crossover` itself and must give the same limits.

Then the two-stage procedure, which trialkit does not offer (`crossover_two_stage.py`); the figure
shows why.

    python validation/crossover.py [--replications 10000] [--write validation/crossover]

`--write` makes PATH.md and PATH_two_stage.png. Kenward-Roger's coverage is judged against 95%
within Monte Carlo error (`ERRORS` standard errors); a run with fewer than
`MIN_REPLICATIONS_TO_CHECK` replications reports and judges nothing. Exit code 1 where a rate is
off.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import crossover_two_stage as two_stage
import numpy as np
import pandas as pd
from scipy import special

import trialkit as tk
from trialkit.analyses.crossover import BoundaryWarning
from trialkit.analyses.crossover_inference import random_inference
from trialkit.errors import ConvergenceError, DataError
from trialkit.kernels.random_intercept import fit_random_intercept
from trialkit.typing import FloatArray

SEED = 20260305
LEVEL = 0.05
SIZES = (8, 12, 20, 30, 60)
EFFECTS = (0.0, -0.8)
# Between-subject SDs beside a within-subject SD of one: intraclass correlations 0.2 and 0.69.
SDS_BETWEEN, SD_WITHIN = (0.5, 1.5), 1.0
PERIOD_EFFECT = -0.3
# Share of second periods missing.
MISSING = (0.0, 0.2)
MIN_REPLICATIONS_TO_CHECK = 2000
# Forty rates are judged: with this many standard errors each, all are within by chance alone in
# 98 of 100 runs.
ERRORS = 3.5
# Trials of each cell that also go through the public function, and how closely they must agree.
CHECKED, TOLERANCE = 10, 1e-9
# Share of trials that may have no analysis (too few pairs are left), by size.
MAX_FAILED = {8: 0.05, 12: 0.005, 20: 0.0, 30: 0.0, 60: 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A design that is simulated."""

    n: int
    missing: float
    sd_between: float
    effect: float


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Outcomes (N,) with what belongs to them: subject codes, periods, who is in AB, who on B."""

    y: FloatArray
    subject: np.ndarray
    is_second: np.ndarray
    is_ab: np.ndarray
    on_b: np.ndarray


def trial(cell: Cell, rng: np.random.Generator) -> Trial:
    subject = np.repeat(np.arange(cell.n), 2)
    is_second = np.tile([False, True], cell.n)
    is_ab = subject % 2 == 0
    on_b = is_ab == is_second
    y = cell.sd_between * rng.normal(size=cell.n)[subject] + SD_WITHIN * rng.normal(size=2 * cell.n)
    y = y + cell.effect * on_b + PERIOD_EFFECT * is_second
    seen = np.ones(2 * cell.n, dtype=bool)
    if cell.missing:
        spread = np.hypot(cell.sd_between, SD_WITHIN)
        chance = cell.missing * 2 * special.ndtr(y[::2] / spread)
        seen[1::2] = rng.random(cell.n) >= chance
    return Trial(*(part[seen] for part in (y, subject, is_second, is_ab, on_b)))


def limits(drawn: Trial) -> FloatArray:
    """Limits (2, 2) of B - A: Kenward-Roger, then the model's standard error with z."""
    on = np.ones_like(drawn.y)
    x = np.column_stack([on, drawn.on_b, drawn.is_second, ~drawn.is_ab]).astype(float)
    fit = fit_random_intercept(x, drawn.y, drawn.subject, bounded=True)
    found = random_inference(
        fit, "kenward-roger", expected=False, plain_df=lambda rows: np.full(len(rows), np.inf)
    )
    df = float(found.single_df(np.array([[0.0, 1.0, 0.0, 0.0]]))[0])
    halves = (
        -special.stdtrit(df, LEVEL / 2) * sqrt(found.vcov[1, 1]),
        -special.ndtri(LEVEL / 2) * sqrt(fit.vcov[1, 1]),
    )
    return np.array([[fit.coef[1] - half, fit.coef[1] + half] for half in halves])


def public_limits(drawn: Trial) -> FloatArray:
    """The same limits by `tk.crossover`."""
    data = pd.DataFrame(
        {
            "ID": drawn.subject,
            "SEQ": np.where(drawn.is_ab, "AB", "BA"),
            "PERIOD": np.where(drawn.is_second, 2, 1),
            "TRT": np.where(drawn.on_b, "B", "A"),
            "AVAL": drawn.y,
        }
    )
    rows = [
        tk.crossover(data, **two_stage.ROLES, df=df).contrasts().single()
        for df in ("kenward-roger", "normal")
    ]
    return np.array([[row.ci_low, row.ci_high] for row in rows])


def simulate(cell: Cell, replications: int) -> dict[str, float]:
    """Rates of one cell; raises RuntimeError where kernels and public function differ."""
    # Every trial has a stream of its own, so that a run can be made longer.
    key = [SEED, cell.n, round(100 * cell.missing), round(10 * cell.sd_between)]
    found: list[FloatArray] = []
    for draw in range(replications):
        drawn = trial(cell, np.random.default_rng([*key, round(-10 * cell.effect), draw]))
        try:
            found.append(limits(drawn))
        except (DataError, ConvergenceError):
            continue  # too few pairs were left: no analysis, and none is counted
        if draw < CHECKED and np.abs(found[-1] - public_limits(drawn)).max() > TOLERANCE:
            raise RuntimeError(f"{cell}, trial {draw}: tk.crossover gives other limits.")
    all_limits = np.array(found)
    covered = np.mean((all_limits[..., 0] <= cell.effect) & (cell.effect <= all_limits[..., 1]), 0)
    rejected = np.mean((all_limits[..., 0] > 0) | (all_limits[..., 1] < 0), 0)
    return {
        "n_analysed": float(len(found)),
        "failed": 1 - len(found) / replications,
        "kr_covered": float(covered[0]),
        "kr_rejected": float(rejected[0]),
        "z_covered": float(covered[1]),
        "z_rejected": float(rejected[1]),
    }


def coverage_table(replications: int) -> pd.DataFrame:
    cells = [
        Cell(n=n, missing=missing, sd_between=sd, effect=effect)
        for missing in MISSING
        for sd in SDS_BETWEEN
        for effect in EFFECTS
        for n in SIZES
    ]
    rows = []
    for cell in cells:
        found = simulate(cell, replications)
        error = sqrt(LEVEL * (1 - LEVEL) / found["n_analysed"])
        is_sound = (
            abs(1 - LEVEL - found["kr_covered"]) <= ERRORS * error
            and found["failed"] <= MAX_FAILED[cell.n]
        )
        rows.append(
            {
                "missing": cell.missing,
                "icc": cell.sd_between**2 / (cell.sd_between**2 + SD_WITHIN**2),
                "effect": cell.effect,
                "n": cell.n,
                **found,
                "error": error,
                "verdict": "ok" if is_sound else "MISSED",
            }
        )
        print(cell, rows[-1]["verdict"], file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def as_markdown(
    table: pd.DataFrame, plain: pd.DataFrame, carried: pd.DataFrame, replications: int
) -> str:
    """The page: what was done, the tables, what they show."""
    parts = [
        "# The crossover: type I error and coverage, and the carryover pretest\n",
        f"`python validation/crossover.py --replications {replications}`. AB/BA, a random subject, "
        "period and sequence in the model, intervals of 95%. `missing` is the share of second "
        "periods lost, the more likely the worse period 1 was. `icc` is the share of the variance "
        "that lies between subjects. `rejected` is the type I error where the effect is zero and "
        "power elsewhere. `error` is the Monte Carlo standard error of a rate of 5%; "
        "`no analysis` the share of trials in which too few pairs were left to estimate anything "
        "(they are in no rate). Judged is the coverage of Kenward-Roger: within "
        f"{ERRORS:g} standard errors of 95%. Without an effect its type I error is what is left. "
        "The naive normal reference, with the model's standard error, is shown and not judged.\n",
        "| missing | icc | effect | n | KR covered | KR rejected | z covered | z rejected | error "
        "| no analysis | verdict |\n|---|---|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {r.missing:g} | {r.icc:.2f} | {r.effect:g} | {r.n} | {r.kr_covered:.4f} | "
            f"{r.kr_rejected:.4f} | {r.z_covered:.4f} | {r.z_rejected:.4f} | {r.error:.4f} | "
            f"{r.failed:.4f} | {r.verdict} |"
            for r in table.itertuples()
        ),
        "",
        _said_of_coverage(table),
        two_stage.as_markdown(plain, carried),
    ]
    return "\n".join(parts)


def _said_of_coverage(table: pd.DataFrame) -> str:
    null = table[table["effect"] == 0]
    small, large = (null[null["n"] == n]["z_rejected"] for n in (SIZES[0], SIZES[-1]))
    return (
        f"Kenward-Roger covers {100 * table['kr_covered'].min():.1f} to "
        f"{100 * table['kr_covered'].max():.1f}% over all {len(table)} cells. The naive z rejects "
        f"a true null hypothesis in {100 * small.min():.1f} to {100 * small.max():.1f}% of trials "
        f"with {SIZES[0]} subjects and in {100 * large.min():.1f} to {100 * large.max():.1f}% with "
        f"{SIZES[-1]}.\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=10_000)
    parser.add_argument("--write", type=Path, help="PATH for PATH.md and PATH_two_stage.png")
    chosen = parser.parse_args()
    two_stage.check_t_test()
    plain, carried = two_stage.tables()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BoundaryWarning)
        table = coverage_table(chosen.replications)
    text = as_markdown(table, plain, carried, chosen.replications)
    print(text)
    if chosen.write:
        chosen.write.with_suffix(".md").write_text(text, encoding="utf-8")
        two_stage.draw(chosen.write.with_name(f"{chosen.write.name}_two_stage.png"), plain, carried)
    if chosen.replications < MIN_REPLICATIONS_TO_CHECK:
        print(f"Fewer than {MIN_REPLICATIONS_TO_CHECK} replications: nothing is judged.")
        return 0
    return int(not two_stage.is_level(plain) or bool((table["verdict"] != "ok").any()))


if __name__ == "__main__":
    sys.exit(main())
