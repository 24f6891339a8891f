"""Type I error and coverage of the crossover, by simulation; and what a carryover pretest does.

AB/BA trials with random subjects, complete and with second periods missing at random (the more
likely the worse period 1 was), subjects alike and unlike. Kenward-Roger against the naive normal
reference with the model's own standard error. The fits call the kernels behind `tk.crossover`;
the first trials of every cell go through `tk.crossover` itself and must give the same limits.

Then the two-stage procedure (Grizzle 1965, doi:10.2307/2528104): test carryover at 10%, analyse
period 1 alone where it is significant and within subjects otherwise (Freeman 1989,
doi:10.1002/sim.4780081202). trialkit does not offer it; the figure shows why.

    python validation/crossover.py [--replications 5000] [--write validation/crossover]

`--write` makes PATH.md and PATH_two_stage.png. `ALLOWANCE` is what an approximation may cost
beyond Monte Carlo error (three standard errors of the rate); a run with fewer than
`MIN_REPLICATIONS_TO_CHECK` replications reports and judges nothing. Exit code 1 where a rate
misses its threshold.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

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
LEVEL, PRETEST_LEVEL = 0.05, 0.10
SIZES = (8, 12, 20, 30, 60)
EFFECTS = (0.0, -0.8)
# Between-subject SDs beside a within-subject SD of one: intraclass correlations 0.2 and 0.69.
SDS_BETWEEN, SD_WITHIN = (0.5, 1.5), 1.0
PERIOD_EFFECT = -0.3
# Share of second periods missing.
MISSING = (0.0, 0.2)
MIN_REPLICATIONS_TO_CHECK = 2000
# With a positive between-subject variance and all periods Kenward-Roger is exact; what is left
# is the bound at zero, reached often by few subjects who are alike, and, with periods missing,
# the method's own approximation.
ALLOWANCE = {8: 0.015, 12: 0.010, 20: 0.005, 30: 0.005, 60: 0.005}
# Trials of each cell that also go through the public function, and how closely they must agree.
CHECKED, TOLERANCE = 10, 1e-9
# Share of trials that may have no analysis (too few pairs are left), by size.
MAX_FAILED = {8: 0.05, 12: 0.005, 20: 0.0, 30: 0.0, 60: 0.0}

TWO_STAGE_REPLICATIONS = 100_000
CORRELATIONS = (0.2, 0.5, 0.8)
CARRYOVERS = np.linspace(0, 1.5, 16)
CARRYOVER_N, CARRYOVER_CORRELATION = 28, 0.64
ROLES = {
    "outcome": "AVAL",
    "subject": "ID",
    "sequence": "SEQ",
    "period": "PERIOD",
    "treatment": "TRT",
    "reference": "A",
}


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
        tk.crossover(data, **ROLES, df=df).contrasts().single()
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
        gap = abs(1 - LEVEL - found["kr_covered"])
        if not cell.effect:
            gap = max(gap, abs(found["kr_rejected"] - LEVEL))
        is_sound = gap <= 3 * error + ALLOWANCE[cell.n] and found["failed"] <= MAX_FAILED[cell.n]
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


def pairs(n: int, correlation: float, carryover: float, rng: np.random.Generator) -> FloatArray:
    """Outcomes (R, n, 2) with a variance of one and no treatment effect; even subjects are AB.

    `carryover` is what B leaves behind for period 2 of BA, beyond what A leaves.
    """
    size = (TWO_STAGE_REPLICATIONS, n)
    y = sqrt(correlation) * rng.standard_normal((*size, 1))
    y = y + sqrt(1 - correlation) * rng.standard_normal((*size, 2))
    y[:, 1::2, 1] += carryover
    return y


def t_test(first: FloatArray, second: FloatArray) -> FloatArray:
    """Two-sided p (R,) of the t-test with one variance, values (R, n) each."""
    n, m = first.shape[1], second.shape[1]
    pooled = (n - 1) * first.var(axis=1, ddof=1) + (m - 1) * second.var(axis=1, ddof=1)
    se = np.sqrt(pooled / (n + m - 2) * (1 / n + 1 / m))
    return np.asarray(
        2 * special.stdtr(n + m - 2, -np.abs(first.mean(axis=1) - second.mean(axis=1)) / se)
    )


def procedures(y: FloatArray) -> dict[str, float]:
    """Type I error of the two-stage procedure and of the two analyses it chooses between."""
    ab, ba = y[:, ::2], y[:, 1::2]
    carryover = t_test(ab.sum(axis=2), ba.sum(axis=2))
    first = t_test(ab[..., 0], ba[..., 0])
    within = t_test(ab[..., 0] - ab[..., 1], ba[..., 0] - ba[..., 1])
    is_suspected = carryover < PRETEST_LEVEL
    staged = np.where(is_suspected, first, within)
    return {
        "suspected": float(is_suspected.mean()),
        "two-stage": float(np.mean(staged < LEVEL)),
        "within": float(np.mean(within < LEVEL)),
        "first": float(np.mean(first < LEVEL)),
        "first where suspected": float(np.mean(first[is_suspected] < LEVEL)),
    }


def two_stage_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """By size and correlation without carryover; by carryover at one size."""
    plain = [
        {"icc": icc, "n": n, **procedures(pairs(n, icc, 0.0, np.random.default_rng([SEED, n, k])))}
        for k, icc in enumerate(CORRELATIONS)
        for n in SIZES
    ]
    carried = [
        {
            "carryover": float(size),
            **procedures(
                pairs(CARRYOVER_N, CARRYOVER_CORRELATION, size, np.random.default_rng([SEED, k]))
            ),
        }
        for k, size in enumerate(CARRYOVERS)
    ]
    return pd.DataFrame(plain), pd.DataFrame(carried)


def check_t_test() -> None:
    """The within-subject analysis is `tk.crossover` with fixed subjects."""
    y = pairs(10, 0.5, 0.3, np.random.default_rng(SEED))[:CHECKED]
    within = t_test(y[:, ::2, 0] - y[:, ::2, 1], y[:, 1::2, 0] - y[:, 1::2, 1])
    for outcome, p_value in zip(y, within, strict=True):
        subject = np.repeat(np.arange(10), 2)
        is_second = np.tile([False, True], 10)
        data = pd.DataFrame(
            {
                "ID": subject,
                "SEQ": np.where(subject % 2 == 0, "AB", "BA"),
                "PERIOD": 1 + is_second,
                "TRT": np.where((subject % 2 == 0) == is_second, "B", "A"),
                "AVAL": outcome.ravel(),
            }
        )
        fixed = tk.crossover(data, **ROLES, subject_effect="fixed").contrasts().single()
        if abs(fixed.p_value - p_value) > TOLERANCE:
            raise RuntimeError("tk.crossover with fixed subjects gives another p-value.")


def draw(path: Path, plain: pd.DataFrame, carried: pd.DataFrame) -> None:
    from matplotlib import pyplot as plt

    from trialkit.figures.style import ARM_COLORS, INK, MUTED, quiet

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.3), layout="constrained")
    for shade, (icc, rows) in zip(
        ("#f0a878", "#d55e00", "#8a3d00"), plain.groupby("icc"), strict=True
    ):
        left.plot(rows["n"], 100 * rows["two-stage"], "o-", color=shade, markersize=4)
        left.annotate(
            f"r = {icc:g}",
            (rows["n"].iloc[-1], 100 * rows["two-stage"].iloc[-1]),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=shade,
        )
        left.plot(rows["n"], 100 * rows["within"], "s", color=ARM_COLORS[1], markersize=3.5)
    left.annotate(
        "within subjects, always",
        (20, 100 * LEVEL),
        xytext=(0, -12),
        textcoords="offset points",
        fontsize=8,
        color=ARM_COLORS[1],
    )
    left.set(xlabel="Subjects", ylim=(0, 12), xlim=(5, 70), xticks=SIZES)
    left.set_title("No carryover", fontsize=9, loc="left", color=INK)
    styles = {
        "two-stage": (ARM_COLORS[2], "-", "two-stage"),
        "within": (ARM_COLORS[1], "-", "within subjects"),
        "first": (ARM_COLORS[3], "--", "period 1 alone"),
    }
    for name, (color, line, label) in styles.items():
        right.plot(carried["carryover"], 100 * carried[name], line, color=color, label=label)
    right.set(xlabel="Carryover, in SDs of the outcome", ylim=(0, None), xlim=(0, 1.5))
    right.set_title(
        f"With carryover ({CARRYOVER_N} subjects, r = {CARRYOVER_CORRELATION:g})",
        fontsize=9,
        loc="left",
        color=INK,
    )
    right.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.axhline(100 * LEVEL, color=MUTED, linewidth=0.8, zorder=0)
        quiet(axes)
    left.set_ylabel("Type I error (%), nominal 5%")
    figure.savefig(path, dpi=200)
    plt.close(figure)


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
        "(they are in no rate). Judged are the coverage of Kenward-Roger and its type I error: "
        "within three standard errors and an allowance for the approximation "
        f"({', '.join(f'{ALLOWANCE[n]:g} at {n}' for n in SIZES)}). The naive normal reference "
        "is shown and not judged.\n",
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
        "## The two-stage procedure\n",
        f"{TWO_STAGE_REPLICATIONS:,} trials a row without a treatment effect; Monte Carlo "
        f"standard error {sqrt(LEVEL * (1 - LEVEL) / TWO_STAGE_REPLICATIONS):.4f}. Stage one "
        f"tests carryover at {100 * PRETEST_LEVEL:g}% on the subjects' sums; where it is "
        "significant, stage two compares the arms in period 1 alone, otherwise within subjects.\n",
        "![Type I error of the two-stage procedure](crossover_two_stage.png)\n",
        "| icc | n | carryover suspected | two-stage | within subjects | period 1 alone "
        "| period 1 where suspected |\n|---|---|---|---|---|---|---|",
        *(
            f"| {r['icc']:g} | {r['n']:.0f} | {r['suspected']:.4f} | {r['two-stage']:.4f} | "
            f"{r['within']:.4f} | {r['first']:.4f} | {r['first where suspected']:.4f} |"
            for _, r in plain.iterrows()
        ),
        "",
        _said_of_stages(plain, carried),
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


def _said_of_stages(plain: pd.DataFrame, carried: pd.DataFrame) -> str:
    worst = carried.loc[carried["two-stage"].idxmax()]
    return (
        f"Without any carryover the two-stage procedure rejects in "
        f"{100 * plain['two-stage'].min():.1f} to {100 * plain['two-stage'].max():.1f}% of trials "
        f"instead of 5%, because the test of period 1 is taken up just when chance has made "
        f"period 1 uneven: given a suspected carryover it rejects in "
        f"{100 * plain['first where suspected'].min():.0f} to "
        f"{100 * plain['first where suspected'].max():.0f}%. With carryover (right) it does not "
        f"protect either: its error reaches {100 * worst['two-stage']:.1f}% at a carryover of "
        f"{worst['carryover']:g} SD, where that of the within-subject analysis is "
        f"{100 * worst['within']:.1f}%; only period 1 alone, decided beforehand, keeps 5%.\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=5000)
    parser.add_argument("--write", type=Path, help="PATH for PATH.md and PATH_two_stage.png")
    chosen = parser.parse_args()
    check_t_test()
    plain, carried = two_stage_tables()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BoundaryWarning)
        table = coverage_table(chosen.replications)
    text = as_markdown(table, plain, carried, chosen.replications)
    print(text)
    if chosen.write:
        chosen.write.with_suffix(".md").write_text(text, encoding="utf-8")
        draw(chosen.write.with_name(f"{chosen.write.name}_two_stage.png"), plain, carried)
    if chosen.replications < MIN_REPLICATIONS_TO_CHECK:
        print(f"Fewer than {MIN_REPLICATIONS_TO_CHECK} replications: nothing is judged.")
        return 0
    error = sqrt(LEVEL * (1 - LEVEL) / TWO_STAGE_REPLICATIONS)
    is_level = plain[["within", "first"]].sub(LEVEL).abs().to_numpy().max() <= 4 * error
    return int(not is_level or bool((table["verdict"] != "ok").any()))


if __name__ == "__main__":
    sys.exit(main())
