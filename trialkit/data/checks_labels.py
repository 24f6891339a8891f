"""Labels that read as one and count as two: a silent extra arm, visit or subject."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trialkit.data.coding import MISSING, Coded, normal_form
from trialkit.data.findings import Finding

__all__ = ["label_variants"]


def label_variants(coded: Coded) -> Iterator[Finding]:
    """Labels that differ in case, blanks, look-alike characters or type ("1" and 1) only."""
    if not any(isinstance(label, str) for label in coded.labels):
        return
    by_form: dict[str, list[int]] = {}
    for code, label in enumerate(coded.labels):
        by_form.setdefault(normal_form(label), []).append(code)
    groups = [codes for codes in by_form.values() if len(codes) > 1]
    if not groups:
        return
    counts = np.bincount(coded.codes[coded.codes != MISSING], minlength=len(coded.labels))
    for codes in groups:
        ranked = sorted(codes, key=lambda code: -counts[code])
        listed = ", ".join(f"{coded.labels[code]!r} ({counts[code]} rows)" for code in ranked)
        yield Finding(
            rule="label-variants",
            column=coded.column,
            count=int(sum(counts[code] for code in ranked[1:])),
            message=f"{coded.column} has labels that read as one and count as several: {listed}.",
        )
