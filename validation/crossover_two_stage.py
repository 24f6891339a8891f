"""What testing carryover first does to the type I error of an AB/BA trial.

The two-stage procedure (Grizzle 1965, Biometrics 21:467-480): test carryover at 10% on the
subjects' sums; where it is significant compare the arms in period 1 alone, otherwise within
subjects (Freeman 1989, doi:10.1002/sim.4780081202). trialkit does not offer it. Run by
`crossover.py`.
"""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

import trialkit as tk
from trialkit.typing import FloatArray

SEED = 20260305
LEVEL, PRETEST_LEVEL = 0.05, 0.10
SIZES = (8, 12, 20, 30, 60)
REPLICATIONS = 100_000
CORRELATIONS = (0.2, 0.5, 0.8)
CARRYOVERS = np.linspace(0, 1.5, 16)
CARRYOVER_N, CARRYOVER_CORRELATION = 28, 0.64
# Trials that also go through the public function, and how closely they must agree.
CHECKED, TOLERANCE = 10, 1e-9
ROLES = {
    "outcome": "AVAL",
    "subject": "ID",
    "sequence": "SEQ",
    "period": "PERIOD",
    "treatment": "TRT",
    "reference": "A",
}


def pairs(n: int, correlation: float, carryover: float, rng: np.random.Generator) -> FloatArray:
    """Outcomes (R, n, 2) with a variance of one and no treatment effect; even subjects are AB.

    `carryover` is what B leaves behind for period 2 of BA, beyond what A leaves.
    """
    size = (REPLICATIONS, n)
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


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
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
    left.annotate("two-stage procedure", (8, 10.2), fontsize=8, color=ARM_COLORS[2])
    left.set_title(
        "a  No carryover; r: correlation within subjects", fontsize=9, loc="left", color=INK
    )
    styles = {
        "two-stage": (ARM_COLORS[2], "-", "two-stage"),
        "within": (ARM_COLORS[1], "-", "within subjects"),
        "first": (ARM_COLORS[3], "--", "period 1 alone"),
    }
    for name, (color, line, label) in styles.items():
        right.plot(carried["carryover"], 100 * carried[name], line, color=color, label=label)
    right.set(xlabel="Carryover, in SDs of the outcome", ylim=(0, 105), xlim=(0, 1.5))
    right.set_title(
        f"b  With carryover; {CARRYOVER_N} subjects, r = {CARRYOVER_CORRELATION:g}",
        fontsize=9,
        loc="left",
        color=INK,
    )
    right.legend(frameon=False, fontsize=8, loc="upper left")
    for axes in (left, right):
        axes.axhline(100 * LEVEL, color=MUTED, linewidth=0.8, zorder=0)
        quiet(axes)
    left.set_ylabel("Type I error (%), nominal 5%")
    figure.savefig(path, dpi=200)
    plt.close(figure)


def is_level(plain: pd.DataFrame) -> bool:
    """Whether either analysis alone keeps its level, within four Monte Carlo standard errors."""
    error = sqrt(LEVEL * (1 - LEVEL) / REPLICATIONS)
    return bool(plain[["within", "first"]].sub(LEVEL).abs().to_numpy().max() <= 4 * error)


def as_markdown(plain: pd.DataFrame, carried: pd.DataFrame) -> str:
    """The page's part on the procedure: its tables and what they show."""
    parts = [
        "## The two-stage procedure\n",
        f"{REPLICATIONS:,} trials a row without a treatment effect; Monte Carlo "
        f"standard error {sqrt(LEVEL * (1 - LEVEL) / REPLICATIONS):.4f}. Stage one "
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
        f"With carryover, {CARRYOVER_N} subjects and icc {CARRYOVER_CORRELATION:g} (right):\n",
        "| carryover, SDs | carryover suspected | two-stage | within subjects | period 1 alone |\n"
        "|---|---|---|---|---|",
        *(
            f"| {r['carryover']:.1f} | {r['suspected']:.4f} | {r['two-stage']:.4f} | "
            f"{r['within']:.4f} | {r['first']:.4f} |"
            for _, r in carried.iloc[::3].iterrows()
        ),
        "",
        _said(plain, carried),
    ]
    return "\n".join(parts)


def _said(plain: pd.DataFrame, carried: pd.DataFrame) -> str:
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
