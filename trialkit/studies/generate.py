"""Makes the synthetic data of the bundled studies again, byte for byte.

`python -m trialkit.studies.generate [STUDY ...] [--out DIR]` writes each study's data sets and
`calibrated.csv`, the list of published figures that were used to make them, into DIR/STUDY
(the bundled folder when left out).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from trialkit.data.writing import write_csv
from trialkit.errors import SpecError
from trialkit.studies.fixtures import FIGURES_FILE, fixtures_root
from trialkit.studies.synthetic.figure_book import CALIBRATED_COLUMNS, FigureBook

__all__ = ["SEEDS", "generate", "main"]

# The seed of each study's bundled data. Another seed gives other data with the same figures.
SEEDS = MappingProxyType(
    {
        "bested2023": 20230801,
        "final2024": 20240105,
        "informative_dropout": 20261122,
        "innova2026": 20260630,
        "irwin2024": 20240113,
        "parkitny2017": 20170516,
        "polo2019": 20191204,
        "younger2009": 20090501,
        "younger2013": 20130201,
    }
)
# Trials made up to show a method, after no publication.
WITHOUT_FIGURES = frozenset({"informative_dropout"})

Maker = Callable[..., dict[str, pd.DataFrame]]


def generate(
    name: str,
    folder: str | os.PathLike[str],
    *,
    seed: int | None = None,
    figures: str | os.PathLike[str] | None = None,
) -> list[Path]:
    """Write the synthetic data sets of a study into a folder; the paths written.

    `seed` is the bundled one when left out (`SEEDS`); `figures` another `published.csv` than the
    bundled one. Raises SpecError for a study without synthetic data, DesignError with the
    proof where no data can carry the figures.

    Example
    -------
    >>> import tempfile
    >>> from trialkit.studies.generate import generate
    >>> [path.name for path in generate("polo2019", tempfile.mkdtemp())]
    ['adsl.csv', 'calibrated.csv']
    """
    if name not in SEEDS:
        raise SpecError(f"{name!r} has no synthetic data. Studies that do: {', '.join(SEEDS)}.")
    source = fixtures_root() / name / FIGURES_FILE if figures is None else Path(figures)
    make: Maker = import_module(f"trialkit.studies.synthetic.{name}").make
    chosen = SEEDS[name] if seed is None else seed
    if name in WITHOUT_FIGURES:
        frames = make(seed=chosen)
    else:
        book = FigureBook.read(source)
        frames = make(book, seed=chosen)
        frames["calibrated"] = pd.DataFrame(book.calibrated(), columns=list(CALIBRATED_COLUMNS))
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for stem, frame in frames.items():
        path = target / f"{stem}.csv"
        write_csv(frame, path)
        written.append(path)
    return written


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: which studies, and where to."""
    parser = argparse.ArgumentParser(
        prog="python -m trialkit.studies.generate",
        description="Make the synthetic data of the bundled studies again.",
    )
    parser.add_argument("study", nargs="*", help=f"{', '.join(SEEDS)}; all when left out")
    parser.add_argument("--out", type=Path, help="folder to write to, one folder a study")
    parser.add_argument("--seed", type=int, help="another seed than the bundled one")
    chosen = parser.parse_args(arguments)
    root = fixtures_root() if chosen.out is None else chosen.out
    if chosen.seed is not None and chosen.out is None:
        parser.error("--seed needs --out: the bundled data have their own seed.")
    unknown = [name for name in chosen.study if name not in SEEDS]
    if unknown:
        parser.error(f"{', '.join(unknown)} has no synthetic data; {', '.join(SEEDS)} have.")
    for name in chosen.study or SEEDS:
        for path in generate(name, root / name, seed=chosen.seed):
            print(path)


if __name__ == "__main__":
    main()
