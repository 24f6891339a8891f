"""The bundled studies are found, listed and loaded."""

from __future__ import annotations

import pytest

import trialkit as tk
from trialkit.errors import SpecError
from trialkit.studies.fixtures import fixtures_root

STUDIES = {
    "bested2023",
    "final2024",
    "innova2026",
    "irwin2024",
    "nielsen2026_final_resp",
    "polo2019",
    "younger2009",
    "younger2013",
}


def test_every_study_with_figures_is_listed() -> None:
    assert set(tk.studies.names()) >= STUDIES
    assert list(tk.studies.names()) == sorted(tk.studies.names())


@pytest.mark.parametrize("name", sorted(STUDIES))
def test_figures_are_text_as_printed(name: str) -> None:
    study = tk.studies.load(name)
    assert study.folder == fixtures_root() / name
    assert set(study.figures["study"]) == {name}
    assert all(isinstance(value, str) for value in study.figures["printed"])
    assert name in repr(study)


@pytest.mark.parametrize("name", ["final2024", "innova2026"])
def test_a_trial_comes_with_data_and_plan(name: str) -> None:
    study = tk.studies.load(name)
    assert {"adsl", "adqs", "adae"} <= set(study.data)
    assert study.plan is not None
    assert "seed" in study.readme.lower()
    assert "published" not in study.data


def test_data_are_read_only_by_name() -> None:
    study = tk.studies.load("final2024")
    with pytest.raises(TypeError):
        study.data["adsl"] = None  # type: ignore[index]


def test_an_unknown_name_lists_the_near_ones_first() -> None:
    with pytest.raises(SpecError, match=r"Did you mean 'final2024'\? Bundled: final2024, "):
        tk.studies.load("final")
    with pytest.raises(SpecError, match=r"No bundled study is called '\.\./final2024'"):
        tk.studies.load("../final2024")
