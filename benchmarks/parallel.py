"""Parallel-group analyses beside their nearest peers, same data, one run.

From formula (or columns) to table, best of several repeats, in milliseconds. Peers that are not
installed are named, not skipped in silence. R's time leaves out starting R and reading the data.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.stats
import statsmodels.formula.api as smf

import trialkit as tk

FORMULA = "CHG ~ TRT01P + BASE + SITE"
R_ANCOVA = """
d <- read.csv("{file}"); d$TRT01P <- relevel(factor(d$TRT01P), ref = "Placebo")
d$SITE <- factor(d$SITE); best <- Inf
for (i in 1:{repeats}) {{ t0 <- proc.time()[[3]]
  m <- lm(CHG ~ TRT01P + BASE + SITE, d); s <- summary(m); k <- confint(m)
  best <- min(best, proc.time()[[3]] - t0) }}
cat(1000 * best)
"""


def trial(n: int, seed: int = 20260101) -> pd.DataFrame:
    """`n` subjects of three arms at eight sites, change and baseline of a pain score."""
    rng = np.random.default_rng(seed)
    arm = np.array(["Placebo", "LDN 3.0 mg", "LDN 4.5 mg"])[rng.integers(0, 3, n)]
    base = rng.normal(6.4, 1.1, n)
    change = -1.0 - 0.5 * (arm == "LDN 4.5 mg") - 0.3 * (base - 6.4) + rng.normal(0, 1.7, n)
    site = np.array([f"S{k}" for k in range(8)])[rng.integers(0, 8, n)]
    return pd.DataFrame({"TRT01P": arm, "BASE": base, "CHG": change, "SITE": site})


def best_of(action: Callable[[], object], repeats: int) -> float:
    """The shortest of `repeats` runs, in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def r_milliseconds(data: pd.DataFrame, repeats: int) -> float | None:
    """Best time of R's lm with summary and intervals, or None without Rscript."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.csv"
        data.to_csv(file, index=False)
        script = R_ANCOVA.format(file=file.as_posix(), repeats=repeats)
        done = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Print one table."""
    print(f"{'analysis':<34}{'n':>9}{'trialkit':>12}{'statsmodels':>13}{'scipy':>10}{'R lm':>10}")
    for n in (200, 10_000, 1_000_000):
        data = trial(n)
        repeats = 20 if n < 1000 else 3
        ours = best_of(
            lambda data=data: tk.ancova(
                FORMULA, data, arm="TRT01P", reference="Placebo"
            ).contrasts(),
            repeats,
        )
        theirs = best_of(lambda data=data: smf.ols(FORMULA, data).fit().summary(), repeats)
        r = r_milliseconds(data, repeats)
        r_text = "absent" if r is None else f"{r:.1f}"
        print(
            f"{'ANCOVA, 3 arms, 8 sites':<34}{n:>9}{ours:>12.1f}{theirs:>13.1f}{'':>10}{r_text:>10}"
        )
    for n in (60, 400):
        data = trial(n).query("TRT01P != 'LDN 3.0 mg'")
        x = data.loc[data["TRT01P"] != "Placebo", "CHG"]
        y = data.loc[data["TRT01P"] == "Placebo", "CHG"]
        ours = best_of(
            lambda data=data: tk.rank_sum(
                data, outcome="CHG", arm="TRT01P", reference="Placebo", exact=True
            ),
            5,
        )
        theirs = best_of(lambda x=x, y=y: scipy.stats.mannwhitneyu(x, y, method="exact"), 5)
        label = "rank sum, exact, with interval *"
        print(f"{label:<34}{len(data):>9}{ours:>12.1f}{'':>13}{theirs:>10.1f}{'':>10}")
    print("* scipy gives the p-value only: no shift and no interval.")


if __name__ == "__main__":
    main()
