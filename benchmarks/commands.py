"""Time of the commands a person waits for: `trialkit --help` and `trialkit reproduce`.

Clock time of the whole process, the best of several runs.

    python benchmarks/commands.py [--runs 5]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

COMMANDS = (("--help",), ("studies",), ("reproduce",))


def seconds(arguments: tuple[str, ...]) -> float:
    """Clock time of one run of the command; a command that fails ends the benchmark."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "trialkit", *arguments], check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def main() -> None:
    """Print a row a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    for arguments in COMMANDS:
        best = min(seconds(arguments) for _ in range(runs))
        print(f"trialkit {' '.join(arguments):<12} {best:8.2f} s")


if __name__ == "__main__":
    main()
