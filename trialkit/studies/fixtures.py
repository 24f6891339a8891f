"""Where the bundled studies are, and the published figures of each."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from trialkit.errors import DataError, SpecError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["fixtures_root", "names", "read_figures", "study_folder", "trials"]

FIGURES_FILE = "published.csv"
# A trial made to show a method carries a plan and data, and no published figure.
TRIAL_FILE = "adsl.csv"
FIGURE_COLUMNS = (
    "study",
    "doi",
    "arm",
    "outcome",
    "timepoint",
    "statistic",
    "value",
    "printed",
    "granularity",
    "unit",
    "provenance",
    "note",
)


def fixtures_root() -> Path:
    """Folder of the bundled studies: inside an installed package, or beside a checkout.

    Raises DataError where neither exists, as in a wheel built without them.
    """
    package = Path(str(files("trialkit")))
    for folder in (package / "_fixtures", package.parent / "fixtures"):
        if folder.is_dir():
            return folder
    raise DataError(f"The published studies are not installed beside {package}; reinstall.")


def names() -> tuple[str, ...]:
    """Names of the bundled studies, sorted.

    Example
    -------
    >>> import trialkit as tk
    >>> "final2024" in tk.studies.names()
    True
    """
    return tuple(sorted(path.parent.name for path in fixtures_root().glob(f"*/{FIGURES_FILE}")))


def trials() -> tuple[str, ...]:
    """Names of the bundled studies and made-up trials that hold data, sorted.

    Example
    -------
    >>> from trialkit.studies.fixtures import trials
    >>> "informative_dropout" in trials()
    True
    """
    return tuple(sorted(path.parent.name for path in fixtures_root().glob(f"*/{TRIAL_FILE}")))


def study_folder(name: str) -> Path:
    """Folder of a bundled study or trial; SpecError for an unknown name, nearest names first."""
    known = tuple(sorted({*names(), *trials()}))
    if name in known:
        return fixtures_root() / name
    near = get_close_matches(str(name), known, n=len(known), cutoff=0.5)
    listed = [*near, *(other for other in known if other not in near)]
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise SpecError(f"No bundled study is called {name!r}.{hint} Bundled: {', '.join(listed)}.")


def read_figures(folder: Path) -> pd.DataFrame:
    """The published figures of a folder, every entry as text (an empty one is "").

    A trial made up to show a method has none: the frame is empty.
    """
    import pandas as pd

    if not (folder / FIGURES_FILE).is_file():
        return pd.DataFrame({name: pd.Series(dtype=str) for name in FIGURE_COLUMNS})
    return pd.read_csv(folder / FIGURES_FILE, dtype=str, keep_default_na=False)
