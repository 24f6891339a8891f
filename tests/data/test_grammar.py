"""A formula from a file is read by our own parser before formulaic evaluates anything."""

from __future__ import annotations

import ast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trialkit.data.grammar import (
    _FORMULAIC_NAMES,
    FUNCTIONS,
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_TERMS,
    check_formula,
    formula_columns,
)
from trialkit.errors import SpecError

COLUMNS = ["CHG", "AVAL", "TRT01P", "BASE", "SITEGR1", "AVISIT", "a__b", "x1"]


@pytest.mark.parametrize(
    "text",
    [
        "CHG ~ TRT01P",
        "CHG~TRT01P+BASE",
        "  CHG  ~  TRT01P * BASE - TRT01P:BASE ",
        "log(AVAL) ~ TRT01P + log(BASE) + log2(BASE) + sqrt(BASE)",
        "CHG ~ 0 + TRT01P",
        "CHG ~ 1 + TRT01P",
        "CHG ~ TRT01P - 1",
        "CHG ~ -1 + TRT01P",
        "CHG ~ 1",
        "CHG ~ (TRT01P + BASE) * C(SITEGR1)",
        "CHG ~ ((((TRT01P))))",
        "CHG ~ a__b + x1",
    ],
)
def test_formulas_of_trials_pass(text: str) -> None:
    check_formula(text)
    check_formula(text, columns=COLUMNS)


HOSTILE = {
    "attribute access": "CHG ~ TRT01P.__class__",
    "attribute on a number": "CHG ~ (1).real",
    "call": "CHG ~ open(BASE)",
    "call of a column": "CHG ~ TRT01P(BASE)",
    "call of a group": "CHG ~ (TRT01P)(BASE)",
    "import": "CHG ~ __import__('os').system('id')",
    "dunder": "CHG ~ __builtins__",
    "leading underscore": "CHG ~ _x",
    "backticks": "CHG ~ `TRT01P`",
    "string": "CHG ~ 'TRT01P'",
    "double quoted": 'CHG ~ "TRT01P"',
    "string argument": "CHG ~ C(TRT01P, 'x')",
    "second argument": "CHG ~ C(TRT01P, BASE)",
    "keyword argument": "CHG ~ C(TRT01P, spans_intercept=1)",
    "no argument": "CHG ~ log()",
    "arithmetic inside": "CHG ~ log(BASE + BASE)",
    "nested functions": "CHG ~ log(log(BASE))",
    "lookalike nesting": "CHG ~ log(C)",
    "brackets": "CHG ~ TRT01P[0]",
    "braces": "CHG ~ {BASE + 1}",
    "lambda": "CHG ~ log(lambda: 0)",
    "lambda as name": "CHG ~ lambda",
    "comprehension": "CHG ~ [x for x in BASE]",
    "generator": "CHG ~ log(x for x in BASE)",
    "conditional": "CHG ~ log(BASE if BASE else BASE)",
    "keyword": "CHG ~ None",
    "keyword in a function": "CHG ~ log(True)",
    "keyword outcome": "import ~ BASE",
    "unicode letters": "CHG ~ TRT01Р",  # noqa: RUF001 (a Cyrillic letter)
    "full width bracket": "CHG ~ log（BASE）",  # noqa: RUF001
    "full width digit": "CHG ~ １ + BASE",  # noqa: RUF001
    "long s": "CHG ~ ſqrt(BASE)",  # noqa: RUF001
    "combining": "CHG ~ BASE\u0301",
    "zero width": "CHG ~ BASE\u200b",
    "no-break space": "CHG ~\u00a0BASE",
    "newline": "CHG ~ BASE\n+ BASE",
    "carriage return": "CHG ~ BASE\r",
    "tab": "CHG ~\tBASE",
    "nul": "CHG ~ BASE\0",
    "semicolon": "CHG ~ BASE; BASE",
    "hash": "CHG ~ BASE # comment",
    "backslash": "CHG ~ BASE \\",
    "number": "CHG ~ 2",
    "decimal": "CHG ~ 1.5",
    "exponent number": "CHG ~ 1e5",
    "hexadecimal": "CHG ~ 0x1",
    "leading zeros": "CHG ~ 00 + BASE",
    "intercept times": "CHG ~ 1 * BASE",
    "intercept within": "CHG ~ BASE:1",
    "intercept in brackets": "CHG ~ (1 + BASE)",
    "name after number": "CHG ~ 1BASE",
    "power": "CHG ~ BASE ** 2",
    "caret": "CHG ~ BASE ^ 2",
    "bar": "CHG ~ BASE | TRT01P",
    "at": "CHG ~ BASE @ TRT01P",
    "slash": "CHG ~ BASE / TRT01P",
    "in": "CHG ~ BASE in TRT01P",
    "percent in": "CHG ~ BASE %in% TRT01P",
    "walrus": "CHG ~ (x := BASE)",
    "assignment": "CHG ~ x = BASE",
    "dot": "CHG ~ .",
    "star": "CHG ~ *",
    "double colon": "CHG ~ BASE::TRT01P",
    "two signs": "CHG ~ BASE + - TRT01P",
    "open bracket": "CHG ~ (BASE",
    "close bracket": "CHG ~ BASE)",
    "empty brackets": "CHG ~ ()",
    "trailing operator": "CHG ~ BASE +",
    "missing operator": "CHG ~ BASE TRT01P",
    "no right side": "CHG ~",
    "no left side": "~ BASE",
    "no tilde": "CHG",
    "two tildes": "CHG ~ BASE ~ TRT01P",
    "two outcomes": "CHG + AVAL ~ BASE",
    "factor as outcome": "C(CHG) ~ BASE",
    "function as column": "CHG ~ log",
    "function as outcome": "log ~ BASE",
    "space before a bracket": "CHG ~ log (BASE)",
    "empty": "",
    "spaces": "   ",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(SpecError):
        check_formula(text)
    with pytest.raises(SpecError):
        check_formula(text, columns=COLUMNS)


def test_the_error_gives_the_place_and_what_is_allowed() -> None:
    with pytest.raises(SpecError, match=r"character 13: '\[' is not allowed\. Allowed: column"):
        check_formula("CHG ~ TRT01P[0]")
    with pytest.raises(SpecError, match=r"character 7: 'eval' cannot be called|'eval' cannot"):
        check_formula("CHG ~ eval(BASE)")


def test_very_long_formula_is_refused_without_being_parsed_or_repeated() -> None:
    with pytest.raises(SpecError, match=f"at most {MAX_LENGTH}") as caught:
        check_formula("CHG ~ " + "BASE + " * 10**6)
    assert len(str(caught.value)) < 200


def test_a_long_refused_formula_is_shortened_in_the_message() -> None:
    with pytest.raises(SpecError) as caught:
        check_formula("CHG ~ " + "BASE + " * 200 + "!")
    assert len(str(caught.value)) < 400


def test_deep_nesting_is_refused() -> None:
    check_formula("CHG ~ " + "(" * MAX_DEPTH + "BASE" + ")" * MAX_DEPTH)
    with pytest.raises(SpecError, match=f"more than {MAX_DEPTH} brackets"):
        check_formula("CHG ~ " + "(" * (MAX_DEPTH + 1) + "BASE" + ")" * (MAX_DEPTH + 1))
    with pytest.raises(SpecError):
        check_formula("CHG ~ " + "(" * 1900)


def test_an_explosion_of_interactions_is_refused() -> None:
    with pytest.raises(SpecError, match=f"more than {MAX_TERMS} terms"):
        check_formula("CHG ~ " + " * ".join(f"x{i}" for i in range(30)))


def test_something_else_than_text_is_refused() -> None:
    with pytest.raises(SpecError, match="A formula is text, not int"):
        check_formula(3)  # type: ignore[arg-type]


def test_unknown_columns_are_listed_with_near_ones() -> None:
    with pytest.raises(SpecError, match=r"no such column: 'TRTO1P' \(near: TRT01P\), 'zzz'\. Col"):
        check_formula("CHG ~ TRTO1P + zzz", columns=COLUMNS)


@pytest.mark.parametrize("name", ["center", "Q", "bs", "np", "I", "scale"])
def test_a_name_of_the_formula_library_is_allowed_only_where_data_have_it(name: str) -> None:
    with pytest.raises(SpecError, match="defines itself"):
        check_formula(f"CHG ~ {name}")
    with pytest.raises(SpecError, match="no such column"):
        check_formula(f"CHG ~ {name}", columns=COLUMNS)
    check_formula(f"CHG ~ {name}", columns=[*COLUMNS, name])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_column_in_the_place_of_a_function_is_refused(function: str) -> None:
    with pytest.raises(SpecError, match="rename the column"):
        check_formula(f"CHG ~ {function}(BASE)", columns=[*COLUMNS, function])
    check_formula("CHG ~ BASE", columns=[*COLUMNS, function])


def test_every_name_of_the_formula_library_is_known_to_us() -> None:
    from formulaic.transforms import TRANSFORMS

    assert set(TRANSFORMS) <= _FORMULAIC_NAMES | set(FUNCTIONS)


def test_a_column_wins_over_the_formula_library() -> None:
    import pandas as pd
    from formulaic import model_matrix

    frame = pd.DataFrame({"y": [1.0, 2.0, 4.0], "center": [3.0, 1.0, 2.0], "np": [1.0, 0.0, 5.0]})
    matrix = model_matrix("y ~ center + log2(center) + np", frame, context={})
    assert list(matrix.rhs["center"]) == [3.0, 1.0, 2.0]
    assert list(matrix.rhs["np"]) == [1.0, 0.0, 5.0]


def test_columns_are_given_in_order_of_appearance() -> None:
    assert formula_columns("log(AVAL) ~ TRT01P * BASE + BASE") == ("AVAL", "TRT01P", "BASE")


PIECES = st.sampled_from(
    [
        *["CHG", "BASE", "TRT01P", "x1", "C(", "log(", "log2(", "sqrt(", "C(TRT01P)", "log(BASE)"],
        *["~", "+", "-", "*", ":", "(", ")", "0", "1", " ", " ~ ", " + "],
        *["**", "^", "|", "[", "]", "{", "}", "`", "'", '"', ".", ",", "=", "%", "\\", "\n", "\0"],
        *["lambda", "None", "__class__", "eval(", "np", "Q(", "2", "é"],
    ]
)
ANYTHING = st.one_of(
    st.lists(PIECES, max_size=14).map("".join),
    st.lists(PIECES, max_size=10).map(lambda parts: "CHG ~ " + "".join(parts)),
    st.text(max_size=40),
    st.text(alphabet="CHGx1~+-*:() loq2sr", max_size=30),
)


@settings(deadline=None, max_examples=600)
@given(text=ANYTHING)
@example(text="CHG ~ C(TRT01P):log(BASE) - 1")
@example(text="CHG ~ 0 + (x1 + BASE) * TRT01P")
def test_what_passes_makes_formulaic_look_up_columns_and_call_four_functions(text: str) -> None:
    try:
        check_formula(text, columns=COLUMNS)
    except SpecError:
        return
    from formulaic import Formula

    parsed = Formula(text)
    for side in (parsed.lhs, parsed.rhs):
        for term in side:
            for factor in term.factors:
                assert _is_harmless(factor.expr, factor.eval_method.value), (text, factor.expr)


def _is_harmless(expression: str, method: str) -> bool:
    if method == "literal":
        return expression in ("0", "1")
    if method == "lookup":
        return expression in COLUMNS
    node = ast.parse(expression, mode="eval").body
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in FUNCTIONS
        and len(node.args) == 1
        and not node.keywords
        and isinstance(node.args[0], ast.Name)
        and node.args[0].id in COLUMNS
    )


FACTORS = st.one_of(
    st.sampled_from(COLUMNS),
    st.builds("{}({})".format, st.sampled_from(FUNCTIONS), st.sampled_from(COLUMNS)),
)
EXPRESSIONS = st.recursive(
    FACTORS,
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from("+-*:"), inner),
        st.builds("({})".format, inner),
    ),
    max_leaves=5,
)


@settings(deadline=None, max_examples=200)
@given(outcome=st.sampled_from(["CHG", "log(AVAL)"]), terms=EXPRESSIONS)
def test_every_formula_of_the_grammar_passes_and_is_harmless(outcome: str, terms: str) -> None:
    from formulaic import Formula

    check_formula(f"{outcome} ~ {terms}", columns=COLUMNS)
    parsed = Formula(f"{outcome} ~ {terms}")
    factors = [f for side in (parsed.lhs, parsed.rhs) for term in side for f in term.factors]
    assert factors
    assert all(_is_harmless(factor.expr, factor.eval_method.value) for factor in factors)
