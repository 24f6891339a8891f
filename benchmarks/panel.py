"""Time and peak memory of Westfall-Young max-T on panels, beside what else is installed.

Every contender gets the same numbers in one run, each in a process of its own (peak memory is
that process's), linear algebra on one thread. Times are seconds of processor.

    python benchmarks/panel.py [--quick] [--limit 600]

Cases: 5,000 analytes by 100 subjects in two arms, 10,000 permutations (step-down max-T of
Student's t); 63 analytes by 8 subjects before and after, all 256 sign flips; 100 censored
analytes by 100 subjects, tobit. Contenders: trialkit, from a long frame to the table of results
and its permutation engine alone; R's multtest::mt.maxT (one core, as it comes); a loop over
analytes with statsmodels' OLS, without permutations; R's survival::survreg in a loop. A
contender that is not installed is named as missing.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

SEED = 20261101
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
FULL, QUICK = (5000, 100, 10_000), (500, 60, 1000)
R_MAXT = """
suppressPackageStartupMessages(library(multtest))
x <- matrix(readBin("{values}", "double", {m} * {n}), {m}, {n}, byrow = TRUE)
g <- rep(0:1, {half}); set.seed(1)
t <- sum(system.time(r <- mt.maxT(x, g, test = "{test}", side = "abs", B = {b}))[1:2])
cat("\\nseconds", t, "\\n")
"""
R_TOBIT = """
library(survival)
y <- matrix(readBin("{values}", "double", {m} * {n}), {m}, {n}, byrow = TRUE)
g <- rep(0:1, {half}); l <- apply(y, 1, quantile, .3)
t <- sum(system.time(for (i in 1:{m}) {{ z <- pmax(y[i, ], l[i])
  summary(survreg(Surv(z, z > l[i], type = "left") ~ g, dist = "gaussian")) }})[1:2])
cat("\\nseconds", t, "\\n")
"""


def values(m: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(SEED)
    y = rng.normal(5, 1, (m, 1)) + rng.normal(size=(m, n))
    y[: m // 50, 1::2] -= 0.8
    return y


def long_frame(y: np.ndarray, *, paired: bool) -> pd.DataFrame:
    m, n = y.shape
    who = [f"S{i // 2 if paired else i:03d}" for i in range(n)]
    return pd.DataFrame(
        {
            "USUBJID": np.tile(who, m),
            "ARM": np.tile(["A", "B"] * (n // 2), m),
            "PARAMCD": np.repeat([f"P{j:04d}" for j in range(m)], n),
            "AVAL": y.ravel(),
        }
    )


def trialkit_table(m: int, n: int, b: int, *, paired: bool) -> float:
    import trialkit as tk

    frame = long_frame(values(m, n), paired=paired)
    options = {} if paired else {"permutations": b, "rng": 1}
    start = time.process_time()
    tk.compare_panel(
        frame,
        analyte="PARAMCD",
        value="AVAL",
        subject="USUBJID",
        design="paired" if paired else "parallel",
        condition="ARM",
        reference="A",
        transform="none",
        adjust="maxt",
        **options,
    ).frame()
    return time.process_time() - start


def trialkit_engine(m: int, n: int, b: int) -> float:
    from trialkit.kernels.arrangements import Labels
    from trialkit.kernels.effect_rows import effect_correlations, project
    from trialkit.kernels.step_down import step_down_max

    y = values(m, n)
    labels = np.tile([0.0, 1.0], n // 2)
    start = time.process_time()
    rows = project(y, np.ones((n, 1)))
    source = Labels(labels=labels, strata=np.zeros(n, dtype=np.int64))

    def size(block: np.ndarray) -> np.ndarray:
        return np.abs(effect_correlations(rows, block))

    draws = source.sample(b, 200, np.random.default_rng(1))
    step_down_max(size(labels[None])[:, 0], map(size, draws), includes_observed=False)
    return time.process_time() - start


def trialkit_tobit(m: int, n: int) -> float:
    import trialkit as tk

    y = values(m, n)
    limit = np.quantile(y, 0.3, axis=1)
    frame = long_frame(y, paired=False).assign(LLOQ=np.repeat(limit, n))
    start = time.process_time()
    tk.compare_panel(
        frame,
        analyte="PARAMCD",
        value="AVAL",
        subject="USUBJID",
        design="parallel",
        condition="ARM",
        reference="A",
        transform="none",
        lloq="LLOQ",
    ).frame()
    return time.process_time() - start


def statsmodels_loop(m: int, n: int) -> float:
    from statsmodels.regression.linear_model import OLS

    y = values(m, n)
    x = np.column_stack([np.ones(n), np.tile([0.0, 1.0], n // 2)])
    start = time.process_time()
    for row in y:
        OLS(row, x).fit().summary2()
    return time.process_time() - start


INSIDE = {
    "table": lambda m, n, b: trialkit_table(m, n, b, paired=False),
    "pairs": lambda m, n, b: trialkit_table(m, n, b, paired=True),
    "engine": trialkit_engine,
    "tobit": lambda m, n, _: trialkit_tobit(m, n),
    "statsmodels": lambda m, n, _: statsmodels_loop(m, n),
}


def run_here(kind: str, m: int, n: int, b: int) -> None:
    INSIDE[kind](20, 16, 50)  # once small: imports are not what is timed
    seconds = INSIDE[kind](m, n, b)
    print("seconds", seconds)
    print("megabytes", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def python(kind: str, m: int, n: int, b: int, limit: float) -> tuple[float, float] | str:
    command = [sys.executable, __file__, "--inside", kind, str(m), str(n), str(b)]
    return measured(command, limit)


def r_script(code: str, package: str, limit: float) -> tuple[float, float] | str:
    if shutil.which("Rscript") is None:
        return "Rscript not installed"
    found = subprocess.run(
        ["Rscript", "-e", f'cat(requireNamespace("{package}", quietly = TRUE))'],
        capture_output=True,
        text=True,
        check=False,
    )
    if "TRUE" not in found.stdout:
        return f"R package {package} not installed"
    return measured(["Rscript", "-e", code], limit)


def measured(command: list[str], limit: float) -> tuple[float, float] | str:
    try:
        done = subprocess.run(
            ["/usr/bin/env", *(f"{k}={v}" for k, v in THREADS.items()), *command],
            capture_output=True,
            text=True,
            timeout=limit,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return f"stopped after {limit:g} s"
    except subprocess.CalledProcessError as problem:
        return f"failed: {problem.stderr.strip().splitlines()[-1:]}"
    lines = [line.split() for line in done.stdout.splitlines()]
    found = {line[-2]: line[-1] for line in lines if len(line) >= 2}
    return float(found["seconds"]), float(found.get("megabytes", "nan"))


def report(name: str, result: tuple[float, float] | str, base: float | None) -> float | None:
    if isinstance(result, str):
        print(f"  {name:<46} {result}")
        return None
    seconds, memory = result
    ratio = f"  {seconds / base:6.1f} x trialkit's table" if base else ""
    shown = f"{memory:7.0f} MB" if memory == memory else " " * 10
    print(f"  {name:<46} {seconds:9.3f} s {shown}{ratio}", flush=True)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small case")
    parser.add_argument("--limit", type=float, default=900, help="seconds a contender may take")
    parser.add_argument("--inside", nargs=4, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        kind, *sizes = chosen.inside
        run_here(kind, *map(int, sizes))
        return
    m, n, b = QUICK if chosen.quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        path = os.fspath(Path(folder) / "values.bin")

        def r_max_t(m: int, n: int, b: int, test: str) -> tuple[float, float] | str:
            values(m, n).tofile(path)
            code = R_MAXT.format(values=path, m=m, n=n, half=n // 2, b=b, test=test)
            return r_script(code, "multtest", chosen.limit)

        print(f"{m} analytes x {n} subjects, two arms, {b} permutations, step-down max-T")
        base = report("trialkit, frame to table", python("table", m, n, b, chosen.limit), None)
        report("trialkit, permutation engine", python("engine", m, n, b, chosen.limit), base)
        report("R multtest::mt.maxT", r_max_t(m, n, b, "t.equalvar"), base)
        loop = python("statsmodels", m, n, b, chosen.limit)
        report("statsmodels OLS loop, no permutations", loop, base)
        print("63 analytes x 8 subjects before and after, all 256 sign flips")
        base = report("trialkit, frame to table", python("pairs", 63, 16, 0, chosen.limit), None)
        report("R multtest::mt.maxT, B = 0", r_max_t(63, 16, 0, "pairt"), base)
        print("100 analytes x 100 subjects, 30% below their limit, tobit")
        base = report("trialkit, frame to table", python("tobit", 100, 100, 0, chosen.limit), None)
        values(100, 100).tofile(path)
        code = R_TOBIT.format(values=path, m=100, n=100, half=50)
        report("R survival::survreg loop", r_script(code, "survival", chosen.limit), base)


if __name__ == "__main__":
    main()
