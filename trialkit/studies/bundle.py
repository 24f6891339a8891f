"""The published studies that travel with trialkit, and what each holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from trialkit.data.reading import read
from trialkit.plan import Plan, load_plan
from trialkit.studies.fixtures import read_figures, study_folder

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Study", "load"]

PLAN_FILE = "plan.toml"
README_FILE = "README.md"
# The synthetic trial's analysis data sets; the other CSV files of a folder describe figures.
DATA_PREFIX = "ad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One published study: its figures and, where there is one, a synthetic trial and its plan.

    `figures` has the columns of `published.csv`, all text, one row a figure. `data` maps a data
    set's name ("adsl", "adqs") to its frame and is empty for a study without a synthetic trial;
    `plan` is then None. `readme` says what is synthetic, how it was made and from which seed.
    """

    name: str
    folder: Path
    data: Mapping[str, pd.DataFrame]
    plan: Plan | None
    figures: pd.DataFrame
    readme: str

    def __repr__(self) -> str:
        sets = ", ".join(f"{name} {frame.shape[0]} rows" for name, frame in self.data.items())
        return (
            f"Study {self.name}: {len(self.figures)} published figures; "
            f"synthetic data: {sets or 'none'}; plan: {'yes' if self.plan else 'none'}"
        )


def load(name: str) -> Study:
    """One bundled study by name: published figures, synthetic data, plan and README.

    Raises SpecError for an unknown name, nearest names first.

    Example
    -------
    >>> import trialkit as tk
    >>> study = tk.studies.load("irwin2024")
    >>> study.figures.loc[study.figures["statistic"] == "p", "printed"].item()
    '0.022'
    """
    folder = study_folder(name)
    plan_path = folder / PLAN_FILE
    readme = folder / README_FILE
    return Study(
        name=name,
        folder=folder,
        data=MappingProxyType(
            {path.stem: read(path) for path in sorted(folder.glob(f"{DATA_PREFIX}*.csv"))}
        ),
        plan=load_plan(plan_path) if plan_path.is_file() else None,
        figures=read_figures(folder),
        readme=readme.read_text(encoding="utf-8") if readme.is_file() else "",
    )
