"""Every method of a plan takes the arguments of its public function, with the same defaults."""

from __future__ import annotations

import inspect
import types
import typing
from pathlib import Path
from typing import Any, get_args, get_origin

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from plan.tiny import ESTIMAND, HEAD, PRIMARY, tiny_data, write_plan
from pydantic import TypeAdapter, ValidationError

import trialkit as tk
from trialkit.analyses.crossover_fit import CrossoverFit
from trialkit.analyses.crossover_gee_fit import CrossoverGeeFit
from trialkit.analyses.linear_estimates import LinearEstimates
from trialkit.analyses.mmrm_fit import MmrmFit
from trialkit.analyses.mmrm_options import SHORT_NAMES
from trialkit.analyses.n_of_1_fit import NOf1Fit
from trialkit.analyses.phase_contrast import PhaseFit
from trialkit.errors import SpecError
from trialkit.kernels.mmrm.structures import STRUCTURES
from trialkit.kernels.reference_means import STRATEGIES as IMPUTATION_STRATEGIES
from trialkit.plan import AnalysisSpec, load_plan, run_plan
from trialkit.plan.estimand import STRATEGIES as ESTIMAND_STRATEGIES
from trialkit.plan.fields import Formula, Model, OneOrMoreColumns, named_columns
from trialkit.plan.methods import METHODS

# Arguments of the public function that a plan does not have, and why.
NOT_IN_PLANS = {
    "responders": {"method"},  # the plan's own key; there is one method only
    "ancova": {"visits"},  # one visit
    "crossover": {"visits"},  # periods are not visits
    "phase_contrast": {"visits"},
}
# Arguments that a plan has and the public function has not: what is done to the rows first.
ONLY_IN_PLANS = {"crossover": {"measurements"}, "crossover_rank": {"measurements"}}
# Functions whose arguments a method takes, beside the public function of its name.
AFTER_THE_FIT = {
    "ancova": LinearEstimates.contrasts,
    "mmrm": MmrmFit.contrasts,
    "crossover": CrossoverFit.contrasts,
    "crossover_gee": CrossoverGeeFit.contrasts,
    "phase_contrast": PhaseFit.contrasts,
    "n_of_1": NOf1Fit.contrasts,
}
# Arguments under another name in a plan, by function: the plan's own key is `method`, its level
# is that of all other analyses, and one analysis has one table of keys for the fit and for what
# is asked of it.
RENAMED = {
    tk.mmrm: {"method": "likelihood"},
    MmrmFit.contrasts: {"weights": "lsmeans_weights"},
    tk.reference_based: {"method": "likelihood"},
    tk.tipping_point: {"method": "likelihood"},
    tk.compare_variances: {"method": "likelihood"},
    tk.bioequivalence: {"method": "ema_method", "ci_level": "interval_level"},
}
# Their own tests are in test_methods_crossover.py: the tiny trial is a parallel one.
CROSSOVER = {
    *("crossover", "crossover_rank", "crossover_binary", "crossover_gee"),
    *("bioequivalence", "rsabe", "phase_contrast", "n_of_1"),
    # test_imputation_methods
    *("reference_based", "tipping_point", "pattern_mixture", "compare_variances"),
    *("crossover_reference_based", "locf_sensitivity"),
    *("consort", "missing_patterns", "intercurrent_events"),  # test_participation_methods
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
    own = set(spec.model_fields) - COMMON - ONLY_IN_PLANS.get(method, set())
    assert own == set(public_arguments(method))


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
        if name not in COMMON | ONLY_IN_PLANS.get(method, set()):
            allowed = CHECKED_WHEN_RUN.get((method, name)) or choices(hints[name])
            assert choices(field.annotation) == allowed, name


# The public function takes any text here and checks it when it runs.
CHECKED_WHEN_RUN: dict[tuple[str, str], set[Any]] = {
    ("mmrm", "covariance"): {*STRUCTURES, *SHORT_NAMES},
    ("intercurrent_events", "strategies"): set(ESTIMAND_STRATEGIES),
    **{
        (method, "events"): set(IMPUTATION_STRATEGIES)
        for method in ("reference_based", "tipping_point", "compare_variances")
    },
}


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


def leaving(data: pd.DataFrame) -> pd.DataFrame:
    """The tiny trial with an end for every subject, by arithmetic."""
    number = data["USUBJID"].str[2:].astype(int)
    reasons = ["LACK OF EFFICACY", "ADVERSE EVENT", None, None, None]
    return data.assign(
        DAYS=20 + number * 11 % 65,
        DISCFL=["Y" if one % 5 < 2 else "N" for one in number],
        EOSSTT=["DISCONTINUED" if one % 5 < 2 else "COMPLETED" for one in number],
        DCSREAS=[reasons[one % 5] for one in number],
    )


def write_leaving(folder: Path, text: str) -> Path:
    path = write_plan(folder, text)
    leaving(tiny_data()).to_csv(folder / "adqs.csv", index=False)
    return path


TIMES = 'time = "DAYS"'
ARGUMENTS = {
    "ancova": 'formula = "CHG ~ TRT01P + BASE"\nadjust = "holm"\nby = []\nat = { BASE = 6 }',
    "quade": 'covariates = ["BASE"]',
    "van_elteren": 'strata = "SEX"',
    "responders": 'outcome = "CRIT2FL"',
    "summarize": 'by = "SEX"',
    "shapiro_wilk": 'arm = "TRT01P"',
    "kaplan_meier": f'{TIMES}\nevent = "DISCFL"\ntimes = [30, 60]',
    "logrank": f'{TIMES}\nevent = "DISCFL"\nrho = 1.0\nstrata = "SEX"',
    "cox": f'{TIMES}\nevent = "DISCFL"\ncovariates = ["C(SITE)"]\nties = "breslow"',
    "rmst": f'{TIMES}\nevent = "DISCFL"\ntau = 60.0\ncovariates = "BASE"',
    "cause_specific": f'{TIMES}\ncause = "DCSREAS"\nties = "breslow"',
    "fine_gray": f'{TIMES}\ncause = "DCSREAS"\ncauses = ["ADVERSE EVENT"]',
    "cumulative_incidence": f'{TIMES}\ncause = "DCSREAS"\ntimes = [50]',
    "gray_test": f'{TIMES}\ncause = "DCSREAS"',
    "disposition": f'{TIMES}\nstatus = "EOSSTT"\nreason = "DCSREAS"',
    "ae_withdrawal": 'flag = "DISCFL"',
    "predict_dropout": 'event = "DISCFL"\ncovariates = "BASE"',
}
DIRECT: dict[str, dict[str, Any]] = {
    "quade": {"covariates": "BASE"},
    "van_elteren": {"strata": "SEX"},
    "responders": {"outcome": "CRIT2FL"},
    "summarize": {"by": "SEX"},
    "kaplan_meier": {"time": "DAYS", "event": "DISCFL", "times": [30, 60]},
    "logrank": {"time": "DAYS", "event": "DISCFL", "rho": 1, "strata": "SEX"},
    "cox": {
        "time": "DAYS",
        "event": "DISCFL",
        "covariates": "C(SITE)",
        "ties": "breslow",
    },
    "rmst": {"time": "DAYS", "event": "DISCFL", "tau": 60, "covariates": "BASE"},
    "cause_specific": {"time": "DAYS", "cause": "DCSREAS", "ties": "breslow"},
    "fine_gray": {"time": "DAYS", "cause": "DCSREAS", "causes": ["ADVERSE EVENT"]},
    "cumulative_incidence": {"time": "DAYS", "cause": "DCSREAS", "times": [50]},
    "gray_test": {"time": "DAYS", "cause": "DCSREAS"},
    "disposition": {"time": "DAYS", "status": "EOSSTT", "reason": "DCSREAS"},
    "ae_withdrawal": {"flag": "DISCFL"},
}
# Several tables, several rows a subject or data of their own: each with a test of its own.
ON_THEIR_OWN = {"little_mcar", "predict_dropout", "compare_panel", *CROSSOVER}


def test_a_panel_in_a_plan(tmp_path: Path) -> None:
    entry = PRIMARY.replace(
        'method = "ttest"',
        'method = "compare_panel"\nanalyte = "AVISIT"\nvalue = "CHG"\ndesign = "parallel"\n'
        'condition = "TRT01P"\ntransform = "none"\nlloq = -1.0\nadjust = "maxt"\n'
        "permutations = 200\nrng = 3",
    ).replace('where = { AVISIT = "Week 12" }', "")
    run = run_plan(load_plan(write_plan(tmp_path, HEAD + entry + ESTIMAND)))
    direct = tk.compare_panel(
        tiny_data(),
        analyte="AVISIT",
        value="CHG",
        subject="USUBJID",
        design="parallel",
        condition="TRT01P",
        reference="Placebo",
        transform="none",
        lloq=-1.0,
        adjust="maxt",
        permutations=200,
        rng=3,
    )
    assert_frame_equal(run.table("primary").frame(), direct.frame(), check_exact=True)
    strip = run.table("primary", "sensitivity").frame()
    assert_frame_equal(strip, direct.sensitivity().frame(), check_exact=True)
    (warning,) = run.analyses[0].warnings
    assert "does not say how many analytes were assayed" in warning


@pytest.mark.parametrize("method", sorted(set(METHODS) - set(AFTER_THE_FIT) - ON_THEIR_OWN))
def test_a_plan_gives_what_the_function_gives(tmp_path: Path, method: str) -> None:
    text = HEAD + PRIMARY.replace('"ttest"', f'"{method}"\n{ARGUMENTS.get(method, "")}') + ESTIMAND
    found = run_plan(load_plan(write_leaving(tmp_path, text))).table("primary")
    data = leaving(tiny_data()).query("AVISIT == 'Week 12'")
    known = {"outcome": "CHG", "arm": "TRT01P", "reference": "Placebo", "subject": "USUBJID"}
    taken = {key: known[key] for key in known if key in public_arguments(method)}
    direct = getattr(tk, method)(data, **{**taken, **DIRECT.get(method, {})})
    assert_frame_equal(found.frame(), direct.frame(), check_exact=True)
    assert found.variable == direct.variable


def test_littles_test_takes_the_visits_of_the_design(tmp_path: Path) -> None:
    text = HEAD + PRIMARY.replace('"ttest"', '"little_mcar"') + ESTIMAND
    text = text.replace('where = { AVISIT = "Week 12" }', "")
    folder = tmp_path / "plan"
    path = write_plan(folder, text)
    data = leaving(tiny_data())
    data.loc[(data["AVISIT"] == "Week 12") & (data["DISCFL"] == "Y"), "CHG"] = None
    data.to_csv(folder / "adqs.csv", index=False)
    found = run_plan(load_plan(path)).table("primary")
    direct = tk.little_mcar(
        data,
        outcome="CHG",
        subject="USUBJID",
        visit="AVISIT",
        visit_order=["Week 4", "Week 12"],
        arm="TRT01P",
        reference="Placebo",
    )
    assert_frame_equal(found.frame(), direct.frame(), check_exact=True)


def test_predictors_of_dropout_take_the_flag_of_the_plan(tmp_path: Path) -> None:
    method = f'"predict_dropout"\n{ARGUMENTS["predict_dropout"]}'
    text = HEAD + PRIMARY.replace('"ttest"', method) + ESTIMAND
    found = run_plan(load_plan(write_leaving(tmp_path, text))).table("primary")
    direct = tk.predict_dropout(
        leaving(tiny_data()).query("AVISIT == 'Week 12'"),
        arm="TRT01P",
        reference="Placebo",
        event="DISCFL",
        covariates="BASE",
    )
    assert_frame_equal(found.frame(), direct.frame(), check_exact=True)


def test_a_cox_model_and_disposition_give_their_further_tables(tmp_path: Path) -> None:
    def tables(method: str, folder: str) -> list[str]:
        text = HEAD + PRIMARY.replace('"ttest"', f'"{method}"\n{ARGUMENTS[method]}') + ESTIMAND
        return list(run_plan(load_plan(write_leaving(tmp_path / folder, text))).analyses[0].tables)

    assert tables("cox", "a") == ["estimates", "tests", "proportional_hazards"]
    assert tables("disposition", "b") == ["disposition", "differences", "rates"]
    assert tables("kaplan_meier", "c") == ["survival", "median"]


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

    class Outer(Model):
        part: Kinds

    assert list(named_columns(Outer(part=Kinds(one="A")))) == [("part.one", "A")]
    with pytest.raises(ValidationError):
        TypeAdapter(Formula).validate_python("A ~ B**2")


def test_the_table_of_methods_is_open() -> None:
    assert not isinstance(METHODS, types.MappingProxyType)
    assert all(issubclass(method.spec, AnalysisSpec) for method in METHODS.values())
    with pytest.raises(SpecError, match="no analysis"):
        run_plan.__globals__["PlanRun"](plan=None, analyses=(), sources=()).table("x")
