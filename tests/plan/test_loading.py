"""A plan file is read whole or refused, with the place of every problem and what is allowed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan.tiny import ESTIMAND, HEAD, PLAN, PRIMARY, write_plan

from trialkit.errors import SpecError
from trialkit.plan import Plan, load_plan
from trialkit.plan.methods import METHODS

ANCOVA = '\n[[analysis]]\nname = "a"\nmethod = "ancova"\nformula = "FORMULA"\n' + ESTIMAND


def refused(folder: Path, text: str) -> str:
    with pytest.raises(SpecError) as caught:
        load_plan(write_plan(folder, text))
    message = str(caught.value)
    assert message.startswith("plan.toml: ")
    assert "pydantic" not in message
    assert "validation error" not in message
    return message


def test_a_plan_is_a_frozen_value_that_knows_its_file(tmp_path: Path) -> None:
    path = write_plan(tmp_path)
    plan = load_plan(path)
    assert isinstance(plan, Plan)
    assert [spec.name for spec in plan.analyses] == ["primary", "d, pooled SD", "ranks", "ANCOVA"]
    assert plan.folder == tmp_path
    assert len(plan.sha256) == 64
    assert plan == load_plan(path)
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        plan.header = None  # type: ignore[assignment, misc]


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    first = load_plan(write_plan(tmp_path / "a"))
    second = load_plan(write_plan(tmp_path / "b", PLAN + "# a comment\n"))
    assert first.sha256 != second.sha256
    assert first.analyses == second.analyses


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PLAN.replace('title = "A tiny trial"', ""), r"\[plan\], title: missing"),
        (PLAN.replace("seed", "sed"), r"\[plan\]: unknown key 'sed' \(did you mean 'seed'\?\)"),
        (PLAN.replace("seed = 7", 'seed = "7"'), r"\[plan\], seed: input should be a valid int"),
        (PLAN.replace("seed = 7", "seed = -1"), r"\[plan\], seed: .*greater than or equal to 0"),
        (
            PLAN.replace("seed = 7", "ci_level = 95"),
            r"\[plan\], ci_level: .*less than 1; given: 95",
        ),
        (PLAN.replace("seed = 7", "ci_level = nan"), r"\[plan\], ci_level: "),
        (PLAN.replace('"parallel"', '"cluster"'), r"type = 'cluster' is not offered; allowed: par"),
        (PLAN.replace('type = "parallel"', ""), r"\[design\]: type is missing; allowed: parallel"),
        (PLAN.replace("baseline", "base_line"), r"\[design\]: unknown key 'base_line' \(did you "),
        (
            PLAN.replace('"ttest"', '"t.test"'),
            r"1 'primary': method = 't.test' is not offered; all",
        ),
        (PLAN.replace('method = "ttest"', ""), r"\[\[analysis\]\] 1 'primary': method is missing"),
        (
            PLAN.replace('method = "ttest"', 'method = "ttest"\nequal_vars = true'),
            "did you mean 'e",
        ),
        (PLAN.replace('method = "ttest"', 'method = "ttest"\nequal_var = "yes"'), "valid boolean"),
        (PLAN.replace('method = "ttest"', 'method = "ttest"\nalternative = "up"'), "'two-sided'"),
        (PLAN.replace('"primary"', '"pri\\nmary"'), r"1 'pri\\nmary', name: "),
        (PLAN.replace('"primary"', '"../primary"'), "name: string should match pattern"),
        (PLAN.replace('"ranks"', '"primary"'), "two analyses are named 'primary'"),
        (HEAD, r"\[\[analysis\]\]: missing"),
        (HEAD + "analysis = []", r"analysis"),
        ("analysis = 3\n" + HEAD, r"\[\[analysis\]\]: input should be a valid tuple"),
        ("colour = 1\n" + PLAN, r"top of the file: unknown key 'colour'; allowed: plan, data, de"),
        ("path = '/etc/passwd'\n" + PLAN, r"unknown key 'path'; allowed at the top: plan, data"),
        (PLAN.replace('adqs = "adqs.csv"', ""), r"\[data\]: "),
        (
            PLAN.replace('adqs = "adqs.csv"', "adqs = 3"),
            r"\[data\], adqs: input should be a valid s",
        ),
        (
            PLAN.replace('data = "adqs"', 'data = "adsl"'),
            r"\[design\]: data = 'adsl' is not in \[da",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    assert text != PLAN
    with pytest.raises(SpecError, match=message):
        load_plan(write_plan(tmp_path, text))
    refused(tmp_path, text)


@pytest.mark.parametrize(
    "attribute", ["treatment", "population", "variable", "intercurrent", "summary"]
)
def test_each_attribute_of_the_estimand_is_required(tmp_path: Path, attribute: str) -> None:
    parts = {
        "treatment": '"a"',
        "population": '"b"',
        "variable": '"c"',
        "intercurrent": '{ withdrawal = "hypothetical" }',
        "summary": '"d"',
    }
    del parts[attribute]
    inside = ", ".join(f"{key} = {value}" for key, value in parts.items())
    message = refused(tmp_path, HEAD + PRIMARY + f"estimand = {{ {inside} }}\n")
    assert f"'primary', estimand.{attribute}: missing; an estimand has five attributes" in message


def test_an_estimand_is_required_and_its_strategies_are_those_of_the_guideline(
    tmp_path: Path,
) -> None:
    assert "estimand: missing" in refused(tmp_path, HEAD + PRIMARY)
    text = PLAN.replace("treatment policy", "ignore it")
    assert "'while-on-treatment'" in refused(tmp_path, text)
    estimand = load_plan(write_plan(tmp_path)).analyses[0].estimand
    assert estimand.intercurrent == {"withdrawal": "treatment-policy"}


def test_every_problem_is_listed_at_once(tmp_path: Path) -> None:
    text = PLAN.replace("seed = 7", "seed = 1.5").replace('"ttest"', '"t"')
    message = refused(tmp_path, text)
    assert message.count("\n") == 2
    assert "[plan], seed" in message
    assert "method = 't'" in message


@pytest.mark.parametrize(
    "formula",
    [
        "CHG ~ __import__('os').system('touch owned')",
        "CHG ~ TRT01P.__class__",
        "CHG ~ `TRT01P`",
        "CHG ~ I(BASE)",
        "CHG ~ " + "BASE + " * 5000 + "BASE",
        "CHG ~ " + "(" * 500 + "BASE" + ")" * 500,
    ],
)
def test_a_hostile_formula_is_refused_before_anything_is_read(tmp_path: Path, formula: str) -> None:
    message = refused(tmp_path, HEAD + ANCOVA.replace("FORMULA", formula))
    assert "[[analysis]] 1 'a', formula: " in message
    assert len(message) < 500
    assert not (tmp_path / "owned").exists()


def test_a_formula_may_name_a_column_that_the_formula_library_knows_too(tmp_path: Path) -> None:
    load_plan(write_plan(tmp_path, HEAD + ANCOVA.replace("FORMULA", "CHG ~ TRT01P + center")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[plan\n", r"not valid TOML: .*line 1"),
        (b"\xff\xfe", r"not UTF-8 text \(byte 0\)"),
        (b"a = " + b"[" * 100_000, "nested too deeply|not valid TOML"),
        (b"# " + b"x" * 1_000_001, "larger than 1000000 bytes"),
        (b"", r"\[plan\]: missing"),
        (b"x = 1\nx = 2\n", "not valid TOML"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(content)
    with pytest.raises(SpecError, match=message):
        load_plan(path)


def test_a_plan_that_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    for path in (tmp_path, tmp_path / "none.toml", tmp_path / "pipe.toml", Path("/dev/zero")):
        with pytest.raises(SpecError, match="there is no such file"):
            load_plan(path)
    with pytest.raises(SpecError, match=r"cannot be read|no such file"):
        load_plan("plan\0.toml")


def test_unknown_methods_are_answered_with_those_there_are(tmp_path: Path) -> None:
    message = refused(tmp_path, PLAN.replace('"ttest"', '"mmrm2"'))
    assert all(name in message for name in METHODS)


VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    place=st.sampled_from(["plan", "data", "design", "analysis", "one", "where", "estimand", "x"]),
    key=st.sampled_from(["name", "method", "formula", "where", "estimand", "data", "type", "arm"]),
    value=VALUES,
)
def test_no_content_of_a_file_gets_past_as_anything_but_a_plan_or_a_spec_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, key: str, value: object
) -> None:
    import tomllib

    document = tomllib.loads(PLAN)
    if place in ("one", "where", "estimand"):
        entry = document["analysis"][0]
        (entry if place == "one" else entry[place])[key] = value
    elif place in ("plan", "design", "data") and key != "data":
        document[place][key] = value
    else:
        document[place] = value
    path = write_plan(tmp_path)
    monkeypatch.setattr(tomllib, "loads", lambda _: document)
    with suppress(SpecError):
        assert isinstance(load_plan(path), Plan)
    monkeypatch.undo()
