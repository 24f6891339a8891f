"""Every method of a plan takes the arguments of its public function, with the same defaults."""

from __future__ import annotations

import inspect
import types
import typing
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pandas.testing import assert_frame_equal
from plan.tiny import ESTIMAND, HEAD, PRIMARY, tiny_data, write_plan
from pydantic import TypeAdapter, ValidationError

import trialkit as tk
from trialkit.analyses.linear_estimates import LinearEstimates
from trialkit.analyses.mmrm_fit import MmrmFit
from trialkit.analyses.mmrm_options import SHORT_NAMES
from trialkit.errors import SpecError
from trialkit.kernels.mmrm.structures import STRUCTURES
from trialkit.plan import AnalysisSpec, load_plan, run_plan
from trialkit.plan.fields import Formula, Model, OneOrMoreColumns, named_columns
from trialkit.plan.methods import METHODS

# Arguments of the public function that a plan does not have, and why.
NOT_IN_PLANS = {
    "responders": {"method"},  # the plan's own key; there is one method only
    "ancova": {"visits"},  # one visit
}
# Functions whose arguments a method takes, beside the public function of its name.
AFTER_THE_FIT = {"ancova": LinearEstimates.contrasts, "mmrm": MmrmFit.contrasts}
# Arguments under another name in a plan, by function: the plan's own key is `method`, and one
# analysis has one table of keys for the fit and for what is asked of it.
RENAMED = {
    tk.mmrm: {"method": "likelihood"},
    MmrmFit.contrasts: {"weights": "lsmeans_weights"},
    tk.reference_based: {"method": "likelihood"},
    tk.tipping_point: {"method": "likelihood"},
}
COMMON = set(AnalysisSpec.model_fields)


def functions_of(method: str) -> list[Any]:
    after = [AFTER_THE_FIT[method]] if method in AFTER_THE_FIT else []
    return [getattr(tk, method), *after]


def public_arguments(method: str) -> dict[str, inspect.Parameter]:
    unused = {"self", "data", *NOT_IN_PLANS.get(method, set())}
    found: dict[str, inspect.Parameter] = {}
    for function in functions_of(method):
        for name, parameter in inspect.signature(function).parameters.items():
            if name not in unused:
                named = RENAMED.get(function, {}).get(name, name)
                assert named not in found, f"{named} would mean two things"
                found[named] = parameter
    return found


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_a_public_name_and_takes_its_arguments(method: str) -> None:
    spec = METHODS[method].spec
    assert set(spec.model_fields) - COMMON == set(public_arguments(method))


@pytest.mark.parametrize("method", METHODS)
def test_defaults_are_those_of_the_function(method: str) -> None:
    spec = METHODS[method].spec
    for name, parameter in public_arguments(method).items():
        default = spec.model_fields[name].default
        if parameter.default is inspect.Parameter.empty:
            assert name in spec.needs or spec.model_fields[name].is_required()
        elif name == "ci_level":
            assert default is None  # the plan's, 0.95 unless it says otherwise
        else:
            assert default == parameter.default, name


def choices(annotation: Any) -> set[Any]:
    """The values of every Literal in an annotation."""
    if get_origin(annotation) is typing.Literal:
        return set(get_args(annotation))
    return set().union(*(choices(part) for part in get_args(annotation)))


@pytest.mark.parametrize("method", METHODS)
def test_choices_are_those_of_the_function(method: str) -> None:
    hints: dict[str, Any] = {}
    for function in functions_of(method):
        spaces = {**vars(typing), **inspect.unwrap(function).__globals__}
        for name, text in function.__annotations__.items():
            with_pandas = {**spaces, "pd": __import__("pandas")}
            named = RENAMED.get(function, {}).get(name, name)
            hints.setdefault(named, eval(text, with_pandas) if isinstance(text, str) else text)
    for name, field in METHODS[method].spec.model_fields.items():
        if name not in COMMON:
            allowed = CHECKED_WHEN_RUN.get((method, name)) or choices(hints[name])
            assert choices(field.annotation) == allowed, name


# The public function takes any text here and checks it when it runs.
CHECKED_WHEN_RUN = {("mmrm", "covariance"): {*STRUCTURES, *SHORT_NAMES}}


def test_the_methods_are_those_of_this_version() -> None:
    assert {
        *(
            "ttest",
            "rank_sum",
            "effect_size",
            "ancova",
            "mmrm",
            "quade",
            "van_elteren",
            "welch_anova",
        ),
        *("kruskal_wallis", "levene", "shapiro_wilk", "responders", "summarize"),
    } <= set(METHODS)


# Tested apart, on data of several visits.
SEVERAL_VISITS = ("reference_based", "tipping_point", "pattern_mixture")
ARGUMENTS = {
    "ancova": 'formula = "CHG ~ TRT01P + BASE"\nadjust = "holm"\nby = []\nat = { BASE = 6 }',
    "quade": 'covariates = ["BASE"]',
    "van_elteren": 'strata = "SEX"',
    "responders": 'outcome = "CRIT2FL"',
    "summarize": 'by = "SEX"',
    "shapiro_wilk": 'arm = "TRT01P"',
}
DIRECT: dict[str, dict[str, Any]] = {
    "quade": {"covariates": "BASE"},
    "van_elteren": {"strata": "SEX"},
    "responders": {"outcome": "CRIT2FL"},
    "summarize": {"by": "SEX"},
}


@pytest.mark.parametrize(
    "method", [name for name in METHODS if name not in {*AFTER_THE_FIT, *SEVERAL_VISITS}]
)
def test_a_plan_gives_what_the_function_gives(tmp_path: Path, method: str) -> None:
    text = HEAD + PRIMARY.replace('"ttest"', f'"{method}"\n{ARGUMENTS.get(method, "")}') + ESTIMAND
    found = run_plan(load_plan(write_plan(tmp_path, text))).table("primary")
    data = tiny_data().query("AVISIT == 'Week 12'")
    known = {"outcome": "CHG", "arm": "TRT01P", "reference": "Placebo", "subject": "USUBJID"}
    taken = {key: known[key] for key in known if key in public_arguments(method)}
    direct = getattr(tk, method)(data, **{**taken, **DIRECT.get(method, {})})
    assert_frame_equal(found.frame(), direct.frame(), check_exact=True)
    assert found.variable == direct.variable


def test_ancova_gives_the_tables_of_one_fit(tmp_path: Path) -> None:
    text = HEAD + PRIMARY.replace('"ttest"', f'"ancova"\n{ARGUMENTS["ancova"]}') + ESTIMAND
    run = run_plan(load_plan(write_plan(tmp_path, text)))
    data = tiny_data().query("AVISIT == 'Week 12'")
    fit = tk.ancova("CHG ~ TRT01P + BASE", data, arm="TRT01P", reference="Placebo")
    assert list(run.analyses[0].tables) == ["contrasts", "lsmeans", "coefficients", "type3"]
    assert run.table("primary") == fit.contrasts(adjust="holm", at={"BASE": 6})
    assert run.table("primary", "lsmeans") == fit.lsmeans(at={"BASE": 6})
    assert run.table("primary", "coefficients") == fit.coefficients()
    assert run.table("primary", "type3") == fit.type3()


def test_a_forgotten_filter_on_the_visit_is_refused(tmp_path: Path) -> None:
    text = HEAD + PRIMARY.replace('where = { AVISIT = "Week 12" }', "") + ESTIMAND
    with pytest.raises(tk.DataError, match=r"Analysis 'primary': .*S-00"):
        run_plan(load_plan(write_plan(tmp_path, text)))


def test_columns_are_found_in_every_kind_of_argument() -> None:
    class Kinds(Model):
        one: OneOrMoreColumns
        two: OneOrMoreColumns | None = None
        formula: Formula = "A ~ B"
        label: str = "not a column"

    assert list(named_columns(Kinds(one="A"))) == [("one", "A")]
    assert list(named_columns(Kinds(one=["A", "B"], two="C"))) == [
        ("one", "A"),
        ("one", "B"),
        ("two", "C"),
    ]
    with pytest.raises(ValidationError):
        TypeAdapter(Formula).validate_python("A ~ B**2")


def test_the_table_of_methods_is_open() -> None:
    assert not isinstance(METHODS, types.MappingProxyType)
    assert all(issubclass(method.spec, AnalysisSpec) for method in METHODS.values())
    with pytest.raises(SpecError, match="no analysis"):
        run_plan.__globals__["PlanRun"](plan=None, analyses=(), sources=()).table("x")
