"""A compared panel: its table of estimates, and what can be drawn and asked further."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from trialkit.analyses.panel_association import associations, marker_by_key
from trialkit.analyses.panel_cells import PanelCells
from trialkit.analyses.panel_choices import CENSORING, PanelOptions
from trialkit.analyses.panel_global import global_tests
from trialkit.analyses.panel_sensitivity import sensitivity_strip
from trialkit.analyses.panel_summary import PanelSummary, panel_summary
from trialkit.analyses.panel_units import PanelUnits, completed
from trialkit.errors import SpecError
from trialkit.results import EstimateTable, TestTable
from trialkit.typing import FloatArray

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["PanelTable"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class PanelTable(EstimateTable):
    """Estimates by analyte and contrast, with the measurements they came from.

    `n_assayed` is the number of analytes the laboratory measured, None where it is not known:
    the denominator of "17 were lower". `cells` and `units` (one entry a contrast) are locked
    arrays; they are what the summary, the figures, the global tests and the sensitivity strip
    are made from.
    """

    units: tuple[PanelUnits, ...]
    cells: PanelCells
    options: PanelOptions
    n_assayed: int | None = None

    def sensitivity(self, rules: Sequence[str] = CENSORING) -> EstimateTable:
        """Each analyte under every censoring rule; keys analyte, contrast, censoring.

        Variances are not moderated and p-values not adjusted: the strip asks whether the
        estimate depends on the rule. A rule that is not defined for an analyte has a status.
        """
        return sensitivity_strip(self.units, self.options, rules, variable=self.variable)

    def summary(self) -> PanelSummary:
        """Detection, mean and median of each analyte under each condition; keys analyte, condition.

        Every sample counts, also of subjects that a contrast could not use. `n` values, of
        `n_subjects`; `n_missing`; `n_below` and `n_above` their limits; `detected`, the share
        within. Kaplan-Meier for left-censored values (`km_mean_log2`, `km_q1_log2`,
        `km_median_log2`, `km_q3_log2`), robust regression on order statistics
        (`ros_mean_log2`, `ros_sd_log2`), normal maximum likelihood (`mle_mean_log2`,
        `mle_sd_log2`, divisor n). With transform="log2" also in the unit of the values:
        `km_median`, `ros_mean`, `ros_sd`, `ros_median`, and of the lognormal distribution
        `mle_mean`, `mle_median`. What cannot be had is NaN and `status` says why.

        References: Helsel (2012) Statistics for censored environmental data; Helsel & Cohn
        (1988), doi:10.1029/WR024i012p01997.
        """
        if not self.cells.is_log:
            raise SpecError('summary() describes logarithms: transform="log2" or "none".')
        return panel_summary(
            self.cells,
            self.keys["analyte"],
            variable=self.variable,
            in_units=self.options.transform == "log2",
        )

    def global_test(
        self,
        families: Mapping[str, Sequence[object]] | None = None,
        *,
        permutations: int | pd.DataFrame | None = None,
        rng: np.random.Generator | int | None = None,
    ) -> TestTable:
        """Tests of no difference in any analyte, by family; keys family, contrast, test.

        `families` maps a name to its analytes (None: the whole panel). Tests: "obrien-ols"
        and "obrien-gls" (a common direction, t), "hotelling" (F; where the analytes are no
        more than the degrees of freedom), "sum-of-squares" (of the t statistics, by
        permutation within the design; `permutations` and `rng` as in `compare_panel`).
        Subjects with a value for every analyte of the family. Under "tobit" the first three
        take half the limit for censored values, and the last the scores of the tobit fit.

        References: O'Brien (1984), doi:10.2307/2531158; Hotelling (1931).
        """
        return global_tests(
            self.units,
            self.options,
            families=families,
            permutations=permutations,
            rng=rng,
            variable=self.variable,
        )

    def associate(
        self,
        marker: Mapping[object, float] | Mapping[tuple[object, ...], float] | pd.Series,
        *,
        name: str,
        method: Literal["spearman", "repeated"] = "spearman",
        adjust: str = "fdr_bh",
    ) -> EstimateTable:
        """Correlation of each analyte with a `marker`; keys analyte, contrast.

        method="spearman": `marker` maps a subject to a number (a change in symptoms, a baseline
        ESR), and the analyte's value is its difference within a subject, or its level between
        arms; p exact up to nine subjects, interval by Bonett & Wright (2000).
        "repeated" (within subjects only; pingouin's rm_corr): `marker` maps (subject,
        condition), or with several draws (subject, condition, draw), to a number of that
        occasion; what both have in common within subjects, with one intercept a subject.
        Its t has df = occasions - subjects - 1; interval by Fisher's z with variance 1 / (df - 1).
        Censored values stand at half their limit under "tobit".

        References: Bonett & Wright (2000), doi:10.1007/BF02294183; Bakdash & Marusich (2017),
        doi:10.3389/fpsyg.2017.00456.
        """
        return associations(
            self.units,
            self.options,
            marker_by_key(marker, name),
            name=name,
            method=method,
            adjust=adjust,
        )

    def volcano(
        self, ax: Axes | None = None, *, level: float = 0.05, contrast: str | None = None
    ) -> Axes:
        """p-values over fold changes; analytes with `p_adjusted` below `level` are labelled."""
        from trialkit.figures.volcano import volcano

        table = self._one(contrast)
        adjusted = table.p_adjusted or tuple(row.p_value for row in table.estimates)
        x = "log2 fold change" if self.cells.is_log else f"Difference in {self.variable}"
        return volcano(
            labels=[str(name) for name in table.keys["analyte"]],
            log2_fold=[row.estimate for row in table.estimates],
            p_value=[row.p_value for row in table.estimates],
            is_marked=[value < level for value in adjusted],
            x_label=f"{x}, {table.keys['contrast'][0]}",
            y_label=f"p (labelled: adjusted p < {level:g})",
            ax=ax,
        )

    def forest(self, ax: Axes | None = None, *, contrast: str | None = None) -> Axes:
        """Fold changes with their intervals on a logarithmic axis."""
        from trialkit.figures.forest import forest

        if not self.cells.is_log:
            raise SpecError('transform="linear" has no fold changes; plot() draws the differences.')
        table = self._one(contrast)
        level = 100 * table.estimates[0].ci_level
        fold = {name: _numbers(table.extras[name]) for name in FOLD}
        return forest(
            labels=[str(name) for name in table.keys["analyte"]],
            estimate=fold["fold_change"],
            low=fold["fold_change_low"],
            high=fold["fold_change_high"],
            is_ratio=True,
            x_label=f"Fold change, {table.keys['contrast'][0]} ({level:g}% CI)",
            ax=ax,
        )

    def heatmap(self, ax: Axes | None = None, *, contrast: str | None = None) -> Axes:
        """Standardized differences of every subject (paired), or values (parallel), clustered.

        Rows are divided by their standard deviation (parallel: after subtracting the mean of
        the reference) and ordered by average-linkage clustering of their correlations. Where a
        bound stands for a censored value the cell has a dot: its size, and with both values
        censored its sign, come from the bounds.
        """
        from trialkit.figures.heatmap import heatmap

        units = self._units(contrast)
        z = _standardized(units)
        order = _clustered(z)
        columns = np.argsort(units.labels, kind="stable")
        if units.is_within:
            columns = np.arange(len(units.subjects))
        breaks = [] if units.is_within else [int((units.labels == 0).sum())]
        unit = "difference / SD" if units.is_within else "(value - reference mean) / SD"
        is_censored = (units.side != 0).any(axis=(2, 3))
        dots = "\ndots: a bound stands for a censored value" if is_censored.any() else ""
        return heatmap(
            values=z[order][:, columns],
            marked=is_censored[order][:, columns],
            rows=[str(units.analytes[i]) for i in order],
            columns=[str(units.subjects[i]) for i in columns],
            breaks=breaks,
            bar_label=unit,
            x_label=f"{units.contrast}{dots}",
            ax=ax,
        )

    def detection(self, ax: Axes | None = None, *, contrast: str | None = None) -> Axes:
        """Shares of values within the limits, by analyte and condition."""
        from trialkit.figures.detection import detection_bars

        table, units = self._one(contrast), self._units(contrast)
        return detection_bars(
            labels=[str(name) for name in table.keys["analyte"]],
            reference=_numbers(table.extras["detected_reference"]),
            condition=_numbers(table.extras["detected"]),
            names=(str(units.conditions[0]), str(units.conditions[1])),
            ax=ax,
        )

    def paired_lines(
        self, analyte: object, ax: Axes | None = None, *, contrast: str | None = None
    ) -> Axes:
        """Each subject's two values of one analyte, joined; censored ones hollow at the bound."""
        from trialkit.figures.paired_lines import paired_lines

        units = self._units(contrast)
        if not units.is_within:
            raise SpecError("paired_lines() needs both conditions in each subject.")
        if analyte not in units.analytes:
            raise SpecError(f"{analyte!r} is no analyte of the panel.")
        row = units.analytes.index(analyte)
        values, side = units.condition_means(units.y)[row], units.side[row]
        return paired_lines(
            reference=values[:, 0],
            condition=values[:, 1],
            is_censored=(side != 0).any(axis=2),
            names=(str(units.conditions[0]), str(units.conditions[1])),
            title=str(analyte),
            y_label=self.variable,
            ax=ax,
        )

    def _units(self, contrast: str | None) -> PanelUnits:
        names = list(dict.fromkeys(self.keys["contrast"]))
        wanted = contrast
        if wanted is None:
            if len(names) != 1:
                raise SpecError(f"The panel has {len(names)} contrasts; give contrast=: {names}.")
            wanted = str(names[0])
        for item in self.units:
            if item.contrast == wanted:
                return item
        raise SpecError(f"No contrast {wanted!r}; the panel has {names}.")

    def _one(self, contrast: str | None) -> PanelTable:
        return self.where(contrast=self._units(contrast).contrast)


FOLD = ("fold_change", "fold_change_low", "fold_change_high")


def _numbers(values: Sequence[object]) -> FloatArray:
    return np.array(values, dtype=np.float64)


def _standardized(units: PanelUnits) -> FloatArray:
    y = units.response(completed(units, "tobit"))
    y = np.where(units.used, y, np.nan)
    known = ~np.isnan(y)
    centre = np.zeros((y.shape[0], 1))
    if not units.is_within:
        reference = np.where(units.labels == 0, y, np.nan)
        n = np.maximum((~np.isnan(reference)).sum(axis=1, keepdims=True), 1)
        centre = np.nansum(reference, axis=1, keepdims=True) / n
    n = known.sum(axis=1, keepdims=True)
    mean = np.nansum(y, axis=1, keepdims=True) / np.maximum(n, 1)
    rest = np.where(known, y - mean, 0.0)
    sd = np.sqrt(np.sum(rest**2, axis=1, keepdims=True) / np.maximum(n - 1, 1))
    return np.asarray((y - centre) / np.where(sd > 0, sd, np.nan))


def _clustered(z: FloatArray) -> list[int]:
    """Rows in the order of average linkage over one minus their correlation."""
    filled = np.where(np.isnan(z), 0.0, z)
    if filled.shape[0] < 3:
        return list(range(filled.shape[0]))
    from scipy.cluster.hierarchy import leaves_list, linkage

    centred = filled - filled.mean(axis=1, keepdims=True)
    size = np.sqrt(np.sum(centred**2, axis=1, keepdims=True))
    scaled = centred / np.where(size > 0, size, 1.0)
    distance = np.clip(1 - scaled @ scaled.T, 0.0, 2.0)
    condensed = distance[np.triu_indices(distance.shape[0], 1)]
    return [int(i) for i in leaves_list(linkage(condensed, method="average"))]
